"""Three-valued equality: probing refutes, normal forms prove, else undecided."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import sympy as sp
from sympy.polys.fields import sfield

from symbolic._functions import on_branches, relu, step
from symbolic._intervals import NotEnclosed, enclose
from symbolic._verdict import Finding, Verdict, Witness


PROBES = 8
MAX_OPERATIONS = 20_000  # beyond, a normal form is not attempted: undecided
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
    if difference.is_zero:
        return Finding(Verdict.PROVED, "both sides are the same expression")
    witness = _refute(left, right, probes, seed)
    if witness is not None:
        return Finding(Verdict.REFUTED, "the sides differ at a point", witness)
    if difference.has(sp.nan, sp.zoo, sp.oo):
        return Finding(
            Verdict.INCONCLUSIVE, "the difference is not a finite expression"
        )
    if _normal_form_is_zero(difference):
        rule = " on every branch" if difference.has(*_BRANCHED) else ""
        return Finding(Verdict.PROVED, f"the difference has the normal form 0{rule}")
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


def _refute(left: sp.Expr, right: sp.Expr, probes: int, seed: int) -> Witness | None:
    difference = left - right
    generator = random.Random(seed)
    symbols = difference.free_symbols
    for _ in range(probes):
        point = random_point(symbols, generator)
        if sign_at(difference, point) in {-1, 1}:
            return Witness(
                {symbol.name: str(value) for symbol, value in point.items()},
                left=str(left.xreplace(point)),
                right=str(right.xreplace(point)),
                exact=True,
            )
    return None


def _normal_form_is_zero(difference: sp.Expr) -> bool:
    branched = on_branches(difference)
    if _is_zero_rational(branched):
        return True
    return _is_zero_rational(_exponentials_as_powers(branched.rewrite(sp.exp)))


def _is_zero_rational(expression: sp.Expr) -> bool:
    """Decide whether an expression is 0 as a rational function of its atoms."""
    steps = {atom: sp.Dummy() for atom in expression.atoms(step)}
    if expression.count_ops() > MAX_OPERATIONS or expression.has(sp.I):
        return False
    _, element = sfield(expression.xreplace(steps))
    if not steps or not element:
        return not element
    return bool(_idempotent(element.numer.as_expr(), steps.values()).is_zero)


def _idempotent(polynomial: sp.Expr, steps: Iterable[sp.Dummy]) -> sp.Expr:
    """Reduce a polynomial by step² = step."""
    relations = [dummy**2 - dummy for dummy in steps]
    return sp.reduced(polynomial, relations, *polynomial.free_symbols)[1]


def _exponentials_as_powers(expression: sp.Expr) -> sp.Expr:
    """Write exp(r·m), r rational, as an integer power of one symbol for each m."""
    expression = sp.expand_power_exp(expression)
    exponents = {e: e.exp.as_coeff_Mul() for e in expression.atoms(sp.exp)}
    denominators: dict[sp.Expr, int] = {}
    for rational, rest in exponents.values():
        denominators[rest] = sp.ilcm(denominators.get(rest, 1), rational.q)
    bases = {rest: sp.Dummy(positive=True) for rest in denominators}
    return expression.xreplace(
        {
            e: bases[rest] ** (rational * denominators[rest])
            for e, (rational, rest) in exponents.items()
        }
    )
