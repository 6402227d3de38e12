"""From the worker's outbox over the wire into the master's books: nothing lost unnoticed, nobody's words missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
from fakes import FakeClock, ScriptedTransport, speak
from hypothesis import given
from hypothesis import strategies as st

from stt_load.dialects.parakeet import Parakeet
from stt_load.errors import Outcome
from stt_load.metrics.normaliser import CHINESE
from stt_load.records import UtteranceRecord
from stt_load.run.ledger import Allowance, Ledger
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import WorkerReport
from stt_load.session.actions import SessionRules

REFERENCES = {
    "bills": "please send me a copy of my last three bills by email",
    "train": "the quick train to the airport leaves from platform nine",
    "house": "we moved house in april and the heating still does not work",
}


def sign(phase: Phase = Phase.HOLD, stage: int = 0, seq: int = 1, run_id: str = "run") -> StageUpdate:
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
        messages=[[1.2, words]] if words else [],
    )


def over_the_wire(report: dict[str, Any]) -> dict[str, Any]:
    """What Locust does to a report: msgpack there and back. Fails on whatever is no plain Python value."""
    packed = msgpack.packb(report, strict_types=True)
    received: dict[str, Any] = msgpack.unpackb(packed, strict_map_key=True)
    assert received == report
    return received


class Doing:
    """An utterance in flight that says this of itself."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.n_asked = 0

    @property
    def doing(self) -> str:
        self.n_asked += 1
        return self._name


class Written(list[UtteranceRecord]):
    """The rows that a ledger has handed on."""

    def take(self, lines: bytes) -> None:
        assert lines.endswith(b"\n")
        self.extend(map(UtteranceRecord.from_json, lines.splitlines()))


class Cluster:
    """Two workers and a master, with the wire between them."""

    def __init__(self) -> None:
        self.written = Written()
        self.ledger = Ledger("run", REFERENCES, self.written.take)
        self.outboxes = {"w0": WorkerReport("run"), "w1": WorkerReport("run")}
        self.now_s = 0.0

    def begin(self, worker: str, user: int, clip_id: str = "bills", under: StageUpdate | None = None) -> None:
        self.outboxes[worker].begin(user, under or sign(), clip_id, Doing("speaking"))

    def end(self, worker: str, user: int, ended: UtteranceRecord | None = None) -> None:
        self.outboxes[worker].end(user, ended or record())

    def take(self, worker: str, under: StageUpdate | None = None) -> dict[str, Any]:
        return over_the_wire(self.outboxes[worker].take(under or sign(), 12.5, self.now_s))

    def report(self, worker: str, under: StageUpdate | None = None) -> None:
        self.ledger.accept(worker, self.take(worker, under), self.now_s)


def test_rows_are_scored_under_the_normaliser_of_the_run() -> None:
    written = Written()
    outbox = WorkerReport("run")
    outbox.begin(0, sign(), "bills", Doing("speaking"))
    spoken = record(text="我要退號")
    spoken.reference = "我要退货。"
    outbox.end(0, spoken)
    Ledger("run", REFERENCES, written.take, normaliser=CHINESE).accept("w0", outbox.take(sign(), 12.5, 0.0), 0.0)
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
    before = WorkerReport("run before")
    before.begin(0, sign(), "bills", Doing("speaking"))
    before.end(0, record())
    cluster.ledger.accept("w0", over_the_wire(before.take(sign(), None, 0.0)), 0.0)
    assert cluster.written == []
    assert cluster.ledger.delivery() == {"rows": 0, "totals": {}, "missing_seq": 0}


def test_only_what_begins_in_the_hold_counts_but_every_row_is_kept() -> None:
    cluster = Cluster()
    for user, phase in enumerate((Phase.RAMP, Phase.HOLD, Phase.GRACE)):
        cluster.begin("w0", user, under=sign(phase))
        cluster.end("w0", user, record(phase=str(phase)))
    cluster.report("w0")
    assert (cluster.ledger.begun(0), cluster.ledger.ended(0), cluster.ledger.speaking(0)) == (1, 1, 3)
    assert [row.phase for row in cluster.written] == ["ramp", "hold", "grace"]


def test_each_stage_is_counted_apart() -> None:
    cluster = Cluster()
    later = sign(stage=1, seq=5)
    cluster.begin("w0", 0)
    cluster.end("w0", 0)
    cluster.begin("w0", 0, under=later)
    cluster.report("w0", later)
    assert (cluster.ledger.begun(1), cluster.ledger.ended(1)) == (1, 0)
    assert cluster.ledger.ended(0) == 1


