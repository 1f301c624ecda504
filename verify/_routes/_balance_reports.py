"""Evidence and figures shared by the routes to Theorem 2's balance."""

from __future__ import annotations

import numpy as np

from symbolic import Verdict, Witness
from verify._evidence import Evidence, Figure, Series
from verify._routes._balance_runs import EVERY, Array, Setting, Sides


WINDOWS = 30  # of the time axis of a figure
SHOWN = 40  # replicas in a scatter


def not_applicable(route: str) -> Evidence:
    """Return the evidence for runs that test other declarations."""
    return Evidence(
        route,
        Verdict.NOT_APPLICABLE,
        "Checked for the built-in linear networks UWx with label noise.",
    )


def refuted(
    route: str,
    summary: str,
    setting: Setting,
    left: str,
    right: str,
    *,
    instances: int,
    alpha: float,
) -> Evidence:
    """Return REFUTED with the setting as its witness."""
    return Evidence(
        route,
        Verdict.REFUTED,
        summary,
        instances=instances,
        alpha=alpha,
        counterexample=Witness(setting.describe(), left, right, exact=False),
    )


def imbalance_figure(setting: Setting, sgd: Sides, gd: Sides) -> Figure:
    """Return δ over time for both methods.

    Args:
        setting: the setting.
        sgd: both sides along SGD.
        gd: both sides along GD.

    Returns:
        The figure.
    """
    windows = np.array_split(np.arange(len(sgd.left)), WINDOWS)
    time = tuple(setting.lr * EVERY * float(w.mean() + 1) for w in windows)
    series: list[Series] = []
    for group, (label, sides) in enumerate({"SGD": sgd, "GD": gd}.items()):
        delta = np.array(
            [sides.imbalance(slice(int(w[0]), int(w[-1]) + 1)) for w in windows]
        )
        low, high = np.quantile(delta, [0.1, 0.9], axis=1)
        band = Series("", time, _floats(low), _floats(high), kind="band", group=group)
        series += [band, Series(label, time, _floats(delta.mean(axis=1)), group=group)]
    return Figure(
        f"SGD reaches the balance, GD does not: {setting.name}",
        "time (learning rate × steps)",
        "relative imbalance δ",
        tuple(series),
        caption=r"δ = ‖a − b‖/(‖a‖ + ‖b‖) of the two sides a = $W\Gamma_WW^\top$ and "
        r"b = $U^\top\Gamma_UU$. "
        "Mean and 10–90 % band over replicas with common starts; each point "
        f"averages both matrices over one of {WINDOWS} windows of time, so it lies "
        "above the δ of the text, which averages over the last half.",
    )


def sides_figure(setting: Setting, sgd: Sides, gd: Sides) -> Figure:
    """Return the entries of both sides, averaged over the last half of the time.

    Args:
        setting: the setting.
        sgd: both sides along SGD.
        gd: both sides along GD.

    Returns:
        The figure.
    """
    series: list[Series] = []
    ends: list[float] = []
    for group, (label, sides) in enumerate({"SGD": sgd, "GD": gd}.items()):
        half = slice(len(sides.left) // 2, None)
        left, right = (
            _floats(side[half, :SHOWN].mean(axis=0))
            for side in (sides.left, sides.right)
        )
        series.append(Series(label, left, right, kind="points", group=group))
        ends += [*left, *right]
    line = (min(ends), max(ends))
    series.append(Series("balance", line, line, kind="dashed", group=-1))
    return Figure(
        f"Entries of both sides at the end: {setting.name}",
        r"entries of $W\Gamma_WW^\top$",
        r"entries of $U^\top\Gamma_UU$",
        tuple(series),
        caption=f"Averages over the last half of the time, {SHOWN} replicas; on the "
        "dashed line both sides agree.",
    )


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(float(v) for v in np.ravel(values))
