"""Linear dependence of vectors of functions over the constants, decided exactly.

A relation Σ cₖvₖ(θ) = 0 has coefficients free of θ. Coordinates in the monomials of θ
and of the functions that occur find relations, and a normal form proves each of them;
a regular matrix of values at random rational points proves that there are no others.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import sympy as sp
from sympy.polys.fields import sfield
from sympy.polys.matrices import DomainMatrix
from sympy.polys.polyerrors import PolynomialError
from sympy.polys.rings import sring

from symbolic._exact.certified_rank import (
    Interval,
    certified_rank,
    largest_minor,
    value_at,
)
from symbolic._exact.equality import MAX_OPERATIONS, compare, random_point
from symbolic._exact.functions import on_branches, step
from symbolic._exact.intervals import NotEnclosed
from symbolic._verdict import Verdict


Vector = tuple[sp.Expr, ...]

ATTEMPTS = 40  # random points tried where a function is not defined everywhere
LARGEST_DENOMINATOR = 1000  # of a coefficient read off from values
_HYPERBOLIC = (sp.tanh, sp.cosh, sp.sinh)
_CIRCULAR = (sp.sin, sp.cos, sp.tan)
LARGEST_SYSTEM = 4_000  # operations of all vectors, where they are no polynomials


@dataclass(frozen=True, slots=True)
class Dependence:
    """Which of the vectors v₀, v₁, … are independent, and the others in terms of them.

    Attributes:
        pivots: indices of independent vectors, each the earliest possible.
        coordinates: for each vector v the coefficients cₖ, free of θ, in
            v = Σₖ cₖ · vectors[pivots[k]].
        proved: whether the independence of the pivots is proved; the relations are.
    """

    pivots: tuple[int, ...]
    coordinates: tuple[Vector, ...]
    proved: bool

    @property
    def relations(self) -> tuple[Vector, ...]:
        """Return a basis of the relations Σ cₖvₖ = 0, one row of c each."""
        rows = []
        for index, own in enumerate(self.coordinates):
            if index in self.pivots:
                continue
            row = [sp.S.Zero] * len(self.coordinates)
            row[index] = sp.S.One
            for pivot, c in zip(self.pivots, own, strict=True):
                row[pivot] = -c
            rows.append(tuple(row))
        return tuple(rows)


def dependence(vectors: Sequence[Vector], variables: Sequence[sp.Symbol]) -> Dependence:
    """Decide linear dependence over the constants: whatever is free of `variables`.

    Symbols that are no variables are generic constants, and may occur in coefficients.

    Args:
        vectors: tuples of expressions, all of one length.
        variables: the symbols that the functions are functions of.

    Returns:
        The independent vectors, and the coordinates of all in them.

    >>> u, w = sp.symbols("u w", real=True)
    >>> found = dependence([(u, w), (w, u), (3 * u + w, 3 * w + u)], (u, w))
    >>> found.pivots, found.coordinates[2], found.proved
    ((0, 1), (3, 1), True)
    """
    if not vectors:
        return _unrelated(0, proved=True)
    system = _coordinates(vectors, variables)
    if system is None:
        return _unrelated(len(vectors), proved=False)
    rows, K, exact = system
    found = eliminate(rows, K)
    if exact:
        return Dependence(found.pivots, found.coordinates, proved=True)
    if not all(
        _proved(vectors, found, index)
        for index in set(range(len(vectors))) - set(found.pivots)
    ):
        return _unrelated(len(vectors), proved=False)
    return _by_values(vectors, found)


def eliminate(rows: Sequence[dict[Any, Any]], K: Any) -> Dependence:
    """Decide linear dependence of sparse vectors over a field.

    Args:
        rows: one vector each: key → element of K.
        K: a sympy field.

    Returns:
        The dependence, its coordinates as expressions.
    """
    keys = {key: i for i, key in enumerate(dict.fromkeys(k for r in rows for k in r))}
    entries: dict[int, dict[int, Any]] = {}
    for column, row in enumerate(rows):
        for key, value in row.items():
            if value:
                entries.setdefault(keys[key], {})[column] = value
    shape = (max(len(keys), 1), len(rows))
    echelon, pivots = DomainMatrix(entries, shape, K).rref()
    zero = (sp.S.Zero,) * len(pivots)
    coordinates = [list(zero) for _ in rows]
    for i, columns in echelon.to_sparse().rep.items():
        for j, value in columns.items():
            coordinates[j][i] = K.to_sympy(value)
    return Dependence(tuple(pivots), tuple(map(tuple, coordinates)), proved=True)


def polynomials(
    vectors: Sequence[Vector], variables: Sequence[sp.Symbol]
) -> tuple[list[tuple[Any, ...]], Any] | None:
    """Return the vectors in the ring K[θ] over the field K of constants, or None.

    Args:
        vectors: tuples of expressions.
        variables: the symbols θ.

    Returns:
        The vectors with polynomial entries, and K; None where one is no polynomial.
    """
    flat = [sp.sympify(entry) for vector in vectors for entry in vector]
    try:
        R, elements = sring(flat, *variables, field=True, extension=True)
    except (PolynomialError, ValueError):
        return None
    entries = iter(elements)
    return [tuple(next(entries) for _ in vector) for vector in vectors], R.domain


def uniform(
    entries: Sequence[sp.Expr],
) -> tuple[list[sp.Expr], dict[sp.Symbol, sp.Expr]]:
    """Rewrite functions that are related to one another by the same few.

    relu and abs by their steps; sin, cos and tan by the tangent s of half their
    argument; hyperbolic functions by exp, where not tanh is the only one of them.

    Args:
        entries: expressions.

    Returns:
        Expressions equal to them wherever both are defined, and s → its argument.
    """
    together = sp.Tuple(*map(on_branches, map(sp.sympify, entries)))
    if together.has(sp.exp, sp.cosh, sp.sinh):
        together = together.rewrite(_HYPERBOLIC, sp.exp)
    angles = sorted({f.args[0] for f in together.atoms(*_CIRCULAR)}, key=str)
    halves = {sp.Dummy("s", real=True): angle for angle in angles}
    rules = {
        function(angle): image
        for s, angle in halves.items()
        for function, image in (
            (sp.sin, 2 * s / (1 + s**2)),
            (sp.cos, (1 - s**2) / (1 + s**2)),
            (sp.tan, 2 * s / (1 - s**2)),
        )
    }
    return list(together.xreplace(rules)), halves


def vanishes(expression: sp.Expr) -> bool:
    """Return whether an expression is proved to be 0 wherever it is defined.

    >>> x = sp.Symbol("x", real=True)
    >>> vanishes(sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1)
    True
    """
    try:
        first = compare(expression, sp.S.Zero).verdict
        if first is not Verdict.INCONCLUSIVE or not expression.has(*_CIRCULAR):
            return first is Verdict.PROVED
        [rational], _ = uniform([expression])
        return compare(rational, sp.S.Zero).verdict is Verdict.PROVED
    except PolynomialError:  # no normal form
        return False


def is_transparent(K: Any) -> bool:
    """Return whether arithmetic of a domain decides equality: no hidden relations."""
    if K.is_QQ or K.is_ZZ or K.is_Algebraic:
        return True
    return bool(
        (K.is_FractionField or K.is_PolynomialRing)
        and all(symbol.is_Symbol for symbol in K.symbols)
        and is_transparent(K.domain)
    )


def coefficients(vector: Sequence[Any]) -> dict[Any, Any]:
    """Return (component, exponents) → coefficient of a vector of polynomials."""
    return {(i, monomial): c for i, p in enumerate(vector) for monomial, c in p.terms()}


def _coordinates(
    vectors: Sequence[Vector], variables: Sequence[sp.Symbol]
) -> tuple[list[dict[Any, Any]], Any, bool] | None:
    """Return the vectors as sparse rows over a field, and whether that is faithful.

    None where they are too large.
    """
    operations = sum(sp.sympify(e).count_ops() for v in vectors for e in v)
    if operations > MAX_OPERATIONS:
        return None
    ring = polynomials(vectors, variables)
    if ring is not None:
        return [coefficients(v) for v in ring[0]], ring[1], is_transparent(ring[1])
    if operations > LARGEST_SYSTEM:
        return None
    rows, faithful = _rational_rows(vectors, set(variables))
    values = [value for row in rows for value in row.values()]
    K, elements = sp.construct_domain(values, field=True, extension=True)
    of = dict(zip(values, elements, strict=True))
    exact = faithful and is_transparent(K)
    return [{k: of[v] for k, v in row.items()} for row in rows], K, exact


def _rational_rows(
    vectors: Sequence[Vector], variables: set[sp.Symbol]
) -> tuple[list[dict[Any, sp.Expr]], bool]:
    """Clear denominators, and collect by the monomials in what depends on θ."""
    flat, halves = uniform([entry for vector in vectors for entry in vector])
    moved = {s for s, argument in halves.items() if argument.free_symbols & variables}
    variables = variables | moved
    F, elements = sfield(flat)
    common = reduce(lambda p, q: p.lcm(q), (e.denom for e in elements), F.ring.one)
    moving = [bool(g.free_symbols & variables) for g in F.symbols]
    rows: list[dict[Any, sp.Expr]] = []
    entries = iter(elements)
    for vector in vectors:
        row: dict[Any, sp.Expr] = {}
        for component in range(len(vector)):
            element = next(entries)
            cleared = element.numer * common.exquo(element.denom)
            for key, value in _collected(cleared, F, moving):
                at = (component, key)
                row[at] = row.get(at, sp.S.Zero) + value
        rows.append(row)
    return rows, not halves and all(g.is_Symbol for g in F.symbols)


def _collected(
    polynomial: Any, F: Any, moving: Sequence[bool]
) -> Iterator[tuple[tuple[int, ...], sp.Expr]]:
    """Yield the θ-part of each monomial, and its constant factor."""
    for exponents, number in polynomial.terms():
        key, constant = [], F.domain.to_sympy(number)
        for symbol, moves, power in zip(F.symbols, moving, exponents, strict=True):
            own = min(power, 1) if isinstance(symbol, step) else power  # step² = step
            key.append(own if moves else 0)
            constant *= sp.S.One if moves else symbol**own
        yield tuple(key), constant


def _unrelated(count: int, *, proved: bool) -> Dependence:
    identity = tuple(
        tuple(sp.Integer(int(i == j)) for j in range(count)) for i in range(count)
    )
    return Dependence(tuple(range(count)), identity, proved)


def _proved(vectors: Sequence[Vector], found: Dependence, index: int) -> bool:
    """Return whether the relation that expresses one vector in the pivots is proved."""
    own = list(zip(found.pivots, found.coordinates[index], strict=True))
    return all(
        vanishes(entry - sp.Add(*(c * vectors[pivot][i] for pivot, c in own)))
        for i, entry in enumerate(vectors[index])
    )


def _by_values(vectors: Sequence[Vector], found: Dependence) -> Dependence:
    """Decide, by values at random points, whether the pivots have relations left."""
    pivots = [vectors[i] for i in found.pivots]
    values = list(_value_rows(pivots, len(pivots) + 2))
    rank, columns = certified_rank(values)
    if rank == len(pivots):
        return Dependence(found.pivots, found.coordinates, proved=True)
    inner = _rationalised(values, columns, len(pivots))
    if (
        inner is None
        or len(columns) != rank
        or not all(
            _proved(pivots, inner, index)
            for index in set(range(len(pivots))) - set(columns)
        )
    ):
        return Dependence(found.pivots, found.coordinates, proved=False)
    narrowed = tuple(found.pivots[k] for k in columns)
    composed = tuple(
        tuple(
            sp.Add(*(c * inner.coordinates[k][j] for k, c in enumerate(row)))
            for j in range(rank)
        )
        for row in found.coordinates
    )
    return Dependence(narrowed, composed, proved=True)


def _value_rows(vectors: Sequence[Vector], needed: int) -> Iterator[list[Interval]]:
    """Yield rows of enclosed values, one for each component and random point.

    Args:
        vectors: the vectors, one column each.
        needed: number of rows wanted.

    Yields:
        One enclosure for each vector; fewer rows than wanted where most points fail.
    """
    symbols = set().union(*(e.free_symbols for v in vectors for e in v))
    generator, done = random.Random(0), 0
    for _ in range(ATTEMPTS):
        point = random_point(symbols, generator)
        try:
            columns = [[value_at(e, point) for e in vector] for vector in vectors]
        except NotEnclosed:
            continue
        rows = [list(row) for row in zip(*columns, strict=True)]
        yield from rows
        done += len(rows)
        # Two points at least: a vector may vanish in all but one component.
        if done >= needed * max(2, len(rows)):
            return


def _rationalised(
    values: list[list[Interval]], columns: tuple[int, ...], count: int
) -> Dependence | None:
    """Return candidate relations among columns of values, coefficients rational."""
    middle = sp.Matrix([[(low + high) / 2 for low, high in row] for row in values])
    rows, _ = largest_minor(middle[:, list(columns)].tolist())
    if len(rows) != len(columns):
        return None
    square = DomainMatrix.from_Matrix(middle[list(rows), list(columns)]).to_field()
    right = DomainMatrix.from_Matrix(middle[list(rows), :]).to_field()
    solution = square.lu_solve(right).to_Matrix()
    coordinates = tuple(
        tuple(_simple(solution[i, j]) for i in range(len(columns)))
        for j in range(count)
    )
    return Dependence(columns, coordinates, proved=False)


def _simple(value: sp.Rational) -> sp.Rational:
    near = Fraction(int(value.p), int(value.q)).limit_denominator(LARGEST_DENOMINATOR)
    return sp.Rational(near.numerator, near.denominator)
