"""Run folders as they are found: whole, torn by a kill, or something else altogether."""

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from made_run import made_run, made_uploads
from rich.console import Console
from small_disk import no_room_beyond

from stt_load.errors import ConfigError
from stt_load.kinds import UPLOAD
from stt_load.report.console import print_report
from stt_load.report.csv_file import stages_csv
from stt_load.report.html import report_html
from stt_load.report.json_file import summary_json
from stt_load.report.junit_file import junit_xml
from stt_load.report.model import RunReport, Verdict
from stt_load.report.report_files import WRITERS, read_report, write_report, write_what_fits
from stt_load.sealed_lines import SEAL_KEYS, sealed, sealed_file


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
    report = read_report(folder)
    assert any(note.startswith(f"{name}: the last line is cut off and left out") for note in report.notes)
    assert f"{name}: 1 line is missing" in report.notes
    assert report.verdict is Verdict.INVALID


def test_a_run_that_was_killed_may_have_cut_its_last_line(folder: Path) -> None:
    made = made_run(ladder=(1, 5), per_stage=8, host=True)
    made.transitions.pop()
    made.write(folder)
    rewrite(folder, "utterances.jsonl", lambda lines: [*lines, lines[-1][:50]])
    (folder / "utterances.jsonl").write_bytes((folder / "utterances.jsonl").read_bytes()[:-1])
    report = read_report(folder)
    assert any("the last line is cut off and left out: line 17 (it has no checksum)" in note for note in report.notes)
    assert "raw files whole" not in {finding.condition for finding in report.stages[0].broken}


def reported(folder: Path) -> RunReport:
    """The report, which every writer can write. Charts take most of the time of `write_report`."""
    report = read_report(folder)
    report_html(report, ())
    stages_csv(report)
    json.loads(summary_json(report))
    ET.fromstring(junit_xml(report))
    print_report(report, Console(file=io.StringIO()))
    return report


