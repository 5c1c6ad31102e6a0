from __future__ import annotations

import numpy as np
import pytest

from recurro.baselines.strokes import GaussianAutoregression
from recurro.errors import ArgumentError


def drawings(count: int = 60) -> list[np.ndarray]:
    """Offsets that depend on the last two, and a pen that depends on the last."""
    draw = np.random.default_rng(0)
    made = []
    for _ in range(count):
        points = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
        for _ in range(20):
            (a, b, _), (c, d, pen) = points[-2:]
            x, y = draw.normal(0, 0.1, 2)
            x, y = x + 0.5 * c - 0.3 * b + 0.2 * pen, y + 0.4 * d + 0.2 * a
            points.append([x, y, float(draw.random() < 0.2 + 0.6 * pen)])
        points[-1][2] = 2.0
        made.append(np.array(points, np.float32))
    return made


def test_the_map_is_found() -> None:
    model = GaussianAutoregression(2).fit(drawings())
    # Rows: dx of the point before last and of the last, dy, lifted, down; then 1.
    size = model._scale
    found = model.map_
    assert found[1, 0] == pytest.approx(0.5, abs=0.1)
    assert found[2, 0] == pytest.approx(-0.3, abs=0.1)
    assert found[0, 1] == pytest.approx(0.2, abs=0.1)
    assert (found[5, 0] - found[7, 0]) * size == pytest.approx(0.2, abs=0.1)


def test_log_p_is_a_density_times_a_chance() -> None:
    """Gaussian by hand; the three states of the pen sum to one."""
    train = drawings()
    model, drawing = GaussianAutoregression(3).fit(train), train[0]
    assert model.log_probs(drawing).shape == (22,)
    place = 5
    total = 0.0
    for state in (0.0, 1.0, 2.0):
        changed = drawing.copy()
        changed[place, 2] = state
        total += np.exp(model.log_probs(changed)[place])
    z = model._before(drawing)[place]
    left = drawing[place, :2] - model._scale * (z @ model.map_)
    cov = model.covariance_ * model._scale**2
    density = np.exp(-0.5 * left @ np.linalg.solve(cov, left))
    density /= 2 * np.pi * np.sqrt(np.linalg.det(cov))
    assert total == pytest.approx(density, rel=1e-5)


def test_a_point_is_told_from_those_before_alone() -> None:
    train = drawings()
    model = GaussianAutoregression(4).fit(train)
    changed = train[0].copy()
    changed[10:] = [9.0, 9.0, 1.0]
    before, after = model.log_probs(train[0]), model.log_probs(changed)
    assert np.array_equal(before[:10], after[:10])


def test_units_do_not_matter_but_for_the_density() -> None:
    train = drawings()
    far = [d * [50, 50, 1] for d in train]
    ours = GaussianAutoregression(2).fit(train).log_probs(train[0])
    theirs = GaussianAutoregression(2).fit(far).log_probs(far[0])
    assert theirs == pytest.approx(ours - 2 * np.log(50), abs=1e-3)


def test_order_must_be_one_at_least() -> None:
    with pytest.raises(ArgumentError, match="order must be at least 1, got 0"):
        GaussianAutoregression(0)


@pytest.mark.parametrize("states", [{2}, {0, 2}])
def test_a_state_that_was_not_seen_has_a_chance(states: set[int]) -> None:
    """Drawings of one point, or of one line: no pen was lifted and put down again."""
    points = np.array([[1, 2, 0], [3, -1, 2], [2, 2, 2]], np.float32)
    train = [points[2:], points[1:2]] if states == {2} else [points[:2]] * 4
    model = GaussianAutoregression(2).fit(train)
    assert set(model._states.tolist()) == states
    told = [
        model.log_probs(np.array([[1, 2, state]], np.float32))[0] for state in range(3)
    ]
    assert np.isfinite(told).all()
    assert told[1] < max(told)
