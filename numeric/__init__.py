"""Compile formulas to numpy and torch; noise equilibria and simulators."""

from numeric._certify import Certificate, Degeneracy, certify_equilibrium
from numeric._compile import Evaluators, compile
from numeric._equilibrium import noise_equilibrium
from numeric._errors import CompilationError, ShapeError
from numeric._linear_net import LinearNet, NoiseMatrices
from numeric._loss import LossEvaluator, compile_loss
from numeric._module import module_source
from numeric._relu_mlp import Backprop, NeuronForms, ReluMlp
from numeric._simulate import Simulation, simulate


__all__ = [
    "Backprop",
    "Certificate",
    "CompilationError",
    "Degeneracy",
    "Evaluators",
    "LinearNet",
    "LossEvaluator",
    "NeuronForms",
    "NoiseMatrices",
    "ReluMlp",
    "ShapeError",
    "Simulation",
    "certify_equilibrium",
    "compile",
    "compile_loss",
    "module_source",
    "noise_equilibrium",
    "simulate",
]
