"""What makes a number of callers hard to believe, before they come: too few clips, ports, files, processes, or too
little room on the disk."""

from __future__ import annotations

from stt_load.audio.pool import shortage
from stt_load.audio.silence import nobody_silent
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.process.log import log
from stt_load.run.cluster import Cluster
from stt_load.run.preflight import overload, shortage_of_room, shortages_of_limits


def caller_notes(config: RunConfig, clips: ClipSet, cluster: Cluster, n_callers: int) -> list[str]:
    """One line for each thing; each is logged too."""
    n_workers = max(1, len(cluster.workers()))
    lines = [
        shortage(len(clips.clips), n_callers, n_workers),
        None if config.arrivals else nobody_silent(n_callers, config.silence_ratio),
        overload(config, n_callers, n_workers),
        *shortages_of_limits(config, clips.clips, n_callers, n_workers),
        shortage_of_room(config, clips.clips, n_callers),
    ]
    notes = [line for line in lines if line]
    for line in notes:
        log.warning(line)
    return notes
