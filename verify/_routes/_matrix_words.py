"""Words of matrices: what the matrix routes share."""

from __future__ import annotations

from collections.abc import Iterable

from symbolic import DeclarationError, MatrixPolynomial, Verdict
from verify._evidence import Evidence
from verify._routes._words import ROUTE, Example, Row, words_evidence


def words(
    rows: Iterable[Row],
    what: str,
    sizes: str,
    steps: tuple[str, ...] = (),
    *,
    example: Example | None = None,
    shown: dict[str, MatrixPolynomial] | None = None,
    constrained: bool = False,
) -> Evidence:
    """Compare normal forms; a failure is shown at the example if it fails there.

    Args:
        rows: (identity's name, left, right).
        what: what was compared.
        sizes: the sizes left free.
        steps: the argument.
        example: matrices that meet the statement's assumptions.
        shown: name → what to print for an identity.
        constrained: whether the letters are not free of each other, so that matrices
            drawn at random show nothing.

    Returns:
        PROVED, REFUTED with exact matrices, or INCONCLUSIVE.
    """
    listed = list(rows)
    failed = next((row for row in listed if row[1] != row[2]), None)
    if failed is not None and not _fails_at(example, failed):
        if constrained:
            reason = f"{what}, {failed[0]}: no example decides it."
            return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
        example = None
    return words_evidence(listed, what, sizes, steps, example, shown)


def _fails_at(example: Example | None, row: Row) -> bool:
    if example is None:
        return False
    try:
        return bool(example.value(row[1]) != example.value(row[2]))
    except DeclarationError:  # it has no value for some letter
        return False
