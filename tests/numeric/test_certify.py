"""`certify_equilibrium` against mpmath intervals, closed forms and exact symmetries."""

from __future__ import annotations

import math
import pickle
import sys
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings, strategies as st
from mpmath.libmp import to_rational

import numeric._certify as certify
from numeric import noise_equilibrium
from numeric._certify import Certificate, Degeneracy, certify_equilibrium


flint = pytest.importorskip("flint")

EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, slots=True)
class Orbit:
    """The arguments of one equilibrium."""

    mu: tuple[Any, ...]
    s: tuple[Any, ...]
    t: tuple[Any, ...]
    sigma2: Any = 1
    gamma: Any = 0

    def certify(self, bits: int = 128) -> Certificate:
        """Return the certificate."""
        return certify_equilibrium(
            self.mu, self.s, self.t, sigma2=self.sigma2, gamma=self.gamma, bits=bits
        )

    def terms(self) -> Iterator[tuple[Fraction, Fraction]]:
        """Yield weight, rate of G = Σ weight·e^{rate·λ}, term by term, not merged."""
        sigma2, gamma = Fraction(self.sigma2), Fraction(self.gamma)
        for mu, s, t in zip(self.mu, self.s, self.t, strict=True):
            m = Fraction(mu)
            yield sigma2 * m * Fraction(s), -2 * m
            yield -2 * gamma * m * Fraction(t), 2 * m

    def sides(self) -> tuple[bool, bool]:
        """Return whether anything pushes the charge up, and down."""
        weights = [w for w, _ in self.terms()]
        return any(w > 0 for w in weights), any(w < 0 for w in weights)


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Set the precision of mpmath's intervals."""
    saved, mpmath.iv.prec = mpmath.iv.prec, bits
    try:
        yield
    finally:
        mpmath.iv.prec = saved


def interval(x: Fraction) -> Any:
    """Return an mpmath interval around x."""
    return mpmath.iv.mpf(x.numerator) / mpmath.iv.mpf(x.denominator)


def sign(orbit: Orbit, lam: Fraction) -> int:
    """Return the proved sign of G(λ), by mpmath, from the definition."""
    for prec in (256, 1024, 4096, 16384):
        with precision(prec):
            total = mpmath.iv.mpf(0)
            for weight, rate in orbit.terms():
                if weight:
                    total += interval(weight) * mpmath.iv.exp(interval(rate * lam))
            if total.a > 0 or total.b < 0:
                return 1 if total.a > 0 else -1
    raise AssertionError("mpmath cannot tell the sign")


def quarter_log(ratio: Fraction, prec: int = 1200) -> tuple[Fraction, Fraction]:
    """Return rational bounds of ln(ratio)/4, by mpmath."""
    with precision(prec):
        low, high = (mpmath.iv.log(interval(ratio)) / 4)._mpi_
    low, high = (Fraction(*map(int, to_rational(end))) for end in (low, high))
    return low, high


def ends(found: Certificate) -> tuple[Fraction, Fraction]:
    """Return the ends of a finite certificate."""
    assert isinstance(found.lower, Fraction)
    assert isinstance(found.upper, Fraction)
    return found.lower, found.upper


def assert_certified(orbit: Orbit, bits: int) -> None:
    """Signs and width of the enclosure, or the infinity that the sides demand."""
    found = orbit.certify(bits)
    rises, falls = orbit.sides()
    if not (rises and falls):
        assert found.lower == (math.inf if rises else -math.inf)
        assert found.upper == (-math.inf if falls else math.inf)
        assert found.unique is (rises or falls)
        assert found.degeneracy is not None
        return
    lower, upper = ends(found)
    assert found.unique
    assert found.degeneracy is None
    if sum(w for w, _ in orbit.terms()) == 0:
        assert lower == upper == 0
        return
    assert sign(orbit, lower) == 1
    assert sign(orbit, upper) == -1
    # λ* itself lies inside: the nearer end to 0 is the strictest measure of |λ*|.
    assert lower * upper > 0
    assert (upper - lower) * 2**bits <= min(abs(lower), abs(upper))
    assert all(x.denominator & (x.denominator - 1) == 0 for x in (lower, upper))


