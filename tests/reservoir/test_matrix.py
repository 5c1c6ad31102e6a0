"""Recurrent matrices at their spectral radius."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from recurro.engine import Sparse
from recurro.errors import ArgumentError
from recurro.reservoir.matrix import (
    draw_matrix,
    entries_per_row,
    radius_of,
    scale_to_radius,
)


@settings(max_examples=25, deadline=None)
@given(
    units=st.integers(2, 120),
    radius=st.floats(0.01, 3),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_a_drawn_matrix_has_its_radius_and_its_entries(units, radius, seed, data):
    per_row = data.draw(st.integers(min(units, 2), units))
    try:
        w = draw_matrix(units, per_row, radius, np.random.default_rng(seed))
    except ArgumentError as error:  # all cycles may cancel in a small matrix
        assert "no eigenvalue but 0" in str(error)
        return
    assert (np.diff(w.indptr) == per_row).all()
    assert len(np.unique(np.abs(w.data).round(12))) == 1
    reached = np.abs(np.linalg.eigvals(w.toarray())).max()
    # Multiple eigenvalues of the largest modulus are known to half the digits alone.
    assert reached == pytest.approx(radius, rel=1e-4)


def test_a_large_matrix_is_drawn_at_once():
    start = time.process_time()
    w = draw_matrix(10_000, 10, 0.9, np.random.default_rng(0))
    assert time.process_time() - start < 3
    assert radius_of(w) == pytest.approx(0.9, rel=1e-5)
    assert w.nnz == 100_000
    columns = w.indices.reshape(-1, 10)
    assert (np.diff(columns[:16], axis=0) == 1).all()  # rows that run fast


def test_rows_that_share_a_choice_have_the_eigenvalues_of_others():
    pattern = Sparse.random(480, 10, torch.Generator().manual_seed(0), run=16)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], 4800) / np.sqrt(10)
    w = csr_array((signs, pattern.indices, pattern.indptr), shape=(480, 480))
    found = np.abs(np.linalg.eigvals(w.toarray()))
    for radius in (0.25, 0.5, 0.75):  # the circular law: uniform on a disc
        assert (found < radius).mean() == pytest.approx(radius**2, abs=0.05)


def test_a_share_of_the_units():
    assert entries_per_row(400, 0.0125) == 5
    assert entries_per_row(3, 0.01) == 1
    assert entries_per_row(7, 1.0) == 7
    assert entries_per_row(7, 1) == 1


@pytest.mark.parametrize("connectivity", [0, 11, 0.0, 1.5, -0.1, float("nan")])
def test_an_impossible_connectivity_is_refused(connectivity):
    with pytest.raises(ArgumentError, match=r"connectivity: must be an int in \[1, un"):
        entries_per_row(10, connectivity)


def test_radius_zero_makes_all_entries_zero():
    w = draw_matrix(20, 3, 0.0, np.random.default_rng(0))
    assert w.nnz == 60
    assert not w.data.any()
    assert radius_of(w) == 0


@pytest.mark.parametrize("units", [3, 300])
def test_a_matrix_without_cycles_cannot_be_scaled(units):
    above = csr_array(np.triu(np.ones((units, units)), 1))
    for matrix in (above, csr_array((units, units))):
        assert radius_of(matrix) == 0
        with pytest.raises(ArgumentError, match="no eigenvalue but 0, got"):
            scale_to_radius(matrix, 0.9)
        assert radius_of(scale_to_radius(matrix, 0.0)) == 0


@pytest.mark.parametrize("radius", [-0.1, float("inf"), float("nan")])
def test_a_radius_out_of_range_is_refused(radius):
    with pytest.raises(ArgumentError, match="spectral_radius: must be a number >= 0"):
        scale_to_radius(csr_array(np.eye(2)), radius)


def test_a_radius_above_one_is_allowed():
    w = draw_matrix(300, 5, 1.4, np.random.default_rng(1))
    assert np.abs(np.linalg.eigvals(w.toarray())).max() == pytest.approx(1.4, rel=1e-5)
