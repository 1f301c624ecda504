"""The reduced SDE from the loss, and its density against the published closed forms."""

from __future__ import annotations

import random
from typing import Any

import mpmath as mp
import pytest
import sympy as sp

from symbolic import DeclarationError, Verdict, compare
from symbolic._stationary.data import DataConstants
from symbolic._stationary.elementary import (
    elementary_logarithm,
    power_over_quadratic,
)
from symbolic._stationary.network import DiagonalNetwork, diagonal_network
from symbolic._stationary.reduction import T, reduced_from_loss, reduced_sde
from symbolic._stationary.scalar import ScalarSDE


DATA = DataConstants.symbols()
A1, A2, A3, B1, B2 = (
    DATA.alpha1,
    DATA.alpha2,
    DATA.alpha3,
    DATA.beta1,
    DATA.beta2,
)
GAMMA = sp.Symbol("gamma", positive=True)
V = sp.Symbol("v", positive=True)
M = sp.Symbol("m", integer=True, nonnegative=True)
D = sp.Symbol("d", positive=True, integer=True)
DELTA = A1 * A3 - A2**2


def is_same_density(sde: ScalarSDE, logarithm: sp.Expr) -> Verdict:
    """Compare a printed log-density with the derived one, up to a constant."""
    v = sde.variable
    derived = sde.stationary_density().logarithm
    return compare((derived - logarithm).diff(v), sp.S.Zero).verdict


# ----------------------------------------------------------------------- the reduction


@pytest.mark.parametrize(
    ("depth", "width"), [(1, 1), (1, 3), (2, 1), (2, 2), (3, 1), (3, 2)]
)
def test_reduced_sde_is_that_of_every_factor_written_out(
    depth: int, width: int
) -> None:
    """Itô's lemma on the whole network, in raw moments, against the symbolic one."""
    drift, variance = reduced_from_loss(depth, width, decay=GAMMA)
    data = DataConstants.from_moments()
    found = reduced_sde(depth, width, data, decay=GAMMA)
    assert compare(found.drift, drift).verdict is Verdict.PROVED
    assert compare(found.variance, variance).verdict is Verdict.PROVED
    other = reduced_sde(depth, width + 1, data, decay=GAMMA)
    if depth != 2:  # at depth 2 the width drops out
        assert compare(other.drift, drift).verdict is Verdict.REFUTED
    else:
        assert compare(other.drift, drift).verdict is Verdict.PROVED


def test_reduced_sde_is_that_of_theory() -> None:
    n = sp.Symbol("n", positive=True, integer=True)
    c, Q, k = D ** (2 / n - 1), DATA.Q(V), n - 1
    found = reduced_sde(n, D, DATA, decay=GAMMA)
    a = 2 * k / n
    drift = (
        -2 * n * c * V**a * (B1 * V - B2)
        - 2 * n * GAMMA * V
        + 2 * n * k * c**2 * V ** (3 - 4 / n) * T * Q
    )
    noise = (2 * n * c * V**a) ** 2 * T * Q
    assert sp.simplify(found.drift - drift) == 0
    assert sp.simplify(found.variance - noise) == 0
    assert sp.simplify(found.drift - drift.subs(k, n)) != 0


def test_large_networks_are_not_written_out() -> None:
    with pytest.raises(DeclarationError, match="reduced_sde"):
        reduced_from_loss(4, 2)


# ------------------------------------------------------------------------ closed forms


def test_linear_regression_is_the_published_density() -> None:
    """D = 0; at width d the temperature is dT and the decay γ/d."""
    network = diagonal_network(1, decay=GAMMA)
    v = network.variable
    assert v.is_positive is None

    def printed(heat: sp.Expr, b1: sp.Expr) -> sp.Expr:
        angle = sp.atan((A1 * v - A2) / sp.sqrt(DELTA))
        power = -1 - b1 / (2 * heat * A1)
        rest = (A2 * b1 - A1 * B2) / (heat * A1 * sp.sqrt(DELTA))
        return power * sp.log(DATA.Q(v)) - rest * angle

    assert is_same_density(network.sde, printed(D * T, B1 + GAMMA / D)) is (
        Verdict.PROVED
    )
    one = diagonal_network(1, 1, decay=GAMMA)
    assert is_same_density(one.sde, printed(T, B1 + GAMMA)) is Verdict.PROVED
    assert is_same_density(one.sde, printed(T, B1)) is Verdict.REFUTED
    assert is_same_density(network.sde, printed(T, B1 + GAMMA)) is Verdict.REFUTED


