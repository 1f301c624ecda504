"""What must be known of a model before its ensemble runs, found on three samples.

Three samples tell a sum from a mean, independent samples from mixed ones, and an
output with the samples on axis 0 from others: such mistakes change numbers by their
own order, so √ε of the dtype tells them from rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from numeric._noise._guard import no_random_numbers, refuse_modules
from numeric._torch_ensembles.gradient import (
    Batch,
    ModelGradient,
    Weighing,
    one_gradient,
)


_FAILURES = (RuntimeError, ValueError, TypeError)  # what `vmap` cannot do ends in these
_LOOKED_AT = 256  # samples, for some whose gradient is not 0
_WEIGHTS = (1.0, -2.0, 0.5)  # whose sum with equal gradients is not 0


@dataclass(frozen=True, slots=True)
class Size:
    """What the gradient of one replica holds in memory, in numbers.

    Attributes:
        fixed: without the samples.
        sample: for each sample more.
    """

    fixed: int
    sample: int


def survey(
    gradient: ModelGradient, x: Tensor, y: Tensor, theta: Tensor, *, weights: bool
) -> tuple[ModelGradient, str, Size]:
    """Check a model and its loss, and choose how its gradients are taken.

    Args:
        gradient: of the model, as yet in mode "vmap", weighing on the output.
        x: inputs, (N, …).
        y: targets, (N, …).
        theta: start, (R, n).
        weights: whether samples get weights of their own.

    Returns:
        The gradient in a mode and weighing that work, why "vmap" does not (or ""),
        and the memory.

    Raises:
        ValueError: for samples that are not independent, a loss that is no sum over
            the batch or no scalar, and a forward pass that is random or changes the
            buffers; with the reason.
    """
    refuse_modules(gradient.loss.model)
    rows = torch.linspace(0, len(x) - 1, 3, device=x.device).round().long()
    three = x[rows], y[rows]
    loop = replace(gradient, mode="loop")
    with no_random_numbers(x.device), _same_buffers(loop):
        size = _size(loop, theta[0], *three)
    point, each = _generic(loop, theta, *three)
    if not bool((each != 0).any(dim=1).all()):  # zeros are no evidence: look for others
        rows = _telling(loop, theta, x, y)
        three = x[rows], y[rows]
        point, each = _generic(loop, theta, *three)
    _check_sum(loop, point, *three, each)
    weighed = loop
    if weights:
        weighed = replace(loop, weighing=_weighing(loop, point, *three, each))
    reason = _reason(weighed, point, *three, each, weights=weights)
    return replace(weighed, mode="loop" if reason else "vmap"), reason, size


def _telling(loop: ModelGradient, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return three samples, with gradients that are not 0 at θ where there are any."""
    few = torch.linspace(0, len(x) - 1, min(len(x), _LOOKED_AT), device=x.device)
    rows = few.round().long()
    sizes = []
    for k in rows.tolist():
        sample = x[k : k + 1], y[k : k + 1]
        found = [
            one_gradient(loop.loss, loop.total, point, *sample).norm()
            for point in (theta[0], theta[-1])
        ]
        sizes.append(max(map(float, found)))
    best = sorted(range(len(sizes)), key=lambda i: -sizes[i])[:3]
    return rows[[*best, *best, *best][:3]]


