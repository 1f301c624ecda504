"""Gaussian means against entry-by-entry moments, second moments against samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product as choices
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    DeclarationError,
    dot,
    evaluate,
    gaussian_mean,
    identity,
    laplacian,
    matrix,
    norm2,
    sample,
    scalar,
    second_moment,
    substitute,
    zero,
)
from tests.polynomials import (
    LETTERS,
    Instance,
    Table,
    Tree,
    added,
    arguments,
    build,
    exact,
    instance,
    letter,
    product,
    scalars,
    scaled,
    table,
    times,
    transposed,
    trees,
    unary,
    value,
)


X = matrix("X", "n", "m")
A = matrix("A", "n", "n")
x = sample("x", "n")
y = sample("y", "n")
Row = matrix("Row", "n", "n", symmetric=True)
Col = matrix("Col", "m", "m", symmetric=True)


def _moment(p: Any) -> Fraction:
    """Return the mean of a polynomial in independent standard Gaussians."""
    if isinstance(p, int | Fraction):
        return Fraction(p)
    total = Fraction(0)
    for powers, c in p.terms():
        if all(k % 2 == 0 for k in powers):
            moments = (math.prod(range(1, k, 2)) for k in powers)  # (k − 1)!!
            total += Fraction(str(c)) * math.prod(moments)
    return total


def _square(point: Table) -> Table:
    return product(point, tuple(zip(*point, strict=True)))


def _integers(seed: int, size: int) -> Table:
    return table(size, size, lambda i, j: (3 * i - j + seed * (i + 2 * j + 1)) % 5 - 2)


def _gaussian(L: Table, R: Table, scale: int) -> Table:
    """Return scale·L Z Rᵀ with Z of ring generators."""
    rows, cols = len(L), len(R)
    _, *z = sp.ring([f"z{i}" for i in range(rows * cols)], sp.QQ)
    Z = table(rows, cols, lambda i, j: z[i * cols + j])
    return scaled(scale, product(product(L, Z), tuple(zip(*R, strict=True))))


def _averaged(entries: Table) -> Table:
    return tuple(tuple(_moment(p) for p in row) for row in entries)


@given(
    trees(depth=5) | scalars(),
    st.sampled_from(["A", "B", "P", "a", "w"]),
    st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2)]),
    st.integers(0, 50),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
@settings(max_examples=80, deadline=None)
def test_mean_over_a_matrix(
    tree: Tree,
    name: str,
    size: tuple[int, int],
    seed: int,
    given: tuple[bool, bool, bool],
) -> None:
    P = LETTERS[name]
    at = instance(seed, *size)
    rows, cols = at.sizes[P.rows], at.sizes[P.cols]
    unit = table(rows, rows, lambda i, j: int(i == j))
    L = _integers(seed, rows) if given[0] else unit
    R = (
        _integers(seed + 1, cols)
        if given[1]
        else table(cols, cols, lambda i, j: int(i == j))
    )
    scale = 2 if given[2] else 1
    X = _gaussian(L, R, scale)
    direct = _averaged(value(tree, at.moved(values={**at.values, name: X})))
    mean = gaussian_mean(
        build(tree),
        P,
        matrix("row", P.rows, P.rows, symmetric=True) if given[0] else None,
        matrix("col", P.cols, P.cols, symmetric=True) if given[1] else None,
        scale=scalar("s2") if given[2] else None,
    )
    extra = {"row": _square(L), "col": _square(R)}
    values = {k: v for k, v in at.values.items() if k != name} | extra
    moved = at.moved(values=values, numbers={**at.numbers, "s2": scale**2})
    assert evaluate(mean, **arguments(moved)) == exact(direct)


class _Population(Instance):
    """Each mean is over a fresh Gaussian x as well as over the given samples."""

    def expect(self, f: Callable[[Instance], Table]) -> Table:
        return super().expect(lambda moved: _averaged(f(_fresh(moved))))


def _fresh(at: Instance) -> Instance:
    L = _integers(1, at.sizes["n"])
    unit = table(1, 1, lambda i, j: 1)
    return at.moved(at={**at.at, "x": _gaussian(L, unit, 1)})


@st.composite
def _of_data(draw: st.DrawFn) -> Tree:
    """Draw a polynomial in means of polynomials in x and other data."""
    one = ("1", "1")
    inner = [
        unary("mean", draw(trees(one, depth=3, means=0, without=frozenset({"X"}))))
        for _ in range(2)
    ]
    quadratic = times(transposed(letter("x")), times(letter("S"), letter("x")))
    first = Tree("*", one, (quadratic, inner[0]))
    outer = draw(trees(draw(st.sampled_from([one, ("n", "n")])), depth=2, means=1))
    return Tree(
        "*", outer.shape, (Tree("*", one, (unary("mean", first), inner[1])), outer)
    )


@given(_of_data(), st.integers(0, 50), st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_mean_over_data_is_one_for_each_sample(tree: Tree, seed: int, n: int) -> None:
    """Averaged samples are independent of each other and of the sample at hand."""
    at = instance(seed, n, 2)
    population = _Population(**at.__dict__)
    direct = _averaged(value(tree, _fresh(population)))
    Sigma = matrix("Sigma", "n", "n", symmetric=True)
    mean = gaussian_mean(build(tree), LETTERS["x"], Sigma)
    moved = at.moved(values={**at.values, "Sigma": _square(_integers(1, n))})
    assert evaluate(mean, **arguments(moved)) == exact(direct)


@pytest.mark.parametrize("power", [1, 2, 3, 4, 5])
def test_moments_of_the_norm_are_those_of_chi_squared(power: int) -> None:
    """E‖x‖²ᵏ = n(n + 2)⋯(n + 2k − 2)."""
    f = expected = identity(1)
    for k in range(power):
        f = f * norm2(X)
        expected = expected * (scalar("n") * scalar("m") + 2 * k * identity(1))
    assert gaussian_mean(f, X) == expected


def test_three_point_law_has_the_gaussian_moments_through_order_five() -> None:
    """Enumerate entries ±√3 with probability 1/6 each, 0 with 2/3; n = 2, m = 1."""
    weights = {0: sp.Rational(2, 3), 1: sp.Rational(1, 6), -1: sp.Rational(1, 6)}
    L = sp.Matrix([[1, 0], [2, -1]])
    M = sp.Matrix([[1, 3], [-2, 1]])
    for f in (
        x @ x.T @ A @ x @ x.T,
        x @ x.T,
        (x.T @ A @ x) * x,
        (x.T @ A @ x) * (x.T @ A @ A @ x),
    ):
        total = sp.zeros(*evaluate(f, {"A": M}, at={"x": sp.zeros(2, 1)}).shape)
        for signs in choices(weights, repeat=2):
            point = sp.sqrt(3) * L * sp.Matrix(signs)
            weight = sp.prod([weights[s] for s in signs])
            total += weight * evaluate(f, {"A": M}, at={"x": point})
        mean = gaussian_mean(f, x, Row)
        assert sp.expand(total) == evaluate(
            mean, {"A": M, "Row": L * L.T}, numbers={"n": sp.Integer(2)}
        )


def test_known_gaussian_means() -> None:
    """E[X A Xᵀ], E[X B X] and Stein's E[X f(X)], with E X_ij X_kl = R_ik C_jl."""
    B, C = matrix("B", "m", "m"), matrix("C", "m", "n")
    assert gaussian_mean(X @ B @ X.T, X, Row, Col) == (B @ Col).tr() * Row
    assert gaussian_mean(X @ C @ X, X, Row, Col) == Row @ C.T @ Col
    assert gaussian_mean(X, X) == zero("n", "m")
    assert gaussian_mean(A, X) == A
    f = norm2(A @ X) * norm2(X)
    assert gaussian_mean(dot(X, X) * f, X) == gaussian_mean(
        scalar("n") * scalar("m") * f + 4 * f,
        X,  # Stein: E‖X‖²f = E[nm f + ⟨X, ∇f⟩], and f has degree 4
    )
    assert gaussian_mean(f, X) == gaussian_mean(laplacian(f, X), X) * Fraction(1, 4)


