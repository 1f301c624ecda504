r"""Powers on lanes.

x^y = e^{y ln|x|} with the sign of an odd y. The exponent may be as large as 745, so in
float64 ln|x| is computed in pairs of numbers, to some 2^-65: with m = |x|/2^e and
s = (m − 1)/(m + 1), ln m = 2s + (2/3)s³ in pairs, and Σ 2s^{2j+1}/(2j + 1) from s⁵ on.
In float32 all is done in float64.
"""

from __future__ import annotations

import math
from typing import Any

from numeric._lanes.builder import Kernel
from numeric._lanes.exponential import FORMATS, exp, log, split


_TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
_REST = [2 / (2 * j + 1) for j in range(2, 13)]


def power(k: Kernel, x: Any, exponent: int) -> Any:
    """Return x^exponent for a whole number, by repeated squaring.

    The error is below 1 ulp for each multiplication; an exponent < 0 is the inverse of
    the positive power, hence 0 where that overflows.
    """
    result, square, left = None, x, abs(exponent)
    while left:
        if left & 1:
            result = square if result is None else k.ir.fmul(result, square)
        left >>= 1
        square = k.ir.fmul(square, square) if left else square
    one = k.number(1.0)
    if result is None:
        return one
    return k.div(one, result) if exponent < 0 else result


def pow(k: Kernel, x: Any, y: Any) -> Any:
    """Return x^y, with the special cases of C99."""
    return k.shared(f"pow_{k.dtype}", lambda u, v: _pow(k, u, v), x, y)


def _pow(k: Kernel, x: Any, y: Any) -> Any:
    size, one, zero = k.absolute(x), k.number(1.0), k.number(0.0)
    if k.dtype == "float32":
        with k.precision("float64"):
            wide = [k.ir.fpext(v, k.vector) for v in (size, y)]
            grown = exp(k, k.mul(log(k, wide[0]), wide[1]))
        value = k.ir.fptrunc(grown, k.vector)
    else:
        value = _precise(k, size, y)
    value = k.select(k.compare("==", size, one), one, value)
    whole, odd = _parity(k, y)
    negative = k.ir.or_(
        k.compare("<", x, zero), k.compare("<", k.div(one, x), zero)
    )  # -0 too
    turned = k.select(k.ir.and_(negative, odd), k.neg(value), value)
    finite = k.ir.and_(_finite(k, x), _finite(k, y))
    wrong = k.ir.and_(k.compare("<", x, zero), k.ir.and_(finite, k.ir.not_(whole)))
    value = k.select(wrong, k.number(math.nan), turned)
    value = k.select(k.ir.fcmp_unordered("uno", x, y), k.add(x, y), value)
    trivial = k.ir.or_(k.compare("==", x, one), k.compare("==", y, zero))
    return k.select(trivial, one, value)


def _finite(k: Kernel, x: Any) -> Any:
    return k.compare("<", k.absolute(x), k.number(math.inf))


def _parity(k: Kernel, y: Any) -> tuple[Any, Any]:
    """Return whether y is a whole number, and whether an odd one."""
    half = k.mul(y, k.number(0.5))
    whole = k.compare("==", k.intrinsic("floor", y), y)
    even = k.compare("==", k.intrinsic("floor", half), half)
    return whole, k.ir.and_(whole, k.ir.not_(even))


def _precise(k: Kernel, size: Any, y: Any) -> Any:
    high, low = _log_pair(k, size)
    product = k.ir.fmul(y, high)
    lost = k.ir.fadd(_fma(k, y, high, k.neg(product)), k.ir.fmul(y, low))
    moderate = k.compare("<", k.absolute(product), k.number(1000.0))
    lost = k.select(moderate, lost, k.number(0.0))
    grown = exp(k, product)
    corrected = k.fma(grown, lost, grown)
    return k.select(_finite(k, grown), corrected, grown)


def _fma(k: Kernel, x: Any, y: Any, z: Any) -> Any:
    """Return xy + z with one rounding, on every machine."""
    return k.intrinsic("fma", x, y, z)


def _sum(k: Kernel, x: Any, y: Any) -> tuple[Any, Any]:
    total = k.ir.fadd(x, y)
    back = k.ir.fsub(total, x)
    return total, k.ir.fadd(k.ir.fsub(x, k.ir.fsub(total, back)), k.ir.fsub(y, back))


def _log_pair(k: Kernel, x: Any) -> tuple[Any, Any]:
    """Return ln x in two parts; of 0 and infinity in the first."""
    form = FORMATS[k.dtype]
    subnormal = k.compare("<", x, k.number(form.normal))
    up = float(form.mantissa + 2)
    full = k.select(subnormal, k.ir.fmul(x, k.number(2.0**up)), x)
    exponent, mantissa = split(k, full)
    exponent = k.ir.fsub(exponent, k.select(subnormal, k.number(up), k.number(0.0)))
    s, s_low = _quotient(k, k.ir.fsub(mantissa, k.number(1.0)))
    z = k.ir.fmul(s, s)
    z_low = k.fma(k.number(2.0), k.mul(s, s_low), _fma(k, s, s, k.neg(z)))
    cube = k.ir.fmul(z, s)
    cube_low = k.fma(z, s_low, k.fma(z_low, s, _fma(k, z, s, k.neg(cube))))
    third = k.ir.fmul(cube, k.number(_TWO_THIRDS[0]))
    third_low = _fma(k, cube, k.number(_TWO_THIRDS[0]), k.neg(third))
    third_low = k.fma(cube, k.number(_TWO_THIRDS[1]), third_low)
    third_low = k.fma(cube_low, k.number(_TWO_THIRDS[0]), third_low)
    rest = k.mul(k.mul(cube, z), k.polynomial(z, _REST))
    high, lost = _sum(k, k.ir.fmul(exponent, k.number(form.ln2[0])), k.ir.fadd(s, s))
    high, more = _sum(k, high, third)
    small = k.fma(exponent, k.number(form.ln2[1]), k.fma(k.number(2.0), s_low, rest))
    low = k.add(k.add(lost, more), k.add(small, third_low))
    total = k.ir.fadd(high, low)
    low = k.ir.fadd(k.ir.fsub(high, total), low)
    ordinary = k.ir.and_(k.compare(">", x, k.number(0.0)), _finite(k, x))
    return k.select(ordinary, total, log(k, x)), k.select(ordinary, low, k.number(0.0))


def _quotient(k: Kernel, f: Any) -> tuple[Any, Any]:
    """Return f/(2 + f) in two parts."""
    bottom, lost = _sum(k, k.number(2.0), f)
    s = k.ir.fdiv(f, bottom)
    left = k.ir.fsub(_fma(k, k.neg(s), bottom, f), k.ir.fmul(s, lost))
    return s, k.ir.fdiv(left, bottom)
