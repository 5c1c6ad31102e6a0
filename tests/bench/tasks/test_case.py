from __future__ import annotations

from pathlib import Path

import pytest

from recurro.bench.tasks import TASKS, Case, Found, Goal, measure, select_cases
from recurro.errors import ArgumentError
from tests.datasets import dataset

BASELINES = {"naive": {"mse": 2.0, "mae": 1.0}, "mean": {"mse": 1.5}}


def work(folder: Path, seed: int) -> Found:
    return Found({"mse": 1.0 + seed, "mae": 0.5}, BASELINES)


def rows(*goals: Goal, seeds: int | None = None):
    case = Case("forecast", "made", goals, work, seeds=2, generated=True)
    return list(measure(case, Path("nowhere"), seeds))


def test_the_mean_over_the_seeds_stands_beside_the_best_baseline() -> None:
    mse, mae = rows(Goal("mse", 1.4, "lower"), Goal("mae", better="lower"))
    assert (mse.measured, mse.by_seed, mse.mark) == (1.5, (1.0, 2.0), "missed")
    assert (mse.baseline, mse.baseline_figure) == ("mean", 1.5)
    assert (mae.baseline, mae.mark, mae.met) == ("naive", "reported", None)
    assert mse.seconds is not None


def test_more_or_fewer_seeds_may_be_asked_for() -> None:
    [row] = rows(Goal("mse", 1.0, "lower"), seeds=1)
    assert (row.measured, row.mark) == (1.0, "met")


@pytest.mark.parametrize(
    ("beats", "required", "mark"),
    [("best", 1.5, "missed"), ("mean", 1.5, "missed"), ("naive", 2.0, "met")],
)
def test_a_baseline_must_be_beaten_not_equalled(beats, required, mark) -> None:
    [row] = rows(Goal("mse", better="lower", beats=beats))
    assert (row.measured, row.required, row.mark) == (1.5, required, mark)


def test_higher_may_be_better() -> None:
    marks = [rows(Goal("mse", bound))[0].mark for bound in (1.4, 1.5, 1.6)]
    assert marks == ["met", "met", "missed"]


def test_an_absent_set_gives_rows_that_say_so(tmp_path) -> None:
    def never(folder: Path, seed: int) -> Found:
        raise AssertionError

    case = Case("tag", "gone", (Goal("accuracy", 0.9), Goal("span_f1")), never)
    found = list(measure(case, tmp_path))
    assert [row.mark for row in found] == ["absent", "absent"]
    assert str(tmp_path / "gone") in found[0].note
    assert found[0].tree()["mark"] == "absent"


def test_cases_are_named_by_task_and_set() -> None:
    names = [case.name for case in select_cases()]
    assert len(set(names)) == len(names)
    assert all(case.task == task for task, cases in TASKS.items() for case in cases)
    assert select_cases(["classify"]) == list(TASKS["classify"])
    with pytest.raises(ArgumentError, match="got 'sums'"):
        select_cases(["classify", "sums"])


@pytest.mark.slow
@pytest.mark.parametrize("case", select_cases(), ids=lambda case: case.name)
def test_what_is_required_is_met(case: Case) -> None:
    data = Path("unused") if case.generated else dataset(case.data).parent
    missed = [row for row in measure(case, data) if row.mark == "missed"]
    assert not missed
