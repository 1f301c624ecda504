"""The examples: what the command prints, and that it is true.

Expected output is read by `tests.printed` and compared with what `tests.example_cases`
works out by hand, through torch's derivatives and finite sums over the samples. After a
change of what `derive` prints, write `examples/expected` again:

    for f in examples/*.toml; do n=examples/expected/$(basename $f .toml)
    noetherflow derive $f > $n.txt; noetherflow derive $f --json > $n.json; done
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from noetherflow import _cli
from tests.example_cases import CASES
from tests.example_points import (
    BATCH,
    FOLDER,
    NUMBERS,
    SAMPLES,
    Instance,
    columns,
    declared,
    draw,
    flat,
)
from tests.printed import EPS, OPERATIONS, Printed, read


Tensor = torch.Tensor
Law = dict[str, Any]
NAMES = sorted(CASES)
SEEDS = (0, 1, 2)
FINEST = 1e-10  # the error that every comparison must be able to see


def expected(name: str) -> Law:
    """Return the expected object, with rows of the text, and what the file declares.

    The noise in the data is at one place, whatever the level.
    """
    law: Law = json.loads((FOLDER / "expected" / f"{name}.json").read_text("utf-8"))
    shown = (FOLDER / "expected" / f"{name}.txt").read_text("utf-8")
    for key, row in {"lam": "G = 0 at +lam =", "dF/dt": "  dF/dt +"}.items():
        found = re.search(rf"^{row} *(.*)$", shown, re.MULTILINE)
        law[key] = found[1] if found else None
    noise = law.get("explicit_noise") or (law["flow"] or {}).get("explicit_noise")
    law["moments"] = noise["moments"] if isinstance(noise, dict) else {}
    law["explicit_noise"] = noise["expression"] if isinstance(noise, dict) else noise
    table = declared(name)
    law["images"] = table["symmetry"].get("transformation", {})
    law["loss"] = table["loss"]["expression"]
    return law


def agrees(printed: Printed, by_hand: Tensor) -> None:
    """Check two values up to rounding, which must be below what matters."""
    assert printed.error <= FINEST
    found = printed.value.reshape(by_hand.shape)
    assert float((found - by_hand).abs().max()) <= printed.error


def check_declaration(law: Law, at: Instance) -> None:
    """The file declares the loss that is worked out by hand, and ρ leaves it alone."""
    names = at.names() | {"rho": 0.2}
    agrees(read(f"({law['loss']})", names), at.losses(at.theta))
    moved = {n: read(text, names).value for n, text in law["images"].items()}
    theta = {n: moved.get(n, t).reshape(t.shape) for n, t in at.theta.items()}
    agrees(read(f"({law['loss']})", names), at.losses(theta))


def check_generator(law: Law, at: Instance) -> None:
    """J is the gradient of C, and orthogonal to the gradient of each sample."""
    names = at.names()
    for name, J in columns(at.field).items():
        text = law["generator"][name]
        agrees(read(text if text != "0" else f"0*{name}", names), J)
    g, J = flat(at.gradients(at.theta), 1), flat(at.field)
    assert float((g @ J).abs().max()) <= OPERATIONS * EPS * float(g.norm() * J.norm())


def check_charge(law: Law, at: Instance) -> None:
    agrees(read(law["charge"]["expression"], at.names()), at.charge(at.theta))


def check_flow(law: Law, at: Instance) -> None:
    noise = at.noise(at.theta)
    decay = -2 * NUMBERS["gamma"] * flat(at.theta) @ flat(at.field)
    flow, names = law["flow"], at.names()
    agrees(read(flow["noise"], names), noise)
    agrees(read(flow["weight_decay"], names), decay)
    agrees(read(flow["expression"], names), noise + decay)
    assert flow["loss"] == "0"


def check_explicit_noise(law: Law, at: Instance) -> None:
    """The noise in the data, where it has such a form."""
    if law["explicit_noise"] is None:
        return
    text, names = law["explicit_noise"], at.names()
    for moment, product in law["moments"].items():
        names[moment] = read(f"mean({product})", names)
    agrees(read(text, names), at.noise(at.theta))


def stepped(at: Instance, g: Mapping[str, Tensor]) -> Tensor:
    """Return C(θ') after a real step of SGD with decay."""
    eta, gamma = NUMBERS["eta"], NUMBERS["gamma"]
    after = {n: t - eta * (g[n] + 2 * gamma * t) for n, t in at.theta.items()}
    return at.charge(after)


def batches(at: Instance) -> Iterator[dict[str, Tensor]]:
    """Yield the mean gradient of every minibatch, drawn with replacement."""
    g = at.gradients(at.theta)
    for chosen in itertools.product(range(SAMPLES), repeat=BATCH):
        yield {name: value[list(chosen)].mean(0) for name, value in g.items()}


def check_step(law: Law, at: Instance) -> None:
    """C' is exact for every minibatch, and E[C'] is their mean."""
    after = []
    for g in batches(at):
        names = at.names() | {f"g_{n}": v for n, v in columns(g).items()}
        after.append(stepped(at, g))
        agrees(read(law["exact_law"], names), after[-1])
    if law.get("expectation") is not None:
        agrees(read(law["expectation"], at.names()), torch.stack(after).mean())


def drift(at: Instance, lam: float) -> Tensor:
    """Return G(θ_λ): the flow at the point that A really moves θ to."""
    theta = at.moved(lam)
    pull = flat(theta) @ at.hessian(at.charge) @ flat(theta)
    return at.noise(theta) - 2 * NUMBERS["gamma"] * pull


def check_orbit(law: Law, at: Instance) -> None:
    """G follows the gradients, taken anew, and vanishes at λ*."""
    names = at.names()
    if law["equilibrium"] is not None:
        for lam in (0.0, NUMBERS["lam"], -0.2):
            agrees(read(law["equilibrium"], names | {"lam": lam}), drift(at, lam))
    if law["lam"] is not None:
        star = float(read(law["lam"], names).value)
        here = read(law["equilibrium"], names | {"lam": star})
        assert abs(float(here.value)) <= here.error <= FINEST
        assert abs(float(drift(at, star))) <= here.error
        if law.get("characteristic") is not None:
            z = read(law["characteristic"]["z"], {"lam": star})
            root = read(law["characteristic"]["polynomial"], names | {"z": z})
            assert abs(float(root.value)) <= root.error <= FINEST


def curvature(at: Instance, theta: Mapping[str, Tensor]) -> Tensor:
    """Return the mean of Tr∇²ℓ at θ, with the decay's 2nγ."""
    decay = 2 * NUMBERS["gamma"] * len(flat(theta))
    return at.hessian(lambda theta: at.losses(theta).mean(), theta).trace() + decay


def averaged(text: str, names: Mapping[str, Any]) -> Printed:
    """Return the mean over the samples of what is printed for one, or for all."""
    found = read(text, names)
    return Printed(*(f.mean().reshape(1, 1) for f in (found.value, found.size)))


def check_hessian(law: Law, at: Instance) -> None:
    """The trace is right here and on the orbit, and least where it is said to be."""
    names = at.names()
    if law["hessian_trace"] is not None:
        agrees(averaged(law["hessian_trace"], names), curvature(at, at.theta))
    if law.get("hessian_trace_on_orbit") is not None:
        there = curvature(at, at.moved(NUMBERS["lam"]))
        agrees(averaged(law["hessian_trace_on_orbit"], names), there)
    if law.get("least_hessian_trace") is not None:
        star = float(averaged(law["least_hessian_trace"], names).value)
        steps = (star - 0.01, star, star + 0.01)
        left, least, right = (float(curvature(at, at.moved(lam))) for lam in steps)
        assert least < left
        assert least < right


def check_families(law: Law, at: Instance) -> None:
    """Q is twice the derivative of C in B, and Tr[B dQ/dt]/2 the flow."""
    for name, family in law.get("families", {}).items():
        B = at.constants[name]

        def charge(B: Tensor, name: str = name) -> Tensor:
            assert at.case.charge is not None
            return at.case.charge({**at.theta, **at.constants, name: B})

        by_hand = torch.func.grad(charge)(B)
        agrees(read(family["charge"], at.names()), by_hand + by_hand.mT)
        flow = read(f"tr(({family['flow']})*{name})/2", at.names())
        decay = -2 * NUMBERS["gamma"] * flat(at.theta) @ flat(at.field)
        agrees(flow, at.noise(at.theta) + decay)


CHECKS = (
    *(check_declaration, check_generator, check_charge, check_flow),
    *(check_explicit_noise, check_step, check_orbit, check_hessian, check_families),
)


def test_every_example_has_a_case_and_its_output() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.toml")) == NAMES
    shown = {path.name for path in (FOLDER / "expected").iterdir()}
    assert shown == {f"{n}.{suffix}" for n in NAMES for suffix in ("txt", "json")}
    listed = (FOLDER / "README.md").read_text("utf-8")
    assert all(f"[{name}]({name}.toml)" in listed for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("option", "suffix"), [((), "txt"), (("--json",), "json")])
def test_derive_prints_the_expected_output(
    name: str, option: tuple[str, ...], suffix: str
) -> None:
    asked = ["derive", str(FOLDER / f"{name}.toml"), *option]
    done = CliRunner().invoke(_cli.main, asked)
    assert done.exit_code == 0, done.output
    assert done.stdout == (FOLDER / "expected" / f"{name}.{suffix}").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_symmetries_are_proved_and_of_their_kind(name: str) -> None:
    law, case = expected(name), CASES[name]
    assert law["invariance"]["verdict"] == "PROVED"
    assert law["kind"] == case.kind
    assert law["charge"]["exists"] == (case.charge is not None)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", [n for n in NAMES if CASES[n].charge])
def test_laws_hold(
    name: str, check: Callable[[Law, Instance], None], seed: int
) -> None:
    check(expected(name), draw(name, seed))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [n for n in NAMES if CASES[n].charge is None])
