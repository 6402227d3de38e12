"""WhisperLiveKit's /asr, as `stt_load/dialects/whisperlivekit.py` describes it.

As there, a line grows until 5 s of silence end it. With `?pcm_input=0` it wants containers, as a server does that was
started without `--pcm-input`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stt_load.dialects.events import Message
from stt_load.server.server_dialect import (
    Abort,
    Close,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRefusal,
    UpgradeRequest,
)

_PAUSE_S = 5.0
_LANGUAGES = ("auto", "en")  # what the recogniser behind it understands
_SILENCE = -2


class WhisperLiveKitServer(ServerDialect):
    path = "/asr"
    endpoint_s = 0.3
    max_segment_s = 15.0
    tick_s = 0.05

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._mode = request.query.get("mode", "full")
        self._segments: list[RecognisedSegment] = []
        self._received_s = 0.0
        self._is_done = False
        self._sent_state: dict[str, Any] = {}
        self._seq = 0

    def refuse(self) -> UpgradeRefusal | None:
        shown = self.request.headers.get("authorization", "").removeprefix("Bearer "), self.request.query.get("token")
        return UpgradeRefusal(403) if self.request.key is not None and self.request.key not in shown else None

    def on_open(self) -> Sequence[ServerAction]:
        language = self.request.query.get("language", "auto")
        if language not in _LANGUAGES:
            error = {"type": "error", "error": f"language {language!r} is not supported"}
            return (SendMessage(json.dumps(error)), Close(4400, "invalid session parameters"))
        takes_pcm = self.request.query.get("pcm_input") != "0"
        return (SendMessage(json.dumps({"type": "config", "useAudioWorklet": takes_pcm, "mode": self._mode})),)

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if isinstance(message, str):
            return (Abort(),)
        if self._is_done:
            return ()
        if not message:
            self._is_done = True
            return (Flush(),)
        self._received_s += len(message) / 2 / self.sample_rate_hz
        return (FeedAudio(message),)

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        self._segments.append(recognised)
        return self._update()

    def on_flushed(self) -> Sequence[ServerAction]:
        return (*self._update(), SendMessage('{"type": "ready_to_stop"}'))

    def on_tick(self) -> Sequence[ServerAction]:
        return self._update()

    def _update(self) -> Sequence[ServerAction]:
        """Sends the state if anything in it is new, be it the lag."""
        state = self._state()
        if state == self._sent_state:
            return ()
        before, self._sent_state, self._seq = self._sent_state, state, self._seq + 1
        if self._mode != "diff":
            return (SendMessage(json.dumps(state)),)
        if not before:
            return (SendMessage(json.dumps({"type": "snapshot", "seq": self._seq, **state})),)
        return (SendMessage(json.dumps({"type": "diff", "seq": self._seq, **_diff(before, state)})),)

    def _state(self) -> dict[str, Any]:
        done_s = self._segments[-1].end_s if self._segments else 0.0
        return {
            "status": "active_transcription" if self._segments else "no_audio_detected",
            "lines": _lines(self._segments),
            "buffer_transcription": "",
            "buffer_diarization": "",
            "buffer_translation": "",
            "remaining_time_transcription": round(max(0.0, self._received_s - done_s), 1),
            "remaining_time_diarization": 0,
        }


def _lines(segments: Sequence[RecognisedSegment]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    before: RecognisedSegment | None = None
    for segment in segments:
        if before is not None and segment.start_s - before.end_s > _PAUSE_S:
            lines.append(_line(_SILENCE, "", before.end_s, segment.start_s))
            before = None
        if before is None:
            lines.append(_line(1, segment.text, segment.start_s, segment.end_s))
        else:
            lines[-1] |= {"text": f"{lines[-1]['text']} {segment.text}", "end": _time(segment.end_s)}
        before = segment
    return lines


def _line(speaker: int, text: str, start_s: float, end_s: float) -> dict[str, Any]:
    return {"speaker": speaker, "text": text, "start": _time(start_s), "end": _time(end_s)}


def _time(seconds: float) -> str:
    minutes, rest_s = divmod(round(seconds, 2), 60)
    return f"{int(minutes // 60)}:{int(minutes % 60):02d}:{rest_s:05.2f}"


def _diff(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The difference, as diff_protocol.py sends it: lines pruned where the first one has changed, then all lines from
    the first difference on."""
    old, new = before["lines"], after["lines"]
    n_pruned = old.index(new[0]) if new and new[0] in old else len(old)
    n_same = 0
    while n_same < min(len(old) - n_pruned, len(new)) and old[n_pruned + n_same] == new[n_same]:
        n_same += 1
    diff = {key: value for key, value in after.items() if key != "lines"} | {"n_lines": len(new)}
    if n_pruned:
        diff["lines_pruned"] = n_pruned
    return diff | ({"new_lines": new[n_same:]} if new[n_same:] else {})
