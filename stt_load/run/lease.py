"""How long a master and its workers do without each other.

A worker plays callers on a lease: each word of the master's renews it. Where the network between them is cut, the
worker's callers stop when the lease is over, and only later does the master count the worker as gone and give its
callers to others, so that the server never has more callers than the stage says. The worker's rows wait until it is
heard again.

    last word           8 s                   10 s                        15 s                 60 s
    ───────────────────▶│ the master notes    │ its callers stop: what    │ the next stage     │ the worker leaves
                        │ that it is silent   │ is in flight is cut       │ gives them to      │ (at 10 s, where the
                                                                          │ others             │ connection is closed)
"""

from __future__ import annotations

SILENT_AFTER_S = 8.0  # less than the lease, so that no stop of callers goes unnoted
LEASE_S = 10.0
GONE_AFTER_S = 15.0  # more than the lease, the second until a worker looks, and what cutting takes
ABSENCE_LIMIT_S = 60.0  # of a master whose connection stays open: a switch may fail and come back
