"""What was found in one stack of cells."""

from __future__ import annotations

from dataclasses import dataclass

from recurro.analysis.fixed_points import FixedPoints
from recurro.analysis.gates import Gate
from recurro.analysis.gradient_flow import GradientFlow
from recurro.analysis.lyapunov import LyapunovSpectrum
from recurro.analysis.perturbation import Growth
from recurro.analysis.spectrum import Spectrum

__all__ = ["LayersView"]


@dataclass(frozen=True)
class LayersView:
    """One stack of cells in a network, as it is after training.

    Attributes:
        name: Its name in the network.
        cell: Its cell, as it is written in Python.
        steps: Steps of what it read.
        rows: Sequences that were looked at.
        flow: The gradient's way back.
        untrained: The same before training, or ``None`` where that is not known.
        spectra: Of its square recurrent matrices.
        chains: Of the mean Jacobian of each layer's steps; empty where the state has
            more than 2,000 numbers.
        gates: What its gates did.
        lyapunov: The largest Lyapunov exponents of each layer, driven by what it read;
            empty where the cell has further inputs.
        growth: What becomes of a perturbation of the first state; ``None`` there, and
            in both directions.
        fixed: Fixed points under the mean input, of a single layer of at most 64
            numbers; else ``None``.
    """

    name: str
    cell: str
    steps: int
    rows: int
    flow: GradientFlow
    untrained: GradientFlow | None
    spectra: tuple[Spectrum, ...]
    chains: tuple[Spectrum, ...]
    gates: tuple[Gate, ...]
    lyapunov: tuple[LyapunovSpectrum, ...] = ()
    growth: Growth | None = None
    fixed: FixedPoints | None = None
