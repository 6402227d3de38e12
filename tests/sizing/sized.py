"""A replica to size by, with nothing but what a test says of it."""

from __future__ import annotations

from typing import Any

from stt_load.kinds import STREAM
from stt_load.sizing.replica import Replica, ServerCpu

CPU = ServerCpu(cores_mean=1.2, cores_p95=1.7, memory_peak_mib=900.0, limit_cores=None, held_back=None)


def replica(**changes: Any) -> Replica:
    """Holds 20 callers who send audio 90 % of the time, on one GPU."""
    return Replica(
        **{
            "run_id": "made",
            "kind": STREAM,
            "model": {"dialect": "parakeet"},
            "machine": {"server": [], "gpus": [], "load": {}},
            "holds": 20,
            "source": "made up",
            "proof": "it is proven",
            "is_proven": True,
            "is_open_above": False,
            "at_users": 20,
            "latency": {"eos_latency": {"p50": 0.4, "p95": 0.6, "p99": 0.7}},
            "n": 400,
            "duty": 0.9,
            "requests_per_s": None,
            "audio_s": None,
            "gpus": 1.0,
            "joules_per_audio_min": 512.0,
            "cpu": None,
        }
        | changes
    )
