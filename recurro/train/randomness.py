"""The random states that a task or a network may draw from, saved and put back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

__all__ = [
    "random_state",
    "seed_everything",
    "set_random_state",
    "unchanged_randomness",
]


def random_state(device: torch.device) -> dict[str, Any]:
    """The global random states of PyTorch, of its ``device``, of Python and of NumPy.

    Example:
        >>> state = random_state(torch.device("cpu"))
        >>> before = torch.rand(3)
        >>> set_random_state(state, torch.device("cpu"))
        >>> torch.equal(before, torch.rand(3))
        True
    """
    gpu = device.type == "cuda"
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 (a task may draw from it)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if gpu else None,
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.array(keys, np.int64)), *rest),
    }


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Go on from what ``random_state`` gave."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    keys = keys.numpy().astype(np.uint32)
    np.random.set_state((name, keys, *rest))  # noqa: NPY002 (a task may draw from it)


def seed_everything(seed: int) -> None:
    """Begin every global random state from ``seed``, at least 0.

    Example:
        >>> with unchanged_randomness(torch.device("cpu")):
        ...     seed_everything(1)
        ...     first = torch.rand(3)
        ...     seed_everything(1)
        ...     torch.equal(first, torch.rand(3))
        True
    """
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (a task may draw from it)


@contextmanager
def unchanged_randomness(device: torch.device) -> Iterator[None]:
    """Whatever is drawn inside, go on outside as if nothing had been."""
    before = random_state(device)
    try:
        yield
    finally:
        set_random_state(before, device)
