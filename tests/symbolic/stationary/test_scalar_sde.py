"""The general tool on SDEs whose densities and boundaries are in every textbook."""

from __future__ import annotations

import mpmath as mp
import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import DeclarationError, Verdict, compare
from symbolic._stationary.antiderivative import primitive
from symbolic._stationary.asymptotics import leading, limit_at_zero
from symbolic._stationary.scalar import ScalarSDE


v = sp.Symbol("v", positive=True)
x = sp.Symbol("x", real=True)
a, b, c, s = sp.symbols("a b c s", positive=True)
HALF = (sp.S.Zero, sp.oo)
LINE = (-sp.oo, sp.oo)

DENSITIES = {
    "Ornstein-Uhlenbeck": (ScalarSDE(-a * x, s, x, LINE), sp.exp(-a * x**2 / s**2)),
    "double well": (
        ScalarSDE(x - x**3, s, x, LINE),
        sp.exp((x**2 - x**4 / 2) / s**2),
    ),
    "CIR: gamma": (
        ScalarSDE(a * (b - v), s * sp.sqrt(v), v, HALF),
        v ** (2 * a * b / s**2 - 1) * sp.exp(-2 * a * v / s**2),
    ),
    "Pearson: inverse gamma": (
        ScalarSDE(a * (b - v), s * v, v, HALF),
        v ** (-2 - 2 * a / s**2) * sp.exp(-2 * a * b / (s**2 * v)),
    ),
    "Pearson: Student": (
        ScalarSDE(-a * x, s * sp.sqrt(1 + x**2), x, LINE),
        (1 + x**2) ** (-1 - a / s**2),
    ),
    "Jacobi: beta": (
        ScalarSDE(a * (b - v), s * sp.sqrt(v * (1 - v)), v, (0, 1)),
        v ** (2 * a * b / s**2 - 1) * (1 - v) ** (2 * a * (1 - b) / s**2 - 1),
    ),
    "logistic: gamma": (
        ScalarSDE(a * v - v**2, s * v, v, HALF),
        v ** (2 * a / s**2 - 2) * sp.exp(-2 * v / s**2),
    ),
    "circle": (ScalarSDE(-sp.sin(x), s, x, LINE), sp.exp(2 * sp.cos(x) / s**2)),
    "radical drift": (
        ScalarSDE(1 - sp.sqrt(v), s * sp.sqrt(v), v, HALF),
        v ** (2 / s**2 - 1) * sp.exp(-4 * sp.sqrt(v) / s**2),
    ),
}


@pytest.mark.parametrize(("sde", "known"), DENSITIES.values(), ids=DENSITIES)
def test_density_is_the_textbook_one(sde: ScalarSDE, known: sp.Expr) -> None:
    density = sde.stationary_density()
    difference = density.logarithm - sp.expand_log(sp.log(known), force=True)
    assert density.is_closed
    assert density.proof().verdict is Verdict.PROVED
    y = sde.variable
    assert compare(difference.diff(y), sp.S.Zero).verdict is Verdict.PROVED
    assert compare(sde.flux(known) / known, sp.S.Zero).verdict is Verdict.PROVED
    assert compare(sde.flux(known * y) / known, sp.S.Zero).verdict is Verdict.REFUTED
    other = ScalarSDE(2 * sde.drift, sde.diffusion, y, sde.interval)
    assert compare(other.score, sde.score).verdict is Verdict.REFUTED


def test_the_score_of_the_expression_is_the_score() -> None:
    for sde, _ in DENSITIES.values():
        p = sde.stationary_density().expression
        slope = sp.expand_log(sp.log(p), force=True).diff(sde.variable)
        assert compare(slope, sde.score).verdict is Verdict.PROVED


# ------------------------------------------------------------------------ boundaries

