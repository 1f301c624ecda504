"""Claims, evidence, campaigns, and the Hypothesis strategies that draw instances.

What a campaign does not need is imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from verify._campaign import (
    UnknownClaimError,
    claim_ids,
    claim_titles,
    claims,
    combine,
    disagree,
    verify,
)
from verify._claim import Claim
from verify._context import PROFILES, Context
from verify._evidence import Evidence, Figure, Series
from verify._instances import Instance
from verify._jobs import WorkerError, default_jobs
from verify._result import Breakage, Campaign, ClaimResult, TwinResult
from verify._statistics import FactorInterval, FactorTest
from verify._strategies import declarations, instances, symmetric_matrices
from verify._user_claims._functions import FunctionClaim, claim
from verify._user_claims._run import ClaimCheck, claim_checks, verify_claims
from verify._user_claims._statement import UserClaim


if TYPE_CHECKING:
    from verify._assert_martingale import (
        assert_martingale,
        detectable_martingale,
        martingale_level,
        samples_needed_martingale,
    )
    from verify._assert_rates import (
        assert_binomial,
        assert_dkw,
        binomial_level,
        detectable_binomial,
        detectable_dkw,
        dkw_distance,
        samples_needed_binomial,
        samples_needed_dkw,
    )
    from verify._assertions import (
        assert_empirical_bernstein,
        assert_hoeffding,
        detectable_empirical_bernstein,
        detectable_hoeffding,
        samples_needed_empirical_bernstein,
        samples_needed_hoeffding,
    )
    from verify._audit import Audit, audit
    from verify._calibration import Calibration, Rate, calibration
    from verify._holm import Holm, holm
    from verify._mutants._mutant import Edit, Edited, Equivalence, Mutant, Restated
    from verify._mutants._result import MutantResult, MutantRun
    from verify._mutants._run import all_mutants, mutants
    from verify._vacuity import RouteVacuity, Vacuity, of_routes, vacuity


__all__ = [
    "PROFILES",
    "Audit",
    "Breakage",
    "Calibration",
    "Campaign",
    "Claim",
    "ClaimCheck",
    "ClaimResult",
    "Context",
    "Edit",
    "Edited",
    "Equivalence",
    "Evidence",
    "FactorInterval",
    "FactorTest",
    "Figure",
    "FunctionClaim",
    "Holm",
    "Instance",
    "Mutant",
    "MutantResult",
    "MutantRun",
    "Rate",
    "Restated",
    "RouteVacuity",
    "Series",
    "TwinResult",
    "UnknownClaimError",
    "UserClaim",
    "Vacuity",
    "WorkerError",
    "all_mutants",
    "assert_binomial",
    "assert_dkw",
    "assert_empirical_bernstein",
    "assert_hoeffding",
    "assert_martingale",
    "audit",
    "binomial_level",
    "calibration",
    "claim",
    "claim_checks",
    "claim_ids",
    "claim_titles",
    "claims",
    "combine",
    "declarations",
    "default_jobs",
    "detectable_binomial",
    "detectable_dkw",
    "detectable_empirical_bernstein",
    "detectable_hoeffding",
    "detectable_martingale",
    "disagree",
    "dkw_distance",
    "holm",
    "instances",
    "martingale_level",
    "mutants",
    "of_routes",
    "samples_needed_binomial",
    "samples_needed_dkw",
    "samples_needed_empirical_bernstein",
    "samples_needed_hoeffding",
    "samples_needed_martingale",
    "symmetric_matrices",
    "vacuity",
    "verify",
    "verify_claims",
]

_LATER = {
    **dict.fromkeys(
        (
            "assert_martingale",
            "detectable_martingale",
            "martingale_level",
            "samples_needed_martingale",
        ),
        "verify._assert_martingale",
    ),
    **dict.fromkeys(
        (
            "assert_binomial",
            "assert_dkw",
            "binomial_level",
            "detectable_binomial",
            "detectable_dkw",
            "dkw_distance",
            "samples_needed_binomial",
            "samples_needed_dkw",
        ),
        "verify._assert_rates",
    ),
    **dict.fromkeys(
        (
            "assert_empirical_bernstein",
            "assert_hoeffding",
            "detectable_empirical_bernstein",
            "detectable_hoeffding",
            "samples_needed_empirical_bernstein",
            "samples_needed_hoeffding",
        ),
        "verify._assertions",
    ),
    **dict.fromkeys(
        (
            "Audit",
            "audit",
        ),
        "verify._audit",
    ),
    **dict.fromkeys(
        (
            "Calibration",
            "Rate",
            "calibration",
        ),
        "verify._calibration",
    ),
    **dict.fromkeys(
        (
            "Holm",
            "holm",
        ),
        "verify._holm",
    ),
    **dict.fromkeys(
        (
            "Edit",
            "Edited",
            "Equivalence",
            "Mutant",
            "Restated",
        ),
        "verify._mutants._mutant",
    ),
    **dict.fromkeys(
        (
            "MutantResult",
            "MutantRun",
        ),
        "verify._mutants._result",
    ),
    **dict.fromkeys(
        (
            "all_mutants",
            "mutants",
        ),
        "verify._mutants._run",
    ),
    **dict.fromkeys(
        (
            "RouteVacuity",
            "Vacuity",
            "of_routes",
            "vacuity",
        ),
        "verify._vacuity",
    ),
}


def __getattr__(name: str) -> Any:
    """Import what a campaign does not need on first use.

    Args:
        name: a public name.

    Returns:
        The object, kept for the next use.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
