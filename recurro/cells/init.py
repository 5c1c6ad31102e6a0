"""Initial values of a cell's matrices, as the literature has them.

An initialiser fills a tensor in place: ``initialiser(tensor, generator) -> None``.
Matrices are ``(units out, units in)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Generator, Tensor, nn

from recurro.errors import ArgumentError, ShapeError
from recurro.types import Float

Initializer: TypeAlias = Callable[[Tensor, "Generator | None"], object]


def constant(value: float) -> Initializer:
    """Every element the same number (a forget bias of 1: Jozefowicz et al. 2015).

    Example:
        >>> constant(1.0)(bias := torch.empty(2), None); bias
        tensor([1., 1.])
    """

    def fill(tensor: Tensor, generator: Generator | None = None) -> None:
        nn.init.constant_(tensor, value)

    return fill


def uniform(bound: float) -> Initializer:
    """Uniform in [-bound, bound]."""
    if bound < 0:
        raise ArgumentError(f"uniform: bound must be >= 0, got {bound}.")

    def fill(tensor: Tensor, generator: Generator | None = None) -> None:
        nn.init.uniform_(tensor, -bound, bound, generator=generator)

    return fill


def glorot(tensor: Tensor, generator: Generator | None = None) -> None:
    """Uniform with variance 2 / (units in + units out).

    References:
        Glorot and Bengio (2010), AISTATS 9, equation 16.
    """
    nn.init.xavier_uniform_(tensor, generator=generator)


def orthogonal(tensor: Tensor, generator: Generator | None = None) -> None:
    """A random orthogonal matrix: all singular values are 1.

    References:
        Saxe, McClelland and Ganguli (2014), arXiv 1312.6120.
    """
    nn.init.orthogonal_(tensor, generator=generator)


def identity(scale: float = 1.0) -> Initializer:
    """The identity times a scale, so that a relu network starts by remembering.

    References:
        Le, Jaitly and Hinton (2015), arXiv 1504.00941.
    """

    def fill(tensor: Tensor, generator: Generator | None = None) -> None:
        nn.init.eye_(tensor)
        with torch.no_grad():
            tensor.mul_(scale)

    return fill


def with_spectral_radius(radius: float = 0.95) -> Initializer:
    """A Gaussian matrix scaled so that its largest eigenvalue has this modulus.

    A bit under 1, the linear part of the recurrence forgets slowly and never explodes.

    Args:
        radius: The wanted largest modulus of an eigenvalue, >= 0.

    Example:
        >>> with_spectral_radius(0.9)(w := torch.empty(8, 8), None)
        >>> round(spectral_radius(w), 4)
        0.9

    References:
        Jaeger (2001), GMD report 148.
    """
    if radius < 0:
        raise ArgumentError(f"with_spectral_radius: radius must be >= 0, got {radius}.")

    def fill(tensor: Tensor, generator: Generator | None = None) -> None:
        nn.init.normal_(tensor, std=tensor.shape[-1] ** -0.5, generator=generator)
        with torch.no_grad():
            tensor.mul_(radius / spectral_radius(tensor))

    return fill


def spectral_radius(matrix: Float[Tensor, "units units"]) -> float:
    """The largest modulus of an eigenvalue.

    Raises:
        ShapeError: If the matrix is not square.

    Example:
        >>> round(spectral_radius(torch.tensor([[0.0, 2.0], [-2.0, 0.0]])), 6)
        2.0
    """
    _check_square(matrix, "spectral_radius")
    return torch.linalg.eigvals(matrix.detach().double()).abs().max().item()


def bound_spectral_radius(
    matrix: Float[Tensor, "units units"], bound: float, squarings: int = 10
) -> None:
    """Scale a square matrix in place so that its spectral radius is at most ``bound``.

    Every power k gives rho(W) <= ||W^k||_F^(1/k) (Gelfand 1941). With k = 2^squarings
    the bound is about units^(1/2k) above the truth for a normal matrix, 0.3 % for 512
    units and 10 squarings, and costs ten products instead of an eigendecomposition.

    Args:
        matrix: The matrix, changed in place where it must be.
        bound: The largest modulus allowed, > 0.
        squarings: How often the power is doubled.

    Raises:
        ShapeError: If the matrix is not square.

    Example:
        >>> w = torch.eye(3) * 2
        >>> bound_spectral_radius(w, 0.9)
        >>> 0.89 < spectral_radius(w) <= 0.9
        True
    """
    if bound <= 0:
        raise ArgumentError(f"bound_spectral_radius: bound must be > 0, got {bound}.")
    _check_square(matrix, "bound_spectral_radius")
    power, log_scale, k = matrix.detach().clone(), 0.0, 1
    for _ in range(squarings):
        norm = torch.linalg.matrix_norm(power).item()
        if norm == 0:
            return
        power = (power / norm) @ (power / norm)
        log_scale, k = 2 * (log_scale + math.log(norm)), 2 * k
    norm = torch.linalg.matrix_norm(power).item()
    radius = math.exp((log_scale + math.log(norm)) / k) if norm > 0 else 0.0
    if radius > bound:
        with torch.no_grad():
            matrix.mul_(bound / radius)


def _check_square(matrix: Tensor, owner: str) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(
            f"{owner}: the matrix must be square, got {tuple(matrix.shape)}."
        )
