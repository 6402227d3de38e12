"""The devices that a sidecar samples (a GPU, the server's processes, a host) and their figures in one hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stt_load.metrics.quantiles import Distribution

COVERED = 0.9
"""The share of a hold that samples must cover for its figures to be shown without a mark."""

LOST = 0.5
"""Below this share no figure is shown."""


_GROWTH = "memory_growth_mib_per_min"
_MADE_OF = {"energy_j": "power_w", "energy_per_audio_minute_j": "power_w"}


def is_covered(coverage: float | None) -> bool:
    return coverage is not None and coverage >= COVERED


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """One kind of device. `busy` and `memory` name the fields of its samples for load and memory."""

    word: str
    samples: str  # what its samples are called in notes: GPU samples, CPU samples
    busy: str
    means: str  # what `busy` is, for people
    unit: str  # of `busy`
    digits: int
    memory: str  # MiB


DEVICE_KINDS: dict[str, DeviceKind] = {
    "gpu": DeviceKind("GPU", "GPU", "sm_pct", "share of time with a kernel running", "%", 0, "fb_mib"),
    "process": DeviceKind("server", "CPU", "cpu_cores", "cores kept busy", "cores", 2, "rss_mib"),
    "host": DeviceKind("host", "CPU", "cpu_pct", "share of all cores", "%", 0, "memory_used_mib"),
}
"""The kinds of devices by the `kind` of their samples, in the order of the tables."""

GIVE_BACK = frozenset({"gpu", "process"})
"""Kinds whose memory says something of the server alone: on a whole host, others take some, too."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device. `gpu`: index of the GPU; None if unknown or no GPU. `mig`: number of a MIG device on that GPU."""

    host: str
    kind: str  # a key of DEVICE_KINDS
    gpu: int | None = None
    mig: int | None = None

    @property
    def name(self) -> str:
        """`GPU 0 MIG 1`, `server`, `host`."""
        parts = (DEVICE_KINDS[self.kind].word, self.gpu, None if self.mig is None else f"MIG {self.mig}")
        return " ".join(str(part) for part in parts if part is not None)

    @property
    def in_words(self) -> str:
        """Its name inside a sentence: `GPU 0`, `the server`."""
        return self.name if self.kind == "gpu" else f"the {self.name}"

    @property
    def place(self) -> tuple[str, int, int, int]:
        """Sort key for lists of devices."""
        first = -1  # before every index
        order = list(DEVICE_KINDS).index(self.kind)
        return (self.host, order, first if self.gpu is None else self.gpu, first if self.mig is None else self.mig)


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """The figures of one device in one hold. None: the device doesn't report it, or too little was sampled.

    `fields`: every number of its samples, by its name there. `coverage`: the share of the hold that is near a
    sample which holds its load (or its memory, where it never reports a load), 0 to 1; None where the hold has no end.
    `coverages`: the same for each field that it reports anywhere in the run. `throttled`: the share of time in which
    power or heat held its clocks back. `energy_j`: mean power times the length of the hold.
    """

    device: Device
    fields: Mapping[str, Distribution] = field(default_factory=dict)
    coverage: float | None = None
    coverages: Mapping[str, float | None] = field(default_factory=dict)
    throttled: float | None = None
    energy_j: float | None = None
    energy_per_audio_minute_j: float | None = None
    memory_growth_mib_per_min: float | None = None

    @property
    def busy(self) -> Distribution:
        return self.of(DEVICE_KINDS[self.device.kind].busy)

    @property
    def memory(self) -> Distribution:
        return self.of(DEVICE_KINDS[self.device.kind].memory)

    def of(self, name: str) -> Distribution:
        return self.fields.get(name, Distribution())

    def coverage_of(self, name: str) -> float | None:
        """The share of the hold with samples that hold a field, or what a figure such as `energy_j` is made of.

        Where the device never reports it in the run, nothing of it is missing: then as `coverage`.
        """
        memory = DEVICE_KINDS[self.device.kind].memory
        return self.coverages.get(_MADE_OF.get(name, memory if name == _GROWTH else name), self.coverage)

    def measured(self, name: str) -> Distribution | float | None:
        """A field of its samples, or a figure of its own such as `energy_j`."""
        value: Distribution | float | None = self.fields.get(name) or getattr(self, name, None)
        return value
