"""Routes for the worked shift: a hierarchy of exact moments, and the SDE simulated."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from functools import lru_cache
from itertools import product

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._broken_expansion import Kept, closed_form, curvature_along
from verify._routes._broken_response import (
    Averages,
    Response,
    averages,
    rescaling_case,
    solve,
    worked_example,
)
from verify._scope import THEORY, only_about
from verify._statistics import empirical_bernstein_radius


Array = NDArray[np.float64]
Poly = dict[tuple[int, int], Fraction]  # exponents of (δ_u, δ_w) → coefficient


# --- moments of the SDE for ℓ₁ = (uwx − y)², ℓ₂ cubic, Q constant -------------------


def times(p: Poly, q: Poly) -> Poly:
    """Return pq."""
    found: Poly = {}
    for (a, b), c in p.items():
        for (d, e), f in q.items():
            key = (a + d, b + e)
            found[key] = found.get(key, Fraction(0)) + c * f
    return found


def plus(*terms: tuple[Fraction | int, Poly]) -> Poly:
    """Return Σ c·p."""
    found: Poly = {}
    for c, p in terms:
        for key, value in p.items():
            found[key] = found.get(key, Fraction(0)) + c * value
    return found


def slope(p: Poly, i: int) -> Poly:
    """Return ∂p/∂δ_i."""
    found: Poly = {}
    for key, c in p.items():
        if key[i]:
            lower = (key[0] - 1, key[1]) if i == 0 else (key[0], key[1] - 1)
            found[lower] = c * key[i]
    return found


def moments(
    case: Response, sigma2: Fraction, degree: int = 4
) -> dict[tuple[int, int], Fraction]:
    """Solve E[𝓛φ] = 0 for all monomials φ up to a degree; higher moments are dropped.

    𝓛φ = −∇L·∇φ + σ²Tr[Σ∇²φ] with the full L and Σ(θ), nothing expanded. What is
    dropped is O(σ^{degree+2}).

    Args:
        case: made by `rescaling_case`.
        sigma2: σ².
        degree: the highest degree kept.

    Returns:
        Exponents → moment.
    """
    (a, b), one = case.star, Fraction(1)
    U: Poly = {(0, 0): a, (1, 0): one}
    W: Poly = {(0, 0): b, (0, 1): one}
    f = plus((1, times(U, W)), (-a * b, {(0, 0): one}))
    loss = plus(
        (case.stiffness[0][0] / 2, times(f, f)), (case.zeta, _second_loss(case))
    )
    drift = [slope(loss, i) for i in range(2)]
    noise = case.noise[0][0]
    Sigma = [[times(p, q) for q in (W, U)] for p in (W, U)]
    keys = [(i, k - i) for k in range(1, degree + 1) for i in range(k + 1)]
    rows, right = [], []
    for key in keys:
        phi: Poly = {key: one}
        image = plus(*((-1, times(drift[i], slope(phi, i))) for i in range(2)))
        for i in range(2):
            for j in range(2):
                bent = slope(slope(phi, i), j)
                image = plus((1, image), (sigma2 * noise, times(Sigma[i][j], bent)))
        rows.append([image.get(other, Fraction(0)) for other in keys])
        right.append(-image.get((0, 0), Fraction(0)))
    return dict(zip(keys, solve(rows, right), strict=True))


def _second_loss(case: Response) -> Poly:
    found: Poly = {}
    for i, j in product(range(2), repeat=2):
        _put(found, (i, j), case.hessian[i][j] / 2)
        for k in range(2):
            _put(found, (i, j, k), case.cubic[i][j][k] / 6)
    return found


def _put(p: Poly, indices: tuple[int, ...], c: Fraction) -> None:
    powers = (indices.count(0), indices.count(1))
    p[powers] = p.get(powers, Fraction(0)) + c


_SMALL = Fraction(1, 10**8)  # σ²
_CLOSE = Fraction(1, 10**10)  # what is left after extrapolation is O(σ⁴)


@lru_cache(maxsize=32)
def moment_averages(case: Response) -> Averages:
    """Return the averages over σ² from the moments, extrapolated to σ² = 0."""
    found = [_averages(case, moments(case, s), s) for s in (_SMALL, _SMALL / 2)]
    coarse, fine = (
        [getattr(each, field.name) for field in fields(Averages)] for each in found
    )
    return Averages(*(2 * b - a for a, b in zip(coarse, fine, strict=True)))


def _averages(
    case: Response, found: dict[tuple[int, int], Fraction], sigma2: Fraction
) -> Averages:
    first = (found[1, 0], found[0, 1])
    second = ((found[2, 0], found[1, 1]), (found[1, 1], found[0, 2]))
    t, A, H = case.tangent, case.A, case.hessian
    both = tuple(product(range(2), repeat=2))
    force = sum(first[i] * H[i][j] * t[j] for i, j in both)
    square = sum(second[i][j] * H[i][j] * A[j] for i, j in both)
    bend = sum(
        case.cubic[k][i][j] * second[i][j] * t[k] / 2 for i, j in both for k in range(2)
    )
    along = sum(first[i] * t[i] for i in range(2))
    spread = sum(second[i][i] * A[i] for i in range(2))
    noise = sum(case.sigma[i][i] * A[i] for i in range(2))
    return Averages(
        force=force / sigma2,
        square=square / sigma2,
        bend=bend / sigma2,
        noise=Fraction(noise),
        shift=(2 * along + spread) / sigma2,
        spread=spread / sigma2,
        along=along / sigma2,
    )


def _moment_cases() -> tuple[Response, ...]:
    """Return rescaling cases, the last two with Aθ* an eigenvector of ∇²ℓ₂."""
    one, two, three = Fraction(1), Fraction(2), Fraction(3)
    none = ((one * 0,) * 2,) * 2
    bent = (((two, one), (one, -one)), ((one, -one), (-one, three)))
    general = ((three, one), (one, two))
    round_ = ((two, 0 * one), (0 * one, two))
    return (
        worked_example(),
        rescaling_case((two, one), two, one, general, bent, one),
        rescaling_case((one, one), one, one, ((three, two), (two, three)), bent, two),
        rescaling_case((two, one), one, two, round_, (none, none), three),
        rescaling_case((one, two), one / 2, one, round_, bent, one),
    )


@only_about(THEORY)
def kept_moments(subject: Kept, context: Context) -> Evidence:
    """Compare both sides from the hierarchy of the full SDE, nothing expanded.

    Returns:
        The evidence.
    """
    route = "moment hierarchy"
    cases = [
        case
        for case in _moment_cases()
        if subject.part == "force" or curvature_along(case) is not None
    ]
    for case in cases:
        found = moment_averages(case)
        left = subject.left(found, case.zeta)
        right = subject.right(found, case.zeta, curvature_along(case))
        if not abs(left - right) <= _CLOSE * (1 + abs(left)):
            return Evidence(
                route,
                Verdict.REFUTED,
                "The stationary moments of the SDE disagree.",
                instances=len(cases),
                counterexample=Witness(
                    case.describe(),
                    f"{float(left):.9g}",
                    f"{float(right):.9g}",
                    exact=False,
                ),
            )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        "Both sides agree as σ² → 0, from moments of the full SDE at σ² = 10⁻⁸.",
        instances=len(cases),
        tolerance=float(_CLOSE),
        detectable=float(_CLOSE),
    )


# --- the worked example, simulated --------------------------------------------------

_STEP, _SIGMA2, _BURN, _WINDOW, _CLIP = 0.02, 1.0e-4, 150, 350, 2.0
_SHARP = 0.11  # the discrepancy that matters: 17/147, the whole shift


@only_about(THEORY)
def example_simulated(subject: Fraction, context: Context) -> Evidence:
    """Measure (E C − C*)/σ² at ζ = 1 by Euler–Maruyama, extrapolated in the step.

    Pairs of trajectories with opposite noise cancel what is of order σ; paths of steps
    h and h/2 with the same noise cancel what is of order h. What is left of the step is
    bounded by that of the linear response of the Euler chains, in rationals. Values
    beyond ±2, more than eight standard deviations, are cut.

    Returns:
        The evidence, at the level of the context.
    """
    route = "Euler–Maruyama"
    pairs = 64 * context.profile.replicas
    values = np.clip(_simulated(pairs, context) / _CLIP, -1, 1) / 2 + 0.5
    spread = float(np.var(values, ddof=1))
    radius = empirical_bernstein_radius(spread, pairs, context.alpha / 2)
    measured, radius = 2 * _CLIP * (float(values.mean()) - 0.5), 2 * _CLIP * radius
    margin = radius + 2 * abs(_step_bias())
    wanted = float(subject) * float(closed_form(sp.S.One))
    if not abs(measured - wanted) <= margin:
        return Evidence(
            route,
            Verdict.REFUTED,
            "The shift measured excludes the one claimed.",
            instances=pairs,
            alpha=context.alpha,
            counterexample=Witness(
                {"zeta": "1", "sigma2": str(_SIGMA2), "steps": f"{_STEP}, {_STEP / 2}"},
                f"{measured:.4f} +- {margin:.4f}",
                f"{wanted:.4f}",
                exact=False,
            ),
        )
    return Evidence(
        route,
        Verdict.SUPPORTED if margin < _SHARP else Verdict.INCONCLUSIVE,
        f"(E C − C*)/σ² = {measured:.4f} ± {margin:.4f}; claimed {wanted:.4f}.",
        instances=pairs,
        alpha=context.alpha,
        detectable=margin,
    )


def _step_bias() -> float:
    """Return what extrapolation from h and h/2 leaves of the step, to order σ²."""
    case, h = worked_example(), Fraction(_STEP).limit_denominator(1000)
    coarse, fine, none = (averages(case, step).shift / 2 for step in (h, h / 2, 0 * h))
    return float(2 * fine - coarse - none)


def _simulated(pairs: int, context: Context) -> Array:
    """Return the extrapolated average of (C − C*)/σ² for each antithetic pair."""
    rng = context.rng("broken")
    state = {half: np.ones((2, 2, pairs)) for half in (False, True)}
    total = {half: np.zeros(pairs) for half in (False, True)}
    sign = np.array([[1.0], [-1.0]])
    scale = np.sqrt(_SIGMA2 * _STEP)  # √(2σ²h/2), for half a step
    for k in range(_BURN + _WINDOW):
        kicks = [sign * (scale * rng.standard_normal(pairs)) for _ in range(2)]
        state[False] = _euler(state[False], kicks[0] + kicks[1], _STEP)
        for kick in kicks:
            state[True] = _euler(state[True], kick, _STEP / 2)
        if k >= _BURN:
            for half, (u, w) in state.items():
                total[half] += ((u - w) * (u + w)).mean(axis=0)
    return (2 * total[True] - total[False]) / (2 * _WINDOW * _SIGMA2)


def _euler(state: Array, kick: Array, step: float) -> Array:
    """Take a step. x = 1 and y = 0, 2: g = 2(uw − y)(w, u), Σ = 4(w, u)(w, u)ᵀ."""
    u, w = state
    r = 2 * (u * w - 1)
    return np.stack(
        (
            u - step * (r * w + 4 * (u - 1)) + 2 * kick * w,
            w - step * (r * u + (w - 1)) + 2 * kick * u,
        )
    )
