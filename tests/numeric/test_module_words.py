"""Compiled modules at symbolic sizes.

Two references share no code with them: the scalar level at small sizes, and plain
products differentiated by torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.autograd import functional

from numeric import CompilationError, ShapeError
from numeric._module import module_source
from numeric._standalone import standalone
from symbolic import (
    MatrixPolynomial,
    derive,
    identity,
    load,
    norm2,
)
from tests.numeric.laws import (
    BACKENDS,
    EPS,
    LAWS,
    RATES,
    U,
    WordDerivation,
    Z,
    applied,
    constants_of,
    covariance,
    d,
    draw,
    flat,
    named,
    to,
)
from tests.numeric.words import LETTERS, SIZES, charges, plain


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", LAWS)
def test_matrix_level_equals_the_scalar_level(name: str, backend: Any) -> None:
    """Every function, θ with leading axes (3, 1), noise (4,), 1e-12."""
    law = LAWS[name]
    module, reference = standalone(law, backend), law.scalar_level(constants_of(law))
    theta, g = draw(law, (3, 1), 1), draw(law, (4,), 2)
    samples = draw(law, (4, 6), 3)
    Sigma = covariance(flat(law, samples))
    x, rows = flat(law, theta), flat(law, samples)
    t_, g_, s_, S_ = (to(backend, value) for value in (theta, g, samples, Sigma))
    rates = {"sigma2": 0.4, "gamma": np.array([0.1, 0.2, 0.3, 0.4])}
    more = named(law)

    def check(found: Any, expected: Any, scale: float = 1.0) -> None:
        assert tuple(found.shape) == expected.shape
        room = 1e-12 * scale * (1 + np.abs(expected).max())
        assert np.abs(np.asarray(found) - expected).max() <= room

    J = module.generator(t_, **more)
    check(flat(law, {n: np.asarray(p) for n, p in J.items()}), reference.generator(x))
    check(module.charge(t_, **more), reference.charge(x))
    flow = reference.drift(x, Sigma, **rates)
    check(module.drift(t_, S_, **rates, **more), flow)
    check(module.drift(t_, gradients=s_, **rates, **more), flow)
    check(module.drift(t_, gradients=to(backend, rows), **rates, **more), flow)
    after = reference.step(x, flat(law, g), eta=0.1, gamma=rates["gamma"])
    check(module.step(t_, g_, eta=0.1, gamma=rates["gamma"], **more), after)
    if law.kind == "exponential":
        lam = np.linspace(-0.4, 0.4, 4)
        G = reference.balance(lam, x, Sigma, **rates)
        at = to(backend, lam)
        check(module.balance(at, t_, S_, **rates, **more), G, 10)
        check(module.balance(at, t_, gradients=s_, **rates, **more), G, 10)


@given(charges(), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_drawn_charges_equal_torch_derivatives(f: MatrixPolynomial, seed: int) -> None:
    """C, J and drift in both forms, against autograd on plain products."""
    shapes: dict[str, tuple[str, ...]] = {
        "U": ("m", "d"),
        "W": ("d", "n"),
        "v": ("d",),
        "u": (),
    }
    law = WordDerivation(shapes, f)
    more = {n: x for n, x in constants_of(law, seed).items() if n == "B"}
    theta, samples = draw(law, (), seed), draw(law, (5,), seed + 1)
    x, Sigma = flat(law, theta), covariance(flat(law, samples))

    def value(point: Any) -> Any:
        values: dict[str, Any] = {**SIZES, **to("torch", more)}
        start = 0
        for name in shapes:
            shape = (*law.shape(name), 1)[:2] if shapes[name] else ()
            stop = start + int(np.prod(shape))
            values[name] = point[start:stop].reshape(shape)
            start = stop
        return plain(f, values)

    point = torch.from_numpy(x).requires_grad_()
    C, bound = value(point)
    C = C + 0.0 * point.sum()
    (J,) = torch.autograd.grad(C, point, create_graph=True)
    zeros = torch.zeros_like(point)
    rows = [
        torch.autograd.grad(e, point, retain_graph=True)[0]
        if e.requires_grad
        else zeros
        for e in J
    ]
    H = torch.stack(rows).numpy()
    pull = (point * J).sum().detach()
    expected = 0.4 * (H * Sigma).sum() - 0.6 * float(pull)
    scale = 1e-12 * bound * (1 + np.abs(Sigma).max())
    for backend in BACKENDS:
        module = standalone(law, backend)
        t_, named_ = to(backend, theta), {"constants": more} if more else {}
        found = module.generator(t_, **named_)
        both = flat(law, {n: np.asarray(p) for n, p in found.items()})
        assert np.abs(both - J.detach().numpy()).max() <= scale
        for noise in ({"Sigma": Sigma}, {"gradients": samples}):
            drift = module.drift(t_, **to(backend, noise), **RATES, **named_)
            assert abs(float(drift) - expected) <= 10 * scale
        assert abs(float(module.charge(t_, **named_)) - float(C.detach())) <= scale


ROOT = applied("norm2(U)**(1/2)", "power", norm2(U), 2)
BACK = applied("norm2(U)**(-1/2)", "power", norm2(U), -2)
GROWTH = applied("exp(norm2(U))", "exp", norm2(U))
INVERSE = applied("inv(Z)", "inv", Z)


@pytest.mark.parametrize("backend", BACKENDS)
def test_functions_of_matrices_have_their_derivatives(backend: Any) -> None:
    """C = ‖U‖, exp‖U‖² and tr S⁻¹, whose ∂J are taken in the code."""
    laws = {
        "root": WordDerivation(
            {"U": ("m", "d")},
            ROOT.letter,
            generator=(BACK.letter * U,),
            applied=(ROOT, BACK),
        ),
        "growth": WordDerivation(
            {"U": ("m", "d")},
            GROWTH.letter,
            generator=(GROWTH.letter * U * 2,),
            applied=(GROWTH,),
        ),
        "inverse": WordDerivation(
            {"Z": ("d", "d")},
            INVERSE.letter.tr(),
            generator=(-(INVERSE.letter @ INVERSE.letter).T,),
            applied=(INVERSE,),
        ),
    }
    values: dict[str, Callable[[Any], Any]] = {
        "root": lambda x: x.norm(),
        "growth": lambda x: (x * x).sum().exp(),
        "inverse": lambda x: torch.linalg.inv(x.reshape(2, 2)).trace(),
    }
    for name, law in laws.items():
        module = standalone(law, backend)
        theta, samples = draw(law, (), 1), draw(law, (5,), 2)
        x, Sigma = flat(law, theta), covariance(flat(law, samples))
        point = torch.from_numpy(x)
        H = functional.hessian(values[name], point)  # type: ignore[no-untyped-call]
        J = functional.jacobian(values[name], point)  # type: ignore[no-untyped-call]
        expected = 0.4 * float((H.numpy() * Sigma).sum()) - 0.6 * float(point @ J)
        room = 1e-12 * (1 + abs(expected)) * (1 + float(H.norm()))
        t_ = to(backend, theta)
        found = flat(law, {n: np.asarray(p) for n, p in module.generator(t_).items()})
        assert np.abs(found - J.numpy()).max() <= room
        for noise in ({"Sigma": Sigma}, {"gradients": samples}):
            drift = module.drift(t_, **to(backend, noise), **RATES)
            assert abs(float(drift) - expected) <= room
        assert abs(float(module.charge(t_)) - float(values[name](point))) <= room


ENTRYWISE: dict[str, Callable[[Any], Any]] = {
    "exp": torch.exp,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "relu": torch.relu,
    "abs": torch.abs,
    "sign": torch.sign,
    "step": lambda z: (z > 0).to(z.dtype),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function", ENTRYWISE)
def test_functions_of_entries(function: str, backend: Any) -> None:
    """J = f(U) entry by entry; ∂J is diagonal, with f' by autograd."""
    each = applied(f"{function}(U)", function, U)
    law = WordDerivation(
        {"U": ("m", "d")}, norm2(U), generator=(each.letter,), applied=(each,)
    )
    module, theta = standalone(law, backend), draw(law, (), 4)
    point = torch.from_numpy(theta["U"]).requires_grad_()
    value = ENTRYWISE[function](point)
    (slope,) = (
        torch.autograd.grad(value.sum(), point)
        if value.requires_grad
        else (torch.zeros_like(point),)
    )
    found = np.asarray(module.generator(to(backend, theta))["U"])
    np.testing.assert_allclose(found, value.detach(), rtol=16 * EPS, atol=16 * EPS)
    Sigma = np.diag(np.arange(1.0, 7.0))
    drift = module.drift(to(backend, theta), to(backend, Sigma), sigma2=1.0, gamma=0.0)
    expected = float((slope.detach().reshape(-1) * torch.arange(1.0, 7.0)).sum())
    assert abs(float(drift) - expected) <= 1e-12 * (1 + abs(expected))


