"""The order in which a claim's routes are tried on a mutant: cheap ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import FunctionType
from typing import Any

from verify._autoencoder import run_autoencoder
from verify._context import Context
from verify._digits import run_digits
from verify._mutants._calls import plain_functions
from verify._mutants._edits import call_graph
from verify._statistics import FactorTest


# What makes a route dear, least first: it draws, it simulates, it trains a network.
_DEAR: tuple[tuple[Callable[..., Any], ...], ...] = (
    (Context.examine, Context.draw),
    (FactorTest.interval, Context.rng),
    (run_digits, run_autoencoder),
)


def in_order(
    routes: Sequence[Any], altered: tuple[FunctionType, ...]
) -> tuple[int, ...]:
    """Return the places of the routes that reach what is altered, cheap ones first.

    Args:
        routes: of a claim.
        altered: functions whose code is altered; none where the statement is, which
            every route reads.

    Returns:
        Places in `routes`.
    """
    reaching = call_graph().reaching(altered)
    places = [
        place
        for place, route in enumerate(routes)
        if not altered or set(plain_functions(route)) & reaching
    ]
    return tuple(sorted(places, key=lambda place: (_dearness(routes[place]), place)))


def _dearness(route: Any) -> int:
    functions = set(plain_functions(route))
    for level in range(len(_DEAR), 0, -1):
        if functions & _reaching(level - 1):
            return level
    return 0


@lru_cache(maxsize=8)
def _reaching(level: int) -> frozenset[FunctionType]:
    targets = tuple(f for made in _DEAR[level] for f in plain_functions(made))
    return frozenset(call_graph().reaching(targets))
