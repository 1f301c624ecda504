"""The trace of the Hessian along an orbit, and the balance that label noise gives."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp

from symbolic import (
    Declaration,
    DeclarationError,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    compare,
    derive,
    matrix_factorisation,
    rescaling,
    scaling,
    tanh_net,
)
from symbolic._laws.explicit_noise import explicit_equilibrium, gaussian_covariance
from symbolic._laws.ito import lam
from symbolic._orbits import sharpness
from symbolic._orbits.balance import (
    noise_equilibrium_equation,
    orbit_balance,
    spectral_projectors,
)
from symbolic._orbits.laws import characteristic
from symbolic._orbits.sharpness import hessian_trace_on_orbit, least_trace_is_balance


def diagonal(*mu: Any) -> Symmetry:
    space = ParameterSpace(theta=(len(mu),))
    return Symmetry.exponential(space, sp.diag(*mu))


@pytest.mark.parametrize(
    "declaration",
    [
        rescaling(),
        rescaling(2, 1),
        scaling(2),
        tanh_net(1),
        matrix_factorisation(2, 1, 2, B=[[0, 1], [1, 0]]),
    ],
    ids=lambda d: str(d.name),
)
def test_hessian_trace_of_the_moved_point(declaration: Declaration) -> None:
    loss, symmetry = declaration.loss, declaration.symmetry
    assert loss is not None
    assert symmetry.matrix is not None
    trace = hessian_trace_on_orbit(symmetry, loss)
    spectrum = spectral_projectors(symmetry.matrix)
    assert spectrum is not None
    q = sp.Integer(2)  # e^λ
    flow = sum((q**mu * P for mu, P in spectrum), sp.zeros(declaration.space.size))
    theta = declaration.space.symbols
    moved = dict(zip(theta, flow * sp.Matrix(theta), strict=True))
    direct = derive(declaration).hessian_trace
    assert isinstance(direct, sp.Expr)
    data = {s: sp.Integer(k) for k, s in enumerate(loss.data.symbols, start=2)}
    left = direct.xreplace(moved).xreplace(data)
    right = trace.expression.subs(lam, sp.log(q)).xreplace(data)
    left, right = sp.cancel(left), sp.cancel(right)  # short enough for a normal form
    assert compare(left, right).verdict is Verdict.PROVED
    assert compare(left, right + 1).verdict is Verdict.REFUTED


def test_least_trace_for_opposite_eigenvalues() -> None:
    trace = hessian_trace_on_orbit(diagonal(3, -3, 0))
    H = sp.symbols("H_theta_0_theta_0 H_theta_1_theta_1", real=True)
    assert trace.least is not None
    assert trace.least == sp.log(H[0] / H[1]) / 12
    positive = {h: sp.Symbol(h.name, positive=True) for h in H}
    at = trace.slope.xreplace(positive).subs(lam, trace.least.xreplace(positive))
    assert sp.simplify(at) == 0
    assert hessian_trace_on_orbit(diagonal(1, 2)).least is None
    assert hessian_trace_on_orbit(diagonal(1, -2)).least is not None


def test_trace_of_an_irrational_spectrum_is_in_symbols() -> None:
    root = Symmetry.exponential(ParameterSpace(u=(), w=()), [[1, 1], [1, -1]])
    trace = hessian_trace_on_orbit(root)
    assert [str(m) for m in trace.eigenvalues] == ["mu_0", "mu_1"]
    assert trace.least is None


def test_label_noise_makes_the_balance_the_least_trace() -> None:
    """At y = uwx + ε: Σ = 2s²∇²L, so the noise equilibrium is the least trace (D10)."""
    declaration = rescaling()
    loss, (u, w) = declaration.loss, declaration.space.symbols
    assert loss is not None
    a, e, v = sp.symbols("a e v", positive=True)
    S = [[a, v * a], [v * a, v**2 * a + e]]
    Sigma = gaussian_covariance(loss, S).covariance.subs(v, u * w)
    x, y = loss.data.symbols
    H = sp.hessian(loss.expression, (u, w)).applyfunc(sp.expand)
    H = H.subs(x * y, v * a).subs(x**2, a).subs(v, u * w)
    assert not H.has(x, y)
    for left, right in zip(Sigma, 2 * e * H, strict=True):
        assert compare(left, right).verdict is Verdict.PROVED
    equilibrium = noise_equilibrium_equation(declaration.symmetry)
    balance = characteristic(
        explicit_equilibrium(equilibrium, gaussian_covariance(loss, S)), decay=False
    )
    assert balance is not None
    assert balance.closed_form is not None
    trace = hessian_trace_on_orbit(declaration.symmetry)
    names = sp.symbols("H_u_u H_w_w", real=True)
    assert trace.least is not None
    least = trace.least.xreplace(dict(zip(names, (H[0, 0], H[1, 1]), strict=True)))
    ratio = sp.exp(4 * (balance.closed_form.subs(v, u * w) - least))
    assert sp.simplify(ratio) == 1


@pytest.mark.parametrize("n", [1, 2, 4])
def test_least_trace_is_proved(n: int) -> None:
    assert least_trace_is_balance(n).verdict is Verdict.PROVED


def test_least_trace_is_not_proved_for_a_wrong_balance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = orbit_balance

    def halved(*arguments: Any) -> Any:
        balance, slope = right(*arguments)
        return balance / 2, slope

    monkeypatch.setattr(sharpness, "orbit_balance", halved)
    assert least_trace_is_balance(2).verdict is Verdict.REFUTED


def test_trace_refusals() -> None:
    pair = ParameterSpace(u=(), w=())
    u, w = pair.symbols
    affine = Symmetry.from_generator(pair, {"u": u + 1})
    with pytest.raises(DeclarationError, match="got kind 'affine'"):
        hessian_trace_on_orbit(affine)
    other = Loss((u + w - 1) ** 2, pair)
    with pytest.raises(DeclarationError, match="got one without it"):
        hessian_trace_on_orbit(rescaling().symmetry, other)
