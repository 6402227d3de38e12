"""What Locust's master reads of a worker's messages without a look: it would stop hearing every worker, or fail at each
count of its users and never end.

Only who has the cluster's token comes so far: a worker whose messages make no sense is a mistake, of ours or of a
plug-in's, and costs no more than itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from stt_load.process.log import log
from stt_load.run.fault import fault_line


class Heartbeat(msgspec.Struct):
    """The data of a `heartbeat`: what the worker does, and its CPU in percent of one core."""

    state: str
    current_cpu_usage: float


class UserCounts(msgspec.Struct):
    """The data of `stats` and `spawning_complete`: how many users of each class the worker has."""

    user_classes_count: dict[str, int]


_READ_BLINDLY: dict[str, type[msgspec.Struct]] = {
    "heartbeat": Heartbeat,
    "stats": UserCounts,
    "spawning_complete": UserCounts,
}


def carefully(handle: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
    """Locust's `handle_message`, which leaves out what makes no sense, and says so once for each worker."""
    told: set[str] = set()

    def handle_message(worker: str, message: Any) -> None:
        try:
            if kind := _READ_BLINDLY.get(message.type):
                msgspec.convert(message.data, kind)
            handle(worker, message)
        except Exception as error:  # whatever Locust makes of it: its listener would end
            if worker not in told:
                told.add(worker)
                log.warning("messages of worker %s make no sense and are left out: %s", worker, fault_line(error))

    return handle_message
