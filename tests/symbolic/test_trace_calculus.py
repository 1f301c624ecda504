"""Derivatives entry by entry with sympy, and substitution value by value."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    DeclarationError,
    MatrixPolynomial,
    differential,
    dot,
    evaluate,
    gradient,
    identity,
    laplacian,
    matrix,
    norm2,
    sample,
    scalar,
    substitute,
    zero,
)
from symbolic._words.calculus import second_differential
from tests.polynomials import (
    LETTERS,
    Instance,
    Table,
    Tree,
    added,
    arguments,
    build,
    exact,
    instances,
    is_data,
    letter,
    scalars,
    scaled,
    table,
    trees,
    unary,
    value,
)


PARAMETERS = ("A", "B", "P", "a", "w", "c")
DATA = frozenset(name for name in LETTERS if is_data(name))
SCALAR = ("1", "1")
X = matrix("X", "n", "m")
S = matrix("S", "n", "n", symmetric=True)
x = sample("x", "n")


def _with_symbols(name: str, at: Instance) -> tuple[Instance, list[list[Any]]]:
    """Return the instance moved by a ring element in every entry, and those elements.

    A symmetric matrix has one for each pair of opposite entries.
    """
    point = at.values[name]
    rows, cols = len(point), len(point[0])
    symmetric = LETTERS[name].letter.symmetric
    _, *gens = sp.ring([f"t{i}" for i in range(rows * cols)], sp.QQ)

    def place(i: int, j: int) -> int:
        return min(i, j) * cols + max(i, j) if symmetric else i * cols + j

    grid = [[gens[place(i, j)] for j in range(cols)] for i in range(rows)]
    moved = table(rows, cols, lambda i, j: grid[i][j] + point[i][j])
    return at.moved(values={**at.values, name: moved}), grid


def _constant(p: Any) -> Fraction:
    """Return a ring element at 0."""
    if isinstance(p, int | Fraction):
        return Fraction(p)
    return Fraction(str(p.coeff(1)))


def _derivative(p: Any, t: Any) -> Any:
    return 0 if isinstance(p, int | Fraction) else p.diff(t)


@given(scalars(), st.sampled_from([*PARAMETERS, "S"]), instances())
@settings(max_examples=80, deadline=None)
def test_gradient_is_that_of_the_entries(tree: Tree, name: str, at: Instance) -> None:
    moved, grid = _with_symbols(name, at)
    p = value(tree, moved)[0][0]
    symmetric = name == "S"
    expected = table(
        len(grid),
        len(grid[0]),
        lambda i, j: (
            _constant(_derivative(p, grid[i][j]))
            * (Fraction(1, 2) if symmetric and i != j else 1)
        ),
    )
    found = gradient(build(tree), LETTERS[name])
    assert evaluate(found, **arguments(at)) == exact(expected)


@given(scalars(), st.sampled_from(PARAMETERS), instances())
@settings(max_examples=70, deadline=None)
def test_laplacian_is_the_trace_of_the_hessian(
    tree: Tree, name: str, at: Instance
) -> None:
    moved, grid = _with_symbols(name, at)
    p = value(tree, moved)[0][0]
    entries = [t for row in grid for t in row]
    expected = sum(_constant(_derivative(_derivative(p, t), t)) for t in entries)
    found = laplacian(build(tree), LETTERS[name])
    assert evaluate(found, **arguments(at)) == exact(((expected,),))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1), (1, 3), (2, 2), (3, 1)])
def test_laplacian_of_a_fourth_power_is_sympys_hessian_trace(n: int, m: int) -> None:
    A = matrix("A", "n", "n")
    for f in (
        (X @ X.T @ A @ X @ X.T).tr(),
        (X.T @ A @ X).tr() * norm2(X),
        dot(X, A @ X) * dot(A @ X, A @ X),
    ):
        symbols = sp.Matrix(n, m, sp.symbols(f"x:{n * m}"))
        values = {"X": symbols, "A": sp.Matrix(n, n, lambda i, j: 1 + i - 2 * j)}
        direct = evaluate(f, values)[0, 0]
        hessian = sp.hessian(sp.expand(direct), list(symbols)).trace()
        made = evaluate(laplacian(f, X), values)[0, 0]
        assert sp.expand(made - hessian) == 0


def _directions(at: Instance, made: dict[str, Tree]) -> dict[str, Table]:
    return {name: value(tree, at) for name, tree in made.items()}


def _perturbed(at: Instance, made: dict[str, Tree]) -> tuple[Instance, Any]:
    """Return X + εG in every letter, data sample by sample, and ε."""
    _, eps = sp.ring("e", sp.QQ)
    moves = _directions(at, {k: v for k, v in made.items() if not is_data(k)})

    def moved(point: Any) -> dict[str, Table]:
        found = _directions(
            at.moved(at=point), {k: v for k, v in made.items() if is_data(k)}
        )
        return {
            k: added(v, scaled(eps, found[k])) if k in found else v
            for k, v in point.items()
        }

    values = {
        k: added(v, scaled(eps, moves[k])) if k in moves else v
        for k, v in at.values.items()
    }
    return at.moved(
        values=values, samples=[moved(s) for s in at.samples], at=moved(at.at)
    ), eps


@given(trees(depth=4), st.data(), instances())
@settings(max_examples=60, deadline=None)
def test_differential_is_the_derivative_along_a_line(
    tree: Tree, data: st.DataObject, at: Instance
) -> None:
    names = data.draw(st.sets(st.sampled_from(("A", "B", "a", "x", "y")), min_size=1))
    made = {
        name: data.draw(trees(letter(name).shape, depth=2, means=1))
        for name in sorted(names)
    }
    moved, eps = _perturbed(at, made)
    direct = value(tree, moved)
    expected = tuple(
        tuple(_constant(_derivative(p, eps)) for p in row) for row in direct
    )
    found = differential(
        build(tree), {LETTERS[name]: build(G) for name, G in made.items()}
    )
    assert evaluate(found, **arguments(at)) == exact(expected)


@given(trees(depth=3, means=1), st.data(), instances(count=3))
@settings(max_examples=80, deadline=None)
def test_substitution_replaces_values_sample_by_sample(
    tree: Tree, data: st.DataObject, at: Instance
) -> None:
    names = data.draw(
        st.sets(st.sampled_from(("A", "B", "a", "c", "x", "y", "q")), min_size=1)
    )
    made = {
        name: data.draw(trees(letter(name).shape, depth=2, means=1))
        for name in sorted(names)
    }
    inner = {k: v for k, v in made.items() if is_data(k)}
    outer = {k: v for k, v in made.items() if not is_data(k)}
    moved = at.moved(
        values={**at.values, **_directions(at, outer)},
        samples=[{**s, **_directions(at.moved(at=s), inner)} for s in at.samples],
        at={**at.at, **_directions(at, inner)},
    )
    f = substitute(build(tree), {LETTERS[k]: build(G) for k, G in made.items()})
    assert evaluate(f, **arguments(at)) == exact(value(tree, moved))


@given(
    trees(depth=4, means=1, without=DATA),
    trees(("n", "m"), depth=2, means=1),
    trees(("n", "n"), depth=2, means=1),
    instances(),
)
@settings(max_examples=60, deadline=None)
def test_second_differential_is_the_curvature(
    tree: Tree, G: Tree, H: Tree, at: Instance
) -> None:
    """E D²f[G, G] for the sample at hand, and D²f[EG, EG]."""
    made = {"A": G, "B": H}

    def curvature(moved: Instance, directions: dict[str, Table]) -> Table:
        _, eps = sp.ring("e", sp.QQ)
        values = {
            k: added(v, scaled(eps, directions[k])) if k in directions else v
            for k, v in moved.values.items()
        }
        direct = value(tree, moved.moved(values=values))
        return tuple(
            tuple(_constant(_derivative(_derivative(p, eps), eps)) for p in row)
            for row in direct
        )

    means = {k: value(unary("mean", t), at) for k, t in made.items()}
    expected = at.expect(lambda s: curvature(s, _directions(s, made)))
    found = second_differential(
        build(tree), {LETTERS[k]: build(t) for k, t in made.items()}
    )
    assert evaluate(found[0], **arguments(at)) == exact(expected)
    assert evaluate(found[1], **arguments(at)) == exact(curvature(at, means))


def test_second_differential_is_twice_a_square() -> None:
    g = sample("g", "n")
    v = matrix("v", "n", 1)
    both = second_differential(v.T @ S @ v, {v: g})
    assert both == (2 * (g.T @ S @ g).mean(), 2 * g.mean().T @ S @ g.mean())
    with pytest.raises(DeclarationError, match="the data x in it; average it"):
        second_differential(v.T @ x, {v: g})
    assert second_differential((v.T @ x).mean(), {v: g})[0] == zero(1, 1)


@given(scalars())
@settings(max_examples=40, deadline=None)
def test_gradient_and_differential_are_dual(tree: Tree) -> None:
    f = build(tree)
    G, H = matrix("G", "n", "m"), matrix("H", "n", "n", symmetric=True)
    for X, direction in (("A", G), ("S", H)):
        P = LETTERS[X]
        assert dot(gradient(f, P), direction) == differential(f, {P: direction})
        total = zero(1, 1)  # Euler: the degree of each term times the term
        for key, c in f.terms.items():
            degree = sum(a.name == X for word in key[1] for a in word)
            total += degree * MatrixPolynomial("1", "1", {key: c})
        assert dot(gradient(f, P), P) == total


def test_a_variable_may_stand_transposed() -> None:
    A = matrix("A", "n", "n")
    assert gradient((X.T @ A @ X).tr(), X) == A @ X + A.T @ X
    assert gradient((A @ A).tr(), A) == 2 * A.T
    assert gradient((A @ A.T @ S).tr(), A) == 2 * S @ A
    assert gradient(norm2(X @ X.T), X) == 4 * X @ X.T @ X


def test_the_gradient_in_a_symmetric_matrix_is_symmetric() -> None:
    R = matrix("R", "n", "n")
    half = Fraction(1, 2)
    assert gradient((R @ S).tr(), S) == half * (R + R.T)
    assert gradient((R @ S @ R @ S).tr(), S) == R @ S @ R + R.T @ S @ R.T
    assert gradient(x.T @ R @ S @ x, S) == half * (x @ x.T @ R + R.T @ x @ x.T)


def test_identities_inside_a_trace_have_their_size() -> None:
    assert substitute((S @ S).tr(), {S: identity("n")}) == scalar("n")
    A = matrix("A", 3, 3)
    assert substitute(A.tr() * (A @ A).tr(), {A: identity(3)}) == 9 * identity(1)
    assert differential((A @ A).tr(), {A: identity(3)}) == 2 * A.tr()
    assert gradient(A.tr(), A) == identity(3)
    c = matrix("c", 1, 1)
    assert substitute(c * c * X, {c: 2 * identity(1)}) == 4 * X
    assert substitute(X @ X.T, {X: zero("n", "m")}) == zero("n", "n")


def test_data_are_substituted_in_their_own_copy() -> None:
    y = sample("y", "n")
    f = norm2(x.mean()) + norm2(x).mean()
    expected = norm2(x.mean() - y.mean()) + norm2(x - y).mean()
    assert substitute(f, {x: x - y}) == expected
    centred = substitute(norm2(x).mean(), {x: x - x.mean()})
    assert centred == norm2(x).mean() - norm2(x.mean())


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: gradient(X, X), "expected a scalar, got n x m"),
        (lambda: laplacian(S, X), "expected a scalar, got n x n"),
        (lambda: gradient(norm2(X), X.T), "expected a single variable"),
        (lambda: gradient(norm2(x).mean(), x.mean()), "expected a single variable"),
        (lambda: laplacian(S.tr(), S), "S with free entries, got a symmetric one"),
        (lambda: substitute(X, {X: S}), "expected n x m for X, got n x n"),
        (lambda: differential(X, {X: X.T}), "expected n x m for X, got m x n"),
        (
            lambda: substitute(S, {S: matrix("R", "n", "n")}),
            "a symmetric matrix for S, which is symmetric",
        ),
    ],
)
def test_refusals(act: Callable[[], object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        act()


@given(trees(SCALAR, depth=3))
@settings(max_examples=20, deadline=None)
def test_nothing_is_left_of_what_does_not_occur(tree: Tree) -> None:
    Z = matrix("Z", "n", "m")
    assert gradient(build(tree), Z) == zero("n", "m")
    assert laplacian(build(tree), Z) == zero(1, 1)
    assert substitute(build(tree), {Z: 2 * Z}) == build(tree)