def printed_two_layer(v: sp.Symbol, b2: sp.Expr) -> sp.Expr:
    angle = sp.atan((A1 * v - A2) / sp.sqrt(DELTA))
    return (
        (b2 / (2 * A3 * T) - sp.Rational(3, 2)) * sp.log(v)
        - (1 + b2 / (4 * T * A3)) * sp.log(DATA.Q(v))
        - (A3 * B1 - A2 * b2) / (2 * T * A3 * sp.sqrt(DELTA)) * angle
    )


def test_two_layers_are_the_published_density() -> None:
    """D = 1, for any width; decay is β₂ → β₂ − γ."""
    plain, decayed = diagonal_network(2), diagonal_network(2, 5, decay=GAMMA)
    assert is_same_density(plain.sde, printed_two_layer(V, B2)) is Verdict.PROVED
    shifted = printed_two_layer(V, B2 - GAMMA)
    assert is_same_density(decayed.sde, shifted) is Verdict.PROVED
    assert is_same_density(decayed.sde, printed_two_layer(V, B2)) is Verdict.REFUTED
    mirrored = printed_two_layer(V, -B2).subs(A2, -A2)
    assert is_same_density(plain.mirrored().sde, mirrored) is Verdict.PROVED


def test_decay_is_no_shift_of_beta2_beyond_two_layers() -> None:
    decayed = diagonal_network(3, 1, decay=GAMMA).sde
    data = DataConstants(A1, A2, A3, B1, B2 - GAMMA)
    shifted = diagonal_network(3, 1, constants=data).sde
    assert compare(decayed.score, shifted.score).verdict is Verdict.REFUTED


@pytest.mark.parametrize("depth", [3, M + 2], ids=str)
def test_theorem_4_2_at_any_depth(depth: sp.Expr) -> None:
    """p₊ ∝ v^(−3D/(D+1)) Q⁻¹ exp(−…), with the decay term, by its score."""
    n = sp.sympify(depth)
    network = diagonal_network(n, decay=GAMMA)
    Q = DATA.Q(V)
    pull = D ** (1 - 2 / n) * (B1 * V - B2) / (n * V ** (2 - 2 / n) * Q)
    c = D ** (2 / n - 1)
    fall = GAMMA * V ** (1 - 4 * (n - 1) / n) / (n * c**2 * Q)
    score = -3 * (n - 1) / (n * V) - Q.diff(V) / Q - (pull + fall) / T
    found = network.density
    for m in (0, 4):
        sides = (e.xreplace({M: sp.Integer(m)}) for e in (found.score, score))
        assert compare(*sides).verdict is Verdict.PROVED
    assert found.proof().verdict is Verdict.PROVED
    assert found.anchor == B2 / B1
    without = score + fall / T
    assert compare(found.score, without).verdict is Verdict.REFUTED
    if n.is_number:
        p = found.expression
        flux = sp.powsimp(sp.expand(network.sde.flux(p) / p))
        assert compare(flux, sp.S.Zero).verdict is Verdict.PROVED


def test_interpolation_is_the_published_density() -> None:
    """y = kx: p ∝ v^(−3/2 + β₁/(2Tα₁k)) |v − k|^(−2 − β₁/(2Tα₁k)), not integrable."""
    k = sp.Symbol("k", positive=True)
    network = diagonal_network(2, constants=DATA.interpolating(k))
    below, above = network.pieces
    assert (below.interval, above.interval) == ((0, k), (k, sp.oo))
    e = B1 / (2 * T * A1 * k)
    for sde, gap in ((below, k - V), (above, V - k)):
        printed = (e - sp.Rational(3, 2)) * sp.log(V) - (2 + e) * sp.log(gap)
        assert is_same_density(sde, printed) is Verdict.PROVED
        assert sde.normalisable() == sp.false
        at_fit = sde.boundary(k)
        assert (at_fit.kind, at_fit.attracting) == ("natural", sp.true)
    with pytest.raises(DeclarationError, match="pieces"):
        _ = network.sde


def test_decay_makes_interpolation_normalisable_below_the_fit() -> None:
    k = sp.Symbol("k", positive=True)
    data = DATA.interpolating(k)
    below, above = diagonal_network(2, constants=data, decay=GAMMA).pieces
    assert below.boundary(k).kind == "entrance"
    assert above.boundary(k).kind == "exit"
    expected = sp.Gt(k * B1 - GAMMA - T * k**2 * A1, 0)
    found = below.normalisable()
    assert isinstance(found, sp.Gt)
    assert sp.expand(found.lhs - expected.lhs) == 0
    assert above.normalisable() == sp.false


