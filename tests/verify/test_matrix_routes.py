"""Matrix factorisation and words: verdicts, examples by hand, blocks, seeded faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache, partial
from itertools import product as cartesian
from typing import Any

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray

from numeric import LinearNet
from symbolic import Verdict, Witness, rescaling
from symbolic._matrices.flow import (
    Factorisation,
    QuadraticCharge,
    hessian_trace,
    matrix_flow,
    matrix_step,
)
from symbolic._words.calculus import _partials, second_differential
from symbolic._words.moments import _contracted, _second_partials
from tests.faults import alter
from verify import Evidence, Instance
from verify._context import Context, Profile
from verify._exact import _power, apply, covariance, trace_product
from verify._instances import _gradients
from verify._routes import (
    _existence,
    _factorisation_exact as exact,
    _factorisation_words as of_words,
    _flow,
    _words,
)
from verify._routes._common import Factors
from verify._routes._factorisation_numeric import balance_compiled
from verify._routes._factorisation_words import CORRECTED, PUBLISHED, Gamma
from verify._strategies import factorisations


TINY = Profile("tiny", exact=6, ensembles=1, replicas=16, steps=20)
HALF, ONE = Fraction(1, 2), Fraction(1)
Route = Callable[[Any, Context], Evidence]
P, S, R = Verdict.PROVED, Verdict.SUPPORTED, Verdict.REFUTED
I, N = Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE  # noqa: E741 - initials

flow_words = partial(_words.flow_words, decay=True)


def context(claim: str = "matrix", **rest: Any) -> Context:
    return Context(TINY, 0, claim, **rest)


@cache
def pool() -> tuple[Instance, ...]:
    return context().draw(factorisations(), 25, "pool")


by_index = pytest.mark.parametrize("index", range(25))


# The verdict on a statement and on its twin.

VERDICTS: tuple[tuple[Route, Any, Verdict, Any, Verdict], ...] = (
    (flow_words, Factors(), P, Factors(noise=Fraction(2)), R),
    (_words.discrete_words, HALF, P, ONE, R),
    (_words.norm_words, Factors(Fraction(-4), Fraction(2)), P, Factors(-ONE), R),
    (_words.potential_words, HALF, P, ONE, R),
    (_words.slope_words, "non-negative", P, "any", R),
    (of_words.rows_and_columns, HALF, P, ONE, R),
    (of_words.balance_words, CORRECTED, P, PUBLISHED, R),
    (of_words.existence_words, "positive definite", P, "semi-definite", R),
    (of_words.hessian_words, Fraction(2), P, ONE, R),
    (exact.rows_and_columns_exact, HALF, S, ONE, R),
    (exact.balance_exact, CORRECTED, S, PUBLISHED, R),
    (exact.balance_identity, CORRECTED, S, PUBLISHED, R),
    (exact.hessian_exact, Fraction(2), S, ONE, R),
    (_existence.existence_exact, "positive definite", S, "semi-definite", N),
    (_existence.existence_numeric, "positive definite", S, "semi-definite", N),
)
FACTORISATION = tuple(row[:2] for row in VERDICTS[5:])


@pytest.mark.parametrize(("route", "true", "verdict", "twin", "opposite"), VERDICTS)
def test_the_statement_holds_and_its_twin_does_not(
    route: Route, true: Any, verdict: Verdict, twin: Any, opposite: Verdict
) -> None:
    found, other = route(true, context()), route(twin, context("twin"))

    assert (found.verdict, other.verdict) == (verdict, opposite)
    assert found.instances > found.degenerate
    assert (other.counterexample is not None) == (opposite is R)
    assert found.counterexample is None


@pytest.mark.parametrize("factor", [0, Fraction(1, 4), -1, 3])
@pytest.mark.parametrize(
    "route",
    [
        _words.discrete_words,
        _words.potential_words,
        of_words.rows_and_columns,
        of_words.hessian_words,
        exact.rows_and_columns_exact,
        exact.hessian_exact,
    ],
)
def test_other_factors_are_refuted(route: Route, factor: Fraction) -> None:
    assert route(Fraction(factor), context("wrong")).verdict is R


@pytest.mark.parametrize("factor", [0, HALF, -1, 3])
@pytest.mark.parametrize("part", ["decay", "noise"])
def test_other_factors_of_either_part_are_refuted(part: str, factor: Fraction) -> None:
    wrong = Fraction(factor)
    flow = {"decay": Fraction(-4), "noise": ONE, part: wrong}
    norm = {"decay": Fraction(-4), "noise": Fraction(2), part: wrong}

    assert flow_words(Factors(**flow), context()).verdict is R
    assert _words.norm_words(Factors(**norm), context()).verdict is R


def test_a_gamma_half_corrected_is_not_the_balance() -> None:
    """At the hand-made example M = 0: it decides on the shift, not on centring."""
    only_centred, only_shifted = Gamma(True, False), Gamma(False, True)

    for route in (exact.balance_identity, exact.balance_exact, of_words.balance_words):
        assert route(only_centred, context()).verdict is R
    assert exact.balance_identity(only_shifted, context()).verdict is R
    assert of_words.balance_words(only_shifted, context()).verdict is I


def test_a_proof_by_words_says_what_is_free_and_what_was_used() -> None:
    flow = flow_words(Factors(), context())
    balance = of_words.balance_words(CORRECTED, context())
    existence = of_words.existence_words("positive definite", context())

    assert "number of parameters n" in flow.summary
    assert any("g\\cdot A\\theta = 0$ for every sample" in s for s in flow.steps)
    assert [s.split(":")[0] for s in flow.steps[1:]] == [
        *("noise", "loss", "diffusion", "decay"),
    ]
    assert "$d$, $d_x$, $d_y$ and the data free" in balance.summary
    assert any("necessary and sufficient" in step for step in balance.steps)
    assert any("needs $d \\ge r" in step for step in existence.steps)


# Counterexamples, checked again in plain rationals.


def seen(route: Route, subject: Any) -> Witness:
    found = route(subject, context("by hand")).counterexample
    assert found is not None
    return found


def spread(values: list[Fraction]) -> Fraction:
    mean = sum(values, Fraction(0)) / len(values)
    return sum(((v - mean) ** 2 for v in values), Fraction(0)) / len(values)


def test_by_hand_the_norm_grows_twice_as_fast_as_printed() -> None:
    """ℓ = (w/u − y)² at (1, 0), y = ±1: ∂_u = −2rw/u² = 0 and ∂_w = 2r/u = ∓2."""
    u, w = ONE, Fraction(0)
    rs = [w / u - y for y in (1, -1)]
    trace = spread([-2 * r * w / u**2 for r in rs]) + spread([2 * r / u for r in rs])
    witness = seen(_words.norm_words, Factors(-ONE, ONE))

    assert trace == 4
    # one step of √(2σ²hΣ)ξ, ξ = ±1, at σ² = h = 1: the mean of w² grows by 8
    assert 2 * trace == Fraction(witness.left) == 8
    assert Fraction(witness.right) == trace


def test_by_hand_the_charge_moves_twice_as_fast_as_printed() -> None:
    """ℓ = (uw − y)² at u = 2, w = 1, y = 0, 1, σ² = ¼."""
    u, w, sigma2 = Fraction(2), ONE, Fraction(1, 4)
    rs = [u * w - y for y in (0, 1)]
    total = spread([2 * r * w for r in rs]) - spread([2 * r * u for r in rs])
    witness = seen(exact.rows_and_columns_exact, ONE)

    assert total == -3
    assert Fraction(witness.left) == 2 * sigma2 * total  # d(u² − w²)/dt
    assert Fraction(witness.right) == sigma2 * total
    assert (witness.values["U_0_0"], witness.values["W_0_0"]) == ("2", "1")


@pytest.mark.parametrize("route", [of_words.balance_words, exact.balance_exact])
def test_by_hand_the_printed_balance_moves(route: Route) -> None:
    """x = 1, U = (2, 0), W = 1, r = ±(1, 3), γ = 1, η = ¼, S = 1."""
    gamma, eta, size = ONE, Fraction(1, 4), 1
    rs = [(Fraction(2 - y), Fraction(0 - z)) for y, z in ((1, -3), (3, 3))]
    printed = (
        sum(a * a + b * b for a, b in rs) / 2 + 2 * gamma,
        4 * (sum(a * a for a, _ in rs) / 2 + 2 * gamma),
    )
    sigma2 = eta / (2 * size)
    noise_U = spread([2 * a for a, _ in rs]) + spread([2 * b for _, b in rs])
    noise_W = spread([2 * 2 * a for a, _ in rs])
    rate = 2 * sigma2 * (noise_U - noise_W) - 4 * gamma * (4 - 1)
    witness = seen(route, PUBLISHED)

    assert str([tuple(map(int, r)) for r in rs]) == "[(1, 3), (-1, -3)]"
    assert list(map(str, printed)) == ["12", "12"]
    assert rate == -6
    expected = {
        "rate -6 of UᵀU − WWᵀ",
        f"rate of C_B: {rate / 2}",
    }  # Q, and C_B = ½Q for B = 1
    assert witness.left in expected


def test_by_hand_the_hessian_is_twice_what_is_printed() -> None:
    """ℓ = (uw − y)² at (2, 1): ∂_u² = 2w², ∂_w² = 2u², by second differences."""

    def loss(u: Fraction, w: Fraction) -> Fraction:
        return sum(((u * w - y) ** 2 for y in map(Fraction, (0, 1))), Fraction(0)) / 2

    u, w = Fraction(2), ONE
    trace = loss(u + 1, w) + loss(u - 1, w) + loss(u, w + 1) + loss(u, w - 1)
    trace -= 4 * loss(u, w)
    witness = seen(exact.hessian_exact, ONE)

    assert trace == Fraction(witness.left) == 2 * (u**2 + w**2) == 10
    assert Fraction(witness.right) == u**2 + w**2


def test_by_hand_singular_noise_leaves_no_balance() -> None:
    """V = (1, 0), y = (x, ε): r = (0, −ε), so Γ_U = diag(0, 1) and Γ_W = 1."""
    data = [(x, x, e) for x, e in cartesian((1, -1), (1, -1))]
    rs = [(x - a, 0 - b) for x, a, b in data]
    witness = seen(of_words.existence_words, "semi-definite")

    assert sum(x * b for (x, _, _), (_, b) in zip(data, rs, strict=True)) == 0  # M = 0
    outer = [[sum(r[i] * r[j] for r in rs) // 4 for j in (0, 1)] for i in (0, 1)]
    assert str(outer) == witness.values["Gamma_U"] == "[[0, 0], [0, 1]]"
    assert witness.values["Gamma_W"] == f"[[{sum(b * b for _, b in rs) // 4}]]"


def test_the_step_by_hand() -> None:
    """(uw − y)² at (1, 2), y = 1, η = γ = 1: g = (4, 2), κ = −1."""
    witness = seen(_words.discrete_words, ONE)
    u, w = -1 - 4, -2 - 2  # θ' = κθ − ηg

    assert Fraction(witness.left) == Fraction(u * u - w * w, 2)
    assert Fraction(witness.right) == Fraction(1 - 4, 2) + 16 - 4


# The building blocks.


def floats(rows: Any) -> NDArray[np.float64]:
    return np.array([[float(v) for v in row] for row in rows])


def net_of(
    instance: Instance,
) -> tuple[LinearNet, NDArray[np.float64], NDArray[np.float64]]:
    d, d_x, d_y = exact.parts_of(instance).sizes
    theta = np.array([float(v) for v in instance.theta])
    data = floats(instance.samples)
    net = LinearNet(theta[: d_y * d].reshape(d_y, d), theta[d_y * d :].reshape(d, d_x))
    return net, data[:, :d_x], data[:, d_x:]


@by_index
def test_parts_agree_with_numpy(index: int) -> None:
    instance = pool()[index]
    net, x, y = net_of(instance)
    parts = exact.parts_of(instance)
    shift = Fraction(3, 8)
    # products of at most 4 numbers below 2⁶, summed over at most 4·3·3 terms
    near = partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-8)

    near(floats(parts.r), net.residuals(x, y))
    for centred in (True, False):
        noise = net.noise(x, y, centred=centred)
        for left, right in zip(
            parts.noise(centred=centred), (noise.U, noise.W), strict=True
        ):
            near(floats(left), right)
        sides = net.sides(noise.shifted(float(shift)))
        gap = parts.imbalance(centred=centred, shift=shift)
        near(floats(gap), sides[0] - sides[1])


@by_index
def test_gradients_and_generator_are_those_of_the_matrices(index: int) -> None:
    """∂ℓ/∂U = 2r(Wx)ᵀ, ∂ℓ/∂W = 2Uᵀrxᵀ, and Aθ = (UB, −BW), in rationals."""
    instance = pool()[index]
    parts, B = exact.parts_of(instance), exact.symmetric_part(instance)
    U, W = sp.Matrix(parts.U), sp.Matrix(parts.W)
    expected = []
    for x, r in zip(parts.x, parts.r, strict=True):
        column, residual = sp.Matrix(x), sp.Matrix(r)
        g_U, g_W = residual * (W * column).T, U.T * residual * column.T
        expected.append(tuple(2 * v for v in (*g_U, *g_W)))
    generator = (*(U * sp.Matrix(B)), *(-sp.Matrix(B) * W))

    assert [tuple(map(sp.Rational, g)) for g in instance.gradients()] == expected
    assert tuple(map(sp.Rational, apply(instance.A, instance.theta))) == generator
    assert sp.Matrix(B).is_symmetric()


@by_index
def test_the_drift_without_ito_is_the_flow(index: int) -> None:
    instance = pool()[index]
    noise = trace_product(instance.A, covariance(instance.gradients()))
    expected = -4 * instance.gamma * instance.charge() + instance.sigma2 * noise

    assert _flow.drift_of(instance) == expected


@pytest.mark.parametrize("subject", [CORRECTED, PUBLISHED])
def test_balanced_instances_balance(subject: Gamma) -> None:
    kept = 0
    for instance in pool():
        case = exact._balanced(subject, instance)
        if case is None:
            continue
        kept += 1
        parts, before = exact.parts_of(case), exact.parts_of(instance)
        d = len(parts.W)
        net, x, y = net_of(case)
        shift = subject.shift_at(case.gamma, case.batch_size, case.eta)
        left, right = net.sides(
            net.noise(x, y, centred=subject.centred).shifted(float(shift))
        )

        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)
        assert case.gamma >= 0
        assert all(len(set(row)) == 1 for row in parts.U)
        assert len(set(parts.W)) == 1
        # UW is d times the first column of U by the first row of W, as in the draw
        for i, j in cartesian(range(len(parts.U)), range(len(parts.W[0]))):
            product = sum(parts.U[i][k] * parts.W[k][j] for k in range(d))
            assert product == d * before.U[i][0] * before.W[0][j]
    assert kept >= len(pool()) // 2


def test_second_differences_are_the_hessian() -> None:
    instance = next(i for i in pool() if 3 < len(i.theta) < 10)
    loss = instance.declaration.loss
    assert loss is not None
    at = {
        s: sp.Rational(v.numerator, v.denominator)
        for s, v in zip(loss.space.symbols, instance.theta, strict=True)
    }
    total = sp.S.Zero
    for row in instance.samples:
        known = loss.expression.subs(
            dict(zip(loss.data.symbols, map(sp.Rational, row), strict=True))
        )
        total += sum(known.diff(s, 2) for s in loss.space.symbols).subs(at)
    total /= len(instance.samples)
    total += 2 * sp.Rational(instance.gamma) * len(instance.theta)

    assert sp.Rational(exact._second_differences(instance)) == total


def test_constructions_are_what_they_say() -> None:
    drawn = context().draw(_existence._constructions(), 12, "constructions")
    for case in drawn:
        r = case.T.rows
        eye = sp.eye(r)
        assert case.L.T * case.L == case.R * case.R.T == case.F * case.F.T == eye
        for root in (case.out_root, case.in_root):
            assert root.is_symmetric()
            assert root.is_positive_definite
        assert case.T.is_diagonal()
        assert all(v > 0 for v in case.T.diagonal())
    assert len({case.F.shape for case in drawn}) > 3
    assert any(not case.out_root.is_diagonal() for case in drawn)


# Seeded faults: one factor of a derived formula is altered in its source.

norm = partial(_words.norm_words, Factors(Fraction(-4), Fraction(2)))
columns = partial(of_words.rows_and_columns, HALF)
flow = partial(flow_words, Factors())
step = partial(_words.discrete_words, HALF)
trace = partial(of_words.hessian_words, Fraction(2))
balance = partial(of_words.balance_words, CORRECTED)
potential = partial(_words.potential_words, HALF)
slope = partial(_words.slope_words, "non-negative")
identity = partial(exact.balance_identity, CORRECTED)
compiled = partial(balance_compiled, CORRECTED)
svd = partial(_existence.existence_numeric, "positive definite")
SPREAD, MEAN = "return per_sample.mean() * 2, of_mean * 2", "of_mean * 2"

FAULTS: tuple[tuple[Any, str, str, Callable[[Context], Evidence]], ...] = (
    (second_differential, SPREAD, "return per_sample.mean(), of_mean", norm),
    (second_differential, MEAN, "of_mean", columns),
    (matrix_flow, '-2 * scalar("gamma")', '-1 * scalar("gamma")', norm),
    (matrix_flow, "per_sample - of_mean", "per_sample + of_mean", columns),
    (matrix_step, "- eta * G[X]", "- 2 * eta * G[X]", step),
    (matrix_step, "- 2 * eta * scalar", "- eta * scalar", step),
    (hessian_trace, "+ gamma * norm2", "+ 2 * gamma * norm2", trace),
    (
        _second_partials,
        "permutations(places, 2)",
        "[(a, b) for a, b in permutations(places, 2) if a < b]",
        trace,
    ),
    (
        _contracted,
        "[(P + C, X.cols), (R + Q, X.rows)]",
        "[(P + R + Q + C, '1')]",
        trace,
    ),
    (_partials, "rest if letter", "transpose(rest) if letter", columns),
    (Factorisation.noise_matrices, "of_U - M @ M.T", "of_U", balance),
    (Factorisation.noise_matrices, "of_W - M.T @ M", "of_W + M.T @ M", balance),
    (Factorisation.noise_matrices, "of_W + shift", "of_W + 2 * shift", balance),
    (Factorisation.imbalance, "- self.U.T @", "+ self.U.T @", balance),
    (QuadraticCharge.charge, "Fraction(1, 2)", "1", flow),
    (QuadraticCharge.noise_trace, "- mean.T", "+ mean.T", flow),
    (_words._orbit, "-(A @ Sigma + Sigma @ A)", "A @ Sigma + Sigma @ A", potential),
    (_words._orbit, "-(A @ Sigma + Sigma @ A)", "-2 * (A @ Sigma + Sigma @ A)", slope),
    (_words._orbit, '-4 * scalar("gamma")', '-2 * scalar("gamma")', potential),
    (_power, "exponent * base", "base", identity),
    (_flow._euler_mean, "2 * instance.gamma", "instance.gamma", identity),
    (LinearNet.sides, "_T(self.U) @", "2.0 * _T(self.U) @", svd),
    (LinearNet.noise, " - M @ _T(M)", "", compiled),
    (LinearNet.noise, " - _T(M) @ M", "", compiled),
    (LinearNet.stepped, "1.0 - 2.0 * lr", "1.0 - lr", compiled),
    (LinearNet.gradient, "(2.0 / ", "(1.0 / ", compiled),
)


@pytest.fixture(autouse=True)
def no_stale_gradients() -> Iterator[None]:
    _gradients.cache_clear()
    yield
    _gradients.cache_clear()


@pytest.mark.parametrize(("function", "old", "new", "route"), FAULTS)
def test_an_altered_factor_turns_a_claim_red(
    function: Any,
    old: str,
    new: str,
    route: Callable[[Context], Evidence],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alter(monkeypatch, function, old, new)

    assert route(context("faults")).verdict is R


def test_an_altered_factor_is_undone() -> None:
    with pytest.MonkeyPatch.context() as patch:
        alter(patch, matrix_flow, "per_sample - of_mean", "per_sample + of_mean")
        assert columns(context()).verdict is R

    assert columns(context()).verdict is P
    with pytest.raises(ValueError, match="once in matrix_flow, got 0"):
        alter(pytest.MonkeyPatch(), matrix_flow, "no such text", "")


# A run on a user's declaration.


@pytest.mark.parametrize(("route", "subject"), FACTORISATION)
def test_factorisation_is_not_about_other_declarations(
    route: Route, subject: Any
) -> None:
    found = route(subject, context(subject=(rescaling(2, 1),)))

    assert found.verdict is N
    assert "about matrix factorisation" in found.summary
