"""The sink in its own process, seen from the wire by a client of another library."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import websocket
from small_disk import no_room_beyond
from wire import DEADLINE_S, FRAME_BYTES, STAMP_SLACK_S, dial, get, receive, send_audio, truth, wait_until

from stt_load.errors import ConfigError, WriteError
from stt_load.server.process import ServerProcess, start_sink_server
from stt_load.server.sink_truth import SinkTruth

EOF = '{"eof" : 1}'
CONFIG = '{"config": {"sample_rate": 16000}}'
AUDIO = bytes(10 * FRAME_BYTES)


def speak(server: ServerProcess) -> websocket.WebSocket:
    """An utterance up to its end message."""
    caller = dial(server)
    caller.send(CONFIG)
    send_audio(caller, AUDIO)
    caller.send(EOF)
    return caller


def raw_dial(server: ServerProcess, request: bytes) -> socket.socket:
    host, _, port = server.http_url.removeprefix("http://").rpartition(":")
    raw = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
    raw.sendall(request)
    return raw


def rest_of(raw: socket.socket) -> bytes:
    with raw:
        return b"".join(iter(lambda: raw.recv(65_536), b""))


def close_code_of(caller: websocket.WebSocket) -> int:
    opcode, frame = caller.recv_data_frame(control_frame=True)
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    return int.from_bytes(frame.data[:2])


def is_left(caller: websocket.WebSocket) -> bool:
    """TCP has ended. With a reset where the library's own answer to a close came after the sink had gone."""
    try:
        return caller.sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_an_utterance_is_answered_and_closed() -> None:
    with start_sink_server(delay_s=0.0, text="grüß dich") as sink:
        caller = speak(sink)
        assert receive(caller) == {"text": "grüß dich"}
        assert close_code_of(caller) == 1000
        caller.send_close()
        assert is_left(caller)
        wait_until(lambda: get(sink, "/healthz")["connections"] == 1)
        health = get(sink, "/healthz")
        assert (health["ready"], health["utterances"], health["frames"], health["bytes"]) == (True, 1, 10, len(AUDIO))
        assert health["connections_ever"] >= 2 and health["cpu_s"] > 0


def test_a_caller_who_never_closes_is_left_after_a_while() -> None:
    with start_sink_server(delay_s=0.0) as sink:
        caller = speak(sink)
        receive(caller)
        assert close_code_of(caller) == 1000
        assert is_left(caller)


def test_the_truth_is_what_happened_on_the_wire(tmp_path: Path) -> None:
    delay_s = 0.05
    with start_sink_server(delay_s, "some words", tmp_path / "truth") as sink:
        begun_s = time.monotonic()
        callers = [speak(sink) for _ in range(20)]
        said_s = time.monotonic()
        heard = [receive(caller)["text"] for caller in callers]
    over_s = time.monotonic()  # read here: a text may be heard before the sink has looked at its clock
    rows = truth(tmp_path / "truth")
    assert sorted(row["text"] for row in rows) == sorted(heard)
    assert len(set(heard)) == 20 and all(text.startswith("some words u0000") for text in heard)
    for row in rows:
        assert set(row) == {"text", "last_frame_s", "end_s", "text_sent_s"}
        assert begun_s - STAMP_SLACK_S <= row["last_frame_s"] <= row["end_s"] <= said_s + STAMP_SLACK_S
        assert row["end_s"] + delay_s <= row["text_sent_s"] <= over_s


def test_a_truth_that_finds_no_room_is_one_line(tmp_path: Path) -> None:
    truth_file = SinkTruth(tmp_path / "truth")
    truth_file.add("some words", None, 1.0, None)
    with no_room_beyond(10), pytest.raises(WriteError, match=r"--truth .*/truth: File too large"):
        truth_file.flush()


def test_the_truth_is_written_while_the_sink_runs(tmp_path: Path) -> None:
    with start_sink_server(0.0, truth=tmp_path / "truth") as sink:
        text = receive(speak(sink))["text"]
        wait_until(lambda: truth(tmp_path / "truth"))
        assert truth(tmp_path / "truth")[0]["text"] == text


