"""``recurro bench stream``: what one step costs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from recurro.cli.benches import Out, Rounds, leave
from recurro.cli.options import Json
from recurro.cli.running import use_threads

Sizes = Annotated[
    list[int] | None,
    typer.Option(
        "--size",
        metavar="N",
        min=1,
        help="Input and hidden size; may be repeated. \\[default: 64 128 256 512]",
        show_default=False,
    ),
]


def bench_stream(
    size: Sizes = None, rounds: Rounds = 15, out: Out = None, json: Json = False
) -> None:
    """Time one step of an LSTM at batch 1 beside nn.LSTM and ONNX Runtime.

    One thread. The time of a step is in microseconds; a ratio is the other's time over
    that of the stream, the median over rounds in turn: 2 means that the stream is twice
    as fast.
    """
    use_threads(1)
    from recurro.bench.stream import HALF, ONNX, OURS, SIZES, TORCH, UNBOUND
    from recurro.bench.stream import bench_stream as measure
    from recurro.bench.timing import machine
    from recurro.cli.show import print_rows, say

    rows = measure(size or SIZES, rounds=rounds)
    tree = {
        "question": "What does one step of an LSTM cost at batch 1?",
        "rows": [asdict(row) for row in rows],
        "machine": machine(),
    }
    if leave(tree, out, as_json=json):
        return
    print_rows(
        [
            {
                "name": f"LSTM {row.size}, {row.size}",
                "us": 1e6 * row.engines[OURS].seconds.median,
                **{
                    name: row.engines[name].ratio.median
                    for name in (UNBOUND, HALF, TORCH, ONNX)
                    if name in row.engines
                },
                "steady": "yes" if row.engines[OURS].steady else "no",
            }
            for row in rows
        ]
    )
    if ONNX not in rows[0].engines:
        say("ONNX Runtime is not installed: pip install 'recurro[onnx]' to compare.")
