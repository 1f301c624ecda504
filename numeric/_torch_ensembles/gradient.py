r"""Weighted gradients Σ_k w_k ∇ℓ(θ, z_k) of a model, for many replicas at once.

The loss is a sum over the batch, so equal weights are a factor of its gradient. Other
weights need no per-sample gradients either: with out° the output as a constant, the
loss of out° + w·(out − out°) has the same value, and the gradient Σ_k w_k ∇ℓ_k. That
takes an output with the samples on axis 0; where there is none, the samples pass one
by one (`survey` finds out which).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.utils._pytree import tree_map

from numeric._substitution import call_with
from numeric._torch_ensembles.graphs import Graphs
from numeric._torch_ensembles.model_loss import ModelLoss


Mode = Literal["vmap", "loop"]
Weighing = Literal["output", "samples"]
Named = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The samples of a step and their weights.

    Attributes:
        x: inputs, (R, S, …), or (S, …) where all replicas share them.
        y: targets, likewise.
        shared: whether they do.
        weight: one for all samples, or one for each, (R, S).
    """

    x: Tensor
    y: Tensor
    shared: bool
    weight: Tensor | float


@dataclass(frozen=True, slots=True, eq=False)
class ModelGradient:
    """How the gradients of a model are taken.

    Attributes:
        loss: the model and its loss.
        shared: copies of the buffers, in the dtype of the run, and of the frozen
            parameters where that is not their own.
        mode: "vmap" takes all replicas at once, "loop" one after the other.
        weighing: where the weights act, on the "output" or on "samples" one by one.
        graphs: holds what repeated gradients are made of; None: each is made anew.
    """

    loss: ModelLoss
    shared: Named
    mode: Mode = "vmap"
    weighing: Weighing = "output"
    graphs: Graphs | None = None

    def at(self, theta: Tensor, batch: Batch) -> Tensor:
        """Return Σ_k w_k ∇ℓ(θ, z_k).

        Args:
            theta: parameters, (R, n).
            batch: the samples.

        Returns:
            The gradients, (R, n).
        """
        take = self._vmapped if self.mode == "vmap" else self._looped
        if isinstance(batch.weight, Tensor):
            return take(self.weighted, theta, batch, batch.weight)
        return take(self.total, theta, batch) * batch.weight

    def output(self, named: Named, x: Tensor) -> Any:
        """Return what the model makes of inputs."""
        return call_with(self.loss.model, {**self.shared, **named}, x)

    def total(self, named: Named, x: Tensor, y: Tensor) -> Tensor:
        """Return Σ_k ℓ(θ, z_k) of one replica."""
        return self.loss.loss(self.output(named, x), y)

    def weighted(self, named: Named, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        """Return a scalar of one replica whose gradient is Σ_k w_k ∇ℓ(θ, z_k)."""
        if self.weighing == "output":
            return self.loss.loss(tilted(self.output(named, x), w), y)
        if self.mode == "vmap":
            return vmap(lambda a, b: self.total(named, a[None], b[None]))(x, y) @ w
        each = [self.total(named, x[k : k + 1], y[k : k + 1]) for k in range(len(x))]
        return torch.stack(each) @ w

    def _vmapped(
        self, scalar: Callable[..., Tensor], theta: Tensor, batch: Batch, *w: Tensor
    ) -> Tensor:
        place = None if batch.shared else 0
        several = vmap(grad(scalar), in_dims=(0, place, place, *(0 for _ in w)))

        def gradient(theta: Tensor, *given: Tensor) -> Tensor:
            found = several(self.loss.split(theta), *given)
            return torch.cat([g.reshape(len(theta), -1) for g in found.values()], dim=1)

        given = (theta, batch.x, batch.y, *w)
        if self.graphs is None:
            return gradient(*given)
        return self.graphs.call((batch.shared, len(w)), gradient, *given)

    def _looped(
        self, scalar: Callable[..., Tensor], theta: Tensor, batch: Batch, *w: Tensor
    ) -> Tensor:
        rows = []
        for r, row in enumerate(theta):
            x, y = (batch.x, batch.y) if batch.shared else (batch.x[r], batch.y[r])
            rows.append(one_gradient(self.loss, scalar, row, x, y, *(v[r] for v in w)))
        return torch.stack(rows)


def one_gradient(
    loss: ModelLoss, scalar: Callable[..., Tensor], row: Tensor, *given: Tensor
) -> Tensor:
    """Return the gradient of a scalar of one replica, by plain autograd.

    Args:
        loss: whose parameters these are.
        scalar: from the named parameters and what is given to a scalar.
        row: θ, (n,).
        given: further arguments.

    Returns:
        The gradient, (n,).
    """
    with torch.enable_grad():
        leaves = {k: p.detach().requires_grad_() for k, p in loss.split(row).items()}
        value = scalar(leaves, *given)
    if not value.requires_grad:
        return torch.zeros_like(row)
    wanted = list(leaves.values())
    found = torch.autograd.grad(
        value, wanted, allow_unused=True, materialize_grads=True
    )
    return torch.cat([g.reshape(-1) for g in found])


def tilted(output: Any, w: Tensor) -> Any:
    """Return the same output, whose gradient counts sample k w_k times.

    Args:
        output: a tensor with the samples on axis 0, or a nest of such tensors.
        w: weights, (S,).

    Returns:
        The same nest; what is no floating tensor stays as it is.
    """

    def tilt(part: Any) -> Any:
        if not isinstance(part, Tensor) or not part.is_floating_point():
            return part
        constant = part.detach()
        each = w.to(part.dtype).reshape(-1, *[1] * (part.ndim - 1))
        return constant + each * (part - constant)  # the difference is 0 exactly

    return tree_map(tilt, output)
