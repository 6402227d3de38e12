"""From a worker's report over the wire into the master's ledger: nothing lost unnoticed, nobody's words missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
from fakes import FakeClock, ScriptedTransport, record_of, speak
from hypothesis import given
from hypothesis import strategies as st

from stt_load.audio.clip import ClipWord
from stt_load.clock import SteadyWallClock
from stt_load.dialects.parakeet import Parakeet
from stt_load.errors import Outcome
from stt_load.metrics.normaliser import CHINESE
from stt_load.records import OnScreen, UtteranceRecord
from stt_load.run.ledger import Allowance, Ledger
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import ReportMessage, Snapshot, WorkerReport
from stt_load.session.actions import SessionRules

REFERENCES = {
    "bills": "please send me a copy of my last three bills by email",
    "train": "the quick train to the airport leaves from platform nine",
    "house": "we moved house in april and the heating still does not work",
}


def update(phase: Phase = Phase.HOLD, stage: int = 0, seq: int = 1, run_id: str = "run") -> StageUpdate:
    return StageUpdate(run_id, seq, stage, phase, 2, ("w0", "w1"))


def record(clip_id: str = "bills", text: str | None = None, **what: Any) -> UtteranceRecord:
    reference = REFERENCES[clip_id]
    words = reference if text is None else text
    settings = {"run_id": "run", "worker": 0, "user": 0, "stage": 0, "phase": "hold", "users": 2, **what}
    return UtteranceRecord(
        **settings,
        clip_id=clip_id,
        reference=reference,
        outcome=Outcome.OK,
        text=words,
        messages=[(1.2, words)] if words else [],
    )


def over_the_wire(message: ReportMessage) -> ReportMessage:
    """What Locust does to a report: msgpack there and back. Fails on whatever is no plain Python value."""
    received = msgpack.unpackb(msgpack.packb(message.to_plain(), strict_types=True), strict_map_key=True)
    assert ReportMessage.from_plain(received) == message
    return ReportMessage.from_plain(received)


def report_under(update: StageUpdate) -> WorkerReport:
    """A worker's part of a run that has just heard of this stage."""
    report = WorkerReport(update.run_id)
    report.apply(update)
    return report


class Speaking:
    """An active caller in this state."""

    def __init__(self, state: str) -> None:
        self._state = state
        self.n_asked = 0

    @property
    def state(self) -> str:
        self.n_asked += 1
        return self._state

    def cut(self) -> None:
        raise AssertionError("nobody ends this one")


class Written(list[UtteranceRecord]):
    """The rows that a ledger has written."""

    def take(self, lines: bytes) -> None:
        assert lines.endswith(b"\n")
        self.extend(map(UtteranceRecord.from_json, lines.splitlines()))


AHEAD_S = 1_700_000_000.0  # of the master's wall clock


class Cluster:
    """Two workers and a master, with the wire between them."""

    def __init__(self) -> None:
        self.written = Written()
        self.ledger = Ledger("run", REFERENCES, self.written.take, wall_clock=SteadyWallClock(AHEAD_S))
        self.reports = {"w0": report_under(update()), "w1": report_under(update())}
        for report in self.reports.values():
            report.wall_clock = SteadyWallClock(AHEAD_S)
        self.now_s = 0.0

    def begin(self, worker: str, user: int, clip_id: str = "bills", under: StageUpdate | None = None) -> None:
        under = under or update()
        self.reports[worker].apply(under)
        self.reports[worker].begin(user, under, clip_id, Speaking("speaking"))

    def end(self, worker: str, user: int, ended: UtteranceRecord | None = None) -> None:
        ended = ended or record()
        ended.worker, ended.user = int(worker.removeprefix("w")), user
        self.reports[worker].end(user, ended)

    def take(self, worker: str) -> ReportMessage:
        return over_the_wire(self.reports[worker].take(12.5, self.now_s))

    def report(self, worker: str) -> None:
        self.accept(worker, self.take(worker))

    def accept(self, worker: str, message: ReportMessage) -> None:
        self.ledger.accept(worker, message.snapshot, self.now_s, message.rows)

    def accept_snapshot(self, worker: str) -> None:
        """A single process sends no rows along: they wait in the report."""
        self.ledger.accept(worker, self.reports[worker].snapshot(12.5, self.now_s), self.now_s)


