"""A whole run of a single process, from its folder to its report. Greenlets and files are real, the server scripted."""

from __future__ import annotations

import gc
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from scripted_callers import CLIPS, Callers
from small_disk import no_room_beyond

from stt_load.errors import ConfigError, ExitCode, Outcome, WriteError
from stt_load.options import PlanKind
from stt_load.report.knee import exit_code
from stt_load.run.controller import RunController
from stt_load.run.live_view import LiveView
from stt_load.run.plan import LadderPlan, Phase
from stt_load.run.run import Run
from stt_load.run.single_process import SingleProcess

OPTIONS = {"dialect": "vosk", "stt_url": "ws://127.0.0.1:9/", "concurrency": "2", "settle": "0s", "label": "made"}
EASY = ["eos_latency:p95<60s", "error_rate<1%"]


class Users:
    """The users that Locust has started, and those that somebody has asked for."""

    def __init__(self) -> None:
        self.user_count = 0
        self.target_user_count: int | None = None


class Made:
    """A run, its callers and the users that Locust would start for it."""

    def __init__(self, results: Path, at_once: Outcome | None, plan: PlanKind, options: dict[str, Any]) -> None:
        raw = {**OPTIONS, "slo": EASY, "results": str(results), **options}
        self.callers = Callers(at_once=at_once, **raw)
        self.users = Users()
        self.users.target_user_count = 2
        cluster = SingleProcess(self.callers.pool, self.users, "w0")
        self.n_failures = 0
        self.run = Run("run", self.callers.pool.config, CLIPS, cluster, raw, plan, self._on_failure)

    def _on_failure(self) -> None:
        self.n_failures += 1

    def start(self) -> None:
        self.run.start()
        self.users.user_count = 2
        self.callers.come(2)

    def wait_for(self, phase: Phase) -> None:
        while self.run.controller.update.phase is not phase:
            gevent.sleep(0.01)

    def wait_until_done(self) -> None:
        while self.run.users is not None:
            gevent.sleep(0.01)

    def run_json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.run.folder.path / "run.json").read_text(encoding="utf-8"))
        return found

    def lines(self, name: str) -> list[dict[str, Any]]:
        file = self.run.folder.path / name
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []

    def close(self) -> None:
        self.run.controller.stop_leading()
        gevent.killall(self.callers._greenlets)


MakeRun = Callable[..., Made]


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[MakeRun]:
    made: list[Made] = []

    def make(at_once: Outcome | None = Outcome.OK, plan: PlanKind = PlanKind.LADDER, **options: Any) -> Made:
        made.append(Made(tmp_path / "results", at_once, plan, options))
        return made[-1]

    with gevent.Timeout(120):
        yield make
    for each in made:
        each.close()
    gc.unfreeze()


def test_a_run_goes_through_its_stages_and_ends_with_its_reports_code(make_run: MakeRun, tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    made = make_run(rounds="2", output=str(copy))
    assert made.run_json()["ended_at"] is None
    assert made.run.users == 2
    made.start()
    made.wait_until_done()
    made.run.drain()
    code = made.run.close()
    assert made.run.close() is code, "the second time too"
    assert made.run.live.ended is not None
    assert (made.run.live.current.ok, exit_code(made.run.live.ended)) == (4, code)
    phases = [line["phase"] for line in made.lines("stages.jsonl")]
    assert phases == ["ramp", "hold", "grace", "settle", "done"]
    rows = made.lines("utterances.jsonl")
    assert [(row["outcome"], row["wer"], row["foreign_text"]) for row in rows] == [("ok", 0.0, 0)] * 4
    assert made.lines("stages.jsonl")[-1]["delivery"] == {
        "rows": 4,
        "totals": {"w0": 4},
        "missing_seq": 0,
        "workers_lost": 0,
    }
    run_json = made.run_json()
    assert (run_json["run_id"], run_json["label"], run_json["utterance_limit_s"] > 2) == ("run", "made", True)
    assert run_json["ended_at"] > run_json["started_at"]
    summary = json.loads((made.run.folder.path / "summary.json").read_text(encoding="utf-8"))
    assert code == (ExitCode.FINE if summary["verdict"] == "pass" else ExitCode.NOT_BELIEVABLE)
    assert [stage["n"] for stage in summary["stages"]] == [4]
    assert copy.exists()


@pytest.mark.parametrize("set_by_s", [3600.0, -3600.0, 30.0, -30.0])
def test_a_wall_clock_that_is_set_in_mid_run_moves_nothing(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, set_by_s: float
) -> None:
    made = make_run(at_once=None, hold="600s")
    began_s, began = time.monotonic(), time.time()
    made.start()
    made.wait_for(Phase.HOLD)
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + set_by_s)
    made.callers.answer(0)
    made.run.abort()
    made.run.drain()
    made.run.close()
    lasted_s = time.monotonic() - began_s
    lines, rows, run = made.lines("stages.jsonl"), made.lines("utterances.jsonl"), made.run_json()
    assert lines[-1]["t"] - lines[0]["t"] == pytest.approx(lines[-1]["mono"] - lines[0]["mono"])
    moments = [line["t"] for line in lines] + [row["started_at"] + row["duration_s"] for row in rows]
    assert rows
    assert all(-1 < moment - began < lasted_s + 1 for moment in [*moments, run["started_at"], run["ended_at"]])


