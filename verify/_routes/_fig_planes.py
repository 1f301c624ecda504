"""P1, Fig. 1: circles and hyperbolas under gradient flow and under SGD."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify._context import Context
from verify._evidence import Evidence, Figure, Series
from verify._figures._median import Row, judged
from verify._figures._planes import Plane, PlaneRun, plane_by_engine, plane_by_loop
from verify._scope import OWN, only_about


Array = NDArray[np.float64]
Runner = Callable[[Plane, Context], PlaneRun]
_SGD = {True: (0.03, 1500), False: (0.03, 1500)}  # η and steps, by `circles`
_FLOW = {True: (0.003, 1000), False: (0.003, 1000)}
_SHOWN = 6  # trajectories of a figure


@dataclass(frozen=True, slots=True)
class Orbits:
    """Where the figure says that the points go.

    Attributes:
        circles: the scale-invariant loss, else rescaling.
        method: "sgd", which leaves the curve, or "gd", claimed to do as much.
        factor: of the logarithm of the law's product, or of its integral.
    """

    circles: bool = True
    method: str = "sgd"
    factor: float = 1.0

    @staticmethod
    def says() -> tuple[str, ...]:
        """Return what may be false of it; which curves it is about may not."""
        return ("factor",)


@only_about(OWN)
def orbits_ensemble(subject: Orbits, context: Context) -> Evidence:
    """Follow u² + w², or u² − w², by the engine.

    Args:
        subject: what is claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where SGD leaves the curves as claimed and gradient flow does not.
    """
    return _orbits("engine", plane_by_engine, subject, context)


@only_about(OWN)
def orbits_loop(subject: Orbits, context: Context) -> Evidence:
    """Follow the same by a plain loop, with the law's integral along each run.

    On circles it is (2η/S)∫Tr Σ(θ̂)dt, which ‖θ‖⁴ grows by; for rescaling the exact
    ∏(1 − η²q²), which u² − w² shrinks by.

    Args:
        subject: what is claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where SGD leaves the curves as claimed, by the law's amount, and
        gradient flow does not.
    """
    return _orbits("plain loop", plane_by_loop, subject, context)


def _orbits(route: str, runner: Runner, subject: Orbits, context: Context) -> Evidence:
    lr, steps = _SGD[subject.circles]
    small, more = _FLOW[subject.circles]
    flow = runner(Plane(subject.circles, small, more, "gd"), context)
    moving = Plane(subject.circles, lr, steps)
    found = flow if subject.method == "gd" else runner(moving, context)
    with np.errstate(over="ignore", invalid="ignore"):
        away, kept = _curve(found, subject.circles), _curve(flow, subject.circles)
        change, stays = away[:, -1] / away[:, 0], kept[:, -1] / kept[:, 0]
    rows = [
        Row("‖θ‖² grew by", change, lower=1.5)
        if subject.circles
        else Row("|u² − w²| over its start", np.abs(change), upper=0.05),
        Row("gradient flow: the same", stays, 0.95, 1.05),
    ]
    if found.predicted.size and subject.method == "sgd":
        rows.append(_law(found, away, subject))
    loss = "circles" if subject.circles else "hyperbolas"
    what = f"{loss.capitalize()}: {subject.method} against gradient flow (η = {small})."
    return judged(route, rows, context, what, (_paths(subject.circles, found, flow),))


def _law(found: PlaneRun, away: Array, subject: Orbits) -> Row:
    """Hold the curve's parameter against the law: at the end, or at every step."""
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is NaN
        if subject.circles:
            grown = away[:, -1] ** 2 - away[:, 0] ** 2
            ratio = grown / (subject.factor * found.predicted[:, -1])
            return Row("growth of ‖θ‖⁴ over its integral", ratio, 0.8, 1.25)
        law = np.sign(found.predicted) * np.abs(found.predicted) ** subject.factor
        residual = np.abs(away - away[:, :1] * law).max(axis=1)
        # A step rounds u and w four times each, to eps/2: D moves by 8 eps(u² + w²) at
        # most; the factor itself, and D from u and w, cost less than as much again.
        reach = (found.u**2 + found.w**2).sum(axis=1)
        ratio = residual / (16.0 * np.finfo(np.float64).eps * reach)
    name = "|D − D₀∏(1 − η²q²)|, worst step, in rounding bounds"
    return Row(name, ratio, upper=1.0)


def _curve(run: PlaneRun, circles: bool) -> Array:
    return np.asarray(run.u**2 + run.w**2 if circles else run.u**2 - run.w**2)


def _paths(circles: bool, found: PlaneRun, flow: PlaneRun) -> Figure:
    series = []
    for group, (name, run) in enumerate((("SGD", found), ("gradient flow", flow))):
        keep = np.linspace(0, len(run.time) - 1, 120).round().astype(np.intp)
        stayed = np.flatnonzero(np.isfinite(run.u + run.w).all(axis=1))[:_SHOWN]
        for number, k in enumerate(stayed):
            xs, ys = (tuple(v[k, keep].tolist()) for v in (run.u, run.w))
            label = "" if number else name
            series.append(Series(label, xs, ys, kind="line", group=group))
    curve = "circles" if circles else "hyperbolas"
    return Figure(
        f"Gradient flow stays on {curve}, SGD does not",
        "u",
        "w",
        tuple(series),
        caption="A scale-invariant loss: SGD moves outward."
        if circles
        else "A rescaling-invariant loss: SGD moves to u² = w².",
    )
