r"""LaTeX as a theorist writes it, and a reader that gets the polynomial back."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings

from reports._notation import HAS_MATH_CORE, mathml
from symbolic import (
    MatrixPolynomial,
    dot,
    identity,
    latex,
    matrix,
    norm2,
    sample,
    scalar,
    substitute,
    zero,
)
from symbolic._words.evaluation import letters
from symbolic._words.notation import name_latex
from tests.polynomials import LETTERS, NUMBERS, Tree, build, trees


U, W = matrix("U", "d_y", "d"), matrix("W", "d", "d_x")
S = matrix("S", "d_x", "d_x", symmetric=True)
x, r, y = sample("x", "d_x"), sample("r", "d_y"), sample("y", "d_x")
X = sample("X", "d_x", "n")
a, b = matrix("a", "d_x", 1), matrix("b", "d_x", 1)
c = matrix("c", 1, 1)
eta, gamma = scalar("eta"), scalar("gamma")
M = (r @ x.T).mean()


NO_MATRIX = frozenset({"B", "S", "P"})


def _rate() -> MatrixPolynomial:
    """Theorem 2's rate with r a letter."""
    of_W = (norm2(r) * (x @ x.T)).mean() - M.T @ M
    of_U = (norm2(x) * (r @ r.T)).mean() - M @ M.T
    noise = W @ of_W @ W.T - U.T @ of_U @ U
    return -4 * gamma * (U.T @ U - W @ W.T) + 4 * eta * scalar("S", -1) * noise


GOLDEN: list[tuple[MatrixPolynomial, str]] = [
    (
        _rate(),
        r"4\,\gamma\,W W^\top - 4\,\gamma\,U^\top U"
        r" + \frac{4\,\eta}{S}\,W E[\|r\|^2\,x x^\top] W^\top"
        r" - \frac{4\,\eta}{S}\,W E[x r^\top] E[r x^\top] W^\top"
        r" - \frac{4\,\eta}{S}\,U^\top E[\|x\|^2\,r r^\top] U"
        r" + \frac{4\,\eta}{S}\,U^\top E[r x^\top] E[x r^\top] U",
    ),
    (zero("d", "d"), "0"),
    (zero(1, 1), "0"),
    (identity(1), "1"),
    (-2 * identity(1), "-2"),
    (identity("d"), "I"),
    (-3 * identity("d"), r"-3\,I"),
    (gamma * identity("d"), r"\gamma\,I"),
    (Fraction(1, 2) * S, r"\frac{1}{2}\,S"),
    (U.T @ U - W @ W.T, r"U^\top U - W W^\top"),
    (W @ W.T - U.T @ U, r"W W^\top - U^\top U"),
    (-1 * S, "-S"),
    (c, "c"),
    (c * c * S, r"c^{2}\,S"),
    (S @ S @ S, "S^{3}"),
    (S @ W.T @ W @ S, r"S W^\top W S"),
    (scalar("sigma2", 2) * gamma, r"\gamma\,\sigma^{4}"),
    (scalar("sigma2"), r"\sigma^2"),
    (scalar("sigma2_U") * scalar("d_y"), r"d_{y}\,\sigma_{U}^2"),
    (Fraction(1, 2) * scalar("eta", 2) * scalar("S", -2), r"\frac{\eta^{2}}{2\,S^{2}}"),
    (scalar("S", -1) * S, r"\frac{1}{S}\,S"),
    (norm2(x), r"\|x\|^2"),
    (norm2(x) * norm2(x), r"\|x\|^{4}"),
    (dot(x, y), r"x^\top y"),
    (dot(x, y) * dot(x, y), r"\left(x^\top y\right)^{2}"),
    (dot(x, y) * W, r"\left(x^\top y\right)\,W"),
    (S.tr(), r"Tr[S]"),
    (S.tr() * S.tr(), r"\left(Tr[S]\right)^{2}"),
    ((S @ S).tr() * S.tr(), r"Tr[S]\,Tr[S^{2}]"),
    (x.mean(), "E[x]"),
    ((x @ x.T).mean(), r"E[x x^\top]"),
    (x.mean() @ x.mean().T, r"E[x] E[x^\top]"),
    (norm2(x).mean(), r"E[\|x\|^2]"),
    (norm2(x).mean() * norm2(x).mean(), r"E[\|x\|^2]^{2}"),
    ((norm2(x) * norm2(x)).mean(), r"E[\|x\|^{4}]"),
    ((x.T @ S @ x).mean() * norm2(y).mean(), r"E[x^\top S x]\,E[\|y\|^2]"),
    (((x.T @ S @ x) * norm2(y)).mean(), r"E[\left(x^\top S x\right)\,\|y\|^2]"),
    (norm2(x.mean()), r"E[x^\top] E[x]"),
    ((W @ x @ x.T @ W.T).mean(), r"W E[x x^\top] W^\top"),
    ((x @ x.T).mean() @ (y @ y.T).mean(), r"E[x x^\top] E[y y^\top]"),
    (
        ((x @ x.T).mean() @ (x @ x.T).mean()).tr(),
        r"Tr[E[x x^\top] E[x x^\top]]",
    ),
    ((a.T @ x @ x.T @ b).mean(), r"a^\top E[x x^\top] b"),
    (W @ X @ X.T, r"W X X^\top"),
    ((W @ X @ X.T @ W.T).mean(), r"W E[X X^\top] W^\top"),
    ((X.T @ S @ X).tr().mean(), r"E[Tr[S X X^\top]]"),
    (x @ x.mean().T, r"x E[x^\top]"),
    (norm2(x) * norm2(x).mean(), r"\|x\|^2\,E[\|x\|^2]"),
]


