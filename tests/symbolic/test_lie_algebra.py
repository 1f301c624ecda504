"""Symmetries generate a Lie algebra; which of its fields have charges is decided."""

from __future__ import annotations

import random
from itertools import combinations, product
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    DeclarationError,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    compare,
    relu,
)
from symbolic._exact.dependence import dependence
from symbolic._exact.generic_rank import generic_rank
from symbolic._symmetries.lie_algebra import LieAlgebra, bracket, lie_algebra


PAIR = ParameterSpace(u=(), w=())
u, w = PAIR.symbols
TRIPLE = ParameterSpace(a=(), b=(), c=())
THETA = sp.Matrix(TRIPLE.symbols)
k = sp.Symbol("k", real=True)

integers = st.integers(-2, 2)
matrices = st.lists(integers, min_size=9, max_size=9).map(lambda e: sp.Matrix(3, 3, e))


def field(space: ParameterSpace, *J: Any) -> Symmetry:
    return Symmetry(space, tuple(map(sp.sympify, J)))


def linear(A: sp.Matrix) -> Symmetry:
    return field(TRIPLE, *(A * THETA))


def algebra_of(space: ParameterSpace, *fields: tuple[Any, ...]) -> LieAlgebra:
    return lie_algebra([field(space, *J) for J in fields])


def proved(left: Any, right: Any) -> bool:
    return compare(left, right).verdict is Verdict.PROVED


def assert_structure(algebra: LieAlgebra) -> None:
    """[Jᵢ, Jⱼ] = Σ cᵢⱼₖ Jₖ, c antisymmetric, and the Jacobi identity."""
    c, d = algebra.structure, algebra.dimension
    assert c is not None
    theta = algebra.space.symbols
    for i, j in product(range(d), repeat=2):
        expected = bracket(algebra.basis[i], algebra.basis[j], theta)
        for m, entry in enumerate(expected):
            combined = sum(c[i][j][n] * algebra.basis[n][m] for n in range(d))
            assert sp.simplify(combined - entry) == 0
        assert [a + b for a, b in zip(c[i][j], c[j][i], strict=True)] == [0] * d
    for i, j, m in combinations(range(d), 3):
        for n in range(d):
            cyclic = sum(
                c[p][q][e] * c[e][r][n]
                for p, q, r in ((i, j, m), (j, m, i), (m, i, j))
                for e in range(d)
            )
            assert cyclic == 0


def assert_parts(algebra: LieAlgebra) -> None:
    """Charges, antisymmetric fields and mixed ones are what they say."""
    theta = algebra.space.symbols
    for found in algebra.symmetric:
        assert found.charge is not None
        for s, j in zip(theta, found.generator, strict=True):
            assert sp.simplify(sp.diff(found.charge, s) - j) == 0
    for J in algebra.antisymmetric:
        D = sp.Matrix(J).jacobian(theta)
        assert (D + D.T).applyfunc(sp.simplify).is_zero_matrix
        assert not D.applyfunc(sp.simplify).is_zero_matrix
    counts = map(len, (algebra.symmetric, algebra.antisymmetric, algebra.mixed))
    assert sum(counts) == algebra.dimension


@given(matrices, matrices)
@settings(max_examples=8, deadline=None)
def test_brackets_of_symmetric_generators_are_antisymmetric(
    A: sp.Matrix, B: sp.Matrix
) -> None:
    A, B = A + A.T, B + B.T
    J = bracket(tuple(A * THETA), tuple(B * THETA), TRIPLE.symbols)
    D = sp.Matrix(J).jacobian(TRIPLE.symbols)
    assert D == B * A - A * B
    assert D == -D.T
    algebra = lie_algebra([linear(A), linear(B)])
    assert (sp.zeros(3) != D) == bool(algebra.antisymmetric)  # no charge comes of it


@given(matrices, matrices)
@settings(max_examples=8, deadline=None)
def test_linear_generators_close(A: sp.Matrix, B: sp.Matrix) -> None:
    algebra = lie_algebra([linear(A), linear(B)])
    assert algebra.closed
    basis = [sp.Matrix(J).jacobian(TRIPLE.symbols) for J in algebra.basis]
    rows = [list(D) for D in basis]
    # An oracle of its own: ranks of flattened matrices.
    rank = sp.Matrix(rows).rank() if rows else 0
    assert algebra.dimension == rank <= 9
    inside = [A, B] + [Y * X - X * Y for X, Y in combinations(basis, 2)]
    assert not rows or sp.Matrix(rows + [list(D) for D in inside]).rank() == rank
    assert_parts(algebra)
    if rows:
        curls = [list(D - D.T) for D in basis]
        assert len(algebra.symmetric) == len(rows) - sp.Matrix(curls).rank()
        killing = [list(D + D.T) for D in basis]
        assert len(algebra.antisymmetric) == len(rows) - sp.Matrix(killing).rank()


