"""Theorem 2's balance on the orbit: residuals, uniqueness, existence, stationarity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from numeric import LinearNet, NoiseMatrices, ShapeError
from numeric._balance import matrix
from numeric._balance.matrix import MatrixBalance, balanced_factors, matrix_balance
from numeric._balance.moments import linear_net_moments
from numeric._balance.orbit import minimise_on_orbit
from numeric._balance.pair import NoBalanceError, balance_pair, root
from numeric._balance.polynomial import noise_polynomial
from numeric._balance.stationary import _newton, _Problem, stationary_balance
from numeric._balance.terms import OrbitTerm


SEEDS = st.integers(0, 2**32 - 1)
WIDTHS = st.tuples(*[st.integers(1, 6)] * 3)  # d_y, d, d_x


def definite(n: int, condition: float, rng: np.random.Generator) -> np.ndarray:
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return np.asarray((Q * np.logspace(0, -np.log10(condition), n)) @ Q.T)


def orthogonal(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


def start(widths: tuple[int, int, int], rng: np.random.Generator) -> LinearNet:
    d_y, d, d_x = widths
    return LinearNet(rng.normal(size=(d_y, d)), rng.normal(size=(d, d_x)))


def imbalance(found: MatrixBalance, noise: NoiseMatrices) -> float:
    """Return ‖WΓ_WWᵀ − UᵀΓ_UU‖/‖UᵀΓ_UU‖, written out."""
    left = found.W @ noise.W @ found.W.T
    right = found.U.T @ noise.U @ found.U
    return float(np.linalg.norm(left - right) / np.linalg.norm(right))


@given(widths=WIDTHS, seed=SEEDS, digits=st.tuples(*[st.floats(0, 12)] * 2))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_balanced_with_the_same_function_at_any_condition_up_to_1e12(
    widths: tuple[int, int, int], seed: int, digits: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    net = start(widths, rng)
    noise = NoiseMatrices(
        definite(widths[0], 10 ** digits[0], rng),
        definite(widths[2], 10 ** digits[1], rng),
    )
    found = matrix_balance(net, noise)
    V = net.U @ net.W
    size = np.linalg.norm(net.U) * np.linalg.norm(net.W)

    assert imbalance(found, noise) <= 1e-10
    assert np.linalg.norm(found.U @ found.W - V) <= 1e-11 * size
    assert found.rank == min(widths)
    assert not found.degenerate
    assert abs(found.residual - imbalance(found, noise)) <= 1e-12


@given(widths=WIDTHS, seed=SEEDS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_r_leads_from_the_start_to_the_result(
    widths: tuple[int, int, int], seed: int
) -> None:
    """U = U₀R and W = R⁻¹W₀; None exactly where a layer has more rank than UW."""
    rng = np.random.default_rng(seed)
    net = start(widths, rng)
    noise = NoiseMatrices(definite(widths[0], 10, rng), definite(widths[2], 10, rng))
    found = matrix_balance(net, noise)
    d_y, d, d_x = widths
    on_orbit = min(d, d_y) == min(d, d_x) == min(widths)

    assert (found.R is not None) == on_orbit
    if found.R is not None:
        spread = np.linalg.cond(net.U) * np.linalg.cond(net.W) * np.linalg.cond(found.R)
        size = 1e-13 * float(spread)
        scale = np.abs(found.U).max() + np.abs(found.W).max()
        np.testing.assert_allclose(net.U @ found.R, found.U, atol=size * scale)
        np.testing.assert_allclose(found.R @ found.W, net.W, atol=size * 10 * scale)


@given(seed=SEEDS, d=st.integers(1, 4), extra=st.tuples(*[st.integers(0, 3)] * 2))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_elsewhere_on_the_orbit_the_same_up_to_rotation(
    seed: int, d: int, extra: tuple[int, int]
) -> None:
    """U and W of another start differ by O ∈ O(d), and by F = O of a rotated start."""
    rng = np.random.default_rng(seed)
    net = start((d + extra[0], d, d + extra[1]), rng)
    noise = NoiseMatrices(
        definite(d + extra[0], 100, rng), definite(d + extra[1], 100, rng)
    )
    R = orthogonal(d, rng) @ np.diag(np.exp(rng.uniform(-2, 2, d))) @ orthogonal(d, rng)
    turn = orthogonal(d, rng)
    here = matrix_balance(net, noise)
    there = matrix_balance(LinearNet(net.U @ R, np.linalg.solve(R, net.W)), noise)
    turned = matrix_balance(LinearNet(net.U @ turn, turn.T @ net.W), noise)
    # Rounding of UW at the other start is magnified by cond R <= e^4 and by that of V.
    values = np.linalg.svd(net.U @ net.W, compute_uv=False)[:d]
    size = 1e-13 * np.exp(4) * float(values[0] / values[-1]) + 1e-12

    np.testing.assert_allclose(
        there.U @ there.U.T, here.U @ here.U.T, atol=size * np.abs(here.U).max() ** 2
    )
    np.testing.assert_allclose(
        there.W.T @ there.W, here.W.T @ here.W, atol=size * np.abs(here.W).max() ** 2
    )
    np.testing.assert_allclose(
        turned.U, here.U @ turn, atol=size * np.abs(here.U).max()
    )
    np.testing.assert_allclose(
        turned.W, turn.T @ here.W, atol=size * np.abs(here.W).max()
    )


@given(widths=WIDTHS, seed=SEEDS)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_no_balanced_pair_is_nearer_to_the_start(
    widths: tuple[int, int, int], seed: int
) -> None:
    """All others are (UO, OᵀW); random O do no better."""
    rng = np.random.default_rng(seed)
    net = start(widths, rng)
    noise = NoiseMatrices(definite(widths[0], 10, rng), definite(widths[2], 10, rng))
    found = matrix_balance(net, noise)

    def far(U: np.ndarray, W: np.ndarray) -> float:
        return float(((U - net.U) ** 2).sum() + ((W - net.W) ** 2).sum())

    best = far(found.U, found.W)
    for scale in (0.01, 0.1, 10.0):
        S = scale * rng.normal(size=(widths[1],) * 2)
        turn = np.linalg.qr(np.eye(len(S)) + S - S.T)[0]
        turn = turn * np.sign(np.diag(turn)) if scale < 1 else turn
        assert far(found.U @ turn, turn.T @ found.W) >= best * (1 - 1e-12)


def test_against_the_geodesic_solver_and_the_variational_form() -> None:
    """The balance is the least Φ = Tr[UᵀΓ_UU P] + Tr[WΓ_WWᵀP⁻¹] on the orbit."""
    rng = np.random.default_rng(3)
    net = start((4, 3, 5), rng)
    x, y = rng.normal(size=(60, 5)), rng.normal(size=(60, 4))
    noise = linear_net_moments(net, x, y).balance(lr=0.1, batch=2, gamma=0.01)
    found = matrix_balance(net, noise)
    up = OrbitTerm((root(noise.U) @ net.U).T, left=0)
    down = OrbitTerm((net.W @ root(noise.W).T).T, right=0)
    solved = minimise_on_orbit([up, down])

    assert solved.converged
    assert found.R is not None
    P = found.R @ found.R.T
    np.testing.assert_allclose(P, solved.P[0], rtol=1e-10, atol=1e-12)


def test_one_sample_and_one_dimension() -> None:
    """N = 1: Γ⁰ = 0 at any V, and only decay balances: UᵀU = WWᵀ."""
    net = LinearNet(np.array([[4.0]]), np.array([[1.0]]))
    moments = linear_net_moments(net, np.array([[1.0]]), np.array([[2.0]]))
    found = matrix_balance(net, moments.balance(lr=0.1, gamma=0.1))

    np.testing.assert_allclose([found.U, found.W], [[[2.0]], [[2.0]]], rtol=1e-14)
    free = matrix_balance(net, moments.balance(lr=0.1))
    assert free.degenerate
    assert free.free == 1
    np.testing.assert_allclose([free.U, free.W], [[[2.0]], [[2.0]]], rtol=1e-14)


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_singular_noise_gives_the_limit_of_small_decay(seed: int) -> None:
    """Where √Γ_UV, V√Γ_W and √Γ_UV√Γ_W have one rank below V's: γ → 0⁺ continuously.

    For γ > 0 the pair is unique; at γ = 1e-7 it differs from the limit by O(γ), with
    a constant from the conditioning of these 3 × 3 problems.
    """
    rng = np.random.default_rng(seed)
    d, rank = 3, int(rng.integers(1, 3))
    net = start((3, 3, 3), rng)
    V = net.U @ net.W
    left = rng.normal(size=(3, rank))
    right = rng.normal(size=(3, rank))
    noise = NoiseMatrices(left @ left.T, right @ right.T)
    found = matrix_balance(net, noise)
    near = matrix_balance(net, noise.shifted(1e-7))

    assert found.free == d - rank
    assert imbalance(found, noise) <= 1e-10
    np.testing.assert_allclose(found.U @ found.W, V, atol=1e-9 * np.abs(V).max() * 1e2)
    spread = np.linalg.cond(V) * np.linalg.cond(left.T @ V @ right) * 1e2
    size = 1e-7 * spread**2 * np.linalg.norm(found.U) ** 2
    np.testing.assert_allclose(near.U @ near.U.T, found.U @ found.U.T, atol=size)


@pytest.mark.parametrize(
    ("U", "W", "Gamma_U", "Gamma_W"),
    [
        ([[1.0], [0.0]], [[1.0]], np.diag([0.0, 1.0]), np.eye(1)),  # of the theory
        ([[1.0, 0.0], [0.0, 0.0]], [[1.0], [0.0]], np.diag([0.0, 1.0]), np.eye(1)),
        ([[1.0]], [[1.0]], np.zeros((1, 1)), np.eye(1)),
        ([[1.0]], [[1.0]], np.eye(1), np.zeros((1, 1))),
        (np.eye(2), np.eye(2), np.diag([1.0, 0]), np.diag([0, 1.0])),
        (np.eye(2), np.eye(2), np.eye(2), np.diag([0, 1.0])),
    ],
)
def test_without_a_finite_balance_the_reason_is_given(
    U: np.ndarray, W: np.ndarray, Gamma_U: np.ndarray, Gamma_W: np.ndarray
) -> None:
    net, noise = LinearNet(np.array(U), np.array(W)), NoiseMatrices(Gamma_U, Gamma_W)
    with pytest.raises(NoBalanceError, match="ranks"):
        matrix_balance(net, noise)

    mended = matrix_balance(net, noise.shifted(1e-3))
    assert mended.residual <= 1e-12


def test_full_rank_noise_is_never_refused_for_small_products() -> None:
    """A and B with condition 1e12 each have an AB that float64 takes for singular."""
    rng = np.random.default_rng(0)
    for n in (4, 8, 16):
        net = LinearNet(orthogonal(n, rng), orthogonal(n, rng))
        noise = NoiseMatrices(definite(n, 1e12, rng), definite(n, 1e12, rng))
        assert matrix_balance(net, noise).residual <= 1e-10


def test_tiny_singular_values_of_the_function_are_kept() -> None:
    """A direction of V at 1e-11 of the others is balanced like them."""
    rng = np.random.default_rng(1)
    L, Q = orthogonal(3, rng), orthogonal(3, rng)
    net = LinearNet(L * [1.0, 1e-5, 1.0], np.diag([1.0, 1e-6, 2.0]) @ Q)
    noise = NoiseMatrices(np.eye(3), np.eye(3))
    found = matrix_balance(net, noise)

    assert found.rank == 3
    values = np.linalg.svd(found.U, compute_uv=False) ** 2
    np.testing.assert_allclose(values, [2.0, 1.0, 1e-11], rtol=1e-4)


def test_zero_function_and_zero_layers() -> None:
    zero = LinearNet(np.zeros((2, 3)), np.ones((3, 4)))
    found = matrix_balance(zero, NoiseMatrices(np.eye(2), np.eye(4)))

    assert (found.rank, found.residual, found.shift) == (0, 0.0, 0.0)
    assert not found.U.any()
    assert not found.W.any()
    assert found.R is None


@given(seed=SEEDS, width=st.integers(1, 5), rank=st.integers(1, 3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_factors_of_a_function_need_the_width_of_its_rank(
    seed: int, width: int, rank: int
) -> None:
    rng = np.random.default_rng(seed)
    V = rng.normal(size=(4, rank)) @ rng.normal(size=(rank, 3))
    noise = NoiseMatrices(definite(4, 10, rng), definite(3, 10, rng))
    if width < rank:
        with pytest.raises(NoBalanceError, match=f"rank V = {rank}"):
            balanced_factors(V, noise, width)
        return
    found = balanced_factors(V, noise, width)

    assert found.U.shape == (4, width)
    assert found.R is None
    assert imbalance(found, noise) <= 1e-12
    np.testing.assert_allclose(found.U @ found.W, V, atol=1e-12 * np.abs(V).max())
    middle = found.U.T @ noise.U @ found.U
    np.testing.assert_allclose(
        middle, np.diag(np.diag(middle)), atol=1e-9 * np.trace(middle)
    )


def test_bad_arguments_are_refused() -> None:
    net = LinearNet(np.eye(2), np.eye(2))
    good = NoiseMatrices(np.eye(2), np.eye(2))
    with pytest.raises(ShapeError, match="one replica"):
        matrix_balance(LinearNet(np.zeros((3, 2, 2)), np.zeros((3, 2, 2))), good)
    with pytest.raises(ShapeError, match="Γ_U"):
        matrix_balance(net, NoiseMatrices(np.eye(3), np.eye(2)))
    with pytest.raises(ValueError, match="Γ_W: expected a positive"):
        matrix_balance(net, NoiseMatrices(np.eye(2), np.diag([1.0, -1.0])))
    with pytest.raises(ValueError, match="symmetric"):
        matrix_balance(net, NoiseMatrices(np.array([[1.0, 0.1], [0, 1]]), np.eye(2)))
    with pytest.raises(ValueError, match="finite"):
        matrix_balance(LinearNet(np.eye(2) * np.nan, np.eye(2)), good)
    with pytest.raises(ValueError, match="finite"):
        matrix_balance(net, NoiseMatrices(np.eye(2), np.full((2, 2), np.inf)))
    with pytest.raises(ShapeError, match="V: expected"):
        balanced_factors(np.ones(3), good, 2)


def test_pair_of_equal_ranks_is_balanced_on_its_range() -> None:
    rng = np.random.default_rng(9)
    a, b = np.zeros((4, 4)), np.zeros((4, 4))
    a[:2], b[:2] = rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
    pair = balance_pair(a, b)
    A = pair.R.T @ a.T @ a @ pair.R
    B = pair.inverse @ b.T @ b @ pair.inverse.T

    assert pair.rank == 2
    np.testing.assert_allclose(A, B, atol=1e-12 * np.abs(A).max())
    np.testing.assert_allclose(pair.R @ pair.inverse, np.eye(4), atol=1e-12)


@pytest.mark.parametrize("widths", [(3, 3, 3), (3, 4, 2), (2, 5, 2)])
def test_a_balanced_start_stays_where_it_is(widths: tuple[int, int, int]) -> None:
    """And R = I, on the kernel of U too, where any invertible matrix would do."""
    rng = np.random.default_rng(0)
    noise = NoiseMatrices(definite(widths[0], 10, rng), definite(widths[2], 10, rng))
    first = matrix_balance(start(widths, rng), noise)
    again = matrix_balance(first.net, noise)

    np.testing.assert_allclose(again.U, first.U, atol=1e-12)
    np.testing.assert_allclose(again.W, first.W, atol=1e-12)
    assert again.R is not None
    np.testing.assert_allclose(again.R, np.eye(widths[1]), atol=1e-11)


def test_residuals_above_the_tolerance_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    net = start((3, 3, 3), rng)
    noise = NoiseMatrices(definite(3, 10, rng), definite(3, 10, rng))
    assert matrix_balance(net, noise).residual > 1e-20
    monkeypatch.setattr(matrix, "_TOLERANCE", 1e-20)
    with pytest.raises(ArithmeticError, match="too ill conditioned"):
        matrix_balance(net, noise)


def regression(
    widths: tuple[int, int, int], gamma: float
) -> tuple[_Problem, LinearNet]:
    """Return the equations of random data, and a pair near the minimum of L."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, widths[2]))
    A = rng.normal(size=(widths[0], widths[2]))
    y = x @ A.T + rng.normal(size=(300, widths[0]))
    net = start(widths, rng)
    for _ in range(300):
        net = net.stepped(*net.gradient(x, y), lr=0.005, gamma=gamma)
    return _Problem(noise_polynomial(x, y), 0.01, 1, gamma), net