def test_a_lost_worker_is_waited_for_by_nobody() -> None:
    cluster = Cluster()
    for user in range(2):
        cluster.begin("w0", user)
        cluster.begin("w1", user)
    cluster.end("w0", 0)
    cluster.report("w0")
    cluster.report("w1")
    assert (cluster.ledger.begun(0), cluster.ledger.ended(0)) == (4, 1)
    cluster.ledger.lose("w0")
    assert (cluster.ledger.begun(0), cluster.ledger.ended(0)) == (3, 1)
    assert cluster.ledger.doing() == {"speaking": 2}
    cluster.ledger.lose("a stranger")


def test_the_books_are_current_when_every_worker_has_reported_since_the_sign() -> None:
    cluster = Cluster()
    cluster.report("w0", sign(seq=7))
    assert not cluster.ledger.is_current(["w0", "w1"], 7)
    cluster.report("w1", sign(seq=6))
    assert not cluster.ledger.is_current(["w0", "w1"], 7)
    cluster.report("w1", sign(seq=7))
    assert cluster.ledger.is_current(["w0", "w1"], 7)
    assert cluster.ledger.cpu_pct() == 12.5


def test_what_callers_do_is_summed_over_the_cluster() -> None:
    cluster = Cluster()
    cluster.begin("w0", 0)
    cluster.begin("w1", 0)
    cluster.outboxes["w1"].begin(1, sign(), "house", Doing("waiting"))
    cluster.report("w0")
    cluster.report("w1")
    assert cluster.ledger.doing() == {"speaking": 2, "waiting": 1}
    assert cluster.outboxes["w1"].n_in_flight == 2


def test_thousands_are_not_asked_at_every_report_what_they_do() -> None:
    outbox, flight = WorkerReport("run"), Doing("speaking")
    for user in range(1_000):
        outbox.begin(user, sign(), "bills", flight)
    for eighths in range(9):
        assert outbox.take(sign(), None, eighths / 8)["doing"] == {"speaking": 1_000}
    assert flight.n_asked == 5_000
    outbox.end(0, record())
    report = outbox.take(sign(), None, 1.0)
    assert (report["in_flight"], report["doing"]) == (999, {"speaking": 1_000})


def test_a_clip_is_in_flight_as_long_as_anybody_speaks_it_or_owes_its_row() -> None:
    outbox = WorkerReport("run")
    for user in range(2):
        outbox.begin(user, sign(), "bills", Doing("speaking"))
    outbox.end(0, record())
    assert outbox.take(sign(), None, 0.0)["clips"] == ["bills"]
    outbox.end(1, record())
    clips = outbox.look(sign(), None, FakeClock())["clips"]
    assert list(clips) == ["bills"]
    outbox.hand_over()
    assert list(clips) == []


# In the same process --------------------------------------------------------------------------------------------


def test_a_single_process_keeps_the_books_that_a_master_keeps() -> None:
    """One ledger gets the report of a worker, the other looks into the outbox and has its rows handed over."""
    words = [REFERENCES["bills"], REFERENCES["train"], "", "please send me a copy"]
    books = []
    for is_own in (False, True):
        written, outbox = Written(), WorkerReport("run")
        ledger = Ledger("run", REFERENCES, written.take)
        for user in range(len(words)):
            outbox.begin(user, sign(), list(REFERENCES)[user % 2], Doing("speaking"))
        for user, text in enumerate(words[:3]):
            outbox.end(user, record(list(REFERENCES)[user % 2], text, user=user))
        if is_own:
            ledger.accept("w0", outbox.look(sign(), 12.5, FakeClock()), 1.0)
            while outbox.n_waiting:
                ledger.take_in("w0", (outbox.hand_over() for _ in range(min(2, outbox.n_waiting))), 1.0)
        else:
            ledger.accept("w0", over_the_wire(outbox.take(sign(), 12.5, 1.0)), 1.0)
        told = (ledger.begun(0), ledger.ended(0), ledger.speaking(0), ledger.in_flight(), ledger.cpu_pct())
        books.append((list(written), told, ledger.doing(), ledger.outcomes, ledger.delivery()))
    assert books[0] == books[1]
    rows, told, doing, _, delivery = books[1]
    assert [row.foreign_text for row in rows] == [0, 0, 0]
    assert (told, doing) == ((4, 3, 4, 1, 12.5), {"speaking": 1})
    assert delivery == {"rows": 3, "totals": {"w0": 3}, "missing_seq": 0}


