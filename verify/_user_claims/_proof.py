"""Proofs of a claim: equal expressions, and differences of one sign term by term."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from symbolic import Verdict, compare
from verify._instances import derived
from verify._user_claims._available import OF_GRADIENTS, OF_NOISE
from verify._user_claims._derived_quantities import (
    ETA,
    GAMMA,
    Derived,
    Moments,
    Row,
    S,
    Unavailable,
    free_moments,
    sampled_moments,
)
from verify._user_claims._reading import Reading
from verify._user_claims._relations import as_order
from verify._user_claims._statement import MONOTONE


MAX_FREE = 6  # parameters, for a proof with Σ in symbols
MAX_OPERATIONS = 1500  # in a difference that is expanded
MAX_SAMPLED = 4000  # in one compared as a function of the data
_DEGREE = {  # in the distribution of the samples
    **dict.fromkeys(("flow", "noise", "exact_step", "G", "potential"), 2),
    **dict.fromkeys(("trace_sigma", "trace_sigma_A", "trace_sigma_A2"), 2),
    **dict.fromkeys(("signal", "grad_norm2"), 2),
    **dict.fromkeys(("grad_J", "trace_M2", "loss", "hessian_trace"), 1),
}
_MOVED = {"gamma": GAMMA, "eta": ETA}


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved.

    Attributes:
        summary: what, and for which data.
        steps: the argument.
    """

    summary: str
    steps: tuple[str, ...] = ()


def proof_of(reading: Reading) -> Proof | None:
    """Return a proof of a claim, or None where none is found.

    Args:
        reading: the claim.
    """
    if reading.held or reading.data:
        return None
    try:
        if reading.relation in MONOTONE:
            return _monotone(reading)
        if as_order(reading.relation) == "==":
            return _equal(reading)
        return _ordered(reading)
    except Unavailable:
        return None


def _equal(reading: Reading) -> Proof | None:
    for moments, name in _settings(reading):
        of = Derived(reading.declaration, moments)
        try:
            sides = [of.side(each) for each in (reading.left, reading.right)]
        except Unavailable:
            continue
        left, right = (restricted(reading, each) for each in sides)
        if (left - right).count_ops() > MAX_SAMPLED:
            continue
        if compare(left, right).verdict is Verdict.PROVED:
            return Proof(f"Both sides are equal as expressions, {name}.")
    return None


def _settings(reading: Reading) -> Iterator[tuple[Moments | None, str]]:
    """Yield moments in which an identity is proved for all data.

    An identity of degree k in the distribution of the samples holds for every
    distribution if it holds for all data sets of k samples: its polarisation vanishes.
    """
    declaration = reading.declaration
    if declaration.loss is None or not reading.needs_loss:
        yield None, "with every parameter free"
        return
    if declaration.space.size <= MAX_FREE:
        yield free_moments(declaration), "with Σ, the mean gradient and θ free"
    degree = _degree(reading)
    if degree is None:
        return
    symbols = declaration.loss.data.symbols
    samples: list[Row] = [
        tuple(sp.Symbol(f"{s.name} of sample {k}", real=True) for s in symbols)
        for k in range(max(1, degree))
    ]
    yield (
        sampled_moments(declaration, samples),
        f"with θ and {len(samples)} samples free; it is of that degree in their "
        f"distribution, so it holds for every number of them",
    )


def _degree(reading: Reading) -> int | None:
    """Return the degree of both sides in the distribution, None for no polynomial."""
    names = sorted(reading.quantities & (OF_NOISE | OF_GRADIENTS | set(_DEGREE)))
    if not set(names) <= set(_DEGREE):
        return None
    symbols = [sp.Symbol(name, real=True) for name in names]
    found = 0
    for side in (reading.left, reading.right):
        poly = side.as_poly(*symbols) if symbols else None
        if poly is None:
            if side.free_symbols & set(symbols):
                return None
            continue
        for powers in poly.monoms():
            pairs = zip(powers, names, strict=True)
            found = max(found, sum(power * _DEGREE[name] for power, name in pairs))
    return found if found <= 3 else None


def restricted(reading: Reading, expression: sp.Expr) -> sp.Expr:
    """Return an expression with the numbers that the conditions fix put in.

    Only conditions of the form name == expression in other names are used; leaving out
    the others proves more than is claimed.

    Args:
        reading: the claim.
        expression: in θ, γ, η and S.
    """
    own = {*reading.declaration.space.symbols, GAMMA}
    for condition in reading.given:
        sides = (condition.left, condition.right)
        for name, value in (sides, sides[::-1]):
            free = value.free_symbols
            if condition.relation == "==" and name in own and free <= own - {name}:
                expression = expression.xreplace({name: value})
                break
    return expression


def _ordered(reading: Reading) -> Proof | None:
    of = Derived(reading.declaration, _free(reading))
    difference = of.side(reading.right) - of.side(reading.left)
    if as_order(reading.relation) in {">", ">="}:
        difference = -difference
    strict = reading.relation in {"<", ">", "!="}
    if reading.relation == "!=":
        return None
    if not is_positive(reading, restricted(reading, difference), strict=strict):
        return None
    return Proof(
        "The difference of the sides is a sum of squares with coefficients of one "
        "sign, with Σ, the mean gradient and θ free."
    )


def _free(reading: Reading) -> Moments | None:
    declaration = reading.declaration
    if declaration.loss is None or not reading.needs_loss:
        return None
    if declaration.space.size > MAX_FREE:
        raise Unavailable("too many parameters")
    return free_moments(declaration)


