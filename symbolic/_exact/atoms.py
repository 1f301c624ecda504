"""Expressions as fractions of polynomials in the atoms that occur: `in_atoms`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb, prod
from typing import Any

import sympy as sp
from sympy.functions.elementary.hyperbolic import HyperbolicFunction
from sympy.polys.fields import FracField, sfield

from symbolic._exact.functions import on_branches, step


MAX_OPERATIONS = 3_000  # beyond, no normal form is computed
MAX_TERMS = 20_000  # after expansion; the same
MAX_ANGLE = 6  # multiples of it in a sine that are written out


@dataclass(frozen=True, slots=True)
class AtomFraction:
    """Σ coefficient·monomial over a denominator, in symbols that stand for atoms.

    Attributes:
        symbols: the variables of the numerator.
        terms: the exponents of a monomial → its rational coefficient.
        denominator: the denominator, in the same symbols.
        meaning: symbol → the atom it stands for.
    """

    symbols: tuple[sp.Symbol, ...]
    terms: Mapping[tuple[int, ...], sp.Rational]
    denominator: sp.Expr
    meaning: Mapping[sp.Symbol, sp.Expr]

    @property
    def numerator(self) -> sp.Expr:
        """Return the numerator."""
        return sp.Add(*(m * c for m, c in self.coefficients(set()).items()))

    def within(self, allowed: set[sp.Symbol]) -> set[sp.Symbol]:
        """Return the variables that stand for functions of allowed symbols only."""
        return {
            s for s in self.symbols if self.meaning.get(s, s).free_symbols <= allowed
        }

    def coefficients(self, inside: set[sp.Symbol]) -> dict[sp.Expr, sp.Expr]:
        """Return monomial in the other variables → its polynomial in `inside`."""
        found: dict[sp.Expr, sp.Expr] = {}
        for exponents, number in self.terms.items():
            powers = list(zip(self.symbols, exponents, strict=True))
            outer = sp.Mul(*(s**e for s, e in powers if s not in inside))
            inner = number * sp.Mul(*(s**e for s, e in powers if s in inside))
            found[outer] = found.get(outer, sp.S.Zero) + inner
        return {m: c for m, c in found.items() if c != 0}

    def restored(self, expression: sp.Expr) -> sp.Expr:
        """Return an expression in the atoms themselves."""
        return expression.xreplace(dict(self.meaning))


def in_atoms(
    expression: sp.Expr,
    *,
    operations: int = MAX_OPERATIONS,
    expanded: int = MAX_TERMS,
    rewritten: bool = True,
) -> AtomFraction | None:
    """Return an expression as a fraction of polynomials in its atoms.

    relu and abs are written with `step`, hyperbolic functions with exp, tan with sin
    and cos; of the powers of cos z at most the first is left.

    Args:
        expression: any expression.
        operations: the most operations in it.
        expanded: the most terms after expansion.
        rewritten: whether hyperbolic functions, tan and multiple angles are rewritten;
            else they are atoms, and some identities are not seen.

    Returns:
        The fraction, None beyond the limits.

    >>> u, x, k = sp.symbols("u x k", real=True)
    >>> in_atoms(k * u * x - 2 * u * x).coefficients({k})
    {u*x: k - 2}
    >>> in_atoms(sp.sin(u) ** 2 + sp.cos(u) ** 2 - 1).numerator
    0
    """
    if expression.count_ops() > operations:
        return None
    plain = on_branches(expression)
    if rewritten:
        plain = _elementary(plain)
    if plain.count_ops() > operations or number_of_terms(plain) > expanded:
        return None
    if plain.has(sp.I):
        return None
    plain, meaning = _named_atoms(plain)
    if any(not power.exp.is_Integer for power in plain.atoms(sp.Pow)):
        _, element = sfield(plain)  # it knows that √z² = z
    else:
        element = _plain_field(plain).from_expr(plain)
    symbols = []
    names = {}
    for atom in element.field.symbols:
        symbol = atom if atom.is_Symbol else sp.Dummy(real=True)
        if symbol is not atom:
            meaning[symbol] = atom.xreplace(meaning)
        symbols.append(symbol)
        names[atom] = symbol
    steps = [meaning.get(s, s).func is step for s in symbols]
    terms: dict[tuple[int, ...], sp.Rational] = {}
    for exponents, number in element.numer.terms():
        # step² = step
        key = tuple(
            min(e, 1) if is_step else e
            for e, is_step in zip(exponents, steps, strict=True)
        )
        terms[key] = terms.get(key, sp.S.Zero) + sp.sympify(number)
    terms = _without_squares(terms, [meaning.get(s, s) for s in symbols])
    denominator = element.denom.as_expr().xreplace(names)
    return AtomFraction(tuple(symbols), terms, denominator, meaning)


def _plain_field(expression: sp.Expr) -> Any:
    """Return the field of rational functions of the symbols and named atoms."""
    symbols = sorted(expression.free_symbols, key=sp.default_sort_key)
    return FracField(symbols or [sp.Dummy()], sp.QQ, sp.lex)


def _named_atoms(
    expression: sp.Expr,
) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
    """Name steps, and exp(r·m), r rational, as an integer power of one exp(m/q)."""
    expression = sp.expand_power_exp(expression)
    meaning: dict[sp.Symbol, sp.Expr] = {}
    parts = {e: e.exp.as_coeff_Mul() for e in expression.atoms(sp.exp)}
    common: dict[sp.Expr, int] = {}
    for number, rest in parts.values():
        common[rest] = sp.ilcm(common.get(rest, 1), number.q)
    bases = {rest: sp.Dummy(positive=True) for rest in common}
    names = {e: bases[m] ** (r * common[m]) for e, (r, m) in parts.items()}
    for rest, symbol in bases.items():
        meaning[symbol] = sp.exp(rest / common[rest])
    for atom in expression.atoms(sp.Function, sp.NumberSymbol) - set(names):
        names[atom] = sp.Dummy(real=True)
        meaning[names[atom]] = atom
    return expression.xreplace(names), meaning


def _elementary(expression: sp.Expr) -> sp.Expr:
    """Write hyperbolic functions with exp, tan by sin and cos, multiple angles out."""
    plain = expression.replace(
        lambda e: isinstance(e, HyperbolicFunction), lambda e: e.rewrite(sp.exp)
    )
    plain = plain.replace(sp.tan, lambda z: sp.sin(z) / sp.cos(z))
    result: sp.Expr = plain.replace(_is_multiple_angle, sp.expand_trig)
    return result


def _is_multiple_angle(e: sp.Expr) -> bool:
    """Decide whether an expression is sin or cos of a small multiple of something."""
    if not isinstance(e, (sp.sin, sp.cos)) or e.args[0].is_number:
        return False
    n, _ = e.args[0].as_coeff_Mul()
    return bool(n.is_Integer and 2 <= abs(n) <= MAX_ANGLE)


def _without_squares(
    terms: dict[tuple[int, ...], sp.Rational], atoms: list[sp.Expr]
) -> dict[tuple[int, ...], sp.Rational]:
    """Replace cos² z by 1 − sin² z where both occur, and leave out what cancels."""
    places = {atom: i for i, atom in enumerate(atoms)}
    for atom, i in places.items():
        if atom.func is not sp.cos or sp.sin(*atom.args) not in places:
            continue
        j = places[sp.sin(*atom.args)]
        found: dict[tuple[int, ...], sp.Rational] = {}
        for exponents, number in terms.items():
            n, rest = divmod(exponents[i], 2)
            for k in range(n + 1):
                powers = list(exponents)
                powers[i], powers[j] = rest, exponents[j] + 2 * k
                key = tuple(powers)
                share = number * (-1) ** k * comb(n, k)
                found[key] = found.get(key, sp.S.Zero) + share
        terms = found
    return {key: number for key, number in terms.items() if number != 0}


def number_of_terms(expression: sp.Expr) -> int:
    """Return a bound on the number of terms after expansion, functions kept whole.

    It is that of the larger of numerator and denominator.

    >>> u, w = sp.symbols("u w")
    >>> number_of_terms((u + w + 1) ** 2 * u)
    6
    >>> number_of_terms(u / (u + w) + w / (u - w))
    4
    """
    return max(_terms(expression, {}))


def _terms(e: sp.Expr, known: dict[sp.Expr, tuple[int, int]]) -> tuple[int, int]:
    """Return bounds for numerator and denominator."""
    if e not in known:
        known[e] = _terms_of(e, known)
    return known[e]


def _terms_of(e: sp.Expr, known: dict[sp.Expr, tuple[int, int]]) -> tuple[int, int]:
    if isinstance(e, sp.Pow) and e.exp.is_Integer:
        above, below = _terms(e.base, known)
        n = abs(int(e.exp))
        powers = comb(above + n - 1, n), comb(below + n - 1, n)
        return powers if e.exp > 0 else (powers[1], powers[0])
    if e.is_Mul:
        factors = [_terms(arg, known) for arg in e.args]
        return prod(a for a, _ in factors), prod(b for _, b in factors)
    if e.is_Add:
        terms = [_terms(arg, known) for arg in e.args]
        below_of = {
            sp.fraction(arg)[1]: b for arg, (_, b) in zip(e.args, terms, strict=True)
        }
        common = prod(below_of.values())
        return sum(a * (common // b) for a, b in terms), common
    return 1, 1
