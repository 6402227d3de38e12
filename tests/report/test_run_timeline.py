"""A run over time: which utterances are drawn, and what else is measured over time."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from made_run import START_S, made_run, utterance

from stt_load.report.build import build_report
from stt_load.report.run_timeline import LateFrames, Reservoir


def records(n: int) -> list:
    one = utterance(0, 1)
    return [
        type(one)(**{**{f: getattr(one, f) for f in one.__struct_fields__}, "started_at": float(at)}) for at in range(n)
    ]


def sample(size: int, n: int, batch: int, seed: int = 1) -> list[float]:
    reservoir, every = Reservoir(size, random.Random(seed)), records(n)
    for first in range(0, n, batch):
        reservoir.add(every[first : first + batch])
    assert reservoir.n == n
    return [dot.began for dot in reservoir.dots]


@pytest.mark.parametrize(("n", "kept"), [(0, 0), (3, 3), (10, 10), (11, 10), (500, 10)])
def test_a_sample_has_as_many_as_it_has_room_for_and_none_twice(n: int, kept: int) -> None:
    found = sample(10, n, batch=7)
    assert len(found) == len(set(found)) == kept


def test_the_sample_does_not_depend_on_how_the_utterances_come() -> None:
    assert sample(10, 500, batch=1) == sample(10, 500, batch=500) == sample(10, 500, batch=33)


def test_every_utterance_is_as_likely_as_every_other() -> None:
    """2,000 samples of 5 of 20: each is taken in 500 of them, give or take 5 standard deviations."""
    every = records(20)
    taken: Counter[float] = Counter()
    for seed in range(2_000):
        reservoir = Reservoir(5, random.Random(seed))
        reservoir.add(every)
        taken.update(dot.began for dot in reservoir.dots)
    assert len(taken) == 20
    assert all(abs(n - 500) < 5 * (2_000 * 0.25 * 0.75) ** 0.5 for n in taken.values())


def test_late_frames_are_a_share_of_the_frames_of_their_time() -> None:
    late = LateFrames(1000.0, 1120.0)
    late.add([utterance(0, 1, started_at=1000.5, frames=100, frames_late=0)])
    late.add([utterance(0, 1, started_at=1010.2, frames=50, frames_late=5)])
    late.add([utterance(0, 1, started_at=1010.8, frames=50, frames_late=0), utterance(0, 1, started_at=9e9, frames=0)])
    assert late.shares() == ((1000.0, 0.0), (1010.0, 0.05))


def test_the_timeline_of_a_run_has_its_phases_outcomes_and_the_load_of_the_busiest_device() -> None:
    made = made_run(ladder=(1, 5), per_stage=20, host=True)
    made.utterances[3].outcome = "timed_out"
    made.utterances[4].outcome = "interrupted"
    timeline = build_report(made.run, made.transitions, [made.utterances], made.samples).timeline
    assert (timeline.began, timeline.ended) == (START_S, made.transitions[-1]["t"])
    assert [phase.name for phase in timeline.phases] == 2 * ["ramp", "hold", "grace", "settle"]
    assert (timeline.n_completed, timeline.n_failed) == (38, 1)
    assert [dot.outcome for dot in timeline.failed] == ["timed_out"]
    assert [device.name for device in timeline.utilisations] == ["GPU 0", "server"]


def test_the_timeline_of_a_run_that_was_killed_reaches_to_its_last_utterance() -> None:
    made = made_run(ladder=(1,), per_stage=20)
    del made.transitions[2:]
    timeline = build_report(made.run, made.transitions, [made.utterances]).timeline
    assert timeline.ended > made.transitions[-1]["t"]
    assert all(timeline.began <= dot.began <= timeline.ended for dot in timeline.completed)
