"""The contract on the layers: the general one with its options, and the drop-ins."""

from __future__ import annotations

import pytest

from recurro import BlockDiagonal, Diagonal, Sparse, cells, nn
from recurro.nn import Recurrent
from tests.contract import CHECKS, HIDDEN, INPUT, LayerSubject

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supp")


def general(name, cell, random=False, **options):
    layer = Recurrent(cell, INPUT, HIDDEN, **options)
    kernel = layer._stack.layers[0][0].kernel
    fast = "auto" if kernel else "reference"  # to render one costs a compilation
    return LayerSubject(name, layer, random, fast)


def drop_in(name, layer, random=False, **options):
    return LayerSubject(name, layer(INPUT, HIDDEN, **options), random)


SUBJECTS = [
    general("one layer", cells.ChoGRU()),
    general("without bias", cells.LayerNormLSTM(), bias=False),
    general("two layers", cells.LSTM(proj_size=2), num_layers=2),
    general("bidirectional", cells.GRU(), num_layers=2, bidirectional=True),
    general("residual", cells.MinGRU(), num_layers=3, residual=True),
    general("deep", cells.Elman(), transition_depth=3),
    general("diagonal", cells.ChoGRU(), recurrent=Diagonal()),
    general("blocks", cells.LSTM(), recurrent=BlockDiagonal(3)),
    general("sparse", cells.Leaky(0.3), recurrent=Sparse([0, 1, 1, 3], [2, 0, 1])),
    general("dropout", cells.GRU(), True, num_layers=2, dropout=0.4),
    general("variational", cells.LSTM(), True, num_layers=2, variational_dropout=0.4),
    general("recurrent dropout", cells.LSTM(), True, recurrent_dropout=0.4),
    general("zoneout", cells.PeepholeLSTM(), True, zoneout=0.4),
    general("weight drop", cells.LSTM(), True, weight_drop=0.4),
    general(
        "everything",
        cells.GRU(),
        True,
        num_layers=2,
        bidirectional=True,
        residual=True,
        variational_dropout=0.3,
        recurrent_dropout=0.3,
        zoneout=0.3,
        weight_drop=0.3,
        transition_depth=2,
        spectral_bound=0.9,
    ),
    drop_in("LSTM", nn.LSTM, num_layers=2, bidirectional=True),
    drop_in("LSTM with projection", nn.LSTM, proj_size=2),
    drop_in("LSTM with dropout", nn.LSTM, True, num_layers=2, dropout=0.4),
    drop_in("GRU", nn.GRU, num_layers=2),
    drop_in("RNN", nn.RNN, nonlinearity="relu", bias=False),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_contract(subject, check):
    check(subject)
