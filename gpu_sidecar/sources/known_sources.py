"""The table of sources of GPU samples. `--source` takes a name of this table.

A new one, say for AMD (`rocm-smi`, `amd-smi monitor`) or DCGM (`dcgmi dmon`), is one file and one row here:

1. `sources/NAME.py`: a parser, `feed(line) -> Sample or None`, that finds columns by the tool's header and never
   raises; and a class NAMESource, made with a `SourceConfig`, that gives `TailSource` the period and a `ToolCommand`:
   the command line and the parser. `TailSource` watches and restarts the tool, notes gaps and ends it. `dmon.py` is an
   example for text in columns, `query.py` for a tool that refuses what it doesn't know;
   `tests/gpu_sidecar/test_tail.py` has one for a tool that prints JSON, in 20 lines. A source without a child process
   (a library, a socket) has `start`, `stop` and `status`, as `base.py` says.
2. A row of `SOURCES`. `is_there` says whether the tool is on this host, without starting a process.
3. Samples use the fields of `metrics.py`, in their units; a new field is a row there. `sm_pct`, `mem_pct` and
   `fb_mib` fill the report's first columns.
4. `tests/gpu_sidecar/test_NAME.py`: real output of the tool, with version and date, in a folder beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gpu_sidecar.metrics import GPU
from gpu_sidecar.sources.base import Source, SourceConfig
from gpu_sidecar.sources.dmon import DmonSource
from gpu_sidecar.sources.query import QuerySource
from gpu_sidecar.sources.replay import ReplaySource
from gpu_sidecar.tool_path import find_tool


@dataclass(frozen=True)
class SourceEntry:
    """One source. `kind`: the kind of most of its samples. `shortest_period_s`: what the tool can do."""

    name: str
    kind: str
    summary: str
    make: Callable[[SourceConfig], Source]
    is_there: Callable[[], bool]
    shortest_period_s: float = 1.0
    in_whole_seconds: bool = False


def _has_nvidia_smi() -> bool:
    return find_tool("nvidia-smi") is not None


_ENTRIES = (
    SourceEntry("dmon", GPU, "nvidia-smi dmon: whole seconds, every driver", DmonSource, _has_nvidia_smi, 1.0, True),
    SourceEntry("query", GPU, "nvidia-smi --query-gpu: from 0.1 s, throttle reasons", QuerySource, _has_nvidia_smi, 0.1),  # noqa: E501
    SourceEntry("replay", GPU, "a recording that --record made", ReplaySource, lambda: True, 0.0),
)  # fmt: skip

SOURCES: Mapping[str, SourceEntry] = {entry.name: entry for entry in _ENTRIES}
