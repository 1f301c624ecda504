"""Python source for matrix polynomials: products of matrices, batched, at any size.

A letter stands for an array (..., rows, cols), a 1 × 1 letter for an array (...). The
arrays of `sampled` letters have the axis N of the samples before the matrix's own.
A word that occurs twice is computed once. Products associate in the order that is
cheapest where every symbolic size, and N, is one large number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from numeric._errors import CompilationError
from symbolic import MatrixPolynomial


_LARGE = 64  # what a symbolic size, and the number of samples, counts in a cost
_ONE = "1"


class Factor(NamedTuple):
    """A letter of a word: its name, and its sizes as they stand there."""

    name: str
    transposed: bool
    rows: str
    cols: str
    symmetric: bool


Word = tuple[Factor, ...]
Powers = tuple[tuple[str, int], ...]


class Inner(NamedTuple):
    """A coefficient times the sum of P ∘ Q, of which the texts are known."""

    coefficient: int | Fraction
    left: str
    right: str


class Term(NamedTuple):
    """A coefficient, powers of scalars, traced words and an open word."""

    coefficient: int | Fraction
    powers: Powers
    traced: tuple[Word, ...]
    word: Word


def expression_source(
    polynomial: MatrixPolynomial,
    names: Mapping[str, str],
    sizes: frozenset[str] = frozenset(),
) -> tuple[list[str], str]:
    """Return the lines to run, and the expression that is the polynomial then.

    They need the array module as `xp`, and `_like` where an identity matrix occurs.

    Args:
        polynomial: of any shape, free of data.
        names: the Python name of every letter, scalar and size that occurs; the first
            is that of an array, which tells identity matrices their dtype.
        sizes: which names are integers.

    Returns:
        Lines without indentation, and an expression.

    >>> from symbolic import matrix
    >>> U, B = matrix("U", "m", "d"), matrix("B", "d", "d", symmetric=True)
    >>> expression_source((U @ B @ U.T).tr() * 3, {"U": "u", "B": "b"})
    (['t0 = u.mT @ u', 't1 = (b * t0).sum((-2, -1))'], '3.0*t1')
    """
    writer = Writer(dict(names), sizes)
    text = writer.expression(polynomial)
    return writer.lines, text


@dataclass(slots=True)
class Writer:
    """The lines of one function, and the names of what they compute.

    Attributes:
        names: the Python name of every letter, scalar and size that occurs.
        sizes: which names are integers; the others are arrays.
        sampled: the letters whose arrays have the axis of the samples.
        lines: what was written.
    """

    names: dict[str, str]
    sizes: frozenset[str] = frozenset()
    sampled: frozenset[str] = frozenset()
    lines: list[str] = field(default_factory=list)
    _known: dict[Any, str] = field(default_factory=dict)

    def expression(self, polynomial: MatrixPolynomial) -> str:
        """Write what a polynomial needs.

        Args:
            polynomial: of any shape.

        Returns:
            Its expression: (...) where it is 1 × 1, else (..., rows, cols), with the
            axis of the samples where a letter has it; "" where it is zero.
        """
        if polynomial.is_scalar:
            return self._sum(self._part(term) for term in self._widths(polynomial))
        texts = []
        for (c, powers, traced, word), wide in self._widths(polynomial):
            factors = self._scalars(powers, traced, 2, wide=wide)
            text = self.word(word) if word else self._eye(polynomial.rows)
            missing = wide and not self._is_sampled(word)
            factors.append(f"{text}[..., None, :, :]" if missing else text)
            texts.append(_product(c, factors))
        return _joined(texts)

    def mean(self, polynomial: MatrixPolynomial) -> str:
        """Write a 1 × 1 polynomial of sampled letters, averaged over the samples.

        Where a trace has two sampled letters side by side, their product is averaged
        first: one product of two long matrices instead of N small ones. The number of
        samples is `m0`.

        Args:
            polynomial: every term has a sampled letter.

        Returns:
            Its expression, (...); "" where it is zero.
        """
        return self._sum(map(self._averaged, terms(polynomial)), " / m0")

    def word(self, word: Word) -> str:
        """Write the product of a word's matrices.

        Args:
            word: one letter or more.

        Returns:
            Its name, or that of its transpose with `.mT`.
        """
        if len(word) == 1:
            return self._letter(word[0])
        if transposed(word) in self._known:
            return f"{self._known[transposed(word)]}.mT"
        if word not in self._known:
            k = _cost(word, self.sampled)[1]
            wide = self._is_sampled(word)
            text = f"{self._wide(word[:k], wide)} @ {self._wide(word[k:], wide)}"
            self._known[word] = self.line(text)
        return self._known[word]

    def trace(self, word: Word) -> str:
        """Write the trace of a word: of PQ as the sum of P ∘ Qᵀ, cheapest P and Q.

        Args:
            word: one letter or more.

        Returns:
            Its name.
        """
        key = ("trace", word)
        if len(word) == 1 and word[0].rows == word[0].cols == _ONE:
            return self._letter(word[0])
        if key not in self._known:
            self._known[key] = self.line(self._trace(word))
        return self._known[key]

    def _trace(self, word: Word) -> str:
        if len(word) == 1:
            return f"xp.diagonal({self._letter(word[0])}, 0, -2, -1).sum(-1)"
        one, two = self._halves(word)
        return f"({one} * {two}).sum((-2, -1))"

    def _halves(self, word: Word) -> tuple[str, str]:
        """Write P and Qᵀ of a trace Tr[PQ]."""
        left, right = min(_halves(word), key=self._inner_cost)
        wide = self._is_sampled(word)
        return self._wide(left, wide), self._wide(right, wide)

    def _widths(self, polynomial: MatrixPolynomial) -> list[tuple[Term, bool]]:
        """Return the terms, each with whether a letter of the whole is sampled."""
        every = terms(polynomial)
        wide = any(self._is_sampled(w) for t in every for w in (*t.traced, t.word))
        return [(term, wide) for term in every]

    def _scalars(
        self, powers: Powers, traced: Iterable[Word], axes: int, *, wide: bool
    ) -> list[str]:
        """Write the scalar factors of a term, with axes for a matrix after them."""
        factors = self._powers(powers, axes + wide)
        for w in traced:
            missing = wide and not self._is_sampled(w)
            factors.append(_widened(self.trace(w), axes + missing))
        return factors

    def _part(self, term: tuple[Term, bool]) -> str | Inner:
        """Return a scalar term, as a sum of P ∘ Q where it is no more than that."""
        (c, powers, traced, _), wide = term
        alone = (
            not powers and len(traced) == 1 and ("trace", *traced) not in self._known
        )
        if alone and len(traced[0]) > 1 and wide == self._is_sampled(traced[0]):
            return Inner(c, *self._halves(traced[0]))
        return _product(c, self._scalars(powers, traced, 0, wide=wide))

    def _averaged(self, term: Term) -> str | Inner:
        """Return a term of a mean."""
        c, powers, traced, _ = term
        own = tuple(w for w in traced if self._is_sampled(w))
        rest = [w for w in traced if w not in own]
        apart = self._side_by_side(own[0]) if len(own) == 1 else None
        if apart is None:
            product = " * ".join(self.trace(w) for w in own)
            text = f"({product})" if len(own) > 1 else product
            mean = self.line(f"{text}.mean(-1)")
            return _product(c, [*self._scalars(powers, rest, 0, wide=False), mean])
        a, b, others = apart
        if not others:
            both = f"{self.word(transposed((a,)))}, {self.word((b,))}"
            mean = self.line(f"_dot_samples({both}) / m0")
        else:
            pair = (self._moment(a, b), self.word(transposed(others)))
            if not (powers or rest):
                return Inner(c, *pair)
            mean = self.line(f"({pair[0]} * {pair[1]}).sum((-2, -1)) / m0")
        return _product(c, [*self._scalars(powers, rest, 0, wide=False), mean])

    def _moment(self, a: Factor, b: Factor) -> str:
        """Write the sum of a b over the samples."""
        key = ("moment", a, b)
        if key not in self._known:
            left = self._long(a, "_stacked" if a.transposed else "_beside")
            right = self._long(b, "_beside" if b.transposed else "_stacked")
            self._known[key] = self.line(f"{left} @ {right}")
        return self._known[key]

    def _long(self, letter: Factor, helper: str) -> str:
        """Write the matrices of all samples as one, the helper says how."""
        key = (helper, letter.name)
        if key not in self._known:
            name = self._name(letter.name)
            self._known[key] = self.line(f"{helper}({name})")
        return f"{self._known[key]}.mT" if letter.transposed else self._known[key]

    def _sum(self, parts: Iterable[str | Inner], over: str = "") -> str:
        """Write a sum; sums of P ∘ Q with one P become that of P and a sum of Q."""
        every = list(parts)
        inner = [part for part in every if isinstance(part, Inner)]
        counts = Counter(side for part in inner for side in {part.left, part.right})
        texts: list[str] = []
        groups: dict[str, list[str]] = {}
        for part in every:
            if not isinstance(part, Inner):
                texts.append(part)
                continue
            c, left, right = part
            if counts[right] > counts[left]:
                left, right = right, left
            if counts[left] == 1:
                line = self.line(f"({left} * {right}).sum((-2, -1)){over}")
                texts.append(_product(c, [line]))
            else:
                groups.setdefault(left, []).append(_product(c, [right]))
        for left, others in groups.items():
            text = f"{left} * ({_joined(others)})"
            texts.append(self.line(f"({text}).sum((-2, -1)){over}"))
        return _joined(texts)

    def _inner_cost(self, pair: tuple[Word, Word]) -> float:
        """Return the cost of the sum of P ∘ Qᵀ."""
        left, right = pair
        cost = _volume((left[0].rows, left[-1].cols), left + right, self.sampled)
        cost += _cost(left, self.sampled)[0]
        return cost if left == right else cost + _cost(right, self.sampled)[0]

    def _side_by_side(self, word: Word) -> tuple[Factor, Factor, Word] | None:
        """Return the only two sampled letters and the rest, if nothing is between."""
        if sum(a.name in self.sampled for a in word) != 2:
            return None
        for i in range(len(word)):
            a, b, *rest = word[i:] + word[:i]
            if a.name in self.sampled and b.name in self.sampled:
                return a, b, tuple(rest)
        return None

    def _is_sampled(self, word: Word) -> bool:
        return any(a.name in self.sampled for a in word)

    def _wide(self, word: Word, wide: bool) -> str:
        text = self.word(word)
        return f"{text}[..., None, :, :]" if wide > self._is_sampled(word) else text

    def _powers(self, powers: Powers, axes: int) -> list[str]:
        texts = []
        for name, k in powers:
            text = self._name(name)
            if name in self.sizes:  # floats: integers overflow
                texts.append(text if k == 1 else f"{text}**{float(k)}")
            else:
                text = _widened(text, axes)
                texts.append(text if k == 1 else f"{text}**{k}")
        return texts

    def _eye(self, size: str) -> str:
        n = size if size.isdigit() else self._name(size)
        return f"_like(xp.eye({n}), {next(iter(self.names.values()))})"

    def _letter(self, letter: Factor) -> str:
        name = self._name(letter.name)
        return f"{name}.mT" if letter.transposed else name

    def _name(self, name: str) -> str:
        if name not in self.names:
            raise CompilationError(
                f"expected names among {', '.join(self.names)}, got {name!r}"
            )
        return self.names[name]

    def line(self, text: str) -> str:
        """Write a line that names a value.

        Args:
            text: its expression.

        Returns:
            The name.
        """
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name


def terms(polynomial: MatrixPolynomial) -> list[Term]:
    """Return the terms of a polynomial, in an order of their own.

    Args:
        polynomial: free of data.

    Returns:
        The terms, sorted.

    Raises:
        CompilationError: for a letter of data.
    """
    found = []
    for (powers, traced, word), c in polynomial.terms.items():
        for letter in (a for w in (*traced, word) for a in w):
            if letter.data:
                raise CompilationError(
                    f"expected letters of parameters and constants, got the data "
                    f"{letter.name}"
                )
        found.append(Term(c, powers, tuple(map(_factors, traced)), _factors(word)))
    return sorted(found, key=lambda term: term[1:])


def transposed(word: Word) -> Word:
    """Return the transposed word: reversed, each letter transposed."""
    return tuple(
        a
        if a.symmetric
        else a._replace(transposed=not a.transposed, rows=a.cols, cols=a.rows)
        for a in reversed(word)
    )


def as_float(c: int | Fraction) -> float:
    """Return the nearest float of an exact coefficient.

    Args:
        c: the coefficient.

    Returns:
        Its value.

    Raises:
        CompilationError: beyond the range of a float.
    """
    try:
        return float(c)
    except OverflowError:
        raise CompilationError(
            f"expected coefficients within the range of a float, got one of "
            f"{len(str(abs(c)))} digits; rescale the parameters"
        ) from None


def _factors(word: Any) -> Word:
    return tuple(
        Factor(a.name, a.transposed, a.rows, a.cols, a.symmetric) for a in word
    )


def _halves(word: Word) -> Iterator[tuple[Word, Word]]:
    """Yield P and Qᵀ for every way to write a trace as Tr[PQ]."""
    for i in range(len(word)):
        turned = word[i:] + word[:i]
        for j in range(1, len(word)):
            yield turned[:j], transposed(turned[j:])


@lru_cache(maxsize=65536)
def _cost(word: Word, sampled: frozenset[str]) -> tuple[float, int]:
    """Return multiplications for a word's product, and where it is cut last."""
    if len(word) == 1:
        return 0.0, 0
    options = []
    for k in range(1, len(word)):
        sizes = (word[0].rows, word[k].rows, word[-1].cols)
        own = _volume(sizes, word, sampled)
        parts = _cost(word[:k], sampled)[0] + _cost(word[k:], sampled)[0]
        options.append((own + parts, k))
    return min(options)


def _volume(sizes: tuple[str, ...], word: Word, sampled: frozenset[str]) -> float:
    volume = float(_LARGE) if any(a.name in sampled for a in word) else 1.0
    for size in sizes:
        volume *= int(size) if size.isdigit() else _LARGE
    return volume


def _widened(name: str, axes: int) -> str:
    return f"{name}[{', '.join(['...', *['None'] * axes])}]" if axes else name


def _product(c: int | Fraction, factors: list[str]) -> str:
    value = as_float(c)
    if not factors:
        return repr(value)
    sign = {1.0: "", -1.0: "-"}.get(value, f"{value!r}*")
    return sign + "*".join(factors)


def _joined(texts: Iterable[str]) -> str:
    total = ""
    for text in texts:
        if total and text.startswith("-"):
            total += f" - {text[1:]}"
        else:
            total += f" + {text}" if total else text
    return total
