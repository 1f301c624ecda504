"""What earlier calls found of a model and a loss: where the samples lie.

A first batch is compared with copies of one of its samples, which takes a second pass.
What that shows is kept while the model and the loss live and look the same: the same
objects, with the same modules, flags and numbers, and the same autograd graph. A model
that fails the comparison is never kept.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from numeric._noise._layout import Layout


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Where the samples lie in each use of a parameter.

    Attributes:
        layouts: of the uses, where found.
        sorts: whether the model may move rows by what is in them, so that every batch
            has to be looked at.
    """

    layouts: list[Layout | None]
    sorts: bool = False


Layouts = dict[Hashable, Known]
_DEPTH = 4  # of containers in containers that are looked into
_MOST = 64  # graphs kept for one model and one loss
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


@dataclass(slots=True, eq=False)
class _Held:
    """What was found while model and loss looked like this."""

    look: Hashable
    layouts: Layouts = field(default_factory=dict)


_FOUND: MutableMapping[nn.Module, MutableMapping[Any, _Held]] = (
    weakref.WeakKeyDictionary()
)


def found_before(model: nn.Module, loss: Any) -> Layouts:
    """Return what earlier calls found, to be added to.

    Args:
        model: the model.
        loss: its loss; what is found with a loss that cannot be told apart from others
            (a bound method, made anew at every call) is not kept.

    Returns:
        Signature of a graph → where the samples lie in each use of a parameter.
    """
    look = (_look(model), _look(loss))
    try:
        losses = _FOUND.setdefault(model, weakref.WeakKeyDictionary())
        held = losses.get(loss)
        if held is None or held.look != look:
            held = losses[loss] = _Held(look)
    except TypeError:  # no weak reference, or no hash
        return {}
    if len(held.layouts) >= _MOST:
        held.layouts.clear()
    return held.layouts


def _look(thing: Any) -> Hashable:
    """Return what can be seen of a model or loss without running it."""
    if isinstance(thing, nn.Module):
        return tuple((id(m), _settings(vars(m))) for m in thing.modules())
    function = getattr(thing, "__func__", thing)
    cells = getattr(function, "__closure__", None) or ()
    named = {str(k): _content(cell) for k, cell in enumerate(cells)}
    defaults = getattr(function, "__defaults__", None) or ()
    named |= {f"default {k}": value for k, value in enumerate(defaults)}
    code = id(getattr(function, "__code__", None))
    return (code, _settings(named | getattr(thing, "__dict__", {})))


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # empty
        return None


def _settings(named: Mapping[str, object]) -> Hashable:
    return tuple([(k, _value(v)) for k, v in named.items() if k not in _STORES])


# Parameters, buffers and hooks are no settings; submodules come on their own.
_STORES = frozenset(vars(nn.Module()).keys()) - {"training"}


def _value(value: object, depth: int = 0) -> Hashable:
    """Return a plain value, or which object it is."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (tuple, list)) and depth < _DEPTH:
        return tuple([_value(v, depth + 1) for v in value])
    if isinstance(value, dict) and depth < _DEPTH:
        pairs = value.items()
        return tuple([(_value(k, _DEPTH), _value(v, depth + 1)) for k, v in pairs])
    return id(value)
