"""Directions that are no multiple of the gradient: signs, and Adam's ratio of means."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbolic._laws.ito import dot, eta, gamma
from symbolic._optimisers.algebra import affine_proof
from symbolic._optimisers.defects import (
    Definitions,
    along_direction,
    constant,
    step_count,
    with_defect,
)
from symbolic._optimisers.law import (
    DiscreteLaw,
    Setting,
    Update,
    Vector,
    free_of,
    in_components,
    is_charge,
    unfolded,
    weakest,
)


def adaptive_laws(case: Setting) -> tuple[DiscreteLaw, ...]:
    """Return the laws under Adam, AdamW and sign descent, each with its defect.

    At leading order C' − C = −η u·J; for Adam u_a is m̂_a over √v̂_a + ε, which
    cancels only where that denominator is one for all that J moves, and m·J = 0.

    Args:
        case: the symmetry.

    Returns:
        The three laws.
    """
    signs = tuple(sp.sign(g) for g in case.g)
    formula = (("theta'", "(1 - 2*eta*gamma)*theta - eta*sign(g)"),)
    return (
        _direction_law(case, _adam(case, decoupled=False)),
        _direction_law(case, _adam(case, decoupled=True)),
        _direction_law(case, _Direction("sign", formula, signs, {}, decoupled=True)),
    )


@dataclass(frozen=True, slots=True)
class _Direction:
    """A step θ' = κθ − ηu with κ = 1 − 2ηγ where the decay is decoupled, else 1.

    Attributes:
        name: its id.
        update: the step, in words.
        u: n components.
        where: symbol → what it stands for in u.
        decoupled: whether the decay stays out of u.
    """

    name: str
    update: Update
    u: Vector
    where: Definitions
    decoupled: bool


def _adam(case: Setting, *, decoupled: bool) -> _Direction:
    """Return Adam's direction, after t steps, from the running means m and v."""
    m, v = case.family("m"), case.family("v", nonnegative=True)
    beta1, beta2, eps = (constant(case, name) for name in ("beta1", "beta2", "eps"))
    t, decay = step_count(case), sp.S.Zero if decoupled else 2 * gamma
    pull = [g + decay * s for g, s in zip(case.g, case.theta, strict=True)]
    mean = [beta1 * a + (1 - beta1) * d for a, d in zip(m, pull, strict=True)]
    square = [beta2 * a + (1 - beta2) * d**2 for a, d in zip(v, pull, strict=True)]
    u = tuple(
        a / (1 - beta1**t) / (sp.sqrt(b / (1 - beta2**t)) + eps)
        for a, b in zip(mean, square, strict=True)
    )
    d = "g" if decoupled else "(g + 2*gamma*theta)"
    kept = "(1 - 2*eta*gamma)*theta" if decoupled else "theta"
    update = (
        ("m'", f"{beta1}*m + (1 - {beta1})*{d}"),
        ("v'", f"{beta2}*v + (1 - {beta2})*{d}**2"),
        (
            "theta'",
            f"{kept} - eta*m'/(1 - {beta1}**{t})/(sqrt(v'/(1 - {beta2}**{t})) + {eps})",
        ),
    )
    letters = case.family("u")
    where = dict(zip(letters, u, strict=True))
    return _Direction(
        "adamw" if decoupled else "adam", update, letters, where, decoupled
    )


def _direction_law(case: Setting, step: _Direction) -> DiscreteLaw:
    """Return C' = C(κθ − ηu) with −ηκ u·J, which no symmetry cancels, as its defect."""
    kappa = 1 - 2 * eta * gamma if step.decoupled else sp.S.One
    u, C = step.u, case.symbol("C")
    moved = tuple(kappa * s - eta * a for s, a in zip(case.theta, u, strict=True))
    exact, where = case.at(moved, case.charge), {C: case.charge} | dict(step.where)
    defect = -eta * kappa * dot(u, case.J)
    if case.A is None:
        defect = -eta * dot(u, case.J)
        first = (exact - defect).diff(eta)
        proof = weakest([is_charge(case), free_of(first, step.where)])
        law = DiscreteLaw(step.name, step.update, {"C": exact}, where, proof)
        return with_defect(case, law, defect, tuple(eta * a for a in u))
    following, where = _direction_states(case, step, kappa, where)
    law_C = following["C"] + defect
    sides = (exact, unfolded(law_C, {C: case.charge} | _offset_state(case)))
    known = along_direction(decoupled=step.decoupled)
    proof = weakest([affine_proof(case, known), *in_components(case, [sides])])
    found = DiscreteLaw(step.name, step.update, following | {"C": law_C}, where, proof)
    return with_defect(case, found, defect, tuple(eta * kappa * a for a in u))


def _offset_state(case: Setting) -> dict[sp.Symbol, sp.Expr]:
    return {case.symbol("L"): dot(case.b, case.theta)} if case.has_offset else {}


def _direction_states(
    case: Setting, step: _Direction, kappa: sp.Expr, where: Definitions
) -> tuple[dict[str, sp.Expr], dict[sp.Symbol, sp.Expr]]:
    """Return C' without the defect, and L' where J = Aθ + b; decay acts on each."""
    C, L = case.symbol("C"), case.symbol("L")
    curved = eta**2 * case.form(step.u, step.u) / 2
    rest = case.constant
    if not case.has_offset:
        return {"C": kappa**2 * (C - rest) + rest + curved}, dict(where)
    shifted = eta * dot(case.b, step.u)
    law = kappa**2 * (C - rest - L) + rest + kappa * L + curved - (1 - kappa) * shifted
    return {"C": law, "L": kappa * L - shifted}, dict(where) | _offset_state(case)
