"""The command line: `verify`, `derive`, `compile`, `list` and `doctor`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import noetherflow
from noetherflow._phase import phase
from noetherflow._problems import FAILED, Failure, Refusal, failures
from noetherflow._running import (
    check_sound,
    print_mutants,
    print_report,
    run_audit,
    run_campaign,
    run_mutants,
    write_report,
)


if TYPE_CHECKING:
    from symbolic import Declaration

    Progress = Callable[[str, int, int], None]


_PROFILES = ("quick", "standard", "deep")  # verify.PROFILES is slow to import
_SECONDS, _MEGABYTES = 30.0, 1024
_MAX_FILE = 64 * 1024
_REQUIRED = (
    *("sympy", "lark", "pydantic"),
    *("numpy", "scipy", "torch", "hypothesis"),
    *("click", "rich", "jinja2"),
)
_OPTIONAL = {
    "matplotlib": "figures in the report",
    "math-core": "typeset formulas in the report",
    "scikit-learn": "training on handwritten digits",
    "python-flint": "certified equilibria",
    "llvmlite": "kernels for equilibria and simulations in batches",
}
_EXIT_CODES = (
    "Exit codes: 0 all as expected; 1 something refuted that should hold, or the "
    "reverse; 2 usage; 3 inconclusive; 4 internal failure, or routes that disagree."
)


def _print_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        click.echo(f"noetherflow {noetherflow.__version__}")
        context.exit()


@click.group(epilog=_EXIT_CODES)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def main() -> None:
    """Derive and verify what SGD noise does along the symmetries of a loss."""


@main.command(epilog=_EXIT_CODES)
@click.argument("claims", metavar="[CLAIM... | FILE.toml]", nargs=-1)
@click.option(
    "--profile",
    type=click.Choice(_PROFILES),
    default="standard",
    show_default=True,
    help="Fixes every sample size.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the report.  [default: reports/out/SEED]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Every random stream is derived from it.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Processes; the results do not depend on it.  [default: cores, at most 8]",
)
@click.option("--json", "as_json", is_flag=True, help="Print report.json, not a table.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def verify(
    claims: tuple[str, ...],
    profile: str,
    out: Path | None,
    seed: int,
    jobs: int | None,
    as_json: bool,
    debug: bool,
) -> None:
    """Check claims, all of them by default, and write report.html and report.json.

    With FILE.toml, every theorem is checked on the symmetry that it declares.
    """
    folder = Path("reports", "out", str(seed)) if out is None else out
    with failures(debug):
        what = _declared(claims) or claims
        campaign = run_campaign(what, seed, profile, folder, jobs)
        audit = None if what else run_audit(campaign)
        page, document = write_report(campaign, folder, audit)
        print_report(campaign, page, document if as_json else None)
        check_sound(audit, page)
    gc.freeze()  # else it is all looked through once more at the end, for a second
    sys.exit(campaign.exit_code)


def _limited(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of work on a stranger's file.

    Returns:
        The command.
    """
    for option in (
        click.option("--debug", is_flag=True, help="Show the traceback of a failure."),
        click.option(
            "--limit-megabytes",
            type=click.IntRange(min=1),
            default=_MEGABYTES,
            show_default=True,
            help="Memory it may use.",
        ),
        click.option(
            "--limit-seconds",
            type=click.FloatRange(min=0, min_open=True),
            default=_SECONDS,
            show_default=True,
            help="Time it may take.",
        ),
    ):
        command = option(command)
    return command


