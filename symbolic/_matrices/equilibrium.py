"""G on the orbit θ_λ = e^{λA}θ where A acts on each matrix from its sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from symbolic._laws.ito import sigma2
from symbolic._orbits.balance import equilibrium_of
from symbolic._orbits.laws import characteristic
from symbolic._words.applied import Applied, Table
from symbolic._words.letters import Word, transpose
from symbolic._words.notation import latex
from symbolic._words.polynomial import (
    MatrixPolynomial,
    dot,
    identity,
    norm2,
    sample,
    scalar,
    zero,
)
from symbolic._words.text import text


Words = tuple[MatrixPolynomial, ...]


@dataclass(frozen=True, slots=True)
class MatrixEquilibrium:
    """G(θ_λ) at any size (P1, Theorem 1), with `lam` for λ and `expm` for e^M.

    Attributes:
        balance: G(θ_λ), in θ and the centred gradient `h_X` of a sample at θ.
        shift: λ* where it is known, in symbols that stand for `meaning`; else None.
        meaning: symbol → the squared norm, or its mean, that it stands for.
        applied: the exponentials in G.
    """

    balance: MatrixPolynomial
    shift: sp.Expr | None
    meaning: tuple[tuple[sp.Symbol, MatrixPolynomial], ...]
    applied: tuple[Applied, ...]

    @property
    def closed_form(self) -> str | None:
        """Return λ* as text in the language where it is known, else None."""
        return None if self.shift is None else str(self.shift)

    def shift_latex(self, names: Mapping[str, str]) -> str | None:
        """Return λ* as LaTeX where it is known, else None.

        Args:
            names: name → LaTeX, for names that are not to be read as they are.
        """
        if self.shift is None:
            return None
        symbols = {symbol: latex(f, names) for symbol, f in self.meaning}
        symbols[sigma2] = r"\sigma^{2}"
        return str(sp.latex(self.shift, symbol_names=symbols))

    @property
    def expression(self) -> MatrixPolynomial:
        """Return G(θ_λ), whose zero λ* is the noise equilibrium."""
        return self.balance


@dataclass(frozen=True, slots=True)
class _Sides:
    """J_X = LX + XR + cX with constants L = Lᵀ, R = Rᵀ and c; all have their shapes."""

    X: MatrixPolynomial
    left: MatrixPolynomial
    right: MatrixPolynomial
    factor: MatrixPolynomial

    @property
    def number(self) -> sp.Rational | None:
        """Return c where J_X = cX with a number c."""
        terms = self.factor.terms
        if self.left.terms or self.right.terms or set(terms) - {((), (), ())}:
            return None
        c = terms.get(((), (), ()), 0)
        return sp.Rational(c.numerator, c.denominator)

    def pulled(self, Y: MatrixPolynomial, sign: int, table: Table) -> MatrixPolynomial:
        """Return ⟨Y_λ, J(Y_λ)⟩ for Y_λ = e^{±λL} Y e^{±λR} e^{±λc}."""
        lam = 2 * sign * scalar("lam")
        grow = [self.left, self.right, self.factor]
        L, R, c = (_exponential(lam * each, table) for each in grow)
        total = zero(1, 1)
        for inner in (self.left @ Y, Y @ self.right, self.factor * Y):
            total += dot(Y, L @ inner @ R)
        return c * total


def matrix_equilibrium(generator: Words, parameters: Words) -> MatrixEquilibrium | None:
    """Derive G(θ_λ) from Σ(θ_λ) = e^{−λA}Σe^{−λA}, at any size.

    Args:
        generator: J = Aθ with A = Aᵀ, one polynomial for each parameter.
        parameters: θ.

    Returns:
        G, or None where J mixes parameters or acts from both sides in one term.
    """
    sides = [_sides(J, X) for J, X in zip(generator, parameters, strict=True)]
    live = [each for each in sides if each is not None]
    if len(live) < len(sides):
        return None
    table = Table()
    balance = zero(1, 1)
    for each in live:
        h = _noise(each.X)
        balance += -2 * scalar("gamma") * each.pulled(each.X, 1, table)
        balance += scalar("sigma2") * each.pulled(h, -1, table).mean()
    shift, meaning = _closed(live)
    return MatrixEquilibrium(balance, shift, meaning, tuple(table.known.values()))


def _noise(X: MatrixPolynomial) -> MatrixPolynomial:
    return sample(f"h_{X.letter.name}", X.rows, X.cols)


Meaning = tuple[tuple[sp.Symbol, MatrixPolynomial], ...]


def _closed(sides: list[_Sides]) -> tuple[sp.Expr | None, Meaning]:
    """Return λ* where every J_X is a number times X, and a closed form is known."""
    groups: dict[sp.Rational, list[_Sides]] = {}
    for each in sides:
        if each.number is None:
            return None, ()
        groups.setdefault(each.number, []).append(each)
    meaning: dict[sp.Symbol, MatrixPolynomial] = {}
    mu = tuple(groups)
    t = tuple(
        _symbol([norm2(e.X) for e in group], meaning) for group in groups.values()
    )
    s = tuple(
        _symbol([norm2(_noise(e.X)).mean() for e in group], meaning)
        for group in groups.values()
    )
    scalar_level = equilibrium_of(mu, t, s)
    shift = scalar_level.closed_form
    if shift is None:
        found = characteristic(scalar_level)
        shift = None if found is None else found.closed_form
    return shift, tuple(meaning.items())


def _symbol(
    terms: list[MatrixPolynomial], meaning: dict[sp.Symbol, MatrixPolynomial]
) -> sp.Expr:
    """Return a sum of squares as symbols that print as they are."""
    for term in terms:
        meaning[sp.Symbol(text(term), nonnegative=True)] = term
    return sp.Add(*(sp.Symbol(text(term), nonnegative=True) for term in terms))


def _exponential(M: MatrixPolynomial, table: Table) -> MatrixPolynomial:
    if not M.terms:
        return identity(M.rows)
    return table.apply("exp" if M.is_scalar else "expm", M)


def _sides(J: MatrixPolynomial, X: MatrixPolynomial) -> _Sides | None:
    """Return how J_X acts on X, None where it is not from the sides."""
    left, right = zero(X.rows, X.rows), zero(X.cols, X.cols)
    factor = zero(1, 1)
    for (powers, traced, word), c in J.terms.items():
        acting = _acting(traced, word, X)
        if acting is None:
            return None
        rest, before, after = acting
        scalars = (powers, rest)
        if before and after:
            return None
        if before:
            left += MatrixPolynomial(X.rows, X.rows, {(*scalars, before): c})
        elif after:
            right += MatrixPolynomial(X.cols, X.cols, {(*scalars, after): c})
        else:
            factor += MatrixPolynomial("1", "1", {(*scalars, ()): c})
    symmetric = left == left.T and right == right.T
    return _Sides(X, left, right, factor) if symmetric else None


def _acting(
    traced: tuple[Word, ...], word: Word, X: MatrixPolynomial
) -> tuple[tuple[Word, ...], Word, Word] | None:
    """Return scalars, L and R of a term LXR, None where X is not in it once.

    A term aaᵀX of a column X is the scalar aᵀX times the word a.
    """
    letter = X.letter
    both = [w for w in (*traced, word) if any(a.name == letter.name for a in w)]
    if len(both) != 1 or sum(a.name == letter.name for a in both[0]) != 1:
        return None
    rest = list(traced)
    if both[0] is not word:
        rest.remove(both[0])
        turned = both[0] if letter in both[0] else transpose(both[0])
        if "1" not in (X.rows, X.cols):
            return None
        word = word + turned if X.cols == "1" else turned + word
    at = word.index(letter)
    return tuple(rest), word[:at], word[at + 1 :]
