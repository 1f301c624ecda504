"""SGD on a linear autoencoder of the digits: do the two sides of Theorem 2 align?

A network 64–16–64 is trained on scikit-learn's 1797 digits with ‖UWx − y‖², one sample
a step drawn with replacement. With y = x + fixed noise both layers keep noisy
gradients, and WΓ_WWᵀ and UᵀΓ_UU align. With y = x a minimum has Uᵀr = 0 for every
sample: all noise acts on U, nothing pushes UᵀU − WWᵀ down, and λ* is +∞. SGD at a fixed
rate fluctuates about there, with a finite λ* that grows as η falls.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numeric import LinearNet
from verify._autoencoder_records import Descent, MatrixLaw, Sides, Trajectory
from verify._autoencoder_training import Problem, Training, descend
from verify._digits import digits
from verify._statistics import FactorInterval


Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AutoencoderSettings:
    """The sizes of a run; time is the sum of the learning rates.

    Attributes:
        steps: steps of each arm at the full learning rate.
        stages: the run without label noise goes on at η/2, η/4, …, this many times.
        decay_steps: SGD steps with weight decay, for the exact law.
        every: every so many steps are measured.
        draws: samples drawn anew at each measured step for the noise factor.
        sweeps: least-squares sweeps from the end of each run.
        lr: learning rate η.
        gamma: γ of the arm with decay.
        noise: standard deviation of the label noise.
        width: hidden units d.
        upper: standard deviation of the entries of U at the start.
        lower: likewise of W.
        stride: the data are every stride-th digit.
    """

    steps: int = 24_000
    stages: int = 3
    decay_steps: int = 1_000
    every: int = 50
    draws: int = 256
    sweeps: int = 256
    lr: float = 0.006
    gamma: float = 1e-3
    noise: float = 0.3
    width: int = 16
    upper: float = 0.2
    lower: float = 0.05
    stride: int = 1

    def __post_init__(self) -> None:
        sizes = (self.stages, self.decay_steps, self.every, self.sweeps, self.width)
        if min(*sizes, self.draws, self.stride) < 1 or self.steps < 8 * self.every:
            raise ValueError(
                f"expected positive sizes and 8 or more measured steps, got {self}"
            )
        scales = (self.lr, self.gamma, self.noise, self.upper, self.lower)
        if not all(scale > 0.0 for scale in scales):
            raise ValueError(f"expected positive rates and deviations, got {self}")

    @property
    def rates(self) -> Array:
        """The learning rate of each step, shape (steps,)."""
        return np.full(self.steps, self.lr)

    @property
    def falling_rates(self) -> Array:
        """The same, followed by the stages, each a sixth as many steps."""
        powers = 0.5 ** np.arange(1, self.stages + 1)
        return np.append(self.rates, self.lr * np.repeat(powers, self.steps // 6))


PRESETS = {
    "quick": AutoencoderSettings(steps=3_000, decay_steps=200),
    "standard": AutoencoderSettings(),
    "deep": AutoencoderSettings(steps=80_000, stages=5, decay_steps=10_000),
}


@dataclass(frozen=True, slots=True, eq=False)
class AutoencoderRun:
    """Everything measured, in one run of each arm from the same initial point.

    Attributes:
        settings: the sizes.
        samples: training samples.
        sgd: SGD with label noise, γ = 0.
        gd: full-batch gradient descent with label noise, γ = 0, as many steps.
        clean: SGD without label noise, γ = 0, with falling learning rates at its end.
        decay: the exact law along SGD with label noise and weight decay.
        factor: f in E[ΔQ] = known + f·(4η²/S)(WΓ⁰_WWᵀ − UᵀΓ⁰_UU), arm `sgd`.
        noisy_descent: from the end of `sgd` to a minimum.
        clean_descent: from the end of `clean` to a minimum.
    """

    settings: AutoencoderSettings
    samples: int
    sgd: Trajectory
    gd: Trajectory
    clean: Trajectory
    decay: MatrixLaw
    factor: FactorInterval
    noisy_descent: Descent
    clean_descent: Descent

    @property
    def laws(self) -> tuple[MatrixLaw, ...]:
        """The exact laws of all arms."""
        return self.sgd.law, self.gd.law, self.clean.law, self.decay

    @property
    def aligned(self) -> bool:
        """Whether SGD halves GD's imbalance and angle, centred or not.

        Sides are averaged over the last quarter of the time. 1 − cos is the angle's
        measure. A halving is what makes a difference worth the name.
        """
        pairs = [
            (self.sgd.tail(centred=centred), self.gd.tail(centred=centred))
            for centred in (False, True)
        ]
        return all(
            sgd.imbalance <= 0.5 * gd.imbalance
            and 1.0 - sgd.cosine <= 0.5 * (1.0 - gd.cosine)
            for sgd, gd in pairs
        )

    @property
    def opposed(self) -> bool:
        """Whether SGD ends with an imbalance no smaller than that of GD."""
        return self.sgd.tail().imbalance >= self.gd.tail().imbalance

    @property
    def clean_phases(self) -> tuple[Sides, ...]:
        """Means without label noise: 4 quarters at the rate η, then each stage."""
        end = self.settings.steps * self.settings.lr
        edges = [*np.linspace(0.0, end, 5)]
        for stage in range(1, self.settings.stages + 1):
            length = self.settings.steps // 6 * self.settings.lr * 0.5**stage
            edges.append(edges[-1] + length)
        return tuple(
            self.clean.mean(a, b, centred=False) for a, b in itertools.pairwise(edges)
        )

    @property
    def one_sided(self) -> bool:
        """Whether without label noise most noise acts on U, the more the lower η.

        At a fixed rate SGD keeps off the minimum by fluctuation, so that λ* levels off
        and falls again once U has grown: nothing is asked of it there. Asked for: a λ*
        that grows with every halving of η, and shares above ¾ at the halved rates.
        """
        phases = self.clean_phases[3:]  # the last quarter, then the stages
        grows = bool((np.diff([sides.lam for sides in phases]) > 0.0).all())
        return grows and all(sides.share > 0.75 for sides in phases[1:])

    @property
    def runs_off(self) -> bool:
        """Whether λ* grows without bound towards a minimum, and only if y = x.

        Without label noise λ* gains the predicted amount with every sweep, and Uᵀr
        vanishes to rounding at the minimum. With label noise Uᵀr does not, and over
        the second half of the sweeps λ* moves a tenth as far at most.
        """
        clean, noisy = self.clean_descent, self.noisy_descent
        settled = abs(noisy.last_growth) <= 0.1 * abs(clean.last_growth)
        return clean.unbounded and clean.one_sided and not noisy.one_sided and settled


def run_autoencoder(
    *,
    rng: np.random.Generator,
    alpha: float,
    settings: AutoencoderSettings | None = None,
) -> AutoencoderRun:
    """Train the autoencoder by SGD and GD, with and without label noise.

    Args:
        rng: stream of this experiment; children of it are spawned.
        alpha: bound on the probability that the factor's interval misses.
        settings: sizes; the "standard" preset where None.

    Returns:
        The measurements. A few seconds to half a minute on one core.
    """
    chosen = settings or PRESETS["standard"]
    x = digits()[0][:: chosen.stride]
    start, *streams = rng.spawn(4)
    net, y = initial(start, chosen, x)
    noisy, clean = Problem(x, y), Problem(x, x)

    def train(
        problem: Problem, rates: Array, stream: np.random.Generator, draws: int = 0
    ) -> Training:
        every = chosen.every
        return Training(problem, net, rates, every=every, draws=draws, rng=stream)

    sgd = train(noisy, chosen.rates, streams[0], chosen.draws)
    without = train(clean, chosen.falling_rates, streams[1])
    decayed = replace(noisy, gamma=chosen.gamma)
    decay = train(decayed, chosen.rates[: chosen.decay_steps], streams[2])
    gd = train(replace(noisy, stochastic=False), chosen.rates, streams[2])
    return AutoencoderRun(
        settings=chosen,
        samples=len(x),
        sgd=sgd.trajectory,
        gd=gd.trajectory,
        clean=without.trajectory,
        decay=decay.trajectory.law,
        factor=sgd.test.interval(alpha),
        noisy_descent=descend(noisy, sgd.end, chosen.sweeps),
        clean_descent=descend(clean, without.end, chosen.sweeps),
    )


def initial(
    rng: np.random.Generator, settings: AutoencoderSettings, x: Array
) -> tuple[LinearNet, Array]:
    """Return the network all arms start from, and the noisy targets.

    Args:
        rng: stream.
        settings: sizes.
        x: inputs, shape (N, d_x).

    Returns:
        A visibly unbalanced network, and y = x + fixed noise, shape (N, d_x).
    """
    shape = (x.shape[1], settings.width)
    U = settings.upper * rng.standard_normal(shape)
    W = settings.lower * rng.standard_normal(shape[::-1])
    return LinearNet(U, W), x + settings.noise * rng.standard_normal(x.shape)
