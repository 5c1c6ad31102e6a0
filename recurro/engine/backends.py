"""Which backend runs a call: the named one, or under ``auto`` one by a fixed rule."""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import Literal

import torch

from recurro.engine import cpu, vendor
from recurro.engine.ir import Program
from recurro.engine.reference import Request
from recurro.errors import ArgumentError, BackendError

Backend = Literal["auto", "reference", "vendor", "cpu"]
BACKENDS = ("auto", "reference", "vendor", "cpu")

SHORT = 4
"""Runs of fewer steps are not worth the packing of the weights."""


def choose(
    request: Request, kernel: str | None, backend: Backend, return_states: bool
) -> str:
    """The backend that runs a call.

    ``auto`` is PyTorch's kernel where it can run the call; else rendered C for cells on
    the CPU, from four steps up; else the reference. It never looks at the clock, so the
    same call always goes the same way. Where the C cannot be built, one warning says
    why, and the reference runs. ``RECURRO_COMPILE=0`` in the environment keeps ``auto``
    from compiling.

    Args:
        request: The call.
        kernel: PyTorch's kernel for the program, or ``None``.
        backend: The name asked for.
        return_states: Whether the states of every step are wanted.

    Raises:
        ArgumentError: If there is no such backend.
        BackendError: If the named backend cannot run the call.
    """
    if backend not in BACKENDS:
        raise ArgumentError(
            f"run: backend must be one of {', '.join(BACKENDS)}, got {backend!r}."
        )
    if backend == "reference":
        return backend
    if backend in ("auto", "vendor"):
        reason = vendor.obstacle(request, kernel, return_states)
        if reason is None:
            return "vendor"
        if backend == "vendor":
            raise _refusal(backend, reason)
    reason = cpu.obstacle(request)
    if backend == "cpu":
        if reason is not None:
            raise _refusal(backend, reason)
        return backend
    worth = len(request.inputs[0]) >= SHORT and os.environ.get("RECURRO_COMPILE") != "0"
    if reason is None and worth and _builds(request.program, request.state[0].dtype):
        return "cpu"
    return "reference"


def _refusal(backend: str, reason: str) -> BackendError:
    return BackendError(
        f"run: backend={backend!r} must fit the call, but {reason}. Use backend='auto'."
    )


@cache
def _builds(program: Program, dtype: torch.dtype) -> bool:
    """Whether the kernels of a program can be built; says once why not."""
    try:
        for part in ("infer", "train", "backward"):
            cpu.compiled(program, dtype, part)
    except BackendError as error:
        _warn(str(error))
        return False
    return True


@cache
def _warn(why: str) -> None:
    warnings.warn(f"{why} The reference runs instead.", stacklevel=2)
