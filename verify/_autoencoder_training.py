"""One training run of the linear autoencoder, checked at every step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from numeric import LinearNet
from verify._autoencoder_records import Descent, MatrixLaw, Sides, Trajectory
from verify._digits_records import ExactLaw
from verify._statistics import FactorTest


Array = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Problem:
    """Inputs, targets and the optimiser.

    Attributes:
        x: inputs, shape (N, d_x).
        y: targets, shape (N, d_y).
        stochastic: SGD with one sample a step, drawn with replacement; else GD.
        gamma: weight decay γ of γ‖θ‖².
    """

    x: Array
    y: Array
    stochastic: bool = True
    gamma: float = 0.0

    @cached_property
    def size_x(self) -> Array:
        return np.asarray((self.x**2).sum(axis=1))

    @cached_property
    def moments(self) -> tuple[Array, Array]:
        """E[xxᵀ] and E[yxᵀ]: all that full-batch gradients need."""
        return self.x.T @ self.x / len(self.x), self.y.T @ self.x / len(self.x)

    @cached_property
    def regression(self) -> Array:
        """K = argmin E‖Kx − y‖², shape (d_y, d_x); Kx = x for every sample if y = x."""
        return np.asarray(np.linalg.lstsq(self.x, self.y)[0].T)

    def samples(self, net: LinearNet) -> Samples:
        hidden = self.x @ net.W.T
        r = hidden @ net.U.T - self.y
        return Samples(self.x, self.size_x, r, hidden, r @ net.U)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What both sides are made of, for every sample.

    Attributes:
        x: inputs, shape (N, d_x).
        size_x: ‖x‖², shape (N,).
        r: residuals UWx − y, shape (N, d_y).
        h: hidden units Wx, shape (N, d).
        v: Uᵀr, shape (N, d).
    """

    x: Array
    size_x: Array
    r: Array
    h: Array
    v: Array

    @property
    def size_r(self) -> Array:
        return np.asarray((self.r**2).sum(axis=1))

    def second(self) -> Array:
        """Return E[‖r‖²hhᵀ] and E[‖x‖²vvᵀ], ¼ of E[g_Uᵀg_U] and of E[g_Wg_Wᵀ]."""
        N = len(self.x)
        up = (self.h * self.size_r[:, None]).T @ self.h / N
        down = (self.v * self.size_x[:, None]).T @ self.v / N
        return np.stack([up, down])

    def means(self) -> Array:
        """Return WMᵀMWᵀ and UᵀMMᵀU, M = E[rxᵀ]: what centring takes away."""
        N = len(self.x)
        up, down = self.r.T @ self.h / N, self.v.T @ self.x / N
        return np.stack([up.T @ up, down @ down.T])

    def forms(self, B: Array) -> Array:
        """Return Tr[B(g_Uᵀg_U − g_Wg_Wᵀ)] of every sample alone, shape (N,)."""
        up = self.size_r * ((self.h @ B) * self.h).sum(axis=1)
        down = self.size_x * ((self.v @ B) * self.v).sum(axis=1)
        return np.asarray(4.0 * (up - down))


@dataclass(frozen=True, slots=True, eq=False)
class _Gradient:
    """A gradient, and |U|ᵀ|G||W|ᵀ of the matrix G with g_U = GWᵀ and g_W = UᵀG."""

    U: Array
    W: Array
    reach: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Bet:
    """A symmetric B chosen at θ, and what bounds the next Tr[BΔQ]."""

    B: Array
    forms: Array
    known: float
    predicted: float

    @property
    def contrast(self) -> float:
        return self.predicted / float(np.ptp(self.forms))


