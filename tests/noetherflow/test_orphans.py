"""No child outlives its parent, however the parent ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import noetherflow
from noetherflow._limits import LimitReached, run_target


ROOT = Path(noetherflow.__file__).resolve().parent.parent
TASKS = "tests.noetherflow.child_tasks"


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Yield a named pipe, and the descriptor on which the child's words arrive."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield str(path), descriptor
    os.close(descriptor)


def _heard(descriptor: int, seconds: float = 10) -> bytes | None:
    """Return what arrives, b"" at the end of the writer, or None where nothing does."""
    ready, _, _ = select.select([descriptor], [], [], seconds)
    return os.read(descriptor, 4096) if ready else None


def _parent(task: str, pipe: str) -> subprocess.Popen[bytes]:
    code = (
        # A job in the background inherits that SIGINT is ignored.
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from noetherflow._limits import run_target\n"
        f"run_target('{TASKS}:{task}', {{'pipe': {pipe!r}}}, seconds=60)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("task", ["sleep", "power"])
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_the_child_dies_with_its_parent(
    task: str, name: str, pipe: tuple[str, int]
) -> None:
    path, descriptor = pipe
    with _parent(task, path) as parent:
        said = _heard(descriptor)
        assert said
        child = int(said)
        os.kill(child, 0)  # alive
        parent.send_signal(signal.Signals[name])
        assert _heard(descriptor) == b""  # the pipe it held is closed
    if name == "SIGINT":  # the parent could clean up
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_a_child_given_up_is_dead_and_reaped(pipe: tuple[str, int]) -> None:
    path, descriptor = pipe
    with pytest.raises(LimitReached):
        run_target(f"{TASKS}:sleep", {"pipe": path}, seconds=1)
    child = int(_heard(descriptor) or b"")
    assert _heard(descriptor) == b""
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_without_the_kernel_the_end_of_stdin_ends_the_child() -> None:
    code = (
        "import os, time; from noetherflow import _child\n"
        "_child._killed_with_parent = lambda: False\n"
        "_child._die_with(os.getppid())\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.stdin.close()
        assert child.wait(timeout=10) == 1


def test_without_any_parent_the_kernel_ends_the_child_at_the_limit() -> None:
    """Inside C, and with its parent asleep, as it were."""
    code = (
        "from noetherflow import _child; _child._GRACE = 0\n"
        "_child._limit({'seconds': 0, 'processor': 60, 'space': 2**40})\n"
        "3 ** (10**8 + _child._GRACE)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=10,
        check=False,
    )
    assert done.returncode == -signal.SIGALRM


def test_a_child_whose_parent_is_gone_already_does_nothing() -> None:
    code = "from noetherflow import _child; _child._die_with(-1); print('went on')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, b"")
