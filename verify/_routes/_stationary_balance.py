"""The law of balance (3.1), its bounds (4), and the rank of C₁ and C₂ for ReLU."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import hypothesis.strategies as st
import sympy as sp

from symbolic import Verdict, Witness, compare, relu
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import Vector, covariance, dot, form, mean
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._matrix_cases import M, average, inverse
from verify._routes._stationary_cases import (
    ONE,
    POSITIVE,
    SMALL,
    TEMPERATURES,
    ZERO,
    general,
)


EXACT = "exact samples"
SYMBOLS = "symbols, entry by entry"


# (3.1). The subject is k in d/dt(‖u‖² − ‖w‖²) = −kT(uᵀC₁u − wᵀC₂w).


@dataclass(frozen=True, slots=True)
class Slopes:
    """Per-sample slopes A = ∂ℓ/∂(uwᵀ), and a point.

    Attributes:
        A: the samples, each p × q.
        u: p numbers.
        w: q numbers.
        T: η/S.
    """

    A: tuple[M, ...]
    u: Vector
    w: Vector
    T: Fraction

    def gradients(self) -> tuple[list[Vector], list[Vector]]:
        """Return ∂ℓ/∂u = Aw and ∂ℓ/∂w = Aᵀu, sample by sample."""
        upper = [tuple(dot(_vector(row), self.w) for row in A.rows) for A in self.A]
        lower = [tuple(dot(_vector(row), self.u) for row in A.T.rows) for A in self.A]
        return upper, lower

    def moments(self) -> tuple[M, M]:
        """Return C₁ = E[AAᵀ] − E[A]E[A]ᵀ and C₂ = E[AᵀA] − E[A]ᵀE[A]."""
        centre = average(self.A)
        return (
            average([A @ A.T for A in self.A]) - centre @ centre.T,
            average([A.T @ A for A in self.A]) - centre.T @ centre,
        )

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        slopes = [str([[str(a) for a in row] for row in A.rows]) for A in self.A]
        text = "; ".join(slopes).replace("'", "")
        ends = {"u": self.u, "w": self.w}
        shown = {name: ", ".join(map(str, x)) for name, x in ends.items()}
        return {"A": text, **shown, "T": str(self.T)}


@st.composite
def slopes(draw: st.DrawFn) -> Slopes:
    """Draw any slopes, of up to three rows and columns."""
    p, q = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    matrix = st.tuples(*[st.tuples(*[SMALL] * q)] * p).map(M)
    A = tuple(draw(st.lists(matrix, min_size=2, max_size=4)))
    ends = draw(st.tuples(*[SMALL] * p)), draw(st.tuples(*[SMALL] * q))
    return Slopes(A, *ends, draw(TEMPERATURES))


def _trace(vectors: list[Vector]) -> Fraction:
    table = covariance(vectors)
    return sum((table[i][i] for i in range(len(table))), ZERO)


@general
def balance_exact(factor: Fraction, context: Context) -> Evidence:
    """Move ‖u‖² and ‖w‖² by Itô's formula and compare with C₁ and C₂."""

    def sides(case: Slopes) -> Sides:
        upper, lower = case.gradients()
        moved = -2 * dot(case.u, mean(upper)) + case.T * _trace(upper)
        moved -= -2 * dot(case.w, mean(lower)) + case.T * _trace(lower)
        C1, C2 = (tuple(map(_vector, C.rows)) for C in case.moments())
        law = -factor * case.T * (form(C1, case.u) - form(C2, case.w))
        return Sides(moved, law, degenerate=not moved)

    return drawn_evidence(
        EXACT,
        sides,
        slopes(),
        context,
        r"the drift of $\|u\|^2 - \|w\|^2$",
        examples=(_FIRST,),
        shown=("|u|^2 - |w|^2 moves at {}", "{}"),
    )


_FIRST = Slopes((M(((1,),)), M(((-1,),))), (Fraction(2),), (ONE,), ONE)


def _vector(row: tuple[Any, ...]) -> Vector:
    return tuple(Fraction(value) for value in row)