@pytest.mark.parametrize("widths", [(3, 3, 3), (4, 2, 3), (2, 4, 3)])
def test_jacobian_is_the_slope_of_both_equations(widths: tuple[int, int, int]) -> None:
    """Central differences of polynomials: error h² and rounding/h, 1e-7 in all."""
    problem, _ = regression(widths, 0.1)
    net, h = start(widths, np.random.default_rng(1)), 1e-5
    slopes = problem.jacobian(net.U, net.W)
    for k in range(net.U.size + net.W.size):
        e = np.zeros(net.U.size + net.W.size)
        e[k] = h
        dU, dW = e[: net.U.size], e[net.U.size :]
        step = dU.reshape(net.U.shape), dW.reshape(net.W.shape)
        up = problem.equations(net.U + step[0], net.W + step[1])
        down = problem.equations(net.U - step[0], net.W - step[1])
        for each, above, below in zip(slopes, up, down, strict=False):
            size = 1e-7 * np.abs(each).max()
            np.testing.assert_allclose(each[k], (above - below) / (2 * h), atol=size)


def test_newton_does_not_take_a_singular_value_to_zero() -> None:
    """From this start the full steps end at a saddle, where V has lost a rank."""
    problem, net = regression((3, 3, 3), 1e-3)
    here = problem.balanced(net)
    there = _newton(problem, here)
    before, after = (
        np.linalg.svd(n.U @ n.W, compute_uv=False)[-1] for n in (here, there)
    )

    assert before > 0.2
    assert after >= before / 2


