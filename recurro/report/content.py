"""What a report tells, gathered from a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurro.report.chart import Chart, Level, Line
from recurro.report.dynamics import DYNAMICS, Dynamics, read_dynamics
from recurro.report.table import Rows
from recurro.train import RunFolder

__all__ = ["Picture", "Report", "Sample", "read_report"]

CHARTS = "charts.json"

MEDIA = {".png": "image/png", ".svg": "image/svg+xml"}
"""What is shown of the files in a run folder, by how they end."""


@dataclass(frozen=True)
class Sample:
    """A text that the model wrote.

    Attributes:
        title: How it was drawn, such as "temperature 0.8".
        text: The text, whatever it holds.
    """

    title: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A picture that a task left in its run.

    Attributes:
        name: Of the file, such as ``attention.svg``.
        content: All of the file.
    """

    name: str
    content: bytes

    @property
    def medium(self) -> str:
        """What kind of file it is, as ``image/png``."""
        return MEDIA[Path(self.name).suffix]


@dataclass(frozen=True)
class Report:
    """All that the page shows; what is empty is left out of it.

    Attributes:
        title: The heading.
        metrics: The records of ``metrics.jsonl``: ``kind`` (train, validation or
            explosion), ``step``, ``seconds`` and figures; the first figure of a
            validation is the one that rules.
        rows: The models side by side, that of the run last.
        tested: The same on the part that was tested on.
        samples: Texts that the model wrote.
        charts: Drawings of what the model told.
        pictures: Pictures that lie in the run.
        dynamics: What an inspection found, if there was one.
        config: Settings, sections within sections.
        environment: Versions and machine.
    """

    title: str
    metrics: Sequence[Mapping[str, Any]] = ()
    rows: Rows = ()
    tested: Rows = ()
    samples: Sequence[Sample] = ()
    charts: Sequence[Chart] = ()
    pictures: Sequence[Picture] = ()
    dynamics: Dynamics | None = None
    config: Mapping[str, Any] | None = None
    environment: Mapping[str, Any] | None = None


def read_report(run: str | Path) -> Report:
    """Gather a report from the files of a run folder, as far as they are there.

    Args:
        run: The folder, with ``config.yaml``, ``env.json`` and, once they are
            written, ``metrics.jsonl``, ``baselines.json`` and ``test.json`` (lists of
            rows), ``samples.json`` (a list of title and text) and ``charts.json``, and
            pictures.

    Raises:
        RunError: If there is no run, or a file was changed or damaged.

    Example:
        >>> import tempfile
        >>> folder = RunFolder.create(Path(tempfile.mkdtemp()) / "names")
        >>> folder.write_config({"task": "lm"})
        >>> read_report(folder.path).title
        'names'
    """
    folder = RunFolder.open(run)
    has = {item.name for item in folder.path.iterdir()}
    samples: Any = folder.read_json("samples.json") if "samples.json" in has else []
    rows: Any = folder.read_json("baselines.json") if "baselines.json" in has else []
    charts: Any = folder.read_json(CHARTS) if CHARTS in has else []
    tested: Any = folder.read_json("test.json") if "test.json" in has else []
    environment: Any = folder.read_json("env.json") if "env.json" in has else None
    return Report(
        title=folder.path.resolve().name,
        metrics=folder.read_metrics() if "metrics.jsonl" in has else [],
        rows=rows,
        tested=tested,
        samples=[Sample(**sample) for sample in samples],
        charts=[_chart(tree) for tree in charts],
        pictures=[
            Picture(name, (folder.path / name).read_bytes())
            for name in sorted(has)
            if Path(name).suffix in MEDIA
        ],
        dynamics=read_dynamics(folder) if DYNAMICS in has else None,
        config=folder.read_config() if "config.yaml" in has else None,
        environment=environment,
    )


def _chart(tree: Mapping[str, Any]) -> Chart:
    """A chart from its plain values."""
    lines = [
        Line(**{**line, "points": _pairs(line["points"])}) for line in tree["lines"]
    ]
    levels = [Level(**level) for level in tree["levels"]]
    bands = _pairs(tree["bands"])
    return Chart(**{**tree, "lines": lines, "levels": levels, "bands": bands})


def _pairs(rows: Any) -> list[tuple[float, float]]:  # noqa: ANN401 (of a JSON file)
    return [(x, y) for x, y in rows]
