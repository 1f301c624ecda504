"""Learning rates that differ: by layer, by component, or as RMSProp sets them.

θ' = θ − R(g + 2γθ) with R diagonal conserves C at first order only where R is constant
on all that J moves. Rates that commute with ∂J have a charge of their own instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod

import sympy as sp

from symbolic._exact.equality import compare
from symbolic._laws.ito import dot, eta, gamma
from symbolic._optimisers.algebra import affine_proof
from symbolic._optimisers.defects import (
    along_direction,
    constant,
    defect_vanishes,
    with_defect,
)
from symbolic._optimisers.law import (
    DiscreteLaw,
    Setting,
    Update,
    Vector,
    expectations,
    free_of,
    in_components,
    is_charge,
    unfolded,
    weakest,
)
from symbolic._verdict import Verdict


@dataclass(frozen=True, slots=True)
class _Rates:
    """Learning rates, one for each component, and how they are written.

    Attributes:
        name: id of the law of C.
        own: id of the law of the rates' own charge.
        letter: name of that charge.
        update: the step, in words.
        rates: n positive expressions.
        cells: the components that share a rate.
    """

    name: str
    own: str
    letter: str
    update: Update
    rates: Vector
    cells: tuple[tuple[int, ...], ...]


def _weighted(weights: Iterable[sp.Expr], x: Vector, y: Vector) -> sp.Expr:
    return sum((w * a * b for w, a, b in zip(weights, x, y, strict=True)), sp.S.Zero)


def _rates_law(case: Setting, given: _Rates) -> DiscreteLaw:
    """Return the law of C: θ' = θ − R(g + 2γθ) cancels g·J only where R is constant."""
    pull = tuple(g + 2 * gamma * s for g, s in zip(case.g, case.theta, strict=True))
    u = tuple(r * d for r, d in zip(given.rates, pull, strict=True))
    exact = case.at(
        tuple(s - a for s, a in zip(case.theta, u, strict=True)), case.charge
    )
    common = given.rates[case.pivot]
    defect = -_weighted([r - common for r in given.rates], case.g, case.J)
    along, C = dot(case.g, case.J), case.symbol("C")
    where = {C: case.charge}
    means: tuple[sp.Expr, ...] = ()
    if case.A is None:
        law = exact + common * along
        first = (law - defect).xreplace(_scaled(given.rates)).diff(eta)
        proof = weakest([is_charge(case), free_of(first, case.g)])
    else:
        decay = 2 * gamma * _weighted(given.rates, case.theta, case.J)
        law = C - decay + case.form(u, u) / 2 + defect
        sides = (exact, unfolded(law, where) - common * along)
        proof = weakest(
            [
                affine_proof(case, along_direction(decoupled=False)),
                *in_components(case, [sides]),
            ]
        )
        R = sp.diag(*given.rates)
        means = expectations(case, law, R * case.A * R)
    found = DiscreteLaw(given.name, given.update, {"C": law}, where, proof, *means)
    return with_defect(
        case,
        found,
        defect,
        tuple(r * g for r, g in zip(given.rates, case.g, strict=True)),
    )


def _scaled(rates: Vector) -> dict[sp.Symbol, sp.Expr]:
    """Return rates → η·rates, for rates that are symbols or η times symbols."""
    symbols = set().union(*(rate.free_symbols for rate in rates)) - {eta}
    return {} if any(rate.has(eta) for rate in rates) else {s: eta * s for s in symbols}


