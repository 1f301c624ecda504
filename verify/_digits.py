"""SGD on handwritten digits: the exact law, the flow's noise factor, and the balance.

A ReLU classifier is trained on scikit-learn's 1797 digits by SGD that samples with
replacement, so that one-step expectations are exact sums over the data. The network
interpolates: its noise dies out, and the flow with it, before the charges balance.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numeric import ReluMlp
from verify._digits_records import BalancePoint, Trajectory
from verify._digits_training import Problem, Training, balance_points
from verify._evidence import Figure, Series
from verify._statistics import FactorInterval


_DIGITS = "sklearn.datasets"  # takes a second to import: only where a net is trained
Array = NDArray[np.float64]
Labels = NDArray[np.intp]
_POINTS = 200  # of a figure's series at most


class MissingDigitsError(ImportError):
    """scikit-learn, which ships the digits, is not installed."""


@dataclass(frozen=True, slots=True)
class DigitsSettings:
    """The sizes of a run; time is learning rate × steps.

    Attributes:
        steps: SGD steps without weight decay.
        decay_steps: SGD steps of the second run, with weight decay.
        gd_steps: full-batch steps from the same initial point.
        batch_size: samples per minibatch, drawn with replacement.
        lr: learning rate η.
        gamma: γ of the decay run, for γ‖θ‖².
        measured: measured steps of the main run, denser at its start.
        minibatches: extra minibatch gradients drawn at each measured step.
        checkpoints: shares of the main run at which λ* is computed twice.
        stride: λ* is that of every stride-th sample.
        hidden: hidden widths.
    """

    steps: int = 14_000
    decay_steps: int = 2_000
    gd_steps: int = 500
    batch_size: int = 8
    lr: float = 0.1
    gamma: float = 1e-3
    measured: int = 180
    minibatches: int = 256
    checkpoints: tuple[float, ...] = (0.0, 0.25, 1.0)
    stride: int = 5
    hidden: tuple[int, ...] = (32, 32)

    def __post_init__(self) -> None:
        sizes = (self.steps, self.decay_steps, self.gd_steps, self.measured)
        if min(*sizes, self.batch_size, self.minibatches, self.stride) < 1:
            raise ValueError(f"expected positive sizes, got {self}")
        if not (self.lr > 0.0 and self.gamma > 0.0):
            raise ValueError(f"expected lr > 0 and gamma > 0, got {self}")

    def schedule(self, steps: int) -> tuple[int, ...]:
        """Return the steps at which a run is measured: fixed before it starts.

        Args:
            steps: length of the run.

        Returns:
            Increasing step numbers from 0 to `steps`, spaced quadratically.

        >>> DigitsSettings(measured=5).schedule(80)
        (0, 5, 20, 45, 80)
        """
        grid = np.linspace(0.0, 1.0, min(self.measured, steps + 1)) ** 2
        return tuple(int(s) for s in np.unique(np.round(steps * grid)))


PRESETS = {
    "quick": DigitsSettings(
        steps=1_500,
        decay_steps=300,
        gd_steps=100,
        measured=48,
        minibatches=192,
        checkpoints=(0.0, 1.0),
        stride=32,
    ),
    "standard": DigitsSettings(),
    "deep": DigitsSettings(
        steps=20_000,
        decay_steps=6_000,
        gd_steps=4_000,
        measured=600,
        checkpoints=(0.0, 0.1, 0.25, 0.5, 1.0),
        stride=1,
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class DigitsRun:
    """Everything measured.

    Attributes:
        settings: the sizes.
        samples: training samples.
        sgd: the main run, γ = 0.
        gd: full-batch gradient descent from the same initial point, γ = 0.
        decay: SGD with weight decay from the same initial point.
        factor: f in E[ΔC] = ½η²ḡᵀAḡ + f·½η²Tr[ΣA]/S, main run.
        decay_factor: the same with (κ²-1)C added, κ = 1-2ηγ, decay run.
        balances: λ* twice for every live neuron at the checkpoints.
        dead: (checkpoint, neuron) pairs left out because λ* does not exist.
    """

    settings: DigitsSettings
    samples: int
    sgd: Trajectory
    gd: Trajectory
    decay: Trajectory
    factor: FactorInterval
    decay_factor: FactorInterval
    balances: tuple[BalancePoint, ...]
    dead: int

    @property
    def worst_balance(self) -> float:
        """The largest error of a λ* in units of its tolerance; NaN without any."""
        return max((point.error for point in self.balances), default=math.nan)

    @property
    def unresolved(self) -> int:
        """How many λ* the optimiser does not resolve: they prove nothing."""
        return sum(not point.resolved for point in self.balances)

    @property
    def balances_agree(self) -> bool:
        """Whether both routes to λ* agree for every neuron, some of them resolved."""
        resolved = len(self.balances) - self.unresolved
        return resolved > 0 and all(point.error <= 1.0 for point in self.balances)

    @property
    def interpolates(self) -> bool:
        """Whether SGD ends with every training sample classified correctly."""
        return bool(self.sgd.accuracy[-1] == 1.0)

    @property
    def rate_decay(self) -> float:
        """Σ|Tr[ΣA_j]| at the end of SGD relative to its start."""
        return float(self.sgd.rate[-1] / self.sgd.rate[0])

    @property
    def remaining_imbalance(self) -> float:
        """Σ|C_j| at the end of SGD relative to its start (it may exceed 1)."""
        return float(self.sgd.imbalance[-1] / self.sgd.imbalance[0])

    @property
    def remaining_distance(self) -> float:
        """Median |λ*| of the live neurons at the end of SGD relative to its start."""
        median = self.sgd.quantile(0.5)
        return float(median[-1] / median[0])

    @property
    def halfway(self) -> float:
        """Share of Σ_j|C_j(t) - C_j(0)| at the end that the first half had made."""
        moved = np.abs(self.sgd.charges - self.sgd.charges[0]).sum(axis=1)
        middle = int(np.searchsorted(self.sgd.steps, self.sgd.steps[-1] // 2))
        return float(moved[middle] / moved[-1])

    @property
    def gd_motion(self) -> float:
        """Largest |C_j(t) - C_j(0)| of gradient descent: ½η²Σḡᵀ_tA_jḡ_t, of order η."""
        return float(np.abs(self.gd.charges - self.gd.charges[0]).max())

    @property
    def sgd_motion(self) -> float:
        """Largest |C_j(t) - C_j(0)| of SGD over the same time."""
        within = self.sgd.time <= self.gd.time[-1]
        return float(np.abs(self.sgd.charges - self.sgd.charges[0])[within].max())


def digits() -> tuple[Array, Labels]:
    """Return scikit-learn's handwritten digits.

    Returns:
        Pixels in [0, 1], shape (1797, 64), and classes 0 to 9, shape (1797,).

    Raises:
        MissingDigitsError: where scikit-learn is missing.
    """
    try:
        datasets = importlib.import_module(_DIGITS)
    except ImportError as error:
        raise MissingDigitsError(
            "expected scikit-learn, which ships the digits, and found none: "
            "pip install noetherflow[report]"
        ) from error
    images, labels = datasets.load_digits(return_X_y=True)
    return np.asarray(images, dtype=np.float64) / 16.0, np.asarray(labels, np.intp)


def run_digits(
    *, rng: np.random.Generator, alpha: float, settings: DigitsSettings | None = None
) -> DigitsRun:
    """Train on the digits by SGD, SGD with decay and GD, and measure the flow.

    Args:
        rng: stream of this experiment; children of it are spawned.
        alpha: bound on the probability of each of the two factor intervals to miss.
        settings: sizes; the "standard" preset where None.

    Returns:
        The measurements. A few seconds to half a minute on one core.
    """
    chosen = settings or PRESETS["standard"]
    inputs, labels = digits()
    net = ReluMlp((inputs.shape[1], *chosen.hidden, int(labels.max()) + 1))
    start, first, second = rng.spawn(3)
    theta = net.initial(start)
    problem = Problem(net, inputs, labels, chosen.lr, chosen.batch_size, 0.0)
    decayed = replace(problem, gamma=chosen.gamma)
    sgd = Training(
        problem,
        theta,
        chosen.schedule(chosen.steps),
        checkpoints=chosen.checkpoints,
        minibatches=chosen.minibatches,
        rng=first,
    )
    decay = Training(
        decayed,
        theta,
        chosen.schedule(chosen.decay_steps),
        checkpoints=(1.0,),
        minibatches=chosen.minibatches,
        rng=second,
    )
    gd = Training(
        replace(problem, batch_size=0),
        theta,
        chosen.schedule(chosen.gd_steps),
        minibatches=0,
        rng=first,  # draws nothing
    )
    points = [
        *balance_points(problem, sgd.kept, chosen.stride),
        *balance_points(decayed, decay.kept, chosen.stride),
    ]
    return DigitsRun(
        settings=chosen,
        samples=len(labels),
        sgd=sgd.trajectory,
        gd=gd.trajectory,
        decay=decay.trajectory,
        factor=sgd.test.interval(alpha),
        decay_factor=decay.test.interval(alpha),
        balances=tuple(points),
        dead=net.hidden * (len(sgd.kept) + len(decay.kept)) - len(points),
    )


def digits_figures(run: DigitsRun) -> tuple[Figure, ...]:
    """Return the figures of a run.

    Args:
        run: the measurements.

    Returns:
        Loss and noise, charges with their prediction, distance to balance, and λ* by
        both routes.
    """
    return _training(run), _charges(run), _distance(run), _equilibria(run)


def _thin(values: Array) -> tuple[float, ...]:
    """Return at most 200 of the values, evenly chosen, both ends among them."""
    keep = np.linspace(0, len(values) - 1, min(len(values), _POINTS)).round()
    return tuple(values[keep.astype(np.intp)].tolist())


def _line(
    label: str, x: Array, y: Array, *, kind: str = "line", group: int = 0
) -> Series:
    return Series(label, _thin(x), _thin(y), kind=kind, group=group)


def _training(run: DigitsRun) -> Figure:
    series = []
    for group, (name, each) in enumerate((("SGD", run.sgd), ("GD", run.gd))):
        time = each.time[1:]
        noise = each.noise[1:]
        series.append(_line(f"{name}: loss", time, each.loss[1:], group=group))
        series.append(_line(f"{name}: Tr Σ", time, noise, kind="dashed", group=group))
    return Figure(
        "Training interpolates, and the noise dies out",
        "time (learning rate × steps)",
        "training loss, Tr Σ",
        tuple(series),
        xscale="log",
        yscale="log",
        caption="Full lines: loss. Dashed: trace of the gradients' covariance.",
    )


def _charges(run: DigitsRun) -> Figure:
    sgd = run.sgd
    moved = np.abs(sgd.charges[-1] - sgd.charges[0])
    # From the least to the most moved neuron, evenly by rank.
    ranks = np.linspace(0, len(moved) - 1, 6).round().astype(np.intp)
    series = []
    for group, neuron in enumerate(np.argsort(moved)[ranks]):
        x, label = sgd.time, f"neuron {neuron}"
        series.append(_line(label, x, sgd.charges[:, neuron], group=group))
        predicted = sgd.predicted[:, neuron]
        series.append(_line("", x, predicted, kind="dashed", group=group))
    return Figure(
        "Charges of single neurons and the flow's prediction",
        "time (learning rate × steps)",
        "charge C_j",
        tuple(series),
        caption=(
            "Full lines: SGD. Dashed: C(0) plus the conditional means of the steps, "
            "computed at the measured steps and interpolated between. They differ by "
            "a martingale and by that interpolation."
        ),
    )


def _distance(run: DigitsRun) -> Figure:
    sgd = run.sgd
    low, middle, high = (sgd.quantile(share) for share in (0.1, 0.5, 0.9))
    band = Series(
        label="|λ*|, 10 % to 90 %",
        x=_thin(sgd.time),
        y=_thin(low),
        upper=_thin(high),
        kind="band",
    )
    rate = _line(
        "rate Σ|Tr[ΣA]|, of its start", sgd.time, sgd.rate / sgd.rate[0], group=1
    )
    charge = sgd.imbalance / sgd.imbalance[0]
    total = _line("Σ|C|, of its start", sgd.time, charge, group=2)
    return Figure(
        "The flow stops before balance is reached",
        "time (learning rate × steps)",
        "|λ*|, shares",
        (band, _line("|λ*|, median", sgd.time, middle), rate, total),
        yscale="log",
        caption="λ* is the rescaling that would balance a neuron; 0 is balance.",
    )


def _equilibria(run: DigitsRun) -> Figure:
    points = [point for point in run.balances if point.resolved]
    closed = np.array([point.closed for point in points])
    found = np.array([point.optimised for point in points])
    ends = np.array([closed.min(initial=0.0), closed.max(initial=0.0)])
    return Figure(
        "Noise equilibrium: closed form against an optimiser",
        "λ*, closed form",
        "λ*, minimiser of γ‖θ‖² + (η/4S) Tr Σ",
        (
            _line("equal", ends, ends, kind="dashed", group=-1),
            _line("neurons", closed, found, kind="points"),
        ),
        caption=(
            "Each trial of the optimiser is a forward and backward pass at θ_λ. Shown: "
            f"of {len(points)} that the optimiser resolves to 0.05, at most {_POINTS}."
        ),
    )
