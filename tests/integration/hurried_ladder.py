"""The shipped ladder with shorter patience: for tests that make a disk or a name server fail in mid-run."""

import locust  # first: it patches the process

from stt_load.locust_plugin.hooks import install
from stt_load.locust_plugin.shape import LadderShape
from stt_load.locust_plugin.user import CallerUser
from stt_load.net import resolver
from stt_load.run import run_folder

assert locust.__version__
install()
resolver._LOOK_UP_AGAIN_S = 0.2
run_folder.PATIENCE_S = 5.0


class Caller(CallerUser):
    """One caller."""


class Ladder(LadderShape):
    """One stage after the other."""
