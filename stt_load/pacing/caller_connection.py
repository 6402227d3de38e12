"""One caller's connection, from dial to close, over one utterance or several."""

from __future__ import annotations

import contextlib

import msgspec

from stt_load.credentials import Credentials
from stt_load.dialects.base import Connect, Dialect
from stt_load.dialects.events import HungUp, Message, ServerError
from stt_load.errors import SttLoadError
from stt_load.net.call_websocket import as_sent
from stt_load.net.transport import Transport
from stt_load.pacing.in_flight import Driver, InFlight, Opening, Watcher
from stt_load.records import Figures, Stamp
from stt_load.session.played import PlayedSession

CONNECT_TIMEOUT_S = 10.0
_MOST_BETWEEN = 2_000  # messages between two utterances: all are read at once


class ConnectionUse(Figures, frozen=True, gc=False):
    """What a record tells of the connection that carried its utterance. `connection_utterance`: how many it had carried
    before; `connection_age_s`: from the upgrade to the start of the stream."""

    stamp: Stamp = "read"
    connection_utterance: int = 0
    connection_age_s: float | None = None


class CallerConnection:
    """Carries up to `utterances`, one after the other, as long as each of them ends well."""

    __slots__ = (
        "_connect_timeout_s",
        "_driver",
        "_is_open",
        "_n_left",
        "_n_run",
        "_opened_at_s",
        "_target",
        "_transport",
        "dialect",
        "latest_use",
    )

    def __init__(
        self,
        dialect: Dialect,
        transport: Transport,
        url: str,
        driver: Driver,
        utterances: int = 1,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self.dialect = dialect
        self._transport = transport
        self._target = _with_own_headers(dialect.connect(url), dialect.settings.credentials)
        self._driver = driver
        self._n_left = utterances
        self._connect_timeout_s = connect_timeout_s
        self._n_run = 0
        self._opened_at_s: float | None = None
        self._is_open = False
        self.latest_use = ConnectionUse()  # by the utterance that `run` carried last, also where that was cut

    def prepare_reuse(self) -> bool:
        """Whether the connection is open for another utterance; closes it where it is not.

        Reads what the server said since the last utterance. That belongs to none, but the dialect is told of it. One
        that has more to say than `_MOST_BETWEEN` is not waited for.
        """
        if not self._is_open:
            return False
        with contextlib.suppress(SttLoadError):
            is_well = True
            for _ in range(_MOST_BETWEEN):
                arrival = self._transport.receive()
                if arrival is None:
                    break
                events = self.dialect.read_between(arrival.at_s, arrival.message)
                is_well &= not any(isinstance(event, ServerError | HungUp) for event in events)
            else:
                is_well = False
            if is_well and not self._transport.has_more:
                return True
        self.close()
        return False

    def run(self, session: PlayedSession, watch: Watcher | None = None) -> None:
        """Plays one utterance; every fault of the connection ends up in its session.

        What is to be told of the connection is in `latest_use` then, however this ends. Raises what the caller's
        greenlet is killed with, and what crashed.
        """
        self._n_left -= 1
        in_flight = InFlight(session, self._transport, watch=watch)
        try:
            if self._is_open:
                session.on_reuse(self._driver.clock())
            else:
                in_flight.opening = self._dial(session, in_flight.watch)
            if self._is_open or in_flight.opening:
                self._driver.run(in_flight)
        finally:
            self._is_open = self._n_left > 0 and session.is_complete
            if not self._is_open:
                self._transport.close()
            self.latest_use = self._use_by(session, in_flight.stamp)
            self._n_run += 1

    def close(self) -> None:
        self._is_open = False
        self._transport.close()

    def as_sent(self, message: Message) -> Message:
        """The message that has just been sent as the server gets it, for people."""
        return as_sent(self._transport, message)

    def _dial(self, session: PlayedSession, watch: Watcher | None) -> Opening | None:
        """None where the server's name leads nowhere: the session knows."""
        clock = self._driver.clock
        deadline_s = clock() + self._connect_timeout_s
        try:
            self._transport.dial(self._target)
        except SttLoadError as error:
            session.on_fault(error, clock())
            if watch:
                watch(clock(), "!", str(error), ())
            return None
        return Opening(deadline_s, self._target.first_messages)

    def _use_by(self, session: PlayedSession, stamp: Stamp) -> ConnectionUse:
        if self._opened_at_s is None:
            self._opened_at_s = session.opened_at_s
        if session.schedule is None or self._opened_at_s is None:
            return ConnectionUse(stamp, self._n_run)
        return ConnectionUse(stamp, self._n_run, session.schedule.stream_start_s - self._opened_at_s)


def _with_own_headers(target: Connect, credentials: Credentials) -> Connect:
    if not credentials.headers:
        return target
    return msgspec.structs.replace(target, headers=credentials.added_to(target.headers))
