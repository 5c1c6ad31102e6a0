"""Echo state networks: Mackey-Glass by Jaeger's set-up, Lorenz, vowels, sunspots."""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np

from recurro.baselines import Naive, backtest
from recurro.baselines.autoregression import AutoRegression
from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import LORENZ_EXPONENT, lorenz, mackey_glass, read_table
from recurro.data.ts import read_ts
from recurro.reservoir import EchoStateNetwork

__all__ = ["CASES", "jaeger_network", "jaeger_nrmse", "lorenz_valid_time"]

RESERVOIRS = 25
FREE = 84
"""Free steps of Mackey-Glass, at whose last the error is taken."""


def jaeger_network(tau: float, seed: int) -> EchoStateNetwork:
    """A network by Jaeger's set-up for Mackey-Glass, not fitted yet.

    He writes h_t = (1 - C a) h_{t-1} + C tanh(W h_{t-1} + ...), C = 0.44, a = 0.9, W at
    0.79. With a h for h that is the leaky unit with leak C a = 0.396 and W / a at
    0.79 / 0.9.

    Args:
        tau: The delay of the series: there is noise in training where it is 30.
        seed: Seed of the network.

    References:
        Jaeger (2001), GMD report 148, section 6.
    """
    return EchoStateNetwork(
        400,
        spectral_radius=0.79 / 0.9,
        leak_rate=0.44 * 0.9,
        connectivity=0.0125,
        input_scaling=0.14,
        bias=0.2,
        feedback=0.56,
        noise=1e-5 if tau == 30 else 0.0,
        washout=1000,
        ridge=1e-12,
        random_state=seed,
    )


def jaeger_nrmse(tau: float, seed: int, runs: int = 50) -> float:
    """The error at 84 free steps over the spread of the series, over some test runs.

    Args:
        tau: The delay.
        seed: Seed of the network and of the series.
        runs: Test series, of 1,000 taught and 84 free steps each.
    """

    def series(steps: int, seed: int) -> np.ndarray:
        return np.tanh(mackey_glass(steps, tau=tau, seed=seed) - 1)

    train = series(3000, seed)
    model = jaeger_network(tau, seed).fit(None, train)
    tests = [series(1000 + FREE, 10_000 + 100 * seed + i) for i in range(runs)]
    told = model.generate(FREE, [test[:1000] for test in tests])
    errors = [ahead[-1] - test[-1] for ahead, test in zip(told, tests, strict=True)]
    return float(np.sqrt(np.mean(np.square(errors)) / train.var()))


def _mackey_glass(tau: float, folder: Path, seed: int) -> Found:
    first = RESERVOIRS * seed
    found = [jaeger_nrmse(tau, first + number) for number in range(RESERVOIRS)]
    return Found({"nrmse": float(np.median(found))})


def lorenz_valid_time(seed: int, starts: int = 50) -> float:
    """The median time until a free run is lost, in Lyapunov times.

    A run is lost when its distance from the truth passes 0.4 of the spread of the
    attractor (the root of the mean squared distance from its mean).

    Args:
        seed: Seed of the network and of the series.
        starts: Free runs, each after 200 taught steps behind the 10,000 of training.
    """
    dt, learnt, taught, free = 0.02, 10_000, 200, 1000
    series = lorenz(learnt + starts * (taught + 200) + free, dt=dt, seed=seed)
    mean, scale = series[:learnt].mean(0), series[:learnt].std(0)
    scaled = (series - mean) / scale
    model = EchoStateNetwork(
        500,
        spectral_radius=0.4,
        input_scaling=0.3,
        squares=True,
        washout=200,
        ridge=1e-10,
        random_state=seed,
    )
    model.fit(scaled[: learnt - 1], scaled[1:learnt])
    at = learnt + np.arange(starts) * (taught + 200)
    told = model.generate(free, [scaled[a : a + taught] for a in at])
    truth = [scaled[a + taught : a + taught + free] for a in at]
    spread = np.linalg.norm(scale)
    apart = np.linalg.norm((np.array(told) - np.array(truth)) * scale, axis=2) / spread
    lost = apart > 0.4
    first = np.where(lost.any(1), lost.argmax(1), free)
    return float(np.median(first)) * dt * LORENZ_EXPONENT


def _lorenz(folder: Path, seed: int) -> Found:
    return Found({"lyapunov_times": lorenz_valid_time(seed)})


Vowels = tuple[list[np.ndarray], np.ndarray]
STATES: tuple[Literal["last", "step"], ...] = ("last", "step")


