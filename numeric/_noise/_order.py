"""Whether every sample's rows lie where they should, in models that sort by value.

A model may pick or sort rows by what is in them (x[mask], sort, experts). Then rows
that belong to one sample in one batch belong to another in the next, and a sample that
agrees with its copies does not speak for the others. Such a model is told by its
operations; each of its batches is passed once more with the samples reordered, and
the rows of all of them must move along.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from numeric._noise._layout import Layout
from numeric._noise._rules import Use, compared, operands


_SORTING = re.compile(
    "bincount|bucketize|gather|index|kthvalue|masked_s|nonzero|pack_padded|put|"
    "repeat_interleave|scalar_dense|scatter|searchsorted|sort|take|topk|unique"
)
_JOINING = frozenset(["cat", "stack"])  # along the first axis they may join samples


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Looks at the operations of a forward pass.

    Attributes:
        sorts: whether one was met that can move rows by what is in them.
    """

    def __init__(self) -> None:
        """Begin with nothing met."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.sorts = False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation, and note what it is."""
        named = kwargs or {}
        name = func.overloadpacket.__name__
        if name in _JOINING:
            dim = args[1] if len(args) > 1 else named.get("dim", 0)
            self.sorts = self.sorts or dim == 0
        self.sorts = self.sorts or bool(_SORTING.search(name))
        return func(*args, **named)


@dataclass(slots=True, eq=False)
class Marks:
    """A few numbers for each sample's rows, in every use of a parameter.

    Attributes:
        N: samples in the batch.
        found: place of the use → (N, numbers).
        within: place of the use → how far rounding goes, relative.
    """

    N: int
    found: dict[int, Tensor] = field(default_factory=dict)
    within: dict[int, float] = field(default_factory=dict)

    def note(self, k: int, tensors: Sequence[Tensor], layout: Layout) -> None:
        """Mark the rows of the tensors of one use.

        Raises:
            LookupError: where they do not divide among the samples.
        """
        columns = []
        for t in tensors:
            rows = layout.front(t, self.N).reshape(self.N, -1).double()
            weights = torch.cos(1.0 + torch.arange(rows.shape[1]) ** 2).to(rows)
            columns += [torch.linalg.vector_norm(rows, dim=1), rows @ weights]
        self.found[k] = torch.stack(columns, 1)
        self.within[k] = 4.0 * float(torch.finfo(tensors[0].dtype).eps ** 0.5)

    def try_to_note(self, k: int, use: Use, delta: Tensor, layout: Layout) -> None:
        """Mark the rows of one use, where that can be done."""
        try:
            tensors = [t.detach() for t in operands(use)]
            self.note(k, compared(use, tensors, delta), layout)
        except LookupError:
            return

    def moved(self, other: Marks, order: Tensor) -> set[int]:
        """Return the uses whose rows did not move with the samples.

        Args:
            other: of the batch in the other order.
            order: which sample came first there, and so on.
        """
        wrong = set(self.found) ^ set(other.found)
        for k in set(self.found) & set(other.found):
            mine, theirs = self.found[k][order.to(self.found[k].device)], other.found[k]
            scale = mine[:, ::2].repeat_interleave(2, 1)
            gap = (mine - theirs).abs()
            if not bool((gap <= self.within[k] * scale).all()):
                wrong.add(k)
        return wrong


def another_order(N: int) -> Tensor:
    """Return an order of N ≥ 2 samples: no shift, and almost none keeps its place.

    >>> another_order(2).tolist(), another_order(5).tolist()
    ([1, 0], [0, 4, 3, 2, 1])
    """
    return torch.arange(N).flip(0).roll(int(N > 2))
