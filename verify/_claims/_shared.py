"""Assumptions that several claims share, each with what breaks without it."""

from verify._result import Breakage


P1 = "P1 (arXiv 2402.07193 v1)"
TRAINING = "nets trained on the digits"  # the experiment that claims share

PER_SAMPLE = Breakage(
    "the symmetry holds sample by sample",
    r"$\ell = (u - xw)^2$ is not preserved by rescaling: "
    r"$\nabla\ell\cdot J = 2(u - xw)(u + xw) \neq 0$, so $C$ moves under gradient "
    r"flow.",
)
GRADIENT_FIELD = Breakage(
    "J is a gradient field",
    r"$J = (-w, u)$, a rotation, has $\partial_wJ_u = -1 \neq 1 = \partial_uJ_w$: "
    r"no $C$ with $\nabla C = J$.",
)
DECAY_SIGN = Breakage(
    r"$\gamma \ge 0$",
    r"$A = 1$, $\gamma = -1$: $G = 2te^{2\lambda} + \sigma^2se^{-2\lambda}$ increases "
    r"where $s = 0$, and has no zero at all where $s > 0$.",
)
