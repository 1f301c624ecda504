"""Rays along which Φ falls for ever: proof that an orbit has no least point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numeric._balance.terms import OrbitTerm, r_factor, sizes_of


_Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_PROMISING = 0.05  # share that grows, below which a ray's frame is worth turning
_TURNS = 5  # Gauss-Newton steps: each squares it
_GRIDS = (1, 2, 3, 4, 6, 12)  # the rays that matter have rational slopes


@dataclass(frozen=True, slots=True, eq=False)
class _Ray:
    """The ray P_i = Q_i e^{tΛ_i} Q_iᵀ, t ≥ 0.

    Attributes:
        values: the diagonals of Λ_i, in decreasing order.
        vectors: Q_i, orthogonal.
    """

    values: list[_Floats]
    vectors: list[_Floats]

    def turned(self, term: OrbitTerm) -> tuple[_Floats, _Floats]:
        """Return Q_leftᵀ X_k Q_right, and the rate at which each square grows."""
        factors, rates = term.factors, np.zeros(term.factors.shape[1:])
        if term.left is not None:
            factors = self.vectors[term.left].T @ factors
            rates = rates + self.values[term.left][:, None]
        if term.right is not None:
            factors = factors @ self.vectors[term.right]
            rates = rates - self.values[term.right]
        return factors, rates


def falling_ray(
    terms: Sequence[OrbitTerm], R: Sequence[_Floats], X: Sequence[_Floats]
) -> tuple[_Floats, ...] | None:
    """Return a direction along which Φ tends to a value that it takes nowhere.

    R e^{tX} Rᵀ is at a bounded distance from the ray Q e^{tΛ} Qᵀ from the identity,
    where RV = QT is the QR decomposition with the eigenvectors V of X in decreasing
    order of Λ. The eigenvalues are rounded to multiples of their largest over 1, 2, 3,
    …, the frame Q is turned against what little grows, and the ray so found is checked
    by itself, on the terms as they were given: no
    term grows beyond rounding, so that they have limits, and the limits have a greater
    stabiliser in GL(d₁) × …: they are not on the orbit. So the orbit is not closed, and
    Φ has no minimum on it (Kempf and Ness 1979).

    Args:
        terms: the terms of Φ.
        R: a point.
        X: symmetric matrices, the direction to look at.

    Returns:
        The direction QΛQᵀ at the identity; None where the check fails.
    """
    pairs = [np.linalg.eigh(each) for each in X]
    top = max(float(np.abs(values).max(initial=0.0)) for values, _ in pairs)
    if not top > 0:
        return None
    vectors = [
        np.linalg.qr(each @ V[:, ::-1])[0]
        for each, (_, V) in zip(R, pairs, strict=True)
    ]
    for grid in _GRIDS:
        values = [np.rint(grid * v[::-1] / top) for v, _ in pairs]
        ray = _Ray(values, vectors)
        if not _growth(terms, ray) <= _PROMISING:
            continue
        for _ in range(_TURNS):
            ray = _turned(terms, ray)
        limits = _limits(terms, ray)
        if limits is not None and stabiliser(limits) > stabiliser(terms):
            return tuple(
                (Q * each) @ Q.T for Q, each in zip(ray.vectors, values, strict=True)
            )
    return None


def _growth(terms: Sequence[OrbitTerm], ray: _Ray) -> float:
    """Return the largest share of a term's norm that grows along the ray."""
    worst = 0.0
    for term in terms:
        factors, rates = ray.turned(term)
        size = float(np.linalg.norm(factors))
        if size:
            worst = max(worst, float(np.linalg.norm(factors[:, rates > 0])) / size)
    return worst


