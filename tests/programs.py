"""Random losses of the language, and what they are by hand: torch and plain numpy.

`Values` reads a loss's text by Python's own grammar, with * for matrix products, and
its gradient comes from torch's autograd: a route of its own, apart from the language,
from programs and from sympy.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from numeric._streams import Stream
from symbolic import Constant, Loss, ParameterSpace, Program


Shapes = Mapping[str, tuple[int, ...]]

# ------------------------------------------------------------------------- by torch


class Values:
    """Matrices (..., rows, cols) with the operators of the language."""

    def __init__(self, array: Any) -> None:
        self.array = array

    @property
    def T(self) -> Values:  # noqa: N802 - as the language has it
        """The transpose."""
        return Values(self.array.transpose(-1, -2))

    def __add__(self, other: Any) -> Values:
        return Values(self.array + _array(other))

    def __sub__(self, other: Any) -> Values:
        return Values(self.array - _array(other))

    def __neg__(self) -> Values:
        return Values(-self.array)

    def __mul__(self, other: Any) -> Values:
        x, y = self.array, _array(other)
        if not hasattr(y, "shape") or (1, 1) in (x.shape[-2:], y.shape[-2:]):
            return Values(x * y)
        return Values(x @ y)

    def __rmul__(self, other: Any) -> Values:
        return Values(self.array * other)

    def __rsub__(self, other: Any) -> Values:
        return Values(_array(other) - self.array)

    __radd__ = __add__

    def __truediv__(self, other: Any) -> Values:
        return Values(self.array / _array(other))

    def __pow__(self, power: float) -> Values:
        return Values(self.array**power)


def _array(value: Any) -> Any:
    return value.array if isinstance(value, Values) else value


def _matrix(value: Any) -> Any:
    """Return the tensor of values, or of a number."""
    if isinstance(value, Values):
        return value.array
    return torch.full((1, 1), value, dtype=torch.float64)


def _scalar(array: Any) -> Values:
    return Values(array[..., None, None])


def _each(function: Callable[[Any], Any]) -> Callable[[Any], Values]:
    return lambda value: Values(function(_matrix(value)))


def _dot(m: Any, n: Any) -> Values:
    return _scalar((_matrix(m) * _matrix(n)).sum((-2, -1)))


LANGUAGE: dict[str, Any] = {
    "tr": lambda m: _scalar(_matrix(m).diagonal(dim1=-2, dim2=-1).sum(-1)),
    "dot": _dot,
    "norm2": lambda m: _dot(m, m),
    "inv": _each(torch.linalg.inv),
    **{
        name: _each(getattr(torch, name))
        for name in (
            *("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh"),
            *("tanh", "sigmoid", "relu", "abs"),
        )
    },
    "softplus": _each(lambda x: torch.logaddexp(x, torch.zeros_like(x))),
}


def rows_and_cols(shape: Sequence[int]) -> tuple[int, int]:
    """Return a shape as that of a matrix: vectors are columns."""
    rows, cols = (*shape, 1, 1)[:2]
    return rows, cols


@dataclass(frozen=True)
class Problem:
    """A loss as text, and its names with integer shapes."""

    text: str
    parameters: Shapes
    data: Shapes
    constants: Shapes = field(default_factory=dict)

    @cached_property
    def loss(self) -> Loss:
        """The declared loss."""
        return Loss(
            self.text,
            ParameterSpace(dict(self.parameters)),
            dict(self.data),
            [Constant(name, shape) for name, shape in self.constants.items()],
        )

    @cached_property
    def size(self) -> int:
        """The number n of parameters' entries."""
        return sum(int(np.prod(shape)) for shape in self.parameters.values())

    def samples(self, count: int, seed: int = 0) -> dict[str, np.ndarray]:
        """Return data of so many samples, within ±1."""
        rng = np.random.default_rng((seed, 1))
        return {
            name: rng.uniform(-1, 1, (count, *shape))
            for name, shape in self.data.items()
        }

    def numbers(self, seed: int = 0) -> dict[str, np.ndarray]:
        """Return numbers of the constants; a square one is positive definite."""
        rng = np.random.default_rng((seed, 2))
        found = {}
        for name, shape in self.constants.items():
            array = rng.uniform(0.3, 1, shape)
            if len(shape) == 2 and shape[0] == shape[1]:
                array = array @ array.T + np.eye(shape[0])
            found[name] = array
        return found

    def start(self, replicas: int, seed: int = 0) -> np.ndarray:
        """Return parameters (replicas, n), within ±1 and not near 0."""
        rng = np.random.default_rng((seed, 3))
        signs = rng.choice([-1.0, 1.0], (replicas, self.size))
        return signs * rng.uniform(0.2, 1, (replicas, self.size))

    def gradient(
        self,
        theta: Any,
        data: Mapping[str, Any],
        constants: Mapping[str, Any] | None = None,
    ) -> np.ndarray:
        """Return ∇ℓ of every sample by autograd, (..., S, n).

        Args:
            theta: (..., n), numpy; its type is that of the computation.
            data: name → (..., S, *shape).
            constants: name → numbers.
        """
        kind = torch.as_tensor(theta).dtype
        count = next(iter(data.values())).shape[theta.ndim - 1] if data else 1
        wide = np.repeat(theta[..., None, :], count, axis=-2)
        flat = torch.tensor(wide, dtype=kind, requires_grad=True)
        total = self.values(flat, data, constants or {}).sum()
        if not total.requires_grad:
            return np.zeros_like(wide)
        (found,) = torch.autograd.grad(total, flat)
        return np.asarray(found.numpy())

    def values(
        self, flat: Any, data: Mapping[str, Any], constants: Mapping[str, Any]
    ) -> Any:
        """Return ℓ of every sample, (..., S), of a tensor θ, (..., S, n)."""
        names, place = dict(LANGUAGE), 0
        for name, shape in self.parameters.items():
            size = int(np.prod(shape))
            part = flat[..., place : place + size]
            names[name] = Values(part.reshape(*flat.shape[:-1], *rows_and_cols(shape)))
            place += size
        for name, shape in self.data.items():
            given = torch.as_tensor(data[name], dtype=flat.dtype)
            lead = given.shape[: given.ndim - len(shape)]
            names[name] = Values(given.reshape(*lead, *rows_and_cols(shape)))
        for name, shape in self.constants.items():
            given = torch.as_tensor(constants[name], dtype=flat.dtype)
            names[name] = Values(given.reshape(rows_and_cols(shape)))
        found = eval(self.text, {"__builtins__": {}}, names)
        return found.array[..., 0, 0].expand(flat.shape[:-1])


