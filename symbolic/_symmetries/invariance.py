"""Whether a loss has a symmetry, sample by sample (P1, Eqs. (2), (3))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import sympy as sp

from symbolic._exact.equality import compare
from symbolic._language.words import space_words
from symbolic._loss import Loss
from symbolic._matrices.at_sizes import is_short, small_sizes
from symbolic._matrices.refutation import nonzero_point
from symbolic._matrices.symmetry import along, is_flow, is_scaling
from symbolic._symmetries.finite import Family, decide_family
from symbolic._verdict import Finding, Verdict
from symbolic._words.applied import Applied, Table, names_in, partial_table
from symbolic._words.evaluation import compare_polynomials, letters
from symbolic._words.polynomial import MatrixPolynomial, zero


if TYPE_CHECKING:
    from symbolic._symmetry import Symmetry


_ENTIRE = frozenset({"exp", "expm", "sin", "cos", "sinh", "cosh"})  # of rho: no poles
MAX_DRAWN = 64  # rows of a matrix that is drawn entry by entry


def components_invariance(
    theta: Sequence[sp.Symbol],
    generator: Sequence[sp.Expr],
    transformation: Sequence[sp.Expr] | None,
    loss: sp.Expr,
    rho: sp.Symbol,
) -> Finding:
    """Decide whether ℓ has a symmetry, at integer sizes.

    ∇ℓ·J = 0 is decided exactly; a declared transformation must moreover leave ℓ itself
    unchanged, for the ρ about 0 for which it makes sense.

    Args:
        theta: the n symbols of the parameters.
        generator: the n components of J.
        transformation: the n components of Q_ρθ, or None.
        loss: ℓ.
        rho: the symbol ρ.

    Returns:
        PROVED, with the range of ρ as its condition where it is not all of ℝ; REFUTED
        with a witness; or INCONCLUSIVE.
    """
    slope = sum(
        (loss.diff(s) * j for s, j in zip(theta, generator, strict=True)), sp.S.Zero
    )
    finding = compare(slope, sp.S.Zero)
    if transformation is None or finding.verdict is not Verdict.PROVED:
        return finding
    family = Family(tuple(theta), tuple(transformation), tuple(generator), loss, rho)
    return decide_family(family)[0]


def matrix_invariance(symmetry: Symmetry, loss: Loss) -> Finding:
    """Decide whether ℓ has a symmetry, at every size at once.

    Args:
        symmetry: J as polynomials in words of matrices.
        loss: the same for ℓ.

    Returns:
        PROVED where ∇ℓ·J has the normal form 0; REFUTED with a witness at small sizes;
        else INCONCLUSIVE, with the sizes at which it is proved.
    """
    parameters = tuple(space_words(symmetry.space).values())
    table = partial_table((*symmetry.applied, *loss.applied))
    slope = along(loss.expression, symmetry.generator, parameters, table)
    if table.vanishes(slope):
        found = _proved(symmetry, parameters, table)
        if found is not None:
            return found
    tried = []
    constants = (*symmetry.declared, *loss.constants)
    words = (loss.expression, *symmetry.generator, *(symmetry.transformation or ()))
    words += tuple(a.argument for a in (*symmetry.applied, *loss.applied))
    spaces = [symmetry.space, loss.data]
    for sizes in small_sizes(spaces, constants) if is_short(words) else ():
        finding = _at(symmetry, loss, sizes)
        shown = ", ".join(f"{name} = {size}" for name, size in sizes.items())
        if finding.verdict is Verdict.REFUTED:
            reason = f"{finding.reason}, at {shown}" if shown else finding.reason
            return Finding(Verdict.REFUTED, reason, finding.witness)
        tried += [shown] if finding.verdict is Verdict.PROVED else []
    if not tried and not table.within(slope):
        found = by_example(slope)
        if found is not None:
            return found
    if not tried:
        witness = nonzero_point(slope, table.within(slope), spaces, constants)
        if witness is not None:
            reason = "grad l . J is not 0 at a point"
            return Finding(Verdict.REFUTED, reason, witness)
    proved = f"proved at {'; at '.join(tried)}" if tried else "and at no small one"
    return Finding(
        Verdict.INCONCLUSIVE, f"no normal form shows it at every size; {proved}"
    )


def _proved(
    symmetry: Symmetry, parameters: tuple[MatrixPolynomial, ...], table: Table
) -> Finding | None:
    """Return that ℓ is preserved, given that ∇ℓ·J = 0, or None where Q_ρ is no flow."""
    images, J = symmetry.transformation, symmetry.generator
    condition = ""
    if images is not None:
        if is_flow(images, J, parameters, table):
            used = [a for image in images for a in table.within(image)]
            entire = all(_is_entire(a, table) for a in used)
        elif is_scaling(images, J, parameters, table):
            entire = False
        else:
            return None
        condition = "" if entire else "for rho in a neighbourhood of 0"
    return Finding(
        Verdict.PROVED,
        "grad l . J is 0 as a polynomial in words of matrices, at every size",
        condition=condition,
    )


def _is_entire(applied: Applied, table: Table) -> bool:
    """Decide whether a function of ρ has no pole and no branch point."""
    if applied.function != "power":
        return applied.function in _ENTIRE
    inside = names_in(applied.argument)
    exponentials = {a.name for a in table.known.values() if a.function == "exp"}
    return len(applied.argument.terms) == 1 and inside <= exponentials


def by_example(f: MatrixPolynomial) -> Finding | None:
    """Return a refutation of f = 0 by matrices of the declared sizes, if they allow.

    Args:
        f: a polynomial without functions.

    Returns:
        REFUTED with the matrices, or None.
    """
    sizes = {n for a in letters(f).values() for n in (a.rows, a.cols)}
    large = any(n.isdigit() and int(n) > MAX_DRAWN for n in sizes)
    if large or not is_short([f]):
        return None
    found = compare_polynomials(f, zero(f.rows, f.cols))
    return found if found.verdict is Verdict.REFUTED else None


def _at(symmetry: Symmetry, loss: Loss, sizes: Mapping[str, int]) -> Finding:
    moved = symmetry.at(sizes)
    return components_invariance(
        moved.space.symbols,
        moved.generator,
        moved.transformation,
        loss.at(sizes).expression,
        symmetry.rho,
    )
