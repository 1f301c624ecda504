"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import noetherflow
import verify
from noetherflow import _cli


ROOT = Path(noetherflow.__file__).resolve().parent.parent
COLOURS = ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "PY_COLORS")
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in COLOURS}


def _run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "noetherflow", *arguments],
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def _refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check for exit 2, a paragraph with these words, and no traceback."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in " ".join(done.stderr.split())


# --------------------------------------------------------------------- starting up


@pytest.mark.parametrize("arguments", [[], ["verify"], ["list"], ["doctor"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from noetherflow._cli import main\n"
        f"main([*{arguments!r}, '--help'], standalone_mode=False)\n"
        "heavy = {'sympy', 'numpy', 'torch', 'rich', 'jinja2', 'verify', 'symbolic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("Usage: ")
    assert done.stdout.endswith("[]\n")


def test_version() -> None:
    assert _run("--version").stdout == f"noetherflow {noetherflow.__version__}\n"


def test_profiles_are_those_of_verify() -> None:
    assert tuple(verify.PROFILES) == _cli._PROFILES


def test_list_prints_every_id() -> None:
    done = _run("list")

    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        *verify.claim_ids()
    ]


# ------------------------------------------------------------------------- refusals


def test_unknown_claim_leaves_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"

    _refused(_run("verify", "p1.eq66", "--out", str(out)), "p1.eq66", "p1.eq6")
    assert not out.exists()


def test_folder_below_a_file(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")

    done = _run("verify", "p1.eq6", "--out", str(blocker / "out"))

    _refused(done, "--out", "file")
    assert "p1.eq6" not in done.stderr  # refused before the claim was started


def test_folder_where_the_page_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()

    _refused(_run("verify", "p1.eq6", "--out", str(tmp_path)), "report.html", "--out")


@pytest.mark.parametrize("seed", ["-1", "x", "1.5", ""])
def test_seed_that_is_no_natural_number(seed: str) -> None:
    _refused(_run("verify", "--seed", seed), "--seed")


def test_unknown_profile_lists_the_known() -> None:
    _refused(_run("verify", "--profile", "fast"), "quick", "standard", "deep")


@pytest.mark.parametrize("command", ["verify", "derive"])
def test_a_declaration_file_that_is_not_there(command: str) -> None:
    _refused(_run(command, "mine.toml"), "mine.toml", "expected a declaration file")


# --------------------------------------------------------------------------- a run


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("campaign") / "new" / "folder"


@pytest.fixture(scope="module")
def run(out: Path) -> subprocess.CompletedProcess[str]:
    return _run("verify", "p1.eq6", "--profile", "quick", "--out", str(out))


def test_run_exits_with_the_code_of_the_campaign(
    run: subprocess.CompletedProcess[str],
) -> None:
    assert run.returncode == 0, run.stderr


def test_run_writes_both_files_and_names_the_page(
    run: subprocess.CompletedProcess[str], out: Path
) -> None:
    assert {path.name for path in out.iterdir()} == {"report.html", "report.json"}
    assert run.stdout.splitlines()[-1] == f"report: {out / 'report.html'}"


def test_run_prints_the_table_without_colour(
    run: subprocess.CompletedProcess[str],
) -> None:
    assert "p1.eq6" in run.stdout
    assert "REFUTED" in run.stdout.upper()
    assert "\x1b" not in run.stdout + run.stderr


def test_progress_goes_to_stderr(run: subprocess.CompletedProcess[str]) -> None:
    assert "1/1 p1.eq6" in run.stderr.splitlines()


def test_json_is_the_document_and_nothing_else(tmp_path: Path) -> None:
    done = _run(
        "verify", "p1.eq6", "--profile", "quick", "--json", "--out", str(tmp_path)
    )

    assert done.stdout == (tmp_path / "report.json").read_text(encoding="utf-8")
    assert [claim["id"] for claim in json.loads(done.stdout)["claims"]] == ["p1.eq6"]


# ------------------------------------------------------------------------ failures


def _invoke(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, *options: str
) -> tuple[int, str]:
    """Run `verify` where verifying raises this; return the exit code and stderr."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(_cli, "run_campaign", fail)
    result = CliRunner().invoke(_cli.main, ["verify", *options])
    return result.exit_code, result.stderr


def test_unforeseen_exception_is_one_paragraph(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = _invoke(monkeypatch, TypeError("two\nlines"))

    assert code == 4
    assert text.count("\n") == 1
    assert "TypeError: two lines" in text
    assert "--debug" in text


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = _invoke(monkeypatch, TypeError("two\nlines"), "--debug")

    assert code == 4
    assert "Traceback (most recent call last)" in text


def test_interruption_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = _invoke(monkeypatch, KeyboardInterrupt())

    assert code == 130
    assert "Traceback" not in text


# -------------------------------------------------------------------------- doctor


def test_doctor_finds_nothing_wrong() -> None:
    done = _run("doctor")

    assert done.returncode == 0, done.stdout
    assert "torch 2." in done.stdout


def test_doctor_says_how_to_get_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cli, "_installed", lambda name: "" if "-" in name else "1.0")
    result = CliRunner().invoke(_cli.main, ["doctor"])

    assert result.exit_code == 0
    assert "math-core not installed" in result.output
    assert "pip install -e '.[report,fast]'" in result.output


def test_doctor_fails_without_a_dependency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cli, "_installed", lambda name: "" if name == "torch" else "1")
    result = CliRunner().invoke(_cli.main, ["doctor"])

    assert result.exit_code == 4
    assert "torch MISSING" in result.output


def test_doctor_names_what_shadows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noetherflow, "_shadowed", lambda: ["somebody else's"])
    result = CliRunner().invoke(_cli.main, ["doctor"])

    assert result.exit_code == 4
    assert "somebody else's" in result.output
