"""Dual numbers give sympy's derivative, exactly, and refuse what is not rational."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import assume, example, given, strategies as st

from symbolic import relu, step
from verify._exact import (
    NotRational,
    apply,
    covariance,
    dot,
    form,
    gradient,
    product,
    trace_product,
)


a, b, x = sp.symbols("a b x", real=True)
RATIONALS = st.builds(Fraction, st.integers(-8, 8), st.sampled_from((1, 2, 3, 5)))


def sympy_number(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


def sympy_gradient(
    expression: sp.Expr, at: dict[sp.Symbol, Fraction]
) -> tuple[sp.Expr, ...]:
    point = {symbol: sympy_number(value) for symbol, value in at.items()}
    return tuple(expression.diff(symbol).subs(point) for symbol in (a, b))


def expressions() -> st.SearchStrategy[sp.Expr]:
    """Draw trees of + · and integer powers over a, b, x and small rationals."""
    leaves = st.sampled_from((a, b, x)) | RATIONALS.map(sympy_number)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda p, q: p + q, inner, inner),
            st.builds(lambda p, q: p * q, inner, inner),
            st.builds(lambda p, q: p - 2 * q, inner, inner),
            st.builds(lambda p, k: p**k, inner, st.sampled_from((-2, -1, 2, 3))),
        ),
        max_leaves=8,
    )


@given(expressions(), RATIONALS, RATIONALS, RATIONALS)
@example((a * x - b) ** 2 / (a**2 + 1), Fraction(2), Fraction(-1, 3), Fraction(5))
@example(sp.Integer(7), Fraction(1), Fraction(1), Fraction(1))
def test_gradient_is_sympys_derivative(
    expression: sp.Expr, at_a: Fraction, at_b: Fraction, at_x: Fraction
) -> None:
    assume(not expression.has(sp.zoo, sp.nan, sp.oo))
    try:
        found = gradient(expression, {a: at_a, b: at_b}, {x: at_x})
    except NotRational:
        assume(False)
    expected = sympy_gradient(expression, {a: at_a, b: at_b, x: at_x})

    assert tuple(map(sympy_number, found)) == expected
    assert all(type(entry) is Fraction for entry in found)


@pytest.mark.parametrize("sign", [1, -1])
def test_relu_and_step_on_either_side(sign: int) -> None:
    at = {a: Fraction(sign), b: Fraction(3)}
    on = int(sign > 0)

    assert [*gradient(relu(a) * b, at, {})] == [3 * on, on * sign]
    assert [*gradient(step(a) * b, at, {})] == [0, on]
    assert [*gradient(relu(-a) * b, at, {})] == [-3 * (1 - on), (1 - on) * -sign]


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        (relu(a), "no derivative at 0"),
        (step(a * b), "no derivative at 0"),
        (b / a, "division by zero"),
        (1 / (a**2 + a), "division by zero"),
        (sp.tanh(b), "not rational"),
        (sp.exp(a), "not rational"),
        (sp.sqrt(b + 1), "not rational"),
        (sp.pi * b, "not rational"),
    ],
)
def test_kinks_poles_and_irrationals_are_refused(
    expression: sp.Expr, complaint: str
) -> None:
    with pytest.raises(NotRational, match=complaint):
        gradient(expression, {a: Fraction(0), b: Fraction(1)}, {})


@given(st.lists(st.tuples(RATIONALS, RATIONALS), min_size=1, max_size=5))
def test_covariance_is_centred_over_all_n(
    rows: list[tuple[Fraction, Fraction]],
) -> None:
    Sigma = covariance(rows)
    N = len(rows)
    for i in (0, 1):
        for j in (0, 1):
            second = sum(v[i] * v[j] for v in rows) / Fraction(N)
            first = [sum(v[k] for v in rows) / Fraction(N) for k in (i, j)]
            assert Sigma[i][j] == second - first[0] * first[1]


def test_matrix_helpers_by_hand() -> None:
    F = Fraction
    A = ((F(1), F(2)), (F(2), F(-1)))
    B = ((F(3), F(1)), (F(1), F(5)))
    v = (F(1), F(-2))

    assert [*apply(A, v)] == [-3, 4]
    assert form(A, v) == -11
    assert dot(v, v) == 5
    assert product(A, B) == ((F(5), F(11)), (F(5), F(-3)))
    assert trace_product(A, B) == 2
