"""What the numbers of a replica do not depend on, bit for bit, and divergence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from numeric import simulate
from numeric._ensembles import array_engine, lane_engine, row_engine
from numeric._lanes.compiler import AVAILABLE
from tests.programs import Problem, Run, plain_loop


BACKENDS = ["arrays", *(["lanes", "rows"] if AVAILABLE else [])]
DTYPES = ["float64", "float32"]
SCALAR = Problem("(u*w*x - y)**2", {"u": (), "w": ()}, {"x": (), "y": ()})
TANH = Problem(
    "norm2(U*tanh(W*x + b) - c*y) + c**2*norm2(U)/4",
    {"U": (2, 3), "W": (3, 2), "b": (3,), "c": ()},
    {"x": (2,), "y": (2,)},
)
RUNS: dict[str, tuple[Problem, dict[str, Any]]] = {
    "sgd": (SCALAR, {}),
    "momentum": (TANH, {"momentum": 0.5, "batch_size": 2, "weight_decay": 0.1}),
    "without replacement": (TANH, {"batch_size": 3, "replace": False}),
    "sde": (SCALAR, {"method": "sde", "substeps": 3}),
    "sde by samples": (TANH, {"method": "sde", "batch_size": 2}),
    "svag": (SCALAR, {"method": "svag", "svag_level": 2}),
}


def run(
    name: str, start: np.ndarray | None = None, **keywords: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the end and the records (R, times) of a run of 40 replicas."""
    problem, fixed = RUNS[name]
    arguments = {"lr": 0.02, "batch_size": 1, "steps": 12, "seed": (4, "x")}
    found: Any = simulate(
        problem.loss,
        problem.samples(7),
        problem.start(40) if start is None else start,
        record={"first": lambda theta: theta[:, 0]},
        **{**arguments, **fixed, **keywords},
    )
    return found.theta, found.records["first"]


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        (name, backend)
        for name in RUNS
        for backend in BACKENDS
        if backend != "rows" or RUNS[name][1].get("method", "sgd") in ("sgd", "svag")
    ],
)
def test_a_replica_is_its_number(name: str, backend: Any) -> None:
    """40 at once, 13 and 27, one alone, in threads, and recorded at other times."""
    whole, records = run(name, backend=backend)
    start = RUNS[name][0].start(40)
    first, _ = run(name, start[:13], backend=backend)
    rest, _ = run(name, start[13:], backend=backend, first_replica=13)
    alone, _ = run(name, start[29:30], backend=backend, first_replica=29)
    threads, _ = run(name, backend=backend, jobs=3)
    rarely, few = run(name, backend=backend, samples=5)  # pieces of 2 and 3 steps
    once, _ = run(name, backend=backend, samples=1)

    assert (np.concatenate([first, rest]) == whole).all()
    assert (alone[0] == whole[29]).all()
    assert (threads == whole).all()
    assert (rarely == whole).all()
    assert (once == whole).all()
    times = np.linspace(0, 12, 6).round().astype(int)
    assert (few == records[:, times]).all()
    other, _ = run(name, start[:13], backend=backend, first_replica=1)
    assert (other != first).any(axis=1).all()


