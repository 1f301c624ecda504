"""Models, losses and data for the ensembles of torch models."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


Case = tuple[nn.Module, Callable[[Any, Tensor], Tensor], tuple[Tensor, Tensor]]
MSE = nn.MSELoss(reduction="sum")
CE = nn.CrossEntropyLoss(reduction="sum")
COUNT = 7


class Attention(nn.Module):
    """Self-attention over a sequence, then a linear layer on its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.attention(x, x, x)[0]
        out: Tensor = self.head(mixed.mean(1))
        return out


class Tied(nn.Module):
    """A language model with tied weights, whose output merges samples and places."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 4)
        self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.words(x))
        return out.reshape(-1, 9)


class Transposed(nn.Module):
    """An output with the samples on axis 1, of as many rows as three samples have."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x[:, :3])
        return out.transpose(0, 1)


class Branching(nn.Module):
    """Reads a number of its input: what vmap cannot do."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x.mean(1))
        return out.tanh() if float(out.detach().sum()) > 1e6 else out


class Several(nn.Module):
    """Returns a mapping with a nest of tensors and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(6, 4)
        self.two = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> dict[str, Any]:
        return {"scores": self.one(x[:, 0]), "rest": (self.two(x[:, 1]), x.shape[1])}


class Last(nn.Module):
    """The last output of a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(6, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.cell(x)[0]
        return out[:, -1]


def _images(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(COUNT, 3, 6, 6, generator=generator)
    return x, torch.randint(0, 4, (COUNT,), generator=generator)


def _sequences(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(COUNT, 5, 6, generator=generator)
    return x, torch.randint(0, 4, (COUNT,), generator=generator)


def _words(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randint(0, 9, (COUNT, 5), generator=generator)
    return x, torch.randint(0, 9, (COUNT, 5), generator=generator)


def _convolution() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2),
        nn.GroupNorm(2, 4),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(16, 4),
    )


def _frozen() -> nn.Module:
    """Running statistics, a frozen layer, and a parametrised one."""
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.Flatten(),
        nn.utils.parametrizations.weight_norm(nn.Linear(64, 4)),
    )
    layers[0].requires_grad_(False)
    return layers.eval()


def _places(output: Tensor, target: Tensor) -> Tensor:
    value: Tensor = CE(output, target.reshape(-1))
    return value


def _squares(output: Tensor, target: Tensor) -> Tensor:
    return (output**2).sum()


def _both(output: dict[str, Any], target: Tensor) -> Tensor:
    value: Tensor = CE(output["scores"], target) + (output["rest"][0] ** 2).sum()
    return value


_CASES: dict[str, tuple[Callable[[], nn.Module], Any, Any]] = {
    "convolution": (_convolution, CE, _images),
    "frozen": (_frozen, CE, _images),
    "attention": (Attention, CE, _sequences),
    "tied": (Tied, _places, _words),
    "transposed": (Transposed, _squares, _sequences),
    "branching": (Branching, CE, _sequences),
    "several": (Several, _both, _sequences),
    "recurrent": (Last, CE, _sequences),
}
NAMES = tuple(_CASES)


def case(name: str, dtype: torch.dtype = torch.float64) -> Case:
    """Return a model, its loss and data, the same each time."""
    make, loss, data = _CASES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = make().to(dtype)
    x, y = data(torch.Generator().manual_seed(6))
    return model, loss, (x.to(dtype) if x.is_floating_point() else x, y)


def linear_net(*widths: int, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """Return a deep linear net without biases, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layers = [nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(widths)]
    return nn.Sequential(*layers).to(dtype)


def regression(count: int, inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
    """Return inputs and targets of independent normals."""
    generator = torch.Generator().manual_seed(2)
    sizes = ((count, inputs), (count, outputs))
    x, y = (torch.randn(s, generator=generator, dtype=torch.float64) for s in sizes)
    return x, y
