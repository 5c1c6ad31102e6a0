"""The settings of forecasts: which columns, how far, with what network."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from recurro.data.calendar import Calendar
from recurro.data.series import Fill
from recurro.errors import SettingError
from recurro.tasks.sequence_config import (
    ItemData,
    RecurrentNetwork,
    SequenceTraining,
    TaskSettings,
)

__all__ = ["LEVELS", "ForecastData", "ForecastModel", "ForecastSettings", "HeadName"]

HeadName = Literal["point", "quantile", "normal", "student-t"]
"""A squared error; some quantiles; a normal distribution; one with heavy tails."""

LEVELS = tuple(round(0.05 * k, 2) for k in range(1, 20))
"""The levels of quantiles that are learnt where no others are named, and scored."""


class ForecastData(ItemData):
    """What is read, how far is forecast, and what is kept from training.

    Attributes:
        time: The column of the stamps, for files.
        id: The column that names the series, or ``None`` for one series.
        target: The columns to forecast.
        known: Columns known ahead, such as prices or the hour.
        past: Columns known up to now.
        static: Columns that do not change within a series.
        calendar: Cycles that the stamps themselves tell ahead: ``hour``, ``weekday``,
            ``month``; ``week`` and ``year`` for the time within them.
        fill: What becomes of missing rows and numbers: ``none`` for an error,
            ``previous``, ``linear``.
        stamps: ``even`` for equal steps, ``rising`` for steps that may differ.
        encoding: The encoding of text files.
        until: The last stamp that training reads, or ``None`` for all.
        returns: Whether targets are prices, of whose log returns in percent the
            volatility is forecast.
        horizon: Steps to forecast.
        history: Steps read, or ``None`` for four horizons.
        stride: Steps from one training window to the next.
        season_length: Steps in a season, for baselines and ``mase``; ``None`` for what
            the stamps suggest: a day, of days a week, of months a year.
        subtract_last: Whether the last value read is subtracted, so that changes are
            forecast; ``None`` for yes, but not with ``returns``.
        held_out: Share of each series, from its end, that choices are made on, in
            [0, 1).
    """

    time: str | None = None
    id: str | None = None
    target: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    calendar: tuple[Calendar, ...] = ()
    fill: Fill = "none"
    stamps: Literal["even", "rising"] = "even"
    encoding: str = "utf-8"
    until: str | int | None = None
    returns: bool = False
    horizon: int = Field(default=24, ge=1)
    history: int | None = Field(default=None, ge=1)
    stride: int = Field(default=1, ge=1)
    season_length: int | None = Field(default=None, ge=1)
    subtract_last: bool | None = None
    held_out: float = Field(default=0.2, ge=0, lt=1)

    @field_validator("target", "known", "past", "static", "calendar", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        """Take ``load`` for ``[load]``, and ``load,price`` for both."""
        return value.split(",") if isinstance(value, str) else value

    @property
    def steps(self) -> int:
        """Steps read."""
        return self.history or 4 * self.horizon

    @property
    def shifts(self) -> bool:
        """Whether the last value is subtracted."""
        return not self.returns if self.subtract_last is None else self.subtract_last


class ForecastModel(RecurrentNetwork):
    """What the network is made of.

    Attributes:
        head: ``point`` (a squared error), ``quantile``, ``normal`` or ``student-t``.
        levels: The levels of a quantile head, rising within (0, 1).
        linear: Whether a linear map of the window goes past the recurrence.
        level: Whether how far the last value lies from the training mean is read too.
    """

    cell: dict[str, Any] = Field(default_factory=lambda: {"name": "GRU"})
    bidirectional: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    embedding_size: None = None  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    hidden_size: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    head: HeadName = "normal"
    levels: tuple[float, ...] = LEVELS
    linear: bool = True
    level: bool = False

    @field_validator("levels", mode="before")
    @classmethod
    def _read_levels(cls, value: object) -> object:
        """Take ``0.1,0.5,0.9`` for the numbers."""
        return value.split(",") if isinstance(value, str) else value

    @model_validator(mode="after")
    def _agree(self) -> ForecastModel:
        rising = all(a < b for a, b in zip(self.levels, self.levels[1:], strict=False))
        if not (self.levels and rising and 0 < self.levels[0] <= self.levels[-1] < 1):
            raise SettingError(
                type(self).__name__,
                "levels",
                f"must rise within (0, 1), got {self.levels}. Write for instance "
                "0.1,0.5,0.9.",
            )
        return self


class ForecastTraining(SequenceTraining):
    """How the network is trained.

    Attributes:
        batch_size: Windows of an update.
    """

    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=0.001, gt=0, allow_inf_nan=False)
    patience: int | None = Field(default=3, ge=1)


class ForecastSettings(TaskSettings):
    """All settings of a run that forecasts series.

    Example:
        >>> settings = ForecastSettings(data={"horizon": 12, "target": "load,price"})
        >>> settings.data.steps, settings.data.target
        (48, ('load', 'price'))
    """

    task: Literal["forecast"] = "forecast"  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: ForecastData = ForecastData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: ForecastModel = ForecastModel.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: ForecastTraining = ForecastTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
