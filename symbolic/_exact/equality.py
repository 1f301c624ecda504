"""Three-valued equality: probing refutes, normal forms prove, else undecided."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import sympy as sp

from symbolic._exact.atoms import in_atoms
from symbolic._exact.functions import relu, step
from symbolic._exact.intervals import NotEnclosed, enclose
from symbolic._verdict import Finding, Verdict, Witness


PROBES = 8
_FIRST = 2  # of them before the normal form: they refute nearly all that is false
MAX_OPERATIONS = 20_000  # beyond, a normal form is not attempted: undecided
MAX_TERMS = 30_000  # likewise, of what would have to be multiplied out
_BRANCHED = (relu, step, sp.Abs, sp.sign)


def compare(
    left: sp.Expr, right: sp.Expr, *, probes: int = PROBES, seed: int = 0
) -> Finding:
    """Decide whether two expressions are equal wherever both are defined.

    Exact evaluation at random rational points refutes (rational arithmetic, or an
    interval that excludes 0 where a value is transcendental); a normal form that is
    literally 0 proves. Nothing else does: a float never decides.

    Args:
        left: an expression in real symbols.
        right: another.
        probes: number of random points.
        seed: seed of the points.

    Returns:
        PROVED, REFUTED with a witness, or INCONCLUSIVE.

    >>> x = sp.Symbol("x", real=True)
    >>> compare((x + 1) ** 2, x**2 + 2 * x + 1).verdict.name
    'PROVED'
    >>> compare(sp.tanh(x), x).witness.exact
    True
    """
    left, right = sp.sympify(left), sp.sympify(right)
    if left.has(sp.Float) or right.has(sp.Float):
        return Finding(Verdict.INCONCLUSIVE, "a side holds a floating-point number")
    difference = left - right
    if difference is sp.S.Zero:
        return Finding(Verdict.PROVED, "both sides are the same expression")
    finite = not difference.has(sp.nan, sp.zoo, sp.oo)
    points = _random_points(difference, probes, seed)
    witness = _refute(left, right, islice(points, _FIRST))
    if witness is None and finite and _normal_form_is_zero(difference):
        rule = " on every branch" if difference.has(*_BRANCHED) else ""
        return Finding(Verdict.PROVED, f"the difference has the normal form 0{rule}")
    witness = witness or _refute(left, right, points)
    if witness is not None:
        return Finding(Verdict.REFUTED, "the sides differ at a point", witness)
    if difference.is_zero:  # asked last: sympy takes its time
        return Finding(Verdict.PROVED, "the difference is 0 by its assumptions")
    if not finite:
        return Finding(
            Verdict.INCONCLUSIVE, "the difference is not a finite expression"
        )
    return Finding(
        Verdict.INCONCLUSIVE,
        f"equal at {probes} random points, but no normal form shows it",
    )


def random_point(
    symbols: Iterable[sp.Symbol], generator: random.Random
) -> dict[sp.Symbol, sp.Rational]:
    """Return a random rational for each symbol, respecting its declared sign.

    >>> x = sp.Symbol("x", positive=True)
    >>> random_point([x], random.Random(0))[x] > 0
    True
    """
    point = {}
    for symbol in sorted(symbols, key=lambda s: s.name):
        value = sp.Rational(generator.randint(1, 24), generator.randint(1, 7))
        if symbol.is_negative or (
            not symbol.is_nonnegative and generator.random() < 0.5
        ):
            value = -value
        point[symbol] = (
            sp.Integer(abs(round(value)) + 1) if symbol.is_integer else value
        )
    return point


def sign_at(expression: sp.Expr, point: Mapping[sp.Symbol, sp.Rational]) -> int | None:
    """Return −1, 0 or 1, or None where the value is undefined or not separated from 0.

    >>> x = sp.Symbol("x", real=True)
    >>> sign_at(sp.exp(x) - 1, {x: sp.Rational(-1, 2)})
    -1
    """
    if expression.is_rational_function(*point):
        value = expression.xreplace(dict(point))
        if not value.is_Rational:
            return None
        return int(sp.sign(value))
    try:
        low, high = enclose(expression, point)
    except NotEnclosed:
        return None
    if low > 0:
        return 1
    return -1 if high < 0 else None


def _random_points(
    difference: sp.Expr, probes: int, seed: int
) -> Iterator[dict[sp.Symbol, sp.Rational]]:
    generator = random.Random(seed)
    symbols = difference.free_symbols
    for _ in range(probes):
        yield random_point(symbols, generator)


def _refute(
    left: sp.Expr, right: sp.Expr, points: Iterable[dict[sp.Symbol, sp.Rational]]
) -> Witness | None:
    difference = left - right
    for point in points:
        if sign_at(difference, point) in {-1, 1}:
            return Witness(
                {symbol.name: str(value) for symbol, value in point.items()},
                left=shown(left.xreplace(point)),
                right=shown(right.xreplace(point)),
                exact=True,
            )
    return None


def shown(value: sp.Expr) -> str:
    """Return a value as text, or what it is where it has too many digits for that."""
    try:
        return str(value)
    except ValueError:  # Python prints integers up to 4300 digits
        return "a number of more than 4300 digits"


def _normal_form_is_zero(difference: sp.Expr) -> bool:
    """Decide whether an expression is 0 as a rational function of its atoms."""
    for rewritten in (False, True):
        found = in_atoms(
            difference,
            operations=MAX_OPERATIONS,
            expanded=MAX_TERMS,
            rewritten=rewritten,
        )
        if found is not None and not found.terms:
            return True
    return False
