"""The route of the derivation: a proof where there is one, else its formulas."""

from __future__ import annotations

from collections.abc import Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import sympy as sp

from symbolic import Declaration, NotEnclosed, Verdict, Witness, enclose
from verify._context import Context, Counterexample
from verify._evidence import Evidence
from verify._exact import NotRational
from verify._instances import Instance
from verify._user_claims._available import OF_GRADIENTS, OF_NOISE, missing
from verify._user_claims._derived_quantities import (
    ETA,
    GAMMA,
    Derived,
    Moments,
    Row,
    S,
    Unavailable,
    sampled_moments,
)
from verify._user_claims._drawing import (
    NO_INSTANCE,
    Points,
    claim_instances,
    corners,
    has_instances,
)
from verify._user_claims._functions import At, result_of, used_by
from verify._user_claims._proof import proof_of
from verify._user_claims._reading import Reading
from verify._user_claims._relations import as_order, holds
from verify._user_claims._statement import MONOTONE, QUANTITIES
from verify._user_claims._witness import described


ROUTE = "derivation"
_SHARE = 3  # of the instances planned, one in so many is looked at here
_RESOLVED = sp.Rational(1, 2**100)
_ZERO = (sp.S.Zero, sp.S.Zero)

Point = dict[sp.Symbol, sp.Rational]
Bounds = tuple[sp.Rational, sp.Rational]


def derivation(reading: Reading, context: Context) -> Evidence:
    """Prove a claim from the derivation, or check its formulas at drawn instances.

    Args:
        reading: the claim.
        context: profile and streams.

    Returns:
        PROVED, SUPPORTED, REFUTED or INCONCLUSIVE.
    """
    if not has_instances(reading):
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, NO_INSTANCE)
    if not reading.altered and reading.function is None:
        proof = proof_of(reading)
        if proof is not None:
            return Evidence(
                ROUTE, Verdict.PROVED, proof.summary, instances=1, steps=proof.steps
            )
    tally = _Tally(reading)
    try:
        for instance in corners(reading)[::_SHARE]:
            tally(instance)
    except Counterexample as failure:
        return _refuted(failure, tally)
    count = max(6, context.profile.exact // _SHARE)
    # The other route makes a counterexample small.
    searching = replace(context, shrink=False)
    failed = searching.examine(claim_instances(reading), tally, count, ROUTE)
    return tally.evidence() if failed is None else _refuted(failed, tally)


def _refuted(failure: BaseException, tally: _Tally) -> Evidence:
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        "The derived formulas differ from the claim at an instance.",
        instances=tally.checked + 1,
        counterexample=failure.args[0],
    )


