"""In which order a program is written into a kernel, and what of it is never stored."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from symbolic import Program, ProgramNode


KERNEL_OPERATIONS = frozenset(
    (
        *("parameter", "data", "constant", "number", "entry", "assemble", "identity"),
        *("add", "times", "product", "transpose", "dot", "trace", "power"),
        *("function", "weight", "total"),
    )
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A gradient's program, split by what depends on the samples.

    Attributes:
        nodes: of the program.
        before: places of what is the same for all samples of a minibatch.
        sampled: places of what depends on the sample, with the sums over samples.
        after: places of what depends on those sums.
        totals: places of the sums that are stored.
        lazy: products of a column and a row that are only summed over samples.
        fused: sums of such products that are gradients and nothing else.
        gradient: parameter → place.
    """

    nodes: tuple[ProgramNode, ...]
    before: tuple[int, ...]
    sampled: tuple[int, ...]
    after: tuple[int, ...]
    totals: tuple[int, ...]
    lazy: frozenset[int]
    fused: frozenset[int]
    gradient: dict[str, int]

    @property
    def fits(self) -> bool:
        """Whether a kernel can be written of it.

        Sums over samples must not be part of what the samples need.
        """
        known = all(node.op in KERNEL_OPERATIONS for node in self.nodes)
        summed = _depends_on_totals(self.nodes)
        return known and not any(
            node.sampled and place in summed for place, node in enumerate(self.nodes)
        )

    def operations(self, samples: int) -> int:
        """Return how many operations a gradient of so many samples takes."""
        places = {*self.before, *self.sampled, *self.after}
        return sum(self._cost(self.nodes[p], samples) for p in places - self.lazy)

    def numbers(self, samples: int) -> int:
        """Return how many numbers a replica stores on the way."""
        places = {*self.before, *self.sampled, *self.after} - self.lazy - self.fused
        views = ("transpose", "entry", "number", "parameter")
        return sum(
            node.size * (samples if node.sampled else 1)
            for node in (self.nodes[p] for p in places)
            if node.op not in views
        )

    def _cost(self, node: ProgramNode, samples: int) -> int:
        count = samples if node.sampled else 1
        if node.op == "product":
            return node.size * self.nodes[node.args[0]].shape[1] * count
        if node.op in ("dot", "trace"):
            return self.nodes[node.args[0]].size * count
        if node.op == "total":
            return node.size * samples
        if node.op in ("add", "times", "power"):
            return node.size * count
        return 15 * node.size * count if node.op == "function" else 0


@functools.lru_cache(maxsize=256)
def plan_of(program: Program, *, blocks: int = 1) -> Plan:
    """Return the plan of a program for so many blocks of samples."""
    nodes, gradient = program.nodes, dict(program.gradient)
    needed = needed_places(nodes, list(gradient.values()))
    lazy = only_summed(nodes, list(gradient.values())) & needed
    summed = _depends_on_totals(nodes)
    order = [place for place in range(len(nodes)) if place in needed]
    totals = [p for p in order if nodes[p].op == "total"]
    users: dict[int, int] = {}
    for place in order:
        for argument in nodes[place].args:
            users[argument] = users.get(argument, 0) + 1
    results = list(gradient.values())
    fused = {
        p
        for p in totals
        if nodes[p].args[0] in lazy
        and blocks == 1
        and p not in users
        and results.count(p) == 1
    }
    return Plan(
        nodes,
        tuple(p for p in order if not nodes[p].sampled and p not in summed),
        tuple(p for p in order if nodes[p].sampled or nodes[p].op == "total"),
        tuple(p for p in order if p in summed and nodes[p].op != "total"),
        tuple(p for p in totals if p not in fused),
        frozenset(lazy),
        frozenset(fused),
        gradient,
    )


def needed_places(nodes: tuple[ProgramNode, ...], results: list[int]) -> set[int]:
    """Return the places that results depend on, and they themselves."""
    needed: set[int] = set()
    stack = list(results)
    while stack:
        place = stack.pop()
        if place not in needed:
            needed.add(place)
            stack.extend(nodes[place].args)
    return needed


def only_summed(nodes: tuple[ProgramNode, ...], results: list[int]) -> set[int]:
    """Return the products of a column and a row that are only summed over samples."""
    outer = {
        place
        for place, node in enumerate(nodes)
        if node.op == "product"
        and all(nodes[i].sampled for i in node.args)
        and nodes[node.args[0]].shape[1] == 1
    }
    for node in nodes:
        if node.op != "total":
            outer.difference_update(node.args)
    return outer - set(results)


def _depends_on_totals(nodes: tuple[ProgramNode, ...]) -> set[int]:
    found: set[int] = set()
    for place, node in enumerate(nodes):
        if node.op == "total" or found.intersection(node.args):
            found.add(place)
    return found
