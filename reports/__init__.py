"""Render a finished campaign: one HTML page, one JSON document, one terminal table."""

from __future__ import annotations

from reports._claims_text import claims_markdown
from reports._document import to_json
from reports._drawing import HAS_MATPLOTLIB, draw
from reports._mutants_text import mutants_outcome, mutants_table
from reports._page import render_html
from reports._table import terminal_table
from reports._write import ReportError, write


__all__ = [
    "HAS_MATPLOTLIB",
    "ReportError",
    "claims_markdown",
    "draw",
    "mutants_outcome",
    "mutants_table",
    "render_html",
    "terminal_table",
    "to_json",
    "write",
]
