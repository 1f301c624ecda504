"""The derived quantities at an instance, by dual numbers, jets and whole steps.

Nothing here looks at what `derive` found, but for the charge of a nonlinear J.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement

import sympy as sp

from numeric import certify_equilibrium
from symbolic import Declaration
from verify._exact import NotRational, apply, covariance, dot, trace_product
from verify._fields import Local, charge_of, product, total
from verify._instances import Instance
from verify._jets import Number, along, ball, line
from verify._user_claims._available import missing
from verify._user_claims._orbits import integer_spectrum
from verify._user_claims._values import value_of


MAX_MINIBATCHES = 200
_BITS = 400  # of an enclosure of λ*


class Place(Local):
    """An instance at a point of its own, which need not be rational.

    Its gradients are worked out when first looked at.

    Args:
        instance: what it is.
        lift: `Fraction`, or `ball`.
        numbers: θ, n numbers.
        elsewhere: whether that is not the instance's own point.
    """

    __slots__ = ("_known", "elsewhere", "numbers")
    numbers: tuple[Number, ...]
    elsewhere: bool
    _known: tuple[tuple[Number, ...], ...] | None

    def __init__(
        self,
        instance: Instance,
        lift: Callable[[Fraction], Number],
        numbers: tuple[Number, ...],
        elsewhere: bool,
    ) -> None:
        for name, value in (
            ("instance", instance),
            ("lift", lift),
            ("numbers", numbers),
            ("elsewhere", elsewhere),
            ("_known", None),
        ):
            object.__setattr__(self, name, value)

    @property
    def theta(self) -> tuple[Number, ...]:
        """Return θ."""
        return self.numbers

    @property
    def gradients(self) -> tuple[tuple[Number, ...], ...]:
        """Return the N per-sample gradients, n numbers each; () without a loss."""
        found = self._known
        if found is None:
            found = _gradients_at(self.instance, self.numbers, self.lift)
            object.__setattr__(self, "_known", found)
        return found


def place_of(
    instance: Instance,
    lift: Callable[[Fraction], Number],
    theta: Sequence[Number] | None = None,
) -> Place:
    """Return an instance in one kind of numbers.

    Args:
        instance: what to look at.
        lift: `Fraction`, or `ball`.
        theta: another point, in these numbers; the instance's own where None.

    Returns:
        The place.
    """
    numbers = tuple(map(lift, instance.theta)) if theta is None else tuple(theta)
    return Place(instance, lift, numbers, theta is not None)


def _gradients_at(
    instance: Instance,
    numbers: tuple[Number, ...],
    lift: Callable[[Fraction], Number],
) -> tuple[tuple[Number, ...], ...]:
    if instance.declaration.loss is None:
        return ()
    if lift is Fraction:
        return instance.gradients(numbers)
    one, zero = lift(Fraction(1)), lift(Fraction(0))
    n = range(len(numbers))
    axes = [[one if i == j else zero for j in n] for i in n]
    return tuple(
        tuple(_along_axis(instance, row, numbers, axis, lift)[1] for axis in axes)
        for row in instance.samples
    )


def _along_axis(
    instance: Instance,
    row: Sequence[Fraction],
    theta: Sequence[Number],
    axis: Sequence[Number],
    lift: Callable[[Fraction], Number],
) -> tuple[Number, Number, Number]:
    """Return value, slope and bend of one sample's loss along an axis."""
    loss = instance.declaration.loss
    assert loss is not None
    zero = lift(Fraction(0))
    fixed = {
        symbol: (lift(value), zero, zero)
        for symbol, value in zip(loss.data.symbols, row, strict=True)
    }
    point = dict(zip(loss.space.symbols, theta, strict=True))
    jet = along(loss.expression, fixed | line(point, axis), lift)
    return jet.value, jet.slope, jet.bend