def magnitudes(low: float, high: float) -> st.SearchStrategy[float]:
    """Draw powers of ten with exponents in [low, high]."""
    return st.floats(low, high).map(lambda exponent: 10.0**exponent)


@st.composite
def orbits(draw: st.DrawFn, mu: float = 2.0, weight: float = 12.0) -> Orbit:
    """Draw |μ| within 10^±mu, s and t within 10^±weight, zeros and exact fractions."""
    n = draw(st.integers(1, 6))
    sizes: st.SearchStrategy[Any] = magnitudes(-mu, mu) | st.sampled_from(
        [1, 2, Fraction(1, 3)]
    )
    rates = st.one_of(st.just(0), sizes, sizes.map(lambda x: -x))
    weights = st.one_of(
        st.just(0), magnitudes(-weight, weight), st.fractions(0, 9, max_denominator=9)
    )
    mus, s, t = (
        tuple(draw(st.lists(kind, min_size=n, max_size=n)))
        for kind in (rates, weights, weights)
    )
    sigma2 = draw(st.just(0) | magnitudes(-6, 2))
    gamma = draw(st.just(0) | magnitudes(-6, 2))
    return Orbit(mus, s, t, sigma2, gamma)


@st.composite
def finite_orbits(draw: st.DrawFn, mu: float = 2.0, weight: float = 12.0) -> Orbit:
    """Draw orbits where both sides push."""
    orbit = draw(orbits(mu, weight))
    assume(all(orbit.sides()))
    return orbit


@given(orbits() | orbits(mu=300.0, weight=300.0), st.integers(1, 200))
@settings(deadline=None, max_examples=200)
def test_signs_and_width(orbit: Orbit, bits: int) -> None:
    """G(lower) > 0 > G(upper), proved by mpmath, to the ends of the floats; width."""
    assert_certified(orbit, bits)


@pytest.mark.parametrize("bits", [1, 2, 3, 52, 129, 1000, 4096])
@pytest.mark.parametrize("sense", [1, -1])
def test_bits_from_1_to_4096(bits: int, sense: int) -> None:
    """One instance and its mirror image at every size of the answer."""
    mu = (sense * 0.3, sense * -1.7, sense * 2.5)

    assert_certified(Orbit(mu, (1e-3, 4.0, 0.2), (1.0, 2.0, 3.0), 0.05, 0.01), bits)


def test_hundreds_of_terms() -> None:
    """400 eigenvectors, s and t over 24 decades."""
    rng = np.random.default_rng(2)
    mu, s, t = rng.normal(size=400), *(10 ** rng.uniform(-12, 12, (2, 400)))

    assert_certified(Orbit(tuple(mu), tuple(s), tuple(t), 0.01, 0.3), 128)


@given(
    st.tuples(*[st.integers(-40, 40).map(lambda k: Fraction(10) ** k)] * 4),
    st.fractions(0, 5, max_denominator=7),
    st.fractions(0, 5, max_denominator=7),
    st.sampled_from([1, 20, 128, 700]),
)
def test_closed_form_for_unit_rates(
    w: tuple[Fraction, ...], sigma2: Fraction, gamma: Fraction, bits: int
) -> None:
    """e^{4λ*} = (σ²s₊ + 2γt₋)/(σ²s₋ + 2γt₊) for μ = ±1."""
    assume(sigma2 + gamma > 0)
    found = Orbit((1, -1), w[:2], w[2:], sigma2, gamma).certify(bits)
    lower, upper = ends(found)

    up, down = sigma2 * w[0] + 2 * gamma * w[3], sigma2 * w[1] + 2 * gamma * w[2]
    if up == down:
        assert lower == upper == 0
        return
    low, high = quarter_log(up / down)
    assert lower < low <= high < upper


