"""P1, Eq. (17): the sharpness at the end of training an autoencoder (D9)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._matrix_autoencoder import end_exact, end_words


_ROUTES = (end_exact, end_words)
_RIGHT = (
    r"Autoencoding $y = x + \varepsilon$ at the balance on the best $UW$, $\gamma = "
    r"0$, $S = \frac12\mathrm{Tr}\nabla^2L$: for $d \ge d_x$ and $\Sigma_\varepsilon "
    r"\propto \Sigma_x$, $S = 2d_x\mathrm{Tr}\,\Sigma_x$; for $d \ge d_x$ and "
    r"isotropic $\varepsilon$, $S = 2\sqrt{d_x\mathrm{Tr}\,\Sigma_x}\,\mathrm{Tr}"
    r"\sqrt{\Sigma_x}$; for $d < d_x$, $x$ of unit covariance (Gaussian, or "
    r"independent coordinates among which $UW$ selects) and $\Sigma_\varepsilon = "
    r"s^2I$ the formula"
)
_PROPORTIONAL = Breakage(
    r"$\Sigma_\varepsilon \propto \Sigma_x$, for $d \ge d_x$",
    r"$d = d_x = 2$, $\Sigma_x = I$, $\Sigma_\varepsilon = \mathrm{diag}(1, 49)$: "
    r"$u_i^4 = 50/(2\sigma_i^2)$, $S = 2(5 + \frac15 + \frac57 + \frac75) = "
    r"\frac{512}{35}$, not 8.",
)
_ENOUGH = Breakage(
    r"$d \ge d_x$, for $S = 2d_x\mathrm{Tr}\,\Sigma_x$",
    r"The coordinates left out are noise for $W$, not for $U$: $k > 1$.",
)
_DECAY = Breakage(
    r"$\gamma = 0$",
    r"Decay adds $\frac{\gamma S}\eta I$ to both $\Gamma$ and pulls $\|U\|^2$ and "
    r"$\|W\|^2$ together: for the same $UW$, $k \to 1$ as $\gamma/\eta \to \infty$.",
)
_SMALL = Breakage(
    "small steps",
    r"At finite $\eta$ the ratio is lower: for $d = 1$, $d_x = 30$, $s = 1$, $S = 1$, "
    r"$k = 59/30$, runs give $\|U\|^2/\|W\|^2$ of 1.88 at $\eta = .001$ and 1.2 at "
    r".008.",
)

CLAIMS = (
    Claim(
        id="p1.eq17",
        title="the sharpness at the end (as printed)",
        statement=r"Autoencoding $y = x + \varepsilon$ with isotropic $x$ and "
        r"$\varepsilon$ ends at the formula, for every $d$ and $d_x$.",
        formula=r"S_{end} = 2\min(d, d_x)\,\mathrm{Tr}\,\Sigma_x",
        source=f"{P1}, Eq. (17)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="another sharpness",
        subject="published",
        twin_statement=rf"{_RIGHT} $S = dd_x(\sqrt k + 1/\sqrt k)$.",
        twin_subject="corrected",
        routes=_ROUTES,
        assumptions=(_SMALL,),
        note=r"By hand: $d = 1$, $d_x = 2$, all coordinates of $x$ and $\varepsilon$ "
        r"$\pm1$, $U = (u, 0)^\top$, $W = (1/u, 0)$: $r = -(\varepsilon_1, x_2 + "
        r"\varepsilon_2)$, so $E[r^2x_1^2] = 3$ for $W$ and $E[\|x\|^2r_1^2] = 2$ for "
        r"$U$. The balance $3/u^2 = 2u^2$ gives $u^4 = \frac32$, $S = 2(u^2 + "
        r"u^{-2})$, $S^2 = \frac{50}3$, not $4^2$.",
    ),
    Claim(
        id="p1.eq17.corrected",
        title="the sharpness at the end",
        statement=f"{_RIGHT}.",
        formula=r"S_{end} = dd_x\Big(\sqrt k + \frac1{\sqrt k}\Big),\quad "
        r"k = \frac{d_x - d + s^2d_x}{s^2d_x}",
        source=f"{P1}, Eq. (17), corrected (D9)",
        form="corrected",
        amends="p1.eq17",
        expected=Verdict.PROVED,
        discrepancy="another sharpness",
        subject="corrected",
        twin_statement=r"$S_{end} = 2\min(d, d_x)\mathrm{Tr}\,\Sigma_x$ for all $d$ "
        r"and $d_x$.",
        twin_subject="published",
        routes=_ROUTES,
        assumptions=(_PROPORTIONAL, _ENOUGH, _DECAY, _SMALL),
    ),
)
