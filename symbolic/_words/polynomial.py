"""Polynomials in words of matrices, under trace and mean over data, at any size.

A letter is a matrix with named sizes. A term is a number times powers of scalar symbols
times traces of words times one open word. The normal form makes two terms equal exactly
when they are equal up to cyclic shift and transposition under the trace, splitting of
words where a size is 1, and renaming of the independent samples averaged over; so the
cost of every operation is free of the sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations, product

from symbolic._errors import DeclarationError
from symbolic._words.letters import (
    Key,
    Letter,
    Number,
    Powers,
    Word,
    closed,
    copies,
    opened,
    recopied,
    transpose,
)
from symbolic._words.notation import latex
from symbolic._words.text import text


_ONE = "1"


@dataclass(frozen=True, slots=True, repr=False)
class MatrixPolynomial:
    """A polynomial in matrices of symbolic size; the 1 × 1 ones are the scalars.

    Letters of data stand for the sample at hand until `mean` averages over it. `==` is
    equality of normal forms: it proves equality at all sizes, and inequality for all
    large ones.

    Attributes:
        rows: number of rows, a name or a numeral.
        cols: number of columns.
        terms: (powers of scalars, traces, open word) → coefficient.

    >>> U, B = matrix("U", "m", "d"), matrix("B", "d", "d", symmetric=True)
    >>> (U @ B @ U.T).tr() == (B @ U.T @ U).tr()
    True
    >>> identity("d").tr() == scalar("d")
    True
    >>> (U @ B @ U.T).tr() / 2
    tr(U*B*U.T)/2
    """

    rows: str
    cols: str
    terms: Mapping[Key, Number]

    def __hash__(self) -> int:
        return hash((self.rows, self.cols, frozenset(self.terms.items())))

    def __repr__(self) -> str:
        """Return the polynomial in the language of declaration files."""
        return text(self)

    def _repr_latex_(self) -> str:
        return f"${latex(self)}$"

    def __add__(self, other: MatrixPolynomial) -> MatrixPolynomial:
        self._same_shape(other)
        merged = dict(self.terms)
        for key, c in other.terms.items():
            merged[key] = merged.get(key, 0) + c
        return MatrixPolynomial(
            self.rows, self.cols, {key: c for key, c in merged.items() if c}
        )

    def __neg__(self) -> MatrixPolynomial:
        return self * -1

    def __sub__(self, other: MatrixPolynomial) -> MatrixPolynomial:
        return self + (-other)

    def __mul__(self, other: MatrixPolynomial | Number) -> MatrixPolynomial:
        """Return the product with a number or a scalar polynomial."""
        if not isinstance(other, MatrixPolynomial):
            if not isinstance(other, (int, Fraction)):
                raise DeclarationError(
                    f"expected an exact factor (int, Fraction or a scalar polynomial), "
                    f"got {other!r} (type {type(other).__name__})"
                )
            return MatrixPolynomial(
                self.rows,
                self.cols,
                {key: c * other for key, c in self.terms.items()} if other else {},
            )
        if not (self.is_scalar or other.is_scalar):
            raise DeclarationError(
                f"expected a scalar factor for *, got {self._shape} * {other._shape}; "
                f"the matrix product is @"
            )
        rows, cols = other._sizes if self.is_scalar else self._sizes
        return assemble(rows, cols, _products(self, other))

    __rmul__ = __mul__

    def __truediv__(self, number: Number) -> MatrixPolynomial:
        """Return the polynomial over a number."""
        return self * (1 / Fraction(number))

    def __matmul__(self, other: MatrixPolynomial) -> MatrixPolynomial:
        """Return the matrix product."""
        if self.cols != other.rows:
            raise DeclarationError(
                f"expected {self.cols} rows to the right of @, got {other._shape}"
            )
        return assemble(self.rows, other.cols, _products(self, other))

    @property
    def T(self) -> MatrixPolynomial:  # noqa: N802 - transposition
        """Return the transpose."""
        return assemble(
            self.cols,
            self.rows,
            ((c, p, ws, transpose(w)) for (p, ws, w), c in self.terms.items()),
        )

    @property
    def is_scalar(self) -> bool:
        """Return whether it is 1 × 1."""
        return self.rows == self.cols == _ONE

    @property
    def letter(self) -> Letter:
        """Return the letter of a polynomial that is a single variable.

        Raises:
            DeclarationError: where it is not.
        """
        keys = list(self.terms)
        if len(keys) == 1 and keys[0][0] == () and self.terms[keys[0]] == 1:
            words = (*keys[0][1], keys[0][2])
            letters = [letter for word in words for letter in word]
            if len(letters) == 1 and not (letters[0].transposed or letters[0].copy):
                return letters[0]
        raise DeclarationError(
            f"expected a single variable, as matrix() or sample() return it, got a "
            f"{self._shape} polynomial of {len(keys)} terms"
        )

    def tr(self) -> MatrixPolynomial:
        """Return the trace.

        Raises:
            DeclarationError: where it is not square.
        """
        if self.rows != self.cols:
            raise DeclarationError(
                f"expected a square matrix for a trace, got {self._shape}"
            )
        size = self.rows
        return assemble(
            _ONE,
            _ONE,
            (
                (c, p, (*ws, w), ())
                if w
                else (c * _numeral(size), (*p, *_size_power(size)), ws, ())
                for (p, ws, w), c in self.terms.items()
            ),
        )

    def mean(self) -> MatrixPolynomial:
        """Return the mean over the sample at hand: its letters become a new copy."""
        return assemble(self.rows, self.cols, map(_averaged, self.terms.items()))

    def _same_shape(self, other: MatrixPolynomial) -> None:
        if self._sizes != other._sizes:
            raise DeclarationError(
                f"expected matrices of one shape, got {self._shape} and {other._shape}"
            )

    @property
    def _sizes(self) -> tuple[str, str]:
        return self.rows, self.cols

    @property
    def _shape(self) -> str:
        return f"{self.rows} x {self.cols}"


def matrix(
    name: str, rows: str | int, cols: str | int, *, symmetric: bool = False
) -> MatrixPolynomial:
    """Return a matrix variable.

    Args:
        name: its name.
        rows: number of rows, a name such as "d_x" or a number.
        cols: number of columns.
        symmetric: whether it equals its transpose.

    Returns:
        The polynomial that is this variable.

    Raises:
        DeclarationError: for a symmetric variable that is not square.

    >>> matrix("W", "d", "d_x").T.rows
    'd_x'
    """
    if symmetric and str(rows) != str(cols):
        raise DeclarationError(
            f"expected a symmetric {name} to be square, got {rows} x {cols}"
        )
    return _variable(name, str(rows), str(cols), symmetric=symmetric, data=False)


def sample(name: str, rows: str | int, cols: str | int = 1) -> MatrixPolynomial:
    """Return a data variable, by default a vector: one value for each sample."""
    return _variable(name, str(rows), str(cols), symmetric=False, data=True)


def scalar(name: str, power: int = 1) -> MatrixPolynomial:
    """Return a power of a scalar symbol, such as γ or a size."""
    return MatrixPolynomial(_ONE, _ONE, {(((name, power),), (), ()): 1})


def identity(size: str | int) -> MatrixPolynomial:
    """Return the identity matrix."""
    return MatrixPolynomial(str(size), str(size), {((), (), ()): 1})


def zero(rows: str | int, cols: str | int) -> MatrixPolynomial:
    """Return the zero matrix."""
    return MatrixPolynomial(str(rows), str(cols), {})


def norm2(P: MatrixPolynomial) -> MatrixPolynomial:
    """Return the squared Frobenius norm Tr[PᵀP]."""
    return (P.T @ P).tr()


def dot(P: MatrixPolynomial, Q: MatrixPolynomial) -> MatrixPolynomial:
    """Return the inner product Tr[PᵀQ]."""
    return (P.T @ Q).tr()


def _variable(
    name: str, rows: str, cols: str, *, symmetric: bool, data: bool
) -> MatrixPolynomial:
    letter = Letter(name, 0, False, rows, cols, symmetric, data)
    return assemble(rows, cols, [(1, (), (), (letter,))])


RawTerm = tuple[Number, Iterable[tuple[str, int]], Iterable[Word], Word]


def assemble(rows: str, cols: str, terms: Iterable[RawTerm]) -> MatrixPolynomial:
    """Return the polynomial of raw terms: traces and open words in any form.

    Args:
        rows: number of rows.
        cols: number of columns.
        terms: (coefficient, powers, traced words, open word).

    Returns:
        The polynomial in normal form.
    """
    result: dict[Key, Number] = {}
    for coefficient, powers, traced, word in terms:
        words = [part for w in traced for part in closed(w)]
        if word:
            inner, word = opened(word)
            words += inner
        key = _renamed(_collected(powers), words, word)
        result[key] = result.get(key, 0) + coefficient
    return MatrixPolynomial(rows, cols, {k: c for k, c in result.items() if c})


def _renamed(powers: Powers, words: list[Word], word: Word) -> Key:
    """Name the averaged samples 1, 2, … so that the key is least."""
    old = copies([*words, word])
    if not old or old == [1]:
        return powers, tuple(sorted(words)), word
    return min(
        _key(powers, words, word, dict(zip(old, new, strict=True)))
        for new in permutations(range(1, len(old) + 1))
    )


def _key(powers: Powers, words: list[Word], word: Word, names: dict[int, int]) -> Key:
    traced = [part for w in words for part in closed(recopied(w, names))]
    return powers, tuple(sorted(traced)), recopied(word, names)


def _collected(powers: Iterable[tuple[str, int]]) -> Powers:
    total: dict[str, int] = {}
    for name, power in powers:
        total[name] = total.get(name, 0) + power
    return tuple(sorted((name, p) for name, p in total.items() if p))


def _products(left: MatrixPolynomial, right: MatrixPolynomial) -> Iterator[RawTerm]:
    for (lk, a), (rk, b) in product(left.terms.items(), right.terms.items()):
        taken = copies([*lk[1], lk[2]])
        traced, word = shifted(rk[1], rk[2], taken[-1] if taken else 0)
        yield a * b, (*lk[0], *rk[0]), (*lk[1], *traced), lk[2] + word


def shifted(
    traced: tuple[Word, ...], word: Word, by: int
) -> tuple[tuple[Word, ...], Word]:
    """Rename the averaged samples so that they differ from 1, …, `by`."""
    names = {k: k + by for k in copies([*traced, word])} if by else {}
    if not names:
        return traced, word
    return tuple(recopied(w, names) for w in traced), recopied(word, names)


def _averaged(item: tuple[Key, Number]) -> RawTerm:
    (powers, traced, word), c = item
    old = copies([*traced, word])
    names = {0: (old[-1] if old else 0) + 1}
    return c, powers, tuple(recopied(w, names) for w in traced), recopied(word, names)


def _numeral(size: str) -> int:
    return int(size) if size.isdigit() else 1


def _size_power(size: str) -> Powers:
    return () if size.isdigit() else ((size, 1),)
