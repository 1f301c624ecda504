"""P2: the stationary law is infinitely far from every posterior with a density."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p2_shared import CENTRED, P2, PRODUCT
from verify._result import Breakage
from verify._routes._diagonal_posterior import posterior_simulated, posterior_symbolic


_NOISE = Breakage(
    r"$\Delta > 0$ or $\gamma > 0$",
    r"$y = x$, $\gamma = 0$: every law on $uw = 1$ is stationary, as nothing moves "
    r"there. (It has no area either.) $x = y = 0$: every law at all is, and KL is 0 "
    r"for $\pi = q$.",
)

CLAIMS = (
    Claim(
        id="p2.posterior",
        title="no Bayesian posterior",
        statement=r"The stationary law $\pi$ of $(u, w)$ of two factors lives on $u^2 "
        r"= w^2$: $\mathrm{KL}(\pi\|q) = \infty$ for every $q$ with a density, Gibbs's "
        r"$e^{-L/T}$ and Gaussian approximations of SGD among them.",
        formula=r"\mathrm{KL}(\pi_t\|q) \ge \ln\frac1{q(|u^2 - w^2| \le |u_0^2 - "
        r"w_0^2|e^{-(4T\Delta/\alpha_1 + 4\gamma)t})} \to \infty",
        source=f"{P2}, after Eq. (3.1)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="any bound on KL",
        subject=None,
        twin_statement=r"$\mathrm{KL}(\pi\|q) \le 5$ nats for such $q$.",
        twin_subject=Fraction(5),
        routes=(posterior_symbolic, posterior_simulated),
        assumptions=(PRODUCT, CENTRED, _NOISE),
        derivation=(
            r"$p = u^2 - w^2$ has $\dot p = -4(TQ(v) + \gamma)p$ without noise, and "
            r"$Q \ge \Delta/\alpha_1$.",
            r"So $\pi(|p| \le \varepsilon) = 1$ for every $\varepsilon$, while $q(|p| "
            r"\le \varepsilon) \to 0$, as $p = 0$ has no area.",
            r"Data processing: $\mathrm{KL}(\pi\|q) \ge \ln(1/q(|p| \le "
            r"\varepsilon))$.",
        ),
        note="The bound at a finite time is ours. More factors: u_k² − u_l² moves at "
        "−(4TQh² + 4γ)(u_k² − u_l²), h the product of the others, and rests only where "
        "it or h is 0: again a set without volume.",
    ),
)
