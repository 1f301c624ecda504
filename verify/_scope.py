"""Which runs a route is for: those on every declaration, or a user's own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

from symbolic import Verdict
from verify._context import Context
from verify._evidence import Evidence


_Subject = TypeVar("_Subject")
_Route = Callable[[_Subject, Context], Evidence]
NETWORKS, FACTORISATION = "diagonal linear networks", "matrix factorisation"
OWN, THEORY = "models of its own", "the theory in general"


def only_about(what: str) -> Callable[[_Route[_Subject]], _Route[_Subject]]:
    """Return a decorator of routes that answer at once in runs on a declaration.

    Args:
        what: what the statement is about instead.

    Returns:
        The decorator.
    """

    def decorate(route: _Route[_Subject]) -> _Route[_Subject]:
        name = route.__name__.strip("_").replace("_", " ")

        @functools.wraps(route)
        def guarded(subject: _Subject, context: Context) -> Evidence:
            if context.subject is None:
                return route(subject, context)
            return Evidence(
                name,
                Verdict.NOT_APPLICABLE,
                f"The statement is about {what}, not about one declaration: verify it "
                f"by its id.",
            )

        return guarded

    return decorate
