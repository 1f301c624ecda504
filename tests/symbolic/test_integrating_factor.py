"""An integrating factor that is returned holds; where Frobenius forbids it, none is."""

from __future__ import annotations

import operator
import random
from functools import reduce
from typing import Any

import pytest
import sympy as sp
from hypothesis import assume, given, settings, strategies as st

import symbolic._symmetries.integrating_factor as searched
from symbolic import NoCharge, ParameterSpace, Symmetry, Verdict, compare, relu
from symbolic._exact.antiderivative import antiderivative, potential
from symbolic._laws.charge import noether_charge
from symbolic._symmetries.integrating_factor import (
    IntegratingFactor,
    NoFactor,
    integrating_factor,
)


PAIR = ParameterSpace(u=(), w=())
u, w = PAIR.symbols
TRIPLE = ParameterSpace(a=(), b=(), c=())
a, b, c = TRIPLE.symbols
k = sp.Symbol("k", real=True)

integers = st.integers(-3, 3)
_STEP = sp.Rational(1, 10**15)


def factor_of(space: ParameterSpace, *J: Any) -> IntegratingFactor | NoFactor:
    return integrating_factor(Symmetry(space, tuple(map(sp.sympify, J))))


def in_domain(domain: str, point: dict[sp.Symbol, sp.Rational]) -> bool:
    if domain == "everywhere":
        return True
    names = {s.name: value for s, value in point.items()} | {"relu": relu}
    truths = []
    for condition in domain.split(" and "):
        text, relation = condition.rsplit(" ", 2)[0], condition.split()[-2]
        value = sp.N(sp.sympify(text, locals=names), 40)
        truths.append(value > 0 if relation == ">" else abs(value) > 10**-6)
    return all(truths)


def assert_holds(found: object, J: tuple[Any, ...], space: ParameterSpace) -> None:
    """f·J = ∇C by central differences at points of the stated domain.

    They are off by h²C'''/6, and by rounding of 60 digits over h.
    """
    assert isinstance(found, IntegratingFactor), found
    generator = random.Random(7)
    f, C = found.factor, found.expression
    symbols = f.free_symbols | C.free_symbols | set(space.symbols)
    checked = 0
    for _ in range(60):
        point = {
            s: sp.Rational(generator.randint(-40, 40), 17)
            for s in sorted(symbols, key=str)
        }
        if not in_domain(found.domain, point):
            continue
        for s, j in zip(space.symbols, J, strict=True):
            ends = [
                sp.N(C.subs(point | {s: point[s] + h}), 60) for h in (_STEP, -_STEP)
            ]
            slope = (ends[0] - ends[1]) / (2 * _STEP)
            expected = sp.N((f * j).subs(point), 60)
            assert slope.is_real
            assert expected.is_real
            assert abs(slope - expected) <= 1e-12 * (1 + abs(expected))
        checked += 1
        if checked == 3:
            return
    pytest.fail(f"no point of the domain {found.domain} was met")


TABLE: list[tuple[tuple[Any, Any], Any, Any, str]] = [
    ((-w, u), 1 / (u**2 + w**2), sp.atan(w / u), "u != 0"),
    ((w, 0), 1 / w, u, "w != 0"),
    ((0, u * w), 1 / (u * w), w, "u != 0 and w != 0"),
    ((u, w), 1, (u**2 + w**2) / 2, "everywhere"),
    ((0, 0), 1, 0, "everywhere"),
    ((u**2 * w, u), 1 / (u * w), u**2 / 2 + sp.log(w**2) / 2, "u != 0 and w != 0"),
    (
        (u - w, u + w),
        1 / (u**2 + w**2),
        sp.log(u**2 + w**2) / 2 + sp.atan(w / u),
        "u != 0",
    ),
    (
        (-w * sp.exp(u), u * sp.exp(u)),
        sp.exp(-u) / (u**2 + w**2),
        sp.atan(w / u),
        "u != 0",
    ),
    (
        (u + w**2, w),
        sp.exp(2 * u),
        (2 * u + 2 * w**2 - 1) * sp.exp(2 * u) / 4,
        "everywhere",
    ),
    ((sp.sqrt(u) * w, 1), 1 / w, None, "u > 0 and w != 0"),
    ((w * sp.log(u), w**2), 1 / w, None, "u > 0 and w != 0"),
    ((relu(u) * w, relu(u)), 1 / (w * relu(u)), None, "relu(u) != 0 and w != 0"),
    ((abs(u) * w, u), 1 / (u * w), None, "u != 0 and w != 0"),
]


