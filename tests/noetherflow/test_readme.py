"""The example of the README runs and prints what the README says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import verify
from noetherflow._derivation_text import derivation_text
from reports import claims_markdown
from symbolic import Verdict, derive, loads


ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("code", "shown"), list(zip(_blocks("python"), _blocks("text"), strict=True))
)
def test_example_prints_what_is_shown(code: str, shown: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stderr, done.stdout) == ("", shown)


def test_claims_named_are_claims_and_the_page_lists_all() -> None:
    named = set(re.findall(r"`((?:p1|p2|own)\.[\w.-]+)`", README))
    page = ROOT / "docs" / "claims.md"

    assert named
    assert named <= set(verify.claim_ids())
    assert page.read_text(encoding="utf-8") == claims_markdown(verify.claims())
    counted = re.search(r"(\d+) claims, (\d+) of them as printed and false", README)
    assert counted is not None
    false = [c for c in verify.claims() if c.expected is Verdict.REFUTED]
    assert [int(n) for n in counted.groups()] == [len(verify.claims()), len(false)]


def test_decisions_and_licence_are_where_the_readme_says() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_declaration_file_is_one() -> None:
    (text,) = _blocks("toml")

    declaration = loads(text)

    assert declaration.name == "matrix factorisation"
    assert declaration.symmetry.preserves(declaration.loss).verdict is Verdict.PROVED
    printed = derivation_text(derive(declaration)).splitlines()
    shown = re.search(r"for every size at once:\n\n((?:    .*\n)+)", README)
    assert shown is not None
    for line in shown[1].splitlines():
        assert line[4:] in printed
