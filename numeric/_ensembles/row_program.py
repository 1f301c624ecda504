"""Writes the gradient of a program into a kernel: the lanes are entries of one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric._ensembles.lane_program import Constants, function, power
from numeric._ensembles.plan import Plan
from numeric._ensembles.row_views import GROUP, Block, Rows
from numeric._lanes.matrices import Index, repeat, scaled, shifted
from symbolic import ProgramNode


VIEWS = ("parameter", "data", "weight", "transpose")  # in others' memory
FIXED = ("constant", "identity", "number")  # written once


class RowProgram:
    """Writes, for one replica, the gradient over the samples of a minibatch.

    Args:
        rows: reads and writes rows.
        plan: the program, in the order in which it is written.
        samples: S.
        given: name → the parameters, and the data of each sample.
        constants: name → numbers of the constants.
        weight: the weight of each sample.
    """

    def __init__(
        self,
        rows: Rows,
        plan: Plan,
        samples: int,
        given: Mapping[str, Block],
        constants: Constants,
        weight: Block,
    ) -> None:
        self._rows, self._kernel = rows, rows.kernel
        self._plan, self._samples = plan, samples
        self._given, self._constants, self._weight = given, constants, weight
        self._blocks: dict[int, Block] = {}
        self._kept: dict[int, Block] = {}  # gradients that are parameters themselves
        for place, node in enumerate(plan.nodes):
            if place not in plan.lazy | plan.fused:
                self._blocks[place] = self._room(place, node)

    def write(self) -> None:
        """Write all values up to the gradients."""
        for place in self._plan.before:
            self._node(place, 0)
        sampled = [p for p in self._plan.sampled if self._plan.nodes[p].sampled]

        def sample(s: Index) -> None:
            for place in sampled:
                self._node(place, s)

        repeat(self._kernel, self._samples, sample, unrolled=False)
        for place in self._plan.totals:
            self._total(place, self._plan.nodes[place])
        for place in self._plan.after:
            self._node(place, 0)
        for place in self._plan.gradient.values():
            self._keep(place)

    def for_each_gradient(
        self, name: str, write: Callable[[Index, Index, Any], None]
    ) -> None:
        """Write something for every vector of a gradient.

        Args:
            name: the parameter.
            write: takes the row and the number of the vector, as parameters are held,
                and the vector.
        """
        place = self._plan.gradient[name]
        if place in self._plan.fused:
            self._sum_of_products(self._plan.nodes[place], self._given[name], write)
            return
        block, like = self._kept.get(place, self._blocks[place]), self._given[name]
        self._each(
            like,
            lambda p, v: write(
                p, v, self._rows.turned(block, p, v, 0, flipped=like.flipped)
            ),
        )

    # ---------------------------------------------------------------------- memory

    def _room(self, place: int, node: ProgramNode) -> Block:
        if node.op in ("parameter", "data"):
            return self._given[node.detail]
        if node.op == "weight":
            return self._weight
        if node.op == "number" and node.size == 1:
            return Block(None, 1, 1, constant=float(node.detail))
        if node.op == "transpose":
            return self._blocks[node.args[0]].transposed
        samples = self._samples if node.sampled else 1
        block = self._rows.allocated(
            node.shape, samples, flipped=self._orientation(node)
        )
        if node.op in FIXED:
            self._fill(node, block)
        return block

    def _orientation(self, node: ProgramNode) -> bool | None:
        """Return how a matrix is best held: as what it is made of."""
        if node.op in ("add", "times", "power", "function"):
            for argument in node.args:
                block = self._blocks[argument]
                if min(block.rows, block.cols) > 1 and block.constant is None:
                    return block.flipped
        if node.op == "product":
            a, b = (self._blocks[argument] for argument in node.args)
            return a.flipped and b.flipped and min(a.rows, b.cols) > 1
        return None

    def _fill(self, node: ProgramNode, block: Block) -> None:
        kernel, width = self._kernel, self._kernel.width
        numbers = np.zeros((block.rows, self._rows.vectors(block.cols) * width))
        fixed = self._fixed(node)
        numbers[:, : block.cols] = fixed.T if block.flipped else fixed
        if block.scalar:
            numbers[:] = fixed
        for p, row in enumerate(numbers.reshape(block.rows, -1, width)):
            for v, values in enumerate(row.tolist()):
                self._rows.put(block, p, v, 0, kernel.numbers(values))

    def _fixed(self, node: ProgramNode) -> NDArray[np.float64]:
        if node.op == "constant":
            return np.asarray(self._constants[node.detail], dtype=np.float64)
        if node.op == "identity":
            return np.eye(node.shape[0])
        return np.full(node.shape, float(node.detail))

    def _keep(self, place: int) -> None:
        """Copy a gradient that is a parameter itself: that one is about to change."""
        node = self._plan.nodes[place]
        if node.op not in ("parameter", "transpose"):
            return
        rows, block = self._rows, self._blocks[place]
        if place not in self._kept:
            self._kept[place] = rows.allocated(node.shape, flipped=block.flipped)
        copy = self._kept[place]
        self._each(
            copy, lambda p, v: rows.put(copy, p, v, 0, rows.vector(block, p, v, 0))
        )

    # ------------------------------------------------------------------ operations

    def _node(self, place: int, s: Index) -> None:
        node = self._plan.nodes[place]
        if place in self._plan.lazy or node.op in (*VIEWS, *FIXED):
            return
        rules: dict[str, Callable[[int, ProgramNode, Index], None]] = {
            "add": partial(self._entrywise, self._kernel.add),
            "times": partial(self._entrywise, self._kernel.mul),
            "power": self._power,
            "function": self._function,
            "product": self._product,
            "dot": self._dot,
            "trace": self._trace,
            "entry": self._entry,
            "assemble": self._assemble,
        }
        rules[node.op](place, node, s)

    def _each(self, block: Block, body: Callable[[Index, int], None]) -> None:
        """Write a body for every row and vector of a block."""
        vectors = self._rows.vectors(block.cols)

        def row(p: Index) -> None:
            for v in range(vectors):
                body(p, v)

        repeat(self._kernel, block.rows, row, unrolled=False)

    def _entrywise(
        self, value: Callable[..., Any], place: int, node: ProgramNode, s: Index
    ) -> None:
        rows, out = self._rows, self._blocks[place]
        parts = [self._blocks[a] for a in node.args]

        def body(p: Index, v: int) -> None:
            read = [rows.turned(b, p, v, s, flipped=out.flipped) for b in parts]
            found = value(*read)
            if not out.scalar:
                found = rows.masked(out.cols, v, found)
            rows.put(out, p, v, s, found)

        self._each(out, body)

    def _function(self, place: int, node: ProgramNode, s: Index) -> None:
        self._entrywise(partial(function, self._kernel, node.detail), place, node, s)

    def _power(self, place: int, node: ProgramNode, s: Index) -> None:
        self._entrywise(partial(power, self._kernel, p=node.detail), place, node, s)

    def _product(self, place: int, node: ProgramNode, s: Index) -> None:
        """Write AB: by rows of B, by columns of A, or by inner products.

        Whichever are contiguous.
        """
        out = self._blocks[place]
        a, b = (self._blocks[argument] for argument in node.args)
        inner = self._plan.nodes[node.args[0]].shape[1]
        if inner == 1 and (a.scalar or b.scalar):
            self._entrywise(self._kernel.mul, place, node, s)
        elif not (b.flipped or b.scalar or out.flipped):
            self._by_rows(out, a, b, inner, s)
        elif a.flipped and (out.flipped or out.scalar):
            self._by_rows(out, b.transposed, a.transposed, inner, s)
        elif out.flipped:
            self._by_dots(out, b.transposed, a, s)
        else:
            self._by_dots(out, a, b.transposed, s)

    def _by_rows(self, out: Block, a: Block, b: Block, inner: int, s: Index) -> None:
        """Write rows Σ_k a_pk b_k of the matrix that is held in `out`."""
        rows, vectors = self._rows, self._rows.vectors(out.cols)

        def row(p: Index) -> None:
            for first in range(0, vectors, GROUP):
                rows.combined(
                    inner,
                    range(first, min(first + GROUP, vectors)),
                    lambda k: rows.number(a, p, k, s),
                    lambda k, v: rows.turned(b, k, v, s, flipped=False),
                    lambda v, value: rows.put(out, p, v, s, value),
                )

        repeat(self._kernel, out.rows, row, unrolled=False)

    def _by_dots(self, out: Block, x: Block, y: Block, s: Index) -> None:
        """Write the inner products of rows of x and y to the matrix held in `out`."""
        kernel, rows, width = self._kernel, self._rows, self._kernel.width
        whole = out.cols // width

        def row(p: Index) -> None:
            def some(q: Index, count: int) -> Any:
                return rows.across(self._dots(x, y, p, q, count, s))

            def group(v: Index) -> None:
                rows.put(out, p, v, s, some(scaled(kernel, v, width), width))

            repeat(kernel, whole, group, unrolled=False)
            if out.cols % width:
                rows.put(out, p, whole, s, some(whole * width, out.cols % width))

        if out.scalar:
            (product,) = self._dots(x, y, 0, 0, 1, s)
            rows.put(out, 0, 0, s, rows.sum_of(product))
        else:
            repeat(kernel, out.rows, row, unrolled=False)

    def _dots(
        self, x: Block, y: Block, p: Index, q: Index, count: int, s: Index
    ) -> list[Any]:
        """Return x_p·y_q, …, x_p·y_{q+count−1}, still spread over the lanes."""
        kernel, rows = self._kernel, self._rows
        totals = [kernel.variable(kernel.number(0.0)) for _ in range(count)]

        def term(v: Index) -> None:
            left = rows.vector(x, p, v, s)
            for c, total in enumerate(totals):
                right = rows.vector(y, shifted(kernel, q, c), v, s)
                total.set(kernel.fma(left, right, total.get()))

        repeat(kernel, rows.vectors(x.cols), term, unrolled=False)
        return [total.get() for total in totals]

    def _dot(self, place: int, node: ProgramNode, s: Index) -> None:
        kernel, rows, out = self._kernel, self._rows, self._blocks[place]
        a, b = (self._blocks[argument] for argument in node.args)
        total = kernel.variable(kernel.number(0.0))

        def body(p: Index, v: int) -> None:
            x = rows.vector(a, p, v, s)
            y = rows.turned(b, p, v, s, flipped=a.flipped)
            total.set(kernel.fma(x, y, total.get()))

        self._each(a, body)
        found = total.get()
        rows.put(out, 0, 0, s, found if a.scalar else rows.sum_of(found))

    def _trace(self, place: int, node: ProgramNode, s: Index) -> None:
        kernel, rows = self._kernel, self._rows
        block = self._blocks[node.args[0]]
        total = kernel.variable(kernel.number(0.0))

        def body(i: Index) -> None:
            total.set(kernel.add(total.get(), rows.number(block, i, i, s)))

        repeat(kernel, block.rows, body, unrolled=False)
        rows.put(self._blocks[place], 0, 0, s, total.get())

    def _entry(self, place: int, node: ProgramNode, s: Index) -> None:
        i, j = node.detail
        value = self._rows.number(self._blocks[node.args[0]], i, j, s)
        self._rows.put(self._blocks[place], 0, 0, s, value)

    def _assemble(self, place: int, node: ProgramNode, s: Index) -> None:
        rows, out = self._rows, self._blocks[place]
        zero = self._kernel.number(0.0)
        self._each(out, lambda p, v: rows.put(out, p, v, s, zero))
        for number, argument in enumerate(node.args):
            i, j = divmod(number, node.shape[1])
            value = rows.number(self._blocks[argument], 0, 0, s)
            rows.put_number(out, i, j, s, value)

    def _total(self, place: int, node: ProgramNode) -> None:
        kernel, rows, out = self._kernel, self._rows, self._blocks[place]
        (argument,) = node.args
        put = partial(rows.put, out)
        if argument in self._plan.lazy:
            self._sum_of_products(node, out, lambda p, v, value: put(p, v, 0, value))
            return
        block = self._blocks[argument]

        def body(p: Index, v: int) -> None:
            total = kernel.variable(kernel.number(0.0))

            def add(s: Index) -> None:
                value = rows.turned(block, p, v, s, flipped=out.flipped)
                total.set(kernel.add(total.get(), value))

            repeat(kernel, self._samples, add, unrolled=False)
            put(p, v, 0, total.get())

        self._each(out, body)

    def _sum_of_products(
        self,
        node: ProgramNode,
        like: Block,
        write: Callable[[Index, Index, Any], None],
    ) -> None:
        """Write Σ_s of a column times a row, both of sample s, row by row."""
        rows, vectors = self._rows, self._rows.vectors(like.cols)
        left, right = (
            self._blocks[argument] for argument in self._plan.nodes[node.args[0]].args
        )
        if like.flipped:
            left, right = right.transposed, left.transposed

        def row(p: Index) -> None:
            for first in range(0, vectors, GROUP):
                rows.combined(
                    self._samples,
                    range(first, min(first + GROUP, vectors)),
                    lambda s: rows.number(left, p, 0, s),
                    lambda s, v: rows.turned(right, 0, v, s, flipped=False),
                    lambda v, value: write(p, v, value),
                )

        repeat(self._kernel, like.rows, row, unrolled=False)
