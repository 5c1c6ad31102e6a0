from __future__ import annotations

import math

import pytest
import torch

from recurro.errors import DivergenceError
from recurro.train.clip import Clipper, clip_, gradient_size


def gradients():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in [(3, 4), (5,), ()]]


@pytest.mark.parametrize("bound", [0.5, 100.0])
def test_by_norm_as_pytorch_does(bound):
    parameters = [torch.nn.Parameter(g.clone()) for g in gradients()]
    for parameter, gradient in zip(parameters, gradients(), strict=True):
        parameter.grad = gradient / 7
    torch.nn.utils.clip_grad_norm_(parameters, bound)
    mine = gradients()
    clip_(mine, "norm", bound, gradient_size(mine, "norm").item() / 7, 1 / 7)
    for parameter, gradient in zip(parameters, mine, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.parametrize("bound", [0.05, 100.0])
def test_by_element_as_pytorch_does(bound):
    mine = gradients()
    clip_(mine, "element", bound, gradient_size(mine, "element").item() / 7, 1 / 7)
    for gradient, clipped in zip(gradients(), mine, strict=True):
        torch.testing.assert_close((gradient / 7).clamp(-bound, bound), clipped)


def test_the_sizes():
    values = [torch.tensor([3.0, 0.0]), torch.tensor(-4.0)]
    assert gradient_size(values, "norm").item() == 5.0
    assert gradient_size(values, "element").item() == 4.0


@pytest.mark.parametrize(
    ("loss", "size"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, 1e39)]
)
def test_what_is_not_finite_is_skipped(loss, size):
    clipper = Clipper(clip=1.0)
    size = torch.tensor(size).item()  # 1e39 is infinite in float32
    assert clipper.bound(loss, size) is None
    assert (clipper.explosions, clipper.in_a_row) == (1, 1)
    assert clipper.bound(2.0, 1.0) == 1.0
    assert (clipper.explosions, clipper.in_a_row) == (1, 0)


def test_a_jump_of_the_loss_is_skipped_once_twenty_were_seen():
    clipper = Clipper(clip=None)
    for _ in range(19):
        assert clipper.bound(2.0, 1.0) == math.inf
    assert Clipper(clip=None).bound(1e6, 1.0) == math.inf  # nothing to compare with
    assert clipper.bound(2.0, 1.0) == math.inf
    assert clipper.bound(3.9, 1.0) == math.inf  # below 2 + 10 * 0.2
    assert clipper.bound(30.0, 1.0) is None


def test_a_lasting_change_of_level_costs_no_more_than_two_steps():
    clipper = Clipper(clip=None)
    for _ in range(200):
        clipper.bound(1.0, 1.0)
    skipped = [clipper.bound(8.0, 1.0) is None for _ in range(200)]
    assert 1 <= sum(skipped) <= 2
    assert not any(skipped[2:])


def test_small_losses_may_vary_freely():
    """A text known by heart has losses near 0; a hard word is no explosion."""
    clipper = Clipper(clip=None)
    for _ in range(100):
        clipper.bound(0.001, 1.0)
    assert clipper.bound(0.9, 1.0) is not None


@pytest.mark.parametrize(
    ("clip", "advice"), [(None, "set clip=1.0"), (5.0, r"clip \(now 5.0\)")]
)
def test_ten_in_a_row_end_the_run(clip, advice):
    clipper = Clipper(clip=clip)
    for _ in range(3):
        for _ in range(9):
            assert clipper.bound(math.nan, 1.0) is None
        clipper.bound(1.0, 1.0)
    for _ in range(9):
        clipper.bound(math.nan, 1.0)
    with pytest.raises(DivergenceError, match=f"Lower learning_rate or {advice}"):
        clipper.bound(math.nan, 1.0)


def test_auto_cuts_only_outliers_at_first():
    clipper = Clipper(clip="auto")
    assert clipper.bound(1.0, 2.0) >= 2.0
    for _ in range(50):
        bound = clipper.bound(1.0, 2.0)
    assert bound == pytest.approx(20.0)
    assert clipper.bound(1.0, 1e9) == pytest.approx(20.0)
    assert clipper.bound(1.0, 2.0) < 22.0  # the outlier hardly counted


def test_auto_follows_gradients_that_grow_or_shrink():
    clipper = Clipper(clip="auto")
    for size in (2.0, 0.1, 50.0):
        for _ in range(1000):
            bound = clipper.bound(1.0, size)
        assert bound == pytest.approx(10 * size, rel=0.01)


def test_auto_halves_at_each_explosion_and_slowly_recovers():
    clipper = Clipper(clip="auto")
    clipper.bound(1.0, 2.0)
    for expected in (10.0, 5.0, 2.5, 1.25):
        clipper.bound(math.nan, 2.0)
        assert clipper.bound(1.0, 2.0) == pytest.approx(expected, rel=0.05)
    for _ in range(1000):
        before = clipper.scale
        clipper.bound(1.0, 2.0)
        assert clipper.scale >= before
    assert clipper.scale == pytest.approx(2 * 0.625, rel=0.05)
    for _ in range(5000):
        clipper.bound(1.0, 2.0)
    assert clipper.scale == 10.0


def test_auto_lowers_the_threshold_until_explosions_stop():
    """A system that explodes after any update longer than 0.3."""
    clipper, broken, bounds = Clipper(clip="auto"), False, []
    for _ in range(400):
        bound = clipper.bound(math.nan if broken else 1.0, 1.0)
        broken = bound is not None and min(bound, 1.0) > 0.3
        bounds.append(bound)
    assert None in bounds[:20]
    assert None not in bounds[20:300]
    assert clipper.explosions < 10


def test_the_state_can_be_saved_and_restored():
    clipper = Clipper(clip="auto")
    for loss in [1.0] * 30 + [math.nan, 1.2]:
        clipper.bound(loss, loss)
    other = Clipper(clip="auto")
    other.load_state_dict(clipper.state_dict())
    assert other == clipper
    assert other.bound(1.1, 3.0) == clipper.bound(1.1, 3.0)
