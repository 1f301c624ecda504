"""Small networks to train in ensembles: ‖U W x − y‖² and ‖U tanh(W x) − y‖²."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
SAMPLES = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Net:
    """An ensemble of two-layer nets and its data; all widths are d.

    Attributes:
        d: width.
        S: samples in a minibatch.
        tanh: whether the hidden layer has one.
        lr: step size; the minibatch gradient is a mean.
        x: inputs, [SAMPLES, d].
        y: targets, [SAMPLES, d].
        U: outer layers at the start, [replicas, d, d].
        W: inner layers at the start, [replicas, d, d].
    """

    d: int
    S: int
    tanh: bool
    lr: float
    x: Floats
    y: Floats
    U: Floats
    W: Floats

    @classmethod
    def random(cls, d: int, S: int, tanh: bool, replicas: int, seed: int) -> Net:
        """Draw the data from a noisy linear map, and the layers of each replica."""
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(SAMPLES, d))
        teacher = rng.normal(size=(d, d)) / d**0.5
        y = x @ teacher.T + 0.3 * rng.normal(size=(SAMPLES, d))
        U, W = rng.normal(size=(2, replicas, d, d)) / d**0.5
        arrays = (a.astype(np.float32) for a in (x, y, U, W))
        return cls(d, S, tanh, 0.05 / (d + 2), *arrays)

    @property
    def name(self) -> str:
        """The case as the page names it."""
        return f"d={self.d} S={self.S}" + (" tanh" if self.tanh else "")

    @property
    def replicas(self) -> int:
        """How many are trained."""
        return len(self.U)

    @property
    def slope(self) -> float:
        """Twice the step size over S: what a sum of r aᵀ is multiplied with."""
        return 2 * self.lr / self.S

    def first(self, replicas: int) -> Net:
        """Return the net with the first few replicas only."""
        parts = (self.x, self.y, self.U[:replicas], self.W[:replicas])
        return Net(self.d, self.S, self.tanh, self.lr, *parts)

    def theta(self) -> Floats:
        """Return the start as flat vectors, U before W, [replicas, 2 d²]."""
        return flat(self.U, self.W)


def flat(U: NDArray[np.floating], W: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return U and W, [replicas, d, d] each, as rows, [replicas, 2 d²]."""
    return np.concatenate([U.reshape(len(U), -1), W.reshape(len(W), -1)], axis=1)


def reference(net: Net, indices: Indices) -> NDArray[np.float64]:
    """Return the end of every run in double precision, by sums over single samples.

    The gradients are written out by the chain rule, sample by sample, with einsum: no
    method under test does it like that.

    Args:
        net: the ensemble.
        indices: the minibatches, [steps, replicas, S].

    Returns:
        Flat parameters, [replicas, 2 d²].
    """
    U, W = net.U.astype(np.float64), net.W.astype(np.float64)
    x, y = net.x.astype(np.float64), net.y.astype(np.float64)
    for batch in indices:
        g_U, g_W = np.zeros_like(U), np.zeros_like(W)
        for s in range(net.S):
            a, b = x[batch[:, s]], y[batch[:, s]]
            hidden = np.einsum("rij,rj->ri", W, a)
            value = np.tanh(hidden) if net.tanh else hidden
            r = 2 * (np.einsum("rij,rj->ri", U, value) - b)
            back = np.einsum("rij,ri->rj", U, r)
            if net.tanh:
                back = back / np.cosh(hidden) ** 2
            g_U += np.einsum("ri,rj->rij", r, value)
            g_W += np.einsum("ri,rj->rij", back, a)
        U, W = U - net.lr / net.S * g_U, W - net.lr / net.S * g_W
    return np.asarray(flat(U, W), dtype=np.float64)


def rounding(net: Net, steps: int) -> float:
    """Return how far float32 may bring a parameter from the reference.

    Each step adds to a parameter one rounding of its own size (≤ 4 here), and a change
    lr g with relative errors of at most 4 d + S + 10 roundings, |lr g| < 1; training
    shrinks errors, so they add up at most over the steps.
    """
    return float(np.finfo(np.float32).eps * steps * (4 + 4 * net.d + net.S + 10))
