"""How fast u² − w² and the loss relax in (uwx − y)², at several batch sizes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from numeric import simulate
from verify._context import Context
from verify._figures._engine import declared, design, experiment, runs_of
from verify._figures._planes import HYPERBOLAS


Array = NDArray[np.float64]
SAMPLES = 64
LR, STEPS, SHORT = 0.001, 2000, 100
_START = (1.5, 0.2)


def rates_by_engine(batch: int, context: Context) -> tuple[Array, Array]:
    """Return the rates of u² − w² and of the excess loss, (runs,) each.

    Args:
        batch: S.
        context: profile and streams.

    Returns:
        −ln|D_T/D₀|/T over the whole run; −ln(L − L*)(t)/(L − L*)(0)/t at its
        beginning, both in time ηt.
    """
    return _by_engine(batch, experiment(context, "rates by the engine"))


@lru_cache(maxsize=8)
def _by_engine(batch: int, context: Context) -> tuple[Array, Array]:
    columns = design(context.rng("data"), SAMPLES, 2)
    x, y = columns[:, 0], columns[:, 0] + columns[:, 1]
    start = np.tile(_START, (4 * runs_of(context), 1))
    found = simulate(
        declared(HYPERBOLAS),
        {"x": x, "y": y},
        start,
        lr=LR,
        batch_size=batch,
        steps=STEPS,
        seed=context.key("minibatches", batch),
        record={"D": "u**2 - w**2", "v": "u*w"},
        samples=STEPS // SHORT,
    )
    D, v = found.records["D"], found.records["v"]
    # E x² = E xy = 1 exactly: L − L* = (uw − 1)².
    fall = np.log(np.abs(v[:, 1] - 1.0) / np.abs(v[:, 0] - 1.0))
    slow = -np.log(np.abs(D[:, -1] / D[:, 0])) / (LR * STEPS)
    return slow, -2.0 * fall / (LR * SHORT)


def rates_by_loop(batch: int, context: Context) -> tuple[Array, Array]:
    """Return the same by a plain loop with fresh Gaussian samples at every step."""
    return _by_loop(batch, experiment(context, "rates by the loop"))


@lru_cache(maxsize=8)
def _by_loop(batch: int, context: Context) -> tuple[Array, Array]:
    rng, runs = context.rng(batch), 4 * runs_of(context)
    u, w = (np.full(runs, value) for value in _START)
    excess = [(u * w - 1.0) ** 2]
    for _ in range(STEPS):
        x, noise = rng.standard_normal((2, runs, batch))
        q = (2.0 * x * ((u * w - 1.0)[:, None] * x - noise)).mean(axis=1)
        u, w = u - LR * q * w, w - LR * q * u
        excess.append((u * w - 1.0) ** 2)
    first = _START[0] ** 2 - _START[1] ** 2
    slow = np.log(first / np.abs(u**2 - w**2)) / (LR * STEPS)
    return slow, np.log(excess[0] / excess[SHORT]) / (LR * SHORT)
