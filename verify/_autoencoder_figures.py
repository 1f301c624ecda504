"""The figures of the autoencoder experiment, as data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from verify._autoencoder import AutoencoderRun
from verify._autoencoder_records import Sides, Trajectory
from verify._evidence import Figure, Series


Array = NDArray[np.float64]
_BLOCKS = 24  # stretches that a figure's averages are taken over
_POINTS = 200  # of a series at most
_TIME = "time (sum of the learning rates)"


def flow_figures(run: AutoencoderRun) -> tuple[Figure, ...]:
    """Return the charge of B = I along training with its prediction.

    Args:
        run: the measurements.

    Returns:
        One figure.
    """
    series = []
    arms = (("SGD", run.sgd), ("GD", run.gd), ("SGD, no label noise", run.clean))
    for group, (name, arm) in enumerate(arms):
        series.append(_line(name, arm.time, arm.charge, group=group))
        if name != "GD":  # whose steps are not those of single samples
            predicted = _predicted(arm)
            series.append(_line("", arm.time, predicted, kind="dashed", group=group))
    return (
        Figure(
            r"The trace of $U^\top U - WW^\top$ and its prediction",
            _TIME,
            "‖U‖² − ‖W‖²",
            tuple(series),
            caption=(
                "Dashed: the initial value plus the conditional means of the steps, "
                "4η² times the difference of both sides, interpolated between measured "
                "steps. With label noise SGD balances; with y = x the trace "
                "keeps rising once the fast phase is over."
            ),
        ),
    )


def balance_figures(run: AutoencoderRun) -> tuple[Figure, ...]:
    """Return what the balance route shows.

    Args:
        run: the measurements.

    Returns:
        Imbalance along training, both sides entry by entry, λ*, shares, and λ* on the
        way to a minimum.
    """
    return _imbalance(run), _entries(run), _lam(run), _shares(run), _descents(run)


def _predicted(arm: Trajectory) -> Array:
    gap = np.trace(arm.second[:, 0] - arm.second[:, 1], axis1=1, axis2=2)
    # The rate of a stretch is that of its first step; the gap is interpolated.
    pieces = 2.0 * arm.rate[:-1] ** 2 * (gap[1:] + gap[:-1]) * np.diff(arm.steps)
    return np.asarray(arm.charge[0] + np.append(0.0, np.cumsum(pieces)))


def _line(
    label: str, x: Array, y: Array, *, kind: str = "line", group: int = 0
) -> Series:
    keep = np.linspace(0, len(x) - 1, min(len(x), _POINTS)).round().astype(np.intp)
    xs, ys = tuple(x[keep].tolist()), tuple(y[keep].tolist())
    return Series(label, xs, ys, kind=kind, group=group)


def _values(sides: list[Sides], name: str) -> Array:
    return np.array([getattr(each, name) for each in sides])


def _imbalance(run: AutoencoderRun) -> Figure:
    series = []
    for group, (name, arm) in enumerate((("SGD", run.sgd), ("GD", run.gd))):
        for label, centred in ((name, False), ("", True)):
            time, sides = arm.blocks(_BLOCKS, centred=centred)
            values = _values(sides, "imbalance")
            kind = "dashed" if centred else "line"
            series.append(_line(label, time, values, kind=kind, group=group))
    return Figure(
        "SGD aligns the two sides of Theorem 2, GD does not",
        _TIME,
        "‖a − b‖ / (‖a‖ + ‖b‖)",
        tuple(series),
        yscale="log",
        caption=(
            r"a = $W\Gamma_WW^\top$ and b = $U^\top\Gamma_UU$, each averaged over a "
            r"stretch of training. Full "
            "lines: second moments, whose means balance exactly when SGD with one "
            "sample a step is stationary. Dashed: centred Γ; at a finite learning rate "
            r"the means $E[rx^\top]$ fluctuate about 0, and that remains."
        ),
    )


def _entries(run: AutoencoderRun) -> Figure:
    series, high, low = [], 0.0, 0.0
    for group, (name, arm) in enumerate((("SGD", run.sgd), ("GD", run.gd))):
        sides = arm.tail()
        upper = np.triu_indices(len(sides.up))
        a, b = sides.up[upper], sides.down[upper]
        low, high = min(low, a.min(), b.min()), max(high, a.max(), b.max())
        series.append(_line(name, a, b, kind="points", group=group))
    ends = np.array([low, high])
    return Figure(
        "Both sides, entry by entry, over the last quarter",
        r"entry of $W\Gamma_WW^\top$",
        r"entry of $U^\top\Gamma_UU$",
        (_line("equal", ends, ends, kind="dashed", group=-1), *series),
        xscale="symlog",
        yscale="symlog",
        caption="Every distinct entry of the two matrices, second moments.",
    )


def _arms(run: AutoencoderRun) -> tuple[tuple[str, Trajectory], ...]:
    return ("SGD", run.sgd), ("GD", run.gd), ("SGD, no label noise", run.clean)


def _lam(run: AutoencoderRun) -> Figure:
    series = []
    for group, (name, arm) in enumerate(_arms(run)):
        time, sides = arm.blocks(_BLOCKS)
        series.append(_line(name, time, _values(sides, "lam"), group=group))
    return Figure(
        "λ* of B = I: settled with label noise, larger at lower rates without",
        _TIME,
        "λ* = ¼ ln(Tr a / Tr b)",
        tuple(series),
        caption=(
            "The rescaling that would balance the traces. Without label noise the last "
            f"{run.settings.stages} stages halve the learning rate each: what is left "
            r"of $U^\top r$ is fluctuation and lag. It shrinks with the rate, and λ* "
            r"grows."
        ),
    )


def _shares(run: AutoencoderRun) -> Figure:
    series = []
    for group, (name, arm) in enumerate(_arms(run)):
        time, sides = arm.blocks(_BLOCKS)
        series.append(_line(name, time, _values(sides, "share"), group=group))
    half = np.array([0.0, float(run.clean.time[-1])])
    balanced = _line("balance", half, np.full(2, 0.5), kind="dashed", group=-1)
    return Figure(
        "The share of the noise that acts on U",
        _TIME,
        "Tr a / (Tr a + Tr b)",
        (balanced, *series),
        caption="Without label noise nearly all of the noise acts on U.",
    )


def _descents(run: AutoencoderRun) -> Figure:
    series = []
    pairs = (("label noise", run.noisy_descent), ("y = x", run.clean_descent))
    for group, (name, descent) in enumerate(pairs):
        sweeps = descent.sweeps.astype(np.float64)
        series.append(_line(name, sweeps, descent.lam, group=group))
    return Figure(
        "λ* on the way from the end of training to a minimum",
        "least-squares sweeps",
        "λ* = ¼ ln(Tr a / Tr b)",
        tuple(series),
        caption=(
            "Least squares in W and in U in turn. For y = x, λ* grows by "
            f"{run.clean_descent.slope:.4f} a sweep at last; half the logarithm of the "
            r"ratio of the d-th to the next eigenvalue of $E[xx^\top]$ is "
            f"{run.clean_descent.predicted_slope:.4f}."
        ),
    )
