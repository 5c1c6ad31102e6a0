"""The settings of tasks that tell a class at each step of a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from recurro.errors import SettingError
from recurro.tasks.sequence_config import (
    ClassWeight,
    ItemData,
    RecurrentNetwork,
    SequenceTraining,
    TableData,
    TaskSettings,
    named_classes,
)

__all__ = [
    "FrameNetwork",
    "FrameSettings",
    "StepNetworkSettings",
    "StepSettings",
    "TagData",
    "TagNetwork",
    "TagSettings",
]


class StepNetworkSettings(RecurrentNetwork):
    """What tells a class at each step.

    Attributes:
        head: ``softmax`` tells each step for itself, ``crf`` all together, by which
            class follows which.
        class_weight: What the loss of each class is multiplied by, for ``softmax``:
            ``None`` for 1, ``balanced`` for steps / (classes * steps of the class), or
            a number by class.
    """

    head: Literal["softmax", "crf"] = "softmax"
    class_weight: ClassWeight = None

    _words_for_classes = field_validator("class_weight", mode="before")(named_classes)

    @model_validator(mode="after")
    def _chains_have_no_weights(self) -> StepNetworkSettings:
        if self.head == "crf" and self.class_weight is not None:
            raise SettingError(
                type(self).__name__,
                "class_weight",
                f"must be left out for a crf, which tells all steps together, got "
                f"{self.class_weight!r}. Use head=softmax.",
            )
        return self


class StepSettings(TaskSettings):
    """All settings of a run that tells a class at each step.

    Example:
        >>> StepSettings(task="label", model={"head": "crf"}).model.head
        'crf'
    """

    task: Literal["tag", "label"]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: ItemData = ItemData.model_validate({})
    model: StepNetworkSettings = StepNetworkSettings.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)


def as_text(value: object) -> object:
    """A path as text; anything else as it is."""
    return str(value) if isinstance(value, Path) else value


class TagData(ItemData):
    """How sentences are read.

    Attributes:
        column: Where the tags of files are, see ``recurro.data.read_tagged``; for the
            record, where words and tags are given, as are the next three.
        encoding: The encoding of files.
        valid: The file that choices are made on, or ``None`` for a part of the others.
        test: The file that is tested on at the end, or ``None``.
        lower: Look words up in lower case. Their letters stay as they are.
        min_count: How often a word must be seen to have an embedding of its own.
    """

    column: str | None = None
    encoding: str = "utf-8"
    valid: str | None = None
    test: str | None = None
    lower: bool = True
    min_count: int = Field(default=1, ge=1)

    _paths = field_validator("valid", "test", mode="before")(as_text)


class TagNetwork(StepNetworkSettings):
    """What tells a tag for each word.

    Attributes:
        embedding_size: Width of the embedding of a word (``None``: ``hidden_size``).
        letter_embedding_size: Width of the embedding of a letter.
        letter_hidden_size: Units of each direction of the recurrence over the letters
            of a word; with 0 letters are not read.
        word_dropout: In training a word that came c times is read as unknown with
            probability a / (a + c); this is a.
        vectors: A file of word vectors in word2vec's text format that embeddings begin
            with, or ``None``; ``embedding_size`` must be the length of its vectors.
    """

    hidden_size: int = Field(default=128, ge=1)
    embedding_size: int | None = Field(default=100, ge=1)
    dropout: float = Field(default=0.4, ge=0, lt=1)
    letter_embedding_size: int = Field(default=32, ge=1)
    letter_hidden_size: int = Field(default=64, ge=0)
    word_dropout: float = Field(default=0.25, ge=0)
    vectors: str | None = None

    _path = field_validator("vectors", mode="before")(as_text)


class TagTraining(SequenceTraining):
    """How a tagger is trained: as all that reads sequences, from other defaults."""

    learning_rate: float = Field(default=0.004, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"


class TagSettings(StepSettings):
    """All settings of a run that tags words.

    Example:
        >>> TagSettings(task="tag", model={"head": "crf"}).data.lower
        True
    """

    data: TagData = TagData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: TagTraining = TagTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: TagNetwork = TagNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)


class FrameNetwork(StepNetworkSettings):
    """What tells a label of each frame.

    Attributes:
        bidirectional: Whether frames behind are looked at too; without, labels can be
            told while frames come.
        embedding_size: Width of the encoder of frames: of pictures ``hidden_size`` if
            not given, of numbers then none.
    """

    bidirectional: bool = False


class FrameSettings(StepSettings):
    """All settings of a run that labels frames.

    Example:
        >>> FrameSettings(task="label").model.bidirectional
        False
    """

    data: TableData = TableData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: FrameNetwork = FrameNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
