"""A derivation in components as the JSON object of `derive --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from symbolic._errors import NoCharge
from symbolic._orbits.laws import z as root_symbol
from symbolic._symmetries.integrating_factor import IntegratingFactor


if TYPE_CHECKING:
    from symbolic._derivation import Derivation
    from symbolic._optimisers.law import DiscreteLaw
    from symbolic._verdict import Finding


def document(law: Derivation, *, optimisers: bool) -> dict[str, Any]:
    """Return a derivation as what JSON can hold.

    Args:
        law: the derivation.
        optimisers: whether the laws of all optimisers are in it.

    Returns:
        The object; `symbols` are those of all its expressions.
    """
    seen = set(law.declaration.space.symbols)

    def show(expression: sp.Basic | None) -> str | None:
        if expression is None:
            return None
        seen.update(expression.free_symbols)
        return str(expression)

    symmetry, space = law.declaration.symmetry, law.declaration.space
    A = symmetry.matrix
    body = {
        "kind": symmetry.kind,
        "generator": {
            s.name: show(j)
            for s, j in zip(space.symbols, symmetry.generator, strict=True)
        },
        "matrix": None if A is None else [[str(e) for e in row] for row in A.tolist()],
        "charge": _charge(law, show),
        "integrating_factor": _factor(law, show),
        "invariance": invariance_document(law.invariance),
        **_laws(law, show),
        "hessian_trace": show(law.hessian_trace),
        **_more(law, show),
    }
    if optimisers:
        body["optimisers"] = _optimisers(law, show)
    return {
        "schema": 1,
        "name": law.declaration.name,
        "parameters": {name: list(shape) for name, shape in space.items},
        "symbols": sorted(symbol.name for symbol in seen),
        **body,
    }


def invariance_document(finding: Finding) -> dict[str, str | None]:
    """Return the verdict on the symmetry, its witness and its condition."""
    witness = finding.witness
    return {
        "verdict": finding.verdict.name,
        "witness": None if witness is None else witness.describe(),
        "condition": finding.condition or None,
    }


def _charge(law: Derivation, show: Any) -> dict[str, Any]:
    try:
        return {"exists": True, "expression": show(law.charge)}
    except NoCharge as error:
        return {"exists": False, "witness": str(error)}


def _factor(law: Derivation, show: Any) -> dict[str, Any] | None:
    found = law.integrating_factor
    if not isinstance(found, IntegratingFactor):
        return None
    return {
        "factor": show(found.factor),
        "expression": show(found.expression),
        "domain": found.domain,
    }


def _laws(law: Derivation, show: Any) -> dict[str, Any]:
    """Return flow, exact law and equilibrium, null where there is no charge."""
    found: dict[str, Any] = {"flow": None, "exact_law": None, "equilibrium": None}
    try:
        flow, exact = law.flow, law.exact_law
    except NoCharge:
        return found
    found["flow"] = {
        "expression": show(flow.expression),
        "noise": show(flow.noise),
        "weight_decay": show(flow.weight_decay),
        "loss": show(flow.loss),
    }
    found["exact_law"] = show(exact.next_charge)
    if law.declaration.symmetry.kind == "exponential":
        found["equilibrium"] = show(law.equilibrium.balance)
    return found


def _more(law: Derivation, show: Any) -> dict[str, Any]:
    """Return what the contract does not ask for."""
    covariance, noise = law.covariance, law.explicit_noise
    polynomial, trace = law.characteristic, law.orbit_trace
    taken = {str(s) for s in law.declaration.space.symbols}
    z = sp.Symbol("orbit_z" if "z" in taken else "z", real=True)
    try:
        expectation = show(law.exact_law.expectation)
    except NoCharge:
        expectation = None
    return {
        "expectation": expectation,
        "explicit_noise": None
        if noise is None or covariance is None
        else {
            "expression": show(noise),
            "moments": {str(s): str(m) for s, m in covariance.moments},
        },
        "closed_form": show(law.shift),
        "characteristic": None
        if polynomial is None
        else {
            "polynomial": show(polynomial.polynomial.xreplace({root_symbol: z})),
            str(z): f"exp({2 * polynomial.unit}*lam)",
        },
        "degenerate_cases": [
            {
                "name": case.name,
                "positive": [show(e) for e in case.acts],
                "zero": [show(e) for e in case.vanish],
                "lam": str(case.shift),
            }
            for case in law.degenerate_cases
        ],
        "hessian_trace_on_orbit": None if trace is None else show(trace.expression),
        "least_hessian_trace": None if trace is None else show(trace.least),
    }


def _optimisers(law: Derivation, show: Any) -> list[dict[str, Any]]:
    try:
        found = law.discrete_laws
    except NoCharge:
        return []
    return [optimiser_document(each, show) for each in found]


def optimiser_document(each: DiscreteLaw, show: Any) -> dict[str, Any]:
    """Return the law of an optimiser as what JSON can hold.

    Args:
        each: the law.
        show: what makes text of an expression.

    Returns:
        The object; null for what the law has not.
    """
    vanishes = each.vanishes

    def maybe(expression: Any) -> Any:
        return None if expression is None else show(expression)

    return {
        "optimiser": each.optimiser,
        "update": dict(each.update),
        "where": {show(s): show(e) for s, e in each.where.items()},
        "next": {name: show(e) for name, e in each.next.items()},
        "expectation": maybe(each.expectation),
        "without_replacement": maybe(each.without_replacement),
        "defect": maybe(each.defect),
        "defect_vanishes": None if vanishes is None else vanishes.verdict.name,
        "condition": each.condition,
        "note": each.note,
        "proof": each.proof.verdict.name,
    }
