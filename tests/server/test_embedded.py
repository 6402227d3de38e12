"""The embedded recogniser in its own processes, hearing real speech."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jiwer
import pytest
import requests
import websocket
from wire import (
    DEADLINE_S,
    children,
    dial,
    get,
    has_received_nothing,
    is_alive,
    receive,
    send_audio,
    silence,
    wait_until,
)

from stt_load.audio.codec import Pcm
from stt_load.audio.resample import resample
from stt_load.clips.espeak import speak
from stt_load.process.ending_signals import ENDING
from stt_load.server.process import ServerProcess, start_embedded_server
from stt_load.server.vad import WINDOW_BYTES

pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")

QUEUED = {"status": "queued"}
TEXTS = (
    "My internet connection drops every evening, usually just after dinner.",
    "The flight was delayed for hours, and our luggage ended up in another country.",
)
SHORT = "Is there a discount for students?"


def spoken(text: str) -> bytes:
    """Int16 LE mono 16 kHz, and the silence that lets the server notice the end."""
    pcm: Pcm = speak(text, "en-us")
    return resample(pcm.samples, pcm.sample_rate_hz, 16_000).astype("<i2").tobytes() + silence(0.5)


def plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def texts(caller: websocket.WebSocket, n_segments: int) -> str:
    heard = [receive(caller) for _ in range(2 * n_segments)]
    assert heard.count(QUEUED) == n_segments
    return " ".join(message["text"] for message in heard if "text" in message)


def whole_windows(pcm: bytes) -> bytes:
    """The speech with silence on either side, so that it is cut the same whether something comes before it or not."""
    return silence(0.256) + pcm + bytes(-len(pcm) % WINDOW_BYTES)


def leave(server: ServerProcess, caller: websocket.WebSocket) -> None:
    """The place is free when this returns: the server takes two callers at most."""
    caller.close()
    wait_until(lambda: get(server, "/healthz")["callers"] == 0)


@pytest.fixture(scope="module")
def clips() -> dict[str, bytes]:
    return {text: spoken(text) for text in TEXTS}


def test_it_understands_speech(embedded: ServerProcess, clips: dict[str, bytes]) -> None:
    caller = dial(embedded)
    for text, pcm in clips.items():
        send_audio(caller, pcm)
        # Another voice, sentence or pause may cost a word; a recogniser that is broken gets most of them wrong.
        assert jiwer.wer(plain(text), texts(caller, n_segments=1)) < 0.35
    leave(embedded, caller)


def test_the_same_audio_gives_the_same_text_whatever_came_before(
    embedded: ServerProcess, clips: dict[str, bytes]
) -> None:
    one, other = clips.values()
    heard = []
    for pcm in (one, other, other, one, one):
        # On one connection, pieces would begin at another offset into the audio each time.
        caller = dial(embedded)
        send_audio(caller, pcm)
        heard.append(texts(caller, n_segments=1))
        leave(embedded, caller)
    assert heard[0] == heard[3] == heard[4]
    assert heard[1] == heard[2]


def test_texts_of_a_caller_come_in_the_order_of_speech(embedded: ServerProcess, clips: dict[str, bytes]) -> None:
    long, short = whole_windows(clips[TEXTS[1]]), whole_windows(spoken("No."))
    alone = []
    for pcm in (long, short):
        caller = dial(embedded)
        send_audio(caller, pcm)
        alone.append(texts(caller, n_segments=1))
        leave(embedded, caller)
    caller = dial(embedded)
    send_audio(caller, long + short)  # two decoders work on them at the same time; the second is done first
    together = texts(caller, n_segments=2)
    leave(embedded, caller)
    assert together == " ".join(alone)


def test_timings_come_on_request(embedded: ServerProcess, clips: dict[str, bytes]) -> None:
    before = get(embedded, "/timings")["texts"]
    asking, other = dial(embedded, "?timings=1"), dial(embedded)
    for caller in (asking, other):
        send_audio(caller, clips[TEXTS[0]])
        assert receive(caller) == QUEUED
    timings_ms = receive(asking)["timings_ms"]
    assert set(timings_ms) == {"queue", "decode", "vad"}
    assert timings_ms["vad"] == 256
    assert timings_ms["decode"] > 0
    assert set(receive(other)) == {"text"}
    asking.close()
    leave(embedded, other)
    after = get(embedded, "/timings")
    assert after["texts"] == before + 2
    assert after["timings_ms"]["decode"]["max"] >= timings_ms["decode"]


def test_a_caller_too_many_is_refused_until_another_leaves(embedded: ServerProcess) -> None:
    first, second = dial(embedded), dial(embedded)
    health = get(embedded, "/healthz")
    assert health.pop("heard_s") >= 0
    assert health == {"ready": True, "callers": 2, "max_callers": 2, "queue": 0, "decoders": 2}
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        dial(embedded)
    assert refusal.value.status_code == 503
    first.close()
    wait_until(lambda: get(embedded, "/healthz")["callers"] == 1)
    third = dial(embedded)
    third.close()
    leave(embedded, second)


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/timings", 200), ("/", 404), ("/healthz/more", 404)])
def test_http_answers(embedded: ServerProcess, path: str, status: int) -> None:
    answer = requests.get(embedded.http_url + path, timeout=DEADLINE_S)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert answer.json()


def test_another_path_is_refused_with_403(embedded: ServerProcess) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        websocket.create_connection(embedded.url + "x", timeout=DEADLINE_S)
    assert refusal.value.status_code == 403


def test_compression_is_not_agreed_to(embedded: ServerProcess) -> None:
    caller = websocket.create_connection(
        embedded.url, timeout=DEADLINE_S, header=["Sec-WebSocket-Extensions: permessage-deflate"]
    )
    assert "sec-websocket-extensions" not in caller.getheaders()
    leave(embedded, caller)


@pytest.mark.parametrize("is_text", [True, False], ids=["text", "odd bytes"])
def test_what_is_no_audio_drops_the_caller_without_a_close_frame(embedded: ServerProcess, is_text: bool) -> None:
    caller = dial(embedded)
    if is_text:
        caller.send_text("hello")
    else:
        caller.send_binary(b"odd")
    assert caller.sock.recv(1) == b""


def test_silence_gets_no_answer_and_a_caller_who_leaves_is_forgotten(
    embedded: ServerProcess, clips: dict[str, bytes]
) -> None:
    caller = dial(embedded)
    send_audio(caller, silence(10.0))
    send_audio(caller, clips[TEXTS[0]])
    assert receive(caller) == QUEUED  # the first message: nothing came for the silence
    leave(embedded, caller)
    wait_until(lambda: get(embedded, "/healthz")["queue"] == 0)


def test_the_decoders_run_at_a_lower_priority(embedded: ServerProcess) -> None:
    decoders = children(embedded.pid)
    assert len(decoders) == 2
    own = os.getpriority(os.PRIO_PROCESS, embedded.pid)
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in decoders} == {min(19, own + 10)}


def small_server(tmp_path: Path, *flags: str) -> ServerProcess:
    (tmp_path / "texts.txt").write_text(f"{SHORT}\n")
    return start_embedded_server("--texts", str(tmp_path / "texts.txt"), "--decoders", "1", *flags)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_LOAD_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("own_cache")
def test_a_killed_decoder_is_replaced_and_the_caller_told(tmp_path: Path) -> None:
    with small_server(tmp_path) as process:
        (decoder,) = children(process.pid)
        caller = dial(process)
        os.kill(decoder, signal.SIGKILL)
        wait_until(lambda: not is_alive(decoder))
        send_audio(caller, spoken(SHORT))
        assert receive(caller) == QUEUED
        assert "error" in receive(caller)
        send_audio(caller, spoken(SHORT))
        assert jiwer.wer(plain(SHORT), texts(caller, n_segments=1)) < 0.35
        assert "a decoder died" in process.stderr
        assert has_received_nothing(caller)


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_it_cleanly_and_no_decoder_stays(tmp_path: Path, number: signal.Signals) -> None:
    with small_server(tmp_path, "--no-preload", "--warm-up", "0") as process:
        wait_until(lambda: children(process.pid))
        decoders = children(process.pid)
        caller = dial(process)
        os.killpg(process.pid, number)
        wait_until(lambda: not process.is_running)
        assert process.stop() == 0
        assert process.stderr == ""
        opcode, frame = caller.recv_data_frame(control_frame=True)
        assert (opcode, int.from_bytes(frame.data[:2])) == (websocket.ABNF.OPCODE_CLOSE, 1012)
        wait_until(lambda: not any(map(is_alive, decoders)))


@pytest.mark.usefixtures("own_cache")
def test_killed_it_takes_its_decoders_along(tmp_path: Path) -> None:
    with small_server(tmp_path) as process:
        decoders = children(process.pid)
        assert decoders
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, decoders)))


def serve(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`stt-load serve` with flags that it refuses."""
    return subprocess.run(
        [sys.executable, "-c", "from stt_load.cli import main; main()", "serve", *flags],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_a_port_in_use_is_one_line_and_exit_2(embedded: ServerProcess) -> None:
    port = embedded.url.rpartition(":")[2].partition("/")[0]
    ended = serve("--port", port)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(rf"error: can't listen on 127.0.0.1:{port}: Address already in use; .*\n", ended.stderr)


def test_a_host_that_is_not_here_is_one_line_and_exit_2() -> None:
    ended = serve("--host", "nowhere.invalid", "--port", "0")
    assert ended.returncode == 2
    assert re.fullmatch(r"error: can't listen on nowhere.invalid:0: .*\n", ended.stderr)


def test_all_bad_numbers_are_named_at_once_flags_and_environment_alike() -> None:
    ended = serve("--decoders", "0", "--port", "70000", "--texts", "no-such-file.txt", STT_SERVE_MAX_CALLERS="0")
    assert (ended.returncode, ended.stdout) == (2, "")
    lines = ended.stderr.splitlines()
    assert len(lines) == 4
    for name in ("--decoders 0", "--port 70000", "--texts no-such-file.txt", "--max-callers 0"):
        assert any(line.startswith(f"error: {name}: ") for line in lines)
