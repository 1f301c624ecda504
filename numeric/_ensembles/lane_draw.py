"""The random numbers of a step, drawn into a kernel's memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numeric._lanes.builder import Kernel
from numeric._lanes.matrices import Index, added, repeat, scaled, shifted
from numeric._lanes.random import block, distinct_indices, indices, normals
from numeric._streams import INDICES, NORMALS, SECOND, words_per_step


PER_BLOCK = 4  # random words, and normals
WRITTEN_OUT = 16  # samples of a minibatch

_Words = Sequence[Any]


class Draw:
    """Draws what each step needs at random, into the kernel's memory.

    A block of four words serves several steps where these take fewer.

    Attributes:
        ahead: how many steps a block serves.
    """

    def __init__(
        self, kernel: Kernel, count: int, purposes: Sequence[int], kind: Any
    ) -> None:
        self._kernel, self._count, self._purposes = kernel, count, purposes
        self.ahead = max(1, PER_BLOCK // words_per_step(count))
        size = PER_BLOCK * len(purposes)
        self._kind, self._now = kind, kernel.local(size, kind)
        self._next = kernel.local(size, kind)
        self._words_after = kernel.local(size, kernel.words)

    def draw(self, ids: Any, step: Any) -> None:
        """Draw for one step; the block is drawn anew at the first of those it serves.

        Also where the kernel begins.
        """
        raise NotImplementedError

    def begin(self, ids: Any, block: Any) -> None:
        """Prepare for `draw_ahead`, whose first block is given."""
        for place, words in enumerate(self._blocks(ids, block)):
            self._write(self._next, place, self._made(words))
        for place, words in enumerate(
            self._blocks(ids, shifted(self._kernel, block, 1))
        ):
            self._write(self._words_after, place, words)

    def draw_ahead(self, ids: Any, block: Any) -> None:
        """Draw for all the steps that a block serves; `turn` chooses among them.

        Theirs is at hand. What is done now is for the next block, and the words are
        those of the one after: three things that do not wait for each other.
        """
        after = self._blocks(ids, shifted(self._kernel, block, 2))
        for place, words in enumerate(after):
            old = self._read(self._words_after, place, self._kernel.words)
            now = self._read(self._next, place, self._kind)
            self._write(self._words_after, place, words)
            self._write(self._next, place, self._made(old))
            self._write(self._now, place, now)

    def turn(self, place: int) -> None:
        """Turn to step `place` of those drawn ahead."""
        raise NotImplementedError

    def _made(self, words: _Words) -> Sequence[Any]:
        """Return what the steps that a block serves take, four vectors."""
        raise NotImplementedError

    def _blocks(self, ids: Any, number: Any) -> list[_Words]:
        keys = [self._kernel.arguments[name] for name in ("key0", "key1")]
        return [
            block(self._kernel, number, ids, purpose, *keys)
            for purpose in self._purposes
        ]

    def _write(self, where: Any, place: int, vectors: Sequence[Any]) -> None:
        for n, vector in enumerate(vectors):
            self._kernel.store(where, place * PER_BLOCK + n, vector)

    def _read(self, where: Any, place: int, kind: Any) -> list[Any]:
        return [
            self._kernel.load(where, place * PER_BLOCK + n, kind)
            for n in range(PER_BLOCK)
        ]


class Minibatch(Draw):
    """Draws the samples of a step.

    Args:
        kernel: the kernel.
        size: S.
        batches: 1, or 2 for SVAG.
        replace: whether a minibatch may hold a sample twice.
    """

    def __init__(self, kernel: Kernel, size: int, batches: int, replace: bool) -> None:
        super().__init__(kernel, size, (INDICES, SECOND)[:batches], kernel.words)
        self._size, self._replace = size, replace
        self._slots = _room(size)
        self._words = kernel.local(batches * self._slots, kernel.words)
        self._chosen = kernel.local(batches * size, kernel.words)
        self._samples = kernel.arguments["count"]

    def draw(self, ids: Any, step: Any) -> None:
        """Write the numbers of a step's samples to memory."""
        for batch, purpose in enumerate(self._purposes):
            what = (ids, step, self._size, purpose)
            first = _drawn(self._kernel, what, batch * self._slots, self._keep)
            self._choose(batch, first)

    def turn(self, place: int) -> None:
        """Write the numbers of the samples of one of the steps drawn ahead."""
        for batch in range(len(self._purposes)):
            chosen = self._read(self._now, batch, self._kind)
            for s, index in enumerate(chosen[place * self._size :][: self._size]):
                self._kernel.store(self._chosen, batch * self._size + s, index)

    def _made(self, words: _Words) -> Sequence[Any]:
        """Return the numbers of samples, step by step."""
        steps = [
            words[first:][: self._size] for first in range(0, PER_BLOCK, self._size)
        ]
        return [index for some in steps for index in self._indices(some)]

    def _indices(self, words: _Words) -> Sequence[Any]:
        if self._replace:
            return [indices(self._kernel, word, self._samples) for word in words]
        return distinct_indices(self._kernel, words, self._samples)

    def _keep(self, place: Index, words: _Words) -> None:
        for w, word in enumerate(words):
            self._kernel.store(self._words, shifted(self._kernel, place, w), word)

    def _choose(self, batch: int, first: Index) -> None:
        kernel, size = self._kernel, self._size

        def word(s: Index) -> Any:
            return kernel.load(self._words, added(kernel, first, s), kernel.words)

        def keep(s: Index, index: Any) -> None:
            kernel.store(self._chosen, shifted(kernel, s, batch * size), index)

        if not self._replace:
            for s, index in enumerate(self._indices([word(s) for s in range(size)])):
                keep(s, index)
            return
        repeat(
            kernel,
            size,
            lambda s: keep(s, *self._indices([word(s)])),
            unrolled=size <= WRITTEN_OUT,
        )

    def rows(self, s: Index) -> Any:
        """Return the number of the sample in slot s, for each lane."""
        return self._kernel.load(self._chosen, s, self._kernel.words)