delta = sp.Symbol("delta", real=True)
ENDS = [
    # Bessel process of dimension δ at 0
    (ScalarSDE(sp.Rational(-1, 4) / v, 1, v, HALF), 0, "regular"),  # δ = 1/2
    (ScalarSDE(sp.S.Zero, 1, v, HALF), 0, "regular"),  # δ = 1
    (ScalarSDE(1 / (2 * v), 1, v, HALF), 0, "entrance"),  # δ = 2
    (ScalarSDE(1 / v, 1, v, HALF), 0, "entrance"),  # δ = 3
    (ScalarSDE(-1 / (2 * v), 1, v, HALF), 0, "exit"),  # δ = 0
    (ScalarSDE(-1 / v, 1, v, HALF), 0, "exit"),
    # Feller's branching diffusion, and with immigration
    (ScalarSDE(-a * v, sp.sqrt(v), v, HALF), 0, "exit"),
    (ScalarSDE(sp.Rational(1, 4), sp.sqrt(v), v, HALF), 0, "regular"),
    (ScalarSDE(sp.Rational(1, 2), sp.sqrt(v), v, HALF), 0, "entrance"),
    # geometric Brownian motion, Ornstein-Uhlenbeck, Brownian motion
    (ScalarSDE(a * v, s * v, v, HALF), 0, "natural"),
    (ScalarSDE(a * v, s * v, v, HALF), sp.oo, "natural"),
    (ScalarSDE(-a * x, s, x, LINE), -sp.oo, "natural"),
    (ScalarSDE(sp.S.Zero, s, x, LINE), sp.oo, "natural"),
    # CEV without drift: v^p dW
    (ScalarSDE(sp.S.Zero, v ** sp.Rational(1, 4), v, HALF), 0, "regular"),
    (ScalarSDE(sp.S.Zero, v ** sp.Rational(3, 4), v, HALF), 0, "exit"),
    (ScalarSDE(sp.S.Zero, v, v, HALF), 0, "natural"),
    (ScalarSDE(sp.S.Zero, v**2, v, HALF), sp.oo, "entrance"),
    (ScalarSDE(sp.S.Zero, v, v, HALF), sp.oo, "natural"),
    # explosion, and coming down from infinity
    (ScalarSDE(v**2, 1, v, HALF), sp.oo, "exit"),
    (ScalarSDE(x**3, s, x, LINE), -sp.oo, "exit"),
    (ScalarSDE(-(v**2), v, v, HALF), sp.oo, "entrance"),
    (ScalarSDE(-v * sp.log(2), v, v, HALF), sp.oo, "natural"),
    # a finite upper end: the Wright-Fisher diffusion
    (ScalarSDE(sp.S.Zero, sp.sqrt(v * (1 - v)), v, (0, 1)), 1, "exit"),
    (ScalarSDE(a * (1 - v), sp.sqrt(v * (1 - v)), v, (0, 1)), 0, None),
    # drift that dominates: essential singularities
    (ScalarSDE(1, v, v, HALF), 0, "entrance"),
    (ScalarSDE(-1, v, v, HALF), 0, "exit"),
    (ScalarSDE(v ** sp.Rational(3, 2), v**2, v, HALF), 0, "natural"),
    (ScalarSDE(sp.sqrt(v), v, v, HALF), 0, "entrance"),
]


@pytest.mark.parametrize(("sde", "end", "kind"), ENDS, ids=str)
def test_feller_class_is_the_known_one(
    sde: ScalarSDE, end: sp.Expr, kind: str | None
) -> None:
    found = sde.boundary(end)
    assert found.kind == kind
    assert (found.finding.verdict is Verdict.PROVED) is (kind is not None)


def test_feller_class_of_cir_in_symbols() -> None:
    found = DENSITIES["CIR: gamma"][0].boundary(0)
    assert dict(found.cases) == {
        "regular": 2 * a * b < s**2,
        "entrance": 2 * a * b >= s**2,
    } or dict(found.cases) == {
        "regular": sp.Gt(s**2 - 2 * a * b, 0),
        "entrance": sp.Le(s**2 - 2 * a * b, 0),
    }
    assert found.kind is None
    assert found.finding.verdict is Verdict.INCONCLUSIVE


