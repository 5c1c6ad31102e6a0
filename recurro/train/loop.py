"""The one training loop, for every task, on any device, stoppable at any moment.

An update takes ``k1 / min(k1, k2) * accumulate`` chunks. With L_r the summed loss and
n_r the number of items on rank r, the gradient is that of (sum L_r) / (sum n_r): one
exchange per update adds up gradients, losses and counts, so that the result is the one
of a single process with the whole batch. There is one device synchronisation per
update, which brings the loss and the gradient's size; then the step is clipped and
taken, or skipped as an explosion (see ``recurro.train.clip``). After an explosion the
carried state starts anew, since it may be what exploded.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from recurro.errors import DataError, RunError
from recurro.train.checkpoint import pack, unpack
from recurro.train.clip import Clipper, clip_, gradient_size
from recurro.train.devices import Devices, current_shard
from recurro.train.folder import RunFolder
from recurro.train.history import History, Position
from recurro.train.interrupts import Interrupts
from recurro.train.meter import Meter, Progress
from recurro.train.optim import (
    Average,
    learning_rate,
    make_optimizer,
    worse_than_before,
)
from recurro.train.randomness import (
    random_state,
    seed_everything,
    set_random_state,
    unchanged_randomness,
)
from recurro.train.settings import TrainSettings
from recurro.train.tbptt import Carry, tbptt
from recurro.types import Batch, Task

__all__ = ["train"]

_SHAPING = (
    *("optimizer", "momentum", "nesterov", "betas", "weight_decay"),
    *("average", "k1", "k2", "accumulate", "keep", "seed"),
)


def train(
    task: Task,
    settings: TrainSettings,
    folder: RunFolder | None = None,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> History:
    """Train a task's network in place.

    Ctrl-C finishes the step, writes a checkpoint and raises ``KeyboardInterrupt``. The
    global random state of the caller is left as it was.

    Args:
        task: What is learnt. Its batches must be the same each time they are asked
            for; they are also counted once beforehand, where they have no ``len``.
            ``task.network.constrain()``, where there is one, is called after each
            update.
        settings: How.
        folder: Where checkpoints, weights and metrics go; ``None`` keeps the weights
            in memory alone.
        resume: Whether to go on from the folder's checkpoint. Then the settings of the
            optimiser, k1, k2, accumulate, keep and seed must be as they were; the
            others may differ.
        progress: Whoever shows how it goes.

    Returns:
        What happened. The network holds the weights that ``settings.keep`` names.

    Raises:
        DivergenceError: After ten explosions in a row.
        RunError: If the folder cannot be written, holds no checkpoint to resume, or
            holds one and ``resume`` is not set.
        ConfigError: If the machine lacks the device asked for.
        DataError: If the task gives no batches.

    Example:
        >>> class Slope(torch.nn.Linear):
        ...     def forward(self, batch, state):
        ...         error = super().forward(batch.inputs) - batch.targets
        ...         return error.square().sum(), error.numel(), state
        >>> class Doubling:
        ...     network = Slope(1, 1)
        ...     def batches(self, epoch, shard):
        ...         x = torch.linspace(-1, 1, 8).view(8, 1, 1)
        ...         return [Batch(x, 2 * x)]
        ...     def validate(self, network):
        ...         return {"distance": abs(network.weight.item() - 2)}
        >>> history = train(Doubling(), TrainSettings(epochs=50, learning_rate=0.1))
        >>> history.steps, history.best < 0.1
        (50, True)
    """
    with Interrupts(patient=current_shard().world > 1) as interrupts, ExitStack() as on:
        devices = Devices(settings)
        on.enter_context(unchanged_randomness(devices.device))
        if folder is not None:
            on.enter_context(folder.held())
        run = _Run(task, settings, folder, devices, progress, interrupts)
        if resume:
            run.load()
        else:
            run.begin()
        return run.run()


class _Run:
    """A run in progress: what ``train`` holds in its hands."""

    def __init__(
        self,
        task: Task,
        settings: TrainSettings,
        folder: RunFolder | None,
        devices: Devices,
        progress: Progress | None,
        interrupts: Interrupts,
    ) -> None:
        self.task, self.settings, self.folder = task, settings, folder
        self.devices, self.progress, self.interrupts = devices, progress, interrupts
        self.network = task.network.to(devices.device)
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(self.parameters, settings)
        self.average = Average(self.parameters, settings.average or 1.0)
        if settings.average is not None:
            self.average.start()
        self.clipper = Clipper(settings.clip)
        truncation = tbptt(settings.k1, settings.k2)
        self.carry = Carry(truncation.window)
        self.chunk = truncation.chunk
        self.group = truncation.every * settings.accumulate
        self.at = Position()
        self.meter = Meter()
        self.saved_at = time.perf_counter()
        self.kept: dict[str, Tensor] | None = None  # the best, where there is no folder
        self.rate = settings.learning_rate
        self.size = math.nan  # of the last step's gradient
        self.constrain = getattr(self.network, "constrain", None)

    # Beginning and end.

    def begin(self) -> None:
        """Start from the task's weights."""
        if self.folder is not None and self.folder.trained:
            raise RunError(
                f"{self.folder.path}: must hold no run yet, got one with a checkpoint. "
                "Resume it, or make the folder anew with --overwrite (in Python, "
                "overwrite=True)."
            )
        seed_everything(self.settings.seed + self.devices.shard.rank)
        self.devices.share(self.network)
        self.at.per_pass = self.devices.broadcast(self._updates_per_pass())
        self.checkpoint()

    def _updates_per_pass(self) -> int:
        batches: Any = self.task.batches(0, self.devices.shard)
        if hasattr(batches, "__len__"):
            count = len(batches)
        else:
            limit = self.settings.max_steps
            count = sum(1 for _ in islice(batches, limit and limit * self.group))
        if count == 0:
            raise DataError(
                "train: the data must give at least one batch, got none. Give more "
                "data, or a smaller batch."
            )
        return math.ceil(count / self.group)

    @property
    def total(self) -> int:
        """Updates of the whole run, as far as is known."""
        total = self.settings.epochs * self.at.per_pass
        return min(total, self.settings.max_steps or total)

    def run(self) -> History:
        """Train to the end; leave the kept weights in the network."""
        self.network.train()
        begun_at = (self.at.step, self.at.validated)
        self._validate_if_due()
        while (reason := self._reason_to_stop()) is None:
            self._train_pass()
        if self.at.validated != self.at.step:
            self._validate()
        self.at.seconds = self.meter.seconds
        if (self.at.step, self.at.validated) != begun_at:
            self.checkpoint()
        self._leave_kept_weights()
        if self.interrupts.asked:  # too late for a step to heed it
            raise KeyboardInterrupt
        return self._history(reason)

    def _history(self, reason: str) -> History:
        at = self.at
        return History(
            at.step,
            at.epoch,
            at.items,
            at.seconds,
            self.clipper.explosions,
            at.best,
            at.best_step,
            at.validations,
            reason,
        )

    def _reason_to_stop(self) -> str | None:
        at, settings = self.at, self.settings
        if settings.patience is not None and at.waits >= settings.patience:
            return "patience"
        if at.epoch >= settings.epochs:
            return "epochs"
        if settings.max_steps is not None and at.step >= settings.max_steps:
            return "max_steps"
        if settings.max_seconds is not None and at.seconds >= settings.max_seconds:
            return "max_seconds"
        return None

    # A pass over the data.

    def _train_pass(self) -> None:
        """Train to the end of this pass, or until there is a reason to stop."""
        batches = self._batches()
        while self._reason_to_stop() is None:
            group = list(islice(batches, self.group))
            if not self._update(group):
                self.at.epoch, self.at.batch = self.at.epoch + 1, 0
                self._validate_if_due()
                return
            self._validate_if_due()

    def _batches(self) -> Iterator[Batch]:
        """What this pass still has to give, on the device."""
        batches: Iterable[Batch] = self.task.batches(self.at.epoch, self.devices.shard)
        rest = islice(batches, self.at.batch, None)
        if self.devices.device.type == "cpu":
            return iter(rest)
        return (batch.to(self.devices.device) for batch in rest)

    def _update(self, group: list[Batch]) -> bool:
        """Learn from a group of chunks; return whether any rank had one."""
        loss, count = self._backward(group)
        now = self.meter.seconds if self.devices.first else 0.0
        steps = sum(batch.inputs.shape[0] for batch in group)
        wishes = [self.interrupts.asked, self._save_due(), now]
        flags = [count, len(group), steps, *wishes]
        sums = self.devices.add_up(self.parameters, loss, flags)
        grads = [p.grad for p in self.parameters if p.grad is not None]
        norm = gradient_size(grads, self.settings.clip_mode).to(sums.device)
        total, *others, size = torch.cat([sums, norm]).tolist()  # the one sync
        count, chunks, steps, asked, save, now = others or flags
        if not chunks:
            return False
        self.at.batch += self.group
        self.at.seconds = now
        if count:
            self._set_rate(steps / (chunks * self.chunk))
            self._step(grads, total, int(count), size / count)
        for parameter in self.parameters:
            parameter.grad = None
        self._after_update(bool(asked), bool(save))
        return True

    def _backward(self, group: list[Batch]) -> tuple[Tensor, int]:
        """Add the group's gradients up; return its summed loss and its items."""
        loss, count = torch.zeros((), device=self.devices.device), 0
        for batch in group:
            with self.devices.autocast():
                part, items = self.carry.forward(self.network, batch)
            if items:
                part.backward()
                loss, count = loss + part.detach(), count + items
        return loss, count

    def _step(self, grads: list[Tensor], loss: float, count: int, size: float) -> None:
        """Clip and take the step, or skip it; ``size`` is of the mean gradient."""
        bound, self.size = self.clipper.bound(loss / count, size), size
        if bound is None:
            self.carry.reset()
            self._log("explosion", {"loss": loss / count, "gradient": size})
            return
        clip_(grads, self.settings.clip_mode, bound, size, 1 / count)
        self.optimizer.step()
        if self.constrain is not None:
            self.constrain()
        self.average.add()
        self.at.items += count
        self.meter.add(loss, count)

    def _set_rate(self, length: float) -> None:
        """Set the rate of this step; ``length`` is its chunks' over the usual one."""
        at, settings = self.at, self.settings
        self.rate = learning_rate(settings, at.step, self.total, at.divisions)
        if settings.scale_by_length:
            self.rate *= length
        for entry in self.optimizer.param_groups:
            entry["lr"] = self.rate

    def _after_update(self, asked: bool, save: bool) -> None:
        """Count the update, report, save, and give way to Ctrl-C."""
        self.at.step += 1
        if self.at.step % self.settings.log_every == 0:
            latest = {"learning_rate": self.rate, "gradient": self.size}
            self._log("train", {**self.meter.read(), **latest})
        if self.progress is not None and self.meter.may_show():
            self._show()
        steps = self.settings.checkpoint_steps
        if asked or save or (steps is not None and self.at.step % steps == 0):
            self.checkpoint()
        if asked:
            raise KeyboardInterrupt

    def _save_due(self) -> bool:
        after = self.settings.checkpoint_seconds
        if after is None or not self.devices.first:
            return False
        return time.perf_counter() - self.saved_at >= after

    # Reports.

    def _log(self, kind: str, figures: dict[str, Any]) -> None:
        if self.folder is not None and self.devices.first:
            at = self.at
            place = {"kind": kind, "step": at.step, "epoch": at.epoch}
            seconds = {"seconds": round(at.seconds, 3)}
            self.folder.log({**place, **figures, **seconds})

    def _show(self) -> None:
        if self.progress is not None and self.devices.first:
            last = self.at.validations[-1] if self.at.validations else {}
            scores = {key: value for key, value in last.items() if key != "step"}
            figures = {
                "epoch": self.at.epoch + (self.at.batch > 0),
                **self.meter.look(),
                "learning_rate": self.rate,
                "explosions": self.clipper.explosions,
            }
            self.progress.update(self.at.step, self.total, {**scores, **figures})

    # Validation.

    def _validate_if_due(self) -> None:
        at, every = self.at, self.settings.validate_every
        if every is None:
            due = at.batch == 0 and at.epoch > 0
        else:
            due = at.step > 0 and at.step % every == 0
        if due and at.validated != at.step:
            self._validate()

    def _validate(self) -> None:
        """Score the held-out part; keep, stop, divide and average by the outcome."""
        begun = time.perf_counter()
        try:
            with self.interrupts.at_once():
                scores = self.devices.broadcast(self._scores())
        except KeyboardInterrupt:
            self.checkpoint()  # resuming begins with this validation
            raise
        self.at.validated = self.at.step
        if scores:
            self._judge(scores)
            self._log("validation", scores)
        self.at.seconds = self.meter.seconds
        self.meter.pause(time.perf_counter() - begun)
        self._show()

    def _scores(self) -> dict[str, float]:
        self.network.eval()
        try:
            with (
                unchanged_randomness(self.devices.device),
                self._averaged(),
                torch.no_grad(),
                self.devices.autocast(),
            ):
                return dict(self.task.validate(self.network))
        finally:
            self.network.train()

    def _judge(self, scores: dict[str, float]) -> None:
        at, settings = self.at, self.settings
        score = next(iter(scores.values()))
        at.validations.append({"step": at.step, **scores})
        if score < (math.inf if at.best is None else at.best):
            at.best, at.best_step, at.waits, at.plateau = score, at.step, 0, 0
            if settings.keep == "best":
                self._keep()
        else:
            at.waits += 1
            at.plateau += 1
        if settings.schedule == "plateau" and at.plateau > settings.plateau_patience:
            at.divisions, at.plateau = at.divisions + 1, 0
        first = [
            next(v for k, v in past.items() if k != "step") for past in at.validations
        ]
        if (
            settings.optimizer == "asgd"
            and not self.average.running
            and worse_than_before(first, settings.nonmonotone)
        ):
            self.average.start()

    def _averaged(self) -> AbstractContextManager[None]:
        return self.average.swapped_in() if self.average.running else nullcontext()

    # Weights and checkpoints.

    def _keep(self) -> None:
        """Write today's weights, or their average, as those of the run."""
        if not self.devices.first:
            return
        with self._averaged():
            weights = self.network.state_dict()
            if self.folder is not None:
                self.folder.write_weights(weights)
            else:
                self.kept = {name: w.detach().clone() for name, w in weights.items()}

    def _leave_kept_weights(self) -> None:
        """End with the weights of the best validation, or with the last ones."""
        if self.settings.keep == "last" or self.at.best is None:
            self._keep()
        if self.devices.first:
            kept = self.folder.read_weights() if self.folder else self.kept
            self.network.load_state_dict(kept or {})
        self.devices.share(self.network)
        self.network.eval()

    def checkpoint(self) -> None:
        """Save all that the steps to come depend on."""
        if self.folder is None:
            return
        begun = time.perf_counter()
        mine = pack(self._state_of_rank())
        ranks = self.devices.gather(mine)
        if self.devices.first:
            if self.at.step and (self.settings.keep == "last" or self.at.best is None):
                self._keep()
            state = self._state()
            state["ranks"] = [
                torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in ranks
            ]
            self.folder.save(state)
        self.saved_at = time.perf_counter()
        self.meter.pause(self.saved_at - begun)

    def _state(self) -> dict[str, Any]:
        return {
            "shape": self._shape(),
            "position": asdict(self.at),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "clipper": self.clipper.state_dict(),
            "meter": self.meter.state_dict(),
        }

    def _shape(self) -> dict[str, Any]:
        """The settings that the saved state depends on."""
        shape = {name: getattr(self.settings, name) for name in _SHAPING}
        return {**shape, "processes": self.devices.shard.world}

    def _state_of_rank(self) -> dict[str, Any]:
        """What each process has of its own: carried state and random states."""
        randomness = random_state(self.devices.device)
        return {"carry": self.carry.state_dict(), "random": randomness}

    def load(self) -> None:
        """Go on from the folder's checkpoint."""
        if self.folder is None:
            raise RunError(
                "train: resume must come with a run folder, got none. Pass the folder."
            )
        state = self.folder.load()
        self._check_shape(state["shape"])
        try:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError):
            raise RunError(
                f"{self.folder.path}: the checkpoint must fit the network, got one of "
                "other parameters. Build the network from the folder's own config."
            ) from None
        self.average.load_state_dict(state["average"])
        self.clipper.load_state_dict(state["clipper"])
        self.at = Position(**state["position"])
        if self.settings.keep == "best" and self.at.best is not None:
            self.folder.read_weights()  # the best so far; without them no need to train
        self.at.per_pass = self.devices.broadcast(self._updates_per_pass())
        self.meter = Meter(**state["meter"])
        rank, device = self.devices.shard.rank, self.devices.device
        data = state["ranks"][rank].numpy().tobytes()
        mine = unpack(data, f"{self.folder.path}: rank {rank}")
        self.carry.load_state_dict(mine["carry"], device)
        set_random_state(mine["random"], device)
        self.folder.rewind()

    def _check_shape(self, saved: dict[str, Any]) -> None:
        for name, value in self._shape().items():
            if saved[name] != value:
                raise RunError(
                    f"resume: '{name}' must be {saved[name]!r} as in the checkpoint, "
                    f"got {value!r}. Set it back, or train anew in another folder."
                )
