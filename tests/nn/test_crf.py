from itertools import pairwise, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.cells import Cell
from recurro.cells.ops import amax, exp, log
from recurro.errors import ArgumentError, DataError, ShapeError
from recurro.nn import CRF, Recurrent

# B-x, I-x, O and the edge: I-x follows B-x or itself alone.
BIO = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 1, 0]]).bool()


def make(tags, allowed=None, seed=0):
    torch.manual_seed(seed)
    crf = CRF(tags, allowed).double()
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    return crf


def every_path(crf, emissions):
    """Each allowed path of one row ``(time, tags)`` with its score, by definition."""
    steps, size = emissions.shape
    allowed = crf.allowed
    if allowed is None:
        allowed = torch.ones(size + 1, size + 1, dtype=torch.bool)
    for path in product(range(size), repeat=steps):
        if steps and all(allowed[move] for move in pairwise((-1, *path, -1))):
            score = crf.start[path[0]] + crf.end[path[-1]]
            score = score + sum(emissions[t, y] for t, y in enumerate(path))
            yield path, score + sum(crf.transitions[a, b] for a, b in pairwise(path))


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    allowed=st.sampled_from([None, BIO]),
    seed=st.integers(0, 99),
)
def test_all_paths_by_hand(lengths, allowed, seed):
    crf = make(3, allowed, seed)
    time = max(lengths) + seed % 2
    emissions = 3 * torch.randn(time, len(lengths), 3, dtype=torch.float64)
    sizes = torch.tensor(lengths)
    log_z, marginals = (
        crf.log_partition(emissions, sizes),
        crf.marginals(emissions, sizes),
    )
    best, log_p = crf.decode_best(emissions, 4, sizes)
    for row, length in enumerate(lengths):
        paths = dict(every_path(crf, emissions[:length, row]))
        scores = torch.stack(list(paths.values()))
        torch.testing.assert_close(log_z[row], scores.logsumexp(0))

        expected = torch.zeros(time, 3, dtype=torch.float64)
        for path, score in paths.items():
            for t, tag in enumerate(path):
                expected[t, tag] += (score - log_z[row]).exp()
        torch.testing.assert_close(marginals[:, row], expected)

        tags = torch.full((time, len(lengths)), -7)
        ranked = sorted(paths, key=paths.get, reverse=True)[:4]
        for rank, path in enumerate(ranked):
            assert best[rank, :length, row].tolist() == list(path)
            assert (best[rank, length:, row] == -1).all()
            torch.testing.assert_close(log_p[rank, row], paths[path] - log_z[row])
        assert (best[len(ranked) :, :, row] == -1).all()
        assert log_p[len(ranked) :, row].isneginf().all()

        only = slice(row, row + 1)
        tags[:length, row] = torch.tensor(ranked[-1])
        loss = crf(emissions[:, only], tags[:, only], sizes[only])
        torch.testing.assert_close(loss[0], log_z[row] - paths[ranked[-1]])
        assert (crf.decode(emissions, sizes) == best[0]).all()


@pytest.mark.parametrize("allowed", [None, BIO])
def test_gradients(allowed):
    crf = make(3, allowed)
    emissions = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    tags, lengths = torch.tensor([[0, 2], [1, 0], [1, 0], [2, 0]]), torch.tensor([4, 2])
    names = ("start", "transitions", "end")

    def loss(x, *values):
        replaced = dict(zip(names, values, strict=True))
        return torch.func.functional_call(crf, replaced, (x, tags, lengths))

    arguments = (emissions, crf.start, crf.transitions, crf.end)
    assert torch.autograd.gradcheck(loss, arguments)
    assert torch.autograd.gradgradcheck(loss, arguments)


def test_the_gradient_of_log_z_is_the_marginals():
    crf = make(3, BIO)
    emissions = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([5, 3])
    crf.log_partition(emissions, lengths).sum().backward()
    torch.testing.assert_close(emissions.grad, crf.marginals(emissions, lengths))


def test_forbidden_transitions_get_nothing():
    crf = make(3, BIO).float()
    emissions = torch.zeros(6, 2, 3)
    emissions[:, :, 1] = 50.0  # I-x everywhere, also where it may not be
    assert crf.decode(emissions).T.tolist() == [[0, 1, 1, 1, 1, 1]] * 2
    assert (crf.marginals(emissions)[0, :, 1] == 0).all()
    loss = crf(emissions, crf.decode(emissions)).sum()
    loss.backward()
    assert loss.isfinite()
    for parameter in crf.parameters():
        assert parameter.grad.isfinite().all()
    assert crf.transitions.grad[2, 1] == 0


def test_an_emission_of_minus_infinity_rules_a_tag_out():
    crf = make(3)
    emissions = torch.randn(4, 1, 3, dtype=torch.float64)
    emissions[:, :, 2] = -torch.inf
    paths = dict(every_path(crf, emissions[:, 0]))
    torch.testing.assert_close(
        crf.log_partition(emissions)[0], torch.stack(list(paths.values())).logsumexp(0)
    )
    assert (crf.marginals(emissions)[:, :, 2] == 0).all()
    _, log_p = crf.decode_best(emissions, 20)
    assert log_p.isfinite().sum() == 2**4
    emissions[1] = -torch.inf
    with pytest.raises(ArgumentError, match="got none for row 0"):
        crf.decode(emissions)


