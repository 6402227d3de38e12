"""A Locust user is a caller: each task is one utterance."""

from __future__ import annotations

from locust import User, constant, task


class CallerUser(User):
    """Speaks utterances when the stage lets it. Locustfiles subclass it; everything else is in `load.station`."""

    abstract = True
    wait_time = constant(0)  # pauses belong to the caller: they must not outlast a stage

    def on_start(self) -> None:
        """Take a place among this process's callers. Nothing is opened here: a fault here would lose the user."""
        self._station = self.environment.stt_part.ready_station()
        self._caller = self._station.new_caller()

    @task
    def talk(self) -> None:
        self._station.talk(self._caller)
