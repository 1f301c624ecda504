"""The examples compiled by the command: what the modules compute, by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from noetherflow import _cli
from numeric import module_source
from symbolic import derive, load
from tests.example_cases import CASES
from tests.example_points import FOLDER, NUMBERS, Instance, draw, flat
from tests.test_examples import NAMES, batches, drift, stepped


Tensor = torch.Tensor
ROUNDING = 1e-10  # of values below 100; their errors are bounded in test_examples
RATES = {name: NUMBERS[name] for name in ("sigma2", "gamma")}
STEP = {name: NUMBERS[name] for name in ("eta", "gamma")}


def compiled(name: str, backend: str, folder: Path) -> ModuleType:
    """Return the module of an example, imported.

    The command writes that of numpy; a new process for torch would take seconds.
    """
    file, out = FOLDER / f"{name}.toml", folder / f"{name}_law.py"
    if backend == "torch":
        out.write_text(module_source(derive(load(file)), "torch"), "utf-8")
    else:
        asked = ["compile", str(file), "--backend", backend, "-o", str(out)]
        done = CliRunner().invoke(_cli.main, asked)
        assert done.exit_code == 0, done.output
    spec = importlib.util.spec_from_file_location(out.stem, out)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def given(named: dict[str, Tensor], backend: str) -> dict[str, Any]:
    """Return named tensors as the backend has arrays."""
    return {n: t.numpy() if backend == "numpy" else t for n, t in named.items()}


def constants(module: ModuleType, at: Instance, backend: str) -> dict[str, Any]:
    """Return the constants of the law; those that only the loss has are left out."""
    wanted = getattr(module, "CONSTANTS", {})
    found = given({n: at.constants[n] for n in wanted}, backend)
    return {"constants": found} if found else {}


def close(found: Any, by_hand: Tensor) -> None:
    """Check a value, an array or a mapping of them."""
    if isinstance(found, dict):
        found = flat({n: torch.as_tensor(v) for n, v in found.items()})
    gap = (torch.as_tensor(found) - by_hand).abs().max()
    assert float(by_hand.abs().max()) <= 100
    assert float(gap) <= ROUNDING


def check_charge(module: ModuleType, at: Instance, backend: str) -> None:
    theta = given(at.theta, backend)
    more = constants(module, at, backend)
    noise = {"gradients": given(at.gradients(at.theta), backend)}
    close(module.charge(theta, **more), at.charge(at.theta))
    pull = 2 * NUMBERS["gamma"] * flat(at.theta) @ flat(at.field)
    found = module.drift(theta, **noise, **RATES, **more)
    close(found, at.noise(at.theta) - pull)
    for g in batches(at):
        close(module.step(theta, given(g, backend), **STEP, **more), stepped(at, g))
    if at.case.kind == "exponential":
        G = module.balance(NUMBERS["lam"], theta, **noise, **RATES, **more)
        close(G, drift(at, NUMBERS["lam"]))


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", NAMES)
def test_modules_compute_what_is_worked_out_by_hand(
    name: str, backend: str, tmp_path: Path
) -> None:
    module = compiled(name, backend, tmp_path)
    for seed in (0, 1):
        at = draw(name, seed)
        theta = given(at.theta, backend)
        more = constants(module, at, backend)
        close(module.generator(theta, **more), flat(at.field))
        if CASES[name].charge is None:
            assert not hasattr(module, "charge")
        else:
            check_charge(module, at, backend)