class _Tally:
    """What was seen, and the check run on each instance."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.checked = self._degenerate = self._open = 0
        self._points = Points(reading)

    def __call__(self, instance: Instance) -> None:
        """Check an instance.

        Raises:
            Counterexample: where the claim fails.
        """
        found = formulas_at(self._reading, instance)
        verdict = None if found is None else found.verdict
        if found is not None and verdict is False:
            values = described(instance)
            if found.where:
                values["then"] = found.where
            witness = Witness(values, found.left, found.right, exact=True)
            raise Counterexample(witness, instance)
        self._open += verdict is None
        if found is not None and verdict:
            self.checked += 1
            self._degenerate += found.degenerate
            self._points.add(instance)

    def evidence(self) -> Evidence:
        """Return what was seen, where nothing failed."""
        if self.checked <= self._degenerate:
            return Evidence(
                ROUTE,
                Verdict.INCONCLUSIVE,
                f"No formula decides it: {self._open} instances open, "
                f"{self._degenerate} of {self.checked} others degenerate.",
                instances=self.checked,
                degenerate=self._degenerate,
            )
        if self._points.few:
            return Evidence(
                ROUTE,
                Verdict.INCONCLUSIVE,
                self._points.few,
                instances=self.checked,
                degenerate=self._degenerate,
            )
        return Evidence(
            ROUTE,
            Verdict.SUPPORTED,
            f"The derived formulas agree with it at {self.checked} instances.",
            instances=self.checked,
            degenerate=self._degenerate,
            tolerance=0.0,
        )


@dataclass(frozen=True, slots=True)
class Formulas:
    """Both sides by the derived formulas.

    Attributes:
        left: the left side; 0 for the slope of a monotone quantity.
        right: the right side, or the slope.
        sign: that of left − right; None where it is too near 0 to tell.
        relation: what is claimed of them.
        degenerate: whether the instance says nothing.
        slope: whether the right side is a slope.
        where: what the slope is along.
    """

    left: str
    right: str
    sign: int | None
    relation: str
    degenerate: bool
    slope: bool = False
    where: str = ""

    @property
    def verdict(self) -> bool | None:
        """Return whether it holds; a slope of 0 does not tell of strict monotony."""
        relation = as_order(self.relation)
        if self.slope and self.sign in {0, None}:
            return True if relation in {"<=", ">="} else None
        return holds(self.sign, relation)


def formulas_at(reading: Reading, instance: Instance) -> Formulas | None:
    """Return both sides at an instance by the derived formulas.

    Args:
        reading: the claim.
        instance: where.

    Returns:
        What they say; None where a side has no formula or no value.
    """
    moments = _moments(instance.declaration, instance.samples)
    of = Derived(instance.declaration, moments, instance.batch_size)
    if reading.function is not None:
        return _of_function(reading, instance, of, moments)
    along = reading.claim.along
    slope = reading.relation in MONOTONE and along not in {"S", "sigma2"}
    if slope and reading.is_pinned:
        return None
    try:
        left, right = _sides(reading, instance, of)
    except (Unavailable, ZeroDivisionError):
        return None
    point = _point(instance)
    found = _valued(left, right, point)
    if found is None:
        return None
    if found[2] is None and holds(None, reading.relation) is None:
        found = *found[:2], _exact_sign(left - right, point)
    still = _is_still(reading.quantities, moments, point)
    where = f"the slope along {along}" if slope else ""
    return Formulas(*found, reading.relation, still, slope, where)


def second_look(reading: Reading, ends: Sequence[Instance]) -> bool | None:
    """Return whether a claim holds at an instance, or between two, by the formulas.

    Args:
        reading: the claim.
        ends: the instance, or the nearer and the farther one.

    Returns:
        Whether it holds; None where the formulas do not tell.
    """
    if len(ends) != 2:
        found = formulas_at(reading, ends[0]) if ends else None
        return None if found is None else found.verdict
    sides = []
    for end in ends:
        rows = _moments(end.declaration, end.samples)
        of = Derived(end.declaration, rows, end.batch_size)
        try:
            sides.append((of.side(reading.left), _point(end)))
        except (Unavailable, ZeroDivisionError):
            return None
    bounds = [_enclosed(*each) for each in sides]
    if bounds[0] is None or bounds[1] is None:
        return None
    sign = _order(bounds[0], bounds[1])
    if sign is None:
        there = [expression.xreplace(point) for expression, point in sides]
        sign = _exact_sign(there[0] - there[1], {})
    return holds(sign, reading.relation)


def _valued(
    left: sp.Expr, right: sp.Expr, at: Point
) -> tuple[str, str, int | None] | None:
    """Return both sides at a point as text and the sign of their difference, or None.

    A transcendental side is enclosed as it stands: sympy would take seconds to put
    numbers into it.
    """
    texts = [_text(each, at) for each in (left, right)]
    sign = _sign(left - right, at)
    if isinstance(sign, str) or texts[0] is None or texts[1] is None:
        return None
    return texts[0], texts[1], sign


def _of_function(
    reading: Reading, instance: Instance, of: Derived, moments: Moments | None
) -> Formulas | None:
    """Return what a function says, given the derived formulas' values."""
    assert reading.function is not None
    point = _point(instance)
    names = {symbol.name: symbol for symbol in point}

    def number(name: str) -> Fraction:
        reason = missing(name, instance.declaration) if name in QUANTITIES else None
        if reason is not None:
            raise NotRational(reason)
        try:
            formula = names[name] if name in names else of.side(sp.Symbol(name))
        except Unavailable:
            raise NotRational(f"no formula for {name}") from None
        value = formula.xreplace(point)
        if not value.is_Rational:
            raise NotRational(f"{name} is not rational")
        return Fraction(int(value.p), int(value.q))

    at = At(reading.declaration, number)
    try:
        left, relation, right = result_of(reading.function, at, altered=reading.altered)
    except NotRational:
        return None
    still = _is_still(used_by(at), moments, point)
    sign = (left > right) - (left < right)
    return Formulas(str(left), str(right), sign, relation, still)


