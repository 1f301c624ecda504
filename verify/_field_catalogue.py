"""Affine and nonlinear symmetries with a charge, built in or made by a shift."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import sympy as sp

from symbolic import Declaration, Loss, ParameterSpace, Symmetry


@lru_cache(maxsize=1)
def field_catalogue() -> tuple[Declaration, ...]:
    """Return affine and nonlinear symmetries with a charge: what `catalogue` has not.

    >>> [each.symmetry.kind for each in field_catalogue()]
    ['affine', 'affine', 'affine', 'nonlinear', 'nonlinear', 'nonlinear']
    """
    space = ParameterSpace(u=(), w=())
    u, w = space.symbols
    return tuple(
        _declared(name, J, f)
        for name, J, f in (
            ("shift of two scores", (1, 1), u - w),
            ("residual blocks", (1 + u, -1 - w), (1 + u) * (1 + w)),
            ("logarithmic gain", (u, -1), sp.exp(w) * u),
            ("conductances in series", (u**2, -(w**2)), u * w / (u + w)),
            ("cubic charge", (2 * u * w, u**2), u**2 - 2 * w**2),
            ("exponential charge", (sp.exp(u), -1), w - sp.exp(-u)),
        )
    )


def _declared(name: str, J: tuple[object, object], f: sp.Expr) -> Declaration:
    space = ParameterSpace(u=(), w=())
    x, y = sp.symbols("x y", real=True)
    symmetry = Symmetry.from_generator(
        space, {"u": sp.sympify(J[0]), "w": sp.sympify(J[1])}
    )
    loss = Loss((f * x - y) ** 2, space, data={"x": (), "y": ()})
    return Declaration(name, space, symmetry, loss)


def shifted(declaration: Declaration, centre: Sequence[int]) -> Declaration:
    """Return the declaration moved from 0 to `centre`: Aθ becomes A(θ − c).

    Args:
        declaration: with a loss of scalar data.
        centre: c, n integers.
    """
    space, loss = declaration.space, declaration.loss
    assert loss is not None
    moved = {s: s - c for s, c in zip(space.symbols, centre, strict=True)}
    J = [entry.xreplace(moved) for entry in declaration.symmetry.generator]
    (name,) = space.names
    symmetry = Symmetry.from_generator(space, {name: sp.Matrix(J)})
    data = dict.fromkeys(loss.data.names, ())
    there = Loss(loss.expression.xreplace(moved), space, data=data)
    title = f"{declaration.name}, about {tuple(centre)}"
    return Declaration(title, space, symmetry, there)
