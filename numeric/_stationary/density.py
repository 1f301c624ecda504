"""The stationary density of SGD on a diagonal network, as a distribution of scipy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._stationary.arguments import (
    Each,
    count,
    decay,
    over_points,
    temperatures,
)
from numeric._stationary.coordinates import Floats
from numeric._stationary.expecting import expect
from numeric._stationary.law import FastTable, Law, tabulate_law
from numeric._stationary.lines import Line
from numeric._stationary.moments import DataMoments
from numeric._stationary.panels import Panels
from numeric._stationary.reduction import Reduced, reduce_density
from numeric._stationary.summaries import Summaries, summarise


@dataclass(frozen=True, eq=False)
class StationaryDensity:
    r"""The stationary law of v = Σᵢ∏ₖ uᵢ⁽ᵏ⁾ under SGD on ``(vx − y)²``.

    Ziyin, Li, Ueda, arXiv 2308.06671, Theorem 4.2: on the balanced manifold of a
    network of N = D + 1 factors and d non-zero products of one sign, zero probability
    flux gives, on the side of zero where β₂ is,

    .. math::
        p(v) \propto \frac{v^{-3D/N}}{Q(v)} \exp\Big[-\frac1T \int
        \frac{\beta_1 v - \beta_2 + (\gamma/c)\,v^{1-2D/N}}{N c\,v^{2D/N} Q(v)}
        dv\Big], \qquad c = d^{2/N-1},

    with Q of `DataMoments`. On the other side no density is normalisable. For D = 0,
    a linear regression, v lives on the whole line. It is a law of the SDE limit:
    discrete SGD may differ from it, and diverge where it does not.

    Where nothing is normalisable, the law is an atom at 0: for D = 1 at
    ``T ≥ T_c = (β₂ − γ)/α₃``, for D > 1 at every T > 0 if γ > 0 and at none if not.
    Then `mass_at_zero` is 1, the mean is 0, the entropy −inf, the ``pdf`` inf at 0.

    Where Δ = 0, the noise ends at k = α₂/α₁. If the drift at k leads up, the support
    is (k, ∞), at every T; if down, it is (0, k), or (−∞, k) for D = 0. If there is
    none, all samples are fitted exactly, and there is no density: a `NoDensityError`.
    ``N = 1``: E v² is finite iff ``T < (β₁ + γ/d)/(d α₁)``.

    The methods are those of scipy.stats. T may be an array: then ``mean()`` and its
    like have its shape, and ``pdf(v)`` and its like broadcast v against it. Errors are
    about 1e-13 in the distribution function, unless the data make Q all but vanish.

    Attributes:
        depth: N = D + 1 ≥ 1, the number of factors.
        width: d ≥ 1, the number of non-zero products.
        moments: of the data.
        T: temperature η/S > 0, a number or an array.
        gamma: weight decay γ ≥ 0 of γ‖θ‖² (half of torch's ``weight_decay``).

    >>> law = StationaryDensity(2, 1, moments=DataMoments.gaussian(1, 1), T=0.1)
    >>> print(f"{law.mean():.6f} {law.var():.6f} {law.critical_temperature:.6f}")
    0.844936 0.251273 0.333333
    >>> print(f"{law.cdf(law.ppf(0.25)):.12f} {law.mode():.6f}")
    0.250000000000 0.803214
    >>> cold, hot = 0.01, 0.5
    >>> many = StationaryDensity(2, 1, moments=law.moments, T=[cold, hot])
    >>> many.mass_at_zero
    array([0., 1.])
    >>> many.pdf([[0.5], [1.0]]).shape
    (2, 2)
    """

    depth: int
    width: int
    moments: DataMoments = field(kw_only=True)
    T: Any = field(kw_only=True)
    gamma: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.moments, DataMoments):
            raise TypeError(
                f"expected moments of type DataMoments, got "
                f"{type(self.moments).__name__}; see DataMoments.from_samples"
            )
        for name in ("depth", "width"):
            object.__setattr__(self, name, count(name, getattr(self, name)))
        object.__setattr__(self, "gamma", decay(self.gamma))
        object.__setattr__(self, "T", temperatures(self.T))
        self._reduced  # noqa: B018 - to refuse what has no density at once

    @cached_property
    def _reduced(self) -> Reduced:
        return reduce_density(self.depth, self.width, self.moments, self.gamma)

    @cached_property
    def _collapsed(self) -> NDArray[np.bool_]:
        """Return where the law is an atom at 0, flat."""
        return np.ravel(np.asarray(self.T) >= self._reduced.critical)

    @cached_property
    def _summaries(self) -> Summaries:
        return summarise(self._reduced, np.ravel(self.T)[~self._collapsed])

    @cached_property
    def _panels(self) -> list[Panels]:
        return self._summaries.chunks()

    @cached_property
    def _laws(self) -> dict[int, Law]:
        return {}

    def _law(self, k: int) -> Law:
        """Return the law at the k-th temperature of those with a density."""
        if k not in self._laws:
            summaries = self._summaries
            rate = summaries.left_rate()
            self._laws[k] = tabulate_law(
                summaries.table,
                float(summaries.t[k]),
                None if rate is None else float(rate[k]),
            )
        return self._laws[k]

    @cached_property
    def _fast(self) -> dict[int, FastTable | None]:
        return {}

    def _fast_table(self, k: int) -> FastTable | None:
        """Return the fast table of the k-th law, where it has one."""
        if k not in self._fast:
            self._fast[k] = self._law(k).fast_table(math.log(self._reduced.scale))
        return self._fast[k]

    @property
    def critical_temperature(self) -> float:
        """T from which on the law is an atom at 0: inf where none, 0 where every T."""
        return self._reduced.critical

    @property
    def mass_at_zero(self) -> Any:
        """1 where the law is an atom at 0, else 0."""
        return self._shaped(self._collapsed.astype(np.float64))

    def _shaped(self, values: Floats) -> Any:
        """Return values, one for each temperature, in the shape of T."""
        return values.reshape(np.shape(self.T))[()]

    def _over_temperatures(self, at_zero: float, live: Callable[[], Floats]) -> Any:
        """Return a number for each temperature."""
        result = np.full(self._collapsed.shape, at_zero)
        if not self._collapsed.all():
            result[~self._collapsed] = live()
        return self._shaped(result)

    def _over_panels(self, at_zero: float, each: Callable[[Panels], Floats]) -> Any:
        """Return a number for each temperature, from its panels."""
        return self._over_temperatures(
            at_zero, lambda: np.concatenate([each(part) for part in self._panels])
        )

    def mean(self) -> Any:
        """Return E v."""
        return self.moment(1)

    def var(self) -> Any:
        """Return Var v, inf where it diverges (D = 0 only)."""
        return self._over_panels(0.0, lambda part: self._summaries.central(part, 2))

    def std(self) -> Any:
        """Return √Var v."""
        return np.sqrt(self.var())

    def moment(self, order: float) -> Any:
        """Return E vᵏ, inf where it diverges.

        For D ≥ 1 that is k ≥ 4 − 3/N, at every temperature.

        Args:
            order: k, whole and ≥ 0 where v takes both signs; any number where v > 0.

        Returns:
            The moment at each temperature.

        Raises:
            ValueError: the moment does not exist: an odd one, divergent on both
                sides, or a fractional power of negative numbers.
        """
        k = float(order)
        if not math.isfinite(k):
            raise ValueError(f"expected a finite order, got {order!r}")
        signed = self._reduced.low < 0 or self._reduced.sign < 0
        if signed and not (k.is_integer() and (k >= 0 or self._reduced.low >= 0)):
            raise ValueError(
                f"expected a whole order >= 0 where v takes negative values, got "
                f"{order!r}"
            )
        self._require_one_sided(k)
        at_zero = 1.0 if k == 0 else (0.0 if k > 0 else math.inf)
        return self._over_panels(at_zero, lambda part: self._summaries.moment(part, k))

    def _require_one_sided(self, k: float) -> None:
        """Raise an error where ∞ − ∞ would be the moment."""
        if not isinstance(self._reduced.coordinate, Line) or k % 2 == 0:
            return
        if (1 + 1 / self._summaries.t <= k).any():
            raise ValueError(
                f"expected an order below 1 + (beta1 + gamma/d)/(d alpha1 T), or an "
                f"even one, got {k:g}: the moment diverges on both sides of 0"
            )

    def stats(self, moments: str = "mv") -> Any:
        """Return several of mean, variance, skewness and excess kurtosis.

        The skewness is ±inf where E v³ diverges, for 1 < N ≤ 3 always, and nan where
        it diverges on both sides of 0, where Var v does, and for an atom; the kurtosis
        is inf where E v⁴ diverges, which for N > 1 is always.

        Args:
            moments: letters among m, v, s and k.

        Returns:
            A tuple in the order m, v, s, k; for one letter, what it stands for.

        Raises:
            ValueError: other letters, or none.
        """
        if not moments or set(str(moments)) - set("mvsk"):
            raise ValueError(
                f"expected moments of letters among m, v, s and k, got {moments!r}"
            )
        each = {"m": self.mean, "v": self.var, "s": self._skew, "k": self._kurtosis}
        found = tuple(value() for letter, value in each.items() if letter in moments)
        return found if len(found) > 1 else found[0]

    def _skew(self) -> Any:
        return self._standardised(3)

    def _kurtosis(self) -> Any:
        return self._standardised(4) - 3

    def _standardised(self, order: int) -> Any:
        """Return E (v − E v)ᵏ/(Var v)^{k/2}, nan where there is no such thing."""

        def each(part: Panels) -> Floats:
            with np.errstate(invalid="ignore"):  # ∞ − ∞ and ∞/∞ are the nan promised
                spread = self._summaries.central(part, 2)
                return self._summaries.central(part, order) / spread ** (order / 2)

        return self._over_panels(math.nan, each)

    def expect(
        self,
        func: Callable[[float], float] | None = None,
        lb: float | None = None,
        ub: float | None = None,
        conditional: bool = False,
    ) -> Any:
        """Return E f(v), by adaptive quadrature in the probability.

        Args:
            func: f, of a float; the identity by default. It should be continuous: put
                jumps into `lb` and `ub`.
            lb: lower end of what is integrated over, by default of the support.
            ub: upper end.
            conditional: whether to divide by the probability of [lb, ub].

        Returns:
            The expectation at each temperature.

        Raises:
            TypeError: for what is not a function of a number, or has values that are
                not real numbers.
            ValueError: for an end that is no number, where [lb, ub] has no probability
                to divide by, and where the quadrature does not converge, as where the
                expectation diverges.

        >>> law = StationaryDensity(2, 1, moments=DataMoments.gaussian(1, 1), T=0.1)
        >>> print(f"{law.expect(lambda v: v * v):.9f} {law.moment(2):.9f}")
        0.965190587 0.965190587
        """
        if not (func is None or callable(func)):
            raise TypeError(f"expected a function of a number, got {func!r}")
        try:
            low = -math.inf if lb is None else float(lb)
            high = math.inf if ub is None else float(ub)
        except (TypeError, ValueError):
            low = high = math.nan
        if math.isnan(low) or math.isnan(high):
            raise ValueError(f"expected numbers lb and ub, got {lb!r} and {ub!r}")
        function = float if func is None else func
        found = []
        for T in np.ravel(self.T):
            law = replace(self, T=float(T))
            found.append(expect(law, function, low, high, conditional=conditional))
        return self._shaped(np.array(found))

    def entropy(self) -> Any:
        """Return the differential entropy −E log p(v), −inf for an atom."""
        return self._over_panels(-math.inf, lambda part: self._summaries.entropy(part))

    def mode(self) -> Any:
        """Return where the density is highest: 0 where it is infinite there."""
        return self._over_temperatures(0.0, self._modes)

    def peak(self) -> Any:
        """Return the highest local maximum with v ≠ 0, nan where there is none.

        For D = 1 and T_c/3 < T < T*, it is there though the density is infinite at 0.
        """
        return self._over_temperatures(
            math.nan, lambda: np.where(np.isfinite(self._tops), self._peaks(), math.nan)
        )

    @cached_property
    def _tops(self) -> Floats:
        return self._summaries.mode()

    def _peaks(self) -> Floats:
        return self._reduced.point(self._tops)

    def _modes(self) -> Floats:
        s = self._tops
        result = np.where(np.isfinite(s), self._peaks(), 0.0)
        for k, top in enumerate(s):
            limit = self._limit_at_zero(k)
            if limit and math.isfinite(top):
                here = self._law(k).log_density(s[[k]])[0]
                if math.log(limit) >= here - math.log(self._reduced.scale):
                    result[k] = 0.0
        return result

    def _limit_at_zero(self, k: int) -> float:
        """Return lim p(v) for v → 0 at the k-th temperature with a density, D ≥ 1."""
        critical, T = self._reduced.critical, float(self._summaries.T[k])
        if not math.isfinite(critical) or critical > 3 * T:
            return 0.0
        if critical < 3 * T:
            return math.inf
        edge = self._summaries.table.edges[:1]
        return float(np.exp(self._law(k).log_density(edge))[0]) / self._reduced.scale

    def support(self) -> tuple[Any, Any]:
        """Return the ends of the support; (0, 0) for an atom."""
        low, high = self._reduced.low, self._reduced.high
        if self._reduced.sign < 0:
            low, high = -high, -low
        ends = (np.where(self._collapsed, 0.0, end + 0.0) for end in (low, high))
        first, last = (self._shaped(end) for end in ends)
        return first, last

    def logpdf(self, v: ArrayLike) -> Any:
        """Return log p(v)."""
        return self._at(v, lambda k, part, _: self._log_density(k, part))

    def pdf(self, v: ArrayLike) -> Any:
        """Return p(v)."""
        return self._at(v, self._density)

    def _density(self, k: int, v: Floats, many: bool) -> Floats:
        """Return p(v) at one temperature."""
        if not many or k < 0:
            return np.asarray(np.exp(self._log_density(k, v)))
        s, inside = self._reduced.position(v)
        fast, scale = self._fast_table(k), math.log(self._reduced.scale)
        values = self._law(k).density(s, scale, fast)
        if len(values) == len(v):
            return values
        result = np.zeros_like(v)
        result[inside] = values
        result[v == 0] = np.exp(self._log_density(k, np.zeros(1)))[0]
        return result

    def _log_density(self, k: int, v: Floats) -> Floats:
        """Return log p(v) at one temperature; k < 0 for the atom."""
        if k < 0:
            return np.where(v == 0, math.inf, -math.inf)
        result = np.full_like(v, -math.inf)
        s, inside = self._reduced.position(v)
        result[inside] = self._law(k).log_density(s) - math.log(self._reduced.scale)
        zero = v == 0
        if zero.any() and self.depth > 1 and self._reduced.low == 0:
            with np.errstate(divide="ignore"):
                result[zero] = np.log(self._limit_at_zero(k))
        return result

    def cdf(self, v: ArrayLike) -> Any:
        """Return P(V ≤ v)."""
        return self._at(v, lambda k, part, _: self._probability(k, part, False))

    def sf(self, v: ArrayLike) -> Any:
        """Return P(V > v), with its own digits."""
        return self._at(v, lambda k, part, _: self._probability(k, part, True))

    def logcdf(self, v: ArrayLike) -> Any:
        """Return log P(V ≤ v), also where that is below the least float."""
        return self._at(v, lambda k, part, _: self._log_probability(k, part, False))

    def logsf(self, v: ArrayLike) -> Any:
        """Return log P(V > v), also where that is below the least float."""
        return self._at(v, lambda k, part, _: self._log_probability(k, part, True))

    def _certain(self, k: int, v: Floats, upper: bool) -> Floats:
        """Return P(V ≤ v) or P(V > v) for v outside of the support, k < 0: the atom."""
        low, high = self._reduced.low, self._reduced.high
        top = high if self._reduced.sign > 0 else -low
        beyond = v >= (0.0 if k < 0 else top)
        return np.where(beyond != upper, 1.0, 0.0)

    def _probability(self, k: int, v: Floats, upper: bool) -> Floats:
        """Return P(V ≤ v) or P(V > v) at one temperature."""
        result = self._certain(k, v, upper)
        if k >= 0:
            s, inside = self._reduced.position(v)
            turned = upper != (self._reduced.sign < 0)
            result[inside] = self._law(k).sf(s) if turned else self._law(k).cdf(s)
        return result

    def _log_probability(self, k: int, v: Floats, upper: bool) -> Floats:
        """Return log P(V ≤ v) or log P(V > v) at one temperature."""
        with np.errstate(divide="ignore"):
            result = np.log(self._certain(k, v, upper))
        if k >= 0:
            s, inside = self._reduced.position(v)
            turned = upper != (self._reduced.sign < 0)
            result[inside] = self._law(k).log_probability(s, upper=turned)
        return result

    def ppf(self, q: ArrayLike) -> Any:
        """Return v with P(V ≤ v) = q, nan where q is not in [0, 1]."""
        return self._at(q, lambda k, part, _: self._quantile(k, part, False))

    def isf(self, q: ArrayLike) -> Any:
        """Return v with P(V > v) = q, nan where q is not in [0, 1]."""
        return self._at(q, lambda k, part, _: self._quantile(k, part, True))

    def _quantile(self, k: int, q: Floats, upper: bool) -> Floats:
        result = np.full_like(q, math.nan)
        inside = (q >= 0) & (q <= 1)
        if k < 0:
            result[inside] = 0.0
            return result
        turned = upper != (self._reduced.sign < 0)
        s = self._law(k).quantile(q[inside], upper=turned)
        result[inside] = self._reduced.point(s)
        return result

    def median(self) -> Any:
        """Return the median."""
        return self.ppf(np.full(np.shape(self.T), 0.5))

    def interval(self, confidence: float) -> tuple[Any, Any]:
        """Return the ends of the interval with equal tails.

        Args:
            confidence: the probability between them, in [0, 1].

        Returns:
            The lower and the upper end.

        Raises:
            ValueError: the probability is not in [0, 1].
        """
        if not 0 <= confidence <= 1:
            raise ValueError(f"expected confidence in [0, 1], got {confidence!r}")
        rest = np.full(np.shape(self.T), (1 - confidence) / 2)
        return self.ppf(rest), self.isf(rest)

    def rvs(
        self,
        size: int | tuple[int, ...] | None = None,
        random_state: int | np.random.Generator | None = None,
    ) -> Any:
        """Draw independent samples, by inversion.

        Args:
            size: shape of the result, against which T is broadcast; by default that
                of T.
            random_state: a seed, a generator, or None for a fresh one.

        Returns:
            The samples.

        Raises:
            ValueError: T cannot be broadcast to the size.
        """
        shape = np.shape(self.T) if size is None else np.empty(size).shape
        if np.broadcast_shapes(shape, np.shape(self.T)) != shape:
            raise ValueError(
                f"expected a size to which T of shape {np.shape(self.T)} can be "
                f"broadcast, got {shape}"
            )
        u = np.random.default_rng(random_state).random(shape)
        return self.ppf(np.maximum(u, 2.0**-54))

    def _at(self, v: ArrayLike, each: Each) -> Any:
        """Apply a function of (temperature, points, many) to points; -1: the atom."""
        live = np.cumsum(~self._collapsed) - 1
        owners = np.where(self._collapsed, -1, live).reshape(np.shape(self.T))
        return over_points(v, owners, each)
