"""Whether ℓ(Q_ρθ) = ℓ(θ), and for which ρ about 0: `decide_family`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import sympy as sp

from symbolic._exact.equality import compare
from symbolic._exact.functions import relu, step
from symbolic._verdict import Finding, Verdict, Witness


MAX_FACTORED = 500  # operations in an argument that is factored
MAX_DEGREE = 8  # of a polynomial in ρ whose roots are computed
_KINKED = (relu, step, sp.Abs, sp.sign)
_JUMPS = (step, sp.sign)
_NEAR_ZERO = tuple(map(sp.Rational, ("1/8", "-1/8", "1/100", "-1/100")))


@dataclass(frozen=True, slots=True)
class Family:
    """A declared transformation, and a loss on its parameters.

    Attributes:
        theta: the n symbols of the parameters.
        images: the n components of Q_ρθ.
        generator: the n components of J.
        loss: ℓ.
        rho: the symbol ρ.
    """

    theta: tuple[sp.Symbol, ...]
    images: tuple[sp.Expr, ...]
    generator: tuple[sp.Expr, ...]
    loss: sp.Expr
    rho: sp.Symbol

    @property
    def moved(self) -> sp.Expr:
        """Return ℓ(Q_ρθ)."""
        return self.loss.xreplace(dict(zip(self.theta, self.images, strict=True)))

    def at(self, values: Mapping[sp.Symbol, sp.Expr]) -> Self:
        """Return the family with constants or data replaced."""
        given = dict(values)
        return type(self)(
            self.theta,
            tuple(image.xreplace(given) for image in self.images),
            tuple(entry.xreplace(given) for entry in self.generator),
            self.loss.xreplace(given),
            self.rho,
        )


@dataclass(frozen=True, slots=True)
class Domain:
    """A set of ρ about 0: an interval without some points, and what involves θ.

    Attributes:
        rho: the symbol ρ.
        low: the lower end, or −∞.
        high: the upper end, or ∞.
        holes: the points left out.
        others: inequalities that involve more than ρ.
    """

    rho: sp.Symbol
    low: sp.Expr = -sp.oo
    high: sp.Expr = sp.oo
    holes: tuple[sp.Expr, ...] = ()
    others: tuple[sp.Basic, ...] = ()

    @property
    def equations(self) -> tuple[sp.Basic, ...]:
        """Return the inequalities, all of which must hold."""
        ends = []
        if self.low != -sp.oo:
            ends.append(sp.Gt(self.rho, self.low, evaluate=False))
        if self.high != sp.oo:
            ends.append(sp.Lt(self.rho, self.high, evaluate=False))
        holes = [sp.Ne(self.rho, hole, evaluate=False) for hole in self.holes]
        return (*ends, *holes, *self.others)

    @property
    def text(self) -> str:
        """Return "for rho > -1", "where rho*u + 1 > 0" and the like, "" for ℝ."""
        if self.low != -sp.oo and self.high != sp.oo:
            ends = [f"{self.low} < {self.rho} < {self.high}"]
        elif self.low != -sp.oo:
            ends = [f"{self.rho} > {self.low}"]
        else:
            ends = [f"{self.rho} < {self.high}"] if self.high != sp.oo else []
        own = [*ends, *(f"{self.rho} != {hole}" for hole in self.holes)]
        parts = ["for " + " and ".join(own)] if own else []
        if self.others:
            parts.append("where " + " and ".join(map(_said, self.others)))
        return " ".join(parts)


def range_of(family: Family) -> Domain:
    """Return the set of ρ about 0 where Q_ρ is defined."""
    return _domain(family.rho, family.images)


def decide_family(family: Family) -> tuple[Finding, Domain]:
    """Decide ℓ(Q_ρθ) = ℓ(θ) on the set of ρ about 0 where Q_ρ is defined and smooth.

    Args:
        family: the transformation, and a loss for which ∇ℓ·J = 0 is proved.

    Returns:
        The finding, with the set as its condition, and the set.
    """
    direct = compare(family.moved, family.loss)
    domain = range_of(family)
    if direct.verdict is Verdict.PROVED:
        return _on(domain, direct.reason), domain
    near = _domain(family.rho, (*family.images, family.moved), kinks=True)
    positive = compare(
        _pulled(family.moved, family.rho), _pulled(family.loss, family.rho)
    )
    if positive.verdict is Verdict.PROVED:
        return _on(near, f"{positive.reason}, the factors in rho being positive"), near
    flow, along = decide_flow(family)
    if flow.verdict is Verdict.PROVED:
        return flow, along
    return _refuted_near(family, near, direct), near


def decide_flow(family: Family) -> tuple[Finding, Domain]:
    """Prove dQ_ρθ/dρ = c·J(Q_ρθ): then ℓ(Q_ρθ) is constant where ∇ℓ·J = 0.

    Off a null set of θ the path crosses kinks of a continuous ℓ at a null set of ρ
    only, so an identity that holds off them gives a constant; by continuity, for all θ.

    Args:
        family: the transformation, and a loss for which ∇ℓ·J = 0 is proved.

    Returns:
        PROVED or INCONCLUSIVE, and the set of ρ reached from 0 without a pole.
    """
    nothing = Domain(family.rho)
    if family.loss.has(*_JUMPS) or any(q.has(*_KINKED) for q in family.images):
        return Finding(Verdict.INCONCLUSIVE, "the loss jumps, or Q has kinks"), nothing
    at = dict(zip(family.theta, family.images, strict=True))
    speeds = [image.diff(family.rho) for image in family.images]
    fields = [entry.xreplace(at) for entry in family.generator]
    pivot = next((i for i, entry in enumerate(fields) if entry != 0), None)
    if pivot is None or (speeds[pivot] / fields[pivot]).count_ops() > MAX_FACTORED:
        return Finding(Verdict.INCONCLUSIVE, "no flow was recognised"), nothing
    rate = sp.cancel(sp.together(speeds[pivot] / fields[pivot]))
    for speed, entry in zip(speeds, fields, strict=True):
        if compare(speed, rate * entry).verdict is not Verdict.PROVED:
            return Finding(Verdict.INCONCLUSIVE, "Q is no flow of J"), nothing
    domain = _domain(family.rho, (*family.images, rate), connected=True)
    if not all(_is_linear(relation, family.rho) for relation in domain.others):
        return Finding(Verdict.INCONCLUSIVE, "the poles of Q are not known"), nothing
    return _on(domain, f"Q follows J at the rate {rate}"), domain


def _is_linear(relation: sp.Basic, rho: sp.Symbol) -> bool:
    """Decide whether a < b is 1 + ρ·(…) > 0, or a number for 1: an interval about 0."""
    left, right = relation.args
    factor = sp.expand(right - left)
    if isinstance(relation, sp.StrictGreaterThan):
        factor = -factor
    return _sign_at_zero(factor, rho) == 1 and not factor.diff(rho).has(rho)


def _on(domain: Domain, reason: str) -> Finding:
    return Finding(Verdict.PROVED, reason, condition=domain.text)


def _refuted_near(family: Family, domain: Domain, direct: Finding) -> Finding:
    """Return a refutation at a ρ of the domain, or that none was found."""
    if not domain.equations:
        return direct
    moved, name = family.moved, family.rho.name
    tries = [(moved, dict[str, str](), seed) for seed in range(4)]
    for value in _NEAR_ZERO:
        tries.append((moved.xreplace({family.rho: value}), {name: str(value)}, 0))
    for left, fixed, seed in tries:
        finding = compare(left, family.loss, seed=seed)
        seen = finding.witness
        if seen is not None and _contains(domain, fixed | dict(seen.values)):
            values = fixed | dict(seen.values)
            witness = Witness(values, seen.left, seen.right, seen.exact)
            return Finding(Verdict.REFUTED, finding.reason, witness)
    return Finding(Verdict.INCONCLUSIVE, f"not decided {domain.text}")


def _contains(domain: Domain, values: Mapping[str, str]) -> bool:
    """Decide whether a point with printed values satisfies every inequality."""
    for relation in domain.equations:
        known = {
            s: sp.Rational(values[s.name])
            for s in relation.free_symbols
            if s.name in values
        }
        if relation.xreplace(known).doit() != sp.true:
            return False
    return True


# --- the set of ρ --------------------------------------------------------------------


def _domain(
    rho: sp.Symbol,
    expressions: Iterable[sp.Expr],
    *,
    kinks: bool = False,
    connected: bool = False,
) -> Domain:
    """Return where roots and logarithms are real and denominators are not 0.

    With `kinks`, factors of the arguments of relu and abs keep their sign too; if
    `connected`, denominators do.
    """
    positive: dict[sp.Expr, None] = {}
    nonzero: dict[sp.Expr, None] = {}
    for expression in expressions:
        for part in sp.preorder_traversal(expression):
            kind, inner = _restricted(part, kinks=kinks)
            for factor, even in _factors(inner, rho) if kind else ():
                either_sign = kind == "nonzero" or (even and not kinks)
                target = nonzero if either_sign and not connected else positive
                if kind != "kink" or _sign_at_zero(factor, rho) is not None:
                    target[_oriented(factor, rho)] = None
    return _assembled(rho, positive, [e for e in nonzero if e not in positive])


def _restricted(part: sp.Basic, *, kinks: bool) -> tuple[str, Any]:
    """Return what a part of an expression asks of which argument, "" for nothing."""
    if isinstance(part, sp.Pow):
        if not part.exp.is_Integer:
            return "positive", part.base
        return ("nonzero", part.base) if part.exp.is_negative else ("", None)
    if isinstance(part, sp.log):
        return "positive", part.args[0]
    if isinstance(part, sp.tan):
        return "nonzero", sp.cos(part.args[0])
    return ("kink", part.args[0]) if kinks and isinstance(part, _KINKED) else ("", None)


def _factors(expression: sp.Expr, rho: sp.Symbol) -> Iterator[tuple[sp.Expr, bool]]:
    """Yield the factors that contain ρ and have no known sign: base, even power."""
    for factor in sp.Mul.make_args(_factored(expression)):
        base, exponent = factor.as_base_exp()
        if base.has(rho) and not (base.is_positive or base.is_negative):
            yield base, bool(exponent.is_even)


def _factored(expression: sp.Expr) -> sp.Expr:
    if not expression.is_Add or expression.count_ops() > MAX_FACTORED:
        return expression
    return sp.factor(expression)


def _sign_at_zero(factor: sp.Expr, rho: sp.Symbol) -> int | None:
    """Return the sign at ρ = 0 where it is that of a number other than 0."""
    value = factor.xreplace({rho: sp.S.Zero})
    if not value.is_number or not (value.is_positive or value.is_negative):
        return None
    return 1 if value.is_positive else -1


def _oriented(factor: sp.Expr, rho: sp.Symbol) -> sp.Expr:
    return -factor if _sign_at_zero(factor, rho) == -1 else factor


def _assembled(
    rho: sp.Symbol, positive: Iterable[sp.Expr], nonzero: Iterable[sp.Expr]
) -> Domain:
    low, high = -sp.oo, sp.oo
    holes: set[sp.Expr] = set()
    others: list[sp.Basic] = []
    for factor in positive:
        roots = _real_roots(factor, rho)
        if roots is None or _sign_at_zero(factor, rho) is None:
            others.append(_above_zero(factor))
            continue
        low = max([low, *(r for r in roots if r < 0)])
        high = min([high, *(r for r in roots if r > 0)])
    for factor in nonzero:
        roots = _real_roots(factor, rho)
        if roots is None:
            others.append(sp.Ne(*sides(factor), evaluate=False))
        else:
            holes.update(roots)
    inside = tuple(sorted(hole for hole in holes if low < hole < high))
    return Domain(rho, low, high, inside, tuple(others))


def _real_roots(factor: sp.Expr, rho: sp.Symbol) -> list[sp.Expr] | None:
    """Return the real roots of a polynomial in ρ alone, None for anything else."""
    if factor.free_symbols != {rho}:
        return None
    polynomial = factor.as_poly(rho)
    if polynomial is None or polynomial.degree() > MAX_DEGREE:
        return None
    if not all(c.is_Rational for c in polynomial.coeffs()):
        return None
    return list(dict.fromkeys(sp.real_roots(polynomial)))


def sides(polynomial: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Return the sides of p = 0: no minus, numbers to the right.

    >>> x, y = sp.symbols("x y")
    >>> sides(1 - x - y), sides(x - y + 2)
    ((x + y, 1), (x + 2, y))
    """
    number, plus, minus = _signed(polynomial)
    if len(plus) < len(minus):
        number, plus, minus = -number, minus, plus
    if minus and number > 0:
        return sp.Add(*plus, number), sp.Add(*minus)
    return sp.Add(*plus), sp.Add(*minus, -number)


