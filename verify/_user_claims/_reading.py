"""A claim read against a declaration: expressions in named placeholders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy as sp

from symbolic import Declaration, DeclarationError
from verify._user_claims._available import OF_LOSS, missing
from verify._user_claims._functions import FunctionClaim
from verify._user_claims._relations import REVERSED
from verify._user_claims._statement import (
    COMPARISONS,
    MONOTONE,
    NUMBERS,
    QUANTITIES,
    UserClaim,
)


MAX_BATCH = 4  # every minibatch of it is looked at
MAX_SIZE = 40  # parameters, and components of one sample
_RELATION = re.compile(r"<=|>=|==|!=|<|>|=")
NUMBER_SYMBOLS = {name: sp.Symbol(name, real=True) for name in NUMBERS}
_SYMBOLS = {name: sp.Symbol(name, real=True) for name in QUANTITIES} | NUMBER_SYMBOLS


@dataclass(frozen=True, slots=True)
class Condition:
    """One of a claim's conditions: left relation right."""

    left: sp.Expr
    relation: str
    right: sp.Expr


@dataclass(frozen=True, slots=True)
class Reading:
    """A claim read against a declaration with numbers throughout.

    Attributes:
        claim: the claim.
        declaration: in components.
        left: the left side, in parameters, numbers and quantities as symbols.
        right: the right side, 0 where there is none.
        relation: what must hold between them.
        given: the conditions.
        held: parameter entries, gamma, eta and S that are held, with their values.
        data: entries of the data that are held, one value for each sample.
        within: how near is near enough, for convergence.
        time: of the flow.
        share: of the runs.
        altered: whether it is the twin.
        function: what decides it, where it is no comparison of expressions.
    """

    claim: UserClaim
    declaration: Declaration
    left: sp.Expr
    right: sp.Expr
    relation: str
    given: tuple[Condition, ...]
    held: Mapping[str, Fraction]
    data: Mapping[str, tuple[Fraction, ...]]
    within: sp.Expr
    time: Fraction
    share: Fraction
    altered: bool = False
    function: FunctionClaim | None = None

    @property
    def quantities(self) -> frozenset[str]:
        """Return the names of the quantities it is about, conditions included."""
        sides = [self.left, self.right, self.within]
        sides += [side for c in self.given for side in (c.left, c.right)]
        free = set().union(*(side.free_symbols for side in sides))
        own = {symbol.name for symbol in self.declaration.space.symbols}
        return frozenset(s.name for s in free if s.name in QUANTITIES) - own

    @property
    def needs_loss(self) -> bool:
        """Return whether there is nothing to look at without a loss."""
        return bool(self.quantities & OF_LOSS) or self.relation == "converges"

    @property
    def is_pinned(self) -> bool:
        """Return whether an equality among the conditions may forbid to move along."""
        still = {"gamma", "eta", "S", "sigma2"} - {self.claim.along}
        if self.claim.along in {"eta", "S"}:
            still -= {"sigma2"}
        own = {symbol.name for symbol in self.declaration.space.symbols}
        still |= own - {self.claim.along} if self.claim.along != "orbit" else set()
        free = [
            symbol.name
            for condition in self.given
            if condition.relation == "=="
            for symbol in (condition.left - condition.right).free_symbols
        ]
        return not set(free) <= still

    def why_not(self) -> str | None:
        """Return which quantity the declaration does not have, or None."""
        declaration = self.declaration
        for name in sorted(self.quantities):
            reason = missing(name, declaration)
            if reason is not None:
                return reason
        if self.relation == "converges" and declaration.loss is None:
            return "The claim is about training on a loss; none is declared."
        if self.claim.along == "orbit" and declaration.symmetry.matrix is None:
            return "Orbits are followed for J = Aθ + b; the one declared is nonlinear."
        return None

    def twin(self) -> Reading:
        """Return the altered statement: it must be refuted where the claim holds."""
        if self.function is not None:
            return replace(self, altered=True)
        if self.relation == "==":
            moved = self.right + (1 + self.right**2) / 1000
            return replace(self, right=moved, altered=True)
        if self.relation == "converges":
            return replace(self, right=self.right + 4 * self.within, altered=True)
        return replace(self, relation=REVERSED[self.relation], altered=True)

    @property
    def twin_text(self) -> str:
        """Return the altered statement in words."""
        claim = self.claim
        if self.function is not None:
            return "the opposite; for an equality, right + (1 + right**2)/1000"
        if self.relation == "==":
            return f"{claim.left} == r + (1 + r**2)/1000 for r = {claim.right}"
        if self.relation == "converges":
            return f"{claim.left} converges to {claim.right} + 4*({claim.within})"
        other = REVERSED[self.relation]
        if self.relation in MONOTONE:
            return f"{claim.left} {other} along {claim.along}"
        return f"{claim.left} {other} {claim.right}"


