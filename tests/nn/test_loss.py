"""The chunked loss against PyTorch's own, and the adaptive softmax against sums."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from recurro.errors import ArgumentError, ShapeError
from recurro.nn.loss import AdaptiveSoftmax, linear_cross_entropy

ROWS, HIDDEN, VOCAB = 23, 5, 11


def problem(dtype=torch.float64, ignored=True):
    generator = torch.Generator().manual_seed(1)
    hidden, weight, bias = (
        torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()
        for shape in [(ROWS, HIDDEN), (VOCAB, HIDDEN), (VOCAB,)]
    )
    targets = torch.randint(VOCAB, (ROWS,), generator=generator)
    if ignored:
        targets[3], targets[-1], targets[7] = -1, -100, -7
    return hidden, weight, bias, targets


def plain(hidden, weight, bias, targets, reduction="sum"):
    logits = functional.linear(hidden, weight, bias)
    ids = torch.where(targets < 0, -100, targets)
    return functional.cross_entropy(logits, ids, reduction=reduction)


def gradients(loss, inputs):
    weights = torch.linspace(0.5, 2, loss.numel(), dtype=loss.dtype).reshape(loss.shape)
    return torch.autograd.grad((loss * weights).sum(), inputs)


@pytest.mark.parametrize("chunk_size", [None, 1, 4, 23, 100])
@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
@pytest.mark.parametrize("with_bias", [True, False])
def test_equals_pytorch_in_value_and_gradients(chunk_size, reduction, with_bias):
    hidden, weight, bias, targets = problem()
    inputs = (hidden, weight, bias) if with_bias else (hidden, weight)
    bias = bias if with_bias else None
    ours = linear_cross_entropy(
        hidden, weight, bias, targets, chunk_size=chunk_size, reduction=reduction
    )
    theirs = plain(hidden, weight, bias, targets, reduction)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        gradients(ours, inputs), gradients(theirs, inputs), rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_differentiates_once_and_twice(reduction):
    *inputs, targets = problem()

    def loss(*values):
        return linear_cross_entropy(*values, targets, chunk_size=4, reduction=reduction)

    assert torch.autograd.gradcheck(loss, inputs)
    assert torch.autograd.gradgradcheck(loss, inputs)


@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_frozen_inputs_get_no_gradient(frozen, reduction):
    *inputs, targets = problem()
    inputs[frozen].requires_grad_(False)
    rest = [value for value in inputs if value.requires_grad]
    ours = linear_cross_entropy(*inputs, targets, chunk_size=4, reduction=reduction)
    theirs = plain(*inputs, targets, reduction)
    torch.testing.assert_close(gradients(ours, rest), gradients(theirs, rest))
    theirs = plain(*inputs, targets, reduction)
    ours = linear_cross_entropy(*inputs, targets, chunk_size=4, reduction=reduction)
    twice = torch.autograd.grad(ours.sum(), rest, create_graph=True)
    torch.testing.assert_close(twice, torch.autograd.grad(theirs.sum(), rest))


def test_backward_may_run_again_with_another_scale():
    *inputs, targets = problem()
    loss = linear_cross_entropy(*inputs, targets, chunk_size=4)
    once = torch.autograd.grad(loss, inputs, retain_graph=True)
    again = torch.autograd.grad(loss, inputs, torch.tensor(3.0).double())
    torch.testing.assert_close(again, tuple(3 * value for value in once))


def test_time_first_rows_and_narrow_ids():
    hidden, weight, bias, targets = problem(ignored=False)
    shaped = hidden[:20].reshape(5, 4, HIDDEN)
    ids = targets[:20].reshape(5, 4).to(torch.int32)
    losses = linear_cross_entropy(
        shaped, weight, bias, ids, chunk_size=3, reduction="none"
    )
    assert losses.shape == (5, 4)
    expected = plain(hidden[:20], weight, bias, targets[:20])
    torch.testing.assert_close(losses.sum(), expected)


@pytest.mark.parametrize("chunk_size", [2, None])
def test_nothing_counts(chunk_size):
    *inputs, targets = problem()
    loss = linear_cross_entropy(
        *inputs, torch.full_like(targets, -1), chunk_size=chunk_size
    )
    assert loss == 0
    assert all((g == 0).all() for g in torch.autograd.grad(loss, inputs))


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_without_gradients(reduction):
    *inputs, targets = problem()
    with torch.no_grad():
        loss = linear_cross_entropy(*inputs, targets, chunk_size=4, reduction=reduction)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, plain(*inputs, targets, reduction).detach())


@pytest.mark.parametrize("chunk_size", [4, None])
def test_confident_and_impossible_symbols(chunk_size):
    hidden = torch.eye(3).repeat(4, 1) * 1e4
    weight = torch.eye(3)
    right, wrong = torch.arange(12) % 3, (torch.arange(12) + 1) % 3
    loss = linear_cross_entropy(hidden, weight, None, right, chunk_size=chunk_size)
    assert loss == 0
    loss = linear_cross_entropy(hidden, weight, None, wrong, chunk_size=chunk_size)
    assert loss == 12e4


@pytest.mark.parametrize("chunk_size", [4, None])
@pytest.mark.parametrize("halved", ["inputs", "autocast"])
def test_bfloat16(chunk_size, halved):
    *inputs, targets = problem(torch.float32)
    theirs = plain(*inputs, targets)
    expected = torch.autograd.grad(theirs, inputs)
    if halved == "inputs":
        inputs = [value.detach().bfloat16().requires_grad_() for value in inputs]
    with torch.autocast("cpu", torch.bfloat16, enabled=halved == "autocast"):
        ours = linear_cross_entropy(*inputs, targets, chunk_size=chunk_size)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=0)
    for value, found, wanted in zip(
        inputs, torch.autograd.grad(ours, inputs), expected, strict=True
    ):
        assert found.dtype == value.dtype
        assert (found.float() - wanted).norm() < 0.02 * wanted.norm()


def test_autocast_with_hidden_of_lower_type():
    hidden, weight, bias, targets = problem(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(
            hidden.bfloat16(), weight, bias, targets, chunk_size=4
        )
    loss.backward()
    assert hidden.grad.dtype == weight.grad.dtype == torch.float32
    torch.testing.assert_close(loss, plain(*problem(torch.float32)), rtol=1e-2, atol=0)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_sizes(data):
    rows, width, vocab, chunk = (
        data.draw(st.integers(1, 9), label)
        for label in ("rows", "width", "vocab", "chunk")
    )
    targets = torch.tensor(
        data.draw(st.lists(st.integers(-2, vocab - 1), min_size=rows, max_size=rows))
    )
    hidden = torch.randn(rows, width).double().requires_grad_()
    weight = torch.randn(vocab, width).double().requires_grad_()
    ours = linear_cross_entropy(hidden, weight, None, targets, chunk_size=chunk)
    theirs = plain(hidden, weight, None, targets)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        gradients(ours, (hidden, weight)), gradients(theirs, (hidden, weight))
    )


def largest_and_peak(loss):
    """Bytes of the largest allocation and of all that was held at once."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        loss().backward()
    held = peak = largest = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            largest, peak = max(largest, event.nbytes()), max(peak, held)
    return largest, peak


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_memory_stays_at_a_chunk():
    rows, width, vocab = 2048, 16, 4096
    hidden = torch.randn(rows, width, requires_grad=True)
    weight = torch.randn(vocab, width, requires_grad=True)
    targets = torch.randint(vocab, (rows,))
    logits = rows * vocab * 4
    largest, peak = largest_and_peak(lambda: plain(hidden, weight, None, targets))
    assert largest == logits
    assert peak >= 2 * logits
    for chunk in (64, 128):
        largest, peak = largest_and_peak(
            lambda chunk=chunk: linear_cross_entropy(
                hidden, weight, None, targets, chunk_size=chunk
            )
        )
        assert largest == logits * chunk // rows
        # Two chunks of logits, and the gradients of hidden and weight twice.
        assert peak < 2.1 * largest + 3 * (rows + vocab) * width * 4


