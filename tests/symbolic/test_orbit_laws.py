"""The equilibrium as a root, its gradient and its degenerate cases."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from numeric import certify_equilibrium, noise_equilibrium
from symbolic import (
    Declaration,
    DeclarationError,
    Equilibrium,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    compare,
    matrix_factorisation,
    rescaling,
    scaling,
)
from symbolic._laws.explicit_noise import (
    explicit_equilibrium,
    finite_covariance,
    moments_covariance,
)
from symbolic._laws.ito import covariance_symbols, gamma, lam, sigma2
from symbolic._orbits.balance import (
    noise_equilibrium_equation,
    spectral_projectors,
)
from symbolic._orbits.laws import (
    characteristic,
    degenerate_cases,
    equilibrium_gradient,
    z,
)


K = sp.Symbol("k", positive=True)
HALF = sp.Rational(1, 2)


def diagonal(*mu: Any) -> Symmetry:
    space = ParameterSpace(theta=(len(mu),))
    return Symmetry.exponential(space, sp.diag(*mu))


def values_of(
    symmetry: Symmetry, theta: Any, noise: Any, s2: Any, g: Any
) -> dict[sp.Symbol, sp.Rational]:
    """Give θ, the diagonal of Σ, σ² and γ."""
    Sigma = covariance_symbols(symmetry.space)
    at = dict(zip(symmetry.space.symbols, map(sp.Rational, theta), strict=True))
    at |= {Sigma[i, i]: sp.Rational(s) for i, s in enumerate(noise)}
    return at | {sigma2: sp.Rational(s2), gamma: sp.Rational(g)}


# ----------------------------------------------------------------- characteristic


@given(st.lists(st.integers(-3, 3).filter(bool), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_polynomial_is_the_balance(mu: list[int]) -> None:
    """P(z) = z^shift G(θ_λ) at λ = ln z/(2g), with and without decay."""
    equilibrium = noise_equilibrium_equation(diagonal(*(sp.Rational(m, 6) for m in mu)))
    for decay in (True, False):
        found = characteristic(equilibrium, decay=decay)
        assert found is not None
        G = equilibrium.balance
        G = G if decay else sp.expand(G.subs(gamma, 0) / sigma2)
        moved = G.subs(lam, sp.log(z) / (2 * found.unit))
        difference = sp.expand(found.polynomial - z**found.shift * moved)
        assert compare(difference, sp.S.Zero).verdict is Verdict.PROVED
        assert sp.degree(found.polynomial, z) == found.degree


@given(
    st.lists(st.integers(-4, 4).filter(bool), min_size=2, max_size=4, unique=True),
    st.integers(0, 3),
    st.data(),
)
@settings(max_examples=25, deadline=None)
def test_one_positive_root_is_the_equilibrium(
    mu: list[int], g: int, data: st.DataObject
) -> None:
    """Descartes' one root, isolated exactly, lies in the certified interval."""
    counts = st.lists(st.integers(1, 9), min_size=len(mu), max_size=len(mu))
    theta, noise = data.draw(counts), data.draw(counts)
    symmetry = diagonal(*mu)
    found = characteristic(noise_equilibrium_equation(symmetry))
    assert found is not None
    P = sp.Poly(found.polynomial.xreplace(values_of(symmetry, theta, noise, 1, g)), z)
    _, P = P.terms_gcd()  # without decay, z itself may divide it
    finite = len({m > 0 for m in mu}) == 2 or g > 0
    assert P.count_roots(0, sp.oo) == int(finite)
    if not finite:
        return
    (((low, high), _),) = P.intervals(eps=sp.Rational(1, 10**45), inf=0)
    ends = [_fraction((sp.log(e) / (2 * found.unit)).evalf(60)) for e in (low, high)]
    certificate = certify_equilibrium(
        mu, noise, [t * t for t in theta], sigma2=1, gamma=g, bits=100
    )
    assert certificate.degeneracy is None
    margin = Fraction(1, 10**40)  # z ≥ 1/9⁴ is known to 1e-45, its logarithm to 1e-41
    assert certificate.lower - margin <= ends[0]
    assert ends[1] <= certificate.upper + margin