# --------------------------------------------------------------------- plain loops


@dataclass(frozen=True)
class Run:
    """The arguments of `simulate` that a plain loop needs."""

    lr: float = 0.05
    batch_size: int = 1
    steps: int = 6
    method: str = "sgd"
    weight_decay: float = 0.0
    momentum: float = 0.0
    replace: bool = True
    svag_level: int = 1
    seed: int = 3

    @property
    def keywords(self) -> dict[str, Any]:
        """As keywords."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def drawn(self, replicas: Any, step: int, N: int) -> list[np.ndarray]:
        """Return the minibatches of a step: one, or two for SVAG."""
        stream = Stream(self.seed, "simulate")
        purposes = (0, 2) if self.method == "svag" else (0,)
        return [
            stream.indices(
                replicas, step, self.batch_size, N, self.replace, purpose=purpose
            )
            for purpose in purposes
        ]


def plain_loop(
    problem: Problem,
    data: Mapping[str, np.ndarray],
    start: np.ndarray,
    run: Run,
    constants: Mapping[str, np.ndarray] | None = None,
    first_replica: int = 0,
) -> np.ndarray:
    """Return every state of SGD, SVAG or gradient descent, (steps + 1, R, n).

    Written out: gradients by autograd, the update by its definition, in the type of
    the start. Steps of SVAG are counted one by one, ℓ of them for each of `run.steps`.
    """
    theta, m = start.copy(), np.zeros_like(start)
    replicas = np.arange(first_replica, first_replica + len(start))
    N = len(next(iter(data.values())))
    level = run.svag_level if run.method == "svag" else 1
    root = np.sqrt(2 * level - 1)
    shares = [(1 + root) / 2, (1 - root) / 2] if run.method == "svag" else [1.0]
    states = [theta]
    for step in range(run.steps * level):
        if run.method == "gd":
            count = len(theta)
            every = {k: np.repeat(v[None], count, axis=0) for k, v in data.items()}
            g = problem.gradient(theta, every, constants).mean(axis=-2)
        else:
            g = np.zeros_like(theta)
            for share, rows in zip(shares, run.drawn(replicas, step, N), strict=True):
                chosen = {name: array[rows] for name, array in data.items()}
                each = problem.gradient(theta, chosen, constants)
                g = g + theta.dtype.type(share) * each.mean(axis=-2)
        m = run.momentum * m + g + 2 * run.weight_decay * theta
        theta = (theta - run.lr / level * m).astype(start.dtype)
        m = m.astype(start.dtype)
        states.append(theta)
    return np.stack(states)


def rounding(problem: Problem, run: Run, seed: int, constants: Any = None) -> float:
    """Return by how much a plain loop of 5 replicas changes in float32, relatively.

    Rounding errors are in proportion to the machine's epsilon: measured in float32,
    they say how much those of float64 are amplified on the way.
    """
    data, start = problem.samples(7, seed), problem.start(5, seed)
    fine = plain_loop(problem, data, start, run, constants)[-1]
    single = {name: array.astype(np.float32) for name, array in data.items()}
    rough = plain_loop(
        problem,
        {name: array.astype(np.float64) for name, array in single.items()},
        start.astype(np.float32).astype(np.float64),
        run,
        constants,
    )[-1]
    return float(np.abs(rough - fine).max() / np.abs(fine).max())


# ------------------------------------------------------------------- plain programs


def evaluated(
    program: Program, inputs: Mapping[str, np.ndarray], weights: np.ndarray
) -> list[np.ndarray]:
    """Return the value of every node of a program for S samples, (S, rows, cols).

    Args:
        program: the program.
        inputs: name → (rows, cols), or (S, rows, cols) for data.
        weights: of the samples, (S,).
    """
    count = len(weights)
    values: list[np.ndarray] = []
    for node in program.nodes:
        args = [values[i] for i in node.args]
        if node.op in ("parameter", "data", "constant"):
            value = inputs[node.detail]
        elif node.op == "number":
            value = np.full(node.shape, float(node.detail))
        elif node.op == "identity":
            value = np.eye(node.shape[0])
        elif node.op == "weight":
            value = weights[:, None, None]
        elif node.op == "function":
            value = _FUNCTIONS[node.detail](args[0])
        elif node.op == "power":
            value = args[0] ** float(node.detail)
        elif node.op == "entry":
            i, j = node.detail
            value = args[0][:, i : i + 1, j : j + 1]
        elif node.op == "assemble":
            value = np.concatenate(args, axis=2).reshape(count, *node.shape)
        else:
            value = _OPERATIONS[node.op](*args)
        values.append(np.broadcast_to(value, (count, *node.shape)))
    return values


_OPERATIONS: Mapping[str, Callable[..., np.ndarray]] = {
    "add": lambda a, b: a + b,
    "times": lambda a, b: a * b,
    "product": lambda a, b: a @ b,
    "transpose": lambda a: np.swapaxes(a, 1, 2),
    "inverse": lambda a: np.asarray(np.linalg.inv(a)),
    "dot": lambda a, b: (a * b).sum(axis=(1, 2), keepdims=True),
    "trace": lambda a: np.trace(a, axis1=1, axis2=2)[:, None, None],
    "total": lambda a: a.sum(axis=0, keepdims=True),
}
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.logaddexp(0, z),
    "relu": lambda z: np.maximum(z, 0),
    "step": lambda z: np.where(z > 0, 1.0, 0.0),
    **{
        name: getattr(np, name)
        for name in (
            *("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh"),
            *("abs", "sign"),
        )
    },
}


def split(problem: Problem, flat: np.ndarray) -> dict[str, np.ndarray]:
    """Return name → (..., rows, cols) of parameters (..., n)."""
    found, place = {}, 0
    for name, shape in problem.parameters.items():
        size = int(np.prod(shape))
        part = flat[..., place : place + size]
        found[name] = part.reshape(*flat.shape[:-1], *rows_and_cols(shape))
        place += size
    return found


def matrices(shapes: Shapes, data: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return name → (..., rows, cols) of arrays (..., *shape)."""
    return {
        name: data[name].reshape(
            *data[name].shape[: data[name].ndim - len(shape)], *rows_and_cols(shape)
        )
        for name, shape in shapes.items()
    }


