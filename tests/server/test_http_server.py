"""What uvicorn does for the embedded servers: the wire beside the dialect, and the end of the process."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests
import websocket
from servers.start import start_stand_in, start_tts_server
from wire import DEADLINE_S, dial, get, receive, send_audio, silence, tone, wait_until

from stt_load.server.process import ServerProcess

TEXT = "one two three"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with start_stand_in("parakeet", TEXT) as process:
        yield process


def exchange(server: ServerProcess, request: str) -> bytes:
    host, _, port = server.http_url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as raw:
        raw.sendall(request.replace("\n", "\r\n").encode())
        return raw.recv(65_536)


def test_pings_are_answered_and_none_are_sent(server: ServerProcess) -> None:
    caller = dial(server)
    caller.ping("are you there")
    opcode, frame = caller.recv_data_frame(control_frame=True)
    assert (opcode, frame.data) == (websocket.ABNF.OPCODE_PONG, b"are you there")
    caller.close()


def test_a_message_in_fragments_is_one_message(server: ServerProcess) -> None:
    caller = dial(server)
    pcm = tone(0.5) + silence(0.4)
    binary, rest = websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_CONT
    cut = 1_001  # odd: as a message of its own it would be no audio
    for part, opcode, fin in ((pcm[:cut], binary, 0), (pcm[cut : 2 * cut], rest, 0), (pcm[2 * cut :], rest, 1)):
        caller.send_frame(websocket.ABNF.create_frame(part, opcode, fin))
    assert [receive(caller), receive(caller)] == [{"status": "queued"}, {"text": TEXT}]
    caller.close()


def test_a_message_that_is_too_large_closes_the_connection_with_1009(server: ServerProcess) -> None:
    caller = dial(server)
    caller.sock.sendall(b"\x82\xff" + ((1 << 20) + 1).to_bytes(8) + b"mask")  # the header says enough
    frame = caller.recv_frame()
    assert (frame.opcode, int.from_bytes(frame.data[:2])) == (websocket.ABNF.OPCODE_CLOSE, 1009)


def test_a_caller_who_vanishes_gives_its_place_back(server: ServerProcess) -> None:
    wait_until(lambda: get(server, "/healthz")["callers"] == 0)
    caller = dial(server)
    send_audio(caller, tone(0.5))
    wait_until(lambda: get(server, "/healthz")["callers"] == 1)
    caller.shutdown()  # TCP ends, without a closing handshake
    wait_until(lambda: get(server, "/healthz")["callers"] == 0)


@pytest.mark.parametrize(
    ("headers", "status"),
    [("Transfer-Encoding: chunked", 411), (f"Content-Length: {(64 << 20) + 1}", 413)],
    ids=["no length", "too large"],
)
def test_a_body_that_is_not_wanted_is_refused_before_it_is_sent(
    server: ServerProcess, headers: str, status: int
) -> None:
    request = f"POST /v1/audio/transcriptions HTTP/1.1\nHost: x\nContent-Type: multipart/form-data\n{headers}\n\n"
    assert exchange(server, request).startswith(f"HTTP/1.1 {status} ".encode())


def test_an_upgrade_that_is_none_is_refused(server: ServerProcess) -> None:
    request = "GET /ws HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n\n"
    assert exchange(server, request).startswith(b"HTTP/1.1 400 ")


def test_clients_that_leave_or_send_rubbish_leave_no_traceback_behind() -> None:
    with start_stand_in("parakeet", TEXT) as server:
        caller = dial(server)
        caller.send_frame(websocket.ABNF.create_frame(b"\xff\xfe", websocket.ABNF.OPCODE_TEXT))
        frame = caller.recv_frame()
        assert (frame.opcode, int.from_bytes(frame.data[:2])) == (websocket.ABNF.OPCODE_CLOSE, 1007)
        host, _, port = server.http_url.removeprefix("http://").rpartition(":")
        upgrade = "GET /ws HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"
        for _ in range(20):
            with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as raw:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no goodbye
                raw.sendall((upgrade + key).replace("\n", "\r\n").encode())
        caller = dial(server)  # the server goes on
        send_audio(caller, tone(0.5) + silence(0.6))
        assert receive(caller) == {"status": "queued"}
        caller.close()
        assert (server.stop(), server.stderr) == (0, "")


def test_a_stream_under_way_does_not_hold_up_the_end() -> None:
    with start_tts_server("--rtf", "10", "--parallel") as slow:
        asked = {"text": "A. " * 500, "predefined_voice_id": "Emily.wav", "stream": True}
        with requests.post(f"{slow.http_url}/tts", json=asked, stream=True, timeout=DEADLINE_S) as answer:
            assert answer.ok
            assert answer.raw.read(44)
            os.kill(slow.pid, signal.SIGTERM)
            wait_until(lambda: not slow.is_running)
        assert (slow.stop(), slow.stderr) == (0, "")


@pytest.mark.parametrize("flags", [[], ["--tts"]], ids=["recogniser", "tts"])
def test_without_its_extra_it_says_what_to_install(flags: list[str]) -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from stt_load.cli import main; main()"
    line = [sys.executable, "-c", code, "serve", "--port", "0", *flags]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=DEADLINE_S)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is not installed: pip install " in ended.stderr and ended.stderr.count("\n") == 1


def test_it_ends_with_its_parent() -> None:
    line = [sys.executable, "-c", "from stt_load.cli import main; main()", "serve", "--tts", "--port", "0"]
    process = subprocess.Popen([*line, "--exit-with-parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    with process.stdout:
        assert process.stdout.readline().startswith(b"listening on http://127.0.0.1:")
        process.stdin.close()
        assert process.wait(DEADLINE_S) == 0
