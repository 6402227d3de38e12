"""The scripted recogniser in its own process, seen from the wire by a client of another library."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import websocket
from wire import (
    DEADLINE_S,
    FRAME_BYTES,
    STAMP_SLACK_S,
    dial,
    get,
    has_received_nothing,
    receive,
    send_audio,
    silence,
    tone,
    truth,
    wait_until,
)

from servers.script import Fault, Script, audio_key
from servers.start import start_scripted_server, start_test_server
from stt_load.server.process import ServerProcess

QUEUED = {"status": "queued"}
UTTERANCE = tone(0.5) + silence(0.5)
DELAY_S = 0.15


@contextmanager
def server(path: Path | None = None, **script: object) -> Iterator[ServerProcess]:
    values = {"delay_s": DELAY_S} | script
    with start_scripted_server(Script(**values), path) as process:  # type: ignore[arg-type]
        yield process


def faulty(fault: Fault, **script: object) -> object:
    return server(fault=fault, **script)


# What it answers


def test_each_utterance_gets_a_text_of_its_own() -> None:
    with server() as process:
        first, second = dial(process), dial(process)
        for caller, name in ((first, "zero"), (second, "one")):
            for number in ("zero", "one"):
                send_audio(caller, UTTERANCE)
                assert receive(caller) == QUEUED
                assert receive(caller) == {"text": f"utterance {number} of caller {name}"}


def test_a_fixed_text_without_announcement() -> None:
    with server(text="always this", queued=False) as process:
        caller = dial(process)
        send_audio(caller, UTTERANCE)
        assert receive(caller) == {"text": "always this"}


def test_audio_is_answered_with_its_reference() -> None:
    low, high = tone(1.5, hz=200), tone(1.5, hz=400)
    references = {str(audio_key(low)): "a low tone", str(audio_key(high)): "a high tone"}
    with server(text="{reference}", references=references) as process:
        caller = dial(process)
        for pcm, words in ((high, "a high tone"), (low, "a low tone"), (tone(1.5, hz=300), "unknown clip")):
            send_audio(caller, silence(0.07) + pcm + silence(0.5))
            assert [receive(caller), receive(caller)] == [QUEUED, {"text": words}]


def test_an_answer_in_pieces() -> None:
    with server(text="one two three four", pieces=3) as process:
        caller = dial(process)
        send_audio(caller, UTTERANCE)
        assert [receive(caller) for _ in range(3)] == [QUEUED] * 3
        assert [receive(caller)["text"] for _ in range(3)] == ["one two", "three", "four"]


def test_pieces_in_the_middle_of_the_clip_come_while_the_caller_still_speaks() -> None:
    with server(text="one two three", pieces=3, mid_clip=True) as process:
        caller = dial(process)
        send_audio(caller, tone(2.5))
        assert [receive(caller) for _ in range(4)] == [QUEUED, {"text": "one"}, QUEUED, {"text": "two"}]
        send_audio(caller, silence(0.5))
        assert [receive(caller), receive(caller)] == [QUEUED, {"text": "three"}]


def test_a_pause_shorter_than_the_delay_does_not_end_the_utterance() -> None:
    with server() as process:
        caller = dial(process)
        send_audio(caller, tone(0.5) + silence(0.4) + tone(0.5) + silence(0.4))
        assert [receive(caller), receive(caller)] == [QUEUED, {"text": "utterance zero of caller zero"}]
        assert has_received_nothing(caller)


def test_a_delay_from_the_end_of_speech_ignores_the_silence_that_follows(tmp_path: Path) -> None:
    with server(tmp_path / "truth", delay_from="speech_end", delay_s=0.0) as process:
        caller = dial(process)
        send_audio(caller, tone(0.5) + silence(0.3))
        assert [receive(caller), receive(caller)] == [QUEUED, {"text": "utterance zero of caller zero"}]
        send_audio(caller, silence(0.7))
        send_audio(caller, UTTERANCE)
        assert [receive(caller), receive(caller)] == [QUEUED, {"text": "utterance one of caller zero"}]
    first, second = truth(tmp_path / "truth")
    assert first["frames"] == 15
    assert first["speech_frame_s"] <= first["text_begun_s"] < first["last_frame_s"] + STAMP_SLACK_S
    assert second["frames"] >= 5


# The truth log


def test_the_truth_is_what_happened_on_the_wire(tmp_path: Path) -> None:
    with server(tmp_path / "truth") as process:
        caller = dial(process)
        for _ in range(3):
            begun_s = time.monotonic()
            send_audio(caller, UTTERANCE[: 7 * FRAME_BYTES])  # not yet enough silence for an answer
            last_begun_s = time.monotonic()
            send_audio(caller, UTTERANCE[7 * FRAME_BYTES :])
            assert receive(caller) == QUEUED
            heard = receive(caller)["text"]
            heard_s = time.monotonic()
            wait_until(lambda: len(truth(tmp_path / "truth")) == get(process, "/healthz")["utterances"])
            row = truth(tmp_path / "truth")[-1]
            assert row["text"] == heard
            assert (row["frames"], row["pcm_bytes"]) == (10, len(UTTERANCE))
            assert row["stamp"] == "kernel"
            assert row["first_frame_s"] <= row["speech_frame_s"] + STAMP_SLACK_S
            assert row["speech_frame_s"] <= row["last_frame_s"] + STAMP_SLACK_S
            assert begun_s - STAMP_SLACK_S <= row["first_frame_s"] <= heard_s
            assert last_begun_s - STAMP_SLACK_S <= row["last_frame_s"]
            assert row["last_frame_s"] + DELAY_S - STAMP_SLACK_S <= row["text_begun_s"] <= heard_s
            assert row["text_begun_s"] <= row["text_sent_s"]
            assert row["text_sent_at"] - row["last_frame_at"] == pytest.approx(
                row["text_sent_s"] - row["last_frame_s"], abs=1e-6
            )
    rows = truth(tmp_path / "truth")
    assert [(row["caller"], row["utterance"], row["sent_to"]) for row in rows] == [(0, 0, 0), (0, 1, 0), (0, 2, 0)]


def test_fifty_callers_are_logged_utterance_by_utterance(tmp_path: Path) -> None:
    with server(tmp_path / "truth") as process:
        callers = [dial(process) for _ in range(50)]
        for _ in range(2):
            for caller in callers:
                send_audio(caller, UTTERANCE)
            for caller in callers:
                assert receive(caller) == QUEUED
                assert "text" in receive(caller)
        assert get(process, "/healthz") == {"ready": True, "callers": 50, "utterances": 100}
    rows = truth(tmp_path / "truth")
    assert sorted((row["caller"], row["utterance"]) for row in rows) == [(c, u) for c in range(50) for u in (0, 1)]
    assert {(row["frames"], row["pcm_bytes"]) for row in rows} == {(10, len(UTTERANCE))}
    assert len({row["text"] for row in rows}) == 100


def test_an_utterance_that_the_caller_abandons_is_logged_without_text(tmp_path: Path) -> None:
    with server(tmp_path / "truth", delay_s=600.0) as process:
        caller = dial(process)
        send_audio(caller, UTTERANCE)
        assert receive(caller) == QUEUED
        caller.close()
        wait_until(lambda: truth(tmp_path / "truth"))
        (row,) = truth(tmp_path / "truth")
        assert (row["text"], row["text_sent_s"], row["frames"]) == (None, None, 10)


def test_a_caller_who_only_listens_is_not_logged(tmp_path: Path) -> None:
    with server(tmp_path / "truth") as process:
        send_audio(caller := dial(process), silence(1.0))
        caller.close()
        wait_until(lambda: get(process, "/healthz")["callers"] == 0)
    assert truth(tmp_path / "truth") == []


# Faults


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_the_upgrade_is_refused(status: int) -> None:
    with faulty(Fault.REFUSE, status=status) as process, pytest.raises(websocket.WebSocketBadStatusException) as caught:
        dial(process)
    assert caught.value.status_code == status


def test_the_upgrade_is_never_answered() -> None:
    with faulty(Fault.NO_UPGRADE) as process:
        with pytest.raises(websocket.WebSocketTimeoutException):
            websocket.create_connection(process.url, timeout=0.3)
        assert get(process, "/healthz")["callers"] == 0


def test_a_stall_answers_nothing_at_all(tmp_path: Path) -> None:
    with server(tmp_path / "truth", fault=Fault.STALL) as process:
        send_audio(caller := dial(process), UTTERANCE)
        wait_until(lambda: get(process, "/healthz")["utterances"] == 1)
        assert has_received_nothing(caller)
    (row,) = truth(tmp_path / "truth")
    assert (row["fault"], row["text"], row["text_sent_s"]) == ("stall", None, None)


def test_a_lost_text_was_announced_and_never_comes() -> None:
    with server(loss=1.0) as process:
        send_audio(caller := dial(process), UTTERANCE)
        assert receive(caller) == QUEUED
        wait_until(lambda: get(process, "/healthz")["utterances"] == 1)
        assert has_received_nothing(caller)


def test_half_a_json_object() -> None:
    with faulty(Fault.WRONG_JSON) as process:
        send_audio(caller := dial(process), UTTERANCE)
        assert receive(caller) == QUEUED
        with pytest.raises(json.JSONDecodeError):
            receive(caller)


def test_a_text_of_64_mib() -> None:
    with faulty(Fault.HUGE_TEXT) as process:
        caller = websocket.WebSocket(skip_utf8_validation=True)  # its check would take minutes
        caller.connect(process.url, timeout=DEADLINE_S)
        send_audio(caller, UTTERANCE)
        assert receive(caller) == QUEUED
        _, data = caller.recv_data()
        assert len(data) == 64 * 1024 * 1024
        assert set(json.loads(data)["text"]) == {"x"}


def test_an_answer_given_twice() -> None:
    with faulty(Fault.TWICE) as process:
        send_audio(caller := dial(process), UTTERANCE)
        assert receive(caller) == QUEUED
        assert receive(caller) == receive(caller) == {"text": "utterance zero of caller zero"}


def test_an_empty_text_before_the_real_one() -> None:
    with faulty(Fault.EMPTY_FIRST) as process:
        send_audio(caller := dial(process), UTTERANCE)
        expected = [QUEUED, QUEUED, {"text": ""}, {"text": "utterance zero of caller zero"}]
        assert [receive(caller) for _ in expected] == expected


def test_a_leak_gives_the_text_to_the_oldest_session(tmp_path: Path) -> None:
    with server(tmp_path / "truth", fault=Fault.LEAK) as process:
        oldest, other = dial(process), dial(process)
        send_audio(other, UTTERANCE)
        assert receive(other) == QUEUED
        assert receive(oldest) == {"text": "utterance zero of caller one"}
        wait_until(lambda: truth(tmp_path / "truth"))
        (row,) = truth(tmp_path / "truth")
        assert (row["caller"], row["sent_to"]) == (1, 0)
        assert has_received_nothing(other)


@pytest.mark.parametrize("code", [1000, 1001, 1011])
def test_a_close_between_two_messages(code: int) -> None:
    with faulty(Fault.CLOSE, close_code=code) as process:
        send_audio(caller := dial(process), tone(0.5))
        opcode, data = caller.recv_data(control_frame=True)
        assert (opcode, int.from_bytes(data[:2], "big")) == (websocket.ABNF.OPCODE_CLOSE, code)


@pytest.mark.parametrize("code", [1000, 1001, 1011])
def test_a_close_in_the_middle_of_a_message(code: int) -> None:
    with faulty(Fault.CLOSE_MID_MESSAGE, close_code=code) as process:
        send_audio(caller := dial(process), tone(0.5))
        fragment, close = caller.recv_frame(), caller.recv_frame()
        assert (fragment.opcode, fragment.fin) == (websocket.ABNF.OPCODE_TEXT, 0)
        assert (close.opcode, int.from_bytes(close.data[:2], "big")) == (websocket.ABNF.OPCODE_CLOSE, code)


def test_a_frame_that_ends_in_the_middle() -> None:
    with faulty(Fault.CUT_FRAME) as process:
        send_audio(caller := dial(process), tone(0.5))
        received = b""
        while data := caller.sock.recv(4096):
            received += data
        opcode, announced_bytes = received[0] & 0x0F, received[1]
        assert opcode == websocket.ABNF.OPCODE_TEXT
        assert 0 < len(received) - 2 < announced_bytes


def test_a_reset_in_the_middle_of_the_stream() -> None:
    with faulty(Fault.RESET) as process:
        send_audio(caller := dial(process), tone(0.5))
        with pytest.raises(ConnectionResetError):
            caller.sock.recv(1)


def test_a_slow_reader_blocks_the_caller_in_the_end() -> None:
    with faulty(Fault.SLOW_READER) as process:
        send_audio(caller := dial(process), tone(0.5))
        caller.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        caller.settimeout(0.3)
        with pytest.raises(websocket.WebSocketTimeoutException):
            for _ in range(1_000):
                caller.send_binary(bytes(65_536))


def test_only_the_callers_drawn_by_lot_are_faulty() -> None:
    script = Script(fault=Fault.REFUSE, faulty_ratio=0.5, seed=3)
    with start_scripted_server(script) as process:
        refused = []
        for _ in range(12):
            try:
                dial(process).close()
                refused.append(False)
            except websocket.WebSocketBadStatusException:
                refused.append(True)
    assert refused == [script.is_faulty(caller) for caller in range(12)]
    assert 0 < sum(refused) < 12


@pytest.mark.parametrize("is_text", [True, False], ids=["text", "odd bytes"])
def test_what_is_no_audio_drops_the_caller_without_a_close_frame(is_text: bool) -> None:
    with server() as process:
        caller = dial(process)
        if is_text:
            caller.send_text("hello")
        else:
            caller.send_binary(b"odd")
        assert caller.sock.recv(1) == b""


# The process


def test_a_script_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text(Script(text="from a file", delay_s=DELAY_S).to_json())
    with start_test_server("scripted", "--script", str(tmp_path / "script.json")) as process:
        send_audio(caller := dial(process), UTTERANCE)
        assert [receive(caller), receive(caller)] == [QUEUED, {"text": "from a file"}]
