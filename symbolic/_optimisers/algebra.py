"""Steps linear in θ, m and g, and what they do to the states of a charge, any size.

The laws are kept in letters, with the term in g·J that a symmetry removes, so that one
proof with n free serves every J = Aθ + b, A = Aᵀ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, reduce

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._laws.ito import dot, eta, gamma
from symbolic._optimisers.law import Setting, is_quadratic, weakest
from symbolic._verdict import Finding
from symbolic._words.evaluation import compare_polynomials
from symbolic._words.polynomial import MatrixPolynomial, identity, matrix, scalar, zero


# These stand for vectors; a formula of an optimiser is written in them.
theta, m, g = sp.symbols("theta m g")
m_next = sp.Symbol("m'")
beta = sp.Symbol("beta", real=True)
_VECTORS = (theta, m, g)

C_, B_, M_, L_, P_ = STATE = sp.symbols("C B M L P", cls=sp.Dummy)
MAG, GAG, BG = DRIVE = sp.symbols("mAg gAg bg", cls=sp.Dummy)  # mᵀAg, …, b·g
ALONG, CONSTANT = sp.symbols("gJ C0", cls=sp.Dummy)  # g·J where g is taken, C(0)
OFFSET = (L_, P_, BG)

Combination = tuple[sp.Expr, sp.Expr, sp.Expr]  # coefficients of θ, m, g


@dataclass(frozen=True, slots=True)
class LinearOptimiser:
    """A step linear in θ, the momentum m and the minibatch gradient g.

    Attributes:
        name: its id.
        step: θ' in `theta`, `m`, `g` and `m'`.
        momentum: m' in `theta`, `m` and `g`; 0 where there is no momentum.
        gradient_at: where g is taken, `theta` plus a multiple of `m`.

    >>> heavy = LinearOptimiser("hb", theta - eta * m_next, beta * m + g)
    >>> heavy.moved[0]
    (1, -beta*eta, -eta)
    """

    name: str
    step: sp.Expr
    momentum: sp.Expr = sp.S.Zero
    gradient_at: sp.Expr = theta

    def __post_init__(self) -> None:
        if _coefficients(self.gradient_at)[::2] != (1, 0):
            raise DeclarationError(
                f"expected the gradient at theta plus a multiple of m, got "
                f"{self.gradient_at}"
            )
        uses_m = self.moved[0][1], self.moved[1][1], self.evaluated[1]
        if not self.has_momentum and any(uses_m):
            raise DeclarationError(
                f"expected a formula for m' in {self.name!r}, whose step uses m"
            )

    @property
    def has_momentum(self) -> bool:
        """Return whether there is an m."""
        return not self.momentum.is_zero

    @property
    def moved(self) -> tuple[Combination, Combination]:
        """Return θ' and m' by their coefficients of θ, m and g."""
        inserted = self.step.xreplace({m_next: self.momentum})
        return _coefficients(inserted), _coefficients(self.momentum)

    @property
    def evaluated(self) -> Combination:
        """Return the point where g is taken."""
        return _coefficients(self.gradient_at)

    @property
    def own_symbols(self) -> tuple[sp.Symbol, ...]:
        """Return the symbols of the formulas besides η, γ and the vectors."""
        formulas = (self.step, self.momentum, self.gradient_at)
        free = set().union(*(formula.free_symbols for formula in formulas))
        known = {*_VECTORS, m_next, eta, gamma}
        return tuple(sorted(free - known, key=lambda s: s.name))


def _coefficients(formula: sp.Expr) -> Combination:
    """Return the coefficients of θ, m and g of a vector formula.

    Raises:
        DeclarationError: where it is not linear in them, or has another vector.
    """
    try:
        poly = sp.Poly(formula, *_VECTORS)
    except sp.PolynomialError:
        poly = None
    linear = poly is not None and all(sum(degrees) == 1 for degrees in poly.monoms())
    if poly is None or not (linear or poly.is_zero) or formula.has(m_next):
        raise DeclarationError(
            f"expected a combination of theta, m and g with scalar coefficients, got "
            f"{formula}"
        )
    values = (poly.coeff_monomial(v) for v in _VECTORS)
    a, b, c = (sp.factor(value) for value in values)
    return a, b, c


@lru_cache(maxsize=64)
def letter_laws(optimiser: LinearOptimiser) -> Mapping[str, sp.Expr]:
    """Return C', B', M', L' and P' in letters, the term in g·J kept.

    C' = ½θ'ᵀAθ' + b·θ' + C(0), B' = J(θ')·m' and M' = m'ᵀAm' are bilinear in
    (θ', m'), so the values at pairs of θ, m and g give them.

    Args:
        optimiser: the step.

    Returns:
        Name → law in C, B, M, L, P, C(0), g·J and the drives mᵀAg, gᵀAg, b·g.
    """
    after, momentum = optimiser.moved
    of_field = ALONG - BG - optimiser.evaluated[1] * MAG  # gᵀAθ
    gram = {
        (0, 0): 2 * (C_ - CONSTANT - L_),
        (0, 1): B_ - P_,
        (0, 2): of_field,
        (1, 1): M_,
        (1, 2): MAG,
        (2, 2): GAG,
    }

    def form(x: Combination, y: Combination) -> sp.Expr:
        n = range(3)
        return sum(
            (x[i] * y[j] * gram[min(i, j), max(i, j)] for i in n for j in n), sp.S.Zero
        )

    def linear(x: Combination) -> sp.Expr:
        return dot(x, (L_, P_, BG))

    laws = {"C": form(after, after) / 2 + linear(after) + CONSTANT}
    if optimiser.has_momentum:
        laws["B"] = form(after, momentum) + linear(momentum)
        laws["M"] = form(momentum, momentum)
        laws["P"] = linear(momentum)
    laws["L"] = linear(after)
    return laws


@lru_cache(maxsize=64)
def any_size_law(optimiser: LinearOptimiser) -> Finding:
    """Decide the laws of an optimiser for every J = Aθ + b, A = Aᵀ, with n free.

    Args:
        optimiser: the step.

    Returns:
        PROVED at every n, or what was found instead.

    >>> heavy = LinearOptimiser("hb", theta - eta * m_next, beta * m + g)
    >>> any_size_law(heavy).verdict.name
    'PROVED'
    """
    column = {v: matrix(v.name, "n", 1) for v in _VECTORS}
    A, b = matrix("A", "n", "n", symmetric=True), matrix("b", "n", 1)
    constant = scalar("C0")
    t, v, x = column.values()

    def combined(parts: Combination) -> MatrixPolynomial:
        terms = (
            _polynomial(c, {}) * column[s] for c, s in zip(parts, _VECTORS, strict=True)
        )
        return reduce(MatrixPolynomial.__add__, terms, zero("n", 1))

    def states(
        at: MatrixPolynomial, momentum: MatrixPolynomial
    ) -> dict[str, MatrixPolynomial]:
        return {
            "C": Fraction(1, 2) * (at.T @ A @ at) + b.T @ at + constant,
            "B": at.T @ A @ momentum + b.T @ momentum,
            "M": momentum.T @ A @ momentum,
            "P": b.T @ momentum,
            "L": b.T @ at,
        }

    before = {s: states(t, v)[s.name] for s in STATE}
    before |= {MAG: v.T @ A @ x, GAG: x.T @ A @ x, BG: b.T @ x}
    at = combined(optimiser.evaluated)
    before |= {ALONG: x.T @ A @ at + b.T @ x, CONSTANT: constant}
    after = states(*(combined(part) for part in optimiser.moved))
    return weakest(
        compare_polynomials(after[name], _polynomial(law, before))
        for name, law in letter_laws(optimiser).items()
    )


def affine_proof(case: Setting, optimiser: LinearOptimiser) -> Finding:
    """Decide the laws of an optimiser for one charge: quadratic, and then any size."""
    return weakest([is_quadratic(case), any_size_law(optimiser)])


def _polynomial(
    law: sp.Expr, values: Mapping[sp.Symbol, MatrixPolynomial]
) -> MatrixPolynomial:
    """Return a polynomial with matrix polynomials for letters, scalars for others."""
    symbols = sorted(law.free_symbols, key=lambda s: s.name)
    if not symbols:
        return _number(law) * identity(1)
    total = zero(1, 1)
    for degrees, coefficient in sp.Poly(law, *symbols).terms():
        term = _number(coefficient) * identity(1)
        for symbol, degree in zip(symbols, degrees, strict=True):
            for _ in range(degree):
                term = term * values.get(symbol, scalar(symbol.name))
        total += term
    return total


def _number(value: sp.Rational) -> Fraction:
    return Fraction(int(value.p), int(value.q))