def _double_integral(inner: sp.Rational, outer: sp.Rational, cut: str) -> mp.mpf:
    """Return ∬ t^inner r^outer over cut < t < r < 1."""
    with mp.workdps(200):
        low = mp.mpf(cut)
        A, B = (mp.mpf(int(e.p)) / int(e.q) for e in (inner, outer))

        def power(e: mp.mpf, logs: int = 0) -> mp.mpf:
            """Return ∫ r^e log^logs r from the cut to 1, logs at most 1."""
            n, L = e + 1, mp.log(low)
            if n == 0:
                return -(L ** (logs + 1)) / (logs + 1)
            if logs == 0:
                return (1 - low**n) / n
            return (-1 - low**n * (n * L - 1)) / n**2

        if A == -1:
            return power(B, 1) - mp.log(low) * power(B)
        return (power(A + 1 + B) - low ** (A + 1) * power(B)) / (A + 1)


@given(st.fractions(-2, 2, max_denominator=4), st.fractions(-1, 3, max_denominator=4))
@settings(max_examples=20, deadline=None)
def test_feller_class_agrees_with_the_integrals_themselves(
    pull: sp.Rational, power: sp.Rational
) -> None:
    """μ = ½κx^(q−1), s² = x^q: ∫S dM and ∫M dS cut off at ε, as ε falls."""
    kappa, q = sp.Rational(pull), sp.Rational(power)
    sde = ScalarSDE(kappa * v ** (q - 1) / 2, v ** (q / 2), v, HALF)

    def finite(inner: sp.Rational, outer: sp.Rational) -> bool:
        values = [_double_integral(inner, outer, e) for e in ("1e-60", "1e-120")]
        return bool(abs(values[1] - values[0]) <= mp.mpf("1e-3") * abs(values[0]))

    reached, left = finite(-kappa, kappa - q), finite(kappa - q, -kappa)
    kinds = {
        (True, True): "regular",
        (True, False): "exit",
        (False, True): "entrance",
        (False, False): "natural",
    }
    assert sde.boundary(0).kind == kinds[reached, left]


def test_no_leading_term_is_inconclusive() -> None:
    odd = ScalarSDE(sp.exp(1 / v), v, v, HALF)
    found = odd.boundary(0)
    assert found.kind is None
    assert found.finding.verdict is Verdict.INCONCLUSIVE
    assert odd.normalisable() is None
    assert odd.identity(v).boundary[0] is None


def test_a_leading_coefficient_of_unknown_sign_is_stated() -> None:
    k = sp.Symbol("k", real=True)
    found = ScalarSDE(k, sp.S.One * v, v, HALF).boundary(0)
    assert found.behaviour is not None
    assert found.behaviour.assumes == (sp.Ne(k, 0),)
    assert dict(found.cases)["entrance"] == (k > 0)
    assert dict(found.cases)["exit"] == sp.Gt(-k, 0)


# --------------------------------------------------------------------- normalisable


def test_conditions_for_a_normalisation() -> None:
    growth = ScalarSDE(a * v - v**2, s * v, v, HALF)
    assert growth.normalisable() == sp.Gt(2 * a - s**2, 0)
    assert ScalarSDE(a * v, s * v, v, HALF).normalisable() == sp.false
    assert ScalarSDE(sp.S.Zero, s, x, LINE).normalisable() == sp.false
    assert ScalarSDE(-a * x, s, x, LINE).normalisable() == sp.true
    student = DENSITIES["Pearson: Student"][0]
    assert student.integrable(x**2) == sp.Gt(2 * a - s**2, 0)
    assert student.integrable(x**4) == sp.Gt(2 * a - 3 * s**2, 0)


# ------------------------------------------------------------------------ identities