def test_unknown_functions_are_refused() -> None:
    """A derivative without a text, and a letter of data."""
    each = applied("tangent(U)", "tangent", U)
    law = WordDerivation(
        {"U": ("m", "d")}, norm2(U), generator=(each.letter,), applied=(each,)
    )
    with pytest.raises(CompilationError, match="got tangent; give the sizes"):
        module_source(law, "numpy")


@pytest.mark.parametrize("name", LAWS)
def test_the_charge_has_the_generator_as_gradient(name: str) -> None:
    """∇C = J by autograd, and every function has a gradient in θ."""
    law = LAWS[name]
    module, more = standalone(law, "torch"), named(law)
    theta = to("torch", draw(law, (), 5))
    for part in theta.values():
        part.requires_grad_()
    samples = to("torch", draw(law, (5,), 6))
    C = module.charge(theta, **more)
    found: Any = torch.autograd.grad(C, list(theta.values()), allow_unused=True)
    J = module.generator(theta, **more)
    for part, slope in zip(J.values(), found, strict=True):
        got = torch.zeros_like(part) if slope is None else slope
        torch.testing.assert_close(got, part, rtol=1e-12, atol=1e-12)

    def drift(*parts: Any) -> Any:
        point = dict(zip(theta, parts, strict=True))
        return module.drift(point, gradients=samples, **RATES, **more)

    assert torch.autograd.gradcheck(drift, tuple(theta.values()))
    if law.kind == "exponential":
        lam = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

        def balance(x: Any, *parts: Any) -> Any:
            point = dict(zip(theta, parts, strict=True))
            return module.balance(x, point, gradients=samples, **RATES, **more)

        assert torch.autograd.gradcheck(balance, (lam, *theta.values()))


