"""A single process that is its own worker: it takes its own rows a moment at a time, and paces audio in between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import gevent

from stt_load.run.caller_pool import CallerPool
from stt_load.run.ledger import Ledger
from stt_load.run.stage_update import StageUpdate

# Some fifty rows, or four where every text is new; then it is the audio's turn.
_MOMENT_S = 0.0005
_PAUSE_S = 0.001


class UserCounts(Protocol):
    """What Locust's runner knows of its users."""

    @property
    def user_count(self) -> int: ...

    @property
    def target_user_count(self) -> int | None: ...


class SingleProcess:
    """The cluster of one process. `pool`: its callers; `client_id`: the name under which its rows are counted."""

    scoring_share = 0.1

    def __init__(self, pool: CallerPool, users: UserCounts, client_id: str) -> None:
        self.pool = pool
        self._users = users
        self._client_id = client_id

    @property
    def reached(self) -> int:
        return self._users.user_count

    @property
    def target(self) -> int:
        return self._users.target_user_count or 0

    def workers(self) -> Sequence[str]:
        return (self._client_id,)

    def tell(self, update: StageUpdate) -> None:
        self.pool.apply(update)

    def collect(self, ledger: Ledger) -> None:
        """Takes all rows of the utterances that have ended by now: where more end meanwhile than can be taken, the run
        has to be led on all the same. A row stays in the report until it is popped, so a greenlet that is killed in
        here loses none."""
        report = self.pool.report
        ended = report.total
        ledger.accept(self._client_id, self.pool.snapshot(), time.monotonic())
        while report.n_taken < ended:
            ledger.take_rows(self._client_id, self._pop_for_a_moment(ended), time.monotonic())
            if report.n_taken < ended:
                gevent.sleep(_PAUSE_S)

    def drain(self, ledger: Ledger, is_cut: bool, limit_s: float) -> None:
        self.pool.drain(is_cut, limit_s)
        self.collect(ledger)
        ledger.drained.add(self._client_id)

    def _pop_for_a_moment(self, ended: int) -> Iterator[bytes]:
        report, until_s = self.pool.report, time.monotonic() + _MOMENT_S
        while report.n_taken < ended and time.monotonic() < until_s:
            yield report.pop()
