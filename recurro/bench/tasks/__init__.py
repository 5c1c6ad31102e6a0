"""What ``recurro bench tasks`` measures: one module per task, each with its cases."""

from __future__ import annotations

from collections.abc import Sequence

from recurro.bench.tasks import (
    caption,
    classify,
    detect,
    esn,
    execute,
    forecast,
    label,
    lm,
    music,
    paint,
    read,
    regress,
    strokes,
    tag,
    transcribe,
    translate,
)
from recurro.bench.tasks.case import Case, Found, Goal, TaskRow, measure
from recurro.errors import ArgumentError

__all__ = ["TASKS", "Case", "Found", "Goal", "TaskRow", "measure", "select_cases"]

TASKS: dict[str, tuple[Case, ...]] = {
    "caption": caption.CASES,
    "classify": classify.CASES,
    "detect": detect.CASES,
    "esn": esn.CASES,
    "execute": execute.CASES,
    "forecast": forecast.CASES,
    "label": label.CASES,
    "lm": lm.CASES,
    "music": music.CASES,
    "paint": paint.CASES,
    "read": read.CASES,
    "regress": regress.CASES,
    "strokes": strokes.CASES,
    "tag": tag.CASES,
    "transcribe": transcribe.CASES,
    "translate": translate.CASES,
}
"""The cases of each task, by the word of the task on the command line."""


def select_cases(names: Sequence[str] = ()) -> list[Case]:
    """The cases of some names; all without names.

    Args:
        names: Tasks (``classify``), or a task and a data set (``classify/sms-spam``).

    Raises:
        ArgumentError: If there is none of a name.

    Example:
        >>> [case.data for case in select_cases(["classify/sms-spam"])]
        ['sms-spam']
    """
    known = [case for cases in TASKS.values() for case in cases]
    for name in names:
        if not any(name in (case.task, case.name) for case in known):
            raise ArgumentError(
                f"bench tasks: task must be one of {', '.join(TASKS)}, or a task and "
                f"its data set ({known[0].name}), got {name!r}."
            )
    return [c for c in known if not names or c.task in names or c.name in names]
