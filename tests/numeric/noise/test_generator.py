"""Generators on torch parameters: J, its flow, its charge, and symmetries of models."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

from numeric._errors import ShapeError
from numeric._noise._builders import (
    matrix_rescaling,
    query_key,
    rescaling,
    scaling,
    value_output,
)
from numeric._noise._generator import Action, Generator
from numeric._noise._trace import noise_trace
from tests.numeric.noise.reference import dense, per_sample, squares


EXACT = 1e-11  # flows of norm at most 10: a few hundred roundings, e^{‖λA‖} included


def named(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in model.named_parameters()}


def factor(draw: st.DrawFn, size: int) -> Tensor | None:
    kind = draw(st.sampled_from(["none", "diagonal", "full", "symmetric", "turn"]))
    M = torch.randn(size, size, dtype=torch.float64)
    made = {"diagonal": M[0], "full": M, "symmetric": M + M.T, "turn": M - M.T}
    return made.get(kind)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[tuple[Action, ...], Tensor, Tensor]:
    torch.manual_seed(draw(st.integers(0, 10**6)))
    shape = draw(st.sampled_from([(3, 2), (2, 3, 2), (1, 1)]))
    actions = tuple(
        Action(
            draw(st.sampled_from([1.0, -0.5, 2.0])),
            factor(draw, shape[0]),
            factor(draw, shape[1]),
        )
        for _ in range(draw(st.integers(1, 3)))
    )
    wide = {"dtype": torch.float64}
    return actions, torch.randn(*shape, **wide), torch.randn(*shape, **wide)  # type: ignore[call-overload]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(blocks())
def test_action_flow_and_charge_agree_with_the_matrix(
    drawn: tuple[tuple[Action, ...], Tensor, Tensor],
) -> None:
    actions, W, b = drawn
    A = torch.zeros(W.numel(), W.numel(), dtype=torch.float64)
    for action in actions:
        A += dense(action, W.shape)
    flat, theta = W.flatten(), {"w": W}
    generator = Generator({"w": actions}, shift={"w": b})
    scale = float(torch.linalg.matrix_norm(A)) + 1

    J = generator.apply(theta)["w"].flatten()
    symmetric = bool((A - A.T).abs().max() <= 1e-13 * scale)

    assert (J - A @ flat - b.flatten()).abs().max() <= EXACT * scale * 10
    assert generator.symmetric == symmetric
    charge = generator.charge(theta)
    if symmetric:
        expected = 0.5 * flat @ A @ flat + b.flatten() @ flat
        assert charge is not None
        assert abs(charge - float(expected)) <= EXACT * scale * 100
    else:
        assert charge is None
    lam = 2.0 / scale
    padded = torch.zeros(len(A) + 1, len(A) + 1, dtype=torch.float64)
    padded[:-1, :-1], padded[:-1, -1] = lam * A, lam * b.flatten()
    full = torch.linalg.matrix_exp(padded)
    expected = full[:-1, :-1] @ flat + full[:-1, -1]
    moved = generator.moved(theta, lam)["w"].flatten()
    # matrix_exp itself is good to about 1e-10.
    assert (moved - expected).abs().max() <= 1e-9 * (1 + expected.abs().max())


def test_the_flow_of_a_scaling_is_the_exponential() -> None:
    theta = {"w": torch.tensor([1.0, 2.0], dtype=torch.float64)}

    moved = Generator({"w": (Action(2.0), Action(-0.5))}).moved(theta, -3.0)["w"]

    assert torch.allclose(moved, theta["w"] * math.exp(-4.5), rtol=1e-15, atol=0.0)


def test_a_far_flow_keeps_its_digits() -> None:
    """Eigenvalues ±1 at λ = 20: the shrinking direction must not drown."""
    swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    theta = {"w": torch.tensor([[1.0], [1.0]], dtype=torch.float64)}

    grown = Generator({"w": Action(left=swap)}).moved(theta, 20.0)["w"]

    assert torch.allclose(grown, theta["w"] * math.exp(20.0), rtol=1e-13, atol=0.0)


class Head(nn.Module):
    """Attention with a weight for every output."""

    def __init__(self, keys: int = 6, *, bias: bool = True):
        super().__init__()
        self.keys = keys
        self.core = nn.MultiheadAttention(6, 3, batch_first=True, kdim=keys, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.core(x, x[..., : self.keys], x, need_weights=False)[0]
        return out


def sandwich() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3))


def pictures() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 3, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3)
    )


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.LeakyReLU(), nn.Linear(5, 3))


SYMMETRIES = {
    "rescaling": lambda: (m := perceptron(), rescaling(m, "0", "2"), (7, 4)),
    "one neuron": lambda: (m := perceptron(), rescaling(m, "0", "2", unit=3), (7, 4)),
    "one channel": lambda: (
        m := pictures(),
        rescaling(m, "0", "4", unit=1),
        (7, 2, 5, 5),
    ),
    "matrix": lambda: (
        m := sandwich(),
        matrix_rescaling(m, "0", "1", torch.randn(5, 5, dtype=torch.float64)),
        (7, 4),
    ),
    "query, key": lambda: (
        m := Head(),
        query_key(m, "core", head=1, B=torch.randn(2, 2).double()),
        (7, 3, 6),
    ),
    "query, other key": lambda: (m := Head(4), query_key(m, "core"), (7, 3, 6)),
    "value, output": lambda: (
        m := Head(),
        value_output(m, "core", head=2, B=torch.randn(2, 2).double()),
        (7, 3, 6),
    ),
    "all values": lambda: (m := Head(bias=False), value_output(m, "core"), (7, 3, 6)),
}


@pytest.mark.parametrize("name", SYMMETRIES)
def test_built_generators_leave_the_model_and_are_orthogonal_to_gradients(
    name: str,
) -> None:
    torch.manual_seed(9)
    model, generator, shape = SYMMETRIES[name]()  # type: ignore[no-untyped-call]
    model = model.double()
    x = torch.randn(*shape, dtype=torch.float64)
    y = torch.randn_like(model(x)).detach()

    J = generator.apply(named(model))
    gradients = per_sample(model, squares, x, y)
    along = sum((gradients[k] * v).flatten(1).sum(1) for k, v in J.items())
    moved = torch.func.functional_call(model, generator.moved(named(model), 0.7), (x,))

    assert sum(float(v.abs().sum()) for v in J.values()) > 0.1
    assert float(torch.as_tensor(along).abs().max()) <= 1e-10
    assert torch.allclose(moved, model(x), rtol=1e-9, atol=1e-10)
    noise = noise_trace(model, squares, (x, y), [generator])[0]
    assert noise.method == "ghost"
    assert noise.charge == generator.charge(named(model))


def test_scaling_names_all_parameters_or_some() -> None:
    model = perceptron()

    assert set(scaling(model).actions) == {n for n, _ in model.named_parameters()}
    assert list(scaling(model, ["0.bias"]).actions) == ["0.bias"]
    with pytest.raises(KeyError, match="none such"):
        scaling(model, ["none such"])


def test_a_shift_adds_to_the_charge_alone() -> None:
    model = perceptron().double()
    x, y = torch.randn(6, 4).double(), torch.randn(6, 3).double()
    plain = Generator({"0.bias": Action(2.0)})
    shifted = Generator({"0.bias": Action(2.0)}, shift={"0.bias": torch.ones(5)})

    first, second = noise_trace(model, squares, (x, y), [plain, shifted])

    assert first.trace == second.trace
    total = float(model[0].bias.detach().sum())  # type: ignore[index]
    assert first.charge is not None
    assert second.charge == pytest.approx(first.charge + total, rel=1e-14)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Action(math.nan), ValueError),
        (lambda: Action(left=torch.ones(2, 3)), ShapeError),
        (lambda: Action(right=torch.ones(2, 2, 2)), ShapeError),
        (lambda: Action(left=torch.tensor([math.inf])), ValueError),
        (lambda: Action(left=[1.0]), TypeError),  # type: ignore[arg-type]
        (lambda: Generator({"w": 2.0}), TypeError),  # type: ignore[dict-item]
        (lambda: Generator({}, shift={"w": 1.0}), TypeError),  # type: ignore[dict-item]
        (lambda: Generator({}, shift={"w": torch.tensor(math.nan)}), ValueError),
        (
            lambda: Generator({"w": Action(right=torch.ones(3))}).apply(
                {"w": torch.ones(3)}
            ),
            ShapeError,
        ),
        (
            lambda: Generator({}, shift={"w": torch.ones(2)}).charge(
                {"w": torch.ones(3)}
            ),
            ShapeError,
        ),
        (lambda: Generator({"w": Action()}).apply({}), KeyError),
        (
            lambda: Generator({"w": Action()}).moved({"w": torch.ones(1)}, math.nan),
            ValueError,
        ),
        (lambda: rescaling(perceptron(), "0", "1"), ShapeError),
        (lambda: rescaling(perceptron(), "2", "0"), ShapeError),
        (lambda: rescaling(perceptron(), "0", "2", unit=5), ShapeError),
        (lambda: rescaling(perceptron(), "0", "nowhere"), ShapeError),
        (lambda: matrix_rescaling(sandwich(), "0", "1", torch.eye(4)), ShapeError),
        (lambda: query_key(Head(), "core", head=3), ShapeError),
        (lambda: query_key(Head(), "core", B=torch.eye(3)), ShapeError),
        (lambda: value_output(perceptron(), "0"), ShapeError),
        (
            lambda: query_key(nn.MultiheadAttention(4, 2, add_bias_kv=True), ""),
            ShapeError,
        ),
    ],
)
def test_what_cannot_be_a_generator_is_refused(
    make: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        make()  # type: ignore[operator]


def test_a_long_way_along_an_orbit_takes_few_steps() -> None:
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    grow = torch.tensor([[0.5, 0.25], [0.0, 0.5]], dtype=torch.float64)
    W = torch.tensor([[1.0, 2.0], [3.0, 5.0]], dtype=torch.float64)
    generator = Generator({"W": (Action(left=turn), Action(scale=1e-6, right=grow))})
    lam = 1e6

    found = generator.moved({"W": W}, lam)["W"]

    c, s = math.cos(lam), math.sin(lam)
    rotation = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    unit = torch.eye(2, dtype=torch.float64)
    right = Action(right=grow).apply(unit)  # how it acts, as a matrix from the right
    wanted = rotation @ W @ torch.linalg.matrix_exp(right)
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-8)
