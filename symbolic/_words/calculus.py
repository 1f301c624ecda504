"""Derivatives of matrix polynomials and substitution, at any size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from math import prod

from symbolic._errors import DeclarationError
from symbolic._words.letters import (
    Key,
    Letter,
    Number,
    Word,
    copies,
    recopied,
    transpose,
)
from symbolic._words.polynomial import (
    MatrixPolynomial,
    RawTerm,
    assemble,
    identity,
    shifted,
)


Assignment = Mapping[MatrixPolynomial, MatrixPolynomial]
MAX_CHOICES = 1_024  # of a term for each letter, before equal ones are merged
MAX_MULTIPLIED = 40_000  # letters, in one product
MAX_LETTERS = 400_000  # before equal terms are merged, in all
_Place = tuple[int, int]  # word (−1: the open one), position in it


def gradient(f: MatrixPolynomial, X: MatrixPolynomial) -> MatrixPolynomial:
    """Return ∂f/∂X of a scalar, with the shape of X.

    For a symmetric X it is the gradient among symmetric matrices.

    Args:
        f: a scalar polynomial.
        X: a variable.

    Returns:
        The gradient.

    Raises:
        DeclarationError: when f is not a scalar.

    >>> from symbolic import matrix
    >>> X, A = matrix("X", "n", "m"), matrix("A", "n", "n", symmetric=True)
    >>> gradient((X.T @ A @ X).tr(), X) == 2 * A @ X
    True
    """
    check_scalar(f)
    letter = X.letter
    result = assemble(X.rows, X.cols, _partials(f, letter))
    return (result + result.T) * Fraction(1, 2) if letter.symmetric else result


def _partials(f: MatrixPolynomial, X: Letter) -> Iterator[RawTerm]:
    for (powers, traced, _), c in f.terms.items():
        for k, word in enumerate(traced):
            for i, letter in enumerate(word):
                if letter.name == X.name:
                    rest = word[i + 1 :] + word[:i]
                    found = rest if letter.transposed else transpose(rest)
                    yield c, powers, traced[:k] + traced[k + 1 :], found


def differential(f: MatrixPolynomial, direction: Assignment) -> MatrixPolynomial:
    """Return Df[G] = d/dε f(X + εG) at ε = 0, for all variables given at once.

    Args:
        f: a polynomial of any shape.
        direction: variable → G, of its shape.

    Returns:
        The differential, of the shape of f.

    >>> from symbolic import matrix
    >>> X, G = matrix("X", "n", "m"), matrix("G", "n", "m")
    >>> differential(X.T @ X, {X: G}) == X.T @ G + G.T @ X
    True
    """
    table = _table(direction)
    return assemble(f.rows, f.cols, _replaced(f, table, 1))


def second_differential(
    f: MatrixPolynomial, direction: Assignment
) -> tuple[MatrixPolynomial, MatrixPolynomial]:
    """Return D²f[G, G] for a per-sample G, averaged, and D²f[EG, EG].

    Their difference is Tr[Σ∇²f] with Σ the centred covariance of G.

    Args:
        f: a polynomial of any shape, free of data.
        direction: variable → G, a polynomial in the sample at hand.

    Returns:
        E D²f[G, G] and D²f[EG, EG].

    Raises:
        DeclarationError: when f has a letter of the sample at hand.
    """
    check_free_of_data(f)
    per_sample = assemble(f.rows, f.cols, _replaced(f, _table(direction), 2))
    averaged = {X: G.mean() for X, G in direction.items()}
    of_mean = assemble(f.rows, f.cols, _replaced(f, _table(averaged), 2))
    return per_sample.mean() * 2, of_mean * 2


def substitute(f: MatrixPolynomial, values: Assignment) -> MatrixPolynomial:
    """Return f with every occurrence of the variables replaced.

    A data variable is replaced sample by sample: r ↦ UWx − y in each copy. Terms of
    high degree are multiplied out factor by factor, so that equal terms meet early.

    Args:
        f: a polynomial of any shape.
        values: variable → polynomial of its shape.

    Returns:
        The polynomial after substitution.

    Raises:
        DeclarationError: where multiplying out takes too many terms.

    >>> from symbolic import matrix
    >>> U, R = matrix("U", "m", "d"), matrix("R", "d", "d")
    >>> substitute(U @ U.T, {U: U @ R}) == U @ R @ R.T @ U.T
    True
    """
    table = _table(values)
    many = {k: c for k, c in f.terms.items() if _choices(k, table) > MAX_CHOICES}
    few = {k: c for k, c in f.terms.items() if k not in many}
    letters = sum(_choices(k, table) * sum(map(len, (*k[1], k[2]))) for k in few)
    if letters > MAX_LETTERS:
        raise DeclarationError(
            f"expected at most {MAX_LETTERS} matrices to multiply out, got {letters}"
        )
    rest = MatrixPolynomial(f.rows, f.cols, few)
    total = assemble(f.rows, f.cols, _replaced(rest, table, None))
    for key, c in many.items():
        total += _multiplied(MatrixPolynomial(f.rows, f.cols, {key: c}), table)
    return total


def _choices(key: Key, table: Mapping[str, MatrixPolynomial]) -> int:
    """Return the number of ways to choose a term for each letter."""
    words = (*key[1], key[2])
    return prod(len(table[a.name].terms) for w in words for a in w if a.name in table)


def _multiplied(
    f: MatrixPolynomial, table: Mapping[str, MatrixPolynomial]
) -> MatrixPolynomial:
    """Return one term with its letters replaced, factor by factor.

    Raises:
        DeclarationError: for a term with averaged samples, whose factors cannot be
            taken apart, and where a product has too many terms.
    """
    (((powers, traced, word), c),) = f.terms.items()
    if copies([*traced, word]):
        raise DeclarationError(
            f"expected at most {MAX_CHOICES} terms of a mean to multiply out"
        )
    total = MatrixPolynomial("1", "1", {(powers, (), ()): c})
    for w, n in Counter(traced).items():
        factor = _word_value(w, table).tr()
        for _ in range(n):
            total = _bounded(total, factor) * factor
    last = _word_value(word, table) if word else identity(f.rows)
    return _bounded(total, last) * last


def _word_value(word: Word, table: Mapping[str, MatrixPolynomial]) -> MatrixPolynomial:
    total: MatrixPolynomial | None = None
    for a in word:
        value = table.get(a.name)
        if value is None:
            value = assemble(a.rows, a.cols, [(1, (), (), (a,))])
        elif a.transposed:
            value = value.T
        total = value if total is None else _bounded(total, value) @ value
    assert total is not None  # a word has a letter
    return total


def _bounded(left: MatrixPolynomial, right: MatrixPolynomial) -> MatrixPolynomial:
    """Return the left factor of a product that is not too long.

    Raises:
        DeclarationError: where it is.
    """
    longest = max((sum(map(len, (*ws, w))) for _, ws, w in left.terms), default=0)
    if len(left.terms) * len(right.terms) * (longest + 1) > MAX_MULTIPLIED:
        raise DeclarationError(
            f"expected a polynomial of lower degree: one term multiplied out has more "
            f"than {len(left.terms)} terms of {longest} matrices"
        )
    return left


def _table(values: Assignment) -> dict[str, MatrixPolynomial]:
    table = {}
    for X, value in values.items():
        letter = X.letter
        if (value.rows, value.cols) != (letter.rows, letter.cols):
            raise DeclarationError(
                f"expected {letter.rows} x {letter.cols} for {letter.name}, got "
                f"{value.rows} x {value.cols}"
            )
        if letter.symmetric and value != value.T:
            raise DeclarationError(
                f"expected a symmetric matrix for {letter.name}, which is symmetric"
            )
        table[letter.name] = value
    return table


def _replaced(
    f: MatrixPolynomial, table: dict[str, MatrixPolynomial], count: int | None
) -> Iterator[RawTerm]:
    """Yield f with `count` occurrences replaced in every way; None for all at once."""
    for (powers, traced, word), c in f.terms.items():
        words = (*traced, word)
        places = [
            (k, i)
            for k, w in enumerate(words)
            for i, letter in enumerate(w)
            if letter.name in table
        ]
        if count is None:
            chosen = [tuple(places)]
        elif count == 1:
            chosen = [(place,) for place in places]
        else:
            chosen = [(p, q) for n, p in enumerate(places) for q in places[n + 1 :]]
        for some in chosen:
            yield from _inserted((powers, traced, word), c, some, table)


def _inserted(
    key: Key, c: Number, places: tuple[_Place, ...], table: dict[str, MatrixPolynomial]
) -> Iterator[RawTerm]:
    """Yield the terms of one monomial with the letters at `places` replaced."""
    powers, traced, word = key
    words = (*traced, word)
    options = [list(table[words[k][i].name].terms.items()) for k, i in places]
    for choice in product(*options):
        taken = (copies(words) or [0])[-1]
        inserted: dict[_Place, Word] = {}
        coefficient, more, scalars = c, list(powers), list[Word]()
        for (k, i), ((p, ws, w), b) in zip(places, choice, strict=True):
            letter = words[k][i]
            new_traced, new = shifted(ws, w, taken)
            taken = max([taken, *copies([*new_traced, new])])
            names = {0: letter.copy}
            new = recopied(new, names)
            inserted[k, i] = transpose(new) if letter.transposed else new
            scalars += [recopied(each, names) for each in new_traced]
            coefficient *= b
            more += p
        rebuilt = [_spliced(w, k, inserted) for k, w in enumerate(words)]
        sizes = [(w[0].rows, new) for w, new in zip(traced, rebuilt[:-1], strict=True)]
        emptied = [rows for rows, new in sizes if not new]
        for rows in emptied:  # the trace of an identity matrix
            coefficient, more = with_size(coefficient, more, rows)
        kept = [new for _, new in sizes if new]
        yield coefficient, more, (*kept, *scalars), rebuilt[-1]


def _spliced(word: Word, k: int, inserted: dict[_Place, Word]) -> Word:
    return tuple(
        letter for i, old in enumerate(word) for letter in inserted.get((k, i), (old,))
    )


def with_size(
    c: Number, powers: list[tuple[str, int]], size: str
) -> tuple[Number, list[tuple[str, int]]]:
    """Return coefficient and powers times the trace of an identity matrix."""
    if size.isdigit():
        return c * int(size), powers
    return c, [*powers, (size, 1)]


def check_free_of_data(f: MatrixPolynomial) -> None:
    """Refuse a polynomial in the sample at hand.

    Raises:
        DeclarationError: where it has a letter of it.
    """
    for _, traced, word in f.terms:
        for letter in (a for w in (*traced, word) for a in w):
            if letter.data and not letter.copy:
                raise DeclarationError(
                    f"expected a function of the parameters, got the data "
                    f"{letter.name} in it; average it with mean()"
                )


def check_scalar(f: MatrixPolynomial) -> None:
    """Refuse what is not 1 × 1.

    Raises:
        DeclarationError: for any other shape.
    """
    if not f.is_scalar:
        raise DeclarationError(f"expected a scalar, got {f.rows} x {f.cols}")