def test_symmetries_without_a_charge_have_a_curl(name: str, seed: int) -> None:
    law, at = expected(name), draw(name, seed)
    assert law["flow"] is None
    for check in (check_declaration, check_generator, check_hessian):
        check(law, at)
    field = CASES[name].field
    assert field is not None

    def along(vector: Tensor) -> Tensor:
        return flat(field({**at.named(vector), **at.constants}))

    slope: Tensor = torch.func.jacrev(along)(flat(at.theta))
    assert float((slope - slope.T).abs().max()) > FINEST


FAULTS = {
    ("loss",): check_declaration,
    ("images", "u"): check_declaration,
    ("images", "v1"): check_declaration,
    ("generator", "U"): check_generator,
    ("generator", "u"): check_generator,
    ("charge", "expression"): check_charge,
    ("flow", "noise"): check_flow,
    ("flow", "weight_decay"): check_flow,
    ("flow", "expression"): check_flow,
    ("explicit_noise",): check_explicit_noise,
    ("exact_law",): check_step,
    ("expectation",): check_step,
    ("equilibrium",): check_orbit,
    ("lam",): check_orbit,
    ("hessian_trace",): check_hessian,
    ("hessian_trace_on_orbit",): check_hessian,
    ("families", "B", "charge"): check_families,
    ("families", "B", "flow"): check_families,
}


