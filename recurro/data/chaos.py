"""Chaotic series that are made and not measured: Mackey-Glass and Lorenz."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

from recurro.errors import ArgumentError

__all__ = ["LORENZ_EXPONENT", "lorenz", "mackey_glass"]

LORENZ_EXPONENT = 0.906
"""The largest Lyapunov exponent of ``lorenz``, per unit of time."""


def mackey_glass(
    steps: int,
    *,
    tau: float = 17.0,
    beta: float = 0.2,
    gamma: float = 0.1,
    power: float = 10.0,
    euler_step: float = 0.1,
    every: int = 10,
    transient: int = 1000,
    seed: int | None = 0,
) -> np.ndarray:
    """The series of a delay equation, by Euler's method.

    dy/dt = beta y(t - tau) / (1 + y(t - tau)^power) - gamma y(t)

    Args:
        steps: Steps of the series, >= 1.
        tau: The delay; chaotic above 16.8.
        beta: Production.
        gamma: Decay.
        power: How steep production falls.
        euler_step: Time of one step of the method.
        every: Steps of the method for each of the series.
        transient: Steps of the series that are thrown away first.
        seed: The past before time 0 is 1.2 with uniform noise of 0.2 at most, drawn
            from this.

    Returns:
        ``(steps,)``, about 0.2 to 1.4.

    Raises:
        ArgumentError: If the delay is no positive multiple of the step, or a count is
            out of its range.

    Example:
        >>> y = mackey_glass(100)
        >>> y.shape, bool((y > 0.2).all() and (y < 1.4).all())
        ((100,), True)

    References:
        Mackey and Glass (1977), Science 197:287; steps as in Jaeger (2001), GMD report
        148, section 6.
    """
    delay = round(tau / euler_step)
    if delay < 1 or abs(delay * euler_step - tau) > 1e-9 * tau:
        raise ArgumentError(
            "mackey_glass: tau must be a positive multiple of euler_step="
            f"{euler_step}, got {tau}."
        )
    if steps < 1 or every < 1 or transient < 0:
        raise ArgumentError(
            f"mackey_glass: steps and every must be >= 1 and transient >= 0, got "
            f"{steps}, {every} and {transient}."
        )
    past = 1.2 + np.random.default_rng(seed).uniform(-0.2, 0.2, delay + 1)
    total = (transient + steps) * every
    y = [*past.tolist()]  # plain floats: numpy's would cost five times as much
    for now in range(delay, delay + total):
        late = y[now - delay]
        y.append(
            y[now] + euler_step * (beta * late / (1 + late**power) - gamma * y[now])
        )
    return np.array(y[delay + 1 + transient * every :: every][:steps])


def lorenz(
    steps: int,
    *,
    dt: float = 0.02,
    sigma: float = 10.0,
    rho: float = 28.0,
    beta: float = 8 / 3,
    transient: float = 20.0,
    tolerance: float = 1e-10,
    seed: int | None = 0,
) -> np.ndarray:
    """A trajectory of Lorenz's equations, by an adaptive Runge-Kutta method.

    dx/dt = sigma (y - x),  dy/dt = x (rho - z) - y,  dz/dt = x y - beta z

    Args:
        steps: Steps of the series, >= 1.
        dt: Time between them.
        sigma: Prandtl number.
        rho: Rayleigh number.
        beta: Geometric factor.
        transient: Time that is thrown away first.
        tolerance: Relative and absolute error of a step of the method.
        seed: The start is (1, 1, 1) with standard normal noise drawn from this.

    Returns:
        ``(steps, 3)``.

    Raises:
        ArgumentError: If a count or a time is out of its range.

    Example:
        >>> lorenz(10).shape
        (10, 3)

    References:
        Lorenz (1963), doi:10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2; method DOP853
        of Hairer, Nørsett and Wanner (1993).
    """
    if steps < 1 or dt <= 0 or transient < 0:
        raise ArgumentError(
            f"lorenz: steps must be >= 1, dt > 0 and transient >= 0, got {steps}, {dt} "
            f"and {transient}."
        )

    def flow(_: float, state: np.ndarray) -> tuple[float, float, float]:
        x, y, z = state.tolist()
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    times = transient + dt * np.arange(steps)
    found = solve_ivp(
        flow,
        (0.0, float(times[-1])),
        1.0 + np.random.default_rng(seed).normal(size=3),
        method="DOP853",
        t_eval=times,
        rtol=tolerance,
        atol=tolerance,
    )
    return found.y.T
