"""Which backend runs a call: the named one, or under ``auto`` one by a fixed rule."""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import Literal

import torch

from recurro.engine import cpu, scan, vendor
from recurro.engine.constant import constant
from recurro.engine.gradients import Storage
from recurro.engine.ir import Program
from recurro.engine.reference import Request
from recurro.errors import ArgumentError, BackendError

Backend = Literal["auto", "reference", "vendor", "cpu", "scan"]
BACKENDS = ("auto", "reference", "vendor", "cpu", "scan")

SHORT = 4
"""Runs of fewer steps are not worth the packing of the weights."""

LONG = 16
"""Steps from which a scan is faster than the loop over them."""


def choose(
    request: Request, kernel: str | None, backend: Backend, return_states: bool
) -> str:
    """The backend that runs a call.

    ``auto`` takes rendered C from four steps up, else PyTorch's kernel. Where neither
    can run the call, it takes a scan for linear cells from sixteen steps up, and else
    the reference. It never looks at the clock, so the same call always goes the same
    way.
    Where the C cannot be built, one warning says why, and the next in line runs.
    ``RECURRO_COMPILE=0`` in the environment keeps ``auto`` from compiling.

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
    if backend != "auto":
        reason = (
            vendor.obstacle(request, kernel, return_states)
            if backend == "vendor"
            else (cpu if backend == "cpu" else scan).obstacle(request)
        )
        if reason is not None:
            raise BackendError(
                f"run: backend={backend!r} must fit the call, but {reason}. Use "
                "backend='auto'."
            )
        return backend
    vendor_runs = vendor.obstacle(request, kernel, return_states) is None
    worth = len(request.inputs[0]) >= SHORT and os.environ.get("RECURRO_COMPILE") != "0"
    if (
        worth
        and cpu.obstacle(request) is None
        and _builds(request.program, request.state[0].dtype, cpu.storage_of(request))
    ):
        return "cpu"
    if vendor_runs:
        return "vendor"
    long = len(request.inputs[0]) >= LONG
    return "scan" if long and scan.obstacle(request) is None else "reference"


@constant
@cache
def _builds(program: Program, dtype: torch.dtype, storage: Storage) -> bool:
    """Whether the kernels of a program can be built; says once why not."""
    try:
        for part in ("infer", "train", "backward"):
            cpu.compiled(program, dtype, storage, part)
    except BackendError as error:
        warn_once(str(error))
        return False
    return True


@cache
def warn_once(why: str) -> None:
    """Say why there is no C, at most once."""
    warnings.warn(f"{why} PyTorch runs it instead.", stacklevel=2)
