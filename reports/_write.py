"""Write the report's two files, each whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from reports._document import to_json
from reports._page import render_html
from verify import Campaign


if TYPE_CHECKING:
    from verify import Audit


class ReportError(OSError):
    """The report could not be written; the message says where and what to do."""


def write(
    campaign: Campaign, folder: str | Path, audit: Audit | None = None
) -> tuple[Path, Path]:
    """Write `report.html` and `report.json` into a folder, made where it is missing.

    Each file appears whole or not at all: it is written under another name beside its
    place and then moved there.

    Args:
        campaign: the finished run.
        folder: where the two files go; files of these names there are replaced.
        audit: what the statistics and strategies say of themselves, where wanted.

    Returns:
        The paths of the page and of the document.

    Raises:
        ReportError: the folder cannot be made or written.
    """
    folder = Path(folder)
    page, document = folder / "report.html", folder / "report.json"
    texts = {page: render_html(campaign, audit), document: to_json(campaign, audit)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            _replace(path, text)
    except OSError as error:
        raise ReportError(
            f"Expected a folder the report can be written into, got {str(folder)!r} "
            f"({error.strerror or error}). Name another one with --out, or make this "
            "one writable; nothing half-written was left there."
        ) from error
    return page, document


def _replace(path: Path, text: str) -> None:
    """Put the text at the path in one step; UTF-8."""
    # A fresh name for each call: two processes may write into one folder.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        # A lone surrogate (from an undecodable file name) becomes \udcxx, valid JSON.
        with temporary.open("xb") as stream:
            stream.write(text.encode("utf-8", "backslashreplace"))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
