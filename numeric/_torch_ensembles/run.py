"""`simulate_model`: what `simulate` does for a torch model."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from numeric._ensembles.driver import named_records, run
from numeric._ensembles.task import Method, Task
from numeric._errors import ShapeError
from numeric._noise._data import Data, batches
from numeric._simulate import Simulation
from numeric._streams import Stream
from numeric._torch_ensembles.engine import ModelEngine
from numeric._torch_ensembles.gradient import ModelGradient
from numeric._torch_ensembles.graphs import Graphs
from numeric._torch_ensembles.model_loss import ModelLoss
from numeric._torch_ensembles.records import record_of
from numeric._torch_ensembles.survey import Size, survey


_KINDS = {"float32": torch.float32, "float64": torch.float64}
_BUDGET = {"cpu": 2**22}  # numbers that the gradients of a chunk may hold
_LARGE = 2**27  # on devices with memory of their own
_SLOW_RULE = "There is a performance drop because we have not yet implemented"
_BACKENDS = ("auto", "vmap", "loop")


def simulate_model(
    loss: ModelLoss,
    data: Data,
    theta0: Any,
    *,
    lr: float,
    batch_size: int,
    steps: int,
    method: Method = "sgd",
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    seed: int | tuple[int | str, ...],
    record: Iterable[Any] | Mapping[str, Any] = (),
    samples: int = 200,
    replace: bool = True,
    substeps: int = 1,
    svag_level: int = 1,
    dtype: Literal["float64", "float32"] | None = None,
    first_replica: int = 0,
    chunk: int | None = None,
    backend: str = "auto",
) -> Simulation:
    r"""Run an ensemble of replicas of the training of a torch model.

    As `numeric.simulate`, which checks the numbers and calls this: the same methods,
    and the same random streams, so that a model and a symbolic loss that agree take
    the same minibatches. All replicas of a chunk take a step together, by
    `torch.func.vmap`; where torch cannot batch an operation, one after the other. A
    step of the SDE is one weighted gradient, not N of them. Results do not depend on
    the chunk but for rounding.

    Args:
        loss: the model and its loss, a sum over the batch.
        data: (inputs, targets), N samples on axis 0, or an iterable of such pairs.
            They go to the model's device, floating ones in the run's dtype.
        theta0: start, (replicas, n), tensor or array: see `ModelLoss.pack`.
        lr: η.
        batch_size: S.
        steps: number of steps of size η.
        method: "sgd", "gd", "sde" or "svag".
        weight_decay: γ of γ‖θ‖²; torch's is 2γ.
        momentum: β of the heavy ball.
        seed: seed of the streams.
        record: names or a mapping of what to record: functions of θ, float64
            (replicas, n) → (replicas,), a `Generator` or a derivation for its charge,
            "0.weight[1, 2]", "norm2(0.weight)".
        samples: about how many times to record.
        replace: whether a minibatch may hold a sample twice.
        substeps: Euler–Maruyama steps for each η.
        svag_level: ℓ of SVAG.
        dtype: of the run; None: that of the parameters.
        first_replica: number of the first replica, which its random numbers go by.
        chunk: replicas at a time; None: as many as a fixed amount of memory holds.
        backend: "vmap", "loop", or "auto": vmap where it works.

    Returns:
        The final state as arrays, the records, which replicas diverged, and the
        backend, "vmap" or "loop".

    Raises:
        TypeError: for anything but a `ModelLoss`.
        ValueError: for samples that are not independent, a loss that is no sum,
            train-mode BatchNorm, dropout, arguments out of range, and backend "vmap"
            where torch cannot: each with the reason.

    >>> net = torch.nn.Linear(1, 1, bias=False)
    >>> task = ModelLoss(net, torch.nn.MSELoss(reduction="sum"))
    >>> data = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [6.0]])
    >>> found = simulate_model(task, data, task.start(4), lr=0.1, batch_size=1,
    ...                        steps=200, seed=0, record=["weight[0, 0]"])
    >>> found.backend, bool((abs(found.theta - 3) < 1e-5).all())
    ('vmap', True)
    """
    given: object = loss
    if not isinstance(given, ModelLoss):
        raise TypeError(
            f"loss: expected a Loss, or ModelLoss(model, loss) for a torch model, got "
            f"{type(given).__name__}"
        )
    _check_choices(dtype, backend, chunk)
    kind = _kind(loss, dtype)
    theta = _start(loss, theta0, kind)
    x, y = _samples(loss, data, kind)
    task = Task(
        loss,
        {"row": np.arange(len(x))},
        {},
        method,
        lr,
        batch_size,
        weight_decay,
        momentum,
        replace,
        {"sde": substeps, "svag": svag_level}.get(method, 1),
        Stream(seed, "simulate"),
        str(kind).removeprefix("torch."),
    )
    if not replace and batch_size > task.count:
        raise ValueError(
            f"batch_size: expected <= N = {task.count} without replacement, got "
            f"{batch_size}; pass replace=True"
        )
    records = named_records(record, lambda key, item: record_of(loss, key, item))
    times = np.unique(np.linspace(0, steps, samples + 1).round().astype(np.intp))
    replicas = _replicas(first_replica, len(theta))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _SLOW_RULE)
        engine = _engine(task, loss, x, y, theta, chunk, backend)
        course = run(
            engine,
            theta.cpu().numpy(),
            replicas,
            (times * task.level).tolist(),
            records,
            momentum=momentum > 0,
        )
    return Simulation(
        course.theta,
        MappingProxyType(course.records),
        np.asarray(lr * times, dtype=np.float64),
        course.diverged,
        engine.gradient.mode,
    )


def _engine(
    task: Task,
    loss: ModelLoss,
    x: Tensor,
    y: Tensor,
    theta: Tensor,
    chunk: int | None,
    backend: str,
) -> ModelEngine:
    """Return the engine of a task.

    Raises:
        ValueError: for "vmap" where torch cannot.
    """
    weights = task.method == "sde"
    plain = ModelGradient(loss, _shared(loss, theta.dtype))
    gradient, reason, size = survey(plain, x, y, theta, weights=weights)
    if backend == "vmap" and reason:
        raise ValueError(
            f"backend: expected a model that torch.func.vmap can batch, got one that "
            f"it cannot ({reason}); use backend='auto', which loops over the replicas"
        )
    mode = "loop" if backend == "loop" else gradient.mode
    gradient = ModelGradient(loss, plain.shared, mode, gradient.weighing, Graphs())
    each = task.batch_size if task.method in ("sgd", "svag") else task.count
    budget = _BUDGET.get(theta.device.type, _LARGE)
    most, block = portions(size, each, budget)
    return ModelEngine(task, gradient, x, y, chunk or most, block)


def portions(size: Size, samples: int, budget: int) -> tuple[int, int]:
    """Return how many replicas, and how many samples of each, to take at a time.

    Args:
        size: the memory of a replica's gradient, in numbers.
        samples: S of a step.
        budget: numbers to hold at most, where one sample of one replica fits.

    Returns:
        Replicas and samples, each ≥ 1.

    >>> portions(Size(fixed=100, sample=10), 5, 1500), portions(Size(9, 10), 5, 29)
    ((10, 5), (1, 2))
    """
    block = min(samples, max(1, (budget - size.fixed) // size.sample))
    return max(1, budget // (size.fixed + block * size.sample)), block


def _check_choices(dtype: str | None, backend: str, chunk: int | None) -> None:
    if dtype is not None and dtype not in _KINDS:
        raise ValueError(f"dtype: expected 'float64', 'float32' or None, got {dtype!r}")
    if backend not in _BACKENDS:
        raise ValueError(
            f"backend: expected one of {', '.join(_BACKENDS)} for a model, got "
            f"{backend!r}"
        )
    whole = isinstance(chunk, (int, np.integer)) and not isinstance(chunk, bool)
    if chunk is not None and not (whole and chunk >= 1):
        raise ValueError(f"chunk: expected an integer >= 1 or None, got {chunk!r}")


def _kind(loss: ModelLoss, dtype: str | None) -> torch.dtype:
    """Return the dtype of the run.

    Raises:
        ValueError: for parameters of other dtypes or of several, or devices.
    """
    tensors = [*loss.model.parameters(), *loss.model.buffers()]
    devices = {t.device for t in tensors}
    if len(devices) > 1:
        raise ValueError(
            f"model: expected one device, got {', '.join(sorted(map(str, devices)))}"
        )
    if dtype is not None:
        return _KINDS[dtype]
    kinds = {p.dtype for p in loss.model.parameters()}
    if len(kinds) > 1 or loss.dtype not in _KINDS.values():
        raise ValueError(
            f"model: expected parameters all in float32 or all in float64, got "
            f"{', '.join(sorted(map(str, kinds)))}; pass dtype='float32'"
        )
    return loss.dtype


def _shared(loss: ModelLoss, kind: torch.dtype) -> dict[str, Tensor]:
    """Return copies of the buffers, and what else must be cast to the run's dtype."""
    model = loss.model
    held = {name: t.detach().clone() for name, t in model.named_buffers()}
    for name, p in model.named_parameters():
        if not p.requires_grad and p.dtype != kind:
            held[name] = p.detach()
    return {n: t.to(kind) if t.is_floating_point() else t for n, t in held.items()}


