"""Assumptions of the claims on general symmetries, each with what breaks without it."""

from verify._result import Breakage


AVERAGE = Breakage(
    "every sample has the symmetry, not only their average",
    r"$\ell = (uw - 1)^2 + zu$ with $z = \pm1$ has $L = (uw - 1)^2$, which rescaling "
    r"keeps, but $\nabla\ell\cdot J = zu$: "
    r"$\Sigma = \mathrm{diag}(1, 0)$ everywhere, $\Sigma J = (u, 0) \neq 0$ and $C$ "
    r"gets a $dW$ term.",
)
SYMMETRIC_ORBIT = Breakage(
    "A is symmetric",
    r"$A = \begin{pmatrix}0&-1\\1&0\end{pmatrix}$: the orbit is a circle, bounded "
    r"although $A\theta \neq 0$.",
)
SYMMETRIC_TRANSPORT = Breakage(
    "A is symmetric",
    r"$A = \begin{pmatrix}0&1\\0&0\end{pmatrix}$, the shear $(u + \lambda w, w)$, "
    r"keeps $\ell = (w - y)^2$, whose gradient $(0, 2(w-y))$ is the same on the orbit, "
    r"not $e^{-\lambda A}(0, g) = (-\lambda g, g)$. Without symmetry it is "
    r"$e^{-\lambda A^\top}$.",
)
MEAN_ZERO = Breakage(
    r"$E\xi = 0$",
    r"$f = X^2$, $X = 1$, $\mu = 0$, $G = 1$ and $E\xi = \frac12$: the mean change is "
    r"$2\cdot\frac12\sqrt h + O(h)$, not $O(h)$.",
)
ONE_STEP = Breakage(
    r"the time step is small, or $\nabla L = 0$",
    r"In a step of SGD $C$ moves by $\frac12\eta\,\bar g^\top A\bar g$ more, per unit "
    r"of time. $\ell = (uw - y)^2$ at $(1, 2)$ with $y = 0, 2$ and $\eta = \frac12$, "
    r"$S = 1$: $\sigma^2\mathrm{Tr}[\Sigma A] = 3$, and $\bar g = (4, 2)$ adds 3.",
)
NO_DECAY = Breakage(
    r"$\gamma = 0$",
    r"With decay $\dot C = -4\gamma C + \sigma^2\mathrm{Tr}[\Sigma A]$, and the first "
    r"term does not grow with $\sigma^2$: for $\Sigma = 0$ the time is $1/4\gamma$ at "
    r"every $\sigma^2$.",
)
NOISE = Breakage(
    r"$\mathrm{Tr}[\Sigma A^2] > 0$, or $\gamma > 0$ and $A\theta \neq 0$",
    r"$\ell = (uw - 1)^2$ at $(2, \frac12)$ with $\gamma = 0$: $G \equiv 0$ on the "
    r"orbit.",
)
