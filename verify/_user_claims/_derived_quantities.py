"""The derived quantities as expressions, from what `derive` finds and Σ in symbols.

The moments of the gradients are symbols, or sums over samples of the differentiated
loss. Nothing here uses dual numbers or jets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product as cartesian

import sympy as sp

from symbolic import Declaration, NoCharge, Verdict
from verify._instances import derived, derived_charge, law_of
from verify._user_claims._reading import NUMBER_SYMBOLS


Row = tuple[sp.Expr, ...]
GAMMA, ETA, S = (NUMBER_SYMBOLS[name] for name in ("gamma", "eta", "S"))
SIGMA2 = ETA / (2 * S)
_MINIBATCHES = 120


class Unavailable(ValueError):  # noqa: N818 - a finding
    """A quantity has no expression here."""


@dataclass(frozen=True, slots=True)
class Moments:
    """∇L and Σ, and what is left of the samples.

    Attributes:
        mean: ∇L, n expressions.
        covariance: Σ, n × n.
        gradients: per-sample gradients; () where only the moments are known.
        losses: of each sample; () likewise.
        samples: symbol of the data → value, for each sample; () likewise.
    """

    mean: Row
    covariance: sp.ImmutableDenseMatrix
    gradients: tuple[Row, ...] = ()
    losses: Row = ()
    samples: tuple[dict[sp.Symbol, sp.Expr], ...] = ()


def free_moments(declaration: Declaration) -> Moments:
    """Return ∇L as symbols, and Σ = Σ_k c_k c_kᵀ for n vectors c_k of symbols.

    Every positive semidefinite Σ has that form, whatever the loss and the data.

    Args:
        declaration: says how many parameters there are.
    """
    n = declaration.space.size
    mean = tuple(sp.Symbol(f"mean {i}", real=True) for i in range(n))
    c = sp.Matrix(n, n, lambda k, i: sp.Symbol(f"spread {k} {i}", real=True))
    return Moments(mean, sp.ImmutableDenseMatrix(c.T * c))


def sampled_moments(declaration: Declaration, samples: Sequence[Row]) -> Moments:
    """Return the moments of a data set, numbers or symbols.

    Args:
        declaration: with a loss.
        samples: N rows over the flat data symbols.
    """
    loss = declaration.loss
    assert loss is not None
    rows, losses = [], []
    known = [dict(zip(loss.data.symbols, sample, strict=True)) for sample in samples]
    for data in known:
        rows.append(tuple(g.xreplace(data) for g in loss.gradient))
        losses.append(loss.expression.xreplace(data))
    N, n = len(rows), declaration.space.size
    mean = tuple(sp.Add(*(row[i] for row in rows)) / N for i in range(n))
    covariance = sp.ImmutableDenseMatrix(
        n,
        n,
        lambda i, j: sp.Add(*(row[i] * row[j] for row in rows)) / N - mean[i] * mean[j],
    )
    return Moments(mean, covariance, tuple(rows), tuple(losses), tuple(known))


def by_name(expression: sp.Expr, more: Mapping[str, sp.Expr] | None = None) -> sp.Expr:
    """Return an expression with γ, η, S and σ² as the ones used here.

    Args:
        expression: with symbols of any assumptions.
        more: what other names stand for.
    """
    values = {"gamma": GAMMA, "eta": ETA, "S": S, "sigma2": SIGMA2, **(more or {})}
    return expression.xreplace(
        {s: values[s.name] for s in expression.free_symbols if s.name in values}
    )


class Derived:
    """The quantities as expressions in θ, γ, η, S and the moments.

    Args:
        declaration: what they are of.
        moments: those of the gradients; None without a loss.
        batch: S where it is a number.
    """

    def __init__(
        self,
        declaration: Declaration,
        moments: Moments | None,
        batch: int | None = None,
    ) -> None:
        self._declaration, self._moments = declaration, moments
        self._batch = batch
        self._known: dict[str, sp.Expr] = {}

    def __call__(self, name: str) -> sp.Expr:
        """Return a quantity.

        Args:
            name: one of `QUANTITIES`.

        Returns:
            An expression.

        Raises:
            Unavailable: where there is none.
        """
        if name not in self._known:
            if name not in _TABLE:
                raise Unavailable(name)
            self._known[name] = _TABLE[name](self)
        return self._known[name]

    def side(self, expression: sp.Expr) -> sp.Expr:
        """Return one side of a claim in θ, γ, η, S and the moments."""
        own = {symbol.name for symbol in self._declaration.space.symbols}
        values: dict[sp.Symbol, sp.Expr] = {}
        for symbol in expression.free_symbols:
            if symbol.name == "sigma2":
                values[symbol] = SIGMA2
            elif symbol.name not in own and symbol.name not in NUMBER_SYMBOLS:
                values[symbol] = self(symbol.name)
        return expression.xreplace(values)

    @property
    def moments(self) -> Moments:
        """Return the moments.

        Raises:
            Unavailable: where there is no loss.
        """
        if self._moments is None:
            raise Unavailable("moments")
        return self._moments

    @property
    def J(self) -> Row:  # noqa: N802 - the generator
        """Return J, n expressions."""
        J: Row = self._declaration.symmetry.generator
        return J

    @property
    def theta(self) -> Row:
        """Return θ."""
        return tuple(self._declaration.space.symbols)

    @property
    def turn(self) -> sp.ImmutableDenseMatrix:
        """Return ∂J."""
        return _jacobian(self._declaration)

    def charge(self) -> sp.Expr:
        """Return C."""
        return derived_charge(self._declaration)

    def noise(self) -> sp.Expr:
        """Return σ²Tr[Σ∇²C] as Itô's lemma gives it; from ∂J where there is no C."""
        try:
            flow = law_of(self._declaration).flow
        except NoCharge:
            return SIGMA2 * _trace(self.turn, self.moments.covariance)
        return by_name(flow.noise, self._names())

    def decay(self) -> sp.Expr:
        """Return −2γθ·J as Itô's lemma gives it; typed in where there is no C."""
        try:
            return by_name(law_of(self._declaration).flow.weight_decay)
        except NoCharge:
            return -2 * GAMMA * _dot(self.theta, self.J)

    def along(self) -> sp.Expr:
        """Return ∇L·J, which is 0 where ℓ is proved to have the symmetry."""
        if derived(self._declaration).invariance.verdict is Verdict.PROVED:
            return sp.S.Zero
        return _dot(self.moments.mean, self.J)

    def balance(self) -> sp.Expr:
        """Return G(θ_λ) at λ = 0."""
        G = law_of(self._declaration).equilibrium.balance
        return by_name(G, {"lam": sp.S.Zero, **self._names()})

    def step(self) -> sp.Expr:
        """Return E[C'] − C from the exact law, with what a broken symmetry adds.

        Raises:
            Unavailable: for a charge that is not quadratic, where S is a symbol.
        """
        law = law_of(self._declaration).exact_law
        if law.expectation is None:
            return self._step_by_step(law.next_charge) - self.charge()
        kappa = 1 - 2 * ETA * GAMMA
        expected = by_name(law.expectation, self._names())
        return expected - ETA * kappa * self.along() - self.charge()

    def _step_by_step(self, law: sp.Expr) -> sp.Expr:
        rows, S_ = self.moments.gradients, self._batch
        if S_ is None or not rows or len(rows) ** S_ > _MINIBATCHES:
            raise Unavailable("exact_step")
        terms = []
        for chosen in cartesian(rows, repeat=S_):
            g = [sp.Add(*column) / S_ for column in zip(*chosen, strict=True)]
            names = {f"g_{s.name}": v for s, v in zip(self.theta, g, strict=True)}
            terms.append(by_name(law, names) - ETA * _dot(g, self.J))
        return sp.Add(*terms) / len(terms)

    def shift(self) -> sp.Expr:
        """Return λ* in closed form.

        Raises:
            Unavailable: where none is known.
        """
        found = law_of(self._declaration).shift
        if found is None:
            raise Unavailable("lam_star")
        return by_name(found, self._names())

    def curvatures(self) -> Row:
        """Return Tr∇²ℓ + 2nγ of each sample; () where only moments are known."""
        trace = derived(self._declaration).hessian_trace
        assert trace is not None  # there is a loss
        return tuple(by_name(trace.xreplace(data)) for data in self.moments.samples)

    def mean_of(self, rows: Row, name: str) -> sp.Expr:
        """Return a mean over the samples; a symbol where only moments are known.

        Args:
            rows: one for each sample.
            name: what it is.
        """
        if rows:
            return sp.Add(*rows) / len(rows)
        return sp.Symbol(f"opaque {name}", real=True)

    def _names(self) -> dict[str, sp.Expr]:
        names = [symbol.name for symbol in self.theta]
        found = {}
        if self._moments is not None:
            for i, a in enumerate(names):
                found[f"gbar_{a}"] = self._moments.mean[i]
                for j, b in enumerate(names):
                    found[f"Sigma_{a}_{b}"] = self._moments.covariance[i, j]
        return found


