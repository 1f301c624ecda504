"""Matrix polynomials as text: `latex`, the way a theorist writes them.

`Notation` decides what stands inside which mean; a subclass says how that is written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from symbolic._words.joining import Item, ends, groups, linked, span, torn
from symbolic._words.letters import Letter, Number, Powers, Word, copies, transpose


if TYPE_CHECKING:
    from symbolic._words.polynomial import MatrixPolynomial


_GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"),
        *("iota", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau"),
        *("upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta"),
        *("Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
    )
)
_ONE = "1"


class Text(NamedTuple):
    """A scalar as text, and whether it is a norm, letter, mean, trace or word."""

    text: str
    kind: str


Primes = Mapping[int, int]


class Notation(ABC):
    """How a polynomial is written; a mean is as short as it can be."""

    def polynomial(self, f: MatrixPolynomial) -> str:
        """Return the polynomial as text."""
        terms = sorted(f.terms.items(), key=lambda item: (len(item[0][1]), item[0]))
        if any(c > 0 for _, c in terms):  # no minus sign to begin with, if possible
            terms.insert(0, terms.pop([c > 0 for _, c in terms].index(True)))
        text = ""
        for (powers, traced, word), c in terms:
            sign = "-" if c < 0 else "+"
            text += f" {sign} " if text else sign.strip("+")
            factors = self._factors(traced, word)
            if not word and f.rows != _ONE:
                factors.append(self.identity(f.rows))
            text += self.monomial(c if c > 0 else -c, powers, factors)
        return text or "0"

    @abstractmethod
    def monomial(self, c: Number, powers: Powers, factors: list[str]) -> str:
        """Return a positive number times scalar symbols times factors."""

    @abstractmethod
    def identity(self, size: str) -> str:
        """Return the identity matrix."""

    @abstractmethod
    def times(self, factors: Iterable[str]) -> str:
        """Return a product of scalars and at most one matrix, the last."""

    @abstractmethod
    def repeated(self, text: Text, n: int, *, alone: bool) -> str:
        """Return a scalar to the n-th power, as a factor or alone."""

    @abstractmethod
    def traced(self, text: str) -> Text:
        """Return a trace."""

    @abstractmethod
    def mean(self, text: str, bound: str = "") -> Text:
        """Return a mean, over the samples `bound` where they are named."""

    @abstractmethod
    def product(self, word: Word, primes: Primes) -> str:
        """Return a word."""

    @abstractmethod
    def chain(self, pieces: Iterable[str]) -> str:
        """Return words one after the other."""

    @abstractmethod
    def bare(self, letter: Letter, primes: Primes) -> str:
        """Return a letter without its transposition."""

    def turned(self, word: Word) -> Word:
        """Return the way round in which a traced word is written."""
        return word

    @abstractmethod
    def norm(self, word: Word, primes: Primes) -> Text | None:
        """Return a traced word as a squared norm, None where it is none."""

    def _factors(self, traced: tuple[Word, ...], word: Word) -> list[str]:
        """Return the scalar factors, then the open word, means around each."""
        scalars = [self._scalar(w) for w in traced if not copies([w])]
        own: dict[int, list[Word]] = {}
        shared = []
        for w in traced:
            samples = {a.copy for a in w if a.data}
            if len(samples) > 1 or (any(samples) and ends(w) == 1):
                shared.append(w)
            elif any(samples):
                own.setdefault(samples.pop(), []).append(w)
        items = linked(shared, word)
        met = copies(item.word for item in items)
        scalars += [
            self.mean(self._joined(map(self._scalar, own[k])))
            for k in own
            if k not in met
        ]
        last = []
        for group in groups(items):
            made, closing = self._group(group, own)
            scalars += made
            last += [closing] if closing else []
        whole = self.chain(last)
        return [self._joined(scalars, whole)] if scalars or whole else []

    def _joined(self, scalars: Iterable[Text], last: str = "") -> str:
        """Return a product of scalars and an open word, equal scalars as a power."""
        counts = Counter(scalars)
        alone = len(counts) == 1 and not last
        made = [self.repeated(text, n, alone=alone) for text, n in counts.items()]
        return self.times([*made, *([last] if last else [])])

    def _group(
        self, group: list[Item], own: Mapping[int, list[Word]]
    ) -> tuple[list[Text], str]:
        """Return scalars and open word of a group, with the samples' own scalars.

        Alone, without torn samples, an item has a mean around each sample's letters.
        Else one mean is around all, and the samples have primes.
        """
        word, kind = group[0]
        if len(group) == 1 and not torn(word):
            text = self._averaged(word, own)
            if kind == "open":
                return [], text
            return [self.traced(text) if kind == "trace" else Text(text, "word")], ""
        words = [item.word for item in group]
        at_hand = any(a.data and not a.copy for w in words for a in w)
        primes = {k: i + at_hand for i, k in enumerate(copies(words))}
        scalars = [self._scalar(w, primes) for k in primes for w in own.get(k, [])]
        last = ""
        for word, kind in group:
            if kind == "open":
                last = self.product(word, primes)
            elif kind == "trace":
                scalars.append(self.traced(self.product(word, primes)))
            else:
                scalars.append(self._scalar(word, primes))
        named = {self.bare(a, primes) for w in words for a in w if a.data and a.copy}
        bound = ", ".join(sorted(named)) if at_hand else ""
        mean = self.mean(self._joined(scalars, last), bound)
        return ([], mean.text) if last else ([mean], "")

    def _averaged(self, word: Word, own: Mapping[int, list[Word]]) -> str:
        """Return a word with a mean around the letters of each averaged sample."""
        pieces, start = [], 0
        spans = sorted((*span(word, k), k) for k in copies([word]))
        for first, last, k in spans:
            pieces.append(self.product(word[start:first], {}))
            scalars = map(self._scalar, own.get(k, []))
            inside = self._joined(scalars, self.product(word[first:last], {}))
            pieces.append(self.mean(inside).text)
            start = last
        return self.chain(filter(None, [*pieces, self.product(word[start:], {})]))

    def _scalar(self, word: Word, primes: Primes | None = None) -> Text:
        """Return a traced word that is no mean or inside one, with its primes."""
        primes = primes or {}
        norm = self.norm(word, primes)
        if norm is not None:
            return norm
        word = self.turned(word)
        if word[0].rows != _ONE:
            return self.traced(self.product(word, primes))
        kind = "word" if len(word) > 1 else "letter"
        return Text(self.product(word, primes), kind)


def latex(f: MatrixPolynomial, names: Mapping[str, str] | None = None) -> str:
    r"""Return the polynomial as LaTeX, without dollar signs.

    Args:
        f: the polynomial.
        names: name → LaTeX, for names that are not to be read as they are.

    Returns:
        LaTeX; a mean is as short as it can be, and samples that cannot be averaged one
        by one have primes. A subscript names what is averaged where the sample at hand
        stands inside.

    >>> from symbolic import matrix, sample
    >>> U, x = matrix("U", "m", "d"), sample("x", "d")
    >>> print(latex((x.T @ U.T @ U @ x).mean()))
    \mathbb{E}\left[x^\top U^\top U x\right]
    """
    return _Latex(names or {}).polynomial(f)


def name_latex(name: str) -> str:
    r"""Return a name as LaTeX: `d_x` → d_{x}, `sigma2` → \sigma^2."""
    return _power(name, 1)


class _Latex(Notation):
    """As a theorist writes."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def monomial(self, c: Number, powers: Powers, factors: list[str]) -> str:
        return r"\,".join([*self._weight(c, powers), *factors]) or "1"

    def identity(self, size: str) -> str:
        del size
        return "I"

    def times(self, factors: Iterable[str]) -> str:
        return r"\,".join(factors)

    def repeated(self, text: Text, n: int, *, alone: bool) -> str:
        if text.kind == "norm":
            return text.text + (f"^{{{2 * n}}}" if n > 1 else "^2")
        enclosed = text.kind == "word" and not (alone and n == 1)
        enclosed = enclosed or (text.kind == "trace" and n > 1)
        body = rf"\left({text.text}\right)" if enclosed else text.text
        return body + (f"^{{{n}}}" if n > 1 else "")

    def traced(self, text: str) -> Text:
        return Text(rf"\mathrm{{Tr}}\left[{text}\right]", "trace")

    def mean(self, text: str, bound: str = "") -> Text:
        index = f"_{{{bound}}}" if bound else ""
        return Text(rf"\mathbb{{E}}{index}\left[{text}\right]", "mean")

    def product(self, word: Word, primes: Primes) -> str:
        pieces = []
        for letter, run in groupby(word):
            n = len(list(run))
            text = self.bare(letter, primes)
            text = f"{{{text}}}" if "^" in text else text
            if letter.transposed:
                pieces += [rf"{text}^\top"] * n
            else:
                pieces.append(text + (f"^{{{n}}}" if n > 1 else ""))
        return " ".join(pieces)

    def chain(self, pieces: Iterable[str]) -> str:
        return " ".join(pieces)

    def bare(self, letter: Letter, primes: Primes) -> str:
        return self._raised(letter.name, 1) + "'" * primes.get(letter.copy, 0)

    def norm(self, word: Word, primes: Primes) -> Text | None:
        pair = word[0].rows == _ONE and len(word) == 2
        if pair and transpose(word[:1]) == word[1:]:
            return Text(rf"\|{self.bare(word[1], primes)}\|", "norm")
        return None

    def _weight(self, c: Number, powers: Powers) -> list[str]:
        """Return number and scalar symbols; negative powers as a fraction."""
        above = [self._raised(name, p) for name, p in powers if p > 0]
        below = [self._raised(name, -p) for name, p in powers if p < 0]
        if not below:
            if c == 1:
                return above
            whole = c.denominator == 1
            return [str(c) if whole else _fraction([str(c.numerator)], c), *above]
        top = [str(c.numerator)] if c.numerator != 1 else []
        return [_fraction(top + above, c, below)]

    def _raised(self, name: str, power: int) -> str:
        if name not in self._names:
            return _power(name, power)
        return self._names[name] + (f"^{{{power}}}" if power != 1 else "")


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


def _fraction(above: list[str], c: Number, below: Iterable[str] = ()) -> str:
    under = [str(c.denominator)] if c.denominator != 1 else []
    both = r"\,".join(above) or "1", r"\,".join([*under, *below])
    return rf"\frac{{{both[0]}}}{{{both[1]}}}"
