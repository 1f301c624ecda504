"""Work in a child process: each limit is real, named, and leaves nothing behind."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import noetherflow
from noetherflow import _child, _limits, _process, _tasks
from noetherflow._limits import Answer, LimitReached, TaskFailed, run_limited


ROOT = Path(noetherflow.__file__).resolve().parent.parent
GOLDEN = Path(__file__).parent / "golden"
FILES = ("cubic", "rotation", "broken")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces it")


def _run(
    task: str, *, seconds: float = 20, megabytes: int = 1024, **arguments: Any
) -> Answer:
    return _limits.run_target(
        f"tests.noetherflow.child_tasks:{task}",
        arguments,
        seconds=seconds,
        megabytes=megabytes,
    )


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Fail a test that leaves a descriptor or a child, dead or alive."""
    before = _open(), _children()
    yield
    assert (_open(), _children()) == before


def _open() -> list[Path]:
    return sorted(Path("/dev/fd").iterdir())


def _children() -> str:
    done = Path(f"/proc/self/task/{os.getpid()}/children")
    return done.read_text("ascii") if done.exists() else ""


def _python(code: str, *options: str) -> str:
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


# What comes back.


@pytest.mark.parametrize("name", FILES)
def test_derive_gives_what_it_gives_in_this_process(name: str) -> None:
    arguments = {"path": str(GOLDEN / f"{name}.toml")}
    answer = run_limited("derive", arguments)
    assert answer.value == _tasks.derive(arguments)
    assert list(answer.value) == ["json", "text", "latex", "warnings"]
    printed = json.dumps(answer.value["json"], indent=2, ensure_ascii=False)
    assert f"{printed}\n" == (GOLDEN / f"{name}.json").read_text("utf-8")
    assert f"{answer.value['text']}\n" == (GOLDEN / f"{name}.txt").read_text("utf-8")
    assert f"{answer.value['latex']}\n" == (GOLDEN / f"{name}.tex").read_text("utf-8")


@LINUX
def test_all_is_limited_on_linux() -> None:
    assert _run("echo").notes == ()


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("cubic", None),
        ("rotation", "J has no charge"),
        ("broken", "the loss lacks the symmetry: REFUTED at "),
    ],
)
def test_derive_warns_of_findings(name: str, warning: str | None) -> None:
    warnings = _tasks.derive({"path": str(GOLDEN / f"{name}.toml")})["warnings"]
    assert len(warnings) == (warning is not None)
    assert warning is None or warnings[0].startswith(warning)


def test_derive_refuses(tmp_path: Path) -> None:
    bad, pipe = tmp_path / "bad.toml", tmp_path / "pipe"
    bad.write_text("schema = 1", "utf-8")
    os.mkfifo(pipe)
    said = {
        str(bad): "name: missing",
        str(pipe): "a pipe or a device; write it to a file first",
        "/dev/zero": "a pipe or a device",
        str(tmp_path): "Is a directory",
        str(tmp_path / "no.toml"): "No such file or directory",
    }
    for path, text in said.items():
        (key, refusal), *rest = _tasks.derive({"path": path}).items()
        assert (key, rest) == ("refused", [])
        assert text in refusal


