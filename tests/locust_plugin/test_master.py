"""What the master makes of Locust's events, alone and with workers: real runs and folders, no Locust, no process."""

from __future__ import annotations

import errno
import gc
import json
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import msgspec
import pytest
from made_locust import MadeMasterRunner, MadeRunner, MadeWebUi, made_environment, settle

from stt_load.errors import ConfigError, ExitCode, Outcome
from stt_load.locust_plugin.cluster.messages import REFUSED, REPORT_KEY, UPDATE
from stt_load.locust_plugin.cluster.worker_cluster import WorkerCluster
from stt_load.locust_plugin.master import Master
from stt_load.records import UtteranceRecord
from stt_load.run.plan import Phase
from stt_load.run.run import Run
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import WorkerReport
from stt_load.workloads.clip_progress import ClipsInterrupted

MakeMaster = Callable[..., Master]


@pytest.fixture
def make_master(tmp_path: Path) -> Iterator[MakeMaster]:
    made: list[Master] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        # Of this kind of load the clips are texts: they are there at once.
        options = {
            "dialect": "tts-openai",
            "stt_url": f"http://127.0.0.1:{port}/v1/audio/speech",
            "concurrency": "3,5",
            "ramp_rate": "7",
            "results": str(tmp_path / "results"),
        }

        def make(runner: MadeRunner | None = None, web_ui: MadeWebUi | None = None, **more: Any) -> Master:
            environment = made_environment(runner or MadeRunner(), web_ui, **{**options, **more})
            made.append(Master(environment, getattr(runner, "admission", None)))
            return made[-1]

        with gevent.Timeout(120):
            yield make
    for master in made:
        if master.run is not None:
            master.run.controller.stop_leading()
    gc.unfreeze()


def started(master: Master) -> Run:
    master.on_test_start()
    assert master.run is not None
    return master.run


# Before the load ----------------------------------------------------------------------------------------------------


