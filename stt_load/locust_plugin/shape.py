"""The ladder as Locust sees it: how many users there should be now."""

from __future__ import annotations

from typing import Any

from locust import LoadTestShape

from stt_load.config import parse_options


class LadderShape(LoadTestShape):
    """Asks the conductor of the run; the stages themselves are in `load.plan`.

    Locust asks about once a second, makes the object before options are parsed, and calls `reset_time` twice: so
    it keeps nothing.
    """

    abstract = True

    runner: Any

    def tick(self) -> tuple[int, float] | None:
        environment = self.runner.environment
        conductor = environment.stt_part.conductor
        config = parse_options(vars(environment.parsed_options))
        if conductor is None:
            return config.concurrency[0], config.ramp_rate
        return None if conductor.is_done else (conductor.plan.users, config.ramp_rate)
