"""Drawn settings of the SDE of a diagonal network, and its runs on them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import hypothesis.strategies as st
import numpy as np
from hypothesis import assume
from numpy.typing import NDArray

from numeric import DataMoments, StationaryDensity
from verify._context import Context
from verify._diagonal._sde import State, lanes, many_factors, run, two_factors


Array = NDArray[np.float64]
Row = tuple[Fraction, Fraction]
_SHARES = (Fraction(3, 10), Fraction(1, 5), Fraction(1, 10))
_SPREAD = 1.05  # between the weights of one product, at first
_STARTS = (0.5, 1.5)  # of the minimum of the loss


@dataclass(frozen=True, slots=True)
class Setting:
    """Data, a network, and T as a share of (|β₂| − γ)/α₃ (with two factors, of T_c).

    Attributes:
        samples: pairs (x, y), equally likely.
        factors: N.
        width: d.
        share: of the temperature.
        decay: γ as a share of |β₂|.
    """

    samples: tuple[Row, ...]
    factors: int
    width: int
    share: Fraction
    decay: Fraction

    @property
    def moments(self) -> DataMoments:
        """Return the five moments, exact sums over the samples."""
        square = [x * x for x, _ in self.samples]
        cross = [x * y for x, y in self.samples]
        b1, b2 = _mean(square), _mean(cross)
        return DataMoments(
            float(_mean([a * a for a in square]) - b1 * b1),
            float(_mean([a * b for a, b in zip(square, cross, strict=True)]) - b1 * b2),
            float(_mean([b * b for b in cross]) - b2 * b2),
            float(b1),
            float(b2),
        )

    @property
    def gamma(self) -> float:
        """Return γ."""
        return float(self.decay) * abs(self.moments.beta2)

    @property
    def T(self) -> float:  # noqa: N802 - the temperature
        """Return T."""
        m = self.moments
        return float(self.share) * (abs(m.beta2) - self.gamma) / m.alpha3

    def law(self, factor: float = 1.0) -> StationaryDensity:
        """Return the stationary law at `factor` times the temperature."""
        return StationaryDensity(
            self.factors,
            self.width,
            moments=self.moments,
            T=factor * self.T,
            gamma=self.gamma,
        )

    @property
    def duration(self) -> float:
        """Return a time after which the start is forgotten, to about e⁻¹².

        Two factors: ln v leaves −∞ at the rate (1 − s)²/2s·(β₂ − γ), s the share, and
        the minimum is reached at 4(β₂ − γ). More: at 2Nc v^{2D/N}β₁ at the minimum v.
        """
        if self.factors != 2:
            return 12 * self.forgetting
        s = float(self.share)
        return 12 * self.forgetting * max(1.0, 4 * s / (1 - s) ** 2)

    @property
    def forgetting(self) -> float:
        """Return in which time the minimum of the loss is reached to 1/e."""
        m = self.moments
        pull = abs(m.beta2) - self.gamma
        if self.factors == 2:
            return float(1 / (2 * pull))
        v, N = pull / m.beta1, self.factors
        c = self.width ** (2 / N - 1)
        return float(1 / (2 * N * c * v ** (2 - 2 / N) * m.beta1))

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        return {
            "(x, y)": ", ".join(f"({x}, {y})" for x, y in self.samples),
            "factors": str(self.factors),
            "width": str(self.width),
            "T": f"{self.T:.6g}",
            "gamma": f"{self.gamma:.6g}",
        }


def _mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


@st.composite
def settings(draw: st.DrawFn, factors: tuple[int, ...]) -> Setting:
    """Draw a setting with noise everywhere: Δ at least a fifth of α₁α₃.

    Args:
        draw: Hypothesis' draw.
        factors: numbers of factors to draw from.

    Returns:
        The setting; decay with two factors only, where it leaves a density.
    """
    quarters = st.integers(2, 8).map(lambda k: Fraction(k, 4))
    signs = st.sampled_from((1, -1))
    slope = draw(st.sampled_from((1, -1, 2))) * draw(quarters) / 2
    rows = []
    for _ in range(draw(st.integers(3, 4))):
        x = draw(quarters) * draw(signs)
        noise = draw(quarters)
        rows += [(x, slope * x + noise), (x, slope * x - noise)]
    N = draw(st.sampled_from(factors))
    decay = draw(st.sampled_from((Fraction(0), Fraction(1, 5)))) if N == 2 else 0
    found = Setting(
        tuple(rows), N, draw(st.integers(1, 3)), _SHARES[0], Fraction(decay)
    )
    m = found.moments
    assume(m.beta2 and m.alpha1 and m.delta >= 0.2 * m.alpha1 * m.alpha3)
    # Neither all noise, nor none: the density is spread over a good part of (0, 2v).
    assume(m.alpha1 / m.beta1**2 >= 0.05 and abs(m.beta2) >= 0.1 * m.beta1)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """What a setting's replicas came to.

    Attributes:
        setting: the setting.
        half: v at half of the time, (replicas,).
        v: v at the end; the first half of the replicas started low, the rest high.
        spread: mean over starts of |ln|u_k/u_l|| at most, at first and at the end,
            the median over replicas; for ln P, ln N of |u² − w²|/|v|.
        steps: the mean number of steps.
    """

    setting: Setting
    half: Array
    v: Array
    spread: tuple[float, float]
    steps: float


def start(setting: Setting, replicas: int) -> Array:
    """Return weights off the balance, half of the replicas below the minimum.

    Args:
        setting: the setting.
        replicas: how many.

    Returns:
        The weights, (replicas, width, factors), of the sign of β₂.
    """
    m, N = setting.moments, setting.factors
    least = (abs(m.beta2) - setting.gamma) / m.beta1 / setting.width
    size = np.where(np.arange(replicas) < replicas // 2, *_STARTS) * least
    weights = np.repeat((size ** (1 / N))[:, None, None], setting.width, axis=1)
    weights = np.repeat(weights, N, axis=2)
    weights[:, :, 0] *= _SPREAD * np.sign(m.beta2)
    weights[:, :, 1] /= _SPREAD
    return np.asarray(weights)


def _imbalance(state: State) -> Array:
    """Return how far each replica is off the balance, 0 on it."""
    if state.place.ndim == 3:
        sizes = np.log(np.abs(state.place))
        return np.asarray(np.ptp(sizes, axis=2).max(axis=1))
    product = np.exp(state.place.sum(axis=1)) * np.sqrt(state.sums.prod(axis=1))
    return np.asarray(product / np.abs(state.value()))


def follow(
    setting: Setting, replicas: int, rng: np.random.Generator, coordinates: str
) -> Ends:
    """Run a setting.

    Args:
        setting: the setting.
        replicas: how many.
        rng: the randomness.
        coordinates: "sums" (ln P and ln N; two factors) or "weights".

    Returns:
        The ends.
    """
    weights = start(setting, replicas)
    if coordinates == "sums":
        state = two_factors(weights[:, :, 0], weights[:, :, 1])
    else:
        state = many_factors(weights)
    here = lanes(setting.moments, setting.T, setting.gamma, replicas)
    time = np.full(replicas, setting.duration / 2)
    half = run(state, here, time, rng)
    last = run(half, here, time, rng)
    spread = tuple(float(np.median(_imbalance(s))) for s in (state, last))
    return Ends(
        setting,
        half.value(),
        last.value(),
        (spread[0], spread[1]),
        float(last.steps.mean()),
    )


@lru_cache(maxsize=8)
def experiment(
    plain: Context, factors: tuple[int, ...], coordinates: str
) -> tuple[Ends, ...]:
    """Run as many drawn settings as the profile has ensembles.

    Args:
        plain: a context of the experiment's own, so that claims share it.
        factors: numbers of factors.
        coordinates: see `follow`.

    Returns:
        The ends.
    """
    count = plain.profile.ensembles
    replicas = max(2048, 16 * plain.profile.replicas)
    found = []
    for k in range(count):
        N, name = factors[k % len(factors)], f"{coordinates} {k}"
        each = plain.draw(settings((N,)), 8, name)[-1]
        setting = Setting(
            each.samples,
            each.factors,
            each.width,
            _SHARES[k % len(_SHARES)],
            each.decay,
        )
        rng = plain.rng("run", factors, coordinates, k)
        found.append(follow(setting, replicas, rng, coordinates))
    return tuple(found)
