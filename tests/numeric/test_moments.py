"""Moments of the noise against loops over samples, exact sums, and other chunks."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from numeric import LinearNet, ShapeError, compile_loss
from numeric._balance.moments import linear_net_moments
from numeric._balance.polynomial import NoiseData, NoisePolynomial, noise_function
from numeric._moments import NoiseMoments, noise_moments
from symbolic import Loss, ParameterSpace
from tests.strategies import losses


SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 40))


def net_case(seed: int, N: int) -> tuple[Any, dict[str, np.ndarray], np.ndarray]:
    """Return a loss of two matrices, samples and a point."""
    loss = losses()["net"]
    rng = np.random.default_rng(seed)
    data = {
        name: rng.normal(size=(N, *loss.data.int_shape(name)))
        for name in loss.data.names
    }
    return loss, data, rng.normal(size=loss.space.size)


def looped(loss: Any, data: dict[str, np.ndarray], theta: np.ndarray) -> np.ndarray:
    """Return every sample's gradient, (N, n), one call for each."""
    evaluator = compile_loss(loss)
    N = len(next(iter(data.values())))
    rows = [
        evaluator.gradient(theta, {k: v[i] for k, v in data.items()}) for i in range(N)
    ]
    return np.array(rows)


@given(seed=SEEDS, N=st.integers(1, 40), chunk=st.integers(1, 50))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_equals_the_explicit_sums_for_any_chunk(seed: int, N: int, chunk: int) -> None:
    loss, data, theta = net_case(seed, N)
    g = looped(loss, data, theta)
    mean = g.mean(axis=0)
    Sigma = (g - mean).T @ (g - mean) / N
    size = 1e-14 * (N + 10) * (1 + np.abs(g).max()) ** 2
    found = noise_moments(loss, data, theta, chunk=chunk)

    assert found.count == N
    np.testing.assert_allclose(found.mean, mean, atol=size)
    np.testing.assert_allclose(found.covariance, Sigma, atol=size)
    np.testing.assert_allclose(found.second_moment, g.T @ g / N, atol=size)
    np.testing.assert_allclose(found.variance, np.diag(Sigma), atol=size)
    assert abs(found.trace() - np.trace(Sigma)) <= size * len(mean)


def test_blocks_are_those_of_the_whole_and_no_more() -> None:
    loss, data, theta = net_case(3, 17)
    first, second = loss.space.names[:2]
    n = int(np.prod(loss.space.int_shape(first)))
    whole = noise_moments(loss, data, theta)
    some = noise_moments(loss, data, theta, blocks=[first, (second, first)], chunk=4)
    none = noise_moments(loss, data, theta, blocks=())

    assert set(some.blocks) == {(first, first), (second, first)}
    assert not none.blocks
    np.testing.assert_allclose(some.block(first), whole.covariance[:n, :n], atol=1e-12)
    np.testing.assert_allclose(
        some.block(first, second), whole.block(first, second), atol=1e-12
    )
    np.testing.assert_allclose(
        some.second_block(second, first), whole.second_moment[n:, :n], atol=1e-12
    )
    for name in (first, second):
        traced = np.trace(whole.block(name))
        np.testing.assert_allclose(none.trace(name), traced, rtol=1e-12)
    with pytest.raises(KeyError, match="add it to"):
        some.block(second)
    with pytest.raises(KeyError, match="add it to"):
        assert some.covariance.size


@given(seed=SEEDS, cut=st.tuples(st.integers(1, 20), st.integers(1, 20)))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_merging_is_associative_up_to_rounding(seed: int, cut: tuple[int, int]) -> None:
    loss, data, theta = net_case(seed, sum(cut) + 5)
    ends = [0, cut[0], sum(cut), sum(cut) + 5]
    parts = [
        noise_moments(loss, {k: v[a:b] for k, v in data.items()}, theta)
        for a, b in pairwise(ends)
    ]
    one, two, three = parts
    left, right = one.merged(two).merged(three), one.merged(two.merged(three))
    whole = noise_moments(loss, data, theta)
    size = 1e-14 * (1 + float(np.abs(whole.second_moment).max()))

    for found in (left, right):
        assert found.count == whole.count
        np.testing.assert_allclose(found.mean, whole.mean, atol=10 * size)
        np.testing.assert_allclose(found.covariance, whole.covariance, atol=50 * size)
        np.testing.assert_allclose(found.variance, whole.variance, atol=50 * size)


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_a_dominating_mean_costs_no_digits(chunk: int) -> None:
    """Gradients 2(u − y) near 2²⁷ whose exact variance is 4·Var[y], to 2e-7 of it.

    E[g²] − ḡ² would lose all digits: both are near 2⁵⁴, with a spacing of 4.
    """
    loss = Loss("(u - y)**2", ParameterSpace(u=()), {"y": ()})
    rng = np.random.default_rng(4)
    y = rng.integers(-(2**10), 2**10, 300) / 2.0**12 - 2.0**26
    exact = [Fraction(float(v)) for v in y]
    mean = sum(exact, Fraction(0)) / 300
    wanted = float(4 * sum(((v - mean) ** 2 for v in exact), Fraction(0)) / 300)
    found = noise_moments(loss, {"y": y}, np.zeros(1), chunk=chunk)

    # g is exact; each chunk's mean, and each merge, rounds at 2^-26 of ±0.25.
    assert abs(found.trace() - wanted) <= 2e-7 * wanted
    assert abs(found.block("u").item() - wanted) <= 2e-7 * wanted
    np.testing.assert_allclose(found.mean, [float(-2 * mean)], rtol=1e-15)


