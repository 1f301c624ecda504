"""What to record of an ensemble of models: charges, entries and norms."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from numeric._compile import compile
from numeric._ensembles.driver import Record
from numeric._ensembles.task import Array
from numeric._errors import ShapeError
from numeric._noise._generator import Generator, act
from numeric._torch_ensembles.model_loss import ModelLoss
from symbolic import Derivation, MatrixDerivation


_NORM = re.compile(r"norm2\((.*)\)")
_ENTRY = re.compile(r"(.*?)(?:\[(\d+(?:\s*,\s*\d+)*)\])?")


def record_of(loss: ModelLoss, name: str, item: Any) -> Record:
    """Return what to record as a function (R, n) → float64 (R,).

    Args:
        loss: the model.
        name: what it is recorded under.
        item: a function of θ; a `Generator` or a derivation, for the charge; or a
            parameter's entry "0.weight[1, 2]" or squared norm "norm2(0.weight)".

    Returns:
        The function, which checks its own result.

    Raises:
        ValueError: for anything else, or a generator without a charge.
    """
    if isinstance(item, str):
        function: Callable[[Array], Any] = _named(loss, item)
    elif isinstance(item, Generator):
        function = _charge(loss, name, item)
    elif isinstance(item, (Derivation, MatrixDerivation)):
        function = compile(item).charge
    elif callable(item):
        function = item
    else:
        raise ValueError(
            f"record[{name!r}]: expected a function of theta, a generator, a "
            f"derivation or a parameter's entry, got {item!r}"
        )

    def values(theta: Array) -> Array:
        found = np.array(function(theta.astype(np.float64)), dtype=np.float64)
        if found.shape != (len(theta),):
            raise ShapeError(
                f"record[{name!r}]: expected shape ({len(theta)},), got {found.shape}"
            )
        return found

    return values


def _named(loss: ModelLoss, text: str) -> Callable[[Array], Array]:
    """Return the function of "norm2(name)", "name[i, j]" or "name".

    Raises:
        ValueError: for a name that is not there, or an entry that is not.
    """
    places = loss.split(torch.arange(loss.size))
    norm = _NORM.fullmatch(text)
    if norm and norm[1] in places:
        part = places[norm[1]].reshape(-1).numpy()
        return lambda theta: np.square(theta[:, part]).sum(axis=1)
    entry = _ENTRY.fullmatch(text)
    name, inner = (entry[1], entry[2]) if entry else (text, None)
    if name not in places:
        raise ValueError(
            f"record: expected 'name[i, j]' or 'norm2(name)' with a name of "
            f"{', '.join(places)}, got {text!r}"
        )
    at = tuple(int(k) for k in inner.split(",")) if inner else ()
    shape = tuple(places[name].shape)
    fits = len(at) == len(shape) and all(
        k < size for k, size in zip(at, shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"record: expected an entry of {name!r} with its {len(shape)} indices "
            f"below {shape}, got {text!r}"
        )
    column = int(places[name][at])
    return lambda theta: theta[:, column]


def _charge(
    loss: ModelLoss, key: str, generator: Generator
) -> Callable[[Array], Array]:
    """Return the charge C = ½θᵀAθ + b·θ of all replicas.

    Raises:
        ValueError: where A is not symmetric.
    """
    named = dict(loss.model.named_parameters(remove_duplicate=False))
    generator.check(named)
    if not generator.symmetric:
        raise ValueError(
            f"record[{key!r}]: expected a generator with a charge, got one whose "
            f"matrix is not symmetric; record a function of theta instead"
        )
    first = {id(p): name for name, p in loss.parameters.items()}
    alias = {name: first.get(id(p)) for name, p in named.items()}  # tied ones are one

    def parts(theta: Tensor) -> dict[str, Tensor]:
        held = loss.split(theta)
        found = {}
        for name in {**generator.blocks, **generator.offsets}:
            known = alias[name]
            p = named[name].detach().to("cpu", torch.float64)
            found[name] = (
                p.expand(len(theta), *p.shape) if known is None else held[known]
            )
        return found

    def charge(theta: Array) -> Array:
        held = parts(torch.from_numpy(theta))
        total = torch.zeros(len(theta), dtype=torch.float64)
        for name, block in generator.blocks.items():
            W = held[name]
            for action in block:
                moved = act(W, _wide(action.left), _wide(action.right))
                total += 0.5 * action.scale * _inner(W, moved)
        for name, b in generator.offsets.items():
            total += _inner(held[name], b.to("cpu", torch.float64))
        return np.asarray(total.numpy())

    return charge


def _wide(factor: Tensor | None) -> Tensor | None:
    return None if factor is None else factor.to("cpu", torch.float64)


def _inner(W: Tensor, V: Tensor) -> Tensor:
    """Return ⟨W, V⟩ of stacks, (R,)."""
    return (W * V).reshape(len(W), -1).sum(dim=1)
