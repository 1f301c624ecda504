"""Where the samples of a batch lie in an intermediate tensor, found by comparison.

A tensor of the forward or backward pass of N samples is compared with the same tensor
of a pass over n copies of sample j. The axis whose length is as N to n is the batch
axis; its entries are split as (before, N, after), and the slice of sample j must be
that of every copy. So rows in the order of samples, rows in the order of positions (as
inside `nn.MultiheadAttention`), and sums over the batch are told apart by their values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


_norm = torch.linalg.vector_norm
_THIN = 8  # features that tell two orders apart


@dataclass(frozen=True, slots=True)
class Layout:
    """The batch axis of a tensor, of length before·N·after.

    Attributes:
        axis: which axis.
        before: entries of the axis outside the samples; −1 where it takes up what N
            and `after` leave (lengths differ between batches).
        after: entries inside; −1 likewise.
    """

    axis: int
    before: int
    after: int

    def front(self, tensor: Tensor, N: int) -> Tensor:
        """Return the tensor with the samples first, (N, K, *rest), K = before·after.

        Args:
            tensor: a tensor of this layout.
            N: samples in the batch.

        Returns:
            A view where the memory allows it.

        Raises:
            LookupError: where the entries do not divide among the samples.
        """
        known = max(self.before, 1) * max(self.after, 1)
        K, rest = divmod(tensor.shape[self.axis], N * known)
        if rest or not K:
            raise LookupError("rows that do not divide among the samples")
        if self.axis == 0 and self.before == 1:
            return tensor.reshape(N, K * known, *tensor.shape[1:])
        split = split_axis(tensor, self.axis, (self.before, N, self.after))
        split = split.movedim((self.axis + 1, self.axis, self.axis + 2), (0, 1, 2))
        if split.shape[1] == 1 or split.shape[2] == 1:
            return split.squeeze(1) if split.shape[1] == 1 else split.squeeze(2)
        return split.flatten(1, 2)


def split_axis(tensor: Tensor, axis: int, sizes: tuple[int, ...]) -> Tensor:
    """Return the tensor with one axis split into several; −1 takes what is left."""
    shape = tensor.shape
    return tensor.view(*shape[:axis], *sizes, *shape[axis + 1 :])


def tolerance(dtype: torch.dtype) -> float:
    """Return ε^¼: far above rounding (kinks included), far below wrong semantics."""
    return float(torch.finfo(dtype).eps ** 0.25) if dtype.is_floating_point else 0.0


@dataclass(slots=True, eq=False)
class Pairs:
    """Slices of one sample from a batch and from copies of it, to be compared.

    Attributes:
        mine: from the batch.
        copies: from the copies.
        owners: whose gradients depend on each pair.
        within: how far each pair may differ.
    """

    mine: list[Tensor] = field(default_factory=list)
    copies: list[Tensor] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    within: list[float] = field(default_factory=list)

    def add(self, mine: Tensor, copy: Tensor, owner: str) -> None:
        """Note a pair; the slice is copied, so that the batch is not kept."""
        if mine.is_floating_point():
            wide = torch.promote_types(mine.dtype, torch.float32)
            self.mine.append(mine.to(wide, copy=True))
            self.copies.append(copy.to(wide))
        else:
            self.mine.append((mine != copy).sum().to(torch.float64))
            self.copies.append(self.mine[-1].new_zeros(()))
        self.owners.append(owner)
        self.within.append(tolerance(copy.dtype))

    def differing(self) -> list[str]:
        """Return the owners of pairs that do not agree, all compared at once."""
        if not self.mine:
            return []
        gaps = torch._foreach_norm(torch._foreach_sub(self.mine, self.copies))
        scales = torch._foreach_norm(self.copies)
        sizes = [float(size) for size in (*gaps, *scales)]
        far = [
            owner
            for owner, within, gap, scale in zip(
                self.owners,
                self.within,
                sizes[: len(gaps)],
                sizes[len(gaps) :],
                strict=True,
            )
            if _far(gap, scale, within)
        ]
        return list(dict.fromkeys(far))


def _far(gap: float, scale: float, within: float) -> bool:
    """Decide whether two tensors disagree; what is not finite cannot be compared."""
    if not math.isfinite(gap):
        return math.isfinite(scale)
    return not gap <= within * scale


def find(
    batch: Sequence[Tensor],
    copies: Sequence[Tensor],
    sizes: tuple[int, int],
    j: int,
    pairs: Pairs,
    owner: str,
) -> Layout | None:
    """Return the layout that tensors of one node share, or None where there is none.

    Which of the possible orders it is shows in a few features; that the rest agrees is
    left to `pairs`.

    Args:
        batch: tensors of a pass over N samples, with the batch axis at one place.
        copies: the same tensors of a pass over n ≠ N copies of sample j.
        sizes: N and n.
        j: which sample was copied.
        pairs: takes the slices of sample j.
        owner: the parameter that depends on them.

    Returns:
        None also where several layouts fit and differ.
    """
    found = _axis(batch, copies, sizes)
    if found is None:
        return None
    axis, K = found
    both = list(zip(batch, copies, strict=True))
    fits = [Layout(axis, 1, K)] if K == 1 else _orders(both, axis, K, sizes, j)
    if len(fits) != 1:
        return None
    for t, u in both:
        mine = _slice(t, fits[0], sizes[0], j, thin=False)
        pairs.add(mine, _slice(u, fits[0], sizes[1], 0, thin=False), owner)
    before, after = fits[0].before, fits[0].after
    if before == 1:
        return Layout(axis, 1, -1)
    return Layout(axis, -1, 1) if after == 1 else fits[0]


def _orders(
    both: Sequence[tuple[Tensor, Tensor]],
    axis: int,
    K: int,
    sizes: tuple[int, int],
    j: int,
) -> list[Layout]:
    """Return the layouts that a sample's slices allow: usual orders first."""
    usual = [Layout(axis, 1, K), Layout(axis, K, 1)]
    fits = _narrowed(usual, both, sizes, j)
    if fits:
        return fits
    unusual = [Layout(axis, b, K // b) for b in range(2, K) if K % b == 0]
    return _narrowed(unusual, both, sizes, j)


def _narrowed(
    fits: list[Layout],
    both: Sequence[tuple[Tensor, Tensor]],
    sizes: tuple[int, int],
    j: int,
) -> list[Layout]:
    """Return the layouts that agree with one tensor after the other, until one is left.

    Operands go first: gradients may vanish where values do not.
    """
    tensors = both[::-1]
    for k, thin in enumerate((True,) * len(both) + (False,) * len(both)):
        if k and len(fits) < 2:
            break
        t, u = tensors[k % len(both)]
        fits = [f for f in fits if _agree(t, u, f, sizes, j, thin=thin)]
    return fits


def _slice(t: Tensor, layout: Layout, N: int, j: int, *, thin: bool) -> Tensor:
    """Return the entries of sample j, with its axis as (before, after); a view.

    Where it is thin, a few entries of every other axis.
    """
    axis, before, after = layout.axis, layout.before, layout.after
    shape = [min(n, _THIN) for n in t.shape] if thin else list(t.shape)
    stride = list(t.stride())
    one = after * stride[axis]
    shape[axis : axis + 1] = before, after
    stride[axis : axis + 1] = N * one, stride[axis]
    return t.as_strided(shape, stride, t.storage_offset() + j * one)


def _agree(
    t: Tensor,
    u: Tensor,
    layout: Layout,
    sizes: tuple[int, int],
    j: int,
    *,
    thin: bool,
) -> bool:
    mine = _slice(t, layout, sizes[0], j, thin=thin)
    return same(mine, _slice(u, layout, sizes[1], 0, thin=thin))


def _axis(
    batch: Sequence[Tensor], copies: Sequence[Tensor], sizes: tuple[int, int]
) -> tuple[int, int] | None:
    """Return the batch axis and how many entries of it a sample has."""
    N, n = sizes
    found: set[tuple[int, int]] = set()
    for t, u in zip(batch, copies, strict=True):
        if t.ndim != u.ndim:
            return None
        axes = [k for k in range(t.ndim) if t.shape[k] != u.shape[k]]
        if len(axes) != 1:
            return None
        K, rest = divmod(t.shape[axes[0]], N)
        if rest or u.shape[axes[0]] != n * K:
            return None
        found.add((axes[0], K))
    return found.pop() if len(found) == 1 else None


def same(t: Tensor, u: Tensor) -> bool:
    """Decide whether two tensors agree up to the rounding of different kernels."""
    if t.shape != u.shape:
        return False
    if not u.is_floating_point():
        return bool((t == u).all())
    gap, scale = float(_norm(t - u)), float(_norm(u))
    return not _far(gap, scale, tolerance(u.dtype))
