"""The expression language: its meaning, its errors and its limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import DeclarationError, relu
from symbolic._language.components import interpret
from symbolic._language.grammar import (
    MAX_DIGITS,
    MAX_LENGTH,
    MAX_NESTING,
    MAX_POWER,
    parse,
)


x, y = sp.symbols("x y", real=True)
V = sp.ImmutableDenseMatrix(3, 1, sp.symbols("v0:3", real=True))
M = sp.ImmutableDenseMatrix(3, 3, sp.symbols("m0:9", real=True))
NAMES: Mapping[str, Any] = {"x": x, "y": y, "V": V, "M": M}

MEANINGS: list[tuple[str, Any]] = [
    ("1 - 2 - 3", -4),
    ("8/4/2", 1),
    ("8/4*2", 4),
    ("-2**2", -4),
    ("(-2)**2", 4),
    ("2**-1", sp.Rational(1, 2)),
    ("--x", x),
    ("+-+x", -x),
    ("x - -y", x + y),
    ("2*-x", -2 * x),
    ("-x**2", -(x**2)),
    ("x*y**2", x * y**2),
    ("x.T**2", x**2),
    ("0.1 + 0.2", sp.Rational(3, 10)),
    (".5", sp.Rational(1, 2)),
    ("1.25e2", 125),
    ("1E-3", sp.Rational(1, 1000)),
    ("x**0.5", sp.sqrt(x)),
    ("x**(1/3 - 1/3)", 1),
    ("x**(-2*3/4)", x ** sp.Rational(-3, 2)),
    ("x\n + \ty", x + y),
    ("V.T*V", (V.T * V)[0, 0]),
    ("V*V.T", V * V.T),
    ("V*V.T*V", V * V.T * V),
    ("2*V/3", V * sp.Rational(2, 3)),
    ("x*M*V + V", x * M * V + V),
    ("M.T.T", M),
    ("-V", -V),
    ("x.T", x),
    ("exp(V)", V.applyfunc(sp.exp)),
    ("relu(V)", V.applyfunc(relu)),
    ("tr(M)", M.trace()),
    ("tr(x)", x),
    ("norm2(V)", sum(v**2 for v in V)),
    ("norm2(M)", sum(m**2 for m in M)),
    ("dot(V, 2*V)", 2 * sum(v**2 for v in V)),
    ("dot(x, y)", x * y),
    ("inv(x)", 1 / x),
    ("sigmoid(0)", sp.Rational(1, 2)),
    ("softplus(x)", sp.log(1 + sp.exp(x))),
    ("abs(-3)", 3),
    ("sqrt(12)", 2 * sp.sqrt(3)),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_meanings(text: str, meaning: Any) -> None:
    assert interpret(text, NAMES) == meaning


def test_inverse_of_a_matrix() -> None:
    product = interpret("inv(M)*M", NAMES).applyfunc(sp.cancel)
    assert product == sp.eye(3)


# Random trees are written as text with their own rules for parentheses and evaluated
# with Fractions; the text goes through the language, and sympy evaluates what it meant.
Drawn = tuple[str, Callable[[Fraction, Fraction], Fraction]]
POINT = (Fraction(3, 7), Fraction(-5, 2))


def _number(q: Fraction) -> Drawn:
    return f"{q.numerator}" if q.denominator == 1 else f"({q})", lambda _a, _b: q


def _decimal(n: int) -> Drawn:
    return f"{n // 100}.{n % 100:02}", lambda _a, _b: Fraction(n, 100)


def _plus(a: Drawn, b: Drawn) -> Drawn:
    return f"{a[0]} + ({b[0]})", lambda s, t: a[1](s, t) + b[1](s, t)


def _minus(a: Drawn, b: Drawn) -> Drawn:
    return f"({a[0]} - ({b[0]}))", lambda s, t: a[1](s, t) - b[1](s, t)


def _times(a: Drawn, b: Drawn) -> Drawn:
    return f"({a[0]})*({b[0]})", lambda s, t: a[1](s, t) * b[1](s, t)


def _over(a: Drawn, b: Drawn) -> Drawn:
    # the divisor is positive by construction
    return (
        f"({a[0]})/(1 + ({b[0]})**2)",
        lambda s, t: a[1](s, t) / (1 + b[1](s, t) ** 2),
    )


def _negated(a: Drawn) -> Drawn:
    return f"-({a[0]})**2", lambda s, t: -(a[1](s, t) ** 2)


VARIABLES: list[Drawn] = [("x", lambda s, _t: s), ("y", lambda _s, t: t)]
atoms: st.SearchStrategy[Drawn] = st.one_of(
    st.fractions(0, 9, max_denominator=9).map(_number),
    st.integers(0, 999).map(_decimal),
    st.sampled_from(VARIABLES),
)
trees: st.SearchStrategy[Drawn] = st.recursive(
    atoms,
    lambda t: st.one_of(
        *(st.builds(f, t, t) for f in (_plus, _minus, _times, _over)),
        st.builds(_negated, t),
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, database=None)
@given(trees)
def test_values_agree_with_fractions(drawn: Drawn) -> None:
    text, value = drawn
    s, t = POINT
    point = {x: sp.Rational(s.numerator, s.denominator)}
    point[y] = sp.Rational(t.numerator, t.denominator)
    found = interpret(text, NAMES).subs(point)
    expected = value(s, t)
    assert found == sp.Rational(expected.numerator, expected.denominator)


ERRORS = [
    ("u*x", 1, "unknown name u; did you mean"),
    ("foo(x)", 1, "unknown function foo; did you mean"),
    ("EXP(x)", 1, "did you mean exp?"),
    ("x +", 4, "got the end"),
    ("(x", 3, "got the end"),
    ("x)", 2, "got )"),
    ("x y", 3, "got y"),
    ("x^2", 2, "powers are written **"),
    ("x@y", 2, "the matrix product is written *"),
    ("V'", 2, "the transpose is written .T"),
    ("V[0]", 2, "entries are not taken"),
    ("x=1", 2, "compares nothing"),
    ("_x", 1, "a name starts with a letter"),
    ("x²", 2, "U+00B2"),
    ("V.shape", 2, "got '.'"),
    ("M.TT", 2, "got '.'"),
    ("exp + 1", 1, "an argument in parentheses after exp"),
    ("x + exp(x, y)", 5, "expected 1 argument for exp, got 2"),
    ("dot(x)", 1, "expected 2 arguments for dot, got 1"),
    ("x**y", 4, "expected a number as the exponent"),
    ("2**3**2", 4, "expected a number as the exponent"),
    ("V + 1", 1, "V is 3 x 1, 1 is a scalar"),
    ("V*V", 3, "V is 3 x 1, V is 3 x 1"),
    ("1/V", 3, "the inverse is inv"),
    ("V**2", 1, "expected a scalar to raise"),
    ("x/(y - y)", 4, "a divisor that is not 0"),
    ("0**0", 1, "a base that is not 0"),
    ("(-8)**(1/3)", 2, "not negative under a root"),
    ("x + (-1)**0.5", 6, "not negative under a root"),
    ("log(0)", 1, "a real, finite value of log"),
    ("sqrt(-1)", 1, "a real, finite value of sqrt"),
    ("tr(V)", 1, "a square matrix for tr, got 3 x 1"),
    ("inv(M - M)", 1, "a matrix that can be inverted"),
    ("dot(V, V.T)", 1, "got 3 x 1 and 1 x 3"),
    ("", 1, "expected an expression, got none"),
    ("1j", 2, "got j"),
    ("0x10", 2, "got x10"),
    ("1_000", 2, "got '_'"),
]


@pytest.mark.parametrize(("text", "column", "said"), ERRORS)
def test_errors_say_where_and_what(text: str, column: int, said: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        interpret(text, NAMES, "here")
    first, shown, marks = str(caught.value).split("\n")
    assert first.startswith(f"here, column {column}: ")
    assert said in first
    assert shown == f"    {text}"
    assert marks.index("^") == 3 + column


def test_the_place_is_found_in_long_and_many_lines() -> None:
    with pytest.raises(DeclarationError) as caught:
        interpret("x +\n" + "x + " * 30 + "wrong", NAMES)
    first, shown, marks = str(caught.value).split("\n")
    assert "column 121" in first
    start, stop = marks.index("^"), marks.rindex("^") + 1
    assert shown[start:stop] == "wrong"


def _wrapped(times: int) -> str:
    return "(" * times + "x" + ")" * times


INSIDE_AND_OUTSIDE = [
    ("x" + " " * (MAX_LENGTH - 1), "x" + " " * MAX_LENGTH),
    (_wrapped(MAX_NESTING), _wrapped(MAX_NESTING + 1)),
    ("-" * MAX_NESTING + "x", "-" * (MAX_NESTING + 1) + "x"),
    ("9" * MAX_DIGITS, "9" * (MAX_DIGITS + 1)),
    (f"1e{MAX_DIGITS}", f"1e{MAX_DIGITS + 1}"),
    (f"1e-{MAX_DIGITS}", f"1e-{MAX_DIGITS + 1}"),
    (f"x**{MAX_POWER}", f"x**{MAX_POWER + 1}"),
    (f"x**-{MAX_POWER}", f"x**-{MAX_POWER + 1}"),
    (f"x**(1/{MAX_POWER})", f"x**(1/{MAX_POWER + 1})"),
    ("(x**32)**32", "(x**32)**33"),
    ("((x+1)**-32)**32 + x**64", "((x+1)**-32)**33"),
    ("*".join(["x**64"] * 16), "*".join(["x**64"] * 17)),
    ("sin(" * 8 + "x" + ")" * 8, "sin(" * 9 + "x" + ")" * 9),
    ("exp(exp(x))", "exp(exp(exp(x)))"),
    ("tanh(tanh(tanh(x)))", "softplus(sinh(exp(x)))"),
    ("exp(1000)", "exp(1001)"),
    ("sin(sqrt(2))", "sin(sin(2))"),
    ("2**64*x", "((2**64)**16)**2*x"),
    ("exp(64*log(x))", "exp(1025*log(x))"),
    ("M*M*M*M*V", "*".join(["M"] * 30)),
]


@pytest.mark.parametrize(("inside", "outside"), INSIDE_AND_OUTSIDE)
def test_limits(inside: str, outside: str) -> None:
    interpret(inside, NAMES)
    started = time.perf_counter()
    with pytest.raises(DeclarationError, match=r"expected"):
        interpret(outside, NAMES)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "text",
    [
        "x**(" + "*".join(["1e60"] * 100) + ")",
        "*".join(["9e59"] * 700),
        "relu(" + "exp(" * 5 + "100" + ")" * 6,
        "sigmoid(" * 50 + "1" + ")" * 50,
        "relu(" + "sinh(" * 50 + "2" + ")" * 51,
        "exp(1e60*log(2))",
        "exp(1e30*log(x))",
        "(" * 3999,
        "-" * 3900 + "x",
        "x" + ".T" * 1900,
        "x" + "**2" * 1000,
        "*".join(["M"] * 1900),
    ],
)
def test_what_would_take_forever_is_refused_at_once(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(DeclarationError, match=r"column \d+: expected"):
        interpret(text, NAMES)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "text", ["+".join(["x*y"] * 900), "*".join(["x"] * 1000), "+" * 50 + "x"]
)
def test_long_sums_are_flat(text: str) -> None:
    assert len(text) <= MAX_LENGTH
    assert interpret(text, NAMES).free_symbols <= {x, y}
    assert parse(text).span[1] == len(text)