def _turned(terms: Sequence[OrbitTerm], ray: _Ray) -> _Ray:
    """Return the ray after a Gauss-Newton step of its frame against what grows.

    Q_i → Q_i e^{S_i}, S_i antisymmetric, moves the factors by TS_right − S_leftT.
    """
    skew = []
    for Q in ray.vectors:
        rows, cols = np.triu_indices(len(Q), 1)
        numbers = np.arange(len(rows))
        basis = np.zeros((len(rows), *Q.shape))
        basis[numbers, rows, cols], basis[numbers, cols, rows] = 1.0, -1.0
        skew.append(basis)
    starts = np.cumsum([0, *(len(basis) for basis in skew)])
    slopes, heights = [np.zeros((0, int(starts[-1])))], [np.zeros(0)]
    for term in terms:
        factors, rates = ray.turned(term)
        size = float(np.linalg.norm(factors)) or 1.0
        moved = np.zeros((*factors.shape, int(starts[-1])))
        if term.left is not None:
            at = slice(starts[term.left], starts[term.left + 1])
            moved[..., at] -= np.einsum("pij,kjb->kibp", skew[term.left], factors)
        if term.right is not None:
            at = slice(starts[term.right], starts[term.right + 1])
            moved[..., at] += np.einsum("kij,pjb->kibp", factors, skew[term.right])
        slopes.append(moved[:, rates > 0].reshape(-1, int(starts[-1])) / size)
        heights.append(factors[:, rates > 0].ravel() / size)
    rows, height = np.concatenate(slopes), np.concatenate(heights)
    step = np.linalg.lstsq(rows, -height, rcond=1e-8)[0]
    vectors = []
    for i, (Q, basis) in enumerate(zip(ray.vectors, skew, strict=True)):
        S = np.tensordot(step[starts[i] : starts[i + 1]], basis, axes=1)
        half, unit = 0.5 * S, np.eye(len(Q))
        vectors.append(Q @ np.linalg.solve(unit - half, unit + half))
    return _Ray(ray.values, vectors)


def _limits(terms: Sequence[OrbitTerm], ray: _Ray) -> list[OrbitTerm] | None:
    """Return the terms at the end of the ray, in its frame; None where one grows."""
    result, falls = [], False
    for term in terms:
        factors, rates = ray.turned(term)
        floor = 16 * sum(factors.shape[1:]) * _EPS * float(np.linalg.norm(factors))
        if np.linalg.norm(factors[:, rates > 0]) > floor:
            return None
        falls |= float(np.linalg.norm(factors[:, rates < 0])) > floor
        kept = np.where(rates == 0, factors, 0.0)
        result.append(OrbitTerm(kept, term.left, term.right))
    return result if falls else None


def stabiliser(terms: Sequence[OrbitTerm], spread: float = 1.0) -> int:
    """Return the dimension of {Y : Y_leftᵀX_k = X_kY_rightᵀ for all terms and k}.

    Args:
        terms: the terms, as they are at some point of the orbit.
        spread: how much rounding of their factors was magnified on the way there.

    Returns:
        The number of one-parameter groups that leave the factors as they are, the same
        all over an orbit and greater on the rest of its closure.
    """
    sizes = dict(enumerate(sizes_of(terms)))
    starts = np.cumsum([0, *(d**2 for d in sizes.values())])
    width = int(starts[-1])
    stacked = np.zeros((0, width))
    for t in terms:
        size = float(np.linalg.norm(t.factors))
        if not size:
            continue
        shape, unit = t.factors.shape, t.factors / size
        rows = np.zeros((*shape, width))
        if t.left is not None:
            moved = np.einsum("qi,kpj->kijpq", np.eye(sizes[t.left]), unit)
            at = slice(starts[t.left], starts[t.left + 1])
            rows[..., at] += moved.reshape(*shape, -1)
        if t.right is not None:
            moved = np.einsum("pj,kiq->kijpq", np.eye(sizes[t.right]), unit)
            at = slice(starts[t.right], starts[t.right + 1])
            rows[..., at] -= moved.reshape(*shape, -1)
        both = np.vstack([stacked, rows.reshape(-1, width)])
        stacked = r_factor(both)
    sigma = np.linalg.svd(stacked, compute_uv=False)
    floor = 16 * width * _EPS * spread * sigma.max(initial=0.0)
    return width - int((sigma > floor).sum())