@pytest.mark.parametrize(
    ("orbit", "ratio"),
    [
        (Orbit((1, 1, 1), (1, 2, 3), (4, 5, 6), 7, 11), Fraction(7 * 6, 2 * 11 * 15)),
        (Orbit((1, -1), (1, 1), (2, 3), 0, 1), Fraction(3, 2)),
    ],
    ids=["definite A with decay: σ²Σs/(2γΣt)", "decay alone, both signs: t₋/t₊"],
)
def test_finite_where_one_might_not_expect_it(orbit: Orbit, ratio: Fraction) -> None:
    """e^{4λ*} for A = I with decay, and for decay without noise: no degeneracy."""
    lower, upper = ends(orbit.certify())

    low, high = quarter_log(ratio)
    assert lower < low <= high < upper
    assert orbit.certify().degeneracy is None


@pytest.mark.parametrize("power", [1, 17, 40, 310, 700])
@pytest.mark.parametrize("sense", [1, -1])
def test_sides_that_nearly_cancel(power: int, sense: int) -> None:
    """Σ up/Σ down = 1 ± 10^-power, far below what floats resolve."""
    ratio = 1 + sense * Fraction(1, 10**power)
    orbit = Orbit((1, -1), (ratio, 1), (0, 0))
    lower, upper = ends(orbit.certify())

    low, high = quarter_log(ratio, 8192)
    assert lower < low <= high < upper
    assert (upper - lower) * 2**128 <= min(abs(lower), abs(upper))


@pytest.mark.parametrize("power", [-305, -150, 150, 310])
def test_roots_of_any_size(power: int) -> None:
    """λ* = ln 2/(4·10^-power), beyond the floats too."""
    rate = Fraction(10) ** -power
    found = Orbit((rate, -rate), (2, 1), (0, 0)).certify()
    lower, upper = ends(found)

    low, high = quarter_log(Fraction(2))
    assert lower * rate < low <= high < upper * rate
    nearest = math.log(2) / 4 / rate if power <= 305 else math.inf
    assert math.isclose(found.midpoint, nearest, rel_tol=4 * EPS)


@pytest.mark.parametrize("tiny", [Fraction(1, 10**300), Fraction(1, 10**2000)])
def test_rates_of_a_huge_ratio(tiny: Fraction) -> None:
    """A slow term decides alone once the fast one has died out, and far away."""
    orbit = Orbit((10**300, tiny, -tiny), (1, 1 + Fraction(1, 10**20), 1), (0, 0, 0))

    assert_certified(orbit, 64)
    assert_certified(replace(orbit, s=(1, 1, 1 + Fraction(1, 10**20))), 64)


@pytest.mark.parametrize(("steps", "proved"), [(-2, False), (0, True), (2, False)])
def test_both_signs_are_tested(steps: int, proved: bool) -> None:
    """Ends on one side of λ* = ln(3)/4, two grid steps off, prove nothing."""
    sides = [[(flint.arb(2), flint.arb(w))] for w in (3, 1)]
    middle = flint.arb(3).log() / 4 + flint.arb((steps, -2 - 20 - 2))
    x, far = middle.mid(), flint.arb(9)

    assert certify._straddle(sides, x, flint.arb(0), far, 20)[0] is proved


@given(finite_orbits(), st.sampled_from([5, 64, 300]))
def test_reflection_is_antisymmetric(orbit: Orbit, bits: int) -> None:
    """λ*(-μ) = -λ*(μ), to the last bit."""
    lower, upper = ends(orbit.certify(bits))
    mirror = replace(orbit, mu=tuple(-m for m in orbit.mu))

    assert ends(mirror.certify(bits)) == (-upper, -lower)


