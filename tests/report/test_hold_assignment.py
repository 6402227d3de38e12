"""To which hold a sample belongs, and how its tag stands against stages.jsonl."""

import pytest
from made_run import START_S, made_run

from stt_load.report.hold_assignment import EDGE_S, count_mistagged, samples_by_hold

LINES = made_run(ladder=(1, 5), per_stage=1, gpu=False).transitions
SPANS = {stage: made_run(ladder=(1, 5), per_stage=1, gpu=False).span(stage) for stage in (0, 1)}
HOLD_S, END_S = SPANS[0]


def sample(t: float | None, stage: int | None, phase: str | None, run_id: str | None = "made") -> dict[str, object]:
    return {"t": t, "host": "h", "stage": stage, "phase": phase, "run_id": run_id}


@pytest.mark.parametrize(
    ("row", "stage"),
    [
        (sample(HOLD_S + 1, 0, "hold"), 0),
        (sample(HOLD_S + 1, 1, "hold"), 1),
        (sample(HOLD_S + 1, 0, "ramp"), None),
        (sample(HOLD_S + 1, None, None), 0),
        (sample(HOLD_S, None, None), 0),
        (sample(END_S, None, None), None),
        (sample(END_S, None, None, None), None),
        (sample(None, None, None), None),
        (sample(None, 1, "hold"), 1),
        (sample(HOLD_S + 1, 1, "hold", "another"), 0),
        (sample(HOLD_S + 1, 9, "hold"), None),
    ],
    ids=[
        "by its tag",
        "by its tag even where its time says otherwise",
        "a tag of another phase",
        "by time without a tag",
        "the beginning counts",
        "the end doesn't",
        "of no run, after the hold",
        "no tag and no time",
        "no time",
        "a tag of another run says nothing",
        "a stage that nobody knows",
    ],
)
def test_a_sample_belongs_to_a_hold(row: dict[str, object], stage: int | None) -> None:
    holds = samples_by_hold([row], SPANS, "made")
    assert [known for known, samples in holds.items() if samples] == ([] if stage is None else [stage])


def test_a_hold_that_never_ended_takes_what_is_tagged_with_it() -> None:
    holds = samples_by_hold([sample(HOLD_S + 1, 0, "hold"), sample(HOLD_S + 1, None, None)], {0: None}, "made")
    assert len(holds[0]) == 1


@pytest.mark.parametrize(
    ("row", "wrong", "looked_at"),
    [
        (sample(HOLD_S + 5, 0, "hold"), 0, 1),
        (sample(HOLD_S - EDGE_S + 0.1, 0, "hold"), 0, 1),
        (sample(HOLD_S + EDGE_S - 0.1, 0, "ramp"), 0, 1),
        (sample(HOLD_S - EDGE_S - 0.1, 0, "hold"), 1, 1),
        (sample(HOLD_S + 5, 1, "hold"), 1, 1),
        (sample(HOLD_S + 5, 0, "settle"), 1, 1),
        (sample(START_S - 60, 0, "ramp"), 1, 1),
        (sample(HOLD_S + 5, None, None), 0, 0),
        (sample(None, 0, "hold"), 0, 0),
        (sample(HOLD_S + 5, 1, "hold", "another"), 0, 0),
    ],
)
def test_a_tag_is_held_against_the_time(row: dict[str, object], wrong: int, looked_at: int) -> None:
    assert count_mistagged([row], LINES, "made", lambda host: 0.0) == (wrong, looked_at)


def test_a_clock_that_is_not_known_well_gets_more_room_at_the_edges() -> None:
    row = sample(HOLD_S - EDGE_S - 2, 0, "hold")
    assert count_mistagged([row], LINES, "made", {"h": 2.5}.__getitem__) == (0, 1)


def test_live_tags_of_a_whole_run_agree_with_its_stages() -> None:
    made = made_run(ladder=(1, 5, 10), per_stage=1, host=True)
    assert count_mistagged(made.samples, made.transitions, "made", lambda host: 0.0) == (0, len(made.samples))
