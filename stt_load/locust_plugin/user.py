"""A Locust user is a caller: each task is one utterance."""

from __future__ import annotations

import gevent
from locust import User, constant, task

from stt_load.errors import ConfigError
from stt_load.log import log

gevent.config.track_greenlet_tree = False  # who spawned whom, for gevent's debugging: 0.4 kB a caller


class CallerUser(User):
    """Speaks utterances when the stage lets it. Locustfiles subclass it; the rest is in `stt_load.run.caller_pool`."""

    abstract = True
    wait_time = constant(0)  # pauses belong to the caller: they must not outlast a stage

    def on_start(self) -> None:
        """Takes a place among this process's callers. Nothing is opened here: a fault here would lose the user."""
        try:
            self._pool = self.environment.stt_role.ready_pool()
        except ConfigError as error:
            for line in error.lines:
                log.error(line)
            raise gevent.GreenletExit from error  # quiet: of a StopUser here Locust prints the traceback
        self._caller = self._pool.new_caller()

    @task
    def speak(self) -> None:
        self._pool.take_turn(self._caller)
