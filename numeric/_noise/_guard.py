"""Refuse models whose samples are not independent; leave the model as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


_DROPOUT = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)


def refuse_modules(model: nn.Module) -> None:
    """Refuse modules that mix samples or draw random numbers.

    Args:
        model: the model.

    Raises:
        ValueError: names the module and the reason.
    """
    for name, module in model.named_modules():
        where = f"{name or 'the model'} ({type(module).__name__})"
        if isinstance(module, _BatchNorm) and (
            module.training or module.running_mean is None
        ):
            raise ValueError(
                f"{where} normalises by the statistics of the batch, so a sample has "
                f"no gradient of its own; call model.eval(), or use layers that "
                f"normalise each sample"
            )
        if isinstance(module, _DROPOUT) and module.training and module.p > 0:
            raise ValueError(
                f"{where} draws random numbers in training mode, so the gradients are "
                f"not those of a fixed loss; call model.eval()"
            )


@contextmanager
def unchanged(model: nn.Module, wanted: list[Tensor]) -> Iterator[None]:
    """Let parameters require gradients; put flags and buffers back at the end.

    Args:
        model: the model.
        wanted: parameters that must require gradients meanwhile.

    Yields:
        Nothing.
    """
    flags = [(p, p.requires_grad) for p in wanted]
    buffers = [(b, b._version, b.clone()) for b in model.buffers()]
    try:
        for p in wanted:
            p.requires_grad_(True)
        yield
    finally:
        for p, flag in flags:
            p.requires_grad_(flag)
        with torch.no_grad():
            for b, version, copy in buffers:
                if b._version != version:
                    b.copy_(copy)


@contextmanager
def no_random_numbers(device: torch.device) -> Iterator[None]:
    """Refuse a forward pass that draws random numbers, and put the generator back.

    Args:
        device: that of the model; its generator and the CPU's are watched.

    Yields:
        Nothing.

    Raises:
        ValueError: where a generator moved.
    """
    before = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    moved = False
    try:
        yield
    finally:
        moved = not torch.equal(before, torch.get_rng_state())
        torch.set_rng_state(before)
        if cuda is not None:
            moved = moved or not torch.equal(cuda, torch.cuda.get_rng_state(device))
            torch.cuda.set_rng_state(cuda, device)
    if moved:
        raise ValueError(
            "the forward pass draws random numbers, so the gradients are not those of "
            "a fixed loss; call model.eval() (dropout), or take the noise out of it"
        )
