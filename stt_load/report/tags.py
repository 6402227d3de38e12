"""To which hold a sample belongs, and whether what the sidecar wrote on it agrees with `stages.jsonl`.

The sidecar tags each sample with the stage and phase that it was last told. `stages.jsonl` says the same of each
moment, on the master's clock. The two are found in different ways, so each checks the other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from stt_load.report.coverage import Span
from stt_load.report.hold import Sample

Line = Mapping[str, Any]

EDGE_S = 1.5
"""So far may a tag and the master's clock differ at the edge of a phase: telling the sidecar takes a moment."""


def by_hold(samples: Iterable[Sample], spans: Mapping[int, Span | None], run_id: object) -> dict[int, list[Sample]]:
    """Stage -> the samples taken in its hold: by tag, or by time where the sidecar did not know.

    `spans`: when the hold of each stage began and ended. A tag of another run (two load tests share a sidecar)
    says nothing of this one.
    """
    holds: dict[int, list[Sample]] = {stage: [] for stage in spans}
    for sample in samples:
        stage = _hold_by_tag(sample) if _is_tagged(sample, run_id) else _hold_by_time(sample, spans)
        if stage in holds:
            holds[stage].append(sample)
    return holds


def mistagged(
    samples: Iterable[Sample], lines: Sequence[Line], run_id: object, uncertainty_s: Callable[[str], float]
) -> tuple[int, int]:
    """How many samples bear another stage or phase than `stages.jsonl` has for their moment, and of how many.

    `lines`: of `stages.jsonl`. `uncertainty_s`: of the clock of a host, by its name.
    """
    begins = [float(line["t"]) for line in lines]
    wrong = looked_at = 0
    for sample in samples:
        taken = sample.get("t")
        if taken is None or not _is_tagged(sample, run_id):
            continue
        allowance_s = EDGE_S + uncertainty_s(str(sample.get("host", "")))
        first = max(0, bisect_right(begins, taken - allowance_s) - 1)
        last = bisect_right(begins, taken + allowance_s)
        tag = (sample.get("stage"), sample.get("phase"))
        looked_at += 1
        wrong += tag not in {(line["stage"], line["phase"]) for line in lines[first:last]}
    return wrong, looked_at


def _is_tagged(sample: Sample, run_id: object) -> bool:
    return sample.get("stage") is not None and sample.get("run_id") in (None, run_id)


def _hold_by_tag(sample: Sample) -> int | None:
    return int(sample["stage"]) if sample.get("phase") == "hold" else None


def _hold_by_time(sample: Sample, spans: Mapping[int, Span | None]) -> int | None:
    taken = sample.get("t")
    if taken is None:
        return None
    return next((stage for stage, span in spans.items() if span and span[0] <= taken < span[1]), None)
