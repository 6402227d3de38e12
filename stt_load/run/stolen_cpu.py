"""How much of this machine's CPU its host gave to others: the one disturbance that no process here can see."""

from __future__ import annotations

from pathlib import Path

_STEAL = 7  # Linux, proc(5), /proc/stat: user nice system idle iowait irq softirq steal


class StolenCpu:
    """Percent of all CPU time stolen since the last look; None where the kernel doesn't tell."""

    def __init__(self, source: Path = Path("/proc/stat")) -> None:
        self._source = source
        self._before = self._read()

    def look(self) -> float | None:
        before, self._before = self._before, self._read()
        if before is None or self._before is None:
            return None
        spent = [now - then for now, then in zip(self._before, before, strict=True)]
        return 100.0 * spent[_STEAL] / sum(spent) if sum(spent) > 0 else 0.0

    def _read(self) -> list[int] | None:
        try:
            fields = self._source.read_text(encoding="ascii").split("\n", 1)[0].split()
            spent = [int(field) for field in fields[1 : _STEAL + 2]]
        except (OSError, ValueError):
            return None
        return spent if len(spent) > _STEAL else None
