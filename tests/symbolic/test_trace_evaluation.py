"""Values at concrete sizes, refutation by example, and what is refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given, settings

from symbolic import (
    DeclarationError,
    MatrixPolynomial,
    Verdict,
    compare_polynomials,
    dot,
    evaluate,
    identity,
    matrix,
    norm2,
    random_instance,
    sample,
    scalar,
    zero,
)
from symbolic._words.evaluation import letters
from tests.polynomials import Tree, build, scrambled, seeds, trees


U, V = matrix("U", "m", "d"), matrix("V", "m", "d")
S = matrix("S", "d", "d", symmetric=True)
R = matrix("R", "d", "d")
x = sample("x", "d")
ONES = sp.ones(2, 2)
SKEW = sp.Matrix([[0, 1], [2, 0]])
POINTS = [{"x": sp.Matrix([1, 2])}, {"x": sp.Matrix([3, -1])}]


def test_means_by_hand() -> None:
    mean = sp.Matrix([2, sp.Rational(1, 2)])
    assert evaluate(x.mean(), {}, samples=POINTS) == mean
    assert evaluate(norm2(x).mean(), {}, samples=POINTS)[0, 0] == sp.Rational(15, 2)
    assert evaluate(norm2(x.mean()), {}, samples=POINTS)[0, 0] == mean.dot(mean)
    at = {"x": sp.Matrix([1, 1])}
    f = dot(x, x.mean()) * norm2(x).mean()
    assert evaluate(f, {}, samples=POINTS, at=at)[0, 0] == sp.Rational(75, 4)
    second = (x @ x.T).mean() - x.mean() @ x.mean().T
    expected = sp.Matrix(
        [[1, -sp.Rational(3, 2)], [-sp.Rational(3, 2), sp.Rational(9, 4)]]
    )
    assert evaluate(second, {}, samples=POINTS) == expected


def test_sizes_come_from_matrices_and_numbers() -> None:
    assert evaluate(scalar("d") * R.tr(), {"R": ONES})[0, 0] == 4
    assert evaluate(identity("d"), {}, numbers={"d": sp.Integer(2)}) == sp.eye(2)
    assert evaluate(zero(2, 3), {}) == sp.zeros(2, 3)
    assert evaluate(scalar("d", -1), {}, numbers={"d": sp.Integer(4)})[0, 0] == (
        sp.Rational(1, 4)
    )
    pair = {"U": sp.ones(3, 2), "V": sp.ones(3, 2)}
    assert evaluate(scalar("m") * dot(U, V), pair)[0, 0] == 18


def test_entries_may_be_symbols() -> None:
    a, b = sp.symbols("a b")
    value = evaluate(norm2(R), {"R": sp.Matrix([[a, 0], [b, 1]])})[0, 0]
    assert sp.expand(value - a**2 - b**2 - 1) == 0


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: evaluate(norm2(U), {"V": ONES}), "a value for U among values, got V"),
        (lambda: evaluate(R, {}), "matrix from which to know d, or a number.*neither"),
        (
            lambda: evaluate(norm2(x), {}, samples=POINTS),
            "value for x among the sample at hand, got none",
        ),
        (
            lambda: evaluate(norm2(x).mean(), {}, samples=[{"y": ONES}]),
            "value for x among samples, got y",
        ),
        (lambda: evaluate(norm2(x).mean(), {}), "samples to average over, got none"),
        (lambda: evaluate(scalar("c"), {}), "a number for c, got none"),
        (
            lambda: evaluate(scalar("c"), {}, numbers={"k": sp.S.One}),
            "a number for c, got k",
        ),
        (lambda: evaluate(R, {"R": sp.ones(2, 3)}), "d = 2 in the shape of R.*2, 3"),
        (
            lambda: evaluate(R @ S, {"R": ONES, "S": sp.eye(3)}),
            "d = 2 in the shape of S",
        ),
        (
            lambda: evaluate(matrix("Q", 3, 1), {"Q": sp.ones(2, 1)}),
            "3 = 3 in the shape of Q",
        ),
        (lambda: evaluate(S, {"S": SKEW}), "a symmetric matrix for S, which is"),
        (
            lambda: evaluate(R, {"R": ONES}, numbers={"d": sp.Integer(3)}),
            "d = 2 as the matrices have it, got 3",
        ),
        (
            lambda: letters(norm2(U) + norm2(matrix("U", "m", "m"))),
            "one declaration of U, got matrix m x [md] and matrix m x [md]; give",
        ),
        (
            lambda: evaluate(norm2(x) + norm2(matrix("x", "d", 1)), {}),
            "one declaration of x, got (data|matrix) d x 1 and (data|matrix) d x 1",
        ),
        (
            lambda: letters(R.tr() + matrix("R", "d", "d", symmetric=True).tr()),
            "got (symmetric|matrix) d x d and (symmetric|matrix) d x d",
        ),
        (lambda: compare_polynomials(U, R), "one shape, got m x d and d x d"),
    ],
)
def test_refusals(act: Callable[[], object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        act()


def test_letters_are_as_declared() -> None:
    f = (U.T @ V).tr() + norm2(x).mean() + norm2(x)
    found = letters(f)
    assert found["U"] == U.letter
    assert found["V"] == V.letter
    assert found["x"] == x.letter


@given(trees(depth=4), seeds)
@settings(max_examples=30, deadline=None)
def test_equal_polynomials_are_proved(tree: Tree, seed: int) -> None:
    other = build(scrambled(tree, random.Random(seed)))
    assert compare_polynomials(build(tree), other).verdict is Verdict.PROVED


UNEQUAL: list[tuple[MatrixPolynomial, MatrixPolynomial]] = [
    (U + V, U + 2 * V),  # U is in both, not in the difference
    (norm2(U) + scalar("c"), norm2(U) + 2 * scalar("c")),
    (identity("d"), 2 * identity("d")),
    (zero("d", "d"), identity("d")),
    (scalar("d"), scalar("d", 2)),
    (scalar("d") * identity("d"), identity("d")),
    (norm2(x).mean(), norm2(x.mean())),
    (norm2(x), norm2(x).mean()),
    (R @ S, S @ R),
    (R, R.T),
    ((R @ S @ R.T @ S @ R).tr(), (R @ S @ R @ S @ R.T).tr() + R.tr()),
    (identity(1), 2 * identity(1)),
]


@pytest.mark.parametrize("pair", UNEQUAL)
def test_unequal_polynomials_are_refuted_by_a_witness(
    pair: tuple[MatrixPolynomial, MatrixPolynomial],
) -> None:
    finding = compare_polynomials(*pair)
    assert finding.verdict is Verdict.REFUTED
    witness = finding.witness
    assert witness is not None
    assert witness.exact
    assert witness.left != witness.right
    assert finding.reason.startswith("the difference is ")
    names = {name for f in pair for name in letters(f)}
    assert names <= set(witness.values)


def test_a_witness_can_be_checked_by_hand() -> None:
    witness = compare_polynomials(R, R.T).witness
    assert witness is not None
    values = {
        name: sp.Matrix(sp.sympify(text))
        for name, text in witness.values.items()
        if name == "R"
    }
    assert str(evaluate(R, values).tolist()) == witness.left
    assert str(evaluate(R.T, values).tolist()) == witness.right


def test_what_is_true_at_the_sizes_tried_is_not_proved() -> None:
    """Over 1 × 1 the trace is multiplicative; the sizes tried see the difference."""
    assert compare_polynomials((R @ R).tr(), R.tr() * R.tr()).verdict is Verdict.REFUTED
    c = matrix("c", 1, 1)
    assert compare_polynomials(c @ c, c * c).verdict is Verdict.PROVED
    # Cayley–Hamilton for 2 × 2: equal values, different words, so undecided.
    Q = matrix("Q", 2, 2)
    det = (Q.tr() * Q.tr() - (Q @ Q).tr()) * Fraction(1, 2)
    found = compare_polynomials(Q @ Q - Q.tr() * Q, -det * identity(2))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "different normal forms" in found.reason


@given(trees(depth=4), trees(depth=3), seeds)
@settings(max_examples=30, deadline=None)
def test_random_instances_value_everything(
    first: Tree, second: Tree, seed: int
) -> None:
    pair = build(first), build(second)
    values, samples, numbers = random_instance(pair, seed % 6)
    again = random_instance(pair, seed % 6)
    assert again == (values, samples, numbers)
    for f in pair:
        value = evaluate(f, values, samples=samples, at=samples[0], numbers=numbers)
        assert all(entry.is_Rational for entry in value)
