"""compare refutes with a witness, proves by a normal form, and else says neither."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    NotEnclosed,
    Verdict,
    compare,
    enclose,
    on_branches,
    random_point,
    relu,
    step,
)


u, v, w, z = sp.symbols("u v w z", real=True)
positive = sp.Symbol("p", positive=True)
rationals = st.fractions(-3, 3, max_denominator=7).map(
    lambda q: sp.Rational(q.numerator, q.denominator)
)

EQUAL: list[tuple[Any, Any]] = [
    ((u + w) ** 3, u**3 + 3 * u**2 * w + 3 * u * w**2 + w**3),
    ((u**2 - w**2) / (u - w), u + w),
    (1 / u + 1 / w, (u + w) / (u * w)),
    (sp.exp(u) * sp.exp(w), sp.exp(u + w)),
    (sp.exp(u / 2) ** 2, sp.exp(u)),
    (sp.exp(u + w) * sp.exp(-w) - sp.exp(u), 0),
    (sp.cosh(u) ** 2 - sp.sinh(u) ** 2, 1),
    (sp.tanh(u).diff(u), 1 - sp.tanh(u) ** 2),
    (sp.tanh(2 * u), 2 * sp.tanh(u) / (1 + sp.tanh(u) ** 2)),
    (relu(3 * u), 3 * relu(u)),
    (relu(sp.exp(z) * u), sp.exp(z) * relu(u)),
    (relu(2 * u + 2 * w), 2 * relu(u + w)),
    (relu(u) ** 2, u * relu(u)),
    (step(u) * relu(u), relu(u)),
    (relu(positive * u) / positive, relu(u)),
    (abs(u) ** 2, u**2),
    (abs(2 * u), 2 * abs(u)),
    (abs(u), 2 * relu(u) - u),
    (0, 0),
    (relu(u).diff(u) * u, relu(u)),
]

UNEQUAL: list[tuple[Any, Any]] = [
    (u, u + sp.Rational(1, 10**9)),
    (u**2 * (1 + sp.Rational(1, 10**9)), u**2),
    (sp.tanh(u) + sp.Rational(1, 10**9), sp.tanh(u)),
    (sp.tanh(u), u),
    (sp.tanh(u + w), sp.tanh(u) + sp.tanh(w)),
    (relu(u + w), relu(u) + relu(w)),
    (relu(u), u),
    (relu(u * w), u * relu(w)),
    (relu(-u), -relu(u)),
    (abs(u + w), abs(u) + abs(w)),
    (abs(u), u),
    (sp.exp(u) * sp.exp(w), sp.exp(u * w)),
    (sp.exp(sp.Rational(1, 10**9) * u), 1),
    (sp.sin(u) ** 2, sp.cos(u) ** 2),
    (sp.sqrt(u**2), u),
    (relu(sp.tanh(u)), 0),
]


@pytest.mark.parametrize(("left", "right"), EQUAL, ids=str)
def test_equal_pairs_are_proved(left: Any, right: Any) -> None:
    assert compare(left, right).verdict is Verdict.PROVED
    assert compare(right, left).verdict is Verdict.PROVED


@pytest.mark.parametrize(("left", "right"), UNEQUAL, ids=str)
def test_unequal_pairs_are_refuted_by_a_witness_that_stands(
    left: Any, right: Any
) -> None:
    finding = compare(left, right)
    assert finding.verdict is Verdict.REFUTED
    witness = finding.witness
    assert witness is not None
    assert witness.exact
    difference = sp.sympify(left) - sp.sympify(right)
    point = {s: sp.Rational(witness.values[s.name]) for s in difference.free_symbols}
    low, high = enclose(difference, point, bits=500)
    assert low > 0 or high < 0
    assert str(sp.sympify(left).xreplace(point)) == witness.left


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (step(u) + step(-u), sp.S.One),  # equal but at u = 0
        (sp.gamma(u**2 + 2), (u**2 + 1) * sp.gamma(u**2 + 1)),
        (sp.nan, u),
        (sp.Float(0.1) * u, u / 10),  # a float decides nothing
        (sp.Float(1.0) * u, u),
        (u, u + sp.Float(1.0)),
    ],
    ids=str,
)
def test_what_is_not_known_is_inconclusive(left: Any, right: Any) -> None:
    assert compare(left, right).verdict is Verdict.INCONCLUSIVE


@given(st.lists(rationals, min_size=4, max_size=4), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_a_small_change_is_seen(c: list[sp.Rational], digits: int) -> None:
    f = c[0] * u**2 * w + c[1] * sp.tanh(u * w) + c[2] * relu(w) + c[3]
    assert compare(sp.expand(f), f).verdict is Verdict.PROVED
    tiny = sp.Rational(1, 10**digits)
    assert compare(f + tiny * u, f).verdict is Verdict.REFUTED


@given(st.integers(0, 1000))
def test_random_points_respect_signs(seed: int) -> None:
    negative = sp.Symbol("m", negative=True)
    whole = sp.Symbol("S", positive=True, integer=True)
    point = random_point([negative, whole, positive, u], random.Random(seed))
    assert point[negative] < 0
    assert point[positive] > 0
    assert point[whole] >= 1
    assert point[whole].is_Integer
    assert point == random_point([u, positive, whole, negative], random.Random(seed))


FORMULAS = [
    sp.exp(u) * w - u / 3,
    sp.tanh(u * w) + sp.sin(u) - sp.cos(w),
    relu(u - w) * abs(w) + sp.sign(u),
    (u - w) ** 3 / (1 + u**2) + sp.pi,
    sp.log(1 + u**2) ** 2 * sp.E,
    sp.sqrt(1 + w**2) - (1 + u**2) ** sp.Rational(-1, 3),
    sp.cosh(u) - sp.sinh(w) + step(u + w),
]


@pytest.mark.parametrize("bits", [30, 200, 700])
@pytest.mark.parametrize("formula", FORMULAS, ids=str)
@given(first=rationals, second=rationals)
@settings(max_examples=6, deadline=None)
def test_enclosures_contain_the_value(
    formula: sp.Expr, bits: int, first: sp.Rational, second: sp.Rational
) -> None:
    point = {u: first, w: second}
    low, high = enclose(formula, point, bits=bits)
    digits = bits // 3 + 60
    value = sp.Rational(sp.N(formula.xreplace(point), digits))  # 60 digits beyond
    margin = sp.Rational(1, 10 ** (digits - 10))
    assert low <= high
    assert low <= value + margin
    assert value - margin <= high
    if not formula.has(sp.sign, step):
        assert high - low <= sp.Rational(1, 2 ** (bits - 20))


@given(rationals, rationals)
def test_enclosures_of_rationals_contain_them_exactly(
    first: sp.Rational, second: sp.Rational
) -> None:
    formula = u**3 - 2 * u * w + w**2 / 7
    low, high = enclose(formula, {u: first, w: second}, bits=40)
    assert low <= formula.xreplace({u: first, w: second}) <= high


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        (sp.log(u), -1),
        (sp.log(u), 0),
        (1 / u, 0),
        (sp.sqrt(u), -2),
        (sp.gamma(u), 2),
        (1 / (sp.exp(u) - 1), 0),
    ],
    ids=str,
)
def test_undefined_values_are_not_enclosed(formula: sp.Expr, value: int) -> None:
    with pytest.raises(NotEnclosed):
        enclose(formula, {u: sp.Integer(value)})


@pytest.mark.parametrize(
    "formula",
    [relu(u * w) * 2 - relu(w), abs(u - w), sp.sign(2 * u), step(u) * u, relu(-3 * u)],
    ids=str,
)
@given(first=rationals, second=rationals)
@settings(max_examples=8, deadline=None)
def test_branch_rules_keep_values(
    formula: sp.Expr, first: sp.Rational, second: sp.Rational
) -> None:
    """Away from the kinks, where every argument is non-zero."""
    if first * second * (first - second) == 0:
        return
    point = {u: first, w: second}
    assert on_branches(formula).xreplace(point) == formula.xreplace(point)
