"""Writes the gradient of a program into a kernel: lane l is replica l."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

from numeric._ensembles.plan import Plan
from numeric._lanes.builder import Kernel
from numeric._lanes.functions import FUNCTIONS
from numeric._lanes.matrices import (
    Index,
    View,
    allocated,
    contract,
    each_entry,
    load,
    repeat,
    store,
)
from symbolic import ProgramNode


UNROLLED = 1500  # operations on vectors up to which no loop is left
Constants = Mapping[str, Any]  # name → array (rows, cols)


class LaneProgram:
    """Writes, for a block of B samples at a time, the gradient of a program.

    Args:
        kernel: the kernel.
        plan: the program, in the order in which it is written.
        block: B.
        views: name → the parameters, (rows, cols), and the data of the block.
        constants: name → numbers of the constants.
        weight: the weights of the block's samples, (1, 1).
    """

    def __init__(
        self,
        kernel: Kernel,
        plan: Plan,
        block: int,
        views: Mapping[str, View],
        constants: Constants,
        weight: View,
    ) -> None:
        self._kernel, self._plan, self._block = kernel, plan, block
        self._unrolled = plan.operations(block) <= UNROLLED
        self._views: dict[int, View] = {}
        self._kept: dict[int, View] = {}  # gradients that are parameters themselves
        self._accumulates = False
        for place, node in enumerate(plan.nodes):
            self._views[place] = self._room(place, node, views, constants, weight)

    @property
    def unrolled(self) -> bool:
        """Whether every loop over entries is written out."""
        return self._unrolled

    def clear(self) -> None:
        """Write zeros into the sums over samples, before the first of many blocks."""
        zero = self._kernel.number(0.0)
        self._accumulates = True
        for place in self._plan.totals:
            write = partial(self._put, self._views[place], zero)
            self._each((*self._plan.nodes[place].shape, 1), write)

    def _put(self, view: View, value: Any, i: Index, j: Index, s: Index) -> None:
        store(self._kernel, view, i, j, s, value)

    def before(self) -> None:
        """Write what is the same for all samples."""
        self._write(self._plan.before)

    def sampled(self) -> None:
        """Write what depends on the samples of the block, and the sums over them."""
        self._write(self._plan.sampled)

    def after(self) -> None:
        """Write what depends on the sums."""
        self._write(self._plan.after)

        for place in self._plan.gradient.values():
            self._keep(place)

    def _keep(self, place: int) -> None:
        """Copy a gradient that is a parameter itself: that one is about to change."""
        node = self._plan.nodes[place]
        if node.op not in ("parameter", "transpose", "entry"):
            return
        kernel, view = self._kernel, self._views[place]
        if place not in self._kept:
            self._kept[place] = allocated(kernel, node.shape, 1)
        copy = self._kept[place]
        self._each(
            (*node.shape, 1),
            lambda i, j, s: store(kernel, copy, i, j, s, load(kernel, view, i, j, s)),
        )

    def for_each_gradient(
        self, name: str, write: Callable[[Index, Index, Any], None]
    ) -> None:
        """Write something for every entry of a gradient.

        Sums over samples that nothing else needs are computed here, not stored.

        Args:
            name: the parameter.
            write: takes (i, j, value).
        """
        place = self._plan.gradient[name]
        node = self._plan.nodes[place]
        if place in self._plan.fused:
            self._sum_of_products(node, write, None)
            return
        view = self._kept.get(place, self._views[place])
        self._each(
            (*node.shape, 1),
            lambda i, j, s: write(i, j, load(self._kernel, view, i, j, s)),
        )

    # ---------------------------------------------------------------------- memory

    def _room(
        self,
        place: int,
        node: ProgramNode,
        views: Mapping[str, View],
        constants: Constants,
        weight: View,
    ) -> View:
        if node.op in ("parameter", "data"):
            return views[node.detail]
        if node.op == "weight":
            return weight
        if node.op == "number":
            return View(None, 0, (0, 0, 0), float(node.detail))
        if node.op == "transpose":
            return self._views[node.args[0]].transposed
        if node.op == "entry":
            return self._views[node.args[0]].entry(*node.detail)
        if place in self._plan.lazy or place in self._plan.fused:
            return View(None, 0, (0, 0, 0), float("nan"))  # never read
        view = allocated(self._kernel, node.shape, self._samples(node))
        if node.op in ("constant", "identity"):
            self._fill(node, view, constants)
        return view

    def _samples(self, node: ProgramNode) -> int:
        return self._block if node.sampled else 1

    def _fill(self, node: ProgramNode, view: View, constants: Constants) -> None:
        rows, cols = node.shape
        for i in range(rows):
            for j in range(cols):
                value = float(i == j)
                if node.op == "constant":
                    value = float(constants[node.detail][i, j])
                store(self._kernel, view, i, j, 0, self._kernel.number(value))

    # ------------------------------------------------------------------ operations

    def _write(self, places: tuple[int, ...]) -> None:
        rules: dict[str, Callable[[int, ProgramNode], None]] = {
            "add": partial(self._pair, self._kernel.add),
            "times": partial(self._pair, self._kernel.mul),
            "power": self._power,
            "function": self._function,
            "product": self._product,
            "dot": self._dot,
            "trace": self._trace,
            "assemble": self._assemble,
            "total": self._total,
        }
        for place in places:
            node = self._plan.nodes[place]
            if node.op in rules and place not in self._plan.lazy | self._plan.fused:
                rules[node.op](place, node)

    def _each(
        self,
        sizes: tuple[int, int, int],
        body: Callable[[Index, Index, Index], None],
    ) -> None:
        each_entry(self._kernel, sizes, body, unrolled=self._unrolled)

    def _repeat(self, count: int, body: Callable[[Index], None]) -> None:
        repeat(self._kernel, count, body, unrolled=self._unrolled)

    def _read(self, place: int, i: Index, j: Index, s: Index) -> Any:
        """Return an entry of an argument; a scalar is the same in every entry."""
        if self._plan.nodes[place].size == 1:
            i, j = 0, 0
        return load(self._kernel, self._views[place], i, j, s)

    def _entrywise(
        self, place: int, node: ProgramNode, value: Callable[..., Any]
    ) -> None:
        def body(i: Index, j: Index, s: Index) -> None:
            found = value(*(self._read(a, i, j, s) for a in node.args))
            store(self._kernel, self._views[place], i, j, s, found)

        self._each((*node.shape, self._samples(node)), body)

    def _pair(
        self, apply: Callable[[Any, Any], Any], place: int, node: ProgramNode
    ) -> None:
        self._entrywise(place, node, apply)

    def _function(self, place: int, node: ProgramNode) -> None:
        self._entrywise(place, node, partial(function, self._kernel, node.detail))

    def _power(self, place: int, node: ProgramNode) -> None:
        self._entrywise(place, node, partial(power, self._kernel, p=node.detail))

    def _product(self, place: int, node: ProgramNode) -> None:
        a, b = node.args
        rows, cols = node.shape
        inner = self._plan.nodes[a].shape[1]
        if node.sampled and cols == 1 and not self._plan.nodes[a].sampled:
            self._contract(  # a matrix times the columns of all samples
                (rows, self._block, inner),
                lambda i, k: self._read_in(a, i, k, 0),
                lambda k, s: self._read_in(b, k, 0, s),
                lambda i, s, v: store(self._kernel, self._views[place], i, 0, s, v),
            )
            return
        if node.sampled and rows == 1 and not self._plan.nodes[b].sampled:
            self._contract(  # the rows of all samples times a matrix
                (cols, self._block, inner),
                lambda j, k: self._read_in(b, k, j, 0),
                lambda k, s: self._read_in(a, 0, k, s),
                lambda j, s, v: store(self._kernel, self._views[place], 0, j, s, v),
            )
            return

        def sample(s: Index) -> None:
            self._contract(
                (rows, cols, inner),
                lambda i, k: self._read_in(a, i, k, s),
                lambda k, j: self._read_in(b, k, j, s),
                lambda i, j, v: store(self._kernel, self._views[place], i, j, s, v),
            )

        self._repeat(self._samples(node), sample)

    def _read_in(self, place: int, i: Index, j: Index, s: Index) -> Any:
        return load(self._kernel, self._views[place], i, j, s)

    def _contract(self, *arguments: Any, start: Any = None) -> None:
        contract(self._kernel, *arguments, unrolled=self._unrolled, start=start)

    def _summed(
        self,
        place: int,
        sizes: tuple[int, int, int],
        terms: Callable[[Index, Index, Index], Any],
    ) -> None:
        """Write Σ of the terms over all (i, j) into a scalar of each sample."""
        rows, cols, samples = sizes
        kernel = self._kernel

        def sample(s: Index) -> None:
            total = kernel.variable(kernel.number(0.0))
            self._each(
                (rows, cols, 1),
                lambda i, j, _: total.set(kernel.add(total.get(), terms(i, j, s))),
            )
            store(kernel, self._views[place], 0, 0, s, total.get())

        self._repeat(samples, sample)

    def _dot(self, place: int, node: ProgramNode) -> None:
        a, b = node.args
        rows, cols = self._plan.nodes[a].shape
        self._summed(
            place,
            (rows, cols, self._samples(node)),
            lambda i, j, s: self._kernel.mul(
                self._read_in(a, i, j, s), self._read_in(b, i, j, s)
            ),
        )

    def _trace(self, place: int, node: ProgramNode) -> None:
        (a,) = node.args
        rows = self._plan.nodes[a].shape[0]
        self._summed(
            place,
            (rows, 1, self._samples(node)),
            lambda i, _, s: self._read_in(a, i, i, s),
        )

    def _assemble(self, place: int, node: ProgramNode) -> None:
        cols = node.shape[1]
        for number, a in enumerate(node.args):
            i, j = divmod(number, cols)
            for s in range(self._samples(node)):
                value = self._read_in(a, 0, 0, s)
                store(self._kernel, self._views[place], i, j, s, value)

    def _total(self, place: int, node: ProgramNode) -> None:
        kernel, view = self._kernel, self._views[place]

        def write(i: Index, j: Index, value: Any) -> None:
            store(kernel, view, i, j, 0, value)

        def start(i: Index, j: Index) -> Any:
            return load(kernel, view, i, j, 0)

        known = start if self._accumulates else None
        if node.args[0] in self._plan.lazy:
            self._sum_of_products(node, write, known)
            return
        one = kernel.number(1.0)
        rows, cols = node.shape

        def entry(i: Index, j: Index, _: Index) -> None:
            self._contract(
                (1, 1, self._block),
                lambda _, s: self._read_in(node.args[0], i, j, s),
                lambda _, __: one,
                lambda _, __, v: write(i, j, v),
                start=None if known is None else lambda _, __: start(i, j),
            )

        self._each((rows, cols, 1), entry)

    def _sum_of_products(
        self, node: ProgramNode, write: Callable[..., None], start: Any
    ) -> None:
        """Write Σ_s of a column times a row, both of sample s."""
        left, right = self._plan.nodes[node.args[0]].args
        self._contract(
            (*node.shape, self._block),
            lambda i, s: self._read_in(left, i, 0, s),
            lambda s, j: self._read_in(right, 0, j, s),
            write,
            start=start,
        )


def function(kernel: Kernel, name: str, x: Any) -> Any:
    """Write a function of the language, or the derivative of relu or abs."""
    zero, one = kernel.number(0.0), kernel.number(1.0)
    if name == "step":
        return kernel.select(kernel.compare(">", x, zero), one, zero)
    if name == "sign":
        down = kernel.select(kernel.compare("<", x, zero), kernel.neg(one), zero)
        return kernel.select(kernel.compare(">", x, zero), one, down)
    return FUNCTIONS[name](kernel, x)


def power(kernel: Kernel, x: Any, p: Fraction) -> Any:
    """Write x to a power: products for integers, roots by √ or exp and log."""
    if p < 0:
        return kernel.div(kernel.number(1.0), power(kernel, x, -p))
    if p.denominator == 2:
        whole = power(kernel, x, Fraction(p.numerator // 2))
        root = kernel.sqrt(x)
        return root if p.numerator == 1 else kernel.mul(whole, root)
    if p.denominator > 1:
        scaled = kernel.mul(kernel.number(float(p)), FUNCTIONS["log"](kernel, x))
        return FUNCTIONS["exp"](kernel, scaled)
    result, square, n = None, x, int(p)
    while n:
        if n & 1:
            result = square if result is None else kernel.mul(result, square)
        n >>= 1
        if n:
            square = kernel.mul(square, square)
    return kernel.number(1.0) if result is None else result