SYMBOLS = {"m": 3, "d": 2, "n": 4}
SHAPES_TEXT = {"U": '["m", "d"]', "W": '["d", "n"]', "v": '["d"]', "u": "[]"}
CONSTANTS_TEXT = """
[constants]
B = { shape = ["d", "d"], symmetric = true }
K = { shape = ["d", "d"] }
c = { shape = ["d"] }
k = { assume = "positive" }
"""
GENERATORS = {
    "factorisation": {"U": "U*B", "W": "-B*W"},
    "powers of a constant": {"U": "exp(k)*U", "W": "-k**2*W", "v": "k*B*v"},
    "offset": {"v": "k*v + c", "u": "2*u", "W": "-W"},
    "unit vector": {"v": "v/sqrt(norm2(v))"},
    "product": {"U": "2*U*W*W.T", "W": "2*U.T*U*W"},
    "turn": {"U": "U*(K - K.T)"},
    "entries": {"U": "tanh(U)", "W": "relu(W)"},
}


def load_text(folder: Path, generator: Mapping[str, str], *, numbers: bool) -> Any:
    """Load a declaration file with sizes as symbols or as numbers."""
    entries = ", ".join(f'{name} = "{text}"' for name, text in generator.items())
    sizes = "\n".join(
        f"{name} = {size}" if numbers else f'{name} = "symbol"'
        for name, size in SYMBOLS.items()
    )
    shapes = "\n".join(f"{name} = {SHAPES_TEXT[name]}" for name in generator)
    path = folder / "law.toml"
    path.write_text(
        f'schema = 1\nname = "t"\n[parameters]\n{shapes}\n[dimensions]\n{sizes}\n'
        f"{CONSTANTS_TEXT}[symmetry]\ngenerator = {{ {entries} }}\n"
    )
    return derive(load(path))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", GENERATORS)
