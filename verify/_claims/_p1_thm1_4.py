"""P1, Theorem 1, part 4: the fixed point depends smoothly on the parameters."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._result import Breakage
from verify._routes._implicit import implicit_numeric, implicit_symbolic


_FINITE = Breakage(
    r"$\lambda^*$ is finite",
    r"$\mu = \pm1$, $\gamma = 0$, $s = (p^2, 1)$ at $p = 0$: $\lambda^* = "
    r"\frac12\ln|p| "
    r"\to -\infty$, not differentiable there.",
)
_NOISE = Breakage(
    r"$\mathrm{Tr}[\Sigma A^2] > 0$, or $\gamma > 0$ and $A\theta \neq 0$",
    r"$\Sigma = 0$ and $\gamma = 0$: $G \equiv 0$ on the orbit, and $\lambda^*$ is no "
    r"function of $\theta$ at all.",
)

CLAIMS = (
    Claim(
        id="p1.thm1.4",
        title="λ* is differentiable",
        statement=r"If $\Sigma$ is differentiable and $\lambda^*$ is finite and "
        r"unique, "
        r"then $\lambda^*(\theta)$ is differentiable, with the gradient given.",
        formula=r"\nabla\lambda^* = -(\partial_\lambda G)^{-1}\,\nabla_\theta "
        r"G(\theta_\lambda)\big|_{\lambda=\lambda^*}",
        source=f"{P1}, Theorem 1 (4), for finite λ*",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="another gradient, or none",
        subject=-1,
        twin_statement=r"The same with the opposite sign of the gradient.",
        twin_subject=1,
        routes=(implicit_symbolic, implicit_numeric),
        assumptions=(PER_SAMPLE, _FINITE, _NOISE),
        note="The paper prints no formula for the gradient and leaves out that λ* must "
        "be finite.",
    ),
)
