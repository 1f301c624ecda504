"""Functions on lanes against mpmath, numpy and C99's special cases."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from numeric._lanes.builder import Kernel, lanes
from numeric._lanes.compiler import AVAILABLE, Compiled
from numeric._lanes.exponential import exp_within, expm1, log1p, log_within
from numeric._lanes.functions import FUNCTIONS
from numeric._lanes.powers import pow as lane_pow, power


pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")

Array = NDArray[Any]
Function = Callable[..., Any]
DTYPES = ("float32", "float64")
EXACT: dict[str, Function] = {
    "abs": abs,
    "cos": mpmath.cos,
    "cosh": mpmath.cosh,
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "relu": lambda x: max(x, 0),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "sin": mpmath.sin,
    "sinh": mpmath.sinh,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "sqrt": mpmath.sqrt,
    "tan": mpmath.tan,
    "tanh": mpmath.tanh,
}
# Errors in ulp that each function promises: the roundings of its last operations.
ULPS = {
    **dict.fromkeys(("abs", "relu"), 0.0),
    "sqrt": 0.5,
    **dict.fromkeys(("log", "log1p"), 1.0),
    **dict.fromkeys(("exp", "tanh"), 1.5),
    **dict.fromkeys(("sin", "cos", "sinh", "cosh", "softplus"), 2.0),
    **dict.fromkeys(("expm1", "sigmoid"), 2.5),
    "tan": 3.5,
}


@functools.cache
def compiled(function: Function, dtype: str, count: int) -> Compiled:
    """Return a kernel which applies a function of `count` arguments."""
    names = [f"x{i}" for i in range(count)]
    kinds = {**dict.fromkeys([*names, "y"], "pointer"), "n": "integer"}
    k = Kernel("map", dtype, kinds)
    with k.loop(0, k.arguments["n"], k.width) as i:
        values = [k.load_at(k.arguments[name], i) for name in names]
        k.store_at(k.arguments["y"], i, function(k, *values))
    return k.compile()


def run(function: Function, *columns: Array) -> Array:
    """Apply a function of lanes to arrays of any length."""
    dtype, count = columns[0].dtype.name, len(columns[0])
    padded = [np.pad(c, (0, -count % lanes(dtype)), mode="edge") for c in columns]
    result = np.empty_like(padded[0])
    compiled(function, dtype, len(columns))(*padded, result, len(result))
    return result[:count]


def ulps(found: Array, points: Array, exact: Function) -> Array:
    """Return the errors in units of the last place of the exact value."""
    form = np.finfo(found.dtype)
    errors = np.empty(len(found))
    with mpmath.workprec(160):
        for i, (y, x) in enumerate(zip(found.tolist(), points.tolist(), strict=True)):
            value = exact(*(map(mpmath.mpf, x if isinstance(x, list) else [x])))
            exponent = mpmath.frexp(value)[1] - 1 if value else form.minexp
            unit = mpmath.ldexp(1, max(exponent, form.minexp) - form.nmant)
            errors[i] = float(abs(mpmath.mpf(y) - value) / unit)
    return errors


def samples(dtype: str, count: int = 120) -> Array:
    """Return numbers of every size, and where algorithms change."""
    rng = np.random.default_rng(11)
    form = np.finfo(dtype)
    sizes = 2.0 ** rng.uniform(form.minexp - form.nmant + 1, form.maxexp, count)
    scaled = [rng.uniform(-a, a, count) for a in (1, 12, 110, 750)]
    near_zero = 10.0 ** rng.uniform(-18, 0, count) * rng.choice([-1, 1], count)
    quadrants = np.concatenate(
        [np.arange(-40, 40), rng.integers(1, 2**20, count)]
    ) * np.array(np.pi / 2)
    far = 10 ** rng.uniform(5, 15, count)
    edges = [0.3466, 0.625, 1.0, 88.7, 709.7, -103.9, -745.1, 1e6, 0.7071067, 1.414213]
    every = [sizes, -sizes, *scaled, near_zero, 1 + near_zero, quadrants, far, edges]
    return np.concatenate(every).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_errors_in_ulps(name: str, dtype: str) -> None:
    """Within the promise at every size of the argument, also of subnormal results."""
    x = samples(dtype)
    x = x[x >= 0] if name in ("log", "sqrt") else x[x > -1] if name == "log1p" else x
    x = x[(x != 0) | (name != "log")]
    with np.errstate(over="ignore"):
        y = run(FUNCTIONS[name], x)
    finite = np.isfinite(y)

    assert ulps(y[finite], x[finite], EXACT[name]).max() <= ULPS[name]
    largest = mpmath.mpf(float(np.finfo(dtype).max))
    for point in x[~finite].tolist():
        assert abs(EXACT[name](mpmath.mpf(point))) > largest


WIDE: dict[str, Function] = {
    "relu": lambda v: np.maximum(v, 0),
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "softplus": lambda v: np.maximum(v, 0) + np.log1p(np.exp(-np.abs(v))),
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_dense_in_float32(name: str) -> None:
    """A million arguments against numpy's float64, which is as good as exact."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.uniform(-a, a, 2**18) for a in (1, 9, 88, 1e6)])
    x = x.astype(np.float32)
    x = np.abs(x) if name in ("log", "log1p", "sqrt") else x
    wide = x.astype(np.float64)
    with np.errstate(over="ignore"):
        exact = WIDE.get(name, getattr(np, name, np.abs))(wide)
        near = np.abs(exact.astype(np.float32))
    y = run(FUNCTIONS[name], x)
    ordinary = (near >= np.finfo(np.float32).tiny) & np.isfinite(near)
    error = np.abs(y[ordinary] - exact[ordinary]) / np.spacing(near[ordinary])

    assert error.max() <= ULPS[name] + 0.01  # of the reference
    assert (np.abs(y) >= np.finfo(np.float32).max)[np.isinf(near)].all()


