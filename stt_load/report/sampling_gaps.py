"""Gaps: where samples are missing in a hold, and why.

A sidecar records when its source was quiet. It can't record that it was not running itself: such gaps are found in the
times of its samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType

from stt_load.kinds import STREAM
from stt_load.report.coverage import Span, holes
from stt_load.report.device import Device
from stt_load.report.wording import at_callers, callers

_RESTARTED = "the sidecar was restarted"
_LAST = "none came later in the run"
_LISTED_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class SamplingGap:
    """A span without samples (on the master's clock; its end is infinite where none came again).

    `device`: the only one that was not sampled; None where it is all that give these samples.
    """

    host: str
    samples: str  # a `samples` of device.DEVICE_KINDS
    span: Span
    why: str
    device: Device | None = None

    @property
    def whose(self) -> tuple[str, str]:
        return self.host, self.samples


@dataclass(frozen=True, slots=True)
class SampleStream:
    """The samples that one sidecar takes together, over the whole run. `reach_s`: how far one of them reaches.

    `timed`: for each device, when its samples were taken that hold figures, in order, and the boot id of its sidecar.
    """

    host: str
    samples: str  # a `samples` of device.DEVICE_KINDS
    timed: Mapping[Device, Sequence[tuple[float, str]]]
    reach_s: float

    def gaps(self, hold: Span) -> list[SamplingGap]:
        """The gaps in which no device was sampled, then those of single devices."""
        whole = self._gaps(hold, sorted(chain.from_iterable(self.timed.values())), None)
        single = [gap for device, timed in self.timed.items() for gap in self._gaps(hold, timed, device)]
        return [*whole, *(gap for gap in single if not any(_overlap(gap.span, other.span) for other in whole))]

    def _gaps(self, hold: Span, timed: Sequence[tuple[float, str]], device: Device | None) -> list[SamplingGap]:
        found = holes([taken for taken, _ in timed], hold, self.reach_s)
        return [SamplingGap(self.host, self.samples, hole, _why(timed, hole), device) for hole in found]


def _why(timed: Sequence[tuple[float, str]], hole: Span) -> str:
    """The reason for a hole, as far as the samples around it show it: a restarted sidecar has another boot id."""
    before = [boot for taken, boot in timed if taken <= hole[0]]
    after = [boot for taken, boot in timed if taken >= hole[1]]
    if before and not after:
        return _LAST
    return _RESTARTED if before and before[-1] != after[0] else ""


def within(
    hold: Span,
    recorded: Iterable[SamplingGap],
    seen: Iterable[SamplingGap],
    devices: Mapping[tuple[str, str], Iterable[Device]] = MappingProxyType({}),
) -> list[SamplingGap]:
    """The gaps of one hold, cut to it. A recorded gap, which has a reason, replaces the same one that was seen.

    `devices`: (host, samples) -> all devices that give these samples there.
    """
    known = [gap for gap in recorded if _overlap(gap.span, hold)]

    def is_known(gap: SamplingGap) -> bool:
        same = [other for other in known if other.whose == gap.whose and _overlap(other.span, gap.span)]
        told = {other.device for other in same}
        concerned = devices.get(gap.whose, ()) if gap.device is None else (gap.device,)
        return None in told or (bool(told) and all(device in told for device in concerned))

    rest = [gap for gap in seen if not is_known(gap)]
    return [replace(gap, span=(max(gap.span[0], hold[0]), min(gap.span[1], hold[1]))) for gap in (*known, *rest)]


def gap_notes(missed: Mapping[int, tuple[str, Span, Sequence[SamplingGap]]], *, name_hosts: bool) -> list[str]:
    """One line for each gap. Holds without any sample share a line.

    `missed`: stage -> its name (`wording.stage_names`), when its hold was, and the gaps in it.
    """
    parts: list[str] = []
    whole: dict[tuple[str, str], list[str]] = {}
    for name, hold, gaps in missed.values():
        for gap in gaps:
            what = f"{gap.samples} samples" if gap.device is None else f"samples of {gap.device.in_words}"
            host = f" {'of' if gap.device is None else 'on'} {gap.host}" if name_hosts else ""
            whose = what + host
            why = f": {gap.why}" if gap.why else ""
            if gap.span == hold:
                whole.setdefault((whose, why), []).append(name)
            else:
                began, ended = (moment - hold[0] for moment in gap.span)
                parts.append(f"{whose} missing {began:.1f}–{ended:.1f} s into the hold at {callers(name)}{why}")
    notes = [
        f"{whose} missing for the whole hold {at_callers(users, STREAM)}{why}" for (whose, why), users in whole.items()
    ]
    more = len(parts) - _LISTED_AT_MOST
    return [*notes, *parts[:_LISTED_AT_MOST], *([f"{more} more gaps in the samples"] if more > 0 else [])]


def _overlap(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]
