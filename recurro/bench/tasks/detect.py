"""Anomalies in streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import Series, read_series
from recurro.tasks import AnomalyDetector
from recurro.tasks.alerts import Judged, Span

__all__ = ["CASES", "nab_streams"]


def nab_streams(folder: Path) -> Iterator[tuple[Series, list[Span]]]:
    """The streams of the Numenta Anomaly Benchmark, with their anomalies.

    Args:
        folder: With ``windows.json`` and the tables that it names.
    """
    windows = json.loads((folder / "windows.json").read_text(encoding="utf-8"))
    for name, pairs in windows.items():
        table = read_series(
            folder / name, time="timestamp", target=["value"], stamps="any"
        )
        series = table.series[0]
        edges = np.array(pairs, "datetime64[us]").reshape(-1, 2)
        yield (
            series,
            [
                (
                    int(np.flatnonzero(series.times >= first)[0]),
                    int(np.flatnonzero(series.times <= last)[-1]),
                )
                for first, last in edges
            ],
        )


def _nab(folder: Path, seed: int) -> Found:
    """A detector for each stream, from its first 15 %; all judged as one."""
    totals: dict[str, Judged] = {}
    for series, spans in nab_streams(folder):
        model = AnomalyDetector(seed=seed).fit(series)
        for rule, judged in model.judge(series, spans).items():
            totals[rule] = totals.get(rule, Judged()) + judged
    figures = {rule: judged.figures() for rule, judged in totals.items()}
    return Found(figures.pop("network"), figures)


CASES = (
    Case(
        "detect",
        "nab",
        (
            Goal("f1", beats="three sigma"),
            Goal("nab_score", beats="three sigma"),
            Goal("precision"),
            Goal("recall"),
        ),
        _nab,
        seeds=3,
    ),
)
"""What is measured of detectors."""
