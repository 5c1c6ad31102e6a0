"""The settings of a language model: every name, its meaning and its default.

A setting has one name everywhere: it is an argument of ``LanguageModel``, a key of
``config.yaml``, the last part of ``--set section.key=value`` and, if people change it
often, a flag of the command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

import recurro
from recurro import cells
from recurro.cells import Cell
from recurro.errors import ArgumentError, ConfigError
from recurro.train import Settings, TrainSettings

__all__ = [
    "SECTIONS",
    "DataSettings",
    "LanguageSettings",
    "LanguageTraining",
    "ModelSettings",
    "NGramSettings",
    "RunSettings",
    "build_cell",
    "cell_tree",
]

Tree = dict[str, Any]


class DataSettings(Settings):
    """What is read and how it is cut into symbols.

    Attributes:
        files: Training files, folders or patterns; for the record.
        valid: Validation files; for the record.
        by_class: The folder or TSV file whose classes are told apart; for the record.
        tokens: The symbols: ``char``, ``byte``, ``word`` or ``bpe:N``.
        lines: Whether each line is an item of its own (names, molecules, titles).
        held_out: Share of a running text, from its end, that is kept from training to
            choose on, in (0, 1), where no validation text is given. Of lines, those
            whose hash is divisible by 10 are kept.
        encoding: The encoding of the files.
        lower: Turn letters into lower case.
        strip_accents: Take accents off.
        drop_control: Drop control characters.
        alphabet: The only characters to keep, or ``None`` for all.
        min_count: How often a symbol must be seen to enter the vocabulary.
        max_size: Symbols in the vocabulary at most, or ``None`` for no limit.
        unknown: What becomes of other symbols, of ``char`` and ``word``: ``error``,
            ``replace`` by the unknown symbol, or ``drop``. ``None`` replaces them if
            there are symbols left out of the vocabulary or they are words, and is an
            error otherwise.
    """

    files: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()
    by_class: str | None = None
    tokens: str = "char"
    lines: bool = False
    held_out: float = Field(default=0.05, gt=0, lt=1)
    encoding: str = "utf-8"
    lower: bool = False
    strip_accents: bool = False
    drop_control: bool = False
    alphabet: str | None = None
    min_count: int = Field(default=1, ge=1)
    max_size: int | None = Field(default=None, ge=2)
    unknown: Literal["error", "replace", "drop"] | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Refuse a share of lines, which are held out by their hash."""
        if self.lines and self.held_out != type(self).model_fields["held_out"].default:
            raise ConfigError(
                f"{type(self).__name__}: 'held_out' must be left out with lines, which "
                f"are held out by their hash, got {self.held_out}. Give a validation "
                "text to choose the lines yourself."
            )
        return self