@given(finite_orbits(), st.fractions(Fraction(1, 50), 50, max_denominator=50))
def test_scaling_laws(orbit: Orbit, c: Fraction) -> None:
    """λ*(cμ) = λ*(μ)/c; and (cs, ct), (cσ², cγ), (σ²/c, cs) leave it alone."""
    lower, upper = ends(orbit.certify())
    mu, s, t = (tuple(c * Fraction(x) for x in v) for v in (orbit.mu, orbit.s, orbit.t))
    sigma2, gamma = Fraction(orbit.sigma2), Fraction(orbit.gamma)

    for other, factor in (
        (replace(orbit, mu=mu), c),
        (replace(orbit, s=s, t=t), 1),
        (replace(orbit, sigma2=c * sigma2, gamma=c * gamma), 1),
        (replace(orbit, sigma2=sigma2 / c, s=s), 1),
    ):
        low, high = ends(other.certify())
        assert max(lower, factor * low) <= min(upper, factor * high)


@given(finite_orbits())
def test_agrees_with_the_float_solver(orbit: Orbit) -> None:
    """The two share no code; the solver's error is a few eps (|λ| + L/m)."""
    mu, s, t = (tuple(map(float, v)) for v in (orbit.mu, orbit.s, orbit.t))
    sigma2, gamma = float(orbit.sigma2), float(orbit.gamma)
    lam = float(noise_equilibrium(mu, s, t, sigma2=sigma2, gamma=gamma))
    lower, upper = ends(Orbit(mu, s, t, sigma2, gamma).certify())

    factors = [abs(x) for x in (*mu, *s, *t, sigma2, 2 * gamma) if x]
    largest = max(abs(math.log(x)) for x in factors)
    slope = 4 * min(abs(m) for m in mu if m)  # of log(U/D), at least
    logs = 2 * (3 * largest + len(orbit.mu) + 2)
    bound = Fraction(2 * EPS * (2 * logs / slope + 8 * abs(lam)))
    assert lower - bound <= Fraction(lam) <= upper + bound


def test_floats_are_the_dyadics_they_are() -> None:
    """0.1 is not 1/10: 90 bits tell them apart; all kinds of one number agree."""
    exact, rounded = Fraction(1, 10), Fraction(0.1)

    def of(s: Any) -> Certificate:
        return certify_equilibrium((1, -1), s, (0, 0), sigma2=1, gamma=0, bits=90)

    assert of((0.1, 1)) == of([rounded, np.int32(1)]) == of(np.array([0.1, 1.0]))
    assert of((exact, 1)) == of([sp.Rational(1, 10), sp.Integer(1)])
    assert ends(of((exact, 1)))[1] < ends(of((0.1, 1)))[0]
    assert of((np.float32(0.1), 1)) == of([Fraction(float(np.float32(0.1))), 1])
    assert of((np.longdouble(1) / 3, 1)) != of((1 / 3, 1))
    ones, two = range(1, 2), np.array(2)
    zero = certify_equilibrium(ones, ones, ones, sigma2=two, gamma=np.float64(1))
    assert zero.lower == zero.upper == 0


