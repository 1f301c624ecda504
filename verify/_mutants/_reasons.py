"""Why some mutants cannot be noticed: each an argument that is computed anew."""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from symbolic import (
    Verdict,
    catalogue,
    compare,
    factorisation,
    matrix,
    matrix_flow,
    matrix_step,
    norm2,
    quadratic_charge,
    substitute,
    zero,
)
from verify._exact import product
from verify._fields import local
from verify._instances import _projectors as projectors_of
from verify._mutants._mutant import Equivalence
from verify._routes._any_charge import _FIRST, _drift_sides
from verify._routes._common import Factors


def _projectors_square() -> bool:
    """Return whether P² = P for all projectors of the built-in symmetries, exactly."""
    found = [
        P
        for declaration in catalogue()
        if declaration.symmetry.kind == "exponential"
        for _, P in projectors_of(declaration) or ()
    ]
    return bool(found) and all(product(P, P) == P for P in found)


def _loss_part_vanishes() -> bool:
    """Return whether DC[∇L] = 0 for the factorisation at every size."""
    net = factorisation()
    return matrix_flow(net.charge, net.gradients).loss == zero("d", "d")


def _even_in_the_step() -> bool:
    """Return whether g → −g changes C(θ') by its part of first order in g only."""
    law = quadratic_charge()
    step = matrix_step(law.charge, {law.theta: law.g})
    G = matrix("G_theta", "n", 1)
    turned = substitute(step.next_charge, {G: -G})
    still = law.on_shell(step.per_sample) == zero(1, 1)
    return still and step.next_charge - turned == 2 * step.first_order


def _target_has_no_sign() -> bool:
    """Return whether y → −y makes r = UWx + y of r = UWx − y."""
    net = factorisation()
    turned = substitute(net.loss, {net.y: -net.y})
    return turned == norm2(net.U @ net.W @ net.x + net.y)


def _any_activation() -> bool:
    """Return whether ∇ℓ·J = 0 whatever function stands for tanh in built-in losses."""
    found = 0
    for declaration in catalogue():
        loss, theta = declaration.loss, declaration.space.symbols
        if loss is None or not loss.expression.has(sp.tanh):
            continue
        calls = sorted(loss.expression.atoms(sp.tanh), key=sp.default_sort_key)
        frozen = {call: sp.Symbol(f"T{i}") for i, call in enumerate(calls)}
        parts = [loss.expression.xreplace(frozen), *(call.args[0] for call in calls)]
        for part in parts:
            J = declaration.symmetry.generator
            along = sp.Add(*(part.diff(s) * j for s, j in zip(theta, J, strict=True)))
            if compare(sp.expand(along), sp.S.Zero).verdict is not Verdict.PROVED:
                return False
        found += 1
    return bool(found)


def _no_decay_no_factor() -> bool:
    """Return whether at γ = 0 an example's claimed drift has no factor of the decay."""
    at = local(_FIRST, Fraction)
    claims = {
        _drift_sides(Factors(decay=Fraction(k)), False, at).right for k in (-4, 0, 1, 7)
    }
    return len(claims) == 1 and bool(claims.pop())


REASONS = {
    "orbit: s = Tr[PΣ] with P²": Equivalence(
        "P is a projector: P² = P, so that Tr[P²Σ] = Tr[PΣ].", _projectors_square
    ),
    "words: +DC[∇L]": Equivalence(
        "The term is 0 for every loss with the symmetry, whatever its sign: "
        "DC[∇L] = E[∇ℓ·J] = 0.",
        _loss_part_vanishes,
    ),
    "words: a step up the gradient": Equivalence(
        "g and −g change C by the same: they differ in the first order, which g·Aθ = 0 "
        "removes.",
        _even_in_the_step,
    ),
    "words: r = UWx + y": Equivalence(
        "The statements hold for every y, and y → −y makes one residual of the other.",
        _target_has_no_sign,
    ),
    "jets: tanh′ = 1 + tanh²": Equivalence(
        "What the routes compare holds for any function in the place of tanh: a wrong "
        "derivative is that of another function, used on both sides.",
        _any_activation,
    ),
    "p1.eq5: decay 0 → 1": Equivalence(
        "(5) is the law without weight decay: the factor multiplies γ = 0.",
        _no_decay_no_factor,
    ),
}
