"""A run is led through its stages: what is written, told and counted, with a real plan, ledger and folder."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import pytest
from fakes import START_S, FakeClock
from scripted_callers import CLIPS

from stt_load.clock import SteadyWallClock
from stt_load.errors import Outcome, WriteError
from stt_load.records import UtteranceRecord
from stt_load.report.stage_timeline import timelines_of
from stt_load.run.controller import RunController
from stt_load.run.ledger import Ledger
from stt_load.run.plan import ALL_REFUSED, NOBODY_BEGAN, FollowPlan, LadderPlan, Phase, Plan, Timing
from stt_load.run.run_folder import RunFolder
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import WorkerReport

LIMIT_S = 30.0
AHEAD_S = 1_700_000_000.0  # of the wall clock
TIMING = Timing(hold_s=10.0, settle_s=1.0, ramp_rate=10.0, utterance_limit_s=LIMIT_S)


class Active:
    """A caller in the middle of an utterance."""

    state = "speaking"

    def cut(self) -> None:
        raise AssertionError("nobody ends this one")


class MadeCluster:
    """Workers whose callers the test plays. They report when they are collected from."""

    scoring_share = 1.0

    def __init__(self, *workers: str) -> None:
        self.reports = {worker: WorkerReport("run") for worker in workers}
        self.present = list(workers)
        self.cpu_pct: dict[str, float] = {}
        self.reached = 0
        self.target = 0
        self.told: list[StageUpdate] = []
        self.is_deaf = False
        self.silent: set[str] = set()  # present, and not heard
        self.now_s = START_S

    def workers(self) -> Sequence[str]:
        return self.present

    def tell(self, update: StageUpdate) -> None:
        self.told.append(update)
        if not self.is_deaf:
            for report in self.reports.values():
                report.apply(update)

    def collect(self, ledger: Ledger) -> None:
        for worker in set(self.present) - self.silent:
            message = self.reports[worker].take(self.cpu_pct.get(worker), 0.0)
            ledger.accept(worker, message.snapshot, self.now_s, message.rows)

    def drain(self, ledger: Ledger, is_cut: bool, limit_s: float) -> None:
        raise AssertionError("the controller leaves this to the run")

    def begin(self, user: int = 0, worker: str = "w0") -> None:
        update = self.told[-1]
        self.reports[worker].begin(user, update, CLIPS.clips[user].clip_id, Active())

    def end(self, user: int = 0, worker: str = "w0", outcome: Outcome = Outcome.OK, **what: Any) -> None:
        update, clip = self.told[-1], CLIPS.clips[user]
        settings = {"phase": "hold", "stage": update.stage, "outcome": outcome, **what}
        record = UtteranceRecord(
            run_id="run",
            worker=0,
            user=user,
            users=update.users,
            clip_id=clip.clip_id,
            reference=clip.reference,
            **settings,
        )
        self.reports[worker].end(user, record)


class Led:
    """A controller over a made cluster, a clock that the test moves, and what came of it."""

    def __init__(self, folder: Path, cluster: MadeCluster, plan: Plan) -> None:
        self.clock = FakeClock()
        self.cluster = cluster
        self.folder = RunFolder(folder)
        references = {clip.clip_id: clip.reference for clip in CLIPS.clips}
        self.ledger = Ledger("run", references, self.folder.add_utterances)
        self.updates: list[StageUpdate] = []
        self.n_steps = 0
        self.breaches: dict[int, str] = {}
        self.faults: list[Exception] = []
        self.controller = RunController(
            *("run", plan, cluster, self.ledger, self.folder),
            *(self.updates.append, self._count_step, self.faults.append, lambda stage: True),
            *(lambda stage, begun: self.breaches.get(stage), SteadyWallClock(AHEAD_S), self.clock),
        )
        self.controller.start()

    def _count_step(self) -> None:
        self.n_steps += 1

    def step(self, after_s: float = 0.0) -> bool:
        self.clock.now_s += after_s
        self.cluster.now_s = self.clock.now_s
        return self.controller.step()

    @property
    def phase(self) -> Phase:
        return self.controller.update.phase

    def lines(self) -> list[dict[str, Any]]:
        text = (self.folder.path / "stages.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


Lead = Callable[..., Led]


@pytest.fixture
def lead(tmp_path: Path) -> Lead:
    def start(cluster: MadeCluster | None = None, plan: Plan | None = None) -> Led:
        return Led(tmp_path, cluster or MadeCluster("w0"), plan or LadderPlan((1, 2), TIMING))

    return start


def to_hold(led: Led, users: int = 1) -> None:
    led.cluster.reached = users
    for user in range(users):
        led.cluster.begin(user)
        led.cluster.end(user, phase="ramp")
    led.step()
    assert led.phase is Phase.HOLD


def test_a_hold_lasts_until_every_caller_of_every_worker_has_begun_an_utterance_that_counts(lead: Lead) -> None:
    """One of them hangs since the ramp, while the other speaks on."""
    cluster = MadeCluster("w0", "w1")
    led = lead(cluster, LadderPlan((2,), replace(TIMING, at_least=1)))
    cluster.reached = 2
    cluster.begin(0, "w0")
    cluster.begin(0, "w1")
    led.step()
    assert led.phase is Phase.HOLD
    for _ in range(3):
        cluster.end(0, "w0")
        cluster.begin(0, "w0")
        led.step(after_s=6.0)
        assert led.phase is Phase.HOLD
    cluster.end(0, "w1", phase="ramp", outcome=Outcome.TIMED_OUT)
    cluster.begin(0, "w1")
    led.step()
    assert led.phase is Phase.GRACE


def test_a_hold_ends_as_soon_as_an_objective_is_missed_for_certain_and_the_counted_still_end(lead: Lead) -> None:
    led = lead()
    to_hold(led)
    led.cluster.begin(0)
    led.breaches[0] = "9 of 10 utterances failed of error_rate<1%"
    led.step()
    assert led.phase is Phase.GRACE
    assert led.lines()[-1]["reason"] == "ended early: 9 of 10 utterances failed of error_rate<1%"
    led.step()
    assert led.phase is Phase.GRACE
    led.cluster.end(0)
    led.step()
    assert led.phase is Phase.SETTLE
    led.step(after_s=TIMING.settle_s)
    assert not led.step(after_s=TIMING.settle_s)
    assert led.controller.plan.is_done


def test_a_ladder_is_led_from_its_first_stage_to_its_last(lead: Lead) -> None:
    led = lead()
    for users in (1, 2):
        to_hold(led, users)
        for user in range(users):
            led.cluster.begin(user)
            led.cluster.end(user)
        assert led.step(after_s=10.0)
        assert led.phase is Phase.GRACE
        assert led.step()
        assert led.phase is Phase.SETTLE
        led.step()
        is_going_on = led.step(after_s=1.0)
        assert is_going_on is (users == 1)
    assert led.controller.is_done
    led.controller.finish("stopped", is_aborted=False)
    lines = led.lines()
    stage = ["ramp", "hold", "grace", "settle"]
    assert [(line["stage"], line["phase"]) for line in lines] == [
        *((0, phase) for phase in stage),
        *((1, phase) for phase in stage),
        (1, "done"),
    ]
    assert [line["seq"] for line in lines] == list(range(9))
    assert {line["t"] - line["mono"] for line in lines} == {AHEAD_S}
    assert lines[-1]["t"] - lines[0]["t"] == led.clock.now_s - START_S
    assert [(line["begun"], line["ended"]) for line in lines if line["phase"] == "settle"] == [(1, 1), (2, 2)]
    assert (lines[-1]["reason"], lines[-1]["aborted"]) == ("all stages done", False)
    assert lines[-1]["delivery"] == {"rows": 6, "totals": {"w0": 6}, "missing_seq": 0, "workers_lost": 0}
    assert {line["run_id"] for line in lines} == {"run"}


def test_every_transition_is_told_with_a_number_of_its_own_and_the_workers_of_now(lead: Lead) -> None:
    cluster = MadeCluster("w0", "w1")
    led = lead(cluster)
    to_hold(led)
    cluster.present.append("w2")
    cluster.reports["w2"] = WorkerReport("run")
    led.step(after_s=10.0)
    told = [(update.seq, update.phase, update.users, update.roster) for update in cluster.told]
    assert told == [
        (0, Phase.RAMP, 1, ("w0", "w1")),
        (1, Phase.HOLD, 1, ("w0", "w1")),
        (2, Phase.GRACE, 1, ("w0", "w1", "w2")),
    ]
    assert led.updates == cluster.told
    assert led.n_steps == 2


def test_what_has_ended_is_taken_in_before_the_plan_is_asked(lead: Lead) -> None:
    led = lead()
    to_hold(led)
    led.cluster.begin()
    led.step(after_s=10.0)
    led.step(after_s=1.0)
    assert led.phase is Phase.GRACE
    led.cluster.end()
    led.step()
    assert led.phase is Phase.SETTLE


def test_a_worker_that_has_not_heard_of_the_grace_is_waited_for(lead: Lead) -> None:
    cluster = MadeCluster("w0")
    led = lead(cluster)
    to_hold(led)
    cluster.is_deaf = True
    led.step(after_s=10.0)
    led.step(after_s=1.0)
    assert led.phase is Phase.GRACE
    cluster.reports["w0"].apply(cluster.told[-1])
    led.step()
    assert led.phase is Phase.SETTLE


def test_a_worker_that_is_lost_is_counted_and_not_waited_for(lead: Lead) -> None:
    cluster = MadeCluster("w0", "w1")
    led = lead(cluster)
    to_hold(led)
    cluster.begin(0, "w0")
    cluster.begin(1, "w1")
    led.step(after_s=10.0)
    cluster.end(0, "w0")
    cluster.present.remove("w1")
    led.step()
    assert led.phase is Phase.SETTLE
    assert (led.lines()[-1]["workers"], led.lines()[-1]["workers_lost"]) == (1, 1)
    led.controller.finish("stopped", is_aborted=False)
    assert led.lines()[-1]["delivery"]["workers_lost"] == 1


def test_a_worker_that_was_silent_for_long_counts_as_lost_in_that_stage_alone(
    lead: Lead, caplog: pytest.LogCaptureFixture
) -> None:
    """Its callers have stopped meanwhile, for want of a word of the master's."""
    cluster = MadeCluster("w0", "w1")
    led = lead(cluster, LadderPlan((1, 1), TIMING))
    to_hold(led)
    for worker in ("w0", "w1"):
        cluster.begin(worker=worker)
        cluster.end(worker=worker)
    cluster.silent.add("w1")
    with caplog.at_level(logging.WARNING, "stt_load"):
        led.step(after_s=7.0)
        assert not caplog.records  # a network may hold a report up
        led.step(after_s=2.0)
        led.step(after_s=2.0)
        cluster.silent.clear()
        while led.controller.update.stage == 0:
            led.step(after_s=1.0)
    assert [record.getMessage() for record in caplog.records] == [
        "load worker w1 is silent for 9 s, in stage 1, hold",
        "load worker w1 is heard again, in stage 1, grace",
    ]
    led.step()
    led.controller.finish("stopped", is_aborted=False)
    first, second = timelines_of(led.lines())
    assert (first.workers_lost, second.workers_lost) == (1, 0)