def _fraction(value: sp.Float) -> Fraction:
    exact = sp.Rational(value)
    return Fraction(int(exact.p), int(exact.q))


SPECTRA = [  # eigenvalues; closed form with decay, without
    ((1, -1), True, True),
    ((HALF, -HALF, 0), True, True),
    ((2, 2), True, False),
    ((-3,), True, False),
    ((1, -2), False, True),
    ((HALF, -sp.Rational(1, 3)), False, True),
    ((1, -1, -3), False, True),  # quadratic in z²
    ((1, 3, -1), False, True),
    ((3, -1, -5), False, True),
    ((2, 4, -2), False, False),  # cubic
    ((1, 2), False, False),
    ((1, 2, 3, -1), False, False),
    ((0, 0), False, False),
    ((K, -K), True, True),
    ((K, -2 * K), False, True),
]


@pytest.mark.parametrize(("mu", "kept", "without"), SPECTRA)
def test_which_spectra_have_a_closed_form(mu: Any, kept: bool, without: bool) -> None:
    equilibrium = noise_equilibrium_equation(diagonal(*mu))
    for decay, expected in ((True, kept), (False, without)):
        found = characteristic(equilibrium, decay=decay)
        assert (found is not None and found.closed_form is not None) is expected
        if expected and found is not None:
            assert compare(found.polynomial.subs(z, found.root), sp.S.Zero).verdict in {
                Verdict.PROVED,
                Verdict.INCONCLUSIVE,
            }
    assert (equilibrium.closed_form is not None) is kept


@given(
    st.sampled_from([(*s, d) for s in SPECTRA for d in (0, 1) if s[2 - d]]),
    st.data(),
)
@settings(max_examples=40, deadline=None)
def test_closed_forms_are_certified(case: Any, data: st.DataObject) -> None:
    mu, g = [sp.sympify(m).xreplace({K: HALF}) for m in case[0]], case[3]
    draws = st.lists(st.integers(0, 9), min_size=len(mu), max_size=len(mu))
    theta, noise = data.draw(draws), data.draw(draws)
    symmetry = diagonal(*mu)
    found = characteristic(noise_equilibrium_equation(symmetry), decay=bool(g))
    squares = [t * t for t in theta]
    certificate = certify_equilibrium(mu, noise, squares, sigma2=3, gamma=g, bits=100)
    assert found is not None
    assert found.closed_form is not None
    if certificate.degeneracy is not None:
        return
    # An eigenvalue that occurs twice has one projector, and off-diagonal Σ no share.
    at = values_of(symmetry, theta, noise, 3, g)
    exact = found.closed_form.xreplace(at)
    shift = _fraction(exact.evalf(60))
    margin = Fraction(1, 10**40)
    assert certificate.lower - margin <= shift <= certificate.upper + margin
    numeric = noise_equilibrium(
        [float(m) for m in mu], noise, squares, sigma2=3.0, gamma=float(g)
    )
    # A few eps (|λ| + L/m): logarithms of integers ≤ 243·3, m ≥ 1/3.
    assert abs(float(numeric) - float(shift)) <= 64 * 2.3e-16 * (abs(shift) + 21)


def test_ratio_of_two_opposite_eigenvalues() -> None:
    """λ* = ln(μ₁s₁/(|μ₂|s₂))/(2(μ₁ + |μ₂|)) for γ = 0."""
    for a, b in ((1, 2), (3, 2), (5, 7)):
        symmetry = diagonal(a, -b)
        found = characteristic(noise_equilibrium_equation(symmetry), decay=False)
        Sigma = covariance_symbols(symmetry.space)
        expected = sp.log(a * Sigma[0, 0] / (b * Sigma[1, 1])) / (2 * (a + b))
        assert found is not None
        assert found.closed_form is not None
        assert sp.exp(2 * (a + b) * found.closed_form) == sp.exp(2 * (a + b) * expected)


