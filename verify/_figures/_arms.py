"""Six systems with an exponential symmetry, and paths of SGD and of its SDE on them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from numeric import LossEvaluator, Stream, compile_loss, simulate
from verify._figures._engine import Array, Model, declared


SAMPLES = 24
_OPERATIONS = 4096  # more than any of these gradients takes, each rounding once


@dataclass(frozen=True, slots=True)
class System:
    """A loss with a diagonal symmetry and a training set.

    Attributes:
        name: what it is.
        model: the loss.
        weights: diagonal of A for each parameter: one number, or one for each row
            (`axis` 0) or column (`axis` 1).
        start: root mean square of the entries at the start.
        lr: η, small enough for the runs to stay finite.
    """

    name: str
    model: Model
    weights: tuple[tuple[str, tuple[float, ...], int], ...]
    start: float
    lr: float

    @property
    def diagonal(self) -> Array:
        """The diagonal of A, shape (n,)."""
        given = {name: (values, axis) for name, values, axis in self.weights}
        parts = []
        for name, shape in self.model.parameters:
            part = np.zeros(shape)
            if name in given:
                values, axis = given[name]
                column = np.array(values).reshape((-1, 1) if axis == 0 else (1, -1))
                part = part + (column if shape else column[0, 0])
            parts.append(part.ravel())
        return np.concatenate(parts)

    def data(self, rng: np.random.Generator) -> dict[str, Array]:
        """Return samples: inputs, and labels that depend on them and on noise."""
        drawn = {
            name: rng.standard_normal((SAMPLES, *shape))
            for name, shape in self.model.data
        }
        first = drawn[self.model.data[0][0]]
        y = drawn["y"]
        shared = first.reshape(SAMPLES, -1)[:, : y.reshape(SAMPLES, -1).shape[1]]
        return drawn | {"y": y + 2.5 * shared.reshape(y.shape)}

    def draw(self, rng: np.random.Generator, runs: int) -> Array:
        """Return starts, shape (runs, n)."""
        n = len(self.diagonal)
        scale = np.where(self.diagonal > 0.0, 1.5, 0.75) * self.start
        return np.asarray(scale * rng.choice([-1.0, 1.0], (runs, n)))


def _matrices(expression: str, **shapes: tuple[int, ...]) -> Model:
    data = (("x", (3,)), ("y", (2,)))
    return Model(expression, tuple(shapes.items()), data)


_NET_B = "norm2(U*tanh(W*x/sqrt(norm2(W)))/sqrt(norm2(U)) - y)"
_B = (1.0, -0.5, 0.25)  # a symmetric B of no definite sign
SYSTEMS = (
    System(
        "scalar two-layer net",
        Model("(u*w*x - y)**2", (("u", ()), ("w", ())), (("x", ()), ("y", ()))),
        (("u", (1.0,), 0), ("w", (-1.0,), 0)),
        1.0,
        0.01,
    ),
    System(
        "matrix factorisation",
        _matrices("norm2(U*W*x - y)", U=(2, 3), W=(3, 3)),
        (("U", _B, 1), ("W", tuple(-b for b in _B), 0)),
        0.6,
        0.01,
    ),
    System(
        "deep linear net",
        _matrices("norm2(C*B*A*x - y)", A=(2, 3), B=(2, 2), C=(2, 2)),
        (("B", (1.0,), 0), ("A", (-1.0,), 0)),
        0.6,
        0.005,
    ),
    System(
        "ReLU net, one neuron",
        _matrices("norm2(U*relu(W*x) - y)", U=(2, 3), W=(3, 3)),
        (("U", (1.0, 0.0, 0.0), 1), ("W", (-1.0, 0.0, 0.0), 0)),
        0.7,
        0.01,
    ),
    System(
        "tanh net with normalised layers",
        _matrices(_NET_B, U=(2, 3), W=(3, 3)),
        (("W", (1.0,), 0),),
        0.5,
        0.02,
    ),
    System(
        "scale-invariant loss",
        Model(
            "((u*x + w*z)/sqrt(u**2 + w**2) - y)**2",
            (("u", ()), ("w", ())),
            (("x", ()), ("z", ()), ("y", ())),
        ),
        (("u", (1.0,), 0), ("w", (1.0,), 0)),
        0.5,
        0.02,
    ),
)


@lru_cache(maxsize=16)
def compiled(model: Model) -> LossEvaluator:
    """Return a model's gradients as array operations."""
    return compile_loss(declared(model))


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """All that the laws need at a point of a path, for each run.

    Attributes:
        theta: parameters, (runs, n).
        gradients: per-sample gradients, (runs, N, n).
        weights: the diagonal of A, (n,).
    """

    theta: Array
    gradients: Array
    weights: Array

    @property
    def mean(self) -> Array:
        """ḡ = ∇L, (runs, n)."""
        return np.asarray(self.gradients.mean(axis=1))

    @property
    def charge(self) -> Array:
        """C = ½θᵀAθ."""
        return 0.5 * self.form(self.theta)

    @property
    def noise(self) -> Array:
        """Tr[ΣA]."""
        return np.asarray(self.form(self.gradients - self.mean[:, None]).mean(axis=1))

    @property
    def pull(self) -> Array:
        """ḡᵀAḡ."""
        return self.form(self.mean)

    @property
    def reach(self) -> Array:
        """Σᵢ|aᵢθᵢ|·max|gᵢ| over samples: what g·Aθ cancels from."""
        largest = np.abs(self.gradients).max(axis=1)
        return np.asarray((np.abs(self.weights * self.theta) * largest).sum(axis=1))

    def form(self, v: Array) -> Array:
        """Return vᵀAv over the last axis."""
        return np.asarray((self.weights * v**2).sum(axis=-1))


