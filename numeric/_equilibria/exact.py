"""Numbers taken exactly: what `certify_equilibrium` accepts."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np


try:
    from flint import fmpq
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True


def ratio(value: Any, name: str) -> tuple[int, int]:
    """Return numerator and denominator of a real number, without rounding.

    Args:
        value: int, float, Fraction, sympy Rational or numpy scalar.
        name: of the argument, for the message.

    Returns:
        The two integers, in lowest terms.

    Raises:
        ValueError: for anything else, and for what is not finite.
    """
    if type(value) is float and value - value == 0:  # the common case, at once
        return value.as_integer_ratio()
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if not isinstance(value, bool) and isinstance(value, numbers.Rational):
        return int(value.numerator), int(value.denominator)
    if not isinstance(value, (float, np.floating)):
        raise ValueError(
            f"{name}: expected an exact real number (int, float, Fraction, sympy "
            f"Rational or numpy scalar), got {_shown(value)}; convert it first"
        )
    if not np.isfinite(value):
        raise ValueError(
            f"{name}: expected finite numbers, got {value}; remove or repair it first"
        )
    top, bottom = value.as_integer_ratio()
    return int(top), int(bottom)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    try:
        shown = f"{value!r:.60}"
    except ValueError:  # an int of too many digits for Python to print
        shown = "a number"
    return f"{shown} of type {type(value).__name__}"


def vector(values: Any, name: str) -> list[fmpq]:
    """Return the numbers of a sequence or 1-d array; at least one, or ValueError."""
    flat = not isinstance(values, np.ndarray) or values.ndim == 1
    sequence = isinstance(values, (Sequence, np.ndarray))
    if isinstance(values, (str, bytes)) or not (flat and sequence):
        raise ValueError(
            f"{name}: expected a list, tuple or 1-d array of numbers, one for each "
            f"eigenvector, got {_shown(values)}; certify one instance at a time, or "
            f"arrays (..., n) by certify_equilibria"
        )
    if not len(values):
        raise ValueError(f"{name}: expected at least one number, got none")
    if isinstance(values, np.ndarray) and values.dtype == np.float64:
        values = values.tolist()
    return [fmpq(*ratio(x, f"{name}[{i}]")) for i, x in enumerate(values)]


def weights(values: Any, name: str, length: int) -> list[fmpq]:
    """Return as many numbers >= 0, or raise ValueError."""
    found = vector(values, name)
    if len(found) != length:
        raise ValueError(
            f"{name}: expected {length} numbers, one for each of mu, got "
            f"{len(found)}; mu, s, t run over the same eigenvectors"
        )
    for i, x in enumerate(found):
        if x < 0:
            _refuse_negative(x, f"{name}[{i}]")
    return found


def weight(value: Any, name: str) -> fmpq:
    """Return a number >= 0, or raise ValueError."""
    x = fmpq(*ratio(value, name))
    if x < 0:
        _refuse_negative(x, name)
    return x


def _refuse_negative(x: fmpq, name: str) -> None:
    if name == "gamma":
        hint = "for negative weight decay an equilibrium need not exist"
    else:
        hint = "it is a variance or a square; clip what rounding made negative"
    shown = decimal(Fraction(int(x.p), int(x.q)), 6)
    raise ValueError(f"{name}: expected a number >= 0, got {shown}; {hint}")


def bits(value: Any) -> int:
    """Return an int >= 1, or raise ValueError."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ValueError(
            f"bits: expected an int >= 1, got {_shown(value)}; 53 is a float's "
            f"precision"
        )
    return int(value)


def decimal(x: Fraction, digits: int) -> str:
    """Return a number in decimal, with so many digits."""
    context = Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
    return str(context.divide(Decimal(x.numerator), Decimal(x.denominator)))