def rewrite(folder: Path, name: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = (folder / name).read_bytes().splitlines()
    (folder / name).write_bytes(b"".join(line + b"\n" for line in change(lines)))


def flipped(line: bytes) -> bytes:
    """The line with another digit in its latency: JSON as good as before."""
    at = line.index(b'"eos_latency_s":0.') + len(b'"eos_latency_s":0.')
    return line[:at] + (b"9" if line[at : at + 1] != b"9" else b"1") + line[at + 1 :]


NOT_UTF8 = b'{"text":"\xff"}'
DAMAGED = "1 damaged line is left out: line 3 (its checksum is wrong)"


@pytest.mark.parametrize(
    ("change", "told", "n"),
    [
        (
            lambda lines: [*lines[:2], lines[2][:40], *lines[3:]],
            "1 damaged line is left out: line 3 (it has no checksum)",
            15,
        ),
        (lambda lines: [*lines[:2], flipped(lines[2]), *lines[3:]], DAMAGED, 15),
        (lambda lines: [*lines[:2], lines[2][:40] + lines[3], *lines[4:]], DAMAGED, 15),
        (lambda lines: [*lines[:2], lines[2] + lines[3], *lines[4:]], DAMAGED, 16),
        (
            lambda lines: [*lines[:2], b"\0" * 300, *lines[2:]],
            "1 damaged line is left out: line 3 (it has no checksum)",
            16,
        ),
        (
            lambda lines: [*lines[:2], NOT_UTF8, *lines[2:]],
            "1 damaged line is left out: line 3 (it has no checksum)",
            16,
        ),
        (lambda lines: [*lines[:2], *lines[3:]], "1 line is missing", 15),
        (lambda lines: lines[:-3], "3 lines are missing", 13),
        (lambda lines: [*lines[:2], *lines[1:]], "1 line is there twice, and counted once: line 3", 16),
        (lambda lines: [*lines, *lines], "16 lines are there twice, and counted once; the first is line 17", 16),
        (
            lambda lines: [*lines, sealed(lines[0].replace(b'"made"', b'"other"'), 16)],
            "1 line of another run is left out: line 17 (its run_id is 'other')",
            16,
        ),
        (
            lambda lines: [
                *lines,
                sealed(lines[0].replace(b'"eos_latency_s":0.', b'"eos_latency_s":1e308,"x":0.'), 16),
            ],
            "1 line is left out that can't be one of this file: line 17 (`eos_latency_s`: expected float <= 1000000.0)",
            16,
        ),
        (
            lambda lines: [*lines, sealed(lines[0].replace(b'"kind":"stream"', b'"kind":"tts"'), 16)],
            "1 line is left out that can't be one of this file: line 17 (its kind is tts, that of the run stream)",
            16,
        ),
    ],
)
def test_damage_is_left_out_and_told_and_makes_the_run_invalid(
    folder: Path, change: Callable[[list[bytes]], list[bytes]], told: str, n: int
) -> None:
    rewrite(folder, "utterances.jsonl", change)
    report = reported(folder)
    assert f"utterances.jsonl: {told}" in report.notes
    assert sum(stage.figures.n for stage in report.stages) == n
    assert report.verdict is Verdict.INVALID
    assert all("raw files whole" in {finding.condition for finding in stage.broken} for stage in report.stages)


@pytest.mark.parametrize("at_once", [1, 100, 5_000])
def test_a_file_is_read_alike_in_pieces_of_any_size(
    folder: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_report(folder)
    monkeypatch.setattr("stt_load.report.raw_lines._AT_ONCE_BYTES", at_once)
    assert read_report(folder) == whole
    rewrite(folder, "utterances.jsonl", lambda lines: [*lines[:3], b"{", *lines[3:5], lines[5] + lines[6], *lines[7:]])
    notes = read_report(folder).notes
    assert "utterances.jsonl: 2 damaged lines are left out; the first is line 4 (it has no checksum)" in notes


def test_blank_lines_are_no_damage(folder: Path) -> None:
    before = read_report(folder)
    rewrite(folder, "utterances.jsonl", lambda lines: [lines[0], b"", b"  ", *lines[1:], b"", b""])
    assert read_report(folder) == before


def test_lines_that_a_copy_ends_with_crlf_are_whole(folder: Path) -> None:
    before = read_report(folder)
    for name in ("utterances.jsonl", "stages.jsonl", "gpu.jsonl"):
        (folder / name).write_bytes((folder / name).read_bytes().replace(b"\n", b"\r\n"))
    assert read_report(folder) == before


def test_a_line_of_a_hundred_megabytes_costs_itself_alone(folder: Path) -> None:
    with (folder / "utterances.jsonl").open("ab") as file:
        file.write(b'{"text":"' + b"x" * 100_000_000 + b'"}\n')
    report = read_report(folder)
    assert any("line 17 (it is longer than 16,777,216 bytes" in note for note in report.notes)
    assert sum(stage.figures.n for stage in report.stages) == 16


# folders of earlier versions, whose lines have no seal -----------------------------------------------------------


@pytest.fixture
def unsealed(folder: Path) -> Path:
    for path in folder.iterdir():
        path.write_bytes(re.sub(rb',"line":\d+,"crc32":"[0-9a-f]{8}"}', b"}", path.read_bytes()))
    run = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps({key: run[key] for key in run if key not in ("lines", "crc32")}))
    return folder


def test_lines_without_seals_are_read_as_before(unsealed: Path) -> None:
    assert read_report(unsealed).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: [*lines[:2], lines[2][:40], *lines[3:]], "1 damaged line is left out: line 3 (no JSON: "),
        (
            lambda lines: [*lines[:2], lines[2] + lines[3], *lines[4:]],
            "1 damaged line is left out: line 3 (no JSON: Ex",
        ),
        (
            lambda lines: [*lines, b'{"text":"\xff"}'],
            "1 damaged line is left out: line 17 (no JSON: byte 10 is no UTF-8",
        ),
        (lambda lines: [*lines, b'{"a":' * 100_000], "1 damaged line is left out: line 17 (no JSON: nested too deep"),
        (
            lambda lines: [*lines, b'{"a":NaN}'],
            "1 damaged line is left out: line 17 (no JSON: NaN is no number of JSON",
        ),
        (
            lambda lines: [*lines, b"7"],
            "1 line is left out that can't be one of this file: line 17 (expected object, got",
        ),
        (lambda lines: [*lines, b'{"text":"hello"}'], "line 17 (object missing required field run_id"),
        (lambda lines: [*lines[:2], *lines[1:]], "1 line is there twice, and counted once: line 3"),
    ],
)
def test_damage_without_seals_is_told_as_far_as_it_can_be_seen(
    unsealed: Path, change: Callable[[list[bytes]], list[bytes]], told: str
) -> None:
    rewrite(unsealed, "utterances.jsonl", change)
    report = reported(unsealed)
    assert any(note.startswith("utterances.jsonl: ") and told in note for note in report.notes), report.notes
    assert report.verdict is Verdict.INVALID


def test_half_of_an_emoji_is_no_damage(unsealed: Path) -> None:
    before = read_report(unsealed)
    rewrite(
        unsealed,
        "utterances.jsonl",
        lambda lines: [lines[0].replace(b'"error":null', b'"error":"\\ud83d"'), *lines[1:]],
    )
    after = read_report(unsealed)
    assert (after.notes, after.verdict) == (before.notes, before.verdict)
    assert [stage.figures for stage in after.stages] == [stage.figures for stage in before.stages]


# run.json ----------------------------------------------------------------------------------------------------------


