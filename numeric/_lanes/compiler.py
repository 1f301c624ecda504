"""From LLVM's text to a function that Python calls, where llvmlite is installed."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


try:
    import llvmlite.binding as llvm
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True

POINTER, INTEGER, REAL = "pointer", "integer", "real"  # kinds of arguments
_CTYPES = {
    POINTER: ctypes.c_void_p,
    INTEGER: ctypes.c_int64,
    REAL: ctypes.c_double,
}


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A compiled kernel; calling it releases Python's global lock.

    Attributes:
        name: name of the function.
        kinds: what each argument is: "pointer" (an array), "integer" or "real".
        text: the module in LLVM's language.
        scratch: bytes that its argument "scratch" must have, if there is one.
    """

    name: str
    kinds: tuple[str, ...]
    text: str
    scratch: int
    _function: Any
    _engine: Any  # owns the code: must live as long as the function

    @property
    def assembly(self) -> str:
        """The machine's own code, compiled once more for whoever wants to read it."""
        module, machine = _optimised(self.text)
        return str(machine.emit_assembly(module))

    def __call__(self, *arguments: Any) -> None:
        """Run the kernel.

        Args:
            arguments: a C-contiguous array for each pointer, numbers for the rest.

        Raises:
            TypeError: where number or kinds of the arguments do not fit.
        """
        if len(arguments) != len(self.kinds):
            raise TypeError(
                f"{self.name}: expected {len(self.kinds)} arguments, got "
                f"{len(arguments)}"
            )
        pairs = zip(self.kinds, arguments, strict=True)
        self._function(*(self._passed(kind, value) for kind, value in pairs))

    def raw(self, *arguments: float) -> None:
        """Run the kernel on addresses and numbers, unchecked: for short calls."""
        self._function(*arguments)

    def _passed(self, kind: str, value: Any) -> Any:
        if kind != POINTER:
            return value
        if not isinstance(value, np.ndarray) or not value.flags.c_contiguous:
            raise TypeError(
                f"{self.name}: expected a C-contiguous array, got {type(value)}"
            )
        return value.ctypes.data


def compile_text(
    text: str, name: str, kinds: Sequence[str], scratch: int = 0
) -> Compiled:
    """Compile a module for this machine.

    Args:
        text: the module in LLVM's language.
        name: the function to call; it returns nothing.
        kinds: the kinds of its arguments.
        scratch: bytes that it needs of memory from its caller.

    Returns:
        The function.

    Raises:
        RuntimeError: for text that LLVM refuses: a defect of whoever wrote it.
    """
    module, machine = _optimised(text)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    signature = ctypes.CFUNCTYPE(None, *(_CTYPES[kind] for kind in kinds))
    function = signature(engine.get_function_address(name))
    return Compiled(name, tuple(kinds), text, scratch, function, engine)


def _optimised(text: str) -> tuple[Any, Any]:
    """Return the module after LLVM's passes, and the machine they aimed at."""
    module = llvm.parse_assembly(text)
    module.verify()
    machine = _machine()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return module, machine


def _machine() -> Any:
    """Return a fresh target machine: an engine takes possession of its own."""
    _initialise()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        jit=True,
    )


def host() -> str:
    """Return the name that LLVM has for this machine's processor."""
    return str(llvm.get_host_cpu_name())


@functools.cache
def wide_registers() -> bool:
    """Return whether one register holds a vector of 64 bytes."""
    return AVAILABLE and bool(llvm.get_host_cpu_features().get("avx512f"))


@functools.cache
def _initialise() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
