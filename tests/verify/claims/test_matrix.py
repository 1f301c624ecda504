"""P1 on matrix factorisation and sharpness: verdicts, examples, assumptions, faults."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product as cartesian
from typing import Any

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray

from symbolic import Verdict, rescaling
from tests.faults import alter
from verify import Claim, Evidence
from verify._campaign import _check
from verify._claims import (
    _p1_causal,
    _p1_eq12,
    _p1_eq16,
    _p1_eq17,
    _p1_eq40,
    _p1_eq50,
    _p1_models,
    _p1_prior,
    _p1_residual,
    _p1_sign,
    _p1_starts,
    _p1_trace,
)
from verify._context import PROFILE_SIZES, Context, Profile
from verify._routes import (
    _matrix_autoencoder as auto,
    _matrix_balanced as balanced,
    _matrix_cases as of_cases,
    _matrix_label_noise as label,
    _matrix_models as models,
    _matrix_nets as nets,
    _matrix_noise as noise,
    _matrix_sharpness as sharp,
    _matrix_signs as signs,
    _matrix_starts as starts,
    _matrix_symmetry as symmetry,
)
from verify._routes._matrix_cases import (
    M,
    balance_drift,
    case,
    column,
    diagonal,
    eye,
    gammas,
    inverse,
    sample_gradients,
)


Array = NDArray[np.float64]
Route = Callable[[Any, Context], Evidence]
MODULES = (
    _p1_eq12,
    _p1_prior,
    _p1_sign,
    _p1_eq16,
    _p1_trace,
    _p1_eq17,
    _p1_starts,
    _p1_causal,
    _p1_residual,
    _p1_models,
    _p1_eq40,
    _p1_eq50,
)
CLAIMS: tuple[Claim, ...] = tuple(c for module in MODULES for c in module.CLAIMS)
BY_ID = {claim.id: claim for claim in CLAIMS}
TINY = Profile("tiny", exact=8, ensembles=1, replicas=16, steps=20)
HALF, ONE = Fraction(1, 2), Fraction(1)


def context(claim: str = "matrix", **rest: Any) -> Context:
    return Context(TINY, 0, claim, **rest)


# The verdicts.


@pytest.mark.slow  # the report of every change runs seed 0
@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_claim_and_its_twin_come_out_as_expected(claim: Claim, seed: int) -> None:
    result = _check(claim, PROFILE_SIZES["quick"], seed, None)

    assert result.as_expected
    assert result.verdict is claim.expected
    assert len({item.route for item in result.evidence}) == len(claim.routes)
    for item in (*result.evidence, *result.twin.evidence):
        assert item.verdict is not Verdict.INCONCLUSIVE
        assert item.instances > item.degenerate
        assert item.counterexample is None or item.counterexample.values


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_claim_has_what_a_reader_needs(claim: Claim) -> None:
    assert claim.assumptions
    texts = (claim.statement, claim.note, claim.formula, claim.twin_statement)
    assert all(text.count("$") % 2 == 0 for text in texts)
    for breakage in claim.assumptions:
        assert breakage.without.count("$") % 2 == 0
    if claim.expected is Verdict.REFUTED:
        assert "By hand:" in claim.note
        assert BY_ID[f"{claim.id}.corrected"].amends == claim.id


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_declaration_is_not_what_the_claim_is_about(claim: Claim) -> None:
    at = context(subject=(rescaling(),))

    for route in claim.routes:
        assert route(claim.subject, at).verdict is Verdict.NOT_APPLICABLE


# Counterexamples, again and by other means.


def test_orthonormal_columns_do_not_make_signs_agree() -> None:
    rng = np.random.default_rng(0)
    U, W = np.array([1.0, -1.0]), np.array([1.0, -1.0])
    for _ in range(200):
        x, y = rng.normal(), rng.normal()
        q = 2 * (U @ W * x - y) * x
        U, W = U - 0.01 * q * W, W - 0.01 * q * U

    assert np.array_equal(U, W)
    assert U[0] == -U[1] != 0


def test_the_eigenvalue_exceeds_the_trace_at_a_saddle() -> None:
    H = np.array([[0.0, -2.0], [-2.0, 0.0]])

    assert np.linalg.eigvalsh(H)[-1] == pytest.approx(2)
    assert np.trace(H) == 0


def _gamma_of_signs(s: float, d_x: int) -> tuple[float, float]:
    """Return Γ_W and Γ_U on the first coordinate for V = e₁e₁ᵀ and all signs."""
    pairs = np.array(list(cartesian((1.0, -1.0), repeat=2 * d_x)))
    x, e = pairs[:, :d_x], s * pairs[:, d_x:]
    r = -e - x
    r[:, 0] += x[:, 0]
    of_W = float(((r**2).sum(1) * x[:, 0] ** 2).mean())
    return of_W, float(((x**2).sum(1) * r[:, 0] ** 2).mean())


@pytest.mark.parametrize(("s", "end"), [(1.0, (50 / 3) ** 0.5), (0.25, 20 / 3)])
def test_the_end_of_rank_one_by_hand(s: float, end: float) -> None:
    of_W, of_U = _gamma_of_signs(s, 2)
    u2 = (of_W / of_U) ** 0.5

    assert of_W == pytest.approx(1 + 2 * s**2)
    assert of_U == pytest.approx(2 * s**2)
    assert 2 * (u2 + 1 / u2) == pytest.approx(end)


@pytest.mark.parametrize(("d", "d_x"), [(1, 3), (2, 3), (2, 5), (3, 4)])
def test_the_ratio_of_the_end_against_a_flow(d: int, d_x: int) -> None:
    """The scalar a = u² = 1/w² obeys its own flow to √k, with Gaussian moments."""
    s2 = 0.7
    k = (d_x - d + s2 * d_x) / (s2 * d_x)
    a = 1.0
    for _ in range(4000):  # D = a − 1/a moves at (1/a)Γ_W − aΓ_U
        a += 0.01 * ((d_x - d + s2 * d_x) / a - a * s2 * d_x) / (1 + 1 / a**2)

    assert a == pytest.approx(k**0.5, rel=1e-6)


def test_the_isotropic_end_against_floats() -> None:
    """Σ_x any, Σ_ε = s²I: the construction (52) gives 2√(d_x Tr Σ_x) Tr √Σ_x."""
    values = np.array([0.3, 1.0, 4.0])
    n, s2 = 3, 0.5
    of_W, of_U = n * s2 * values, values.sum() * s2 * np.ones(3)
    root = np.sqrt(of_U) * np.sqrt(of_W)  # √Γ_U·I·√Γ_W, diagonal
    u2, w2 = root / of_U, root / of_W
    S = n * (w2 * values).sum() + u2.sum() * values.sum()

    claimed = 2 * np.sqrt(n * values.sum()) * np.sqrt(values).sum()
    assert pytest.approx(1) == S / claimed
    assert 2 * n * values.sum() > S


def test_the_drift_of_two_units_by_hand() -> None:
    one, zero = column([1]), column([0])
    gradients = sample_gradients(column([2]), column([1]), (one, one), (zero, one))

    assert [(g.tr(), h.tr()) for g, h in gradients] == [(4, 8), (2, 4)]
    assert balance_drift(gradients).tr() == 1 - 4


# Each assumption, taken away.


def test_weight_decay_breaks_the_symmetry() -> None:
    assert 2**2 + Fraction(1, 2) ** 2 != 1**2 + 1**2


def test_an_antisymmetric_B_has_no_charge() -> None:  # noqa: N802
    U, B = M(((1, 2), (3, 5))), M(((0, 1), (-1, 0)))

    assert (U @ B @ U.T).tr() == 0


def test_a_step_of_descent_does_not_conserve() -> None:
    u, w, eta = Fraction(2), ONE, Fraction(1, 8)
    moved = u - eta * 2 * u * w * w, w - eta * 2 * u * w * u

    assert moved[0] ** 2 - moved[1] ** 2 == 3 * (1 - 16 * eta**2)


def _sides(U: M, W: M, xs: list[M], ys: list[M]) -> tuple[M, M]:
    """Return the drift found and the one that (16) has, both over 4η/S."""
    drift = balance_drift(sample_gradients(U, W, xs, ys)) * Fraction(1, 4)
    es = [y - U @ W @ x for x, y in zip(xs, ys, strict=True)]
    of_x, of_e = of_cases.moment(xs), of_cases.moment(es)
    left = (W @ of_x @ W.T) * of_e.tr()
    return drift, left - (U.T @ of_e @ U) * of_x.tr()


def test_noise_that_depends_on_x_breaks_the_balance() -> None:
    U, W = column([1]), M(((1, 0),))
    xs = [column([1, 0])] * 2 + [column([0, 1])] * 2
    ys = [U @ W @ x + column([e]) for x, e in zip(xs, (0, 0, 1, -1), strict=True)]
    drift, claimed = _sides(U, W, xs, ys)
    _, of_W = gammas(xs, [U @ W @ x - y for x, y in zip(xs, ys, strict=True)])

    assert (W @ of_W @ W.T).tr() == 0
    assert drift != claimed


def test_noise_with_a_mean_breaks_the_balance() -> None:
    drift, claimed = _sides(column([2]), column([1]), [column([1])], [column([3])])

    assert not drift
    assert claimed


def test_away_from_the_minimum_there_is_noise_without_label_noise() -> None:
    xs, zero = [column([1]), column([2])], column([0])
    of_U, of_W = gammas(xs, [x * 2 for x in xs])
    drift = balance_drift(sample_gradients(column([2]), column([1]), xs, [zero] * 2))

    assert of_U.tr() == of_W.tr() == 9
    assert drift.tr() == 4 * 9 * (1 - 4)


def test_pre_activations_are_not_divided_by_their_own_trace() -> None:
    assert 2 * 1 * 2 != (2 * 1 * 2) / (2 * 1 * 2)


def test_correlated_entries_change_the_start() -> None:
    signs = [M(((z, z),)) for z in (1, -1)]
    x = column([1, 1])
    mean = Fraction(sum((W @ x).norm2() for W in signs), 2)

    assert mean == 4 != x.norm2()


def test_skew_noise_changes_the_end_and_makes_kaiming_sharpen() -> None:
    variances, S = (Fraction(1), Fraction(49)), Fraction(0)
    for variance in variances:
        fourth = sum(variances) / (2 * variance)
        root = Fraction(int(fourth.numerator**0.5), int(fourth.denominator**0.5))
        assert root**2 == fourth
        S += 2 * (root + 1 / root)

    assert Fraction(512, 35) == S
    assert S > (2 + 2) * 2 == 8


def test_decay_pulls_the_ratio_to_one() -> None:
    ratios = [(1 + 2 + shift) / (2 + shift) for shift in (0.0, 1.0, 100.0)]

    assert sorted(ratios, reverse=True) == ratios
    assert ratios[-1] < 1.01


def test_decay_shrinks_what_the_flow_conserves() -> None:
    u, w, kappa = Fraction(3), Fraction(2), 1 - 2 * Fraction(1, 8)

    assert (kappa * u) ** 2 - (kappa * w) ** 2 == kappa**2 * (u**2 - w**2)
    # At (16) with d_y = 2, d_x = 1, both isotropic: w² = uᵀu/2, and decay moves on.
    assert u**2 + 3**2 - 2 * Fraction(9) == 0 != u**2 + 3**2 - Fraction(9)


def test_larger_steps_end_at_a_lower_ratio() -> None:
    rng, n, runs, lr = np.random.default_rng(6), 30, 16, 0.008
    U = np.eye(n)[:runs]
    W, ratios = U.copy(), []
    for step in range(4000):
        x, e = rng.normal(size=(runs, n)), rng.normal(size=(runs, n))
        h = (W * x).sum(1, keepdims=True)
        r = U * h - x - e
        U, W = U - 2 * lr * r * h, W - 2 * lr * (U * r).sum(1, keepdims=True) * x
        if step >= 2000:
            ratios.append((U**2).sum(1) / (W**2).sum(1))

    assert 1 < float(np.mean(ratios)) < 1.4 < 59 / 30


def _run(U: Array, W: Array, target: float, spread: float, seed: int) -> Array:
    """Return U and W after SGD on y = target·x + spread·ε, one input and output."""
    rng = np.random.default_rng(seed)
    for _ in range(12_000):
        x = rng.choice([1.0, 2.0])
        q = 2 * ((U @ W - target) * x - spread * rng.choice([-1.0, 1.0])) * x
        U, W = U - 0.02 * q * W, W - 0.02 * q * U
    return np.array([U, W])


def test_signs_agree_where_the_noise_goes_on() -> None:
    U, W = np.array([0.3, -0.2, 0.1]), np.array([0.5, 0.6, -0.4])
    U, W = _run(U, W, 1.0, 0.5, seed=1)

    assert np.abs(np.outer(U, U) - np.outer(W, W)).max() < 1e-6
    assert (U * W > 0).all()
    assert len(set(np.sign(U))) == 2  # not those of U


def test_signs_need_not_agree_where_the_noise_stops() -> None:
    U, W = np.array([4.0, 0.1]), np.array([0.25, -0.05])
    U, W = _run(U * 0.99, W, 1.0, 0.0, seed=2)

    assert pytest.approx(1) == U @ W
    assert U[1] * W[1] < 0 < U[0] * W[0]
    assert U[0] ** 2 - W[0] ** 2 > 1


def test_a_unit_with_opposite_weights_keeps_its_sign() -> None:
    U, W = _run(np.array([1.0, 1.0]), np.array([1.0, -1.0]), 1.0, 0.5, seed=3)

    assert U[1] == -W[1]
    assert U[0] * W[0] > 0.1
    assert abs(U[1]) < 1e-6


def test_the_signs_are_lost_where_the_product_vanishes() -> None:
    U, W = _run(np.array([0.3, 0.2]), np.array([0.3, -0.1]), 0.0, 1.5, seed=4)

    assert abs(U @ W) < 1e-2


def test_anisotropic_noise_balances_a_net_that_is_not_orthogonal() -> None:
    P2 = (Fraction(5), Fraction(5, 7))  # squares of the entries of I + U
    traces = 2, 1 + 49

    for p2, variance in zip(P2, (1, 49), strict=True):
        assert traces[1] / p2 == traces[0] * variance * p2
    assert max(P2) != 1


@pytest.mark.parametrize(("p", "q", "v"), [(2, 2, 4), (2, HALF, 1)])
def test_other_targets_or_no_balance_leave_it_not_orthogonal(
    p: int, q: Fraction, v: int
) -> None:
    assert p * q == v
    assert (q * q == p * p) == (v == 4)
    assert p * p != 1


def test_an_activation_between_residual_layers_breaks_the_affine_symmetry() -> None:
    u, w, x = sp.symbols("u w x")
    f = x + u * sp.tanh(x + w * x)
    along = (1 + u) * f.diff(u) - (1 + w) * f.diff(w)

    assert abs(along.subs({u: 1, w: 1, x: 1}).evalf()) > 0.1


def test_uncentred_moments_move_what_stands_still() -> None:
    x, r = column([1]), column([2])
    of_U, of_W = gammas([x], [r], centred=False)

    assert 4 * (of_W.tr() * 1 - of_U.tr() * 4) == -48
    assert not gammas([x], [r])[0]


def test_no_product_of_rank_one_is_the_identity() -> None:
    F = column([1, 0])

    assert F @ F.T == diagonal([1, 0]) != eye(2)


def test_a_singular_gamma_has_no_balance() -> None:
    x = [column([a]) for a in (1, -1) for _ in (1, -1)]
    r = [column([0, -b]) for _ in (1, -1) for b in (1, -1)]
    of_U, of_W = gammas(x, r)

    assert (of_U, of_W) == (diagonal([0, 1]), eye(1))
    # U = (a; b): UW = (1, 0) is aW = 1, bW = 0; balance WWᵀ = bᵀb, so ‖W‖⁴ = (bW)² = 0.


def test_rotary_positions_leave_only_what_commutes_with_them() -> None:
    T, R = M(((0, -1), (1, 0))), diagonal([2, 1])
    back = inverse(R)

    assert back is not None
    assert R @ back == eye(2)
    assert R @ T @ back != T


def test_another_loss_of_the_outputs_lacks_the_symmetry() -> None:
    before, after = (1, 1), (2, HALF)

    assert before[0] * before[1] == after[0] * after[1]
    assert sum(v * v for v in before) != sum(v * v for v in after)


def test_homogeneous_activations_give_net_a_the_layerwise_scaling() -> None:
    rng = np.random.default_rng(5)
    u, w, x = rng.normal(size=3), rng.normal(size=(3, 2)), rng.normal(size=2)

    def net(u: Array, w: Array, phi: Callable[[Array], Array]) -> float:
        return float(u @ phi(w @ x / np.linalg.norm(u)) / np.linalg.norm(w))

    def relu(z: Array) -> Array:
        return np.maximum(z, 0)

    assert net(3 * u, w, relu) == pytest.approx(net(u, w, relu))
    assert net(3 * u, w, np.tanh) != pytest.approx(net(u, w, np.tanh), rel=1e-3)
    assert net(3 * u, 3 * w, np.tanh) == pytest.approx(net(u, w, np.tanh))


def test_the_least_trace_is_elsewhere_under_skew_noise() -> None:
    def trace(p: float) -> float:
        return 4 / p**2 + 2 * p**2

    assert (trace(1), trace(2), trace(4)) == (6, 9, 32.25)
    assert trace(2**0.25) == min(map(trace, (0.9, 1.0, 2**0.25, 1.3, 2.0)))


def test_an_m_of_rationals_inverts_or_says_that_it_cannot() -> None:
    A = M(((0, 2), (3, 1)))
    back = inverse(A)

    assert back is not None
    assert A @ back == eye(2)
    assert inverse(M(((1, 2), (2, 4)))) is None
    assert case(A=((1, 2),))["A"].shape == (1, 2)


# Seeded faults.


FAULTS: tuple[tuple[Any, str, str, Route, Any], ...] = (
    (
        balance_drift,
        "- of_U.T @ of_U",
        "+ of_U.T @ of_U",
        noise.pair_law_exact,
        _p1_eq40._DERIVED,
    ),
    (balance_drift, "h @ h.T", "h @ h.T * 2", noise.minimum_exact, "normalised"),
    (gammas, "r.norm2()", "x.norm2()", noise.pair_law_exact, _p1_eq40._DERIVED),
    (gammas, "mean.T @ mean", "mean.T @ mean * 2", models.residual_exact, "affine"),
    (
        of_cases.difference_gradients,
        "Fraction(1, 2)",
        "Fraction(1, 3)",
        noise.minimum_exact,
        "normalised",
    ),
    (noise.noisy_drift, "+ e for", "+ e * 2 for", noise.minimum_exact, "normalised"),
    (
        noise.minimum_words.__wrapped__,  # type: ignore[attr-defined]
        "Sigma_x.tr() * right",
        "Sigma_e.tr() * right",
        noise.minimum_words,
        "normalised",
    ),
    (
        noise.preactivations_words.__wrapped__,  # type: ignore[attr-defined]
        "divisor * (A",
        "2 * divisor * (A",
        noise.preactivations_words,
        "trace of Sigma_x",
    ),
    (
        symmetry.invariance_words.__wrapped__,  # type: ignore[attr-defined]
        "2 * slope",
        "1 * slope",
        symmetry.invariance_words,
        "inverse",
    ),
    (
        symmetry.one_unit_words.__wrapped__,  # type: ignore[attr-defined]
        "- dot(B @ W",
        "+ dot(B @ W",
        symmetry.one_unit_words,
        -ONE,
    ),
    (symmetry._charge, "- (W.T", "+ (W.T", symmetry.pair_exact, Fraction(2)),
    (
        models.residual_words.__wrapped__,  # type: ignore[attr-defined]
        '8 * scalar("sigma2") * sides',
        '4 * scalar("sigma2") * sides',
        models.residual_words,
        "affine",
    ),
    (
        models.loss_only_words.__wrapped__,  # type: ignore[attr-defined]
        "-B.T @ W",
        "B.T @ W",
        models.loss_only_words,
        "loss",
    ),
    (
        models.attention_words.__wrapped__,  # type: ignore[attr-defined]
        "K[1]: Q[1] @ G}",
        "K[1]: Q[1] @ G.T}",
        models.attention_words,
        "per head",
    ),
    (
        signs.signs_words.__wrapped__,  # type: ignore[attr-defined]
        "-2 * sigma2",
        "-1 * sigma2",
        signs.signs_words,
        "corrected",
    ),
    (
        signs.signs_words.__wrapped__,  # type: ignore[attr-defined]
        "-4 * gamma",
        "-2 * gamma",
        signs.signs_words,
        "corrected",
    ),
    (signs.steps_of, "x.T * 2", "x.T * 1", signs.signs_exact, "corrected"),
    (signs._pairs, "** 2 - u", "** 2 + u", signs.signs_exact, "corrected"),
    (
        sharp.eigenvalue_words.__wrapped__,  # type: ignore[attr-defined]
        "2 * gap",
        "3 * gap",
        sharp.eigenvalue_words,
        "positive semi-definite",
    ),
    (
        auto._narrow,
        "_N - _D",
        "_N + _D",
        auto.end_words,
        "corrected",
    ),
    (auto._imbalance, "U.T @ of_U", "2 * U.T @ of_U", auto.end_words, "corrected"),
    (auto._sharpness, "along + norm2", "along - norm2", auto.end_words, "corrected"),
    (auto._isotropic, "_DOWN * _N", "_UP * _N", auto.end_words, "corrected"),
    (auto._wide, "2 * _N", "_N", auto.end_words, "corrected"),
    (auto._at_the_end, "2 * of_w", "of_w", auto.end_exact, "corrected"),
    (auto._ratio, "missing + s", "2 * missing + s", auto.end_exact, "corrected"),
    (
        starts._claimed,
        "(k + 2 + 1 / k)",
        "(k + 1 + 1 / k)",
        starts.start_of_data,
        starts.Start("kaiming", printed=False),
    ),
    (
        starts.ratios,
        "2 * d_x / start",
        "d_x / start",
        starts.start_symbolic,
        starts.Start("xavier", printed=False),
    ),
    (
        label.label_noise_words.__wrapped__,  # type: ignore[attr-defined]
        "8 * scalar",
        "4 * scalar",
        label.label_noise_words,
        "isotropic",
    ),
    (
        label.curvature,
        "(1, -1)",
        "(1, 1)",
        label.label_noise_exact,
        "isotropic",
    ),
    (
        label.orbit_sides,
        "(one - B * h)",
        "(one + B * h)",
        label.label_noise_exact,
        "isotropic",
    ),
    (
        balanced.construction_words.__wrapped__,  # type: ignore[attr-defined]
        "F.T @ T @ R",
        "2 * F.T @ T @ R",
        balanced.construction_words,
        "wide",
    ),
    (
        balanced.orthogonal_words.__wrapped__,  # type: ignore[attr-defined]
        "+ norm2(P @ gap)",
        "- norm2(P @ gap)",
        balanced.orthogonal_words,
        ONE,
    ),
    (nets._features, "else norms[::-1]", "else norms", nets.nets_symbolic, "global"),
    (nets._outputs, "else norms[::-1]", "else norms", nets.nets_rank, "global"),
)


@pytest.mark.parametrize(
    ("function", "old", "new", "route", "subject"),
    FAULTS,
    ids=[f"{row[0].__name__}-{row[2]}" for row in FAULTS],
)
def test_a_seeded_fault_is_caught(
    function: Any,
    old: str,
    new: str,
    route: Route,
    subject: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for cached in (nets._scalings, auto._at_the_end):
        cached.cache_clear()
    assert route(subject, context("faults")).verdict.holds
    for cached in (nets._scalings, auto._at_the_end):
        cached.cache_clear()
    alter(monkeypatch, function, old, new)

    assert not route(subject, context("faults")).verdict.holds
    for cached in (nets._scalings, auto._at_the_end):
        cached.cache_clear()


@pytest.mark.parametrize("factor", [Fraction(0), HALF, Fraction(3), -ONE])
def test_other_factors_are_refuted(factor: Fraction) -> None:
    routes: tuple[Route, ...] = (
        symmetry.pair_words,
        symmetry.pair_exact,
        sharp.start_words,
        sharp.start_exact,
        symmetry.conserved_words,
        symmetry.conserved_exact,
    )
    for route in routes:
        assert route(factor, context("factor")).verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    "law",
    [
        noise.PairLaw(-4, 4, centred=False),
        noise.PairLaw(-4, 2, centred=True),
        noise.PairLaw(-2, 4, centred=True),
        noise.PairLaw(4, 4, centred=True),
        noise.PairLaw(-4, -4, centred=True),
    ],
)
def test_other_laws_of_two_units_are_refuted(law: noise.PairLaw) -> None:
    at = context("law")

    assert noise.pair_law_exact(law, at).verdict is Verdict.REFUTED
    assert not noise.pair_law_words(law, at).verdict.holds
