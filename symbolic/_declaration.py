"""What a user declares: `Declaration`."""

from __future__ import annotations

from dataclasses import dataclass

from symbolic._errors import DeclarationError
from symbolic._loss import Loss
from symbolic._space import ParameterSpace
from symbolic._symmetry import Symmetry


@dataclass(frozen=True, slots=True)
class Declaration:
    """A named symmetry on a parameter space, with or without a loss.

    Attributes:
        name: a title, any text.
        space: the parameters.
        symmetry: the symmetry.
        loss: the per-sample loss, or None.
    """

    name: str
    space: ParameterSpace
    symmetry: Symmetry
    loss: Loss | None = None

    def __post_init__(self) -> None:
        kinds: dict[str, tuple[type, ...]] = {
            "name": (str,),
            "space": (ParameterSpace,),
            "symmetry": (Symmetry,),
            "loss": (Loss, type(None)),
        }
        for field, types in kinds.items():
            given = getattr(self, field)
            if not isinstance(given, types):
                raise DeclarationError(
                    f"expected a {types[0].__name__} as the {field} of a Declaration, "
                    f"got {given!r:.60} (type {type(given).__name__})"
                )
        if self.symmetry.space != self.space or (
            self.loss is not None and self.loss.space != self.space
        ):
            raise DeclarationError(
                f"expected symmetry and loss of {self.name!r} on the same parameter "
                f"space ({', '.join(self.space.names)})"
            )
