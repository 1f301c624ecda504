"""The language at symbolic sizes: meaning, errors, and that nothing takes for ever."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from symbolic import (
    Constant,
    DeclarationError,
    MatrixPolynomial,
    NoCharge,
    derive,
    dot,
    loads,
    matrix,
    norm2,
    sample,
    scalar,
)
from symbolic._language.words import interpret_words, read_words
from symbolic._words.applied import Table


U, W = matrix("U", "m", "d"), matrix("W", "d", "n")
B, x, c = matrix("B", "d", "d", symmetric=True), sample("x", "n"), matrix("c", 1, 1)
k = scalar("k")
NAMES: dict[str, MatrixPolynomial] = {"U": U, "W": W, "B": B, "x": x, "c": c, "k": k}
fuzz = settings(max_examples=60, deadline=None, database=None, derandomize=True)
LIMIT = 2.0  # seconds for one example

MEANINGS: list[tuple[str, MatrixPolynomial]] = [
    ("U*W*x", U @ W @ x),
    ("2*U - U/2", U * 2 - U / 2),
    ("k*U*B*U.T", k * (U @ B @ U.T)),
    ("dot(U, U*B)", dot(U, U @ B)),
    ("norm2(W*x)", norm2(W @ x)),
    ("tr(B)*c**2", B.tr() * c * c),
    ("B.T", B),
    ("U/k", U * scalar("k", -1)),
    ("sqrt(9)*c", 3 * c),
    ("(U.T*U*W).T", W.T @ U.T @ U),
    ("x.T*W.T*W*x - norm2(W*x)", c * 0),
    ("cos(0)*c + exp(c - c)*c", 2 * c),
]


@pytest.mark.parametrize(("source", "meaning"), MEANINGS)
def test_meanings(source: str, meaning: MatrixPolynomial) -> None:
    assert interpret_words(source, NAMES, Table()) == meaning


ERRORS = [
    ("W*U", 3, "expected n rows to the right of *: W is d x n, U is m x d"),
    ("U + W", 1, "expected terms of one shape: U is m x d, W is d x n"),
    ("U + 1", 1, "U is m x d, 1 is a scalar"),
    ("V*U", 1, "unknown name V; did you mean"),
    ("d*U", 1, "unknown name d"),
    ("rho*U", 1, "unknown name rho"),
    ("tr(U)", 1, "expected a square matrix for tr, got m x d"),
    ("inv(U)", 1, "expected a square matrix for inv, got m x d"),
    ("inv(B - B)", 1, "expected a matrix that can be inverted, got 0"),
    ("dot(U, W)", 1, "got m x d and d x n"),
    ("U**2", 1, "expected a scalar to raise to a power, U is m x d"),
    ("c/U", 3, "the inverse is inv"),
    ("c/(c - c)", 4, "a divisor that is not 0"),
    ("(-4)**(1/2)", 2, "not negative under a root"),
    ("mean(c)", 1, "unknown function mean"),
    ("expm(B)", 1, "unknown function expm"),
    ("log(c - c)", 1, "expected something else than 0 inside log"),
    ("exp(U - U)", 1, "expected something else than 0 inside exp"),
    ("c**64*c**64*c**64*c**64", 1, "expected products of at most 200 matrices"),
    ("norm2((U + U*B)*(B + B*B)*W)**40", 1, "expected"),
]


@pytest.mark.parametrize(("source", "column", "said"), ERRORS)
def test_errors_say_where_and_what(source: str, column: int, said: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        interpret_words(source, NAMES, Table(), "here")
    first = str(caught.value).split("\n")[0]
    assert first.startswith(f"here, column {column}: ")
    assert said in first


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (matrix("U", "m", "n"), "expected U as it is declared, m x d, got m x n"),
        (matrix("V", "m", "d"), "unknown name V"),
        (scalar("foo") * U, "unknown name foo"),
        (scalar("U") * U, "unknown name U"),
        (norm2(W @ x).mean(), "got a mean over the samples"),
        (1.5, "expected a string of the language"),
        (True, "expected a string of the language"),
        (None, "expected a string of the language"),
    ],
)
def test_what_is_no_expression(wrong: Any, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        read_words(wrong, NAMES, Table(), "here")


def test_sizes_may_stand_in_polynomials() -> None:
    assert read_words(scalar("d") * U, NAMES, Table()) == scalar("d") * U
    assert Constant("k").words == read_words(k, NAMES, Table())


HEAD = """schema = 1
name = "fuzzed"
[dimensions]
m = "symbol"
d = "symbol"
[parameters]
U = ["m", "d"]
v = ["d"]
c = []
[data]
x = ["d"]
[constants]
B = {shape = ["d", "d"], symmetric = true}
k = {}
"""


def _file(kind: str, J: str, loss: str) -> str:
    return (
        f"{HEAD}[symmetry]\n{kind} = {{U = '''{J}'''}}\n"
        f"[loss]\nexpression = '''{loss}'''\n"
    )


def _quickly(text: str) -> None:
    """Derive all, or refuse, in the time an example has."""
    started = time.perf_counter()
    try:
        law = derive(loads(text))
        law.to_dict()
        law.to_latex()
        _ = law.charge  # the one access that may raise NoCharge
    except (DeclarationError, NoCharge) as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    assert time.perf_counter() - started < LIMIT, text


matrices = st.recursive(
    st.sampled_from(["U", "U*B", "2*U", "k*U", "c*U", "U*v*v.T", "rho*U", "U.T", "0"]),
    lambda inner: st.one_of(
        st.builds("({} + {})".format, inner, inner),
        st.builds("{}*B".format, inner),
        st.builds("norm2({})*U".format, inner),
        st.builds("tanh({})".format, inner),
        st.builds("exp(rho*k)*{}".format, inner),
        st.builds("({})*U.T*U".format, inner),
    ),
    max_leaves=3,
)
numbers = st.recursive(
    st.sampled_from(["c", "norm2(U*x)", "dot(v, x)", "k", "tr(B)", "1/3"]),
    lambda inner: st.one_of(
        st.builds("({} - {})".format, inner, inner),
        st.builds("({})*{}".format, inner, inner),
        st.builds("({})**{}".format, inner, st.sampled_from(["2", "3", "-1", "(1/2)"])),
        st.builds("tanh({})".format, inner),
        st.builds("exp({})".format, inner),
    ),
    max_leaves=3,
)


@settings(fuzz, max_examples=15)
@given(st.sampled_from(["generator", "transformation"]), matrices, numbers)
def test_whatever_is_declared_is_derived_or_refused(
    kind: str, J: str, loss: str
) -> None:
    moved = f"U + rho*({J})" if kind == "transformation" else J
    _quickly(_file(kind, moved, loss))


@fuzz
@given(st.text("UWvcBkx*+-/.T()0123 ,rhoexptanhinv\n", max_size=40))
def test_random_text(source: str) -> None:
    if "'''" not in source:
        _quickly(_file("generator", source, "c"))


@fuzz
@given(st.binary(max_size=60))
def test_random_bytes(raw: bytes) -> None:
    _quickly(HEAD + raw.decode("latin-1"))


@pytest.mark.parametrize(
    ("J", "loss"),
    [
        ("norm2(U)**10*U", "norm2(U)"),
        ("*".join(["U*U.T"] * 60) + "*U", "c"),
        ("*".join(["U*U.T"] * 150) + "*U", "c"),
        ("*".join(["(U + U*B)*(U.T + B*U.T)"] * 12) + "*U", "c"),
        ("*".join(["(U*B*B*B*B*B*U.T + U*U.T)"] * 6) + "*U", "c"),
        ("U", "norm2(U*x)**(1/64) + norm2(U*x)**(1/63) + norm2(U*x)**(1/61)"),
        ("U", "(norm2(U*x) + norm2(U) + tr(B) + 1)**(-64)"),
        ("U", "((norm2(U*x) + 1)**(-32))**(-32)"),
        ("c**64*U", "c"),
        ("exp(norm2(U))*U", "c"),
        ("tanh(U)", "c"),
        ("U", "tanh(" * 8 + "norm2(U*x)" + ")" * 8),
        ("U", "tanh(" * 9 + "norm2(U*x)" + ")" * 9),
        ("U", "exp(exp(norm2(U*x)))"),
        ("U", "exp(exp(exp(norm2(U*x))))"),
        ("U", "((c + norm2(U))**32)**32"),
        ("U", "(" * 3000),
        ("U", "+".join(["norm2(U*B*x)"] * 300)),
    ],
)
def test_nothing_hangs(J: str, loss: str) -> None:
    _quickly(_file("generator", J, loss))


def test_all_mistakes_at_once() -> None:
    with pytest.raises(DeclarationError) as caught:
        loads(
            _file("generator", "U*q", "norm2(U*v + c)").replace("{U = ", "{Q='1', U=")
        )
    lines = [line for line in str(caught.value).split("\n") if line[:1] != " "]
    assert [line.partition(":")[0].partition(",")[0] for line in lines] == [
        "symmetry.generator.Q",
        "symmetry.generator.U",
        "loss.expression",
    ]


@pytest.mark.parametrize("name", ["g_U", "h_v", "gbar_c"])
@pytest.mark.parametrize("table", ['x = ["d"]', "k = {}"])
def test_names_of_gradients_are_taken(name: str, table: str) -> None:
    text = _file("generator", "U", "c").replace(table, name + table[1:])
    with pytest.raises(DeclarationError, match=f"got '{name}' twice"):
        loads(text)


def test_symmetric_constants_are_square() -> None:
    text = _file("generator", "U", "c").replace('["d", "d"]', '["d", "m"]')
    with pytest.raises(DeclarationError, match=r"constants\.B: .*square, got d x m"):
        loads(text)
