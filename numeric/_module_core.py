"""What the two kinds of core have in common: `Core`, names and literals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from numeric._errors import CompilationError


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_LONGEST = 100  # 32 letters, and the indices of a component
_WIDTH = 88


@dataclass(frozen=True, slots=True)
class Core:
    """The generated part of a module.

    Attributes:
        data: lines that define tables and arrays.
        functions: the texts of the functions.
        formulas: lines for the header.
        constants: whether the functions take constants.
        flat: whether the state is a flat array.
    """

    data: tuple[str, ...]
    functions: tuple[str, ...]
    formulas: tuple[str, ...]
    constants: bool
    flat: bool


def check_names(names: Iterable[str]) -> None:
    """Refuse a name that could be more than a name in the source.

    Args:
        names: of parameters, constants, sizes and symbols.

    Raises:
        CompilationError: for anything but a letter, then letters, digits and _.
    """
    for name in names:
        if type(name) is not str or not _NAME.match(name) or len(name) > _LONGEST:
            raise CompilationError(
                f"expected names of letters, digits and _, got {str(name)[:40]!r}; "
                f"rename it"
            )


def function(head: str, body: Sequence[str]) -> str:
    """Return the text of a function."""
    return "\n".join([f"def {head}:", *(f"    {line}" for line in body), ""])


def assigned(name: str, value: object, array: str = "") -> str:
    """Return an assignment of nested lists, wrapped; `array` is the call around it."""
    text = repr(value)
    line = f"{name} = {array}{text}{')' if array else ''}"
    if len(line) <= _WIDTH:
        return line
    return f"{name} = {array or '('}\n{_wrapped(text)}\n)"


def literal(name: str, value: object, backend: str) -> str:
    """Return the assignment of an array of floats."""
    if backend == "numpy":
        return assigned(name, value, "xp.asarray(")
    text = assigned(name, value, "xp.asarray(")
    return text[:-1].rstrip("\n") + ", dtype=xp.float64)"


def indices(name: str, value: object) -> str:
    """Return the assignment of an array of integers."""
    text = assigned(name, value, "xp.asarray(")
    return text[:-1].rstrip("\n") + ", dtype=xp.int64)"


def _wrapped(text: str) -> str:
    lines, line = [], "   "
    for word in text.split(" "):
        if len(line) + 1 + len(word) > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {word}"
    return "\n".join([*lines, line])
