"""The arguments of a model, made out of the settings of its task."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurro.cells import LSTM, Cell
from recurro.tasks.sequence_config import CHUNKED, TaskSettings, sections_of

__all__ = ["constructor"]


def constructor(
    kind: type[TaskSettings], without: Sequence[str], defaults: Mapping[str, Any]
) -> Callable[..., None]:
    """An ``__init__`` that stores its arguments, as scikit-learn wants it.

    They are ``cell``, the settings of all sections, ``out`` and ``overwrite``; its
    signature names each with its type and default, so that ``clone`` and ``help`` see
    them.

    Args:
        kind: The settings of the task.
        without: Settings that are no arguments: they concern files, or not the task.
        defaults: Of settings that have another here, and of what is no setting.

    Example:
        >>> from recurro.tasks.music import MusicSettings
        >>> init = constructor(MusicSettings, ["bidirectional"], {"step": 0.5})
        >>> list(inspect.signature(init).parameters)[:4]
        ['self', 'held_out', 'step', 'cell']
    """
    arguments = {
        parameter.name: parameter
        for parameter in _parameters(kind)
        if parameter.name not in without
    }
    for name, default in defaults.items():
        known = arguments.get(name, _parameter(name, Any, None))
        arguments[name] = known.replace(default=default)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([itself, *arguments.values()])

    def init(*args: Any, **given: Any) -> None:  # noqa: ANN401 (the arguments)
        bound = signature.bind(*args, **given)
        bound.apply_defaults()
        values = bound.arguments
        vars(values.pop("self")).update(values)

    init.__name__ = "__init__"
    vars(init)["__signature__"] = signature
    return init


def _parameters(kind: type[TaskSettings]) -> Iterator[inspect.Parameter]:
    """Each argument that a task can have, the data's first."""
    for section, settings in sections_of(kind).items():
        if section == "model":
            yield _parameter("cell", Cell, LSTM())
        for name, field in settings.model_fields.items():
            if name not in ("cell", "files", *CHUNKED):
                default = field.get_default(call_default_factory=True)
                yield _parameter(name, field.annotation, default)
    yield _parameter("out", str | Path | None, None)
    yield _parameter("overwrite", bool, default=False)


def _parameter(
    name: str,
    kind: Any,  # noqa: ANN401 (a type)
    default: Any,  # noqa: ANN401 (of it)
) -> inspect.Parameter:
    only = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, only, default=default, annotation=kind)
