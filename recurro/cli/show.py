"""What a person sees: progress while there is work, tables and lines at its end."""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from recurro.report.table import Rows, as_cells, baseline_table, rich_table

__all__ = [
    "Watcher",
    "as_json",
    "outcome",
    "print_figures",
    "print_json",
    "print_rows",
    "say",
    "say_dim",
    "tell",
    "watch",
]

_EVERY = 10.0
"""Seconds between lines of progress where the output is no terminal."""


class Watcher(Protocol):
    """Whoever shows reading and training."""

    def reading(self, done: int, total: int) -> None:
        """Bytes read so far, and in all."""
        ...

    def update(self, step: int, total: int, fields: Mapping[str, Any]) -> None:
        """Updates made, those of the whole run, and figures by name."""
        ...


class Trained(Protocol):
    """How a training went."""

    @property
    def steps(self) -> int:
        """Updates made."""
        ...

    @property
    def epochs(self) -> int:
        """Passes over the data."""
        ...

    @property
    def seconds(self) -> float:
        """How long it took."""
        ...

    @property
    def explosions(self) -> int:
        """Steps that were skipped."""
        ...


def outcome(run: Path, rows: Rows, history: Trained) -> dict[str, object]:
    """How training went, as plain values: the last row is the network's."""
    last = rows[-1] if rows else {}
    return {
        "run": str(run),
        **{key: value for key, value in last.items() if key != "name"},
        "steps": history.steps,
        "epochs": history.epochs,
        "seconds": history.seconds,
        "explosions": history.explosions,
        "baselines": rows,
    }


@contextmanager
def watch(*, quiet: bool = False, limit: float | None = None) -> Iterator[Watcher]:
    """Show work on the error stream: a bar on a terminal, plain lines elsewhere.

    Args:
        quiet: Show nothing.
        limit: Seconds after which training ends, where it is bound by time.
    """
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar() as progress:
            yield _Bar(progress, limit)
    else:
        yield _Lines(limit)


def say(line: str = "") -> None:
    """Print a line for a person."""
    print(line)  # noqa: T201 (the output)


def say_dim(line: str) -> None:
    """Print a line of less weight."""
    Console(highlight=False, soft_wrap=True).print(Text(line, style="dim"))


def tell(notes: Iterable[str]) -> None:
    """Say what was done to files."""
    for note in notes:
        warnings.warn(note, stacklevel=3)


def as_json(value: object) -> str:
    """Figures for a program; a number that is not finite becomes null."""
    return json.dumps(_finite(value), ensure_ascii=False, indent=2) + "\n"


def print_json(value: object) -> None:
    """Print figures for a program."""
    say(as_json(value).rstrip())


def print_rows(rows: Rows) -> None:
    """Print models and their figures as a table, the last in bold on a terminal."""
    if sys.stdout.isatty():
        Console(highlight=False).print(rich_table(rows))
    else:
        say(baseline_table(rows))


def print_figures(figures: Mapping[str, float]) -> None:
    """Print figures, one to a line."""
    columns = {heading: cells[0] for heading, cells, _ in as_cells([figures])}
    wide = max(map(len, columns))
    for heading, cell in columns.items():
        say(f"{heading:<{wide}}  {cell:>10}")


def _finite(value: object) -> object:
    """The value with null for each number that JSON does not know."""
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class _Silent:
    def reading(self, done: int, total: int) -> None:
        """Show nothing."""

    def update(self, step: int, total: int, fields: Mapping[str, Any]) -> None:
        """Show nothing."""


def _bar() -> Progress:
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _Bar:
    """A bar that first shows reading, then training."""

    def __init__(self, progress: Progress, limit: float | None) -> None:
        self.progress, self.limit = progress, limit
        self.begun = time.monotonic()
        self.name, self.bar = "", TaskID(-1)

    def reading(self, done: int, total: int) -> None:
        """Move the bar of reading."""
        self._move("reading", done / max(total, 1), f"{done / 1e6:.1f} MB")

    def update(self, step: int, total: int, fields: Mapping[str, Any]) -> None:
        """Move the bar of training, by time where time is what ends it."""
        if self.name != "training":
            self.begun = time.monotonic()
        share = _share(step, total, time.monotonic() - self.begun, self.limit)
        figures = _figures(fields, wide=self.progress.console.width >= 100)
        self._move("training", share, figures)

    def _move(self, name: str, share: float, figures: str) -> None:
        if self.name != name:
            if self.name:
                self.progress.remove_task(self.bar)
            self.name, self.bar = name, self.progress.add_task(name, figures="")
        self.progress.update(self.bar, total=1.0, completed=share, figures=figures)


class _Lines:
    """A plain line every ten seconds, and one for each validation."""

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self.shown = self.begun = time.monotonic()
        self.valid: object = None

    def reading(self, done: int, total: int) -> None:
        """Say how much is read."""
        if self._due():
            self._print(f"reading {done / 1e6:.1f} of {total / 1e6:.1f} MB")

    def update(self, step: int, total: int, fields: Mapping[str, Any]) -> None:
        """Say how training goes."""
        valid = fields.get("nats_per_token")
        if valid != self.valid or self._due():
            self.valid = valid
            self.shown = time.monotonic()
            self._print(f"step {step:,} of {total:,} · {_figures(fields)}")

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self.shown < _EVERY:
            return False
        self.shown = now
        return True

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)  # noqa: T201 (progress, for people)


def _share(step: int, total: int, seconds: float, limit: float | None) -> float:
    """How much of the run is done, by whichever end comes first."""
    done = step / max(total, 1)
    return min(1.0, max(done, seconds / limit) if limit else done)


def _figures(fields: Mapping[str, Any], *, wide: bool = True) -> str:
    """The latest figures on one line."""
    parts = [f"pass {fields['epoch']}"] if "epoch" in fields else []
    loss = fields.get("loss")
    if loss is not None and loss == loss:
        parts.append(f"loss {loss:.3f}")
    if "nats_per_token" in fields:
        parts.append(f"held out {fields['nats_per_token']:.3f}")
    if wide and fields.get("items_per_second"):
        parts.append(f"{fields['items_per_second']:,.0f} tokens/s")
    if fields.get("explosions"):
        parts.append(f"{fields['explosions']} explosions")
    return " · ".join(parts)
