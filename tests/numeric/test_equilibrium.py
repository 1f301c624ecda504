"""`noise_equilibrium` against sign changes, closed forms and the minimiser of Φ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import brentq, minimize_scalar

from numeric import noise_equilibrium


EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, slots=True)
class Orbit:
    """The arguments of one equilibrium."""

    mu: tuple[float, ...]
    s: tuple[float, ...]
    t: tuple[float, ...]
    sigma2: float
    gamma: float

    def solve(self) -> float:
        """Return λ*."""
        return float(
            noise_equilibrium(
                self.mu, self.s, self.t, sigma2=self.sigma2, gamma=self.gamma
            )
        )

    def terms(self) -> list[tuple[mpmath.mpf, mpmath.mpf]]:
        """Return (weight, rate): G(λ) = Σ weight · e^{rate·λ}, exact products."""
        exact = mpmath.mpf
        noise = [
            (exact(self.sigma2) * m * s, -2 * exact(m))
            for m, s in zip(self.mu, self.s, strict=True)
        ]
        decay = [
            (-2 * exact(self.gamma) * m * t, 2 * exact(m))
            for m, t in zip(self.mu, self.t, strict=True)
        ]
        return [(weight, rate) for weight, rate in noise + decay if weight]

    def drift(self, lam: mpmath.mpf) -> mpmath.mpf:
        """Return G(θ_λ) from its definition, in the working precision."""
        return mpmath.fsum(w * mpmath.exp(rate * lam) for w, rate in self.terms())

    def largest_log(self) -> float:
        """Return the largest |log| among the factors of the terms."""
        numbers = (*self.mu, *self.s, *self.t, self.sigma2, 2 * self.gamma)
        return max((abs(math.log(abs(x))) for x in numbers if x), default=0.0)

    def error_bound(self, lam: float) -> float:
        """Return what rounding may do to λ*: 3 logs and 2 sums a side, over -H'.

        The log-weights have errors <= 3 eps L each, log-sums add <= (n + 2) eps;
        -H' = 2(mean m up + mean m down) under the weights at the root; and the
        products 2 λ m and the division by the unit cost <= 8 eps λ. Twice that.
        """
        slope = mpmath.mpf(0)
        for sign in (1, -1):
            side = [(abs(w), r) for w, r in self.terms() if sign * w > 0]
            weights = [w * mpmath.exp(r * lam) for w, r in side]
            mean = mpmath.fsum(
                w * abs(r) for w, (_, r) in zip(weights, side, strict=True)
            )
            slope += mean / mpmath.fsum(weights)
        logs = 2 * (3 * self.largest_log() + len(self.mu) + 2)
        return float(2 * EPS * (2 * logs / slope + 8 * abs(lam)))


def magnitudes(low: float, high: float) -> st.SearchStrategy[float]:
    """Draw powers of ten with exponents in [low, high]."""
    return st.floats(low, high).map(lambda exponent: 10.0**exponent)


@st.composite
def orbits(draw: st.DrawFn, mu: float = 2.0, weight: float = 12.0) -> Orbit:
    """Draw |μ| in [1e-3, 10^mu] and s, t zero or within 10^±weight."""
    n = draw(st.integers(1, 6))
    rates = st.one_of(st.just(0.0), magnitudes(-3, mu), magnitudes(-3, mu).map(_minus))
    weights = st.one_of(st.just(0.0), magnitudes(-weight, weight))
    mus, s, t = (
        tuple(draw(st.lists(kind, min_size=n, max_size=n)))
        for kind in (rates, weights, weights)
    )
    sigma2 = draw(magnitudes(-6, 2))
    gamma = draw(st.one_of(st.just(0.0), magnitudes(-6, 2)))
    return Orbit(mus, s, t, sigma2, gamma)


def _minus(x: float) -> float:
    return -x


def assert_is_root(orbit: Orbit, lam: float) -> None:
    """Bracket: G, non-increasing, is >= 0 at λ - δ and <= 0 at λ + δ, δ derived."""
    with mpmath.workdps(60):
        ups = any(w > 0 for w, _ in orbit.terms())
        downs = any(w < 0 for w, _ in orbit.terms())
        if not (ups and downs):
            expected = math.inf if ups else -math.inf if downs else math.nan
            np.testing.assert_equal(lam, expected)
            return
        assert math.isfinite(lam)
        delta = orbit.error_bound(lam)
        assert orbit.drift(mpmath.mpf(lam) - delta) >= 0
        assert orbit.drift(mpmath.mpf(lam) + delta) <= 0


@given(orbits())
def test_root_on_hard_inputs(orbit: Orbit) -> None:
    """|μ| from 1e-3 to 1e2, s and t from 1e-12 to 1e12, and zeros among them."""
    assert_is_root(orbit, orbit.solve())


@given(orbits(weight=307.0))
def test_root_where_products_leave_the_floats(orbit: Orbit) -> None:
    """μ s σ² may overflow or underflow; its logarithm may not."""
    assert_is_root(orbit, orbit.solve())


@pytest.mark.parametrize("tiny", [5e-324, 1e-310, 1e-300])
def test_subnormal_weights_and_rates(tiny: float) -> None:
    """Subnormal s, and all μ subnormal-near, keep their closed forms."""
    lam = noise_equilibrium([1, -1], [tiny, 1], [0, 0], sigma2=1e-300, gamma=0)

    assert abs(lam - math.log(tiny) / 4) <= 8 * EPS * abs(math.log(tiny))

    far = noise_equilibrium([1e-300, -1e-300], [2, 1], [0, 0], sigma2=1, gamma=0)

    assert abs(far * 4e-300 - math.log(2)) <= 4 * EPS * 300 * math.log(10)


def test_root_beyond_the_floats_is_infinite() -> None:
    """λ* = ln 2/(4·5e-324) exceeds the largest float."""
    lam = noise_equilibrium([5e-324, -5e-324], [2, 1], [0, 0], sigma2=1, gamma=0)

    assert lam == math.inf


def test_rates_that_underflow_beside_the_largest() -> None:
    """A rate 1e-320 beside 1 decides alone once the other term has died out."""
    orbit = Orbit((1e-320, -1.0, -1e-320), (2.0, 1.0, 1e-5), (0.0,) * 3, 1.0, 0.0)

    assert_is_root(orbit, orbit.solve())


@given(*[magnitudes(-8, 8)] * 4, magnitudes(-4, 1), magnitudes(-4, 1))
def test_closed_form_for_unit_rates(
    s_up: float, s_down: float, t_up: float, t_down: float, sigma2: float, gamma: float
) -> None:
    """e^{4λ*} = (σ²s₊ + 2γt₋)/(σ²s₋ + 2γt₊) for μ = ±1."""
    lam = noise_equilibrium(
        [1, -1], [s_up, s_down], [t_up, t_down], sigma2=sigma2, gamma=gamma
    )

    up, down = sigma2 * s_up + 2 * gamma * t_down, sigma2 * s_down + 2 * gamma * t_up
    bound = Orbit((1.0, -1.0), (s_up, s_down), (t_up, t_down), sigma2, gamma)
    assert abs(lam - math.log(up / down) / 4) <= 2 * bound.error_bound(float(lam))


@given(orbits(mu=1.0, weight=4.0))
@settings(max_examples=50)
def test_minimises_phi(orbit: Orbit) -> None:
    """λ* minimises the convex Φ(θ_λ) = γΣt e^{2λμ} + ½σ²Σs e^{-2λμ} of the orbit."""
    lam = orbit.solve()
    if not abs(lam) < 50:
        return
    mu, s, t = (np.array(v) for v in (orbit.mu, orbit.s, orbit.t))

    def phi(x: float) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            up = np.where(t > 0, orbit.gamma * t * np.exp(2 * x * mu), 0.0)
            down = np.where(s > 0, 0.5 * orbit.sigma2 * s * np.exp(-2 * x * mu), 0.0)
        return float(up.sum() + down.sum())

    found = minimize_scalar(phi, bounds=(lam - 1, lam + 1), method="bounded")
    # A minimiser sees differences of phi only: its value is the fair comparison.
    assert phi(lam) <= found.fun * (1 + 64 * EPS)


def test_agrees_with_brentq() -> None:
    """The root of G found by scipy, where nothing overflows."""
    rng = np.random.default_rng(7)
    mu, s, t = rng.normal(size=(40, 5)), *rng.exponential(size=(2, 40, 5))
    lam = noise_equilibrium(mu, s, t, sigma2=0.05, gamma=0.01)

    for row in range(40):

        def drift(x: float, row: int = row) -> float:
            m = mu[row]
            decay = 0.02 * t[row] * np.exp(2 * x * m)
            return float((m * (0.05 * s[row] * np.exp(-2 * x * m) - decay)).sum())

        assert abs(lam[row] - brentq(drift, -40, 40, xtol=1e-14)) <= 1e-12


@given(orbits(weight=6.0, mu=0.5), st.floats(-3, 3))
def test_shifts_along_the_orbit(orbit: Orbit, shift: float) -> None:
    """λ*(e^{λ₀A}θ) = λ*(θ) - λ₀, with s → s e^{-2λ₀μ} and t → t e^{2λ₀μ}."""
    lam = orbit.solve()
    moved = Orbit(
        orbit.mu,
        tuple(
            s * math.exp(-2 * shift * m) for m, s in zip(orbit.mu, orbit.s, strict=True)
        ),
        tuple(
            t * math.exp(2 * shift * m) for m, t in zip(orbit.mu, orbit.t, strict=True)
        ),
        orbit.sigma2,
        orbit.gamma,
    )

    if not math.isfinite(lam):
        np.testing.assert_equal(moved.solve(), lam)
        return
    # exp rounds its argument 2 λ₀ μ: relative errors of eps (2 |λ₀ μ| + 1) in s, t.
    rates = max(abs(m) for m in orbit.mu)
    data = 4 * EPS * (2 * abs(shift) * rates + 2)
    slope = min(abs(m) for m in orbit.mu if m) * 4
    bound = orbit.error_bound(lam) + moved.error_bound(lam - shift) + data / slope
    assert abs(moved.solve() - (lam - shift)) <= bound + 4 * EPS * abs(lam)


@given(orbits(weight=6.0), magnitudes(-4, 0), magnitudes(0, 4))
def test_charge_shrinks_with_decay(orbit: Orbit, weak: float, strong: float) -> None:
    """On an orbit |C(θ*)| is non-increasing in γ/σ²: λ* moves towards C = 0."""
    lams = []
    for gamma in (weak, strong):
        changed = Orbit(orbit.mu, orbit.s, orbit.t, orbit.sigma2, gamma)
        lams.append((changed.solve(), changed))
    if not all(math.isfinite(lam) for lam, _ in lams):
        return
    with mpmath.workdps(60):
        charges = [
            mpmath.fsum(
                m * t * mpmath.exp(2 * mpmath.mpf(lam) * m)
                for m, t in zip(orbit.mu, orbit.t, strict=True)
            )
            for lam, _ in lams
        ]
        order = math.copysign(1.0, charges[0]) * (lams[1][0] - lams[0][0])
    slack = sum(changed.error_bound(lam) for lam, changed in lams)
    if abs(charges[0]) > 0:
        assert order <= slack


@pytest.mark.parametrize(
    ("mu", "s", "t", "gamma", "expected"),
    [
        ([1, 2], [1, 1], [1, 1], 0.0, math.inf),
        ([-1, -2], [1, 1], [1, 1], 0.0, -math.inf),
        ([1, -1], [0, 0], [1, 1], 0.0, math.nan),
        ([1, 2], [0, 0], [1, 0], 0.5, -math.inf),
        ([0, 0], [1, 1], [1, 1], 0.5, math.nan),
        ([], [], [], 0.5, math.nan),
        ([1, -1], [1, 1], [0, 0], 0.0, 0.0),
    ],
)
def test_degenerate_classes(
    mu: list[float], s: list[float], t: list[float], gamma: float, expected: float
) -> None:
    """±inf where one side is empty, nan where both are, 0 where they agree."""
    lam = noise_equilibrium(mu, s, t, sigma2=1.0, gamma=gamma)

    np.testing.assert_equal(float(lam), expected)


def test_broadcasts_leading_axes() -> None:
    """Shapes mu (n,), s (3, 1, n), gamma (2,) give (3, 2), equal to the loop."""
    rng = np.random.default_rng(3)
    mu, s, t = rng.normal(size=4), rng.exponential(size=(3, 1, 4)), np.ones(4)
    gamma = np.array([0.1, 2.0])
    lam = noise_equilibrium(mu, s, t, sigma2=0.3, gamma=gamma)

    assert lam.shape == (3, 2)
    for i, j in np.ndindex(3, 2):
        alone = noise_equilibrium(mu, s[i, 0], t, sigma2=0.3, gamma=gamma[j])
        assert lam[i, j] == alone


def test_blocks_do_not_change_roots() -> None:
    """More rows than a block hold the same bits as rows alone."""
    rng = np.random.default_rng(5)
    mu, s, t = rng.normal(size=(5000, 8)), *rng.exponential(size=(2, 5000, 8))
    lam = noise_equilibrium(mu, s, t, sigma2=0.3, gamma=0.1)

    rows = rng.integers(0, 5000, 50)
    alone = noise_equilibrium(mu[rows], s[rows], t[rows], sigma2=0.3, gamma=0.1)
    np.testing.assert_allclose(lam[rows], alone, rtol=1e-13, atol=1e-15)


def test_rejects_bad_arguments() -> None:
    """Each message names the argument."""
    good: dict[str, Any] = {"mu": [1.0, -1.0], "s": [1.0, 1.0], "t": [1.0, 1.0]}
    scalars = {"sigma2": 1.0, "gamma": 0.0}
    for name in (*good, *scalars):
        for bad in (math.nan, math.inf):
            changed = {**good, **scalars}
            changed[name] = [bad, 1.0] if name in good else bad
            with pytest.raises(ValueError, match=f"{name}: expected finite"):
                noise_equilibrium(**changed)
    for name in ("s", "t", "sigma2"):
        changed = {**good, **scalars}
        changed[name] = [-1.0, 1.0] if name in good else -1.0
        with pytest.raises(ValueError, match=f"{name}: expected numbers >= 0"):
            noise_equilibrium(**changed)
    with pytest.raises(ValueError, match="negative weight decay"):
        noise_equilibrium(**good, sigma2=1.0, gamma=-1e-3)
    with pytest.raises(ValueError, match=r"one n, got .*\(3,\)"):
        noise_equilibrium([1, 2], [1, 2, 3], [1, 2], sigma2=1, gamma=0)
    with pytest.raises(ValueError, match="broadcast together"):
        noise_equilibrium(
            np.ones((2, 3)), np.ones((4, 3)), [1, 1, 1], sigma2=1, gamma=0
        )
    with pytest.raises(ValueError, match="real numbers"):
        noise_equilibrium([1j], [1], [1], sigma2=1, gamma=0)