@pytest.mark.parametrize("power", [-1, sp.Rational(1, 2), 1, 2])
def test_identity_of_the_gamma_law(power: sp.Rational) -> None:
    """E v^k of the gamma law CIR ends in, against E[𝓛v^k] = 0."""
    sde = DENSITIES["CIR: gamma"][0]
    found = sde.identity(v**power)
    shape, rate = 2 * a * b / s**2, 2 * a / s**2

    def mean(k: sp.Expr) -> sp.Expr:
        return sp.gamma(shape + k) / sp.gamma(shape) / rate**k

    terms = sp.Add.make_args(found.expression)
    total = sp.S.Zero
    for term in terms:
        number, own = term.as_independent(v, as_Add=False)
        exponent = own.as_base_exp()[1] if own != 1 else sp.S.Zero
        total += number * mean(exponent)
    at = {a: sp.Rational(3, 2), b: sp.Rational(7, 3), s: sp.Rational(4, 5)}
    assert abs(sp.N(total.xreplace(at), 40)) <= sp.Float(10) ** -35
    assert abs(sp.N(terms[0].xreplace(at | {v: sp.S.One}), 40)) >= sp.Rational(1, 100)
    least = {-1: sp.Gt(a * b - s**2, 0), sp.S.Half: sp.Gt(4 * a * b - s**2, 0)}
    assert found.condition == least.get(power, sp.true)  # the mean of v^(k − 1) exists


def test_a_boundary_term_that_stays_breaks_the_identity() -> None:
    """𝓛v of the inverse gamma law with a = 0 leaves a flux at ∞: no identity."""
    sde = ScalarSDE(1, v, v, HALF)  # p ∝ v⁻² exp(−2/v)
    assert sde.normalisable() == sp.true
    assert sde.identity(v).boundary == (sp.true, sp.false)  # 𝓛v = 1, E 1 = 1
    assert sde.identity(v).condition == sp.false
    assert sde.identity(1 / v).condition == sp.true
    p = sde.stationary_density().expression
    image = sde.identity(1 / v).expression
    total = sp.integrate(sp.expand(p * image), (v, 0, sp.oo))
    assert sp.simplify(total) == 0


def test_generator_is_the_adjoint_of_the_flux() -> None:
    """p𝓛f + f·d(flux)/dv·(−1) is a total derivative, for any p and f."""
    p, f = sp.Function("p")(v), sp.Function("f")(v)
    sde = ScalarSDE(a * v - v**3, s * v**2, v, HALF)
    current = sde.flux(p) * f + sde.variance * p * f.diff(v) / 2
    total = p * sde.generator(f) + f * sde.flux(p).diff(v)
    assert sp.expand(total - current.diff(v)) == 0


# ----------------------------------------------------------------- asymptotics, ∫


@pytest.mark.parametrize(
    ("expression", "coefficient", "exponent"),
    [
        ((1 + v) ** 2 - 1, 2, 1),
        ((1 + v) ** 3 - 1 - 3 * v, 3, 2),
        (1 / (1 + v) - 1, -1, 1),
        (sp.sqrt(4 + v) * v**a, 2, a),
        ((a - b) * v + v**2, a - b, 1),
        (sp.sin(v) / v**2, 1, -1),
        (sp.exp(v) - 1 + sp.S.One, 1, 0),
        (sp.tanh(1 / v), 1, 0),
        (v**2 - v**2, 0, sp.oo),
        (v**a + v ** (a + b), 1, a),
    ],
    ids=str,
)
def test_leading_term(
    expression: sp.Expr, coefficient: sp.Expr, exponent: sp.Expr
) -> None:
    found = leading(expression, v)
    assert found is not None
    assert sp.expand(found.coefficient - coefficient) == 0
    assert found.exponent == exponent


@pytest.mark.parametrize(
    "expression", [v**a + v**b, sp.log(v), sp.exp(1 / v), sp.exp(v) - 1], ids=str
)
def test_leading_term_is_not_guessed(expression: sp.Expr) -> None:
    assert leading(expression, v) is None


