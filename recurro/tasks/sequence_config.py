"""The settings of tasks that read a sequence and tell one thing of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

import recurro
from recurro.cells import Cell
from recurro.data import Roles
from recurro.errors import SettingError
from recurro.nn.pooling import Pool
from recurro.tasks.config import DataSettings, Tree, build_cell
from recurro.train import Settings, TrainSettings

__all__ = [
    "CHUNKED",
    "HEADS",
    "OF_TABLES",
    "SECTIONS",
    "Backend",
    "ClassWeight",
    "HeadName",
    "ItemData",
    "PooledNetwork",
    "RecurrentNetwork",
    "SequenceData",
    "SequenceNetwork",
    "SequenceSettings",
    "SequenceTraining",
    "TableData",
    "TaskSettings",
    "named_classes",
    "sections_of",
]

Backend = Literal["auto", "reference", "vendor", "cpu", "scan"]
"""What runs a recurrence."""

HeadName = Literal["softmax", "ordinal", "normal", "plain", "log-normal", "poisson"]
"""Classes without and with order; numbers with and without spread, amounts, counts."""

HEADS: dict[str, tuple[HeadName, ...]] = {
    "classify": ("softmax", "ordinal"),
    "regress": ("normal", "plain", "log-normal", "poisson"),
}
"""The heads of each task, the usual one first."""


class ItemData(Settings):
    """What is read, and what of it is kept from training.

    Attributes:
        files: Training files; for the record.
        held_out: Share of the training data, drawn by the seed, that choices are made
            on where no other data are given for that, in [0, 1): each class in its
            proportion, or each length where there is an answer for each step. With 0
            no choice is made, and the last weights are kept.
    """

    files: tuple[str, ...] = ()
    held_out: float = Field(default=0.1, ge=0, lt=1)


class TableData(ItemData):
    """Where data of tables come from; for the record, where they are given as such.

    Attributes:
        encoding: The encoding of text files.
        label: The column of the classes or numbers.
        id: The column that names the series that a row is a step of.
        time: The column of the times.
        features: The columns of what was measured; none for all others.
        test: What the model is tested on: a file, or ``hash`` for a tenth of the data
            by their hash.
    """

    encoding: str = "utf-8"
    label: str | None = None
    id: str | None = None
    time: str | None = None
    features: tuple[str, ...] = ()
    test: str | None = None

    @field_validator("features", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        """Take ``a,b`` for both."""
        return value.split(",") if isinstance(value, str) else value

    @property
    def roles(self) -> Roles:
        """What the columns of a table are."""
        return Roles(
            label=self.label, id=self.id, time=self.time, features=self.features
        )


OF_TABLES = tuple(TableData.__annotations__)
"""What only says how a table is read."""


class SequenceData(TableData):
    """How texts are read, and series cut.

    Attributes:
        text: The column of the texts in a table.
        tokens: The symbols of texts: ``char``, ``byte``, ``word`` or ``bpe:N``.
        lower: Turn texts into lower case.
        min_count: How often a symbol of a text must be seen to enter the vocabulary;
            ``None`` for twice in the case of words, and once otherwise.
        max_size: Symbols in the vocabulary at most, or ``None`` for no limit.
        subwords: Whether words are read by their pieces too (``WordEmbedding``).
        evidence: Whether words, or characters, pairs of them and pieces are counted by
            class, and what they say stands beside the recurrence (``Evidence``).
        window: Steps of the windows that series are cut into, which are then what is
            learnt from; ``None`` to read each series whole. A class holds for each
            window of its series; a number is that of the last step of its window. A
            window is never apart from its series when some are held out.
        stride: Steps from window to window.
    """

    text: str | None = None
    tokens: str = "word"
    lower: bool = False
    min_count: int | None = Field(default=None, ge=1)
    max_size: int | None = Field(default=None, ge=2)
    subwords: bool = False
    evidence: bool = False
    window: int | None = Field(default=None, ge=1)
    stride: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _agree(self) -> SequenceData:
        """Refuse what makes no sense for the symbols, by the rules of all texts."""
        values = {"tokens": self.tokens, "max_size": self.max_size}
        if self.min_count is not None:
            values["min_count"] = self.min_count
        DataSettings(**values)
        known = {"subwords": ("word",), "evidence": ("word", "char")}
        for key, kinds in known.items():
            if getattr(self, key) and self.tokens not in kinds:
                raise SettingError(
                    "SequenceData",
                    key,
                    f"must come with tokens {' or '.join(kinds)}, got {self.tokens!r}.",
                )
        if self.stride > 1 and self.window is None:
            raise SettingError(
                "SequenceData",
                "stride",
                f"must come with a window, got {self.stride} without. Set window.",
            )
        return self

    @property
    def roles(self) -> Roles:
        """What the columns of a table are."""
        return replace(super().roles, text=self.text)

    @property
    def least_count(self) -> int:
        """How often a symbol must be seen."""
        return self.min_count or (2 if self.tokens == "word" else 1)


class RecurrentNetwork(Settings):
    """What a network is made of, whatever it tells.

    Attributes:
        cell: The class name of the cell and its hyperparameters.
        hidden_size: Units of each layer and direction.
        num_layers: Layers upon each other.
        bidirectional: Whether each layer also reads backward.
        embedding_size: Width of the embedding of a text (``None``: ``hidden_size``), or
            of a linear layer before the recurrence of a series (``None``: no such
            layer).
        dropout: Probability of dropping a unit of the embedding, between layers and
            before the head.
        recurrent_dropout: Probability of dropping a unit of the state where it is read.
        zoneout: Probability that a unit of the state keeps its old value.
        weight_drop: Probability of dropping a recurrent weight.
        backend: What runs the recurrence: ``auto``, ``reference``, ``vendor``, ``cpu``,
            ``scan``.
    """

    cell: dict[str, Any] = Field(
        default_factory=lambda: {"name": "LSTM", "proj_size": 0}
    )
    hidden_size: int = Field(default=64, ge=1)
    num_layers: int = Field(default=1, ge=1)
    bidirectional: bool = True
    embedding_size: int | None = Field(default=None, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    recurrent_dropout: float = Field(default=0.0, ge=0, lt=1)
    zoneout: float = Field(default=0.0, ge=0, lt=1)
    weight_drop: float = Field(default=0.0, ge=0, lt=1)
    backend: Backend = "auto"

    @field_validator("cell", mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        """Take ``GRU`` for ``{name: GRU}``; settings without a name are the LSTM's."""
        if isinstance(value, Mapping):
            return {"name": "LSTM", **value}
        return {"name": value} if isinstance(value, str) else value


