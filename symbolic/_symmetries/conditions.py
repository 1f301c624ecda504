"""Under which restriction a loss has a symmetry: `find_condition`."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import sympy as sp

from symbolic._exact.atoms import AtomFraction, in_atoms
from symbolic._exact.equality import compare, random_point
from symbolic._exact.intervals import NotEnclosed, enclose
from symbolic._laws.ito import dot
from symbolic._loss import Loss
from symbolic._symmetries.finite import (
    Domain,
    Family,
    decide_family,
    decide_flow,
    range_of,
    sides,
)
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict


MAX_COEFFICIENTS = 400
MAX_DEGREE = 40  # of a polynomial that is factored
MAX_POINTS = 8  # tried on a restriction, before it is taken to be empty or trivial
MAX_STEPS = 200  # of the search for such points
MAX_JOINT = 8  # equations of degree 2 or more, of which a Gröbner basis is computed
MAX_JOINT_SYMBOLS = 4
MAX_JOINT_DEGREE = 4
# Operations in a condition, beyond which it tells a reader nothing.
_LONGEST = {"constants": 400, "data": 200, "parameters": 40}
_VALUES = tuple(
    map(sp.Rational, ("3/5", "2", "-1/2", "4/5", "-3/5", "1", "3", "-1", "0", "-2"))
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A restriction under which an invariance holds, with its proof.

    Attributes:
        text: the restriction, such as "where x_0**2 + x_1**2 = 1", "for rho > -1".
        kind: "data", "constants", "parameters" or "rho": what it restricts.
        equations: the equations or inequalities, all of which must hold.
        proof: PROVED, with the argument.
    """

    text: str
    kind: str
    equations: tuple[sp.Basic, ...]
    proof: Finding


def find_condition(symmetry: Symmetry, loss: Loss) -> Condition | None:
    """Return a restriction under which the loss has the symmetry, if one is found.

    Restrictions of the constants come first, then of the data, of ρ and of θ.

    Args:
        symmetry: the declared symmetry.
        loss: the per-sample loss, on the same parameters.

    Returns:
        The first of `find_conditions`, or None.

    >>> from symbolic._space import ParameterSpace
    >>> space = ParameterSpace(u=(), w=())
    >>> u, w, x, y, k = sp.symbols("u w x y k", real=True)
    >>> loss = Loss((u**2 * w * x - y) ** 2, space, {"x": (), "y": ()})
    >>> find_condition(Symmetry.exponential(space, [[1, 0], [0, -k]]), loss).text
    'where k = 2'
    """
    return next(iter(find_conditions(symmetry, loss)), None)


def find_conditions(symmetry: Symmetry, loss: Loss) -> tuple[Condition, ...]:
    """Return restrictions, each of which gives the loss the symmetry (P1, Eq. (2)).

    The numerator of ∇ℓ·J (or of ℓ(Q_ρθ) − ℓ(θ), where the former is 0) is a polynomial
    in what is not restricted; its coefficients must vanish. A restriction is stated
    only if it is proved, if some real point satisfies it, and if neither ∇ℓ nor J is 0
    all over it.

    Args:
        symmetry: the declared symmetry.
        loss: the per-sample loss, on the same parameters.

    Returns:
        The restrictions found, none where the symmetry holds without any.

    >>> from symbolic._space import ParameterSpace
    >>> space = ParameterSpace(b=())
    >>> b, x, y = sp.symbols("b x y", real=True)
    >>> loss = Loss((b * (x**2 - 4) - y) ** 2, space, {"x": (), "y": ()})
    >>> find_conditions(Symmetry.from_generator(space, {"b": 1}), loss)
    ()
    """
    along = dot(loss.gradient, symmetry.generator)
    first = compare(along, sp.S.Zero)
    family = family_of(symmetry, loss)
    if first.verdict is not Verdict.PROVED:
        found = _restrictions(along, symmetry, loss, family, first_order=True)
        return tuple(found)
    if family is None:
        return ()
    finding, domain = decide_family(family)
    if finding.verdict is Verdict.PROVED:
        equations = domain.equations
        rho = Condition(finding.condition, "rho", equations, finding)
        return (rho,) if finding.condition else ()
    change = family.moved - family.loss
    return tuple(_restrictions(change, symmetry, loss, family, first_order=False))


