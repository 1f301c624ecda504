"""`compile`: the formulas of a derivation as numpy or torch functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from numeric._arrays import Backend, backend as _backend, in_form
from numeric._charges import Charge, Linear, Spectrum, general, linear, run
from numeric._codegen import Generated, generate
from numeric._errors import CompilationError, ShapeError
from numeric._standalone import ModuleEvaluators, standalone
from symbolic import MatrixPolynomial, NoCharge


@dataclass(frozen=True, slots=True, eq=False)
class Evaluators:
    """The compiled formulas of one derivation.

    θ is flat, (..., n), or a mapping name → (..., *shape). Leading axes broadcast,
    results have θ's dtype and device, torch results are differentiable. NaN in θ, Σ
    or the gradients comes out as NaN. Where the generator is no gradient field, all
    but `generator` raise its `NoCharge`.

    Attributes:
        derivation: what was compiled.
    """

    derivation: Any
    _library: Backend
    _field: Linear | Generated
    _charge: Charge | NoCharge
    _spectrum: Spectrum | None

    @property
    def source(self) -> str:
        """The generated source; "" where matrix products do it all."""
        if isinstance(self._field, Generated):
            return self._field.source
        return "" if isinstance(self._charge, NoCharge) else self._charge.source

    def generator(self, theta: Any) -> Any:
        """Return J(θ), in the form of θ.

        Args:
            theta: parameters.

        Returns:
            J, (..., n), or a mapping.
        """
        flat = self._flat(theta, "theta")
        return in_form(self._space, self._vector_field(flat), theta)

    def charge(self, theta: Any) -> Any:
        """Return C(θ), with ∇C = J.

        Args:
            theta: parameters.

        Returns:
            The charge, (...).
        """
        return self._form().value(self._flat(theta, "theta"))

    def drift(
        self,
        theta: Any,
        Sigma: Any = None,
        *,
        gradients: Any = None,
        sigma2: Any,
        gamma: Any,
    ) -> Any:
        """Return the Noether flow −2γ θ·J + σ² Tr[Σ ∇²C] (arXiv 2402.07193, Eq. 7).

        Args:
            theta: parameters.
            Sigma: centred covariance of per-sample gradients, (..., n, n).
            gradients: instead of it, per-sample gradients (..., N, n), or a mapping
                name → (..., N, *shape); centred here, over N, without a matrix.
            sigma2: σ² = η/(2S), a number or (...).
            gamma: weight decay γ of γ‖θ‖², a number or (...).

        Returns:
            dC/dt, (...), in units of 1/(η·steps).
        """
        form, flat = self._form(), self._flat(theta, "theta")
        kind, noise = self._noise(flat, Sigma, gradients)
        spread = form.trace if kind == "Sigma" else form.spread
        s2, decay = (self._library.scalar(x, flat) for x in (sigma2, gamma))
        pull = (flat * self._vector_field(flat)).sum(-1)
        return s2 * spread(flat, noise) - 2.0 * decay * pull

    def balance(
        self,
        lam: Any,
        theta: Any,
        Sigma: Any = None,
        *,
        gradients: Any = None,
        sigma2: Any,
        gamma: Any,
    ) -> Any:
        """Return G(θ_λ), the flow at e^{λA}θ, from the noise at θ (ibid., Theorem 1).

        Along the orbit the noise is e^{−λA}Σe^{−λA}. G overflows to −inf for large λ
        and to +inf for large −λ, never to NaN: each side has terms of one sign only.

        Args:
            lam: λ, a number or (...).
            theta: parameters.
            Sigma: as in `drift`, at θ itself.
            gradients: as in `drift`, at θ itself.
            sigma2: as in `drift`.
            gamma: as in `drift`.

        Returns:
            G, (...).

        Raises:
            CompilationError: when the symmetry is not exponential.
        """
        self._form()
        if self._spectrum is None:
            raise CompilationError(
                f"balance: expected an exponential symmetry, J = Aθ with A = Aᵀ, got "
                f"kind {self.derivation.declaration.symmetry.kind!r}; use drift"
            )
        flat = self._flat(theta, "theta")
        kind, noise = self._noise(flat, Sigma, gradients)
        t = self._spectrum.coordinates(flat) ** 2
        s = self._spectrum.variances(kind, noise)
        mu = self._library.like(self._spectrum.mu, flat)
        turn = 2.0 * self._library.like(lam, flat)[..., None] * mu
        s2, decay = (self._library.scalar(x, flat) for x in (sigma2, gamma))
        with np.errstate(over="ignore", invalid="ignore"):
            grown = (mu * self._turned(s, -turn)).sum(-1)
            pulled = (mu * self._turned(t, turn)).sum(-1)
            return self._scaled(s2, grown) - 2.0 * self._scaled(decay, pulled)

    def step(self, theta: Any, g: Any, *, eta: Any, gamma: Any) -> Any:
        """Return C' = C((1 − 2ηγ)θ − ηg), the charge after one SGD step.

        Exact for every g. Where g·J(θ) = 0 and J = Aθ it is
        (1 − 2ηγ)² C + ½η² gᵀAg.

        Args:
            theta: parameters.
            g: minibatch gradient of ℓ, without the decay, in either form of θ.
            eta: learning rate η, a number or (...).
            gamma: weight decay γ, a number or (...).

        Returns:
            C', (...).
        """
        form, flat = self._form(), self._flat(theta, "theta")
        push = self._library.like(self._flat(g, "g"), flat)
        rate, decay = (self._library.scalar(x, flat) for x in (eta, gamma))
        kept = self._column(1.0 - 2.0 * rate * decay)
        return form.value(kept * flat - self._column(rate) * push)

    @property
    def _space(self) -> Any:
        return self.derivation.declaration.space

    def _flat(self, value: Any, what: str) -> Any:
        return self._library.flat(self._space, value, what)

    def _form(self) -> Charge:
        if isinstance(self._charge, NoCharge):
            raise self._charge
        return self._charge

    def _vector_field(self, flat: Any) -> Any:
        if isinstance(self._field, Generated):
            return run(self._library, self._field, flat)
        return self._field.field(flat)

    def _noise(self, flat: Any, Sigma: Any, gradients: Any) -> tuple[str, Any]:
        """Return which form of the noise was given, and Σ or centred gradients.

        Raises:
            ShapeError: when none or both are given, or the shape does not fit.
        """
        if (Sigma is None) == (gradients is None):
            given = "neither" if Sigma is None else "both"
            raise ShapeError(f"expected one of Sigma and gradients, got {given}")
        n = self._space.size
        if gradients is None:
            matrix = self._library.like(self._library.floating(Sigma, "Sigma"), flat)
            if tuple(matrix.shape[-2:]) != (n, n):
                raise ShapeError(
                    f"Sigma: expected shape (..., {n}, {n}), got {tuple(matrix.shape)}"
                )
            return "Sigma", matrix
        samples = self._library.like(self._flat(gradients, "gradients"), flat)
        if samples.ndim < 2 or samples.shape[-2] == 0:
            raise ShapeError(
                f"gradients: expected shape (..., N, {n}) with N >= 1 samples, got "
                f"{tuple(samples.shape)}"
            )
        return "gradients", samples - samples.mean(-2)[..., None, :]

    def _turned(self, weights: Any, exponents: Any) -> Any:
        """Return weights · e^exponents, with 0 · inf = 0."""
        xp = self._library.xp
        endless = (weights == 0) & xp.isinf(xp.exp(0.5 * exponents))
        half = xp.exp(0.5 * xp.where(endless, 0.0, exponents))
        return weights * half * half  # in two steps: e^exponents alone may overflow

    def _scaled(self, factor: Any, total: Any) -> Any:
        """Return factor · total, with 0 · inf = 0."""
        xp = self._library.xp
        return factor * xp.where((factor == 0) & xp.isinf(total), 0.0, total)

    def _column(self, value: Any) -> Any:
        return value if isinstance(value, float) else value[..., None]


def compile(
    derivation: Any, backend: Literal["numpy", "torch"] = "numpy"
) -> Evaluators | ModuleEvaluators:
    """Compile a derivation's formulas.

    A generator J = Aθ + b becomes matrix products with the numbers of A and b; a
    nonlinear one becomes generated code. With symbolic sizes or constants left in J,
    the evaluators run the text of `module_source`. An expression without a numeric
    counterpart is a `CompilationError`.

    Args:
        derivation: what `derive` returned.
        backend: "numpy" or "torch".

    Returns:
        The evaluators.
    """
    library = _backend(backend)
    declaration = derivation.declaration
    symmetry = declaration.symmetry
    of_matrices = any(isinstance(J, MatrixPolynomial) for J in symmetry.generator)
    if of_matrices or list(getattr(symmetry, "constants", ())):
        return standalone(derivation, backend)
    symbols = declaration.space.symbols
    field: Linear | Generated
    if symmetry.matrix is not None:
        field = linear(library, symmetry.matrix, symmetry.offset)
    else:
        field = generate(symbols, list(symmetry.generator), "generator")
    charge = _charge(library, derivation, field)
    spectrum = None
    if isinstance(field, Linear) and symmetry.kind == "exponential":
        spectrum = field.spectrum()
    return Evaluators(derivation, library, field, charge, spectrum)


def _charge(
    library: Backend, derivation: Any, field: Linear | Generated
) -> Charge | NoCharge:
    try:
        expression = derivation.charge
    except NoCharge as missing:
        return missing
    if isinstance(field, Linear):
        return field
    declaration = derivation.declaration
    generator = list(declaration.symmetry.generator)
    return general(library, declaration.space.symbols, generator, expression)
