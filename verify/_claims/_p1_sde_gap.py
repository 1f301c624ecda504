"""SGD against the SDE it is modelled by, at a fixed point of parameter space (D19)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._result import Breakage
from verify._routes._v3_discrete import Gap, gap_exact, gap_words


_GAP = (
    r"\frac{E[C'] - C}{\eta} - \dot C = \tfrac12\eta\,\bar g^\top A\bar g + "
    r"4\eta\gamma^2C"
)
_REPLACEMENT = Breakage(
    "minibatches drawn with replacement",
    r"Without, $\mathrm{Tr}[\Sigma A]$ gets the factor $(N - S)/(N - 1)$: with $S = N$ "
    r"there is no noise, and the gap has $-\sigma^2\mathrm{Tr}[\Sigma A]$ in it.",
)
_WHERE = (
    r"With $C = \frac12\theta^\top A\theta$, one step of SGD from $\theta$ and the "
    r"SDE's $\dot C = -4\gamma C + \sigma^2\mathrm{Tr}[\Sigma A]$"
)

CLAIMS = (
    Claim(
        id="p1.sde-gap",
        title="SGD moves C as its SDE does (as printed)",
        statement=rf"{_WHERE} there is no difference of the order $\eta$ of the term "
        r"$\sigma^2\mathrm{Tr}[\Sigma A]$ that is kept.",
        formula=r"\frac{E[C'] - C}{\eta} = -4\gamma C + \sigma^2\mathrm{Tr}[\Sigma A]",
        source=f"{P1}, Eqs. (1) and (7), read as laws of SGD",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a gap of order η",
        subject=Gap(),
        twin_statement=rf"${_GAP}$.",
        twin_subject=Gap(Fraction(1, 2), Fraction(4)),
        routes=(gap_words, gap_exact),
        assumptions=(PER_SAMPLE, _REPLACEMENT),
        note=r"By hand: $\ell = (uw)^2$ at $(1, 2)$, one sample: $\Sigma = 0$, so the "
        r"SDE leaves $C$ where it is; $g = (8, 4)$ and $g^\top Ag = 48$, so a step "
        r"moves $C$ by $24\eta^2$.",
    ),
    Claim(
        id="p1.sde-gap.corrected",
        title="the gap between SGD and its SDE",
        statement=rf"{_WHERE} differ by the formula exactly, $\bar g = \nabla L$ "
        r"without the decay: as much as the noise term wherever $\|\bar g\|^2 \gtrsim "
        r"\mathrm{Tr}\,\Sigma/S$.",
        formula=_GAP,
        source=f"{P1}, Eqs. (1) and (7), corrected (D19)",
        form="corrected",
        amends="p1.sde-gap",
        expected=Verdict.PROVED,
        discrepancy="a gap of order η",
        subject=Gap(Fraction(1, 2), Fraction(4)),
        twin_statement="There is no gap of this order.",
        twin_subject=Gap(),
        routes=(gap_words, gap_exact),
        assumptions=(PER_SAMPLE, _REPLACEMENT),
    ),
)
