"""Analysis: why a recurrence is hard to train, shown on the user's own model."""

from recurro.analysis.gates import SITUATIONS, Gate, gates, hand_set_lstm
from recurro.analysis.gradient_flow import GradientFlow, LayerFlow, gradient_flow
from recurro.analysis.jacobian import (
    Linearised,
    Pulled,
    jacobians,
    linearise,
    linearise_step,
)
from recurro.analysis.motion import Track, animate, locomotion
from recurro.analysis.pattern_generator import (
    Gait,
    PatternGenerator,
    salamander,
    salamander_of_neurons,
)
from recurro.analysis.spectrum import Spectrum, chain_spectrum, spectra, spectrum
from recurro.analysis.trajectory import Trajectory, trajectories

__all__ = [
    "SITUATIONS",
    "Gait",
    "Gate",
    "GradientFlow",
    "LayerFlow",
    "Linearised",
    "PatternGenerator",
    "Pulled",
    "Spectrum",
    "Track",
    "Trajectory",
    "animate",
    "chain_spectrum",
    "gates",
    "gradient_flow",
    "hand_set_lstm",
    "jacobians",
    "linearise",
    "linearise_step",
    "locomotion",
    "salamander",
    "salamander_of_neurons",
    "spectra",
    "spectrum",
    "trajectories",
]
