"""A torch model and its loss, seen as a loss of one flat vector of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from numeric._errors import ShapeError
from numeric._streams import Stream


LossFunction = Callable[[Any, Tensor], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class ModelLoss:
    """The loss of a torch model, for `simulate`.

    θ holds the parameters that require gradients, each flattened row-major, in the
    order of `model.named_parameters()`; tied ones count once. Other parameters and
    the buffers are shared by all replicas. The model is used, never changed.

    Attributes:
        model: any module whose samples are independent, with the samples on axis 0.
        loss: (output, target) → the **sum** of the losses over the batch, a scalar.

    Raises:
        TypeError: for a model that is no module, or a loss that is not callable.
        ValueError: for a model without trainable parameters, or with parameters that
            have no shape yet.

    >>> net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1, bias=False))
    >>> task = ModelLoss(net, nn.MSELoss(reduction="sum"))
    >>> task.names, task.size
    (('0.weight', '0.bias', '1.weight'), 10)
    >>> task.unpack(task.start(5))["0.weight"].shape
    torch.Size([5, 2, 3])
    """

    model: nn.Module
    loss: LossFunction

    def __post_init__(self) -> None:
        if not isinstance(self.model, nn.Module):
            raise TypeError(
                f"model: expected a torch.nn.Module, got {type(self.model).__name__}"
            )
        if not callable(self.loss):
            raise TypeError(
                f"loss: expected a function (output, target) -> sum, got {self.loss!r}"
            )
        if any(is_lazy(p) for p in self.model.parameters()):
            raise ValueError(
                "model: expected parameters with shapes, got lazy ones; run one batch "
                "through the model first"
            )
        if not self.size:
            raise ValueError(
                "model: expected parameters that require gradients, got none; call "
                "model.requires_grad_(True)"
            )

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Name → parameter, of those that θ holds."""
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters, in θ's order."""
        return tuple(self.parameters)

    @property
    def size(self) -> int:
        """The number n of θ's entries."""
        return sum(p.numel() for p in self.parameters.values())

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(iter(self.parameters.values())).device

    @property
    def dtype(self) -> torch.dtype:
        """That of the parameters; the widest where they differ."""
        kinds = [p.dtype for p in self.parameters.values()]
        return max(kinds, key=lambda kind: kind.itemsize)

    def pack(self, models: Iterable[nn.Module | Mapping[str, Tensor]]) -> Tensor:
        """Return the θ of models, one in each row.

        Args:
            models: modules with the same parameters, or their state dicts; further
                entries of these are ignored.

        Returns:
            θ, (replicas, n), on the model's device in its dtype.

        Raises:
            KeyError: for a parameter that is missing.
            ShapeError: for a parameter of another shape.
            TypeError: for one module instead of an iterable of them.
        """
        if isinstance(models, (nn.Module, Mapping)):
            raise TypeError(
                f"models: expected an iterable of modules or state dicts, got one "
                f"{type(models).__name__}; one alone is [model]"
            )
        rows = [self._row(each) for each in models]
        return torch.stack(rows) if rows else self._row(self.model)[None][:0]

    def unpack(self, theta: Any) -> dict[str, Tensor]:
        """Return the parameters that θ holds.

        Args:
            theta: tensor or array, (…, n).

        Returns:
            Name → a copy, (…, *shape), on the model's device; of one row, what
            `load_state_dict(…, strict=False)` takes.

        Raises:
            ShapeError: for another last axis.
        """
        flat = torch.as_tensor(theta)
        if not flat.ndim or flat.shape[-1] != self.size:
            raise ShapeError(
                f"theta: expected shape (..., {self.size}), got {tuple(flat.shape)}"
            )
        return {k: p.clone() for k, p in self.split(flat.to(self.device)).items()}

    def start(
        self,
        replicas: int,
        *,
        spread: float = 0.0,
        seed: int | tuple[int | str, ...] = 0,
        first_replica: int = 0,
    ) -> Tensor:
        """Return an ensemble that starts at the model, or around it.

        Args:
            replicas: how many.
            spread: standard deviation of the normals added to each entry.
            seed: of these; they belong to (seed, number of the replica).
            first_replica: number of the first replica.

        Returns:
            θ, (replicas, n), on the model's device in its dtype.

        Raises:
            ValueError: for counts below zero or a spread that is not finite.
        """
        if replicas < 0 or first_replica < 0 or not math.isfinite(spread):
            raise ValueError(
                f"start: expected counts >= 0 and a finite spread, got replicas="
                f"{replicas}, first_replica={first_replica}, spread={spread}"
            )
        theta = self._row(self.model).expand(replicas, -1).clone()
        if spread:
            rows = range(first_replica, first_replica + replicas)
            stream = Stream(seed, "start")
            z = torch.from_numpy(stream.normals(list(rows), 0, self.size))
            theta += (spread * z).to(theta)
        return theta

    def split(self, theta: Tensor) -> dict[str, Tensor]:
        """Return name → view of θ, (…, *shape)."""
        named = self.parameters
        parts = torch.split(theta, [p.numel() for p in named.values()], dim=-1)
        return {
            name: part.reshape(*theta.shape[:-1], *p.shape)
            for (name, p), part in zip(named.items(), parts, strict=True)
        }

    def _row(self, given: nn.Module | Mapping[str, Tensor]) -> Tensor:
        held = given if isinstance(given, Mapping) else dict(given.named_parameters())
        parts = []
        for name, p in self.parameters.items():
            if name not in held:
                raise KeyError(f"models: expected a parameter {name!r}, got none")
            value = held[name].detach()
            if value.shape != p.shape:
                raise ShapeError(
                    f"models: expected {name!r} of shape {tuple(p.shape)}, got "
                    f"{tuple(value.shape)}"
                )
            parts.append(value.to(self.device, self.dtype).reshape(-1))
        return torch.cat(parts)
