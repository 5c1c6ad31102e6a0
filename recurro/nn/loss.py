"""Cross-entropy over a vocabulary, without all the logits at once.

``linear_cross_entropy`` is exact and works in chunks of rows; ``AdaptiveSoftmax`` is a
cheaper output layer for very large vocabularies sorted by frequency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurro.errors import ArgumentError, ShapeError
from recurro.types import Float, Int

__all__ = ["AdaptiveSoftmax", "linear_cross_entropy"]

Reduction = Literal["sum", "mean", "none"]

LOGITS_AT_ONCE = 2**22
"""Logits in one chunk on a CPU: 16 MiB in float32, where the products are fastest."""

ACCELERATOR_FACTOR = 8
"""How many times more logits a chunk has elsewhere, to keep the device busy."""

LEAST_ROWS = 64
"""Rows in a chunk however large the vocabulary, so that products stay products."""


def linear_cross_entropy(
    hidden: Float[Tensor, "*rows hidden"],
    weight: Float[Tensor, "vocab hidden"],
    bias: Float[Tensor, " vocab"] | None,
    targets: Int[Tensor, "*rows"],
    *,
    chunk_size: int | None = None,
    reduction: Reduction = "sum",
) -> Tensor:
    """Cross-entropy of softmax(hidden W^T + b), never holding all the logits.

    l_n = log sum_v exp(z_nv) - z_n,target(n),  with z = hidden W^T + b

    The rule: up to ``chunk_size`` rows go the plain way, as one product and PyTorch's
    cross-entropy. More rows go chunk by chunk, and each chunk's gradients are computed
    in the forward pass while its logits are at hand (for ``reduction="none"`` in the
    backward pass, from fresh logits), so that memory grows with ``chunk_size`` times
    the vocabulary and not with the number of rows. A backward pass that is to be
    differentiated again (``create_graph=True``) goes the plain way.

    The softmax is taken in float32 at least; under autocast the products run in
    autocast's type.

    Args:
        hidden: What the output layer reads, one row per token.
        weight: Output weight W.
        bias: Output bias b, or ``None``.
        targets: The id to be predicted in each row; a negative one counts for nothing.
        chunk_size: Rows whose logits are held at once, at least 1. ``None`` takes as
            many as have 2^22 logits on a CPU, 2^25 elsewhere, and at least 64.
        reduction: ``"sum"``, ``"mean"`` over the rows that count, or ``"none"``: one
            loss per row, 0 where the target is negative.

    Returns:
        The loss in nats: a scalar, or one number per row; float32 for inputs of lower
        precision.

    Raises:
        ShapeError: If the shapes do not fit each other or targets are no integers.
        ArgumentError: If ``chunk_size`` or ``reduction`` is out of range, or a target
            is not in the vocabulary (seen on a CPU only, where looking is free).

    Example:
        >>> hidden, weight = torch.zeros(3, 4), torch.zeros(8, 4)
        >>> loss = linear_cross_entropy(hidden, weight, None, torch.tensor([0, 7, -1]))
        >>> bool(torch.isclose(loss, 2 * torch.tensor(8.0).log()))
        True
    """
    _check(hidden, weight, bias, targets, chunk_size, reduction)
    shape, targets = targets.shape, targets.reshape(-1).long()
    hidden = hidden.reshape(-1, hidden.shape[-1])
    rows = chunk_size or _rows_at_once(weight)
    dtype, device = hidden.dtype, hidden.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    arguments = (hidden, weight, bias, targets, dtype)
    if len(targets) <= rows:
        loss = _plain(*arguments, "none" if reduction == "none" else "sum")
    elif reduction != "none" and torch.is_grad_enabled():
        loss = _Chunked.apply(*arguments, rows)
    else:
        loss = _ChunkedRows.apply(*arguments, rows)
        loss = loss if reduction == "none" else loss.sum()
    if reduction == "none":
        return loss.reshape(shape)
    return loss / (targets >= 0).sum() if reduction == "mean" else loss


def _rows_at_once(weight: Tensor) -> int:
    factor = 1 if weight.device.type == "cpu" else ACCELERATOR_FACTOR
    return max(LEAST_ROWS, factor * LOGITS_AT_ONCE // max(1, len(weight)))


def _plain(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    dtype: torch.dtype,
    reduction: Reduction,
) -> Tensor:
    """The loss by all the logits at once; PyTorch's autograd does the rest."""
    logits = _logits(hidden.to(dtype), weight.to(dtype), _cast(bias, dtype))
    return functional.cross_entropy(
        logits, targets.clamp(min=-1), ignore_index=-1, reduction=reduction
    )


