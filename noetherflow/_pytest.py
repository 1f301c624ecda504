"""Claims as parametrised tests: `parametrize_with_claims`; imports pytest."""

from __future__ import annotations

from typing import Any

import pytest

import noetherflow


def parametrize_with_claims(
    what: Any,
    *claims: Any,
    theorems: bool = True,
    seed: int = 0,
    profile: str = "quick",
) -> pytest.MarkDecorator:
    """Run a test once for each claim about a declaration.

    The test takes one argument, `check`, and calls it: that raises where the claim
    fails, with the counterexample. The ids of the tests are those of the claims.

    Args:
        what: a declaration, or the path of a file that makes one; the claims in it
            are checked.
        *claims: more of them, by `UserClaim` or `claim`.
        theorems: whether the general theorems that apply are checked too.
        seed: the seed of every random stream.
        profile: "quick", "standard" or "deep".

    Returns:
        A decorator of pytest.

    >>> from symbolic import rescaling
    >>> @parametrize_with_claims(rescaling())
    ... def test_rescaling(check):
    ...     check()
    """
    noetherflow._check_packages()
    from verify import claim_checks

    found = claim_checks(what, claims, theorems=theorems, seed=seed, profile=profile)
    return pytest.mark.parametrize("check", found, ids=[each.id for each in found])
