"""The error over a plane of the parameters, its cliffs, and paths of descent on it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recurro.cells import Rate
from recurro.errors import ArgumentError
from recurro.nn import Recurrent

__all__ = [
    "Descent",
    "Surface",
    "axis",
    "descend",
    "error_surface",
    "pascanu_unit",
    "random_axis",
]

Axis = Mapping[str, Tensor]
"""A direction in the space of parameters: a tensor for some of their names."""

Loss = Callable[[nn.Module], Tensor]


@dataclass(frozen=True)
class Surface:
    """The error at the points of a grid.

    Attributes:
        a, b: Steps along the two axes, from the module's own parameters.
        error: ``(len(b), len(a))``; not finite where a run exploded.
    """

    a: np.ndarray
    b: np.ndarray
    error: np.ndarray

    def steepest(self) -> float:
        """The largest slope between neighbours: high where there is a cliff."""
        along = np.abs(np.diff(self.error, axis=1)) / np.diff(self.a)
        across = np.abs(np.diff(self.error, axis=0)) / np.diff(self.b)[:, None]
        return float(max(np.nanmax(along), np.nanmax(across)))


@dataclass(frozen=True)
class Descent:
    """A path of gradient descent.

    Attributes:
        places: Steps along the axes from where it began ``(steps + 1, 2)``.
        error: Before each step, and at the end ``(steps + 1,)``.
        gradient: The norm of the gradient at each step, before clipping ``(steps,)``.
        clipped: Whether it was clipped ``(steps,)``.
    """

    places: np.ndarray
    error: np.ndarray
    gradient: np.ndarray
    clipped: np.ndarray


def axis(module: nn.Module, name: str, index: tuple[int, ...] | None = None) -> Axis:
    """The direction of one number of a parameter, or of all its numbers alike.

    Args:
        module: Whose parameter it is.
        name: Of the parameter.
        index: Of the number; all if not given.

    Raises:
        ArgumentError: If there is no such parameter or number.
    """
    known = dict(module.named_parameters())
    if name not in known:
        raise ArgumentError(
            f"axis: name must be one of {', '.join(known) or 'no parameters'}, got "
            f"{name!r}."
        )
    if index is None:
        return {name: torch.ones_like(known[name])}
    direction = torch.zeros_like(known[name])
    try:
        direction[index] = 1.0
    except IndexError:
        raise ArgumentError(
            f"axis: index must be within {tuple(direction.shape)} of {name!r}, got "
            f"{index}."
        ) from None
    return {name: direction}


def random_axis(module: nn.Module, seed: int = 0) -> Axis:
    """A random direction in which each parameter moves by as much as its own norm.

    References:
        Li et al. (2018), arXiv 1712.09913, section 4, for a whole tensor as a filter.
    """
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, parameter in module.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator).to(parameter)
        found[name] = (
            drawn * (parameter.norm() / drawn.norm().clamp_min(1e-12)).detach()
        )
    return found


@torch.no_grad()
def error_surface(
    module: nn.Module,
    loss: Loss,
    axes: tuple[Axis, Axis],
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray,
) -> Surface:
    """The error over a plane through a module's parameters.

    Args:
        module: The network; it is left as it is.
        loss: The error of a network like it, a tensor of one number.
        axes: The two directions of the plane.
        a: Steps along the first, rising.
        b: Steps along the second, rising.

    Raises:
        ArgumentError: If steps do not rise.

    Example:
        >>> module, loss = pascanu_unit()
        >>> axes = axis(module, "U_r_l0"), axis(module, "b_r_l0")
        >>> surface = error_surface(module, loss, axes, [-1.0, 0.0], [0.0, 0.5, 1.0])
        >>> surface.error.shape
        (3, 2)

    References:
        Pascanu, Mikolov and Bengio (2013), arXiv 1211.5063, figure 6.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    for name, steps in (("a", a), ("b", b)):
        if steps.ndim != 1 or not len(steps) or not (np.diff(steps) > 0).all():
            raise ArgumentError(
                f"error_surface: {name} must be a row of rising steps, got the shape "
                f"{steps.shape}."
            )
    moved = copy.deepcopy(module)
    error = np.empty((len(b), len(a)))
    for row, along_b in enumerate(b):
        for column, along_a in enumerate(a):
            _place(moved, module, ((axes[0], along_a), (axes[1], along_b)))
            error[row, column] = float(loss(moved))
    return Surface(a, b, error)


