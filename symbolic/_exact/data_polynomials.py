"""Losses as polynomials in their data: monomials, and names for their means."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._laws.ito import covariance_symbols
from symbolic._loss import Loss


MAX_MONOMIALS = 2_000  # of one gradient entry in the data: beyond, it is refused
_FACTORED = 80  # operations up to which a coefficient is factored
_CANCELLED = 400  # operations up to which a quotient is divided out

Powers = tuple[int, ...]  # exponents of the data components, in declaration order
Terms = dict[Powers, sp.Expr]


def gradient_polynomials(loss: Loss) -> list[Terms]:
    """Return each entry of ∇ℓ as powers of the data → coefficient in θ.

    Args:
        loss: the loss.

    Returns:
        One table for each of the n components; the constant has powers (0, …, 0).

    Raises:
        DeclarationError: where the loss is no polynomial in its data, or one of more
            monomials than `MAX_MONOMIALS`.
    """
    data = loss.data.symbols
    rows = []
    for entry in loss.gradient:
        terms = _collect(_divided(entry, data), data)
        tidied = {powers: tidy(c) for powers, c in terms.items()}
        rows.append({powers: c for powers, c in tidied.items() if c != 0})
    return rows


def _divided(e: sp.Expr, data: tuple[sp.Symbol, ...]) -> sp.Expr:
    """Return an expression with its quotients cancelled, where data stand below."""
    below = any(p.exp.is_negative and p.base.has_free(*data) for p in e.atoms(sp.Pow))
    return sp.cancel(e) if below and e.count_ops() <= _CANCELLED else e


def _collect(e: sp.Expr, data: tuple[sp.Symbol, ...]) -> Terms:
    if not e.has_free(*data):
        return {(0,) * len(data): e}
    if e in data:
        return {unit_power(len(data), data.index(e)): sp.S.One}
    if e.is_Add:
        return _added(_collect(part, data) for part in e.args)
    if e.is_Mul:
        return _multiplied((_collect(part, data) for part in e.args), len(data))
    if e.is_Pow and e.exp.is_Integer and e.exp > 0:
        base = _collect(e.base, data)
        return _multiplied((base for _ in range(int(e.exp))), len(data))
    raise DeclarationError(
        f"expected a loss polynomial in its data ({', '.join(map(str, data))}), got "
        f"{e} in its gradient; give samples to finite_covariance instead"
    )


def _added(parts: Iterable[Terms]) -> Terms:
    found: dict[Powers, list[sp.Expr]] = {}
    for part in parts:
        for powers, c in part.items():
            found.setdefault(powers, []).append(c)
    return {powers: sp.Add(*terms) for powers, terms in found.items()}


def _multiplied(parts: Iterable[Terms], k: int) -> Terms:
    total: Terms = {(0,) * k: sp.S.One}
    for part in parts:
        if len(total) * len(part) > MAX_MONOMIALS**2 or len(total) > MAX_MONOMIALS:
            raise DeclarationError(
                f"expected at most {MAX_MONOMIALS} monomials of the data in a "
                f"gradient, got more; give samples to finite_covariance instead"
            )
        total = _added(
            {added_powers(p, q): a * b}
            for p, a in total.items()
            for q, b in part.items()
        )
    return total


def tidy(c: sp.Expr) -> sp.Expr:
    return sp.factor(c) if c.count_ops() <= _FACTORED else sp.factor_terms(c)


def monomials(rows: list[Terms]) -> list[Powers]:
    """Return the powers that occur, but for the constant, in a fixed order."""
    return sorted({p for row in rows for p in row if any(p)}, key=by_degree)


def by_degree(powers: Powers) -> tuple[int, Powers]:
    return sum(powers), powers


def added_powers(a: Powers, b: Powers) -> Powers:
    return tuple(i + j for i, j in zip(a, b, strict=True))


def unit_power(k: int, i: int, value: int = 1) -> Powers:
    return tuple(value if j == i else 0 for j in range(k))


def monomial(loss: Loss, powers: Powers) -> sp.Expr:
    pairs = zip(loss.data.symbols, powers, strict=True)
    return prod((symbol**k for symbol, k in pairs), start=sp.S.One)


def moment_names(loss: Loss, wanted: list[Powers]) -> dict[Powers, sp.Symbol]:
    """Name moments `E_x2_y`, or by the powers alone where such names would collide."""
    known = {symbol.name for symbol in loss.expression.free_symbols}
    known |= {s.name for s in (*loss.space.symbols, *loss.data.symbols)}
    known |= {s.name for s in covariance_symbols(loss.space).free_symbols}
    names = {p: _spelt(loss, p) for p in wanted}
    prefix = "E"
    while len(set(names.values())) < len(wanted) or known & set(names.values()):
        names = {p: "_".join((prefix, *map(str, p))) for p in wanted}
        prefix += "E"
    return {p: sp.Symbol(name, real=True) for p, name in names.items()}


def _spelt(loss: Loss, powers: Powers) -> str:
    parts = ["E"]
    for symbol, k in zip(loss.data.symbols, powers, strict=True):
        joint = "p" if symbol.name[-1].isdigit() else ""  # x_0 squared is x_0p2
        parts += [f"{symbol.name}{joint}{k}" if k > 1 else symbol.name] if k else []
    return "_".join(parts)
