"""Compiled modules at integer sizes: values, standing alone, and titles as data."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from numeric import CompilationError, ShapeError, compile
from numeric._module import module_source
from numeric._standalone import ModuleEvaluators, standalone
from symbolic import (
    Declaration,
    NoCharge,
    ParameterSpace,
    Symmetry,
    catalogue as built_in,
    derive,
    matrix,
    norm2,
    scalar,
    zero,
)
from tests.numeric.laws import (
    BACKENDS,
    LAWS,
    RATES,
    U,
    WordDerivation,
    applied,
    covariance,
    draw,
    to,
)
from tests.strategies import catalogue, derivation, polynomials, quadratics


def compare_levels(derived: Any, backend: Any, seed: int) -> None:
    """Compare a module at integer sizes with the evaluators, leading axes included."""
    module, reference = standalone(derived, backend), compile(derived, backend)
    n = derived.declaration.space.size
    rng = np.random.default_rng(seed)
    x = to(backend, rng.integers(-12, 13, (3, 1, n)) / 8)
    rows = rng.integers(-12, 13, (4, 5, n)) / 8
    g, Sigma = to(backend, rows), to(backend, covariance(rows))

    def check(found: Any, expected: Any) -> None:
        assert tuple(found.shape) == tuple(expected.shape)
        room = 1e-12 * (1 + float(abs(expected).max()))
        assert float(abs(found - expected).max()) <= room

    check(module.generator(x), reference.generator(x))
    if "charge" not in module._functions:
        return
    check(module.charge(x), reference.charge(x))
    check(module.drift(x, Sigma, **RATES), reference.drift(x, Sigma, **RATES))
    by_samples = reference.drift(x, gradients=g, **RATES)
    check(module.drift(x, gradients=g, **RATES), by_samples)
    rates = {"eta": 0.1, "gamma": to(backend, np.arange(4.0))}
    check(module.step(x, g[:, 0], **rates), reference.step(x, g[:, 0], **rates))
    if derived.declaration.symmetry.kind == "exponential":
        lam = to(backend, np.linspace(-1, 1, 4))
        G = reference.balance(lam, x, Sigma, **RATES)
        check(module.balance(lam, x, Sigma, **RATES), G)
        check(module.balance(lam, x, gradients=g, **RATES), G)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", catalogue())
def test_catalogue_equals_the_evaluators(name: str, backend: Any) -> None:
    """Every kind at integer sizes."""
    compare_levels(catalogue()[name], backend, 0)


@pytest.mark.parametrize("declared", built_in(), ids=lambda each: each.name)
def test_built_in_declarations_equal_the_evaluators(declared: Declaration) -> None:
    """Diagonal, blockwise and dense matrices."""
    compare_levels(derive(declared), "numpy", 1)


@given(st.one_of(quadratics(), polynomials()), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_drawn_declarations_equal_the_evaluators(derived: Any, seed: int) -> None:
    for backend in BACKENDS:
        compare_levels(derived, backend, seed)


def net(B: list[list[int]], shapes: Mapping[str, Any]) -> Any:
    """Return J = (UB, −BW) with numbers in B."""
    space = ParameterSpace(shapes)
    M = sp.Matrix(B)
    J = {"U": space["U"] * M, "W": -M * space["W"]}
    return derive(Declaration("t", space, Symmetry.from_generator(space, J)))


def test_blocks_become_small_matrices() -> None:
    """A of (UB, −BW) is never written out: B is, once on each side."""
    law = net([[1, 2], [2, -1]], {"U": (3, 2), "W": (2, 4)})
    source = module_source(law, "numpy")

    assert "_A" not in source
    assert "xp.asarray([[1.0, 2.0], [2.0, -1.0]])" in source
    compare_levels(law, "numpy", 3)
    dense = derivation(
        "t",
        ParameterSpace(w=(2, 2)),
        tuple(
            sp.Matrix(4, 4, lambda i, j: i * j + 1)
            * sp.Matrix(ParameterSpace(w=(2, 2)).symbols)
        ),
    )
    assert "_A = xp.asarray(" in module_source(dense, "numpy")
    compare_levels(dense, "torch", 3)


def constant_law(kind: str) -> Any:
    """Return laws at integer sizes with constants left in them."""
    space = ParameterSpace(u=(), v=(2,))
    a, c = sp.symbols("a c", real=True)
    p, q, r = space.symbols
    J = {
        "exponential": {"u": a * p + c * q, "v": [c * p - q, 3 * r]},
        "affine": {"u": a * p + c, "v": [q, a * r]},
        "nonlinear": {"u": a * p**3, "v": [sp.sin(c * q), r]},
    }[kind]
    symmetry = Symmetry.from_generator(space, J)
    assert symmetry.kind == kind
    return derive(Declaration("t", space, symmetry))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["exponential", "affine", "nonlinear"])
def test_constants_are_passed_by_name(kind: str, backend: Any) -> None:
    """The module with constants equals the one with their numbers put in."""
    law, given = constant_law(kind), {"a": 0.75, "c": -1.25}
    numbers = {
        s: sp.Rational(given[s.name]) for s in law.declaration.symmetry.constants
    }
    put = derivation(
        "t",
        law.declaration.space,
        tuple(e.xreplace(numbers) for e in law.declaration.symmetry.generator),
    )
    module, reference = compile(law, backend), compile(put, backend)
    assert isinstance(module, ModuleEvaluators)
    rng = np.random.default_rng(0)
    x, rows = to(backend, rng.normal(size=(3, 1, 3))), rng.normal(size=(4, 5, 3))
    g, Sigma, more = (
        to(backend, rows),
        to(backend, covariance(rows)),
        {"constants": given},
    )
    pairs = [
        (module.generator(x, **more), reference.generator(x)),
        (module.charge(x, **more), reference.charge(x)),
        (module.drift(x, Sigma, **RATES, **more), reference.drift(x, Sigma, **RATES)),
        (
            module.drift(x, gradients=g, **RATES, **more),
            reference.drift(x, gradients=g, **RATES),
        ),
        (
            module.step(x, g[:, 0], eta=0.1, gamma=0.5, **more),
            reference.step(x, g[:, 0], eta=0.1, gamma=0.5),
        ),
    ]
    if kind == "exponential":
        for noise in ({"Sigma": Sigma}, {"gradients": g}):
            one = module.balance(0.3, x, **noise, **RATES, **more)
            pairs.append((one, reference.balance(0.3, x, **noise, **RATES)))
    for found, expected in pairs:
        assert tuple(found.shape) == tuple(expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    with pytest.raises(ShapeError, match="values for a, c, got none; a, c missing"):
        module.charge(x)
    with pytest.raises(ShapeError, match="got a; c missing"):
        module.charge(x, constants={"a": 1.0})
    with pytest.raises(ShapeError, match="got a, c, e"):
        module.charge(x, constants={**given, "e": 1.0})


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_direction_without_weight_never_makes_nan(backend: Any) -> None:
    """0 · inf is 0: no noise or no parameter in W, far out, at both levels."""
    symbolic, here = LAWS["balance"], catalogue()["rescaling"]
    theta, samples = draw(symbolic, (), 1), draw(symbolic, (5,), 2)
    theta["W"], samples["W"] = 0 * theta["W"], 0 * samples["W"]
    far = to(backend, np.array([-4000.0, 4000.0]))
    G = standalone(symbolic, backend).balance(
        far, to(backend, theta), gradients=to(backend, samples), **RATES
    )
    assert G.tolist() == [np.inf, -np.inf]
    x, g = to(backend, np.array([1.0, 0.0])), np.array([[1.0, 0.0], [2.0, 0.0]])
    G = standalone(here, backend).balance(far, x, gradients=to(backend, g), **RATES)
    assert G.tolist() == [np.inf, -np.inf]
    G = standalone(here, backend).balance(
        far, x, gradients=to(backend, g), sigma2=0.0, gamma=0.3
    )
    assert G.tolist() == [0.0, -np.inf]


def test_without_a_charge_only_the_generator_is_written() -> None:
    """A rotation in components, and one at symbolic sizes."""
    K = matrix("K", "d", "d")
    turned = WordDerivation(
        {"U": ("m", "d")},
        zero(1, 1),
        "linear",
        generator=(U @ (K - K.T),),
        has_charge=False,
    )
    for law in (catalogue()["rotation"], turned):
        source = module_source(law, "numpy")
        scope: dict[str, Any] = {}
        exec(source, scope)
        assert "def generator(" in source
        assert "there is no charge" in source
        assert not {"charge", "drift", "balance", "step"} & set(scope)
        with pytest.raises(NoCharge):
            standalone(law, "numpy").charge({})
    theta, M = draw(turned, (), 1), np.arange(4.0).reshape(2, 2)
    found = standalone(turned, "numpy").generator(theta, constants={"K": M})
    np.testing.assert_allclose(found["U"], theta["U"] @ (M - M.T), rtol=1e-13)


def test_the_same_bytes_in_every_process() -> None:
    code = (
        "from numeric._module import module_source\n"
        "from tests.numeric.laws import LAWS\n"
        "from tests.numeric.test_module import constant_law\n"
        "from tests.strategies import catalogue\n"
        "for law in (*LAWS.values(), *catalogue().values(), constant_law('affine')):\n"
        "    print(module_source(law, 'numpy'), module_source(law, 'torch'))\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }

    assert len(texts) == 1
    assert len(texts.pop()) > 100_000


HOSTILE = [
    "harmless",
    "'",
    '"',
    "'''",
    '"""',
    '"""\nimport os; os.system("echo gotcha")\n"""',
    "'; import os; os.abort() #",
    "\\",
    "\\'",
    '\\"""',
    "a\nimport os\nos.abort()",
    "a\rimport os",
    "a\u2028import os",
    "a\u2029import os",
    "a\x85import os",
    "a\x0cimport os",
    "\x00",
    "\x1a",
    "\x1b[2J",
    "\u202e\u2066# coding: rot13",
    "# -*- coding: utf-7 -*-",
    "{constants}{passed}{more}{quiet}",
    "%s{0}{title!r}",
    "__import__('os').abort()",
    "\ud800",
    "é💣",
    "a" * 10_000,
]
CHILD = """
import importlib.util, json, sys
import {backend}
events, armed = [], False
def hook(event, arguments):
    if armed and event.startswith({watched!r}):
        events.append(event)
sys.addaudithook(hook)
results = []
sys.dont_write_bytecode = True
for path in json.loads(sys.argv[1]):
    spec = importlib.util.spec_from_file_location("m", path)
    module = importlib.util.module_from_spec(spec)
    events.clear()
    armed = True
    spec.loader.exec_module(module)
    armed = False
    results.append([[*events], ascii(module.TITLE)])
armed = True
exec("pass")
armed = False
ours = ("symbolic", "numeric", "verify", "reports", "noetherflow", "sympy")
print(json.dumps([results, events, [n for n in ours if n in sys.modules]]))
"""
WATCHED = ("exec", "compile", "open", "import", "subprocess.", "socket.", "os.", "pty.")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_title_runs_nothing(tmp_path: Path, backend: Any) -> None:
    """Every title does what a harmless one does, and comes back as it was."""
    law, paths = catalogue()["rescaling"], []
    declared = law.declaration
    for i, title in enumerate(HOSTILE):
        object.__setattr__(declared, "name", title)
        source = module_source(law, backend)
        assert source.replace("\n", "").isprintable()
        assert only_imports(source) == [backend]
        path = tmp_path / f"m{i}.py"
        path.write_text(source, "utf-8")
        paths.append(str(path))
    code = CHILD.format(backend=backend, watched=WATCHED)
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, json.dumps(paths)],
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    results, control, ours = json.loads(done.stdout)

    assert ours == []
    assert control[-1] == "exec"  # the hook hears what it should
    assert [title for _, title in results] == [ascii(title) for title in HOSTILE]
    assert {tuple(events) for events, _ in results} == {tuple(results[0][0])}
    assert "exec" in results[0][0]


