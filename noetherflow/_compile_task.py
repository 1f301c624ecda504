"""What the child of `_limits` does for `compile`; apart, since numpy takes its time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noetherflow._tasks import law_of, warnings_of
from numeric import CompilationError, module_source


def compile_file(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the source of a module with the formulas of a declaration.

    Args:
        arguments: `path` and `text` as for `derive`, and `backend`.

    Returns:
        `source` and `warnings`; or `refused` alone, with what is wrong.

    >>> compile_file({"path": "missing.toml", "backend": "numpy"})["refused"]
    "expected a declaration file, got 'missing.toml' (No such file or directory)"
    """
    law = law_of(arguments)
    if isinstance(law, str):
        return {"refused": law}
    try:
        source = module_source(law, arguments["backend"])
    except CompilationError as error:
        return {"refused": f"{arguments['path']}: {error}"}
    return {"source": source, "warnings": warnings_of(law)}
