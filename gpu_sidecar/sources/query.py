"""The source of `nvidia-smi --query-gpu=… --format=csv,nounits -lms N`: periods below a second, throttle reasons.

    index, utilization.gpu [%], memory.used [MiB], clocks_event_reasons.active     the header, units in brackets
    0, 45, 1842, 0x0000000000000004                                                a row, one for each GPU

`[N/A]`, `[Not Supported]`, `[Unknown Error]` mean that the GPU doesn't say. A property that the driver doesn't know
ends the tool at its start: `Field "utilization.ofa" is not a valid field to query.` It is then left out.
Properties: `nvidia-smi --help-query-gpu`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gpu_sidecar.metrics import BY_QUERY_NAME, GPU
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import SourceConfig
from gpu_sidecar.sources.nvidia_command import NvidiaCommand, gpu_option
from gpu_sidecar.sources.row_shape import RowShape, shape_of
from gpu_sidecar.sources.tail import DEFAULT_TIMING, TailSource, TailTiming
from gpu_sidecar.sources.tool_command import Parse

_REFUSED = re.compile(r'Field "([^"]*)" is not a valid field to query')

# Drivers since 535 always print the new name; older ones only know the old one.
_RENAMED = {"clocks_throttle_reasons.active": "clocks_event_reasons.active"}
_BY_HEADER = {**BY_QUERY_NAME, **{new: BY_QUERY_NAME[old] for old, new in _RENAMED.items()}}


class QuerySource(TailSource):
    """Samples with `nvidia-smi --query-gpu`. `config.period_s` is 0.1 or more."""

    def __init__(self, config: SourceConfig, timing: TailTiming = DEFAULT_TIMING) -> None:
        super().__init__(GPU, config.period_s, config, QueryCommand(config.period_s), timing)


class QueryCommand(NvidiaCommand):
    """Asks for every property of the table, without those that the driver has refused."""

    name, header = "query", "index"

    def __init__(self, period_s: float) -> None:
        self._options = ["--format=csv,nounits", "-lms", str(max(1, round(1000 * period_s)))]
        self._properties = list(BY_QUERY_NAME)

    def argv(self, only: Sequence[int]) -> list[str]:
        properties = ",".join(["index", *self._properties])
        return ["nvidia-smi", f"--query-gpu={properties}", *self._options, *gpu_option(only)]

    def make_parser(self) -> Parse:
        return QueryParser().feed

    def ask_less(self, output: Sequence[str]) -> bool:
        refused = set(_REFUSED.findall("\n".join(output)))
        before = self._properties
        # If a renamed property was refused, its new name is tried, and dropped if that is refused too.
        renamed = [_RENAMED.get(name, "") if name in refused else name for name in before]
        self._properties = [name for name in renamed if name]
        return self._properties != before


class QueryParser:
    """Parses the output. Feed it the lines in order; no line makes it raise. Without a header there are no samples."""

    def __init__(self) -> None:
        self._shape: RowShape | None = None

    def feed(self, line: str) -> Sample | None:
        cells = [cell.strip() for cell in line.split(",")]
        names = [cell.partition("[")[0].strip() for cell in cells]
        if "index" in names:
            self._shape = shape_of(names, _BY_HEADER, "index")
            return None
        return None if self._shape is None else self._shape.read(cells)
