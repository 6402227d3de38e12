"""A control sequence in any text of any message of any server: it is never in what is shown or logged."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from control_sequences import OBEYED, PLANT
from fakes import FakeClock, ScriptedTransport, record_of, speak
from recorded import Conversation, read_all

from stt_load.dialects.base import Settings
from stt_load.dialects.events import Message
from stt_load.dialects.registry import find_dialect
from stt_load.errors import ConnectionLost, SttLoadError
from stt_load.session.actions import SessionRules

Path = tuple[Any, ...]


def texts_in(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where the texts of a JSON value stand."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts_in(item, (*path, key))


def planted(message: Message) -> Iterator[Message]:
    """The message with the sequence behind one of its texts, for each of them; JSON, msgpack or plain words."""
    pack: Any = json.dumps if isinstance(message, str) else msgpack.packb
    try:
        value = json.loads(message) if isinstance(message, str) else msgpack.unpackb(message)
    except ValueError:
        yield message + PLANT if isinstance(message, str) else message
        return
    for path in texts_in(value):
        changed = {"": copy.deepcopy(value)}
        place: Any = changed
        for key in ("", *path)[:-1]:
            place = place[key]
        place[path[-1] if path else ""] += PLANT
        yield pack(changed[""])


def variants(talk: Conversation) -> Iterator[list[tuple[float, Message | SttLoadError]]]:
    """The conversation with one of its texts planted, for each, and closes with the sequence as their reason."""
    for n, (at_s, arrival) in enumerate(talk.arrivals):
        before, after = talk.arrivals[:n], talk.arrivals[n + 1 :]
        if isinstance(arrival, SttLoadError):
            yield [*before, (at_s, ConnectionLost(f"closed by the server with 1011: {PLANT}", 1011, PLANT))]
        else:
            for message in planted(arrival):
                yield [*before, (at_s, message), *after]
    yield [(0.5, ConnectionLost(f"closed by the server with 1008: {PLANT}", 1008, PLANT))]


@pytest.mark.parametrize("talk", read_all(), ids=lambda talk: f"{talk.dialect}/{talk.name}")
def test_an_error_is_kept_on_one_line_that_commands_no_terminal(talk: Conversation) -> None:
    row = find_dialect(talk.dialect)
    end = talk.head.get("end", row.capabilities.ends[0])
    quoted = 0
    for arrivals in variants(talk):
        dialect = row.make(Settings(row.parse_options(talk.head.get("options", [])), end))
        transport = ScriptedTransport(FakeClock(), arrivals)
        played = speak(dialect, SessionRules(timeout_s=10.0), transport)
        record = record_of(*played.session.measure(played.clock()))
        assert not OBEYED.search(record.error or "")
        assert "\n" not in (record.error or "")
        assert json.loads(record.to_json())["text"] == record.text
        quoted += "owned" in (record.error or "")
    assert quoted