# -------------------------------------------------------------- every depth, elementary


def test_the_elementary_density_is_the_one_with_an_integral() -> None:
    mp.mp.dps = 30
    data = DataConstants(2, sp.Rational(-1, 3), 3, 1, sp.Rational(1, 2))
    for depth, decay in ((3, sp.Rational(1, 7)), (4, 0)):
        network = diagonal_network(
            depth, 3, constants=data, decay=decay, temperature=sp.Rational(1, 5)
        )
        found = elementary_logarithm(network)
        assert not found.has(sp.Integral)
        f = sp.lambdify(V, found, "mpmath")
        score = sp.lambdify(V, network.sde.score, "mpmath")
        for at in ("0.2", "4"):
            gap = mp.diff(f, mp.mpf(at)) - score(mp.mpf(at))
            assert abs(gap) <= mp.mpf(10) ** -24 * (1 + abs(score(mp.mpf(at))))


def test_the_elementary_density_of_two_layers_is_the_closed_one() -> None:
    found = elementary_logarithm(diagonal_network(2))
    assert is_same_density(diagonal_network(2).sde, found) is Verdict.PROVED
    with pytest.raises(DeclarationError, match="integer depth"):
        elementary_logarithm(diagonal_network(M + 3))


@pytest.mark.parametrize("e", ["-3", "-7/2", "-1", "-1/3", "0", "3/4", "1", "5/2"])
def test_powers_over_a_quadratic(e: str) -> None:
    mp.mp.dps = 30
    power = sp.Rational(e)
    data = DataConstants(2, 1, 3, 1, 1)
    f = sp.lambdify(V, power_over_quadratic(power, data, V), "mpmath")
    for at in (mp.mpf("0.3"), mp.mpf(3)):
        exact = at ** (mp.mpf(int(power.p)) / int(power.q)) / (2 * at**2 - 2 * at + 3)
        assert abs(mp.diff(f, at) - exact) <= mp.mpf(10) ** -24 * (1 + exact)


# ------------------------------------------------------------------ identities, moments


def quadrature(network: DiagonalNetwork, *functions: sp.Expr) -> list[mp.mpf]:
    """Return E f and E|f| for each f, in v = exp(sinh t), or sinh(sinh t) on the line.

    The trapezoidal rule of step 1/20 converges geometrically; beyond |t| = 6.2 the
    density is below 1e-25.
    """
    v = network.variable
    deep = network.depth > 2
    logarithm = elementary_logarithm(network) if deep else network.density.logarithm
    with mp.workdps(25):
        log_p, *fs = (
            sp.lambdify(v, e, "mpmath", cse=True) for e in (logarithm, *functions)
        )
        line, shift = network.depth == 1, log_p(mp.mpf(1))
        sums = [mp.mpf(0)] * (1 + 2 * len(fs))
        for i in range(-124, 125):
            t = mp.mpf(i) / 20
            y = mp.sinh(t)
            at = mp.sinh(y) if line else mp.exp(y)
            jacobian = (mp.cosh(y) if line else at) * mp.cosh(t)
            w = mp.exp(log_p(at) - shift) * jacobian
            values = [f(at) for f in fs]
            terms = [mp.mpf(1), *values, *(abs(value) for value in values)]
            sums = [total + w * term for total, term in zip(sums, terms, strict=True)]
        return [total / sums[0] for total in sums[1:]]


def drawn(seed: int) -> DataConstants:
    """Return random constants with Δ > 0 and β₂ > 0."""
    r = random.Random(seed)
    a1, a3, b1, b2 = (sp.Rational(r.randint(4, 12), r.randint(3, 6)) for _ in range(4))
    a2 = sp.Rational(r.randint(-9, 9), 10) * sp.sqrt(a1 * a3)
    return DataConstants(a1, sp.Rational(round(10 * float(a2)), 10), a3, b1, b2)


IDENTITIES = [
    (1, 0, "v"),
    (1, sp.Rational(1, 3), "v**2"),
    (2, 0, "log(v)"),
    (2, sp.Rational(1, 4), "log(v)"),
    (2, 0, "v**(1/4)"),
    (3, 0, "log(v)"),
    (5, 0, "v**(-3/5)"),
]


