"""What the test of two processes runs under ``torchrun``: trains, notes figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from recurro.train import RunFolder, TrainSettings, current_shard, train
from tests.train.toy import ToyTask


class Uneven(ToyTask):
    """The second rank runs out of data first."""

    def batches(self, epoch, shard):
        batches = list(super().batches(epoch, shard))
        return batches[: 12 if shard.rank else None]


def settings_of(name):
    values = {"epochs": 3, "k1": 10, "k2": 10, "optimizer": "sgd", "learning_rate": 0.5}
    more = {"window": {"k2": 20}, "accumulated": {"accumulate": 3}}
    return TrainSettings(**{**values, **more.get(name, {})}, device="cpu")


TASKS = {
    "plain": lambda: ToyTask(columns=4),
    "three columns": lambda: ToyTask(columns=3),  # two for one rank, one for the other
    "window": lambda: ToyTask(columns=4),
    "accumulated": lambda: ToyTask(columns=4),
    "uneven": lambda: Uneven(columns=4),
}


def main(out):
    torch.set_num_threads(1)
    shard, seen = current_shard(), {}
    for name, make in TASKS.items():
        task = make()
        if shard.rank:  # rank 0's weights must be given to all
            for parameter in task.network.parameters():
                parameter.data.mul_(2)
        folder = RunFolder.create(out / name)
        history = train(task, settings_of(name), folder)
        weights = torch.cat([p.detach().flatten() for p in task.network.parameters()])
        seen[name] = [history.validations, history.steps, history.items]
        seen[name].append(weights.tolist())
    longer = settings_of("plain").model_copy(update={"epochs": 4})
    history = train(
        TASKS["plain"](), longer, RunFolder.open(out / "plain"), resume=True
    )
    seen["resumed"] = history.validations
    (out / f"rank-{shard.rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
