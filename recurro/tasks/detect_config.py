"""The settings of a detector of anomalies in streams."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from recurro.data.calendar import Calendar
from recurro.data.series import Fill, Stamps
from recurro.tasks.sequence_config import (
    ItemData,
    RecurrentNetwork,
    SequenceTraining,
    TaskSettings,
)

__all__ = ["DetectData", "DetectNetwork", "DetectSettings", "DetectTraining"]


class DetectData(ItemData):
    """What is read, what of it is learnt from, and when there is an alert.

    Attributes:
        time: The column of the stamps in a table; ``None`` for the first one.
        target: The columns that are watched; none for all but those with another role.
        label: The column that is above 0 at known anomalies, which nothing is learnt
            from; ``None`` if there is none.
        stamps: Whether stamps must be ``even``, may be uneven but ``rising``, or are
            taken as they come (``any``).
        fill: What becomes of missing rows and numbers, see ``read_series``.
        encoding: The encoding of text files.
        calendar: The cycles that the network reads of stamps that are dates, if the
            part learnt from goes through them twice.
        probation: Share of a series, from its beginning, that is learnt from.
        held_out: Share of that, from its end, that the best epoch is chosen on and the
            usual size of errors is learnt from, in (0, 1).
        window: Steps that are learnt from at once.
        short: Steps whose errors are averaged, see ``RunningLikelihood``.
        memory: Steps that the usual size of errors is taken of, likewise.
        threshold: How unlikely errors must be for an alert, in (0, 0.5).
    """

    time: str | None = None
    target: tuple[str, ...] = ()
    label: str | None = None
    stamps: Stamps = "even"
    fill: Fill = "none"
    encoding: str = "utf-8"
    calendar: tuple[Calendar, ...] = ("hour", "weekday", "week")
    probation: float = Field(default=0.15, gt=0, le=1)
    held_out: float = Field(default=0.3, gt=0, lt=1)
    window: int = Field(default=96, ge=2)
    short: int = Field(default=10, ge=1)
    memory: int = Field(default=8000, ge=2)
    threshold: float = Field(default=1e-5, gt=0, lt=0.5)

    @field_validator("target", "calendar", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        """Take ``a,b`` for both, and nothing for none."""
        if isinstance(value, str):
            return [part for part in value.split(",") if part]
        return () if value is None else value


class DetectNetwork(RecurrentNetwork):
    """What the network is made of; it reads forward alone, as a stream goes.

    Attributes:
        bidirectional: No.
    """

    cell: dict[str, Any] = Field(default_factory=lambda: {"name": "GRU"})
    hidden_size: int = Field(default=32, ge=1)
    bidirectional: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    dropout: float = Field(default=0.1, ge=0, lt=1)


class DetectTraining(SequenceTraining):
    """How the network is trained.

    Attributes:
        batch_size: Windows of an update.
    """

    batch_size: int = Field(default=16, ge=1)
    epochs: int = Field(default=200, ge=1)
    max_steps: int | None = Field(default=400, ge=1)
    learning_rate: float = Field(default=0.003, gt=0, allow_inf_nan=False)


class DetectSettings(TaskSettings):
    """All settings of a detector.

    Example:
        >>> settings = DetectSettings(task="detect", data={"calendar": "hour"})
        >>> settings.data.calendar, settings.data.probation
        (('hour',), 0.15)
    """

    task: Literal["detect"]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: DetectData = DetectData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: DetectNetwork = DetectNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: DetectTraining = DetectTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
