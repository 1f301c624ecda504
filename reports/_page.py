"""The campaign as one self-contained HTML page."""

from __future__ import annotations

import re
from math import fsum
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from reports._drawing import draw
from reports._notation import mathml, prose
from reports._words import (
    FORMS,
    NOTATION,
    SIGNS,
    duration,
    number,
    outcome,
    percent,
    surprises,
    twin_rule,
    verdict_name,
)
from symbolic import Verdict
from verify import Campaign


if TYPE_CHECKING:
    from verify import Audit


def render_html(campaign: Campaign, audit: Audit | None = None) -> str:
    """Return the campaign as one HTML page without scripts, network or fonts to load.

    Formulas are MathML and figures SVG where the extra `report` is installed, else
    LaTeX as written and a sentence that says so.

    Args:
        campaign: the finished run.
        audit: what the statistics and strategies say of themselves, where wanted.

    Returns:
        The page; the same campaign gives the same bytes.
    """
    return _ENVIRONMENT.get_template("page.html").render(
        calibration=None if audit is None else audit.calibration,
        campaign=campaign,
        corrections=_corrections(campaign),
        notation=NOTATION,
        known={claim.id for claim in campaign.claims},
        outcome=outcome(campaign),
        spent=_spent(campaign),
        surprises=surprises(campaign),
        vacuity=() if audit is None else audit.vacuity,
        verdicts=tuple(Verdict),
    )


def _anchor(claim_id: str) -> str:
    """Return the id of a claim's section in the page."""
    return "claim-" + re.sub(r"[^A-Za-z0-9._-]", "-", claim_id)


def _corrections(campaign: Campaign) -> dict[str, list[str]]:
    """Return id of a published claim → ids of the claims that correct it."""
    found: dict[str, list[str]] = {}
    for claim in campaign.claims:
        if claim.amends is not None:
            found.setdefault(claim.amends, []).append(claim.id)
    return found


def _spent(campaign: Campaign) -> float:
    """Return the sum of all routes' false-alarm bounds, twins included."""
    return fsum(
        item.alpha
        for claim in campaign.claims
        for item in (*claim.evidence, *claim.twin.evidence)
    )


def _environment() -> Environment:
    """Return the template environment: everything is escaped unless made here."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        anchor=_anchor,
        duration=duration,
        mathml=mathml,
        number=number,
        percent=percent,
        prose=prose,
        twin_rule=twin_rule,
        verdict_name=verdict_name,
    )
    environment.globals.update(draw=draw, forms=FORMS, signs=SIGNS)
    return environment


_ENVIRONMENT = _environment()
