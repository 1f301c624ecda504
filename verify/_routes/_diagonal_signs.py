"""Routes for the sign that SGD on a diagonal network learns (P2-10)."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import sympy as sp

from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence
from verify._radii import binomial_upper
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._diagonal_cases import Net, any_nets, balanced_nets, net
from verify._scope import NETWORKS, only_about


# The subject is "never" (the wrong sign is never learned) or "exception".
# β₂ = ½ > 0. On u = -w a step gives u' = u(1 - ⅘(2 + u²/100)) or u(1 - ⅘(u² - 1)):
# near 0 it multiplies by -.6 or 1.8, together by more than 1, and keeps u² ≤ 1.08.
BY_HAND = net(((Fraction(1, 10), 20), (1, -1)), ((1, -1),), Fraction(2, 5))
_STEPS, _FAR = 2, 1e-3


@only_about(NETWORKS)
def sign_algebra(subject: str, context: Context) -> Evidence:
    """Take one step, and Itô's rule for ln|N/P|, with q = ∂ℓ/∂v any number."""
    del context
    if subject != "exception":
        return _kept_by_hand()
    return symbolic_evidence(
        "algebra",
        (*_step_rows(), *_ito_rows()),
        "The sums P and differences N of the two factors",
        (
            r"$q = \partial\ell/\partial v$ of the minibatch is one number for all "
            r"products: $u_i' = u_i - \eta qw_i$, $w_i' = w_i - \eta qu_i$.",
            r"So all $u_i + w_i$ are multiplied by one number, $P$, and all $u_i - "
            r"w_i$ by another, $N$; $4v = P^2\sum(u_i + w_i)_0^2 - N^2\sum(u_i - "
            r"w_i)_0^2$. Where all $u_i + w_i = 0$ at first, they stay so.",
            r"Under the SDE $\ln|N/P|$ has the drift $2\bar q = 4(\beta_1v - \beta_2) "
            r"\le -4\beta_2 < 0$ while $v \le 0$. If $v < 0$ for ever, $\ln|N/P|$ is "
            r"bounded below, so its local martingale part is at least $4\beta_2t - c$ "
            r"for all $t$. But it converges or oscillates between $\pm\infty$: almost "
            r"surely $v$ reaches 0.",
            r"On $u = -w$, $\ln|u|$ is $\int(\bar q - 2TQ)dt + M$ with $\langle M "
            r"\rangle = \int4TQ\,dt$: $-2\beta_2t$ at most, and $M - \frac12\langle "
            r"M\rangle$, which is bounded above, its exponential being a "
            r"supermartingale: $u \to 0$ under the SDE. For SGD the factor at 0 is "
            r"$1 - 2\eta b$, and $E\ln|1 - 2\eta b|$ may be positive.",
        ),
    )


def _step_rows() -> list[tuple[str, sp.Expr, sp.Expr]]:
    u, w, q, x, y, v = sp.symbols("u w q x y v", real=True)
    eta = sp.Symbol("eta", positive=True)
    a, r = sp.symbols("a r", real=True)
    loss = (v * x - y) ** 2
    slope = sp.diff(loss.subs(v, r + u * w), u)  # r: the other products
    moved_u, moved_w = u - eta * q * w, w - eta * q * u
    flipped = moved_u.subs(w, -u), moved_w.subs(w, -u)
    rows = [
        ("the gradient", slope, sp.diff(loss, v).subs(v, r + u * w) * w),
        ("sum", moved_u + moved_w, (1 - eta * q) * (u + w)),
        ("difference", moved_u - moved_w, (1 + eta * q) * (u - w)),
        ("on u = -w", flipped[0], u * (1 + eta * q)),
        ("u = -w stays", flipped[0], -flipped[1]),
        ("and uw <= 0", flipped[0] * flipped[1], -(((1 + eta * q) * u) ** 2)),
    ]
    for factors in (3, 4, 6):  # u_k = s_k a, the product of the signs -1
        value = -(a**factors)
        for sign in (1, -1):
            moved = sign * a - eta * q * value / (sign * a)
            kept = sign * a * (1 + eta * q * a ** (factors - 2))
            rows.append((f"{factors} factors, sign {sign}", moved, kept))
    return rows


def _ito_rows() -> list[tuple[str, sp.Expr, sp.Expr]]:
    """Return the drift of ln(N/P) for dP = −P(q̄dt + s dB), dN = N(q̄dt + s dB)."""
    P, N, s, beta1, beta2 = sp.symbols("P N s beta1 beta2", positive=True)
    v = sp.Symbol("v", real=True)
    mean = 2 * (beta1 * v - beta2)
    f = sp.log(N) - sp.log(P)
    point, noise = (P, N), (-P * s, N * s)
    drift = (-P * mean, N * mean)
    rate = sum(
        (sp.diff(f, z) * b for z, b in zip(point, drift, strict=True)), sp.S.Zero
    )
    for z, b in zip(point, noise, strict=True):
        for z2, b2 in zip(point, noise, strict=True):
            rate += b * b2 * sp.diff(f, z, z2) / 2
    spread = sum(
        (sp.diff(f, z) * b for z, b in zip(point, noise, strict=True)), sp.S.Zero
    )
    return [
        ("drift of ln(N/P)", rate, 4 * (beta1 * v - beta2)),
        ("its noise", spread, 2 * s),
    ]


