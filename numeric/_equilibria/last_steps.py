r"""The last step towards many equilibria, of fourth order in float64.

H = log(U/D) has the derivatives (-2)^j κ_j(u) - 2^j κ_j(d), κ the cumulants of m under
the weights of the terms. One exponential and its reciprocal serve both sides.
"""

from __future__ import annotations

import math
from typing import Any

from numeric._equilibria.terms import WIDE, Terms
from numeric._lanes.builder import Kernel
from numeric._lanes.exponential import exp_within, log_within


_MOST_STEPS = 4


class LastSteps:
    """Writes them.

    Attributes:
        k: the kernel.
        terms: m, u and d.
        idle: flags of equilibria that nobody waits for.
    """

    def __init__(self, k: Kernel, terms: Terms, idle: Any) -> None:
        self.k, self.terms, self.idle = k, terms, idle

    def write(self, start: Any, large: Any) -> tuple[Any, Any, Any]:
        """Return λ*, -H' there, and flags: whether the step before was good enough."""
        k = self.k
        root, slope = k.variable(start), k.variable(k.number(1.0))
        done = k.variable(k.compare("<", k.number(1.0), k.number(0.0)))
        step = k.variable(k.index(0))
        with k.loop_while() as unless:
            move, fall, fine = self._step(root.get(), large)
            to = k.larger(k.add(root.get(), move), k.number(0.0))
            root.set(k.select(done.get(), root.get(), to))
            slope.set(k.select(done.get(), slope.get(), fall))
            done.set(k.ir.or_(done.get(), k.ir.or_(fine, self.idle)))
            step.set(k.ir.add(step.get(), k.index(1)))
            more = k.ir.icmp_signed("<", step.get(), k.index(_MOST_STEPS))
            unless(k.ir.and_(more, k.any(k.ir.not_(done.get()))))
        return root.get(), slope.get(), done.get()

    def _step(self, x: Any, large: Any) -> tuple[Any, Any, Any]:
        """Return the fourth-order step, -H' and whether the next order is negligible.

        With ε = -H/H', a = H''/H', b = H'''/H': the zero of the series of H is at
        ε - aε²/2 + (a²/2 - b/6)ε³ + O(ε⁴); of the last term all of 5a³/8, 5ab/12 and
        c/24 are bounded, c = H''''/H' <= 8·16 max m E m³/|H'|, with a factor e² for how
        the weights change on the way, which is short: 2ε max m <= 1.
        """
        k = self.k
        h, slope, bend, third, cubes = self._wide_height(x)
        number = k.number
        inverse = k.div(k.number(1.0), slope)
        newton = k.mul(h, inverse)
        a = k.neg(k.mul(bend, inverse))
        b = k.neg(k.mul(third, inverse))
        c = k.mul(k.mul(cubes, large), k.mul(inverse, number(128.0)))
        cubic = k.fma(b, number(-1 / 6), k.mul(k.mul(a, a), number(0.5)))
        series = k.fma(
            k.fma(cubic, newton, k.mul(a, number(-0.5))), newton, k.number(1.0)
        )
        move = k.mul(newton, series)
        size_a, size_b = k.absolute(a), k.absolute(b)
        size = k.absolute(newton)
        fourth = k.mul(k.mul(size_a, size_a), k.mul(size_a, number(5 / 8)))
        fourth = k.fma(k.mul(size_a, size_b), number(5 / 12), fourth)
        fourth = k.fma(c, number(1 / 24), fourth)
        square = k.mul(newton, newton)
        error = k.mul(k.mul(square, square), k.mul(fourth, number(math.exp(2))))
        reach = k.mul(size, k.mul(large, number(2.0)))
        allowed = k.fma(
            k.absolute(x), number(2.0**-54), k.mul(inverse, number(2.0**-56))
        )
        short = k.ir.and_(
            k.compare("<=", reach, k.number(1.0)), k.compare("<=", error, allowed)
        )
        # Far from the root the step is Newton's alone, and bounded.
        most = k.div(number(2.0), large)
        plain = k.larger(k.neg(most), k.smaller(newton, most))
        return k.select(short, move, plain), slope, short

    def _wide_height(self, x: Any) -> tuple[Any, ...]:
        """Return H, -H', H'', H''' and E m³ of both sides together."""
        k = self.k
        twice = k.add(x, x)
        sums = [k.variable(k.number(0.0)) for _ in range(8)]
        with k.loop(0, self.terms.n) as i:
            m, u, d = self.terms.got(WIDE, i)
            grown = exp_within(k, k.smaller(k.mul(twice, m), k.number(690.0)))
            for side, w in enumerate((k.div(u, grown), k.mul(d, grown))):
                moments = sums[4 * side : 4 * side + 4]
                for moment in moments:
                    moment.set(k.add(moment.get(), w))
                    w = k.mul(w, m)
        values = [v.get() for v in sums]
        cumulants = [self._cumulants(*values[4 * side :][:4]) for side in range(2)]
        (mean_u, var_u, skew_u, cube_u), (mean_d, var_d, skew_d, cube_d) = cumulants
        h = log_within(k, k.div(values[0], values[4]))
        slope = k.add(k.add(mean_u, mean_d), k.add(mean_u, mean_d))
        bend = k.mul(k.sub(var_u, var_d), k.number(4.0))
        third = k.mul(k.add(skew_u, skew_d), k.number(-8.0))
        return h, slope, bend, third, k.add(cube_u, cube_d)

    def _cumulants(self, total: Any, first: Any, second: Any, cube: Any) -> Any:
        k = self.k
        inverse = k.div(k.number(1.0), total)
        mean, square, cube = (k.mul(v, inverse) for v in (first, second, cube))
        both = k.mul(mean, mean)
        variance = k.sub(square, both)
        skew = k.fma(k.fma(square, k.number(-3.0), k.add(both, both)), mean, cube)
        return mean, variance, skew, cube
