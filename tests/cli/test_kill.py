"""Runs that are killed or interrupted, in processes of their own."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from recurro.train.checkpoint import unpack
from tests.cli.command import process, recurro
from tests.cli.conftest import TEXT

TRAIN = (
    *("train", "lm", "sea.txt", "--preset", "char-small", "--hidden-size", 24),
    *("--epochs", 6, "--batch-size", 8, "--bptt", 20, "--dropout", 0.2),
    *("--set", "train.checkpoint_steps=7", "--set", "train.log_every=5"),
)


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.01)


def step_of(run: Path) -> int:
    path = run / "state" / "checkpoint.safetensors"
    return unpack(path.read_bytes(), str(path))["state"]["position"]["step"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The same run, never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "sea.txt").write_text(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        recurro(*TRAIN, "-o", "run", "-q")
    return folder / "run"


def test_a_killed_run_ends_as_if_it_had_lived(folder, whole):
    run = folder / "run"
    with process(*TRAIN, "-o", "run", "-q", cwd=folder) as killed:
        wait_for(run / "state" / "checkpoint.safetensors")
        while step_of(run) < 20:
            time.sleep(0.03)
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    stopped_at = step_of(run)
    assert 20 <= stopped_at < 96
    recurro("resume", "run", "-q")
    for name in ("model.safetensors", "baselines.json"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


def test_ctrl_c_saves_and_says_how_to_go_on(folder, whole):
    run = folder / "run"
    with process(*TRAIN, "-o", "run", cwd=folder) as stopped:
        wait_for(run / "metrics.jsonl")
        stopped.send_signal(signal.SIGINT)
        assert stopped.wait(60) == 130
        error = stopped.stderr.read()
    assert error.splitlines()[-1] == "recurro: stopped. Go on with: recurro resume run"
    assert "Traceback" not in error
    assert step_of(run) > 0
    recurro("resume", "run", "-q")
    assert (run / "model.safetensors").read_bytes() == (
        whole / "model.safetensors"
    ).read_bytes()
