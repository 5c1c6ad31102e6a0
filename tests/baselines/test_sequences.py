from __future__ import annotations

import numpy as np

from recurro.baselines.sequences import (
    classifier_baselines,
    fit_baselines,
    regressor_baselines,
    summaries,
)


def test_missing_numbers_are_passed_over() -> None:
    nan = np.nan
    item = np.array([[nan, nan], [2.0, nan], [4.0, nan], [nan, nan]])
    found = summaries([item])[0].reshape(-1)
    left, right = found[:14:2], found[1:14:2]
    assert left.tolist() == [3.0, 1.0, 2.0, 4.0, 2.0, 4.0, 0.5]
    assert right.tolist() == [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert found[-1] == 4


def test_they_learn_what_they_can() -> None:
    draw = np.random.default_rng(0)
    items = [draw.normal(i % 3, 0.1, (2 + i % 4, 2)) for i in range(30)]
    classes = np.arange(30) % 3
    models = classifier_baselines(text=False)
    fit_baselines(models, items, classes)
    largest, linear = (model.predict_proba(items) for model in models.values())
    np.testing.assert_allclose(largest, 1 / 3)
    assert (linear.argmax(1) == classes).all()
    numbers = regressor_baselines(text=False)
    fit_baselines(numbers, items, classes * 10.0)
    mean, ridge = (model.predict(items) for model in numbers.values())
    np.testing.assert_allclose(mean, 10.0)
    assert np.abs(ridge - classes * 10).max() < 2


def test_words() -> None:
    texts, classes = ["good film !", "bad film !"] * 5, np.array([1, 0] * 5)
    for models in (classifier_baselines(text=True), regressor_baselines(text=True)):
        fit_baselines(models, texts, classes)
        *_, model = models.values()
        low, high = (model.predict([text])[0] for text in ("bad", "good"))
        assert low < high


def test_pieces_of_names() -> None:
    names, classes = ["petrov", "rossi", "pavlov", "bianchi"] * 3, np.array([0, 1] * 6)
    models = classifier_baselines(text=True, characters=True)
    fit_baselines(models, names, classes)
    found = models["naive Bayes on pieces"].predict(["ivanov", "sacchi"])
    assert found.tolist() == [0, 1]
