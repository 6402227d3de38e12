"""Locust's own patience with workers and masters that are silent, in whose place there is a lease."""

from __future__ import annotations

import math
from typing import Any

from stt_load.run.lease import GONE_AFTER_S

_LOOKS_EVERY_S = 1.0


def use_our_patience(runners: Any) -> None:
    """Sets what Locust's module `runners` has as constants.

    It gives a worker up after 4 s, which a busy machine needs to start one; a minute later it would stop callers of the
    others in the middle of a hold, to share them anew; and a worker would leave without its rows.
    """
    runners.HEARTBEAT_LIVENESS = int(GONE_AFTER_S / _LOOKS_EVERY_S) - 1  # it counts down to below zero
    runners.HEARTBEAT_DEAD_INTERNAL = -math.inf
    runners.MASTER_HEARTBEAT_TIMEOUT = math.inf
