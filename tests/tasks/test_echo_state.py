"""Echo state networks from files, in run folders."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.errors import ArgumentError, DataError, RunError
from recurro.reservoir import EchoStateNetwork
from recurro.tasks.echo_state import EchoStateRun

HEAD = "@dimensions 1\n@classLabel true slow quick\n@data\n"


@pytest.fixture
def wave(tmp_path):
    file = tmp_path / "wave.csv"
    rows = [f"t{t},{np.sin(0.3 * t):.8f},{np.cos(0.3 * t):.8f}" for t in range(300)]
    file.write_text("\n".join(["stamp,sin,cos", *rows]))
    return file


@pytest.fixture
def walks(tmp_path):
    file = tmp_path / "walks.ts"
    lines = [
        ",".join(f"{v:.4f}" for v in np.sin(speed * np.arange(20 + n))) + f":{name}"
        for n in range(20)
        for name, speed in (("slow", 0.2), ("quick", 0.6))
    ]
    file.write_text(HEAD + "\n".join(lines))
    return file


def network(**arguments):
    usual = {"washout": 10, "ridge": 1e-6, "random_state": 0}
    return EchoStateNetwork(40, **{**usual, **arguments})


@pytest.mark.parametrize("feedback", [0.0, 0.5])
def test_the_next_steps_of_a_table(wave, tmp_path, feedback):
    model = EchoStateRun(network(feedback=feedback)).fit(wave, out=tmp_path / "run")
    assert model.columns == ("sin", "cos")
    names = [row["name"] for row in model.baselines]
    assert names == ["naive", "autoregression", "network"]
    assert model.baselines[-1]["nrmse"] < 0.02
    again = EchoStateRun.load(tmp_path / "run")
    assert again.baselines == model.baselines
    assert again.evaluate(wave) == model.evaluate(wave)
    assert again.predict(wave) == model.predict(wave)
    ahead = again.generate(5, wave)
    for step, row in enumerate(ahead):
        assert row["sin"] == pytest.approx(np.sin(0.3 * (300 + step)), abs=0.1)


def test_what_is_predicted_is_the_next_row(wave):
    model = EchoStateRun(network(), ("sin",)).fit(wave)
    told = [row["sin"] for row in model.predict(wave)]
    truth = np.sin(0.3 * np.arange(300))
    np.testing.assert_allclose(told[50:-1], truth[51:], atol=0.02)
    assert model.evaluate(wave)["nrmse"] == pytest.approx(
        np.sqrt(np.mean((np.array(told[10:-1]) - truth[11:]) ** 2) / truth[11:].var()),
        rel=1e-3,
    )


def test_classes(walks, tmp_path):
    model = EchoStateRun(network(classify="mean", washout=0, ridge=1e-2))
    model.fit(walks, out=tmp_path / "run")
    assert model.baselines[-1] == {"name": "network", "accuracy": 1.0}
    again = EchoStateRun.load(tmp_path / "run")
    assert again.predict(walks)[:2] == [{"class": "slow"}, {"class": "quick"}]
    assert again.evaluate(walks) == {"accuracy": 1.0}
    with pytest.raises(ArgumentError, match="must tell the next step of a table"):
        again.generate(3, walks)


def test_several_reservoirs_are_saved_whole(wave, tmp_path):
    deep = EchoStateNetwork([20, 15], leak_rate=[1.0, 0.5], random_state=0)
    model = EchoStateRun(deep).fit(wave, out=tmp_path / "run")
    again = EchoStateRun.load(tmp_path / "run")
    assert again.predict(wave) == model.predict(wave)
    series = np.zeros((5, 2))
    with pytest.raises(ArgumentError, match="got a network that was loaded"):
        again.network.partial_fit(series, series)


def test_a_larger_ridge_is_chosen_where_it_costs_nothing(wave):
    noise = np.random.default_rng(0).normal(size=300)
    wave.write_text("\n".join(["y", *(f"{v:.5f}" for v in noise)]))
    model = EchoStateRun(network(), grid={"ridge": [1e-8, 1e-2, 1e4]}).fit(wave)
    assert model.network.ridge == 1e4


def test_what_cannot_be_is_refused(wave, walks, tmp_path):
    with pytest.raises(DataError, match=r"'cos'|line 9"):
        text = wave.read_text().splitlines()
        text[8] = "t7,0.1,"
        (tmp_path / "gap.csv").write_text("\n".join(text))
        EchoStateRun(network()).fit(tmp_path / "gap.csv")
    with pytest.raises(DataError, match="must have more than 302 rows to learn from"):
        EchoStateRun(network(washout=300)).fit(wave)
    with pytest.raises(DataError, match="must be a table to tell its next steps"):
        EchoStateRun(network()).fit(walks)
    with pytest.raises(ArgumentError, match="held_out must be in"):
        EchoStateRun(network()).fit(wave, held_out=1.0)
    EchoStateRun(network()).fit(wave, out=tmp_path / "run")
    with pytest.raises(RunError, match="must be new or empty"):
        EchoStateRun(network()).fit(wave, out=tmp_path / "run")
