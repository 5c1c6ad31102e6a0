"""The reference loop against steps made by hand: states, masks, clipped gradients."""

from __future__ import annotations

import pytest
import torch

from recurro.cells import (
    GRU,
    LSTM,
    ChoGRU,
    Leaky,
    PeepholeLSTM,
    RecurrentDropout,
    Zoneout,
)
from recurro.cells.cell import Cell
from recurro.cells.ops import tanh, where
from recurro.engine import HiddenClip, recurrence, run
from tests.contract import CellSubject, close, grad_of, problem, solve, weighted

CELLS = [LSTM(proj_size=2), ChoGRU(), PeepholeLSTM()]
CLIPS = [
    HiddenClip(value=0.1),
    HiddenClip(norm=0.2),
    HiddenClip(value=0.15, norm=0.2),
    HiddenClip(value=1e9, norm=1e9),
]


def clipped(gradient, clip):
    """Each element into [-value, value]; then each row to at most the norm."""
    rows = []
    for row in gradient:
        if clip.value is not None:
            top = row.new_tensor(clip.value)
            row = torch.stack([torch.minimum(torch.maximum(g, -top), top) for g in row])
        if clip.norm is not None and (size := sum(float(g) ** 2 for g in row) ** 0.5):
            row = row * min(1.0, clip.norm / size)
        rows.append(row)
    return torch.stack(rows)


def backward_by_hand(subject, p, clip, lengths):
    """Step by step from the last: what passes to the step before is clipped."""
    states = [p.state]
    for x in p.x:
        states.append(subject.run(p.parameters, x[None], states[-1])[1])
    tensors = [t.detach() for t in solve(subject, p, lengths=lengths)]
    for tensor in tensors:
        tensor.requires_grad_()
    by_y, *by_state = grad_of(weighted(tuple(tensors)), tensors)
    by_x, by_parameters = [], {k: torch.zeros_like(v) for k, v in p.parameters.items()}
    for t in reversed(range(len(p.x))):
        x = p.x[t : t + 1].detach().requires_grad_()
        old = tuple(s.detach().requires_grad_() for s in states[t])
        y, new = subject.run(p.parameters, x, old)
        counts = (t < lengths)[:, None]
        loss = (y[0] * by_y[t] * counts).sum()
        loss = loss + sum(
            (n * g * counts).sum() for n, g in zip(new, by_state, strict=True)
        )
        leaves = [x, *old, *p.parameters.values()]
        gx, *rest = grad_of(loss, leaves)
        passed = [clipped(g, clip) for g in rest[: len(old)]]
        by_state = [
            torch.where(counts, g, kept)
            for g, kept in zip(passed, by_state, strict=True)
        ]
        by_x.insert(0, gx)
        for name, g in zip(p.parameters, rest[len(old) :], strict=True):
            by_parameters[name] += g
    return [torch.cat(by_x), *by_state, *by_parameters.values()]


@pytest.mark.parametrize("lengths", [[4, 4, 4], [2, 4, 0]])
@pytest.mark.parametrize("clip", CLIPS, ids=str)
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_hidden_clip_equals_the_backward_pass_by_hand(cell, clip, lengths):
    subject, lengths = CellSubject(cell), torch.tensor(lengths)
    p = problem(subject)
    plain = grad_of(weighted(solve(subject, p, lengths=lengths)), p.leaves())
    got = solve(subject, p, lengths=lengths, clip=clip)
    close(got, solve(subject, p, lengths=lengths))  # values stay
    got = grad_of(weighted(got), p.leaves())
    close(got, tuple(backward_by_hand(subject, p, clip, lengths)))
    huge = clip.value == 1e9
    assert torch.allclose(got[0], plain[0], rtol=1e-9, atol=0) == huge


def test_hidden_clip_backward_in_time_is_the_same_on_the_flipped_input():
    forward, backward = CellSubject(ChoGRU()), CellSubject(ChoGRU(), reverse=True)
    p = problem(forward)
    y, h = solve(forward, p, clip=CLIPS[0])
    by = grad_of(weighted((y.flip(0), h)), p.leaves())
    p.x = p.x.detach().flip(0).requires_grad_()
    got = grad_of(weighted(solve(backward, p, clip=CLIPS[0])), p.leaves())
    close(got, (by[0].flip(0), *by[1:]))


def test_hidden_clip_in_chunks_with_the_graph_kept_is_that_of_the_whole():
    subject = CellSubject(GRU())
    p = problem(subject)
    whole = grad_of(weighted(solve(subject, p, clip=CLIPS[0])), p.leaves())
    first, state = subject.run(p.parameters, p.x[:3], p.state, clip=CLIPS[0])
    rest, state = subject.run(p.parameters, p.x[3:], state, clip=CLIPS[0])
    got = grad_of(weighted((torch.cat([first, rest]), *state)), p.leaves())
    close(got, whole)


def test_hidden_clip_differentiates_twice():
    subject = CellSubject(GRU())
    p = problem(subject)

    def function(x):
        y, _ = subject.run(p.parameters, x, p.state, clip=HiddenClip(norm=0.3))
        (g,) = torch.autograd.grad(weighted((y,)), [x], create_graph=True)
        return g

    assert torch.autograd.gradcheck(function, [p.x], fast_mode=True)


def test_hidden_clip_under_torch_func():
    subject = CellSubject(GRU())
    p = problem(subject)

    close(torch.func.grad(lambda x: loss_of(subject, p, x))(p.x), by_x(subject, p))
    xs = torch.stack([p.x, p.x * 2]).detach()
    got = torch.func.vmap(torch.func.grad(lambda x: loss_of(subject, p, x)))(xs)
    close(got[0], by_x(subject, p))


