"""Matrix polynomials as text of the declaration language, with `mean` for E."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

from symbolic._words.letters import Letter, Number, Powers, Word, rotations, transpose
from symbolic._words.notation import Notation, Primes, Text


if TYPE_CHECKING:
    from symbolic._words.polynomial import MatrixPolynomial


_RAISED = re.compile(r"(?P<base>.*)\*\*\((?P<above>-?\d+)(/(?P<below>\d+))?\)\Z", re.S)


def text(f: MatrixPolynomial) -> str:
    """Return the polynomial in the language of declaration files.

    Means are written `mean(…)`; samples that cannot be averaged one by one, which the
    language has no words for, are told apart as x, x__1, ….

    Args:
        f: the polynomial.

    Returns:
        The text; read at the same names it gives the same polynomial.

    >>> from symbolic import matrix
    >>> U, B = matrix("U", "m", "d"), matrix("B", "d", "d", symmetric=True)
    >>> text((U @ B @ B @ U.T).tr() - 2 * (U @ B @ U.T).tr())
    'norm2(U*B) - 2*tr(U*B*U.T)'
    """
    return _Plain().polynomial(f)


class _Plain(Notation):
    """As the declaration language has it."""

    def monomial(self, c: Number, powers: Powers, factors: list[str]) -> str:
        above = [str(c.numerator)] if c.numerator != 1 else []
        above += [_raised(name, p) for name, p in powers if p > 0] + factors
        below = [str(c.denominator)] if c.denominator != 1 else []
        below += [_raised(name, -p) for name, p in powers if p < 0]
        return "".join(["*".join(above) or "1", *(f"/{each}" for each in below)])

    def identity(self, size: str) -> str:
        return f"identity({size})"

    def times(self, factors: Iterable[str]) -> str:
        return "*".join(factors)

    def repeated(self, text: Text, n: int, *, alone: bool) -> str:
        if text.kind == "word" and not (alone and n == 1):
            return _raised(f"({text.text})", n)
        return _raised(text.text, n)

    def traced(self, text: str) -> Text:
        return Text(f"tr({text})", "trace")

    def mean(self, text: str, bound: str = "") -> Text:
        del bound
        return Text(f"mean({text})", "mean")

    def product(self, word: Word, primes: Primes) -> str:
        return "*".join(
            f"{self.bare(a, primes)}.T" if a.transposed else self.bare(a, primes)
            for a in word
        )

    def chain(self, pieces: Iterable[str]) -> str:
        return "*".join(pieces)

    def bare(self, letter: Letter, primes: Primes) -> str:
        prime = primes.get(letter.copy, 0)
        return f"{letter.name}__{prime}" if prime else letter.name

    def turned(self, word: Word) -> Word:
        both = (word, transpose(word))
        if word[0].rows == "1":
            return min(both, key=_transposes)
        fewest = min(map(_transposes, both))  # the same for every rotation
        every = [
            w for way in both if _transposes(way) == fewest for w in rotations(way)
        ]
        return min(every, key=lambda w: w[:1] != transpose(w[-1:]))

    def norm(self, word: Word, primes: Primes) -> Text | None:
        if len(word) % 2:
            return None
        half = len(word) // 2
        closed = word[0].rows == word[-1].cols == "1"
        for turned in [word] if closed else rotations(word):
            if transpose(turned[:half]) == turned[half:]:
                inside = min(  # ‖P‖ = ‖Pᵀ‖: the one with fewer transposes
                    turned[half:],
                    transpose(turned[half:]),
                    key=_transposes,
                )
                if len(inside) == 1 and inside[0].rows == inside[0].cols == "1":
                    return None  # a scalar: its square, not its norm
                return Text(f"norm2({self.product(inside, primes)})", "norm")
        return None


def _transposes(word: Word) -> int:
    return sum(a.transposed for a in word)


def _raised(name: str, power: int) -> str:
    """Return a name to an integer power; `s**(1/2)` to the third is s**(3/2)."""
    if power == 1:
        return name
    found = _RAISED.match(name)
    if found is None:
        return f"{name}**{power}"
    total = power * Fraction(int(found["above"]), int(found["below"] or 1))
    plain = total.denominator == 1 and total >= 0
    return f"{found['base']}**{total}" if plain else f"{found['base']}**({total})"
