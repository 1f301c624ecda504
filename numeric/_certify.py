"""The noise equilibrium, enclosed by interval arithmetic: no rounding decides it."""

from __future__ import annotations

import math
from fractions import Fraction
from threading import Lock
from typing import Any

from numeric._equilibria.certificate import (
    Certificate as Certificate,
    Degeneracy as Degeneracy,
)
from numeric._equilibria.estimate import float_root
from numeric._equilibria.exact import (
    bits as _bits,
    vector as _vector,
    weight as _weight,
    weights as _weights,
)


try:
    from flint import arb, ctx, fmpq
except ImportError:
    _FLINT = False
else:
    _FLINT = True


_GUARD = 32  # bits beyond the goal, for the sums and the products r·λ
_COARSE = 128  # bits below which a ladder of precisions costs more than it saves
_CEILING = 1 << 21  # bits of working precision at which the search gives up
_QUICK_STEPS = 5  # Newton from a float's precision: 53, 106, 212 bits
_MAX_STEPS = 400  # Newton and bisection steps at one precision
_LOCK = Lock()  # flint has one precision for the whole process


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

    Unlike `noise_equilibrium`, which takes floats, this refuses empty sequences; both
    refuse booleans. Arrays of many orbits are for `certify_equilibria`.

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
    return _certified(mus, noise, decay, _bits(bits), None)


def enclosed(
    mu: Any, s: Any, t: Any, sigma2: Any, gamma: Any, bits: Any, near: float | None
) -> Certificate:
    """Return the certificate, by a search that begins at `near`, λ* as a float."""
    mus = _vector(mu, "mu")
    noise = _product(_weight(sigma2, "sigma2"), _weights(s, "s", len(mus)))
    decay = _product(2 * _weight(gamma, "gamma"), _weights(t, "t", len(mus)))
    return _certified(mus, noise, decay, _bits(bits), near)


def _certified(
    mus: list[fmpq],
    noise: list[fmpq],
    decay: list[fmpq],
    goal: int,
    near: float | None,
) -> Certificate:
    up, down = _sides(mus, noise, decay)
    if not up and not down:
        cause = _why_nothing(mus)
        return Certificate(-math.inf, math.inf, unique=False, degeneracy=cause)
    if not up or not down:
        end = math.inf if up else -math.inf
        cause = _why_one_way(mus, noise, decay)
        return Certificate(end, end, unique=True, degeneracy=cause)
    lower, upper = _enclose(up, down, goal, near)
    return Certificate(lower, upper, unique=True, degeneracy=None)


# ------------------------------------------------------------------ the two sides


def _product(factor: fmpq, vector: list[fmpq]) -> list[fmpq]:
    return [factor * x for x in vector]


_Terms = list[tuple["fmpq", "fmpq"]]  # rate r > 0, weight > 0
_Sides = list[list[tuple["arb", "arb"]]]  # (rate, weight) of up, then of down


def _sides(
    mus: list[fmpq], noise: list[fmpq], decay: list[fmpq]
) -> tuple[_Terms, _Terms]:
    """Return the terms of G = Σ up e^{-rλ} - Σ down e^{rλ}."""
    up: _Terms = []
    down: _Terms = []
    for m, n, d in zip(mus, noise, decay, strict=True):
        size, rate = abs(m), 2 * abs(m)
        rising, falling = (n, d) if m > 0 else (d, n)
        for side, factor in ((up, rising), (down, falling)):
            weight = size * factor
            if weight != 0:
                side.append((rate, weight))
    return up, down


def _total(side: _Terms) -> fmpq:
    return sum((weight for _, weight in side), fmpq(0))


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
    up: _Terms, down: _Terms, bits: int, near: float | None
) -> tuple[Fraction, Fraction]:
    """Return endpoints with G(lower) > 0 > G(upper), or 0 twice."""
    height = _total(up) - _total(down)
    if height == 0:
        return Fraction(0), Fraction(0)
    if height < 0:  # G(-λ; down, up) = -G(λ; up, down)
        start = None if near is None else -near
        lower, upper = _positive(down, up, -height, bits, start)
        return -upper, -lower
    return _positive(up, down, height, bits, near)


def _positive(
    up: _Terms, down: _Terms, height: fmpq, bits: int, near: float | None
) -> tuple[Fraction, Fraction]:
    """Enclose the zero, which is > 0 because the height G(0) is."""
    excess = height / _total(down)
    lost = max(0, excess.q.bit_length() - excess.p.bit_length())  # bits that cancel
    if bits + lost + _GUARD > _CEILING:
        raise ArithmeticError(_too_hard(bits))
    goals = [bits]
    while goals[0] > _COARSE:
        goals.insert(0, (goals[0] + _GUARD) // 2)
    near = float_root(up, down) if near is None else near
    with _LOCK, ctx.workprec(goals[0] + lost + _GUARD):
        found = _from_float(up, down, near, goals[0])
        if found:
            low, high = found
            del goals[0]
        else:
            low, high = _bracket(up, down, excess)
        for goal in goals:
            low, high = _refine(up, down, low, high, goal, goal + lost + _GUARD)
        return _fraction(low), _fraction(high)


def _from_float(
    up: _Terms, down: _Terms, near: float, goal: int
) -> tuple[arb, arb] | None:
    """Take Newton steps from a float; return proved endpoints, if these suffice."""
    if not 0 < near < math.inf:
        return None
    sides = _balls(up, down)
    x, close = arb(near), arb((1, -(goal + _GUARD) // 2))
    for _ in range(_QUICK_STEPS):
        step = _step(sides, x)[2]
        if not (step.is_finite() and step > 0):
            return None
        x, last = step, x
        if abs(x - last) <= close * x:
            proved, low, high = _straddle(sides, x, arb(0), arb(math.inf), goal)
            return (low, high) if proved else None
    return None


def _balls(up: _Terms, down: _Terms) -> _Sides:
    return [[(arb(r), arb(w)) for r, w in side] for side in (up, down)]


def _fraction(x: arb) -> Fraction:
    man, exp = (int(part) for part in x.man_exp())
    return Fraction(man << exp) if exp >= 0 else Fraction(man, 1 << -exp)


def _bracket(up: _Terms, down: _Terms, excess: fmpq) -> tuple[arb, arb]:
    """Return 0 < low <= λ* <= high, U/D = 1 + excess at λ = 0.

    H = log(U/D) falls by at least the two smallest rates together, at most by the two
    largest. And no term of D exceeds U(0) at λ*: up to high, nothing overflows.
    """
    drop = arb(excess).log1p()
    rates = [[rate for rate, _ in side] for side in (up, down)]
    low = drop / arb(sum(map(max, rates), fmpq(0)))
    flat = drop / arb(sum(map(min, rates), fmpq(0)))
    start = _total(up)
    caps = [arb(start / w).log() / arb(rate) for rate, w in down]
    return low.lower(), min(end.upper() for end in (flat, *caps))


def _refine(
    up: _Terms,
    down: _Terms,
    low: arb,
    high: arb,
    goal: int,
    prec: int,
) -> tuple[arb, arb]:
    """Return proved endpoints, closer together than 2^-goal λ*."""
    while prec <= _CEILING:
        ctx.prec = prec
        sides = _balls(up, down)
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