def _kept_by_hand() -> Evidence:
    """Show that in `BY_HAND` |u| is driven away from 0 and stays bounded on u = −w."""
    t = sp.Symbol("t", positive=True)  # u², on u = -w
    eta = sp.Rational(BY_HAND.eta)
    top, factors, trapped = sp.Rational(27, 25), [], True
    for x, y in BY_HAND.samples:
        a, b = sp.Rational(x * x), sp.Rational(x * y)
        factor = 1 - 2 * eta * (a * t + b)
        factors.append(sp.Abs(factor.subs(t, 0)))
        image = sp.expand(t * factor**2)
        ends = [image.subs(t, top), *_values(image, t, top)]
        trapped = trapped and all(bool(end <= top) for end in ends)
    growth = sp.log(sp.prod(factors)) / len(factors)
    if not (trapped and growth.is_positive):
        why = "The example no longer keeps the wrong sign."
        return Evidence("algebra", Verdict.INCONCLUSIVE, why, instances=1)
    return Evidence(
        "algebra",
        Verdict.REFUTED,
        "On u = −w, which no step leaves, SGD is driven away from 0 and kept in "
        "u² ≤ 1.08: v = −u² < 0 for ever, with β₂ = E[xy] = 1/2 > 0.",
        instances=1,
        counterexample=Witness(
            BY_HAND.describe(),
            f"E ln|u'/u| = {growth} > 0 at u = -w -> 0, and v >= -27/25 always",
            "v >= 0 in the end",
            exact=True,
        ),
    )


def _values(image: sp.Expr, t: sp.Symbol, top: sp.Rational) -> list[sp.Expr]:
    """Return the image of u² at its stationary points in [0, top]."""
    roots = sp.real_roots(sp.diff(image, t), t)
    return [image.subs(t, root) for root in roots if 0 <= root <= top]


@only_about(NETWORKS)
def sign_exact(subject: str, context: Context) -> Evidence:
    """Take steps of SGD from balanced negative products, by differences of the loss."""

    def sides(case: Net) -> Sides:
        negative = 0
        at = case
        for k in range(_STEPS):
            batches = list(case.minibatches())
            at = at.step(batches[context.key("batch", k) % len(batches)])
            negative += int(_on_the_set(at))
        claimed = _STEPS if subject == "exception" else 0
        return Sides(Fraction(negative), Fraction(claimed), degenerate=not at.value)

    return drawn_evidence(
        "SGD, exact",
        sides,
        balanced_nets(),
        context,
        f"Steps, of {_STEPS}, that stay on the set of balanced negative products",
        examples=(BY_HAND,),
        shown=("{} steps stay where v <= 0", "{} do"),
    )


def _on_the_set(at: Net) -> bool:
    """Decide whether all |u| of a product are equal and no product is positive."""
    return all(len({abs(u) for u in row}) == 1 and prod(row) <= 0 for row in at.weights)


@only_about(NETWORKS)
def sign_runs(subject: str, context: Context) -> Evidence:
    """Run SGD on the data of `BY_HAND` from u = −w, in floats."""
    route, steps = "SGD, long runs", 2000
    rng = context.rng("wrong sign")
    count = 8 * context.profile.replicas
    u = rng.uniform(0.1, 1.0, count)
    w = -u
    x, y = (
        np.array(column, dtype=np.float64)
        for column in zip(*BY_HAND.samples, strict=True)
    )
    eta = float(BY_HAND.eta)
    for _ in range(steps):
        pick = rng.integers(0, len(x), count)
        q = 2 * x[pick] * (u * w * x[pick] - y[pick])
        u, w = u - eta * q * w, w - eta * q * u
    v = u * w
    below = int(np.count_nonzero((v < -_FAR) & (v > -2)))
    what = (
        f"β₂ = 1/2: of {count} runs of {steps} steps from u = −w, {below} end at "
        f"−2 < v < −{_FAR:g}; median {np.median(v):.3g}."
    )
    least = 1 - binomial_upper(count - below, count, context.alpha)
    if subject != "exception" and least > 0:
        witness = Witness(
            BY_HAND.describe(),
            f"{below} of {count} runs at v < {-_FAR:g} after {steps} steps",
            "none",
            exact=False,
        )
        return Evidence(
            route,
            Verdict.REFUTED,
            what,
            instances=count,
            alpha=context.alpha,
            counterexample=witness,
        )
    if not (subject == "exception" and least >= 0.25):
        return Evidence(route, Verdict.INCONCLUSIVE, what, instances=count)
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{what} At least {least:.3f} of all runs do.",
        instances=count,
        alpha=context.alpha,
        detectable=1 - least,
    )


@only_about(NETWORKS)
def one_number_exact(subject: str, context: Context) -> Evidence:
    """Check that a step multiplies all uᵢ + wᵢ by one number, and all uᵢ − wᵢ."""

    def sides(case: Net) -> Sides | None:
        after = case.step(next(case.minibatches()))
        pairs = list(zip(case.weights, after.weights, strict=True))
        for sign in (1, -1):
            old = [u + sign * w for (u, w), _ in pairs]
            new = [u + sign * w for _, (u, w) in pairs]
            anchor = next((i for i, value in enumerate(old) if value), None)
            if anchor is None:
                return None
            for i, value in enumerate(old):
                left, right = new[i] * old[anchor], value * new[anchor]
                if left != right:
                    return Sides(left, right)
        # The two numbers are 1 ∓ ηq: they add up to 2.
        (u, w), (u2, w2) = pairs[0]
        if u * u == w * w:
            return None
        total = (u2 + w2) / (u + w) + (u2 - w2) / (u - w)
        return Sides(total, Fraction(2), degenerate=(u2, w2) == (u, w))

    if subject != "exception":
        why = "The printed statement is about where SGD ends, not about a step."
        return Evidence("sums and differences", Verdict.NOT_APPLICABLE, why)
    return drawn_evidence(
        "sums and differences",
        sides,
        any_nets(),
        context,
        "One number multiplies all uᵢ + wᵢ, one all uᵢ − wᵢ",
    )