def read(claim: UserClaim, declaration: Declaration) -> Reading:
    """Return a claim read against a declaration in components.

    Args:
        claim: the claim.
        declaration: with numbers for its sizes and constants.

    Returns:
        The reading.

    Raises:
        DeclarationError: naming the key, the place in it, and what was expected.
    """
    reader = _Reader(claim, declaration)
    held, data = reader.held()
    convergent = claim.relation == "converges"
    monotone = claim.relation in MONOTONE
    if monotone:
        reader.check_along()
    return Reading(
        claim,
        declaration,
        reader.side(claim.left, "left"),
        sp.S.Zero if monotone else reader.side(claim.right, "right"),
        claim.relation,
        tuple(reader.condition(i, text) for i, text in enumerate(claim.given)),
        held,
        data,
        reader.within() if convergent else sp.S.Zero,
        reader.number(claim.time, "time") if claim.time else Fraction(0),
        reader.share(),
    )


def read_function(claimed: FunctionClaim, declaration: Declaration) -> Reading:
    """Return a claim made by a function, read against a declaration in components.

    Args:
        claimed: the claim.
        declaration: with numbers for its sizes and constants.
    """
    stand_in = UserClaim(
        claimed.id, 0, "==", 0, given=claimed.given, title=claimed.title
    )
    return replace(read(stand_in, declaration), function=claimed)


