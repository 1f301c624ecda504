"""Batches of (inputs, targets), from a tuple of tensors or any iterable of pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor


Pair = tuple[Tensor, Tensor]
Data = tuple[Tensor, Tensor] | Iterable[Pair]


def batches(
    data: Data, batch_size: int | None
) -> Iterator[tuple[Tensor, Tensor, bool]]:
    """Yield inputs, targets, and whether this is the only batch.

    Args:
        data: a tuple (inputs, targets) of tensors, or an iterable of such pairs, which
            is read once.
        batch_size: the largest batch; larger ones are split.

    Yields:
        One batch after the other, none of them empty.

    Raises:
        ValueError: for a batch size below one, or data without a sample.
    """
    _check_size(batch_size)
    held: Pair | None = None
    first = True
    for pair in _split(data, batch_size):
        if held is not None:
            yield (*held, False)
            first = False
        held = pair
    if held is None:
        raise ValueError("data: expected at least one sample, got none")
    yield (*held, first)


def _check_size(size: object) -> None:
    if size is None:
        return
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(
            f"batch_size: expected an integer of at least 1, or None, got {size!r}"
        )


def _split(data: Data, batch_size: int | None) -> Iterator[Pair]:
    for x, y in _pairs(data):
        N = len(x)
        step = N if batch_size is None else batch_size
        for low in range(0, N, max(step, 1)):
            whole = low == 0 and step >= N
            yield (x, y) if whole else (x[low : low + step], y[low : low + step])


def _pairs(data: Data) -> Iterator[Pair]:
    if isinstance(data, tuple) and data and isinstance(data[0], Tensor):
        yield _pair(data)
        return
    if isinstance(data, Tensor) or not isinstance(data, Iterable):
        raise TypeError(
            f"data: expected a tuple (inputs, targets) of tensors or an iterable of "
            f"such pairs, got {type(data).__name__}"
        )
    for item in data:
        yield _pair(item)


def _pair(item: Any) -> Pair:
    good = isinstance(item, (tuple, list)) and len(item) == 2
    if not good or not all(isinstance(t, Tensor) for t in item):
        shown = [type(t).__name__ for t in item] if good else type(item).__name__
        raise TypeError(
            f"data: expected pairs (inputs, targets) of tensors, got {shown}"
        )
    x, y = item
    if min(x.ndim, y.ndim) < 1 or len(x) != len(y):
        raise ValueError(
            f"data: expected inputs and targets with the same number of samples on "
            f"axis 0, got shapes {tuple(x.shape)} and {tuple(y.shape)}"
        )
    return x, y
