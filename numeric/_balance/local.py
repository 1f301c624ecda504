"""Φ to second order about a point of an orbit, along geodesics P(t) = R e^{tX} Rᵀ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log1p, sqrt

import numpy as np
from numpy.typing import NDArray

from numeric._balance.terms import OrbitTerm, r_factor


_Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
NEAR = 0.5  # of the ratio below 1 that proves a minimum: rounding has the rest


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """Φ(t) along a geodesic is Σ c e^{μt}, c ≥ 0, with ω = max|μ| known from X.

    So |Φ'''| ≤ ωΦ'', and what holds to second order holds, damped, at any distance.

    Attributes:
        terms: the terms, moved to this point: left and right act on `factors`.
        value: Φ here.
        residual: max over i of ‖∇_iΦ‖/Tr S_i, S_i the sum of the terms' XXᵀ and XᵀX.
        step: Newton's X_i, symmetric; 0 along directions that leave Φ as it is. Far
            from a minimum it is damped by the residual (Levenberg, Marquardt), so as
            not to wander where Φ is all but flat.
        ratio: r = ω√δ/σ, δ the squared Newton decrement, σ² the least curvature that is
            not 0, ω the bound for unit X: below 1, a minimum exists.
        gap: upper bound on Φ − min Φ, infinite for r ≥ 1.
        distance: upper bound on the size of X that leads to it, likewise.
        free: number of independent X that leave Φ as it is.
    """

    terms: tuple[OrbitTerm, ...]
    value: float
    residual: float
    step: tuple[_Floats, ...]
    ratio: float
    gap: float
    distance: float
    free: int


def local_model(
    terms: Sequence[OrbitTerm], R: Sequence[_Floats], spread: float
) -> Local:
    """Return Φ to second order at P_i = R_iR_iᵀ.

    Args:
        terms: the terms of Φ.
        R: the point.
        spread: condition number of R, which rounding of the factors is magnified by.

    Returns:
        The model.
    """
    sizes = [len(each) for each in R]
    here = tuple(OrbitTerm(t.moved(R), t.left, t.right) for t in terms)
    value = float(sum((t.factors**2).sum() for t in here))
    gradient, total = _sums(here, sizes)
    weights = np.array([1 / np.trace(S) if S.any() else 0.0 for S in total])
    residual = max(
        float(np.linalg.norm(g)) * w for g, w in zip(gradient, weights, strict=True)
    )
    bases = [_basis(d) * sqrt(w or 1.0) for d, w in zip(sizes, weights, strict=True)]
    triangle = _triangle(here, bases)
    L, sigma, Q = np.linalg.svd(triangle[:-1, :-1])
    kept = sigma > 8 * len(sigma) * _EPS * spread * sigma.max(initial=0.0)
    along = L[:, kept].T @ triangle[:-1, -1]
    decrement = float(along @ along)
    least = float(sigma[kept].min(initial=inf))
    omega = sqrt(max((_slope(t, weights) for t in here), default=0.0))
    ratio = omega * sqrt(decrement) / least
    damping = 0.0 if ratio < NEAR else residual
    x = -Q[kept].T @ (along * sigma[kept] / (sigma[kept] ** 2 + damping))
    starts = np.cumsum([0, *(len(basis) for basis in bases)])
    step = tuple(
        np.einsum("p,pij->ij", x[a : a + len(basis)], basis)
        for a, basis in zip(starts, bases, strict=False)
    )
    gap, distance = _bounds(ratio, decrement, omega)
    return Local(here, value, residual, step, ratio, gap, distance, int((~kept).sum()))


def _slope(term: OrbitTerm, weights: _Floats) -> float:
    """Return the square of the bound on |μ| for X of unit size in scaled coordinates.

    A term μ = λ_a(X_left) − λ_b(X_right) is at most the sum of the two norms.
    """
    sides = (term.left, term.right)
    return float(sum(weights[side] for side in sides if side is not None))


def _bounds(r: float, decrement: float, omega: float) -> tuple[float, float]:
    """Return upper bounds on Φ − min Φ and on the distance to the minimum.

    Along a unit X, Φ' ≥ −√(δq) + q(1 − e^{−ωt})/ω with q = Φ''(0) ≥ σ². For r < 1 it
    is positive beyond t = −ln(1 − r)/ω, and Φ fell by at most δ(r + (1−r)ln(1−r))/r².
    """
    if not r < 1:
        return inf, inf
    if r < 1e-4:  # the series of both, where the closed forms cancel
        share, reach = 0.5 + r / 6 + r**2, r * (1 + r)
    else:
        share = (r + (1 - r) * log1p(-r)) / r**2
        reach = -log1p(-r)
    return decrement * share, reach / omega if omega else 0.0


def _sums(
    here: Sequence[OrbitTerm], sizes: Sequence[int]
) -> tuple[list[_Floats], list[_Floats]]:
    """Return ∇_iΦ and S_i, with the terms' XXᵀ and XᵀX subtracted and added."""
    gradient = [np.zeros((d, d)) for d in sizes]
    total = [np.zeros((d, d)) for d in sizes]
    for t in here:
        if t.left is not None:
            square = np.einsum("kij,klj->il", t.factors, t.factors)
            gradient[t.left] += square
            total[t.left] += square
        if t.right is not None:
            square = np.einsum("kji,kjl->il", t.factors, t.factors)
            gradient[t.right] -= square
            total[t.right] += square
    return gradient, total


def _basis(d: int) -> _Floats:
    """Return an orthonormal basis of the symmetric matrices, (d(d+1)/2, d, d)."""
    rows, cols = np.triu_indices(d)
    basis = np.zeros((len(rows), d, d))
    entry = np.where(rows == cols, 1.0, sqrt(0.5))
    numbers = np.arange(len(rows))
    basis[numbers, rows, cols] = entry
    basis[numbers, cols, rows] = entry
    return basis


def _triangle(here: Sequence[OrbitTerm], bases: Sequence[_Floats]) -> _Floats:
    """Return the triangular factor of [J, k]: k the factors, Jx = X_left k − k X_right.

    Then ∇Φ = Jᵀk and ∇²Φ = JᵀJ, so that Newton's step solves Jx = −k.
    """
    starts = np.cumsum([0, *(len(basis) for basis in bases)])
    width = int(starts[-1]) + 1
    result = np.zeros((width, width))
    for t in here:
        k, a, b = t.factors.shape
        rows = np.zeros((k * a * b, width))
        rows[:, -1] = t.factors.ravel()
        if t.left is not None:
            moved = np.einsum("pij,kjb->kibp", bases[t.left], t.factors)
            at = slice(starts[t.left], starts[t.left + 1])
            rows[:, at] += moved.reshape(k * a * b, -1)
        if t.right is not None:
            moved = np.einsum("kij,pjb->kibp", t.factors, bases[t.right])
            at = slice(starts[t.right], starts[t.right + 1])
            rows[:, at] -= moved.reshape(k * a * b, -1)
        result = r_factor(np.vstack([result, rows]))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Φ(t) = Σ c e^{μt} along R e^{tX} Rᵀ.

    Attributes:
        weights: c ≥ 0, shape (n,).
        rates: μ, shape (n,).
    """

    weights: _Floats
    rates: _Floats

    def least(self) -> float:
        """Return t > 0 near the least value, for Φ'(0) < 0; inf where it falls on.

        Damped Newton steps: with ω = max|μ|, the step ln(1 + ω|s|)/ω in the direction
        of s = −Φ'/Φ'' never goes so far that Φ rises.
        """
        omega = float(np.abs(self.rates).max(initial=0.0))
        if not omega * self.weights.sum():
            return 0.0
        t, furthest = 0.0, 40 / omega
        for _ in range(60):
            each = self.weights * np.exp(self.rates * t)
            slope = float(each @ self.rates)
            curvature = float(each @ self.rates**2)
            s = -slope / curvature
            move = (1 if s > 0 else -1) * log1p(omega * abs(s)) / omega
            t = min(t + move, furthest)
            if abs(move) * omega < 1e-3 or t == furthest:
                break
        return t


def line_along(model: Local, X: Sequence[_Floats]) -> Line:
    """Return Φ along the geodesic from the model's point.

    Args:
        model: the point.
        X: symmetric matrices.

    Returns:
        The sum of exponentials.
    """
    pairs = [np.linalg.eigh(each) for each in X]
    weights, rates = [np.zeros(0)], [np.zeros(0)]
    for t in model.terms:
        turned, rate = t.factors, np.zeros(t.factors.shape[1:])
        if t.left is not None:
            values, vectors = pairs[t.left]
            turned, rate = vectors.T @ turned, rate + values[:, None]
        if t.right is not None:
            values, vectors = pairs[t.right]
            turned, rate = turned @ vectors, rate - values
        weights.append((turned**2).sum(axis=0).ravel())
        rates.append(rate.ravel())
    return Line(np.concatenate(weights), np.concatenate(rates))


def spread_of(R: Sequence[_Floats]) -> float:
    """Return the largest ratio of singular values among the R_i.

    Args:
        R: invertible matrices.

    Returns:
        The condition number, infinite where one overflowed.
    """
    worst = 1.0
    for each in R:
        values = np.linalg.svd(each, compute_uv=False)
        worst = max(worst, float(values[0] / values[-1]) if values[-1] > 0 else inf)
    return worst


def log_reach(R: Sequence[_Floats]) -> float:
    """Return the largest |ln σ(R_i)|.

    Args:
        R: invertible matrices.

    Returns:
        How far P is from the identity, on the scale of logarithms, halved.
    """
    values = np.concatenate([np.linalg.svd(each, compute_uv=False) for each in R])
    return float(np.abs(np.log(values)).max()) if values.min() > 0 else inf
