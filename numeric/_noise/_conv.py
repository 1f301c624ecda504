"""Per-sample weight gradients of convolutions, as products of unfolded patches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


Geometry = tuple[tuple[int, ...], ...]  # stride, padding, dilation for each axis


def conv_samples(
    x: Tensor, delta: Tensor, shape: tuple[int, ...], geometry: Geometry, groups: int
) -> Tensor:
    """Return g[o, c, k] = Σ_i δ[o, i] x[c, i·stride + k·dilation − padding].

    Args:
        x: inputs, (n, K, C, *sizes): K images of each of n samples.
        delta: gradients of the outputs, (n, K, O, *places).
        shape: of the weight, (O, C/groups, *kernel).
        geometry: stride, padding and dilation.
        groups: into how many the channels fall.

    Returns:
        Shape (n, *shape), images of a sample added.
    """
    n, K, C = x.shape[:3]
    kernel, places = shape[2:], delta.shape[3:]
    patches = _patches(x.flatten(0, 1), kernel, places, geometry)
    # → (n, groups, C/groups·kernel, K·places): copies run along the places
    axes = len(kernel)
    q = patches.reshape(n, K, groups, C // groups, *places, *kernel)
    front = (0, 2, 3, *range(4 + axes, 4 + 2 * axes), 1, *range(4, 4 + axes))
    q = q.permute(front).reshape(n, groups, -1, K * places.numel())
    p = delta.reshape(n, K, groups, -1, places.numel()).permute(0, 2, 3, 1, 4)
    return (p.flatten(3) @ q.transpose(2, 3)).reshape(n, *shape)


def _patches(
    x: Tensor, kernel: tuple[int, ...], places: torch.Size, geometry: Geometry
) -> Tensor:
    """Return x at every place and offset of the kernel, (I, C, *places, *kernel)."""
    stride, padding, dilation = geometry
    x = pad(x, [amount for p in reversed(padding) for amount in (p, p)])
    for axis, k in enumerate(kernel):
        reach = (k - 1) * dilation[axis] + 1
        x = x.unfold(axis + 2, reach, stride[axis])
        x = x.narrow(axis + 2, 0, places[axis])[..., :: dilation[axis]]
    return x
