"""Many noise equilibria at once: the SIMD kernel, its range, types and shapes."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

import numeric._equilibrium as module
from numeric import noise_equilibrium
from numeric._equilibria import first_steps, lanes
from numeric._equilibria.lanes import Status
from numeric._equilibria.many import certify_equilibria
from numeric._equilibria.near_zero import solve_near_zero
from numeric._equilibria.refine import _exp, refine
from numeric._lanes.compiler import AVAILABLE
from tests.numeric.test_equilibrium import EPS, Orbit, assert_is_root, orbits


Floats = NDArray[np.float64]
SIGMA2, GAMMA = 0.05, 0.01
needs_lanes = pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")


def draw(kind: str, count: int, n: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Draw orbits; hard: |μ| from 1e-3 to 1e2, s and t from 1e-12 to 1e12."""
    rng = np.random.default_rng(seed)
    shape = (count, n)
    if kind == "easy":
        m, s, t = rng.uniform(0.5, 2, shape), *rng.uniform(0.1, 10, (2, *shape))
    else:
        m, s, t = (
            10 ** rng.uniform(-3, 2, shape),
            *10 ** rng.uniform(-12, 12, (2, *shape)),
        )
    return np.where(np.arange(n) % 2, -m, m), s, t


def solve(mu: Any, s: Any, t: Any) -> Any:
    return noise_equilibrium(mu, s, t, sigma2=SIGMA2, gamma=GAMMA)


@pytest.fixture
def kernel_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernel solve single rows too."""
    monkeypatch.setattr(module, "_MANY", 1)


def by_kernel(orbit: Orbit) -> tuple[float, int]:
    """Return λ* by the kernel, and its status."""
    rows = [np.array([v], dtype=float) for v in (orbit.mu, orbit.s, orbit.t)]
    scalars = [np.array([v], dtype=float) for v in (orbit.sigma2, orbit.gamma)]
    found, _, status = lanes.solve(*rows, *scalars)
    return float(found[0]), int(status[0])


@needs_lanes
@given(orbits())
@settings(derandomize=True, deadline=None, max_examples=300)
def test_kernel_on_hard_inputs(orbit: Orbit) -> None:
    """It solves all of them itself, zeros and empty sides included."""
    lam, status = by_kernel(orbit)

    assert status == Status.SOLVED
    assert_is_root(orbit, lam)


@needs_lanes
@given(orbits(mu=200.0, weight=307.0))
@settings(derandomize=True, deadline=None, max_examples=200)
def test_what_the_kernel_does_not_leave_is_a_root(orbit: Orbit) -> None:
    """Factors anywhere in the floats: it may leave a row, never get one wrong."""
    lam, status = by_kernel(orbit)

    if status == Status.SOLVED:
        assert_is_root(orbit, lam)


@needs_lanes
@pytest.mark.usefixtures("kernel_for_all")
@pytest.mark.parametrize("factor", [5e-324, 1e-310, 1e-200, 2.0**-201, 2.0**201, 1e300])
@pytest.mark.parametrize("where", ["mu", "s", "t", "sigma2", "gamma"])
def test_extreme_factors_are_left_to_numpy(where: str, factor: float) -> None:
    """One factor beyond 2^±200: the row is left, and solved all the same."""
    values = {"mu": [1.0, -2.0], "s": [1.0, 3.0], "t": [2.0, 0.5]}
    if where in values:
        values[where][0] = factor
    scalars = {"sigma2": 0.5, "gamma": 0.25} | (
        {where: factor} if where not in values else {}
    )
    mu, s, t = (tuple(v) for v in values.values())
    orbit = Orbit(mu, s, t, scalars["sigma2"], scalars["gamma"])

    assert by_kernel(orbit)[1] == Status.LEFT
    assert_is_root(orbit, orbit.solve())


@needs_lanes
@pytest.mark.parametrize("kind", ["easy", "hard"])
@pytest.mark.parametrize("n", [1, 2, 5, 8, 9, 16, 23, 64])
def test_every_size_of_rows(n: int, kind: str) -> None:
    """Whole tiles, the rest of a tile, groups that are not full: against numpy."""
    mu, s, t = draw(kind, 203, n, n)
    found = solve(mu, s, t)
    for row in range(0, 203, 7):
        alone = solve(mu[row], s[row], t[row])
        orbit = Orbit(tuple(mu[row]), tuple(s[row]), tuple(t[row]), SIGMA2, GAMMA)
        assert abs(found[row] - alone) <= 2 * orbit.error_bound(float(alone))
        # Both correct the last digits where they matter: the relative error is small.
        assert abs(found[row] - alone) <= 1e-12 * abs(alone)


def arb_sign(flint: Any, row: tuple[Any, ...], x: Any) -> int:
    """Return the proved sign of G at an Arb number."""
    total = flint.arb(0)
    for m, s, t in zip(*row, strict=True):
        grown = (2 * x * m).exp()
        total += m * (flint.arb(SIGMA2) * s / grown - 2 * flint.arb(GAMMA) * t * grown)
    return 1 if total > 0 else -1 if total < 0 else 0


@pytest.mark.parametrize("many", [pytest.param(True, marks=needs_lanes), False])
@pytest.mark.parametrize(
    ("kind", "n", "count"), [("hard", 8, 4000), ("easy", 8, 1000), ("hard", 3, 2000)]
)
def test_none_wrong_by_arb(
    kind: str, n: int, count: int, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G(λ*(1 - 1e-12)) > 0 > G(λ*(1 + 1e-12)) for λ* > 0, proved."""
    flint = pytest.importorskip("flint")
    count = count if many else count // 10
    monkeypatch.setattr(module, "_MANY", 1 if many else math.inf)
    mu, s, t = draw(kind, count, n, 1)
    lam = solve(mu, s, t)
    near = flint.arb(10) ** -12
    with flint.ctx.workprec(144):
        for *rows, x in zip(
            mu.tolist(), s.tolist(), t.tolist(), lam.tolist(), strict=True
        ):
            row = tuple([flint.arb(v) for v in values] for values in rows)
            root = flint.arb(x)
            gap = abs(root) * near
            assert arb_sign(flint, row, root - gap) == 1
            assert arb_sign(flint, row, root + gap) == -1