def test_refusals_come_through(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("schema = 1", "utf-8")
    assert (
        "name: missing" in run_limited("derive", {"path": str(path)}).value["refused"]
    )


def test_arguments_and_values_keep_their_order_and_their_letters() -> None:
    arguments: dict[str, Any] = {
        "z": "θ → λ*",
        "a": [None, True, 0.5, -(10**30)],
        "\udcff": {},
    }
    value = _run("echo", **arguments).value
    assert value == arguments
    assert list(value) == list(arguments)


def test_a_long_request_and_a_long_answer_pass() -> None:
    """Longer than the buffer of a pipe, both ways."""
    text = "y" * 2_000_000
    assert _run("echo", text=text).value == {"text": text}


def test_what_the_task_prints_is_not_the_answer(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert _run("print_garbage").value == "kept"
    assert capfd.readouterr() == ("", "")


def test_children_of_several_threads_do_not_mix() -> None:
    def answer(number: int) -> Any:
        return _run("echo", number=number).value

    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(answer, range(8)))
    assert values == [{"number": number} for number in range(8)]


# Limits.


@pytest.mark.parametrize("task", ["spin", "sleep", "power", "backtrack"])
def test_time_is_limited_wherever_it_is_spent(task: str) -> None:
    start = time.monotonic()
    with pytest.raises(LimitReached) as caught:
        _run(task, seconds=1)
    assert 1 <= time.monotonic() - start < 3
    assert (caught.value.which, caught.value.limit) == ("time", 1)
    assert str(caught.value) == (
        "expected an end within 1 s, got none: the time limit was reached. Allow more "
        "with --limit-seconds, or declare something smaller. This is no verdict."
    )


def test_time_is_limited_while_the_child_takes_no_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_process, "_BOOT", "import time; time.sleep(600)")
    with pytest.raises(LimitReached, match="expected an end within 1 s"):
        _run("echo", seconds=1, text="y" * 2_000_000)


def test_a_child_that_dies_before_it_takes_its_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_process, "_BOOT", "raise SystemExit('no home')")
    with pytest.raises(TaskFailed, match="ended with code 1") as caught:
        _run("echo", text="y" * 2_000_000)
    assert caught.value.details == "no home\n"


def test_time_may_be_up_before_the_child_has_started() -> None:
    with pytest.raises(LimitReached, match="expected an end within 1e-09 s"):
        _run("echo", seconds=1e-9)


@LINUX
@pytest.mark.parametrize("megabytes", [128, 300])
def test_memory_is_limited(megabytes: int) -> None:
    with pytest.raises(LimitReached) as caught:
        _run("allocate", megabytes=megabytes)
    assert (caught.value.which, caught.value.limit) == ("memory", megabytes)
    assert str(caught.value) == (
        f"expected to need at most {megabytes} MB, got more: the memory limit was "
        "reached. Allow more with --limit-megabytes, or declare something smaller. "
        "This is no verdict."
    )


@LINUX
@pytest.mark.parametrize("megabytes", [24, 40, 48, 64, 80])
def test_memory_too_small_for_the_imports_is_the_memory_limit(megabytes: int) -> None:
    with pytest.raises(LimitReached) as caught:
        run_limited("derive", {"path": str(GOLDEN / "cubic.toml")}, megabytes=megabytes)
    assert (caught.value.which, caught.value.limit) == ("memory", megabytes)


@pytest.mark.parametrize("task", ["hide_memory_error", "refuse_mapping"])
def test_want_of_memory_is_seen_behind_other_errors(task: str) -> None:
    with pytest.raises(LimitReached) as caught:
        _run(task)
    assert (caught.value.which, caught.value.limit) == ("memory", 1024)


@LINUX
def test_errors_of_the_interpreter_count_as_memory_where_it_was_scarce() -> None:
    with pytest.raises(LimitReached, match="at most 200 MB"):
        _run("break_down", megabytes=200, filled=True)
    with pytest.raises(TaskFailed, match="SystemError: broken"):
        _run("break_down", megabytes=200, filled=False)


@pytest.mark.parametrize(
    ("words", "memory"),
    [
        ("GNU MP: Cannot allocate memory (size=8)\n", True),
        ("Flint exception (Unable to allocate memory).\n", True),
        ("memory allocation of 64 bytes failed\n", True),
        ("terminate called after throwing 'std::bad_alloc'\n", True),
        ("Fatal Python error: MemoryError\n", True),
        ("assertion failed\n", False),
        ('  File "/memoryerror/bad_alloc.py", line 1\n', False),
    ],
)
def test_c_code_that_gives_up_says_why(words: str, memory: bool) -> None:
    if memory:
        with pytest.raises(LimitReached, match="expected to need at most 1024 MB"):
            _run("give_up_in_c", words=words)
        return
    with pytest.raises(TaskFailed, match="died of SIGABRT") as caught:
        _run("give_up_in_c", words=words)
    assert words in caught.value.details