def finite_invariance(symmetry: Symmetry, loss: Loss) -> Finding:
    """Decide ℓ(Q_ρθ) = ℓ(θ) for ρ in the interval about 0 where Q_ρ makes sense.

    Args:
        symmetry: the declared symmetry.
        loss: the per-sample loss, on the same parameters.

    Returns:
        PROVED, with the range of ρ as its condition where it is not all of ℝ; REFUTED
        with a witness; or INCONCLUSIVE. Without a transformation, about ∇ℓ·J = 0.

    >>> from symbolic._exact.functions import relu
    >>> from symbolic._space import ParameterSpace
    >>> space = ParameterSpace(u=(), w=())
    >>> u, w, x, rho = sp.symbols("u w x rho", real=True)
    >>> images = {"u": (1 + rho) * u, "w": w / (1 + rho)}
    >>> symmetry = Symmetry.from_transformation(space, images)
    >>> loss = Loss(w * relu(u * x), space, {"x": ()})
    >>> finite_invariance(symmetry, loss).condition
    'for rho > -1'
    """
    first = compare(dot(loss.gradient, symmetry.generator), sp.S.Zero)
    family = family_of(symmetry, loss)
    if family is None or first.verdict is not Verdict.PROVED:
        return first
    return decide_family(family)[0]


def family_of(symmetry: Symmetry, loss: Loss) -> Family | None:
    """Return the declared transformation with a loss, None for a generator alone."""
    if symmetry.transformation is None:
        return None
    return Family(
        symmetry.space.symbols,
        symmetry.transformation,
        symmetry.generator,
        loss.expression,
        symmetry.rho,
    )


@dataclass(frozen=True, slots=True)
class _Context:
    """What is to vanish, where it comes from, and whether it is of first order in ρ."""

    target: sp.Expr
    fraction: AtomFraction
    symmetry: Symmetry
    loss: Loss
    family: Family | None
    first_order: bool


def _restrictions(
    target: sp.Expr,
    symmetry: Symmetry,
    loss: Loss,
    family: Family | None,
    *,
    first_order: bool,
) -> Iterator[Condition]:
    """Yield the restrictions under which the target vanishes."""
    fraction = in_atoms(target)
    if fraction is None or max(map(sum, fraction.terms), default=0) > MAX_DEGREE:
        return
    context = _Context(target, fraction, symmetry, loss, family, first_order)
    theta, data = set(symmetry.space.symbols), set(loss.data.symbols)
    constants = target.free_symbols - theta - data - {symmetry.rho}
    passes = [
        ("constants", constants, True),
        ("data", data, True),
        ("data", data | constants, False),
        ("parameters", theta, True),
    ]
    seen: set[str] = set()
    for kind, symbols, joint in passes:
        for system in _systems(fraction, symbols, joint=joint):
            if kind == "parameters" and any(p.has(*fraction.meaning) for p in system):
                continue
            found = _condition(kind, system, context)
            if found is not None and found.text not in seen:
                seen.add(found.text)
                yield found


def _condition(
    kind: str, system: tuple[sp.Expr, ...], context: _Context
) -> Condition | None:
    """Return the condition that a system vanishes, where proved and not trivial."""
    plain = (_without_root(context.fraction.restored(p)) for p in system)
    shown = tuple(dict.fromkeys(plain))
    if sum(p.count_ops() for p in shown) > _LONGEST[kind]:
        return None
    if not _is_met(shown, context.symmetry, context.loss):
        return None
    proof = _certificate(context, system, shown)
    if proof is None:
        return None
    text = "where " + " and ".join(map(_written, shown))
    equations: tuple[sp.Basic, ...] = tuple(sp.Eq(*_sides(p)) for p in shown)
    if context.family is not None:
        domain = _domain_under(kind, shown, context.family, context.first_order)
        if domain is None:
            return None
        text += f", {domain.text}" if domain.text else ""
        equations += domain.equations
    if kind == "parameters":
        text += " (a set of parameters, which training need not keep)"
    return Condition(text, kind, equations, proof)


# --- systems of equations ------------------------------------------------------------


def _systems(
    fraction: AtomFraction, allowed: set[sp.Symbol], *, joint: bool
) -> Iterator[tuple[sp.Expr, ...]]:
    """Yield systems of polynomials of allowed symbols whose zeros are zeros of all.

    Every factor common to the coefficients is one; if `joint`, what is left of them is
    another.
    """
    inside = fraction.within(allowed)
    coefficients = list(fraction.coefficients(inside).values())
    if not inside or not 0 < len(coefficients) <= MAX_COEFFICIENTS:
        return
    content = sp.gcd_list(coefficients) if len(coefficients) > 1 else coefficients[0]
    for factor, _ in sp.factor_list(content)[1]:
        yield (factor,)
    left = _minimal(_squarefree(sp.cancel(c / content)) for c in coefficients)
    if not joint or any(c.is_number for c in left):
        return
    basis = _basis(left)
    if basis is not None:
        yield basis