class Exact:
    """The quantities of an instance, each worked out when first asked for.

    Args:
        place: where.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._known: dict[str, Number] = {}

    def __call__(self, name: str) -> Number:
        """Return a quantity, a parameter entry or a number of the training.

        Args:
            name: one of `QUANTITIES` and NUMBERS, or an entry of a parameter.

        Returns:
            A rational, or a ball.
        """
        if name not in self._known:
            self._known[name] = self._value(name)
        return self._known[name]

    def _value(self, name: str) -> Number:
        place = self._place
        own = [symbol.name for symbol in place.declaration.space.symbols]
        if name in own:
            return place.theta[own.index(name)]
        instance = place.instance
        numbers = {
            "gamma": instance.gamma,
            "sigma2": instance.sigma2,
            "eta": instance.eta,
            "S": Fraction(instance.batch_size),
        }
        if name in numbers:
            return place.lift(numbers[name])
        reason = missing(name, instance.declaration)
        if reason is not None:
            raise NotRational(reason)
        return _TABLE[name](place)


def _charge_at(place: Place, theta: Sequence[Number]) -> Number:
    declaration = place.declaration
    symbols = declaration.space.symbols
    known = dict(zip(symbols, theta, strict=True))
    return value_of(charge_of(declaration), known.__getitem__, place.lift)


def _charge(place: Place) -> Number:
    return _charge_at(place, place.theta)


def _noise(place: Place) -> Number:
    return place.lift(place.instance.sigma2) * place.noise()


def _decay(place: Place) -> Number:
    return -2 * place.gamma * place.along_field()


def _grad_J(place: Place) -> Number:  # noqa: N802 - J is J
    return product(place.centre, place.field())


def _flow(place: Place) -> Number:
    return _noise(place) + _decay(place) - _grad_J(place)


def _balance(place: Place) -> Number:
    return _noise(place) + _decay(place)


def _step(place: Place) -> Number:
    """Return E[C'] − C: whole steps, over every minibatch.

    Raises:
        NotRational: for too many of them.
    """
    N, S = len(place.gradients), place.instance.batch_size
    if math.comb(N + S - 1, S) > MAX_MINIBATCHES:
        raise NotRational("too many minibatches")
    eta, change = place.lift(place.instance.eta), []
    for chosen in combinations_with_replacement(range(N), S):
        ways = math.factorial(S)
        for times in Counter(chosen).values():
            ways //= math.factorial(times)
        parts = zip(*(place.gradients[k] for k in chosen), strict=True)
        v = place.step([total(part) / S for part in parts])
        moved = [t - eta * a for t, a in zip(place.theta, v, strict=True)]
        change.append(ways * _charge_at(place, moved))
    return total(change) / N**S - _charge(place)


def _trace_sigma(place: Place) -> Number:
    return total(product(c, c) for c in place.centred) / len(place.gradients)


def _trace_sigma_A2(place: Place) -> Number:  # noqa: N802 - A is A
    rows = []
    for c in place.centred:
        turned = _pushed(place, c)
        rows.append(product(c, _pushed(place, turned)))
    return total(rows) / len(rows)


def _pushed(place: Place, v: Sequence[Number]) -> list[Number]:
    """Return ∂J v."""
    return [place.jet(entry, v).slope for entry in place.declaration.symmetry.generator]


def _potential(place: Place) -> Number:
    half = place.lift(place.instance.sigma2 / 2)
    norm = product(place.theta, place.theta)
    return place.gamma * norm + half * _trace_sigma(place)


def _second(place: Place) -> Number:
    return total(product(g, g) for g in place.gradients) / len(place.gradients)


def _signal(place: Place) -> Number:
    return place.curvature(place.centre)


def _loss(place: Place) -> Number:
    loss = place.declaration.loss
    assert loss is not None
    values = []
    for row in place.instance.samples:
        known = dict(zip(loss.space.symbols, place.theta, strict=True))
        known |= dict(zip(loss.data.symbols, map(place.lift, row), strict=True))
        values.append(value_of(loss.expression, known.__getitem__, place.lift))
    return total(values) / len(values)


def _hessian_trace(place: Place) -> Number:
    one, zero = place.lift(Fraction(1)), place.lift(Fraction(0))
    n = range(len(place.theta))
    bends = [
        2
        * _along_axis(
            place.instance,
            row,
            place.theta,
            [one if i == j else zero for j in n],
            place.lift,
        )[2]
        for row in place.instance.samples
        for i in n
    ]
    return total(bends) / len(place.instance.samples) + 2 * len(n) * place.gamma


def _lam_star(place: Place) -> Number:
    """Return λ* as a ball, from a rational instance.

    Raises:
        NotRational: where it is not finite, or nothing here encloses it.
    """
    if place.lift is Fraction:
        raise NotRational("λ* is a logarithm")
    instance = place.instance
    if place.elsewhere:
        raise NotRational("λ* is enclosed at rational points only")
    lower, upper = _enclosed(
        instance.declaration,
        instance.samples,
        instance.theta,
        instance.sigma2,
        instance.gamma,
    )
    return ball(lower).union(ball(upper))


@lru_cache(maxsize=256)
def _enclosed(
    declaration: Declaration,
    samples: tuple[tuple[Fraction, ...], ...],
    theta: tuple[Fraction, ...],
    sigma2: Fraction,
    gamma: Fraction,
) -> tuple[Fraction, Fraction]:
    """Return rational bounds of λ*.

    Raises:
        NotRational: where it is not finite.
    """
    found = integer_spectrum(declaration)
    if found is None:
        raise NotRational("the eigenvalues of A are not rational")
    scale, projectors = found
    loss = declaration.loss
    assert loss is not None
    at = Instance(declaration, samples, theta, Fraction(1), gamma, 1)
    Sigma = covariance(at.gradients())
    certificate = certify_equilibrium(
        [mu for mu, _ in projectors],
        [trace_product(P, Sigma) for _, P in projectors],
        [dot(theta, apply(P, theta)) for _, P in projectors],
        sigma2=sigma2,
        gamma=gamma,
        bits=_BITS,
    )
    ends = certificate.lower, certificate.upper
    if certificate.degeneracy is not None or not all(
        isinstance(end, int | Fraction) for end in ends
    ):
        raise NotRational("λ* is not finite")
    # Along nA the orbit is followed n times as fast.
    return Fraction(ends[0]) * scale, Fraction(ends[1]) * scale


def _norm(v: Sequence[Number]) -> Number:
    return product(v, v)


_TABLE: Mapping[str, Callable[[Place], Number]] = {
    "charge": _charge,
    "flow": _flow,
    "noise": _noise,
    "decay": _decay,
    "exact_step": _step,
    "G": _balance,
    "lam_star": _lam_star,
    "potential": _potential,
    "trace_sigma": _trace_sigma,
    "trace_sigma_A": lambda place: place.noise(),
    "trace_sigma_A2": _trace_sigma_A2,
    "trace_M2": _second,
    "signal": _signal,
    "grad_norm2": lambda place: _norm(place.centre),
    "grad_J": _grad_J,
    "loss": _loss,
    "hessian_trace": _hessian_trace,
    "norm2_theta": lambda place: _norm(place.theta),
    "norm2_J": lambda place: _norm(place.field()),
    "theta_J": lambda place: place.along_field(),
}


def side(expression: sp.Expr, quantities: Exact, place: Place) -> Number:
    """Return one side of a claim at an instance.

    Args:
        expression: in parameters, numbers and quantities.
        quantities: those of the instance.
        place: where they are taken.
    """
    return value_of(expression, lambda symbol: quantities(symbol.name), place.lift)
