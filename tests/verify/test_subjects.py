"""A run on a user's own declaration: what applies, what does not, and the exit code."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import sympy as sp

from symbolic import (
    Declaration,
    DeclarationError,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    any_symmetric,
    rescaling,
    scaling,
)
from verify import Campaign, ClaimResult, _campaign, verify
from verify._campaign import _check, _rescaled, _select
from verify._claim import Route
from verify._claims import CLAIMS
from verify._context import Context, Profile
from verify._routes._fixed_point import fixed_point_certified
from verify._routes._implicit import implicit_numeric
from verify._statistics import _boundary


TINY = Profile("tiny", exact=6, ensembles=1, replicas=24, steps=20)
HALF = sp.Rational(1, 2)
BY_ID = {claim.id: claim for claim in CLAIMS}


def declared(A: list[list[object]]) -> Declaration:
    """Return a declaration in (u, w) whose loss has the symmetry for every such A."""
    u, w, x, y = sp.symbols("u w x y")
    space = ParameterSpace(u=(), w=())
    loss = Loss((u * w * x - y) ** 2, space, data={"x": (), "y": ()})
    return Declaration("mine", space, Symmetry.exponential(space, A), loss)


def checked(name: str, declaration: Declaration) -> ClaimResult:
    subject, _ = _select(declaration)
    return _check(BY_ID[name], TINY, 0, subject)


def test_integer_spectra_are_left_alone() -> None:
    assert _rescaled(rescaling()) == ()


def test_rational_spectra_are_scaled_to_integers() -> None:
    (faster,) = _rescaled(declared([[sp.Rational(2, 3), 0], [0, -sp.Rational(2, 3)]]))

    assert faster.symmetry.matrix == sp.diag(2, -2)
    assert faster.name == "mine, A times 3"


def test_irrational_spectra_are_left_alone() -> None:
    u, w, x, y = sp.symbols("u w x y")
    space = ParameterSpace(u=(), w=())
    symmetry = Symmetry.exponential(space, [[1, 1], [1, -1]])  # ±√2
    invariant = w**2 + 2 * u * w - u**2  # of eigenvectors (1 ± √2, 1)
    loss = Loss((invariant * x - y) ** 2, space, data={"x": (), "y": ()})
    declaration = Declaration("irrational", space, symmetry, loss)

    assert symmetry.preserves(loss).verdict is Verdict.PROVED
    assert _rescaled(declaration) == ()


def test_half_integers_are_checked_on_the_orbit() -> None:
    found = checked("p1.orbit", declared([[HALF, 0], [0, -HALF]]))

    assert found.verdict is Verdict.PROVED
    assert found.as_expected


@pytest.mark.parametrize("name", ["p1.thm2.corrected", "p1.prop2", "p1.eq11"])
def test_a_claim_about_something_else_does_not_apply(name: str) -> None:
    found = checked(name, rescaling())

    assert found.verdict is Verdict.NOT_APPLICABLE
    assert found.as_expected


def test_on_the_catalogue_not_applicable_is_no_success() -> None:
    found = checked("p1.prop2", rescaling())

    assert not replace(found, optional=False).as_expected


def test_a_twin_that_is_true_here_is_run_on_the_catalogue() -> None:
    # For A = I the weights of (10) are 1: the unweighted twin says the same.
    found = checked("p1.eq10", scaling(2))

    assert found.verdict.holds
    assert found.twin.verdict is Verdict.REFUTED
    assert found.as_expected


def test_scale_invariance_is_the_subject_of_the_norm_law() -> None:
    found = checked("p1.eq11.corrected", scaling(3))

    assert found.verdict is Verdict.PROVED
    assert found.twin.verdict is Verdict.REFUTED


def test_the_exit_code_ignores_what_does_not_apply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = tuple(BY_ID[name] for name in ("p1.eq6.corrected", "p1.prop2.corrected"))
    monkeypatch.setattr(_campaign, "CLAIMS", few)

    campaign: Campaign = verify(rescaling(), profile="quick")

    verdicts = [claim.verdict for claim in campaign.claims]
    assert verdicts == [Verdict.PROVED, Verdict.NOT_APPLICABLE]
    assert campaign.exit_code == 0


def test_what_is_missing_is_named() -> None:
    with pytest.raises(DeclarationError, match=r"free constants .*: give them values"):
        verify(any_symmetric(2))
    space = ParameterSpace(u=(), w=())
    still = Symmetry.exponential(space, [[0, 0], [0, 0]])
    with pytest.raises(DeclarationError, match="got J = 0 in 'still'"):
        verify(Declaration("still", space, still, rescaling().loss))
    turning = Symmetry.from_generator(space, {"u": -space["w"], "w": space["u"]})
    with pytest.raises(DeclarationError, match="no statement applies to 'rotation'"):
        verify(Declaration("rotation", space, turning))
    with pytest.raises(DeclarationError, match="does not have the declared symmetry"):
        verify(Declaration("rotation", space, turning, rescaling().loss))


@pytest.mark.parametrize(
    ("route", "subject"), [(fixed_point_certified, HALF), (implicit_numeric, -1)]
)
def test_without_arb_nothing_is_certified_and_nothing_fails(
    route: Route, subject: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["numeric._certify"], "_FLINT", False)

    found = route(subject, Context(TINY, 0, "no arb"))

    assert found.verdict is Verdict.NOT_APPLICABLE
    assert "pip install noetherflow[fast]" in found.summary


@pytest.mark.parametrize(("start", "edge"), [(255 / 256, -3.0), (-255 / 256, 3.0)])
def test_an_end_is_not_mistaken_for_zero(start: float, edge: float) -> None:
    # Doubling steps of 2⁻⁸ lead from 255/256 to 0 exactly.
    outward = -1 if edge < 0 else 1

    found = _boundary(lambda f: (f - edge) * outward > 0, start, outward)

    assert abs(found - edge) <= 1e-6 * abs(edge)


def test_a_mixing_matrix_is_transported() -> None:
    u, v, x, y = sp.symbols("u v x y")
    space = ParameterSpace(u=(), v=())
    loss = Loss(((u**2 - v**2) * x - y) ** 2, space, data={"x": (), "y": ()})
    symmetry = Symmetry.exponential(space, [[0, 1], [1, 0]])

    found = checked("p1.orbit", Declaration("hyperbolic", space, symmetry, loss))

    assert found.verdict is Verdict.PROVED
    assert found.twin.evidence[0].verdict is Verdict.REFUTED
