"""Load each hostile text in a process that listens to what Python itself does."""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from numeric import CompilationError, module_source
from symbolic import DeclarationError, derive, load
from symbolic._file import loads


MODULE = "<module of a hostile file>"
WATCHED = ("exec", "compile", "open", "import", "subprocess.", "socket.", "os.", "pty.")


def main(corpus: str, folder: str) -> None:
    """Read a JSON list of texts; print outcome, seconds and events of each."""
    texts: list[str] = json.loads(Path(corpus).read_text("utf-8"))
    warm_up(folder)
    events: list[str] = []
    armed = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if armed and event.startswith(WATCHED):
            shown = arguments[1:] if event == "compile" else arguments
            events.append(f"{event} {str(shown)[:120]}")

    sys.addaudithook(hook)
    results = []
    for text in texts:
        path = Path(folder, "hostile.toml")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        events.clear()
        started = time.perf_counter()
        armed = True
        outcome = attempt(path)
        armed = False
        seconds = time.perf_counter() - started
        results.append([outcome, seconds, [e for e in events if not own(e, path)]])
    events.clear()
    armed = True
    eval("open(path).close()")  # the hook hears what it should
    armed = False
    sys.stdout.write(json.dumps({"results": results, "control": events}))


def own(event: str, path: Path) -> bool:
    opened = event.startswith("open ") and str(path) in event
    made = MODULE in event or "<generated " in event
    ours = event.startswith(("exec ", "compile ")) and made
    return opened or ours or event.startswith(("import ('numpy'", "import ('torch'"))


def attempt(path: Path) -> str:
    try:
        law = derive(load(path))
        law.to_dict()
        law.to_latex()
        compiled(law)
    except DeclarationError as error:
        return f"refused: {error}"
    except BaseException as error:
        return f"broken: {type(error).__name__}: {error}"
    return "derived"


def compiled(law: Any) -> None:
    """Write the module of a law, and import it in the one way that leaves no file."""
    for backend in ("numpy", "torch"):
        try:
            source = module_source(law, backend)
        except CompilationError:
            continue
        scope: dict[str, Any] = {}
        exec(compile(source, MODULE, "exec"), scope)
        assert scope["TITLE"] == law.declaration.name


def warm_up(folder: str) -> None:
    """Import what sympy imports late, on harmless declarations of the same kinds."""
    path = Path(folder, "warm.toml")
    for text in json.loads(Path(folder, "warm.json").read_text("utf-8")):
        path.write_text(text, "utf-8")
        attempt(path)
    for text in ("= 1", "a = 1979-05-27T00:00:00Z", "schema = 1.5"):
        try:
            loads(text)
        except DeclarationError:
            continue


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
