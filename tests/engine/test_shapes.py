"""Whatever comes in: right answers or a clear error, by rendered C as by the reference.

Shapes, lengths, layouts in memory and values that are not numbers are properties here;
cells are few, for each width of a layer is a kernel of its own.
"""

from __future__ import annotations

from itertools import cycle

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from recurro import cells
from recurro.engine import recurrence, run, team
from recurro.engine.cpu import run_cpu
from recurro.engine.reference import Request, run_reference
from recurro.errors import RecurroError, ShapeError

WIDTHS = (1, 2, 3, 16, 17, 65)
CELLS = (cells.LSTM(), cells.ChoGRU(), cells.LayerNormLSTM())
MADE = {
    hidden: recurrence(cell, 3, hidden)
    for hidden, cell in zip(WIDTHS, cycle(CELLS), strict=False)
}
LAYOUTS = ("contiguous", "transposed", "sliced", "expanded")

compiles = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def laid_out(values: torch.Tensor, layout: str) -> torch.Tensor:
    """The same values elsewhere in memory; expanded, those of the first row in all."""
    if layout == "transposed":
        return values.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "sliced":
        wide = torch.full([2 * n + 1 for n in values.shape], torch.nan).to(values)
        view = wide[tuple(slice(1, 2 * n + 1, 2) for n in values.shape)]
        return view.copy_(values)
    if layout == "expanded":
        return values[:, :1].expand_as(values)
    return values


@st.composite
def sides(draw):
    """What a run may be like."""
    time, batch = draw(st.integers(0, 7)), draw(st.integers(0, 14))
    length = st.integers(0, time)
    return {
        "hidden": draw(st.sampled_from(WIDTHS)),
        "time": time,
        "batch": batch,
        "seed": draw(st.integers(0, 2**32)),
        "layouts": draw(st.tuples(*[st.sampled_from(LAYOUTS)] * 2)),
        "given": draw(st.booleans()),
        "lengths": draw(st.none() | st.lists(length, min_size=batch, max_size=batch)),
        "reverse": draw(st.booleans()),
    }


def request_of(sides, dtype=torch.float64) -> Request:
    """A run with random values."""
    part, batch = MADE[sides["hidden"]], sides["batch"]
    generator = torch.Generator().manual_seed(sides["seed"])

    def tensor(*shape):
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        return values.to(dtype)

    of_input, of_state = sides["layouts"]
    state = [
        laid_out(tensor(batch, width), of_state)
        if sides["given"]
        else torch.zeros(batch, width, dtype=dtype)
        for _, width in part.program.state
    ]
    lengths = sides["lengths"]
    return Request(
        part.cell,
        part.program,
        {name: tensor(*s) * 0.3 for name, s in part.shapes().items()},
        (laid_out(tensor(sides["time"], batch, 3), of_input),),
        tuple(state),
        None if lengths is None else torch.tensor(lengths, dtype=torch.long),
        sides["reverse"],
        storage=tuple(part.storage.items()),
    )


def everything(runner, request: Request) -> list[torch.Tensor]:
    """States, and the gradients of all tensors by a weighted sum of them."""
    leaves = [
        t.detach().requires_grad_()
        for t in (*request.inputs, *request.state, *request.stored.values())
    ]
    count = 1 + len(request.state)
    again = request._replace(
        inputs=(leaves[0],),
        state=tuple(leaves[1:count]),
        stored=dict(zip(request.stored, leaves[count:], strict=True)),
    )
    trail, final = runner(again)
    loss = sum(value.sin().sum() for value in (*trail, *final))
    found = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
    return [*trail, *final, *found]


