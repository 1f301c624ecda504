"""Matrix polynomials as LaTeX, the way a theorist writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from symbolic._words import (
    Key,
    Letter,
    MatrixPolynomial,
    Number,
    Powers,
    Word,
    copies,
    rotations,
    transpose,
)


_GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"),
        *("iota", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau"),
        *("upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta"),
        *("Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
    )
)
_ONE = "1"


class _Item(NamedTuple):
    """A factor in which averaged samples meet, the sizes 1 inside joined again."""

    word: Word
    kind: str  # "open", "scalar" for a word that is 1 x 1, or "trace"


class _Text(NamedTuple):
    """LaTeX of a scalar, and whether it is a norm, letter, mean, trace or word."""

    latex: str
    kind: str


Primes = Mapping[int, int]


def latex(f: MatrixPolynomial) -> str:
    r"""Return the polynomial as LaTeX, without dollar signs.

    Args:
        f: the polynomial.

    Returns:
        LaTeX; a mean is as short as it can be, and samples that cannot be averaged one
        by one have primes. A subscript names what is averaged where the sample at hand
        stands inside.

    >>> from symbolic import matrix, sample
    >>> U, x = matrix("U", "m", "d"), sample("x", "d")
    >>> print(latex((x.T @ U.T @ U @ x).mean()))
    \mathbb{E}\left[x^\top U^\top U x\right]
    """
    terms = sorted(f.terms.items(), key=lambda item: (len(item[0][1]), item[0]))
    if any(c > 0 for _, c in terms):  # no minus sign to begin with, if possible
        terms.insert(0, terms.pop([c > 0 for _, c in terms].index(True)))
    text = ""
    for key, c in terms:
        sign = "-" if c < 0 else "+"
        text += f" {sign} " if text else sign.strip("+")
        text += _monomial(key, c if c > 0 else -c, f.rows)
    return text or "0"


def name_latex(name: str) -> str:
    r"""Return a name as LaTeX: `d_x` → d_{x}, `sigma2` → \sigma^2."""
    return _power(name, 1)


def _power(name: str, power: int) -> str:
    head, _, tail = name.partition("_")
    if head.endswith("2") and head[:-1] in _GREEK:
        head, power = head[:-1], 2 * power
    if head in _GREEK:
        head = f"\\{head}"
    elif len(head) > 1 and head.isalpha() and head.isascii():
        head = rf"\mathrm{{{head}}}"
    index = f"_{{{name_latex(tail)}}}" if tail else ""
    squared = "^2" if power == 2 and name.startswith(head.strip("\\") + "2") else ""
    return head + index + (squared or (f"^{{{power}}}" if power != 1 else ""))


def _monomial(key: Key, c: Number, rows: str) -> str:
    powers, traced, word = key
    parts = _factors(traced, word)
    if not word and rows != _ONE:
        parts.append("I")
    weight = _weight(c, powers)
    return r"\,".join([*weight, *parts]) or "1"


def _weight(c: Number, powers: Powers) -> list[str]:
    """Return number and scalar symbols; negative powers as a fraction."""
    above = [_power(name, p) for name, p in powers if p > 0]
    below = [_power(name, -p) for name, p in powers if p < 0]
    if not below:
        if c == 1:
            return above
        whole = c.denominator == 1
        return [str(c) if whole else _fraction([str(c.numerator)], c), *above]
    top = [str(c.numerator)] if c.numerator != 1 else []
    return [_fraction(top + above, c, below)]


def _fraction(above: list[str], c: Number, below: Iterable[str] = ()) -> str:
    under = [str(c.denominator)] if c.denominator != 1 else []
    both = r"\,".join(above) or "1", r"\,".join([*under, *below])
    return rf"\frac{{{both[0]}}}{{{both[1]}}}"


def _factors(traced: tuple[Word, ...], word: Word) -> list[str]:
    """Return the scalar factors, then the open word, means around each."""
    scalars = [_scalar(w) for w in traced if not copies([w])]
    own: dict[int, list[Word]] = {}
    shared = []
    for w in traced:
        samples = {a.copy for a in w if a.data}
        if len(samples) > 1 or (any(samples) and _ends(w) == 1):
            shared.append(w)
        elif any(samples):
            own.setdefault(samples.pop(), []).append(w)
    items = _linked(shared, word)
    met = copies(item.word for item in items)
    scalars += [_mean(_joined(map(_scalar, own[k]))) for k in own if k not in met]
    last = ""
    for group in _groups(items):
        made, closing = _group(group, own)
        scalars += made
        last += closing
    return [_joined(scalars, last)] if scalars or last else []


def _joined(scalars: Iterable[_Text], last: str = "") -> str:
    """Return a product of scalars and an open word, equal scalars as a power."""
    counts = Counter(scalars)
    alone = len(counts) == 1 and not last
    made = [_repeated(text, n, alone=alone) for text, n in counts.items()]
    return r"\,".join([*made, *([last] if last else [])])


def _repeated(text: _Text, n: int, *, alone: bool) -> str:
    if text.kind == "norm":
        return text.latex + (f"^{{{2 * n}}}" if n > 1 else "^2")
    enclosed = text.kind == "word" and not (alone and n == 1)
    enclosed = enclosed or (text.kind == "trace" and n > 1)
    body = rf"\left({text.latex}\right)" if enclosed else text.latex
    return body + (f"^{{{n}}}" if n > 1 else "")


def _linked(shared: list[Word], word: Word) -> list[_Item]:
    """Join words at sizes 1 so that the letters of a sample stand side by side."""
    items = [_Item(_turned(w), "trace") for w in shared if w[0].rows != _ONE]
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
        items.append(_Item(_turned(chain), "trace") if ring else _Item(chain, "scalar"))
    return [*items, _Item(whole, "open")] if whole else items


def _halves(word: Word) -> tuple[Word, Word]:
    """Cut an open word where a size is 1, on its left side too."""
    cuts = [i for i, letter in enumerate(word) if letter.rows == _ONE]
    return (word[: cuts[0]], word[cuts[0] :]) if cuts else (word, ())


def _end(word: Word) -> int:
    """Return the averaged sample of a last letter with one column; else 0."""
    return word[-1].copy if word and word[-1].cols == _ONE else 0


def _ends(word: Word) -> int:
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
    return min(rotations(word), key=lambda w: (len(_torn(w)), _runs(w)))


def _runs(word: Word) -> int:
    return sum(1 for _ in groupby(word, key=_sample_of))


def _torn(word: Word) -> set[int]:
    """Return the averaged samples with letters of another between their own."""
    torn = set()
    for k in copies([word]):
        first, last = _span(word, k)
        if any(a.data and a.copy != k for a in word[first:last]):
            torn.add(k)
    return torn


def _span(word: Word, k: int) -> tuple[int, int]:
    at = [i for i, a in enumerate(word) if a.data and a.copy == k]
    return at[0], at[-1] + 1


def _sample_of(letter: Letter) -> int:
    return letter.copy if letter.data else -1


def _groups(items: list[_Item]) -> list[list[_Item]]:
    """Put the items together that one expectation has to hold."""
    groups: list[list[_Item]] = []
    for item in items:
        mine = set(copies([item.word]))
        linked = [g for g in groups if mine & set(copies(i.word for i in g))]
        merged = [i for g in linked for i in g] + [item]
        groups = [g for g in groups if g not in linked] + [merged]
    return groups


def _group(
    group: list[_Item], own: Mapping[int, list[Word]]
) -> tuple[list[_Text], str]:
    """Return the scalars and the open word of a group, with the samples' own scalars.

    Alone, without torn samples, an item has a mean around each sample's letters. Else
    one mean is around all, and the samples have primes.
    """
    word, kind = group[0]
    if len(group) == 1 and not _torn(word):
        text = _averaged(word, own)
        if kind == "open":
            return [], text
        return [_traced(text) if kind == "trace" else _Text(text, "word")], ""
    words = [item.word for item in group]
    at_hand = any(a.data and not a.copy for w in words for a in w)
    primes = {k: i + at_hand for i, k in enumerate(copies(words))}
    scalars = [_scalar(w, primes) for k in primes for w in own.get(k, [])]
    last = ""
    for word, kind in group:
        if kind == "open":
            last = _product(word, primes)
        elif kind == "trace":
            scalars.append(_traced(_product(word, primes)))
        else:
            scalars.append(_scalar(word, primes))
    bound = {_bare(a, primes): 0 for w in words for a in w if a.data and a.copy}
    mean = _mean(_joined(scalars, last), ", ".join(sorted(bound)) if at_hand else "")
    return ([], mean.latex) if last else ([mean], "")


def _averaged(word: Word, own: Mapping[int, list[Word]]) -> str:
    """Return a word with a mean around the letters of each averaged sample."""
    pieces, start = [], 0
    spans = sorted((*_span(word, k), k) for k in copies([word]))
    for first, last, k in spans:
        pieces.append(_product(word[start:first]))
        inside = _joined(map(_scalar, own.get(k, [])), _product(word[first:last]))
        pieces.append(_mean(inside).latex)
        start = last
    return " ".join(filter(None, [*pieces, _product(word[start:])]))


def _scalar(word: Word, primes: Primes | None = None) -> _Text:
    """Return a traced word that is no mean or inside one, its samples with primes."""
    primes = primes or {}
    if word[0].rows != _ONE:
        return _traced(_product(word, primes))
    if len(word) == 2 and transpose(word[:1]) == word[1:]:
        return _Text(rf"\|{_bare(word[1], primes)}\|", "norm")
    return _Text(_product(word, primes), "word" if len(word) > 1 else "letter")


def _traced(text: str) -> _Text:
    return _Text(rf"\mathrm{{Tr}}\left[{text}\right]", "trace")


def _mean(text: str, bound: str = "") -> _Text:
    index = f"_{{{bound}}}" if bound else ""
    return _Text(rf"\mathbb{{E}}{index}\left[{text}\right]", "mean")


def _product(word: Word, primes: Primes | None = None) -> str:
    pieces = []
    for letter, run in groupby(word):
        n = len(list(run))
        text = _bare(letter, primes or {})
        if letter.transposed:
            pieces += [rf"{text}^\top"] * n
        else:
            pieces.append(text + (f"^{{{n}}}" if n > 1 else ""))
    return " ".join(pieces)


def _bare(letter: Letter, primes: Primes) -> str:
    return name_latex(letter.name) + "'" * primes.get(letter.copy, 0)