CASES = [(1, 1, 1), (3, 3, 3), (3, 5, 3), (2, 2, 5), (5, 2, 4), (4, 1, 4), (3, 4, 2)]


@pytest.mark.parametrize("widths", CASES)
@pytest.mark.parametrize("gamma", [0.0, 1e-3, 0.05])
def test_stationary_pair_stands_still_and_is_balanced(
    widths: tuple[int, int, int], gamma: float
) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(100, widths[2]))
    y = x @ rng.normal(size=(widths[2], widths[0])) + rng.normal(size=(100, widths[0]))
    net = start(widths, rng)
    lr, batch = 0.01, 2
    found = stationary_balance(net, x, y, lr=lr, batch=batch, gamma=gamma)
    U, W = found.U, found.W
    g_U, g_W = found.net.gradient(x, y)
    drift = (g_U + 2 * gamma * U) @ W + U @ (g_W + 2 * gamma * W)
    noise = found.net.noise(x, y).shifted(gamma * batch / lr)
    left, right = found.net.sides(noise)

    bound = np.linalg.norm(U) ** 2 + np.linalg.norm(W) ** 2
    assert np.linalg.norm(drift) <= 1e-9 * bound * np.abs(x.T @ y / 100).max()
    assert np.linalg.norm(left - right) <= 1e-9 * np.linalg.norm(left)
    assert max(found.residual, found.stillness) <= 1e-10
    again = matrix_balance(found.net, noise)
    np.testing.assert_allclose(again.U, U, atol=1e-8 * np.abs(U).max())