# -------------------------------------------------------------------- random losses

ENTRYWISE = ("tanh", "sin", "cos", "relu", "sigmoid", "softplus", "abs")


class _Draw:
    """Draws expressions of given shapes."""

    def __init__(self, chance: random.Random, shapes: Shapes, smooth: bool) -> None:
        self._chance, self._smooth = chance, smooth
        self._leaves: dict[tuple[int, int], list[str]] = {}
        for name, shape in shapes.items():
            rows, cols = rows_and_cols(shape)
            self._leaves.setdefault((rows, cols), []).append(name)
            if shape and (rows, cols) != (1, 1):
                self._leaves.setdefault((cols, rows), []).append(f"{name}.T")
        self._sizes = sorted({rows for rows, cols in self._leaves if cols == 1})

    def _one(self, *choices: Any) -> Any:
        return self._chance.choice(choices)

    def matrix(self, shape: tuple[int, int], depth: int) -> str:
        if shape == (1, 1):
            return self.scalar(depth)
        leaves = self._leaves.get(shape, [])
        if leaves and (depth <= 0 or self._one(True, False)):
            return str(self._one(*leaves))
        kinds = ["product", "product", "sum", "scaled", "function"]
        kind = self._one(*kinds) if depth > 0 else "product"
        if kind == "sum":
            first, second = (self.matrix(shape, depth - 1) for _ in range(2))
            return f"({first} {self._one('+', '-')} {second})"
        if kind == "scaled":
            return f"{self.scalar(0)}*{self.matrix(shape, depth - 1)}"
        if kind == "function":
            return f"{self._function()}({self.matrix(shape, depth - 1)})"
        fitting = [k for k in self._sizes if k > 1 and self._has(shape, k)]
        inner = self._one(*fitting) if fitting else 1
        left = self.matrix((shape[0], inner), depth - 1 if fitting else 0)
        right = self.matrix((inner, shape[1]), depth - 1 if fitting else 0)
        return f"{left}*{right}"

    def _has(self, shape: tuple[int, int], inner: int) -> bool:
        left, right = (shape[0], inner), (inner, shape[1])
        return left in self._leaves and right in self._leaves

    def _function(self) -> str:
        smooth = [name for name in ENTRYWISE if name not in ("relu", "abs")]
        return str(self._one(*(smooth if self._smooth else ENTRYWISE)))

    def scalar(self, depth: int) -> str:
        if depth <= 0:
            name = str(self._one(*self._leaves[1, 1]))
            return str(self._one(name, name, f"2*{name}", f"{name}*1/3"))
        kind = self._one("norm2", "dot", "tr", "product", "sum", "function", "power")
        a, b = (self._one(*self._sizes) for _ in range(2))
        if kind == "norm2":
            return f"norm2({self.matrix((a, b), depth - 1)})"
        if kind == "dot":
            first, second = (self.matrix((a, b), depth - 1) for _ in range(2))
            return f"dot({first}, {second})"
        if kind == "tr":
            return f"tr({self.matrix((a, a), depth - 1)})"
        if kind == "product":
            return f"{self.scalar(depth - 1)}*{self.scalar(0)}"
        if kind == "sum":
            return f"({self.scalar(depth - 1)} - {self.scalar(depth - 1)})"
        if kind == "power":
            base = f"(1 + norm2({self.matrix((a, 1), depth - 1)}))"
            return f"{base}**({self._one('-1', '2', '-2', '1/2', '-1/3', '3/2')})"
        return f"{self._function()}({self.scalar(depth - 1)})"


