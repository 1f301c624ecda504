"""What an expression means at any size: polynomials in words of matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

from symbolic._errors import DeclarationError
from symbolic._language.interpreter import LimitError, interpret_in, nearest
from symbolic._space import ParameterSpace
from symbolic._words.applied import Table
from symbolic._words.evaluation import letters
from symbolic._words.letters import Letter, copies
from symbolic._words.polynomial import (
    MatrixPolynomial,
    dot,
    identity,
    matrix,
    norm2,
    sample,
    scalar,
)


MAX_TERMS = 2_000  # of a polynomial
MAX_PRODUCTS = 20_000  # pairs of terms, in one multiplication
MAX_MULTIPLIED = 300_000  # matrices in them
MAX_LETTERS = 200  # of a term
MAX_BITS = 2_000  # of a coefficient


def interpret_words(
    text: str,
    names: Mapping[str, MatrixPolynomial],
    table: Table,
    where: str = "",
    *,
    means: bool = False,
) -> MatrixPolynomial:
    """Return the meaning of an expression at any size.

    Args:
        text: the expression.
        names: name → variable or scalar.
        table: the functions of polynomials met so far; those met here are added.
        where: what the text is, for errors.
        means: whether `mean(…)`, the mean over the samples, and `expm(…)`, the
            exponential of a matrix, are functions.

    Returns:
        The polynomial; functions in it are letters of the table.

    Raises:
        DeclarationError: with the place in the text, for what is no expression, for
            unknown names and functions, and for shapes that do not fit.

    >>> from symbolic import matrix
    >>> names = {"U": matrix("U", "m", "d"), "W": matrix("W", "d", "n")}
    >>> f = interpret_words("norm2(U*W)", names, Table())
    >>> f == norm2(names["U"] @ names["W"])
    True
    >>> interpret_words("W*U", names, Table())
    Traceback (most recent call last):
    symbolic._errors.DeclarationError: column 3: expected n rows to the right of *: W \
