"""Whole utterances over gRPC to a real grpcio server: how each of them ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from fakes import clip, record_of
from raw_server import SELF_SIGNED
from servers.riva_server import RivaScript
from servers.start import start_riva_server

from stt_load.audio.framing import choose_frame
from stt_load.credentials import Credentials
from stt_load.dialects.base import End, Settings
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.riva_grpc import RivaGrpc
from stt_load.errors import Outcome, Refusal
from stt_load.net.grpc import GrpcTransport
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.records import UtteranceRecord
from stt_load.server.process import ServerProcess
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.session import Session

TIMEOUT_S = 20.0
WORDS = RivaScript().text
KEY = "open sesame"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with start_riva_server() as started:
        yield started


class Caller:
    """One caller of the server; `script`: what the server is to do with it, fields of `RivaScript`."""

    def __init__(
        self,
        url: str,
        end: End = "client",
        key: str | None = None,
        checks_certificate: bool = True,
        utterances: int = 1,
        options: tuple[str, ...] = (),
        timeout_s: float = TIMEOUT_S,
        speech_s: float = 0.6,
        **script: Any,
    ) -> None:
        headers = {"script": msgspec.json.encode(script).decode()} if script else {}
        settings = Settings(DIALECTS["riva-grpc"].parse_options(options), end, Credentials(key, headers))
        self.dialect = RivaGrpc(settings)
        self._rules = SessionRules(timeout_s)
        self._speech_s = speech_s
        self.connection = CallerConnection(
            self.dialect, GrpcTransport(checks_certificate), url, InlineDriver(), utterances
        )

    def speak(self) -> UtteranceRecord:
        silence_s = 0.0 if self.dialect.settings.end == "client" else self.dialect.capabilities.min_trailing_silence_s
        rule = choose_frame(100, self.dialect.capabilities.sample_rate_hz, 2)
        audio = encode_clip(clip(0.1, self._speech_s, self._speech_s), rule, silence_s, self.dialect)
        session = Session(self.dialect, audio, self._rules, time.monotonic())
        self.connection.run(session)
        return record_of(*session.measure(time.monotonic()), self.connection.latest_use, reference=WORDS)


def speak(url: str, **how: Any) -> UtteranceRecord:
    return Caller(url, **how).speak()


def test_an_utterance_has_every_figure_that_one_over_a_websocket_has(server: ServerProcess) -> None:
    record = speak(server.url, delay_s=0.3)
    assert (record.outcome, record.error, record.text, record.stamp) == (Outcome.OK, None, WORDS, "kernel")
    assert record.frames == 6
    for name in ("eos_latency_s", "first_partial_s", "connect_s", "pacing_lag_p99_s", "settled_latency_s"):
        assert getattr(record, name) is not None, name
    assert record.finalise_latency_s is not None
    assert record.finalise_latency_s >= 0.3
    assert record.close_code is None


def test_the_server_may_end_utterances_and_one_call_carries_many(server: ServerProcess) -> None:
    caller = Caller(server.url, "server", utterances=2, options=("stop_history_ms=100",))
    records = [caller.speak()]
    assert caller.connection.prepare_reuse()
    records.append(caller.speak())
    assert [(record.outcome, record.text, record.connection_utterance) for record in records] == [
        (Outcome.OK, WORDS, 0),
        (Outcome.OK, WORDS, 1),
    ]
    assert all(record.eos_latency_s is not None and record.eos_latency_s >= 0.1 for record in records)


def test_interim_results_alone_are_the_transcript_once_the_call_has_ended_well(server: ServerProcess) -> None:
    record = speak(server.url, is_final=False, status_delay_s=0.3)
    assert (record.outcome, record.text) == (Outcome.OK, WORDS)
    assert record.finalise_latency_s is not None
    assert record.finalise_latency_s >= 0.3  # not before the end of the call is the last of them known to be the last


def test_a_late_final_result_is_waited_for(server: ServerProcess) -> None:
    record = speak(server.url, every=0, delay_s=0.5)
    assert (record.outcome, record.text) == (Outcome.OK, WORDS)
    assert record.eos_latency_s is not None
    assert record.eos_latency_s >= 0.5


STATUSES = {
    "CANCELLED": (Outcome.DISCONNECTED, None),
    "UNKNOWN": (Outcome.SERVER_ERROR, None),
    "INVALID_ARGUMENT": (Outcome.REFUSED, Refusal.PARAMETERS),
    "DEADLINE_EXCEEDED": (Outcome.SERVER_ERROR, None),
    "NOT_FOUND": (Outcome.REFUSED, Refusal.PARAMETERS),
    "PERMISSION_DENIED": (Outcome.REFUSED, Refusal.AUTH),
    "RESOURCE_EXHAUSTED": (Outcome.REFUSED, Refusal.CAPACITY),
    "ABORTED": (Outcome.DISCONNECTED, None),
    "UNIMPLEMENTED": (Outcome.REFUSED, Refusal.PARAMETERS),
    "INTERNAL": (Outcome.SERVER_ERROR, None),
    "UNAVAILABLE": (Outcome.REFUSED, Refusal.CAPACITY),
    "UNAUTHENTICATED": (Outcome.REFUSED, Refusal.AUTH),
}


def test_a_status_in_mid_speech_is_an_outcome(server: ServerProcess) -> None:
    def cut(status: str) -> UtteranceRecord:
        return speak(server.url, speech_s=6.0, status=status, details="größer als 8 %", ends_after=2)

    with ThreadPoolExecutor(len(STATUSES)) as pool:
        records = dict(zip(STATUSES, pool.map(cut, STATUSES), strict=True))
    assert {status: (record.outcome, record.refusal) for status, record in records.items()} == STATUSES
    for status, record in records.items():
        assert record.error == f"the call was ended by the server with {status}: größer als 8 %"
        assert record.frames < 60
        assert record.close_code is None


def test_a_status_behind_the_last_result_decides_all_the_same(server: ServerProcess) -> None:
    record = speak(server.url, status="INTERNAL", details="decoder gone")
    assert (record.outcome, record.text) == (Outcome.SERVER_ERROR, WORDS)


def test_ok_in_mid_speech_is_no_good_end(server: ServerProcess) -> None:
    record = speak(server.url, ends_after=2)
    assert (record.outcome, record.error) == (Outcome.DISCONNECTED, "the call was ended by the server with OK")


def test_a_method_that_the_server_does_not_have_is_refused(server: ServerProcess) -> None:
    record = speak(server.url.replace("StreamingRecognize", "Recognise"))
    assert (record.outcome, record.refusal) == (Outcome.REFUSED, Refusal.PARAMETERS)
    assert (record.error or "").startswith("the call was ended by the server with UNIMPLEMENTED")


def test_keys_and_room_are_told_apart() -> None:
    with start_riva_server("--api-key", KEY, "--max-callers", "0") as server:
        wrong, full = speak(server.url, key="wrong"), speak(server.url, key=KEY)
    assert (wrong.outcome, wrong.refusal) == (Outcome.REFUSED, Refusal.AUTH)
    assert (full.outcome, full.refusal) == (Outcome.REFUSED, Refusal.CAPACITY)
    assert (
        full.error == "the call was ended by the server with RESOURCE_EXHAUSTED: no free stream: größer als max_streams"
    )


def test_over_tls_a_certificate_is_checked_unless_told_otherwise() -> None:
    with start_riva_server("--certificate", str(SELF_SIGNED)) as server:
        checked, unchecked = speak(server.url), speak(server.url, checks_certificate=False)
        plain = speak(server.url.replace("grpcs://", "grpc://"))
    assert (checked.outcome, checked.refusal) == (Outcome.REFUSED, Refusal.HANDSHAKE)
    assert "--insecure takes any certificate" in (checked.error or "")
    assert (unchecked.outcome, unchecked.text, unchecked.stamp) == (Outcome.OK, WORDS, "kernel")
    assert (plain.outcome, plain.refusal) == (Outcome.REFUSED, Refusal.HANDSHAKE)
    assert "write grpcs://" in (plain.error or "")


def test_tls_at_a_server_without_it_names_the_other_scheme(server: ServerProcess) -> None:
    record = speak(server.url.replace("grpc://", "grpcs://"))
    assert (record.outcome, record.refusal) == (Outcome.REFUSED, Refusal.HANDSHAKE)
    assert "write grpc:// instead of grpcs://" in (record.error or "")


def test_a_server_that_does_not_read_holds_up_frames_and_gets_all_of_them() -> None:
    """And one that reads never is given up at the deadline."""
    with start_riva_server("--window", "8192") as server, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(speak, server.url, speech_s=1.2, reads_after_s=1.0, every=0)
        never = speak(server.url, speech_s=1.2, reads_after_s=2.0, timeout_s=0.3)
        late = waiting.result()
    assert (late.outcome, late.text, late.frames) == (Outcome.OK, WORDS, 12)
    assert 0 < late.frames_held_up <= late.frames_late  # a busy machine may be late with one by itself
    assert never.outcome == Outcome.TIMED_OUT
    assert never.error == "the server stopped reading: a frame could not be handed over"
    assert 0 < never.frames < 12
