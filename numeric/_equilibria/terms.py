"""The terms of some equilibria, in memory between the steps of the kernel."""

from __future__ import annotations

from typing import Any

from numeric._lanes.builder import Kernel
from numeric._lanes.compiler import wide_registers


WIDE, NARROW = "wide", "narrow"  # arguments of the kernel: float64 and float32


class Terms:
    """Reads and writes (m, u, d) of eigenvector i, or their form in float32.

    Attributes:
        k: the kernel.
        n: how many there are.
    """

    def __init__(self, k: Kernel) -> None:
        self.k, self.n = k, k.arguments["n"]

    def put(self, where: str, i: Any, place: int, value: Any) -> None:
        """Write one of three vectors."""
        self.k.store_at(self.k.arguments[where], self._place(i, place), value)

    def got(self, where: str, i: Any) -> list[Any]:
        """Return the three vectors."""
        k = self.k
        return [k.load_at(k.arguments[where], self._place(i, p)) for p in range(3)]

    def _place(self, i: Any, place: int) -> Any:
        k = self.k
        number = k.ir.add(k.ir.mul(i, k.index(3)), k.index(place))
        return k.ir.mul(number, k.index(k.width))


def at_once() -> int:
    """Return how many equilibria a kernel treats at a time.

    Two registers of float64 hide each other's waiting, if there are 32 of 64 bytes.
    """
    return 16 if wide_registers() else 8


def swapped(k: Kernel, back: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return y, x where the flag is set, else x, y."""
    return k.select(back, y, x), k.select(back, x, y)
