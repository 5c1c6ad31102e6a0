"""A salamander's pattern generator: one drive in, a walking or swimming rhythm out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recurro.cells import ContinuousTime, PhaseOscillator
from recurro.engine import Recurrence, recurrence, run
from recurro.errors import ArgumentError

__all__ = ["Gait", "PatternGenerator", "salamander", "salamander_of_neurons"]

SEGMENTS = 8
"""Segments of the body, each with an oscillator on the left and one on the right."""

BODY = 2 * SEGMENTS
"""Units of the body, the left side before the right."""

LAG = 2 * math.pi / SEGMENTS
"""Phase by which a segment follows the one before it, radians."""


@dataclass(frozen=True)
class Gait:
    """What a pattern generator did.

    Attributes:
        dt: Seconds between steps.
        body: Activity of each side (left, right) and segment ``(time, 2, segments)``.
        limbs: Activity of fore left, fore right, hind left and hind right
            ``(time, 4)``; without columns where there are none.
        limb_phases: Their phases in radians, of the same shape.
    """

    dt: float
    body: np.ndarray
    limbs: np.ndarray
    limb_phases: np.ndarray

    @property
    def bend(self) -> np.ndarray:
        """Left minus right activity of each segment ``(time, segments)``."""
        return self.body[:, 0] - self.body[:, 1]

    def steady(self) -> Gait:
        """The second half, in which the rhythm has settled."""
        half = len(self.body) // 2
        later = (a[half:] for a in (self.body, self.limbs, self.limb_phases))
        return Gait(self.dt, *later)

    def frequency(self) -> float:
        """Cycles a second of the body, from its upward crossings; 0 if it is still."""
        crossings = self._crossings()
        if len(crossings) < 2:
            return 0.0
        cycles, steps = len(crossings) - 1, crossings[-1] - crossings[0]
        return float(cycles / steps / self.dt)

    def lags(self) -> np.ndarray:
        """By what share of a cycle each segment follows the one before it.

        In (-1/2, 1/2], ``(segments - 1,)``.
        """
        waves = self._waves()
        return np.angle(waves[:-1] * waves[1:].conj()) / (2 * np.pi)

    def travelling(self) -> float:
        """How much the body's wave travels: 0 for a standing wave, 1 for a whole one.

        1 - |sum z_i^2| / sum |z_i|^2, z_i a segment's amplitude and phase: in a
        standing wave all phases are alike or opposite.

        References:
            Feeny (2008), Journal of Sound and Vibration 310, section 3, in the form
            for one harmonic.
        """
        waves = self._waves()
        power = (np.abs(waves) ** 2).sum()
        return float(1 - np.abs((waves**2).sum()) / power) if power > 0 else 0.0

    def limb_activity(self) -> float:
        """The largest activity of a limb; 0 where limbs are silent or lacking."""
        return float(np.abs(self.limbs).max()) if self.limbs.size else 0.0

    def _crossings(self) -> np.ndarray:
        """Steps, with fractions, at which the middle of the body bends leftward."""
        bend = self.bend[:, self.bend.shape[1] // 2 - 1]
        swing = bend - (bend.max() + bend.min()) / 2
        if np.ptp(bend) < 1e-6:
            return np.empty(0)
        at = np.flatnonzero((swing[:-1] < 0) & (swing[1:] >= 0))
        return at + swing[at] / (swing[at] - swing[at + 1])

    def _waves(self) -> np.ndarray:
        """Amplitude and phase of each segment's bend at the body's frequency."""
        crossings = self._crossings()
        if len(crossings) < 2:
            raise ArgumentError(
                "Gait: there must be a whole cycle, got a body at rest or a run too "
                "short. Run it for longer, or with another drive."
            )
        first, last = int(crossings[0]), int(crossings[-1])
        steps = np.arange(first, last)
        turns = np.exp(-2j * np.pi * self.frequency() * self.dt * steps)
        bend = self.bend[first:last]
        return turns @ (bend - bend.mean(0)) * 2 / len(steps)


@dataclass(frozen=True)
class PatternGenerator:
    """Oscillators of a body and of limbs, as a recurrence with its parameters.

    The first units are the left side's, from head to tail, then the right side's, then
    the limbs', then any others. The input is the drive of the left and of the right.

    Attributes:
        recurrence: The cell at its sizes.
        parameters: Its tensors, in double precision.
        dt: Seconds between steps.
        limbs: How many limbs it has.
        name: What pictures call it.
    """

    recurrence: Recurrence
    parameters: dict[str, Tensor]
    dt: float
    limbs: int
    name: str

    def run(
        self,
        drive: float | Sequence[float] | np.ndarray,
        seconds: float = 20.0,
        *,
        seed: int = 0,
    ) -> Gait:
        """Let it run from a random state.

        Args:
            drive: One for all, one for left and right, or ``(time, 2)`` for each step.
            seconds: How long, if the drive is not given for each step; > 0.
            seed: Of the initial state.

        Raises:
            ArgumentError: If the drive has another shape, or is not finite.

        Example:
            >>> gait = salamander().run(4.0, seconds=10).steady()
            >>> round(gait.frequency(), 2), round(float(gait.lags().mean()), 2)
            (1.1, 0.12)
        """
        drives = self._drives(drive, seconds)
        program, generator = (
            self.recurrence.program,
            torch.Generator().manual_seed(seed),
        )
        state = tuple(
            0.1 * torch.rand(1, width, dtype=torch.float64, generator=generator)
            for _, width in program.state
        )
        x = torch.from_numpy(drives)[:, None]
        result = run(self.recurrence, self.parameters, x, state, return_states=True)
        assert result.states is not None
        output, first = result.output[:, 0].numpy(), result.states[0][:, 0].numpy()
        body = output[:, :BODY].reshape(-1, 2, SEGMENTS)
        legs = slice(BODY, BODY + self.limbs)
        return Gait(self.dt, body, output[:, legs], first[:, legs])

    def _drives(
        self, drive: float | Sequence[float] | np.ndarray, seconds: float
    ) -> np.ndarray:
        given = np.asarray(drive, dtype=np.float64)
        if given.ndim < 2:
            if not (math.isfinite(seconds) and seconds >= self.dt):
                raise ArgumentError(
                    f"PatternGenerator: seconds must be at least dt={self.dt}, got "
                    f"{seconds}."
                )
            steps = round(seconds / self.dt)
            if given.shape in ((), (1,), (2,)):
                given = np.broadcast_to(given, (steps, 2))
        if given.ndim != 2 or given.shape[1] != 2 or not np.isfinite(given).all():
            raise ArgumentError(
                "PatternGenerator: drive must be finite, a number, one for left and "
                f"right, or (time, 2), got the shape {np.shape(drive)}"
                f"{'' if np.isfinite(given).all() else ' with what is not finite'}."
            )
        return np.ascontiguousarray(given)


def salamander(dt: float = 0.01) -> PatternGenerator:
    """The oscillators of the salamander: it walks at drive 2 and swims at drive 4.

    Eight segments with an oscillator on each side and four limbs. Neighbours along the
    body are coupled with weight 10 and lag 2 pi / 8, sides with 10 and pi, limbs with
    10 and pi across and along; each limb pulls the four oscillators of its side and
    half with 30 and pi. Below drive 3 the slow limbs rule the body, which makes a
    standing wave; above they are silent and a wave travels from head to tail.

    Args:
        dt: Step in seconds, > 0; of Heun's method.

    References:
        Ijspeert et al. (2007), doi:10.1126/science.1138353, equation 1 and table S1.
    """
    cell = PhaseOscillator(dt, "heun")
    weight, phase = _couplings()
    units = len(weight)
    limb = torch.arange(units) >= BODY
    body_or_limb = {
        "low": (1.0, 1.0),
        "high": (5.0, 3.0),
        "nu_slope": (0.2, 0.2),
        "nu_offset": (0.3, 0.0),
        "R_slope": (0.065, 0.131),
        "R_offset": (0.196, 0.131),
    }
    parameters = {
        name: torch.where(limb, legs, body).double()
        for name, (body, legs) in body_or_limb.items()
    }
    parameters["U_C"] = torch.from_numpy(weight * np.cos(phase))
    parameters["U_S"] = torch.from_numpy(weight * np.sin(phase))
    parameters["W_d"] = _sides(units)
    return PatternGenerator(
        recurrence(cell, 2, units), parameters, dt, 4, "coupled oscillators"
    )


def salamander_of_neurons(dt: float = 0.01) -> PatternGenerator:
    """A body of leaky-integrator neurons in mutual inhibition, which swims.

    Each side of a segment has a neuron A, driven from above, and a slow neuron B. A
    inhibits the A across (weight 6); A excites its B (10), which tires A (-10): so the
    sides take turns. From its neighbours a neuron hears left minus right, with weight
    1.4 from the one in front and 0.6 from the one behind, turned by 0.3 pi in the plane
    of A and B: so each follows the one in front and a wave travels. It swims at drive 3
    to 5, faster with more; a stronger drive on one side bends the body to that side.

    The form is that of the 2001 model, whose own weights were bred by a genetic
    algorithm; these are set by hand for a lag of an eighth of a cycle at drive 4.

    Args:
        dt: Step in seconds of Heun's method, > 0 and well below 0.08, A's constant.

    References:
        Ijspeert (2001), doi:10.1007/s004220000211, equations 1 and 2.
    """
    units = 2 * BODY
    recurrent = np.zeros((units, units))
    for side in (0, SEGMENTS):
        for k in range(SEGMENTS):
            a, across = side + k, SEGMENTS - side + k
            recurrent[a, across] = -6.0
            recurrent[a, BODY + a], recurrent[BODY + a, a] = -10.0, 10.0
            for other, weight, angle in ((k - 1, 1.4, TURN), (k + 1, 0.6, -TURN)):
                if 0 <= other < SEGMENTS:
                    _hear(recurrent, a, side, other, weight, angle)
    fast = torch.arange(units) < BODY
    parameters = {
        "U_m": torch.from_numpy(recurrent),
        "W_m": _sides(BODY).repeat(2, 1) * fast[:, None],
        "b_m": torch.where(fast, -2.0, -5.0).double(),
        "log_tau": torch.where(fast, 0.08, 0.45).double().log(),
    }
    part = recurrence(ContinuousTime(dt, "heun"), 2, units)
    return PatternGenerator(part, parameters, dt, 0, "neurons in mutual inhibition")


TURN = 0.3 * math.pi
"""Angle by which neurons hear their neighbour's rhythm turned, radians."""