def test_in_the_same_process_nobody_is_asked_before_somebody_wants_to_know() -> None:
    outbox, flight = WorkerReport("run"), Doing("waiting")
    ledger = Ledger("run", REFERENCES, Written().take)
    outbox.begin(0, sign(), "bills", flight)
    ledger.accept("w0", outbox.look(sign(), None, FakeClock()), 0.0)
    assert flight.n_asked == 0
    assert ledger.doing() == {"waiting": 1}


def test_rows_can_be_taken_piece_by_piece_and_stay_till_then() -> None:
    cluster = Cluster()
    outbox = cluster.outboxes["w0"]
    for user in range(5):
        cluster.begin("w0", user)
        cluster.end("w0", user, record(user=user))
    cluster.ledger.accept("w0", outbox.look(sign(), None, FakeClock()), 0.0)
    for waiting in (3, 1, 0):
        cluster.ledger.take_in("w0", (outbox.hand_over() for _ in range(min(2, outbox.n_waiting))), 0.0)
        assert outbox.n_waiting == waiting
    assert [row.user for row in cluster.written] == [0, 1, 2, 3, 4]
    assert cluster.ledger.delivery() == {"rows": 5, "totals": {"w0": 5}, "missing_seq": 0}


# Over the wire --------------------------------------------------------------------------------------------------


def test_a_row_that_is_no_record_costs_itself_alone() -> None:
    cluster = Cluster()
    for user in range(3):
        cluster.begin("w0", user)
        cluster.end("w0", user)
    report = cluster.take("w0")
    first, _, third = report["rows"].split(b"\n")
    cluster.ledger.accept("w0", {**report, "rows": b"\n".join([first, b'{"worker": "one"}', third])}, 0.0)
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
    """As above, in a single process: rows are taken one by one."""
    for user, (clip_id, text) in enumerate((("bills", REFERENCES["train"]), ("train", ""))):
        cluster.begin("w0", user, clip_id)
        cluster.end("w0", user, record(clip_id, text))
    outbox = cluster.outboxes["w0"]
    cluster.ledger.accept("w0", outbox.look(sign(), None, FakeClock()), cluster.now_s)
    for _ in range(2):
        cluster.ledger.take_in("w0", [outbox.hand_over()], cluster.now_s)


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
    both.messages = [[1.0, REFERENCES["bills"]], [1.1, REFERENCES["train"]]]
    both.text = " ".join(text for _, text in both.messages)
    cluster.begin("w0", 0)
    cluster.end("w0", 0, both)
    cluster.report("w0")
    assert [row.foreign_text for row in cluster.written] == [1]


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


def test_rows_beyond_the_allowance_are_handed_on_unscored_and_in_order() -> None:
    written, outbox = Written(), WorkerReport("run")
    texts = ["one two three", "one two four", "one two three", "one two five", REFERENCES["train"]]
    for user, text in enumerate(texts):
        outbox.begin(user, sign(), "bills", Doing("speaking"))
        outbox.end(user, record(text=text, user=user))
    ledger = Ledger("run", REFERENCES, written.take, allowance=Allowance(SlowClock(), share=0.0, burst_s=1.5))
    ledger.accept("w0", outbox.take(sign(), None, 0.0), 0.0)
    assert [row.user for row in written] == [0, 1, 2, 3, 4]
    # Two are new and within the allowance, the third was heard before.
    assert [row.reference_words for row in written] == [12, 12, 12, None, None]
    assert [row.foreign_text for row in written] == [0, 0, 0, None, None]
    assert ledger.outcomes == {"ok": 5}


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
    measured = record(text="")
    spoken.session.measure_into(measured, spoken.clock())
    outbox = WorkerReport("run")
    outbox.begin(0, sign(), "bills", Doing("speaking"))
    outbox.end(0, measured)
    report = over_the_wire(outbox.take(sign(), None, 0.0))
    row = UtteranceRecord.from_json(report["rows"])
    assert (row.outcome, row.text) == ("ok", "café ?")
    assert row.eos_latency_s == pytest.approx(0.6)


def test_what_is_no_plain_value_is_refused_by_the_check_above() -> None:
    with pytest.raises(TypeError):
        over_the_wire({"x": np.float64(1.0)})


def test_a_report_before_any_sign_is_empty_and_plain() -> None:
    report = over_the_wire(WorkerReport("").take(None, None, 0.0))
    assert (report["rows"], report["begun"], report["sign"]) == (b"", 0, -1)


# The sign -----------------------------------------------------------------------------------------------------------


def test_a_sign_survives_its_way_to_the_workers() -> None:
    before = sign(Phase.GRACE, stage=3, seq=14)
    after = StageUpdate.from_json(before.to_json())
    assert after == before
    assert after.phase is Phase.GRACE


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
