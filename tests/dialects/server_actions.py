"""A server's side of a dialect without a socket: what it does, and what the client's side makes of that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from stt_load.dialects.base import Dialect
from stt_load.dialects.events import CumulativeTranscript, Event, Final, Message, Partial
from stt_load.server.server_dialect import Flush, RecognisedSegment, SendMessage, ServerAction, ServerDialect

SPOKEN = RecognisedSegment("seven words", 0.1, 0.9, {})


def actions_of(
    server: ServerDialect, *messages: Message, spoken: RecognisedSegment | None = SPOKEN
) -> list[ServerAction]:
    """All that the server does about these messages, in order. At each `Flush` the recogniser gives it `spoken` at
    once (None: it has heard no speech)."""
    actions: list[ServerAction] = []
    for message in messages:
        for action in server.on_message(message):
            if not isinstance(action, Flush):
                actions.append(action)
                continue
            if spoken is not None:
                actions += actions_on_segment(server, spoken)
            actions += server.on_flushed()
    return actions


def actions_on_segment(server: ServerDialect, spoken: RecognisedSegment = SPOKEN) -> list[ServerAction]:
    """What the server does when the endpointer has cut a segment and the recogniser gives its text."""
    return [*server.on_segment(), *server.on_text(spoken)]


def untimed(events: Iterable[Event | ServerAction]) -> list[Event | ServerAction]:
    """The events without the times of their words."""
    texts = (Partial, Final, CumulativeTranscript)
    return [msgspec.structs.replace(event, words=()) if isinstance(event, texts) else event for event in events]


def events_of(client: Dialect, actions: Sequence[ServerAction]) -> list[Event | ServerAction]:
    """The events that the client reads out of the server's messages; every other action stays as it is."""
    events: list[Event | ServerAction] = []
    for action in actions:
        events += client.on_message(action.message) if isinstance(action, SendMessage) else [action]
    return events