def _vowels(folder: Path, seed: int) -> Found:
    """Speakers of Japanese vowels; sizes are chosen on a part of the training set."""
    figures = {f"accuracy_{how}": _told_right(folder, seed, how) for how in STATES}
    return Found(figures)


def _told_right(folder: Path, seed: int, how: Literal["last", "step"]) -> float:
    """The share of series that are told by their last state, or of steps."""
    train, test = (
        read_ts(folder / f"JapaneseVowels_{part}.ts") for part in ("TRAIN", "TEST")
    )
    every = np.concatenate(train.items)
    mean, scale = every.mean(0), every.std(0)
    learn, score = (
        ([(item - mean) / scale for item in part.items], np.asarray(part.labels))
        for part in (train, test)
    )
    kept = np.arange(len(learn[1])) % 5 == 0  # to choose on; sorted by speaker

    def fitted(part: Vowels, leak_rate: float, scaling: float) -> EchoStateNetwork:
        model = EchoStateNetwork(
            500,
            leak_rate=leak_rate,
            input_scaling=scaling,
            ridge=1e-2,
            classify=how,
            random_state=seed,
        )
        return model.fit(*_labelled(part, how))

    def some(rows: np.ndarray) -> Vowels:
        return [learn[0][row] for row in np.flatnonzero(rows)], learn[1][rows]

    sizes = [(leak, scaling) for leak in (0.1, 0.3) for scaling in (0.1, 0.3, 1.0)]
    grades = [
        fitted(some(~kept), *size).score(*_labelled(some(kept), how)) for size in sizes
    ]
    model = fitted(learn, *sizes[int(np.argmax(grades))])
    return model.score(*_labelled(score, how))


def _labelled(part: Vowels, how: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Series with a label each, or with one for each step."""
    items, labels = part
    if how != "step":
        return items, list(labels)
    pairs = zip(items, labels, strict=True)
    return items, [np.full(len(item), label) for item, label in pairs]


def _sunspots(folder: Path, seed: int) -> Found:
    """The next month of the last fifth; sizes are chosen on the fifth before it."""
    table = read_table(folder / "monthly-sunspots.csv")
    series = table.numbers("Sunspots")
    cut = len(series) * 4 // 5
    mean, scale = series[:cut].mean(), series[:cut].std()
    scaled = (series - mean) / scale
    chosen_on = cut * 4 // 5

    def fitted(
        end: int, leak_rate: float, scaling: float, ridge: float
    ) -> EchoStateNetwork:
        model = EchoStateNetwork(
            100,
            leak_rate=leak_rate,
            input_scaling=scaling,
            ridge=ridge,
            washout=50,
            random_state=seed,
        )
        return model.fit(scaled[: end - 1], scaled[1:end])

    def grade(size: tuple[float, float, float]) -> float:
        told = fitted(chosen_on, *size).predict(scaled[: cut - 1])[chosen_on - 1 :]
        return float(np.square(told - scaled[chosen_on:cut]).sum())

    sizes = product((0.1, 0.3, 1.0), (0.1, 0.3), (0.1, 1.0, 10.0, 100.0))
    model = fitted(cut, *min(sizes, key=grade))
    told = model.predict(scaled[:-1])[cut - 1 :] * scale + mean
    rivals = {"naive": Naive(), "autoregression": AutoRegression(24)}
    guesses, truth = {}, series[cut:]
    for name, rival in rivals.items():
        guesses[name] = backtest(rival, series, horizon=1, first=cut)[0][:, 0]

    def error(guess: np.ndarray) -> dict[str, float]:
        return {"rmse": float(np.sqrt(np.mean(np.square(guess - truth))))}

    return Found(error(told), {name: error(guess) for name, guess in guesses.items()})


CASES = (
    Case(
        *("esn", "mackey-glass-17", (Goal("nrmse", 1e-3, "lower"),)),
        work=partial(_mackey_glass, 17.0),
        generated=True,
    ),
    Case(
        *("esn", "mackey-glass-30", (Goal("nrmse", 0.11, "lower"),)),
        work=partial(_mackey_glass, 30.0),
        generated=True,
    ),
    Case(
        *("esn", "lorenz", (Goal("lyapunov_times", 5.0),)),
        work=_lorenz,
        generated=True,
    ),
    Case(
        *("esn", "japanese-vowels"),
        (Goal("accuracy_last", 0.92), Goal("accuracy_step", 0.92)),
        work=_vowels,
    ),
    Case(
        *("esn", "classic-series", (Goal("rmse", better="lower", beats="best"),)),
        work=_sunspots,
    ),
)
"""What is measured; a mean over seeds, but for Mackey-Glass, a median of reservoirs."""
