"""Lanes, arrays and a plain torch loop are one, step by step, to rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings

from numeric import simulate
from numeric._ensembles import engines
from numeric._ensembles.batched import BatchedProgram
from numeric._lanes.compiler import AVAILABLE
from symbolic import Loss, gradient_program
from tests.programs import (
    Problem,
    Run,
    drawn_problem,
    matrices,
    plain_loop,
    problems,
    rounding,
    split,
)


BACKENDS = ["arrays", *(["lanes"] if AVAILABLE else [])]
DRAWN = settings(  # numbers of losses are not simpler where they are smaller
    derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate]
)

SCALAR = Problem("(u*w*x - y)**2", {"u": (), "w": ()}, {"x": (), "y": ()})
NET = {"U": (2, 3), "W": (3, 2), "b": (3,), "c": ()}
PAIRS = {"x": (2,), "y": (2,)}
LINEAR = Problem("norm2(U*W*x - y)", {"U": (2, 3), "W": (3, 2)}, PAIRS)
TANH = Problem("norm2(U*tanh(W*x + b) - c*y) + c**2*norm2(U)/4", NET, PAIRS)
RELU = Problem("norm2(U*relu(W*x) - y) + tr(U*W)*dot(b, b)/9", NET, PAIRS)
LOGISTIC = Problem("softplus(-y.T*U*sigmoid(W*x + b)) + c*c", NET, PAIRS)
ROWS = Problem(
    "norm2(g*f.T*g - g*A) + exp(-norm2(X*g.T)/9)*tr(X*A*K) + (2 + norm2(f))**(-3/2)",
    {"f": (1, 3), "A": (3, 3)},
    {"g": (1, 3), "X": (3, 3)},
    {"K": (3, 3)},
)
SWAP = Problem("dot(a, b) + tr(M) + s", {"a": (3,), "b": (3,), "M": (2, 2)}, {"s": ()})
SHARED = Problem(
    "norm2((U + V)*x - y)", {"U": (2, 2), "V": (2, 2)}, {"x": (2,), "y": (2,)}
)
WIDE = Problem("norm2(U*W*x - y)", {"U": (7, 9), "W": (9, 8)}, {"x": (8,), "y": (7,)})

CASES: dict[str, tuple[Problem, Run]] = {
    "sgd": (SCALAR, Run()),
    "sgd, 2 samples": (SCALAR, Run(batch_size=2, momentum=0.6)),
    "sgd, 3 samples": (LINEAR, Run(batch_size=3, weight_decay=0.1)),
    "sgd, 5 samples, decay and momentum": (
        TANH,
        Run(batch_size=5, weight_decay=0.07, momentum=0.5),
    ),
    "sgd, 34 samples in blocks": (TANH, Run(batch_size=34, steps=3)),
    "without replacement": (RELU, Run(batch_size=4, replace=False)),
    "all, without replacement": (LINEAR, Run(batch_size=7, replace=False)),
    "rows and matrices": (ROWS, Run(batch_size=6, lr=0.01)),
    "gradients that are parameters": (SWAP, Run(momentum=0.5)),
    "one gradient of two parameters": (SHARED, Run(batch_size=2, momentum=0.5)),
    "wide, in loops": (WIDE, Run(batch_size=3, lr=0.01, steps=4)),
    "svag": (SCALAR, Run(method="svag", svag_level=3, batch_size=2, steps=3)),
    "svag, decay": (
        LOGISTIC,
        Run(method="svag", svag_level=2, weight_decay=0.1, steps=3),
    ),
    "gd of a polynomial": (LINEAR, Run(method="gd", momentum=0.4)),
    "gd": (TANH, Run(method="gd", weight_decay=0.2)),
    "gd of rows": (ROWS, Run(method="gd", lr=0.01)),
}


def tolerance(problem: Problem, run: Run, dtype: str, constants: Any) -> float:
    """Return how far a run may be from a plain loop, relatively.

    Rounding the start and the data to float32 moves the end by `rounding`: by the
    condition of the run times 2⁻²⁴. Each of the operations on the way to a gradient,
    up to some hundred, adds as much at most, and they add up like their root: 32.
    """
    moved = 2.0**-24 + rounding(problem, run, 0, constants)
    return 32 * moved * float(np.finfo(dtype).eps / np.finfo(np.float32).eps)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CASES)
def test_every_step_equals_a_plain_loop(name: str, backend: Any) -> None:
    """All components of 19 replicas at every step, float64."""
    problem, run = CASES[name]
    check(problem, run, backend, "float64")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["sgd", "without replacement", "svag", "gd of rows"])
def test_single_precision_too(name: str, backend: Any) -> None:
    """To roundings of float32; the state stays in it."""
    problem, run = CASES[name]
    check(problem, run, backend, "float32")


def check(problem: Problem, run: Run, backend: Any, dtype: Any) -> None:
    """Compare a run with the plain loop at every time that is recorded."""
    data, start, numbers = problem.samples(7), problem.start(19), problem.numbers()
    components = [str(symbol) for symbol in problem.loss.space.symbols]
    found = simulate(
        problem.loss,
        data,
        start,
        record=components,
        constants=numbers,
        backend=backend,
        dtype=dtype,
        **run.keywords,
    )
    level = run.svag_level if run.method == "svag" else 1
    expected = plain_loop(problem, data, start, run, numbers)[::level]
    allowed = tolerance(problem, run, dtype, numbers) * np.abs(expected).max()
    recorded = np.stack([found.records[name] for name in components], axis=-1)

    assert found.backend == backend
    assert found.theta.dtype == dtype
    assert np.abs(recorded.swapaxes(0, 1) - expected).max() <= allowed
    assert (recorded[:, -1] == found.theta).all()
    assert np.abs(expected[-1] - expected[0]).max() > 1e4 * allowed  # it moves


@pytest.mark.parametrize("backend", BACKENDS)
def test_kinks_have_derivative_0(backend: Any) -> None:
    """Of relu and abs at 0: −1, 0 or 0, 1 before, at and behind it."""
    problem = Problem(
        "dot(relu(a), x) + 2*dot(abs(b), x)", {"a": (3,), "b": (3,)}, {"x": (3,)}
    )
    start = np.array([[-1.0, 0.0, 1.0, -1.0, 0.0, 1.0]])
    data = {"x": np.ones((1, 3))}
    found = simulate(
        problem.loss,
        data,
        start,
        lr=0.5,
        batch_size=1,
        steps=1,
        seed=0,
        backend=backend,
    )
    assert found.theta.tolist() == [[-1.0, 0.0, 0.5, 0.0, 0.0, 0.0]]


@pytest.mark.skipif(len(BACKENDS) < 2, reason="needs llvmlite")
@pytest.mark.parametrize("name", ["product", "tanh"])
def test_lanes_and_arrays_take_the_same_noise(name: str) -> None:
    """The SDE by moments of monomials, and by samples; to 1000 roundings."""
    problem = {"product": SCALAR, "tanh": TANH}[name]
    runs = [
        simulate(
            problem.loss,
            problem.samples(7),
            problem.start(19),
            lr=0.02,
            batch_size=2,
            steps=3,
            method="sde",
            substeps=2,
            weight_decay=0.1,
            seed=8,
            backend=backend,  # type: ignore[arg-type]
        ).theta
        for backend in BACKENDS
    ]
    error = np.abs(runs[0] - runs[1]).max()
    assert error <= 1000 * np.finfo(np.float64).eps * np.abs(runs[0]).max()


@settings(DRAWN, max_examples=8)
@given(problems(inverses=False))
def test_random_losses_equal_a_plain_loop(problem: Problem) -> None:
    """Both backends, SGD with decay and momentum."""
    run = Run(batch_size=2, lr=1e-3, steps=2, weight_decay=0.1, momentum=0.5)
    data, start, numbers = problem.samples(7), problem.start(9), problem.numbers()
    expected = plain_loop(problem, data, start, run, numbers)[-1]
    allowed = tolerance(problem, run, "float64", numbers)
    for backend in BACKENDS:
        found: Any = simulate(
            problem.loss,
            data,
            start,
            constants=numbers,
            backend=backend,  # type: ignore[arg-type]
            **run.keywords,
        )
        error = np.abs(found.theta - expected).max()
        assert error <= allowed * np.abs(expected).max(), backend


def test_inverses_run_on_arrays() -> None:
    """No kernel has them: "auto" takes arrays, and "lanes" says what to do."""
    problem = Problem(
        "tr(inv(A*A.T + K)*X) + norm2(A)",
        {"A": (2, 2)},
        {"X": (2, 2)},
        {"K": (2, 2)},
    )
    data, start, numbers = problem.samples(7), problem.start(3), problem.numbers()
    run = Run(batch_size=2)
    found = simulate(problem.loss, data, start, constants=numbers, **run.keywords)
    expected = plain_loop(problem, data, start, run, numbers)[-1]

    assert found.backend == "arrays"
    allowed = tolerance(problem, run, "float64", numbers)
    assert np.abs(found.theta - expected).max() <= allowed * np.abs(expected).max()
    with pytest.raises(ValueError, match="backend='arrays'"):
        simulate(
            problem.loss,
            data,
            start,
            constants=numbers,
            backend="lanes",
            **run.keywords,
        )


@settings(DRAWN, max_examples=15)
@given(problems())
def test_batched_programs_equal_autograd(problem: Problem) -> None:
    """Three replicas of four samples, with weights of their own."""
    check_batched(problem, problem.loss)


LAYOUTS = Problem(
    "norm2(g + f) + norm2(g*s - c*f) + norm2(X + A)*c + norm2((X*s - A)*b)"
    " + tr(X)*tr(X*A) + dot(tanh(g)*X, f) + norm2(x*g - b*f) + dot(x + b, x*s - b)",
    {"f": (1, 3), "A": (3, 3), "b": (3,), "c": ()},
    {"g": (1, 3), "X": (3, 3), "x": (3,), "s": ()},
)


@pytest.mark.parametrize("source", ["text", "components"])
def test_batched_programs_in_every_layout(source: str) -> None:
    """Columns, rows and matrices of samples, with those that are the same for all.

    In matrices, and in components, which are entries of them.
    """
    loss = LAYOUTS.loss
    if source == "components":
        loss = Loss(loss.expression, loss.space, dict(LAYOUTS.data))
    check_batched(LAYOUTS, loss)


def check_batched(problem: Problem, loss: Loss) -> None:
    """Compare with autograd.

    The tolerance is that of the symbolic tests: 4000 roundings of numbers of order 1.
    """
    rng = np.random.default_rng(5)
    theta, numbers = problem.start(3), problem.numbers()
    data = {
        name: np.stack([problem.samples(4, r)[name] for r in range(3)])
        for name in problem.data
    }
    weight = rng.uniform(0.1, 1, (3, 4))
    weight /= weight.sum(axis=1, keepdims=True)
    given_data = matrices(problem.data, data)
    inputs = split(problem, theta)
    inputs |= {
        name: m[None] for name, m in matrices(problem.constants, numbers).items()
    }
    inputs |= {
        name: m[..., 0].swapaxes(1, 2) if m.shape[-1] == 1 else m
        for name, m in given_data.items()
    }
    program = gradient_program(loss, batch=4)
    found = BatchedProgram(program, "float64").gradient(inputs, weight[:, None])
    parts = [
        np.broadcast_to(array, (3, *array.shape[1:])).reshape(3, -1)
        for array in found.values()
    ]
    expected = (problem.gradient(theta, data, numbers) * weight[..., None]).sum(axis=1)
    scale = max(1.0, float(np.abs(expected).max()))

    error = np.abs(np.concatenate(parts, axis=1) - expected).max()
    assert error <= 4000 * np.finfo(np.float64).eps * scale


def test_expressions_that_no_program_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient that sympy derives gives the same run."""
    problem, run = CASES["sgd, 3 samples"]
    arguments: Any = (problem.loss, problem.samples(7), problem.start(5))
    by_program = simulate(*arguments, backend="arrays", **run.keywords)
    monkeypatch.setattr(engines, "_program", lambda task: None)
    by_sympy = simulate(*arguments, **run.keywords)
    full = replace(run, method="gd")
    whole = simulate(*arguments, **full.keywords)

    assert by_sympy.backend == "arrays"
    np.testing.assert_allclose(by_sympy.theta, by_program.theta, rtol=1e-12)
    expected = plain_loop(problem, arguments[1], arguments[2], full)[-1]
    np.testing.assert_allclose(whole.theta, expected, rtol=1e-12)


def test_drawn_losses_are_of_many_kinds() -> None:
    """What the property tests draw has every operation of programs in it."""
    seen: set[str] = set()
    for seed in range(12):
        loss = drawn_problem(seed).loss
        seen |= {node.op for node in gradient_program(loss, batch=3).nodes}
    assert seen >= {
        *("parameter", "data", "constant", "number", "identity", "add", "times"),
        *("product", "transpose", "inverse", "dot", "trace", "power", "function"),
        *("weight", "total"),
    }
