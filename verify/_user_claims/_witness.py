"""Instances in words, and a second look at a counterexample."""

from __future__ import annotations

from verify._instances import Instance


def described(instance: Instance) -> dict[str, str]:
    """Return names → values of an instance, with a loss or without.

    Args:
        instance: what to describe.
    """
    if instance.declaration.loss is not None:
        return instance.describe()
    symbols = instance.declaration.space.symbols
    values = {str(s): str(v) for s, v in zip(symbols, instance.theta, strict=True)}
    J = ", ".join(map(str, instance.declaration.symmetry.generator))
    numbers = {
        "eta": str(instance.eta),
        "gamma": str(instance.gamma),
        "S": str(instance.batch_size),
    }
    return values | {"J": f"({J})"} | numbers