is d x n, U is m x d
        W*U
          ^
    """
    value: MatrixPolynomial = interpret_in(
        _Words(names, table, means=means), text, where
    )
    return value


class _Words:
    """Polynomials in words, as an algebra."""

    def __init__(
        self, names: Mapping[str, MatrixPolynomial], table: Table, *, means: bool
    ) -> None:
        self._names, self._table = names, table
        self.more = {"mean": 1, "expm": 1} if means else dict[str, int]()

    def names(self) -> Sequence[str]:
        return list(self._names)

    def name(self, name: str) -> MatrixPolynomial:
        return self._names[name]

    def number(self, value: Fraction) -> MatrixPolynomial:
        return identity(1) * value

    def shape(self, value: MatrixPolynomial) -> tuple[str, ...]:
        return () if value.is_scalar else (value.rows, value.cols)

    def is_zero(self, value: MatrixPolynomial) -> bool:
        return not value.terms

    def add(self, terms: Sequence[tuple[int, MatrixPolynomial]]) -> MatrixPolynomial:
        first, *rest = (value * sign for sign, value in terms)
        return _limited(reduce(lambda a, b: a + b, rest, first))

    def multiply(
        self, left: MatrixPolynomial, right: MatrixPolynomial
    ) -> MatrixPolynomial:
        _check_pairs(left, right)
        scales = left.is_scalar or right.is_scalar
        return _limited(left * right if scales else left @ right)

    def power(self, base: MatrixPolynomial, exponent: Fraction) -> MatrixPolynomial:
        monomial = _inverse(base) if exponent < 0 else base
        if monomial is not None and exponent.denominator == 1:
            return self._product([monomial] * abs(exponent.numerator))
        number = _number(base)
        if number is not None and number < 0 and exponent.denominator > 1:
            raise LimitError("expected a base that is not negative under a root")
        unit = Fraction(1 if exponent > 0 else -1, exponent.denominator)
        letter = self._table.power(base, unit)
        return self._product([letter] * abs(exponent.numerator))

    def transpose(self, value: MatrixPolynomial) -> MatrixPolynomial:
        return value.T

    def entrywise(self, function: str, value: MatrixPolynomial) -> MatrixPolynomial:
        if function == "sqrt" and value.is_scalar:
            return self.power(value, Fraction(1, 2))
        if not value.terms:
            return _at_zero(function, value)
        return self._table.apply(function, value)

    def of_matrices(
        self, function: str, values: Sequence[MatrixPolynomial]
    ) -> MatrixPolynomial:
        first = values[0]
        if function == "mean":
            return first.mean()
        if function == "expm":
            return self._table.apply("expm", first)
        if function == "tr":
            return first.tr()
        if function == "inv":
            if not first.terms:
                raise LimitError("expected a matrix that can be inverted, got 0")
            if first.is_scalar:
                return self.power(first, Fraction(-1))
            return self._table.apply("inv", first)
        _check_pairs(first, values[-1])
        return _limited(norm2(first) if function == "norm2" else dot(first, values[1]))

    def check(self, value: MatrixPolynomial) -> None:
        """Check that every number in a result can be computed with, and printed.

        Raises:
            LimitError: where one cannot.
        """
        for c in value.terms.values():
            if max(abs(c.numerator), c.denominator).bit_length() > MAX_BITS:
                raise LimitError(f"expected numbers below 2**{MAX_BITS}")

    def _product(self, factors: list[MatrixPolynomial]) -> MatrixPolynomial:
        return reduce(self.multiply, factors, identity(1))


def _limited(f: MatrixPolynomial) -> MatrixPolynomial:
    if len(f.terms) > MAX_TERMS:
        raise LimitError(f"expected at most {MAX_TERMS} terms, got {len(f.terms)}")
    longest = _longest(f)
    if longest > MAX_LETTERS:
        raise LimitError(
            f"expected products of at most {MAX_LETTERS} matrices, got {longest}"
        )
    return f


def _longest(f: MatrixPolynomial) -> int:
    return max((sum(map(len, (*ws, w))) for _, ws, w in f.terms), default=0)


def _check_pairs(left: MatrixPolynomial, right: MatrixPolynomial) -> None:
    pairs = len(left.terms) * len(right.terms)
    letters = pairs * (_longest(left) + _longest(right))
    if pairs > MAX_PRODUCTS or letters > MAX_MULTIPLIED:
        raise LimitError(
            f"expected a product of at most {MAX_PRODUCTS} pairs of terms and "
            f"{MAX_MULTIPLIED} matrices, got {len(left.terms)} times "
            f"{len(right.terms)} terms, {letters} matrices"
        )


def _inverse(f: MatrixPolynomial) -> MatrixPolynomial | None:
    """Return 1/f of a number times powers of scalar symbols, else None."""
    if len(f.terms) != 1:
        return None
    ((powers, traced, word), c) = next(iter(f.terms.items()))
    if traced or word:
        return None
    inverted = tuple((name, -p) for name, p in powers)
    return MatrixPolynomial("1", "1", {(inverted, (), ()): 1 / Fraction(c)})


def _number(f: MatrixPolynomial) -> Fraction | None:
    if set(f.terms) <= {((), (), ())}:
        return Fraction(f.terms.get(((), (), ()), 0))
    return None


def _at_zero(function: str, value: MatrixPolynomial) -> MatrixPolynomial:
    """Return f(0), entry by entry, where it is 0 or a number.

    Raises:
        LimitError: where it is neither.
    """
    at_zero = {"exp": Fraction(1), "cosh": Fraction(1), "cos": Fraction(1)}
    at_zero["sigmoid"] = Fraction(1, 2)
    if function in ("log", "softplus") or (function in at_zero and not value.is_scalar):
        raise LimitError(f"expected something else than 0 inside {function}")
    return identity(1) * at_zero[function] if function in at_zero else value


def read_words(
    given: object,
    names: Mapping[str, MatrixPolynomial],
    table: Table,
    where: str = "",
) -> MatrixPolynomial:
    """Return what a user gives at symbolic sizes: text, a polynomial or a number.

    Args:
        given: a string of the language, a polynomial in the known names, or an exact
            number.
        names: name → variable or scalar.
        table: the functions of polynomials met so far.
        where: what it is, for errors.

    Returns:
        The polynomial.

    Raises:
        DeclarationError: for anything else, and for variables declared otherwise.
    """
    if isinstance(given, str):
        return interpret_words(given, names, table, where)
    if isinstance(given, (int, Fraction)) and not isinstance(given, bool):
        return identity(1) * given
    place = f"{where}: " if where else ""
    if not isinstance(given, MatrixPolynomial):
        raise DeclarationError(
            f"{place}expected a string of the language, or a polynomial of "
            f"matrix(...), where a size is a symbol, got {given!r:.60} (type "
            f"{type(given).__name__})"
        )
    _check_scalars(given, names, place)
    for name, letter in letters(given).items():
        known = names.get(name)
        if known is None:
            raise DeclarationError(f"{place}unknown name {name}{nearest(name, names)}")
        if letter != known.letter:
            raise DeclarationError(
                f"{place}expected {name} as it is declared, {_shown(known.letter)}, "
                f"got {_shown(letter)}"
            )
    return given


def _check_scalars(
    f: MatrixPolynomial, names: Mapping[str, MatrixPolynomial], place: str
) -> None:
    """Refuse scalar symbols that are no constants or sizes, and means.

    Raises:
        DeclarationError: where there are any.
    """
    sizes = {size for known in names.values() for size in (known.rows, known.cols)}
    for powers, traced, word in f.terms:
        for name, _ in powers:
            if names.get(name) != scalar(name) and name not in sizes:
                raise DeclarationError(
                    f"{place}unknown name {name}{nearest(name, names)}"
                )
        if copies([*traced, word]):
            raise DeclarationError(
                f"{place}expected a polynomial in the sample at hand, got a mean over "
                f"the samples"
            )


def space_words(space: ParameterSpace, *, data: bool = False) -> dict[str, Any]:
    """Return name → variable of any size, in declaration order.

    Args:
        space: parameters, or the data of one sample.
        data: whether they are data.

    Returns:
        The variables; a scalar is 1 × 1, a vector a column.
    """
    make = sample if data else matrix
    found = {}
    for name, shape in space.items:
        rows, cols = (*shape, 1, 1)[:2]
        found[name] = make(name, rows, cols)
    return found


def _shown(letter: Letter) -> str:
    kind = "symmetric " if letter.symmetric else ""
    return f"{kind}{letter.rows} x {letter.cols}" + (" data" if letter.data else "")