@pytest.mark.parametrize(
    ("orbit", "end", "cause"),
    [
        (Orbit((0, 0), (1, 1), (1, 1), 1, 1), None, "zero-generator"),
        (Orbit((1, -1), (0, 0), (1, 1)), None, "no-noise-no-decay"),
        (Orbit((1, -1), (1, 1), (1, 1), 0, 0), None, "no-noise-no-decay"),
        (Orbit((1, 0), (0, 1), (0, 1), 1, 1), None, "no-noise-no-decay"),
        (Orbit((1, 2, 0), (1, 0, 1), (1, 1, 1)), 1, "semidefinite-without-decay"),
        (Orbit((-1, -2), (1, 1), (1, 1)), -1, "semidefinite-without-decay"),
        (Orbit((1, 0), (1, 1), (0, 5), 1, 1), 1, "semidefinite-without-decay"),
        (Orbit((1, -1), (1, 0), (1, 1)), 1, "one-sided-noise"),
        (Orbit((1, -1), (0, 1), (0, 0), 1, 1), -1, "one-sided-noise"),
        (Orbit((1, 2, 0), (0, 0, 5), (1, 0, 0), 1, 1), -1, "decay-alone"),
        (Orbit((1, -1), (1, 1), (0, 1), 0, 1), 1, "decay-alone"),
        (Orbit((1, -1, 0), (1, 0, 1), (0, 1, 1), 1, 1), 1, "noise-with-decay"),
        (Orbit((1, -1), (0, 1), (1, 0), 1, 1), -1, "noise-with-decay"),
    ],
)
def test_degenerate_classes(orbit: Orbit, end: int | None, cause: str) -> None:
    """Each class by name, mixed causes too; the float solver sees the same limit."""
    found = orbit.certify()
    limit = math.nan if end is None else end * math.inf

    assert found.degeneracy == cause
    assert found.unique is (end is not None)
    np.testing.assert_equal(found.midpoint, limit)
    args = (orbit.mu, orbit.s, orbit.t)
    solved = noise_equilibrium(*args, sigma2=orbit.sigma2, gamma=orbit.gamma)
    np.testing.assert_equal(float(solved), limit)
    assert found.contains(math.inf) is (end != -1)
    assert found.contains(-math.inf) is (end != 1)
    assert found.contains(7) is (end is None)
    assert cause in str(found)
    assert f"        {Degeneracy(cause).name}: " in (Degeneracy.__doc__ or "")


@pytest.mark.parametrize("bits", [1, 128])
def test_balance_at_the_start_is_exactly_zero(bits: int) -> None:
    """Σ up = Σ down, in exact arithmetic and with rates that differ."""
    orbit = Orbit((Fraction(1, 3), 2, -0.5), (3, 0, 3), (0, 0, 1), 1, 0.5)
    found = orbit.certify(bits)  # 1/3·3 + 2·½·½·1 = ½·3

    assert found == Certificate(Fraction(0), Fraction(0), True, None)
    assert str(found) == "λ* = 0 exactly"


GOOD: dict[str, Any] = {"mu": [1, -1], "s": [1, 2], "t": [1, 1]}
SCALARS: dict[str, Any] = {"sigma2": 1, "gamma": 0}


@pytest.mark.parametrize("name", [*GOOD, *SCALARS])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (math.nan, "expected finite numbers, got nan"),
        (np.float64(math.inf), "expected finite numbers, got inf"),
        (1j, "expected an exact real number .* of type complex"),
        ("1", "of type str"),
        (True, "of type bool"),
        (sp.sqrt(2), "of type Pow"),
        (sp.Float(0.5), "of type Float"),
        (np.ones(1), r"an array of shape \(1,\)"),
    ],
)
def test_rejects_what_is_not_an_exact_real(name: str, bad: Any, message: str) -> None:
    """The message names the argument, the entry and what came."""
    where = rf"^{name}\[1\]: " if name in GOOD else f"^{name}: "
    changed = {**GOOD, **SCALARS, name: [1, bad] if name in GOOD else bad}

    with pytest.raises(ValueError, match=where + ".*" + message):
        certify_equilibrium(**changed)


