"""Programs of matrix operations on arrays: many replicas and samples at once.

A value has one of four layouts, R being the replicas (1 for all alike) and S the
samples:

- the same for all samples: (R, rows, cols);
- a column or a scalar of each sample: (R, rows, S), so that a matrix times the columns
  of a minibatch is one matrix product;
- a row of each sample: (R, cols, S);
- a matrix of each sample: (R, S, rows, cols).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric._ensembles.plan import needed_places, only_summed
from symbolic import Program, ProgramNode


Array = NDArray[Any]
_Values = dict[int, Array]

_FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.logaddexp(0, z),
    "relu": lambda z: np.where(z > 0, z, np.where(np.isnan(z), z, z.dtype.type(0))),
    "abs": np.abs,
    "step": lambda z: np.heaviside(z, z.dtype.type(0)),
    "sign": np.sign,
}


class BatchedProgram:
    """Evaluates the gradient of a program for R replicas and S samples.

    Args:
        program: what to evaluate.
        dtype: "float32" or "float64".
        value: whether to evaluate the program's value instead.
    """

    def __init__(self, program: Program, dtype: str, *, value: bool = False) -> None:
        self._program, self._dtype = program, np.dtype(dtype)
        nodes = program.nodes
        results = [program.value] if value else [p for _, p in program.gradient]
        self._lazy = only_summed(nodes, results)
        self._needed = needed_places(nodes, results) - self._lazy
        self._rules: dict[str, Callable[[ProgramNode, _Values], Array]] = {
            "entry": self._entry,
            "assemble": self._assemble,
            "identity": lambda n, v: np.eye(n.shape[0], dtype=self._dtype)[None],
            "number": lambda n, v: np.full((1, *n.shape), n.detail, dtype=self._dtype),
            "add": lambda n, v: self._pair(n, v, np.add),
            "times": lambda n, v: self._pair(n, v, np.multiply),
            "product": self._product,
            "transpose": self._transpose,
            "inverse": lambda n, v: np.asarray(np.linalg.inv(v[n.args[0]])),
            "dot": self._dot,
            "trace": self._trace,
            "power": self._power,
            "function": lambda n, v: _FUNCTIONS[n.detail](v[n.args[0]]),
            "total": self._total,
        }
        self._layouts = [_layout(node) for node in nodes]

    def gradient(self, inputs: Mapping[str, Array], weight: Array) -> dict[str, Array]:
        """Return the gradient, name → (R, rows, cols).

        Args:
            inputs: name → value in its layout: parameters and constants (R, rows,
                cols); data (R, rows, S), or (R, S, rows, cols) for matrices.
            weight: w_z of the samples, broadcast to (R, 1, S).

        Returns:
            What the program's gradient is; of one sample each, in its layout.
        """
        values = self._values(inputs, weight)
        return {name: values[place] for name, place in self._program.gradient}

    def value(self, inputs: Mapping[str, Array]) -> Array:
        """Return the value of a program without samples, (R,).

        Args:
            inputs: name → (R, rows, cols).
        """
        values = self._values(inputs, np.ones((1, 1, 1)))
        return np.asarray(values[self._program.value][:, 0, 0])

    def _values(self, inputs: Mapping[str, Array], weight: Array) -> _Values:
        values: _Values = {}
        for place, node in enumerate(self._program.nodes):
            if place not in self._needed:
                continue
            if node.op in ("parameter", "data", "constant"):
                value = inputs[node.detail]
                row = node.sampled and node.shape[0] == 1 < node.shape[1]
                values[place] = value[:, :, 0].swapaxes(1, 2) if row else value
            elif node.op == "weight":
                values[place] = weight
            else:
                values[place] = self._rules[node.op](node, values)
        return values

    # ---------------------------------------------------------------- operations

    def _pair(self, node: ProgramNode, values: _Values, apply: Any) -> Array:
        a, b = (self._fitted(i, values[i], node) for i in node.args)
        return np.asarray(apply(a, b))

    def _fitted(self, place: int, value: Array, node: ProgramNode) -> Array:
        """Return an argument in the layout of a node that depends on the sample."""
        have, want = self._layouts[place], _layout(node)
        if have == want or not node.sampled:
            return value
        if self._program.nodes[place].size == 1:  # (R, 1, 1) or (R, 1, S)
            return np.swapaxes(value, 1, 2)[..., None] if want == "matrix" else value
        if want == "row":
            return np.swapaxes(value, 1, 2)
        return value[:, None] if want == "matrix" else value

    def _full(self, place: int, value: Array) -> Array:
        """Return a value as (R, S or 1, rows, cols)."""
        layout = self._layouts[place]
        if layout == "same":
            return value[:, None]
        if layout == "column":
            return np.moveaxis(value, 2, 1)[..., None]
        if layout == "row":
            return np.moveaxis(value, 2, 1)[:, :, None]
        return value

    def _product(self, node: ProgramNode, values: _Values) -> Array:
        a, b = node.args
        x, y = values[a], values[b]
        kinds = (self._layouts[a], self._layouts[b])
        if kinds in (("same", "same"), ("same", "column")):
            return np.asarray(x @ y)
        if kinds == ("row", "same"):  # (yᵀxᵀ)ᵀ
            return np.asarray(np.swapaxes(y, 1, 2) @ x)
        full = self._full(a, x) @ self._full(b, y)
        return self._narrowed(node, full)

    def _narrowed(self, node: ProgramNode, full: Array) -> Array:
        layout = _layout(node)
        if layout == "column":
            return np.moveaxis(full[..., 0], 1, 2)
        if layout == "row":
            return np.moveaxis(full[:, :, 0], 1, 2)
        return full

    def _transpose(self, node: ProgramNode, values: _Values) -> Array:
        value, layout = values[node.args[0]], self._layouts[node.args[0]]
        return value if layout in ("column", "row") else np.swapaxes(value, -1, -2)

    def _dot(self, node: ProgramNode, values: _Values) -> Array:
        kinds = {self._layouts[i] for i in node.args}
        if kinds <= {"same"}:
            x, y = (values[i] for i in node.args)
            return np.asarray((x * y).sum(axis=(1, 2), keepdims=True))
        if kinds <= {"column", "row"} and len(kinds) == 1:
            x, y = (values[i] for i in node.args)
            return np.asarray((x * y).sum(axis=1, keepdims=True))
        x, y = (self._full(i, values[i]) for i in node.args)
        return np.asarray((x * y).sum(axis=(2, 3))[:, None, :])

    def _trace(self, node: ProgramNode, values: _Values) -> Array:
        found: Array = np.trace(values[node.args[0]], axis1=-2, axis2=-1)
        return found[:, None, :] if node.sampled else found[:, None, None]

    def _entry(self, node: ProgramNode, values: _Values) -> Array:
        (a,), (i, j) = node.args, node.detail
        value, layout = values[a], self._layouts[a]
        if layout == "same":
            return value[:, i : i + 1, j : j + 1]
        if layout == "matrix":
            return value[:, None, :, i, j]
        k = i if layout == "column" else j
        return value[:, k : k + 1]

    def _assemble(self, node: ProgramNode, values: _Values) -> Array:
        parts = [self._full(i, values[i]) for i in node.args]
        parts = list(np.broadcast_arrays(*parts))
        full = np.concatenate(parts, axis=-1)
        full = full.reshape((*full.shape[:2], *node.shape))
        return self._narrowed(node, full) if node.sampled else full[:, 0]

    def _power(self, node: ProgramNode, values: _Values) -> Array:
        value, p = values[node.args[0]], node.detail
        if p == 2:
            return np.asarray(value * value)
        if p.denominator == 1:
            return np.asarray(value ** int(p) if p > 0 else (1 / value) ** int(-p))
        if p == 1 / 2:
            return np.asarray(np.sqrt(value))
        return np.asarray(value ** self._dtype.type(p))

    def _total(self, node: ProgramNode, values: _Values) -> Array:
        (a,) = node.args
        if a in self._lazy:
            left, right = self._program.nodes[a].args  # a column times a row
            return np.asarray(values[left] @ np.swapaxes(values[right], 1, 2))
        value, layout = values[a], self._layouts[a]
        if layout == "matrix":
            return np.asarray(value.sum(axis=1))
        summed = value.sum(axis=2, keepdims=True)
        return np.asarray(np.swapaxes(summed, 1, 2) if layout == "row" else summed)


def _layout(node: ProgramNode) -> str:
    if not node.sampled:
        return "same"
    if node.shape[1] == 1:
        return "column"
    return "row" if node.shape[0] == 1 else "matrix"
