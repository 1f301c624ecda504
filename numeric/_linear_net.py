"""The linear network UWx: its gradients, its charge, and Theorem 2's two sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numeric._errors import ShapeError


_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class NoiseMatrices:
    """Γ⁰_U and Γ⁰_W of ‖UWx − y‖², the matrices Theorem 2 balances.

    Attributes:
        U: E[‖x‖²rrᵀ] − MMᵀ with r = UWx − y and M = E[rxᵀ], shape (..., d_y, d_y).
        W: E[‖r‖²xxᵀ] − MᵀM, shape (..., d_x, d_x).
    """

    U: _Floats
    W: _Floats

    def shifted(self, shift: float) -> NoiseMatrices:
        """Return both plus `shift` times the identity (γS/η for weight decay γ)."""
        d_y, d_x = self.U.shape[-1], self.W.shape[-1]
        return NoiseMatrices(self.U + shift * np.eye(d_y), self.W + shift * np.eye(d_x))


@dataclass(frozen=True, slots=True, eq=False)
class LinearNet:
    """The network x ↦ UWx with the per-sample loss ‖UWx − y‖² (P1, Eq. (14)).

    Leading axes are replicas, each with parameters of its own. The symmetry is
    (U, W) → (UR, R⁻¹W) for every invertible R (P1, Eq. (12)).

    Attributes:
        U: second layer, shape (..., d_y, d).
        W: first layer, shape (..., d, d_x).

    Raises:
        ShapeError: where the shapes do not fit each other.

    >>> net = LinearNet(np.array([[2.0]]), np.array([[1.0]]))
    >>> x, y = np.array([[1.0], [1.0]]), np.array([[1.0], [3.0]])
    >>> net.charge
    array([[3.]])
    >>> noise = net.noise(x, y)
    >>> noise.U, noise.W
    (array([[1.]]), array([[1.]]))
    """

    U: _Floats
    W: _Floats

    def __post_init__(self) -> None:
        inner = self.U.ndim >= 2 and self.W.ndim >= 2
        if not inner or self.U.shape[-1] != self.W.shape[-2]:
            raise ShapeError(
                f"expected U (..., d_y, d) and W (..., d, d_x) with the same d, got "
                f"{self.U.shape} and {self.W.shape}"
            )

    @property
    def charge(self) -> _Floats:
        """Return Q = UᵀU − WWᵀ, shape (..., d, d): C_B = ½Tr[QB] for symmetric B."""
        return np.asarray(_T(self.U) @ self.U - self.W @ _T(self.W))

    def residuals(self, x: _Floats, y: _Floats) -> _Floats:
        """Return r = UWx − y of every sample.

        Args:
            x: inputs, shape (..., N, d_x).
            y: targets, shape (..., N, d_y).

        Returns:
            Shape (..., N, d_y).

        Raises:
            ShapeError: where samples and layers do not fit each other.
        """
        self._check(x, y)
        return np.asarray((x @ _T(self.W)) @ _T(self.U) - y)

    def gradient(self, x: _Floats, y: _Floats) -> tuple[_Floats, _Floats]:
        """Return the mean gradient over the samples, ∂ℓ/∂U = 2r(Wx)ᵀ, ∂ℓ/∂W = 2Uᵀrxᵀ.

        Args:
            x: inputs, shape (..., N, d_x).
            y: targets, shape (..., N, d_y).

        Returns:
            With respect to U and to W, in their shapes.

        Raises:
            ShapeError: where samples and layers do not fit each other.
        """
        self._check(x, y)
        hidden = x @ _T(self.W)
        slope = (2.0 / x.shape[-2]) * (hidden @ _T(self.U) - y)
        return np.asarray(_T(slope) @ hidden), np.asarray(_T(slope @ self.U) @ x)

    def stepped(
        self, g_U: _Floats, g_W: _Floats, *, lr: float, gamma: float = 0.0
    ) -> LinearNet:
        """Return θ' = (1 − 2ηγ)θ − ηg.

        Args:
            g_U: gradient with respect to U, without weight decay.
            g_W: likewise for W.
            lr: learning rate η.
            gamma: weight decay γ of γ‖θ‖².

        Returns:
            The network after the step.
        """
        kappa = 1.0 - 2.0 * lr * gamma
        return LinearNet(kappa * self.U - lr * g_U, kappa * self.W - lr * g_W)

    def noise(self, x: _Floats, y: _Floats, *, centred: bool = True) -> NoiseMatrices:
        """Return Γ⁰_U and Γ⁰_W over the data (P1, Theorem 2).

        Args:
            x: inputs, shape (..., N, d_x).
            y: targets, shape (..., N, d_y).
            centred: whether the means are taken away. For γ = 0 the discrete step with
                one sample moves UᵀU − WWᵀ by the matrices that are not centred.

        Returns:
            E[‖x‖²rrᵀ] − MMᵀ and E[‖r‖²xxᵀ] − MᵀM, or without MMᵀ and MᵀM.
        """
        r, N = self.residuals(x, y), x.shape[-2]
        M = _T(r) @ x / N if centred else np.zeros((r.shape[-1], x.shape[-1]))
        size_x = (x**2).sum(axis=-1, keepdims=True)
        size_r = (r**2).sum(axis=-1, keepdims=True)
        return NoiseMatrices(
            np.asarray(_T(r * size_x) @ r / N - M @ _T(M)),
            np.asarray(_T(x * size_r) @ x / N - _T(M) @ M),
        )

    def _check(self, x: _Floats, y: _Floats) -> None:
        """Refuse samples that do not fit the layers.

        Raises:
            ShapeError: where they do not.
        """
        d_y, d_x = self.U.shape[-2], self.W.shape[-1]
        good = min(x.ndim, y.ndim) >= 2 and x.shape[-2] == y.shape[-2] > 0
        if not good or (x.shape[-1], y.shape[-1]) != (d_x, d_y):
            raise ShapeError(
                f"expected x (..., N, {d_x}) and y (..., N, {d_y}) with the same "
                f"N ≥ 1, got {x.shape} and {y.shape}"
            )

    def sides(self, noise: NoiseMatrices) -> tuple[_Floats, _Floats]:
        """Return WΓ_WWᵀ and UᵀΓ_UU, equal at the noise equilibrium (P1, Theorem 2).

        Args:
            noise: Γ_U and Γ_W; add γS/η by `NoiseMatrices.shifted` for weight decay.

        Returns:
            Both sides, shape (..., d, d); UᵀU − WWᵀ moves at 4(η/S) times the first
            minus the second.
        """
        return (
            np.asarray(self.W @ noise.W @ _T(self.W)),
            np.asarray(_T(self.U) @ noise.U @ self.U),
        )


def _T(matrix: _Floats) -> _Floats:  # noqa: N802 - transposition
    return np.swapaxes(matrix, -1, -2)
