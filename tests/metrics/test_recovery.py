"""Recovery from a spike, against a server with a known queue: one worker, so many seconds for each utterance."""

from __future__ import annotations

import heapq

import pytest

from stt_load.metrics.recovery import WINDOW, Recovery, SpikeWatch, spoken_s
from stt_load.metrics.slo import Slo, parse_slo
from stt_load.records import UtteranceRecord

AUDIO_S = 3.0
TAKES_S = 0.2
SPIKE = (60.0, 90.0)  # when callers of the spike are there
END = 240.0
SLOS = [parse_slo("eos_latency:p95<1s"), parse_slo("error_rate<1%"), parse_slo("wer<8%")]


def row(began: float, late_s: float, stage: int, **changes: object) -> UtteranceRecord:
    """An utterance whose server answers `late_s` after its speech, which ends with its audio."""
    told = {
        "outcome": "ok",
        "started_at": began,
        "audio_s": AUDIO_S,
        "frames": 30,
        "eos_latency_s": late_s,
        "stream_end_latency_s": late_s,
        "duration_s": AUDIO_S + late_s,
    }
    who = {"run_id": "r", "worker": 0, "user": 0, "phase": "hold", "users": 5, "clip_id": "c", "reference": "a"}
    return UtteranceRecord(**{**who, "stage": stage, **told, **changes})  # type: ignore[arg-type]


def stage_at(moment: float) -> int:
    return int(moment >= SPIKE[0]) + int(moment >= SPIKE[1])


def played(few: int, many: int) -> list[UtteranceRecord]:
    """Callers one after the other, who speak again as soon as they are answered; those of the spike end what they have
    begun. The queue is first come, first served."""
    callers = [(at * AUDIO_S / few, True) for at in range(few)]
    callers += [(SPIKE[0] + at * AUDIO_S / many, False) for at in range(many - few)]
    events = [(began + AUDIO_S, began, stays) for began, stays in callers]  # by the end of speech
    heapq.heapify(events)
    free, rows = 0.0, []
    while events:
        spoken, began, stays = heapq.heappop(events)
        free = max(free, spoken) + TAKES_S
        rows.append(row(began, free - spoken, stage_at(began)))
        if free < (END if stays else SPIKE[1]):
            heapq.heappush(events, (free + AUDIO_S, free, stays))
    return rows


def recovery_of(rows: list[UtteranceRecord], slos: list[Slo] = SLOS) -> Recovery:
    watch = SpikeWatch(1, slos)
    for one in rows:
        watch.add([one])
    found = watch.close(END)
    assert found is not None
    return found


@pytest.mark.parametrize("many", [20, 40, 80])
def test_the_queue_of_a_spike_is_gone_when_the_server_has_worked_it_off(many: int) -> None:
    rows = played(5, many)
    found = recovery_of(rows)
    left = max(each.started_at + AUDIO_S for each in rows if each.stage == 1)
    late = [each for each in rows if each.started_at + AUDIO_S >= left and (each.eos_latency_s or 0) >= 1.0]
    ends = [each.started_at + AUDIO_S + (each.eos_latency_s or 0) - left for each in rows if each.stage <= 1]
    assert found.left == left
    assert found.waiting == sum(end > 0 for end in ends)
    assert found.last_word_s == pytest.approx(max(0.0, *ends))
    assert found.in_spike == sum(each.stage == 1 for each in rows) and found.spike_errors == 0
    assert found.objectives == ("eos_latency:p95<1s", "error_rate<1%"), "a few words say nothing of WER"
    # One of twenty may be late, so the objectives hold at most one utterance before the last late one has spoken.
    last_late = sorted(each.started_at + AUDIO_S - left for each in late)
    assert found.recovery_s is not None
    assert (last_late[-2] if len(last_late) > 1 else 0.0) <= found.recovery_s <= (last_late[-1] if late else 0) + 1.0
    assert max(n for _, n in found.queue) >= found.waiting
    assert found.queue[-1][1] == 0


def test_a_server_that_is_fast_enough_has_nothing_to_recover_from() -> None:
    found = recovery_of([row(0.3 * n, 0.4, stage_at(0.3 * n)) for n in range(700)])
    assert found.recovery_s == 0.0
    assert found.waiting <= 2 and found.last_word_s == pytest.approx(0.4)


def test_a_relapse_is_no_recovery() -> None:
    after = SPIKE[1] + AUDIO_S
    rows = [row(0.5 * n, 0.4, stage_at(0.5 * n)) for n in range(440)]
    slow = [each.started_at for each in rows if 20 <= each.started_at - after < 22]
    rows = [row(each.started_at, 2.0 if each.started_at in slow else 0.4, each.stage) for each in rows]
    found = recovery_of(rows)
    assert found.recovery_s == pytest.approx(22 + AUDIO_S - 0.5, abs=1.5)


