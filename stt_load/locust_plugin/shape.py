"""The stages as Locust sees them: how many users there should be now."""

from __future__ import annotations

from typing import Any

from locust import LoadTestShape


class LadderShape(LoadTestShape):
    """Asks the run; its stages are in `stt_load.run.plan`.

    Locust asks about once a second, makes the object before options are parsed, and calls `reset_time` twice: so
    it keeps nothing.
    """

    abstract = True

    runner: Any

    def tick(self) -> tuple[int, float] | None:
        wanted: tuple[int, float] | None = self.runner.environment.stt_role.tick()
        return wanted
