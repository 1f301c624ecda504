"""Numbers and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def time(seconds: float) -> str:
    """Return a time with its unit."""
    if seconds < 1e-6:
        return f"{1e9 * seconds:.3g} ns"
    if seconds < 1e-4:
        return f"{1e6 * seconds:.1f} µs"
    return f"{1e3 * seconds:.2f} ms"


def number(x: float) -> str:
    """Return a ratio to two or more digits."""
    if x < 10:
        return f"{x:.2g}" if x < 1 else f"{x:.1f}"
    return f"{x:,.0f}"


def close(x: float) -> str:
    """Return a ratio near 1 to two decimals."""
    return f"{x:.2f}" if x < 10 else number(x)


def size(count: float) -> str:
    """Return bytes in megabytes."""
    return f"{count / 2**20:,.0f}" if count >= 10 * 2**20 else f"{count / 2**20:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