@general
def balance_symbolic(factor: Fraction, context: Context) -> Evidence:
    """Compare Tr Σ_u − Tr Σ_w with the quadratic forms, with free entries."""
    del context
    T, rows = sp.Symbol("T", positive=True), []
    for p, q in ((1, 1), (3, 1), (2, 2)):
        A = [sp.Matrix(p, q, sp.symbols(f"a{k}_:{p * q}")) for k in range(2)]
        weight = sp.Symbol("pi", positive=True)  # probabilities of the two samples
        share = (weight, 1 - weight)
        u = sp.Matrix(sp.symbols(f"u:{p}"))
        w = sp.Matrix(sp.symbols(f"w:{q}"))
        centre = share[0] * A[0] + share[1] * A[1]
        pairs = list(zip(share, A, strict=True))
        moved = -2 * u.dot(centre * w) + 2 * w.dot(centre.T * u)
        vectors = [(s, a * w, a.T * u) for s, a in pairs]
        for k, sign in ((1, 1), (2, -1)):
            second = sum(row[0] * row[k].dot(row[k]) for row in vectors)
            first = sum((row[0] * row[k] for row in vectors), 0 * vectors[0][k])
            moved += sign * T * (second - first.dot(first))
        C1 = sum((s * a * a.T for s, a in pairs), sp.zeros(p)) - centre * centre.T
        C2 = sum((s * a.T * a for s, a in pairs), sp.zeros(q)) - centre.T * centre
        law = -sp.Rational(factor) * T * ((u.T * C1 * u)[0] - (w.T * C2 * w)[0])
        rows.append((f"{p} by {q}", sp.expand(moved), sp.expand(law)))
    return symbolic_evidence(
        SYMBOLS,
        rows,
        r"the drift of $\|u\|^2 - \|w\|^2$",
        steps=(
            r"$\nabla_u\ell = Aw$ and $\nabla_w\ell = A^\top u$: the parts $-2u\cdot "
            r"E[A]w + 2w\cdot E[A]^\top u$ cancel.",
            r"$\mathrm{Tr}\,\Sigma_w = E\|A^\top u\|^2 - \|E[A]^\top u\|^2 = u^\top "
            r"C_1u$"
            r", and likewise $\mathrm{Tr}\,\Sigma_u = w^\top C_2w$, at every size.",
            r"It is $2\dot C$ of the Noether flow with $A = \mathrm{diag}(I, -I)$, "
            r"$2\sigma^2 = T$.",
        ),
    )


# (4). The subject: "function", every loss with the symmetry is a function of uwᵀ; or
# "slope", it has A(θ, z) with ∇_uℓ = Aw and ∇_wℓ = Aᵀu, which is all (3.1) and (4) use.


@dataclass(frozen=True, slots=True)
class Neuron:
    """ℓ = ‖u·relu(wᵀx) − y‖² on samples.

    Attributes:
        samples: pairs (x, y) of vectors.
        u: outgoing weights.
        w: incoming weights.
    """

    samples: tuple[tuple[Vector, Vector], ...]
    u: Vector
    w: Vector

    def loss(self, sign: int) -> Fraction:
        """Return L at (sign·u, sign·w), which has the same uwᵀ."""
        total = ZERO
        for x, y in self.samples:
            on = max(sign * dot(self.w, x), ZERO)
            total += sum(
                ((sign * a * on - b) ** 2 for a, b in zip(self.u, y, strict=True)), ZERO
            )
        return total / len(self.samples)

    def gradients(self) -> tuple[list[Vector], list[Vector]]:
        """Return ∂ℓ/∂u and ∂ℓ/∂w, sample by sample."""
        upper, lower = [], []
        for x, y in self.samples:
            z = dot(self.w, x)
            on = max(z, ZERO)
            r = tuple(a * on - b for a, b in zip(self.u, y, strict=True))
            back = 2 * dot(r, self.u) * (z > 0)
            upper.append(tuple(2 * a * on for a in r))
            lower.append(tuple(back * b for b in x))
        return upper, lower

    def slope(self, a: Vector, b: Vector) -> M:
        """Return A with Aw = a and Aᵀu = b, given a·u = b·w."""
        uu, ww, both = dot(self.u, self.u), dot(self.w, self.w), dot(a, self.u)
        return M(
            tuple(
                tuple(
                    ai * wj / ww + ui * bj / uu - both * ui * wj / (uu * ww)
                    for bj, wj in zip(b, self.w, strict=True)
                )
                for ai, ui in zip(a, self.u, strict=True)
            )
        )

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        shown = [
            f"({', '.join(map(str, x))}) -> ({', '.join(map(str, y))})"
            for x, y in self.samples
        ]
        ends = {"u": ", ".join(map(str, self.u)), "w": ", ".join(map(str, self.w))}
        return {"samples": "; ".join(shown), **ends}


@st.composite
def neurons(draw: st.DrawFn) -> Neuron:
    """Draw a neuron with up to 3 inputs and outputs."""
    p, q = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x, y = st.tuples(*[SMALL] * q), st.tuples(*[SMALL] * p)
    samples = tuple(draw(st.lists(st.tuples(x, y), min_size=1, max_size=4)))
    return Neuron(samples, draw(y.filter(any)), draw(x.filter(any)))


_ONE_NEURON = Neuron((((ONE,), (ONE,)),), (ONE,), (ONE,))


