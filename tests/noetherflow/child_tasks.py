"""Tasks that misbehave, for `test_limits`; nothing of the package leads to them."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


Arguments = Mapping[str, Any]
_HELD: list[int] = []


def echo(arguments: Arguments) -> Any:
    return arguments


def spin(_: Arguments) -> None:
    while True:
        pass


def sleep(arguments: Arguments) -> None:
    _announce(arguments)
    time.sleep(600)


def power(arguments: Arguments) -> None:
    """Stay in C for minutes, where neither handlers nor other threads get a turn."""
    _announce(arguments)
    _ = 3 ** (10**8 + len(arguments))


def backtrack(_: Arguments) -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")


def _announce(arguments: Arguments) -> None:
    """Write our id to a named pipe, and hold it open as long as we live."""
    if "pipe" in arguments:
        _HELD.append(os.open(arguments["pipe"], os.O_WRONLY))
        os.write(_HELD[0], f"{os.getpid()}\n".encode())


def allocate(_: Arguments) -> None:
    kept = []
    while True:
        kept.append(bytearray(2**20))


def hide_memory_error(_: Arguments) -> None:
    try:
        bytearray(2**50)
    except MemoryError:
        raise ValueError("misleading") from None


def refuse_mapping(_: Arguments) -> None:
    raise ImportError("libx.so: failed to map segment from shared object")


def break_down(arguments: Arguments) -> None:
    """Fail as C code does that sees no memory, and raises nothing."""
    kept = []
    try:
        while arguments["filled"]:
            kept.append(bytearray(2**20))
    except MemoryError:
        kept.clear()
    raise SystemError("broken") from None


def give_up_in_c(arguments: Arguments) -> None:
    os.write(2, arguments["words"].encode())
    os.abort()


def recurse(_: Arguments) -> None:
    def deeper(level: int) -> int:
        return deeper(level + 1) + 1

    deeper(0)


def recurse_in_c(_: Arguments) -> None:
    sys.setrecursionlimit(10**9)
    value: Any = 0
    for _level in range(10**6):
        value = (value,)
    repr(value)


def die(arguments: Arguments) -> None:
    number = signal.Signals[arguments["signal"]]
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    time.sleep(600)


def segfault(_: Arguments) -> None:
    ctypes.string_at(0)


def leave(arguments: Arguments) -> None:
    os._exit(arguments["code"])


def exit_politely(_: Arguments) -> None:
    sys.exit("enough")


def fail(arguments: Arguments) -> None:
    raise KeyError(arguments["text"])


def print_garbage(_: Arguments) -> str:
    """Fill stdout and stderr beyond what any pipe holds."""
    sys.stdout.write('{"value": "forged", "notes": []}\n' * 20_000)
    os.write(1, b"\xff\x00")
    sys.stderr.write("noise\n" * 100_000)
    return "kept"


def long_answer(arguments: Arguments) -> str:
    return "x" * int(arguments["length"])


def not_json(_: Arguments) -> Any:
    return {1, 2}


def not_finite(_: Arguments) -> float:
    return float("nan")


def write_file(arguments: Arguments) -> None:
    Path(arguments["path"]).write_text("x", "utf-8")


def start_process(_: Arguments) -> int:
    return subprocess.run([sys.executable, "-c", ""], check=True).returncode


def surroundings(_: Arguments) -> dict[str, Any]:
    kinds = ("AS", "CPU", "CORE", "FSIZE")
    return {
        "limits": {
            k: resource.getrlimit(getattr(resource, f"RLIMIT_{k}")) for k in kinds
        },
        "path": sys.path,
        "isolated": sys.flags.isolated,
        "no_bytecode": sys.flags.dont_write_bytecode,
        "group": os.getpgid(0) == os.getpid(),
        "open": len(list(Path("/dev/fd").iterdir())),
        "folder": str(Path.cwd()),
    }