def test_bad_input_ends_the_process_with_2_before_any_load(
    make_master: MakeMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    master = make_master(hold="soon", clips="/nowhere")
    with pytest.raises(SystemExit) as caught:
        master.on_init()
    assert caught.value.code == ExitCode.USAGE
    assert "error: --hold" in capsys.readouterr().err


def test_tags_of_another_project_are_bad_input(make_master: MakeMaster, capsys: pytest.CaptureFixture[str]) -> None:
    """Locust would filter the callers' one task away, and throw an exception for each of them without a pause."""
    with pytest.raises(SystemExit) as caught:
        make_master(tags=["smoke"]).on_init()
    assert caught.value.code == ExitCode.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --tags smoke: ")
    assert "LOCUST_TAGS" in line


def test_a_server_that_is_not_there_is_bad_input(make_master: MakeMaster, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_master(stt_url="http://127.0.0.1:1/v1/audio/speech").on_init()
    assert "nothing answers at 127.0.0.1:1" in capsys.readouterr().err


def test_a_master_that_waits_for_workers_says_so(
    make_master: MakeMaster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stt_load.locust_plugin.master._WAITING_TOLD_EVERY_S", 0.01)
    runner = MadeMasterRunner(w0="ready")
    runner.admission.refused.append("w1")
    master = make_master(runner, expect_workers=3)
    master.on_init()
    while not caplog.messages:
        gevent.sleep(0.01)
    master.on_test_start()
    assert caplog.messages[0] == "1 of 3 workers are here, 1 refused; the run waits for the others"


def test_with_a_web_ui_options_are_checked_when_a_run_starts(make_master: MakeMaster) -> None:
    master = make_master(web_ui=MadeWebUi(), hold="soon")
    master.on_init()
    with pytest.raises(gevent.GreenletExit):
        master.on_test_start()
    settle()
    assert master.run is None
    assert master.environment.process_exit_code == ExitCode.USAGE
    assert master.environment.runner.calls == ["stop"], "the web UI stays"


def test_without_a_web_ui_a_run_that_can_not_start_ends_the_process(
    make_master: MakeMaster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    master = make_master()
    master.on_init()
    (tmp_path / "results").write_text("a file")
    with pytest.raises(gevent.GreenletExit):
        master.on_test_start()
    settle()
    assert master.run is None
    assert "--results" in caplog.text
    assert (master.environment.process_exit_code, master.environment.runner.calls) == (ExitCode.USAGE, ["quit"])
    with pytest.raises(ConfigError, match="could not start"):
        master.ready_pool()


def test_clips_are_loaded_once_for_several_runs(make_master: MakeMaster) -> None:
    master = make_master()
    first = master._prepare()[1]
    assert master._prepare()[1] is first
    assert make_master()._prepare()[1] is not first


def test_a_signal_while_the_last_clip_is_prepared_starts_no_run(make_master: MakeMaster) -> None:
    master = make_master()
    preparing = gevent.spawn(master._prepare)
    while not master._is_preparing:
        gevent.sleep(0)
    master.on_signal(signal.SIGINT)
    with pytest.raises(ClipsInterrupted, match="no run was started"):
        preparing.get()


def test_a_signal_while_a_run_is_opened_ends_with_5(
    make_master: MakeMaster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locust kills the greenlet that opens it, and would end with 0: no utterance has failed."""
    master = make_master()
    is_opening, may_open = gevent.event.Event(), gevent.event.Event()

    def open_run(*_: object) -> None:
        is_opening.set()
        may_open.wait()

    monkeypatch.setattr(master, "_open_run", open_run)
    starting = gevent.spawn(master.on_test_start)
    is_opening.wait()
    with caplog.at_level(logging.WARNING, "stt_load"):
        master.on_signal(signal.SIGINT)
    starting.kill()
    assert master.environment.process_exit_code == ExitCode.ABORTED
    assert "SIGINT: no run is on, leaving" in caplog.text


# While it goes on ---------------------------------------------------------------------------------------------------


def test_the_shape_asks_how_many_users_there_should_be(make_master: MakeMaster) -> None:
    master = make_master()
    assert master.tick() == (3, 7.0)
    run = started(master)
    assert master.tick() == (3, 7.0)
    run.controller.plan.stop(0.0, "over")
    assert master.tick() is None


def test_callers_are_shared_anew_where_workers_have_changed_when_a_stage_begins(make_master: MakeMaster) -> None:
    """Locust shares them where their number changes, and keeps the last number that it was told."""
    runner = MadeMasterRunner(w0="running", w1="running")
    master = make_master(runner)
    run = started(master)
    runner.shape_last_tick = (3, 7.0)
    master.tick()
    assert runner.shape_last_tick is None  # the first time
    runner.shape_last_tick = (3, 7.0)
    master.tick()
    assert runner.shape_last_tick == (3, 7.0)
    runner.states["w1"] = "missing"
    ramp = run.controller.update
    run.controller.update = msgspec.structs.replace(ramp, phase=Phase.HOLD)
    master.tick()
    assert runner.shape_last_tick == (3, 7.0)  # not in the middle of a hold
    run.controller.update = ramp
    master.tick()
    assert runner.shape_last_tick is None


def test_the_shape_ends_where_no_worker_is_left_to_begin_with(
    make_master: MakeMaster, caplog: pytest.LogCaptureFixture
) -> None:
    """Locust fires no event then, and takes the number of users for told."""
    master = make_master(MadeMasterRunner())
    assert master.tick() == (3, 7.0)
    assert master.tick() is None
    assert "no worker is there any more" in caplog.text
    assert master.environment.process_exit_code == ExitCode.FAILED


def test_the_shape_waits_for_a_run_that_takes_long_to_prepare(make_master: MakeMaster) -> None:
    """A single process is asked each second, also while a slow name server is asked for the address of the server."""
    master = make_master()
    assert [master.tick() for _ in range(3)] == [(3, 7.0)] * 3


def test_a_worker_of_processes_that_ends_before_the_run_ends_the_wait(
    make_master: MakeMaster, caplog: pytest.LogCaptureFixture
) -> None:
    """Locust would wait for it for ever."""
    master = make_master(MadeMasterRunner())
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        gevent.spawn(child.kill)
        with pytest.raises(SystemExit) as caught:
            master._watch_workers([child.pid], n_wanted=1)
    assert caught.value.code == ExitCode.FAILED
    assert "ended before the run began" in caplog.text
    assert master.environment.runner.calls == ["quit"]


def test_the_shape_ends_where_the_options_make_no_run(
    make_master: MakeMaster, caplog: pytest.LogCaptureFixture
) -> None:
    master = make_master(web_ui=MadeWebUi(), hold="soon")
    assert master.tick() is None
    assert "--hold" in caplog.text
    assert master.environment.process_exit_code == ExitCode.USAGE


def test_a_single_process_has_callers_of_its_own_that_follow_the_run(make_master: MakeMaster) -> None:
    master = make_master()
    run = started(master)
    pool = master.ready_pool()
    assert pool.report.update == run.controller.update
    assert pool.report.update.phase is Phase.RAMP


def test_a_worker_that_comes_hears_where_the_run_is(make_master: MakeMaster) -> None:
    runner = MadeMasterRunner(w0="ready")
    master = make_master(runner)
    master.on_hello("w0", ["MadeUser"])
    assert runner.sent == []
    update = started(master).controller.update
    runner.sent.clear()
    master.on_hello("w1", ["MadeUser", "Other"])
    assert runner.sent == [(UPDATE, {"update": update.to_json(), "token": token_of(master), "has_ladder": True}, "w1")]


def test_a_worker_whose_locustfile_is_another_is_refused(make_master: MakeMaster) -> None:
    runner = MadeMasterRunner(w0="ready")
    make_master(runner).on_hello("w0", ["Speaker"])
    why = "its locustfile has no class MadeUser: start it with that of the master (-f)"
    assert runner.sent == [(REFUSED, {"problems": [why]}, "w0")]


def token_of(master: Master) -> str:
    """What the master's run has handed out to its workers."""
    assert master.run is not None
    assert isinstance(master.run.cluster, WorkerCluster)
    return master.run.cluster.token


def row_of(update: StageUpdate, report: WorkerReport) -> None:
    """One utterance of this worker, from its beginning to its end."""

    class Speaking:
        state = "waiting"

        def cut(self) -> None:
            raise AssertionError("nobody ends this one")

    report.begin(0, update, "a clip", Speaking())
    report.end(0, UtteranceRecord(update.run_id, 0, 0, 0, "hold", 3, "a clip", "words", kind="tts", outcome=Outcome.OK))


def test_reports_of_workers_reach_the_ledger_and_those_without_a_run_do_not(make_master: MakeMaster) -> None:
    runner = MadeMasterRunner(w0="running", w1="running")
    master = make_master(runner)
    stray = WorkerReport("run before")
    data = {REPORT_KEY: stray.take(None, 0.0).to_plain()}
    master.on_worker_report("w0", data)
    run = started(master)
    master.on_worker_report("w0", data)
    master.on_worker_report("w0", {"only": "Locust's own"})
    assert run.ledger.delivery()["totals"] == {}
    update = run.controller.update
    report = WorkerReport(update.run_id)
    report.apply(update)
    row_of(update, report)
    sent = report.take(80.0, 0.0).to_plain()
    master.on_worker_report("w0", {REPORT_KEY: sent})
    master.on_worker_report("w0", {REPORT_KEY: sent | {"token": "of another run"}})
    assert run.ledger.delivery()["totals"] == {}
    master.on_worker_report("w0", {REPORT_KEY: sent | {"token": token_of(master)}})
    assert run.ledger.delivery() == {"rows": 1, "totals": {"w0": 1}, "missing_seq": 0}
    assert run.ledger.cpu_pct() == 80.0
    with pytest.raises(ConfigError):
        master.ready_pool()


@pytest.mark.parametrize(
    "report",
    [
        None,
        5,
        {},
        {"snapshot": None, "rows": b""},
        {"snapshot": {"run_id": "run", "seq": "first"}, "rows": b""},
        {"snapshot": {}, "rows": 7, "token": []},
    ],
)
def test_a_report_that_makes_no_sense_is_left_out_and_told_once(
    make_master: MakeMaster, report: object, caplog: pytest.LogCaptureFixture
) -> None:
    master = make_master(MadeMasterRunner(w0="running"))
    run = started(master)
    for _ in range(3):
        master.on_worker_report("w0", {REPORT_KEY: report})
        master.on_drained("w0", {REPORT_KEY: report})
    for data in (None, 5, {}, {"token": None}):
        master.on_worker_report("w0", data)
        master.on_drained("w0", data)
    assert caplog.text.count("make no sense and are left out") == 1
    assert (run.ledger.delivery()["totals"], run.ledger.drained) == ({}, set())


def test_a_run_with_workers_ends_when_each_has_sent_its_last_rows(make_master: MakeMaster) -> None:
    runner = MadeMasterRunner(w0="running", w1="running")
    master = make_master(runner, timeout="600s")  # longer than this test may take
    run = started(master)
    update = run.controller.update
    stopping = gevent.spawn(master.on_test_stopping)
    settle()
    report = WorkerReport(update.run_id)
    report.apply(update)
    row_of(update, report)
    token = token_of(master)
    master.on_drained("w0", {REPORT_KEY: report.take(None, 0.0).to_plain() | {"token": token}, "token": token})
    master.on_drained("w1", {"token": "of the run before"})
    gevent.sleep(0.1)
    assert not stopping.ready()
    master.on_drained("w1", {"token": token})
    stopping.get()
    master.on_test_stop()
    assert master.run is None
    last = (run.folder.path / "stages.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    assert json.loads(last)["delivery"] == {
        "rows": 1,
        "totals": {"w0": 1},
        "missing_seq": 0,
        "workers_lost": 0,
    }


# The end ------------------------------------------------------------------------------------------------------------


def test_a_run_that_ends_leaves_its_exit_code_and_room_for_the_next(make_master: MakeMaster) -> None:
    master = make_master()
    first = started(master)
    master.on_test_stopping()
    stops = [gevent.spawn(master.on_test_stop) for _ in range(2)]  # a shape and a signal may both stop a test
    gevent.joinall(stops, raise_error=True)
    assert master.run is None
    assert master.environment.process_exit_code == ExitCode.NOT_BELIEVABLE, "nothing was measured"
    assert (first.folder.path / "summary.json").exists()
    second = started(master)
    assert second.folder.path != first.folder.path
    assert master.ready_pool() is not None


@pytest.mark.parametrize(("web_ui", "called"), [(None, "quit"), (MadeWebUi(), "stop")])
def test_a_run_that_fails_stops_its_load_with_or_without_a_shape(
    make_master: MakeMaster, web_ui: MadeWebUi | None, called: str
) -> None:
    master = make_master(web_ui=web_ui)
    started(master).fail(OSError(errno.EIO, "Input/output error"))
    settle()
    assert master.environment.runner.calls == [called]
    master.on_test_stopping()
    master.on_test_stop()
    assert master.environment.process_exit_code == ExitCode.FAILED


def test_whatever_goes_wrong_at_the_start_is_one_line_and_plays_no_callers(
    make_master: MakeMaster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise TypeError("of ours")

    monkeypatch.setattr(Run, "start", fail)
    master = make_master()
    with pytest.raises(gevent.GreenletExit):
        master.on_test_start()
    settle()
    assert master.environment.runner.calls == ["quit"]
    assert master.environment.process_exit_code == ExitCode.FAILED
    assert "the run could not start: TypeError: of ours (test_master.py, line " in caplog.text


def test_a_report_that_is_not_ready_in_time_is_no_success(
    make_master: MakeMaster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("stt_load.locust_plugin.master._CLOSE_LIMIT_S", 0.1)
    master = make_master()
    run = started(master)
    master.on_quitting()
    assert master.environment.process_exit_code == ExitCode.FAILED
    assert f"make it with `stt-load report {run.folder.path}`" in caplog.text


def test_events_without_a_run_change_nothing(make_master: MakeMaster) -> None:
    master = make_master()
    master.on_test_stopping()
    master.on_test_stop()
    master.on_drained("w0", {})
    master.on_quitting()
    assert master.environment.process_exit_code is None
    assert master.environment.runner.calls == []


def test_locust_does_not_leave_before_the_run_is_closed(make_master: MakeMaster) -> None:
    master = make_master()
    run = started(master)
    quitting = gevent.spawn(master.on_quitting)
    settle()
    assert master.environment.runner.calls == ["stop"]
    assert not quitting.ready()
    master.on_test_stopping()
    master.on_test_stop()
    quitting.get()
    assert (run.folder.path / "summary.json").exists()


def test_a_signal_aborts_the_run(make_master: MakeMaster, caplog: pytest.LogCaptureFixture) -> None:
    web_ui = MadeWebUi()
    master = make_master(web_ui=web_ui)
    run = started(master)
    with caplog.at_level(logging.WARNING, "stt_load"):
        master.on_signal(signal.SIGHUP)
    assert run.is_aborted
    assert (master.environment.runner.calls, web_ui.is_stopped) == (["quit"], True)
    assert "SIGHUP: ending the run" in caplog.text
    quitting = gevent.spawn(master.on_quitting)
    settle()
    assert master.environment.runner.calls == ["quit"], "it stops what it quits"
    master.on_test_stopping()
    master.on_test_stop()
    quitting.get()
    assert master.environment.process_exit_code == ExitCode.ABORTED


def test_a_master_that_is_told_to_leave_before_its_run_ends_the_process(make_master: MakeMaster) -> None:
    master = make_master()
    with pytest.raises(SystemExit) as ended:
        master._leave()
    assert ended.value.code == ExitCode.ABORTED
    assert master.environment.runner.calls == ["quit"]
