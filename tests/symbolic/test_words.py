"""The normal form against loops over entries and samples."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st

from symbolic import (
    DeclarationError,
    MatrixPolynomial,
    dot,
    evaluate,
    identity,
    matrix,
    norm2,
    sample,
    scalar,
    zero,
)
from tests.polynomials import (
    Instance,
    Tree,
    arguments,
    build,
    exact,
    instance,
    instances,
    scrambled,
    seeds,
    trees,
    unary,
    value,
)


U, V = matrix("U", "m", "d"), matrix("V", "m", "d")
R = matrix("R", "d", "d")
S = matrix("S", "d", "d", symmetric=True)
b = matrix("b", "d", 1)
x, y = sample("x", "d"), sample("y", "d")


@given(trees(), instances())
@settings(max_examples=100, deadline=None)
def test_building_and_evaluating_is_a_homomorphism(tree: Tree, at: Instance) -> None:
    assert evaluate(build(tree), **arguments(at)) == exact(value(tree, at))


@given(trees(means=3, depth=5), seeds)
@settings(max_examples=100, deadline=None)
def test_equal_expressions_have_one_normal_form(tree: Tree, seed: int) -> None:
    other = scrambled(tree, random.Random(seed))
    assert build(other) == build(tree)
    assert hash(build(other)) == hash(build(tree))


@given(st.data(), st.sampled_from([("1", "1"), ("n", "n"), ("n", "1"), ("1", "m")]))
@settings(max_examples=100, deadline=None)
def test_normal_forms_are_equal_where_values_are(
    data: st.DataObject, shape: tuple[str, str]
) -> None:
    """At a generic point: entries up to 10⁴, sizes above the degrees of identities."""
    pair = [data.draw(trees(shape, depth=2)) for _ in range(2)]
    at = instance(7, 4, 5, count=3, most=10**4)
    same = value(pair[0], at) == value(pair[1], at)
    assert (build(pair[0]) == build(pair[1])) is same


@given(trees(("n", "m"), depth=3), trees(("n", "m"), depth=3), trees(("m", "n")))
@settings(max_examples=50, deadline=None)
def test_ring_laws(first: Tree, second: Tree, third: Tree) -> None:
    P, Q, T = build(first), build(second), build(third)
    assert P + Q == Q + P
    assert zero("n", "m") == P - P
    assert (P + Q) @ T == P @ T + Q @ T
    assert (P @ T).T == T.T @ P.T
    assert (P @ T).tr() == (T @ P).tr()
    assert dot(P, Q) == dot(Q, P)
    assert norm2(P + Q) == norm2(P) + 2 * dot(P, Q) + norm2(Q)
    assert identity("n") @ P == P @ identity("m") == P
    assert P.mean().mean() == P.mean()
    assert (P.mean() @ T).mean() == P.mean() @ T.mean()
    assert (P + Q.mean()).mean() == P.mean() + Q.mean()


EQUAL: list[tuple[MatrixPolynomial, MatrixPolynomial]] = [
    ((U @ R @ V.T).tr(), (V @ R.T @ U.T).tr()),
    ((U @ R @ V.T).tr(), (R @ V.T @ U).tr()),
    ((R @ R @ S).tr(), (S @ R.T @ R.T).tr()),
    ((R @ R).tr() * S.tr(), S.tr() * (R.T @ R.T).tr()),
    (b.T @ R @ b, b.T @ R.T @ b),
    ((R @ b @ b.T).tr(), b.T @ R @ b),
    (b @ b.T @ b, (b.T @ b) * b),
    (U @ b @ b.T @ x @ y.T, (b.T @ x) * (U @ b @ y.T)),
    ((x.T @ y).mean() * (x.T @ S @ x).mean(), (x.T @ S @ x).mean() * (x.T @ y).mean()),
    ((x @ x.T).mean() @ (y @ y.T).mean(), ((y @ y.T).mean() @ (x @ x.T).mean()).T),
    (identity("d").tr(), scalar("d")),
    (identity(3).tr(), 3 * identity(1)),
    (identity(1).tr(), identity(1)),
    ((identity("d") * norm2(x)).tr(), scalar("d") * norm2(x)),
    (scalar("d") * scalar("d", -1), identity(1)),
    (scalar("d", 2), scalar("d") * scalar("d")),
    (norm2(x.mean()), dot(x.mean(), x.mean())),
    (0 * U, zero("m", "d")),
    (Fraction(4, 2) * U, U + U),
    (matrix("c", 1, 1).T, matrix("c", 1, 1)),
    (matrix("w", 1, "d") @ U.T, (U @ matrix("w", 1, "d").T).T),
]

UNEQUAL: list[tuple[MatrixPolynomial, MatrixPolynomial]] = [
    ((x.T @ S @ x).mean() * norm2(x).mean(), ((x.T @ S @ x) * norm2(x)).mean()),
    ((x @ y.T).mean(), x.mean() @ y.mean().T),
    (norm2(x).mean(), norm2(x.mean())),
    (x, x.mean()),
    (x @ x.mean().T, x.mean() @ x.T),
    (norm2(x) * norm2(y).mean(), norm2(x).mean() * norm2(y)),
    ((U @ R @ V.T).tr(), (U @ R.T @ V.T).tr()),
    (R @ S, S @ R),
    ((R @ S @ R).tr(), (R @ S @ R.T).tr()),
    ((R @ R).tr(), R.tr() * R.tr()),
    (R, R.T),
    (scalar("d"), scalar("n")),
    (scalar("d"), scalar("d", 2)),
    (identity("d"), scalar("d") * identity("d")),
    ((x @ x.T).mean() @ (y @ y.T).mean(), (y @ y.T).mean() @ (x @ x.T).mean()),
    (
        (x.T @ y).mean() * (x.T @ S @ y).mean(),
        ((x.T @ y) * (x.T @ S @ y)).mean(),
    ),
]


@pytest.mark.parametrize("pair", EQUAL)
def test_equal_forms(pair: tuple[MatrixPolynomial, MatrixPolynomial]) -> None:
    assert pair[0] == pair[1]
    assert hash(pair[0]) == hash(pair[1])


@pytest.mark.parametrize("pair", UNEQUAL)
def test_unequal_forms(pair: tuple[MatrixPolynomial, MatrixPolynomial]) -> None:
    assert pair[0] != pair[1]


def test_samples_are_renamed_apart_in_every_product() -> None:
    """A chain of means is the product of the means, in every order of the factors."""
    means = [(x.T @ S @ x).mean(), norm2(x).mean(), (x.T @ R @ y).mean()]
    forward = means[0] * means[1] * means[2]
    for a, c, e in [(0, 2, 1), (1, 0, 2), (2, 1, 0), (2, 0, 1)]:
        assert means[a] * means[c] * means[e] == forward
    assert len({k[1] for k in forward.terms}) == 1
    (key,) = forward.terms
    assert len({letter.copy for word in key[1] for letter in word if letter.data}) == 3


@pytest.mark.parametrize("size", ["d", "3", "1000000"])
def test_the_cost_does_not_depend_on_the_sizes(size: str) -> None:
    A, z = matrix("A", size, size), sample("z", size)
    f = norm2((A @ A.T - identity(size)) @ z - A @ z.mean()).mean()
    letters = sum(len(word) for key in f.terms for word in key[1])
    assert (len(f.terms), letters) == (6, 24)


def test_a_variable_gives_its_letter() -> None:
    assert R.letter.name == "R"
    assert matrix("c", 1, 1).letter.rows == "1"
    assert x.letter.data
    assert S.T.letter.symmetric


@pytest.mark.parametrize(
    "P", [R.T, 2 * R, R @ R, R + S, scalar("c") * R, x.mean(), zero(1, 1), identity(2)]
)
def test_what_is_no_variable_has_no_letter(P: MatrixPolynomial) -> None:
    shape = f"{P.rows} x {P.cols} polynomial of {len(P.terms)} terms"
    with pytest.raises(DeclarationError, match=f"a single variable.*{shape}"):
        _ = P.letter


def test_shapes_are_checked() -> None:
    with pytest.raises(DeclarationError, match="one shape, got m x d and d x d"):
        _ = U + R
    with pytest.raises(DeclarationError, match="one shape, got m x d and d x m"):
        _ = U - U.T
    with pytest.raises(DeclarationError, match="d rows to the right of @, got m x d"):
        _ = U @ V
    with pytest.raises(DeclarationError, match=r"scalar factor.*m x d \* d x d.*is @"):
        _ = U * R
    with pytest.raises(DeclarationError, match="square matrix for a trace, got m x d"):
        U.tr()
    with pytest.raises(DeclarationError, match="symmetric Q to be square, got 2 x 3"):
        matrix("Q", 2, 3, symmetric=True)


def test_a_value_is_one_of_a_set_and_not_changed() -> None:
    table = {U: 1, V: 2}
    assert table[matrix("U", "m", "d")] == 1
    before = dict(U.terms)
    _ = (U + V) @ R - 3 * U
    assert U.terms == before


def test_means_of_trees_commute_with_transposition() -> None:
    tree = unary("mean", Tree("letter", ("n", "1"), leaf="x"))
    assert build(tree.args[0]).T.mean() == build(tree).T
