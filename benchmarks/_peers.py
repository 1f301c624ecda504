"""Libraries to compare with, where they are installed."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any


class NotInstalledError(RuntimeError):
    """A library to compare with is missing, so its methods are left out."""


def peer(module: str) -> Any:
    """Return a module of another library.

    Args:
        module: its name, with dots.

    Returns:
        The module.

    Raises:
        NotInstalledError: where the library is missing.
    """
    package = module.partition(".")[0]
    if find_spec(package) is None:
        raise NotInstalledError(f"{package} is not installed")
    return importlib.import_module(module)
