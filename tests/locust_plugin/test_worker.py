"""A worker follows the master's stage updates and reports, with callers or without. No Locust, no process."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from made_locust import MadeRunner, made_environment, names, settle

from stt_load.config import parse_options
from stt_load.credentials import TTS_KEY_VARIABLE
from stt_load.errors import ConfigError, Outcome
from stt_load.locust_plugin.cluster.messages import DRAINED, EQUIPMENT, HELLO, REPORT_KEY, SERVERS_OPTION, UPDATE_OPTION
from stt_load.locust_plugin.worker import Worker
from stt_load.records import UtteranceRecord
from stt_load.run.lease import ABSENCE_LIMIT_S, LEASE_S
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import ReportMessage, Snapshot

# Of this kind of load the clips are texts: they are there at once.
TOKEN = "what the master handed out"
OPTIONS = {"dialect": "tts-openai", "stt_url": "http://127.0.0.1:9/v1/audio/speech"}


@pytest.fixture(autouse=True)
def nothing_stays_frozen() -> Iterator[None]:
    yield
    gc.unfreeze()


def update(phase: Phase = Phase.HOLD, seq: int = 1, run_id: str = "run", stage: int = 0) -> str:
    return StageUpdate(run_id, seq, stage, phase, 2, ("w0",)).to_json()


def told(*arguments: Any, **more: Any) -> dict[str, Any]:
    """The update as it travels."""
    return {"update": update(*arguments, **more), "token": TOKEN, "has_ladder": True}


def made_worker(**options: Any) -> Worker:
    return Worker(made_environment(MadeRunner(), **{**OPTIONS, **options}))


def reported(worker: Worker) -> Snapshot | None:
    """What it adds to Locust's report."""
    data: dict[str, Any] = {}
    worker.on_report(data)
    return ReportMessage.from_plain(data[REPORT_KEY]).snapshot if data else None


class Speaking:
    """A caller in the middle of an utterance, which ends when it is cut."""

    state = "speaking"
    is_cut = False

    def __init__(self, worker: Worker) -> None:
        self._report = worker.report
        assert worker.report.update is not None
        self._report.begin(0, worker.report.update, "clip", self)

    def cut(self) -> None:
        self.is_cut = True
        record = UtteranceRecord("run", 0, 0, 0, "hold", 2, "clip", "words", outcome=Outcome.INTERRUPTED)
        self._report.end(0, record)


def test_a_worker_with_tags_in_its_environment_leaves_before_it_says_hello(capsys: pytest.CaptureFixture[str]) -> None:
    worker = made_worker(tags=["smoke"])
    with pytest.raises(SystemExit) as caught:
        worker.on_init()
    assert caught.value.code == 2
    assert "LOCUST_TAGS" in capsys.readouterr().err
    assert worker.environment.runner.sent == []


def test_a_worker_shows_its_key_to_no_server_that_its_master_was_not_started_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody has typed another server into the master's web UI, and the master has no key itself."""
    monkeypatch.setenv(TTS_KEY_VARIABLE, "sesame")
    with pytest.raises(ConfigError, match=r"would go to http://127\.0\.0\.1:9, which was not named"):
        made_worker(**{SERVERS_OPTION: {"stt-url": ["http://127.0.0.1:8"]}}).ready_pool()
    named = made_worker(**{SERVERS_OPTION: {"stt-url": ["http://127.0.0.1:9"]}, UPDATE_OPTION: told()})
    assert named.ready_pool() is not None


def test_before_the_first_run_there_is_nothing_to_report() -> None:
    worker = made_worker()
    assert reported(worker) is None
    worker.on_drain(is_cut=False, limit_s=1.0, token=TOKEN)
    assert worker.environment.runner.sent == [(DRAINED, {"token": TOKEN})]


