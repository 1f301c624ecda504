"""P2, §3: the rate of balance with weight decay, and its least (P2-2, P2-3)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p2_shared import CENTRED, P2, PRODUCT
from verify._result import Breakage
from verify._routes._stationary_pairs import (
    Rate,
    bound_exact,
    bound_symbolic,
    least_exact,
    least_symbolic,
    rate_exact,
    rate_symbolic,
)


_RATES = (rate_symbolic, rate_exact)
_RIGHT = Rate()
_PRINTED = Rate(decay=Fraction(1))
_STATED = (
    r"For every loss $\ell(uw)$ with the decay $\gamma(u^2 + w^2)$, $\frac{d}{dt}"
    r"(u^2 - w^2) = -(TC_0 + 4\gamma)(u^2 - w^2)$, $C_0 = \mathrm{Var}[\partial\ell/"
    r"\partial(uw)]$, without noise."
)
_INPUTS = Breakage(
    r"$\alpha_1 > 0$",
    r"$x = \pm1$ has $\alpha_1 = 0 = \alpha_2$: $C = 4\alpha_3$ at every $v$, and "
    r"$\Delta/\alpha_1$ is $0/0$.",
)
_LEAST = (least_symbolic, least_exact)
_LEAST_RIGHT = (
    r"$C(v) = \mathrm{Var}[\partial\ell/\partial v] = 4Q(v)$ is least at $v = \alpha_2/"
    r"\alpha_1$, where it is $4\Delta/\alpha_1$."
)

CLAIMS = (
    Claim(
        id="p2.rate",
        title="the rate of balance with decay (as printed)",
        statement=r"Weight decay changes the rate $TC_0$, at which $|u^2 - w^2|$ falls,"
        r" to $TC_0 + \gamma$.",
        formula=r"\frac{d}{dt}|u^2 - w^2| = -(TC_0 + \gamma)|u^2 - w^2|",
        source=f"{P2}, §3",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a factor in either term",
        subject=_PRINTED,
        twin_statement=_STATED,
        twin_subject=_RIGHT,
        routes=_RATES,
        assumptions=(PRODUCT, CENTRED),
        note=r"By hand: $\ell = 0$ with the decay $\gamma(u^2 + w^2)$ has $\dot u = "
        r"-2\gamma u$, so $u^2 = u_0^2e^{-4\gamma t}$, likewise $w^2$: the rate is "
        r"$4\gamma$ (with $\frac\gamma4(u^2 + w^2)$ it would be $\gamma$).",
    ),
    Claim(
        id="p2.rate.corrected",
        title="the rate of balance with decay",
        statement=_STATED,
        formula=r"\frac{d}{dt}|u^2 - w^2| = -(TC_0 + 4\gamma)|u^2 - w^2|",
        source=f"{P2}, §3, corrected (P2-2)",
        form="corrected",
        amends="p2.rate",
        expected=Verdict.PROVED,
        discrepancy="a factor in either term",
        subject=_RIGHT,
        twin_statement=r"The rate is $TC_0 + \gamma$.",
        twin_subject=_PRINTED,
        routes=_RATES,
        assumptions=(PRODUCT, CENTRED),
    ),
    Claim(
        id="p2.eq11",
        title="the least noise (as printed)",
        statement=r"The least of $C(v) = \mathrm{Var}[\partial\ell/\partial v]$, $\ell "
        r"= (vx - y)^2$, over $v$ is $\Delta = \alpha_1\alpha_3 - \alpha_2^2$.",
        formula=r"\min_vC(v) = \alpha_1\alpha_3 - \alpha_2^2",
        source=f"{P2}, Eq. (11)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a factor, or a power of $\\alpha_1$",
        subject=(1, 0),
        twin_statement=_LEAST_RIGHT,
        twin_subject=(4, 1),
        routes=_LEAST,
        assumptions=(_INPUTS, CENTRED),
        note=r"By hand: $(x, y) = (1, 1), (1, -1), (0, 0), (0, 0)$ has $\alpha = "
        r"(\frac14, 0, \frac12)$, $\Delta = \frac18$. At $v = 0$ the slopes $2x(vx - y)"
        r"$ are $\mp2, 0, 0$ with the variance $2 = 4\Delta/\alpha_1$; at $v$ it is $2 "
        r"+ v^2$.",
    ),
    Claim(
        id="p2.eq11.corrected",
        title="the least noise",
        statement=_LEAST_RIGHT,
        formula=r"\min_vC(v) = \frac{4(\alpha_1\alpha_3 - \alpha_2^2)}{\alpha_1}",
        source=f"{P2}, Eq. (11), corrected (P2-3)",
        form="corrected",
        amends="p2.eq11",
        expected=Verdict.PROVED,
        discrepancy="a factor, or a power of $\\alpha_1$",
        subject=(4, 1),
        twin_statement=r"The least is $\Delta$.",
        twin_subject=(1, 0),
        routes=_LEAST,
        assumptions=(_INPUTS, CENTRED),
    ),
    Claim(
        id="p2.bound",
        title="unbalanced pairs vanish exponentially",
        statement=r"At $D = 1$, with $\gamma$ or $\Delta > 0$, every $|u_i^2 - w_i^2|$ "
        r"falls at least as fast as the formula, on every path.",
        formula=r"|u_i^2 - w_i^2|(t) \le |u_i^2 - w_i^2|(0)\,"
        r"e^{-4T\Delta t/\alpha_1 - 4\gamma t}",
        source=f"{P2}, §4",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor in the exponent",
        subject=(4, 4),
        twin_statement=r"The exponent is $-8T\Delta t/\alpha_1 - 4\gamma t$.",
        twin_subject=(8, 4),
        routes=(bound_symbolic, bound_exact),
        assumptions=(_INPUTS, CENTRED),
    ),
)
