"""Alter one place of a function's source, for every importer at once, and undo it."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

import pytest


def alter(patch: pytest.MonkeyPatch, function: Any, old: str, new: str) -> None:
    """Give a function the code of its source with `old` replaced by `new`.

    Only the code object is exchanged: whoever imported the function sees the fault.

    Args:
        patch: undoes it after the test.
        function: a function, method, property or cached function without closure.
        old: text that occurs once in its source.
        new: what it becomes.

    Raises:
        ValueError: where `old` does not occur exactly once.
    """
    found: Any = getattr(function, "fget", function)
    plain = inspect.unwrap(found)
    source = textwrap.dedent(inspect.getsource(plain))
    if source.count(old) != 1:
        raise ValueError(
            f"expected {old!r} once in {plain.__qualname__}, got {source.count(old)}"
        )
    lines = source.replace(old, new).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("def "))
    namespace: dict[str, Any] = dict(plain.__globals__)
    exec("\n".join(lines[start:]), namespace)
    patch.setattr(plain, "__code__", namespace[plain.__name__].__code__)