def _above_zero(factor: sp.Expr) -> sp.Basic:
    """Return factor > 0, or a < b where the factor is a difference."""
    number, plus, minus = _signed(factor)
    if not minus:
        return sp.Gt(factor, 0, evaluate=False)
    return sp.Lt(sp.Add(*minus), sp.Add(*plus, number), evaluate=False)


def _signed(
    polynomial: sp.Expr,
) -> tuple[sp.Rational, list[sp.Expr], list[sp.Expr]]:
    """Return the number, the terms with a plus, and those with a minus, without it."""
    number, terms = sp.expand(polynomial).as_coeff_add()
    plus = [t for t in terms if not t.could_extract_minus_sign()]
    minus = [-t for t in terms if t.could_extract_minus_sign()]
    return number, plus, minus


def _said(relation: sp.Basic) -> str:
    signs = {sp.Ne: "!=", sp.StrictLessThan: "<", sp.StrictGreaterThan: ">"}
    left, right = relation.args
    return f"{left} {signs[relation.func]} {right}"


# --- factors that are positive on it -------------------------------------------------


def _pulled(expression: sp.Expr, rho: sp.Symbol) -> sp.Expr:
    """Draw factors that keep their sign about ρ = 0 out of kinks, logs and roots.

    Args:
        expression: any expression.
        rho: the symbol ρ.

    Returns:
        An expression equal to it on the set that `_domain` returns with `kinks`.

    >>> u, rho = sp.symbols("u rho", real=True)
    >>> _pulled(relu(u + rho * u), rho)
    (rho + 1)*relu(u)
    """

    def kink(function: Any) -> Any:
        return lambda z: _scale(_split(z, rho)[0]) * function(_split(z, rho)[1])

    def logarithm(z: sp.Expr) -> sp.Expr:
        drawn, rest = _split(z, rho)
        return sp.log(rest) + sum((e * sp.log(b) for b, e in drawn), sp.S.Zero)

    def power(e: sp.Pow) -> sp.Expr:
        drawn, rest = _split(e.base, rho)
        return _scale(drawn, e.exp) * rest**e.exp

    result: Any = expression.replace(relu, kink(relu)).replace(sp.Abs, kink(sp.Abs))
    result = result.replace(step, lambda z: step(_split(z, rho)[1]))
    result = result.replace(sp.sign, lambda z: sp.sign(_split(z, rho)[1]))
    return result.replace(sp.log, logarithm).replace(
        lambda e: isinstance(e, sp.Pow) and not e.exp.is_Integer, power
    )


def _split(z: sp.Expr, rho: sp.Symbol) -> tuple[list[tuple[sp.Expr, sp.Expr]], sp.Expr]:
    """Return the (base, exponent) that are positive about ρ = 0, and the rest of z."""
    drawn, rest = [], sp.S.One
    for factor in sp.Mul.make_args(_factored(z)):
        base, exponent = factor.as_base_exp()
        sign = _sign_at_zero(base, rho) if base.has(rho) else None
        if sign is None or not exponent.is_Integer:
            rest *= factor
        else:
            drawn.append((sign * base, exponent))
            rest *= sign**exponent
    return drawn, rest


def _scale(drawn: list[tuple[sp.Expr, sp.Expr]], power: sp.Expr = sp.S.One) -> sp.Expr:
    return sp.Mul(*(base ** (exponent * power) for base, exponent in drawn))