def _sides(
    reading: Reading, instance: Instance, of: Derived
) -> tuple[sp.Expr, sp.Expr]:
    if reading.relation not in MONOTONE:
        return of.side(reading.left), of.side(reading.right)
    along = reading.claim.along
    f = of.side(reading.left)
    if along in {"S", "sigma2"}:
        more = instance.batch_size + 1
        later = Derived(
            instance.declaration,
            _moments(instance.declaration, instance.samples),
            more,
        ).side(reading.left)
        ends = f, later.xreplace({S: sp.Integer(more)})
        return ends if along == "S" else ends[::-1]
    declaration = instance.declaration
    if along == "orbit":
        J = declaration.symmetry.generator
        pairs = zip(declaration.space.symbols, J, strict=True)
        slope = sp.Add(*(f.diff(symbol) * rate for symbol, rate in pairs))
    else:
        own = {symbol.name: symbol for symbol in declaration.space.symbols}
        slope = f.diff({"gamma": GAMMA, "eta": ETA, **own}[along])
    return sp.S.Zero, slope


@lru_cache(maxsize=64)
def _moments(
    declaration: Declaration, samples: tuple[tuple[Fraction, ...], ...]
) -> Moments | None:
    if declaration.loss is None:
        return None
    return sampled_moments(declaration, exact_rows(samples))


def exact_rows(samples: Sequence[Sequence[Fraction]]) -> list[Row]:
    """Return rows of data as sympy's rationals."""
    return [tuple(map(_exact, row)) for row in samples]


def _point(instance: Instance) -> Point:
    symbols = instance.declaration.space.symbols
    values = dict(zip(symbols, map(_exact, instance.theta), strict=True))
    return values | {
        GAMMA: _exact(instance.gamma),
        ETA: _exact(instance.eta),
        S: sp.Integer(instance.batch_size),
    }


def _exact(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


def _enclosed(expression: sp.Expr, at: Point) -> tuple[sp.Rational, sp.Rational] | None:
    """Return bounds of an expression at a point, equal where it is rational."""
    if expression.is_rational_function():
        value = expression.xreplace(at)
        return (value, value) if value.is_Rational else None
    try:
        return enclose(expression, at)
    except NotEnclosed:
        return None


def _order(left: Bounds, right: Bounds) -> int | None:
    """Return the sign of left − right, None where the bounds overlap."""
    if left[0] == left[1] == right[0] == right[1]:
        return 0
    if left[1] < right[0]:
        return -1
    return 1 if left[0] > right[1] else None


def _sign(difference: sp.Expr, at: Point) -> int | str | None:
    """Return −1, 0 or 1, None where it is too near 0 to tell, "" where undefined."""
    bounds = _enclosed(difference, at)
    if bounds is None:
        return ""
    sign = _order(bounds, _ZERO)
    return sign if sign is not None or bounds[1] - bounds[0] < _RESOLVED else ""


def _exact_sign(difference: sp.Expr, at: Point) -> int | None:
    """Return the sign where sympy makes a rational of it, as of tanh(0), else None."""
    value = difference.xreplace(at)
    return int(sp.sign(value)) if value.is_Rational else None


def _is_still(used: AbstractSet[str], moments: Moments | None, at: Point) -> bool:
    """Return whether an instance says nothing: no noise, or no gradient at all."""
    if moments is None:
        return False
    if used & OF_NOISE:
        n = range(moments.covariance.rows)
        return all(_sign(moments.covariance[i, i], at) in {0, None} for i in n)
    if used & OF_GRADIENTS:
        return all(_sign(g, at) in {0, None} for row in moments.gradients for g in row)
    return False


def _text(value: sp.Expr, at: Point) -> str | None:
    """Return a value as text, None where there is none."""
    bounds = _enclosed(value, at)
    if bounds is None:
        return None
    if bounds[0] == bounds[1]:
        return str(bounds[0])
    return f"{sp.N(bounds[0], 20)}… (enclosed)"