def test_rounding_of_a_long_sum_is_taken_back() -> None:
    """20,000 gradients near 2⁴¹ in one chunk, to 1e-9 of their variance of about ⅓.

    Each of the additions that make up the mean rounds by up to 2, as the sum is 2⁵⁵:
    without a second pass over the centred gradients the mean and Σ show it.
    """
    loss = Loss("(u - y)**2 + (w - y)**2", ParameterSpace(u=(), w=()), {"y": ()})
    rng = np.random.default_rng(4)
    offsets = rng.integers(-(2**9), 2**9, 20_000)
    y = offsets / 2.0**10 - 2.0**40
    found = noise_moments(loss, {"y": y}, np.zeros(2), chunk=20_000)
    exact = [Fraction(int(k), 2**10) for k in offsets]
    mean = sum(exact, Fraction(0)) / 20_000
    wanted = float(4 * sum((v * v for v in exact), Fraction(0)) / 20_000 - 4 * mean**2)

    np.testing.assert_allclose(found.covariance, np.full((2, 2), wanted), rtol=1e-9)
    np.testing.assert_allclose(found.variance, [wanted] * 2, rtol=1e-9)
    assert np.abs(found.mean - float(2**41 - 2 * mean)).max() <= 2.0**-11


def test_float32_data_are_summed_in_float64() -> None:
    loss, data, theta = net_case(8, 500)
    small = {k: v.astype(np.float32) for k, v in data.items()}
    wide = {k: v.astype(np.float64) for k, v in small.items()}
    one, two = noise_moments(loss, small, theta), noise_moments(loss, wide, theta)

    assert one.covariance.dtype == np.float64
    np.testing.assert_allclose(one.covariance, two.covariance, rtol=1e-12, atol=1e-12)


def test_one_sample_has_no_noise() -> None:
    loss, data, theta = net_case(9, 1)
    found = noise_moments(loss, data, loss.space.unpack(theta))

    assert found.trace() == 0
    assert not found.covariance.any()
    np.testing.assert_allclose(
        found.second_moment, np.outer(found.mean, found.mean), rtol=1e-15
    )


def test_bad_arguments_are_refused_by_name() -> None:
    loss, data, theta = net_case(1, 5)
    name = loss.data.names[0]
    bad = {k: v.copy() for k, v in data.items()}
    bad[name][3] = np.nan
    with pytest.raises(ValueError, match="sample 3"):
        noise_moments(loss, bad, theta, chunk=2)
    with pytest.raises(ValueError, match="at least one sample"):
        noise_moments(loss, {k: v[:0] for k, v in data.items()}, theta)
    with pytest.raises(ShapeError, match="with one N"):
        noise_moments(loss, data | {name: data[name][:4]}, theta)
    with pytest.raises(ShapeError, match="one point"):
        noise_moments(loss, data, np.stack([theta, theta]))
    with pytest.raises(ShapeError, match="blocks"):
        noise_moments(loss, data, theta, blocks=["nothing"])
    with pytest.raises(ValueError, match="chunk"):
        noise_moments(loss, data, theta, chunk=0)
    with pytest.raises(ShapeError, match="data"):
        noise_moments(loss, {}, theta)
    one = noise_moments(loss, data, theta)
    with pytest.raises(ShapeError, match="same `blocks`"):
        one.merged(noise_moments(loss, data, theta, blocks=()))


