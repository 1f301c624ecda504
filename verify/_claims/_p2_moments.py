"""P2, §4: the tail and the moments; and the identity that stationarity implies."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p2_shared import BALANCED, CENTRED, DEEP, NOISE, P2, SIGN
from verify._result import Breakage
from verify._routes._stationary_moments import (
    finite_exact,
    finite_numeric,
    finite_symbolic,
    identity_numeric,
    identity_quadrature,
    identity_symbolic,
    tail_exact,
    tail_numeric,
    tail_symbolic,
)


_INPUTS = Breakage(
    r"$\alpha_1 > 0$",
    r"$x = \pm1$, $D = 1$: $Q = \alpha_3$ is constant, and $p$ falls like "
    r"$e^{-\beta_1v/2T\alpha_3}$.",
)
_BOUNDARY = Breakage(
    r"$p$ is normalisable",
    r"$D = 1$, $T > T_c$: the law is the point $v = 0$, where the left side is "
    r"$T\alpha_3 - \beta_2 > 0$.",
)

CLAIMS = (
    Claim(
        id="p2.tail",
        title="the tail of the density",
        statement=r"For $D \ge 1$ the density falls like the formula, at every $T$, "
        r"$d$ and $\gamma$ at which there is one.",
        formula=r"p \sim v^{-5 + 3/(D+1)}",
        source=f"{P2}, §4, tail",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="another power",
        subject=(Fraction(-5), Fraction(3)),
        twin_statement=r"$p \sim v^{-5 + 2/(D+1)}$.",
        twin_subject=(Fraction(-5), Fraction(2)),
        routes=(tail_symbolic, tail_exact, tail_numeric),
        assumptions=(BALANCED, DEEP, _INPUTS),
    ),
    Claim(
        id="p2.second-moment",
        title="the second moment is finite",
        statement=r"For $D \ge 1$, $E v^2$ is finite at every $T$ at which there is a "
        r"density: $E v^k$ is iff $k < 4 - 3/(D+1)$, for $k \ge 0$.",
        formula=r"E v^2 < \infty",
        source=f"{P2}, §4",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a divergent moment",
        subject=Fraction(2),
        twin_statement=r"$E v^3$ is finite at every depth.",
        twin_subject=Fraction(3),
        routes=(finite_symbolic, finite_exact, finite_numeric),
        assumptions=(BALANCED, DEEP, NOISE),
    ),
    Claim(
        id="p2.identity",
        title="an exact identity at stationarity",
        statement=r"With the density of Theorem 4.2, $N = D + 1 \ge 2$, $c = "
        r"d^{2/N-1}$, "
        r"the formula holds; with decay, $\frac\gamma cE[v^{1-2D/N}]$ is added.",
        formula=r"\beta_1E v - \beta_2 + DcT\,E[v^{1-2/N}Q(v)] = 0",
        source="own: the generator of P2's Theorem 4.2 on $\\int v^{-2D/N}dv$",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a factor",
        subject=Fraction(1),
        twin_statement=r"Half of the last term.",
        twin_subject=Fraction(1, 2),
        routes=(identity_symbolic, identity_quadrature, identity_numeric),
        assumptions=(BALANCED, CENTRED, SIGN, DEEP, _BOUNDARY),
    ),
)
