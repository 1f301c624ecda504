"""P1, after Theorem 1: restored balance, decay against noise, uniqueness."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_assumptions import AVERAGE, NOISE
from verify._claims._shared import DECAY_SIGN, P1
from verify._result import Breakage
from verify._routes._general_balance import (
    decay_exact,
    decay_words,
    restores_exact,
    restores_words,
    unique_exact,
    unique_symbolic,
)


_ONE_ORBIT = Breakage(
    r"$\theta^*$ lies on the orbit of $\theta$",
    r"$\ell = (w/u - y)^2$, $y = \pm1$, $\eta/4S\gamma = 1$: $\|\theta^*\|^2 = 2$ on "
    r"the orbit of $(1, 0)$ and 4 on that of $(1, 1)$. Between them on the latter, "
    r"$\|\theta\|^2 = 3$, $\dot C > 0$: away from the former's.",
)
_STRICT = Breakage(
    r"$\gamma > 0$, for $|C(\theta^*)|$ to change at all",
    r"For $\gamma = 0$ the equation is $\mathrm{Tr}[\Sigma(\theta_\lambda)A] = 0$, "
    r"free of $\eta$ and $S$.",
)
_BOTH = Breakage(
    "something pushes C up and something pushes it down",
    r"$\ell = (w/u - y)^2$ at $(1, 1)$ with $y = 2, 0$, $\gamma = 0$: $A = I$ and "
    r"$G = 8\sigma^2e^{-2\lambda} > 0$ for every $\lambda$.",
)
_UNIQUE = (unique_exact, unique_symbolic)

CLAIMS = (
    Claim(
        id="p1.restores",
        title="Ċ has the sign that restores balance",
        statement=r"On one orbit $\dot C$ is positive where $C$ is below its value at "
        r"the fixed point $\theta^*$, and negative where it is above.",
        formula=r"\mathrm{sgn}\,G(\theta) = \mathrm{sgn}(C(\theta^*) - C(\theta)),"
        r"\quad \frac{d}{d\lambda}C(\theta_\lambda) = \|A\theta_\lambda\|^2",
        source=f"{P1}, after Theorem 1",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="one point with the other sign",
        subject="charge",
        twin_statement=r"The same with $\|\theta\|$ for $C$.",
        twin_subject="norm",
        routes=(restores_words, restores_exact),
        assumptions=(AVERAGE, DECAY_SIGN, NOISE, _ONE_ORBIT),
    ),
    Claim(
        id="p1.large-decay",
        title="large decay, small |C|; large noise, large |C|",
        statement=r"On one orbit $|C(\theta^*)|$ falls as $\gamma/\sigma^2$ grows; for "
        r"$\gamma = 0$ the fixed point depends on neither $\eta$ nor $S$.",
        formula=r"\frac{d\,|C(\theta^*)|}{d(\gamma/\sigma^2)} \le 0",
        source=f"{P1}, after Eq. (9)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="one orbit on which |C(θ*)| grows with the decay",
        subject="monotone",
        twin_statement=r"$|C(\theta^*)|$ is proportional to $\sigma^2/\gamma$, as (9) "
        r"seems to say: its right side depends on $\theta^*$ too.",
        twin_subject="proportional",
        routes=(decay_words, decay_exact),
        assumptions=(AVERAGE, DECAY_SIGN, _STRICT),
        note=r"For $A = I$, $\|\theta^*\|^4 = \eta\,\mathrm{Tr}\,\Sigma(\hat\theta)/"
        r"4S\gamma$: the square root of the proportion that (9) suggests.",
    ),
    Claim(
        id="p1.every-unique",
        title="every exponential symmetry has a fixed point (as printed)",
        statement=r"For every exponential symmetry there is exactly one finite "
        r"$\lambda^*$ with $G(\theta_{\lambda^*}) = 0$.",
        formula=r"\forall A\;\exists!\,\lambda^*\in\mathbb{R}:\; "
        r"G(\theta_{\lambda^*}) = 0",
        source=f"{P1}, in words",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="one orbit without a finite fixed point",
        subject="every",
        twin_statement=r"The same where something pushes $C$ up and something pushes "
        r"it down.",
        twin_subject="balanced",
        routes=_UNIQUE,
        assumptions=(AVERAGE, DECAY_SIGN),
        note=r"By hand: $\ell = (w/u - y)^2$ at $(1, 1)$ with $y = 2, 0$ has the "
        r"gradients $\pm(2, -2)$, $\mathrm{Tr}\,\Sigma = 8$; with $A = I$ and "
        r"$\gamma = 0$, $G(\theta_\lambda) = 8\sigma^2e^{-2\lambda}$ has no zero.",
    ),
    Claim(
        id="p1.every-unique.corrected",
        title="a unique fixed point iff C is pushed both ways",
        statement=r"For $\gamma \ge 0$ there is exactly one finite $\lambda^*$ iff "
        r"$I_1 > 0$ and $I_2 > 0$; then it attracts on the orbit (p1.restores).",
        formula=r"I_1 = \sum_{\mu_i>0}\sigma^2\mu_is_i + "
        r"2\gamma\sum_{\mu_i<0}|\mu_i|t_i,\quad I_2 = \sum_{\mu_i<0}\sigma^2|\mu_i|s_i "
        r"+ 2\gamma\sum_{\mu_i>0}\mu_it_i",
        source=f"{P1}, in words, corrected",
        form="corrected",
        amends="p1.every-unique",
        expected=Verdict.PROVED,
        discrepancy="one orbit on which the count differs",
        subject="balanced",
        twin_statement="The same for every orbit.",
        twin_subject="every",
        routes=_UNIQUE,
        assumptions=(AVERAGE, DECAY_SIGN, _BOTH),
    ),
)
