"""Per-sample gradients of one parameter, held as the factors they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from numeric._noise._kernels import fits, row_sums, square_sum


_SHORT = 1 << 12  # numbers that are converted faster than their norms are taken
_THIN = 32  # entries of a row below which its norm costs more than its entries


def lengths(rows: Tensor) -> Tensor:
    """Return the size of every row, float64: one fast pass in the rows' precision."""
    sizes: Tensor = torch.linalg.vector_norm(rows, dim=-1)
    return sizes.double()


def squares(rows: Tensor) -> Tensor:
    """Return the squared size of every row, float64."""
    return lengths(rows).square_()


def total_square(entries: Tensor) -> float:
    """Return the sum of the squares of all entries, taken in float64 over the rows."""
    found = square_sum(entries)
    if found is not None:
        return found
    if entries.numel() <= _SHORT:
        sizes = entries.double().flatten()
    else:
        thin = entries.ndim > 2 and entries.shape[-1] < _THIN
        sizes = lengths(entries.flatten(1) if thin else entries).flatten()
    return float(torch.dot(sizes, sizes))


class Source(Protocol):
    """The per-sample gradients g_x of one parameter, x = 0 … N − 1."""

    @property
    def count(self) -> int:
        """How many samples."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the parameter."""
        ...

    def samples(self, low: int, high: int) -> Tensor:
        """Return g_x for low ≤ x < high, shape (n, *shape); not to be altered."""
        ...


