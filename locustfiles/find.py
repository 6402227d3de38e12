"""A search for how many callers a server holds: each stage is a trial, and what it shows decides about the next.

    locust -f locustfiles/find.py --stt-url ws://localhost:8000/ws             # web UI
    locust -f locustfiles/find.py --stt-url ws://localhost:8000/ws --headless  # CI

Options are those of `stt-load find`.
"""

import locust  # first: it patches the process

from stt_load.locust_plugin.hooks import install
from stt_load.locust_plugin.shape import LadderShape
from stt_load.locust_plugin.user import CallerUser
from stt_load.options import PlanKind

assert locust.__version__
install(plan=PlanKind.SEARCH)


class Caller(CallerUser):
    """One caller: streams clips at microphone pace and measures how late the transcript is."""


class Search(LadderShape):
    """One trial after the other."""