class _Law:
    """Collects the residuals of the exact law and of Noether's identity."""

    def __init__(self, gamma: float, width: int) -> None:
        self._gamma = gamma
        # Of the law, without its noise term, with twice it; that term; the identity.
        self._worst = np.zeros((5, width, width))
        self._sums = np.zeros((2, width, width))
        self._residual = np.zeros((width, width))
        self._upper = np.triu(np.ones((width, width), dtype=bool))
        self._steps = self._trivial = 0

    def check(
        self, before: LinearNet, after: LinearNet, g: _Gradient, lr: float
    ) -> tuple[Array, Array]:
        """Return ΔQ and the tolerances of Q', (d, d), after testing Q' by its law."""
        charge, new = before.charge, after.charge
        term = lr**2 * (g.U.T @ g.U - g.W @ g.W.T)
        kappa2 = (1.0 - 2.0 * lr * self._gamma) ** 2
        residual = new - (kappa2 * charge + term)
        products, tolerance = _rounding(before, g, lr)
        ratios = np.empty_like(self._worst)
        ratios[:4] = residual, residual + term, residual - term, term
        ratios[:4] /= tolerance
        ratios[4] = (before.U.T @ g.U - g.W @ before.W.T) / products
        # np.maximum keeps a NaN, and NaN <= 1 is false.
        np.maximum(self._worst, np.abs(ratios), out=self._worst)
        np.maximum(self._residual, np.abs(residual), out=self._residual)
        self._sums += np.stack([tolerance, np.abs(term)])
        self._steps += 1
        self._trivial += int(np.count_nonzero((term == 0.0) & self._upper))
        return new - charge, tolerance

    def result(self) -> MatrixLaw:
        worst, without, doubled, signal, identity = self._worst.max((1, 2)).tolist()
        rounding, noise = self._sums.sum(axis=(1, 2)).tolist()
        exact = ExactLaw(
            checks=self._steps * int(self._upper.sum()),
            trivial=self._trivial,
            worst=worst,
            worst_residual=float(self._residual.max()),
            worst_without_noise=without,
            worst_doubled=doubled,
            resolution=rounding / noise if noise else math.inf,
        )
        return MatrixLaw(exact, identity, signal)


def _rounding(net: LinearNet, g: _Gradient, lr: float) -> tuple[Array, Array]:
    """Return bounds on the rounding of Uᵀg_U − g_WWᵀ and of one step of the law.

    Every operation errs by u = eps/2, relatively. Write n = max(d_x, d_y).
    Uᵀ(GWᵀ) against (UᵀG)Wᵀ: two products of n terms on either side and the scaling,
    (2n + 2)u each of |U|ᵀ|G||W|ᵀ, hence (4n + 5)u with the difference; -η(E + Eᵀ) of
    it is in Q', with (2n + 2)u for the part that lies in the gradients.
    With V = |U| + 2η|g_U|, no less than |U|, |U'| and η|g_U| (likewise for W), the
    update errs by at most 5uV per entry (κ, κU, ηg, their difference), that is 10u VᵀV
    in Q'. The products in Q, Q' and the noise term cost n + 4 each, forming the
    residual 5. Taking eps for u leaves a factor of two for products of these.
    """
    n = max(net.U.shape[0], net.W.shape[1])
    U, W = np.abs(net.U) + 2 * lr * np.abs(g.U), np.abs(net.W) + 2 * lr * np.abs(g.W)
    squares = (3 * (n + 4) + 10 + 5) * (U.T @ U + W @ W.T)
    products = 2 * lr * (2 * n + 2) * (g.reach + g.reach.T)
    return EPS * (4 * n + 5) * g.reach, EPS * (squares + products)


@dataclass(slots=True, eq=False)
class _Rows:
    """What is recorded at the measured steps, one list per quantity."""

    numbers: list[tuple[float, ...]] = field(default_factory=list)
    centred: list[Array] = field(default_factory=list)
    second: list[Array] = field(default_factory=list)

    def trajectory(self, law: MatrixLaw) -> Trajectory:
        steps, time, rate, loss, charge = np.array(self.numbers).T
        centred, second = np.array(self.centred), np.array(self.second)
        at = steps.astype(np.intp)
        return Trajectory(at, time, rate, loss, charge, centred, second, law)


