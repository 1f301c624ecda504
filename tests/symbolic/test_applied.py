"""Functions of polynomials: derivatives and zeros, against sympy at integer sizes."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import DeclarationError, MatrixPolynomial, dot, matrix, norm2
from symbolic._exact.equality import compare
from symbolic._language.words import interpret_words, space_words
from symbolic._matrices.at_sizes import components_at
from symbolic._space import ParameterSpace
from symbolic._verdict import Verdict
from symbolic._words.applied import Table


SPACE = ParameterSpace(U=("m", "d"), W=("d", "m"), c=())
NAMES = space_words(SPACE)
FUNCTIONS = ("tanh", "exp", "sin", "cosh", "sigmoid")
SIZES = {"m": 2, "d": 1}
few = settings(max_examples=12, deadline=None, database=None, derandomize=True)

scalars = st.recursive(
    st.sampled_from(["c", "norm2(U)", "tr(U*W)", "2", "dot(U, W.T)"]),
    lambda inner: st.one_of(
        st.tuples(
            st.sampled_from(["tanh", "exp", "sin", "cosh", "sigmoid"]), inner
        ).map(lambda pair: f"{pair[0]}(({pair[1]})/9 + c)"),
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(
            lambda parts: f"({parts[0]}){parts[1]}({parts[2]})"
        ),
        inner.map(lambda s: f"((({s})**2 + 1)**(1/2))"),
        inner.map(lambda s: f"c/(({s})**2 + norm2(U) + 1)"),
    ),
    max_leaves=3,
)


def _at(f: MatrixPolynomial, table: Table) -> sp.Matrix:
    return components_at([f], tuple(table.known.values()), SPACE, SIZES)[0]


def _space() -> ParameterSpace:
    return ParameterSpace(U=(2, 1), W=(1, 2), c=())


@few
@given(scalars, st.integers(0, 99))
def test_gradient_and_tangent_are_those_of_sympy(text: str, seed: int) -> None:
    table = Table()
    f = interpret_words(text, NAMES, table)
    gradients = {name: table.gradient(f, X) for name, X in NAMES.items()}
    direction = {X: matrix(f"D{name}", X.rows, X.cols) for name, X in NAMES.items()}
    tangent = table.tangent(f, direction)
    plain = _at(f, table)[0, 0]
    at = {s: sp.Rational(i + seed + 1, 7 + i) for i, s in enumerate(_space().symbols)}
    for name in NAMES:
        found = _at(gradients[name], table)
        symbols = sp.Matrix(_space()[name]) if name != "c" else [_space()[name]]
        for entry, symbol in zip(found, symbols, strict=True):
            expected = plain.diff(symbol)
            assert abs(sp.N((entry - expected).xreplace(at), 30)) < sp.Float("1e-20")
    # ⟨∇f, D⟩ is the tangent: as polynomials, not only in value
    paired = sum((dot(gradients[n], direction[X]) for n, X in NAMES.items()), f * 0)
    assert table.vanishes(tangent - paired)


EVERY = (
    *("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sigmoid", "softplus"),
    *("relu", "abs", "log", "sqrt"),
)


@pytest.mark.parametrize("function", EVERY)
def test_the_slope_of_every_function(function: str) -> None:
    table = Table()
    f = interpret_words(f"{function}(3*c)**2*c", NAMES, table)
    found = table.gradient(f, NAMES["c"])
    plain, slope = components_at([f, found], tuple(table.known.values()), SPACE, SIZES)
    (c,) = plain.free_symbols
    gap = slope[0, 0] - plain[0, 0].diff(c)
    assert abs(sp.N(gap.subs(c, sp.Rational(2, 7)), 30)) <= sp.Float("1e-25")


INVERSES = ["tr(inv(U*W))", "norm2(inv(U*W)*U)", "tr(inv(U*W)*inv(W.T*U.T))"]


@pytest.mark.parametrize("text", INVERSES)
def test_inverses(text: str) -> None:
    table = Table()
    f = interpret_words(text, NAMES, table)
    space = ParameterSpace(U=(2, 2), W=(2, 2), c=())
    sizes = {"m": 2, "d": 2}
    applied = tuple(table.known.values())
    words = [f, *(table.gradient(f, NAMES[name]) for name in "UW")]
    plain, *found = components_at(words, applied, SPACE, sizes)
    at = {s: sp.Rational(3 * i * i + 1, 2 * i + 3) for i, s in enumerate(space.symbols)}
    for name, gradient in zip("UW", found, strict=True):
        for entry, symbol in zip(gradient, space[name], strict=True):
            assert entry.xreplace(at) == plain[0, 0].diff(symbol).xreplace(at)


def test_functions_of_entries_have_no_gradient_in_words() -> None:
    table = Table()
    f = interpret_words("norm2(tanh(U*W))", NAMES, table)
    with pytest.raises(DeclarationError, match="whose gradient has no closed form"):
        table.gradient(f, NAMES["U"])


ZERO = [
    "norm2(U)**(1/2)*norm2(U)**(1/2) - norm2(U)",
    "norm2(U)/norm2(U) - 1",
    "norm2(U)**(1/2)*norm2(U)**(-3/2)*norm2(U) - 1",
    "(norm2(U)**(1/2))**(-1) - norm2(U)**(-1/2)",
    "1/(1 + norm2(U)) + norm2(U)/(1 + norm2(U)) - 1",
    "norm2(U)**(1/3)*norm2(U)**(1/6) - norm2(U)**(1/2)",
    "sqrt(4) - 2",
    "8**(1/3) - 2",
    "tanh(c) - tanh(c)",
]
NOT_ZERO = [
    "norm2(U)**(1/2) - norm2(U)",
    "norm2(U)**(1/2) - norm2(U)**(1/3)",
    "1/norm2(U) - 1/norm2(W)",
    "1/(1 + norm2(U)) - 1 + norm2(U)",
    "tanh(c) - tanh(2*c)",
    "sqrt(2) - 1",
]


@pytest.mark.parametrize("text", ZERO)
def test_what_vanishes(text: str) -> None:
    table = Table()
    assert table.vanishes(interpret_words(text, NAMES, table))


@pytest.mark.parametrize("text", NOT_ZERO)
def test_what_does_not(text: str) -> None:
    table = Table()
    f = interpret_words(text, NAMES, table)
    assert not table.vanishes(f)
    assert compare(_at(f, table)[0, 0], sp.S.Zero).verdict is not Verdict.PROVED


@few
@given(scalars)
def test_vanishing_is_never_claimed_where_it_is_false(text: str) -> None:
    table = Table()
    f = interpret_words(f"({text}) - norm2(W)*c", NAMES, table)
    if table.vanishes(f):
        assert compare(_at(f, table)[0, 0], sp.S.Zero).verdict is Verdict.PROVED


def test_unknown_derivatives_of_two_things_are_two() -> None:
    """D tanh(U)[tanh(V)] and D tanh(V)[tanh(U)] have the same F + dZ."""
    names = {n: matrix(n, "m", "d") for n in "UV"}
    table = Table()
    U, V = (interpret_words(f"tanh({n})", names, table) for n in "UV")
    both = table.tangent(U - V, {names["U"]: V, names["V"]: U})
    assert not table.vanishes(both)
    still = table.tangent(U - V, {names["U"]: -U, names["V"]: -V})
    assert not table.vanishes(still)


@pytest.mark.parametrize("function", ["relu", "abs"])
def test_homogeneous_functions(function: str) -> None:
    names = NAMES | {"k": interpret_words("c", NAMES, Table())}
    table = Table()
    F = interpret_words(f"{function}(U*W)", names, table)
    along = table.tangent(F, {NAMES["U"]: -3 * NAMES["U"]})
    assert along == -3 * F
    other = table.tangent(F, {NAMES["U"]: norm2(NAMES["U"]) * NAMES["U"]})
    assert other != norm2(NAMES["U"]) * F  # not claimed: the factor has matrices in it


def test_many_fractional_powers_take_no_time() -> None:
    table = Table()
    text = " + ".join(f"norm2(U)**(1/{q})" for q in (64, 63, 61, 59, 53, 47))
    f = interpret_words(text, NAMES, table)
    started = time.perf_counter()
    assert not table.vanishes(f)
    assert not table.vanishes(table.tangent(f, {NAMES["U"]: NAMES["U"]}))
    assert time.perf_counter() - started < 2


def test_powers_of_numbers_are_exact() -> None:
    table = Table()
    number = norm2(NAMES["c"]) * 0 + interpret_words("27/8", NAMES, table)
    root = table.power(number, Fraction(-2, 3))
    assert root == interpret_words("4/9", NAMES, table)
    assert not table.known
