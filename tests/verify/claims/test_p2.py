"""P2's exact claims: verdicts, examples by hand, assumptions, faults."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

from symbolic import Verdict, catalogue
from tests.faults import alter
from verify._campaign import _check
from verify._claim import Claim
from verify._claims import (
    _p2_a3,
    _p2_balance,
    _p2_density,
    _p2_eq9,
    _p2_limits,
    _p2_moments,
    _p2_phases,
    _p2_posterior,
    _p2_rate,
    _p2_thm4_1,
)
from verify._context import PROFILE_SIZES, Context, Profile
from verify._evidence import Evidence
from verify._routes import (
    _diagonal_posterior as posterior,
    _stationary_balance as balance,
    _stationary_cases as cases,
    _stationary_deep as deep,
    _stationary_density as density,
    _stationary_mode as mode,
    _stationary_moments as moments,
    _stationary_pairs as pairs,
    _stationary_planck as planck,
    _stationary_quadrature as quadrature,
    _stationary_step as step,
    _stationary_variance as variance,
    _stationary_zero as zero,
)
from verify._routes._matrix_cases import M


TINY = Profile("tiny", exact=8, ensembles=1, replicas=64, steps=20)
F = Fraction
R = Verdict.REFUTED
Route = Callable[[Any, Context], Evidence]
CLAIMS: tuple[Claim, ...] = (
    *_p2_balance.CLAIMS,
    *_p2_rate.CLAIMS,
    *_p2_eq9.CLAIMS,
    *_p2_thm4_1.CLAIMS,
    *_p2_density.CLAIMS,
    *_p2_phases.CLAIMS,
    *_p2_moments.CLAIMS,
    *_p2_a3.CLAIMS,
    *_p2_limits.CLAIMS,
    *_p2_posterior.CLAIMS,
)


def context(claim: str = "p2") -> Context:
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


def test_a_declaration_is_not_what_they_are_about() -> None:
    mine = (catalogue()[0],)
    for claim in CLAIMS:
        found = _check(claim, TINY, 0, mine)
        assert found.verdict is Verdict.NOT_APPLICABLE


def test_pairs_and_assumptions() -> None:
    known = {claim.id: claim for claim in CLAIMS}
    assert len(known) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.assumptions
        if claim.form == "corrected":
            assert known[str(claim.amends)].expected is R
        if claim.expected is R:
            assert "By hand" in claim.note
            assert f"{claim.id}.corrected" in known


# --- altered statements, route by route ----------------------------------------------

TWO, HALF = F(2), F(1, 2)
ALTERED: tuple[tuple[Route, Any], ...] = (
    *(
        (route, law)
        for route in (density.flux_symbolic, density.flux_exact)
        for law in (
            density.Law(power=TWO),
            density.Law(noise=HALF),
            density.Law(pull=TWO),
            density.Law(decay="shifted"),
        )
    ),
    (moments.density_numeric, density.Law(noise=F(11, 10))),
    (moments.density_numeric, density.Law(pull=F(11, 10))),
    *(
        (route, density.Closed(kind, **{part: F(5)}))
        for kind in ("D = 1", "D = 0")
        for route in (density.closed_symbolic, density.closed_exact)
        for part in ("noise", "turn")
    ),
    *(
        (route, density.Closed("deep", F(3), **{part: F(2)}))
        for route in (density.closed_symbolic, moments.deep_numeric)
        for part in ("noise", "turn")
    ),
    (density.interpolated_symbolic, F(-1)),
    (density.interpolated_exact, F(-1)),
    *(
        (route, HALF)
        for route in (
            moments.identity_symbolic,
            moments.identity_quadrature,
            moments.identity_numeric,
        )
    ),
    *(
        (route, power)
        for route in (moments.tail_symbolic, moments.tail_exact, moments.tail_numeric)
        for power in ((F(-5), TWO), (F(-4), F(3)))
    ),
    *(
        (route, F(3))
        for route in (
            moments.finite_symbolic,
            moments.finite_exact,
            moments.finite_numeric,
        )
    ),
    (moments.finite_symbolic, F(5, 2)),
    *(
        (route, rate)
        for route in (pairs.rate_symbolic, pairs.rate_exact)
        for rate in (pairs.Rate(decay=TWO), pairs.Rate(noise=TWO))
    ),
    *(
        (route, least)
        for route in (pairs.least_symbolic, pairs.least_exact)
        for least in ((1, 0), (1, 1), (4, 0), (4, 2))
    ),
    *(
        (route, bound)
        for route in (pairs.bound_symbolic, pairs.bound_exact)
        for bound in ((5, 4), (4, 5))
    ),
    (pairs.rest_symbolic, "L = 0"),
    (pairs.rest_exact, "L = 0"),
    *(
        (route, altered)
        for route in (planck.planck_symbolic, planck.planck_exact)
        for altered in (planck.Planck(-1, 1), planck.Planck(1, 0), planck.Planck(1, 2))
    ),
    (zero.collapse_symbolic, "printed"),
    (zero.collapse_exact, "printed"),
    (zero.collapse_numeric, "printed"),
    (zero.exponent_symbolic, "0"),
    (zero.exponent_exact, "0"),
    *(
        (route, altered)
        for route in (mode.mode_symbolic, mode.mode_exact, mode.mode_numeric)
        for altered in (mode.Mode(a=F(9)), mode.Mode(b=F(8)))
    ),
    *(
        (route, pair)
        for route in (mode.peak_symbolic, mode.peak_exact)
        for pair in ((20, 8), (21, 7))
    ),
    (mode.order_symbolic, "strict"),
    (mode.order_exact, "strict"),
    (mode.range_exact, "T*"),
    (mode.range_numeric, "T*"),
    (variance.inversion_certified, "decreasing"),
    (variance.inversion_quadrature, "decreasing"),
    (variance.inversion_numeric, "decreasing"),
    (step.step_symbolic, "T"),
    (step.step_exact, "T"),
    *(
        (route, ends)
        for route in (deep.limits_symbolic, deep.limits_numeric)
        for ends in (("zero", "zero"), ("minimum", "minimum"))
    ),
    (balance.balance_symbolic, HALF),
    (balance.balance_exact, F(-1)),
    (balance.slopes_symbolic, "function"),
    (balance.slopes_exact, "function"),
    (balance.rank_symbolic, "printed"),
    (balance.rank_exact, "printed"),
    (posterior.posterior_symbolic, F(5)),
    (posterior.posterior_symbolic, F(600)),
    (posterior.posterior_simulated, F(3)),
)


@pytest.mark.parametrize(("route", "subject"), ALTERED)
def test_altered_statements_are_refuted(route: Route, subject: Any) -> None:
    assert route(subject, context()).verdict is R


# --- seeded faults in the routes' own formulas ---------------------------------------

LAW, D1 = density.Law(), density.Closed("D = 1")
FAULTS: tuple[tuple[Any, str, str, Route, Any], ...] = (
    (cases.Net.output_rates, "sum(drifts, ZERO)", "-sum(drifts, ZERO)",
     density.flux_exact, LAW),
    (cases.Net.rates, "without(row, k, m) * noise", "noise", density.flux_exact, LAW),
    (cases.Balanced.speed, "2 * self.depth - 2", "2 * self.depth - 1",
     density.flux_exact, LAW),
    (cases.Data.moments, "covariance(square, product)", "covariance(square, square)",
     density.closed_exact, D1),
    (density.total, "2 * (N - 1)", "(N - 1)", density.flux_symbolic, LAW),
    (density.reduced, "bend * noise / 2", "bend * noise", density.flux_symbolic, LAW),
    (density.logarithm, "(a3 * b1 - a2 * shifted)", "(a3 * b1 + a2 * shifted)",
     density.closed_symbolic, D1),
    (quadrature._force, "2 / n - 1", "1 / n - 1", moments.density_numeric, LAW),
    (quadrature.grid, "1 - power", "2 - power", moments.identity_quadrature, F(1)),
    (moments._residual, "-2 * scale * a2", "2 * scale * a2",
     moments.identity_numeric, F(1)),
    (planck.weighed_slope, "- c", "+ c", planck.planck_exact, planck.Planck()),
    (mode._has_maximum, "turn < 0", "turn > 0", mode.range_exact, "both"),
    (balance.Slopes.moments, "A @ A.T", "A.T @ A", balance.balance_exact, F(1)),
    (balance.Gate.slopes, "dot(self.w, x) > 0", "dot(self.w, x) > 9",
     balance.rank_exact, "seen"),
    (posterior._bound, "state.place.sum(axis=1)", "0 * state.place[:, 0]",
     posterior.posterior_simulated, None),
    (posterior.Gibbs.log_mass, "eps / (2 * size)", "1 / (2 * size)",
     posterior.posterior_simulated, None),
)  # fmt: skip


@pytest.mark.parametrize(("function", "old", "new", "route", "subject"), FAULTS)
def test_a_seeded_fault_is_seen(
    monkeypatch: pytest.MonkeyPatch,
    function: Any,
    old: str,
    new: str,
    route: Route,
    subject: Any,
) -> None:
    def forget() -> None:
        density.reduced.cache_clear()
        density.zero_flux.cache_clear()
        posterior._experiment.cache_clear()

    forget()
    alter(monkeypatch, function, old, new)
    try:
        found: Any = None
        try:
            found = route(subject, context("fault")).verdict.holds
        except ValueError:  # shapes that do not fit
            found = False
        assert not found
    finally:
        forget()


# --- examples by hand ----------------------------------------------------------------


@pytest.mark.parametrize("eps", [1.0, 1e-2, 1e-6])
def test_mass_near_the_balance(eps: float) -> None:
    """Two quadratures and a count agree on q(|u² − w²| ≤ ε) for standard normal q."""
    exact = posterior.normal_mass(eps)
    direct = mpmath.quad(lambda x: mpmath.besselk(0, x), [0, eps / 2]) * 2 / mpmath.pi
    assert exact == pytest.approx(float(direct), rel=1e-9)
    bound = posterior.Gibbs(0.0, 0.0, 1.0, 0.5).log_mass(eps)
    assert math.log(exact) <= bound <= math.log(exact) + 0.2 * eps
    if eps == 1.0:
        u, w = np.random.default_rng(0).standard_normal((2, 200_000))
        share = float(np.mean(np.abs(u * u - w * w) <= eps))
        assert abs(share - exact) < 0.006  # Hoeffding at 1e-6: 0.0060


def test_mass_near_the_balance_of_gibbs_law() -> None:
    """The bound is above, and near, a quadrature over the plane."""
    q = posterior.Gibbs(1.0, 0.6, 0.4, 0.7)
    u = np.linspace(-5, 5, 3001)
    U, W = np.meshgrid(u, u, indexing="ij")
    v, size = U * W, U * U + W * W
    weight = np.exp(-(v * v - 1.2 * v) / 0.4 - 0.7 * size)
    share = float(weight[np.abs(U * U - W * W) <= 0.2].sum() / weight.sum())
    assert share - 0.002 < math.exp(q.log_mass(0.2)) < 1.1 * share


def test_decay_alone() -> None:
    """u = 2, w = 1, γ = 1, no loss: u², w² fall at 4γ, 3 falls at 12."""
    found = pairs.rate_exact(pairs.Rate(decay=F(1)), context()).counterexample
    assert found is not None
    assert found.left.endswith("-12")
    assert F(-2 * 2 * 2 * 2) - F(-2 * 2) == -12


def test_least_noise_by_hand() -> None:
    slopes = np.array(
        [2 * x * (0 * x - y) for x, y in ((1, 1), (1, -1), (0, 0), (0, 0))]
    )
    assert slopes.var() == 2
    assert 4 * F(1, 8) / F(1, 4) == 2


def test_a_rest_with_a_loss() -> None:
    net = pairs._IDLE.net
    assert net.loss() == HALF
    assert all(g == 0 for sample in net.gradients() for row in sample for g in row)


def test_decay_of_three_layers_by_hand() -> None:
    still = cases.Data(((F(0), F(0)),))
    net = cases.Balanced(still, 3, 1, TWO, F(1), F(1)).net()
    assert net.output_rates() == (F(-48), F(0))


def test_fokker_planck_by_hand() -> None:
    x, t = sp.symbols("x t", positive=True)
    s = 1 + sp.exp(-2 * t)  # any start: Ornstein–Uhlenbeck, Ṡ = −2S + T, T = 2
    p = sp.exp(-(x**2) / (2 * s)) / sp.sqrt(s)
    right = sp.diff(p * x, x) + sp.diff(p, x, 2)
    wrong = -sp.diff(p * x, x) + sp.diff(p, x, 2) / 2
    assert sp.simplify(p.diff(t) - right) == 0
    assert sp.simplify(p.diff(t) - wrong) != 0


def test_thresholds_meet_by_hand() -> None:
    assert F(1, 3) / (2 + F(14, 3)) == F(4 + 14, 4 * (98 - 8)) == F(1, 20)


def test_the_printed_integral_diverges() -> None:
    def integral(low: float) -> Any:
        return mpmath.quad(
            lambda v: (v - 1) / (2 * v * (2 * v * v - 4 * v + 3)), [low, 0.01, 1]
        )

    steps = [integral(10.0**-k) for k in (6, 8, 10)]
    assert steps[0] - steps[1] == pytest.approx(math.log(100) / 6, rel=1e-3)
    assert steps[1] - steps[2] == pytest.approx(math.log(100) / 6, rel=1e-3)


@pytest.mark.parametrize(("T", "expected"), [((1, 20), 0.120), ((1, 5), 0.372)])
def test_variance_by_another_code(T: tuple[int, int], expected: float) -> None:
    t = mpmath.mpf(T[0]) / T[1]

    def p(v: Any) -> Any:
        Q = 2 * v * v - 4 * v + 3
        arc = mpmath.atan(mpmath.sqrt(2) * (v - 1)) / (6 * mpmath.sqrt(2) * t)
        return v ** (1 / (6 * t) - 1.5) * Q ** (-1 - 1 / (12 * t)) * mpmath.exp(-arc)

    def moment(k: int) -> Any:  # v = x⁴ tames both ends
        return mpmath.quad(
            lambda x: 4 * x**3 * x ** (4 * k) * p(x**4), [0, 0.5, 1, 2, 10, 1000]
        )

    total, first, second = (moment(k) for k in range(3))
    seen = second / total - (first / total) ** 2
    assert float(seen) == pytest.approx(expected, abs=2e-3)
    assert float(variance.enclosed_variance(*T)) == pytest.approx(float(seen), rel=1e-3)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_trapezoidal_rule(depth: int) -> None:
    point = quadrature.Point(depth, 2, (2.0, 1.0, 3.0), (1.0, 1.5), 0.2)
    n, c = depth, point.c

    def force(v: Any) -> Any:
        Q = 2 * v * v - 2 * v + 3
        return (v - 1.5) / (n * c * v ** (2 - mpmath.mpf(2) / n) * Q)

    def p(v: Any) -> Any:
        Q = 2 * v * v - 2 * v + 3
        exponent = mpmath.quad(force, [1.5, v])
        return v ** (-3 * (1 - mpmath.mpf(1) / n)) / Q * mpmath.exp(-exponent / 0.2)

    with mpmath.workdps(10):
        low, high = 0.7, 2.5
        ratio = float(p(mpmath.mpf(low)) / p(mpmath.mpf(high)))
    tabulated = quadrature.grid(point)
    at = np.interp(np.log([low, high]), tabulated.s, tabulated.log - tabulated.s)
    assert math.exp(at[0] - at[1]) == pytest.approx(ratio, rel=1e-3)


def test_a_step_by_hand() -> None:
    """e^{−η(1 + κ/2)} at η = 1/100: κ = η leaves O(η³), κ = η/2 does not."""
    eta = 0.01
    gaps = [abs(1 - eta - math.exp(-eta * (1 + k / 2))) for k in (eta, eta / 2)]
    assert gaps[0] < eta**3 < gaps[1]


# --- what breaks without the assumptions ---------------------------------------------


def test_unbalanced_weights_move_otherwise() -> None:
    data = cases.Data(((F(1), F(0)),))
    drifts = [
        cases.Net(data, (row,), F(1)).output_rates()[0]
        for row in ((F(1), F(1)), (TWO, HALF))
    ]
    assert drifts[1] / drifts[0] == F(17, 8)


def test_without_depth_the_tail_depends_on_temperature() -> None:
    case = cases.Balanced(density.TWO_LABELS, 1, 1, F(2) ** 60, F(1))
    warm, cold = (
        float(at.v * at.log_slope()) for at in (case, replace(case, T=F(1, 10)))
    )
    A1, _, _, B1, _ = density.TWO_LABELS.moments()
    assert warm == pytest.approx(float(-2 - B1 / A1))
    assert cold == pytest.approx(float(-2 - 10 * B1 / A1))


def test_negative_slope_has_no_density() -> None:
    data = cases.Data(tuple((x, -y) for x, y in density.TWO_LABELS.samples))
    case = cases.Balanced(data, 2, 1, F(1, 2**80), F(1, 100))
    assert case.v * case.log_slope() < -1


def test_second_moments_are_not_centred() -> None:
    one = cases.Data(((F(1), F(1)),))
    slopes = one.slopes(F(0))
    assert cases.covariance(slopes, slopes) == 0
    assert slopes[0] ** 2 == 4


def test_constant_inputs_have_no_least_noise() -> None:
    data = cases.Data(((F(1), F(1)), (F(-1), F(1)), (F(1), F(0))))
    seen = {cases.covariance(data.slopes(F(v)), data.slopes(F(v))) for v in range(4)}
    assert len(seen) == 1


def test_hot_densities_peak_at_zero() -> None:
    T = 1 / 5
    root = (-(1 - 20 * T) + math.sqrt((1 - 20 * T) ** 2 + 56 * T * (1 - 9 * T))) / (
        28 * T
    )
    assert root == pytest.approx(4 / 7)


def test_noise_that_depends_on_the_gate() -> None:
    A = M(((F(0),),))
    C1, C2 = balance.Slopes((A, A), (F(1),), (F(1),), F(1)).moments()
    assert not C1
    assert not C2


def test_decay_drives_unequal_products_apart() -> None:
    """D = 2, no data: u = 2 and u = 1 shrink alike, 1/g_j − 1/g_i grows."""
    still = cases.Data(((F(0), F(0)),))
    net = cases.Net(still, ((TWO,) * 3, (F(1),) * 3), F(1), F(1))
    drifts, _ = net.rates()
    g = [2.0, 1.0]  # v^{1/3}
    slopes = [
        float(-d) / (3 * float(v) * x)
        for d, v, x in zip(drifts, net.products(), g, strict=True)
    ]
    z = 1 / g[1] - 1 / g[0]
    assert slopes[1] - slopes[0] == pytest.approx(2 * 1 * (3 - 2) * z)
