"""What nvidia-smi says when something is wrong: its exit codes and its words (`man nvidia-smi`, "RETURN VALUE")."""

from __future__ import annotations

import re
from collections.abc import Sequence

EXIT_MEANINGS = {
    2: "an argument is not valid",
    3: "not available on this device",
    4: "no permission",
    6: "no such device",
    8: "power cables are not attached",
    9: "the NVIDIA driver is not loaded",
    10: "the kernel reports an interrupt problem of a GPU",
    12: "the NVML library was not found",
    13: "the NVML library is too old",
    14: "the infoROM of a GPU is corrupted",
    15: "a GPU has fallen off the bus, or can't be reached",
    18: "driver and NVML library have different versions",
    255: "another error of the driver",
}

# With these, nothing is wrong with the command: it may work as it is when the driver is well again.
_DRIVER_TROUBLE = frozenset({6, 8, 9, 10, 12, 14, 15, 18})
_TROUBLE_WORDS = re.compile(
    "couldn't communicate with the NVIDIA driver|Failed to initialize NVML|Unable to determine the device handle"
    "|No devices were found|is lost|requires reset|Driver Not Loaded|Insufficient Permissions",
    re.IGNORECASE,
)
_AWAY = re.compile("is lost|requires reset|fallen off the bus|Unable to determine the device handle", re.IGNORECASE)
_WARNING = re.compile("warning", re.IGNORECASE)


def is_driver_trouble(status: int, output: Sequence[str]) -> bool:
    """True if a command failed because of driver or GPU, so that asking for less would not help."""
    return status in _DRIVER_TROUBLE or any(_TROUBLE_WORDS.search(line) for line in output)


def is_away(words: str) -> bool:
    """True if these words, which may stand in place of a figure, say that a GPU can't be used."""
    return _AWAY.search(words) is not None


def reason_of(output: Sequence[str]) -> str:
    """The line that says best why a tool failed: the first that is no mere warning. "" if it printed nothing."""
    lines = [line.strip() for line in output if line.strip()]
    return next((line for line in lines if not _WARNING.match(line)), lines[0] if lines else "")


def describe_exit(status: int) -> str:
    meaning = EXIT_MEANINGS.get(status, "")
    return f"exit status {status}{f' ({meaning})' if meaning else ''}"
