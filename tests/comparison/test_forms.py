"""What is printed and written. After a meant change: STT_LOAD_REWRITE_GOLDEN=1 pytest tests/comparison."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from control_sequences import OBEYED, PLANT
from made_results import compared, run_of, tts_json

GOLDEN = Path(__file__).parent / "golden"

Folders = dict[str, Path]


def with_golden(name: str, text: str) -> str:
    """The text, which the golden file of this name must have too."""
    if os.environ.get("STT_LOAD_REWRITE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")
    return text


def test_the_box_of_two_runs_fits_80_columns(folders: Folders, tmp_path: Path) -> None:
    markdown = tmp_path / "comparison.md"
    done = compared(folders["before"], folders["after"], "--markdown", markdown)
    assert done.code == 3
    with_golden("two_runs.txt", done.printed)
    with_golden("two_runs.md", markdown.read_text(encoding="utf-8"))
    assert max(map(len, done.printed.splitlines())) <= 80


def test_three_results_have_a_column_each_and_repeats_are_one_result(folders: Folders) -> None:
    sides = [",".join(str(folders[f"{side}{n}"]) for n in (1, 2, 3)) for side in "ab"]
    done = compared(*sides, folders["after"])
    with_golden("three_results.txt", done.printed)
    assert max(map(len, done.printed.splitlines())) <= 80


def test_result_files_of_tts_are_judged_by_the_targets_that_are_shipped(tmp_path: Path) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(tts_json())
    after.write_text(tts_json(1.3, seed=2, optimization="fp16"))
    done = compared(before, after, "--targets", "chatterbox")
    assert done.code == 3
    with_golden("tts_files.txt", done.printed)
    assert max(map(len, done.printed.splitlines())) <= 80


def test_the_page_fetches_nothing_and_is_made_for_dark_and_narrow_screens(folders: Folders, tmp_path: Path) -> None:
    page = tmp_path / "comparison.html"
    compared(folders["before"], folders["after"], "--html", page)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href|url\()\s*=?\s*[\"']?(?:https?:)?//|<script|<link|@import", text)
    for there in ("prefers-color-scheme: dark", "width=device-width", "REGRESSION", "Target Status: ", "EOS P95"):
        assert there in text


def test_the_data_has_every_figure_with_its_change_and_its_noise(folders: Folders) -> None:
    done = compared(folders["before"], folders["after"], "--json", "-")
    data = json.loads(done.printed)
    assert (data["exit_code"], data["load"]) == (3, "20")
    line = next(line for line in data["lines"] if line["metric"] == "eos_latency:p95" and line["load"] == "20")
    before, after = line["cells"]
    assert after["change"] == pytest.approx(after["value"] - before["value"])
    assert after["change_pct"] == pytest.approx(100 * after["change"] / before["value"])
    assert 0 < after["noise"] < after["change"]
    assert (after["word"], after["is_regression"], after["status"], line["target"]) == ("slower", True, "MISS", "< 1s")
    assert data["results"][1]["targets"] == {"passing": 1, "judged": 3}


def test_what_a_run_says_of_itself_commands_no_terminal_and_no_page(folders: Folders, tmp_path: Path) -> None:
    planted = run_of(f"{PLANT}<script>|*_", 8)
    planted.run["options"] = planted.run["options"] | {"pause": PLANT}
    folder, page, markdown = planted.write(tmp_path / "planted"), tmp_path / "page.html", tmp_path / "page.md"
    done = compared(folders["before"], folder, "--html", page, "--markdown", markdown)
    assert not OBEYED.search(done.printed)
    for file in (page, markdown):
        text = file.read_text(encoding="utf-8")
        assert not OBEYED.search(text)
        assert "<script>" not in text.replace("\\<script", "")
