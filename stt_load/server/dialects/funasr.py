"""FunASR's 2-pass servers, as `stt_load/dialects/funasr.py` describes them: Python's of v1.4; with `?server=cpp` that
of the Docker images; with `?server=old` Python's of v1.3, which wants a frame behind the end message and acknowledges
nothing.

Two differences: there are no quick texts (mode `online` gives whole segments), and what comes after the end and before
the next config is not recognised.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from stt_load.dialects.events import Message
from stt_load.server.server_dialect import (
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

MODES = ("2pass", "offline", "online")
CPP_ONLINE = {"mode": "2pass-online", "slice_type": 1}
CPP_OFFLINE = {"mode": "2pass-offline", "slice_type": 2}


class FunAsrServer(ServerDialect):
    path = "/"
    endpoint_s = 0.8
    max_segment_s = 60.0

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._server = request.query.get("server", "python")
        self._config: dict[str, object] = {"mode": "2pass", "wav_name": "microphone", "is_speaking": True}
        self._errors: list[str] = []
        self._is_deaf = False
        self._last: str | None = None  # the newest text since the end message, held back: it may be the last

    def refuse(self) -> UpgradeRefusal | None:
        if self._server != "cpp" and "sec-websocket-protocol" not in self.request.headers:
            return UpgradeRefusal(400, "missing subprotocol")
        return None

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if self._is_deaf:
            return ()
        return self._on_config(message) if isinstance(message, str) else self._on_frame(message)

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        if self._last is None:
            return (self._result(recognised.text, is_final=self._server != "cpp"),)
        before, self._last = self._last, recognised.text
        return (self._result(before, is_final=self._server != "cpp"),) if before else ()

    def on_flushed(self) -> Sequence[ServerAction]:
        text, self._last = self._last or "", None
        actions = [self._result(text, is_final=True)] if self._is_configured and self._has_mode else []
        if self._server == "python" and self._config.get("is_end"):
            actions.append(self._acknowledgement())
        return actions

    def on_failed(self) -> Sequence[ServerAction]:
        self._note("offline inference failed: the decoder died")
        return ()

    @property
    def _is_configured(self) -> bool:
        return "chunk_size" in self._config

    @property
    def _has_mode(self) -> bool:
        return self._config["mode"] in MODES

    def _on_config(self, message: str) -> Sequence[ServerAction]:
        try:
            config = json.loads(message)
        except ValueError:
            self._is_deaf = self._server == "cpp"
            return ()
        if not isinstance(config, dict):
            return (Close(),)
        self._config |= {"is_end": False, **config}
        if not self._has_mode:
            self._note(f"unsupported mode: {self._config['mode']!r}")
        return self._end() if config.get("is_speaking") is False and self._server != "old" else ()

    def _on_frame(self, frame: bytes) -> Sequence[ServerAction]:
        if not self._is_configured:
            self._note("audio frame discarded: chunk_size is not configured")
            return ()
        if not self._has_mode:
            return ()
        if self._config["is_speaking"]:
            return (FeedAudio(frame[: len(frame) // 2 * 2]),)
        return self._end() if self._server == "old" else ()

    def _end(self) -> Sequence[ServerAction]:
        if self._server == "cpp" and not self._is_configured:
            return ()
        self._last = ""
        return (Flush(),)

    def _note(self, error: str) -> None:
        if error not in self._errors:
            self._errors.append(error)

    def _result(self, text: str, is_final: bool) -> SendMessage:
        body: dict[str, object] = {"text": text, "wav_name": self._config["wav_name"], "is_final": is_final}
        mode = self._config["mode"]
        if self._server != "cpp":
            body["mode"] = "2pass-offline" if mode == "2pass" else mode
        elif text:
            body |= CPP_ONLINE if mode == "online" else CPP_OFFLINE
        return SendMessage(json.dumps(body, ensure_ascii=False))

    def _acknowledgement(self) -> SendMessage:
        body = {"mode": self._config["mode"], "wav_name": self._config["wav_name"]}
        body |= {"is_final": not self._errors, "is_end": True}
        if self._errors:
            body["error"] = "; ".join(self._errors)
            self._errors.clear()
        return SendMessage(json.dumps(body, ensure_ascii=False))
