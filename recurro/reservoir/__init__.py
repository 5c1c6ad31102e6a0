"""Networks whose recurrent weights are drawn, and of which only the readout learns.

Example:
    >>> import numpy as np
    >>> wave = np.sin(0.3 * np.arange(300))
    >>> model = EchoStateNetwork(50, random_state=0).fit(wave[:-1], wave[1:])
    >>> model.generate(5, wave[:200]).shape
    (5,)
"""

from __future__ import annotations

from recurro.reservoir.check import EchoStateCheck, check_echo_state
from recurro.reservoir.kernel import ReservoirKernel, items
from recurro.reservoir.network import EchoStateNetwork
from recurro.reservoir.online import (
    LeastMeanSquares,
    OnlineReadout,
    RecursiveLeastSquares,
)
from recurro.reservoir.readout import Ridge
from recurro.reservoir.saving import pack_network, unpack_network
from recurro.reservoir.search import Search, Trial, search

__all__ = [
    "EchoStateCheck",
    "EchoStateNetwork",
    "LeastMeanSquares",
    "OnlineReadout",
    "RecursiveLeastSquares",
    "ReservoirKernel",
    "Ridge",
    "Search",
    "Trial",
    "check_echo_state",
    "items",
    "pack_network",
    "search",
    "unpack_network",
]
