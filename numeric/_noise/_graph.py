"""The operations that use a parameter, read off the autograd graph of the loss.

Every use of a parameter is an edge into its leaf node, so none can be missed: modules,
bare parameters, tied weights and functional calls look alike here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge
from torch.utils.checkpoint import CheckpointError

from numeric._noise._paths import Node, Path, structural
from numeric._noise._rules import Use


CHECKPOINTED = (
    "the forward pass uses activation checkpointing, which keeps what is needed here "
    "from being read: turn it off for this measurement"
)
_Edges = tuple[tuple[Node, int], ...]  # children, and which output of each
_Entry = tuple[Node, _Edges]


@dataclass(frozen=True, eq=False)
class Graph:
    """What a backward pass will meet.

    Attributes:
        uses: the operations on the parameters, in the order of the walk.
        deepest: those of their nodes behind which no other use lies.
        kinds: the kinds of all nodes, in the order of the walk.
        batch_statistics: whether a normalisation uses those of the batch.
    """

    uses: tuple[Use, ...]
    deepest: frozenset[Node]
    kinds: tuple[str, ...]
    batch_statistics: bool

    @cached_property
    def signature(self) -> tuple[object, ...]:
        """What two passes over the same model have in common."""
        return tuple([use.signature for use in self.uses])

    @property
    def look(self) -> tuple[object, ...]:
        """What two passes have in common that do the same."""
        return (self.kinds, self.signature)

    @cached_property
    def places(self) -> dict[Node, list[int]]:
        """Where the uses of each node are."""
        places: dict[Node, list[int]] = {}
        for k, use in enumerate(self.uses):
            places.setdefault(use.node, []).append(k)
        return places


def walk(root: Node, names: Mapping[int, str]) -> Graph:
    """Return the uses of parameters in a graph.

    Args:
        root: the node of the loss, or None where it depends on nothing.
        names: id of a parameter → its name.

    Returns:
        The graph.

    Raises:
        ValueError: for activation checkpointing, which hides parameters.
    """
    order = _order(root)
    parents: dict[Node, list[tuple[Node, int, int]]] = {}
    leaves: list[Node] = []
    kinds: list[str] = []
    statistics = False
    for node, following in order:
        kind = type(node).__name__
        if kind == "CheckpointFunctionBackward":
            raise ValueError(CHECKPOINTED)
        kinds.append(kind)
        if not following and id(getattr(node, "variable", None)) in names:
            leaves.append(node)
        if "BatchNorm" in kind:
            statistics = statistics or _batch_wise(node)
        for slot, (child, output) in enumerate(following):
            if child is not None:
                parents.setdefault(child, []).append((node, slot, output))
    uses = [
        Use(names[id(leaf.variable)], leaf.variable, path, user, slot)
        for leaf in leaves
        for path, user, slot in _climb(leaf, (), parents)
    ]
    users = {use.node for use in uses}
    return Graph(tuple(uses), _deepest(order, users), tuple(kinds), statistics)


def _order(root: Node) -> list[_Entry]:
    """Return all nodes, each before the nodes it feeds gradients to."""
    done: set[Node] = set()
    order: list[_Entry] = []
    stack: list[tuple[Node, _Edges | None]] = [] if root is None else [(root, None)]
    while stack:
        node, following = stack.pop()
        if following is not None:
            order.append((node, following))
        elif node not in done:
            done.add(node)
            following = node.next_functions
            stack.append((node, following))
            for child, _ in following:
                if child is not None and child not in done:
                    stack.append((child, None))
    return order[::-1]


def _climb(
    node: Node, path: Path, parents: Mapping[Node, list[tuple[Node, int, int]]]
) -> list[tuple[Path, Node, int]]:
    """Follow views from a leaf up to the operations that use it."""
    found: list[tuple[Path, Node, int]] = []
    for user, slot, output in parents.get(node, []):
        here = (*path, (node, output)) if path or structural(node) else path
        if structural(user):
            found += _climb(user, here, parents)
        else:
            found.append((here, user, slot))
    return found


def _deepest(order: list[_Entry], users: set[Node]) -> frozenset[Node]:
    """Return the users from which no other user can be reached."""
    reaches: set[Node] = set()
    found: set[Node] = set()
    for node, following in reversed(order):
        below = not reaches.isdisjoint([child for child, _ in following])
        user = node in users
        if user and not below:
            found.add(node)
        if below or user:
            reaches.add(node)
    return frozenset(found)


def _batch_wise(node: Node) -> bool:
    if not hasattr(node, "_saved_training"):
        return False
    # Instance normalisation folds the samples into the channels, one image in all.
    images = node._input_metadata[0].shape[0]
    return bool(node._saved_training) and images != 1


def backward(
    loss: Tensor, graph: Graph, receive: Callable[[Node, Tensor], None]
) -> None:
    """Run one backward pass, without weight gradients, and hand over every δ.

    A node's δ is handed over before the node runs, while its saved tensors are there,
    and is not kept: memory stays at that of a plain backward pass.

    Args:
        loss: the loss of a batch.
        graph: its `walk`.
        receive: called with each node that uses parameters and the gradient of its
            output.

    Raises:
        ValueError: for activation checkpointing, whose tensors can be read only once.
    """

    def hand_over(node: Node, grads: tuple[Tensor | None, ...]) -> None:
        if grads[0] is not None:
            receive(node, grads[0])

    users = graph.places
    last = [node for node in users if node in graph.deepest]
    if not last:
        return
    hooks = [
        node.register_prehook(partial(hand_over, node))
        for node in users
        if node not in graph.deepest
    ]
    try:
        edges = [GradientEdge(node, 0) for node in last]
        # The graph is kept: the deepest nodes' saved tensors are needed afterwards.
        deltas = torch.autograd.grad(loss, edges, allow_unused=True, retain_graph=False)
    except CheckpointError as error:
        raise ValueError(CHECKPOINTED) from error
    finally:
        for hook in hooks:
            hook.remove()
    for node, delta in zip(last, deltas, strict=True):
        if delta is not None:
            receive(node, delta)
