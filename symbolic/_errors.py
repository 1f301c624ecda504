"""The errors of `symbolic`: each says what was expected, what came, how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from symbolic._verdict import Witness


class DeclarationError(ValueError):
    """A declaration that does not describe what it should."""


class NoCharge(ValueError):  # noqa: N818 - a finding about J, and public so named
    """J is not a gradient field, so no C with ∇C = J exists.

    Attributes:
        witness: a point where ∂J_i/∂θ_j and ∂J_j/∂θ_i differ; None where the
            existence of a charge could be neither proved nor refuted.
        entry: names (θ_i, θ_j) of the curl entry.
    """

    def __init__(
        self, message: str, entry: tuple[str, str], witness: Witness | None
    ) -> None:
        super().__init__(message)
        self.entry = entry
        self.witness = witness