@pytest.mark.parametrize(
    ("mu", "noise", "root"),
    [
        ((1, -1, -3), (8, 2, 0), 2),  # 8 = 2z²
        ((1, -1, -3), (48, 0, 1), 2),  # 48 = 3z⁴
        ((1, 3, -1), (2, 0, 8), HALF),
        ((1, 3, -1), (0, 1, 48), HALF),
    ],
)
def test_quadratic_roots_survive_a_missing_term(
    mu: Any, noise: Any, root: sp.Expr
) -> None:
    symmetry = diagonal(*mu)
    found = characteristic(noise_equilibrium_equation(symmetry), decay=False)
    at = values_of(symmetry, (1, 1, 1), noise, 1, 0)
    assert found is not None
    assert found.root is not None
    assert found.root.xreplace(at) == root


def test_irrational_and_unsigned_spectra_have_no_polynomial() -> None:
    root = Symmetry.exponential(ParameterSpace(u=(), w=()), [[1, 1], [1, -1]])
    assert characteristic(noise_equilibrium_equation(root)) is None
    free = sp.Symbol("q", real=True)
    assert characteristic(noise_equilibrium_equation(diagonal(free, -free))) is None
    two = sp.symbols("a b", positive=True)
    assert characteristic(noise_equilibrium_equation(diagonal(*two))) is None


def test_constants_on_the_diagonal_are_eigenvalues() -> None:
    a, b = sp.symbols("a b", positive=True)
    equilibrium = noise_equilibrium_equation(diagonal(a, -a, b, a))
    assert equilibrium.eigenvalues == (a, -a, b)
    spectrum = spectral_projectors(sp.ImmutableDenseMatrix(sp.diag(a, -a, b, a)))
    assert spectrum is not None
    total = sum((value * P for value, P in spectrum), sp.zeros(4))
    assert total == sp.diag(a, -a, b, a)
    assert sum((P for _, P in spectrum), sp.zeros(4)) == sp.eye(4)


def test_a_constant_is_taken_out_of_a_full_matrix() -> None:
    pair = ParameterSpace(u=(), w=())
    u, w = pair.symbols
    swap = Symmetry.exponential(pair, [[0, K], [K, 0]])
    equilibrium = noise_equilibrium_equation(swap)
    assert equilibrium.eigenvalues == (-K, K)
    assert equilibrium.closed_form is not None
    assert sp.expand(equilibrium.t[1] - (u + w) ** 2 / 2) == 0
    a = sp.Symbol("a", positive=True)
    mixed = Symmetry.exponential(pair, [[a, K], [K, 0]])
    assert spectral_projectors(mixed.matrix) is None
    assert noise_equilibrium_equation(mixed).closed_form is None


# ------------------------------------------------------------------ degenerate cases