@main.command()
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--latex", "as_latex", is_flag=True, help="Print the steps as LaTeX.")
@click.option(
    "--optimisers", is_flag=True, help="Add momentum, Nesterov, Adam and others."
)
@_limited
def derive(
    file: str,
    as_json: bool,
    as_latex: bool,
    optimisers: bool,
    limit_seconds: float,
    limit_megabytes: int,
    debug: bool,
) -> None:
    """Derive the law of the symmetry that FILE declares (TOML)."""
    if as_json and as_latex:
        raise click.UsageError("expected one of --json and --latex, got both")
    with failures(debug):
        form = "json" if as_json else "latex" if as_latex else "text"
        asked = {**_text_of(file), "forms": [form], "optimisers": optimisers}
        law = _work("derive", asked, limit_seconds, limit_megabytes, debug=debug)
        if as_json:
            import json

            click.echo(json.dumps(law["json"], indent=2, ensure_ascii=False))
        else:
            click.echo(law[form])
        for warning in law["warnings"]:
            click.echo(f"warning: {warning}", err=True)


@main.command("compile")
@click.argument("file", metavar="FILE")
@click.option(
    "--backend",
    type=click.Choice(["numpy", "torch"]),
    required=True,
    help="What the module computes with.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="MODULE.py",
    help="The file it becomes.",
)
@_limited
def compile_(
    file: str,
    backend: str,
    out: Path,
    limit_seconds: float,
    limit_megabytes: int,
    debug: bool,
) -> None:
    """Write the formulas of the symmetry in FILE as a module that stands alone."""
    if out.suffix != ".py" or not out.stem.isidentifier():
        raise click.UsageError(
            f"expected a module to import, such as law.py, got {str(out)!r}"
        )
    with failures(debug):
        asked = {**_text_of(file), "backend": backend}
        made = _work("compile", asked, limit_seconds, limit_megabytes, debug=debug)
        _replace(out, made["source"])
        click.echo(f"wrote {out}", err=True)
        for warning in made["warnings"]:
            click.echo(f"warning: {warning}", err=True)


@main.command()
@click.argument("file", metavar="FILE")
@click.option(
    *("-o", "--out"),
    type=click.Path(path_type=Path),
    metavar="TEST.py",
    help="The file it becomes, instead of standard output.",
)
@_limited
def scaffold(
    file: str,
    out: Path | None,
    limit_seconds: float,
    limit_megabytes: int,
    debug: bool,
) -> None:
    """Write a file of tests of what FILE declares, with a claim to start from."""
    if out is not None and out.suffix != ".py":
        raise click.UsageError(f"expected a file such as test_law.py, got {str(out)!r}")
    with failures(debug):
        asked = {"path": file}
        made = _work("scaffold", asked, limit_seconds, limit_megabytes, debug=debug)
        if out is None:
            click.echo(made["source"], nl=False)
            return
        _replace(out, made["source"])
        click.echo(f"wrote {out}", err=True)


