"""The noise equilibrium as a root, its gradient, and where it is not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, lcm

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._laws.ito import covariance_symbols, gamma, sigma2
from symbolic._orbits.balance import Equilibrium, spectral_projectors
from symbolic._symmetry import Symmetry


z = sp.Symbol("z", positive=True)  # e^{2gλ}

_Weights = dict[int, sp.Expr]  # power p ≥ 1 → weight


@dataclass(frozen=True, slots=True)
class Characteristic:
    """G(θ_λ) as a polynomial equation, where the eigenvalues are multiples of one g.

    With z = e^{2gλ} > 0, G(θ_λ) = Σ_p up_p z^{−p} − Σ_p down_p z^p and all weights are
    non-negative for γ ≥ 0: P has one change of sign and so, by Descartes' rule, one
    positive root where neither side is empty. It gives λ* = ln z/(2g).

    Attributes:
        unit: g > 0, with every μ_k/g an integer, as large as can be.
        up: power p → weight of what pushes C up.
        down: power p → weight of what pushes C down.
    """

    unit: sp.Expr
    up: tuple[tuple[int, sp.Expr], ...]
    down: tuple[tuple[int, sp.Expr], ...]

    @property
    def shift(self) -> int:
        """Return the power of z that G is multiplied by."""
        return max((p for p, _ in self.up), default=0)

    @property
    def polynomial(self) -> sp.Expr:
        """Return P(z) = z^shift G, with the same positive roots as G."""
        rising = (w * z ** (self.shift - p) for p, w in self.up)
        falling = (-w * z ** (self.shift + p) for p, w in self.down)
        return sp.Add(*rising, *falling)

    @property
    def degree(self) -> int:
        """Return the degree of P."""
        exponents = [self.shift - p for p, _ in self.up]
        exponents += [self.shift + p for p, _ in self.down]
        return max(exponents, default=0)

    @property
    def root(self) -> sp.Expr | None:
        """Return the positive root of P where it is linear or quadratic in some z^k.

        None where it is neither, or where one side is empty and no root exists.
        """
        found = self._power_of_root()
        return None if found is None else found[0] ** sp.Rational(1, found[1])

    @property
    def closed_form(self) -> sp.Expr | None:
        """Return λ* = ln z/(2g) where the root has a closed form, else None."""
        found = self._power_of_root()
        return None if found is None else sp.log(found[0]) / (2 * self.unit * found[1])

    def _power_of_root(self) -> tuple[sp.Expr, int] | None:
        """Return z^k and k."""
        if not self.up or not self.down:
            return None
        powers = {self.shift - p: w for p, w in self.up}
        powers |= {self.shift + p: -w for p, w in self.down}
        low = min(powers)
        k = gcd(*(p - low for p in powers))
        c = {(p - low) // k: w for p, w in powers.items()}
        if set(c) == {0, 1}:
            return c[0] / -c[1], k
        if set(c) == {0, 1, 2}:
            return _quadratic(c, rising=len(self.up) == 2), k
        return None


def _quadratic(c: _Weights, *, rising: bool) -> sp.Expr:
    """Return the positive root of c₀ + c₁w + c₂w², c₀ ≥ 0 ≥ c₂, without cancellation.

    Args:
        c: the coefficients.
        rising: whether c₁ ≥ 0.

    Returns:
        The root, written so that c₁ is added to the square root with its own sign.
    """
    under = sp.sqrt(c[1] ** 2 - 4 * c[0] * c[2])
    return (c[1] + under) / (-2 * c[2]) if rising else 2 * c[0] / (under - c[1])


def characteristic(
    equilibrium: Equilibrium, *, decay: bool = True
) -> Characteristic | None:
    """Return the polynomial equation of the noise equilibrium.

    Args:
        equilibrium: of an exponential symmetry.
        decay: whether γ stays. Without it more cases have closed forms, and σ² is
            divided out of G: it scales all of it.

    Returns:
        The equation, or None where the eigenvalues are no rational multiples of one
        number of known sign, or are all 0.

    >>> from symbolic._orbits.balance import noise_equilibrium_equation
    >>> from symbolic._space import ParameterSpace
    >>> s = Symmetry.exponential(ParameterSpace(u=(), w=()), [[1, 0], [0, -2]])
    >>> found = characteristic(noise_equilibrium_equation(s), decay=False)
    >>> found.polynomial
    Sigma_u_u - 2*Sigma_w_w*z**3
    >>> found.closed_form
    log(Sigma_u_u/(2*Sigma_w_w))/6
    """
    powers = _integer_spectrum(equilibrium.eigenvalues)
    if powers is None:
        return None
    unit, multiples = powers
    unit_noise = sigma2 if decay else sp.S.One
    up, down = _Weights(), _Weights()
    for k, t, s in zip(multiples, equilibrium.t, equilibrium.s, strict=True):
        size = abs(k) * unit
        noise, fall = (
            unit_noise * size * s,
            2 * gamma * size * t if decay else sp.S.Zero,
        )
        for side, weight in (
            ((up, noise), (down, fall))
            if k > 0
            else (
                (down, noise),
                (up, fall),
            )
        ):
            if k and not weight.is_zero:
                side[abs(k)] = side.get(abs(k), sp.S.Zero) + weight
    return Characteristic(unit, tuple(sorted(up.items())), tuple(sorted(down.items())))


def _integer_spectrum(
    mu: Sequence[sp.Expr],
) -> tuple[sp.Expr, tuple[int, ...]] | None:
    """Return g > 0 and the integers μ_k/g, as small as can be."""
    live = [m for m in mu if not m.is_zero]
    if not live:
        return None
    first = -live[0] if live[0].is_negative else live[0]
    ratios = [sp.cancel(m / first) for m in mu]
    if not first.is_positive or not all(r.is_Rational for r in ratios):
        return None
    scale = lcm(*(int(r.q) for r in ratios))
    common = gcd(*(int(r * scale) for r in ratios))
    return first * common / scale, tuple(int(r * scale) // common for r in ratios)


# ------------------------------------------------------------------ degenerate cases


@dataclass(frozen=True, slots=True)
class DegenerateCase:
    """When λ* is no finite number (P1, Theorem 1.2).

    Attributes:
        name: the class, as the certificates name it.
        acts: expressions that are > 0.
        vanish: expressions that are 0.
        shift: λ*: ∞, −∞, or nan where G ≡ 0 and every λ is a zero.
    """

    name: str
    acts: tuple[sp.Expr, ...]
    vanish: tuple[sp.Expr, ...]
    shift: sp.Expr

    def holds(self, values: Mapping[sp.Symbol, sp.Rational]) -> bool:
        """Decide whether this is the case at an exact point."""
        at = dict(values)
        return all(e.xreplace(at).is_positive for e in self.acts) and all(
            e.xreplace(at).is_zero for e in self.vanish
        )


def degenerate_cases(equilibrium: Equilibrium) -> tuple[DegenerateCase, ...]:
    """Return every way in which this equilibrium can fail to be finite, for γ ≥ 0.

    The four sums that push C, noise and decay at either sign of μ, act or vanish; each
    pattern in which one side is empty gives a case. Together with "both sides act",
    where λ* is finite, the cases are exhaustive and exclude each other.

    Args:
        equilibrium: of an exponential symmetry, its eigenvalues of known sign.

    Returns:
        The cases; their limits are those of G.

    Raises:
        DeclarationError: where an eigenvalue has no known sign.

    >>> from symbolic._orbits.balance import noise_equilibrium_equation
    >>> from symbolic._space import ParameterSpace
    >>> s = Symmetry.exponential(ParameterSpace(u=()), [[1]])
    >>> for case in degenerate_cases(noise_equilibrium_equation(s)):
    ...     print(case.name, case.acts, case.vanish, case.shift)
    no-noise-no-decay () (Sigma_u_u*sigma2, 2*gamma*u**2) nan
    decay-alone (2*gamma*u**2,) (Sigma_u_u*sigma2,) -oo
    semidefinite-without-decay (Sigma_u_u*sigma2,) (2*gamma*u**2,) oo
    """
    forces = _forces(equilibrium)
    if not forces:
        return (DegenerateCase("zero-generator", (), (), sp.nan),)
    indefinite = len({sign for _, sign, _ in forces}) == 2
    cases = []
    for pattern in product((False, True), repeat=len(forces)):
        pairs = list(zip(forces, pattern, strict=True))
        acting = [(noisy, sign) for (noisy, sign, _), acts in pairs if acts]
        pushes = {sign if noisy else -sign for noisy, sign in acting}
        if len(pushes) == 2:
            continue
        shift = sp.oo * pushes.pop() if pushes else sp.nan
        cases.append(
            DegenerateCase(
                _named({noisy for noisy, _ in acting}, indefinite=indefinite),
                tuple(force for (_, _, force), acts in pairs if acts),
                tuple(force for (_, _, force), acts in pairs if not acts),
                shift,
            )
        )
    return tuple(cases)


def _forces(equilibrium: Equilibrium) -> list[tuple[bool, int, sp.Expr]]:
    """Return (is noise, sign of μ, sum of |μ|s or |μ|t) for what is there."""
    found = []
    triples = list(
        zip(equilibrium.eigenvalues, equilibrium.s, equilibrium.t, strict=True)
    )
    for m, _, _ in triples:
        if not (m.is_positive or m.is_negative or m.is_zero):
            raise DeclarationError(
                f"expected eigenvalues of known sign, got {m}; assume its constants "
                f"positive"
            )
    for noisy, sign in product((True, False), (1, -1)):
        side = [(m, s, t) for m, s, t in triples if (sign * m).is_positive]
        if side:
            parts = (
                sign * m * (sigma2 * s if noisy else 2 * gamma * t) for m, s, t in side
            )
            found.append((noisy, sign, sp.Add(*parts)))
    return found


def _named(acting: set[bool], *, indefinite: bool) -> str:
    """Name a case by whether noise (True) and decay (False) act."""
    if acting == {True}:
        return "one-sided-noise" if indefinite else "semidefinite-without-decay"
    return {
        frozenset[bool](): "no-noise-no-decay",
        frozenset({False}): "decay-alone",
        frozenset({True, False}): "noise-with-decay",
    }[frozenset(acting)]


# ------------------------------------------------------------------------ derivative


def equilibrium_gradient(
    symmetry: Symmetry,
    equilibrium: Equilibrium,
    covariance: sp.ImmutableDenseMatrix | None = None,
) -> tuple[sp.Expr, ...]:
    """Return ∇λ* = −(∂_λG)⁻¹∇_θG by the implicit function theorem (Theorem 1.4).

    Args:
        symmetry: the exponential symmetry.
        equilibrium: its equilibrium.
        covariance: Σ(θ), shape (n, n); where None, Σ does not move with θ.

    Returns:
        n expressions in θ and `lam`, which stands for λ*.

    Raises:
        DeclarationError: where the equilibrium is not written in θ, because A has
            eigenvalues without a closed form.

    >>> from symbolic._orbits.balance import noise_equilibrium_equation
    >>> from symbolic._space import ParameterSpace
    >>> s = Symmetry.exponential(ParameterSpace(u=()), [[1]])
    >>> equilibrium_gradient(s, noise_equilibrium_equation(s))[0].subs(gamma, 0)
    0
    """
    theta = symmetry.space.symbols
    A = symmetry.matrix
    if A is None or spectral_projectors(A) is None:
        raise DeclarationError(
            "expected an equilibrium written in theta, got eigenvalues without a "
            "closed form"
        )
    names = covariance_symbols(symmetry.space)
    G, slope = equilibrium.balance, equilibrium.slope
    if covariance is not None:
        explicit = dict(zip(names, covariance, strict=True))
        G, slope = G.xreplace(explicit), slope.xreplace(explicit)
    return tuple(-G.diff(symbol) / slope for symbol in theta)
