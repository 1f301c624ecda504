r"""The first steps towards many equilibria, in float32 and base 2.

Weights are logarithms a = log2 u and b = log2 d, known to 2^-19, and y = 2λ max m/ln 2:
the terms are 2^(a - ym) and 2^(b + ym), m over its maximum. With the logarithms counted
from the middle of log2 U(0) and log2 D(0) the terms that matter stay in the range of
float32, and the rest may vanish.
"""

from __future__ import annotations

import math
from typing import Any

from numeric._equilibria.terms import NARROW, WIDE, Terms, swapped
from numeric._lanes.builder import Kernel
from numeric._lanes.exponential import log_within, power_of_two, same_bits, to_bits


_NOTHING = -1e9  # log2 of no weight
_NEAR = 2.0**-6  # |H| at which float32 has done its part
_MOST_STEPS = 24
# log2(1 + f)/f for √½ - 1 <= f <= √2 - 1, by Remez: 2^-21.
_LOG2 = [
    1.442704439163208,
    -0.7213510870933533,
    0.48018142580986023,
    -0.35986921191215515,
    0.30207371711730957,
    -0.26559510827064514,
    0.144526407122612,
]
# 2^r for |r| <= 1/2, by Remez: 2^-24.
_EXP2 = [
    1.0000001192092896,
    0.6931469440460205,
    0.24022117257118225,
    0.05550714209675789,
    0.009675657376646996,
    0.0013276434037834406,
]


