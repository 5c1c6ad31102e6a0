"""What a training run may be told: one frozen object, checked when it is made."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recurro.errors import ConfigError

__all__ = ["Settings", "TrainSettings"]

Optimizer: TypeAlias = Literal["sgd", "adam", "adamw", "rmsprop", "rprop", "asgd"]


class Settings(BaseModel):
    """A frozen set of named values that refuses what it does not know.

    Raises:
        ConfigError: If a key is unknown (the nearest known one is named), or if a value
            is of the wrong kind or out of its range.

    Example:
        >>> class Size(Settings):
        ...     hidden_size: int = 128
        >>> Size(hidden_sise=64)
        Traceback (most recent call last):
        recurro.errors.ConfigError: Size: 'hidden_sise' is no key. Did you mean \
'hidden_size'?
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 (to be checked)
        """Check the values; see the class for what is raised."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(_sentence(type(self), error)) from None


def _sentence(owner: type[BaseModel], error: ValidationError) -> str:
    """The first fault of ``error`` in the project's form."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        near = get_close_matches(str(fault["loc"][-1]), owner.model_fields, n=1)
        known = f"Known: {', '.join(sorted(owner.model_fields))}."
        advice = f"Did you mean '{near[0]}'?" if near else known
        return f"{owner.__name__}: '{where}' is no key. {advice}"
    if fault["type"] == "value_error":  # raised by our own validators: a full sentence
        return fault["msg"].removeprefix("Value error, ")
    message = fault["msg"][0].lower() + fault["msg"][1:].replace("Input", "input")
    return f"{owner.__name__}: '{where}': {message}, got {fault['input']!r}."


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
        recurro.errors.ConfigError: TrainSettings: 'clip' must be a number above 0, \
'auto' or None, got 'never'. Leave it out for 1.0.
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
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda|cuda:\d+)$")

    @model_validator(mode="before")
    @classmethod
    def _read_clip(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Turn words and numbers in text, as a command line gives them, into values."""
        clip = values.get("clip", 1.0)
        if clip is None or clip == "auto":
            return values
        try:
            number = 0.0 if isinstance(clip, bool) else float(clip)
        except (TypeError, ValueError):
            number = 0.0
        if not 0.0 < number < float("inf"):
            raise ConfigError(
                f"{cls.__name__}: 'clip' must be a number above 0, 'auto' or None, "
                f"got {clip!r}. Leave it out for 1.0."
            )
        return {**values, "clip": number}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Refuse a setting that the others would leave without effect."""
        momentum = {"sgd", "rmsprop", "asgd"}
        rules = [
            (
                self.momentum > 0 and self.optimizer not in momentum,
                f"'momentum' must be 0 for {self.optimizer}, got {self.momentum}. "
                "Use sgd, rmsprop or asgd.",
            ),
            (
                self.nesterov
                and (self.momentum == 0 or self.optimizer not in {"sgd", "asgd"}),
                "'nesterov' must come with sgd or asgd and a momentum above 0, got "
                f"{self.optimizer} and {self.momentum}. Set both or leave it out.",
            ),
            (
                self.weight_decay > 0 and self.optimizer == "rprop",
                "'weight_decay' must be 0 for rprop, which reads only the gradient's "
                f"sign, got {self.weight_decay}. Leave it out.",
            ),
            (
                not all(0 <= beta < 1 for beta in self.betas),
                f"'betas' must lie in [0, 1), got {self.betas}. Use (0.9, 0.999).",
            ),
            (
                max(self.k1, self.k2) % min(self.k1, self.k2) != 0,
                f"'k2' must be a multiple or a divisor of k1, got k1={self.k1} and "
                f"k2={self.k2}. Make them equal for plain truncation.",
            ),
        ]
        for broken, sentence in rules:
            if broken:
                raise ConfigError(f"{type(self).__name__}: {sentence}")
        return self
