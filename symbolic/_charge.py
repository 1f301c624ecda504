"""The Noether charge: ∇C = J, by the Poincaré lemma."""

from __future__ import annotations

import sympy as sp

from symbolic._equality import compare
from symbolic._errors import NoCharge
from symbolic._symmetry import Symmetry
from symbolic._verdict import Verdict


def noether_charge(symmetry: Symmetry) -> sp.Expr:
    """Return C with ∇C = J, C = ∫₀¹ θ·J(tθ) dt (P1, §3; THEORY §2).

    Args:
        symmetry: the declared symmetry.

    Returns:
        An expression in the symbols of the space; for J = Aθ + b it is
        ½θᵀAθ + bᵀθ.

    Raises:
        NoCharge: when ∂J is not symmetric, with the curl entry that shows it, or when
            no antiderivative was found.

    >>> from symbolic._space import ParameterSpace
    >>> space = ParameterSpace(u=(), w=())
    >>> noether_charge(Symmetry.exponential(space, [[1, 0], [0, -1]]))
    u**2/2 - w**2/2
    """
    _check_curl(symmetry)
    theta, J = symmetry.space.symbols, symmetry.generator
    t = sp.Dummy("t", positive=True)
    scaled = {symbol: t * symbol for symbol in theta}
    integrand = sp.expand(
        sum((s * j.xreplace(scaled) for s, j in zip(theta, J, strict=True)), sp.S.Zero)
    )
    charge = sp.expand(_generic(sp.integrate(integrand, (t, 0, 1))))
    if charge.has(sp.Integral, sp.oo, sp.zoo, sp.nan) or not _is_antiderivative(
        charge, symmetry
    ):
        charge = _along_axes(symmetry)
    return charge


def _check_curl(symmetry: Symmetry) -> None:
    partial, theta = symmetry.jacobian, symmetry.space.symbols
    for i in range(len(theta)):
        for j in range(i):
            finding = compare(partial[i, j], partial[j, i])
            if finding.verdict is Verdict.PROVED:
                continue
            entry = (theta[i].name, theta[j].name)
            raise NoCharge(
                f"J is not a gradient field: dJ_{entry[0]}/d{entry[1]} = "
                f"{partial[i, j]} but dJ_{entry[1]}/d{entry[0]} = "
                f"{partial[j, i]}, so no C has grad C = J"
                if finding.verdict is Verdict.REFUTED
                else f"undecided whether dJ_{entry[0]}/d{entry[1]} = {partial[i, j]} "
                f"equals dJ_{entry[1]}/d{entry[0]} = {partial[j, i]}",
                entry,
                finding.witness,
            )


def _along_axes(symmetry: Symmetry) -> sp.Expr:
    """Integrate one component after the other, for fields not defined at 0.

    Returns:
        The charge, up to the constant that integration leaves.

    Raises:
        NoCharge: when no antiderivative in closed form was found.
    """
    charge = sp.S.Zero
    for symbol, entry in zip(symmetry.space.symbols, symmetry.generator, strict=True):
        rest = sp.simplify(entry - charge.diff(symbol))
        charge += _generic(sp.integrate(rest, symbol))
    if charge.has(sp.Integral) or not _is_antiderivative(charge, symmetry):
        raise NoCharge(
            f"J = {symmetry.generator} is a gradient field, but no antiderivative in "
            f"closed form was found",
            (symmetry.space.symbols[0].name, symmetry.space.symbols[0].name),
            None,
        )
    return charge


def _generic(integral: sp.Expr) -> sp.Expr:
    """Return the first branch where sympy split off cases such as w = 0."""
    return integral.replace(sp.Piecewise, lambda *branches: branches[0][0])


def _is_antiderivative(charge: sp.Expr, symmetry: Symmetry) -> bool:
    return all(
        compare(charge.diff(symbol), entry).verdict is Verdict.PROVED
        for symbol, entry in zip(
            symmetry.space.symbols, symmetry.generator, strict=True
        )
    )
