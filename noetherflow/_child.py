"""The child that works on a stranger's file: limits first, then the work.

`_limits` starts it. The request comes as one line of JSON on stdin, which stays open
as long as the parent lives; the answer goes out as JSON on a pipe of its own.
"""

from __future__ import annotations

import errno
import gc
import importlib
import json
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import noetherflow


_OUT_OF_MEMORY = b'{"memory": true}'  # needs no memory to make
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_LAST_FRAMES = 30
_SCARCE = 16 * 2**20  # bytes; the interpreter asks for one megabyte at a time
_GRACE = 5  # seconds the parent has to end the child before the kernel does


def serve(request: Mapping[str, Any]) -> NoReturn:
    """Do what the request asks, write the answer, and end.

    Args:
        request: `answer` (file descriptor), `parent` (process id), `seconds`,
            `processor` (seconds), `space` (bytes), `target` ("module:function"),
            `arguments`.
    """
    os.set_inheritable(request["answer"], False)
    _die_with(request["parent"])
    notes = _limit(request)
    _write(request["answer"], _answer(request, notes))
    os._exit(0)  # the answer is out: tearing sympy down would take 0.1 s


def _die_with(parent: int) -> None:
    """Make sure that this process does not outlive its parent."""
    if not _killed_with_parent():
        import threading

        threading.Thread(target=_end_with_stdin, daemon=True).start()
    if os.getppid() != parent:  # it died before the kernel knew what to do then
        os._exit(1)


def _killed_with_parent() -> bool:
    """Ask the kernel for SIGKILL at the parent's death; tell whether it will."""
    if sys.platform != "linux":
        return False
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    return bool(prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0)


def _end_with_stdin() -> NoReturn:
    """Wait for the end of stdin, that is of the parent, and end."""
    while os.read(0, 4096):
        pass
    os._exit(1)


def _limit(request: Mapping[str, Any]) -> list[str]:
    """Set the limits of the request; return what cannot be limited here, in words."""
    import resource

    # Without the parent, the kernel still ends what never ends: even inside C, where
    # no thread of Python gets its turn.
    signal.alarm(int(request["seconds"]) + 1 + _GRACE)
    _set(resource.RLIMIT_CORE, 0)
    # At the hard limit comes SIGKILL, which does not tell why; before it, SIGXCPU.
    _set(resource.RLIMIT_CPU, request["processor"], request["processor"] + 1)
    limited = _set(resource.RLIMIT_AS, request["space"])
    if limited and sys.platform == "linux":
        return []
    return [f"memory is not limited here: {sys.platform} does not enforce RLIMIT_AS"]


def _set(kind: int, soft: int, hard: int | None = None) -> bool:
    """Set a limit, the hard one as the soft one; tell whether the system took it."""
    import resource

    try:
        resource.setrlimit(kind, (soft, soft if hard is None else hard))
    except (ValueError, OSError):
        return False
    return True


def _answer(request: Mapping[str, Any], notes: list[str]) -> bytes:
    """Return the value of the task, or what became of it, as JSON."""
    try:
        task = _function(request["target"])
        _forbid_files_and_processes()
        value = task(request["arguments"])
        return _encoded({"value": value, "notes": notes})
    except BaseException as error:
        if _is_memory(error):
            return _OUT_OF_MEMORY
        return _encoded({"failed": _described(error)})


def _function(target: str) -> Callable[[Mapping[str, Any]], Any]:
    """Import "module:function"."""
    noetherflow._check_packages()
    module, _, name = target.partition(":")
    gc.disable()  # imports make no garbage: 0.05 s less
    function = getattr(importlib.import_module(module), name)
    gc.freeze()
    gc.enable()
    return function  # type: ignore[no-any-return]


def _forbid_files_and_processes() -> None:
    """Let this process write no file and, unless it is root's, start no process.

    Only after the imports, which write bytecode.
    """
    import resource

    _set(resource.RLIMIT_FSIZE, 0)
    _set(resource.RLIMIT_NPROC, 0)


def _is_memory(error: BaseException) -> bool:
    """Decide whether an exception, or one behind it, is for want of memory."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, MemoryError) or _is_refused(each):
            return True
        pending += [each.__cause__, each.__context__]
    return False


def _is_refused(error: BaseException) -> bool:
    """Decide whether the system, its loader or the interpreter got no memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, SystemError):  # C code that saw no memory, and raised nothing
        return _headroom() < _SCARCE
    said = ("Cannot allocate memory", "failed to map segment")
    return isinstance(error, ImportError) and any(text in str(error) for text in said)


def _headroom() -> float:
    """Return how many bytes below its limit the address space always stayed."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:  # not Linux
        return math.inf
    found = re.search(rb"VmPeak:\s+(\d+) kB", status)
    if found is None or limit == resource.RLIM_INFINITY:
        return math.inf
    return limit - 1024 * int(found[1])


def _described(error: BaseException) -> dict[str, str]:
    """Return the type, the text and the traceback of an exception."""
    import traceback

    lines = traceback.format_exception(error, limit=-_LAST_FRAMES)
    return {
        "type": type(error).__name__,
        "text": str(error),
        "traceback": "".join(lines),
    }


def _encoded(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode("ascii")


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
