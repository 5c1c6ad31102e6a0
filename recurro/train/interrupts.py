"""Ctrl-C, held back until a step is whole, so that what is saved is consistent."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

__all__ = ["Interrupts"]


class Interrupts:
    """While entered, the first Ctrl-C only sets ``asked``; the second one interrupts.

    Args:
        patient: Whether a second Ctrl-C is held back too: under ``torchrun`` a worker
            is signalled by the terminal and by its parent.

    Attributes:
        asked: Whether Ctrl-C was pressed.

    Example:
        >>> with Interrupts() as interrupts:
        ...     signal.raise_signal(signal.SIGINT)
        ...     interrupts.asked
        True
    """

    def __init__(self, *, patient: bool = False) -> None:
        """Watch nothing yet."""
        self.asked = False
        self._patient = patient
        self._open = False
        self._before: object = None

    def __enter__(self) -> Interrupts:
        """Take the signal over, if this is the thread that may."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signal back."""
        if callable(self._before) or isinstance(self._before, int):
            signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, already the first Ctrl-C interrupts: nothing half done is in hand."""
        self._open = not self._patient
        try:
            if self._open and self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._open = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked, True
        if self._open or (again and not self._patient):
            raise KeyboardInterrupt
