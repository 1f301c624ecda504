"""Routes for the distance of the stationary law of two factors from posteriors.

With p = u² − w² and v = uw the area is du dw = dp dv/(4√(p² + 4v²)) on each of the two
halves, ±(u, w), and p = 2|v| sinh s makes it du dw = ¼ds dv: a law of the density
∝ f(v)e^{−ρ(u² + w²)}, u² + w² = 2|v| cosh s, has

    q(|p| ≤ ε) = ∫f(v) ∫_{|s| ≤ s(ε, v)} e^{−2ρ|v| cosh s} ds dv / ∫f(v) 2K₀(2ρ|v|) dv,

sinh s(ε, v) = ε/2|v|. The subject is what KL(π‖q) is claimed not to exceed, in nats;
None where it is claimed to be infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.special import iti0k0, k0, logsumexp

from symbolic import Verdict, Witness
from verify._context import Context
from verify._diagonal._sde import State, lanes, run, two_factors
from verify._diagonal._settings import Setting, settings
from verify._evidence import Evidence, Figure, Series
from verify._radii import binomial_upper
from verify._routes._common import symbolic_evidence
from verify._scope import NETWORKS, only_about


Array = NDArray[np.float64]
Subject = Fraction | None
Check = Callable[[Subject, Context], Evidence]
SYMBOLS, SDE = "symbols, q = N(0, I)", "SDE against Gibbs's law"
_LEAST = 1e-30  # |v| of the quadrature
_SMALLEST = 300  # ε = 10⁻³⁰⁰ is the last one tried
_REPLICAS = 1024
_TIMES = 5
_FALL = 2.0  # of ln|u² − w²| from one time to the next, at the minimum of the loss
_SHARE = 0.95  # of the replicas within ε


# --- with symbols ----


def normal_mass(eps: float) -> float:
    """Return q(|u² − w²| ≤ ε) for independent standard normal u and w.

    (u + w)/√2 and (u − w)/√2 are standard normal, too; their product has the density
    K₀(|x|)/π.

    Args:
        eps: ε, at least 0.

    Returns:
        The probability.
    """
    return float(2 / math.pi * iti0k0(eps / 2)[1])


@only_about(NETWORKS)
def posterior_symbolic(subject: Subject, context: Context) -> Evidence:
    """Find where the stationary law lives; bound the divergence from N(0, I)."""
    del context
    u, w, x, y, T, gamma = sp.symbols("u w x y T gamma", real=True)
    v, a1, a2, a3 = sp.symbols("v alpha1 alpha2 alpha3", real=True)
    loss, p = (u * w * x - y) ** 2, u**2 - w**2
    slopes = [sp.diff(loss, z) for z in (u, w)]
    q = 2 * x * (u * w * x - y)  # ∂ℓ/∂v; its variance is 4Q
    noise = a1 * v**2 - 2 * a2 * v + a3
    least = (a1 * a3 - a2**2) / a1
    moved = -2 * gamma * (2 * u**2 - 2 * w**2) + 4 * T * noise * (w**2 - u**2)
    jacobian = sp.Matrix([p, u * w]).jacobian([u, w]).det()
    proved = symbolic_evidence(
        SYMBOLS,
        [
            ("no noise", 2 * u * slopes[0] - 2 * w * slopes[1], sp.S.Zero),
            ("one q", slopes[0] - q * w, sp.S.Zero),
            ("the drift of p", moved, -4 * (T * noise + gamma) * p),
            ("the least Q", noise - least, a1 * (v - a2 / a1) ** 2),
            ("coordinates", jacobian**2 - 4 * p**2, 16 * (u * w) ** 2),
        ],
        r"The flow of $p = u^2 - w^2$, and where it ends",
        (
            r"$\frac{d}{dt}\ln|p| = -4(TQ(v) + \gamma) \le -r$, $r = 4T\Delta/\alpha_1 "
            r"+ 4\gamma$, without noise: $|p|$ falls below every $\varepsilon$, and a "
            r"stationary law $\pi$ has $\pi(p = 0) = 1$.",
            r"$p = 0$ is two lines, the zeros of a polynomial, without area. A "
            r"$q$ with a density has $q(|p| \le \varepsilon) \to q(p = 0) = 0$.",
            r"$\mathrm{KL}(\pi\|q) \ge \pi(|p| \le \varepsilon)\ln\frac1{q(|p| \le "
            r"\varepsilon)} = \ln\frac1{q(|p| \le \varepsilon)} \to \infty$; at time "
            r"$t$ at least $\ln\frac1{q(|p| \le |p_0|e^{-rt})}$.",
        ),
    )
    if subject is None or proved.verdict is not Verdict.PROVED:
        return proved
    for k in range(_SMALLEST):
        mass = normal_mass(10.0**-k)
        if -math.log(mass) > subject:
            return _refuted(subject, -k, mass)
    why = f"q(|p| ≤ 10^-{_SMALLEST}) is above e^-{float(subject):g}."
    return Evidence(SYMBOLS, Verdict.INCONCLUSIVE, why, instances=1)


def _refuted(subject: Fraction, power: int, mass: float) -> Evidence:
    witness = Witness(
        {"q": "N(0, I)", "epsilon": f"10^{power}"},
        f"pi(|u^2 - w^2| <= epsilon) = 1, q of it = {mass:.4g}: "
        f"KL >= {-math.log(mass):.4g}",
        f"KL <= {float(subject):g}",
        exact=False,
    )
    what = r"$\pi$ lives on $u^2 = w^2$, and $q$ has little near it."
    return Evidence(SYMBOLS, Verdict.REFUTED, what, 1, counterexample=witness)


# --- by simulation ----


@dataclass(frozen=True, slots=True)
class Gibbs:
    """The law of the density ∝ exp(−(β₁v² − 2β₂v)/T − ρ(u² + w²)), v = uw.

    Attributes:
        beta1: β₁.
        beta2: β₂.
        T: temperature.
        rho: ρ > 0.
    """

    beta1: float
    beta2: float
    T: float
    rho: float

    def log_mass(self, eps: float) -> float:
        """Return the logarithm of an upper bound of q(|u² − w²| ≤ ε)."""
        size = np.geomspace(_LEAST, 1e3, 6001)
        v = np.concatenate([-size, size])
        weight = np.log(np.abs(v)) - (self.beta1 * v * v - 2 * self.beta2 * v) / self.T
        r = 2 * self.rho * size
        # Over |s| ≤ s(ε, v) the integrand is at most that at s = 0.
        inside = np.minimum(2 * np.arcsinh(eps / (2 * size)) * np.exp(-r), 2 * k0(r))
        with np.errstate(divide="ignore"):
            part = np.tile(np.log(inside), 2) + weight
            whole = np.tile(np.log(2 * k0(r)), 2) + weight
        # Below the least |v| all mass counts as inside; 2K₀ is at most 142 there.
        below = math.log(2 * 142 * _LEAST / math.log(size[1] / size[0]))
        return float(np.logaddexp(logsumexp(part), below) - logsumexp(whole))


@only_about(NETWORKS)
def posterior_simulated(subject: Subject, context: Context) -> Evidence:
    """Bound the divergence from below at four times, for drawn data.

    Half of the replicas choose ε, so that 95 % of them are within; the other half
    tells how many are. By the data-processing inequality KL ≥ π ln(1/q) − ln 2.

    Args:
        subject: what KL is claimed not to exceed, or None.
        context: profile and streams.

    Returns:
        REFUTED where a bound is above the subject; SUPPORTED for None where the bounds
        rise from time to time by at least half of the rate 4TΔ/α₁ + 4γ.
    """
    rows = _experiment(replace(context, claim="posterior", shrink=False))
    count = len(rows)
    curves = [(times, bounds) for *_, times, bounds in rows]
    best = max(rows, key=lambda row: row[-1][-1])
    highest = best[-1][-1]
    if subject is not None and highest > subject:
        witness = Witness(
            best[0].describe() | {"rho": f"{best[1]:.4g}"},
            f"KL >= {highest:.3g}",
            f"KL <= {float(subject):g}",
            exact=False,
        )
        what = f"{_REPLICAS} replicas are further from Gibbs's law."
        return Evidence(
            SDE,
            Verdict.REFUTED,
            what,
            instances=count,
            alpha=context.alpha,
            counterexample=witness,
        )
    text = "; ".join(
        f"{bounds[0]:.2f} to {bounds[-1]:.2f} nats" for *_, bounds in rows[:3]
    )
    what = (
        f"{count} drawn settings: at least {text} from the first to the last of "
        f"{_TIMES} times, and rising with every one."
    )
    if subject is not None or not all(gap >= 0 for _, _, gap, *_ in rows):
        return Evidence(SDE, Verdict.INCONCLUSIVE, what, instances=count)
    return Evidence(
        SDE,
        Verdict.SUPPORTED,
        what,
        instances=count,
        alpha=context.alpha,
        figures=(_figure(curves),),
    )


Run = tuple[Setting, float, float, list[float], list[float]]


@lru_cache(maxsize=8)
def _experiment(plain: Context) -> tuple[Run, ...]:
    """Return for each drawn setting: it, ρ, the gap, times, and lower bounds."""
    drawn = plain.draw(settings((2,)), plain.profile.ensembles, "settings")
    alpha = plain.alpha / (len(drawn) * _TIMES)
    rows: list[Run] = []
    for k, each in enumerate(drawn):
        setting, rho = replace(each, width=1), float(plain.rng(k).uniform(0.5, 2.0))
        rows.append((setting, rho, *_bounds(setting, rho, plain.rng("run", k), alpha)))
    return tuple(rows)


def _bounds(
    setting: Setting, rho: float, rng: np.random.Generator, alpha: float
) -> tuple[float, list[float], list[float]]:
    """Return how far the rise is above what is asked for, times, and lower bounds."""
    m, T, gamma = setting.moments, setting.T, setting.gamma
    v = m.beta2 / m.beta1
    typical = 4 * T * ((m.alpha1 * v - 2 * m.alpha2) * v + m.alpha3) + 4 * gamma
    least = 4 * T * m.delta / m.alpha1 + 4 * gamma
    step = _FALL / typical
    size = math.sqrt(abs(v)) * rng.uniform(0.5, 1.5, _REPLICAS)
    u, w = 1.5 * np.sign(v) * size, size / 1.5
    state = two_factors(u[:, None], w[:, None])
    here = lanes(m, T, gamma, _REPLICAS)
    q = Gibbs(m.beta1, m.beta2, T, rho)
    times, bounds, gap = [], [], math.inf
    for k in range(_TIMES):
        state = run(state, here, np.full(_REPLICAS, step), rng)
        times.append((k + 1) * step)
        bounds.append(_bound(state, np.abs(u**2 - w**2), q, alpha))
        if k:
            gap = min(gap, bounds[-1] - bounds[-2] - 0.5 * least * step)
    return gap, times, bounds


def _bound(state: State, first: Array, q: Gibbs, alpha: float) -> float:
    """Return a lower bound of KL, false with probability α at most."""
    gaps = first * np.exp(state.place.sum(axis=1))
    half = len(gaps) // 2
    eps = float(np.quantile(gaps[:half], _SHARE))
    outside = int(np.count_nonzero(~(gaps[half:] <= eps)))
    share = 1.0 - binomial_upper(outside, len(gaps) - half, alpha)
    return -share * q.log_mass(eps) - math.log(2)


def _figure(curves: list[tuple[list[float], list[float]]]) -> Figure:
    series = tuple(
        Series(f"data {k + 1}", tuple(times), tuple(bounds), group=k)
        for k, (times, bounds) in enumerate(curves[:4])
    )
    return Figure(
        "KL(law at time t‖Gibbs's law), bounded from below",
        "t (η·steps)",
        "nats",
        series,
        caption="It rises without end: the law moves onto u² = w², which has no area.",
    )