@pytest.mark.parametrize(("depth", "decay", "text"), IDENTITIES)
def test_identities_by_quadrature(depth: int, decay: sp.Rational, text: str) -> None:
    data = drawn(10 * depth)
    cold = data.beta2 / data.alpha3 / 5
    network = diagonal_network(
        depth, 2, constants=data, decay=decay * data.beta2, temperature=cold
    )
    f = sp.sympify(text, locals={"v": network.variable})
    found = network.sde.identity(f)
    assert found.condition == sp.true
    shifted = found.expression + data.beta1 / 1000
    left, wrong, size, _ = quadrature(network, found.expression, shifted)
    assert abs(left) <= mp.mpf(10) ** -12 * size
    assert abs(wrong) >= mp.mpf(10) ** -6 * size


def test_the_published_identity_is_that_of_the_logarithm() -> None:
    """β₁E v − β₂ + T E Q(v) = 0 at D = 1, and its analogue with decay and depth."""
    network = diagonal_network(2, decay=GAMMA)
    found = network.sde.identity(sp.log(V))
    expected = -4 * (B1 * V - (B2 - GAMMA) + T * DATA.Q(V))
    assert compare(found.expression, expected).verdict is Verdict.PROVED
    assert found.condition == sp.Gt(B2 - GAMMA - T * A3, 0)


@pytest.mark.parametrize("depth", [1, 2, 3, M + 3], ids=str)
def test_the_analogue_of_the_published_identity_at_every_depth(
    depth: sp.Expr,
) -> None:
    n = sp.sympify(depth)
    gamma = GAMMA if n.is_number else sp.S.Zero
    network = diagonal_network(n, decay=gamma)
    v = network.variable
    found = network.mean_identity
    z = (v / D) ** (2 / n - 1)
    expected = B1 * v - B2 + gamma * z + (n - 1) * T * DATA.Q(v) / z
    for m in (0, 1, 4):
        sides = (e.xreplace({M: sp.Integer(m)}) for e in (found.expression, expected))
        assert compare(*sides).verdict is Verdict.PROVED
        if n.is_number:
            break
    least = {1: sp.true, 2: sp.Gt(B2 - gamma - T * A3, 0), 3: sp.false}
    assert found.condition == least.get(n, sp.true)  # with decay n = 3 collapses


def test_a_test_function_that_grows_too_fast_has_no_identity() -> None:
    """f = √v leaves a flux at ∞: E[√v(β₁v − β₂)] is not 0, though it is finite."""
    data = DataConstants.gaussian(1, 1)
    cold = sp.Rational(1, 10)
    network = diagonal_network(2, 1, constants=data, temperature=cold)
    found = network.sde.identity(sp.sqrt(V))
    assert found.boundary == (sp.true, sp.false)
    assert found.integrable == (sp.true, sp.true)
    assert found.condition == sp.false
    left, size = quadrature(network, found.expression)
    assert abs(left) >= mp.mpf("1e-3") * size
    # the mass of p, from ½s²pf' at infinity and from quadrature
    log_p = network.density.logarithm
    edge = sp.log(network.sde.variance * sp.sqrt(V).diff(V) / 2)
    flux = sp.exp(sp.N((log_p + edge).xreplace({V: sp.Integer(10) ** 30}), 40))
    with mp.workdps(25):
        p = sp.lambdify(V, sp.N(sp.exp(log_p), 30), "mpmath")
        grid = (mp.mpf(i) / 20 for i in range(-124, 125))
        mass = (
            sum(p(mp.exp(mp.sinh(t))) * mp.exp(mp.sinh(t)) * mp.cosh(t) for t in grid)
            / 20
        )
    assert abs(left - mp.mpf(flux) / mass) <= mp.mpf(10) ** -12


def test_means_of_the_paper() -> None:
    """T = .05, .1, .2, .3 → E v = .938, .845, .581, .182, Var v = .120, … (THEORY)."""
    data = DataConstants.gaussian(1, 1)
    known = {5: (0.938, 0.120), 10: (0.845, 0.251), 20: (0.581, 0.372)}
    for percent, (mean, variance) in known.items():
        heat = sp.Rational(percent, 100)
        network = diagonal_network(2, 1, constants=data, temperature=heat)
        first, second, *_ = quadrature(network, V, V**2)
        assert abs(first - mean) <= 6e-4
        assert abs(second - first**2 - variance) <= 6e-4


