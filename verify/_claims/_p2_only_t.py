"""P2, in words: T = η/S is the only parameter, and the loss never diverges (P2-9)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._result import Breakage
from verify._routes._diagonal_discrete import (
    divergence_exact,
    gaussian_runs,
    zero_exact,
    zero_symbolic,
)


_P2 = "P2 (arXiv 2308.06671 v2)"
_ROUTES = (zero_symbolic, zero_exact, divergence_exact, gaussian_runs)
_RIGHT = (
    r"In SGD on $(uwx - y)^2$, $\eta$ and $S$ enter apart. On $u = w$ a step gives "
    r"$u' = u(1 + 2\eta(b - au^2))$ with the minibatch means $a$ of $x^2$, $b$ of "
    r"$xy$. Near 0 it collapses where $\lambda = E\ln|1 + 2\eta b| < 0$ and is driven "
    r"away where $0 < \lambda < \infty$; $\lambda = 2\eta(\beta_2 - T\alpha_3) - "
    r"2\eta^2\beta_2^2 + O(\eta^3)$. With all $x \neq 0$, at every $\eta$ and $S$, "
    r"from $u = w$ so large that $au^2 \ge b + 3/2\eta$ in every minibatch, every step "
    r"at least doubles $u$: the loss diverges"
)
_NO_ZEROS = Breakage(
    r"$x \neq 0$ in every sample (divergence)",
    r"$x = 0$ leaves $u$ where it is: from far away only those steps double $u$ whose "
    r"minibatch has an $x \neq 0$.",
)
_LINE = Breakage(
    r"$u = w$",
    r"On $u = -w$ the factor is $1 - 2\eta b$: $x = 1$, $y = 1$, $\eta = \frac14$ has "
    r"$\ln\frac32 > 0$ on the one line, $\ln\frac12 < 0$ on the other.",
)
_FINITE = Breakage(
    r"$\lambda > -\infty$ (driven away)",
    r"$y = 3, 3, 3, -1$, $x = 1$, $\eta = \frac12$: $1 + 2\eta b = 0$ for the last, "
    r"which takes $u = w$ to $-u^3$: $\lambda = -\infty$, collapse at $T = \frac12 < "
    r"T_c = \frac23$.",
)

CLAIMS = (
    Claim(
        id="p2.only-T",
        title="T = η/S is all, and no loss diverges (as printed)",
        statement=r"Where SGD ends depends on $\eta$ and $S$ only through $T = \eta/S$:"
        r" it collapses to 0 iff $T > T_c = \beta_2/\alpha_3$, and its loss never "
        r"diverges.",
        formula=r"u \to 0 \;\Leftrightarrow\; T > \beta_2/\alpha_3",
        source=f"{_P2}, §4, in words",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="another phase, or one diverging run",
        subject="SDE",
        twin_statement=f"{_RIGHT}.",
        twin_subject="discrete",
        routes=_ROUTES,
        assumptions=(_LINE,),
        note=r"By hand: $x = 1$, $y = 3$ or $-1$ has $\beta_2 = 1$, $\alpha_3 = 4$, "
        r"$T_c = \frac14$. With $\eta = S = 1$, far above it, a step from $u = w \to "
        r"0$ multiplies $u$ by $1 + 6$ or $1 - 2$: two steps grow it sevenfold. And at "
        r"$\eta = \frac14$, $u = w = 4$ a step gives $u' = u(1 + \frac12(y - 16))$, at "
        r"least $5\frac12$ times as large, and so on for ever.",
    ),
    Claim(
        id="p2.only-T.corrected",
        title="when discrete SGD collapses or diverges",
        statement=f"{_RIGHT}.",
        formula=r"\lambda(\eta, S) = E\ln\big|1 + 2\eta\,\overline{xy}\big|",
        source=f"{_P2}, §4, corrected (P2-9)",
        form="corrected",
        amends="p2.only-T",
        expected=Verdict.PROVED,
        discrepancy="another sign of λ, or one bounded run",
        subject="discrete",
        twin_statement=r"It collapses iff $T > T_c$ and never diverges.",
        twin_subject="SDE",
        routes=_ROUTES,
        assumptions=(_LINE, _NO_ZEROS, _FINITE),
        derivation=(
            r"$b$ is the mean of $S$ draws of $xy$: $E b = \beta_2$, $E b^2 = "
            r"\beta_2^2 + \alpha_3/S$, and $\ln(1 + s) = s - s^2/2 + \dots$",
            r"As $S \ge 1$, $T > T_c$ needs $\eta > \beta_2/\alpha_3$: the term "
            r"$2\eta^2\beta_2^2$ that the SDE lacks is small beside $2\eta\beta_2$ "
            r"only where $\alpha_3 \gg \beta_2^2$. For $x \sim N(0, 1)$, $y = "
            r"x + \varepsilon$, $S = 1$, $\eta = .35$: $\lambda = .351$, not the "
            r"SDE's $-.035$.",
        ),
    ),
)
