"""Made sugar levels: Bergman's minimal model with meals and insulin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recurro.data.series import Series, SeriesTable
from recurro.errors import ArgumentError

__all__ = ["Patient", "draw_patients", "glucose_response", "glucose_table"]

_STEP = 5
"""Minutes from row to row."""

_DAY = 24 * 60


@dataclass(frozen=True)
class Patient:
    """The parameters of a person whose pancreas makes no insulin.

    Attributes:
        p1: Glucose effectiveness, 1/min.
        p2: Decay of the action of insulin, 1/min.
        p3: Growth of the action of insulin, L/mU/min^2.
        n: Decay of insulin in the blood, 1/min.
        basal_glucose: G_b, mg/dl, that the basal insulin holds.
        glucose_volume: V_G, dl.
        insulin_volume: V_I, L.
        meal_minutes: Time constant of the gut, tau_G, min.
        insulin_minutes: Time constant of insulin under the skin, tau_I, min.
        grams_per_unit: Carbohydrate that the person covers with a unit of insulin, g/U.
    """

    p1: float = 0.01
    p2: float = 0.02
    p3: float = 1.3e-5
    n: float = 0.14
    basal_glucose: float = 120.0
    glucose_volume: float = 117.0
    insulin_volume: float = 12.0
    meal_minutes: float = 40.0
    insulin_minutes: float = 55.0
    grams_per_unit: float = 10.0


def glucose_response(
    patient: Patient,
    meals: np.ndarray,
    insulin: np.ndarray,
    sensitivity: np.ndarray | None = None,
) -> np.ndarray:
    """The glucose of the blood minute by minute.

        (1)  dG/dt = -(p1 + X) G + p1 G_b + A_2 / (tau_G V_G)
        (2)  dX/dt = -p2 X + s p3 (I - I_b)
        (3)  d(I - I_b)/dt = -n (I - I_b) + B_2 / (tau_I V_I)
        (4)  dA_1/dt = 0.8 D - A_1 / tau_G,   dA_2/dt = (A_1 - A_2) / tau_G
        (5)  dB_1/dt = U - B_1 / tau_I,       dB_2/dt = (B_1 - B_2) / tau_I

    with D the carbohydrate in mg/min, of which 0.8 reach the blood, U the insulin
    beside the basal one in mU/min, and s the sensitivity; from rest, by Euler's method
    with steps of a minute.

    Args:
        patient: The parameters.
        meals: Carbohydrate eaten in each minute, g ``(minutes,)``, at least 0.
        insulin: Insulin injected in each minute, U ``(minutes,)``, at least 0.
        sensitivity: s of each minute; 1 if not given.

    Returns:
        G at the end of each minute, mg/dl ``(minutes,)``.

    Example:
        >>> nothing = np.zeros(60)
        >>> glucose_response(Patient(), nothing, nothing)[-1]
        np.float64(120.0)

    References:
        (1) and (2): Bergman, Ider, Bowden and Cobelli (1979), American Journal of
        Physiology 236, E667, the minimal model; (3): Fisher (1991),
        doi:10.1109/10.68211; (4) and (5), two compartments each: Hovorka et al. (2004),
        doi:10.1088/0967-3334/25/4/010. The numbers in brackets are those of this page.
    """
    p, found = patient, np.empty(len(meals))
    s = np.ones(len(meals)) if sensitivity is None else sensitivity
    g, x, i, a1, a2, b1, b2 = p.basal_glucose, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for t, (grams, units) in enumerate(
        zip(meals.tolist(), insulin.tolist(), strict=True)
    ):
        dg = -(p.p1 + x) * g + p.p1 * p.basal_glucose
        dg += a2 / (p.meal_minutes * p.glucose_volume)
        dx = -p.p2 * x + s[t] * p.p3 * i
        di = -p.n * i + b2 / (p.insulin_minutes * p.insulin_volume)
        da2, db2 = (a1 - a2) / p.meal_minutes, (b1 - b2) / p.insulin_minutes
        da1 = 800.0 * grams - a1 / p.meal_minutes
        db1 = 1000.0 * units - b1 / p.insulin_minutes
        g, x, i = g + dg, x + dx, i + di
        a1, a2, b1, b2 = a1 + da1, a2 + da2, b1 + db1, b2 + db2
        found[t] = g
    return found


def draw_patients(count: int, seed: int = 0) -> list[Patient]:
    """Persons whose parameters lie around the usual ones, by factors of about 0.8.

    Args:
        count: How many, at least 1.
        seed: Equal seeds give equal persons.

    Raises:
        ArgumentError: If the count is under 1.
    """
    if count < 1:
        raise ArgumentError(f"draw_patients: count must be at least 1, got {count}.")
    draw, usual = np.random.default_rng(seed), vars(Patient())
    return [
        Patient(
            **{k: v * float(np.exp(draw.normal(0, 0.15))) for k, v in usual.items()}
        )
        for _ in range(count)
    ]


def glucose_table(patients: int = 4, days: int = 28, seed: int = 0) -> SeriesTable:
    """Sugar levels of some persons every five minutes, with meals and insulin.

    Three meals a day and sometimes a snack, of random time and size; insulin for each,
    misjudged by some 30 % and sometimes late; a sensitivity that drifts by some 15 %
    over hours; a sensor that errs by 2 mg/dl. Meals and insulin are known ahead, as
    plans are.

    Args:
        patients: How many series, at least 1.
        days: How long, at least 1.
        seed: Equal seeds give equal tables.

    Returns:
        A table with the target ``glucose`` (mg/dl) and the known covariates ``meal``
        (g) and ``insulin`` (U), each summed over the minutes of a row.

    Raises:
        ArgumentError: If a number is under 1.

    Example:
        >>> table = glucose_table(patients=1, days=2)
        >>> len(table.series[0]), table.known
        (576, ('meal', 'insulin'))
    """
    if days < 1:
        raise ArgumentError(f"glucose_table: days must be at least 1, got {days}.")
    draw, found = np.random.default_rng(seed), []
    none = np.zeros((days * _DAY // _STEP, 0), np.float32)
    times = np.datetime64("2024-01-01", "us") + np.arange(len(none)) * np.timedelta64(
        _STEP, "m"
    )
    for number, patient in enumerate(draw_patients(patients, seed)):
        meals, insulin = _habits(patient, days, draw)
        level = glucose_response(patient, meals, insulin, _drift(days * _DAY, draw))
        measured = level[_STEP - 1 :: _STEP] + draw.normal(0, 2, len(none))
        known = np.stack([meals, insulin], 1).reshape(-1, _STEP, 2).sum(1)
        found.append(
            Series(
                f"patient-{number + 1}",
                times,
                measured[:, None].astype(np.float32),
                known.astype(np.float32),
                none,
                none[0],
            )
        )
    return SeriesTable(tuple(found), ("glucose",), ("meal", "insulin"))


def _habits(
    patient: Patient, days: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """What is eaten and injected in each minute."""
    meals, insulin = np.zeros(days * _DAY), np.zeros(days * _DAY)
    usual = ((8, 45, 1.0), (13, 70, 1.0), (16.5, 20, 0.5), (19, 65, 1.0))
    for day in range(days):
        for hour, grams, chance in usual:
            if draw.random() > chance:
                continue
            minute = day * _DAY + int(60 * hour + draw.normal(0, 30))
            eaten = grams * np.exp(draw.normal(0, 0.25))
            late = int(draw.integers(10, 40)) if draw.random() < 0.25 else 0
            meals[minute] += eaten
            units = eaten / patient.grams_per_unit * np.exp(draw.normal(0, 0.3))
            insulin[min(minute + late, len(insulin) - 1)] += units
    return meals, insulin


def _drift(minutes: int, draw: np.random.Generator) -> np.ndarray:
    """A sensitivity around 1 that changes over some hours."""
    from scipy.signal import lfilter

    keep = np.exp(-1 / 360)
    noise = draw.normal(0, 0.15 * np.sqrt(1 - keep**2), minutes)
    return np.exp(lfilter([1.0], [1.0, -keep], noise))
