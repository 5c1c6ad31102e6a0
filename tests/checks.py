"""The type checker that the tests put on every function and class of the package."""

from __future__ import annotations

from collections.abc import Callable
from inspect import get_annotations
from typing import Any, NoReturn, Self, get_args, runtime_checkable

from beartype import BeartypeConf, FrozenDict, beartype

_beartype = beartype(
    conf=BeartypeConf(
        is_pep484_tower=True,  # an int passes for a float
        hint_overrides=FrozenDict({Self: Any}),  # it sees no class
    )
)


def check(checked: Callable[..., Any]) -> Callable[..., Any]:
    """The same function or class, with its arguments and results checked."""
    hints = get_annotations(checked)
    for hint in hints.values():
        _open_protocols(hint)
    # What never returns has nothing to check, and an operator of that kind is refused.
    return checked if hints.get("return") is NoReturn else _beartype(checked)


def _open_protocols(hint: Any) -> None:
    """Let isinstance look at the protocols of an annotation."""
    if getattr(hint, "_is_protocol", False):
        runtime_checkable(hint)
    for part in get_args(hint):
        _open_protocols(part)
