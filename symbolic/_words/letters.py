"""Letters and words: products of matrices of named sizes, and their normal forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple


class Letter(NamedTuple):
    """One matrix of a word.

    Attributes:
        name: the variable's name.
        copy: 0 for the sample at hand (and for what is no data); k > 0 for the k-th
            independent sample that the term is averaged over.
        transposed: whether the letter stands for the transpose.
        rows: number of rows, after transposition, as a name or a numeral.
        cols: number of columns likewise.
        symmetric: whether it equals its transpose.
        data: whether it belongs to a sample.
    """

    name: str
    copy: int
    transposed: bool
    rows: str
    cols: str
    symmetric: bool
    data: bool


Word = tuple[Letter, ...]
Powers = tuple[tuple[str, int], ...]
Key = tuple[Powers, tuple[Word, ...], Word]
Number = int | Fraction
_ONE = "1"


@lru_cache(maxsize=65536)
def transpose(word: Word) -> Word:
    """Return the transposed word: reversed, each letter transposed."""
    return tuple(map(_transposed, reversed(word)))


@lru_cache(maxsize=4096)
def _transposed(a: Letter) -> Letter:
    if a.symmetric:
        return a
    return a._replace(transposed=not a.transposed, rows=a.cols, cols=a.rows)


def rotations(word: Word) -> Iterator[Word]:
    """Yield the cyclic shifts of a word."""
    return (word[i:] + word[:i] for i in range(len(word)))


@lru_cache(maxsize=65536)
def closed(word: Word) -> tuple[Word, ...]:
    """Return the canonical words whose traces multiply to the trace of `word`."""
    cuts = [i for i, letter in enumerate(word) if letter.rows == _ONE]
    if not cuts:
        both = (word, transpose(word))
        return (min(shift for each in both for shift in rotations(each)),)
    turned = word[cuts[0] :] + word[: cuts[0]]
    return tuple(min(part, transpose(part)) for part in _split(turned))


@lru_cache(maxsize=65536)
def opened(word: Word) -> tuple[tuple[Word, ...], Word]:
    """Return the scalars an open word contains, and what is left of it."""
    parts = _split(word)
    inner = [p for p in parts if p[0].rows == _ONE == p[-1].cols]
    rest = tuple(letter for p in parts if p not in inner for letter in p)
    return tuple(min(part, transpose(part)) for part in inner), rest


def _split(word: Word) -> list[Word]:
    """Cut a word before every letter with one row."""
    starts = [i for i, a in enumerate(word) if i and a.rows == _ONE]
    ends = [*starts, len(word)]
    return [word[i:j] for i, j in zip([0, *starts], ends, strict=True) if i < j]


def copies(words: Iterable[Word]) -> list[int]:
    """Return the averaged samples that occur, in increasing order."""
    return sorted({a.copy for word in words for a in word if a.copy})


def recopied(word: Word, names: Mapping[int, int]) -> Word:
    """Return the word with its samples renamed."""
    return tuple(
        _copied(a, names[a.copy]) if a.data and a.copy in names else a for a in word
    )


@lru_cache(maxsize=4096)
def _copied(a: Letter, copy: int) -> Letter:
    return a._replace(copy=copy)