class Training:
    """One training run: every step checked, every `every`-th measured.

    Attributes:
        test: the observations that test the flow's noise factor.
        trajectory: what was recorded.
        end: the network after the last step.
    """

    def __init__(
        self,
        problem: Problem,
        net: LinearNet,
        rates: Array,
        *,
        every: int,
        draws: int,
        rng: np.random.Generator,
    ) -> None:
        self.test = FactorTest()
        self._problem, self._draws, self._rng = problem, draws, rng
        width = net.W.shape[0]
        self._rows, law, time = _Rows(), _Law(problem.gamma, width), 0.0
        for step, lr in enumerate(rates.tolist()):
            bet = self._measure(step, time, lr, net) if step % every == 0 else None
            net = self._step(net, lr, law, bet)
            time += lr
        self._measure(len(rates), time, float(rates[-1]), net, bets=False)
        self.end, self.trajectory = net, self._rows.trajectory(law.result())

    def _gradient(self, net: LinearNet) -> _Gradient:
        problem = self._problem
        if not problem.stochastic:
            return full_gradient(net, problem)
        i = int(self._rng.integers(len(problem.x)))
        x, y = problem.x[i : i + 1], problem.y[i : i + 1]
        g_U, g_W = net.gradient(x, y)
        left = np.abs(2.0 * net.residuals(x, y)) @ np.abs(net.U)  # (1, d)
        return _Gradient(g_U, g_W, left.T @ (np.abs(x) @ np.abs(net.W.T)))

    def _step(
        self, net: LinearNet, lr: float, law: _Law, bet: _Bet | None
    ) -> LinearNet:
        g = self._gradient(net)
        new = net.stepped(g.U, g.W, lr=lr, gamma=self._problem.gamma)
        step, tolerance = law.check(net, new, g, lr)
        if bet is not None:
            moved = float((bet.B * step).sum())
            slack = float((np.abs(bet.B) * tolerance).sum())
            self._add(bet, np.array([moved]), lr, slack)
        return new

    def _add(self, bet: _Bet, values: Array, lr: float, slack: float) -> None:
        self.test.add(
            values,
            known=lr**2 * bet.known,
            predicted=lr**2 * bet.predicted,
            lower=lr**2 * float(bet.forms.min()) - slack,
            upper=lr**2 * float(bet.forms.max()) + slack,
        )

    def _measure(
        self, step: int, time: float, lr: float, net: LinearNet, *, bets: bool = True
    ) -> _Bet | None:
        each = self._problem.samples(net)
        second, means = each.second(), each.means()
        loss, charge = float(each.size_r.mean()), float(np.trace(net.charge))
        self._rows.numbers.append((step, time, lr, loss, charge))
        self._rows.second.append(second)
        self._rows.centred.append(second - means)
        if not (bets and self._draws and self._problem.stochastic):
            return None
        bet = max(_bets(each, second, means), key=lambda b: b.contrast)
        index = self._rng.integers(0, len(each.x), self._draws)
        self._add(bet, lr**2 * bet.forms[index], lr, 0.0)
        return bet


def full_gradient(net: LinearNet, problem: Problem) -> _Gradient:
    """Return the gradient over all samples from E[xxᵀ] and E[yxᵀ] alone.

    Args:
        net: the network.
        problem: the data.

    Returns:
        With G = 2(UW E[xxᵀ] − E[yxᵀ]): GWᵀ and UᵀG, exact but for rounding.
    """
    xx, yx = problem.moments
    G = 2.0 * (net.U @ (net.W @ xx) - yx)
    reach = np.abs(net.U.T) @ np.abs(G) @ np.abs(net.W.T)
    return _Gradient(G @ net.W.T, net.U.T @ G, reach)