@pytest.mark.parametrize(("is_aborted", "lost"), [(False, 2), (True, 1)])
def test_workers_that_are_gone_at_the_end_are_lost_unless_the_run_was_aborted_and_their_last_rows_have_come(
    is_aborted: bool, lost: int, lead: Lead
) -> None:
    cluster = MadeCluster("w0", "w1")
    led = lead(cluster)
    to_hold(led)
    cluster.present.clear()
    led.ledger.drained.add("w0")
    led.controller.finish("aborted" if is_aborted else "stopped", is_aborted)
    last = led.lines()[-1]
    assert (last["phase"], last["aborted"], last["delivery"]["workers_lost"]) == ("done", is_aborted, lost)
    assert last["reason"] == ("aborted" if is_aborted else "stopped")


def test_a_run_without_callers_ends_with_one_line(lead: Lead, caplog: pytest.LogCaptureFixture) -> None:
    led = lead(plan=LadderPlan((1, 2), replace(TIMING, at_least=5)))
    led.cluster.reached = 1
    assert led.step()
    with caplog.at_level(logging.WARNING, "stt_load"):
        while led.step(after_s=10.0):
            pass
    assert led.controller.is_done
    led.controller.finish("stopped", is_aborted=False)
    assert led.lines()[-1]["reason"] == NOBODY_BEGAN
    assert [record.getMessage() for record in caplog.records] == [f"the run ends: {NOBODY_BEGAN}"]


