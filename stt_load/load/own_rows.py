"""How a single process takes in its own rows: piece by piece, since the audio of its callers is paced beside it."""

from __future__ import annotations

import time

import gevent

from stt_load.load.ledger import Ledger
from stt_load.load.station import Station

# Two take about half a millisecond where every text is new; then the audio is looked after.
_ROWS_AT_ONCE = 2
_PAUSE_S = 0.001
_PIECES_AT_MOST = 64


def take_own_rows(station: Station, ledger: Ledger, client_id: str) -> None:
    """All that have ended. A row stays with its station until it is taken, so whoever ends this greenlet loses none."""
    rows_at_once = max(_ROWS_AT_ONCE, station.n_waiting // _PIECES_AT_MOST)
    ledger.accept(client_id, station.report(rows_at_once), time.monotonic())
    while station.n_waiting:
        gevent.sleep(_PAUSE_S)
        ledger.accept(client_id, station.report(rows_at_once), time.monotonic())
