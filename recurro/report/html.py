"""The page of a run: one file, nothing loaded from elsewhere, safe to open."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from recurro import __version__
from recurro.report.chart import Chart, Level, Line, line_chart
from recurro.report.content import CHARTS, Picture, Report, Sample, read_report
from recurro.report.dynamics import Dynamics, dynamics_html, write_dynamics
from recurro.report.style import STYLE
from recurro.report.table import Rows, as_cells, readable
from recurro.train import RunFolder

__all__ = ["report_html", "write_report"]


def write_report(
    run: str | Path,
    *,
    samples: Sequence[Sample] | None = None,
    charts: Sequence[Chart] | None = None,
    dynamics: Dynamics | None = None,
) -> Path:
    """Write ``report.html`` into a run folder, in one stroke.

    Args:
        run: The folder.
        samples: Texts that the model wrote; kept in ``samples.json`` beside it.
            ``None`` keeps those of an earlier report.
        charts: What is drawn, likewise in ``charts.json``.
        dynamics: What an inspection found, likewise in ``inspection.json``.

    Returns:
        The path of the page.

    Raises:
        RunError: If there is no run, a file was changed, or the disk is full; a page
            that was there before is then unharmed.

    Example:
        >>> import tempfile
        >>> folder = RunFolder.create(Path(tempfile.mkdtemp()) / "names")
        >>> write_report(folder.path, samples=[Sample("greedy", "Anna")]).name
        'report.html'
    """
    folder = RunFolder.open(run)
    if samples is not None:
        texts = [{"title": _clean(s.title), "text": _clean(s.text)} for s in samples]
        folder.write_json("samples.json", texts)
    if charts is not None:
        folder.write_json(CHARTS, [asdict(chart) for chart in charts])
    if dynamics is not None:
        write_dynamics(folder, dynamics)
    folder.write_text("report.html", report_html(read_report(run)))
    return folder.path / "report.html"


def report_html(report: Report) -> str:
    """The page as text: one self-contained HTML document.

    It follows the reader's light or dark scheme, holds no script, and forbids the
    browser to run or load any; whatever the report holds appears as text.

    Args:
        report: What to show.

    Example:
        >>> page = report_html(Report("names", samples=[Sample("greedy", "<b>")]))
        >>> "&lt;b&gt;" in page
        True
    """
    title = _text(report.title)
    body = "".join(
        [
            f"<h1>{title}</h1>",
            _tiles(report),
            _section("Loss", _charts(report)),
            _section("Beside its baselines", _comparison(report.rows)),
            *(_section(_text(chart.title), _drawn(chart)) for chart in report.charts),
            dynamics_html(report.dynamics) if report.dynamics else "",
            _section("On the part to test on", _comparison(report.tested)),
            _section("Pictures", _pictures(report.pictures)),
            _section("Samples", _samples(report.samples)),
            _section("Configuration", _settings(report.config)),
            _section("Environment", _settings(report.environment)),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n"
        f"<body><main>{body}</main>"
        f"<footer>recurro {_text(__version__)}</footer></body></html>\n"
    )


def _clean(text: str) -> str:
    """Text that UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()


def _text(value: object) -> str:
    """Any value as text of the page; control characters become visible ones."""
    shown = re.sub(
        r"[\x00-\x08\x0b-\x1f\x7f]",
        lambda found: "␡" if found[0] == "\x7f" else chr(0x2400 + ord(found[0])),
        _clean(str(value)),
    )
    return escape(shown)


def _section(heading: str, content: str) -> str:
    return f"<section><h2>{heading}</h2>{content}</section>" if content else ""


def _pictures(pictures: Sequence[Picture]) -> str:
    """Pictures of a run, held by the page itself."""
    return "".join(
        f"<figure><img alt='{_text(picture.name)}' src='data:{picture.medium};base64,"
        f"{b64encode(picture.content).decode()}'>"
        f"<figcaption>{_text(picture.name)}</figcaption></figure>"
        for picture in pictures
    )


def _of_kind(report: Report, kind: str) -> list[Mapping[str, Any]]:
    return [record for record in report.metrics if record.get("kind") == kind]


