r"""exp, log and what is made of them, on lanes.

The polynomials were found by Remez's exchange in 50 digits, and rounded. With
h = ½ ln 2 and z = (3 − 2√2)², they come this close to what they stand for:

================ ======================= ============= ======== ========
name             function                range         float64  float32
================ ======================= ============= ======== ========
``_EXP``         (e^r − 1 − r)/r²        |r| ≤ h       2^-57.9  2^-28.3
``_LOG``         (2 artanh(√z)/√z − 2)/z 0 ≤ z         2^-59.5  2^-30.2
``_SINH``        (sinh(√z)/√z − 1)/z     0 ≤ z ≤ 1     2^-73    2^-34
================ ======================= ============= ======== ========

(error over e^r, over 2 artanh(√z)/√z, over 1). tanh x = x − x³N/D near 0 is Lambert's
continued fraction x/(1 + x²/(3 + x²/(5 + …))), cut off after 15 (float32: after 9): its
error at x = 5/8 is below x^{2k}/((2k + 1)!!(2k − 1)!!), 2^-56 at k = 8, 2^-29 at k = 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numeric._lanes.builder import Kernel
from numeric._lanes.compiler import AVAILABLE


if AVAILABLE:
    from llvmlite import ir


@dataclass(frozen=True, slots=True)
class Format:
    """What a type of floating-point number is made of.

    Attributes:
        bits: of the whole number.
        mantissa: bits of the fraction.
        bias: of the exponent.
        ln2: ln 2 in two parts; whole numbers below 2^13 times the first are exact.
        lowest, highest: e^x is 0 below the first and infinite above the second.
        tiny: where expm1 is −1 to the last bit.
    """

    bits: int
    mantissa: int
    bias: int
    ln2: tuple[float, float]
    lowest: float
    highest: float
    tiny: float

    @property
    def whole(self) -> float:
        """A number which, added, rounds to integers that stand in the last bits."""
        return 1.5 * 2.0**self.mantissa

    @property
    def normal(self) -> float:
        """The smallest number of full precision."""
        return 2.0 ** (1 - self.bias)


FORMATS = {
    "float32": Format(
        32, 23, 127, (0.693359375, -2.1219444005469057e-4), -104.0, 89.0, -18.0
    ),
    "float64": Format(
        64,
        52,
        1023,
        (0.6931471803691238, 1.9082149292705877e-10),
        -746.0,
        710.0,
        -40.0,
    ),
}
_EXP = {
    "float32": [
        0.4999999403953552,
        0.1666651964187622,
        0.04166839271783829,
        0.0083687799051404,
        0.0013814496342092752,
    ],
    "float64": [
        0.5000000000000011,
        0.1666666666666641,
        0.041666666666529184,
        0.00833333333349556,
        0.0013888888943923625,
        0.00019841269504878626,
        2.480149276170725e-05,
        2.7557587256957847e-06,
        2.7630379039924463e-07,
        2.4999988775310957e-08,
    ],
}
_LOG = {
    "float32": [0.6666677594184875, 0.399774968624115, 0.2987305819988251],
    "float64": [
        0.6666666666666735,
        0.3999999999941111,
        0.285714287432593,
        0.22222198476224614,
        0.18183569732552246,
        0.15313903309495017,
        0.14797508217555186,
    ],
}
_SINH = {
    "float32": [
        0.1666666716337204,
        0.008333351463079453,
        0.00019835961575154215,
        2.818062057485804e-06,
    ],
    "float64": [
        0.16666666666666666,
        0.008333333333333333,
        0.00019841269841269576,
        2.7557319224127114e-06,
        2.5052108344020327e-08,
        1.6059050914801998e-10,
        7.646462477594146e-13,
        2.8487702791394027e-15,
    ],
}
_TANH_TOP = {
    "float32": [315.0, 14.0],
    "float64": [675675.0, 45045.0, 594.0, 1.0],
}
_TANH_BOTTOM = {
    "float32": [945.0, 420.0, 15.0],
    "float64": [2027025.0, 945945.0, 51975.0, 630.0, 1.0],
}
_SQRT_HALF = 0.70710678118654752440


# ------------------------------------------------------------------- bits of numbers


def to_bits(k: Kernel, x: Any) -> Any:
    """Return a vector's bits as integers of the same size."""
    kind = ir.VectorType(ir.IntType(FORMATS[k.dtype].bits), k.width)
    return k.ir.bitcast(x, kind)


