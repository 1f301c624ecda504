"""P1, Eq. (3): the gradient of every sample is orthogonal to the generator."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_assumptions import AVERAGE
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._general_groups import generator_jets, generator_symbolic


_IDENTITY = Breakage(
    r"$Q_0 = \mathrm{id}$",
    r"$Q_\rho(u, w) = (2(1+\rho)u, w/(2(1+\rho)))$ keeps $uw$, but at $\rho = 0$ the "
    r"derivative is $(2u, -w/2)$, along which $uw$ has the slope $\frac32uw$.",
)

CLAIMS = (
    Claim(
        id="p1.eq3",
        title="∇ℓ·J = 0",
        statement=r"Where $\ell(Q_\rho\theta, z) = \ell(\theta, z)$ for $\rho$ near 0 "
        r"and $Q_0 = \mathrm{id}$, the generator $J = \frac{d}{d\rho}Q_\rho\theta$ at "
        r"$\rho = 0$ is orthogonal to the gradient of every sample.",
        formula=r"\nabla\ell(\theta, z)\cdot J(\theta) = 0,\quad "
        r"J(\theta) = \tfrac{d}{d\rho}Q_\rho\theta\big|_{\rho=0}",
        source=f"{P1}, Eq. (3)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="any slope along J",
        subject=0,
        twin_statement=r"The same with the derivative at $\rho = 1$.",
        twin_subject=1,
        routes=(generator_symbolic, generator_jets),
        assumptions=(_IDENTITY, AVERAGE),
        note="The transformations are affine and nonlinear ones, with and without a "
        "charge. For the J of a declaration the same is own.orthogonal.",
    ),
)
