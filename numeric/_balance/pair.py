"""The balance of one pair of forms: RᵀAR = R⁻¹BR⁻ᵀ, with or without full rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


_Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)


class NoBalanceError(ValueError):
    """No finite point of the orbit is balanced; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Factors of A = aᵀa and B = bᵀb, and an R that makes RᵀAR and R⁻¹BR⁻ᵀ equal.

    Attributes:
        R: invertible, shape (r, r).
        inverse: R⁻¹.
        rank: rank of A, of B and of AB; below r, P = RRᵀ is one of many solutions.
    """

    R: _Floats
    inverse: _Floats
    rank: int


def root(Gamma: _Floats) -> _Floats:
    """Return G with GᵀG = Γ ⪰ 0, eigenvalues at the level of rounding taken for 0.

    Args:
        Gamma: symmetric and positive semidefinite, shape (n, n).

    Returns:
        Shape (n, n).
    """
    values, vectors = np.linalg.eigh(Gamma)
    floor = 4 * len(values) * _EPS * np.abs(values).max(initial=0.0)
    kept = np.where(values > floor, values, 0.0)
    return np.asarray(np.sqrt(kept)[:, None] * vectors.T)


def triangle(a: _Floats) -> _Floats:
    """Return T (r × r) with TᵀT = aᵀa for a of shape (n, r).

    Args:
        a: any matrix.

    Returns:
        The triangular factor, with rows of zeros where n < r.
    """
    T = np.zeros((a.shape[1], a.shape[1]))
    found = np.linalg.qr(a, mode="r")
    T[: len(found)] = found
    return T


def balance_pair(a: _Floats, b: _Floats) -> Pair:
    """Return R with Rᵀ(aᵀa)R = R⁻¹(bᵀb)R⁻ᵀ, where there is one.

    With A = aᵀa and B = bᵀb, P = RRᵀ solves PAP = B and is where Tr[AP] + Tr[BP⁻¹] is
    least. It exists iff A, B and AB have the same rank: then ℝʳ = im B ⊕ ker A, and
    only im B is constrained. On ker A the identity is kept.

    Args:
        a: shape (r, r).
        b: shape (r, r).

    Returns:
        R, its inverse, and the rank.

    Raises:
        NoBalanceError: where the ranks differ.
    """
    r = a.shape[1]
    ranks = _ranks(a, b)
    if len(set(ranks)) != 1:
        raise NoBalanceError(
            f"no finite balance: A, B and AB have ranks {', '.join(map(str, ranks))} "
            f"(to rounding), expected equal ones; the least noise is approached only "
            f"at infinity, where one layer vanishes along a direction that the noise "
            f"of the other does not see. Add weight decay, or noise of full rank"
        )
    rank = ranks[0]
    if rank == r:
        R, inverse = _definite(a, b)
        return Pair(R, inverse, rank)
    T = np.hstack([_range(b.T, rank), _kernel(a, rank)])
    back = np.linalg.inv(T)
    R1, inverse1 = _definite(triangle(a @ T[:, :rank]), triangle((back @ b.T)[:rank].T))
    R, inverse = np.array(T, np.float64), np.array(back, np.float64)
    R[:, :rank], inverse[:rank] = T[:, :rank] @ R1, inverse1 @ back[:rank]
    return Pair(R, inverse, rank)


def _ranks(a: _Floats, b: _Floats) -> tuple[int, int, int]:
    """Return the ranks of aᵀa, of bᵀb, and of their product.

    The last is told from the angles between the two ranges, not from the product,
    whose small singular values may be below rounding though both have full rank.
    """
    bases, spread = [], 0.0
    for each in (a, b):
        _, values, rows = np.linalg.svd(each)
        floor = 8 * len(values) * _EPS * values.max(initial=0.0)
        rank = int((values > floor).sum())
        bases.append(rows[:rank])
        spread += float(values[0] / values[rank - 1]) if rank else 0.0
    ranks = [len(base) for base in bases]
    cosines = np.linalg.svd(bases[0] @ bases[1].T, compute_uv=False)
    both = int((cosines > 64 * _EPS * spread).sum())
    return ranks[0], ranks[1], both


def _range(matrix: _Floats, rank: int) -> _Floats:
    return np.asarray(np.linalg.svd(matrix)[0][:, :rank])


def _kernel(matrix: _Floats, rank: int) -> _Floats:
    return np.asarray(np.linalg.svd(matrix)[2][rank:].T)


def _definite(a: _Floats, b: _Floats) -> tuple[_Floats, _Floats]:
    """Return R and R⁻¹ for a and b of full rank, from abᵀ = LSQ: R = a⁻¹LS^{½}."""
    L, S, _ = np.linalg.svd(a @ b.T)
    R = np.linalg.solve(a, L * np.sqrt(S))
    return R, np.linalg.inv(R)
