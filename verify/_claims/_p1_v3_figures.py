"""P1 v3, Figs 3, 5 and 8: two input scales, and a deep linear net."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._fig_layers import (
    Deep,
    TwoScales,
    deep_ensemble,
    deep_loop,
    scales_ensemble,
    scales_loop,
)


_V3 = f"{P1}, v3"
_SCALES = "two input scales"
_SETTING = (
    r"$y = x + \varepsilon$, half of $x$ with variance $\phi$, half with $2 - \phi$, "
    r"$\Sigma_\varepsilon = I$, $d \ge d_x$, SGD from Xavier's start"
)
_ISOTROPIC = Breakage(
    r"$\Sigma_\varepsilon \propto I$",
    r"$\Sigma_\varepsilon \propto \Sigma_x$: $U = W = I$ balances, at every $\phi$ "
    r"with ratio 1.",
)
_TIME = Breakage(
    r"a time long compared with $S/\eta\phi$",
    r"6–12–6, $\phi = .1$, $\eta = .04$, $S = 16$: after 2000 steps the ratio is "
    r"still .56, after 8000 it is .42.",
)
_DERIVED = (
    r"(16) with $\mathrm{Tr}\,\Sigma_x = d_x = d_y$ and $\Sigma_\varepsilon = I$ "
    r"reads $W\Sigma_xW^\top = U^\top U$.",
    r"With $W' = W\sqrt{\Sigma_x}$: $UW' = \sqrt{\Sigma_x}$ and $W'W'^\top = U^\top "
    r"U$, so both have the singular values of $\Sigma_x^{1/4}$.",
    r"$\|U\|^2 = \mathrm{Tr}\,\Sigma_x^{1/2}$, $\|W\|^2 = \mathrm{Tr}\,"
    r"\Sigma_x^{-1/2}$, $\mathrm{Tr}\,\nabla^2L = 4d_y\mathrm{Tr}\,\Sigma_x^{1/2}$.",
)
_NOISE = Breakage(
    r"label noise of full rank",
    r"$y = Vx$: SGD stops where it meets the minima, at any norms.",
)

CLAIMS = (
    Claim(
        id="p1.v3.fig3",
        title="v3, Fig. 3: the ratio of the norms over φ",
        statement=rf"{_SETTING}: $\|U\|^2/\|W\|^2$ ends near "
        r"$\sqrt{\phi(2 - \phi)}$, .436, .661, .866, .968, 1 at "
        r"$\phi = .1, .25, .5, .75, 1$; medians over runs to .06.",
        formula=r"\|U\|^2/\|W\|^2 = \sqrt{\phi(2 - \phi)}",
        source=f"{_V3}, Fig. 3",
        form="published",
        expected=Verdict.SUPPORTED,
        discrepancy="another power of φ(2 − φ)",
        subject=TwoScales(),
        twin_statement=r"The ratio is $\phi(2 - \phi)$.",
        twin_subject=TwoScales(power=1.0),
        routes=(scales_ensemble, scales_loop),
        assumptions=(_ISOTROPIC, _TIME),
        derivation=_DERIVED,
        shares=_SCALES,
        note="Networks 4–8–4 instead of width 200. The plain loop takes φ ≥ ½ only.",
    ),
    Claim(
        id="p1.v3.fig8",
        title="v3, Fig. 8: the sharpness over φ",
        statement=rf"{_SETTING}: $\mathrm{{Tr}}\,\nabla^2L/4d_y^2$ ends near "
        r"$\frac12(\sqrt\phi + \sqrt{2 - \phi})$; medians over runs to .1.",
        formula=r"\mathrm{Tr}\,\nabla^2L = 2d_y^2(\sqrt\phi + \sqrt{2 - \phi})",
        source=f"{_V3}, Fig. 8",
        form="published",
        expected=Verdict.SUPPORTED,
        discrepancy="a tenth of it",
        subject=TwoScales("sharpness"),
        twin_statement="GD ends there as well.",
        twin_subject=TwoScales("sharpness", method="gd"),
        routes=(scales_ensemble, scales_loop),
        assumptions=(_ISOTROPIC, _TIME),
        derivation=_DERIVED,
        shares=_SCALES,
    ),
    Claim(
        id="p1.v3.fig5",
        title="v3, Fig. 5: the middle layers' norms merge",
        statement=r"SGD on a linear net of four layers makes the norms of the middle "
        r"layers equal, GD does not; the outer layers differ where "
        r"$\Sigma_\varepsilon \not\propto \Sigma_x$, by the corrected form of Theorem "
        r"5.4 (D13). Medians over runs: $\|W_2\|^2/\|W_3\|^2$ between .85 and 1.2, "
        r"under GD above 2.",
        formula=r"\|W_2\| = \|W_3\|",
        source=f"{_V3}, Fig. 5",
        form="published",
        expected=Verdict.SUPPORTED,
        discrepancy="a ratio as far from 1 as GD's",
        subject=Deep(),
        twin_statement="The same, and the outer layers' norms are equal as printed.",
        twin_subject=Deep(printed=True),
        routes=(deep_ensemble, deep_loop),
        assumptions=(_NOISE,),
        note="Synthetic data of three dimensions instead of images.",
    ),
)
