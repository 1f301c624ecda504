"""SGD ends at the noise equilibrium on six systems, gradient descent does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from verify._context import Context
from verify._evidence import Evidence, Figure, Series
from verify._figures._arms import (
    SYSTEMS,
    Point,
    System,
    Walk,
    engine_path,
    point,
    sgd_path,
)
from verify._figures._engine import experiment
from verify._figures._median import Row, judged
from verify._routes._fig_arms import drawn
from verify._scope import OWN, only_about


Array = NDArray[np.float64]
_Method = Literal["sgd", "gd"]
_METHODS: tuple[_Method, ...] = ("sgd", "gd")
_BALANCED = 0.25  # δ of a balanced run, at most
_NEAR = 0.25  # |λ*| of a balanced run, at most
_POINTS = 80
_COPIES = 2  # of the number of runs of an experiment


@dataclass(frozen=True, slots=True)
class Long:
    """How a system is run until its noise balances, S = 1.

    Attributes:
        times: of the system's η.
        steps: how many.
        gamma: γ; where A is definite, there is an equilibrium with decay only.
    """

    times: float
    steps: int
    gamma: float = 0.0


LONG = (
    Long(3.0, 800),
    Long(1.5, 4000),
    Long(2.0, 6400),
    Long(1.5, 6400),
    Long(2.0, 1500, 0.5),
    Long(2.0, 1500, 0.5),
)


@only_about(OWN)
def balance_by_engine(subject: _Method, context: Context) -> Evidence:
    r"""Follow δ = |∫(−4γC + σ²Tr[ΣA])dt| / ∫(2γθᵀ|A|θ + σ²Tr[Σ|A|])dt along the runs.

    Args:
        subject: "sgd", or "gd" where that is claimed of gradient descent.
        context: profile and streams.

    Returns:
        SUPPORTED where δ over the last half of the time is at most ¼ in the median for
        each system, and for SGD less than for gradient descent from the same start.
    """
    plain = experiment(context, "arms: equilibrium")
    rows, curves = [], []
    for k, system in enumerate(SYSTEMS):
        found = {name: _imbalance(system, name, plain) for name in _METHODS}
        late = {name: _late(*pair) for name, pair in found.items()}
        rows.append(Row(f"{system.name}: δ", late[subject], upper=_BALANCED))
        if subject == "sgd":
            less = late["gd"] - late["sgd"]
            rows.append(Row(f"{system.name}: GD's less it", less, lower=0.0))
        curves.append(_curve(system.name, k, found["sgd"]))
    figure = Figure(
        "The imbalance δ along SGD on six systems",
        "share of the run's time",
        "δ, median over runs",
        tuple(curves),
        caption="|drift of C| over the sum of the moduli of its parts, means over a "
        "quarter of the time.",
    )
    what = "The engine's SGD, S = 1; δ over the last half of the time."
    return judged("engine, six systems", rows, context, what, (figure,))


def _curve(name: str, group: int, found: tuple[Array, Array]) -> Series:
    window = _POINTS // 4
    at = range(0, found[0].shape[0] - window, 4)
    delta = [float(np.median(_ratio(*found, slice(k, k + window)))) for k in at]
    share = [(k + window / 2) / found[0].shape[0] for k in at]
    return Series(name, tuple(share), tuple(delta), group=group)


def _late(drift: Array, parts: Array) -> Array:
    """Return δ over the last half of the time."""
    return _ratio(drift, parts, slice(len(drift) // 2, None))


def _ratio(drift: Array, parts: Array, window: slice) -> Array:
    return np.asarray(np.abs(drift[window].sum(axis=0)) / parts[window].sum(axis=0))


@lru_cache(maxsize=16)
def _imbalance(system: System, method: _Method, plain: Context) -> tuple[Array, Array]:
    """Return the drift of C, and the sum of its parts' moduli, (points, runs) each."""
    data, start = drawn(system, plain, _COPIES)
    long = LONG[SYSTEMS.index(system)]
    walk = Walk(long.times * system.lr, long.steps, gamma=long.gamma)
    key, lr = plain.key(system.name), walk.lr
    drift, parts = [], []
    for at in engine_path(
        system, start, data, walk, method=method, samples=_POINTS, seed=key
    ):
        sizes = _Sides.of(at)
        drift.append(lr / 2 * at.noise - 4 * long.gamma * at.charge)
        moduli = lr / 2 * (sizes.up + sizes.down)
        parts.append(moduli + 2 * long.gamma * (sizes.high + sizes.low))
    return np.array(drift), np.array(parts)


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """Tr[ΣA₊], Tr[ΣA₋], θᵀA₊θ and θᵀA₋θ of each run."""

    up: Array
    down: Array
    high: Array
    low: Array

    @classmethod
    def of(cls, at: Point) -> _Sides:
        """Return the four of a point."""
        spread = ((at.gradients - at.mean[:, None]) ** 2).mean(axis=1)
        plus, minus = np.maximum(at.weights, 0.0), np.maximum(-at.weights, 0.0)
        squares = at.theta**2
        return cls(spread @ plus, spread @ minus, squares @ plus, squares @ minus)


