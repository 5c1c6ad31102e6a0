"""What commands that train have in common: a folder's name, Ctrl-C, the last words."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import current_thread, main_thread

import typer

__all__ = ["free_folder", "interruptible", "use_threads"]

STOPPED = 130


def free_folder(name: str) -> Path:
    """The first of ``runs/NAME-1``, ``runs/NAME-2``, ... that is not there.

    Args:
        name: What the run is about, such as the name of a file.
    """
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    paths = (Path("runs", f"{stem}-{number}") for number in count(1))
    return next(path for path in paths if not path.exists())


def name_of(files: Sequence[Path | str]) -> str:
    """A name for what is read from some files."""
    path = Path(files[0])
    return path.stem if path.stem not in ("input", "data", "train") else _parent(path)


def _parent(path: Path) -> str:
    return path.resolve().parent.name or path.stem


@contextmanager
def interruptible(run: Path) -> Iterator[None]:
    """Let Ctrl-C end the command with a line that says how to go on.

    Args:
        run: The run folder, which may not be there yet.
    """
    try:
        with _as_exception():
            yield
    except KeyboardInterrupt:
        line = "stopped before the run began; there is nothing to resume."
        if (run / "config.yaml").exists():
            line = f"stopped. Go on with: recurro resume {run}"
        print(f"recurro: {line}", file=sys.stderr)  # noqa: T201 (the command's voice)
        raise typer.Exit(STOPPED) from None


@contextmanager
def _as_exception() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, whatever it does outside."""
    before = signal.getsignal(signal.SIGINT)
    heeds = callable(before) and current_thread() is main_thread()
    if heeds:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if heeds:
            signal.signal(signal.SIGINT, before)


def use_threads(threads: int | None) -> None:
    """Compute with this many CPU threads."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
