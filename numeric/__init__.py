"""Compile formulas to numpy and torch; noise, equilibria and simulations.

What needs torch, or much of scipy, is imported when first used, so that others never
wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from numeric._balance.matrix import MatrixBalance, matrix_balance
from numeric._balance.moments import LinearNetMoments, linear_net_moments
from numeric._balance.orbit import OrbitMinimum, OrbitStatus, minimise_on_orbit
from numeric._balance.pair import NoBalanceError
from numeric._balance.polynomial import noise_function
from numeric._balance.stationary import StationaryBalance, stationary_balance
from numeric._balance.terms import OrbitTerm, decay_term, noise_term
from numeric._certify import Certificate, Degeneracy, certify_equilibrium
from numeric._compile import Evaluators, compile
from numeric._equilibria.many import Certificates, certify_equilibria
from numeric._equilibrium import noise_equilibrium
from numeric._errors import CompilationError, ShapeError
from numeric._linear_net import LinearNet, NoiseMatrices
from numeric._loss import LossEvaluator, compile_loss
from numeric._module import module_source
from numeric._moments import NoiseMoments, noise_moments
from numeric._relu_mlp import Backprop, NeuronForms, ReluMlp
from numeric._simulate import Simulation, simulate
from numeric._streams import Stream


if TYPE_CHECKING:
    from numeric._noise._builders import (
        matrix_rescaling,
        query_key,
        rescaling,
        scaling,
        value_output,
    )
    from numeric._noise._generator import Action, Generator
    from numeric._noise._matrix import NoiseMatrix, noise_matrix
    from numeric._noise._trace import NoiseTrace, noise_trace
    from numeric._stationary.density import StationaryDensity
    from numeric._stationary.moments import DataMoments
    from numeric._stationary.phases import PHASES, PhaseDiagram, phase_diagram
    from numeric._stationary.reduction import NoDensityError
    from numeric._torch_ensembles.model_loss import ModelLoss


__all__ = [
    "PHASES",
    "Action",
    "Backprop",
    "Certificate",
    "Certificates",
    "CompilationError",
    "DataMoments",
    "Degeneracy",
    "Evaluators",
    "Generator",
    "LinearNet",
    "LinearNetMoments",
    "LossEvaluator",
    "MatrixBalance",
    "ModelLoss",
    "NeuronForms",
    "NoBalanceError",
    "NoDensityError",
    "NoiseMatrices",
    "NoiseMatrix",
    "NoiseMoments",
    "NoiseTrace",
    "OrbitMinimum",
    "OrbitStatus",
    "OrbitTerm",
    "PhaseDiagram",
    "ReluMlp",
    "ShapeError",
    "Simulation",
    "StationaryBalance",
    "StationaryDensity",
    "Stream",
    "certify_equilibria",
    "certify_equilibrium",
    "compile",
    "compile_loss",
    "decay_term",
    "linear_net_moments",
    "matrix_balance",
    "matrix_rescaling",
    "minimise_on_orbit",
    "module_source",
    "noise_equilibrium",
    "noise_function",
    "noise_matrix",
    "noise_moments",
    "noise_term",
    "noise_trace",
    "phase_diagram",
    "query_key",
    "rescaling",
    "scaling",
    "simulate",
    "stationary_balance",
    "value_output",
]

_LATER = {
    **dict.fromkeys(("Action", "Generator"), "numeric._noise._generator"),
    **dict.fromkeys(
        ("matrix_rescaling", "query_key", "rescaling", "scaling", "value_output"),
        "numeric._noise._builders",
    ),
    **dict.fromkeys(("NoiseMatrix", "noise_matrix"), "numeric._noise._matrix"),
    **dict.fromkeys(("NoiseTrace", "noise_trace"), "numeric._noise._trace"),
    "DataMoments": "numeric._stationary.moments",
    "ModelLoss": "numeric._torch_ensembles.model_loss",
    "NoDensityError": "numeric._stationary.reduction",
    **dict.fromkeys(
        ("PHASES", "PhaseDiagram", "phase_diagram"), "numeric._stationary.phases"
    ),
    "StationaryDensity": "numeric._stationary.density",
}


def __getattr__(name: str) -> Any:
    """Import what is slow to import on first use.

    Args:
        name: a public name.

    Returns:
        The object, kept for the next use.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