def test_rows_are_scored_under_the_normaliser_of_the_run() -> None:
    written = Written()
    report = report_under(update())
    report.begin(0, update(), "bills", Speaking("speaking"))
    spoken = record(text="我要退號")
    spoken.reference = "我要退货。"
    report.end(0, spoken)
    message = report.take(12.5, 0.0)
    Ledger("run", REFERENCES, written.take, normaliser=CHINESE).accept("w0", message.snapshot, 0.0, message.rows)
    (row,) = written
    assert (row.normaliser, row.wer, row.cer, row.reference_words) == (CHINESE.title, 1 / 4, 1 / 4, 4)


def test_rows_and_totals_agree_when_nothing_is_lost() -> None:
    cluster = Cluster()
    for worker, users in (("w0", 3), ("w1", 2)):
        for user in range(users):
            cluster.begin(worker, user)
            cluster.end(worker, user)
        cluster.report(worker)
        cluster.report(worker)
    assert cluster.ledger.delivery() == {"rows": 5, "totals": {"w0": 3, "w1": 2}, "missing_seq": 0}
    assert len(cluster.written) == 5
    assert cluster.ledger.outcomes == {"ok": 5}


def test_a_lost_report_is_noticed_by_its_number_and_by_the_total() -> None:
    cluster = Cluster()
    cluster.begin("w0", 0)
    cluster.report("w0")
    cluster.end("w0", 0)
    cluster.take("w0")  # never arrives
    cluster.report("w0")
    assert cluster.ledger.delivery() == {"rows": 0, "totals": {"w0": 1}, "missing_seq": 1}


@given(steps=st.lists(st.sampled_from(["utterance", "report", "lost report"]), max_size=40))
def test_whatever_happens_missing_rows_are_known(steps: list[str]) -> None:
    cluster = Cluster()
    lost_reports = lost_rows = waiting = 0
    for step in [*steps, "report"]:
        if step == "utterance":
            cluster.begin("w0", 0)
            cluster.end("w0", 0)
            waiting += 1
        elif step == "report":
            cluster.report("w0")
            waiting = 0
        else:
            cluster.take("w0")
            lost_reports, lost_rows, waiting = lost_reports + 1, lost_rows + waiting, 0
    delivery = cluster.ledger.delivery()
    assert delivery["missing_seq"] == lost_reports
    assert sum(delivery["totals"].values()) - delivery["rows"] == lost_rows


def test_a_late_report_of_the_run_before_is_left_out() -> None:
    cluster = Cluster()
    before = report_under(update(run_id="run before"))
    before.begin(0, update(run_id="run before"), "bills", Speaking("speaking"))
    before.end(0, record())
    cluster.accept("w0", over_the_wire(before.take(None, 0.0)))
    assert cluster.written == []
    assert cluster.ledger.delivery() == {"rows": 0, "totals": {}, "missing_seq": 0}


def test_only_what_begins_in_the_hold_counts_but_every_row_is_kept() -> None:
    cluster = Cluster()
    for user, phase in enumerate((Phase.RAMP, Phase.HOLD, Phase.GRACE)):
        cluster.begin("w0", user, under=update(phase))
        cluster.end("w0", user, record(phase=str(phase)))
    cluster.report("w0")
    assert (cluster.ledger.begun(0), cluster.ledger.ended(0), cluster.ledger.speaking(0)) == (1, 1, 3)
    assert [row.phase for row in cluster.written] == ["ramp", "hold", "grace"]


def test_each_stage_is_counted_apart() -> None:
    cluster = Cluster()
    later = update(stage=1, seq=5)
    cluster.begin("w0", 0)
    cluster.end("w0", 0)
    cluster.begin("w0", 0, under=later)
    cluster.report("w0")
    assert (cluster.ledger.begun(1), cluster.ledger.ended(1), cluster.ledger.speaking(1)) == (1, 0, 1)
    assert cluster.ledger.ended(0) == 1


