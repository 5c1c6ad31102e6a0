"""What a network shall tell: numbers at each step, or classes as ones and zeros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurro.errors import DataError
from recurro.reservoir.series import as_series, is_one

__all__ = ["Form", "Targets", "class_targets", "nrmse", "number_targets"]


@dataclass(frozen=True)
class Form:
    """How targets are given, and so how outputs are.

    Attributes:
        width: Outputs.
        flat: Whether numbers are ``(time,)`` and not ``(time, 1)``.
        per_step: Whether each step has a label.
    """

    width: int
    flat: bool = False
    per_step: bool = False


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of some series.

    Attributes:
        numbers: Of each series ``(time, width)``; of a class for a whole series
            ``(1, width)``, as many ones and zeros as there are classes.
        labels: Of each series its label, or those of its steps; empty for numbers.
        form: How they are given.
    """

    numbers: list[np.ndarray]
    labels: list[np.ndarray]
    form: Form

    @property
    def width(self) -> int:
        """Outputs."""
        return self.form.width


def number_targets(Y: Any, dtype: str, width: int | None = None) -> Targets:  # noqa: ANN401
    """Targets of numbers.

    Args:
        Y: One series ``(time, outputs)`` or ``(time,)``, or many.
        dtype: Type of the numbers.
        width: Outputs that there must be, if that is known.

    Raises:
        DataError: If they are no finite numbers of one width.
    """
    first = Y if is_one(Y) else next(iter(Y), ())
    numbers = as_series("Y", Y, dtype, width)
    return Targets(numbers, [], Form(numbers[0].shape[1], flat=np.ndim(first) == 1))


def class_targets(
    Y: Any,  # noqa: ANN401 (to be checked)
    lengths: Sequence[int],
    classes: Sequence[Any] | np.ndarray | None,
    how: str,
    dtype: str,
) -> tuple[Targets, np.ndarray]:
    """Targets of labels, and the classes.

    Args:
        Y: For each series a label, or labels of its steps.
        lengths: Steps of each series.
        classes: All labels that there are, sorted; those of ``Y`` if not given.
        how: Whether a class is told from each ``step``, or from a whole series.
        dtype: Type of the numbers.

    Raises:
        DataError: If there are not as many labels, or one is none of the classes.
    """
    if len(Y) != len(lengths):
        raise DataError(
            f"Y: must have labels for each of {len(lengths)} series, got {len(Y)}."
        )
    labels = [np.asarray(label) for label in Y]
    per_step = labels[0].ndim > 0
    if per_step and how != "step":
        raise DataError(
            f"Y: must have one label for each series with classify={how!r}, got labels "
            "of steps. Use classify='step'."
        )
    for number, (label, steps) in enumerate(zip(labels, lengths, strict=True)):
        if label.shape != ((steps,) if per_step else ()):
            raise DataError(
                f"Y[{number}]: must be {'a label for each step' if per_step else ''}"
                f"{'' if per_step else 'a label'}, as Y[0], got {label.shape} for "
                f"{steps} steps."
            )
    every = np.concatenate([np.atleast_1d(label) for label in labels])
    classes = np.unique(every if classes is None else np.asarray(classes))
    if strange := sorted(set(every.tolist()) - set(classes.tolist()), key=str):
        raise DataError(
            f"Y: must hold classes of {classes.tolist()} alone, got {strange[0]!r}. "
            "Name all classes in the first partial_fit."
        )
    lengths = lengths if how == "step" else [1] * len(lengths)
    numbers = []
    for label, steps in zip(labels, lengths, strict=True):
        told = np.broadcast_to(np.atleast_1d(label), (steps,))
        numbers.append((told[:, None] == classes).astype(dtype))
    return Targets(numbers, labels, Form(len(classes), per_step=per_step)), classes


def nrmse(truth: np.ndarray, told: np.ndarray) -> float:
    """The root of the squared errors over the squared deviations from the mean.

    Of several columns the sums run over all; each has a mean of its own.

    Args:
        truth: What was to be told ``(steps, outputs)``.
        told: What was told, of the same shape.

    Example:
        >>> round(nrmse(np.array([[0.0], [2.0]]), np.array([[0.0], [1.0]])), 4)
        0.7071
    """
    error = float(np.square(told - truth).sum())
    spread = float(np.square(truth - truth.mean(0)).sum())
    return (error / spread) ** 0.5 if spread else (np.inf if error else 0.0)
