from __future__ import annotations

from stt_load.errors import Outcome
from stt_load.metrics.foreign import OWN_LAST
from stt_load.records import UtteranceRecord
from stt_load.run.recent_clips import ClipsInFlight, RecentClips
from stt_load.run.worker_report import Snapshot
from stt_load.run.worker_state import WorkerState


def row(user: int, clip_id: str, users: int = 2) -> UtteranceRecord:
    return UtteranceRecord("run", 0, user, 0, "hold", users, clip_id, "some words", outcome=Outcome.OK)


def workers(*clips: str) -> dict[str, WorkerState]:
    snapshot = Snapshot("run", 0, 1, 0, 0, 0, 0, 0, {}, frozenset(clips))
    return {"w0": WorkerState(snapshot)}


def test_of_each_clip_the_newest_row_of_two_callers_is_kept() -> None:
    recent = RecentClips()
    for user, now_s in ((0, 1.0), (1, 2.0), (1, 3.0), (2, 4.0)):
        recent.note(row(user, "a"), now_s)
    assert recent.spoken_by("a", from_s=0.0) == [(0, 2), (0, 1)]
    assert recent.spoken_by("a", from_s=3.5) == [(0, 2)]
    assert recent.spoken_by("b", from_s=0.0) == []


def test_of_each_caller_the_last_few_clips_are_kept() -> None:
    recent = RecentClips()
    for n in range(OWN_LAST + 2):
        recent.end(row(0, str(n)))
    around = ClipsInFlight(row(0, "now"), recent, 0.0, workers())
    spoken = [n for n in range(OWN_LAST + 2) if around.was_just_spoken(str(n))]
    assert spoken == [2, 3, 4]


def test_a_clip_in_flight_is_another_callers_unless_there_is_only_one() -> None:
    recent = RecentClips()
    recent.note(row(0, "mine"), 1.0)
    recent.note(row(1, "theirs"), 1.0)
    around = ClipsInFlight(row(0, "now"), recent, 0.5, workers("in flight"))
    assert [around.is_of_others(clip_id) for clip_id in ("mine", "theirs", "in flight")] == [False, True, True]
    assert [around.was_own(clip_id) for clip_id in ("mine", "theirs")] == [True, False]
    alone = ClipsInFlight(row(0, "now", users=1), recent, 0.5, workers("in flight"))
    assert not alone.is_of_others("in flight")
    later = ClipsInFlight(row(0, "now"), recent, 1.5, workers())
    assert not later.is_of_others("theirs") and not later.was_own("mine")