def test_a_worker_that_has_not_heard_of_a_stage_adds_nothing_to_it() -> None:
    cluster = Cluster()
    cluster.begin("w0", 0, under=update(stage=1, seq=5))
    cluster.begin("w1", 0)
    cluster.report("w0")
    cluster.report("w1")
    assert (cluster.ledger.begun(1), cluster.ledger.speaking(1)) == (1, 1)


def test_a_lost_worker_is_waited_for_by_nobody() -> None:
    cluster = Cluster()
    for user in range(2):
        cluster.begin("w0", user)
        cluster.begin("w1", user)
    cluster.end("w0", 0)
    cluster.report("w0")
    cluster.report("w1")
    assert (cluster.ledger.begun(0), cluster.ledger.ended(0)) == (4, 1)
    cluster.ledger.drop_worker("w0")
    assert (cluster.ledger.begun(0), cluster.ledger.ended(0)) == (3, 1)
    assert cluster.ledger.caller_states() == {"speaking": 2}
    cluster.ledger.drop_worker("a stranger")


def test_the_ledger_is_current_when_every_worker_has_reported_since_the_update() -> None:
    cluster = Cluster()
    for worker, seq, is_current in (("w0", 7, False), ("w1", 6, False), ("w1", 7, True)):
        cluster.reports[worker].apply(update(seq=seq))
        cluster.report(worker)
        assert cluster.ledger.is_current(["w0", "w1"], 7) is is_current


def test_the_generators_cpu_is_that_of_its_busiest_process() -> None:
    """A mean or the idlest one would hide the process whose callers are late."""
    cluster = Cluster()
    assert cluster.ledger.cpu_pct() is None
    for worker, cpu_pct in (("w0", 97.0), ("w1", 40.0), ("w2", None)):
        report = cluster.reports.get(worker, report_under(update()))
        cluster.accept(worker, over_the_wire(report.take(cpu_pct, 0.0)))
    assert cluster.ledger.cpu_pct() == 97.0


def test_what_callers_do_is_summed_over_the_cluster() -> None:
    cluster = Cluster()
    cluster.begin("w0", 0)
    cluster.begin("w1", 0)
    cluster.reports["w1"].begin(1, update(), "house", Speaking("waiting"))
    cluster.report("w0")
    cluster.report("w1")
    assert cluster.ledger.caller_states() == {"speaking": 2, "waiting": 1}
    assert cluster.ledger.in_flight() == 3


@pytest.mark.parametrize("read", [WorkerReport.snapshot, lambda *args: WorkerReport.take(*args).snapshot])
def test_thousands_are_not_asked_at_every_report_what_they_do(read: Callable[..., Snapshot]) -> None:
    report, caller = report_under(update()), Speaking("speaking")
    for user in range(1_000):
        report.begin(user, update(), "bills", caller)
    for eighths in range(9):
        assert read(report, None, eighths / 8).caller_states == {"speaking": 1_000}
    assert caller.n_asked == 3_000
    report.end(0, record())
    snapshot = read(report, None, 1.0)
    assert (snapshot.in_flight, snapshot.caller_states) == (999, {"speaking": 1_000})


def test_a_clip_is_in_flight_as_long_as_anybody_speaks_it_or_owes_its_row() -> None:
    report = report_under(update())
    for user in range(2):
        report.begin(user, update(), "bills", Speaking("speaking"))
    report.end(0, record())
    assert report.take(None, 0.0).snapshot.clips == {"bills"}
    report.end(1, record())
    assert report.snapshot(None, 0.0).clips == {"bills"}
    report.pop()
    assert report.snapshot(None, 0.0).clips == set()


# In the same process --------------------------------------------------------------------------------------------


