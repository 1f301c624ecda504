"""Heavy ball with decay: what one step does to C and to B = θᵀAm, exactly."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import sympy as sp

from verify._context import Context
from verify._evidence import Evidence
from verify._exact import Matrix, Vector, apply, dot, form
from verify._instances import Instance
from verify._routes._common import Sides, by_hand, exact_evidence, symbolic_evidence
from verify._routes._fig_arms import Law, law_by_engine, law_every_step


_BETA, _ETA, _GAMMA = sp.symbols("beta eta gamma", real=True)
_U, _W, _X = sp.symbols("u w x", real=True)
_NAMES = ("theta", "m", "g")
_STEPS = (
    r"With $B(a, b) = a^\top Ab$ bilinear and symmetric, $m' = \beta m + g + "
    r"2\gamma\theta$ and $\theta' = \theta - \eta m'$ expand in the six products of "
    r"$\theta$, $m$ and $g$.",
    r"The symmetry sets one of them to zero: $\theta^\top Ag = 0$, for any minibatch.",
)


def momentum_symbolic(subject: Law, context: Context) -> Evidence:
    """Expand both laws in the products of θ, m and g under A, for every size.

    Args:
        subject: the law claimed.
        context: profile and streams.

    Returns:
        PROVED where both sides are the same polynomial, else REFUTED.
    """
    del context  # it holds for every symmetric A
    theta, m, g = ({name: sp.S.One} for name in _NAMES)
    new = _sum(_scaled(_BETA, m), g, _scaled(2 * _GAMMA, theta))
    after = _sum(theta, _scaled(-_ETA, new))
    C, B, M = _product(theta, theta) / 2, _product(theta, m), _product(new, new)
    half, b, decay = map(_exact, (subject.half, subject.b, subject.decay))
    kept = _BETA * B + decay * _GAMMA * C
    rows = (
        (
            "B'",
            _product(after, new),
            _BETA * B + 4 * _GAMMA * C - b * _ETA * M,
        ),
        (
            "C'",
            _product(after, after) / 2,
            C - _ETA * kept + half * _ETA**2 * M,
        ),
    )
    what = "One step of heavy ball with coupled decay, n free"
    return symbolic_evidence("products under A", rows, what, _STEPS)


_Combination = dict[str, sp.Expr]


def _scaled(factor: sp.Expr, terms: _Combination) -> _Combination:
    return {name: factor * value for name, value in terms.items()}


def _sum(*parts: _Combination) -> _Combination:
    return {
        name: sp.Add(*(part.get(name, sp.S.Zero) for part in parts)) for name in _NAMES
    }


def _product(left: _Combination, right: _Combination) -> sp.Expr:
    """Return leftᵀA right in the letters of the products, θᵀAg = 0."""
    total = sp.S.Zero
    for (a, p), (b, q) in product(left.items(), right.items()):
        pair = "A".join(sorted((a, b)))
        zero = pair == "gAtheta"
        total += sp.S.Zero if zero else p * q * sp.Symbol(pair, real=True)
    return total


def _exact(value: float) -> sp.Rational:
    fraction = Fraction(value).limit_denominator(10**6)
    return sp.Rational(fraction.numerator, fraction.denominator)


def momentum_exact(subject: Law, context: Context) -> Evidence:
    """Take two steps of heavy ball in exact rationals, every minibatch of one.

    Args:
        subject: the law claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where both laws hold on every instance drawn, else REFUTED.
    """

    def sides(instance: Instance) -> Sides:
        return _two_steps(subject, instance)

    first = by_hand(
        _U**2 * _W**2 * _X,
        [[1, 0], [0, -1]],
        ((1, 0),),
        (1, 2),
        eta=Fraction(1, 4),
        gamma=Fraction(1, 2),
    )
    return exact_evidence(
        "exact steps of heavy ball",
        sides,
        context,
        r"$C'$ and $B'$ over two steps",
        examples=(first,),
    )


_BETA_USED = Fraction(-1, 3)  # any β: nothing needs β ≥ 0


def _two_steps(subject: Law, instance: Instance) -> Sides:
    """Return both sides of the first law that fails, or else of the last."""
    half, b, decay = (
        Fraction(value).limit_denominator(10**6)
        for value in (subject.half, subject.b, subject.decay)
    )
    eta, gamma, A, beta = instance.eta, instance.gamma, instance.A, _BETA_USED
    theta, degenerate = instance.theta, True
    m: Vector = tuple(Fraction(0) for _ in theta)
    sides = Sides(Fraction(0), Fraction(0), degenerate=True)
    for step in range(2):
        gradients = instance.gradients(theta)
        g = gradients[step % len(gradients)]
        new = tuple(
            beta * old + d + 2 * gamma * t
            for old, d, t in zip(m, g, theta, strict=True)
        )
        after = tuple(t - eta * n for t, n in zip(theta, new, strict=True))
        C, B, M = form(A, theta) / 2, _mixed(A, theta, m), form(A, new)
        kept = beta * B + decay * gamma * C
        degenerate = degenerate and not M
        for found, claimed in (
            (form(A, after) / 2, C - eta * kept + half * eta**2 * M),
            (_mixed(A, after, new), beta * B + 4 * gamma * C - b * eta * M),
        ):
            sides = Sides(found, claimed, degenerate=degenerate)
            if found != claimed:
                return sides
        theta, m = after, new
    return sides


def _mixed(A: Matrix, p: Vector, q: Vector) -> Fraction:
    """Return pᵀAq."""
    return dot(p, apply(A, q))


__all__ = [
    "Law",
    "law_by_engine",
    "law_every_step",
    "momentum_exact",
    "momentum_symbolic",
]
