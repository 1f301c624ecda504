"""What a module in whole matrices is made from: `MatrixProblem`, and its text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from numeric._errors import CompilationError
from numeric._matrix_source import Term, Word, terms
from symbolic import MatrixPolynomial, matrix


Shape = tuple[int | str, ...]
Sides = tuple[MatrixPolynomial, MatrixPolynomial, MatrixPolynomial]
_SCALAR = ("1", "1")


@dataclass(frozen=True)
class MatrixProblem:
    """A generator and its charge in words of matrices.

    Attributes:
        shapes: parameter → shape, in order.
        generator: J of each parameter.
        charge: C, or None where there is none.
        kind: the kind of the symmetry.
        values: constant → the rows of its numbers, where they are known.
        functions: what letters of J and C stand for, as `Symmetry.applied`.
        declared: the declared constants, as `Symmetry.declared`.
    """

    shapes: Mapping[str, Shape]
    generator: tuple[MatrixPolynomial, ...]
    charge: MatrixPolynomial | None
    kind: str
    values: Mapping[str, list[list[float]]] = field(default_factory=dict)
    functions: tuple[Any, ...] = ()
    declared: tuple[Any, ...] = ()

    @cached_property
    def variables(self) -> dict[str, MatrixPolynomial]:
        """Return parameter → its letter; a vector is a column."""
        return {
            name: matrix(name, *matrix_shape(shape))
            for name, shape in self.shapes.items()
        }

    @cached_property
    def sizes(self) -> list[str]:
        """Return the sizes that are symbols, sorted."""
        found = {str(size) for shape in self.shapes.values() for size in shape}
        for letter in _letters(self._polynomials):
            found |= {letter.rows, letter.cols}
        return sorted(size for size in found if not size.isdigit())

    @cached_property
    def constants(self) -> dict[str, Shape]:
        """Return constant → shape, sorted; () for a scalar."""
        known = {c.name: tuple(c.shape) for c in self.declared}
        others = {*self.shapes, *(f.name for f in self.functions)}
        found: dict[str, Shape] = {}
        for a in _letters(self._polynomials):
            if a.name not in others:
                own = (a.cols, a.rows) if a.transposed else (a.rows, a.cols)
                sizes = tuple(int(s) if s.isdigit() else s for s in own)
                found[a.name] = known.get(a.name, () if own == _SCALAR else sizes)
        powers = (p for f in self._polynomials for t in terms(f) for p in t.powers)
        for name, _ in powers:
            if name in others:
                raise CompilationError(
                    f"expected {name} as a letter, got it as a power of a scalar"
                )
            if name not in self.sizes:
                found[name] = ()
        return dict(sorted(found.items()))

    @cached_property
    def symmetric(self) -> tuple[str, ...]:
        """Return the constants that equal their transposes, sorted."""
        found = {a.name for a in _letters(self._polynomials) if a.symmetric}
        return tuple(sorted(found & set(self.constants)))

    def within(self, polynomials: Iterable[MatrixPolynomial]) -> list[Any]:
        """Return the functions that occur in polynomials, innermost first.

        Args:
            polynomials: any of this problem.

        Returns:
            The functions, each once.
        """
        names = {a.name for a in _letters(polynomials)}
        found: dict[str, Any] = {}
        for each in self.functions:
            if each.name in names:
                for inner in (*self.within([each.argument]), each):
                    found.setdefault(inner.name, inner)
        return list(found.values())

    @cached_property
    def _polynomials(self) -> list[MatrixPolynomial]:
        """Return J, C, and the arguments of the functions in them."""
        own = [*self.generator, *([] if self.charge is None else [self.charge])]
        return own + [each.argument for each in self.within(own)]


def sides(
    J: MatrixPolynomial, X: MatrixPolynomial, shapes: Mapping[str, Shape]
) -> Sides | None:
    """Return the scale, L and R of J = scale·X + LX + XR; None where it is not so."""
    name = X.letter.name
    parts: list[dict[Any, Any]] = [{}, {}, {}]
    for (powers, traced, word), c in J.terms.items():
        inside = [a for w in traced for a in w if a.name in shapes]
        if X.is_scalar and [a.name for a in inside] == [name]:
            rest = tuple(w for w in traced if w[0].name != name)
            if len(rest) == len(traced):
                return None
            parts[0][powers, rest, ()] = c
            continue
        places = [i for i, a in enumerate(word) if a.name in shapes]
        if inside or len(places) != 1:
            return None
        (i,) = places
        before, after = word[:i], word[i + 1 :]
        if word[i].name != name or word[i].transposed or (before and after):
            return None
        which = 1 if before else 2 if after else 0
        parts[which][powers, traced, before or after] = c
    sizes = (("1", "1"), (X.rows, X.rows), (X.cols, X.cols))
    scale, left, right = (
        MatrixPolynomial(*size, part) for size, part in zip(sizes, parts, strict=True)
    )
    return scale, left, right


def as_text(f: MatrixPolynomial) -> str:
    """Return a polynomial in the language of declaration files.

    Args:
        f: free of data.

    Returns:
        The text, such as `tr(U.T*U)/2`.

    >>> X, A = matrix("X", "n", "m"), matrix("A", "n", "n")
    >>> as_text((X.T @ A @ X).tr() * 3 - (A @ A.T).tr())
    '-tr(A*A.T) + 3*tr(A*X*X.T)'
    """
    text = ""
    for term in terms(f):
        part = _term_text(term, "" if f.is_scalar else f.rows)
        if text and part.startswith("-"):
            text += f" - {part[1:]}"
        else:
            text += f" + {part}" if text else part
    return text or "0"


def _term_text(term: Term, rows: str) -> str:
    factors = [n if k == 1 else f"{n}**{k}" for n, k in term.powers]
    for word in dict.fromkeys(term.traced):
        text = _word_text(word)
        if (word[0].rows, word[-1].cols) != _SCALAR:
            text = f"tr({text})"
        elif len(word) > 1:
            text = f"({text})"
        k = term.traced.count(word)
        factors.append(text if k == 1 else f"{text}**{k}")
    if term.word:
        factors.append(_word_text(term.word))
    elif rows:
        factors.append(f"identity({rows})")
    sign = "-" if term.coefficient < 0 else ""
    if abs(term.coefficient) != 1 or not factors:
        factors.insert(0, str(abs(term.coefficient)))
    return sign + "*".join(factors)


def _word_text(word: Word) -> str:
    text = "*".join(f"{a.name}.T" if a.transposed else a.name for a in word)
    return text.replace(" ", "_")


def matrix_shape(shape: Shape) -> tuple[str, str]:
    """Return rows and columns of the letter of a shape."""
    rows, cols = (*map(str, shape), "1", "1")[:2]
    return rows, cols


def _letters(polynomials: Iterable[MatrixPolynomial]) -> list[Any]:
    return [
        a
        for f in polynomials
        for term in terms(f)
        for word in (*term.traced, term.word)
        for a in word
    ]
