"""Candidates for integrating factors: ansätze whose conditions are linear.

Nothing here is proved: `integrating_factor` checks what it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import sympy as sp

from symbolic._exact.antiderivative import antiderivative, factors
from symbolic._exact.dependence import Vector, vanishes
from symbolic._exact.formal_dependence import formal_dependence


MOST_FACTORS = 24  # functions whose powers are combined
_TRIALS = (0, -1, -2, 1, 2, -3)  # values of a free exponent

Symbols = Sequence[sp.Symbol]


def candidates(form: Vector, x: Symbols) -> Iterator[tuple[str, sp.Expr]]:
    """Yield factors, the simplest first; what is yielded is not proved yet."""
    yield "gradient field", sp.S.One
    norm2 = sp.Add(*(s**2 for s, entry in zip(x, form, strict=True) if entry != 0))
    for f in _powers(form, x, [sp.log(norm2)]):
        yield "power of the squared norm", f
    for f in _powers(form, x, [sp.log(s) for s in x]):
        yield "monomial", f
    for f in _of_one_coordinate(form, x, rational=True):
        yield "function of one coordinate", f
    for f in _along_symmetries(form, x):
        yield "1/(J·S), S a symmetry of J", f
    for f in _powers(form, x, _logarithms(form, x)):
        yield "product of powers", f
    for f in _of_one_coordinate(form, x, rational=False):
        yield "function of one coordinate", f


def curl(J: Sequence[sp.Expr], theta: Symbols) -> list[list[sp.Expr]]:
    """Return K[i][j] = ∂ᵢJⱼ − ∂ⱼJᵢ."""
    return [
        [b.diff(s) - a.diff(t) for t, b in zip(theta, J, strict=True)]
        for s, a in zip(theta, J, strict=True)
    ]


def _powers(
    form: Vector, x: Symbols, logarithms: Sequence[sp.Expr]
) -> Iterator[sp.Expr]:
    """Yield f = exp Σ aₘφₘ from the linear conditions on a that curl f·J = 0 sets.

    With φ = Σ aₘφₘ they read φⱼJᵢ − φᵢJⱼ = ∂ᵢJⱼ − ∂ⱼJᵢ for all i < j.
    """
    pairs = list(combinations(range(len(x)), 2))
    K = curl(form, x)
    columns = []
    for phi in logarithms:
        slopes = [phi.diff(s) for s in x]
        columns.append(
            tuple(slopes[j] * form[i] - slopes[i] * form[j] for i, j in pairs)
        )
    found = formal_dependence([*columns, tuple(K[i][j] for i, j in pairs)], x)
    count = len(columns)
    if count in found.pivots or not pairs:
        return
    exponents = [sp.S.Zero] * count
    for pivot, a in zip(found.pivots, found.coordinates[count], strict=True):
        exponents[pivot] = a
    free = [row[:count] for row in found.relations if row[count] == 0]
    chosen = _simplest(exponents, free)
    yield sp.Mul(*(_exp(a, phi) for a, phi in zip(chosen, logarithms, strict=True)))


def _simplest(exponents: list[sp.Expr], free: list[Vector]) -> list[sp.Expr]:
    """Return the solution with the simplest exponents, by trial of the free ones."""
    best = exponents
    for steps in product(_TRIALS, repeat=min(len(free), 2)):
        moved = [
            a + sp.Add(*(k * row[m] for k, row in zip(steps, free, strict=False)))
            for m, a in enumerate(exponents)
        ]
        best = min(best, moved, key=_complexity)
    return best


def _complexity(exponents: Sequence[sp.Expr]) -> tuple[int, int, int]:
    return (
        sum(not a.is_integer for a in exponents),
        sum(a != 0 for a in exponents),
        int(sum(abs(a) for a in exponents if a.is_Rational)),
    )


def _exp(a: sp.Expr, phi: sp.Expr) -> sp.Expr:
    """Return exp(aφ), a power where φ is a logarithm."""
    return phi.args[0] ** a if isinstance(phi, sp.log) else sp.exp(a * phi)


def _logarithms(form: Vector, x: Symbols) -> list[sp.Expr]:
    """Return φ = log p for the factors p that occur, and φ = monomials of degree 1, 2.

    Factors of the components, of J·θ and of J·J; functions that occur, and arguments
    of exponentials.
    """
    radial = sp.Add(*(s * entry for s, entry in zip(x, form, strict=True)))
    square = sp.Add(*(entry**2 for entry in form))
    bases = list(x)
    for expression in (*form, radial, square):
        for part in sp.fraction(sp.together(expression)):
            bases += [base for base, _ in factors(part) if base.free_symbols & set(x)]
    for entry in form:
        bases += sorted(entry.atoms(sp.sin, sp.cos, sp.cosh, sp.sinh), key=str)
    phis = [sp.log(base) for base in bases]
    phis += list(x)
    if len(x) <= 3:
        phis += [a * b for a, b in combinations(x, 2)] + [s**2 for s in x]
    return list(dict.fromkeys(phis))[:MOST_FACTORS]


def _of_one_coordinate(
    form: Vector, x: Symbols, *, rational: bool
) -> Iterator[sp.Expr]:
    """Yield f(θₖ) = exp∫r, r = (∂ᵢJₖ − ∂ₖJᵢ)/Jᵢ, where r is free of the others."""
    K = curl(form, x)
    for k, s in enumerate(x):
        i = next((i for i, e in enumerate(form) if i != k and e != 0), None)
        if i is None:
            continue
        slope = _free_of(sp.cancel(sp.together(K[i][k] / form[i])), set(x) - {s})
        if slope is None or slope.is_rational_function(s) is not rational:
            continue
        phi = antiderivative(slope, s)
        if phi is not None:
            terms = sp.Add.make_args(sp.expand(phi))
            yield sp.Mul(*(_exp(*_split(term)) for term in terms))


def _free_of(ratio: sp.Expr, others: set[sp.Symbol]) -> sp.Expr | None:
    """Return the expression without symbols it does not depend on, else None."""
    present = sorted(ratio.free_symbols & others, key=str)
    if not present:
        return ratio
    slope = ratio.xreplace({t: sp.Rational(m + 2, 3) for m, t in enumerate(present)})
    if slope.has(sp.nan, sp.zoo) or not vanishes(ratio - slope):
        return None
    return slope


def _split(term: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Return a and φ of a term aφ, φ a logarithm where the term has one."""
    logs = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.log)]
    return (term / logs[0], logs[0]) if len(logs) == 1 else (sp.S.One, term)