def test_default_chunk_holds_four_million_logits():
    rows, width, vocab = 600, 2, 2**14
    hidden, weight = torch.randn(rows, width), torch.randn(vocab, width)
    hidden.requires_grad_()
    targets = torch.randint(vocab, (rows,))
    largest, _ = largest_and_peak(
        lambda: linear_cross_entropy(hidden, weight, None, targets)
    )
    assert largest == 2**22 * 4


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"hidden": torch.zeros(23, 6)}, ShapeError, r"hidden .*got \(23, 6\) and"),
        ({"hidden": torch.zeros(())}, ShapeError, "hidden must be"),
        ({"weight": torch.zeros(5)}, ShapeError, r"weight \(vocab, hidden\)"),
        ({"bias": torch.zeros(10)}, ShapeError, r"bias must be \(vocab=11,\)"),
        ({"targets": torch.zeros(22).long()}, ShapeError, r"must be \(23,\) .*\(22,\)"),
        ({"targets": torch.zeros(23)}, ShapeError, "integer ids, got torch.float32"),
        ({"targets": torch.full((23,), 11)}, ArgumentError, "vocab=11, got 11"),
        ({"chunk_size": 0}, ArgumentError, "chunk_size must be an int >= 1"),
        ({"reduction": "max"}, ArgumentError, "reduction must be .* got 'max'"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_arguments(changes, error, message):
    names = ("hidden", "weight", "bias", "targets")
    arguments = dict(zip(names, problem(torch.float32), strict=True)) | changes
    with pytest.raises(error, match=f"linear_cross_entropy: .*{message}"):
        linear_cross_entropy(**arguments)


def test_adaptive_loss_is_the_sum_of_its_log_probs():
    layer = AdaptiveSoftmax(8, 50, cutoffs=(10, 30), div_value=2)
    hidden, targets = torch.randn(6, 4, 8), torch.randint(50, (6, 4))
    targets[0, 1], targets[5, 3] = -1, -9
    log_p = layer.log_probs(hidden)
    assert log_p.shape == (6, 4, 50)
    torch.testing.assert_close(log_p.exp().sum(-1), torch.ones(6, 4))
    picked = log_p.gather(2, targets.clamp(min=0)[..., None])[..., 0]
    losses = layer.losses(hidden, targets)
    torch.testing.assert_close(losses, -picked.masked_fill(targets < 0, 0))
    torch.testing.assert_close(layer(hidden, targets), losses.sum())
    loss_gradient = torch.autograd.grad(losses.sum(), layer.layers.head.weight)
    counted = picked[targets >= 0].sum()
    torch.testing.assert_close(
        loss_gradient, torch.autograd.grad(-counted, layer.layers.head.weight)
    )


def test_adaptive_learns_the_frequencies():
    layer = AdaptiveSoftmax(1, 6, cutoffs=(2,), div_value=1)
    counts = torch.tensor([8, 5, 3, 2, 1, 1])
    targets = torch.arange(6).repeat_interleave(counts)
    hidden = torch.ones(20, 1)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=200)

    def closure():
        optimizer.zero_grad()
        loss = layer(hidden, targets) / 20
        loss.backward()
        return loss

    optimizer.step(closure)
    learnt = layer.log_probs(torch.ones(1, 1)).exp()[0]
    torch.testing.assert_close(learnt, counts / 20, atol=2e-3, rtol=0)


