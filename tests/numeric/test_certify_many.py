"""`certify_equilibria` against single certificates; the starts of searches."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import numeric._certify as certify
from numeric import certify_equilibrium, noise_equilibrium
from numeric._equilibria import many
from numeric._equilibria.estimate import float_root
from numeric._equilibria.many import Certificates, certify_equilibria
from tests.numeric.test_certify import Orbit, assert_certified, finite_orbits, sign


flint = pytest.importorskip("flint")


def draw(count: int, n: int = 8) -> tuple[Any, Any, Any]:
    """Draw hard orbits: |μ| from 1e-3 to 1e2, s and t from 1e-12 to 1e12."""
    rng = np.random.default_rng(count)
    m = 10 ** rng.uniform(-3, 2, (count, n)) * rng.choice([-1, 1], (count, n))
    return m, *10 ** rng.uniform(-12, 12, (2, count, n))


def test_every_interval_holds_the_root() -> None:
    """Signs of G at exact ends and at the floats, by mpmath; λ* of floats is inside."""
    mu, s, t = draw(60)
    found = certify_equilibria(mu, s, t, sigma2=0.05, gamma=0.01)
    lam = noise_equilibrium(mu, s, t, sigma2=0.05, gamma=0.01)

    for i, each in enumerate(found.certificates):
        orbit = Orbit(tuple(mu[i]), tuple(s[i]), tuple(t[i]), 0.05, 0.01)
        assert sign(orbit, Fraction(each.lower)) == 1
        assert sign(orbit, Fraction(each.upper)) == -1
        low, high = Fraction(each.lower), Fraction(each.upper)
        assert Fraction(found.lower[i]) <= low <= high <= Fraction(found.upper[i])
        assert (high - low) * 2**128 <= abs(low)
    # Rounded outward: at most two floats apart, and λ* is within 1e-12 of them.
    assert (
        found.upper <= np.nextafter(np.nextafter(found.lower, np.inf), np.inf)
    ).all()
    assert (np.abs(lam - found.lower) <= 1e-12 * np.abs(lam)).all()
    assert found.unique.all()
    assert (found.degeneracy == np.array(None)).all()


def test_agrees_with_certificates_one_by_one() -> None:
    """Both enclose the same number, whatever the search began with."""
    mu, s, t = draw(20, 3)
    found = certify_equilibria(mu, s, t, sigma2=0.05, gamma=0.01, bits=70)

    for i, each in enumerate(found.certificates):
        alone = certify_equilibrium(mu[i], s[i], t[i], sigma2=0.05, gamma=0.01, bits=70)
        assert each.lower <= alone.upper
        assert alone.lower <= each.upper


def test_broadcasts_and_degenerate_classes() -> None:
    """Leading axes as of `noise_equilibrium`; infinities, zeros and causes in place."""
    s = np.array([[3.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    sigma2 = np.array([[0.5], [0.0]])
    found = certify_equilibria([1, -1], s, [0, 0], sigma2=sigma2, gamma=0)
    lam = noise_equilibrium([1, -1], s, [0, 0], sigma2=sigma2, gamma=0)

    assert found.lower.shape == (2, 5)
    assert len(found.certificates) == 10
    inside = (found.lower <= lam) & (lam <= found.upper)
    assert (inside | np.isnan(lam)).all()
    assert found.lower[0, 1] == found.upper[0, 1] == 0
    assert not np.signbit(found.lower[0, 1])
    assert not np.signbit(found.upper[0, 1])
    assert list(found.lower[0, 2:]) == [math.inf, -math.inf, -math.inf]
    assert list(found.upper[0, 2:]) == [math.inf, -math.inf, math.inf]
    assert list(found.unique[0]) == [True] * 4 + [False]
    causes = [None, None, "one-sided-noise", "one-sided-noise", "no-noise-no-decay"]
    assert list(found.degeneracy[0]) == causes
    assert set(found.degeneracy[1]) == {"no-noise-no-decay"}


def test_no_rows_and_one_row() -> None:
    """Shapes () and (0,)."""
    one = certify_equilibria([1, -1], [3, 1], [0, 0], sigma2=1, gamma=0)
    none = certify_equilibria(np.ones((0, 2)), [3, 1], [0, 0], sigma2=1, gamma=0)

    assert isinstance(one, Certificates)
    assert one.lower.shape == one.degeneracy.shape == one.unique.shape == ()
    assert one.lower <= math.log(3) / 4 <= one.upper
    assert none.lower.shape == none.degeneracy.shape == (0,)
    assert none.certificates == ()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"s": [1.0, -1.0]}, "^s: expected numbers >= 0"),
        ({"mu": [1.0, math.nan]}, "^mu: expected finite"),
        ({"gamma": -1.0}, "negative weight decay"),
        ({"t": [1.0]}, "one n, got"),
        ({"gamma": [1.0] * 3, "sigma2": [1.0] * 2}, "broadcast together"),
        ({"t": [True, False]}, "^t: expected real numbers, got dtype bool"),
        (
            {"t": [Fraction(1, 3), 1]},
            "^t: .* dtype object; exact .* certify_equilibrium",
        ),
        ({"t": [2**53 + 1, 1]}, "^t: expected numbers that are doubles, got int64"),
        ({"t": np.array([2**63 + 1, 1], np.uint64)}, "^t: .* doubles, got uint64"),
        ({"s": np.array([1, -(2**53) - 2])}, "^s: expected numbers >= 0"),
        ({"t": np.array([1, 3], np.longdouble) / 3}, "^t: .* doubles, got float128"),
        ({"mu": [], "s": [], "t": []}, "^mu: expected at least one number in each"),
        ({"bits": 0}, "^bits: expected an int >= 1"),
    ],
)
def test_rejects(changed: dict[str, Any], message: str) -> None:
    """As `noise_equilibrium`, and whatever is no double."""
    if "float128" in message and np.finfo(np.longdouble).nmant == 52:
        pytest.skip("long doubles are doubles here")
    given: dict[str, Any] = {"mu": [1, -1], "s": [3, 1], "t": [1, 1]}
    given |= {"sigma2": 1.0, "gamma": 0.5} | changed
    with pytest.raises(ValueError, match=message):
        certify_equilibria(**given)


def test_exact_long_doubles_and_large_integers_pass() -> None:
    """2^53 and 0.5 are doubles, whatever type they came in."""
    wide = np.array([0.5, 2.0**53], np.longdouble)
    found = certify_equilibria([1, -1], wide, [0, 2**53], sigma2=1, gamma=1)
    alone = certify_equilibrium([1, -1], [0.5, 2**53], [0, 2**53], sigma2=1, gamma=1)

    # e^{4λ} = (σ²s₊ + 2γt₋)/(σ²s₋)
    assert found.lower <= math.log((0.5 + 2.0**54) / 2.0**53) / 4 <= found.upper
    assert found.certificates[0].lower <= alone.upper


@pytest.mark.parametrize(
    ("exact", "below"),
    [
        (Fraction(1, 3), 1 / 3),
        (Fraction(1, 10), math.nextafter(0.1, 0)),
        (Fraction(-1, 3), math.nextafter(-1 / 3, -1)),
        (Fraction(1, 2), 0.5),
        (Fraction(10**400), math.nextafter(math.inf, 0)),
        (Fraction(-(10**400)), -math.inf),
        (Fraction(1, 10**400), 0.0),
        (Fraction(-1, 10**400), -5e-324),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
    ],
)
def test_rounding_down(exact: Fraction | float, below: float) -> None:
    """The largest float that is no larger."""
    assert many.round_down(exact) == below


@given(finite_orbits(), st.sampled_from([0.0, -1.0, math.inf, math.nan, 1e-300, 1e300]))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_any_start_is_only_a_start(orbit: Orbit, near: float) -> None:
    """A wrong guess costs time; what is proved is the same."""
    found = certify.enclosed(
        orbit.mu, orbit.s, orbit.t, orbit.sigma2, orbit.gamma, 64, near
    )
    alone = orbit.certify(64)

    assert found.lower <= alone.upper
    assert alone.lower <= found.upper
    assert_certified(orbit, 64)


@given(finite_orbits())
@settings(derandomize=True, deadline=None, max_examples=100)
def test_floats_start_near_the_root(orbit: Orbit) -> None:
    """Newton in floats is what makes certificates fast: mostly good to 1e-9."""
    mu, s, t = (tuple(map(float, v)) for v in (orbit.mu, orbit.s, orbit.t))
    lam = noise_equilibrium(
        mu, s, t, sigma2=float(orbit.sigma2), gamma=float(orbit.gamma)
    )
    q = flint.fmpq
    sides: list[list[tuple[Any, Any]]] = [[], []]
    for weight, rate in orbit.terms():
        if weight:
            term = (q(abs(rate).numerator, abs(rate).denominator),)
            size = q(abs(weight).numerator, abs(weight).denominator)
            sides[weight < 0].append((*term, size))
    if float(lam) < 0:
        sides.reverse()
    near = float_root(*sides)

    if abs(lam) > 1e-3:
        assert abs(near - abs(lam)) <= 1e-9 * abs(lam)


def test_few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 128 bits: three Newton steps at most and one test of both signs."""
    calls = {"_step": 0, "_gap": 0}

    def counted(name: str) -> Any:
        plain = getattr(certify, name)

        def count(*args: Any) -> Any:
            calls[name] += 1
            return plain(*args)

        return count

    for name in calls:
        monkeypatch.setattr(certify, name, counted(name))
    mu, s, t = draw(40)
    certify_equilibria(mu, s, t, sigma2=0.05, gamma=0.01)

    assert calls["_step"] <= 3 * 40
    assert calls["_gap"] == 2 * 40
