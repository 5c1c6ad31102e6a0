"""A hidden Markov model as a person trains it: from files, in a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch

import recurro
from recurro.baselines import HiddenMarkovModel
from recurro.data import Roles, Tokenizer, is_test, read_lines, read_steps, read_text
from recurro.data.files import BROKEN_ARRAYS
from recurro.errors import DataError, RunError
from recurro.tasks.runs import VOCABULARY, begin_folder, draft_folder, open_run
from recurro.train import RunFolder, Settings

__all__ = ["HMMData", "HMMRun", "Observed"]

ARRAYS = (".npy", ".npz")
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")


class HMMData(Settings):
    """What is read.

    Attributes:
        files: Where the model was learnt from; for the record.
        kind: ``symbols`` of texts, ``arrays``, or ``tables`` of series.
        tokens: Of texts: ``char``, ``byte``, ``word`` or ``bpe:N``.
        lines: Of texts: whether each line is a sequence of its own.
        encoding: Of texts and tables.
        id, time, features: Of tables: the columns of ``recurro.data.Roles``.
    """

    files: tuple[str, ...] = ()
    kind: Literal["symbols", "arrays", "tables"] = "symbols"
    tokens: str = "char"
    lines: bool = False
    encoding: str = "utf-8"
    id: str | None = None
    time: str | None = None
    features: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Observed:
    """Sequences that were read.

    Attributes:
        items: The observations of each: symbols ``(time,)`` or ``(time, features)``.
        names: What each is called.
    """

    items: list[np.ndarray]
    names: list[str]

    @property
    def lengths(self) -> list[int]:
        """Steps of each."""
        return [len(item) for item in self.items]

    @property
    def X(self) -> np.ndarray:
        """All of them, end to end."""
        return np.concatenate(self.items)

    def split(self) -> tuple[Observed, Observed]:
        """What to learn from, and a tenth that is held out.

        Of one sequence that is its end; of several those whose name's hash says so.
        """
        if len(self.items) == 1:
            [item], [name] = self.items, self.names
            cut = len(item) - len(item) // 10
            return Observed([item[:cut]], [name]), Observed([item[cut:]], [name])
        held = [is_test(name) for name in self.names]
        if all(held) or not any(held):
            held = [number % 10 == 9 for number in range(len(held))]
        parts: list[Observed] = []
        for part in (False, True):
            chosen = [i for i, own in enumerate(held) if own == part]
            parts.append(
                Observed(
                    [self.items[i] for i in chosen], [self.names[i] for i in chosen]
                )
            )
        return parts[0], parts[1]


@dataclass
class HMMRun:
    """A model with what is needed to read files for it.

    Attributes:
        model: The model.
        data: How files are read.
        tokenizer: The symbols of texts; ``None`` for numbers.
        rows: The figures on the part held out, of the model without memory (one
            state) and of the model; empty if nothing could be held out.
    """

    model: HiddenMarkovModel
    data: HMMData
    tokenizer: Tokenizer | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def train(
        cls,
        model: HiddenMarkovModel,
        files: Sequence[Path],
        data: HMMData,
        out: Path,
        *,
        overwrite: bool = False,
        watch: Any = None,  # noqa: ANN401 (as ``HiddenMarkovModel.fit``)
    ) -> Self:
        """Learn from files, score the part held out, and write a run folder.

        Args:
            model: Not fitted yet.
            files: What to learn from.
            data: How they are read.
            out: The run folder.
            overwrite: Whether a run that is there may be deleted.
            watch: Told of each iteration.

        Raises:
            DataError: If the files cannot be read or learnt from.
            RunError: If the folder holds another run, or cannot be written.
        """
        RunFolder.check_free(out, overwrite=overwrite)
        data = data.model_copy(update={"files": tuple(map(str, files))})
        run = cls(model, data)
        train, held = run.read(files, learn=True).split()
        if not sum(train.lengths):
            raise DataError("hmm: there must be a step to learn from, got none.")
        if run.tokenizer is not None:
            model.set_params(n_features=run.tokenizer.size)
        model.fit(train.X, train.lengths, watch=watch)
        if sum(held.lengths):
            alone = HiddenMarkovModel(**{**model.get_params(), "n_states": 1})
            alone.fit(train.X, train.lengths)
            run.rows = [
                {"name": name, **_figures(one, held)}
                for name, one in (("without memory", alone), ("hidden Markov", model))
            ]
        run._save(out, overwrite=overwrite)
        return run

    def read(self, files: Sequence[Path], *, learn: bool = False) -> Observed:
        """The sequences of files; with ``learn``, of texts the symbols first."""
        if self.data.kind == "symbols":
            return self._read_texts(files, learn=learn)
        read = _read_array if self.data.kind == "arrays" else self._read_table
        parts = [read(Path(file)) for file in files]
        return Observed(
            [item for part in parts for item in part.items],
            [name for part in parts for name in part.names],
        )

    def evaluate(self, files: Sequence[Path]) -> dict[str, float]:
        """The log-likelihood of files, in nats, in all and for each step."""
        return _figures(self.model, self.read(files))

    def answers(self, file: Path) -> list[dict[str, Any]]:
        """The likeliest states of a file, with the probability of each at its step."""
        seen = self.read([file])
        probs = self.model.predict_proba(seen.X, seen.lengths)
        states = self.model.predict(seen.X, seen.lengths)
        ends = list(accumulate(seen.lengths))
        return [
            {
                "sequence": name,
                "step": step,
                "state": int(states[end - time + step]),
                "probability": float(
                    probs[end - time + step, states[end - time + step]]
                ),
            }
            for name, time, end in zip(seen.names, seen.lengths, ends, strict=True)
            for step in range(time)
        ]

    def generate(self, length: int, seed: int | None = None) -> str:
        """A sequence that is drawn: a text, or a line of numbers for each step."""
        X, _ = self.model.sample(length, seed=seed)
        if self.tokenizer is not None:
            return self.tokenizer.decode(X[:, 0])
        return "\n".join("\t".join(f"{value:g}" for value in row) for row in X)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a trained model from its run folder.

        Raises:
            RunError: If it is no run of a hidden Markov model, or was changed.
        """
        folder, tree = open_run(path, "hmm")
        model = HiddenMarkovModel(**tree["model"])
        for name, value in folder.read_weights().items():
            setattr(model, name, value.numpy())
        data = HMMData(**tree["data"])
        tokenizer = None
        if data.kind == "symbols":
            tokenizer = Tokenizer.load(folder.path / VOCABULARY)
        rows: Any = folder.read_json("figures.json")
        if not isinstance(rows, list):
            raise RunError(
                f"{folder.path / 'figures.json'}: must list figures, got something "
                "else. Put it back from a copy."
            )
        return cls(model, data, tokenizer, rows)

    def _save(self, out: Path, *, overwrite: bool) -> None:
        tree = {
            "task": "hmm",
            "recurro": recurro.__version__,
            "model": self.model.get_params(),
            "data": self.data.model_dump(mode="json"),
        }
        files = {VOCABULARY: self.tokenizer.to_json()} if self.tokenizer else {}
        with draft_folder(out, overwrite=overwrite) as draft:
            assert draft is not None
            folder = begin_folder(out, draft, tree, files, overwrite=overwrite)
        names = ("startprob_", "transmat_", "emissionprob_", "means_", "covars_")
        learnt = {
            name: torch.from_numpy(np.ascontiguousarray(getattr(self.model, name)))
            for name in (*names, "lambdas_")
            if hasattr(self.model, name)
        }
        folder.write_weights(learnt)
        folder.write_json("figures.json", self.rows)
        for step, value in enumerate(self.model.monitor_.history):
            folder.log({"kind": "iteration", "step": step, "log_likelihood": value})

    def _read_texts(self, files: Sequence[Path], *, learn: bool) -> Observed:
        encoding = self.data.encoding
        if self.data.lines:
            texts = list(read_lines(list(files), encoding=encoding))
            names = texts
        else:
            texts = ["".join(read_text(file, encoding=encoding)) for file in files]
            names = [str(file) for file in files]
        if learn:
            self.tokenizer = Tokenizer.fit(texts, self.data.tokens)
        assert self.tokenizer is not None
        return Observed([self.tokenizer.encode(text) for text in texts], names)

    def _read_table(self, file: Path) -> Observed:
        data = self.data
        roles = Roles(id=data.id, time=data.time, features=tuple(data.features))
        found = read_steps(file, roles, encoding=data.encoding, labelled=False)
        items = [series.values.astype(np.float64) for series in found]
        for series, item in zip(found, items, strict=True):
            if (gap := ~np.isfinite(item)).any():
                row, column = np.argwhere(gap)[0]
                raise series.table.fault(
                    *(series.rows[row], series.features[column]),
                    "must be a number, got none",
                    "Fill it in, or leave the row out.",
                )
        return Observed(items, [series.name or str(file) for series in found])


