"""P1, Fig. 5: representations of nonlinear nets."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._fig_nets import (
    Representation,
    representation_ensemble,
    representation_loop,
)


_FRESH = Breakage(
    "fresh samples, or many",
    r"tanh, 8–8–8, on 128 samples seen again and again: the residuals are fitted to "
    r"the noise, and the median cosine is below .3, as small as GD's.",
)

CLAIMS = (
    Claim(
        id="p1.fig5",
        title="Fig. 5: representations align in nonlinear nets",
        statement=r"Trained by SGD on $y = x + \varepsilon$ with $\mathrm{Var}\,"
        r"\varepsilon_1 = 5$ and the others 1, nets $U\varphi(Wx)$ with tanh, ReLU and "
        r"swish align $W\bar\Sigma_xW^\top$ with $U^\top\bar\Sigma_\varepsilon U$, and "
        r"by GD they do not: median cosines over runs above .6 and below it.",
        formula=r"W\bar\Sigma_xW^\top \approx U^\top\bar\Sigma_\varepsilon U",
        source=f"{P1}, Fig. 5",
        form="published",
        expected=Verdict.SUPPORTED,
        discrepancy="a cosine as small as GD's",
        subject=Representation(),
        twin_statement="GD aligns them as well.",
        twin_subject=Representation(method="gd"),
        routes=(representation_ensemble, representation_loop),
        assumptions=(_FRESH,),
        note="No theorem: φ breaks the symmetry, and the cosines stay below 1. Width "
        "8 instead of 40; the engine runs tanh (and, but at quick, ReLU) on 8192 "
        "samples, the loop all three on fresh ones.",
    ),
)
