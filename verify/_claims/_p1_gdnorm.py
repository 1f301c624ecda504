"""P1, in words: the norm under GD, and whether it diverges under SGD (D15)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._result import Breakage
from verify._routes._general_rates import (
    diverges_exact,
    diverges_words,
    step_norm_exact,
    step_norm_words,
)


_ROUTES = (step_norm_exact, step_norm_words)
_SMALL = Breakage(
    r"$\eta\to0$ at a fixed time, for the norm to stay",
    r"$\ell = (w/u - 1)^2$ at $(1, 0)$, $\eta = \frac12$: $\|\theta\|^2$ goes from 1 "
    r"to 2 in a step.",
)
_SCALE = Breakage(
    r"scale invariance, $\theta\cdot\nabla\ell = 0$",
    r"$\ell = \frac12u^2$ at $u = 1$, $\eta = \frac12$: the norm falls, to "
    r"$\frac12$.",
)
_DIVERGES = (diverges_exact, diverges_words)
_INTEGRAL = (
    r"\|\theta_t\|^4 = \|\theta_0\|^4 + \frac{2\eta}{S}\int_0^t"
    r"\mathrm{Tr}\,\Sigma(\hat\theta)\,dt'"
)
_ENDLESS = Breakage(
    r"$\int\mathrm{Tr}\,\Sigma(\hat\theta)\,dt = \infty$, for the norm to diverge",
    r"$\ell = (w/u - 1)^2$ at $(1, 1)$ is interpolated: $\Sigma = 0$ and nothing "
    r"moves.",
)
_DECAY = Breakage(
    r"$\gamma = 0$",
    r"With $\gamma > 0$, $\frac{d}{dt}\|\theta\|^4 = -8\gamma\|\theta\|^4 + "
    r"\frac{2\eta}{S}\mathrm{Tr}\,\Sigma(\hat\theta)$ stays bounded where "
    r"$\mathrm{Tr}\,\Sigma(\hat\theta)$ does.",
)

CLAIMS = (
    Claim(
        id="p1.gdnorm",
        title="GD keeps the norm (as printed)",
        statement=r"Where the loss is scale invariant the norm is unchanged under "
        r"gradient descent.",
        formula=r"\|\theta - \eta\nabla L\|^2 = \|\theta\|^2",
        source=f"{P1}, in words, and Fig. 1",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="any change of the norm in a step",
        subject=Fraction(0),
        twin_statement=r"Each step adds $\eta^2\|\nabla L\|^2$.",
        twin_subject=Fraction(1),
        routes=_ROUTES,
        assumptions=(PER_SAMPLE,),
        note=r"By hand: $\ell = (w/u - 1)^2$ at $(1, 0)$ has the gradient $(0, -2)$; "
        r"$\eta = \frac12$ leads to $(1, 1)$, of squared norm 2, not 1. Gradient flow "
        r"does keep the norm (p1.eq4).",
    ),
    Claim(
        id="p1.gdnorm.corrected",
        title="each step of GD adds η²‖∇L‖²",
        statement=r"Where the loss is scale invariant gradient flow keeps the norm, "
        r"and each step of gradient descent adds $\eta^2\|\nabla L\|^2$ to its square: "
        r"$O(\eta)$ in a fixed time.",
        formula=r"\|\theta - \eta\nabla L\|^2 = \|\theta\|^2 + \eta^2\|\nabla L\|^2",
        source=f"{P1}, in words, corrected (D15)",
        form="corrected",
        amends="p1.gdnorm",
        expected=Verdict.PROVED,
        discrepancy="any other change of the norm in a step",
        subject=Fraction(1),
        twin_statement="The norm is unchanged, as printed.",
        twin_subject=Fraction(0),
        routes=_ROUTES,
        assumptions=(_SCALE, _SMALL),
    ),
    Claim(
        id="p1.diverges",
        title="the norm diverges under SGD (as printed)",
        statement=r"Where the loss is scale invariant and $\gamma = 0$, $\|\theta\|$ "
        r"grows from every $\theta$, without end.",
        formula=r"\frac{d}{dt}\|\theta\|^4 > 0,\quad \|\theta_t\| \to \infty",
        source=f"{P1}, in words",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="one point from which the norm stays",
        subject="always",
        twin_statement=r"$\|\theta\|$ diverges iff $\int\mathrm{Tr}\,\Sigma("
        r"\hat\theta)\,dt = \infty$.",
        twin_subject="integral",
        routes=_DIVERGES,
        assumptions=(PER_SAMPLE, _DECAY),
        note=r"By hand: $\ell = (w/u - 1)^2$ at $(1, 1)$ is 0 with gradient 0 for its "
        r"one sample: $\nabla L = 0$, $\Sigma = 0$, and $\theta$ never moves.",
    ),
    Claim(
        id="p1.diverges.corrected",
        title="the norm diverges iff ∫Tr Σ(θ̂)dt = ∞",
        statement=r"Where the loss is scale invariant and $\gamma = 0$ the formula "
        r"holds on every path of the SDE: $\|\theta\|$ diverges iff the integral does.",
        formula=_INTEGRAL,
        source=f"{P1}, in words, corrected",
        form="corrected",
        amends="p1.diverges",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in front of the integral",
        subject="integral",
        twin_statement=r"$\|\theta\|$ diverges always.",
        twin_subject="always",
        routes=_DIVERGES,
        assumptions=(PER_SAMPLE, _ENDLESS, _DECAY),
    ),
)
