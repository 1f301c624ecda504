"""P1, §4.3: do Xavier's and Kaiming's initialisations sharpen or flatten? (D9)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._matrix_starts import Start, start_of_data, start_symbolic


_ROUTES = (start_of_data, start_symbolic)
_SETTING = r"Autoencoding $y = x + \varepsilon$ from"
_XAVIER = rf"{_SETTING} $\sigma_U^2 = \sigma_W^2 = 1/(d + d_x)$"
_KAIMING = rf"{_SETTING} $\sigma_W^2 = 1/d_x$, $\sigma_U^2 = 1/d$"
_PROPORTIONAL = Breakage(
    r"$\Sigma_\varepsilon \propto \Sigma_x$, for $d \ge d_x$",
    r"$d = d_x = 2$, $\Sigma_x = I$, $\Sigma_\varepsilon = \mathrm{diag}(1, 49)$: "
    r"$S_{end} = \frac{512}{35}$, and Kaiming's start, $S_{init} = 8$, sharpens.",
)
_GLOROT = Breakage(
    r"the variance $1/(d + d_x)$ as printed",
    r"Glorot and Bengio's is $2/(d + d_x)$: then $S_{end}/S_{init} = (d + d_x)/(2d) < "
    r"1$ for $d > d_x$, a flattening.",
)
_WIDE = Breakage(
    r"$d \ge d_x$",
    r"$d = 1$, $d_x = 2$, $s = \frac14$: $k = 9$, $S_{end} = \frac{20}3 > 6 = "
    r"S_{init}$ for Kaiming's start.",
)
_XAVIER_RIGHT = (
    rf"{_XAVIER}, $S_{{end}}/S_{{init}} = (d + d_x)/d \in (1, 2]$ for $d \ge d_x$ and "
    r"$\Sigma_\varepsilon \propto \Sigma_x$: a sharpening, slight only for $d \gg "
    r"d_x$; for $d < d_x$ and $\Sigma_x = I$, $\Sigma_\varepsilon = s^2I$ it is "
    r"$(\sqrt k + 1/\sqrt k)(d + d_x)/(2d_x) > 1$"
)
_KAIMING_RIGHT = (
    rf"{_KAIMING}, $S_{{end}}/S_{{init}} = 2d_x/(d + d_x) \le 1$ for $d \ge d_x$ and "
    r"$\Sigma_\varepsilon \propto \Sigma_x$, with equality iff $d = d_x$; for $d < "
    r"d_x$ and $\Sigma_x = I$, $\Sigma_\varepsilon = s^2I$ it is $d(\sqrt k + 1/\sqrt "
    r"k)/(d + d_x)$, which exceeds 1 where the noise is small"
)

CLAIMS = (
    Claim(
        id="p1.xavier",
        title="Xavier's start sharpens slightly (as printed)",
        statement=rf"{_XAVIER}, training sharpens slightly: by less than a half.",
        formula=r"1 < S_{end}/S_{init} < \tfrac32",
        source=f"{P1}, §4.3",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a flattening, or half as much again",
        subject=Start("xavier", printed=True),
        twin_statement=f"{_XAVIER_RIGHT}.",
        twin_subject=Start("xavier", printed=False),
        routes=_ROUTES,
        assumptions=(_GLOROT,),
        note=r"The paper gives no number; a half stands here for slight. By hand: "
        r"$d = d_x = 1$, $\sigma^2 = \frac12$, $\Sigma_x = \Sigma_\varepsilon = 1$: "
        r"$S_{init} = \frac12 + \frac12 = 1$, and the balance $u = w = 1$ has $S = 2$, "
        r"twice as much.",
    ),
    Claim(
        id="p1.xavier.corrected",
        title="Xavier's start sharpens by (d + dₓ)/d",
        statement=f"{_XAVIER_RIGHT}.",
        formula=r"\frac{S_{end}}{S_{init}} = \frac{d + d_x}d",
        source=f"{P1}, §4.3, corrected (D9)",
        form="corrected",
        amends="p1.xavier",
        expected=Verdict.PROVED,
        discrepancy="another ratio",
        subject=Start("xavier", printed=False),
        twin_statement="The ratio is between 1 and 3/2.",
        twin_subject=Start("xavier", printed=True),
        routes=_ROUTES,
        assumptions=(_PROPORTIONAL, _GLOROT),
    ),
    Claim(
        id="p1.kaiming",
        title="Kaiming's start flattens unless d = dₓ (as printed)",
        statement=rf"{_KAIMING}, training flattens, for every $d \neq d_x$.",
        formula=r"S_{end} < S_{init}\text{ unless } d = d_x",
        source=f"{P1}, §4.3",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a sharpening",
        subject=Start("kaiming", printed=True),
        twin_statement=f"{_KAIMING_RIGHT}.",
        twin_subject=Start("kaiming", printed=False),
        routes=_ROUTES,
        assumptions=(_WIDE,),
        note=r"By hand: $d = 1$, $d_x = 2$, $x$ of coordinates $\pm1$, $\varepsilon$ "
        r"of $\pm\frac14$: $E[\|r\|^2x_1^2] = 1 + \frac18$ for $W$, $E[\|x\|^2r_1^2] = "
        r"\frac18$ for $U$, so $u^4 = 9$ and $S_{end} = 2(3 + \frac13) = \frac{20}3$, "
        r"while $S_{init} = 2\cdot(\frac12 + 1)\cdot2 = 6$.",
    ),
    Claim(
        id="p1.kaiming.corrected",
        title="Kaiming's start flattens for d > dₓ",
        statement=f"{_KAIMING_RIGHT}.",
        formula=r"\frac{S_{end}}{S_{init}} = \frac{2d_x}{d + d_x}",
        source=f"{P1}, §4.3, corrected (D9)",
        form="corrected",
        amends="p1.kaiming",
        expected=Verdict.PROVED,
        discrepancy="another ratio",
        subject=Start("kaiming", printed=False),
        twin_statement=r"The ratio is below 1 for every $d \neq d_x$.",
        twin_subject=Start("kaiming", printed=True),
        routes=_ROUTES,
        assumptions=(_PROPORTIONAL, _WIDE),
    ),
)