def test_every_pair_has_the_scale() -> None:
    s, nm = scalar("s2"), scalar("n") * scalar("m")
    assert gaussian_mean(norm2(X), X, scale=s) == s * nm
    four = gaussian_mean(norm2(X) * norm2(X), X, Row, Col, scale=s)
    assert four == s * s * gaussian_mean(norm2(X) * norm2(X), X, Row, Col)


def test_two_averaged_samples_are_two_gaussians() -> None:
    S = matrix("Sigma", "n", "n", symmetric=True)
    twice = norm2(x).mean() * norm2(x).mean()
    assert gaussian_mean(twice, x, S) == S.tr() * S.tr()
    once = (norm2(x) * norm2(x)).mean()
    assert gaussian_mean(once, x, S) == S.tr() * S.tr() + 2 * (S @ S).tr()
    M = (x @ y.T).mean()
    assert gaussian_mean(M @ M.T, x, S) == zero("n", "n")
    assert gaussian_mean((x @ y.T @ y @ x.T).mean(), x, S) == norm2(y).mean() * S
    assert gaussian_mean(norm2(x - x.mean()), x, S) == S.tr()  # Ex = 0 exactly


@given(
    trees(depth=4, means=2, without=frozenset({"X", "q"})),
    st.integers(0, 50),
    st.integers(1, 2),
)
@settings(max_examples=80, deadline=None)
def test_second_moments_of_any_law(tree: Tree, seed: int, n: int) -> None:
    """x uniform on ±v₁, ±v₂, independent of y: the samples are all pairs."""
    pair = unary("mean", times(letter("x"), transposed(letter("x"))))
    tree = times(pair, tree) if tree.shape[0] == "n" else tree
    at = instance(seed, n, 2)
    points = [s["x"] for s in at.samples]
    points += [scaled(-1, v) for v in points]
    samples = [{**s, "x": point} for s in at.samples for point in points]
    Sigma = scaled(Fraction(1, 4), _sum([_square(v) for v in points]))
    f = build(tree).mean()
    try:
        mean = second_moment(f, LETTERS["x"], matrix("Sg", "n", "n", symmetric=True))
    except DeclarationError as error:
        assert "factors of x in a sample" in str(error)  # noqa: PT017 - drawn
        return
    moved = at.moved(samples=samples, values={**at.values, "Sg": Sigma})
    direct = value(unary("mean", tree), moved)
    assert evaluate(mean, **arguments(moved)) == exact(direct)
    names = {a.name for _, traced, w in mean.terms for v in (*traced, w) for a in v}
    assert "x" not in names


