"""θ of models, data, records, and the messages about wrong ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from numeric import ShapeError
from numeric._noise._generator import Action, Generator
from numeric._streams import Stream
from numeric._torch_ensembles.model_loss import ModelLoss
from numeric._torch_ensembles.run import simulate_model
from symbolic import Declaration, ParameterSpace, Symmetry, derive
from tests.numeric.torch_ensembles.cases import MSE, case, linear_net, regression


TASK = ModelLoss(linear_net(2, 3, 1), MSE)
DATA = regression(6, 2, 1)
COMMON: dict[str, Any] = {"lr": 0.05, "batch_size": 2, "steps": 4, "seed": 0}


def test_pack_and_unpack_are_inverse() -> None:
    """Of modules, of state dicts, and of rows of θ."""
    nets = [linear_net(2, 3, 1), nn.Sequential(*linear_net(2, 3, 1))]
    first, second = (net.get_parameter("0.weight") for net in nets)
    with torch.no_grad():
        second.add_(1)

    theta = TASK.pack([nets[0], nets[1].state_dict()])

    assert theta.shape == (2, TASK.size)
    assert theta.dtype == torch.float64
    assert not theta.requires_grad
    held = TASK.unpack(theta.numpy())
    assert torch.equal(held["0.weight"][1], second)
    assert torch.equal(held["1.weight"][0], nets[0].get_parameter("1.weight"))
    nets[0].load_state_dict(TASK.unpack(theta[1]))
    assert torch.equal(first, second)
    held["0.weight"] += 1
    assert torch.equal(TASK.pack([nets[0]])[0], theta[1])
    assert TASK.pack([]).shape == (0, TASK.size)


def test_tied_and_frozen_parameters() -> None:
    """Tied ones count once, frozen ones not at all."""
    tied, frozen = (ModelLoss(*case(name)[:2]) for name in ("tied", "frozen"))
    assert tied.names == ("words.weight",)
    assert tied.size == 36
    assert not any(name.startswith("0.") for name in frozen.names)
    assert frozen.size == sum(
        p.numel() for p in frozen.model.parameters() if p.requires_grad
    )


def test_start_moves_by_the_documented_normals() -> None:
    """θ + spread·z, z of (seed, replica)."""
    theta = TASK.start(3, spread=0.5, seed=(4, "b"), first_replica=2)
    z = Stream((4, "b"), "start").normals([2, 3, 4], 0, TASK.size)
    own = TASK.pack([TASK.model])[0].numpy()
    np.testing.assert_allclose(theta.numpy(), own + 0.5 * z, rtol=1e-15, atol=1e-15)
    assert torch.equal(TASK.start(2), TASK.pack([TASK.model, TASK.model]))


def test_records() -> None:
    """Entries, norms, functions and charges; with tied and frozen parameters too."""
    A = torch.tensor([[2.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    generator = Generator(
        {"0.weight": Action(1.0, left=A), "1.weight": (Action(-1.0), Action(0.5))},
        shift={"1.weight": torch.tensor([[1.0, 0.0, 2.0]])},
    )
    theta0 = TASK.start(3, spread=0.5)

    found = simulate_model(
        TASK,
        DATA,
        theta0,
        record={
            "C": generator,
            "entry": "0.weight[1, 0]",
            "norm": "norm2(1.weight)",
            "mean": lambda theta: theta.mean(axis=1),
        },
        **COMMON,
    )

    assert {name: v.shape for name, v in found.records.items()} == dict.fromkeys(
        ("C", "entry", "norm", "mean"), (3, 5)
    )
    for when, theta in ((0, theta0), (-1, torch.tensor(found.theta))):
        held = TASK.unpack(theta)
        at = {name: values[:, when] for name, values in found.records.items()}
        charges = [generator.charge(TASK.unpack(row)) for row in theta]
        np.testing.assert_allclose(at["C"], np.array(charges), rtol=1e-13)
        assert (at["entry"] == held["0.weight"][:, 1, 0].numpy()).all()
        square = (held["1.weight"] ** 2).sum((1, 2)).numpy()
        np.testing.assert_allclose(at["norm"], square, rtol=1e-15)
        np.testing.assert_allclose(at["mean"], theta.mean(1).numpy(), rtol=1e-15)


def test_charges_of_tied_and_frozen_parameters() -> None:
    """A tied name means the parameter it is tied to; a frozen one is a constant."""
    for name, block in (("tied", "head.weight"), ("frozen", "0.weight")):
        model, loss, data = case(name)
        task = ModelLoss(model, loss)
        generator = Generator({block: Action(2.0)})
        found = simulate_model(
            task, data, task.start(2), record={"C": generator}, **COMMON
        )
        model.load_state_dict(task.unpack(found.theta[1]), strict=False)
        parameters = dict(model.named_parameters(remove_duplicate=False))
        wanted = float((parameters[block].detach() ** 2).sum())
        np.testing.assert_allclose(found.records["C"][1, -1], wanted, rtol=1e-13)


def test_a_derivations_charge() -> None:
    """Of a model with the parameters of the derivation, in its order."""
    space = ParameterSpace(u=(), v=())
    symmetry = Symmetry.from_generator(space, {"u": "u", "v": "-v"})
    derivation = derive(Declaration("rescaling", space, symmetry))
    task = ModelLoss(linear_net(1, 1, 1), MSE)
    found = simulate_model(
        task, regression(5, 1, 1), task.start(2), record={"C": derivation}, **COMMON
    )
    u, v = found.theta.T
    np.testing.assert_allclose(found.records["C"][:, -1], (u**2 - v**2) / 2, rtol=1e-12)


def test_data_in_batches_are_one_set() -> None:
    """An iterable of pairs is joined; other dtypes are cast."""
    x, y = DATA
    pairs = [(x[:4].float(), y[:4].float()), (x[4:].float(), y[4:].float())]
    whole = simulate_model(TASK, (x.float(), y.float()), TASK.start(2), **COMMON)
    parts = simulate_model(TASK, pairs, TASK.start(2).float().numpy(), **COMMON)
    np.testing.assert_allclose(parts.theta, whole.theta, atol=1e-6)
    assert parts.theta.dtype == np.float64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theta0": torch.zeros(9)}, r"theta0: expected shape \(replicas, 9\)"),
        ({"theta0": torch.zeros(2, 8)}, r"theta0: expected shape \(replicas, 9\)"),
        ({"theta0": torch.zeros(0, 9)}, r"theta0: expected shape \(replicas, 9\)"),
        ({"theta0": torch.full((1, 9), torch.nan)}, "theta0: expected finite"),
        ({"data": (DATA[0] / 0, DATA[1])}, "data: expected finite inputs"),
        ({"data": (DATA[0], DATA[1] / 0)}, "data: expected finite targets"),
        ({"data": (DATA[0], DATA[1][:3])}, "same number of samples"),
        ({"data": []}, "at least one sample"),
        ({"batch_size": 7, "replace": False}, "batch_size: expected <= N = 6"),
        ({"dtype": "float16"}, "dtype: expected 'float64'"),
        ({"backend": "lanes"}, "backend: expected one of auto, vmap, loop"),
        ({"chunk": 0}, "chunk: expected an integer >= 1"),
        ({"chunk": 1.5}, "chunk: expected an integer >= 1"),
        ({"chunk": True}, "chunk: expected an integer >= 1"),
        ({"first_replica": 2**32 - 1}, "first_replica: expected numbers"),
        ({"record": ["2.weight"]}, "record: expected 'name"),
        ({"record": ["0.weight"]}, "with its 2 indices"),
        ({"record": ["0.weight[3, 0]"]}, "below"),
        ({"record": ["norm2(2.weight)"]}, "record: expected 'name"),
        ({"record": {"a": 3}}, r"record\['a'\]: expected a function"),
        ({"record": {"a": lambda t: t}}, r"record\['a'\]: expected shape \(2,\)"),
        (
            {
                "record": {
                    "a": Generator({"0.weight": Action(left=torch.ones(3, 3).triu())})
                }
            },
            "not symmetric",
        ),
        (
            {"record": {"a": Generator({"0.weight": Action(left=torch.ones(2))})}},
            "expected a left factor",
        ),
    ],
)
def test_messages(options: dict[str, Any], message: str) -> None:
    """What was expected and what came."""
    given = {"data": DATA, "theta0": TASK.start(2), **COMMON, **options}
    with pytest.raises((ValueError, ShapeError), match=message):
        simulate_model(TASK, given.pop("data"), given.pop("theta0"), **given)


def test_messages_of_models() -> None:
    """What is no model, no loss, or has nothing to train."""
    wrong: Any = 3
    wrong_again: Any = TASK.model
    with pytest.raises(TypeError, match=r"model: expected a torch\.nn\.Module"):
        ModelLoss(wrong, MSE)
    with pytest.raises(TypeError, match="loss: expected a function"):
        ModelLoss(nn.Linear(1, 1), wrong)
    with pytest.raises(ValueError, match="got none"):
        ModelLoss(nn.Linear(1, 1).requires_grad_(False), MSE)
    with pytest.raises(ValueError, match="lazy"):
        ModelLoss(nn.LazyLinear(1), MSE)
    with pytest.raises(TypeError, match="an iterable of modules"):
        TASK.pack(wrong_again)
    with pytest.raises(KeyError, match="expected a parameter"):
        TASK.pack([nn.Linear(1, 1)])
    with pytest.raises(ShapeError, match=r"expected '0\.weight' of shape"):
        TASK.pack([linear_net(3, 3, 1)])
    with pytest.raises(ShapeError, match=r"expected shape \(\.\.\., 9\)"):
        TASK.unpack(torch.zeros(3))
    for options in ({"replicas": -1}, {"replicas": 1, "spread": np.inf}):
        with pytest.raises(ValueError, match="start: expected"):
            TASK.start(**options)


def test_mixed_dtypes_are_asked_about() -> None:
    """Half precision and mixtures need a dtype; then they run in it."""
    x, y = DATA
    for model in (linear_net(2, 3, 1).half(), linear_net(2, 3, 1)):
        model[1].bfloat16()
        task = ModelLoss(model, MSE)
        with pytest.raises(ValueError, match="pass dtype='float32'"):
            simulate_model(task, (x, y), task.start(1), **COMMON)
        found = simulate_model(task, (x, y), task.start(1), dtype="float32", **COMMON)
        assert found.theta.dtype == np.float32