def test_a_server_that_refuses_everybody_ends_the_run_after_its_first_stage(
    lead: Lead, caplog: pytest.LogCaptureFixture
) -> None:
    led = lead()
    to_hold(led)
    for _ in range(3):
        led.cluster.begin()
        led.cluster.end(outcome=Outcome.REFUSED, refusal="auth", error="HTTP 401")
    with caplog.at_level(logging.WARNING, "stt_load"):
        led.step(after_s=10.0)
        led.step()
        led.step()
    assert not led.step(after_s=1.0)
    assert led.controller.is_done
    led.controller.finish("stopped", is_aborted=False)
    assert led.lines()[-1]["reason"] == ALL_REFUSED
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith("the first refused (auth): HTTP 401: ")
    assert "set STT_LOAD_API_KEY on every worker" in warning


def test_one_warning_for_each_kind_of_failure(lead: Lead, caplog: pytest.LogCaptureFixture) -> None:
    led = lead()
    to_hold(led)
    with caplog.at_level(logging.WARNING, "stt_load"):
        for user, outcome in enumerate(
            (Outcome.TIMED_OUT, Outcome.TIMED_OUT, Outcome.DISCONNECTED, Outcome.INTERRUPTED)
        ):
            led.cluster.begin(user)
            led.cluster.end(user, outcome=outcome, error=f"fault {user}")
            led.step()
    assert [record.getMessage() for record in caplog.records] == [
        "the first timed_out: fault 0",
        "the first disconnected: fault 2",
    ]


