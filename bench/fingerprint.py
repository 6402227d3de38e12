"""Describes what a figure was measured on: machine, kernel, versions, settings and commit."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

from network import why_loopback
from rig import CHECKOUT

from stt_load.run.provenance import describe_host
from stt_load.versions import installed_version

_PACKAGES = ("stt-load", "locust", "gevent", "websocket-client", "websockets", "numpy", "msgspec", "k6")
_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


def fingerprint() -> dict[str, Any]:
    """The description; None for what this machine doesn't say or have."""
    return describe_host("bench") | {
        "kernel": platform.version(),
        "python": platform.python_version(),
        "versions": {name: installed_version(name) for name in _PACKAGES},
        "governor": _read(_CPU),
        "clock_source": _read(_CLOCK),
        "network": f"loopback: {why}" if (why := why_loopback()) else "veth pair, receive work on the sink's core",
        "commit": _commit(),
    }


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _commit() -> str | None:
    """The commit of the checkout, with a + if there are changes; None without git."""
    try:
        line = ["git", "-C", str(CHECKOUT), "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
