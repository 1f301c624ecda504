"""P2, in words: SGD never learns the wrong sign (P2-10)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._result import Breakage
from verify._routes._diagonal_signs import (
    one_number_exact,
    sign_algebra,
    sign_exact,
    sign_runs,
)


_P2 = "P2 (arXiv 2308.06671 v2)"
_ROUTES = (sign_algebra, sign_exact, sign_runs, one_number_exact)
_RIGHT = (
    r"With two factors and $\beta_2 > 0$ the set where all $u_i = -w_i$ is left by no "
    r"step of SGD, whatever $\eta$, $S$ and the data, and $v \le 0$ on it. Under the "
    r"SDE with $\gamma = 0$, $v \to 0$ on it, and off it $v$ almost surely reaches 0 "
    r"from below: $d\ln|N/P| = 4(\beta_1v - \beta_2)dt + 4\sqrt{TQ}\,dB$, $P$ and $N$ "
    r"the numbers that have multiplied $u_i + w_i$ and $u_i - w_i$. SGD may stay "
    r"at $v < 0$ for ever. With more factors, no step leaves the set where all "
    r"$|u_i^{(k)}| = a_i$ and all products are negative, if their "
    r"number is even, or if no step crosses 0"
)
_MEAN = Breakage(
    r"$\beta_2 > 0$",
    r"For $\beta_2 < 0$ the negative sign is the right one; for $\beta_2 = 0$ the "
    r"drift of $\ln|N/P|$ at $v = 0$ vanishes.",
)
_EVEN = Breakage(
    "an even number of factors, or no step across 0",
    r"Three factors $(-1, 1, 1)$, $x = 1$, $y = 1$, $\eta = 1$: $q = 2(-1 - 1) = -4$ "
    r"and $u_k' = u_k(1 - \eta q\,v/u_k^2) = u_k(1 - 4) = -3u_k$, so $v' = 27 > 0$.",
)
_SDE = Breakage(
    "the SDE (v reaches 0)",
    r"In SGD one long step may land on the set: $(u, w) = (3, 1)$, $x = 1$, "
    r"$y = \frac52$, $q = 2(3 - \frac52) = 1$, $\eta = 1$ gives $(2, -2)$, where "
    r"$u = -w$ for ever.",
)

CLAIMS = (
    Claim(
        id="p2.wrong-sign",
        title="SGD never learns the wrong sign (as printed)",
        statement=r"With $\beta_2 > 0$ SGD never ends at $v < 0$, wherever it starts.",
        formula=r"\beta_2 > 0 \;\Rightarrow\; v_\infty \ge 0",
        source=f"{_P2}, §4, in words",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="one start from which v < 0 for ever",
        subject="never",
        twin_statement=f"{_RIGHT}.",
        twin_subject="exception",
        routes=_ROUTES,
        assumptions=(_MEAN,),
        note=r"By hand: $(x, y) = (\frac1{10}, 20)$ and $(1, -1)$ have $E[xy] = "
        r"\frac12$. From $u = -w$ a step gives $u' = u(1 - 2\eta(xy + x^2u^2)) = -w'$, "
        r"so $v = -u^2 \le 0$ for ever. With $\eta = \frac25$ it multiplies a small "
        r"$u$ by $-\frac35$ or $\frac95$: by $\frac{27}{25} > 1$ in two steps, away "
        r"from 0, and $u^2 \le \frac{27}{25}$ is kept by both.",
    ),
    Claim(
        id="p2.wrong-sign.corrected",
        title="the wrong sign is kept on u = −w, and only there",
        statement=f"{_RIGHT}.",
        formula=r"d\ln|N/P| = 4(\beta_1v - \beta_2)\,dt + 4\sqrt{TQ}\,dB",
        source=f"{_P2}, §4, corrected (P2-10)",
        form="corrected",
        amends="p2.wrong-sign",
        expected=Verdict.PROVED,
        discrepancy="one step off the set",
        subject="exception",
        twin_statement=r"SGD never ends at $v < 0$, wherever it starts.",
        twin_subject="never",
        routes=_ROUTES,
        assumptions=(_MEAN, _EVEN, _SDE),
    ),
)
