"""What the commands on anomalies in streams share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recurro.cli.show import tell
from recurro.errors import ArgumentError, DataError
from recurro.report import Chart, Level, Line, write_report
from recurro.tasks import AnomalyDetector
from recurro.tasks.alerts import Span, alert_events, as_spans
from recurro.tasks.streams import Stream, as_stream

__all__ = ["judged", "leave_first", "steps_of", "to_judge", "to_learn"]

_LEAST = -30.0
"""Scores below are drawn here."""


def to_learn(model: AnomalyDetector, files: Sequence[Path]) -> dict[str, Any]:
    """What a detector learns from; what was filled in is said."""
    if len(files) > 1:
        raise ArgumentError(
            f"detect: there must be one table, got {len(files)} files. Join them."
        )
    _read(model, files[0])
    return {"X": files[0]}


def to_judge(
    model: AnomalyDetector, files: Sequence[Path]
) -> tuple[Path, list[Span] | None]:
    """A stream and its known anomalies, those of a second file or of a column."""
    if len(files) > 2:
        raise ArgumentError(
            "evaluate: a detector is scored on a table and, if no column tells the "
            f"anomalies, a file of those, got {len(files)} files. Name these two."
        )
    stream = _read(model, files[0])
    if len(files) == 2:
        return files[0], _spans(files[1], files[0], stream)
    return files[0], None


def judged(model: AnomalyDetector, files: Sequence[Path]) -> dict[str, float]:
    """The figures of a detector, and those of the plain three-sigma rule beside them.

    The scores of the file, and a drawing, are left in the run.
    """
    file, spans = to_judge(model, files)
    found = {name: one.figures() for name, one in model.judge(file, spans).items()}
    plain = found["three sigma"]
    leave(model, file, spans)
    beside = {f"{key}_of_three_sigma": plain[key] for key in ("f1", "nab_score")}
    return {**found["network"], **beside}


def steps_of(
    model: AnomalyDetector, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """Stamp, numbers, score and alert of each step; left in the run, too."""
    _read(model, file)
    return leave(model, file).to_dicts()


def _read(model: AnomalyDetector, file: Path) -> Stream:
    """The stream of a file; what was done to it is said."""
    stream = as_stream(file, model.settings.data)
    tell(f"'{file}': {note}." for note in stream.notes)
    return stream


def leave_first(model: AnomalyDetector, files: Sequence[Path]) -> None:
    """Leave the scores of the table that was learnt from."""
    leave(model, files[0])


def leave(
    model: AnomalyDetector, file: Path, spans: list[Span] | None = None
) -> pl.DataFrame:
    """Leave the scores of a file in a run, with a drawing of the alerts.

    Args:
        model: A trained detector with a run.
        file: The table.
        spans: Known anomalies, if there are any but those of a column.
    """
    stream, scores = as_stream(file, model.settings.data), model.score_samples(file)
    alerts = scores < model.offset_
    stamps = stream.times
    table = pl.DataFrame(
        {
            "time": np.datetime_as_string(stamps, "s") if stream.dated else stamps,
            **dict(zip(stream.names, stream.values.T, strict=True)),
            "score": scores,
            "alert": alerts.astype(int),
        }
    )
    if spans is None and stream.labels is not None:
        spans = as_spans(stream.labels, len(stream))
    assert model.run_ is not None
    model.run_.write_text("scores.csv", table.write_csv())
    write_report(model.run_.path, charts=_charts(model, stream, scores, spans or []))
    return table


def _charts(
    model: AnomalyDetector, stream: Stream, scores: np.ndarray, spans: list[Span]
) -> list[Chart]:
    """The channels with alerts and known anomalies, and the scores."""
    gap = model.settings.data.short
    marks = [first for first, _ in alert_events(scores < model.offset_, gap)]
    about: dict[str, Any] = {"marks": marks, "marks_name": f"alerts: {len(marks)}"}
    about |= {"bands": spans, "bands_name": "known anomaly"}
    learnt = model.probation_.steps
    steps = f"step, the first {learnt:,} learnt from" if model.knows(stream) else "step"
    drawn = [
        Chart(name, [_line(name, values)], steps, name, **about)
        for name, values in zip(stream.names, stream.values.T, strict=True)
    ]
    line = _line("score", np.maximum(scores, _LEAST))
    levels = [Level("alert below", model.offset_)]
    likely = "log10 of the likelihood"
    return [*drawn, Chart("Score", [line], steps, likely, levels, **about)]


def _line(name: str, values: np.ndarray) -> Line:
    points = [(step, float(value)) for step, value in enumerate(values)]
    return Line(name, points, peaks=True)


def _spans(path: Path, table: Path, stream: Stream) -> list[Span]:
    """The anomalies of a file, by their first and last stamps.

    Args:
        path: JSON, a list of pairs of stamps, or such lists by the name of the table;
            or CSV with the columns ``start`` and ``end``.
        table: The table that they are of.
        stream: What it holds.
    """
    pairs = _pairs(path, table)
    kind = "datetime64[us]" if stream.dated else np.int64
    try:
        edges = np.array(pairs, kind).reshape(-1, 2)
    except (TypeError, ValueError):
        raise DataError(
            f"evaluate: '{path}' must give the first and the last stamp of each "
            f"anomaly, got {str(pairs)[:60]}. Write them as in the table."
        ) from None
    found = []
    for (first, last), words in zip(edges, pairs, strict=True):
        inside = np.flatnonzero((stream.times >= first) & (stream.times <= last))
        if not len(inside):
            raise DataError(
                f"evaluate: an anomaly of '{path}' must lie in '{table}', got "
                f"{words[0]} to {words[1]}. Name the file of this table."
            )
        found.append((int(inside[0]), int(inside[-1])))
    return as_spans(found, len(stream))


def _pairs(path: Path, table: Path) -> list[Any]:
    """Pairs of stamps as they are written."""
    try:
        if path.suffix.lower() == ".json":
            tree = json.loads(path.read_text(encoding="utf-8"))
        else:
            frame = pl.read_csv(path, infer_schema=False)
            tree = frame.select("start", "end").rows()
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"evaluate: '{path}' must be JSON, or CSV with the columns start and end: "
            f"{str(error).splitlines()[0]}. Check the file."
        ) from error
    if isinstance(tree, dict):
        names = [name for name in tree if table.as_posix().endswith(name)]
        if not names:
            raise DataError(
                f"evaluate: '{path}' must name the anomalies of '{table}', it has "
                f"those of {', '.join(tree)[:100]}. Name the file of this table."
            )
        tree = tree[names[0]]
    return list(tree)
