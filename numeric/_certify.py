"""The noise equilibrium, enclosed by interval arithmetic: no rounding decides it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from enum import StrEnum
from fractions import Fraction
from threading import Lock
from typing import Any

import numpy as np


try:
    from flint import arb, ctx, fmpq
except ImportError:
    _FLINT = False
else:
    _FLINT = True


_GUARD = 32  # bits beyond the goal, for the sums and the products r·λ
_COARSE = 128  # bits below which a ladder of precisions costs more than it saves
_CEILING = 1 << 21  # bits of working precision at which the search gives up
_MAX_STEPS = 400  # Newton and bisection steps at one precision
_LOCK = Lock()  # flint has one precision for the whole process


class Degeneracy(StrEnum):
    """Why λ* is not a finite number; members are strings and compare as such.

    "Acts" means σ²sᵢ > 0 for noise, γtᵢ > 0 for decay, at an i with μᵢ ≠ 0.

    Attributes:
        ZERO_GENERATOR: every μᵢ is 0, so A = 0 and G ≡ 0: every λ is a zero.
        NO_NOISE_NO_DECAY: A ≠ 0, but neither noise nor decay acts (interpolation
            without decay, say): G ≡ 0, every λ is a zero.
        SEMIDEFINITE_WITHOUT_DECAY: noise acts, decay does not, and the μᵢ that are
            not 0 have one sign: λ* = ±∞, with that sign.
        ONE_SIDED_NOISE: the same with μᵢ of both signs, where noise acts at one
            sign only: λ* = ±∞, with that sign.
        DECAY_ALONE: decay acts, at one sign of μᵢ only, and noise does not: λ* = ±∞,
            with the opposite sign. (At both signs decay alone has a finite λ*.)
        NOISE_WITH_DECAY: noise acts at one sign of μᵢ, decay at the other, and both
            push the charge the same way: λ* = ±∞, with the sign of the noise.
    """

    ZERO_GENERATOR = "zero-generator"
    NO_NOISE_NO_DECAY = "no-noise-no-decay"
    SEMIDEFINITE_WITHOUT_DECAY = "semidefinite-without-decay"
    ONE_SIDED_NOISE = "one-sided-noise"
    DECAY_ALONE = "decay-alone"
    NOISE_WITH_DECAY = "noise-with-decay"


@dataclass(frozen=True, slots=True)
class Certificate:
    """An interval that holds λ*, proved.

    Attributes:
        lower: an exact number ≤ λ*, or a float ±inf.
        upper: an exact number ≥ λ*, or a float ±inf.
        unique: whether G is strictly decreasing, so that λ* is the only zero.
        degeneracy: None where λ* is finite, else why it is not.
    """

    lower: Fraction | float
    upper: Fraction | float
    unique: bool
    degeneracy: Degeneracy | None

    def contains(self, x: Any) -> bool:
        """Decide lower ≤ x ≤ upper exactly; NaN lies in no interval."""
        if isinstance(x, (float, np.floating)) and not math.isfinite(x):
            return bool(self.lower <= float(x) <= self.upper)
        exact = Fraction(*_ratio(x, "x"))
        return bool(self.lower <= exact <= self.upper)

    @property
    def midpoint(self) -> float:
        """The float nearest the middle; ±inf beyond the floats, NaN where G ≡ 0."""
        if isinstance(self.lower, float) or isinstance(self.upper, float):
            return float(self.lower) if self.lower == self.upper else math.nan
        middle = (self.lower + self.upper) / 2
        try:
            return float(middle)
        except OverflowError:
            return math.inf if middle > 0 else -math.inf

    def __str__(self) -> str:
        """Return one line: the value and the width, or the degeneracy."""
        if isinstance(self.lower, float) or isinstance(self.upper, float):
            what = "every λ is a zero"
            if self.lower == self.upper:
                what = f"λ* = {float(self.lower):+}"
            return f"{what} ({self.degeneracy})"
        if self.lower == self.upper:
            return f"λ* = {_decimal(self.lower, 17)} exactly"
        middle, width = (self.lower + self.upper) / 2, self.upper - self.lower
        return f"λ* ≈ {_decimal(middle, 17)}, enclosed to {_decimal(width, 2)}"


def certify_equilibrium(
    mu: Any, s: Any, t: Any, *, sigma2: Any, gamma: Any, bits: int = 128
) -> Certificate:
    r"""Enclose λ*, the shift along the orbit e^{λA}θ where the charge stands still.

    It is the zero of the non-increasing function (Ziyin et al., arXiv 2402.07193,
    Theorem 1)

    .. math::
        G(\lambda) = -2\gamma \sum_i \mu_i t_i e^{2\lambda\mu_i}
                     + \sigma^2 \sum_i \mu_i s_i e^{-2\lambda\mu_i}.

    Numbers are taken exactly: int, float (the dyadic number it is), Fraction, sympy
    Rational, numpy scalars, mixed as you like. Whether G ≡ 0, whether λ* is ±∞ or 0,
    and its sign are decided in rational arithmetic. Otherwise G(lower) > 0 > G(upper)
    is proved by Arb at these two dyadic points; continuity and strict monotonicity
    do the rest. A rational point other than 0 is never a zero of G (Lindemann and
    Weierstrass), so enough precision always decides.

    Flint keeps one working precision per process. It is changed during the call and
    restored at the end, also after an error; calls from several threads take turns,
    but other uses of flint in another thread at that time see the change.

    Args:
        mu: Eigenvalues μᵢ of the generator A, a sequence of n ≥ 1 numbers.
        s: Noise sᵢ = nᵢᵀΣ(θ)nᵢ ≥ 0 along each eigenvector, n numbers.
        t: Squared coordinates tᵢ = (nᵢᵀθ)² ≥ 0, n numbers.
        sigma2: σ² = η/(2S) ≥ 0.
        gamma: Weight decay γ ≥ 0 of γ‖θ‖².
        bits: The enclosure is narrower than 2^-bits·|λ*|.

    Returns:
        The certificate; the endpoints of a finite λ* ≠ 0 are dyadic, λ* = 0 is exact.

    Raises:
        ImportError: when python-flint is not installed.
        ValueError: for anything but finite real numbers, for negative ones where they
            must not be, for lengths that differ; the message names the argument.
        ArithmeticError: when the working precision reaches its ceiling.

    >>> found = certify_equilibrium([1, -1], [3, 1], [0, 0], sigma2=0.1, gamma=0)
    >>> print(found)  # ln(3)/4
    λ* ≈ 0.27465307216702742, enclosed to 3.7E-40
    >>> found.unique, found.upper - found.lower <= found.lower / 2**128
    (True, True)
    >>> certify_equilibrium([1, 2], [1, 1], [1, 1], sigma2=1, gamma=0).degeneracy.value
    'semidefinite-without-decay'
    """
    if not _FLINT:
        raise ImportError(
            "certify_equilibrium: expected python-flint, which is not installed; "
            "pip install noetherflow[fast]"
        )
    mus = _vector(mu, "mu")
    noise = _product(_weight(sigma2, "sigma2"), _weights(s, "s", len(mus)))
    decay = _product(2 * _weight(gamma, "gamma"), _weights(t, "t", len(mus)))
    goal = _bits(bits)
    up, down = _sides(mus, noise, decay)
    if not up and not down:
        cause = _why_nothing(mus)
        return Certificate(-math.inf, math.inf, unique=False, degeneracy=cause)
    if not up or not down:
        end = math.inf if up else -math.inf
        cause = _why_one_way(mus, noise, decay)
        return Certificate(end, end, unique=True, degeneracy=cause)
    lower, upper = _enclose(up, down, goal)
    return Certificate(lower, upper, unique=True, degeneracy=None)


# ------------------------------------------------------------------ exact numbers


def _ratio(value: Any, name: str) -> tuple[int, int]:
    """Return numerator and denominator of a real number, without rounding."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if not isinstance(value, bool) and isinstance(value, numbers.Rational):
        return int(value.numerator), int(value.denominator)
    if not isinstance(value, (float, np.floating)):
        raise ValueError(
            f"{name}: expected an exact real number (int, float, Fraction, sympy "
            f"Rational or numpy scalar), got {_kind(value)}; convert it first"
        )
    if not np.isfinite(value):
        raise ValueError(
            f"{name}: expected finite numbers, got {value}; remove or repair it first"
        )
    top, bottom = value.as_integer_ratio()
    return int(top), int(bottom)


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    try:
        shown = f"{value!r:.60}"
    except ValueError:  # an int of too many digits for Python to print
        shown = "a number"
    return f"{shown} of type {type(value).__name__}"


