"""What one step of an optimiser does to a charge: `DiscreteLaw`, and its symbols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import combinations
from types import MappingProxyType
from typing import Any

import sympy as sp

from symbolic._exact.equality import compare
from symbolic._laws.ito import batch, covariance_symbols, dot, eta, gradient_symbols
from symbolic._space import RESERVED
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict


Update = tuple[tuple[str, str], ...]
Vector = tuple[sp.Expr, ...]
DIRECT_SIZE = 4  # above, the proof with n free is not repeated in components


@dataclass(frozen=True, slots=True)
class DiscreteLaw:
    """The exact law of a charge under one step of an optimiser, g·J = 0 used.

    Attributes:
        optimiser: its id.
        update: (what, formula) for each part of the step, in vectors.
        next: state → its value after the step, `defect` included, in the symbols of
            `where`, the parameters, `g_<a>` and the optimiser's own.
        where: symbol → what it stands for before the step: C, B = J(θ)·m,
            M = mᵀAm, and L = b·θ, P = b·m where J = Aθ + b.
        proof: the finding that `next` is exact modulo g·J = 0.
        expectation: E[C' | state] for minibatches drawn with replacement, in the mean
            gradient `gbar_<a>` and Σ; None where C' is not quadratic in g.
        without_replacement: the same for S of N samples, all different.
        defect: the part of C' that is first order in the gradient and that the
            symmetry does not cancel; None where it cancels all.
        bound: the largest |defect| that g, J and the direction taken allow.
        vanishes: the finding that the defect is 0 wherever g·J = 0.
        condition: what the law needs beyond g·J = 0 at θ ("" for nothing).
        note: the rule to remember, in words.
    """

    optimiser: str
    update: Update
    next: Mapping[str, sp.Expr]
    where: Mapping[sp.Symbol, sp.Expr]
    proof: Finding
    expectation: sp.Expr | None = None
    without_replacement: sp.Expr | None = None
    defect: sp.Expr | None = None
    bound: sp.Expr | None = None
    vanishes: Finding | None = None
    condition: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("next", "where"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __hash__(self) -> int:
        return hash((self.optimiser, self.update, tuple(self.next.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy does not pickle, and campaigns cross process borders.
        values = (getattr(self, field.name) for field in fields(self))
        return type(self), tuple(
            dict(value) if isinstance(value, MappingProxyType) else value
            for value in values
        )

    def expanded(self, expression: sp.Expr) -> sp.Expr:
        """Return an expression with what its symbols stand for put in."""
        return unfolded(expression, self.where)


def unfolded(expression: sp.Expr, where: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """Return an expression in which no symbol of `where` is left."""
    table = dict(where)
    while expression.free_symbols & set(table):
        expression = expression.xreplace(table)
    return expression


@dataclass(frozen=True, slots=True)
class Setting:
    """A symmetry and its charge, read once; build it with `setting`.

    Attributes:
        symmetry: J.
        charge: C with ∇C = J.
        A: shape (n, n) where J = Aθ + b, else None.
        b: n components; zeros where J is nonlinear.
        constant: C(0) where J = Aθ + b, else 0.
        pivot: a component of J that is not identically 0.
        taken: names that belong to the declaration.
    """

    symmetry: Symmetry
    charge: sp.Expr
    A: sp.ImmutableDenseMatrix | None
    b: Vector
    constant: sp.Expr
    pivot: int
    taken: frozenset[str]

    @property
    def theta(self) -> tuple[sp.Symbol, ...]:
        """Return the n symbols of θ."""
        return self.symmetry.space.symbols

    @property
    def J(self) -> Vector:  # noqa: N802 - the generator
        """Return the generator at θ, n components."""
        return self.symmetry.generator

    @property
    def g(self) -> tuple[sp.Symbol, ...]:
        """Return the n symbols of the minibatch gradient."""
        return gradient_symbols(self.symmetry.space)

    @property
    def has_offset(self) -> bool:
        """Return whether b is not known to be 0."""
        return any(not entry.is_zero for entry in self.b)

    def symbol(self, name: str, **assumptions: bool) -> sp.Symbol:
        """Return a symbol of that name, prefixed by `opt_` where it is taken."""
        while name in self.taken:
            name = f"opt_{name}"
        return sp.Symbol(name, **(assumptions or {"real": True}))

    def family(
        self, prefix: str, labels: Iterable[str] | None = None, **assumptions: bool
    ) -> tuple[sp.Symbol, ...]:
        """Return `<prefix>_<a>` for each component, `<prefix>_opt_<a>` where taken."""
        wanted = tuple(labels or (s.name for s in self.theta))
        while any(f"{prefix}_{label}" in self.taken for label in wanted):
            prefix = f"{prefix}_opt"
        flags = assumptions or {"real": True}
        return tuple(sp.Symbol(f"{prefix}_{label}", **flags) for label in wanted)

    def at(self, point: Vector, f: sp.Expr) -> sp.Expr:
        """Return f at another point."""
        return f.xreplace(dict(zip(self.theta, point, strict=True)))

    def field(self, point: Vector) -> Vector:
        """Return J at another point."""
        return tuple(self.at(point, entry) for entry in self.J)

    def form(self, x: Vector, y: Vector) -> sp.Expr:
        """Return xᵀAy, for J = Aθ + b."""
        assert self.A is not None  # the callers branch on it
        entries = self.A.todok().items()  # those that are not literally 0
        return sum((a * x[i] * y[j] for (i, j), a in entries), sp.S.Zero)


def setting(symmetry: Symmetry, charge: sp.Expr) -> Setting:
    """Return a symmetry with its charge, ready for every optimiser."""
    space, A = symmetry.space, symmetry.matrix
    zeros = (sp.S.Zero,) * space.size
    names = {symbol.name for symbol in (*space.symbols, *symmetry.constants)}
    names |= {symbol.name for symbol in charge.free_symbols}
    names |= {s.name for p in ("g", "gbar") for s in gradient_symbols(space, p)}
    names |= {symbol.name for symbol in covariance_symbols(space)}
    return Setting(
        symmetry,
        charge,
        A,
        symmetry.offset if A is not None else zeros,
        charge.xreplace(dict(zip(space.symbols, zeros, strict=True)))
        if A is not None
        else sp.S.Zero,
        _pivot(symmetry.generator),
        frozenset(names | RESERVED),
    )


def _pivot(J: Vector) -> int:
    """Return the shortest component shown not to vanish, 0 where there is none."""
    order = sorted(range(len(J)), key=lambda i: (J[i].count_ops(), i))
    moved = (i for i in order if not J[i].is_zero)
    zero = sp.S.Zero
    return next((i for i in moved if compare(J[i], zero).verdict is Verdict.REFUTED), 0)


def weakest(findings: Iterable[Finding]) -> Finding:
    """Return the weakest of some findings: REFUTED, INCONCLUSIVE, then PROVED."""
    order = {Verdict.REFUTED: 0, Verdict.INCONCLUSIVE: 1}
    return min(findings, key=lambda finding: order.get(finding.verdict, 2))


@lru_cache(maxsize=2)
def minibatch_factor(N: sp.Symbol | None) -> sp.Expr:
    """Return f with E[gᵀAg] = ḡᵀAḡ + f·Tr[ΣA] for the mean g of S gradients.

    The S² ordered pairs of g are S times a sample with itself and S(S − 1) times two
    draws, which are different samples where none is put back.

    Args:
        N: the number of samples, drawn without replacement; None for with.

    Returns:
        f in S, and N.

    >>> minibatch_factor(None)
    1/S
    >>> minibatch_factor(sp.Symbol("N"))
    (N - S)/(S*(N - 1))
    """
    same, mean = sp.symbols("same mean")  # E[gᵢᵀAgᵢ] and ḡᵀAḡ
    two_draws = mean if N is None else (N * mean - same) / (N - 1)
    total = (batch * same + batch * (batch - 1) * two_draws) / batch**2
    return sp.factor(sp.cancel((total - mean) / (same - mean)))


def expectations(
    case: Setting, law: sp.Expr, curvature: sp.MatrixBase
) -> tuple[sp.Expr, sp.Expr]:
    """Return E[C'] with and without replacement, of a law quadratic in g.

    Args:
        case: the symmetry.
        law: C' in θ and g, quadratic in g with second-order part ½gᵀKg.
        curvature: K, shape (n, n), free of g.

    Returns:
        The law at ḡ plus ½Tr[ΣK]·f, f from `minibatch_factor`.
    """
    space = case.symmetry.space
    mean = gradient_symbols(space, "gbar")
    at_mean = law.xreplace(dict(zip(case.g, mean, strict=True)))
    spread = (curvature * covariance_symbols(space)).trace() / 2
    N = case.symbol("N", positive=True, integer=True)
    return (
        at_mean + spread * minibatch_factor(None),
        at_mean + spread * minibatch_factor(N),
    )


@lru_cache(maxsize=8)
def is_quadratic(case: Setting) -> Finding:
    """Decide whether C = ½θᵀAθ + b·θ + C(0) with A = Aᵀ."""
    assert case.A is not None  # the callers branch on it
    A, theta = case.A, case.theta
    value = case.form(theta, theta) / 2 + dot(case.b, theta) + case.constant
    pairs = combinations(range(len(theta)), 2)
    return weakest(
        [compare(case.charge, value), *(compare(A[i, j], A[j, i]) for i, j in pairs)]
    )


def in_components(
    case: Setting, sides: Iterable[tuple[sp.Expr, sp.Expr]]
) -> list[Finding]:
    """Decide equalities in components too, where there are few enough of them."""
    if len(case.theta) > DIRECT_SIZE:
        return []
    return [compare(left, right) for left, right in sides]


def is_charge(case: Setting) -> Finding:
    """Decide whether ∇C = J."""
    return weakest(
        compare(case.charge.diff(s), entry)
        for s, entry in zip(case.theta, case.J, strict=True)
    )


def free_of(
    order: sp.Expr, symbols: Iterable[sp.Symbol], small: sp.Symbol = eta
) -> Finding:
    """Decide whether an expression, where `small` is 0, is free of some symbols."""
    at_zero = order.xreplace({small: sp.S.Zero})
    return compare(at_zero, at_zero.xreplace(dict.fromkeys(symbols, sp.S.Zero)))
