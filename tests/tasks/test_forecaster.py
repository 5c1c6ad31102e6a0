"""Forecasts: learnt better than without a network, honest, kept and resumed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit, cross_validate

from recurro import Forecaster
from recurro.data import Series, SeriesTable, cut_table, garch_prices, read_series
from recurro.errors import ArgumentError, ConfigError, DataError, RunError
from recurro.tasks.forecast_config import ForecastSettings
from recurro.tasks.forecast_task import ForecastTask
from tests.datasets import dataset

SMALL: dict[str, Any] = {
    "horizon": 4,
    "history": 12,
    "hidden_size": 8,
    "learning_rate": 0.01,
    "backend": "vendor",
    "dropout": 0.0,
    "season_length": 1,
}


def waves(steps: int = 500, seed: int = 0) -> np.ndarray:
    """A wave with noise, and one that goes twice as fast."""
    noise = np.random.default_rng(seed).normal(0, 0.2, (steps, 2))
    t = np.arange(steps)[:, None] / np.array([3.0, 1.5])
    return (10 + np.array([5.0, 1.0]) * (np.sin(t) + noise)).astype(np.float32)


def table(*several: np.ndarray, ahead: int = 0, driven: float = 0.0) -> SeriesTable:
    """Series by day, each with a known covariate, which may drive it."""
    series = []
    for number, values in enumerate(several):
        draw = np.random.default_rng(100 + number)
        known = draw.normal(size=(len(values) + ahead, 1)).astype(np.float32)
        target = values + driven * known[: len(values)]
        stamps = np.arange(len(values)) * np.timedelta64(1, "D")
        times = np.datetime64("2024-01-01", "us") + stamps
        none = np.zeros((len(values), 0), np.float32)
        still = np.array([number], np.float32)
        name = f"s{number}"
        series.append(Series(name, times, target, known, none, still))
    names = tuple(f"y{k}" for k in range(several[0].shape[1]))
    return SeriesTable(tuple(series), names, ("k",), (), ("number",))


@pytest.mark.parametrize("head", ["point", "normal", "student-t", "quantile"])
def test_each_head_beats_persistence_and_knows_its_spread(head) -> None:
    model = Forecaster(**SMALL, epochs=3, head=head, seed=1).fit(waves())
    rows = {row["name"]: row for row in model.baselines_}
    assert list(rows)[-1] == "network"
    assert {"naive", "drift", "exponential smoothing"} < set(rows)
    ours = model.evaluate(waves(300, seed=5))
    assert set(ours) == {"mse", "mae", "mase", "crps", "coverage"}
    for found in (ours, rows["network"]):
        assert found["mse"] < 0.3 * rows["naive"]["mse"]
        assert found["crps"] < 0.5 * rows["naive"]["crps"]
        assert 0.75 < found["coverage"] < 1.0
    assert model.score(waves(300, seed=5)) == -ours["mse"]


def test_real_hours_in_seconds() -> None:
    path = dataset("ett/ETTh1.csv")
    hours = read_series(path, time="date", target=["OT"])
    model = Forecaster(horizon=24, history=72, hidden_size=8, epochs=1, held_out=0.25)
    model.fit(cut_table(hours, 2000))
    rows = {row["name"]: row for row in model.baselines_}
    assert model.season_length_ == 24
    assert rows["network"]["mase"] < 0.9 * rows["seasonal naive"]["mase"]
    assert rows["network"]["crps"] < 0.9 * rows["naive"]["crps"]


def test_nothing_leaks_from_what_is_held_out() -> None:
    # Everything after the training part is changed: readers, the network's start and
    # its first updates stay the same to the bit.
    settings = {**SMALL, "epochs": 1, "held_out": 0.25, "keep": "last"}
    settings |= {"target": "y0,y1", "level": True}
    one, other = (table(waves(200), waves(160, 1)) for _ in range(2))
    for series in other.series:
        behind = int(0.75 * len(series))
        series.target[behind:] *= -50
        series.known[behind:] *= 90
    first, second = (Forecaster(**settings).fit(x) for x in (one, other))
    assert first.reader_ == second.reader_
    trained = [m.network_.state_dict() for m in (first, second)]
    for name, weights in trained[0].items():
        if name != "ranks":  # learnt on the part held out, as it says
            assert weights.equal(trained[1][name]), name
    assert first.baselines_[-1] != second.baselines_[-1]


def test_what_is_known_ahead_counts() -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, (300, 1)).astype(np.float32)
    data = table(noise, noise[::-1].copy(), ahead=4, driven=2.0)
    model = Forecaster(**SMALL, epochs=15, calendar=["weekday"]).fit(data)
    rows = {row["name"]: row for row in model.baselines_}
    assert rows["network"]["mse"] < 0.2
    best = min(row["mse"] for name, row in rows.items() if name != "network")
    assert best > 0.8
    found = model.predict(data)
    assert found.columns == ["id", "time", "mean", "q0.05", "q0.5", "q0.95"]
    assert str(found["time"][0]) == "2024-10-27 00:00:00"
    truth = np.concatenate([2 * one.known[300:, 0] for one in data.series])
    assert np.abs(found["mean"].to_numpy() - truth).mean() < 0.7
    with pytest.raises(DataError, match="known covariates"):
        model.predict(cut_table(data, 300))


def test_runs_are_kept_and_resumed(tmp_path) -> None:
    data = table(waves(120), waves(140, 1), ahead=4)
    model = Forecaster(**SMALL, epochs=2, head="student-t", out=tmp_path / "run")
    model.fit(data)
    again = Forecaster.load(tmp_path / "run")
    assert again.predict(data).equals(model.predict(data))
    assert again.baselines_ == model.baselines_
    np.testing.assert_array_equal(again.sample(data, 3), model.sample(data, 3))
    resumed = Forecaster.resume(tmp_path / "run")
    assert resumed.predict(data).equals(model.predict(data))
    (tmp_path / "run" / "state" / "series.npz").write_bytes(b"no")
    with pytest.raises(RunError, match="what the run learns from"):
        Forecaster.resume(tmp_path / "run")
    (tmp_path / "run" / "scaler.json").write_text("[]")
    with pytest.raises(RunError, match=r"scaler\.json"):
        Forecaster.load(tmp_path / "run")


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, monkeypatch) -> None:
    data, settings = table(waves(120), ahead=4), {**SMALL, "epochs": 3, "dropout": 0.2}
    whole = Forecaster(**settings).fit(data)
    validate, calls = ForecastTask.validate, []

    def stopped(self, network) -> dict[str, float]:
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return validate(self, network)

    monkeypatch.setattr(ForecastTask, "validate", stopped)
    with pytest.raises(KeyboardInterrupt):
        Forecaster(**settings, out=tmp_path / "cut").fit(data)
    monkeypatch.undo()
    resumed = Forecaster.resume(tmp_path / "cut")
    for name, weight in resumed.network_.state_dict().items():
        assert weight.equal(whole.network_.state_dict()[name]), name
    assert resumed.baselines_ == whole.baselines_


def test_what_was_seen_is_not_scored() -> None:
    data = table(waves(160), waves(130, 1))
    model = Forecaster(**SMALL, epochs=1).fit(cut_table(data, [120, 100]))
    tested = model.backtest(data, stride=1)
    first = tested.group_by("id", maintain_order=True).first()
    stamps = [data.series[0].times[120], data.series[1].times[100]]
    assert first["time"].to_numpy().tolist() == np.array(stamps).tolist()
    assert len(tested) == (160 - 120 - 3 + 130 - 100 - 3) * 4 * 2
    errors = (tested["mean"] - tested["truth"]).to_numpy().reshape(-1, 4, 2)
    where = np.repeat([0, 1], [37, 27])
    scales = np.array([model.reader_.moments[f"s{n}"][1] for n in where])
    mse = ((errors / scales[:, None]) ** 2).mean()
    assert model.evaluate(data)["mse"] == pytest.approx(mse)
    with pytest.raises(DataError, match="has not seen"):
        model.evaluate(cut_table(data, [120, 100]))
    assert model.evaluate(cut_table(data, [120, 100]), seen=True)["mse"] > 0
    assert len(model.backtest(data)) < len(tested)
    *beside, ours = model.compare(data)
    assert ours == {"name": "network", **model.evaluate(data)}
    assert {row["name"] for row in beside} > {"naive", "drift"}


def test_a_series_that_was_not_in_training_is_scaled_by_its_own_past() -> None:
    model = Forecaster(**SMALL, epochs=2).fit({"a": waves()})
    usual = model.predict({"a": waves(60, 7)})["mean"].to_numpy()
    other = model.predict({"b": 1000 * waves(60, 7)})["mean"].to_numpy() / 1000
    np.testing.assert_allclose(other, usual, atol=0.5)


def test_paths_have_the_quantiles_of_the_head_and_hang_together() -> None:
    walk = np.random.default_rng(0).normal(size=800).cumsum()
    model = Forecaster(**SMALL, epochs=2).fit(walk)
    paths = model.sample(walk, 600, seed=1)
    assert paths.shape == (600, 1, 4, 1)
    found = model.predict(walk, levels=[0.1, 0.5, 0.9])
    drawn = np.quantile(paths[:, 0, :, 0], [0.1, 0.5, 0.9], axis=0)
    told = found.select("q0.1", "q0.5", "q0.9").to_numpy().T
    np.testing.assert_allclose(drawn, told, atol=0.35)
    together = np.corrcoef(paths[:, 0, :, 0].T)
    assert together[2, 3] > 0.7  # sqrt(3 / 4) of a walk
    assert together[0, 3] < together[2, 3]
    np.testing.assert_array_equal(paths[:5], model.sample(walk, 600, seed=1)[:5])


def test_volatility_of_returns() -> None:
    prices, true = garch_prices(1200, alpha=0.25, beta=0.7, seed=4)
    model = Forecaster(**{**SMALL, "horizon": 1}, epochs=4, returns=True)
    model.fit(cut_table(prices, 1000))
    rows = {row["name"]: row for row in model.baselines_}
    assert list(rows) == ["constant volatility", "EWMA", "GARCH(1,1)", "network"]
    assert rows["network"]["crps"] < rows["constant volatility"]["crps"]
    assert 0.0 <= rows["network"]["hit_rate"] < 0.15
    found = model.backtest(prices, stride=1)
    near = np.abs(found["volatility"].to_numpy() - true[999:])
    assert near.mean() < 0.8 * np.abs(true[:999].std() + 0 * near).mean()
    assert (found["value_at_risk"] == -found["q0.05"]).all()


def test_scikit_learn() -> None:
    model = Forecaster(**SMALL, epochs=1)
    found = cross_validate(clone(model), waves(300), cv=TimeSeriesSplit(2))
    assert np.isfinite(found["test_score"]).all()
    assert clone(model).get_params()["horizon"] == 4


def test_a_table_of_few_steps_has_fewer_baselines() -> None:
    model = Forecaster(**{**SMALL, "history": 2, "horizon": 1}, epochs=1)
    model.fit(np.array([1.0, 2, 4, 3, 5, 4, 6, 7, 6, 8]))
    assert [row["name"] for row in model.baselines_][-2:] == [
        "autoregression of 2",
        "network",
    ]
    assert Forecaster(**SMALL, epochs=1, held_out=0).fit(waves(60)).baselines_ == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.full(200, 3.0), "column 'target0' of the series must vary"),
        (np.r_[np.arange(99.0), np.nan], "nan at step 99, target 0"),
        (np.arange(14.0), r"12 steps to read and 4 to forecast in its part 0 to 0\.8"),
        ({"a": waves(90), "b": waves(15)}, "series 'b' must have 12 steps"),
        ([waves(90), waves(90)[:, :1]], r"as many targets, got \[1, 2\]"),
        ([], "must be numbers"),
        ([["a"]], "must be numbers"),
        ({}, "must be a series"),
    ],
)
def test_bad_series(data, said) -> None:
    with pytest.raises(DataError, match=said):
        Forecaster(**SMALL, epochs=1).fit(data)


def test_bad_arguments(tmp_path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("t,y\n1,2\n")
    with pytest.raises(ConfigError, match="time must name a column"):
        Forecaster(target="y").fit(file)
    with pytest.raises(ConfigError, match="rise within"):
        Forecaster(head="quantile", levels=[0.5, 0.1]).fit(waves())
    with pytest.raises(DataError, match="until must be a stamp"):
        Forecaster(until="soon").fit(waves())
    model = Forecaster(**SMALL, epochs=1).fit(waves(80))
    with pytest.raises(ArgumentError, match="levels must be in"):
        model.predict(waves(80), levels=[1.0])
    with pytest.raises(DataError, match="the targets columns"):
        model.predict(waves(80)[:, :1])
    with pytest.raises(DataError, match="12 steps before"):
        model.predict(waves(11))


def test_the_settings_of_the_class_are_those_of_files() -> None:
    assert Forecaster().settings == ForecastSettings()


def test_until_cuts_what_training_reads(tmp_path) -> None:
    rows = [f"2024-{m:02d},{m + n},{n}" for n in "12" for m in map(int, range(1, 13))
            for n in [int(n)]]  # fmt: skip
    (tmp_path / "t.csv").write_text("month,y,id\n" + "\n".join(rows) + "\n")
    columns = {"time": "month", "id": "id", "target": "y", "until": "2024-10"}
    model = Forecaster(**columns, horizon=1, history=2, hidden_size=2, epochs=1)
    model.fit(tmp_path / "t.csv")
    assert set(model.reader_.ends.values()) == {"2024-10-01T00:00:00.000000"}
    assert len(model.backtest(tmp_path / "t.csv")) == 2 * 2
    assert torch.isfinite(model.network_.ranks).all()
