"""The adapter to `numeric.noise_trace`: all that the benchmarks know of it."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks._models import Case
from numeric import Action, Generator, noise_trace


def trace(case: Case, batch_size: int | None = None) -> Callable[[], float]:
    """Return a call that gives Tr[ΣA] of one pass over all samples.

    Args:
        case: model, data and signs.
        batch_size: of the batches that are streamed; None for all at once.

    Returns:
        The call.
    """
    model, loss, data = case.model(), case.loss(), case.data()
    actions = {name: Action(scale=scale) for name, scale in case.scales(model).items()}
    generators = [Generator(actions)]

    def call() -> float:
        found = noise_trace(model, loss, data, generators, batch_size=batch_size)
        return float(found[0].trace)

    return call
