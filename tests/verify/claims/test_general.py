"""Claims on general symmetries: verdicts, counterexamples, assumptions, faults."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from itertools import product
from types import ModuleType
from typing import Any

import pytest
import sympy as sp

from symbolic import (
    Declaration,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    differential,
    scaling,
)
from verify._campaign import _check, _select
from verify._claim import Claim
from verify._claims import (
    _p1_charge,
    _p1_eq2,
    _p1_eq3,
    _p1_eq8,
    _p1_eq18,
    _p1_eq25,
    _p1_eq26,
    _p1_eq27,
    _p1_eq31,
    _p1_gdnorm,
    _p1_interpolation,
    _p1_restores,
    _p1_time,
    _p1_unbounded,
)
from verify._context import PROFILE_SIZES, Context, Profile
from verify._evidence import Evidence
from verify._exact import Vector, apply, covariance, dot, form, mean
from verify._routes import (
    _general_balance as balance,
    _general_broken as broken,
    _general_cases as cases,
    _general_charge as charge,
    _general_groups as groups,
    _general_ito as ito,
    _general_kernel as kernel,
    _general_orbits as orbits,
    _general_quantities as quantities,
    _general_rates as rates,
)
from verify._routes._common import Factors, Sides


F = Fraction
MODULES = (
    _p1_eq2,
    _p1_eq3,
    _p1_charge,
    _p1_eq8,
    _p1_unbounded,
    _p1_time,
    _p1_interpolation,
    _p1_gdnorm,
    _p1_eq18,
    _p1_eq25,
    _p1_eq26,
    _p1_eq27,
    _p1_eq31,
    _p1_restores,
)
CLAIMS: dict[str, Claim] = {c.id: c for m in MODULES for c in m.CLAIMS}
QUICK = PROFILE_SIZES["quick"]
FEW = Profile("few", exact=2, ensembles=1, replicas=48, steps=50)
TINY = Profile("tiny", exact=3, ensembles=1, replicas=48, steps=50)
RESCALING = ((F(1), F(0)), (F(0), F(-1)))


@lru_cache(maxsize=64)
def result_of(name: str, seed: int = 0) -> Any:
    return _check(CLAIMS[name], QUICK, seed, None)


def vector(*entries: Fraction | int) -> Vector:
    return tuple(map(Fraction, entries))


def context(name: str = "test", profile: Profile = QUICK) -> Context:
    return Context(profile, 0, name)


# Verdicts.


@pytest.mark.slow  # the report of every change runs seed 0
@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("name", CLAIMS)
def test_claims_and_twins_come_out_as_expected(name: str, seed: int) -> None:
    result = result_of(name, seed)

    assert result.as_expected, (result.verdict, result.twin.verdict)
    assert not result.disagreement
    # Every route has its say on the built-in cases, but for the silent one of a pair.
    silent = [e for e in result.evidence if e.verdict is Verdict.NOT_APPLICABLE]
    assert not silent


@pytest.mark.parametrize("name", CLAIMS)
def test_each_published_statement_that_fails_has_its_correction(name: str) -> None:
    claim = CLAIMS[name]

    if claim.expected is Verdict.REFUTED:
        assert claim.form == "published"
        assert CLAIMS[f"{name}.corrected"].amends == name
        assert "By hand: " in claim.note
    else:
        assert claim.expected is Verdict.PROVED


def test_drawn_nets_have_their_symmetry_and_are_mostly_noisy() -> None:
    drawn = context().draw(cases.nets(), 200, "nets")

    for net in drawn:
        J = apply(net.A, net.theta)
        assert all(dot(g, J) == 0 for g in net.gradients())
    noisy = sum(quantities.squared_noise(net) > 0 for net in drawn)
    assert noisy > 100
    assert any(quantities.squared_noise(net) == 0 for net in drawn)
    assert {len(net.mu) for net in drawn} == {1, 2, 3, 4}


def test_a_net_has_the_gradient_of_its_loss() -> None:
    for net in context().draw(cases.nets(), 20, "differences"):
        for k, g in enumerate(net.gradients()):
            h = F(1, 10**9)
            for i in range(len(net.theta)):
                ends = [
                    net.values(
                        tuple(t + e * h * (i == j) for j, t in enumerate(net.theta))
                    )[k]
                    for e in (1, -1)
                ]
                quotient = (ends[0] - ends[1]) / (2 * h)
                assert abs(quotient - g[i]) <= F(1, 10**6) * (1 + abs(g[i]))


# A user's declaration.


def _subjects() -> tuple[Declaration, ...]:
    space = ParameterSpace(u=(), w=())
    u, w = space.symbols
    x, y = sp.symbols("x y", real=True)
    A = sp.diag(sp.Rational(1, 2), sp.Rational(-1, 3))
    thirds = Loss((u**2 * w**3 * x - y) ** 2, space, data={"x": (), "y": ()})
    symmetry = Symmetry.exponential(space, A)
    return scaling(2), Declaration("thirds", space, symmetry, thirds)


ABOUT_NORMS = tuple(claim.id for claim in _p1_gdnorm.CLAIMS)


@pytest.mark.parametrize(
    ("declaration", "names"),
    tuple(zip(_subjects(), (ABOUT_NORMS, tuple(CLAIMS)), strict=True)),
    ids=("scaling", "thirds"),
)
def test_on_a_declaration_nothing_true_is_refuted(
    declaration: Declaration, names: tuple[str, ...]
) -> None:
    subject, _ = _select(declaration)

    for name in names:
        claim = CLAIMS[name]
        result = _check(claim, FEW, 0, subject)
        wrong = (
            result.verdict.holds
            if claim.expected is Verdict.REFUTED
            else result.verdict is Verdict.REFUTED
        )
        assert not wrong, claim.id
        assert not result.disagreement, claim.id


# Counterexamples, worked out again from scratch.


def product_gradient(u: F, w: F, y: F) -> Vector:
    """Return ∇(uw − y)²."""
    return 2 * (u * w - y) * w, 2 * (u * w - y) * u


def quotient_gradient(u: F, w: F, y: F) -> Vector:
    """Return ∇(w/u − y)²."""
    r = 2 * (w / u - y)
    return -r * w / u**2, r / u


def test_the_counterexample_to_eq2() -> None:
    def loss(a: int, b: int) -> int:
        return (b * max(a, 0) - 1) ** 2

    assert loss(1, 1) == 0
    assert loss((1 - 2) * 1, 1 // (1 - 2)) == 1
    shown = result_of("p1.eq2").counterexample
    assert (shown.left, shown.right, shown.values["rho"]) == ("1", "0", "-2")


def test_the_counterexample_to_a_charge() -> None:
    u, w = sp.symbols("u w")
    J = (-w, u)
    loss = (u**2 + w**2) ** 2

    assert sp.expand(loss.diff(u) * J[0] + loss.diff(w) * J[1]) == 0
    assert (J[0].diff(w), J[1].diff(u)) == (-1, 1)
    assert "[[0, -1], [1, 0]]" in result_of("p1.charge").counterexample.values["J"]
    # ... while the angle stays: its gradient is J over the squared norm.
    angle = sp.atan2(w, u)
    assert sp.simplify(angle.diff(u) - J[0] / (u**2 + w**2)) == 0


def test_the_counterexample_to_unbounded_orbits() -> None:
    assert result_of("p1.unbounded").counterexample.values["theta"] == "(0, 0)"
    assert apply(RESCALING, vector(0, 0)) == vector(0, 0)


def test_the_counterexample_to_the_time() -> None:
    u, w = F(1), F(2)
    g = [product_gradient(u, w, F(y)) for y in (0, 2)]
    Sigma = covariance(g)
    D = u**2 - w**2

    assert Sigma == ((4 * w * w, 4 * u * w), (4 * u * w, 4 * u * u))
    for sigma2 in (F(1, 4), F(1, 2)):
        assert 2 * sigma2 * (Sigma[0][0] - Sigma[1][1]) == -8 * sigma2 * D
    shown = result_of("p1.time").counterexample
    assert (shown.left, shown.right) == ("1/2", "2")


def test_the_counterexample_to_interpolation() -> None:
    g = [product_gradient(F(1), F(1), F(y)) for y in (0, 2)]
    Sigma = covariance(g)

    assert g == [vector(2, 2), vector(-2, -2)]
    assert Sigma[0][0] - Sigma[1][1] == 0
    assert Sigma[0][0] == 4


def test_the_counterexamples_about_the_norm() -> None:
    g = quotient_gradient(F(1), F(0), F(1))
    after = [t - F(1, 2) * v for t, v in zip((F(1), F(0)), g, strict=True)]

    assert g == vector(0, -2)
    assert sum(a * a for a in after) == 2
    assert result_of("p1.gdnorm").counterexample.left == "2"
    assert quotient_gradient(F(1), F(1), F(1)) == vector(0, 0)
    assert result_of("p1.diverges").counterexample.values["theta"] == "(1, 1)"


def test_the_counterexample_to_eq26() -> None:
    g = [quotient_gradient(F(1), F(0), F(y)) for y in (1, -1)]
    eta = F(1, 2)
    moves = [-eta * v[1] for v in g]
    spread = sum(m * m for m in moves) / 2 / eta

    assert spread == 4 * eta == 2 * (eta / 2) * covariance(g)[1][1]
    shown = result_of("p1.eq26").counterexample
    assert (shown.left, shown.right) == ("2", "1")


def test_the_counterexample_to_a_fixed_point_everywhere() -> None:
    g = [quotient_gradient(F(1), F(1), F(y)) for y in (2, 0)]
    Sigma = covariance(g)

    assert g == [vector(2, -2), vector(-2, 2)]
    assert Sigma[0][0] + Sigma[1][1] == 8
    assert "finite fixed points: 0" in result_of("p1.every-unique").counterexample.left


# What breaks without each assumption.


def test_without_symmetry_sample_by_sample() -> None:
    """ℓ = (uw − 1)² + zu: the average has the symmetry, no sample has."""
    u, w = F(3), F(2)
    own = [
        tuple(a + b for a, b in zip(product_gradient(u, w, F(1)), (z, 0), strict=True))
        for z in (1, -1)
    ]
    J = apply(RESCALING, (u, w))
    Sigma = covariance(own)

    assert dot(mean(own), J) == 0
    assert [dot(g, J) for g in own] == [u, -u]
    assert Sigma == (vector(1, 0), vector(0, 0))
    assert apply(Sigma, J) == vector(u, 0)
    # The transport fails too: Σ is the same at every point of the orbit.
    assert Sigma[0][0] != F(1, 4) * Sigma[0][0]


def test_without_a_symmetric_matrix_the_orbit_may_be_bounded() -> None:
    A = ((F(0), F(-1)), (F(1), F(0)))
    theta = (F(3), F(4))

    assert any(apply(A, theta))
    for t in (F(1, 3), F(2), F(100)):  # cos and sin of a rational angle
        c, s = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
        moved = (c * theta[0] - s * theta[1], s * theta[0] + c * theta[1])
        assert dot(moved, moved) == 25


def test_without_a_symmetric_matrix_gradients_move_otherwise() -> None:
    """The shear (u + λw, w) keeps (w − y)²."""
    g, lam = (F(0), F(6)), F(2)  # at w = 3, y = 0
    printed = (g[0] - lam * g[1], g[1])  # e^{−λA}g
    transposed = (g[0], g[1] - lam * g[0])  # e^{−λAᵀ}g

    assert printed != g
    assert transposed == g


def test_without_a_gradient_field_there_is_no_charge() -> None:
    rotation = charge.Field(((F(0), F(-1)), (F(1), F(0))))
    triangle = ((F(0), F(0)), (F(1), F(0)), (F(0), F(1)))

    assert not rotation.is_gradient
    assert rotation.work(triangle) == 1  # twice the area


def test_without_a_star_shaped_domain_a_symmetric_jacobian_is_not_enough() -> None:
    u, w, t = sp.symbols("u w t", real=True)
    J = (-w / (u**2 + w**2), u / (u**2 + w**2))
    circle = {u: sp.cos(t), w: sp.sin(t)}
    work = J[0].subs(circle) * -sp.sin(t) + J[1].subs(circle) * sp.cos(t)

    assert sp.simplify(J[0].diff(w) - J[1].diff(u)) == 0
    assert sp.integrate(sp.simplify(work), (t, 0, 2 * sp.pi)) == 2 * sp.pi


def test_without_a_decay_of_the_right_sign_the_balance_is_not_restored() -> None:
    """A = 1, γ = −1, no noise: C grows although its fixed point 0 lies below."""
    net = cases.plain_net((1,), [(0,)], [(1, 1), (1, 1)], (1,), gamma=F(-1))

    assert quantities.balance_at(net, F(1)) > 0
    assert quantities.balance_at(net, F(2)) > quantities.balance_at(net, F(1))


def test_without_noise_there_is_no_zero_to_return_to() -> None:
    net = cases.plain_net((1, -1), [(1, 1)], [(1, 1), (1, 1)], (2, F(1, 2)))

    assert quantities.squared_noise(net) == 0
    assert [quantities.balance_at(net, q) for q in (F(1, 2), F(1), F(3))] == [0, 0, 0]
    assert balance.fixed_point_bracket(net) is None


def test_without_noise_of_mean_zero_itos_lemma_fails() -> None:
    """f = X², X = 1, G = 1, Eξ = ½: the mean change over h is √h + O(h)."""
    for r in (F(1, 10), F(1, 100)):
        change = sum((1 + r * (e + F(1, 2))) ** 2 - 1 for e in (1, -1)) / 2
        assert change == r + F(5, 4) * r**2
    biased = ito.ItoCase(
        ((F(1), (F(1),), 2),), (F(1),), (F(0),), ((F(1),),), mean=F(1, 2)
    )
    assert biased.generator() != biased.derived(F(1, 2))


def test_without_two_derivatives_itos_lemma_fails() -> None:
    """E|√h ξ|/h is not bounded as h → 0."""
    rates_seen = [math.sqrt(2 * h / math.pi) / h for h in (1e-2, 1e-4, 1e-6)]

    assert rates_seen[0] * 9 < rates_seen[1]
    assert rates_seen[1] * 9 < rates_seen[2]


def test_without_small_steps_sgd_moves_the_charge_otherwise() -> None:
    """At ∇L ≠ 0 a step adds ½ηḡᵀAḡ, here as much as the noise."""
    net = cases.product_pair()
    after = quantities.steps(net)
    assert after is not None
    change = sum(quantities.charge(net, p) for p in after) / len(after)
    change = (change - quantities.charge(net)) / net.eta
    noise = net.sigma2 * quantities.noise_trace(net)

    assert noise == 3
    assert change == noise + net.eta / 2 * form(net.A, mean(net.gradients())) == 6


def test_with_decay_the_time_is_not_inverse_to_the_noise() -> None:
    net = cases.plain_net((1, -1), [(1, 1)], [(1, 1), (1, 1)], (2, F(1, 2)))
    drifts = [
        quantities.balance_at(net.with_(gamma=F(1), eta=eta), F(1))
        for eta in (F(1, 8), F(1, 4))
    ]

    assert drifts[0] == drifts[1] == -4 * quantities.charge(net)


def test_without_scale_invariance_gd_lowers_the_norm() -> None:
    u, eta = F(1), F(1, 2)

    assert (u - eta * u) ** 2 == F(1, 4) != u**2 + eta**2 * u**2


def test_without_an_activation_of_degree_one_rescaling_is_no_symmetry() -> None:
    def loss(a: F, b: F) -> F:
        return (b * a**2 - 1) ** 2

    assert loss(F(1), F(1)) == 0
    assert loss(F(2), F(1, 2)) == 1


def test_without_the_identity_at_zero_the_derivative_is_no_generator() -> None:
    u, w, rho = sp.symbols("u w rho")
    images = (2 * (1 + rho) * u, w / (2 * (1 + rho)))
    J = [image.diff(rho).subs(rho, 0) for image in images]

    assert sp.simplify(images[0] * images[1]) == u * w
    assert sp.expand(w * J[0] + u * J[1]) == sp.Rational(3, 2) * u * w


def test_with_orthogonality_at_one_point_only_the_loss_moves() -> None:
    u, w = sp.symbols("u w")
    loss = (u * w - 1) ** 2 + u**2
    slope = sp.expand(loss.diff(u) * u - loss.diff(w) * w)

    assert slope == 2 * u**2
    assert loss.subs({u: 2, w: sp.Rational(1, 2)}) == 4 * loss.subs({u: 1, w: 1})


def test_with_data_in_the_breaking_part_its_noise_counts() -> None:
    """ℓ₁ interpolated, ℓ₂ = zu: Σ of ℓ₁ is 0, but C moves."""
    zeta = F(1, 3)
    own = [(zeta * z, F(0)) for z in (1, -1)]
    Sigma = covariance(own)

    assert product_gradient(F(1), F(1), F(1)) == vector(0, 0)
    assert mean(own) == vector(0, 0)
    assert 2 * (Sigma[0][0] - Sigma[1][1]) == 2 * zeta**2


def test_at_large_zeta_there_may_be_three_fixed_points() -> None:
    lam = sp.Symbol("lam", real=True)
    u, w = sp.exp(lam), sp.exp(-lam)
    potential = u**2 + w**2 + u**4 + w**4 - 8 * (u**2 + w**2)
    slope = potential.diff(lam)
    bent = sp.log(sp.Rational(7, 4) + sp.sqrt(sp.Rational(49, 16) - 1)) / 2

    for zero in (sp.S.Zero, bent, -bent):
        assert sp.simplify(slope.subs(lam, zero)) == 0


def test_where_nothing_balances_a_weak_breaking_drives_to_infinity() -> None:
    lam = sp.Symbol("lam", real=True)
    slope = sp.exp(2 * lam).diff(lam)  # ℓ₂ = u² on the orbit

    assert slope.is_positive


def test_a_root_that_is_not_symmetric_need_not_kill_it() -> None:
    G = ((F(0), F(1)), (F(0), F(0)))
    J = (F(0), F(1))
    case = kernel.RootCase(G, J)

    assert case.Sigma == (vector(1, 0), vector(0, 0))
    assert apply(case.Sigma, J) == vector(0, 0)
    assert apply(G, J) == vector(1, 0)
    assert apply(tuple(zip(*G, strict=True)), J) == vector(0, 0)


def test_across_orbits_the_sign_may_lead_away_from_a_fixed_point() -> None:
    """ℓ = (w/u − y)², y = ±1, η/(4Sγ) = 1."""

    def trace(u: F, w: F) -> F:
        Sigma = covariance([quotient_gradient(u, w, F(y)) for y in (1, -1)])
        return Sigma[0][0] + Sigma[1][1]

    # ‖θ‖²Tr Σ(θ) = Tr Σ(θ̂) is 4 and 16: ‖θ*‖² = 2 and 4.
    assert trace(F(1), F(0)) == 4
    assert 2 * trace(F(1), F(1)) == 16
    gamma, sigma2, norm = F(1, 4), F(1, 2), F(3)  # η/2S = 2γ
    assert -2 * gamma * norm + sigma2 * 16 / norm > 0
    assert norm > 2


def test_at_no_decay_the_fixed_point_is_free_of_eta() -> None:
    stars = [
        balance.fixed_point_bracket(cases.product_pair(eta=eta, batch_size=S))
        for eta, S in product((F(1, 50), F(1, 2)), (1, 2))
    ]

    assert len(set(stars)) == 1
    assert stars[0] is not None
    low, high = stars[0]
    assert low**4 <= 4 <= high**4  # e^{4λ*} = s₊/s₋ = 16/4


def test_with_pushes_one_way_only_there_is_no_finite_fixed_point() -> None:
    net = cases.scale_pair()
    values = [quantities.balance_at(net, q) for q in (F(1, 1000), F(1), F(1000))]

    assert values == [8 * net.sigma2 * q**-2 for q in (F(1, 1000), F(1), F(1000))]


# Faults: altered statements and altered formulas are caught.


def refuted(evidence: Evidence) -> bool:
    return evidence.verdict is Verdict.REFUTED


ALTERED: tuple[tuple[Callable[[Any, Context], Evidence], tuple[Any, ...]], ...] = (
    (orbits.gradient_words, (1, 0, -2)),
    (orbits.gradient_exact, (1, 0, -2)),
    (orbits.trace_words, (2, 0, -1, -4)),
    (orbits.trace_exact, (2, 0, -1, -4)),
    (ito.ito_words, (F(0), F(1), F(-1, 2), F(1, 4))),
    (ito.ito_exact, (F(0), F(1), F(-1, 2), F(1, 4))),
    (ito.sde_moments, ((1, 2), (-1, 1), (-1, 4), (-2, 2))),
    (ito.sde_words, ((1, 2), (-1, 1), (-1, 4), (-2, 2))),
    (ito.sde_drift, ((-1, 1), (-1, 4), (-1, -2))),
    (rates.step_norm_words, (F(0), F(2), F(-1), F(1, 2))),
    (rates.step_norm_exact, (F(0), F(2), F(-1), F(1, 2))),
    (rates.time_words, (1, 0, -2)),
    (rates.time_exact, (1, 0, -2)),
    (rates.phases_words, ((1, 1), (0, 0), (0, 2), (1, 0))),
    (rates.phases_exact, ((1, 1), (0, 0), (0, 2), (1, 0))),
    (groups.generator_symbolic, (1, 2)),
    (groups.generator_jets, (1, 2)),
    (groups.finite_words, (0, 2, 3)),
    (groups.finite_symbolic, (0, 2)),
    (groups.finite_exact, (0, 2)),
    (broken.balance_words, (F(2), F(1, 2), F(-1))),
    (broken.balance_exact, (F(2), F(1, 2), F(-1))),
    (broken.shift_symbolic, (F(2), F(1, 2), F(-1))),
    (broken.shift_words, (F(2), F(1, 2), F(-1))),
    (broken.shift_exact, (F(2), F(1, 2), F(-1))),
    *(
        (
            route,
            tuple(
                Factors(F(decay), F(noise))
                for decay, noise in ((-1, 2), (2, 2), (-4, 2), (-2, 1), (-2, -2))
            ),
        )
        for route in (broken.broken_words, broken.broken_exact)
    ),
)


@pytest.mark.parametrize(
    ("route", "subject"),
    [(route, subject) for route, subjects in ALTERED for subject in subjects],
)
def test_altered_statements_are_refuted(
    route: Callable[[Any, Context], Evidence], subject: Any
) -> None:
    assert refuted(route(subject, context(profile=TINY)))


def _scaled(f: Callable[..., Any], factor: F) -> Callable[..., Any]:
    return lambda *args: factor * f(*args)


def _uncentred(case: Any, gradients: Any = None) -> F:
    own = case.gradients() if gradients is None else gradients
    total = sum((form(case.A, g) for g in own), F(0))
    return total / len(own)


def _absolute(case: Any, gradients: Any = None) -> F:
    """Return Tr[Σ|A|] instead of Tr[ΣA]."""
    own = quantities.deviations(case.gradients() if gradients is None else gradients)
    total = F(0)
    for value, P in case.projectors():
        total += abs(value) * sum((form(P, g) for g in own), F(0))
    return total / len(own)


BALANCE = quantities.balance_at
FAULTS: tuple[tuple[ModuleType, str, Any, str], ...] = (
    (orbits, "noise_trace", _absolute, "p1.eq38"),
    (orbits, "noise_trace", _scaled(quantities.noise_trace, F(2)), "p1.eq38"),
    (balance, "balance_at", _scaled(BALANCE, F(-1)), "p1.restores"),
    (balance, "balance_at", _scaled(BALANCE, F(-1)), "p1.every-unique.corrected"),
    (balance, "noise_trace", _absolute, "p1.large-decay"),
    (balance, "charge", _scaled(quantities.charge, F(-1)), "p1.restores"),
    (balance, "along", lambda f: -1 * differential(f, orbits.ORBIT), "p1.restores"),
    (balance, "along", lambda f: -1 * differential(f, orbits.ORBIT), "p1.large-decay"),
    (orbits, "along", lambda f: -1 * differential(f, orbits.ORBIT), "p1.eq38"),
    (balance, "_pushes", lambda case: (True, True), "p1.every-unique.corrected"),
    (balance, "_pushes", lambda case: (True, False), "p1.every-unique.corrected"),
    (broken, "noise_trace", _uncentred, "p1.eq18"),
    (broken, "noise_trace", _absolute, "p1.eq19"),
    (broken, "balance_of", _scaled(quantities.balance_of, F(2)), "p1.small-zeta"),
    (broken, "charge", _scaled(quantities.charge, F(2)), "p1.small-zeta"),
    (ito, "noise_trace", _uncentred, "p1.eq26.corrected"),
    (ito, "covariance_of", lambda case: ((F(1),) * 9,) * 9, "p1.eq26.corrected"),
    (ito, "charge", _scaled(quantities.charge, F(2)), "p1.eq26.corrected"),
    (kernel, "noise_trace", _uncentred, "p1.interpolation.corrected"),
    (rates, "mean_step", lambda case, f, eta: eta**2, "p1.time.corrected"),
    (rates, "_on_sphere", _scaled(rates._on_sphere, F(1, 2)), "p1.diverges.corrected"),
    (rates, "_quartic_rate", lambda case: F(1), "p1.diverges.corrected"),
    (rates, "_unit", lambda theta: theta, "p1.diverges.corrected"),
)


@pytest.mark.parametrize(("module", "name", "fault", "claim"), FAULTS)
def test_faults_in_the_exact_routes_are_caught(
    module: ModuleType,
    name: str,
    fault: Any,
    claim: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, name, fault)

    result = _check(CLAIMS[claim], QUICK, 0, None)

    assert result.verdict is Verdict.REFUTED


def test_a_charge_without_its_half_is_caught() -> None:
    def sides(net: cases.MonomialNet) -> Sides:
        lam = F(1, 10**6)
        there = net.moved(1 + lam)
        rise = 2 * (quantities.charge(net, there) - quantities.charge(net)) / lam
        J = apply(net.A, net.theta)
        return Sides(F(int(abs(rise - dot(J, J)) <= F(1, 1000))), F(1))

    found = quantities.on_cases(
        "fault", sides, context(), "twice the slope", examples=(cases.product_pair(),)
    )

    assert refuted(found)


def test_simpsons_rule_is_exact_to_degree_three() -> None:
    field = charge.Field(
        ((F(0), F(0)), (F(0), F(0))), ((F(1), (F(1), F(0)), 3, (F(0), F(1))),)
    )  # J = (0, u³)
    corners = ((F(0), F(0)), (F(2), F(0)), (F(2), F(1)), (F(0), F(1)))

    assert field.work(corners) == 8  # ∫3u² over the rectangle
    assert not field.is_gradient
