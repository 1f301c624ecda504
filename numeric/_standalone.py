"""The functions of a compiled module, in this process: `ModuleEvaluators`."""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from numeric._errors import CompilationError, ShapeError
from numeric._module import module_source


@dataclass(frozen=True, slots=True, eq=False)
class ModuleEvaluators:
    """The compiled formulas of a derivation with symbolic sizes or constants.

    The methods are those of `Evaluators`; where the derivation has constants, each
    takes their values by name as `constants=`. Symbolic sizes are read from θ, which
    is a mapping name → (..., *shape) then. They run the text of `module_source`.

    Attributes:
        derivation: what was compiled.
        source: the text of the module.
    """

    derivation: Any
    source: str
    _functions: Mapping[str, Any]

    def generator(self, theta: Any, **constants: Any) -> Any:
        """Return J(θ), in the form of θ.

        Args:
            theta: parameters.
            **constants: `constants`, name → value, where there are some.

        Returns:
            J, (..., n), or a mapping.
        """
        return self._call("generator", theta, **constants)

    def charge(self, theta: Any, **constants: Any) -> Any:
        """Return C(θ), with ∇C = J.

        Args:
            theta: parameters.
            **constants: as in `generator`.

        Returns:
            The charge, (...).
        """
        return self._call("charge", theta, **constants)

    def drift(
        self,
        theta: Any,
        Sigma: Any = None,
        *,
        gradients: Any = None,
        sigma2: Any,
        gamma: Any,
        **constants: Any,
    ) -> Any:
        """Return the Noether flow −2γ θ·J + σ² Tr[Σ ∇²C] (arXiv 2402.07193, Eq. 7).

        Args:
            theta: parameters.
            Sigma: centred covariance of per-sample gradients, (..., n, n).
            gradients: instead of it, per-sample gradients, name → (..., N, *shape) or
                (..., N, n); centred here, over N.
            sigma2: σ² = η/(2S), a number or (...).
            gamma: weight decay γ of γ‖θ‖², a number or (...).
            **constants: as in `generator`.

        Returns:
            dC/dt, (...), in units of 1/(η·steps).
        """
        rates = {"sigma2": sigma2, "gamma": gamma, **constants}
        return self._call("drift", theta, Sigma, gradients=gradients, **rates)

    def balance(
        self,
        lam: Any,
        theta: Any,
        Sigma: Any = None,
        *,
        gradients: Any = None,
        sigma2: Any,
        gamma: Any,
        **constants: Any,
    ) -> Any:
        """Return G(θ_λ), the flow at e^{λA}θ, from the noise at θ (ibid., Theorem 1).

        Args:
            lam: λ, a number or (...).
            theta: parameters.
            Sigma: as in `drift`, at θ itself.
            gradients: as in `drift`, at θ itself.
            sigma2: as in `drift`.
            gamma: as in `drift`.
            **constants: as in `generator`.

        Returns:
            G, (...).
        """
        rates = {"sigma2": sigma2, "gamma": gamma, **constants}
        return self._call("balance", lam, theta, Sigma, gradients=gradients, **rates)

    def step(
        self, theta: Any, g: Any, *, eta: Any, gamma: Any, **constants: Any
    ) -> Any:
        """Return C' = C((1 − 2ηγ)θ − ηg), the charge after one SGD step.

        Args:
            theta: parameters.
            g: minibatch gradient of ℓ, without the decay, in a form of θ.
            eta: learning rate η, a number or (...).
            gamma: weight decay γ, a number or (...).
            **constants: as in `generator`.

        Returns:
            C', (...).
        """
        return self._call("step", theta, g, eta=eta, gamma=gamma, **constants)

    def _call(self, name: str, *values: Any, **named: Any) -> Any:
        if name not in self._functions:
            _ = self.derivation.charge  # raises where there is none
            raise CompilationError(
                f"{name}: expected an exponential symmetry, J = Aθ with A = Aᵀ, got "
                f"kind {self.derivation.declaration.symmetry.kind!r}; use drift"
            )
        try:
            return self._functions[name](*values, **named)
        except ValueError as error:
            raise ShapeError(*error.args) from error


def standalone(derivation: Any, backend: Literal["numpy", "torch"]) -> ModuleEvaluators:
    """Run the module of a derivation and return its functions.

    Args:
        derivation: what `derive` returned.
        backend: "numpy" or "torch".

    Returns:
        The evaluators, whose lines tracebacks and debuggers show.
    """
    source = module_source(derivation, backend)
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    file = f"<generated module {digest}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict[str, Any] = {"__name__": f"generated_{digest}"}
    exec(compile(source, file, "exec"), scope)
    names = ("generator", "charge", "drift", "balance", "step")
    functions = {name: scope[name] for name in names if name in scope}
    return ModuleEvaluators(derivation, source, functions)
