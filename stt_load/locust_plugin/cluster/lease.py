"""How long master and workers do without each other.

A worker plays callers on a lease: each word of the master's renews it. Where the network between them is cut, the
worker's callers stop when the lease is over, and only later does the master count the worker as gone and give its
callers to others, so that the server never has more callers than the stage says. The worker's rows wait until it is
heard again.

    last word        8 s                  10 s                        15 s                60 s
    ────────────────▶│ the master notes   │ its callers stop, what    │ its callers are   │ the worker leaves;
                     │ that it is silent  │ is in flight is cut       │ given to others   │ at 10 s, where the
                                                                                            connection is closed too
"""

from __future__ import annotations

import math
from typing import Any

LEASE_S = 10.0
ABSENCE_LIMIT_S = 60.0  # of a master whose connection stays open: a switch may fail and come back
_GONE_AFTER_S = 15.0
_LOCUST_LOOKS_EVERY_S = 1.0


def use_our_patience(runners: Any) -> None:
    """Sets what Locust's module `runners` has as constants.

    It gives a worker up after 4 s, which a busy machine needs to start one; a minute later it would stop callers of the
    others in the middle of a hold, to share them anew; and a worker would leave without its rows.
    """
    runners.HEARTBEAT_LIVENESS = int(_GONE_AFTER_S / _LOCUST_LOOKS_EVERY_S) - 1  # it counts down to below zero
    runners.HEARTBEAT_DEAD_INTERNAL = -math.inf
    runners.MASTER_HEARTBEAT_TIMEOUT = math.inf