def _minimal(polynomials: Iterable[sp.Expr]) -> list[sp.Expr]:
    """Return the polynomials that are no multiples of shorter ones."""
    kept: list[sp.Expr] = []
    for p in sorted(set(polynomials), key=lambda p: (p.count_ops(), str(p))):
        if not any(sp.rem(p, q, *p.free_symbols) == 0 for q in kept if _divides(q, p)):
            kept.append(p)
    return kept


def _divides(divisor: sp.Expr, polynomial: sp.Expr) -> bool:
    return bool(divisor.free_symbols <= polynomial.free_symbols)


def _squarefree(polynomial: sp.Expr) -> sp.Expr:
    """Return a polynomial without its number and without repeated factors."""
    factors = sp.factor_list(polynomial)[1]
    return sp.expand(sp.Mul(*(f for f, _ in factors)))


def _basis(polynomials: list[sp.Expr]) -> tuple[sp.Expr, ...] | None:
    """Return equations with the same solutions, or None where there are none."""
    symbols = sorted(set().union(*(p.free_symbols for p in polynomials)), key=str)
    degree = max(sp.Poly(p, *symbols).total_degree() for p in polynomials)
    if degree > 1 and (
        len(polynomials) > MAX_JOINT
        or len(symbols) > MAX_JOINT_SYMBOLS
        or degree > MAX_JOINT_DEGREE
    ):
        return None
    basis = sp.groebner(polynomials, *symbols, order="grevlex").exprs
    return None if basis == [1] else tuple(basis)


def _without_root(polynomial: sp.Expr) -> sp.Expr:
    roots = [p for p in polynomial.atoms(sp.Pow) if p.exp == sp.Rational(1, 2)]
    if len(roots) != 1:
        return polynomial
    (root,), s = roots, sp.Dummy(nonnegative=True)
    linear = polynomial.xreplace({root: s})
    slope = linear.diff(s)
    if not slope.is_Rational or slope == 0:
        return polynomial
    value = sp.expand(s - linear / slope)
    return sp.expand(root.base - value**2) if value.is_positive else polynomial


# --- proof ---------------------------------------------------------------------------


def _certificate(
    context: _Context, system: tuple[sp.Expr, ...], shown: tuple[sp.Expr, ...]
) -> Finding | None:
    """Prove that the target is Σ pⱼ·(…) over the polynomials pⱼ of the system."""
    fraction = context.fraction
    inside = set().union(*(p.free_symbols for p in system))
    rest = [sp.S.Zero] * len(system)
    for monomial, coefficient in fraction.coefficients(inside).items():
        quotients, remainder = sp.reduced(
            coefficient, list(system), *sorted(inside, key=str), order="grevlex"
        )
        if remainder != 0:
            return None
        rest = [r + monomial * q for r, q in zip(rest, quotients, strict=True)]
    # `reduced` divides exactly; multiplied out again, the numerator must come back.
    if sp.expand(dot(system, rest) - fraction.numerator) != 0:
        return None
    what = "grad l . J" if context.first_order else "l(Q theta) - l(theta)"
    listed = ", ".join(map(str, shown))
    how = "a multiple" if len(system) == 1 else "a combination"
    return Finding(Verdict.PROVED, f"{what} is {how} of {listed}")


def _domain_under(
    kind: str, system: tuple[sp.Expr, ...], family: Family, first_order: bool
) -> Domain | None:
    """Return the range of ρ of the finite invariance under a system, None undecided.

    Of first order, only ∇ℓ·J = 0 under the system is shown so far.
    """
    if not first_order:
        return range_of(family)
    values = _solved(system)
    if kind == "parameters":
        if values is None:
            return None
        pair = family.moved.xreplace(values), family.loss.xreplace(values)
        proved = compare(*pair).verdict is Verdict.PROVED
        return range_of(family) if proved else None
    if values is None:
        finding, domain = decide_flow(family)
    else:
        finding, domain = decide_family(family.at(values))
    return domain if finding.verdict is Verdict.PROVED else None


