"""Anomalies in streams: learnt from the first part alone, judged step by step."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from recurro import LSTM
from recurro.bench.tasks.detect import CASES, nab_streams
from recurro.data import read_series
from recurro.errors import ConfigError, DataError, RunError
from recurro.tasks import AnomalyDetector
from tests.datasets import dataset

QUICK = {
    "cell": LSTM(),
    "max_steps": 40,
    "hidden_size": 8,
    "window": 48,
    "learning_rate": 0.02,
}


def wave(steps=900, channels=1, seed=0, dead=slice(700, 730)):
    """Sines with noise, and no beat for a while."""
    draw = np.random.default_rng(seed)
    time = np.arange(steps)[:, None]
    values = np.sin(time / np.arange(3, 3 + channels)) + draw.normal(
        0, 0.05, (steps, channels)
    )
    values[dead] = 0.0
    return values


@pytest.fixture(scope="module")
def trained():
    return AnomalyDetector(probation=0.4, **QUICK).fit(wave())


def test_a_missing_beat_is_found_and_three_sigma_sees_nothing(trained):
    judged = trained.judge(wave(), [(700, 735)])
    assert (judged["network"].found, judged["network"].false_alarms) == (1, 0)
    assert judged["three sigma"].found == 0
    figures = trained.evaluate(wave(), [(700, 735)])
    assert (figures["precision"], figures["recall"], figures["f1"]) == (1, 1, 1)
    last, network = trained.baselines_
    assert network["rmse"] < 0.6 * last["rmse"]


def test_verbs_of_scikit_learn_agree(trained):
    series = wave()
    scores = trained.score_samples(series)
    assert scores.shape == (900,)
    assert scores[0] == 0
    assert trained.offset_ == -5
    np.testing.assert_allclose(trained.decision_function(series), scores + 5)
    np.testing.assert_array_equal(trained.predict(series) == -1, scores < -5)
    again = clone(trained)
    with pytest.raises(NotFittedError):
        again.predict(series)
    np.testing.assert_array_equal(again.fit_predict(series), trained.predict(series))


def test_one_step_at_a_time_gives_the_same_scores(trained):
    series, watch = wave(seed=3)[400:720], trained.watch()
    told = [watch.update(row) for row in series]
    scores = trained.score_samples(series)
    np.testing.assert_allclose([score for score, _ in told], scores, atol=1e-3)
    assert [alert for _, alert in told] == (scores < -5).tolist()
    with pytest.raises(DataError, match="must be 1 finite numbers"):
        watch.update([1.0, 2.0])
    with pytest.raises(DataError, match="must be 1 finite numbers"):
        watch.update(np.nan)


def test_nothing_behind_the_first_part_is_learnt():
    """Weights, scaler and threshold know nothing of what comes behind the probation."""
    series = wave()
    other = series.copy()
    other[360:] = 1e6
    found = [AnomalyDetector(probation=0.4, **QUICK).fit(x) for x in (series, other)]
    one, two = (
        {k: v.tolist() for k, v in m.network_.state_dict().items()} for m in found
    )
    assert one == two
    assert found[0].reader_ == found[1].reader_
    assert found[0].errors_ == found[1].errors_
    np.testing.assert_array_equal(
        found[0].score_samples(series[:360]), found[1].score_samples(series[:360])
    )


def test_scores_know_only_what_came_before(trained):
    series = wave()
    whole, part = trained.score_samples(series), trained.score_samples(series[:500])
    np.testing.assert_allclose(whole[:500], part, atol=1e-5)


def test_what_was_learnt_from_is_not_scored(trained):
    alerts = [(100, 120), (350, 370), (700, 735)]
    assert trained.judge(wave(), alerts)["network"].anomalies == 1
    assert trained.judge(wave(seed=5), alerts)["network"].anomalies == 3
    steps = np.zeros(900, bool)
    steps[700:736] = True
    assert trained.judge(wave(), steps) == trained.judge(wave(), [(700, 735)])


def test_an_anomaly_in_one_of_several_channels_is_found():
    series = wave(channels=3, dead=slice(0))
    series[800:830, 1] *= 4
    model = AnomalyDetector(probation=0.4, **QUICK).fit(series)
    assert model.judge(series, [(800, 835)])["network"].found == 1
    with pytest.raises(DataError, match="channel 2 as in training, got channel 0"):
        model.predict(series[:, :1])


def table(folder, values, label=None):
    hours = np.datetime64("2024-01-01T00", "us") + np.arange(
        len(values)
    ) * np.timedelta64(1, "h")
    frame = pl.DataFrame({"when": hours, "load": values.ravel()})
    if label is not None:
        frame = frame.with_columns(pl.Series("odd", label))
    frame.write_csv(folder / "load.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    return folder / "load.csv"


def test_tables_with_labels_and_runs_on_disk(tmp_path):
    label = np.zeros(900, int)
    label[700:736] = 1
    file = table(tmp_path, wave(), label)
    out = tmp_path / "run"
    model = AnomalyDetector(probation=0.4, label="odd", out=out, **QUICK).fit(str(file))
    assert model.probation_.cycles == ("hour", "weekday", "week")  # 15 days
    assert model.probation_.names == ("load",)
    figures = model.evaluate(file)
    assert figures["recall"] == 1
    read = AnomalyDetector.load(out)
    np.testing.assert_array_equal(read.score_samples(file), model.score_samples(file))
    assert read.evaluate(file) == figures
    watch = read.watch()
    series = read_series(file, time="when", target=["load"]).series[0]
    pairs = zip(series.target[:99], series.times[:99], strict=True)
    told = [watch.update(row, stamp)[0] for row, stamp in pairs]
    np.testing.assert_allclose(told, read.score_samples(file)[:99], atol=1e-3)
    with pytest.raises(DataError, match="time must be given"):
        watch.update(1.0)
    with pytest.raises(DataError, match="stamps must be dates as in training"):
        read.predict(wave())
    (out / "errors.json").unlink()
    with pytest.raises(RunError, match=r"must have ended.*resume"):
        AnomalyDetector.load(out).predict(file)


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tmp_path):
    options = {"probation": 0.4, "checkpoint_steps": 10, **QUICK}
    whole = AnomalyDetector(out=tmp_path / "whole", **options).fit(wave())
    part = AnomalyDetector(out=tmp_path / "part", **options)

    class Stop:
        def update(self, step, total, fields):
            if step >= 15:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        part.fit(wave(), progress=Stop())
    resumed = AnomalyDetector.resume(tmp_path / "part")
    np.testing.assert_array_equal(
        resumed.score_samples(wave()), whole.score_samples(wave())
    )


def test_cycles_that_were_not_gone_through_twice_are_not_read(tmp_path):
    file = table(tmp_path, wave())
    short = AnomalyDetector(probation=0.2, held_out=0.2, **QUICK).fit(file)
    assert short.probation_.cycles == ("hour",)  # 7.5 days


@pytest.mark.parametrize(
    ("series", "error"),
    [
        (np.zeros(900), "'channel 0' must change in the 360 steps.* it is 0"),
        (np.r_[np.full(500, 7.0), wave()[500:, 0]], "'channel 0' must change"),
        (np.r_[wave()[:, 0], np.nan], "row 900, channel 0 must be a finite number"),
        (np.r_[np.inf, wave()[:, 0]], "row 0, channel 0 must be a finite number"),
        (wave()[:100], "must have more than 48 steps.*got 28 and 12 of 100"),
        (wave()[:1], "at least two steps, got 1"),
        ([], "at least two steps, got 0"),
        ([["a"]], "must be numbers"),
        (np.zeros((3, 3, 3)), "must be numbers"),
    ],
)
def test_streams_that_cannot_be_used(series, error):
    with pytest.raises(DataError, match=error):
        AnomalyDetector(probation=0.4, **QUICK).fit(series)


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("when,load\n2024-01-01,1\n2024-01-01,2\n", "line 3, column 'when'.*again"),
        ("when,load\n2024-01-02,1\n2024-01-01,2\n", "line 3.*must come after"),
        ("when,load\n2024-01-01,1\n2024-01-02,\n", "line 3, column 'load'.*got none"),
        ("when,load\n2024-01-01,1\n2024-01-02,x\n", "line 3, column 'load'.*'x'"),
        ("when\n2024-01-01\n", "must have a column of numbers beside.*'when'"),
        ("when,load\n", "must hold rows"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, rows, error):
    (tmp_path / "t.csv").write_text(rows)
    with pytest.raises(DataError, match=error):
        AnomalyDetector().fit(tmp_path / "t.csv")


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no file"):
        AnomalyDetector().fit(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"probation": 0}, "'probation' must be above 0"),
        ({"held_out": 0}, "'held_out' must be above 0"),
        ({"threshold": 0.7}, "'threshold' must be below 0.5"),
        ({"calendar": ["moon"]}, "calendar"),
        ({"window": 1}, "'window' must be at least 2"),
    ],
)
def test_arguments_out_of_range(arguments, error):
    with pytest.raises(ConfigError, match=error):
        AnomalyDetector(**arguments).fit(wave())


def test_anomalies_must_be_told(trained):
    with pytest.raises(DataError, match="must be given to judge alerts"):
        trained.evaluate(wave())
    with pytest.raises(DataError, match="each of the 900 steps, got 3"):
        trained.evaluate(wave(), np.zeros(3, bool))
    with pytest.raises(DataError, match="do not overlap"):
        trained.evaluate(wave(), [(3, 10), (8, 12)])
    with pytest.raises(DataError, match="do not overlap"):
        trained.evaluate(wave(), [(880, 900)])


def test_a_real_stream_is_forecast_and_judged_better_than_by_three_sigma():
    folder = dataset("nab/windows.json").parent
    streams = {len(series): (series, spans) for series, spans in nab_streams(folder)}
    series, spans = streams[10_320]  # taxi rides in New York
    model = AnomalyDetector(cell=LSTM(), max_steps=100, learning_rate=0.01).fit(series)
    last, network = model.baselines_
    assert network["rmse"] < 0.75 * last["rmse"]
    judged = {name: one.figures() for name, one in model.judge(series, spans).items()}
    assert judged["network"]["f1"] > judged["three sigma"]["f1"]
    assert judged["network"]["nab_score"] > judged["three sigma"]["nab_score"] + 5


@pytest.mark.slow
def test_nine_real_streams_together():
    case = next(case for case in CASES if case.data == "nab")
    found = case.work(dataset("nab/windows.json").parent, 0)
    plain = found.baselines["three sigma"]
    assert found.figures["f1"] > plain["f1"] + 0.1
    assert found.figures["nab_score"] > plain["nab_score"] + 10
