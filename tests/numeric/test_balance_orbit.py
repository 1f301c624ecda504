"""The geodesic solver against brute force, closed forms and orbits with no minimum."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.linalg import expm, sqrtm
from scipy.optimize import minimize

from numeric import LinearNet, ShapeError
from numeric._balance.local import Line, _bounds, line_along, local_model
from numeric._balance.moments import linear_net_moments
from numeric._balance.orbit import OrbitMinimum, OrbitStatus, minimise_on_orbit
from numeric._balance.ray import falling_ray, stabiliser
from numeric._balance.terms import OrbitTerm, decay_term, noise_term, sizes_of
from numeric._moments import noise_moments
from symbolic import Loss, ParameterSpace


SEEDS = st.integers(0, 2**32 - 1)


def pair(
    d: int, rng: np.random.Generator, left: int | None = None, right: int | None = None
) -> list[OrbitTerm]:
    """Return Tr[AP] + Tr[BP⁻¹] with A and B of the ranks given."""
    a = rng.normal(size=(d, d if left is None else left))
    b = rng.normal(size=(d if right is None else right, d))
    return [OrbitTerm(a, left=0), OrbitTerm(b, right=0)]


def chain(sizes: tuple[int, ...], rng: np.random.Generator) -> list[OrbitTerm]:
    """Return decay and noise of a deep linear chain W_m … W_0 with GL between layers.

    W_i → R_i⁻¹W_iR_{i−1}; the noise g, of rank 4, as R_iᵀgR_{i−1}⁻ᵀ.
    """
    widths = (2, *sizes, 3)
    ends: list[int | None] = [None, *range(len(sizes)), None]
    terms = []
    for (d_in, d_out), (before, after) in zip(
        pairwise(widths), pairwise(ends), strict=True
    ):
        W, g = rng.normal(size=(d_out, d_in)), rng.normal(size=(4, d_out, d_in))
        terms.append(decay_term(W, left=after, right=before, weight=0.01))
        terms.append(OrbitTerm(g, left=after, right=before))
    return terms


def value(terms: Sequence[OrbitTerm], R: Sequence[np.ndarray]) -> float:
    """Return Σ‖R_leftᵀ X R_right⁻ᵀ‖², written out with inverses."""
    total = 0.0
    for t in terms:
        for X in t.factors:
            Y = X if t.left is None else R[t.left].T @ X
            Y = Y if t.right is None else Y @ np.linalg.inv(R[t.right]).T
            total += float((Y**2).sum())
    return total


def brute(terms: Sequence[OrbitTerm]) -> float:
    """Return the least value over R_i = e^{X_i}, X_i symmetric, by scipy."""
    sizes = sizes_of(terms)
    corners = [np.triu_indices(d) for d in sizes]

    def unpacked(x: np.ndarray) -> list[np.ndarray]:
        R, at = [], 0
        for d, (rows, cols) in zip(sizes, corners, strict=True):
            X = np.zeros((d, d))
            X[rows, cols] = x[at : at + len(rows)]
            at += len(rows)
            R.append(expm(0.5 * (X + X.T)))
        return R

    n = sum(d * (d + 1) // 2 for d in sizes)
    found = minimize(
        lambda x: value(terms, unpacked(x)), np.zeros(n), method="BFGS", tol=1e-9
    )
    return float(found.fun)


def gradient(terms: Sequence[OrbitTerm], found: OrbitMinimum) -> float:
    """Return the balance equations' largest relative error, at θ_R itself."""
    d = [len(each) for each in found.R]
    signed = [np.zeros((k, k)) for k in d]
    total = [0.0 for _ in d]
    for t in terms:
        for X in t.factors:
            Y = X if t.left is None else found.R[t.left].T @ X
            Y = Y if t.right is None else np.linalg.solve(found.R[t.right], Y.T).T
            if t.left is not None:
                signed[t.left] += Y @ Y.T
                total[t.left] += (Y**2).sum()
            if t.right is not None:
                signed[t.right] -= Y.T @ Y
                total[t.right] += (Y**2).sum()
    return max(float(np.linalg.norm(s)) / t for s, t in zip(signed, total, strict=True))


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_brute_force(d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(2, d, d))
    adjoint = [*pair(d, rng), OrbitTerm(X, left=0, right=0)]
    shared = [*pair(d, rng), *pair(d, rng), OrbitTerm(Y[:, :1], left=0)]
    for terms in (pair(d, rng), adjoint, shared, chain((d, 2), rng)):
        found = minimise_on_orbit(terms)
        best = brute(terms)

        assert found.converged
        assert found.free == 0
        assert abs(found.value - value(terms, found.R)) <= 1e-12 * found.value
        assert abs(found.value - best) <= 1e-7 * best
        assert found.value <= best * (1 + 1e-12)
        assert gradient(terms, found) <= 1e-10


