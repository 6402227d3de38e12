"""A voice spoken to without a socket: what it does, and what its dialect makes of it."""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.dialects.base import Dialect
from stt_load.dialects.events import Event, Message
from stt_load.server.server_dialect import Doing, Flush, Recognised, Say, ServerDialect

SPOKEN = Recognised("seven words", 0.1, 0.9, {})


def answers(voice: ServerDialect, *messages: Message, spoken: Recognised | None = SPOKEN) -> list[Doing]:
    """All that the voice does about these messages, in order. At each `Flush` a recogniser that has `spoken` to tell
    (None: heard no speech) tells it at once."""
    doings: list[Doing] = []
    for message in messages:
        for doing in voice.on_message(message):
            if not isinstance(doing, Flush):
                doings.append(doing)
                continue
            if spoken is not None:
                doings += [*voice.on_cut(), *voice.on_text(spoken)]
            doings += voice.on_flushed()
    return doings


def cut(voice: ServerDialect, spoken: Recognised = SPOKEN) -> list[Doing]:
    """What it does when the endpointer cuts a piece and the recogniser tells its text."""
    return [*voice.on_cut(), *voice.on_text(spoken)]


def understood(dialect: Dialect, doings: Sequence[Doing]) -> list[Event | Doing]:
    """What the dialect makes of what is said; everything else that is done stays as it is."""
    heard: list[Event | Doing] = []
    for doing in doings:
        heard += dialect.on_message(doing.message) if isinstance(doing, Say) else [doing]
    return heard
