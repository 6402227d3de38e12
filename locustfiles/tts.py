"""A ladder of listeners against a TTS server: how many streams it speaks at once without falling behind.

    locust -f locustfiles/tts.py --stt-url http://localhost:8004/tts             # web UI
    locust -f locustfiles/tts.py --stt-url http://localhost:8004/tts --headless  # CI

Options are those of `stt-load run`; --dialect is tts-chatterbox here unless another is named.
"""

import locust  # first: it patches the process

from stt_load.locust_plugin.hooks import install
from stt_load.locust_plugin.shape import LadderShape
from stt_load.locust_plugin.user import CallerUser

assert locust.__version__
install({"dialect": "tts-chatterbox", "timeout": "120s"})


class Listener(CallerUser):
    """One listener: has a text spoken and measures when its first audio comes and when its last."""


class Ladder(LadderShape):
    """One stage after the other."""
