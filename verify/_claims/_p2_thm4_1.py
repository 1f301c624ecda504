"""P2, Theorem 4.1: what is stationary, published with a wrong alternative (P2-5)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p2_shared import BALANCED, CENTRED, P2
from verify._result import Breakage
from verify._routes._stationary_pairs import pair_exact, rest_exact, rest_symbolic


_ROUTES = (rest_symbolic, rest_exact, pair_exact)
_STATED = (
    r"On the balanced manifold, at stationarity, for any two products: $v_i = 0$ or "
    r"$v_j = 0$; or $Q(v) = 0$; or they have one sign, and $\log|v_i| - \log|v_j|$ "
    r"never changes ($D = 1$), $|v_i| = |v_j|$ ($D > 1$)."
)
_DECAY = Breakage(
    r"$\gamma = 0$",
    r"$D > 1$: decay adds $2\gamma(N-2)z$ to $\dot z$, $z = 1/g_j - 1/g_i$; where "
    r"$Q$ is small it drives $|v_i|$ and $|v_j|$ apart.",
)

CLAIMS = (
    Claim(
        id="p2.thm4.1",
        title="what is stationary (as printed)",
        statement=r"At stationarity, for any two products: $v_i = 0$ or $v_j = 0$; or "
        r"$L = 0$; or they have one sign, and are tied to each other.",
        formula=r"v_iv_j = 0 \;\vee\; L = 0 \;\vee\; v_iv_j > 0",
        source=f"{P2}, Theorem 4.1",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a stationary state that escapes the alternatives",
        subject="L = 0",
        twin_statement=_STATED,
        twin_subject="Q = 0",
        routes=_ROUTES,
        assumptions=(BALANCED, CENTRED, _DECAY),
        note=r"By hand: samples $(x, y) = (1, 0), (0, 1)$, $D = 1$, $u = (1, 1)$, $w = "
        r"(1, -1)$: $v_1 = 1$, $v_2 = -1$, $v = 0$. Every gradient $2x(vx - y)\cdot$ "
        r"vanishes, so nothing ever moves; but $L = \frac12(0 + 1) \neq 0$.",
    ),
    Claim(
        id="p2.thm4.1.corrected",
        title="what is stationary",
        statement=_STATED,
        formula=r"v_iv_j = 0 \;\vee\; Q(v) = 0 \;\vee\; v_iv_j > 0",
        source=f"{P2}, Theorem 4.1, corrected (P2-5)",
        form="corrected",
        amends="p2.thm4.1",
        expected=Verdict.PROVED,
        discrepancy="a stationary state that escapes the alternatives",
        subject="Q = 0",
        twin_statement=r"The same with $L = 0$ for $Q(v) = 0$.",
        twin_subject="L = 0",
        routes=_ROUTES,
        assumptions=(BALANCED, CENTRED, _DECAY),
    ),
)