def printed_parts() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each example with each formula that it has and that is not 0."""
    for name, path in itertools.product(NAMES, FAULTS):
        part: Any = expected(name)
        for key in path:
            part = (part or {}).get(key)
        if part not in (None, "0"):
            yield name, path


@pytest.mark.parametrize(("name", "path"), list(printed_parts()))
def test_checks_see_a_relative_error_of_a_millionth(
    name: str, path: tuple[str, ...]
) -> None:
    law, at = expected(name), draw(name, 0)
    inner: Any = law
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = f"({inner[path[-1]]})*1.000001"
    with pytest.raises(AssertionError):
        FAULTS[path](law, at)


ANGLE = (
    "2*sigma2*(Sigma_u_u*u*v - Sigma_u_v*u**2 + Sigma_u_v*v**2 - Sigma_v_v*u*v)"
    "/(u**2 + v**2)**2"
)


def test_an_integrating_factor_gives_what_every_step_conserves() -> None:
    law = expected("plane_rotation")
    factor = law["integrating_factor"]
    for seed in SEEDS:
        at = draw("plane_rotation", seed)
        names, phase = at.names(), at.charge(at.theta)
        agrees(read(factor["expression"], names), phase)
        slope = torch.func.grad(at.charge)(at.theta)
        for name, J in law["generator"].items():
            agrees(read(f"({factor['factor']})*({J})", names), slope[name])
        assert law["dF/dt"] == "0, since Sigma*J = 0"
        by_hand = read(ANGLE, names)  # sigma2 * Tr[Sigma * Hessian of the angle]
        agrees(by_hand, at.noise(at.theta))
        agrees(by_hand, torch.zeros(()).double())
        for g in batches(at):
            agrees(read("phase", {"phase": phase}), stepped(at, g))


def test_a_translation_is_not_moved_by_noise() -> None:
    law, at = expected("softmax_shift"), draw("softmax_shift", 0)
    kappa = 1 - 2 * NUMBERS["eta"] * NUMBERS["gamma"]
    assert law["flow"]["noise"] == "0"
    for g in batches(at):
        agrees(
            read("kappa*C", {"kappa": kappa, "C": at.charge(at.theta)}) + 0,
            stepped(at, g),
        )


@pytest.mark.parametrize("name", ["scaling", "log_scale"])
def test_noise_only_grows_a_charge_without_a_negative_side(name: str) -> None:
    law = expected(name)
    for seed in SEEDS:
        at = draw(name, seed)
        assert float(at.noise(at.theta)) > 0
        assert float(read(law["flow"]["noise"], at.names()).value) > 0


def test_lora_starts_with_a_negative_charge() -> None:
    at = draw("low_rank", 0)
    names = at.names() | {"U": torch.zeros_like(at.theta["U"])}
    names["B"] = torch.eye(len(at.constants["B"]))
    found = read(expected("low_rank")["charge"]["expression"], names)
    agrees(found, -(at.theta["V"] ** 2).sum() / 2)
