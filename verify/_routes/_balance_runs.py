"""Label-noise problems for the linear network UWx, and SGD and GD runs on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numeric import LinearNet, NoiseMatrices
from verify._context import Profile
from verify._statistics import FactorInterval, FactorTest


Array = NDArray[np.float64]
SAMPLES = 16  # N, at least d_x + d_y for every setting
EVERY = 20  # steps between two looks at a trajectory


@dataclass(frozen=True, slots=True)
class Setting:
    """A training set y = Vx + ε with E[xεᵀ] = 0 exactly, and how to train on it.

    Attributes:
        width: d.
        x_scale: roots of the eigenvalues of E[xxᵀ], d_x of them.
        noise_scale: roots of the eigenvalues of E[εεᵀ], d_y of them.
        target: diagonal of V.
        gamma: γ.
        batch: S.
        lr: η.
        start: root mean squares of the entries of U and of W at the start.
    """

    width: int
    x_scale: tuple[float, ...]
    noise_scale: tuple[float, ...]
    target: tuple[float, ...]
    gamma: float = 0.0
    batch: int = 1
    lr: float = 0.03
    start: tuple[float, float] = (0.3, 0.8)

    @property
    def name(self) -> str:
        """Return the sizes and γ in words."""
        sizes = f"{self.width}, {len(self.x_scale)}, {len(self.noise_scale)}"
        return f"(d, dₓ, d_y) = ({sizes}), γ = {self.gamma:g}"

    @property
    def V(self) -> Array:  # noqa: N802 - the theorem's V
        """Return V, shape (d_y, d_x)."""
        V = np.zeros((len(self.noise_scale), len(self.x_scale)))
        np.fill_diagonal(V, [*self.target, *(0.0,) * min(V.shape)])
        return V

    def describe(self) -> dict[str, str]:
        """Return the setting as the values of a witness."""
        return {
            "sizes": self.name,
            "roots of E[xxᵀ]": str(self.x_scale),
            "roots of E[εεᵀ]": str(self.noise_scale),
            "diagonal of V": str(self.target),
            "eta": str(self.lr),
            "S": str(self.batch),
        }

    def samples(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw a training set: a random orthonormal design for (x, ε), scaled.

        Args:
            rng: the random stream.

        Returns:
            x (N, d_x) and y (N, d_y).
        """
        d_x = len(self.x_scale)
        total = d_x + len(self.noise_scale)
        design, _ = np.linalg.qr(rng.standard_normal((SAMPLES, total)))
        design = np.sqrt(SAMPLES) * design
        x = design[:, :d_x] * np.array(self.x_scale)
        return x, x @ self.V.T + design[:, d_x:] * np.array(self.noise_scale)

    def starts(self, rng: np.random.Generator, replicas: int) -> LinearNet:
        """Draw U and W uniformly on spheres: no start is large by chance.

        Args:
            rng: the random stream.
            replicas: how many.

        Returns:
            The networks, one leading axis.
        """
        d_y, d_x = self.V.shape
        U = rng.standard_normal((replicas, d_y, self.width))
        W = rng.standard_normal((replicas, self.width, d_x))
        return LinearNet(
            self.start[0] * np.sqrt(U[0].size) * U / _norm(U)[:, None, None],
            self.start[1] * np.sqrt(W[0].size) * W / _norm(W)[:, None, None],
        )


# V acts where the input is strong and the label noise weak: the balance is then far
# from UᵀU = WWᵀ, and starts with the larger W are on the other side of it. The term
# γS/η is 25 times the published 2γ.
SETTINGS = (
    Setting(1, (1.2, 0.3), (0.2, 1.5), (1.0,), gamma=0.02, batch=2, lr=0.04),
    Setting(2, (1.0, 0.7, 0.7), (0.4, 1.2), (1.0, 0.5), lr=0.04),
    Setting(3, (1.0, 1.0), (0.4, 0.6, 1.0, 1.0), (1.0, 0.6), batch=2, lr=0.04),
    Setting(5, (1.0, 0.8, 0.6, 0.6), (0.4, 0.6, 1.0), (1.0, 0.6), start=(0.3, 0.6)),
)


