"""Integrating factors: f with f·J = ∇C, for a J that is no gradient field.

C is constant wherever the charge of f·J would be: along gradient flow, and for an angle
under SGD too. It is no charge of the declared J (THEORY §2), and is reported beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

import sympy as sp
from sympy.polys.fields import sfield

from symbolic._exact.antiderivative import factors, potential
from symbolic._exact.dependence import Vector, vanishes
from symbolic._exact.equality import compare
from symbolic._exact.functions import on_branches, step
from symbolic._symmetries.factor_ansatz import Symbols, candidates, curl
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict, Witness


LARGEST_FIELD = 400  # operations of J; beyond, no factor is sought
LARGEST_CANDIDATE = 200  # operations of a factor that is tried
LARGEST_NUMERATOR = 1_000  # operations of what is reduced by r^q = p
MOST_INTEGRALS = 3  # closed f·J whose antiderivative is given up

_Solution = tuple[str, sp.Expr, sp.Expr | None]  # ansatz, f, and C where it was found


@dataclass(frozen=True, slots=True)
class IntegratingFactor:
    """A factor f with f·J = ∇C, proved.

    Attributes:
        factor: f.
        expression: C.
        domain: where f and C are defined, beyond what J needs; "everywhere", or
            conditions such as "u != 0" joined by "and".
        ansatz: the form in which f was found.
    """

    factor: sp.Expr
    expression: sp.Expr
    domain: str
    ansatz: str


@dataclass(frozen=True, slots=True)
class NoFactor:
    """No integrating factor: there is none, or none was found.

    Attributes:
        reason: one sentence.
        witness: a point where J ∧ dJ ≠ 0, so that none exists near it; None where the
            search ended without a result, which does not exclude a factor.
    """

    reason: str
    witness: Witness | None = None


def integrating_factor(symmetry: Symmetry) -> IntegratingFactor | NoFactor:
    """Find f with f·J = ∇C, in ansätze that are tried in turn.

    Near a point where J ≠ 0 one exists iff J ∧ dJ = 0 (Frobenius), which is decided
    first. The ansätze: the common factor of the components; powers of the squared norm;
    monomials; functions of one coordinate; 1/(J·S) for an affine field S along which J
    keeps its direction, as S = θ for homogeneous J; products of powers of the factors
    of the components. A linear J of plane rank, or one moving coordinate, always has
    one of them.

    Args:
        symmetry: the declared symmetry; for a gradient field f = 1.

    Returns:
        The factor with C, both checked: ∇C = f·J and curl f·J = 0 by normal forms. Or
        the reason why there is none.

    >>> from symbolic._space import ParameterSpace
    >>> space = ParameterSpace(u=(), w=())
    >>> u, w = space.symbols
    >>> found = integrating_factor(Symmetry.from_generator(space, {"u": -w, "w": u}))
    >>> found.factor, found.expression, found.domain
    (1/(u**2 + w**2), atan(w/u), 'u != 0')
    """
    theta = symmetry.space.symbols
    if sum(entry.count_ops() for entry in symmetry.generator) > LARGEST_FIELD:
        return NoFactor(f"J has more than {LARGEST_FIELD} operations: none was sought")
    J = tuple(sp.S.Zero if vanishes(entry) else entry for entry in symmetry.generator)
    obstacle = _frobenius(J, theta)
    if obstacle.witness is not None:
        return NoFactor(
            f"J ∧ dJ is not 0 {obstacle.witness.describe()}, so no f has f·J = ∇C near "
            f"that point (Frobenius)",
            obstacle.witness,
        )
    closed = None
    common, primitive = _without_common_factor(J)
    for ansatz, own, C in _solutions(primitive, theta):
        f = sp.factor_terms(own / common)
        if C is None:
            closed = closed or f
        elif _is_factor(f, C, J, theta):
            named = "common factor" if own == 1 and common != 1 else ansatz
            return IntegratingFactor(f, C, _domain(f, C), named)
    return NoFactor(
        f"{obstacle.reason}, but "
        + (
            f"no antiderivative of f·J in closed form was found for f = {closed}"
            if closed
            else "no factor was found in the ansätze tried"
        )
    )


def _frobenius(J: Vector, theta: Symbols) -> Finding:
    """Decide whether J ∧ dJ = 0; triples with one J_p ≢ 0 suffice."""
    p = next((i for i, entry in enumerate(J) if entry != 0), None)
    decided = True
    K = curl(J, theta)
    for j, k in combinations(sorted(set(range(len(J))) - {p}), 2):
        if p is None:
            break
        wedge = J[p] * K[j][k] + J[j] * K[k][p] + J[k] * K[p][j]
        finding = compare(wedge, sp.S.Zero)
        if finding.verdict is Verdict.REFUTED:
            return finding
        decided = decided and vanishes(wedge)
    if decided:
        return Finding(Verdict.PROVED, "J ∧ dJ = 0")
    return Finding(Verdict.INCONCLUSIVE, "undecided whether J ∧ dJ = 0")


def _without_common_factor(J: Vector) -> tuple[sp.Expr, Vector]:
    """Return g and J/g, whose components are polynomials without a common divisor."""
    if not any(J):
        return sp.S.One, J
    F, entries = sfield(J)
    moving = [entry for entry in entries if entry]
    top = reduce(lambda p, q: p.gcd(q), (entry.numer for entry in moving))
    bottom = reduce(lambda p, q: p.lcm(q), (entry.denom for entry in moving))
    top, bottom = top.primitive()[1], bottom.primitive()[1]
    common = F.new(top, bottom).as_expr()
    rest = tuple((entry / F.new(top, bottom)).as_expr() for entry in entries)
    return common, rest


def _solutions(J: Vector, theta: Symbols) -> Iterator[_Solution]:
    """Search on the coordinates that occur, in the plane where it suffices.

    On each branch a step is a constant.

    Yields:
        Ansatz, f, and C where an antiderivative was found.
    """
    branches = [on_branches(entry) for entry in J]
    atoms = sorted(set().union(*(e.atoms(step) for e in branches)), key=str)
    constants = {atom: sp.Dummy("s", real=True) for atom in atoms}
    J = tuple(entry.xreplace(constants) for entry in branches)
    occurring = set().union(*(entry.free_symbols for entry in J))
    active = [i for i, s in enumerate(theta) if J[i] != 0 or s in occurring]
    form = tuple(J[i] for i in active)
    x: Symbols = tuple(theta[i] for i in active)
    if not active:
        yield "gradient field", sp.S.One, sp.S.Zero
        return
    form, x, forms = _plane(form, x) or (form, x, tuple(x))
    back = dict(zip(x, forms, strict=True)) | {s: a for a, s in constants.items()}
    for ansatz, f, C in _searched(form, x):
        yield ansatz, f.xreplace(back), None if C is None else C.xreplace(back)


def _searched(form: Vector, x: Symbols) -> Iterator[_Solution]:
    seen: set[sp.Expr] = set()
    left = MOST_INTEGRALS
    for ansatz, f in candidates(form, x):
        if f in seen or f.count_ops() > LARGEST_CANDIDATE:
            continue
        seen.add(f)
        scaled = tuple(_tidy(f * entry) for entry in form)
        if _is_closed(scaled, x):
            C = potential(scaled, x)
            yield ansatz, f, C
            left -= C is None
        if not left:
            return


def _plane(form: Vector, x: Symbols) -> tuple[Vector, Symbols, Vector] | None:
    """Write an affine J as Σ J̃(y)·∇y in two affine forms y, J̃ linear if possible.

    An integrable J = Aθ + b that is no gradient has b and the images of A and Aᵀ in
    one plane: the 2-form dJ = a ∧ b has rank 2, and J ∧ a ∧ b = 0.

    Returns:
        J̃, the symbols y, and the forms they stand for; None elsewhere.
    """
    column = sp.Matrix(form)
    A = column.jacobian(x).applyfunc(sp.expand)
    if A.free_symbols & set(x) or A.is_symmetric():
        return None
    b = column.subs(dict.fromkeys(x, 0)).applyfunc(sp.expand)
    if len(x) == 2 and b.is_zero_matrix:
        return None
    echelon, pivots = sp.Matrix.hstack(A, A.T, b).T.rref()
    if len(pivots) != 2:
        return None
    B = echelon[:2, :].T
    left = (B.T * B).inv() * B.T
    M, offset = left * A * left.T, left * b
    fixed = sp.zeros(2, 1)
    if not (b.is_zero_matrix or sp.cancel(M.det()).is_zero):
        fixed = -M.inv() * offset
        offset = sp.zeros(2, 1)
    y = sp.symbols("y1 y2", cls=sp.Dummy, real=True)
    inner = (M * sp.Matrix(y) + offset).applyfunc(sp.cancel)
    forms = (B.T * sp.Matrix(x) - fixed).applyfunc(sp.cancel)
    return tuple(inner), y, tuple(forms)


def _tidy(entry: sp.Expr) -> sp.Expr:
    """Return an entry of f·J over one denominator."""
    if entry.is_rational_function():
        return sp.factor(entry)
    return sp.powsimp(sp.expand_mul(entry))


def _is_closed(form: Sequence[sp.Expr], x: Symbols) -> bool:
    K = curl(form, x)
    return all(_is_zero(K[i][j]) for i, j in combinations(range(len(x)), 2))


def _is_factor(f: sp.Expr, C: sp.Expr, J: Vector, theta: Symbols) -> bool:
    """Return whether ∇C = f·J and curl f·J = 0 are both proved."""
    scaled = [f * entry for entry in J]
    return all(
        _is_zero(C.diff(s) - entry) for s, entry in zip(theta, scaled, strict=True)
    ) and _is_closed(scaled, theta)


def _is_zero(expression: sp.Expr) -> bool:
    """Prove that an expression is 0 on the domain of its powers.

    A root r = p^(1/q) becomes a symbol with r^q = p, a power p^(k + 5/2) that symbol's
    times p^k, a symbol of its own.

    Returns:
        Whether a normal form is 0.
    """
    expression = sp.powdenest(sp.expand_power_exp(expression))
    orders: dict[sp.Expr, int] = {}
    for power in expression.atoms(sp.Pow):
        if power.exp.is_Rational and not power.base.is_number:
            orders[power.base] = sp.ilcm(orders.get(power.base, 1), power.exp.q)
    roots = {p: sp.Dummy("r", positive=True) for p, q in orders.items() if q > 1}

    def in_roots(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        if base in roots and exponent.is_Rational:
            return roots[base] ** (exponent * orders[base])
        return base**exponent

    rational = sp.together(expression.replace(sp.Pow, in_roots))
    if vanishes(rational):
        return True
    numerator = sp.fraction(rational)[0]
    if numerator.count_ops() > LARGEST_NUMERATOR:
        return False
    for base, root in roots.items():
        if not numerator.is_polynomial(root):
            return False
        numerator = sp.rem(numerator, root ** orders[base] - base, root)
    if numerator.is_polynomial() and sp.expand(numerator) == 0:
        return True
    return bool(roots) and vanishes(numerator)


def _domain(*expressions: sp.Expr) -> str:
    """Return the conditions under which powers and logarithms are defined."""
    nonzero: set[sp.Expr] = set()
    positive: set[sp.Expr] = set()
    for expression in expressions:
        for power in expression.atoms(sp.Pow):
            if not power.exp.is_Integer:
                positive.add(power.base)
            elif power.exp.is_negative:
                nonzero |= {base for base, _ in factors(sp.together(power.base))}
        for log in expression.atoms(sp.log):
            base, power = log.args[0].as_base_exp()
            even = power == 2 or base.is_nonnegative
            (nonzero if even else positive).add(base)
    signs = {base for base in positive if not base.is_positive}
    others = {
        base
        for base in nonzero - signs
        if not (base.is_nonzero or base.is_number) and not _follows(base, nonzero)
    }
    conditions = [f"{base} > 0" for base in signs] + [f"{b} != 0" for b in others]
    return " and ".join(sorted(conditions)) or "everywhere"


def _follows(base: sp.Expr, nonzero: set[sp.Expr]) -> bool:
    """Return whether a sum of squares is not 0 as one of them is not."""
    return any(
        s.is_Symbol and base.is_Add and (base - s**2).is_nonnegative for s in nonzero
    )