@lru_cache(maxsize=64)
def _jacobian(declaration: Declaration) -> sp.ImmutableDenseMatrix:
    return declaration.symmetry.jacobian


def _dot(a: Sequence[sp.Expr], b: Sequence[sp.Expr]) -> sp.Expr:
    return sp.Add(*(x * y for x, y in zip(a, b, strict=True)))


def _trace(A: sp.ImmutableDenseMatrix, B: sp.ImmutableDenseMatrix) -> sp.Expr:
    """Return Tr[AB] for a symmetric B."""
    return sp.Add(*(a * b for a, b in zip(A, B, strict=True)))


def _squared(v: Sequence[sp.Expr]) -> sp.Expr:
    return sp.Add(*(a**2 for a in v))


def _signal(of: Derived) -> sp.Expr:
    g = sp.Matrix(of.moments.mean)
    return (g.T * of.turn * g)[0, 0]


_TABLE: Mapping[str, Callable[[Derived], sp.Expr]] = {
    "charge": Derived.charge,
    "flow": lambda of: of.noise() + of.decay() - of.along(),
    "noise": Derived.noise,
    "decay": Derived.decay,
    "exact_step": Derived.step,
    "G": Derived.balance,
    "lam_star": Derived.shift,
    "potential": lambda of: (
        GAMMA * _squared(of.theta) + SIGMA2 / 2 * of.moments.covariance.trace()
    ),
    "trace_sigma": lambda of: of.moments.covariance.trace(),
    "trace_sigma_A": lambda of: _trace(of.turn, of.moments.covariance),
    "trace_sigma_A2": lambda of: _trace(of.turn * of.turn, of.moments.covariance),
    "trace_M2": lambda of: of.moments.covariance.trace() + _squared(of.moments.mean),
    "signal": _signal,
    "grad_norm2": lambda of: _squared(of.moments.mean),
    "grad_J": Derived.along,
    "loss": lambda of: of.mean_of(of.moments.losses, "loss"),
    "hessian_trace": lambda of: of.mean_of(of.curvatures(), "hessian_trace"),
    "norm2_theta": lambda of: _squared(of.theta),
    "norm2_J": lambda of: _squared(of.J),
    "theta_J": lambda of: _dot(of.theta, of.J),
}
