"""Ensembles of small training runs: SGD, gradient descent, the SDE and SVAG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._errors import ShapeError
from numeric._loss import LossEvaluator, compile_loss


_Floats = NDArray[np.float64]
_Function = Callable[[_Floats], ArrayLike]
_Advance = Callable[[_Floats, _Floats], tuple[_Floats, _Floats]]
Method = Literal["sgd", "gd", "sde", "svag"]


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """What `simulate` returns.

    Attributes:
        theta: parameters at the end, (replicas, n); a diverged replica's last finite
            ones.
        records: name → values, (replicas, times); a diverged replica repeats
            its last finite one, so leave it out of averages by `diverged`.
        time: the times of the records in lr·steps, (times,), from 0 to the end.
        diverged: whether a replica left the finite numbers, (replicas,).
    """

    theta: _Floats
    records: Mapping[str, _Floats]
    time: _Floats
    diverged: NDArray[np.bool_]


def simulate(
    loss: Any,
    data: Mapping[str, ArrayLike],
    theta0: ArrayLike,
    *,
    lr: float,
    batch_size: int,
    steps: int,
    method: Method = "sgd",
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    seed: int,
    record: Iterable[str | _Function] | Mapping[str, _Function] = (),
    samples: int = 200,
    replace: bool = True,
    substeps: int = 1,
    svag_level: int = 1,
) -> Simulation:
    r"""Run an ensemble of replicas of one training, in float64.

    With g the minibatch gradient of ℓ and γ the decay of γ‖θ‖²:

    - ``sgd``: m' = βm + g + 2γθ, θ' = θ − ηm'; ``gd`` the same with the full gradient.
    - ``sde``: Euler–Maruyama of dθ = −(∇L + 2γθ)dt + √(2σ²Σ)dW, σ² = η/(2S), with
      step h = η/substeps and noise √(2σ²h/N) Σ_k ξ_k(g_k − ḡ), ξ standard normal:
      its covariance is 2σ²hΣ exactly, and no n × n matrix is made.
    - ``svag``: for level ℓ, step η/ℓ along
      ½(1 + √(2ℓ−1))g₁ + ½(1 − √(2ℓ−1))g₂ with independent minibatches (Li, Malladi,
      Arora, arXiv 2102.12470): ℓ = 1 is SGD, ℓ → ∞ the SDE.

    Args:
        loss: a `symbolic.Loss`.
        data: the samples, name → (N, ...).
        theta0: start, (replicas, n).
        lr: η > 0.
        batch_size: S ≥ 1.
        steps: number of steps of size η; `sde` and `svag` take `substeps` and
            `svag_level` smaller ones for each.
        method: "sgd", "gd", "sde" or "svag".
        weight_decay: γ.
        momentum: β of the heavy ball, in [0, 1); for sgd and gd.
        seed: seed of the streams; the same seed gives the same numbers.
        record: a mapping name → function of θ, (replicas, n) → (replicas,), such as
            `Evaluators.charge`; or an iterable of functions, recorded under their
            `__name__`, and names of components of θ.
        samples: about how many times to record.
        replace: whether a minibatch may hold a sample twice.
        substeps: Euler–Maruyama steps for each η.
        svag_level: ℓ of SVAG.

    Returns:
        The final state, the records and which replicas diverged.

    Raises:
        ValueError: for arguments out of range or shapes that do not fit.
    """
    _check_counts(batch_size, steps, samples, substeps, svag_level)
    _check_numbers(method, lr, weight_decay, momentum)
    evaluator, theta = compile_loss(loss), _start(theta0, loss.space.size)
    arrays = _samples(loss, data)
    training = _Training(
        evaluator, arrays, batch_size, lr, weight_decay, momentum, replace, _rng(seed)
    )
    if not replace and batch_size > training.count:
        raise ValueError(
            f"batch_size: expected <= N = {training.count} without replacement, got "
            f"{batch_size}; pass replace=True"
        )
    levels = {"sde": substeps, "svag": svag_level}
    repeats = levels.get(method, 1)
    advance = training.advance(method, repeats)
    functions = _named(record, loss.space.symbols)
    return _run(theta, advance, steps, repeats, functions, _times(steps, samples), lr)


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    """One training problem and its stream; updates are (θ, m) → (θ', m')."""

    evaluator: LossEvaluator
    data: dict[str, _Floats]
    batch_size: int
    lr: float
    decay: float
    momentum: float
    replace: bool
    rng: np.random.Generator

    @property
    def count(self) -> int:
        """The number N of samples."""
        return len(next(iter(self.data.values()))) if self.data else 1

    def advance(self, method: Method, level: int) -> _Advance:
        """Return the update of a method."""
        updates: dict[str, _Advance] = {
            "sgd": lambda theta, m: self.descend(theta, m, self.minibatch(theta)),
            "gd": lambda theta, m: self.descend(
                theta, m, self.gradients(theta).mean(1)
            ),
            "sde": lambda theta, m: (self.euler(theta, self.lr / level), m),
            "svag": lambda theta, m: (self.svag(theta, level), m),
        }
        return updates[method]

    def descend(
        self, theta: _Floats, m: _Floats, g: _Floats
    ) -> tuple[_Floats, _Floats]:
        """Take a heavy-ball step with coupled decay."""
        m = self.momentum * m + (g + 2 * self.decay * theta)
        return theta - self.lr * m, m

    def euler(self, theta: _Floats, h: float) -> _Floats:
        """Take an Euler-Maruyama step of size h, with sigma2 = lr/(2S)."""
        g = self.gradients(theta)  # (R, N, n)
        mean = g.mean(1)
        xi = self.rng.standard_normal((len(theta), self.count))
        noise = np.einsum("rk,rkn->rn", xi, g - mean[:, None, :])
        size = math.sqrt(self.lr / self.batch_size * h / self.count)
        return np.asarray(theta - h * (mean + 2 * self.decay * theta) + size * noise)

    def svag(self, theta: _Floats, level: int) -> _Floats:
        """Take a step of size lr/level along two weighted minibatches."""
        spread = math.sqrt(2 * level - 1)
        g = 0.5 * (1 + spread) * self.minibatch(theta)
        g += 0.5 * (1 - spread) * self.minibatch(theta)
        return np.asarray(theta - self.lr / level * (g + 2 * self.decay * theta))

    def minibatch(self, theta: _Floats) -> _Floats:
        """Return the mean gradient of a fresh minibatch for each replica, (R, n)."""
        shape = (len(theta), self.batch_size)
        if self.replace:
            chosen = self.rng.integers(0, self.count, shape)
        else:  # the places of the S smallest of N uniform keys
            keys = self.rng.random((len(theta), self.count))
            chosen = keys.argpartition(self.batch_size - 1, axis=1)[:, : shape[1]]
        batch = {name: values[chosen] for name, values in self.data.items()}
        g: _Floats = self.evaluator.gradient(theta[:, None, :], batch)
        return np.asarray(g.mean(1))

    def gradients(self, theta: _Floats) -> _Floats:
        """Return all per-sample gradients, (R, N, n)."""
        g: _Floats = self.evaluator.gradient(theta[:, None, :], self.data)
        return g


def _run(
    theta: _Floats,
    advance: _Advance,
    steps: int,
    repeats: int,
    functions: Mapping[str, _Function],
    times: NDArray[np.intp],
    lr: float,
) -> Simulation:
    m = np.zeros_like(theta)
    alive = np.ones(len(theta), dtype=bool)
    rows: dict[str, list[_Floats]] = {name: [] for name in functions}
    due = set(times.tolist())
    for step in range(steps + 1):
        if step in due:
            for name, function in functions.items():
                rows[name].append(_recorded(name, function, theta))
        for _ in range(repeats if step < steps else 0):
            theta, m, alive = _guarded(advance, theta, m, alive)
    records = {
        name: np.stack(values, axis=1) if values else np.empty((len(theta), 0))
        for name, values in rows.items()
    }
    return Simulation(
        theta,
        MappingProxyType(records),
        np.asarray(lr * times, dtype=np.float64),
        ~alive,
    )


def _guarded(
    advance: _Advance, theta: _Floats, m: _Floats, alive: NDArray[np.bool_]
) -> tuple[_Floats, _Floats, NDArray[np.bool_]]:
    """Advance, but keep every replica that would leave the finite numbers."""
    with np.errstate(all="ignore"):  # overflow is divergence, and is flagged
        moved, pushed = advance(theta, m)
    finite = np.isfinite(moved).all(axis=1) & np.isfinite(pushed).all(axis=1)
    alive = alive & finite
    keep = alive[:, None]
    return np.where(keep, moved, theta), np.where(keep, pushed, m), alive


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))


def _times(steps: int, samples: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, steps, samples + 1).round().astype(np.intp))


def _start(theta0: ArrayLike, n: int) -> _Floats:
    theta = np.array(theta0, dtype=np.float64)
    if theta.ndim != 2 or theta.shape[1] != n or not len(theta):
        raise ShapeError(
            f"theta0: expected shape (replicas, {n}), got {theta.shape}; one run alone "
            f"is theta0[None, :]"
        )
    if not np.isfinite(theta).all():
        raise ValueError("theta0: expected finite numbers, got NaN or infinity")
    return theta


def _samples(loss: Any, data: Mapping[str, ArrayLike]) -> dict[str, _Floats]:
    """Return the data as arrays (N, *shape) with one N.

    Raises:
        ShapeError: when names or shapes do not fit.
        ValueError: for numbers that are not finite.
    """
    names = tuple(loss.data.names)
    if set(data) != set(names):
        raise ShapeError(
            f"data: expected the names {', '.join(names) or '(none)'}, got "
            f"{', '.join(data) or 'none'}"
        )
    arrays = {name: np.asarray(data[name], dtype=np.float64) for name in names}
    for name, array in arrays.items():
        shape = tuple(loss.data.int_shape(name))
        if array.ndim != len(shape) + 1 or array.shape[1:] != shape or not len(array):
            inner = "".join(f", {size}" for size in shape)
            raise ShapeError(
                f"data[{name!r}]: expected shape (N{inner}), got {array.shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(
                f"data[{name!r}]: expected finite numbers, got NaN or infinity"
            )
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = {name: len(array) for name, array in arrays.items()}
        raise ShapeError(f"data: expected one number N of samples, got {lengths}")
    return arrays


def _check_counts(
    batch_size: int, steps: int, samples: int, substeps: int, svag_level: int
) -> None:
    counts = {
        "batch_size": (batch_size, 1),
        "steps": (steps, 0),
        "samples": (samples, 1),
        "substeps": (substeps, 1),
        "svag_level": (svag_level, 1),
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


def _named(
    record: Iterable[str | _Function] | Mapping[str, _Function], symbols: Iterable[Any]
) -> dict[str, _Function]:
    """Return name → function.

    Raises:
        ValueError: for an unknown or repeated name.
    """
    if isinstance(record, Mapping):
        return dict(record)
    if isinstance(record, str) or callable(record):
        raise ValueError(f"record: expected an iterable or a mapping, got {record!r}")
    places = {str(symbol): place for place, symbol in enumerate(symbols)}
    functions: dict[str, _Function] = {}
    for item in record:
        name = item if isinstance(item, str) else getattr(item, "__name__", repr(item))
        if name in functions:
            raise ValueError(
                f"record: expected distinct names, got {name!r} twice; pass a mapping"
            )
        if not isinstance(item, str):
            functions[name] = item
        elif item in places:
            functions[name] = _component(places[item])
        else:
            raise ValueError(
                f"record: expected a function or one of {', '.join(places)}, got "
                f"{item!r}"
            )
    return functions


def _component(place: int) -> _Function:
    return lambda theta: theta[:, place].copy()


def _recorded(name: str, function: _Function, theta: _Floats) -> _Floats:
    values = np.array(function(theta), dtype=np.float64)
    if values.shape != (len(theta),):
        raise ShapeError(
            f"record[{name!r}]: expected shape ({len(theta)},), got {values.shape}"
        )
    return values
