"""`simulate` against plain loops, exact laws and the SDE's moments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from numeric import compile, compile_loss, simulate
from numeric._streams import Stream
from symbolic import (
    Constant,
    DeclarationError,
    Loss,
    ParameterSpace,
    catalogue,
    derive,
)
from tests.strategies import catalogue as plain_catalogue


RNG = np.random.default_rng(8)
DATA = {"x": RNG.normal(size=12), "y": RNG.normal(size=12)}
START = RNG.normal(size=(5, 2))
LOSS = Loss("(u*v*x - y)**2", ParameterSpace(u=(), v=()), {"x": (), "y": ()})
REPLICAS = np.arange(5)


def stream(seed: int) -> Stream:
    """Return the documented stream: counters keyed by (seed, "simulate")."""
    return Stream(seed, "simulate")


def by_hand(u: float, v: float, x: float, y: float) -> np.ndarray:
    """Return ∇(uvx − y)², written out."""
    q = 2 * (u * v * x - y) * x
    return np.array([q * v, q * u])


@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_sgd_equals_a_plain_loop(momentum: float, decay: float) -> None:
    """The same index stream through Python floats, replica by replica."""
    result = simulate(
        LOSS,
        DATA,
        START,
        lr=0.03,
        batch_size=3,
        steps=40,
        weight_decay=decay,
        momentum=momentum,
        seed=11,
    )
    chosen = [stream(11).indices(REPLICAS, step, 3, 12) for step in range(40)]
    for r in range(5):
        theta, m = START[r].copy(), np.zeros(2)
        for step in range(40):
            rows = [
                by_hand(theta[0], theta[1], DATA["x"][k], DATA["y"][k])
                for k in chosen[step][r]
            ]
            m = momentum * m + sum(rows) / 3 + 2 * decay * theta
            theta = theta - 0.03 * m
        np.testing.assert_allclose(result.theta[r], theta, rtol=1e-11)


def test_gd_equals_a_plain_loop() -> None:
    """The full gradient, no stream at all."""
    result = simulate(
        LOSS,
        DATA,
        START,
        lr=0.02,
        batch_size=1,
        steps=30,
        method="gd",
        weight_decay=0.1,
        seed=0,
    )
    for r in range(5):
        theta = START[r].copy()
        for _ in range(30):
            rows = [
                by_hand(theta[0], theta[1], x, y)
                for x, y in zip(*DATA.values(), strict=True)
            ]
            theta = theta - 0.02 * (sum(rows) / 12 + 0.2 * theta)
        np.testing.assert_allclose(result.theta[r], theta, rtol=1e-12)


def test_without_replacement_the_whole_set_is_gd() -> None:
    """S = N without replacement is the full gradient; S = N - 1 is not."""
    common: dict[str, Any] = {"lr": 0.02, "steps": 10, "seed": 4}
    gd = simulate(LOSS, DATA, START, batch_size=1, method="gd", **common)
    whole = simulate(LOSS, DATA, START, batch_size=12, replace=False, **common)
    less = simulate(LOSS, DATA, START, batch_size=11, replace=False, **common)

    np.testing.assert_allclose(whole.theta, gd.theta, rtol=1e-12)
    assert np.abs(less.theta - gd.theta).max() > 1e-6


def test_exact_law_along_a_trajectory() -> None:
    """C' = (1−2ηγ)²C + ½η²gᵀAg at every step, with S = 1 and the known stream."""
    evaluators, loss = compile(plain_catalogue()["rescaling"]), compile_loss(LOSS)
    eta, gamma = 0.05, 0.02
    result = simulate(
        LOSS,
        DATA,
        START,
        lr=eta,
        batch_size=1,
        steps=50,
        weight_decay=gamma,
        seed=3,
        record={"C": evaluators.charge, "u": lambda t: t[:, 0], "v": lambda t: t[:, 1]},
    )
    C = result.records["C"]
    for step in range(50):
        k = stream(3).indices(REPLICAS, step, 1, 12)[:, 0]
        theta = np.stack([result.records[n][:, step] for n in "uv"], -1)
        g = loss.gradient(theta, {name: values[k] for name, values in DATA.items()})
        law = (1 - 2 * eta * gamma) ** 2 * C[:, step]
        law = law + 0.5 * eta**2 * (g[:, 0] ** 2 - g[:, 1] ** 2)
        np.testing.assert_allclose(C[:, step + 1], law, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    ("method", "extra"), [("sde", {}), ("svag", {"svag_level": 4})]
)
def test_one_step_mean_and_covariance(method: Any, extra: dict[str, Any]) -> None:
    """E Δθ = −η(∇L + 2γθ), E ΔθΔθᵀ = 2σ²ηΣ + O(η²), within 6 standard errors.

    SVAG takes ℓ inner steps, so its moments differ by the gradient's change on the
    way: at most η K relative, K a Lipschitz constant of the sample gradients.
    """
    eta, S, gamma, R = 1e-3, 2, 0.1, 40_000
    theta = np.tile([0.8, -0.6], (R, 1))
    result = simulate(
        LOSS,
        DATA,
        theta,
        lr=eta,
        batch_size=S,
        steps=1,
        method=method,
        weight_decay=gamma,
        seed=9,
        **extra,
    )
    rows = np.array([by_hand(0.8, -0.6, *z) for z in zip(*DATA.values(), strict=True)])
    covariance = eta**2 / S * np.cov(rows.T, bias=True)
    mean = -eta * (rows.mean(0) + 2 * gamma * theta[0])
    K = 8 * max(x * x + abs(x * y) for x, y in zip(*DATA.values(), strict=True))
    slack = 0 if method == "sde" else eta * K
    moved = result.theta - theta - mean  # (R, 2)
    products = moved[:, :, None] * moved[:, None, :]

    error = 6 * moved.std(0) / math.sqrt(R)
    assert (np.abs(moved.mean(0)) <= error + slack * np.abs(mean).max()).all()
    error = 6 * products.std(0) / math.sqrt(R)
    assert (error <= 0.1 * covariance.max()).all()
    off = np.abs(products.mean(0) - covariance)
    assert (off <= error + 2 * slack * covariance.max()).all()