@pytest.mark.parametrize(("f", "expected"), GOLDEN)
def test_golden_formulas(f: MatrixPolynomial, expected: str) -> None:
    full = re.sub(r"(?<![\\{a-zA-Z])E\[", r"\\mathbb{E}\\left[", expected)
    full = full.replace("Tr[", r"\mathrm{Tr}\left[")
    full = re.sub(r"(?<!\\right)\]", r"\\right]", full)
    assert latex(f) == full


def _cubed() -> MatrixPolynomial:
    """E E' (xᵀx')³: the samples meet in three places."""
    return substitute((dot(x, a) * dot(x, a) * dot(x, a)).mean(), {a: x}).mean()


def test_samples_that_meet_have_primes() -> None:
    assert latex(_cubed()) == r"\mathbb{E}\left[\left(x^\top x'\right)^{3}\right]"
    assert latex(_cubed() * _cubed()) == (
        r"\mathbb{E}\left[\left(x^\top x'\right)^{3}\right]^{2}"
    )
    assert latex(_cubed() * norm2(x)) == (
        r"\|x\|^2\,\mathbb{E}\left[\left(x^\top x'\right)^{3}\right]"
    )


def test_samples_that_alternate_in_one_word_have_primes() -> None:
    """E E' Tr[(XᵀX')²]: no mean around the letters of one sample only."""
    Z = matrix("Z", "d_x", "n")
    f = substitute((X.T @ Z @ X.T @ Z).tr().mean(), {Z: X})
    inside = r"\left[\mathrm{Tr}\left[X X'^\top X X'^\top\right]\right]"
    assert latex(f.mean()) == r"\mathbb{E}" + inside
    assert latex(f) == r"\mathbb{E}_{X'}" + inside


