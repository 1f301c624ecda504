"""The example with claims of one's own, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import noetherflow as nf
from noetherflow import _cli


FILE = Path(__file__).parents[1] / "examples" / "claims" / "rescaling.toml"


def test_the_claims_of_the_example_come_out_as_they_say() -> None:
    campaign = nf.verify_claims(FILE, profile="quick")

    own = {claim.id: claim for claim in campaign.claims}
    assert list(own) == [claim.id for claim in nf.load(FILE).claims]
    assert len(own) == 5
    assert campaign.exit_code == 0
    assert all(claim.verdict.holds for claim in own.values())
    assert all(claim.twin.verdict is nf.Verdict.REFUTED for claim in own.values())
    assert own["mine.flow"].verdict is nf.Verdict.PROVED


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('left = "G"', "relation"),
        ('left = "chargee"\nrelation = ">="\nright = 0', "charge"),
        ('left = "charge"\nrelation = "=>"\nright = 0', "=>"),
        ('left = "charge"\nrelation = ">="\nright = "0)"', "got )"),
    ],
)
def test_a_claim_that_says_nothing_is_refused(
    wrong: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.toml"
    head = FILE.read_text(encoding="utf-8").partition("[[claim]]")[0]
    file.write_text(
        f'{head}\n[[claim]]\nid = "mine.wrong"\n{wrong}\n', encoding="utf-8"
    )

    done = CliRunner().invoke(_cli.main, ["verify", str(file), "--out", str(tmp_path)])

    assert done.exit_code == 2, done.output
    assert "claim" in done.output
    assert said in done.output
    assert not (tmp_path / "report.html").exists()
