"""The settings of the task that reads programs and writes what they print."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from recurro.data import Curriculum
from recurro.data.curriculum import Problem, Strategy
from recurro.errors import SettingError
from recurro.tasks.sequence_config import (
    RecurrentNetwork,
    SequenceTraining,
    TaskSettings,
)
from recurro.train import Settings

__all__ = ["ProgramData", "ProgramNetwork", "ProgramSettings", "ProgramTraining"]


class ProgramData(Settings):
    """Which programs are drawn.

    Attributes:
        problem: ``programs``, or ``addition`` of two numbers of as many digits.
        length: Digits of the numbers.
        nesting: Operations of a program; ``None`` for 2, or for 1 in addition.
        curriculum: In which order easy and hard ones come, see
            ``recurro.data.Curriculum``.
        reverse: Whether a program is read from its end to its beginning.
        double: Whether it is read twice.
        programs: How many are learnt from in a pass; they are drawn anew for each.
        chosen_on: How many the best pass is chosen on.
        tested_on: How many are tested on.
    """

    problem: Problem = "programs"
    length: int = Field(default=3, ge=1)
    nesting: int | None = Field(default=None, ge=1, le=25)
    curriculum: Strategy = "combined"
    reverse: bool = True
    double: bool = False
    programs: int = Field(default=20_000, ge=1)
    chosen_on: int = Field(default=1000, ge=1)
    tested_on: int = Field(default=2000, ge=1)

    @model_validator(mode="after")
    def _addition_has_no_nesting(self) -> ProgramData:
        if self.problem == "addition" and self.nesting not in (None, 1):
            raise SettingError(
                "ProgramData",
                "nesting",
                f"must be left out for addition, got {self.nesting}.",
            )
        return self

    def lessons(self) -> Curriculum:
        """What the programs are drawn by."""
        usual = 1 if self.problem == "addition" else 2
        return Curriculum(
            self.problem, self.length, self.nesting or usual, self.curriculum
        )


class ProgramNetwork(RecurrentNetwork):
    """What the network is made of.

    Attributes:
        bidirectional: A program is read in one direction, that of ``reverse``.
        embedding_size: Width of the embeddings of symbols.
        each_step: Whether what was read enters at each step of writing, and not only as
            the first state.
        beam_size: Answers that a search keeps; at 1 each symbol is the likeliest one.
    """

    hidden_size: int = Field(default=256, ge=1)
    bidirectional: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    embedding_size: int = Field(default=32, ge=1)  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    each_step: bool = True
    beam_size: int = Field(default=1, ge=1)


class ProgramTraining(SequenceTraining):
    """How the network is trained.

    Attributes:
        batch_size: Programs of an update.
    """

    batch_size: int = Field(default=128, ge=1)
    epochs: int = Field(default=40, ge=1)
    learning_rate: float = Field(default=0.003, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"


class ProgramSettings(TaskSettings):
    """All settings of a run that learns to execute programs.

    Example:
        >>> settings = ProgramSettings(task="execute", data={"problem": "addition"})
        >>> settings.data.lessons().stages
        ((1, 1), (2, 1), (3, 1))
    """

    task: Literal["execute"]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: ProgramData = ProgramData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: ProgramNetwork = ProgramNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: ProgramTraining = ProgramTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)

    @model_validator(mode="after")
    def _stages_change_between_passes(self) -> ProgramSettings:
        staged = self.data.curriculum in ("naive", "combined")
        if staged and self.train.validate_every is not None:
            raise SettingError(
                "ProgramTraining",
                "validate_every",
                f"must be left out for curriculum={self.data.curriculum!r}, whose "
                f"stages change between passes, got {self.train.validate_every}. Set "
                "programs to make passes shorter.",
            )
        return self
