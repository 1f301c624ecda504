"""sin, cos and tan on lanes.

Up to |x| = 2^20 · π/2 the multiple of π/2 is taken off in parts of 33 bits (Cody and
Waite), which are exact when multiplied by the quadrant; the roundings are kept, so the
rest has a relative error below 2^-60 however near x is to a zero. Beyond, and for NaN
and infinity, LLVM's sin and cos call the machine's library for every lane; this is done
only for vectors which hold such a number.

The polynomials are by Remez's exchange in 50 digits, |r| ≤ 1.001 π/4: (sin r − r)/r³
to 2^-58 of r (float32: 2^-38), (cos r − 1 + r²/2)/r⁴ to 2^-64 (2^-33).
"""

from __future__ import annotations

import math
from typing import Any

from numeric._lanes.builder import Kernel
from numeric._lanes.compiler import AVAILABLE
from numeric._lanes.exponential import FORMATS, from_bits, kept_zero, same_bits, to_bits


if AVAILABLE:
    from llvmlite import ir


_BOUND = 2.0**20 * math.pi / 2
# π/2 = the sum: three parts of 33 bits and the rest.
_PARTS = [
    1.5707963267341256,
    6.077100506303966e-11,
    2.0222662487111665e-21,
    8.4784276603689e-32,
]
_SIN = {
    "float32": [
        -0.1666666716337204,
        0.008333329111337662,
        -0.00019839327433146536,
        2.718237738008611e-06,
    ],
    "float64": [
        -0.16666666666666632,
        0.008333333333322316,
        -0.0001984126982972519,
        2.7557313662027397e-06,
        -2.5050753257594096e-08,
        1.589650445910065e-10,
    ],
}
_COS = {
    "float32": [0.04166664555668831, -0.001388736185617745, 2.4437740648863837e-05],
    "float64": [
        0.0416666666666666,
        -0.001388888888887399,
        2.4801587289395014e-05,
        -2.7557314326049407e-07,
        2.087571956024578e-09,
        -1.1359448711687689e-11,
    ],
}


def sin(k: Kernel, x: Any) -> Any:
    """Return sin x."""
    return k.shared(f"sin_{k.dtype}", lambda v: _with_library(k, v, _sin, _far_sin), x)


def cos(k: Kernel, x: Any) -> Any:
    """Return cos x."""
    return k.shared(f"cos_{k.dtype}", lambda v: _with_library(k, v, _cos, _far_cos), x)


def tan(k: Kernel, x: Any) -> Any:
    """Return tan x."""
    return k.shared(f"tan_{k.dtype}", lambda v: _with_library(k, v, _tan, _far_tan), x)


def _with_library(k: Kernel, x: Any, near: Any, far: Any) -> Any:
    result = k.variable(near(k, x))
    beyond = k.ir.not_(k.compare("<=", k.absolute(x), k.number(_BOUND)))
    with k.ir.if_then(k.any(beyond), likely=False):
        result.set(k.select(beyond, far(k, x), result.get()))
    return result.get()


def _far_sin(k: Kernel, x: Any) -> Any:
    return k.intrinsic("sin", x)


def _far_cos(k: Kernel, x: Any) -> Any:
    return k.intrinsic("cos", x)


def _far_tan(k: Kernel, x: Any) -> Any:
    return k.div(_far_sin(k, x), _far_cos(k, x))


def _sin(k: Kernel, x: Any) -> Any:
    quadrant, high, low = _reduced(k, x)
    value = k.select(_odd(k, quadrant), _cosine(k, high, low), _sine(k, high, low))
    return kept_zero(k, x, _signed(k, value, quadrant))


def _cos(k: Kernel, x: Any) -> Any:
    quadrant, high, low = _reduced(k, x)
    value = k.select(_odd(k, quadrant), _sine(k, high, low), _cosine(k, high, low))
    return _signed(k, value, k.ir.add(quadrant, same_bits(k, 1)))


def _tan(k: Kernel, x: Any) -> Any:
    quadrant, high, low = _reduced(k, x)
    odd = _odd(k, quadrant)
    s, c = _sine(k, high, low), _cosine(k, high, low)
    ratio = k.div(k.select(odd, k.neg(c), s), k.select(odd, s, c))
    return kept_zero(k, x, ratio)


def _odd(k: Kernel, quadrant: Any) -> Any:
    last = k.ir.and_(quadrant, same_bits(k, 1))
    return k.ir.icmp_signed("!=", last, same_bits(k, 0))


def _signed(k: Kernel, value: Any, quadrant: Any) -> Any:
    """Change the sign where the quadrant is 2 or 3 modulo 4."""
    place = FORMATS[k.dtype].bits - 2
    sign = k.ir.shl(k.ir.and_(quadrant, same_bits(k, 2)), same_bits(k, place))
    return from_bits(k, k.ir.xor(to_bits(k, value), sign))


def _reduced(k: Kernel, x: Any) -> tuple[Any, Any, Any]:
    """Return q modulo 4 in an integer's last bits, and x − qπ/2 in two parts."""
    if k.dtype == "float64":
        return _quadrant(k, x)
    with k.precision("float64"):
        quadrant, high, low = _quadrant(k, k.ir.fpext(x, k.vector))
        rest = k.add(high, low)
    kind = ir.VectorType(ir.IntType(32), k.width)
    return k.ir.trunc(quadrant, kind), k.ir.fptrunc(rest, k.vector), k.number(0.0)


def _quadrant(k: Kernel, x: Any) -> tuple[Any, Any, Any]:
    whole = k.number(FORMATS["float64"].whole)
    moved = k.fma(x, k.number(2 / math.pi), whole)
    q = k.ir.fsub(moved, whole)
    high, low = k.fma(q, k.number(-_PARTS[0]), x), k.number(0.0)
    for part in _PARTS[1:]:
        high, lost = _difference(k, high, k.ir.fmul(q, k.number(part)))
        low = k.ir.fadd(low, lost)
    total = k.ir.fadd(high, low)
    return to_bits(k, moved), total, k.ir.fadd(k.ir.fsub(high, total), low)


def _difference(k: Kernel, x: Any, y: Any) -> tuple[Any, Any]:
    """Return x − y rounded, and what the rounding took (Knuth, without conditions)."""
    total = k.ir.fsub(x, y)
    back = k.ir.fsub(total, x)
    return total, k.ir.fsub(k.ir.fsub(x, k.ir.fsub(total, back)), k.ir.fadd(y, back))


def _sine(k: Kernel, high: Any, low: Any) -> Any:
    z = k.mul(high, high)
    tail = k.mul(low, k.fma(z, k.number(-0.5), k.number(1.0)))
    cube = k.mul(k.mul(z, high), k.polynomial(z, _SIN[k.dtype]))
    return k.add(high, k.add(cube, tail))


def _cosine(k: Kernel, high: Any, low: Any) -> Any:
    z = k.mul(high, high)
    half = k.mul(z, k.number(0.5))
    start = k.ir.fsub(k.number(1.0), half)
    lost = k.ir.fsub(k.ir.fsub(k.number(1.0), start), half)
    rest = k.sub(k.mul(k.mul(z, z), k.polynomial(z, _COS[k.dtype])), k.mul(high, low))
    return k.add(start, k.add(lost, rest))
