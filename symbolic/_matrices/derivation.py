"""The law of a symmetry of matrix parameters, all sizes free: `MatrixDerivation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

from symbolic._declaration import Declaration
from symbolic._derivation_document import invariance_document, optimiser_document
from symbolic._errors import DeclarationError, NoCharge
from symbolic._language.words import space_words
from symbolic._laws.charge import check_curl
from symbolic._matrices.at_sizes import is_short, small_sizes
from symbolic._matrices.equilibrium import MatrixEquilibrium, matrix_equilibrium
from symbolic._matrices.flow import MatrixFlow, hessian_trace
from symbolic._matrices.notation import latex_names
from symbolic._matrices.symmetry import charge_of, degrees
from symbolic._optimisers.law import DiscreteLaw
from symbolic._optimisers.matrices import matrix_discrete_laws
from symbolic._steps import Step, aligned, table as html_table
from symbolic._symmetries.invariance import by_example
from symbolic._verdict import Finding, Verdict
from symbolic._words.applied import Table, names_in, partial_table
from symbolic._words.calculus import gradient, substitute
from symbolic._words.notation import latex
from symbolic._words.polynomial import (
    MatrixPolynomial,
    dot,
    identity,
    matrix,
    sample,
    scalar,
    zero,
)
from symbolic._words.text import text


Words = tuple[MatrixPolynomial, ...]
_KAPPA = "(1 - 2*eta*gamma)"


@dataclass(frozen=True, slots=True)
class MatrixLaw:
    """C' after one step θ' = θ − η(g + 2γθ), at any size.

    Attributes:
        next_charge: C' in θ, the letters `g_X` of a minibatch gradient, η and γ.
        expectation: E[C' | θ] in the mean gradient `gbar_X`, the centred gradient of a
            sample `h_X` and S, with replacement; None where C is not quadratic.
        proof: the finding that next_charge equals C(θ') modulo g·J = 0.
    """

    next_charge: MatrixPolynomial
    expectation: MatrixPolynomial | None
    proof: Finding


@dataclass(frozen=True, slots=True)
class Family:
    """The law of all symmetric B at once, where J is linear in a constant B.

    Attributes:
        constant: the name of B.
        name: "Q", or another letter where a parameter has that name.
        charge: Q with C = ½Tr[QB].
        flow: dQ/dt, by cause.
    """

    constant: str
    name: str
    charge: MatrixPolynomial
    flow: MatrixFlow


@dataclass(frozen=True, slots=True)
class MatrixDerivation:
    """What `derive` returns where J is in words of matrices.

    Attributes:
        declaration: what was declared.
        invariance: whether ℓ has the symmetry, with the witness where it has not.
        hessian_trace: Tr∇²(E[ℓ] + γ‖θ‖²) of a polynomial loss, else None.
        explicit_noise: σ²Tr[Σ∇²C] in the data, for a polynomial loss, else None.
    """

    declaration: Declaration
    invariance: Finding
    hessian_trace: MatrixPolynomial | None
    explicit_noise: MatrixPolynomial | None
    _charge: MatrixPolynomial | NoCharge
    _flow: MatrixFlow
    _exact_law: MatrixLaw | None
    _equilibrium: MatrixEquilibrium | None
    _families: tuple[Family, ...]

    @property
    def charge(self) -> MatrixPolynomial:
        """Return C with ∇C = J.

        Raises:
            NoCharge: when J is not a gradient field.
        """
        if isinstance(self._charge, NoCharge):
            raise self._charge
        return self._charge

    @property
    def flow(self) -> MatrixFlow:
        """Return the drift of C under SGD noise, time in η·steps (P1, (5), (7)).

        `h_X` is the centred gradient of a sample in X, `gbar_X` the mean gradient.

        Raises:
            NoCharge: when there is no charge.
        """
        _ = self.charge
        return self._flow

    @property
    def exact_law(self) -> MatrixLaw:
        """Return C after one step of SGD, exactly (THEORY §3).

        Raises:
            NoCharge: when there is no charge.
            DeclarationError: when J is no polynomial.
        """
        _ = self.charge
        if self._exact_law is None:
            raise DeclarationError(
                "expected J as a polynomial of moderate degree for the exact law at "
                "symbolic sizes; give the sizes as numbers"
            )
        return self._exact_law

    @property
    def equilibrium(self) -> MatrixEquilibrium:
        """Return G on the orbit (P1, Theorem 1).

        Raises:
            DeclarationError: when the symmetry is not exponential, or mixes parameters.
        """
        if self._equilibrium is None:
            raise DeclarationError(
                f"expected an exponential symmetry J_X = LX + XR, L and R constant, "
                f"for an equilibrium at symbolic sizes, got kind "
                f"{self.declaration.symmetry.kind!r}"
            )
        return self._equilibrium

    @property
    def families(self) -> tuple[Family, ...]:
        """Return the laws of all symmetric constants at once (P1, Eqs. (12), (13)).

        Raises:
            NoCharge: when there is no charge.
        """
        _ = self.charge
        return self._families

    @property
    def discrete_laws(self) -> tuple[DiscreteLaw, ...]:
        """Return the exact law under SGD, heavy ball and Nesterov.

        Those of other optimisers are derived at integer sizes.

        Raises:
            NoCharge: when there is no charge.
            DeclarationError: when J is neither linear nor affine.
        """
        symmetry, charge = self.declaration.symmetry, self.charge
        if symmetry.kind not in ("exponential", "affine"):
            raise DeclarationError(
                f"expected a linear or affine J for the laws of optimisers at "
                f"symbolic sizes, got kind {symmetry.kind!r}"
            )
        parameters = tuple(space_words(self.declaration.space).values())
        return matrix_discrete_laws(charge, symmetry.generator, parameters)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the derivation line by line."""
        return tuple(_steps(self))

    def to_dict(self, *, optimisers: bool = False) -> dict[str, Any]:
        """Return the derivation as the JSON object of `derive --json`.

        Args:
            optimisers: whether the laws of optimisers are in it.

        Returns:
            What JSON can hold; expressions in the language of declaration files.
        """
        declaration, symmetry = self.declaration, self.declaration.symmetry
        found = isinstance(self._charge, MatrixPolynomial)
        flow, law, eq = self._flow, self._exact_law, self._equilibrium
        document = {
            "schema": 1,
            "name": declaration.name,
            "parameters": {name: list(s) for name, s in declaration.space.items},
            "symbols": self._symbols,
            "kind": symmetry.kind,
            "generator": {
                name: text(J)
                for name, J in zip(
                    declaration.space.names, symmetry.generator, strict=True
                )
            },
            "matrix": None,
            "charge": {"exists": True, "expression": text(self.charge)}
            if found
            else {"exists": False, "witness": str(self._charge)},
            "integrating_factor": None,
            "invariance": invariance_document(self.invariance),
            "flow": {
                "expression": text(flow.expression),
                "noise": text(flow.noise),
                "weight_decay": text(flow.weight_decay),
                "loss": text(flow.loss),
            }
            if found
            else None,
            "exact_law": _maybe(law.next_charge) if law and found else None,
            "equilibrium": _maybe(eq.balance) if eq else None,
            "hessian_trace": _maybe(self.hessian_trace),
            "expectation": _maybe(law.expectation) if law and found else None,
            "explicit_noise": {
                "expression": text(self.explicit_noise),
                "moments": {},
            }
            if found and self.explicit_noise is not None
            else None,
            "closed_form": eq.closed_form if eq else None,
            "families": {
                each.constant: {
                    "charge": text(each.charge),
                    "flow": text(each.flow.expression),
                }
                for each in (self._families if found else ())
            },
        }
        if optimisers:
            document["optimisers"] = self._optimisers()
        return document

    def _optimisers(self) -> list[dict[str, Any]]:
        try:
            return [optimiser_document(each, str) for each in self.discrete_laws]
        except (NoCharge, DeclarationError):
            return []

    def to_latex(self) -> str:
        """Return the derivation as an aligned LaTeX environment."""
        return aligned(self.steps)

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"

    def _repr_html_(self) -> str:
        return html_table(self.declaration.name, self.steps)

    @property
    def _symbols(self) -> list[str]:
        constants = [str(each) for each in self.declaration.symmetry.constants]
        sizes = {
            size
            for _, shape in self.declaration.space.items
            for size in shape
            if isinstance(size, str)
        }
        always = {"gamma", "sigma2", "eta", "S", "lam"}
        return sorted({*constants, *sizes, *always})


def _maybe(f: MatrixPolynomial | None) -> str | None:
    return None if f is None else text(f)


def derive_matrices(declaration: Declaration) -> MatrixDerivation:
    """Derive charge, flow, exact law and equilibrium at any size.

    Args:
        declaration: a symmetry in words of matrices, with or without a loss.

    Returns:
        The derivation.
    """
    symmetry, loss = declaration.symmetry, declaration.loss
    X = tuple(space_words(declaration.space).values())
    J = symmetry.generator
    table = partial_table((*symmetry.applied, *(loss.applied if loss else ())))
    invariance = symmetry.preserves(loss)
    broken = loss is not None and invariance.verdict is not Verdict.PROVED
    charge = charge_of(J, X, table)
    flow = _flow(J, X, table, broken=broken)
    gradients = _gradients(declaration, table)
    return MatrixDerivation(
        declaration,
        invariance,
        _hessian_trace(declaration, X, gradients),
        None if gradients is None else _explicit_noise(J, X, gradients, table),
        _no_charge(declaration) if charge is None else charge,
        flow,
        None if charge is None else _law(charge, J, X, table),
        matrix_equilibrium(J, X) if symmetry.kind == "exponential" else None,
        () if charge is None else tuple(_families(declaration, charge, flow)),
    )


def _letters(X: Words, prefix: str, *, data: bool) -> Words:
    make = sample if data else matrix
    return tuple(make(f"{prefix}_{x.letter.name}", x.rows, x.cols) for x in X)


def _flow(J: Words, X: Words, table: Table, *, broken: bool) -> MatrixFlow:
    """Return σ²E[h·∂J[h]], −2γθ·J and −ḡ·J."""
    h = _letters(X, "h", data=True)
    noise = scalar("sigma2") * _quadratic(J, X, h, table).mean()
    decay = -2 * scalar("gamma") * _inner(X, J)
    zeros = zero(1, 1)
    pull = -_inner(_letters(X, "gbar", data=False), J) if broken else zeros
    return MatrixFlow(noise, decay, pull, zeros)


def _quadratic(J: Words, X: Words, h: Words, table: Table) -> MatrixPolynomial:
    """Return h·∂J[h] = hᵀ(∇²C)h."""
    along = dict(zip(X, h, strict=True))
    return _inner(h, tuple(table.tangent(each, along) for each in J))


def _inner(left: Words, right: Words) -> MatrixPolynomial:
    pairs = [dot(a, b) for a, b in zip(left, right, strict=True)]
    return reduce(lambda a, b: a + b, pairs)


def _law(
    charge: MatrixPolynomial, J: Words, X: Words, table: Table
) -> MatrixLaw | None:
    """Return C(κθ − ηg) + ηκ^m g·J, where m is the degree of J."""
    if any(table.within(f) for f in (charge, *J)):
        return None
    kappa, m = scalar(_KAPPA), _highest(J, X)
    g = _letters(X, "g", data=False)
    moved = dict(zip(X, _moved(X, g, kappa), strict=True))
    try:
        stepped = substitute(charge, moved)
    except DeclarationError:  # of too high a degree to multiply out
        return None
    law = stepped + scalar("eta") * _power(kappa, m) * _inner(g, J)
    law = _plain_slope(law, g)
    rule = f"C(theta') - C' = -eta*{_KAPPA}**{m} g . J, by which C' was made"
    proof = Finding(Verdict.PROVED, rule)
    return MatrixLaw(law, _expectation(law, J, X, g, table), proof)


def _plain_slope(law: MatrixPolynomial, g: Words) -> MatrixPolynomial:
    """Return a law with κ multiplied out where g is linear, so that terms cancel."""
    expanded = identity(1) - 2 * scalar("eta") * scalar("gamma")
    names = {each.letter.name for each in g}
    total = zero(law.rows, law.cols)
    for (powers, traced, word), c in law.terms.items():
        linear = sum(a.name in names for w in (*traced, word) for a in w) == 1
        kept = tuple((n, p) for n, p in powers if not (linear and n == _KAPPA))
        n = sum(p for name, p in powers if name == _KAPPA) if linear else 0
        term = MatrixPolynomial(law.rows, law.cols, {(kept, traced, word): c})
        total += _power(expanded, n) * term
    return total


def _moved(X: Words, g: Words, kappa: MatrixPolynomial) -> Words:
    eta = scalar("eta")
    return tuple(kappa * x - eta * gx for x, gx in zip(X, g, strict=True))


def _highest(J: Words, X: Words) -> int:
    return max((d for each in J for d in degrees(each, X)), default=0)


def _power(s: MatrixPolynomial, n: int) -> MatrixPolynomial:
    return reduce(lambda a, b: a * b, [s] * n, identity(1))


def _expectation(
    law: MatrixPolynomial, J: Words, X: Words, g: Words, table: Table
) -> MatrixPolynomial | None:
    if _highest(J, X) > 1:
        return None
    mean = dict(zip(g, _letters(X, "gbar", data=False), strict=True))
    spread = _quadratic(J, X, _letters(X, "h", data=True), table).mean()
    weight = scalar("eta", 2) * scalar("S", -1) * Fraction(1, 2)
    return substitute(law, mean) + weight * spread


def _gradients(
    declaration: Declaration, table: Table
) -> dict[MatrixPolynomial, MatrixPolynomial] | None:
    """Return the gradient of a polynomial loss in each parameter, else None."""
    loss = declaration.loss
    if loss is None or table.within(loss.expression):
        return None
    words = space_words(declaration.space).values()
    return {X: gradient(loss.expression, X) for X in words}


def _explicit_noise(
    J: Words, X: Words, gradients: Mapping[MatrixPolynomial, Any], table: Table
) -> MatrixPolynomial:
    own = tuple(gradients[x] for x in X)
    mean = tuple(g.mean() for g in own)
    per_sample = _quadratic(J, X, own, table).mean()
    return scalar("sigma2") * (per_sample - _quadratic(J, X, mean, table))


def _hessian_trace(
    declaration: Declaration, X: Words, gradients: object
) -> MatrixPolynomial | None:
    loss = declaration.loss
    if loss is None or gradients is None:
        return None
    return hessian_trace(loss.expression, X)


def _families(
    declaration: Declaration, charge: MatrixPolynomial, flow: MatrixFlow
) -> list[Family]:
    """Return the laws in a symmetric constant that everything is linear in."""
    found = []
    declared = declaration.symmetry.declared
    taken = {*declaration.space.names, *(each.name for each in declared)}
    free = [name for name in ("Q", "P", "N", "Charge") if name not in taken]
    for constant in declared:
        if not constant.symmetric:
            continue
        B = constant.words
        Q = 2 * gradient(charge, B)
        inside = (Q, *(a.argument for a in declaration.symmetry.applied))
        linear = not any(constant.name in names_in(f) for f in inside)
        if not (Q.terms and linear and (Q @ B).tr() == 2 * charge):
            continue
        noise, decay, loss = (
            2 * gradient(part, B) for part in (flow.noise, flow.weight_decay, flow.loss)
        )
        parts = MatrixFlow(noise, decay, loss, zero(Q.rows, Q.cols))
        found.append(Family(constant.name, free[0], Q, parts))
    return found


def _no_charge(declaration: Declaration) -> NoCharge:
    """Return why there is no charge, with the curl entry at small sizes."""
    symmetry = declaration.symmetry
    words = (*symmetry.generator, *(a.argument for a in symmetry.applied))
    spaces = [declaration.space]
    for sizes in small_sizes(spaces, symmetry.declared) if is_short(words) else ():
        try:
            check_curl(symmetry.at(sizes))
        except NoCharge as error:
            shown = ", ".join(f"{name} = {n}" for name, n in sizes.items())
            place = f"at {shown}: " if shown else ""
            return NoCharge(f"{place}{error}", error.entry, error.witness)
    first = declaration.space.names[0]
    curl = by_example(_curl(declaration))
    if curl is not None:
        return NoCharge(
            "J is not a gradient field: g . DJ[h] differs from h . DJ[g], so no C has "
            "grad C = J",
            (first, first),
            curl.witness,
        )
    return NoCharge(
        "undecided: no charge in closed form was found at symbolic sizes, and no curl "
        "at small ones",
        (first, first),
        None,
    )


def _curl(declaration: Declaration) -> MatrixPolynomial:
    """Return g·∂J[h] − h·∂J[g], which is 0 for a gradient field; 0 with functions."""
    symmetry = declaration.symmetry
    X = tuple(space_words(declaration.space).values())
    if symmetry.applied:
        return zero(1, 1)
    table = partial_table(())
    g, h = _letters(X, "g", data=False), _letters(X, "h", data=False)

    def along(direction: Words) -> Words:
        given = dict(zip(X, direction, strict=True))
        return tuple(table.tangent(J, given) for J in symmetry.generator)

    return _inner(g, along(h)) - _inner(h, along(g))


def _steps(law: MatrixDerivation) -> list[Step]:
    declaration = law.declaration
    symmetry, loss = declaration.symmetry, declaration.loss
    applied = [*symmetry.applied, *(loss.applied if loss else ())]
    if law._equilibrium is not None:
        applied += law._equilibrium.applied
    names = latex_names(declaration.space.names, applied)

    def tex(f: MatrixPolynomial) -> str:
        return latex(f, names)

    J = ", ".join(map(tex, symmetry.generator))
    steps = [Step("generator at ρ = 0", rf"J(\theta) = \left({J}\right)")]
    if loss is not None:
        proved = law.invariance.verdict is Verdict.PROVED
        steps.append(
            Step(
                f"invariance, sample by sample: {law.invariance.verdict.name}",
                r"\nabla\ell(\theta, z)\cdot J(\theta) "
                + (r"= 0" if proved else r"\stackrel{?}{=} 0"),
            )
        )
    if isinstance(law._charge, NoCharge):
        curl = r"\partial J \neq (\partial J)^\top: \text{no charge}"
        return [*steps, Step("curl", curl)]
    flow = law.flow
    steps += [
        Step(
            "Poincaré lemma",
            rf"C = \int_0^1 \theta\cdot J(t\theta)\,dt = {tex(law.charge)}",
        ),
        Step(
            "Itô's lemma on the SDE, noise",
            rf"\sigma^2\,\mathrm{{Tr}}[\Sigma\nabla^2C] = {tex(flow.noise)}",
        ),
        Step(
            "Itô's lemma on the SDE, decay",
            rf"-2\gamma\,\theta\cdot J = {tex(flow.weight_decay)}",
        ),
    ]
    if flow.loss.terms:
        steps.append(
            Step("loss without the symmetry", rf"-\bar g\cdot J = {tex(flow.loss)}")
        )
    if law._exact_law is not None:
        rule = "one SGD step, terms with g·J removed"
        steps.append(Step(rule, rf"C' = {tex(law.exact_law.next_charge)}"))
    if law._equilibrium is not None:
        G = rf"G(\theta_\lambda) = {tex(law.equilibrium.balance)}"
        steps.append(Step("transport along the orbit", G))
        shift = law.equilibrium.shift_latex(names)
        if shift is not None:
            steps.append(Step("G = 0", rf"\lambda^* = {shift}"))
    for each in law._families:
        name = names.get(each.constant, each.constant)
        rule = f"for every symmetric {each.constant}"
        steps += [
            Step(
                rule, rf"C = \tfrac12\mathrm{{Tr}}[Q {name}],\ Q = {tex(each.charge)}"
            ),
            Step(rule, rf"\dot Q = {tex(each.flow.expression)}"),
        ]
    return steps