def test_a_run_that_names_no_utterance_limit_has_the_usual_one(folder: Path) -> None:
    before = read_report(folder)
    made = made_run(ladder=(1, 5), per_stage=8, host=True)
    made.run["utterance_limit_s"] = None
    made.write(folder)
    assert read_report(folder).stages == before.stages


def test_a_run_json_that_was_changed_makes_the_run_invalid(folder: Path) -> None:
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(text.replace("p95<1s", "p95<9s"))
    report = read_report(folder)
    assert "run.json: it is not as the run wrote it" in report.notes
    assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize("text", [None, "", "{", "[]", "\0" * 500, '{"a": NaN}', "[" * 100_000])
def test_without_run_json_its_copy_in_the_report_is_used(folder: Path, text: str | None) -> None:
    before = write_report(folder)
    (folder / "run.json").unlink()
    if text is not None:
        (folder / "run.json").write_text(text)
    report = write_report(folder)
    assert any(
        note.startswith("run.json: it can't be read: ") and note.endswith("; its copy in summary.json is used")
        for note in report.notes
    )
    assert report.run == before.run
    assert [stage.figures for stage in report.stages] == [stage.figures for stage in before.stages]
    assert report.verdict is Verdict.INVALID


def test_without_run_json_and_a_report_what_was_measured_is_still_told(tmp_path: Path) -> None:
    folder = made_uploads(ladder=(1, 4), per_stage=8).write(tmp_path / "run")
    before = read_report(folder)
    (folder / "run.json").unlink()
    report = write_report(folder)
    assert any(note.endswith("what was run and its objectives are unknown") for note in report.notes)
    assert report.kind is UPLOAD
    assert [stage.figures for stage in report.stages] == [stage.figures for stage in before.stages]
    assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("slos", "fast", "`slos`: expected array, got str"),
        ("slos", ["error_rate<1%", 5], "`slos[1]`: expected str, got int"),
        ("slos", ["fast"], "`slos`: "),
        ("kind", "video", "`kind`: "),
        ("notes", True, "`notes`: expected array, got bool"),
        ("started_at", -1e308, "`started_at`: expected float >= -1000000.0"),
        ("sidecars", [{"sources": ["x"]}], "`sidecars[0].sources[0]`: expected object, got str"),
        ("sidecars", [{"sources": [{"gaps": [{"began": None}]}]}], "`sidecars[0].sources[0].gaps[0].began`: "),
        ("gpu", 7, "`gpu`: expected array"),
        ("frame", {"note": []}, "`frame.note`: "),
        ("utterance_limit_s", "NaN", "`utterance_limit_s`: expected float"),
        ("lines", {"gpu.jsonl": -1}, "`lines[...]`: expected int >= 0"),
    ],
)
def test_what_can_not_be_in_run_json_is_left_out_and_told_with_its_key(
    tmp_path: Path, key: str, value: object, told: str
) -> None:
    made = made_run(ladder=(1, 5), per_stage=8)
    folder = made.write(tmp_path / "run")
    run = json.loads((folder / "run.json").read_bytes()) | {key: value}
    run.pop("crc32")
    (folder / "run.json").write_bytes(sealed_file(json.dumps(run, indent=2).encode()))
    report = reported(folder)
    assert any(note.startswith(f"run.json: 1 value is left out that can't be right: {told}") for note in report.notes)
    assert report.verdict is Verdict.INVALID


# stages.jsonl and samples ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("stage", value) for value in ("x", [1], None, -1, 10**30)),
        *(("t", value) for value in ({}, "", 1e308, -1e308)),
        *((key, []) for key in ("users", "workers", "reached", "begun", "ended", "mono", "reason", "aborted")),
        *((key, "x") for key in ("generator_cpu_pct", "stolen_cpu_pct", "delivery", "run_id")),
        ("delivery", {"rows": "x"}),
        ("delivery", {"totals": "12"}),
        ("delivery", {"totals": {"one": -5}}),
        ("phase", "held"),
    ],
)
def test_a_transition_that_can_not_be_is_left_out_and_told_with_its_key(folder: Path, key: str, value: object) -> None:
    for at in (0, 1, 3, -1):
        made = made_run(ladder=(1, 5), per_stage=8, hold_s=3.0)
        made.transitions[at][key] = value
        report = reported(made.write(folder))
        (note,) = [note for note in report.notes if note.startswith("stages.jsonl: ")]
        assert f"line {at % 9 + 1} (" in note
        assert key in note
        assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize("value", ["x", [], {"a": 1}, True, -1, 1e308, 10**30])
def test_a_figure_of_a_sample_that_can_not_be_is_left_out_and_told(folder: Path, value: object) -> None:
    made = made_run(ladder=(1, 5), per_stage=8)
    made.gpu[7]["sm_pct"] = value
    report = reported(made.write(folder))
    assert any(
        "gpu.jsonl: 1 value is left out that can't be right: line 8 (`sm_pct` is" in note for note in report.notes
    )
    assert report.verdict is Verdict.INVALID


