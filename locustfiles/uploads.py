"""The same ladder with whole files over HTTP: no microphone pace, so no figures to lay beside those of callers.

    locust -f locustfiles/uploads.py --stt-url http://localhost:8000/v1/audio/transcriptions             # web UI
    locust -f locustfiles/uploads.py --stt-url http://localhost:8000/v1/audio/transcriptions --headless  # CI

Options are those of `stt-load run`; --dialect takes the upload APIs that `stt-load dialects` lists.
"""

import locust  # first: it patches the process

from stt_load.locust_plugin.hooks import install
from stt_load.locust_plugin.shape import LadderShape
from stt_load.locust_plugin.user import CallerUser

assert locust.__version__
install({"dialect": "upload-openai"})


class Caller(CallerUser):
    """One caller: sends a clip as a whole file, waits for its transcript, and sends the next."""


class Ladder(LadderShape):
    """One stage after the other."""
