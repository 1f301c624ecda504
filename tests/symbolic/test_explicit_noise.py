"""Σ(θ) from moments, samples and Gaussian laws, against direct sums and expansions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    Constant,
    DeclarationError,
    Loss,
    NoCharge,
    ParameterSpace,
    Symmetry,
    Verdict,
    compare,
    derive,
    matrix_factorisation,
    relu,
    relu_neuron,
    rescaling,
    scaling,
    step,
    tanh_net,
)
from symbolic._exact.data_polynomials import MAX_MONOMIALS
from symbolic._laws.explicit_noise import (
    CovarianceFromMoments,
    explicit_equilibrium,
    explicit_flow,
    finite_covariance,
    gaussian_covariance,
    moments_covariance,
)
from symbolic._laws.ito import gamma, sigma2
from symbolic._orbits.balance import noise_equilibrium_equation


PAIR = ParameterSpace(u=(), w=())
U, W = PAIR.symbols
X, Y = sp.symbols("x y", real=True)
DATA: dict[str, tuple[int, ...]] = {"x": (), "y": ()}

coefficients = st.sampled_from(
    [U, W, U * W, sp.tanh(U), sp.exp(W), 1 / (1 + U**2), relu(U), sp.S(3), sp.S.Half]
)
monomials = st.sampled_from([sp.S.One, X, Y, X**2, X * Y, Y**2, X**2 * Y])


@st.composite
def losses(draw: st.DrawFn) -> Loss:
    """A polynomial in x and y, at times a power of one, with any coefficients."""
    terms = draw(st.lists(st.tuples(coefficients, monomials), min_size=1, max_size=3))
    inner = sum((c * m for c, m in terms), sp.S.Zero)
    return Loss(inner ** draw(st.integers(1, 2)), PAIR, DATA)


samples = st.lists(
    st.fixed_dictionaries(
        {name: st.fractions(-3, 3, max_denominator=3) for name in DATA}
    ),
    min_size=1,
    max_size=4,
)
Samples = Sequence[dict[str, Fraction]]


def rational(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


def direct(loss: Loss, points: Samples) -> tuple[sp.Matrix, sp.Matrix]:
    """Return E[gg^T] and E[g] by summing over the samples."""
    n, N = loss.space.size, len(points)
    second, mean = sp.zeros(n), sp.zeros(n, 1)
    for point in points:
        at = {s: rational(point[s.name]) for s in loss.data.symbols}
        g = sp.Matrix([loss.expression.diff(s) for s in loss.space.symbols]).subs(at)
        second, mean = second + g * g.T / N, mean + g / N
    return second, mean


def proved_equal(left: Any, right: Any) -> bool:
    pairs = zip(left, right, strict=True)
    return all(compare(a, b).verdict is Verdict.PROVED for a, b in pairs)


def at_a_point(entries: Any, data: Any = None) -> list[sp.Expr]:
    """Return exact values: each function of θ is a number of its own, as it may be."""
    numbers = {
        sp.tanh(U): sp.Rational(2, 7),
        relu(U): sp.Rational(5, 3),
        step(U): sp.S.One,  # of which alone it is known that step² = step
    }
    place = {U: sp.Rational(3, 2), W: sp.Rational(-4, 3)}
    values = [
        sp.sympify(e)
        .xreplace(numbers)
        .replace(sp.exp, lambda a: sp.Integer(3) ** (a / W))  # e^{kw} = (e^w)^k
        .xreplace({**place, **(data or {})})
        for e in entries
    ]
    assert data or all(value.is_Rational for value in values)
    return values


@given(losses(), samples)
@settings(max_examples=40, deadline=None)
def test_samples_give_the_sum_over_them(loss: Loss, points: Samples) -> None:
    noise = finite_covariance(loss, points)
    second, mean = direct(loss, points)
    assert at_a_point(noise.mean) == at_a_point(mean)
    assert at_a_point(noise.covariance) == at_a_point(second - mean * mean.T)
    assert at_a_point(noise.second_moment) == at_a_point(second)


@given(losses(), samples)
@settings(max_examples=40, deadline=None)
def test_moments_stand_for_any_data(loss: Loss, points: Samples) -> None:
    """Put in the moments of a training set and the sum over it comes out."""
    noise = moments_covariance(loss)
    names = [symbol for symbol, _ in noise.moments]
    taken = {s.name for s in (*loss.expression.free_symbols, U, W, X, Y)}
    assert len({s.name for s in names} | taken) == len(names) + len(taken)
    values = {}
    for symbol, monomial in noise.moments:
        total = [
            monomial.xreplace({s: rational(p[s.name]) for s in (X, Y)}) for p in points
        ]
        values[symbol] = sp.Add(*total) / len(points)
    second, mean = direct(loss, points)
    free = set().union(*(e.free_symbols for e in noise.covariance), set())
    assert free <= {U, W, *names}
    assert at_a_point(e.xreplace(values) for e in noise.mean) == at_a_point(mean)
    centred = at_a_point(second - mean * mean.T)
    assert at_a_point(e.xreplace(values) for e in noise.covariance) == centred


def _double_factorial_mean(
    polynomial: sp.Expr, normals: Sequence[sp.Symbol]
) -> sp.Expr:
    """Return the mean over independent standard normals, (k − 1)!! power by power."""
    total = sp.S.Zero
    for powers, c in sp.Poly(polynomial, *normals).terms():
        if all(k % 2 == 0 for k in powers):
            total += c * math.prod(math.prod(range(1, k, 2)) for k in powers)
    return total


@given(losses(), st.lists(st.integers(-2, 2), min_size=5, max_size=5))
@settings(max_examples=15, deadline=None)
def test_gaussian_law_against_expansion(loss: Loss, drawn: list[int]) -> None:
    """(x, y) = m + Lz with independent normals z, multiplied out; no Wick."""
    a, b, c, *m = map(sp.Integer, drawn)
    L = sp.Matrix([[a, 0], [b, c]])
    z = sp.symbols("z0 z1", real=True)
    moved = L * sp.Matrix(z) + sp.Matrix(m)
    place = dict(zip((X, Y), moved, strict=True))
    g = at_a_point([loss.expression.diff(s) for s in (U, W)], place)
    noise = gaussian_covariance(loss, L * L.T, m)
    mean = [_double_factorial_mean(e, z) for e in g]
    assert at_a_point(noise.mean) == mean
    expected = [_double_factorial_mean(p * q, z) for p in g for q in g]
    assert at_a_point(noise.second_moment) == expected
    assert not set().union(*(e.free_symbols for e in noise.covariance)) & {X, Y}


def test_raw_moments_of_a_normal() -> None:
    loss = Loss(U * X**8, PAIR, DATA)
    noise = gaussian_covariance(loss, [[4, 0], [0, 1]])
    assert noise.mean[0] == 4**4 * 105
    assert noise.second_moment[0, 0] == 4**8 * 2027025
    shifted = gaussian_covariance(Loss(U * X**2, PAIR, DATA), [[4, 0], [0, 1]], [3, 0])
    assert shifted.covariance[0, 0] == 2 * 16 + 4 * 9 * 4


@pytest.mark.parametrize(
    "expression",
    [
        relu(U * X) - Y,
        sp.tanh(W * X),
        sp.Abs(X) * U,
        sp.sqrt(1 + X**2) * U,
        U / (1 + X**2),
        U * sp.exp(X * Y),
        W ** (X**2),
    ],
    ids=str,
)
def test_other_losses_need_samples(expression: sp.Expr) -> None:
    loss = Loss(expression, PAIR, DATA)
    with pytest.raises(DeclarationError, match=r"polynomial in its data \(x, y\)"):
        moments_covariance(loss)
    with pytest.raises(DeclarationError, match="give samples to finite_covariance"):
        gaussian_covariance(loss, sp.eye(2))
    points = [{"x": Fraction(k), "y": Fraction(1, 2)} for k in (1, 2, -1)]
    noise = finite_covariance(loss, points)
    second, mean = direct(loss, points)
    assert proved_equal(noise.covariance, second - mean * mean.T)
    assert proved_equal(noise.second_moment, second)
    assert noise.spread * sp.ones(3, 1) == sp.zeros(3, 1)


def test_quotients_that_divide_are_polynomials() -> None:
    noise = moments_covariance(Loss(U * (X**2 - W**2) / (X - W), PAIR, DATA))
    assert noise.features == (X,)
    assert noise.mean[0].subs(noise.moments[0][0], 7) == W + 7


def test_what_does_not_depend_on_the_sample_is_no_noise() -> None:
    noise = moments_covariance(Loss((U * W - 3) ** 2 + sp.tanh(U), PAIR, DATA))
    assert noise.covariance == sp.zeros(2)
    assert noise.mean == noise.constant
    assert noise.features == noise.moments == ()


@pytest.mark.parametrize(
    "names",
    [("x", "x2"), ("x_y", "x", "y"), ("x", "x2_y", "y"), ("a", "E_a"), ("x_0", "x")],
)
def test_names_never_collide(names: tuple[str, ...]) -> None:
    symbols = sp.symbols(names, real=True)
    loss = Loss((U * sp.Add(*symbols) - W) ** 2, PAIR, dict.fromkeys(names, ()))
    noise = moments_covariance(loss)
    found = [symbol.name for symbol, _ in noise.moments]
    assert len(found) == len(set(found))
    assert not set(found) & {*names, "u", "w"}
    assert all(name.isidentifier() for name in found)
    assert moments_covariance(loss).moments == noise.moments


def test_a_parameter_named_as_a_moment() -> None:
    space = ParameterSpace(E_x2=(), E_1=())
    a, b = space.symbols
    noise = moments_covariance(Loss((a * X - b) ** 2, space, {"x": ()}))
    names = {symbol.name for symbol, _ in noise.moments}
    assert names == {f"EE_{k}" for k in (1, 2, 3, 4)}


def test_vector_data_are_named_by_component() -> None:
    noise = moments_covariance(scaling_loss := _loss(scaling(2)))
    assert scaling_loss.data.size == 3
    names = [symbol.name for symbol, _ in noise.moments]
    assert {"E_x_0p2", "E_x_0_x_1", "E_x_0p4", "E_x_0_y"} <= set(names)


def _loss(declaration: Any) -> Loss:
    assert isinstance(declaration.loss, Loss)
    return declaration.loss


def test_constants_are_coefficients() -> None:
    k = sp.Symbol("k", real=True)
    loss = Loss((k * U * X - W) ** 2, PAIR, {"x": ()}, [Constant("k")])
    noise = moments_covariance(loss)
    x, x2 = (symbol for symbol, _ in noise.moments[:2])
    assert compare(noise.mean[1], 2 * (W - k * U * x)).verdict is Verdict.PROVED
    assert compare(noise.mean[0], 2 * k * (k * U * x2 - W * x)).verdict is (
        Verdict.PROVED
    )


def test_symbolic_sizes_are_refused() -> None:
    space = ParameterSpace(U=("m", "d"))
    loss = Loss("norm2(U*x)", space, {"x": ("d",)})
    with pytest.raises(DeclarationError, match="expected integer sizes"):
        moments_covariance(loss)


# ------------------------------------------------------------------------ the flow


def test_flow_of_rescaling_is_that_of_the_scalar_net() -> None:
    """d(u² − w²)/dt = −4(TQ(v) + γ)(u² − w²), Q = α₁v² − 2α₂v + α₃ (P2)."""
    declaration = rescaling()
    noise = moments_covariance(_loss(declaration))
    flow = explicit_flow(declaration.symmetry, noise)
    x2, xy, x4, x3y, x2y2 = sp.symbols("E_x2 E_x_y E_x4 E_x3_y E_x2_y2", real=True)
    v, C = U * W, (U**2 - W**2) / 2
    Q = (x4 - x2**2) * v**2 - 2 * (x3y - x2 * xy) * v + x2y2 - xy**2
    T = 2 * sigma2
    assert compare(flow.expression, -4 * (T * Q + gamma) * C).verdict is Verdict.PROVED
    assert flow.loss == 0
    wrong = -4 * (T * Q.subs(x2, 0) + gamma) * C  # uncentred
    assert compare(flow.expression, wrong).verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    "declaration",
    [
        rescaling(2, 1),
        scaling(2),
        matrix_factorisation(2, 2, 1, B=[[0, 1], [1, 0]]),
        relu_neuron(1, 1),
        tanh_net(1),
    ],
    ids=lambda d: str(d.name),
)
def test_flow_is_the_derived_one_with_sigma_put_in(declaration: Any) -> None:
    loss = _loss(declaration)
    size = loss.data.size
    points = [
        loss.data.unpack(tuple((k * i) % 4 - 1 for i in range(1, size + 1)))
        for k in (1, 2, 3)
    ]
    noise = finite_covariance(loss, points)
    flow = explicit_flow(declaration.symmetry, noise)
    law = derive(declaration)
    assert compare(flow.noise, noise.substitute(law.flow.noise)).verdict is (
        Verdict.PROVED
    )
    assert compare(flow.weight_decay, law.flow.weight_decay).verdict is Verdict.PROVED
    assert flow.loss == 0
    equilibrium = noise_equilibrium_equation(declaration.symmetry)
    left = explicit_equilibrium(equilibrium, noise)
    assert not {s.name for s in left.balance.free_symbols if s.name[:6] == "Sigma_"}
    assert left.t == equilibrium.t


def test_a_broken_symmetry_keeps_its_averaged_force() -> None:
    loss = Loss((U * W * X - Y) ** 2 + U * Y, PAIR, DATA)
    symmetry = Symmetry.exponential(PAIR, [[1, 0], [0, -1]])
    flow = explicit_flow(symmetry, moments_covariance(loss))
    assert flow.loss == -U * sp.Symbol("E_y", real=True)
    assert explicit_flow(symmetry, moments_covariance(loss), U * W).noise != flow.noise


def test_flow_refusals() -> None:
    noise = moments_covariance(_loss(rescaling()))
    rotation = Symmetry.from_generator(PAIR, {"u": -W, "w": U})
    with pytest.raises(NoCharge):
        explicit_flow(rotation, noise)
    other = Symmetry.exponential(ParameterSpace(a=()), [[1]])
    with pytest.raises(DeclarationError, match="a noise on a, got one on u, w"):
        explicit_flow(other, noise)


LOSS = Loss((U * W * X - Y) ** 2, PAIR, DATA)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: finite_covariance(LOSS, []), "at least one sample, got none"),
        (lambda: finite_covariance(LOSS, [{"x": 1}]), "expected values for x, y"),
        (
            lambda: finite_covariance(LOSS, [{"x": sp.pi, "y": 0}]),
            "rational data, got x = pi",
        ),
        (
            lambda: finite_covariance(LOSS, [{"x": float("nan"), "y": 0}]),
            "finite number, got nan",
        ),
        (
            lambda: finite_covariance(
                Loss(U / X, PAIR, DATA), [{"x": 1, "y": 0}, {"x": 0, "y": 0}]
            ),
            "finite real gradient, got zoo at the sample x = 0, y = 0",
        ),
        (
            lambda: finite_covariance(
                Loss(U * sp.log(X), PAIR, DATA), [{"x": -1, "y": 0}]
            ),
            r"finite real gradient, got I\*pi",
        ),
        (lambda: gaussian_covariance(LOSS, [[1, 2], [0, 1]]), "symmetric 2 x 2"),
        (lambda: gaussian_covariance(LOSS, [[1]]), r"over \(x, y\)"),
        (lambda: gaussian_covariance(LOSS, sp.eye(2), [1]), "2 means"),
    ],
)
def test_refusals(act: Callable[[], CovarianceFromMoments], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        act()


def test_expansion_is_bounded() -> None:
    data = {"x": (6,)}
    x = ParameterSpace(data)["x"]
    huge = Loss((U * sum(x) + W) ** 40, PAIR, data)
    with pytest.raises(DeclarationError, match=f"at most {MAX_MONOMIALS} monomials"):
        moments_covariance(huge)
    assert finite_covariance(huge, [{"x": [1, 2, 3, 4, 5, 6]}]).spread == sp.zeros(1)


def test_decimals_are_the_rationals_they_print_as() -> None:
    left = finite_covariance(LOSS, [{"x": 0.1, "y": 2}, {"x": 1, "y": 0}])
    right = finite_covariance(
        LOSS, [{"x": Fraction(1, 10), "y": sp.S(2)}, {"x": 1, "y": 0}]
    )
    assert left == right
