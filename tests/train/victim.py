"""What the tests kill: training runs in processes of their own, quick to start."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from recurro.train import RunFolder, TrainSettings, folder, train
from recurro.types import Batch
from tests.train.toy import ToyTask

CASES = {
    # a window of three chunks, dropout, a schedule, automatic clipping
    "adam": {
        "k1": 10,
        "k2": 30,
        "clip": "auto",
        "schedule": "cosine",
        "validate_every": 13,
    },
    # momentum, averages, division on a plateau, accumulation
    "asgd": {
        "optimizer": "asgd",
        "learning_rate": 0.3,
        "momentum": 0.5,
        "nonmonotone": 1,
        "schedule": "plateau",
        "k1": 20,
        "k2": 10,
        "validate_every": 3,
    },
    # a running mean of the weights
    "rprop": {
        "optimizer": "rprop",
        "average": 0.8,
        "k1": 10,
        "k2": 10,
        "keep": "last",
    },
}


class DrawingTask(ToyTask):
    """Draws from every global source of chance, and explodes now and then."""

    def __init__(self):
        super().__init__(columns=2, length=400, dropout=0.3)
        forward, self.calls = self.network.forward, 0

        def bumpy(batch, state):
            loss, count, state = forward(batch, state)
            if self.network.training and int(batch.inputs[:4].sum()) % 19 == 3:
                loss = loss * float("nan")
            if self.network.training:
                noise = random.random() + np.random.rand()  # noqa: NPY002
                loss = loss * (1 + noise)
            return loss, count, state

        self.network.forward = bumpy

    def batches(self, epoch, shard):
        shift = (epoch * 37) % 10
        for batch in super().batches(epoch, shard):
            size = len(batch.inputs) - shift % max(len(batch.inputs), 1)
            yield Batch(batch.inputs[:size], batch.targets[:size], fresh=batch.fresh)

    def validate(self, network):
        torch.rand(3)  # a score that draws must not disturb the training
        return super().validate(network)


def settings_of(case, **more):
    base = {"epochs": 6, "checkpoint_steps": 2, "log_every": 5, "seed": 3}
    return TrainSettings(**{**base, **CASES[case], **more})


class Ready:
    """Leaves a sign beside the run once the first step is done."""

    def __init__(self, path):
        self.path = path

    def update(self, step, total, fields):
        sign_of(self.path).touch()


def sign_of(path):
    return path.with_suffix(".ready")


def run(case, path, kill_at=None, **more):
    """Begin the run at ``path``, or go on with it; die at the given write."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # but for what train makes of it
    torch.set_num_threads(1)
    count = 0

    def counted(function):
        def wrapper(*arguments, **named):
            nonlocal count
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return wrapper

    folder.os.fsync = counted(os.fsync)
    Path.replace = counted(Path.replace)
    resume = (path / "state" / "checkpoint.safetensors").exists()
    begun = path.exists() and not resume
    there = RunFolder.open(path) if resume else RunFolder.create(path, overwrite=begun)
    with suppress(KeyboardInterrupt):
        settings = settings_of(case, **more)
        train(DrawingTask(), settings, there, resume=resume, progress=Ready(path))
        raise SystemExit(0)
    raise SystemExit(130)


_server = multiprocessing.get_context("forkserver")


def start(*arguments, **named):
    """Start ``run`` in a process forked from one that has imported torch already."""
    _server.set_forkserver_preload(["tests.train.victim", "lightning_fabric"])
    process = _server.Process(target=run, args=arguments, kwargs=named)
    process.start()
    return process
