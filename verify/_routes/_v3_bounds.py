"""Routes for P1 v3, Lemmas B.2–B.4: bounds on Ċ and C* − C by what is at the ends.

θ = e^{−λ*A}θ*. "Same" means the eigenvalues with the sign of λ*, "opposite" the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product

import sympy as sp

from symbolic import NotEnclosed, Verdict, Witness, enclose, generic_equilibrium
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._v3_orbit_cases import (
    OrbitCase,
    log_bounds,
    on_rescaling,
    on_square,
    orbit_cases,
)
from verify._scope import THEORY, only_about


Pair = tuple[Fraction, Fraction]
_ONE = Fraction(1)
_TERMS = (1, 2, 4, 16)  # of the series of ln q


@dataclass(frozen=True, slots=True)
class Ends:
    """Ċ ≥ σ²λ*N and C* − C ≤ λ*D, and what follows, Ċ/(C* − C) ≥ σ²N/D.

    Attributes:
        part: "rate" for the first, "charge" for the second, "ratio" for the third.
        noise: (n, m) in N = n·Tr[Σ(θ*)A²_same] + m·Tr[Σ(θ)A²_opposite].
        charge: (n, m) in D = n·θ*ᵀA²_sameθ* + m·θᵀA²_oppositeθ.
    """

    part: str
    noise: Pair = (Fraction(2), Fraction(2))
    charge: Pair = (_ONE, _ONE)

    def says(self) -> tuple[str, ...]:
        """Return which of N and D the part has."""
        both = {"rate": ("noise",), "charge": ("charge",)}
        return both.get(self.part, ("noise", "charge"))

    def implies(self, other: Ends) -> bool:
        """Return whether the other follows: a smaller N, a greater D.

        Against (2, 2) and (1, 1), which hold, not against what is stated.
        """
        holds = Ends(self.part)
        pairs = zip(holds.noise, other.noise, strict=True)
        sizes = zip(other.charge, holds.charge, strict=True)
        return all(a >= b for a, b in (*pairs, *sizes))


@only_about(THEORY)
def ends_exact(subject: Ends, context: Context) -> Evidence:
    """Check the bound on drawn equilibria, any spectrum; ln q by rational bounds."""
    route = "exact orbit"

    def sides(case: OrbitCase) -> Sides | None:
        return bound_sides(subject, case)

    return drawn_evidence(
        route,
        sides,
        orbit_cases(),
        context,
        _WHAT[subject.part],
        examples=(
            on_rescaling(Fraction(2), q=Fraction(2)),
            on_rescaling(q=Fraction(9, 8)),
            on_rescaling(Fraction(2), 1, Fraction(1, 2)),
            on_square(),
            on_square(1 - Fraction(1, 10**4)),
            on_square(1 + Fraction(1, 10**4)),
        ),
        relation=Fraction.__ge__,
        shown=_SHOWN[subject.part],
    )


_WHAT = {
    "rate": r"$\dot C/\lambda^*$ against the bound",
    "charge": r"the bound against $(C^* - C)/\lambda^*$",
    "ratio": r"$\dot C/(C^* - C)$ against the bound",
}
_SHOWN = {
    "rate": ("|dC/dt| = {}", "the bound times |lambda*| = {} or more"),
    "charge": ("the bound times |lambda*| = {} or less", "|C* - C| = {}"),
    "ratio": ("|dC/dt| D = {}", "at least |C* - C| N = {}"),
}


def ends_of(subject: Ends, case: OrbitCase) -> Pair:
    """Return N and D of a case, with σ² = 1."""
    sign = 1 if case.q > 1 else -1
    here = 1 / case.q
    (a, b), (c, d) = subject.noise, subject.charge
    N = a * case.weighted(case.s(), 2, sign) + b * case.weighted(case.s(here), 2, -sign)
    D = c * case.weighted(case.t(), 2, sign) + d * case.weighted(case.t(here), 2, -sign)
    return N, D


def bound_sides(subject: Ends, case: OrbitCase) -> Sides | None:
    """Return both sides, or None where the bounds on ln q do not decide."""
    sign = 1 if case.q > 1 else -1
    N, D = ends_of(subject, case)
    rate, distance = sign * case.rate, sign * case.distance
    if distance < 0:  # C* − C has the sign of λ*, or something is wrong
        return Sides(distance, Fraction(0))
    if subject.part == "ratio":
        return Sides(rate * D, distance * N, degenerate=not distance)
    for terms in _TERMS:  # few terms where they decide: shorter numbers to look at
        low, high = sorted(abs(value) for value in log_bounds(case.q, terms))
        if subject.part == "rate":
            if rate >= high * N:
                return Sides(rate, high * N, degenerate=not N)
            if rate < low * N:
                return Sides(rate, low * N)
        elif low * D >= distance:
            return Sides(low * D, distance, degenerate=not distance)
        elif high * D < distance:
            return Sides(high * D, distance)
    return None


# --- the same bounds term by term ----------------------------------------------------


def rises_from_zero(f: sp.Expr, x: sp.Symbol, orders: int = 4) -> bool:
    """Prove f ≥ 0 for x > 0: f, f', … are ≥ 0 at 0 until a derivative is everywhere.

    Args:
        f: an expression in x > 0 and positive symbols.
        x: the variable.
        orders: the highest derivative tried.

    Returns:
        Whether the argument goes through; False decides nothing.

    >>> x = sp.Symbol("x", positive=True)
    >>> rises_from_zero(sp.exp(x) - 1 - x, x), rises_from_zero(1 - sp.exp(x), x)
    (True, False)
    """
    for _ in range(orders + 1):
        f = sp.expand(f)
        if f.is_nonnegative:
            return True
        if not f.subs(x, 0).is_nonnegative:
            return False
        f = f.diff(x)
    return False


_L, _A = sp.symbols("l a", positive=True)  # |λ*| and |μ|


def terms_at(sign: int, same: bool) -> tuple[sp.Expr, sp.Expr]:
    """Return what one eigenvalue gives of Ċ and C* − C, per s* and t*, both times sign.

    Read off the derived G(θ_λ): its noise terms at −λ*, less Tr[Σ(θ*)A] = 0, and its
    decay terms, which are −4γC.

    Args:
        sign: the sign of λ*.
        same: whether μ has it too.

    Returns:
        The two coefficients in |λ*| and |μ|.
    """
    G = generic_equilibrium(1).balance
    named = {symbol.name: symbol for symbol in G.free_symbols}
    mu = sign * _A if same else -sign * _A
    along = {named["mu_0"]: mu}
    lam = named["lam"]
    noise = G.coeff(named["s_0"]).coeff(named["sigma2"]).subs(along)
    charge = (G.coeff(named["t_0"]).coeff(named["gamma"]) / -4).subs(along)
    rate = noise.subs(lam, -sign * _L) - noise.subs(lam, 0)
    distance = charge.subs(lam, 0) - charge.subs(lam, -sign * _L)
    return sp.expand(sign * rate), sp.expand(sign * distance)


def term_margins(subject: Ends) -> Iterator[tuple[str, sp.Expr]]:
    """Yield what must be ≥ 0 for |λ*|, |μ| > 0, one eigenvalue and sign at a time."""
    for sign in (1, -1):
        for same, side in ((True, 0), (False, 1)):
            order, whose = "<>"[sign > 0], ("the other", "this")[same]
            name = f"λ* {order} 0, μ of {whose} sign"
            rate, distance = terms_at(sign, same)
            # s = s*e^{2λ*μ} and t = t*e^{−2λ*μ}: at θ itself, not at θ*.
            s_here, t_here = (
                (1, 1) if same else (sp.exp(-2 * _L * _A), sp.exp(2 * _L * _A))
            )
            n, d = (
                sp.Rational(v.numerator, v.denominator)
                for v in (subject.noise[side], subject.charge[side])
            )
            if subject.part != "charge":
                yield f"noise, {name}", rate - n * _L * _A**2 * s_here
            if subject.part != "rate":
                yield f"charge, {name}", d * _L * _A**2 * t_here - distance


@only_about(THEORY)
def ends_terms(subject: Ends, context: Context) -> Evidence:
    """Prove the bound for each eigenvalue by itself, for every spectrum at once."""
    route = "term by term"
    margins = list(term_margins(subject))
    open_ones = [name for name, f in margins if not rises_from_zero(f, _L)]
    if open_ones:
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            f"The term of {open_ones[0]} has no such bound by itself.",
            instances=len(margins),
        )
    return Evidence(
        route,
        Verdict.PROVED,
        f"Each of {len(margins)} kinds of terms is bounded by itself, for every |λ*|, "
        "|μ| > 0; the sums over any spectrum follow.",
        instances=len(margins),
        steps=(
            r"$\theta = e^{-\lambda^*A}\theta^*$: $\dot C = \sigma^2\sum_i\mu_is^*_i"
            r"(e^{2\lambda^*\mu_i} - 1)$ since $\sum_i\mu_is^*_i = 0$, and $C^* - C = "
            r"\frac12\sum_i\mu_it^*_i(1 - e^{-2\lambda^*\mu_i})$.",
            r"Every term has the sign of $\lambda^*$; $f(0) = 0$, and the first "
            r"derivative in $|\lambda^*|$ that does not vanish at 0 is positive "
            r"throughout.",
            *(f"{name}: ${sp.latex(f)} \\ge 0$" for name, f in margins),
        ),
    )


# --- the same bounds on losses, by sympy ---------------------------------------------


@only_about(THEORY)
def ends_on_losses(subject: Ends, context: Context) -> Evidence:
    """Evaluate both sides from the gradients of losses, without transporting Σ."""
    route = "losses"
    rows = list(_on_losses(subject))
    for shown, left, right in rows:
        if _sign(left - right) < 0:
            return Evidence(
                route,
                Verdict.REFUTED,
                f"{_WHAT[subject.part]}: fails on a loss.",
                instances=len(rows),
                counterexample=Witness(
                    shown,
                    _SHOWN[subject.part][0].format(left),
                    _SHOWN[subject.part][1].format(right),
                    exact=True,
                ),
            )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{_WHAT[subject.part]}: holds exactly at {len(rows)} points of orbits of "
        "losses, Σ computed at each.",
        instances=len(rows),
        tolerance=0.0,
    )


def _sign(value: sp.Expr) -> int:
    if value.is_Rational:
        return int(sp.sign(value))
    try:
        low, high = enclose(value, {})
    except NotEnclosed:
        return 0
    return 1 if low > 0 else -1 if high < 0 else 0


_u, _v, _w, _y = sp.symbols("u v w y", positive=True)
_LOSSES = (
    # loss, A, θ*, data y: f = 1 resp. 2 at θ*, so that r = ±1 and Tr[Σ(θ*)A] = 0.
    ((_u * _w - _y) ** 2, (1, -1, -1), (1, 1, 2), (0, 2)),
    ((_u * _w - _y) ** 2, (1, -1, 1), (1, 1, 3), (0, 2)),
    ((_u * _w - _y) ** 2, (1, -1, 0), (1, 1, 1), (0, 2)),
    ((_w * (_u**2 + _v**2) / 8 - _y) ** 2, (1, -2, 1), (2, 2, 2), (1, 3)),
    ((_w * _u**2 - _y) ** 2, (1, -2, -1), (2, sp.sqrt(2), 1), (0, 8 * sp.sqrt(2))),
)
_FACTORS = (sp.Rational(2), sp.Rational(1, 2), sp.Rational(99, 100))


@dataclass(frozen=True, slots=True)
class LossPoint:
    """What a loss gives at a point of an orbit, all times the sign of λ*.

    Attributes:
        shown: name → value, for the reader.
        rate: Ċ, with σ² = 1.
        distance: C* − C.
        noise: Tr[Σ(θ*)A²_same] and Tr[Σ(θ)A²_opposite].
        charge: θ*ᵀA²_sameθ* and θᵀA²_oppositeθ.
        length: |λ*|.
    """

    shown: dict[str, str]
    rate: sp.Expr
    distance: sp.Expr
    noise: tuple[sp.Expr, sp.Expr]
    charge: tuple[sp.Expr, sp.Expr]
    length: sp.Expr


def _on_losses(subject: Ends) -> Iterator[tuple[dict[str, str], sp.Expr, sp.Expr]]:
    """Yield (what, left, right), left to be at least right."""
    for point in loss_points():
        N, D = (
            sum(sp.Rational(str(c)) * part for c, part in zip(pair, parts, strict=True))
            for pair, parts in (
                (subject.noise, point.noise),
                (subject.charge, point.charge),
            )
        )
        if subject.part == "ratio":
            sides = sp.expand(point.rate * D), sp.expand(point.distance * N)
        elif subject.part == "rate":
            sides = point.rate, point.length * N
        else:
            sides = point.length * D, point.distance
        yield point.shown, *sides


@lru_cache(maxsize=1)
def loss_points() -> tuple[LossPoint, ...]:
    """Return every loss at every position, Σ from the gradients at each point."""
    return tuple(
        _loss_point(loss, mu, star, data, q)
        for (loss, mu, star, data), q in product(_LOSSES, _FACTORS)
    )


def _loss_point(
    loss: sp.Expr,
    mu: tuple[int, ...],
    star: tuple[sp.Expr, ...],
    data: tuple[sp.Expr, ...],
    q: sp.Rational,
) -> LossPoint:
    sign = 1 if q > 1 else -1
    diagonal = dict(zip((_u, _w, _v), mu, strict=True))
    ends = [dict(zip((_u, _w, _v), star, strict=True))]
    ends.append({x: value * q ** -diagonal[x] for x, value in ends[0].items()})
    spread = [_variances(loss, point, data) for point in ends]
    squares = [{x: sp.expand(v**2) for x, v in point.items()} for point in ends]

    def split(values: list[dict[sp.Symbol, sp.Expr]]) -> tuple[sp.Expr, sp.Expr]:
        """Return the sums of μ²value: this sign's at θ*, the other's at θ."""
        same = sum(m**2 * values[0][x] for x, m in diagonal.items() if m * sign > 0)
        other = sum(m**2 * values[1][x] for x, m in diagonal.items() if m * sign < 0)
        return same, other

    moved = sum(m * (squares[0][x] - squares[1][x]) for x, m in diagonal.items())
    rate = sum(m * spread[1][x] for x, m in diagonal.items())
    shown = {str(x): str(value) for x, value in ends[1].items()} | {
        "loss": str(loss),
        "y": ", ".join(map(str, data)),
        "A": str(diagonal),
        "exp(lambda*)": str(q),
        "sigma2": "1",
    }
    return LossPoint(
        shown,
        sp.expand(sign * rate),
        sp.expand(sign * moved / 2),
        split(spread),
        split(squares),
        abs(sp.log(q)),
    )


def _variances(
    loss: sp.Expr, point: dict[sp.Symbol, sp.Expr], data: tuple[sp.Expr, ...]
) -> dict[sp.Symbol, sp.Expr]:
    """Return the variance of each component of the gradient over the data."""
    found = {}
    for x in point:
        values = [loss.diff(x).subs(point).subs(_y, y) for y in data]
        mean = sum(values) / len(values)
        found[x] = sp.expand(sum((v - mean) ** 2 for v in values) / len(values))
    return found
