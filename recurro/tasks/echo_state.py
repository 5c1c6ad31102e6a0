"""Echo state networks as a person trains them: from a file, in a run folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from recurro.baselines import Naive, backtest
from recurro.baselines.autoregression import AutoRegression
from recurro.baselines.forecast import Forecaster
from recurro.data import read_table
from recurro.data.ts import read_ts
from recurro.errors import ArgumentError, DataError
from recurro.reservoir import (
    EchoStateNetwork,
    pack_network,
    search,
    unpack_network,
)
from recurro.reservoir.targets import nrmse
from recurro.tasks.runs import begin_folder, draft_folder, open_run
from recurro.train import RunFolder

__all__ = ["EchoStateRun"]

TASK = "esn"
NEAR = 1.02
"""How far from the best an error may be that a larger ridge may buy."""

LAGS = 24
"""Steps that the autoregression beside the network reads, where there are as many."""


@dataclass(eq=False)
class EchoStateRun:
    r"""A network that tells the next step of a table, or the class of series.

    Attributes:
        network: The network; with ``classify`` it learns from ``.ts`` files.
        columns: The columns of a table; all that hold numbers if not given.
        encoding: The encoding of a table.
        grid: Settings that are chosen on the end of what is learnt; see ``search``.
        mean: Means of the channels in training, taken off.
        scale: Their standard deviations.
        baselines: Figures of the part held out, of all models, the network last.
        run: The run folder, if there is one.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "wave.csv")
        >>> rows = [f"{np.sin(0.3 * t):.6f}" for t in range(400)]
        >>> _ = file.write_text("\n".join(["y", *rows]))
        >>> model = EchoStateRun(EchoStateNetwork(50, washout=20, random_state=0))
        >>> model.fit(file).baselines[-1]["nrmse"] < 0.01
        True
    """

    network: EchoStateNetwork
    columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    grid: Mapping[str, Sequence[float]] | None = None
    mean: np.ndarray = field(default_factory=lambda: np.zeros(0))
    scale: np.ndarray = field(default_factory=lambda: np.ones(0))
    baselines: list[dict[str, Any]] = field(default_factory=list)
    run: RunFolder | None = None

    def fit(
        self,
        file: Path,
        *,
        held_out: float = 0.2,
        out: Path | None = None,
        overwrite: bool = False,
        progress: Any = None,  # noqa: ANN401 (as in EchoStateNetwork.fit)
    ) -> Self:
        """Learn from the first part of a table, or most series of a ``.ts`` file.

        Args:
            file: The file.
            held_out: Share that is scored and not learnt: the end of a table, or
                evenly spaced series of a file.
            out: The run folder to be made.
            overwrite: Whether it may replace a run.
            progress: As in ``EchoStateNetwork.fit``.

        Raises:
            DataError: If the file cannot be used.
            RunError: If ``out`` holds another run or cannot be written.
        """
        if not 0 < held_out < 1:
            raise ArgumentError(f"esn: held_out must be in (0, 1), got {held_out}.")
        if out is not None:
            RunFolder.check_free(out, overwrite=overwrite)
        learn = self._fit_classes if self.network.classify else self._fit_table
        learn(file, held_out, progress)
        if out is not None:
            self._write(out, file, overwrite)
        return self

    def _fit_table(self, file: Path, held_out: float, progress: Any) -> None:  # noqa: ANN401
        series = self._table(file)
        cut = round(len(series) * (1 - held_out))
        least = self.network.washout + 2
        if cut < least or cut >= len(series):
            raise DataError(
                f"esn: '{file}' must have more than {least} rows to learn from and one "
                f"to score, got {len(series)} with held_out={held_out}."
            )
        self.mean, self.scale = _moments(series[:cut])
        scaled = self._scaled(series)
        inputs = None if self.network.feedback else scaled[: cut - 1]
        self._learn(inputs, scaled[1:cut], progress)
        truth = series[cut:]
        rivals: dict[str, Forecaster] = {"naive": Naive()}
        if cut > 2 * LAGS:
            rivals["autoregression"] = AutoRegression(LAGS)
        self.baselines = [
            {
                "name": name,
                "nrmse": nrmse(
                    truth, backtest(m, series, horizon=1, first=cut)[0][:, 0]
                ),
            }
            for name, m in rivals.items()
        ]
        told = self._next(series)[cut - 1 : -1]
        self.baselines.append({"name": "network", "nrmse": nrmse(truth, told)})

    def _fit_classes(self, file: Path, held_out: float, progress: Any) -> None:  # noqa: ANN401
        items, labels = self._labelled(file)
        kept = np.floor(np.arange(1, len(items) + 1) * held_out) > np.floor(
            np.arange(len(items)) * held_out
        )
        if kept.all() or not kept.any():
            raise DataError(
                f"esn: '{file}' must have series to learn from and to score, got "
                f"{len(items)} with held_out={held_out}."
            )
        learn, score = (np.flatnonzero(rows) for rows in (~kept, kept))
        self.mean, self.scale = _moments(np.concatenate([items[r] for r in learn]))
        scaled = [self._scaled(item) for item in items]
        self._learn([scaled[r] for r in learn], labels[learn].tolist(), progress)
        names, counts = np.unique(labels[learn], return_counts=True)
        usual = float((labels[score] == names[counts.argmax()]).mean())
        right = self.network.score([scaled[r] for r in score], labels[score].tolist())
        self.baselines = [
            {"name": "most frequent", "accuracy": usual},
            {"name": "network", "accuracy": right},
        ]

    def _learn(self, X: Any, Y: Any, progress: Any) -> None:  # noqa: ANN401
        """Fit the network, or of some about the best: that of the largest ridge."""
        if self.grid is not None:
            table = search(self.network, X, Y, self.grid, progress=progress).table
            good = [t for t in table if t.error <= NEAR * table[0].error]
            self.network.set_params(**max(good, key=lambda t: t.ridge).settings)
        self.network.fit(X, Y, progress=progress)

    def evaluate(self, file: Path) -> dict[str, float]:
        """Score a file: ``nrmse`` of the next steps, or ``accuracy``.

        Raises:
            DataError: If the file cannot be used.
        """
        if self.network.classify:
            items, labels = self._labelled(file)
            scaled = [self._scaled(item) for item in items]
            return self.network.evaluate(scaled, labels.tolist())
        series = self._table(file)
        first = self.network.washout + 1
        if len(series) <= first:
            raise DataError(
                f"esn: '{file}' must have more than {first} rows, got {len(series)}."
            )
        return {"nrmse": nrmse(series[first:], self._next(series)[first - 1 : -1])}

    def predict(self, file: Path) -> list[dict[str, Any]]:
        """What comes after each row of a table, or the class of each series.

        Raises:
            DataError: If the file cannot be used.
        """
        if self.network.classify:
            items = [self._scaled(item) for item in self._items(file)]
            return [{"class": str(label)} for label in self.network.predict(items)]
        return self._rows(self._next(self._table(file)))

    def generate(self, steps: int, file: Path) -> list[dict[str, Any]]:
        """What comes after the end of a table, each step told from those before.

        Raises:
            ArgumentError: If the network tells classes.
            DataError: If the file cannot be used.
        """
        if self.network.classify:
            raise ArgumentError(
                "generate: RUN must tell the next step of a table, got one of classes. "
                "Ask it with 'recurro predict'."
            )
        past = self._scaled(self._table(file))
        return self._rows(self.network.generate(steps, past) * self.scale + self.mean)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a trained network from its run folder.

        Raises:
            RunError: If it is no run of this task, was changed, or is of a newer
                version.
        """
        run, tree = open_run(path, TASK)
        learnt: Any = run.read_json("network.json")
        arrays = {name: t.numpy() for name, t in run.read_weights().items()}
        mean, scale = arrays.pop("mean"), arrays.pop("scale")
        rows: Any = run.read_json("baselines.json")
        data = tree["data"]
        return cls(
            unpack_network(learnt, arrays),
            *(tuple(data["columns"]), data["encoding"], None, mean, scale, rows, run),
        )

    def _write(self, out: Path, file: Path, overwrite: bool) -> None:
        values, arrays = pack_network(self.network)
        data = {"file": str(file), "columns": list(self.columns)}
        config = {
            "task": TASK,
            "data": {**data, "encoding": self.encoding},
            "model": values["parameters"],
        }
        sealed = {"network.json": json.dumps(values, indent=1)}
        with draft_folder(out, overwrite=overwrite) as draft:
            assert draft is not None
            self.run = begin_folder(out, draft, config, sealed, overwrite=overwrite)
        arrays |= {"mean": self.mean, "scale": self.scale}
        self.run.write_weights(
            {n: torch.from_numpy(np.ascontiguousarray(a)) for n, a in arrays.items()}
        )
        self.run.write_json("baselines.json", self.baselines)

    def _next(self, series: np.ndarray) -> np.ndarray:
        """What comes after each step of a series."""
        scaled = self._scaled(series)
        if not self.network.feedback:
            return self.network.predict(scaled) * self.scale + self.mean
        again = np.concatenate([scaled, scaled[-1:]])  # what is fed back comes late
        told = self.network.predict(None, teacher=again)[1:]
        return told * self.scale + self.mean

    def _scaled(self, series: np.ndarray) -> np.ndarray:
        if series.shape[1] != len(self.mean):
            raise DataError(
                f"esn: series must have {len(self.mean)} channels as in training, got "
                f"{series.shape[1]}."
            )
        return (series - self.mean) / self.scale

    def _rows(self, told: np.ndarray) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in told.tolist()]

    def _table(self, file: Path) -> np.ndarray:
        """The columns of a table ``(rows, columns)``, every number of them there."""
        if file.suffix == ".ts":
            raise DataError(
                f"esn: '{file}' must be a table to tell its next steps, got series "
                "with classes. Name how they are told: --classify last."
            )
        table = read_table(file, encoding=self.encoding)
        if not self.columns:
            self.columns = tuple(n for n, c in table.columns.items() if _is_numbers(c))
        if not self.columns:
            raise DataError(f"esn: '{file}' must have a column of numbers, got none.")
        series = np.stack([table.numbers(name) for name in self.columns], 1)
        gaps = np.argwhere(~np.isfinite(series))
        if len(gaps):
            row, column = gaps[0].tolist()
            raise table.fault(
                row, self.columns[column], "must be a number, got none", "Fill it in."
            )
        return series.astype(np.float64)

    def _items(self, file: Path) -> list[np.ndarray]:
        return [item.astype(np.float64) for item in read_ts(file).items]

    def _labelled(self, file: Path) -> tuple[list[np.ndarray], np.ndarray]:
        labels = read_ts(file).labels
        if labels is None:
            raise DataError(f"esn: '{file}' must name the class of each series.")
        return self._items(file), np.asarray(labels)


def _is_numbers(cells: Sequence[Any]) -> bool:
    """Whether the first cell is a number, so that all must be."""
    try:
        float(cells[0])
    except (TypeError, ValueError):
        return False
    return True


def _moments(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations; 1 for what does not change."""
    scale = series.std(0)
    return series.mean(0), np.where(scale > 0, scale, 1.0)
