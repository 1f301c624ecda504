"""The same results whether sympy computes with Python's integers or with FLINT's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest


ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import json, sys
from sympy.external.gmpy import GROUND_TYPES
from symbolic import NoCharge, derive, load
laws = {}
for path in sys.argv[1:]:
    law = derive(load(path))
    laws[path] = [law.to_dict(), law.to_latex()]
print(json.dumps({"types": GROUND_TYPES, "laws": laws}))
"""


def _derived(types: str) -> Any:
    files = sorted(map(str, (ROOT / "examples").glob("*.toml")))
    files += sorted(map(str, (ROOT / "tests/noetherflow/golden").glob("*.toml")))
    assert len(files) > 12
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *files],
        env={**os.environ, "SYMPY_GROUND_TYPES": types, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(find_spec("flint") is None, reason="python-flint is not installed")
def test_every_derivation_is_the_same_text() -> None:
    plain, flint = _derived("python"), _derived("flint")
    assert (plain["types"], flint["types"]) == ("python", "flint")
    assert plain["laws"] == flint["laws"]
