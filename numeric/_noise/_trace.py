"""`noise_trace`: Tr[ΣA] of torch models without per-sample gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numeric._noise._data import Data
from numeric._noise._fallback import Loss
from numeric._noise._forms import Form
from numeric._noise._generator import Action, Generator
from numeric._noise._survey import Survey, survey


@dataclass(frozen=True, slots=True)
class NoiseTrace:
    """The gradient noise along one generator J(θ) = Aθ + b.

    Attributes:
        trace: Tr[ΣA], Σ the centred covariance of the per-sample gradients over all
            data. Gradient noise moves the charge at the rate σ²Tr[ΣA] (P1, Eq. (7)).
        mean_term: ḡᵀAḡ of the mean gradient ḡ.
        charge: C = ½θᵀAθ + b·θ, or None where A is not symmetric and none exists.
        method: "ghost" (no per-sample gradients), "vmap", or both, followed by the
            parameters that were done sample by sample, and why.
        samples: how many samples were seen.
    """

    trace: float
    mean_term: float
    charge: float | None
    method: str
    samples: int


def noise_trace(
    model: nn.Module,
    loss: Loss,
    data: Data,
    generators: Iterable[Generator],
    *,
    batch_size: int | None = None,
) -> tuple[NoiseTrace, ...]:
    """Return the gradient noise Tr[ΣA] along generators, in one pass over the data.

    One forward and one backward pass without weight gradients. An operation with a
    parameter leaves the factors of its per-sample gradients behind (δ and the input
    of a linear layer), and gᵀAg needs only quadratic forms of these. Parameters used
    in other ways are done by `torch.func.vmap` in chunks, and `method` says so. All
    sums are centred, so that noise far below the mean gradient keeps its digits, and
    taken in float64; batches are merged exactly. A sample passed alone shows where
    the samples lie, and that they are independent; its cost is a pass over two or three
    samples. What it shows is kept for further calls with the same model and loss,
    until a setting of either or the autograd graph changes.

    Memory is that of a plain backward pass. The model is left as it was. A gradient
    that is not finite makes the results nan.

    Args:
        model: any module whose samples are independent; `model.eval()` first where it
            has dropout or batch normalisation.
        loss: (output, target) → the **sum** of the losses over the batch.
        data: a tuple (inputs, targets) of tensors with the samples on axis 0, or any
            iterable of such pairs, which is read once.
        generators: what to measure along.
        batch_size: the largest batch; larger ones are split. None: as they come.

    Returns:
        One `NoiseTrace` for every generator, in their order; Python floats.

    Raises:
        ValueError: where samples are not independent, the loss is no sum over them,
            the forward pass is random, or the data are empty; a generator that does
            not fit the model is a KeyError or a ShapeError.
        TypeError: for a generator that is none.

    >>> from numeric._noise._builders import rescaling
    >>> model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    >>> for weight, value in zip(model.parameters(), (1.0, 2.0)):
    ...     _ = nn.init.constant_(weight, value)
    >>> data = torch.tensor([[1.0], [1.0]]), torch.tensor([[1.0], [3.0]])
    >>> loss = lambda output, target: ((output - target) ** 2).sum()
    >>> noise = noise_trace(model, loss, data, [rescaling(model, "0", "1")])[0]
    >>> noise.trace, noise.charge, noise.method  # Var[2r] = 4, times u² − w²
    (12.0, -1.5, 'ghost')
    """
    wanted = _generators(generators)
    there = dict(model.named_parameters(remove_duplicate=False))
    canonical = canonical_names(there)
    for generator in wanted:
        generator.check(there)
    plan = _Plan(there, canonical)
    weights = [plan.enter(generator) for generator in wanted]
    named = {name: there[name] for name in plan.forms}
    found = survey(model, loss, data, named, plan.forms, batch_size=batch_size)
    return tuple(
        _result(generator, weight, found, plan, there)
        for generator, weight in zip(wanted, weights, strict=True)
    )


_Weights = dict[str, dict[int, float]]  # parameter → form's place → scale


class _Plan:
    """The forms needed of each parameter, each once."""

    def __init__(self, there: Mapping[str, Tensor], canonical: Mapping[str, str]):
        self.there = there
        self.canonical = canonical
        self.forms: dict[str, list[Form]] = {}
        self._places: dict[tuple[str, int, int], int] = {}

    def enter(self, generator: Generator) -> _Weights:
        """Note the forms of a generator.

        Returns:
            Where they are, with their scales.

        Raises:
            ValueError: where it names one tied parameter twice.
        """
        weights: _Weights = {}
        for alias, block in generator.blocks.items():
            name = self.canonical[alias]
            if not block:
                continue
            if name in weights:
                raise ValueError(
                    f"generator: {alias!r} and another name are one tied parameter; "
                    f"give its actions under one name"
                )
            scales: dict[int, float] = {}
            for action in block:
                place = self._place(name, action)
                scales[place] = scales.get(place, 0.0) + action.scale
            weights[name] = scales
        return weights

    def _place(self, name: str, action: Action) -> int:
        forms = self.forms.setdefault(name, [Form()])
        if action.left is None and action.right is None:
            return 0
        key = (name, id(action.left), id(action.right))
        if key not in self._places:
            p = self.there[name]
            self._places[key] = len(forms)
            forms.append(Form(_like(action.left, p), _like(action.right, p)))
        return self._places[key]


def _like(factor: Tensor | None, p: Tensor) -> Tensor | None:
    wide = torch.promote_types(p.dtype, torch.float32)
    return None if factor is None else factor.detach().to(p.device, wide)


def _generators(generators: Iterable[Generator]) -> Sequence[Generator]:
    if isinstance(generators, Generator):
        raise TypeError("generators: expected several of them; wrap it as [generator]")
    wanted = tuple(generators)
    for generator in wanted:
        if not isinstance(generator, Generator):
            raise TypeError(
                f"generators: expected Generator, got {type(generator).__name__}"
            )
    return wanted


def canonical_names(there: Mapping[str, Tensor]) -> dict[str, str]:
    """Return every name of a parameter → the first name it has."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(p), name) for name, p in there.items()}


def _result(
    generator: Generator,
    weights: _Weights,
    found: Survey,
    plan: _Plan,
    there: Mapping[str, Tensor],
) -> NoiseTrace:
    trace = mean_term = 0.0
    for name, scales in weights.items():
        held = found.moments[name]
        means = held.means(plan.forms[name])
        for place, scale in scales.items():
            trace += scale * held.spread[place] / held.N
            mean_term += scale * means[place]
    samples = next((m.N for m in found.moments.values()), 0)
    method = method_of(list(weights), found)
    return NoiseTrace(trace, mean_term, generator.charge_of(there), method, samples)


def method_of(names: list[str], found: Survey) -> str:
    """Return how some parameters were done, and why not all without samples."""
    slow = {name: found.reasons[name] for name in names if name in found.reasons}
    if not slow:
        return "ghost"
    routes = found.route if len(slow) == len(names) else f"ghost+{found.route}"
    why = "; ".join(f"{name!r}: {reason}" for name, reason in slow.items())
    return f"{routes} ({why})"
