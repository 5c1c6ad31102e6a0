from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from recurro.errors import ShapeError
from recurro.tasks.metrics import (
    calibration_error,
    class_f1,
    classification_figures,
    regression_figures,
)


@given(st.integers(1, 40), st.integers(2, 6), st.integers(0, 99))
def test_classes_against_scikit_learn(items: int, classes: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    probs = draw.dirichlet(np.ones(classes), items)
    targets = draw.integers(0, classes, items)
    named = probs.argmax(1)
    found = classification_figures(np.log(probs) + 3.0, targets)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(targets, named))
    expected = metrics.f1_score(targets, named, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(expected)
    expected = metrics.log_loss(targets, probs, labels=np.arange(classes))
    assert found["log_loss"] == pytest.approx(expected)
    each = metrics.f1_score(
        targets, named, labels=np.arange(classes), average=None, zero_division=np.nan
    )
    np.testing.assert_allclose(class_f1(named, targets, classes), each)


def test_calibration_error_by_hand() -> None:
    sure = np.array([0.95, 0.92, 0.98, 0.55, 0.58, 0.65, 0.7])
    right = np.array([True, True, False, True, False, True, True])
    probs = np.stack([sure, 1 - sure], axis=1)
    # Bins 0.9 to 1: 2 of 3 right at 0.95; 0.5 to 0.6: 1 of 2 at 0.565; 0.6 to 0.7,
    # its upper end within: 2 of 2 at 0.675.
    expected = 3 / 7 * (0.95 - 2 / 3) + 2 / 7 * (0.565 - 0.5) + 2 / 7 * (1 - 0.675)
    assert calibration_error(probs, 1 - right.astype(int)) == pytest.approx(expected)
    one_bin = calibration_error(probs, 1 - right.astype(int), 1)
    assert one_bin == pytest.approx(abs(5 / 7 - sure.mean()))


def test_numbers_against_scikit_learn() -> None:
    draw = np.random.default_rng(0)
    targets, means = draw.normal(size=30), draw.normal(size=30)
    found = regression_figures(means, targets, (means - 1, means + 1))
    expected = metrics.root_mean_squared_error(targets, means)
    assert found["rmse"] == pytest.approx(expected)
    expected = metrics.mean_absolute_error(targets, means)
    assert found["mae"] == pytest.approx(expected)
    assert found["r2"] == pytest.approx(metrics.r2_score(targets, means))
    within = (np.abs(targets - means) <= 1).mean()
    assert found["coverage"] == pytest.approx(within)
    assert found["width"] == pytest.approx(2.0)
    assert np.isnan(regression_figures(means, np.ones(30))["r2"])


def test_items_must_be_as_many() -> None:
    with pytest.raises(ShapeError, match="got 2 and 3"):
        regression_figures(np.zeros(2), np.zeros(3))
    with pytest.raises(ShapeError, match="got 0 and 0"):
        classification_figures(np.zeros((0, 2)), np.zeros(0, np.int64))
