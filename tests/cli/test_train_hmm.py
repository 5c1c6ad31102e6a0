from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from recurro.baselines import HiddenMarkovModel
from recurro.errors import RunError
from recurro.tasks.hmm import HMMRun
from tests.cli.command import complaint, recurro

FEW = ("--states", 2, "--starts", 1, "--iterations", 5, "-q", "-o", "run")


def train(*words, code=0):
    return json.loads(recurro("train", "hmm", *words, *FEW, "--json", code=code).out)


def test_lines_of_a_text(folder):
    told = train("sea.txt", "--lines", "--tokens", "word")
    alone, model = told["baselines"]
    assert (alone["name"], model["name"]) == ("without memory", "hidden Markov")
    assert model["log_likelihood"] > alone["log_likelihood"]
    assert told["nats_per_step"] == model["nats_per_step"]
    assert told["iterations"] == len(told["history"]) <= 5
    assert sorted(told["history"]) == told["history"]

    found = json.loads(recurro("evaluate", "run", "sea.txt", "--json").out)
    assert set(found) == {"log_likelihood", "nats_per_step", "steps", "sequences"}
    assert found["sequences"] == 180
    loaded = HMMRun.load("run")
    seen = loaded.read([folder / "sea.txt"])
    assert loaded.model.score(seen.X, seen.lengths) == pytest.approx(
        found["log_likelihood"]
    )
    rows = json.loads(recurro("predict", "run", "sea.txt", "--json").out)
    assert len(rows) == found["steps"]
    assert {row["state"] for row in rows} == {0, 1}
    assert all(0 < row["probability"] <= 1 for row in rows)
    line = recurro("predict", "run", "sea.txt").out.splitlines()[0]
    assert line.startswith("the sun is up and the sea is blue\t0\t")

    words = ("generate", "run", "--length", 7, "--number", 2, "--seed", 1, "--json")
    texts = [row["text"] for row in json.loads(recurro(*words).out)]
    assert len(texts) == 2
    assert texts[0] != texts[1]
    assert json.loads(recurro(*words).out)[0]["text"] == texts[0]
    assert not list(folder.rglob("*.pkl"))


def test_series_of_a_table(folder):
    rng = np.random.default_rng(0)
    states = rng.integers(0, 2, (12, 1)).repeat(8, axis=1)
    rows = [
        {"who": f"w{n}", "t": t, "x": 9 * s + rng.normal(), "y": rng.normal()}
        for n, path in enumerate(states)
        for t, s in enumerate(path)
    ]
    pl.DataFrame(rows).write_csv("walks.csv")
    names = ("--id", "who", "--time", "t", "--features", "x,y")
    told = recurro("train", "hmm", "walks.csv", *names, *FEW).out
    assert "held out:" in told
    assert "log-likelihood" in told
    answers = json.loads(recurro("predict", "run", "walks.csv", "--json").out)
    found = np.array([row["state"] for row in answers])
    assert (found == states.ravel()).mean() in (0, 1)
    assert answers[8]["sequence"] == "w1"
    assert len(recurro("generate", "run", "--length", 3).out.split()) == 6
    rows[5]["y"] = None
    pl.DataFrame(rows).write_csv("gap.csv")
    assert "line 7, column 'y' of 'gap.csv'" in complaint("evaluate", "run", "gap.csv")
    rows = [{"who": "a", "t": t, "x": 1.0, "y": t} for t in range(20)]
    pl.DataFrame(rows).write_csv("flat.csv")
    found = complaint("train", "hmm", "flat.csv", *names, *FEW, "--overwrite")
    assert "must vary, got 1 in all rows of column 0" in found


def test_arrays(folder):
    X = HiddenMarkovModel(2).fit([0, 1, 1, 0], states=[0, 1, 1, 0]).sample(60)[0]
    np.savez("x.npz", X=X, lengths=np.full(12, 5))
    assert train("x.npz")["sequences"] == 1
    np.save("x.npy", np.random.default_rng(0).poisson(4.0, (60, 2)))
    told = recurro(
        "train", "hmm", "x.npy", "--emission", "poisson", *FEW, "--overwrite"
    )
    assert "without memory" in told.out
    assert HMMRun.load("run").model.lambdas_.shape == (2, 2)


def test_what_cannot_be_used_is_named(folder):
    np.savez("x.npz", X=np.zeros(5, int), lengths=np.array([2, 2]))
    assert "add up to its 5 rows" in complaint("train", "hmm", "x.npz", *FEW)
    np.save("x.npy", np.array([[0.0, 1], [np.nan, 2], [3, 4]]))
    assert "nan in row 1, column 0" in complaint("train", "hmm", "x.npy", *FEW)
    (folder / "broken.npy").write_bytes(b"no array")
    assert "must hold an array" in complaint("train", "hmm", "broken.npy", *FEW)
    assert "no file" in complaint("train", "hmm", "none.npy", *FEW)
    assert "of one kind" in complaint("train", "hmm", "x.npy", "sea.txt", *FEW)
    words = ("sea.txt", "--emission", "gaussian", *FEW)
    assert "--emission: must be categorical" in complaint("train", "hmm", *words)
    assert not (folder / "run").exists()
    train("sea.txt", "--lines")
    (folder / "new.txt").write_text("the sea\nqué\n")
    assert "'é'" in complaint("evaluate", "run", "new.txt")
    assert "must be new or empty" in complaint("train", "hmm", "sea.txt", *FEW)
    assert "--top-k: must be left out" in complaint("generate", "run", "--top-k", 3)
    assert "--length" in complaint("generate", "run", "--length", 0)
    assert "--samples" in complaint("evaluate", "run", "sea.txt", "--samples", 3)
    (folder / "run" / "figures.json").write_text("{}")
    with pytest.raises(RunError, match="must list figures"):
        HMMRun.load("run")
    (folder / "run" / "config.yaml").write_text("task: hmm\n")
    assert "as the run wrote it" in complaint("evaluate", "run", "sea.txt")


def test_a_resumed_run_is_refused(folder):
    train("sea.txt", "--lines")
    assert "resume" in complaint("resume", "run")
