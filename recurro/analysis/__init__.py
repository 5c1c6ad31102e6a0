"""Analysis: why a recurrence is hard to train, shown on the user's own model."""

from recurro.analysis.jacobian import (
    Linearised,
    Pulled,
    jacobians,
    linearise,
    linearise_step,
)
from recurro.analysis.trajectory import Trajectory, trajectories

__all__ = [
    "Linearised",
    "Pulled",
    "Trajectory",
    "jacobians",
    "linearise",
    "linearise_step",
    "trajectories",
]