def test_what_is_averaged_is_named_beside_the_sample_at_hand() -> None:
    f = substitute((dot(x, a) * dot(x, a) * dot(x, a)).mean(), {a: x})
    assert latex(f) == r"\mathbb{E}_{x'}\left[\left(x^\top x'\right)^{3}\right]"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("d_x", "d_{x}"),
        ("sigma2", r"\sigma^2"),
        ("sigma2_W", r"\sigma_{W}^2"),
        ("Gamma_W", r"\Gamma_{W}"),
        ("theta", r"\theta"),
        ("W_12", "W_{12}"),
        ("G_theta", r"G_{\theta}"),
        ("bar", r"\mathrm{bar}"),
        ("a_b_c", "a_{b_{c}}"),
        ("x", "x"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert name_latex(name) == expected


class _Reader:
    """Reads LaTeX back: products from the left, an expectation binds its letters."""

    def __init__(
        self, text: str, known: dict[str, MatrixPolynomial], size: str
    ) -> None:
        pattern = r"\\[a-zA-Z]+(?:\{E\}|\{Tr\})?|\\[|,]|[A-Za-z]|\d+|[-+^_{}()'\[\],|]"
        self.tokens = re.findall(pattern, text.replace(r"\,", " "))
        self.known, self.size = known, size

    def take(self, *expected: str) -> bool:
        if self.tokens[: len(expected)] == list(expected):
            del self.tokens[: len(expected)]
            return True
        return False

    def must(self, *expected: str) -> None:
        assert self.take(*expected), (expected, self.tokens)

    def sum(self) -> MatrixPolynomial:
        sign = -1 if self.take("-") else 1
        total = sign * self.product()
        while self.tokens and self.tokens[0] in "+-":
            sign = -1 if self.tokens.pop(0) == "-" else 1
            total = total + sign * self.product()
        return total

    def product(self) -> MatrixPolynomial:
        result = self.factor()
        while self.tokens and self.tokens[0] not in {"+", "-", r"\right", "}"}:
            result = _times(result, self.factor())
        return result

    def factor(self) -> MatrixPolynomial:
        if self.take(r"\|"):
            inside = norm2(self.atom())
            self.must(r"\|", "^")
            return _power(inside, self.exponent() // 2)
        base = self.atom()
        if self.tokens[:2] == ["^", r"\top"]:
            del self.tokens[:2]
            return base.T
        return _power(base, self.exponent()) if self.take("^") else base

    def exponent(self) -> int:
        if self.take("{"):
            value = int(self.tokens.pop(0))
            self.must("}")
            return value
        return int(self.tokens.pop(0))

    def atom(self) -> MatrixPolynomial:
        if self.take(r"\frac", "{"):
            above = self.sum()
            self.must("}", "{")
            below = int(self.tokens.pop(0))
            self.must("}")
            return above * Fraction(1, below)
        if self.take(r"\left", "("):
            inside = self.sum()
            self.must(r"\right", ")")
            return inside
        if self.take(r"\mathrm{Tr}", r"\left", "["):
            inside = self.sum()
            self.must(r"\right", "]")
            return inside.tr()
        if self.take(r"\mathbb{E}"):
            return self.expectation()
        token = self.tokens.pop(0)
        if token.isdigit():
            return int(token) * identity(1)
        if token == "I":
            return identity(self.size)
        return self.letter(token)

    def letter(self, token: str) -> MatrixPolynomial:
        primes = 0
        while self.take("'"):
            primes += 1
        if token.lstrip("\\") in NUMBERS or token not in self.known:
            return scalar(token.lstrip("\\"))
        P = self.known[token]
        return sample(token + "'" * primes, P.rows, P.cols) if primes else P

    def expectation(self) -> MatrixPolynomial:
        """Average the letters without primes first, then those with one, …"""
        only_primed = self.take("_", "{")
        while only_primed and not self.take("}"):
            self.tokens.pop(0)
        self.must(r"\left", "[")
        inside = self.sum()
        self.must(r"\right", "]")
        names = _at_hand(inside)
        levels = {name.count("'") for name in names} - ({0} if only_primed else set())
        for level in sorted(levels):
            inside = _mean_over(inside, level)
        primed = [P for name, P in letters(inside).items() if "'" in name]
        return substitute(
            inside,
            {
                sample(P.name, P.rows, P.cols): sample(
                    P.name.rstrip("'"), P.rows, P.cols
                )
                for P in primed
            },
        )


def _mean_over(f: MatrixPolynomial, level: int) -> MatrixPolynomial:
    """Average over the letters with so many primes, under their names."""
    held = {
        P: matrix(name + "~", P.rows, P.cols)
        for name, P in _at_hand(f).items()
        if name.count("'") != level
    }
    averaged = substitute(f, held).mean()
    return substitute(averaged, {kept: P for P, kept in held.items()})


def _at_hand(f: MatrixPolynomial) -> dict[str, MatrixPolynomial]:
    """Return name → variable for the data of the sample at hand."""
    names = {
        a.name
        for _, traced, word in f.terms
        for a in (e for w in (*traced, word) for e in w)
        if a.data and not a.copy
    }
    declared = letters(f)
    return {k: sample(k, declared[k].rows, declared[k].cols) for k in names}


def _times(P: MatrixPolynomial, Q: MatrixPolynomial) -> MatrixPolynomial:
    return P * Q if P.is_scalar or Q.is_scalar else P @ Q


def _power(P: MatrixPolynomial, n: int) -> MatrixPolynomial:
    result = P
    for _ in range(n - 1):
        result = _times(result, P)
    return result


def _read(text: str, like: MatrixPolynomial) -> MatrixPolynomial:
    if text == "0":
        return zero(like.rows, like.cols)
    reader = _Reader(text, LETTERS, like.rows)
    found = reader.sum()
    assert not reader.tokens, reader.tokens
    return found


@given(trees(depth=5, means=3))
@settings(max_examples=100, deadline=None)
def test_what_is_read_is_what_was_written(tree: Tree) -> None:
    f = build(tree)
    data = {LETTERS["a"]: LETTERS["x"], LETTERS["w"]: LETTERS["y"].T}
    met = substitute(f, data)  # samples meet in products of any kind
    for each in (f, met, met.mean()):
        _check(each)


def _check(f: MatrixPolynomial) -> None:
    text = latex(f)
    assert _read(text, f) == f
    assert text.count(r"\left") == text.count(r"\right")
    assert "^2^" not in text


@given(trees(("1", "1"), depth=3, means=1, without=NO_MATRIX), trees(depth=3))
@settings(max_examples=40, deadline=None)
def test_moments_of_many_samples_are_read_back(tree: Tree, other: Tree) -> None:
    A = LETTERS["A"]
    x, y, a, w = (LETTERS[name] for name in "xyaw")
    f = build(tree) * build(other)
    for power in (dot(x, a), (w @ y) * dot(x, a), dot(A @ y, a)):
        twice = (power * power * build(tree)).mean() * f
        met = substitute(twice, {a: x, w: y.T})
        _check(met)
        _check(met.mean())


@pytest.mark.skipif(not HAS_MATH_CORE, reason="math-core comes with the extra")
@given(trees(depth=5, means=3))
@settings(max_examples=50, deadline=None)
def test_every_formula_converts_to_mathml(tree: Tree) -> None:
    text = latex(build(tree))
    if len(text) < 4000:  # the converter's limit
        assert mathml(text).startswith("<math")


@pytest.mark.skipif(not HAS_MATH_CORE, reason="math-core comes with the extra")
@pytest.mark.parametrize("f", [f for f, _ in GOLDEN] + [_cubed()])
def test_golden_formulas_convert_to_mathml(f: MatrixPolynomial) -> None:
    assert mathml(latex(f)).startswith("<math")
