"""Lanes, arrays and a plain torch loop are one, step by step, to rounding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings, strategies as st

from numeric import simulate
from numeric._ensembles import engines, row_engine
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


BACKENDS = ["arrays", *(["lanes", "rows"] if AVAILABLE else [])]
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
LONG = Problem(  # rows of several vectors, in products and sums of either direction
    "norm2(tanh(U*W)*x - y)/9 + norm2((W + V.T)*x)/9 + tr(V*W*X*K)/9"
    " + norm2(V*U.T*y)/99 + exp(-norm2(V)/999)*dot(x, K*x)",
    {"U": (11, 19), "W": (19, 9), "V": (9, 19)},
    {"x": (9,), "y": (11,), "X": (9, 9)},
    {"K": (9, 9)},
)
WIDE = Problem("norm2(U*W*x - y)", {"U": (7, 9), "W": (9, 8)}, {"x": (8,), "y": (7,)})

CASES: dict[str, tuple[Problem, Run]] = {
    "sgd": (SCALAR, Run()),
    "one sample": (TANH, Run(weight_decay=0.07, momentum=0.5)),
    "one sample, rows": (ROWS, Run(lr=0.01)),
    "one sample of a sum": (SHARED, Run(momentum=0.5)),
    "one sample, wide": (WIDE, Run(lr=0.01, steps=4)),
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


def pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the cases with the backends that take them: rows are for minibatches."""
    return [
        (name, backend)
        for name in names
        for backend in BACKENDS
        if backend != "rows" or CASES[name][1].method in ("sgd", "svag")
    ]


def tolerance(problem: Problem, run: Run, dtype: str, constants: Any) -> float:
    """Return how far a run may be from a plain loop, relatively.

    Rounding the start and the data to float32 moves the end by `rounding`: by the
    condition of the run times 2⁻²⁴. Each of the operations on the way to a gradient,
    up to some hundred, adds as much at most, and they add up like their root: 32.
    """
    moved = 2.0**-24 + rounding(problem, run, 0, constants)
    return 32 * moved * float(np.finfo(dtype).eps / np.finfo(np.float32).eps)


@pytest.mark.parametrize(("name", "backend"), pairs(CASES))
def test_every_step_equals_a_plain_loop(name: str, backend: Any) -> None:
    """All components of 19 replicas at every step, float64."""
    problem, run = CASES[name]
    check(problem, run, backend, "float64")


@pytest.mark.parametrize(
    ("name", "backend"),
    pairs(["sgd", "without replacement", "svag", "gd of rows"]),
)
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
            backend=backend,
        ).theta
        for backend in ("arrays", "lanes")
    ]
    error = np.abs(runs[0] - runs[1]).max()
    assert error <= 1000 * np.finfo(np.float64).eps * np.abs(runs[0]).max()


@settings(DRAWN, max_examples=12)
@given(problems(inverses=False), st.sampled_from([1, 2]))
def test_random_losses_equal_a_plain_loop(problem: Problem, samples: int) -> None:
    """All backends, SGD with decay and momentum."""
    run = Run(batch_size=samples, lr=1e-3, steps=2, weight_decay=0.1, momentum=0.5)
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
    """No kernel has them: "auto" takes arrays, and the others say what to do."""
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
    for backend in ("lanes", "rows"):
        with pytest.raises(ValueError, match="backend='arrays'"):
            simulate(
                problem.loss,
                data,
                start,
                constants=numbers,
                backend=backend,
                **run.keywords,
            )


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_of_several_vectors(backend: Any) -> None:
    """In products and sums of every direction."""
    check_end(LONG, backend)


def check_end(problem: Problem, backend: Any) -> None:
    """Compare the end of a run with the plain loop, in both precisions."""
    run = Run(batch_size=3, lr=4e-3, steps=3, momentum=0.3)
    data, start, numbers = problem.samples(7), problem.start(5), problem.numbers()
    expected = plain_loop(problem, data, start, run, numbers)[-1]
    for dtype in ("float64", "float32"):
        keywords: Any = {"backend": backend, "dtype": dtype, "constants": numbers}
        found = simulate(problem.loss, data, start, **keywords, **run.keywords)
        error = np.abs(found.theta - expected).max()
        allowed = tolerance(problem, run, dtype, numbers) * np.abs(expected).max()
        assert found.backend == backend
        assert error <= allowed
        assert np.abs(start - expected).max() > 1e4 * allowed  # it moves


@pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")
@pytest.mark.parametrize("wide", [False, True])
def test_rows_in_vectors_of_either_size(
    wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registers of 32 bytes and of 64, whichever the machine has."""
    monkeypatch.setattr(row_engine, "wide_registers", lambda: wide)
    row_engine.row_kernel.cache_clear()
    try:
        for name in ("rows and matrices", "svag, decay", "sgd"):
            check(*CASES[name], "rows", "float64")
        check_end(LONG, "rows")
    finally:
        row_engine.row_kernel.cache_clear()


@pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")
@pytest.mark.parametrize("method", ["gd", "sde"])
def test_rows_are_for_minibatches(method: Any) -> None:
    """Where a step takes all samples, other backends are asked for."""
    problem = CASES["sgd"][0]
    with pytest.raises(ValueError, match="a method that a kernel of 'rows'"):
        simulate(
            problem.loss,
            problem.samples(7),
            problem.start(3),
            lr=0.1,
            batch_size=1,
            steps=1,
            seed=0,
            method=method,
            backend="rows",
        )


@pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")
@pytest.mark.parametrize(
    ("d", "S", "count", "expected"),
    [
        (2, 1, 4096, "lanes"),
        (10, 8, 256, "lanes"),
        (50, 1, 256, "rows"),
        (100, 1, 64, "rows"),
        (300, 64, 16, "arrays"),
        (1100, 1, 1, "arrays"),
    ],
)
def test_what_is_chosen(d: int, S: int, count: int, expected: str) -> None:
    """Where one backend is faster than the others by far: see docs/benchmarks.md."""
    shapes: dict[str, tuple[int, ...]] = {"U": (d, d), "W": (d, d)}
    net = Problem("norm2(U*W*x - y)", shapes, {"x": (d,), "y": (d,)})
    start = np.zeros((count, 2 * d * d))
    arguments: Any = {"lr": 0.1, "batch_size": S, "steps": 0, "dtype": "float32"}
    found = simulate(net.loss, net.samples(64), start, seed=0, **arguments)

    assert found.backend == expected


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