def test_a_row_without_steps():
    crf = make(3, BIO)
    emissions = torch.randn(2, 2, 3, dtype=torch.float64)
    lengths, tags = torch.tensor([0, 2]), torch.tensor([[-1, 0], [-1, 1]])
    loss = crf(emissions, tags, lengths)
    assert loss[0] == 0
    assert loss[1] > 0
    paths, log_p = crf.decode_best(emissions, 2, lengths)
    assert (paths[:, :, 0] == -1).all()
    assert log_p[:, 0].tolist() == [0, -torch.inf]
    assert (crf.marginals(emissions, lengths)[:, 0] == 0).all()


def test_rows_are_independent_and_padding_is_not_read():
    crf = make(4)
    emissions = torch.randn(5, 3, 4, dtype=torch.float64)
    lengths = torch.tensor([5, 2, 4])
    tags = torch.randint(4, (5, 3))
    loss = crf(emissions, tags, lengths)
    padding = torch.arange(5)[:, None] >= lengths
    changed = emissions.masked_fill(padding[..., None], 1e3)
    assert torch.equal(crf(changed, tags.masked_fill(padding, -1), lengths), loss)
    for row, length in enumerate(lengths):
        own = (emissions[:length, row : row + 1], tags[:length, row : row + 1])
        torch.testing.assert_close(crf(*own)[0], loss[row])


def test_lower_precision_is_raised():
    crf = CRF(3)
    emissions = torch.randn(20, 2, 3).bfloat16()
    assert crf.log_partition(emissions).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        inside = crf.log_partition(emissions)
    torch.testing.assert_close(inside, crf.log_partition(emissions))


class Forward(Cell):
    """The forward recursion as a cell, U_a = exp(transitions)^T."""

    state = ("a",)

    def step(self, x, a):
        top = amax(a)
        return x + top + log(self.affine("a", exp(a - top), bias=False))


def test_the_forward_recursion_is_a_cell():
    crf = make(4)
    layer = Recurrent(Forward(), 4, 4).double()
    (name,) = (name for name, _ in layer.named_parameters())
    emissions = torch.randn(7, 3, 4, dtype=torch.float64)
    weights = {name: crf.transitions.exp().T}
    alpha, _ = torch.func.functional_call(
        layer, weights, (emissions[1:], ((crf.start + emissions[0],),))
    )
    torch.testing.assert_close(
        (alpha[-1] + crf.end).logsumexp(-1), crf.log_partition(emissions)
    )


def test_it_learns_a_rule_of_transitions():
    torch.manual_seed(0)
    tags = (torch.arange(12)[:, None] + torch.arange(3)) % 3  # always 0 1 2 0 1 2
    crf, emissions = CRF(3), torch.zeros(12, 3, 3)
    emissions[0] = 3 * torch.eye(3)
    optimizer = torch.optim.Adam(crf.parameters(), lr=0.1)
    for _ in range(30):
        optimizer.zero_grad()
        crf(emissions, tags).mean().backward()
        optimizer.step()
    assert torch.equal(crf.decode(emissions), tags)


def test_bad_arguments(unchecked):
    with pytest.raises(ArgumentError, match="tags must be an int >= 1, got 0"):
        CRF(0)
    with pytest.raises(ShapeError, match=r"allowed must be \(3, 3\)"):
        CRF(2, BIO)
    closed = BIO.clone()
    closed[:, 2] = False
    with pytest.raises(ArgumentError, match="got none for tag 2"):
        CRF(3, closed)
    crf, emissions = CRF(3, BIO), torch.zeros(4, 2, 3)
    with pytest.raises(ShapeError, match=r"tags=3\) of at least one step"):
        crf.decode(torch.zeros(4, 2, 5))
    with pytest.raises(ShapeError, match="of at least one step"):
        crf.decode(torch.zeros(0, 2, 3))
    with pytest.raises(ShapeError, match=r"tags must be \(4, 2\)"):
        crf(emissions, torch.zeros(3, 2).long())
    with pytest.raises(ArgumentError, match="from 0 to 2, got 0 to 3"):
        crf(emissions, torch.tensor([[0, 3]] * 4))
    with pytest.raises(ArgumentError, match="from 0 to 2, got -1"):
        crf(emissions, torch.full((4, 2), -1))
    with pytest.raises(ArgumentError, match=r"lengths must be in \[0, 4\], got 1 to 5"):
        crf.decode(emissions, torch.tensor([1, 5]))
    with pytest.raises(ShapeError, match="lengths must be whole numbers"):
        crf.decode(emissions, torch.tensor([1, 2, 3]))
    with pytest.raises(ArgumentError, match="count must be an int >= 1, got 0"):
        crf.decode_best(emissions, 0)
    with pytest.raises(DataError, match="got NaN"):
        crf.decode(emissions * torch.nan)
    with pytest.raises(DataError, match="got 2 before 1 at step 2 of row 1"):
        crf(emissions, torch.tensor([[0, 0], [1, 2], [1, 1], [1, 1]]))
    with pytest.raises(DataError, match="got the start before 1 at step 0 of row 0"):
        crf(emissions, torch.tensor([[1, 0], [1, 1], [1, 1], [1, 1]]))


def test_only_what_is_learnt_is_saved():
    crf = CRF(3, BIO)
    assert list(crf.state_dict()) == ["start", "transitions", "end"]
    assert str(crf) == "CRF(3, allowed=...)"
    CRF(3).load_state_dict(crf.state_dict())
