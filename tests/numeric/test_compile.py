"""Evaluators against exact substitution, numpy against torch, and their errors."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings, strategies as st

from numeric import CompilationError, ShapeError, compile
from numeric._codegen import generate, number
from symbolic import NoCharge, relu, step
from tests.strategies import (
    PAIR,
    PlainDerivation,
    catalogue,
    derivation,
    polynomials,
    quadratics,
)


EPS = float(np.finfo(float).eps)
CHARGED = sorted(set(catalogue()) - {"rotation"})


def exact_point(n: int, seed: int) -> list[sp.Rational]:
    """Return rationals k/8, floats without rounding."""
    draws = np.random.default_rng(seed).integers(-12, 13, n)
    return [sp.Rational(int(k), 8) for k in draws]


def exact_noise(n: int, seed: int) -> tuple[sp.Matrix, sp.Matrix]:
    """Return gradients (5, n) and their centred covariance, exact."""
    rows = np.random.default_rng(seed).integers(-9, 10, (5, n))
    G = sp.Matrix(5, n, lambda i, j: sp.Rational(int(rows[i, j]), 4))
    mean = sp.ones(1, 5) * G / 5
    return G, G.T * G / 5 - mean.T * mean


def exact_flow(
    derived: PlainDerivation, at: list[sp.Rational], Sigma: sp.Matrix
) -> sp.Expr:
    """Return −2γθ·J + σ²Tr[Σ∇²C] by substitution, for γ = 1/8, σ² = 3/8."""
    symbols = derived.declaration.space.symbols
    point = dict(zip(symbols, at, strict=True))
    field = [e.subs(point) for e in derived.declaration.symmetry.generator]
    H = sp.hessian(derived.charge, symbols).subs(point)
    pull = sum(x * e for x, e in zip(at, field, strict=True))
    return -sp.Rational(1, 4) * pull + sp.Rational(3, 8) * (Sigma * H).trace()


def close(got: Any, expected: sp.Expr, scale: float = 0.0) -> None:
    """Compare to 1e-12 of the value, or of a scale where terms cancel."""
    value = float(sp.N(expected, 25))
    assert abs(float(got) - value) <= 1e-12 * max(abs(value), scale)


def arrays(backend: Any, values: Any) -> Any:
    """Return float64 values as an array of the backend."""
    made = np.array(values, dtype=np.float64)
    return torch.from_numpy(made) if backend == "torch" else made


def check_against_substitution(
    derived: PlainDerivation, backend: Any, seed: int
) -> None:
    """Compare generator, charge, drift (both forms) and step with exact values."""
    space = derived.declaration.space
    at, (G, Sigma) = exact_point(space.size, seed), exact_noise(space.size, seed)
    point = dict(zip(space.symbols, at, strict=True))
    evaluators = compile(derived, backend)
    theta = arrays(backend, at)
    magnitude = 1 + max(abs(float(x)) for x in at) ** 8
    for got, entry in zip(
        evaluators.generator(theta), derived.declaration.symmetry.generator, strict=True
    ):
        close(got, entry.subs(point), magnitude)
    close(evaluators.charge(theta), derived.charge.subs(point), magnitude)
    flow, rates = exact_flow(derived, at, Sigma), {"sigma2": 0.375, "gamma": 0.125}
    S, g = arrays(backend, Sigma.tolist()), arrays(backend, G.tolist())
    close(evaluators.drift(theta, S, **rates), flow, 100 * magnitude)
    close(evaluators.drift(theta, gradients=g, **rates), flow, 100 * magnitude)
    kept = 1 - 2 * sp.Rational(1, 16) * sp.Rational(1, 8)
    moved = [kept * x - G[0, i] / 16 for i, x in enumerate(at)]
    after = derived.charge.subs(dict(zip(space.symbols, moved, strict=True)))
    close(evaluators.step(theta, g[0], eta=0.0625, gamma=0.125), after, magnitude)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", CHARGED)
def test_catalogue_equals_substitution(name: str, backend: Any) -> None:
    """Every kind, every evaluator, 1e-12."""
    for seed in range(3):
        check_against_substitution(catalogue()[name], backend, seed)


@given(st.one_of(quadratics(), polynomials()), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_drawn_declarations_equal_substitution(
    derived: PlainDerivation, seed: int
) -> None:
    """Drawn matrices and polynomials, on both backends."""
    check_against_substitution(derived, "numpy", seed)
    check_against_substitution(derived, "torch", seed)


@given(quadratics(), st.floats(-2, 2), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_balance_is_the_flow_on_the_orbit(
    derived: PlainDerivation, lam: float, seed: int
) -> None:
    """G(θ_λ) equals the drift at e^{λA}θ with noise e^{-λA}Σe^{-λA}."""
    space = derived.declaration.space
    evaluators, rates = compile(derived), {"sigma2": 0.4, "gamma": 0.3}
    matrix = derived.declaration.symmetry.matrix
    assert matrix is not None
    A = np.array(matrix.tolist(), dtype=np.float64)
    values, vectors = np.linalg.eigh(A)
    forth = vectors @ np.diag(np.exp(lam * values)) @ vectors.T
    back = vectors @ np.diag(np.exp(-lam * values)) @ vectors.T
    theta = np.array(exact_point(space.size, seed), dtype=float)
    G, S = (np.array(m.tolist(), dtype=float) for m in exact_noise(space.size, seed))

    expected = evaluators.drift(forth @ theta, back @ S @ back, **rates)
    scale = np.abs(A).sum() * np.exp(2 * abs(lam) * np.abs(values).max())
    scale *= np.abs(S).sum() + theta @ theta
    for noise in ({"Sigma": S}, {"gradients": G}):
        got = evaluators.balance(lam, theta, **noise, **rates)
        assert abs(got - expected) <= 1e-13 * scale
        torched = {k: torch.from_numpy(v) for k, v in noise.items()}
        same = compile(derived, "torch").balance(
            lam, torch.from_numpy(theta), **torched, **rates
        )
        assert abs(float(same) - got) <= 1e-13 * scale


@pytest.mark.parametrize("name", ["rescaling", "mixed", "factorisation"])
def test_balance_far_out_is_infinite_not_nan(name: str) -> None:
    """-inf for large λ, +inf for large -λ, and finite limits where terms are zero."""
    derived = catalogue()[name]
    n = derived.declaration.space.size
    evaluators = compile(derived)
    for lam in (1e3, 1e300, math.inf):
        out = evaluators.balance(
            np.array([lam, -lam]), np.ones(n), np.eye(n), sigma2=0.5, gamma=0.5
        )
        np.testing.assert_equal(out, [-math.inf, math.inf])
        still = evaluators.balance(
            np.array([lam, -lam]), np.zeros(n), np.zeros((n, n)), sigma2=0.5, gamma=0.5
        )
        np.testing.assert_equal(np.abs(still), [0, 0])
    alone = compile(catalogue()["rescaling"]).balance(
        -1e3, np.ones(2), np.zeros((2, 2)), sigma2=0.5, gamma=0.0
    )
    assert alone == 0


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", ["rescaling", "mixed", "quartic", "waves"])
def test_leading_axes_broadcast(name: str, backend: Any) -> None:
    """θ (3, 1, n), noise (4, n, n), γ (4,) give (3, 4), equal to the loop."""
    evaluators = compile(catalogue()[name], backend)
    rng = np.random.default_rng(0)
    theta, g = rng.normal(size=(3, 1, 2)), rng.normal(size=(4, 6, 2))
    gamma, S = rng.random(4), np.stack([np.cov(x.T, bias=True) for x in g])
    t_, g_, gamma_, S_ = (arrays(backend, x) for x in (theta, g, gamma, S))
    by_matrix = evaluators.drift(t_, S_, sigma2=0.5, gamma=gamma_)
    by_samples = evaluators.drift(t_, gradients=g_, sigma2=0.5, gamma=gamma_)
    stepped = evaluators.step(t_, g_[:, 0], eta=0.1, gamma=gamma_)

    assert tuple(by_matrix.shape) == tuple(stepped.shape) == (3, 4)
    assert tuple(evaluators.generator(t_).shape) == (3, 1, 2)
    np.testing.assert_allclose(by_matrix, by_samples, rtol=1e-12, atol=1e-12)
    for i, j in np.ndindex(3, 4):
        alone = evaluators.drift(t_[i, 0], S_[j], sigma2=0.5, gamma=float(gamma[j]))
        assert abs(float(alone) - float(by_matrix[i, j])) <= 1e-13
        once = evaluators.step(t_[i, 0], g_[j, 0], eta=0.1, gamma=float(gamma[j]))
        assert abs(float(once) - float(stepped[i, j])) <= 1e-13


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", CHARGED)
def test_float32_stays(name: str, backend: Any) -> None:
    """Every result has θ's dtype, whatever the dtype of the noise."""
    derived = catalogue()[name]
    n = derived.declaration.space.size
    evaluators = compile(derived, backend)
    theta: Any = np.linspace(-1, 1, n).astype(np.float32)
    theta = torch.from_numpy(theta) if backend == "torch" else theta
    S = arrays(backend, np.eye(n))
    rates: dict[str, Any] = {"sigma2": 0.5, "gamma": 0.25}
    results = [
        evaluators.generator(theta),
        evaluators.charge(theta),
        evaluators.drift(theta, S, **rates),
        evaluators.drift(theta, gradients=S, **rates),
        evaluators.step(theta, S[0], eta=0.1, gamma=0.2),
    ]
    if derived.declaration.symmetry.kind == "exponential":
        results.append(evaluators.balance(0.5, theta, S, **rates))

    assert {result.dtype for result in results} == {theta.dtype}


