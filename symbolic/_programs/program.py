"""Straight-line programs of matrix operations: the form that code is generated from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


INPUTS = ("parameter", "data", "constant")
Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ProgramNode:
    """One operation; scalars are 1 × 1 and columns d × 1.

    Attributes:
        op: what it computes, of the nodes in `args`:

            - "parameter", "data", "constant": the input of that name (`detail`);
            - "number": the Fraction `detail`, in each entry;
            - "entry": entry `detail` = (i, j) of a matrix; "assemble": the matrix of
              its rows·cols arguments, row by row; "identity": the unit matrix;
            - "add": a + b; "times": entry by entry, a scalar with each;
            - "product": of matrices; "transpose"; "inverse";
            - "dot": Σ a_ij b_ij; "trace";
            - "power": each entry to the Fraction `detail`;
            - "function": the function of that name (`detail`) of each entry;
            - "weight": the scalar w_z of the sample, with Σ_z w_z = 1;
              "total": the sum over the samples of a minibatch.
        args: places of its arguments in the program.
        shape: (rows, cols).
        detail: what else the operation needs to know.
        sampled: whether it depends on the sample z, through data.
    """

    op: str
    args: tuple[int, ...]
    shape: Shape
    detail: Any
    sampled: bool

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.shape[0] * self.shape[1]


@dataclass(frozen=True, slots=True)
class Program:
    """A loss ℓ(θ, z) and a gradient, as nodes in an order of evaluation.

    Attributes:
        nodes: the operations; arguments come before their users.
        value: place of ℓ(θ, z), for one sample.
        gradient: parameter → place of the derivative, of the parameter's shape: of
            Σ_z w_z ℓ(θ, z) over a minibatch, or of ℓ(θ, z).
    """

    nodes: tuple[ProgramNode, ...]
    value: int
    gradient: tuple[tuple[str, int], ...]


class Builder:
    """Collects nodes; equal ones are one, and trivial ones none."""

    def __init__(self) -> None:
        self.nodes: list[ProgramNode] = []
        self._places: dict[tuple[Any, ...], int] = {}

    def _node(
        self, op: str, args: Sequence[int], shape: Shape, detail: Any = None
    ) -> int:
        key = (op, tuple(args), shape, detail)
        if key not in self._places:
            sampled = op in ("data", "weight") or (
                op != "total" and any(self.nodes[i].sampled for i in args)
            )
            self._places[key] = len(self.nodes)
            self.nodes.append(ProgramNode(op, tuple(args), shape, detail, sampled))
        return self._places[key]

    def shape(self, node: int) -> Shape:
        """Return (rows, cols) of a node."""
        return self.nodes[node].shape

    def input(self, kind: str, name: str, shape: Shape) -> int:
        """Return a parameter, the data or a constant of that name."""
        return self._node(kind, (), shape, name)

    def number(self, value: Fraction | int, shape: Shape = (1, 1)) -> int:
        """Return a number, in each entry of a matrix."""
        return self._node("number", (), shape, Fraction(value))

    def identity(self, size: int) -> int:
        """Return the unit matrix."""
        if size == 1:
            return self.number(1)
        return self._node("identity", (), (size, size))

    def value_of(self, node: int) -> Fraction | None:
        """Return the number that a node is, or None."""
        it = self.nodes[node]
        return it.detail if it.op == "number" else None

    def entry(self, node: int, i: int, j: int) -> int:
        """Return one entry of a matrix."""
        if self.shape(node) == (1, 1):
            return node
        return self._node("entry", (node,), (1, 1), (i, j))

    def assemble(self, entries: Sequence[int], shape: Shape) -> int:
        """Return the matrix of these scalars, row by row."""
        return entries[0] if shape == (1, 1) else self._node("assemble", entries, shape)

    def add(self, a: int, b: int) -> int:
        """Return a + b, of one shape."""
        x, y = self.value_of(a), self.value_of(b)
        if x == 0 or y == 0:
            return b if x == 0 else a
        if x is not None and y is not None:
            return self.number(x + y, self.shape(a))
        if a == b:
            return self.scaled(2, a)
        return self._node("add", sorted((a, b)), self.shape(a))

    def times(self, a: int, b: int) -> int:
        """Return the entrywise product; a scalar multiplies each entry."""
        if self.nodes[a].size > self.nodes[b].size:
            a, b = b, a
        x, y, shape = self.value_of(a), self.value_of(b), self.shape(b)
        if 0 in (x, y):
            return self.number(0, shape)
        if x is not None and y is not None:
            return self.number(x * y, shape)
        if x == 1:
            return b
        if y == 1 and self.shape(a) == shape:
            return a
        inner = self.nodes[b]
        if x is not None and inner.op == "times":  # numbers are gathered in front
            first = self.value_of(inner.args[0])
            if first is not None:
                return self.times(self.number(x * first), inner.args[1])
        if self.shape(a) == shape:
            a, b = sorted((a, b))
        return self._node("times", (a, b), shape)

    def scaled(self, value: Fraction | int, a: int) -> int:
        """Return a number times a matrix."""
        return self.times(self.number(value), a)

    def product(self, a: int, b: int) -> int:
        """Return the product of two matrices; 1 × 1 ones are scalars."""
        m, n = self.shape(a)[0], self.shape(b)[1]
        if (1, 1) in (self.shape(a), self.shape(b)):
            return self.times(a, b)
        for left, right in ((a, b), (b, a)):
            if self.value_of(left) == 0:
                return self.number(0, (m, n))
            if self.nodes[left].op == "identity":
                return right
        if (m, n) == (1, 1):
            return self.dot(self.transpose(a), b)
        return self._node("product", (a, b), (m, n))

    def transpose(self, a: int) -> int:
        """Return aᵀ."""
        it = self.nodes[a]
        if it.shape == (1, 1) or it.op == "identity":
            return a
        turned = (it.shape[1], it.shape[0])
        if it.op == "transpose":
            return it.args[0]
        if it.op == "number":
            return self.number(it.detail, turned)
        return self._node("transpose", (a,), turned)

    def dot(self, a: int, b: int) -> int:
        """Return Σ a_ij b_ij."""
        if self.shape(a) == (1, 1):
            return self.times(a, b)
        if 0 in (self.value_of(a), self.value_of(b)):
            return self.number(0)
        both = [self.nodes[i].op == "transpose" for i in (a, b)]
        if all(both):
            a, b = self.nodes[a].args[0], self.nodes[b].args[0]
        return self._node("dot", sorted((a, b)), (1, 1))

    def trace(self, a: int) -> int:
        """Return the trace of a square matrix."""
        it = self.nodes[a]
        if it.shape == (1, 1):
            return a
        if it.op == "product":
            return self.dot(self.transpose(it.args[0]), it.args[1])
        if it.op == "identity":
            return self.number(it.shape[0])
        return self._node("trace", (a,), (1, 1))

    def inverse(self, a: int) -> int:
        """Return the inverse of a square matrix."""
        if self.shape(a) == (1, 1):
            return self.power(a, Fraction(-1))
        return self._node("inverse", (a,), self.shape(a))

    def power(self, a: int, exponent: Fraction) -> int:
        """Return each entry to a power."""
        x = self.value_of(a)
        if exponent == 0:
            return self.number(1, self.shape(a))
        if exponent == 1:
            return a
        if x is not None and exponent.denominator == 1 and (x or exponent > 0):
            return self.number(x**exponent.numerator, self.shape(a))
        return self._node("power", (a,), self.shape(a), exponent)

    def function(self, name: str, a: int) -> int:
        """Return a function of each entry."""
        if name == "sqrt":
            return self.power(a, Fraction(1, 2))
        return self._node("function", (a,), self.shape(a), name)

    def weight(self) -> int:
        """Return the weight of the sample."""
        return self._node("weight", (), (1, 1))

    def total(self, a: int) -> int:
        """Return the sum over the samples; what is the same for all stays outside."""
        it = self.nodes[a]
        if it.op == "weight":
            return self.number(1)
        if it.op == "transpose":
            return self.transpose(self.total(it.args[0]))
        if it.op in ("times", "product", "dot"):
            x, y = it.args
            combine = {"times": self.times, "product": self.product, "dot": self.dot}
            if not self.nodes[x].sampled:
                return combine[it.op](x, self.total(y))
            if not self.nodes[y].sampled:
                return combine[it.op](self.total(x), y)
        return self._node("total", (a,), it.shape)