class Noise(Draw):
    """Draws the normals of a step.

    Args:
        kernel: the kernel.
        count: how many, at most.
    """

    def __init__(self, kernel: Kernel, count: int) -> None:
        super().__init__(kernel, count, (NORMALS,), kernel.vector)
        self._many = kernel.local(_room(count))
        self._values, self._first = self._many, 0

    def draw(self, ids: Any, step: Any) -> None:
        """Write a step's normals to memory."""
        what = (ids, step, self._count, NORMALS)
        self._values = self._many
        self._first = _drawn(self._kernel, what, 0, self._keep)

    def turn(self, place: int) -> None:
        """Turn to the normals of one of the steps drawn ahead."""
        self._values, self._first = self._now, place * self._count

    def _made(self, words: _Words) -> Sequence[Any]:
        """Return four normals."""
        pairs = (normals(self._kernel, *words[i : i + 2]) for i in (0, 2))
        return [z for pair in pairs for z in pair]

    def _keep(self, place: Index, words: _Words) -> None:
        for n, value in enumerate(self._made(words)):
            self._kernel.store(self._many, shifted(self._kernel, place, n), value)

    def value(self, j: Index) -> Any:
        """Return normal j of the step, for each lane."""
        place = added(self._kernel, self._first, j)
        return self._kernel.load(self._values, place)


def _room(count: int) -> int:
    return max(PER_BLOCK, words_per_step(count))


def _one_block(
    kernel: Kernel,
    what: tuple[Any, Any, int],
    place: Index,
    keep: Callable[[Index, _Words], None],
) -> None:
    """Draw one block: of what replicas, its number and the purpose."""
    ids, number, purpose = what
    keys = (kernel.arguments[name] for name in ("key0", "key1"))
    keep(place, block(kernel, number, ids, purpose, *keys))


def _drawn(
    kernel: Kernel,
    what: tuple[Any, Any, int, int],
    start: int,
    keep: Callable[[Index, _Words], None],
) -> Any:
    """Draw the blocks of random words that a step needs.

    A block of four serves several steps where these take fewer: it is drawn at the
    first of them, or where the kernel begins.

    Args:
        kernel: the kernel.
        what: numbers of the replicas, the step, words for each step and the purpose.
        start: where the first is kept.
        keep: takes the place and the four words of a block.

    Returns:
        The place of the step's first.
    """
    ids, step, count, purpose = what
    each, build = words_per_step(count), kernel.ir

    def write(number: Any, place: Index) -> None:
        _one_block(kernel, (ids, number, purpose), place, keep)

    if each >= PER_BLOCK:
        blocks = each // PER_BLOCK
        first = scaled(kernel, step, blocks)

        def one(b: Index) -> None:
            place = shifted(kernel, scaled(kernel, b, PER_BLOCK), start)
            write(added(kernel, first, b), place)

        repeat(kernel, blocks, one, unrolled=False)
        return kernel.index(start)
    steps = PER_BLOCK // each
    within = build.and_(step, kernel.index(steps - 1))
    fresh = build.icmp_signed("==", within, kernel.index(0))
    begins = build.icmp_signed("==", step, kernel.arguments["first"])
    with build.if_then(build.or_(fresh, begins)):
        write(build.lshr(step, kernel.index(steps.bit_length() - 1)), start)
    return shifted(kernel, scaled(kernel, within, each), start)
