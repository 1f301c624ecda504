"""Joining the factors of a term where its averaged samples meet.

Words are split where a size is 1; to be read, what one mean has to hold stands together
again.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import NamedTuple

from symbolic._words.letters import Letter, Word, copies, rotations, transpose


_ONE = "1"


class Item(NamedTuple):
    """A factor in which averaged samples meet, the sizes 1 inside joined again."""

    word: Word
    kind: str  # "open", "scalar" for a word that is 1 x 1, or "trace"


def linked(shared: list[Word], word: Word) -> list[Item]:
    """Join words at sizes 1 so that the letters of a sample stand side by side."""
    items = [Item(_turned(w), "trace") for w in shared if w[0].rows != _ONE]
    strips = [w for w in shared if w[0].rows == _ONE]
    left, right = _halves(word)
    pieces = [*strips, *map(transpose, strips), left, transpose(right)]
    ends = Counter(map(_end, pieces))
    links = {k for k, count in ends.items() if k and count == 2}
    whole = _extended(left, strips, links)
    whole += transpose(_extended(transpose(right), strips, links))
    strips.sort(key=lambda w: {_end(w), _end(transpose(w))} <= links)
    while strips:
        start = strips.pop(0)
        start = transpose(start) if _end(transpose(start)) in links else start
        chain = _extended(start, strips, links)
        ring = _end(chain) == _end(transpose(chain)) in links
        items.append(Item(_turned(chain), "trace") if ring else Item(chain, "scalar"))
    return [*items, Item(whole, "open")] if whole else items


def _halves(word: Word) -> tuple[Word, Word]:
    """Cut an open word where a size is 1, on its left side too."""
    cuts = [i for i, letter in enumerate(word) if letter.rows == _ONE]
    return (word[: cuts[0]], word[cuts[0] :]) if cuts else (word, ())


def _end(word: Word) -> int:
    """Return the averaged sample of a last letter with one column; else 0."""
    return word[-1].copy if word and word[-1].cols == _ONE else 0


def ends(word: Word) -> int:
    return sum(1 for w in (word, transpose(word)) if _end(w))


def _extended(word: Word, strips: list[Word], links: set[int]) -> Word:
    """Join the strips that go on with the sample the word ends with; use them up."""
    while (k := _end(word)) in links:
        found = [w for w in strips if k in {_end(w), _end(transpose(w))}]
        if not found:
            break
        strips.remove(found[0])
        word += transpose(found[0]) if _end(found[0]) == k else found[0]
    return word


def _turned(word: Word) -> Word:
    """Return the cyclic shift in which the fewest samples are torn apart."""
    return min(rotations(word), key=lambda w: (len(torn(w)), _runs(w)))


def _runs(word: Word) -> int:
    return sum(1 for _ in groupby(word, key=_sample_of))


def torn(word: Word) -> set[int]:
    """Return the averaged samples with letters of another between their own."""
    torn = set()
    for k in copies([word]):
        first, last = span(word, k)
        if any(a.data and a.copy != k for a in word[first:last]):
            torn.add(k)
    return torn


def span(word: Word, k: int) -> tuple[int, int]:
    at = [i for i, a in enumerate(word) if a.data and a.copy == k]
    return at[0], at[-1] + 1


def _sample_of(letter: Letter) -> int:
    return letter.copy if letter.data else -1


def groups(items: list[Item]) -> list[list[Item]]:
    """Put the items together that one expectation has to hold."""
    groups: list[list[Item]] = []
    for item in items:
        mine = set(copies([item.word]))
        linked = [g for g in groups if mine & set(copies(i.word for i in g))]
        merged = [i for g in linked for i in g] + [item]
        groups = [g for g in groups if g not in linked] + [merged]
    return groups