def minibatch_gradient(
    net: LinearNet, x: Array, y: Array, batch: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the gradient over S samples drawn with replacement, for each replica.

    Args:
        net: replicas along one leading axis.
        x: inputs, shape (N, d_x).
        y: targets, shape (N, d_y).
        batch: S.
        rng: the random stream.

    Returns:
        With respect to U and to W, without weight decay.
    """
    index = rng.integers(0, len(x), (len(net.U), batch))
    return net.gradient(x[index], y[index])


def trajectory(
    setting: Setting,
    net: LinearNet,
    data: tuple[Array, Array],
    steps: int,
    rng: np.random.Generator | None,
) -> Iterator[LinearNet]:
    """Train, and yield the replicas after every `EVERY` steps.

    Args:
        setting: η, S and γ.
        net: the start.
        data: x (N, d_x) and y (N, d_y).
        steps: number of steps.
        rng: the stream of the minibatches; None for full-batch gradient descent.

    Yields:
        The replicas.
    """
    x, y = data if rng is not None else _compressed(*data)
    for k in range(steps):
        with np.errstate(over="ignore", invalid="ignore"):  # δ counts those as 1
            gradient = (
                net.gradient(x, y)
                if rng is None
                else minibatch_gradient(net, x, y, setting.batch, rng)
            )
            net = net.stepped(*gradient, lr=setting.lr, gamma=setting.gamma)
        if (k + 1) % EVERY == 0:
            yield net


def _compressed(x: Array, y: Array) -> tuple[Array, Array]:
    """Return fewer samples with the same second moments, hence the same mean gradient.

    (x, y) = QR with QᵀQ = I: the rows of R, rescaled, are d_x + d_y such samples.
    """
    R = np.linalg.qr(np.concatenate([x, y], axis=1), mode="r")
    R = np.sqrt(len(R) / len(x)) * R
    return R[:, : x.shape[1]], R[:, x.shape[1] :]


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Both sides of a balance along trajectories, shape (looks, replicas, d, d).

    Attributes:
        left: WΓ_WWᵀ.
        right: UᵀΓ_UU.
    """

    left: Array
    right: Array

    def imbalance(self, window: slice) -> Array:
        """Return δ of a window of looks, shape (replicas,), each in [0, 1].

        δ = ‖Σ(left − right)‖_F / Σ(‖left‖_F + ‖right‖_F), sums over the window: the
        numerator is at most the denominator by the triangle inequality.

        Args:
            window: which looks.

        Returns:
            δ, and 1 where a trajectory has left the finite numbers or both sides
            vanish: neither counts as balanced.
        """
        left, right = self.left[window], self.right[window]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            top = _norm((left - right).sum(axis=0))
            delta = top / (_norm(left) + _norm(right)).sum(axis=0)
        return np.where(np.isfinite(delta), np.minimum(delta, 1.0), 1.0)


def claimed_noise(
    net: LinearNet, data: tuple[Array, Array], setting: Setting, form: str
) -> NoiseMatrices:
    """Return Γ as one form of Theorem 2 has it.

    Args:
        net: the replicas.
        data: x and y.
        setting: η, S and γ.
        form: "corrected" for Γ⁰ + (γS/η)I; "published" for uncentred moments + 2γI.

    Returns:
        Γ_U and Γ_W.
    """
    if form == "corrected":
        return net.noise(*data).shifted(setting.gamma * setting.batch / setting.lr)
    return net.noise(*data, centred=False).shifted(2 * setting.gamma)


def sides_along(
    nets: list[LinearNet], data: tuple[Array, Array], setting: Setting, form: str
) -> Sides:
    """Return both sides of the balance at every look.

    Args:
        nets: the replicas at each look.
        data: x and y.
        setting: η, S and γ.
        form: as `claimed_noise` takes it.

    Returns:
        Both sides.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        pairs = [net.sides(claimed_noise(net, data, setting, form)) for net in nets]
    return Sides(np.array([a for a, _ in pairs]), np.array([b for _, b in pairs]))


def replicas_of(profile: Profile) -> int:
    """Return how many replicas: enough for bounds at level α to bite, and more."""
    return 192 + profile.replicas


def mean_interval(values: Array, alpha: float) -> FactorInterval:
    """Return an interval for E X from i.i.d. X in [0, 1], by betting.

    Args:
        values: the observations.
        alpha: bound on the probability that it misses E X.

    Returns:
        The interval (the factor is the mean, in units of 1).
    """
    test = FactorTest()
    test.add(values, predicted=1.0, lower=0.0, upper=1.0)
    return test.interval(alpha)


def _norm(matrices: Array) -> Array:
    """Return Frobenius norms over the last two axes."""
    return np.asarray(np.sqrt((matrices**2).sum(axis=(-1, -2))))
