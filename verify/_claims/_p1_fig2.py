"""P1, Fig. 2: the norms of Net-A and of Net-B under SGD and under GD."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._fig_nets import Norms, norms_ensemble, norms_loop


_SMALL = Breakage(
    r"$\eta \to 0$ for GD to keep the norms",
    r"Each step of GD adds $\eta^2\|\nabla L\|^2$ (p1.gdnorm.corrected): $O(\eta)$ in "
    r"a fixed time.",
)
_ACTIVATION = Breakage(
    "an activation that is not homogeneous, for Net-A's layers to move",
    r"With $\varphi(cz) = c\varphi(z)$, such as ReLU for $c > 0$, Net-A has the "
    r"layerwise scalings as well, and GD keeps both its layers' norms.",
)
_NOISE = Breakage(
    r"$\Sigma \neq 0$",
    "One sample: SGD is GD, and keeps what GD keeps.",
)

CLAIMS = (
    Claim(
        id="p1.fig2",
        title="Fig. 2: the norms of Net-A and Net-B",
        statement=r"SGD makes the total norm of Net-A grow, and the norm of each layer "
        r"of Net-B. GD keeps those, to $O(\eta)$, but not the norms of Net-A's layers, "
        r"which move against each other. At medians over runs: growth of the squared "
        r"norms by a factor of 1.3 or more, against 1.05 at most.",
        formula=r"\frac{d}{dt}\|\theta\|^2 = \frac\eta S\mathrm{Tr}\,\Sigma,\quad "
        r"\text{Net-B: for } u \text{ and for } w",
        source=f"{P1}, Fig. 2",
        form="published",
        expected=Verdict.SUPPORTED,
        discrepancy="a norm that stays, or one that moves",
        subject=Norms(),
        twin_statement="GD keeps the norms of Net-A's layers as well.",
        twin_subject=Norms(layers_kept=True),
        routes=(norms_ensemble, norms_loop),
        assumptions=(_SMALL, _ACTIVATION, _NOISE),
        note="Nets 3–4–2 with 24 samples instead of the paper's size.",
    ),
)