def test_a_transition_has_the_highest_cpu_since_the_one_before(lead: Lead) -> None:
    cluster = MadeCluster("w0", "w1")
    led = lead(cluster)
    to_hold(led)
    for low_pct, high_pct in ((10.0, 60.0), (85.0, 20.0), (30.0, 40.0)):
        cluster.cpu_pct = {"w0": low_pct, "w1": high_pct}
        led.step()
    cluster.cpu_pct = {"w0": 5.0, "w1": 6.0}
    led.step(after_s=10.0)
    cluster.cpu_pct = {"w0": 7.0, "w1": 6.0}
    led.step()
    assert [line["generator_cpu_pct"] for line in led.lines()] == [None, None, 85.0, 7.0]


def test_without_a_ladder_each_change_of_the_target_is_a_stage(lead: Lead) -> None:
    led = lead(plan=FollowPlan(5))
    led.cluster.target = led.cluster.reached = 5
    led.step()
    led.cluster.target = 8
    led.step()
    led.cluster.reached = 8
    led.step()
    assert [(line["stage"], line["phase"], line["users"]) for line in led.lines()] == [
        (0, "ramp", 5),
        (0, "hold", 5),
        (1, "ramp", 8),
        (1, "hold", 8),
    ]


def test_it_leads_in_a_greenlet_until_it_is_told_to_stop(lead: Lead) -> None:
    led = lead()
    led.cluster.reached = 1
    led.cluster.begin()
    with gevent.Timeout(60):
        while led.phase is not Phase.HOLD:
            gevent.sleep(0.01)
    led.controller.stop_leading()
    led.clock.now_s += 1_000.0
    gevent.sleep(0.2)
    assert led.phase is Phase.HOLD
    led.controller.stop_leading()


def test_a_hold_that_the_run_is_ended_in_is_over_when_its_load_is_told_to_end(lead: Lead) -> None:
    led = lead()
    to_hold(led)
    led.clock.now_s += 5.0
    led.controller.stop_leading()
    led.clock.now_s += 30.0  # utterances in flight end, and are no part of it
    led.controller.stop_leading()
    led.controller.finish("stopped", is_aborted=False)
    (stage,) = timelines_of(led.lines())
    assert stage.hold_span is not None
    assert stage.hold_span[1] - stage.hold_span[0] == pytest.approx(5.0)


def test_any_error_ends_the_leading_and_is_handed_on(lead: Lead) -> None:
    led = lead()
    led.cluster.present = ["a stranger"]  # of whom the cluster has no report
    led.controller._lead()
    assert [type(fault) for fault in led.faults] == [KeyError]


def test_a_folder_that_has_gone_ends_the_leading(lead: Lead) -> None:
    led = lead()
    shutil.rmtree(led.folder.path)
    led.controller._lead()
    assert [type(fault) for fault in led.faults] == [WriteError]


def test_a_fault_met_with_a_row_ends_the_leading_and_the_row_is_kept(
    lead: Lead, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*row: object) -> None:
        raise ValueError("no row can be scored")

    led = lead()
    led.cluster.begin()
    monkeypatch.setattr("stt_load.metrics.scorer.Scorer.fill", fail)
    led.cluster.end(text="words")
    led.controller._lead()
    assert [type(fault) for fault in led.faults] == [ValueError]
    assert len((led.folder.path / "utterances.jsonl").read_text(encoding="utf-8").splitlines()) == 1