def from_bits(k: Kernel, bits: Any) -> Any:
    """Return the numbers of these bits."""
    return k.ir.bitcast(bits, k.vector)


def same_bits(k: Kernel, value: int) -> Any:
    """Return a vector of one integer, as wide as the numbers are."""
    size = FORMATS[k.dtype].bits
    kind = ir.IntType(size)
    wrapped = value - (1 << size) if value >= 1 << (size - 1) else value
    return ir.Constant(
        ir.VectorType(kind, k.width), [ir.Constant(kind, wrapped)] * k.width
    )


def copy_sign(k: Kernel, size: Any, sign: Any) -> Any:
    """Return |size| with the sign of `sign`."""
    return k.intrinsic("copysign", size, sign)


def kept_zero(k: Kernel, x: Any, value: Any) -> Any:
    """Return `value`, and zeros as they are, with their sign."""
    return k.select(k.compare("==", x, k.number(0.0)), x, value)


def power_of_two(k: Kernel, n: Any) -> Any:
    """Return 2^n for whole numbers n of normal powers; anything for NaN."""
    form = FORMATS[k.dtype]
    moved = k.ir.fadd(n, k.number(form.whole + form.bias))
    return from_bits(k, k.ir.shl(to_bits(k, moved), same_bits(k, form.mantissa)))


# ---------------------------------------------------------------------- exponentials


def exp(k: Kernel, x: Any) -> Any:
    """Return e^x; subnormal results are rounded, not cut off."""
    return k.shared(f"exp_{k.dtype}", lambda v: _exp(k, v), x)


def expm1(k: Kernel, x: Any) -> Any:
    """Return e^x − 1."""
    return k.shared(f"expm1_{k.dtype}", lambda v: _expm1(k, v), x)


def exp_within(k: Kernel, x: Any) -> Any:
    """Return e^x for |x| ≤ 700 (float32: 87): nothing is checked, a third faster."""
    n, rest = _parts(k, x)
    return k.mul(k.add(k.number(1.0), rest), power_of_two(k, n))


def half_exp(k: Kernel, x: Any) -> Any:
    """Return e^x/2, finite for longer than e^x."""
    return k.shared(f"half_exp_{k.dtype}", lambda v: _exp(k, v, halved=True), x)


def _exp(k: Kernel, x: Any, halved: bool = False) -> Any:
    form = FORMATS[k.dtype]
    x = k.smaller(k.number(form.highest + halved), k.larger(k.number(form.lowest), x))
    n, rest = _parts(k, x)
    if halved:
        n = k.sub(n, k.number(1.0))
    return _scaled(k, k.add(k.number(1.0), rest), n)


def _scaled(k: Kernel, y: Any, n: Any) -> Any:
    """Return y 2^n, in two steps for neither factor to leave the range."""
    form = FORMATS[k.dtype]
    whole = k.number(form.whole)
    half = k.ir.fsub(k.ir.fadd(k.mul(n, k.number(0.5)), whole), whole)
    y = k.mul(y, power_of_two(k, half))
    return k.ir.fmul(y, power_of_two(k, k.sub(n, half)))


def _parts(k: Kernel, x: Any) -> tuple[Any, Any]:
    """Return the whole number n next to x/ln 2, and e^{x − n ln 2} − 1."""
    form = FORMATS[k.dtype]
    whole = k.number(form.whole)
    n = k.ir.fsub(k.fma(x, k.number(1 / math.log(2)), whole), whole)
    r = k.fma(n, k.number(-form.ln2[0]), x)
    r = k.fma(n, k.number(-form.ln2[1]), r)
    return n, k.fma(k.mul(r, r), k.polynomial(r, _EXP[k.dtype]), r)


