from __future__ import annotations

import math

import pytest

from recurro.train import meter
from recurro.train.meter import Meter


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(meter, "time", clock)
    return clock


def test_loss_and_speed_since_the_last_reading(clock):
    figures = Meter()
    figures.add(loss=10.0, count=4)
    figures.add(loss=2.0, count=8)
    clock.now += 2.0
    assert figures.read() == {"loss": 1.0, "items_per_second": 6.0}
    assert figures.look() == {"loss": 1.0, "items_per_second": 6.0}  # nothing newer
    figures.add(loss=3.0, count=1)
    clock.now += 1.0
    assert figures.look() == {"loss": 3.0, "items_per_second": 1.0}


def test_before_the_first_step_there_is_no_loss(clock):
    assert math.isnan(Meter().look()["loss"])


def test_validation_does_not_slow_the_speed_but_takes_its_time(clock):
    figures = Meter()
    figures.add(loss=1.0, count=10)
    clock.now += 6.0
    figures.pause(5.0)
    assert figures.read()["items_per_second"] == 10.0
    assert figures.seconds == 6.0


def test_it_goes_on_where_another_stopped(clock):
    first = Meter()
    first.add(loss=10.0, count=4)
    clock.now += 5.0
    second = Meter(**first.state_dict())
    second.add(loss=2.0, count=8)
    clock.now += 2.0
    assert second.seconds == 7.0
    assert second.look() == {"loss": 1.0, "items_per_second": 4.0}  # 8 in 2 seconds


def test_it_shows_ten_times_a_second(clock):
    figures, shown = Meter(), 0
    for _ in range(1000):
        clock.now += 0.001
        shown += figures.may_show()
    assert 9 <= shown <= 11
