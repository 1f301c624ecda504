"""Γ(V) for many V at once: a quadratic in V whose coefficients are moments of data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._balance.moments import LinearNetMoments, linear_net_moments
from numeric._errors import ShapeError
from numeric._linear_net import NoiseMatrices
from numeric._moments import chunk_size, refuse_infinite


_Floats = NDArray[np.float64]

_LARGEST = 2**24  # fourth moments that are worth storing: 128 MiB


@dataclass(frozen=True, slots=True, eq=False)
class NoisePolynomial:
    """M(V), Γ⁰_U(V) and Γ⁰_W(V) of ‖Vx − y‖² as polynomials in V.

    With z = (x, e), e = y − V₀x and r = Kz, K = (V − V₀, −I): E[‖r‖²xxᵀ] = ⟨KᵀK, T⟩
    with T = E[z⊗z⊗x⊗x], E[‖x‖²rrᵀ] = K E[‖x‖²zzᵀ] Kᵀ and M = K E[zxᵀ]. The reference
    V₀, a least-squares solution, keeps small residuals from cancelling.

    Attributes:
        count: number N of samples.
        reference: V₀, shape (d_y, d_x).
        first: E[zxᵀ], shape (d_x + d_y, d_x).
        weighted: E[‖x‖²zzᵀ], shape (d_x + d_y, d_x + d_y).
        fourth: T, shape (d_x + d_y, d_x + d_y, d_x, d_x).
    """

    count: int
    reference: _Floats
    first: _Floats
    weighted: _Floats
    fourth: _Floats

    def at(self, V: ArrayLike) -> LinearNetMoments:
        """Return the moments at V, without a look at the data.

        Args:
            V: shape (d_y, d_x).

        Returns:
            M, Γ⁰_U and Γ⁰_W.

        Raises:
            ShapeError: for another shape.
        """
        K = self._factor(V)
        M = K @ self.first
        Gamma_W = np.tensordot(K.T @ K, self.fourth, axes=2) - M.T @ M
        Gamma_U = K @ self.weighted @ K.T - M @ M.T
        return LinearNetMoments(self.count, M, NoiseMatrices(Gamma_U, Gamma_W))

    def slope(self, V: ArrayLike, dV: ArrayLike) -> LinearNetMoments:
        """Return the derivative of the moments at V along dV.

        Args:
            V: shape (d_y, d_x).
            dV: directions, shape (..., d_y, d_x).

        Returns:
            The derivatives of M, Γ⁰_U and Γ⁰_W, with the leading axes of dV.

        Raises:
            ShapeError: for other shapes.
        """
        K, d = self._factor(V), np.asarray(dV, np.float64)
        if d.shape[-2:] != self.reference.shape:
            raise ShapeError(
                f"dV: expected (..., d_y, d_x) = (..., {self.reference.shape}), "
                f"got {d.shape}"
            )
        wide = self.reference.shape[1]
        M, dM = K @ self.first, d @ self.first[:wide]
        rows = np.swapaxes(d, -1, -2) @ K  # dKᵀK in its only rows that are not 0
        half_W = np.tensordot(rows, self.fourth[:wide], axes=2)
        half_W -= np.swapaxes(dM, -1, -2) @ M
        half_U = d @ self.weighted[:wide] @ K.T - dM @ M.T
        return LinearNetMoments(
            self.count,
            dM,
            NoiseMatrices(
                half_U + np.swapaxes(half_U, -1, -2),
                half_W + np.swapaxes(half_W, -1, -2),
            ),
        )

    def _factor(self, V: ArrayLike) -> _Floats:
        """Return K = (V − V₀, −I).

        Raises:
            ShapeError: where V does not fit.
        """
        array = np.asarray(V, np.float64)
        if array.shape != self.reference.shape:
            raise ShapeError(
                f"V: expected shape (d_y, d_x) = {self.reference.shape}, got "
                f"{array.shape}"
            )
        return np.hstack([array - self.reference, -np.eye(len(array))])


@dataclass(frozen=True, slots=True, eq=False)
class NoiseData:
    """M(V), Γ⁰_U(V) and Γ⁰_W(V) of ‖Vx − y‖² by a pass over the data for each V.

    Attributes:
        x: inputs, shape (N, d_x).
        y: targets, shape (N, d_y).
        chunk: samples to be taken at a time.
    """

    x: _Floats
    y: _Floats
    chunk: int | None = None

    def at(self, V: ArrayLike) -> LinearNetMoments:
        """Return the moments at V.

        Args:
            V: shape (d_y, d_x).

        Returns:
            M, Γ⁰_U and Γ⁰_W.

        Raises:
            ShapeError: for another shape.
        """
        return linear_net_moments(V, self.x, self.y, chunk=self.chunk)


def noise_function(
    x: ArrayLike,
    y: ArrayLike,
    *,
    method: Literal["auto", "moments", "data"] = "auto",
    chunk: int | None = None,
) -> NoisePolynomial | NoiseData:
    """Return V ↦ (M, Γ⁰_U, Γ⁰_W) of ‖Vx − y‖² over the data, by the cheaper way.

    One value costs N(d_xd_y + d_x² + d_y²) by the data and (d_x + d_y)²d_x² by moments
    of fourth order, which cost N(d_x + d_y)²d_x² once.

    Args:
        x: inputs, shape (N, d_x).
        y: targets, shape (N, d_y).
        method: "moments", "data", or "auto" for moments where a value is cheaper by
            them and they fit in 128 MiB.
        chunk: samples to be taken at a time.

    Returns:
        An object with `at(V)`; a `NoisePolynomial` has derivatives too.

    Raises:
        ShapeError: for shapes that do not fit.
        ValueError: for an unknown method, or numbers that are not finite.

    >>> x, y = np.array([[1.0], [1.0]]), np.array([[1.0], [3.0]])
    >>> noise = noise_function(x, y, method="moments")
    >>> float(noise.at([[2.0]]).centred.W[0, 0]), float(noise.at([[0.0]]).M[0, 0])
    (1.0, -2.0)
    """
    if method not in {"auto", "moments", "data"}:
        raise ValueError(
            f"method: expected 'auto', 'moments' or 'data', got {method!r}"
        )
    inputs, targets = _checked(x, y)
    N, d_x, d_y = len(inputs), inputs.shape[1], targets.shape[1]
    numbers = (d_x + d_y) ** 2 * d_x**2
    cheap = numbers <= min(N * (d_x * d_y + d_x**2 + d_y**2), _LARGEST)
    if method == "data" or (method == "auto" and not cheap):
        return NoiseData(inputs, targets, chunk)
    return noise_polynomial(inputs, targets, chunk=chunk)


def noise_polynomial(
    x: ArrayLike, y: ArrayLike, *, chunk: int | None = None
) -> NoisePolynomial:
    """Return M, Γ⁰_U and Γ⁰_W of ‖Vx − y‖² as polynomials in V.

    Args:
        x: inputs, shape (N, d_x).
        y: targets, shape (N, d_y).
        chunk: samples to be taken at a time.

    Returns:
        The polynomials.

    Raises:
        ShapeError: for shapes that do not fit.
        ValueError: for no samples, or numbers that are not finite.
    """
    return _polynomial(*_checked(x, y), chunk)


def _checked(x: ArrayLike, y: ArrayLike) -> tuple[_Floats, _Floats]:
    """Return inputs and targets in float64.

    Raises:
        ShapeError: for shapes that do not fit.
        ValueError: for no samples, or numbers that are not finite.
    """
    inputs, targets = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if inputs.ndim != 2 or targets.ndim != 2 or len(inputs) != len(targets):
        raise ShapeError(
            f"expected x (N, d_x) and y (N, d_y), got {inputs.shape}, {targets.shape}"
        )
    if not len(inputs):
        raise ValueError("expected at least one sample, got none")
    refuse_infinite(np.hstack([inputs, targets]), 0)
    return inputs, targets


def _polynomial(x: _Floats, y: _Floats, chunk: int | None) -> NoisePolynomial:
    """Sum the moments of z = (x, e) in chunks."""
    N, d_x = x.shape
    reference = np.linalg.lstsq(x, y, rcond=None)[0].T
    wide = d_x + y.shape[1]
    first, weighted = np.zeros((wide, d_x)), np.zeros((wide, wide))
    fourth = np.zeros((wide * wide, d_x * d_x))
    size = chunk_size(chunk, wide**2)
    for k in range(0, N, size):
        a = x[k : k + size]
        z = np.hstack([a, y[k : k + size] - a @ reference.T])
        first += z.T @ a
        weighted += (z * (a * a).sum(axis=1, keepdims=True)).T @ z
        zz = np.einsum("na,nb->nab", z, z).reshape(len(z), -1)
        xx = np.einsum("na,nb->nab", a, a).reshape(len(z), -1)
        fourth += zz.T @ xx
    return NoisePolynomial(
        N,
        np.asarray(reference),
        first / N,
        weighted / N,
        fourth.reshape(wide, wide, d_x, d_x) / N,
    )
