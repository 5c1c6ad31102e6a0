"""Initial values have the properties that their papers give them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.cells import init
from recurro.engine import Sparse
from recurro.errors import ArgumentError, ShapeError


def filled(initializer, *shape, seed=0):
    tensor = torch.full(shape, math.nan, dtype=torch.float64)
    initializer(tensor, torch.Generator().manual_seed(seed))
    return tensor


def radius(matrix):
    return np.abs(np.linalg.eigvals(matrix.double().numpy())).max()


SOME = {
    "glorot": init.glorot,
    "orthogonal": init.orthogonal,
    "uniform": init.uniform(0.3),
    "with_spectral_radius": init.with_spectral_radius(0.9),
}


@pytest.mark.parametrize("name", SOME)
def test_the_generator_alone_decides(name):
    torch.manual_seed(1)
    one = filled(SOME[name], 6, 6, seed=3)
    torch.manual_seed(2)
    assert torch.equal(one, filled(SOME[name], 6, 6, seed=3))
    assert not torch.equal(one, filled(SOME[name], 6, 6, seed=4))
    SOME[name](tensor := torch.empty(6, 6), None)  # torch's own generator
    assert tensor.isfinite().all()


def test_the_same_values_in_every_type_of_number():
    tensor = torch.empty(4, 4, dtype=torch.float32, requires_grad=True)
    init.identity(0.5)(tensor, None)
    assert torch.equal(tensor, 0.5 * torch.eye(4))
    assert tensor.requires_grad


def test_constant():
    assert filled(init.constant(1.5), 3, 2).unique().tolist() == [1.5]


def test_uniform():
    values = filled(init.uniform(0.3), 200, 300)
    assert -0.3 <= values.min() < -0.299
    assert 0.299 < values.max() <= 0.3
    assert abs(values.mean()) < 0.003
    with pytest.raises(ArgumentError, match=r"bound must be >= 0, got -1\."):
        init.uniform(-1)


def test_glorot_has_its_variance():
    values = filled(init.glorot, 300, 200)
    assert values.var().item() == pytest.approx(2 / 500, rel=0.02)
    assert values.abs().max() <= math.sqrt(6 / 500)


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (4, 7)])
def test_orthogonal(shape):
    values = filled(init.orthogonal, *shape)
    singular = torch.linalg.svdvals(values)
    torch.testing.assert_close(singular, torch.ones_like(singular))


def test_orthogonal_is_uniform_over_reflections_too():
    signs = {
        round(torch.det(filled(init.orthogonal, 3, 3, seed=s)).item())
        for s in range(20)
    }
    assert signs == {1, -1}


@pytest.mark.parametrize("wanted", [0.0, 0.5, 0.95, 1.3])
@pytest.mark.parametrize("size", [1, 2, 50])
def test_a_given_spectral_radius(wanted, size):
    values = filled(init.with_spectral_radius(wanted), size, size)
    assert radius(values) == pytest.approx(wanted, abs=1e-9)
    with pytest.raises(ArgumentError, match=r"radius must be >= 0, got -0\.1\."):
        init.with_spectral_radius(-0.1)


def test_the_spectral_radius_of_known_matrices():
    turn = torch.tensor([[0.0, 3.0], [-3.0, 0.0]])  # eigenvalues +-3i
    assert init.spectral_radius(turn) == pytest.approx(3)
    assert init.spectral_radius(torch.tensor([[0.0, 5.0], [0.0, 0.0]])) == 0
    assert init.spectral_radius(torch.diag(torch.tensor([0.1, -0.7]))) == pytest.approx(
        0.7
    )


@pytest.mark.usefixtures("unchecked")
def test_a_spectral_radius_is_that_of_a_square_matrix():
    for shape in ((2, 3), (4,)):
        message = (
            rf"the matrix must be square, got \({', '.join(map(str, shape))},?\)\."
        )
        with pytest.raises(ShapeError, match=f"^spectral_radius: {message}"):
            init.spectral_radius(torch.zeros(shape))
        with pytest.raises(ShapeError, match=f"^bound_spectral_radius: {message}"):
            init.bound_spectral_radius(torch.zeros(shape), 0.9)


KINDS = {
    "gaussian": lambda g, n: torch.randn(n, n, generator=g, dtype=torch.float64),
    "orthogonal": lambda g, n: torch.linalg.qr(KINDS["gaussian"](g, n)).Q,
    "symmetric": lambda g, n: (a := KINDS["gaussian"](g, n)) + a.T,
    "rank one": lambda g, n: torch.outer(*KINDS["gaussian"](g, max(n, 2))[:2, :n]),
    "positive": lambda g, n: KINDS["gaussian"](g, n).abs(),
    "skewed": lambda g, n: KINDS["gaussian"](g, n) * torch.logspace(0, 3, n),
}


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    size=st.integers(1, 40),
    seed=st.integers(0, 10**6),
    scale=st.floats(1e-8, 1e8),
    bound=st.floats(0.1, 2.0),
)
def test_bounding_leaves_a_radius_just_under_the_bound(kind, size, seed, scale, bound):
    matrix = KINDS[kind](torch.Generator().manual_seed(seed), size) * scale
    before = matrix.clone()
    init.bound_spectral_radius(matrix, bound)
    if radius(before) <= 0.98 * bound:
        assert torch.equal(matrix, before)
        return
    assert 0.98 * bound <= radius(matrix) <= bound * (1 + 1e-9)
    factor = matrix.norm() / before.norm()  # only the scale changes
    torch.testing.assert_close(matrix, before * factor)


def test_bounding_holds_in_single_precision_and_for_a_view():
    weights = torch.randn(3 * 64, 64, requires_grad=True)
    for part in weights.split(64):
        init.bound_spectral_radius(part, 0.9)
    for part in weights.detach().split(64):
        assert 0.98 * 0.9 <= radius(part) <= 0.9 * (1 + 1e-5)


def test_bounding_what_has_no_eigenvalue_changes_nothing():
    for matrix in (torch.zeros(3, 3), torch.triu(torch.ones(4, 4), 1) * 1e6):
        before = matrix.clone()
        init.bound_spectral_radius(matrix, 0.9)
        assert torch.equal(matrix, before)


@pytest.mark.parametrize("bound", [0.0, -1.0])
def test_a_bound_must_be_positive(bound):
    with pytest.raises(ArgumentError, match="bound must be > 0"):
        init.bound_spectral_radius(torch.eye(2), bound)


# -- sparse matrices -------------------------------------------------------------------


def sparse(units, per_row, seed=0):
    pattern = Sparse.random(units, per_row, torch.Generator().manual_seed(seed))
    elements = torch.zeros(pattern.shape(units))
    return elements, pattern.matrices(elements)


@pytest.mark.parametrize("units", [6, 700])
def test_a_sparse_matrix_gets_its_radius(units):
    elements, matrix = sparse(units, 5)
    init.with_spectral_radius(0.9)(matrix, torch.Generator().manual_seed(0))
    exact = radius(matrix.to_dense().double())
    assert exact == pytest.approx(0.9, rel=1e-4)
    assert init.spectral_radius(matrix) == pytest.approx(exact, rel=1e-4)
    before = elements.clone()
    init.bound_spectral_radius(matrix, 2.0)
    assert torch.equal(elements, before)
    init.bound_spectral_radius(matrix, 0.3)
    assert radius(matrix.to_dense().double()) == pytest.approx(0.3, rel=1e-4)


def test_what_fills_a_sparse_matrix():
    elements, matrix = sparse(6, 2)
    init.uniform(0.5)(matrix, None)
    assert 0 < elements.abs().min() <= elements.abs().max() <= 0.5
    init.constant(3.0)(matrix, None)
    assert elements.eq(3).all()
    init.orthogonal(matrix, None)
    assert radius(matrix.to_dense().double()) == pytest.approx(1.0, rel=1e-4)
    with pytest.raises(ArgumentError, match="must have its whole diagonal"):
        init.identity()(matrix, None)
    elements, matrix = sparse(4, 4)
    init.identity(0.5)(matrix, None)
    assert torch.equal(matrix.to_dense(), 0.5 * torch.eye(4))


def test_a_pattern_without_cycles_has_no_radius():
    pattern = Sparse([0, 1, 2, 2], [1, 2])
    elements = torch.zeros(2)
    init.with_spectral_radius(0.9)(pattern.matrices(elements), None)
    assert elements.all()
    assert elements.isfinite().all()
    init.bound_spectral_radius(pattern.matrices(elements), 0.1)


def test_blocks_are_bounded_each_by_itself():
    blocks = torch.stack([2 * torch.eye(3), 0.5 * torch.eye(3), torch.zeros(3, 3)])
    init.bound_spectral_radius(blocks, 0.9)
    assert 0.89 < radius(blocks[0]) <= 0.9
    assert torch.equal(blocks[1:], torch.stack([0.5 * torch.eye(3), torch.zeros(3, 3)]))