@general
def slopes_exact(subject: str, context: Context) -> Evidence:
    """Check on ReLU neurons that ℓ depends on uwᵀ alone, or that A exists."""

    def sides(case: Neuron) -> Sides:
        if subject == "function":
            return Sides(case.loss(1), case.loss(-1))
        upper, lower = case.gradients()
        A = tuple(case.slope(a, b) for a, b in zip(upper, lower, strict=True))
        found = Slopes(A, case.u, case.w, ONE)
        if found.gradients() != (upper, lower):
            return Sides(ONE, ZERO)
        C1, C2 = (tuple(map(_vector, C.rows)) for C in found.moments())
        gap = _trace(upper) - _trace(lower)
        return Sides(gap, form(C2, case.w) - form(C1, case.u), degenerate=not gap)

    return drawn_evidence(
        EXACT,
        sides,
        neurons(),
        context,
        "ReLU neurons",
        examples=(_ONE_NEURON,),
        shown=("{}", "{}"),
    )


@general
def slopes_symbolic(subject: str, context: Context) -> Evidence:
    """Construct A from gradients with u·∇_uℓ = w·∇_wℓ, entries free."""
    del context
    if subject == "function":
        u, w, x, y = sp.symbols("u w x y", real=True)
        loss = (u * relu(w * x) - y) ** 2
        turned = loss.subs({u: -u, w: -w}, simultaneous=True)
        rows = [("$u\\,\\mathrm{relu}(wx)$ at $(u, w)$ and $(-u, -w)$", loss, turned)]
        return symbolic_evidence(SYMBOLS, rows, r"$\ell$ at two points of one $uw$")
    rows = []
    for p, q in ((1, 1), (2, 3)):
        u, w = sp.Matrix(sp.symbols(f"u:{p}")), sp.Matrix(sp.symbols(f"w:{q}"))
        a = sp.Matrix(sp.symbols(f"a:{p}"))
        free = sp.Matrix(sp.symbols(f"b:{q}"))
        uu, ww = u.dot(u), w.dot(w)
        b = free + (a.dot(u) - free.dot(w)) / ww * w  # b·w = a·u, any such b
        A = a * w.T / ww + u * b.T / uu - a.dot(u) * u * w.T / (uu * ww)
        for i, j in product(range(p), range(q)):
            rows.append((f"{p} by {q}", sp.cancel((A * w)[i]), a[i]))
            rows.append((f"{p} by {q}", sp.cancel((A.T * u)[j] - b[j]), sp.S.Zero))
    return symbolic_evidence(
        SYMBOLS,
        rows,
        r"$Aw$ and $A^\top u$ against the gradients",
        steps=(
            r"$A = aw^\top/\|w\|^2 + ub^\top/\|u\|^2 - (a\cdot u)uw^\top/(\|u\|^2"
            r"\|w\|^2)$ for $a = \nabla_u\ell$, $b = \nabla_w\ell$, $a\cdot u = b\cdot "
            r"w$.",
            r"$\lambda_{1m}\|u\|^2 \le u^\top C_1u = w^\top C_2w \le \lambda_{2M}"
            r"\|w\|^2$ at stationarity of (3.1), and the same with 1 and 2 exchanged.",
        ),
    )


# Theorem 3.2. The subject: "printed", C₁ and C₂ are regular; or "seen", also E[1xxᵀ].


@dataclass(frozen=True, slots=True)
class Gate:
    """A ReLU neuron's samples: x equally likely, ε = ±s eₖ equally likely besides.

    Attributes:
        x: inputs, a 1 for the bias appended where there is one.
        rest: residual means h(x).
        w: incoming weights.
        s: scale of the noise.
    """

    x: tuple[Vector, ...]
    rest: tuple[Vector, ...]
    w: Vector
    s: Fraction

    def slopes(self) -> tuple[M, ...]:
        """Return A = −2·1(wᵀx > 0) r xᵀ for every x and ε."""
        found = []
        for x, h in zip(self.x, self.rest, strict=True):
            on = -2 * int(dot(self.w, x) > 0)
            for k, sign in product(range(len(h)), (1, -1)):
                r = [a + (sign * self.s if i == k else 0) for i, a in enumerate(h)]
                found.append(M(tuple(tuple(on * a * b for b in x) for a in r)))
        return tuple(found)

    def on(self) -> list[Vector]:
        """Return the inputs with wᵀx > 0."""
        return [x for x in self.x if dot(self.w, x) > 0]

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        points = "; ".join(f"({', '.join(map(str, x))})" for x in self.x)
        rest = "; ".join(f"({', '.join(map(str, h))})" for h in self.rest)
        weights = ", ".join(map(str, self.w))
        return {"x": points, "E[r|x]": rest, "w": weights, "noise": str(self.s)}