def test_adaptive_without_a_target_that_counts():
    layer = AdaptiveSoftmax(8, 50, cutoffs=(10,))
    hidden = torch.randn(3, 8, requires_grad=True)
    loss = layer(hidden, torch.full((3,), -1))
    loss.backward()
    assert loss == 0
    assert (hidden.grad == 0).all()


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_adaptive_under_autocast(kind):
    layer = AdaptiveSoftmax(8, 50, cutoffs=(10, 30), div_value=2)
    hidden, targets = torch.randn(6, 8), torch.tensor([1, 20, 40, 9, -1, 49])
    with torch.autocast("cpu", torch.bfloat16):
        loss = layer(hidden.to(kind), targets)
        assert layer.log_probs(hidden.to(kind)).dtype == torch.float32
    assert torch.isclose(loss, layer(hidden, targets), rtol=1e-2)


@pytest.mark.parametrize(
    ("cutoffs", "div_value", "message"),
    [
        ((), 4, r"cutoffs must rise .*got \(\)"),
        ((10, 10), 4, "cutoffs must rise"),
        ((0, 10), 4, "cutoffs must rise"),
        ((10, 50), 4, "vocab_size-1=49"),
        ((10,), 0, "div_value must be > 0, got 0"),
        ((10, 20), 4, r"last cluster must have a unit, got hidden_size=8 / 4\^2"),
    ],
)
def test_adaptive_bad_arguments(cutoffs, div_value, message):
    with pytest.raises(ArgumentError, match=f"AdaptiveSoftmax: .*{message}"):
        AdaptiveSoftmax(8, 50, cutoffs, div_value=div_value)


@pytest.mark.usefixtures("unchecked")
def test_adaptive_bad_inputs():
    layer = AdaptiveSoftmax(8, 50, cutoffs=(10,))
    with pytest.raises(ShapeError, match=r"hidden must be \(..., 8\), got \(3, 7\)"):
        layer(torch.zeros(3, 7), torch.zeros(3).long())
    with pytest.raises(ShapeError, match=r"hidden must be \(..., 8\)"):
        layer.log_probs(torch.zeros(3, 7))
    with pytest.raises(ArgumentError, match="vocab=50, got 50"):
        layer(torch.zeros(1, 8), torch.tensor([50]))
