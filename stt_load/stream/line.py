"""One caller's connection, from dial to close, over one utterance or several."""

from __future__ import annotations

import contextlib

from stt_load.clock import Clock
from stt_load.dialects.base import Dialect
from stt_load.dialects.events import ServerError
from stt_load.errors import ConnectionLost, ProtocolError
from stt_load.records import UtteranceRecord
from stt_load.stream.runner import Watcher, run_utterance
from stt_load.stream.session import Session
from stt_load.stream.transport import Transport


class Line:
    """Carries up to `utterances`, one after the other, as long as each of them ends well."""

    def __init__(self, dialect: Dialect, transport: Transport, url: str, clock: Clock, utterances: int = 1) -> None:
        self.dialect = dialect
        self._transport = transport
        self._target = dialect.connect(url)
        self._clock = clock
        self._left = utterances
        self._carried = 0
        self._opened_at_s: float | None = None
        self._is_open = False

    def can_go_on(self) -> bool:
        """The connection is open for another utterance. What the server said since the last one belongs to none; the
        dialect hears it all the same, for it may be told again."""
        if not self._is_open:
            return False
        with contextlib.suppress(ConnectionLost, ProtocolError):
            is_well = True
            while (arrival := self._transport.receive(0.0)) is not None:
                is_well &= not any(isinstance(event, ServerError) for event in self.dialect.on_message(arrival.message))
            if is_well:
                return True
        self.close()
        return False

    def carry(self, session: Session, record: UtteranceRecord, watch: Watcher | None = None) -> None:
        """One utterance. Notes in `record` what it has of the connection; the rest is the session's to tell."""
        was_open, self._left = self._is_open, self._left - 1
        self._is_open = False
        try:
            record.stamp = run_utterance(
                session,
                self._transport,
                self._target,
                self._clock,
                watch,
                is_open=was_open,
                keeps_open=self._left > 0,
            )
            self._is_open = self._left > 0 and session.is_complete
        finally:
            self._note_connection(session, record)

    def close(self) -> None:
        self._is_open = False
        self._transport.close()

    def _note_connection(self, session: Session, record: UtteranceRecord) -> None:
        if self._opened_at_s is None:
            self._opened_at_s = session.opened_at_s
        record.connection_utterance = self._carried
        if session.schedule is not None and self._opened_at_s is not None:
            record.connection_age_s = session.schedule.stream_start_s - self._opened_at_s
        self._carried += 1
