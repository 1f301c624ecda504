"""The numbers at a point of a declaration of any kind: J, C and gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, reduce
from operator import add

import sympy as sp

from symbolic import Declaration, catalogue, symbolic_catalogue
from verify._context import Context
from verify._exact import NotRational
from verify._field_catalogue import field_catalogue
from verify._instances import Instance, derived_charge
from verify._jets import Jet, Number, along, ball, line, precise, resolved
from verify._routes._common import Sides


def fields_of(context: Context) -> tuple[Declaration, ...]:
    """Return the declarations under test: the subject, or built in ones of all kinds.

    Args:
        context: says what the run is about.
    """
    if context.subject is not None:
        return context.subject
    return (*catalogue(), *symbolic_catalogue(), *field_catalogue())


@lru_cache(maxsize=256)
def charge_of(declaration: Declaration) -> sp.Expr:
    """Return C: ½θᵀAθ + bᵀθ typed in for an affine J, else as derived."""
    symmetry, theta = declaration.symmetry, sp.Matrix(declaration.space.symbols)
    A = symmetry.matrix
    if A is None:
        return derived_charge(declaration)
    return (theta.T * A * theta)[0, 0] / 2 + sp.Matrix(symmetry.offset).dot(theta)


@dataclass(frozen=True, slots=True)
class Local:
    """An instance in one kind of numbers, with its per-sample gradients.

    Attributes:
        instance: what it is.
        lift: `Fraction`, or `ball`.
        gradients: N per-sample gradients, n numbers each.
    """

    instance: Instance
    lift: Callable[[Fraction], Number]
    gradients: tuple[tuple[Number, ...], ...]

    @property
    def declaration(self) -> Declaration:
        """Return the declaration."""
        return self.instance.declaration

    @property
    def theta(self) -> tuple[Number, ...]:
        """Return θ."""
        return tuple(map(self.lift, self.instance.theta))

    @property
    def gamma(self) -> Number:
        """Return γ."""
        return self.lift(self.instance.gamma)

    @property
    def centre(self) -> tuple[Number, ...]:
        """Return ∇L."""
        columns = zip(*self.gradients, strict=True)
        return tuple(total(column) / len(self.gradients) for column in columns)

    @property
    def centred(self) -> tuple[tuple[Number, ...], ...]:
        """Return the N centred gradients."""
        return tuple(
            tuple(a - b for a, b in zip(g, self.centre, strict=True))
            for g in self.gradients
        )

    def step(self, g: Sequence[Number]) -> tuple[Number, ...]:
        """Return v = g + 2γθ."""
        return tuple(a + 2 * self.gamma * t for a, t in zip(g, self.theta, strict=True))

    def jet(
        self,
        expression: sp.Expr,
        direction: Sequence[Number],
        bend: Sequence[Number] | None = None,
    ) -> Jet:
        """Return the jet of an expression along θ + ε·direction + ε²·bend."""
        point = dict(zip(self.declaration.space.symbols, self.theta, strict=True))
        return along(expression, line(point, direction, bend), self.lift)

    def field(self) -> tuple[Number, ...]:
        """Return J(θ)."""
        still = [0 * t for t in self.theta]
        J = self.declaration.symmetry.generator
        return tuple(self.jet(entry, still).value for entry in J)

    def curvature(self, v: Sequence[Number]) -> Number:
        """Return vᵀ∂J v, from J alone."""
        J = self.declaration.symmetry.generator
        return product(v, [self.jet(entry, v).slope for entry in J])

    def noise(self) -> Number:
        """Return Tr[Σ∂J], from J alone."""
        return total(map(self.curvature, self.centred)) / len(self.gradients)

    def along_field(self) -> Number:
        """Return θ·J."""
        return product(self.theta, self.field())


def total(numbers: Iterable[Number]) -> Number:
    """Return the sum of one number or more."""
    return reduce(add, numbers)


def product(a: Sequence[Number], b: Sequence[Number]) -> Number:
    """Return Σ aᵢbᵢ."""
    return total(x * y for x, y in zip(a, b, strict=True))


def local(instance: Instance, lift: Callable[[Fraction], Number]) -> Local:
    """Return an instance in one kind of numbers.

    Args:
        instance: what to look at.
        lift: `Fraction`, or `ball`.
    """
    loss = instance.declaration.loss
    assert loss is not None
    if lift is Fraction:
        return Local(instance, lift, instance.gradients())
    zero, one = lift(Fraction(0)), lift(Fraction(1))
    n = range(len(instance.theta))
    rows = []
    for row in instance.samples:
        data = zip(loss.data.symbols, map(lift, row), strict=True)
        fixed = {s: (value, zero, zero) for s, value in data}
        point = dict(zip(loss.space.symbols, map(lift, instance.theta), strict=True))
        rows.append(
            tuple(
                along(
                    loss.expression,
                    fixed | line(point, [one if i == j else zero for j in n]),
                    lift,
                ).slope
                for i in n
            )
        )
    return Local(instance, lift, tuple(rows))


def in_numbers(
    sides: Callable[[Local], Sides | None],
) -> Callable[[Instance], Sides | None]:
    """Return `sides` in exact rationals, or in balls where a function leaves them.

    A ball too coarse to tell anything makes the instance one that does not apply.

    Args:
        sides: both sides of a relation.

    Returns:
        The same on an instance.
    """

    def both(instance: Instance) -> Sides | None:
        for lift in (Fraction, ball):
            try:
                with precise():
                    found = sides(local(instance, lift))
                    if found is None or resolved(found.left - found.right):
                        return found
            except NotRational:
                continue
        return None

    return both
