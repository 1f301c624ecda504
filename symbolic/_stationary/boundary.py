"""Feller's classification of the ends of a scalar SDE, by leading exponents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import sympy as sp

from symbolic._stationary.asymptotics import leading, sign_of
from symbolic._verdict import Finding, Verdict


KINDS = ("regular", "exit", "entrance", "natural")


@dataclass(frozen=True, slots=True)
class Ends:
    """How an SDE behaves at an end, x ≥ 0 the distance to it (or 1/|v| at ±∞).

    2μ/s² ~ κx^(−k) and s² ~ x^q: where k > 1 the scale density is
    exp(κx^(1−k)/(k−1)), where k = 1 it is x^(−κ). k = 1, κ = 0 stands for all k < 1.

    Attributes:
        kappa: κ.
        k: k ≥ 1.
        q: q.
        assumes: that leading coefficients of unknown sign are not 0.
    """

    kappa: sp.Expr
    k: sp.Expr
    q: sp.Expr
    assumes: tuple[sp.Basic, ...] = ()

    @property
    def is_power(self) -> bool:
        """Return whether k = 1, so that densities are powers of x."""
        return bool(self.k == 1)

    @property
    def density(self) -> sp.Expr:
        """Return the exponent of the stationary density in x where k = 1."""
        return self.kappa - self.q

    def integrable(self, exponent: sp.Expr = sp.S.Zero) -> sp.Basic:
        """Return when ∫₀ x^exponent p dx is finite, p the zero-flux density."""
        if self.is_power:
            return above(self.density + exponent, -1)
        return above(self.kappa, 0)

    def vanishes(self, exponent: sp.Expr) -> sp.Basic:
        """Return when s²p·x^exponent → 0; the sign is all that counts at k > 1."""
        if self.is_power:
            return above(self.kappa + exponent, 0)
        return above(self.kappa, 0)


@dataclass(frozen=True, slots=True)
class Boundary:
    """An end of the interval of a scalar SDE.

    Attributes:
        end: the end, ±∞ included.
        kind: `regular` (reached, and left), `exit` (reached, not left), `entrance`
            (left, not reached), `natural` (neither); None where the symbols do not
            decide.
        cases: kind → the condition for it, of those that are possible.
        attracting: when paths tend to it with positive probability: the scale
            function is finite there.
        integrable: when the zero-flux density is integrable there.
        behaviour: the exponents this rests on; None where none were found.
        finding: PROVED with the reason, or INCONCLUSIVE.
    """

    end: sp.Expr
    kind: str | None
    cases: tuple[tuple[str, sp.Basic], ...]
    attracting: sp.Basic | None
    integrable: sp.Basic | None
    behaviour: Ends | None
    finding: Finding


def above(left: sp.Expr, right: sp.Expr) -> sp.Basic:
    """Return left > right with positive denominators and factors multiplied out.

    >>> T, a, b = sp.symbols("T a b", positive=True)
    >>> above(b / (2 * a * T) - sp.Rational(3, 2), -1)
    -T*a + b > 0
    >>> above(T, 0)
    True
    """
    gap = sp.factor(sp.sympify(left) - right)
    sign = sign_of(gap)
    if sign is not None:
        return sp.true if sign == 1 else sp.false
    kept = sp.S.One
    for factor in sp.Mul.make_args(gap):
        base, exponent = factor.as_base_exp()
        own = sign_of(factor)
        if own == -1:
            kept = -kept
        elif own != 1 and exponent.is_Integer:
            kept *= base ** (exponent % 2)
        elif own != 1:
            kept *= factor
    return sp.Gt(sp.expand(kept), 0)


def together(parts: Sequence[sp.Basic | None]) -> sp.Basic | None:
    """Return the conjunction, None where a part is undecided and none is false.

    >>> a = sp.Symbol("a", real=True)
    >>> together([sp.Gt(a, 0), sp.Gt(-a, 0)])
    False
    """
    known = [part for part in parts if part is not None]
    strict = [part.lhs for part in known if isinstance(part, sp.Gt)]
    opposite = any(sp.expand(f + g) == 0 for f, g in combinations(strict, 2))
    if sp.false in known or opposite:
        return sp.false
    return sp.And(*known) if len(known) == len(parts) else None


def behaviour(drift: sp.Expr, variance: sp.Expr, x: sp.Symbol) -> Ends | None:
    """Return the exponents of an SDE as x → 0⁺, None where they are not found."""
    size = leading(variance, x)
    pull = leading(drift, x)
    if size is None or pull is None or sign_of(size.coefficient) == 0:
        return None
    assumes = _live(size.coefficient)
    k = sp.expand(size.exponent - pull.exponent)
    sign = -1 if sign_of(pull.coefficient) == 0 else sign_of(k - 1)
    if sign is None:
        return None
    if sign == -1:
        return Ends(sp.S.Zero, sp.S.One, size.exponent, assumes)
    if sign == 1:
        assumes += _live(pull.coefficient)
    kappa = sp.powsimp(sp.factor(2 * pull.coefficient / size.coefficient))
    return Ends(sp.factor(kappa), sp.S.One if sign == 0 else k, size.exponent, assumes)


def _live(coefficient: sp.Expr) -> tuple[sp.Basic, ...]:
    if sign_of(coefficient) is not None:
        return ()
    return (sp.Ne(sp.factor(coefficient).as_coeff_Mul()[1], 0),)


def classify(end: sp.Expr, ends: Ends | None) -> Boundary:
    """Classify an end by Feller's integrals of scale and speed.

    With m = 1/(s²·scale): the end is accessible iff ∫S dM < ∞ and can be left iff
    ∫M dS < ∞. For k = 1 both integrands are x^(1−q), given κ < 1 and κ > q − 1; for
    k > 1 they are x^(k−q), given κ < 0 and κ > 0 (Laplace).

    Args:
        end: the end.
        ends: the exponents there.

    Returns:
        The kind where the symbols decide, else the condition of each kind.

    >>> q2 = Ends(sp.Symbol("kappa", real=True), sp.S.One, sp.S(2))
    >>> classify(sp.S.Zero, q2).kind
    'natural'
    """
    if ends is None:
        missing = Finding(
            Verdict.INCONCLUSIVE, "no leading term of drift and diffusion was found"
        )
        return Boundary(end, None, (), None, None, None, missing)
    kappa, k, q = ends.kappa, ends.k, ends.q
    if ends.is_power:
        scale, speed = above(1, kappa), above(kappa, q - 1)
        quick = above(2, q)  # then q − 1 < 1, so that scale or speed holds
        first = {"regular": sp.And(quick, scale, speed)}
        only_scale, only_speed = sp.Not(speed), sp.Not(scale)
    else:
        scale, speed = above(0, kappa), above(kappa, 0)
        quick = above(k, q - 1)
        first, only_scale, only_speed = {}, scale, speed
    every = first | {
        "exit": sp.And(quick, only_scale),
        "entrance": sp.And(quick, only_speed),
        "natural": sp.Not(quick),
    }
    cases = tuple((n, c) for n, c in every.items() if c != sp.false)
    kind = next((name for name, condition in cases if condition == sp.true), None)
    if kind is None:
        finding = Finding(
            Verdict.INCONCLUSIVE, "the assumptions on the symbols leave several kinds"
        )
    else:
        finding = Finding(
            Verdict.PROVED,
            f"2 mu/s^2 ~ ({kappa}) x^(-({k})) and s^2 ~ x^({q}) at the end",
        )
    return Boundary(end, kind, cases, scale, speed, ends, finding)