def _figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a validation measured, the first one ruling."""
    place = ("kind", "step", "epoch", "seconds")
    return {key: value for key, value in record.items() if key not in place}


def _tiles(report: Report) -> str:
    """The best validation and what it took, in large figures."""
    tiles: dict[str, object] = {}
    scored = [r for r in _of_kind(report, "validation") if _ruling(r) is not None]
    if scored:
        best = min(scored, key=lambda record: next(iter(_figures(record).values())))
        for heading, cells, _ in as_cells([_figures(best)]):
            tiles[f"best {heading}"] = cells[0]
        tiles["found at update"] = f"{best.get('step', 0):,}"
    if report.metrics:
        last = report.metrics[-1]
        tiles["trained for"] = _duration(last.get("seconds") or 0)
    shown = (
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>"
        for name, value in tiles.items()
    )
    return f'<dl class="tiles">{"".join(shown)}</dl>' if tiles else ""


def _ruling(record: Mapping[str, Any]) -> float | None:
    return next(iter(_figures(record).values()), None)


def _duration(seconds: float) -> str:
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds) % 60} s" if minutes else f"{seconds:.1f} s"


def _charts(report: Report) -> str:
    """Training and validation over the updates, together where they are alike."""
    train = _line("training", _of_kind(report, "train"), "loss")
    held_out = _of_kind(report, "validation")
    score = next((key for record in held_out for key in _figures(record)), "loss")
    valid = _line("validation", held_out, score, dots=True)
    skipped = [record.get("step", 0) for record in _of_kind(report, "explosion")]
    if score in ("loss", "nats_per_token"):
        unit = "nats per token" if score == "nats_per_token" else "loss"
        levels = [
            Level(str(row.get("name", "")), value)
            for row in report.rows[:-1]
            if isinstance(value := row.get(score), float | int)
        ]
        return _figure([train, valid], unit, levels, skipped)
    return _figure([train], "loss", [], skipped) + _figure(
        [valid], readable(score), [], []
    )


def _line(
    name: str, records: list[Mapping[str, Any]], key: str, dots: bool = False
) -> Line:
    points = [(r.get("step", 0), r[key]) for r in records if r.get(key) is not None]
    return Line(name, points, dots)


def _figure(
    lines: list[Line], unit: str, levels: list[Level], skipped: list[float]
) -> str:
    chart = line_chart(
        lines, x_label="updates", y_label=unit, levels=levels, marks=skipped
    )
    if not chart:
        return ""
    names = [line.name for line in lines if line.points]
    names += ["baseline"] if 'class="level"' in chart else []
    keys = "".join(f'<span class="key {name}">{name}</span>' for name in names)
    if skipped:
        keys += f'<span class="key skipped">skipped updates: {len(skipped):,}</span>'
    return f"<figure><figcaption>{keys}</figcaption>{chart}</figure>"


def _comparison(rows: Rows) -> str:
    """The models side by side, that of the run last."""
    if not rows:
        return ""
    columns = as_cells(rows)
    head = "".join(
        f"<th{_numeric(numeric)}>{_text(heading)}</th>"
        for heading, _, numeric in columns
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_numeric(numeric)}>{_text(cells[number])}</td>"
            for _, cells, numeric in columns
        )
        + "</tr>"
        for number in range(len(rows))
    )
    return (
        f'<table class="models"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _numeric(numeric: bool) -> str:
    return ' class="number"' if numeric else ""


def _drawn(chart: Chart) -> str:
    """A chart of the task, below what its lines and marks mean."""
    named = [(f"line{n}", one.name) for n, one in enumerate(chart.lines) if one.name]
    named += [("skipped", chart.marks_name)] if chart.marks else []
    named += [("band", chart.bands_name)] if chart.bands else []
    keys = "".join(
        f'<span class="key {style}">{_text(name)}</span>' for style, name in named
    )
    return f"<figure><figcaption>{keys}</figcaption>{chart.svg()}</figure>"


def _samples(samples: Sequence[Sample]) -> str:
    return "".join(
        f'<h3>{_text(sample.title)}</h3><pre dir="auto">\n{_text(sample.text)}</pre>'
        for sample in samples
    )


def _settings(tree: Mapping[str, Any] | None) -> str:
    """A table of settings; a section within is a group with its name above."""
    if not tree:
        return ""
    groups: dict[str, list[tuple[str, object]]] = {}
    for path, value in _leaves(tree):
        group, _, name = path.rpartition(".")
        groups.setdefault(group, []).append((name, value))
    parts = []
    for group, entries in groups.items():
        rows = "".join(
            f"<tr><th>{_text(readable(name))}</th><td>{_value(value)}</td></tr>"
            for name, value in entries
        )
        heading = f"<h3>{_text(group)}</h3>" if group else ""
        parts.append(f'<div>{heading}<table class="settings">{rows}</table></div>')
    return f'<div class="groups">{"".join(parts)}</div>'


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    """Settings with their dotted paths: those of a section before its sections."""
    for key, value in tree.items():
        if not isinstance(value, Mapping):
            yield f"{path}{key}", value
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return _text(", ".join(map(str, value))) or "–"  # noqa: RUF001 (a dash)
    if value is None:
        return "–"  # noqa: RUF001
    return (
        {True: "yes", False: "no"}[value] if isinstance(value, bool) else _text(value)
    )