def only_imports(source: str) -> list[str]:
    """Return what a module imports; its titles are one literal."""
    tree = ast.parse(source)
    titles = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "TITLE"
    ]
    assert len(titles) == 1
    assert isinstance(titles[0], ast.Constant)
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    return [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    ]


@pytest.mark.parametrize(
    "name", ["a'", "x\n", "__import__('os')", "", "a b", "é", '"""', "0", "a" * 101]
)
def test_hostile_names_are_refused(name: str) -> None:
    """Names of constants and of parameters, at both levels."""
    space = ParameterSpace(u=(), v=())
    a = sp.Symbol(name or "'", real=True)
    law = derive(
        Declaration("t", space, Symmetry.from_generator(space, {"u": a * space["u"]}))
    )
    with pytest.raises(CompilationError, match="expected names of letters"):
        module_source(law, "numpy")
    word = WordDerivation({"U": ("m", "d")}, norm2(U) * scalar(name), "exponential")
    with pytest.raises(CompilationError, match="expected names of letters"):
        module_source(word, "numpy")


@pytest.mark.parametrize("title", ['"""\nimport os\n"""', "\\", "\u2028", "'"])
def test_hostile_names_of_functions_stay_out(title: str) -> None:
    """The letter of a function has a text as name, which the header leaves out."""
    each = applied(f"exp({title})", "exp", norm2(U))
    law = WordDerivation(
        {"U": ("m", "d")},
        each.letter,
        generator=(each.letter * U * 2,),
        applied=(each,),
    )
    source = module_source(law, "numpy")
    assert only_imports(source) == ["numpy"]
    assert title not in (ast.get_docstring(ast.parse(source)) or "").replace("C'", "")
    assert "C = ... (in the code below)" in source


def test_the_header_has_the_formulas() -> None:
    """Printed from expressions; what is long or odd is left to the code."""
    source = module_source(LAWS["factorisation"], "numpy")
    doc = ast.get_docstring(ast.parse(source)) or ""
    for line in ("J_U = U*B", "J_W = -B*W", "dC/dt = ", "C' = C(", "G(lam) = "):
        assert line in doc
    x = ParameterSpace(x=())
    term = sum(sp.Symbol("x", real=True) ** i for i in range(1, 400))
    long = derivation("t", x, (term,))
    doc = ast.get_docstring(ast.parse(module_source(long, "numpy"))) or ""
    assert "J_x = ... (in the code below)" in doc
