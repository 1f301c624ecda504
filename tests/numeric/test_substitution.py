"""Models with shared modules and tied weights, run with other tensors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from numeric._noise._generator import Action, Generator
from numeric._noise._trace import noise_trace
from numeric._substitution import call_with


class Tied(nn.Module):
    """A module in two places, a weight tied to another module's, a buffer."""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one = nn.Linear(3, 3)
        self.again = self.one
        self.other = nn.Linear(3, 3)
        self.other.weight = self.one.weight
        self.register_buffer("scale", torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.other(torch.tanh(self.again(torch.tanh(self.one(x)))))
        return out * self.scale


def tensors(model: nn.Module) -> dict[str, Tensor]:
    return {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }


@pytest.mark.parametrize("name", ["one.weight", "again.weight", "other.weight"])
def test_a_tied_tensor_is_replaced_wherever_it_stands(name: str) -> None:
    model, x = Tied(), torch.randn(4, 3)
    before = tensors(model)
    W, scale = torch.randn(3, 3), torch.randn(3)

    found = call_with(model, {name: W, "scale": scale}, x)

    assert all(tensor is before[key] for key, tensor in tensors(model).items())
    with torch.no_grad():
        model.one.weight.copy_(W)
        model.scale.copy_(scale)
    assert torch.equal(found, model(x))


def test_the_model_is_as_it_was_after_a_failure() -> None:
    model = Tied()
    before = tensors(model)

    with pytest.raises(RuntimeError):
        call_with(model, {"one.weight": torch.ones(3, 3)}, torch.ones(4, 5))

    assert all(tensor is before[key] for key, tensor in tensors(model).items())


class Shared(nn.Module):
    """A module used twice, in a way that has no rule."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Bilinear(2, 2, 2)
        self.again = self.body

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.again(x, torch.sin(self.body(x, x)))
        return out


def test_noise_of_a_shared_module_by_samples_leaves_the_model() -> None:
    model = Shared().double()
    x, y = torch.randn(6, 2).double(), torch.randn(6, 2).double()
    before = tensors(model)
    generator = Generator({"body.weight": Action()})

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return (out - y).square().sum()

    found = [noise_trace(model, loss, (x, y), [generator])[0] for _ in range(2)]

    assert "vmap" in found[0].method
    assert found[0] == found[1]
    assert all(tensor is before[key] for key, tensor in tensors(model).items())
    rows = []
    for k in range(6):
        value = loss(model(x[k : k + 1]), y[k : k + 1])
        rows.append(torch.autograd.grad(value, [model.body.weight])[0].flatten())
    G = torch.stack(rows)
    assert abs(found[0].trace - float(G.var(0, correction=0).sum())) <= 1e-12 * float(
        G.square().sum()
    )
