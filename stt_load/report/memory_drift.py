"""How the memory of GPUs and of the server's processes changes over a soak."""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.metrics.drift import MEMORY_BOUND, MOST_BINS, Axis, Drift, drift_of
from stt_load.metrics.figures import Unit
from stt_load.report.coverage import Span
from stt_load.report.device import DEVICE_KINDS, GIVE_BACK
from stt_load.report.device_samples import SampleRow, by_device, value_of


def memory_drifts(samples: Sequence[SampleRow], hold: Span) -> list[Drift]:
    """One for each device that was sampled: its mean memory in bins of the hold, against the age of the run."""
    found = []
    for device, mine in by_device(samples).items():
        if device.kind in GIVE_BACK:
            points = _binned(mine, DEVICE_KINDS[device.kind].memory, hold)
            drift = drift_of(f"memory of {device.in_words}", Axis.RUN, Unit.MIB, MEMORY_BOUND, points)
            found += [drift] if drift else []
    return found


def _binned(samples: Sequence[SampleRow], name: str, hold: Span) -> list[tuple[float, float]]:
    began, ended = hold
    width_s = (ended - began) / MOST_BINS
    bins: dict[int, list[float]] = {}  # number of samples, sum of their ages, sum of their values
    for sample in samples:
        at, value = sample.get("t"), value_of(sample, name)
        if isinstance(at, (int, float)) and value is not None and began <= at < ended:
            sums = bins.setdefault(int((at - began) / width_s), [0, 0.0, 0.0])
            for place, more in enumerate((1, at - began, value)):
                sums[place] += more
    return [(age_s / n, total / n) for _, (n, age_s, total) in sorted(bins.items())]
