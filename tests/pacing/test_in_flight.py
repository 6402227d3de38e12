"""What a watcher is shown."""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.credentials import Credentials
from stt_load.dialects.events import Event, Message
from stt_load.pacing.in_flight import redacted


def test_a_watcher_never_sees_the_key_in_a_text_and_gets_everything_else_as_it_is() -> None:
    seen: list[tuple[float, str, Message | str]] = []

    def watch(at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
        seen.append((at_s, direction, message))

    shown = redacted(watch, Credentials("secret"))
    shown(1.0, ">", '{"token": "secret"}', ())
    shown(2.0, "!", "HTTP 401 at the upgrade: no such key: secret", ())
    shown(3.0, ">", b"\x00\x01", ())
    redacted(watch, Credentials())(4.0, "<", "a secret", ())
    assert seen == [
        (1.0, ">", '{"token": "***"}'),
        (2.0, "!", "HTTP 401 at the upgrade: no such key: ***"),
        (3.0, ">", b"\x00\x01"),
        (4.0, "<", "a secret"),
    ]