class _Reader:
    """Reads the texts of one claim."""

    def __init__(self, claim: UserClaim, declaration: Declaration) -> None:
        self._claim, self._declaration = claim, declaration
        loss = declaration.loss
        width = 0 if loss is None else loss.data.size
        if max(declaration.space.size, width) > MAX_SIZE:
            raise DeclarationError(
                f"claim {claim.id}: expected at most {MAX_SIZE} parameters, and "
                f"components of a sample, to draw instances of, got "
                f"{declaration.space.size} and {width}; declare smaller sizes"
            )

    def _where(self, key: str) -> str:
        return f"claim {self._claim.id}, {key}"

    def side(self, text: str, key: str) -> sp.Expr:
        """Return an expression; a name must not be a parameter and a quantity.

        Raises:
            DeclarationError: where it means nothing, or two things.
        """
        space, where = self._declaration.space, self._where(key)
        quantities = {n: s for n, s in _SYMBOLS.items() if n not in space.names}
        value = self._declaration.read(text, quantities, where)
        for name in set(space.names) & set(QUANTITIES):
            parts = space[name]
            if value.free_symbols & parts.free_symbols:
                raise DeclarationError(
                    f"{where}: expected a name with one meaning, {name} is a parameter "
                    f"and a derived quantity; rename the parameter"
                )
        return value

    def condition(self, i: int, text: str) -> Condition:
        """Return a condition.

        Raises:
            DeclarationError: where it is none.
        """
        where = f"given, number {i + 1}"
        found = list(_RELATION.finditer(text))
        if len(found) != 1 or found[0].group() == "=":
            got = " and ".join(match.group() for match in found) or "none"
            raise DeclarationError(
                f"{self._where(where)}: expected one of {', '.join(COMPARISONS)} in "
                f"{text!r}, got {got}"
                + ("; equality is written ==" if "=" in got.split(" and ") else "")
            )
        (match,) = found
        left, right = text[: match.start()], " " * match.end() + text[match.end() :]
        return Condition(self.side(left, where), match.group(), self.side(right, where))

    def number(self, text: str, key: str) -> Fraction:
        """Return a number.

        Raises:
            DeclarationError: for anything else.
        """
        value = self._declaration.read(text, {}, self._where(key))
        if not value.is_Rational:
            raise DeclarationError(
                f"{self._where(key)}: expected a rational number, got {text!r}"
            )
        return Fraction(int(value.p), int(value.q))

    def within(self) -> sp.Expr:
        """Return how near is near enough.

        Raises:
            DeclarationError: unless it is a positive number.
        """
        value = self.number(self._claim.within, "within")
        if value <= 0:
            raise DeclarationError(
                f"{self._where('within')}: expected a positive number, got {value}"
            )
        return sp.Rational(value.numerator, value.denominator)

    def share(self) -> Fraction:
        """Return the share of runs, one half unless given.

        Raises:
            DeclarationError: unless 0 < share < 1.
        """
        if not self._claim.share:
            return Fraction(1, 2)
        value = self.number(self._claim.share, "share")
        if not 0 < value < 1:
            raise DeclarationError(
                f"{self._where('share')}: expected a number between 0 and 1, got "
                f"{value}"
            )
        return value

    def check_along(self) -> None:
        """Check that there is something to move.

        Raises:
            DeclarationError: where there is not.
        """
        own = [symbol.name for symbol in self._declaration.space.symbols]
        known = ["orbit", *NUMBERS, *own]
        if self._claim.along not in known:
            raise DeclarationError(
                f"{self._where('along')}: expected one of {', '.join(known)}, got "
                f"{self._claim.along!r}"
            )

    def held(self) -> tuple[dict[str, Fraction], dict[str, tuple[Fraction, ...]]]:
        """Return what is held, parameters and data apart.

        Raises:
            DeclarationError: for unknown names and for values that do not fit.
        """
        loss = self._declaration.loss
        data = [] if loss is None else [symbol.name for symbol in loss.data.symbols]
        own = [symbol.name for symbol in self._declaration.space.symbols]
        numbers = [*own, "gamma", "eta", "S"]
        held: dict[str, Fraction] = {}
        rows: dict[str, tuple[Fraction, ...]] = {}
        for name, value in self._claim.at:
            key = f"at.{name}"
            if name in numbers and isinstance(value, str):
                held[name] = self._checked(name, self.number(value, key))
            elif name in data and isinstance(value, tuple) and value:
                rows[name] = tuple(self.number(each, key) for each in value)
            else:
                raise DeclarationError(
                    f"{self._where(key)}: expected a number for one of "
                    f"{', '.join(numbers)}, or a list of numbers, one for each sample, "
                    f"for one of {', '.join(data) or '(no data)'}"
                )
        if len({len(values) for values in rows.values()}) > 1:
            listed = ", ".join(f"{n} has {len(v)}" for n, v in rows.items())
            raise DeclarationError(
                f"{self._where('at')}: expected as many samples for each of the data, "
                f"got: {listed}"
            )
        return held, rows

    def _checked(self, name: str, value: Fraction) -> Fraction:
        """Return a value that a number of the training may have.

        Raises:
            DeclarationError: for η ≤ 0, γ < 0 and S that is no positive integer.
        """
        most = 1000 if self._claim.relation == "converges" else MAX_BATCH
        wrong = {
            "eta": value <= 0,
            "gamma": value < 0,
            "S": value < 1 or value.denominator != 1 or value > most,
        }
        if wrong.get(name):
            wanted = {
                "eta": "eta > 0",
                "gamma": "gamma >= 0",
                "S": f"an integer S from 1 to {most}",
            }
            raise DeclarationError(
                f"{self._where(f'at.{name}')}: expected {wanted[name]}, got {value}"
            )
        return value
