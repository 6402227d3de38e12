"""How a single process takes in its own rows: a moment at a time, each once, whoever interrupts it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import SimpleNamespace

import gevent
import pytest
from scripted_callers import CLIPS, Callers, settle, update

from stt_load.errors import Outcome
from stt_load.records import UtteranceRecord
from stt_load.run.ledger import Ledger
from stt_load.run.plan import Phase
from stt_load.run.single_process import SingleProcess

REFERENCES = {clip.clip_id: clip.reference for clip in CLIPS.clips}
N = 3_000


@pytest.fixture(autouse=True)
def nothing_stays_frozen() -> Iterator[None]:
    yield
    gc.unfreeze()


class Speaking:
    state = "speaking"

    def cut(self) -> None:
        raise AssertionError("nobody ends this one")


class Collected:
    """A single process with a ledger, and the rows that were written."""

    def __init__(self) -> None:
        self.callers = Callers()
        users = SimpleNamespace(user_count=4, target_user_count=None)
        self.cluster = SingleProcess(self.callers.pool, users, "w0")
        self.written: list[UtteranceRecord] = []
        self.ledger = Ledger("run", REFERENCES, self._write)

    def _write(self, lines: bytes) -> None:
        self.written += [UtteranceRecord.from_json(line) for line in lines.splitlines()]

    def end(self, user: int, clip: int = 0, text: str = "") -> None:
        report, what = self.callers.report, CLIPS.clips[clip]
        report.begin(user, update(), what.clip_id, Speaking())
        record = UtteranceRecord("run", 0, user, 0, "hold", 2, what.clip_id, what.reference, outcome=Outcome.OK)
        record.text, record.messages = text, [(1.0, text)]
        report.end(user, record)


def test_rows_are_taken_in_moments_between_which_others_have_their_turn() -> None:
    made = Collected()
    for user in range(N):
        made.end(user, text=f"words that nobody has heard before {user}")
    collecting = gevent.spawn(made.cluster.collect, made.ledger)
    gevent.sleep(0)
    assert 0 < len(made.written) < N
    assert not collecting.ready()
    collecting.kill()
    made.cluster.collect(made.ledger)
    assert [row.user for row in made.written] == list(range(N))
    assert made.ledger.delivery() == {"rows": N, "totals": {"w0": N}, "missing_seq": 0}


def test_what_ends_while_rows_are_taken_waits_for_the_next_time_and_the_clips_that_began_meanwhile_are_known() -> None:
    """Where more utterances end than can be taken, the run is led on all the same."""
    made = Collected()
    for user in range(N):
        made.end(user, text=f"words that nobody has heard before {user}")
    collecting = gevent.spawn(made.cluster.collect, made.ledger)
    gevent.sleep(0)
    assert not collecting.ready()
    made.callers.report.begin(N, update(), CLIPS.clips[1].clip_id, Speaking())
    made.end(N + 1, text=CLIPS.clips[1].reference)
    with gevent.Timeout(60):
        collecting.get()
    assert [row.user for row in made.written] == list(range(N))
    made.cluster.collect(made.ledger)
    assert [row.foreign_text for row in made.written if row.user == N + 1] == [1]


def test_the_last_counts_are_there_without_any_row() -> None:
    made = Collected()
    made.callers.report.apply(update())
    made.callers.report.begin(0, update(), CLIPS.clips[0].clip_id, Speaking())
    made.cluster.collect(made.ledger)
    assert (made.ledger.begun(0), made.ledger.in_flight(), made.written) == (1, 1, [])
    assert (made.cluster.reached, made.cluster.target, made.cluster.workers()) == (4, 0, ("w0",))


def test_a_drain_returns_with_every_row_in_the_ledger() -> None:
    made = Collected()
    made.cluster.tell(update(Phase.HOLD))
    made.callers.come(3)
    settle()
    made.cluster.drain(made.ledger, is_cut=True, limit_s=60.0)
    assert made.ledger.outcomes == {"interrupted": 3}
    assert made.ledger.delivery() == {"rows": 3, "totals": {"w0": 3}, "missing_seq": 0}
    gevent.killall(made.callers._greenlets)