@pytest.mark.parametrize("name", RUNS)
def test_arrays_do_not_depend_on_chunks(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One replica at a time, and indices for few steps at once."""
    whole, _ = run(name, backend="arrays", samples=2)
    monkeypatch.setattr(array_engine, "CHUNK", 100)
    monkeypatch.setattr(array_engine, "_AHEAD", 5)
    chunks, _ = run(name, backend="arrays", samples=2)

    assert (chunks == whole).all()


@pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")
@pytest.mark.parametrize("name", RUNS)
def test_lanes_do_not_depend_on_calls(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One, and five steps in a call; blocks of random words begin in the middle."""
    whole, _ = run(name, backend="lanes", samples=1)
    seen = []
    call = lane_engine.LaneEngine._call

    def noted(self: Any, states: Any, ids: Any, first: int, last: int) -> None:
        seen.append((first, last))
        call(self, states, ids, first, last)

    monkeypatch.setattr(lane_engine.LaneEngine, "_call", noted)
    monkeypatch.setattr(lane_engine, "CALL", 1)
    one, _ = run(name, backend="lanes", samples=1)
    assert all(last == first + 1 for first, last in seen)
    assert len(seen) >= 12
    assert (one == whole).all()


@pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")
def test_rows_do_not_depend_on_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step in a call, in one thread and in three."""
    whole, _ = run("momentum", backend="rows", samples=1)
    seen = []
    call = row_engine.RowEngine._call

    def noted(self: Any, states: Any, ids: Any, first: int, last: int) -> None:
        seen.append((first, last))
        call(self, states, ids, first, last)

    monkeypatch.setattr(row_engine.RowEngine, "_call", noted)
    monkeypatch.setattr(row_engine, "CALL", 1)
    for jobs in (1, 3):
        some, _ = run("momentum", backend="rows", samples=1, jobs=jobs)
        assert (some == whole).all()
    assert all(last == first + 1 for first, last in seen)


@pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sgd", "momentum", "sde"])
def test_arrays_of_any_address(
    name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State, table and numbers of replicas at addresses that are odd for vectors."""
    whole, _ = run(name, backend="lanes", dtype=dtype, samples=1)
    call = lane_engine.LaneEngine._call

    def moved(self: Any, states: Any, ids: Any, first: int, last: int) -> None:
        others = [displaced(array) for array in states]
        table, self._table = self._table, displaced(self._table)
        assert others[0].ctypes.data % 64
        call(self, others, displaced(ids), first, last)
        self._table = table
        for array, other in zip(states, others, strict=True):
            array[...] = other

    monkeypatch.setattr(lane_engine.LaneEngine, "_call", moved)
    again, _ = run(name, backend="lanes", dtype=dtype, samples=1)

    assert (again == whole).all()


def displaced(array: np.ndarray) -> np.ndarray:
    """Return a copy that begins one number after a multiple of 64 bytes."""
    raw = np.zeros(array.nbytes + 128, dtype=np.uint8)
    begin = -raw.ctypes.data % 64 + array.itemsize
    view = raw[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def test_without_llvmlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """ "auto" takes arrays and agrees to rounding; "lanes" says how to get it."""
    best, _ = run("sgd")
    for module in (lane_engine, row_engine):
        monkeypatch.setattr(module, "AVAILABLE", False)
    problem = SCALAR
    arguments: Any = {"lr": 0.02, "batch_size": 1, "steps": 12, "seed": (4, "x")}
    state = (problem.loss, problem.samples(7), problem.start(40))
    found = simulate(*state, **arguments)
    sde = simulate(*state, **arguments, method="sde")

    assert found.backend == sde.backend == "arrays"
    np.testing.assert_allclose(found.theta, best, rtol=1e-13)
    with pytest.raises(ValueError, match=r"llvmlite installed \(pip install"):
        simulate(*state, **arguments, backend="lanes")


# ------------------------------------------------------------------------- divergence

BREAKDOWNS: dict[str, tuple[Problem, Run, np.ndarray]] = {
    "overflow": (
        SCALAR,
        Run(lr=0.05, batch_size=2, steps=30),
        np.array([[0.5, 0.5], [60, 60], [0.3, -0.2], [9, 9], [1e30, 2.0], [0.1, 1.0]]),
    ),
    "momentum": (
        SCALAR,
        Run(lr=0.05, batch_size=2, steps=30, momentum=0.5),
        np.array([[0.5, 0.5], [60, 60], [0.3, -0.2], [9, 9], [1e30, 2.0], [0.1, 1.0]]),
    ),
    "log of a negative": (
        Problem("-u*log(u)*(2 + x)", {"u": ()}, {"x": ()}),
        Run(lr=0.02, batch_size=2, steps=30),
        np.array([[0.05], [5.0], [0.25], [-1.0], [0.9]]),
    ),
    "root of a negative": (
        Problem("sqrt(u)*(2 + x)", {"u": ()}, {"x": ()}),
        Run(lr=0.1, batch_size=2, steps=30),
        np.array([[0.05], [50.0], [0.3], [-1.0], [0.1]]),
    ),
    "gd": (SCALAR, Run(lr=0.05, steps=30, method="gd"), np.array([[60.0, 60], [0, 1]])),
}


@pytest.mark.parametrize("samples", [1, 7])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "backend"),
    [
        (name, backend)
        for name in BREAKDOWNS
        for backend in BACKENDS
        if backend != "rows" or BREAKDOWNS[name][1].method == "sgd"
    ],
)
def test_stops_at_the_last_finite_state(
    name: str, backend: Any, dtype: Any, samples: int
) -> None:
    """As a plain loop has it, wherever the records are; others go on as without.

    Rounding is amplified by the powers of the way out, 3 a step for a few steps: the
    relative tolerance is 3⁸ roundings; a state one step off would be wrong by far more.
    """
    problem, numbers, start = BREAKDOWNS[name]
    data = problem.samples(7)
    keywords: Any = {"samples": samples, "backend": backend, "dtype": dtype}
    keywords |= numbers.keywords
    record = {"first": lambda theta: theta[:, 0]}
    found = simulate(problem.loss, data, start, record=record, **keywords)
    single = {key: array.astype(dtype) for key, array in data.items()}
    with np.errstate(all="ignore"):
        states = plain_loop(problem, single, start.astype(dtype), numbers)
    finite = np.isfinite(states).all(axis=2)  # (steps + 1, R)
    lost = ~finite.all(axis=0)

    assert found.diverged.tolist() == lost.tolist()
    assert lost.any()
    assert np.isfinite(found.theta).all()
    assert np.isfinite(found.records["first"]).all()
    for r in range(len(start)):
        ahead = np.argmin(finite[:, r]) if lost[r] else len(states)
        expected = states[ahead - 1, r]
        tolerance = 3**8 * float(np.finfo(dtype).eps)
        np.testing.assert_allclose(found.theta[r], expected, rtol=tolerance)
    assert (found.records["first"][:, -1] == found.theta[:, 0]).all()

    calm = np.where(lost[:, None], np.abs(start[~lost][:1]), start)
    without = simulate(problem.loss, data, calm, record=record, **keywords)
    assert (without.theta[~lost] == found.theta[~lost]).all()
    mine, other = (run.records["first"][~lost] for run in (found, without))
    assert (mine == other).all()


