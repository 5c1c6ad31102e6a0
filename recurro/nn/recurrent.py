"""One layer class for every cell."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recurro.cells import Cell, DeepTransition, RecurrentDropout, Zoneout, init
from recurro.engine import HiddenClip, Stream
from recurro.engine.reference import Memory
from recurro.engine.run import Backend
from recurro.engine.stream import Weights
from recurro.engine.structure import Sparse, Structure
from recurro.errors import ArgumentError
from recurro.nn.dropout import check_probability, variational_dropout
from recurro.nn.stack import (
    LayerState,
    Options,
    Stack,
    bound_radii,
    build_stack,
    initialise,
    recurrent_matrices,
    register,
    run_stack,
    stream_stack,
)
from recurro.types import Float, Int


class Recurrent(nn.Module):
    """Layers of a cell, run over time.

    Parameters are named by the cell (``weight_ih_l0`` for cells with a PyTorch twin,
    ``W_z_l0``, ``U_z_l0``, ``b_z_l0`` for others) and start as the cell's docstring
    says.

    Args:
        cell: The cell, such as ``LSTM()`` or one of your own.
        input_size: Width of the input, or of each input by name.
        hidden_size: Units of each layer and direction.
        num_layers: Layers upon each other.
        bias: Whether affine maps have biases.
        recurrent: Structure of the recurrent matrices of ``hidden_size`` by
            ``hidden_size`` units: ``Diagonal()``, ``BlockDiagonal(blocks)`` or
            ``Sparse(...)``; dense if not given. The pattern of a sparse one is saved
            with the parameters.
        bidirectional: Whether each layer also reads backward; outputs are joined.
        residual: Add each layer's input to its output, from the second layer on.
        dropout: Probability of dropping an element between layers.
        variational_dropout: The same with one mask for all steps.
        recurrent_dropout: Probability of dropping a unit of the state where affine maps
            read it, one mask for each sequence.
        zoneout: Probability that a unit of the state keeps its old value.
        weight_drop: Probability of dropping a recurrent weight, once for each run.
        transition_depth: Steps of the cell for each input.
        hidden_clip: Bound on the gradient by the state at each step backward: a number
            for each element, or a ``HiddenClip``.
        spectral_bound: Largest spectral radius of each square recurrent matrix; held by
            ``constrain()``, which a training loop calls after each step.
        initial: Initialisers by parameter name (``U_n``), letter (``W``, ``U``, ``b``)
            or ``vector``, before those of the cell.
        backend: ``auto``, ``reference``, ``vendor``, ``cpu`` or ``scan``.
        memory: ``low`` keeps for the way back only the states at about every
            sqrt(time)-th step, and makes the rest again: a third more work.

    Raises:
        ArgumentError: If an argument is out of its range.
        TraceError: If the cell's step does what cannot be traced.

    Example:
        >>> from recurro.cells import LayerNormLSTM
        >>> layer = Recurrent(LayerNormLSTM(), input_size=3, hidden_size=4)
        >>> y, state = layer(torch.zeros(5, 2, 3))
        >>> y.shape
        torch.Size([5, 2, 4])
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int | Mapping[str, int],
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        recurrent: Structure | None = None,
        bidirectional: bool = False,
        residual: bool = False,
        dropout: float = 0.0,
        variational_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        transition_depth: int = 1,
        hidden_clip: float | HiddenClip | None = None,
        spectral_bound: float | None = None,
        initial: Mapping[str, init.Initializer] | None = None,
        backend: Backend = "auto",
        memory: Memory = "high",
    ) -> None:
        super().__init__()
        if not isinstance(cell, Cell):
            raise ArgumentError(
                f"Recurrent: cell must be a Cell object such as LSTM(), got {cell!r}."
            )
        if recurrent is not None and not isinstance(recurrent, Structure):
            raise ArgumentError(
                f"Recurrent: recurrent must be a structure such as Diagonal(), got "
                f"{recurrent!r}."
            )
        if spectral_bound is not None and spectral_bound <= 0:
            raise ArgumentError(
                f"Recurrent: spectral_bound must be > 0, got {spectral_bound}."
            )
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bidirectional = num_layers, bidirectional
        self.dropout = check_probability(dropout, "dropout", "Recurrent")
        self.variational_dropout = check_probability(
            variational_dropout, "variational_dropout", "Recurrent"
        )
        self.spectral_bound = spectral_bound
        self.cell = _wrapped(cell, transition_depth, recurrent_dropout, zoneout)
        self._bias = bias
        self._stack = self._built(recurrent)
        if isinstance(hidden_clip, (int, float)):
            hidden_clip = HiddenClip(value=float(hidden_clip))
        self._options = Options(
            residual=residual,
            weight_drop=check_probability(weight_drop, "weight_drop", "Recurrent"),
            clip=hidden_clip,
            backend=backend,
            memory=memory,
        )
        register(self, self._stack)
        initialise(self, self._stack, initial or {})
        if isinstance(recurrent, Sparse):
            self.register_buffer("indptr", torch.tensor(recurrent.indptr))
            self.register_buffer("indices", torch.tensor(recurrent.indices))
            self.register_load_state_dict_post_hook(_follow_pattern)

    def _built(self, recurrent: Structure | None) -> Stack:
        sizes = self.input_size, self.hidden_size, self.num_layers
        return build_stack(self.cell, *sizes, self.bidirectional, self._bias, recurrent)

    @property
    def output_size(self) -> int:
        """Width of the output: units that the cell shows, times directions."""
        top = self._stack.layers[-1]
        return top[0].program.output_width * len(top)

    @property
    def state_sizes(self) -> tuple[tuple[int, ...], ...]:
        """Widths of the state variables of each layer and direction."""
        return tuple(
            tuple(width for _, width in part.program.state)
            for _, part in self._stack.named()
        )

    def forward(
        self,
        x: Float[Tensor, "time batch input"],
        state: tuple[LayerState, ...] | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
        readings: Mapping[str, Tensor] | None = None,
    ) -> tuple[Float[Tensor, "time batch output"], tuple[LayerState, ...]]:
        """Run over time.

        Args:
            x: Input.
            state: What an earlier call returned, or ``None`` for zeros.
            lengths: Steps that count in each row; the output is zero after them.
            readings: The cell's further inputs by name, each ``(time, batch, width)``.

        Returns:
            The top layer's output, and for each layer and direction the final state
            variables.

        Raises:
            ShapeError: If a tensor does not fit.
        """
        return self._run(x, state, lengths, readings, None)

    def states(
        self,
        x: Float[Tensor, "time batch input"],
        state: tuple[LayerState, ...] | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
        readings: Mapping[str, Tensor] | None = None,
    ) -> tuple[LayerState, ...]:
        """Every state variable at every step.

        Returns:
            For each layer and direction its variables, each ``(time, batch, width)``.
        """
        trail: list[tuple[Tensor, ...]] = []
        self._run(x, state, lengths, readings, trail)
        return tuple(trail)

    def stream(self, batch_size: int = 1, *, weights: Weights | None = None) -> Stream:
        """The layers as something that is stepped: input in, output out, state inside.

        It holds a copy of the weights and is always in evaluation mode.

        Args:
            batch_size: Rows that are stepped together.
            weights: ``bfloat16`` to hold the matrices in half the memory.

        Raises:
            ArgumentError: If the layer is bidirectional, or an argument is out of its
                range.

        Example:
            >>> from recurro.cells import GRU
            >>> layer = Recurrent(GRU(), input_size=3, hidden_size=4)
            >>> stream, x = layer.stream(), torch.randn(5, 1, 3)
            >>> steps = torch.stack([stream.step(x_t).clone() for x_t in x])
            >>> torch.allclose(steps, layer(x)[0], atol=1e-6)
            True
        """
        return stream_stack(self, self._stack, batch_size, weights, self._options)

    def _run(
        self,
        x: Tensor,
        state: tuple[LayerState, ...] | None,
        lengths: Tensor | None,
        readings: Mapping[str, Tensor] | None,
        trail: list[tuple[Tensor, ...]] | None,
    ) -> tuple[Tensor, tuple[LayerState, ...]]:
        return run_stack(
            self,
            self._stack,
            x,
            state,
            lengths,
            self._options,
            readings,
            trail,
            self._between,
        )

    def _between(self, x: Tensor) -> Tensor:
        x = nn.functional.dropout(x, self.dropout, self.training)
        return variational_dropout(x, self.variational_dropout, self.training)

    def recurrent_matrices(self) -> list[tuple[str, Float[Tensor, ...]]]:
        """Each recurrent matrix with its name, as views: change them under no_grad.

        One with a structure comes as it is stored.
        """
        return recurrent_matrices(self, self._stack)

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring every square recurrent matrix back under ``spectral_bound``."""
        if self.spectral_bound is None:
            return
        bound_radii(self, self._stack, self.spectral_bound)

    def extra_repr(self) -> str:
        """The cell and the sizes."""
        return f"{self.cell}, {self.input_size}, {self.hidden_size}, {self.num_layers}"


def _follow_pattern(module: nn.Module, _: object) -> None:
    """Run with the pattern that was loaded."""
    assert isinstance(module, Recurrent)
    indptr, indices = (module.get_buffer(name) for name in ("indptr", "indices"))
    if int(indptr[-1]) == len(indices):  # if not, PyTorch is about to say why
        module._stack = module._built(Sparse(indptr, indices))


def _wrapped(cell: Cell, depth: int, recurrent_dropout: float, zoneout: float) -> Cell:
    if depth != 1:
        cell = DeepTransition(cell, depth)
    if recurrent_dropout != 0:
        cell = RecurrentDropout(cell, recurrent_dropout)
    if zoneout != 0:
        cell = Zoneout(cell, zoneout)
    return cell
