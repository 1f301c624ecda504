"""Declare symmetries and losses; derive charges, flows, exact laws and equilibria."""

from symbolic._catalogue import (
    any_symmetric,
    catalogue,
    low_rank,
    matrix_factorisation,
    relu_neuron,
    rescaling,
    scaling,
    symbolic_catalogue,
    tanh_net,
)
from symbolic._declaration import Declaration
from symbolic._derivation import Derivation, Step, derive
from symbolic._equality import compare, random_point
from symbolic._errors import DeclarationError, NoCharge
from symbolic._functions import on_branches, relu, step
from symbolic._intervals import NotEnclosed, enclose
from symbolic._ito import ItoProcess, sgd_process
from symbolic._loss import Loss
from symbolic._orbit import Equilibrium, monotone
from symbolic._space import ParameterSpace
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict, Witness


__all__ = [
    "Declaration",
    "DeclarationError",
    "Derivation",
    "Equilibrium",
    "Finding",
    "ItoProcess",
    "Loss",
    "NoCharge",
    "NotEnclosed",
    "ParameterSpace",
    "Step",
    "Symmetry",
    "Verdict",
    "Witness",
    "any_symmetric",
    "catalogue",
    "compare",
    "derive",
    "enclose",
    "low_rank",
    "matrix_factorisation",
    "monotone",
    "on_branches",
    "random_point",
    "relu",
    "relu_neuron",
    "rescaling",
    "scaling",
    "sgd_process",
    "step",
    "symbolic_catalogue",
    "tanh_net",
]