def _cast(bias: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if bias is None else bias.to(dtype)


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    logits = functional.linear(hidden, weight, bias)
    return logits.float() if logits.dtype.itemsize < 4 else logits


def _pass(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    *,
    dtype: torch.dtype,
    rows: int,
    row_weights: Tensor | None = None,
    wanted: Sequence[bool] = (False, False, False),
) -> tuple[Tensor, list[Tensor | None]]:
    """Go over the rows in chunks.

    Args:
        hidden: What the output layer reads.
        weight: Output weight.
        bias: Output bias.
        targets: The id to be predicted in each row.
        dtype: The products' type.
        rows: Rows in a chunk.
        row_weights: Weight of each row's loss in the sum that is differentiated.
        wanted: Whether the gradient of hidden, weight and bias is to be computed.

    Returns:
        The loss of each row, and the gradients of their weighted sum.
    """
    gradients = [
        torch.zeros_like(value) if value is not None and want else None
        for value, want in zip((hidden, weight, bias), wanted, strict=True)
    ]
    losses = []
    with torch.autocast(hidden.device.type, enabled=False):
        low, low_bias = weight.to(dtype), _cast(bias, dtype)
        for part in _slices(len(targets), rows):
            ids, read = targets[part], hidden[part].to(dtype)
            log_p = _logits(read, low, low_bias).log_softmax(1)
            losses.append(_picked(log_p, ids))
            if any(wanted):
                scale = None if row_weights is None else row_weights[part]
                delta = _delta(log_p, ids, scale).to(dtype)
                _add(gradients, part, delta, read, low)
                del delta
            del log_p  # freed before the next chunk's logits are there
    return torch.cat(losses), gradients


def _picked(log_p: Tensor, ids: Tensor) -> Tensor:
    """The loss of each row, 0 where the id is negative."""
    losses = -log_p.gather(1, ids.clamp(min=0).unsqueeze(1)).squeeze(1)
    return losses.masked_fill_(ids < 0, 0)


def _delta(log_p: Tensor, ids: Tensor, row_weights: Tensor | None) -> Tensor:
    """The gradient by the logits, softmax(z) - onehot(target), in log_p's memory."""
    scale = (ids >= 0) * (1 if row_weights is None else row_weights)
    delta, ids = log_p.exp_(), ids.clamp(min=0).unsqueeze(1)
    delta.scatter_add_(1, ids, -torch.ones_like(ids, dtype=delta.dtype))
    return delta.mul_(scale.unsqueeze(1))


def _add(
    gradients: list[Tensor | None],
    part: slice,
    delta: Tensor,
    read: Tensor,
    weight: Tensor,
) -> None:
    """Add the gradients of one chunk to those of hidden, weight and bias."""
    grad_hidden, grad_weight, grad_bias = gradients
    if grad_hidden is not None:
        grad_hidden[part] = delta @ weight
    if grad_weight is not None and grad_weight.dtype == delta.dtype:
        grad_weight.addmm_(delta.t(), read)
    elif grad_weight is not None:
        grad_weight += delta.t() @ read
    if grad_bias is not None:
        grad_bias += delta.sum(0, dtype=grad_bias.dtype)


def _slices(length: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, length, size))


