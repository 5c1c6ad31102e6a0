"""What one step of an LSTM costs from Python: a stream beside the incumbents.

Batch 1, one thread, the product with the input included, the state carried from step to
step. The input stands in memory that is bound beforehand, as ONNX Runtime's IOBinding
and ``Stream.input`` allow; *unbound* is a stream that is given a tensor to check at
each step. Equal weights on all sides; each engine runs some steps and must agree with a
float64 run to 2e-5 (on bfloat16 weights: with a run on the rounded ones) before
anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from recurro.bench.timing import Row, take_turns
from recurro.cells.ops import Value
from recurro.engine import Stream
from recurro.errors import BackendError
from recurro.nn import LSTM

__all__ = ["SIZES", "StreamRow", "bench_stream"]

SIZES = (64, 128, 256, 512)
"""Input and hidden size."""

OURS, UNBOUND, HALF = "stream", "unbound", "bfloat16"
TORCH, ONNX = "nn.LSTM", "ONNX Runtime"

Step = Callable[[Tensor], Value]


@dataclass(frozen=True)
class StreamRow:
    """One size.

    Attributes:
        size: Input and hidden size.
        engines: Each engine by name, timed in turn; a ratio is its time over that of
            ``stream``, above 1 where ``stream`` is faster.
    """

    size: int
    engines: dict[str, Row]


@torch.no_grad()
def bench_stream(
    sizes: Sequence[int] = SIZES, *, rounds: int = 15, seconds: float = 0.5
) -> list[StreamRow]:
    """Time one step. ONNX Runtime is left out where it is not installed.

    Args:
        sizes: Input and hidden size of each row.
        rounds: Rounds at least.
        seconds: Time at least that each engine is measured for.

    Raises:
        BackendError: If results differ by more than rounding, or nothing can be
            compiled.

    Example:
        >>> row, = bench_stream([8], rounds=1, seconds=0.0)
        >>> list(row.engines)[:3]
        ['stream', 'unbound', 'bfloat16']
    """
    return [_measure(size, rounds, seconds) for size in sizes]


def _measure(size: int, rounds: int, seconds: float) -> StreamRow:
    torch.manual_seed(0)
    theirs = nn.LSTM(size, size)
    ours = LSTM(size, size, backend="cpu")
    ours.load_state_dict(theirs.state_dict())
    engines: dict[str, Step] = {
        OURS: _bound_step(ours.stream()),
        UNBOUND: ours.stream().step,
        HALF: _bound_step(ours.stream(weights="bfloat16")),
        TORCH: _torch_step(theirs),
    }
    if find_spec("onnx") is not None and find_spec("onnxruntime") is not None:
        engines[ONNX] = _onnx_step(theirs)
    x = torch.randn(8, 1, size)
    for name, step in engines.items():
        _gate(name, step, theirs, x)
    x_t = x[0]
    works = {name: lambda step=step: step(x_t) for name, step in engines.items()}
    rows = take_turns(works, baseline=OURS, rounds=rounds, seconds=seconds)
    return StreamRow(size, {row.name: row for row in rows})


def _bound_step(stream: Stream) -> Step:
    """A stream that reads its own memory; another tensor is copied there."""
    last: Tensor | None = None

    def step(x: Tensor) -> Tensor:
        nonlocal last
        if x is not last:
            stream.input.copy_(x)
            last = x
        return stream.step(stream.input)

    return step


def _torch_step(layer: nn.LSTM) -> Step:
    """PyTorch's layer, called for one step with the state of the last one."""
    state = tuple(torch.zeros(1, 1, layer.hidden_size) for _ in "hc")

    def step(x: Tensor) -> Tensor:
        nonlocal state
        y, state = layer(x[None], state)
        return y[0]

    return step


def _onnx_step(layer: nn.LSTM) -> Step:
    """ONNX Runtime on the operator LSTM, with all memory bound beforehand.

    The input is bound too, and copied there only where another tensor comes. Two
    bindings take turns, so that the state of one step is read by the next where it
    stands.
    """
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        _onnx_model(layer), options, providers=["CPUExecutionProvider"]
    )
    size = layer.hidden_size
    x_t = np.zeros((1, 1, layer.input_size), np.float32)
    states = [[np.zeros((1, 1, size), np.float32) for _ in "hc"] for _ in range(2)]
    bound = onnxruntime.OrtValue.ortvalue_from_numpy
    read = bound(x_t)
    held = [[bound(s) for s in pair] for pair in states]
    bindings = []
    for old, new in (held, held[::-1]):
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", read)
        for name, before, after in zip("hc", old, new, strict=True):
            binding.bind_ortvalue_input(f"{name}_old", before)
            binding.bind_ortvalue_output(name, after)
        bindings.append((binding, new[0]))
    last: Tensor | None = None

    def step(x: Tensor) -> Value:
        nonlocal last
        if x is not last:
            read.update_inplace(x.numpy()[None])
            last = x
        bindings.reverse()
        binding, h = bindings[0]
        session.run_with_iobinding(binding)
        return h

    return step


def _onnx_model(layer: nn.LSTM) -> bytes:
    """The graph of one step: ONNX orders the gates i, o, f, g."""
    from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

    def ordered(tensor: Tensor) -> Tensor:
        i, f, g, o = tensor.chunk(4)
        return torch.cat([i, o, f, g])

    w_ih, w_hh, *biases = (ordered(parameter) for parameter in layer.parameters())
    weights = {"W": w_ih[None], "R": w_hh[None], "B": torch.cat(biases)[None]}
    size = layer.hidden_size
    reads = ["x", "W", "R", "B", "", "h_old", "c_old"]
    node = helper.make_node("LSTM", reads, ["", "h", "c"], hidden_size=size)

    def value(name: str, width: int) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, width])

    graph = helper.make_graph(
        [node],
        "step",
        [value("x", layer.input_size), value("h_old", size), value("c_old", size)],
        [value("h", size), value("c", size)],
        [numpy_helper.from_array(t.numpy(), name) for name, t in weights.items()],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    return model.SerializeToString()


def _gate(name: str, step: Step, layer: nn.LSTM, x: Tensor) -> None:
    """Refuse to time what does not compute the same."""
    exact = nn.LSTM(layer.input_size, layer.hidden_size)
    exact.load_state_dict(layer.state_dict())
    if name == HALF:
        for parameter in exact.parameters():
            if parameter.ndim == 2:
                parameter.copy_(parameter.bfloat16())
    wanted = exact.double()(x.double())[0]
    got = torch.stack([_tensor(step(x_t)) for x_t in x]).double()
    error = float((got - wanted).norm() / wanted.norm())
    if not error <= 2e-5:
        raise BackendError(
            f"bench stream: {name} must agree with float64 to 2e-05, got {error:.2g}. "
            "Nothing was timed."
        )


def _tensor(value: Value) -> Tensor:
    """A copy of what a step gave."""
    if isinstance(value, Tensor):
        return value.clone()
    return torch.from_numpy(value.numpy().copy())[0]