def _expm1(k: Kernel, x: Any) -> Any:
    form = FORMATS[k.dtype]
    low = k.larger(k.number(form.tiny), x)
    n, rest = _parts(k, k.smaller(k.number(form.highest), low))
    # 2^{n-1} is finite where 2^n overflows before e^x does.
    half = power_of_two(k, k.sub(n, k.number(1.0)))
    value = k.fma(half, rest, k.sub(half, k.number(0.5)))
    value = k.add(value, value)
    value = k.select(k.compare("==", n, k.number(0.0)), rest, value)
    return kept_zero(k, x, value)


def sinh(k: Kernel, x: Any) -> Any:
    """Return sinh x."""
    return k.shared(f"sinh_{k.dtype}", lambda v: _sinh(k, v), x)


def _sinh(k: Kernel, x: Any) -> Any:
    z = k.mul(x, x)
    near = k.fma(k.mul(x, z), k.polynomial(z, _SINH[k.dtype]), x)
    half = half_exp(k, k.absolute(x))
    far = k.sub(half, k.div(k.number(0.25), half))
    close = k.compare("<", k.absolute(x), k.number(1.0))
    return k.select(close, near, copy_sign(k, far, x))


def cosh(k: Kernel, x: Any) -> Any:
    """Return cosh x."""
    return k.shared(f"cosh_{k.dtype}", lambda v: _cosh(k, v), x)


def _cosh(k: Kernel, x: Any) -> Any:
    half = half_exp(k, k.absolute(x))
    return k.add(half, k.div(k.number(0.25), half))


def tanh(k: Kernel, x: Any) -> Any:
    """Return tanh x."""
    return k.shared(f"tanh_{k.dtype}", lambda v: _tanh(k, v), x)


def _tanh(k: Kernel, x: Any) -> Any:
    """Return |x| − |x|³N/D near 0, else 1 − 2/(e^{2|x|} + 1), by one division."""
    size = k.absolute(x)
    close = k.compare("<", size, k.number(0.625))
    z = k.mul(x, x)
    one = k.number(1.0)
    most = k.smaller(k.number(30.0), size)  # tanh is 1 long before
    grown = exp_within(k, k.add(most, most))
    top = k.mul(k.mul(size, z), k.polynomial(z, _TANH_TOP[k.dtype]))
    top = k.select(close, top, k.number(2.0))
    bottom = k.polynomial(z, _TANH_BOTTOM[k.dtype])
    bottom = k.select(close, bottom, k.add(grown, one))
    start = k.select(close, size, one)
    return copy_sign(k, k.sub(start, k.div(top, bottom)), x)


def sigmoid(k: Kernel, x: Any) -> Any:
    """Return 1/(1 + e^{−x})."""
    return k.shared(f"sigmoid_{k.dtype}", lambda v: _sigmoid(k, v), x)


def _sigmoid(k: Kernel, x: Any) -> Any:
    one = k.number(1.0)
    fallen = exp(k, k.neg(k.absolute(x)))
    top = k.select(k.compare("<", x, k.number(0.0)), fallen, one)
    return k.div(top, k.add(one, fallen))


# ------------------------------------------------------------------------ logarithms


def log(k: Kernel, x: Any) -> Any:
    """Return ln x: −∞ at 0, NaN below."""
    return k.shared(f"log_{k.dtype}", lambda v: _log(k, v), x)


def log1p(k: Kernel, x: Any) -> Any:
    """Return ln(1 + x): −∞ at −1, NaN below."""
    return k.shared(f"log1p_{k.dtype}", lambda v: _log1p(k, v), x)


def log_within(k: Kernel, x: Any) -> Any:
    """Return ln x for positive normal numbers: nothing is checked."""
    exponent, mantissa = split(k, x)
    return _log_of(k, exponent, mantissa, None)