def descend(
    module: nn.Module,
    loss: Loss,
    axes: tuple[Axis, Axis],
    *,
    steps: int,
    learning_rate: float,
    clip_norm: float | None = None,
) -> Descent:
    """Gradient descent within a plane, with the gradient's norm bounded or not.

    g <- g clip / ||g|| if ||g|| > clip;  (a, b) <- (a, b) - learning_rate g

    Args:
        module: Where it begins; it is left as it is.
        loss: As for ``error_surface``.
        axes: The two directions of the plane.
        steps: How many, >= 1.
        learning_rate: > 0.
        clip_norm: The largest norm of the gradient, > 0, or ``None``.

    Raises:
        ArgumentError: If a number is out of its range.

    References:
        Pascanu, Mikolov and Bengio (2013), arXiv 1211.5063, algorithm 1.
    """
    positive = learning_rate > 0 and (clip_norm is None or clip_norm > 0)
    if steps < 1 or not positive:
        raise ArgumentError(
            "descend: steps must be >= 1, learning_rate and clip_norm > 0, got "
            f"{steps}, {learning_rate} and {clip_norm}."
        )
    moved, place = copy.deepcopy(module), np.zeros(2)
    places, errors, norms = [place], [], []
    for _ in range(steps):
        error, slope = _slope(moved, loss, axes)
        norm = float(np.linalg.norm(slope))
        if clip_norm is not None and norm > clip_norm:
            slope = slope * (clip_norm / norm)
        place = place - learning_rate * slope
        _place(moved, module, tuple(zip(axes, place.tolist(), strict=True)))
        places.append(place)
        errors.append(error)
        norms.append(norm)
    errors.append(float(loss(moved).detach()))
    gradient = np.array(norms)
    clipped = gradient > (np.inf if clip_norm is None else clip_norm)
    return Descent(np.array(places), np.array(errors), gradient, clipped)


def _slope(
    module: nn.Module, loss: Loss, axes: tuple[Axis, Axis]
) -> tuple[float, np.ndarray]:
    """The error and its derivatives along the axes."""
    named = dict(module.named_parameters())
    error = loss(module)
    gradients = torch.autograd.grad(error, list(named.values()), allow_unused=True)
    by_name = dict(zip(named, gradients, strict=True))
    slope = [0.0, 0.0]
    for place, direction in enumerate(axes):
        for name, along in direction.items():
            gradient = by_name[name]
            if gradient is not None:
                slope[place] += float((gradient * along).sum())
    return float(error.detach()), np.array(slope)


@torch.no_grad()
def _place(
    moved: nn.Module, base: nn.Module, steps: tuple[tuple[Axis, float], ...]
) -> None:
    """Put a copy's parameters at a point of the plane."""
    known = dict(base.named_parameters())
    for name, parameter in moved.named_parameters():
        parameter.copy_(known[name])
    for direction, step in steps:
        for name, along in direction.items():
            moved.get_parameter(name).add_(along, alpha=float(step))


def pascanu_unit(
    weight: float = 5.0, bias: float = -2.0, *, steps: int = 50, target: float = 0.7
) -> tuple[Recurrent, Loss]:
    """The single unit whose error has a cliff, with its loss (s(r_T) - target)^2.

    r_t = w s(r_{t-1}) + b, s the logistic function, s(r_0) = 1/2: with w from 5 up it
    has two stable states for some b, and where one of them ends the error falls off.

    Args:
        weight: Where w begins.
        bias: Where b begins.
        steps: T, >= 1.
        target: What the unit is to show at the end.

    References:
        Pascanu, Mikolov and Bengio (2013), arXiv 1211.5063, figure 6: 50 steps, target
        0.7, first state 1/2.
    """
    if steps < 1:
        raise ArgumentError(f"pascanu_unit: steps must be >= 1, got {steps}.")
    unit = Recurrent(Rate("sigmoid"), 1, 1).double()
    with torch.no_grad():
        unit.get_parameter("U_r_l0").fill_(weight)
        unit.get_parameter("b_r_l0").fill_(bias)
    x = torch.zeros(steps, 1, 1, dtype=torch.float64)

    def loss(module: nn.Module) -> Tensor:
        y, _ = module(x)
        return (torch.sigmoid(y[-1, 0, 0]) - target) ** 2

    return unit, loss
