"""The exact route: both sides at drawn instances, by dual numbers and whole steps."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from symbolic import Verdict, Witness
from verify._context import Context, Counterexample
from verify._evidence import Evidence
from verify._exact import NotRational
from verify._instances import Instance
from verify._jets import RESOLVED, Number, ball, precise, vanishes
from verify._user_claims._available import OF_GRADIENTS, OF_NOISE
from verify._user_claims._derived_route import second_look
from verify._user_claims._drawing import (
    FACTORS,
    NO_INSTANCE,
    Points,
    cells_of,
    claim_instances,
    corners,
    has_instances,
    meets,
    neighbour,
    simpler,
)
from verify._user_claims._exact_quantities import Exact, Place, place_of, side
from verify._user_claims._functions import At, result_of, used_by
from verify._user_claims._orbits import moved, moved_exactly
from verify._user_claims._reading import Reading
from verify._user_claims._relations import as_order, holds
from verify._user_claims._statement import MONOTONE
from verify._user_claims._values import sign_of, usable
from verify._user_claims._witness import described


ROUTE = "dual numbers"
_CLIMBS = 3  # neighbours tried for each instance planned
_SIMPLER = 150  # instances tried to make a counterexample small
_FARTHER = (Fraction(3, 2), Fraction(4), Fraction(2, 3))  # e^λ, λ, factors


@dataclass(frozen=True, slots=True)
class Outcome:
    """Both sides at an instance.

    Attributes:
        left: the left side, or the quantity at the nearer point.
        right: the right side, or the quantity at the farther point.
        relation: what is claimed of them.
        degenerate: whether the instance says nothing.
        ends: the instance, or the two it was moved between; () where one is no
            instance with rational numbers.
        where: what was moved, for the reader.
    """

    left: Number
    right: Number
    relation: str
    degenerate: bool
    ends: tuple[Instance, ...]
    where: str = ""

    @property
    def verdict(self) -> bool | None:
        """Return whether it holds, None where that is undecided."""
        return holds(sign_of(self.left - self.right), self.relation)


def outcomes(reading: Reading, instance: Instance) -> tuple[Outcome, ...]:
    """Return both sides at an instance, at several pairs of points where it is moved.

    Args:
        reading: the claim.
        instance: where.

    Returns:
        What could be worked out; nothing where a side is undefined.

    Raises:
        NotRational: where nothing could be, saying why.
    """
    with precise():
        if reading.relation not in MONOTONE:
            return (_compared(reading, instance),)
        found = (_ordered(reading, instance, by) for by in _FARTHER)
        return tuple(outcome for outcome in found if outcome is not None)


def _compared(reading: Reading, instance: Instance) -> Outcome:
    reason = "the sides are not resolved"
    for lift in (Fraction, ball):
        try:
            place = place_of(instance, lift)
            left, relation, right, used = _sides(reading, place)
        except NotRational as error:
            reason = str(error)
            continue
        if usable(left, right):
            still = _is_degenerate(used, place)
            return Outcome(left, right, relation, still, (instance,))
    raise NotRational(reason)


def _sides(
    reading: Reading, place: Place
) -> tuple[Number, str, Number, AbstractSet[str]]:
    quantities = Exact(place)
    if reading.function is not None:
        at = At(reading.declaration, quantities)
        result = result_of(reading.function, at, altered=reading.altered)
        return *result, used_by(at)
    left, right = (
        side(each, quantities, place) for each in (reading.left, reading.right)
    )
    return left, reading.relation, right, reading.quantities


def _ordered(reading: Reading, instance: Instance, by: Fraction) -> Outcome | None:
    for lift in (Fraction, ball):
        try:
            ends = [_end(reading, instance, lift, far, by) for far in (False, True)]
            if not all(meets(each, end) for end in ends for each in reading.given):
                return None
            left, right = (side(reading.left, Exact(place), place) for place in ends)
        except (NotRational, _NowhereError):
            continue
        if usable(left, right):
            still = _is_degenerate(reading.quantities, ends[0])
            way = "forward" if by > 1 else "back"
            where = f"moved {way} along {reading.claim.along} ({by})"
            rational = not any(place.elsewhere for place in ends)
            pair = tuple(place.instance for place in ends) if rational else ()
            return Outcome(left, right, reading.relation, still, pair, where)
    return None


class _NowhereError(ValueError):
    """There is no second point in these numbers."""


def _end(
    reading: Reading, instance: Instance, lift: Any, far: bool, by: Fraction
) -> Place:
    """Return the nearer or the farther of two points, by how much it is moved.

    Raises:
        _NowhereError: where there is none.
    """
    along, forward = reading.claim.along, by > 1
    here = place_of(instance, Fraction) if along == "orbit" else None
    if here is not None and not any(here.field()):
        return here  # nothing moves
    if far != forward:  # by < 1 moves back: the instance is then the farther one
        return place_of(instance, lift)
    if along == "orbit":
        point = moved_exactly(instance, by)
        if point is not None:
            return place_of(instance.with_(theta=point), lift)
        if lift is Fraction:
            raise _NowhereError
        lam = by if forward else by - 1
        return place_of(instance, lift, moved(instance, lam))
    return place_of(_changed(reading, instance, by), lift)


def _changed(reading: Reading, instance: Instance, by: Fraction) -> Instance:
    """Return the instance with one number larger (by > 1) or smaller.

    Raises:
        _NowhereError: where it cannot be.
    """
    along, forward = reading.claim.along, by > 1
    if along in {"S", "sigma2"}:
        up = forward if along == "S" else not forward
        S = instance.batch_size + (int(by) if up else -1)
        if S < 1:
            raise _NowhereError
        return instance.with_(batch_size=S)
    if along == "eta":
        return instance.with_(eta=instance.eta * by)
    if along == "gamma":
        gamma = instance.gamma + (by if forward else -by)
        if gamma < 0:
            raise _NowhereError
        return instance.with_(gamma=gamma)
    names = [symbol.name for symbol in instance.declaration.space.symbols]
    step = by if forward else -by
    theta = list(instance.theta)
    theta[names.index(along)] += step
    return instance.with_(theta=tuple(theta))


def _is_degenerate(used: AbstractSet[str], place: Place) -> bool:
    """Return whether an instance says nothing: no noise, or no gradient at all."""
    if used & OF_NOISE and place.gradients:
        return all(vanishes(entry) for c in place.centred for entry in c)
    if used & OF_GRADIENTS and place.gradients:
        return all(vanishes(entry) for g in place.gradients for entry in g)
    return False


class Tally:
    """What an exact route saw, and the check it runs on each instance."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.checked = self.degenerate = self.skipped = self.undecided = 0
        self.balls = False
        self.reason = ""
        self.points = Points(reading)
        self.nearest: tuple[float, Instance] | None = None

    def __call__(self, instance: Instance) -> None:
        """Check an instance.

        Raises:
            Counterexample: where the claim fails.
        """
        try:
            found = outcomes(self._reading, instance)
        except NotRational as error:
            found, self.reason = (), str(error)
        self.skipped += not found
        for outcome in found:
            verdict = outcome.verdict
            if verdict is None:  # enclosures never tell that two sides are equal
                verdict = second_look(self._reading, outcome.ends)
            self.balls |= not isinstance(outcome.left, Fraction)
            if verdict is False:
                raise Counterexample(witness_of(outcome, instance), instance, outcome)
            self.undecided += verdict is None
            if verdict:
                self.checked += 1
                self.points.add(instance)
                self.degenerate += outcome.degenerate
                self._note(outcome, instance)

    def _note(self, outcome: Outcome, instance: Instance) -> None:
        slack = slack_of(outcome)
        if slack is not None and (self.nearest is None or slack < self.nearest[0]):
            self.nearest = slack, instance