@pytest.mark.parametrize("depth", [2, 3, 7, M + 3], ids=str)
def test_second_moment_is_finite_at_every_temperature(depth: sp.Expr) -> None:
    sde = diagonal_network(depth).sde
    at_infinity = sde.integrable(V**2)
    expected = sde.normalisable() if depth != 2 else at_infinity
    assert at_infinity == expected
    third = {2: sp.false, 3: sp.false, 7: sp.true, M + 3: sp.Gt(M, 0)}[depth]
    assert sde.integrable(V**3) == third  # v^(−2 + 3/n)


def test_second_moment_of_regression_ends_at_a_temperature() -> None:
    """D = 0: E v² is finite iff T < β₁'/α₁, at width d iff dT < (β₁ + γ/d)/α₁."""
    network = diagonal_network(1, 1, decay=GAMMA)
    found = network.sde.integrable(network.variable**2)
    assert found == sp.Gt(B1 + GAMMA - T * A1, 0)


# ------------------------------------------------------------------------------ phases


def test_exponents() -> None:
    assert diagonal_network(2).tail_exponent == sp.Rational(-7, 2)
    tail = diagonal_network(M + 3).tail_exponent
    assert sp.simplify(tail - (-5 + 3 / (M + 3))) == 0
    flat = diagonal_network(1, 1, decay=GAMMA).tail_exponent
    assert sp.simplify(flat - (-2 - (B1 + GAMMA) / (T * A1))) == 0
    origin = diagonal_network(2, decay=GAMMA).origin_exponent
    expected = (B2 - GAMMA) / (2 * A3 * T) - sp.Rational(3, 2)
    assert sp.simplify(origin - expected) == 0
    assert diagonal_network(3).origin_exponent is None
    assert diagonal_network(1).origin_exponent == 0


CRITICAL = [
    (1, 0, sp.oo),
    (1, GAMMA, sp.oo),
    (2, 0, B2 / A3),
    (2, GAMMA, (B2 - GAMMA) / A3),
    (3, 0, sp.oo),
    (3, GAMMA, sp.S.Zero),
    (M + 3, 0, sp.oo),
    (M + 3, GAMMA, sp.S.Zero),
]


@pytest.mark.parametrize(("depth", "decay", "expected"), CRITICAL, ids=str)
def test_critical_temperature(
    depth: sp.Expr, decay: sp.Expr, expected: sp.Expr
) -> None:
    network = diagonal_network(depth, decay=decay)
    assert sp.simplify(network.critical_temperature - expected) == 0 or (
        network.critical_temperature == expected
    )
    if depth != 1:
        assert network.mirrored().critical_temperature == 0
        kind = network.sde.boundary(sp.oo).kind
        assert kind == "entrance"
    assert network.sde.boundary(network.sde.interval[0]).kind == "natural"


def test_critical_temperature_of_numbers() -> None:
    data = DataConstants.gaussian(1, 1)
    assert diagonal_network(2, constants=data).critical_temperature == sp.Rational(1, 3)
    small = diagonal_network(2, 1, constants=data, decay=sp.Rational(1, 10))
    assert small.critical_temperature == sp.Rational(3, 10)
    drowned = diagonal_network(2, 1, constants=data, decay=2)
    assert drowned.critical_temperature == 0


def test_critical_temperature_in_raw_moments() -> None:
    data = DataConstants.from_moments()
    found = diagonal_network(2, 1, constants=data, decay=GAMMA).critical_temperature
    expected = (data.beta2 - GAMMA) / data.alpha3
    assert compare(found, expected).verdict is Verdict.PROVED
    deep = diagonal_network(3, 1, constants=data).critical_temperature
    assert deep == sp.Piecewise((sp.oo, data.beta2 > 0), (0, True))


def test_an_open_order_of_the_depth_is_said() -> None:
    n = sp.Symbol("n", positive=True, integer=True)
    with pytest.raises(DeclarationError, match=r"m \+ 3"):
        _ = diagonal_network(n).critical_temperature
    assert diagonal_network(n).sde.boundary(0).kind is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "positive integer as depth"),
        ({"depth": 2.5}, "positive integer as depth"),
        ({"depth": 2, "width": sp.Symbol("w")}, "positive integer as width"),
        ({"depth": 2, "decay": -1}, "decay >= 0"),
        ({"depth": 2, "decay": sp.Symbol("g", real=True)}, "declare symbols positive"),
        ({"depth": 2, "temperature": 0}, "temperature > 0"),
    ],
)
def test_wrong_networks_say_what_to_mend(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        diagonal_network(**arguments)
