"""The part of a charge that a step no longer conserves at first order.

With θ' = θ − u the charge moves by −u·J + ½uᵀAu. A symmetry cancels c g·J for every
scalar c, so what is left at first order is −(u − cg)·J: the defect of the optimiser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import sympy as sp

from symbolic._exact.equality import compare
from symbolic._laws.ito import dot, eta, gamma
from symbolic._optimisers.algebra import LinearOptimiser, g, theta
from symbolic._optimisers.law import DiscreteLaw, Setting, Vector, unfolded
from symbolic._verdict import Finding, Verdict, Witness


Definitions = Mapping[sp.Symbol, sp.Expr]
_TYPICAL = {"alpha": "9/10", "beta1": "9/10", "beta2": "99/100", "eps": "1/100"}
_HISTORY = "m and v are running means of gradients with g.J = 0"


@lru_cache(maxsize=2)
def along_direction(*, decoupled: bool) -> LinearOptimiser:
    """Return θ' = θ − ηu for a direction u written g, with or without decay.

    Its laws, the term in g·J kept, hold for any u in the place of g.
    """
    kept = (1 - 2 * eta * gamma) * theta if decoupled else theta
    return LinearOptimiser("direction", kept - eta * g)


def defect_vanishes(case: Setting, defect: sp.Expr, where: Definitions) -> Finding:
    """Decide whether a defect is 0 wherever g·J = 0.

    g·J = 0 is solved for the component of g at the pivot, where J is not 0. The first
    step without decay is probed before running means and constants are left free.

    Args:
        case: the symmetry.
        defect: the defect, in θ, g and what `where` defines.
        where: symbol → what it stands for.

    Returns:
        PROVED, REFUTED with θ and g that have g·J = 0 as witness, or INCONCLUSIVE.
    """
    k = case.pivot
    if case.J[k].is_zero:
        return compare(unfolded(defect, where), sp.S.Zero)
    forced = _forced(case, case.g)
    full, past = unfolded(defect, where), _history(case)
    reduced = full.xreplace(past).xreplace({case.g[k]: forced})
    finding, usual = Finding(Verdict.INCONCLUSIVE, "nothing was probed"), {}
    for usual in (*_usual(case), {}):
        finding = compare(reduced.xreplace(usual), sp.S.Zero)
        if finding.verdict is not Verdict.PROVED:
            break
    if finding.witness is None:
        used = any(full.has(s) for s in past)
        return replace(finding, condition=_HISTORY) if used else finding
    names = reduced.free_symbols | forced.free_symbols
    point = _completed(finding.witness, names, case.J[k])
    point |= {s: v for s, v in usual.items() if full.has(s)}
    point |= {s: value.xreplace(point) for s, value in past.items() if full.has(s)}
    point[case.g[k]] = forced.xreplace(point)
    shown = {s.name: str(value) for s, value in point.items()}
    witness = replace(finding.witness, values=shown)
    return Finding(Verdict.REFUTED, "not 0 at a point where g.J = 0", witness)


def _forced(case: Setting, x: Vector) -> sp.Expr:
    """Return the component of x at the pivot that x·J = 0 forces."""
    k = case.pivot
    rest = [a * j for i, (a, j) in enumerate(zip(x, case.J, strict=True)) if i != k]
    return -sum(rest, sp.S.Zero) / case.J[k]


def _history(case: Setting) -> dict[sp.Symbol, sp.Expr]:
    """Return what running means satisfy where J is one vector for all θ.

    Then every gradient so far had g·J = 0: so has m, and where J moves at most two
    components the squares of the two have a fixed ratio.
    """
    k, J = case.pivot, case.J
    if any(entry.has(*case.theta) for entry in J):
        return {}
    m, v = case.family("m"), case.family("v", nonnegative=True)
    forced = {m[k]: _forced(case, m)}
    others = [i for i, entry in enumerate(J) if i != k and not entry.is_zero]
    if len(others) < 2:
        forced[v[k]] = sum((v[i] * (J[i] / J[k]) ** 2 for i in others), sp.S.Zero)
    return forced


def _usual(case: Setting) -> tuple[dict[sp.Symbol, sp.Expr], ...]:
    """Return the first step without decay, and with, at usual constants."""
    m, v = case.family("m"), case.family("v", nonnegative=True)
    values = {constant(case, name): sp.Rational(v) for name, v in _TYPICAL.items()}
    values |= {step_count(case): sp.S.One, eta: sp.S.One} | dict.fromkeys(
        (*m, *v), sp.S.Zero
    )
    return values | {gamma: sp.S.Zero}, values


def _completed(
    found: Witness, symbols: set[sp.Symbol], pivot: sp.Expr
) -> dict[sp.Symbol, sp.Expr]:
    """Return a witness as a point, with values for symbols that it does not need.

    Args:
        found: the witness.
        symbols: all that need a value.
        pivot: a component of J, to be finite and not 0 there.

    Returns:
        symbol → value.
    """
    ordered = sorted(symbols, key=lambda s: s.name)
    point: dict[sp.Symbol, sp.Expr] = {}
    for start in (1, 2, 3):
        point = {
            s: sp.Rational(found.values.get(s.name, start + i))
            for i, s in enumerate(ordered)
        }
        value = pivot.xreplace(point)
        if value.is_finite and not value.is_zero:
            break
    return point


def constant(case: Setting, name: str) -> sp.Symbol:
    return case.symbol(name, positive=True)


def step_count(case: Setting) -> sp.Symbol:
    return case.symbol("t", positive=True, integer=True)


def _bound(case: Setting, u: Vector) -> sp.Expr:
    """Return ‖u − cg‖‖J‖ for the c that makes it least, which bounds |u·J|."""
    across = dot(u, u) - dot(u, case.g) ** 2 / dot(case.g, case.g)
    return sp.sqrt(across) * sp.sqrt(dot(case.J, case.J))


def with_defect(
    case: Setting, law: DiscreteLaw, defect: sp.Expr, u: Vector
) -> DiscreteLaw:
    """Add a defect, with u the step's direction at first order."""
    if defect.is_zero:
        return law
    return replace(
        law,
        defect=defect,
        bound=_bound(case, u),
        vanishes=defect_vanishes(case, defect, law.where),
        note="C moves at first order in the learning rate wherever the defect is not "
        "0; under SGD it moves at second order",
    )
