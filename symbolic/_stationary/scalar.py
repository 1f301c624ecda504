"""Any scalar Itô SDE: generator, zero-flux density, exact identities, its ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._exact.equality import compare
from symbolic._laws.ito import ItoProcess
from symbolic._loss import as_scalar
from symbolic._stationary.antiderivative import log_inside, primitive
from symbolic._stationary.asymptotics import leading
from symbolic._stationary.boundary import (
    Boundary,
    Ends,
    behaviour,
    classify,
    together,
)
from symbolic._verdict import Finding


_NO_VALUE = (sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I)
_KEPT = (sp.log, sp.atan, sp.Integral)


@dataclass(frozen=True, slots=True)
class ZeroFluxDensity:
    """A density with zero probability flux, up to its normalisation.

    Attributes:
        variable: its variable v.
        score: d log p/dv = (2μ − (s²)')/s².
        logarithm: log p up to a constant; where an antiderivative has no closed form
            it holds an `Integral` from `anchor`.
        anchor: where that integral starts, inside the interval.
        assumes: relations under which `logarithm` is real and right.
    """

    variable: sp.Symbol
    score: sp.Expr
    logarithm: sp.Expr
    anchor: sp.Expr | None
    assumes: tuple[sp.Basic, ...]

    @property
    def is_closed(self) -> bool:
        """Return whether log p holds no integral."""
        return not self.logarithm.has(sp.Integral)

    @property
    def expression(self) -> sp.Expr:
        """Return p as a product of powers times an exponential."""
        powers, rest = sp.S.One, sp.S.Zero
        for term in sp.Add.make_args(self.logarithm):
            logs = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.log)]
            if len(logs) == 1 and not (term / logs[0]).has(self.variable):
                powers *= logs[0].args[0] ** (term / logs[0])
            else:
                rest += term
        return powers * sp.exp(rest)

    def proof(self) -> Finding:
        """Return the finding that the derivative of `logarithm` is the score."""
        return compare(self.logarithm.diff(self.variable), self.score)


@dataclass(frozen=True, slots=True)
class Identity:
    """E[𝓛f] = 0 at stationarity: ∫p𝓛f dv is the jump of ½s²pf' between the ends.

    Attributes:
        function: f.
        expression: 𝓛f = μf' + ½s²f'', whose mean vanishes.
        boundary: at the lower and the upper end, when ½s²pf' → 0; None where
            undecided.
        integrable: likewise, when p𝓛f is integrable.
        normalisable: likewise, when p is.
    """

    function: sp.Expr
    expression: sp.Expr
    boundary: tuple[sp.Basic | None, sp.Basic | None]
    integrable: tuple[sp.Basic | None, sp.Basic | None]
    normalisable: tuple[sp.Basic | None, sp.Basic | None]

    @property
    def condition(self) -> sp.Basic | None:
        """Return all conditions together, None where one is undecided."""
        return together([*self.boundary, *self.integrable, *self.normalisable])


@dataclass(frozen=True, slots=True)
class ScalarSDE:
    """dv = μ(v)dt + s(v)dW (Itô) on an open interval where s does not vanish.

    Attributes:
        drift: μ.
        diffusion: s; only s² enters what is derived here.
        variable: v, a real symbol.
        interval: the ends, which may be −∞ and ∞.

    Raises:
        DeclarationError: for a diffusion that is 0, coefficients that are not finite
            and real, a variable that is not real, and ends out of order.

    >>> v = sp.Symbol("v", real=True)
    >>> theta, b = sp.symbols("theta b", positive=True)
    >>> ou = ScalarSDE(-theta * v, b, v, (-sp.oo, sp.oo))
    >>> ou.stationary_density().expression
    exp(-theta*v**2/b**2)
    >>> ou.identity(v**2).expression
    b**2 - 2*theta*v**2
    >>> ou.boundary(sp.oo).kind, ou.normalisable()
    ('natural', True)
    """

    drift: sp.Expr
    diffusion: sp.Expr
    variable: sp.Symbol
    interval: tuple[sp.Expr, sp.Expr]

    def __post_init__(self) -> None:
        low, high = (_end(end) for end in self.interval)
        object.__setattr__(self, "drift", as_scalar(self.drift))
        object.__setattr__(self, "diffusion", as_scalar(self.diffusion))
        object.__setattr__(self, "interval", (low, high))
        v = self.variable
        if v.is_real is not True:
            raise DeclarationError(
                f"expected a real symbol as variable, got {v}; declare it by "
                f"Symbol(..., real=True)"
            )
        if any(e.has(*_NO_VALUE) for e in (self.drift, self.diffusion)):
            raise DeclarationError(
                f"expected finite coefficients, got {self.drift} and {self.diffusion}"
            )
        used = self.drift.free_symbols | self.diffusion.free_symbols
        if any(s.name == v.name and s != v for s in used):
            raise DeclarationError(
                f"expected one symbol {v}, got two with different assumptions; use the "
                f"variable itself in drift and diffusion"
            )
        if self.diffusion.is_zero:
            raise DeclarationError("expected a diffusion that is not 0, got 0")
        if (high - low).is_extended_positive is False or v in {low, high}:
            raise DeclarationError(
                f"expected an interval (low, high) with low < high, got ({low}, {high})"
            )

    @property
    def variance(self) -> sp.Expr:
        """Return s²."""
        return self.diffusion**2

    @property
    def score(self) -> sp.Expr:
        """Return d log p/dv = (2μ − (s²)')/s² of the zero-flux density."""
        return _termwise(2 * self.drift, self.variance) - _logarithmic_derivative(
            self.variance, self.variable
        )

    def generator(self, f: sp.Expr) -> sp.Expr:
        """Return 𝓛f = μf' + ½s²f''."""
        process = ItoProcess(
            (self.variable,),
            (self.drift,),
            sp.ImmutableDenseMatrix([[self.variance]]),
        )
        return process.differential(sp.sympify(f)).drift

    def flux(self, p: sp.Expr) -> sp.Expr:
        """Return the probability flux μp − ½(s²p)' of a density p."""
        return self.drift * p - (self.variance * p).diff(self.variable) / 2

    def stationary_density(self, anchor: sp.Expr | None = None) -> ZeroFluxDensity:
        """Return the density of zero flux, p ∝ s⁻² exp ∫ 2μ/s² dv.

        Args:
            anchor: a point inside the interval from which an integral without closed
                form starts; a symbol `v_0` where None.

        Returns:
            The density up to its normalisation; whether it has one: `normalisable`.
        """
        v = self.variable
        pull = primitive(_termwise(2 * self.drift, self.variance), v, self.interval)
        logarithm = pull.closed - _plain_log(self.variance, v, self.interval)
        if pull.rest == 0:
            start = None
        else:
            start = sp.Symbol(f"{v.name}_0", real=True) if anchor is None else anchor
            t = sp.Dummy(v.name, **v.assumptions0)
            logarithm += sp.Integral(pull.rest.xreplace({v: t}), (t, start, v))
        return ZeroFluxDensity(
            v, self.score, _collected(logarithm), start, pull.assumes
        )

    def boundary(self, end: sp.Expr) -> Boundary:
        """Classify an end of the interval after Feller.

        Args:
            end: one of the two ends.

        Returns:
            Regular, exit, entrance or natural; INCONCLUSIVE with the condition of
            each kind where the symbols leave it open.

        Raises:
            DeclarationError: for a point that is no end.

        >>> x = sp.Symbol("x", positive=True)
        >>> ScalarSDE(1, sp.sqrt(x), x, (0, sp.oo)).boundary(0).kind
        'entrance'
        """
        end = sp.sympify(end)
        if end not in self.interval:
            raise DeclarationError(f"expected an end of {self.interval}, got {end}")
        return classify(end, _near(self, end)[2])

    def normalisable(self) -> sp.Basic | None:
        """Return when the zero-flux density has a finite integral; None if undecided.

        Returns:
            A condition in the symbols: True, False, or inequalities.
        """
        return self.integrable(sp.S.One)

    def integrable(self, f: sp.Expr) -> sp.Basic | None:
        """Return when ∫ p|f| dv is finite, p the zero-flux density.

        Args:
            f: a function without a pole inside the interval, such as v².

        Returns:
            A condition in the symbols; None where undecided.

        >>> v, a = sp.symbols("v a", positive=True)
        >>> ScalarSDE(1 - v, sp.sqrt(2 * a) * v, v, (0, sp.oo)).integrable(v**2)
        1 - a > 0
        """
        return together([self._integrable(sp.sympify(f), end) for end in self.interval])

    def identity(self, f: sp.Expr) -> Identity:
        """Return the exact identity E[𝓛f] = 0 with the conditions it needs.

        Args:
            f: a test function, twice differentiable inside the interval.

        Returns:
            𝓛f, and for each end when the boundary term ½s²pf' vanishes there.

        >>> v, a, b = sp.symbols("v a b", positive=True)
        >>> growth = ScalarSDE(a * v - v**2, b * v, v, (0, sp.oo))
        >>> found = growth.identity(sp.log(v))
        >>> found.expression, found.condition
        (a - b**2/2 - v, 2*a - b**2 > 0)
        """
        f = sp.sympify(f)
        image, (low, high) = self.generator(f), self.interval
        return Identity(
            f,
            image,
            (self._vanishes(f, low), self._vanishes(f, high)),
            (self._integrable(image, low), self._integrable(image, high)),
            (self._integrable(sp.S.One, low), self._integrable(sp.S.One, high)),
        )

    def _integrable(self, f: sp.Expr, end: sp.Expr) -> sp.Basic | None:
        x, inverse, ends = _near(self, end)
        found = leading(f.subs(self.variable, inverse), x)
        if ends is None or found is None:
            return None
        return sp.true if found.coefficient == 0 else ends.integrable(found.exponent)

    def _vanishes(self, f: sp.Expr, end: sp.Expr) -> sp.Basic | None:
        """Return when ½s²pf' → 0 at an end, all in the coordinate x."""
        x, inverse, ends = _near(self, end)
        slope = leading(f.subs(self.variable, inverse).diff(x), x)
        if ends is None or slope is None:
            return None
        return sp.true if slope.coefficient == 0 else ends.vanishes(slope.exponent)


@lru_cache(maxsize=128)
def _near(sde: ScalarSDE, end: sp.Expr) -> tuple[sp.Symbol, sp.Expr, Ends | None]:
    """Return x > 0, v(x) and the exponents at an end.

    x is the distance to the end, or 1/|v| at ±∞.
    """
    v, x = sde.variable, sp.Dummy("x", positive=True)
    if end == sp.oo:
        image, inverse = 1 / v, 1 / x
    elif end == -sp.oo:
        image, inverse = -1 / v, -1 / x
    elif end == sde.interval[0]:
        image, inverse = v - end, end + x
    else:
        image, inverse = end - v, end - x
    drift = sde.generator(image).subs(v, inverse)
    noise = (image.diff(v) * sde.diffusion).subs(v, inverse)
    return x, inverse, behaviour(drift, noise**2, x)


def _end(end: object) -> sp.Expr:
    """Return an end of an interval; ±∞ may come as floats."""
    if end in {float("inf"), -float("inf"), sp.oo, -sp.oo}:
        return sp.sympify(end)
    return as_scalar(end)


def _termwise(numerator: sp.Expr, denominator: sp.Expr) -> sp.Expr:
    """Divide term by term, so that factors in common cancel without expansion."""
    terms = sp.Add.make_args(numerator)
    return sp.Add(*(sp.powsimp(term / denominator) for term in terms))


def _logarithmic_derivative(f: sp.Expr, v: sp.Symbol) -> sp.Expr:
    """Return (log f)', factor by factor."""
    total = sp.S.Zero
    for factor in sp.Mul.make_args(f):
        base, exponent = factor.as_base_exp()
        total += exponent * base.diff(v) / base + exponent.diff(v) * sp.log(base)
    return total


def _plain_log(f: sp.Expr, v: sp.Symbol, interval: tuple[sp.Expr, sp.Expr]) -> sp.Expr:
    """Return log f up to a constant, factor by factor; f > 0 inside the interval."""
    total = sp.S.Zero
    for factor in sp.Mul.make_args(f):
        base, exponent = factor.as_base_exp()
        if factor.has(v) and exponent.has(v):
            total += sp.log(factor)
        elif factor.has(v):
            total += exponent * log_inside(base, v, interval)
    return total


def _collected(e: sp.Expr) -> sp.Expr:
    """Collect the coefficients of each logarithm, angle and integral."""
    parts: dict[sp.Expr, sp.Expr] = {}
    rest = sp.S.Zero
    for term in sp.Add.make_args(sp.expand_mul(e, deep=False)):
        found = [f for f in sp.Mul.make_args(term) if isinstance(f, _KEPT)]
        if len(found) == 1:
            parts[found[0]] = parts.get(found[0], sp.S.Zero) + term / found[0]
        else:
            rest += term
    for f, c in parts.items():
        rest += min(sp.expand(c), sp.factor(c), key=sp.count_ops) * f
    return rest
