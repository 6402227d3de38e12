"""A Locust user is a caller: each task is one utterance."""

from __future__ import annotations

import gevent
from locust import User, constant, task

from stt_load.errors import ConfigError
from stt_load.process.log import log
from stt_load.run.caller_pool import PAUSE_AFTER_FAILURE_S
from stt_load.run.fault import fault_line

_told: set[str] = set()  # faults of callers, each told once a process: a thousand callers meet the same

gevent.config.track_greenlet_tree = False  # who spawned whom, for gevent's debugging: 0.4 kB a caller


class CallerUser(User):
    """Speaks utterances when the stage lets it. Locustfiles subclass it; the rest is in `stt_load.run.caller_pool`."""

    __slots__ = ("_caller", "_pool")  # two more entries would give each user a dict of its own: 0.4 kB a caller
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
        try:
            self._pool.take_turn(self._caller)
        except Exception as error:  # Locust would print the traceback, and call again at once
            line = fault_line(error)
            if line not in _told:
                _told.add(line)
                log.error("a caller failed: %s", line)
                log.debug("a caller failed", exc_info=error)
            gevent.sleep(PAUSE_AFTER_FAILURE_S)
