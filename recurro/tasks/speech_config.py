"""The settings of the task that reads speech."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from recurro.data import LogMel, Variation
from recurro.errors import ArgumentError, SettingError
from recurro.tasks.sequence_config import (
    ItemData,
    RecurrentNetwork,
    SequenceTraining,
    TaskSettings,
)

__all__ = ["SpeechData", "SpeechNetwork", "SpeechSettings", "SpeechTraining"]

FLOOR = 1e-7
"""The least energy of a band: that of a very quiet room, which silence then is like."""


class SpeechData(ItemData):
    """How recordings and texts are read, and how recordings are varied in training.

    Attributes:
        rate: Samples per second; recordings of more are resampled.
        bands: Mel bands, the features of a frame.
        window: Length of a frame in seconds.
        hop: From frame to frame, in seconds.
        stack: Frames that the recurrence reads in one step.
        tokens: What is named one after the other: each ``char`` or each ``word``.
        lower: Turn texts into lower case.
        join: How many recordings are joined to one example, drawn anew in each pass:
            a number, or the least and the greatest. Those that are held out are joined
            too, once.
        joint: What stands between their texts; ``None`` for a space, or nothing where
            each text is a single character.
        gap: The longest silence between two joined recordings, in seconds.
        speed: By which share a recording is faster or slower at most, in [0, 0.5].
        gain: How much louder or softer at most, in dB.
        noise: The least ratio of a recording to the noise that is added to every other
            one, in dB, up to 50; ``None`` for no noise.
        mask_bands: The most bands next to each other that are hidden at a time, twice
            in a recording.
        mask_time: The most seconds, likewise.
    """

    rate: int = Field(default=8000, ge=1)
    bands: int = Field(default=40, ge=1)
    window: float = Field(default=0.025, gt=0)
    hop: float = Field(default=0.010, gt=0)
    stack: int = Field(default=3, ge=1)
    tokens: Literal["char", "word"] = "char"
    lower: bool = False
    join: tuple[int, int] = (1, 1)
    joint: str | None = None
    gap: float = Field(default=0.3, ge=0)
    speed: float = Field(default=0.12, ge=0, le=0.5)
    gain: float = Field(default=6.0, ge=0)
    noise: float | None = Field(default=15.0, le=50)
    mask_bands: int = Field(default=8, ge=0)
    mask_time: float = Field(default=0.1, ge=0)

    @field_validator("join", mode="before")
    @classmethod
    def _one_or_two(cls, value: object) -> object:
        """Take 4 for (4, 4), and ``"2,4"`` for (2, 4)."""
        parts: Any = value.split(",") if isinstance(value, str) else value
        if isinstance(parts, int):
            parts = [parts]
        return (
            [*parts, *parts] if isinstance(parts, list) and len(parts) == 1 else parts
        )

    @model_validator(mode="after")
    def _joins_something(self) -> SpeechData:
        least, most = self.join
        if not 1 <= least <= most:
            raise SettingError(
                "SpeechData",
                "join",
                f"must be a number from 1, or the least and the greatest such as 2,4, "
                f"got {least},{most}.",
            )
        try:
            self.front  # noqa: B018 (refuses what does not fit)
        except ArgumentError as error:
            fault = str(error).removeprefix("LogMel: ")
            key = fault.split()[0] if fault.startswith(("window", "hop")) else "bands"
            raise SettingError("SpeechData", key, f"does not fit: {fault}") from None
        return self

    @property
    def front(self) -> LogMel:
        """What hears a recording.

        Raises:
            ArgumentError: If its settings do not fit each other.
        """
        return LogMel(*(self.rate, self.window, self.hop, self.bands), floor=FLOOR)

    @property
    def variation(self) -> Variation:
        """What varies recordings in training."""
        return Variation(self.rate, self.speed, self.gain, self.noise, self.gap)


class SpeechNetwork(RecurrentNetwork):
    """What hears speech, and how its texts are found.

    Attributes:
        beam_size: Prefixes that a beam search keeps; ``None`` takes the likeliest path,
            or keeps 16 where there is a language model.
        language_weight: How much a language model counts, where one is given.
        length_bonus: What a beam search adds to the score of a text for each token.
    """

    hidden_size: int = Field(default=128, ge=1)
    num_layers: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    beam_size: int | None = Field(default=None, ge=1)
    language_weight: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    length_bonus: float = Field(default=0.0, allow_inf_nan=False)


class SpeechTraining(SequenceTraining):
    """How it is trained; as all tasks of sequences, with other defaults."""

    batch_size: int = Field(default=16, ge=1)
    epochs: int = Field(default=60, ge=1)
    learning_rate: float = Field(default=0.003, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"
    warmup_steps: int = Field(default=50, ge=0)


class SpeechSettings(TaskSettings):
    """All settings of a run that transcribes speech.

    Example:
        >>> SpeechSettings(data={"join": 4}).data.join
        (4, 4)
    """

    task: Literal["transcribe"] = "transcribe"  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: SpeechData = SpeechData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: SpeechNetwork = SpeechNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: SpeechTraining = SpeechTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