def test_an_aborted_run_cuts_what_is_in_flight_and_ends_with_5(make_run: MakeRun) -> None:
    made = make_run(at_once=None, hold="600s", timeout="600s")  # longer than this test may take
    made.start()
    made.wait_for(Phase.HOLD)
    made.callers.answer(0)
    made.run.abort()
    made.run.drain()
    assert made.run.close() == ExitCode.ABORTED
    last = made.lines("stages.jsonl")[-1]
    assert (last["phase"], last["reason"], last["aborted"]) == ("done", "aborted", True)
    assert last["delivery"]["rows"] == len(made.lines("utterances.jsonl")) == 3
    assert [row["outcome"] for row in made.lines("utterances.jsonl")] == ["ok", "interrupted", "interrupted"]


def test_a_run_that_is_stopped_lets_utterances_end(make_run: MakeRun) -> None:
    made = make_run(at_once=None, hold="0.1s", at_least="0")
    made.start()
    made.wait_for(Phase.HOLD)
    draining = gevent.spawn(made.run.drain)
    gevent.sleep(0.5)  # the hold would be over now
    assert not draining.ready()
    made.callers.answer(0)
    made.callers.answer(1)
    draining.get()
    made.run.close()
    assert [row["outcome"] for row in made.lines("utterances.jsonl")] == ["ok", "ok"]
    assert [line["phase"] for line in made.lines("stages.jsonl")] == ["ramp", "hold", "done"]
    last = made.lines("stages.jsonl")[-1]
    assert (last["reason"], last["aborted"]) == ("stopped", False)


def test_callers_that_begin_together_are_not_waited_for_before_the_hold(make_run: MakeRun) -> None:
    made = make_run(at_once=None, arrival="together", hold="600s", timeout="600s")
    made.start()
    made.wait_for(Phase.HOLD)
    assert made.lines("stages.jsonl")[-1]["reason"] == "target reached"


def test_no_phase_is_cut_short_by_a_pause_between_utterances(make_run: MakeRun) -> None:
    made = make_run(pause="1s..5s")
    assert isinstance(made.run.controller.plan, LadderPlan)
    assert made.run.controller.plan.timing.utterance_limit_s == made.run_json()["utterance_limit_s"] + 5.0


def test_a_sidecar_that_never_answers_is_named_and_let_go(make_run: MakeRun) -> None:
    made = make_run(gpu_sidecar="http://127.0.0.1:9", at_once=None)
    made.start()
    while not made.run_json()["sidecars"]:
        gevent.sleep(0.01)
    made.run.abort()
    made.run.drain()
    made.run.close()
    (sidecar,) = made.run_json()["sidecars"]
    assert sidecar["url"] == "http://127.0.0.1:9"
    assert made.run_json()["ended_at"] is not None
    assert all(reader.greenlet.dead for reader in made.run._gpu_feed._readers)


