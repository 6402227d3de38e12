"""What a sidecar of a made-up run sampled: rows of gpu.jsonl and host.jsonl, and its entries of run.json."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

Row = dict[str, Any]

CLOCK_OFFSET_S = 30.0


def tag_of(transition: Mapping[str, Any]) -> Row:
    return {name: transition[name] for name in ("run_id", "stage", "users", "phase")}


def gpu_row(rng: random.Random, t: float, tag: Mapping[str, Any], **changes: Any) -> Row:
    users = tag["users"]
    busy_pct = min(100, 3 * users + rng.randrange(5))
    return {
        "t": t,
        "host": "gpu",
        "boot": "first",
        "kind": "gpu",
        "gpu": 0,
        "sm_pct": busy_pct,
        "mem_pct": 10,
        "fb_mib": 6_000 + 20 * users + rng.randrange(8),
        "power_w": 40 + busy_pct,
        "power_violation_pct": 50 if busy_pct == 100 else 0,
        "thermal_violation": None,
        **tag,
        **changes,
    }


def cpu_rows(rng: random.Random, t: float, tag: Mapping[str, Any]) -> list[Row]:
    """Samples of the host and of the server on it, whose memory grows by 6 MiB a minute."""
    cores = 0.05 * tag["users"] + rng.random() / 50
    common = {"t": t, "host": "gpu", "boot": "first", "gpu": None}
    return [
        {**common, "kind": "host", "cpu_pct": 10 + 25 * cores, "memory_used_mib": 9_000, **tag},
        {**common, "kind": "process", "cpu_cores": cores, "rss_mib": 1_500 + t % 10_000 / 10, "processes": 3, **tag},
    ]


def gpu_entry(**changes: Any) -> Row:
    """One entry of run.json's `gpu`."""
    about = {"uuid": "GPU-7a2f", "name": "NVIDIA A10", "driver": "550.54.15", "memory_total_mib": 23_028.0}
    return {"host": "gpu", "index": 0, **about, **changes}


def sidecar_entry(gaps: Iterable[Mapping[str, Any]] = (), **changes: Any) -> Row:
    """One entry of run.json's `sidecars`. `gaps`: as the sidecar recorded them, by its own clock."""
    sources = [
        {"name": "dmon", "kind": "gpu", "period_s": 1.0, "is_alive": True, "restarts": 1, "gaps": list(gaps)},
        {"name": "host", "kind": "host", "period_s": 1.0, "is_alive": True, "restarts": 0, "gaps": []},
    ]
    return {
        "url": "http://10.0.0.7:9550",
        "host": "gpu",
        "why": "pid 4242 (python3) uses GPU 0",
        "is_guess": False,
        "server": {"pids": [4242], "name": "python3", "why": "port 8000 is pid 4242's"},
        "sources": sources,
        "clock_offset_s": CLOCK_OFFSET_S,
        "clock_uncertainty_s": 0.0004,
        **changes,
    }


def gap_entry(began: float, ended: float | None, why: str) -> Row:
    """A gap as the sidecar's own clock has it; times are the master's."""
    return {
        "began": began + CLOCK_OFFSET_S,
        "ended": None if ended is None else ended + CLOCK_OFFSET_S,
        "why": why,
    }
