"""How a single process takes in its own rows: a moment at a time, since the audio of its callers is paced beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gevent

from stt_load.run.caller_pool import CallerPool
from stt_load.run.ledger import Ledger

# Some fifty rows, or four where every text is new; then the audio is looked after.
_MOMENT_S = 0.0005
_PAUSE_S = 0.001


def take_own_rows(station: CallerPool, ledger: Ledger, client_id: str) -> None:
    """All that have ended. A row stays with its station until it is taken, so whoever ends this greenlet loses none."""
    ledger.accept(client_id, station.look(), time.monotonic())
    while station.n_waiting:
        ledger.take_in(client_id, _for_a_moment(station), time.monotonic())
        if station.n_waiting:
            gevent.sleep(_PAUSE_S)


def _for_a_moment(station: CallerPool) -> Iterator[bytes]:
    until_s = time.monotonic() + _MOMENT_S
    while station.n_waiting and time.monotonic() < until_s:
        yield station.hand_over()
