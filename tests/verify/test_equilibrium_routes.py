"""Fixed point, potential, gradient of λ* and norm: verdicts, blocks, seeded faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from numeric._certify import _sides, certify_equilibrium
from numeric._equilibrium import _solve
from symbolic import (
    Declaration,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    Witness,
    low_rank,
    matrix_factorisation,
    relu_neuron,
    rescaling,
    scaling,
    tanh_net,
)
from symbolic._laws.ito import sgd_process
from symbolic._orbits.balance import _closed_form, orbit_balance
from tests.faults import alter
from verify import Evidence, Instance, instances
from verify._context import Context, Profile
from verify._exact import _power, covariance, form, trace_product
from verify._instances import (
    _gradients,
    _projectors,
    _rational_matrix,
    derived,
)
from verify._routes import _fixed_point, _flow, _implicit, _orbit, _potential, _scaling
from verify._routes._common import Factors
from verify._routes._theorem1 import coefficients, generic_equilibrium


TINY = Profile("tiny", exact=6, ensembles=1, replicas=16, steps=20)
HALF, ONE = Fraction(1, 2), Fraction(1)
NORM = Factors(Fraction(-4), Fraction(2))
Route = Callable[[Any, Context], Evidence]
P, C, S = Verdict.PROVED, Verdict.CERTIFIED, Verdict.SUPPORTED
R, N = Verdict.REFUTED, Verdict.NOT_APPLICABLE


def context(claim: str = "equilibrium", *subject: Declaration) -> Context:
    return Context(TINY, 0, claim, subject or None)


@cache
def pool() -> tuple[Instance, ...]:
    drawn = context().draw(instances(min_samples=2), 20, "pool")
    return tuple(i for i in drawn if i.projectors() is not None)


@pytest.fixture(autouse=True)
def no_stale_derivations() -> Iterator[None]:
    def clear() -> None:
        every = (derived, _gradients, _projectors, _rational_matrix)
        for cached in (*every, generic_equilibrium):
            cached.cache_clear()

    clear()
    yield
    clear()


# Verdicts. One declaration suffices for the symbolic routes, and its μ differ.

ONES = (rescaling(2, 1),)
VERDICTS: tuple[
    tuple[Route, Any, Verdict, Any, Verdict, tuple[Declaration, ...]], ...
] = (
    (_fixed_point.fixed_point_exact, HALF, S, ONE, R, ()),
    (_fixed_point.fixed_point_symbolic, HALF, P, ONE, R, ONES),
    (_fixed_point.fixed_point_certified, HALF, C, ONE, R, ()),
    (_fixed_point.balance_sign_exact, 1, S, 0, R, ()),
    (_fixed_point.balance_symbolic, 1, P, 0, R, ONES),
    (_fixed_point.balance_certified, 1, C, 0, R, ()),
    (_potential.potential_exact, HALF, S, ONE, R, ()),
    (_potential.potential_symbolic, HALF, P, ONE, R, ONES),
    (_potential.potential_numeric, HALF, S, ONE, R, ()),
    (_implicit.implicit_symbolic, -1, P, 1, R, ()),
    (_implicit.implicit_numeric, -1, S, 1, R, ()),
    (_scaling.norm_generator, NORM, S, Factors(-ONE, ONE), R, ()),
)


@pytest.mark.parametrize(
    ("route", "true", "verdict", "twin", "opposite", "subject"), VERDICTS
)
def test_the_statement_holds_and_its_twin_does_not(
    route: Route,
    true: Any,
    verdict: Verdict,
    twin: Any,
    opposite: Verdict,
    subject: tuple[Declaration, ...],
) -> None:
    found = route(true, context("true", *subject))
    other = route(twin, context("twin", *subject))

    assert (found.verdict, other.verdict) == (verdict, opposite)
    assert found.instances > found.degenerate
    assert found.counterexample is None
    assert other.counterexample is not None


@pytest.mark.parametrize("factor", [0, Fraction(1, 4), -1, 3])
@pytest.mark.parametrize(
    "route",
    [
        _fixed_point.fixed_point_exact,
        _fixed_point.fixed_point_symbolic,
        _fixed_point.fixed_point_certified,
        _potential.potential_exact,
        _potential.potential_symbolic,
    ],
)
def test_other_factors_are_refuted(route: Route, factor: Fraction) -> None:
    declared = ONES if route is _potential.potential_symbolic else ()

    assert route(Fraction(factor), context("wrong", *declared)).verdict is R


@pytest.mark.parametrize("factor", [Fraction(1, 4), Fraction(3)])
def test_another_potential_has_another_minimiser(factor: Fraction) -> None:
    assert _potential.potential_numeric(factor, context("wrong")).verdict is R


@pytest.mark.parametrize("power", [0, 2, 3])
@pytest.mark.parametrize(
    "route",
    [
        _fixed_point.balance_sign_exact,
        _fixed_point.balance_symbolic,
        _fixed_point.balance_certified,
    ],
)
def test_other_weights_are_refuted(route: Route, power: int) -> None:
    assert route(power, context("weights")).verdict is R


@pytest.mark.parametrize("sign", [0, 1, -2])
def test_other_gradients_of_lambda_are_refuted(sign: int) -> None:
    for route in (_implicit.implicit_symbolic, _implicit.implicit_numeric):
        assert route(sign, context("gradient")).verdict is R


@pytest.mark.parametrize("factor", [0, 3])
@pytest.mark.parametrize("part", ["decay", "noise"])
def test_other_norms_are_refuted(part: str, factor: Fraction) -> None:
    wrong = {"decay": NORM.decay, "noise": NORM.noise, part: Fraction(factor)}

    assert _scaling.norm_generator(Factors(**wrong), context()).verdict is R


def test_what_was_used_is_said() -> None:
    implicit = _implicit.implicit_symbolic(-1, context())
    certified = _fixed_point.fixed_point_certified(HALF, context())

    assert "slope is strictly negative" in implicit.summary
    assert any("implicit function theorem" in step for step in implicit.steps)
    assert "rounding included" in certified.summary
    assert certified.tolerance is not None
    assert certified.tolerance <= 2.0**-90


# Counterexamples, checked again in plain rationals.


def seen(route: Route, subject: Any) -> Witness:
    found = route(subject, context("by hand")).counterexample
    assert found is not None
    return found


def spread(values: list[Fraction]) -> Fraction:
    mean = sum(values, Fraction(0)) / len(values)
    return sum(((v - mean) ** 2 for v in values), Fraction(0)) / len(values)


def scale_gradients(u: Fraction, w: Fraction) -> list[tuple[Fraction, Fraction]]:
    """∇(w/u − y)² = 2r(−w/u², 1/u) for y = ±1."""
    rs = [w / u - y for y in (1, -1)]
    return [(-2 * r * w / u**2, 2 * r / u) for r in rs]


def test_by_hand_the_fixed_point() -> None:
    """(w/u − y)² at (1, 0), A = I, σ² = ¼: Tr Σ = 4, C = ½, so γ = ½ holds it still."""
    gradients = scale_gradients(ONE, Fraction(0))
    trace = sum((spread([g[i] for g in gradients]) for i in (0, 1)), Fraction(0))
    gamma = Fraction(1, 4) * trace / (4 * HALF)
    witness = seen(_fixed_point.fixed_point_exact, ONE)

    assert trace == 4
    assert (gamma, witness.values["gamma"]) == (HALF, "1/2")
    assert Fraction(witness.left) == 4 * gamma * 1  # with C = θᵀAθ as printed in (6)
    assert Fraction(witness.right) == Fraction(1, 4) * trace == 4 * gamma * HALF


@pytest.mark.parametrize(
    "route", [_fixed_point.balance_sign_exact, _fixed_point.balance_symbolic]
)
def test_by_hand_the_weights(route: Route) -> None:
    """(uw⁴ − y)² at (1, 2), y = 15, 17, A = diag(4, −1): 4Σ_uu = Σ_ww."""
    rs = [Fraction(16 - y) for y in (15, 17)]
    s_u, s_w = spread([2 * r * 16 for r in rs]), spread([2 * r * 32 for r in rs])
    witness = seen(route, 0)

    assert 4 * s_u - 1 * s_w == 0
    assert s_u - s_w < 0
    assert witness.left in {"0", f"difference {s_u - s_w}"}
    assert witness.right in {"-1", "difference 0"}


def test_by_hand_the_sign_of_the_gradient() -> None:
    """λ* = ¼ ln(s₊/s₋): dλ* = ds₊/(4s₊) = ¼ for s₊ = ds₊ = 16."""
    witness = seen(_implicit.implicit_symbolic, 1)

    assert witness.right == f"derivative {Fraction(16, 4 * 16)}"
    assert witness.left == f"formula {-Fraction(16, 4 * 16)}"
    assert witness.values["s"] == "(16, 1)"


def test_by_hand_the_slope_of_the_potential() -> None:
    """(w/u − y)² at q(1, 0), γ = 1, σ² = ¼: Φ = q² + κ·¼·4/q² at q = 5/4."""
    q = Fraction(5, 4)
    witness = seen(_potential.potential_exact, ONE)
    slope = 2 * q**2 - 2 * q**-2  # dΦ/dλ for κ = 1

    for n in (2, 3):
        gradients = scale_gradients(Fraction(n), Fraction(0))
        assert spread([g[1] for g in gradients]) == Fraction(4, n * n)
    assert Fraction(witness.left) == -slope
    assert Fraction(witness.right) == -2 * q**2 + Fraction(1, 4) * 4 * q**-2


def test_by_hand_the_norm() -> None:
    """d‖θ‖²/dt = 2σ²Tr Σ = 2 at σ² = ¼, γ = 0; printed, 1."""
    witness = seen(_scaling.norm_generator, Factors(-ONE, ONE))

    assert (witness.left, witness.right) == ("2", "1")


def test_by_hand_lambda_need_not_be_finite() -> None:
    """λ* = ½ ln|p| for s = (p², 1), γ = 0: −∞ at p = 0, the assumption of part 4."""
    for p in (2, 3):
        found = certify_equilibrium([1, -1], [p * p, 1], [0, 0], sigma2=1, gamma=0)
        assert isinstance(found.lower, Fraction)
        assert isinstance(found.upper, Fraction)
        assert found.lower <= Fraction(sp.Rational(sp.log(p).n(60)) / 2) <= found.upper
    gone = certify_equilibrium([1, -1], [0, 1], [0, 0], sigma2=1, gamma=0)
    assert not isinstance(gone.lower, Fraction)


# The building blocks.

rationals = st.fractions(-3, 3, max_denominator=64)


@given(
    st.dictionaries(st.integers(-8, 8), rationals, min_size=1, max_size=5),
    rationals,
    st.fractions(0, Fraction(1, 8), max_denominator=10**6),
)
@settings(max_examples=40, deadline=None)
def test_enclosures_enclose(
    terms: dict[int, Fraction], low: Fraction, width: Fraction
) -> None:
    ends = (low, low + width)
    below, above = _fixed_point.enclosed(terms, ends)
    with mpmath.workdps(200):
        for lam in (*ends, low + width / 3):
            z = mpmath.mpf(lam.numerator) / lam.denominator
            value = mpmath.fsum(
                mpmath.mpf(c.numerator) / c.denominator * mpmath.exp(k * z)
                for k, c in terms.items()
            )
            bounds = [mpmath.mpf(b.numerator) / b.denominator for b in (below, above)]
            # sums that are exact, as c·e⁰, may sit on the end: room for mpmath only
            assert bounds[0] - mpmath.mpf(10) ** -180 <= value
            assert value <= bounds[1] + mpmath.mpf(10) ** -180
    size = sum(abs(c) * 3 ** abs(4 * k) for k, c in terms.items())
    assert above - below <= size * (Fraction(1, 2**300) + 9 * width)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.tuples(
            st.lists(
                st.lists(rationals, min_size=n, max_size=n), min_size=n, max_size=n
            ),
            st.lists(rationals, min_size=n, max_size=n),
        )
    )
)
@settings(max_examples=60, deadline=None)
def test_solved_systems_are_solved(
    system: tuple[list[list[Fraction]], list[Fraction]],
) -> None:
    rows, right = system
    if sp.Matrix(rows).det() == 0:
        return
    found = _potential._solved([list(row) for row in rows], list(right))

    for row, b in zip(rows, right, strict=True):
        assert sum(a * v for a, v in zip(row, found, strict=True)) == b


def test_orbit_terms_add_up() -> None:
    assert len(pool()) >= 15
    for instance in pool():
        mu, t, s = _orbit.orbit_terms(instance)
        Sigma = covariance(instance.gradients())
        n = range(len(instance.theta))

        assert sum(t) == sum(v * v for v in instance.theta)
        assert sum(s) == sum(Sigma[i][i] for i in n)
        assert min((*t, *s)) >= 0
        assert sum(m * v for m, v in zip(mu, t, strict=True)) == form(
            instance.A, instance.theta
        )
        assert sum(m * v for m, v in zip(mu, s, strict=True)) == trace_product(
            instance.A, Sigma
        )


def test_interpolation_finds_the_spectral_form() -> None:
    """Coefficients of Φ, found by moving θ and Σ, are γt_μ at μ and κσ²s_μ at −μ."""
    checked = 0
    for instance in pool():
        kappa = Fraction(3, 7)
        found = _potential._interpolated(kappa, instance)
        if found is None:
            continue
        checked += 1
        expected: dict[int, Fraction] = dict.fromkeys(found, Fraction(0))
        for m, t, s in zip(*_orbit.orbit_terms(instance), strict=True):
            expected[m] += instance.gamma * t
            expected[-m] += kappa * instance.sigma2 * s
        assert found == expected
    assert checked >= 10


def test_the_drift_without_ito_is_the_flow() -> None:
    for instance in pool():
        noise = trace_product(instance.A, covariance(instance.gradients()))
        expected = -4 * instance.gamma * instance.charge() + instance.sigma2 * noise
        assert _flow.drift_of(instance) == expected
        assert instance.balance(ONE, instance.gradients()) == expected


def test_the_hand_made_pair() -> None:
    pair = _orbit.scale_invariant_pair()

    assert sorted(pair.gradients()) == sorted(scale_gradients(ONE, Fraction(0)))
    assert _orbit.orbit_terms(pair) == ((1,), (ONE,), (Fraction(4),))


def test_trivial_fixed_points_are_counted_and_do_not_certify() -> None:
    """For ℓ = (uwx − y)² with equal weights C = 0 at λ*: (9) reads 0 = 0."""
    for m in (HALF, ONE):
        found = _fixed_point.fixed_point_certified(m, context("trivial", rescaling()))
        assert found.verdict is N
    drawn = _fixed_point.fixed_point_certified(HALF, context("true"))
    assert 0 < drawn.degenerate < drawn.instances


# Seeded faults: one factor of a derived formula is altered in its source.


def on_one(route: Route, subject: Any) -> Evidence:
    return route(subject, context("faults", *ONES))


def on_drawn(route: Route, subject: Any) -> Evidence:
    return route(subject, context("faults"))


Run = Callable[[Route, Any], Evidence]
FAULTS: tuple[tuple[Any, str, str, Run, Route, Any], ...] = (
    (
        orbit_balance,
        "-2 * gamma",
        "-gamma",
        on_one,
        _potential.potential_symbolic,
        HALF,
    ),
    (
        orbit_balance,
        "sp.exp(-2 * lam * m)",
        "sp.exp(-lam * m)",
        on_one,
        _potential.potential_symbolic,
        HALF,
    ),
    (_closed_form, "(4 * m)", "(2 * m)", on_drawn, _implicit.implicit_symbolic, -1),
    (
        sgd_process,
        "2 * sigma2",
        "sigma2",
        on_one,
        _fixed_point.fixed_point_symbolic,
        HALF,
    ),
    (
        sgd_process,
        "2 * gamma",
        "gamma",
        on_one,
        _fixed_point.fixed_point_symbolic,
        HALF,
    ),
    (
        certify_equilibrium,
        "2 * _weight(gamma",
        "_weight(gamma",
        on_drawn,
        _fixed_point.fixed_point_certified,
        HALF,
    ),
    (
        certify_equilibrium,
        "2 * _weight(gamma",
        "_weight(gamma",
        on_drawn,
        _implicit.implicit_numeric,
        -1,
    ),
    (
        _sides,
        "weight = size * factor",
        "weight = factor",
        on_drawn,
        _fixed_point.balance_certified,
        1,
    ),
    (_solve, "math.log(2.0)", "0.0", on_drawn, _potential.potential_numeric, HALF),
    (
        Instance.balance,
        "-2 * self.gamma",
        "-self.gamma",
        on_drawn,
        _potential.potential_exact,
        HALF,
    ),
    (
        covariance,
        "c * d * N",
        "c * d * (N - 1)",
        on_drawn,
        _fixed_point.fixed_point_exact,
        HALF,
    ),
    (
        covariance,
        "c * d * N",
        "c * d * (N - 1)",
        on_drawn,
        _scaling.norm_generator,
        NORM,
    ),
    (
        _flow._euler_mean,
        "2 * instance.gamma",
        "instance.gamma",
        on_drawn,
        _scaling.norm_generator,
        NORM,
    ),
    (
        _orbit.orbit_terms,
        "form(P, instance.theta)",
        "2 * form(P, instance.theta)",
        on_drawn,
        _potential.potential_numeric,
        HALF,
    ),
    (
        coefficients,
        "- 2 * instance.gamma",
        "- instance.gamma",
        on_drawn,
        _implicit.implicit_numeric,
        -1,
    ),
    (
        _power,
        "exponent * base",
        "base",
        on_drawn,
        _scaling.norm_generator,
        NORM,
    ),
)


@pytest.mark.parametrize(("function", "old", "new", "run", "route", "subject"), FAULTS)
def test_an_altered_factor_turns_a_claim_red(
    function: Any,
    old: str,
    new: str,
    run: Run,
    route: Route,
    subject: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alter(monkeypatch, function, old, new)

    assert run(route, subject).verdict is R


# A run on a user's declaration.


def pair(name: str, A: Any, expression: Any) -> Declaration:
    space = ParameterSpace(u=(), w=())
    u, w = space.symbols
    x, y = sp.symbols("x y", real=True)
    loss = Loss((expression(u, w) * x - y) ** 2, space, data={"x": (), "y": ()})
    return Declaration(name, space, Symmetry.exponential(space, A), loss)


SUBJECTS: dict[str, Callable[[], Declaration]] = {
    "rescaling": rescaling,
    "scaling": lambda: scaling(2),
    "tanh": tanh_net,
    "relu": relu_neuron,
    "low rank": low_rank,
    "factorisation": lambda: matrix_factorisation(2, 2, 1, [[1, 0], [0, -2]]),
    "halves": lambda: pair("halves", sp.diag(1, -1) / 2, lambda u, w: u * w),
    "identity": lambda: pair("identity", sp.eye(2), lambda u, w: u * w / (u**2 + w**2)),
}
GENERAL: dict[str, tuple[Route, Any]] = {
    "fixed point, exact": (_fixed_point.fixed_point_exact, HALF),
    "fixed point, symbolic": (_fixed_point.fixed_point_symbolic, HALF),
    "fixed point, certified": (_fixed_point.fixed_point_certified, HALF),
    "balance, exact": (_fixed_point.balance_sign_exact, 1),
    "balance, symbolic": (_fixed_point.balance_symbolic, 1),
    "balance, certified": (_fixed_point.balance_certified, 1),
    "potential, exact": (_potential.potential_exact, HALF),
    "potential, symbolic": (_potential.potential_symbolic, HALF),
    "potential, numeric": (_potential.potential_numeric, HALF),
    "gradient, numeric": (_implicit.implicit_numeric, -1),
    "norm": (_scaling.norm_generator, NORM),
}
EXACT = {name for name in GENERAL if "symbolic" not in name}
SCALED = {"scaling", "identity"}  # definite A: λ* = ∞ for γ = 0


@pytest.mark.parametrize("subject", SUBJECTS)
def test_general_routes_run_on_a_declaration_of_ones_own(subject: str) -> None:
    declaration = SUBJECTS[subject]()
    found = {
        name: route(true, context(subject, declaration)).verdict
        for name, (route, true) in GENERAL.items()
    }

    symbolic = {v for name, v in found.items() if name not in EXACT}
    assert symbolic == {P}
    assert set(found.values()) <= {P, C, S, N}
    assert (found["norm"] is S) == (subject in SCALED)
    if subject in {"tanh", "halves"}:  # nothing rational to compute with
        assert {found[name] for name in EXACT} == {N}
    if subject in SCALED:
        assert found["balance, certified"] is N
        assert found["fixed point, certified"] is C


@pytest.mark.parametrize("subject", ["rescaling", "scaling", "low rank", "relu"])
def test_equal_weights_are_no_other_weights(subject: str) -> None:
    """For μ = 0, ±1 the twin of (10) says the same: nothing to refute or to prove."""
    given = context("weights", SUBJECTS[subject]())

    assert _fixed_point.balance_symbolic(0, given).verdict is N
    assert _fixed_point.balance_sign_exact(0, given).verdict is N
    assert _fixed_point.balance_certified(0, given).verdict is N
