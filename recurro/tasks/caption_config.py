"""The settings of the task that describes pictures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from recurro.tasks.step_config import as_text
from recurro.tasks.writer_config import (
    WriterData,
    WriterNetwork,
    WriterSettings,
    WriterTraining,
)

__all__ = ["CaptionData", "CaptionNetwork", "CaptionSettings", "CaptionTraining"]


class CaptionData(WriterData):
    """How pictures and captions are read.

    Attributes:
        images: Where images are that files name; see ``recurro.data.read_captioned``;
            for the record, where they are given as such.
        test: What is tested on at the end, likewise.
        test_images: Where the images of that are; as ``images`` if not given.
        side: Height and width that pictures are cut and scaled to, in pixels; ``None``
            to take them as they are.
    """

    tokens: str = "word"
    images: str | None = None
    test: str | None = None
    test_images: str | None = None
    side: int | None = Field(default=None, ge=4, le=1024)

    _paths = field_validator("images", "test", "test_images", mode="before")(as_text)


class CaptionNetwork(WriterNetwork):
    """What looks at pictures, and what writes.

    Attributes:
        place_size: Width of what is known of each place of a picture.
        attention: How the decoder looks at places: ``bahdanau``, ``dot`` or ``general``
            (Luong's two); ``none`` to let it see their mean alone, by ``first_state``
            or at ``each_step``.
        attention_size: Units of tanh in Bahdanau's.
        word_dropout: Probability that in training a word written before is hidden, so
            that the next one must be told from the picture.
    """

    hidden_size: int = Field(default=128, ge=1)
    bidirectional: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    encoder_size: None = None  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    embedding_size: int | None = Field(default=32, ge=1)
    place_size: int = Field(default=64, ge=1)
    attention: Literal["none", "bahdanau", "dot", "general"] = "bahdanau"
    attention_size: int = Field(default=64, ge=1)
    first_state: Literal["summary", "zeros"] = "summary"  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    word_dropout: float = Field(default=0.15, ge=0, lt=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    tied: bool = False


class CaptionTraining(WriterTraining):
    """How it is trained; as all tasks of sequences, with other defaults."""

    epochs: int = Field(default=14, ge=1)
    learning_rate: float = Field(default=0.003, gt=0, allow_inf_nan=False)
    average: float | None = Field(default=0.99, gt=0, lt=1)
    warmup_steps: int = Field(default=100, ge=0)


class CaptionSettings(WriterSettings):
    """All settings of a run that describes pictures.

    Example:
        >>> CaptionSettings(data={"side": 64}).model.attention
        'bahdanau'
    """

    task: Literal["caption"] = "caption"  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: CaptionData = CaptionData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: CaptionNetwork = CaptionNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: CaptionTraining = CaptionTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
