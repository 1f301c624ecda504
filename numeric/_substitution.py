"""Run a torch model with other tensors in place of its own, and leave it as it was.

`torch.func.functional_call` puts a tensor back once for every name it has. Where one
module stands in several places, its tensors have several names but one home, and the
second return puts the substitute there for good (torch 2.13). Here each home is named
once, and all names of a tied tensor are covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call


def call_with(model: nn.Module, values: Mapping[str, Tensor], x: Any) -> Any:
    """Return what a model makes of inputs, with other parameters and buffers.

    Args:
        model: any module; unchanged afterwards, also where it fails.
        values: names of parameters or buffers → what stands in for them, wherever
            they are tied; what is not named stays.
        x: the inputs.

    Returns:
        The output.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> twice = nn.Sequential(layer, layer)
    >>> import torch
    >>> call_with(twice, {"0.weight": torch.tensor([[3.0]])}, torch.ones(1, 1))
    tensor([[9.]])
    >>> twice[1].weight is layer.weight and layer.weight.requires_grad
    True
    """
    homes = _homes(model)
    everywhere = {home: value for name, value in values.items() for home in homes[name]}
    return functional_call(model, everywhere, (x,), tie_weights=False)


def _homes(model: nn.Module) -> dict[str, list[str]]:
    """Return every name of a tensor → one name for each module that holds it."""
    homes: dict[int, list[str]] = {}
    for name, module in model.named_modules():  # each module once
        held = {**module._parameters, **module._buffers}
        for own, tensor in held.items():
            if tensor is not None:
                full = f"{name}.{own}" if name else own
                homes.setdefault(id(tensor), []).append(full)
    named = [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ]
    return {name: homes[id(tensor)] for name, tensor in named}
