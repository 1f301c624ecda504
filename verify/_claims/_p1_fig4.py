"""P1, Fig. 4: the residual net under SGD and under GD."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._fig_layers import Residual, residual_ensemble, residual_loop


_ISOTROPIC = Breakage(
    r"$\Sigma_x, \Sigma_\varepsilon \propto I$ for $I + U$ to become orthogonal",
    r"$d = 2$, $\Sigma_x = I$, $\Sigma_\varepsilon = \mathrm{diag}(1, 9)$: $I + U = "
    r"\mathrm{diag}(a, b) = (I + W)^{-1}$ with $a^4 = 5$, $b^4 = \frac59$ balances.",
)
_NOISE = Breakage(
    "label noise",
    r"$y = x$: at $(I + U)(I + W) = I$ there is no noise, and the norms stay apart.",
)

CLAIMS = (
    Claim(
        id="p1.fig4",
        title="Fig. 4: SGD balances the residual net",
        statement=r"On $\|(I + U)(I + W)x - y\|^2$, $y = x + \varepsilon$ isotropic, "
        r"SGD makes $\|I + U\|^2$ and $\|I + W\|^2$ meet and $I + U$ nearly "
        r"orthogonal; GD keeps their difference. Medians over runs: a ratio between "
        r".85 and 1.2, against 1.5 or more.",
        formula=r"(I + U)^\top(I + U) = (I + W)(I + W)^\top",
        source=f"{P1}, Fig. 4",
        form="published",
        expected=Verdict.SUPPORTED,
        discrepancy="a ratio of the norms as far from 1 as GD's",
        subject=Residual(),
        twin_statement="GD balances it, too.",
        twin_subject=Residual(method="gd"),
        routes=(residual_ensemble, residual_loop),
        assumptions=(_ISOTROPIC, _NOISE),
        note=r"The paper shows $\|U\|$ and $\|W\|$; what the affine symmetry is about "
        r"(D14) are $I + U$ and $I + W$.",
    ),
)
