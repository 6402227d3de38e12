"""What a run leaves behind when all goes well: headless, over several processes, master and workers apart."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import pytest
from made_calibration import found
from ports import free_port
from runs import (
    EASY_SLOS,
    LADDER,
    LOCUST,
    STT_LOAD,
    Run,
    StartSink,
    assert_ends_with,
    broken_conditions,
    phases,
    rows,
    run_folder,
    summary,
    two_processes,
)

from stt_load.calibration.host_probe import describe_host
from stt_load.calibration.store import save
from stt_load.report.report_files import WRITERS

pytestmark = pytest.mark.locust


def test_a_headless_ladder_leaves_a_whole_folder_and_ends_with_0(start_sink: StartSink, tmp_path: Path) -> None:
    results, copy = tmp_path / "results", tmp_path / "copy.csv"
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "1,3", "--hold", "2s", "--at-least", "2"]
    line += ["--settle", "0.2s", "--results", str(results), "--output", str(copy), "--label", "two", *EASY_SLOS]
    with Run(line, tmp_path) as run:
        assert_ends_with(0, run, results)
    one_stage = ["ramp", "hold", "grace", "settle"]
    assert phases(results) == [(stage, phase) for stage in (0, 1) for phase in one_stage] + [(1, "done")]
    folder = run_folder(results)
    assert folder.name.endswith("-two")
    raw = {"run.json", "stages.jsonl", "utterances.jsonl", "words.jsonl"}
    assert {path.name for path in folder.iterdir()} == raw | WRITERS.keys()
    utterances = rows(folder / "utterances.jsonl")
    truth = rows(tmp_path / "truth.jsonl")
    assert {row["outcome"] for row in utterances} == {"ok"}
    assert len(utterances) == len(truth)
    assert {row["wer"] for row in utterances} == {0.0}
    assert {row["foreign_text"] for row in utterances} == {0}
    assert all(row["stamp"] == "kernel" for row in utterances)
    assert all(row["audio_s"] == pytest.approx(row["frames"] * 0.096) for row in utterances)
    by_text = {row["text"]: row["pcm_bytes"] for row in truth}
    assert all(by_text[row["text"]] == row["frames"] * 3072 for row in utterances), "audio was lost on the way"
    with copy.open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["concurrency"] for row in table] == ["1", "3"]
    run_json = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert run_json["frame"]["bytes"] == 3072
    assert "1024" in run_json["frame"]["note"]
    assert run_json["ended_at"] > run_json["started_at"]


def test_a_strict_run_does_not_pass_on_a_few_utterances(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "1", "--hold", "1s", "--settle", "0s"]
    with Run([*line, *EASY_SLOS, "--strict", "--results", str(results)], tmp_path) as run:
        assert run.wait() == 4, run.output
    assert "enough samples" in broken_conditions(results)
    assert "about 299" in " ".join(run.output.split())
    assert json.loads((run_folder(results) / "run.json").read_text(encoding="utf-8"))["strict"] is True


def test_no_frame_is_sent_before_a_microphone_had_it(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "2", "--rounds", "1"]
    with Run([*line, "--results", str(results), *EASY_SLOS], tmp_path) as run:
        assert_ends_with(0, run, results)
    late_s = max(row["pacing_lag_max_s"] for row in rows(run_folder(results) / "utterances.jsonl"))
    for heard in rows(tmp_path / "truth.jsonl"):
        assert heard["pcm_bytes"] == heard["frames"] * 3072
        spoken_s = (heard["frames"] - 1) * 0.096
        # Where the first frame was late the others take less: by no more than that lateness, and never by more.
        assert heard["last_frame_s"] - heard["first_frame_s"] > spoken_s - late_s - 0.010


def test_a_run_beyond_the_calibration_is_warned_before_it_starts(start_sink: StartSink, tmp_path: Path) -> None:
    save(found(host=describe_host(), callers=1), tmp_path)
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "2", "--rounds", "1"]
    line += ["--results", str(results), *EASY_SLOS]
    with Run(line, tmp_path, {"STT_LOAD_DATA": str(tmp_path)}) as run:
        assert_ends_with(0, run, results)
    (note,) = json.loads((run_folder(results) / "run.json").read_text(encoding="utf-8"))["notes"]
    assert "keeps only 1 on time" in note
    assert run.output.index(note) < run.output.index("stage 1/1"), run.output


def test_rounds_end_when_every_caller_has_spoken_so_often(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "2,3", "--rounds", "2"]
    with Run([*line, "--settle", "0.2s", "--results", str(results), *EASY_SLOS], tmp_path) as run:
        assert_ends_with(0, run, results)
    spoken: dict[tuple[int, int], int] = defaultdict(int)
    for row in rows(run_folder(results) / "utterances.jsonl"):
        assert row["phase"] == "hold"
        spoken[row["stage"], row["user"]] += 1
    assert spoken == {(0, 0): 2, (0, 1): 2, (1, 0): 2, (1, 1): 2, (1, 2): 2}


def test_two_processes_deliver_every_row_and_40_callers_speak_40_clips(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "40", "--hold", "6s", "--settle", "0.2s"]
    line += ["--results", str(results), *two_processes(), *EASY_SLOS]
    with Run(line, tmp_path) as run:
        assert_ends_with(0, run, results)
        output = run.output
    utterances = rows(run_folder(results) / "utterances.jsonl")
    done = rows(run_folder(results) / "stages.jsonl")[-1]
    assert done["phase"] == "done", output
    totals = done["delivery"]["totals"]
    assert len(totals) == 2
    assert done["delivery"]["missing_seq"] == 0
    assert len(utterances) == done["delivery"]["rows"] == sum(totals.values()) == len(rows(tmp_path / "truth.jsonl"))
    assert not any(row["clip_reused"] for row in utterances)
    assert most_clips_at_once(utterances) == 40
    assert {row["worker"] for row in utterances} == {0, 1}


def test_a_stage_of_fewer_callers_than_workers_does_not_wait_for_the_idle_ones(
    start_sink: StartSink, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "1,2", "--hold", "2s", "--settle", "0.2s"]
    line += ["--results", str(results), *two_processes(), *EASY_SLOS]
    with Run(line, tmp_path) as run:
        assert_ends_with(0, run, results)
    reasons = {row["reason"] for row in rows(run_folder(results) / "stages.jsonl")}
    assert not any("in time" in reason for reason in reasons), reasons
    spoke = {(row["stage"], row["worker"]) for row in rows(run_folder(results) / "utterances.jsonl")}
    assert sum(stage == 0 for stage, _ in spoke) == 1, "whichever of them Locust chose"
    assert {worker for stage, worker in spoke if stage == 1} == {0, 1}


def most_clips_at_once(utterances: list[dict]) -> int:
    """The largest number of different clips in flight; no clip may be in flight twice."""
    moments = [(row["started_at"], 1, row["clip_id"]) for row in utterances]
    moments += [(row["started_at"] + row["audio_s"] - 0.1, -1, row["clip_id"]) for row in utterances]
    in_flight: dict[str, int] = defaultdict(int)
    most = 0
    for _, step, clip_id in sorted(moments):
        in_flight[clip_id] += step
        assert in_flight[clip_id] <= 1, f"{clip_id} is spoken twice at the same time"
        most = max(most, sum(in_flight.values()))
    return most


def test_a_worker_takes_its_options_from_the_master(start_sink: StartSink, tmp_path: Path) -> None:
    results, port = tmp_path / "results", str(free_port())
    master = [*LOCUST, "-f", str(LADDER), "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
    master += ["--headless", "--expect-workers", "2", "--stt-url", start_sink().url, "--concurrency", "2,4"]
    master += ["--hold", "2s", "--settle", "0.2s", "--results", str(results), *EASY_SLOS]
    worker = [*LOCUST, "-f", str(LADDER), "--worker", "--master-port", port]
    with ExitStack() as stack:
        run = stack.enter_context(Run(master, tmp_path))
        workers = [stack.enter_context(Run(worker, tmp_path)) for _ in range(2)]
        assert_ends_with(0, run, results)
        for process in workers:
            process.wait()
    assert phases(results)[-1] == (1, "done")
    assert [stage["users"] for stage in summary(results)["stages"]] == [2, 4]
    assert all(stage["n"] > 0 for stage in summary(results)["stages"])
    assert {row["worker"] for row in rows(run_folder(results) / "utterances.jsonl")} == {0, 1}