def _start(loss: ModelLoss, theta0: Any, kind: torch.dtype) -> Tensor:
    """Return the start on the model's device.

    Raises:
        ShapeError: for another shape.
        ValueError: for numbers that are not finite.
    """
    given = torch.as_tensor(theta0).detach()
    if given.is_complex():
        raise ValueError("theta0: expected real numbers, got complex ones")
    theta = given.to(loss.device, kind)
    if theta.ndim != 2 or theta.shape[1] != loss.size or not len(theta):
        raise ShapeError(
            f"theta0: expected shape (replicas, {loss.size}), got "
            f"{tuple(theta.shape)}; one run alone is theta0[None, :]"
        )
    if not bool(torch.isfinite(theta).all()):
        raise ValueError("theta0: expected finite numbers, got NaN or infinity")
    return theta


def _samples(loss: ModelLoss, data: Data, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return inputs and targets, (N, …), on the model's device.

    Raises:
        ValueError: for numbers that are not finite.
    """
    pairs = [(x, y) for x, y, _ in batches(data, None)]
    found = []
    for name, parts in zip(
        ("inputs", "targets"), zip(*pairs, strict=True), strict=True
    ):
        whole = (torch.cat(parts) if len(parts) > 1 else parts[0]).detach()
        if whole.is_floating_point():
            whole = whole.to(kind)
        if not bool(torch.isfinite(whole).all()):
            raise ValueError(f"data: expected finite {name}, got NaN or infinity")
        found.append(whole.to(loss.device))
    return found[0], found[1]


def _replicas(first: int, count: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    if first + count > 2**32:
        raise ValueError(
            f"first_replica: expected numbers of replicas below 2**32, got "
            f"{first + count - 1}; use another seed for further ones"
        )
    return np.arange(first, first + count, dtype=np.uint32)
