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
from symbolic._constants import Constant
from symbolic._declaration import Declaration
from symbolic._derivation import Derivation, derive, derive_components
from symbolic._errors import DeclarationError, NoCharge
from symbolic._exact.equality import compare, random_point
from symbolic._exact.functions import on_branches, relu, step
from symbolic._exact.intervals import NotEnclosed, enclose
from symbolic._file import load, loads
from symbolic._laws.broken import (
    Defect,
    DefectRange,
    broken_flow,
    defect,
    defect_over,
    orbit_shift,
)
from symbolic._laws.explicit_noise import (
    CovarianceFromMoments,
    explicit_equilibrium,
    explicit_flow,
    finite_covariance,
    gaussian_covariance,
    moments_covariance,
)
from symbolic._laws.ito import ItoProcess, sgd_process
from symbolic._laws.splitting import symmetric_part
from symbolic._loss import Loss
from symbolic._matrices.deep_balance import balanced_deep_net, deep_balance
from symbolic._matrices.derivation import MatrixDerivation, derive_matrices
from symbolic._matrices.flow import (
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
from symbolic._matrices.gaussian_flow import gaussian_flow, theorem2_gaussian
from symbolic._optimisers.law import DiscreteLaw
from symbolic._optimisers.linear import discrete_laws
from symbolic._orbits.balance import Equilibrium, generic_equilibrium, monotone
from symbolic._orbits.laws import (
    Characteristic,
    DegenerateCase,
    characteristic,
    degenerate_cases,
    equilibrium_gradient,
)
from symbolic._orbits.sharpness import OrbitTrace, hessian_trace_on_orbit
from symbolic._programs.features import FeatureProgram, feature_program
from symbolic._programs.of_loss import gradient_program, value_program
from symbolic._programs.program import Program, ProgramNode
from symbolic._space import ParameterSpace
from symbolic._stationary.balance import factor_balance, pair_law, product_balance
from symbolic._stationary.boundary import Boundary
from symbolic._stationary.data import DataConstants
from symbolic._stationary.elementary import elementary_logarithm
from symbolic._stationary.network import DiagonalNetwork, diagonal_network
from symbolic._stationary.phases import (
    PhaseBoundaries,
    cold_mode,
    deep_limit,
    modes,
    phase_boundaries,
)
from symbolic._stationary.reduction import network_loss, reduced_from_loss, reduced_sde
from symbolic._stationary.scalar import Identity, ScalarSDE, ZeroFluxDensity
from symbolic._steps import Step
from symbolic._symmetries.conditions import Condition, find_condition, find_conditions
from symbolic._symmetries.integrating_factor import (
    IntegratingFactor,
    NoFactor,
    integrating_factor,
)
from symbolic._symmetries.lie_algebra import LieAlgebra, bracket, lie_algebra
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict, Witness
from symbolic._words.calculus import differential, gradient, substitute
from symbolic._words.evaluation import (
    compare_polynomials,
    evaluate,
    random_instance,
)
from symbolic._words.moments import gaussian_mean, laplacian, second_moment
from symbolic._words.notation import latex
from symbolic._words.polynomial import (
    MatrixPolynomial,
    dot,
    identity,
    matrix,
    norm2,
    sample,
    scalar,
    zero,
)
from symbolic._words.rewriting import rewrite
from symbolic._words.text import text


__all__ = [
    "Boundary",
    "Characteristic",
    "Condition",
    "Constant",
    "CovarianceFromMoments",
    "DataConstants",
    "Declaration",
    "DeclarationError",
    "Defect",
    "DefectRange",
    "DegenerateCase",
    "Derivation",
    "DiagonalNetwork",
    "DiscreteLaw",
    "Equilibrium",
    "Factorisation",
    "FeatureProgram",
    "Finding",
    "Identity",
    "IntegratingFactor",
    "ItoProcess",
    "LieAlgebra",
    "Loss",
    "MatrixDerivation",
    "MatrixFlow",
    "MatrixPolynomial",
    "MatrixStep",
    "NoCharge",
    "NoFactor",
    "NotEnclosed",
    "OrbitTrace",
    "ParameterSpace",
    "PhaseBoundaries",
    "Program",
    "ProgramNode",
    "QuadraticCharge",
    "ScalarSDE",
    "Step",
    "Symmetry",
    "Verdict",
    "Witness",
    "ZeroFluxDensity",
    "any_symmetric",
    "balanced_deep_net",
    "bracket",
    "broken_flow",
    "catalogue",
    "characteristic",
    "cold_mode",
    "compare",
    "compare_polynomials",
    "deep_balance",
    "deep_limit",
    "defect",
    "defect_over",
    "degenerate_cases",
    "derive",
    "derive_components",
    "derive_matrices",
    "diagonal_network",
    "differential",
    "discrete_laws",
    "dot",
    "elementary_logarithm",
    "enclose",
    "equilibrium_gradient",
    "evaluate",
    "explicit_equilibrium",
    "explicit_flow",
    "factor_balance",
    "factorisation",
    "feature_program",
    "find_condition",
    "find_conditions",
    "finite_covariance",
    "gaussian_covariance",
    "gaussian_flow",
    "gaussian_mean",
    "generic_equilibrium",
    "gradient",
    "gradient_program",
    "hessian_trace",
    "hessian_trace_on_orbit",
    "identity",
    "integrating_factor",
    "laplacian",
    "latex",
    "lie_algebra",
    "linear_chain",
    "load",
    "loads",
    "low_rank",
    "matrix",
    "matrix_factorisation",
    "matrix_flow",
    "matrix_step",
    "modes",
    "moments_covariance",
    "monotone",
    "network_loss",
    "norm2",
    "on_branches",
    "orbit_shift",
    "pair_law",
    "phase_boundaries",
    "product_balance",
    "quadratic_charge",
    "random_instance",
    "random_point",
    "reduced_from_loss",
    "reduced_sde",
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
    "symmetric_part",
    "tanh_net",
    "text",
    "theorem2_gaussian",
    "value_program",
    "zero",
]
