"""Laplacians and moments of matrix polynomials: contractions of pairs of letters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from symbolic._errors import DeclarationError
from symbolic._words.calculus import check_scalar, gradient, with_size
from symbolic._words.letters import Key, Letter, Number, Word, transpose
from symbolic._words.polynomial import (
    MatrixPolynomial,
    RawTerm,
    assemble,
    dot,
    matrix,
    zero,
)


_ONE = "1"
_Place = tuple[int, int]  # word, position in it


def laplacian(f: MatrixPolynomial, X: MatrixPolynomial) -> MatrixPolynomial:
    """Return Σ_ij ∂²f/∂X_ij², the trace of the Hessian in X.

    Args:
        f: a scalar polynomial.
        X: a variable that is not symmetric.

    Returns:
        The Laplacian, a scalar.

    Raises:
        DeclarationError: for a symmetric X, whose entries are not free.

    >>> from symbolic import norm2, scalar
    >>> X = matrix("X", "n", "m")
    >>> laplacian(norm2(X), X) == 2 * scalar("n") * scalar("m")
    True
    """
    check_scalar(f)
    letter = X.letter
    if letter.symmetric:
        raise DeclarationError(
            f"expected a {letter.name} with free entries, got a symmetric one"
        )
    return assemble(_ONE, _ONE, _second_partials(f, letter))


def _second_partials(f: MatrixPolynomial, X: Letter) -> Iterator[RawTerm]:
    for (powers, traced, _), c in f.terms.items():
        places = _places(traced, X.name, None)
        for p, q in permutations(places, 2):
            yield _contracted(c, powers, traced, p, q, (), ())


def gaussian_mean(
    f: MatrixPolynomial,
    X: MatrixPolynomial,
    row: MatrixPolynomial | None = None,
    col: MatrixPolynomial | None = None,
    *,
    scale: MatrixPolynomial | None = None,
) -> MatrixPolynomial:
    """Return the mean over a centred Gaussian X, by Wick's (Isserlis') theorem.

    E[X_ij X_kl] = scale · row_ik col_jl. Where X is data, every averaged sample has an
    X of its own, independent of the others, and X must be independent of the other
    data letters in f.

    Args:
        f: a polynomial of any shape.
        X: the variable averaged over.
        row: symmetric variable, covariance of the rows; the identity where None.
        col: symmetric variable, covariance of the columns; the identity where None.
        scale: scalar monomial; 1 where None.

    Returns:
        The mean, free of X.

    Raises:
        DeclarationError: for a symmetric X, for a covariance that is not symmetric or
            not of its size, and for a scale that is no scalar.

    >>> from symbolic import norm2, sample
    >>> x, S = sample("x", "n"), matrix("S", "n", "n", symmetric=True)
    >>> E4 = gaussian_mean((norm2(x) * norm2(x)).mean(), x, S)
    >>> E4 == S.tr() * S.tr() + 2 * (S @ S).tr()
    True
    """
    letter = X.letter
    if letter.symmetric:
        raise DeclarationError(
            f"expected a {letter.name} with free entries, got a symmetric one"
        )
    _check_covariance(row, letter.rows)
    _check_covariance(col, letter.cols)
    if scale is not None:
        check_scalar(scale)
    return _moments(f, X, row, col, scale, most=None)


def _check_covariance(M: MatrixPolynomial | None, size: str) -> None:
    if M is None:
        return
    letter = M.letter
    if not letter.symmetric or letter.rows != size:
        raise DeclarationError(
            f"expected a symmetric {size} x {size} covariance, got {letter.name}, "
            f"{letter.rows} x {letter.cols}, declared "
            f"{'' if letter.symmetric else 'not '}symmetric"
        )


def second_moment(
    f: MatrixPolynomial, x: MatrixPolynomial, Sigma: MatrixPolynomial
) -> MatrixPolynomial:
    """Return f with E[xxᵀ] = Sigma, for any law of x independent of the other data.

    Args:
        f: averaged over x at most twice in each sample, so that only its second moment
            enters; an x that stands alone has mean zero.
        x: a data vector.
        Sigma: symmetric variable.

    Returns:
        The polynomial, free of x.

    Raises:
        DeclarationError: where a higher moment of x enters, for an x that is not a
            vector of data, and for a Sigma that is not symmetric or not of its size.
    """
    letter = x.letter
    if not letter.data or letter.cols != _ONE:
        raise DeclarationError(
            f"expected a vector of data, got {letter.name}, {letter.rows} x "
            f"{letter.cols}; declare it with sample()"
        )
    _check_covariance(Sigma, letter.rows)
    return _moments(f, x, Sigma, None, None, most=2)


def _moments(
    f: MatrixPolynomial,
    X: MatrixPolynomial,
    row: MatrixPolynomial | None,
    col: MatrixPolynomial | None,
    scale: MatrixPolynomial | None,
    most: int | None,
) -> MatrixPolynomial:
    letter = X.letter
    R, C = (() if M is None else (M.letter,) for M in (row, col))
    if not f.is_scalar:  # close the open word with a letter, and open it again
        gap = matrix("_gap", f.rows, f.cols)
        inside = _moments(dot(gap, f), X, row, col, scale, most)
        return gradient(inside, gap)
    total = zero(_ONE, _ONE)
    for key, c in f.terms.items():
        total += _wick(key, c, letter.name, R, C, scale, most)
    return total


def _wick(
    key: Key,
    c: Number,
    name: str,
    R: Word,
    C: Word,
    scale: MatrixPolynomial | None,
    most: int | None,
) -> MatrixPolynomial:
    powers, traced, _ = key
    places = _places(traced, name, None)
    if not places:
        return MatrixPolynomial(_ONE, _ONE, {key: c})
    first = places[0]
    copy = traced[first[0]][first[1]].copy
    partners = _places(traced, name, copy)[1:]
    if most is not None and len(partners) + 1 > most:
        raise DeclarationError(
            f"expected at most {most} factors of {name} in a sample, got "
            f"{len(partners) + 1}: a moment of that order is not given"
        )
    total = zero(_ONE, _ONE)
    for second in partners:
        term = _contracted(c, powers, traced, first, second, R, C)
        once = assemble(_ONE, _ONE, [term])
        for inner, b in once.terms.items():
            rest = _wick(inner, b, name, R, C, scale, most)
            total += rest if scale is None else rest * scale
    return total


def _places(traced: tuple[Word, ...], name: str, copy: int | None) -> list[_Place]:
    return [
        (k, i)
        for k, word in enumerate(traced)
        for i, letter in enumerate(word)
        if letter.name == name and copy in {None, letter.copy}
    ]


def _contracted(
    c: Number,
    powers: tuple[tuple[str, int], ...],
    traced: tuple[Word, ...],
    p: _Place,
    q: _Place,
    R: Word,
    C: Word,
) -> RawTerm:
    """Replace X_ij at p and X_kl at q by R_ik C_jl.

    Around the first letter a word reads Tr[X P]; a transposed one is turned by
    Tr[XᵀP] = Tr[XPᵀ]. Then, with one word, Tr[X P X Q] → Tr[P R Qᵀ C] and
    Tr[X P Xᵀ Q] → Tr[PC] Tr[RQ]; with two, Tr[X P] Tr[X Q] → Tr[P R Qᵀ C].

    Returns:
        The term that is left.
    """
    k, m = p[0], q[0]
    first = _turned(traced[k], p[1])
    X = first[0]
    others = tuple(w for n, w in enumerate(traced) if n not in {k, m})
    if k != m:
        second = _turned(traced[m], q[1])
        new = [(first[1:] + R + transpose(second[1:]) + C, X.cols)]
    else:
        i = _position(traced[k], p[1], q[1])
        P, other, Q = first[1:i], first[i], first[i + 1 :]
        if other.transposed:
            new = [(P + C, X.cols), (R + Q, X.rows)]
        else:
            new = [(P + R + transpose(Q) + C, X.cols)]
    more = list(powers)
    for word, size in new:
        if not word:
            c, more = with_size(c, more, size)
    return c, more, (*others, *(word for word, _ in new if word)), ()


def _turned(word: Word, i: int) -> Word:
    """Return the cyclic word from its i-th letter on, that letter not transposed."""
    if word[i].transposed:
        word, i = transpose(word), len(word) - 1 - i
    return word[i:] + word[:i]


def _position(word: Word, i: int, j: int) -> int:
    """Return where the j-th letter stands in `_turned(word, i)`."""
    return (i - j if word[i].transposed else j - i) % len(word)
