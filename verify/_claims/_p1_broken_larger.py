"""P1 §4.4 in prose: "C is larger if A is positive definite" (THEORY (i))."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._result import Breakage
from verify._routes._broken_larger import larger_exact, larger_words


_VALUE = (
    r"E C - C^* = \frac{\sigma^2}{\zeta h}\big(\mathrm{Tr}[\Sigma A] + \mathrm{Tr}"
    r"[A\,\nabla^2L_1\,P]\big) + o(\sigma^2),\quad P = \lim E[\delta\delta^\top]/"
    r"\sigma^2"
)
_CUBIC = Breakage(
    r"$\nabla^3\ell_2(\theta^*) = 0$",
    r"$\ell_1 = z\theta_1\theta_2/\|\theta\|^2$, $z = \pm1$, $\ell_2 = \frac12("
    r"\delta_1 + \delta_2^2)^2 + \frac12\delta_2^2$, $A = I$, $\theta^* = (1, 0)$: "
    r"$E\delta_1 = -E\delta_2^2$ exactly, so $E\|\theta\|^2 - 1 \to -E\delta_2^2 < 0$.",
)
_SCALAR = Breakage(
    r"$A = I$ (for the sign)",
    r"$A = \mathrm{diag}(1, 20, 1)$, $\theta^* = (0, 0, 1)$, $L_1 = \frac12(f_1 + "
    r"f_2)^2$ with $f_1 = \theta_1/\theta_3$, $f_2 = \theta_2/\theta_3^{20}$, noise "
    r"along $f_1$, $\ell_2 = \frac12\|\delta\|^2$, $\zeta = 1$: $E C - C^* \to "
    r"-\frac14\sigma^2$.",
)
_CURVED = Breakage(
    r"$\nabla^2\ell_2(\theta^*) = hI$",
    r"Other Hessians mix directions; the value is then that of p1.eq22.corrected.",
)

CLAIMS = (
    Claim(
        id="p1.broken-larger",
        title="C is larger if A is positive definite (as printed)",
        statement=r"For $\ell_1 + \zeta\ell_2$ about a minimum $\theta^*$ of $\ell_2$ "
        r"with noise, $C = \theta^\top A\theta$ is larger than $C^*$ on average if $A "
        r"\succ 0$.",
        formula=r"A \succ 0 \;\Rightarrow\; E C > C^*",
        source=f"{P1}, Section 4.4, after Eq. (23)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="the sign",
        subject="definite",
        twin_statement=rf"For $\nabla^2\ell_2 = hI$, $\nabla^3\ell_2 = 0$: ${_VALUE}$.",
        twin_subject="isotropic",
        routes=(larger_words, larger_exact),
        assumptions=(PER_SAMPLE, _CUBIC, _SCALAR),
        note=r"By hand: $\ell_2 = \frac12(\delta_1 + \delta_2^2)^2 + \frac12"
        r"\delta_2^2$ about $(1, 0)$ and noise $z\theta_1\theta_2/\|\theta\|^2$, $A = "
        r"I$: the mean of $\partial_1\ell_2$ is 0, so $E\delta_1 = -E\delta_2^2$, and "
        r"$E\|\theta\|^2 - 1 = 2E\delta_1 + E\|\delta\|^2 \to -E\delta_2^2$.",
    ),
    Claim(
        id="p1.broken-larger.corrected",
        title="the charge about a round minimum",
        statement=r"For $\nabla^2\ell_2(\theta^*) = hI$ and $\nabla^3\ell_2(\theta^*) "
        r"= 0$, $C = \theta^\top A\theta$ and any symmetric $A$ the formula holds. "
        r"For $A = I$ it is positive and between one half of (22)–(23) and all of it; "
        r"where $\nabla^2L_1 = 0$ it is exactly one half, for every $A$.",
        formula=_VALUE,
        source=f"{P1}, Section 4.4, corrected (D11, (i))",
        form="corrected",
        amends="p1.broken-larger",
        expected=Verdict.PROVED,
        discrepancy="the sign",
        subject="isotropic",
        twin_statement=r"$E C > C^*$ for every $A \succ 0$ and every $\ell_2$.",
        twin_subject="definite",
        routes=(larger_words, larger_exact),
        assumptions=(PER_SAMPLE, _CUBIC, _SCALAR, _CURVED),
    ),
)