def test_sde_drift_of_the_charge() -> None:
    """Mean of C over the SDE follows ∫(−4γC + σ²Tr[ΣA]), time step shrinking."""
    evaluators, loss = compile(plain_catalogue()["rescaling"]), compile_loss(LOSS)
    eta, S, gamma, R = 0.02, 1, 0.05, 3000

    def drift(theta: np.ndarray) -> Any:
        g = loss.gradient(theta[:, None, :], DATA)
        return evaluators.drift(theta, gradients=g, sigma2=eta / (2 * S), gamma=gamma)

    result = simulate(
        LOSS,
        DATA,
        np.tile([1.2, 0.4], (R, 1)),
        lr=eta,
        batch_size=S,
        steps=60,
        method="sde",
        weight_decay=gamma,
        seed=5,
        substeps=8,
        record={"C": evaluators.charge, "G": drift},
    )
    C, G = result.records["C"], result.records["G"]
    assert not result.diverged.any()
    increments = 0.5 * (G[:, 1:] + G[:, :-1]) * np.diff(result.time)
    martingale = C[:, -1] - C[:, 0] - increments.sum(1)
    error = 6 * martingale.std() / math.sqrt(R)
    # Euler-Maruyama adds ½h²(ḡᵀAḡ + …) a step: below h·time·E|g|² here.
    g = loss.gradient(result.theta[:, None, :], DATA)
    bias = eta / 8 * result.time[-1] * (g**2).sum(-1).mean()
    total = increments.sum(1).mean()
    assert abs(martingale.mean()) <= error + bias
    assert abs(total) > 3 * (error + bias)


