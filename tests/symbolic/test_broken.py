"""Approximate symmetry: exact defects, the corrected drift and its zero, the split."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic._errors import DeclarationError
from symbolic._exact.equality import compare
from symbolic._exact.functions import relu
from symbolic._laws.broken import (
    bounded_defect,
    broken_flow,
    defect,
    defect_over,
    orbit_shift,
)
from symbolic._laws.ito import covariance_symbols, gamma, lam, sigma2
from symbolic._laws.splitting import symmetric_part
from symbolic._loss import Loss
from symbolic._space import ParameterSpace
from symbolic._symmetry import Symmetry
from symbolic._verdict import Verdict


PAIR = ParameterSpace(u=(), w=())
u, w, x, y, zeta = sp.symbols("u w x y zeta", real=True)
DATA: dict[str, tuple[int, ...]] = {"x": (), "y": ()}
RESCALING = Symmetry.exponential(PAIR, [[1, 0], [0, -1]])
ROTATION = Symmetry.from_generator(PAIR, {"u": -w, "w": u})
FIRST = Loss((u * w * x - y) ** 2, PAIR, DATA)

numbers = st.integers(-6, 6)
positive = st.integers(1, 6)


def _pair(expression: sp.Expr, data: dict[str, tuple[int, ...]] | None = None) -> Loss:
    return Loss(expression, PAIR, data)


def _proved(left: Any, right: Any) -> bool:
    return compare(left, right).verdict is Verdict.PROVED


# --- the defect ----------------------------------------------------------------------


def test_the_defect_of_a_symmetric_loss_is_zero() -> None:
    assert _proved(defect(FIRST, RESCALING).square, 0)


def test_the_defect_along_the_gradient_is_one() -> None:
    """J = θ and ℓ = ‖θ‖² are parallel."""
    scaling = Symmetry.exponential(PAIR, sp.eye(2))
    assert _proved(defect(_pair(u**2 + w**2), scaling).square, 1)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_the_defect_is_at_most_one(n: int) -> None:
    assert bounded_defect(n).verdict is Verdict.PROVED


def test_a_tighter_bound_is_refuted() -> None:
    """A seeded fault: ‖g‖²‖J‖² − 2(g·J)² is no sum of those squares."""
    g, J = sp.symbols("g:2", real=True), sp.symbols("J:2", real=True)
    squares = (g[0] ** 2 + g[1] ** 2) * (J[0] ** 2 + J[1] ** 2)
    dotted = g[0] * J[0] + g[1] * J[1]
    minor = (g[0] * J[1] - g[1] * J[0]) ** 2
    assert _proved(squares - dotted**2, minor)
    assert compare(squares - 2 * dotted**2, minor).verdict is Verdict.REFUTED


@given(numbers, numbers, numbers, numbers, positive)
@settings(max_examples=40, deadline=None)
def test_the_defect_is_that_of_rational_arithmetic(
    a: int, b: int, c: int, d: int, n: int
) -> None:
    """ℓ = (uwx − y)² + u²/n, differentiated by hand."""
    loss = _pair((u * w * x - y) ** 2 + u**2 / n, DATA)
    point = {"u": Fraction(a, 3), "w": Fraction(b, 2), "x": c, "y": d}
    found = defect_over(loss, RESCALING, [point])
    U, W, X, Y = Fraction(a, 3), Fraction(b, 2), Fraction(c), Fraction(d)
    g = (2 * W * X * (U * W * X - Y) + 2 * U / n, 2 * U * X * (U * W * X - Y))
    norms = (g[0] ** 2 + g[1] ** 2) * (U**2 + W**2)
    if norms == 0:
        assert found.largest is found.mean is None
        assert [number for number, _ in found.degenerate] == [0]
        return
    expected = (g[0] * U - g[1] * W) ** 2 / norms
    assert 0 <= expected <= 1
    assert found.largest is not None
    assert [Fraction(int(v.p), int(v.q)) for v in found.largest] == [expected] * 2
    assert found.mean == found.largest


def test_largest_and_mean_over_points() -> None:
    """ε² = u²/(u² + w²) for ℓ = u²."""
    points = [{"u": 1, "w": 2}, {"u": 2, "w": 1}, {"u": 1, "w": 1}, {"u": 0, "w": 1}]
    found = defect_over(_pair(u**2), RESCALING, points)
    assert found.largest == (sp.Rational(4, 5),) * 2
    assert found.mean == (sp.Rational(1, 2),) * 2
    assert found.counted == 3


def test_points_that_say_nothing_are_named_and_not_counted() -> None:
    loss = _pair(u * relu(w) + 1 / (u - 3))
    points = [
        {"u": 0, "w": 0},
        {"u": 3, "w": 1},
        {"u": 1, "w": 1},
    ]
    found = defect_over(loss, RESCALING, points)
    assert found.counted == 1
    reasons = dict(found.degenerate)
    assert reasons == {0: "an argument of relu or abs is 0", 1: "undefined"}
    found = defect_over(_pair(u**2), RESCALING, [{"u": 0, "w": 1}])
    assert found.degenerate == ((0, "the gradient is 0"),)
    still = Symmetry.from_generator(PAIR, {"u": u})
    found = defect_over(_pair(u + w), still, [{"u": 0, "w": 1}])
    assert found.degenerate == ((0, "the generator is 0"),)


def test_transcendental_values_are_enclosed() -> None:
    loss = _pair(sp.exp(u) + w**2)
    found = defect_over(loss, RESCALING, [{"u": 1, "w": 2}])
    assert found.largest is not None
    low, high = found.largest
    assert 0 <= low < high <= 1
    assert high - low < sp.Rational(1, 2**100)
    value = defect(loss, RESCALING).square.subs({u: 1, w: 2})
    assert low <= sp.Rational(sp.N(value, 40)) + sp.Rational(1, 10**35)
    assert sp.Rational(sp.N(value, 40)) - sp.Rational(1, 10**35) <= high


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([], "at least one point"),
        ([{"u": 1}], "a value of w at point 0"),
        ([{"u": 1, "w": 0.5}], "an int, a Fraction or a sympy rational"),
    ],
)
def test_points_must_be_complete_and_exact(
    points: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(DeclarationError, match=said):
        defect_over(_pair(u**2 + w), RESCALING, points)


# --- the drift -----------------------------------------------------------------------


def test_the_corrected_drift() -> None:
    """(18) with C = (u² − w²)/2: −ζ∇ℓ₂·Aθ + σ²Tr[ΣA] − 4γC."""
    second = _pair(sp.exp(u) * w)
    found = broken_flow(FIRST, second, zeta, RESCALING)
    Sigma = covariance_symbols(PAIR)
    charge = (u**2 - w**2) / 2
    expected = (
        -zeta * (u * w - w) * sp.exp(u)
        + sigma2 * (Sigma[0, 0] - Sigma[1, 1])
        - 4 * gamma * charge
    )
    assert _proved(found.expression, expected)
    assert found.noiseless
    without = expected + 2 * zeta * (u * w - w) * sp.exp(u)  # the sign of ζ turned
    assert compare(found.expression, without).verdict is Verdict.REFUTED


def test_a_nonlinear_charge() -> None:
    """J = (u², 0), C = u³/3: σ²·2uΣ_uu − 2γu³ − ζu²∂_uℓ₂."""
    symmetry = Symmetry.from_generator(PAIR, {"u": u**2})
    found = broken_flow(_pair(w**2), _pair(u * w), zeta, symmetry, u**3 / 3)
    Sigma = covariance_symbols(PAIR)
    expected = 2 * sigma2 * u * Sigma[0, 0] - 2 * gamma * u**3 - zeta * u**2 * w
    assert _proved(found.expression, expected)


def test_data_in_the_second_loss_bring_noise() -> None:
    assert not broken_flow(FIRST, _pair(x * u, DATA), zeta, RESCALING).noiseless


def test_a_first_loss_without_the_symmetry_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"refuted at .*; symmetric_part splits"):
        broken_flow(_pair(u**2 * w), _pair(u), zeta, RESCALING)


def test_a_wrong_charge_is_refused() -> None:
    with pytest.raises(DeclarationError, match="a charge with dC/du = u"):
        broken_flow(FIRST, _pair(u), zeta, RESCALING, u**2 - w**2)


# --- its zero ------------------------------------------------------------------------


@given(positive, positive, positive, positive, positive, positive)
@settings(max_examples=15, deadline=None)
def test_the_shift_is_the_derivative_of_the_exact_equilibrium(
    a: int, b: int, p: int, q: int, s: int, t: int
) -> None:
    """ℓ₂ = (pu² + qw²)/2, γ = 0: e^{4λ} = (σ²t₁ + ζqw²)/(σ²t₂ + ζpu²)."""
    second = _pair((p * u**2 + q * w**2) / 2)
    Sigma = covariance_symbols(PAIR)
    at = {u: a, w: b, gamma: 0, sigma2: 1, Sigma[0, 0]: s, Sigma[1, 1]: t}
    found = orbit_shift(second, zeta, RESCALING)
    exact = sp.log((s + zeta * q * b**2) / (t + zeta * p * a**2)) / 4
    balance = found.balance.subs(at).subs(Sigma[0, 1], 0)
    E = sp.Symbol("E", positive=True)  # e^{2λ}
    rational = sp.expand(balance).subs(lam, sp.log(E) / 2)
    on_zero = sp.numer(sp.together(rational)).expand()
    ratio = sp.exp(4 * exact)
    assert _proved(sp.expand(on_zero / E**0).subs(E**2, ratio).coeff(E, 0), 0)
    slope = exact.diff(zeta).subs(zeta, 0)
    assert found.at_equilibrium is not None
    first_order = found.at_equilibrium.subs(at) / zeta
    assert _proved(sp.powsimp(sp.simplify(first_order - slope)), 0)


@pytest.mark.parametrize("second", [u, u**2 * w, sp.tanh(u) + w**3, (u - w) ** 4])
def test_the_balance_is_stationarity_of_the_potential(second: sp.Expr) -> None:
    """−d/dλ (Φ + ζℓ₂)(θ_λ), with Φ(θ_λ) = γ‖θ_λ‖² + σ²/2 Tr Σ(θ_λ)."""
    found = orbit_shift(_pair(second), zeta, RESCALING)
    Sigma = covariance_symbols(PAIR)
    moved = {u: sp.exp(lam) * u, w: sp.exp(-lam) * w}
    potential = (
        gamma * (u**2 + w**2).xreplace(moved)
        + sigma2 * (sp.exp(-2 * lam) * Sigma[0, 0] + sp.exp(2 * lam) * Sigma[1, 1]) / 2
        + zeta * second.xreplace(moved)
    )
    assert _proved(found.balance, -potential.diff(lam))
    assert _proved(found.slope, found.balance.diff(lam).subs(zeta, 0))
    assert compare(found.balance, potential.diff(lam)).verdict is Verdict.REFUTED


def test_the_shift_solves_the_balance_to_first_order() -> None:
    """G(λ*) = 0 ⇒ the ζ-derivative of G_ζ(λ* + δλ) is 0 at ζ = 0, for any ℓ₂."""
    found = orbit_shift(_pair(sp.exp(u) + u * w**2), zeta, RESCALING)
    start = found.balance.subs(zeta, 0)
    assert found.at_equilibrium is not None
    step_of = found.balance.diff(zeta) + found.slope * found.shift / zeta
    assert _proved(step_of, 0)
    wrong = found.balance.diff(zeta) - found.slope * found.shift / zeta
    assert compare(wrong, 0).verdict is Verdict.REFUTED
    assert start.diff(lam) == found.slope


def test_an_orbit_needs_data_free_terms_and_a_known_spectrum() -> None:
    with pytest.raises(DeclarationError, match="without data, got x"):
        orbit_shift(_pair(x * u, DATA), zeta, RESCALING)
    golden = Symmetry.exponential(PAIR, [[1, 1], [1, 0]])
    with pytest.raises(DeclarationError, match="rational eigenvalues"):
        orbit_shift(_pair(u), zeta, golden)
    with pytest.raises(DeclarationError, match="exponential"):
        orbit_shift(_pair(u), zeta, ROTATION)


def test_other_parameters_are_refused() -> None:
    other = Loss(sp.Symbol("v") ** 2, ParameterSpace(v=()))
    for call in (
        lambda: defect(other, RESCALING),
        lambda: symmetric_part(other, RESCALING),
        lambda: orbit_shift(other, zeta, RESCALING),
        lambda: broken_flow(FIRST, other, zeta, RESCALING),
    ):
        with pytest.raises(DeclarationError, match="expected a loss on u, w"):
            call()


# --- the invariant part --------------------------------------------------------------

SPLITS = [
    ((u * w * x - y) ** 2 + u**2, RESCALING, (u * w * x - y) ** 2),
    (
        (u * w * x - y + x) ** 2 + u**2,
        RESCALING,
        (u * w * x - y + x) ** 2,
    ),
    (
        (u * w * x - y + u) ** 2,
        RESCALING,
        u**2 * w**2 * x**2 - 2 * u * w * x * y + y**2,
    ),
    (u**2 + w**2 + u, ROTATION, u**2 + w**2),
    (u**2 + 3 * w**2, ROTATION, u**2 + w**2),
    (u**4 + 2 * u**2 * w**2 + w**4 + x * u, ROTATION, (u**2 + w**2) ** 2),
    (sp.exp(u * w) + sp.exp(u) + relu(u), RESCALING, sp.exp(u * w)),
    (u * relu(w * x) + u, RESCALING, u * relu(w * x)),
    (u**2 + w**3, RESCALING, sp.S.Zero),
    (u**2 - 3 * w**2, ROTATION, sp.S.Zero),  # −w²/3 of it would do: no share
]


@pytest.mark.parametrize(("loss", "symmetry", "part"), SPLITS, ids=str)
def test_the_invariant_part(loss: sp.Expr, symmetry: Symmetry, part: sp.Expr) -> None:
    loss = loss.xreplace({s: sp.Symbol(s.name, real=True) for s in loss.free_symbols})
    found = symmetric_part(_pair(loss, DATA), symmetry)
    assert found.proof.verdict is Verdict.PROVED
    part = part.xreplace({s: sp.Symbol(s.name, real=True) for s in part.free_symbols})
    assert _proved(found.symmetric, part)
    assert _proved(found.symmetric + found.rest, loss)
    here = Loss(found.symmetric, PAIR, DATA)
    assert symmetry.preserves(here).verdict is Verdict.PROVED


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), numbers), max_size=6),
    st.integers(1, 3),
)
@settings(max_examples=30, deadline=None)
def test_monomials_of_weight_zero_are_the_invariant_part(
    monomials: list[tuple[int, int, int]], weight: int
) -> None:
    """Under J = (u, −kw), u^p w^q has weight p − kq, and no weights cancel others."""
    symmetry = Symmetry.exponential(PAIR, [[1, 0], [0, -weight]])
    terms = [(p - weight * q, c * u**p * w**q) for p, q, c in monomials]
    found = symmetric_part(_pair(sp.Add(*(t for _, t in terms))), symmetry)
    assert _proved(found.symmetric, sp.Add(*(t for k, t in terms if k == 0)))


def test_a_large_power_is_kept_whole() -> None:
    loss = _pair((u + w + 1) ** 200 + u * w)
    found = symmetric_part(loss, RESCALING)
    assert found.symmetric == u * w
    assert found.rest == (u + w + 1) ** 200
