"""Random expressions in matrices, with values by explicit sums: no words, no copies.

A tree is built into a `MatrixPolynomial` by the operations under test, and valued by
plain loops over entries and samples. Entries may be of any ring, such as sympy's
polynomials, so that the same loops serve for derivatives and Gaussian moments.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sympy as sp
from hypothesis import strategies as st

from symbolic import MatrixPolynomial, identity, matrix, sample, scalar, zero


Table = tuple[tuple[Any, ...], ...]
Point = Mapping[str, Table]

LETTERS: dict[str, MatrixPolynomial] = {
    "A": matrix("A", "n", "m"),
    "B": matrix("B", "n", "n"),
    "S": matrix("S", "n", "n", symmetric=True),
    "P": matrix("P", 2, "n"),
    "a": matrix("a", "n", 1),
    "w": matrix("w", 1, "m"),
    "c": matrix("c", 1, 1),
    "x": sample("x", "n"),
    "y": sample("y", "m"),
    "X": sample("X", "n", 2),
    "q": sample("q", 1),
}
SIZES = ("n", "m", "1", "2")
NUMBERS = ("gamma", "eta")


@dataclass(frozen=True)
class Tree:
    """An expression: an operation, its arguments, and the shape of the result."""

    op: str
    shape: tuple[str, str]
    args: tuple[Tree, ...] = ()
    leaf: Any = None


def letter(name: str) -> Tree:
    P = LETTERS[name]
    return Tree("letter", (P.rows, P.cols), leaf=name)


def times(a: Tree, b: Tree) -> Tree:
    return Tree("@", (a.shape[0], b.shape[1]), (a, b))


def transposed(a: Tree) -> Tree:
    return Tree("T", a.shape[::-1], (a,))


def unary(op: str, a: Tree) -> Tree:
    return Tree(op, ("1", "1") if op == "tr" else a.shape, (a,))


def build(tree: Tree) -> MatrixPolynomial:
    """Return the polynomial, by the operations under test."""
    args = [build(arg) for arg in tree.args]
    made: dict[str, Callable[[], MatrixPolynomial]] = {
        "letter": lambda: LETTERS[tree.leaf],
        "number": lambda: scalar(tree.leaf),
        "I": lambda: identity(tree.shape[0]),
        "0": lambda: zero(*tree.shape),
        "+": lambda: args[0] + args[1],
        "-": lambda: args[0] - args[1],
        "k": lambda: tree.leaf * args[0],
        "*": lambda: args[0] * args[1],
        "@": lambda: args[0] @ args[1],
        "T": lambda: args[0].T,
        "tr": lambda: args[0].tr(),
        "mean": lambda: args[0].mean(),
    }
    return made[tree.op]()


@dataclass(frozen=True)
class Instance:
    """Sizes, matrices, samples, the sample at hand, and values of scalar symbols."""

    sizes: Mapping[str, int]
    values: Point
    samples: Sequence[Point]
    at: Point
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def expect(self, f: Callable[[Instance], Table]) -> Table:
        """Return the mean over the samples, one by one."""
        total: Table | None = None
        for each in self.samples:
            value = f(self.moved(at=each))
            total = value if total is None else added(total, value)
        assert total is not None
        return scaled(Fraction(1, len(self.samples)), total)

    def moved(self, **changes: Any) -> Instance:
        return type(self)(**{**self.__dict__, **changes})


def value(tree: Tree, at: Instance) -> Table:
    """Return the value by loops over entries and samples."""
    if tree.op == "mean":
        return at.expect(lambda moved: value(tree.args[0], moved))
    args = [value(arg, at) for arg in tree.args]
    rows, cols = (at.sizes[size] for size in tree.shape)
    made: dict[str, Callable[[], Table]] = {
        "letter": lambda: (at.at if is_data(tree.leaf) else at.values)[tree.leaf],
        "number": lambda: ((at.numbers[tree.leaf],),),
        "I": lambda: table(rows, cols, lambda i, j: int(i == j)),
        "0": lambda: table(rows, cols, lambda i, j: 0),
        "+": lambda: added(args[0], args[1]),
        "-": lambda: added(args[0], scaled(-1, args[1])),
        "k": lambda: scaled(tree.leaf, args[0]),
        "*": lambda: _scaled_either(args[0], args[1], tree),
        "@": lambda: product(args[0], args[1]),
        "T": lambda: tuple(zip(*args[0], strict=True)),
        "tr": lambda: ((sum(args[0][i][i] for i in range(len(args[0]))),),),
    }
    return made[tree.op]()


def _scaled_either(a: Table, b: Table, tree: Tree) -> Table:
    if tree.args[0].shape == ("1", "1"):
        return scaled(a[0][0], b)
    return scaled(b[0][0], a)


def is_data(name: str) -> bool:
    return LETTERS[name].letter.data


def table(rows: int, cols: int, f: Callable[[int, int], Any]) -> Table:
    return tuple(tuple(f(i, j) for j in range(cols)) for i in range(rows))


def added(a: Table, b: Table) -> Table:
    return table(len(a), len(a[0]), lambda i, j: a[i][j] + b[i][j])


def scaled(c: Any, a: Table) -> Table:
    return table(len(a), len(a[0]), lambda i, j: a[i][j] * c)


def product(a: Table, b: Table) -> Table:
    inner = range(len(b))
    return table(
        len(a), len(b[0]), lambda i, j: sum((a[i][k] * b[k][j] for k in inner), 0)
    )


def exact(a: Table) -> sp.Matrix:
    """Return a table of fractions as a sympy matrix."""
    return sp.Matrix(
        len(a), len(a[0]), lambda i, j: sp.Rational(str(Fraction(a[i][j])))
    )


def as_sympy(point: Point) -> dict[str, sp.Matrix]:
    return {name: exact(entries) for name, entries in point.items()}


def arguments(at: Instance) -> dict[str, Any]:
    """Return an instance as `evaluate` takes it."""
    sizes = {name: sp.Integer(n) for name, n in at.sizes.items() if not name.isdigit()}
    return {
        "values": as_sympy(at.values),
        "samples": [as_sympy(each) for each in at.samples],
        "at": as_sympy(at.at),
        "numbers": {k: sp.Rational(str(v)) for k, v in at.numbers.items()} | sizes,
    }


def instance(seed: int, n: int, m: int, *, count: int = 2, most: int = 3) -> Instance:
    """Draw integer matrices, `count` samples and one at hand."""
    stream = random.Random(seed)
    sizes = {"n": n, "m": m, "1": 1, "2": 2}

    def drawn(name: str) -> Table:
        P = LETTERS[name]
        full = table(
            sizes[P.rows], sizes[P.cols], lambda i, j: stream.randint(-most, most)
        )
        if not P.letter.symmetric:
            return full
        return table(len(full), len(full), lambda i, j: full[min(i, j)][max(i, j)])

    return Instance(
        sizes,
        {name: drawn(name) for name in LETTERS if not is_data(name)},
        [{k: drawn(k) for k in LETTERS if is_data(k)} for _ in range(count)],
        {name: drawn(name) for name in LETTERS if is_data(name)},
        {name: Fraction(stream.randint(1, 5), 2) for name in NUMBERS},
    )


sizes_drawn = st.tuples(st.integers(1, 3), st.integers(1, 3))
seeds = st.integers(0, 10**6)


def instances(count: int = 2) -> st.SearchStrategy[Instance]:
    return st.builds(
        lambda seed, size: instance(seed, *size, count=count), seeds, sizes_drawn
    )


@st.composite
def trees(
    draw: st.DrawFn,
    shape: tuple[str, str] | None = None,
    *,
    depth: int = 4,
    means: int = 2,
    without: frozenset[str] = frozenset(),
) -> Tree:
    """Draw an expression of a shape; `means` bounds how deep means are nested."""
    shape = shape or draw(st.tuples(st.sampled_from(SIZES), st.sampled_from(SIZES)))

    def sub(shape: tuple[str, str], fewer: int = 1, means: int = means) -> Tree:
        return draw(trees(shape, depth=depth - fewer, means=means, without=without))

    if depth <= 0:
        return draw(st.sampled_from(_leaves(shape, without)))
    ops = ["leaf", "+", "-", "k", "*", "@", "@", "@", "T", "mean"]
    op = draw(st.sampled_from(ops + (["tr"] * 4 if shape == ("1", "1") else [])))
    if op == "mean" and means == 0:
        op = "@"
    if op == "leaf":
        return draw(st.sampled_from(_leaves(shape, without)))
    if op == "k":
        k = draw(st.sampled_from([-2, 3, Fraction(1, 2), Fraction(-2, 3)]))
        return Tree(op, shape, (sub(shape),), k)
    middle = draw(st.sampled_from(SIZES))
    made: dict[str, Callable[[], Tree]] = {
        "+": lambda: Tree("+", shape, (sub(shape, 2), sub(shape))),
        "-": lambda: Tree("-", shape, (sub(shape, 2), sub(shape))),
        "*": lambda: Tree("*", shape, (sub(("1", "1"), 2), sub(shape))),
        "@": lambda: times(sub((shape[0], middle)), sub((middle, shape[1]), 2)),
        "T": lambda: transposed(sub(shape[::-1])),
        "tr": lambda: unary("tr", sub((middle, middle))),
        "mean": lambda: unary("mean", sub(shape, 1, means - 1)),
    }
    return made[op]()


def scalars() -> st.SearchStrategy[Tree]:
    """Draw scalars, half of them Tr[TᵀT] or Tr[TᵀTU], where letters come twice."""
    squares = trees(depth=3).map(lambda t: unary("tr", times(transposed(t), t)))
    longer = st.tuples(trees(("n", "m"), depth=3), trees(("m", "m"), depth=1)).map(
        lambda pair: unary("tr", times(times(transposed(pair[0]), pair[0]), pair[1]))
    )
    return trees(("1", "1"), depth=5) | squares | longer


def _leaves(shape: tuple[str, str], without: frozenset[str]) -> list[Tree]:
    """Return what needs no operation, or one product, to have a shape."""
    names = [name for name in LETTERS if name not in without]
    found = [letter(k) for k in names if letter(k).shape == shape]
    found += [transposed(letter(k)) for k in names if letter(k).shape == shape[::-1]]
    if shape[0] == shape[1]:
        found.append(Tree("I", shape))
    if shape == ("1", "1"):
        found += [Tree("number", shape, leaf=name) for name in NUMBERS]
    return found or [Tree("0", shape)]


def scrambled(tree: Tree, stream: random.Random) -> Tree:
    """Return another expression of the same value, by identities at random places."""
    made = Tree(
        tree.op, tree.shape, tuple(scrambled(a, stream) for a in tree.args), tree.leaf
    )
    options = [made, *_identities(made)]
    return stream.choice(options)


def _identities(tree: Tree) -> list[Tree]:
    found = [transposed(transposed(tree)), times(Tree("I", (tree.shape[0],) * 2), tree)]
    if tree.shape == ("1", "1"):
        found += [transposed(tree), unary("tr", tree)]
    if tree.leaf == "S":
        found.append(transposed(tree))
    if tree.args:
        found += _identities_of(tree, tree.args[0], tree.args[-1])
    return found


def _identities_of(tree: Tree, a: Tree, b: Tree) -> list[Tree]:
    found: list[Tree] = []
    if tree.op == "+":
        found.append(Tree("+", tree.shape, (b, a)))
    if tree.op == "*" and b.shape[1] == "1":
        found.append(times(b, a))
    if tree.op == "@" and a.op in "+-":
        parts = tuple(times(each, b) for each in a.args)
        found.append(Tree(a.op, tree.shape, parts))
    if tree.op == "@" and b.op == "@":
        found.append(times(times(a, b.args[0]), b.args[1]))
    if tree.op == "T" and a.op == "@":
        found.append(times(transposed(a.args[1]), transposed(a.args[0])))
    if tree.op == "tr":
        found.append(unary("tr", transposed(a)))
        if a.op == "@":
            found.append(unary("tr", times(a.args[1], a.args[0])))
    if tree.op == "mean":
        found.append(unary("mean", tree))
        if a.op in "+-":
            found.append(
                Tree(a.op, tree.shape, tuple(unary("mean", each) for each in a.args))
            )
    return found