def drawn_problem(seed: int, *, smooth: bool = False, inverses: bool = True) -> Problem:
    """Return a loss of the language with random shapes: 1 to 3 rows and columns."""
    chance = random.Random(seed)
    p, q, r = (chance.choice((1, 2, 2, 3)) for _ in range(3))
    parameters = {"U": (p, q), "W": (q, r), "b": (q,), "f": (1, q), "c": ()}
    data = {"x": (r,), "y": (p,), "Z": (q, r), "g": (1, p), "s": ()}
    constants = {"K": (2, 2), "k": ()}
    make = _Draw(chance, {**parameters, **data, **constants}, smooth)
    first = (
        "norm2(U*W*x - y)",
        "norm2(U*tanh(W*x + b) - c*y)",
        "tr(Z*W.T)*dot(b, W*x)",
    )
    parts = [chance.choice(first), f"norm2({make.matrix((p, 1), 2)} - y)"]
    parts += [make.scalar(2) for _ in range(chance.choice((1, 2)))]
    if inverses and chance.random() < 0.5:
        parts.append(f"tr(inv(K + norm2({make.matrix((q, 1), 1)})*K))*k")
    return Problem(" + ".join(parts), parameters, data, constants)


def problems(*, smooth: bool = False, inverses: bool = True) -> Any:
    """Draw a number, and with it a loss: evenly, where Hypothesis keeps to simple ones.

    Args:
        smooth: without relu and abs.
        inverses: with inverses of matrices.
    """
    return st.integers(0, 2**40).map(
        lambda seed: drawn_problem(seed, smooth=smooth, inverses=inverses)
    )
