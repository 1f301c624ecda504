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
from symbolic._file import load
from symbolic._functions import on_branches, relu, step
from symbolic._intervals import NotEnclosed, enclose
from symbolic._ito import ItoProcess, sgd_process
from symbolic._loss import Loss
from symbolic._matrix_flow import (
    Factorisation,
    MatrixFlow,
    MatrixStep,
    QuadraticCharge,
    factorisation,
    hessian_trace,
    linear_chain,
    matrix_flow,
    matrix_step,
    quadratic_charge,
)
from symbolic._orbit import Equilibrium, monotone
from symbolic._space import ParameterSpace
from symbolic._symmetry import Symmetry
from symbolic._trace_calculus import differential, gradient, substitute
from symbolic._trace_evaluation import (
    compare_polynomials,
    evaluate,
    random_instance,
)
from symbolic._trace_moments import gaussian_mean, laplacian, second_moment
from symbolic._trace_notation import latex
from symbolic._trace_rewriting import rewrite
from symbolic._verdict import Finding, Verdict, Witness
from symbolic._words import (
    MatrixPolynomial,
    dot,
    identity,
    matrix,
    norm2,
    sample,
    scalar,
    zero,
)


__all__ = [
    "Declaration",
    "DeclarationError",
    "Derivation",
    "Equilibrium",
    "Factorisation",
    "Finding",
    "ItoProcess",
    "Loss",
    "MatrixFlow",
    "MatrixPolynomial",
    "MatrixStep",
    "NoCharge",
    "NotEnclosed",
    "ParameterSpace",
    "QuadraticCharge",
    "Step",
    "Symmetry",
    "Verdict",
    "Witness",
    "any_symmetric",
    "catalogue",
    "compare",
    "compare_polynomials",
    "derive",
    "differential",
    "dot",
    "enclose",
    "evaluate",
    "factorisation",
    "gaussian_mean",
    "gradient",
    "hessian_trace",
    "identity",
    "laplacian",
    "latex",
    "linear_chain",
    "load",
    "low_rank",
    "matrix",
    "matrix_factorisation",
    "matrix_flow",
    "matrix_step",
    "monotone",
    "norm2",
    "on_branches",
    "quadratic_charge",
    "random_instance",
    "random_point",
    "relu",
    "relu_neuron",
    "rescaling",
    "rewrite",
    "sample",
    "scalar",
    "scaling",
    "second_moment",
    "sgd_process",
    "step",
    "substitute",
    "symbolic_catalogue",
    "tanh_net",
    "zero",
]