def _along_symmetries(form: Vector, x: Symbols) -> Iterator[sp.Expr]:
    """Yield 1/J(S) for affine S with L_S J ∧ J = 0, a linear condition on S.

    For an integrable J it makes J/J(S) closed: θ·J for homogeneous J, with S = θ.
    """
    n = len(x)
    unit = [tuple(sp.Integer(int(i == j)) for j in range(n)) for i in range(n)]
    scalings = [tuple(s * e for e in unit[i]) for i, s in enumerate(x)]
    yield from _inverses(form, x, [*scalings, *unit])
    if 1 < n <= 3:
        mixing = [
            tuple(s * e for e in row)
            for (i, row), (j, s) in product(enumerate(unit), enumerate(x))
            if i != j
        ]
        yield from _inverses(form, x, [*scalings, *unit, *mixing])


def _inverses(form: Vector, x: Symbols, fields: list[Vector]) -> Iterator[sp.Expr]:
    pairs = list(combinations(range(len(x)), 2))
    columns = []
    for S in fields:
        moved = _lie_derivative(form, S, x)
        columns.append(tuple(moved[i] * form[j] - moved[j] * form[i] for i, j in pairs))
    rows = list(formal_dependence(columns, x).relations)
    total = [tuple(map(sp.Add, *rows))] if len(rows) > 1 else []
    along = [
        tuple(
            sp.Add(*(c * S[i] for c, S in zip(row, fields, strict=True)))
            for i in range(len(x))
        )
        for row in (*total, *rows)
    ]
    for S in along:
        radial = sp.factor(sp.Add(*(e * s for e, s in zip(form, S, strict=True))))
        if radial != 0 and not vanishes(radial):
            yield 1 / radial


def _lie_derivative(form: Vector, S: Vector, x: Symbols) -> Vector:
    """Return (L_S J)ⱼ = Σᵢ Sᵢ∂ᵢJⱼ + Jᵢ∂ⱼSᵢ."""
    return tuple(
        sp.Add(*(s * entry.diff(t) for s, t in zip(S, x, strict=True)))
        + sp.Add(*(e * s.diff(own) for e, s in zip(form, S, strict=True)))
        for entry, own in zip(form, x, strict=True)
    )
