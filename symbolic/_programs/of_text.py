"""From an expression of the language to nodes: products in the cheapest order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

from symbolic._language.interpreter import interpret_in
from symbolic._programs.program import Builder


class Chain(NamedTuple):
    """A product that is not multiplied out yet: scalars times matrices in order."""

    scalars: tuple[int, ...]
    matrices: tuple[int, ...]


def read_program(
    text: str, names: Mapping[str, int], build: Builder, batch: int, where: str = ""
) -> int:
    """Return the node of an expression.

    Args:
        text: the expression.
        names: name → node of the inputs.
        build: where the nodes go.
        batch: samples for each step: what depends on the sample costs so much more.
        where: what the text is, for errors.

    Returns:
        The place of its value.

    Raises:
        DeclarationError: with the place in the text, for what is no expression, for
            unknown names and functions, and for shapes that do not fit.
    """
    algebra = _Programs(names, build, batch)
    return algebra.node(interpret_in(algebra, text, where))


class _Programs:
    """Nodes of a program, as an algebra."""

    more: dict[str, int] = {}  # noqa: RUF012 - the protocol has it mutable

    def __init__(self, names: Mapping[str, int], build: Builder, batch: int) -> None:
        self._names, self._build, self._batch = names, build, batch

    def names(self) -> Sequence[str]:
        return list(self._names)

    def name(self, name: str) -> Chain:
        return self._chain(self._names[name])

    def number(self, value: Fraction) -> Chain:
        return Chain((self._build.number(value),), ())

    def shape(self, value: Chain) -> tuple[str, ...]:
        if not value.matrices:
            return ()
        rows = self._build.shape(value.matrices[0])[0]
        cols = self._build.shape(value.matrices[-1])[1]
        return () if rows == cols == 1 else (str(rows), str(cols))

    def is_zero(self, value: Chain) -> bool:
        return self._build.value_of(self.node(value)) == 0

    def add(self, terms: Sequence[tuple[int, Chain]]) -> Chain:
        nodes = [self._build.scaled(sign, self.node(value)) for sign, value in terms]
        return self._chain(reduce(self._build.add, nodes))

    def multiply(self, left: Chain, right: Chain) -> Chain:
        left, right = self._plain(left), self._plain(right)
        return Chain(left.scalars + right.scalars, left.matrices + right.matrices)

    def power(self, base: Chain, exponent: Fraction) -> Chain:
        return self._chain(self._build.power(self.node(base), exponent))

    def transpose(self, value: Chain) -> Chain:
        turned = tuple(self._build.transpose(i) for i in reversed(value.matrices))
        return Chain(value.scalars, turned)

    def entrywise(self, function: str, value: Chain) -> Chain:
        return self._chain(self._build.function(function, self.node(value)))

    def of_matrices(self, function: str, values: Sequence[Chain]) -> Chain:
        build, first = self._build, values[0]
        if function == "inv":
            return self._chain(build.inverse(self.node(first)))
        if function == "tr":
            return self._chain(self._trace(first))
        left, right = self.node(first), self.node(values[-1])
        return self._chain(build.dot(left, right))

    def check(self, value: Chain) -> None:
        """Accept every value: floating point computes with it."""

    def _trace(self, value: Chain) -> int:
        """Return tr(ABC…) as the dot of Aᵀ with BC…, without the whole product."""
        build = self._build
        if len(value.matrices) < 2:
            return build.trace(self.node(value))
        first, *rest = value.matrices
        inner = build.dot(build.transpose(first), self.node(Chain((), tuple(rest))))
        return reduce(build.times, value.scalars, inner)

    def _chain(self, node: int) -> Chain:
        if self._build.shape(node) == (1, 1):
            return Chain((node,), ())
        return Chain((), (node,))

    def _plain(self, value: Chain) -> Chain:
        """Multiply a product out where it is a scalar."""
        if value.matrices and not self.shape(value):
            return self._chain(self.node(value))
        return value

    def node(self, value: Chain) -> int:
        """Return the place of a product, multiplied out.

        Args:
            value: scalars and matrices.

        Returns:
            Its place; the order of the products is the one of fewest operations.
        """
        build = self._build
        scalar = reduce(build.times, value.scalars) if value.scalars else None
        if not value.matrices:
            return build.number(1) if scalar is None else scalar
        whole = self._ordered(value.matrices)
        return whole if scalar is None else build.times(scalar, whole)

    def _ordered(self, factors: tuple[int, ...]) -> int:
        """Multiply a chain in the order of fewest operations (dynamic programming)."""
        build, count = self._build, len(factors)
        shapes = [build.shape(i) for i in factors]
        sizes = [shapes[0][0], *(shape[1] for shape in shapes)]
        sampled = [build.nodes[i].sampled for i in factors]
        best: dict[tuple[int, int], tuple[int, int]] = {}
        for i in range(count):
            best[i, i + 1] = (0, i)
        for length in range(2, count + 1):
            for i in range(count - length + 1):
                j = i + length
                weight = self._batch if any(sampled[i:j]) else 1
                best[i, j] = min(
                    (
                        best[i, k][0]
                        + best[k, j][0]
                        + weight * sizes[i] * sizes[k] * sizes[j],
                        k,
                    )
                    for k in range(i + 1, j)
                )

        def multiplied(i: int, j: int) -> int:
            if j == i + 1:
                return factors[i]
            k = best[i, j][1]
            return build.product(multiplied(i, k), multiplied(k, j))

        return multiplied(0, count)
