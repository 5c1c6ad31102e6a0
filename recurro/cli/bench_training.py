"""``recurro bench training``: what the training loop costs."""

from __future__ import annotations

from typing import Annotated

import typer

from recurro.cli.benches import Out, Rounds, leave
from recurro.cli.options import Json, Threads
from recurro.cli.running import use_threads

Schemes = Annotated[
    list[str] | None,
    typer.Option(
        "--scheme",
        metavar="NAME",
        help="'language model', classifier, tagger, 'tagger, equal lengths' or speech; "
        "may be repeated. "
        "[dim]\\[default: all][/dim]",
        show_default=False,
    ),
]


def bench_training(
    scheme: Schemes = None,
    rounds: Rounds = 15,
    threads: Threads = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Time the training loop beside a bare PyTorch loop that does the same work.

    One model of each scheme: a language model, two LSTM layers of 512, batch 64, chunks
    of 100 steps; a classifier, a tagger and a CTC recogniser of rows of unequal length.
    The ratio is the median over rounds in turn, between its quartiles.
    """
    use_threads(threads or 1)
    from recurro.bench.timing import as_tree
    from recurro.bench.training import SCHEMES
    from recurro.bench.training import bench_training as measure
    from recurro.cli.show import print_rows, say

    found = {name: measure(name, rounds=rounds) for name in scheme or SCHEMES}
    tree = [
        as_tree(
            f"What does the training loop cost: {name}?", rows, vars(SCHEMES[name][1])
        )
        for name, rows in found.items()
    ]
    if leave(tree, out, as_json=json):
        return
    print_rows(
        [
            {
                "name": name,
                "bare, seconds per update": bare.seconds.median / chunks,
                "recurro": ours.seconds.median / chunks,
                "ratio": ours.ratio.median,
                "lower quartile": ours.ratio.lower,
                "upper quartile": ours.ratio.upper,
            }
            for name, (bare, ours) in found.items()
            for chunks in [SCHEMES[name][1].chunks]
        ]
    )
    say()
    for name, (bare, ours) in found.items():
        cost = 100 * (ours.ratio.median - 1)
        say(f"{name}: recurro's loop costs {cost:+.1f} %.")
        if not bare.steady:
            say("The machine was busy: the bare loop wavered too much to trust this.")
