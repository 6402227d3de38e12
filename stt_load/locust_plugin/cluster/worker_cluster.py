"""A master's workers, as a run sees them: told by messages of Locust's, and heard through their reports."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gevent

from stt_load.locust_plugin.cluster.messages import DRAIN, UPDATE, UPDATE_OPTION
from stt_load.run.ledger import Ledger
from stt_load.run.stage_update import StageUpdate

_LAST_REPORT_SLACK_S = 5.0


class WorkerCluster:
    """The cluster of a master and its workers, in one run. `token`: what its workers show with their reports."""

    scoring_share = 0.5

    def __init__(self, environment: Any, token: str) -> None:
        self.token = token
        self._environment = environment
        self._runner = environment.runner

    @property
    def reached(self) -> int:
        return int(self._runner.user_count)

    @property
    def target(self) -> int:
        return int(self._runner.target_user_count or 0)

    def workers(self) -> Sequence[str]:
        return sorted(present_workers(self._runner), key=self._runner.get_worker_index)

    def tell(self, update: StageUpdate) -> None:
        # Twice: the message reaches those who are there, the option travels with every spawn message and so reaches
        # those who join later.
        setattr(self._environment.parsed_options, UPDATE_OPTION, self.update_message(update))
        self._runner.send_message(UPDATE, self.update_message(update))

    def update_message(self, update: StageUpdate) -> dict[str, Any]:
        """The stage update as workers get it: with the token of the run, and whether it has a ladder. A worker's own
        locustfile may be another one than the master's."""
        has_ladder = self._environment.shape_class is not None
        return {"update": update.to_json(), "token": self.token, "has_ladder": has_ladder}

    def collect(self, ledger: Ledger) -> None:
        """Nothing to fetch: workers report once a second by themselves."""

    def drain(self, ledger: Ledger, is_cut: bool, limit_s: float) -> None:
        self._runner.send_message(DRAIN, {"is_cut": is_cut, "limit_s": limit_s, "token": self.token})
        deadline_s = time.monotonic() + _LAST_REPORT_SLACK_S + (0.0 if is_cut else limit_s)
        while set(self.workers()) - ledger.drained and time.monotonic() < deadline_s:
            gevent.sleep(0.05)


def present_workers(runner: Any) -> list[str]:
    """The workers that Locust hears of."""
    return [client.id for client in runner.clients.all if client.state != "missing"]
