"""Modes, the phase diagram of two layers, and the limit of infinite depth."""

from __future__ import annotations

import random

import pytest
import sympy as sp

from symbolic import DeclarationError, Verdict, compare
from symbolic._stationary.data import DataConstants
from symbolic._stationary.network import diagonal_network
from symbolic._stationary.phases import (
    RATIO,
    cold_mode,
    deep_limit,
    modes,
    phase_boundaries,
)
from symbolic._stationary.reduction import T


DATA = DataConstants.symbols()
A1, A2, A3, B1, B2 = (
    DATA.alpha1,
    DATA.alpha2,
    DATA.alpha3,
    DATA.beta1,
    DATA.beta2,
)
GAMMA = sp.Symbol("gamma", positive=True)
K, S = sp.symbols("k sigma", positive=True)
NOISY = diagonal_network(2, constants=DataConstants.gaussian(K, S))
V = NOISY.variable


def test_modes_are_equation_16() -> None:
    peak, dip = modes(diagonal_network(2))
    tilt = B1 - 10 * A2 * T
    root = sp.sqrt(tilt**2 + 28 * A1 * T * (B2 - 3 * A3 * T))
    assert compare(peak, -(tilt - root) / (14 * A1 * T)).verdict is Verdict.PROVED
    assert compare(dip, -(tilt + root) / (14 * A1 * T)).verdict is Verdict.PROVED
    wrong = sp.sqrt(tilt**2 + 28 * A1 * T * (B2 - 2 * A3 * T))
    assert compare(peak, -(tilt - wrong) / (14 * A1 * T)).verdict is Verdict.REFUTED


def test_modes_of_regression() -> None:
    (only,) = modes(diagonal_network(1, 1, decay=GAMMA))
    expected = (B2 + 2 * T * A2) / (B1 + GAMMA + 2 * T * A1)
    assert compare(only, expected).verdict is Verdict.PROVED


def test_the_score_vanishes_at_the_modes() -> None:
    network = diagonal_network(2, constants=DataConstants(2, 2, 3, 1, 1), decay=0)
    score = sp.numer(sp.together(network.sde.score))
    for temperature in (sp.Rational(1, 20), sp.Rational(1, 8)):
        for mode in modes(network):
            at = {T: temperature, network.variable: mode.xreplace({T: temperature})}
            assert sp.expand(score.xreplace(at)) == 0


def test_cold_mode_is_the_published_expansion() -> None:
    v1 = 10 * A2 * B2 / B1**2 - 7 * A1 * B2**2 / B1**3 - 3 * A3 / B1
    found = cold_mode(diagonal_network(2))
    assert compare(found, B2 / B1 + v1 * T).verdict is Verdict.PROVED
    peak = modes(diagonal_network(2))[0]
    numbers = {A1: 2, A2: 1, A3: 3, B1: 1, B2: 2}
    series = sp.series(peak.subs(numbers), T, 0, 2).removeO()
    assert sp.expand(series - found.subs(numbers)) == 0
    assert (
        compare(
            cold_mode(diagonal_network(2, decay=GAMMA)).subs(T, 0), (B2 - GAMMA) / B1
        ).verdict
        is Verdict.PROVED
    )


@pytest.mark.parametrize("depth", [3, 5])
def test_cold_mode_at_any_depth(depth: int) -> None:
    n = sp.Symbol("n", positive=True, integer=True)
    numbers = {
        A1: 2,
        A2: 1,
        A3: 3,
        B1: 1,
        B2: 2,
        sp.Symbol("d", positive=True, integer=True): 2,
    }
    network = diagonal_network(n)
    guess = cold_mode(network).subs(numbers).subs(n, depth)
    equation = network.mode_equation.subs(numbers).subs(n, depth)
    errors = []
    for heat in (sp.Rational(1, 10**5), sp.Rational(1, 2 * 10**5)):
        root = sp.nsolve(equation.subs(T, heat), network.variable, 2, prec=30)
        errors.append(abs(root - guess.subs(T, heat)))
    assert 3.8 <= errors[0] / errors[1] <= 4.2  # what is left is of second order


# ------------------------------------------------------------------------- boundaries


def test_boundaries_are_the_published_ones() -> None:
    found = phase_boundaries(NOISY)
    critical = K / (2 * K**2 + S**2)
    merging = (4 * K + sp.sqrt(42) * S) / (4 * (21 * S**2 - 8 * K**2))
    assert compare(found.collapse, critical).verdict is Verdict.PROVED
    assert compare(found.divergence, critical / 3).verdict is Verdict.PROVED
    assert compare(found.merging, merging).verdict is Verdict.PROVED
    gap = found.merging - merging.subs(sp.sqrt(42), sp.sqrt(41))
    assert abs(gap.subs({K: 1, S: 1}).evalf(20)) >= sp.Rational(1, 1000)


def test_no_merging_where_the_discriminant_stays_positive() -> None:
    """σ² < 8k²/21: c₁, c₂ > 0, and the peak is always real."""
    quiet = DataConstants.gaussian(1, sp.Rational(1, 2))
    assert phase_boundaries(diagonal_network(2, constants=quiet)).merging is None


