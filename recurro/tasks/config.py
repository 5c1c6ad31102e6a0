"""The settings of a language model: every name, its meaning and its default.

A setting has one name everywhere: it is an argument of ``LanguageModel``, a key of
``config.yaml``, the last part of ``--set section.key=value`` and, if people change it
often, a flag of the command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

import recurro
from recurro import cells
from recurro.cells import Cell
from recurro.data.text import check_encoding
from recurro.errors import ArgumentError, ConfigError, SettingError
from recurro.train import Settings, TrainSettings

__all__ = [
    "SECTIONS",
    "CorpusSettings",
    "DataSettings",
    "LanguageSettings",
    "LanguageTraining",
    "ModelSettings",
    "NGramSettings",
    "RunSettings",
    "build_cell",
    "cell_tree",
    "steps_of",
]

Tree = dict[str, Any]

BYTES = 256
"""What byte pairs begin with."""


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
            there are symbols left out of the vocabulary, if the part held out has some
            that the training part lacks, or if they are words; it is an error
            otherwise.
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

    @field_validator("tokens")
    @classmethod
    def _name_symbols(cls, value: str) -> str:
        """Refuse what is no kind of symbols."""
        name, _, size = value.partition(":")
        pairs = name == "bpe" and size.isdecimal() and int(size) > BYTES
        if not pairs and value not in ("char", "byte", "word"):
            raise SettingError(
                cls.__name__,
                "tokens",
                f"must be char, byte, word, or bpe:N with N of at least {BYTES + 1}, "
                f"got {value!r}. Write for instance bpe:2000.",
            )
        return value

    @field_validator("encoding")
    @classmethod
    def _name_encoding(cls, value: str) -> str:
        """Refuse an encoding that Python does not know."""
        try:
            check_encoding(value)
        except ArgumentError:
            raise SettingError(
                cls.__name__,
                "encoding",
                f"must be a text encoding that Python knows, got {value!r}. Use for "
                "instance utf-8, latin-1 or utf-16.",
            ) from None
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Refuse what has no meaning for the symbols, or for lines."""
        if self.tokens == "byte" and self.min_count > 1:
            raise SettingError(
                type(self).__name__,
                "min_count",
                f"must be left out with bytes, of which there are always {BYTES}, got "
                f"{self.min_count}.",
            )
        fixed = self.tokens not in ("char", "word")
        for key, value in (("max_size", self.max_size), ("unknown", self.unknown)):
            if fixed and value is not None:
                raise SettingError(
                    type(self).__name__,
                    key,
                    f"must be left out with tokens {self.tokens}, which know every "
                    f"text, got {value!r}.",
                )
        if self.lines and self.held_out != type(self).model_fields["held_out"].default:
            raise SettingError(
                type(self).__name__,
                "held_out",
                f"must be left out with lines, which are held out by their hash, got "
                f"{self.held_out}. Give a validation text to choose them yourself.",
            )
        return self


class CorpusSettings(DataSettings):
    """What a language model reads: the settings of every text, and these.

    Attributes:
        syntax: What lines are checked against when a model has written some:
            ``smiles`` or ``none``. ``None`` is ``smiles`` for files named ``*.smi`` or
            ``*.smiles``.
    """

    syntax: Literal["smiles", "none"] | None = None

    @property
    def grammar(self) -> str | None:
        """What valid lines follow; ``None`` where nothing is known of it.

        Example:
            >>> CorpusSettings(lines=True, files=("qm9.smi",)).grammar
            'smiles'
        """
        if self.syntax is not None:
            return None if self.syntax == "none" else self.syntax
        endings = {Path(file).suffix for file in self.files}
        molecules = endings and endings <= {".smi", ".smiles"}
        return "smiles" if self.lines and molecules else None

    @model_validator(mode="after")
    def _of_lines(self) -> Self:
        """Refuse a syntax of running text."""
        if self.syntax not in (None, "none") and not self.lines:
            raise SettingError(
                type(self).__name__,
                "syntax",
                f"must be left out but for lines, which are checked one by one, got "
                f"{self.syntax!r} for running text. Say lines, too.",
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
        """Take ``GRU`` for ``{name: GRU}``; settings without a name are the LSTM's."""
        if isinstance(value, Mapping):
            return {"name": "LSTM", **value}
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
    def _read_bptt(cls, values: object) -> object:
        """Turn ``bptt`` into the loop's k1 and k2."""
        if not isinstance(values, dict):
            return values
        if "k1" in values or "k2" in values:
            raise SettingError(
                cls.__name__,
                "k1" if "k1" in values else "k2",
                "must be given as a part of bptt, got it apart. Write bptt: [k1, k2].",
            )
        bptt = values.get("bptt", 100)
        try:
            steps = steps_of(bptt)
        except ValueError:
            raise SettingError(
                cls.__name__,
                "bptt",
                "must be a number of steps, or two of which one divides the other, "
                f"got {bptt!r}. Write for instance 100, or 20,60.",
            ) from None
        k1, k2 = steps[0], steps[-1]
        return {**values, "bptt": (k1, k2) if steps[1:] else k1, "k1": k1, "k2": k2}


def steps_of(bptt: object) -> list[int]:
    """One number of steps, or two of which one divides the other.

    Args:
        bptt: A number, a pair, or either as a text.

    Raises:
        ValueError: If it is anything else.

    Example:
        >>> steps_of(100), steps_of("20,60")
        ([100], [20, 60])
    """
    parts = bptt.split(",") if isinstance(bptt, str) else bptt
    parts = parts if isinstance(parts, list | tuple) else [parts]
    texts = [str(part).strip() for part in parts]
    if len(texts) not in (1, 2) or not all(text.isdecimal() for text in texts):
        raise ValueError("no numbers of steps")
    steps = [int(text) for text in texts]
    if min(steps) < 1 or max(steps) % min(steps):
        raise ValueError("steps that do not fit each other")
    return steps


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
        data: What is read.
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
    data: CorpusSettings = CorpusSettings.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen, and a narrower kind)
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
    "data": CorpusSettings,
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
        Leaky(leak_rate=0.3, activation='tanh')
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
