"""An open loop for real: two load processes, sockets, and a server that has three places and refuses the rest."""

from __future__ import annotations

import json
import math
from itertools import takewhile
from pathlib import Path

import pytest
from loss_system import BEGAN_AT, rows_of
from runs import STT_LOAD, Run, StartSink, rows, run_folder, summary, two_processes

from stt_load.capacity.arrivals import CallLoad
from stt_load.capacity.call_tally import CallTally

pytestmark = pytest.mark.locust

PLACES, RATE, CALL_S, HOLD_S = 3, "90/min", 1.5, 6.0


def test_two_processes_play_one_schedule_against_a_server_that_refuses_whom_it_has_no_place_for(
    start_sink: StartSink, tmp_path: Path
) -> None:
    results, sink = tmp_path / "results", start_sink(places=PLACES)
    line = [*STT_LOAD, "run", "--stt-url", sink.url, "--arrivals", RATE, "--call", f"{CALL_S}s", "--warm-up", "0.5s"]
    line += ["--hold", f"{HOLD_S}s", "--settle", "0.2s", "--slo", "refused<99%", "--results", str(results)]
    with Run([*line, *two_processes()], tmp_path) as run:
        assert run.wait() in (0, 4), run.output  # 4: the machine was too busy for a microphone's pace
        assert "90 calls/min" in run.output

    folder = run_folder(results)
    transitions, utterances = rows(folder / "stages.jsonl"), rows(folder / "utterances.jsonl")
    assert [row["phase"] for row in transitions] == ["ramp", "ramp", "hold", "grace", "settle", "done"]
    opened, hold, grace = (transitions[n] for n in (1, 2, 3))
    load = CallLoad(**opened["load"])
    assert (load.rate, load.per_s, load.mean_call_s) == (RATE, 1.5, CALL_S)

    firsts = [row for row in utterances if row["call_utterance"] == 0]
    begun = sorted(row["call"] for row in firsts)
    assert len(set(begun)) == len(begun), "a call was played twice"
    assert set(begun) <= set(range(begun[-1] + 1))
    worker_of = {row["call"] % 2: row["worker"] for row in firsts}
    assert set(worker_of.values()) == {0, 1}
    assert all(row["worker"] == worker_of[row["call"] % 2] for row in firsts), "each plays every second call"

    (stage,) = summary(results)["stages"]
    calls = stage["calls"]
    due = [
        call.ordinal
        for call in takewhile(lambda call: opened["t"] + call.at_s < grace["t"], load.calls())
        if opened["t"] + call.at_s >= hold["t"]
    ]
    assert calls["due"] == len(due) > 3
    assert calls["not_started"] == len(set(due) - set(begun))
    refused = [row for row in utterances if row["outcome"] == "refused"]
    assert {(row["refusal"], row["call_utterance"]) for row in refused} == {("full", 0)}
    assert calls["refused"] == len([row for row in refused if row["call"] in due])
    assert calls["places"] == PLACES
    assert calls["on_line_mean"] <= PLACES + 0.1
    least, most = shares_by_chance(calls["erlangs"], calls["due"])
    assert least <= calls["refused_rate"] <= most, "Erlang's server would not refuse so many"
    assert all(row["users"] == math.ceil(load.erlangs) for row in utterances)
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["options"]["arrivals"] == RATE


def shares_by_chance(erlangs: float, n: int) -> tuple[float, float]:
    """The least and the largest share that a loss system refuses of so many calls, in 400 of its lives."""
    shares = []
    for seed in range(400):
        load = CallLoad("made", erlangs, 1.0, 1e3, seed, 0)
        end_s = load.opening_s + 5.0 + n / erlangs
        tally = CallTally(load, BEGAN_AT, (BEGAN_AT + load.opening_s + 5.0, BEGAN_AT + end_s))
        tally.add(list(rows_of(load, PLACES, end_s)))
        figures = tally.close()
        if figures.due:
            shares.append(figures.refused / figures.due)
    return min(shares), max(shares)
