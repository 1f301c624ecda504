"""Work on a stranger's file, in a child with limits on its time and memory.

Guarantees. The child ends by the time limit: the parent kills it, and where the parent
is gone the kernel does, on Linux at once, elsewhere within seconds of the limit. On
Linux its address space never passes the memory limit. It writes no file while at work.
Its answer is JSON of bounded size, and what it prints is no part of that. The limit
that was reached is named; C code that crashes for want of memory without a word looks
like any other crash, and the message says that it may be that.

The parent imports nothing but the standard library here, whatever the child needs.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NoReturn

from noetherflow._process import Late, Long, Words, converse


SECONDS = 30.0
MEGABYTES = 1024  # of 2**20 bytes; a small derivation takes about 115
MAX_ANSWER = 64 * 2**20  # bytes of JSON
_MAX_SECONDS, _MAX_MEGABYTES = 7 * 86_400, 2**40
_TASKS: Mapping[str, str] = MappingProxyType(
    {
        "derive": "noetherflow._tasks:derive",
        "compile": "noetherflow._compile_task:compile_file",
        "scaffold": "noetherflow._scaffold:scaffold_file",
    }
)
_NO_MEMORY = re.compile(  # as glibc, GMP, FLINT, Rust, C++ and Python put it
    rb"^(?!  File).*(?:out of memory|(?:cannot|unable to|failed to) allocate"
    rb"|memory allocation of \d+ bytes failed|bad_alloc|MemoryError)",
    re.IGNORECASE | re.MULTILINE,
)


class LimitReached(RuntimeError):  # noqa: N818 - nothing is wrong but the size
    """The work was given up at a limit, which says nothing about the declaration.

    Attributes:
        which: "time", "memory" or "answer".
        limit: its value, in seconds, megabytes or bytes.
    """

    def __init__(
        self, which: Literal["time", "memory", "answer"], limit: float, message: str
    ) -> None:
        super().__init__(f"{message} This is no verdict.")
        self.which = which
        self.limit = limit


class TaskFailed(RuntimeError):  # noqa: N818 - named as `LimitReached`
    """The work ended without an answer, and at no limit.

    Attributes:
        exception: the name of the exception that ended it, "" where it died otherwise.
        details: its traceback, or the last that the child printed.
    """

    def __init__(self, message: str, exception: str = "", details: str = "") -> None:
        super().__init__(message)
        self.exception = exception
        self.details = details


@dataclass(frozen=True, slots=True)
class Answer:
    """What a task returned, and in `notes` what could not be limited here."""

    value: Any
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Limits:
    """What was asked for, and what the system grants of it.

    Attributes:
        seconds: of wall time.
        megabytes: of address space.
        processor: seconds of processor time, as granted.
        space: bytes of address space, as granted.
    """

    seconds: float
    megabytes: int
    processor: int
    space: int

    @property
    def granted(self) -> int:
        """Return the address space granted, in megabytes."""
        return self.space // 2**20


def run_limited(
    task: str,
    arguments: Mapping[str, Any],
    *,
    seconds: float = SECONDS,
    megabytes: int = MEGABYTES,
) -> Answer:
    """Run a task in a child process of its own, within limits.

    Args:
        task: its name, such as "derive".
        arguments: what it takes, as JSON can hold it.
        seconds: wall time in all, the start of Python and its imports included.
        megabytes: address space of the child, in 2**20 bytes.

    Returns:
        What the task returned, as JSON can hold it.

    Raises:
        ValueError: for an unknown task or a limit out of range.
        LimitReached: naming the limit.
        TaskFailed: where the task raised, or the child died.

    >>> run_limited("derive", {"path": "missing.toml"}).value["refused"]
    "expected a declaration file, got 'missing.toml' (No such file or directory)"
    """
    if task not in _TASKS:
        raise ValueError(f"expected a task of {', '.join(_TASKS)}, got {task!r}")
    return run_target(_TASKS[task], arguments, seconds=seconds, megabytes=megabytes)


def run_target(
    target: str,
    arguments: Mapping[str, Any],
    *,
    seconds: float = SECONDS,
    megabytes: int = MEGABYTES,
) -> Answer:
    """Run any function as a task, as tests do; `run_limited` has a table of them.

    Args:
        target: "module:function", never from outside: importing runs code.
        arguments: passed to the function as one dictionary.
        seconds: as for `run_limited`.
        megabytes: as for `run_limited`.

    Returns:
        What the function returned, as JSON can hold it.

    Raises:
        LimitReached: naming the limit.
        TaskFailed: where the function raised, or the child died.
    """
    _check(seconds, megabytes)
    deadline = time.monotonic() + seconds
    if os.name != "posix":
        return _unlimited(target, arguments)
    limits = _granted(seconds, megabytes)
    request = {
        "seconds": seconds,
        "processor": limits.processor,
        "space": limits.space,
        "target": target,
        "arguments": dict(arguments),
    }
    try:
        words = converse(request, deadline=deadline, cap=MAX_ANSWER)
    except Late:
        raise LimitReached("time", seconds, _too_late(limits)) from None
    except Long:
        raise LimitReached(
            "answer",
            MAX_ANSWER,
            f"expected an answer of at most {MAX_ANSWER} bytes, got more: the limit on "
            f"its size was reached. It is fixed: declare something smaller.",
        ) from None
    except OSError as error:
        raise TaskFailed(
            f"expected to start Python at {sys.executable!r}, got: "
            f"{error.strerror or error}"
        ) from error
    return _answer(words, limits)


def _check(seconds: float, megabytes: int) -> None:
    """Refuse limits that are none.

    Raises:
        ValueError: naming the range.
    """
    if not 0 < seconds <= _MAX_SECONDS:
        raise ValueError(
            f"expected a time limit above 0 and up to {_MAX_SECONDS} s, got {seconds}"
        )
    if not 1 <= megabytes <= _MAX_MEGABYTES:
        raise ValueError(
            f"expected a memory limit of 1 to {_MAX_MEGABYTES} MB, got {megabytes}"
        )


def _unlimited(target: str, arguments: Mapping[str, Any]) -> Answer:
    """Run a task in this process, where no limit can be set."""
    module, _, name = target.partition(":")
    value = getattr(importlib.import_module(module), name)(dict(arguments))
    return Answer(value, (f"neither time nor memory is limited on {sys.platform}",))


def _granted(seconds: float, megabytes: int) -> _Limits:
    """Return the limits, no higher than those this process is under itself."""
    import resource

    # A second more than the wall clock, which is to come first; and one less than the
    # hard limit, where SIGKILL would come without a reason.
    processor = _lowered(resource.RLIMIT_CPU, math.ceil(seconds) + 1, room=1)
    space = _lowered(resource.RLIMIT_AS, megabytes * 2**20)
    return _Limits(seconds, megabytes, max(processor, 1), space)


def _lowered(kind: int, value: int, room: int = 0) -> int:
    """Return the value, or what this process is limited to where that is less."""
    import resource

    soft, hard = (
        math.inf if present == resource.RLIM_INFINITY else present
        for present in resource.getrlimit(kind)
    )
    return int(min(value, soft, hard - room))


def _answer(words: Words, limits: _Limits) -> Answer:
    """Return the answer of a child that has ended.

    Args:
        words: what it said.
        limits: those it was under.

    Returns:
        The answer.

    Raises:
        LimitReached: where it ran out of memory.
        TaskFailed: where its task raised, or it gave no answer.
    """
    if words.code != 0:
        _explain(words, limits)
    try:
        said = json.loads(words.answer)
    except (ValueError, RecursionError) as error:
        raise TaskFailed(
            f"expected an answer in JSON, got {words.answer[:60]!r} ({error})",
            details=_text(words),
        ) from None
    if "memory" in said:
        raise LimitReached("memory", limits.granted, _too_large(limits))
    if "failed" in said:
        failed = said["failed"]
        raise TaskFailed(
            f"{failed['type']}: {failed['text']}", failed["type"], failed["traceback"]
        )
    return Answer(said["value"], tuple(said["notes"]))


def _explain(words: Words, limits: _Limits) -> NoReturn:
    """Say what ended a child that did not end well, as far as it can be told.

    Args:
        words: the last it said, and its exit code.
        limits: those it was under.

    Raises:
        LimitReached: where the signal or the words show it.
        TaskFailed: otherwise.
    """
    died_of = -words.code
    if died_of == signal.SIGXCPU:
        raise LimitReached("time", limits.processor, _too_long(limits))
    if died_of == signal.SIGALRM:
        raise LimitReached("time", limits.seconds, _too_late(limits))
    if _NO_MEMORY.search(words.complaints):
        raise LimitReached("memory", limits.granted, _too_large(limits))
    end = _killed(died_of, limits) if died_of > 0 else f"ended with code {words.code}."
    raise TaskFailed(
        f"expected an answer, but the process at work {end}", details=_text(words)
    )


def _text(words: Words) -> str:
    return words.complaints.decode("utf-8", "replace")


def _killed(died_of: int, limits: _Limits) -> str:
    """Return which signal ended a process and what may be done about it, in words."""
    try:
        name = signal.Signals(died_of).name
    except ValueError:  # a real-time signal
        name = f"signal {died_of}"
    if died_of == signal.SIGKILL:
        return (
            f"was killed from outside ({name}). The system does so where its memory "
            f"runs out: close other programs, or lower --limit-megabytes."
        )
    return (
        f"died of {name} ({signal.strsignal(died_of)}). Nesting too deep can do that, "
        f"or the memory limit of {limits.granted} MB (--limit-megabytes), reached "
        f"inside C. Declare something smaller, or report it with the file."
    )


def _too_late(limits: _Limits) -> str:
    return (
        f"expected an end within {limits.seconds:g} s, got none: the time limit was "
        f"reached. Allow more with --limit-seconds, or declare something smaller."
    )


def _too_long(limits: _Limits) -> str:
    return (
        f"expected to need at most {limits.processor} s of processor time, got more: "
        f"the time limit was reached. Allow more with --limit-seconds, and with "
        f"`ulimit -t` where that is lower, or declare something smaller."
    )


def _too_large(limits: _Limits) -> str:
    more = "--limit-megabytes"
    if limits.granted < limits.megabytes:
        more = f"`ulimit -v`, which is below the {limits.megabytes} MB asked for"
    return (
        f"expected to need at most {limits.granted} MB, got more: the memory limit was "
        f"reached. Allow more with {more}, or declare something smaller."
    )
