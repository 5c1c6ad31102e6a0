"""What helps where gradient descent fails: momentum, Rprop, a bounded spectral radius.

**An ill-conditioned recurrence.** h_t = U h_{t-1} + W x_t reads one input, at its first
step, and is to show it T steps later as a teacher with other W does. The error is
quadratic in W, with curvatures l_i^2(T-1) by the eigenvalues l_i of U: its condition is
(l_1 / l_d)^2(T-1).

**An exploding one.** A simple recurrent network whose U begins at a spectral radius of
1.5 learns temporal order by plain gradient descent, with U brought back under a bound
after each update and without.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from recurro.bench.memory_tasks import TASKS
from recurro.cells import Elman, Linear, init
from recurro.errors import ArgumentError
from recurro.nn import Recurrent
from recurro.train.optim import make_optimizer
from recurro.train.settings import TrainSettings

__all__ = [
    "METHODS",
    "BoundRow",
    "Chain",
    "MethodRow",
    "bench_bounds",
    "bench_methods",
]

METHODS = ("gradient descent", "momentum", "nesterov", "rprop")

REACHED = 1e-3
"""The share of the first error at which a method has arrived."""


@dataclass(frozen=True)
class Chain:
    """The ill-conditioned recurrence.

    Attributes:
        units: Units of it.
        steps: T, >= 2.
        smallest: The smallest eigenvalue of U, in (0, 1]; the largest is 1, the others
            lie evenly between.
    """

    units: int = 8
    steps: int = 40
    smallest: float = 0.9

    def __post_init__(self) -> None:
        if self.units < 2 or self.steps < 2 or not 0 < self.smallest <= 1:
            raise ArgumentError(
                "bench optimizers: units and steps must be >= 2 and smallest in (0, "
                f"1], got {self.units}, {self.steps} and {self.smallest}."
            )

    @property
    def condition(self) -> float:
        """Largest over smallest curvature of the error, (l_1 / l_d)^2(T-1)."""
        return self.smallest ** (-2 * (self.steps - 1))


@dataclass(frozen=True)
class MethodRow:
    """One method on the ill-conditioned recurrence.

    Attributes:
        name: The method.
        learning_rate: Its rate.
        momentum: 0 without.
        updates: Until the error was a thousandth of the first one; ``None`` if not.
        errors: Before each update, over the first one.
    """

    name: str
    learning_rate: float
    momentum: float
    updates: int | None
    errors: tuple[float, ...]


def bench_methods(
    chain: Chain | None = None,
    *,
    updates: int = 1000,
    methods: Sequence[str] = METHODS,
    seed: int = 0,
) -> list[MethodRow]:
    """Learn the ill-conditioned recurrence by each method.

    Gradient descent gets the best rate there is for a quadratic error, 2 / (L + m), L
    and m the largest and the smallest curvature; momentum and Nesterov's the best pair
    (Polyak 1964): rate (2 / (sqrt L + sqrt m))^2 and momentum ((sqrt k - 1) /
    (sqrt k + 1))^2, k = L / m, of which Nesterov's takes the rate 1 / L. Rprop needs no
    tuning: it heeds signs alone.

    Args:
        chain: The recurrence.
        updates: How many at most, >= 1.
        methods: Of ``METHODS``.
        seed: Of the teacher and the first W.

    Raises:
        ArgumentError: If a name is unknown or a number out of its range.

    Example:
        >>> chain = Chain(units=4, steps=10)
        >>> descent, momentum = bench_methods(chain, methods=METHODS[:2])
        >>> momentum.updates < descent.updates
        True
    """
    chain = chain or Chain()
    unknown = [name for name in methods if name not in METHODS]
    if unknown or updates < 1:
        raise ArgumentError(
            f"bench optimizers: a method must be one of {', '.join(METHODS)} and "
            f"updates >= 1, got {unknown or updates}."
        )
    return [_learn(chain, name, updates, seed) for name in methods]


def _learn(chain: Chain, name: str, updates: int, seed: int) -> MethodRow:
    layer, x, target = _chain_problem(chain, seed)
    weight = layer.get_parameter("W_h_l0")
    settings = _settings(chain, name)
    optimizer = make_optimizer([weight], settings)
    errors: list[float] = []
    first = math.inf
    for _ in range(updates + 1):
        y, _ = layer(x)
        error = 0.5 * (y[-1] - target).square().sum()
        errors.append(float(error.detach()))
        first = errors[0]
        if errors[-1] <= REACHED * first:
            break
        weight.grad = None
        error.backward(inputs=[weight])
        optimizer.step()
    arrived = len(errors) - 1 if errors[-1] <= REACHED * first else None
    shares = tuple(error / first for error in errors)
    momentum = settings.momentum if name in ("momentum", "nesterov") else 0.0
    return MethodRow(name, settings.learning_rate, momentum, arrived, shares)


def _chain_problem(chain: Chain, seed: int) -> tuple[Recurrent, Tensor, Tensor]:
    """The layer, its input (one unit at the first step of each row), the target."""
    generator, n = Generator().manual_seed(seed), chain.units
    layer = Recurrent(Linear(), n, n, bias=False).double()
    basis = torch.empty(n, n, dtype=torch.float64)
    init.orthogonal(basis, generator)
    eigenvalues = torch.linspace(1.0, chain.smallest, n, dtype=torch.float64)
    x = torch.zeros(chain.steps, n, n, dtype=torch.float64)
    x[0] = torch.eye(n)
    with torch.no_grad():
        layer.get_parameter("U_h_l0").copy_(basis @ eigenvalues.diag() @ basis.T)
        weight = layer.get_parameter("W_h_l0")
        weight.copy_(torch.randn(n, n, generator=generator))
        target = layer(x)[0][-1].clone()
        weight.zero_()
    return layer, x, target


def _settings(chain: Chain, name: str) -> TrainSettings:
    """The best rate and momentum: the largest curvature is 1."""
    root = math.sqrt(chain.condition)  # of k = L / m; m = 1 / k
    values: dict[str, Any] = {"optimizer": "sgd", "momentum": 0.0}
    match name:
        case "momentum":
            values["learning_rate"] = (2 / (1 + 1 / root)) ** 2
            values["momentum"] = ((root - 1) / (root + 1)) ** 2
        case "nesterov":
            values |= {"learning_rate": 1.0, "nesterov": True}
            values["momentum"] = (root - 1) / (root + 1)
        case "rprop":
            values |= {"optimizer": "rprop", "learning_rate": 0.01}
        case _:
            values["learning_rate"] = 2 / (1 + 1 / root**2)
    return TrainSettings(**values)


@dataclass(frozen=True)
class BoundRow:
    """Training with one bound of the spectral radius.

    Attributes:
        bound: The bound; ``None`` for none.
        radius: Of U at the end.
        gradients: The norm of the gradient at each update.
        largest: The largest of them.
        error: Share of wrong answers at the end.
    """

    bound: float | None
    radius: float
    gradients: tuple[float, ...]
    largest: float
    error: float


def bench_bounds(
    bounds: Sequence[float | None] = (None, 1.0, 0.95),
    *,
    length: int = 50,
    updates: int = 300,
    units: int = 64,
    learning_rate: float = 0.05,
    seed: int = 0,
) -> list[BoundRow]:
    """Learn temporal order from a spectral radius of 1.5, with bounds and without.

    Args:
        bounds: Of the spectral radius, each > 0, or ``None``.
        length: Steps, >= 10.
        updates: How many, >= 1, of 32 sequences each.
        units: Of the network.
        learning_rate: Of plain gradient descent.
        seed: Of weights and sequences.

    Raises:
        ArgumentError: If a number is out of its range.
    """
    if updates < 1 or not bounds:
        raise ArgumentError(
            f"bench optimizers: updates must be >= 1 and a bound given, got {updates} "
            f"and {list(bounds)}."
        )
    return [
        _bounded(bound, length, updates, units, learning_rate, seed) for bound in bounds
    ]


def _bounded(
    bound: float | None,
    length: int,
    updates: int,
    units: int,
    learning_rate: float,
    seed: int,
) -> BoundRow:
    task, generator = TASKS["order"], Generator().manual_seed(seed + 1)
    torch.manual_seed(seed)
    wide = {"U": init.with_spectral_radius(1.5)}
    layer = Recurrent(Elman(), task.width, units, initial=wide, spectral_bound=bound)
    head = nn.Linear(units, task.outputs)
    layer.constrain()
    parameters = [*layer.parameters(), *head.parameters()]
    descent: dict[str, Any] = {"optimizer": "sgd", "momentum": 0.0}
    settings = TrainSettings(**descent, learning_rate=learning_rate)
    optimizer, gradients = make_optimizer(parameters, settings), []
    for _ in range(updates):
        problem = task.draw(length, 32, generator)
        told = head(layer(problem.x)[0][-1])
        loss = nn.functional.cross_entropy(told, problem.y[0])
        optimizer.zero_grad()
        loss.backward()
        norms = [p.grad.norm() for p in parameters if p.grad is not None]
        gradients.append(float(torch.stack(norms).norm()))
        optimizer.step()
        layer.constrain()
    test = task.draw(length, 1000, generator)
    with torch.no_grad():
        error = task.error(head(layer(test.x)[0][-1:]), test)
    (_, matrix), *_ = layer.recurrent_matrices()
    radius = init.spectral_radius(matrix)
    return BoundRow(bound, radius, tuple(gradients), max(gradients), error)
