"""What a training run may be told: one frozen object, checked when it is made."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from recurro.errors import SettingError

__all__ = ["Settings", "TrainSettings"]

Optimizer: TypeAlias = Literal["sgd", "adam", "adamw", "rmsprop", "rprop", "asgd"]


class Settings(BaseModel):
    """A frozen set of named values that refuses what it does not know.

    Raises:
        SettingError: If a key is unknown (the nearest known one is named), or if a
            value is of the wrong kind or out of its range.

    Example:
        >>> class Size(Settings):
        ...     hidden_size: int = 128
        >>> Size(hidden_sise=64)
        Traceback (most recent call last):
        recurro.errors.SettingError: Size: 'hidden_sise' is no key. Did you mean \
'hidden_size'?
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 (to be checked)
        """Check the values; see the class for what is raised."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _refusal(type(self), error) from None


def _refusal(owner: type[BaseModel], error: ValidationError) -> SettingError:
    """The first fault of ``error`` in the project's form."""
    fault = error.errors()[0]
    context = fault.get("ctx", {})
    if isinstance(inner := context.get("error"), SettingError):
        return inner  # raised by our own validators
    key = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        return SettingError(owner.__name__, key, f"is no key. {_advice(owner, key)}")
    must = _MUST.get(fault["type"], "").format(**context)
    must = must or fault["msg"].replace("Input should be", "must be")
    came = fault["input"]
    known = re.findall("'(.*?)'", context.get("expected", ""))
    near = get_close_matches(str(came), known, n=1, cutoff=0.7)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return SettingError(owner.__name__, key, f"{must}, got {came!r}.{hint}")


def _advice(owner: type[BaseModel], key: str) -> str:
    """What may have been meant by a key that is none."""
    own = owner.model_fields
    inner = {
        name: f"{section}.{name}"
        for section, field in own.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
        for name in field.annotation.model_fields
    }
    for names in ({name: name for name in own}, inner):
        if near := get_close_matches(key, names, n=1, cutoff=0.7):
            return f"Did you mean '{names[near[0]]}'?"
    return f"Known: {', '.join(sorted(own))}."


