"""How much of this machine's CPU its host gave to others: the one disturbance that no process here can see."""

from __future__ import annotations

from pathlib import Path

from stt_load.calibration.kernel_text import stolen_pct


class StolenCpu:
    """Tells at each call what share of the CPU was stolen since the call before. `source`: Linux's /proc/stat."""

    def __init__(self, source: Path = Path("/proc/stat")) -> None:
        self._source = source
        self._before = self._read()

    def pct_since_last_call(self) -> float | None:
        """Percent of all CPU time of the machine, None where the kernel doesn't tell."""
        before, self._before = self._before, self._read()
        return stolen_pct(self._before, before) if before else None

    def _read(self) -> str:
        try:
            return self._source.read_text(encoding="ascii")
        except (OSError, ValueError):
            return ""