@pytest.mark.parametrize("name", CHARGED)
def test_torch_is_differentiable(name: str) -> None:
    """Gradcheck of every evaluator, and ∇C = J by autograd."""
    derived = catalogue()[name]
    n = derived.declaration.space.size
    evaluators = compile(derived, "torch")
    torch.manual_seed(0)
    theta = torch.randn(n, dtype=torch.float64, requires_grad=True)
    S = torch.randn(n, n, dtype=torch.float64, requires_grad=True)
    g = torch.randn(3, n, dtype=torch.float64, requires_grad=True)
    lam = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    rates: dict[str, Any] = {"sigma2": 0.5, "gamma": 0.25}

    (gradient,) = torch.autograd.grad(evaluators.charge(theta), theta)
    torch.testing.assert_close(gradient, evaluators.generator(theta))
    assert torch.autograd.gradcheck(
        lambda t, s: evaluators.drift(t, s, **rates), (theta, S)
    )
    assert torch.autograd.gradcheck(
        lambda t, x: evaluators.drift(t, gradients=x, **rates), (theta, g)
    )
    assert torch.autograd.gradcheck(
        lambda t, x: evaluators.step(t, x[0], eta=0.1, gamma=0.2), (theta, g)
    )
    if derived.declaration.symmetry.kind == "exponential":
        assert torch.autograd.gradcheck(
            lambda x, t, s: evaluators.balance(x, t, s, **rates), (lam, theta, S)
        )


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_mapping_form(backend: Any) -> None:
    """Named arrays (…, *shape), gradients (…, N, *shape), equal to the flat form."""
    evaluators = compile(catalogue()["factorisation"], backend)
    rng = np.random.default_rng(2)
    U, W = rng.normal(size=(3, 1, 2)), rng.normal(size=(2, 2))
    gU, gW = rng.normal(size=(3, 5, 1, 2)), rng.normal(size=(3, 5, 2, 2))
    theta = {"W": arrays(backend, W), "U": arrays(backend, U)}
    noise = {"U": arrays(backend, gU), "W": arrays(backend, gW)}
    wide = np.broadcast_to(W, (3, 2, 2)).reshape(3, 4)
    flat = arrays(backend, np.concatenate([U.reshape(3, 2), wide], -1))
    flat_g = np.concatenate([gU.reshape(3, 5, 2), gW.reshape(3, 5, 4)], -1)
    rates: dict[str, Any] = {"sigma2": 0.5, "gamma": 0.25}

    field = evaluators.generator(theta)
    assert {name: tuple(part.shape) for name, part in field.items()} == {
        "U": (3, 1, 2),
        "W": (3, 2, 2),
    }
    whole = evaluators.generator(flat)
    np.testing.assert_array_equal(field["W"].reshape(3, 4), whole[:, 2:])
    np.testing.assert_array_equal(evaluators.charge(theta), evaluators.charge(flat))
    np.testing.assert_array_equal(
        evaluators.drift(theta, gradients=noise, **rates),
        evaluators.drift(flat, gradients=arrays(backend, flat_g), **rates),
    )


