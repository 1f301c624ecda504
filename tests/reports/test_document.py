"""`report.json`: its shape, its bytes, and the numbers JSON lacks."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from reports import to_json
from symbolic import Verdict
from tests.reports import fake
from verify import Campaign


GOLDEN = Path(__file__).parent / "golden" / "report.json"


def parsed(campaign: Campaign) -> dict[str, Any]:
    """Return the document, read by a parser that refuses NaN and Infinity."""

    def refuse(name: str) -> float:
        raise AssertionError(f"not JSON: {name}")

    found: dict[str, Any] = json.loads(to_json(campaign), parse_constant=refuse)
    return found


def test_golden() -> None:
    """To renew on purpose: GOLDEN.write_text(to_json(fake.campaign()), "utf-8")."""
    assert to_json(fake.campaign()) == GOLDEN.read_text("utf-8")


def test_keys_of_the_contract() -> None:
    document = parsed(fake.campaign())

    assert document["schema"] == 1
    assert document.keys() >= {"seed", "profile", "claims", "summary", "run"}
    assert document["run"].keys() >= {"environment", "jobs", "seconds"}
    for claim in document["claims"]:
        assert claim.keys() >= {
            *("id", "title", "source", "statement", "form", "amends", "expected"),
            *("verdict", "evidence", "twin", "counterexample", "replay"),
        }
        assert claim["twin"].keys() >= {"kind", "statement", "verdict", "evidence"}
        assert all(item.keys() >= {"route", "verdict"} for item in claim["evidence"])
        if claim["verdict"] == "REFUTED":
            assert list(claim["counterexample"]) == ["values", "left", "right", "exact"]
        else:
            assert claim["counterexample"] is None


def test_only_run_depends_on_the_run() -> None:
    first = fake.campaign()
    again = replace(
        first,
        claims=tuple(replace(claim, seconds=99.5) for claim in first.claims),
        environment={"python": "3.13"},
        jobs=64,
        seconds=3.0,
    )

    one, two = parsed(first), parsed(again)

    assert one.pop("run") != two.pop("run")
    assert json.dumps(one) == json.dumps(two)


def test_environment_order_does_not_matter() -> None:
    first = fake.campaign()
    turned = dict(sorted(first.environment.items(), reverse=True))

    assert to_json(first) == to_json(replace(first, environment=turned))


def test_numbers_json_lacks_are_named() -> None:
    document = parsed(fake.campaign())

    weak = next(c for c in document["claims"] if c["id"] == "p1.prose.phases")
    (item,) = weak["evidence"]
    (series,) = item["figures"][0]["series"]
    assert (item["tolerance"], item["detectable"]) == ("nan", "inf")
    assert series["x"] == [0.0, "inf", 2.0]
    assert series["y"] == ["nan", "-inf", 1.0]


def test_floats_survive_to_the_last_bit() -> None:
    value = math.nextafter(0.1, 1.0)
    item = fake.evidence("route", Verdict.SUPPORTED, tolerance=value)
    campaign = replace(
        fake.campaign(), claims=(fake.claim("a", "A", evidence=(item,)),)
    )

    assert parsed(campaign)["claims"][0]["evidence"][0]["tolerance"] == value


def test_brackets_inside_strings_are_left_alone() -> None:
    text = '[\n  1,\n  2\n] and "[\n 3 \n]"'
    campaign = replace(fake.campaign(), claims=(fake.claim("a", "A", note=text),))

    assert parsed(campaign)["claims"][0]["note"] == text
