"""Theorem 2's moments E[‖x‖²rrᵀ], E[‖r‖²xxᵀ] and E[rxᵀ] on finite data, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._errors import ShapeError
from numeric._linear_net import LinearNet, NoiseMatrices
from numeric._moments import CHUNK_NUMBERS, chunk_size, refuse_infinite


_Floats = NDArray[np.float64]

_SAFE = 1e-2  # a variance above this share of its second moment is a safe difference


@dataclass(frozen=True, slots=True, eq=False)
class LinearNetMoments:
    """M, Γ⁰_U and Γ⁰_W of ‖Vx − y‖² over finite data (P1, Theorem 2), V = UW.

    Attributes:
        count: number N of samples.
        M: E[rxᵀ] with r = Vx − y, shape (d_y, d_x).
        centred: E[‖x‖²rrᵀ] − MMᵀ and E[‖r‖²xxᵀ] − MᵀM.
    """

    count: int
    M: _Floats
    centred: NoiseMatrices

    @property
    def uncentred(self) -> NoiseMatrices:
        """Return E[‖x‖²rrᵀ] and E[‖r‖²xxᵀ]."""
        M, noise = self.M, self.centred
        return NoiseMatrices(noise.U + M @ M.T, noise.W + M.T @ M)

    def balance(
        self, *, lr: float, batch: float = 1, gamma: float = 0, discrete: bool = False
    ) -> NoiseMatrices:
        """Return Γ_U and Γ_W, the matrices that the noise equilibrium balances.

        Args:
            lr: learning rate η > 0.
            batch: batch size S ≥ 1, drawn with replacement.
            gamma: weight decay γ ≥ 0 of γ‖θ‖².
            discrete: whether for the discrete step instead of its limit η → 0: then
                Γ = Γ⁰ + S·MMᵀ (MᵀM) + (γS/η)(1 − ηγ)I, else Γ = Γ⁰ + (γS/η)I.

        Returns:
            Γ_U and Γ_W.

        Raises:
            ValueError: for η ≤ 0, S < 1, γ < 0, or ηγ ≥ 1 in discrete time.
        """
        good = lr > 0 and batch >= 1 and gamma >= 0
        if not good or not np.isfinite([lr, batch, gamma]).all():
            raise ValueError(
                f"expected lr > 0, batch >= 1 and gamma >= 0, got lr={lr}, "
                f"batch={batch}, gamma={gamma}"
            )
        if not discrete:
            return self.centred.shifted(gamma * batch / lr)
        if not lr * gamma < 1:
            raise ValueError(
                f"expected lr*gamma < 1, got {lr * gamma}: the step 1 - 2*lr*gamma "
                f"overshoots, and no balance follows from its law; lower lr or gamma"
            )
        M, noise = self.M, self.centred
        whole = NoiseMatrices(noise.U + batch * M @ M.T, noise.W + batch * M.T @ M)
        return whole.shifted(gamma * batch / lr * (1 - lr * gamma))

    def merged(self, other: LinearNetMoments) -> LinearNetMoments:
        """Return the moments over both sets of samples, at the same V.

        Args:
            other: moments of other samples.

        Returns:
            The moments over the union, stable as `NoiseMoments.merged` is.

        Raises:
            ShapeError: for other widths.
        """
        if self.M.shape != other.M.shape:
            raise ShapeError(
                f"merged: expected M of shape {self.M.shape}, got {other.M.shape}"
            )
        count = self.count + other.count
        p, q = self.count / count, other.count / count
        delta = other.M - self.M
        mine, its = self.centred, other.centred
        return LinearNetMoments(
            count,
            self.M + q * delta,
            NoiseMatrices(
                p * mine.U + q * its.U + p * q * delta @ delta.T,
                p * mine.W + q * its.W + p * q * delta.T @ delta,
            ),
        )


def linear_net_moments(
    net: LinearNet | ArrayLike, x: ArrayLike, y: ArrayLike, *, chunk: int | None = None
) -> LinearNetMoments:
    """Return M, Γ⁰_U and Γ⁰_W of a linear net over the samples, in one pass.

    They depend on V = UW alone, not on how it is factored. Where the mean of rxᵀ
    dominates a chunk, its centred moments are summed from rxᵀ − M sample by sample.

    Args:
        net: a `LinearNet` of one replica, or V itself, shape (d_y, d_x).
        x: inputs, shape (N, d_x).
        y: targets, shape (N, d_y).
        chunk: samples to be taken at a time; by default about 2¹⁸/(d_x + d_y).

    Returns:
        The moments; join those of several batches by `LinearNetMoments.merged`.

    Raises:
        ShapeError: for shapes that do not fit.
        ValueError: for numbers that are not finite, or a chunk below 1.

    >>> net = LinearNet(np.array([[2.0]]), np.array([[1.0]]))
    >>> x, y = np.array([[1.0], [1.0]]), np.array([[1.0], [3.0]])
    >>> found = linear_net_moments(net, x, y)
    >>> found.M, found.centred.U, found.centred.W
    (array([[0.]]), array([[1.]]), array([[1.]]))
    """
    inputs, targets = np.asarray(x, np.float64), np.asarray(y, np.float64)
    V = np.asarray(net.U @ net.W if isinstance(net, LinearNet) else net, np.float64)
    flat = V.ndim == inputs.ndim == targets.ndim == 2
    if not flat or V.shape != (targets.shape[-1], inputs.shape[-1]):
        raise ShapeError(
            f"expected V (d_y, d_x), x (N, d_x) and y (N, d_y), got {V.shape}, "
            f"{inputs.shape} and {targets.shape}"
        )
    if len(inputs) != len(targets) or not len(inputs):
        raise ShapeError(
            f"expected as many inputs as targets, at least one, got {len(inputs)} and "
            f"{len(targets)}"
        )
    size = chunk_size(chunk, sum(V.shape))
    starts = range(0, len(inputs), size)
    parts = (
        _of_samples(V, inputs[k : k + size], targets[k : k + size], k) for k in starts
    )
    return reduce(LinearNetMoments.merged, parts)


def _of_samples(V: _Floats, x: _Floats, y: _Floats, start: int) -> LinearNetMoments:
    """Return the moments of one chunk."""
    r, N = x @ V.T - y, len(x)
    refuse_infinite(np.concatenate([x, r], axis=1), start)
    M = r.T @ x / N
    size_x, size_r = (np.einsum("ni,ni->n", a, a)[:, None] for a in (x, r))
    total = float((size_x * size_r).mean())
    if total - float((M**2).sum()) >= _SAFE * total:
        Gamma_U = (r * size_x).T @ r / N - M @ M.T
        Gamma_W = (x * size_r).T @ x / N - M.T @ M
        return LinearNetMoments(N, M, NoiseMatrices(_even(Gamma_U), _even(Gamma_W)))
    return _with_mean(r, x, M)


def _with_mean(r: _Floats, x: _Floats, M: _Floats) -> LinearNetMoments:
    """Return the moments of a chunk where the mean dominates: from rxᵀ − M itself."""
    Gamma_U, Gamma_W = np.zeros((M.shape[0],) * 2), np.zeros((M.shape[1],) * 2)
    slip = np.zeros_like(M)
    step = max(1, CHUNK_NUMBERS // M.size)
    for k in range(0, len(x), step):
        G = np.einsum("ni,nj->nij", r[k : k + step], x[k : k + step]) - M
        slip += G.sum(axis=0)
        Gamma_U += np.tensordot(G, G, axes=((0, 2), (0, 2)))
        Gamma_W += np.tensordot(G, G, axes=((0, 1), (0, 1)))
    N = len(x)
    slip /= N  # rounding of M; its square is beyond rounding
    noise = NoiseMatrices(
        Gamma_U / N - slip @ slip.T,
        Gamma_W / N - slip.T @ slip,
    )
    return LinearNetMoments(N, M + slip, noise)


def _even(matrix: _Floats) -> _Floats:
    return np.asarray(0.5 * (matrix + matrix.T))
