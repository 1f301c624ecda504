"""The exact discrete law of the charge: no limit, no statistics (THEORY §3)."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbolic._exact.equality import compare
from symbolic._laws.ito import (
    batch,
    covariance_symbols,
    dot,
    eta,
    gamma,
    gradient_symbols,
)
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding


@dataclass(frozen=True, slots=True)
class ExactLaw:
    """C' after one step θ' = θ − η(g + 2γθ), for any minibatch gradient g of ℓ.

    Attributes:
        next_charge: C' in θ, `g_<a>`, η and γ.
        expectation: E[C' | θ] in θ, the mean gradient `gbar_<a>`, Σ, η, γ and S, for
            minibatches drawn with replacement; None where C is not quadratic.
        proof: the finding that next_charge equals C(θ') modulo g·J = 0.
    """

    next_charge: sp.Expr
    expectation: sp.Expr | None
    proof: Finding


def exact_law(symmetry: Symmetry, charge: sp.Expr) -> ExactLaw:
    """Derive the exact discrete law of C under SGD with weight decay.

    For J = Aθ it is C' = (1 − 2ηγ)²C + ½η²gᵀAg; for an affine J the offset adds
    terms; for any other charge it is C(θ') with the vanishing term −η g·J removed.

    Args:
        symmetry: the symmetry, with a charge.
        charge: C with ∇C = J.

    Returns:
        The law with its proof: C(θ') − C' is an explicit multiple of g·J.

    >>> from symbolic._space import ParameterSpace
    >>> s = Symmetry.exponential(ParameterSpace(u=(), w=()), [[1, 0], [0, -1]])
    >>> u, w = s.space.symbols
    >>> law = exact_law(s, (u**2 - w**2) / 2)
    >>> law.next_charge
    eta**2*(g_u**2/2 - g_w**2/2) + (u**2/2 - w**2/2)*(-2*eta*gamma + 1)**2
    >>> law.proof.verdict.name
    'PROVED'
    """
    space, theta = symmetry.space, symmetry.space.symbols
    g = gradient_symbols(space)
    kappa = 1 - 2 * eta * gamma
    moved = {s: s - eta * (gi + 2 * gamma * s) for s, gi in zip(theta, g, strict=True)}
    exact = charge.xreplace(moved)
    A, b = symmetry.matrix, symmetry.offset
    if A is None:
        law = exact + eta * dot(g, symmetry.generator)
        return ExactLaw(
            law, None, compare(exact - law, -eta * dot(g, symmetry.generator))
        )
    quadratic = sp.expand(dot(theta, A * sp.Matrix(theta)) / 2)
    noise = sp.expand(dot(g, A * sp.Matrix(g)) / 2)
    linear = kappa * dot(b, theta) - 2 * eta**2 * gamma * dot(b, g)
    law = kappa**2 * quadratic + linear + eta**2 * noise
    proof = compare(exact - law, -eta * kappa * dot(g, symmetry.generator))
    mean = gradient_symbols(space, "gbar")
    at_mean = law.xreplace(dict(zip(g, mean, strict=True)))
    spread = (A * covariance_symbols(space)).trace()
    expectation = at_mean + eta**2 * spread / (2 * batch)
    return ExactLaw(law, expectation, proof)
