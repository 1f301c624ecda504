"""What the command line refuses, and what it says where it fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


FAILED, _INTERRUPTED = 4, 130


class Refusal(click.ClickException):
    """Something the user can mend: one paragraph and exit code 2."""

    exit_code = 2


class Failure(click.ClickException):
    """An exception nobody foresaw: one paragraph and exit code 4."""

    exit_code = FAILED


@contextmanager
def failures(debug: bool) -> Iterator[None]:
    """Turn what nobody foresaw into one paragraph and exit code 4.

    Args:
        debug: whether to show the traceback too.

    Yields:
        Nothing.

    Raises:
        ClickException: what the block refused.
        Failure: in place of anything else it raised.
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
        raise Failure(
            f"noetherflow could not finish: {type(error).__name__}: {text}. This is no "
            f"verdict on any claim.{again}"
        ) from error


def _show_traceback(debug: bool) -> None:
    if debug:
        import traceback

        click.echo(traceback.format_exc(), err=True)
