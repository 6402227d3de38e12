"""vLLM's realtime endpoint: base64 int16 PCM at 16 kHz in, words as they are decoded and the whole text at the end.

Server: vllm-project/vllm at 8ba6842 (older: c6088cb), `vllm/entrypoints/speech_to_text/realtime/connection.py` and
`protocol.py`; its own client is `examples/…/openai_realtime_client.py`. Port 8000, `/v1/realtime`; text messages only.

What a client must know:

- `session.update` names the model, on its top level, and is not answered: a wrong name shows as `model_not_found`,
  a missing one at the first commit, as `model_not_validated`.
- The first `input_audio_buffer.commit` begins the decoding, and nothing is decoded before it. One with `"final": true`
  ends the audio; only then comes `transcription.done`, with the whole text. Without the first there is no answer.
- `transcription.delta` comes for every step, with or without text: the first one says nothing about the first word.
- There is no endpointer: the client ends every utterance.
- The queue of audio has no bound: an overloaded server buffers instead of refusing, and falls behind.
- The connection stays open for the next utterance: commit again. What was appended after the end is thrown away.
- `error` is a text, not an object as OpenAI's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.dialects import realtime_events as realtime
from stt_load.dialects.base import AudioLength, Capabilities, Connect
from stt_load.dialects.events import Event, Final, Message, Ready
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import text_of, try_object


class VllmRealtime(realtime.RealtimeDialect):
    """One connection to a vLLM that serves a realtime model."""

    options = (DialectOption("model", "mistralai/Voxtral-Mini-4B-Realtime-2602", "as it is served"),)
    unconfirmed = ("read from its source, never run: it takes a GPU and a realtime model",)
    capabilities = Capabilities(
        encoding="base64 int16",
        has_ready=True,
        ends=("client",),
        many_utterances=True,
    )

    def connect(self, url: str) -> Connect:
        return Connect(
            url,
            headers=self._credentials,
            first_messages=(realtime.event(realtime.UPDATE, model=self.option["model"]),),
        )

    def begin(self, length: AudioLength) -> Sequence[Message]:
        return (realtime.event(realtime.COMMIT, final=False),)

    def finalise(self) -> Sequence[Message]:
        return (realtime.event(realtime.COMMIT, final=True),)

    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[Event]:
        match kind:
            case realtime.CREATED:
                self._is_configured = True  # whatever it refuses of the session, it refuses by a code
                return (Ready(),)
            case "transcription.delta":
                return realtime.partial_of(body)
            case "transcription.done":
                return (Final(text_of(body, "text"), is_last=True),)
        return ()

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        if body.get("type") == realtime.CREATED:
            return body.keys() == {"type", "id", "created"}
        if body.get("type") == "transcription.delta":
            return body.keys() == {"type", "delta"}
        if body.get("type") == "error":
            return body.keys() == {"type", "error", "code"}
        return body.get("type") == "transcription.done" and "usage" in body
