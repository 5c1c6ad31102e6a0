"""Analysis: why a recurrence is hard to train, shown on the user's own model."""

from recurro.analysis.advice import Advice, advise
from recurro.analysis.bifurcation import BifurcationDiagram, bifurcation_diagram, scaled
from recurro.analysis.fixed_points import FixedPoints, fixed_points
from recurro.analysis.gates import SITUATIONS, Gate, gates, hand_set_lstm
from recurro.analysis.gradient_flow import GradientFlow, LayerFlow, gradient_flow
from recurro.analysis.inspection import Inspection, inspect
from recurro.analysis.jacobian import (
    Linearised,
    Pulled,
    jacobians,
    linearise,
    linearise_step,
)
from recurro.analysis.linear_system import LinearSystem, from_linear_system
from recurro.analysis.lyapunov import (
    LyapunovSpectrum,
    lyapunov_of_flow,
    lyapunov_spectrum,
)
from recurro.analysis.motion import Track, animate, locomotion
from recurro.analysis.pattern_generator import (
    Gait,
    PatternGenerator,
    salamander,
    salamander_of_neurons,
)
from recurro.analysis.perturbation import Growth, perturbation_growth
from recurro.analysis.spectrum import Spectrum, chain_spectrum, spectra, spectrum
from recurro.analysis.surface import (
    Descent,
    Surface,
    axis,
    descend,
    error_surface,
    pascanu_unit,
    random_axis,
)
from recurro.analysis.trajectory import Trajectory, trajectories
from recurro.analysis.view import LayersView

__all__ = [
    "SITUATIONS",
    "Advice",
    "BifurcationDiagram",
    "Descent",
    "FixedPoints",
    "Gait",
    "Gate",
    "GradientFlow",
    "Growth",
    "Inspection",
    "LayerFlow",
    "LayersView",
    "LinearSystem",
    "Linearised",
    "LyapunovSpectrum",
    "PatternGenerator",
    "Pulled",
    "Spectrum",
    "Surface",
    "Track",
    "Trajectory",
    "advise",
    "animate",
    "axis",
    "bifurcation_diagram",
    "chain_spectrum",
    "descend",
    "error_surface",
    "fixed_points",
    "from_linear_system",
    "gates",
    "gradient_flow",
    "hand_set_lstm",
    "inspect",
    "jacobians",
    "linearise",
    "linearise_step",
    "locomotion",
    "lyapunov_of_flow",
    "lyapunov_spectrum",
    "pascanu_unit",
    "perturbation_growth",
    "random_axis",
    "salamander",
    "salamander_of_neurons",
    "scaled",
    "spectra",
    "spectrum",
    "trajectories",
]
