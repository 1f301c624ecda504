"""The campaign as a JSON document: `report.json`, schema 1."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, TypeAlias

from symbolic import Witness
from verify import Breakage, Campaign, ClaimResult, Evidence, Figure, Series, TwinResult


if TYPE_CHECKING:
    from verify import Audit, Rate, Vacuity


SCHEMA = 1

_Json: TypeAlias = "str | int | float | bool | list[_Json] | dict[str, _Json] | None"

# A real line break cannot occur inside a JSON string, so this only meets lists.
_NUMBER_LIST = re.compile(r'\[\n\s*([^\[\]{}"]*?)\n\s*\]')


def to_json(campaign: Campaign, audit: Audit | None = None) -> str:
    """Return the campaign as strict JSON; all that may differ between runs is in `run`.

    NaN and infinities, which JSON lacks, are the strings "nan", "inf" and "-inf". Keys
    come in the order declared here, floats by `repr`: the same seed and profile give
    the same bytes, but for `run`.

    Args:
        campaign: the finished run.
        audit: what the statistics and strategies say of themselves, where wanted.

    Returns:
        The document, indented, with a final line break.

    >>> empty = Campaign(0, "quick", 1e-6, "nothing", (), {}, jobs=1, seconds=0.0)
    >>> list(json.loads(to_json(empty)))[:4]
    ['schema', 'seed', 'profile', 'subject']
    """
    document: _Json = {
        "schema": SCHEMA,
        "seed": campaign.seed,
        "profile": campaign.profile,
        "subject": campaign.subject,
        "alpha": _real(campaign.alpha),
        "claims": [_claim(claim) for claim in campaign.claims],
        "summary": {name: count for name, count in campaign.summary.items()},
        "exit_code": campaign.exit_code,
        "audit": None if audit is None else _audit(audit),
        "run": _run(campaign),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return _NUMBER_LIST.sub(_on_one_line, text) + "\n"


def _audit(audit: Audit) -> _Json:
    return {
        "sound": audit.calibration.sound,
        "rates": [_rate(rate) for rate in audit.calibration.rates],
        "vacuity": [_vacuity(row) for row in audit.vacuity],
    }


def _rate(rate: Rate) -> _Json:
    return {
        "tool": rate.tool,
        "what": rate.what,
        "alpha": _real(rate.alpha),
        "promised": _real(rate.promised),
        "count": rate.count,
        "repeats": rate.repeats,
        "lower": _real(rate.lower),
        "upper": _real(rate.upper),
        "sound": rate.sound,
    }


def _vacuity(row: Vacuity) -> _Json:
    return {
        "strategy": row.strategy,
        "drawn": row.drawn,
        "says_nothing": row.trivial,
        "counts": {name: count for name, count in row.counts.items()},
    }


def _on_one_line(match: re.Match[str]) -> str:
    return "[" + " ".join(match[1].split()) + "]"


def _run(campaign: Campaign) -> _Json:
    return {
        "environment": {
            name: campaign.environment[name] for name in sorted(campaign.environment)
        },
        "jobs": campaign.jobs,
        "wall_seconds": _real(campaign.seconds),
        "seconds": {claim.id: _real(claim.seconds) for claim in campaign.claims},
    }


def _claim(claim: ClaimResult) -> _Json:
    return {
        "id": claim.id,
        "title": claim.title,
        "source": claim.source,
        "statement": claim.statement,
        "formula": claim.formula,
        "form": claim.form,
        "amends": claim.amends,
        "expected": claim.expected.name,
        "verdict": claim.verdict.name,
        "as_expected": claim.as_expected,
        "disagreement": claim.disagreement,
        "discrepancy": claim.discrepancy,
        "assumptions": [_breakage(item) for item in claim.assumptions],
        "derivation": list(claim.derivation),
        "evidence": [_evidence(item) for item in claim.evidence],
        "twin": _twin(claim.twin),
        "counterexample": _witness(claim.counterexample),
        "note": claim.note,
        "replay": claim.replay,
    }


def _breakage(item: Breakage) -> _Json:
    return {"assumption": item.assumption, "without": item.without}


def _twin(twin: TwinResult) -> _Json:
    return {
        "kind": twin.kind,
        "statement": twin.statement,
        "verdict": twin.verdict.name,
        "as_expected": twin.as_expected,
        "evidence": [_evidence(item) for item in twin.evidence],
    }


def _evidence(item: Evidence) -> _Json:
    return {
        "route": item.route,
        "verdict": item.verdict.name,
        "summary": item.summary,
        "instances": item.instances,
        "degenerate": item.degenerate,
        "alpha": _real(item.alpha),
        "tolerance": None if item.tolerance is None else _real(item.tolerance),
        "detectable": None if item.detectable is None else _real(item.detectable),
        "steps": list(item.steps),
        "counterexample": _witness(item.counterexample),
        "figures": [_figure(figure) for figure in item.figures],
    }


def _witness(witness: Witness | None) -> _Json:
    if witness is None:
        return None
    return {
        "values": {name: value for name, value in witness.values.items()},
        "left": witness.left,
        "right": witness.right,
        "exact": witness.exact,
    }


def _figure(figure: Figure) -> _Json:
    return {
        "title": figure.title,
        "caption": figure.caption,
        "xlabel": figure.xlabel,
        "ylabel": figure.ylabel,
        "xscale": figure.xscale,
        "yscale": figure.yscale,
        "series": [_series(series) for series in figure.series],
    }


def _series(series: Series) -> _Json:
    return {
        "label": series.label,
        "kind": series.kind,
        "group": series.group,
        "x": [_real(value) for value in series.x],
        "y": [_real(value) for value in series.y],
        "upper": [_real(value) for value in series.upper],
    }


def _real(value: float) -> float | str:
    """Return the float, or its name where JSON has no number for it."""
    plain = float(value)  # numpy scalars are not JSON
    return plain if math.isfinite(plain) else repr(plain)
