"""P1, Fig. 1: what gradient flow keeps, and where SGD goes."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._result import Breakage
from verify._routes._fig_planes import Orbits, orbits_ensemble, orbits_loop


_ROUTES = (orbits_ensemble, orbits_loop)
_NOISE = Breakage(
    r"$\Sigma \neq 0$ along the way",
    r"$\ell = (w/u - 1)^2$ at $(1, 1)$ is interpolated: SGD does not move outward.",
)
_VARIANCE = Breakage(
    r"$\int\mathrm{Var}\,q\,dt = \infty$",
    r"$y = x$: at $uw = 1$ every sample has $q = 0$, and $u^2 - w^2$ stays where it "
    r"is.",
)
_SMALL = Breakage(
    r"$\eta \to 0$ for what stands for the flow",
    r"$\ell = (w/u - 1)^2$ at $(1, 0)$: a step of GD with $\eta = \frac12$ doubles "
    r"$\|\theta\|^2$.",
)

CLAIMS = (
    Claim(
        id="p1.fig1.circles",
        title="Fig. 1: circles; SGD moves outward",
        statement=r"For a scale-invariant loss of two parameters gradient flow stays "
        r"on a circle and SGD moves outward, $\|\theta\|^4$ by "
        r"$\frac{2\eta}S\int\mathrm{Tr}\,\Sigma(\hat\theta)dt$: seen at medians over "
        r"runs, $\|\theta\|^2$ grows by half or more, under the flow by less than a "
        r"twentieth.",
        formula=r"\|\theta_t\|^4 = \|\theta_0\|^4 + \frac{2\eta}S\int_0^t"
        r"\mathrm{Tr}\,\Sigma(\hat\theta)\,dt'",
        source=f"{P1}, Fig. 1, left",
        form="published",
        expected=Verdict.SUPPORTED,
        discrepancy="a norm that stays, or half the growth",
        subject=Orbits(circles=True),
        twin_statement="Gradient descent moves outward as much.",
        twin_subject=Orbits(circles=True, method="gd"),
        routes=_ROUTES,
        assumptions=(PER_SAMPLE, _NOISE, _SMALL),
    ),
    Claim(
        id="p1.fig1.hyperbolas",
        title="Fig. 1: hyperbolas; SGD ends where u² = w²",
        statement=r"For $(uwx - y)^2$ gradient flow stays on a hyperbola and SGD goes "
        r"to $u^2 = w^2$: at medians over runs $|u^2 - w^2|$ falls below a twentieth "
        r"of its start, under the flow it keeps its value to a twentieth.",
        formula=r"u_T^2 - w_T^2 = (u_0^2 - w_0^2)\prod_t(1 - \eta^2q_t^2)",
        source=f"{P1}, Fig. 1, right",
        form="published",
        expected=Verdict.SUPPORTED,
        discrepancy="a difference of squares that stays",
        subject=Orbits(circles=False),
        twin_statement="Gradient descent goes there, too.",
        twin_subject=Orbits(circles=False, method="gd"),
        routes=_ROUTES,
        assumptions=(PER_SAMPLE, _VARIANCE),
    ),
)