def _generic(
    loop: ModelGradient, theta: Tensor, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a point where gradients are finite and not 0, and these, (3, n).

    Raises:
        ValueError: where no finite gradient is found.
    """
    own = torch.cat([p.detach().reshape(-1) for p in loop.loss.parameters.values()])
    own = own.to(theta)
    moved = own + 0.1 * torch.cos(1.0 + torch.arange(own.numel())).to(theta)
    found = None
    for point in (theta[0], theta[-1], own, moved):
        each = torch.stack(
            [
                one_gradient(loop.loss, loop.total, point, x[k : k + 1], y[k : k + 1])
                for k in range(3)
            ]
        )
        if not bool(torch.isfinite(each).all()):
            continue
        if bool((each != 0).any(dim=1).all()):
            return point, each
        found = found or (point, each)
    if found is None:
        raise ValueError(
            "loss: expected finite gradients at theta0 or at the model's own "
            "parameters, got NaN or infinity; check the data and the loss"
        )
    return found


def _check_sum(
    loop: ModelGradient, point: Tensor, x: Tensor, y: Tensor, each: Tensor
) -> None:
    """Refuse a loss that is not the sum of the samples' own.

    Raises:
        ValueError: for the loss, with how to mend it.
    """
    named = loop.loss.split(point)
    with torch.no_grad():
        value = loop.total(named, x, y)
        alone = [loop.total(named, x[k : k + 1], y[k : k + 1]) for k in range(3)]
    parts = torch.stack(alone)
    whole = one_gradient(loop.loss, loop.total, point, x, y)
    scales = each.norm(dim=1).sum(), parts.abs().sum()

    def equal(factor: float) -> bool:
        return _close(whole, factor * each.sum(dim=0), scales[0]) and _close(
            value, factor * parts.sum(), scales[1]
        )

    if equal(1.0):
        return
    mend = (
        "it is their mean: use reduction='sum'"
        if equal(1 / 3)
        else "use reduction='sum', and a model that treats each sample by itself"
    )
    raise ValueError(
        f"loss: expected the sum over the batch of each sample's own loss, got "
        f"{float(value):.6g} for three samples whose losses add up to "
        f"{float(parts.sum()):.6g}; {mend}"
    )


def _weighing(
    loop: ModelGradient, point: Tensor, x: Tensor, y: Tensor, each: Tensor
) -> Weighing:
    """Return "output" where weights can act there, else "samples"."""
    w = point.new_tensor(_WEIGHTS)
    try:
        found = one_gradient(loop.loss, loop.weighted, point, x, y, w)
    except _FAILURES:  # the output has another number of rows than the batch
        return "samples"
    scale = w.abs() @ each.norm(dim=1)
    return "output" if _close(found, w @ each, scale) else "samples"


def _reason(
    loop: ModelGradient,
    point: Tensor,
    x: Tensor,
    y: Tensor,
    each: Tensor,
    *,
    weights: bool,
) -> str:
    """Return why `vmap` over replicas cannot be used, "" where it can."""
    w = point.new_tensor(_WEIGHTS)
    batched = replace(loop, mode="vmap")
    two = torch.stack([point, point])
    weight = w.expand(2, -1) if weights else 1.0
    wanted = w @ each if weights else each.sum(dim=0)
    scale = (w.abs() if weights else torch.ones_like(w)) @ each.norm(dim=1)
    shared = Batch(x, y, True, weight)
    own = Batch(torch.stack([x, x]), torch.stack([y, y]), False, weight)
    try:
        found = [batched.at(two, batch) for batch in (shared, own)]
    except _FAILURES as error:
        return str(error).strip().split("\n")[0] or type(error).__name__
    if all(_close(row, wanted, scale) for rows in found for row in rows):
        return ""
    return "its gradients differ from those of plain autograd"


def _close(a: Tensor, b: Tensor, scale: Tensor) -> bool:
    bound = torch.finfo(a.dtype).eps ** 0.5
    return bool((a - b).norm() <= bound * scale)


def _size(loop: ModelGradient, point: Tensor, x: Tensor, y: Tensor) -> Size:
    """Return the memory of a gradient, from what autograd saves for 1 and 3 samples.

    Raises:
        ValueError: for a loss that is no scalar.
    """
    one, three = (_saved(loop, point, x[:k], y[:k]) for k in (1, 3))
    data = x[0].numel() + y[0].numel()
    sample = max(0, three - one) // 2 + data + 1
    return Size(fixed=max(0, one - sample) + 4 * point.numel(), sample=sample)


def _saved(loop: ModelGradient, point: Tensor, x: Tensor, y: Tensor) -> int:
    held = [0]

    def note(tensor: Tensor) -> Tensor:
        held[0] += tensor.numel()
        return tensor

    named = {k: p.detach().requires_grad_() for k, p in loop.loss.split(point).items()}
    with torch.enable_grad(), saved_tensors_hooks(note, lambda tensor: tensor):
        value: Any = loop.total(named, x, y)
    if not isinstance(value, Tensor) or value.ndim or not value.is_floating_point():
        shown = tuple(value.shape) if isinstance(value, Tensor) else type(value)
        raise ValueError(
            f"loss: expected a scalar, the sum over the batch, got {shown}; use "
            f"reduction='sum'"
        )
    return held[0]


@contextmanager
def _same_buffers(loop: ModelGradient) -> Iterator[None]:
    """Refuse a forward pass that changes buffers.

    Yields:
        Nothing.

    Raises:
        ValueError: names the buffer.
    """
    versions = {name: tensor._version for name, tensor in loop.shared.items()}
    yield
    changed = [n for n, tensor in loop.shared.items() if tensor._version != versions[n]]
    if changed:
        raise ValueError(
            f"the forward pass changes {', '.join(changed)}, so the loss is not the "
            f"same function at each step; call model.eval()"
        )
