"""Drawn rational matrices for the statements about ‖UWx − y‖², at many sizes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st

from verify._exact import product
from verify._routes._common import Sides
from verify._scope import FACTORISATION, only_about


Number = int | Fraction
Shapes = dict[str, tuple[str | int, str | int]]
general = only_about(FACTORISATION)
EXACT = "exact matrices"


@dataclass(frozen=True, slots=True)
class M:
    """A matrix of rationals.

    Attributes:
        rows: at least one, each with at least one entry.
    """

    rows: tuple[tuple[Number, ...], ...]

    def __matmul__(self, other: M) -> M:
        return M(product(self.rows, other.rows))

    def __add__(self, other: M) -> M:
        pairs = zip(self.rows, other.rows, strict=True)
        return M(
            tuple(tuple(a + b for a, b in zip(p, q, strict=True)) for p, q in pairs)
        )

    def __sub__(self, other: M) -> M:
        return self + other * -1

    def __mul__(self, number: Number) -> M:
        return M(tuple(tuple(number * a for a in row) for row in self.rows))

    def __bool__(self) -> bool:
        """Return whether an entry differs from 0."""
        return any(map(any, self.rows))

    @property
    def T(self) -> M:  # noqa: N802 - transposition
        """Return the transpose."""
        return M(tuple(zip(*self.rows, strict=True)))

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of rows and columns."""
        return len(self.rows), len(self.rows[0])

    def tr(self) -> Number:
        """Return the trace."""
        return sum(row[i] for i, row in enumerate(self.rows))

    def norm2(self) -> Number:
        """Return the sum of squares of the entries."""
        return sum(a * a for row in self.rows for a in row)


def eye(n: int) -> M:
    """Return the identity."""
    return M(tuple(tuple(int(i == j) for j in range(n)) for i in range(n)))


def diagonal(values: Sequence[Number]) -> M:
    """Return a diagonal matrix."""
    n = range(len(values))
    return M(tuple(tuple(values[i] if i == j else 0 for j in n) for i in n))


def column(values: Sequence[Number]) -> M:
    """Return a column."""
    return M(tuple((value,) for value in values))


def inverse(A: M) -> M | None:
    """Return A⁻¹ by elimination, or None where A is singular."""
    n = len(A.rows)
    table = [
        [Fraction(v) for v in row + unit]
        for row, unit in zip(A.rows, eye(n).rows, strict=True)
    ]
    for i in range(n):
        pivot = next((k for k in range(i, n) if table[k][i]), None)
        if pivot is None:
            return None
        table[i], table[pivot] = table[pivot], table[i]
        table[i] = [v / table[i][i] for v in table[i]]
        for k in range(n):
            if k != i and table[k][i]:
                factor = table[k][i]
                table[k] = [
                    a - factor * b for a, b in zip(table[k], table[i], strict=True)
                ]
    return M(tuple(tuple(row[n:]) for row in table))


def average(matrices: Sequence[M]) -> M:
    """Return the mean of matrices of one shape."""
    total = matrices[0]
    for each in matrices[1:]:
        total = total + each
    return total * Fraction(1, len(matrices))


@dataclass(frozen=True, slots=True)
class Case:
    """Named matrices: the data X, Y, E hold one sample a row.

    Attributes:
        values: name → matrix.
    """

    values: Mapping[str, M]

    def __getitem__(self, name: str) -> M:
        return self.values[name]

    def number(self, name: str) -> Number:
        """Return the entry of a 1 × 1 matrix."""
        return self[name].rows[0][0]

    def data(self, name: str) -> tuple[M, ...]:
        """Return the samples as columns."""
        return tuple(map(column, self.values[name].rows))

    def with_(self, **changes: M) -> Case:
        """Return a copy with some matrices changed."""
        return Case({**self.values, **changes})

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        return {
            name: str([[str(v) for v in row] for row in A.rows]).replace("'", "")
            for name, A in self.values.items()
        }


def case(**values: Sequence[Sequence[Number]]) -> Case:
    """Return a case from rows of numbers."""
    return Case({name: M(tuple(map(tuple, v))) for name, v in values.items()})


@st.composite
def cases(
    draw: st.DrawFn,
    shapes: Mapping[str, tuple[str | int, str | int]],
    most: int = 3,
    largest: Mapping[str, int] | None = None,
) -> Case:
    """Draw integer matrices with entries from −3 to 3 and free sizes.

    Sizes shrink; the entries come from a seed.

    Args:
        draw: Hypothesis' draw.
        shapes: name → (rows, columns), each a number or the name of a free size.
        most: the largest value of a size.
        largest: the same for single sizes.

    Returns:
        A case, with what was drawn.
    """
    names = dict.fromkeys(s for shape in shapes.values() for s in shape)
    sizes: dict[str | int, int] = {
        s: s
        if isinstance(s, int)
        else draw(st.integers(1, (largest or {}).get(s, most)))
        for s in names
    }
    entries = random.Random(draw(st.integers(0, 9999)))  # one draw: Hypothesis is slow
    values = {}
    for name, (rows, cols) in shapes.items():
        values[name] = M(
            tuple(
                tuple(entries.randint(-3, 3) for _ in range(sizes[cols]))
                for _ in range(sizes[rows])
            )
        )
    return Case(values)


