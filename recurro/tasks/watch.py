"""A stream watched as it comes, one step at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from recurro.data import Sequences
from recurro.errors import DataError
from recurro.nn import StepNetwork
from recurro.tasks.likelihood import RunningLikelihood
from recurro.tasks.readers import SeriesReader
from recurro.tasks.streams import clock_of

__all__ = ["StreamWatch"]


class StreamWatch:
    """Scores the steps of a stream, each when it comes.

    Made by ``AnomalyDetector.watch``; its scores are those of ``score_samples``.

    Args:
        network: The network that forecasts.
        reader: Its scaler.
        cycles: The cycles of the calendar that it reads.
        rule: The rule as it stands when training ends.
        scale: The usual change of each channel ``(channels,)``.
        offset: Scores below it are an alert.
    """

    def __init__(
        self,
        network: StepNetwork,
        reader: SeriesReader,
        cycles: Sequence[str],
        rule: RunningLikelihood,
        scale: np.ndarray,
        offset: float,
    ) -> None:
        self.network, self.reader, self.rule = network, reader, rule
        self.cycles, self.scale, self.offset = tuple(cycles), scale, offset
        self.states = network.recurrent.stream()
        self.last: np.ndarray | None = None

    @torch.no_grad()
    def update(
        self,
        values: float | Sequence[float] | np.ndarray,
        time: np.datetime64 | str | None = None,
    ) -> tuple[float, bool]:
        """Read the next step; give its score, and whether there is an alert.

        Args:
            values: The number of each channel.
            time: The stamp, where the network reads a calendar.

        Raises:
            DataError: If numbers are missing or not as many as in training, or there
                must be a stamp and there is none.
        """
        now = np.atleast_1d(np.asarray(values, np.float32))
        if now.shape != self.scale.shape or not np.isfinite(now).all():
            raise DataError(
                f"StreamWatch: a step must be {len(self.scale)} finite numbers, got "
                f"{values!r}. Fill the gap in, or leave the step out."
            )
        before, self.last = self.last, now
        clock = self._clock(time)
        if before is None:
            return 0.0, False
        step = np.concatenate([before[None], clock], axis=1)
        mean = self._forecast(self.reader([step]))
        score = self.rule.step(float((np.abs(now - before - mean) / self.scale).sum()))
        return score, score < self.offset

    def _clock(self, time: np.datetime64 | str | None) -> np.ndarray:
        if not self.cycles:
            return np.zeros((1, 0), np.float32)
        if time is None:
            raise DataError(
                "StreamWatch: time must be given, as the network reads the calendar "
                f"({', '.join(self.cycles)}), got None. Pass the stamp of the step."
            )
        return clock_of(np.array([time], "datetime64[us]"), self.cycles)

    def _forecast(self, step: Sequences) -> np.ndarray:
        """The mean change that is forecast ``(channels,)``."""
        parameter = next(self.network.parameters())
        x = self.network.encoder(torch.from_numpy(step.values).to(parameter))
        y = self.states.step(x)[None]
        found = self.network.head(y, torch.ones(1, dtype=torch.long, device=y.device))
        return found.mean[0].double().cpu().numpy()
