from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from recurro.errors import RunError
from recurro.train import RunFolder, current_shard, sum_over_ranks, train
from recurro.types import Shard
from tests.train.parallel import TASKS, settings_of
from tests.train.toy import ToyTask


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    """What both processes of a run under ``torchrun`` saw."""
    out = tmp_path_factory.mktemp("parallel")
    root = Path(__file__).parents[2]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node=2", "-m", "tests.train.parallel", str(out)),
    ]
    done = subprocess.run(
        command,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return out, [json.loads((out / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def scores(validations):
    return [entry["nats"] for entry in validations]


@pytest.mark.parametrize("name", [name for name in TASKS if name != "uneven"])
def test_two_processes_validate_as_one_with_the_same_global_batch(name, two_ranks):
    task = TASKS[name]()
    history = train(task, settings_of(name))
    validations, steps, items, weights = two_ranks[1][0][name]
    assert scores(validations) == pytest.approx(scores(history.validations), abs=1e-4)
    assert (steps, items) == (history.steps, history.items)
    mine = torch.cat([p.detach().flatten() for p in task.network.parameters()])
    torch.testing.assert_close(mine, torch.tensor(weights), rtol=1e-4, atol=1e-5)


def test_both_processes_end_with_the_same_weights_and_scores(two_ranks):
    first, second = two_ranks[1]
    assert first == second


def test_a_rank_that_runs_out_of_data_waits_for_the_others(two_ranks):
    validations, steps, items, _ = two_ranks[1][0]["uneven"]
    assert steps == 3 * 20
    assert items == 3 * 2 * (199 + 120)
    assert scores(validations)[-1] < scores(validations)[0]


def test_two_processes_resume_as_one_that_went_on(two_ranks):
    longer = settings_of("plain").model_copy(update={"epochs": 4})
    history = train(TASKS["plain"](), longer)
    resumed = two_ranks[1][0]["resumed"]
    assert scores(resumed) == pytest.approx(scores(history.validations), abs=1e-4)


def test_the_number_of_processes_may_not_change(two_ranks):
    folder = RunFolder.open(two_ranks[0] / "plain")
    with pytest.raises(RunError, match="'processes' must be 2 as in the checkpoint"):
        train(TASKS["plain"](), settings_of("plain"), folder, resume=True)


def test_alone_everything_is_ones_own():
    assert current_shard() == Shard(0, 1)
    assert sum_over_ranks(1.5, 2) == (1.5, 2.0)


@pytest.mark.gpu
def test_a_gpu_learns_the_same_and_resumes(tmp_path):
    settings = settings_of("window").model_copy(update={"device": "cuda"})
    history = train(ToyTask(), settings)
    on_cpu = train(ToyTask(), settings_of("window"))
    assert scores(history.validations) == pytest.approx(
        scores(on_cpu.validations), abs=1e-3
    )
    folder = RunFolder.create(tmp_path / "run")
    train(ToyTask(), settings.model_copy(update={"max_steps": 25}), folder)
    resumed = train(ToyTask(), settings, folder, resume=True)
    assert scores(resumed.validations)[-1] == scores(history.validations)[-1]
