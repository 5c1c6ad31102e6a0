"""Three sigma by its definition."""

from __future__ import annotations

import numpy as np

from recurro.baselines import ThreeSigma


def test_any_channel_outside_its_own_band_is_an_alert():
    draw = np.random.default_rng(0)
    values = draw.normal([0, 100], [1, 10], (500, 2))
    rule = ThreeSigma().fit(values[:300])
    low = values[:300].mean(0) - 3 * values[:300].std(0)
    high = values[:300].mean(0) + 3 * values[:300].std(0)
    values[400], values[410], values[420] = (0, 200), (-50, 100), (0, 100)
    wanted = [not all((low <= row) & (row <= high)) for row in values]
    found = rule.alerts(values)
    assert found.tolist() == wanted
    assert found[[400, 410, 420]].tolist() == [True, True, False]


def test_a_constant_channel_alerts_on_any_change():
    rule = ThreeSigma().fit(np.full((10, 1), 4.0))
    assert rule.alerts(np.array([[4.0], [4.1]])).tolist() == [False, True]
