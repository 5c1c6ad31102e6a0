"""The settings of the tasks that read numbers from pictures, and paint pictures."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from recurro.errors import SettingError
from recurro.tasks.sequence_config import (
    ItemData,
    RecurrentNetwork,
    SequenceTraining,
    TaskSettings,
)

__all__ = ["Attention", "PaintSettings", "ReadSettings"]

Attention = Literal["soft", "reinforce"]


class ReadData(ItemData):
    """How pictures are varied in training; anew in each pass.

    Attributes:
        rotate: Degrees that a picture is turned by at most, to either side.
        stretch: By which share it is wider or higher at most, or less so.
        shift: Pixels that it is moved by at most, in each direction.
    """

    rotate: float = Field(default=8.0, ge=0, le=180)
    stretch: float = Field(default=0.1, ge=0, lt=1)
    shift: float = Field(default=2.0, ge=0, allow_inf_nan=False)


class SteppedNetwork(RecurrentNetwork):
    """A recurrence that is run step by step, since what it reads depends on its state.

    Masks that hold for a whole sequence have no meaning there and are refused.

    Attributes:
        dropout: Probability of dropping a unit between layers.
    """

    hidden_size: int = Field(default=128, ge=1)
    bidirectional: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)

    @model_validator(mode="before")
    @classmethod
    def _no_masks(cls, values: object) -> object:
        given: dict[str, Any] = values if isinstance(values, dict) else {}
        for key in ("recurrent_dropout", "zoneout", "weight_drop"):
            if given.get(key):
                raise SettingError(
                    cls.__name__,
                    key,
                    "must be left out, as the recurrence is run step by step, got "
                    f"{given[key]!r}.",
                )
        return values


class ReadNetwork(SteppedNetwork):
    """What reads a number from a picture.

    Attributes:
        attention: ``soft`` looks through a grid of Gaussian filters, learnt by
            gradients; ``reinforce`` at patches around a place, learnt by reward.
        glimpses: How many there are for each digit.
        patch: Side of what is seen in a glimpse, in pixels.
        scales: Of ``reinforce``: patches around a place, each twice as wide as the
            last.
        spread: Of ``reinforce``: deviation of the places that are tried in training,
            where 1 is half a picture.
        embedding_size: Width of the vector of a glimpse (``None``: ``hidden_size``).
        dropout: Probability of dropping a unit of the vector of a glimpse, or between
            layers.
    """

    attention: Attention = "soft"
    glimpses: int = Field(default=2, ge=1)
    patch: int = Field(default=8, ge=2)
    scales: int = Field(default=3, ge=1)
    spread: float = Field(default=0.1, gt=0, allow_inf_nan=False)


class ReadTraining(SequenceTraining):
    """How a reader is trained; as all that reads sequences, from other defaults."""

    batch_size: int = Field(default=128, ge=1)
    epochs: int = Field(default=50, ge=1)
    learning_rate: float = Field(default=0.003, gt=0, allow_inf_nan=False)
    average: float | None = Field(default=0.995, gt=0, lt=1)
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"


class ReadSettings(TaskSettings):
    """All settings of a run that reads numbers.

    Example:
        >>> ReadSettings(model={"attention": "reinforce"}).train.batch_size
        128
    """

    task: Literal["read"] = "read"  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: ReadData = ReadData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: ReadNetwork = ReadNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: ReadTraining = ReadTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)


class PaintData(ItemData):
    """What pixels are.

    Attributes:
        binary: Whether a pixel is ink from half of full ink on, and paper below; the
            figure is then a bound on a probability. If not, greys are painted.
    """

    binary: bool = True


class PaintSteps(SteppedNetwork):
    """What paints a picture.

    Attributes:
        steps: Strokes of a picture.
        latent: Numbers that say what a stroke is like.
        patch: Side of the grid that is looked through, and of a stroke.
        dropout: Probability of dropping a unit between layers.
        embedding_size: None; the recurrences read what is seen as it is.
    """

    embedding_size: None = None  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    steps: int = Field(default=8, ge=1)
    latent: int = Field(default=8, ge=1)
    patch: int = Field(default=5, ge=2)


class PaintTraining(SequenceTraining):
    """How a painter is trained; as all that reads sequences, from other defaults."""

    batch_size: int = Field(default=128, ge=1)
    epochs: int = Field(default=40, ge=1)
    learning_rate: float = Field(default=0.003, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"


class PaintSettings(TaskSettings):
    """All settings of a run that paints.

    Example:
        >>> PaintSettings(model={"steps": 4}).data.binary
        True
    """

    task: Literal["paint"] = "paint"  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: PaintData = PaintData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: PaintSteps = PaintSteps.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: PaintTraining = PaintTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
