"""Rewriting of products inside words, such as FFᵀ → I."""

from __future__ import annotations

from collections.abc import Mapping

from symbolic._errors import DeclarationError
from symbolic._words import MatrixPolynomial, Word, assemble, rotations, transpose


_ONE = "1"
_MAX_REWRITES = 1000


def rewrite(
    f: MatrixPolynomial, rules: Mapping[MatrixPolynomial, MatrixPolynomial]
) -> MatrixPolynomial:
    """Return f with products replaced wherever they stand in a word.

    Args:
        f: a polynomial of any shape.
        rules: product of variables, such as FFᵀ → what it equals. The transposed rule
            is used too.

    Returns:
        The polynomial in which no left-hand side is left.

    Raises:
        DeclarationError: for a left-hand side that is not a product of at least two
            variables, for a rule that changes the shape, and for rules that go on for
            ever.

    >>> from symbolic import identity, matrix
    >>> F, S = matrix("F", "r", "d"), matrix("S", "r", "r", symmetric=True)
    >>> rewrite(S @ F @ F.T @ S, {F @ F.T: identity("r")}) == S @ S
    True
    """
    table: dict[Word, MatrixPolynomial] = {}
    for left, right in rules.items():
        word = _product_word(left, right)
        table |= {word: right, transpose(word): right.T}
    for _ in range(_MAX_REWRITES):
        found = _one_rewrite(f, table)
        if found is None:
            return f
        f = found
    raise DeclarationError(
        f"expected rules that come to an end, got more than {_MAX_REWRITES} rewrites"
    )


def _product_word(left: MatrixPolynomial, right: MatrixPolynomial) -> Word:
    keys = list(left.terms)
    word = keys[0][2] if len(keys) == 1 else ()
    if len(word) < 2 or keys[0][:2] != ((), ()) or left.terms[keys[0]] != 1:
        raise DeclarationError("expected a product of variables on the left of a rule")
    if (left.rows, left.cols) != (right.rows, right.cols):
        raise DeclarationError(
            f"expected a rule to keep the shape {left.rows} x {left.cols}, got "
            f"{right.rows} x {right.cols}"
        )
    return word


def _one_rewrite(
    f: MatrixPolynomial, table: dict[Word, MatrixPolynomial]
) -> MatrixPolynomial | None:
    """Return f with one product replaced, or None where there is none."""
    for key, c in f.terms.items():
        powers, traced, word = key
        for k, each in enumerate((*traced, word)):
            cyclic = k < len(traced) and each[0].rows != _ONE
            match = _match(each, table, cyclic=cyclic)
            if match is None:
                continue
            before, after, right = match
            rest = MatrixPolynomial(
                f.rows, f.cols, {q: b for q, b in f.terms.items() if q != key}
            )
            if k == len(traced):
                new = [
                    (c * b, (*powers, *p), (*traced, *ws), before + w + after)
                    for (p, ws, w), b in right.terms.items()
                ]
                return rest + assemble(f.rows, f.cols, new)
            inside = MatrixPolynomial(right.rows, right.cols, right.terms) @ _as_matrix(
                after + before, right
            )
            others = traced[:k] + traced[k + 1 :]
            new = [
                (c * b, (*powers, *p), (*others, *ws), word)
                for (p, ws, _), b in inside.tr().terms.items()
            ]
            return rest + assemble(f.rows, f.cols, new)
    return None


def _as_matrix(word: Word, beside: MatrixPolynomial) -> MatrixPolynomial:
    return assemble(beside.cols, beside.rows, [(1, (), (), word)])


def _match(
    word: Word, table: dict[Word, MatrixPolynomial], *, cyclic: bool
) -> tuple[Word, Word, MatrixPolynomial] | None:
    """Return what stands before and after a left-hand side, and its replacement."""
    turns = rotations(word) if cyclic else iter((word,))
    for turned in turns:
        for left, right in table.items():
            for i in range(len(turned) - len(left) + 1):
                if turned[i : i + len(left)] == left:
                    return turned[:i], turned[i + len(left) :], right
    return None
