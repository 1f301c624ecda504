"""Views of a parameter between its leaf and the operation that uses it.

A path is a chain of autograd nodes that only rearrange entries. Its adjoint carries
per-sample gradients of what the operation saw back to the parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


Node = Any  # torch.autograd.graph.Node; its saved attributes are not declared

_SIGN = 1 << 63


def _signed(value: int) -> int:
    """Return a saved dimension: negative ones are stored modulo 2⁶⁴."""
    return value - 2 * _SIGN if value >= _SIGN else value


def _axis(node: Node, name: str, ndim: int) -> int:
    """Return a saved dimension of a tensor as an axis behind the samples."""
    return _signed(getattr(node, name)) % ndim + 1


def _transposed(node: Node, G: Tensor, _slot: int) -> Tensor:
    ndim = G.ndim - 1
    return G.transpose(
        _axis(node, "_saved_dim0", ndim), _axis(node, "_saved_dim1", ndim)
    )


def _permuted(node: Node, G: Tensor, _slot: int) -> Tensor:
    dims = [_signed(d) % (G.ndim - 1) for d in node._saved_dims]
    inverse = sorted(range(len(dims)), key=dims.__getitem__)
    return G.permute(0, *(k + 1 for k in inverse))


def _reshaped(node: Node, G: Tensor, _slot: int) -> Tensor:
    return G.reshape(len(G), *node._saved_self_sym_sizes)


def _unsqueezed(node: Node, G: Tensor, _slot: int) -> Tensor:
    return G.squeeze(_axis(node, "_saved_dim", G.ndim - 1))


def _placed(node: Node, G: Tensor, low: int) -> Tensor:
    """Put a contiguous part of one axis back among zeros."""
    shape = tuple(node._saved_self_sym_sizes)
    axis = _axis(node, "_saved_dim", len(shape))
    out = G.new_zeros(len(G), *shape)
    out.narrow(axis, low, G.shape[axis]).copy_(G)
    return out


def _split(node: Node, G: Tensor, slot: int) -> Tensor:
    return _placed(node, G, slot * int(node._saved_split_size))


def _split_unevenly(node: Node, G: Tensor, slot: int) -> Tensor:
    return _placed(node, G, sum(int(n) for n in node._saved_split_sizes[:slot]))


def _selected(node: Node, G: Tensor, _slot: int) -> Tensor:
    shape = tuple(node._saved_self_sym_sizes)
    axis = _axis(node, "_saved_dim", len(shape))
    index = _signed(node._saved_index) % shape[axis - 1]
    return _placed(node, G.unsqueeze(axis), index)


def _sliced(node: Node, G: Tensor, _slot: int) -> Tensor:
    shape = tuple(node._saved_self_sym_sizes)
    axis = _axis(node, "_saved_dim", len(shape))
    picked = range(shape[axis - 1])[
        _signed(node._saved_start) : _signed(node._saved_end) : node._saved_step
    ]
    out = G.new_zeros(len(G), *shape)
    where = torch.tensor(list(picked), device=G.device)
    return out.index_copy_(axis, where, G)


def _same(_node: Node, G: Tensor, _slot: int) -> Tensor:
    return G


_ADJOINTS: dict[str, Callable[[Node, Tensor, int], Tensor]] = {
    "TBackward0": lambda _node, G, _slot: G.transpose(1, 2) if G.ndim == 3 else G,
    "TransposeBackward0": _transposed,
    "PermuteBackward0": _permuted,
    "ViewBackward0": _reshaped,
    "UnsafeViewBackward0": _reshaped,
    "ReshapeAliasBackward0": _reshaped,
    "UnsqueezeBackward0": _unsqueezed,
    "SplitBackward0": _split,
    "SplitWithSizesBackward0": _split_unevenly,
    "SelectBackward0": _selected,
    "SliceBackward0": _sliced,
    "ToCopyBackward0": _same,
    "CloneBackward0": _same,
}
_SWAPS = {"TBackward0", "TransposeBackward0", "PermuteBackward0"}
_PLAIN = {"ToCopyBackward0", "CloneBackward0"}

Path = tuple[tuple[Node, int], ...]  # from the leaf on; which output of each node


def structural(node: Node) -> bool:
    """Decide whether a node only rearranges entries, in a way known here."""
    return type(node).__name__ in _ADJOINTS


def kinds(path: Path) -> tuple[str, ...]:
    """Return the names of the nodes on a path, with the outputs that are used."""
    return tuple(f"{type(node).__name__}:{slot}" for node, slot in path)


def swapped(path: Path, shape: tuple[int, ...]) -> bool | None:
    """Decide whether a path transposes a matrix; None where it does anything else."""
    if len(shape) != 2:
        return None
    turns = 0
    for node, _ in path:
        name = type(node).__name__
        if name not in _SWAPS | _PLAIN:
            return None
        turns += _turns(node, name)
    return turns % 2 == 1


def _turns(node: Node, name: str) -> int:
    """Return 1 where a node swaps the two axes of a matrix."""
    if name == "TransposeBackward0":
        dims = {_signed(node._saved_dim0) % 2, _signed(node._saved_dim1) % 2}
        return len(dims) - 1
    if name == "PermuteBackward0":
        return int(_signed(node._saved_dims[0]) % 2 == 1)
    return int(name == "TBackward0")


def adjoint(path: Path, G: Tensor) -> Tensor:
    """Carry gradients of what the operation saw back to the parameter.

    Args:
        path: from the parameter to the operation.
        G: gradients, shape (n, *shape of what the operation saw).

    Returns:
        Shape (n, *shape of the parameter).
    """
    for node, slot in reversed(path):
        G = _ADJOINTS[type(node).__name__](node, G, slot)
    return G