def test_stationary_values_are_shrunk_by_decay_where_noise_is_isotropic() -> None:
    """Γ ∝ I at balance: V's singular values are those of E[yxᵀ]E[xxᵀ]⁻¹, less γ.

    x takes ±√2 e_j and y = Ax with A diagonal plus a sign of its own in each sample:
    all second moments are I, and Γ⁰_U, Γ⁰_W are diagonal, equal for equal entries.
    """
    signs = np.array([[i, j] for i in (-1.0, 1.0) for j in (-1.0, 1.0)])
    rows = [
        (np.sqrt(2) * s * e, t)
        for e in np.eye(2)
        for s in (-1.0, 1.0)
        for t in 0.5 * signs
    ]
    x = np.array([row[0] for row in rows])
    y = 2.0 * x + np.array([row[1] for row in rows])
    net = LinearNet(np.diag([1.0, 1.5]), np.eye(2))
    gamma = 0.3
    found = stationary_balance(net, x, y, lr=0.01, gamma=gamma)

    np.testing.assert_allclose(found.U @ found.W, 1.7 * np.eye(2), atol=1e-9)
    np.testing.assert_allclose(found.U @ found.U.T, 1.7 * np.eye(2), atol=1e-9)


def test_decay_above_a_singular_value_takes_it_to_zero() -> None:
    """All of them, or one of two: V = diag(2 − γ, 0) for γ between .1 and 2."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 1))
    y = 0.1 * x + rng.normal(size=(50, 1))
    net = LinearNet(np.ones((1, 1)), np.ones((1, 1)))
    found = stationary_balance(net, x, y, lr=0.01, gamma=5.0)
    assert np.abs(found.U @ found.W).max() <= 1e-9

    x = np.sqrt(2) * np.concatenate([np.eye(2), -np.eye(2)])
    y = x * np.array([2.0, 0.1])
    both = stationary_balance(LinearNet(np.eye(2), np.eye(2)), x, y, lr=0.01, gamma=0.5)
    np.testing.assert_allclose(both.U @ both.W, np.diag([1.5, 0.0]), atol=1e-7)


def test_stationary_says_what_it_cannot_do() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 1))
    y = 0.1 * x + rng.normal(size=(50, 1))
    net = LinearNet(np.ones((1, 1)), np.ones((1, 1)))
    edge = float((x * y).mean())
    with pytest.raises(ArithmeticError, match="singular value"):
        stationary_balance(net, x, y, lr=0.01, gamma=edge)  # V goes to 0 like 1/steps
    with pytest.raises(ShapeError, match="one replica"):
        stationary_balance(LinearNet(np.ones((2, 1)), np.ones((1, 1))), x, y, lr=0.1)
    with pytest.raises(ValueError, match="lr > 0"):
        stationary_balance(net, x, y, lr=-1.0)
