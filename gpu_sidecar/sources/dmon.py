"""The source of `nvidia-smi dmon`, which every driver has. Its shortest period is a second.

    # gpu     sm    mem    enc    dec    jpg    ofa     fb   bar1   ccpm      the header: names
    # Idx      %      %      %      %      %      %     MB     MB     MB      units: only counted
        0     45     32      0      0      0      0   1842      5      0      a row, one for each GPU

dmon repeats the header from time to time, and a driver may change it. `-` means that the GPU doesn't say.

What its manual says (`man nvidia-smi`, `nvidia-smi dmon --help`, drivers 418 to 580):
- `-s` takes p, u, c, v, m, e, t; a metric that the device lacks is `-`, no error. A device that dmon doesn't support
  at all ends it: "Not supported on the device(s)", "Failed to process command line".
- t, PCIe throughput, is measured over 20 ms a direction and GPU (NVML's manual): rows of 8 GPUs come spread over a
  third of a second.
- Older drivers sample 4 GPUs at most, newer ones 16; without `-i` the first ones. So it is told which ones.
- "On MIG-enabled GPUs, querying the utilization of encoder, decoder, jpeg, ofa, gpu, and memory is not currently
  supported": these are `-` there. Figures of a MIG device come only with `--gpm-metrics` and `--gpm-options m`, on
  Hopper and later. They aren't asked for, and how dmon names the instance is not documented: a `mig` column, if one
  comes, is the MIG device's number.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpu_sidecar.metrics import BY_DMON_NAME, GPU
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import SourceConfig
from gpu_sidecar.sources.nvidia_command import NvidiaCommand, gpu_option
from gpu_sidecar.sources.query import QueryCommand
from gpu_sidecar.sources.row_shape import RowShape, shape_of
from gpu_sidecar.sources.tail import DEFAULT_TIMING, TailSource, TailTiming
from gpu_sidecar.sources.tool_command import FirstAccepted, Parse

# Every group, the groups that a load test needs, the groups that every driver has. The first that dmon accepts is used.
_GROUPS = ("pucvmet", "pucm", "um")

# What we need of `-s um` on the oldest drivers, used until a header is seen.
_DEFAULT_NAMES = ("gpu", "sm", "mem", "fb")


class DmonSource(TailSource):
    """Samples with `nvidia-smi dmon`; with `nvidia-smi --query-gpu` where dmon supports none of the GPUs.

    `config.period_s` is rounded to whole seconds, 1 or more.
    """

    def __init__(self, config: SourceConfig, timing: TailTiming = DEFAULT_TIMING) -> None:
        period_s = max(1, round(config.period_s))
        command = FirstAccepted(DmonCommand(period_s), QueryCommand(period_s))
        super().__init__(GPU, period_s, config, command, timing)


class DmonCommand(NvidiaCommand):
    """Asks for all groups of columns, or for fewer once the driver has refused them."""

    name, header = "dmon", "#"

    def __init__(self, period_s: int) -> None:
        self._period_s = period_s
        self._at = 0

    def argv(self, only: Sequence[int]) -> list[str]:
        return ["nvidia-smi", "dmon", "-s", _GROUPS[self._at], "-d", str(self._period_s), *gpu_option(only)]

    def make_parser(self) -> Parse:
        return DmonParser().feed

    def ask_less(self, output: Sequence[str]) -> bool:
        self._at = (self._at + 1) % len(_GROUPS)
        return self._at > 0


class DmonParser:
    """Parses dmon's output. Feed it the lines in order; no line makes it raise.

    A header counts if its line of units has as many words. If it was cut off or lost, rows give no samples until a
    whole header comes: no sample is better than one with swapped columns.
    """

    def __init__(self) -> None:
        self._shape: RowShape | None = _shape_of(_DEFAULT_NAMES)
        self._header: list[str] = []  # the words of the header that was read last, until a row or units end it

    def feed(self, line: str) -> Sample | None:
        """The line's sample; None for a header, units, a blank or torn line, or anything else."""
        text = line.strip()
        if text.startswith("#"):
            # With `-o DT` the header starts "#Date" without a space.
            self._read_header(text.lstrip("#").lower().split())
            return None
        cells = text.split()
        if self._header and cells and all(cell in BY_DMON_NAME for cell in cells):
            self._read_header(cells)  # the second half of one that was cut in two
            return None
        if cells:
            self._header = []
        return None if self._shape is None else self._shape.read(cells)

    def _read_header(self, words: list[str]) -> None:
        if "idx" in words:
            if len(words) != len(self._header):
                self._shape = None
            self._header = []
        elif "gpu" in words:
            self._header = words
            self._shape = _shape_of(words)
        elif self._header:
            self._header = [*self._header, *words]
            self._shape = _shape_of(self._header)


def _shape_of(names: Sequence[str]) -> RowShape | None:
    return shape_of(names, BY_DMON_NAME, "gpu")
