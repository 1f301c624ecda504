"""Theorem 2's balance WΓ_WWᵀ = UᵀΓ_UU, solved at fixed UW."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._balance.pair import NoBalanceError, balance_pair, root, triangle
from numeric._errors import ShapeError
from numeric._linear_net import LinearNet, NoiseMatrices


_Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_TOLERANCE = 1e-8  # residuals above it are refused rather than returned


@dataclass(frozen=True, slots=True, eq=False)
class MatrixBalance:
    """A factorisation of V = UW with WΓ_WWᵀ = UᵀΓ_UU (P1, Theorem 2).

    Attributes:
        U: shape (d_y, d).
        W: shape (d, d_x).
        R: the matrix of the orbit, U = U₀R and W = R⁻¹W₀ for the start (U₀, W₀), shape
            (d, d); None where there is none: the start has no finite balance on its
            own orbit {(U₀R, R⁻¹W₀)}, and this one, with the same UW, lies on the
            closure of it; or where the start was V alone.
        residual: ‖WΓ_WWᵀ − UᵀΓ_UU‖ over the larger of the two norms.
        shift: ‖UW − V‖/‖V‖, what rounding did to the function.
        rank: rank of V that could be told from rounding.
        free: rank − rank(√Γ_U V √Γ_W): dimensions in which the noise sees neither
            layer. There the balance says nothing and the limit γ → 0⁺ is taken.
    """

    U: _Floats
    W: _Floats
    R: _Floats | None
    residual: float
    shift: float
    rank: int
    free: int

    @property
    def net(self) -> LinearNet:
        """Return the balanced pair as a network."""
        return LinearNet(self.U, self.W)

    @property
    def degenerate(self) -> bool:
        """Return whether balanced pairs differ by more than O(d)."""
        return self.free > 0


def matrix_balance(net: LinearNet, noise: NoiseMatrices) -> MatrixBalance:
    """Return the balanced pair with the same UW that is nearest to (U, W).

    Γ depends on V = UW alone, so it is the same all along. With √Γ_U V √Γ_W = LSR the
    balanced pairs are U = Γ_U^{−½}LS^{½}F, W = FᵀS^{½}RΓ_W^{−½}, FFᵀ = I (P1, Theorem
    2). F is chosen to bring the pair nearest to the start in the Frobenius norm: the
    polar factor of Û^TU₀ + ŴW₀ᵀ for the pair (Û, Ŵ) at F = I. Starting from (U₀O, OᵀW₀)
    with O ∈ O(d) gives (UO, OᵀW). On R^d with d = rank V the start may be anywhere on
    its orbit, with the same result up to O(d).

    It exists iff √Γ_U V, V √Γ_W and √Γ_U V √Γ_W have the same rank, whatever d is:
    of A = UᵀΓ_UU = WΓ_WWᵀ all three have the rank. Full-rank Γ always do.

    Args:
        net: the start, one replica.
        noise: Γ_U and Γ_W, symmetric and positive semidefinite, with γS/η added for
            weight decay: from `LinearNetMoments.balance`, or `LinearNet.noise` and
            `NoiseMatrices.shifted`.

    Returns:
        The balanced pair.

    Raises:
        ShapeError: for shapes that do not fit.
        ValueError: for matrices that are not finite, symmetric and semidefinite.
        NoBalanceError: where no finite pair is balanced.
        ArithmeticError: where rounding leaves a residual above 1e-8.

    >>> net = LinearNet(np.array([[4.0]]), np.array([[1.0]]))
    >>> found = matrix_balance(net, NoiseMatrices(np.array([[1.0]]), np.array([[4.0]])))
    >>> bool(np.allclose([found.U, found.W], [[[8**0.5]], [[2**0.5]]]))
    True
    """
    if net.U.ndim != 2 or net.W.ndim != 2:
        raise ShapeError(
            f"expected one replica, U (d_y, d) and W (d, d_x), got {net.U.shape} and "
            f"{net.W.shape}; call matrix_balance for each"
        )
    start = LinearNet(_real(net.U, "U"), _real(net.W, "W"))
    V = start.U @ start.W
    size = float(np.linalg.norm(start.U) * np.linalg.norm(start.W))
    core = _core(V, noise, max(*V.shape, start.U.shape[1]) * size)
    F = _polar(core.U.T @ start.U + core.W @ start.W.T)
    return _finished(core, V, F, noise, start)


def balanced_factors(V: ArrayLike, noise: NoiseMatrices, width: int) -> MatrixBalance:
    """Return a balanced pair with UW = V, of the width asked for.

    Args:
        V: the function, shape (d_y, d_x).
        noise: Γ_U and Γ_W, as for `matrix_balance`.
        width: d ≥ rank V.

    Returns:
        The pair with F = (I, 0): UᵀΓ_UU is diagonal in decreasing order where Γ is
        definite, and the columns beyond the rank are 0. R is None.

    Raises:
        ShapeError: for shapes that do not fit.
        ValueError: for matrices that are not finite, symmetric and semidefinite.
        NoBalanceError: where no finite pair is balanced, or d < rank V.
        ArithmeticError: where rounding leaves a residual above 1e-8.

    >>> noise = NoiseMatrices(np.eye(2), np.eye(1))
    >>> found = balanced_factors([[4.0], [0.0]], noise, 2)
    >>> np.abs(found.U).tolist(), np.abs(found.W).tolist()
    ([[2.0, 0.0], [0.0, 0.0]], [[2.0], [0.0]])
    """
    array = _real(np.asarray(V), "V")
    if array.ndim != 2:
        raise ShapeError(f"V: expected shape (d_y, d_x), got {array.shape}")
    core = _core(array, noise, max(array.shape) * float(np.linalg.norm(array)))
    if core.rank > width:
        raise NoBalanceError(
            f"width: expected at least rank V = {core.rank}, got {width}: no U "
            f"(d_y, {width}) and W ({width}, d_x) have that product"
        )
    return _finished(core, array, np.eye(core.rank, width), noise, None)


@dataclass(frozen=True, slots=True, eq=False)
class _Core:
    """A balanced pair of width rank V."""

    U: _Floats
    W: _Floats
    free: int

    @property
    def rank(self) -> int:
        return int(self.U.shape[1])


def _core(V: _Floats, noise: NoiseMatrices, size: float) -> _Core:
    """Balance V = (Ls^{½})(s^{½}Q), with singular values above 2·eps·size."""
    d_y, d_x = V.shape
    Gamma_U = _semidefinite(noise.U, d_y, "Γ_U")
    Gamma_W = _semidefinite(noise.W, d_x, "Γ_W")
    L, s, Q = np.linalg.svd(V, full_matrices=False)
    rank = int((s > 2 * _EPS * size).sum())
    roots = np.sqrt(s[:rank])
    U, W = L[:, :rank] * roots, roots[:, None] * Q[:rank]
    a, b = triangle(root(Gamma_U) @ U), triangle(root(Gamma_W) @ W.T)
    pair = balance_pair(a, b)
    U, W = U @ pair.R, pair.inverse @ W
    free = slice(pair.rank, None)
    if pair.rank < rank:  # what noise does not see: balanced by ‖θ‖², as γ → 0⁺ would
        rest = balance_pair(triangle(U[:, free]), triangle(W[free].T))
        U[:, free], W[free] = U[:, free] @ rest.R, rest.inverse @ W[free]
    return _Core(U, W, rank - pair.rank)


def _finished(
    core: _Core, V: _Floats, F: _Floats, noise: NoiseMatrices, start: LinearNet | None
) -> MatrixBalance:
    """Widen to F, check, and find R.

    Returns:
        The result.

    Raises:
        ArithmeticError: where the result does not pass its own checks.
    """
    U, W = core.U @ F, F.T @ core.W
    left, right = LinearNet(U, W).sides(noise)
    sides = max(float(np.linalg.norm(left)), float(np.linalg.norm(right)))
    residual = float(np.linalg.norm(left - right)) / sides if sides else 0.0
    norm = float(np.linalg.norm(V))
    shift = float(np.linalg.norm(U @ W - V)) / norm if norm else 0.0
    if not max(residual, shift) <= _TOLERANCE:
        raise ArithmeticError(
            f"expected residuals of at most {_TOLERANCE:g}, got {residual:.2g} for the "
            f"balance and {shift:.2g} for UW = V: Γ_U, Γ_W or the start are too ill "
            f"conditioned for float64; add weight decay"
        )
    R = None if start is None else _transport(start, core, F)
    return MatrixBalance(U, W, R, residual, shift, core.rank, core.free)


def _transport(start: LinearNet, core: _Core, F: _Floats) -> _Floats | None:
    """Return R with U = U₀R, W = R⁻¹W₀; None where the ranks say there is none.

    ℝᵈ = im W ⊕ ker U on both sides; R maps im W onto im W₀ and ker U onto ker U₀.
    """
    r = core.rank
    ranks = [_rank(start.U), _rank(start.W)]
    if ranks != [r, r]:
        return None
    on_image = start.W @ np.linalg.pinv(core.W) @ F
    kernel = np.linalg.svd(start.U)[2][r:].T
    new = np.linalg.svd(F)[2][r:]
    return np.asarray(on_image + kernel @ _polar(kernel.T @ new.T) @ new)


def _rank(matrix: _Floats) -> int:
    values = np.linalg.svd(matrix, compute_uv=False)
    floor = max(matrix.shape) * _EPS * values.max(initial=0.0)
    return int((values > floor).sum())


def _polar(M: _Floats) -> _Floats:
    """Return the orthonormal rows or columns nearest to M."""
    if not M.size:
        return np.eye(*M.shape)
    L, _, Q = np.linalg.svd(M, full_matrices=False)
    return np.asarray(L @ Q)


def _real(array: _Floats, name: str) -> _Floats:
    """Return the array in float64.

    Raises:
        ValueError: where it is not real and finite.
    """
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite real numbers, got {array}")
    return np.asarray(array, np.float64)


def _semidefinite(Gamma: _Floats, n: int, name: str) -> _Floats:
    """Return Γ, checked.

    Raises:
        ShapeError: for another shape than (n, n).
        ValueError: where it is not symmetric and positive semidefinite.
    """
    array = _real(np.asarray(Gamma), name)
    if array.shape != (n, n):
        raise ShapeError(f"{name}: expected shape ({n}, {n}), got {array.shape}")
    size = float(np.linalg.norm(array))
    even = np.asarray(0.5 * (array + array.T))
    lowest = float(np.linalg.eigvalsh(even).min(initial=0.0))
    if not np.linalg.norm(array - array.T) <= 1e-10 * size:
        raise ValueError(f"{name}: expected a symmetric matrix, got {array}")
    if not lowest >= -1e-10 * size:
        raise ValueError(
            f"{name}: expected a positive semidefinite matrix, got the eigenvalue "
            f"{lowest:.3g}; take centred moments of the data, and γ ≥ 0"
        )
    return even
