"""Claims are well formed, and a fault put into a derived formula turns them red."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy as sp

from symbolic import Verdict, rescaling
from verify import Claim, claim_ids, claim_titles, claims
from verify._claims import CLAIMS
from verify._context import PROFILE_SIZES, Context
from verify._evidence import Evidence
from verify._instances import (
    _gradients,
    _projectors,
    _rational_matrix,
    derived,
)
from verify._routes import _flow, _orbit, _theorem1
from verify._routes._common import Factors


PAGE = Path(__file__).parents[2] / "docs" / "claims.md"
REFUTED = {c.id for c in claims() if c.expected is Verdict.REFUTED}
HALF = Fraction(1, 2)


@pytest.fixture(autouse=True)
def no_stale_derivations() -> Iterator[None]:
    def clear() -> None:
        for cache in (derived, _gradients, _projectors, _rational_matrix):
            cache.cache_clear()

    clear()
    yield
    clear()


def context(claim: str = "faults") -> Context:
    """One small subject: the symbolic routes then take milliseconds."""
    return Context(PROFILE_SIZES["quick"], 0, claim, (rescaling(2, 1),))


def claim_of(name: str) -> Claim:
    return next(claim for claim in CLAIMS if claim.id == name)


# The table of claims.


def test_ids_are_unique_and_in_the_order_of_the_page() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )

    assert list(claim_ids()) == rows
    assert len(set(rows)) == len(rows)
    assert tuple(claim_titles()) == claim_ids() == tuple(c.id for c in claims())


def test_what_is_refuted_was_published_and_is_corrected() -> None:
    corrected = [claim for claim in CLAIMS if claim.form == "corrected"]

    assert {"p1.eq6", "p1.thm1.2", "p1.thm1.3", "p1.eq11", "p1.thm2"} <= REFUTED
    assert all(claim_of(name).form == "published" for name in REFUTED)
    assert {claim.amends for claim in corrected} == REFUTED
    assert all(claim.id == f"{claim.amends}.corrected" for claim in corrected)
    assert all(claim.amends is None for claim in CLAIMS if claim not in corrected)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_routes_are_several_and_the_twin_differs(claim: Claim) -> None:
    functions = [getattr(route, "func", route) for route in claim.routes]

    assert len(functions) >= 2
    assert len(set(functions)) == len(functions)
    assert claim.twin_subject != claim.subject
    assert claim.twin_statement != claim.statement
    assert claim.twin_kind == ("true" if claim.id in REFUTED else "false")
    assert claim.discrepancy
    assert claim.formula


def test_a_claim_needs_two_routes_and_a_known_form() -> None:
    claim = claim_of("p1.eq4")
    with pytest.raises(ValueError, match="at least two routes, got 1"):
        dataclasses.replace(claim, routes=claim.routes[:1])
    with pytest.raises(ValueError, match="expected form published"):
        dataclasses.replace(claim, form="rumoured")


# Seeded faults: one factor of a derived formula is altered.

Route = Callable[[], Evidence]


def flow_symbolic() -> Evidence:
    return _flow.flow_symbolic(Factors(), context(), decay=True)


def flow_compiled() -> Evidence:
    return _flow.flow_compiled(Factors(), context())


def charge_derived() -> Evidence:
    return _flow.antiderivative_derived(HALF, context())


def law_symbolic() -> Evidence:
    return _flow.discrete_symbolic(HALF, context())


def monotone_symbolic() -> Evidence:
    return _theorem1.monotone_symbolic("non-negative", context())


def flow_generator() -> Evidence:
    return _flow.flow_generator(Factors(), context(), decay=True)


def transport_exact() -> Evidence:
    return _orbit.transport_exact(-1, context())


def law_exact() -> Evidence:
    return _flow.discrete_exact(HALF, context())


def covariation_of_factor_one(patch: pytest.MonkeyPatch) -> None:
    from_sde = _private("_laws.ito").sgd_process

    def faulty(space: Any) -> Any:
        right = from_sde(space)
        return dataclasses.replace(right, covariation=right.covariation / 2)

    patch.setattr("symbolic._laws.ito.sgd_process", faulty)


def decay_of_factor_one(patch: pytest.MonkeyPatch) -> None:
    gamma = _private("_laws.ito").gamma
    from_sde = _private("_laws.ito").sgd_process

    def faulty(space: Any) -> Any:
        right = from_sde(space)
        drift = tuple(entry.subs(gamma, gamma / 2) for entry in right.drift)
        return dataclasses.replace(right, drift=drift)

    patch.setattr("symbolic._laws.ito.sgd_process", faulty)


def doubled_charge(patch: pytest.MonkeyPatch) -> None:
    from_field = _private("_laws.charge").noether_charge
    patch.setattr(
        "symbolic._derivation.noether_charge", lambda symmetry: 2 * from_field(symmetry)
    )


def doubled_law_noise(patch: pytest.MonkeyPatch) -> None:
    eta = _private("_laws.ito").eta
    law_of = _private("_laws.discrete").exact_law

    def faulty(symmetry: Any, charge: sp.Expr) -> Any:
        right = law_of(symmetry, charge)
        g = [sp.Symbol(f"g_{s.name}", real=True) for s in symmetry.space.symbols]
        still = dict.fromkeys(g, sp.S.Zero)
        noise = right.next_charge - right.next_charge.subs(still)
        assert noise.has(eta)
        return dataclasses.replace(right, next_charge=right.next_charge + noise)

    patch.setattr("symbolic._derivation.exact_law", faulty)


def flipped_noise_sign(patch: pytest.MonkeyPatch) -> None:
    sigma2, lam = _private("_laws.ito").sigma2, _private("_laws.ito").lam
    balance_of = _private("_orbits.balance").orbit_balance

    def faulty(mu: Any, t: Any, s: Any) -> tuple[sp.Expr, sp.Expr]:
        balance = balance_of(mu, t, s)[0].subs(sigma2, -sigma2)
        return balance, balance.diff(lam)

    patch.setattr("symbolic._orbits.balance.orbit_balance", faulty)


def flipped_exponent(patch: pytest.MonkeyPatch) -> None:
    lam = _private("_laws.ito").lam
    balance_of = _private("_orbits.balance").orbit_balance

    def faulty(mu: Any, t: Any, s: Any) -> tuple[sp.Expr, sp.Expr]:
        balance = balance_of(mu, t, s)[0].subs(lam, -lam)
        return balance, balance.diff(lam)

    patch.setattr("symbolic._orbits.balance.orbit_balance", faulty)


def halved_compiled_drift(patch: pytest.MonkeyPatch) -> None:
    compiled = vars(_flow)["compile_derivation"]

    class Faulty:
        def __init__(self, evaluators: Any) -> None:
            self.evaluators = evaluators

        def drift(self, theta: Any, *, sigma2: float, **rest: Any) -> Any:
            return self.evaluators.drift(theta, sigma2=sigma2 / 2, **rest)

    patch.setattr(_flow, "compile_derivation", lambda *given: Faulty(compiled(*given)))


def uncentred_trace(patch: pytest.MonkeyPatch) -> None:
    parts_of = vars(_flow)["flow_parts"]

    def faulty(instance: Any) -> dict[str, Any]:
        parts: dict[str, Any] = parts_of(instance)
        return parts | {"trace": parts["trace"] + parts["signal"]}

    patch.setattr(_flow, "flow_parts", faulty)


def shifted_covariance(patch: pytest.MonkeyPatch) -> None:
    """A constant factor would leave the transport law alone, an offset does not."""
    right = vars(_orbit)["covariance"]

    def faulty(vectors: Any) -> Any:
        Sigma = right(vectors)
        return tuple(tuple(entry + 1 for entry in row) for row in Sigma)

    patch.setattr(_orbit, "covariance", faulty)


def shrunk_gradients(patch: pytest.MonkeyPatch) -> None:
    """Not the loss's own gradients: they are no longer orthogonal to Aθ."""
    right = vars(_flow)["mean"]

    def faulty(vectors: Any) -> Any:
        first, *others = right(vectors)
        return (first / 2, *others)

    patch.setattr(_flow, "mean", faulty)


