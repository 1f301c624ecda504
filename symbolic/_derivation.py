"""From a declaration to its law: `derive` and `Derivation`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import sympy as sp

from symbolic._declaration import Declaration
from symbolic._derivation_document import document
from symbolic._errors import DeclarationError, NoCharge
from symbolic._exact.atoms import number_of_terms
from symbolic._exact.equality import compare
from symbolic._laws.charge import noether_charge
from symbolic._laws.discrete import ExactLaw, exact_law
from symbolic._laws.explicit_noise import CovarianceFromMoments, moments_covariance
from symbolic._laws.ito import NoetherFlow, dot, gamma, lam, noether_flow, sigma2
from symbolic._loss import Loss
from symbolic._matrices.derivation import MatrixDerivation, derive_matrices
from symbolic._optimisers.law import DiscreteLaw
from symbolic._optimisers.linear import discrete_laws
from symbolic._orbits.balance import Equilibrium, noise_equilibrium_equation
from symbolic._orbits.laws import (
    Characteristic,
    DegenerateCase,
    characteristic,
    degenerate_cases,
)
from symbolic._orbits.sharpness import OrbitTrace, hessian_trace_on_orbit
from symbolic._steps import Step, aligned, table
from symbolic._symmetries.conditions import find_condition
from symbolic._symmetries.integrating_factor import (
    IntegratingFactor,
    NoFactor,
    integrating_factor,
)
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict


MAX_TIDY = 300  # operations, and terms, in an expression that is factored
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Derivation:
    """Everything derived from one declaration; build it with `derive`.

    Attributes:
        declaration: what was declared.
        invariance: whether ℓ has the symmetry, with the witness where it has not.
        steps: the derivation line by line.
        integrating_factor: where J is no gradient field, f with f·J = ∇F, or why none
            was found. F is the charge of f·J, which preserves what J preserves; it is
            no charge of J.
    """

    declaration: Declaration
    invariance: Finding
    steps: tuple[Step, ...]
    _charge: sp.Expr | NoCharge
    _flow: NoetherFlow | None
    _exact_law: ExactLaw | None
    _equilibrium: Equilibrium | None
    integrating_factor: IntegratingFactor | NoFactor | None = None

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

    @property
    def integrated_flow(self) -> NoetherFlow | None:
        """Return the drift of F where an integrating factor was found, else None."""
        if not isinstance(self.integrating_factor, IntegratingFactor):
            return None
        F = self.integrating_factor.expression
        flow = noether_flow(self.declaration.space, F)
        noise = sp.S.Zero if self._is_conserved(F) else _tidy(flow.noise)
        return NoetherFlow(noise, _tidy(flow.weight_decay), flow.loss)

    def _is_conserved(self, F: sp.Expr) -> bool:
        """Decide whether ΣJ = 0 makes the noise of F vanish, for J of two components.

        Σ is then a multiple of nnᵀ with n orthogonal to J, and the noise of nᵀ∇²F n.

        Args:
            F: a function of the two.

        Returns:
            Whether it is proved.
        """
        pairs = zip(
            self.declaration.space.symbols,
            self.declaration.symmetry.generator,
            strict=True,
        )
        moving = [(s, j) for s, j in pairs if j != 0]
        if len(moving) != 2 or F.free_symbols - {s for s, _ in moving}:
            return False
        (x, a), (y, b) = moving
        along = F.diff(x, 2) * b**2 - 2 * F.diff(x, y) * a * b + F.diff(y, 2) * a**2
        return compare(along, sp.S.Zero).verdict is Verdict.PROVED

    @property
    def covariance(self) -> CovarianceFromMoments | None:
        """Return Σ(θ) in the moments of the data, None unless ℓ is polynomial there."""
        loss = self.declaration.loss
        return None if loss is None else _covariance(loss)

    @property
    def explicit_noise(self) -> sp.Expr | None:
        """Return σ²Tr[Σ∇²C] with Σ in the moments of the data, where it can be."""
        covariance = self.covariance
        if covariance is None or isinstance(self._charge, NoCharge):
            return None
        H = sp.ImmutableDenseMatrix(
            sp.hessian(self._charge, self.declaration.space.symbols)
        )
        return sigma2 * covariance.trace(H)

    @property
    def characteristic(self) -> Characteristic | None:
        """Return G = 0 as a polynomial equation where the spectrum allows it."""
        return None if self._equilibrium is None else characteristic(self._equilibrium)

    @property
    def shift(self) -> sp.Expr | None:
        """Return λ* in closed form where one is known."""
        if self._equilibrium is None:
            return None
        if self._equilibrium.closed_form is not None:
            return self._equilibrium.closed_form
        found = self.characteristic
        return None if found is None else found.closed_form

    @property
    def degenerate_cases(self) -> tuple[DegenerateCase, ...]:
        """Return when λ* is no finite number; () where the eigenvalues have no sign."""
        if self._equilibrium is None:
            return ()
        try:
            return degenerate_cases(self._equilibrium)
        except DeclarationError:
            return ()

    @property
    def orbit_trace(self) -> OrbitTrace | None:
        """Return the trace of the Hessian along the orbit of a symmetry ℓ has."""
        proved = self.invariance.verdict is Verdict.PROVED
        if self._equilibrium is None or not proved:
            return None
        try:
            declaration = self.declaration
            return hessian_trace_on_orbit(
                declaration.symmetry, declaration.loss, preserved=True
            )
        except DeclarationError:
            return None

    @property
    def discrete_laws(self) -> tuple[DiscreteLaw, ...]:
        """Return the exact law under other optimisers, or what breaks it.

        Raises:
            NoCharge: when there is no charge.
        """
        return discrete_laws(self.declaration.symmetry, self.charge)

    def to_dict(self, *, optimisers: bool = False) -> dict[str, Any]:
        """Return the derivation as the JSON object of `derive --json`.

        Args:
            optimisers: whether the laws of all optimisers are in it.

        Returns:
            What JSON can hold; expressions as text.
        """
        return document(self, optimisers=optimisers)

    def to_latex(self) -> str:
        """Return the derivation as an aligned LaTeX environment."""
        return aligned(self.steps)

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"

    def _repr_html_(self) -> str:
        return table(self.declaration.name, self.steps)

    def _needs_charge(self, value: _T | None) -> _T:
        if isinstance(self._charge, NoCharge):
            raise self._charge
        assert value is not None  # derived with the charge
        return value


def derive(declaration: Declaration) -> Derivation | MatrixDerivation:
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
    if declaration.is_matrix:
        return derive_matrices(declaration)
    return derive_components(declaration)


def derive_components(declaration: Declaration) -> Derivation:
    """Derive at integer sizes, in the n components of θ.

    Args:
        declaration: a symmetry in components, with or without a loss.

    Returns:
        The derivation.
    """
    symmetry, loss = declaration.symmetry, declaration.loss
    invariance = symmetry.preserves(loss)
    if loss is not None and invariance.verdict is Verdict.REFUTED:
        invariance = _conditional(symmetry, loss, invariance)
    broken = sp.S.Zero
    if loss is not None and invariance.verdict is not Verdict.PROVED:
        broken = _tidy(dot(loss.gradient, symmetry.generator))
    charge: sp.Expr | NoCharge
    flow = law = factor = None
    try:
        charge = noether_charge(symmetry)
        flow = noether_flow(declaration.space, charge, broken)
        law = exact_law(symmetry, charge)
    except NoCharge as error:
        charge = error
        factor = integrating_factor(symmetry)
    equilibrium = (
        noise_equilibrium_equation(symmetry) if symmetry.kind == "exponential" else None
    )
    steps = _steps(declaration, invariance, charge, flow, law, equilibrium)
    return Derivation(
        declaration, invariance, steps, charge, flow, law, equilibrium, factor
    )


@lru_cache(maxsize=4)
def _covariance(loss: Loss) -> CovarianceFromMoments | None:
    """Return Σ(θ) in the moments of the data, kept: its users are several."""
    try:
        return moments_covariance(loss)
    except DeclarationError:
        return None


def _tidy(expression: sp.Expr) -> sp.Expr:
    """Return a rational expression in lowest terms, factored; a large one as it is."""
    rational = expression.is_rational_function(*expression.free_symbols)
    if (
        not rational
        or max(expression.count_ops(), number_of_terms(expression)) > MAX_TIDY
    ):
        return expression
    return sp.factor(sp.cancel(expression))


def _conditional(symmetry: Symmetry, loss: Loss, refuted: Finding) -> Finding:
    """Return a refutation with the restriction under which the symmetry holds."""
    found = find_condition(symmetry, loss)
    if found is None:
        return refuted
    return replace(refuted, condition=f"it holds {found.text}")


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
