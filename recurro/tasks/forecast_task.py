"""Windows of series, as the training loop sees them, and what is forecast of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recurro.data import SeriesScaler, SeriesTable, Window
from recurro.nn import ForecastNetwork, quantile
from recurro.tasks.forecast_config import ForecastSettings
from recurro.tasks.forecast_reader import to_batch
from recurro.types import Batch, Shard

__all__ = ["ForecastTask", "Part", "Told", "calibrate", "draw", "tell"]

_ROWS = 256
"""Windows side by side, when they are read for their forecasts."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some windows of a table.

    Attributes:
        table: As a ``TableReader`` gives it.
        windows: The windows.
        scaler: The scaler of its series.
    """

    table: SeriesTable
    windows: Sequence[Window]
    scaler: SeriesScaler

    def some(self, most: int) -> Part:
        """At most so many of the windows, spread evenly."""
        count = min(most, len(self.windows))
        chosen = np.linspace(0, len(self.windows) - 1, count).round().astype(int)
        return Part(self.table, [self.windows[i] for i in chosen], self.scaler)

    @property
    def rows(self) -> np.ndarray:
        """The number of each window's series."""
        return np.array([window.series for window in self.windows])


@dataclass(frozen=True, eq=False)
class Told:
    """What is forecast of some windows, in units of each series.

    Attributes:
        mean: What is expected ``(windows, horizon, targets)``.
        quantiles: Those of the levels asked for, ``(levels, *shape of mean)``.
        spread: Half of what lies between the quantiles of a normal distribution's
            deviation to both sides, likewise; of a normal distribution, its deviation.
    """

    mean: np.ndarray
    quantiles: np.ndarray
    spread: np.ndarray


class ForecastTask:
    """Learn to forecast windows; a ``Task``.

    Args:
        network: What learns.
        train: What it learns from.
        valid: What choices are made on, or ``None`` to make none.
        settings: All settings of the run.
    """

    def __init__(
        self,
        network: ForecastNetwork,
        train: Part,
        valid: Part | None,
        settings: ForecastSettings,
    ) -> None:
        self.network: torch.nn.Module = network
        self.train, self.valid, self.settings = train, valid, settings

    def batches(self, epoch: int, shard: Shard) -> Iterable[Batch]:
        """The batches of a pass, shuffled anew for each, of nearly the same size."""
        settings = self.settings.train
        draw = np.random.default_rng([settings.seed, epoch])
        order = draw.permutation(len(self.train.windows))
        count = -(-len(order) // settings.batch_size)
        return _Pass(self, np.array_split(order, count), shard)

    def validate(self, network: torch.nn.Module) -> dict[str, float]:
        """Loss and errors of the part held out, in units of the training's spread."""
        assert isinstance(network, ForecastNetwork)
        if self.valid is None:
            return {}
        loss, squares, errors, count = 0.0, 0.0, 0.0, 0
        for batch, _ in _read(network, self.valid, self.settings):
            loss += float(network(batch)[0].double())
            error = (network.mean(batch) - batch.targets).double()
            squares += float(error.square().sum())
            errors += float(error.abs().sum())
            count += error.numel()
        return {"loss": loss / count, "mse": squares / count, "mae": errors / count}


@dataclass(frozen=True, eq=False)
class _Pass:
    """The batches of a pass, whose number is known without making them."""

    task: ForecastTask
    groups: list[np.ndarray]
    shard: Shard

    def __iter__(self) -> Iterator[Batch]:
        part, settings = self.task.train, self.task.settings
        for rows in self.groups:
            windows = [
                part.windows[i] for i in rows[self.shard.rank :: self.shard.world]
            ]
            yield to_batch(
                *(part.table, windows, part.scaler, settings.data),
                level=settings.model.level,
            )[0]

    def __len__(self) -> int:
        return len(self.groups)


@torch.no_grad()
def _read(
    network: ForecastNetwork, part: Part, settings: ForecastSettings
) -> Iterator[tuple[Batch, tuple[np.ndarray, np.ndarray]]]:
    """Windows by many, on the network's device; shift and scale of each.

    Shift and scale are ``(batch, 1, targets)``.
    """
    device = next(network.parameters()).device
    for start in range(0, len(part.windows), _ROWS):
        windows = part.windows[start : start + _ROWS]
        batch, cut = to_batch(
            *(part.table, windows, part.scaler, settings.data),
            level=settings.model.level,
        )
        yield batch.to(device), (cut.shift.swapaxes(0, 1), cut.scale.swapaxes(0, 1))


@torch.no_grad()
def tell(
    network: ForecastNetwork,
    part: Part,
    settings: ForecastSettings,
    levels: Sequence[float] = (),
) -> Told:
    """Forecast windows.

    Args:
        network: A network in evaluation mode.
        part: The windows.
        settings: All settings of the run.
        levels: Levels of quantiles that are wanted.
    """
    asked = (0.15865525, 0.84134475, *levels)
    means, quantiles = [], []
    for batch, (shift, scale) in _read(network, part, settings):
        law = network.distribution(batch)
        at = torch.stack([quantile(law, level) for level in asked])
        mean = network.mean(batch).double().cpu().numpy()
        means.append(mean * scale + shift)
        quantiles.append(at.double().cpu().numpy() * scale + shift)
    found = np.concatenate(quantiles, 1)
    return Told(np.concatenate(means), found[2:], (found[1] - found[0]) / 2)


@torch.no_grad()
def draw(
    network: ForecastNetwork,
    part: Part,
    settings: ForecastSettings,
    count: int,
    seed: int,
) -> np.ndarray:
    """Paths ``(count, windows, horizon, targets)`` in units of each series.

    Args:
        network: A network in evaluation mode.
        part: The windows.
        settings: All settings of the run.
        count: Paths of each window.
        seed: Equal seeds give equal paths.
    """
    generator = torch.Generator().manual_seed(seed)
    return np.concatenate(
        [
            network.sample(batch, count, generator).double().cpu().numpy() * scale
            + shift
            for batch, (shift, scale) in _read(network, part, settings)
        ],
        axis=1,
    )


@torch.no_grad()
def calibrate(network: ForecastNetwork, part: Part, settings: ForecastSettings) -> None:
    """Let a network learn from windows apart how it errs.

    Args:
        network: A trained network, in evaluation mode.
        part: The windows, best those held out.
        settings: All settings of the run.
    """
    found = [network.surprise(batch) for batch, _ in _read(network, part, settings)]
    network.calibrate(torch.cat(found))
