"""Runs that are killed or interrupted end as if they never had been."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from recurro.errors import RunError
from recurro.train import RunFolder, TrainSettings, train
from recurro.train.checkpoint import unpack
from tests.train.toy import ToyTask
from tests.train.victim import CASES, DrawingTask, settings_of, sign_of, start

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")


def result(path):
    """All that a run leaves, but for times."""
    folder = RunFolder.open(path)
    lines = [
        {k: v for k, v in line.items() if k not in ("seconds", "items_per_second")}
        for line in folder.read_metrics()
    ]
    data = (path / "state" / "checkpoint.safetensors").read_bytes()
    state = unpack(data, "checkpoint")["state"]
    state["position"]["seconds"] = state["meter"]["seconds"] = 0.0
    state["ranks"] = [tensor.tolist() for tensor in state["ranks"]]
    return lines, (path / "model.safetensors").read_bytes(), repr(state)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    results = {}
    for case in CASES:
        path = tmp_path_factory.mktemp(case) / "run"
        process = start(case, path)
        process.join()
        assert process.exitcode == 0
        results[case] = result(path)
    return results


def test_the_cases_exercise_what_must_be_saved(undisturbed):
    kinds = {line["kind"] for lines, _, _ in undisturbed.values() for line in lines}
    assert kinds == {"train", "validation", "explosion"}
    assert "'means': [tensor" in undisturbed["asgd"][2]
    assert "'divisions': 0" not in undisturbed["asgd"][2]


@pytest.mark.parametrize("case", CASES)
def test_killed_at_random_moments(case, tmp_path, undisturbed):
    chance, path, kills = random.Random(case), tmp_path / "run", 0
    wait = 0.05
    while True:
        process = start(case, path)
        process.join(chance.uniform(0, wait))
        if process.exitcode is None:
            process.kill()
            kills += 1
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        wait *= 1.2  # it must get through some time, however slow the machine
    assert kills >= 3
    assert result(path) == undisturbed[case]


@pytest.mark.parametrize("first", range(1, 5))
def test_killed_at_every_write(first, tmp_path):
    """Each sync and each rename of a short run, one after the other."""
    more = {"max_steps": 4, "validate_every": 2, "log_every": 1}
    whole = tmp_path / "whole"
    process = start("adam", whole, **more)
    process.join()
    expected, kills = result(whole), 0
    for kill_at in range(first, 1000, 4):
        path = tmp_path / str(kill_at)
        process = start("adam", path, kill_at=kill_at, **more)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
        process = start("adam", path, **more)
        process.join()
        assert process.exitcode == 0
        assert result(path) == expected
        assert not list(path.rglob("*.tmp"))
    assert kills >= 5


@pytest.mark.parametrize("case", CASES)
def test_interrupted_at_random_moments(case, tmp_path, undisturbed):
    """Ctrl-C saves first: each attempt gets further, and no work is lost."""
    chance, path, steps, stops = random.Random(case), tmp_path / "run", [0], 0
    wait = 0.01
    while True:
        sign_of(path).unlink(missing_ok=True)
        process = start(case, path, checkpoint_steps=None)
        while not sign_of(path).exists() and process.is_alive():
            time.sleep(0.001)
        process.join(chance.uniform(0, wait))
        wait *= 1.2  # it must get through some time
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGINT)
        process.join(60)
        if process.exitcode == 0:
            break
        assert process.exitcode == 130
        stops += 1
        state = RunFolder.open(path).load()
        steps.append(state["position"]["step"])
    assert stops >= 2
    assert steps == sorted(steps)
    assert result(path) == undisturbed[case]


class Interrupting(ToyTask):
    """Presses Ctrl-C in the midst of the n-th validation."""

    def __init__(self, at):
        super().__init__(length=200)
        self.at, self.count = at, 0

    def validate(self, network):
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
        return super().validate(network)


def test_interrupted_while_validating(tmp_path):
    settings = TrainSettings(epochs=3, k1=10, k2=10)
    train(ToyTask(length=200), settings, RunFolder.create(tmp_path / "whole"))
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(Interrupting(2), settings, folder)
    position = folder.load()["position"]
    assert (position["epoch"], position["step"], position["validated"]) == (2, 10, 5)
    history = train(ToyTask(length=200), settings, folder, resume=True)
    assert [entry["step"] for entry in history.validations] == [5, 10, 15]
    assert result(tmp_path / "run") == result(tmp_path / "whole")


def test_the_handler_of_ctrl_c_is_given_back(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    train(ToyTask(length=200), TrainSettings(epochs=1, k1=10, k2=10))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_finished_run_can_be_resumed_and_lengthened(tmp_path):
    settings = settings_of("adam", schedule="constant")
    folder = RunFolder.create(tmp_path / "run")
    train(DrawingTask(), settings_of("adam", schedule="constant", epochs=2), folder)
    before = result(folder.path)
    same = settings_of("adam", schedule="constant", epochs=2)
    history = train(DrawingTask(), same, folder, resume=True)
    assert history.epochs == 2
    assert result(folder.path) == before
    train(DrawingTask(), settings, folder, resume=True)
    assert folder.load()["position"]["epoch"] == 6


@pytest.mark.parametrize(
    "values",
    [
        {"optimizer": "sgd"},
        {"weight_decay": 0.1},
        {"k2": 10},
        {"seed": 4},
        {"accumulate": 2},
        {"keep": "last"},
    ],
)
def test_settings_that_shape_the_state_may_not_change(values, tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    train(DrawingTask(), settings_of("adam", epochs=1), folder)
    (name,) = values
    with pytest.raises(RunError, match=f"resume: '{name}' must be .* as in the check"):
        train(DrawingTask(), settings_of("adam", **values), folder, resume=True)


def test_a_refused_resume_changes_nothing(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    train(DrawingTask(), settings_of("adam", epochs=1), folder)
    folder.log({"kind": "train"})
    before = {p: p.read_bytes() for p in folder.path.rglob("*") if p.is_file()}
    for values in ({"seed": 4}, {"k1": 30}):
        with pytest.raises(RunError, match="as in the checkpoint"):
            train(DrawingTask(), settings_of("adam", **values), folder, resume=True)
    with pytest.raises(RunError, match=r"must hold no run yet, got one with a check"):
        train(DrawingTask(), settings_of("adam"), RunFolder.open(folder.path))
    assert {p: p.read_bytes() for p in folder.path.rglob("*") if p.is_file()} == before


def test_a_longer_run_with_more_steps_knows_its_new_end(tmp_path):
    """The learning rate of a lengthened run is that of a run that long."""
    folder = RunFolder.create(tmp_path / "run")
    more = {"log_every": 1, "epochs": 3}
    train(DrawingTask(), settings_of("adam", max_steps=4, **more), folder)
    train(DrawingTask(), settings_of("adam", **more), folder, resume=True)
    whole = RunFolder.create(tmp_path / "whole")
    train(DrawingTask(), settings_of("adam", **more), whole)
    rates = [
        [
            line["learning_rate"]
            for line in one.read_metrics()
            if line["kind"] == "train"
        ]
        for one in (folder, whole)
    ]
    assert rates[0][4:] == rates[1][4:]


def test_another_network_does_not_fit(tmp_path):
    settings = TrainSettings(epochs=1, k1=10, k2=10)
    folder = RunFolder.create(tmp_path / "run")
    train(ToyTask(length=200), settings, folder)
    with pytest.raises(RunError, match="the checkpoint must fit the network"):
        train(ToyTask(length=200, hidden=9), settings, folder, resume=True)


def test_resume_without_a_folder():
    with pytest.raises(RunError, match="resume must come with a run folder"):
        train(ToyTask(), TrainSettings(), resume=True)


def test_a_changed_checkpoint_is_refused_and_nothing_is_overwritten(tmp_path):
    settings = TrainSettings(epochs=1, k1=10, k2=10)
    folder = RunFolder.create(tmp_path / "run")
    train(ToyTask(length=200), settings, folder)
    path = folder.path / "state" / "checkpoint.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(data)
    before = {p: p.read_bytes() for p in folder.path.rglob("*") if p.is_file()}
    with pytest.raises(RunError, match=r"checkpoint\.safetensors: must be as recurro"):
        train(ToyTask(length=200), settings, folder, resume=True)
    assert {p: p.read_bytes() for p in folder.path.rglob("*") if p.is_file()} == before
