"""Drawn charges in words of matrices, and their values by plain products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from symbolic import MatrixPolynomial, identity, matrix, scalar, zero


SIZES = {"m": 3, "d": 2, "n": 4}
SHAPES = {
    "U": ("m", "d"),
    "W": ("d", "n"),
    "B": ("d", "d"),
    "v": ("d", "1"),
    "u": ("1", "1"),
}
LETTERS = {
    name: matrix(name, *shape, symmetric=name == "B") for name, shape in SHAPES.items()
}


@st.composite
def _closed(draw: st.DrawFn) -> MatrixPolynomial:
    """Draw the trace of a word: a closed walk over the sizes."""
    letters = [f for a in LETTERS.values() for f in ((a, a.T) if a != a.T else (a,))]
    word = draw(st.sampled_from(letters))
    for _ in range(draw(st.integers(0, 3))):
        word = word @ draw(st.sampled_from([a for a in letters if a.rows == word.cols]))
    if word.rows != word.cols:
        word = word @ word.T
    return word.tr()


@st.composite
def charges(draw: st.DrawFn) -> MatrixPolynomial:
    """Draw a sum of products of traces, with numbers and powers of a size."""
    total = zero(1, 1)
    for _ in range(draw(st.integers(1, 3))):
        term = identity(1) * draw(st.fractions(-2, 2, max_denominator=3))
        for _ in range(draw(st.integers(1, 2))):
            term = term * draw(_closed())
        total += term * (scalar("d") if draw(st.booleans()) else identity(1))
    return total


def plain(f: MatrixPolynomial, values: Mapping[str, Any]) -> tuple[Any, float]:
    """Return the value of a 1 × 1 polynomial letter by letter, and a bound on it.

    Works on numpy arrays and on torch tensors without leading axes; 1 × 1 letters are
    scalars. The bound has norms for letters, so no cancellation makes it small.
    """
    total, bound = 0.0, 1.0
    for (powers, traced, _), c in f.terms.items():
        term: Any = float(c)
        size = abs(term)
        for name, k in powers:
            term = term * values[name] ** k
            size *= abs(float(values[name])) ** k
        for word in traced:
            term = term * _trace(word, values)
            for letter in word:
                size *= _norm(values[letter.name])
        total = total + term
        bound += size
    return total, bound


def _norm(value: Any) -> float:
    array = value.detach() if hasattr(value, "detach") else value
    return float((array**2).sum() ** 0.5)


def _trace(word: Any, values: Mapping[str, Any]) -> Any:
    product: Any = None
    for letter in word:
        value = values[letter.name]
        if letter.rows == letter.cols == "1":
            return value  # a word of its own
        value = value.swapaxes(-1, -2) if letter.transposed else value
        product = value if product is None else product @ value
    return product.diagonal().sum()
