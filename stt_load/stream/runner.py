"""The loop that joins a session, a connection and the real clock: one utterance from dial to close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stt_load.clock import Clock
from stt_load.credentials import without_key
from stt_load.dialects.base import Connect
from stt_load.dialects.events import Event, Message
from stt_load.errors import ConnectionLost, Outcome, SttLoadError
from stt_load.stream.actions import Done, Send, WaitUntil
from stt_load.stream.session import Session
from stt_load.stream.transport import Stamp, Transport

CONNECT_TIMEOUT_S = 10.0


class Watcher(Protocol):
    """Sees what goes over the wire, as it happens, without the key. `events` is empty for what was sent."""

    def __call__(self, at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None: ...


def run_utterance(
    session: Session,
    transport: Transport,
    target: Connect,
    clock: Clock,
    watch: Watcher | None = None,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    is_open: bool = False,
    keeps_open: bool = False,
) -> Stamp:
    """Speak one utterance; every fault ends up in the session. Gives where arrival times came from.

    `is_open`: the connection has carried an utterance before. `keeps_open`: it shall carry another one, if this one
    ends well; otherwise it is closed, whatever happens. Raises nothing but what the greenlet is killed with.
    """
    watch = watch and _discreet(watch, session.dialect.settings.api_key)
    line = _Line(session, transport, clock, watch)
    is_well = False
    try:
        if is_open:
            session.on_reuse(clock())
        else:
            transport.connect(target, clock() + connect_timeout_s)
            session.on_open(clock())
            for message in target.first_messages:
                line.send(message, clock() + connect_timeout_s)
        is_well = line.stream() is Outcome.OK
    except SttLoadError as error:
        session.on_fault(error, clock())
        if watch:
            watch(clock(), "!", str(error), ())
    finally:
        if not (keeps_open and is_well):
            transport.close()
    return line.stamp


def _discreet(watch: Watcher, key: str | None) -> Watcher:
    def tell(at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
        watch(at_s, direction, without_key(message, key) if isinstance(message, str) else message, events)

    return tell if key else watch


class _Line:
    """The open connection. `stamp`: where the last arrival time came from, whatever ended the utterance."""

    def __init__(self, session: Session, transport: Transport, clock: Clock, watch: Watcher | None) -> None:
        self.stamp: Stamp = "read"
        self._session = session
        self._transport = transport
        self._clock = clock
        self._watch = watch

    def stream(self) -> Outcome:
        while True:
            match self._session.next_action(self._clock()):
                case Done(outcome):
                    return outcome
                case Send(message, deadline_s):
                    self._session.on_sent(self.send(message, deadline_s))
                case WaitUntil(at_s):
                    self._receive(at_s)

    def send(self, message: Message, deadline_s: float) -> float:
        """Gives when the message was handed over."""
        try:
            self._transport.send(message, deadline_s)
        except ConnectionLost:
            # What the peer said before it went (a last text, a close code) may still be unread.
            while self._receive(0.0):
                pass
            raise
        sent_s = self._clock()
        if self._watch:
            self._watch(sent_s, ">", message, ())
        return sent_s

    def _receive(self, deadline_s: float) -> bool:
        """False where nothing came until `deadline_s`."""
        arrival = self._transport.receive(deadline_s)
        if arrival is None:
            return False
        self.stamp = arrival.stamp
        events = self._session.on_message(arrival.at_s, arrival.message)
        if self._watch:
            self._watch(arrival.at_s, "<", arrival.message, events)
        return True
