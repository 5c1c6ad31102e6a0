"""Alerts against known anomalies: published values and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.errors import ArgumentError
from recurro.tasks.alerts import Judged, alert_events, judge_alerts


def at(*steps, size=200):
    alerts = np.zeros(size, bool)
    alerts[list(steps)] = True
    return alerts


def test_alerts_that_belong_together():
    assert alert_events(at(3, 4, 7, 20), gap=1) == [(3, 4), (7, 7), (20, 20)]
    assert alert_events(at(3, 4, 7, 20), gap=3) == [(3, 7), (20, 20)]
    assert alert_events(at(), gap=3) == []
    with pytest.raises(ArgumentError, match="gap must be an int >= 1, got 0"):
        alert_events(at(3), gap=0)


def test_the_scale_has_its_ends():
    spans = [(50, 59), (120, 139)]
    perfect = judge_alerts(at(50, 120), spans).figures()
    assert perfect == {
        "precision": 1,
        "recall": 1,
        "f1": 1,
        "nab_score": 100,
        "false_alarms": 0,
    }
    silent = judge_alerts(at(), spans).figures()
    assert (silent["recall"], silent["f1"], silent["nab_score"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("step", "worth"),
    [
        (100, 1.0),  # the first step of the anomaly
        (110, 0.84828 / 0.98661),  # its middle: both values stand in NAB's source
        (119, 0.12435 / 0.98661),  # its last step, at -1/20
        (158, -1 - 0.11 * 0.99991),  # two widths of 19 behind it, at 2
        (190, -1 - 0.11),  # far behind
        (10, -1 - 0.11),  # before the first
    ],
)
def test_worth_of_one_alert(step, worth):
    assert judge_alerts(at(step), [(100, 119)]).worth == pytest.approx(worth, abs=2e-5)


def test_only_the_first_alert_in_an_anomaly_counts():
    span = [(100, 119)]
    assert judge_alerts(at(105, 110, 118), span) == judge_alerts(at(105), span)


def test_an_event_that_reaches_into_an_anomaly_is_no_false_alarm():
    found = judge_alerts(at(98, 99, 100), [(100, 119)])
    assert (found.found, found.false_alarms, found.worth) == (1, 0, 1.0)
    assert judge_alerts(at(98), [(100, 119)], gap=5).false_alarms == 1


def test_streams_add_up():
    one, other = Judged(2, 3, 1, 1.5), Judged(0, 1, 2, -1.25)
    figures = (one + other).figures()
    assert figures["precision"] == pytest.approx(2 / 5)
    assert figures["recall"] == pytest.approx(2 / 4)
    assert figures["f1"] == pytest.approx(2 * 2 / (5 + 4))
    assert figures["nab_score"] == pytest.approx(100 * (0.25 + 4) / 8)


def test_what_has_no_meaning_is_not_a_number():
    figures = judge_alerts(at(4), []).figures()
    assert figures["precision"] == 0
    assert np.isnan([figures["recall"], figures["nab_score"]]).all()
    assert figures["false_alarms"] == 1
