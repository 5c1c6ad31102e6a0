"""``recurro train esn``: an echo state network, learnt in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recurro.cli.options import NETWORK, Json, Out, Overwrite, Quiet
from recurro.cli.running import free_folder, interruptible, name_of

GRID: dict[str, list[float]] = {
    "spectral_radius": [0.5, 0.9, 1.1],
    "leak_rate": [0.1, 0.3, 1.0],
    "input_scaling": [0.1, 0.3, 1.0],
    "ridge": [1e-8, 1e-6, 1e-4, 1e-2, 0.1, 1.0, 10.0, 100.0],
}
"""What is tried with --search, but for what is changed; without it, ridges alone."""

_DEFAULTS: dict[str, Any] = {
    "spectral_radius": 0.9,
    "leak_rate": 0.3,
    "input_scaling": 0.3,
    "ridge": "search",
}

Data = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A table, a row for each step; or a .ts file of series with classes.",
        show_default=False,
    ),
]


def _network(flag: str, text: str, metavar: str) -> Any:  # noqa: ANN401
    return typer.Option(flag, metavar=metavar, help=text, rich_help_panel=NETWORK)


Target = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="A column to learn (repeat). [dim]\\[default: all of numbers][/dim]",
        show_default=False,
    ),
]
Classify = Annotated[
    str | None,
    typer.Option(
        "--classify",
        metavar="HOW",
        help="Of .ts: tell classes by the last state, their mean, or each step.",
        show_default=False,
    ),
]
HeldOut = Annotated[
    float,
    typer.Option("--held-out", metavar="SHARE", help="Share that is scored alone."),
]
Units = Annotated[int, _network("--units", "Units of the reservoir.", "M")]
Radius = Annotated[
    float, _network("--spectral-radius", "Of its recurrent matrix.", "X")
]
Leak = Annotated[float, _network("--leak-rate", "Near 0 for slow series.", "X")]
Scaling = Annotated[
    float, _network("--input-scaling", "Largest weight of the inputs.", "X")
]
Entries = Annotated[
    int, _network("--connectivity", "Entries in a row of the matrix.", "N")
]
Feedback = Annotated[
    float, _network("--feedback", "Largest weight of fed back outputs.", "X")
]
Washout = Annotated[int, _network("--washout", "First steps not learnt from.", "N")]
Ridge = Annotated[
    str,
    _network("--ridge", "A number, gcv, loo, or search: by a part held out.", "R"),
]
Search = Annotated[
    bool,
    typer.Option(
        "--search",
        metavar=" ",
        help="Choose what is at its default of radius, leak, scaling and ridge "
        "by a part held out.",
        rich_help_panel=NETWORK,
    ),
]
Seed = Annotated[int, _network("--seed", "Seed of the reservoir.", "N")]
Encoding = Annotated[
    str, typer.Option("--encoding", metavar="NAME", help="Encoding of a table.")
]


def _grid(asked: dict[str, Any], *, search: bool) -> dict[str, Any] | None:
    """What is tried: of what may be searched, all that is at its default."""
    if search:
        left = {name for name in GRID if asked[name] == _DEFAULTS[name]}
        return {name: values for name, values in GRID.items() if name in left} or None
    return {"ridge": GRID["ridge"]} if asked["ridge"] == "search" else None


def _strength(ridge: str) -> Any:  # noqa: ANN401 (a number or a name)
    """The ridge of a network; 1 where it is searched for."""
    from recurro.errors import ArgumentError

    if ridge in ("gcv", "loo"):
        return ridge
    try:
        return 1.0 if ridge == "search" else float(ridge)
    except ValueError:
        raise ArgumentError(
            f"--ridge: must be a number, gcv, loo or search, got {ridge!r}."
        ) from None


def train_esn(
    data: Data,
    target: Target = None,
    classify: Classify = None,
    held_out: HeldOut = 0.2,
    units: Units = 300,
    spectral_radius: Radius = _DEFAULTS["spectral_radius"],
    leak_rate: Leak = _DEFAULTS["leak_rate"],
    input_scaling: Scaling = _DEFAULTS["input_scaling"],
    connectivity: Entries = 10,
    feedback: Feedback = 0.0,
    washout: Washout = 0,
    ridge: Ridge = _DEFAULTS["ridge"],
    search: Search = False,
    seed: Seed = 0,
    encoding: Encoding = "utf-8",
    out: Out = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train an echo state network: the next step of a table, or classes of series.

    The last fifth of a table is held out, of a .ts file each fifth series; the network
    and its baselines are scored on it. nrmse is the error over the spread: 1 is as
    good as telling the mean.
    """
    from recurro.cli.show import print_json, print_rows, say, say_dim, watch
    from recurro.errors import ArgumentError
    from recurro.reservoir import EchoStateNetwork, check_echo_state
    from recurro.tasks.echo_state import EchoStateRun

    if classify not in (None, "step", "last", "mean"):
        raise ArgumentError(
            f"--classify: must be last, mean or step, got {classify!r}."
        )
    network = EchoStateNetwork(
        units,
        spectral_radius=spectral_radius,
        leak_rate=leak_rate,
        input_scaling=input_scaling,
        connectivity=connectivity,
        feedback=feedback,
        washout=washout,
        ridge=_strength(ridge),
        classify=classify,
        random_state=seed,
    )
    run = out or free_folder(f"{name_of([data])}-esn")
    asked = {
        "spectral_radius": spectral_radius,
        "leak_rate": leak_rate,
        "input_scaling": input_scaling,
        "ridge": ridge,
    }
    grid = _grid(asked, search=search)
    model = EchoStateRun(network, tuple(target or ()), encoding, grid)
    with interruptible(run), watch(quiet=quiet) as watcher:
        model.fit(
            data,
            held_out=held_out,
            out=run,
            overwrite=overwrite,
            progress=lambda done, total: watcher.update(done, total, {}),
        )
    if json:
        figures = {k: v for k, v in model.baselines[-1].items() if k != "name"}
        print_json({"run": str(run), **figures, "baselines": model.baselines})
        return
    print_rows(model.baselines)
    if max(model.network.radius_) >= 1:
        say(f"\n{check_echo_state(model.network, steps=300, delays=0)}")
    say(f"\nrun  {run}")
    verb = "evaluate" if classify else "generate"
    ask = "FILE" if classify else f"--prompt {data} --length 20"
    say_dim(f"Try next: recurro {verb} {run} {ask}")
