"""Put edits in force: other code in the same functions, and no stale cache."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

import sympy as sp
from sympy.core.cache import clear_cache

from verify._mutants._calls import Calls, calls, plain_functions
from verify._mutants._mutant import Edit


class StaleEditError(LookupError):
    """An edit whose text is no longer in the function it names; says which."""


@contextmanager
def in_force(edits: tuple[Edit, ...]) -> Iterator[None]:
    """Alter functions inside the block, for whoever imported them, and undo it.

    Only code objects are exchanged, so that every name a function goes by, partial
    applications and default arguments included, has the altered one. Caches that could
    hold what an altered function returned are emptied on the way in and out.

    Args:
        edits: what to alter. Several edits of one function are made one upon another.

    Raises:
        StaleEditError: where a function or a text is not found.
    """
    sources: dict[FunctionType, str] = {}
    for edit in edits:
        function = target(edit)
        sources[function] = _replaced(edit, sources.get(function, _source(function)))
    altered = {f: _compiled(f, source) for f, source in sources.items()}
    before = {function: function.__code__ for function in altered}
    try:
        for function, code in altered.items():
            function.__code__ = code
        _forget(tuple(altered), edits)
        yield
    finally:
        for function, code in before.items():
            function.__code__ = code
        _forget(tuple(altered), edits)


def target(edit: Edit) -> FunctionType:
    """Return the plain function that an edit is about.

    Args:
        edit: the edit.

    Raises:
        StaleEditError: where there is none of that name.
    """
    module, _, path = edit.where.partition(":")
    try:
        value: Any = importlib.import_module(module)
        for name in path.split("."):
            value = inspect.getattr_static(value, name)
    except (ImportError, AttributeError) as error:
        raise StaleEditError(
            f"expected a function at {edit.where}, got none ({error}): the toolkit "
            "has changed, mend the mutant"
        ) from error
    found = list(plain_functions(value))
    if not found:
        raise StaleEditError(f"expected a function at {edit.where}, got {value!r}")
    return found[-1]


def _source(function: FunctionType) -> str:
    return textwrap.dedent(inspect.getsource(function.__code__))


def _replaced(edit: Edit, source: str) -> str:
    count = source.count(edit.old)
    if count != 1:
        raise StaleEditError(
            f"expected {edit.old!r} once in {edit.where}, got it {count} times: the "
            "function has changed, mend the mutant"
        )
    return source.replace(edit.old, edit.new)


def _compiled(function: FunctionType, source: str) -> CodeType:
    """Return the code of altered source, compiled among the function's own globals.

    Raises:
        StaleEditError: for a function that needs the variables around it.
    """
    tree = ast.parse(source)
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    space: dict[str, Any] = dict(function.__globals__)
    file = f"<mutant of {function.__module__}.{function.__qualname__}>"
    future = function.__code__.co_flags & _FUTURE
    exec(compile(tree, file, "exec", flags=future, dont_inherit=True), space)
    code: CodeType = space[definition.name].__code__
    if code.co_freevars != function.__code__.co_freevars:
        raise StaleEditError(
            f"expected a function without variables of its surroundings, got "
            f"{function.__qualname__}: name the outer function"
        )
    return code


_FUTURE = 0x1000000  # from __future__ import annotations


def call_graph() -> Calls:
    """Return the graph of calls; read once, for modules do not change."""
    return _graph()


@lru_cache(maxsize=1)
def _graph() -> Calls:
    return calls()


def _forget(functions: tuple[FunctionType, ...], edits: tuple[Edit, ...]) -> None:
    """Empty the caches of whatever may call one of the functions."""
    graph = call_graph()
    for function in graph.reaching(functions):
        for cached in graph.cached.get(function, ()):
            cached.cache_clear()
    if any(_is_sympy(edit) for edit in edits):
        clear_cache()  # sympy keeps what the methods of its functions return


def _is_sympy(edit: Edit) -> bool:
    module, _, path = edit.where.partition(":")
    owner = getattr(importlib.import_module(module), path.split(".")[0], None)
    return inspect.isclass(owner) and issubclass(owner, sp.Basic)
