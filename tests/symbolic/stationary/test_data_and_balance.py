"""The data constants from samples and laws, and the law of balance."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import DeclarationError, Verdict, compare
from symbolic._laws.ito import ItoProcess, gamma
from symbolic._stationary.balance import factor_balance, pair_law, product_balance
from symbolic._stationary.data import DataConstants
from symbolic._stationary.network import diagonal_network
from symbolic._stationary.reduction import T


numbers = st.fractions(-3, 3, max_denominator=3)
samples = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5)


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


@given(samples)
@settings(max_examples=12, deadline=None)
def test_constants_are_the_moments_of_the_paper(
    pairs: list[tuple[Fraction, Fraction]],
) -> None:
    found = DataConstants.from_samples(pairs)
    x2, xy = [x * x for x, _ in pairs], [x * y for x, y in pairs]
    cross = [x**3 * y for x, y in pairs]
    assert found.alpha1 == mean([s * s for s in x2]) - mean(x2) ** 2
    assert found.alpha2 == mean(cross) - mean(x2) * mean(xy)
    assert found.alpha3 == mean([s * s for s in xy]) - mean(xy) ** 2
    assert (found.beta1, found.beta2) == (mean(x2), mean(xy))
    assert found.Delta >= 0  # Cauchy-Schwarz
    mirrored = DataConstants.from_samples([(x, -y) for x, y in pairs])
    assert mirrored == found.mirrored()


@given(samples, numbers)
@settings(max_examples=15, deadline=None)
def test_q_is_a_quarter_of_the_gradient_noise(
    pairs: list[tuple[Fraction, Fraction]], v: Fraction
) -> None:
    found = DataConstants.from_samples(pairs)
    gradients = [2 * x * (v * x - y) for x, y in pairs]
    spread = mean([g * g for g in gradients]) - mean(gradients) ** 2
    at = sp.Rational(v)
    assert 4 * found.Q(at) == spread
    assert 2 * (found.beta1 * at - found.beta2) == mean(gradients)


@given(st.lists(numbers, min_size=1, max_size=4), numbers)
@settings(max_examples=10, deadline=None)
def test_interpolating_data_have_no_gap(xs: list[Fraction], k: Fraction) -> None:
    found = DataConstants.from_samples([(x, k * x) for x in xs])
    assert found.Delta == 0
    assert found.interpolating(sp.Rational(k)) == found


def test_gaussian_data_by_hand() -> None:
    """E x⁴ = 3q², E x³y = 3kq², E x²y² = 3k²q² + qs² for Var x = q."""
    k, q, s = sp.symbols("k q s", positive=True)
    found = DataConstants.gaussian(k, s, q)
    expected = DataConstants(
        2 * q**2, 2 * k * q**2, 2 * k**2 * q**2 + q * s**2, q, k * q
    )
    for name in ("alpha1", "alpha2", "alpha3", "beta1", "beta2"):
        assert sp.expand(getattr(found, name) - getattr(expected, name)) == 0
    assert DataConstants.gaussian(1, 1) == DataConstants(2, 2, 3, 1, 1)


def test_least_noise_is_four_times_the_published_and_over_alpha1() -> None:
    """P2-3: min_v Var[∂ℓ/∂v] = 4Δ/α₁, not Δ."""
    data = DataConstants.symbols()
    corrected = compare(data.minimal_noise, 4 * data.Delta / data.alpha1)
    assert corrected.verdict is Verdict.PROVED
    published = compare(data.minimal_noise, data.Delta)
    assert published.verdict is Verdict.REFUTED


def test_a_negative_variance_is_refused() -> None:
    with pytest.raises(DeclarationError, match="alpha3 >= 0"):
        DataConstants(1, 0, -1, 1, 1)


# --------------------------------------------------------------------- the balance


@pytest.mark.parametrize(("depth", "width"), [(2, 1), (2, 2), (3, 1), (3, 2)])
def test_law_of_balance_of_a_network(depth: int, width: int) -> None:
    law = factor_balance(depth, width)
    assert law.proof.verdict is Verdict.PROVED
    published = law.rate + 4 * gamma - gamma  # P2-2: the rate is 4TQ + γ
    wrong = compare(law.flow, published * law.difference)
    assert wrong.verdict is Verdict.REFUTED
    uncentred = law.rate.subs(sp.Symbol("E_x2", real=True), 0)
    assert compare(law.flow, uncentred * law.difference).verdict is Verdict.REFUTED


def test_the_balance_of_the_network_is_that_of_its_factors() -> None:
    """On the manifold the factor law has P = (v/d)^(1 − 2/n)."""
    for depth, width in ((2, 2), (3, 1)):
        data = DataConstants.from_moments()
        g = sp.Symbol("gamma", positive=True)
        network = diagonal_network(depth, width, constants=data, decay=g)
        v = network.variable
        law = factor_balance(depth, width)
        r = (v / width) ** sp.Rational(1, depth)
        thetas = [s for s in law.rate.free_symbols if s.name[:2] == "u_"]
        at = dict.fromkeys(thetas, r) | {gamma: g}
        assert compare(law.rate.xreplace(at), network.balance).verdict is (
            Verdict.PROVED
        )
    with pytest.raises(DeclarationError, match="depth >= 2"):
        _ = diagonal_network(1).balance


@pytest.mark.parametrize(("p", "q"), [(1, 1), (2, 1), (2, 3)])
def test_law_of_balance_of_any_product(p: int, q: int) -> None:
    law = product_balance(p, q)
    assert law.proof.verdict is Verdict.PROVED
    swapped = law.flow.xreplace({gamma: -gamma})
    assert compare(law.flow, swapped).verdict is Verdict.REFUTED
    # one pair of the scalar case: C₁ = C₂ = Var A
    if (p, q) == (1, 1):
        C = sp.Symbol("K_0_0_0_0", real=True)
        u, w = law.u[0], law.w[0]
        expected = -(T * C + 4 * gamma) * (u**2 - w**2)
        assert compare(law.flow, expected).verdict is Verdict.PROVED


def test_c1_and_c2_from_samples_of_a() -> None:
    """C₁ = E[AᵀA] − E[A]ᵀE[A] and C₂ = E[AAᵀ] − E[A]E[A]ᵀ on two samples."""
    law = product_balance(2, 3)
    A = [sp.Matrix(3, 2, [1, 2, 0, -1, 3, 1]), sp.Matrix(3, 2, [0, 1, 1, 2, -2, 5])]
    mean = (A[0] + A[1]) / 2
    at = {}
    for symbol in law.C1.free_symbols | law.C2.free_symbols:
        i, k, j, m = (int(part) for part in symbol.name.split("_")[1:])
        at[symbol] = sum(M[k, i] * M[m, j] for M in A) / 2 - mean[k, i] * mean[m, j]
    C1 = sum((M.T * M for M in A), sp.zeros(2)) / 2 - mean.T * mean
    C2 = sum((M * M.T for M in A), sp.zeros(3)) / 2 - mean * mean.T
    assert law.C1.xreplace(at) == C1
    assert law.C2.xreplace(at) == C2


# ------------------------------------------------------------------------ Theorem 4.1

N = sp.Symbol("N", nonnegative=True)
zi, zj = sp.symbols("z_i z_j", positive=True)


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_pairs_from_all_factors(depth: int, equal: bool) -> None:
    """The law again, from the SDE of every factor of both products."""
    law = pair_law(depth, equal_signs=equal)
    assert law.variation == 0
    q = sp.Symbol("q", real=True)
    u = sp.symbols(f"a:{depth}", positive=True)
    w = sp.symbols(f"b:{depth}", positive=True)
    sign = 1 if equal else -1  # the product of the second is sign·∏b, sign on b₀
    rest = [sp.prod(u) / s for s in u] + [sp.prod(w) / s * sign for s in w]
    theta = (*u, *w)
    drift = tuple(-q * p - 2 * gamma * s for p, s in zip(rest, theta, strict=True))
    D = sp.ImmutableDenseMatrix(
        len(theta), len(theta), lambda a, b: 4 * N * rest[a] * rest[b]
    )
    process = ItoProcess(theta, drift, D)
    if depth == 2:
        f = sp.log(u[0] * u[1]) - sign * sp.log(w[0] * w[1])
    else:  # z = |v|^(2/n − 1), the product of its factors to that power
        e = sp.Rational(2, depth) - 1
        f = sp.prod([s**e for s in u]) - sign * sp.prod([s**e for s in w])
    found = process.differential(f)
    r, t = sp.symbols("r t", positive=True)
    balanced = dict.fromkeys(u, r) | dict.fromkeys(w, t)
    names = {zi: r ** (2 - depth), zj: t ** (2 - depth)}
    left = found.drift.xreplace(balanced)
    assert compare(left, law.drift.xreplace(names)).verdict is Verdict.PROVED
    assert compare(found.variation.xreplace(balanced), sp.S.Zero).verdict is (
        Verdict.PROVED
    )


def test_pairs_at_any_depth() -> None:
    n = sp.Symbol("n", positive=True, integer=True)
    attract = pair_law(n + 2, equal_signs=True).drift
    expected = (-2 * N * n * (n + 1) / (zi * zj) + 2 * gamma * n) * (zi - zj)
    assert compare(attract, expected).verdict is Verdict.PROVED
    repel = pair_law(n + 2, equal_signs=False).drift.xreplace({gamma: sp.S.Zero})
    assert repel.is_nonnegative  # z → ∞: one of the products vanishes
    assert pair_law(2, equal_signs=True).drift == 0
    with pytest.raises(DeclarationError, match="at least 2"):
        pair_law(1, equal_signs=True)
