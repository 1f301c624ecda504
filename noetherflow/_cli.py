"""The command line: `verify`, `derive`, `compile`, `list` and `doctor`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import noetherflow


if TYPE_CHECKING:
    from rich.console import Console

    from symbolic import Declaration
    from verify import Campaign

    Progress = Callable[[str, int, int], None]


_PROFILES = ("quick", "standard", "deep")  # verify.PROFILES is slow to import
_FAILED, _INTERRUPTED = 4, 130
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


class _Refusal(click.ClickException):
    """Something the user can mend: one paragraph and exit code 2."""

    exit_code = 2


class _Failure(click.ClickException):
    """An exception nobody foresaw: one paragraph and exit code 4."""

    exit_code = _FAILED


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
    with _failures(debug):
        what = _declared(claims) or claims
        campaign = _campaign(what, seed, profile, folder, jobs)
        page, document = _write(campaign, folder)
        _print(campaign, page, document if as_json else None)
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
    with _failures(debug):
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
    with _failures(debug):
        asked = {**_text_of(file), "backend": backend}
        made = _work("compile", asked, limit_seconds, limit_megabytes, debug=debug)
        _replace(out, made["source"])
        click.echo(f"wrote {out}", err=True)
        for warning in made["warnings"]:
            click.echo(f"warning: {warning}", err=True)


@main.command("list")
@click.option("--markdown", is_flag=True, help="Print docs/claims.md.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def list_(markdown: bool, debug: bool) -> None:
    """List the claims that `verify` takes, one a line."""
    with _failures(debug):
        noetherflow._check_packages()
        from verify import claim_titles, claims

        if markdown:
            from reports import claims_markdown

            click.echo(claims_markdown(claims()), nl=False)
            return
        for claim, title in claim_titles().items():
            click.echo(f"{claim:22} {title}")


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
    sys.exit(0 if healthy and not complaints else _FAILED)


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
        raise _Refusal(f"{file}: expected at most {_MAX_FILE} bytes, got more")
    try:
        return {"path": file, "text": raw.decode("utf-8")}
    except UnicodeDecodeError as error:
        raise _Refusal(f"{file}: expected UTF-8, got byte {error.start}") from None


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
        _Refusal: for a file that declares nothing.
        _Failure: at a limit, or where the child died.
    """
    from noetherflow._limits import LimitReached, TaskFailed, run_limited

    noetherflow._check_packages()
    try:
        answer = run_limited(task, asked, seconds=seconds, megabytes=megabytes)
    except LimitReached as error:
        raise _Failure(f"{asked['path']}: {error}") from None
    except TaskFailed as error:
        if debug and error.details:
            click.echo(error.details, err=True)
        again = "" if debug else " Run it again with --debug for the traceback."
        raise _Failure(
            f"noetherflow could not finish: {error} This is no verdict.{again}"
        ) from None
    for note in answer.notes:
        click.echo(f"note: {note}", err=True)
    found: dict[str, Any] = answer.value
    if "refused" in found:
        raise _Refusal(found["refused"])
    return found


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        _Refusal: where it cannot be written.
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
        raise _Refusal(
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
        _Refusal: naming every mistake in it.
    """
    noetherflow._check_packages()
    from symbolic import DeclarationError, load

    try:
        return load(path)
    except DeclarationError as error:
        raise _Refusal(str(error)) from None
    except OSError as error:
        raise _Refusal(
            f"expected a declaration file, got {path!r} "
            f"({error.strerror or type(error).__name__})"
        ) from None


@contextmanager
def _failures(debug: bool) -> Iterator[None]:
    """Turn what nobody foresaw into one paragraph and exit code 4.

    Args:
        debug: whether to show the traceback too.

    Yields:
        Nothing.

    Raises:
        ClickException: what the block refused.
        _Failure: in place of anything else it raised.
    """
    try:
        yield
    except click.ClickException:
        raise
    except KeyboardInterrupt:
        click.echo("Interrupted before the end: no verdict, no report.", err=True)
        sys.exit(_INTERRUPTED)
    except Exception as error:
        _show_traceback(debug)
        text = " ".join(str(error).split()).rstrip(".")
        again = "" if debug else " Run it again with --debug for the traceback."
        raise _Failure(
            f"noetherflow could not finish: {type(error).__name__}: {text}. This is no "
            f"verdict on any claim.{again}"
        ) from error


def _show_traceback(debug: bool) -> None:
    if debug:
        import traceback

        click.echo(traceback.format_exc(), err=True)


def _probe(folder: Path) -> None:
    """Make the folder, and refuse it before the long run if it cannot be written."""
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        _refuse_folder(folder, error.strerror or str(error))
    for name in ("report.html", "report.json"):
        if (folder / name).is_dir():
            _refuse_folder(folder, f"{name} there is a folder")


def _refuse_folder(folder: Path, why: str) -> NoReturn:
    """Say that the report cannot go there.

    Raises:
        _Refusal: always.
    """
    raise _Refusal(
        f"expected a folder the report can be written into, got {str(folder)!r} "
        f"({why}). Name another one with --out, or make this one writable."
    )


def _campaign(
    what: tuple[str, ...] | Declaration,
    seed: int,
    profile: str,
    folder: Path,
    jobs: int | None,
) -> Campaign:
    """Run the claims with progress on stderr.

    Args:
        what: ids, none for all; or a declaration.
        seed: the seed.
        profile: the name of the profile.
        folder: where the report will go, tried first.
        jobs: processes; None for as many as there are cores.

    Returns:
        The finished run.

    Raises:
        UsageError: a claim is unknown.
        _Refusal: the theorems do not apply to the declaration.
        _Failure: a process was killed.
    """
    noetherflow._check_packages()
    from symbolic import DeclarationError
    from verify import (
        UnknownClaimError,
        WorkerError,
        claim_ids,
        default_jobs,
        verify as run,
    )

    # A claim mistyped leaves no folder behind.
    if not isinstance(what, tuple) or set(what) <= set(claim_ids()):
        _probe(folder)
    try:
        with _progress() as progress:
            return run(
                what or None,
                seed=seed,
                profile=profile,
                progress=progress,
                jobs=jobs or default_jobs(),
            )
    except UnknownClaimError as error:
        raise click.UsageError(str(error)) from error
    except WorkerError as error:
        raise _Failure(str(error)) from error
    except DeclarationError as error:
        raise _Refusal(str(error)) from error


@contextmanager
def _progress() -> Iterator[Progress]:
    """Yield what shows progress: a bar on a terminal, else a line for each claim.

    Yields:
        A function of the claim's id, how many claims are done, and of how many.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_progress
        return
    with Progress(console=console, transient=True) as bars:
        task = bars.add_task("starting", total=None)

        def show(claim: str, done: int, total: int) -> None:
            bars.update(task, description=claim, completed=done, total=total)

        yield show


def _plain_progress(claim: str, done: int, total: int) -> None:
    click.echo(f"{done}/{total} {claim}", err=True)


def _write(campaign: Campaign, folder: Path) -> tuple[Path, Path]:
    """Write the report.

    Args:
        campaign: the finished run.
        folder: where it goes.

    Returns:
        The paths of the page and of the document.

    Raises:
        _Refusal: the folder became unwritable.
    """
    from reports import ReportError, write

    try:
        return write(campaign, folder)
    except ReportError as error:
        raise _Refusal(str(error)) from error


def _print(campaign: Campaign, page: Path, document: Path | None) -> None:
    """Print the table, or the document where one is given, and where the page is."""
    import os

    from reports import terminal_table

    try:
        if document is None:
            _console().print(terminal_table(campaign))
        else:
            click.echo(document.read_bytes(), nl=False)
        click.echo(f"report: {page}", err=document is not None)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough, and the report is written. Python flushes stdout
        # once more at exit, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console() -> Console:
    """Return a console on stdout, at least as wide as the table needs."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.width >= 80 else Console(highlight=False, width=80)
