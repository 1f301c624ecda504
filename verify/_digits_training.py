"""One training run of the digits experiment, checked at every step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from numeric import Backprop, NeuronForms, ReluMlp
from verify._digits_records import BalancePoint, ExactLaw, Trajectory
from verify._statistics import FactorTest


Array = NDArray[np.float64]
Labels = NDArray[np.intp]
EPS = float(np.finfo(np.float64).eps)
_REACH = 8.0  # the minimiser searches λ in [-8, 8]; live neurons lie within ±4


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A network, its data and the optimiser; batch_size 0 stands for all samples."""

    net: ReluMlp
    inputs: Array
    labels: Labels
    lr: float
    batch_size: int
    gamma: float

    @property
    def shrink(self) -> float:
        return 1.0 - 2.0 * self.lr * self.gamma

    @property
    def per_batch(self) -> float:
        """1/S, and 0 for the full batch, which has no noise."""
        return 1.0 / self.batch_size if self.batch_size else 0.0

    def whole(self, theta: Array) -> Backprop:
        return self.net.backprop(theta, self.inputs, self.labels)

    def batch(self, theta: Array, rng: np.random.Generator) -> Backprop:
        if not self.batch_size:
            return self.whole(theta)
        index = rng.integers(0, len(self.labels), self.batch_size)
        return self.net.backprop(theta, self.inputs[index], self.labels[index])

    def halves(self, run: Backprop) -> NeuronForms:
        """Return the noise Tr Σ over the two halves of each neuron's block."""
        forms, mean = run.neuron_forms(), self.net.forms(run.mean_gradient())
        noise = []
        for each, centre in (
            (forms.incoming, mean.incoming),
            (forms.outgoing, mean.outgoing),
        ):
            alive = each.max(axis=0) > 0.0
            noise.append(np.where(alive, np.maximum(each.mean(axis=0) - centre, 0), 0))
        return NeuronForms(*noise)

    def balance(self, noise: NeuronForms, theta: Array) -> Array:
        """Return λ* = ¼ ln((σ²s₊ + 2γt₋)/(σ²s₋ + 2γt₊)); NaN where it is not finite."""
        # GD has no noise: the λ* recorded there is that of SGD with one sample.
        sigma2 = 0.5 * self.lr * (self.per_batch or 1.0)
        size = self.net.forms(theta)
        up = sigma2 * noise.incoming + 2.0 * self.gamma * size.outgoing
        down = sigma2 * noise.outgoing + 2.0 * self.gamma * size.incoming
        live = (up > 0.0) & (down > 0.0)
        ratio = np.divide(up, down, where=live, out=np.ones_like(up))
        return np.where(live, 0.25 * np.log(ratio), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class _Bet:
    """A weighted sum of charges, chosen at θ, and what bounds its next increment."""

    weights: Array
    known: float
    predicted: float
    lower: float
    upper: float

    @property
    def contrast(self) -> float:
        return self.predicted / (self.upper - self.lower)


class _Law:
    """Collects the residuals of the exact law."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._worst = np.zeros(4)
        self._sums = np.zeros(2)
        self._counts = np.zeros(2, dtype=np.intp)

    def check(self, theta: Array, new: Array, run: Backprop, g: Array) -> Array:
        """Return the tolerances per neuron, after comparing C' with its law."""
        net, lr = self._problem.net, self._problem.lr
        forms, before, after = net.forms(g), net.forms(theta), net.forms(new)
        term = 0.5 * lr**2 * forms.difference
        expected = self._problem.shrink**2 * 0.5 * before.difference + term
        residual = 0.5 * after.difference - expected
        squares = before.total + after.total + lr**2 * forms.total
        tolerance = self._rounding(theta, run, squares)
        # The law as it is, without its noise term, and with twice that term.
        ratios = np.abs([residual, residual + term, residual - term]) / tolerance
        maxima = np.append(ratios.max(axis=1), np.abs(residual).max())
        # np.maximum keeps a NaN, and NaN <= 1 is false.
        self._worst = np.maximum(self._worst, maxima)
        self._sums += np.array([tolerance.sum(), np.abs(term).sum()])
        self._counts += np.array([len(term), np.count_nonzero(forms.total == 0.0)])
        return tolerance

    def _rounding(self, theta: Array, run: Backprop, squares: Array) -> Array:
        """Return a bound on the rounding of one step of the law, per neuron.

        With d parameters in the neuron's block, S samples and u = eps/2 per operation:
        the update costs 2u(|θ| + η|g|) per entry, that is 4u(θ² + η²g²) in C'; sums of
        d squares cost (d + 3)u of their terms. And g·J = 0 holds up to the rounding of
        z = w·a + b (n_in + 1), of u·δ (n_out) and of the sums over samples (S + 1 in
        each half), relative to the mean of (|w|·|a| + |b|)(|u|·|δ|). Taking eps for u
        leaves a factor of two for products of these.
        """
        net = self._problem.net
        layers = net.layers(np.abs(theta))
        parts, samples = [], len(run.losses)
        for (weight, bias), (after, _), a, delta in zip(
            layers[:-1], layers[1:], run.activations[:-1], run.deltas[1:], strict=True
        ):
            fan = weight.shape[1] + 1 + after.shape[0]
            scale = ((a @ weight.T + bias) * (np.abs(delta) @ after)).mean(axis=0)
            counts = (fan + 2.0 * samples + 8.0) * self._problem.lr
            parts.append((counts * scale, np.full(len(bias), fan + 8.0)))
        products, counts_of_block = (
            np.concatenate(p) for p in zip(*parts, strict=True)
        )
        return np.asarray(EPS * (products + 0.5 * counts_of_block * squares))

    def result(self) -> ExactLaw:
        worst, without, doubled, residual = (float(value) for value in self._worst)
        checks, trivial = (int(count) for count in self._counts)
        resolution = float(self._sums[0] / self._sums[1]) if self._sums[1] else math.inf
        return ExactLaw(checks, trivial, worst, residual, without, doubled, resolution)


@dataclass(slots=True, eq=False)
class _Rows:
    """What is recorded at the measured steps, one list per quantity."""

    steps: list[int] = field(default_factory=list)
    numbers: list[tuple[float, float, float]] = field(default_factory=list)
    charges: list[Array] = field(default_factory=list)
    drift: list[Array] = field(default_factory=list)
    trace: list[Array] = field(default_factory=list)
    lam: list[Array] = field(default_factory=list)
    gap: list[Array] = field(default_factory=list)

    def trajectory(self, lr: float, law: ExactLaw) -> Trajectory:
        steps = np.array(self.steps, dtype=np.intp)
        loss, accuracy, noise = np.array(self.numbers, dtype=np.float64).T
        return Trajectory(
            steps=steps,
            time=np.asarray(lr * steps, dtype=np.float64),
            loss=loss,
            accuracy=accuracy,
            noise=noise,
            charges=np.array(self.charges),
            drift=np.array(self.drift),
            trace=np.array(self.trace),
            lam=np.array(self.lam),
            gap=np.array(self.gap),
            law=law,
        )


class Training:
    """One training run: every step checked, the scheduled steps measured.

    Attributes:
        test: the observations that test the flow's noise factor.
        kept: parameters at the checkpoints, by step.
        trajectory: what was recorded.
    """

    def __init__(
        self,
        problem: Problem,
        theta: Array,
        schedule: tuple[int, ...],
        *,
        checkpoints: tuple[float, ...] = (),
        minibatches: int,
        rng: np.random.Generator,
    ) -> None:
        self.test = FactorTest()
        self.kept: dict[int, Array] = {}
        self._problem, self._minibatches, self._rng = problem, minibatches, rng
        self._rows, law = _Rows(), _Law(problem)
        measured = set(schedule)
        wanted = {schedule[round(c * (len(schedule) - 1))] for c in checkpoints}
        for step in range(schedule[-1] + 1):
            bet = self._measure(step, theta) if step in measured else None
            if step in wanted:
                self.kept[step] = theta
            if step < schedule[-1]:
                theta = self._step(theta, law, bet)
        self.trajectory = self._rows.trajectory(problem.lr, law.result())

    def _step(self, theta: Array, law: _Law, bet: _Bet | None) -> Array:
        problem = self._problem
        run = problem.batch(theta, self._rng)
        gradient = run.mean_gradient()
        new = problem.shrink * theta - problem.lr * gradient
        tolerance = law.check(theta, new, run, gradient)
        if bet is not None:
            self._observe(bet, theta, new, tolerance)
        return new

    def _observe(self, bet: _Bet, theta: Array, new: Array, tolerance: Array) -> None:
        """Add the step actually taken: Σ w_jΔC_j from the parameters themselves."""
        before, after = self._problem.net.charges(np.stack([theta, new]))
        decay = (self._problem.shrink**2 - 1.0) * float(bet.weights @ before)
        slack = float(np.abs(bet.weights) @ tolerance)
        self.test.add(
            bet.weights @ (after - before),
            known=decay + bet.known,
            predicted=bet.predicted,
            lower=decay + bet.lower - slack,
            upper=decay + bet.upper + slack,
        )

    def _measure(self, step: int, theta: Array) -> _Bet | None:
        problem = self._problem
        run = problem.whole(theta)
        noise = problem.halves(run)
        mean = problem.net.forms(run.mean_gradient()).difference
        self._record(step, theta, run, noise, mean)
        if not problem.batch_size:
            return None
        bets = _bets(problem, run, noise.difference, mean)
        bet = max(bets, key=lambda each: each.contrast, default=None)
        if bet is not None and self._minibatches:
            self._draw(bet, run)
        return bet

    def _record(
        self, step: int, theta: Array, run: Backprop, noise: NeuronForms, mean: Array
    ) -> None:
        problem, rows = self._problem, self._rows
        size, lam = problem.net.forms(theta), problem.balance(noise, theta)
        charges, trace = 0.5 * size.difference, noise.difference
        drift = 0.5 * problem.lr**2 * (mean + problem.per_batch * trace)
        balanced = size.incoming * np.exp(2 * lam) - size.outgoing * np.exp(-2 * lam)
        accuracy = float((run.logits.argmax(axis=1) == problem.labels).mean())
        rows.steps.append(step)
        rows.numbers.append((float(run.losses.mean()), accuracy, run.noise_trace()))
        rows.charges.append(charges)
        rows.drift.append((problem.shrink**2 - 1.0) * charges + drift)
        rows.trace.append(trace)
        rows.lam.append(lam)
        rows.gap.append(0.5 * balanced - charges)

    def _draw(self, bet: _Bet, run: Backprop) -> None:
        """Add ½η²ĝᵀBĝ of fresh minibatches at the same θ: independent given θ."""
        problem = self._problem
        size = (self._minibatches, problem.batch_size)
        index = self._rng.integers(0, len(problem.labels), size)
        forms = problem.net.forms(run.minibatch_gradients(index)).difference
        self.test.add(
            0.5 * problem.lr**2 * (forms @ bet.weights),
            known=bet.known,
            predicted=bet.predicted,
            lower=bet.lower,
            upper=bet.upper,
        )


def _bets(problem: Problem, run: Backprop, trace: Array, mean: Array) -> Iterator[_Bet]:
    """Yield weightings of the charges; all depend on θ only, so each is predictable.

    The square of a mean is at most the mean of the squares, hence the largest square:
    -max_i g_iᵀB₋g_i ≤ ĝᵀBĝ ≤ max_i g_iᵀB₊g_i for B = Σ w_jA_j = B₊ - B₋, diagonal.
    """
    net, half = problem.net, 0.5 * problem.lr**2
    reach = run.neuron_forms().total.max(axis=0)
    share = np.divide(np.abs(trace), reach, where=reach > 0, out=np.zeros_like(reach))
    signed = np.sign(trace) * np.sqrt(share)
    layers = [np.isin(np.arange(net.hidden), np.arange(*span)) for span in net.spans()]
    for mask in [np.ones(net.hidden, dtype=bool), *layers]:
        weights = np.where(mask, signed, 0.0)
        if not weights.any():
            continue
        diagonal = net.diagonal(weights)
        yield _Bet(
            weights,
            known=half * float(weights @ mean),
            predicted=half * problem.per_batch * float(weights @ trace),
            lower=-half * float(run.diagonal_form(np.maximum(-diagonal, 0.0)).max()),
            upper=half * float(run.diagonal_form(np.maximum(diagonal, 0.0)).max()),
        )


def balance_points(
    problem: Problem, kept: dict[int, Array], stride: int
) -> Iterator[BalancePoint]:
    """Yield λ* by two routes for every neuron that has one.

    Args:
        problem: the network and its data.
        kept: parameters by step.
        stride: the data are every stride-th sample.

    Yields:
        One point per step and neuron with a finite λ*.
    """
    few = replace(
        problem, inputs=problem.inputs[::stride], labels=problem.labels[::stride]
    )
    for step, theta in kept.items():
        closed = few.balance(few.halves(few.whole(theta)), theta)
        for neuron in np.flatnonzero(np.isfinite(closed)):
            yield _minimise(few, theta, step, int(neuron), float(closed[neuron]))


def _minimise(
    problem: Problem, theta: Array, step: int, neuron: int, closed: float
) -> BalancePoint:
    """Return λ* as the minimiser of Φ(θ_λ) = γ‖θ_λ‖² + (η/4S) Tr Σ(θ_λ).

    The search is by golden section and parabolas. Φ is computed up to ε|Φ|, so the
    minimiser is fixed to about τ = √(ε|Φ|/Φ''). With trial points τ apart: a trial
    discarded wrongly has slope at most 2ε|Φ|/τ there, so it lies within 2τ of λ*, and
    the value kept exceeds the least by at most 8ε|Φ|. Since Φ - Φ_min is at least
    ½Φ''·(λ - λ*)² here (a cosh), the error is at most 4τ, and τ more for where the
    search stops.
    """
    net = problem.net
    factor = 0.25 * problem.lr * problem.per_batch

    def potential(lam: float) -> float:
        moved = net.rescaled(theta, neuron, lam)
        decay = problem.gamma * float(moved @ moved)
        return decay + factor * problem.whole(moved).noise_trace()

    run = problem.whole(theta)
    # This neuron contributes a e^{-2λ} + b e^{2λ}, so that Φ''(λ*) = 8√(ab).
    noise, size = problem.halves(run), net.forms(theta)
    falls = factor * noise.incoming[neuron] + problem.gamma * size.outgoing[neuron]
    rises = factor * noise.outgoing[neuron] + problem.gamma * size.incoming[neuron]
    curvature = 8.0 * math.sqrt(falls * rises)
    # A softmax share has the relative error that its logit has absolutely.
    magnitude = 1.0 + float(np.abs(run.logits).max())
    rounding = 2.0 * EPS * (sum(net.widths) + 32) * magnitude
    tau = math.sqrt(rounding * abs(potential(closed)) / curvature)
    found = minimize_scalar(
        potential, bounds=(-_REACH, _REACH), method="bounded", options={"xatol": tau}
    )
    return BalancePoint(step, problem.gamma, neuron, closed, float(found.x), 5.0 * tau)
