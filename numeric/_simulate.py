"""Ensembles of training runs: SGD, gradient descent, the SDE and SVAG."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._compile import compile
from numeric._ensembles.driver import Record, named_records, run
from numeric._ensembles.engines import Backend, engine_of
from numeric._ensembles.expressions import recorded_expression
from numeric._ensembles.task import Method, Task, checked_constants, checked_data
from numeric._errors import ShapeError
from numeric._streams import Stream
from symbolic import Derivation, Loss, MatrixDerivation


if TYPE_CHECKING:
    from numeric._torch_ensembles.model_loss import ModelLoss


_Floats = NDArray[np.float64]
_Function = Callable[[_Floats], ArrayLike]
Recorded = str | _Function | Derivation | MatrixDerivation


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """What `simulate` returns.

    Attributes:
        theta: parameters at the end, (replicas, n), in the run's dtype; a diverged
            replica's last finite ones.
        records: name → values, (replicas, times); a diverged replica repeats
            its last finite one, so leave it out of averages by `diverged`.
        time: the times of the records in lr·steps, (times,), from 0 to the end.
        diverged: whether the parameters of a replica left the finite numbers,
            (replicas,).
        backend: what took the steps, "lanes", "rows" or "arrays"; for a model "vmap" or
            "loop".
    """

    theta: NDArray[Any]
    records: Mapping[str, _Floats]
    time: _Floats
    diverged: NDArray[np.bool_]
    backend: str


def simulate(
    loss: Loss | ModelLoss,
    data: Any,
    theta0: Any,
    *,
    lr: float,
    batch_size: int,
    steps: int,
    method: Method = "sgd",
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    seed: int | tuple[int | str, ...],
    record: Iterable[Recorded] | Mapping[str, Recorded] = (),
    samples: int = 200,
    replace: bool = True,
    substeps: int = 1,
    svag_level: int = 1,
    constants: Mapping[str, ArrayLike] | None = None,
    dtype: Literal["float64", "float32"] | None = None,
    first_replica: int = 0,
    jobs: int = 1,
    chunk: int | None = None,
    backend: Literal["auto", "lanes", "rows", "arrays", "vmap", "loop"] = "auto",
) -> Simulation:
    r"""Run an ensemble of replicas of one training, of a declared loss or a model.

    With g the minibatch gradient of ℓ and γ the decay of γ‖θ‖²:

    - ``sgd``: m' = βm + g + 2γθ, θ' = θ − ηm'; ``gd`` the same with the full gradient.
    - ``sde``: Euler–Maruyama of dθ = −(∇L + 2γθ)dt + √(2σ²Σ)dW, σ² = η/(2S), with
      step h = η/substeps and noise √(2σ²h/N) Σ_k ξ_k(g_k − ḡ), ξ standard normal:
      its covariance is 2σ²hΣ exactly, and no n × n matrix is made. Where the loss is
      a polynomial of the data, with fewer monomials than samples, the moments of
      these stand for the samples, and a step costs the same for any N.
    - ``svag``: for level ℓ, step η/ℓ along
      ½(1 + √(2ℓ−1))g₁ + ½(1 − √(2ℓ−1))g₂ with independent minibatches (Li, Malladi,
      Arora, arXiv 2102.12470): ℓ = 1 is SGD, ℓ → ∞ the SDE.

    The gradient of a `Loss` is derived and compiled to one kernel that runs all
    steps, a replica in each SIMD lane ("lanes") or a replica at a time, with the rows
    of its matrices in SIMD vectors ("rows", of minibatches); or it is evaluated as
    matrix products over the replicas ("arrays"), whichever is faster. Random numbers
    belong to (seed, replica, step), so that they do not depend on the backend, on
    `jobs`, or on how an ensemble is divided (`first_replica`). Backends differ by
    rounding: at the edge of overflow one may stay finite a step longer.

    A `ModelLoss` of a torch model goes the same way by `torch.func` ("vmap", or "loop"
    where torch cannot batch an operation), on the model's device.

    Args:
        loss: the per-sample loss, all sizes integers; or a `ModelLoss`.
        data: the samples, name → (N, ...); for a model a pair (inputs, targets).
        theta0: start, (replicas, n).
        lr: η > 0.
        batch_size: S ≥ 1.
        steps: number of steps of size η; `sde` and `svag` take `substeps` and
            `svag_level` smaller ones for each.
        method: "sgd", "gd", "sde" or "svag".
        weight_decay: γ.
        momentum: β of the heavy ball, in [0, 1); for sgd and gd.
        seed: seed of the streams, an integer or a tuple such as (seed, "claim").
        record: a mapping name → what to record: a function of θ, (replicas, n) →
            (replicas,), such as `Evaluators.charge`; a derivation, for its charge; or
            an expression of the parameters, such as "norm2(U)" or "W_0_1". Or an
            iterable of these, recorded under their names.
        samples: about how many times to record.
        replace: whether a minibatch may hold a sample twice; for sgd and svag.
        substeps: Euler–Maruyama steps for each η.
        svag_level: ℓ of SVAG.
        constants: name → numbers of the loss's constants.
        dtype: of the computation; None for float64, or for a model its own.
        first_replica: number of the first replica, which its random numbers go by.
        jobs: threads of the kernels.
        chunk: replicas of a model at once; None for what fits in memory.
        backend: "lanes", "rows" or "arrays" for a loss, "vmap" or "loop" for a model,
            or "auto".

    Returns:
        The final state, the records and which replicas diverged.

    Raises:
        ValueError: for arguments out of range or shapes that do not fit, and for
            backends "lanes" and "rows" where no kernel can be made.

    >>> from symbolic import ParameterSpace
    >>> loss = Loss("(u*w*x - y)**2", ParameterSpace(u=(), w=()), {"x": (), "y": ()})
    >>> start = np.tile([1.0, 0.5], (1000, 1))
    >>> data = {"x": [1.0, 1.0], "y": [0.5, 1.5]}
    >>> found = simulate(loss, data, start, lr=0.1, batch_size=1, steps=300, seed=0,
    ...                  record={"C": "u**2 - w**2"})
    >>> bool((found.records["C"][:, -1] < 0.1).all())  # from 0.75 towards u² = w²
    True
    """
    _check_counts(batch_size, steps, samples, substeps, svag_level)
    _check_counts(jobs=jobs, first_replica=first_replica)
    _check_numbers(method, lr, weight_decay, momentum)
    if method == "sde" and not replace:
        raise ValueError(
            "replace: expected True for method 'sde', whose noise is that of samples "
            "drawn with replacement; without, the covariance is (N - S)/(N - 1) of it"
        )
    if not isinstance(loss, Loss):  # only who has torch has a model: see _arrays.py
        _check_unused(constants=constants, jobs=None if jobs == 1 else jobs)
        module = importlib.import_module("numeric._torch_ensembles.run")
        found: Simulation = module.simulate_model(
            loss,
            data,
            theta0,
            lr=lr,
            batch_size=batch_size,
            steps=steps,
            method=method,
            weight_decay=weight_decay,
            momentum=momentum,
            seed=seed,
            record=record,
            samples=samples,
            replace=replace,
            substeps=substeps,
            svag_level=svag_level,
            dtype=dtype,
            first_replica=first_replica,
            chunk=chunk,
            backend=backend,
        )
        return found
    _check_unused(chunk=chunk)
    dtype = "float64" if dtype is None else dtype
    engines = _checked_choices(dtype, backend)
    task = Task(
        loss,
        checked_data(loss, data, dtype),
        checked_constants(loss, constants or {}),
        method,
        lr,
        batch_size,
        weight_decay,
        momentum,
        replace,
        {"sde": substeps, "svag": svag_level}.get(method, 1),
        Stream(seed, "simulate"),
        dtype,
    )
    if not replace and method != "gd" and batch_size > task.count:
        raise ValueError(
            f"batch_size: expected <= N = {task.count} without replacement, got "
            f"{batch_size}; pass replace=True"
        )
    theta = _start(theta0, task.size, dtype)
    times = np.unique(np.linspace(0, steps, samples + 1).round().astype(np.intp))
    name, engine = engine_of(task, len(theta), backend=engines, jobs=jobs)
    course = run(
        engine,
        theta,
        _replicas(first_replica, len(theta)),
        (times * task.level).tolist(),
        named_records(record, lambda key, item: _record(task, key, item)),
        momentum=momentum > 0,
    )
    return Simulation(
        theta.copy() if course.theta is theta else np.ascontiguousarray(course.theta),
        MappingProxyType(course.records),
        np.asarray(lr * times, dtype=np.float64),
        course.diverged,
        name,
    )


def _check_unused(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"{name}: expected to be left out for this kind of loss, got {value!r}"
            )


def _start(theta0: ArrayLike, n: int, dtype: str) -> NDArray[Any]:
    given = np.asarray(theta0)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"theta0: expected real numbers, got dtype {given.dtype}")
    theta = np.asarray(given, dtype=dtype)
    if theta.ndim != 2 or theta.shape[1] != n or not len(theta):
        raise ShapeError(
            f"theta0: expected shape (replicas, {n}), got {theta.shape}; one run alone "
            f"is theta0[None, :]"
        )
    if not np.isfinite(theta).all():
        raise ValueError("theta0: expected finite numbers, got NaN or infinity")
    return theta


def _replicas(first: int, count: int) -> NDArray[np.uint32]:
    if first + count > 2**32:
        raise ValueError(
            f"first_replica: expected numbers of replicas below 2**32, got "
            f"{first + count - 1}; use another seed for further ones"
        )
    return np.arange(first, first + count, dtype=np.uint32)


def _check_counts(
    batch_size: int = 1,
    steps: int = 0,
    samples: int = 1,
    substeps: int = 1,
    svag_level: int = 1,
    *,
    jobs: int = 1,
    first_replica: int = 0,
) -> None:
    counts = {
        "batch_size": (batch_size, 1),
        "steps": (steps, 0),
        "samples": (samples, 1),
        "substeps": (substeps, 1),
        "svag_level": (svag_level, 1),
        "jobs": (jobs, 1),
        "first_replica": (first_replica, 0),
    }
    for name, (value, least) in counts.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise ValueError(f"{name}: expected an integer, got {value!r}")
        if value < least:
            raise ValueError(f"{name}: expected >= {least}, got {value}")


def _check_numbers(
    method: str, lr: float, weight_decay: float, momentum: float
) -> None:
    if method not in get_args(Method):
        raise ValueError(
            f"method: expected one of {', '.join(get_args(Method))}, got {method!r}"
        )
    if not 0 < lr < math.inf:
        raise ValueError(f"lr: expected a finite number > 0, got {lr}")
    if not math.isfinite(weight_decay):
        raise ValueError(f"weight_decay: expected a finite number, got {weight_decay}")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum: expected a number in [0, 1), got {momentum}")
    if momentum and method not in ("sgd", "gd"):
        raise ValueError(
            f"momentum: expected 0 for method {method!r}, got {momentum}; "
            f"only sgd and gd have momentum"
        )


def _checked_choices(dtype: str, backend: str) -> Backend:
    if dtype not in ("float64", "float32"):
        raise ValueError(f"dtype: expected 'float64' or 'float32', got {dtype!r}")
    for known in get_args(Backend):
        if backend == known:
            return cast("Backend", known)
    raise ValueError(
        f"backend: expected one of {', '.join(get_args(Backend))}, got {backend!r}"
    )


def _record(task: Task, name: str, item: Recorded) -> Record:
    """Return what to record as a function (R, n) → float64 (R,).

    Raises:
        ValueError: for anything else.
    """
    if isinstance(item, str):
        function: _Function = recorded_expression(task, item)
    elif isinstance(item, (Derivation, MatrixDerivation)):
        function = compile(item).charge
    elif callable(item):
        function = item
    else:
        raise ValueError(
            f"record[{name!r}]: expected a function, a derivation or an expression, "
            f"got {item!r}"
        )

    def values(theta: NDArray[Any]) -> _Floats:
        found = np.array(function(theta.astype(np.float64)), dtype=np.float64)
        if found.shape != (len(theta),):
            raise ShapeError(
                f"record[{name!r}]: expected shape ({len(theta)},), got {found.shape}"
            )
        return found

    return values