def test_svag_level_one_is_sgd() -> None:
    """At ℓ = 1 the second minibatch has weight 0: the same as SGD, to rounding."""
    common: dict[str, Any] = {"lr": 0.03, "batch_size": 2, "steps": 15, "seed": 6}
    result = simulate(LOSS, DATA, START, method="svag", **common)
    sgd = simulate(LOSS, DATA, START, **common)
    loss, theta = compile_loss(LOSS), START
    for step in range(15):
        k = stream(6).indices(REPLICAS, step, 2, 12)
        g = loss.gradient(theta[:, None, :], {n: a[k] for n, a in DATA.items()})
        theta = theta - 0.03 * g.mean(1)

    np.testing.assert_allclose(result.theta, theta, rtol=1e-12)
    np.testing.assert_allclose(sgd.theta, theta, rtol=1e-12)


def test_divergence_is_flagged_and_frozen() -> None:
    """One replica explodes, keeps its last finite value, and leaves others alone."""
    start = np.array([[0.5, 0.5], [60.0, 60.0]])
    common: dict[str, Any] = {"lr": 0.05, "batch_size": 2, "steps": 50, "seed": 2}
    both = simulate(LOSS, DATA, start, record=["u"], **common)

    assert both.diverged.tolist() == [False, True]
    assert np.isfinite(both.theta).all()
    assert np.isfinite(both.records["u"]).all()
    calm = simulate(LOSS, DATA, np.array([[0.5, 0.5], [0.4, 0.5]]), **common)
    np.testing.assert_array_equal(both.theta[0], calm.theta[0])


def test_records_are_evenly_spaced() -> None:
    """`samples` + 1 times from 0 to lr·steps, at most one per step."""
    common: dict[str, Any] = {
        "lr": 0.01,
        "batch_size": 1,
        "seed": 0,
        "record": ["u", np.linalg.norm],
    }

    def norm(theta: np.ndarray) -> Any:
        return np.linalg.norm(theta, axis=1)

    common["record"] = ["u", norm]
    many = simulate(LOSS, DATA, START, steps=1000, samples=50, **common)
    few = simulate(LOSS, DATA, START, steps=7, **common)

    np.testing.assert_allclose(many.time, np.linspace(0, 10, 51))
    np.testing.assert_allclose(few.time, 0.01 * np.arange(8))
    assert many.records["norm"].shape == (5, 51)
    np.testing.assert_array_equal(many.records["u"][:, 0], START[:, 0])
    np.testing.assert_array_equal(many.records["u"][:, -1], many.theta[:, 0])