def test_an_utterance_that_is_abandoned_before_its_answer_has_none(tmp_path: Path) -> None:
    with start_sink_server(600.0, truth=tmp_path / "truth") as sink:
        speak(sink).shutdown()
        wait_until(lambda: truth(tmp_path / "truth"))
        (row,) = truth(tmp_path / "truth")
        assert row["text"] is None and row["text_sent_s"] is None and row["last_frame_s"] <= row["end_s"]


def test_answers_fall_due_from_their_own_end_message(tmp_path: Path) -> None:
    with start_sink_server(0.2, truth=tmp_path / "truth") as sink:
        first, second = speak(sink), speak(sink)
        assert receive(first)["text"].endswith("u000001") and receive(second)["text"].endswith("u000002")
    one, two = truth(tmp_path / "truth")
    assert one["end_s"] < two["end_s"] + STAMP_SLACK_S and one["text_sent_s"] < two["text_sent_s"]
    assert two["end_s"] + 0.2 <= two["text_sent_s"]


def test_pings_are_answered_and_closes_too() -> None:
    with start_sink_server() as sink:
        caller = dial(sink)
        caller.ping("are you there")
        opcode, frame = caller.recv_data_frame(control_frame=True)
        assert (opcode, frame.data) == (websocket.ABNF.OPCODE_PONG, b"are you there")
        caller.send_close(1001)
        assert close_code_of(caller) == 1001
        assert is_left(caller)


@pytest.mark.parametrize(
    ("what", "code"), [("{}", 1011), ('{"eof":1}', 1011), (b"\x82\x01x", 1002)], ids=["junk", "almost", "unmasked"]
)
def test_who_breaks_the_rules_is_told_so(what: str | bytes, code: int) -> None:
    with start_sink_server() as sink:
        caller = dial(sink)
        if isinstance(what, bytes):
            caller.sock.sendall(what)
        else:
            caller.send(what)
        assert close_code_of(caller) == code


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
        b"x" * 20_000,
    ],
)
def test_a_broken_handshake_gets_400(request_: bytes) -> None:
    with start_sink_server() as sink:
        assert rest_of(raw_dial(sink, request_)).startswith(b"HTTP/1.1 400 ")
        assert requests.get(f"{sink.http_url}/healthz", timeout=DEADLINE_S).status_code == 200


def test_a_caller_who_vanishes_hurts_nobody() -> None:
    with start_sink_server(delay_s=0.0) as sink:
        for _ in range(5):
            speak(sink).shutdown()
            raw_dial(sink, b"GET / HT").close()
        assert receive(speak(sink)) == {"text": "some words"}


def test_many_callers_at_once_are_all_answered() -> None:
    with start_sink_server(delay_s=0.0) as sink:
        callers = [speak(sink) for _ in range(200)]
        assert {json.dumps(receive(caller)) for caller in callers} == {'{"text": "some words"}'}
        assert get(sink, "/healthz")["frames"] == 200 * 10


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--delay", "nan"], "--delay nan: give seconds, 0 or more"),
        (["--text", "x" * 5_000], "--text: at most 4096 bytes"),
        (["--truth", "/"], "--truth /: Is a directory; name a file that can be written"),
        (["--host", "256.0.0.1"], "can't listen on 256.0.0.1:0"),
    ],
)
def test_bad_input_is_one_line(flags: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerProcess(["-m", "stt_load.server.sink", *flags])
    assert caught.value.problems[0].startswith(words) and len(caught.value.problems) == 1


def test_it_ends_orderly_on_sigterm_and_with_its_parent() -> None:
    with start_sink_server() as sink:
        assert sink.stop() == 0
    line = [sys.executable, "-m", "stt_load.server.sink", "--exit-with-parent"]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline().startswith(b"listening on ws://127.0.0.1:")
    process.stdin.close()
    assert process.wait(DEADLINE_S) == 0
    process.stdout.close()


def test_a_parent_that_is_no_pipe_is_told() -> None:
    with Path(__file__).open("rb") as file:
        line = [sys.executable, "-m", "stt_load.server.sink", "--exit-with-parent"]
        done = subprocess.run(line, stdin=file, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: --exit-with-parent needs a pipe")


def test_it_runs_in_an_installation_without_extras() -> None:
    look = "import sys, stt_load.server.sink; print(*{'websockets', 'asyncio', 'locust'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert done.stdout.strip() == ""
