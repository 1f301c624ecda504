"""Routes for P1's Net-A and Net-B: which linear symmetries do they have?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symbolic import Verdict, Witness, compare
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._matrix_cases import general


Array = NDArray[np.float64]
_SIZES = ((1, 1, 1), (2, 1, 1), (2, 2, 1))  # hidden units, inputs, outputs
_LARGER = ((2, 2, 1), (3, 2, 2), (3, 3, 1))
# f = Σⱼ uⱼ/‖w‖·tanh(wⱼᵀx/‖u‖), and with the norms exchanged.
_GAP = 1e-9  # of the largest singular value: far above rounding, far below the rest


# The subject is what Net-A is said to have: "global", or "layerwise" scalings as well.
# Net-B has both, whatever the subject.


def _features(
    name: str, h: int, inputs: int, outputs: int
) -> tuple[list[sp.Expr], list[sp.Expr], list[sp.Symbol], list[sp.Symbol]]:
    """Return the coefficients c and arguments z of f = Σ c tanh z, and u and w."""
    u = list(sp.symbols(f"u:{h * outputs}", real=True))
    w = list(sp.symbols(f"w:{h * inputs}", real=True))
    x = sp.symbols(f"x:{inputs}", real=True)
    norms = [sp.sqrt(sum(v**2 for v in vs)) for vs in (u, w)]
    of_u, of_w = norms if name == "Net-B" else norms[::-1]
    inner = [sum(w[j * inputs + i] * x[i] for i in range(inputs)) for j in range(h)]
    return [v / of_u for v in u], [z / of_w for z in inner], u, w


@general
def nets_symbolic(subject: str, context: Context) -> Evidence:
    """Differentiate the features of f along (αu, βw) with α and β free."""
    del context
    route = "derivation"
    count, reason = _scalings()
    if reason:
        return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=count)
    moving = _single()
    if moving is None:
        reason = "Net-A is not seen to move when u alone is scaled"
        return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=count)
    if subject == "layerwise":
        return Evidence(
            route,
            Verdict.REFUTED,
            "Scaling u alone moves Net-A.",
            instances=count,
            counterexample=moving,
        )
    return Evidence(
        route,
        Verdict.PROVED,
        f"Along (αu, βw) the coefficients of Net-A grow at α − β and its arguments at "
        f"β − α, those of Net-B stay: {count} identities at {len(_SIZES)} sizes with "
        f"α and β free; each is about one unit, whatever their number.",
        instances=count,
        steps=(
            r"Net-A: $\dot f = (\alpha-\beta)\sum_jc_j(\tanh z_j - "
            r"z_j\tanh'z_j)$, and $\tanh z - z\tanh'z$ has the sign of $z$: with "
            r"$\alpha \neq \beta$ the net moves.",
            r"Net-B: $u/\|u\|$ and $w/\|w\|$ have no scale: both are free.",
        ),
    )


@lru_cache(maxsize=1)
def _scalings() -> tuple[int, str]:
    """Return how many features scale as they should, and what does not ("")."""
    alpha, beta = sp.symbols("alpha beta", real=True)
    count = 0
    for sizes in _SIZES:
        for name, degree in (("Net-A", alpha - beta), ("Net-B", sp.S.Zero)):
            c, z, u, w = _features(name, *sizes)
            for f, sign in ((c[0], 1), (z[0], -1)):  # the units are alike
                count += 1
                moved = sp.Add(*(alpha * v * f.diff(v) for v in u))
                moved += sp.Add(*(beta * v * f.diff(v) for v in w))
                finding = compare(moved, sign * degree * f)
                if finding.verdict is not Verdict.PROVED:
                    return count, f"{name}: {f} does not scale as it should"
    return count, ""


def _single() -> Witness | None:
    """Return a point where f = (u/|w|)tanh(wx/|u|) moves when u alone is scaled."""
    z = sp.Symbol("z", positive=True)
    finding = compare(sp.tanh(z) - z * sp.tanh(z).diff(z), sp.S.Zero)
    found = finding.witness
    if found is None:
        return None
    values = {"net": "Net-A", "u": "1", "w": found.values["z"], "x": "1", "J": "(u, 0)"}
    left = f"|w| times the derivative of f along J: {found.left}"
    return Witness(values, left, found.right, found.exact)


def _outputs(name: str, u: Array, w: Array, x: Array) -> Array:
    """Return f; u and w may be complex, for derivatives by complex steps."""
    norms = [np.sqrt((v * v).sum()) for v in (u, w)]
    of_u, of_w = norms if name == "Net-B" else norms[::-1]
    return np.asarray(np.tanh(w @ x / of_w) @ u / of_u)


def _rows(name: str, sizes: tuple[int, int, int], rng: np.random.Generator) -> Array:
    """Return rows ∇f ⊗ θ at drawn points and inputs: A is a symmetry iff rows·A = 0."""
    h, inputs, outputs = sizes
    n, step = h * (inputs + outputs), 1e-30
    found: list[Array] = []
    while len(found) * outputs < 2 * n * n:
        theta, x = rng.normal(size=n), rng.normal(size=inputs)
        slopes = np.empty((outputs, n))
        for i in range(n):
            moved = theta.astype(complex)
            moved[i] += step * 1j
            u, w = moved[: h * outputs], moved[h * outputs :]
            value = _outputs(name, u.reshape(h, outputs), w.reshape(h, inputs), x)
            slopes[:, i] = value.imag / step
        found.append((slopes[:, :, None] * theta).reshape(outputs, n * n))
    return np.concatenate(found)


def _dimensions(
    context: Context,
) -> Iterator[tuple[str, tuple[int, int, int], int, float]]:
    """Yield net, sizes, dimension of its linear symmetries, and the gap below."""
    for sizes in _LARGER:
        for name in ("Net-A", "Net-B"):
            values = np.linalg.svd(
                _rows(name, sizes, context.rng(name, sizes)), compute_uv=False
            )
            small = values < _GAP * values[0]
            kept = values[~small]
            yield name, sizes, int(small.sum()), float(kept[-1] / values[0])


@general
def nets_rank(subject: str, context: Context) -> Evidence:
    """Count all A with ∇f·Aθ = 0, symmetric or not, by singular values."""
    route = "rank of all linear generators"
    expected = {"Net-A": 1 if subject == "global" else 2, "Net-B": 2}
    count, smallest = 0, 1.0
    for name, sizes, dimension, gap in _dimensions(context):
        count, smallest = count + 1, min(smallest, gap)
        if dimension != expected[name]:
            shown = {
                "net": name,
                "hidden units, inputs, outputs": str(sizes),
                "Philox key": str(context.key(name, sizes)),
            }
            return Evidence(
                route,
                Verdict.REFUTED,
                "The generators are more or fewer.",
                instances=count,
                counterexample=Witness(
                    shown,
                    f"dimension {dimension}",
                    f"dimension {expected[name]}",
                    exact=False,
                ),
            )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{count} nets: the matrices A with ∇f·Aθ = 0 at drawn points have dimension 1 "
        f"for Net-A and 2 for Net-B; the least other singular value is {smallest:.1e} "
        f"of the largest, those counted are below {_GAP:.0e}.",
        instances=count,
        tolerance=_GAP,
        detectable=smallest,
    )
