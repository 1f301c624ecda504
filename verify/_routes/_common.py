"""What the routes share: running over declarations and drawn instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeVar

import sympy as sp
from hypothesis.strategies import SearchStrategy

from symbolic import (
    Declaration,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    Witness,
    any_symmetric,
    catalogue,
    compare,
    symbolic_catalogue,
)
from verify._context import Context, Counterexample
from verify._evidence import Evidence
from verify._instances import Instance
from verify._strategies import instances


class Describable(Protocol):
    """What an exact route runs on: it can say what it is, to be checked by hand."""

    def describe(self) -> dict[str, str]:
        """Return names → values."""


_T = TypeVar("_T", bound=Describable)


@dataclass(frozen=True, slots=True)
class Factors:
    """Numbers in a claimed law: Ċ = decay·γC + noise·σ²Tr[ΣA]."""

    decay: Fraction = Fraction(-4)
    noise: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a relation on one instance, exactly.

    Attributes:
        left: the left-hand side.
        right: the right-hand side.
        degenerate: whether the instance makes the statement trivial.
        case: the instance meant where it is not the one drawn.
    """

    left: Fraction
    right: Fraction
    degenerate: bool = False
    case: Describable | None = None


def declarations_of(context: Context) -> tuple[Declaration, ...]:
    """Return the declarations under test: the subject, or what is built in.

    Of the latter, those that the profile has the time for; words of matrices and exact
    instances do not depend on the number of parameters.

    Returns:
        At least those of two parameters.
    """
    if context.subject is not None:
        return context.subject
    every_A = (any_symmetric(n) for n in range(1, 6))
    built_in = (*catalogue(), *symbolic_catalogue(), *every_A)
    most = context.profile.parameters
    return tuple(d for d in built_in if len(d.space.symbols) <= most)


def symbolic_evidence(
    route: str,
    rows: Iterable[tuple[str, sp.Expr, sp.Expr]],
    what: str,
    steps: tuple[str, ...] = (),
) -> Evidence:
    """Compare two expressions for each declaration: all proved, or one refuted.

    Args:
        route: the route's name.
        rows: (label, left, right).
        what: what was compared, for the summary.
        steps: the argument.

    Returns:
        PROVED for the declarations named, REFUTED with the first witness, or
        INCONCLUSIVE naming what is undecided.
    """
    labels: list[str] = []
    undecided: list[str] = []
    for label, left, right in rows:
        finding = compare(left, right)
        if finding.verdict is Verdict.REFUTED and finding.witness is not None:
            witness = finding.witness
            at = Witness(
                {"declaration": label, **witness.values},
                witness.left,
                witness.right,
                witness.exact,
            )
            return Evidence(
                route,
                Verdict.REFUTED,
                f"{what}: the two sides differ for {label}.",
                instances=len(labels) + 1,
                counterexample=at,
            )
        labels.append(label)
        if finding.verdict is not Verdict.PROVED:
            undecided.append(label)
    names = tuple(dict.fromkeys(labels))
    if not labels:
        return Evidence(
            route, Verdict.NOT_APPLICABLE, f"{what}: no declaration applies."
        )
    if undecided:
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            f"{what}: no normal form decides {undecided[0]}.",
            instances=len(labels),
        )
    return Evidence(
        route,
        Verdict.PROVED,
        f"{what}: equal as expressions, for {len(labels)} identities over "
        f"{len(names)} declarations.",
        instances=len(labels),
        steps=(*steps, "Declarations: " + "; ".join(names) + "."),
    )


def exact_evidence(
    route: str,
    sides: Callable[[Instance], Sides | None],
    context: Context,
    what: str,
    *,
    examples: tuple[Instance, ...] = (),
    min_samples: int = 1,
    relation: Callable[[Fraction, Fraction], bool] = Fraction.__eq__,
    shown: tuple[str, str] = ("{}", "{}"),
) -> Evidence:
    """Check a relation in exact rationals on what is drawn for the subject.

    Args:
        route: the route's name.
        sides: both sides on an instance, or None where it does not apply.
        context: profile and streams.
        what: what was compared.
        examples: instances tried first, so that a counterexample is short.
        min_samples: the least number of samples of drawn data.
        relation: what must hold between left and right.
        shown: how the two sides of a counterexample read.

    Returns:
        SUPPORTED (exact on each instance, drawn at random), or REFUTED.
    """
    return drawn_evidence(
        route,
        sides,
        instances(subject=context.subject, min_samples=min_samples),
        context,
        what,
        examples=examples if context.subject is None else (),
        relation=relation,
        shown=shown,
    )


