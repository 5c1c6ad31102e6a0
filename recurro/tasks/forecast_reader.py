"""From tables of series to what a forecaster reads, all of it learnt in training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from recurro.data import (
    Cut,
    Series,
    SeriesScaler,
    SeriesTable,
    Window,
    cut_windows,
    log_returns,
    with_calendar,
)
from recurro.errors import DataError, RunError
from recurro.tasks.forecast_config import ForecastData
from recurro.train import RunFolder
from recurro.types import Batch

__all__ = ["SCALER", "TableReader", "load_table_reader", "prepared", "to_batch"]

SCALER = "scaler.json"

Moments = tuple[tuple[float, ...], tuple[float, ...]]
"""Means and deviations of some columns."""


def prepared(table: SeriesTable, data: ForecastData) -> SeriesTable:
    """A table with returns in place of prices, and with the calendar, if asked for.

    Args:
        table: As it was read.
        data: What is asked for.

    Raises:
        DataError: If prices or stamps cannot be used so.
    """
    table = log_returns(table) if data.returns else table
    return with_calendar(table, data.calendar, data.horizon)


@dataclass(frozen=True)
class TableReader:
    """Means and deviations of the training part, and where it ended.

    Attributes:
        targets, known, past, static: The names of the columns.
        moments: Of the targets of each series, by its name.
        covariates: Of the columns known, past and static, over all series.
        scales: The mean absolute seasonal difference of each target of each series.
        ends: The last stamp of each series that training or a choice has seen, as text
            or number.
    """

    targets: tuple[str, ...]
    known: tuple[str, ...]
    past: tuple[str, ...]
    static: tuple[str, ...]
    moments: Mapping[str, Moments]
    covariates: Mapping[str, Moments]
    scales: Mapping[str, tuple[float, ...]]
    ends: Mapping[str, str | int]

    @staticmethod
    def learn(
        table: SeriesTable, share: float, season_length: int, *, ends: bool = True
    ) -> TableReader:
        """Learn from the first part of each series.

        Args:
            table: The prepared table.
            share: How much of each series is trained on, in (0, 1].
            season_length: Steps of a season.
            ends: Whether the stamps mean anything to other tables.

        Raises:
            DataError: If a target does not vary in its training part.
        """
        scaler = SeriesScaler.fit(table, share)
        moments, scales = {}, {}
        for number, series in enumerate(table.series):
            part = series.target[: int(share * len(series))].astype(np.float64)
            _varies(part, table.called(series), table.targets)
            mean, std = scaler.mean[number], scaler.std[number]
            moments[series.name] = (tuple(mean.tolist()), tuple(std.tolist()))
            lag = season_length if len(part) > season_length else 1
            steps = np.abs(part[lag:] - part[:-lag]).mean(0)
            scales[series.name] = tuple(steps.tolist())
        covariates = {
            role: _moments(table.series, role, share)
            for role in ("known", "past", "static")
        }
        last = {s.name: _as_plain(s.times[-1]) for s in table.series if ends}
        names = table.targets, table.known, table.past, table.static
        return TableReader(*names, moments, covariates, scales, last)

    def __call__(self, table: SeriesTable) -> SeriesTable:
        """A prepared table with scaled covariates; its targets stay as they are.

        Raises:
            DataError: If its columns are not those of the training.
        """
        for role in ("targets", "known", "past", "static"):
            ours, theirs = getattr(self, role), getattr(table, role)
            if ours != theirs:
                raise DataError(
                    f"Forecaster: the table must have the {role} columns "
                    f"{', '.join(ours) or 'none'} as in training, got "
                    f"{', '.join(theirs) or 'none'}. Name the same columns."
                )
        scaled = []
        for series in table.series:
            values: dict[str, Any] = {}
            for role, (mean, std) in self.covariates.items():
                column = getattr(series, role)
                values[role] = ((column - np.array(mean)) / np.array(std)).astype("f4")
            scaled.append(replace(series, **values))
        return replace(table, series=tuple(scaled))

    def scaler(self, table: SeriesTable, first: Mapping[int, int]) -> SeriesScaler:
        """The scaler of each series of a table.

        A series that was not in training is scaled by its own steps before the first
        forecast.

        Args:
            table: The table.
            first: The first origin of each series, by its number.
        """
        found = []
        for number, series in enumerate(table.series):
            if series.name in self.moments:
                found.append(self.moments[series.name])
                continue
            part = series.target[: first.get(number, len(series))].astype(np.float64)
            std = part.std(0)
            found.append((part.mean(0), np.where(std > 0, std, 1.0)))
        return SeriesScaler(
            np.array([mean for mean, _ in found]), np.array([std for _, std in found])
        )

    def new(self, table: SeriesTable, windows: Sequence[Window]) -> list[Window]:
        """The windows of which training has seen no target.

        Args:
            table: The table.
            windows: Windows of it.

        Raises:
            DataError: If there is none, or stamps are of another kind.
        """
        first = {
            number: self._behind(series, table.called(series))
            for number, series in enumerate(table.series)
            if series.name in self.ends
        }
        found = [w for w in windows if w.origin >= first.get(w.series, 0)]
        if not found:
            end = str(next(iter(self.ends.values()))).removesuffix(".000000")
            raise DataError(
                "Forecaster: there must be a horizon of steps that training has not "
                f"seen (up to {end}), got none. Give later ones."
            )
        return found

    def _behind(self, series: Series, called: str) -> int:
        """The first step behind those that training has seen."""
        end = self.ends[series.name]
        if isinstance(end, int) != (series.times.dtype.kind == "i"):
            raise DataError(
                f"Forecaster: stamps of {called} must be like {end} as in training, "
                f"got {series.times[0]}. Name the same column."
            )
        last = end if isinstance(end, int) else np.datetime64(end, "us")
        return int(np.searchsorted(series.times, last, side="right"))

    def file(self) -> tuple[str, str]:
        """The name and the contents of the file that it is read back from."""
        return SCALER, json.dumps(asdict(self), indent=1, ensure_ascii=False)


def load_table_reader(run: RunFolder) -> TableReader:
    """The reader of a run.

    Raises:
        RunError: If its file is missing or damaged.
    """
    tree = run.read_json(SCALER)
    try:
        assert isinstance(tree, dict)
        names = [tuple(tree[k]) for k in ("targets", "known", "past", "static")]
        return TableReader(
            *(names[0], names[1], names[2], names[3]),
            {k: (tuple(m), tuple(s)) for k, (m, s) in tree["moments"].items()},
            {k: (tuple(m), tuple(s)) for k, (m, s) in tree["covariates"].items()},
            {k: tuple(v) for k, v in tree["scales"].items()},
            tree["ends"],
        )
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError):
        raise RunError(
            f"{run.path / SCALER}: must give means and deviations of the series, got "
            "something else. Put it back from a copy."
        ) from None


def _varies(part: np.ndarray, called: str, targets: Sequence[str]) -> None:
    """Refuse a constant target."""
    spread = np.ptp(part, 0)
    if (spread == 0).any():
        column = int(np.argmin(spread))
        raise DataError(
            f"Forecaster: column {targets[column]!r} of {called} must vary in its "
            f"training part of {len(part)} steps, got {part[0, column]:g} throughout. "
            "Leave the series or the column out."
        )


def _moments(series: Sequence[Any], role: str, share: float) -> Moments:
    """Mean and deviation of covariates over the training parts."""
    if role == "static":
        rows = np.stack([getattr(one, role) for one in series]).astype(np.float64)
    else:
        parts = [getattr(one, role)[: int(share * len(one))] for one in series]
        rows = np.concatenate(parts).astype(np.float64)
    if not rows.shape[1]:
        return (), ()
    std = rows.std(0)
    std[std <= 1e-6 * np.maximum(np.abs(rows.mean(0)), 1e-6)] = 1.0
    return tuple(rows.mean(0).tolist()), tuple(std.tolist())


def _as_plain(stamp: Any) -> str | int:  # noqa: ANN401 (a number or a date)
    return int(stamp) if isinstance(stamp, np.integer) else str(stamp)


def to_batch(
    table: SeriesTable,
    windows: Sequence[Window],
    scaler: SeriesScaler,
    data: ForecastData,
    *,
    level: bool = False,
) -> tuple[Batch, Cut]:
    """Windows as a ``ForecastNetwork`` reads them, and the cut they are made from.

    Args:
        table: A table as `TableReader` gives it.
        windows: The windows.
        scaler: The scaler of its series.
        data: Horizon and history.
        level: Whether the place of the last value is read too.
    """
    cut = cut_windows(
        table,
        windows,
        *(data.steps, data.horizon),
        scaler=scaler,
        subtract_last=data.shifts,
    )
    rows = [window.series for window in windows]
    still = [cut.static]
    if level:
        still.append(((cut.shift - scaler.mean[rows]) / scaler.std[rows])[0])
    constant = np.concatenate(still, 1)
    steps = len(cut.known)
    ahead = ((0, data.horizon), (0, 0), (0, 0))
    columns = [
        np.pad(cut.history, ahead),
        np.pad(cut.past, ahead),
        np.broadcast_to(constant, (steps, *constant.shape)),
        cut.known,
    ]
    inputs = np.concatenate(columns, 2).astype(np.float32)
    future = cut.future
    if future is None:
        future = np.zeros((data.horizon, *cut.history.shape[1:]), np.float32)
    targets = torch.from_numpy(np.ascontiguousarray(future.transpose(1, 0, 2)))
    return Batch(torch.from_numpy(inputs), targets), cut
