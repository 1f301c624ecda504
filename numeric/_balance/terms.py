"""Terms of Φ on an orbit of GL(d₁) × … × GL(d_m), geodesically convex in P = RRᵀ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._errors import ShapeError


_Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class OrbitTerm:
    """The term Σ_k ‖R_leftᵀ X_k R_right⁻ᵀ‖² = Σ_k Tr[X_kᵀ P_left X_k P_right⁻¹].

    Every part of Φ = γ‖θ‖² + (η/4S) Tr Σ is of this kind: where a parameter goes as
    W → R_i⁻¹ W R_j, its gradients go as g → R_iᵀ g R_j⁻ᵀ (the key lemma, Σ(θ_λ) =
    e^{−λA}Σe^{−λA}) and are the X_k of `noise_term`, left = i, right = j; Wᵀ goes as
    R_jᵀ Wᵀ R_i⁻ᵀ and is the X of `decay_term`, left = j, right = i. Tr[AP] is the term
    without a right side and with X = √A; Tr[BP⁻¹] the one without a left side.

    Attributes:
        factors: X_k, shape (k, a, b), or (a, b) for k = 1.
        left: number of the R that acts from the left, counted from 0; None for none.
        right: number of the R that acts from the right; None for none.

    Raises:
        ShapeError: for factors of another shape.
        ValueError: for numbers that are not finite, or a negative side.

    >>> OrbitTerm(np.array([[3.0], [4.0]]), left=0).value([2 * np.eye(2)])
    50.0
    """

    factors: _Floats
    left: int | None = None
    right: int | None = None

    def __post_init__(self) -> None:
        array = np.asarray(self.factors, np.float64)
        array = array[None] if array.ndim == 2 else array
        if array.ndim != 3 or 0 in array.shape[1:]:
            raise ShapeError(
                f"factors: expected shape (k, a, b) or (a, b), got "
                f"{np.shape(self.factors)}"
            )
        if not np.isfinite(array).all():
            raise ValueError("factors: expected finite numbers, got some that are not")
        for name in ("left", "right"):
            side = getattr(self, name)
            if side is not None and side < 0:
                raise ValueError(f"{name}: expected a number >= 0 or None, got {side}")
        object.__setattr__(self, "factors", array)

    def value(self, P: Sequence[_Floats]) -> float:
        """Return the term at P.

        Args:
            P: positive definite matrices P_i = R_iR_iᵀ, in order.

        Returns:
            Σ_k Tr[X_kᵀ P_left X_k P_right⁻¹].
        """
        factors = self.factors
        acted = factors if self.left is None else P[self.left] @ factors
        if self.right is not None:
            turned = np.linalg.solve(P[self.right], np.swapaxes(acted, -1, -2))
            acted = np.swapaxes(turned, -1, -2)
        return float((factors * acted).sum())

    def moved(self, R: Sequence[_Floats]) -> _Floats:
        """Return the factors R_leftᵀ X_k R_right⁻ᵀ.

        Args:
            R: invertible matrices, in order.

        Returns:
            Shape (k, a, b).
        """
        X = self.factors if self.left is None else R[self.left].T @ self.factors
        if self.right is None:
            return X
        turned = np.linalg.solve(R[self.right], np.swapaxes(X, -1, -2))
        return np.swapaxes(turned, -1, -2)

    def compressed(self) -> OrbitTerm:
        """Return the same term with as few factors as a QR decomposition leaves.

        Returns:
            A term with at most ab factors; with one factor, of the side's size at
            most, where only one side is acted on.
        """
        k, a, b = self.factors.shape
        if self.right is None and k * b > a:
            wide = np.swapaxes(self.factors, 0, 1).reshape(a, k * b)
            return OrbitTerm(r_factor(wide.T).T, self.left, None)
        if self.left is None and k * a > b:
            tall = self.factors.reshape(k * a, b)
            return OrbitTerm(r_factor(tall), None, self.right)
        if k > a * b:
            flat = r_factor(self.factors.reshape(k, a * b))
            return OrbitTerm(flat.reshape(-1, a, b), self.left, self.right)
        return self


def decay_term(
    X: ArrayLike,
    *,
    left: int | None = None,
    right: int | None = None,
    weight: float = 1.0,
) -> OrbitTerm:
    """Return weight·‖X‖² on the orbit, for a parameter X → R_left⁻¹ X R_right.

    Args:
        X: the parameter at R = I, shape (a, b); U of (UR, R⁻¹W) has right = 0, W has
            left = 0.
        left: number of the R whose inverse acts from the left; None for none.
        right: number of the R that acts from the right; None for none.
        weight: γ ≥ 0.

    Returns:
        The term weight·Tr[X P_right Xᵀ P_left⁻¹].

    Raises:
        ShapeError: where X is no matrix.
        ValueError: for numbers that are not finite, or weight < 0.
    """
    if not 0 <= weight < np.inf:
        raise ValueError(f"expected a finite weight >= 0, got {weight=}")
    matrix = np.asarray(X, np.float64)
    if matrix.ndim != 2:
        raise ShapeError(f"X: expected shape (a, b), got {matrix.shape}")
    return OrbitTerm(np.sqrt(weight) * matrix.T, left=right, right=left)


def noise_term(
    covariance: ArrayLike,
    shape: tuple[int, int],
    *,
    left: int | None = None,
    right: int | None = None,
    weight: float = 1.0,
) -> OrbitTerm:
    """Return weight·Tr Σ_X on the orbit, for a parameter X → R_left⁻¹ X R_right.

    Its gradients go as g → R_leftᵀ g R_right⁻ᵀ.

    Args:
        covariance: Σ_X, the covariance of the gradient with respect to X in row-major
            order at R = I, shape (ab, ab): as `NoiseMoments.block` returns it.
        shape: (a, b), the shape of X.
        left: number of the R whose inverse acts on X from the left; None for none.
        right: number of the R that acts on X from the right; None for none.
        weight: η/4S ≥ 0.

    Returns:
        The term.

    Raises:
        ShapeError: for a covariance of another shape.
        ValueError: where it is not finite and positive semidefinite, or weight < 0.
    """
    Sigma = np.asarray(covariance, np.float64)
    a, b = shape
    if Sigma.shape != (a * b, a * b):
        raise ShapeError(
            f"covariance: expected shape ({a * b}, {a * b}) for X of shape {shape}, "
            f"got {Sigma.shape}"
        )
    if not np.isfinite(Sigma).all() or not 0 <= weight < np.inf:
        raise ValueError(f"expected finite numbers and weight >= 0, got {weight=}")
    values, vectors = np.linalg.eigh(0.5 * (Sigma + Sigma.T))
    top = float(np.abs(values).max())
    if not values[0] >= -1e-10 * top:
        raise ValueError(
            f"covariance: expected a positive semidefinite matrix, got the eigenvalue "
            f"{values[0]:.3g}"
        )
    kept = values > 4 * len(values) * _EPS * top
    rows = (vectors[:, kept] * np.sqrt(weight * values[kept])).T.reshape(-1, a, b)
    return OrbitTerm(rows, left=left, right=right)


def r_factor(matrix: _Floats) -> _Floats:
    """Return the triangular T of the QR decomposition, TᵀT = MᵀM.

    Args:
        matrix: M, shape (m, n).

    Returns:
        Shape (min(m, n), n).
    """
    return np.asarray(np.linalg.qr(matrix, mode="r"))


def sizes_of(terms: Sequence[OrbitTerm]) -> tuple[int, ...]:
    """Return d_i for each R_i.

    Args:
        terms: the terms of Φ.

    Returns:
        The sizes, in order.

    Raises:
        ShapeError: where a number is left out, or two terms disagree on a size.
    """
    found: dict[int, int] = {}
    for term in terms:
        sides = zip((term.left, term.right), term.factors.shape[1:], strict=True)
        for side, size in sides:
            if side is not None and found.setdefault(side, size) != size:
                raise ShapeError(
                    f"R_{side}: expected one size, got {found[side]} and {size}"
                )
    if set(found) != set(range(len(found))) or not found:
        raise ShapeError(
            f"expected terms with the sides 0, 1, … without a gap, got {sorted(found)}"
        )
    return tuple(found[i] for i in range(len(found)))