def _monotone(reading: Reading) -> Proof | None:
    if reading.is_pinned:
        return None
    moments = _free(reading)
    of = Derived(reading.declaration, moments)
    slope = slope_of(reading, of.side(reading.left), moments)
    if slope is None:
        return None
    if as_order(reading.relation) in {">", ">="}:
        slope = -slope
    strict = as_order(reading.relation) in {"<", ">"}
    if not is_positive(reading, restricted(reading, slope), strict=strict):
        return None
    return Proof(
        f"The derivative along {reading.claim.along} is of one sign: a sum of squares, "
        f"with Σ, the mean gradient and θ free."
    )


def slope_of(
    reading: Reading, expression: sp.Expr, moments: Moments | None
) -> sp.Expr | None:
    """Return the derivative along what moves, None where it is not known.

    Along an orbit of a symmetry that the loss has, dθ = J and, differentiating
    g·J = 0, dg = −∂Jᵀg for each sample.

    Args:
        reading: the claim.
        expression: its quantity in θ, γ, η, S and free moments.
        moments: the free moments.
    """
    along = reading.claim.along
    if along in _MOVED:
        return expression.diff(_MOVED[along])
    if along != "orbit" or any(
        s.name.startswith("opaque hessian") for s in expression.free_symbols
    ):
        return None
    declaration = reading.declaration
    J, turn = declaration.symmetry.generator, declaration.symmetry.jacobian
    pairs = list(zip(declaration.space.symbols, J, strict=True))
    if moments is not None:
        if derived(declaration).invariance.verdict is not Verdict.PROVED:
            return None
        pairs += _transported(moments, turn)
    return sp.Add(*(expression.diff(symbol) * rate for symbol, rate in pairs))


def _transported(
    moments: Moments, turn: sp.ImmutableDenseMatrix
) -> list[tuple[sp.Symbol, sp.Expr]]:
    """Return the rates of the mean gradient, and of the vectors that make up Σ."""
    n = len(moments.mean)
    vectors = [list(moments.mean)]
    vectors += [
        [sp.Symbol(f"spread {k} {i}", real=True) for i in range(n)] for k in range(n)
    ]
    return [
        pair for v in vectors for pair in zip(v, -turn.T * sp.Matrix(v), strict=True)
    ]


def is_positive(reading: Reading, expression: sp.Expr, *, strict: bool) -> bool:
    """Decide whether an expression is proved ≥ 0, or > 0, for γ ≥ 0 and η, S > 0.

    As a polynomial in γ, η and S its coefficients must be quadratic forms, all positive
    semidefinite, in the other symbols, or sums of even powers with positive numbers.

    Args:
        reading: the claim; a condition gamma > 0 makes γ positive.
        expression: in θ, γ, η, S and free moments.
        strict: whether 0 is excluded.

    Returns:
        Whether it is proved; False says nothing.
    """
    if expression.count_ops() > MAX_OPERATIONS:
        return False
    numerator, denominator = sp.fraction(sp.together(expression))
    outer = (GAMMA, ETA, S)
    if not _is_monomial(denominator):
        return False
    poly = numerator.as_poly(*outer)
    if poly is None:
        return False
    positive = {ETA, S} | ({GAMMA} if _decays(reading) else set())
    found = False
    for powers, coefficient in poly.terms():
        plain = sp.expand(coefficient.as_expr())
        if not (_is_square_sum(plain) or _is_semidefinite(plain)):
            return False
        used = {s for s, power in zip(outer, powers, strict=True) if power}
        found |= bool(used <= positive and _constant_part(plain) > 0)
    return found or not strict


def _decays(reading: Reading) -> bool:
    """Return whether γ > 0 is a condition."""
    return any(
        (c.left, c.relation, c.right) == (GAMMA, ">", sp.S.Zero)
        or (c.left, c.relation, c.right) == (sp.S.Zero, "<", GAMMA)
        for c in reading.given
    )


def _is_monomial(denominator: sp.Expr) -> bool:
    """Return whether a denominator is a positive number times powers of η and S."""
    poly = denominator.as_poly(ETA, S)
    if poly is None or len(poly.terms()) != 1:
        return False
    coefficient = poly.coeffs()[0]
    return bool(coefficient.is_Rational and coefficient > 0)


def _constant_part(plain: sp.Expr) -> sp.Expr:
    constant = plain.as_coeff_Add()[0]
    return constant if constant.is_Rational else sp.S.Zero


def _is_square_sum(plain: sp.Expr) -> bool:
    symbols = sorted(plain.free_symbols, key=lambda s: s.name)
    if not symbols:
        return bool(plain.is_Rational and plain >= 0)
    poly = plain.as_poly(*symbols)
    return poly is not None and all(
        coefficient.is_Rational
        and coefficient >= 0
        and all(power % 2 == 0 for power in powers)
        for powers, coefficient in poly.terms()
    )


def _is_semidefinite(plain: sp.Expr) -> bool:
    symbols = sorted(plain.free_symbols, key=lambda s: s.name)
    poly = plain.as_poly(*symbols) if symbols else None
    if poly is None or not poly.is_homogeneous or poly.total_degree() != 2:
        return False
    H = sp.hessian(plain, symbols)
    if not all(entry.is_Rational for entry in H):
        return False
    return H.is_positive_semidefinite is True
