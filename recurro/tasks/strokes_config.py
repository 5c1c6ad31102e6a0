"""The settings of the task that models drawings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from recurro.tasks.sequence_config import (
    ItemData,
    RecurrentNetwork,
    SequenceTraining,
    TaskSettings,
)

__all__ = ["StrokeNetwork", "StrokeSettings", "StrokeTraining"]


class StrokeNetwork(RecurrentNetwork):
    """What the network is made of; it reads forward only.

    Attributes:
        mixtures: Gaussians of the mixture; with 0 the loss is a squared error.
        window: Gaussians of the soft window over the text that is written, moved by a
            layer of its own below the others; 0 for drawings without text.
    """

    hidden_size: int = Field(default=256, ge=1)
    bidirectional: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    mixtures: int = Field(default=20, ge=0)
    window: int = Field(default=0, ge=0)


class StrokeTraining(SequenceTraining):
    """How the network is trained.

    Attributes:
        batch_size: Drawings of an update.
    """

    batch_size: int = Field(default=50, ge=1)
    epochs: int = Field(default=20, ge=1)
    learning_rate: float = Field(default=0.005, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"


class StrokeSettings(TaskSettings):
    """All settings of a run that models drawings.

    Example:
        >>> StrokeSettings(task="strokes", model={"mixtures": 5}).train.batch_size
        50
    """

    task: Literal["strokes"]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: ItemData = ItemData.model_validate({})
    model: StrokeNetwork = StrokeNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: StrokeTraining = StrokeTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