class _Chunked(torch.autograd.Function):
    """The sum of the losses; gradients are ready when the forward pass ends."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 (PyTorch's context has no public type)
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        dtype: torch.dtype,
        rows: int,
    ) -> Tensor:
        wanted = ctx.needs_input_grad[:3]
        losses, gradients = _pass(
            hidden, weight, bias, targets, dtype=dtype, rows=rows, wanted=wanted
        )
        ctx.dtype = dtype
        ctx.save_for_backward(hidden, weight, bias, targets, *gradients)
        return losses.sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        *inputs, targets, grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _differentiable(ctx, inputs, targets, "sum", grads[0])
        ready = (grad_hidden, grad_weight, grad_bias)
        scaled = (g if g is None else g * grads[0].to(g.dtype) for g in ready)
        return (*scaled, None, None, None)


class _ChunkedRows(torch.autograd.Function):
    """One loss per row; the backward pass computes the logits again."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        dtype: torch.dtype,
        rows: int,
    ) -> Tensor:
        ctx.dtype, ctx.rows = dtype, rows
        ctx.save_for_backward(hidden, weight, bias, targets)
        return _pass(hidden, weight, bias, targets, dtype=dtype, rows=rows)[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        hidden, weight, bias, targets = ctx.saved_tensors
        if torch.is_grad_enabled():
            inputs = [hidden, weight, bias]
            return _differentiable(ctx, inputs, targets, "none", grads[0])
        _, gradients = _pass(
            hidden,
            weight,
            bias,
            targets,
            dtype=ctx.dtype,
            rows=ctx.rows,
            row_weights=grads[0],
            wanted=ctx.needs_input_grad[:3],
        )
        return (*gradients, None, None, None)


def _differentiable(
    ctx: Any,  # noqa: ANN401
    inputs: list[Tensor | None],
    targets: Tensor,
    reduction: Reduction,
    grad_loss: Tensor,
) -> tuple[Tensor | None, ...]:
    """The gradients by the plain way, so that they can be differentiated again."""
    hidden, weight, bias = inputs
    assert hidden is not None
    assert weight is not None
    loss = _plain(hidden, weight, bias, targets, ctx.dtype, reduction)
    wanted = [
        value
        for value, want in zip(inputs, ctx.needs_input_grad[:3], strict=True)
        if want and value is not None
    ]
    found = iter(torch.autograd.grad(loss, wanted, grad_loss, create_graph=True))
    gradients = (next(found) if want else None for want in ctx.needs_input_grad[:3])
    return (*gradients, None, None, None)


def _check(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    chunk_size: int | None,
    reduction: str,
) -> None:
    where = "linear_cross_entropy"
    if weight.ndim != 2 or hidden.ndim < 1 or hidden.shape[-1] != weight.shape[1]:
        raise ShapeError(
            f"{where}: hidden must be (..., hidden) and weight (vocab, hidden), got "
            f"{tuple(hidden.shape)} and {tuple(weight.shape)}. Build the output layer "
            "for the size of the last hidden layer."
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ShapeError(
            f"{where}: bias must be (vocab={len(weight)},), got {tuple(bias.shape)}. "
            "Give one bias per symbol, or None."
        )
    if chunk_size is not None and chunk_size < 1:
        raise ArgumentError(
            f"{where}: chunk_size must be an int >= 1 or None, got {chunk_size}. "
            "Leave it out for the measured default."
        )
    if reduction not in get_args(Reduction):
        raise ArgumentError(
            f"{where}: reduction must be 'sum', 'mean' or 'none', got {reduction!r}. "
            "Use 'sum' and divide by the count of your choice."
        )
    _check_targets(where, targets, hidden.shape[:-1], len(weight))


def _check_targets(where: str, targets: Tensor, shape: torch.Size, size: int) -> None:
    if targets.shape != shape:
        raise ShapeError(
            f"{where}: targets must be {tuple(shape)} as hidden has it, got "
            f"{tuple(targets.shape)}. Give one id per row."
        )
    if targets.is_floating_point() or targets.is_complex():
        raise ShapeError(
            f"{where}: targets must be integer ids, got {targets.dtype}. Pass ids, not "
            "probabilities."
        )
    if targets.device.type == "cpu" and targets.numel() and targets.max() >= size:
        raise ArgumentError(
            f"{where}: targets must be ids under vocab={size}, got "
            f"{int(targets.max())}. Check that text and model share one vocabulary."
        )


class AdaptiveSoftmax(nn.Module):
    """An output layer and its loss for a large vocabulary sorted by frequency.

    P(w) = P(head symbol)                    for the frequent ids under ``cutoffs[0]``
    P(w) = P(cluster | h) P(w | cluster, h)  for the rest

    Frequent words share one small softmax with one entry per cluster of rare words;
    cluster i is read through a projection of hidden / ``div_value``^i units. The
    ids must be sorted by falling frequency. This is another model than the full
    softmax, not a faster way to the same numbers. It computes in the type of its
    weights, under autocast too: PyTorch's layer mixes types there.

    Args:
        hidden_size: Width of what the layer reads.
        vocab_size: Number of ids.
        cutoffs: First id of each cluster, rising, each in 1 to ``vocab_size - 1``.
        div_value: How much narrower each cluster is than the one before, over 0.

    Raises:
        ArgumentError: If cutoffs do not rise within the vocabulary, or ``div_value``
            is not over 0.

    Example:
        >>> layer = AdaptiveSoftmax(16, 1000, cutoffs=(100, 500))
        >>> hidden, targets = torch.zeros(3, 16), torch.tensor([7, 640, -1])
        >>> layer(hidden, targets).shape
        torch.Size([])
        >>> layer.log_probs(hidden).exp().sum(1).allclose(torch.ones(3))
        True

    References:
        Grave et al. (2017), arXiv:1609.04309, section 4.
    """

    def __init__(
        self,
        hidden_size: int,
        vocab_size: int,
        cutoffs: Sequence[int],
        *,
        div_value: float = 4.0,
    ) -> None:
        super().__init__()
        bounds = [0, *cutoffs, vocab_size]
        if not cutoffs or any(a >= b for a, b in pairwise(bounds)):
            raise ArgumentError(
                f"AdaptiveSoftmax: cutoffs must rise between 1 and vocab_size-1="
                f"{vocab_size - 1}, got {tuple(cutoffs)}. Drop cutoffs that the "
                "vocabulary does not reach, or use the full softmax."
            )
        if not div_value > 0:
            raise ArgumentError(
                f"AdaptiveSoftmax: div_value must be > 0, got {div_value}. Use 4, or 1 "
                "for clusters as wide as the head."
            )
        if hidden_size // div_value ** len(cutoffs) < 1:
            raise ArgumentError(
                f"AdaptiveSoftmax: the last cluster must have a unit, got hidden_size="
                f"{hidden_size} / {div_value:g}^{len(cutoffs)}. Use fewer cutoffs or a "
                "smaller div_value."
            )
        self.vocab_size = vocab_size
        self.layers = nn.AdaptiveLogSoftmaxWithLoss(
            hidden_size, vocab_size, list(cutoffs), div_value=div_value
        )

    def forward(
        self, hidden: Float[Tensor, "*rows hidden"], targets: Int[Tensor, "*rows"]
    ) -> Float[Tensor, ""]:
        """The sum of ``losses``."""
        return self.losses(hidden, targets).sum()

    def losses(
        self, hidden: Float[Tensor, "*rows hidden"], targets: Int[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows"]:
        """The loss of each row in nats, 0 where the target is negative.

        Args:
            hidden: What the layer reads, one row per token.
            targets: The id to be predicted in each row.

        Raises:
            ShapeError: If the shapes do not fit each other.
            ArgumentError: If a target is not in the vocabulary (seen on a CPU only).
        """
        self._check(hidden)
        _check_targets("AdaptiveSoftmax", targets, hidden.shape[:-1], self.vocab_size)
        counts = targets >= 0
        dtype = self.layers.head.weight.dtype
        losses = hidden.new_zeros(targets.shape, dtype=dtype)
        if not counts.any():
            return losses + hidden.sum(-1).to(dtype) * 0
        with torch.autocast(hidden.device.type, enabled=False):
            rows = hidden[counts].to(dtype)
            log_p = self.layers(rows, targets[counts].long()).output
            return losses.masked_scatter(counts, -log_p)

    def log_probs(
        self, hidden: Float[Tensor, "*rows hidden"]
    ) -> Float[Tensor, "*rows vocab"]:
        """Log-probabilities of every id, for scoring and generation.

        Args:
            hidden: What the layer reads, one row per token.

        Raises:
            ShapeError: If hidden has another width than the layer.
        """
        self._check(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            rows = hidden.reshape(-1, hidden.shape[-1])
            log_probs = self.layers.log_prob(rows.to(self.layers.head.weight.dtype))
        return log_probs.reshape(*hidden.shape[:-1], -1)

    def _check(self, hidden: Tensor) -> None:
        size = self.layers.in_features
        if hidden.ndim < 1 or hidden.shape[-1] != size:
            raise ShapeError(
                f"AdaptiveSoftmax: hidden must be (..., {size}), got "
                f"{tuple(hidden.shape)}. Build it with the size of the last hidden "
                "layer."
            )
