"""Bifurcation diagrams: where a recurrence ends up, as one of its numbers changes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recurro.analysis.lyapunov import lyapunov_spectrum
from recurro.analysis.trajectory import Trajectory, trajectories
from recurro.errors import ArgumentError

__all__ = ["BifurcationDiagram", "bifurcation_diagram", "scaled"]


@dataclass(frozen=True)
class BifurcationDiagram:
    """The states that a recurrence comes back to, for each value of a parameter.

    Attributes:
        values: Of the parameter ``(values,)``.
        visits: A unit after the washout ``(values, starts, steps)``.
        exponent: The largest Lyapunov exponent per step ``(values,)``: below 0 it
            settles, above 0 it is chaotic, near 0 it bifurcates.
    """

    values: np.ndarray
    visits: np.ndarray
    exponent: np.ndarray

    def counts(self, tolerance: float = 1e-3) -> np.ndarray:
        """How many different states are visited ``(values,)``: 1, 2, 4, ... or many.

        States closer than the tolerance are one.
        """
        ordered = np.sort(self.visits.reshape(len(self.values), -1), axis=1)
        return 1 + (np.diff(ordered, axis=1) > tolerance).sum(1)

    def changes(self, tolerance: float = 1e-3) -> np.ndarray:
        """Values at which the number of visited states is another than before."""
        counts = self.counts(tolerance)
        return self.values[1:][counts[1:] != counts[:-1]]


def scaled(layer: nn.Module, *names: str) -> Callable[[float], nn.Module]:
    """The way to a copy of a layer with some parameters times a factor.

    Args:
        layer: ``Recurrent``, or a drop-in.
        names: Parameters; all recurrent matrices (``U_...`` and ``weight_hh...``) if
            not given.

    Raises:
        ArgumentError: If there is no such parameter.
    """
    known = dict(layer.named_parameters())
    chosen = names or [n for n in known if n.startswith(("U", "weight_hh"))]
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise ArgumentError(
            f"scaled: the names must be of parameters, got {unknown or 'none'}. There "
            f"are {', '.join(known) or 'none'}."
        )

    def made(factor: float) -> nn.Module:
        other = copy.deepcopy(layer)
        with torch.no_grad():
            for name in chosen:
                other.get_parameter(name).mul_(factor)
        return other

    return made


def bifurcation_diagram(
    make: Callable[[float], nn.Module],
    values: Sequence[float] | np.ndarray,
    *,
    steps: int = 500,
    keep: int = 50,
    starts: int = 8,
    spread: float = 1.0,
    unit: int = 0,
    x: Tensor | None = None,
    seed: int = 0,
) -> BifurcationDiagram:
    """Let a recurrence run for each value of a parameter and note where it ends up.

    Args:
        make: A layer for a value, such as ``scaled(layer)`` for a factor of the
            recurrent matrices.
        values: Of the parameter.
        steps: Steps of each run.
        keep: The last steps, which are noted; in [1, steps].
        starts: Runs from different states, which may end up in different places.
        spread: First states are uniform in [-spread, spread], the same for all values.
        unit: The unit of the top layer's first state variable that is noted.
        x: Input ``(steps, input)`` at each step, or ``(input,)`` at all; zeros if not
            given.
        seed: Of the first states.

    Raises:
        ArgumentError: If a number is out of its range, or states are not finite.

    Example:
        >>> from recurro.cells import Elman, init
        >>> from recurro.nn import Recurrent
        >>> one = Recurrent(Elman(), 1, 1, initial={"U": init.constant(1.0)})
        >>> diagram = bifurcation_diagram(scaled(one), [0.5, 2.0])
        >>> diagram.counts()  # h = tanh(w h): 0, then two states, one of each sign
        array([1, 2])

    References:
        Strogatz (1994), Nonlinear Dynamics and Chaos, section 10.2; for recurrent
        networks Pascanu, Mikolov and Bengio (2013), arXiv 1211.5063, section 2.2.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ArgumentError(
            "bifurcation_diagram: values must be a row of finite numbers, got the "
            f"shape {values.shape}."
        )
    if not (1 <= keep <= steps and starts >= 1 and unit >= 0 and spread >= 0):
        raise ArgumentError(
            "bifurcation_diagram: keep must be in [1, steps], starts >= 1, unit >= 0 "
            f"and spread >= 0, got {keep} of {steps}, {starts}, {unit} and {spread}."
        )
    visits, exponents = [], []
    for value in values:
        layer = make(float(value)).double()
        given = _input(layer, x, steps, starts)
        state = _starts(layer, given, spread, seed)
        run = trajectories(layer, given, state)[-1]
        visits.append(_noted(run, unit, keep, float(value)))
        found = lyapunov_spectrum(layer, given, 1, state=state, washout=steps - keep)
        exponents.append(max(each.exponents[0] for each in found))
    return BifurcationDiagram(values, np.stack(visits), np.array(exponents))


def _input(layer: nn.Module, x: Tensor | None, steps: int, starts: int) -> Tensor:
    if x is None:
        x = torch.zeros(getattr(layer, "input_size", 1))
    if x.ndim == 1:
        x = x.expand(steps, -1)
    if x.ndim != 2 or len(x) != steps:
        raise ArgumentError(
            f"bifurcation_diagram: x must be (steps={steps}, input) or (input,), got "
            f"{tuple(x.shape)}."
        )
    return x.double().unsqueeze(1).expand(-1, starts, -1)


def _starts(
    layer: nn.Module, x: Tensor, spread: float, seed: int
) -> tuple[tuple[Tensor, ...], ...]:
    """First states of all layers, the same for layers of the same sizes."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        tuple(
            spread
            * (2 * torch.rand(s.shape[1:], dtype=s.dtype, generator=generator) - 1)
            for s in run.old
        )
        for run in trajectories(layer, x[:1])
    )


def _noted(run: Trajectory, unit: int, keep: int, value: float) -> np.ndarray:
    states = run.new[0]
    if unit >= states.shape[-1]:
        raise ArgumentError(
            f"bifurcation_diagram: unit must be in [0, {states.shape[-1]}), got {unit}."
        )
    kept = states[-keep:, :, unit]
    if not torch.isfinite(kept).all():
        raise ArgumentError(
            f"bifurcation_diagram: states must stay finite, got NaN or infinity at the "
            f"value {value:g}. Leave it out, or begin nearer to 0 by a smaller spread."
        )
    return kept.T.numpy()