def test_two_symmetric_generators_give_a_rotation_without_charge() -> None:
    space = ParameterSpace(U=(1, 2), W=(2, 1))
    U, W = space["U"], space["W"]
    x, y = sp.symbols("x y")
    loss = Loss(((U * W)[0, 0] * x - y) ** 2, space, data={"x": (), "y": ()})
    fields = [
        field(space, *(U * B), *(-B * W))
        for B in (sp.Matrix([[1, 0], [0, -1]]), sp.Matrix([[0, 1], [1, 0]]))
    ]
    algebra = lie_algebra(fields)
    assert (algebra.dimension, algebra.closed, algebra.abelian) == (3, True, False)
    assert (len(algebra.symmetric), len(algebra.antisymmetric)) == (2, 1)
    # Three directions, but UW keeps four coordinates from moving in more than three.
    assert (algebra.rank.value, algebra.rank.proved) == (3, True)
    assert algebra.charge_rank.value == 2
    assert_structure(algebra)
    for J in algebra.basis:
        assert Symmetry(space, J).preserves(loss).verdict is Verdict.PROVED
    whole = lie_algebra([*fields, field(space, *U, *(-W))])
    assert whole.dimension == 4
    assert whole.charge_rank.value == 3


def test_brackets_of_nonlinear_symmetries_are_symmetries() -> None:
    a, b, c = TRIPLE.symbols
    x, y = sp.symbols("x y")
    loss = Loss((sp.tanh(a + b**2) * x - y) ** 2, TRIPLE, data={"x": (), "y": ()})
    algebra = algebra_of(TRIPLE, (-2 * b, 1, 0), (-2 * b * c, c, 0), (0, 0, b))
    assert (algebra.closed, algebra.dimension) == (True, 5)  # affine maps of (b, c)
    assert (algebra.rank.value, algebra.rank.proved) == (2, True)
    assert_structure(algebra)
    for J in algebra.basis:
        assert Symmetry(TRIPLE, J).preserves(loss).verdict is Verdict.PROVED
    broken = Symmetry(TRIPLE, (b, sp.S.Zero, sp.S.Zero)).preserves(loss)
    assert broken.verdict is Verdict.REFUTED


def test_parts_need_not_be_the_symmetric_and_antisymmetric_matrices() -> None:
    algebra = algebra_of(PAIR, (w, 0))
    assert not algebra.symmetric
    assert not algebra.antisymmetric
    assert algebra.mixed == ((w, 0),)
    assert algebra.charge_rank.value == 0
    both = algebra_of(PAIR, (w, 0), (0, u))  # sl(2): now they lie in the span
    assert (len(both.symmetric), len(both.antisymmetric), both.mixed) == (2, 1, ())


def test_rigid_motions_of_the_plane() -> None:
    algebra = algebra_of(PAIR, (-w, u), (1, 0))
    assert algebra.dimension == 3
    assert {found.charge for found in algebra.symmetric} == {u, -w}
    assert len(algebra.antisymmetric) == 1
    assert_structure(algebra)
    assert_parts(algebra)


CLOSED: list[tuple[list[tuple[Any, Any]], int]] = [
    ([(1, 0), (u, 0), (u**2, 0)], 3),
    ([(1, 0), (u**2, 0)], 3),
    ([(sp.exp(u), 0), (sp.exp(-u), 0)], 3),
    ([(sp.sin(u), 0), (sp.cos(u), 0)], 3),
    ([(1 / u, 0), (u, w)], 2),
    ([(k * u, w), (u, k * w)], 2),
    ([(sp.sqrt(2) * u, w), (u, w)], 2),
    ([(0, 0)], 0),
    ([(sp.exp(w), 0), (0, 1)], 2),
]


@pytest.mark.parametrize(("fields", "dimension"), CLOSED, ids=str)
def test_algebras_that_close(fields: list[tuple[Any, Any]], dimension: int) -> None:
    algebra = algebra_of(PAIR, *fields)
    assert algebra.closed, algebra.describe()
    assert algebra.dimension == dimension
    assert_structure(algebra)
    assert_parts(algebra)
    assert str(dimension) in algebra.describe()


def test_an_algebra_that_does_not_close_says_so() -> None:
    algebra = algebra_of(PAIR, (u**2, 0), (u**3, 0))
    assert not algebra.closed
    assert algebra.reason == "stopped beyond 30 independent brackets"
    assert algebra.structure is None
    assert algebra.abelian is None
    assert algebra.basis == ((u**2, 0), (u**3, 0))


