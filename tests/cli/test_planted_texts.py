"""A control sequence in what a server says, by every way in which it can say it: no terminal and no log gets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from control_sequences import OBEYED, PLANT
from raw_server import BINARY, TEXT, Caller, close_frame, frame, raw_server
from tones import tone

from stt_load.audio.clip import Clip
from stt_load.cli import cli
from stt_load.clips.folder import write_folder

Behave = Callable[[Caller], None]
EVENTS = "text/event-stream"
UPLOAD = "upload-openai"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "one"
    samples = (16_000 * tone(0.4, 16_000)).astype(np.int16)
    write_folder(folder, [Clip("one", "some words", samples, 16_000, 0.0, 0.4)], {"engine": "test"})
    return folder


def websocket(*answers: bytes, headers: tuple[str, ...] = ()) -> Behave:
    """Sends these once something has come, and is silent then."""

    def behave(caller: Caller) -> None:
        caller.upgrade(*headers)
        caller.read_frame()
        for answer in answers:
            caller.send(answer)
        caller.wait_for_end()

    return behave


def message(**event: object) -> bytes:
    return frame(TEXT, json.dumps(event, ensure_ascii=False).encode())


def http(status: str, body: str = "", kind: str = "application/json", *headers: str) -> Behave:
    """Answers a request, however much of it has come, with this."""
    data = body.encode()
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(data)}", *headers]

    def behave(caller: Caller) -> None:
        caller.read_request()
        caller.send("\r\n".join(head).encode("latin-1", "replace") + b"\r\n\r\n" + data)
        caller.wait_for_end()

    return behave


ONE_LINE = PLANT.replace("\r\n", " ")  # where a line ends the text
# Who says it: dialect, behaviour of the server, whether it is certain to be quoted.
WAYS: dict[str, tuple[str, Behave, bool]] = {
    "transcript": ("vosk", websocket(message(text=f"some {PLANT}"), close_frame(1000)), True),
    "interim": ("vosk", websocket(message(partial=PLANT), message(text="some words"), close_frame(1000)), True),
    "unknown message": ("vosk", websocket(message(news=PLANT), close_frame(1011)), True),
    "key of a message": ("vosk", websocket(message(**{PLANT: 1}), close_frame(1011)), True),
    "no JSON": ("vosk", websocket(frame(TEXT, PLANT.encode()), close_frame(1011)), True),
    "binary": ("vosk", websocket(frame(BINARY, PLANT.encode()), close_frame(1011)), True),
    "error event": ("openai-realtime", websocket(message(type="error", error={"message": PLANT})), True),
    "close reason": ("vosk", websocket(close_frame(1008, PLANT)), True),
    "header of the upgrade": ("vosk", websocket(headers=(f"Sec-WebSocket-Extensions: {ONE_LINE}",)), False),
    "refusal": ("vosk", http("403 Forbidden", PLANT, "text/plain"), True),
    "refusal as JSON": ("vosk", http("400 Bad Request", json.dumps({"detail": PLANT})), True),
    "status line": ("vosk", http(f"418 {ONE_LINE}"), False),
    "redirect": ("vosk", http("302 Found", "", "text/html", f"Location: http://127.0.0.1/{ONE_LINE}"), True),
    "upload: transcript": (UPLOAD, http("200 OK", json.dumps({"text": PLANT})), True),
    "upload: plain text": (UPLOAD, http("200 OK", PLANT, "text/plain"), True),
    "upload: event": (UPLOAD, http("200 OK", f'data: {{"text": {json.dumps(PLANT)}}}\n\n', EVENTS), False),
    "upload: error event": (UPLOAD, http("200 OK", f'data: {{"error": {json.dumps(PLANT)}}}\n\n', EVENTS), True),
    "upload: failure": (UPLOAD, http("500 Internal Server Error", json.dumps({"detail": PLANT})), True),
    "upload: content type": (UPLOAD, http("200 OK", "x", f"audio/{ONE_LINE}"), False),
    "upload: coding": (UPLOAD, http("200 OK", "x", "text/plain", f"Content-Encoding: {ONE_LINE}"), True),
    "TTS: failure": ("tts-openai", http("500 Internal Server Error", json.dumps({"error": PLANT})), True),
    "TTS: text for audio": ("tts-openai", http("200 OK", PLANT, "text/plain"), False),
}


def clean(output: str) -> bool:
    """Whether there is nothing in it that a terminal obeys, but ends of lines, and no line that a server wrote."""
    return not OBEYED.search(output) and not any(line.startswith("PASS") for line in output.split("\n"))


@pytest.mark.parametrize("way", WAYS)
def test_a_probe_shows_it_as_text(way: str, clips: Path) -> None:
    dialect, behave, is_quoted = WAYS[way]
    with raw_server(behave) as server:
        url = server.url if dialect in ("vosk", "openai-realtime") else server.url.replace("ws://", "http://", 1)
        options = [] if dialect.startswith("tts") else ["--clips", str(clips)]
        line = ["probe", "--dialect", dialect, "--stt-url", url, "--timeout", "1s", *options]
        done = CliRunner().invoke(cli, line)
    output = done.output
    assert done.exit_code in (0, 3), output
    assert clean(output), ascii(output)
    assert not is_quoted or r"\x1b]0;owned\x07" in output.replace(r"\u00", r"\x")
