"""Parameters and momentum of the replicas in a kernel, and the step they take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from numeric._ensembles.lane_program import LaneProgram
from numeric._lanes.builder import Kernel
from numeric._lanes.matrices import (
    Index,
    View,
    allocated,
    each_entry,
    flat,
    load,
    shifted,
    store,
)


Shapes = Mapping[str, tuple[int, int]]  # name → (rows, cols)


class State:
    """Parameters and momentum of the replicas at hand, and the update."""

    def __init__(
        self, kernel: Kernel, parameters: Shapes, *, momentum: bool, decay: bool
    ) -> None:
        self.kernel, self._shapes = kernel, parameters
        given = kernel.arguments
        self.steps = (given["first"], given["last"])
        self.parameters = {
            name: allocated(kernel, shape, 1) for name, shape in parameters.items()
        }
        self._momentum = {
            name: allocated(kernel, shape, 1)
            for name, shape in parameters.items()
            if momentum
        }
        self._decay = kernel.splat(given["decay"]) if decay else None
        self._lr = kernel.splat(kernel.neg(given["lr"]))
        self._beta = kernel.splat(given["beta"])
        self._entries = sum(rows * cols for rows, cols in parameters.values())

    @contextmanager
    def replicas(self) -> Iterator[Any]:
        """Repeat the block for groups of L replicas; it gets the vector of numbers.

        Their state is copied in before and back after.

        Yields:
            The numbers of the replicas in the lanes.
        """
        kernel = self.kernel
        with kernel.loop(0, kernel.arguments["groups"]) as group:
            self._copied(group, back=False)
            first = kernel.ir.mul(group, kernel.index(kernel.width))
            yield kernel.load_words(kernel.arguments["ids"], first)
            self._copied(group, back=True)

    def _copied(self, group: Any, *, back: bool) -> None:
        """Copy the state of a group from its arguments, or back."""
        kernel = self.kernel
        start = kernel.ir.mul(group, kernel.index(self._entries))
        for views, argument in (
            (self.parameters, "theta"),
            (self._momentum, "momentum"),
        ):
            pointer, place = kernel.arguments[argument], 0
            for name, view in views.items():
                rows, cols = self._shapes[name]
                begin = shifted(kernel, start, place)
                self._copy(view, pointer, begin, (rows, cols), back=back)
                place += rows * cols

    def _copy(
        self,
        view: View,
        pointer: Any,
        begin: Any,
        shape: tuple[int, int],
        *,
        back: bool,
    ) -> None:
        kernel = self.kernel
        rows, cols = shape

        def entry(i: Index, j: Index, s: Index) -> None:
            vector = kernel.ir.add(begin, flat(kernel, i, j, cols))
            place = kernel.ir.mul(vector, kernel.index(kernel.width))
            if back:
                kernel.store_at(pointer, place, load(kernel, view, i, j, s))
            else:
                store(kernel, view, i, j, s, kernel.load_at(pointer, place))

        each_entry(kernel, (rows, cols, 1), entry, unrolled=rows * cols <= 16)

    def descend(self, program: LaneProgram) -> None:
        """Write m' = βm + g + 2γθ, θ' = θ − ηm'."""
        for name in self.parameters:
            program.for_each_gradient(name, partial(self._update, name))

    def _update(self, name: str, i: Index, j: Index, g: Any) -> None:
        kernel, view = self.kernel, self.parameters[name]
        theta = load(kernel, view, i, j, 0)
        if self._decay is not None:
            g = kernel.fma(self._decay, theta, g)
        if name in self._momentum:
            m = load(kernel, self._momentum[name], i, j, 0)
            g = kernel.fma(self._beta, m, g)
            store(kernel, self._momentum[name], i, j, 0, g)
        store(kernel, view, i, j, 0, kernel.fma(self._lr, g, theta))
