"""What the child of `_limits` does: each task takes and returns what JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noetherflow._derivation_text import (
    derivation_text,
    invariance_text,
    optimisers_text,
)
from symbolic import (
    DeclarationError,
    Derivation,
    MatrixDerivation,
    NoCharge,
    Verdict,
    derive as derive_law,
    load,
    loads,
)


Law = Derivation | MatrixDerivation


def derive(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the law of a declaration, in every form in which it is printed.

    Args:
        arguments: `path` of the file; with `text`, what was read from it already; with
            `optimisers`, the laws of all optimisers are derived too; with `forms`, only
            those of "json", "text" and "latex" are made.

    Returns:
        `json` (the object of `derive --json`), `text`, `latex` and `warnings`; or
        `refused` alone, with what is wrong with the file.

    >>> derive({"path": "missing.toml"})["refused"]
    "expected a declaration file, got 'missing.toml' (No such file or directory)"
    """
    law = law_of(arguments)
    if isinstance(law, str):
        return {"refused": law}
    forms = {"json": _document, "text": _text, "latex": _latex}
    wanted = arguments.get("forms", list(forms))
    more = bool(arguments.get("optimisers"))
    made: dict[str, Any] = {name: forms[name](law, more) for name in wanted}
    return {**made, "warnings": warnings_of(law)}


def _document(law: Law, more: bool) -> dict[str, Any]:
    return law.to_dict(optimisers=more)


def _text(law: Law, more: bool) -> str:
    text = derivation_text(law)
    return f"{text}\n\n{optimisers_text(law)}" if more else text


def _latex(law: Law, more: bool) -> str:
    del more
    return law.to_latex()


def law_of(arguments: Mapping[str, Any]) -> Law | str:
    """Return the law of a declaration, or why there is none."""
    path: str = arguments["path"]
    try:
        if "text" in arguments:
            return derive_law(loads(arguments["text"]))
        place = Path(path)
        if place.exists() and not (place.is_file() or place.is_dir()):
            # It may have no end, and those of the parent, as /dev/stdin, are not here.
            return _unreadable(path, "a pipe or a device; write it to a file first")
        return derive_law(load(path))
    except DeclarationError as error:
        return str(error) if "text" not in arguments else f"{path}: {error}"
    except OSError as error:
        return _unreadable(path, error.strerror or type(error).__name__)


def _unreadable(path: str, why: str) -> str:
    return f"expected a declaration file, got {path!r} ({why})"


def warnings_of(law: Law) -> list[str]:
    """Return what was found that a user may not expect."""
    found = []
    if law.invariance.verdict is Verdict.REFUTED:
        found.append(f"the loss lacks the symmetry: {invariance_text(law.invariance)}")
    try:
        _ = law.charge
    except NoCharge:
        found.append("J has no charge")
    return found
