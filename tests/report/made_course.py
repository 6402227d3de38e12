"""Runs that are no plain ladder, as the load side writes them."""

from __future__ import annotations

from made_run import MadeRun, made_run

from stt_load.options import Course


def spike_run(after_s: float = 0.4, base_s: float = 0.4) -> MadeRun:
    """Five callers, forty, and five: latency is `base_s`, 5 s, and `after_s` once 10 s have passed."""
    made = made_run((5, 40, 5), per_stage=120, knee_at=100, hold_s=60.0, gpu=False)
    made.run |= {"course": str(Course.SPIKE)}
    for record in made.utterances:
        after = record.started_at - made.span(2)[0]
        late_s = (base_s, 5.0, 5.0 if after < 10 else after_s)[record.stage]
        record.eos_latency_s, record.stream_end_latency_s, record.duration_s = late_s, late_s - 0.6, 5.0 + late_s
    return made


def spike_run_cut_short() -> MadeRun:
    """A spike behind which only the utterances of the last 8 s are there: too few to tell when it was over."""
    made = spike_run()
    end = made.span(2)[1]
    made.utterances = [each for each in made.utterances if each.stage < 2 or each.started_at > end - 8]
    made.transitions[-1]["delivery"] |= {"rows": len(made.utterances), "totals": {"one": len(made.utterances)}}
    for line in made.transitions:
        line["begun"], line["ended"] = 0, 0
    return made


def way_down(again_s: float = 0.4) -> MadeRun:
    """One caller, ten, and one again, whose latency is `again_s` then. The server keeps all memory that it took."""
    made = made_run((1, 10, 1), per_stage=120, knee_at=100, hold_s=60.0, gpu=False, host=True)
    made.run |= {"course": str(Course.RAMP_DOWN)}
    for record in made.utterances:
        record.eos_latency_s = (0.4, 0.8, again_s)[record.stage]
    for row in made.host:
        if row["kind"] == "process":
            row["rss_mib"] = (1_000.0, 3_000.0, 2_800.0)[row["stage"]]
    return made
