"""The engine: how a step runs over time."""

from recurro.engine.ir import Op, Program, verify
from recurro.engine.reference import HiddenClip
from recurro.engine.run import Recurrence, Result, recurrence, run
from recurro.engine.stream import Stream
from recurro.engine.trace import trace

__all__ = [
    "HiddenClip",
    "Op",
    "Program",
    "Recurrence",
    "Result",
    "Stream",
    "recurrence",
    "run",
    "trace",
    "verify",
]
