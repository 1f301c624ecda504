"""P1 v3's additions and §4.4: verdicts, examples by hand, assumptions, faults."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import exp, log
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbolic import Verdict
from tests.faults import alter
from verify._campaign import _check
from verify._claim import Claim
from verify._claims import (
    _p1_broken_larger,
    _p1_eq20,
    _p1_sde_gap,
    _p1_v3_bounds,
    _p1_v3_deep,
    _p1_v3_orbit,
    _p1_v3_step,
    _p1_v3_tracking,
)
from verify._context import PROFILE_SIZES, Context, Profile
from verify._evidence import Evidence
from verify._routes import (
    _broken_expansion as expansion,
    _broken_larger as larger,
    _broken_moments as of_moments,
    _broken_response as response,
    _v3_bounds as bounds,
    _v3_deep as deep,
    _v3_deep_form as deep_form,
    _v3_discrete as discrete,
    _v3_orbit_cases as cases,
    _v3_rate as rate,
    _v3_tracking as tracking,
)
from verify._routes._broken_expansion import Kept
from verify._routes._v3_bounds import Ends
from verify._routes._v3_discrete import Gap
from verify._routes._v3_rate import Rate
from verify._routes._v3_tracking import Ceiling


TINY = Profile("tiny", exact=8, ensembles=1, replicas=64, steps=20)
F = Fraction
R = Verdict.REFUTED
Route = Callable[[Any, Context], Evidence]
CLAIMS: tuple[Claim, ...] = (
    *_p1_v3_orbit.CLAIMS,
    *_p1_v3_bounds.CLAIMS,
    *_p1_v3_tracking.CLAIMS,
    *_p1_v3_step.CLAIMS,
    *_p1_v3_deep.CLAIMS,
    *_p1_eq20.CLAIMS,
    *_p1_broken_larger.CLAIMS,
    *_p1_sde_gap.CLAIMS,
)


def context(claim: str = "v3") -> Context:
    return Context(TINY, 0, claim, None, shrink=False)


@pytest.mark.slow  # the report of every change runs seed 0
@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_comes_out_as_expected(claim: Claim, seed: int) -> None:
    result = _check(claim, PROFILE_SIZES["quick"], seed, None)

    assert result.as_expected
    assert not result.disagreement
    if claim.expected is R:
        assert sum(e.verdict is R for e in result.evidence) >= 2


def test_pairs_and_assumptions() -> None:
    known = {claim.id: claim for claim in CLAIMS}
    for claim in CLAIMS:
        assert claim.assumptions
        if claim.form == "corrected":
            assert known[str(claim.amends)].expected is R
        if claim.expected is R:
            assert "By hand" in claim.note
            assert f"{claim.id}.corrected" in known


# --- altered statements --------------------------------------------------------------

ZERO, HALF, ONE, TWO = F(0), F(1, 2), F(1), F(2)
NEAR = F(201, 100)
ALTERED: tuple[tuple[Route, Any], ...] = (
    *(
        (route, subject)
        for route in (bounds.ends_exact, bounds.ends_on_losses)
        for subject in (
            Ends("rate", (NEAR, TWO)),
            Ends("rate", (TWO, F(5, 2))),
            Ends("charge", charge=(F(9, 10), ONE)),
            Ends("charge", charge=(ONE, F(9, 10))),
            Ends("ratio", (F(9, 4), F(9, 4))),
            Ends("ratio", charge=(ONE, HALF)),
        )
        if not (route is bounds.ends_on_losses and NEAR in subject.noise)
    ),
    *((rate.rate_exact, Rate(scope, NEAR)) for scope in ("unit", "damped")),
    (tracking.ceiling_exact, Ceiling(ONE, F(1, 3), 1)),
    (tracking.ceiling_exact, Ceiling(HALF, ONE, 1)),
    (tracking.ceiling_exact, Ceiling(ONE, ONE, 2)),
    (tracking.ceiling_symbolic, Ceiling(ONE, F(1, 3), 1)),
    (tracking.ceiling_symbolic, Ceiling(HALF, ONE, 1)),
    (tracking.ceiling_symbolic, Ceiling(ONE, ONE, 2)),
    (tracking.tracking_symbolic, F(1, 3)),
    (discrete.trace_words, -1),
    (discrete.trace_exact, -1),
    (discrete.trace_words, 0),
    (discrete.step_law_exact, -ONE),
    *(
        (route, Gap(*factors))
        for route in (discrete.gap_words, discrete.gap_exact)
        for factors in ((HALF, ZERO), (ZERO, F(4)), (HALF, TWO), (ONE, F(4)))
    ),
    (deep.one_step_words, F(-4)),
    (deep.one_step_exact, F(8)),
    *(
        (route, Kept(part, *factors))
        for route in (
            expansion.kept_exact,
            expansion.kept_symbolic,
            of_moments.kept_moments,
        )
        for part in ("force", "along", "shift")
        for factors in ((ONE, ZERO), (ZERO, ONE), (HALF, ONE), (-ONE, ONE))
    ),
    (expansion.kept_exact, Kept("shift", ONE, ONE, HALF)),
    (expansion.kept_symbolic, Kept("shift", ONE, ONE, HALF)),
    (expansion.example_exact, F(11, 10)),
    (expansion.example_symbolic, F(11, 10)),
    (of_moments.example_simulated, TWO),
)


@pytest.mark.parametrize(("route", "subject"), ALTERED)
def test_altered_statements_are_refuted(route: Route, subject: Any) -> None:
    assert route(subject, context()).verdict is R


@pytest.mark.parametrize(
    "subject",
    [
        Ends("rate", (NEAR, TWO)),
        Ends("charge", charge=(F(9, 10), ONE)),
        Ends("ratio", (TWO, F(9, 4))),
    ],
)
def test_terms_beyond_the_bound_are_not_proved(subject: Ends) -> None:
    assert bounds.ends_terms(subject, context()).verdict is Verdict.INCONCLUSIVE


def test_other_factors_of_the_rate_are_not_proved() -> None:
    for scope in ("unit", "damped"):
        found = rate.rate_symbolic(Rate(scope, NEAR), context())
        assert found.verdict is Verdict.INCONCLUSIVE


# --- seeded faults in the routes' own formulas ---------------------------------------

FAULTS: tuple[tuple[Any, str, str, Route, Any], ...] = (
    (cases.OrbitCase.t, "** (2 * m)", "** (-2 * m)", bounds.ends_exact, Ends("charge")),
    (cases.OrbitCase.s, "** (-2 * m)", "** (2 * m)", bounds.ends_exact, Ends("rate")),
    (bounds.ends_of, "case.t(here)", "case.t()", bounds.ends_exact, Ends("ratio")),
    (
        bounds.terms_at,
        "/ -4",
        "/ -2",
        bounds.ends_terms,
        Ends("charge"),
    ),
    (
        tracking.Pursuit.second_moments,
        "(2 * kappa)",
        "kappa",
        tracking.ceiling_exact,
        Ceiling(ONE, HALF, 1),
    ),
    (
        deep._printed,
        "e2 * fed[a] * fed[b] -",
        "h2 * fed[a] * fed[b] -",
        deep.neighbours_exact,
        "at minima",
    ),
    (
        deep_form.singular_values,
        "for trace in (trace_x, trace_eps)",
        "for trace in (trace_eps, trace_x)",
        deep_form.deep_form_exact,
        "corrected",
    ),
    (
        deep_form.singular_values,
        "sp.sqrt(trace_x * trace_eps)) **",
        "sp.sqrt(trace_x + trace_eps)) **",
        deep_form.deep_form_symbolic,
        "corrected",
    ),
    (
        response.Response.third,
        "+ g[j][c] * F[k][a][b]",
        "",
        expansion.kept_exact,
        Kept("force"),
    ),
    (
        response.averages,
        "transposed, P",
        "HA, HA",
        expansion.kept_exact,
        Kept("force"),
    ),
    (
        of_moments.moments,
        "(-1, times(drift[i]",
        "(1, times(drift[i]",
        of_moments.kept_moments,
        Kept("force"),
    ),
    (
        of_moments._euler,
        "4 * (u - 1)",
        "(u - 1)",
        of_moments.example_simulated,
        ONE,
    ),
    (
        discrete.minibatches,
        "repeat=size",
        "repeat=1",
        discrete.gap_exact,
        Gap(HALF, F(4)),
    ),
)


@pytest.mark.parametrize(("function", "old", "new", "route", "subject"), FAULTS)
def test_a_seeded_fault_is_seen(
    monkeypatch: pytest.MonkeyPatch,
    function: Any,
    old: str,
    new: str,
    route: Route,
    subject: Any,
) -> None:
    of_moments.moment_averages.cache_clear()
    alter(monkeypatch, function, old, new)
    try:
        assert not route(subject, context("fault")).verdict.holds
    finally:
        of_moments.moment_averages.cache_clear()


# --- examples by hand ----------------------------------------------------------------


def test_lemmas_b3_and_b4_by_hand() -> None:
    """ℓ = (uw − y)², y = 0, 2, with a spectator v: θ = (1/2, 2, 4), θ* = (1, 1, 2)."""
    distance = (F(1 - 1 - 4) - (F(1, 4) - 4 - 16)) / 2  # of ½(u² − w² − v²)
    gradients = [(2 * (1 - y) * 2, 2 * (1 - y) * F(1, 2)) for y in (0, 2)]
    speed = sum(F(a * a - b * b) for a, b in gradients) / 2  # the mean is 0

    assert distance == F(63, 8)
    assert 2 * log(2) < 63 / 8  # B.3: 2·t₊*·ln 2 with t₊* = 1
    assert speed == 15
    assert speed < 4 * distance  # B.4: σ²Tr[Σ*A₊²]/t₊* = 4σ²


def test_no_rate_for_unequal_eigenvalues() -> None:
    """ℓ = ((u² + v²)w/8 − y)², y = 1, 3: at (1, 1, 8) against (2, 2, 2)."""
    u, v, w = 1, 1, 8
    r = F((u**2 + v**2) * w, 8) - 1
    assert r == 1
    g = (2 * r * F(u * w, 4), 2 * r * F(v * w, 4), 2 * r * F(u**2 + v**2, 8))
    speed = g[0] ** 2 + g[1] ** 2 - 2 * g[2] ** 2
    distance = F(4 + 4 - 2 * 4, 2) - F(u**2 + v**2 - 2 * w**2, 2)

    assert (speed, 2 * distance) == (F(63, 2), F(126))
    ratios = [
        cases.on_square(q).rate / cases.on_square(q).distance
        for q in (F(2), F(8), F(64))
    ]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < F(1, 1000)


def test_lemma_b5_by_hand() -> None:
    """dX = −8X dt − dW: Euler steps h → 0 have the variance h/(1 − (1 − 8h)²)."""
    limits = [h / (1 - (1 - 8 * h) ** 2) for h in (1e-3, 1e-6)]

    assert limits[-1] == pytest.approx(1 / 16, rel=1e-4)
    assert limits[-1] > 1 / 128


@pytest.mark.parametrize("nu", [0.0, 0.5, 1.0])
def test_the_pair_is_drawn_from_its_law(nu: float) -> None:
    """Long pieces against many short Euler steps of the covariance."""
    kappa, tau, n = 2.0, 0.7, 200_000
    (fade, pulled, left), cov = tracking._transition(np.array([kappa]), nu, tau)
    h = tau / n
    M = np.eye(2) + h * np.array([[-kappa, nu], [0.0, -nu]])
    drift = np.linalg.matrix_power(M, n)
    E, Q, power = np.zeros((2, 2)), h * np.array([[1.0, -1.0], [-1.0, 1.0]]), M
    E, k = Q, 1
    while k < n:  # doubling
        E, power, k = E + power @ E @ power.T, power @ power, 2 * k
    short = tau * k / n
    _, exact = tracking._transition(np.array([kappa]), nu, short)

    assert drift == pytest.approx(
        np.array([[fade[0], pulled[0]], [0.0, left]]), rel=1e-4, abs=1e-6
    )
    assert float(E[1, 1]) == pytest.approx(float(exact[0]), rel=1e-4)
    assert float(E[0, 1]) == pytest.approx(float(exact[1][0]), rel=1e-4)
    assert float(E[0, 0]) == pytest.approx(float(exact[2][0]), rel=1e-4)
    assert len(cov) == 3


def test_theorem_54_by_hand() -> None:
    """D = 3, width 1, Σ_x = Σ_ε = 4, V = 2: (1, 2, 1) multiplies to 2, unbalanced."""
    S = sp.Integer(8)
    outer, middle = S ** sp.Rational(-1, 6) * sp.sqrt(S), S ** sp.Rational(1, 3)
    layers = [sp.simplify(outer) / 2, middle, sp.simplify(outer) / 2]

    assert layers == [1, 2, 1]
    # g_i = 2rx·w₁w₂w₃/w_i: w_i² moves by the variance of g_i, ∝ 1/w_i².
    assert len({(2 / W) ** 2 for W in layers}) == 2
    right = deep_form.singular_values("corrected", (S,), sp.S(4), sp.S(4), 3)
    scaled = [right.first[0] / 2, right.middle, right.last[0] / 2]
    assert len({sp.simplify(W) for W in scaled}) == 1


def lyapunov(K: Any, N: Any) -> Any:
    n = len(K)
    flat = np.kron(K, np.eye(n)) + np.kron(np.eye(n), K)
    return np.linalg.solve(flat, N.reshape(-1)).reshape(n, n)


def responded(loss: sp.Expr, noise: list[sp.Expr], at: dict[sp.Symbol, int]) -> Any:
    """P and m of a loss and of noise fields z_j f_j, differentiated by sympy."""
    x = list(at)
    K = np.array(sp.hessian(loss, x).subs(at), dtype=float)
    G = np.array([[f.diff(s).subs(at) for s in x] for f in noise], dtype=float)
    P = lyapunov(K, 2 * G.T @ G)
    bend = [
        (np.array(sp.hessian(loss.diff(s), x).subs(at), dtype=float) * P).sum() / 2
        for s in x
    ]
    return P, -np.linalg.solve(K, bend)


@pytest.mark.parametrize("zeta", [0.5, 1.0, 3.0])
def test_worked_example_by_another_code(zeta: float) -> None:
    u, w = sp.symbols("u w", positive=True)
    loss = (u * w - 1) ** 2 + zeta * (4 * (u - 1) ** 2 + (w - 1) ** 2) / 2
    P, m = responded(loss, [2 * u * w], {u: 1, w: 1})
    shift = m[0] - m[1] + (P[0, 0] - P[1, 1]) / 2

    assert shift == pytest.approx(float(expansion.closed_form(sp.Float(zeta))))
    if zeta == 1:
        assert shift == pytest.approx(17 / 147)


def test_a_larger_charge_by_another_code() -> None:
    """The invariants differentiated by sympy: A = diag(1, 20, 1), and the cubic ℓ₂."""
    a, b, c = sp.symbols("a b c", positive=True)
    f1, f2 = a / c, b / c**20
    at = {a: 0, b: 0, c: 1}
    loss = (f1 + f2) ** 2 / 2 + (a**2 + b**2 + (c - 1) ** 2) / 2
    P, m = responded(loss, [f1], at)
    shift = 2 * m[2] + P[0, 0] + 20 * P[1, 1] + P[2, 2]
    assert shift == pytest.approx(-0.25)
    valley = ((a - 1 + b**2) ** 2 + b**2) / 2
    P, m = responded(valley, [a * b / (a**2 + b**2)], {a: 1, b: 0})
    assert 2 * m[0] + P.trace() == pytest.approx(-1.0)
    assert P.trace() == pytest.approx(1.0)
    for drawn in context().draw(response.responses(), 6, "bounded"):
        P_exact, _ = drawn.solve()
        assert all(P_exact[i][i] >= 0 for i in range(len(drawn.A)))


def test_moments_and_response_agree() -> None:
    for case in of_moments._moment_cases():
        exact, seen = response.averages(case), of_moments.moment_averages(case)
        for name in ("force", "square", "bend", "noise", "shift", "spread", "along"):
            assert float(getattr(seen, name)) == pytest.approx(
                float(getattr(exact, name)), abs=1e-9
            )


# --- what breaks without the assumptions ---------------------------------------------


def test_without_a_symmetric_matrix_the_form_may_fall() -> None:
    A, theta = sp.Matrix([[1, -4], [0, 1]]), sp.Matrix([2, 1])
    slope = (theta.T * (A + A.T) / 2 * A * theta)[0, 0]

    assert slope == -3
    assert A * sp.zeros(2, 1) == sp.zeros(2, 1)  # Aθ = 0: a single point


def test_decay_only_helps_the_lower_bounds() -> None:
    for case in context().draw(cases.orbit_cases(), 20, "decay"):
        sign = 1 if case.q > 1 else -1
        pairs = zip(case.mu, case.t(), strict=True)
        added = sum(2 * m * t * (1 - case.q ** (-2 * m)) for m, t in pairs)
        assert sign * added >= 0


def test_without_a_rate_or_a_steady_target_nothing_is_followed() -> None:
    still = [tracking._transition(np.array([1e-12]), 0.0, t)[1][2][0] for t in (1, 100)]
    assert still == pytest.approx([1.0, 100.0], rel=1e-2)
    found = tracking.tracking_symbolic(ONE, context())
    assert found.counterexample is not None
    assert found.counterexample.left.endswith("1/2")


def test_decay_and_fitted_samples_break_the_discrete_theorem() -> None:
    eta, gamma, theta = F(1, 4), ONE, F(3)
    assert ((1 - 2 * eta * gamma) * theta) ** 2 != theta**2
    u, w, y = F(1), F(2), F(2)
    assert 2 * (u * w - y) == 0  # ∇ℓ = 2(uw − y)(w, u), at every point of the orbit
    assert discrete.step_falls_exact("always", context()).verdict is R


def test_away_from_minima_the_printed_moments_do_not_balance() -> None:
    w1, w2 = 2, 1
    r = w2 * w1 - 0
    assert (w2**2 * r**2, w1**2 * r**2) == (4, 16)
    found = deep.neighbours_exact("anywhere", context())
    assert found.counterexample is not None
    assert found.counterexample.left == "moves at 0"


def test_noise_that_depends_on_the_input_has_another_balance() -> None:
    """x = 1, ε = ±e₁ or x = 2, ε = ±e₂: W²E[x²‖ε‖²] = 5/2·W², U²E[x²ε₁²] = ½U²."""
    data = [(1, (s, 0)) for s in (1, -1)] + [(2, (0, s)) for s in (1, -1)]
    upper = F(sum(x * x * e[0] ** 2 for x, e in data), 4)
    lower = F(sum(x * x * (e[0] ** 2 + e[1] ** 2) for x, e in data), 4)
    S_x = F(sum(x * x for x, _ in data), 4)
    S_e = F(sum(e[0] ** 2 for _, e in data), 4)

    assert lower / upper == 5
    assert (2 * S_e * S_x) / (S_x * S_e) == 2


def test_without_concentration_the_expansion_fails() -> None:
    theta = sp.Symbol("theta", real=True)
    second = (theta**2 - 1) ** 2
    h, third = (second.diff(theta, k).subs(theta, 1) for k in (2, 3))
    first_moment, second_moment = sp.Rational(0 - 2, 2), sp.Rational(0 + 4, 2)

    assert h * first_moment == -8
    assert -(h + third / 2) * second_moment == -40


def test_unaligned_directions_have_no_single_curvature() -> None:
    assert expansion.curvature_along(response.worked_example()) is None
    assert expansion.curvature_along(response.pure_noise()) == 1


def test_coarse_steps_add_a_bias() -> None:
    case = response.worked_example()
    gap = response.averages(case, F(1, 50)).shift - response.averages(case).shift

    assert float(gap) / 2 == pytest.approx(0.07, abs=0.005)


def test_half_of_the_printed_shift() -> None:
    found = response.averages(response.pure_noise())

    assert (found.shift, 2 * found.noise) == (ONE, TWO)
    assert larger.larger_exact("isotropic", context()).verdict.holds


def test_without_replacement_the_gap_is_another() -> None:
    """ℓ = (uw − y)², y = 0, 4 at (1, 2), S = N = 2: ḡ = 0 and nothing moves."""
    gradients = [(2 * (2 - y) * 2, 2 * (2 - y) * 1) for y in (0, 4)]
    mean = [sum(g[i] for g in gradients) for i in range(2)]
    noise = F(sum(g[0] ** 2 - g[1] ** 2 for g in gradients), 2)

    assert mean == [0, 0]
    assert noise != 0  # so the gap is −σ²Tr[ΣA], not ½ηḡᵀAḡ = 0


def test_the_log_is_enclosed() -> None:
    for q in (F(1, 8), F(99, 100), F(2), F(8)):
        for terms in (1, 4, 16):
            low, high = cases.log_bounds(q, terms)
            assert exp(float(low)) <= float(q) * (1 + 1e-12)
            assert exp(float(high)) >= float(q) * (1 - 1e-12)
            assert low < high


def test_solve_refuses_singular_matrices() -> None:
    with pytest.raises(ValueError, match="expected a regular matrix"):
        response.solve([[ONE, ONE], [ONE, ONE]], [ONE, ONE])
