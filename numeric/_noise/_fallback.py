"""Per-sample gradients of parameters without a rule: vmap in chunks, or a loop."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from numeric._substitution import call_with


_NUMBERS = 1 << 22  # of per-sample gradients at a time: 16 MB in float32
_CHUNK = 64  # samples at a time, at most: their activations are held too

Loss = Callable[[Tensor, Tensor], Tensor]
Chunk = dict[str, Tensor]  # parameter → (n, *shape)


@dataclass(slots=True, eq=False)
class PerSample:
    """Gradients of some parameters, sample by sample.

    Attributes:
        model: the model.
        loss: (output, target) → the sum over the batch.
        named: the parameters.
        route: "vmap", or "loop" once vmap has failed.
    """

    model: nn.Module
    loss: Loss
    named: Mapping[str, Tensor]
    route: str = "vmap"

    def chunks(self, x: Tensor, y: Tensor) -> Iterator[Chunk]:
        """Yield the gradients of a few samples at a time.

        Args:
            x: inputs, (N, …).
            y: targets, (N, …).

        Yields:
            Parameter → gradients, (n, *shape).
        """
        size = sum(p.numel() for p in self.named.values())
        step = max(1, min(_CHUNK, _NUMBERS // max(size, 1)))
        for low in range(0, len(x), step):
            yield self._chunk(x[low : low + step], y[low : low + step])

    def _chunk(self, x: Tensor, y: Tensor) -> Chunk:
        if self.route == "vmap":
            try:
                return self._vmapped(x, y)
            except (RuntimeError, NotImplementedError, ValueError):
                self.route = "loop"  # an operation without a batching rule
        return self._looped(x, y)

    def _vmapped(self, x: Tensor, y: Tensor) -> Chunk:
        def single(held: Chunk, x1: Tensor, y1: Tensor) -> Tensor:
            out = call_with(self.model, held, x1.unsqueeze(0))
            return self.loss(out, y1.unsqueeze(0))

        held = {name: p.detach() for name, p in self.named.items()}
        # Other parameters require gradients here; of these nothing is wanted.
        with warnings.catch_warnings(), torch.no_grad():
            # Slow operations are no news here: this is the slow route.
            warnings.filterwarnings("ignore", "There is a performance drop")
            found: Chunk = vmap(grad(single), in_dims=(None, 0, 0))(held, x, y)
        return found

    def _looped(self, x: Tensor, y: Tensor) -> Chunk:
        names, leaves = list(self.named), list(self.named.values())
        rows = []
        for k in range(len(x)):
            value = self.loss(self.model(x[k : k + 1]), y[k : k + 1])
            found = (
                torch.autograd.grad(value, leaves, allow_unused=True)
                if value.requires_grad
                else [None] * len(leaves)
            )
            rows.append(
                [
                    torch.zeros_like(p) if g is None else _dense(g.detach())
                    for p, g in zip(leaves, found, strict=True)
                ]
            )
        columns = [torch.stack(column) for column in zip(*rows, strict=True)]
        return dict(zip(names, columns, strict=True))


def _dense(gradient: Tensor) -> Tensor:
    return gradient.to_dense() if gradient.is_sparse else gradient
