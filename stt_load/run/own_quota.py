"""How often the CPU limit of the load machine's own container held it back during a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stt_load.calibration.host_probe import ROOT, read_quota_counts

_WORTH_A_NOTE = 0.01


class OwnQuota:
    """Compares the counters of this process's control group with those at the start. `root`: the folder of /sys."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._before = read_quota_counts(root)

    def since_start(self) -> dict[str, Any] | None:
        """Counts of this run, as `run.json` has them: `nr_periods`, `nr_throttled` and `throttled_usec`. None without
        a CPU limit."""
        now = read_quota_counts(self._root)
        if now is None or self._before is None:
            return None
        grown = now.since(self._before)
        return {
            "nr_periods": grown.periods,
            "nr_throttled": grown.throttled,
            "throttled_usec": round(grown.throttled_s * 1e6),
        }

    def notes(self) -> list[str]:
        """A line for the report where a hundredth of the periods or more was cut short."""
        grown = self.since_start()
        if not grown or grown["nr_throttled"] < _WORTH_A_NOTE * grown["nr_periods"] or not grown["nr_throttled"]:
            return []
        pct = 100 * grown["nr_throttled"] / grown["nr_periods"]
        limit = "the CPU limit of the load machine's container"
        return [f"{limit} held it back in {pct:.0f} % of the limit's periods: raise it, or load from another machine"]
