"""Per-sample gradients one by one, and Tr[ΣA] from its definition in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from numeric._noise._generator import Action, Generator
from numeric._noise._trace import NoiseTrace


Loss = Callable[[Tensor, Tensor], Tensor]


def squares(output: Tensor, target: Tensor) -> Tensor:
    """Return ‖output − target‖², summed over the batch."""
    return ((output - target) ** 2).sum()


class Fn(nn.Module):
    """A module made of a function and parameters."""

    def __init__(self, forward: Callable[..., Tensor], **members: object):
        super().__init__()
        self.body = forward
        for name, member in members.items():
            setattr(self, name, member)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self, x)


def per_sample(model: nn.Module, loss: Loss, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Return the gradient of every sample by a loop, float64."""
    named = dict(model.named_parameters())
    rows: dict[str, list[Tensor]] = {name: [] for name in named}
    for i in range(len(x)):
        value = loss(model(x[i : i + 1]), y[i : i + 1])
        found: Sequence[Tensor | None] = torch.autograd.grad(
            value, list(named.values()), allow_unused=True
        )
        for (name, p), g in zip(named.items(), found, strict=True):
            rows[name].append((torch.zeros_like(p) if g is None else g).double())
    return {name: torch.stack(row) for name, row in rows.items()}


def dense(action: Action, shape: Sequence[int]) -> Tensor:
    """Return scale · left ⊗ rightᵀ ⊗ I as a matrix on the flattened parameter."""
    out = torch.full((1, 1), action.scale, dtype=torch.float64)
    for axis, size in enumerate(shape):
        factor = (action.left, action.right)[axis] if axis < 2 else None
        if factor is None:
            factor = torch.ones(size)
        wide = factor.double()
        wide = torch.diag(wide) if wide.ndim == 1 else wide
        out = torch.kron(out, wide.T.contiguous() if axis == 1 else wide)
    return out


def by_definition(
    gradients: Mapping[str, Tensor], generator: Generator
) -> tuple[float, float]:
    """Return Tr[ΣA] and ḡᵀAḡ."""
    trace = mean_term = 0.0
    for name, block in generator.blocks.items():
        G = gradients[name]
        A = sum((dense(a, G.shape[1:]) for a in block), torch.zeros(1, 1).double())
        g = G.flatten(1) if G.ndim > 1 else G.unsqueeze(1)
        h = g - g.mean(0)
        trace += float(torch.einsum("ni,ij,nj->", h, A, h)) / len(g)
        mean_term += float(g.mean(0) @ A @ g.mean(0))
    return trace, mean_term


def size(gradients: Mapping[str, Tensor], generator: Generator) -> float:
    """Return Σ ‖A_block‖·E‖g‖², what errors are measured against."""
    total = 0.0
    for name, block in generator.blocks.items():
        G = gradients[name]
        A = sum((dense(a, G.shape[1:]) for a in block), torch.zeros(1, 1).double())
        norm = float(torch.linalg.matrix_norm(A, 2)) if A.numel() else 0.0
        total += norm * float((G**2).sum()) / len(G)
    return total


def varied(model: nn.Module, seed: int = 0) -> list[Generator]:
    """Return generators that use every kind of action on every parameter."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    blocks: dict[str, Action | tuple[Action, ...]] = {}
    for name, p in model.named_parameters():
        actions = [Action(0.7)]
        if p.ndim > 0:
            n = p.shape[0]
            actions += [Action(0.3, left=draw(n)), Action(-1.0, left=draw(n, n))]
        if p.ndim > 1:
            m = p.shape[1]
            actions += [Action(0.5, right=draw(m)), Action(1.0, None, draw(m, m))]
            actions += [
                Action(2.0, draw(n, n), draw(m, m)),
                Action(1.0, draw(n), draw(m)),
            ]
        blocks[name] = tuple(actions)
    plain = {name: Action((-1.0) ** k) for k, name in enumerate(blocks)}
    return [Generator(plain), Generator(blocks)]


def worst(
    found: Sequence[NoiseTrace],
    gradients: Mapping[str, Tensor],
    generators: Sequence[Generator],
) -> float:
    """Return the largest error of trace and mean term, against `size`."""
    errors = []
    for noise, generator in zip(found, generators, strict=True):
        trace, mean_term = by_definition(gradients, generator)
        scale = size(gradients, generator)
        errors += [abs(noise.trace - trace), abs(noise.mean_term - mean_term)]
        errors[-2:] = [error / scale for error in errors[-2:]]
    return max(errors)


def doubled(model: nn.Module) -> nn.Module:
    """Return a copy in float64."""
    return copy.deepcopy(model).double()