def test_a_single_process_keeps_the_accounts_that_a_master_keeps() -> None:
    """One ledger gets the report of a worker, the other its snapshot, and pops the rows."""
    words = [REFERENCES["bills"], REFERENCES["train"], "", "please send me a copy"]
    accounts = []
    for is_own in (False, True):
        written, report = Written(), report_under(update())
        ledger = Ledger("run", REFERENCES, written.take)
        for user in range(len(words)):
            report.begin(user, update(), list(REFERENCES)[user % 2], Speaking("speaking"))
        for user, text in enumerate(words[:3]):
            report.end(user, record(list(REFERENCES)[user % 2], text, user=user))
        if is_own:
            ledger.accept("w0", report.snapshot(12.5, 1.0), 1.0)
            while report.n_waiting:
                ledger.take_rows("w0", (report.pop() for _ in range(min(2, report.n_waiting))), 1.0)
        else:
            message = over_the_wire(report.take(12.5, 1.0))
            ledger.accept("w0", message.snapshot, 1.0, message.rows)
        counts = (ledger.begun(0), ledger.ended(0), ledger.speaking(0), ledger.in_flight(), ledger.cpu_pct())
        accounts.append((list(written), counts, ledger.caller_states(), ledger.outcomes, ledger.delivery()))
    assert accounts[0] == accounts[1]
    rows, counts, states, _, delivery = accounts[1]
    assert [row.foreign_text for row in rows] == [0, 0, 0]
    assert (counts, states) == ((4, 3, 4, 1, 12.5), {"speaking": 1})
    assert delivery == {"rows": 3, "totals": {"w0": 3}, "missing_seq": 0}


def test_rows_can_be_taken_piece_by_piece_and_stay_till_then() -> None:
    cluster = Cluster()
    report = cluster.reports["w0"]
    for user in range(5):
        cluster.begin("w0", user)
        cluster.end("w0", user, record(user=user))
    cluster.accept_snapshot("w0")
    for waiting in (3, 1, 0):
        cluster.ledger.take_rows("w0", (report.pop() for _ in range(min(2, report.n_waiting))), 0.0)
        assert report.n_waiting == waiting
    assert [row.user for row in cluster.written] == [0, 1, 2, 3, 4]
    assert cluster.ledger.delivery() == {"rows": 5, "totals": {"w0": 5}, "missing_seq": 0}


# Over the wire --------------------------------------------------------------------------------------------------


def test_a_row_that_is_no_record_costs_itself_alone() -> None:
    cluster = Cluster()
    for user in range(3):
        cluster.begin("w0", user)
        cluster.end("w0", user)
    message = cluster.take("w0")
    first, _, third = message.rows.split(b"\n")
    cluster.accept("w0", ReportMessage(message.snapshot, b"\n".join([first, b'{"worker": "one"}', third])))
    assert cluster.ledger.delivery() == {"rows": 2, "totals": {"w0": 3}, "missing_seq": 0}
    assert len(cluster.written) == 2


# Scores ---------------------------------------------------------------------------------------------------------


def test_rows_are_scored_at_the_masters_door() -> None:
    cluster = Cluster()
    cluster.begin("w0", 0)
    cluster.end("w0", 0, record(text="please send me a coffee of my last three bills by email"))
    cluster.report("w0")
    (row,) = cluster.written
    assert (row.substitutions, row.deletions, row.insertions, row.reference_words) == (1, 0, 0, 12)
    assert row.foreign_text == 0


def leak_to_the_same_report(cluster: Cluster) -> None:
    """Both ended since the last report, and neither was ever seen in flight."""
    cluster.begin("w0", 0, "bills")
    cluster.begin("w0", 1, "train")
    cluster.end("w0", 0, record("bills", REFERENCES["train"]))
    cluster.end("w0", 1, record("train", ""))
    cluster.report("w0")


def leak_to_the_piece_before(cluster: Cluster) -> None:
    """A single process takes such rows one by one."""
    for user, (clip_id, text) in enumerate((("bills", REFERENCES["train"]), ("train", ""))):
        cluster.begin("w0", user, clip_id)
        cluster.end("w0", user, record(clip_id, text))
    report = cluster.reports["w0"]
    cluster.accept_snapshot("w0")
    for _ in range(2):
        cluster.ledger.take_rows("w0", [report.pop()], cluster.now_s)


def leak_to_another_worker(cluster: Cluster) -> None:
    cluster.begin("w0", 0, "bills")
    cluster.begin("w1", 0, "train")
    cluster.report("w1")
    cluster.end("w0", 0, record("bills", REFERENCES["train"]))
    cluster.report("w0")


