"""How unlikely a stream's latest errors are, by all that came before."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import log, sqrt

from scipy.special import log_ndtr

from recurro.errors import ArgumentError

__all__ = ["RunningLikelihood"]

_LEAST = 1e-6
"""The least deviation."""


class RunningLikelihood:
    """The anomaly likelihood of a stream of errors, one step at a time.

    With a_t the mean of the last ``short`` errors, and m_t and s_t the mean and the
    deviation of the last ``memory`` of a_1 ... a_{t-1}:

        score_t = log10 Q((a_t - m_t) / s_t)

    where Q is the upper tail of the standard normal distribution: 0 and a little less
    is usual, -5 says that so large errors come once in 100,000 steps. Rising errors
    alone count; errors that are always large are no anomaly. As long as there are less
    than ``short`` errors, or no more than as many averages, all is usual.

    Args:
        short: Errors that are averaged, at least 1.
        memory: Averages that are remembered, at least 2.

    Raises:
        ArgumentError: If a number is out of its range.

    Example:
        >>> rule = RunningLikelihood(short=1)
        >>> rule.learn([1.0, 2.0, 1.0, 2.0])
        >>> round(rule.step(1.5), 3), rule.step(6.0) < -5
        (-0.301, True)

    References:
        Ahmad, Lavin, Purdy and Agha (2017), doi:10.1016/j.neucom.2017.04.070, equations
        3 to 6, with m_t and s_t taken over the averages a_t, as in the authors' own
        code.
    """

    def __init__(self, short: int = 10, memory: int = 8000) -> None:
        if short < 1 or memory < 2:
            raise ArgumentError(
                "RunningLikelihood: short must be an int >= 1 and memory one >= 2, got "
                f"{short} and {memory}. Use 10 and 8000."
            )
        self.short = short
        self.errors: deque[float] = deque(maxlen=short)
        self.averages: deque[float] = deque(maxlen=memory)
        self._sums = [0.0, 0.0]

    def learn(self, errors: Iterable[float]) -> None:
        """Take note of errors that nobody wants a score of; then start afresh."""
        for error in errors:
            self._remember(self._average(error))
        self.errors.clear()

    def step(self, error: float) -> float:
        """The score of the next step."""
        average = self._average(error)
        count = len(self.averages)
        score = 0.0
        if self.short == len(self.errors) < count:
            mean = self._sums[0] / count
            spread = sqrt(max(self._sums[1] / count - mean**2, 0.0))
            z = (average - mean) / max(spread, _LEAST)
            score = float(log_ndtr(-z)) / log(10)
        self._remember(average)
        return score

    def _average(self, error: float) -> float:
        self.errors.append(error)
        return sum(self.errors) / len(self.errors)

    def _remember(self, average: float) -> None:
        if len(self.averages) == self.averages.maxlen:
            self._add(self.averages.popleft(), -1)
        self.averages.append(average)
        self._add(average, 1)

    def _add(self, average: float, sign: int) -> None:
        self._sums[0] += sign * average
        self._sums[1] += sign * average**2
