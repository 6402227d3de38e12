"""How the memory of GPUs and of the server's processes changes over a soak."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from stt_load.metrics.drift import MEMORY_BOUND, Axis, Drift, drift_of
from stt_load.metrics.figures import Unit
from stt_load.metrics.widening_bins import MOST_BINS
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
    """Mean age and value of each bin that has any."""
    began, ended = hold
    taken = [
        (at - began, value)
        for sample in samples
        if isinstance(at := sample.get("t"), (int, float)) and began <= at < ended
        if (value := value_of(sample, name)) is not None
    ]
    width_s = (max(age_s for age_s, _ in taken) / MOST_BINS if taken else 0.0) or 1.0
    bins: dict[int, list[tuple[float, float]]] = {}
    for age_s, value in taken:
        bins.setdefault(int(age_s / width_s), []).append((age_s, value))
    columns = (zip(*mine, strict=True) for _, mine in sorted(bins.items()))
    return [(fmean(ages_s), fmean(values)) for ages_s, values in columns]
