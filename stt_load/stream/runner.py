"""The loop that joins a session, a connection and the real clock: one utterance from dial to close."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from stt_load.clock import Clock
from stt_load.dialects.base import Connect, Message
from stt_load.dialects.events import Event
from stt_load.errors import DeadlineExceeded, SttLoadError, TransportError
from stt_load.stream.session import Done, Send, Session, WaitUntil
from stt_load.stream.transport import Stamp, Transport

CONNECT_TIMEOUT_S = 10.0


class Watcher(Protocol):
    """Sees what goes over the wire, as it happens. `events` is empty for what was sent."""

    def __call__(self, at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None: ...


def run_utterance(
    session: Session,
    transport: Transport,
    target: Connect,
    clock: Clock,
    watch: Watcher | None = None,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
) -> Stamp:
    """Speak one utterance; every fault ends up in the session. Gives where arrival times came from.

    Raises nothing but what the greenlet is killed with; the connection is closed whatever happens.
    """
    stamp: Stamp = "read"
    try:
        transport.connect(target, clock() + connect_timeout_s)
        for message in target.first_messages:
            transport.send(message, clock() + connect_timeout_s)
        session.on_open(clock())
        stamp = _stream(session, transport, clock, watch)
    except SttLoadError as error:
        session.on_fault(error)
        if watch:
            watch(clock(), "!", str(error), ())
    finally:
        transport.close()
    return stamp


def _stream(session: Session, transport: Transport, clock: Clock, watch: Watcher | None) -> Stamp:
    stamp: Stamp = "read"
    while True:
        action = session.next_action(clock())
        match action:
            case Done():
                return stamp
            case Send(message, deadline_s):
                _send(session, transport, message, deadline_s)
                sent_s = clock()
                session.on_sent(sent_s)
                if watch:
                    watch(sent_s, ">", message, ())
            case WaitUntil(at_s):
                arrival = transport.receive(at_s)
                if arrival is not None:
                    stamp = arrival.stamp
                    events = session.on_message(arrival.at_s, arrival.message)
                    if watch:
                        watch(arrival.at_s, "<", arrival.message, events)


def _send(session: Session, transport: Transport, message: Message, deadline_s: float) -> None:
    try:
        transport.send(message, deadline_s)
    except DeadlineExceeded:
        raise
    except TransportError:
        # The peer has gone. What it said before it went (a last text, a close code) may still be unread.
        _drain(session, transport)
        raise


def _drain(session: Session, transport: Transport) -> None:
    while (arrival := transport.receive(0.0)) is not None:
        session.on_message(arrival.at_s, arrival.message)


OpenTransport = Callable[[], Transport]