def test_files_compile_at_both_levels(tmp_path: Path, name: str, backend: Any) -> None:
    """One file with sizes as symbols and as numbers gives the same values."""
    anywhere = load_text(tmp_path, GENERATORS[name], numbers=False)
    here = load_text(tmp_path, GENERATORS[name], numbers=True)
    one, two = standalone(anywhere, backend), standalone(here, backend)
    rng = np.random.default_rng(3)
    shapes = dict(here.declaration.space.items)
    theta = {n: rng.normal(size=shape) for n, shape in shapes.items()}
    samples = {n: rng.normal(size=(5, *shape)) for n, shape in shapes.items()}
    B = rng.integers(-8, 9, (2, 2)) / 8
    values = {"B": B + B.T, "K": B, "c": np.array([0.5, -1.25]), "k": 0.75}
    used = [s.name for s in anywhere.declaration.symmetry.constants]
    more = {"constants": {n: values[n] for n in used}} if used else {}
    t_, s_ = to(backend, theta), to(backend, samples)
    J, K = one.generator(t_, **more), two.generator(t_, **more)
    pairs = [(J[n], K[n]) for n in shapes]
    if "charge" in one._functions:
        g = {n: part[0] for n, part in s_.items()}
        calls: list[Callable[[Any], Any]] = [
            lambda made: made.charge(t_, **more),
            lambda made: made.drift(t_, gradients=s_, **RATES, **more),
            lambda made: made.step(t_, g, eta=0.1, gamma=0.5, **more),
        ]
        if here.declaration.symmetry.kind == "exponential":
            calls.append(
                lambda made: made.balance(0.3, t_, gradients=s_, **RATES, **more)
            )
        pairs += [(call(one), call(two)) for call in calls]
    assert ("charge" in one._functions) == (name not in ("turn", "entries"))
    for found, expected in pairs:
        room = 1e-12 * (1 + float(abs(expected).max()))
        assert float(abs(found - expected).max()) <= room


def test_float32_stays_and_nan_propagates() -> None:
    """Results have θ's dtype, whatever that of the noise; NaN stays NaN."""
    for backend in BACKENDS:
        for law in LAWS.values():
            module, more = standalone(law, backend), named(law)
            theta = {n: p.astype(np.float32) for n, p in draw(law, (), 1).items()}
            samples = to(backend, draw(law, (5,), 2))
            g = {n: p[0] for n, p in samples.items()}
            t_ = to(backend, theta)
            made = [
                *module.generator(t_, **more).values(),
                module.charge(t_, **more),
                module.drift(t_, gradients=samples, **RATES, **more),
                module.step(t_, g, eta=0.1, gamma=0.5, **more),
            ]
            if law.kind == "exponential":
                made.append(module.balance(0.1, t_, gradients=samples, **RATES, **more))
            assert {a.dtype for a in made} == {next(iter(t_.values())).dtype}
            bad = to(backend, {n: np.full_like(p, np.nan) for n, p in theta.items()})
            assert np.isnan(float(module.charge(bad, **more)))
            worse = {n: p * np.nan for n, p in samples.items()}
            assert np.isnan(float(module.drift(t_, gradients=worse, **RATES, **more)))


def test_far_out_the_balance_is_infinite_never_nan() -> None:
    law = LAWS["factorisation"]
    theta, samples = draw(law, (), 1), draw(law, (5,), 2)
    for backend in BACKENDS:
        module, more = standalone(law, backend), named(law)
        t_, s_ = to(backend, theta), to(backend, samples)
        far = to(backend, np.array([-4000.0, 4000.0]))
        G = module.balance(far, t_, gradients=s_, **RATES, **more)
        assert G.tolist() == [np.inf, -np.inf]


