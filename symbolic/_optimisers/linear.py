"""Exact discrete laws of a charge under SGD, momentum and Nesterov (THEORY §3).

A step in which θ' and m' are linear in θ, m and g maps C, B = J(θ)·m and M = mᵀAm to
themselves, up to what the gradient drives: mᵀAg, gᵀAg, and b·g for J = Aθ + b.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import sympy as sp

from symbolic._laws.ito import dot, eta, gamma
from symbolic._optimisers.algebra import (
    ALONG,
    BG,
    C_,
    CONSTANT,
    DRIVE,
    GAG,
    L_,
    MAG,
    OFFSET,
    STATE,
    Combination,
    LinearOptimiser,
    affine_proof,
    beta,
    g,
    letter_laws,
    m,
    m_next,
    theta,
)
from symbolic._optimisers.directions import adaptive_laws
from symbolic._optimisers.law import (
    DiscreteLaw,
    Setting,
    Update,
    Vector,
    expectations,
    free_of,
    in_components,
    is_charge,
    setting,
    unfolded,
    weakest,
)
from symbolic._optimisers.rates import layer_laws, preconditioned_laws
from symbolic._symmetry import Symmetry


_LOOKAHEAD = theta - eta * beta * m


@lru_cache(maxsize=1)
def linear_optimisers() -> tuple[LinearOptimiser, ...]:
    """Return SGD, heavy ball with both decays, and both Nesterov conventions.

    >>> [each.name for each in linear_optimisers()][:2]
    ['sgd', 'heavy_ball']
    """
    return (
        LinearOptimiser("sgd", theta - eta * (g + 2 * gamma * theta)),
        LinearOptimiser(
            "heavy_ball", theta - eta * m_next, beta * m + g + 2 * gamma * theta
        ),
        LinearOptimiser(
            "heavy_ball_decoupled",
            (1 - 2 * eta * gamma) * theta - eta * m_next,
            beta * m + g,
        ),
        LinearOptimiser(
            "nesterov",
            theta - eta * (g + 2 * gamma * theta + beta * m_next),
            beta * m + g + 2 * gamma * theta,
        ),
        LinearOptimiser(
            "nesterov_lookahead",
            theta - eta * m_next,
            beta * m + g + 2 * gamma * _LOOKAHEAD,
            _LOOKAHEAD,
        ),
    )


def linear_law(
    symmetry: Symmetry, charge: sp.Expr, optimiser: LinearOptimiser
) -> DiscreteLaw:
    """Derive the exact law of C under one step of a linear optimiser.

    For J = Aθ + b the states C, B, M (and L, P) close under the step. For any other
    charge C' = C(θ') and B' = J(θ')·m' stand as they are, with the term of first order
    in g at the point where g is taken removed.

    Args:
        symmetry: the symmetry, with a charge.
        charge: C with ∇C = J.
        optimiser: the step.

    Returns:
        The law with its proof.

    >>> from symbolic._space import ParameterSpace
    >>> s = Symmetry.exponential(ParameterSpace(u=(), w=()), [[1, 0], [0, -1]])
    >>> u, w = s.space.symbols
    >>> law = linear_law(s, (u**2 - w**2) / 2, linear_optimisers()[0])
    >>> law.next["C"]
    C*(2*eta*gamma - 1)**2 + eta**2*(g_u**2 - g_w**2)/2
    >>> law.proof.verdict.name
    'PROVED'
    """
    return _linear_law(setting(symmetry, charge), optimiser)


def _linear_law(case: Setting, optimiser: LinearOptimiser) -> DiscreteLaw:
    own = {s: case.symbol(s.name, **s._assumptions_orig) for s in optimiser.own_symbols}
    vectors = _vectors(case, optimiser, own)
    build = _nonlinear if case.A is None else _affine
    law = build(case, optimiser, vectors)
    update, condition = _described(optimiser, own)
    return replace(law, update=update, condition=condition)


def described(optimiser: LinearOptimiser) -> tuple[Update, str]:
    """Return the update of a linear optimiser in words, and where it takes g."""
    return _described(optimiser, {})


def _described(
    optimiser: LinearOptimiser, own: Mapping[sp.Symbol, sp.Symbol]
) -> tuple[Update, str]:
    update = [("theta'", _shown(optimiser.step, own))]
    if optimiser.has_momentum:
        update.insert(0, ("m'", _shown(optimiser.momentum, own)))
    at = _shown(optimiser.gradient_at, own)
    return tuple(update), "" if optimiser.gradient_at is theta else f"g at {at}"


def _shown(formula: sp.Expr, own: Mapping[sp.Symbol, sp.Symbol]) -> str:
    """Return a formula as text, the terms without a minus sign first."""
    terms = sp.Add.make_args(formula.xreplace(dict(own)))
    ordered = sorted(
        terms, key=lambda term: (term.could_extract_minus_sign(), str(term))
    )
    text = " + ".join(str(term) for term in ordered)
    return text.replace(" + -", " - ")


@dataclass(frozen=True, slots=True)
class _Vectors:
    """m, θ', m' and where g is taken, in components.

    Attributes:
        m: n symbols.
        after: θ'.
        momentum: m'.
        evaluated: the point where g is taken.
        of_g: coefficients of g in θ' and m'.
        own: the optimiser's symbols → those used, which collide with nothing.
    """

    m: Vector
    after: Vector
    momentum: Vector
    evaluated: Vector
    of_g: tuple[sp.Expr, sp.Expr]
    own: Mapping[sp.Symbol, sp.Symbol]


def _vectors(
    case: Setting, optimiser: LinearOptimiser, own: Mapping[sp.Symbol, sp.Symbol]
) -> _Vectors:
    m_symbols = case.family("m")
    base = (case.theta, m_symbols, case.g)

    def combined(parts: Combination) -> Vector:
        renamed = [part.xreplace(dict(own)) for part in parts]
        return tuple(dot(renamed, entry) for entry in zip(*base, strict=True))

    after, momentum = optimiser.moved
    return _Vectors(
        m_symbols,
        combined(after),
        combined(momentum),
        combined(optimiser.evaluated),
        (after[2].xreplace(dict(own)), momentum[2].xreplace(dict(own))),
        own,
    )


def _affine(
    case: Setting, optimiser: LinearOptimiser, vectors: _Vectors
) -> DiscreteLaw:
    assert case.A is not None  # the caller branches on it
    names = [
        s.name
        for s in STATE
        if (optimiser.has_momentum or s in {C_, L_})
        and (case.has_offset or s not in OFFSET)
    ]
    letters = {s: case.symbol(s.name) for s in STATE}
    where = {
        new: _state(case, s.name, case.theta, vectors.m)
        for s, new in letters.items()
        if s.name in names
    }
    known = letters | {
        MAG: case.form(vectors.m, case.g),
        GAG: case.form(case.g, case.g),
        BG: dot(case.b, case.g),
        CONSTANT: case.constant,
    }
    laws = {
        name: _collected(case, letter_laws(optimiser)[name], vectors.own)
        for name in names
    }
    along = {ALONG: dot(case.g, case.field(vectors.evaluated))}
    components = (
        (
            _state(case, name, vectors.after, vectors.momentum),
            unfolded(law.xreplace(known | along), where),
        )
        for name, law in laws.items()
    )
    proof = weakest([affine_proof(case, optimiser), *in_components(case, components)])
    none = {ALONG: sp.S.Zero}
    following = {name: law.xreplace(known | none) for name, law in laws.items()}
    curvature = 2 * sp.expand(laws["C"]).coeff(GAG) * case.A
    means = expectations(case, following["C"], curvature)
    return DiscreteLaw(optimiser.name, (), following, where, proof, *means)


def _collected(
    case: Setting, law: sp.Expr, own: Mapping[sp.Symbol, sp.Symbol]
) -> sp.Expr:
    absent = {} if case.has_offset else dict.fromkeys(OFFSET, sp.S.Zero)
    letters = (*STATE, *DRIVE, ALONG, CONSTANT)
    plain = sp.expand(law.xreplace(absent | dict(own)))
    return sp.collect(plain, letters, func=sp.factor)


def _state(case: Setting, name: str, at: Vector, momentum: Vector) -> sp.Expr:
    """Return the value of a state, from its definition."""
    if name == "C":
        return case.at(at, case.charge)
    if name == "B":
        return dot(momentum, case.field(at))
    if name == "M":
        return case.form(momentum, momentum)
    return dot(case.b, at if name == "L" else momentum)


def _nonlinear(
    case: Setting, optimiser: LinearOptimiser, vectors: _Vectors
) -> DiscreteLaw:
    along = dot(case.g, case.field(vectors.evaluated))
    names = ("C", "B") if optimiser.has_momentum else ("C",)
    following = {
        name: _state(case, name, vectors.after, vectors.momentum) - factor * along
        for name, factor in zip(names, vectors.of_g, strict=False)
    }
    where = {
        case.symbol(name): _state(case, name, case.theta, vectors.m) for name in names
    }
    # C' moves with g at order η, B' at order 1: there the law must be free of it.
    first = [following["C"].diff(eta), *(following[name] for name in names[1:])]
    proof = weakest([is_charge(case), *(free_of(order, case.g) for order in first)])
    return DiscreteLaw(optimiser.name, (), following, where, proof)


def discrete_laws(symmetry: Symmetry, charge: sp.Expr) -> tuple[DiscreteLaw, ...]:
    """Derive what one step of each optimiser does to the charge, exactly.

    Args:
        symmetry: the symmetry, with a charge.
        charge: C with ∇C = J.

    Returns:
        The laws of SGD, heavy ball, Nesterov, layer-wise rates, diagonal
        preconditioners, Adam and sign descent, each with its proof.

    >>> from symbolic._space import ParameterSpace
    >>> s = Symmetry.exponential(ParameterSpace(u=(), w=()), [[1, 0], [0, -1]])
    >>> u, w = s.space.symbols
    >>> laws = {law.optimiser: law for law in discrete_laws(s, (u**2 - w**2) / 2)}
    >>> laws["heavy_ball_decoupled"].next["B"]
    -B*beta*(2*eta*gamma - 1) - M*beta**2*eta - 2*beta*eta*(g_u*m_u - g_w*m_w) - \
eta*(g_u**2 - g_w**2)
    >>> laws["sign"].vanishes.verdict.name
    'REFUTED'
    """
    case = setting(symmetry, charge)
    return (
        *(_linear_law(case, optimiser) for optimiser in linear_optimisers()),
        *layer_laws(case),
        *preconditioned_laws(case),
        *adaptive_laws(case),
    )