@given(seed=SEEDS, d=st.integers(1, 6))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_one_pair_is_a_geometric_mean(seed: int, d: int) -> None:
    """PAP = B: P = A^{−½}(A^{½}BA^{½})^{½}A^{−½}, and Φ = 2 Tr(A^{½}BA^{½})^{½}."""
    rng = np.random.default_rng(seed)
    terms = pair(d, rng)
    a, b = terms[0].factors[0], terms[1].factors[0]
    A, B = a @ a.T, b.T @ b
    found = minimise_on_orbit(terms)
    P = found.P[0]
    size = np.linalg.norm(B)
    root = np.real(sqrtm(A))
    least = 2 * float(np.sqrt(np.linalg.eigvalsh(root @ B @ root).clip(0)).sum())

    assert found.converged
    assert found.residual <= 1e-12
    spread = np.linalg.cond(found.R[0])
    assert np.linalg.norm(P @ A @ P - B) <= 1e-13 * spread**2 * max(
        size, np.linalg.norm(P @ A @ P)
    )
    assert abs(found.value - least) <= 1e-7 * least
    np.testing.assert_allclose(found.R[0] @ found.R[0], P, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.R[0], found.R[0].T, atol=1e-12 * spread)


@given(seed=SEEDS, sizes=st.tuples(st.integers(1, 3), st.integers(1, 3)))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_elsewhere_on_the_orbit_the_same_minimum(
    seed: int, sizes: tuple[int, int]
) -> None:
    """From θ_Q, P' = Q⁻¹PQ⁻ᵀ; from another start R, P itself. Newton falls always."""
    rng = np.random.default_rng(seed)
    terms = chain(sizes, rng)
    Q = [rng.normal(size=(d, d)) + 2 * np.eye(d) for d in sizes]
    Q = [q if np.linalg.cond(q) < 50 else np.eye(len(q)) for q in Q]
    moved = [OrbitTerm(t.moved(Q), t.left, t.right) for t in terms]
    here, there = minimise_on_orbit(terms), minimise_on_orbit(moved)
    again = minimise_on_orbit(terms, start=Q)

    assert here.converged
    assert there.converged
    assert again.converged
    assert abs(here.value - there.value) <= 1e-11 * here.value
    for q, p, other, same in zip(Q, here.P, there.P, again.P, strict=True):
        size = 1e-6 * np.abs(p).max()
        np.testing.assert_allclose(q @ other @ q.T, p, atol=size)
        np.testing.assert_allclose(same, p, atol=size)


@given(seed=SEEDS, digits=st.floats(0, 12), d=st.integers(2, 5))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_ill_conditioned_pairs_are_solved_or_refused(
    seed: int, digits: float, d: int
) -> None:
    """A and B up to condition 1e12 each: converged means balanced, to 1e-9 at worst."""
    rng = np.random.default_rng(seed)

    def ill() -> np.ndarray:
        L, Q = (np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in (0, 1))
        return np.asarray((L * np.logspace(0, -digits / 2, d)) @ Q)

    terms = [OrbitTerm(ill(), left=0), OrbitTerm(ill(), right=0)]
    found = minimise_on_orbit(terms)

    assert found.status is not OrbitStatus.UNBOUNDED
    if digits <= 8:
        assert found.converged
    if found.converged:
        assert gradient(terms, found) <= 1e-9
        assert found.gap <= 1e-12 * found.value


