"""The SDE of a whole diagonal network: all its weights, in logarithms.

∂ℓ/∂uᵢ⁽ᵏ⁾ = q vᵢ/uᵢ⁽ᵏ⁾ with q = 2x(vx − y): the gradients of all samples are multiples
of one vector, so one Brownian motion drives all weights,

    duᵢ⁽ᵏ⁾ = −(vᵢ/uᵢ⁽ᵏ⁾)(q̄ dt + s dB) − 2γuᵢ⁽ᵏ⁾dt,  q̄ = 2(β₁v − β₂),  s = 2√(TQ(v)).

With gᵢₖ = vᵢ/(uᵢ⁽ᵏ⁾)² Itô's rule gives d ln|uᵢ⁽ᵏ⁾| = −g(q̄dt + s dB) − ½g²s²dt − 2γdt. A
weight far below the largest of its product may change sign: it is moved as it is, not
its logarithm. For two factors no uᵢ ± wᵢ changes sign: all uᵢ + wᵢ are multiplied by
one number P, all uᵢ − wᵢ by one N, and

    d ln P = −(q̄ + ½s²)dt − s dB − 2γdt,  d ln N = (q̄ − ½s²)dt + s dB − 2γdt.

Each replica has a clock of its own: its next step is chosen before its noise is drawn,
from where it is, so that no logarithm moves by much, and cut so as to end at the very
time asked for. All replicas are kept to the end: the values at that time are
independent draws of the law at that time, and need no weights.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from numeric import DataMoments


Array = NDArray[np.float64]
_DRIFT, _NOISE = 0.05, 0.1  # most a logarithm may move in a step: by drift, by noise
_SMALL = 0.3  # of the largest weight of a product: below it, weights move as they are
_MOST_STEPS = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """What differs from replica to replica, each (replicas,).

    Attributes:
        T: temperature.
        alpha1: α₁.
        alpha2: α₂.
        alpha3: α₃.
        beta1: β₁.
        beta2: β₂.
        gamma: γ.
    """

    T: Array
    alpha1: Array
    alpha2: Array
    alpha3: Array
    beta1: Array
    beta2: Array
    gamma: Array

    def pick(self, which: NDArray[np.intp]) -> Lanes:
        """Return some of the replicas."""
        return Lanes(*(getattr(self, f.name)[which] for f in fields(self)))

    def pull(self, v: Array) -> Array:
        """Return q̄ = 2(β₁v − β₂)."""
        return 2 * (self.beta1 * v - self.beta2)

    def variance(self, v: Array) -> Array:
        """Return s² = 4TQ(v)."""
        noise = (self.alpha1 * v - 2 * self.alpha2) * v + self.alpha3
        return 4 * self.T * np.maximum(noise, 0.0)


def lanes(moments: DataMoments, T: float, gamma: float, replicas: int) -> Lanes:
    """Return as many replicas of one setting.

    Args:
        moments: of the data.
        T: temperature.
        gamma: weight decay.
        replicas: how many.

    Returns:
        The replicas.
    """
    m = moments
    values = (T, m.alpha1, m.alpha2, m.alpha3, m.beta1, m.beta2, gamma)
    return Lanes(*(np.full(replicas, float(value)) for value in values))


def joined(parts: list[Lanes]) -> Lanes:
    """Return all replicas of several settings."""
    names = [f.name for f in fields(Lanes)]
    return Lanes(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Where the replicas are; the first axis is the replica.

    Attributes:
        place: uᵢ⁽ᵏ⁾, (replicas, width, factors), or ln P and ln N, (replicas, 2).
        sums: for ln P, ln N: Σ(uᵢ + wᵢ)² and Σ(uᵢ − wᵢ)² at first, (replicas, 2).
        steps: how many steps each replica has taken.
    """

    place: Array
    sums: Array
    steps: NDArray[np.intp]

    def value(self) -> Array:
        """Return v."""
        return _value(self.place, self.sums)


def two_factors(u: Array, w: Array) -> State:
    """Return a start of two factors, to be followed by ln P and ln N.

    Args:
        u: weights, (replicas, width).
        w: likewise.

    Returns:
        The state with P = N = 1.
    """
    sums = np.stack([((u + w) ** 2).sum(axis=1), ((u - w) ** 2).sum(axis=1)], axis=1)
    return State(np.zeros((len(u), 2)), sums, np.zeros(len(u), dtype=np.intp))