class Vectors:
    """g_x = p_x: a vector for every sample, centred once for all who need it."""

    def __init__(self, values: Tensor):
        """Hold p, shape (N, d)."""
        self.values = values

    @property
    def count(self) -> int:
        """How many samples."""
        return self.values.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the parameter, (d,)."""
        return (self.values.shape[1],)

    @property
    def dtype(self) -> torch.dtype:
        """Of the numbers."""
        return self.values.dtype

    def samples(self, low: int, high: int) -> Tensor:
        """Return p_x, shape (n, d)."""
        return self.values[low:high]

    @cached_property
    def mean(self) -> Tensor:
        """The mean p̄, shape (d,)."""
        return self.values.mean(0)

    @cached_property
    def centred(self) -> Tensor:
        """The vectors β = p − p̄, shape (N, d)."""
        return self.values - self.mean

    @cached_property
    def sizes(self) -> Tensor:
        """The sizes |β_x|², float64, shape (N,)."""
        return squares(self.centred)

    @cached_property
    def lengths(self) -> Tensor:
        """The sizes |p_x|, not squared, float64, shape (N,)."""
        return lengths(self.values)

    @property
    def squares(self) -> tuple[float, float]:
        """The sum of |p_x|², and |p̄|²."""
        if "lengths" not in self.__dict__ and fits(self.values):
            terms, term = row_sums(self.values.unsqueeze(1))
            return terms, term / self.count**2
        return float(torch.dot(self.lengths, self.lengths)), self.constant

    @cached_property
    def along(self) -> Tensor:
        """The products β_x·p̄, float64, shape (N,)."""
        return torch.mv(self.centred, self.mean).double()

    @cached_property
    def constant(self) -> float:
        """The size |p̄|²."""
        return total_square(self.mean)


class Summed(Vectors):
    """g_x = Σ_t p_xt: vectors that are added up only where they are needed."""

    def __init__(self, rows: Tensor):
        """Hold p, shape (N, T, d)."""
        self.rows = rows

    @property
    def count(self) -> int:
        """How many samples."""
        return self.rows.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the parameter, (d,)."""
        return (self.rows.shape[2],)

    @property
    def dtype(self) -> torch.dtype:
        """Of the numbers."""
        return self.rows.dtype

    @cached_property
    def values(self) -> Tensor:  # type: ignore[override] # read, never set
        """The vectors, shape (N, d)."""
        return self.rows.sum(1)

    @property
    def squares(self) -> tuple[float, float]:
        """As `Vectors.squares`."""
        if not fits(self.rows):
            return super().squares
        terms, term = row_sums(self.rows)
        return terms, term / self.count**2


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """g_x = Σ_t p_xt q_xtᵀ: a matrix that multiplies T rows of every sample.

    Attributes:
        p: factors on the first axis, (N, T, d1).
        q: factors on the second axis, (N, T, d2).
        left: p as vectors, where T = 1 and they are shared with a bias.
        right: q likewise.
    """

    p: Tensor
    q: Tensor
    left: Vectors | None = None
    right: Vectors | None = None

    @property
    def count(self) -> int:
        """How many samples."""
        return self.p.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the parameter, (d1, d2)."""
        return (self.p.shape[2], self.q.shape[2])

    def samples(self, low: int, high: int) -> Tensor:
        """Return g_x, shape (n, d1, d2)."""
        return self.p[low:high].transpose(1, 2) @ self.q[low:high]

    def minus(
        self, reference: Tensor | None, low: int, high: int, room: Tensor
    ) -> Tensor:
        """Return g_x less a matrix, shape (n, d1, d2), in one pass.

        Args:
            reference: the matrix; None for zero.
            low: first sample.
            high: behind the last.
            room: where the result may go, at least (n, d1, d2).

        Returns:
            Part of the room.
        """
        p, q = self.p[low:high].transpose(1, 2), self.q[low:high]
        out = room[: high - low]
        if reference is None:
            return torch.bmm(p, q, out=out)
        if high - low == 1:
            return torch.addmm(reference, p[0], q[0], beta=-1, out=out[0]).unsqueeze(0)
        return torch.baddbmm(reference, p, q, beta=-1, out=out)

    def total(self) -> Tensor:
        """Return the sum of the gradients, shape (d1, d2)."""
        p, q = self.p.flatten(0, 1), self.q.flatten(0, 1)
        return p.T @ q

    def left_gram(self, L: Tensor | None, low: int, high: int) -> Tensor:
        """Return p_sᵀLp_t, shape (n, T, T)."""
        p = self.p[low:high]
        return _times(p, L) @ p.transpose(1, 2)

    def right_gram(self, R: Tensor | None, low: int, high: int) -> Tensor:
        """Return q_tᵀRq_s at (s, t), shape (n, T, T)."""
        q = self.q[low:high]
        return _times(q, R).matmul(q.transpose(1, 2)).transpose(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """g_x = Σ_t e_{i(x,t)} q_xtᵀ: the rows of a table that every sample looks up.

    Attributes:
        index: rows looked up, (N, T).
        q: gradients of what was found, (N, T, d2), zero for padding.
        size: rows of the table.
    """

    index: Tensor
    q: Tensor
    size: int

    @property
    def count(self) -> int:
        """How many samples."""
        return self.q.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the table, (size, d2)."""
        return (self.size, self.q.shape[2])

    def samples(self, low: int, high: int) -> Tensor:
        """Return g_x, shape (n, size, d2)."""
        n, d = high - low, self.q.shape[2]
        place = torch.arange(n, device=self.q.device)[:, None] * self.size
        out = self.q.new_zeros(n * self.size, d)
        where = (self.index[low:high] + place).flatten()
        out.index_add_(0, where, self.q[low:high].reshape(-1, d))
        return out.view(n, self.size, d)

    def total(self) -> Tensor:
        """Return the sum of the gradients, shape (size, d2)."""
        out = self.q.new_zeros(self.size, self.q.shape[2])
        out.index_add_(0, self.index.flatten(), self.q.reshape(-1, self.q.shape[2]))
        return out

    def left_gram(self, L: Tensor | None, low: int, high: int) -> Tensor:
        """Return L at (i_s, i_t), shape (n, T, T)."""
        i = self.index[low:high]
        rows, columns = i[:, :, None], i[:, None, :]
        if L is not None and L.ndim == 2:
            return L[rows, columns]
        same = (rows == columns).to(self.q.dtype)
        return same if L is None else same * L[rows]

    def right_gram(self, R: Tensor | None, low: int, high: int) -> Tensor:
        """Return q_tᵀRq_s at (s, t), shape (n, T, T)."""
        q = self.q[low:high]
        return _times(q, R).matmul(q.transpose(1, 2)).transpose(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Direct:
    """Per-sample gradients made on demand.

    Attributes:
        count: how many samples.
        shape: of the parameter.
        make: (low, high) → g_x, shape (n, *shape).
        work: numbers that making one of them takes, besides itself.
    """

    count: int
    shape: tuple[int, ...]
    make: Callable[[int, int], Tensor]
    work: int = 0

    def samples(self, low: int, high: int) -> Tensor:
        """Return g_x, shape (n, *shape)."""
        return self.make(low, high)


def at_a_time(source: Source, numbers: int) -> int:
    """Return for how many samples gradients fit into some numbers, at least one."""
    work = source.work if isinstance(source, Direct) else 0
    return max(1, numbers // max(1, work, math.prod(source.shape)))


def joined(sources: list[Source]) -> Source:
    """Return the sum of the gradients of all uses of one parameter."""
    if len(sources) == 1:
        return sources[0]

    def total(low: int, high: int) -> Tensor:
        return torch.stack([s.samples(low, high) for s in sources]).sum(0)

    work = max(s.work if isinstance(s, Direct) else 0 for s in sources)
    return Direct(sources[0].count, sources[0].shape, total, work)


def _times(rows: Tensor, M: Tensor | None) -> Tensor:
    """Return rows @ M; a vector is a diagonal."""
    if M is None:
        return rows
    return rows * M if M.ndim == 1 else rows @ M
