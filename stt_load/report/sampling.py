"""All samples of a run: the figures of each device in each hold, and notes about what was not sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from stt_load.report.coverage import Span, reach_s
from stt_load.report.device import DEVICE_KINDS, Device, DeviceFigures
from stt_load.report.device_samples import (
    SampledHold,
    SampleRow,
    by_device,
    fields_of,
    headline_of,
    holds,
    measure,
    times_of,
)
from stt_load.report.hold_assignment import count_mistagged, samples_by_hold
from stt_load.report.sampling_gaps import SampleStream, SamplingGap, gap_notes, within
from stt_load.report.sidecars import Sidecars
from stt_load.report.stage_timeline import Transition
from stt_load.report.wording import stage_names


class Sampling:
    """The samples of a run, assigned to the holds that they were taken in."""

    def __init__(
        self,
        run: Mapping[str, Any],
        samples: Sequence[SampleRow],
        transitions: Sequence[Transition],
        spans: Mapping[int, Span | None],
    ) -> None:
        """`samples`: the lines of gpu.jsonl and host.jsonl. `transitions`: the lines of stages.jsonl. `spans`: stage ->
        when its hold was, on the master's wall clock; None where it never ended."""
        self._run_id = run.get("run_id")
        self._samples = samples
        self._lines = transitions
        self._spans = spans
        self._sidecars = Sidecars(run)
        self._holds = samples_by_hold(samples, spans, self._run_id)
        self._by_device = by_device(samples)
        self._reported = {device: fields_of(mine) for device, mine in self._by_device.items()}
        self._reach_s = {
            device: reach_s(self._sidecars.period_s(device), times_of(mine), self._sidecars.limit_s(device))
            for device, mine in self._by_device.items()
        }

    def devices(self, stage: int, audio_s: float | None) -> tuple[DeviceFigures, ...]:
        """Every device that should have been sampled, even if no sample of it came. `audio_s`: as in `SampledHold`."""
        span = self._spans[stage]
        hold = SampledHold(span, audio_s) if span else None
        taken = {device: mine for device, mine in by_device(self._holds[stage]).items() if self._is_whole(device)}
        lacking = [device for device in self._expected if not any(_is_part(device, other) for other in taken)]
        return tuple(
            measure(
                device,
                taken.get(device, ()),
                hold,
                self._reach_s.get(device, 0.0),
                self._gaps_of(device),
                self._reported.get(device, frozenset()),
            )
            for device in sorted([*taken, *lacking], key=lambda device: device.place)
        )

    def _is_whole(self, device: Device) -> bool:
        """False for a GPU that never has figures of its own, because its MIG devices have them."""
        return bool(self._reported[device]) or not any(
            _is_part(device, other) for other, fields in self._reported.items() if fields
        )

    def _gaps_of(self, device: Device) -> list[Span]:
        """The gaps that the sidecar of its host recorded."""
        whose = (device.host, DEVICE_KINDS[device.kind].samples)
        return [
            gap.span
            for gap in self._sidecars.gaps
            if gap.whose == whose and (gap.device is None or _is_part(gap.device, device))
        ]

    def notes(self, users: Mapping[int, int]) -> list[str]:
        """Notes about sidecars without samples, guesses, wrong tags and gaps. `users`: stage -> callers."""
        devices = {(stream.host, stream.samples): tuple(stream.timed) for stream in self._streams}
        names = stage_names(users)
        missed = {
            stage: (names[stage], span, within(span, self._gaps_to_tell, self._seen_gaps(span), devices))
            for stage, span in self._spans.items()
            if span
        }
        name_hosts = len({device.host for device in self._by_device}) > 1
        return [
            *self._sidecars.silent,
            *self._sidecars.warnings,
            *self._tag_note(),
            *gap_notes(missed, name_hosts=name_hosts),
        ]

    @cached_property
    def _gaps_to_tell(self) -> list[SamplingGap]:
        """The recorded gaps of everything that should have been sampled."""
        return [
            gap
            for gap in self._sidecars.gaps
            if gap.device is None or any(_is_part(expected, gap.device) for expected in self._expected)
        ]

    @cached_property
    def _expected(self) -> list[Device]:
        """The devices that should have been sampled.

        The choice of GPUs may change until the server is found, so run.json decides which they are.
        """
        watched = self._sidecars.watched
        seen = by_device(sample for samples in self._holds.values() for sample in samples)
        return [*watched, *(device for device in seen if device.kind != "gpu" or not watched)]

    @cached_property
    def _streams(self) -> list[SampleStream]:
        groups: dict[tuple[str, str], list[Device]] = {}
        for device in self._by_device:
            if not (self._is_whole(device) and any(_is_part(expected, device) for expected in self._expected)):
                continue  # sampled only until the choice was made
            groups.setdefault((device.host, DEVICE_KINDS[device.kind].samples), []).append(device)
        return [
            SampleStream(
                host,
                samples,
                {device: self._timed(device) for device in devices},
                max(self._reach_s[device] for device in devices),
            )
            for (host, samples), devices in groups.items()
        ]

    def _timed(self, device: Device) -> list[tuple[float, str]]:
        """When its samples with figures were taken, in order, and the boot id of the sidecar."""
        headline = headline_of(device, self._reported[device])
        return sorted(
            (taken, str(sample.get("boot")))
            for sample in self._by_device[device]
            if (taken := sample.get("t")) is not None and holds(sample, headline)
        )

    def _seen_gaps(self, hold: Span) -> list[SamplingGap]:
        return [gap for stream in self._streams for gap in stream.gaps(hold)]

    def _tag_note(self) -> list[str]:
        wrong, checked = count_mistagged(self._samples, self._lines, self._run_id, self._sidecars.uncertainty_s)
        if not wrong:
            return []
        return [
            f"{wrong} of {checked} samples are tagged with another stage or phase than stages.jsonl has for their "
            "time, so figures of GPUs and hosts may be those of another: check that the clocks of master and sidecar "
            "agree, and that nobody else tells this sidecar its stages: a token keeps others out"
        ]


def _is_part(device: Device, other: Device) -> bool:
    """Both are the same device, or MIG devices of the same GPU."""
    return (device.host, device.kind, device.gpu) == (other.host, other.kind, other.gpu)
