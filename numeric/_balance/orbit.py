"""The least Φ = γ‖θ‖² + (η/4S) Tr Σ on an orbit of GL(d₁) × … × GL(d_m)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._balance.local import (
    NEAR,
    Local,
    line_along,
    local_model,
    log_reach,
    spread_of,
)
from numeric._balance.ray import falling_ray, stabiliser
from numeric._balance.terms import OrbitTerm, sizes_of
from numeric._errors import ShapeError


_Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_FAR = 2.0  # |ln σ(R)| from which on the way taken tells where it leads
_EVERY = 3  # steps between two looks for a ray
_REACH = 30.0  # |ln σ(R)|: a condition number of P of e^{120} is no result


class OrbitStatus(Enum):
    """What was found; the values are the words to say so."""

    MINIMUM = "a minimum exists; Φ is least at P, to the tolerance asked for"
    UNBOUNDED = (
        "no minimum exists (to rounding): along P = exp(tX), X the `direction`, no "
        "term grows and some fall for ever. A parameter that neither decay nor noise "
        "holds back runs away: add weight decay, or noise of full rank"
    )
    UNDECIDED = (
        "neither a minimum nor a ray of descent could be shown in float64: the data "
        "are at the edge between the two, or too ill conditioned. Add weight decay"
    )


@dataclass(frozen=True, slots=True, eq=False)
class OrbitMinimum:
    """Where Φ is least on the orbit, or why it is nowhere.

    Attributes:
        status: what was found.
        R: R_i = P_i^{½}, symmetric positive definite: θ_R is the point of the orbit.
        P: P_i = R_iR_iᵀ; the last iterate where there is no minimum.
        value: Φ at P.
        gap: upper bound on Φ(P) − min Φ by geodesic convexity, up to rounding of Φ;
            infinite where no minimum was shown to exist.
        distance: upper bound on the length of the scaled geodesic from P to a minimum.
        residual: the largest ‖∇_iΦ‖, ∇_iΦ = Σ_left XXᵀ − Σ_right XᵀX, over the trace
            of the same with the signs all plus.
        free: dimensions along which Φ is constant; P is unique iff it is 0.
        steps: Newton steps taken.
        direction: X_i of the ray P_i = exp(tX_i); empty where there is none.
    """

    status: OrbitStatus
    R: tuple[_Floats, ...]
    P: tuple[_Floats, ...]
    value: float
    gap: float
    distance: float
    residual: float
    free: int
    steps: int
    direction: tuple[_Floats, ...] = ()

    @property
    def reason(self) -> str:
        """Return the status in words."""
        return self.status.value

    @property
    def converged(self) -> bool:
        """Return whether a minimum was found."""
        return self.status is OrbitStatus.MINIMUM


def minimise_on_orbit(
    terms: Sequence[OrbitTerm],
    *,
    start: Sequence[ArrayLike] | None = None,
    tolerance: float = 1e-10,
    max_steps: int = 200,
) -> OrbitMinimum:
    r"""Return where Φ = Σ terms is least over P_1, …, P_m ≻ 0.

    Every term is convex along the geodesics R e^{tX} Rᵀ of positive definite matrices
    (Kempf and Ness 1979), where it is a sum of exponentials with |Φ'''| ≤ ωΦ''.
    Newton's method in X with the least point along each step therefore falls at every
    step, ends quadratically, and certifies itself: once ω√δ < σ (decrement δ, least
    curvature σ²) a minimum exists, at a distance and a depth that are bounded.
    Directions that leave all terms as they are (d > rank, an R that acts twice) are
    told from the others and not moved along. Where no minimum exists, a direction is
    sought along which no term grows and the terms tend to a point off the orbit.

    Cost: a QR decomposition of (numbers in the compressed factors) × Σd_i(d_i+1)/2 at
    each step. For one P and terms Tr[AP] + Tr[BP⁻¹] the minimum is PAP = B.

    Args:
        terms: the terms of Φ; R are counted from 0 without a gap.
        start: the R_i to start from, invertible; the identity where it is None.
        tolerance: the residual up to which a minimum counts as found. Steps go on
            until rounding stops them.
        max_steps: the most Newton steps.

    Returns:
        The minimum, or a status that says why there is none.

    Raises:
        ShapeError: for sizes that do not fit each other.
        ValueError: for a start that is not finite and invertible, or max_steps < 1.

    >>> a, b = np.diag([1.0, 2.0]), np.diag([4.0, 1.0])
    >>> found = minimise_on_orbit([OrbitTerm(a, left=0), OrbitTerm(b, right=0)])
    >>> found.converged, np.round(found.P[0], 12).tolist()
    (True, [[4.0, 0.0], [0.0, 0.5]])
    """
    sizes = sizes_of(terms)
    R = _start(start, sizes)
    small = [term.compressed() for term in terms]
    if max_steps < 1:
        raise ValueError(f"max_steps: expected at least 1, got {max_steps}")
    previous, ray = np.inf, None
    for steps in range(max_steps):
        spread = spread_of(R)
        model = local_model(small, R, spread)
        if model.ratio < NEAR:
            if model.residual <= 4 * _EPS or model.residual > 0.5 * previous:
                if model.residual <= tolerance and _same(small, model, spread):
                    return _made(OrbitStatus.MINIMUM, R, model, steps)
                break
            previous = model.residual
        else:
            if steps % _EVERY == 0:
                ray = _ray(small, R, model)
            if ray is not None or log_reach(R) > _REACH:
                break
            previous = np.inf
        R = _moved(R, model)
    ray = ray or _ray(small, R, model)
    status = OrbitStatus.UNBOUNDED if ray else OrbitStatus.UNDECIDED
    return _made(status, R, model, steps, ray or ())


def _ray(
    terms: Sequence[OrbitTerm], R: list[_Floats], model: Local
) -> tuple[_Floats, ...] | None:
    """Return a ray to a point off the orbit, along Newton's step or the way taken."""
    ray = falling_ray(terms, R, model.step)
    if ray is not None or not log_reach(R) > _FAR:
        return ray
    pairs = [np.linalg.svd(each)[:2] for each in R]
    if min(float(values[-1]) for _, values in pairs) <= 0:
        return None
    X = [(L * np.log(values)) @ L.T for L, values in pairs]
    return falling_ray(terms, [np.eye(len(each)) for each in R], X)


def _same(terms: Sequence[OrbitTerm], model: Local, spread: float) -> bool:
    """Return whether directions that leave Φ as it is did so at the start already.

    At the end of a ray of descent too there are some, told from rounding by nothing
    else: the stabiliser is greater there.
    """
    return not model.free or stabiliser(model.terms, spread) == stabiliser(terms)


def _made(
    status: OrbitStatus,
    R: list[_Floats],
    model: Local,
    steps: int,
    direction: tuple[_Floats, ...] = (),
) -> OrbitMinimum:
    """Return the result at P = RRᵀ, with R turned into P^{½}."""
    roots = []
    for each in R:
        L, values, _ = np.linalg.svd(each)
        roots.append((L * values) @ L.T)
    return OrbitMinimum(
        status,
        tuple(roots),
        tuple(each @ each.T for each in R),
        model.value,
        model.gap,
        model.distance,
        model.residual,
        model.free,
        steps,
        direction,
    )


def _moved(R: list[_Floats], model: Local) -> list[_Floats]:
    """Return R e^{tX/2} with Newton's X, t = 1 near the minimum, else the least."""
    line = line_along(model, model.step)
    omega = float(np.abs(line.rates).max(initial=0.0))
    t = 1.0 if omega <= 0.1 else line.least()
    result = []
    for each, X in zip(R, model.step, strict=True):
        values, vectors = np.linalg.eigh(X)
        result.append(each @ (vectors * np.exp(0.5 * t * values)) @ vectors.T)
    return result


def _start(start: Sequence[ArrayLike] | None, sizes: tuple[int, ...]) -> list[_Floats]:
    """Return the R_i to start from.

    Raises:
        ShapeError: for other sizes.
        ValueError: where one is not finite and invertible.
    """
    if start is None:
        return [np.eye(d) for d in sizes]
    R = [np.array(each, np.float64) for each in start]
    if [each.shape for each in R] != [(d, d) for d in sizes]:
        raise ShapeError(
            f"start: expected square matrices of sizes {sizes}, got shapes "
            f"{[each.shape for each in R]}"
        )
    finite = all(np.isfinite(each).all() for each in R)
    if not finite or not spread_of(R) < 1 / _EPS:
        raise ValueError("start: expected finite invertible matrices")
    return R
