"""Analysis: why a recurrence is hard to train, shown on the user's own model."""

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
from recurro.analysis.trajectory import Trajectory, trajectories

__all__ = [
    "Gait",
    "GradientFlow",
    "LayerFlow",
    "Linearised",
    "PatternGenerator",
    "Pulled",
    "Track",
    "Trajectory",
    "animate",
    "gradient_flow",
    "jacobians",
    "linearise",
    "linearise_step",
    "locomotion",
    "salamander",
    "salamander_of_neurons",
    "trajectories",
]
