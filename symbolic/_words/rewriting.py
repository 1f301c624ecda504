"""Rewriting of products inside words, such as FFᵀ → I."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from symbolic._errors import DeclarationError
from symbolic._words.calculus import with_size
from symbolic._words.letters import (
    Key,
    Number,
    Word,
    copies,
    recopied,
    rotations,
    transpose,
)
from symbolic._words.polynomial import MatrixPolynomial, RawTerm, assemble, shifted


_ONE = "1"
_MAX_REWRITES = 100  # of one term


class _Match(NamedTuple):
    """What stands around a left-hand side, its replacement, and whose data it has."""

    before: Word
    after: Word
    right: MatrixPolynomial
    copy: int


def rewrite(
    f: MatrixPolynomial, rules: Mapping[MatrixPolynomial, MatrixPolynomial]
) -> MatrixPolynomial:
    """Return f with products replaced wherever they stand in a word.

    Args:
        f: a polynomial of any shape.
        rules: product of variables, such as FFᵀ → what it equals. The transposed rule
            is used too. A rule in data holds sample by sample.

    Returns:
        The polynomial in which no left-hand side is left.

    Raises:
        DeclarationError: for a left-hand side that is not a product of at least two
            variables, or has a mean or a size 1 inside, for a rule that changes the
            shape, and for rules that go on for ever.

    >>> from symbolic import identity, matrix
    >>> F, S = matrix("F", "r", "d"), matrix("S", "r", "r", symmetric=True)
    >>> rewrite(S @ F @ F.T @ S, {F @ F.T: identity("r")}) == S @ S
    True
    """
    table: dict[Word, MatrixPolynomial] = {}
    for left, right in rules.items():
        word = _product_word(left, right)
        table |= {word: right, transpose(word): right.T}
    done: list[RawTerm] = []
    waiting = [(key, c, 0) for key, c in f.terms.items()]
    while waiting:
        key, c, count = waiting.pop()
        found = _one_rewrite(f, key, c, table)
        if found is None:
            done.append((c, *key))
        elif count == _MAX_REWRITES:
            raise DeclarationError(
                f"expected rules that come to an end, got more than {_MAX_REWRITES} "
                f"rewrites of one term"
            )
        else:
            waiting += [(new, b, count + 1) for new, b in found.terms.items()]
    return assemble(f.rows, f.cols, done)


def _product_word(left: MatrixPolynomial, right: MatrixPolynomial) -> Word:
    keys = list(left.terms)
    word = keys[0][2] if len(keys) == 1 else ()
    if len(word) < 2 or keys[0][:2] != ((), ()) or left.terms[keys[0]] != 1:
        raise DeclarationError(
            f"expected a product of variables on the left of a rule, got a {left.rows} "
            f"x {left.cols} polynomial of {len(keys)} terms"
        )
    names = " ".join(letter.name for letter in word)
    if copies([word]):
        raise DeclarationError(
            f"expected no mean on the left of a rule, got that of {names}; "
            f"second_moment() replaces it"
        )
    if any(letter.rows == _ONE for letter in word[1:]):
        raise DeclarationError(
            f"expected a product without a size 1 inside on the left of a rule, got "
            f"{names}: it need not stand together in a word"
        )
    if (left.rows, left.cols) != (right.rows, right.cols):
        raise DeclarationError(
            f"expected a rule to keep the shape {left.rows} x {left.cols}, got "
            f"{right.rows} x {right.cols}"
        )
    return word


def _one_rewrite(
    f: MatrixPolynomial, key: Key, c: Number, table: Mapping[Word, MatrixPolynomial]
) -> MatrixPolynomial | None:
    """Return one term with one product replaced, or None where there is none."""
    _, traced, word = key
    for k, each in enumerate((*traced, word)):
        cyclic = k < len(traced) and each[0].rows != _ONE
        match = _match(each, table, cyclic=cyclic)
        if match is not None:
            terms = [
                _replaced(key, c * b, k, match, new)
                for new, b in match.right.terms.items()
            ]
            return assemble(f.rows, f.cols, terms)
    return None


def _replaced(key: Key, c: Number, k: int, match: _Match, new: Key) -> RawTerm:
    """Return a term with what was matched in its k-th word replaced by `new`."""
    powers, traced, word = key
    taken = (copies([*traced, word]) or [0])[-1]
    scalars, middle = shifted(new[1], new[2], taken)
    own = {0: match.copy}
    made = match.before + recopied(middle, own) + match.after
    words = [recopied(w, own) for w in scalars]
    more = [*powers, *new[0]]
    if k == len(traced):
        return c, more, (*traced, *words), made
    others = traced[:k] + traced[k + 1 :]
    if not made:  # the trace of an identity matrix
        c, more = with_size(c, more, match.right.rows)
    return c, more, (*others, *words, *([made] if made else [])), word


def _match(
    word: Word, table: Mapping[Word, MatrixPolynomial], *, cyclic: bool
) -> _Match | None:
    """Return where a left-hand side stands in a word, and its replacement."""
    for turned in rotations(word) if cyclic else iter((word,)):
        for left, right in table.items():
            for i in range(len(turned) - len(left) + 1):
                part, after = turned[i : i + len(left)], turned[i + len(left) :]
                copy = max(letter.copy for letter in part)
                if recopied(left, {0: copy}) == part:
                    return _Match(turned[:i], after, right, copy)
    return None
