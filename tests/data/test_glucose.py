"""Made sugar levels obey their equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from recurro.data import Patient, draw_patients, glucose_response, glucose_table
from recurro.errors import ArgumentError


def test_response_against_a_solver_of_the_same_equations() -> None:
    p, minutes = Patient(), 360
    meals, insulin = np.zeros(minutes), np.zeros(minutes)
    meals[10], insulin[20] = 60.0, 5.0
    s = np.full(minutes, 1.2)

    def slope(t: float, y: np.ndarray) -> list[float]:
        g, x, i, a1, a2, b1, b2 = y
        now = int(min(t, minutes - 1))
        return [
            -(p.p1 + x) * g + p.p1 * p.basal_glucose
            + a2 / p.meal_minutes / p.glucose_volume,
            -p.p2 * x + s[now] * p.p3 * i,
            -p.n * i + b2 / p.insulin_minutes / p.insulin_volume,
            0.8 * 1000 * meals[now] - a1 / p.meal_minutes,
            (a1 - a2) / p.meal_minutes,
            1000 * insulin[now] - b1 / p.insulin_minutes,
            (b1 - b2) / p.insulin_minutes,
        ]  # fmt: skip

    begin = [p.basal_glucose, 0, 0, 0, 0, 0, 0]
    exact = solve_ivp(
        slope, (0, minutes), begin, t_eval=np.arange(1, minutes + 1), max_step=0.25
    )
    found = glucose_response(p, meals, insulin, s)
    np.testing.assert_allclose(found, exact.y[0], rtol=0.03)
    assert found.max() > 170


def test_meals_raise_and_insulin_lowers() -> None:
    none, some = np.zeros(300), np.zeros(300)
    some[0] = 5.0
    rest = glucose_response(Patient(), none, none)
    np.testing.assert_allclose(rest, 120.0)
    assert (glucose_response(Patient(), some * 10, none)[5:] > 120).all()
    assert (glucose_response(Patient(), none, some)[5:] < 120).all()


def test_tables_are_plausible_and_the_same_for_the_same_seed() -> None:
    table, again, other = (glucose_table(2, 5, seed) for seed in (3, 3, 4))
    for one, same, different in zip(
        table.series, again.series, other.series, strict=True
    ):
        assert len(one) == 5 * 288
        assert one.known.shape == (5 * 288, 2)
        np.testing.assert_array_equal(one.target, same.target)
        assert not np.array_equal(one.target, different.target)
        assert one.target.min() > 20
        assert one.target.max() < 600
        assert one.target.std() > 15
    assert len({str(patient) for patient in draw_patients(3)}) == 3


def test_bad_numbers() -> None:
    with pytest.raises(ArgumentError, match="count must be at least 1"):
        draw_patients(0)
    with pytest.raises(ArgumentError, match="days must be at least 1"):
        glucose_table(1, 0)