@pytest.mark.parametrize("many", [pytest.param(True, marks=needs_lanes), False])
@pytest.mark.parametrize("tilt", [0.0, 1e-15, -3e-13, 1e-9, -1e-6, 1e-3, 0.1])
@pytest.mark.parametrize("size", [1.0, 1e-50])
def test_almost_balanced_rows_keep_their_digits(
    size: float, tilt: float, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """s₊ = s₋(1 + tilt) as floats: λ* = ln(s₊/s₋)/4 to the last digits."""
    monkeypatch.setattr(module, "_MANY", 1 if many else math.inf)
    s = size * np.array([0.3 * (1 + tilt), 0.3])
    lam = float(noise_equilibrium([1, -1], s, [0, 0], sigma2=0.7, gamma=0.0))

    with mpmath.workdps(50):
        exact = mpmath.log(mpmath.mpf(s[0]) / mpmath.mpf(s[1])) / 4
    # At 0.1 nothing is refined in the kernel: 6 eps/|H'|, |H'| |λ*| = ln 1.1.
    some = 64 if tilt == 0.1 else 4
    assert abs(lam - exact) <= some * EPS * abs(exact)


@pytest.mark.parametrize("many", [pytest.param(True, marks=needs_lanes), False])
@pytest.mark.parametrize(("fast", "tilt"), [(1e8, 1e-9), (1e8, 2e-3), (1.0, 2e-3)])
def test_slow_terms_that_almost_balance(
    fast: float, tilt: float, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fast term dies out and leaves 1 against 1 - tilt, far from λ = 0."""
    monkeypatch.setattr(module, "_MANY", 1 if many else math.inf)
    mu, s = [100.0, 1e-3, -1e-3], [fast, 1.0, 1.0 - tilt]
    lam = noise_equilibrium(mu, s, [0, 0, 0], sigma2=1.0, gamma=0.0)

    with mpmath.workdps(60):
        terms = [
            (mpmath.mpf(m) * w, -2 * mpmath.mpf(m)) for m, w in zip(mu, s, strict=True)
        ]
        exact = mpmath.findroot(
            lambda x: mpmath.fsum(w * mpmath.exp(r * x) for w, r in terms), float(lam)
        )
    assert abs(lam - exact) <= 1e-13 * exact


@needs_lanes
@pytest.mark.parametrize("kind", ["easy", "hard"])
@pytest.mark.parametrize("n", [2, 8])
def test_kernel_errs_by_roundings_only(kind: str, n: int) -> None:
    """Against certificates: 4 eps |λ| + (n/4 + 4) eps/|H'|, which calls for refinement.

    The products u and d err by 2 eps, the exponentials by 2 eps and by the rounding of
    their arguments, which is that of λ; sums by n/4 eps on average and at most n/2.
    """
    pytest.importorskip("flint")
    mu, s, t = draw(kind, 400, n, 9)
    scalars = [np.full(400, v) for v in (SIGMA2, GAMMA)]
    found, slope, status = lanes.solve(mu, s, t, *scalars)
    exact = certify_equilibria(mu, s, t, sigma2=SIGMA2, gamma=GAMMA, bits=80)

    assert (status == Status.SOLVED).all()
    error = np.maximum(found - exact.lower, exact.upper - found)
    assert (error <= 4 * EPS * np.abs(found) + (n / 4 + 4) * EPS / slope).all()


@needs_lanes
@pytest.mark.parametrize("kind", ["easy", "hard"])
def test_last_steps_do_not_trust_the_first(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """float32 stops after one step: what float64 calls solved is as good as ever."""
    pytest.importorskip("flint")
    mu, s, t = draw(kind, 400, 8, 10)
    exact = certify_equilibria(mu, s, t, sigma2=SIGMA2, gamma=GAMMA, bits=80)
    scalars = [np.full(400, v) for v in (SIGMA2, GAMMA)]
    monkeypatch.setattr(first_steps, "_NEAR", 2.0**7)
    lanes._kernel.cache_clear()
    try:
        found, slope, status = lanes.solve(mu, s, t, *scalars)
    finally:  # nothing may compile between this and the end of the patch
        lanes._kernel.cache_clear()

    good = status == Status.SOLVED
    assert good.mean() > 0.3
    error = np.maximum(found - exact.lower, exact.upper - found)
    assert (error <= 4 * EPS * np.abs(found) + 6 * EPS / slope)[good].all()


@needs_lanes
@pytest.mark.parametrize("power", [150, 190, 199])
@pytest.mark.parametrize("sense", [1, -1])
def test_sides_of_a_huge_ratio(power: int, sense: int) -> None:
    """U(0)/D(0) = 2^±4·power, beyond float32: λ* = power ln 2 all the same."""
    big, small = 2.0 ** (sense * power), 2.0 ** (-sense * power)
    orbit = Orbit((1.0, -1.0), (big, small), (small, big), big, 0.5 * big)
    lam = np.full(80, orbit.solve())
    rows = [np.tile(v, (80, 1)) for v in (orbit.mu, orbit.s, orbit.t)]
    many = noise_equilibrium(*rows, sigma2=orbit.sigma2, gamma=orbit.gamma)

    np.testing.assert_allclose(many, lam, rtol=1e-14)
    assert_is_root(orbit, float(many[0]))


def test_exponentials_in_pairs() -> None:
    """e^x of a pair to 2^-78, over the range it is for."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-600, 600, 200), rng.uniform(-1, 1, 200), [0.0]])
    low = x * rng.uniform(-1, 1, x.size) * 2.0**-54
    high, rest = _exp((x, low))

    with mpmath.workprec(200):
        for a, b, c, d in zip(x, low, high, rest, strict=True):
            exact = mpmath.exp(mpmath.mpf(a) + mpmath.mpf(b))
            assert abs((mpmath.mpf(c) + mpmath.mpf(d)) / exact - 1) <= 2.0**-78


def test_refine_mends_and_leaves_alone() -> None:
    """From 1e-8 off to the last digit; rows of extreme factors as they were."""
    mu, s = np.array([[1.0, -1.0], [1.0, -1.0]]), np.array([[3.0, 1.0], [1e-70, 1.0]])
    lam = np.log(s[:, 0] / s[:, 1]) / 4
    one, none = np.ones(2), np.zeros(2)
    found = refine(lam + 1e-8, mu, s, np.zeros((2, 2)), one, none)

    assert abs(found[0] - lam[0]) <= EPS * lam[0]
    assert found[1] == lam[1] + 1e-8


@needs_lanes
@given(orbits())
@settings(derandomize=True, deadline=None, max_examples=100)
def test_the_number_of_lanes_changes_nothing(orbit: Orbit) -> None:
    """Eight rows at a time or sixteen, whatever suits the machine: the same roots."""
    mu, s, t = draw("hard", 19, len(orbit.mu), 1)
    mu[3], s[3], t[3] = orbit.mu, orbit.s, orbit.t
    scalars = (np.full(19, orbit.sigma2), np.full(19, orbit.gamma))
    some, slope, status = lanes.solve(mu, s, t, *scalars, width=8)
    others, _, other_status = lanes.solve(mu, s, t, *scalars, width=16)

    np.testing.assert_array_equal(status, other_status)
    good = (status == Status.SOLVED) & np.isfinite(some)
    some, others, slope = some[good], others[good], slope[good]
    allowed = 4 * EPS * np.abs(some) + (len(orbit.mu) + 4) * EPS / slope
    assert (np.abs(some - others) <= allowed).all()


@needs_lanes
@pytest.mark.parametrize("n", [2, 8, 21, 64])
def test_roots_near_zero(n: int) -> None:
    """Sides that balance to 1e-3 .. 1e-12: the digits of λ* are right all the same."""
    mu, s, t = draw("easy", 400, n, seed=n)
    noise, decay = SIGMA2 * abs(mu) * s, 2 * GAMMA * abs(mu) * t
    up, down = (np.where(mu > 0, x, y) for x, y in ((noise, decay), (decay, noise)))
    gap = 10.0 ** -np.linspace(3, 12, 400)
    wanted = down.sum(axis=1) * (1 + gap) - (up.sum(axis=1) - up[:, 0])
    s[:, 0] *= np.maximum(wanted / up[:, 0], 0.1)
    found = solve(mu, s, t)
    exact = certify_equilibria(mu, s, t, sigma2=SIGMA2, gamma=GAMMA)

    near = np.abs(found) < 1e-6
    assert near.sum() > 100
    error = np.maximum(found - exact.lower, exact.upper - found) / np.abs(found)
    assert error.max() <= 2.0**-41
    assert error[near].max() <= 8 * EPS


@needs_lanes
def test_near_zero_leaves_what_is_not_near() -> None:
    """Where the sums on the way are large the other method is asked."""
    mu, s = np.array([[1.0, -1.0]] * 3), np.array([[3.0, 1.0]] * 3)
    lam = np.log(3) / 4
    start = np.array([lam + 1e-8, lam + 1.0, lam + 400.0])
    other = (s, np.zeros((3, 2)), np.ones(3), np.zeros(3))
    found, sure = solve_near_zero(start, mu, *other)

    assert sure.all()
    np.testing.assert_allclose(found[0], lam, rtol=EPS)
    np.testing.assert_array_equal(found[1:], start[1:])
    far = np.array([[1e12, 1.0]] * 3)
    root = np.log(1e12) / 4 * np.ones(3)
    assert not solve_near_zero(root, mu, far, *other[1:])[1].any()


@needs_lanes
def test_degenerate_rows_among_others() -> None:
    """±inf and nan beside finite roots of the same group of eight."""
    mu = np.tile([1.0, -1.0], (70, 1))
    s, t = np.ones((70, 2)), np.zeros((70, 2))
    s[1::5, 1] = 0.0  # noise at + only: +inf
    s[2::5, 0] = 0.0  # -inf
    s[3::5] = 0.0  # nan
    mu[4::5] = 0.0  # nan
    s[::5, 0] = 3.0
    lam = noise_equilibrium(mu, s, t, sigma2=1.0, gamma=0.0)

    wanted = np.tile([math.log(3) / 4, math.inf, -math.inf, math.nan, math.nan], 14)
    np.testing.assert_allclose(lam, wanted, rtol=4 * EPS)


@needs_lanes
@pytest.mark.parametrize("row", [0, 7, 8, 70])
@pytest.mark.parametrize("name", ["mu", "s", "t", "sigma2", "gamma"])
def test_bad_numbers_are_found_in_any_row(name: str, row: int) -> None:
    """Also where they are multiplied by 0, and where μ = 0 hides them."""
    for bad in (math.nan, math.inf, -math.inf, -1e-300, -1.0):
        if name == "mu" and math.isfinite(bad):
            continue
        for hidden in (False, True):
            given: dict[str, Any] = {k: np.ones((71, 3)) for k in ("mu", "s", "t")}
            given |= {"sigma2": np.ones(71), "gamma": np.ones(71)}
            if hidden:
                other = {"s": "sigma2", "t": "gamma"}.get(name, "mu")
                given[other][row] = 0.0
                given["mu"][row, 1] = 0.0
            target = given[name]
            target[(row, 1) if target.ndim == 2 else row] = bad
            with pytest.raises(ValueError, match=f"^{name}: expected"):
                noise_equilibrium(**given)


@needs_lanes
def test_layouts_and_broadcasts() -> None:
    """Views of any stride, transposed, reversed, broadcast, read-only: same numbers."""
    mu, s, t = draw("easy", 130, 9, 4)
    plain = solve(mu, s, t)
    wide = np.zeros((130, 20))
    wide[:, 1:19:2] = mu

    views = {
        "steps": (wide[:, 1:19:2], s, t),
        "rows apart": (np.concatenate([mu, mu], axis=1)[:, :9], s, t),
        "columns first": (np.asfortranarray(mu), np.asfortranarray(s), t),
        "unaligned": (
            np.frombuffer(b"\0" + mu.tobytes(), offset=1).reshape(mu.shape),
            s,
            t,
        ),
    }
    for name, args in views.items():
        np.testing.assert_array_equal(solve(*args), plain, err_msg=name)
    np.testing.assert_array_equal(solve(mu[::-1], s[::-1], t[::-1]), plain[::-1])
    np.testing.assert_array_equal(
        solve(mu[5], s, t), solve(np.tile(mu[5], (130, 1)), s, t)
    )
    sigma2 = np.linspace(0.1, 1, 130)[::2]
    found = noise_equilibrium(mu[:65], s[0], t[0], sigma2=sigma2[:, None], gamma=GAMMA)
    assert found.shape == (65, 65)
    again = noise_equilibrium(mu[3], s[0], t[0], sigma2=sigma2[7], gamma=GAMMA)
    assert abs(found[7, 3] - again) <= 1e-12 * abs(again)


@needs_lanes
def test_results_do_not_depend_on_company() -> None:
    """The same bits in batches of other sizes and order."""
    mu, s, t = draw("hard", 1000, 8, 8)
    whole = solve(mu, s, t)
    order = np.random.default_rng(0).permutation(1000)

    np.testing.assert_array_equal(solve(mu[order], s[order], t[order]), whole[order])
    np.testing.assert_array_equal(solve(mu[:64], s[:64], t[:64]), whole[:64])


@pytest.mark.parametrize("count", [3, 100])
def test_types(count: int) -> None:
    """float32 in, float32 out, rounded from float64; all else float64."""
    mu, s, t = (v.astype(np.float32) for v in draw("easy", count, 4, 0))
    single = solve(mu, s, t)
    double = solve(*(v.astype(float) for v in (mu, s, t)))

    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, double.astype(np.float32))
    assert solve(mu, s, t.astype(float)).dtype == np.float64
    ints = noise_equilibrium(
        np.array([1, -1]), np.full((count, 2), [3, 1]), [0, 0], sigma2=1, gamma=0
    )
    assert ints.dtype == np.float64
    np.testing.assert_allclose(ints, math.log(3) / 4, rtol=4 * EPS)
    scalar = noise_equilibrium(mu, s, t, sigma2=np.float64(0.1), gamma=GAMMA)
    assert scalar.dtype == np.float64


def test_float32_roots_beyond_float32_are_infinite() -> None:
    """λ* = ln 2/(4·1e-40) is no float32."""
    mu = np.array([1e-40, -1e-40], dtype=np.float32)
    s, t = np.array([2, 1], np.float32), np.zeros(2, np.float32)
    lam = noise_equilibrium(mu, s, t, sigma2=1.0, gamma=0.0)

    assert lam == math.inf
    assert lam.dtype == np.float32


def test_without_llvmlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numpy solves many rows too, and refuses the same."""
    mu, s, t = draw("hard", 300, 8, 2)
    usual = solve(mu, s, t)
    monkeypatch.setattr(module, "AVAILABLE", False)

    np.testing.assert_allclose(solve(mu, s, t), usual, rtol=1e-12)
    with pytest.raises(ValueError, match=r"^s: expected finite .* \[7, 2\]"):
        solve(mu, np.where(np.arange(2400).reshape(300, 8) == 58, math.nan, s), t)


@pytest.mark.parametrize("empty", [(0, 3), (3, 0), (100, 0), (0, 0)])
def test_empty_arrays(empty: tuple[int, int]) -> None:
    """No rows give none; empty sums are G ≡ 0."""
    nothing = np.ones(empty)

    np.testing.assert_array_equal(
        solve(nothing, nothing, nothing), np.full(empty[0], math.nan)
    )


@pytest.mark.parametrize("bad", [True, [True, False]])
def test_booleans_are_refused(bad: Any) -> None:
    """As by `certify_equilibrium`."""
    with pytest.raises(
        ValueError, match=r"gamma: expected real numbers, got dtype bool"
    ):
        noise_equilibrium(np.ones((2, 2)), [1, 1], [1, 1], sigma2=1, gamma=bad)
