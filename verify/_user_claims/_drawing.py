"""Instances of a claim: corners first, then drawn ones, special as well as generic."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

import hypothesis.strategies as st
import numpy as np
import sympy as sp
from hypothesis import reject

from symbolic import Declaration, Loss
from verify._exact import NotRational
from verify._instances import Instance
from verify._jets import Number, ball, precise
from verify._user_claims._exact_quantities import Exact, Place, place_of, side
from verify._user_claims._reading import MAX_BATCH, Condition, Reading
from verify._user_claims._relations import holds
from verify._user_claims._statement import UserClaim
from verify._user_claims._values import sign_of, usable, value_of


NO_INSTANCE = "No instance meets the conditions given."
_TRIES = 400
_ENOUGH = 5  # different points, where an equality leaves few
_BASES = 6  # points that meet the conditions, to start from
_LARGEST_BATCH = 10**6
_COUNTS = (2, 3, 1, 2, 4, 3)  # samples
_ETAS = (*map(Fraction, ("1/8", "1/20", "1/2", "2", "1/1000")),)
_DECAYS = (*map(Fraction, ("0", "1/4", "1/20", "1", "3")),)
_POSITIVE = st.builds(Fraction, st.integers(1, 40), st.integers(1, 20))
_SPECIAL = (*map(Fraction, (1, 2, -1, 0, 1, -2)),)
_SCALES = (*map(Fraction, ("1", "1", "1/8", "20")),)


def is_given(conditions: Sequence[Condition], instance: Instance) -> bool:
    """Return whether all conditions hold at an instance, beyond doubt.

    Args:
        conditions: what must hold.
        instance: where.
    """
    return all(_is_met(condition, instance) for condition in conditions)


def _is_met(condition: Condition, instance: Instance) -> bool:
    for lift in (Fraction, ball):
        try:
            with precise():
                return meets(condition, place_of(instance, lift))
        except NotRational:
            continue
    return False


def meets(condition: Condition, place: Place) -> bool:
    """Return whether a condition holds at a place, beyond doubt.

    Args:
        condition: what must hold.
        place: where.
    """
    quantities = Exact(place)
    left, right = (
        side(each, quantities, place) for each in (condition.left, condition.right)
    )
    if not usable(left, right):
        return False
    return holds(sign_of(left - right), condition.relation) is True


def solved(reading: Reading, values: dict[str, Number]) -> dict[str, Number]:
    """Return drawn numbers with those that an equality among the conditions gives.

    Args:
        reading: the claim.
        values: name → number of the parameter entries, gamma, eta and S.

    Returns:
        The numbers; a condition such as u == 2*w gives u.
    """
    found = dict(values)
    for condition in reading.given:
        if condition.relation != "==":
            continue
        sides = (condition.left, condition.right)
        for name, expression in (sides, sides[::-1]):
            known = {s.name for s in expression.free_symbols} <= set(found)
            movable = name.is_Symbol and name.name in found
            if not (movable and known) or name.name in reading.held:
                continue
            try:
                value = value_of(expression, lambda s: found[s.name])
            except NotRational:
                continue
            found[name.name] = value
            break
    return found


def assembled(
    reading: Reading, rows: Sequence[Sequence[Fraction]], values: dict[str, Number]
) -> Instance | None:
    """Return the instance of drawn numbers, or None where none may have them."""
    values = solved(reading, values | dict(reading.held))
    eta, gamma, S = values["eta"], values["gamma"], values["S"]
    if not (eta > 0 and gamma >= 0 and S >= 1 and S.denominator == 1):
        return None
    if _largest_batch(reading) < S:
        return None
    symbols = reading.declaration.space.symbols
    theta = tuple(values[symbol.name] for symbol in symbols)
    table = tuple(map(tuple, rows))
    return Instance(reading.declaration, table, theta, eta, gamma, int(S))


def _largest_batch(reading: Reading) -> int:
    """Return the largest S: where every minibatch is looked at, a small one."""
    looked_at = reading.function is not None or "exact_step" in reading.quantities
    return MAX_BATCH if looked_at else _LARGEST_BATCH


def _data(reading: Reading) -> tuple[sp.Symbol, ...]:
    loss = reading.declaration.loss
    return () if loss is None else loss.data.symbols


def corners(reading: Reading) -> tuple[Instance, ...]:
    """Return small instances by hand, where they are instances of the claim.

    Zero, equal and lopsided parameters, identity matrices and multiples of them, a
    point where J is 0, one sample, the same sample twice, and data that the point
    interpolates.

    Args:
        reading: the claim.
    """
    n, width = reading.declaration.space.size, len(_data(reading))
    one = Fraction(1)
    ramp, ones = [one * (1 + i) for i in range(n)], [one] * n
    others = [[0 * one] * n, [-one] * n, [100 * one, *ones[1:]], [one / 100, *ones[1:]]]
    others += _still_points(reading.declaration)
    others += _identities(reading.declaration)
    common = [[one] * width, [one * (1 + (j > 0)) for j in range(width)]]
    tables = [
        [[one] * width],
        [[one] * width, [one * (2 - 3 * (j % 2)) for j in range(width)]],
        [[one] * width] * 2,
    ]
    pairs = [(point, common) for point in (ramp, ones, *others)]
    pairs += [(point, rows) for point in (ramp, ones) for rows in tables]
    found: list[Instance] = []
    for gamma in (0 * one, one):
        for point, rows in pairs:
            values: dict[str, Number] = _named(reading.declaration, point)
            values |= {"eta": one / 2, "gamma": gamma, "S": one}
            instance = assembled(reading, _held_rows(reading, rows), values)
            if instance is not None:
                found.append(instance)
                if rows is common:
                    found += filter(None, [interpolated(reading, instance)])
    met = (each for each in dict.fromkeys(found) if is_given(reading.given, each))
    return tuple(met)


def _identities(declaration: Declaration) -> list[list[Fraction]]:
    """Return identity matrices for all parameters, also with one of them doubled."""
    items = declaration.space.items
    if all(len(shape) < 2 for _, shape in items):
        return []
    blocks = [
        [Fraction(int(len(set(place)) <= 1)) for place in np.ndindex(*map(int, shape))]
        for _, shape in items
    ]
    points = []
    for doubled in (None, *range(len(blocks))):
        scaled = [
            [(1 + (k == doubled)) * entry for entry in block]
            for k, block in enumerate(blocks)
        ]
        points.append([entry for block in scaled for entry in block])
    return points


def _still_points(declaration: Declaration) -> list[list[Fraction]]:
    """Return a point other than 0 where an affine J is 0, if there is one."""
    symmetry = declaration.symmetry
    if symmetry.matrix is None or not any(symmetry.offset):
        return []
    symbols = list(declaration.space.symbols)
    for solution in sp.linsolve(list(symmetry.generator), symbols):
        point = [
            entry.xreplace(dict.fromkeys(symbols, sp.S.Zero)) for entry in solution
        ]
        if all(entry.is_Rational for entry in point):
            return [[Fraction(int(entry.p), int(entry.q)) for entry in point]]
    return []


@lru_cache(maxsize=64)
def _stationary(loss: Loss) -> tuple[sp.Symbol, sp.Expr] | None:
    """Return one of the data with the value at which the loss is stationary in it."""
    for symbol in reversed(loss.data.symbols):
        slope = loss.expression.diff(symbol)
        poly = slope.as_poly(symbol)
        if poly is not None and poly.degree() == 1:
            a, b = poly.all_coeffs()
            if a.is_Rational:
                return symbol, -b / a
    return None


def interpolated(reading: Reading, instance: Instance) -> Instance | None:
    """Return an instance with data that its point fits, or None where none is found.

    Args:
        reading: the claim.
        instance: where to start.
    """
    loss = instance.declaration.loss
    found = None if loss is None else _stationary(loss)
    if loss is None or found is None or found[0].name in reading.data:
        return None
    symbol, formula = found
    j = loss.data.symbols.index(symbol)
    rows = []
    for row in instance.samples:
        known = dict(zip(loss.data.symbols, row, strict=True))
        known |= dict(zip(loss.space.symbols, instance.theta, strict=True))
        try:
            fitted = value_of(formula, known.__getitem__)
        except NotRational:
            return None
        rows.append((*row[:j], fitted, *row[j + 1 :]))
    return instance.with_(samples=tuple(rows))


def _named(declaration: Declaration, point: Sequence[Fraction]) -> dict[str, Number]:
    names = (symbol.name for symbol in declaration.space.symbols)
    return dict(zip(names, point, strict=True))


def _held_rows(
    reading: Reading, rows: Sequence[Sequence[Fraction]]
) -> list[list[Fraction]]:
    """Return rows of data with the entries that are held put in."""
    if not reading.data:
        return [list(row) for row in rows]
    N = len(next(iter(reading.data.values())))
    filled = [list(rows[k % len(rows)]) for k in range(N)]
    for j, symbol in enumerate(_data(reading)):
        if symbol.name in reading.data:
            for k in range(N):
                filled[k][j] = reading.data[symbol.name][k]
    return filled


def has_instances(reading: Reading) -> bool:
    """Return whether an instance of a claim is found at all, in a bounded search.

    Args:
        reading: the claim.
    """
    if not reading.given:
        return True
    return bool(_bases(reading)) or bool(corners(reading))


def _bases(reading: Reading) -> tuple[Instance, ...]:
    """Return a few points that meet the conditions of a claim, if any is found."""
    held = tuple(reading.held.items())
    return _found(reading.given, reading.declaration, held)


@lru_cache(maxsize=64)
def _found(
    given: tuple[Condition, ...],
    declaration: Declaration,
    held: tuple[tuple[str, Fraction], ...],
) -> tuple[Instance, ...]:
    """Return those of `_TRIES` points that meet the conditions, a few at most."""
    claim = UserClaim("mine.search", 0, "==", 0)
    sides = (sp.S.Zero, sp.S.Zero, "==")
    rest = (sp.S.Zero, Fraction(0), Fraction(1, 2))
    reading = Reading(claim, declaration, *sides, given, dict(held), {}, *rest)
    rng, n = random.Random(0), declaration.space.size
    found: dict[Instance, None] = {}
    width = len(_data(reading))
    for _ in range(_TRIES):
        special = rng.random() < 0.5
        numbers = _SPECIAL if special else tuple(Fraction(k, 2) for k in range(-9, 10))
        values = _named(declaration, rng.choices(numbers, k=n))
        values |= {"eta": rng.choice(_ETAS), "gamma": rng.choice(_DECAYS)}
        values["S"] = Fraction(rng.randint(1, MAX_BATCH - 1))
        rows = [rng.choices(numbers, k=width) for _ in range(rng.choice(_COUNTS))]
        instance = assembled(reading, rows, values)
        if instance is not None and is_given(given, instance):
            found[instance] = None
            if len(found) == _BASES:
                break
    return tuple(found)


@st.composite
def claim_instances(draw: st.DrawFn, reading: Reading) -> Instance:
    """Draw an instance of a claim.

    Half of the points, and of the data, are of 0, ±1 and ±2, so that what holds only
    at generic points does not pass; the others have no zeros, and now and then another
    scale.

    Args:
        draw: Hypothesis' draw.
        reading: the claim.

    Returns:
        An instance at which its conditions hold.
    """
    n, width = reading.declaration.space.size, len(_data(reading))
    point = draw(_numbers(n, zeros=False))
    N = draw(st.sampled_from(_COUNTS))
    flat = draw(_numbers(N * width, zeros=True))
    rows = [flat[k * width : (k + 1) * width] for k in range(N)]
    values = _named(reading.declaration, point)
    values |= {
        "eta": draw(st.one_of(st.sampled_from(_ETAS), _POSITIVE)),
        "gamma": draw(st.one_of(st.sampled_from(_DECAYS), _POSITIVE)),
        "S": Fraction(draw(st.integers(1, MAX_BATCH - 1))),
    }
    instance = assembled(reading, _held_rows(reading, rows), values)
    if instance is not None and draw(st.integers(0, 7)) == 7:
        instance = interpolated(reading, instance) or instance
    if instance is not None and not is_given(reading.given, instance):
        bases = _bases(reading)
        base = draw(st.sampled_from(bases)) if bases else instance
        instance = _across(reading, base, instance)
    if instance is None or not is_given(reading.given, instance):
        reject()
    return instance


def _across(reading: Reading, base: Instance, towards: Instance) -> Instance | None:
    """Return where the line from a point on a quadric meets the quadric once more.

    So that conditions such as u² + w² = 1 are met at points of all kinds. Along the
    line from θ₀, where left = right, the difference is at + bt².

    Args:
        reading: the claim.
        base: where its conditions hold.
        towards: says the direction, and everything but θ.
    """
    start = base.theta
    step = [b - a for a, b in zip(start, towards.theta, strict=True)]

    def at(t: Fraction) -> Instance:
        theta = tuple(a + t * d for a, d in zip(start, step, strict=True))
        return towards.with_(theta=theta)

    for condition in reading.given:
        if condition.relation != "==" or is_given([condition], towards):
            continue
        try:
            one, two = (_difference(condition, at(Fraction(t))) for t in (1, 2))
        except NotRational:
            return None
        bend = (two - 2 * one) / 2
        return at(1 - one / bend) if bend else None
    return None


def _difference(condition: Condition, instance: Instance) -> Fraction:
    """Return left less right.

    Raises:
        NotRational: where that is no rational number.
    """
    place = place_of(instance, Fraction)
    quantities = Exact(place)
    left, right = (
        side(each, quantities, place) for each in (condition.left, condition.right)
    )
    if not (isinstance(left, Fraction) and isinstance(right, Fraction)):
        raise NotRational("a condition is not rational")
    return left - right


@st.composite
def _numbers(draw: st.DrawFn, count: int, *, zeros: bool) -> list[Fraction]:
    """Draw numbers: all special, or all ordinary and of one scale."""
    if draw(st.booleans()):
        special = st.sampled_from(_SPECIAL)
        return draw(st.lists(special, min_size=count, max_size=count))
    ordinary = st.builds(Fraction, st.integers(-6, 6), st.sampled_from((1, 2, 3)))
    ordinary = ordinary if zeros else ordinary.filter(bool)
    scale = draw(st.sampled_from(_SCALES))
    drawn = draw(st.lists(ordinary, min_size=count, max_size=count))
    return [scale * each for each in drawn]


class Points:
    """The points at which a claim held, where its conditions may leave few.

    Attributes:
        few: why they say little; "" where they do not.
    """

    def __init__(self, reading: Reading) -> None:
        """Begin with none."""
        names = {symbol.name for symbol in reading.declaration.space.symbols}
        equal = any(condition.relation == "==" for condition in reading.given)
        self._counts = equal and not names <= set(reading.held)
        self._met: set[tuple[Number, ...]] = set()

    def add(self, instance: Instance) -> None:
        """Note where it held."""
        self._met.add(instance.theta)

    @property
    def few(self) -> str:
        """Why so few points say little, "" where there are enough."""
        if not self._counts or len(self._met) >= _ENOUGH:
            return ""
        return (
            f"It holds at {len(self._met)} points, the only ones found to meet the "
            f"conditions; {_ENOUGH} would do."
        )


FACTORS = (*map(Fraction, ("2", "1/2", "-1", "0", "9/8", "8", "1/8")),)


def cells_of(instance: Instance) -> int:
    """Return how many numbers `neighbour` can change."""
    return len(instance.theta) + 3 + sum(map(len, instance.samples))


def neighbour(
    reading: Reading, instance: Instance, chosen: int, factor: Fraction
) -> Instance | None:
    """Return an instance with one number multiplied, or None where it is none.

    Args:
        reading: the claim.
        instance: where to start.
        chosen: which number.
        factor: by what.
    """
    values: dict[str, Number] = _named(reading.declaration, instance.theta)
    values |= {"eta": instance.eta, "gamma": instance.gamma}
    values["S"] = Fraction(instance.batch_size)
    rows = [list(row) for row in instance.samples]
    if chosen < len(values):
        values[list(values)[chosen]] *= factor
    else:
        k, j = divmod(chosen - len(values), len(_data(reading)))
        rows[k][j] *= factor
    moved = assembled(reading, _held_rows(reading, rows), values)
    if moved is None:
        return None
    numbers = (
        *moved.theta,
        moved.eta,
        moved.gamma,
        *(v for r in moved.samples for v in r),
    )
    if any(max(abs(v.numerator), v.denominator).bit_length() > 60 for v in numbers):
        return None
    return moved if is_given(reading.given, moved) else None


def simpler(reading: Reading, instance: Instance) -> Iterator[Instance]:
    """Yield instances of a claim that are easier to check by hand than one.

    Args:
        reading: the claim.
        instance: what to make simple.

    Yields:
        With a sample less, or with one number 0, 1 or shorter.
    """
    rows = [list(row) for row in instance.samples]
    values: dict[str, Number] = _named(reading.declaration, instance.theta)
    values |= {"eta": instance.eta, "gamma": instance.gamma}
    values["S"] = Fraction(instance.batch_size)
    tried: list[tuple[list[list[Fraction]], dict[str, Number]]] = []
    if not reading.data:
        tried += [(rows[:k] + rows[k + 1 :], values) for k in range(len(rows) - 1)]
    for name, value in values.items():
        tried += [(rows, values | {name: each}) for each in _shorter(value)]
    for k, row in enumerate(rows):
        for j, value in enumerate(row):
            for each in _shorter(value):
                changed = [list(other) for other in rows]
                changed[k][j] = each
                tried.append((changed, values))
    for table, numbers in tried:
        made = assembled(reading, _held_rows(reading, table), numbers)
        if made is not None and made != instance and is_given(reading.given, made):
            yield made


def _shorter(value: Fraction) -> tuple[Fraction, ...]:
    """Return simpler numbers than one, the simplest first."""
    near = Fraction(round(value))
    tried = (Fraction(0), Fraction(1), near, value.limit_denominator(4))
    return tuple(each for each in dict.fromkeys(tried) if _size(each) < _size(value))


def _size(value: Fraction) -> int:
    return abs(value.numerator) + 3 * value.denominator + (value < 0)
