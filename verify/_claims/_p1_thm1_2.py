"""P1, Theorem 1, part 2: a fixed point exists. Published for any γ (D3)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import DECAY_SIGN, P1, PER_SAMPLE
from verify._routes._theorem1 import existence_exact, existence_symbolic


_ROUTES = (existence_exact, existence_symbolic)

CLAIMS = (
    Claim(
        id="p1.thm1.2",
        title="λ* exists, any γ (as printed)",
        statement=r"For any $\theta$ and any $\gamma\in\mathbb{R}$ some "
        r"$\lambda^*\in\mathbb{R}\cup\{\pm\infty\}$ has $G(\theta_{\lambda^*}) = 0$.",
        formula=r"\forall\gamma\in\mathbb{R}\;\exists\lambda^*:\; "
        r"G(\theta_{\lambda^*}) = 0",
        source=f"{P1}, Theorem 1 (2)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="one orbit without a zero",
        subject="any",
        twin_statement=r"The same for $\gamma \ge 0$.",
        twin_subject="non-negative",
        routes=_ROUTES,
        assumptions=(PER_SAMPLE,),
        note=r"By hand: $\ell = (w/u - y)^2$ at $(u, w) = (1, 0)$ with labels $\pm1$ "
        r"has gradients $(0, \mp2)$, so $\Sigma = \mathrm{diag}(0, 4)$. With $\eta = "
        r"1/2$, $S = 1$ ($\sigma^2 = 1/4$) and $\gamma = -1$, $A = I$: "
        r"$G(\theta_\lambda) = 2e^{2\lambda} + e^{-2\lambda} \ge 2\sqrt2$.",
    ),
    Claim(
        id="p1.thm1.2.corrected",
        title="λ* exists, γ ≥ 0",
        statement=r"For any $\theta$ and any $\gamma \ge 0$ some "
        r"$\lambda^*\in\mathbb{R}\cup\{\pm\infty\}$ has $G(\theta_{\lambda^*}) = 0$; "
        r"it is finite iff terms that push $C$ up and terms that push it down are both "
        r"present.",
        formula=r"\forall\gamma\ge0\;\exists\lambda^*:\; G(\theta_{\lambda^*}) = 0",
        source=f"{P1}, Theorem 1 (2), corrected (D3)",
        form="corrected",
        amends="p1.thm1.2",
        expected=Verdict.PROVED,
        discrepancy="one orbit without a zero",
        subject="non-negative",
        twin_statement=r"The same for any $\gamma\in\mathbb{R}$.",
        twin_subject="any",
        routes=_ROUTES,
        assumptions=(PER_SAMPLE, DECAY_SIGN),
    ),
)
