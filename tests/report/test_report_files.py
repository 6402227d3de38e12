"""Run folders as they are found: whole, torn by a kill, or something else altogether."""

import json
from pathlib import Path

import pytest
from made_run import made_run

from stt_load.errors import ConfigError
from stt_load.report.report_files import WRITERS, read_report, write_report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made_run(ladder=(1, 5), per_stage=8, host=True).write(tmp_path / "run")


def test_every_report_file_is_written_and_can_be_rebuilt_to_the_same_bytes(folder: Path) -> None:
    write_report(folder)
    first = {name: (folder / name).read_bytes() for name in WRITERS}
    write_report(folder)
    assert {name: (folder / name).read_bytes() for name in WRITERS} == first
    assert all(first.values())


def test_nothing_but_the_report_files_is_added_to_the_folder(folder: Path) -> None:
    before = {path.name for path in folder.iterdir()}
    write_report(folder)
    assert {path.name for path in folder.iterdir()} == before | set(WRITERS)


@pytest.mark.parametrize("name", ["utterances.jsonl", "gpu.jsonl", "host.jsonl"])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_a_last_line_cut_at_any_place_is_left_out_and_noted(folder: Path, name: str, kept: float) -> None:
    whole = (folder / name).read_bytes()
    *_, last = whole.splitlines()
    (folder / name).write_bytes(whole[: len(whole) - 1 - len(last) + max(1, int(len(last) * kept))])
    assert f"{name}: the last line is cut off and left out" in read_report(folder).notes


def test_a_line_cut_inside_a_character_is_still_only_a_cut_line(folder: Path) -> None:
    with (folder / "utterances.jsonl").open("ab") as file:
        file.write('{"text": "é'.encode()[:-1])
    assert "utterances.jsonl: the last line is cut off and left out" in read_report(folder).notes


def test_a_broken_line_before_the_end_is_refused_with_its_number(folder: Path) -> None:
    lines = (folder / "utterances.jsonl").read_text().splitlines()
    lines[2] = lines[2][:40]
    (folder / "utterances.jsonl").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=r"utterances\.jsonl, line 3, is not JSON"):
        read_report(folder)


def test_a_line_that_is_no_utterance_is_refused_with_its_number(folder: Path) -> None:
    lines = (folder / "utterances.jsonl").read_text().splitlines()
    lines[1] = '{"text": "hello"}'
    (folder / "utterances.jsonl").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=r"utterances\.jsonl, line 2, is not an utterance: .*run_id"):
        read_report(folder)


def test_blank_lines_and_half_of_an_emoji_are_no_fault(folder: Path) -> None:
    before = read_report(folder)
    with (folder / "utterances.jsonl").open("rb+") as file:
        first, *rest = file.read().splitlines(keepends=True)
        file.seek(0)
        file.write(first.replace(b'"error":null', b'"error":"\\ud83d"') + b"\n  \n" + b"".join(rest) + b"\n\n")
    assert read_report(folder) == before


@pytest.mark.parametrize("at_once", [1, 100, 5_000])
def test_a_file_is_read_alike_in_pieces_of_any_size(
    folder: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_report(folder)
    monkeypatch.setattr("stt_load.report.raw_lines._AT_ONCE_BYTES", at_once)
    assert read_report(folder) == whole
    lines = (folder / "utterances.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "utterances.jsonl").write_bytes(b"".join([*lines[:3], b"{\n", *lines[3:]]))
    with pytest.raises(ConfigError, match=r"utterances\.jsonl, line 4, is not JSON"):
        read_report(folder)
    (folder / "utterances.jsonl").write_bytes(b"".join([*lines, b"{\n", b"\n"]))
    assert "utterances.jsonl: the last line is cut off and left out" in read_report(folder).notes


def test_two_rows_in_a_line_are_no_line(folder: Path) -> None:
    lines = (folder / "utterances.jsonl").read_text().splitlines()
    lines[1] += lines.pop(2)
    (folder / "utterances.jsonl").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=r"utterances\.jsonl, line 2, is not JSON"):
        read_report(folder)


def test_a_cut_line_is_noted_whatever_blanks_follow_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stt_load.report.raw_lines._AT_ONCE_BYTES", 1_000)
    with (folder / "utterances.jsonl").open("ab") as file:
        file.write(b"{\n" + 5_000 * b"\n" + b"\x0c\n")
    assert "utterances.jsonl: the last line is cut off and left out" in read_report(folder).notes


def test_notes_of_cut_lines_stand_in_the_order_of_the_files(folder: Path) -> None:
    for name in ("utterances.jsonl", "gpu.jsonl", "host.jsonl"):
        with (folder / name).open("ab") as file:
            file.write(b"{")
    cut = [note.partition(":")[0] for note in read_report(folder).notes if "last line is cut off" in note]
    assert cut == ["utterances.jsonl", "gpu.jsonl", "host.jsonl"]


def test_a_run_that_names_no_utterance_limit_has_the_usual_one(folder: Path) -> None:
    run = json.loads((folder / "run.json").read_text())
    before = read_report(folder)
    (folder / "run.json").write_text(json.dumps(run | {"utterance_limit_s": None}))
    assert read_report(folder).stages == before.stages


def test_a_run_without_gpu_samples_or_utterances_still_has_a_report(folder: Path) -> None:
    (folder / "gpu.jsonl").unlink()
    (folder / "host.jsonl").unlink()
    (folder / "utterances.jsonl").unlink()
    report = write_report(folder)
    assert [stage.devices for stage in report.stages] == [(), ()]
    assert [str(stage.verdict) for stage in report.stages] == ["empty", "empty"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("run.json", None, "can't be read"),
        ("run.json", "[]", "not a run folder"),
        ("run.json", "{", "is not JSON"),
        ("stages.jsonl", None, "can't be read"),
        ("stages.jsonl", "", "is empty"),
        ("stages.jsonl", '{"stage": 0}\n', "lacks phase"),
        ("stages.jsonl", "7\n", "line 1, is no JSON object"),
    ],
)
def test_a_folder_that_is_no_run_is_refused_in_one_line(
    folder: Path, name: str, content: str | None, says: str
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(ConfigError) as caught:
        write_report(folder)
    (line,) = caught.value.problems
    assert says in line
    assert name in line
    assert "\n" not in line
    assert not (folder / "summary.json").exists()


def test_a_missing_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        read_report(tmp_path / "nowhere")


def test_an_objective_in_run_json_that_cannot_be_read_is_refused_in_one_line(folder: Path) -> None:
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run, "slos": ["fast"]}))
    with pytest.raises(ConfigError, match="fast"):
        read_report(folder)
