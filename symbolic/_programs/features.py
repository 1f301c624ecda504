"""Losses that are polynomials of the data: linear in monomials of them."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbolic._exact.atoms import number_of_terms
from symbolic._loss import Loss
from symbolic._programs.of_loss import component_inputs
from symbolic._programs.of_sympy import read_expression
from symbolic._programs.program import Builder, Program
from symbolic._programs.reverse import differentiated


MAX_FEATURES = 32
MAX_OPERATIONS = 400  # of the expression, and of what multiplying out makes of it
FEATURES = "features"  # the name of the program's data


@dataclass(frozen=True, slots=True)
class FeatureProgram:
    """A loss ℓ(θ, z) = Σ_k φ_k(z) c_k(θ) with monomials φ_k of the data.

    Its gradient is linear in φ, so that the mean gradient over any samples is the
    gradient at the mean of φ, and its noise that of φ.

    Attributes:
        program: the gradient over a minibatch; its data is a column φ, "features".
        exponents: for each φ_k the exponents of the loss's data symbols.
    """

    program: Program
    exponents: tuple[tuple[int, ...], ...]


def feature_program(loss: Loss) -> FeatureProgram | None:
    """Return a loss as linear in monomials of the data, where it is simple enough.

    Args:
        loss: the per-sample loss.

    Returns:
        The program, or None: for losses that are no polynomials of the data, that have
        too many monomials or are in words of matrices.

    >>> from symbolic import catalogue
    >>> loss = catalogue()[0].loss
    >>> loss.expression
    (u*w*x - y)**2
    >>> feature_program(loss).exponents
    ((2, 0), (1, 1))
    """
    if loss.is_matrix or not loss.data.symbols:
        return None
    size = max(number_of_terms(loss.expression), int(sp.count_ops(loss.expression)))
    if size > MAX_OPERATIONS:
        return None
    try:
        polynomial = sp.Poly(loss.expression, *loss.data.symbols)
    except sp.PolynomialError:
        return None
    theta = set(loss.space.symbols)
    terms = [(k, sp.factor_terms(c)) for k, c in polynomial.terms()]
    terms = [(k, c) for k, c in terms if c.free_symbols & theta]
    size = sum(int(sp.count_ops(c)) for _, c in terms)
    if not 0 < len(terms) <= MAX_FEATURES or size > MAX_OPERATIONS:
        return None
    build = Builder()
    parameters, symbols = component_inputs(build, loss)
    column = build.input("data", FEATURES, (len(terms), 1))
    value = build.number(0)
    for k, (_, coefficient) in enumerate(terms):
        share = read_expression(coefficient, symbols, build)
        value = build.add(value, build.times(build.entry(column, k, 0), share))
    program = differentiated(build, value, parameters, minibatch=True)
    return FeatureProgram(program, tuple(tuple(map(int, k)) for k, _ in terms))
