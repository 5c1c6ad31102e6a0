"""What the recurrences of a network read as it tells its loss, and the loss's gradient.

A network is run once as in training, but for masks; each of its stacks of cells is
watched. One that is called step after step, each time with the state that the last call
left, counts as one run over all these steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recurro.analysis.trajectory import is_recurrent
from recurro.nn.stack import LayerState

__all__ = ["Captured", "capture"]

BUDGET = 500_000
"""Numbers of input and output that are looked at: steps times rows times width."""


@dataclass(frozen=True)
class Captured:
    """A run of one stack of cells within a network.

    Attributes:
        name: Its name in the network.
        layer: The stack.
        x: What it read ``(time, batch, input)``.
        state: Its first state, or ``None`` for zeros.
        lengths: Steps that count in each row, or ``None``.
        readings: The cell's further inputs.
        output_gradient: dL/dy ``(time, batch, output)``.
        state_gradient: dL/ds by its final states.
    """

    name: str
    layer: nn.Module
    x: Tensor
    state: tuple[LayerState, ...] | None
    lengths: Tensor | None
    readings: Mapping[str, Tensor]
    output_gradient: Tensor
    state_gradient: tuple[LayerState, ...]

    @property
    def steps(self) -> int:
        """Steps of the longest row."""
        return len(self.x)

    def some(self, budget: int = BUDGET) -> Captured:
        """As many rows as a budget of numbers allows, at least one."""
        width = self.x.shape[2] + self.output_gradient.shape[2]
        rows = max(1, budget // max(1, self.steps * width))

        def cut(state: tuple[LayerState, ...]) -> tuple[LayerState, ...]:
            return tuple(tuple(v[:rows] for v in layer) for layer in state)

        return Captured(
            self.name,
            self.layer,
            self.x[:, :rows],
            None if self.state is None else cut(self.state),
            None if self.lengths is None else self.lengths[:rows],
            {name: value[:, :rows] for name, value in self.readings.items()},
            self.output_gradient[:, :rows],
            cut(self.state_gradient),
        )

    def of_last_step(self) -> Captured:
        """The same for the loss of the last step; in backward layers, of the first.

        That is the gradient that reaches the state where each direction has read all.
        """
        on = torch.zeros_like(self.output_gradient[..., :1])
        rows = torch.arange(on.shape[1], device=on.device)
        ends = (
            torch.full_like(rows, self.steps) if self.lengths is None else self.lengths
        )
        on[(ends - 1).clamp_min(0), rows] = 1.0
        halves = self.output_gradient.chunk(2, -1)
        if getattr(self.layer, "bidirectional", False):
            first = torch.zeros_like(on)
            first[0] = 1.0
            gradient = torch.cat([halves[0] * on, halves[1] * first], -1)
        else:
            gradient = self.output_gradient * on
        nothing = tuple(
            tuple(torch.zeros_like(v) for v in layer) for layer in self.state_gradient
        )
        fields = {**vars(self), "output_gradient": gradient, "state_gradient": nothing}
        return Captured(**fields)


class _Call(NamedTuple):
    """One call of a stack."""

    x: Tensor
    state: Any
    lengths: Tensor | None
    readings: Mapping[str, Tensor]
    y: Tensor
    final: tuple[LayerState, ...]


@dataclass
class _Watch:
    """The calls of one stack."""

    name: str
    layer: nn.Module
    calls: list[_Call] = field(default_factory=list)

    def __call__(
        self,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: tuple[Tensor, tuple[LayerState, ...]],
    ) -> None:
        names = ("x", "state", "lengths", "readings")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        y, final = result
        if not y.requires_grad:
            return
        self.calls.append(
            _Call(
                given["x"].detach(),
                given.get("state"),
                given.get("lengths"),
                given.get("readings") or {},
                y,
                final,
            )
        )

    def joined(self) -> list[_Call]:
        """The longest row of calls that follow each other."""
        if len(self.calls) < 2 or any(len(call.x) > 1 for call in self.calls):
            return [max(self.calls, key=lambda call: len(call.x))]
        return self.calls


def capture(network: nn.Module, *arguments: Any) -> tuple[Captured, ...]:  # noqa: ANN401
    """Run a network as in training and keep what its recurrences read.

    Args:
        network: Its result, or the first part of it, is the loss.
        arguments: What it reads.

    Returns:
        One for each stack of cells that the loss depends on.

    Example:
        >>> from recurro.cells import GRU
        >>> from recurro.nn import Recurrent
        >>> from recurro.nn.language import LanguageNetwork
        >>> from recurro.types import Batch
        >>> network = LanguageNetwork(10, Recurrent(GRU(), 4, 8))
        >>> tokens = torch.zeros(5, 2, dtype=torch.long)
        >>> (found,) = capture(network, Batch(tokens, tokens))
        >>> found.name, found.output_gradient.shape
        ('recurrent', torch.Size([5, 2, 8]))
    """
    watches = [
        _Watch(name, module)
        for name, module in network.named_modules()
        if is_recurrent(module)
    ]
    handles = [w.layer.register_forward_hook(w, with_kwargs=True) for w in watches]
    training = network.training
    try:
        result = network.eval()(*arguments)
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    loss = result[0] if isinstance(result, tuple) else result
    watches = [watch for watch in watches if watch.calls]
    runs = [watch.joined() for watch in watches]
    wanted = [tensor for run in runs for tensor in _outputs(run)]
    gradients = iter(
        torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
    )
    return tuple(
        _captured(watch, run, [next(gradients) for _ in _outputs(run)])
        for watch, run in zip(watches, runs, strict=True)
    )


def _outputs(run: list[_Call]) -> list[Tensor]:
    """What the network may read of a run: every output, and the last states."""
    last = [variable for layer in run[-1].final for variable in layer]
    return [*(call.y for call in run), *last]


def _captured(watch: _Watch, run: list[_Call], gradients: list[Tensor]) -> Captured:
    first, by_final = run[0], iter(gradients[len(run) :])
    state = first.state and tuple(
        tuple(v.detach() for v in layer) for layer in first.state
    )
    readings = {
        name: torch.cat([call.readings[name].detach() for call in run])
        for name in first.readings
    }
    return Captured(
        watch.name,
        watch.layer,
        torch.cat([call.x for call in run]),
        state,
        first.lengths if len(run) == 1 else None,
        readings,
        torch.cat(gradients[: len(run)]),
        tuple(tuple(next(by_final) for _ in layer) for layer in run[-1].final),
    )
