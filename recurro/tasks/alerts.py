"""Alerts on a stream, judged by the anomalies that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, nan
from typing import TypeAlias

import numpy as np

from recurro.errors import ArgumentError, DataError
from recurro.types import Bool

__all__ = ["Judged", "Span", "alert_events", "as_spans", "judge_alerts"]

Span: TypeAlias = tuple[int, int]
"""The first and the last step of something."""

FALSE_ALARM = 0.11
"""What a false alarm costs where an anomaly is worth 1: NAB's standard profile."""


@dataclass(frozen=True)
class Judged:
    """How alerts went on one stream, or, added up, on several.

    Attributes:
        found: Anomalies with an alert.
        anomalies: Anomalies there are.
        false_alarms: Alerts at no anomaly.
        worth: The raw score of the Numenta Anomaly Benchmark.
    """

    found: int = 0
    anomalies: int = 0
    false_alarms: int = 0
    worth: float = 0.0

    def __add__(self, other: Judged) -> Judged:
        """Both together."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Judged(*(mine + theirs for mine, theirs in pairs))

    def figures(self) -> dict[str, float]:
        """Precision, recall and F1 over anomalies; NAB's score; the false alarms.

        The score is 100 if each anomaly is found at its first step without a false
        alarm, and 0 for no alert at all. What has no meaning is NaN.

        Example:
            >>> Judged(found=3, anomalies=4, false_alarms=1).figures()["f1"]
            0.75
        """
        missed, told = self.anomalies - self.found, self.found + self.false_alarms
        return {
            "precision": self.found / told if told else nan,
            "recall": self.found / self.anomalies if self.anomalies else nan,
            "f1": 2 * self.found / (told + self.found + missed) if told else 0.0,
            "nab_score": 50 * (1 + self.worth / self.anomalies)
            if self.anomalies
            else nan,
            "false_alarms": self.false_alarms,
        }


def alert_events(alerts: Bool[np.ndarray, " time"], gap: int = 1) -> list[Span]:
    """Alerts that belong together: those at most ``gap`` steps apart.

    Args:
        alerts: Whether there is one, at each step.
        gap: At least 1; 1 joins neighbours alone.

    Example:
        >>> alert_events(np.array([1, 1, 0, 1, 0, 0, 1], bool), gap=2)
        [(0, 3), (6, 6)]
    """
    if gap < 1:
        raise ArgumentError(f"alert_events: gap must be an int >= 1, got {gap}.")
    steps = np.flatnonzero(alerts)
    if not len(steps):
        return []
    groups = np.split(steps, np.flatnonzero(np.diff(steps) > gap) + 1)
    return [(int(group[0]), int(group[-1])) for group in groups]


def as_spans(anomalies: Sequence[Span] | np.ndarray | None, steps: int) -> list[Span]:
    """Known anomalies as spans, in order.

    Args:
        anomalies: The first and the last step of each; or whether there is one, at
            each step.
        steps: How many steps the stream has.

    Raises:
        DataError: If nothing is said, or they do not lie within the stream, each behind
            the other.

    Example:
        >>> as_spans(np.array([0, 1, 1, 0, 1]), 5)
        [(1, 2), (4, 4)]
    """
    if anomalies is None:
        raise DataError(
            "anomalies: must be given to judge alerts, got none. Give their steps, or "
            "name the column that tells them (label)."
        )
    if isinstance(anomalies, np.ndarray) and anomalies.ndim == 1 and len(anomalies):
        if len(anomalies) != steps:
            raise DataError(
                f"anomalies: must be told of each of the {steps} steps, got "
                f"{len(anomalies)}. Give one for each."
            )
        return alert_events(anomalies.astype(bool))
    spans = sorted((int(first), int(last)) for first, last in anomalies)
    edges = [-1, *(edge for span in spans for edge in span), steps]
    falls = [n for n, (a, b) in enumerate(pairwise(edges)) if a > b or b == steps == a]
    if falls or edges.count(-1) > 1:
        raise DataError(
            f"anomalies: must be spans (first, last) of the {steps} steps that do not "
            f"overlap, got {spans[:5]}. Mend them."
        )
    return spans


def judge_alerts(
    alerts: Bool[np.ndarray, " time"], anomalies: Sequence[Span], gap: int = 1
) -> Judged:
    """Count what alerts find and what they raise for nothing.

    An anomaly is found if an alert lies within it; alerts that belong together are one
    false alarm if none of them lies within an anomaly. NAB's score gives each anomaly
    that is found 1 at its first step and, along a sigmoid, less up to its last; takes 1
    for each that is missed; and takes up to 0.11 for each false alarm, less just behind
    an anomaly.

    Args:
        alerts: Whether there is one, at each step.
        anomalies: Spans of steps that hold an anomaly each, in order, none touching
            the next.
        gap: Steps within which alerts belong together.

    Example:
        >>> alerts = np.zeros(100, bool)
        >>> alerts[[20, 21, 60]] = True
        >>> judge_alerts(alerts, [(15, 30), (80, 90)])
        Judged(found=1, anomalies=2, false_alarms=1, worth=-0.1595554397210675)

    References:
        Hundman et al. (2018), arXiv 1802.04431, section 4.2 (what counts as found);
        Lavin and Ahmad (2015), arXiv 1510.03336, section III, equations 1 to 4, with
        the sigmoid of NAB's own code.
    """
    inside = [np.flatnonzero(alerts[first : last + 1]) for first, last in anomalies]
    worth = [
        _sigmoid((hits[0] - (last - first + 1)) / (last - first + 1)) / _sigmoid(-1.0)
        if len(hits)
        else -1.0
        for hits, (first, last) in zip(inside, anomalies, strict=True)
    ]
    false = [
        event
        for event in alert_events(alerts, gap)
        if not any(first <= event[1] and event[0] <= last for first, last in anomalies)
    ]
    costs = [FALSE_ALARM * _behind(start, anomalies) for start, _ in false]
    found = sum(len(hits) > 0 for hits in inside)
    return Judged(found, len(anomalies), len(false), float(sum(worth) + sum(costs)))


def _behind(step: int, anomalies: Sequence[Span]) -> float:
    """What a false alarm is worth by its place behind the last anomaly before it."""
    before = [span for span in anomalies if span[1] < step]
    if not before:
        return -1.0
    first, last = before[-1]
    return _sigmoid((step - last) / max(last - first, 1))


def _sigmoid(place: float) -> float:
    """2 / (1 + exp(5 y)) - 1: near 1 at y = -1, 0 at 0, and -1 from 3 on."""
    return -1.0 if place >= 3 else 2 / (1 + exp(5 * place)) - 1
