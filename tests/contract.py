"""What everything that runs over time must hold: cells, wrapped cells and layers.

A subject is run by ``subject.run(parameters, x, state, ...)``, all in plain tensors; a
check is a function of a subject. ``tests/cells/test_contract.py`` and
``tests/nn/test_contract.py`` put every check on every subject.
"""

from __future__ import annotations

import abc
import copy
import io
import pickle
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, grad, vmap
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurro.cells import Cell
from recurro.engine import Recurrence, recurrence, run
from recurro.nn import Recurrent

TIME, BATCH, INPUT, HIDDEN = 4, 3, 2, 3


# -- subjects --------------------------------------------------------------------------


class Subject(abc.ABC):
    """A thing that runs over time, and what it is able to do.

    Attributes:
        causal: Whether a step sees only the steps before it.
        empty: Whether it takes no step, no row and rows of length 0.
        random: Whether training draws masks.
        fast: The backend that is held to the reference.
    """

    causal = True
    empty = True
    random = False
    fast = "auto"

    @abc.abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""

    @abc.abstractmethod
    def widths(self) -> tuple[int, ...]:
        """The width of each state variable."""

    @abc.abstractmethod
    def run(
        self,
        parameters: dict[str, Tensor],
        x: Tensor,
        state: tuple[Tensor, ...] | None,
        *,
        lengths: Tensor | None = None,
        training: bool = False,
        backend: str = "reference",
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The output ``(time, batch, width)`` and the states ``(batch, width)``."""

    @abc.abstractmethod
    def reloaded(self, parameters: dict[str, Tensor]) -> list[tuple[Any, Any]]:
        """Copies of it made by saving and loading, each with its parameters."""


@dataclass(frozen=True)
class CellSubject(Subject):
    """A cell, run by the engine in one direction."""

    cell: Cell
    reverse: bool = False
    random: bool = False
    fast: str = "auto"

    @cached_property
    def part(self) -> Recurrence:
        sizes = dict.fromkeys(self.cell.inputs, INPUT)
        return recurrence(self.cell, sizes, HIDDEN)

    @property
    def causal(self) -> bool:
        return not self.reverse

    def shapes(self):
        return self.part.shapes()

    def widths(self):
        return self.cell.widths(HIDDEN)

    def run(self, parameters, x, state, *, backend="reference", **options):
        inputs = tuple(x for _ in self.cell.inputs)
        options = {"reverse": self.reverse, "backend": backend, **options}
        result = run(self.part, parameters, inputs, state, **options)
        return result.output, result.state

    def reloaded(self, parameters):
        rebuilt = type(self.cell)(**self.cell.config())
        cells = [
            rebuilt,
            copy.deepcopy(self.cell),
            pickle.loads(pickle.dumps(self.cell)),
        ]
        assert cells == [self.cell] * 3
        assert len({self.cell, *cells}) == 1
        return [(replace(self, cell=cell), parameters) for cell in cells]

    def __str__(self) -> str:
        return f"{self.cell}{' backward' if self.reverse else ''}"


@dataclass(frozen=True)
class LayerSubject(Subject):
    """A module of recurro.nn, run with the parameters that it is given."""

    name: str
    module: nn.Module
    random: bool = False
    fast: str = "auto"

    @property
    def causal(self) -> bool:
        return not self.module.bidirectional

    @property
    def empty(self) -> bool:
        return isinstance(self.module, Recurrent)  # packed sequences are never empty

    def shapes(self):
        return {name: tuple(p.shape) for name, p in self.module.named_parameters()}

    def widths(self):
        parts = [part for _, part in self.module._stack.named()]
        return tuple(width for part in parts for _, width in part.program.state)

    def run(
        self, parameters, x, state, *, lengths=None, training=False, backend="reference"
    ):
        module = copy.copy(self.module).train(training)
        if isinstance(module, Recurrent):
            module._options = replace(module._options, backend=backend)
            each = len(module.cell.state)
            if state is not None:
                state = tuple(zip(*[iter(state)] * each, strict=True))
            y, state = functional_call(module, parameters, (x, state, lengths))
            return y, tuple(s for layer in state for s in layer)
        module.backend = backend
        return self._run_drop_in(module, parameters, x, state, lengths)

    def _run_drop_in(self, module, parameters, x, state, lengths):
        each = 2 if module._get_name() == "LSTM" else 1
        if state is not None:
            stacked = tuple(torch.stack(state[k::each]) for k in range(each))
            state = stacked if each == 2 else stacked[0]
        time = len(x)
        if lengths is not None:
            x = pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, state = functional_call(module, parameters, (x, state))
        if lengths is not None:
            y, _ = pad_packed_sequence(y, total_length=time)
        state = state if isinstance(state, tuple) else (state,)
        return y, tuple(s for pair in zip(*state, strict=True) for s in pair)

    def reloaded(self, parameters):
        saved = io.BytesIO()
        torch.save(self.module, saved)
        saved.seek(0)
        loaded = torch.load(saved, weights_only=False).double()
        state_dict = io.BytesIO()
        buffers = dict(self.module.named_buffers())
        torch.save({**buffers, **parameters}, state_dict)
        state_dict.seek(0)
        loaded.load_state_dict(torch.load(state_dict, weights_only=True))
        modules = [
            copy.deepcopy(self.module), pickle.loads(pickle.dumps(self.module))
        ]  # fmt: skip
        return [
            *((replace(self, module=module), parameters) for module in modules),
            (replace(self, module=loaded), dict(loaded.named_parameters())),
        ]

    def __str__(self) -> str:
        return self.name


# -- problems --------------------------------------------------------------------------


@dataclass
class Problem:
    """Parameters, an input and an initial state, all with gradients."""

    parameters: dict[str, Tensor]
    x: Tensor
    state: tuple[Tensor, ...]

    def leaves(self) -> list[Tensor]:
        return [self.x, *self.state, *self.parameters.values()]

    def rows(self, rows: slice, steps: slice = slice(None)) -> Problem:
        state = tuple(s[rows] for s in self.state)
        return Problem(self.parameters, self.x[steps, rows], state)


def problem(
    subject: Subject, dtype=torch.float64, time: int = TIME, batch: int = BATCH
) -> Problem:
    generator = torch.Generator().manual_seed(7)

    def draw(*shape: int) -> Tensor:
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        return values.mul(0.7).to(dtype).requires_grad_()

    return Problem(
        {name: draw(*shape) for name, shape in subject.shapes().items()},
        draw(time, batch, INPUT),
        tuple(draw(batch, width) for width in subject.widths()),
    )


def solve(subject: Subject, p: Problem, **options) -> tuple[Tensor, ...]:
    """The output and the final states."""
    y, state = subject.run(p.parameters, p.x, p.state, **options)
    return (y, *state)


def weighted(values: tuple[Tensor, ...]) -> Tensor:
    """A loss in which every element has a weight of its own."""
    total = torch.zeros((), dtype=values[0].dtype)
    for k, value in enumerate(values):
        n = torch.arange(value.numel(), dtype=torch.float64).reshape(value.shape)
        total = total + (value * torch.cos(n + k).to(value.dtype)).sum()
    return total


def gradients(subject: Subject, p: Problem, **options) -> tuple[Tensor, ...]:
    """The gradients by the input, each initial state and each parameter."""
    return grad_of(weighted(solve(subject, p, **options)), p.leaves())


def grad_of(loss: Tensor, leaves: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)


def flat(subject: Subject, p: Problem, **options) -> tuple[Any, Tensor]:
    """The run as a function of one vector, and the vector of all that it reads."""
    leaves, count = p.leaves(), len(p.state)

    def function(vector: Tensor) -> Tensor:
        torch.manual_seed(3)
        parts = vector.split([leaf.numel() for leaf in leaves])
        x, *rest = (v.view_as(leaf) for v, leaf in zip(parts, leaves, strict=True))
        parameters = dict(zip(p.parameters, rest[count:], strict=True))
        y, state = subject.run(parameters, x, tuple(rest[:count]), **options)
        return torch.cat([part.flatten() for part in (y, *state)])

    return function, torch.cat(
        [leaf.detach().flatten() for leaf in leaves]
    ).requires_grad_()


def close(got, wanted, rtol: float = 1e-10) -> None:
    torch.testing.assert_close(got, wanted, rtol=rtol, atol=rtol)


def distance(got: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> float:
    """Relative norm of the difference, the largest over the tensors."""
    return max(
        ((g.double() - w.double()).norm() / w.double().norm().clamp_min(1e-30)).item()
        for g, w in zip(got, wanted, strict=True)
        if w.numel()
    )


# -- checks ----------------------------------------------------------------------------


def check_backends_agree(subject: Subject) -> None:
    """The fast backend equals the reference."""
    if subject.fast == "reference":
        return
    lengths = torch.tensor([2, TIME, 1])
    for dtype, bound in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        p = problem(subject, dtype)
        for options in ({}, {"lengths": lengths}):
            wanted = solve(subject, p, **options)
            got = solve(subject, p, backend=subject.fast, **options)
            assert distance(got, wanted) <= bound
            wanted = gradients(subject, p, **options)
            got = gradients(subject, p, backend=subject.fast, **options)
            assert distance(got, wanted) <= 5 * bound  # some gradients cancel


def check_first_derivatives(subject: Subject) -> None:
    """By the input, the initial state and every parameter, against differences."""
    p = problem(subject, time=3, batch=2)
    for options in ({}, {"training": True}) if subject.random else ({},):
        assert gradcheck(*flat(subject, p, **options), fast_mode=True)


def check_second_derivatives(subject: Subject) -> None:
    """The same once more."""
    p = problem(subject, batch=1)
    function, values = flat(subject, p, backend=subject.fast)
    assert gradgradcheck(function, values, fast_mode=True, atol=1e-4)


def check_steps_equal_the_run(subject: Subject) -> None:
    """One step at a time with the state carried, or in two pieces, is one run."""
    if not subject.causal:
        return
    p = problem(subject)
    wanted = solve(subject, p), gradients(subject, p)
    for cuts in ([0, 1, 2, 3, 4], [0, 3, 4], [0, 0, 4]):
        state, outputs = p.state, []
        for start, stop in pairwise(cuts):
            if start == stop and not subject.empty:
                continue
            y, state = subject.run(p.parameters, p.x[start:stop], state)
            outputs.append(y)
        got = (torch.cat(outputs), *state)
        close((got, grad_of(weighted(got), p.leaves())), wanted)


def check_rows_are_independent(subject: Subject) -> None:
    """Whatever its neighbours hold, a row has the same bits and the same gradients."""
    p = problem(subject)
    first = [value[..., :1, :] for value in solve(subject, p)]
    first += [g[..., :1, :] for g in gradients(subject, p)[: 1 + len(p.state)]]
    with torch.no_grad():
        for tensor, value in ((p.x, torch.nan), (p.state[0], torch.inf)):
            tensor[..., 1, :] = value
            tensor[..., 2, :] = 5.0
    for got, wanted in zip(
        [*solve(subject, p), *gradients(subject, p)], first, strict=False
    ):
        assert torch.equal(got[..., :1, :], wanted)
    alone = solve(subject, p.rows(slice(0, 1)))
    close(alone, tuple(first[: len(alone)]))


def check_a_row_equals_its_own_run(subject: Subject) -> None:
    """With lengths, a row is what it would be alone and unpadded."""
    lengths = [2, TIME, 0 if subject.empty else 1]
    p = problem(subject)
    alone, padded = [], []
    for row, length in enumerate(lengths):
        alone.append(solve(subject, p.rows(slice(row, row + 1), slice(0, length))))
        missing = (0, 0, 0, 0, 0, TIME - length)
        padded.append(nn.functional.pad(alone[-1][0], missing))
    finals = list(zip(*alone, strict=True))[1:]
    wanted = (torch.cat(padded, 1), *(torch.cat(parts) for parts in finals))
    by = grad_of(weighted(wanted), p.leaves())
    with torch.no_grad():  # the padding may hold anything
        p.x[2:, 0] = torch.nan
        p.x[lengths[2] :, 2] = torch.inf
    for backend in ("reference", subject.fast):
        options = {"lengths": torch.tensor(lengths), "backend": backend}
        got = solve(subject, p, **options)
        close(got, wanted)
        for row, length in enumerate(lengths):
            assert not got[0][length:, row].any()
        g = gradients(subject, p, **options)
        close(g, by)
        assert not g[0][2:, 0].any()
        assert not g[0][lengths[2] :, 2].any()


def check_full_lengths_change_nothing(subject: Subject) -> None:
    p = problem(subject)
    lengths = torch.full((BATCH,), TIME)
    close(solve(subject, p, lengths=lengths), solve(subject, p))


def check_empty(subject: Subject) -> None:
    """No step gives the initial state; no row gives no row; both differentiate."""
    if not subject.empty:
        return
    for time, batch in ((0, BATCH), (TIME, 0), (0, 0)):
        p = problem(subject, time=time, batch=batch)
        width = solve(subject, problem(subject))[0].shape[-1]
        for lengths in (None, torch.zeros(batch, dtype=torch.long)):
            y, *state = solve(subject, p, lengths=lengths, backend=subject.fast)
            assert y.shape == (time, batch, width)
            close(tuple(state), p.state)
            g = gradients(subject, p, lengths=lengths, backend=subject.fast)
            assert [t.shape for t in g] == [t.shape for t in p.leaves()]
            assert not any(t.any() for t in g[1 + len(p.state) :])


def check_no_state_is_zero_state(subject: Subject) -> None:
    p = problem(subject)
    y, state = subject.run(p.parameters, p.x, None)
    zeros = tuple(torch.zeros_like(s) for s in p.state)
    close((y, state), subject.run(p.parameters, p.x, zeros))


def check_arguments_are_untouched(subject: Subject) -> None:
    p, lengths = problem(subject), torch.tensor([2, TIME, 1])
    before = [tensor.detach().clone() for tensor in (*p.leaves(), lengths)]
    versions = [tensor._version for tensor in (*p.leaves(), lengths)]
    for backend in ("reference", subject.fast):
        gradients(subject, p, lengths=lengths, backend=backend)
    assert all(map(torch.equal, before, (*p.leaves(), lengths)))
    assert versions == [tensor._version for tensor in (*p.leaves(), lengths)]


def check_same_inputs_same_bits(subject: Subject) -> None:
    p = problem(subject, torch.float32)
    one, two = (gradients(subject, p, backend=subject.fast) for _ in range(2))
    assert all(map(torch.equal, one, two))


def check_reloaded(subject: Subject) -> None:
    p = problem(subject)
    wanted = solve(subject, p)
    for other, parameters in subject.reloaded(p.parameters):
        got = solve(other, replace(p, parameters=parameters))
        assert all(map(torch.equal, got, wanted))


def check_training(subject: Subject) -> None:
    """The seed decides the masks; without masks training changes nothing."""
    p = problem(subject, time=8)

    def train(seed: int) -> tuple[Tensor, ...]:
        torch.manual_seed(seed)
        return solve(subject, p, training=True)

    assert all(map(torch.equal, train(1), train(1)))
    assert subject.random != all(map(torch.equal, train(1), train(2)))
    assert subject.random != all(map(torch.equal, train(1), solve(subject, p)))


def check_torch_func(subject: Subject) -> None:
    """vmap equals a loop, grad equals autograd, and so do both together."""
    p = problem(subject)
    lengths = torch.tensor([2, TIME, 1])

    def loss(parameters, x, state, lengths):
        y, final = subject.run(
            parameters, x, state, lengths=lengths, backend=subject.fast
        )
        return weighted((y, *final))

    arguments = (p.parameters, p.x, p.state)
    lengths = lengths if subject.empty else None
    by = grad(loss, argnums=(1, 2, 0))(*arguments, lengths)
    wanted = gradients(subject, p, lengths=lengths)
    close((by[0], *by[1], *by[2].values()), wanted)

    xs = torch.stack([p.x, p.x.flip(0), p.x * 2]).detach()
    counts = None if lengths is None else torch.stack([lengths, lengths - 1, lengths])
    got = vmap(grad(loss), in_dims=(None, 0, None, None if counts is None else 0))(
        p.parameters, xs, p.state, counts
    )
    each = [
        grad(loss)(p.parameters, x, p.state, None if counts is None else counts[k])
        for k, x in enumerate(xs)
    ]
    close(got, {k: torch.stack([e[k] for e in each]) for k in got})


def check_autocast(subject: Subject) -> None:
    """bfloat16 products give nearly the same values and gradients."""
    p = problem(subject, torch.float32)
    wanted, by = solve(subject, p), gradients(subject, p)
    for backend in ("reference", subject.fast):
        with torch.autocast("cpu", torch.bfloat16):
            got = solve(subject, p, backend=backend)
        assert distance(got, wanted) < 0.1
        g = grad_of(weighted(tuple(t.float() for t in got)), p.leaves())
        assert distance(g[:1], by[:1]) < 0.2
        assert all(t.dtype == leaf.dtype for t, leaf in zip(g, p.leaves(), strict=True))


def check_bfloat16(subject: Subject) -> None:
    """So do parameters and inputs in bfloat16, without autocast."""
    p = problem(subject, torch.bfloat16)
    wanted = solve(subject, problem(subject, torch.float32))
    got = solve(subject, p)
    assert {t.dtype for t in got} == {torch.bfloat16}
    assert distance(got, wanted) < 0.1


def check_compile(subject: CellSubject, **options) -> None:
    """torch.compile takes it whole, forward and backward, with lengths too."""
    p, lengths = problem(subject, time=2), torch.tensor([1, 2, 0])

    def function(parameters, x, state, lengths):
        y, state = subject.run(parameters, x, state, lengths=lengths, **options)
        return (y, *state)

    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    got = compiled(p.parameters, p.x, p.state, lengths)
    close(got, solve(subject, p, lengths=lengths, **options))
    by = grad_of(weighted(got), p.leaves())
    close(by, gradients(subject, p, lengths=lengths, **options))


BACKWARD = [
    check_backends_agree,
    check_first_derivatives,
    check_rows_are_independent,
    check_a_row_equals_its_own_run,
    check_full_lengths_change_nothing,
    check_empty,
]
"""What may differ where each row is read from its end."""

CHECKS = [
    *BACKWARD,
    check_second_derivatives,
    check_steps_equal_the_run,
    check_no_state_is_zero_state,
    check_arguments_are_untouched,
    check_same_inputs_same_bits,
    check_reloaded,
    check_training,
    check_torch_func,
    check_autocast,
    check_bfloat16,
]
"""What every subject passes; ``check_compile`` takes a second each."""
