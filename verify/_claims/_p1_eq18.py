"""P1, §4.4: a broken symmetry, Eqs. (18), (19), and what small ζ does."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._result import Breakage
from verify._routes._common import Factors
from verify._routes._general_broken import (
    balance_exact,
    balance_words,
    broken_exact,
    broken_words,
    shift_exact,
    shift_symbolic,
    shift_words,
)


_NO_DATA = Breakage(
    r"$\ell_2$ has no data",
    r"$\ell_1 = (uw - 1)^2$ at $(1, 1)$ and $\ell_2 = zu$, $z = \pm1$: $\Sigma$ of "
    r"$\ell_1$ is 0, that of $\ell$ is $\mathrm{diag}(\zeta^2, 0)$, and "
    r"$\dot C = 2\sigma^2\zeta^2 \neq 0$ where the formula has 0.",
)
_SMALL = Breakage(
    r"$\zeta$ small",
    r"$\ell_2 = u^4 + w^4 - 8(u^2 + w^2)$ on the orbit $uw = 1$ of an interpolated "
    r"$\ell_1$ with $\gamma = \zeta = 1$: $\Phi + \zeta\ell_2 = 2\cosh4\lambda - "
    r"14\cosh2\lambda$ has three stationary points, $\cosh2\lambda = 1$ and "
    r"$\frac74$: the fixed point is not unique.",
)
_REGULAR = Breakage(
    r"$\partial_\lambda G \neq 0$",
    r"$\ell_1 = (uw - 1)^2$ interpolated with $\gamma = 0$: $G \equiv 0$, and "
    r"$\ell_2 = u^2$ drives $\lambda$ to $-\infty$ at any $\zeta > 0$.",
)

CLAIMS = (
    Claim(
        id="p1.eq18",
        title="the flow for ℓ₁ + ζℓ₂",
        statement=r"For $\ell = \ell_1(\theta, z) + \zeta\ell_2(\theta)$, where "
        r"$\ell_1$ has the symmetry, $C = \theta^\top A\theta$ follows the formula, "
        r"$\Sigma$ the covariance of $\nabla\ell_1$, without any $dW$ term.",
        formula=r"\dot C = -2\zeta\nabla\ell_2\cdot A\theta + "
        r"2\sigma^2\,\mathrm{Tr}[\Sigma A]",
        source=f"{P1}, Eq. (18), with its own C = θᵀAθ",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in either term",
        subject=Factors(decay=Fraction(-2), noise=Fraction(2)),
        twin_statement=r"$\dot C = -2\zeta\nabla\ell_2\cdot A\theta + "
        r"\sigma^2\mathrm{Tr}[\Sigma A]$, the factor of (7).",
        twin_subject=Factors(decay=Fraction(-2), noise=Fraction(1)),
        routes=(broken_words, broken_exact),
        assumptions=(PER_SAMPLE, _NO_DATA),
        note=r"Here P1 keeps $C = \theta^\top A\theta$, consistently. "
        r"$\zeta\ell_2 = \gamma\|\theta\|^2$ gives back (7).",
    ),
    Claim(
        id="p1.eq19",
        title="the fixed point for ℓ₁ + ζℓ₂",
        statement=r"$\dot C = 0$ for $\ell = \ell_1 + \zeta\ell_2$ iff the formula "
        r"holds.",
        formula=r"\zeta\nabla\ell_2\cdot A\theta^* = \sigma^2\,\mathrm{Tr}[\Sigma A]",
        source=f"{P1}, Eq. (19)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 between the sides",
        subject=Fraction(1),
        twin_statement=r"$\zeta\nabla\ell_2\cdot A\theta^* = "
        r"2\sigma^2\mathrm{Tr}[\Sigma A]$.",
        twin_subject=Fraction(2),
        routes=(balance_words, balance_exact),
        assumptions=(PER_SAMPLE, _NO_DATA),
    ),
    Claim(
        id="p1.small-zeta",
        title="a weakly broken symmetry shifts λ*",
        statement=r"The fixed points for $\ell_1 + \zeta\ell_2$ on an orbit are the "
        r"stationary points of $\Phi + \zeta\ell_2$; to first order in $\zeta$ the one "
        r"of $\zeta = 0$ is shifted as the formula says.",
        formula=r"\delta\lambda = \zeta\,\frac{\nabla\ell_2\cdot A\theta^*}"
        r"{\partial_\lambda G} + O(\zeta^2)",
        source="own (makes P1, §4.4, on small ζ precise; C = ½θᵀAθ)",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a factor 2, or the sign",
        subject=Fraction(1),
        twin_statement=r"The same with $2\zeta$ for $\zeta$.",
        twin_subject=Fraction(2),
        routes=(shift_symbolic, shift_words, shift_exact),
        assumptions=(PER_SAMPLE, _NO_DATA, _REGULAR, _SMALL),
        derivation=(
            r"$\dot C = G(\theta_\lambda) - \zeta K(\lambda)$ with $K = "
            r"\nabla\ell_2\cdot A\theta_\lambda = \frac{d}{d\lambda}"
            r"\ell_2(\theta_\lambda)$ and $G = -\frac{d}{d\lambda}\Phi$.",
            r"$\partial_\lambda G < 0$: $\lambda^*$ moves against the slope of "
            r"$\ell_2$.",
        ),
    ),
)