ClassWeight: TypeAlias = Literal["balanced"] | dict[str, float] | None
"""What the loss of each class is multiplied by."""


def named_classes(value: object) -> object:
    """Weights of classes, those that are numbers named as they are written."""
    if isinstance(value, Mapping):
        return {str(name): weight for name, weight in value.items()}
    return value


class PooledNetwork(RecurrentNetwork):
    """What makes one vector of each sequence.

    Attributes:
        pooling: What makes a vector of the steps: ``last``, ``max``, ``mean``,
            ``attention``, or several, joined.
    """

    pooling: tuple[Pool, ...] = ("max", "mean")

    @field_validator("pooling", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        """Take ``max`` for ``[max]``, and ``max,mean`` for both."""
        return value.split(",") if isinstance(value, str) else value


class SequenceNetwork(PooledNetwork):
    """What tells one thing of each sequence.

    Attributes:
        head: What is made of the vector: ``softmax`` or ``ordinal`` for classes;
            ``normal``, ``plain``, ``log-normal`` or ``poisson`` for numbers.
        class_weight: What the loss of each class is multiplied by: ``None`` for 1,
            ``balanced`` for items / (classes * items of the class), or a number by
            class.
    """

    head: HeadName = "softmax"
    class_weight: ClassWeight = None

    _words_for_classes = field_validator("class_weight", mode="before")(named_classes)


class SequenceTraining(TrainSettings):
    """How the network is trained: the settings of every task, and this.

    Sequences are read whole, so that ``k1``, ``k2`` and ``scale_by_length`` have no
    meaning and are refused.

    Attributes:
        batch_size: Sequences of an update.
    """

    batch_size: int = Field(default=32, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _read_whole(cls, values: object) -> object:
        """Refuse what only a sequence in chunks has."""
        given = values if isinstance(values, dict) else {}
        for key in CHUNKED:
            if key in given:
                raise SettingError(
                    cls.__name__,
                    key,
                    "must be left out, as sequences are read whole, got "
                    f"{given[key]!r}.",
                )
        return values


CHUNKED = ("k1", "k2", "scale_by_length")
"""What only concerns a sequence that is cut into chunks."""


class TaskSettings(Settings):
    """All settings of a run that reads sequences; of each task there is a kind.

    Attributes:
        recurro: The version that wrote them.
        task: The name of the task.
        data: What is read.
        model: What the network is made of.
        train: How it is trained.
    """

    recurro: str = recurro.__version__
    task: str
    data: ItemData
    model: RecurrentNetwork
    train: SequenceTraining = SequenceTraining.model_validate({})

    def tree(self) -> Tree:
        """Plain values that give equal settings: ``SequenceSettings(**tree)``."""
        return self.model_dump(mode="json", exclude={"train": {*CHUNKED}})

    def arguments(self, cell: Cell | None = None) -> Tree:
        """Values by name; the arguments of the task's class are among them.

        Args:
            cell: The cell object, where it is none of ``recurro.cells``.

        Raises:
            ConfigError: If the cell is unknown, or not the one that is passed.
        """
        return {
            **self.data.model_dump(exclude={"files"}),
            **self.model.model_dump(exclude={"cell"}),
            **self.train.model_dump(exclude={*CHUNKED}),
            "cell": build_cell(self.model.cell, cell),
        }


def sections_of(kind: type[TaskSettings]) -> dict[str, type[Settings]]:
    """The sections of ``config.yaml`` of a kind of settings, by name."""
    kinds = {name: field.annotation for name, field in kind.model_fields.items()}
    return {
        name: section
        for name, section in kinds.items()
        if isinstance(section, type) and issubclass(section, Settings)
    }


class SequenceSettings(TaskSettings):
    """All settings of a run that reads sequences and tells one thing of each.

    Example:
        >>> settings = SequenceSettings(task="classify", model={"pooling": "last"})
        >>> settings.model.pooling, settings.train.batch_size
        (('last',), 32)
    """

    task: Literal["classify", "regress"]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: SequenceData = SequenceData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: SequenceNetwork = SequenceNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)

    @model_validator(mode="after")
    def _agree(self) -> SequenceSettings:
        """Refuse a head, or weights, that the task has no use for."""
        known = HEADS[self.task]
        if self.model.head not in known:
            raise SettingError(
                "SequenceNetwork",
                "head",
                f"must be {', '.join(known[:-1])} or {known[-1]} for {self.task}, got "
                f"{self.model.head!r}.",
            )
        if self.task != "classify" and self.data.evidence:
            raise SettingError(
                "SequenceData",
                "evidence",
                "must be left out where there are no classes, got True.",
            )
        if self.task != "classify" and self.model.class_weight is not None:
            raise SettingError(
                "SequenceNetwork",
                "class_weight",
                f"must be left out where there are no classes, got "
                f"{self.model.class_weight!r}.",
            )
        return self


SECTIONS = sections_of(SequenceSettings)
"""The sections of ``config.yaml`` by name."""
