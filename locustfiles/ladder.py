"""A ladder of stages: 1, 5, 10, 20, 30, 40 callers, or what --concurrency says.

    locust -f locustfiles/ladder.py --stt-url ws://localhost:8000/ws             # web UI
    locust -f locustfiles/ladder.py --stt-url ws://localhost:8000/ws --headless  # CI

Options are those of `stt-load run`.
"""

import locust  # first: it patches the process

from stt_load.locust_plugin.hooks import install
from stt_load.locust_plugin.shape import LadderShape
from stt_load.locust_plugin.user import CallerUser

assert locust.__version__
install()


class Caller(CallerUser):
    """One caller: streams clips at microphone pace and measures how late the transcript is."""


class Ladder(LadderShape):
    """One stage after the other."""