def _hear(
    recurrent: np.ndarray, a: int, side: int, other: int, weight: float, angle: float
) -> None:
    """Let A and B of unit a hear those of another segment, left against right."""
    along, aside = weight * math.cos(angle), weight * math.sin(angle)
    for source, sign in ((side + other, 1), (SEGMENTS - side + other, -1)):
        recurrent[a, source] += sign * along
        recurrent[a, BODY + source] += sign * aside
        recurrent[BODY + a, source] -= sign * aside
        recurrent[BODY + a, BODY + source] += sign * along


def _sides(units: int) -> Tensor:
    """Which drive each unit hears ``(units, 2)``; limbs go left, right, left, right."""
    right = torch.cat(
        [
            torch.arange(2 * SEGMENTS) >= SEGMENTS,
            torch.arange(units - 2 * SEGMENTS) % 2 == 1,
        ]
    )
    return torch.stack([~right, right], 1).double()


def _couplings() -> tuple[np.ndarray, np.ndarray]:
    """Weights w_ij and phase lags phi_ij, of the pull of j on i ``(units, units)``."""
    units = BODY + 4
    weight, phase = np.zeros((2, units, units))

    def couple(i: int, j: int, w: float, phi: float) -> None:
        weight[i, j], phase[i, j] = w, phi

    for side in (0, SEGMENTS):
        for k in range(SEGMENTS):
            couple(side + k, SEGMENTS - side + k, 10, math.pi)
            if k:
                couple(side + k, side + k - 1, 10, LAG)
                couple(side + k - 1, side + k, 10, -LAG)
    fore_left, fore_right, hind_left, hind_right = range(BODY, units)
    pairs = [(fore_left, fore_right), (hind_left, hind_right)]
    pairs += [(fore_left, hind_left), (fore_right, hind_right)]
    for a, b in pairs:
        couple(a, b, 10, math.pi)
        couple(b, a, 10, math.pi)
    for limb in range(4):
        side, half = limb % 2, limb // 2
        for k in range(SEGMENTS // 2):
            segment = side * SEGMENTS + half * SEGMENTS // 2 + k
            couple(segment, BODY + limb, 30, math.pi)
    return weight, phase
