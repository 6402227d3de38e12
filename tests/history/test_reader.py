"""Reading the runs of a folder."""

import json
import math
from pathlib import Path

import pytest
from made_calls import made_calls
from made_run import made_run, made_speech, made_uploads
from made_search import made_search

from stt_load.errors import ConfigError
from stt_load.history.page import history_html
from stt_load.history.reader import read_history
from stt_load.history.run_row import RunRow
from stt_load.history.series import series_of
from stt_load.report.build import build_report
from stt_load.report.json_file import summary_json


def only(folder: Path) -> RunRow:
    history = read_history(folder)
    assert history.left_out == ()
    (run,) = history.runs
    return run


@pytest.mark.parametrize("made", [made_run((1, 10, 30), 40), made_uploads((1, 8)), made_speech((1,))])
def test_a_summary_says_what_the_raw_files_say(tmp_path: Path, made) -> None:
    raw, summed = tmp_path / "raw", tmp_path / "summed"
    folder = made.write(raw / "run")
    (summed / "run").mkdir(parents=True)
    report = build_report(made.run, made.transitions, [made.utterances], made.samples)
    (summed / "run" / "summary.json").write_text(summary_json(report), encoding="utf-8")
    of_raw, of_summary = only(raw), only(summed)
    assert of_raw.folder == folder
    for name in ("run_id", "started_at", "label", "kind", "server", "machine", "verdict", "holds", "stages", "test"):
        assert getattr(of_raw, name) == getattr(of_summary, name), name


def test_an_open_loop_holds_no_number_of_callers(tmp_path: Path) -> None:
    made_calls().write(tmp_path / "run")
    assert only(tmp_path).holds is None


def test_a_search_holds_what_it_answers(tmp_path: Path) -> None:
    made = made_search()
    made.write(tmp_path / "run")
    answer = build_report(made.run, made.transitions, [made.utterances]).capacity
    assert only(tmp_path).holds == answer.holds > 0


def test_a_search_that_was_broken_off_does_not_hold_nobody(tmp_path: Path) -> None:
    made = made_search(1, per_stage=40)
    made.transitions[-1]["aborted"] = True
    made.utterances = made.utterances[:1]
    made.write(tmp_path / "run")
    assert only(tmp_path).holds is None


def test_a_row_has_what_the_run_found(tmp_path: Path) -> None:
    made = made_run((1, 10, 60), 60)
    made.run |= {"stt_url": "ws://user:secret@gpu-box:8000/ws", "gpu": [{"name": "NVIDIA H200"}] * 2}
    for record in made.utterances[-30:]:
        record.outcome, record.eos_latency_s = "refused", None
    made.write(tmp_path / "run")
    run = only(tmp_path)
    assert (run.label, run.server, run.machine) == ("made-up", "parakeet at gpu-box:8000", "2 × NVIDIA H200")
    assert (run.holds, run.verdict, run.tried, run.passed) == (10, "fail", {1, 10, 60}, {1, 10})
    assert math.isinf(run.at(60).p95_s)
    assert run.at(10).energy_j > 0
    assert run.at(20) is None


MACHINES = [
    ("ws://127.0.0.1:41234/ws", {}, "parakeet at 127.0.0.1"),
    ("ws://127.0.0.1:8000/ws", {}, "parakeet at 127.0.0.1:8000"),
    ("ws://[::1", {}, "parakeet"),
    (None, {}, "parakeet"),
]


@pytest.mark.parametrize(("url", "change", "server"), MACHINES)
def test_a_server_is_known_by_its_address_but_for_ports_that_the_system_chose(
    tmp_path: Path, url: str | None, change: dict, server: str
) -> None:
    made = made_run((1,), 5, gpu=False)
    made.run["stt_url"] = url
    made.write(tmp_path / "run")
    assert only(tmp_path).server == server


def test_without_a_gpu_a_machine_is_known_by_its_processor_and_its_limit(tmp_path: Path) -> None:
    made = made_run((1,), 5, gpu=False)
    made.run["hosts"] = [{"host": "a1b2", "cpu_model": "EPYC 7763", "cores": 64, "container_cpu_limit": 4.0}]
    made.write(tmp_path / "run")
    assert only(tmp_path).machine == "EPYC 7763, 64 cores, CPU limit 4 cores"


