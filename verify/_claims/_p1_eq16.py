"""P1, Eq. (16): the balance at a global minimum, and what its sides are."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._matrix_noise import (
    minimum_exact,
    minimum_words,
    preactivations_exact,
    preactivations_words,
)


_INDEPENDENT = Breakage(
    r"$\varepsilon$ is independent of $x$",
    r"$x = (1, 0)$ with $\varepsilon = 0$, $x = (0, 1)$ with $\varepsilon = \pm1$, "
    r"$U = 1$, $W = (1, 0)$: $W\Gamma_WW^\top = 0$, not "
    r"$\mathrm{Tr}\,\Sigma_\varepsilon\,W\Sigma_xW^\top = \frac14$.",
)
_CENTRED = Breakage(
    r"$E\varepsilon = 0$",
    r"$x = 1$, $\varepsilon = 1$ always, $u = 2$, $w = 1$: no noise, nothing moves, "
    r"although $w^2 \neq u^2$.",
)
_NO_DECAY = Breakage(
    r"$\gamma = 0$",
    r"$u, w$ with $\|W\|^2 \neq \|U\|^2$ at (16), as $d_x \neq d_y$: decay moves "
    r"$U^\top U - WW^\top$ at $-4\gamma$ times itself.",
)
_MINIMUM = Breakage(
    "a global minimum, UW = V",
    r"Elsewhere $r$ depends on $x$: $u = 2$, $w = 1$, $y = 0$, $x = 1, 2$ has "
    r"$\Gamma_W = \Gamma_U = \mathrm{Var}(2x^2) = 9$ without any $\varepsilon$.",
)
_SIGNAL = Breakage(
    r"division by $\mathrm{Tr}\,\Sigma_x$, not by the pre-activations' own trace",
    r"$W = 2$, $x = 1$: $W\bar\Sigma_xW^\top = 4$; over its own trace the second "
    r"moment of $Wx$ is 1.",
)

CLAIMS = (
    Claim(
        id="p1.eq16",
        title="the balance at a global minimum",
        statement=r"Where $UW = V$, $\varepsilon$ is independent of $x$, "
        r"$E\varepsilon = 0$ and $\gamma = 0$, the balance reads as the formula says, "
        r"with the second moments of $x$ and $\varepsilon$ over their traces: "
        r"$\frac{d}{dt}(U^\top U - WW^\top) = \frac{4\eta}S\mathrm{Tr}\,\Sigma_x"
        r"\mathrm{Tr}\,\Sigma_\varepsilon(W\bar\Sigma_xW^\top - "
        r"U^\top\bar\Sigma_\varepsilon U)$. For isotropic $x$ and $\varepsilon$, "
        r"$WW^\top/d_x = U^\top U/d_y$. At every size.",
        formula=r"W\bar\Sigma_xW^\top = U^\top\bar\Sigma_\varepsilon U",
        source=f"{P1}, Eq. (16)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a trace left out",
        subject="normalised",
        twin_statement=r"The same without the bars, $W\Sigma_xW^\top = "
        r"U^\top\Sigma_\varepsilon U$.",
        twin_subject="plain",
        routes=(minimum_words, minimum_exact),
        assumptions=(_INDEPENDENT, _CENTRED, _NO_DECAY, _MINIMUM),
    ),
    Claim(
        id="p1.preactivations",
        title="both sides of (16) are second moments of signals",
        statement=r"$W\bar\Sigma_xW^\top$ is the second moment of the pre-activations "
        r"$Wx$ over $\mathrm{Tr}\,\Sigma_x$, and $U^\top\bar\Sigma_\varepsilon U$ that "
        r"of the back-propagated noise $U^\top\varepsilon$ over "
        r"$\mathrm{Tr}\,\Sigma_\varepsilon$.",
        formula=r"W\bar\Sigma_xW^\top = \frac{E[(Wx)(Wx)^\top]}{\mathrm{Tr}\,\Sigma_x}",
        source=f"{P1}, §4.2, on Eq. (16)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="another divisor",
        subject="trace of Sigma_x",
        twin_statement=r"The same over its own trace, $E\|Wx\|^2$.",
        twin_subject="own trace",
        routes=(preactivations_words, preactivations_exact),
        assumptions=(_SIGNAL,),
    ),
)
