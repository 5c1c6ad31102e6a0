"""Eigenvalues of matrices whose answers are known, and of structures."""

from importlib import import_module

import numpy as np
import pytest
import torch
from scipy import sparse

from recurro import nn as recurro_nn
from recurro.analysis import chain_spectrum, linearise, spectra, spectrum
from recurro.cells import GRU, LSTM, Elman, Linear
from recurro.engine import BlockDiagonal, Diagonal, Sparse
from recurro.errors import ArgumentError
from recurro.nn import Recurrent

room = import_module(
    "recurro.analysis.spectrum"
)  # the package has a function so called


def test_a_hand_worked_matrix():
    matrix = torch.diag(torch.tensor([2.0, 0.5, -1.0])) + torch.triu(
        torch.ones(3, 3), 1
    )
    found = spectrum(matrix)
    np.testing.assert_allclose(found.eigenvalues, [2.0, -1.0, 0.5], atol=1e-12)
    assert found.radius == pytest.approx(2)
    assert found.norm == pytest.approx(np.linalg.norm(matrix.numpy(), 2))
    np.testing.assert_allclose(found.growth([0, 10])[1], 10 * np.log10([2, 1, 0.5]))
    np.testing.assert_allclose(found.conditioning([0, 3]), [0, 3 * np.log10(4)])


def test_growth_is_that_of_powers():
    matrix = torch.randn(5, 5, dtype=torch.float64)
    found = spectrum(matrix)
    power = np.linalg.matrix_power(matrix.numpy(), 60)
    radius = np.log10(abs(np.linalg.eigvals(power)).max())
    assert found.growth(60)[0, 0] == pytest.approx(radius)


def test_zero_has_growth_minus_infinity_and_no_condition():
    found = spectrum(torch.zeros(2, 2))
    assert found.radius == 0
    assert found.growth([0, 1]).tolist() == [[0, 0], [-np.inf, -np.inf]]
    assert found.conditioning([0, 1]).tolist() == [0, np.inf]


@pytest.mark.parametrize(
    "structure", [Diagonal(), BlockDiagonal(2), Sparse.random(6, 2)], ids=str
)
def test_structures_have_the_spectrum_of_their_dense_matrix(structure):
    layer = Recurrent(Elman(), 2, 6, recurrent=structure)
    (found,) = spectra(layer)
    dense = structure.dense(layer.U_h_l0.detach())
    if isinstance(structure, Diagonal):  # what is stored has one number a unit
        assert found.units == 6
    wanted = spectrum(dense)
    np.testing.assert_allclose(
        sorted(abs(found.eigenvalues)), sorted(abs(wanted.eigenvalues)), atol=1e-6
    )
    assert found.norm == pytest.approx(wanted.norm, abs=1e-5)
    assert found.is_whole


def test_every_matrix_is_named():
    layer = Recurrent(LSTM(), 2, 3, 2, bidirectional=True)
    names = [found.name for found in spectra(layer)]
    assert len(names) == 16
    assert names[0] == "U_i_l0" and names[-1] == "U_o_l1_reverse"
    assert len(spectra(recurro_nn.GRU(2, 3))) == 3
    assert spectra(Recurrent(LSTM(proj_size=2), 2, 3)) == ()  # none is square


def test_large_matrices_by_arnoldi(monkeypatch):
    monkeypatch.setattr(room, "WHOLE", 100)
    monkeypatch.setattr(room, "LARGEST", 10)
    rng = np.random.default_rng(0)
    matrix = sparse.random_array((300, 300), density=0.05, rng=rng).tocoo()
    places = torch.from_numpy(np.stack(matrix.coords).astype(np.int64))
    tensor = torch.sparse_coo_tensor(
        places, torch.from_numpy(matrix.data), (300, 300), check_invariants=True
    )
    dense = matrix.toarray()
    wanted = sorted(-abs(np.linalg.eigvals(dense)))[:10]
    for given in (tensor, tensor.to_dense()):
        found = spectrum(given)
        np.testing.assert_allclose(-abs(found.eigenvalues), wanted, rtol=1e-8)
        assert found.norm == pytest.approx(np.linalg.norm(dense, 2))
        assert not found.is_whole
        with pytest.raises(ArgumentError, match="all eigenvalues must be known"):
            found.conditioning(3)


def test_the_linearised_chain_is_the_mean_of_all_jacobians():
    layer = Recurrent(GRU(), 2, 4)
    (step,) = linearise(layer, torch.randn(7, 3, 2), dtype=torch.float64)
    mean = step.jacobians().mean((0, 1))
    found = chain_spectrum(step)
    np.testing.assert_allclose(found.eigenvalues, spectrum(mean).eigenvalues)
    (linear,) = linearise(Recurrent(Linear(), 2, 4), torch.randn(3, 1, 2))
    assert chain_spectrum(linear).radius == pytest.approx(0.95, abs=1e-4)


def test_bad_input(monkeypatch, unchecked):
    with pytest.raises(ArgumentError, match=r"must be square, got \(2, 3\)"):
        spectrum(torch.zeros(2, 3))
    with pytest.raises(ArgumentError, match="U must hold finite numbers"):
        spectrum(torch.full((2, 2), torch.nan), "U")
    with pytest.raises(ArgumentError, match="must be Recurrent, LSTM, GRU or RNN"):
        spectra(torch.nn.Linear(2, 2))
    monkeypatch.setattr(room, "WHOLE", 3)
    (step,) = linearise(Recurrent(GRU(), 2, 4), torch.randn(2, 1, 2))
    with pytest.raises(ArgumentError, match="at most 3 numbers, got 4"):
        chain_spectrum(step)
