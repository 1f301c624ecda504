"""P2, §3: the law of balance, Eq. (4) (P2-4), and the rank of C₁, C₂ (Theorem 3.2)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p2_shared import CENTRED, P2
from verify._result import Breakage
from verify._routes._stationary_balance import (
    balance_exact,
    balance_symbolic,
    rank_exact,
    rank_symbolic,
    slopes_exact,
    slopes_symbolic,
)


_SYMMETRY = Breakage(
    r"$\ell(\lambda u, w/\lambda) = \ell(u, w)$ for $\lambda$ near 1",
    r"$\ell = (u - xw)^2$ at $x = 0$: $\dot u = -2u$, $\dot w = 0$, and $u^2 - w^2$ "
    r"moves at $-4u^2$ without noise.",
)
_NONZERO = Breakage(
    r"$u \neq 0 \neq w$",
    r"$u = 0$: (4) bounds $0/\|w\|^2$ below by $\lambda_{2m}/\lambda_{1M} > 0$; at "
    r"stationarity $w^\top C_2w = 0$ then makes $C_2$ singular or $w = 0$.",
)
_INDEPENDENT = Breakage(
    r"$\varepsilon$ is independent of $x$",
    r"$\varepsilon \neq 0$ only where $w^\top x \le 0$, $h = 0$: $1r = 0$, and $C_1 = "
    r"C_2 = 0$ though $\Sigma_\varepsilon$ is regular.",
)
_PASSES = Breakage(
    r"$P(w^\top x > 0) > 0$",
    r"Else $A = 0$ and $C_1 = C_2 = 0$: a dead neuron.",
)
_SLOPE = (
    r"Every loss with the symmetry has $A(\theta, z)$ with $\nabla_u\ell = Aw$, "
    r"$\nabla_w\ell = A^\top u$; with $C_1, C_2$ of this $A$ (3.1) holds, and (4) "
    r"where $\|u\|^2 - \|w\|^2$ rests, also for ReLU."
)
_BOUNDS = (
    r"\frac{\lambda_{2m}}{\lambda_{1M}} \le \frac{\|u\|^2}{\|w\|^2} \le "
    r"\frac{\lambda_{2M}}{\lambda_{1m}}"
)
_SLOPES = (slopes_symbolic, slopes_exact)
_RANKS = (rank_symbolic, rank_exact)
_SEEN = (
    r"$C_1$ is regular if $\Sigma_\varepsilon$ is, $\varepsilon$ independent of $x$ "
    r"and $P(w^\top x > 0) > 0$; $C_2$ is if also $E[1_{w^\top x > 0}xx^\top]$ is "
    r"regular, as it is where $x$ has a density. (A bias is a 1 in $x$.)"
)

CLAIMS = (
    Claim(
        id="p2.balance",
        title="the law of balance",
        statement=r"Where $\ell$ depends on $uw^\top$, $A = \partial\ell/\partial"
        r"(uw^\top)$, $C_1 = E[AA^\top] - E[A]E[A]^\top$ and $C_2 = E[A^\top A] - "
        r"E[A]^\top E[A]$, $\|u\|^2 - \|w\|^2$ drifts by the formula.",
        formula=r"\frac{d}{dt}(\|u\|^2 - \|w\|^2) = T(\mathrm{Tr}\,\Sigma_u - "
        r"\mathrm{Tr}\,\Sigma_w) = -T(u^\top C_1u - w^\top C_2w)",
        source=f"{P2}, Eq. (3.1)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor, or C₁ and C₂ exchanged",
        subject=Fraction(1),
        twin_statement=r"Twice the right-hand side.",
        twin_subject=Fraction(2),
        routes=(balance_symbolic, balance_exact),
        assumptions=(_SYMMETRY, CENTRED),
    ),
    Claim(
        id="p2.eq4",
        title="bounds on the imbalance (as printed)",
        statement=r"Every loss with the rescaling symmetry, ReLU nets included, is a "
        r"function of $uw^\top$; hence the formula at stationarity.",
        formula=_BOUNDS,
        source=f"{P2}, Eq. (4)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="two points with one $uw^\\top$ and two losses",
        subject="function",
        twin_statement=_SLOPE,
        twin_subject="slope",
        routes=_SLOPES,
        assumptions=(_SYMMETRY, _NONZERO),
        note=r"By hand: $\ell = (u\,\mathrm{relu}(wx) - y)^2$ at $x = y = 1$: $u = w = "
        r"1$ has $\ell = 0$, $u = w = -1$ has $\ell = 1$; $uw = 1$ at both.",
    ),
    Claim(
        id="p2.eq4.corrected",
        title="bounds on the imbalance",
        statement=_SLOPE,
        formula=_BOUNDS,
        source=f"{P2}, Eq. (4), corrected (P2-4)",
        form="corrected",
        amends="p2.eq4",
        expected=Verdict.PROVED,
        discrepancy="a gradient that no $A$ gives",
        subject="slope",
        twin_statement=r"Every such loss is a function of $uw^\top$.",
        twin_subject="function",
        routes=_SLOPES,
        assumptions=(_SYMMETRY, _NONZERO),
    ),
    Claim(
        id="p2.thm3.2",
        title="full rank for ReLU (as printed)",
        statement=r"In a two-layer ReLU net with $\Sigma_x$ and "
        r"$\Sigma_\varepsilon$ of "
        r"full rank and $\varepsilon$ independent of $x$, $C_1$ and $C_2$ of a neuron "
        r"are of full rank if $P(w^\top x + b > 0) > 0$.",
        formula=r"P(w^\top x + b > 0) > 0 \;\Rightarrow\; C_1, C_2 \succ 0",
        source=f"{P2}, Theorem 3.2",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a singular C₁ or C₂",
        subject="printed",
        twin_statement=_SEEN,
        twin_subject="seen",
        routes=_RANKS,
        assumptions=(_INDEPENDENT, _PASSES),
        note=r"By hand: $x = \pm e_1, \pm e_2$ equally likely ($\Sigma_x = \frac12I$), "
        r"$w = (1, 0)$, $b = 0$: only $x = e_1$ passes, so $A = -2re_1^\top$ or 0, and "
        r"$C_2 = E[A^\top A] - \ldots \propto e_1e_1^\top$ has rank 1.",
    ),
    Claim(
        id="p2.thm3.2.corrected",
        title="full rank for ReLU",
        statement=_SEEN,
        formula=r"E[1_{w^\top x > 0}xx^\top] \succ 0 \;\Rightarrow\; C_1, C_2 \succ 0",
        source=f"{P2}, Theorem 3.2, corrected",
        form="corrected",
        amends="p2.thm3.2",
        expected=Verdict.PROVED,
        discrepancy="a singular C₁ or C₂",
        subject="seen",
        twin_statement=r"Without the condition on $E[1xx^\top]$.",
        twin_subject="printed",
        routes=_RANKS,
        assumptions=(_INDEPENDENT, _PASSES),
    ),
)