def test_length_of_the_answer_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_limits, "MAX_ANSWER", 100_000)
    assert _run("long_answer", length=99_000).value == "x" * 99_000
    with pytest.raises(LimitReached) as caught:
        _run("long_answer", length=100_000)
    assert (caught.value.which, caught.value.limit) == ("answer", 100_000)
    assert "expected an answer of at most 100000 bytes, got more" in str(caught.value)


@LINUX
def test_limits_of_the_system_are_lowered_never_raised() -> None:
    """Under `ulimit -v` and `ulimit -t`, the message names what was granted."""
    code = (
        "import resource\n"
        "from noetherflow._limits import run_target, LimitReached\n"
        "here = 'tests.noetherflow.child_tasks:'\n"
        "resource.setrlimit(resource.RLIMIT_AS, (600 * 2**20, 700 * 2**20))\n"
        "for task in 'allocate', 'spin':\n"
        "    if task == 'spin':  # not before: a cold start may take seconds\n"
        "        resource.setrlimit(resource.RLIMIT_CPU, (2, 2))\n"
        "    try:\n"
        "        run_target(here + task, {}, seconds=20, megabytes=1024)\n"
        "    except LimitReached as error:\n"
        "        print(error.which, error.limit, error)\n"
    )
    memory, processor = _python(code).splitlines()
    assert memory.startswith("memory 600 expected to need at most 600 MB, got more")
    assert "Allow more with `ulimit -v`, which is below the 1024 MB asked" in memory
    assert processor.startswith("time 1 expected to need at most 1 s of processor time")


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 10**6])
def test_seconds_out_of_range(seconds: float) -> None:
    with pytest.raises(ValueError, match="expected a time limit above 0 and up to"):
        _run("echo", seconds=seconds)


@pytest.mark.parametrize("megabytes", [0, -1, 2**50])
def test_megabytes_out_of_range(megabytes: int) -> None:
    with pytest.raises(ValueError, match="expected a memory limit of 1 to"):
        _run("echo", megabytes=megabytes)


def test_only_tasks_of_the_table_run() -> None:
    for task in ("os:getcwd", "noetherflow._tasks:derive", ""):
        with pytest.raises(ValueError, match="expected a task of derive, compile, sc"):
            run_limited(task, {})


# Other ends.


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SIGSEGV", "died of SIGSEGV (Segmentation fault"),
        ("SIGABRT", "died of SIGABRT"),
        ("SIGTERM", "died of SIGTERM"),
        ("SIGKILL", "was killed from outside (SIGKILL). The system does so"),
    ],
)
def test_signals_are_named(name: str, text: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        _run("die", signal=name)
    assert f"expected an answer, but the process at work {text}" in str(caught.value)
    assert caught.value.exception == ""


@pytest.mark.parametrize("name", ["SIGXCPU", "SIGALRM"])
def test_signals_of_the_clocks_are_the_time_limit(name: str) -> None:
    with pytest.raises(LimitReached) as caught:
        _run("die", signal=name, seconds=7)
    assert caught.value.which == "time"
    assert caught.value.limit == (8 if name == "SIGXCPU" else 7)


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="no real-time signals")
def test_a_signal_without_a_name_has_its_number() -> None:
    text = _limits._killed(int(signal.SIGRTMIN) + 1, _limits._granted(1, 1))
    assert f"died of signal {int(signal.SIGRTMIN) + 1}" in text


def test_a_crash_shows_where_it_was() -> None:
    with pytest.raises(TaskFailed, match="died of SIGSEGV") as caught:
        _run("segfault")
    assert "in segfault" in caught.value.details


def test_recursion_too_deep() -> None:
    with pytest.raises(TaskFailed, match="RecursionError: maximum") as caught:
        _run("recurse")
    assert caught.value.exception == "RecursionError"


def test_recursion_too_deep_for_c() -> None:
    with pytest.raises(TaskFailed, match=r"RecursionError|SIGSEGV"):
        _run("recurse_in_c")


