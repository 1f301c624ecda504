"""The random streams of `numeric._streams`, inside a kernel.

Words and indices are the same bits as there; normals differ by rounding (see
`normals`). Wherever a counter or a key is the same in all lanes, pass a scalar: then
the first rounds of Philox are done on scalars, or once before a loop.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from numeric._lanes.builder import Kernel
from numeric._lanes.compiler import AVAILABLE
from numeric._streams import MULTIPLIERS, ROUNDS, WEYL


if AVAILABLE:
    from llvmlite import ir


_LOW = 0xFFFFFFFF

# Minimax polynomials by the exchange algorithm, c_0 first, rounded; with the relative
# error that is left. −2 ln(1 + f)/f for f in [−½, 0]: 5e-8
_LOG_SINGLE = [
    -2.0,
    0.9999856948852539,
    -0.667401134967804,
    0.48561179637908936,
    -0.5392126441001892,
    -0.4070231020450592,
    -2.515211343765259,
    -3.391468048095703,
    -2.882139205932617,
]
# (atanh(s)/s − 1)/s² for s² up to (√2 − 1)⁴; atanh(s) is right to 5e-18
_ATANH = [
    0.3333333333333335,
    0.19999999999949256,
    0.14285714313185316,
    0.1111110553872955,
    0.0909144644241891,
    0.07665803999028241,
    0.07308868395036501,
]
# (sin(φ)/φ − 1)/φ² and cos φ, in φ² up to (π/4)²: sine and cosine are right to 7e-9
# for float32 and to 8e-18 for float64
_SIN_SINGLE = [-0.16666650772094727, 0.008332016877830029, -0.000195018234080635]
_COS_SINGLE = [
    1.0,
    -0.5,
    0.04166661202907562,
    -0.0013886529486626387,
    2.437267903587781e-05,
]
_SIN_DOUBLE = [
    -0.16666666666666616,
    0.008333333333320005,
    -0.0001984126982840324,
    2.755731329923555e-06,
    -2.5050705863577505e-08,
    1.5894136658729513e-10,
]
_COS_DOUBLE = [
    1.0,
    -0.5,
    0.04166666666666643,
    -0.0013888888888858961,
    2.4801587282899688e-05,
    -2.7557312865722964e-07,
    2.0875555146243808e-09,
    -1.1352123131851607e-11,
]


def block(
    kernel: Kernel, number: Any, replicas: Any, purpose: Any, k0: Any, k1: Any
) -> tuple[Any, Any, Any, Any]:
    """Return block b of a stream: its words 4b to 4b + 3.

    Args:
        kernel: where the code goes.
        number: b, a scalar of 64 bits or a Python integer.
        replicas: their numbers, a vector of words.
        purpose: a scalar or a Python integer.
        k0: first word of `Stream.key`, a scalar or a Python integer.
        k1: second word.

    Returns:
        Four vectors of words.
    """
    if isinstance(number, int):
        number = kernel.index(number)
    high = kernel.ir.lshr(number, kernel.index(32))
    return philox(kernel, number, high, replicas, purpose, k0, k1)


def philox(
    kernel: Kernel,
    c0: Any,
    c1: Any,
    c2: Any,
    c3: Any,
    k0: Any,
    k1: Any,
) -> tuple[Any, Any, Any, Any]:
    """Return Philox4x32-10 of counters, as `numeric._streams.philox` does.

    Each lane of 64 bits holds one word below and anything above: the product of two
    words is then one instruction, and its lower half needs none. So words of even and
    odd lanes go separate ways until the end.

    Args:
        kernel: where the code goes.
        c0: first words: a vector of words, a scalar of 32 or 64 bits (of which the low
            32 count), or a Python integer.
        c1: second words.
        c2: third words.
        c3: fourth words.
        k0: first word of the key, likewise.
        k1: second word.

    Returns:
        Four vectors of words.
    """
    counters = [_halves(kernel, c) for c in (c0, c1, c2, c3)]
    keys = [_halves(kernel, k) for k in (k0, k1)]
    both = [
        _rounds(kernel, [c[side] for c in counters], [k[side] for k in keys])
        for side in (0, 1)
    ]
    w0, w1, w2, w3 = (_joined(kernel, *pair) for pair in zip(*both, strict=True))
    return w0, w1, w2, w3


def indices(kernel: Kernel, words: Any, N: Any) -> Any:
    """Return ⌊word·N/2³²⌋ in each lane, as `Stream.indices` does with replacement.

    Args:
        kernel: where the code goes.
        words: a vector of words.
        N: number of samples: a Python integer or a scalar of 32 or 64 bits.

    Returns:
        A vector of words in [0, N).
    """
    return _high_product(kernel, words, N)


def distinct_indices(kernel: Kernel, words: Sequence[Any], N: Any) -> list[Any]:
    """Return a set of S indices in each lane, as `Stream.indices` without replacement.

    Args:
        kernel: where the code goes.
        words: S vectors of words, 1 ≤ S ≤ N; the code grows as S².
        N: number of samples: a Python integer or a scalar of 32 or 64 bits.

    Returns:
        S vectors of words in [0, N), distinct in each lane.
    """
    build = kernel.ir
    highest = kernel.integer(N - 1) if isinstance(N, int) else None
    if highest is None:
        highest = build.sub(kernel.splat(_narrow(kernel, N)), kernel.integer(1))
    chosen: list[Any] = []
    for place, word in enumerate(words):
        last = build.sub(highest, kernel.integer(len(words) - 1 - place))
        index = _high_product(kernel, word, build.add(last, kernel.integer(1)))
        if chosen:
            same = (build.icmp_unsigned("==", index, other) for other in chosen)
            index = build.select(functools.reduce(build.or_, same), last, index)
        chosen.append(index)
    return chosen


def normals(kernel: Kernel, w0: Any, w1: Any) -> tuple[Any, Any]:
    """Return two standard normals for each two words, of the kernel's own type.

    They are those of `Stream.normals`: r cos and r sin of the angle π·int32(w1)·2⁻³¹,
    r = √(−2 ln((w0 + ½)2⁻³²)). The error of either is at most 9ur, u = 2⁻²⁴ for
    float32, and 10ur, u = 2⁻⁵³ for float64, by counting roundings; 5ur is met.

    Args:
        kernel: where the code goes.
        w0: a vector of words.
        w1: another.

    Returns:
        Two vectors.
    """
    if kernel.dtype == "float32":
        square = _minus_2_log_single(kernel, w0)
        cosine, sine = _turned(kernel, w1, _SIN_SINGLE, _COS_SINGLE)
    else:
        square = _minus_2_log_double(kernel, w0)
        cosine, sine = _turned(kernel, w1, _SIN_DOUBLE, _COS_DOUBLE)
    radius = kernel.sqrt(square)
    return kernel.mul(radius, cosine), kernel.mul(radius, sine)


# ---------------------------------------------------------------------------- words


def _rounds(kernel: Kernel, counter: Sequence[Any], key: Sequence[Any]) -> list[Any]:
    """Return the words after all rounds."""
    w0, w1, w2, w3 = counter
    for turn in range(ROUNDS):
        k0, k1 = (
            kernel.ir.add(k, _constant(k.type, turn * weyl & _LOW))
            for k, weyl in zip(key, WEYL, strict=True)
        )
        p0, p1 = (
            _product(kernel, w, _constant(w.type, m))
            for w, m in zip((w0, w2), MULTIPLIERS, strict=True)
        )
        w0, w1 = _mixed(kernel, p1, w1, k0), p1
        w2, w3 = _mixed(kernel, p0, w3, k1), p0
    return [w0, w1, w2, w3]


def _mixed(kernel: Kernel, product: Any, word: Any, key: Any) -> Any:
    """Return the upper half of a product, XORed with a word and a key."""
    upper = kernel.ir.lshr(product, _constant(product.type, 32))
    return _xor(kernel, upper, _xor(kernel, word, key))


def _xor(kernel: Kernel, x: Any, y: Any) -> Any:
    return kernel.ir.xor(*_alike(kernel, x, y))


def _product(kernel: Kernel, x: Any, y: Any) -> Any:
    """Return the product of the lower halves, 64 bits."""
    x, y = (kernel.ir.and_(v, _constant(v.type, _LOW)) for v in (x, y))
    return kernel.ir.mul(*_alike(kernel, x, y))


def _high_product(kernel: Kernel, x: Any, y: Any) -> Any:
    """Return the upper half of the product of words, lane by lane."""
    build = kernel.ir
    even, odd = (
        _product(kernel, *pair)
        for pair in zip(_halves(kernel, x), _halves(kernel, y), strict=True)
    )
    even = build.lshr(even, _constant(even.type, 32))
    upper = build.and_(odd, _constant(odd.type, _LOW << 32))
    return build.bitcast(build.or_(even, upper), kernel.words)


def _alike(kernel: Kernel, x: Any, y: Any) -> tuple[Any, Any]:
    """Return both as scalars or both as vectors."""
    if x.type == y.type:
        return x, y
    x, y = (_spread(kernel, v) if v.type == kernel.size else v for v in (x, y))
    return x, y


def _spread(kernel: Kernel, scalar: Any) -> Any:
    """Return a vector with a scalar of 64 bits in each lane."""
    kind = _half_vector(kernel)
    first = kernel.ir.insert_element(
        ir.Constant(kind, ir.Undefined), scalar, ir.Constant(kernel.word, 0)
    )
    zeros = ir.Constant(ir.VectorType(kernel.word, kind.count), None)
    return kernel.ir.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)


def _halves(kernel: Kernel, value: Any) -> tuple[Any, Any]:
    """Return words of even and of odd lanes below in 64 bits; a scalar twice."""
    if isinstance(value, int):
        value = kernel.index(value)
    if isinstance(value.type, ir.VectorType):
        even = kernel.ir.bitcast(value, _half_vector(kernel))
        return even, kernel.ir.lshr(even, _constant(even.type, 32))
    if value.type == kernel.word:
        value = kernel.ir.zext(value, kernel.size)
    return value, value


def _joined(kernel: Kernel, even: Any, odd: Any) -> Any:
    """Return words of even and of odd lanes as one vector."""
    build = kernel.ir
    if even.type == kernel.size:
        return kernel.splat(_narrow(kernel, even))
    lower = build.and_(even, _constant(even.type, _LOW))
    upper = build.shl(odd, _constant(odd.type, 32))
    return build.bitcast(build.or_(lower, upper), kernel.words)


def _narrow(kernel: Kernel, scalar: Any) -> Any:
    if scalar.type == kernel.word:
        return scalar
    return kernel.ir.trunc(scalar, kernel.word)


def _half_vector(kernel: Kernel) -> Any:
    return ir.VectorType(kernel.size, kernel.width // 2)


def _constant(kind: Any, value: int) -> Any:
    """Return an integer constant of a type, in each lane of a vector."""
    if isinstance(kind, ir.VectorType):
        return ir.Constant(kind, [ir.Constant(kind.element, value)] * kind.count)
    return ir.Constant(kind, value)


# -------------------------------------------------------------------------- normals


def _minus_2_log_single(kernel: Kernel, word: Any) -> Any:
    """Return −2 ln u, u = (word + ½)2⁻³², from u = 2^−k (1 + f), f in [−½, 0].

    Both terms of 2k ln 2 − 2 ln(1 + f) are ≥ 0, so nothing cancels; and for u ≥ ½,
    k = 0, f comes from the word itself, which keeps it exact to 24 bits near 1.
    """
    build = kernel.ir
    signed = build.sitofp(word, kernel.vector)
    x = kernel.add(signed, kernel.number(0.5))
    near_1 = build.icmp_signed("<", word, kernel.integer(0))
    bits = build.bitcast(x, kernel.words)
    fraction = build.and_(bits, kernel.integer(0x007FFFFF))
    mantissa = build.bitcast(
        build.or_(fraction, kernel.integer(0x3F000000)), kernel.vector
    )
    exponent = build.lshr(bits, kernel.integer(23))
    k = build.sitofp(build.sub(kernel.integer(126 + 32), exponent), kernel.vector)
    k = kernel.select(near_1, kernel.number(0), k)
    scaled = build.sub(bits, kernel.integer(32 << 23))  # 2⁻³²x
    f = kernel.select(
        near_1,
        build.bitcast(scaled, kernel.vector),
        kernel.sub(mantissa, kernel.number(1)),
    )
    rest = kernel.mul(f, _series(kernel, f, _LOG_SINGLE))
    return kernel.fma(k, kernel.number(2 * math.log(2)), rest)


def _minus_2_log_double(kernel: Kernel, word: Any) -> Any:
    """Return −2 ln u, u = (word + ½)2⁻³², from u = 2^−k m, m in [√½, √2).

    Here u and m − 1 are exact. ln m = 2 atanh(s), s = (m − 1)/(m + 1).
    """
    build = kernel.ir
    kind = ir.VectorType(kernel.size, kernel.width)
    x = kernel.add(build.uitofp(word, kernel.vector), kernel.number(0.5))
    bits = build.bitcast(x, kind)
    # Exponents counted from √½ up, plus 64 so that they are positive.
    shifted = build.add(bits, _constant(kind, (64 << 52) - _ROOT_HALF))
    power = build.and_(shifted, _constant(kind, 0xFFF << 52))
    mantissa = build.sub(build.add(bits, _constant(kind, 64 << 52)), power)
    m = build.bitcast(mantissa, kernel.vector)
    # An integer below 2⁵², put into the bits of 2⁵², is that sum as a number.
    placed = build.or_(
        build.lshr(power, _constant(kind, 52)), _constant(kind, 0x433 << 52)
    )
    whole = build.bitcast(placed, kernel.vector)
    k = kernel.sub(kernel.number(2.0**52 + 64 + 32), whole)
    one = kernel.number(1)
    s = kernel.div(kernel.sub(m, one), kernel.add(m, one))
    square = kernel.mul(s, s)
    rest = kernel.mul(kernel.mul(s, square), _series(kernel, square, _ATANH))
    rest = kernel.mul(kernel.number(-4), kernel.add(s, rest))
    return kernel.fma(k, kernel.number(2 * math.log(2)), rest)


_ROOT_HALF = 0x3FE6A09E667F3BCD  # the bits of √½


def _turned(
    kernel: Kernel, word: Any, sines: list[float], cosines: list[float]
) -> tuple[Any, Any]:
    """Return cosine and sine of π·int32(word)·2⁻³¹.

    The word is q·2³⁰ + rest, the rest in [−2²⁹, 2²⁹): an angle φ within ±π/4, turned
    by q right angles. With h = word + 2²⁹, bit 30 of h says that q is odd, bit 31 that
    the sine changes its sign, and bit 31 of h + 2³⁰ that the cosine does.
    """
    build = kernel.ir
    two = kernel.integer(2)
    rest = build.ashr(build.shl(word, two), two)
    angle = kernel.mul(
        build.sitofp(rest, kernel.vector), kernel.number(math.pi * 2.0**-31)
    )
    square = kernel.mul(angle, angle)
    cube = kernel.mul(angle, square)
    sine = kernel.fma(cube, kernel.polynomial(square, sines), angle)
    cosine = kernel.polynomial(square, cosines)
    h = build.add(word, kernel.integer(1 << 29))
    odd = build.icmp_signed("<", build.shl(h, kernel.integer(1)), kernel.integer(0))
    along = kernel.select(odd, sine, cosine)
    across = kernel.select(odd, cosine, sine)
    flip = build.add(h, kernel.integer(1 << 30))
    return _signed(kernel, along, flip), _signed(kernel, across, h)


def _series(kernel: Kernel, x: Any, coefficients: list[float]) -> Any:
    """Return Σ c_k x^k, even and odd powers apart: half of Horner's latency."""
    square = kernel.mul(x, x)
    even = kernel.polynomial(square, coefficients[0::2])
    odd = kernel.polynomial(square, coefficients[1::2])
    return kernel.fma(odd, x, even)


def _signed(kernel: Kernel, x: Any, word: Any) -> Any:
    """Return −x where the top bit of a word is set, else x."""
    build = kernel.ir
    sign = build.and_(word, kernel.integer(1 << 31))
    kind = kernel.words
    if kernel.dtype == "float64":
        kind = ir.VectorType(kernel.size, kernel.width)
        sign = build.shl(build.zext(sign, kind), _constant(kind, 32))
    return build.bitcast(build.xor(build.bitcast(x, kind), sign), kernel.vector)
