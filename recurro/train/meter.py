"""Loss and speed while training runs, for the metrics file and the progress bar."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Meter", "Progress"]


class Progress(Protocol):
    """Whoever shows a person how training goes."""

    def update(self, step: int, total: int, fields: Mapping[str, Any]) -> None:
        """Take note of the latest figures; called at most ten times a second.

        Args:
            step: Updates made.
            total: Updates of the whole run, as far as is known.
            fields: Names and numbers: epoch (the pass it is in), loss, learning_rate,
                items_per_second, explosions, and the scores of the last validation.
        """
        ...


class Meter:
    """Sums the loss and the items since it was last read, and the seconds in training.

    Example:
        >>> meter = Meter()
        >>> meter.add(loss=6.0, count=3)
        >>> meter.read()["loss"]
        2.0
    """

    def __init__(self, seconds: float = 0.0, loss: float = 0.0, count: int = 0) -> None:
        """Begin after earlier training: its seconds, and its sums not yet read."""
        self._begun = time.perf_counter() - seconds
        self._since = time.perf_counter()
        self._loss, self._count = loss, count
        self._before = count  # items that took no time of this process
        self._shown = float("-inf")
        self._latest: dict[str, float] = {"loss": math.nan, "items_per_second": 0.0}

    @property
    def seconds(self) -> float:
        """Seconds of the whole run so far."""
        return time.perf_counter() - self._begun

    def add(self, loss: float, count: int) -> None:
        """Count a step in: its summed loss and its items."""
        self._loss += loss
        self._count += count

    def look(self) -> dict[str, float]:
        """The mean loss and the items per second since the last ``read``."""
        spent = time.perf_counter() - self._since
        if self._count and spent > 0:
            self._latest = {
                "loss": self._loss / self._count,
                "items_per_second": (self._count - self._before) / spent,
            }
        return dict(self._latest)

    def read(self) -> dict[str, float]:
        """Give the figures of ``look`` and begin anew."""
        figures = self.look()
        self._since = time.perf_counter()
        self._loss, self._count, self._before = 0.0, 0, 0
        return figures

    def state_dict(self) -> dict[str, float]:
        """What a meter that goes on must be made with."""
        return {"seconds": self.seconds, "loss": self._loss, "count": self._count}

    def pause(self, seconds: float) -> None:
        """Leave out of the speed what was not training."""
        self._since += seconds

    def may_show(self) -> bool:
        """Whether a tenth of a second has gone by since this was last true."""
        now = time.perf_counter()
        if now - self._shown < 0.1:
            return False
        self._shown = now
        return True
