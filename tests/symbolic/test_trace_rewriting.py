"""Rules hold at matrices that obey them; Theorem 2's balanced point exists (P1)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings

from symbolic import (
    DeclarationError,
    MatrixPolynomial,
    dot,
    evaluate,
    identity,
    matrix,
    norm2,
    rewrite,
    sample,
    scalar,
    zero,
)
from tests.polynomials import (
    LETTERS,
    Instance,
    Table,
    Tree,
    arguments,
    build,
    exact,
    instances,
    letter,
    product,
    scaled,
    seeds,
    table,
    times,
    transposed,
    trees,
    unary,
    value,
)


A, B, x = (LETTERS[name] for name in "ABx")
C, D = matrix("C", "n", "n"), matrix("D", "n", "n")
S = matrix("S", "n", "n", symmetric=True)
F = matrix("F", "r", "d")
y = sample("y", "n")


def _words(f: MatrixPolynomial) -> list[tuple[str, ...]]:
    """Return the words with transposes marked, traced ones twice in a row."""
    found = []
    for _, traced, word in f.terms:
        doubled = [w + w if w[0].rows != "1" else w for w in traced]
        found += [
            tuple(a.name + "'" * a.transposed for a in w) for w in (*doubled, word)
        ]
    return found


def _stands_in(f: MatrixPolynomial, *pair: str) -> bool:
    return any(pair == w[i : i + len(pair)] for w in _words(f) for i in range(len(w)))


def _orthogonal(seed: int, n: int) -> Table:
    """Return I − 2vvᵀ/‖v‖²."""
    v = [(seed + 3 * i) % 5 - 2 or 1 for i in range(n)]
    norm = sum(e * e for e in v)
    return table(
        n, n, lambda i, j: Fraction((i == j) - Fraction(2 * v[i] * v[j], norm))
    )


@given(trees(depth=5), instances(), seeds)
@settings(max_examples=80, deadline=None)
def test_an_orthogonal_matrix(tree: Tree, at: Instance, seed: int) -> None:
    """BBᵀ → I keeps values where B is orthogonal, and leaves no BBᵀ."""
    outer = tree
    if tree.shape[0] == "n":
        Q = times(letter("B"), transposed(letter("B")))
        outer = times(transposed(tree), times(Q, tree))
    f = rewrite(build(outer), {B @ B.T: identity("n")})
    moved = at.moved(values={**at.values, "B": _orthogonal(seed, at.sizes["n"])})
    assert evaluate(f, **arguments(moved)) == exact(value(outer, moved))
    assert not _stands_in(f, "B", "B'")


@given(trees(("m", "m"), depth=4), instances())
@settings(max_examples=60, deadline=None)
def test_a_mean_on_the_right_is_renamed_apart(tree: Tree, at: Instance) -> None:
    """BA → E[x yᵀ] + 2E[x]E[y]ᵀ where A = B⁻¹(…), in terms with their own means."""
    right = (x @ LETTERS["y"].T).mean() + 2 * x.mean() @ LETTERS["y"].mean().T
    points = unary("mean", times(letter("x"), transposed(letter("y"))))
    product_of = times(
        unary("mean", letter("x")), transposed(unary("mean", letter("y")))
    )
    expected = Tree("+", ("n", "m"), (points, Tree("k", ("n", "m"), (product_of,), 2)))
    lower = table(at.sizes["n"], at.sizes["n"], lambda i, j: int(i == j))
    moved = at.moved(
        values={**at.values, "B": scaled(2, lower), "A": _half(value(expected, at))}
    )
    BA = times(letter("B"), letter("A"))
    outer = unary("tr", times(times(transposed(BA), BA), tree))
    outer = Tree("*", ("1", "1"), (unary("mean", _norm("x")), outer))
    f = rewrite(build(outer), {B @ A: right})
    assert evaluate(f, **arguments(moved)) == exact(value(outer, moved))
    assert not _stands_in(f, "B", "A")


def _half(entries: Table) -> Table:
    return scaled(Fraction(1, 2), entries)


def _norm(name: str) -> Tree:
    return times(transposed(letter(name)), letter(name))


@given(trees(("1", "1"), depth=4, means=2), instances())
@settings(max_examples=60, deadline=None)
def test_a_rule_in_data_holds_sample_by_sample(tree: Tree, at: Instance) -> None:
    """Aᵀx → y in every averaged sample, where the samples obey it."""

    def obeyed(point: dict[str, Table]) -> dict[str, Table]:
        At = tuple(zip(*at.values["A"], strict=True))
        return {**point, "y": product(At, point["x"])}

    moved = at.moved(
        samples=[obeyed(dict(s)) for s in at.samples], at=obeyed(dict(at.at))
    )
    Ax = times(transposed(letter("A")), letter("x"))
    outer = unary("mean", Tree("*", ("1", "1"), (times(transposed(Ax), Ax), tree)))
    outer = Tree("*", ("1", "1"), (unary("mean", tree), outer))
    f = rewrite(build(outer), {A.T @ x: LETTERS["y"]})
    assert evaluate(f, **arguments(moved)) == exact(value(outer, moved))
    assert not _stands_in(f, "A'", "x")


def test_samples_beside_a_rewritten_word_stay_the_same_samples() -> None:
    """E‖x‖² E[xᵀFᵀFx] is a product of means before and after."""
    z = sample("z", "r")
    f = norm2(z).mean() * norm2(F.T @ z).mean()
    assert rewrite(f, {F @ F.T: identity("r")}) == norm2(z).mean() * norm2(z).mean()
    g = (norm2(z) * norm2(F.T @ z)).mean()
    assert rewrite(g, {F @ F.T: identity("r")}) == (norm2(z) * norm2(z)).mean()
    h = rewrite((S @ S).tr() * norm2(x).mean(), {S @ S: (x @ x.T).mean()})
    assert h == norm2(x).mean() * norm2(x).mean()


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        ((F.T @ F).tr(), scalar("r")),
        ((F.T @ F @ F.T @ F).tr(), scalar("r")),
        (F.T @ F @ F.T, F.T),
        (F.T @ F, F.T @ F),
        (2 * F @ F.T + identity("r"), 3 * identity("r")),
        ((F @ F.T).tr() * F, scalar("r") * F),
        (dot(F, F) * dot(F, F), scalar("r", 2)),
    ],
)
def test_cyclic_and_open_places(
    f: MatrixPolynomial, expected: MatrixPolynomial
) -> None:
    assert rewrite(f, {F @ F.T: identity("r")}) == expected


def test_a_match_may_go_around_a_trace() -> None:
    for word in (C @ D @ S, S @ C @ D, D @ S @ C):
        assert rewrite(word.tr(), {C @ D: S}) == (S @ S).tr()
        assert rewrite(word.T.tr(), {C @ D: S}) == (S @ S).tr()
    assert rewrite((C @ D).tr(), {C @ D: identity("n")}) == scalar("n")
    G = matrix("G", 3, 3)
    assert rewrite((G @ G).tr(), {G @ G: identity(3)}) == 3 * identity(1)
    assert rewrite((C @ D).tr(), {C @ D: zero("n", "n")}) == zero(1, 1)


def test_scalars_on_the_right_stay() -> None:
    right = scalar("c", 2) * S.tr() * C - D
    expected = scalar("c", 2) * S.tr() * (C @ S) - D @ S
    assert rewrite(C @ D @ S, {C @ D: right}) == expected
    assert rewrite(S @ (C @ D).T, {C @ D: right}) == expected.T


def test_rules_are_used_until_none_fits() -> None:
    """CD → DC sorts words; two rules may need each other."""
    f = rewrite(C @ C @ D @ D @ C, {C @ D: D @ C})
    assert f == D @ D @ C @ C @ C
    assert rewrite(C @ D @ S, {C @ D: S, S @ S: identity("n")}) == identity("n")
    many = F
    for _ in range(30):
        many = F @ F.T @ many
    assert rewrite(many, {F @ F.T: identity("r")}) == F


def test_the_balanced_point_of_theorem_2_exists() -> None:
    """√Γ_U V √Γ_W = LSR; U = Γ_U^{-½}LS^{½}F and W = FᵀS^{½}RΓ_W^{-½} balance.

    The letters are the square roots: G = Γ_U^{½}, H = Γ_W^{½}, i and j their inverses,
    T = S^{½}.
    """
    G = matrix("G", "d_y", "d_y", symmetric=True)
    i = matrix("i", "d_y", "d_y", symmetric=True)
    H = matrix("H", "d_x", "d_x", symmetric=True)
    j = matrix("j", "d_x", "d_x", symmetric=True)
    L, R = matrix("L", "d_y", "r"), matrix("R", "r", "d_x")
    T = matrix("T", "r", "r", symmetric=True)
    V = matrix("V", "d_y", "d_x")
    rules = {
        F @ F.T: identity("r"),
        G @ i: identity("d_y"),
        H @ j: identity("d_x"),
        L.T @ L: identity("r"),
        R @ R.T: identity("r"),
    }
    U, W = i @ L @ T @ F, F.T @ T @ R @ j
    decomposed = {L @ T @ T @ R: G @ V @ H}
    assert rewrite(rewrite(U @ W, rules), decomposed) != V  # L S R is in the middle
    assert rewrite(rewrite(U @ W, rules), rules | decomposed) == V
    left = rewrite(W @ H @ H @ W.T, rules)
    right = rewrite(U.T @ G @ G @ U, rules)
    assert left == right == F.T @ T @ T @ F
    assert rewrite(W @ H @ W.T, rules) != rewrite(U.T @ G @ U, rules)


@pytest.mark.parametrize(
    "rules",
    [
        {C @ D: C @ D},
        {C @ D: D @ C, D @ C: C @ D},
        {C @ D: C @ D @ C @ D},
        {C @ D: C @ D + D @ C, D @ C: C @ D},
    ],
)
def test_rules_without_end_are_refused(
    rules: dict[MatrixPolynomial, MatrixPolynomial],
) -> None:
    for f in (C @ D @ S, (C @ D @ S).tr()):
        with pytest.raises(DeclarationError, match=r"come to an end.*100 rewrites"):
            rewrite(f, rules)
    assert rewrite(S, rules) == S


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: rewrite(S, {C: D}), "product of variables.*n x n polynomial of 1"),
        (lambda: rewrite(S, {C @ D + D: D}), "n x n polynomial of 2 terms"),
        (lambda: rewrite(S, {2 * C @ D: D}), "product of variables on the left"),
        (lambda: rewrite(S, {(C @ D).tr(): D.tr()}), "1 x 1 polynomial of 1 terms"),
        (lambda: rewrite(S, {S.tr() * C @ D: D}), "product of variables on the left"),
        (lambda: rewrite(S, {zero("n", "n"): D}), "n x n polynomial of 0 terms"),
        (lambda: rewrite(S, {C @ D: A}), "to keep the shape n x n, got n x m"),
        (lambda: rewrite(S, {x @ x.T: S}), "without a size 1 inside.*got x x"),
        (
            lambda: rewrite(S, {(x @ x.T).mean(): S}),
            r"no mean.*got that of x x; second",
        ),
        (lambda: rewrite(S, {(C @ x).mean(): y}), "no mean on the left of a rule"),
    ],
)
def test_refusals(act: Callable[[], object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        act()


@given(trees(depth=4))
@settings(max_examples=30, deadline=None)
def test_what_does_not_occur_is_not_rewritten(tree: Tree) -> None:
    assert rewrite(build(tree), {}) == rewrite(build(tree), {C @ D: S}) == build(tree)
