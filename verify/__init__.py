"""Claims, evidence, campaigns, and the Hypothesis strategies that draw instances."""

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


__all__ = [
    "PROFILES",
    "Breakage",
    "Campaign",
    "Claim",
    "ClaimResult",
    "Context",
    "Evidence",
    "FactorInterval",
    "FactorTest",
    "Figure",
    "Instance",
    "Series",
    "TwinResult",
    "UnknownClaimError",
    "WorkerError",
    "claim_ids",
    "claim_titles",
    "claims",
    "combine",
    "declarations",
    "default_jobs",
    "disagree",
    "instances",
    "symmetric_matrices",
    "verify",
]
