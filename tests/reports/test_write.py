"""Both files appear whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import reports
from reports import ReportError, render_html, to_json, write
from tests.reports import fake


SMALL = replace(fake.campaign(), claims=(fake.claim("a", "A"),))


def test_the_public_names() -> None:
    assert set(reports.__all__) == {
        *("ReportError", "render_html", "terminal_table", "to_json", "write"),
        *("claims_markdown", "mutants_outcome", "mutants_table"),
        *("HAS_MATPLOTLIB", "draw"),
    }


def test_two_files_in_a_new_folder(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "0"

    paths = write(SMALL, folder)

    assert paths == (folder / "report.html", folder / "report.json")
    assert sorted(folder.iterdir()) == sorted(paths)
    assert paths[0].read_text("utf-8") == render_html(SMALL)
    assert paths[1].read_text("utf-8") == to_json(SMALL)


def test_an_older_report_is_replaced(tmp_path: Path) -> None:
    write(SMALL, tmp_path)

    _, document = write(replace(SMALL, seed=7), tmp_path)

    assert json.loads(document.read_text("utf-8"))["seed"] == 7
    assert len(list(tmp_path.iterdir())) == 2


def test_a_reader_of_the_old_report_keeps_it_whole(tmp_path: Path) -> None:
    page, _ = write(SMALL, tmp_path)
    before = page.read_bytes()

    with page.open("rb") as reader:
        write(replace(SMALL, subject="another"), tmp_path)
        assert reader.read() == before

    assert page.read_bytes() != before


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, document = write(SMALL, tmp_path)
    before = page.read_bytes(), document.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ReportError, match="No space left on device"):
        write(replace(SMALL, seed=7), tmp_path)

    assert (page.read_bytes(), document.read_bytes()) == before
    assert sorted(tmp_path.iterdir()) == [page, document]


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "out"

    with pytest.raises(ReportError) as caught:
        write(SMALL, folder)

    assert isinstance(caught.value, OSError)
    assert str(folder) in str(caught.value)
    assert "--out" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_lone_surrogate_is_written_escaped(tmp_path: Path) -> None:
    page, document = write(replace(SMALL, subject="\udc80.toml"), tmp_path)

    assert "\\udc80.toml" in page.read_text("utf-8")
    assert json.loads(document.read_text("utf-8"))["subject"] == "\udc80.toml"