_CROSS = tuple(
    tuple(Fraction(a) for a in point) for point in ((1, 0), (-1, 0), (0, 1), (0, -1))
)
_BLIND = Gate(_CROSS, ((ZERO,),) * 4, (ONE, ZERO), ONE)


def _regular(vectors: list[Vector]) -> bool:
    """Return whether vectors span their space."""
    return bool(vectors) and inverse(average([_outer(x) for x in vectors])) is not None


def _outer(x: Vector) -> M:
    return M(tuple(tuple(a * b for b in x) for a in x))


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    """Draw inputs with a regular Σₓ, residual means, and weights that let some pass."""
    q, p = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    point = st.tuples(*[st.integers(-2, 2).map(Fraction)] * q)
    x = draw(st.lists(point, min_size=q + 1, max_size=q + 3, unique=True))
    rest = tuple(draw(st.tuples(*[SMALL] * p)) for _ in x)
    return Gate(tuple(x), rest, draw(point), draw(POSITIVE))


@general
def rank_exact(subject: str, context: Context) -> Evidence:
    """Invert C₁ and C₂ on drawn discrete inputs with independent noise, exactly."""

    def sides(case: Gate) -> Sides | None:
        if not case.on() or inverse(M(covariance(list(case.x)))) is None:
            return None
        if subject == "seen" and not _regular(case.on()):
            return None
        moments = Slopes(case.slopes(), (), (), ONE).moments()
        regular = [inverse(C) is not None for C in moments]
        return Sides(Fraction(int(all(regular))), ONE)

    return drawn_evidence(
        EXACT,
        sides,
        gates(),
        context,
        r"whether $C_1$ and $C_2$ are regular",
        examples=(_BLIND,),
        shown=("both regular (1) or not (0): {}", "{}"),
    )


@general
def rank_symbolic(subject: str, context: Context) -> Evidence:
    """Split the variance of (h + ε)q into that of ε and that of hq, q = 1(n·x)."""
    del context
    if subject == "printed":
        return _blind()
    share = sp.symbols("p:3", positive=True)
    last = 1 - sum(share)
    h, q = sp.symbols("h:4", real=True), sp.symbols("q:4", real=True)
    s = sp.Symbol("s", positive=True)
    weights = (*share, last)
    first = second = inner = gate = sp.S.Zero
    for p, a, b in zip(weights, h, q, strict=True):
        first += p * sum((a + e * s) * b for e in (1, -1)) / 2
        second += p * sum(((a + e * s) * b) ** 2 for e in (1, -1)) / 2
        inner += p * (a * b) ** 2
        gate += p * b**2
    mean_inner = sum(p * a * b for p, a, b in zip(weights, h, q, strict=True))
    split = gate * s**2 + inner - mean_inner**2
    return symbolic_evidence(
        SYMBOLS,
        [("four inputs of any probability", second - first**2, split)],
        r"$\mathrm{Var}[(h + \varepsilon)q]$ against $E[q^2]\mathrm{Var}\,\varepsilon "
        r"+ \mathrm{Var}[hq]$",
        steps=(
            r"$A = -2\cdot1\,rx^\top$, $r = h(x) + \varepsilon$: $n^\top C_2n = 4\sum_k"
            r"\mathrm{Var}[1\,r_k(n\cdot x)] \ge 4E[1(n\cdot x)^2]\mathrm{Tr}\,"
            r"\Sigma_\varepsilon > 0$ where $E[1xx^\top]$ is regular.",
            r"$n^\top C_1n = 4\sum_k\mathrm{Var}[1\,x_k(n\cdot r)] \ge 4E[1\|x\|^2]"
            r"n^\top\Sigma_\varepsilon n > 0$: $w^\top x > 0$ has $x \neq 0$.",
        ),
    )


def _blind() -> Evidence:
    """Return the counterexample, inputs ±e₁, ±e₂ and w = e₁, with h and s free."""
    h, s = sp.symbols("h s", positive=True)
    e1 = sp.Matrix([1, 0])
    second = sp.Rational(1, 4) * 4 * (h**2 + s**2) * e1 * e1.T
    first = sp.Rational(1, 4) * -2 * h * e1
    C2 = second - first * first.T
    finding = compare(C2.det(), 0)
    if finding.verdict is not Verdict.PROVED:
        return Evidence(SYMBOLS, Verdict.INCONCLUSIVE, "The determinant is not 0.")
    witness = Witness({**_BLIND.describe()}, "det C2 = 0", "det C2 > 0", exact=True)
    return Evidence(
        SYMBOLS,
        Verdict.REFUTED,
        r"Only $x = e_1$ passes: $C_2 \propto e_1e_1^\top$, for any noise.",
        instances=1,
        counterexample=witness,
    )