def test_seed_decides_the_run() -> None:
    """Same seed, same bits; another seed, another run; the start is not written to."""
    before = START.copy()
    runs = [
        simulate(LOSS, DATA, START, lr=0.05, batch_size=1, steps=20, seed=s).theta
        for s in (1, 1, 2)
    ]

    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.abs(runs[0] - runs[2]).max() > 1e-6
    np.testing.assert_array_equal(START, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0.0}, "lr: expected a finite number > 0"),
        ({"lr": math.nan}, "lr: expected a finite number > 0"),
        ({"batch_size": 0}, "batch_size: expected >= 1"),
        ({"batch_size": 1.5}, "batch_size: expected an integer"),
        ({"steps": -1}, "steps: expected >= 0"),
        ({"samples": 0}, "samples: expected >= 1"),
        ({"substeps": 0}, "substeps: expected >= 1"),
        ({"svag_level": 0}, "svag_level: expected >= 1"),
        ({"method": "adam"}, "method: expected one of sgd, gd, sde, svag"),
        ({"momentum": 1.0}, r"momentum: expected a number in \[0, 1\)"),
        ({"momentum": 0.5, "method": "sde"}, "only sgd and gd"),
        ({"weight_decay": math.inf}, "weight_decay: expected a finite"),
        ({"batch_size": 13, "replace": False}, "expected <= N = 12"),
        ({"theta0": START[0]}, r"theta0: expected shape \(replicas, 2\), got \(2,\)"),
        ({"theta0": START * math.nan}, "theta0: expected finite"),
        ({"theta0": START * 1j}, "theta0: expected real numbers, got dtype complex"),
        ({"data": {**DATA, "y": ["a"] * 12}}, "'y'.*expected real numbers, got dtype"),
        ({"data": {"x": DATA["x"]}}, "expected the names x, y, got x"),
        ({"data": {**DATA, "y": DATA["y"][:3]}}, "one number N"),
        ({"data": {**DATA, "y": DATA["y"] * math.inf}}, "'y'.*expected finite"),
        ({"data": {**DATA, "y": DATA["y"][:, None]}}, r"\(N\), got \(12, 1\)"),
        ({"record": ["w"]}, "w"),
        ({"record": {"a": 3}}, r"record\['a'\]: expected a function, a derivation"),
        ({"record": {"a": lambda t: t}}, r"record\['a'\]: expected shape \(5,\)"),
        ({"dtype": "float16"}, "dtype: expected 'float64' or 'float32'"),
        ({"backend": "torch"}, "backend: expected one of auto, lanes, rows, arrays"),
        ({"jobs": 0}, "jobs: expected >= 1"),
        ({"first_replica": -1}, "first_replica: expected >= 0"),
        ({"first_replica": 2**32 - 4}, r"first_replica: .* below 2\*\*32"),
        ({"constants": {"K": 1.0}}, "constants: expected the names"),
        ({"theta0": np.zeros((0, 2))}, r"theta0: expected shape \(replicas, 2\)"),
        ({"seed": -1}, "seed: expected an integer >= 0"),
        ({"seed": 1.5}, "seed: expected an integer >= 0"),
        ({"steps": True}, "steps: expected an integer"),
        ({"data": {**DATA, "z": DATA["x"]}}, "expected the names x, y, got x, y, z"),
        ({"data": {"x": [], "y": []}}, r"\(N\), got \(0,\)"),
        ({"record": "u"}, "an iterable or a mapping"),
        ({"record": ["u", "u"]}, "'u' twice"),
        ({"record": {"bad": np.sum}}, r"record\['bad'\]: expected shape \(5,\)"),
    ],
)
def test_rejects_bad_arguments(change: dict[str, Any], message: str) -> None:
    """Each message names the argument."""
    good: dict[str, Any] = {
        "loss": LOSS,
        "data": DATA,
        "theta0": START,
        "lr": 0.1,
        "batch_size": 1,
    }
    with pytest.raises((ValueError, DeclarationError), match=message):
        simulate(**{**good, "steps": 3, "seed": 0, **change})


MATRICES = Loss(
    "norm2(U*W*x - y) + c*tr(K*W*U)",
    ParameterSpace(U=(2, 3), W=(3, 2), c=()),
    {"x": (2,), "y": (2,)},
    [Constant("K", (3, 3))],
)


def test_records_of_every_kind() -> None:
    """Functions, expressions with constants, components and derivations."""
    rng = np.random.default_rng(2)
    K, start = rng.normal(size=(3, 3)), 0.3 * rng.normal(size=(4, 13))
    kept: list[np.ndarray] = []

    def keep(theta: np.ndarray) -> np.ndarray:
        kept.append(theta.copy())
        return np.zeros(len(theta))

    found = simulate(
        MATRICES,
        {"x": rng.normal(size=(6, 2)), "y": rng.normal(size=(6, 2))},
        start,
        lr=0.02,
        batch_size=2,
        steps=6,
        seed=1,
        constants={"K": K},
        samples=3,
        record={
            "keep": keep,
            "W21": "W_2_1",
            "c": "c",
            "balance": "tr(K*W*U) - norm2(U)/2",
            "number": "2",
            "nothing": lambda theta: np.arange(4),
        },
    )
    U = [theta[:, :6].reshape(4, 2, 3) for theta in kept]
    W = [theta[:, 6:12].reshape(4, 3, 2) for theta in kept]
    balance = [
        np.einsum("ij,rjk,rki->r", K, w, u) - (u**2).sum((1, 2)) / 2
        for u, w in zip(U, W, strict=True)
    ]
    records = found.records

    assert len(kept) == 4
    assert list(records) == ["keep", "W21", "c", "balance", "number", "nothing"]
    np.testing.assert_allclose(found.time, 0.02 * np.array([0, 2, 4, 6]))
    np.testing.assert_array_equal(records["W21"].T, [w[:, 2, 1] for w in W])
    np.testing.assert_array_equal(records["c"].T, [theta[:, 12] for theta in kept])
    np.testing.assert_allclose(records["balance"].T, balance, rtol=1e-12, atol=1e-14)
    assert (records["number"] == 2).all()
    assert (records["nothing"] == np.arange(4)[:, None]).all()
    assert all(values.dtype == np.float64 for values in records.values())
    with pytest.raises(TypeError):
        records["c"] = records["W21"]  # type: ignore[index]