def many_factors(weights: Array) -> State:
    """Return a start of any number of factors.

    Args:
        weights: uᵢ⁽ᵏ⁾, (replicas, width, factors).

    Returns:
        The state.
    """
    none = np.zeros((len(weights), 0))
    return State(weights.copy(), none, np.zeros(len(weights), dtype=np.intp))


def _value(place: Array, sums: Array) -> Array:
    if place.ndim == 3:
        return np.asarray(place.prod(axis=2).sum(axis=1))
    squares = np.exp(2 * place) * sums
    return np.asarray((squares[:, 0] - squares[:, 1]) / 4)


def run(
    state: State,
    lanes: Lanes,
    end: Array,
    rng: np.random.Generator,
    fineness: float = 1.0,
) -> State:
    """Return the state a time later.

    Args:
        state: where the replicas are.
        lanes: their settings.
        end: how long each is to run, (replicas,).
        rng: the randomness.
        fineness: of the steps: 2 halves what a logarithm may move.

    Returns:
        The state at the end.

    Raises:
        RuntimeError: where a replica needs too many steps.
    """
    place, steps = state.place.copy(), state.steps.copy()
    active = np.arange(len(place))
    at, left, here, sums = place.copy(), end.astype(np.float64), lanes, state.sums
    for count in range(1, _MOST_STEPS + 1):
        dt, at = _step(at, sums, here, left, rng, fineness)
        left = left - dt
        done = ~(left > 0)
        if done.any():
            place[active[done]] = at[done]
            steps[active[done]] += count
            keep = np.flatnonzero(~done)
            active, at, left = active[keep], at[keep], left[keep]
            sums, here = sums[keep], here.pick(keep)
            if not active.size:
                return replace(state, place=place, steps=steps)
    raise RuntimeError(
        f"expected replicas to end within {_MOST_STEPS} steps, got {active.size} that "
        f"did not; ask for a shorter time or a lower temperature"
    )


def _step(
    at: Array,
    sums: Array,
    here: Lanes,
    left: Array,
    rng: np.random.Generator,
    fineness: float,
) -> tuple[Array, Array]:
    """Return the time taken, and the place after it."""
    v = _value(at, sums)
    pull, variance = here.pull(v), here.variance(v)
    slopes, sizes = _slopes(at)
    axes = tuple(range(1, at.ndim))
    steepest = np.abs(slopes / sizes).max(axis=axes)
    noise = steepest * steepest * variance
    drift = steepest * np.abs(pull) + 2 * here.gamma + noise / 2
    with np.errstate(divide="ignore"):  # where nothing moves one step is enough
        dt = np.minimum(_DRIFT / fineness / drift, (_NOISE / fineness) ** 2 / noise)
    dt = np.minimum(dt, left)
    shape = (-1, *(1 for _ in axes))
    push = (pull * dt + np.sqrt(variance * dt) * rng.standard_normal(len(v))).reshape(
        shape
    )
    curve, lost = (
        (variance * dt / 2).reshape(shape),
        (2 * here.gamma * dt).reshape(shape),
    )
    if at.ndim == 2:
        return dt, at - slopes * push - curve - lost
    relative = slopes / sizes
    inside = np.abs(at) >= sizes  # where sizes are the weights themselves
    scaled = at * np.exp(-np.sign(at) * relative * push - relative**2 * curve - lost)
    return dt, np.where(inside, scaled, at - slopes * push - at * lost)


def _slopes(at: Array) -> tuple[Array, Array]:
    """Return by how much q̄dt + s dB lowers each coordinate, and its size."""
    if at.ndim == 2:
        signs = np.broadcast_to(np.array([1.0, -1.0]), at.shape)
        return signs, np.ones_like(at)
    sizes = np.abs(at)
    floor = _SMALL * sizes.max(axis=2, keepdims=True)
    return _others(at), np.maximum(sizes, floor)


def _others(weights: Array) -> Array:
    """Return ∏_{l≠k} u_l for each factor k."""
    result = np.ones_like(weights)
    for k in range(weights.shape[2]):
        for other in range(weights.shape[2]):
            if other != k:
                result[:, :, k] *= weights[:, :, other]
    return result