def test_the_seal_of_a_sample_is_no_figure(folder: Path) -> None:
    summary = json.loads(summary_json(read_report(folder)))
    devices = [device for stage in summary["stages"] for device in stage["devices"]]
    assert [device["kind"] for device in devices] == ["gpu", "process", "host"] * 2
    assert not [device for device in devices if not SEAL_KEYS.isdisjoint(device["fields"])]


def test_samples_that_are_missing_altogether_are_told(folder: Path) -> None:
    n = len((folder / "gpu.jsonl").read_bytes().splitlines())
    (folder / "gpu.jsonl").unlink()
    assert f"gpu.jsonl: {n} lines are missing" in read_report(folder).notes


def test_a_run_without_gpu_samples_or_utterances_still_has_a_report(folder: Path) -> None:
    (folder / "gpu.jsonl").unlink()
    (folder / "host.jsonl").unlink()
    (folder / "utterances.jsonl").unlink()
    report = reported(folder)
    assert [stage.devices for stage in report.stages] == [(), ()]
    assert [str(stage.verdict) for stage in report.stages] == ["empty", "empty"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("stages.jsonl", None, "is not there"),
        ("stages.jsonl", "", "has no stage: the run ended before its first"),
        ("stages.jsonl", '{"stage": 0}\n', "1 line is left out that can't be one of this file: line 1 (object missing"),
        ("stages.jsonl", "7\n", "line 1 (expected object, got int)"),
        ("stages.jsonl", "\0\0", "the last line is cut off and left out: line 1 (no JSON"),
    ],
)
def test_a_folder_without_a_stage_is_refused_in_one_line(
    folder: Path, name: str, content: str | None, says: str
) -> None:
    (folder / "run.json").write_text("{}")
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


@pytest.mark.parametrize("name", ["stages.jsonl", "utterances.jsonl", "gpu.jsonl"])
def test_a_pipe_or_a_device_in_the_place_of_a_file_is_refused_in_one_line(folder: Path, name: str) -> None:
    """A folder that somebody else has packed may hold one, and it would be read for ever."""
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(ConfigError, match=rf"{name} can't be read: it is a pipe or a device; is .* a run folder\?$"):
        read_report(folder)
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="it is a pipe or a device"):
        read_report(folder)


def test_a_failed_run_leaves_no_report_that_tells_of_another_end(folder: Path) -> None:
    """The disk may be so full that neither run.json nor a report file can be written anew."""
    write_report(folder)
    with no_room_beyond(2_000):
        report = write_what_fits(folder, "the disk is full")
    assert report.verdict is Verdict.ERROR
    assert "the run failed: the disk is full" in report.notes
    assert not (folder / "summary.json").exists()
    written = write_what_fits(folder, "the disk is full")
    assert written.verdict is Verdict.ERROR
    assert json.loads((folder / "summary.json").read_text())["exit_code"] == 1


def test_a_run_of_a_later_version_is_refused_in_one_line(tmp_path: Path) -> None:
    made = made_run(ladder=(1,), per_stage=5)
    made.run["schema_version"] = 99
    folder = made.write(tmp_path / "run")
    with pytest.raises(
        ConfigError, match=r"run\.json was written by a later version of stt-load \(schema_version 99, "
    ):
        read_report(folder)
    (folder / "run.json").write_bytes((folder / "run.json").read_bytes().replace(b"99", b"98"))
    assert "run.json: it is not as the run wrote it" in read_report(folder).notes


def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^[^ ]*/run\.json can't be read: [^;]*; is [^ ]* a run folder\?$"):
        read_report(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"^[^ ]*/run\.json: [^;]*; is [^ ]* a run folder\?$"):
        read_report(tmp_path)


def test_a_missing_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        read_report(tmp_path / "nowhere")


def test_what_is_secret_in_the_urls_of_a_run_is_shown_nowhere(tmp_path: Path) -> None:
    made = made_run(ladder=(1,), per_stage=5)
    url = "wss://caller:pass-phrase@gpu-box/ws?token=s3cret-s3cret&model=small"
    made.run |= {"stt_url": url, "options": {"stt_url": url, "gpu_sidecar": ["http://a:pass-phrase@gpu-box:9550"]}}
    folder = made.write(tmp_path / "run")
    write_report(folder)
    for name in WRITERS:
        text = (folder / name).read_text(encoding="utf-8")
        assert "pass-phrase" not in text and "s3cret" not in text, name
    assert "wss://***@gpu-box/ws?token=***&model=small" in (folder / "summary.json").read_text(encoding="utf-8")