def layer_laws(case: Setting) -> tuple[DiscreteLaw, ...]:
    """Return the laws under one learning rate for each named parameter.

    C itself is conserved at first order only where the rates agree on all that J moves.
    The flow θ̇ = −H∇ℓ has its own charge C_H with ∇C_H = H⁻¹J wherever H commutes
    with ∂J, so wherever parameters that ∂J couples share a rate; its step is exact too.

    Args:
        case: the symmetry.

    Returns:
        The law of C and, where parameters split into groups, that of C_H; none where
        there is one named parameter.
    """
    space = case.symmetry.space
    if len(space.names) == 1:
        return ()
    sizes = [prod(space.int_shape(name)) for name in space.names]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    cells = tuple(
        tuple(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)
    )
    symbols = case.family("eta", space.names, positive=True)
    rates = tuple(r for r, cell in zip(symbols, cells, strict=True) for _ in cell)
    given = _Rates(
        "layer_rates",
        "layer_rates_own_charge",
        "C_H",
        (("theta_X'", "theta_X - eta_X*(g_X + 2*gamma*theta_X), X each parameter"),),
        rates,
        cells,
    )
    return (_rates_law(case, given), *_own_charge_law(case, given))


def preconditioned_laws(case: Setting) -> tuple[DiscreteLaw, ...]:
    """Return the laws under a diagonal preconditioner, and under RMSProp's.

    Args:
        case: the symmetry.

    Returns:
        The law of C for any P, that of P's own charge where no two components are
        coupled, and RMSProp's, where P follows the gradient.
    """
    p = case.family("p", positive=True)
    given = _Rates(
        "preconditioned",
        "preconditioned_own_charge",
        "C_P",
        (("theta'", "theta - eta*P*(g + 2*gamma*theta), P = diag(p)"),),
        tuple(eta * a for a in p),
        tuple((i,) for i in range(len(p))),
    )
    law = _rates_law(case, given)
    own = _own_charge_law(case, given)
    return (law, *(o for o in own if not o.condition), _rmsprop(case, law, p))


def _rmsprop(case: Setting, law: DiscreteLaw, p: Sequence[sp.Symbol]) -> DiscreteLaw:
    """Put RMSProp's preconditioner into the law for any P, with v its running mean."""
    v = case.family("v", nonnegative=True)
    alpha, eps = constant(case, "alpha"), constant(case, "eps")
    pull = [g + 2 * gamma * s for g, s in zip(case.g, case.theta, strict=True)]
    definitions = {
        a: 1 / (sp.sqrt(alpha * b + (1 - alpha) * d**2) + eps)
        for a, b, d in zip(p, v, pull, strict=True)
    }
    where = dict(law.where) | definitions
    update = (
        ("v'", f"{alpha}*v + (1 - {alpha})*(g + 2*gamma*theta)**2"),
        ("theta'", f"theta - eta*(g + 2*gamma*theta)/(sqrt(v') + {eps})"),
    )
    found = replace(
        law,
        optimiser="rmsprop",
        update=update,
        where=where,
        expectation=None,
        without_replacement=None,
    )
    if law.defect is None:
        return found
    return replace(found, vanishes=defect_vanishes(case, law.defect, where))


# The charge of rates of one's own.


def _own_charge_law(case: Setting, given: _Rates) -> tuple[DiscreteLaw, ...]:
    """Return the law of C_H, ∇C_H = R⁻¹J; none where all rates must be equal."""
    groups = _groups(case, given.cells)
    shared = [_shared(given, group) for group in groups]
    parts = _split(case, [group for group, _ in shared])
    if len(groups) == 1 or parts is None:
        return ()
    by_component = {i: rate for group, rate in shared for i in group}
    rates = tuple(by_component[i] for i in range(len(case.theta)))
    own = sum((C / rate for C, (_, rate) in zip(parts, shared, strict=True)), sp.S.Zero)
    pairs = [
        f"{given.rates[cell[0]]} = {given.rates[group[0][0]]}"
        for group in groups
        for cell in group[1:]
    ]
    law = _own_law(case, given, rates, own)
    return (replace(law, condition=", ".join(pairs)),)


def _shared(
    given: _Rates, group: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], sp.Expr]:
    """Return the components of a group and the rate they share."""
    members = tuple(i for cell in group for i in cell)
    return members, given.rates[members[0]]