def test_a_worker_without_callers_reports_that_it_has_heard_of_the_stage() -> None:
    worker = made_worker()
    worker.on_update(update(Phase.RAMP, seq=0), TOKEN, has_ladder=True)
    worker.on_update(update(seq=1), TOKEN, has_ladder=True)
    snapshots = [reported(worker), reported(worker)]
    assert [(each.run_id, each.seq, each.update_seq, each.in_flight) for each in snapshots if each] == [
        ("run", 0, 1, 0),
        ("run", 1, 1, 0),
    ]


def test_callers_are_made_once_a_run_and_follow_what_came_before_and_after() -> None:
    worker = made_worker()
    worker.on_update(update(Phase.RAMP, seq=0), TOKEN, has_ladder=True)
    reported(worker)
    setattr(worker.environment.parsed_options, UPDATE_OPTION, told(Phase.RAMP, seq=0))
    pool = worker.ready_pool()
    assert worker.ready_pool() is pool
    assert pool.config == parse_options(OPTIONS)
    worker.on_update(update(seq=1), TOKEN, has_ladder=True)
    worker.on_update(update(Phase.RAMP, seq=0), TOKEN, has_ladder=True)
    assert pool.report.update == StageUpdate.from_json(update(seq=1))
    snapshot = reported(worker)
    assert snapshot is not None
    assert (snapshot.seq, snapshot.update_seq) == (1, 1), "numbers go on where the worker without callers was"


def test_a_worker_that_joins_late_knows_the_stage_from_its_options() -> None:
    worker = made_worker(**{UPDATE_OPTION: told(Phase.HOLD, seq=6, stage=2)})
    assert worker.ready_pool().report.update == StageUpdate.from_json(update(Phase.HOLD, seq=6, stage=2))


def test_another_run_has_callers_and_a_report_of_its_own() -> None:
    worker = made_worker(**{UPDATE_OPTION: told(seq=4)})
    before = worker.ready_pool()
    Speaking(worker).cut()
    worker.on_update(update(Phase.RAMP, seq=0, run_id="next run"), TOKEN, has_ladder=True)
    snapshot = reported(worker)
    assert snapshot is not None
    assert (snapshot.run_id, snapshot.seq, snapshot.update_seq, snapshot.total) == ("next run", 0, 0, 0)
    setattr(worker.environment.parsed_options, UPDATE_OPTION, told(Phase.RAMP, seq=0, run_id="next run"))
    assert worker.ready_pool() is not before
    assert worker.ready_pool().report is worker.report
    assert before.report.update == StageUpdate.from_json(update(seq=4)), "the run before hears of nothing more"


def test_other_options_are_other_callers_of_the_same_run() -> None:
    worker = made_worker(**{UPDATE_OPTION: told()})
    before = worker.ready_pool()
    worker.environment.parsed_options.seed = "8"
    after = worker.ready_pool()
    assert after is not before
    assert after.config.seed == 8
    assert after.report is before.report


def test_a_drain_ends_what_is_in_flight_and_sends_its_rows() -> None:
    worker = made_worker(**{UPDATE_OPTION: told()})
    worker.ready_pool()
    Speaking(worker)
    worker.on_drain(is_cut=True, limit_s=60.0, token=TOKEN)
    ((name, data),) = worker.environment.runner.sent
    message = ReportMessage.from_plain(data[REPORT_KEY])
    assert (name, message.snapshot.in_flight, message.snapshot.total) == (DRAINED, 0, 1)
    assert UtteranceRecord.from_json(message.rows).outcome == Outcome.INTERRUPTED


def test_a_worker_that_is_told_to_end_sends_its_rows_before_it_quits() -> None:
    worker = made_worker(**{UPDATE_OPTION: told()})
    worker.ready_pool()
    Speaking(worker)
    worker.on_signal(signal.SIGTERM)
    settle()
    ((name, data),) = worker.environment.runner.sent
    assert (name, ReportMessage.from_plain(data[REPORT_KEY]).snapshot.total) == (DRAINED, 1)
    assert worker.environment.runner.calls == ["quit"]


