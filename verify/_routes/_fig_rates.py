"""Time scales, measured: the rate of the charge is ∝ η/S, that of the loss is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify._context import Context
from verify._evidence import Evidence, Figure
from verify._figures._median import Row, cloud, judged
from verify._figures._rates import rates_by_engine, rates_by_loop
from verify._scope import OWN, only_about


Array = NDArray[np.float64]
_TINY = 1e-300  # a loss that rose has no rate: its exponent is far off
_BATCHES = (1, 4)


@dataclass(frozen=True, slots=True)
class Powers:
    """The rates of the charge and of the loss are ∝ (σ²)^charge and (σ²)^loss."""

    charge: float = 1.0
    loss: float = 0.0


@only_about(OWN)
def rates_ensemble(subject: Powers, context: Context) -> Evidence:
    """Measure both rates at S = 1 and 4 by the engine.

    Args:
        subject: the powers claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where medians of the exponents are within .2 of those claimed.
    """
    return _rates("engine", rates_by_engine, subject, context)


@only_about(OWN)
def rates_loop(subject: Powers, context: Context) -> Evidence:
    """Measure both rates at S = 1 and 4 by a plain loop with fresh samples.

    Args:
        subject: the powers claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where medians of the exponents are within .2 of those claimed.
    """
    return _rates("plain loop", rates_by_loop, subject, context)


def _rates(
    route: str,
    runner: Callable[[int, Context], tuple[Array, Array]],
    subject: Powers,
    context: Context,
) -> Evidence:
    found = {batch: runner(batch, context) for batch in _BATCHES}
    rows = []
    for k, (name, power) in enumerate((("D", subject.charge), ("L", subject.loss))):
        for batch in _BATCHES[1:]:
            # Runs of the two batch sizes are independent, and paired by their number.
            ratio = found[1][k] / found[batch][k]
            exponent = np.log(np.maximum(ratio, 0.0) + _TINY) / np.log(batch)
            label = f"exponent of the rate of {name}, S = 1 against {batch}"
            rows.append(Row(label, exponent, power - 0.2, power + 0.2))
    what = (
        "(uwx − y)², η = .004, from u = 1.5, w = .2: D = u² − w² over t = 2, L at .1."
    )
    return judged(route, rows, context, what, (_figure(found),))


def _figure(found: dict[int, tuple[Array, Array]]) -> Figure:
    series = []
    for group, name in enumerate(("charge u² − w²", "loss")):
        x = [1.0 / batch for batch in found]
        columns = [rates[group] for rates in found.values()]
        positive = [column[column > 0.0] for column in columns]  # axes are logarithmic
        series.append(cloud(name, x, positive, group))
    return Figure(
        "The rate of the charge is proportional to the noise, that of the loss is not",
        "1/S",
        "rate in time η × steps",
        tuple(series),
        xscale="log",
        yscale="log",
        caption="One point a run, the same η for all.",
    )
