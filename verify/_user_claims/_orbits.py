"""Points of an orbit: exact where the spectrum is rational, in balls elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import sympy as sp

from symbolic import Declaration, Symmetry
from verify._exact import Matrix, NotRational, apply
from verify._instances import Instance, law_of
from verify._jets import Number, ball


try:
    from flint import arb_mat, fmpq, fmpq_mat
except ImportError:
    _FLINT = False
else:
    _FLINT = True

Spectrum = tuple[int, tuple[tuple[int, Matrix], ...]]


@lru_cache(maxsize=256)
def integer_spectrum(declaration: Declaration) -> Spectrum | None:
    """Return n and the spectrum of nA, in integers, or None.

    Args:
        declaration: of an exponential symmetry; None for another kind.
    """
    symmetry = declaration.symmetry
    if symmetry.kind != "exponential" or symmetry.matrix is None:
        return None
    values = law_of(declaration).equilibrium.eigenvalues
    if not all(value.is_Rational for value in values):
        return None
    n = math.lcm(*(int(value.q) for value in values))
    faster = Symmetry.exponential(declaration.space, n * symmetry.matrix)
    whole = Declaration("", declaration.space, faster, declaration.loss)
    theta = (Fraction(0),) * declaration.space.size
    one = Fraction(1)
    projectors = Instance(whole, (), theta, one, one, 1).projectors()
    return None if projectors is None else (n, projectors)


def moved_exactly(instance: Instance, q: Fraction) -> tuple[Fraction, ...] | None:
    """Return the point of the orbit at e^λ = q, or at e^{λ/n}, where it is rational.

    Args:
        instance: what moves.
        q: a positive rational; larger is farther along the orbit.

    Returns:
        The point, or None.
    """
    found = integer_spectrum(instance.declaration)
    if found is None:
        return None
    parts = [
        [q**mu * entry for entry in apply(P, instance.theta)] for mu, P in found[1]
    ]
    return tuple(sum(column, Fraction(0)) for column in zip(*parts, strict=True))


def moved(instance: Instance, lam: Fraction) -> tuple[Number, ...]:
    """Return the point of the orbit of an affine J at λ, in balls.

    Args:
        instance: what moves.
        lam: a rational.

    Returns:
        exp(λ[[A, b], [0, 0]]) applied to (θ, 1).

    Raises:
        NotRational: for a nonlinear J, irrational entries, or without python-flint.
    """
    symmetry = instance.declaration.symmetry
    A = symmetry.matrix
    if A is None or not _FLINT:
        raise NotRational("orbits need J = Aθ + b, and python-flint")
    n, b = A.rows, symmetry.offset
    rows = [[_entry(lam, A[i, j]) for j in range(n)] for i in range(n)]
    rows = [[*row, _entry(lam, b[i])] for i, row in enumerate(rows)]
    rows.append([fmpq(0)] * (n + 1))
    flow = arb_mat(fmpq_mat(rows)).exp()
    ends: Sequence[Number] = [*map(ball, instance.theta), ball(Fraction(1))]
    return tuple(
        sum((flow[i, j] * ends[j] for j in range(n + 1)), ball(Fraction(0)))
        for i in range(n)
    )


def _entry(lam: Fraction, value: sp.Expr) -> Number:
    if not value.is_Rational:
        raise NotRational("the entries of A are not rational")
    scaled = lam * Fraction(int(value.p), int(value.q))
    return fmpq(scaled.numerator, scaled.denominator)