INF, NAN = math.inf, math.nan
ODD = [(0.0, 0.0), (-0.0, -0.0)]
SPECIAL = {
    "abs": [(0.0, 0.0), (-0.0, 0.0), (INF, INF), (-INF, INF)],
    "cos": [(0.0, 1.0), (INF, NAN), (-INF, NAN)],
    "cosh": [(0.0, 1.0), (INF, INF), (-INF, INF), (1e4, INF)],
    "exp": [(0.0, 1.0), (INF, INF), (-INF, 0.0), (1e4, INF), (-1e4, 0.0)],
    "expm1": [*ODD, (INF, INF), (-INF, -1.0), (-1e4, -1.0), (1e4, INF)],
    "log": [
        (0.0, -INF),
        (-0.0, -INF),
        (-1.0, NAN),
        (INF, INF),
        (-INF, NAN),
        (1.0, 0.0),
    ],
    "log1p": [*ODD, (-1.0, -INF), (-2.0, NAN), (INF, INF), (-INF, NAN)],
    "relu": [(-0.0, 0.0), (-3.0, 0.0), (INF, INF), (-INF, 0.0)],
    "sigmoid": [(0.0, 0.5), (INF, 1.0), (-INF, 0.0), (1e4, 1.0), (-1e4, 0.0)],
    "sin": [*ODD, (INF, NAN), (-INF, NAN)],
    "sinh": [*ODD, (INF, INF), (-INF, -INF), (-1e4, -INF)],
    "softplus": [(INF, INF), (-INF, 0.0), (1e4, 1e4), (-1e4, 0.0)],
    "sqrt": [*ODD, (INF, INF), (-1.0, NAN)],
    "tan": [*ODD, (INF, NAN), (-INF, NAN)],
    "tanh": [*ODD, (INF, 1.0), (-INF, -1.0), (1e4, 1.0), (-1e4, -1.0)],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_special_values(name: str, dtype: str) -> None:
    """NaN stays NaN; zeros keep their sign, infinities go where they must."""
    points, wanted = np.array([(NAN, NAN), *SPECIAL[name]], dtype=dtype).T
    found = run(FUNCTIONS[name], points)

    np.testing.assert_array_equal(found, wanted)
    ordered = ~np.isnan(wanted)
    np.testing.assert_array_equal(
        np.signbit(found[ordered]), np.signbit(wanted[ordered])
    )


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_near_and_far_arguments_in_one_vector(name: str) -> None:
    """The library is asked for some lanes only; near lanes keep their bits."""
    near = np.linspace(0.1, 4, 8)
    mixed = near.copy()
    mixed[3] = 1e22
    found, alone = run(FUNCTIONS[name], mixed), run(FUNCTIONS[name], near)

    assert (found[np.arange(8) != 3] == alone[np.arange(8) != 3]).all()
    assert ulps(found[3:4], mixed[3:4], EXACT[name])[0] <= ULPS[name]


def test_worst_arguments_of_the_reduction() -> None:
    """Doubles next to multiples of π/2: the rest is 2^-60, still to the last digits."""
    with mpmath.workprec(300):
        half_turn = int(mpmath.floor(mpmath.ldexp(mpmath.pi, 199)))
    gaps = []
    for k in [*range(1, 2000), *range(2**20 - 200000, 2**20 - 1)]:
        exact = k * half_turn
        spacing = 1 << (exact.bit_length() - 53)
        rest = exact % spacing
        gaps.append((min(rest, spacing - rest), k))
    worst = np.array([k * half_turn / 2**200 for _, k in sorted(gaps)[:60]])

    for name in ("sin", "cos", "tan"):
        assert ulps(run(FUNCTIONS[name], worst), worst, EXACT[name]).max() <= ULPS[name]


@pytest.mark.parametrize("dtype", DTYPES)
def test_unchecked_variants_agree(dtype: str) -> None:
    """`exp_within` and `log_within` on the range they are for."""
    reach = 87.0 if dtype == "float32" else 700.0
    x = np.random.default_rng(3).uniform(-reach, reach, 500).astype(dtype)
    small = np.exp(np.clip(x, -80, 80)).astype(dtype)

    assert ulps(run(exp_within, x), x, mpmath.exp).max() <= ULPS["exp"]
    assert ulps(run(log_within, small), small, mpmath.log).max() <= ULPS["log"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_identities(dtype: str) -> None:
    """log1p undoes expm1 where both are well conditioned; odd functions are odd."""
    x = np.random.default_rng(9).uniform(-0.5, 0.5, 4096).astype(dtype)
    back = run(log1p, run(expm1, x))

    # expm1 errs by 2.5 ulp, log1p magnifies it by (1 - e^-x)/x <= 1.3 and adds 1.
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_array_less(np.abs(back - x), 5 * eps * np.abs(x) + 1e-45)
    for name in ("sin", "tan", "sinh", "tanh"):
        f = FUNCTIONS[name]
        np.testing.assert_array_equal(run(f, -x), -run(f, x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("exponent", [-3, -1, 0, 1, 2, 3, 7, 10])
def test_whole_powers(exponent: int, dtype: str) -> None:
    """One rounding for each product, and one for the inverse."""
    x = np.random.default_rng(1).uniform(-3, 3, 400).astype(dtype)
    y = run(lambda k, v: power(k, v, exponent), x)

    products = 2 * abs(exponent).bit_length()
    assert ulps(y, x, lambda v: v**exponent).max() <= products + 1
    nan = run(lambda k, v: power(k, v, exponent), np.full(3, math.nan, dtype))
    assert np.isnan(nan).all() == (exponent != 0)


@pytest.mark.parametrize(("dtype", "most"), [("float32", 0.6), ("float64", 2.0)])
def test_general_powers(dtype: str, most: float) -> None:
    """x^y over the range of the results, from subnormal ones to the largest."""
    rng = np.random.default_rng(2)
    reach = 88.0 if dtype == "float32" else 709.0
    logs = rng.choice([-1, 1], 3000) * 10 ** rng.uniform(-5, math.log10(reach), 3000)
    x = np.exp(logs).astype(dtype)
    y = (rng.uniform(-1.04, 1, 3000) * reach / np.abs(logs)).astype(dtype)
    x, y = x[(x > 0) & np.isfinite(x)], y[(x > 0) & np.isfinite(x)]
    z = run(lane_pow, x, y)
    points = np.stack([x, y], axis=1)[np.isfinite(z)]

    assert np.isfinite(z).mean() > 0.9
    assert ulps(z[np.isfinite(z)], points, mpmath.power).max() <= most


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_powers(dtype: str) -> None:
    """All pairs of special numbers, as C99 has them in numpy's pow."""
    some = [0.0, 1.0, 2.0, 0.5, 3.0, math.inf, 1e30, 2.5, 7.0, 1e-30]
    some = [*some, *(-v for v in some), math.nan]
    x, y = np.array(list(itertools.product(some, some))).T.astype(dtype)
    with np.errstate(all="ignore"):
        wanted = np.power(x.astype(np.longdouble), y.astype(np.longdouble)).astype(
            dtype
        )
    found = run(lane_pow, x, y)

    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    ordered = ~np.isnan(wanted)
    np.testing.assert_array_equal(
        np.signbit(found[ordered]), np.signbit(wanted[ordered])
    )
    tight = 4 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(found[ordered], wanted[ordered], rtol=tight, atol=0)
