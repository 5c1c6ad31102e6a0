from __future__ import annotations

import json

import numpy as np
import pytest

from recurro.bench import timing
from recurro.bench.timing import Row, Spread, as_tree, take_turns
from recurro.errors import ArgumentError


class Clock:
    """A clock that only work moves on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, seconds):
        times = iter(seconds) if not isinstance(seconds, float) else None

        def do() -> None:
            self.log.append(name)
            self.now += seconds if times is None else next(times)

        return do


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", clock)
    return clock


def test_engines_take_turns_after_warming_up(clock):
    engines = {name: clock.work(name, 1.0) for name in "abc"}
    take_turns(engines, rounds=3, warmups=2)
    assert "".join(clock.log) == "aabbcc" + "abc" + "abc" * 3


def test_the_score_is_the_median_of_the_ratios_of_each_round(clock):
    # Warm-up and calibration take the first value.
    slow = [1.0, 1.0, 1.0, 2.0, 3.0]
    fast = [0.5, 0.5, 0.9, 1.0, 1.2]
    rows = take_turns(
        {"slow": clock.work("slow", slow), "fast": clock.work("fast", fast)},
        rounds=3,
        warmups=1,
        seconds=0.0,
    )
    ratios = np.array([0.9, 0.5, 0.4])
    assert rows[0].ratio == Spread(1.0, 1.0, 1.0)
    found = rows[1].ratio
    expected = np.percentile(ratios, (25, 50, 75))
    assert [found.lower, found.median, found.upper] == pytest.approx(expected)
    assert rows[1].seconds.median == 1.0
    assert not rows[0].steady  # 2.5 over 1.5 is more than 1.15
    assert rows[0].rounds == 3


def test_a_baseline_may_be_named(clock):
    engines = {"a": clock.work("a", 3.0), "b": clock.work("b", 1.5)}
    rows = take_turns(engines, baseline="b", rounds=2)
    assert [row.ratio.median for row in rows] == [2.0, 1.0]
    assert all(row.steady for row in rows)
    with pytest.raises(ArgumentError, match="must be one of a, b, got 'c'"):
        take_turns(engines, baseline="c")


def test_rounds_go_on_until_each_engine_had_its_time(clock):
    engines = {"a": clock.work("a", 0.1), "b": clock.work("b", 0.5)}
    assert take_turns(engines, rounds=2, seconds=0.95)[0].rounds == 10


def test_quick_work_is_repeated_until_the_clock_can_see_it(clock):
    rows = take_turns({"a": clock.work("a", 1e-5)}, rounds=2, seconds=0.0, warmups=0)
    assert rows[0].seconds.median == pytest.approx(1e-5)
    assert len(clock.log) == 1 + 2 * 100


def test_the_device_is_waited_for(clock):
    waits: list[int] = []
    take_turns(
        {"a": clock.work("a", 1.0)},
        rounds=2,
        synchronize=lambda: waits.append(len(clock.log)),
    )
    assert waits[-2:] == [4, 5]


def test_figures_belong_to_a_machine():
    row = Row("a", Spread(1, 2, 3), Spread(1, 1, 1), 15, True)
    tree = json.loads(json.dumps(as_tree("how fast?", [row], {"hidden": 512})))
    assert tree["rows"][0]["seconds"]["median"] == 2
    assert tree["settings"] == {"hidden": 512}
    assert {"processor", "cores", "threads", "torch", "python"} <= set(tree["machine"])