_STEP_BY_STEP = (0, 5)  # an indefinite and a definite A, with eigenvalues ±1 and 0


@only_about(OWN)
def balance_by_steps(subject: _Method, context: Context) -> Evidence:
    """Step with numpy, and say how far along the orbit the equilibrium is: λ*.

    With eigenvalues ±1, λ* = ¼ ln((σ²s₊ + 2γt₋)/(σ²s₋ + 2γt₊)); s± = Tr[ΣA±] and
    t± = θᵀA±θ are averaged over the last half of the time.

    Args:
        subject: as for `balance_by_engine`.
        context: profile and streams.

    Returns:
        SUPPORTED where |λ*| is at most ¼ in the median, and for SGD less than for
        gradient descent from the same start.
    """
    plain = experiment(context, "arms: equilibrium, steps")
    rows = []
    for k in _STEP_BY_STEP:
        here = {name: _position(SYSTEMS[k], name, plain) for name in _METHODS}
        name = SYSTEMS[k].name
        rows.append(Row(f"{name}: |λ*|", here[subject], upper=_NEAR))
        if subject == "sgd":
            less = here["gd"] - here["sgd"]
            rows.append(Row(f"{name}: GD's less it", less, lower=0.0))
    return judged("step by step, λ*", rows, context, "numpy's SGD, S = 1.")


@lru_cache(maxsize=8)
def _position(system: System, method: _Method, plain: Context) -> Array:
    """Return |λ*| over the last half of the time."""
    data, start = drawn(system, plain)
    long = LONG[SYSTEMS.index(system)]
    walk = Walk(long.times * system.lr, long.steps, gamma=long.gamma)
    path = _path(system, method, start, data, walk, plain)
    late = [_Sides.of(at) for k, at in enumerate(path) if 2 * k >= walk.steps]
    up, down, high, low = (
        np.mean([getattr(each, name) for each in late], axis=0)
        for name in ("up", "down", "high", "low")
    )
    above = walk.lr / 2 * up + 2 * walk.gamma * low
    below = walk.lr / 2 * down + 2 * walk.gamma * high
    return np.asarray(np.abs(np.log(above / below)) / 4)


def _path(
    system: System,
    method: _Method,
    theta: Array,
    data: dict[str, Array],
    walk: Walk,
    plain: Context,
) -> Iterator[Point]:
    if method == "sgd":
        for move in sgd_path(system, theta, data, walk, plain.key(system.name)):
            yield move.at
        return
    for _ in range(walk.steps):
        at = point(system, theta, data)
        yield at
        theta = theta - walk.lr * (at.mean + 2 * walk.gamma * theta)
