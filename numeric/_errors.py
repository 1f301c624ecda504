"""The errors of `numeric`: each says what was expected, what came, how to mend it."""

from __future__ import annotations


class CompilationError(ValueError):
    """An expression, or a derivation, that has no numeric counterpart."""


class ShapeError(ValueError):
    """An array whose shape does not fit the declaration."""