@dataclass(frozen=True, slots=True)
class Walk:
    """How to go: η, S, γ, β, and number of steps."""

    lr: float
    steps: int
    batch: int = 1
    gamma: float = 0.0
    beta: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """One step of SGD: the point before, g, m before and after, θ after."""

    at: Point
    gradient: Array
    momentum: tuple[Array, Array]
    after: Array


def point(system: System, theta: Array, data: dict[str, Array]) -> Point:
    """Return a system's point at θ."""
    G = np.asarray(compiled(system.model).gradient(theta[:, None, :], data))
    return Point(theta, G, system.diagonal)


def sgd_path(
    system: System, theta: Array, data: dict[str, Array], walk: Walk, seed: int
) -> Iterator[Move]:
    """Go by SGD with heavy ball and coupled decay, on the engine's own minibatches.

    Args:
        system: the loss.
        theta: starts, (runs, n).
        data: samples.
        walk: how.
        seed: the seed that `simulate` was given.

    Yields:
        Each step.
    """
    stream, rows = Stream(seed, "simulate"), np.arange(len(theta))
    momentum = np.zeros_like(theta)
    for step in range(walk.steps):
        at = point(system, theta, data)
        index = stream.indices(rows, step, walk.batch, SAMPLES)
        g = at.gradients[rows[:, None], index].mean(axis=1)
        new = walk.beta * momentum + g + 2.0 * walk.gamma * theta
        theta = theta - walk.lr * new
        yield Move(at, g, (momentum, new), theta)
        momentum = new


def sde_path(
    system: System,
    theta: Array,
    data: dict[str, Array],
    walk: Walk,
    parts: int,
    rng: np.random.Generator,
) -> Iterator[Point]:
    """Go by Euler–Maruyama with step η/parts and signs for noise (weak order one).

    Args:
        system: the loss.
        theta: starts, (runs, n).
        data: samples.
        walk: η, S, γ and the number of steps of length η.
        parts: how many Euler steps each is divided into.
        rng: the random stream.

    Yields:
        Each point, the start first and the end last.
    """
    h = walk.lr / parts
    scale = np.sqrt(walk.lr / walk.batch * h / SAMPLES)  # 2σ² = η/S
    for _ in range(walk.steps * parts):
        at = point(system, theta, data)
        yield at
        mean = at.mean
        signs = rng.integers(0, 2, at.gradients.shape[:2]) * 2.0 - 1.0
        noise = scale * np.einsum("rk,rkn->rn", signs, at.gradients - mean[:, None])
        theta = theta - h * (mean + 2.0 * walk.gamma * theta) + noise
    yield point(system, theta, data)


def svag_path(
    system: System,
    theta: Array,
    data: dict[str, Array],
    walk: Walk,
    level: int,
    rng: np.random.Generator,
) -> Iterator[Point]:
    """Go by SVAG: SGD with the rate η/ℓ and the noise of the SDE at η (S = 1).

    g = ½(1 + √(2ℓ − 1))g₁ + ½(1 − √(2ℓ − 1))g₂ with two independent samples has the
    mean ḡ and the covariance ℓΣ; ℓ = 1 is SGD (Li, Malladi, Arora 2021).

    Args:
        system: the loss.
        theta: starts, (runs, n).
        data: samples.
        walk: η, γ and the number of steps of length η.
        level: ℓ.
        rng: the random stream.

    Yields:
        Each point, the start first and the end last.
    """
    h, root, rows = walk.lr / level, math.sqrt(2 * level - 1), np.arange(len(theta))
    for _ in range(walk.steps * level):
        at = point(system, theta, data)
        yield at
        one, two = (
            at.gradients[rows, rng.integers(0, SAMPLES, len(rows))] for _ in "ab"
        )
        g = (1 + root) / 2 * one + (1 - root) / 2 * two
        theta = theta - h * (g + 2.0 * walk.gamma * theta)
    yield point(system, theta, data)


def engine_path(
    system: System, theta: Array, data: dict[str, Array], walk: Walk, **options: Any
) -> Iterator[Point]:
    """Yield where the engine's SGD is at `samples` times of its runs.

    Args:
        system: the system.
        theta: starts, (runs, parameters).
        data: each field (runs, samples, …).
        walk: η, S, γ and the number of steps.
        **options: of `simulate`; `samples` and `seed` at least.
    """
    each = range(theta.shape[1])
    found = simulate(
        declared(system.model),
        data,
        theta,
        lr=walk.lr,
        batch_size=walk.batch,
        steps=walk.steps,
        weight_decay=walk.gamma,
        record={str(i): partial(_entry, i) for i in each},
        **options,
    )
    path = np.stack([found.records[str(i)] for i in each], axis=-1)
    for at in path.swapaxes(0, 1):
        yield point(system, at, data)


def _entry(i: int, theta: Array) -> Array:
    return np.asarray(theta[:, i])


def rounding(move: Move, walk: Walk) -> Array:
    """Return a bound on the rounding of a step's laws, per run.

    g·Aθ is zero but for the rounding of g: at most 4096 operations, each off by eps/2
    relative to what it is made from, hence to `reach`. θ' and the forms cost a few
    eps of the sums of their moduli.
    """
    eps = float(np.finfo(np.float64).eps)
    a = np.abs(move.at.weights)
    sizes = np.abs(move.at.theta) + walk.lr * np.abs(move.momentum[1])
    forms = (a * sizes**2).sum(axis=1) * (len(a) + 16.0)
    return np.asarray(eps * (_OPERATIONS * walk.lr * move.at.reach + forms))