def _sum(tables: list[Table]) -> Table:
    total = tables[0]
    for each in tables[1:]:
        total = added(total, each)
    return total


def test_second_moment_needs_no_law_beyond_it() -> None:
    Sigma = matrix("Sigma", "n", "n", symmetric=True)
    f = (x.T @ A @ x).mean() * (x.T @ Row @ x).mean() * norm2(x.mean() + y.mean())
    expected = (A @ Sigma).tr() * (Row @ Sigma).tr() * norm2(y.mean())
    assert second_moment(f, x, Sigma) == expected
    assert second_moment((x @ y.T).mean(), x, Sigma) == zero("n", "n")
    assert second_moment((x @ x.T).mean(), x, Sigma) == Sigma


SIGMA = matrix("Sigma", "n", "n", symmetric=True)
CUBE = (norm2(x) * x).mean()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: second_moment(CUBE, x, SIGMA), "at most 2 factors of x.*got 3"),
        (
            lambda: second_moment((norm2(x) * norm2(x)).mean(), x, SIGMA),
            "got 4: a moment of that order is not given",
        ),
        (lambda: second_moment(norm2(X), X, SIGMA), "expected a vector of data, got X"),
        (
            lambda: second_moment(x, sample("Z", "n", "n"), SIGMA),
            r"got Z, n x n; declare it with sample\(\)",
        ),
        (lambda: second_moment(x, x, A), "covariance, got A, n x n, declared not sym"),
        (
            lambda: second_moment(x, x, Col),
            "symmetric n x n covariance, got Col, m x m",
        ),
        (lambda: gaussian_mean(A, SIGMA), "Sigma with free entries, got a symmetric"),
        (lambda: gaussian_mean(X, X, Col), "symmetric n x n covariance, got Col"),
        (lambda: gaussian_mean(X, X, Row, Row), "symmetric m x m covariance, got Row"),
        (lambda: gaussian_mean(X, X, A), "declared not symmetric"),
        (lambda: gaussian_mean(X, X, 2 * Row), "expected a single variable"),
        (lambda: gaussian_mean(X, X, scale=A), "expected a scalar, got n x n"),
    ],
)
def test_refusals(act: Callable[[], object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        act()


def test_a_mean_of_a_shifted_gaussian_is_its_taylor_series() -> None:
    """E f(A + X) of a quadratic f is f(A) + ½Δf."""
    Z = matrix("Z", "n", "n")
    f = (Z @ A @ Z.T @ A).tr() + Z.tr() * (A @ Z).tr()
    shifted = substitute(f, {Z: Z + A})
    expected = substitute(f, {Z: A}) + laplacian(f, Z) * Fraction(1, 2)
    assert gaussian_mean(shifted, Z) == expected
