"""From a declaration to its law: `derive` and `Derivation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import sympy as sp

from symbolic._charge import noether_charge
from symbolic._declaration import Declaration
from symbolic._discrete import ExactLaw, exact_law
from symbolic._errors import DeclarationError, NoCharge
from symbolic._ito import NoetherFlow, dot, gamma, lam, noether_flow, sigma2
from symbolic._orbit import Equilibrium, noise_equilibrium_equation
from symbolic._verdict import Finding, Verdict


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a derivation: the rule used, and the LaTeX of what it gave."""

    rule: str
    latex: str


@dataclass(frozen=True, slots=True)
class Derivation:
    """Everything derived from one declaration; build it with `derive`.

    Attributes:
        declaration: what was declared.
        invariance: whether ℓ has the symmetry, with the witness where it has not.
        steps: the derivation line by line.
    """

    declaration: Declaration
    invariance: Finding
    steps: tuple[Step, ...]
    _charge: sp.Expr | NoCharge
    _flow: NoetherFlow | None
    _exact_law: ExactLaw | None
    _equilibrium: Equilibrium | None

    @property
    def charge(self) -> sp.Expr:
        """Return C with ∇C = J.

        Raises:
            NoCharge: when J is not a gradient field.
        """
        if isinstance(self._charge, NoCharge):
            raise self._charge
        return self._charge

    @property
    def flow(self) -> NoetherFlow:
        """Return the drift of C under SGD noise, time in η·steps (P1, (5), (7)).

        Raises:
            NoCharge: when there is no charge.
        """
        return self._needs_charge(self._flow)

    @property
    def exact_law(self) -> ExactLaw:
        """Return C after one step of SGD, exactly (THEORY §3).

        Raises:
            NoCharge: when there is no charge.
        """
        return self._needs_charge(self._exact_law)

    @property
    def equilibrium(self) -> Equilibrium:
        """Return G on the orbit and λ* (P1, Theorem 1).

        Raises:
            DeclarationError: when the symmetry is not exponential.
        """
        if self._equilibrium is None:
            raise DeclarationError(
                f"expected an exponential symmetry for an equilibrium on the orbit, "
                f"got kind {self.declaration.symmetry.kind!r}"
            )
        return self._equilibrium

    @property
    def hessian_trace(self) -> sp.Expr | None:
        """Return Tr∇²ℓ + 2nγ per sample, or None without a loss."""
        loss = self.declaration.loss
        if loss is None:
            return None
        theta = self.declaration.space.symbols
        second = sum((loss.expression.diff(s, 2) for s in theta), sp.S.Zero)
        return second + 2 * gamma * len(theta)

    def to_dict(self) -> dict[str, Any]:
        """Return the derivation as the JSON object of `derive --json`."""
        symmetry, space = self.declaration.symmetry, self.declaration.space
        A = symmetry.matrix
        exists = not isinstance(self._charge, NoCharge)
        law, flow, eq = self._exact_law, self._flow, self._equilibrium
        values = [*symmetry.generator]
        if flow is not None and law is not None:
            values += [flow.expression, law.next_charge]
        if eq is not None:
            values.append(eq.balance)
        trace = self.hessian_trace
        if trace is not None:
            values.append(trace)
        free = set().union(*(value.free_symbols for value in values)) | set(
            space.symbols
        )
        return {
            "schema": 1,
            "name": self.declaration.name,
            "parameters": {name: list(shape) for name, shape in space.items},
            "symbols": sorted(symbol.name for symbol in free),
            "kind": symmetry.kind,
            "generator": {
                s.name: str(j)
                for s, j in zip(space.symbols, symmetry.generator, strict=True)
            },
            "matrix": None
            if A is None
            else [[str(A[i, j]) for j in range(A.cols)] for i in range(A.rows)],
            "charge": {"exists": True, "expression": str(self._charge)}
            if exists
            else {"exists": False, "witness": str(self._charge)},
            "integrating_factor": None,
            "invariance": {
                "verdict": self.invariance.verdict.name,
                "witness": None
                if self.invariance.witness is None
                else self.invariance.witness.describe(),
            },
            "flow": None
            if flow is None
            else {
                "expression": str(flow.expression),
                "noise": str(flow.noise),
                "weight_decay": str(flow.weight_decay),
                "loss": str(flow.loss),
            },
            "exact_law": None if law is None else str(law.next_charge),
            "equilibrium": None if eq is None else str(eq.balance),
            "hessian_trace": None if trace is None else str(trace),
        }

    def to_latex(self) -> str:
        """Return the derivation as an aligned LaTeX environment."""
        lines = [rf"&\text{{{step.rule}}} && {step.latex}" for step in self.steps]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"

    def _needs_charge(self, value: _T | None) -> _T:
        if isinstance(self._charge, NoCharge):
            raise self._charge
        assert value is not None  # derived with the charge
        return value


