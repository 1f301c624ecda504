"""How many of the instances that Hypothesis draws say nothing: `vacuity`.

An instance with Σ = 0, A = 0 or Aθ = 0 satisfies most statements for want of anything
to state. The routes count such instances apart and a route that saw no other does not
pass; here every strategy shows how often it draws them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy as sp
from hypothesis.strategies import SearchStrategy

from symbolic import Declaration
from verify._context import PROFILE_SIZES, PROFILES, Context
from verify._exact import NotRational
from verify._fields import Local, local
from verify._instances import Instance
from verify._jets import ball, precise, vanishes
from verify._result import Campaign
from verify._routes._existence import Construction, _constructions
from verify._strategies import (
    declarations,
    factorisations,
    field_instances,
    instances,
    scale_invariant,
    symmetric_matrices,
)


TRIVIAL = "says nothing"  # the feature that makes an instance count as degenerate
Features = Callable[[Any], Mapping[str, bool]]


@dataclass(frozen=True, slots=True)
class Vacuity:
    """What one strategy draws.

    Attributes:
        strategy: its name.
        drawn: how many instances were looked at.
        counts: feature → how many have it.
        undecided: how many left the numbers in which features are decided.

    >>> Vacuity("some strategy", 10, {"says nothing": 2, "A = 0": 1}).share
    0.2
    """

    strategy: str
    drawn: int
    counts: Mapping[str, int]
    undecided: int = 0

    @property
    def trivial(self) -> int:
        """Return how many say nothing."""
        return self.counts.get(TRIVIAL, 0)

    @property
    def share(self) -> float:
        """Return the share that says nothing; 1 where nothing was drawn."""
        return self.trivial / self.drawn if self.drawn else 1.0


@dataclass(frozen=True, slots=True)
class RouteVacuity:
    """How many of a route's instances were trivial.

    Attributes:
        claim: the claim's id.
        route: the route's name.
        instances: how many it checked.
        degenerate: how many of them were trivial.
    """

    claim: str
    route: str
    instances: int
    degenerate: int

    @property
    def share(self) -> float:
        """Return the share that was trivial."""
        return self.degenerate / self.instances if self.instances else 1.0


def vacuity(*, seed: int = 0, profile: str = "quick") -> tuple[Vacuity, ...]:
    """Draw from every strategy of the toolkit and count what says nothing.

    Args:
        seed: the seed.
        profile: "quick", "standard" or "deep": how many instances.

    Returns:
        A row for each strategy.

    Raises:
        ValueError: for an unknown profile.
    """
    if profile not in PROFILES:
        raise ValueError(
            f"expected a profile among {', '.join(PROFILES)}, got {profile!r}"
        )
    context = Context(PROFILE_SIZES[profile], seed, "vacuity")
    return tuple(
        measured(name, strategy, features, context)
        for name, (strategy, features) in STRATEGIES.items()
    )


def measured(
    name: str, strategy: SearchStrategy[Any], features: Features, context: Context
) -> Vacuity:
    """Return what one strategy draws.

    Args:
        name: its name.
        strategy: the strategy.
        features: instance → feature → whether it has it.
        context: says how many to draw, and from which stream.
    """
    counts, undecided = Counter[str](), 0
    drawn = context.draw(strategy, context.profile.exact, name)
    for instance in drawn:
        try:
            found = features(instance)
        except NotRational:
            undecided += 1
            continue
        counts.update({feature: int(has) for feature, has in found.items()})
    return Vacuity(name, len(drawn), dict(counts), undecided)


def of_routes(campaign: Campaign) -> tuple[RouteVacuity, ...]:
    """Return the share of trivial instances of every route that drew some.

    Args:
        campaign: a finished run.
    """
    return tuple(
        RouteVacuity(claim.id, item.route, item.instances, item.degenerate)
        for claim in campaign.claims
        for item in claim.evidence
        if item.degenerate
    )


def _of_matrix(drawn: Any) -> Mapping[str, bool]:
    A, mu, _ = drawn
    return {
        TRIVIAL: not any(mu),
        "A = 0": not any(A),
        "A singular": not all(mu),
        "A semi-definite": min(mu) >= 0 or max(mu) <= 0,
        "n = 1": len(mu) == 1,
    }


def _of_declaration(declaration: Declaration) -> Mapping[str, bool]:
    A, loss = declaration.symmetry.matrix, declaration.loss
    assert loss is not None
    symbols = set(declaration.space.symbols)
    constant = not loss.expression.free_symbols & symbols
    still = A is not None and not any(A)
    return {TRIVIAL: constant or still, "A = 0": still, "constant loss": constant}


def _of_instance(instance: Instance) -> Mapping[str, bool]:
    """Return features of an instance of any kind, decided in rationals or balls."""
    for lift in (Fraction, ball):
        try:
            with precise():
                return _of_local(local(instance, lift))
        except NotRational:
            continue
    raise NotRational("neither rational nor to be enclosed")


def _of_local(at: Local) -> Mapping[str, bool]:
    still = all(vanishes(entry) for g in at.gradients for entry in g)
    quiet = all(vanishes(entry) for g in at.centred for entry in g)
    J = at.field()
    linear = at.declaration.symmetry.matrix
    curved = True if linear is None else any(linear)
    fixed = all(map(vanishes, J))
    no_decay = vanishes(at.gamma) or vanishes(at.along_field())
    no_noise = quiet or not curved or vanishes(at.noise())
    return {
        TRIVIAL: no_noise and no_decay,
        "all gradients 0": still,
        "Σ = 0": quiet,
        "∇²C = 0": not curved,
        "J = 0": fixed,
        "γ = 0": vanishes(at.gamma),
        "Tr[Σ∇²C] = 0": no_noise,
    }


def _of_construction(case: Construction) -> Mapping[str, bool]:
    sizes = (case.L.rows, case.R.cols, case.F.cols)
    plain = case.out_root == sp.eye(sizes[0]) and case.in_root == sp.eye(sizes[1])
    return {TRIVIAL: False, "d = d_x = d_y = 1": set(sizes) == {1}, "Γ = I": plain}


STRATEGIES: Mapping[str, tuple[SearchStrategy[Any], Features]] = {
    "symmetric_matrices": (symmetric_matrices(), _of_matrix),
    "declarations": (declarations(), _of_declaration),
    "instances": (instances(), _of_instance),
    "instances, two samples or more": (instances(min_samples=2), _of_instance),
    "field_instances": (field_instances(min_samples=2), _of_instance),
    "factorisations": (factorisations(), _of_instance),
    "scale_invariant": (scale_invariant(), _of_instance),
    "constructions": (_constructions(), _of_construction),
}
