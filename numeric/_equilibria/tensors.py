r"""Noise equilibria of torch tensors, with gradients of the implicit function.

λ* is where G(λ*; p) = 0, so dλ*/dp = -G_p/G_λ. All is computed in float64; casts,
broadcasts and moves to the processor are torch's own, on both sides of the function.
This module imports torch: it is imported when the first tensor comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from numeric._equilibria.arguments import real
from numeric._equilibrium import arrays_equilibrium


_NAMES = ("mu", "s", "t", "sigma2", "gamma")


def noise_equilibrium(mu: Any, s: Any, t: Any, *, sigma2: Any, gamma: Any) -> Tensor:
    """Return λ* as a tensor: see `numeric.noise_equilibrium`.

    Args:
        mu: eigenvalues, (..., n), a tensor or anything numpy takes, as all of these.
        s: noise, (..., n).
        t: squared coordinates, (..., n).
        sigma2: (...).
        gamma: (...).

    Returns:
        λ*, of the leading axes, on the device of the tensors. Its type is what torch
        promotes all tensors to; float64 where that is an integer.

    Raises:
        ValueError: as for arrays; and for tensors on different devices.
    """
    given = dict(zip(_NAMES, (mu, s, t, sigma2, gamma), strict=True))
    tensors = [value for value in given.values() if isinstance(value, Tensor)]
    device = _device(given)
    wide = {name: _double(value, name, device) for name, value in given.items()}
    solve: Callable[..., Tensor] = _Equilibrium.apply
    return solve(*_broadcast(wide)).to(_result_type(tensors))


def _device(given: dict[str, Any]) -> torch.device:
    devices = {v.device for v in given.values() if isinstance(v, Tensor) and v.ndim}
    devices = devices or {v.device for v in given.values() if isinstance(v, Tensor)}
    if len(devices) > 1:
        raise ValueError(
            f"expected tensors on one device, got {sorted(map(str, devices))}; move "
            f"them with .to(device)"
        )
    return devices.pop()


def _double(value: Any, name: str, device: torch.device) -> Tensor:
    if not isinstance(value, Tensor):  # torch would read a float as float32
        return torch.tensor(real(value, name).copy(), device=device)
    if value.is_complex() or value.dtype == torch.bool:
        raise ValueError(f"{name}: expected real numbers, got dtype {value.dtype}")
    return value.to(device=device, dtype=torch.float64)


def _result_type(tensors: list[Tensor]) -> torch.dtype:
    kind = tensors[0].dtype
    for tensor in tensors[1:]:
        kind = torch.promote_types(kind, tensor.dtype)
    return kind if kind.is_floating_point else torch.float64


def _broadcast(wide: dict[str, Tensor]) -> list[Tensor]:
    """Return views of one leading shape; where there is none, all as it came."""
    vectors, scalars = list(wide.values())[:3], list(wide.values())[3:]
    n = {v.shape[-1] if v.ndim else None for v in vectors}
    try:
        lead = np.broadcast_shapes(
            *(tuple(v.shape[:-1]) for v in vectors),
            *(tuple(c.shape) for c in scalars),
        )
    except ValueError:
        n = {None}
    if len(n) != 1 or None in n:  # the solver says what is wrong
        return [*vectors, *scalars]
    return [
        *(v.expand((*lead, v.shape[-1])) for v in vectors),
        *(c.expand(lead) for c in scalars),
    ]


class _Equilibrium(torch.autograd.Function):
    """λ* of float64 tensors that were broadcast; backward is differentiable."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:
        """Solve on the processor.

        Returns:
            λ*.
        """
        arrays = [tensor.detach().cpu().numpy() for tensor in given]
        found = arrays_equilibrium(dict(zip(_NAMES, arrays, strict=True)))
        root = torch.from_numpy(found).to(given[0].device)
        ctx.save_for_backward(*given, root)
        return root

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        """Return the gradients, 0 where λ* is not finite."""
        return _gradients(outer[0], *ctx.saved_tensors)


def _gradients(
    outer: Tensor,
    mu: Tensor,
    s: Tensor,
    t: Tensor,
    sigma2: Tensor,
    gamma: Tensor,
    root: Tensor,
) -> tuple[Tensor, ...]:
    """Return -G_p/G_λ times the outer gradient.

    All is divided by the largest term of G_λ. Exponentials are taken of half their
    argument, once for each factor of a product, which keeps the factors in range.
    """
    finite = root.isfinite()
    lam = torch.where(finite, root, 0.0)[..., None]
    sigma, decay = sigma2[..., None], 2 * gamma[..., None]
    scale = _scale(lam, mu, s, t, sigma, decay)
    shift = 2 * lam * mu
    fall, grow = ((sign * shift - scale) / 2 for sign in (-1, 1))
    fall, grow = fall.exp(), grow.exp()
    a, b, c, d = sigma * fall, s * fall, decay * grow, t * grow
    slope = 2 * ((mu * a) * (mu * b) + (mu * c) * (mu * d)).sum(-1, keepdim=True)
    factor = torch.where(finite, outer, 0.0)[..., None]
    factor = factor / torch.where(finite[..., None], slope, 1.0)
    parts = (
        a * b * (1 - shift) - c * d * (1 + shift),
        mu * a * fall,
        -mu * c * grow,
        (mu * b * fall).sum(-1, keepdim=True),
        -2 * (mu * d * grow).sum(-1, keepdim=True),
    )
    # 0 times an overflow is no gradient: where nothing comes from outside, 0 goes on.
    found = [torch.where(factor == 0, 0.0, factor * part) for part in parts]
    return (*found[:3], found[3][..., 0], found[4][..., 0])


@torch.no_grad()
def _scale(lam: Tensor, mu: Tensor, *factors: Tensor) -> Tensor:
    """Return the logarithm of the largest term of G_λ at the root, 0 where none is."""
    s, t, sigma, decay = (factor.log() for factor in factors)
    size, shift = mu.abs().log(), 2 * lam * mu
    terms = torch.maximum(sigma + s - shift, decay + t + shift) + 2 * size
    if not terms.shape[-1]:
        return torch.zeros_like(lam)
    # -inf + inf: a term that is not there.
    terms = torch.where(terms.isnan(), -torch.inf, terms)
    top = terms.amax(-1, keepdim=True)
    return torch.where(top.isfinite(), top, 0.0)