def test_exact_law_along_sgd() -> None:
    """C' = (1−2ηγ)²C + ½η²gᵀAg for a minibatch gradient of a symmetric loss."""
    derived = catalogue()["rescaling"]
    evaluators, u, v = compile(derived), 1.5, -0.75
    rng = np.random.default_rng(4)
    for _ in range(20):
        x, y = rng.normal(size=(2, 3))
        q = (2 * (u * v * x - y) * x).mean()
        g = np.array([q * v, q * u])
        law = (1 - 2 * 0.1 * 0.2) ** 2 * (u * u - v * v) / 2
        law += 0.5 * 0.1**2 * (g[0] ** 2 - g[1] ** 2)
        got = evaluators.step(np.array([u, v]), g, eta=0.1, gamma=0.2)
        assert abs(got - law) <= 64 * EPS * (1 + g @ g)


def test_no_charge_raises_its_own_error() -> None:
    """A rotation has a generator, and no charge."""
    evaluators = compile(catalogue()["rotation"])
    theta, rates = np.array([1.0, 2.0]), {"sigma2": 1.0, "gamma": 0.0}

    np.testing.assert_array_equal(evaluators.generator(theta), [-2, 1])
    calls: list[Callable[[], Any]] = [
        lambda: evaluators.charge(theta),
        lambda: evaluators.drift(theta, np.eye(2), **rates),
        lambda: evaluators.balance(0.0, theta, np.eye(2), **rates),
        lambda: evaluators.step(theta, theta, eta=0.1, gamma=0.0),
    ]
    for call in calls:
        with pytest.raises(NoCharge, match="not symmetric"):
            call()


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_errors_name_expected_and_got(backend: Any) -> None:
    """Shapes, names, and what was left out."""
    evaluators = compile(catalogue()["factorisation"], backend)
    theta, rates = np.ones(6), {"sigma2": 1.0, "gamma": 0.0}
    with pytest.raises(ShapeError, match=r"expected shape \(\.\.\., 6\).*got \(5,\)"):
        evaluators.charge(np.ones(5))
    with pytest.raises(ShapeError, match=r"got \(\)"):
        evaluators.charge(1.0)
    with pytest.raises(ShapeError, match="expected the names U, W, got U"):
        evaluators.charge({"U": np.ones((1, 2))})
    with pytest.raises(ShapeError, match=r"'U'.*\(\.\.\., 1, 2\), got \(2, 1\)"):
        evaluators.charge({"U": np.ones((2, 1)), "W": np.ones((2, 2))})
    with pytest.raises(ShapeError, match=r"Sigma.*6, 6\), got \(6,\)"):
        evaluators.drift(theta, np.ones(6), **rates)
    with pytest.raises(ShapeError, match="got neither"):
        evaluators.drift(theta, **rates)
    with pytest.raises(ShapeError, match="got both"):
        evaluators.drift(theta, np.eye(6), gradients=np.ones((3, 6)), **rates)
    with pytest.raises(ShapeError, match="N >= 1 samples"):
        evaluators.drift(theta, gradients=np.ones((0, 6)), **rates)
    with pytest.raises(ShapeError, match="real numbers"):
        evaluators.charge(np.ones(6) * 1j)
    for name in ("affine", "quartic"):
        with pytest.raises(CompilationError, match="expected an exponential symmetry"):
            compile(catalogue()[name], backend).balance(
                0.0, np.ones(2), np.eye(2), **rates
            )
    unknown: Any = "jax"
    with pytest.raises(CompilationError, match="'numpy' or 'torch', got 'jax'"):
        compile(catalogue()["scaling"], unknown)


