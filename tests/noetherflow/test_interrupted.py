"""A run of all claims that is interrupted, as by Ctrl-C in a terminal."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs process groups")
# A job in the background inherits that SIGINT is ignored.
_RUN = (
    "import signal\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from noetherflow.__main__ import main\n"
    "main()\n"
)


def _group_members(group: int) -> list[int]:
    """Return the processes of a group that are not waiting to be buried."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_every_process_ends_at_once_without_a_traceback(tmp_path: Path) -> None:
    options = ("verify", "--profile=quick", f"--out={tmp_path}", "--jobs=2")
    with subprocess.Popen(
        [sys.executable, "-c", _RUN, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        # With the first claims that another process has checked, all are at work.
        first = [process.stderr.readline() for _ in range(4)]
        assert first[-1].startswith("4/"), first
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Interrupted before the end: no verdict, no report." in err
    assert "Traceback" not in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []
    deadline = time.monotonic() + 10
    while _group_members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _group_members(process.pid) == []