@pytest.mark.parametrize("name", ["s", "t", "sigma2", "gamma"])
def test_rejects_negative_weights(name: str) -> None:
    """Also those below the floats and those too long to print."""
    where = rf"^{name}\[1\]" if name in GOOD else f"^{name}"
    for bad, shown in ((Fraction(-1, 10**400), "1E-400"), (-(10**6000), "1.0*E.6000")):
        changed = {**GOOD, **SCALARS, name: [1, bad] if name in GOOD else bad}
        with pytest.raises(ValueError, match=f"{where}: .* >= 0, got -{shown}; "):
            certify_equilibrium(**changed)
    with pytest.raises(ValueError, match=r"gamma: .*negative weight decay"):
        certify_equilibrium(**GOOD, sigma2=1, gamma=-1)
    with pytest.raises(ValueError, match=r"bits: .* got a number of type int"):
        certify_equilibrium(**GOOD, **SCALARS, bits=-(10**5000))


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        ("mu", [], "^mu: expected at least one number"),
        ("t", [1], "^t: expected 2 numbers, .* got 1; mu, s, t"),
        ("s", [1, 2, 3], "^s: expected 2 numbers, .* got 3"),
        ("s", np.ones((1, 2)), r"^s: expected a list.* shape \(1, 2\).* one instance"),
        ("mu", np.array(1.0), r"^mu: expected a list.* shape \(\)"),
        ("mu", "12", "^mu: expected a list.* type str"),
        ("mu", {1, 2}, "^mu: expected a list.* type set"),
        *[
            ("bits", bad, "^bits: expected an int >= 1, got .*; 53")
            for bad in (0, -1, 128.0, True, "128", None, math.nan)
        ],
    ],
)
def test_rejects_bad_shapes_and_bits(name: str, bad: Any, message: str) -> None:
    """Wrong lengths, 2-d arrays, no numbers at all, bits that are no count."""
    with pytest.raises(ValueError, match=message):
        certify_equilibrium(**{**GOOD, **SCALARS, name: bad})


def test_restores_the_precision_of_flint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after the error at the ceiling, reached at once or by raising precision."""
    easy = Orbit((1, -1), (2, 1), (0, 0))
    tiny = Fraction(1, 10**2000)  # what a fast term decays to at λ*
    late = Orbit((1, tiny, -tiny), (1, 1, 1 + tiny), (0, 0, 0))
    with flint.ctx.workprec(77):
        easy.certify(500)
        assert flint.ctx.prec == 77
        monkeypatch.setattr(certify, "_CEILING", 2000)
        for orbit, bits in ((easy, 5000), (late, 64)):
            with pytest.raises(ArithmeticError, match=f"2000 bits .* more for {bits}"):
                orbit.certify(bits)
            assert flint.ctx.prec == 77


def test_threads_take_turns() -> None:
    """Flint's precision is one per process: no thread may leave its own behind."""
    before, patience = flint.ctx.prec, sys.getswitchinterval()
    orbit, sizes = Orbit((1, -2, 3), (3, 5, 1), (0, 0, 0)), [8, 64, 900] * 20
    try:
        sys.setswitchinterval(1e-5)
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(orbit.certify, sizes))
    finally:
        sys.setswitchinterval(patience)
    assert flint.ctx.prec == before
    assert len(set(found)) == 3


def test_without_flint(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module imports; the call says what to install."""
    monkeypatch.setitem(sys.modules, "flint", None)
    path = Path(certify.__file__)
    module = types.ModuleType("certify_without_flint")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(path.read_text("utf-8"), path, "exec"), module.__dict__)

    with pytest.raises(ImportError, match=r"pip install noetherflow\[fast\]"):
        module.certify_equilibrium(**GOOD, **SCALARS)


def test_certificates_are_values() -> None:
    """Exact membership, the nearest float, a short text, pickles."""
    third = Fraction(1, 3)
    found = Certificate(third, third + Fraction(1, 2**90), True, None)

    assert found.contains(third)
    assert not found.contains(1 / 3)  # the float is below the fraction
    assert not found.contains(math.nan) | found.contains(math.inf)
    assert Certificate(Fraction(0), Fraction(1), True, None).contains(np.int64(1))
    with pytest.raises(ValueError, match="x: expected an exact real"):
        found.contains("1/3")
    assert found.midpoint == 1 / 3
    assert str(found) == "λ* ≈ 0.33333333333333333, enclosed to 8.1E-28"
    huge = Certificate(Fraction(-(10**400)), Fraction(-(10**399)), True, None)
    assert huge.midpoint == -math.inf
    assert str(huge).startswith("λ* ≈ -5.5000")
    assert pickle.loads(pickle.dumps(found)) == found
    with pytest.raises(AttributeError):
        found.lower = third  # type: ignore[misc]
