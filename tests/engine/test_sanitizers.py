"""The kernels touch no memory that is not theirs, and do nothing C leaves undefined.

Each test runs this file as a program of its own, with AddressSanitizer in the process
and in the kernels. There torch's tensors end where they should, every buffer of a
kernel has a guard on both sides, and memory that nobody has written yet holds NaN. So
a read or a write beyond a row ends the program, and a value that was never computed
shows in the results, which are compared with the reference all the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from ctypes import c_long, c_void_p
from itertools import cycle
from pathlib import Path

import pytest
import torch

from recurro import BlockDiagonal, Diagonal, Sparse, cells
from recurro.engine import HiddenClip, Stream, build, cpu, recurrence, run, team
from recurro.engine.cpu import run_cpu
from recurro.engine.reference import Request, draw_masks, run_reference

CFLAGS = "-O0 -g -fsanitize=address,undefined -fno-sanitize-recover=all"

CELLS = {
    "Elman": cells.Elman(),
    "LSTM": cells.LSTM(),
    "GRU": cells.GRU(),
    "ChoGRU": cells.ChoGRU(),
    "LayerNormLSTM": cells.LayerNormLSTM(),
    "PeepholeLSTM": cells.PeepholeLSTM(),
    "projection": cells.LSTM(proj_size=2),
    "MinGRU": cells.MinGRU(),
    "ComplexDiagonal": cells.ComplexDiagonal(),
    "Zoneout": cells.Zoneout(cells.RecurrentDropout(cells.LSTM(), 0.3), 0.2),
    "DeepTransition": cells.DeepTransition(cells.LayerNormLSTM(), 2),
}
STRUCTURES = {
    "diagonal": lambda hidden: Diagonal(),
    "blocks": lambda hidden: BlockDiagonal(
        next(n for n in (3, 2, 5, 1) if hidden % n == 0)
    ),
    "sparse": lambda hidden: Sparse.random(
        hidden, min(3, hidden), torch.Generator().manual_seed(0)
    ),
}
SIZES = (
    {torch.float32: (1, 17, 63, 64), torch.float64: (3, 16)},
    {torch.float32: (3, 16, 65), torch.float64: (1, 31)},
)
"""Units by type; cells take the two by turns."""
BATCHES = (1, 5, 6, 7, 97)


# -- what runs in the program ------------------------------------------------------


def draw(*shape: int, dtype: torch.dtype, scale: float = 1.0) -> torch.Tensor:
    return (torch.randn(shape, dtype=torch.float64) * scale).to(dtype)


def close(got, wanted, dtype: torch.dtype) -> None:
    near = 2e-3 if dtype == torch.float32 else 1e-8
    torch.testing.assert_close(got, wanted, rtol=near, atol=near, check_stride=False)


def made(cell, hidden, dtype, structure=None):
    """A recurrence of some sizes with random parameters."""
    part = recurrence(cell, 3, hidden, recurrent=structure)
    shapes = part.shapes().items()
    stored = {n: draw(*s, dtype=dtype, scale=0.5 * s[-1] ** -0.5) for n, s in shapes}
    return part, stored


def check_loop(part, stored, batch: int, dtype: torch.dtype, **options: object) -> None:
    """A run over time and its gradients, by the kernels and by the reference."""
    time = 5
    state = tuple(draw(batch, width, dtype=dtype) for _, width in part.program.state)
    x = draw(time, batch, 3, dtype=dtype)
    leaves = [x, *state, *stored.values()]
    request = Request(
        part.cell,
        part.program,
        stored,
        (x,),
        state,
        training=True,
        storage=tuple(part.storage.items()),
        **options,
    )
    request = request._replace(masks=draw_masks(request))
    with torch.no_grad():
        close(run_cpu(request), run_reference(request), dtype)
    for leaf in leaves:
        leaf.requires_grad_()
    found = []
    for runner in (run_cpu, run_reference):
        trail, final = runner(request)
        loss = sum(value.sin().sum() for value in (*trail, *final))
        gradients = torch.autograd.grad(
            loss, leaves, allow_unused=True, materialize_grads=True
        )
        found.append([*trail, *final, *gradients])
    close(*found, dtype)


def loops(cell, sizes, structure: Callable | None = None) -> None:
    """Runs of one cell at all sizes, the other sides of a run by turns."""
    batches, turns = cycle(BATCHES), cycle(range(4))
    for dtype in sizes:
        for hidden in sizes[dtype]:
            if hidden <= getattr(cell, "proj_size", 0):
                continue
            part, stored = made(cell, hidden, dtype, structure and structure(hidden))
            for _ in range(3):
                batch, turn = next(batches), next(turns)
                torch.set_num_threads(1 + turn % 3)
                options = {
                    "lengths": torch.randint(0, 6, (batch,)) if turn % 2 else None,
                    "reverse": turn > 1,
                    "clip": HiddenClip(value=0.1, norm=0.1) if turn == 2 else None,
                }
                check_loop(part, stored, batch, dtype, **options)


def streams(cell, sizes) -> None:
    """Single steps of one cell."""
    for dtype, half in (
        (torch.float32, False),
        (torch.float32, True),
        (torch.float64, False),
    ):
        for hidden in sizes[dtype]:
            if hidden <= getattr(cell, "proj_size", 0):
                continue
            part, stored = made(cell, hidden, dtype)
            if half:
                stored = {
                    n: t.bfloat16().float() if t.ndim == 2 else t
                    for n, t in stored.items()
                }
            for batch in (1, 3, 6):
                weights = {"weights": "bfloat16"} if half else {}
                stream = Stream([(part, stored)], batch, backend="cpu", **weights)
                x = draw(4, batch, 3, dtype=dtype)
                got = torch.stack([stream.step(x_t).clone() for x_t in x])
                wanted = run(part, stored, x, backend="reference")
                close((got, stream.state()[0]), wanted[:2], dtype)


def overrun() -> None:
    """A kernel that writes one number too far; the program must not survive it."""
    write = build.build("void run(float *x, long n) { x[n] = 1; }").run
    numbers = torch.zeros(5)
    write(c_void_p(numbers.data_ptr()), c_long(5))


def undefined() -> None:
    """A kernel that adds beyond what an int holds."""
    build.build("int next(int x) { return x + 1; }").next(2**31 - 1)


def main(kind: str, name: str) -> None:
    os.environ.pop("LD_PRELOAD", None)  # the compiler goes without
    torch.use_deterministic_algorithms(True)  # new memory holds NaN
    cpu.KEPT = 0  # memory of its own for each call
    team.WORTH = team.WORTH_STEP = 0  # as many threads as there are, however short
    names = [*CELLS, *STRUCTURES, "overrun", "undefined"]
    sizes = SIZES[names.index(name) % 2]
    if kind == "stream":
        streams(CELLS[name], sizes)
    elif kind == "loop":
        loops(CELLS[name], sizes)
    elif kind == "structure":
        loops(cells.LSTM(), sizes, STRUCTURES[name])
    else:
        {"overrun": overrun, "undefined": undefined}[name]()
    print("done")  # noqa: T201 (read by the test)


# -- the tests ---------------------------------------------------------------------


def runtime() -> Iterator[str]:
    """The libraries that must be loaded before Python."""
    for name in ("libasan.so", "libubsan.so", "libstdc++.so.6"):
        asked = [*build.compiler(), f"-print-file-name={name}"]
        found = subprocess.run(asked, capture_output=True, text=True, check=True)
        yield found.stdout.strip()


@pytest.fixture
def sanitized(tmp_path):
    """Runs a part of this file as a program."""
    libraries = list(runtime())
    if not all(Path(library).is_absolute() for library in libraries):
        pytest.skip("the compiler has no sanitizers")
    tmp_path.chmod(0o700)

    def start(kind: str, name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.engine.test_sanitizers", kind, name],
            env={
                **os.environ,
                "LD_PRELOAD": " ".join(libraries),
                "ASAN_OPTIONS": "detect_leaks=0",
                "UBSAN_OPTIONS": "print_stacktrace=1",
                "RECURRO_CFLAGS": CFLAGS,
                "RECURRO_CACHE": str(tmp_path),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return start


def assert_clean(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-8000:]


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_loops(sanitized, name):
    assert_clean(sanitized("loop", name))


@pytest.mark.slow
@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(sanitized, name):
    assert_clean(sanitized("structure", name))


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_streams(sanitized, name):
    assert_clean(sanitized("stream", name))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [("overrun", "heap-buffer-overflow"), ("undefined", "signed integer overflow")],
)
def test_what_is_wrong_is_found(sanitized, name, message):
    done = sanitized("wrong", name)
    assert done.returncode != 0
    assert message in done.stderr


if __name__ == "__main__":
    main(*sys.argv[1:])