def _log(k: Kernel, x: Any) -> Any:
    form = FORMATS[k.dtype]
    up = form.mantissa + 2
    subnormal = k.compare("<", x, k.number(form.normal))
    zero = k.number(0.0)
    full = k.select(subnormal, k.mul(x, k.number(2.0**up)), x)
    exponent, mantissa = split(k, full)
    exponent = k.sub(exponent, k.select(subnormal, k.number(float(up)), zero))
    return _special(k, x, _log_of(k, exponent, mantissa, None))


def _special(k: Kernel, x: Any, value: Any) -> Any:
    """Return `value` for 0 < x < ∞, else what ln x is."""
    zero, infinity = k.number(0.0), k.number(math.inf)
    positive = k.compare(">", x, zero)
    edge = k.select(positive, infinity, k.number(math.nan))
    edge = k.select(k.compare("==", x, zero), k.number(-math.inf), edge)
    inside = k.ir.and_(positive, k.compare("<", x, infinity))
    return k.select(inside, value, edge)


def split(k: Kernel, x: Any) -> tuple[Any, Any]:
    """Return e and m with x = m 2^e and √½ ≤ m < √2, for positive normal x."""
    form = FORMATS[k.dtype]
    one = form.bias << form.mantissa
    least = _bits_of(k, _SQRT_HALF)
    moved = k.ir.add(to_bits(k, x), same_bits(k, one - least))
    # The exponent's bits, under those of 2^mantissa, are a whole number.
    whole = 2.0**form.mantissa
    high = k.ir.lshr(moved, same_bits(k, form.mantissa))
    joined = from_bits(k, k.ir.or_(high, same_bits(k, _bits_of(k, whole))))
    exponent = k.ir.fsub(joined, k.number(whole + form.bias))
    low = k.ir.and_(moved, same_bits(k, (1 << form.mantissa) - 1))
    return exponent, from_bits(k, k.ir.add(low, same_bits(k, least)))


def _bits_of(k: Kernel, value: float) -> int:
    form = FORMATS[k.dtype]
    fraction, exponent = math.frexp(value)
    whole = round((2 * fraction - 1) * 2**form.mantissa)
    return int(((exponent - 1 + form.bias) << form.mantissa) + whole)


def _log_of(k: Kernel, exponent: Any, mantissa: Any, extra: Any) -> Any:
    """Return exponent·ln 2 + ln(mantissa) + extra, the last one small.

    With f = m − 1, s = f/(2 + f): ln m = 2s + sR = f − (f²/2 − s(f²/2 + R)), R = s²(…).
    """
    form = FORMATS[k.dtype]
    f = k.ir.fsub(mantissa, k.number(1.0))
    s = k.div(f, k.add(f, k.number(2.0)))
    z = k.mul(s, s)
    half = k.mul(k.mul(f, f), k.number(0.5))
    rest = k.mul(z, k.polynomial(z, _LOG[k.dtype]))
    low = k.mul(exponent, k.number(form.ln2[1]))
    if extra is not None:
        low = k.add(low, extra)
    small = k.sub(half, k.fma(s, k.add(half, rest), low))
    return k.fma(exponent, k.number(form.ln2[0]), k.sub(f, small))


def _log1p(k: Kernel, x: Any) -> Any:
    form = FORMATS[k.dtype]
    one = k.number(1.0)
    u = k.ir.fadd(one, x)
    lost = k.select(
        k.compare(">", x, one),
        k.ir.fsub(one, k.ir.fsub(u, x)),
        k.ir.fsub(x, k.ir.fsub(u, one)),
    )
    exponent, mantissa = split(k, k.larger(k.number(form.normal), u))
    value = _log_of(k, exponent, mantissa, k.div(lost, u))
    value = _special(k, u, value)
    return k.select(k.compare("==", u, one), x, value)


def softplus(k: Kernel, x: Any) -> Any:
    """Return ln(1 + e^x)."""
    return k.shared(f"softplus_{k.dtype}", lambda v: _softplus(k, v), x)


def _softplus(k: Kernel, x: Any) -> Any:
    rest = log1p(k, exp(k, k.neg(k.absolute(x))))
    return k.add(k.larger(x, k.number(0.0)), rest)