@given(
    st.lists(st.integers(-2, 2), min_size=1, max_size=4),
    st.sampled_from([0, 1]),
    st.sampled_from([0, 1]),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_degenerate_cases_are_those_of_the_certificate(
    mu: list[int], s2: int, g: int, data: st.DataObject
) -> None:
    draws = st.lists(st.integers(0, 1), min_size=len(mu), max_size=len(mu))
    theta, noise = data.draw(draws), data.draw(draws)
    symmetry = diagonal(*mu)
    certificate = certify_equilibrium(
        mu, noise, [t * t for t in theta], sigma2=s2, gamma=g
    )
    cases = degenerate_cases(noise_equilibrium_equation(symmetry))
    at = values_of(symmetry, theta, noise, s2, g)
    found = [case for case in cases if case.holds(at)]
    if certificate.degeneracy is None:
        assert not found
        return
    (case,) = found
    assert case.name == certificate.degeneracy.value
    if certificate.unique:
        assert float(case.shift) == certificate.lower == certificate.upper
    else:
        assert case.shift is sp.nan


def test_every_class_occurs_and_the_indefinite_case_has_all_but_one() -> None:
    def names(*mu: int) -> set[str]:
        cases = degenerate_cases(noise_equilibrium_equation(diagonal(*mu)))
        return {case.name for case in cases}

    assert names(0, 0) == {"zero-generator"}
    definite = {"no-noise-no-decay", "decay-alone", "semidefinite-without-decay"}
    assert names(1, 2) == names(-1, 0) == definite
    both = {"no-noise-no-decay", "decay-alone", "one-sided-noise", "noise-with-decay"}
    assert names(1, -1) == names(1, 0, -3) == both


def test_the_limits_of_g_say_so() -> None:
    """G > 0 for every λ where λ* = ∞, G < 0 where −∞, G ≡ 0 where every λ is a zero."""
    symmetry = diagonal(1, -2)
    equilibrium = noise_equilibrium_equation(symmetry)
    for case in degenerate_cases(equilibrium):
        gone = {}
        for e in case.vanish:
            (symbol,) = e.free_symbols - {sigma2, gamma}
            gone[symbol] = sp.S.Zero
        names = equilibrium.balance.free_symbols - {lam}
        fresh = {s: sp.Symbol(s.name, positive=True) for s in names - set(gone)}
        G = equilibrium.balance.xreplace(gone).xreplace(fresh)
        sign = {sp.oo: G.is_positive, -sp.oo: G.is_negative, sp.nan: G.is_zero}
        assert sign[case.shift] is True


def test_degenerate_cases_need_signs() -> None:
    free = sp.Symbol("q", real=True)
    with pytest.raises(DeclarationError, match="known sign, got q"):
        degenerate_cases(noise_equilibrium_equation(diagonal(free)))


# ------------------------------------------------------------------------ gradient


def test_gradient_is_that_of_the_closed_form() -> None:
    """With q = e^{λ*} and Σ_uu solved from G = 0 both sides are rational."""
    symmetry = rescaling().symmetry
    u, w = symmetry.space.symbols
    Sigma = covariance_symbols(symmetry.space)
    equilibrium = noise_equilibrium_equation(symmetry)
    q = sp.Symbol("q", positive=True)
    down = sigma2 * Sigma[1, 1] + 2 * gamma * u**2
    at = {lam: sp.log(q), Sigma[0, 0]: (q**4 * down - 2 * gamma * w**2) / sigma2}
    moving = Sigma.applyfunc(lambda s: s * (1 + u * w**2))  # Σ(θ) of some shape
    for covariance in (None, moving):
        found = equilibrium_gradient(symmetry, equilibrium, covariance)
        closed = equilibrium.closed_form
        assert closed is not None
        there = dict(at)
        if covariance is not None:
            closed = closed.xreplace(dict(zip(Sigma, covariance, strict=True)))
            c = 1 + u * w**2
            down = sigma2 * Sigma[1, 1] * c + 2 * gamma * u**2
            there[Sigma[0, 0]] = (q**4 * down - 2 * gamma * w**2) / (sigma2 * c)
        for symbol, entry in zip((u, w), found, strict=True):
            left, right = entry.subs(there), closed.diff(symbol).subs(there)
            assert compare(left, right).verdict is Verdict.PROVED
            assert compare(left, -right).verdict is Verdict.REFUTED


def test_gradient_without_decay_is_that_of_the_cube_root() -> None:
    """μ = (1, −2): λ* = ln(s₁/(2s₂))/6, with Σ(θ) of the loss itself."""
    declaration = rescaling(2, 1)
    noise = _noise(declaration)
    equilibrium = noise_equilibrium_equation(declaration.symmetry)
    found = equilibrium_gradient(declaration.symmetry, equilibrium, noise.covariance)
    root = characteristic(explicit_equilibrium(equilibrium, noise), decay=False)
    assert root is not None
    closed = root.closed_form
    assert closed is not None
    u, w = declaration.space.symbols
    at = {u: sp.Rational(3, 2), w: sp.Integer(-2), gamma: sp.S.Zero, sigma2: HALF}
    shift = closed.subs(at).evalf(60)
    for symbol, entry in zip((u, w), found, strict=True):
        left = entry.subs(at).subs(lam, shift).evalf(50)
        right = closed.diff(symbol).subs(at).evalf(50)
        assert abs(left - right) < sp.Float("1e-40")
        assert abs(right) > sp.Float("1e-3")


def _noise(declaration: Declaration) -> Any:
    loss = declaration.loss
    assert loss is not None
    entries = loss.data.symbols
    samples = [
        {s.name: k * (i + 1) - 2 * i for i, s in enumerate(entries)} for k in (1, 2, 4)
    ]
    packed = [loss.data.unpack(tuple(s.values())) for s in samples]
    return finite_covariance(loss, packed)


@pytest.mark.parametrize(
    "declaration",
    [rescaling(), rescaling(2, 1), scaling(2), matrix_factorisation(1, B=[[1]])],
    ids=lambda d: str(d.name),
)
def test_the_equilibrium_of_a_moved_point_is_nearer(declaration: Declaration) -> None:
    """λ*(e^{μA}θ) = λ*(θ) − μ, so ∇λ*·Aθ = −1 for the Σ(θ) of a loss with the symmetry.

    An identity in λ: ∇_θG(θ_λ)·Aθ = ∂_λG(θ_λ).
    """
    symmetry = declaration.symmetry
    equilibrium = noise_equilibrium_equation(symmetry)
    Sigma = _noise(declaration).covariance
    found = equilibrium_gradient(symmetry, equilibrium, Sigma)
    along = sum(
        (a * b for a, b in zip(found, symmetry.generator, strict=True)), sp.S.Zero
    )
    at = {gamma: sp.Rational(1, 3), sigma2: sp.Rational(1, 5), lam: sp.log(sp.S(3)) / 2}
    along = sp.cancel(along.xreplace(at))
    assert compare(along, sp.S.NegativeOne).verdict is Verdict.PROVED
    fixed = equilibrium_gradient(symmetry, equilibrium)
    wrong = sum(
        (a * b for a, b in zip(fixed, symmetry.generator, strict=True)), sp.S.Zero
    )
    wrong = wrong.xreplace(dict(zip(covariance_symbols(declaration.space), Sigma)))  # noqa: B905
    assert compare(wrong.xreplace(at), sp.S.NegativeOne).verdict is Verdict.REFUTED


def test_gradient_needs_an_equilibrium_in_theta() -> None:
    root = Symmetry.exponential(ParameterSpace(u=(), w=()), [[1, 1], [1, -1]])
    with pytest.raises(DeclarationError, match="written in theta"):
        equilibrium_gradient(root, noise_equilibrium_equation(root))
    named = diagonal(sp.Symbol("mu_0", positive=True))  # a constant of that name
    assert equilibrium_gradient(named, noise_equilibrium_equation(named))


def test_explicit_equilibrium_refuses_symbols_of_the_spectrum() -> None:
    pair = ParameterSpace(u=(), w=())
    u, w = pair.symbols
    symmetry = Symmetry.exponential(pair, [[1, 1], [1, -1]])
    noise = moments_covariance(Loss(u * w * sp.Symbol("x"), pair, {"x": ()}))
    equilibrium: Equilibrium = noise_equilibrium_equation(symmetry)
    with pytest.raises(DeclarationError, match="in Sigma of u, w, got s = s_0, s_1"):
        explicit_equilibrium(equilibrium, noise)
