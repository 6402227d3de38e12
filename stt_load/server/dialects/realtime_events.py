"""What servers behind `/v1/realtime` have in common; the client's side is `stt_load/dialects/realtime_events.py`."""

from __future__ import annotations

import base64
import binascii
from abc import abstractmethod
from collections.abc import Mapping, Sequence

from stt_load.dialects.events import Message
from stt_load.dialects.realtime_events import event
from stt_load.dialects.wire import parse_object
from stt_load.errors import ProtocolError
from stt_load.server.server_dialect import SendMessage, ServerAction, ServerDialect, UpgradeRefusal


class RealtimeServer(ServerDialect):
    """The base of servers with OpenAI's events. The key is a bearer token. A message that is no JSON object gets an
    error, and the session goes on."""

    path = "/v1/realtime"
    _event_id: object = None  # of the client's event that is being answered

    def refuse(self) -> UpgradeRefusal | None:
        if self.request.key is not None and self.request.headers.get("authorization") != f"Bearer {self.request.key}":
            return UpgradeRefusal(401, '{"error": "Unauthorized"}')
        return None

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        try:
            if isinstance(message, bytes):
                return self.on_binary()
            body = parse_object(message)
        except ProtocolError:
            return (self.error("Invalid JSON", "invalid_json"),)
        self._event_id = body.get("event_id")
        return self.on_event(str(body.get("type")), body)

    def on_binary(self) -> Sequence[ServerAction]:
        return (self.error("Binary frames are not supported", "invalid_payload"),)

    @abstractmethod
    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[ServerAction]: ...

    def error(self, message: str, code: str, kind: str = "invalid_request_error") -> SendMessage:
        error = {"type": kind, "code": code, "message": message, "event_id": self._event_id}
        return SendMessage(event("error", error=error))


def pcm_of(body: Mapping[str, object]) -> bytes | None:
    """Decodes the audio of an append event; None where it is no base64 or holds half a sample."""
    try:
        pcm = base64.b64decode(str(body.get("audio")), validate=True)
    except (ValueError, binascii.Error):
        return None
    return pcm if len(pcm) % 2 == 0 else None