def slack_of(outcome: Outcome) -> float | None:
    """Return how far an inequality is from failing, relative to its sides."""
    order = as_order(outcome.relation)
    if order in {"==", "!="}:
        return None
    try:
        left, right = float(outcome.left), float(outcome.right)
    except OverflowError:
        return None
    size = abs(left) + abs(right)
    room = right - left if order in {"<", "<="} else left - right
    return room / size if size else 0.0


def witness_of(outcome: Outcome, instance: Instance) -> Witness:
    """Return a counterexample as everything needed to check it by hand."""
    values = described(instance)
    if outcome.where:
        values["then"] = outcome.where
    texts = [_text(value) for value in (outcome.left, outcome.right)]
    return Witness(values, texts[0], texts[1], exact=True)


def _text(value: Number) -> str:
    if isinstance(value, Fraction):
        return str(value)
    return f"{value.str(20, radius=False)}… (enclosed)"


def dual_numbers(reading: Reading, context: Context) -> Evidence:
    """Check a claim at corners, drawn instances, and neighbours of the tightest.

    Args:
        reading: the claim.
        context: profile and streams.

    Returns:
        SUPPORTED, REFUTED with the smallest instance found, or INCONCLUSIVE.
    """
    if not has_instances(reading):
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, NO_INSTANCE)
    tally = Tally(reading)
    failure: BaseException | None = _failure(tally, corners(reading))
    if failure is None:
        strategy, count = claim_instances(reading), context.profile.exact
        search = replace(context, shrink=False)  # `simplest` does, in bounded time
        failure = search.examine(strategy, tally, count, ROUTE)
    if failure is None and not reading.altered:
        failure = climbed(tally, reading, context)
    if failure is None:
        return summed(tally, ROUTE)
    return _refuted(reading, tally, simplest(reading, failure))


