"""An example at drawn sizes and a drawn point, and what a theorist computes there."""

from __future__ import annotations

import itertools
import random
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

import noetherflow
from tests.example_cases import CASES, Case
from tests.printed import expm


Tensor = torch.Tensor
FOLDER = Path(noetherflow.__file__).resolve().parent.parent / "examples"
SAMPLES, BATCH = 4, 2
NUMBERS = {"sigma2": 0.3, "gamma": 0.2, "eta": 0.1, "S": float(BATCH), "lam": 0.15}


@dataclass(frozen=True)
class Instance:
    """An example at drawn sizes, parameters, constants and samples."""

    case: Case
    sizes: dict[str, int]
    theta: dict[str, Tensor]
    constants: dict[str, Tensor]
    data: dict[str, Tensor]

    def losses(self, theta: Mapping[str, Tensor]) -> Tensor:
        """Return ℓ of each sample, (samples,)."""
        each = torch.func.vmap(self.case.loss, in_dims=(None, 0))
        found: Tensor = each({**theta, **self.constants}, self.data)
        return found

    def gradients(self, theta: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ∇ℓ of each sample by name, (samples, *shape)."""

        def loss(theta: Mapping[str, Tensor], z: Mapping[str, Tensor]) -> Tensor:
            return self.case.loss({**theta, **self.constants}, z)

        per_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))
        found: dict[str, Tensor] = per_sample(dict(theta), self.data)
        return found

    def charge(self, theta: Mapping[str, Tensor]) -> Tensor:
        """Return C(θ), or else the F that is conserved, as typed in by hand."""
        by_hand = self.case.charge or self.case.conserved
        assert by_hand is not None
        return by_hand({**theta, **self.constants})

    @cached_property
    def field(self) -> dict[str, Tensor]:
        """J: the gradient of the charge, or typed in."""
        if self.case.field is not None:
            return self.case.field({**self.theta, **self.constants})
        found: dict[str, Tensor] = torch.func.grad(self.charge)(self.theta)
        return found

    def hessian(
        self,
        of: Callable[[Mapping[str, Tensor]], Tensor],
        theta: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Return the Hessian at θ, here by default, (n, n)."""
        slope = torch.func.jacrev(lambda v: of(self.named(v)))
        found: Tensor = torch.func.jacrev(slope)(flat(theta or self.theta))
        return found

    def moved(self, lam: float) -> dict[str, Tensor]:
        """Return θ_λ = e^{λA}θ."""
        return self.named(expm(lam * self.hessian(self.charge)) @ flat(self.theta))

    def named(self, vector: Tensor) -> dict[str, Tensor]:
        """Return θ by name."""
        found, start = {}, 0
        for n, t in self.theta.items():
            found[n] = vector[start : start + t.numel()].reshape(t.shape)
            start += t.numel()
        return found

    def noise(self, theta: Mapping[str, Tensor]) -> Tensor:
        """Return σ²Tr[Σ∇²C], Σ as a sum over the samples at θ, ∇²C at the base."""
        h = flat(centred(self.gradients(theta)), 1)
        Sigma = h.T @ h / SAMPLES
        return NUMBERS["sigma2"] * (Sigma * self.hessian(self.charge)).sum()

    def names(self) -> dict[str, Any]:
        """Return what the names in printed formulas stand for."""
        g = self.gradients(self.theta)
        h, mean = centred(g), {name: value.mean(0) for name, value in g.items()}
        found: dict[str, Any] = {**NUMBERS, **self.sizes}
        found |= columns(self.theta) | columns(self.constants)
        z = columns(self.data, 1)
        found |= {n: v[:, None] for n, v in z.items()}
        found |= {f"{n}__1": v[None] for n, v in z.items()}
        found |= {f"h_{n}": v for n, v in columns(h, 1).items()}
        found |= {f"gbar_{n}": v for n, v in columns(mean).items()}
        found |= {
            f"Sigma_{a}_{b}": (h[a] * h[b]).mean()
            for a, b in itertools.product(h, repeat=2)
            if h[a].ndim == h[b].ndim == 1
        }
        return found


def flat(named: Mapping[str, Tensor], lead: int = 0) -> Tensor:
    """Return named tensors as one vector, behind `lead` leading axes."""
    return torch.cat(
        [v.flatten(lead) if v.ndim > lead else v[..., None] for v in named.values()], -1
    )


def columns(named: Mapping[str, Tensor], lead: int = 0) -> dict[str, Tensor]:
    """Return scalars as 1 × 1 and vectors as columns, behind `lead` leading axes."""
    return {n: v.reshape((*v.shape, 1, 1)[: lead + 2]) for n, v in named.items()}


def centred(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the gradients less their mean over the samples."""
    return {n: g - g.mean(0) for n, g in gradients.items()}


def declared(name: str) -> dict[str, Any]:
    """Return the table of a file."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


def draw(name: str, seed: int) -> Instance:
    """Return an example at random sizes of at least 2, at a random point."""
    table = declared(name)
    rng = random.Random(f"{name} {seed}")
    stream = torch.Generator().manual_seed(rng.getrandbits(32))
    sizes = {size: rng.randint(2, 4) for size in table.get("dimensions", {})}

    def tensor(shape: list[Any], *lead: int) -> Tensor:
        axes = (*lead, *(sizes.get(size, size) for size in shape))
        return 0.4 * torch.randn(axes, dtype=torch.float64, generator=stream)

    case = CASES[name]
    theta = {n: tensor(shape) for n, shape in table["parameters"].items()}
    if case.positive:
        theta = {n: value.abs() + 0.5 for n, value in theta.items()}
    constants = {}
    for n, constant in table.get("constants", {}).items():
        value = tensor(constant["shape"])
        constants[n] = value + value.mT if constant.get("symmetric") else value
    data = {n: tensor(shape, SAMPLES) for n, shape in table["data"].items()}
    return Instance(case, sizes, theta, constants, data)