def _solved(system: tuple[sp.Expr, ...]) -> dict[sp.Symbol, sp.Expr] | None:
    """Return a symbol for each equation, in terms of the others, where linear."""
    values: dict[sp.Symbol, sp.Expr] = {}
    for equation in system:
        left = sp.expand(equation.xreplace(values))
        for symbol in sorted(left.free_symbols, key=str):
            slope = left.diff(symbol)
            if slope.is_Rational and slope != 0:
                value = sp.expand(symbol - left / slope)
                values = {s: v.xreplace({symbol: value}) for s, v in values.items()}
                values[symbol] = value
                break
        else:
            return None
    return values


def _is_met(system: tuple[sp.Expr, ...], symmetry: Symmetry, loss: Loss) -> bool:
    """Decide whether a real point satisfies a system where neither ∇ℓ nor J is 0."""
    symbols = sorted(set().union(*(p.free_symbols for p in system)), key=str)
    fields = (loss.gradient, symmetry.generator)
    return any(
        all(_is_nonzero(field, point) for field in fields)
        for point in islice(_points(system, symbols), MAX_POINTS)
    )


def _is_nonzero(field: Iterable[sp.Expr], point: Mapping[sp.Symbol, sp.Expr]) -> bool:
    """Show that a vector is defined and not 0 at a point, its other symbols random."""
    entries = [entry.xreplace(dict(point)) for entry in field]
    free = set().union(*(entry.free_symbols for entry in entries))
    for seed in range(4):
        values = random_point(free, random.Random(seed))
        try:
            ends = [enclose(entry, values) for entry in entries]
        except NotEnclosed:
            continue
        if any(low > 0 or high < 0 for low, high in ends):
            return True
    return False


def _points(
    system: Iterable[sp.Expr], symbols: list[sp.Symbol]
) -> Iterator[dict[sp.Symbol, sp.Expr]]:
    """Yield real points that satisfy a system exactly."""
    stack = [(list(system), dict[sp.Symbol, sp.Expr]())]
    for _ in range(MAX_STEPS):
        if not stack:
            return
        equations, point = stack.pop()
        left = [e for e in map(sp.expand, equations) if e != 0]
        if any(e.is_number for e in left):
            continue
        if not left:
            yield point
            continue
        symbol, values = _next(left, symbols)
        for value in reversed(values):
            assigned = {symbol: value}
            stack.append(([e.xreplace(assigned) for e in left], point | assigned))


def _next(
    equations: list[sp.Expr], symbols: list[sp.Symbol]
) -> tuple[sp.Symbol, list[sp.Expr]]:
    """Return a symbol and values to try: the roots where only it is left."""
    single = [e for e in equations if len(e.free_symbols) == 1]
    if single:
        (symbol,) = single[0].free_symbols
        return symbol, [v for v in _roots(single[0], symbol) if _suits(symbol, v)]
    free = set().union(*(e.free_symbols for e in equations))
    depth = next(i for i, s in enumerate(symbols) if s in free)
    symbol = symbols[depth]
    turn = depth % 3
    values = (*_VALUES[turn:], *_VALUES[:turn])
    return symbol, [v for v in values if _suits(symbol, v)]


def _roots(equation: sp.Expr, symbol: sp.Symbol) -> list[sp.Expr]:
    """Return real roots that can be computed with: rational, or square roots."""
    polynomial = equation.as_poly(symbol)
    if polynomial is not None and polynomial.degree() == 1:
        return [-polynomial.nth(0) / polynomial.nth(1)]
    if polynomial is None or not polynomial.domain.is_QQ | polynomial.domain.is_ZZ:
        return [v for v in _VALUES if equation.xreplace({symbol: v}).is_zero]
    if polynomial.degree() > 6:
        return []
    roots = sp.real_roots(polynomial, multiple=True)
    return [r for r in dict.fromkeys(roots) if not r.has(sp.CRootOf)]


def _suits(symbol: sp.Symbol, value: sp.Expr) -> bool:
    """Decide whether a value agrees with what is assumed of a symbol."""
    if symbol.is_nonzero and value == 0:
        return False
    if symbol.is_nonnegative and value < 0:
        return False
    return not (symbol.is_nonpositive and value > 0)


# --- text ----------------------------------------------------------------------------


def _written(polynomial: sp.Expr) -> str:
    left, right = _sides(polynomial)
    return f"{left} = {right}"


def _sides(polynomial: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Return the sides of p = 0: no minus, numbers to the right."""
    free = polynomial.free_symbols
    if len(free) == 1:
        (symbol,) = free
        slope = polynomial.diff(symbol)
        if slope.is_Rational and slope != 0:
            return symbol, sp.expand(symbol - polynomial / slope)
    return sides(polynomial)