def leak_of_one_that_has_ended_before(cluster: Cluster) -> None:
    cluster.begin("w1", 0, "train")
    cluster.end("w1", 0, record("train"))
    cluster.report("w1")
    cluster.now_s += 60
    cluster.begin("w0", 0, "bills")
    cluster.end("w0", 0, record("bills", REFERENCES["train"]))
    cluster.report("w0")


@pytest.mark.parametrize(
    "leak",
    [
        leak_to_the_same_report,
        leak_to_the_piece_before,
        leak_to_another_worker,
        leak_of_one_that_has_ended_before,
    ],
)
def test_somebody_elses_words_are_found(leak: Callable[[Cluster], None]) -> None:
    cluster = Cluster()
    leak(cluster)
    assert [row.foreign_text for row in cluster.written if row.clip_id == "bills"] == [1]
    assert not any(row.foreign_text for row in cluster.written if row.clip_id == "train")


def test_own_words_beside_somebody_elses_are_judged_apart() -> None:
    cluster = Cluster()
    cluster.begin("w1", 0, "train")
    cluster.report("w1")
    both = record("bills")
    both.messages = [(1.0, REFERENCES["bills"]), (1.1, REFERENCES["train"])]
    both.text = " ".join(text for _, text in both.messages)
    cluster.begin("w0", 0)
    cluster.end("w0", 0, both)
    cluster.report("w0")
    assert [row.foreign_text for row in cluster.written] == [1]


def test_an_answer_to_an_earlier_utterance_of_the_same_caller_is_late_and_not_foreign() -> None:
    cluster = Cluster()
    for clip_id, text in (("train", None), ("bills", REFERENCES["train"])):
        cluster.begin("w0", 0, clip_id)
        cluster.end("w0", 0, record(clip_id, text, users=1))
    cluster.report("w0")  # both at once, as those of quick answers come
    assert [(row.foreign_text, row.late_text) for row in cluster.written] == [(0, 0), (0, 1)]


def test_a_duplicate_is_late_although_another_caller_speaks_its_clip_now() -> None:
    cluster = Cluster()
    cluster.begin("w0", 0, "train")
    cluster.end("w0", 0, record("train"))
    cluster.begin("w1", 0, "train")
    cluster.report("w0")
    cluster.report("w1")
    both = record("bills")
    both.messages = [(0.1, REFERENCES["train"]), (1.1, REFERENCES["bills"])]
    cluster.begin("w0", 0)
    cluster.end("w0", 0, both)
    cluster.report("w0")
    assert [(row.foreign_text, row.late_text) for row in cluster.written] == [(0, 0), (0, 1)]


def test_a_caller_that_is_alone_gets_nobody_elses_words_however_long_ago_it_spoke_them() -> None:
    cluster = Cluster()
    for clip_id in ("train", *["bills"] * 4):
        cluster.begin("w0", 0, clip_id)
        cluster.end("w0", 0, record(clip_id, users=1))
    cluster.report("w0")
    cluster.begin("w0", 0, "train")  # it speaks on while the row is on its way
    cluster.begin("w0", 0, "bills")
    cluster.end("w0", 0, record("bills", REFERENCES["train"], users=1))
    cluster.report("w0")
    assert [(row.foreign_text, row.late_text) for row in cluster.written] == [(0, 0)] * 5 + [(0, 1)]


def test_words_that_were_spoken_longer_ago_than_an_utterance_lasts_reach_nobody_any_more() -> None:
    cluster = Cluster()
    cluster.begin("w1", 0, "train")
    cluster.end("w1", 0, record("train"))
    cluster.report("w1")
    cluster.now_s += 121.0  # one second more than the ledger's limit for an utterance
    cluster.begin("w0", 0, "bills")
    cluster.end("w0", 0, record("bills", REFERENCES["train"]))
    cluster.report("w0")
    assert [row.foreign_text for row in cluster.written] == [0, 0]


def test_words_that_nobody_speaks_are_a_bad_transcript_and_not_foreign() -> None:
    cluster = Cluster()
    cluster.begin("w0", 0)
    cluster.end("w0", 0, record("bills", REFERENCES["house"]))
    cluster.report("w0")
    assert [row.foreign_text for row in cluster.written] == [0]


