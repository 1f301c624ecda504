"""What a user claims, as texts: `UserClaim`, and the words it may use."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from symbolic import DeclarationError


QUANTITIES: Mapping[str, str] = MappingProxyType(
    {
        "charge": "C, with grad C = J",
        "flow": "dC/dt of the SDE: decay + noise, and -grad_J where l lacks J",
        "noise": "sigma2*Tr[Sigma dJ], the part of the flow due to noise",
        "decay": "-2*gamma*theta_J, the part due to weight decay",
        "exact_step": "E[C'] - C of one step of SGD, minibatches with replacement",
        "G": "-4*gamma*C + sigma2*Tr[Sigma A], for J = A theta, A symmetric",
        "lam_star": "the shift along the orbit where G is 0, where it is finite",
        "potential": "gamma*|theta|^2 + (sigma2/2)*Tr Sigma",
        "trace_sigma": "Tr Sigma, centred covariance of the samples' gradients",
        "trace_sigma_A": "Tr[Sigma dJ]; dJ = A where J = A theta + b",
        "trace_sigma_A2": "Tr[Sigma dJ dJ]",
        "trace_M2": "E|grad l|^2",
        "signal": "grad L . dJ grad L",
        "grad_norm2": "|grad L|^2",
        "grad_J": "grad L . J",
        "loss": "L, the mean of l without decay",
        "hessian_trace": "mean of Tr Hess l, plus 2*n*gamma",
        "norm2_theta": "|theta|^2",
        "norm2_J": "|J|^2",
        "theta_J": "theta . J",
    }
)
NUMBERS = ("gamma", "sigma2", "eta", "S")
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
MONOTONE = ("increasing", "decreasing", "nondecreasing", "nonincreasing")
RELATIONS = (*COMPARISONS, *MONOTONE, "converges")
TRAININGS = ("sgd", "gd", "flow")
MAX_STEPS = 20_000
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")
_BUILT_IN = ("p1.", "p2.", "own.")


@dataclass(frozen=True, slots=True)
class UserClaim:
    """A statement about derived quantities, for every instance of a declaration.

    An instance is a point θ, data of one sample or more, η > 0, γ ≥ 0 and a batch size
    S; the claim is that the relation holds at each where `given` does and both sides
    are defined. `left`, `right` and `given` are in the language of declaration files,
    about the parameters and their entries, gamma, sigma2, eta, S and `QUANTITIES`.

    Attributes:
        id: a name, such as "mine.growth".
        left: the quantity it is about.
        relation: "==", "!=", "<=", ">=", "<", ">"; "increasing", "decreasing"
            (strictly), "nondecreasing", "nonincreasing"; or "converges".
        right: what it is compared with, or converges to.
        given: conditions, such as ("gamma > 0",).
        along: where it is monotone: "orbit", "gamma", "eta", "S", "sigma2" (moved by S)
            or an entry of a parameter; how it converges: "sgd", "gd" or "flow".
        within: it has converged where the sides differ by less.
        steps: steps of sgd or gd after which it has.
        time: time of the flow after which it has.
        share: the share of runs of sgd that must; one half where "".
        at: name → the number it is held at; data with one for each sample.
        title: a few words.
        statement: the claim in words.

    Raises:
        DeclarationError: for what cannot be meant.

    >>> UserClaim("mine.noise", "noise", "==", "sigma2*trace_sigma_A").formula
    'noise == sigma2*trace_sigma_A'
    """

    id: str
    left: Any
    relation: str
    right: Any = ""
    given: Any = ()
    along: str = ""
    within: Any = ""
    steps: int = 0
    time: Any = ""
    share: Any = ""
    at: Any = ()
    title: str = ""
    statement: str = ""

    def __post_init__(self) -> None:
        check_id(self.id)
        for name in ("left", "right", "within", "time", "share"):
            object.__setattr__(self, name, _text(self.id, name, getattr(self, name)))
        given = (self.given,) if isinstance(self.given, str) else tuple(self.given)
        object.__setattr__(
            self, "given", tuple(_text(self.id, "given", each) for each in given)
        )
        pairs = self.at.items() if isinstance(self.at, Mapping) else self.at
        held = tuple((name, _held(self.id, name, value)) for name, value in pairs)
        object.__setattr__(self, "at", held)
        if self.relation not in RELATIONS:
            near = difflib.get_close_matches(str(self.relation), RELATIONS, 1, 0.0)
            self._refuse(
                f"relation: expected one of {', '.join(RELATIONS)}, got "
                f"{self.relation!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        if self.relation in COMPARISONS:
            self._check_comparison()
        elif self.relation in MONOTONE:
            self._check_monotone()
        else:
            self._check_convergence()

    @classmethod
    def of(cls, table: Any) -> UserClaim:
        """Return the claim of a `[claim]` table of a declaration file.

        Args:
            table: one of a declaration's `claims`.
        """
        return cls(**{each.name: getattr(table, each.name) for each in fields(cls)})

    @property
    def formula(self) -> str:
        """Return the claim as one line of text."""
        given = f", given {' and '.join(self.given)}" if self.given else ""
        held = ", ".join(f"{n} = {_shown(v)}" for n, v in self.at)
        held = f", at {held}" if held else ""
        if self.relation in COMPARISONS:
            return f"{self.left} {self.relation} {self.right}{given}{held}"
        if self.relation in MONOTONE:
            return f"{self.left} {self.relation} along {self.along}{given}{held}"
        after = f"time {self.time}" if self.along == "flow" else f"{self.steps} steps"
        return (
            f"{self.left} within {self.within} of {self.right} after {after} of "
            f"{self.along}{given}{held}"
        )

    def _refuse(self, why: str) -> None:
        raise DeclarationError(f"claim {self.id}: {why}")

    def _expect(self, *names: str) -> None:
        for name in names:
            if not getattr(self, name):
                self._refuse(
                    f"{name}: expected a value, as the relation is {self.relation!r}, "
                    f"got none"
                )

    def _expect_no(self, *names: str) -> None:
        for name in names:
            if getattr(self, name):
                self._refuse(
                    f"{name}: expected no such key with the relation "
                    f"{self.relation!r}, got {getattr(self, name)!r}"
                )

    def _check_comparison(self) -> None:
        self._expect("left", "right")
        self._expect_no("along", "within", "steps", "time", "share")

    def _check_monotone(self) -> None:
        self._expect("left", "along")
        self._expect_no("right", "within", "steps", "time", "share")

    def _check_convergence(self) -> None:
        self._expect("left", "right", "along", "within")
        if self.along not in TRAININGS:
            self._refuse(
                f"along: expected one of {', '.join(TRAININGS)} with the relation "
                f"'converges', got {self.along!r}"
            )
        if self.along == "flow":
            self._expect("time")
            self._expect_no("steps", "share")
            return
        self._expect_no("time", *(["share"] if self.along == "gd" else []))
        given: object = self.steps
        whole = isinstance(given, int) and not isinstance(given, bool)
        if not whole or not 1 <= self.steps <= MAX_STEPS:
            self._refuse(
                f"steps: expected an integer from 1 to {MAX_STEPS}, got {self.steps!r}"
            )


def check_id(name: object) -> None:
    """Check that a claim's name can be one.

    Raises:
        DeclarationError: where it cannot.
    """
    if not isinstance(name, str) or not _ID.match(name):
        raise DeclarationError(
            f"claim: expected an id of letters, digits and _ . - that starts with a "
            f"letter and has at most 64 characters, such as 'mine.growth', got {name!r}"
        )
    if name.lower().startswith(_BUILT_IN):
        raise DeclarationError(
            f"claim {name}: expected an id of your own, such as 'mine.growth': those "
            f"that start with {', '.join(_BUILT_IN)} are built in"
        )


def check_distinct(names: Iterable[str]) -> None:
    """Check that no two claims have one name.

    Raises:
        DeclarationError: naming the first that two have.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DeclarationError(
                f"claim {name}: expected an id of its own, another claim has it"
            )
        seen.add(name)


def _text(claim: str, name: str, value: object) -> str:
    """Return a text, or a number as one."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return str(value)
    raise DeclarationError(
        f"claim {claim}: {name}: expected an expression as text, or a number, got "
        f"{value!r} (type {type(value).__name__})"
    )


def _held(claim: str, name: object, value: Any) -> str | tuple[str, ...]:
    where = f"at.{name}"
    if isinstance(value, tuple | list):
        return tuple(_text(claim, where, each) for each in value)
    return _text(claim, where, value)


def _shown(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else f"({', '.join(value)})"