@main.command("list")
@click.option("--markdown", is_flag=True, help="Print docs/claims.md.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def list_(markdown: bool, debug: bool) -> None:
    """List the claims that `verify` takes, one a line."""
    with failures(debug):
        noetherflow._check_packages()
        from verify import claim_titles, claims

        if markdown:
            from reports import claims_markdown

            click.echo(claims_markdown(claims()), nl=False)
            return
        for claim, title in claim_titles().items():
            click.echo(f"{claim:22} {title}")


@main.command()
@click.argument("what", metavar="[CLAIM | MUTANT]...", nargs=-1)
@click.option(
    "--profile", type=click.Choice(_PROFILES), default="quick", show_default=True
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--all", "every", is_flag=True, help="List those that were noticed too.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def mutants(
    what: tuple[str, ...], profile: str, seed: int, every: bool, debug: bool
) -> None:
    """Alter formulas on purpose, and list which the claims' routes notice.

    Exits with 0 where at least 97 % are noticed and the rest is explained.
    """
    with failures(debug):
        noetherflow._check_packages()
        run = run_mutants(what, seed, profile)
        print_mutants(run, every=every)
    sys.exit(run.exit_code)


@main.command()
def doctor() -> None:
    """Show versions, what is missing, and packages that stand in the way."""
    click.echo(f"noetherflow {noetherflow.__version__}")
    click.echo(f"python {sys.version.split()[0]} ({sys.executable})")
    healthy = True
    for name in _REQUIRED:
        version = _installed(name)
        healthy = healthy and bool(version)
        click.echo(f"{name} {version or 'MISSING: install noetherflow again'}")
    for name, use in _OPTIONAL.items():
        missing = (
            f"not installed ({use}): pip install -e '.[report,fast]' in the checkout"
        )
        click.echo(f"{name} {_installed(name) or missing}")
    complaints = noetherflow._shadowed()
    for text in complaints or ["packages: each is noetherflow's own"]:
        click.echo(text)
    sys.exit(0 if healthy and not complaints else FAILED)


def _installed(name: str) -> str:
    """Return the version of an installed distribution, "" where there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _declared(claims: tuple[str, ...]) -> Declaration | None:
    """Return the declaration of a file, or None where only ids are given.

    Args:
        claims: what stands on the command line.

    Returns:
        The declaration.

    Raises:
        UsageError: for a file beside other arguments.
    """
    files = [claim for claim in claims if claim.lower().endswith(".toml")]
    if not files:
        return None
    if len(claims) > 1:
        raise click.UsageError(
            f"expected ids of claims, or one declaration file, got {' '.join(claims)}"
        )
    return _load(files[0])


def _text_of(file: str) -> dict[str, str]:
    """Return what a task takes of a file; a pipe is read here, where it belongs."""
    path = Path(file)
    if path.is_file() or path.is_dir() or not path.exists():
        return {"path": file}
    with path.open("rb") as pipe:
        raw = pipe.read(_MAX_FILE + 1)
    if len(raw) > _MAX_FILE:
        raise Refusal(f"{file}: expected at most {_MAX_FILE} bytes, got more")
    try:
        return {"path": file, "text": raw.decode("utf-8")}
    except UnicodeDecodeError as error:
        raise Refusal(f"{file}: expected UTF-8, got byte {error.start}") from None


def _work(
    task: str,
    asked: dict[str, Any],
    seconds: float,
    megabytes: int,
    *,
    debug: bool,
) -> dict[str, Any]:
    """Return what a task makes of a file, in a child within limits.

    Raises:
        Refusal: for a file that declares nothing.
        Failure: at a limit, or where the child died.
    """
    from noetherflow._limits import LimitReached, TaskFailed, run_limited

    noetherflow._check_packages()
    try:
        answer = run_limited(task, asked, seconds=seconds, megabytes=megabytes)
    except LimitReached as error:
        raise Failure(f"{asked['path']}: {error}") from None
    except TaskFailed as error:
        if debug and error.details:
            click.echo(error.details, err=True)
        again = "" if debug else " Run it again with --debug for the traceback."
        raise Failure(
            f"noetherflow could not finish: {error} This is no verdict.{again}"
        ) from None
    for note in answer.notes:
        click.echo(f"note: {note}", err=True)
    found: dict[str, Any] = answer.value
    if "refused" in found:
        raise Refusal(found["refused"])
    return found


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        Refusal: where it cannot be written.
    """
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, suffix=".py", delete=False
        ) as file:
            file.write(text)
        made = Path(file.name)
        made.chmod(0o666 & ~_umask())
        Path(made).replace(path)
    except OSError as error:
        raise Refusal(
            f"expected a file that can be written, got {str(path)!r} "
            f"({error.strerror or error})"
        ) from None


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask


def _load(path: str) -> Declaration:
    """Return the declaration of a file.

    Raises:
        Refusal: naming every mistake in it.
    """
    noetherflow._check_packages()
    from symbolic import DeclarationError, load

    try:
        return load(path)
    except DeclarationError as error:
        raise Refusal(str(error)) from None
    except OSError as error:
        raise Refusal(
            f"expected a declaration file, got {path!r} "
            f"({error.strerror or type(error).__name__})"
        ) from None


main.add_command(phase)
