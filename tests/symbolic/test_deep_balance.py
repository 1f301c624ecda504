"""The balance of deep linear nets: its equations, and the net that solves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    DeclarationError,
    evaluate,
    factorisation,
    gradient,
    linear_chain,
    matrix,
    sample,
    scalar,
    substitute,
    zero,
)
from symbolic._matrices.deep_balance import (
    BalancedDeepNet,
    balanced_deep_net,
    deep_balance,
)


S2, GAMMA = scalar("sigma2"), scalar("gamma")
DEPTHS = [2, 3, 4, 5]


@pytest.mark.parametrize("depth", [*DEPTHS, 8])
def test_gradients_are_those_of_the_loss(depth: int) -> None:
    net = deep_balance(depth)
    layers, loss = linear_chain(depth)
    assert net.layers == layers
    assert net.depth == depth
    for X in layers:
        assert net.unfold(net.gradients[X]) == gradient(loss, X)


@pytest.mark.parametrize("depth", [*DEPTHS, 8])
def test_flow_of_each_pair_is_its_imbalance(depth: int) -> None:
    """dQ/dt = −4γQ + 8σ²(W_iΓW_iᵀ − W_{i+1}ᵀΓW_{i+1}), no dW, no loss term."""
    net = deep_balance(depth)
    assert len(net.pairs) == depth - 1
    for pair, (lower, upper) in zip(net.pairs, pairwise(net.layers), strict=True):
        assert (pair.lower, pair.upper) == (lower, upper)
        nothing = zero(lower.rows, lower.rows)
        assert pair.flow.diffusion == pair.flow.loss == nothing
        assert pair.flow.weight_decay == -4 * GAMMA * pair.charge
        assert pair.flow.noise == 8 * S2 * pair.imbalance()
        # With decay the zero of the flow is that of the shifted Γ: τ = γ/(2σ²).
        shifted = pair.imbalance(decay=True) - pair.imbalance()
        assert shifted == -scalar("tau") * pair.charge


def test_depth_two_is_theorem_2() -> None:
    net, two = deep_balance(2), factorisation()
    (pair,) = net.pairs
    place = {"d_0": "d_x", "d_1": "d", "d_2": "d_y"}
    of_upper, of_lower = pair.noise_matrices()
    of_U, of_W = two.noise_matrices(unfolded=False)
    assert (place[of_upper.rows], place[of_lower.rows]) == (of_U.rows, of_W.rows)
    values = {"W": sp.Matrix([[1, 2], [3, -1], [0, 2]]), "U": sp.Matrix([[2, 1, -1]])}
    values |= {"W_1": values["W"], "W_2": values["U"]}
    samples = [
        {"x": sp.Matrix([a, b]), "r": sp.Matrix([a * b - 1])}
        for a, b in ((1, 2), (-1, 3), (2, 2))
    ]
    ours = evaluate(pair.imbalance(), values, samples=samples)
    theirs = evaluate(two.imbalance((of_U, of_W)), values, samples=samples)
    assert ours == theirs
    assert not ours.is_zero_matrix


@pytest.mark.parametrize("depth", [*DEPTHS, 8])
def test_balance_at_a_global_minimum(depth: int) -> None:
    """W_i Tr[Σ_ε of above] H W_iᵀ = W_{i+1}ᵀ Tr[H] (Σ_ε of above) W_{i+1}."""
    net = deep_balance(depth)
    Sx = matrix("Sigma_x", "d_0", "d_0", symmetric=True)
    Se = matrix("Sigma_e", f"d_{depth}", f"d_{depth}", symmetric=True)
    fed, pulled = [Sx], [Se]
    for X in net.layers[:-2]:
        fed.append(X @ fed[-1] @ X.T)
    for X in net.layers[:1:-1]:
        pulled.append(X.T @ pulled[-1] @ X)
    for pair, H, E in zip(net.pairs, fed, pulled[::-1], strict=True):
        lower = E.tr() * (pair.lower @ H @ pair.lower.T)
        upper = H.tr() * (pair.upper.T @ E @ pair.upper)
        assert pair.at_minimum() == lower - upper


@pytest.mark.parametrize("depth", [-1, 0, 1])
def test_refuses_a_net_without_neighbours(depth: int) -> None:
    with pytest.raises(DeclarationError, match=f"at least 2, got {depth}"):
        deep_balance(depth)
    with pytest.raises(DeclarationError, match=f"at least 2, got {depth}"):
        balanced_deep_net([1], 1, 1, depth)


# ------------------------------------------------------------------ the closed form


def cayley(size: int, entries: Sequence[int]) -> sp.Matrix:
    """A rational orthogonal matrix: (I − K)(I + K)⁻¹ with K antisymmetric."""
    flat = iter(entries)
    K = sp.zeros(size)
    for i in range(size):
        for j in range(i):
            K[i, j] = next(flat)
            K[j, i] = -K[i, j]
    return (sp.eye(size) - K) * (sp.eye(size) + K).inv()


@st.composite
def problems(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    """Rational Σ_x, Σ_ε, V and frames whose balanced net is rational too.

    Tr Σ_x = p² and Tr Σ_ε = q² with pq a square; S' = c^D·pq·a²/Σa², with Σa² a square.
    """
    frames = st.lists(st.integers(-2, 2), min_size=3, max_size=3)
    small = st.integers(1, 3)
    c = sp.Rational(draw(small), draw(small)) ** 2  # so that c^{D/2} is rational
    p, q = (sp.Integer(draw(small)) ** 2 for _ in range(2))
    wide = {name: draw(st.integers(2, 3)) for name in ("x", "y")}
    widths = [draw(st.integers(2, 3)) for _ in range(depth - 1)]
    rotations = {name: cayley(n, draw(frames)) for name, n in wide.items()}
    singular = [c**depth * p * q * sp.Rational(a**2, 25) for a in (3, 4)]
    roots = {}
    for name, trace in (("x", p), ("y", q)):
        n = wide[name]
        unit = [sp.Rational(3, 5), sp.Rational(4, 5)]
        if n == 3:
            unit = [sp.Rational(k, 3) for k in (1, 2, 2)]
        turn = cayley(n, draw(frames))
        roots[name] = turn * sp.diag(*[trace * k for k in unit]) * turn.T
    return {
        "singular": singular,
        "roots": roots,
        "L": rotations["y"][:, :2],
        "R": rotations["x"][:, :2].T,
        "frames": [cayley(n, draw(frames))[:, :2] for n in widths],
        "depth": depth,
    }


def solved(problem: dict[str, Any], net: BalancedDeepNet) -> list[sp.Matrix]:
    """Return the layers, checked to multiply to V."""
    roots = problem["roots"]
    layers = net.layers(
        problem["L"], problem["R"], roots["x"], roots["y"], problem["frames"]
    )
    V = roots["y"].inv() * problem["L"] * sp.diag(*problem["singular"])
    V = V * problem["R"] * roots["x"].inv()
    output = layers[0]
    for W in layers[1:]:
        output = W * output
    assert (output - V).applyfunc(sp.simplify).is_zero_matrix
    return [sp.Matrix(W) for W in layers]


def imbalances(problem: dict[str, Any], layers: list[sp.Matrix]) -> list[sp.Matrix]:
    roots = problem["roots"]
    values = {f"W_{i}": W for i, W in enumerate(layers, start=1)}
    values |= {"Sigma_x": roots["x"] ** 2, "Sigma_e": roots["y"] ** 2}
    net = deep_balance(len(layers))
    return [evaluate(pair.at_minimum(), values) for pair in net.pairs]


def corrected(problem: dict[str, Any]) -> BalancedDeepNet:
    roots = problem["roots"]
    x, eps = ((roots[k] ** 2).trace() for k in ("x", "y"))
    return balanced_deep_net(problem["singular"], x, eps, problem["depth"])


def published(problem: dict[str, Any]) -> BalancedDeepNet:
    """P1 v3, Theorem 5.4: Σ_1 = Σ_D = (d/Tr S')^{(D−2)/2D}√S' round (Tr S'/d)^{1/D}."""
    S, D = problem["singular"], problem["depth"]
    ratio = sp.Add(*S) / len(S)
    outer = tuple(sp.sqrt(s) * ratio ** -sp.Rational(D - 2, 2 * D) for s in S)
    return BalancedDeepNet(outer, ratio ** sp.Rational(1, D), outer, D)


@pytest.mark.parametrize("depth", DEPTHS)
def test_closed_form_balances_every_pair(depth: int) -> None:
    @given(problems(depth))
    @settings(max_examples=6, deadline=None, derandomize=True)
    def balanced(problem: dict[str, Any]) -> None:
        net = corrected(problem)
        assert all(value.is_Rational for value in (*net.first, *net.last, net.middle))
        layers = solved(problem, net)
        for gap in imbalances(problem, layers):
            assert gap.is_zero_matrix
        layers[0], layers[-1] = 2 * layers[0], layers[-1] / 2  # V is the same
        assert not any(gap.is_zero_matrix for gap in imbalances(problem, layers)[:1])

    balanced()


def _problem(depth: int, p: int, q: int, k: int = 2) -> dict[str, Any]:
    """S' = diag(1, …, 4), isotropic Σ_x with trace p and Σ_ε with trace q, no turns."""
    roots = {"x": sp.eye(k) * sp.sqrt(sp.Rational(p, k))}
    roots["y"] = sp.eye(k) * sp.sqrt(sp.Rational(q, k))
    singular = [sp.Integer(4) ** i for i in range(k)]
    return {
        "singular": singular,
        "roots": roots,
        "L": sp.eye(k),
        "R": sp.eye(k),
        "frames": [sp.eye(k)] * (depth - 1),
        "depth": depth,
    }


@pytest.mark.parametrize(
    ("depth", "p", "q", "holds"),
    [
        (2, 1, 1, True),
        (2, 3, 3, True),
        (2, 1, 4, False),
        (3, 1, 1, False),
        (4, 1, 1, False),
        (5, 3, 3, False),
        (3, 2, 2, True),  # both traces are the rank
        (4, 2, 2, True),
        (4, 1, 4, False),  # only their geometric mean is
    ],
)
def test_published_form_holds_only_where_its_traces_are_the_rank(
    depth: int, p: int, q: int, holds: bool
) -> None:
    problem = _problem(depth, p, q)
    assert _is_balanced(problem, published(problem)) is holds
    assert _is_balanced(problem, corrected(problem))


def _is_balanced(problem: dict[str, Any], net: BalancedDeepNet) -> bool:
    """Decide with algebraic numbers: no floating point."""
    gaps = imbalances(problem, solved(problem, net))
    return all(sp.minimal_polynomial(e).as_expr().is_Symbol for g in gaps for e in g)


def test_closed_form_solves_the_balance_at_every_depth() -> None:
    """In the frames all matrices are diagonal: one equation for D and i symbols."""
    D, i = sp.symbols("D i", positive=True)
    s, total, x, eps = sp.symbols("s total x eps", positive=True)
    c = (total / sp.sqrt(x * eps)) ** (1 / D)
    first, last = (c**2 * trace / total for trace in (x, eps))  # Σ_1², Σ_D² over S'
    into, out = c ** (2 * (i - 1)), c ** (2 * (D - 1 - i))
    fed, pulled = into * x, out * eps  # Tr of W_{i−1}⋯Σ_x⋯ and of ⋯Σ_ε⋯W_{i+2}
    lower, upper = pulled * into * first * s, fed * out * last * s
    assert sp.simplify(lower / upper) == 1
    assert sp.simplify(first * last * c ** (2 * (D - 2))) == 1  # the product is S'


def test_closed_form_stops_the_flow_on_data() -> None:
    """On all pairs of x and ε drawn from ± the columns of the roots, exactly."""
    problem = {**_problem(3, 2, 8), "singular": [sp.Integer(1), sp.Integer(9)]}
    turn = cayley(2, [2])
    problem |= {"L": turn, "R": turn.T, "frames": [cayley(2, [1]), turn]}
    problem["roots"] = {"x": sp.diag(1, 1), "y": sp.diag(2, 2)}
    # Tr S' = 10, c³ = 10/4: algebraic, so the entries are put on 𝟙 = c³·2/5 at the end.
    c = sp.Symbol("c", positive=True)
    x, eps = sp.Integer(2), sp.Integer(8)
    first, last = (
        tuple(c * sp.sqrt(trace * value / 10) for value in problem["singular"])
        for trace in (x, eps)
    )
    net = BalancedDeepNet(first, c, last, 3)
    roots = problem["roots"]
    layers = net.layers(turn, turn.T, roots["x"], roots["y"], problem["frames"])
    V = roots["y"].inv() * turn * sp.diag(*problem["singular"]) * turn.T
    points = {
        k: [sign * sp.sqrt(2) * M[:, j] for j in range(2) for sign in (1, -1)]
        for k, M in roots.items()
    }
    values = {f"W_{i}": sp.Matrix(W) for i, W in enumerate(layers, start=1)}
    deep = deep_balance(3)
    product_ = values["W_3"] * values["W_2"] * values["W_1"]
    scale = sp.Rational(5, 2)
    assert (product_.subs(c, sp.cbrt(scale)) - V).applyfunc(sp.simplify).is_zero_matrix
    samples = [{"x": a, "r": -b} for a, b in product(points["x"], points["y"])]
    for pair in deep.pairs:
        gap = evaluate(pair.imbalance(), values, samples=samples)
        reduced = gap.applyfunc(lambda e: sp.rem(sp.expand(e), c**3 - scale, c))
        assert reduced.is_zero_matrix
    wrong = replace(net, first=tuple(2 * v for v in first))
    moved = wrong.layers(turn, turn.T, roots["x"], roots["y"], problem["frames"])
    values["W_1"] = sp.Matrix(moved[0])
    gap = evaluate(deep.pairs[0].imbalance(), values, samples=samples)
    assert not gap.applyfunc(sp.expand).is_zero_matrix


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 0], 1, 1, 3), "positive singular values and traces, got 0"),
        (([], 1, 1, 3), "got none"),
        (([1], -1, 1, 2), "got -1"),
        (([sp.Symbol("s", real=True)], 1, 1, 2), "got s; give symbols as positive"),
    ],
)
def test_refusals(arguments: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        balanced_deep_net(*arguments)


def test_layers_refuse_frames_that_are_not_orthonormal() -> None:
    net = balanced_deep_net([1, 4], 5, 5, depth=3)
    one = sp.eye(2)
    with pytest.raises(DeclarationError, match="expected 2 frames, got 1"):
        net.layers(one, one, one, one, [one])
    with pytest.raises(DeclarationError, match="expected 2 orthonormal columns"):
        net.layers(one, one, one, one, [one, 2 * one])


def test_substitution_of_the_residual_is_sample_by_sample() -> None:
    """r = UWx − y in the two-layer net: E[‖r‖²] is no product of means."""
    net = deep_balance(2)
    r = sample("r", "d_2")
    f = (r.T @ r).tr().mean()
    assert net.unfold(f) == linear_chain(2)[1].mean()
    assert substitute(f, {r: Fraction(2) * r}) == 4 * f
