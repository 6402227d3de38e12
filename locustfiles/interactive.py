"""No fixed stages: change the number of users in the web UI, and each change opens a new stage.

    locust -f locustfiles/interactive.py --stt-url ws://localhost:8000/ws

Options are those of `stt-load run` without those for stages that end by themselves, such as --concurrency and --hold.
"""

import locust  # first: it patches the process

from stt_load.locust_plugin.hooks import install
from stt_load.locust_plugin.user import CallerUser
from stt_load.options import PlanKind

assert locust.__version__
install(plan=PlanKind.FOLLOW)


class Caller(CallerUser):
    """One caller: streams clips at microphone pace and measures how late the transcript is."""