def _groups(
    case: Setting, cells: tuple[tuple[int, ...], ...]
) -> list[list[tuple[int, ...]]]:
    """Join the cells that ∂J couples."""
    partial = case.symmetry.jacobian if case.A is None else case.A
    groups = [[cell] for cell in cells]
    for one, two in combinations(cells, 2):
        if not any(_is_coupled(partial[i, j]) for i in one for j in two):
            continue
        first = next(group for group in groups if one in group)
        second = next(group for group in groups if two in group)
        if first is not second:
            first += second
            groups = [group for group in groups if group is not second]
    return groups


def _is_coupled(entry: sp.Expr) -> bool:
    if entry.is_zero:
        return False
    return compare(entry, sp.S.Zero).verdict is not Verdict.PROVED


def _split(case: Setting, groups: list[tuple[int, ...]]) -> list[sp.Expr] | None:
    """Return C as one charge for each group, or None where it was not written so."""
    owner = {case.theta[i]: k for k, group in enumerate(groups) for i in group}
    parts = [sp.S.Zero] * len(groups)
    for term in sp.Add.make_args(case.charge):
        found = {owner[s] for s in term.free_symbols if s in owner}
        if len(found) > 1:
            return None
        if found:
            parts[found.pop()] += term
    return parts


def _own_law(case: Setting, given: _Rates, rates: Vector, own: sp.Expr) -> DiscreteLaw:
    """Return C_H' for coupled decay, whose cross terms are a defect of their own."""
    pull = [g + 2 * gamma * s for g, s in zip(case.g, case.theta, strict=True)]
    moved = tuple(s - r * d for s, r, d in zip(case.theta, rates, pull, strict=True))
    exact, letter = case.at(moved, own), case.symbol(given.letter)
    where, along = {letter: own}, dot(case.g, case.J)
    gradient = [
        compare(r * own.diff(s), j)
        for r, s, j in zip(rates, case.theta, case.J, strict=True)
    ]
    if case.A is None:
        law = exact + along
        part = sp.Dummy("part")  # of the step: its first order is at part = 0
        between = tuple(
            s + part * (n - s) for s, n in zip(case.theta, moved, strict=True)
        )
        first = case.at(between, own).diff(part) + along
        free = free_of(first.xreplace({gamma: sp.S.Zero}), case.g, part)
        proof = weakest([*gradient, free])
        return DiscreteLaw(given.own, given.update, {given.letter: law}, where, proof)
    common = rates[case.pivot]
    defect = 2 * gamma * _weighted([r - common for r in rates], case.g, case.J)
    drawn = (
        _own_decay(case, rates)
        + _weighted(rates, case.g, tuple(case.A * sp.Matrix(case.g))) / 2
    )
    law = letter + drawn + defect
    removed = (1 - 2 * gamma * common) * along
    proof = weakest([*gradient, compare(exact, unfolded(law, where) - removed)])
    means = expectations(case, law, sp.diag(*rates) * case.A)
    found = DiscreteLaw(
        given.own, given.update, {given.letter: law}, where, proof, *means
    )
    if defect.is_zero:
        return found
    return replace(
        found,
        defect=defect,
        vanishes=defect_vanishes(case, defect, where),
        note="the defect is of the decay alone: 0 where gamma = 0, or where decay "
        "times rate is one number for all parameters",
    )


def _own_decay(case: Setting, rates: Vector) -> sp.Expr:
    """Return what coupled decay draws from C_H: −4γ(1 − γr)Q − 2γL − 2γr b·g."""
    Atheta = tuple(j - b for j, b in zip(case.J, case.b, strict=True))
    quadratic = _weighted([1 - gamma * r for r in rates], case.theta, Atheta) / 2
    return -4 * gamma * quadratic - 2 * gamma * (
        dot(case.b, case.theta) + _weighted(rates, case.b, case.g)
    )