BROKEN = [
    ("no JSON", "run.json", "{nope"),
    ("nothing but a summary of a later version", "summary.json", json.dumps({"schema_version": 99})),
    ("a summary that is cut off", "summary.json", '{"schema_version": 2, "run"'),
]


@pytest.mark.parametrize(("what", "name", "text"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_folder_that_can_not_be_read_is_named_and_stops_nothing(
    tmp_path: Path, what: str, name: str, text: str
) -> None:
    made_run((1,), 5).write(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / name).write_text(text, encoding="utf-8")
    (tmp_path / "no run").mkdir()
    history = read_history(tmp_path)
    assert [run.folder.name for run in history.runs] == ["good"]
    assert [line.startswith("bad: ") for line in history.left_out] == [True]


@pytest.mark.parametrize("name", ["summary.json", "run.json"])
def test_a_folder_of_a_later_version_is_not_read_as_if_it_were_of_this_one(tmp_path: Path, name: str) -> None:
    made = made_run((1,), 5)
    if name == "run.json":
        made.run["schema_version"] = 99
    folder = made.write(tmp_path / "run")
    if name == "summary.json":
        (folder / name).write_text(json.dumps({"schema_version": 99, "runs": []}), encoding="utf-8")
    history = read_history(tmp_path)
    assert history.runs == ()
    (line,) = history.left_out
    assert line.startswith(f"run: {folder / name} was written by a later version of stt-load (schema_version 99, this")


def test_a_digit_of_a_summary_that_has_changed_is_not_believed(tmp_path: Path) -> None:
    made = made_run((1,), 60)
    folder = made.write(tmp_path / "run")
    text = summary_json(build_report(made.run, made.transitions, [made.utterances], made.samples))
    before = only(tmp_path)
    p95 = json.loads(text)["stages"][0]["eos_latency_s"]["with_failed"]["p95"]
    (folder / "summary.json").write_text(text.replace(str(p95), str(p95 + 1)), encoding="utf-8")
    assert only(tmp_path) == before


def test_what_is_no_folder_of_runs_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        read_history(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="is the folder of one run: give the folder around it"):
        read_history(made_run((1,), 5).write(tmp_path / "run"))


def test_a_copy_of_a_run_is_left_out(tmp_path: Path) -> None:
    for name in ("backup", "run"):
        made_run((1,), 5).write(tmp_path / name)
    history = read_history(tmp_path)
    assert ([run.folder.name for run in history.runs], history.left_out) == (["backup"], ("run: a copy of backup",))


def test_a_link_to_a_run_beside_it_is_no_run_of_its_own(tmp_path: Path) -> None:
    made_run((1,), 5).write(tmp_path / "results" / "run")
    made_run((1,), 5, seed=2).write(tmp_path / "elsewhere")
    (tmp_path / "results" / "latest").symlink_to("run")
    (tmp_path / "results" / "other").symlink_to(tmp_path / "elsewhere")
    assert [run.folder.name for run in read_history(tmp_path / "results").runs] == ["other", "run"]


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("run", "started_at"), 1e300),
        (("stages", 0, "users"), -1),
        (("stages", 0, "wer"), 1e300),
        (("stages", 0, "eos_latency_s", "with_failed", "p95"), -1e300),
        (("knee", "holds"), 10**30),
    ],
)
def test_a_summary_that_can_not_be_right_is_made_again_or_says_nothing(
    tmp_path: Path, way: tuple[str | int, ...], value: float
) -> None:
    made = made_run((1,), 60)
    folder = made.write(tmp_path / "run")
    summary = json.loads(summary_json(build_report(made.run, made.transitions, [made.utterances], made.samples)))
    place = summary
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    del summary["crc32"]  # as an earlier version wrote it
    (folder / "summary.json").write_text(json.dumps(summary))
    history = read_history(tmp_path)
    (run,) = history.runs
    assert run.started_at is None or run.holds == 1
    history_html(history, series_of(history.runs))