def kind_of(files: Sequence[Path]) -> Literal["symbols", "arrays", "tables"]:
    """What files hold, by how their names end."""
    endings = {Path(file).suffix.lower() for file in files}
    if endings & {*ARRAYS, *TABLES} and len(endings) > 1:
        raise DataError(
            f"hmm: the files must be of one kind, got {', '.join(sorted(endings))}. "
            "Name texts, tables or arrays alone."
        )
    if endings <= set(ARRAYS):
        return "arrays"
    return "tables" if endings <= set(TABLES) else "symbols"


def _read_array(file: Path) -> Observed:
    """The array of a .npy file, or X and lengths of a .npz file."""
    try:
        held = np.load(file, allow_pickle=False)
        if file.suffix.lower() == ".npy":
            X, lengths = held, None
        else:
            with held:
                X = held["X"]
                lengths = held["lengths"] if "lengths" in held.files else None
    except FileNotFoundError:
        raise DataError(f"read: no file '{file}'. Check the path.") from None
    except BROKEN_ARRAYS:
        raise DataError(
            f"read: '{file}' must hold an array (.npy), or X and lengths (.npz), got "
            "something else. Write it with numpy.save or numpy.savez."
        ) from None
    if X.ndim not in (1, 2):
        raise DataError(
            f"read: X of '{file}' must be (steps,) or (steps, features), got {X.shape}."
        )
    lengths = np.array([len(X)]) if lengths is None else lengths
    if lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != len(X):
        raise DataError(
            f"read: lengths of '{file}' must be at least 0 and add up to its {len(X)} "
            f"rows, got a sum of {lengths.sum()}."
        )
    items = np.split(X, np.cumsum(lengths)[:-1])
    return Observed(items, [f"{file}:{number}" for number in range(len(items))])


def _figures(model: HiddenMarkovModel, seen: Observed) -> dict[str, float]:
    steps = sum(seen.lengths)
    if not steps:
        raise DataError("hmm: there must be a step to score, got none.")
    total = model.score(seen.X, seen.lengths)
    return {
        "log_likelihood": total,
        "nats_per_step": -total / steps,
        "steps": steps,
        "sequences": len(seen.items),
    }
