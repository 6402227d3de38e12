"""All samples of a run: the figures of each device in each hold, and what the reader should know of the sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from stt_load.report.coverage import Span, reach_s
from stt_load.report.device import KINDS, Device, DeviceFigures
from stt_load.report.gaps import Gap, Stream, gap_notes, within
from stt_load.report.hold import Hold, Sample, by_device, measure, times_of
from stt_load.report.sidecars import Sidecars
from stt_load.report.tags import Line, by_hold, mistagged


class Sampling:
    """The samples, put to the holds they were taken in."""

    def __init__(
        self,
        run: Mapping[str, Any],
        samples: Sequence[Sample],
        lines: Sequence[Line],
        spans: Mapping[int, Span | None],
    ) -> None:
        """`samples`: of gpu.jsonl and host.jsonl. `lines`: of stages.jsonl. `spans`: stage -> when its hold was, on
        the master's wall clock; None where it never ended."""
        self._run_id = run.get("run_id")
        self._samples = samples
        self._lines = lines
        self._spans = spans
        self._sidecars = Sidecars(run)
        self._holds = by_hold(samples, spans, self._run_id)
        self._by_device = by_device(samples)
        self._reach_s = {
            device: reach_s(self._sidecars.period_s(device), times_of(mine)) for device, mine in self._by_device.items()
        }

    def devices(self, stage: int, audio_s: float | None) -> tuple[DeviceFigures, ...]:
        """Every device that was to be sampled, also where no sample of it came. `audio_s`: as in `Hold`."""
        span = self._spans[stage]
        hold = Hold(span, audio_s) if span else None
        taken = by_device(self._holds[stage])
        lacking = [device for device in self._expected if not any(_is_part(device, other) for other in taken)]
        return tuple(
            measure(device, taken.get(device, ()), hold, self._reach_s.get(device, 0.0), self._gaps_of(device))
            for device in sorted([*taken, *lacking], key=lambda device: device.place)
        )

    def _gaps_of(self, device: Device) -> list[Span]:
        """As the sidecar of its host recorded them."""
        whose = (device.host, KINDS[device.kind].samples)
        return [gap.span for gap in self._sidecars.gaps if (gap.host, gap.samples) == whose]

    def notes(self, users: Mapping[int, int]) -> list[str]:
        """`users`: stage -> callers."""
        missed = {
            stage: (users[stage], span, within(span, self._sidecars.gaps, self._seen_gaps(span)))
            for stage, span in self._spans.items()
            if span
        }
        name_hosts = len({device.host for device in self._by_device}) > 1
        return [*self._sidecars.silent, *self._tag_note(), *gap_notes(missed, name_hosts=name_hosts)]

    @cached_property
    def _expected(self) -> list[Device]:
        """Which GPUs are sampled may change before the server is found, so the last word on them is run.json's."""
        watched = self._sidecars.watched
        seen = by_device(sample for samples in self._holds.values() for sample in samples)
        return [*watched, *(device for device in seen if device.kind != "gpu" or not watched)]

    @cached_property
    def _streams(self) -> list[Stream]:
        groups: dict[tuple[str, str], list[Device]] = {}
        for device in self._by_device:
            if not any(_is_part(expected, device) for expected in self._expected):
                continue  # sampled before the choice was made, and nobody missed it later
            groups.setdefault((device.host, KINDS[device.kind].samples), []).append(device)
        return [
            Stream(
                host,
                samples,
                sorted(
                    (taken, str(sample.get("boot")))
                    for device in devices
                    for sample in self._by_device[device]
                    if (taken := sample.get("t")) is not None
                ),
                max(self._reach_s[device] for device in devices),
            )
            for (host, samples), devices in groups.items()
        ]

    def _seen_gaps(self, hold: Span) -> list[Gap]:
        return [gap for stream in self._streams for gap in stream.gaps(hold)]

    def _tag_note(self) -> list[str]:
        wrong, looked_at = mistagged(self._samples, self._lines, self._run_id, self._sidecars.uncertainty_s)
        if not wrong:
            return []
        return [
            f"{wrong} of {looked_at} samples bear another stage or phase than stages.jsonl has for their moment: "
            "check the clocks of master and sidecar"
        ]


def _is_part(device: Device, other: Device) -> bool:
    """A MIG device stands for the GPU that it is a part of."""
    return (device.host, device.kind, device.gpu) == (other.host, other.kind, other.gpu)
