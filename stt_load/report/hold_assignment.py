"""Puts each sample into the hold that it was taken in, and checks the sidecar's tags against `stages.jsonl`.

The sidecar tags each sample with the stage and phase that it heard of last. `stages.jsonl` has the stage and phase of
each moment on the master's clock. The two are found independently, so each checks the other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence

from stt_load.report.coverage import Span
from stt_load.report.device_samples import SampleRow
from stt_load.report.stage_timeline import Transition

EDGE_S = 1.5
"""How far a tag and the master's clock may differ at the edge of a phase: it takes a moment to tell the sidecar."""


def samples_by_hold(
    samples: Iterable[SampleRow], spans: Mapping[int, Span | None], run_id: object
) -> dict[int, list[SampleRow]]:
    """Stage -> the samples of its hold: by tag, or by time where the sidecar heard nothing of this run.

    `spans`: when the hold of each stage began and ended. Tags of another run are ignored: runs may share a sidecar.
    """
    holds: dict[int, list[SampleRow]] = {stage: [] for stage in spans}
    for sample in samples:
        stage = _hold_by_tag(sample) if _is_tagged(sample, run_id) else _hold_by_time(sample, spans)
        if stage in holds:
            holds[stage].append(sample)
    return holds


def count_mistagged(
    samples: Iterable[SampleRow],
    transitions: Sequence[Transition],
    run_id: object,
    uncertainty_s: Callable[[str], float],
) -> tuple[int, int]:
    """How many samples have a tag that `stages.jsonl` contradicts, and how many have a tag and a time at all.

    `uncertainty_s`: how well the clock of a host is known, by the name of the host.
    """
    begins = [float(transition["t"]) for transition in transitions]
    wrong = checked = 0
    for sample in samples:
        taken = sample.get("t")
        if taken is None or not _is_tagged(sample, run_id):
            continue
        allowance_s = EDGE_S + uncertainty_s(str(sample.get("host", "")))
        first = max(0, bisect_right(begins, taken - allowance_s) - 1)
        last = bisect_right(begins, taken + allowance_s)
        tag = (sample.get("stage"), sample.get("phase"))
        checked += 1
        wrong += tag not in {(transition["stage"], transition["phase"]) for transition in transitions[first:last]}
    return wrong, checked


def _is_tagged(sample: SampleRow, run_id: object) -> bool:
    return sample.get("stage") is not None and sample.get("run_id") in (None, run_id)


def _hold_by_tag(sample: SampleRow) -> int | None:
    return int(sample["stage"]) if sample.get("phase") == "hold" else None


def _hold_by_time(sample: SampleRow, spans: Mapping[int, Span | None]) -> int | None:
    taken = sample.get("t")
    if taken is None:
        return None
    return next((stage for stage, span in spans.items() if span and span[0] <= taken < span[1]), None)