@pytest.mark.parametrize(("J", "factor", "expression", "domain"), TABLE, ids=str)
def test_known_factors(
    J: tuple[Any, Any], factor: Any, expression: Any, domain: str
) -> None:
    found = factor_of(PAIR, *J)
    assert_holds(found, J, PAIR)
    assert isinstance(found, IntegratingFactor)
    assert compare(found.factor, sp.sympify(factor)).verdict is Verdict.PROVED
    if expression is not None:
        assert sp.simplify(found.expression - expression) == 0
    assert found.domain == domain


MORE: list[tuple[Any, Any]] = [
    (w, sp.sin(u)),
    (w, 1 + sp.exp(u)),
    (w**2, sp.cosh(u)),
    (w, sp.cos(2 * u + 1)),
    (w * sp.tanh(u), w**2),
    (w + 1, 2),
    (u + 3 * w + 1, w - u - 2),
    (u * w + 1, u**2),
    (u**2 + w**2 + u, w),
    (k * w, u),
    (u + k * w, w),
    (u**k * w, u),
    (u * w + 2 * u**3, w - u**2),  # homogeneous of weights 1 and 2
    (w * sp.cosh(u), 2 * sp.sinh(u)),
]


@pytest.mark.parametrize("J", MORE, ids=str)
def test_fields_with_a_factor(J: tuple[Any, Any]) -> None:
    assert_holds(factor_of(PAIR, *J), J, PAIR)


@given(st.lists(integers, min_size=4, max_size=4))
@settings(max_examples=12, deadline=None)
def test_every_plane_linear_field_has_a_factor(entries: list[int]) -> None:
    p, q, r, s = entries
    J = (p * u + q * w, r * u + s * w)
    assert_holds(factor_of(PAIR, *J), J, PAIR)


@given(st.lists(integers, min_size=6, max_size=6))
@settings(max_examples=5, deadline=None)
def test_every_plane_affine_field_has_a_factor(entries: list[int]) -> None:
    p, q, r, s, x, y = entries
    J = (p * u + q * w + x, r * u + s * w + y)
    assert_holds(factor_of(PAIR, *J), J, PAIR)


def wedge(J: tuple[Any, ...]) -> sp.Expr:
    """J·curl J, which is J ∧ dJ in three dimensions."""
    curl = (
        sp.diff(J[2], b) - sp.diff(J[1], c),
        sp.diff(J[0], c) - sp.diff(J[2], a),
        sp.diff(J[1], a) - sp.diff(J[0], b),
    )
    return sp.expand(sum(j * r for j, r in zip(J, curl, strict=True)))


@given(st.lists(st.integers(-2, 2), min_size=9, max_size=9))
@settings(max_examples=20, deadline=None)
def test_linear_fields_in_space_have_a_factor_iff_integrable(
    entries: list[int],
) -> None:
    J = tuple(sp.Matrix(3, 3, entries) * sp.Matrix(TRIPLE.symbols))
    found = factor_of(TRIPLE, *J)
    if wedge(J) == 0:
        assert_holds(found, J, TRIPLE)
    else:
        assert isinstance(found, NoFactor)
        assert "Frobenius" in found.reason
        assert found.witness is not None
        point = {s: sp.Rational(found.witness.values.get(s.name, 0)) for s in (a, b, c)}
        assert abs(wedge(J).subs(point)) == abs(sp.Rational(found.witness.left)) > 0


@given(
    st.lists(integers, min_size=6, max_size=6),
    st.lists(integers, min_size=4, max_size=4),
)
@settings(max_examples=5, deadline=None)
def test_planar_fields_in_space_have_a_factor(
    forms: list[int], entries: list[int]
) -> None:
    B, M = sp.Matrix(3, 2, forms), sp.Matrix(2, 2, entries)
    J = tuple((B * M * B.T * sp.Matrix(TRIPLE.symbols)).applyfunc(sp.expand))
    assert wedge(J) == 0
    assert_holds(factor_of(TRIPLE, *J), J, TRIPLE)


@given(
    st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=2, max_size=3),
    st.tuples(*[st.integers(-2, 2)] * 3),
)
@settings(max_examples=15, deadline=None)
def test_gradient_fields_scaled_by_a_monomial_have_a_factor(
    terms: list[tuple[int, int, int]], powers: tuple[int, int, int]
) -> None:
    def monomial(exponents: tuple[int, ...]) -> sp.Expr:
        pairs = zip(TRIPLE.symbols, exponents, strict=True)
        return reduce(operator.mul, (s**e for s, e in pairs))

    C = sum((i + 1) * monomial(t) for i, t in enumerate(terms))
    J = tuple(sp.expand(monomial(powers) * sp.diff(C, s)) for s in TRIPLE.symbols)
    assert_holds(factor_of(TRIPLE, *J), J, TRIPLE)