def samples(
    shape: tuple[int, int, int], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return V, x and y."""
    d_x, d_y, N = shape
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(d_y, d_x)),
        rng.normal(size=(N, d_x)),
        rng.normal(size=(N, d_y)),
    )


@given(shape=SHAPES, seed=SEEDS, chunk=st.integers(1, 50))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_linear_net_agrees_with_linear_net_noise(
    shape: tuple[int, int, int], seed: int, chunk: int
) -> None:
    V, x, y = samples(shape, seed)
    net = LinearNet(np.eye(len(V)), V)
    found = linear_net_moments(net, x, y, chunk=chunk)
    again = linear_net_moments(V, x, y)
    centred, uncentred = net.noise(x, y), net.noise(x, y, centred=False)
    r = net.residuals(x, y)
    size = 1e-14 * (10 + len(x)) * (1 + np.abs(r).max() * np.abs(x).max()) ** 2

    np.testing.assert_allclose(found.M, r.T @ x / len(x), atol=size)
    for mine in (found, again):
        for name in ("U", "W"):
            for got, wanted in (
                (mine.centred, centred),
                (mine.uncentred, uncentred),
            ):
                np.testing.assert_allclose(
                    getattr(got, name), getattr(wanted, name), atol=20 * size
                )


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_linear_net_keeps_the_digits_of_small_noise(chunk: int) -> None:
    """Means of 2¹⁸ against noise of 1: the exact Γ⁰ in rationals, to 1e-9 of it."""
    rng = np.random.default_rng(11)
    N = 30
    x = 2.0**18 + rng.integers(-64, 64, (N, 2)) / 64.0
    y = 2.0**18 + rng.integers(-64, 64, (N, 2)) / 64.0
    V = np.zeros((2, 2))
    found = linear_net_moments(V, x, y, chunk=chunk)
    G = [
        [[-Fraction(float(b)) * Fraction(float(a)) for a in row] for b in out]
        for row, out in zip(x, y, strict=True)
    ]
    M = [[sum((g[i][j] for g in G), Fraction(0)) / N for j in (0, 1)] for i in (0, 1)]
    for i in (0, 1):
        for j in (0, 1):
            upper = sum(
                (g[i][k] - M[i][k]) * (g[j][k] - M[j][k]) for g in G for k in (0, 1)
            )
            lower = sum(
                (g[k][i] - M[k][i]) * (g[k][j] - M[k][j]) for g in G for k in (0, 1)
            )
            size = abs(float(found.centred.U[0, 0]))
            assert abs(found.centred.U[i, j] - float(upper / N)) <= 1e-9 * size
            assert abs(found.centred.W[i, j] - float(lower / N)) <= 1e-9 * size


@pytest.mark.parametrize("discrete", [False, True])
def test_balance_matrices_are_those_of_the_theorem(discrete: bool) -> None:
    """Γ⁰ + (γS/η)I, and in discrete time + S·MᵀM with (1 − ηγ)."""
    V, x, y = samples((3, 2, 25), 5)
    found = linear_net_moments(V, x, y)
    net, M = LinearNet(np.eye(2), V), found.M
    noise = net.noise(x, y)
    lr, batch, gamma = 0.1, 4, 0.5
    shift = gamma * batch / lr * ((1 - lr * gamma) if discrete else 1)
    extra = batch if discrete else 0
    Gamma = found.balance(lr=lr, batch=batch, gamma=gamma, discrete=discrete)

    wanted_U = noise.U + extra * M @ M.T + shift * np.eye(2)
    np.testing.assert_allclose(Gamma.U, wanted_U, rtol=1e-12)
    wanted_W = noise.W + extra * M.T @ M + shift * np.eye(3)
    np.testing.assert_allclose(Gamma.W, wanted_W, rtol=1e-12, atol=1e-12)


def test_discrete_balance_stops_the_mean_of_the_discrete_step() -> None:
    """E[Q'] = Q for Q = UᵀU − WWᵀ at a balance that is discrete, S = 1: exact law.

    The step is θ' = κθ − ηg, κ = 1 − 2ηγ, over all samples; Q' − κ²Q is η²(g_Uᵀg_U −
    g_Wg_Wᵀ) as the symmetry makes the mixed terms cancel. So E[Q'] − Q is (4η²)(WG_WWᵀ
    − UᵀG_UU) − 4ηγ(1 − ηγ)Q with uncentred G, i.e. 4η² times the sides' difference.
    """
    _, x, y = samples((3, 2, 9), 6)
    rng = np.random.default_rng(7)
    net = LinearNet(rng.normal(size=(2, 2)), rng.normal(size=(2, 3)))
    lr, gamma = 0.05, 0.3
    found = linear_net_moments(net, x, y)
    left, right = net.sides(found.balance(lr=lr, gamma=gamma, discrete=True))
    charges = []
    for i in range(len(x)):
        g_U, g_W = net.gradient(x[i : i + 1], y[i : i + 1])
        charges.append(net.stepped(g_U, g_W, lr=lr, gamma=gamma).charge)
    moved = np.mean(charges, axis=0) - net.charge

    size = np.abs(charges).max()
    np.testing.assert_allclose(moved, 4 * lr**2 * (left - right), atol=1e-14 * size)


def test_linear_net_refuses_what_does_not_fit() -> None:
    V, x, y = samples((3, 2, 6), 1)
    found = linear_net_moments(V, x, y)
    with pytest.raises(ShapeError, match="d_y, d_x"):
        linear_net_moments(V.T, x, y)
    with pytest.raises(ShapeError, match="as many"):
        linear_net_moments(V, x[:5], y)
    with pytest.raises(ShapeError, match="merged"):
        found.merged(linear_net_moments(V[:1], x, y[:, :1]))
    y[4, 0] = np.inf
    with pytest.raises(ValueError, match="sample 4"):
        linear_net_moments(V, x, y, chunk=3)
    for lr, batch, gamma in ((0.0, 1, 0.0), (0.1, 0, 0.0), (0.1, 1, -1.0)):
        with pytest.raises(ValueError, match="lr > 0"):
            found.balance(lr=lr, batch=batch, gamma=gamma)
    with pytest.raises(ValueError, match="lr > 0"):
        found.balance(lr=float("nan"))
    with pytest.raises(ValueError, match="overshoots"):
        found.balance(lr=1.0, gamma=1.0, discrete=True)


@given(shape=SHAPES, seed=SEEDS)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_polynomial_is_the_pass_over_data_at_any_point(
    shape: tuple[int, int, int], seed: int
) -> None:
    V, x, y = samples(shape, seed)
    by_moments = noise_function(x, y, method="moments", chunk=7).at(V)
    by_data = noise_function(x, y, method="data").at(V)
    r = x @ V.T - y
    size = 1e-12 * (1 + np.abs(r).max() + np.abs(y).max() + np.abs(x).max()) ** 4

    assert by_moments.count == len(x)
    np.testing.assert_allclose(by_moments.M, by_data.M, atol=size)
    for name in ("U", "W"):
        got, wanted = (getattr(m.centred, name) for m in (by_moments, by_data))
        np.testing.assert_allclose(got, wanted, atol=size)


@given(shape=SHAPES, seed=SEEDS)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_slope_is_exact_for_a_quadratic(shape: tuple[int, int, int], seed: int) -> None:
    """For a quadratic (f(V + D) − f(V − D))/2 is the derivative along D, exactly."""
    V, x, y = samples(shape, seed)
    noise = noise_function(x, y, method="moments")
    assert isinstance(noise, NoisePolynomial)
    D = np.random.default_rng(seed + 1).normal(size=(3, *V.shape))
    slope = noise.slope(V, D)
    for k in range(3):
        up, down = noise.at(V + D[k]), noise.at(V - D[k])
        pairs = [
            (slope.M[k], up.M, down.M),
            (slope.centred.U[k], up.centred.U, down.centred.U),
            (slope.centred.W[k], up.centred.W, down.centred.W),
        ]
        for got, above, below in pairs:
            size = 1e-13 * (1 + np.abs(above).max() + np.abs(below).max())
            np.testing.assert_allclose(got, (above - below) / 2, atol=20 * size)


def test_the_cheaper_way_is_chosen_and_small_residuals_do_not_cancel() -> None:
    rng = np.random.default_rng(2)
    x, A = rng.normal(size=(2000, 2)), rng.normal(size=(2, 2))
    y = x @ A.T + 1e-7 * rng.normal(size=(2000, 2))
    noise = noise_function(x, y)
    assert isinstance(noise, NoisePolynomial)
    assert isinstance(noise_function(x[:3], y[:3]), NoiseData)
    exact = linear_net_moments(A, x, y)
    found = noise.at(A)

    assert exact.centred.W.max() < 1e-12
    np.testing.assert_allclose(found.centred.W, exact.centred.W, rtol=1e-6, atol=1e-20)
    np.testing.assert_allclose(found.centred.U, exact.centred.U, rtol=1e-6, atol=1e-20)


def test_noise_function_refuses_what_does_not_fit() -> None:
    V, x, y = samples((3, 2, 6), 1)
    noise = noise_function(x, y, method="moments")
    assert isinstance(noise, NoisePolynomial)
    with pytest.raises(ShapeError, match="V: expected"):
        noise.at(V.T)
    with pytest.raises(ShapeError, match="dV: expected"):
        noise.slope(V, V.T)
    with pytest.raises(ValueError, match="method"):
        noise_function(x, y, method="guess")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="N, d_x"):
        noise_function(x[:4], y)
    with pytest.raises(ValueError, match="at least one"):
        noise_function(x[:0], y[:0])
    x[2, 1] = np.nan
    with pytest.raises(ValueError, match="sample 2"):
        noise_function(x, y)


def test_moments_are_frozen_all_through() -> None:
    loss, data, theta = net_case(1, 5)
    found: NoiseMoments = noise_moments(loss, data, theta)
    with pytest.raises(TypeError):
        found.blocks["a", "b"] = np.zeros((1, 1))  # type: ignore[index]