def _private(name: str) -> Any:
    return __import__(f"symbolic.{name}", fromlist=[name])


SOUND: tuple[tuple[Route, Verdict], ...] = (
    (flow_symbolic, Verdict.PROVED),
    (flow_compiled, Verdict.SUPPORTED),
    (flow_generator, Verdict.SUPPORTED),
    (charge_derived, Verdict.PROVED),
    (law_symbolic, Verdict.PROVED),
    (law_exact, Verdict.SUPPORTED),
    (monotone_symbolic, Verdict.PROVED),
    (transport_exact, Verdict.SUPPORTED),
)
FAULTS: tuple[tuple[Callable[[pytest.MonkeyPatch], None], Route, Verdict], ...] = (
    (covariation_of_factor_one, flow_symbolic, Verdict.REFUTED),
    (decay_of_factor_one, flow_symbolic, Verdict.REFUTED),
    (doubled_charge, flow_symbolic, Verdict.REFUTED),
    (doubled_charge, charge_derived, Verdict.REFUTED),
    (doubled_law_noise, law_symbolic, Verdict.REFUTED),
    (flipped_noise_sign, monotone_symbolic, Verdict.INCONCLUSIVE),
    (flipped_exponent, monotone_symbolic, Verdict.INCONCLUSIVE),
    (halved_compiled_drift, flow_compiled, Verdict.REFUTED),
    (uncentred_trace, flow_generator, Verdict.REFUTED),
    (shifted_covariance, transport_exact, Verdict.REFUTED),
    (shrunk_gradients, law_exact, Verdict.REFUTED),
)


@pytest.mark.parametrize(("route", "verdict"), SOUND)
def test_without_a_fault_each_route_holds(route: Route, verdict: Verdict) -> None:
    assert route().verdict is verdict


@pytest.mark.parametrize(("fault", "route", "verdict"), FAULTS)
def test_a_fault_is_caught(
    fault: Callable[[pytest.MonkeyPatch], None],
    route: Route,
    verdict: Verdict,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault(monkeypatch)
    found = route()

    assert found.verdict is verdict
    assert (found.counterexample is not None) == (verdict is Verdict.REFUTED)


@pytest.mark.parametrize("factor", [0, HALF, 2, -1])
def test_wrong_factors_of_the_noise_are_refuted(factor: Fraction) -> None:
    subject = Factors(noise=Fraction(factor))

    for route in (_flow.flow_symbolic, _flow.flow_generator):
        found = route(subject, context(), decay=True)
        assert found.verdict is Verdict.REFUTED
    assert _flow.flow_compiled(subject, context()).verdict is Verdict.REFUTED
