"""The corpus of hostile files through `compile`: no text of theirs becomes code."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from noetherflow._compile_task import compile_file
from tests.symbolic.hostile.corpus import HARMLESS, HOSTILE


SECONDS = 4.0  # for one text, on a loaded machine
BUILTINS = {
    *("all", "any", "bool", "dict", "enumerate", "float", "getattr", "hasattr", "int"),
    *("isinstance", "len", "list", "map", "max", "min", "next", "range", "repr"),
    *("set", "sorted", "str", "sum", "tuple", "type", "zip", "abs", "complex"),
    *("ValueError", "TypeError", "KeyError", "RuntimeError"),
}


def _compiled(text: str, backend: str, folder: Path) -> dict[str, object]:
    path = folder / "hostile.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    started = time.perf_counter()
    made = compile_file({"path": str(path), "backend": backend})
    assert time.perf_counter() - started <= SECONDS, text[:200]
    return made


def _names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Return the names that are read and not bound anywhere, and the attributes."""
    read, bound, attributes = set[str](), set[str](), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.Attribute):
            attributes.add(node.attr)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ExceptHandler) and node.name:
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {each.asname or each.name for each in node.names}
    return read - bound, attributes


def test_hostile_files_become_no_module(tmp_path: Path) -> None:
    made = [_compiled(text, "numpy", tmp_path) for text in HOSTILE]
    kept = [t[:200] for t, m in zip(HOSTILE, made, strict=True) if "source" in m]
    assert kept == []
    assert all(set(m) == {"refused"} for m in made)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("index", range(len(HARMLESS)))
def test_harmless_files_become_modules_of_known_names(
    index: int, backend: str, tmp_path: Path
) -> None:
    made = _compiled(HARMLESS[index], backend, tmp_path)
    if "exp(exp(u))" in HARMLESS[index]:  # its charge is no function of the backends
        assert "got Ei" in str(made["refused"])
        return
    source = made["source"]
    assert isinstance(source, str)
    tree = ast.parse(source)
    imported = {
        each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for each in node.names
    }
    assert imported <= {backend, "math"}
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    free, attributes = _names(tree)
    assert free <= BUILTINS
    assert not any(name.startswith("_") for name in attributes)
    assert all(line.isprintable() for line in source.splitlines())
    _, at_start, *rest = tree.body  # the docstring, the import, then definitions
    assert isinstance(at_start, ast.Import)
    assert all(isinstance(node, ast.FunctionDef | ast.Assign) for node in rest)
