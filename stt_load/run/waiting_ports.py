"""How many of this machine's ports connections still hold that have ended.

A port stays in TIME_WAIT for a minute. Where most of them are, each connect looks long for a free one, which is time of
the loop that sends the frames, long before none is left at all.
"""

from __future__ import annotations

from pathlib import Path

from stt_load.calibration.host_probe import ROOT, probe_ports
from stt_load.calibration.limits import reuses_ports
from stt_load.calibration.machine import count_ports


def waiting_ports_pct(is_near: bool, root: Path = ROOT) -> float | None:
    """Percent of the ephemeral ports that are in TIME_WAIT; None where that is not known, or the kernel lets new
    connections have them. `is_near`: the server is on this machine. `root`: the folder of /proc."""
    found = probe_ports(root)
    if found.ports is None or found.time_waits is None or reuses_ports(found, is_near):
        return None
    return 100.0 * found.time_waits / count_ports(found.ports)
