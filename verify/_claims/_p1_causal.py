"""P1, §4.3 and v3: what the noise equilibrium has to do with sharpness (D10)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._matrix_both_ways import both_ways_exact, both_ways_words
from verify._routes._matrix_label_noise import label_noise_exact, unrelated


_ROUTES = (label_noise_exact, unrelated)
_RIGHT = (
    r"At a global minimum with label noise $\varepsilon$ independent of $x$, "
    r"$E\varepsilon = 0$, $E[\varepsilon\varepsilon^\top] = s^2I$ and $\gamma = 0$, "
    r"the formula holds on every orbit; the trace is convex there, so that the noise "
    r"equilibrium is the point of the orbit where the trace of the Hessian is least"
)
_ISOTROPIC = Breakage(
    r"$E[\varepsilon\varepsilon^\top] = s^2I$",
    r"$u = (p, 0)$, $w = 1/p$, $x = 1$, variances $1 : 15$: the noise balances at "
    r"$p = 2$ with trace 9, while $p = 1$ has 6 and the least is at $p^4 = 2$.",
)
_MINIMUM = Breakage(
    "a global minimum",
    r"$\ell = (uwx)^2$ at $u = 2$, $w = 1$, $x = 1, 2$ has no label noise and yet "
    r"$\dot C = -\frac{\eta}{2S}\cdot4\cdot3\,\mathrm{Var}(2x^2) \neq 0$.",
)

CLAIMS = (
    Claim(
        id="p1.causal",
        title="SGD's noise has nothing to do with sharpness (as printed)",
        statement="There is no causal relation between SGD and sharpness: on no orbit "
        "does the noise itself drive the trace of the Hessian down, not even for "
        "isotropic label noise at a global minimum.",
        formula=r"\dot C_B\,\frac{d}{d\lambda}\mathrm{Tr}\nabla^2L(\theta_\lambda) "
        r"\not< 0",
        source="P1 v3 (NeurIPS 2024), on sharpness",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a drift down the trace",
        subject="unrelated",
        twin_statement=f"{_RIGHT}.",
        twin_subject="isotropic",
        routes=_ROUTES,
        assumptions=(_MINIMUM,),
        note=r"By hand: $\ell = (uw - y)^2$, $y = 1 \pm 1$, on $uw = 1$ has $r = "
        r"\mp1$, $\nabla\ell = \mp2(w, u)$: $u^2 - w^2$ drifts at $\frac{4\eta}S(w^2 - "
        r"u^2)$, to $u^2 = w^2$, where the trace $2(u^2 + w^2)$ is least: from 17/2 at "
        r"$(2, \frac12)$ to 4.",
    ),
    Claim(
        id="p1.causal.corrected",
        title="isotropic label noise goes to the least trace",
        statement=f"{_RIGHT}. At every size.",
        formula=r"\dot C_B = -\sigma^2s^2\frac{d}{d\lambda}"
        r"\mathrm{Tr}\nabla^2L(\theta_\lambda)",
        source="P1 v3, corrected (D10)",
        form="corrected",
        amends="p1.causal",
        expected=Verdict.PROVED,
        discrepancy="an equilibrium elsewhere",
        subject="isotropic",
        twin_statement=r"The same for all label noise, with $s^2 = "
        r"\mathrm{Tr}\,\Sigma_\varepsilon/d_y$.",
        twin_subject="any",
        routes=_ROUTES,
        assumptions=(_ISOTROPIC, _MINIMUM),
        derivation=(
            r"At the minimum $\nabla\ell = -2\,\partial f^\top\varepsilon$: $\Sigma = "
            r"4s^2E[\partial f^\top\partial f] = 2s^2\nabla^2L$, for any model.",
            r"So $\Phi = \sigma^2\mathrm{Tr}\,\Sigma/2$, which the equilibrium "
            r"minimises, is $\sigma^2s^2\mathrm{Tr}\nabla^2L$.",
        ),
    ),
    Claim(
        id="p1.both-ways",
        title="alignment can sharpen and flatten",
        statement=r"There is an orbit of $UW$ on which the approach to the noise "
        r"balance raises the trace of the Hessian from one side and lowers it from the "
        r"other.",
        formula=r"S(\theta_0) < S(\theta_{\lambda^*}) < S(\theta_1)",
        source=f"{P1}, §4.3",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="one direction only",
        subject="both",
        twin_statement="It can only flatten.",
        twin_subject="flattens",
        routes=(both_ways_words, both_ways_exact),
        assumptions=(_ISOTROPIC,),
        note=r"By hand: $u = (p, 0)$, $w = 1/p$, $x = 1$, $\Sigma_\varepsilon \propto "
        r"\mathrm{diag}(1, 15)$: the balance $16/p^2 = p^2$ is at $p = 2$; the trace "
        r"$4/p^2 + 2p^2$ is 6, 9, 129/4 at $p = 1, 2, 4$.",
    ),
)