def _vector(values: Any, name: str) -> list[fmpq]:
    flat = not isinstance(values, np.ndarray) or values.ndim == 1
    sequence = isinstance(values, (Sequence, np.ndarray))
    if isinstance(values, (str, bytes)) or not (flat and sequence):
        raise ValueError(
            f"{name}: expected a list, tuple or 1-d array of numbers, one for each "
            f"eigenvector, got {_kind(values)}; certify one instance at a time"
        )
    if not len(values):
        raise ValueError(f"{name}: expected at least one number, got none")
    return [fmpq(*_ratio(x, f"{name}[{i}]")) for i, x in enumerate(values)]


def _weights(values: Any, name: str, length: int) -> list[fmpq]:
    vector = _vector(values, name)
    if len(vector) != length:
        raise ValueError(
            f"{name}: expected {length} numbers, one for each of mu, got "
            f"{len(vector)}; mu, s, t run over the same eigenvectors"
        )
    for i, x in enumerate(vector):
        _refuse_negative(x, f"{name}[{i}]")
    return vector


def _weight(value: Any, name: str) -> fmpq:
    x = fmpq(*_ratio(value, name))
    _refuse_negative(x, name)
    return x


def _refuse_negative(x: fmpq, name: str) -> None:
    if x >= 0:
        return
    if name == "gamma":
        hint = "for negative weight decay an equilibrium need not exist"
    else:
        hint = "it is a variance or a square; clip what rounding made negative"
    shown = _decimal(Fraction(int(x.p), int(x.q)), 6)
    raise ValueError(f"{name}: expected a number >= 0, got {shown}; {hint}")