def test_boundaries_in_general() -> None:
    found = phase_boundaries(diagonal_network(2, decay=GAMMA))
    assert compare(found.divergence, (B2 - GAMMA) / (3 * A3)).verdict is Verdict.PROVED
    zero = found.discriminant.subs(T, found.merging)
    assert compare(zero, sp.S.Zero).verdict is Verdict.PROVED


def test_merging_never_precedes_divergence_but_may_meet_it() -> None:
    """T* ≥ T_c/3 for y = kx + ε, with equality at σ² = 14k²/3."""
    found = phase_boundaries(NOISY)
    t = S / K
    gap = sp.simplify(
        (found.merging - found.divergence)
        * 12
        * (21 * S**2 - 8 * K**2)
        * (2 * K**2 + S**2)
        / K**3
    )
    cubic = (
        3
        * sp.sqrt(42)
        * (t - sp.sqrt(sp.Rational(14, 3))) ** 2
        * (t + sp.Rational(2, 21) * sp.sqrt(42))
    )
    assert sp.simplify(sp.expand(gap - cubic)) == 0
    at = {K: sp.S.One, S: sp.sqrt(sp.Rational(14, 3))}
    assert sp.simplify((found.merging - found.divergence).subs(at)) == 0


def test_peak_condition_counts_real_positive_modes() -> None:
    r = random.Random(1)
    seen = set()
    found, first = phase_boundaries(NOISY), modes(NOISY)[0]
    for _ in range(40):
        at = {
            K: sp.Integer(1),
            S: sp.Rational(r.randint(1, 40), 10),
            T: sp.Rational(r.randint(1, 90), 150),
        }
        peak = first.xreplace(at)
        real = bool(found.discriminant.xreplace(at) >= 0) and bool(peak.evalf(30) > 0)
        assert bool(found.peak.xreplace(at)) is real
        seen.add((real, bool(found.divergence.xreplace(at) < at[T])))
    assert seen == {(True, False), (True, True), (False, True)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: modes(diagonal_network(3)), "mode_equation numerically"),
        (lambda: phase_boundaries(diagonal_network(3)), "expected depth 2"),
        (lambda: phase_boundaries(diagonal_network(2, temperature=1)), "a symbol"),
        (lambda: cold_mode(diagonal_network(3, decay=1)), "set decay to 0"),
        (lambda: cold_mode(diagonal_network(2, temperature=1)), "as temperature"),
        (lambda: deep_limit(DATA, ratio=sp.S(-1)), "ratio >= 0"),
    ],
)
def test_refusals(call: object, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        call()  # type: ignore[operator]


# ------------------------------------------------------------------------ D → ∞


def test_deep_limit_is_the_published_scaling_form() -> None:
    sde = deep_limit(DATA)
    v, delta = sde.variable, sp.sqrt(A1 * A3 - A2**2)
    k1 = RATIO * (A3 * B1 - 2 * A2 * B2) / (T * A3**2)
    angle = sp.atan((A1 * v - A2) / delta)
    weight = (A2 * A3 * B1 - 2 * A2**2 * B2 + A1 * A3 * B2) / (A3**2 * delta)
    printed = (
        (-3 - k1) * sp.log(v)
        + (-1 + k1 / 2) * sp.log(DATA.Q(v))
        - RATIO / T * (B2 / (A3 * v) + weight * angle)
    )
    density = sde.stationary_density()
    assert density.is_closed
    gap = (density.logarithm - printed).diff(v)
    assert compare(gap, sp.S.Zero).verdict is Verdict.PROVED
    wrong = (density.logarithm - printed).diff(v) + (k1 / v)
    assert compare(wrong, sp.S.Zero).verdict is Verdict.REFUTED
    assert sde.normalisable() == sp.true
    assert sde.boundary(0).kind == "natural"


def test_deep_limit_is_the_limit_of_the_scores() -> None:
    numbers = DataConstants(2, 1, 3, 1, 2)
    heat = sp.Rational(1, 4)
    limit = deep_limit(numbers, ratio=sp.Rational(3, 2), temperature=heat)
    point = {limit.variable: sp.Rational(7, 5)}
    errors = []
    for depth in (10**3 + 1, 10**4 + 1):
        network = diagonal_network(
            depth, (depth - 1) * 3 // 2, constants=numbers, temperature=heat
        )
        gap = network.sde.score.xreplace(point) - limit.score.xreplace(point)
        errors.append(abs(sp.N(gap, 20)))
    assert errors[1] <= errors[0] / 5  # O(log D/D)
    assert errors[1] <= 1e-2


def test_deep_limit_of_narrow_nets_collapses() -> None:
    """d = o(D): the drift to the fit is lost, and v⁻³Q⁻¹ is not integrable at 0."""
    sde = deep_limit(DATA, ratio=sp.S.Zero)
    assert sde.normalisable() == sp.false
    expected = -3 * sp.log(sde.variable) - sp.log(DATA.Q(sde.variable))
    found = sde.stationary_density().logarithm
    assert compare((found - expected).diff(sde.variable), sp.S.Zero).verdict is (
        Verdict.PROVED
    )
