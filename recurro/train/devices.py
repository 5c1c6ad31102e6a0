"""Where training runs: device, precision and, under torchrun, the other processes."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist

from recurro.errors import SettingError
from recurro.train.settings import TrainSettings
from recurro.types import Shard

__all__ = ["Devices", "check_device", "current_shard", "sum_over_ranks"]

T = TypeVar("T")


def current_shard() -> Shard:
    """The part of the data that this process owns; all of it unless under torchrun.

    Example:
        >>> current_shard()
        Shard(rank=0, world=1)
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Shard()
    return Shard(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


def sum_over_ranks(*values: float) -> tuple[float, ...]:
    """Add each value up over all processes; in a single process they come back as is.

    For ``validate``: let each rank score its own shard, then divide the summed loss by
    the summed count.

    Example:
        >>> sum_over_ranks(12.0, 4)
        (12.0, 4.0)
    """
    if not (dist.is_available() and dist.is_initialized()):
        return tuple(float(value) for value in values)
    parts: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(parts, values)
    return tuple(float(sum(column)) for column in zip(*parts, strict=True))


def check_device(settings: TrainSettings) -> None:
    """Refuse a device that this machine lacks, before anything is made for the run.

    Raises:
        SettingError: If it lacks the device that the settings name.

    Example:
        >>> check_device(TrainSettings(device="cpu"))
    """
    local = _processes_here()
    kind, _, index = settings.device.partition(":")
    if index and current_shard().world > 1:
        raise SettingError(
            "TrainSettings",
            "device",
            f"must name no number under torchrun, got '{settings.device}'. Use cuda: "
            "each process takes its own GPU.",
        )
    there = torch.cuda.device_count()
    wants = kind == "cuda" or (kind == "auto" and there > 0)
    if wants and there < max(local, int(index or 0) + 1):
        many = f" for {local} processes" if local > 1 else ""
        raise SettingError(
            "TrainSettings",
            "device",
            f"must be on this machine, got '{settings.device}'{many}, with "
            f"{there or 'no'} GPU{'s' * (there > 1)} here. Use cpu"
            f"{' or fewer processes' if local > 1 else ' or auto'}.",
        )


def _processes_here() -> int:
    """How many processes of this run are on this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if current_shard().world > 1 else 1


class Devices:
    """This process's device and precision, and its sums with the other processes.

    Attributes:
        shard: Which part of the data this process owns.
        device: Where the network and its batches live.
    """

    def __init__(self, settings: TrainSettings) -> None:
        """Start Fabric; under torchrun this joins the other processes.

        Raises:
            SettingError: If the machine lacks the device that the settings name.
        """
        from lightning_fabric import Fabric

        check_device(settings)
        self.shard = current_shard()
        world, local = self.shard.world, _processes_here()
        kind, _, index = settings.device.partition(":")
        if kind == "auto":
            kind = "cuda" if torch.cuda.is_available() else "cpu"
        # Fabric announces precision and ranks on its logger; the run's output is ours.
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self._fabric = Fabric(
            accelerator=kind,
            devices=[int(index)] if index else local,
            num_nodes=world // local,
            strategy="ddp" if world > 1 else "auto",
            precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
        )
        self._fabric.launch()
        self.device = self._fabric.device

    @property
    def first(self) -> bool:
        """Whether this is rank 0."""
        return self.shard.rank == 0

    def autocast(self) -> AbstractContextManager[Any]:
        """The precision of the products inside."""
        return self._fabric.autocast()

    @torch.no_grad()
    def share(self, network: nn.Module) -> None:
        """Give every rank the parameters and buffers of rank 0."""
        if self.shard.world > 1:
            for tensor in network.state_dict().values():
                dist.broadcast(tensor, 0)

    def broadcast(self, value: T) -> T:
        """The value that rank 0 has."""
        if self.shard.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, 0)
        return box[0]

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, in order."""
        if self.shard.world == 1:
            return [value]
        values: list[Any] = [None] * self.shard.world
        dist.all_gather_object(values, value)
        return values

    @torch.no_grad()
    def add_up(
        self, parameters: Sequence[nn.Parameter], loss: Tensor, flags: list[float]
    ) -> Tensor:
        """Replace each gradient by its sum over the ranks, in one exchange.

        A gradient that a rank lacks counts as zero.

        Args:
            parameters: Those trained, in the same order on each rank.
            loss: The summed loss of this rank.
            flags: Further numbers to be summed on the way.

        Returns:
            The summed loss; and the sums of the flags, if there are other ranks.
        """
        if self.shard.world == 1:
            return loss.reshape(1)
        signals = torch.cat([loss.reshape(1), loss.new_tensor(flags)])
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([*(grad.reshape(-1) for grad in grads), signals])
        dist.all_reduce(flat)
        *parts, sums = flat.split([*(grad.numel() for grad in grads), len(signals)])
        for grad, part in zip(grads, parts, strict=True):
            grad.copy_(part.view_as(grad))
        return sums
