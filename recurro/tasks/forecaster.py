"""Forecasts of one or many series by a recurrent network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from recurro.cells import GRU
from recurro.data import (
    SeriesTable,
    Window,
    next_times,
    season_length_of,
    windows,
)
from recurro.errors import ArgumentError
from recurro.nn import (
    ForecastNetwork,
    Head,
    NormalHead,
    QuantileHead,
    StudentTHead,
)
from recurro.tasks.comparison import Comparison
from recurro.tasks.estimator import NetworkEstimator
from recurro.tasks.forecast_config import (
    LEVELS,
    ForecastModel,
    ForecastSettings,
)
from recurro.tasks.forecast_figures import (
    baselines_told,
    forecast_figures,
    truth_of,
)
from recurro.tasks.forecast_reader import (
    TableReader,
    load_table_reader,
    prepared,
    to_batch,
)
from recurro.tasks.forecast_task import (
    ForecastTask,
    Part,
    Told,
    calibrate,
    draw,
    tell,
)
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.tables import (
    TableData,
    TableMaterial,
    as_table,
    read_material,
)
from recurro.train import Progress, RunFolder

__all__ = ["Forecaster"]

COMPARED = 200
"""Windows of the part held out at most that the network and its baselines are put side
by side on."""

_SHOWN = 3
"""Series at most whose last forecast is shown after training."""

_RISK = 0.05
"""The share of returns that a value at risk is passed by."""

_BEGUN = 4096
"""Training windows at most that a head learns its place and scale from."""


class Forecaster(
    NetworkEstimator,
    without=("bidirectional", "embedding_size"),
    defaults={"cell": GRU()},
):
    """A recurrent model of what comes next in one or many series.

        y_{t+1..t+F} = A y_{t-H+1..t} + a + e,   e ~ head(h_t, known_{t+1..t+F})

    with h_t of a recurrence over the last H steps; all F steps at once. Each series is
    scaled by its training part, and its last value subtracted; see ``ForecastNetwork``.

    The arguments are those of ``recurro.tasks.forecast_config``: ``ForecastData``,
    ``ForecastModel`` and ``ForecastTraining`` say what each means.

    Data are a ``SeriesTable``, or a CSV, TSV, JSONL or Parquet file whose columns
    ``time``, ``target`` and so on name; or arrays without stamps: ``(time,)`` or
    ``(time, targets)``, and a list or a dictionary of these for several series.

    Attributes:
        network_: The trained ``ForecastNetwork``.
        reader_: Means, deviations and last stamps of the training.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        season_length_: Steps in a season.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.
        shown_: The last forecasts of the part held out, of three series at most, as
            `backtest` gives them; after training alone, and if something was held out.

    Example:
        >>> wave = np.sin(np.arange(400) / 4)
        >>> model = Forecaster(horizon=4, history=16, hidden_size=8, epochs=3)
        >>> model = model.fit(wave)
        >>> found = model.predict(wave)["mean"].to_numpy()
        >>> bool(np.abs(found - np.sin(np.arange(400, 404) / 4)).max() < 0.3)
        True

    References:
        Wen et al. (2017), arXiv 1711.11053, section 3; Zeng et al. (2022), arXiv
        2205.13504, section 4.
    """

    task: ClassVar[str] = "forecast"
    kind: ClassVar[type[TaskSettings]] = ForecastSettings

    # Learning.

    def fit(
        self,
        X: TableData,
        y: None = None,
        *,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from series.

        Args:
            X: The series; the last ``held_out`` of each is what choices (the best
                epoch) are made on, and no scale is learnt from it.
            y: Nothing; the targets are in the series.
            progress: Shown how training goes.

        Raises:
            DataError: If the series cannot be used; file, row and column, or series and
                step, are named.
            ConfigError: If an argument is wrong.
            RunError: If ``out`` holds another run or cannot be written.
            DivergenceError: If training explodes and does not come back.
        """
        settings = self.settings
        raw = as_table(X, settings.data, until=settings.data.until)
        table = prepared(raw, settings.data)
        material = TableMaterial(table, isinstance(X, SeriesTable | str | Path))
        season = self._season(table)
        reader = TableReader.learn(
            table, 1 - settings.data.held_out, season, ends=material.stamped
        )
        return self._fit(settings, reader, material, progress)

    def _season(self, table: SeriesTable) -> int:
        given = self.settings.data.season_length
        self.season_length_ = given or season_length_of(table.series[0].times)
        return self.season_length_

    def _assemble(
        self, settings: ForecastSettings, reader: TableReader
    ) -> ForecastNetwork:
        data, model = settings.data, settings.model
        targets, known = len(reader.targets), len(reader.known)
        still = len(reader.static) + (targets if model.level else 0)
        width = targets + len(reader.past) + still + known
        recurrent = self._recurrent(width, settings)
        head = _head(recurrent.output_size, model, (data.horizon, targets))
        return ForecastNetwork(
            *(recurrent, head, data.steps, data.horizon),
            targets=targets,
            known=known,
            dropout=model.dropout,
            linear=model.linear,
        )

    def _part(
        self,
        table: SeriesTable,
        reader: TableReader,
        start: float,
        stop: float,
        stride: int = 1,
    ) -> Part:
        """The windows of a part of a prepared table."""
        found = self._windows(table, start, stop, stride)
        return Part(reader(table), found, reader.scaler(table, _first(found)))

    def _windows(
        self, table: SeriesTable, start: float, stop: float, stride: int
    ) -> list[Window]:
        """The windows of a part, of which each series has one."""
        data, cuts = self.settings.data, {"start": start, "stop": stop}
        return windows(
            table, data.steps, data.horizon, **cuts, stride=stride, every=True
        )

    def _start(
        self, network: ForecastNetwork, reader: TableReader, material: TableMaterial
    ) -> None:
        data = self.settings.data
        learnt = self._part(material.table, reader, 0, 1 - data.held_out, data.stride)
        few = learnt.some(_BEGUN)
        batch, _ = to_batch(few.table, few.windows, few.scaler, data)
        network.start(batch)

    def _task(
        self,
        network: ForecastNetwork,
        reader: TableReader,
        settings: ForecastSettings,
        material: TableMaterial,
    ) -> ForecastTask:
        data, table = settings.data, material.table
        share = 1 - data.held_out
        learnt = self._part(table, reader, 0, share, data.stride)
        chosen = self._part(table, reader, share, 1) if data.held_out else None
        return ForecastTask(network, learnt, chosen, settings)

    def _compare(self, task: ForecastTask, material: TableMaterial) -> Comparison:
        network, settings = task.network, task.settings
        assert isinstance(network, ForecastNetwork)
        calibrate(network, task.valid or task.train, settings)
        if task.valid is None:
            return []
        part, share = task.valid.some(COMPARED), 1 - settings.data.held_out
        told = baselines_told(part, settings, share, self._season(material.table))
        told["network"] = tell(network, part, settings, LEVELS)
        last = {w.series: w for w in task.valid.windows}
        shown = [last[number] for number in sorted(last)[:_SHOWN]]
        few = Part(part.table, shown, part.scaler)
        self.shown_ = self._frame(material.table, few, (0.05, 0.5, 0.95), truth=True)
        return self._rows(told, part)

    def _rows(self, told: dict[str, Told], part: Part) -> Comparison:
        return [
            {"name": name, **self._figures(found, part)} for name, found in told.items()
        ]

    def _figures(self, told: Told, part: Part) -> dict[str, float]:
        returns = self.settings.data.returns
        return forecast_figures(told, part, self.reader_.scales, returns=returns)

    def _load_reader(self, run: RunFolder, settings: ForecastSettings) -> TableReader:
        return load_table_reader(run)

    def _load_material(self, run: RunFolder) -> TableMaterial:
        return read_material(run)

    # Forecasting.

    def read(self, path: str | Path) -> SeriesTable:
        """The table of a file, by the columns that the arguments name.

        Args:
            path: A CSV, TSV, JSONL or Parquet file.

        Raises:
            DataError: If it cannot be read; row and column are named.
            ConfigError: If no column is named for stamps or targets.
        """
        return as_table(path, self.settings.data)

    def predict(
        self, X: TableData, *, levels: Iterable[float] = (0.05, 0.5, 0.95)
    ) -> pl.DataFrame:
        """What comes behind the end of each series.

        Args:
            X: The series, each with a whole history. Covariates known ahead must reach
                to the horizon.
            levels: Levels of quantiles that are told too, in (0, 1).

        Returns:
            A row for each series, step and target: ``id`` (of several), ``time``,
            ``target`` (of several), ``mean`` (of a head of quantiles the median), and
            ``q0.05`` and so on; of returns also ``volatility``, one standard
            deviation, and ``value_at_risk``, the loss that is passed in one of twenty
            cases.

        Raises:
            DataError: If the series cannot be used.
        """
        table, part = self._at_the_end(X)
        return self._frame(table, part, levels)

    def sample(self, X: TableData, count: int = 100, *, seed: int = 0) -> np.ndarray:
        """Draw paths of what comes behind the end of each series.

        Steps and targets of a path belong together; see ``ForecastNetwork.sample``.

        Args:
            X: As in `predict`.
            count: Paths of each series, at least 1.
            seed: Equal seeds give equal paths.

        Returns:
            Paths ``(count, series, horizon, targets)``.

        Raises:
            DataError: If the series cannot be used.
        """
        _, part = self._at_the_end(X)
        return draw(self._fitted(), part, self.settings, count, seed)

    def backtest(
        self,
        X: TableData,
        *,
        stride: int | None = None,
        levels: Iterable[float] = (0.05, 0.5, 0.95),
        seen: bool = False,
    ) -> pl.DataFrame:
        """Forecast from rolling origins, with what came beside it.

        Args:
            X: The series.
            stride: Steps from origin to origin; ``None`` for a horizon.
            levels: As in `predict`.
            seen: As in `evaluate`.

        Returns:
            The table of `predict` with ``origin``, the stamp of the last step that was
            read, and ``truth``.

        Raises:
            DataError: If the series cannot be used.
        """
        table, part = self._scored(X, stride or self.settings.data.horizon, seen)
        return self._frame(table, part, levels, truth=True)

    def evaluate(
        self, X: TableData, *, stride: int = 1, seen: bool = False
    ) -> dict[str, float]:
        """The figures of forecasts from rolling origins; see ``forecast_figures``.

        Args:
            X: The series. What was seen in training, by id and stamp, is read but not
                scored; arrays have no stamps, so that all of them is scored.
            stride: Steps from origin to origin, at least 1.
            seen: Whether what was seen in training is scored too.

        Raises:
            DataError: If the series cannot be used, or nothing of them is new.
        """
        _, part = self._scored(X, stride, seen)
        told = tell(self._fitted(), part, self.settings, LEVELS)
        return self._figures(told, part)

    def compare(
        self, X: TableData, *, stride: int = 1, seen: bool = False
    ) -> Comparison:
        """The figures of `evaluate`, those of the baselines before them.

        Each baseline learns from the steps before the first forecast, and reads on up
        to each origin.

        Args:
            X: As in `evaluate`.
            stride: Steps from origin to origin, at least 1.
            seen: As in `evaluate`.

        Returns:
            One row per model: ``name`` and its figures, the network last.

        Raises:
            DataError: If the series cannot be used, or nothing of them is new.
        """
        table, part = self._scored(X, stride, seen)
        told = baselines_told(part, self.settings, 1.0, self._season(table))
        told["network"] = tell(self._fitted(), part, self.settings, LEVELS)
        return self._rows(told, part)

    def score(self, X: TableData, y: None = None) -> float:
        """Minus the mean squared error of `evaluate`: the higher, the better."""
        return -self.evaluate(X)["mse"]

    def _table(self, X: TableData) -> SeriesTable:
        self._fitted()
        data = self.settings.data
        return prepared(as_table(X, data), data)

    def _at_the_end(self, X: TableData) -> tuple[SeriesTable, Part]:
        table = self._table(X)
        ends = [Window(n, len(series)) for n, series in enumerate(table.series)]
        scaler = self.reader_.scaler(table, {})
        return table, Part(self.reader_(table), ends, scaler)

    def _scored(
        self, X: TableData, stride: int, seen: bool
    ) -> tuple[SeriesTable, Part]:
        """The windows of a table that are scored."""
        table = self._table(X)
        found = self._windows(table, 0, 1, 1)
        if not seen and isinstance(X, SeriesTable | str | Path):
            found = self.reader_.new(table, found)
        first = _first(found)
        found = [w for w in found if (w.origin - first[w.series]) % stride == 0]
        return table, Part(
            self.reader_(table), found, self.reader_.scaler(table, first)
        )

    def _frame(
        self,
        table: SeriesTable,
        part: Part,
        levels: Iterable[float],
        *,
        truth: bool = False,
    ) -> pl.DataFrame:
        """Forecasts as a table, a row for each window, step and target."""
        asked, returns = list(levels), self.settings.data.returns
        if not all(0 < level < 1 for level in asked):
            raise ArgumentError(
                f"Forecaster: levels must be in (0, 1), got {asked}. Use 0.5 for the "
                "median."
            )
        told = tell(self._fitted(), part, self.settings, [*asked, _RISK])
        _, horizon, targets = told.mean.shape
        series = [table.series[w.series] for w in part.windows]
        origins = [window.origin for window in part.windows]
        pairs = list(zip(series, origins, strict=True))
        columns: dict[str, Any] = {}
        if len(table.series) > 1:
            columns["id"] = np.repeat([one.name for one in series], horizon * targets)
        if truth:
            last = np.array([one.times[origin - 1] for one, origin in pairs])
            columns["origin"] = np.repeat(last, horizon * targets)
        ahead = [_stamps(one.times, origin, horizon) for one, origin in pairs]
        columns["time"] = np.repeat(np.concatenate(ahead), targets)
        if targets > 1:
            columns["target"] = np.tile(table.targets, len(series) * horizon)
        if truth:
            columns["truth"] = truth_of(part, horizon).ravel()
        columns["mean"] = told.mean.ravel()
        for level, values in zip(asked, told.quantiles, strict=False):
            columns[f"q{level:g}"] = values.ravel()
        if returns:
            columns["volatility"] = told.spread.ravel()
            columns["value_at_risk"] = -told.quantiles[-1].ravel()
        return pl.DataFrame(columns)


def _stamps(times: np.ndarray, origin: int, horizon: int) -> np.ndarray:
    """The stamps of a window's horizon."""
    there = times[origin : origin + horizon]
    if len(there) == horizon:
        return there
    return np.concatenate([there, next_times(times, horizon - len(there))])


def _first(found: Iterable[Window]) -> dict[int, int]:
    """The first origin of each series."""
    first: dict[int, int] = {}
    for window in found:
        first.setdefault(window.series, window.origin)
    return first


def _head(features: int, model: ForecastModel, shape: tuple[int, int]) -> Head:
    """The head of a forecast, by its word."""
    if model.head == "quantile":
        return QuantileHead(features, model.levels, shape=shape)
    if model.head == "student-t":
        return StudentTHead(features, shape=shape)
    return NormalHead(features, spread=model.head == "normal", shape=shape)
