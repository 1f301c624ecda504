"""Where V = UW and its balance stand still together under weight decay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._balance.matrix import matrix_balance
from numeric._balance.moments import LinearNetMoments
from numeric._balance.polynomial import NoisePolynomial, noise_polynomial
from numeric._errors import ShapeError
from numeric._linear_net import LinearNet, NoiseMatrices


_Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_CLOSE = 1e-2  # residual of V below which Newton's method is tried
_POLISH = 12  # its steps


@dataclass(frozen=True, slots=True, eq=False)
class StationaryBalance:
    """A pair (U, W) where V = UW stands still and Theorem 2's balance holds.

    Attributes:
        U: shape (d_y, d).
        W: shape (d, d_x).
        moments: M, Γ⁰_U and Γ⁰_W there.
        stillness: ‖UUᵀM + MWᵀW + 2γV‖ over the sum of the three norms' bounds.
        residual: ‖WΓ_WWᵀ − UᵀΓ_UU‖ over the larger of the two norms.
        steps: steps of V taken before Newton's method ended it.
    """

    U: _Floats
    W: _Floats
    moments: LinearNetMoments
    stillness: float
    residual: float
    steps: int

    @property
    def net(self) -> LinearNet:
        """Return the pair as a network."""
        return LinearNet(self.U, self.W)


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """The two equations, scaled, and their Jacobian."""

    noise: NoisePolynomial
    lr: float
    batch: float
    gamma: float

    def equations(self, U: _Floats, W: _Floats) -> tuple[_Floats, _Floats, _Floats]:
        """Return E = UUᵀM + MWᵀW + 2γV, D = WΓ_WWᵀ − UᵀΓ_UU, and their two sizes."""
        found = self.noise.at(U @ W)
        Gamma = self._shifted(found)
        first, second = U @ U.T @ found.M, found.M @ W.T @ W
        decay = 2 * self.gamma * U @ W
        left, right = W @ Gamma.W @ W.T, U.T @ Gamma.U @ U
        pull = self.noise.first[: W.shape[1]]
        target = np.linalg.norm(U @ W @ pull) + np.linalg.norm(found.M)
        weight = np.linalg.norm(U) ** 2 + np.linalg.norm(W) ** 2
        sizes = [
            weight * target + np.linalg.norm(decay),
            max(np.linalg.norm(left), np.linalg.norm(right)),
        ]
        return first + second + decay, left - right, np.array(sizes)

    def jacobian(self, U: _Floats, W: _Floats) -> tuple[_Floats, _Floats]:
        """Return the derivatives of E and D along each entry of U, then of W."""
        d_y, d = U.shape
        d_x = W.shape[1]
        n, split = d * (d_x + d_y), d * d_y
        both = np.eye(n)
        dU = both[:, :split].reshape(n, d_y, d)
        dW = both[:, split:].reshape(n, d, d_x)
        V, dV = U @ W, dU @ W + U @ dW
        here, slope = self.noise.at(V), self.noise.slope(V, dV)
        Gamma, M, dM = self._shifted(here), here.M, slope.M
        UU, WW = dU @ U.T, _T(dW) @ W
        dE = (UU + _T(UU)) @ M + U @ U.T @ dM + dM @ W.T @ W
        dE = dE + M @ (WW + _T(WW)) + 2 * self.gamma * dV
        left, right = dW @ Gamma.W @ W.T, _T(dU) @ Gamma.U @ U
        dD = left + _T(left) + W @ slope.centred.W @ W.T
        dD = dD - right - _T(right) - U.T @ slope.centred.U @ U
        return dE, dD

    def balanced(self, net: LinearNet) -> LinearNet:
        """Return the balanced pair with the same UW."""
        return matrix_balance(net, self._shifted(self.noise.at(net.U @ net.W))).net

    def residuals(self, net: LinearNet) -> tuple[float, float]:
        """Return both equations over their sizes."""
        E, D, sizes = self.equations(net.U, net.W)
        return _relative(E, D, sizes)

    def _shifted(self, found: LinearNetMoments) -> NoiseMatrices:
        return found.balance(lr=self.lr, batch=self.batch, gamma=self.gamma)


def stationary_balance(
    net: LinearNet,
    x: ArrayLike,
    y: ArrayLike,
    *,
    lr: float,
    batch: float = 1,
    gamma: float = 0.0,
    tolerance: float = 1e-10,
    max_steps: int = 100,
) -> StationaryBalance:
    r"""Return where the function and the balance stand still together.

    On the orbits of (UR, R⁻¹W) Γ depends on V = UW alone, but V itself is moved by
    weight decay: with M = E[rxᵀ], dU/dt = −2(MWᵀ + γU) and dW/dt = −2(UᵀM + γW) give

    .. math::
        \tfrac12 \dot V = -(UU^\top M + M W^\top W + 2\gamma V),

    to leading order in η (the displacement of V by its own noise is of order η beyond
    it). Both Ė = 0 and WΓ_W(V)Wᵀ = UᵀΓ_U(V)U, Γ = Γ⁰(V) + (γS/η)I, are solved at once
    by Newton's method, with steps of least norm across the
    O(d) that leaves them as they are. Steps of V alone, balanced anew after each, bring
    it near. For γ = 0 V is a stationary point of L among the matrices of rank ≤ d.
    There may be several: the start decides. Singular values that decay outweighs go to
    0, and with them their rows of U and W.

    Args:
        net: the start, one replica; a trained net is best.
        x: inputs, shape (N, d_x).
        y: targets, shape (N, d_y).
        lr: learning rate η > 0.
        batch: batch size S ≥ 1.
        gamma: weight decay γ ≥ 0 of γ‖θ‖².
        tolerance: the largest of both residuals that counts as solved.
        max_steps: the most steps of V.

    Returns:
        The pair.

    Raises:
        ShapeError: for shapes that do not fit.
        ValueError: for settings out of range.
        NoBalanceError: where the start has no finite balance.
        ArithmeticError: where the equations are not solved; so at the edge where decay
            only just takes a singular value of V to 0, since U and W are not smooth
            there.

    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(200, 1))
    >>> y = 2 * x + rng.normal(size=(200, 1))
    >>> net = LinearNet(np.ones((1, 1)), np.ones((1, 1)))
    >>> found = stationary_balance(net, x, y, lr=0.01, gamma=0.3)
    >>> shrunk = ((x * y).mean() - 0.3) / (x**2).mean()
    >>> bool(abs((found.U @ found.W).item() - shrunk) < 1e-12)
    True
    """
    noise = noise_polynomial(x, y)
    if net.U.ndim != 2 or (net.U.shape[0], net.W.shape[-1]) != noise.reference.shape:
        raise ShapeError(
            f"expected one replica with d_y, d_x = {noise.reference.shape}, got U "
            f"{net.U.shape} and W {net.W.shape}"
        )
    problem = _Problem(noise, lr, batch, gamma)
    here = problem.balanced(net)
    for steps in range(max_steps + 1):
        residuals = problem.residuals(here)
        if residuals[0] <= _CLOSE:
            polished = _newton(problem, here)
            residuals = problem.residuals(polished)
            if max(residuals) <= tolerance:
                moments = noise.at(polished.U @ polished.W)
                return StationaryBalance(
                    polished.U, polished.W, moments, *residuals, steps
                )
        here = _shifted(problem, here)
    V = here.U @ here.W
    raise ArithmeticError(
        f"expected both residuals at most {tolerance:g}, got {residuals[0]:.2g} for "
        f"the function and {residuals[1]:.2g} for the balance after {max_steps} steps; "
        f"start from a trained net, or lower gamma or the width where decay takes a "
        f"singular value of UW to 0 (the least of {min(V.shape)} is "
        f"{np.linalg.svd(V, compute_uv=False)[-1]:.2g})"
    )


def _shifted(problem: _Problem, net: LinearNet) -> LinearNet:
    """Return the balanced pair after a step of V with UUᵀ and WᵀW held.

    The step solves UUᵀ(M + δVΣ) + (M + δVΣ)WᵀW + 2γ(V + δV) = 0 on the tangents
    δV = δU W + U δW, where the left-hand side is positive: it follows the flow of V,
    and like it leaves saddles. V + δV is cut to rank d.
    """
    U, W, d = net.U, net.W, net.U.shape[1]
    E = problem.equations(U, W)[0]
    dV = _directions(U, W)
    pull = dV @ problem.noise.first[: W.shape[1]]
    rows = U @ U.T @ pull + pull @ W.T @ W + 2 * problem.gamma * dV
    flat = rows.reshape(len(rows), -1)
    step = np.linalg.lstsq(flat.T, -E.ravel(), rcond=64 * len(rows) * _EPS)[0]
    L, s, Q = np.linalg.svd(U @ W + np.tensordot(step, dV, axes=1), full_matrices=False)
    roots = np.sqrt(s[:d])
    # As near to the pair before as an orthogonal matrix brings it.
    new_U, new_W = L[:, :d] * roots, roots[:, None] * Q[:d]
    left, _, right = np.linalg.svd(new_U.T @ U + new_W @ W.T, full_matrices=False)
    F = left @ right
    return problem.balanced(LinearNet(new_U @ F, F.T @ new_W))


def _directions(U: _Floats, W: _Floats) -> _Floats:
    """Return δU W + U δW for each entry of U, then of W."""
    both = np.eye(U.size + W.size)
    dU = both[:, : U.size].reshape(-1, *U.shape)
    dW = both[:, U.size :].reshape(-1, *W.shape)
    return np.asarray(dU @ W + U @ dW)


def _newton(problem: _Problem, net: LinearNet) -> LinearNet:
    """Return the best of a few full Newton steps on both equations at once.

    They may not take V so far that one of its singular values could have vanished.
    """
    height = max(problem.residuals(net))
    V = net.U @ net.W
    values = np.linalg.svd(V, compute_uv=False)[: net.U.shape[1]]
    reach = 0.5 * float(values.min(initial=np.inf))
    for _ in range(_POLISH):
        E, D, sizes = problem.equations(net.U, net.W)
        dE, dD = problem.jacobian(net.U, net.W)
        scale = np.where(sizes > 0, sizes, 1.0)
        rows = np.hstack(
            [dE.reshape(len(dE), -1) / scale[0], dD.reshape(len(dD), -1) / scale[1]]
        )
        values = np.concatenate([E.ravel() / scale[0], D.ravel() / scale[1]])
        step = np.linalg.lstsq(rows.T, -values, rcond=64 * len(rows) * _EPS)[0]
        split = net.U.size
        new = LinearNet(
            net.U + step[:split].reshape(net.U.shape),
            net.W + step[split:].reshape(net.W.shape),
        )
        lower = max(problem.residuals(new))
        if not lower < height or not np.linalg.norm(new.U @ new.W - V) <= reach:
            break
        net, height = new, lower
    return net


def _relative(E: _Floats, D: _Floats, sizes: _Floats) -> tuple[float, float]:
    pairs = zip((E, D), sizes, strict=True)
    first, second = (float(np.linalg.norm(m) / s) if s else 0.0 for m, s in pairs)
    return first, second


def _T(matrix: _Floats) -> _Floats:  # noqa: N802 - transposition
    return np.swapaxes(matrix, -1, -2)