class FirstSteps:
    """Writes them.

    Attributes:
        k: the kernel.
        terms: m, u and d in float64, read and put in order; and m, a and b.
        idle: flags of equilibria that nobody waits for.
    """

    def __init__(self, k: Kernel, terms: Terms, idle: Any) -> None:
        self.k, self.terms, self.idle = k, terms, idle

    def write(
        self, back: Any, rise: Any, fall: Any, large: Any, small: Any
    ) -> tuple[Any, Any]:
        """Return y = 2λ max m/ln 2 to a few digits, and log2 U(0)/D(0)."""
        k = self.k
        unit = k.div(k.number(1.0), large)
        lowest = k.mul(small, unit)
        high_log, low_log = self._log2(rise), self._log2(fall)
        with k.precision("float32"):
            height = k.sub(high_log, low_log)
            centre = k.mul(k.add(high_log, low_log), k.number(0.5))
            least = k.ir.fptrunc(lowest, k.vector)
            two = k.number(2.0)
            cap = k.variable(k.div(height, k.mul(two, least)))
        with k.loop(0, self.terms.n) as i:
            self._logarithms(i, back, unit, centre, high_log, cap)
        with k.precision("float32"):
            low, high = k.mul(height, k.number(0.5)), cap.get()
            high = k.larger(high, low)
            y = self._search(low, high)
        return k.ir.fpext(y, k.vector), k.ir.fpext(height, k.vector)

    def _logarithms(
        self, i: Any, back: Any, unit: Any, centre: Any, top: Any, cap: Any
    ) -> None:
        """Write m/max m, log2 u and log2 d to `narrow`, the logs from the centre."""
        k = self.k
        m, u, d = self.terms.got(WIDE, i)
        u, d = swapped(k, back, u, d)
        self.terms.put(WIDE, i, 1, u)
        self.terms.put(WIDE, i, 2, d)
        some = [k.compare(">", x, k.number(0.0)) for x in (u, d)]
        logs = [self._log2(x) for x in (u, d)]
        m = k.mul(m, unit)
        with k.precision("float32"):
            m = k.ir.fptrunc(m, k.vector)
            none = k.number(_NOTHING)
            logs = [k.select(flag, x, none) for flag, x in zip(some, logs, strict=True)]
            cap.set(k.smaller(k.div(k.sub(top, logs[1]), m), cap.get()))
            self.terms.put(NARROW, i, 0, m)
            self.terms.put(NARROW, i, 1, k.sub(logs[0], centre))
            self.terms.put(NARROW, i, 2, k.sub(logs[1], centre))

    def _log2(self, x: Any) -> Any:
        """Return log2 x in float32 to 2^-20, from the upper half of the bits."""
        k = self.k
        upper = k.ir.lshr(to_bits(k, x), same_bits(k, 32))
        upper = k.ir.trunc(upper, k.words)
        least = 0x3FE6A09E  # of √½
        moved = k.ir.add(upper, k.integer(0x3FF00000 - least))
        exponent = k.ir.sub(k.ir.ashr(moved, k.integer(20)), k.integer(1023))
        # √½ <= fraction < √2: from 11 + 20 bits to 8 + 23 of float32.
        rest = k.ir.add(k.ir.and_(moved, k.integer(0xFFFFF)), k.integer(least))
        rest = k.ir.sub(rest, k.integer((1023 - 127) << 20))
        rest = k.ir.shl(rest, k.integer(3))
        with k.precision("float32"):
            f = k.ir.fsub(k.ir.bitcast(rest, k.vector), k.number(1.0))
            whole = k.ir.sitofp(exponent, k.vector)
            return k.fma(f, k.polynomial(f, _LOG2), whole)

    def _search(self, low: Any, high: Any) -> Any:
        k = self.k
        low, high = k.variable(low), k.variable(high)
        y = k.variable(self._between(low.get(), high.get()))
        last = k.variable(k.number(math.inf))
        done = k.variable(k.compare("<", low.get(), k.number(-math.inf)))
        step = k.variable(k.index(0))
        with k.loop_while() as unless:
            h, slope, bend = self._narrow_height(y.get())
            size = k.absolute(h)
            near = k.ir.or_(k.compare("<=", size, k.number(_NEAR)), self.idle)
            positive = k.compare(">", h, k.number(0.0))
            low.set(k.select(positive, y.get(), low.get()))
            high.set(k.select(positive, high.get(), y.get()))
            to = k.add(y.get(), self._halley(h, slope, bend))
            inside = k.ir.and_(
                k.compare(">=", to, low.get()), k.compare("<=", to, high.get())
            )
            half = k.mul(last.get(), k.number(0.5))
            inside = k.ir.and_(inside, k.compare("<=", size, half))
            middle = k.sqrt(k.mul(low.get(), high.get()))
            kept = k.select(near, y.get(), middle)
            good = k.ir.and_(k.compare(">=", to, k.number(0.0)), near)
            to = k.select(k.ir.or_(inside, good), to, kept)
            y.set(k.select(done.get(), y.get(), to))
            done.set(k.ir.or_(done.get(), near))
            last.set(size)
            step.set(k.ir.add(step.get(), k.index(1)))
            more = k.ir.icmp_signed("<", step.get(), k.index(_MOST_STEPS))
            unless(k.ir.and_(more, k.any(k.ir.not_(done.get()))))
        return y.get()

    def _between(self, low: Any, high: Any) -> Any:
        """Return the start: where it takes the fewest steps on average."""
        k = self.k
        return k.fma(k.number(0.15), k.sub(low, high), high)

    def _halley(self, h: Any, slope: Any, bend: Any) -> Any:
        """Return the third-order step h/slope/(1 - h bend/(2 slope²)), kept in bounds.

        H' = -slope, H'' = bend; H and y are logarithms to base 2.
        """
        k = self.k
        newton = k.div(h, slope)
        turn = k.div(k.mul(newton, bend), slope)
        turn = k.fma(turn, k.number(-0.5), k.number(1.0))
        turn = k.larger(k.number(0.5), k.smaller(k.number(2.0), turn))
        return k.div(newton, turn)

    def _narrow_height(self, y: Any) -> tuple[Any, Any, Any]:
        """Return H, -dH/dy and d²H/dy², in base 2."""
        k = self.k
        sums = [k.variable(k.number(0.0)) for _ in range(6)]
        with k.loop(0, self.terms.n) as i:
            m, a, b = self.terms.got(NARROW, i)
            for side, x in enumerate(
                (k.fma(k.neg(y), m, a), k.fma(y, m, b)),
            ):
                w = self._exp2(x)
                total, mean, square = sums[3 * side : 3 * side + 3]
                wm = k.mul(w, m)
                total.set(k.add(total.get(), w))
                mean.set(k.add(mean.get(), wm))
                square.set(k.fma(wm, m, square.get()))
        means, variances = [], []
        values = [v.get() for v in sums]
        for side in range(2):
            total, mean, square = values[3 * side : 3 * side + 3]
            inverse = k.div(k.number(1.0), total)
            mean = k.mul(mean, inverse)
            means.append(mean)
            variances.append(k.fma(k.neg(mean), mean, k.mul(square, inverse)))
        ratio = k.div(values[0], values[3])
        h = k.mul(log_within(k, ratio), k.number(1 / math.log(2)))
        bend = k.mul(k.sub(*variances), k.number(math.log(2)))
        return h, k.add(*means), bend

    def _exp2(self, x: Any) -> Any:
        """Return 2^x in float32, 0 for x < -126.5."""
        k = self.k
        x = k.larger(x, k.number(-127.0))
        whole = k.number(1.5 * 2.0**23)
        n = k.ir.fsub(k.ir.fadd(x, whole), whole)
        return k.mul(k.polynomial(k.ir.fsub(x, n), _EXP2), power_of_two(k, n))