def derive(declaration: Declaration) -> Derivation:
    """Derive the charge, its flow, its exact law and its equilibrium.

    It derives from J whatever the invariance verdict is; where the loss lacks the
    symmetry, or the question is undecided, the flow carries −∇ℓ·J as a term of its own.

    Args:
        declaration: a symmetry, with or without a loss.

    Returns:
        The derivation, with its steps.

    Raises:
        DeclarationError: for anything but a declaration.

    >>> from symbolic import ParameterSpace, Symmetry
    >>> space = ParameterSpace(u=(), w=())
    >>> rescaling = Symmetry.exponential(space, [[1, 0], [0, -1]])
    >>> law = derive(Declaration("rescaling", space, rescaling))
    >>> law.charge
    u**2/2 - w**2/2
    >>> law.flow.noise
    sigma2*(Sigma_u_u - Sigma_w_w)
    """
    given: object = declaration
    if not isinstance(given, Declaration):
        raise DeclarationError(
            f"expected a Declaration, got {given!r:.60} (type {type(given).__name__}); "
            f"build one from a space and a symmetry, or load a file"
        )
    symmetry, loss = declaration.symmetry, declaration.loss
    invariance = symmetry.preserves(loss)
    broken = sp.S.Zero
    if loss is not None and invariance.verdict is not Verdict.PROVED:
        broken = dot(loss.gradient, symmetry.generator)
    charge: sp.Expr | NoCharge
    flow = law = None
    try:
        charge = noether_charge(symmetry)
        flow = noether_flow(declaration.space, charge, broken)
        law = exact_law(symmetry, charge)
    except NoCharge as error:
        charge = error
    equilibrium = (
        noise_equilibrium_equation(symmetry) if symmetry.kind == "exponential" else None
    )
    steps = _steps(declaration, invariance, charge, flow, law, equilibrium)
    return Derivation(declaration, invariance, steps, charge, flow, law, equilibrium)


def _steps(
    declaration: Declaration,
    invariance: Finding,
    charge: sp.Expr | NoCharge,
    flow: NoetherFlow | None,
    law: ExactLaw | None,
    equilibrium: Equilibrium | None,
) -> tuple[Step, ...]:
    J = ", ".join(_tex(entry) for entry in declaration.symmetry.generator)
    steps = [Step("generator at ρ = 0", rf"J(\theta) = \left({J}\right)")]
    if declaration.loss is not None:
        steps.append(
            Step(
                f"invariance, sample by sample: {invariance.verdict.name}",
                r"\nabla\ell(\theta, z)\cdot J(\theta) = 0"
                if invariance.verdict is Verdict.PROVED
                else r"\nabla\ell(\theta, z)\cdot J(\theta) \stackrel{?}{=} 0",
            )
        )
    if isinstance(charge, NoCharge) or flow is None or law is None:
        steps.append(
            Step("curl", r"\partial J \neq (\partial J)^\top: \text{no charge}")
        )
        return tuple(steps)
    steps += [
        Step(
            "Poincaré lemma",
            rf"C = \int_0^1 \theta\cdot J(t\theta)\,dt = {_tex(charge)}",
        ),
        Step(
            "Itô's lemma on the SDE, noise",
            rf"\sigma^2\,\mathrm{{Tr}}[\Sigma\nabla^2C] = {_tex(flow.noise)}",
        ),
        Step(
            "Itô's lemma on the SDE, decay",
            rf"-2\gamma\,\theta\cdot J = {_tex(flow.weight_decay)}",
        ),
        Step("one SGD step, terms with g·J removed", rf"C' = {_tex(law.next_charge)}"),
    ]
    if equilibrium is not None:
        steps.append(
            Step(
                "transport along the orbit",
                rf"G(\theta_\lambda) = {_tex(equilibrium.balance)}",
            )
        )
        if equilibrium.closed_form is not None:
            steps.append(Step("G = 0", rf"\lambda^* = {_tex(equilibrium.closed_form)}"))
    return tuple(steps)


def _tex(expression: sp.Expr) -> str:
    """Return LaTeX in which `sigma2` is σ² and `lam` is λ."""
    names = {sigma2: r"\sigma^{2}", lam: r"\lambda"}
    return str(sp.latex(expression, symbol_names=names))
