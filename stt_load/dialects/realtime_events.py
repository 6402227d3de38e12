"""What the servers behind `/v1/realtime` have in common: the event names that OpenAI gave them, and little else.

OpenAI, vLLM, SGLang-Omni and NVIDIA's NIM all take int16 PCM as base64 in `input_audio_buffer.append` and say
`error` when they fail. `input_audio_buffer.commit` means something else to each of them:

    OpenAI         the turn ends here: recognise it
    vLLM           begin to decode; with "final": true, the audio ends here
    SGLang-Omni    the segment ends here; that the audio ends is `transcription.done`
    NIM            what was appended may be processed; that the audio ends is `input_audio_buffer.done`

So nothing of commit is here: each dialect says its own.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.dialects.base import Dialect
from stt_load.dialects.events import Event, Ignored, Message, Partial, Remark, ServerError
from stt_load.dialects.wire import as_base64, parse_object
from stt_load.errors import Refusal

CREATED = "session.created"
UPDATE = "session.update"
UPDATED = "session.updated"
APPEND = "input_audio_buffer.append"
COMMIT = "input_audio_buffer.commit"
COMMITTED = "input_audio_buffer.committed"
DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"

_REFUSALS = {
    "invalid_api_key": Refusal.AUTH,
    "insufficient_quota": Refusal.CAPACITY,
    "rate_limit_exceeded": Refusal.CAPACITY,
    "too_many_sessions": Refusal.CAPACITY,
    "model_not_found": Refusal.PARAMETERS,
    "model_not_validated": Refusal.PARAMETERS,
}


def event(kind: str, **fields: Any) -> str:
    """One event as it goes over the wire, in either direction."""
    return json.dumps({"type": kind, **fields})


class RealtimeDialect(Dialect):
    """One connection to a server of this family. A subclass says what its events mean.

    `_is_configured`: set it when the server has accepted the session. Until then an error is about what was asked.
    """

    takes_key = True
    _is_configured = False

    @property
    def _credentials(self) -> Mapping[str, str]:
        key = self.settings.api_key
        return {"Authorization": f"Bearer {key}"} if key else {}

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (event(APPEND, audio=as_base64(pcm)),)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        kind = body.get("type")
        if not isinstance(kind, str):
            return (Ignored(f"unknown message with {', '.join(sorted(body)) or 'no keys'}"),)
        if kind == "error":
            return (self._on_error(body),)
        return self.on_event(kind, body) or (Ignored(kind),)

    @abstractmethod
    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[Event]:
        """What the event means; nothing for one that changes nothing. Raises ProtocolError."""

    def _on_error(self, body: Mapping[str, object]) -> ServerError | Remark:
        """`error` is an object that says `message`, `code` and `type`; vLLM's is a text with a `code` beside it."""
        error = body.get("error")
        said: Mapping[str, object] = error if isinstance(error, dict) else {"message": error, "code": body.get("code")}
        code = said.get("code")
        refusal = _REFUSALS.get(str(code)) or _REFUSALS.get(str(said.get("type")))
        if refusal is None and not self._is_configured and said.get("type") != "server_error":
            refusal = Refusal.PARAMETERS
        message = " ".join(str(said.get("message")).split())
        message = f"{message} ({code})" if code else message
        if refusal is None and self._gets_over(said):
            return Remark(message)
        return ServerError(message, refusal)

    def _gets_over(self, error: Mapping[str, object]) -> bool:
        """Whether the utterance goes on after an error that refuses nobody."""
        return False


def failure_of(body: Mapping[str, object]) -> ServerError:
    """`…transcription.failed`: the audio was taken and could not be recognised."""
    error = body.get("error")
    return ServerError(f"transcription failed: {error.get('message') if isinstance(error, dict) else error}")


def partial_of(body: Mapping[str, object]) -> Sequence[Event]:
    """A delta, with the blanks that it has; nothing for one without text: some servers send one for every step."""
    text = body.get("delta")
    return (Partial(text, is_delta=True),) if isinstance(text, str) and text.strip() else ()
