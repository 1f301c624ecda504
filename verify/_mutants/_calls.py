"""Which function may call which: whose caches a fault would hide behind.

The graph errs on the side of too many calls: an attribute `x.name` may be any method
of that name, and an operator any operator, of any class that the module knows of.
"""

from __future__ import annotations

import inspect
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from types import CodeType, FunctionType, ModuleType
from typing import Any


PACKAGES = ("symbolic", "numeric", "verify")


@dataclass(frozen=True, slots=True)
class Calls:
    """The functions of the toolkit as loaded now, and who may call them.

    Attributes:
        callers: function → those whose code may call it.
        cached: plain function → the cached functions that wrap it.
    """

    callers: dict[FunctionType, set[FunctionType]]
    cached: dict[FunctionType, list[Any]]

    def reaching(self, targets: tuple[FunctionType, ...]) -> set[FunctionType]:
        """Return the functions that may call one of the targets, themselves included.

        Args:
            targets: plain functions.
        """
        found, waiting = set(targets), list(targets)
        while waiting:
            for caller in self.callers.get(waiting.pop(), ()):
                if caller not in found:
                    found.add(caller)
                    waiting.append(caller)
        return found


def calls() -> Calls:
    """Read the graph off the modules that are loaded."""
    modules = {
        name: module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in PACKAGES and isinstance(module, ModuleType)
    }
    functions, cached = set[FunctionType](), defaultdict[FunctionType, list[Any]](list)
    named: _Named = defaultdict(set)
    for value in (v for m in modules.values() for v in list(vars(m).values())):
        for plain in plain_functions(value):
            functions.add(plain)
            if hasattr(value, "cache_clear") and value not in cached[plain]:
                cached[plain].append(value)
        for name, member in vars(value).items() if inspect.isclass(value) else ():
            for plain in plain_functions(member):
                functions.add(plain)
                named[name].add(plain)
    known = _closures(modules)
    callers: dict[FunctionType, set[FunctionType]] = defaultdict(set)
    for function in functions:
        for callee in _called(function, named, known):
            callers[callee].add(function)
    return Calls(dict(callers), {f: c for f, c in cached.items() if c})


_Named = defaultdict[str, set[FunctionType]]  # name of a method → all of that name
_UNCALLED = {"__init__", "__post_init__", "__repr__", "__str__", "__init_subclass__"}


def _closures(modules: dict[str, ModuleType]) -> dict[str, set[str]]:
    """Return module → the modules whose names it has, and those that they have."""
    direct = {
        name: {_home(v) for v in list(vars(module).values())} & set(modules)
        for name, module in modules.items()
    }
    closures = {}
    for name in modules:
        found, waiting = {name}, [name]
        while waiting:
            new = direct[waiting.pop()] - found
            found |= new
            waiting += new
        closures[name] = found
    return closures


def _home(value: Any) -> str:
    """Return the module that an object of a module comes from."""
    name = getattr(value, "__name__", "") if isinstance(value, ModuleType) else ""
    return str(name or getattr(value, "__module__", ""))


def plain_functions(value: Any, depth: int = 0) -> Iterator[FunctionType]:
    """Yield the functions that a value stands for: wrapped, bound, kept or listed.

    Args:
        value: any object of a module.
        depth: how many containers it lies in.
    """
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if isinstance(value, partial):
        yield from plain_functions(value.func, depth)
        return
    if depth < 2 and isinstance(value, (tuple, list)):
        for item in value:
            yield from plain_functions(item, depth + 1)
        return
    if depth < 2 and isinstance(value, dict):
        yield from plain_functions(tuple(value.values()), depth)
        return
    func: Any = getattr(value, "func", None) if _is_cached_property(value) else value
    while hasattr(func, "__wrapped__"):
        if isinstance(func, FunctionType) and _ours(func):
            yield func
        func = func.__wrapped__
    if isinstance(func, FunctionType) and _ours(func):
        yield func


def _is_cached_property(value: Any) -> bool:
    return type(value).__name__ == "cached_property"


def _ours(function: FunctionType) -> bool:
    return str(function.__module__).partition(".")[0] in PACKAGES


def _called(
    function: FunctionType, named: _Named, known: dict[str, set[str]]
) -> Iterator[FunctionType]:
    """Yield what a function's code may call."""
    defaults = (
        *(function.__defaults__ or ()),
        *(function.__kwdefaults__ or {}).values(),
    )
    cells = [cell.cell_contents for cell in function.__closure__ or () if _full(cell)]
    for value in (*defaults, *cells):
        yield from plain_functions(value)
    near = known.get(function.__module__, {function.__module__})
    names = _names(function.__code__)
    operators = {n for n in named if n.startswith("__")} - _UNCALLED
    for name in names | operators:
        yield from (m for m in named.get(name, ()) if m.__module__ in near)
    for name in names:
        value = function.__globals__.get(name)
        if inspect.isclass(value) and str(value.__module__).startswith(PACKAGES):
            for member in (m for base in value.__mro__ for m in vars(base).values()):
                yield from plain_functions(member)
        elif value is not None:
            yield from plain_functions(value)


def _full(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises
    except ValueError:
        return False
    return True


def _names(code: CodeType) -> set[str]:
    """Return the global and attribute names of a code object and what is inside it."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
    return found