def test_records_of_derivations() -> None:
    """A derivation is recorded as its charge, also at the end of a float32 run."""
    declaration = catalogue()[0]
    derivation = derive(declaration)
    charge = compile(derivation).charge
    assert declaration.loss is not None
    dtypes: list[Any] = ["float64", "float32"]
    for dtype in dtypes:
        found = simulate(
            declaration.loss,
            DATA,
            START,
            lr=0.02,
            batch_size=2,
            steps=5,
            seed=1,
            record={"C": derivation, "same": charge, "text": "u**2/2 - w**2/2"},
            dtype=dtype,
        )
        end = charge(found.theta.astype(np.float64))
        np.testing.assert_array_equal(found.records["C"], found.records["same"])
        np.testing.assert_array_equal(found.records["C"][:, -1], end)
        scale = found.records["text"][:, 0] / found.records["C"][:, 0]
        np.testing.assert_allclose(
            found.records["text"], scale[0] * found.records["C"], rtol=1e-9, atol=1e-12
        )


def test_records_under_their_names() -> None:
    """An iterable of expressions, components and functions."""

    def size(theta: np.ndarray) -> Any:
        return (theta**2).sum(axis=1)

    items: Any = (item for item in ["u", "u**2 + v**2", size])
    found = simulate(
        LOSS, DATA, START, lr=0.01, batch_size=1, steps=3, seed=0, record=items
    )
    assert list(found.records) == ["u", "u**2 + v**2", "size"]
    np.testing.assert_allclose(
        found.records["size"], found.records["u**2 + v**2"], rtol=1e-14
    )


def test_a_record_may_write_into_what_it_gets() -> None:
    """The run does not change."""

    def spoil(theta: np.ndarray) -> Any:
        theta[...] = 0
        return theta[:, 0]

    common: dict[str, Any] = {"lr": 0.01, "batch_size": 1, "steps": 3, "seed": 0}
    clean = simulate(LOSS, DATA, START, **common)
    for dtype in ("float64", "float32"):
        spoilt = simulate(LOSS, DATA, START, record={"a": spoil}, dtype=dtype, **common)
        np.testing.assert_allclose(spoilt.theta, clean.theta, rtol=1e-5)


def test_no_steps() -> None:
    """The start, recorded once."""
    found = simulate(
        LOSS, DATA, START, lr=0.01, batch_size=1, steps=0, seed=0, record=["u"]
    )
    np.testing.assert_array_equal(found.theta, START)
    np.testing.assert_array_equal(found.records["u"], START[:, :1])
    assert found.time.tolist() == [0.0]
    assert not found.diverged.any()


def test_a_loss_without_data() -> None:
    """Plain descent, whatever the method says; no sample is drawn."""
    loss = Loss("(u**2 - 1)**2 + v**2", ParameterSpace(u=(), v=()))
    changes: list[dict[str, Any]] = [{}, {"backend": "arrays"}, {"method": "gd"}]
    runs = [
        simulate(loss, {}, START, lr=0.05, batch_size=2, steps=9, seed=0, **change)
        for change in changes
    ]
    u, v = START.T
    for _ in range(9):
        u, v = u - 0.05 * 4 * u * (u**2 - 1), v - 0.05 * 2 * v
    for run in runs:
        np.testing.assert_allclose(run.theta, np.stack([u, v], axis=1), rtol=1e-12)