def _bits(bits: Any) -> int:
    whole = isinstance(bits, numbers.Integral) and not isinstance(bits, bool)
    if not whole or bits < 1:
        raise ValueError(
            f"bits: expected an int >= 1, got {_kind(bits)}; 53 is a float's precision"
        )
    return int(bits)


def _decimal(x: Fraction, digits: int) -> str:
    context = Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
    return str(context.divide(Decimal(x.numerator), Decimal(x.denominator)))


# ------------------------------------------------------------------ the two sides


def _product(factor: fmpq, vector: list[fmpq]) -> list[fmpq]:
    return [factor * x for x in vector]


def _sides(
    mus: list[fmpq], noise: list[fmpq], decay: list[fmpq]
) -> tuple[dict[fmpq, fmpq], dict[fmpq, fmpq]]:
    """Return rate r > 0 → weight > 0 of G = Σ up e^{-rλ} - Σ down e^{rλ}."""
    up: dict[fmpq, fmpq] = {}
    down: dict[fmpq, fmpq] = {}
    for m, n, d in zip(mus, noise, decay, strict=True):
        size, rate = abs(m), 2 * abs(m)
        rising, falling = (n, d) if m > 0 else (d, n)
        for side, factor in ((up, rising), (down, falling)):
            weight = size * factor
            if weight != 0:
                side[rate] = side.get(rate, fmpq(0)) + weight
    return up, down


def _why_nothing(mus: list[fmpq]) -> Degeneracy:
    return Degeneracy.NO_NOISE_NO_DECAY if any(mus) else Degeneracy.ZERO_GENERATOR


def _why_one_way(mus: list[fmpq], noise: list[fmpq], decay: list[fmpq]) -> Degeneracy:
    noisy = any(m * n for m, n in zip(mus, noise, strict=True))
    decays = any(m * d for m, d in zip(mus, decay, strict=True))
    if decays:
        return Degeneracy.NOISE_WITH_DECAY if noisy else Degeneracy.DECAY_ALONE
    if any(m > 0 for m in mus) and any(m < 0 for m in mus):
        return Degeneracy.ONE_SIDED_NOISE
    return Degeneracy.SEMIDEFINITE_WITHOUT_DECAY


# --------------------------------------------------------------------- the search


def _enclose(
    up: dict[fmpq, fmpq], down: dict[fmpq, fmpq], bits: int
) -> tuple[Fraction, Fraction]:
    """Return endpoints with G(lower) > 0 > G(upper), or 0 twice."""
    height = sum(up.values(), fmpq(0)) - sum(down.values(), fmpq(0))
    if height == 0:
        return Fraction(0), Fraction(0)
    if height < 0:  # G(-λ; down, up) = -G(λ; up, down)
        lower, upper = _positive(down, up, -height, bits)
        return -upper, -lower
    return _positive(up, down, height, bits)