@pytest.mark.parametrize("samples", [1, 3, 24])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_slow_divergence_keeps_its_momentum(
    backend: Any, dtype: Any, samples: int
) -> None:
    """Growth by about 2 a step, over several records: linear, so to 100 roundings.

    Gradients overflow first; no product does whose sum is finite, where the lanes,
    which round both at once, would go on for a step.
    """
    problem = Problem("(u*x - y)**2/2", {"u": ()}, {"x": (), "y": ()})
    run = Run(lr=0.9, steps=24, momentum=0.5)
    data = {"x": np.array([2.0, 2.2, 2.1]), "y": np.zeros(3)}
    least = float(np.finfo(dtype).max) * np.array([[1e-4], [1e-6], [1e-7], [1e-20]])
    with np.errstate(all="ignore"):
        states = plain_loop(problem, data, least.astype(dtype), run)
    finite = np.isfinite(states).all(axis=2).sum(axis=0)  # the first ones
    assert (finite[:3] > 6).all()
    assert (finite[:3] < 24).all()
    found = simulate(
        problem.loss,
        data,
        least,
        samples=samples,
        record=["u"],  # without records all steps are one piece
        backend=backend,
        dtype=dtype,
        **run.keywords,
    )

    assert found.diverged.tolist() == [True, True, True, False]
    expected = states[finite - 1, np.arange(4)]
    tolerance = 100 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(found.theta, expected, rtol=tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_diverge_in_the_first_step(backend: Any) -> None:
    """They stay where they began, and the run ends in peace."""
    start = np.full((20, 2), 1e120)
    methods: Any = (
        ("sgd", "svag") if backend == "rows" else ("sgd", "svag", "gd", "sde")
    )
    for method in methods:
        found: Any = simulate(
            SCALAR.loss,
            SCALAR.samples(7),
            start,
            lr=0.1,
            batch_size=1,
            steps=9,
            method=method,
            seed=0,
            record=["u"],
            backend=backend,
        )
        assert found.diverged.all()
        assert (found.theta == start).all()
        assert (found.records["u"] == 1e120).all()
        assert found.records["u"].shape == (20, 10)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("steps", [0, 5])
def test_the_start_is_left_alone(backend: Any, steps: int) -> None:
    """Also where replicas diverge; what is returned is not the same memory."""
    start = np.array([[1.0, 0.5], [1e120, 1e120], [0.2, 0.3]])
    before = start.copy()
    found = simulate(
        SCALAR.loss,
        SCALAR.samples(7),
        start,
        lr=0.1,
        batch_size=1,
        steps=steps,
        seed=0,
        record=["u"],
        backend=backend,
    )

    assert found.diverged.any() == (steps > 0)
    assert not np.shares_memory(found.theta, start)
    np.testing.assert_array_equal(start, before)
