"""`noetherflow derive FILE` and `verify FILE.toml`, as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sympy as sp
from click.testing import CliRunner, Result

import noetherflow
from noetherflow import _cli
from verify import _campaign
from verify._claims import CLAIMS


ROOT = Path(noetherflow.__file__).resolve().parent.parent
GOLDEN = Path(__file__).parent / "golden"
FILES = ("cubic", "rotation", "broken")
KEYS = """
    schema name parameters symbols kind generator matrix charge integrating_factor
    invariance flow exact_law equilibrium hessian_trace
"""


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(_cli.main, list(arguments))


def _file(name: str) -> str:
    return str(GOLDEN / f"{name}.toml")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("option", "suffix"), [((), "txt"), (("--latex",), "tex"), (("--json",), "json")]
)
def test_output_is_as_it_was(name: str, option: tuple[str, ...], suffix: str) -> None:
    done = _run("derive", _file(name), *option)
    assert done.exit_code == 0, done.output
    assert done.stdout == (GOLDEN / f"{name}.{suffix}").read_text("utf-8")


@pytest.mark.parametrize("name", FILES)
def test_json_has_the_keys_of_the_contract(name: str) -> None:
    found = json.loads(_run("derive", _file(name), "--json").stdout)
    assert list(found)[: len(KEYS.split())] == KEYS.split()
    assert set(found["invariance"]) == {"verdict", "witness", "condition"}
    if found["flow"] is None:
        assert set(found["charge"]) == {"exists", "witness"}
    else:
        assert set(found["charge"]) == {"exists", "expression"}
        assert set(found["flow"]) == {"expression", "noise", "weight_decay", "loss"}


def test_json_expressions_mean_the_law_worked_out_by_hand() -> None:
    found = json.loads(_run("derive", _file("cubic"), "--json").stdout)
    names = {s: sp.Symbol(s, real=True) for s in found["symbols"]}
    u, v, eta, gamma, sigma2 = (names[s] for s in ["u", "v", "eta", "gamma", "sigma2"])
    g_u, g_v = names["g_u"], names["g_v"]
    noise = sigma2 * (names["Sigma_u_u"] - 2 * names["Sigma_v_v"])
    charge = u**2 / 2 - v**2
    by_hand = {
        found["charge"]["expression"]: charge,
        found["flow"]["noise"]: noise,
        found["flow"]["weight_decay"]: -2 * gamma * (u**2 - 2 * v**2),
        found["flow"]["expression"]: noise - 2 * gamma * (u**2 - 2 * v**2),
        found["exact_law"]: (1 - 2 * eta * gamma) ** 2 * charge
        + eta**2 * (g_u**2 / 2 - g_v**2),
    }
    for text, expected in by_hand.items():
        assert sp.expand(sp.sympify(text, locals=names) - expected) == 0


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("cubic", ""),
        ("rotation", "warning: J has no charge\n"),
        ("broken", "warning: the loss lacks the symmetry: REFUTED at "),
    ],
)
def test_findings_are_warnings_and_exit_0(name: str, warning: str) -> None:
    done = _run("derive", _file(name))
    assert done.exit_code == 0
    assert done.stderr.startswith(warning)
    assert done.stderr.count("warning") == bool(warning)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = 1", "name: missing"),
        ("= 1", "expected TOML"),
        (
            'schema = 1\nname = "t"\n[parameters]\nu = []\n[symmetry]\n'
            "generator = {u = \"__import__('os')\"}\n",
            "symmetry.generator.u, column 1: expected an operator",
        ),
    ],
)
def test_bad_files_are_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, "utf-8")
    for arguments in (["derive", str(path)], ["verify", str(path)]):
        done = _run(*arguments)
        assert done.exit_code == 2
        assert done.stdout == ""
        assert said in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", ["missing.toml", "."])
def test_files_that_cannot_be_read(path: str, tmp_path: Path) -> None:
    done = _run("derive", str(tmp_path / path))
    assert done.exit_code == 2
    assert "expected a declaration file" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["derive"],
        ["derive", _file("cubic"), "--json", "--latex"],
        ["derive", _file("cubic"), _file("cubic")],
        ["verify", _file("cubic"), "p1.eq6"],
    ],
)
def test_wrong_use(arguments: list[str]) -> None:
    assert _run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["derive", _file("cubic")], "torch numpy scipy verify numeric reports rich"),
        (["derive", "--help"], "torch numpy sympy symbolic lark pydantic"),
    ],
)
def test_derive_is_light(arguments: list[str], absent: str) -> None:
    code = (
        "import sys; from noetherflow._cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        f"print('loaded', sorted({set(absent.split())!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("loaded []\n")


def test_verify_takes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [claim for claim in CLAIMS if claim.id == "p1.eq5"]
    assert chosen
    monkeypatch.setattr(_campaign, "CLAIMS", tuple(chosen))
    out = tmp_path / "out"
    done = _run(
        *("verify", _file("cubic"), "--profile", "quick", "--out", str(out), "--json")
    )
    assert done.exit_code == 0, done.output
    document = json.loads((out / "report.json").read_text("utf-8"))
    assert [claim["id"] for claim in document["claims"]] == ["p1.eq5"]
    assert (out / "report.html").is_file()


def test_verify_refuses_a_file_the_theorems_are_not_about(tmp_path: Path) -> None:
    done = _run("verify", _file("rotation"), "--out", str(tmp_path / "out"))
    assert done.exit_code == 2
    assert "no statement applies" in done.stderr
    assert "Traceback" not in done.stderr
