"""The ensembles of the routes, A/A: simulate under the law, test the law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import hypothesis.strategies as st
import numpy as np
from numpy.typing import NDArray

from symbolic import Verdict, matrix_factorisation
from verify._calibration_tools import factor_level
from verify._context import Context, Profile
from verify._field_catalogue import field_catalogue
from verify._instances import Instance
from verify._routes._balance_law import FAR, _factor as law_interval
from verify._routes._balance_runs import replicas_of
from verify._routes._common import Factors
from verify._routes._ensembles import flow_ensemble, problem_of, run
from verify._routes._field_ensembles import field_problem, run_field


Array = NDArray[np.float64]
_STEPS, _REPLICAS = 20, 12
WRONG = 3.0  # a factor that the same tests must leave out, to show that they can
_SMALL = Profile("calibration", exact=1, ensembles=1, replicas=_REPLICAS, steps=_STEPS)
_TRIED = (0.05, 0.1, 0.2)  # levels of tests that only give an interval


@dataclass(frozen=True, slots=True)
class Inflated(Context):
    """A context whose tests run at a level of one's own, not at the run's.

    Attributes:
        level: what each statistical test may spend.
    """

    level: float = 0.05

    @property
    def alpha(self) -> float:
        """Return the level."""
        return self.level


@dataclass(frozen=True, slots=True)
class Ensemble:
    """An ensemble as p-values of the true law.

    Attributes:
        name: what it is.
        note: what is simulated.
        p_values: (stream, how many) → p-values of the factor 1, which is true, and of
            the factor `WRONG`, from independent simulations.
        cost: how many times less often than others it is simulated.
    """

    name: str
    note: str
    p_values: Callable[[np.random.Generator, int], tuple[Array, Array]]
    cost: int = 1


def _factorisation() -> Instance:
    """Return ‖UWx − y‖² with d = d_y = 2 and d_x = 1: six parameters, four samples."""
    rows = ((1, 1, 0), (1, -1, 2), (2, 0, 1), (-1, 1, 1))
    theta = (2, 1, -2, 3, 2, -1)
    return Instance(
        matrix_factorisation(2, 1, 2, [[1, 1], [1, -1]]),
        tuple(tuple(map(Fraction, row)) for row in rows),
        tuple(Fraction(t, 2) for t in theta),
        Fraction(1, 20),
        Fraction(1, 20),
        2,
    )


def _nonlinear() -> Instance:
    """Return a loss with a cubic charge, at a point without zeros."""
    declaration = next(d for d in field_catalogue() if d.name == "cubic charge")
    rows = tuple(tuple(map(Fraction, row)) for row in ((1, 1), (1, -1), (2, 0)))
    theta = (Fraction(3, 2), Fraction(1, 2))
    return Instance(declaration, rows, theta, Fraction(1, 50), Fraction(1, 20), 2)


def _simulated(
    problem: Callable[[], Any],
    simulate: Callable[..., Any],
    method: str,
    rng: np.random.Generator,
    repeats: int,
) -> tuple[Array, Array]:
    """Return the p-values of both factors from independent simulations."""
    case = problem()
    tests = [simulate(case, rng, _STEPS, method)[0] for _ in range(repeats)]
    true, wrong = (
        np.array([factor_level(test, factor) for test in tests])
        for factor in (1.0, WRONG)
    )
    return true, wrong


def _by_level(
    leaves_out: Callable[[float, Inflated], bool],
    profile: Profile,
    rng: np.random.Generator,
    repeats: int,
) -> tuple[Array, Array]:
    """Return the least level tried at which a factor is left out, 1 for none.

    Args:
        leaves_out: whether one simulation with the context's level and seed leaves the
            factor out.
        profile: its sample sizes.
        rng: the stream of the seeds.
        repeats: how many.
    """

    def level(factor: float, seed: int) -> float:
        for alpha in _TRIED:
            context = Inflated(profile, seed, "calibration", level=alpha)
            if leaves_out(factor, context):
                return alpha
        return 1.0

    seeds = [int(seed) for seed in rng.integers(0, 2**32, repeats)]
    true = np.array([level(1.0, seed) for seed in seeds])
    return true, np.array([level(WRONG, seed) for seed in seeds])


def _law_leaves_out(factor: float, context: Inflated) -> bool:
    """Simulate the law of UᵀU − WWᵀ once."""
    stream = context.rng("law of Q")
    return law_interval(FAR, -4.0, context, stream).excludes(factor)


def _route_refutes(factor: float, context: Inflated) -> bool:
    """Run a whole route: it repeats a failure on a fresh stream before it refutes."""
    claimed, only = Factors(noise=Fraction(factor)), st.just(_factorisation())
    found = flow_ensemble(claimed, context, method="sgd", strategy=only)
    return found.verdict is Verdict.REFUTED


_NET = f"factorisation with 6 parameters, {_REPLICAS} replicas, {_STEPS} steps"
_FEW = replace(_SMALL, replicas=_REPLICAS - replicas_of(replace(_SMALL, replicas=0)))

ENSEMBLES = (
    Ensemble(
        "SGD, J = Aθ",
        _NET,
        partial(
            _simulated, lambda: problem_of(_factorisation(), _REPLICAS), run, "sgd"
        ),
    ),
    Ensemble(
        "SDE, J = Aθ",
        _NET,
        partial(
            _simulated, lambda: problem_of(_factorisation(), _REPLICAS), run, "sde"
        ),
    ),
    Ensemble(
        "SGD, any charge",
        f"a cubic charge, {_REPLICAS} replicas, {_STEPS} steps",
        partial(
            _simulated,
            lambda: field_problem(_nonlinear(), _REPLICAS, "sgd"),
            run_field,
            "sgd",
        ),
    ),
    Ensemble(
        "SGD, law of UᵀU − WWᵀ",
        f"width 3, {_REPLICAS} replicas, {_STEPS} steps",
        partial(_by_level, _law_leaves_out, _FEW),
        cost=4,
    ),
    Ensemble(
        "a whole route, refuted twice",
        _NET,
        partial(_by_level, _route_refutes, _SMALL),
        cost=8,
    ),
)
