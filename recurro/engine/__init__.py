"""The engine: how a step runs over time."""

from recurro.engine.ir import Op, Program, verify
from recurro.engine.reference import HiddenClip
from recurro.engine.run import Recurrence, Result, recurrence, run
from recurro.engine.stream import Stream
from recurro.engine.structure import BlockDiagonal, Diagonal, Sparse, Structure
from recurro.engine.trace import trace

__all__ = [
    "BlockDiagonal",
    "Diagonal",
    "HiddenClip",
    "Op",
    "Program",
    "Recurrence",
    "Result",
    "Sparse",
    "Stream",
    "Structure",
    "recurrence",
    "run",
    "trace",
    "verify",
]
