"""Why a recurrence is hard to train, or not: everything that is known of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recurro.analysis.advice import Advice, advise
from recurro.analysis.capture import Captured, capture
from recurro.analysis.fixed_points import FixedPoints, fixed_points
from recurro.analysis.gates import Gate, gates_of
from recurro.analysis.gradient_flow import GradientFlow, gradient_flow
from recurro.analysis.jacobian import linearise_step
from recurro.analysis.lyapunov import LyapunovSpectrum, lyapunov_spectrum
from recurro.analysis.perturbation import Growth, perturbation_growth
from recurro.analysis.spectrum import WHOLE, Spectrum, chain_spectrum, spectra
from recurro.analysis.trajectory import is_recurrent, trajectories
from recurro.analysis.view import LayersView
from recurro.errors import ArgumentError
from recurro.nn.in_step import StepNetwork
from recurro.nn.language import LanguageNetwork
from recurro.nn.stack import Stack
from recurro.tasks.example import TrainedModel, example_batch, untrained_network
from recurro.types import Batch

__all__ = ["Inspection", "inspect"]

ROWS = 4
"""Sequences that exponents and perturbations are the mean of."""
EXPONENTS = 8
"""Lyapunov exponents that are told of each layer, the largest."""
SMALL = 64
"""Numbers of a state up to which fixed points are looked for."""


@dataclass(frozen=True)
class Inspection:
    """All that was found in a model.

    Attributes:
        of: Whose loss the gradient is of.
        views: One for each stack of cells.
        advice: Sentences, each with the figure that it rests on.
    """

    of: str
    views: tuple[LayersView, ...]
    advice: tuple[Advice, ...]

    def rows(self) -> list[dict[str, str | float | None]]:
        """A row for each layer: its horizon, and what grows or is stuck in it."""
        found: list[dict[str, str | float | None]] = []
        for view in self.views:
            for number, flow in enumerate(view.flow.layers):
                chain = view.chains[number] if number < len(view.chains) else None
                layer_gates = [g.saturated for g in view.gates if g.layer == flow.name]
                before = view.untrained.layers[number] if view.untrained else None
                row: dict[str, str | float | None] = {
                    "layer": f"{view.name}, {flow.name}",
                    "horizon": _steps(flow.horizon, view.steps),
                    "horizon untrained": before and _steps(before.horizon, view.steps),
                    "gradient per step": flow.growth,
                    "radius of the chain": chain and chain.radius,
                    "lyapunov": float(view.lyapunov[number].exponents[0])
                    if view.lyapunov
                    else None,
                    "gates saturated": max(layer_gates, default=None),
                }
                found.append(row)
        return found

    def arrays(self) -> dict[str, Any]:
        """Everything as numpy arrays, by ``stack/layer/what``."""
        found: dict[str, Any] = {}
        for view in self.views:
            flows = [("", view.flow), ("untrained ", view.untrained)]
            for when, flow in flows:
                for layer in flow.layers if flow else ():
                    place = f"{view.name}/{layer.name}/{when}"
                    found[f"{place}gradient norms"] = layer.norms.numpy()
                    found[f"{place}contributions"] = layer.contributions.numpy()
                    found[f"{place}shares"] = layer.shares.numpy()
            for spectrum in view.spectra:
                place = f"{view.name}/{spectrum.name}/eigenvalues"
                found[place] = spectrum.eigenvalues
            for flow, chain in zip(view.flow.layers, view.chains, strict=False):
                place = f"{view.name}/{flow.name}/chain eigenvalues"
                found[place] = chain.eigenvalues
            for flow, exponents in zip(view.flow.layers, view.lyapunov, strict=False):
                found[f"{view.name}/{flow.name}/lyapunov"] = exponents.exponents
            if view.growth is not None:
                found[f"{view.name}/perturbation"] = view.growth.distance
            if view.fixed is not None:
                found[f"{view.name}/fixed points"] = view.fixed.points
            for gate in view.gates:
                place = f"{view.name}/{gate.layer}/gate {gate.name}"
                found[place] = gate.values.numpy()
        return found


def _steps(horizon: int | None, steps: int) -> str:
    """A horizon for a table; beyond what was looked at where it has none."""
    return f"over {steps}" if horizon is None else str(horizon)


def inspect(
    model: TrainedModel | nn.Module,
    data: Any = None,  # noqa: ANN401 (of the task)
    *,
    rows: int = 16,
    steps: int = 200,
    settings: Mapping[str, Any] | None = None,
    gradients: tuple[float, ...] = (),
    explosions: int = 0,
) -> Inspection:
    """Look into a model: gradient flow, eigenvalues, gates, and advice from them.

    The gradient is that of the loss of the last step where there is a loss at each
    step, of the whole loss otherwise, and for layers alone of half the squared output
    of their last step.

    Args:
        model: A fitted model, or ``Recurrent`` or a drop-in for PyTorch's layers.
        data: What it reads: a text for a language model, ``(X, y)`` for a model of
            sequences, a ``Batch``, a tensor ``(time, batch, input)`` for layers; what
            the run learnt from if not given.
        rows: Sequences that are looked at, at most.
        steps: Of a running text, the steps of each, at most.
        settings: Settings of training that advice is given on: ``clip``, ``optimizer``,
            ``momentum``, ``k2``; those of a fitted model if not given.
        gradients: Norms of the gradient that were seen in training.
        explosions: Steps of training that exploded.

    Raises:
        ArgumentError: If data are needed and not given, or there is no recurrence.
        DataError: If they cannot be used.
        RunError: If the run no longer holds what it learnt from.

    Example:
        >>> from recurro.cells import Elman
        >>> from recurro.nn import Recurrent
        >>> torch.manual_seed(0) and None
        >>> found = inspect(Recurrent(Elman(), 2, 8), torch.randn(60, 4, 2))
        >>> found.views[0].flow.layers[0].norms.shape
        torch.Size([60, 1])
    """
    if isinstance(model, nn.Module):
        of, after = "half the squared output of the last step", [_layers(model, data)]
        before: dict[str, Captured] = {}
    else:
        batch = example_batch(model, data, rows=rows, steps=steps)
        network = model._fitted()
        of, after = _captured(network, batch)
        _, earlier = _captured(untrained_network(model), batch)
        before = {each.name: each for each in earlier}
        if settings is None:
            settings = model.settings.train.model_dump()
    if not after:
        raise ArgumentError(
            f"inspect: a {type(model).__name__} must have a recurrence that its loss "
            "depends on, got none."
        )
    views = tuple(_view(each, before.get(each.name)) for each in after)
    advice = advise(views, settings or {}, gradients, explosions)
    return Inspection(of, views, advice)


def _captured(network: nn.Module, batch: Batch) -> tuple[str, list[Captured]]:
    """What each recurrence read, and whose loss is looked at."""
    found = [each.some() for each in capture(network, batch)]
    parts = list(network.modules())
    if any(isinstance(part, LanguageNetwork | StepNetwork) for part in parts):
        return "the loss of the last step", [each.of_last_step() for each in found]
    return "the loss of a sequence", found


def _layers(layer: nn.Module, x: object) -> Captured:
    """Layers alone: L is half the squared output of the last step."""
    if not is_recurrent(layer):
        raise ArgumentError(
            "inspect: the model must be a fitted one of recurro, Recurrent, LSTM, GRU "
            f"or RNN, got {type(layer).__name__}."
        )
    if not isinstance(x, Tensor) or x.ndim != 3 or not len(x):
        raise ArgumentError(
            "inspect: data for layers must be a tensor (time, batch, input) of at "
            f"least one step, got {tuple(x.shape) if isinstance(x, Tensor) else x}."
        )
    runs = trajectories(layer, x)
    sides = runs[-2:] if runs[-1].reverse else runs[-1:]
    gradient = torch.cat([run.part.cell.output(*run.new) for run in sides], -1)
    return Captured("layers", layer, x, None, None, {}, gradient, ()).of_last_step()


def _view(after: Captured, before: Captured | None) -> LayersView:
    """All that is told of one stack."""
    runs = trajectories(
        *(after.layer, after.x, after.state, after.lengths, after.readings)
    )
    gates: list[Gate] = []
    chains: list[Spectrum] = []
    for run in runs:
        step = linearise_step(run.part, run.stored, run.inputs, run.old)
        gates += gates_of(run, step)
        if step.size <= WHOLE:
            few = step[:: max(1, len(step) // 50)]
            chains.append(chain_spectrum(few, f"{run.name}, mean Jacobian"))
    lyapunov, growth, fixed = _dynamics(after)
    return LayersView(
        name=after.name,
        cell=str(runs[0].part.cell),
        steps=after.steps,
        rows=after.x.shape[1],
        flow=_flow(after),
        untrained=None if before is None else _flow(before),
        spectra=spectra(after.layer),
        chains=tuple(chains),
        gates=tuple(gates),
        lyapunov=lyapunov,
        growth=growth,
        fixed=fixed,
    )


def _dynamics(
    run: Captured,
) -> tuple[tuple[LyapunovSpectrum, ...], Growth | None, FixedPoints | None]:
    """Exponents, a perturbation and fixed points, of the rows that last longest."""
    steps = run.steps if run.lengths is None else int(run.lengths.max())
    if run.readings or not steps:
        return (), None, None
    whole = slice(None) if run.lengths is None else run.lengths == steps
    x = run.x[:steps, whole][:, :ROWS].double()
    state = run.state and tuple(
        tuple(v[whole][:ROWS].double() for v in layer) for layer in run.state
    )
    exponents = lyapunov_spectrum(
        run.layer, x, _exponents(run), state=state, washout=steps // 5
    )
    stack: Stack = run.layer._stack  # pyright: ignore[reportAssignmentType]
    if any(len(parts) > 1 for parts in stack.layers):
        return exponents, None, None
    growth = perturbation_growth(run.layer, x, (1e-8, 1e-2), state=state)
    (_, part), *others = stack.named()
    if others or sum(width for _, width in part.program.state) > SMALL:
        return exponents, growth, None
    return exponents, growth, fixed_points(run.layer, x.mean((0, 1)), starts=32)


def _exponents(run: Captured) -> int:
    """How many exponents are told: eight, or all of the smallest layer."""
    stack: Stack = run.layer._stack  # pyright: ignore[reportAssignmentType]
    sizes = [sum(w for _, w in part.program.state) for _, part in stack.named()]
    return min(EXPONENTS, *sizes)


def _flow(run: Captured) -> GradientFlow:
    return gradient_flow(
        *(run.layer, run.x, run.output_gradient, run.state, run.lengths, run.readings),
        state_gradient=run.state_gradient or None,
        dtype=torch.float64,
    )
