"""Claims as functions of an instance: `claim`, and what the function sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symbolic import Declaration, DeclarationError
from verify._exact import NotRational
from verify._user_claims._relations import REVERSED
from verify._user_claims._statement import COMPARISONS, NUMBERS, QUANTITIES, check_id


Result = tuple[Fraction, str, Fraction]  # left, relation, right


class At:
    """An instance, as a claim's function sees it: every number a `Fraction`.

    Attributes are the names of `QUANTITIES`, gamma, sigma2, eta and S, and the
    parameters: a number, a column or a matrix by rows, as declared.
    """

    __slots__ = ("_declaration", "_numbers", "_used")

    def __init__(self, declaration: Declaration, numbers: Callable[[str], Any]) -> None:
        self._declaration = declaration
        self._numbers = numbers
        self._used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        """Return a quantity, a number of the training or a parameter.

        Args:
            name: its name.

        Returns:
            A Fraction; a nested tuple for a parameter with a shape.

        Raises:
            AttributeError: for any other name.
        """
        space = self._declaration.space
        if name in space.names:
            return _nested(self, space.int_shape(name), name)
        own = {symbol.name for symbol in space.symbols}
        if name not in own and name not in NUMBERS and name not in QUANTITIES:
            known = ", ".join((*space.names, *NUMBERS, *QUANTITIES))
            raise AttributeError(f"expected one of {known}, got {name!r}")
        return self._number(name)

    def __dir__(self) -> list[str]:
        return sorted((*self._declaration.space.names, *NUMBERS, *QUANTITIES))

    def _number(self, name: str) -> Fraction:
        self._used.add(name)
        value = self._numbers(name)
        if not isinstance(value, Fraction):
            raise NotRational(f"{name} is not rational")
        return value


def used_by(at: At) -> frozenset[str]:
    """Return the names that a function has looked at."""
    return frozenset(at._used)


def _nested(at: At, shape: Sequence[int], name: str) -> Any:
    if not shape:
        return at._number(name)
    rows = range(shape[0])
    return tuple(_nested(at, shape[1:], f"{name}_{i}") for i in rows)


@dataclass(frozen=True, slots=True)
class FunctionClaim:
    """A claim made by `claim`; it can still be called.

    Attributes:
        id: its name.
        function: what decides it at an instance.
        given: conditions in the language of declaration files.
        title: a few words.
        statement: it in words.
    """

    id: str
    function: Callable[[At], Any]
    given: tuple[str, ...] = ()
    title: str = ""
    statement: str = ""

    def __call__(self, at: At) -> Any:
        """Return what the function says of an instance."""
        return self.function(at)

    @property
    def formula(self) -> str:
        """Return the claim as one line of text."""
        given = f", given {' and '.join(self.given)}" if self.given else ""
        return f"{getattr(self.function, '__name__', 'the function')} holds{given}"


def claim(
    id: str,
    *,
    given: str | Sequence[str] = (),
    title: str = "",
    statement: str = "",
) -> Callable[[Callable[[At], Any]], FunctionClaim]:
    """Make a function of an instance a claim about every instance.

    The function gets exact `Fraction`s as attributes (`at.flow`, `at.gamma`, `at.u`;
    see `QUANTITIES`) and returns (left, right), which must be equal, or (left, "<=",
    right) with any comparison, or whether the claim holds. Prefer two sides: the search
    then climbs to where they are nearest, and finds more. It must not change anything:
    it is called many times, on two evaluations of the quantities that share no code.

    Args:
        id: a name, such as "mine.growth".
        given: conditions in the language of declaration files, such as "gamma > 0".
        title: a few words.
        statement: the claim in words; the function's first line where "".

    Returns:
        The decorator.

    >>> @claim("mine.decay")
    ... def decay(at):
    ...     "Decay pulls the charge to zero."
    ...     return at.decay, -4 * at.gamma * at.charge
    >>> decay.statement
    'Decay pulls the charge to zero.'
    """
    check_id(id)
    conditions = (given,) if isinstance(given, str) else tuple(given)

    def made(function: Callable[[At], Any]) -> FunctionClaim:
        given_: object = function
        if not callable(given_):
            raise DeclarationError(
                f"claim {id}: expected a function of an instance, got {function!r}"
            )
        doc = (getattr(function, "__doc__", None) or "").strip().split("\n")[0]
        return FunctionClaim(id, function, conditions, title, statement or doc)

    return made


def result_of(claimed: FunctionClaim, at: At, *, altered: bool) -> Result:
    """Return what a function claims at an instance, as a comparison.

    Args:
        claimed: the claim.
        at: the instance.
        altered: whether the twin is asked for: the reversed comparison, or for an
            equality the right side moved by (1 + right²)/1000.

    Returns:
        Left side, relation and right side.

    Raises:
        NotRational: where a number of it is not rational, or a divisor is 0.
        DeclarationError: for a result of another form, and a function that fails.
    """
    try:
        found = claimed.function(at)
    except ZeroDivisionError:
        raise NotRational("division by zero") from None
    except (LookupError, TypeError, AttributeError, NameError) as error:
        raise DeclarationError(
            f"claim {claimed.id}: its function fails at an instance, with "
            f"{type(error).__name__}: {error}"
        ) from error
    if isinstance(found, bool):
        return Fraction(int(found)), "==" if not altered else "!=", Fraction(1)
    left, relation, right = _parts(claimed, found)
    if not altered:
        return left, relation, right
    if relation == "==":
        return left, relation, right + (1 + right**2) / 1000
    return left, REVERSED[relation], right


def _parts(claimed: FunctionClaim, found: object) -> Result:
    parts = found if isinstance(found, tuple) else (found,)
    if len(parts) == 2:
        parts = (parts[0], "==", parts[1])
    numbers = (int, Fraction)
    if (
        len(parts) == 3
        and parts[1] in COMPARISONS
        and all(isinstance(parts[i], numbers) for i in (0, 2))
        and not any(isinstance(parts[i], bool) for i in (0, 2))
    ):
        return Fraction(parts[0]), str(parts[1]), Fraction(parts[2])
    raise DeclarationError(
        f"claim {claimed.id}: expected True, False, (left, right) or (left, relation, "
        f"right) with integers or Fractions and one of {', '.join(COMPARISONS)}, got "
        f"{found!r:.80} (type {type(found).__name__}); a float is not exact"
    )
