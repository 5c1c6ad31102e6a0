"""The settings of tasks that tell a class at each step of a sequence."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from recurro.errors import SettingError
from recurro.tasks.sequence_config import (
    ClassWeight,
    ItemData,
    RecurrentNetwork,
    TaskSettings,
    named_classes,
)

__all__ = ["StepNetworkSettings", "StepSettings"]


class StepNetworkSettings(RecurrentNetwork):
    """What tells a class at each step.

    Attributes:
        head: ``softmax`` tells each step for itself, ``crf`` all together, by which
            class follows which.
        class_weight: What the loss of each class is multiplied by, for ``softmax``:
            ``None`` for 1, ``balanced`` for steps / (classes * steps of the class), or
            a number by class.
    """

    head: Literal["softmax", "crf"] = "softmax"
    class_weight: ClassWeight = None

    _words_for_classes = field_validator("class_weight", mode="before")(named_classes)

    @model_validator(mode="after")
    def _chains_have_no_weights(self) -> StepNetworkSettings:
        if self.head == "crf" and self.class_weight is not None:
            raise SettingError(
                type(self).__name__,
                "class_weight",
                f"must be left out for a crf, which tells all steps together, got "
                f"{self.class_weight!r}. Use head=softmax.",
            )
        return self


class StepSettings(TaskSettings):
    """All settings of a run that tells a class at each step.

    Example:
        >>> StepSettings(task="label", model={"head": "crf"}).model.head
        'crf'
    """

    task: Literal["tag", "label"]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: ItemData = ItemData.model_validate({})
    model: StepNetworkSettings = StepNetworkSettings.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
