"""The matrix level against the scalar one, and P1's statements by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

import pytest
import sympy as sp

from symbolic import (
    DeclarationError,
    Factorisation,
    MatrixPolynomial,
    any_symmetric,
    derive_components,
    differential,
    evaluate,
    factorisation,
    gaussian_mean,
    hessian_trace,
    identity,
    linear_chain,
    matrix,
    matrix_factorisation,
    matrix_flow,
    matrix_step,
    norm2,
    quadratic_charge,
    rewrite,
    sample,
    scalar,
    second_moment,
    substitute,
    zero,
)
from symbolic._laws.ito import covariance_symbols, eta, gamma, gradient_symbols, sigma2


NET = factorisation()
U, W, B, x, y = NET.U, NET.W, NET.B, NET.x, NET.y
FLOW = matrix_flow(NET.charge, NET.gradients)
S2, GAMMA = scalar("sigma2"), scalar("gamma")
HALF = Fraction(1, 2)
SIZES = [
    (1, 1, 1),
    (2, 1, 1),
    (1, 2, 2),
    (2, 2, 1),
    (2, 1, 2),
    (3, 1, 1),
]  # d, d_x, d_y
NUMBERS = {
    "sigma2": sp.Rational(2, 7),
    "gamma": sp.Rational(3, 5),
    "eta": sp.Rational(1, 4),
}
SYMBOLS = {sigma2: NUMBERS["sigma2"], gamma: NUMBERS["gamma"], eta: NUMBERS["eta"]}


class _Point:
    """Rational parameters and three samples of a factorisation, gradients by hand."""

    def __init__(self, d: int, d_x: int, d_y: int) -> None:
        stream = random.Random(100 * d + 10 * d_x + d_y)

        def drawn(rows: int, cols: int) -> sp.Matrix:
            return sp.Matrix(
                rows, cols, lambda i, j: sp.Rational(stream.randint(-4, 4), 2)
            )

        full = drawn(d, d)
        self.U, self.W, self.B = drawn(d_y, d), drawn(d, d_x), full + full.T
        self.samples = [{"x": drawn(d_x, 1), "y": drawn(d_y, 1)} for _ in range(3)]
        self.declaration = matrix_factorisation(d, d_x, d_y, self.B.tolist())

    @property
    def values(self) -> dict[str, sp.Matrix]:
        return {"U": self.U, "W": self.W, "B": self.B}

    def gradient(self, k: int) -> tuple[sp.Matrix, sp.Matrix]:
        x, y = self.samples[k]["x"], self.samples[k]["y"]
        r = self.U * self.W * x - y
        return 2 * r * (self.W * x).T, 2 * self.U.T * r * x.T

    def flat(self, U: sp.Matrix, W: sp.Matrix) -> list[sp.Expr]:
        return [*U, *W]

    def at(self) -> dict[sp.Symbol, sp.Expr]:
        space = self.declaration.space
        return (
            dict(zip(space.symbols, self.flat(self.U, self.W), strict=True)) | SYMBOLS
        )

    def covariance(self) -> sp.Matrix:
        rows = [self.flat(*self.gradient(k)) for k in range(3)]
        n = len(rows[0])
        mean = [sum(row[i] for row in rows) / 3 for i in range(n)]
        return sp.Matrix(
            n,
            n,
            lambda i, j: sum(row[i] * row[j] for row in rows) / 3 - mean[i] * mean[j],
        )

    def value(self, f: MatrixPolynomial, **more: sp.Matrix) -> sp.Expr:
        found = evaluate(f, self.values | more, samples=self.samples, numbers=NUMBERS)
        return found[0, 0]


def _traced_with_b(f: MatrixPolynomial) -> MatrixPolynomial:
    """Return ½Tr[fB], what a law of Q says about C_B."""
    return HALF * (f @ B).tr()


@pytest.mark.parametrize("size", SIZES)
def test_flow_is_the_scalar_level_s(size: tuple[int, int, int]) -> None:
    point = _Point(*size)
    law = derive_components(point.declaration)
    Sigma, symbols = point.covariance(), covariance_symbols(point.declaration.space)
    at = point.at()
    at |= {symbols[i]: Sigma[i] for i in range(len(Sigma))}
    assert point.value(_traced_with_b(NET.charge)) == law.charge.xreplace(at)
    assert point.value(_traced_with_b(FLOW.noise)) == sp.expand(
        law.flow.noise.xreplace(at)
    )
    assert point.value(
        _traced_with_b(FLOW.weight_decay)
    ) == law.flow.weight_decay.xreplace(at)
    assert point.value(_traced_with_b(FLOW.loss)) == law.flow.loss == 0
    assert point.value(_traced_with_b(FLOW.expression)) == law.flow.expression.xreplace(
        at
    )


@pytest.mark.parametrize("size", SIZES)
def test_step_is_the_scalar_level_s_and_what_sgd_does(
    size: tuple[int, int, int],
) -> None:
    point = _Point(*size)
    g_U, g_W = point.gradient(0)
    step = matrix_step(NET.charge, NET.gradients)
    letters = {"G_U": g_U, "G_W": g_W}
    found = point.value(_traced_with_b(step.law), **letters)
    g = gradient_symbols(point.declaration.space)
    at = point.at() | dict(zip(g, point.flat(g_U, g_W), strict=True))
    assert found == derive_components(point.declaration).exact_law.next_charge.xreplace(
        at
    )
    kappa = 1 - 2 * NUMBERS["eta"] * NUMBERS["gamma"]
    U_next = kappa * point.U - NUMBERS["eta"] * g_U
    W_next = kappa * point.W - NUMBERS["eta"] * g_W
    Q = U_next.T * U_next - W_next * W_next.T
    assert found == (Q * point.B).trace() / 2
    assert point.value(_traced_with_b(step.next_charge), **letters) == found
    assert point.value(_traced_with_b(step.first_order), **letters) == 0


@pytest.mark.parametrize("size", SIZES)
def test_hessian_trace_is_the_scalar_level_s(size: tuple[int, int, int]) -> None:
    point = _Point(*size)
    per_sample = derive_components(point.declaration).hessian_trace
    assert per_sample is not None
    total = sp.S.Zero
    loss = point.declaration.loss
    assert loss is not None
    for each in point.samples:
        names = {**{s.name: s for s in per_sample.free_symbols}}
        data = {}
        for name, column in each.items():
            for i, entry in enumerate(column):
                key = f"{name}_{i}" if f"{name}_{i}" in names else name
                if key in names:
                    data[names[key]] = entry
        total += per_sample.xreplace(point.at() | data)
    assert point.value(hessian_trace(NET.loss, (U, W))) == sp.expand(total / 3)


def test_theorem_2() -> None:
    """Noise 8σ²(WΓ⁰_WWᵀ − UᵀΓ⁰_UU), 8σ² = 4η/S; the balance has Γ⁰ + γS/η I."""
    assert FLOW.noise == 8 * S2 * NET.imbalance(NET.noise_matrices())
    assert FLOW.noise != 8 * S2 * NET.imbalance(NET.noise_matrices(centred=False))
    assert FLOW.weight_decay == -4 * GAMMA * NET.charge
    assert FLOW.loss == FLOW.diffusion == zero("d", "d")
    shift = HALF * GAMMA * scalar("sigma2", -1)  # γS/η
    assert FLOW.expression == 8 * S2 * NET.imbalance(NET.noise_matrices(shift=shift))
    assert FLOW.expression != 8 * S2 * NET.imbalance(
        NET.noise_matrices(shift=2 * shift)
    )


def test_noise_matrices_by_their_definition() -> None:
    r = NET.residual
    M = (r @ x.T).mean()
    of_U, of_W = NET.noise_matrices(centred=False)
    assert of_U == (norm2(x) * (r @ r.T)).mean()
    assert of_W == (norm2(r) * (x @ x.T)).mean()
    centred = NET.noise_matrices()
    assert centred == (of_U - M @ M.T, of_W - M.T @ M)
    shifted = NET.noise_matrices(shift=GAMMA)
    assert shifted[0] - centred[0] == GAMMA * identity("d_y")
    assert shifted[1] - centred[1] == GAMMA * identity("d_x")


def test_theorem_2_with_the_residual_as_a_letter() -> None:
    """The residual opaque: the rate has four terms, whatever the sizes."""
    r = sample("r", "d_y")
    opaque = {U: 2 * r @ x.T @ W.T, W: 2 * U.T @ r @ x.T}
    flow = matrix_flow(NET.charge, opaque)
    M = (r @ x.T).mean()
    of_W = (norm2(r) * (x @ x.T)).mean() - M.T @ M
    of_U = (norm2(x) * (r @ r.T)).mean() - M @ M.T
    assert flow.noise == 8 * S2 * (W @ of_W @ W.T - U.T @ of_U @ U)
    assert len(flow.noise.terms) == 4
    assert substitute(flow.noise, {r: NET.residual}) == FLOW.noise


def test_proposition_1() -> None:
    """σ²(Σᵢ Tr[Σ_uᵢB] − Σⱼ Tr[Σ_wⱼB]) over rows of U and columns of W."""
    g_U, g_W = NET.gradients.values()
    spread = (g_U.T @ g_U).mean() - g_U.mean().T @ g_U.mean()
    spread -= (g_W @ g_W.T).mean() - g_W.mean() @ g_W.mean().T
    assert _traced_with_b(FLOW.noise) == S2 * (spread @ B).tr()
    direct = matrix_flow(_traced_with_b(NET.charge), NET.gradients)
    assert direct.expression == _traced_with_b(FLOW.expression)
    assert direct.diffusion == zero(1, 1)


def test_gradients_are_those_of_the_square() -> None:
    r = NET.residual
    assert NET.gradients[U] == 2 * r @ (W @ x).T
    assert NET.gradients[W] == 2 * U.T @ r @ x.T
    assert NET.loss == norm2(U @ W @ x) - 2 * (y.T @ U @ W @ x) + norm2(y)


def test_proposition_2_and_the_initial_value() -> None:
    d, d_x, d_y = (scalar(name) for name in ("d", "d_x", "d_y"))
    Sigma = matrix("Sigma", "d_x", "d_x", symmetric=True)
    found = hessian_trace(NET.loss, (U, W))
    moment = (x @ x.T).mean()
    decay = 2 * GAMMA * d * (d_x + d_y)
    inner = d_y * (W @ moment @ W.T).tr() + norm2(U) * moment.tr()
    assert found == 2 * inner + decay
    trace = second_moment(found, x, Sigma)
    assert trace == 2 * (d_y * (W @ Sigma @ W.T).tr() + norm2(U) * Sigma.tr()) + decay
    s_U, s_W = scalar("sigma2_U"), scalar("sigma2_W")
    initial = gaussian_mean(gaussian_mean(trace, W, scale=s_W), U, scale=s_U)
    assert initial == 2 * d_y * d * (s_U + s_W) * Sigma.tr() + decay


def test_equation_16_isotropic_balance() -> None:
    """r = −ε, independent of x, Eε = 0, γ = 0: Γ_W = Tr Σ_ε Σ_x, Γ_U = Tr Σ_x Σ_ε."""
    eps = sample("eps", "d_y")
    opaque = {U: -2 * eps @ x.T @ W.T, W: -2 * U.T @ eps @ x.T}
    noise = matrix_flow(NET.charge, opaque).noise
    S_x = matrix("S_x", "d_x", "d_x", symmetric=True)
    S_e = matrix("S_e", "d_y", "d_y", symmetric=True)
    rate = second_moment(second_moment(noise, eps, S_e), x, S_x)
    imbalance = S_e.tr() * (W @ S_x @ W.T) - S_x.tr() * (U.T @ S_e @ U)
    assert rate == 8 * S2 * imbalance
    isotropic = substitute(rate, {S_x: identity("d_x"), S_e: identity("d_y")})
    d_x, d_y = scalar("d_x"), scalar("d_y")
    assert isotropic == 8 * S2 * (d_y * (W @ W.T) - d_x * (U.T @ U))


@pytest.mark.parametrize("sizes", [("d", "d_x", "d_y"), ("3", "10", "1000000")])
def test_the_cost_does_not_depend_on_the_sizes(sizes: tuple[str, str, str]) -> None:
    d, d_x, d_y = sizes
    net = Factorisation(
        matrix("U", d_y, d),
        matrix("W", d, d_x),
        matrix("B", d, d, symmetric=True),
        sample("x", d_x),
        sample("y", d_y),
    )
    noise = matrix_flow(net.charge, net.gradients).noise
    length = sum(
        len(word) for _, traced, last in noise.terms for word in (*traced, last)
    )
    assert (len(noise.terms), length) == _COST


_COST = (
    len(FLOW.noise.terms),
    sum(len(w) for _, traced, last in FLOW.noise.terms for w in (*traced, last)),
)


def test_the_first_order_part_is_that_of_any_charge() -> None:
    """Also of Q² and of an affine one: it is the derivative at G = 0, exactly."""
    a = matrix("a", "d_y", "d")
    for charge in (NET.charge @ NET.charge, (a.T @ U).tr() + norm2(U), NET.charge):
        step = matrix_step(charge, NET.gradients)
        G = {X: matrix(f"G_{X.letter.name}", X.rows, X.cols) for X in (U, W)}
        H = {X: matrix(f"H_{X.letter.name}", X.rows, X.cols) for X in (U, W)}
        slope = differential(step.next_charge, {G[X]: H[X] for X in (U, W)})
        slope = substitute(slope, {P: zero(P.rows, P.cols) for P in G.values()})
        assert step.first_order == substitute(slope, {H[X]: G[X] for X in (U, W)})


def test_a_function_of_a_charge_has_an_exact_law_too() -> None:
    point = _Point(2, 2, 1)
    g_U, g_W = point.gradient(1)
    step = matrix_step(NET.charge @ NET.charge, NET.gradients)
    letters = {"G_U": g_U, "G_W": g_W}
    law = evaluate(step.law, point.values | letters, numbers=NUMBERS)
    direct = evaluate(step.next_charge, point.values | letters, numbers=NUMBERS)
    assert sp.expand(law - direct) == sp.zeros(2, 2)


def test_a_charge_that_a_sample_moves_has_no_law() -> None:
    for charge in (U.T @ U, NET.charge + U.T @ U, norm2(W), W @ W.T + U.T @ U):
        flow = matrix_flow(charge, NET.gradients)
        assert flow.diffusion != zero(charge.rows, charge.cols)
        assert flow.loss == -flow.diffusion.mean()
        with pytest.raises(DeclarationError, match="no sample moves at first order"):
            _ = matrix_step(charge, NET.gradients).law


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_quadratic_charge_is_the_scalar_level_s(n: int) -> None:
    law = quadratic_charge()
    flow = matrix_flow(law.charge, {law.theta: law.g})
    declaration = any_symmetric(n)
    derived = derive_components(declaration)
    stream = random.Random(n)
    A = sp.Matrix(n, n, lambda i, j: sp.Integer((i + 1) * (j + 1) - 2 * (i == j)))
    theta = sp.Matrix([stream.randint(-3, 3) or 1 for _ in range(n)])
    samples = [
        {"g": sp.Matrix([stream.randint(-3, 3) for _ in range(n)])} for _ in "abc"
    ]
    mean = sum((s["g"] for s in samples), sp.zeros(n, 1)) / 3
    Sigma = (
        sum((s["g"] * s["g"].T for s in samples), sp.zeros(n, n)) / 3 - mean * mean.T
    )
    symbols = covariance_symbols(declaration.space)
    at = dict(zip(declaration.space.symbols, theta, strict=True)) | SYMBOLS
    at |= {symbols[i]: Sigma[i] for i in range(n * n)}
    at |= {
        s: A[int(s.name.split("_")[1]), int(s.name.split("_")[2])]
        for s in declaration.symmetry.constants
    }
    values = {"theta": theta, "A": A}

    def value(f: MatrixPolynomial) -> sp.Expr:
        return evaluate(f, values, samples=samples, numbers=NUMBERS)[0, 0]

    assert value(law.charge) == derived.charge.xreplace(at)
    assert value(flow.noise) == derived.flow.noise.xreplace(at)
    assert value(flow.weight_decay) == derived.flow.weight_decay.xreplace(at)
    assert value(law.noise_trace) == (Sigma * A).trace()


def test_equation_7_for_every_size() -> None:
    law = quadratic_charge()
    flow = matrix_flow(law.charge, {law.theta: law.g})
    assert flow.noise == S2 * law.noise_trace
    assert flow.weight_decay == -4 * GAMMA * law.charge
    assert law.on_shell(flow.expression) == S2 * law.noise_trace - (
        4 * GAMMA * law.charge
    )
    step = matrix_step(law.charge, {law.theta: law.g})
    assert law.on_shell(step.per_sample) == zero(1, 1)
    G = matrix("G_theta", "n", 1)
    kappa = identity(1) - 2 * scalar("eta") * GAMMA
    exact = kappa * kappa * law.charge + HALF * scalar("eta", 2) * (G.T @ law.A @ G)
    assert step.next_charge - step.first_order == exact


R = matrix("R", "n", "n")
SYM = matrix("S", "n", "n", symmetric=True)


def test_on_shell_drops_the_pairing_and_nothing_else() -> None:
    law = quadratic_charge(R @ R.T)
    theta, g = law.theta, law.g
    pairing = g.T @ R @ R.T @ theta
    other = g.T @ R.T @ R @ theta  # the same names
    for zero_one in (
        pairing,
        pairing.mean(),
        pairing * norm2(theta),
        pairing * pairing,
    ):
        assert law.on_shell(zero_one) == zero(1, 1)
        assert law.on_shell(zero_one + other) == other
    for kept in (other, g.T @ R @ theta, theta.T @ R @ R.T @ theta, g.T @ theta):
        assert law.on_shell(kept) == kept
    assert law.on_shell(theta @ pairing) == zero("n", 1)
    mixed = pairing.mean() * norm2(g).mean() + norm2(g).mean()
    assert law.on_shell(mixed) == norm2(g).mean()


@pytest.mark.parametrize(
    "A", [identity("n"), 2 * identity("n"), SYM, scalar("c") * SYM, SYM @ SYM]
)
def test_generators_that_are_products(A: MatrixPolynomial) -> None:
    law = quadratic_charge(A)
    flow = matrix_flow(law.charge, {law.theta: law.g})
    assert law.on_shell(flow.diffusion) == zero(1, 1)
    assert flow.noise == S2 * law.noise_trace


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: linear_chain(0), "a depth of at least 1, got 0"),
        (lambda: linear_chain(-2), "a depth of at least 1, got -2"),
        (
            lambda: quadratic_charge(SYM + identity("n")),
            "product of variables for A, got a n x n polynomial of 2 terms; name",
        ),
        (lambda: quadratic_charge(R), "expected a symmetric n x n product"),
        (lambda: quadratic_charge(SYM.tr() * SYM), "expected a symmetric n x n"),
        (lambda: quadratic_charge(zero("n", "n")), "polynomial of 0 terms"),
        (lambda: quadratic_charge(identity("m")), "got a m x m polynomial"),
        (lambda: matrix_flow(norm2(x), NET.gradients), "the data x in it; average"),
        (lambda: matrix_flow(norm2(U), {U: W}), "expected d_y x d for U, got d x d_x"),
        (lambda: hessian_trace(U @ W, (U,)), "one shape, got d_y x d_x and 1 x 1"),
        (lambda: hessian_trace((B @ B).tr(), (B,)), "B with free entries"),
    ],
)
def test_refusals(act: Callable[[], object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        act()


def test_softmax_like_translation_needs_no_noise() -> None:
    """A linear charge has no second derivative: no noise, at any size (P1, Sec. 3)."""
    one = matrix("one", "n", 1)
    theta, g = matrix("theta", "n", 1), sample("g", "n")
    flow = matrix_flow(one.T @ theta, {theta: g})
    assert flow.noise == zero(1, 1)
    assert flow.weight_decay == -2 * GAMMA * (one.T @ theta)
    assert flow.diffusion == one.T @ g


def test_the_balance_is_invariant_under_the_orthogonal_group() -> None:
    """(U, W) ↦ (UO, OᵀW) turns the rate of Q into Oᵀ(rate)O."""
    orth = matrix("O", "d", "d")
    rules = {orth @ orth.T: identity("d"), orth.T @ orth: identity("d")}
    turned = substitute(FLOW.noise, {U: U @ orth, W: orth.T @ W})
    assert rewrite(turned, rules) == rewrite(orth.T @ FLOW.noise @ orth, rules)
