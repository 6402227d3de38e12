"""Where GPU samples can come from: one entry each. The command line's `--source` is a name of this table.

A new one, say for AMD (`rocm-smi`, `amd-smi monitor`) or DCGM (`dcgmi dmon`), is one file and one entry here:

1. `sources/NAME.py`: a parser, `feed(line) -> Sample or None`, that finds columns by the tool's header and raises at
   nothing; and a class NAMESource, made of a `SourceConfig`, that hands `TailSource` the command, the parser and the
   period. Watching, restarts, gaps and the end of the tool are `TailSource`'s. `dmon.py` is the example for text in
   columns, `query.py` for a tool that refuses what it doesn't know; `tests/gpu_sidecar/test_tail.py` has one for a
   tool that prints JSON, in 20 lines. A source that is no child process (a library, a socket) has `start`, `stop` and
   `status`, as `base.py` says.
2. A entry of `SOURCES`. `is_there` says whether the tool is on this host: no process is started for it.
3. What it measures goes by the fields of `metrics.py`, in their units; a field that isn't there yet is a entry there.
   `sm_pct`, `mem_pct` and `fb_mib` are what the report's first columns are made of.
4. `tests/gpu_sidecar/test_NAME.py`: texts as the tool prints them, with version and date, in a folder beside it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gpu_sidecar.metrics import GPU
from gpu_sidecar.sources.base import Source, SourceConfig
from gpu_sidecar.sources.dmon import DmonSource
from gpu_sidecar.sources.query import QuerySource
from gpu_sidecar.sources.replay import ReplaySource


@dataclass(frozen=True)
class SourceEntry:
    """`kind`: of most of its samples. `shortest_period_s`: what the tool can do; some count in whole seconds."""

    name: str
    kind: str
    summary: str
    make: Callable[[SourceConfig], Source]
    is_there: Callable[[], bool]
    shortest_period_s: float = 1.0
    in_whole_seconds: bool = False


def _has_nvidia_smi() -> bool:
    return shutil.which("nvidia-smi") is not None


_ENTRIES = (
    SourceEntry("dmon", GPU, "nvidia-smi dmon: whole seconds, every driver", DmonSource, _has_nvidia_smi, 1.0, True),
    SourceEntry("query", GPU, "nvidia-smi --query-gpu: from 0.1 s, throttle reasons", QuerySource, _has_nvidia_smi, 0.1),  # noqa: E501
    SourceEntry("replay", GPU, "a recording that --record made", ReplaySource, lambda: True, 0.0),
)  # fmt: skip

SOURCES: Mapping[str, SourceEntry] = {entry.name: entry for entry in _ENTRIES}