class SlowClock:
    """Every look at it takes a second."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def test_rows_beyond_the_allowance_are_written_unscored_and_in_order() -> None:
    written, report = Written(), report_under(update())
    texts = ["one two three", "one two four", "one two three", "one two five", REFERENCES["train"]]
    for user, text in enumerate(texts):
        report.begin(user, update(), "bills", Speaking("speaking"))
        report.end(user, record(text=text, user=user))
    ledger = Ledger("run", REFERENCES, written.take, allowance=Allowance(SlowClock(), share=0.0, burst_s=1.5))
    message = report.take(None, 0.0)
    ledger.accept("w0", message.snapshot, 0.0, message.rows)
    assert [row.user for row in written] == [0, 1, 2, 3, 4]
    # Two are new and within the allowance, the third was heard before.
    assert [row.reference_words for row in written] == [12, 12, 12, None, None]
    assert [row.foreign_text for row in written] == [0, 0, 0, None, None]
    assert ledger.outcomes == {"ok": 5}


def test_what_was_on_the_screen_is_scored_by_the_words_of_the_clip_while_there_is_time() -> None:
    """The transcripts come first: the third row has none of the screen, and its WER all the same."""
    written, report = Written(), report_under(update())
    for user in range(3):
        seen = record(text="one two three", user=user)
        seen.screen = OnScreen([(700, 0, "please", 0)])
        report.begin(user, update(), "bills", Speaking("speaking"))
        report.end(user, seen)
    allowance = Allowance(SlowClock(), share=0.0, burst_s=2.5)
    words = {"bills": (ClipWord("please", 0.1, 0.5),)}
    ledger = Ledger("run", REFERENCES, written.take, allowance=allowance, words=words)
    message = report.take(None, 0.0)
    ledger.accept("w0", message.snapshot, 0.0, message.rows)
    assert [row.reference_words for row in written] == [12, 12, 12]
    assert [row.audio_age_s for row in written] == [0.2, 0.2, None]


def test_a_row_with_the_texts_of_a_flood_is_scored_when_the_report_is_made() -> None:
    written, report = Written(), report_under(update())
    flood = [[0.0, f"word {n} of very many"] for n in range(2_000)]
    report.begin(0, update(), "bills", Speaking("speaking"))
    flooded = record(text="one two three")
    flooded.messages = flood
    report.end(0, flooded)
    allowance = Allowance(SlowClock(), burst_s=1_000.0)
    ledger = Ledger("run", REFERENCES, written.take, allowance=allowance)
    message = report.take(None, 0.0)
    ledger.accept("w0", message.snapshot, 0.0, message.rows)
    assert [(row.reference_words, len(row.messages)) for row in written] == [(None, 2_000)]


def test_an_allowance_grows_again_with_time_up_to_a_burst() -> None:
    clock = FakeClock()
    allowance = Allowance(clock, share=0.5, burst_s=1.0)

    def work() -> None:
        clock.now_s += 2.0

    assert allowance.has_left()
    allowance.spend(work)
    assert not allowance.has_left()  # one second in debt, of which the two seconds have paid back one
    clock.now_s += 1.0
    assert allowance.has_left()
    clock.now_s += 100.0
    assert allowance.has_left()
    allowance.spend(work)
    assert not allowance.has_left()


# Plain values only ------------------------------------------------------------------------------------------------


def test_a_measured_record_is_plain_python_and_survives_the_wire() -> None:
    """No numpy scalar: one of them in a report ends all reports of a worker."""
    arrivals = [(0.9, '{"status":"queued"}'), (1.2, '{"text":"caf\\u00e9 \\ud83d","timings_ms":{"decode":3}}')]
    spoken = speak(Parakeet(), SessionRules(), ScriptedTransport(FakeClock(), arrivals))
    measured = record_of(*spoken.session.measure(spoken.clock()))
    report = report_under(update())
    report.begin(0, update(), "bills", Speaking("speaking"))
    report.end(0, measured)
    message = over_the_wire(report.take(None, 0.0))
    row = UtteranceRecord.from_json(message.rows)
    assert (row.outcome, row.text) == ("ok", "café \ufffd")
    assert row.eos_latency_s == pytest.approx(0.6)


def test_what_is_no_plain_value_is_refused_by_the_check_above() -> None:
    with pytest.raises(TypeError):
        over_the_wire(report_under(update()).take(np.float64(1.0), 0.0))


def test_a_report_before_any_update_is_empty() -> None:
    message = over_the_wire(WorkerReport("").take(None, 0.0))
    assert (message.rows, message.snapshot.begun, message.snapshot.update_seq) == (b"", 0, -1)


def test_a_report_of_another_version_of_this_program_is_refused() -> None:
    with pytest.raises(ValueError, match="snapshot"):
        ReportMessage.from_plain({"run_id": "run", "seq": 0, "rows": b"", "sign": 3})


# The stage update ---------------------------------------------------------------------------------------------------


def test_a_stage_update_survives_its_way_to_the_workers() -> None:
    before = update(Phase.GRACE, stage=3, seq=14)
    after = StageUpdate.from_json(before.to_json())
    assert after == before
    assert after.phase is Phase.GRACE


def test_only_a_newer_update_of_its_own_run_is_a_workers_newest() -> None:
    report = WorkerReport("run")
    assert report.apply(update(seq=1))
    assert report.apply(update(Phase.GRACE, seq=3))
    assert not report.apply(update(seq=2))
    assert not report.apply(update(seq=3))
    assert not report.apply(update(seq=9, run_id="another run"))
    assert report.update == update(Phase.GRACE, seq=3)


@pytest.mark.parametrize(
    ("roster", "client_id", "expected"),
    [
        (("a", "b", "c"), "a", (0, 3)),
        (("a", "b", "c"), "c", (2, 3)),
        (("a", "b"), "joined later", (1, 2)),
        ((), "alone", (0, 1)),
    ],
)
def test_a_workers_place_in_the_roster_is_its_share_of_the_clips(
    roster: tuple[str, ...], client_id: str, expected: tuple[int, int]
) -> None:
    assert StageUpdate("run", 0, 0, Phase.RAMP, 5, roster).place_of(client_id) == expected


@pytest.mark.parametrize(
    ("ahead_s", "told_by_own_clock", "note"),
    [(0.0, True, None), (-2.0, True, None), (-3600.0, False, "3,600 s behind"), (86_400.0, False, "86,400 s ahead of")],
)
def test_rows_of_a_worker_whose_clock_is_another_are_told_by_the_masters(
    ahead_s: float, told_by_own_clock: bool, note: str | None
) -> None:
    """Reports are under way for a while; the quickest of them says best how far apart the clocks are."""
    cluster = Cluster()
    clock = cluster.reports["w1"].wall_clock = SteadyWallClock(AHEAD_S + ahead_s)
    for delay_s in (3.0, 0.0, 1.0):
        message = cluster.take("w1")
        cluster.ledger.note_told(message.snapshot.update_seq, cluster.now_s)
        cluster.now_s += delay_s
        cluster.accept("w1", message)
    cluster.begin("w1", 0)
    ended = record()
    ended.started_at = clock.at(cluster.now_s)
    cluster.end("w1", 0, ended)
    cluster.report("w1")
    (row,) = cluster.written
    assert row.started_at == AHEAD_S + cluster.now_s + (ahead_s if told_by_own_clock else 0.0)
    line = f"the clock of load worker w1 is {note} the master's: its rows are told by the master's"
    assert cluster.ledger.clock_notes() == ([line] if note else [])


def test_reports_that_are_all_held_up_say_nothing_of_the_workers_clock() -> None:
    cluster = Cluster()
    clock = cluster.reports["w1"].wall_clock = SteadyWallClock(AHEAD_S)
    cluster.begin("w1", 0)
    ended = record()
    started_at = ended.started_at = clock.at(cluster.now_s)
    cluster.end("w1", 0, ended)
    message = cluster.take("w1")
    cluster.ledger.note_told(message.snapshot.update_seq, cluster.now_s)
    cluster.now_s += 20.0
    cluster.accept("w1", message)
    assert [row.started_at for row in cluster.written] == [started_at]
    assert cluster.ledger.clock_notes() == []