def loss_of(subject, p, x):
    y, state = subject.run(p.parameters, x, p.state, clip=CLIPS[1])
    return weighted((y, *state))


def by_x(subject, p):
    return grad_of(loss_of(subject, p, p.x), [p.x])[0]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [3, 4, 0]])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_states_of_every_step(cell, lengths, reverse):
    subject = CellSubject(cell)
    p = problem(subject)
    counts = None if lengths is None else torch.tensor(lengths)
    result = run(
        subject.part,
        p.parameters,
        p.x,
        p.state,
        lengths=counts,
        reverse=reverse,
        return_states=True,
    )
    assert [s.shape for s in result.states] == [(4, 3, w) for w in subject.widths()]
    for row, length in enumerate(lengths or [4, 4, 4]):
        state = tuple(s[row : row + 1] for s in p.state)
        order = reversed(range(4)) if reverse else range(4)
        for t in order:
            if t < length:
                x = p.x[t : t + 1, row : row + 1]
                state = subject.run(p.parameters, x, state)[1]
            for every, now in zip(result.states, state, strict=True):
                close(every[t, row], now[0])
        for final, now in zip(result.state, state, strict=True):
            close(final[row], now[0])


# -- masks -----------------------------------------------------------------------------


class Masks(Cell):
    """Shows its masks: h is drawn at each step, c once for the sequence."""

    state = ("h", "c", "again")

    def step(self, x, h, c, again):
        h = self.bernoulli("a", 0.3)
        c = self.bernoulli("b", 0.8, "sequence")
        return h, c, self.bernoulli("a", 0.3) + 0 * x


MASKS = recurrence(Masks(), 100, 100)


def masks(seed=0, training=True, steps=30, batch=20):
    x = torch.zeros(steps, batch, 100)
    generator = torch.Generator().manual_seed(seed)
    result = run(
        MASKS, {}, x, training=training, generator=generator, return_states=True
    )
    return result.states


def test_masks_have_their_mean_and_are_drawn_per_step_or_per_sequence():
    per_step, per_sequence, again = masks()
    for mask, p in ((per_step, 0.3), (per_sequence, 0.8)):
        assert set(mask.unique().tolist()) == {0.0, 1.0}
        deviation = (p * (1 - p) / mask[0].numel()) ** 0.5
        assert abs(mask[0].mean().item() - p) < 4 * deviation
    assert (per_sequence == per_sequence[0]).all()
    agreement = (per_step[0] == per_step[1]).float().mean().item()
    assert abs(agreement - (0.3**2 + 0.7**2)) < 0.05  # independent from step to step
    rows = (per_step[:, 0] == per_step[:, 1]).float().mean().item()
    assert abs(rows - (0.3**2 + 0.7**2)) < 0.05  # and from row to row
    assert torch.equal(again, per_step)  # one name is one mask


def test_masks_come_from_the_generator_alone():
    torch.manual_seed(1)
    one = masks(seed=5)
    torch.manual_seed(2)
    assert all(map(torch.equal, one, masks(seed=5)))
    assert not torch.equal(one[0], masks(seed=6)[0])


def test_masks_are_their_mean_in_evaluation():
    per_step, per_sequence, _ = masks(training=False)
    assert (per_step == 0.3).all()
    assert (per_sequence == 0.8).all()


def test_a_cell_may_decide_and_sum_by_its_mask_in_evaluation_too():
    class Decides(Cell):
        state = ("h",)

        def step(self, x, h):
            m = self.bernoulli("m", 0.5)
            n = self.affine("n", m, width=1, bias=False)
            return where(m > 0.4, tanh(x + n), h)

    part = recurrence(Decides(), 3, 3)
    x, w = torch.randn(2, 2, 3), torch.ones(1, 3)
    got = run(part, {part.program.parameters[0][0]: w}, x).output
    close(got, torch.tanh(x + 1.5))


def test_zoneout_keeps_the_share_p_of_old_values():
    cell = Zoneout(Leaky(), 0.3)
    part = recurrence(cell, 2, 200)
    stored = {n: 0.01 * torch.randn(s) for n, s in part.shapes().items()}
    x, h = torch.randn(10, 50, 2), torch.full((50, 200), 7.0)
    y = run(part, stored, x, (h,), training=True, return_states=True).states[0]
    assert abs((y[0] == 7).float().mean().item() - 0.3) < 0.02
    assert abs((y[4] == y[3]).float().mean().item() - 0.3) < 0.02
    assert not (y[8] == 7).all(-1).any()


def test_recurrent_dropout_drops_the_same_units_at_every_step():
    class Adds(Cell):
        state = ("h",)

        def step(self, x, h):
            return x + self.affine("h", h, bias=False)

    part = recurrence(RecurrentDropout(Adds(), 0.25), 400, 400)
    identity = {"U_h": torch.eye(400)}
    x, h = torch.zeros(2, 50, 400), torch.ones(50, 400)
    once, twice = run(part, identity, x, (h,), training=True).output
    values = once.unique().tolist()
    assert values == pytest.approx([0, 1 / 0.75])
    assert abs((once == 0).float().mean().item() - 0.25) < 0.02
    close(twice, once / 0.75, rtol=1e-5)  # the same mask again
    close(run(part, identity, x, (h,)).output, torch.ones(2, 50, 400), rtol=1e-6)
