"""Advice that follows from measurement: each sentence names the figure it rests on.

References:
    Pascanu, Mikolov and Bengio (2013), arXiv 1211.5063, sections 2 and 3 (radius,
    clipping); Sutskever et al. (2013), ICML (momentum); Gers, Schmidhuber and Cummins
    (2000), Neural Computation 12 (the forget bias); Karpathy, Johnson and Fei-Fei
    (2016), arXiv 1506.02078 (saturated gates).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from recurro.analysis.view import LayersView

__all__ = ["Advice", "advise"]

STUCK = 0.5
"""A gate of whose values more than this are near 0 or 1 is saturated."""
ILL = 6.0
"""Powers of ten by which the ends of a chain may differ before momentum is advised."""
STEPS = 50
"""Steps over which that is reckoned."""


@dataclass(frozen=True)
class Advice:
    """A sentence and the figure that it rests on.

    Attributes:
        topic: ``memory``, ``radius``, ``clipping``, ``momentum`` or ``gates``.
        figure: What was measured, with its value.
        sentence: What follows.
    """

    topic: str
    figure: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.sentence} ({self.figure})"


def advise(
    views: Sequence[LayersView],
    settings: Mapping[str, Any],
    gradients: Sequence[float] = (),
    explosions: int = 0,
) -> tuple[Advice, ...]:
    """What follows from what was measured; nothing where nothing was.

    Args:
        views: What was found in each stack of cells.
        settings: Settings of training: ``clip``, ``optimizer``, ``momentum``, ``k2``.
        gradients: Norms of the gradient that were seen in training.
        explosions: Steps of training that exploded.

    Example:
        >>> seen = [0.5, 0.6, 0.4, 0.5, 0.7, 0.5, 0.6, 0.5, 0.4, 9.0]
        >>> for advice in advise([], {"clip": 0.1}, seen):
        ...     print(advice.sentence)
        Clipping at 0.1 cuts nearly every step; raise clip to about 1.
    """
    found: list[Advice] = []
    for view in views:
        found += _memory(view, settings)
        found += _radius(view)
        found += _momentum(view, settings)
        found += _gates(view)
    return (*found, *_clipping(settings, gradients, explosions))


def _memory(view: LayersView, settings: Mapping[str, Any]) -> Iterator[Advice]:
    """How far back a network learns, and a cell that reaches farther."""
    learning = [f for f in view.flow.layers if f.contributions.sum() > 0]
    reach = [(flow.horizon or 0, flow.name) for flow in learning if flow.horizon]
    cut = settings.get("k2")
    if learning and len(reach) == len(learning):
        horizon, layer = max(reach)
        unit = "step" if horizon == 1 else "steps"
        yield Advice(
            "memory",
            f"{view.name}, {layer}: 99 % of the gradient of its matrices comes from "
            f"the last {horizon} of {view.steps} steps",
            f"{view.name}: this network cannot learn dependencies longer than about "
            f"{horizon} {unit}.{_other_cell(view)}",
        )
    elif learning and isinstance(cut, int) and cut < view.steps:
        yield Advice(
            "memory",
            f"{view.name}: 99 % of the gradient needs nearly all of the {view.steps} "
            f"steps looked at; bptt {cut}",
            f"{view.name}: the gradient reaches farther back than training lets it; "
            f"raise bptt above {cut} for longer memory.",
        )


def _other_cell(view: LayersView) -> str:
    """What to try where a layer forgets too soon, by what its cell has."""
    kept = [gate for gate in view.gates if float(gate.right.mean()) > 0.1]
    if not view.gates:
        return " For longer ones take a cell with gates, such as LSTM() or GRU()."
    if not kept:
        return (
            " For longer ones start its gates open (a larger forget bias): none is "
            "over 0.9 for a tenth of the time."
        )
    return " For longer ones let the gradient look back by attention or a skip."


def _radius(view: LayersView) -> Iterator[Advice]:
    """Whether the linearised chain, or a matrix without gates, explodes."""
    for flow, chain in zip(view.flow.layers, view.chains, strict=False):
        if flow.growth > 1.02 and chain.radius > 1:
            yield Advice(
                "radius",
                f"{view.name}, {flow.name}: the gradient grows {flow.growth:.3f} times "
                f"a step back; spectral radius of the mean Jacobian {chain.radius:.3f}",
                f"Gradients of {view.name}, {flow.name} explode; hold its recurrent "
                "matrices under a spectral radius of 1 (spectral_bound=1.0) and clip.",
            )
        elif chain.radius < 0.5 and flow.horizon is not None:
            yield Advice(
                "radius",
                f"{view.name}, {flow.name}: spectral radius of the mean Jacobian "
                f"{chain.radius:.3f}",
                f"The state of {view.name}, {flow.name} shrinks by half a step or "
                "faster; start its recurrent matrices at a spectral radius near 1.",
            )


def _momentum(view: LayersView, settings: Mapping[str, Any]) -> Iterator[Advice]:
    """Whether plain gradient descent meets a badly conditioned chain."""
    if settings.get("optimizer") != "sgd" or settings.get("momentum"):
        return
    for flow, chain in zip(view.flow.layers, view.chains, strict=False):
        if not chain.is_whole:
            continue
        worst = float(chain.conditioning(STEPS)[0])
        if worst > ILL:
            told = f"10^{worst:.0f}" if worst < 1e6 else "without bound"
            yield Advice(
                "momentum",
                f"{view.name}, {flow.name}: (lambda_1 / lambda_d)^{STEPS} is {told}",
                "Plain gradient descent is slow on so badly conditioned a chain; give "
                "it much momentum (0.9 to 0.99), or use adam or rprop.",
            )
            return


def _gates(view: LayersView) -> Iterator[Advice]:
    """Gates that are stuck, so that no gradient moves them."""
    for gate in view.gates:
        left, right = float(gate.left.mean()), float(gate.right.mean())
        name = f"gate {gate.name} of {view.name}, {gate.layer}"
        if left > STUCK:
            yield Advice(
                "gates",
                f"{name}: under 0.1 for {left:.0%} of its values",
                f"The {name} is closed nearly always, and learns little there; look "
                "at its bias and at the scale of the inputs.",
            )
        elif right > STUCK:
            yield Advice(
                "gates",
                f"{name}: over 0.9 for {right:.0%} of its values",
                f"The {name} is open nearly always: what it guards is not guarded; a "
                "cell without it may do as well.",
            )


def _clipping(
    settings: Mapping[str, Any], gradients: Sequence[float], explosions: int
) -> Iterator[Advice]:
    """The threshold against the norms that were seen."""
    if len(gradients) >= 5:
        usual, high = median(gradients), quantiles(gradients, n=20)[-1]
        figure = (
            f"gradient norms in training: median {usual:.3g}, 95 % under {high:.3g}, "
            f"{len(gradients)} seen"
        )
        clip, better = settings.get("clip"), _round(2 * usual)
        if isinstance(clip, int | float) and clip < usual:
            yield Advice(
                "clipping",
                figure,
                f"Clipping at {clip:g} cuts nearly every step; raise clip to about "
                f"{better:g}.",
            )
        elif isinstance(clip, int | float) and clip > 20 * high:
            yield Advice(
                "clipping",
                figure,
                f"Clipping at {clip:g} is far above what is seen; clip={better:g} "
                "would catch outliers.",
            )
        elif clip is None and high > 10 * usual:
            yield Advice(
                "clipping",
                figure,
                f"Some gradients are ten times the usual; clip at about {better:g}.",
            )
    if explosions:
        yield Advice(
            "clipping",
            f"{explosions} steps exploded in training",
            "Training exploded now and then; lower learning_rate or clip.",
        )


def _round(value: float) -> float:
    """To one digit."""
    return float(f"{value:.0e}")