@compiles
@given(sides())
def test_any_shape_and_layout(sides):
    request = request_of(sides)
    got, wanted = everything(run_cpu, request), everything(run_reference, request)
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
@compiles
@given(
    sides(),
    st.lists(
        st.tuples(st.sampled_from(["nan", "inf", "-inf"]), st.integers(0, 400)),
        min_size=1,
        max_size=3,
    ),
)
def test_what_is_not_a_number_goes_where_it_goes_in_the_reference(sides, values):
    request = request_of(sides)
    x = request.inputs[0].clone(memory_format=torch.contiguous_format)
    for value, place in values if x.numel() else ():
        x.view(-1)[place % x.numel()] = float(value)
    request = request._replace(inputs=(x,))
    with torch.no_grad():
        (got, got_last), (wanted, last) = run_cpu(request), run_reference(request)
    torch.testing.assert_close(
        [*got, *got_last], [*wanted, *last], rtol=1e-9, atol=1e-10, equal_nan=True
    )


@pytest.mark.slow
@compiles
@given(sides())
def test_the_same_bits_for_any_number_of_threads(sides):
    request = request_of(sides, torch.float32)
    before, worth = torch.get_num_threads(), (team.WORTH, team.WORTH_STEP)
    team.WORTH = team.WORTH_STEP = 0  # threads however short the run
    count = 2 * len(request.state)
    try:
        found = []
        for threads in (1, 2, 3, 4, 4):
            torch.set_num_threads(threads)
            found.append(everything(run_cpu, request))
    finally:
        torch.set_num_threads(before)
        team.WORTH, team.WORTH_STEP = worth
    by_inputs = count + 1 + len(request.state)
    for other in found[1:]:  # gradients of parameters are sums over rows
        assert all(map(torch.equal, other[:by_inputs], found[0][:by_inputs]))
    assert all(map(torch.equal, found[-1], found[-2]))


def arguments(**changes):
    part = recurrence(cells.LSTM(), 3, 3)
    stored = {name: torch.zeros(s) for name, s in part.shapes().items()}
    state = tuple(torch.zeros(2, width) for _, width in part.program.state)
    return part, stored, {"inputs": torch.zeros(5, 2, 3), "state": state} | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": torch.zeros(5, 2, 4)}, "input x must be .time, batch, 3., got"),
        ({"inputs": torch.zeros(5, 3)}, "input x must be .time, batch, 3., got"),
        ({"inputs": torch.zeros(())}, "input x must be .time, batch, 3., got"),
        ({"inputs": torch.zeros(5, 2, 3).double()}, "must be torch.float32 on cpu"),
        ({"inputs": torch.zeros(5, 2, 3, dtype=torch.long)}, "must be torch.float32"),
        ({"inputs": torch.zeros(5, 2, 3, device="meta")}, "must be torch.float32 on"),
        ({"inputs": (torch.zeros(5, 2, 3),) * 2}, "there must be 1 inputs, got 2"),
        ({"state": (torch.zeros(2, 3),)}, "the state must be a tuple of 2"),
        ({"state": (torch.zeros(2, 3), torch.zeros(2, 4))}, "state c must be .2, 3."),
        ({"state": (torch.zeros(1, 3),) * 2}, "state h must be .2, 3., got .1, 3."),
        ({"state": (torch.zeros(2, 3).double(),) * 2}, "state h must be torch.float32"),
        ({"lengths": torch.tensor([6, 1])}, "each length must be in .0, 5., got 1 to"),
        ({"lengths": torch.tensor([-1, 1])}, "each length must be in .0, 5., got -1"),
        ({"lengths": torch.tensor([1.0, 1.0])}, "lengths must be whole numbers .2,."),
        ({"lengths": torch.tensor([1])}, "lengths must be whole numbers .2,., got"),
        ({"lengths": torch.tensor([[1, 1]])}, "lengths must be whole numbers .2,."),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named(changes, message):
    part, stored, given = arguments(**changes)
    with pytest.raises(ShapeError, match=f"^LSTM: .*{message}") as caught:
        run(part, stored, given.pop("inputs"), backend="cpu", **given)
    assert isinstance(caught.value, RecurroError)
