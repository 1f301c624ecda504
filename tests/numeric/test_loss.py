"""`compile_loss` against substitution, autograd and finite shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings, strategies as st

from numeric import CompilationError, LossEvaluator, ShapeError, compile_loss
from tests.strategies import PAIR, losses, plain_loss


def exact(loss: Any, theta: np.ndarray, z: np.ndarray) -> tuple[float, list[float]]:
    """Return ℓ and ∇ℓ at one point by substitution of exact rationals."""
    symbols = (*loss.space.symbols, *loss.data.symbols)
    values = [sp.Rational(float(v)) for v in (*theta, *z)]
    point = dict(zip(symbols, values, strict=True))
    gradient = [float(sp.N(sp.sympify(e).subs(point), 25)) for e in loss.gradient]
    return float(sp.N(loss.expression.subs(point), 25)), gradient


def split(loss: Any, z: np.ndarray) -> dict[str, np.ndarray]:
    """Return flat samples (…, m) by name."""
    parts, start = {}, 0
    for name in loss.data.names:
        shape = loss.data.int_shape(name)
        stop = start + int(np.prod(shape, dtype=int))
        parts[name] = z[..., start:stop].reshape((*z.shape[:-1], *shape))
        start = stop
    return parts


@pytest.mark.parametrize("name", sorted(losses()))
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_equals_substitution_on_both_backends(name: str, seed: int) -> None:
    """1e-12 of the value, at random points."""
    loss = losses()[name]
    rng = np.random.default_rng(seed)
    theta, z = rng.normal(size=loss.space.size), rng.normal(size=loss.data.size)
    value, gradient = exact(loss, theta, z)
    scale = 1 + (1 + np.abs(theta).max() + np.abs(z).max()) ** 4
    evaluators: list[tuple[LossEvaluator, Any]] = [
        (compile_loss(loss, "numpy"), np.asarray),
        (compile_loss(loss, "torch"), torch.from_numpy),
    ]
    for evaluator, convert in evaluators:
        data = {key: convert(np.array(part)) for key, part in split(loss, z).items()}
        got = float(evaluator.value(convert(theta), data))
        assert abs(got - value) <= 1e-13 * scale
        made = np.asarray(evaluator.gradient(convert(theta), data))
        assert np.abs(made - gradient).max() <= 1e-13 * scale


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_replicas_and_samples_broadcast(backend: Any) -> None:
    """θ (R, 1, n) with data (N, …) gives (R, N) and (R, N, n)."""
    loss = losses()["net"]
    evaluator = compile_loss(loss, backend)
    rng = np.random.default_rng(1)
    theta, x, y = (
        rng.normal(size=(3, 1, 6)),
        rng.normal(size=(4, 2)),
        rng.normal(size=4),
    )
    value = evaluator.value(theta, {"x": x, "y": y})
    gradient = evaluator.gradient(theta, {"x": x, "y": y})

    assert tuple(value.shape) == (3, 4)
    assert tuple(gradient.shape) == (3, 4, 6)
    for i, j in np.ndindex(3, 4):
        alone = evaluator.gradient(theta[i, 0], {"x": x[j], "y": y[j]})
        np.testing.assert_allclose(gradient[i, j], alone, rtol=1e-13, atol=1e-14)


def test_torch_gradient_is_autograd_and_differentiable() -> None:
    """∇ℓ equals autograd of ℓ, and passes gradcheck itself."""
    for name, loss in losses().items():
        evaluator = compile_loss(loss, "torch")
        torch.manual_seed(3)
        theta = torch.randn(loss.space.size, dtype=torch.float64, requires_grad=True)
        data = {
            key: torch.randn(5, *loss.data.int_shape(key), dtype=torch.float64)
            for key in loss.data.names
        }
        (slope,) = torch.autograd.grad(evaluator.value(theta, data).sum(), theta)
        torch.testing.assert_close(slope, evaluator.gradient(theta, data).sum(0))
        assert torch.autograd.gradcheck(
            lambda t, e=evaluator, d=data: e.gradient(t, d), (theta,)
        ), name


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_theta_decides_the_dtype(backend: Any) -> None:
    """float32 stays with float64 data; integers become floats."""
    evaluator = compile_loss(losses()["relu"], backend)
    data = {"x": np.ones(3), "y": np.zeros(3)}
    theta: Any = np.array([0.5, 2.0], dtype=np.float32)
    if backend == "torch":
        theta = torch.from_numpy(theta)

    assert evaluator.value(theta, data).dtype == theta.dtype
    assert evaluator.gradient(theta, data).dtype == theta.dtype
    np.testing.assert_array_equal(evaluator.value([1, 2], data), [4, 4, 4])


def test_mapping_form() -> None:
    """A mapping in gives a mapping out."""
    loss = losses()["net"]
    evaluator = compile_loss(loss)
    rng = np.random.default_rng(1)
    flat, data = rng.normal(size=6), {"x": rng.normal(size=(4, 2)), "y": np.ones(4)}
    named = {"U": flat[:2].reshape(1, 2), "W": flat[2:].reshape(2, 2)}

    gradient = evaluator.gradient(named, data)
    assert gradient["W"].shape == (4, 2, 2)
    np.testing.assert_array_equal(
        gradient["W"].reshape(4, 4), evaluator.gradient(flat, data)[:, 2:]
    )


def test_constant_entries_broadcast() -> None:
    """A gradient entry without symbols fills the shape."""
    loss = plain_loss(3 * PAIR.symbols[0], PAIR, x=())
    gradient = compile_loss(loss).gradient(np.ones((2, 2)), {"x": np.ones((5, 1))})

    np.testing.assert_array_equal(gradient, np.broadcast_to([3.0, 0.0], (5, 2, 2)))


def test_nan_propagates() -> None:
    """NaN in θ comes out as NaN, through relu too."""
    evaluator = compile_loss(losses()["relu"])
    data = {"x": np.ones(2), "y": np.ones(2)}

    assert np.isnan(evaluator.value(np.array([1.0, np.nan]), data)).all()
    assert np.isnan(evaluator.gradient(np.array([1.0, np.nan]), data)).all()


def test_errors_name_expected_and_got() -> None:
    """Names, shapes, leading axes and symbols."""
    evaluator = compile_loss(losses()["net"])
    good = {"x": np.ones((4, 2)), "y": np.ones(4)}
    with pytest.raises(ShapeError, match="expected the names x, y, got x"):
        evaluator.value(np.ones(6), {"x": np.ones(2)})
    with pytest.raises(ShapeError, match=r"'x'.*\(\.\.\., 2\), got \(4, 3\)"):
        evaluator.value(np.ones(6), {**good, "x": np.ones((4, 3))})
    with pytest.raises(ShapeError, match=r"\(\.\.\., 6\).*got \(7,\)"):
        evaluator.value(np.ones(7), good)
    with pytest.raises(ShapeError, match=r"theta\[:, None, :\]"):
        evaluator.value(np.ones((3, 6)), good)
    with pytest.raises(CompilationError, match="with k; substitute"):
        compile_loss(plain_loss(sp.Symbol("k") * PAIR.symbols[0], PAIR))
