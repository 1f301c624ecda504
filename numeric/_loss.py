"""Per-sample losses and their gradients as array functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from numeric._arrays import Backend, backend as _backend, in_form
from numeric._codegen import Generated, generate
from numeric._errors import ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class LossEvaluator:
    """A compiled per-sample loss ℓ(θ, z).

    θ is flat, (..., n), or a mapping name → (..., *shape); data is a mapping
    name → (..., *shape). Leading axes broadcast: θ (R, 1, n) with data (N,) gives
    (R, N). The result has θ's dtype and device. NaN in gives NaN out.

    Attributes:
        loss: the `Loss` this was compiled from.
        source: the generated Python source of both functions.
    """

    loss: Any
    _library: Backend
    _value: Generated
    _gradient: Generated

    @property
    def source(self) -> str:
        """The generated source."""
        return f"{self._value.source}\n\n{self._gradient.source}"

    def value(self, theta: Any, data: Mapping[str, Any]) -> Any:
        """Return ℓ(θ, z), with the broadcast leading axes.

        Args:
            theta: parameters.
            data: samples.

        Returns:
            The loss of each sample.
        """
        return self._run(self._value, theta, data)[..., 0]

    def gradient(self, theta: Any, data: Mapping[str, Any]) -> Any:
        """Return ∇_θ ℓ(θ, z) in the form of θ, with the broadcast leading axes.

        Args:
            theta: parameters.
            data: samples.

        Returns:
            The gradient of each sample.
        """
        result = self._run(self._gradient, theta, data)
        return in_form(self.loss.space, result, theta)

    def _run(self, function: Generated, theta: Any, data: Mapping[str, Any]) -> Any:
        library, space = self._library, self.loss.space
        flat = library.flat(space, theta, "theta")
        arrays = [flat[..., i] for i in range(space.size)]
        lead = tuple(flat.shape[:-1])
        samples = _components(library, self.loss.data, data)
        samples = [library.like(sample, flat) for sample in samples]
        try:
            lead = library.xp.broadcast_shapes(lead, *(tuple(x.shape) for x in samples))
        except (ValueError, RuntimeError) as error:
            shapes = ", ".join(str(tuple(x.shape)) for x in samples)
            raise ShapeError(
                f"expected leading axes of theta and data that broadcast, got {lead} "
                f"and {shapes}; insert an axis, as in theta[:, None, :]"
            ) from error
        return library.stack(function.call(library.xp, *arrays, *samples), lead, flat)


def compile_loss(
    loss: Any, backend: Literal["numpy", "torch"] = "numpy"
) -> LossEvaluator:
    """Compile a per-sample loss and its gradient.

    Args:
        loss: a `symbolic.Loss`.
        backend: "numpy" or "torch"; torch results are differentiable.

    Returns:
        The evaluator.
    """
    symbols = (*loss.space.symbols, *loss.data.symbols)
    return LossEvaluator(
        loss,
        _backend(backend),
        generate(symbols, [loss.expression], "value"),
        generate(symbols, list(loss.gradient), "gradient"),
    )


def _components(library: Backend, space: Any, data: Mapping[str, Any]) -> list[Any]:
    """Return the scalar components of the data, in the order of its symbols.

    Raises:
        ShapeError: when names or shapes do not fit.
    """
    if set(data) != set(space.names):
        raise ShapeError(
            f"data: expected the names {', '.join(space.names) or '(none)'}, got "
            f"{', '.join(map(str, data)) or 'none'}"
        )
    parts = [library.part(space, name, data[name], "data") for name in space.names]
    return [part[..., i] for part in parts for i in range(part.shape[-1])]