def test_the_largest_dimension_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    many = algebra_of(PAIR, *((w**i, 0) for i in range(35)))  # given, and abelian
    assert (many.dimension, many.closed, many.abelian) == (35, True, True)
    monkeypatch.setattr("symbolic._symmetries.lie_algebra.LARGEST_DIMENSION", 2)
    small = algebra_of(PAIR, (1, 0), (u**2, 0))
    assert (small.closed, small.dimension) == (False, 2)
    assert small.reason == "stopped beyond 2 independent brackets"


def test_dependent_generators_are_found_over_the_constants() -> None:
    assert algebra_of(PAIR, (u, -w), (k * u, -k * w)).dimension == 1
    assert algebra_of(PAIR, (u, -w), (sp.sqrt(2) * u, -sp.sqrt(2) * w)).dimension == 1
    assert algebra_of(PAIR, (sp.sinh(u), 0), (sp.exp(u), 0)).dimension == 3
    commuting = algebra_of(PAIR, (sp.cosh(w), 0), (sp.exp(w), 0), (sp.exp(-w), 0))
    assert (commuting.dimension, commuting.abelian) == (2, True)


def test_symmetries_must_live_on_one_space() -> None:
    with pytest.raises(DeclarationError, match="a, b, c and u, w"):
        lie_algebra([field(PAIR, u, w), linear(sp.eye(3))])
    with pytest.raises(DeclarationError, match="got none"):
        lie_algebra([])


@pytest.mark.parametrize("n", [2, 3, 4])
def test_rotations_have_rank_n_minus_1(n: int) -> None:
    algebra = _rotations(n)
    assert algebra.dimension == n * (n - 1) // 2
    assert (algebra.rank.value, algebra.rank.proved) == (n - 1, True)
    assert len(algebra.antisymmetric) == algebra.dimension


def test_a_rank_without_proof_names_its_points() -> None:
    rank = _rotations(6).rank
    assert (rank.value, rank.proved, rank.reason) == (5, False, "at 8 random points")


def _rotations(n: int) -> LieAlgebra:
    space = ParameterSpace(t=(n,))
    t = space.symbols
    fields = []
    for i, j in combinations(range(n), 2):
        J = [sp.S.Zero] * n
        J[i], J[j] = t[j], -t[i]
        fields.append(tuple(J))
    return algebra_of(space, *fields)


def test_rank_of_functions() -> None:
    assert generic_rank([(sp.exp(u), w), (1, w * sp.exp(-u))], (u, w)).value == 1
    assert generic_rank([(sp.exp(u), w), (1, w * sp.exp(-u))], (u, w)).proved
    assert generic_rank([(sp.exp(u), w), (1, w * sp.exp(u))], (u, w)).value == 2
    assert generic_rank([], (u, w)).value == 0


RELATED: list[tuple[list[Any], int, bool]] = [
    ([sp.sin(u) ** 2, sp.cos(u) ** 2, 1], 2, True),
    ([sp.exp(u), sp.sinh(u), sp.cosh(u), sp.exp(-u)], 2, True),
    ([relu(u), abs(u), u], 2, True),
    ([sp.tanh(u), sp.tanh(2 * u)], 2, True),
    ([sp.exp(u), sp.exp(u) + sp.Rational(1, 10**9) * u], 2, True),
    ([1 / u, k / u, w / u], 2, True),
    ([sp.exp(k) * u, u], 1, True),
    ([sp.sin(2 * u), sp.sin(u) * sp.cos(u)], 1, True),
]


@pytest.mark.parametrize(("functions", "rank", "is_proved"), RELATED, ids=str)
def test_dependence_of_functions(
    functions: list[Any], rank: int, is_proved: bool
) -> None:
    found = dependence([(sp.sympify(f),) for f in functions], (u, w))
    assert (len(found.pivots), found.proved) == (rank, is_proved)
    for row in found.relations:
        total = sum(c * f for c, f in zip(row, functions, strict=True))
        assert not any(c.free_symbols & {u, w} for c in row)
        assert sp.simplify(sp.sympify(total).rewrite(sp.exp)) == 0 or proved(total, 0)


@given(st.lists(integers, min_size=3, max_size=3), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_a_planted_relation_is_found(c: list[int], seed: int) -> None:
    atoms = [sp.tanh(u), sp.exp(u * w), 1 / (1 + w**2), u * w, sp.log(1 + u**2)]
    random.Random(seed).shuffle(atoms)
    vectors = [(atoms[i], atoms[i + 1]) for i in range(3)]
    last = tuple(
        sp.together(sum(a * v[m] for a, v in zip(c, vectors, strict=True)))
        for m in range(2)
    )
    found = dependence([*vectors, last], (u, w))
    assert found.proved
    assert found.pivots == (0, 1, 2)
    assert list(found.coordinates[3]) == c
