from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stt_load.cli.clips import command
from stt_load.errors import ConfigError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_LOAD_CACHE", str(tmp_path / "cache"))


def clips(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "160"}).invoke(command, [str(argument) for argument in arguments])


def problems_of(result: Result) -> tuple[str, ...]:
    assert isinstance(result.exception, ConfigError), result.output
    return result.exception.problems


def test_texts_are_spoken_into_a_folder_that_show_lists(tmp_path: Path) -> None:
    texts, out = tmp_path / "texts.txt", tmp_path / "out"
    texts.write_text("Thank you for calling.\n\nPlease hold [the line].\n")
    made = clips("make", "--texts", texts, "--out", out)
    assert made.exit_code == 0, made.output
    assert made.output.startswith("2 clips, ") and str(out) in made.output
    shown = clips("show", out)
    assert shown.exit_code == 0
    assert "text-01" in shown.output and "Thank you for calling." in shown.output
    assert "Please hold [the line]." in shown.output
    assert "22050" in shown.output
    layout, summary = shown.output.splitlines()[-2:]
    assert layout == "read as stt-load, clips.jsonl" and summary.startswith("2 clips, ")


def test_json_texts_keep_their_ids_and_the_voice_is_written_down(tmp_path: Path) -> None:
    texts, out = tmp_path / "texts.json", tmp_path / "out"
    texts.write_text('{"greeting": "Good evening."}')
    assert clips("make", "--from", "espeak", "--voice", "en", "--texts", texts, "--out", out).exit_code == 0
    (row,) = [json.loads(line) for line in (out / "clips.jsonl").read_text().splitlines()]
    assert (row["clip_id"], row["source"]["engine"], row["source"]["voice"]) == ("greeting", "espeak", "en")


def test_the_shipped_standard_texts_are_made_by_name(tmp_path: Path) -> None:
    assert clips("make", "--texts", "standard", "--out", tmp_path / "out").exit_code == 0
    assert "standard-ultra_short" in clips("show", tmp_path / "out").output


def test_show_without_a_folder_renders_and_lists_the_shipped_clips(tmp_path: Path) -> None:
    shown = clips("show", "--with-standard")
    assert shown.exit_code == 0, shown.output
    assert "english-01" in shown.output and "standard-long" in shown.output
    assert (tmp_path / "cache" / "clips").is_dir()


def test_every_wrong_option_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    told = problems_of(clips("make", "--from", "festival", "--texts", tmp_path / "gone.txt", "--out", tmp_path / "out"))
    assert len(told) == 3
    assert "unknown TTS engine 'festival'" in told[0]
    assert "gone.txt: No such file" in told[1]
    assert "is not empty" in told[2]
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"\n \n", "has no texts"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b"[]", "has no texts"),
        ("a.txt", b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_a_texts_file_that_holds_none_is_one_line(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    (problem,) = problems_of(clips("make", "--texts", tmp_path / name, "--out", tmp_path / "out"))
    assert reason in problem and "\n" not in problem


def test_show_of_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (problem,) = problems_of(clips("show", tmp_path / "gone"))
    assert "does not exist" in problem
