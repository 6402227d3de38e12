"""Samples from `nvidia-smi --query-gpu=… --format=csv,nounits -lms N`: below a second, and with throttle reasons.

    index, utilization.gpu [%], memory.used [MiB], clocks_event_reasons.active     the header, units in brackets
    0, 45, 1842, 0x0000000000000004                                                a row, one for each GPU

`[N/A]`, `[Not Supported]`, `[Unknown Error]` mean that the card can't tell. A property that the driver doesn't know
ends the tool at its start: `Field "utilization.ofa" is not a valid field to query.` It is left out then.
Properties: `nvidia-smi --help-query-gpu`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gpu_sidecar.metrics import BY_QUERY_NAME, GPU
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import SourceConfig
from gpu_sidecar.sources.row_shape import RowShape, shape_of
from gpu_sidecar.sources.tail import DEFAULT_TIMING, TailSource, TailTiming

_REFUSED = re.compile(r'Field "([^"]*)" is not a valid field to query')

# Drivers since 535 print the new name also where they were asked for the old one, which older drivers know alone.
_RENAMED = {"clocks_throttle_reasons.active": "clocks_event_reasons.active"}
_BY_HEADER = {**BY_QUERY_NAME, **{new: BY_QUERY_NAME[old] for old, new in _RENAMED.items()}}


class QuerySource(TailSource):
    """`config.period_s` from 0.1."""

    def __init__(self, config: SourceConfig, timing: TailTiming = DEFAULT_TIMING) -> None:
        command = QueryCommand(config.period_s, config.only)
        super().__init__(
            "query", GPU, config.period_s, config.emit, command, lambda: QueryParser().feed, "index", timing
        )


class QueryCommand:
    """Every property of the table, less those that the driver has refused."""

    def __init__(self, period_s: float, only: Sequence[int] | None) -> None:
        self._options = ["--format=csv,nounits", "-lms", str(max(1, round(1000 * period_s)))]
        if only:
            self._options += ["-i", ",".join(str(index) for index in only)]
        self._properties = list(BY_QUERY_NAME)

    def argv(self) -> list[str]:
        return ["nvidia-smi", "--query-gpu=" + ",".join(["index", *self._properties]), *self._options]

    def ask_less(self, output: Sequence[str]) -> bool:
        refused = set(_REFUSED.findall("\n".join(output)))
        before = self._properties
        # A renamed one is asked for by its new name; that one, refused too, has no other.
        renamed = [_RENAMED.get(name, "") if name in refused else name for name in before]
        self._properties = [name for name in renamed if name]
        return self._properties != before


class QueryParser:
    """Feed it lines in the order they came; without a header there are no samples. Nothing makes it raise."""

    def __init__(self) -> None:
        self._shape: RowShape | None = None

    def feed(self, line: str) -> Sample | None:
        cells = [cell.strip() for cell in line.split(",")]
        names = [cell.partition("[")[0].strip() for cell in cells]
        if "index" in names:
            self._shape = shape_of(names, _BY_HEADER, "index")
            return None
        return None if self._shape is None else self._shape.read(cells)