_MUST = {
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "finite_number": "must be finite",
    "string_type": "must be a word",
    "model_type": "must be a section of settings",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
"""What must hold, by pydantic's name for a fault."""


class TrainSettings(Settings):
    """How a network is trained; the task and the network are described elsewhere.

    The run ends at whichever comes first of ``epochs``, ``max_steps``,
    ``max_seconds`` and ``patience``. A *step* is one update of the weights.

    Attributes:
        epochs: Passes over the data.
        max_steps: Updates, or ``None`` for no limit.
        max_seconds: Seconds of training and validation, or ``None`` for no limit.
        optimizer: ``asgd`` is the averaged SGD of AWD-LSTM: SGD that begins to average
            its weights once validation stops improving.
        learning_rate: The rate at the top of the schedule.
        momentum: For sgd, rmsprop and asgd, in [0, 1).
        nesterov: Whether the momentum of sgd and asgd looks ahead.
        betas: The two decay rates of adam and adamw, each in [0, 1).
        weight_decay: Added to the gradient as ``weight_decay * w`` (for adamw taken off
            the weight instead, times the rate), on every parameter, biases too.
        average: Decay d of a running mean of the weights, in (0, 1); the mean is what
            is scored and kept. Of n updates the last 1 / (1 - d) or so count, at most
            the last tenth. ``None`` for the weights themselves.
        nonmonotone: For asgd: averaging begins when validation is worse than the best
            of all but the last ``nonmonotone`` validations.
        schedule: ``constant``; ``cosine``, down to ``final_rate`` at the end of the
            run; ``plateau``, divided by ``plateau_factor`` after each run of more than
            ``plateau_patience`` validations without improvement.
        warmup_steps: Updates over which the rate grows linearly from 0.
        final_rate: The last rate of the cosine, as a share of ``learning_rate``.
        plateau_factor: What the rate is divided by, above 1.
        plateau_patience: Validations without improvement that are forgiven.
        scale_by_length: Whether the rate is multiplied by the chunk's steps over
            ``min(k1, k2)``: for chunks of random length, as in AWD-LSTM.
        clip: The largest gradient, ``auto``, or ``None``; see ``recurro.train.clip``.
        clip_mode: Whether ``clip`` bounds the norm of the whole gradient or the
            absolute value of each element.
        k1: Time steps between updates, for a state that is carried on.
        k2: Time steps that a gradient reaches back, a multiple or divisor of ``k1``.
        accumulate: Updates' worth of gradient that are added up before one is made.
        validate_every: Updates between validations; ``None`` for each end of a pass.
        patience: Validations without improvement after which the run stops, or
            ``None`` for never.
        keep: Which weights the run ends with: of the best validation, or the last.
        checkpoint_seconds: Seconds between checkpoints, or ``None`` for no such rule.
        checkpoint_steps: Updates between checkpoints, or ``None`` for no such rule.
        log_every: Updates between the lines of ``metrics.jsonl``.
        seed: The seed of what is random in training, at least 0.
        precision: ``32``, or ``bf16`` for products in bfloat16 under autocast.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:1``.

    Example:
        >>> TrainSettings(optimizer="adamw", weight_decay=0.01).learning_rate
        0.002
        >>> TrainSettings(clip="never")
        Traceback (most recent call last):
        recurro.errors.SettingError: TrainSettings: 'clip' must be a number above 0, \
auto or none, got 'never'. Leave it out for 1.0.
    """

    epochs: int = Field(10, ge=1)
    max_steps: int | None = Field(None, ge=1)
    max_seconds: float | None = Field(None, gt=0)
    optimizer: Optimizer = "adam"
    learning_rate: float = Field(0.002, gt=0, allow_inf_nan=False)
    momentum: float = Field(0.0, ge=0, lt=1)
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    average: float | None = Field(None, gt=0, lt=1)
    nonmonotone: int = Field(5, ge=1)
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    warmup_steps: int = Field(0, ge=0)
    final_rate: float = Field(0.0, ge=0, le=1)
    plateau_factor: float = Field(4.0, gt=1, allow_inf_nan=False)
    plateau_patience: int = Field(0, ge=0)
    scale_by_length: bool = False
    clip: float | Literal["auto"] | None = 1.0
    clip_mode: Literal["norm", "element"] = "norm"
    k1: int = Field(100, ge=1)
    k2: int = Field(100, ge=1)
    accumulate: int = Field(1, ge=1)
    validate_every: int | None = Field(None, ge=1)
    patience: int | None = Field(None, ge=1)
    keep: Literal["best", "last"] = "best"
    checkpoint_seconds: float | None = Field(120.0, gt=0)
    checkpoint_steps: int | None = Field(None, ge=1)
    log_every: int = Field(50, ge=1)
    seed: int = Field(0, ge=0)
    precision: Literal["32", "bf16"] = "32"
    device: str = "auto"

    @model_validator(mode="before")
    @classmethod
    def _read_clip(cls, values: object) -> object:
        """Turn words and numbers in text, as a command line gives them, into values."""
        if not isinstance(values, dict):
            return values
        clip = values.get("clip", 1.0)
        if clip in (None, "none"):
            return {**values, "clip": None}
        if clip == "auto":
            return values
        try:
            number = 0.0 if isinstance(clip, bool) else float(clip)
        except (TypeError, ValueError):
            number = 0.0
        if not 0.0 < number < float("inf"):
            raise SettingError(
                cls.__name__,
                "clip",
                f"must be a number above 0, auto or none, got {clip!r}. Leave it out "
                "for 1.0.",
            )
        return {**values, "clip": number}

    @field_validator("device")
    @classmethod
    def _name_a_device(cls, value: str) -> str:
        """Refuse what is the name of no device."""
        if not re.fullmatch(r"auto|cpu|cuda|cuda:\d+", value):
            raise SettingError(
                cls.__name__,
                "device",
                f"must be auto, cpu, cuda, or cuda:N for the GPU of number N, got "
                f"{value!r}.",
            )
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Refuse a setting that the others would leave without effect."""
        momentum = {"sgd", "rmsprop", "asgd"}
        rules = [
            (
                self.momentum > 0 and self.optimizer not in momentum,
                "momentum",
                f"must be 0 for {self.optimizer}, got {self.momentum}. "
                "Use sgd, rmsprop or asgd.",
            ),
            (
                self.nesterov
                and (self.momentum == 0 or self.optimizer not in {"sgd", "asgd"}),
                "nesterov",
                "must come with sgd or asgd and a momentum above 0, got "
                f"{self.optimizer} and {self.momentum}. Set both or leave it out.",
            ),
            (
                self.weight_decay > 0 and self.optimizer == "rprop",
                "weight_decay",
                "must be 0 for rprop, which reads only the gradient's "
                f"sign, got {self.weight_decay}. Leave it out.",
            ),
            (
                self.average is not None and self.optimizer == "asgd",
                "average",
                "must be left out for asgd, which averages by a rule of its own, got "
                f"{self.average}. Leave it out, or use another optimizer.",
            ),
            (
                not all(0 <= beta < 1 for beta in self.betas),
                "betas",
                f"must lie in [0, 1), got {self.betas}. Use (0.9, 0.999).",
            ),
            (
                max(self.k1, self.k2) % min(self.k1, self.k2) != 0,
                "k2",
                f"must be a multiple or a divisor of k1, got k1={self.k1} and "
                f"k2={self.k2}. Make them equal for plain truncation.",
            ),
        ]
        for broken, key, fault in rules:
            if broken:
                raise SettingError(type(self).__name__, key, fault)
        return self
