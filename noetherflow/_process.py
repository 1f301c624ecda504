"""A child process to talk to: started clean, heard with bounds, never left behind."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO


_KEPT = 8192  # last bytes of the child's stdout and stderr
_CHUNK = 2**16
_BOOT = (
    "import json, sys; request = json.loads(sys.stdin.buffer.readline()); "
    "sys.path[:] = request['path']; "
    "from noetherflow._child import serve; serve(request)"
)


@dataclass(frozen=True, slots=True)
class Words:
    """What a child said before it ended.

    Attributes:
        answer: all of its answer.
        complaints: the last of its stdout and stderr.
        code: its exit code; minus the signal where it died of one.
    """

    answer: bytes
    complaints: bytes
    code: int


class Late(Exception):  # noqa: N818 - `LimitReached` is what the user sees
    """The child was not finished at the deadline."""


class Long(Exception):  # noqa: N818 - as `Late`
    """The child's answer passed the cap."""


def converse(request: Mapping[str, Any], *, deadline: float, cap: int) -> Words:
    """Hand a request to a fresh child, and return what it says until it ends.

    However this ends, KeyboardInterrupt included, the child is dead and reaped after.

    Args:
        request: as `_child.serve` takes it; the paths and ids are added here.
        deadline: on the monotonic clock.
        cap: most bytes of an answer.

    Returns:
        The words, not yet judged.

    Raises:
        Late: when the deadline came first.
        Long: when the answer is longer than the cap.
        OSError: when no child can be started.
    """
    read, write = os.pipe()
    with os.fdopen(read, "rb", 0) as answer, os.fdopen(write, "wb", 0) as its_end:
        line = _line(request, write)
        with _child(its_end) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            pipes = child.stdin.fileno(), answer.fileno(), child.stdout.fileno()
            talk = _Talk(line, *pipes, cap)
            talk.until(deadline)
            try:
                # Its last pipe is closed: a second is plenty, even at the deadline.
                code = child.wait(timeout=1)
            except subprocess.TimeoutExpired:
                raise Late from None
            return Words(bytes(talk.said), bytes(talk.complaints), code)


def _line(request: Mapping[str, Any], answer: int) -> bytes:
    """Return the one line that tells the child what to do."""
    # The path has what PYTHONPATH gave: `-I` leaves that out, and the current folder.
    whole = {**request, "path": sys.path, "parent": os.getpid(), "answer": answer}
    return json.dumps(whole, allow_nan=False).encode("ascii") + b"\n"


@contextmanager
def _child(answer: BinaryIO) -> Iterator[subprocess.Popen[bytes]]:
    """Start an interpreter that waits for its request.

    Args:
        answer: what it is to answer on, closed here once it has it.

    Yields:
        The child, which is killed and reaped at the end.
    """
    no_bytecode = ["-B"] if sys.flags.dont_write_bytecode else []
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", *no_bytecode, "-X", "faulthandler", "-c", _BOOT],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # C libraries say why they give up on either
            pass_fds=(answer.fileno(),),
            start_new_session=True,  # one signal ends it with all it may have started
        )
    finally:
        answer.close()
    try:
        yield child
    finally:
        _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child, if it has not ended, and take what is left of it."""
    if child.returncode is None:  # not reaped: its id cannot be another's by now
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # it is past, or macOS's zombie
            child.kill()
    with child:  # closes the pipes and waits
        pass


class _Talk:
    """The pipes to a child, and what came through them.

    Attributes:
        said: the answer so far.
        complaints: the last of what it said on stdout and stderr.
    """

    def __init__(
        self, request: bytes, stdin: int, answer: int, output: int, cap: int
    ) -> None:
        self.said = bytearray()
        self.complaints = bytearray()
        self._request = memoryview(request)
        self._stdin, self._answer, self._output = stdin, answer, output
        self._cap = cap
        self._closed = False

    def until(self, deadline: float) -> None:
        """Talk until the child closes the pipe of its answer, by ending.

        Args:
            deadline: on the monotonic clock.

        Raises:
            Late: when the deadline came first.
        """
        os.set_blocking(self._stdin, False)
        with selectors.DefaultSelector() as pipes:
            pipes.register(self._stdin, selectors.EVENT_WRITE, self._send)
            pipes.register(self._output, selectors.EVENT_READ, self._hear)
            pipes.register(self._answer, selectors.EVENT_READ, self._listen)
            while not self._closed:
                left = deadline - time.monotonic()
                for key, _ in pipes.select(max(left, 0)):
                    more = key.data()
                    if not more:
                        pipes.unregister(key.fd)
                # What had come by the deadline counts, even where we were asleep.
                if left <= 0 and not self._closed:
                    raise Late

    def _send(self) -> bool:
        """Write what the pipe takes; tell whether more is to be sent."""
        # stdin stays open after: its end tells the child of our own.
        try:
            self._request = self._request[os.write(self._stdin, self._request) :]
        except BrokenPipeError:  # the child is dead, as its answer will show
            return False
        return bool(self._request)

    def _hear(self) -> bool:
        """Keep the last of its output; tell whether more may come."""
        heard = os.read(self._output, _CHUNK)
        self.complaints += heard
        del self.complaints[:-_KEPT]
        return bool(heard)

    def _listen(self) -> bool:
        """Take some of the answer.

        Returns:
            Whether more may come.

        Raises:
            Long: when it passes the cap.
        """
        heard = os.read(self._answer, _CHUNK)
        self.said += heard
        if len(self.said) > self._cap:
            raise Long
        self._closed = not heard
        return bool(heard)