def _bets(each: Samples, second: Array, means: Array) -> Iterator[_Bet]:
    """Yield choices of B; all depend on θ only, so each is predictable.

    One sample a step: E Tr[BΔQ] = 4η²Tr[B(a − b)] with the second moments, of which
    the means are known and the rest, the noise, is what the factor multiplies.
    """
    drift = (second[0] - means[0]) - (second[1] - means[1])
    w, V = np.linalg.eigh(second.sum(axis=0))
    root = V / np.sqrt(np.maximum(w, EPS * w[-1]))  # rootᵀ(a + b)root = I
    for B in (drift, _sign(drift), root @ _sign(root.T @ drift @ root) @ root.T):
        unit = B / np.linalg.norm(B)
        known = 4.0 * float((unit * (means[0] - means[1])).sum())
        predicted = 4.0 * float((unit * drift).sum())
        yield _Bet(unit, each.forms(unit), known, predicted)


def _sign(matrix: Array) -> Array:
    w, V = np.linalg.eigh(matrix)
    return np.asarray((V * np.sign(w)) @ V.T)


def descend(problem: Problem, net: LinearNet, sweeps: int) -> Descent:
    """Go from a network to a minimum by least squares in W and in U in turn.

    W = U⁺K minimises the loss for a given U; if y = x, then Uᵀr = Uᵀ(UU⁺ − 1)x = 0 for
    every sample.

    Args:
        problem: the data.
        net: where to start.
        sweeps: how many sweeps; λ* is recorded after 1, 2, 4, … of them.

    Returns:
        λ* along the way and at the end.
    """
    xx, yx = problem.moments
    rows, recorded = [], {2**k for k in range(sweeps.bit_length())} | {sweeps}
    for sweep in range(1, sweeps + 1):
        net = _best_lower(problem, net)
        metric = net.W @ xx @ net.W.T
        U = np.linalg.solve(metric, net.W @ yx.T).T
        net = LinearNet(np.asarray(U, dtype=np.float64), net.W)
        if sweep in recorded:
            each = problem.samples(net)
            rows.append((sweep, Sides(*each.second()).lam, each.size_r.mean()))
    at, lam, loss = np.array(rows).T
    net = _best_lower(problem, net)
    each, bound = problem.samples(net), _least_squares_rounding(problem, net)
    largest = float(np.abs(each.v).max())
    up, down = each.second()
    there = Sides(up, down if largest > bound else np.zeros_like(down)).lam
    return Descent(
        sweeps=at.astype(np.intp),
        lam=lam,
        excess=loss - loss[-1],
        predicted_slope=_slope(xx, net.W.shape[0]),
        largest=largest,
        rounding=bound,
        lam_there=there,
    )


def _slope(xx: Array, width: int) -> float:
    """Return ½ ln(κ_d/κ_{d+1}); NaN where the inputs have no more than d dimensions."""
    kappa = np.linalg.eigvalsh(xx)[::-1]
    if len(kappa) <= width or kappa[width] <= EPS * len(kappa) * kappa[0]:
        return math.nan
    return 0.5 * math.log(kappa[width - 1] / kappa[width])


def _best_lower(problem: Problem, net: LinearNet) -> LinearNet:
    W = np.linalg.lstsq(net.U, problem.regression)[0]
    return LinearNet(net.U, np.asarray(W, dtype=np.float64))


def _least_squares_rounding(problem: Problem, net: LinearNet) -> float:
    """Return a bound on |Uᵀr| where W solves the normal equations and Kx = y.

    A backward stable least-squares solver on an m × n matrix satisfies the normal
    equations of data perturbed by about mn·eps of their norm (Higham, Accuracy and
    Stability of Numerical Algorithms, 2002, Theorem 20.3). That holds for K (relative
    to ‖x‖, and in norm over all samples) and for W; evaluating r and Uᵀr costs less.
    """
    (N, d_x), (d_y, d) = problem.x.shape, net.U.shape
    upper = float(np.linalg.norm(net.U))
    inner = upper * float(np.linalg.norm(net.W))
    inner += float(np.linalg.norm(problem.regression))
    data = float(np.linalg.norm(problem.x))
    constant = EPS * (N * d_x + d_y * d)
    return float(constant * upper * inner * data)
