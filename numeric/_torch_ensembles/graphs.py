"""Functions of tensors, replayed as graphs of operations once they are used often.

Of a small ensemble's step most time goes to `torch.func` and to the modules' Python,
which give the same operations each time. A graph of them takes a third of that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx


_AFTER = 256  # calls: to trace costs as much as some two hundred of them
_MOST = 16  # graphs held: replicas that diverge change the shapes again and again

Function = Callable[..., Tensor]


class Graphs:
    """Graphs by name and by the arguments' shapes and strides."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, int] = {}
        self._graphs: dict[Hashable, Function] = {}

    def call(self, name: Hashable, function: Function, *given: Tensor) -> Tensor:
        """Return function(*given).

        Args:
            name: functions of one name do the same operations on equal shapes.
            function: of tensors, without branches on their numbers.
            given: the tensors.

        Returns:
            The same bits as the function.
        """
        key = (name, *((tensor.shape, tensor.stride()) for tensor in given))
        graph = self._graphs.get(key)
        if graph is not None:
            return graph(*given)
        calls = self._calls[key] = self._calls.get(key, 0) + 1
        if calls < _AFTER or len(self._graphs) >= _MOST:
            return function(*given)
        self._graphs[key] = _traced(function, given)
        return self._graphs[key](*given)


def _traced(function: Function, given: tuple[Tensor, ...]) -> Function:
    """Return the graph of a function if it gives the same bits, else the function."""
    try:
        graph: Function = make_fx(function)(*given)
        found = graph(*given)
    except (RuntimeError, ValueError, TypeError):  # it stays what it was: only slower
        return function
    wanted = function(*given)
    same = (found == wanted) | (torch.isnan(found) & torch.isnan(wanted))
    return graph if bool(same.all()) else function
