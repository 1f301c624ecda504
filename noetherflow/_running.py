"""A campaign from the command line: progress, the report's files, the table."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

import noetherflow
from noetherflow._problems import Failure, Refusal


if TYPE_CHECKING:
    from rich.console import Console

    from symbolic import Declaration
    from verify import Audit, Campaign, MutantRun

    Progress = Callable[[str, int, int], None]

_IDLE = 5  # seconds after which a process without work ends, as in `verify`


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
        Refusal: always.
    """
    raise Refusal(
        f"expected a folder the report can be written into, got {str(folder)!r} "
        f"({why}). Name another one with --out, or make this one writable."
    )


def run_campaign(
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
        Refusal: the theorems do not apply to the declaration.
        Failure: a process was killed.
    """
    noetherflow._check_packages()
    if not what:
        _probe(folder)
        _wake(jobs)
    from symbolic import DeclarationError
    from verify import (
        UnknownClaimError,
        WorkerError,
        claim_ids,
        default_jobs,
        verify as run,
    )

    # A claim mistyped leaves no folder behind.
    if what and (not isinstance(what, tuple) or set(what) <= set(claim_ids())):
        _probe(folder)
    try:
        with progress_shown() as progress:
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
        raise Failure(str(error)) from error
    except DeclarationError as error:
        raise Refusal(str(error)) from error


def _wake(jobs: int | None) -> None:
    """Let the other processes import what the campaign needs while this one does.

    They are those that `verify` will ask for: one for each core, at most 8, by default.
    """
    from loky import cpu_count, get_reusable_executor

    others = (jobs or min(8, cpu_count())) - 1
    if others:
        executor = get_reusable_executor(max_workers=others, timeout=_IDLE)
        for _ in range(others):
            executor.submit(exec, "import verify")


@contextmanager
def progress_shown() -> Iterator[Progress]:
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


def run_audit(campaign: Campaign) -> Audit:
    """Look at the statistics and the strategies, with a line on stderr.

    Meanwhile, with two processes, the page is made once without it: the drawings, which
    take longest, are kept for the page with it.

    Args:
        campaign: the finished run.

    Returns:
        What was found.

    Raises:
        Failure: a process was killed.
    """
    from functools import partial

    from reports import render_html
    from verify import WorkerError, audit

    click.echo("the statistics, checked by themselves", err=True)
    try:
        return audit(
            seed=campaign.seed,
            profile=campaign.profile,
            jobs=campaign.jobs,
            meanwhile=partial(render_html, campaign),
        )
    except WorkerError as error:
        raise Failure(str(error)) from error


def check_sound(audit: Audit | None, page: Path) -> None:
    """Refuse to end well where a statistical tool breaks its promise.

    Raises:
        Failure: where one does.
    """
    if audit is not None and not audit.calibration.sound:
        raise Failure(
            f"a statistical tool breaks its promise (see the end of {page}): no "
            f"verdict SUPPORTED of this run can be relied on"
        )


def run_mutants(what: tuple[str, ...], seed: int, profile: str) -> MutantRun:
    """Alter formulas with progress on stderr.

    Returns:
        Who noticed what.

    Raises:
        UsageError: for a name that is neither a claim's nor a mutant's.
    """
    from verify import UnknownClaimError, mutants

    try:
        with progress_shown() as progress:
            return mutants(what or None, seed=seed, profile=profile, progress=progress)
    except UnknownClaimError as error:
        raise click.UsageError(str(error)) from error


def print_mutants(run: MutantRun, *, every: bool) -> None:
    """Print the table of altered formulas."""
    from reports import mutants_table

    console().print(mutants_table(run, every=every))


def write_report(
    campaign: Campaign, folder: Path, audit: Audit | None
) -> tuple[Path, Path]:
    """Write the report.

    Args:
        campaign: the finished run.
        folder: where it goes.
        audit: what the statistics say of themselves; None for a run of some claims.

    Returns:
        The paths of the page and of the document.

    Raises:
        Refusal: the folder became unwritable.
    """
    from reports import ReportError, write

    try:
        return write(campaign, folder, audit)
    except ReportError as error:
        raise Refusal(str(error)) from error


def print_report(campaign: Campaign, page: Path, document: Path | None) -> None:
    """Print the table, or the document where one is given, and where the page is."""
    from reports import terminal_table

    try:
        if document is None:
            console().print(terminal_table(campaign))
        else:
            click.echo(document.read_bytes(), nl=False)
        click.echo(f"report: {page}", err=document is not None)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough, and the report is written. Python flushes stdout
        # once more at exit, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console() -> Console:
    """Return a console on stdout, at least as wide as the table needs."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.width >= 80 else Console(highlight=False, width=80)
