"""Functions whose results torch.compile takes into its graph as constants."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def constant(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Let torch.compile call a function as it makes a graph, not look into it.

    What ``torch.compiler.assume_constant_result`` does, without its import of the
    compiler, and for functions with a cache too.

    Example:
        >>> from functools import cache
        >>> constant(cache(len))("four")
        4
    """

    @wraps(function)
    def ask(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        return function(*args, **kwargs)

    marked: Any = ask
    marked._dynamo_marked_constant = True
    return ask
