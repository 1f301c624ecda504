"""The part of a loss that has a symmetry, and the rest: `symmetric_part`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._exact.atoms import in_atoms, number_of_terms
from symbolic._exact.equality import compare
from symbolic._laws.ito import dot
from symbolic._loss import Loss
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict


MAX_TERMS = 300  # of an expanded term; beyond, it is kept whole
MAX_COMPARED = 2_000  # terms of an expanded term; beyond, it counts as not invariant
MAX_SUBSET = 10  # terms, all subsets of which are tried
MAX_MIXED = 40  # terms of which multiples are sought


@dataclass(frozen=True, slots=True)
class Split:
    """ℓ = symmetric + rest, where the first part has the symmetry.

    Attributes:
        symmetric: the invariant part.
        rest: what is left.
        proof: PROVED: ∇symmetric·J = 0, and the parts make ℓ.
    """

    symmetric: sp.Expr
    rest: sp.Expr
    proof: Finding


def symmetric_part(loss: Loss, symmetry: Symmetry) -> Split:
    """Split a loss into a part that has the symmetry and the rest.

    Terms of the sum are taken whole where their ∇·J is 0 or cancels that of others,
    then terms of the others expanded, then multiples of these in [0, 1].

    Args:
        loss: the per-sample loss.
        symmetry: a symmetry on the same parameters; its generator counts.

    Returns:
        The parts; the first is 0 where nothing invariant was found.

    Raises:
        DeclarationError: when the loss lives on other parameters.

    >>> from symbolic._space import ParameterSpace
    >>> space = ParameterSpace(u=(), w=())
    >>> u, w = sp.symbols("u w", real=True)
    >>> rotation = Symmetry.from_generator(space, {"u": -w, "w": u})
    >>> split = symmetric_part(Loss(u**2 + 3 * w**2, space), rotation)
    >>> split.symmetric, split.rest
    (u**2 + w**2, 2*w**2)
    """
    check_space(symmetry, loss)
    taken, left = _taken(sp.Add.make_args(loss.expression), symmetry, multiples=False)
    pieces = [part for term in left for part in _expanded(term)]
    more, left = _taken(pieces, symmetry, multiples=True)
    symmetric, rest = sp.Add(*taken, *more), sp.Add(*left)
    along = dot([symmetric.diff(s) for s in symmetry.space.symbols], symmetry.generator)
    proof = compare(along, sp.S.Zero)
    whole = compare(symmetric + rest, loss.expression)
    if proof.verdict is whole.verdict is Verdict.PROVED:
        return Split(symmetric, rest, proof)
    nothing = compare(sp.S.Zero, sp.S.Zero)
    return Split(sp.S.Zero, loss.expression, nothing)


def check_space(symmetry: Symmetry, loss: Loss) -> None:
    """Check that a loss and a symmetry have the same parameters.

    Raises:
        DeclarationError: where they do not.
    """
    if loss.space != symmetry.space:
        raise DeclarationError(
            f"expected a loss on {', '.join(symmetry.space.names)}, "
            f"got one on {', '.join(loss.space.names)}"
        )


def _taken(
    terms: Sequence[sp.Expr], symmetry: Symmetry, *, multiples: bool
) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """Return what is taken of each term, and what is left."""
    large = [t for t in terms if number_of_terms(t) > MAX_COMPARED]
    small = [t for t in terms if t not in large]
    equations = _equations(small, symmetry)
    if equations is None:
        return [], list(terms)
    weights = [sp.S.One] * len(small)
    for group in _groups(equations, len(small)):
        rows = [[row[i] for i in group] for row in equations]
        shares = _shares(rows, len(group), multiples=multiples)
        for i, share in zip(group, shares, strict=True):
            weights[i] = share
    taken = [c * t for c, t in zip(weights, small, strict=True) if c != 0]
    left = [(1 - c) * t for c, t in zip(weights, small, strict=True) if c != 1]
    return taken, left + large


def _equations(
    terms: Sequence[sp.Expr], symmetry: Symmetry
) -> list[list[sp.Rational]] | None:
    """Return rows r with Σ rᵢcᵢ = 0 wherever ∇(Σ cᵢtᵢ)·J = 0, None if too large."""
    theta, J = symmetry.space.symbols, symmetry.generator
    tags = [sp.Dummy(real=True) for _ in terms]
    along = (
        tag * dot([term.diff(s) for s in theta], J)
        for tag, term in zip(tags, terms, strict=True)
    )
    fraction = in_atoms(sp.Add(*along))
    if fraction is None:
        return None
    forms = fraction.coefficients(set(tags)).values()
    return [[form.coeff(tag) for tag in tags] for form in forms]


def _groups(equations: Sequence[Sequence[sp.Rational]], n: int) -> list[list[int]]:
    """Return the terms that occur, grouped by the equations they share."""
    groups: list[set[int]] = []
    for row in equations:
        merged = {i for i in range(n) if row[i] != 0}
        apart = []
        for group in groups:
            if group & merged:
                merged |= group
            else:
                apart.append(group)
        groups = [*apart, merged]
    return [sorted(group) for group in groups]


def _shares(
    rows: Sequence[Sequence[sp.Rational]], n: int, *, multiples: bool
) -> list[sp.Rational]:
    """Return how much of each of n terms cancels: all, the most terms, or parts."""
    chosen = _subset(rows, n)
    shares = [sp.Integer(i in chosen) for i in range(n)]
    free = [i for i in range(n) if i not in chosen]
    if multiples and 1 < len(free) <= MAX_MIXED:
        M = sp.Matrix([[row[i] for i in free] for row in rows])
        for i, share in zip(free, _fractions(M), strict=True):
            shares[i] = share
    return shares


def _subset(rows: Sequence[Sequence[sp.Rational]], n: int) -> tuple[int, ...]:
    """Return the largest set of terms that cancel, of few terms; else all or none."""
    sizes = range(n, 1, -1) if n <= MAX_SUBSET else range(n, n - 1, -1)
    for size in sizes:
        for subset in combinations(range(n), size):
            if all(sum(row[i] for i in subset) == 0 for row in rows):
                return subset
    return ()


def _fractions(M: sp.Matrix) -> list[sp.Rational]:
    """Return c with Mc = 0 nearest to (1, …, 1), scaled to a largest entry of 1."""
    basis = M.nullspace()
    if not basis:
        return [sp.S.Zero] * M.cols
    N = sp.Matrix.hstack(*basis)
    nearest = N * (N.T * N).LUsolve(N.T * sp.ones(M.cols, 1))
    top = max(nearest)
    if min(nearest) < 0 or top == 0:
        return [sp.S.Zero] * M.cols
    return [entry / top for entry in nearest]


def _expanded(term: sp.Expr) -> list[sp.Expr]:
    """Return the terms of an expanded term, its functions and denominators kept."""
    atoms: dict[sp.Expr, sp.Symbol] = {}

    def named(part: sp.Expr) -> sp.Symbol:
        return atoms.setdefault(part, sp.Dummy())

    def kept(part: sp.Expr) -> bool:
        if isinstance(part, sp.Pow):
            return not (part.exp.is_Integer and part.exp.is_positive)
        return isinstance(part, sp.Function)

    plain = term.replace(kept, named)
    if number_of_terms(plain) > MAX_TERMS:
        return [term]
    meaning = {symbol: part for part, symbol in atoms.items()}
    return [_restored(part, meaning) for part in sp.Add.make_args(sp.expand(plain))]


def _restored(part: sp.Expr, meaning: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    # A kept atom may hold others that were named before it.
    for _ in range(len(meaning)):
        if not part.free_symbols & set(meaning):
            break
        part = part.xreplace(dict(meaning))
    return part