def test_errors_name_expected_and_got() -> None:
    law = LAWS["factorisation"]
    module, more = standalone(law, "numpy"), named(law)
    theta, samples = draw(law, (), 1), draw(law, (5,), 2)
    wrong = {**theta, "W": np.ones((3, 4))}
    with pytest.raises(ShapeError, match=r"W'\]: expected shape \(\.\.\., 2, n\), got"):
        module.charge(wrong, **more)
    with pytest.raises(ShapeError, match="expected the names U, W, got U"):
        module.charge({"U": theta["U"]}, **more)
    with pytest.raises(ShapeError, match=r"U \(\.\.\., m, d\).*does not tell d, m, n"):
        module.charge(np.ones(14), **more)
    with pytest.raises(ShapeError, match="values for B, got none; B missing"):
        module.charge(theta)
    with pytest.raises(ShapeError, match=r"constants\['B'\]: .*\(\.\.\., 2, 2\), got"):
        module.charge(theta, constants={"B": np.eye(3)})
    with pytest.raises(ShapeError, match="expected a symmetric matrix"):
        module.charge(theta, constants={"B": np.array([[0, 1.0], [0, 0]])})
    with pytest.raises(ShapeError, match="got neither"):
        module.drift(theta, **RATES, **more)
    with pytest.raises(ShapeError, match="got both"):
        module.drift(theta, np.eye(14), gradients=samples, **RATES, **more)
    with pytest.raises(ShapeError, match=r"Sigma: .*14, 14\), got \(3, 3\)"):
        module.drift(theta, np.eye(3), **RATES, **more)
    empty = {n: p[:0] for n, p in samples.items()}
    with pytest.raises(ShapeError, match="N >= 1 samples"):
        module.drift(theta, gradients=empty, **RATES, **more)
    uneven = {**samples, "W": samples["W"][:4]}
    with pytest.raises(ShapeError, match="the same N"):
        module.drift(theta, gradients=uneven, **RATES, **more)
    with pytest.raises(ShapeError, match="real numbers"):
        module.charge({**theta, "U": theta["U"] * 1j}, **more)
    with pytest.raises(CompilationError, match="expected an exponential symmetry"):
        standalone(LAWS["product"], "numpy").balance(0.0, theta, np.eye(14), **RATES)
    unknown: Any = "jax"
    with pytest.raises(CompilationError, match="'numpy' or 'torch', got 'jax'"):
        module_source(law, unknown)


def test_shapes_of_constants_are_those_declared() -> None:
    """A vector constant is (…, d); a symmetric one may differ by rounding."""
    law = LAWS["affine"]
    module, more, theta = standalone(law, "numpy"), constants_of(law), draw(law, (), 1)
    batch = {**more, "b": np.stack([more["b"], 2 * more["b"]])}
    C = module.charge(theta, constants=more)
    both = module.charge(theta, constants=batch)
    assert both.shape == (2,)
    assert abs(both[0] - C) <= 8 * EPS * (1 + abs(C))
    with pytest.raises(ShapeError, match=r"'b'\]: .*\(\.\.\., 2\), got \(2, 1\)"):
        module.charge(theta, constants={**more, "b": more["b"][:, None]})
    law = LAWS["factorisation"]
    module, theta = standalone(law, "numpy"), draw(law, (), 1)
    M = constants_of(law)["B"]
    near = M + np.array([[0, EPS * np.abs(M).max()], [0, 0]])
    C = module.charge(theta, constants={"B": M})
    assert abs(module.charge(theta, constants={"B": near}) - C) <= 1e-12


def test_no_law_of_these_tests_is_trivial() -> None:
    """Each drawn letter occurs, and the identity is one of the constants' words."""
    assert set(LETTERS) == {"U", "W", "B", "v", "u"}
    assert {law.kind for law in LAWS.values()} == {"exponential", "affine", "nonlinear"}
    assert identity("d").tr() == d
