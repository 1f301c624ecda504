"""From what a user claims to a `Claim` with routes and a twin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from symbolic import Declaration, DeclarationError, Verdict
from verify._claim import Claim, Route
from verify._context import Context
from verify._evidence import Evidence
from verify._subject import variants
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
    subjects, built = variants(declaration), []
    for each in claimed:
        try:
            built.append(_built(each, subjects))
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


def _read(claimed: Claimed, declaration: Declaration) -> Reading:
    if isinstance(claimed, FunctionClaim):
        return read_function(claimed, declaration)
    return read(claimed, declaration)


def _readings(
    claimed: Claimed, declarations: tuple[Declaration, ...]
) -> tuple[Reading, ...]:
    """Return a claim about a declaration at several sizes; where it says something."""
    readings = [_read(claimed, declarations[0])]
    for declaration in declarations[1:]:
        try:
            readings.append(_read(claimed, declaration))
        except DeclarationError:  # it names entries that are not there
            continue
    return tuple(readings)


def _built(claimed: Claimed, declarations: tuple[Declaration, ...]) -> Claim:
    readings = _readings(claimed, declarations)
    reading, declaration = readings[0], declarations[0]
    several = len(declarations) > 1
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
        subject=readings if several else reading,
        twin_statement=reading.twin_text,
        twin_subject=(reading.twin(),) if several else reading.twin(),
        routes=tuple(map(_everywhere, _routes(reading)))
        if several
        else _routes(reading),
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


_HOLDS = (Verdict.PROVED, Verdict.CERTIFIED, Verdict.SUPPORTED)


def _everywhere(route: Route) -> Route:
    """Return a route that looks at several sizes and constants, and proves none."""

    def everywhere(subject: tuple[Reading, ...], context: Context) -> Evidence:
        found: list[Evidence] = []
        for k, reading in enumerate(subject):
            claim = f"{context.claim}, variant {k}" if k else context.claim
            evidence = route(reading, replace(context, claim=claim))
            if evidence.verdict is Verdict.REFUTED:
                about = f"{evidence.summary} Of {reading.declaration.name}."
                return replace(evidence, summary=about)
            found.append(evidence)
        if found[0].verdict not in _HOLDS:
            return found[0]
        holding = [each for each in found if each.verdict in _HOLDS]
        names = "; ".join(reading.declaration.name for reading in subject)
        return replace(
            found[0],
            verdict=Verdict.SUPPORTED,
            summary=f"{found[0].summary} Looked at: {names}. Other sizes and constants "
            f"are not covered.",
            instances=sum(each.instances for each in holding),
            degenerate=sum(each.degenerate for each in holding),
        )

    return everywhere


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
