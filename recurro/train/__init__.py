"""Training: one loop for every task, in a run folder that survives being killed."""

from __future__ import annotations

from recurro.train.devices import check_device, current_shard, sum_over_ranks
from recurro.train.folder import RunFolder
from recurro.train.history import History
from recurro.train.loop import train
from recurro.train.meter import Progress
from recurro.train.settings import Settings, TrainSettings
from recurro.train.tbptt import tbptt

__all__ = [
    "History",
    "Progress",
    "RunFolder",
    "Settings",
    "TrainSettings",
    "check_device",
    "current_shard",
    "sum_over_ranks",
    "tbptt",
    "train",
]
