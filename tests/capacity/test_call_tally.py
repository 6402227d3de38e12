"""Calls added up from rows, for loss systems whose share of refused calls Erlang's formula knows."""

from __future__ import annotations

import math
from itertools import takewhile
from statistics import fmean, stdev

import pytest
from loss_system import BEGAN_AT, row, rows_of

from stt_load.capacity.arrivals import CallLoad
from stt_load.capacity.call_tally import CallFigures, CallTally
from stt_load.capacity.erlang import erlang_b

CALL_S = 90.0
PLACES = 8
LOADS = {"4/min": 6.0, "6/min": 9.0, "12/min": 18.0}


def load_of(erlangs: float, seed: int = 1) -> CallLoad:
    return CallLoad(f"{erlangs * 60 / CALL_S:g}/min", erlangs / CALL_S, CALL_S, 10.0, seed, 0)


def tally(load: CallLoad, first_s: float = 200.0, last_s: float = 200.0 + 40 * CALL_S) -> CallTally:
    return CallTally(load, BEGAN_AT, (BEGAN_AT + first_s, BEGAN_AT + last_s))


def figures_of(load: CallLoad, places: int = PLACES, calls: float = 40.0) -> CallFigures:
    last_s = 200.0 + calls * CALL_S
    made = tally(load, 200.0, last_s)
    made.add(list(rows_of(load, places, last_s + 100.0)))
    return made.close()


@pytest.mark.parametrize("erlangs", LOADS.values(), ids=LOADS)
def test_the_share_that_a_loss_system_refuses_is_that_of_the_formula(erlangs: float) -> None:
    """The mean over 60 runs of some hundred calls; the runs' own scatter says how near it has to be."""
    runs = [figures_of(load_of(erlangs, seed)) for seed in range(60)]
    shares = [run.refused / run.due for run in runs]
    assert abs(fmean(shares) - erlang_b(erlangs, PLACES)) < 4 * stdev(shares) / math.sqrt(len(runs))
    assert fmean(run.erlangs for run in runs) == pytest.approx(erlangs, rel=0.03)
    assert all(run.places == PLACES for run in runs if run.refused)
    carried = fmean(run.on_line_mean for run in runs)
    assert carried == pytest.approx(erlangs * (1 - erlang_b(erlangs, PLACES)), rel=0.05)
    assert max(run.on_line_max for run in runs) == PLACES
    assert {run.not_started for run in runs} == {0}


def test_the_limits_of_the_share_hold_the_truth_about_as_often_as_they_say() -> None:
    """Each limit may be wrong in one run of twenty. Refusals come in clusters: limits that took every call for a piece
    of evidence of its own hold it in three runs of four."""
    truth, held, naive = erlang_b(9.0, PLACES), 0, 0
    runs = [figures_of(load_of(9.0, seed), calls=60.0) for seed in range(100)]
    for run in runs:
        refused = run.refused_rate
        assert refused is not None and refused.low is not None and refused.high is not None
        held += refused.low <= truth <= refused.high
        spread = 1.645 * math.sqrt(refused.value * (1 - refused.value) / run.due)
        naive += abs(refused.value - truth) <= spread
    assert held >= 82, "of 90: three standard errors below"
    assert naive < held


def test_the_formula_for_the_load_and_the_places_that_were_seen_is_near_the_truth() -> None:
    run = figures_of(load_of(9.0), calls=400.0)
    assert run.erlang_b(run.places) == pytest.approx(erlang_b(9.0, PLACES), abs=0.03)
    assert run.erlang_b(None) is None


def test_a_call_of_many_utterances_is_one_call() -> None:
    whole, spoken = tally(load_of(6.0)), tally(load_of(6.0))
    whole.add(list(rows_of(load_of(6.0), PLACES, 4_000.0)))
    spoken.add(list(rows_of(load_of(6.0), PLACES, 4_000.0, utterance_s=5.0)))
    one, other = whole.close(), spoken.close()
    assert (one.due, one.refused, one.on_line_max, one.met) == (other.due, other.refused, other.on_line_max, other.met)
    assert one.call_s == pytest.approx(other.call_s)


def test_calls_without_a_row_are_counted_whoever_has_lost_them() -> None:
    load = load_of(6.0)
    rows = list(rows_of(load, PLACES, 4_000.0))
    lost = {record.call for record in rows if 400.0 <= record.started_at - BEGAN_AT < 460.0}
    made = tally(load)
    made.add([record for record in rows if record.call not in lost])
    assert len(lost) > 1
    assert made.close().not_started == len(lost)
    nothing = tally(load).close()
    assert nothing.not_started == nothing.due > 100
    assert nothing.refused_rate is None and nothing.places is None and nothing.on_line == ()


def test_calls_count_where_they_are_due_in_the_hold() -> None:
    load = load_of(6.0)
    due = [call for call in takewhile(lambda call: call.at_s < 300.0, load.calls()) if call.at_s >= 200.0]
    made = tally(load, 200.0, 300.0)
    made.add([row(load, call.ordinal, 0, call.at_s + 0.4, 10.0, outcome="ok") for call in due])
    made.add([row(load, due[-1].ordinal + 1, 0, 300.1, 10.0, outcome="ok")])
    assert (made.close().due, made.close().not_started) == (len(due), 0)


def test_a_call_that_was_refused_for_another_reason_is_not_one_that_found_the_server_full() -> None:
    load = load_of(6.0)
    (first, *_) = [call for call in takewhile(lambda call: call.at_s < 900.0, load.calls()) if call.at_s >= 200.0]
    made = tally(load)
    made.add([row(load, first.ordinal, 0, first.at_s, 0.0, outcome="refused", refusal="auth")])
    assert made.close().refused == 0


def test_a_hold_of_few_call_lengths_bounds_nothing() -> None:
    refused = figures_of(load_of(18.0), calls=3.0).refused_rate
    assert refused is not None and refused.value > 0.3
    assert refused.low is refused.high is None


def test_a_damaged_file_can_not_ask_for_a_schedule_without_an_end() -> None:
    load = CallLoad("1000/s", 1_000.0, 0.001, 10.0, 1, 0)
    made = CallTally(load, 0.0, (1e10, 1e11))
    assert made.close().due == 0
