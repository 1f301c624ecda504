"""Alter statements: every number, switch and hypothesis that a claim's subject holds.

A subject that knows better defines `mutants()`, which yields (kind, words, subject);
one with fields that say where it is looked at, not what is said, `says()`, the names of
the others; an inequality `implies(other)`, for what is weaker and so as true.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from itertools import combinations
from types import ModuleType
from typing import Any

from verify._claim import Claim
from verify._mutants._mutant import Mutant, Restated
from verify._mutants._reasons import REASONS


Alteration = tuple[str, str, Any]  # kind, words, altered value
_NUMBERS = (int, float, Fraction)


def restated(claim: Claim) -> tuple[Mutant, ...]:
    """Return the mutants of a claim's statement; none where it should be REFUTED.

    Args:
        claim: any claim.

    Returns:
        One for each alteration of its subject, and the twin where it is none of them.
    """
    if not claim.expected.holds:
        return ()
    found = []
    for kind, words, value, graded in _alterations(claim.subject):
        name, apply = f"{claim.id}: {words}", Restated(value, graded)
        found.append(Mutant(name, kind, (claim.id,), apply, REASONS.get(name)))
    values = [m.apply.subject for m in found if isinstance(m.apply, Restated)]
    if not any(_same(claim.twin_subject, value) for value in values):
        twin = Restated(claim.twin_subject)
        found.append(Mutant(f"{claim.id}: twin", "hypothesis", (claim.id,), twin))
    return tuple(found)


def declared(package: ModuleType) -> tuple[Mutant, ...]:
    """Return the mutants that claim files offer themselves, in `MUTANTS`.

    Args:
        package: whose modules are the claim files.
    """
    modules = [m for m in vars(package).values() if inspect.ismodule(m)]
    return tuple(m for module in modules for m in getattr(module, "MUTANTS", ()))


_Graded = Callable[[Any], Any] | None


def _alterations(subject: Any) -> Iterator[tuple[str, str, Any, _Graded]]:
    own = getattr(subject, "mutants", None)
    if callable(own):
        for kind, words, value in own():
            yield kind, words, value, None
        return
    if is_dataclass(subject) and not isinstance(subject, type):
        yield from _of_fields(subject)
        return
    for kind, words, value in altered(subject):
        graded = _scaled if _is_number(subject) and subject else None
        yield kind, words, value, _bound(graded, subject)


def _of_fields(subject: Any) -> Iterator[tuple[str, str, Any, _Graded]]:
    """Alter one field at a time, and exchange any two numbers."""
    names = _said(subject)
    follows = getattr(subject, "implies", None)
    for name in names:
        value = getattr(subject, name)
        for kind, words, new in altered(value):
            if follows is not None and follows(replace(subject, **{name: new})):
                continue
            graded = _in_field(subject, name) if _is_number(value) and value else None
            yield kind, f"{name} {words}", replace(subject, **{name: new}), graded
    for one, other in combinations(names, 2):
        a, b = getattr(subject, one), getattr(subject, other)
        if _is_number(a) and type(a) is type(b) and a != b:
            swapped = replace(subject, **{one: b, other: a})
            yield "swap", f"{one} and {other} exchanged", swapped, None


def _said(subject: Any) -> tuple[str, ...]:
    """Return the fields that the statement's formula holds: those it names, or all."""
    names = getattr(subject, "says", None)
    if callable(names):
        return tuple(names())
    return tuple(field.name for field in fields(subject))


def _in_field(subject: Any, name: str) -> Callable[[Any], Any]:
    return lambda delta: replace(
        subject, **{name: _scaled(getattr(subject, name), delta)}
    )


def _bound(graded: Callable[[Any, Any], Any] | None, subject: Any) -> _Graded:
    return None if graded is None else lambda delta: graded(subject, delta)


def _scaled(value: Any, delta: Any) -> Any:
    return value * (1 + delta)


def altered(value: Any) -> tuple[Alteration, ...]:
    """Return the alterations of a number, a switch or a tuple of them.

    Args:
        value: part of a subject.

    Returns:
        Kind, words and altered value; nothing for what is none of these.

    >>> [new for _, _, new in altered(Fraction(1, 2))]
    [Fraction(-1, 2), Fraction(1, 1), Fraction(1, 4), Fraction(2, 1), Fraction(0, 1)]
    """
    if isinstance(value, bool):
        return (("hypothesis", f"{value} → {not value}", not value),)
    if isinstance(value, tuple):
        return tuple(
            (kind, f"[{i}] {words}", (*value[:i], new, *value[i + 1 :]))
            for i, item in enumerate(value)
            for kind, words, new in altered(item)
        )
    if not _is_number(value):
        return ()
    if not value:
        return (("added term", "0 → 1", type(value)(1)),)
    return tuple(_distinct(value, _of_number(value)))


def _of_number(value: Any) -> Iterator[Alteration]:
    yield "sign", "changes sign", -value
    yield "factor", "times 2", 2 * value
    if not isinstance(value, int):  # an integer power may stay one
        yield "factor", "times 1/2", value / 2
    yield "factor", "times 4", 4 * value
    yield "power", "squared", value * value
    yield "absolute value", "absolute value", abs(value)
    yield "dropped term", "dropped", 0 * value


def _distinct(value: Any, found: Iterable[Alteration]) -> Iterator[Alteration]:
    seen = [value]
    for kind, words, new in found:
        if new not in seen:
            seen.append(new)
            yield kind, words, new


def _is_number(value: Any) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