def _positive(
    up: dict[fmpq, fmpq], down: dict[fmpq, fmpq], height: fmpq, bits: int
) -> tuple[Fraction, Fraction]:
    """Enclose the zero, which is > 0 because the height G(0) is."""
    excess = height / sum(down.values(), fmpq(0))
    lost = max(0, excess.q.bit_length() - excess.p.bit_length())  # bits that cancel
    if bits + lost + _GUARD > _CEILING:
        raise ArithmeticError(_too_hard(bits))
    goals = [bits]
    while goals[0] > _COARSE:
        goals.insert(0, (goals[0] + _GUARD) // 2)
    with _LOCK, ctx.workprec(goals[0] + lost + _GUARD):
        low, high = _bracket(up, down, excess)
        for goal in goals:
            low, high = _refine(up, down, low, high, goal, goal + lost + _GUARD)
        return _fraction(low), _fraction(high)


def _fraction(x: arb) -> Fraction:
    man, exp = (int(part) for part in x.man_exp())
    return Fraction(man << exp) if exp >= 0 else Fraction(man, 1 << -exp)


def _bracket(
    up: dict[fmpq, fmpq], down: dict[fmpq, fmpq], excess: fmpq
) -> tuple[arb, arb]:
    """Return 0 < low <= λ* <= high, U/D = 1 + excess at λ = 0.

    H = log(U/D) falls by at least the two smallest rates together, at most by the two
    largest. And no term of D exceeds U(0) at λ*: up to high, nothing overflows.
    """
    drop = arb(excess).log1p()
    low = drop / arb(max(up) + max(down))
    flat = drop / arb(min(up) + min(down))
    start = sum(up.values(), fmpq(0))
    caps = [arb(start / w).log() / arb(rate) for rate, w in down.items()]
    return low.lower(), min(end.upper() for end in (flat, *caps))


def _refine(
    up: dict[fmpq, fmpq],
    down: dict[fmpq, fmpq],
    low: arb,
    high: arb,
    goal: int,
    prec: int,
) -> tuple[arb, arb]:
    """Return proved endpoints, closer together than 2^-goal λ*."""
    while prec <= _CEILING:
        ctx.prec = prec
        sides = [[(arb(r), arb(w)) for r, w in side.items()] for side in (up, down)]
        proved, low, high = _newton(sides, low, high, goal)
        if proved:
            return low, high
        prec *= 2
    raise ArithmeticError(_too_hard(goal))


def _too_hard(bits: int) -> str:
    return (
        f"certify_equilibrium: expected to need at most {_CEILING} bits of working "
        f"precision, got arguments that take more for {bits} bits of λ*; ask for "
        f"fewer bits, or round arguments that cancel to so many digits"
    )


_Sides = list[list[tuple["arb", "arb"]]]  # (rate, weight) of up, then of down


def _newton(sides: _Sides, low: arb, high: arb, goal: int) -> tuple[bool, arb, arb]:
    """Run Newton on log(U/D) inside [low, high], bisecting exponents where it stalls.

    Returns:
        Whether the signs at the ends are proved and the ends as close as wanted; and
        the ends. If they are not, the precision did not suffice.
    """
    x, last = low, arb(math.inf)
    near = arb((1, -(goal + _GUARD) // 2))  # Newton squares the relative error
    for _ in range(_MAX_STEPS):
        gap, log, step = _step(sides, x)
        if gap > 0:
            low = x
        elif gap < 0:
            high = x
        else:  # the zero, as far as this precision can tell
            return _straddle(sides, x, low, high, goal)
        inside = low <= step <= high and 2 * log <= last
        last, previous = log, x
        x = step if inside else (low * high).sqrt().mid()
        if abs(x - previous) <= near * x:
            proved, low, high = _straddle(sides, x, low, high, goal)
            if proved or low <= x <= high:
                return proved, low, high
            x = low if x < low else high
    return False, low, high


def _step(sides: _Sides, x: arb) -> tuple[arb, arb, arb]:
    """Return U - D at x, |log(U/D)|, and the point that Newton takes next."""
    (rise, rise_slope), (fall, fall_slope) = (
        _side(side, sign * x) for side, sign in zip(sides, (-1, 1), strict=True)
    )
    log = (rise / fall).log()
    step = x + log / (rise_slope / rise + fall_slope / fall)
    return rise - fall, abs(log.mid()), step.mid()


def _side(side: list[tuple[arb, arb]], x: arb) -> tuple[arb, arb]:
    """Return Σ w e^{rx} and Σ r w e^{rx}."""
    total, slope = arb(0), arb(0)
    for rate, weight in side:
        term = weight * (rate * x).exp()
        total += term
        slope += rate * term
    return total, slope


def _gap(sides: _Sides, x: arb) -> arb:
    """Return G(x), enclosed."""
    up, down = sides
    rise = sum((w * (-rate * x).exp() for rate, w in up), arb(0))
    fall = sum((w * (rate * x).exp() for rate, w in down), arb(0))
    return rise - fall


def _straddle(
    sides: _Sides, x: arb, low: arb, high: arb, goal: int
) -> tuple[bool, arb, arb]:
    """Test the signs of G on both sides of x, on the grid 2^(E-goal-2), 2^E <= x.

    The ends are two steps of the grid apart: 2^(E-goal-1) < 2^-goal λ*.

    Returns:
        Whether both signs are as they must be, and the ends as far as proved.
    """
    man, exp = (int(part) for part in x.man_exp())
    grid = man.bit_length() + exp - 1 - goal - 2
    near = man << (exp - grid) if exp >= grid else ((man >> (grid - exp - 1)) + 1) >> 1
    left, right = arb((near - 1, grid)), arb((near + 1, grid))
    at_left, at_right = _gap(sides, left), _gap(sides, right)
    if at_left > 0 and at_right < 0:
        return True, left, right
    if at_left < 0:
        return False, low, left
    if at_right > 0:
        return False, right, high
    return False, low, high