def test_what_fails_after_a_spike_is_later_than_any_bound() -> None:
    rows = [row(0.5 * n, 0.4, stage_at(0.5 * n)) for n in range(440)]
    lost = {"outcome": "no_final", "eos_latency_s": None, "stream_end_latency_s": None, "duration_s": AUDIO_S + 9}
    rows = [row(each.started_at, 0.4, each.stage, **lost) if 60 <= each.started_at < 110 else each for each in rows]
    found = recovery_of(rows)
    assert found.recovery_s == pytest.approx(110 - SPIKE[1], abs=1.5)
    assert found.spike_errors == found.in_spike == 60
    assert recovery_of(rows, [parse_slo("error_rate<1%")]).recovery_s == pytest.approx(110 - SPIKE[1], abs=1.5)


def test_who_fails_after_its_first_words_is_later_than_any_bound_as_in_a_stage() -> None:
    slos = [parse_slo("first_partial:p95<1s")]
    rows = [row(at, 0.2, stage_at(at), first_partial_s=0.4) for at in range(0, int(END), 2)]
    assert recovery_of(rows, slos).recovery_s == 0.0
    for each in rows[-WINDOW:]:
        each.outcome = "timed_out"
    assert recovery_of(rows, slos).recovery_s is None


def test_who_never_gets_well_and_who_says_too_little_are_told_apart() -> None:
    slow = recovery_of([row(0.5 * n, 0.4 if n < 120 else 5.0, stage_at(0.5 * n)) for n in range(440)])
    assert slow.recovery_s is None and not slow.is_too_short
    few = recovery_of([row(0.5 * n, 0.4, stage_at(0.5 * n)) for n in range(180 + WINDOW - 8)])
    assert few.recovery_s is None and few.is_too_short
    assert SpikeWatch(1, SLOS).close(END) is None


def test_a_turn_that_is_never_ended_is_later_than_any_bound() -> None:
    turns = {"turns": 1, "endpointing_delay_s": 0.4}
    rows = [row(0.5 * n, 0.4, stage_at(0.5 * n), **turns) for n in range(440)]
    for each in rows:
        if 60 <= each.started_at < 110:
            each.endpointing_delay_s = None
    found = recovery_of(rows, [parse_slo("endpointing_delay:p95<1s")])
    assert found.recovery_s == pytest.approx(110 - SPIKE[1], abs=1.5)


def test_an_objective_on_what_the_server_never_tells_is_not_looked_at() -> None:
    rows = [row(0.5 * n, 0.4, stage_at(0.5 * n)) for n in range(440)]
    found = recovery_of(rows, [parse_slo("endpointing_delay:p95<1s"), parse_slo("eos_latency:p95<1s")])
    assert (found.objectives, found.recovery_s) == (("eos_latency:p95<1s",), 0.0)


def test_a_silent_caller_who_fails_has_no_latency_to_be_late() -> None:
    rows = [row(0.5 * n, 0.4, stage_at(0.5 * n)) for n in range(440)]
    lost = {"outcome": "timed_out", "eos_latency_s": None, "stream_end_latency_s": None, "reference": ""}
    rows = [row(each.started_at, 0.4, each.stage, **lost) if n % 7 == 0 else each for n, each in enumerate(rows)]
    assert recovery_of(rows, [parse_slo("eos_latency:p95<1s")]).recovery_s == 0.0
    assert recovery_of(rows, [parse_slo("error_rate<1%")]).recovery_s is None


def test_a_whole_file_is_load_from_the_moment_it_is_sent() -> None:
    files = {"kind": "upload", "frames": 0, "eos_latency_s": None, "stream_end_latency_s": None}
    rows = [row(0.5 * n, 0.4, stage_at(0.5 * n), total_s=0.4 if n < 190 else 0.6, **files) for n in range(440)]
    found = recovery_of(rows, [parse_slo("total:p95<500ms")])
    assert found.left == 89.5, "the last one of the spike is sent then"
    assert found.recovery_s is None
    assert recovery_of(rows, [parse_slo("total:p95<700ms")]).recovery_s == 0.0


def test_speech_ends_where_both_latencies_say_so() -> None:
    told = row(0.0, 0.4, 1, audio_s=5.0, stream_end_latency_s=-0.2)
    assert spoken_s(told) == pytest.approx(4.4)
    assert spoken_s(row(0.0, 0.4, 1, eos_latency_s=None)) == AUDIO_S
    assert spoken_s(row(0.0, 0.4, 1, eos_latency_s=None, frames=0)) == 0.0