def test_the_callers_of_a_worker_whose_lease_is_over_stop_until_the_master_says_which_stage_is_on() -> None:
    worker = made_worker(**{UPDATE_OPTION: told()})
    pool = worker.ready_pool()
    caller, speaking = pool.new_caller(), Speaking(worker)
    worker.on_heartbeat()
    worker._heard_s = time.monotonic() - LEASE_S - 1.0
    watching = gevent.spawn(worker._watch_master)
    gevent.sleep(1.1)  # the second look
    assert speaking.is_cut
    assert not pool._may_speak(caller, worker.report.update)
    assert worker.environment.runner.calls == []  # the connection is still open: the master may come back
    worker.on_heartbeat()
    assert names(worker.environment.runner.sent) == [HELLO]
    worker.on_update(**told())  # the answer, which says nothing new
    assert pool._may_speak(caller, worker.report.update)
    watching.kill()


def test_a_worker_leaves_a_master_that_is_silent_and_whose_connection_is_closed() -> None:
    worker = made_worker()
    worker.on_init()
    worker.on_heartbeat()
    worker.environment.runner.client.connection = None
    worker._heard_s = time.monotonic() - LEASE_S - 1.0
    gevent.sleep(1.1)
    assert names(worker.environment.runner.sent) == [HELLO]
    assert worker.environment.runner.calls == ["quit"]
    assert worker.environment.process_exit_code == 1


@pytest.mark.parametrize(
    ("silent_looks", "connection", "is_gone"),
    [(0, None, False), (1, None, True), (1, 2, True), (1, 1, False), (int(ABSENCE_LIMIT_S), 1, True)],
)
def test_how_long_a_silent_master_is_waited_for(silent_looks: int, connection: int | None, is_gone: bool) -> None:
    """Behind another connection may be another master."""
    worker = made_worker()
    worker.on_heartbeat()
    worker.environment.runner.client.connection = connection
    assert worker._is_master_gone(silent_looks) is is_gone


def test_a_master_that_was_heard_a_moment_ago_is_not_asked_again_and_one_that_was_never_heard_is_not_silent() -> None:
    worker = made_worker()
    assert worker._silence_s() == 0.0
    worker.on_heartbeat()
    worker.on_heartbeat()
    assert worker.environment.runner.sent == []


def test_a_worker_whose_clock_is_set_stays_with_its_master(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = made_worker()
    worker.on_heartbeat()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert worker._silence_s() < LEASE_S


def test_heartbeats_go_on_while_clips_are_loaded() -> None:
    """They are loaded in a real thread: other greenlets have their turn meanwhile."""
    worker = made_worker(**{UPDATE_OPTION: told()})
    beats = []

    def beat() -> None:
        while True:
            beats.append(time.monotonic())
            gevent.sleep(0)

    beating = gevent.spawn(beat)
    worker.ready_pool()
    beating.kill()
    assert beats


@pytest.mark.parametrize("has_ladder", [True, False])
def test_whether_callers_finish_when_they_leave_is_the_masters_word(has_ladder: bool) -> None:
    """The worker's own locustfile may be another one."""
    worker = made_worker(**{UPDATE_OPTION: told() | {"has_ladder": has_ladder}})
    pool = worker.ready_pool()
    assert pool._take == (pool._speak if has_ladder else pool._speak_to_the_end)


def test_a_worker_that_is_asked_says_what_it_has_and_one_that_is_refused_leaves_with_2(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = made_worker()
    worker.on_terms({**OPTIONS, "seed": "8"})
    ((name, data),) = worker.environment.runner.sent
    assert (name, data["problems"], len(data["equipment"]["clips"]) > 0) == (EQUIPMENT, [], True)
    worker.on_refused(["its clips are others"])
    settle()
    assert "the master refuses this worker: its clips are others" in caplog.text
    assert (worker.environment.process_exit_code, worker.environment.runner.calls) == (2, ["quit"])