def drawn_evidence(
    route: str,
    sides: Callable[[_T], Sides | None],
    strategy: SearchStrategy[_T],
    context: Context,
    what: str,
    *,
    examples: tuple[_T, ...] = (),
    relation: Callable[[Fraction, Fraction], bool] = Fraction.__eq__,
    shown: tuple[str, str] = ("{}", "{}"),
    arithmetic: str = "rational",
    tolerance: float = 0.0,
) -> Evidence:
    """Check a relation in exact rationals on examples and on drawn instances.

    Args:
        route: the route's name.
        sides: both sides on an instance, or None where it does not apply.
        strategy: what to draw from.
        context: profile and streams.
        what: what was compared.
        examples: instances tried first, so that a counterexample is short.
        relation: what must hold between left and right.
        shown: how the two sides of a counterexample read.
        arithmetic: which arithmetic `sides` uses, for the summary.
        tolerance: how far apart equal sides may be in it; 0 for rationals.

    Returns:
        SUPPORTED (exact on each instance, drawn at random), or REFUTED.
    """
    tally = {"checked": 0, "degenerate": 0, "skipped": 0}

    def check(instance: _T) -> None:
        result = sides(instance)
        if result is None:
            tally["skipped"] += 1
            return
        tally["checked"] += 1
        tally["degenerate"] += int(result.degenerate)
        if not relation(result.left, result.right):
            raise Counterexample(
                Witness(
                    (result.case or instance).describe(),
                    shown[0].format(result.left),
                    shown[1].format(result.right),
                    exact=True,
                )
            )

    failure = _first_failure(check, examples)
    if failure is None:
        failure = context.examine(strategy, check, context.profile.exact, route)
    if failure is not None:
        return Evidence(
            route,
            Verdict.REFUTED,
            f"{what}: fails in exact {arithmetic} arithmetic.",
            instances=tally["checked"],
            counterexample=failure.args[0],
        )
    if tally["checked"] <= tally["degenerate"]:
        return Evidence(
            route,
            Verdict.NOT_APPLICABLE,
            f"{what}: none of {tally['checked'] + tally['skipped']} instances applies.",
        )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{what}: holds exactly, in {arithmetic} arithmetic, on every one of "
        f"{tally['checked']} instances drawn.",
        instances=tally["checked"],
        degenerate=tally["degenerate"],
        tolerance=tolerance,
    )


def _first_failure(
    check: Callable[[_T], None], examples: tuple[_T, ...]
) -> BaseException | None:
    for example in examples:
        try:
            check(example)
        except Counterexample as error:
            return error
    return None


def numeric_evidence(
    route: str, rows: Iterable[tuple[Instance, float, float, float]], what: str
) -> Evidence:
    """Compare floats within derived tolerances.

    Args:
        route: the route's name.
        rows: (instance, left, right, tolerance).
        what: what was compared.

    Returns:
        SUPPORTED with the largest relative tolerance, or REFUTED.
    """
    count, coarsest = 0, 0.0
    for instance, left, right, tolerance in rows:
        count += 1
        if not abs(left - right) <= tolerance:
            witness = Witness(instance.describe(), repr(left), repr(right), exact=False)
            return Evidence(
                route,
                Verdict.REFUTED,
                f"{what}: differ by more than rounding.",
                instances=count,
                counterexample=witness,
            )
        if right:
            coarsest = max(coarsest, tolerance / abs(right))
    if not count:
        return Evidence(route, Verdict.NOT_APPLICABLE, f"{what}: no instance applies.")
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{what}: equal to rounding on {count} instances.",
        instances=count,
        tolerance=coarsest,
        detectable=coarsest,
    )


def in_general(context: Context) -> str:
    """Return what to say of a counterexample that is not the user's declaration."""
    if context.subject is None:
        return ""
    return " The counterexample is to the general statement, not the declaration's own."


def by_hand(
    expression: sp.Expr,
    A: list[list[int]],
    samples: tuple[tuple[int, int], ...],
    theta: tuple[Fraction | int, ...],
    *,
    eta: Fraction = Fraction(1, 2),
    gamma: Fraction = Fraction(0),
    batch_size: int = 1,
) -> Instance:
    """Return a small instance in parameters u, w and data x, y."""
    space = ParameterSpace(u=(), w=())
    loss = Loss(expression, space, data={"x": (), "y": ()})
    declaration = Declaration("by hand", space, Symmetry.exponential(space, A), loss)
    rows = tuple(tuple(map(Fraction, row)) for row in samples)
    return Instance(
        declaration, rows, tuple(map(Fraction, theta)), eta, gamma, batch_size
    )
