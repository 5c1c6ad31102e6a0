"""The part of a report that shows why a model is hard to train, or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from recurro.report.chart import Line, line_chart
from recurro.report.plane import Plane
from recurro.report.table import Rows, as_cells
from recurro.train import RunFolder

if TYPE_CHECKING:  # what reads a report need not load what makes it
    from recurro.analysis import Gate, Inspection, LayerFlow, LayersView

__all__ = [
    "DYNAMICS",
    "Dynamics",
    "dynamics_html",
    "dynamics_of",
    "read_dynamics",
    "write_dynamics",
]

DYNAMICS = "inspection.json"
"""Where a run folder keeps what was found."""
FLOOR = -16.0
"""Powers of ten below which nothing is drawn."""
POINTS = 6
"""Fixed points whose eigenvalues are drawn."""
POWERS = 100
"""Steps over which the growth of eigenvalues is drawn."""


@dataclass(frozen=True)
class Curves:
    """A chart of lines, trained and untrained beside each other.

    Attributes:
        title: What stands above it.
        lines: The series; ``style`` is ``group0`` and so on, with `` before`` where it
            is of the untrained network.
        x_label, y_label: What the axes are.
        marks: Places on the x axis.
    """

    title: str
    lines: Sequence[Line]
    x_label: str
    y_label: str
    marks: Sequence[float] = ()


@dataclass(frozen=True)
class Dynamics:
    """What a report shows of an inspection.

    Attributes:
        of: Whose loss the gradient is of.
        rows: A row for each layer.
        advice: Pairs of a sentence and the figure that it rests on.
        curves: Charts of lines.
        planes: Charts of points.
    """

    of: str
    rows: Rows
    advice: Sequence[tuple[str, str]]
    curves: Sequence[Curves]
    planes: Sequence[Plane]


def dynamics_of(found: Inspection) -> Dynamics:
    """Draw what was found.

    Args:
        found: What ``recurro.analysis.inspect`` gives.
    """
    return Dynamics(
        of=found.of,
        rows=found.rows(),
        advice=[(each.sentence, each.figure) for each in found.advice],
        curves=[curves for view in found.views for curves in _curves(view)],
        planes=[plane for view in found.views for plane in _planes(view)],
    )


def _curves(view: LayersView) -> Iterator[Curves]:
    before = view.untrained.layers if view.untrained else (None,) * 99
    for layer, untrained in zip(view.flow.layers, before, strict=False):
        yield Curves(
            f"Gradient flow: {view.name}, {layer.name}",
            [*_norms(layer, ""), *(_norms(untrained, " before") if untrained else [])],
            "steps back from the last one",
            "log10 of |dL/ds|",
        )
    yield Curves(
        f"Where the gradient of the matrices comes from: {view.name}",
        [_reach(layer, n) for n, layer in enumerate(view.flow.layers)],
        "last steps",
        "% of the gradient",
        [float(f.horizon) for f in view.flow.layers if f.horizon is not None],
    )
    if view.chains:
        yield Curves(
            f"Growth of the linearised chain: {view.name}",
            [line for n, chain in enumerate(view.chains) for line in _growth(chain, n)],
            "steps k",
            "log10 of |lambda|^k",
        )
    yield from _exponents(view)
    yield from _perturbation(view)
    yield from _openness(view)


def _norms(flow: LayerFlow, when: str) -> list[Line]:
    """||dL/ds|| of each state variable, from the last step back."""
    with np.errstate(divide="ignore"):
        logs = np.log10(flow.norms.double().numpy())[::-1]
    told = "untrained" if when else "trained"
    return [
        Line(
            f"{name}, {told}",
            [(float(k), float(v)) for k, v in enumerate(logs[:, n]) if v > FLOOR],
            style=f"group{n}{when}",
        )
        for n, name in enumerate(flow.variables)
    ]


def _reach(flow: LayerFlow, number: int) -> Line:
    """The share of the last k steps in the gradient of the matrices."""
    back = flow.contributions.double().flip(0).cumsum(0).numpy()
    whole = float(back[-1]) if len(back) else 0.0
    points = [(k + 1.0, 100 * float(v) / whole) for k, v in enumerate(back) if whole]
    return Line(flow.name, [(0.0, 0.0), *points], style=f"group{number}")


def _growth(chain: Any, number: int) -> list[Line]:  # noqa: ANN401 (a spectrum)
    """|lambda|^k of the largest eigenvalue and of the median one."""
    steps = list(range(POWERS + 1))
    powers = chain.growth(steps)
    middle = powers.shape[1] // 2
    name = chain.name.partition(",")[0]
    return [
        Line(f"{name}, {told}", _points(steps, powers[:, n]), style=f"group{number}{s}")
        for told, n, s in (("largest", 0, ""), ("median", middle, " before"))
    ]


def _points(xs: Sequence[float], ys: np.ndarray) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True) if y > FLOOR]


def _exponents(view: LayersView) -> Iterator[Curves]:
    """The largest Lyapunov exponents of each layer, by rank."""
    lines = [
        Line(
            flow.name,
            _points(range(1, 1 + len(found.exponents)), found.exponents),
            dots=True,
            style=f"group{n}",
        )
        for n, (flow, found) in enumerate(
            zip(view.flow.layers, view.lyapunov, strict=False)
        )
    ]
    if any(line.points for line in lines):
        title = f"Lyapunov exponents, above 0 in chaos: {view.name}"
        yield Curves(title, lines, "rank", "per step")


def _perturbation(view: LayersView) -> Iterator[Curves]:
    """What becomes of a small and of a large change of the first state."""
    growth = view.growth
    if growth is None:
        return
    with np.errstate(divide="ignore"):
        logs = np.log10(growth.distance)
    lines = [
        Line(
            f"a change of {size:.0e}",
            _points(range(len(logs)), logs[:, n]),
            style=f"group{n}",
        )
        for n, size in enumerate(growth.sizes)
    ]
    yield Curves(
        f"What becomes of a perturbation: {view.name}",
        lines,
        "step",
        "log10 of |r' - r|",
    )


def _openness(view: LayersView) -> Iterator[Curves]:
    for layer in dict.fromkeys(gate.layer for gate in view.gates):
        gates = [gate for gate in view.gates if gate.layer == layer]
        lines = [
            Line(gate.name, _points(range(view.steps), _mean(gate)), style=f"group{n}")
            for n, gate in enumerate(gates)
        ]
        yield Curves(
            f"How open the gates are: {view.name}, {layer}", lines, "step", "mean"
        )


def _mean(gate: Gate) -> np.ndarray:
    return gate.mean.double().numpy()


def _planes(view: LayersView) -> Iterator[Plane]:
    spectra = {s.name: s.eigenvalues for s in view.spectra}
    chains = {s.name.partition(",")[0]: s.eigenvalues for s in view.chains}
    for title, found in (
        (f"Recurrent matrices: {view.name}", spectra),
        (f"Mean Jacobian of a step: {view.name}", chains),
    ):
        groups = {
            name: [(float(v.real), float(v.imag)) for v in values]
            for name, values in found.items()
        }
        if groups:
            yield Plane(title, groups, "real part", "imaginary part", circle=True)
    fixed = view.fixed
    if fixed is not None and len(fixed):
        groups = {
            f"point {n + 1}, {'stable' if held else 'unstable'}": [
                (float(v.real), float(v.imag)) for v in values
            ]
            for n, (held, values) in enumerate(
                zip(fixed.stable[:POINTS], fixed.eigenvalues, strict=False)
            )
        }
        title = f"At the {len(fixed)} fixed points under the mean input: {view.name}"
        yield Plane(title, groups, "real part", "imaginary part", circle=True)
    for layer in dict.fromkeys(gate.layer for gate in view.gates):
        yield Plane(
            f"Saturation of gates, a dot a unit: {view.name}, {layer}",
            {
                gate.name: list(
                    zip(gate.left.tolist(), gate.right.tolist(), strict=True)
                )
                for gate in view.gates
                if gate.layer == layer
            },
            "share of steps under 0.1 (closed)",
            "share of steps over 0.9 (open)",
        )


# -- in the run folder and on the page -------------------------------------------------


def write_dynamics(folder: RunFolder, dynamics: Dynamics) -> None:
    """Keep it beside the run, for its report."""
    folder.write_json(DYNAMICS, asdict(dynamics))


def read_dynamics(folder: RunFolder) -> Dynamics:
    """Read it back."""
    tree: Any = folder.read_json(DYNAMICS)
    return Dynamics(
        of=tree["of"],
        rows=tree["rows"],
        advice=[(sentence, figure) for sentence, figure in tree["advice"]],
        curves=[_read_curves(curves) for curves in tree["curves"]],
        planes=[_read_plane(plane) for plane in tree["planes"]],
    )


def _pairs(rows: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in rows]


def _read_curves(tree: Mapping[str, Any]) -> Curves:
    lines = [
        Line(**{**line, "points": _pairs(line["points"])}) for line in tree["lines"]
    ]
    return Curves(**{**tree, "lines": lines})


def _read_plane(tree: Mapping[str, Any]) -> Plane:
    groups = {name: _pairs(points) for name, points in tree["groups"].items()}
    return Plane(**{**tree, "groups": groups})


def dynamics_html(dynamics: Dynamics) -> str:
    """The sections of the page: advice, a table, charts."""
    told = "".join(
        f"<li>{escape(sentence)} <small>{escape(figure)}</small></li>"
        for sentence, figure in dynamics.advice
    )
    if not told:
        told = "<li>Nothing that was measured asks for a change.</li>"
    table = _table(dynamics.rows)
    curves = "".join(_curve(each) for each in dynamics.curves)
    planes = "".join(
        f"<figure><h3>{escape(plane.title)}</h3><figcaption>{plane.keys()}"
        f"</figcaption>{svg}</figure>"
        for plane in dynamics.planes
        if (svg := plane.svg())
    )
    return (
        f'<section class="dynamics"><h2>Dynamics</h2>'
        f"<p>Gradients are those of {escape(dynamics.of)}.</p>"
        f'<ul class="advice">{told}</ul>{table}{curves}'
        f'<div class="planes">{planes}</div></section>'
    )


def _table(rows: Rows) -> str:
    columns = as_cells(rows)
    head = "".join(f"<th>{escape(heading)}</th>" for heading, _, _ in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{escape(cells[n])}</td>" for _, cells, _ in columns)
        + "</tr>"
        for n in range(len(rows))
    )
    return f'<table class="layers"><tr>{head}</tr>{body}</table>'


def _curve(curves: Curves) -> str:
    svg = line_chart(
        curves.lines,
        x_label=curves.x_label,
        y_label=curves.y_label,
        marks=curves.marks,
        cut=False,
    )
    keys = "".join(
        f'<span class="key {escape(line.style)}">{escape(line.name)}</span>'
        for line in curves.lines
    )
    return (
        f"<figure><h3>{escape(curves.title)}</h3><figcaption>{keys}</figcaption>{svg}"
        "</figure>"
        if svg
        else ""
    )