def _failure(tally: Tally, instances: tuple[Instance, ...]) -> Counterexample | None:
    for instance in instances:
        try:
            tally(instance)
        except Counterexample as failure:
            return failure
    return None


def simplest(reading: Reading, failure: BaseException) -> BaseException:
    """Return the simplest counterexample that a few changes lead to.

    Args:
        reading: the claim.
        failure: where it fails.
    """
    if reading.altered:
        return failure
    left, improved = _SIMPLER, True
    while improved and left > 0:
        improved = False
        for instance in simpler(reading, failure.args[1]):
            left -= 1
            found = _failure(Tally(reading), (instance,))
            if found is not None:
                failure, improved = found, True
                break
            if left <= 0:
                break
    return failure


def climbed(tally: Tally, reading: Reading, context: Context) -> Counterexample | None:
    """Try neighbours of the instance where an inequality was nearest to failing.

    Args:
        tally: what was seen so far.
        reading: the claim.
        context: profile and streams.

    Returns:
        A counterexample, or None.
    """
    rng, again = context.rng("climb"), None
    for _ in range(_CLIMBS * context.profile.exact):
        if tally.nearest is None:
            return None
        best, start = tally.nearest
        chosen = int(rng.integers(cells_of(start))), int(rng.integers(len(FACTORS)))
        if again is not None and again[0] < cells_of(start):
            chosen = again  # what helped once is tried again
        instance = neighbour(reading, start, chosen[0], FACTORS[chosen[1]])
        if instance is not None:
            failure = _failure(tally, (instance,))
            if failure is not None:
                return failure
        again = chosen if tally.nearest[0] < best else None
    return None


def _refuted(reading: Reading, tally: Tally, failure: BaseException) -> Evidence:
    """Return a refutation, and what a second evaluation says of its counterexample."""
    witness, _, outcome = failure.args
    balls = not isinstance(outcome.left, Fraction)
    how = "by enclosures of both sides" if balls else "in exact rational arithmetic"
    # A twin's counterexample is only there to be one.
    again = None if reading.altered else second_look(reading, outcome.ends)
    stands = "; the derived formulas say the same" if again is False else ""
    if again is True:
        stands = (
            "; the derived formulas say that it holds there: a defect of this "
            "toolkit, please report it"
        )
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        f"It fails at an instance, {how}{stands}.",
        instances=tally.checked + 1,
        counterexample=witness,
    )


def summed(tally: Tally, route: str) -> Evidence:
    """Return the evidence of a route that met no counterexample.

    Args:
        tally: what it saw.
        route: its name.
    """
    seen = tally.checked + tally.skipped + tally.undecided
    if not seen:
        return Evidence(route, Verdict.INCONCLUSIVE, NO_INSTANCE)
    if not tally.checked:
        why = (
            "the two sides are too close to tell"
            if tally.undecided
            else f"a side has no value: {tally.reason or 'nothing to move to'}"
        )
        return Evidence(
            route, Verdict.INCONCLUSIVE, f"At each of {seen} instances {why}."
        )
    if tally.checked <= tally.degenerate:
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            f"All {tally.checked} instances are degenerate: no noise, no gradient.",
            instances=tally.checked,
            degenerate=tally.degenerate,
        )
    if tally.points.few:
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            tally.points.few,
            instances=tally.checked,
            degenerate=tally.degenerate,
        )
    parts = [f"It holds at {tally.checked} instances"]
    parts += [f"{tally.degenerate} of them degenerate"] if tally.degenerate else []
    parts += [f"undecided at {tally.undecided}"] if tally.undecided else []
    parts += [f"undefined at {tally.skipped}"] if tally.skipped else []
    resolution = 2.0**-RESOLVED if tally.balls else 0.0
    return Evidence(
        route,
        Verdict.SUPPORTED,
        ", ".join(parts) + ".",
        instances=tally.checked,
        degenerate=tally.degenerate,
        tolerance=resolution,
        detectable=resolution,
    )