def test_limits() -> None:
    assert limit_at_zero(1 / v - 3, v) == sp.oo
    assert limit_at_zero(v / (v + a), v) == 0
    assert limit_at_zero((a + v) / (b + v), v) == a / b
    assert limit_at_zero(v**a + v**b, v) is None


fractions = st.fractions(-3, 3, max_denominator=3).map(sp.Rational)


@given(st.lists(fractions, min_size=6, max_size=6), st.integers(1, 3))
@settings(max_examples=3, deadline=None)
def test_partial_fractions_differentiate_back(
    drawn: list[sp.Rational], power: int
) -> None:
    p, q, r, t, m, k = drawn
    quadratic = v**2 + m * v + m**2 + 1 + abs(k)
    other = v**2 - (3 + abs(k)) * v + 1  # two real roots
    for bottom in (v**2 * quadratic**power, (v + 7) ** power * other):
        integrand = (p * v**3 + q * v**2 + r * v + t) / bottom
        found = primitive(integrand, v, (sp.S.Zero, sp.Rational(1, 100)))
        assert found.rest == 0
        slope = found.closed.diff(v)
        for at in (sp.Rational(1, 200), sp.Rational(1, 300)):
            left, right = (e.xreplace({v: at}) for e in (slope, integrand))
            gap = sp.N(left, 40) - sp.N(right, 40)
            assert abs(gap) <= sp.Float(10) ** -25


def test_a_cubic_denominator_stays_an_integral() -> None:
    sde = ScalarSDE(v, sp.sqrt(1 + a * v + v**3), v, HALF)
    density = sde.stationary_density(anchor=sp.S.One)
    assert not density.is_closed
    assert density.anchor == 1
    assert density.proof().verdict is Verdict.PROVED
    at = {a: sp.S.One}
    f = sp.lambdify(v, density.logarithm.xreplace(at).diff(v), "mpmath")
    g = sp.lambdify(v, sde.score.xreplace(at), "mpmath")
    assert abs(f(mp.mpf(2)) - g(mp.mpf(2))) <= mp.mpf(10) ** -12


def test_an_undecided_discriminant_is_stated() -> None:
    k = sp.Symbol("k", real=True)
    density = ScalarSDE(1, sp.sqrt(v**2 + k * v + 1), v, HALF).stationary_density()
    assert density.assumes == (sp.Gt(4 - k**2, 0),)
    decided = ScalarSDE(1, sp.sqrt(v**2 + v + 1), v, HALF).stationary_density()
    assert decided.assumes == ()


# ------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 0, v, HALF), "diffusion that is not 0"),
        ((1, 1, sp.Symbol("z"), HALF), "real symbol"),
        ((sp.nan, 1, v, HALF), "finite coefficients"),
        ((1, sp.I * v, v, HALF), "finite coefficients"),
        ((1, 1, v, (1, 0)), "low < high"),
        ((1, 1, v, (v, sp.oo)), "low < high"),
        ((sp.Symbol("v"), 1, v, HALF), "different assumptions"),
        (("v", 1, v, HALF), "sympy expression"),
    ],
)
def test_wrong_declarations_say_what_to_mend(
    arguments: tuple[sp.Expr, sp.Expr, sp.Symbol, tuple[sp.Expr, sp.Expr]],
    message: str,
) -> None:
    with pytest.raises(DeclarationError, match=message):
        ScalarSDE(*arguments)


def test_a_point_inside_is_no_end() -> None:
    with pytest.raises(DeclarationError, match="an end of"):
        ScalarSDE(1, 1, v, HALF).boundary(1)


def test_floats_are_read_as_decimals() -> None:
    sde = ScalarSDE(-0.1 * x, 0.5, x, (-float("inf"), float("inf")))
    expected = sp.exp(-sp.Rational(2, 5) * x**2)
    assert sde.stationary_density().expression == expected
