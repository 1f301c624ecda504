"""Routes for deep linear nets, P1 v3, Eq. (E.1): what neighbouring layers balance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import hypothesis.strategies as st

from symbolic import (
    deep_balance,
    gradient,
    linear_chain,
    matrix_step,
    norm2,
    scalar,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._words import Row, words_evidence
from verify._scope import THEORY, only_about


DEPTHS = (2, 3, 4, 5)
Table = tuple[tuple[Fraction, ...], ...]


# The subject: the formula is said to hold "at minima" or "anywhere"; for one step of
# discrete SGD see `one_step_words`.


@only_about("deep linear nets")
def neighbours_words(subject: str, context: Context) -> Evidence:
    """Derive the flow of each pair at depths 2 to 5, every size free.

    Returns:
        The evidence.
    """
    sigma2 = scalar("sigma2")

    def rows() -> Iterator[Row]:
        for depth in DEPTHS:
            net, loss = deep_balance(depth), linear_chain(depth)[1]
            for i, X in enumerate(net.layers, start=1):
                found = net.unfold(net.gradients[X])
                yield f"gradient in W_{i}, D = {depth}", found, gradient(loss, X)
            for i, pair in enumerate(net.pairs, start=1):
                name = f"D = {depth}, layers {i} and {i + 1}"
                h, e = pair.below, pair.above
                of_upper = (norm2(h) * (e @ e.T)).mean()
                of_lower = (norm2(e) * (h @ h.T)).mean()
                printed = pair.lower @ of_lower @ pair.lower.T
                printed -= pair.upper.T @ of_upper @ pair.upper
                g, f = (net.gradients[X].mean() for X in (pair.upper, pair.lower))
                centring = Fraction(1, 4) * (g.T @ g - f @ f.T)
                yield (
                    f"diffusion, {name}",
                    pair.flow.diffusion,
                    zero(pair.lower.rows, pair.lower.rows),
                )
                yield (
                    f"loss, {name}",
                    pair.flow.loss,
                    zero(pair.lower.rows, pair.lower.rows),
                )
                if subject == "at minima":
                    printed -= centring
                yield f"noise, {name}", pair.flow.noise, 8 * sigma2 * printed

    return words_evidence(
        rows(),
        r"the flow of $W_{i+1}^\top W_{i+1} - W_iW_i^\top$ against $8\sigma^2$ times "
        "the difference of both sides",
        "the widths and the data",
        (
            r"$r = W_D\cdots W_1x - y$; the charges of all symmetric $B$ are "
            r"$\frac12\mathrm{Tr}[BQ]$ with $Q = W_{i+1}^\top W_{i+1} - W_iW_i^\top$.",
            r"Centring adds $\frac14(\bar g_{i+1}^\top\bar g_{i+1} - \bar g_i\bar "
            r"g_i^\top)$ with $\bar g_i = \partial L/\partial W_i$, which is 0 where "
            r"$\nabla L = 0$.",
        ),
    )


@only_about("deep linear nets")
def one_step_words(subject: Fraction, context: Context) -> Evidence:
    """Derive the mean of one step with S = 1: c·η² times the uncentred difference.

    Args:
        subject: c, 4 for Q and ‖·‖² without ½.
        context: profile and streams.

    Returns:
        The evidence.
    """
    eta2 = scalar("eta", 2)

    def rows() -> Iterator[Row]:
        for depth in DEPTHS:
            net = deep_balance(depth)
            for i, pair in enumerate(net.pairs, start=1):
                name = f"D = {depth}, layers {i} and {i + 1}"
                own = {X: net.gradients[X] for X in (pair.upper, pair.lower)}
                first = matrix_step(pair.charge, own).per_sample
                yield (
                    f"first order, {name}",
                    first,
                    zero(pair.lower.rows, pair.lower.rows),
                )
                g, f = own[pair.upper], own[pair.lower]
                h, e = pair.below, pair.above
                sides = norm2(e) * (pair.lower @ h @ h.T @ pair.lower.T)
                sides -= norm2(h) * (pair.upper.T @ e @ e.T @ pair.upper)
                yield (
                    f"second order, {name}",
                    eta2 * (g.T @ g - f @ f.T),
                    (subject * eta2 * sides),
                )

    return words_evidence(
        rows(),
        "one step of SGD with S = 1, sample by sample",
        "the widths and the data",
    )


@dataclass(frozen=True, slots=True)
class DeepCase:
    """A deep linear net with integer layers and data.

    Attributes:
        layers: W_1, …, W_D.
        samples: (x, y).
    """

    layers: tuple[Table, ...]
    samples: tuple[tuple[tuple[Fraction, ...], tuple[Fraction, ...]], ...]

    def residual(self, layers: tuple[Table, ...], sample: int) -> tuple[Fraction, ...]:
        """Return W_D⋯W_1x − y."""
        h, y = self.samples[sample]
        for W in layers:
            h = times(W, h)
        return tuple(a - b for a, b in zip(h, y, strict=True))

    def gradient(self, layer: int, sample: int) -> Table:
        """Return ∂ℓ/∂W by central differences, exact for what is quadratic in W."""
        W = self.layers[layer]
        return tuple(
            tuple(
                (
                    self._moved(layer, i, j, 1, sample)
                    - self._moved(layer, i, j, -1, sample)
                )
                / 2
                for j in range(len(W[0]))
            )
            for i in range(len(W))
        )

    def _moved(self, layer: int, i: int, j: int, by: int, sample: int) -> Fraction:
        W = [list(row) for row in self.layers[layer]]
        W[i][j] += by
        moved = tuple(map(tuple, W))
        layers = (*self.layers[:layer], moved, *self.layers[layer + 1 :])
        r = self.residual(layers, sample)
        return sum((a * a for a in r), Fraction(0))

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        shown = {f"W_{i}": _text(W) for i, W in enumerate(self.layers, start=1)}
        data = "; ".join(f"x={_text((x,))}, y={_text((y,))}" for x, y in self.samples)
        return shown | {"data": data}


def _text(W: Table) -> str:
    return str([[str(v) for v in row] for row in W]).replace("'", "")


def times(W: Table, v: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    """Return Wv."""
    return tuple(
        sum((a * b for a, b in zip(row, v, strict=True)), Fraction(0)) for row in W
    )


@st.composite
def deep_cases(draw: st.DrawFn) -> DeepCase:
    """Draw a net of depth 2 to 4 and data with residuals of mean 0 at every x."""
    depth = draw(st.integers(2, 4))
    sizes = [draw(st.integers(1, 2)) for _ in range(depth + 1)]
    entry = st.integers(-3, 3).filter(bool).map(Fraction)
    layers = tuple(
        draw(st.tuples(*[st.tuples(*[entry] * b)] * a)) for b, a in pairwise(sizes)
    )
    samples = []
    for _ in range(draw(st.integers(1, 2))):
        x, r = (draw(st.tuples(*[entry] * n)) for n in (sizes[0], sizes[-1]))
        output = x
        for W in layers:
            output = times(W, output)
        for sign in (1, -1):
            y = tuple(a - sign * b for a, b in zip(output, r, strict=True))
            samples.append((x, y))
    return DeepCase(layers, tuple(samples))


@only_about(THEORY)
def neighbours_exact(subject: str, context: Context) -> Evidence:
    """Compare the flow of each pair with the printed sides, all from the loss's values.

    Returns:
        The evidence.
    """
    route = "exact differences"

    def sides(case: DeepCase) -> Sides | None:
        if subject == "at minima" and any(map(any, _mean_gradients(case))):
            return None
        found = Sides(Fraction(0), Fraction(0), degenerate=True)
        for lower in range(len(case.layers) - 1):
            for left, right in pair_sides(case, lower):
                if left != right:
                    return Sides(left, right)
                if left:
                    found = Sides(left, right)
        return found

    one, two = Fraction(1), Fraction(2)
    # w₂w₁ = 2 and y = 0, one sample: Σ = 0, nothing moves; the sides are 4·4 and 4·1.
    single = DeepCase((((two,),), ((one,),)), (((one,), (one * 0,)),))
    return drawn_evidence(
        route,
        sides,
        deep_cases(),
        context,
        r"the flow of $W_{i+1}^\top W_{i+1} - W_iW_i^\top$ over $\sigma^2$",
        examples=(single,),
        shown=("moves at {}", "8 times the sides' difference, {}"),
    )


def _mean_gradients(case: DeepCase) -> list[list[Fraction]]:
    found = []
    for layer in range(len(case.layers)):
        each = [case.gradient(layer, z) for z in range(len(case.samples))]
        flat = [[v for row in g for v in row] for g in each]
        found.append([sum(column) / len(flat) for column in zip(*flat, strict=True)])
    return found


def pair_sides(case: DeepCase, lower: int) -> Iterator[tuple[Fraction, Fraction]]:
    """Yield the entries of Q̇/σ² = 2(Cov(g_{i+1}ᵀg_{i+1}) − Cov(g_ig_iᵀ)) and 8 times.

    Args:
        case: the net.
        lower: the number of W_i, from 0.

    Yields:
        The flow from the covariance of the gradients, and 8(W_i h E[‖ξᵀr‖²xxᵀ]hᵀW_iᵀ −
        W_{i+1}ᵀξᵀE[‖hx‖²rrᵀ]ξW_{i+1}) from the printed moments.
    """
    n, N = len(case.layers[lower]), len(case.samples)
    up = [case.gradient(lower + 1, z) for z in range(N)]
    low = [case.gradient(lower, z) for z in range(N)]
    columns = [tuple(tuple(column) for column in zip(*g, strict=True)) for g in up]
    above, below = _centred_outer(columns), _centred_outer(low)
    printed = _printed(case, lower)
    for a in range(n):
        for b in range(n):
            yield 2 * (above[a][b] - below[a][b]), 8 * printed[a][b]


def _centred_outer(tables: list[Table]) -> list[list[Fraction]]:
    """Return the mean of GGᵀ less that of the mean, G the n × m tables."""
    N, n = len(tables), len(tables[0])
    m = len(tables[0][0])
    centre = [
        [sum((G[a][j] for G in tables), Fraction(0)) / N for j in range(m)]
        for a in range(n)
    ]

    def entry(a: int, b: int) -> Fraction:
        total = sum((G[a][j] * G[b][j] for G in tables for j in range(m)), Fraction(0))
        return total / N - sum(
            (centre[a][j] * centre[b][j] for j in range(m)), Fraction(0)
        )

    return [[entry(a, b) for b in range(n)] for a in range(n)]


def _printed(case: DeepCase, lower: int) -> list[list[Fraction]]:
    """Return the difference of the printed sides, from hx, W_ihx and pulled back r."""
    n, N = len(case.layers[lower]), len(case.samples)
    total = [[Fraction(0)] * n for _ in range(n)]
    for z, (x, _) in enumerate(case.samples):
        h = x
        for W in case.layers[:lower]:
            h = times(W, h)
        fed = times(case.layers[lower], h)
        e = case.residual(case.layers, z)
        for W in reversed(case.layers[lower + 2 :]):
            e = times(tuple(zip(*W, strict=True)), e)
        pulled = times(tuple(zip(*case.layers[lower + 1], strict=True)), e)
        e2, h2 = (sum((v * v for v in c), Fraction(0)) for c in (e, h))
        for a in range(n):
            for b in range(n):
                total[a][b] += e2 * fed[a] * fed[b] - h2 * pulled[a] * pulled[b]
    return [[v / N for v in row] for row in total]


@only_about(THEORY)
def one_step_exact(subject: Fraction, context: Context) -> Evidence:
    """Take a step of SGD at each sample and look at WᵀW − WWᵀ of each pair.

    Args:
        subject: c in ΔQ = c·η²(the printed sides' difference), one sample at a time.
        context: profile and streams.

    Returns:
        The evidence.
    """
    route = "exact steps"
    eta = Fraction(1, 4)

    def sides(case: DeepCase) -> Sides:
        found = Sides(Fraction(0), Fraction(0), degenerate=True)
        for z, sample in enumerate(case.samples):
            stepped = tuple(
                _less(W, case.gradient(i, z), eta) for i, W in enumerate(case.layers)
            )
            single = replace(case, samples=(sample,))
            for i in range(len(case.layers) - 1):
                before, after = (
                    _charge(W[i], W[i + 1]) for W in (case.layers, stepped)
                )
                printed = _printed(single, i)
                for a, row in enumerate(printed):
                    for b, entry in enumerate(row):
                        left = after[a][b] - before[a][b]
                        if left != subject * eta**2 * entry:
                            return Sides(left, subject * eta**2 * entry)
                        if left:
                            found = Sides(left, left)
        return found

    one = Fraction(1)
    single = DeepCase((((2 * one,),), ((one,),)), (((one,), (one * 0,)),))
    return drawn_evidence(
        route,
        sides,
        deep_cases(),
        context,
        "one step of SGD with S = 1",
        examples=(single,),
    )


def _less(W: Table, G: Table, eta: Fraction) -> Table:
    return tuple(
        tuple(w - eta * g for w, g in zip(a, b, strict=True))
        for a, b in zip(W, G, strict=True)
    )


def _charge(lower: Table, upper: Table) -> list[list[Fraction]]:
    """Return W_{i+1}ᵀW_{i+1} − W_iW_iᵀ."""
    n = range(len(lower))
    return [
        [
            sum((row[a] * row[b] for row in upper), Fraction(0))
            - sum((p * q for p, q in zip(lower[a], lower[b], strict=True)), Fraction(0))
            for b in n
        ]
        for a in n
    ]
