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
    Close,
    Doing,
    Drop,
    Flush,
    Hear,
    Recognised,
    Refusal,
    Say,
    ServerDialect,
    UpgradeRequest,
)

_PAUSE_S = 5.0
_LANGUAGES = ("auto", "en")  # of the recogniser behind it
_SILENCE = -2


class WhisperLiveKitServer(ServerDialect):
    path = "/asr"
    endpoint_s = 0.3
    max_piece_s = 15.0
    tick_s = 0.05

    def __init__(self, door: UpgradeRequest) -> None:
        super().__init__(door)
        self._mode = door.query.get("mode", "full")
        self._pieces: list[Recognised] = []
        self._heard_s = 0.0
        self._is_done = False
        self._told: dict[str, Any] = {}
        self._seq = 0

    def refuse(self) -> Refusal | None:
        shown = self.door.headers.get("authorization", "").removeprefix("Bearer "), self.door.query.get("token")
        return Refusal(403) if self.door.key is not None and self.door.key not in shown else None

    def on_open(self) -> Sequence[Doing]:
        language = self.door.query.get("language", "auto")
        if language not in _LANGUAGES:
            error = {"type": "error", "error": f"language {language!r} is not supported"}
            return (Say(json.dumps(error)), Close(4400, "invalid session parameters"))
        takes_pcm = self.door.query.get("pcm_input") != "0"
        return (Say(json.dumps({"type": "config", "useAudioWorklet": takes_pcm, "mode": self._mode})),)

    def on_message(self, message: Message) -> Sequence[Doing]:
        if isinstance(message, str):
            return (Drop(),)
        if self._is_done:
            return ()
        if not message:
            self._is_done = True
            return (Flush(),)
        self._heard_s += len(message) / 2 / self.sample_rate_hz
        return (Hear(message),)

    def on_text(self, recognised: Recognised) -> Sequence[Doing]:
        self._pieces.append(recognised)
        return self._update()

    def on_flushed(self) -> Sequence[Doing]:
        return (*self._update(), Say('{"type": "ready_to_stop"}'))

    def on_tick(self) -> Sequence[Doing]:
        return self._update()

    def _update(self) -> Sequence[Doing]:
        """Told if anything is new, be it the lag."""
        state = self._state()
        if state == self._told:
            return ()
        before, self._told, self._seq = self._told, state, self._seq + 1
        if self._mode != "diff":
            return (Say(json.dumps(state)),)
        if not before:
            return (Say(json.dumps({"type": "snapshot", "seq": self._seq, **state})),)
        return (Say(json.dumps({"type": "diff", "seq": self._seq, **_diff(before, state)})),)

    def _state(self) -> dict[str, Any]:
        done_s = self._pieces[-1].end_s if self._pieces else 0.0
        return {
            "status": "active_transcription" if self._pieces else "no_audio_detected",
            "lines": _lines(self._pieces),
            "buffer_transcription": "",
            "buffer_diarization": "",
            "buffer_translation": "",
            "remaining_time_transcription": round(max(0.0, self._heard_s - done_s), 1),
            "remaining_time_diarization": 0,
        }


def _lines(pieces: Sequence[Recognised]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    before: Recognised | None = None
    for piece in pieces:
        if before is not None and piece.start_s - before.end_s > _PAUSE_S:
            lines.append(_line(_SILENCE, "", before.end_s, piece.start_s))
            before = None
        if before is None:
            lines.append(_line(1, piece.text, piece.start_s, piece.end_s))
        else:
            lines[-1] |= {"text": f"{lines[-1]['text']} {piece.text}", "end": _time(piece.end_s)}
        before = piece
    return lines


def _line(speaker: int, text: str, start_s: float, end_s: float) -> dict[str, Any]:
    return {"speaker": speaker, "text": text, "start": _time(start_s), "end": _time(end_s)}


def _time(seconds: float) -> str:
    minutes, rest_s = divmod(round(seconds, 2), 60)
    return f"{int(minutes // 60)}:{int(minutes % 60):02d}:{rest_s:05.2f}"


def _diff(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """As diff_protocol.py: lines pruned where the first one has changed, then all behind the first difference."""
    old, new = before["lines"], after["lines"]
    n_pruned = old.index(new[0]) if new and new[0] in old else len(old)
    n_same = 0
    while n_same < min(len(old) - n_pruned, len(new)) and old[n_pruned + n_same] == new[n_same]:
        n_same += 1
    diff = {key: value for key, value in after.items() if key != "lines"} | {"n_lines": len(new)}
    if n_pruned:
        diff["lines_pruned"] = n_pruned
    return diff | ({"new_lines": new[n_same:]} if new[n_same:] else {})
