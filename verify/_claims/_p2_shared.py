"""Assumptions that claims of P2 share, each with what breaks without it."""

from __future__ import annotations

from verify._result import Breakage


P2 = "P2 (arXiv 2308.06671 v2)"

NOISE = Breakage(
    r"$\Delta > 0$",
    r"$y = kx$ has $Q(k) = 0$: at $D = 1$ the same formula is $|v - k|^{-2 - "
    r"\beta_1/2T\alpha_1k}$ near $k$, not integrable.",
)
SIGN = Breakage(
    r"$\beta_2 > 0$ (else $y \to -y$, $v \to -v$)",
    r"$D = 1$, $\beta_2 = -1$: $p \sim v^{-1/2\alpha_3T - 3/2}$ at 0, not integrable "
    r"at any $T$.",
)
BALANCED = Breakage(
    r"all $|u_i^{(k)}|$ are equal",
    r"$u = 2$, $w = \frac12$, $T = 0$: $v = 1$ moves at $-2(u^2 + w^2)(\beta_1v - "
    r"\beta_2)$, $\frac{17}8$ times as fast as at $u = w = 1$.",
)
CENTRED = Breakage(
    r"$\Sigma$ is the centred covariance",
    r"One sample $x = y = 1$ at $v = 0$: the second moment of $x(vx - y)$ is 1, but "
    r"nothing fluctuates, and $Q = 0$.",
)
PRODUCT = Breakage(
    r"$\ell$ depends on $uw$ alone",
    r"$\ell = (u - xw)^2$ at $x = 0$: $\dot u = -2u$, $\dot w = 0$, so $u^2 - w^2$ "
    r"moves at $-4u^2$ without noise or decay.",
)
DEEP = Breakage(
    r"$D \ge 1$",
    r"$D = 0$: the tail is $v^{-2 - \beta_1/T\alpha_1}$ ($d = 1$, $\gamma = 0$), and "
    r"$E v^2 = \infty$ for $T \ge \beta_1/\alpha_1$.",
)