class ModelSettings(Settings):
    """What the network is made of.

    Attributes:
        cell: The class name of the cell and its hyperparameters.
        hidden_size: Units of each layer.
        num_layers: Layers upon each other.
        embedding_size: Width of the embedding, or ``None`` for ``hidden_size``.
        tied: Whether the output layer shares the embedding's weights.
        deep_output: Units of a tanh layer before the softmax; 0 for none.
        residual: Whether each layer's input is added to its output.
        transition_depth: Steps of the cell for each symbol.
        dropout: Probability of dropping a unit of the embedding, between layers and
            before the softmax; one mask for all steps of a chunk.
        recurrent_dropout: Probability of dropping a unit of the state where it is read.
        zoneout: Probability that a unit of the state keeps its old value.
        weight_drop: Probability of dropping a recurrent weight.
        hidden_clip: Bound on each element of the gradient by the state, or ``None``.
        spectral_bound: Largest spectral radius of the recurrent matrices, or ``None``.
        adaptive_cutoffs: First symbol of each cluster of an adaptive softmax, for large
            vocabularies; empty for the full softmax.
        backend: What runs the recurrence: ``auto``, ``reference``, ``vendor``, ``cpu``,
            ``scan``.
        vectors: A file of word vectors in word2vec's text format to start the
            embedding from, or ``None``.
    """

    cell: dict[str, Any] = Field(
        default_factory=lambda: {"name": "LSTM", "proj_size": 0}
    )
    hidden_size: int = Field(default=256, ge=1)
    num_layers: int = Field(default=1, ge=1)
    embedding_size: int | None = Field(default=None, ge=1)
    tied: bool = False
    deep_output: int = Field(default=0, ge=0)
    residual: bool = False
    transition_depth: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    recurrent_dropout: float = Field(default=0.0, ge=0, lt=1)
    zoneout: float = Field(default=0.0, ge=0, lt=1)
    weight_drop: float = Field(default=0.0, ge=0, lt=1)
    hidden_clip: float | None = Field(default=None, gt=0)
    spectral_bound: float | None = Field(default=None, gt=0)
    adaptive_cutoffs: tuple[int, ...] = ()
    backend: Literal["auto", "reference", "vendor", "cpu", "scan"] = "auto"
    vectors: str | None = None

    @field_validator("cell", mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        """Take ``GRU`` for ``{name: GRU}``."""
        return {"name": value} if isinstance(value, str) else value


class LanguageTraining(TrainSettings):
    """How the network is trained: the settings of every task, and these.

    Attributes:
        batch_size: Texts read side by side.
        bptt: Time steps of a chunk, through which gradients flow; or a pair (k1, k2):
            update every k1 steps, with gradients through k2 steps.
        random_bptt: Whether the length of each chunk is drawn anew, around ``bptt``.
    """

    batch_size: int = Field(default=32, ge=1)
    bptt: int | tuple[int, int] = 100
    random_bptt: bool = False

    @model_validator(mode="before")
    @classmethod
    def _read_bptt(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Turn ``bptt`` into the loop's k1 and k2."""
        if "k1" in values or "k2" in values:
            raise ConfigError(
                f"{cls.__name__}: k1 and k2 must be given as one, got them apart. "
                "Write bptt: [k1, k2]."
            )
        bptt = values.get("bptt", 100)
        pair = bptt if isinstance(bptt, list | tuple) else (bptt, bptt)
        if len(pair) != 2:
            raise ConfigError(
                f"{cls.__name__}: 'bptt' must be a number of steps or a pair (k1, k2), "
                f"got {bptt!r}. Write for instance 100, or [20, 60]."
            )
        return {**values, "k1": pair[0], "k2": pair[1]}


class RunSettings(Settings):
    """What the ``config.yaml`` of every run on texts holds.

    Attributes:
        recurro: The version that wrote them.
        data: What is read.
    """

    recurro: str = recurro.__version__
    data: DataSettings = DataSettings.model_validate({})

    def tree(self) -> Tree:
        """Plain values that give equal settings: ``type(settings)(**tree)``."""
        return self.model_dump(mode="json", exclude={"train": {"k1", "k2"}})

    def with_files(self, files: tuple[str, ...], valid: tuple[str, ...]) -> Self:
        """The same settings with the files that are read, for the record."""
        data = self.data.model_copy(update={"files": files, "valid": valid})
        return self.model_copy(update={"data": data})


class NGramSettings(RunSettings):
    """All settings of a run of n-grams.

    Attributes:
        task: ``ngram``.
        order: The longest n.
    """

    task: Literal["ngram"] = "ngram"
    order: int = Field(default=5, ge=1)


class LanguageSettings(RunSettings):
    """All settings of a run of a language model.

    Attributes:
        task: ``lm``, or ``by-class`` for a model of P(text | class).
        separate: Of ``by-class``, whether each class has a network of its own.
        ngrams: Of ``by-class``, whether the network is mixed with n-grams of the class.
        model: What the network is made of.
        train: How it is trained.

    Example:
        >>> settings = LanguageSettings(train={"bptt": [20, 60]})
        >>> settings.train.k1, settings.train.k2, settings.model.hidden_size
        (20, 60, 256)
    """

    task: Literal["lm", "by-class"] = "lm"
    separate: bool = False
    ngrams: bool = True
    model: ModelSettings = ModelSettings.model_validate({})
    train: LanguageTraining = LanguageTraining.model_validate({})

    def arguments(self, cell: Cell | None = None) -> Tree:
        """The arguments of ``LanguageModel``.

        Args:
            cell: The cell object, where it is none of ``recurro.cells``.

        Raises:
            ConfigError: If the cell is unknown, or not the one that is passed.
        """
        record = {"files", "valid", "by_class"}
        return {
            **self.data.model_dump(exclude=record),
            **self.model.model_dump(exclude={"cell"}),
            **self.train.model_dump(exclude={"k1", "k2"}),
            "cell": build_cell(self.model.cell, cell),
        }


SECTIONS: dict[str, type[Settings]] = {
    "data": DataSettings,
    "model": ModelSettings,
    "train": LanguageTraining,
}
"""The sections of ``config.yaml`` by name."""


def cell_tree(cell: Cell) -> Tree:
    """A cell as plain values: its class name and its hyperparameters.

    Args:
        cell: The cell; a hyperparameter may be a cell itself.

    Example:
        >>> cell_tree(cells.Zoneout(cells.GRU(), p=0.2))
        {'name': 'Zoneout', 'inner': {'name': 'GRU'}, 'p': 0.2}
    """
    values = {
        key: cell_tree(value) if isinstance(value, Cell) else value
        for key, value in cell.config().items()
    }
    return {"name": type(cell).__name__, **values}


def build_cell(tree: Mapping[str, Any], own: Cell | None = None) -> Cell:
    """The cell that ``cell_tree`` described.

    Only classes of ``recurro.cells`` are found by name: no code is run that a settings
    file names.

    Args:
        tree: Class name and hyperparameters.
        own: A cell of your own, where the tree describes one.

    Raises:
        ConfigError: If the class is none of ``recurro.cells`` and no such cell is
            passed, or if a hyperparameter is unknown or wrong.

    Example:
        >>> build_cell({"name": "Leaky", "leak_rate": 0.3})
        Leaky(leak_rate=0.3)
    """
    if own is not None:
        if cell_tree(own) != {**cell_tree(own), **tree}:
            raise ConfigError(
                f"cell: must be the one that was trained, {dict(tree)}, got {own!r}. "
                "Pass an equal cell."
            )
        return own
    name = tree.get("name")
    kind = getattr(cells, name, None) if name in cells.__all__ else None
    if not (isinstance(kind, type) and issubclass(kind, Cell) and kind is not Cell):
        known = [n for n in cells.__all__ if n[0].isupper() and n != "Cell"]
        raise ConfigError(
            f"cell: must be one of {', '.join(known)}, got {name!r}. Pass a cell of "
            "your own as an object: load(run, cell=...)."
        )
    fields = {field.name for field in dataclasses.fields(kind)}
    unknown = set(tree) - fields - {"name"}
    if unknown:
        raise ConfigError(
            f"cell: {name} has the settings {', '.join(sorted(fields)) or '(none)'}, "
            f"got {sorted(unknown)[0]!r}. Leave it out."
        )
    values = {
        key: build_cell(value) if isinstance(value, Mapping) else value
        for key, value in tree.items()
        if key != "name"
    }
    try:
        return kind(**values)
    except (ArgumentError, TypeError) as error:
        raise ConfigError(f"cell: {error}") from None
