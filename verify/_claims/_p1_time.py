"""P1, in words: how long the degenerate direction takes, and the two phases (D7)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_assumptions import AVERAGE, NO_DECAY, ONE_STEP
from verify._claims._shared import P1
from verify._routes._general_rates import (
    phases_exact,
    phases_words,
    time_exact,
    time_words,
)


_ROUTES = (time_exact, time_words)

CLAIMS = (
    Claim(
        id="p1.time",
        title="equilibration time ∝ σ² (as printed)",
        statement=r"The time to equilibrate along the degenerate direction depends "
        r"linearly on $\sigma^2$.",
        formula=r"t_{\mathrm{equi}} \propto \sigma^2",
        source=f"{P1} and v3, in words",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="any other power of σ²",
        subject=1,
        twin_statement=r"$t_{\mathrm{equi}} \propto 1/\sigma^2$.",
        twin_subject=-1,
        routes=_ROUTES,
        assumptions=(AVERAGE, NO_DECAY),
        note=r"By hand: $\ell = (uw - y)^2$ with $y = 0, 2$ has "
        r"$\Sigma = 4(w, u)(w, u)^\top$, so $D = u^2 - w^2$ follows "
        r"$\dot D = 2\sigma^2\cdot4(w^2 - u^2) = -8\sigma^2D$ and halves in "
        r"$\ln 2/8\sigma^2$: twice the noise, half the time.",
    ),
    Claim(
        id="p1.time.corrected",
        title="equilibration time ∝ 1/σ²",
        statement=r"For $\gamma = 0$ the drift of $C$ is proportional to $\sigma^2$, "
        r"so along the degenerate direction every time is proportional to "
        r"$1/\sigma^2$.",
        formula=r"t_{\mathrm{equi}} \propto 1/\sigma^2,\quad t = \frac1{\sigma^2}\int"
        r"\frac{\|A\theta_\lambda\|^2}{\mathrm{Tr}[\Sigma(\theta_\lambda)A]}d\lambda",
        source=f"{P1}, in words, corrected (D7)",
        form="corrected",
        amends="p1.time",
        expected=Verdict.PROVED,
        discrepancy="any other power of σ²",
        subject=-1,
        twin_statement=r"$t_{\mathrm{equi}} \propto \sigma^2$, as printed.",
        twin_subject=1,
        routes=_ROUTES,
        assumptions=(AVERAGE, NO_DECAY, ONE_STEP),
    ),
    Claim(
        id="p1.phases",
        title="fast and slow phases",
        statement=r"Across the orbits $\theta$ drifts at a rate set by the loss, the "
        r"same at every $\sigma^2$; for $\gamma = 0$ the charge drifts at a rate "
        r"proportional to $\sigma^2 = \eta/2S$. Their ratio tells a fast phase from a "
        r"slow one.",
        formula=r"E[d\theta] = -\nabla L\,dt,\quad "
        r"\dot C = \sigma^2\,\mathrm{Tr}[\Sigma A]",
        source=f"{P1}, in words (fast and slow phases)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="any other power of σ² in either rate",
        subject=(0, 1),
        twin_statement=r"Both rates are proportional to $\sigma^2$.",
        twin_subject=(1, 1),
        routes=(phases_words, phases_exact),
        assumptions=(AVERAGE, NO_DECAY, ONE_STEP),
    ),
)
