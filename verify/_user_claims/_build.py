"""From what a user claims to a `Claim` with routes and a twin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from symbolic import Declaration, DeclarationError, Verdict
from verify._claim import Claim, Route
from verify._context import Context
from verify._evidence import Evidence
from verify._subject import concrete
from verify._user_claims._derived_route import derivation
from verify._user_claims._dual_route import dual_numbers
from verify._user_claims._functions import FunctionClaim
from verify._user_claims._reading import Reading, read, read_function
from verify._user_claims._statement import UserClaim, check_distinct
from verify._user_claims._training import compiled_training, walked_training


Claimed = UserClaim | FunctionClaim
_SIZE = {"converges": "a distance of `within`", "==": "any difference"}


def user_claims(
    declaration: Declaration, more: Iterable[Claimed] = ()
) -> tuple[Claim, ...]:
    """Return the claims of a declaration's file, and others, ready to be checked.

    Args:
        declaration: what they are about.
        more: claims made in Python.

    Returns:
        One for each.

    Raises:
        DeclarationError: naming every claim that says nothing, and where.
    """
    wrong: list[str] = []
    claimed: list[Claimed] = []
    for table in declaration.claims:
        try:
            claimed.append(UserClaim.of(table))
        except DeclarationError as error:
            wrong.append(str(error))
    claimed += [_checked(each) for each in more]
    if not (claimed or wrong):
        return ()
    subject, built = concrete(declaration), []
    for each in claimed:
        try:
            built.append(_built(each, subject))
        except DeclarationError as error:
            wrong.append(str(error))
    if wrong:
        raise DeclarationError("\n".join(wrong))
    check_distinct(each.id for each in claimed)
    return tuple(built)


def _checked(given: object) -> Claimed:
    if isinstance(given, UserClaim | FunctionClaim):
        return given
    raise DeclarationError(
        f"expected a UserClaim, or a function decorated with claim(...), got "
        f"{given!r:.60} (type {type(given).__name__})"
    )


def _built(claimed: Claimed, declaration: Declaration) -> Claim:
    if isinstance(claimed, FunctionClaim):
        reading = read_function(claimed, declaration)
    else:
        reading = read(claimed, declaration)
    title = claimed.title or claimed.formula
    return Claim(
        id=claimed.id,
        title=title if len(title) <= 60 else f"{title[:57]}…",
        statement=claimed.statement or claimed.formula,
        formula=_latex(claimed.formula),
        source=f"your claim about {declaration.name}",
        form="own",
        expected=Verdict.SUPPORTED,
        discrepancy=_SIZE.get(reading.relation, "a difference of the other sign"),
        subject=reading,
        twin_statement=reading.twin_text,
        twin_subject=reading.twin(),
        routes=_routes(reading),
        note=_DOMAIN,
        about="symmetry",
        needs_loss=False,
    )


_DOMAIN = (
    "For every point, data of one sample or more, learning rate > 0, weight decay "
    "not negative and batch size, where the conditions hold and both sides are defined."
)


def _routes(reading: Reading) -> tuple[Route, ...]:
    reason = reading.why_not()
    if reason is not None:
        return _refusing("dual numbers", reason), _refusing("derivation", reason)
    if reading.relation == "converges":
        return compiled_training, walked_training
    return dual_numbers, derivation


def _refusing(name: str, reason: str) -> Route:
    """Return a route that says which assumption fails."""

    def route(subject: Any, context: Context) -> Evidence:
        del subject, context
        return Evidence(name, Verdict.NOT_APPLICABLE, reason)

    return route


def _latex(text: str) -> str:
    """Return a line of text as LaTeX."""
    escaped = "".join(_ESCAPES.get(character, character) for character in text)
    return rf"\text{{{escaped}}}"


_ESCAPES = {
    **{c: f"\\{c}" for c in "_#$%&{}"},
    "\\": r"\backslash ",
    "^": r"\^{}",
    "~": r"\~{}",
}