def test_a_report_that_can_not_be_written_ends_with_1_and_loses_nothing(
    make_run: MakeRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "copy.csv"
    copy.mkdir()
    made = make_run(rounds="1", output=str(copy))
    made.start()
    made.wait_until_done()
    made.run.drain()
    assert made.run.close() == ExitCode.FAILED
    assert f"what was measured is in {made.run.folder.path}" in caplog.text
    assert len(made.lines("utterances.jsonl")) == 2
    assert (summary(made)["verdict"], summary(made)["exit_code"]) == ("error", 1)
    assert "copy.csv" in summary(made)["notes"][0]


def test_a_fault_of_our_own_at_the_end_does_not_end_with_0(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    made = make_run()
    made.run.start()
    monkeypatch.setattr(RunController, "finish", fail)
    assert made.run.close() == ExitCode.FAILED
    assert "no space left on device" in caplog.text


def end(made: Made) -> ExitCode:
    made.run.drain()
    return made.run.close()


def summary(made: Made) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made.run.folder.path / "summary.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("plan", [PlanKind.LADDER, PlanKind.FOLLOW])
def test_a_folder_that_is_removed_stops_the_load_and_ends_with_1_and_every_row(
    make_run: MakeRun, plan: PlanKind, caplog: pytest.LogCaptureFixture
) -> None:
    made = make_run(at_once=None, plan=plan, hold="600s", timeout="600s")
    made.start()
    made.wait_for(Phase.HOLD)
    made.callers.answer(0)
    shutil.rmtree(made.run.folder.path)
    while not made.n_failures:
        gevent.sleep(0.01)
    assert end(made) == ExitCode.FAILED
    assert made.n_failures == 1
    assert [row["outcome"] for row in made.lines("utterances.jsonl")] == ["ok", "interrupted", "interrupted"]
    assert made.lines("stages.jsonl")[-1]["reason"] == "failed"
    assert made.run_json()["failure"] == f"{made.run.folder.path} has been removed or renamed"
    assert (summary(made)["verdict"], summary(made)["exit_code"]) == ("error", 1)
    assert summary(made)["knee"]["ended_early"]
    assert all("\n" not in record.getMessage() and not record.exc_info for record in caplog.records)


def test_a_disk_that_is_full_for_a_while_costs_neither_a_row_nor_the_run(make_run: MakeRun) -> None:
    made = make_run(at_once=None, rounds="1")
    made.start()
    made.wait_for(Phase.HOLD)
    with no_room_beyond(20):
        made.callers.answer(0)
        made.callers.answer(1)
        made.run._keep_description({"news": "what is new"})
        made.wait_for(Phase.SETTLE)
    made.wait_until_done()
    assert end(made) == summary(made)["exit_code"]
    assert made.n_failures == 0
    assert len(made.lines("utterances.jsonl")) == 2
    assert [line["phase"] for line in made.lines("stages.jsonl")] == ["ramp", "hold", "grace", "settle", "done"]
    assert made.run_json()["failure"] is None
    assert made.run_json()["news"] == "what is new"
    assert [note for note in summary(made)["notes"] if "they waited in memory, and none got lost" in note]


def test_a_disk_that_is_full_at_the_report_leaves_the_raw_files_and_the_table(
    make_run: MakeRun, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_run(rounds="1")
    made.start()
    made.wait_until_done()
    with no_room_beyond(40_000):  # the raw files fit, the page doesn't
        assert end(made) == ExitCode.FAILED
    assert "report.html can't be written: File too large; what was measured is in" in caplog.text
    assert made.run_json()["failure"].endswith("report.html can't be written: File too large")
    assert len(made.lines("utterances.jsonl")) == 2
    assert not (made.run.folder.path / "report.html").exists()
    assert (summary(made)["verdict"], summary(made)["exit_code"]) == ("error", 1)
    assert "run folder:" in capsys.readouterr().out


def test_a_drain_that_fails_ends_with_1_and_the_rows_that_came(make_run: MakeRun) -> None:
    made = make_run(rounds="1")
    made.start()
    made.wait_until_done()

    def fail(*_: object) -> None:
        raise TypeError("of ours")

    made.run.cluster.drain = fail  # type: ignore[method-assign]
    assert end(made) == ExitCode.FAILED
    assert len(made.lines("utterances.jsonl")) == 2
    assert "TypeError: of ours (test_run.py, line " in made.run_json()["failure"]
    assert (summary(made)["verdict"], summary(made)["exit_code"]) == ("error", 1)


def test_a_fault_met_with_one_of_the_last_rows_ends_with_1_and_the_row_is_kept(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("of ours")

    made = make_run(at_once=None, hold="600s", timeout="600s")
    made.start()
    made.wait_for(Phase.HOLD)
    made.run.controller.stop_leading()
    monkeypatch.setattr("stt_load.metrics.scorer.Scorer.fill", fail)
    made.run.abort()
    assert end(made) == ExitCode.FAILED
    assert len(made.lines("utterances.jsonl")) == 2
    assert made.run_json()["failure"].startswith("ValueError: ")


def test_a_view_that_can_not_be_drawn_does_not_end_the_run(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = make_run(rounds="1", live=True)

    def fail(*_: object) -> None:
        raise UnicodeError("of ours")

    monkeypatch.setattr(LiveView, "_counts", fail)
    made.start()
    made.wait_until_done()
    assert end(made) == summary(made)["exit_code"]
    assert made.n_failures == 0
    assert caplog.text.count("the state of the run can't be shown any more; the run goes on") == 1


def test_a_close_goes_on_when_who_asked_for_it_is_killed(make_run: MakeRun) -> None:
    """Locust kills the greenlet that stops a test when the last worker has quit."""
    made = make_run(rounds="1")
    made.start()
    made.wait_until_done()
    made.run.drain()
    asking = gevent.spawn(made.run.close)
    gevent.sleep(0)
    asking.kill()
    made.run.close()
    assert (made.run.folder.path / "summary.json").exists()


def test_without_a_ladder_the_target_of_the_cluster_is_the_stage(make_run: MakeRun) -> None:
    made = make_run(at_once=None, plan=PlanKind.FOLLOW)
    made.start()
    made.wait_for(Phase.HOLD)
    assert made.run.users == 2
    made.users.target_user_count = made.users.user_count = 3
    while made.run.controller.update.stage == 0:
        gevent.sleep(0.01)
    assert made.run.users == 3


def test_what_makes_a_run_hard_to_believe_is_noted_and_logged(
    make_run: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "stt_load"):
        made = make_run(concurrency="5")
    (note,) = [note for note in made.run_json()["notes"] if "4 clips for 5 callers" in note]
    assert note in caplog.text


def test_a_disk_that_is_full_at_the_start_starts_no_run_and_leaves_no_folder(make_run: MakeRun, tmp_path: Path) -> None:
    with (
        no_room_beyond(10),
        pytest.raises(WriteError, match=r"run\.json can't be written: .*; name another folder with --results"),
    ):
        make_run()
    assert not list((tmp_path / "results").iterdir())


def test_a_folder_that_can_not_be_made_is_bad_input(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ConfigError, match="--results"):
        make_run()
