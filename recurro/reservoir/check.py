"""Whether a reservoir forgets where it began, measured; and how much it remembers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np
import torch

from recurro.errors import ArgumentError
from recurro.reservoir.bank import Bank, States
from recurro.reservoir.network import EchoStateNetwork
from recurro.reservoir.readout import Ridge
from recurro.reservoir.series import CHUNK, Series, as_series

__all__ = ["EchoStateCheck", "check_echo_state"]

_FLOOR = 1e-11
"""Distances below this share of the first are of rounding."""

_NUDGE = 1e-8
"""How far apart the runs are from which the Lyapunov exponent is taken."""

_TESTED = 1000
"""Steps on which the guesses of the memory are judged."""

_CHANCE = 15.137
"""A squared correlation over this by the steps has a chance of 1e-4 (chi squared)."""


@dataclass(frozen=True, eq=False)
class EchoStateCheck:
    """What was measured of a reservoir under an input.

    Attributes:
        units: Units of all its reservoirs.
        radius: The largest spectral radius among them.
        distance: The largest distance between runs from different initial states after
            each step, in units of the one before the first ``(time,)``.
        rate: The slope of its logarithm, per step: below 0 where starts are forgotten.
        lyapunov: The conditional Lyapunov exponent, per step: the mean logarithm of the
            growth of a small disturbance.
        memory: For each delay k = 0, 1, ... the squared correlation between white noise
            k steps ago and the best linear guess of it from the states, on steps that
            were not learnt; summed over the channels of the input ``(delays,)``.
        memory_steps: Steps that the guesses were learnt and tested on.
        input: What the runs were driven by, in words.
    """

    units: int
    radius: float
    distance: np.ndarray
    rate: float
    lyapunov: float
    memory: np.ndarray
    memory_steps: int
    input: str

    @property
    def memory_capacity(self) -> float:
        """The sum of ``memory``: at most ``units``, in theory."""
        return float(self.memory.sum())

    @property
    def holds(self) -> bool:
        """Whether the echo state property holds under this input, as far as seen.

        It does if small disturbances die out, and large ones too: those at least half
        as fast, or below what rounding leaves.
        """
        gone = bool(self.distance[-1] <= _FLOOR)
        return self.lyapunov < 0 and (gone or self.rate <= self.lyapunov / 2)

    def __str__(self) -> str:
        """The verdict and what to do, each with the figure it rests on."""
        told = [self._verdict(), self._advice()]
        return " ".join([*told, self._recall()] if self.memory_steps else told)

    def _verdict(self) -> str:
        under = f"under {self.input}"
        if not self.holds:
            return (
                f"The echo state property does not hold {under}: after "
                f"{len(self.distance)} steps runs from different states are still "
                f"{self.distance[-1]:.2g} of their first distance apart, and the "
                f"conditional Lyapunov exponent is {self.lyapunov:+.3g} per step."
            )
        together = "come together at once"
        if np.isfinite(self.rate):
            together = f"come e times nearer every {-1 / self.rate:.3g} steps"
        return (
            f"The echo state property holds {under}: runs from different states "
            f"{together}, and the conditional Lyapunov exponent is "
            f"{self.lyapunov:+.3g} per step."
        )

    def _advice(self) -> str:
        radius = f"{self.radius:.3g}"
        if not self.holds and self.lyapunov >= 0:
            less = self.radius * np.exp(-self.lyapunov - 0.05)
            lower = f"Lower spectral_radius from {radius} to about {less:.2g}"
            if self.distance[-1] > 100:  # without bound, as tanh never lets it be
                return f"{lower}: the states grow without end."
            return f"{lower}, or raise input_scaling until the input rules the states."
        if not self.holds:
            return (
                f"A small disturbance dies out, but several motions go on side by side "
                f"at spectral_radius {radius}: lower it, or raise input_scaling."
            )
        if self.radius >= 1:
            return (
                f"It is the input that holds the states at spectral_radius {radius}: "
                "without one they may never come to rest."
            )
        return f"The spectral_radius is {radius}."

    def _recall(self) -> str:
        capacity = self.memory_capacity
        within = int(np.searchsorted(self.memory.cumsum(), capacity / 2))
        more = ""
        if self.holds and capacity < 0.1 * self.units:
            more = (
                " If the task needs a longer past, raise spectral_radius, lower "
                "leak_rate or lower input_scaling."
            )
        return (
            f"Its memory capacity is {capacity:.3g} steps of white noise, of "
            f"{self.units} at most, half of it within delay {within}.{more}"
        )


def check_echo_state(
    network: EchoStateNetwork,
    X: Series | None = None,
    Y: Series | None = None,
    *,
    steps: int = 1000,
    starts: int = 4,
    delays: int | None = None,
    random_state: int = 0,
) -> EchoStateCheck:
    """Measure whether a network forgets its initial state, and how much it remembers.

    Runs from states drawn uniformly from [-1, 1] are driven by the same input. The
    Lyapunov exponent is taken from two runs that are kept 1e-8 apart, in float64.

    Args:
        network: Fitted; or not, then its reservoirs are drawn as ``fit`` would.
        X: One series that drives it ``(time, inputs)``; if neither this nor ``Y`` is
            given, white noise uniform in [-1, 1], in one channel or as many as it
            was fitted to.
        Y: For a network with feedback: the outputs that are fed back a step later.
        steps: Steps of the white noise that stands for ``X``.
        starts: Initial states, >= 2.
        delays: Delays whose memory is measured, from 0; if not given, 2 for each unit
            and at most 200. 0 leaves the memory out.
        random_state: Seed of the noise and the states.

    Raises:
        ArgumentError: If a number is out of its range, or there is more than one
            series.
        DataError: If the series do not fit the network.

    Example:
        >>> network = EchoStateNetwork(50, spectral_radius=0.8, random_state=0)
        >>> check = check_echo_state(network, steps=100)
        >>> check.holds, 5 < check.memory_capacity < 50
        (True, True)

    References:
        Jaeger (2001), GMD report 152 (memory capacity); Lukoševičius and Jaeger (2009),
        doi:10.1016/j.cosrev.2009.03.005, section 5.6; Benettin et al. (1980),
        doi:10.1007/BF02128236.
    """
    if steps < 10 or starts < 2 or (delays is not None and delays < 0):
        raise ArgumentError(
            f"check_echo_state: steps must be >= 10, starts >= 2 and delays >= 0, got "
            f"{steps}, {starts} and {delays}."
        )
    rng = np.random.default_rng(random_state)
    bank, x, y, words = _driven(network, X, Y, steps, rng)
    begun = tuple(
        torch.from_numpy(rng.uniform(-1, 1, (starts, p.units))) for p in bank.pools
    )
    distance = _distances(bank, x, y, begun)
    delays = min(2 * bank.units, 200) if delays is None else delays
    memory, learnt = _memory(bank, delays, rng) if delays else (np.empty(0), 0)
    return EchoStateCheck(
        units=bank.units,
        radius=max(pool.radius for pool in bank.pools),
        distance=distance,
        rate=_slope(distance),
        lyapunov=_exponent(bank, x, y, begun),
        memory=memory,
        memory_steps=learnt,
        input=words,
    )


def _driven(
    network: EchoStateNetwork,
    X: Series | None,
    Y: Series | None,
    steps: int,
    rng: np.random.Generator,
) -> tuple[Bank, np.ndarray, np.ndarray | None, str]:
    """The reservoirs in float64, x_t and y_{t-1} that drive them, and the words."""
    fitted = getattr(network, "bank_", None)
    x, y = _one("X", X), _one("Y", Y)
    if fitted is None:
        inputs = x.shape[1] if x is not None else int(not network.feedback)
        outputs = 0 if not network.feedback else 1 if y is None else y.shape[1]
        fitted = network.draw(inputs, outputs)
    bank = _double(fitted)
    words = "this input"
    if x is None and y is None:
        words = "white noise in [-1, 1]"
        x = rng.uniform(-1, 1, (steps, bank.inputs))
        y = rng.uniform(-1, 1, (steps, bank.outputs))
    if x is None:
        x = np.zeros((0 if y is None else len(y), 0))
    if y is None:
        y = np.zeros((len(x), 0))
    if (bank.outputs and len(x) != len(y)) or len(x) < 10:
        raise ArgumentError(
            f"check_echo_state: X and Y must have as many steps, at least 10, got "
            f"{len(x)} and {len(y)}."
        )
    if (x.shape[1], y.shape[1]) != (bank.inputs, bank.outputs):
        raise ArgumentError(
            f"check_echo_state: X must have {bank.inputs} channels and Y, for the "
            f"feedback, {bank.outputs}, got {x.shape[1]} and {y.shape[1]}."
        )
    before = np.concatenate([np.zeros_like(y[:1]), y[:-1]])
    return bank, x, before if bank.outputs else None, words


def _one(name: str, series: Series | None) -> np.ndarray | None:
    """One series, if there is any."""
    if series is None:
        return None
    found = as_series(name, series, "float64")
    if len(found) > 1:
        raise ArgumentError(
            f"check_echo_state: {name} must be one series, got {len(found)}. Pass the "
            "longest, or that which matters most."
        )
    return found[0]


def _double(bank: Bank) -> Bank:
    """The same reservoirs in float64."""
    pools = tuple(
        replace(pool, w_in=pool.w_in.astype(float), w_rec=pool.w_rec.astype(float))
        for pool in bank.pools
    )
    return replace(bank, pools=pools)


def _hidden(
    bank: Bank, x: np.ndarray, y: np.ndarray | None, states: States | None, rows: int
) -> tuple[np.ndarray, States]:
    """States of all units ``(time, rows, units)``, driven alike; and the last."""

    def wide(series: np.ndarray) -> np.ndarray:
        return np.repeat(series[:, None], rows, axis=1)

    z, states = bank(wide(x), None if y is None else wide(y), states)
    first = bank.features - bank.units * (1 + bank.squares)
    return z[:, :, first : first + bank.units], states


def _distances(
    bank: Bank, x: np.ndarray, y: np.ndarray | None, states: States
) -> np.ndarray:
    """The largest distance between runs after each step, in units of the first."""
    rows = len(states[0])
    pairs = list(combinations(range(rows), 2))

    def largest(h: np.ndarray) -> np.ndarray:
        return np.stack(
            [np.linalg.norm(h[..., i, :] - h[..., j, :], axis=-1) for i, j in pairs]
        ).max(0)

    first = largest(np.concatenate([s.numpy() for s in states], 1)[None])[0]
    found = []
    width = max(1, CHUNK // (rows * bank.features))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(x), width):
            some = slice(start, start + width)
            h, states = _hidden(
                bank, x[some], None if y is None else y[some], states, rows
            )
            found.append(np.nan_to_num(largest(h) / first, nan=np.inf, posinf=np.inf))
    return np.concatenate(found)


def _slope(distance: np.ndarray) -> float:
    """The slope of the logarithm of a distance, before it is of rounding alone."""
    lost = np.flatnonzero((distance <= _FLOOR) | ~np.isfinite(distance))
    seen = distance[: lost[0]] if len(lost) else distance
    seen = seen[len(seen) // 10 :]
    if len(seen) < 2:
        return -np.inf if distance[-1] <= _FLOOR else np.inf
    return float(np.polyfit(np.arange(len(seen)), np.log(seen), 1)[0])


def _exponent(bank: Bank, x: np.ndarray, y: np.ndarray | None, states: States) -> float:
    """The mean logarithm of the growth of a disturbance, renewed at each step."""
    pair = tuple(torch.cat([s[:1], s[:1]]) for s in states)
    away = tuple(s[1:2] - s[:1] for s in states)
    growth = []
    for t in range(len(x)):
        scale = max(1.0, max(float(s[0].abs().max()) for s in pair)) * _NUDGE
        size = sum(float(a.square().sum()) for a in away) ** 0.5
        if t and not 0 < size < np.inf:
            return -np.inf if size == 0 else np.inf
        pair = tuple(
            torch.cat([s[:1], s[:1] + a * (scale / size)])
            for s, a in zip(pair, away, strict=True)
        )
        _, pair = _hidden(
            bank, x[t : t + 1], None if y is None else y[t : t + 1], pair, 2
        )
        away = tuple(s[1:2] - s[:1] for s in pair)
        growth.append(sum(float(a.square().sum()) for a in away) ** 0.5 / scale)
    with np.errstate(divide="ignore"):
        return float(np.log(growth[len(growth) // 10 :]).mean())


def _memory(
    bank: Bank, delays: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """How much of white noise the states tell, for each delay; and the steps used."""
    channels = bank.inputs + bank.outputs
    units = bank.units
    washout, learnt = max(100, delays), max(1000, min(6 * units, 10_000))
    u = rng.uniform(-1, 1, (washout + learnt + _TESTED, channels))
    past = np.stack([np.roll(u, k, axis=0) for k in range(delays)], 1)
    past = past.reshape(len(u), -1)
    readout = Ridge(1e-13 * learnt * units).begin(units + 1, delays * channels)
    states, scale, guesses = None, 1.0, []
    width = max(1, CHUNK // bank.features)
    edges = [0, washout, *range(washout + width, washout + learnt, width)]
    edges += [washout + learnt, *range(washout + learnt + width, len(u), width), len(u)]
    for start, stop in pairwise(edges):
        some = u[start:stop]
        y = some[:, bank.inputs :] if bank.outputs else None
        h, states = _hidden(bank, some[:, : bank.inputs], y, states, 1)
        if not np.isfinite(h).all():
            return np.zeros(delays), learnt + _TESTED
        if not start:
            scale = float(np.sqrt(np.mean(h**2))) or 1.0
        z = np.hstack([np.ones((len(some), 1)), h[:, 0] / scale])
        if washout <= start < washout + learnt:
            readout.add(z, past[start:stop])
        elif start:
            if not guesses:
                readout.solve()
            guesses.append(z @ readout.coef_.T)
    square = _correlation(np.concatenate(guesses), past[-_TESTED:]) ** 2
    square[square < _CHANCE / _TESTED] = 0.0
    return square.reshape(delays, channels).sum(1), learnt + _TESTED


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's, of each column with its like; 0 where one stands still."""
    a, b = a - a.mean(0), b - b.mean(0)
    spread = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return np.divide(
        (a * b).sum(0), spread, out=np.zeros(len(spread)), where=spread > 0
    )