@pytest.mark.parametrize("scale", [a**2 + b**2 + 1, sp.exp(a * b), a - c], ids=str)
def test_gradient_fields_scaled_otherwise_have_a_factor(scale: sp.Expr) -> None:
    C = a * b**2 + c * a
    J = tuple(sp.expand(scale * sp.diff(C, s)) for s in TRIPLE.symbols)
    found = factor_of(TRIPLE, *J)
    assert_holds(found, J, TRIPLE)
    assert isinstance(found, IntegratingFactor)
    assert found.ansatz == "common factor"


def test_a_fixed_coordinate_enters_the_factor() -> None:
    found = factor_of(TRIPLE, -b * c, a * c, 0)
    assert_holds(found, (-b * c, a * c, 0), TRIPLE)
    assert isinstance(found, IntegratingFactor)
    assert found.domain == "a != 0 and c != 0"
    # J depends on c in a way that no factor removes.
    assert isinstance(factor_of(TRIPLE, b, a * c, 0), NoFactor)


@pytest.mark.parametrize("J", [(-b, a, 1), (b, c, a), (a * b, b * c, c * a)], ids=str)
def test_what_frobenius_forbids_has_no_factor(J: tuple[Any, ...]) -> None:
    found = factor_of(TRIPLE, *J)
    assert isinstance(found, NoFactor)
    assert found.witness is not None
    assert found.reason.startswith("J ∧ dJ is not 0")


def test_a_search_without_result_excludes_nothing() -> None:
    found = factor_of(PAIR, u * w + 1, w**3 + u)
    assert isinstance(found, NoFactor)
    assert found.witness is None
    assert "no factor was found" in found.reason
    no_integral = factor_of(PAIR, w * sp.cos(u), u)
    assert isinstance(no_integral, NoFactor)
    assert "no antiderivative" in no_integral.reason


def test_a_large_field_is_not_searched() -> None:
    J = (sum(sp.sin(i * u) * w**i for i in range(200)), u)
    found = factor_of(PAIR, *J)
    assert isinstance(found, NoFactor)
    assert "400 operations" in found.reason


def test_two_rotations_have_none_and_one_has_the_angle() -> None:
    space = ParameterSpace(t=(8,))
    t, rest = space.symbols, [sp.S.Zero] * 4
    one = factor_of(space, -t[1], t[0], 0, 0, *rest)
    assert isinstance(one, IntegratingFactor)
    assert one.expression == sp.atan(t[1] / t[0])
    assert isinstance(factor_of(space, -t[1], t[0], -t[3], t[2], *rest), NoFactor)


def test_a_factor_makes_no_charge() -> None:
    rotation = Symmetry(PAIR, (-w, u))
    assert isinstance(integrating_factor(rotation), IntegratingFactor)
    with pytest.raises(NoCharge):
        noether_charge(rotation)


def test_a_wrong_candidate_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [("wrong", 1 / (u**2 + w)), ("wrong", u), ("wrong", sp.S.One)]
    monkeypatch.setattr(searched, "candidates", lambda form, x: iter(wrong))
    assert isinstance(factor_of(PAIR, -w, u), NoFactor)
    monkeypatch.setattr(searched, "_is_closed", lambda form, x: True)
    assert isinstance(factor_of(PAIR, -w, u), NoFactor)


def test_a_wrong_potential_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searched, "potential", lambda form, x: sp.atan(2 * w / u))
    assert isinstance(factor_of(PAIR, -w, u), NoFactor)


@given(st.lists(integers, min_size=5, max_size=5))
@settings(max_examples=20, deadline=None)
def test_rational_functions_are_integrated(entries: list[int]) -> None:
    p, q, r, s, x = entries
    assume((r, s, x) != (0, 0, 0))
    integrand = (p * u + q) / (r * u**2 + s * u + x)
    found = antiderivative(integrand, u)
    assert found is not None
    assert sp.simplify(found.diff(u) - integrand) == 0


def test_a_potential_is_a_candidate_even_for_a_form_that_is_not_closed() -> None:
    form = (-w, u)
    C = potential(form, (u, w))
    assert C is None or any(
        sp.simplify(C.diff(s) - e) != 0 for s, e in zip((u, w), form, strict=True)
    )