@pytest.mark.parametrize(
    ("code", "text"),
    [(0, "expected an answer in JSON, got b''"), (3, "ended with code 3")],
)
def test_an_end_without_an_answer(code: int, text: str) -> None:
    with pytest.raises(TaskFailed, match=text):
        _run("leave", code=code)


def test_exceptions_come_with_their_traceback() -> None:
    with pytest.raises(TaskFailed, match=r"^KeyError: 'θ'$") as caught:
        _run("fail", text="θ")
    assert caught.value.exception == "KeyError"
    assert 'raise KeyError(arguments["text"])' in caught.value.details


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("exit_politely", "SystemExit"),
        ("not_json", "TypeError"),
        ("not_finite", "ValueError"),
        ("missing", "AttributeError"),
    ],
)
def test_what_is_no_answer(task: str, name: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        _run(task)
    assert caught.value.exception == name


def test_a_request_that_is_no_json_starts_nothing() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        _run("echo", value=math.nan)


def test_no_python_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(TaskFailed, match="expected to start Python at '/no/python'"):
        _run("echo")


def test_where_nothing_can_be_limited_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("noetherflow._limits.os.name", "nt")
    answer = _run("echo", value=1)
    assert answer.value == {"value": 1}
    assert answer.notes == (f"neither time nor memory is limited on {sys.platform}",)


def test_a_system_that_does_not_limit_memory_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signal, "alarm", lambda _: None)
    monkeypatch.setattr(_child, "_set", lambda kind, *_: kind != resource.RLIMIT_AS)
    (note,) = _child._limit({"seconds": 1, "processor": 2, "space": 3})
    assert note.startswith("memory is not limited here")


# The surroundings of the task.


def test_the_child_is_shut_in(tmp_path: Path) -> None:
    found = _run("surroundings", seconds=9.5, megabytes=500).value
    assert found["limits"]["CPU"] == [11, 12]
    assert found["limits"]["CORE"] == found["limits"]["FSIZE"] == [0, 0]
    if sys.platform == "linux":
        assert found["limits"]["AS"] == [500 * 2**20] * 2
    assert found["isolated"] == 1
    assert found["group"] is True
    # stdin, stdout, stderr, the answer, and the one that lists them.
    assert found["open"] == 5
    assert found["folder"] == str(Path.cwd())
    path = tmp_path / "file"
    with pytest.raises(TaskFailed, match="File too large"):
        _run("write_file", path=str(path))
    assert not path.exists() or path.read_bytes() == b""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may always start processes")
def test_the_child_starts_no_process() -> None:
    with pytest.raises(TaskFailed, match="BlockingIOError"):
        _run("start_process")


def test_the_path_is_ours_and_the_current_folder_is_not_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sympy.py").write_text("raise SystemExit('from the folder')", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    found = _run("surroundings").value
    assert found["path"] == sys.path
    assert {"", str(tmp_path)}.isdisjoint(found["path"])
    arguments = {"path": str(GOLDEN / "cubic.toml")}
    assert "text" in run_limited("derive", arguments).value


@pytest.mark.parametrize("options", [(), ("-B",)])
def test_bytecode_is_written_where_the_parent_writes_it(options: tuple[str]) -> None:
    code = (
        "from noetherflow._limits import run_target\n"
        "found = run_target('tests.noetherflow.child_tasks:surroundings', {})\n"
        "import sys\n"
        "print(found.value['no_bytecode'] == sys.flags.dont_write_bytecode)"
    )
    assert _python(code, *options) == "True\n"


def test_the_parent_stays_light() -> None:
    code = (
        "import sys; from noetherflow._limits import run_limited\n"
        f"run_limited('derive', {{'path': {str(GOLDEN / 'cubic.toml')!r}}})\n"
        "heavy = {'sympy', 'pydantic', 'lark', 'symbolic', 'flint', 'numpy', 'click'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert _python(code) == "[]\n"


def test_the_usual_limit_is_several_times_what_a_derivation_takes() -> None:
    answer = run_limited(
        "derive", {"path": str(GOLDEN / "cubic.toml")}, megabytes=_limits.MEGABYTES // 4
    )
    assert "text" in answer.value
