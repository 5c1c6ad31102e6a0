"""Cells that move by themselves: coupled phases, neurons in continuous time, chaos."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from recurro.cells import init
from recurro.cells.flow import Flow
from recurro.cells.ops import Value, cos, exp, sigmoid, sin, where
from recurro.errors import ArgumentError


@dataclass(frozen=True)
class PhaseOscillator(Flow):
    """Coupled phase oscillators whose amplitude follows a drive.

    theta'_i = 2 pi nu_i + sum_j r_j w_ij sin(theta_j - theta_i - phi_ij)
    r''_i = a (a / 4 (R_i - r_i) - r'_i)
    output r_i (1 + cos theta_i)

    The drive d_i = W_d x of an oscillator sets its frequency nu_i (Hz) and amplitude
    R_i: each slope d + offset while low <= d <= high, and 0 elsewhere. The sum over j
    is two matrices, U_C = w cos(phi) and U_S = w sin(phi), on r sin theta and r cos
    theta. Parameters start as those of the salamander's body, uncoupled; ``dt`` is in
    seconds.

    Attributes:
        gain: a, how fast the amplitude follows, per second.

    References:
        Ijspeert et al. (2007), Science 315, doi:10.1126/science.1138353, equation 1
        and table S1.
    """

    state: ClassVar[tuple[str, ...]] = ("theta", "r", "v")
    gain: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.gain) and self.gain > 0):
            raise ArgumentError(f"PhaseOscillator: gain must be > 0, got {self.gain}.")

    def derivative(self, x: Value, theta: Value, r: Value, v: Value) -> Value:
        d = self.affine("d", x, bias=False)
        nu, R = self._driven("nu", d), self._driven("R", d)
        p, q = r * sin(theta), r * cos(theta)
        along = self._coupled("C", p) - self._coupled("S", q)
        across = self._coupled("S", p) + self._coupled("C", q)
        turn = cos(theta) * along - sin(theta) * across
        a = self.gain
        return 2 * math.pi * nu + turn, v, a * (a / 4 * (R - r) - v)

    def output(self, *state: Value) -> Value:
        theta, r, _ = state
        return r * (1 + cos(theta))

    def _coupled(self, name: str, operand: Value) -> Value:
        return self.affine(name, operand, bias=False)

    def _driven(self, name: str, d: Value) -> Value:
        line = self.vector(f"{name}_slope") * d + self.vector(f"{name}_offset")
        below = where(d <= self.vector("high"), line, 0 * d)
        return where(d >= self.vector("low"), below, 0 * d)

    def initial(self) -> Mapping[str, init.Initializer]:
        body = {"low": 1.0, "high": 5.0, "nu_slope": 0.2, "nu_offset": 0.3}
        body |= {"R_slope": 0.065, "R_offset": 0.196, "W": 1.0, "U": 0.0}
        return {name: init.constant(value) for name, value in body.items()}


@dataclass(frozen=True)
class ContinuousTime(Flow):
    """Leaky-integrator neurons in continuous time, often called a CTRNN.

    tau m' = -m + W x + U sigmoid(m) + b,  output sigmoid(m)

    tau = exp(log_tau) is learnt for each neuron and starts at ten steps.

    References:
        Beer (1995), Adaptive Behavior 3, equation 1; Ijspeert (2001), Biological
        Cybernetics 84, doi:10.1007/s004220000211, equations 1 and 2.
    """

    state: ClassVar[tuple[str, ...]] = ("m",)

    def derivative(self, x: Value, m: Value) -> Value:
        return (self.affine("m", x, sigmoid(m)) - m) * exp(-self.vector("log_tau"))

    def output(self, *state: Value) -> Value:
        return sigmoid(state[0])

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"log_tau": init.constant(math.log(10 * self.dt))}


@dataclass(frozen=True)
class Lorenz(Flow):
    """Lorenz' model of convection, one system in each unit; it reads no input.

    X' = sigma (Y - X),  Y' = X (rho - Z) - Y,  Z' = X Y - beta Z

    At the usual values its Lyapunov exponents are 0.906, 0 and -14.57.

    Attributes:
        sigma, rho, beta: As in the equations.

    References:
        Lorenz (1963), Journal of the Atmospheric Sciences 20, equations 25 to 27.
    """

    state: ClassVar[tuple[str, ...]] = ("X", "Y", "Z")
    sigma: float = 10.0
    rho: float = 28.0
    beta: float = 8 / 3

    def derivative(self, x: Value, X: Value, Y: Value, Z: Value) -> Value:
        return self.sigma * (Y - X), X * (self.rho - Z) - Y, X * Y - self.beta * Z