def test_certificate_bounds_what_is_left() -> None:
    """gap ≥ Φ − min Φ and distance at every iterate that claims a finite one."""
    checked = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        terms = chain((2, 2), rng)
        least = minimise_on_orbit(terms)
        for t in (0.003, 0.01, 0.03, 0.1, 0.3):
            R = []
            for p in least.R:
                X = rng.normal(size=p.shape)
                R.append(p @ expm(0.5 * t * (X + X.T)))
            model = local_model(terms, R, 1.0)
            if np.isfinite(model.gap):
                checked += 1
                excess = model.value - least.value
                assert excess <= model.gap * (1 + 1e-6) + 1e-13 * model.value
                assert model.gap <= 3 * excess + 1e-13 * model.value

    assert checked >= 100


def test_bounds_are_continuous_and_no_better_than_a_parabola() -> None:
    """δ/2 and √δ/σ, those of a parabola, as r → 0; series and closed form agree."""
    for r in (1e-12, 1e-5, 0.99e-4):
        gap, distance = _bounds(r, 2.0, 1.0)
        assert 1.0 <= gap <= 1.0 + r
        assert r <= distance <= r * (1 + 2 * r)
    below, above = _bounds(0.9999e-4, 1.0, 1.0), _bounds(1.0001e-4, 1.0, 1.0)
    np.testing.assert_allclose(below[0], above[0], rtol=1e-6)
    assert _bounds(1.0, 1.0, 1.0) == (np.inf, np.inf)
    assert _bounds(float("nan"), 1.0, 1.0) == (np.inf, np.inf)


