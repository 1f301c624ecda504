"""Which quantities a declaration has, and which it lacks and why."""

from __future__ import annotations

from functools import lru_cache

from symbolic import Declaration, NoCharge
from verify._instances import derived_charge


OF_NOISE = {
    *("flow", "noise", "exact_step", "G", "lam_star", "potential"),
    *("trace_sigma", "trace_sigma_A", "trace_sigma_A2"),
}
OF_GRADIENTS = {"grad_norm2", "grad_J", "trace_M2", "signal"}
OF_LOSS = OF_NOISE | OF_GRADIENTS | {"loss", "hessian_trace"}
_OF_CHARGE = {"charge", "exact_step"}
_EXPONENTIAL = {"G", "lam_star"}


@lru_cache(maxsize=1024)
def missing(name: str, declaration: Declaration) -> str | None:
    """Return why a declaration lacks a quantity, or None where it has it.

    Args:
        name: one of `QUANTITIES`.
        declaration: in components.
    """
    if name in OF_LOSS and declaration.loss is None:
        return f"{name} is about the gradients of a loss; none is declared."
    if name in _OF_CHARGE:
        try:
            derived_charge(declaration)
        except NoCharge as no_charge:
            return f"{name} is about a charge: {no_charge}."
    if name not in _EXPONENTIAL or declaration.symmetry.kind == "exponential":
        return None
    return (
        f"{name} is for exponential symmetries, J = Aθ with A = Aᵀ; the one declared "
        f"is {declaration.symmetry.kind}."
    )
