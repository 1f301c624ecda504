"""The Noether charge: ∇C = J, by the Poincaré lemma."""

from __future__ import annotations

import sympy as sp

from symbolic._errors import NoCharge
from symbolic._exact.antiderivative import potential
from symbolic._exact.equality import compare
from symbolic._symmetry import Symmetry
from symbolic._verdict import Verdict


MAX_INTEGRATED = 60  # operations in a field that sympy's integrator is asked about


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
    check_curl(symmetry)
    for candidate in (_by_degree, _potential, _poincare):
        charge = candidate(symmetry)
        if charge is not None and _is_antiderivative(charge, symmetry):
            return _from_origin(charge, symmetry)
    raise NoCharge(
        f"J = {symmetry.generator} is a gradient field, but no antiderivative in "
        f"closed form was found",
        (symmetry.space.symbols[0].name, symmetry.space.symbols[0].name),
        None,
    )


def _from_origin(charge: sp.Expr, symmetry: Symmetry) -> sp.Expr:
    """Return a charge that is 0 at θ = 0, where it is defined there."""
    start = charge.subs(dict.fromkeys(symmetry.space.symbols, sp.S.Zero))
    if start == 0 or start.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return charge
    return charge - start


def _by_degree(symmetry: Symmetry) -> sp.Expr | None:
    """Integrate θ·J(tθ) term by term: one of degree m in θ gives 1/m of itself."""
    theta = set(symmetry.space.symbols)
    total = [
        s * j for s, j in zip(symmetry.space.symbols, symmetry.generator, strict=True)
    ]
    polynomial = all(term.is_polynomial(*theta) for term in total)
    whole = sp.expand(sp.Add(*total)) if polynomial else sp.Add(*total)
    charge = []
    for term in sp.Add.make_args(whole):
        m = _degree(term, theta)
        if m is None or m == 0:
            return sp.S.Zero if whole == 0 else None
        charge.append(term / m)
    return sp.Add(*charge) if polynomial else _gathered(charge)


def _degree(e: sp.Expr, theta: set[sp.Symbol]) -> sp.Rational | None:
    """Return the degree of homogeneity in θ, None where there is none to be seen."""
    if not e.free_symbols & theta:
        return sp.S.Zero
    if e in theta:
        return sp.S.One
    parts = [_degree(arg, theta) for arg in e.args]
    if e.is_Mul:
        return None if None in parts else sp.Add(*parts)
    if isinstance(e, sp.Pow) and e.exp.is_Rational:
        return None if parts[0] is None else parts[0] * e.exp
    same = len(set(parts)) == 1
    return parts[0] if same and (e.is_Add or parts[0] == 0) else None


def _gathered(terms: list[sp.Expr]) -> sp.Expr:
    """Return a sum with the terms together that have one radical or denominator."""
    groups: dict[sp.Expr, list[sp.Expr]] = {}
    for term in terms:
        factors = sp.Mul.make_args(term)
        whole = [f for f in factors if f.is_polynomial(*f.free_symbols)]
        rest = sp.Mul(*(f for f in factors if f not in whole))
        groups.setdefault(rest, []).append(sp.Mul(*whole))
    return sp.Add(*(sp.factor(sp.Add(*parts)) * rest for rest, parts in groups.items()))


def _potential(symmetry: Symmetry) -> sp.Expr | None:
    return potential(symmetry.generator, symmetry.space.symbols)


def _poincare(symmetry: Symmetry) -> sp.Expr | None:
    """Integrate θ·J(tθ) over t as it is, where it is small."""
    theta, J = symmetry.space.symbols, symmetry.generator
    if sum(j.count_ops() for j in J) > MAX_INTEGRATED:
        return None
    t = sp.Dummy("t", positive=True)
    scaled = {symbol: t * symbol for symbol in theta}
    integrand = sp.expand(
        sum((s * j.xreplace(scaled) for s, j in zip(theta, J, strict=True)), sp.S.Zero)
    )
    charge = sp.expand(_generic(sp.integrate(integrand, (t, 0, 1))))
    return None if charge.has(sp.Integral, sp.oo, sp.zoo, sp.nan) else charge


def check_curl(symmetry: Symmetry) -> None:
    """Check that ∂J is symmetric.

    Raises:
        NoCharge: where it is not, or undecided, with the entry that shows it.
    """
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