@pytest.mark.parametrize("name", CHARGED)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_nan_propagates(name: str, backend: Any) -> None:
    """NaN in θ reaches J where J depends on θ, and never becomes a number in C."""
    derived = catalogue()[name]
    n = derived.declaration.space.size
    evaluators = compile(derived, backend)
    theta = arrays(backend, np.full(n, np.nan))

    assert math.isnan(evaluators.charge(theta))
    assert math.isnan(evaluators.drift(theta, np.eye(n), sigma2=1.0, gamma=0.5))


def test_generated_source_is_stable_and_nameless() -> None:
    """The same text in processes with other hash seeds, and no user's name in it."""
    evaluators = compile(catalogue()["quartic"])
    assert "u" not in evaluators.source.replace("return", "").replace("numpy", "")
    code = (
        "from numeric import compile\n"
        "from numeric import compile_loss\n"
        "from tests.strategies import catalogue, losses\n"
        "print(compile(catalogue()['waves']).source)\n"
        "print(compile_loss(losses()['net']).source)"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(texts) == 1


X, Z = sp.symbols("x z", real=True)
EXPRESSIONS = [
    X / 3 - Z / 7,
    -X * Z,
    -(X + Z) / (X * Z),
    (X + Z) ** 3 / (X - Z) ** 2,
    X ** sp.Rational(3, 2) * sp.sqrt(Z),
    1 / sp.sqrt(X**2 + Z**2),
    2**X - sp.pi * Z,
    X**7 + Z**-5,
    sp.exp(X) * sp.exp(-Z) + sp.log(X * Z),
    sp.sin(X) * sp.cos(Z) + sp.tan(X / 4),
    sp.sinh(X) - sp.cosh(Z) + sp.tanh(X * Z),
    sp.Abs(X - Z) + sp.sign(X - Z),
    relu(X - Z) + 3 * relu(Z - X) ** 2 + step(Z - X),
    X**Z,
    (X**2 + 1) ** 2 * (X**2 + 1) ** sp.Rational(1, 3),
    sp.Rational(10**40, 3) * X / 10**39,
    sp.sqrt(2) * X,
    -3 - X,
]


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_printer_agrees_with_sympy(expression: sp.Expr) -> None:
    """Each construct of the language, at rational points, on both backends."""
    made = generate([X, Z], [expression], "f")
    for x, z in [(1.25, 0.5), (0.5, 2.75), (3.0, 1.5)]:
        point = {X: sp.Rational(x), Z: sp.Rational(z)}
        expected = float(sp.N(expression.subs(point), 25))
        one = made.call(np, np.float64(x), np.float64(z))[0]
        two = made.call(torch, *(torch.tensor(v, dtype=torch.float64) for v in (x, z)))[
            0
        ]
        assert abs(one - expected) <= 32 * EPS * max(1, abs(expected))
        assert abs(float(two) - expected) <= 32 * EPS * max(1, abs(expected))


def test_branches_at_zero_and_nan() -> None:
    """relu(0) = step(0) = sign(0) = 0 with zero torch gradient; NaN stays NaN."""
    made = generate([X], [relu(X), step(X), sp.sign(X), sp.Abs(X)], "f")
    zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    values = made.call(torch, zero)

    assert [v.item() for v in values] == [0, 0, 0, 0]
    sum(values).backward()
    assert zero.grad is not None
    assert zero.grad.item() in (0.0,)
    assert np.isnan(made.call(np, np.array(np.nan))).all()
    nan = torch.tensor(math.nan)
    assert all(bool(torch.isnan(v)) for v in made.call(torch, nan))


def test_printer_refuses() -> None:
    """Unknown functions, foreign symbols, and numbers that are none."""
    with pytest.raises(CompilationError, match="got gamma in gamma"):
        generate([X], [sp.gamma(X)], "f")
    with pytest.raises(CompilationError, match="with z; substitute"):
        generate([X], [X + Z], "f")
    with pytest.raises(CompilationError, match="identifier"):
        generate([X], [X], "f(): pass #")
    for bad in (sp.I, sp.oo, sp.nan, sp.zoo, sp.Integer(10) ** 400):
        with pytest.raises(CompilationError, match="real number"):
            number(bad)
    with pytest.raises(CompilationError, match="free symbols x"):
        number(2 * X)


def test_hostile_symbol_names_do_not_reach_the_source() -> None:
    """A symbol whose name is code is an argument like any other."""
    hostile = sp.Symbol("__import__('os').abort()", real=True)
    shadow = sp.Symbol("a1", real=True)
    made = generate([shadow, hostile], [shadow**2 - hostile], "f")

    assert "import" not in made.source
    assert made.call(np, 3.0, 2.0) == (7.0,)


def test_symbolic_entries_are_refused() -> None:
    """A matrix with a constant left in it has no numbers."""
    k = sp.Symbol("k", real=True)
    with pytest.raises(CompilationError, match="k"):
        compile(derivation("cubic", PAIR, (k * PAIR.symbols[0] ** 2, sp.Integer(0))))


def test_names_of_the_fixtures() -> None:
    """The fixtures cover every kind."""
    kinds = {each.declaration.symmetry.kind for each in catalogue().values()}

    assert kinds == {"exponential", "linear", "affine", "nonlinear"}