def compared(
    left: M, right: M, *, degenerate: bool = False, at: Case | None = None
) -> Sides:
    """Return the entries of two matrices where they differ most."""
    pairs = [
        (Fraction(a), Fraction(b))
        for p, q in zip(left.rows, right.rows, strict=True)
        for a, b in zip(p, q, strict=True)
    ]
    a, b = max(pairs, key=apart)
    return Sides(a, b, degenerate=degenerate, case=at)


def apart(pair: tuple[Number, Number]) -> Fraction:
    """Return how far two numbers are apart."""
    return abs(Fraction(pair[0]) - Fraction(pair[1]))


def largest(values: Sequence[Number]) -> Fraction:
    """Return the number farthest from 0."""
    return max(map(Fraction, values), key=abs)


def numbers(left: Number, right: Number, *, degenerate: bool = False) -> Sides:
    """Return two numbers as sides."""
    return Sides(Fraction(left), Fraction(right), degenerate=degenerate)


Loss = Callable[[M, M, M, M], Number]


def square(U: M, W: M, x: M, y: M) -> Number:
    """Return ‖UWx − y‖²."""
    return (U @ (W @ x) - y).norm2()


def difference_gradients(loss: Loss, U: M, W: M, x: M, y: M) -> tuple[M, M]:
    """Return ∂ℓ/∂U and ∂ℓ/∂W by central differences.

    They are exact for a loss that is quadratic in each single entry.

    Args:
        loss: the loss of one sample.
        U: where.
        W: where.
        x: the sample's input.
        y: the sample's target.

    Returns:
        Both gradients.
    """

    def slope(value: Callable[[M], Number], A: M) -> M:
        rows, cols = A.shape
        half = Fraction(1, 2)

        def at(i: int, j: int, step: int) -> Number:
            moved = [list(row) for row in A.rows]
            moved[i][j] += step
            return value(M(tuple(map(tuple, moved))))

        return M(
            tuple(
                tuple(half * (at(i, j, 1) - at(i, j, -1)) for j in range(cols))
                for i in range(rows)
            )
        )

    return (
        slope(lambda A: loss(A, W, x, y), U),
        slope(lambda A: loss(U, A, x, y), W),
    )


def sample_gradients(
    U: M, W: M, xs: Sequence[M], ys: Sequence[M], loss: Loss = square
) -> tuple[tuple[M, M], ...]:
    """Return the gradients of every sample, by differences."""
    return tuple(
        difference_gradients(loss, U, W, x, y) for x, y in zip(xs, ys, strict=True)
    )


def balance_drift(gradients: Sequence[tuple[M, M]]) -> M:
    """Return the noise's part of d/dt(UᵀU − WWᵀ), over η/S.

    UᵀU − WWᵀ is quadratic, and the noise has covariance 2σ²Σ = (η/S)Σ: its mean
    grows by (η/S)(E g_Uᵀg_U − ḡ_Uᵀḡ_U) − (η/S)(E g_Wg_Wᵀ − ḡ_Wḡ_Wᵀ).

    Args:
        gradients: those of every sample.

    Returns:
        The d × d matrix.
    """
    of_U, of_W = (average(each) for each in zip(*gradients, strict=True))
    second = average([g.T @ g - h @ h.T for g, h in gradients])
    return second - of_U.T @ of_U + of_W @ of_W.T


def gammas(xs: Sequence[M], rs: Sequence[M], *, centred: bool = True) -> tuple[M, M]:
    """Return Γ_U and Γ_W of Theorem 2 as sums over the samples."""
    of_U = average([(r @ r.T) * x.norm2() for x, r in zip(xs, rs, strict=True)])
    of_W = average([(x @ x.T) * r.norm2() for x, r in zip(xs, rs, strict=True)])
    if not centred:
        return of_U, of_W
    mean = average([r @ x.T for x, r in zip(xs, rs, strict=True)])
    return of_U - mean @ mean.T, of_W - mean.T @ mean


def moment(xs: Sequence[M]) -> M:
    """Return the second moment E[xxᵀ]."""
    return average([x @ x.T for x in xs])


def independent(
    xs: Sequence[M], es: Sequence[M]
) -> tuple[tuple[M, ...], tuple[M, ...]]:
    """Return all pairs, so that x and ±ε are independent and ε has mean zero."""
    signed = [e * s for e in es for s in (1, -1)]
    pairs = [(x, e) for x in xs for e in signed]
    return tuple(x for x, _ in pairs), tuple(e for _, e in pairs)


FACTORS: Shapes = {
    "U": ("d_y", "d"),
    "W": ("d", "d_x"),
}
SAMPLES: Shapes = {"X": ("N", "d_x"), "Y": ("N", "d_y")}
NOISY: Shapes = {"X": ("N", "d_x"), "E": ("n", "d_y")}


def drawn(**changes: Any) -> st.SearchStrategy[Case]:
    """Return a strategy for U, W and data, with other shapes beside them."""
    return cases({**FACTORS, **SAMPLES, **changes}, largest={"N": 4})