@given(seed=SEEDS, scale=st.floats(0.01, 3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_line_is_the_value_and_convex(seed: int, scale: float) -> None:
    """Σ c e^{μt} is Φ at R e^{tX} Rᵀ, and `least` finds where it is least."""
    rng = np.random.default_rng(seed)
    terms = [*chain((2, 3), rng), OrbitTerm(rng.normal(size=(2, 2)), left=0, right=0)]
    R = [rng.normal(size=(d, d)) + 2 * np.eye(d) for d in (2, 3)]
    X = [scale * (M + M.T) for M in (rng.normal(size=(d, d)) for d in (2, 3))]
    line = line_along(local_model(terms, R, 1.0), X)
    for t in (-0.5, 0.0, 0.7):
        moved = [r @ expm(0.5 * t * x) for r, x in zip(R, X, strict=True)]
        wanted = value(terms, moved)
        got = float(line.weights @ np.exp(line.rates * t))
        assert abs(got - wanted) <= 1e-9 * wanted
    assert line.weights.min() >= 0
    slope = float(line.weights @ line.rates)
    ahead = line if slope < 0 else Line(line.weights, -line.rates)
    t = ahead.least()
    each = ahead.weights * np.exp(ahead.rates * t)
    fastest = np.abs(ahead.rates).max()
    assert abs(each @ ahead.rates) <= 0.01 * (each @ ahead.rates**2) / fastest


def exists(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether rank a = rank b = rank ba: the known condition for one pair."""
    return len({int(np.linalg.matrix_rank(m)) for m in (a, b, b @ a)}) == 1


def test_no_verdict_is_wrong_for_pairs_of_any_rank() -> None:
    """Random ranks: minima and their absence as the ranks say, or undecided.

    Undecided is no wrong verdict; at least half of the absences must be shown.
    """
    shown, absent = 0, 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(1, 5))
        left, right = (int(k) for k in rng.integers(1, d + 1, 2))
        terms = pair(d, rng, left, right)
        found = minimise_on_orbit(terms)
        if exists(terms[0].factors[0], terms[1].factors[0]):
            assert found.converged
            assert gradient(terms, found) <= 1e-9
        else:
            assert not found.converged
            absent += 1
            shown += found.status is OrbitStatus.UNBOUNDED

    assert absent >= 40
    assert shown >= absent // 2


RAYS = {
    "one side": [OrbitTerm(np.eye(2), left=0)],
    "B lacks": [OrbitTerm(np.eye(2), left=0), OrbitTerm(np.ones((1, 2)), right=0)],
    "Jordan": [OrbitTerm(np.array([[1.0, 1.0], [0.0, 1.0]]), left=0, right=0)],
    "nilpotent": [OrbitTerm(np.diag(np.ones(2), 1), left=0, right=0)],
    "chain": [OrbitTerm(np.eye(2), left=1, right=0), OrbitTerm(np.eye(2), right=1)],
}


@pytest.mark.parametrize("name", sorted(RAYS))
def test_a_ray_of_descent_is_shown(name: str) -> None:
    """Φ(e^{tX}) falls, does not grow, and ends below Φ at the start."""
    terms = RAYS[name]
    found = minimise_on_orbit(terms)

    assert found.status is OrbitStatus.UNBOUNDED
    assert "no minimum" in found.reason
    assert found.gap == np.inf
    values = [
        value(terms, [expm(0.5 * t * X) for X in found.direction])
        for t in (0.0, 1.0, 2.0, 5.0)
    ]
    assert values[1] < values[0]
    assert all(b <= a * (1 + 1e-9) for a, b in pairwise(values))


def test_a_falling_ray_does_not_refute_a_minimum_that_exists() -> None:
    """Φ = P₁₁ + vᵀP⁻¹v, v = (1, 1): falls along P₂₂ → ∞ to its minimum, reached at

    P = [[1, 1], [1, 2]] all the same: the end of that ray is on the orbit.
    """
    terms = [
        OrbitTerm(np.array([[1.0], [0.0]]), left=0),
        OrbitTerm(np.array([[1.0, 1.0]]), right=0),
    ]
    found = minimise_on_orbit(terms)

    assert found.converged
    assert found.free == 1
    assert abs(found.value - 2) <= 1e-12
    assert abs(value(terms, [np.linalg.cholesky([[1.0, 1.0], [1.0, 2.0]])]) - 2) < 1e-12
    assert falling_ray(terms, [np.eye(2)], [np.diag([0.0, 1.0])]) is None


def test_free_directions_are_counted_and_left_alone() -> None:
    """Factors that see only the first of two dimensions: the second stays as it is."""
    terms = [
        OrbitTerm(np.diag([2.0, 0.0]), left=0),
        OrbitTerm(np.diag([3.0, 0]), right=0),
    ]
    found = minimise_on_orbit(terms)

    assert found.converged
    assert found.free == 1
    np.testing.assert_allclose(found.P[0], np.diag([1.5, 1.0]), atol=1e-12)
    symmetric = np.array([[1.0, 2.0], [2.0, -1.0]])
    normal = minimise_on_orbit([OrbitTerm(symmetric, left=0, right=0)])
    assert (normal.converged, normal.steps, normal.free) == (True, 0, 2)
    assert stabiliser([OrbitTerm(symmetric, left=0, right=0)]) == 2
    assert stabiliser(pair(3, np.random.default_rng(0))) == 0
    assert stabiliser(pair(3, np.random.default_rng(0), 1, 1)) == 4


def test_no_progress_is_undecided_not_a_minimum() -> None:
    rng = np.random.default_rng(0)
    few = minimise_on_orbit(pair(4, rng), max_steps=1)
    assert few.status is OrbitStatus.UNDECIDED
    strict = minimise_on_orbit(pair(4, rng), tolerance=0.0)
    assert not strict.converged


def test_a_far_start_takes_few_steps() -> None:
    """Φ = p + 10¹²/p from p = 1: one line search, not ln 10⁶ steps of length 1."""
    found = minimise_on_orbit(
        [OrbitTerm(np.eye(1), left=0), OrbitTerm(1e6 * np.eye(1), right=0)]
    )

    assert found.converged
    assert found.steps <= 6
    np.testing.assert_allclose(found.P[0], [[1e6]], rtol=1e-12)


def test_a_trained_network_from_loss_to_balance() -> None:
    """Φ of (U, W) from `noise_moments` is that of Γ: least where Theorem 2 balances."""
    rng = np.random.default_rng(2)
    d_y, d, d_x, gamma, lr, batch = 2, 2, 3, 0.05, 0.1, 4
    loss = Loss(
        "norm2(U*W*x - y)",
        ParameterSpace(U=(d_y, d), W=(d, d_x)),
        {"x": (d_x,), "y": (d_y,)},
    )
    x, y = rng.normal(size=(30, d_x)), rng.normal(size=(30, d_y))
    net = LinearNet(rng.normal(size=(d_y, d)), rng.normal(size=(d, d_x)))
    moments = noise_moments(
        loss, {"x": x, "y": y}, {"U": net.U, "W": net.W}, blocks=["U", "W"]
    )
    weight = lr / (4 * batch)
    terms = [
        decay_term(net.U, right=0, weight=gamma),
        decay_term(net.W, left=0, weight=gamma),
        noise_term(moments.block("U"), (d_y, d), right=0, weight=weight),
        noise_term(moments.block("W"), (d, d_x), left=0, weight=weight),
    ]
    found = minimise_on_orbit(terms)
    R = found.R[0]
    best = LinearNet(net.U @ R, np.asarray(np.linalg.solve(R, net.W), float))
    Gamma = linear_net_moments(best, x, y).balance(lr=lr, batch=batch, gamma=gamma)
    left, right = best.sides(Gamma)

    np.testing.assert_allclose(left, right, atol=1e-10 * np.abs(left).max())
    total = 4 * weight * (np.trace(left) + np.trace(right))
    assert abs(found.value - total) <= 1e-11 * total


@given(seed=SEEDS, k=st.integers(1, 30), a=st.integers(1, 4), b=st.integers(1, 4))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_compressed_terms_are_the_same_functions(
    seed: int, k: int, a: int, b: int
) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(k, a, b))
    P = [m @ m.T + np.eye(len(m)) for m in (rng.normal(size=(n, n)) for n in (a, b))]
    for term in (OrbitTerm(X, 0, 1), OrbitTerm(X, left=0), OrbitTerm(X, right=1)):
        small = term.compressed()
        wanted = term.value(P)
        R = [np.linalg.cholesky(p) for p in P]

        assert abs(small.value(P) - wanted) <= 1e-12 * wanted
        assert abs(value([term], R) - wanted) <= 1e-11 * wanted
        assert small.factors.size <= min(X.size, max(a, b) ** 2 * a * b)
        assert len(small.factors) <= a * b


def test_bad_arguments_are_refused() -> None:
    good = OrbitTerm(np.eye(2), left=0)
    with pytest.raises(ShapeError, match="factors"):
        OrbitTerm(np.ones(3))
    with pytest.raises(ValueError, match="finite"):
        OrbitTerm(np.full((2, 2), np.nan), left=0)
    with pytest.raises(ValueError, match="left"):
        OrbitTerm(np.eye(2), left=-1)
    with pytest.raises(ShapeError, match="one size"):
        minimise_on_orbit([good, OrbitTerm(np.eye(3), right=0)])
    with pytest.raises(ShapeError, match="gap"):
        minimise_on_orbit([good, OrbitTerm(np.eye(3), right=2)])
    with pytest.raises(ShapeError, match="gap"):
        minimise_on_orbit([])
    with pytest.raises(ShapeError, match="start"):
        minimise_on_orbit([good], start=[np.eye(3)])
    with pytest.raises(ValueError, match="start"):
        minimise_on_orbit([good], start=[np.zeros((2, 2))])
    with pytest.raises(ValueError, match="max_steps"):
        minimise_on_orbit([good], max_steps=0)
    with pytest.raises(ShapeError, match="covariance"):
        noise_term(np.eye(3), (2, 2))
    with pytest.raises(ValueError, match="semidefinite"):
        noise_term(-np.eye(4), (2, 2), left=0)
    with pytest.raises(ValueError, match="weight"):
        decay_term(np.eye(2), left=0, weight=-1.0)
    with pytest.raises(ShapeError, match="X: expected"):
        decay_term(np.ones(2), left=0)
    with pytest.raises(ValueError, match="weight"):
        noise_term(np.eye(4), (2, 2), left=0, weight=-1.0)
