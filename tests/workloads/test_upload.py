"""One upload over a real socket: its instants, and what becomes of every way to fail."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes import clip, record_of
from wire import STAMP_SLACK_S

from stt_load.config import RunConfig, parse_options
from stt_load.credentials import NO_CREDENTIALS, Credentials
from stt_load.errors import Outcome, Refusal
from stt_load.net.http import HttpClient
from stt_load.records import UtteranceRecord
from stt_load.uploads.apis import UPLOAD_APIS
from stt_load.uploads.forms import clip_form
from stt_load.workloads.upload import MAX_ANSWER_BYTES, AnswerWatcher, UploadAttempt, UploadWorkload
from stt_load.workloads.workload import Caller

DEADLINE_S = 20.0
Behave = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(behave: Behave) -> Iterator[str]:
    """Does `behave` to each connection in turn. Yields a URL on it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(DEADLINE_S)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = listener.accept()
                raw.settimeout(DEADLINE_S)
                with raw, contextlib.suppress(OSError):
                    behave(raw)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/audio/transcriptions?a=b"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(DEADLINE_S)


def read_request(raw: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += raw.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += raw.recv(65_536)
    return head + b"\r\n\r\n" + body


def says(answer: bytes) -> Behave:
    def behave(raw: socket.socket) -> None:
        read_request(raw)
        raw.sendall(answer)

    return behave


def http_answer(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def attempt_on(url: str, watch: AnswerWatcher | None = None, **client: Any) -> UploadAttempt:
    how = {"api_headers": {}, "timeout_s": DEADLINE_S, "max_answer_bytes": MAX_ANSWER_BYTES, **client}
    return UploadAttempt(HttpClient(url, **how), clip(), clip_form(clip(), {"model": "m"}), watch)


def upload(url: str, watch: AnswerWatcher | None = None, **client: Any) -> UtteranceRecord:
    return record_of(*attempt_on(url, watch, **client).run())


GOOD = http_answer(b'{"text": "some words"}')


def test_a_transcript_has_its_total_time_and_no_first_text() -> None:
    with server(says(GOOD)) as url:
        record = upload(url)
    assert (record.outcome, record.text, record.error) == (Outcome.OK, "some words", None)
    assert (record.end, record.frames) == ("client", 0)
    assert record.total_s is not None and 0 < record.total_s <= (record.duration_s or 0)
    assert record.first_text_s is None
    assert record.eos_latency_s is record.stream_end_latency_s is record.first_partial_s is record.ready_s is None
    assert record.audio_s == clip().duration_s
    assert record.rtf == record.total_s / record.audio_s
    assert record.connect_s is not None
    assert UtteranceRecord.from_json(record.to_json()) == record


def test_the_clock_runs_from_the_first_byte_sent_to_the_last_received() -> None:
    moments: list[float] = []

    def slow(raw: socket.socket) -> None:
        read_request(raw)
        moments.append(time.monotonic())
        raw.sendall(GOOD[:-2])
        moments.append(time.monotonic())
        raw.sendall(GOOD[-2:])

    with server(slow) as url:
        before_s = time.monotonic()
        record = upload(url)
        after_s = time.monotonic()
    assert record.total_s is not None
    assert moments[1] - moments[0] - STAMP_SLACK_S <= record.total_s <= after_s - before_s


def test_a_streamed_answer_has_a_first_text_before_its_total() -> None:
    has_come = threading.Event()

    def stream(raw: socket.socket) -> None:
        read_request(raw)
        raw.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n")
        raw.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
        for text in ("some", "words"):
            event = f'data: {{"text": "{text}"}}\n\n'.encode()
            raw.sendall(b"%x\r\n%b\r\n" % (len(event), event))
            assert has_come.wait(DEADLINE_S)
        raw.sendall(b"0\r\n\r\n")

    with server(stream) as url:
        record = upload(url, watch=lambda at_s, data: has_come.set())
    assert record.text == "some words"
    assert [text for _, text in record.messages] == ["some", "words"]
    assert record.total_s is not None and record.first_text_s is not None
    assert record.messages[0][0] == pytest.approx(record.first_text_s, abs=1e-5)
    assert record.first_text_s < record.total_s


def test_the_request_is_one_that_any_server_understands(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    seen: list[bytes] = []

    def note(raw: socket.socket) -> None:
        seen.append(read_request(raw))
        raw.sendall(GOOD)

    with server(note) as url:
        assert upload(url, api_headers=UPLOAD_APIS["upload-openai"].headers("secret")).is_ok
    lines = seen[0].partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert lines[0] == "POST /v1/audio/transcriptions?a=b HTTP/1.1"
    assert f"Host: {url.split('/')[2]}" in lines
    assert "Authorization: Bearer secret" in lines
    assert not any(line.lower().startswith(("accept-encoding", "expect")) for line in lines)


@pytest.mark.parametrize(
    ("status", "outcome", "refusal"),
    [
        ("401 Unauthorized", Outcome.REFUSED, Refusal.AUTH),
        ("403 Forbidden", Outcome.REFUSED, Refusal.AUTH),
        ("404 Not Found", Outcome.REFUSED, Refusal.PARAMETERS),
        ("422 Unprocessable Entity", Outcome.REFUSED, Refusal.PARAMETERS),
        ("429 Too Many Requests", Outcome.REFUSED, Refusal.CAPACITY),
        ("503 Service Unavailable", Outcome.REFUSED, Refusal.CAPACITY),
        ("500 Internal Server Error", Outcome.SERVER_ERROR, None),
        ("504 Gateway Timeout", Outcome.SERVER_ERROR, None),
        ("304 Not Modified", Outcome.PROTOCOL_ERROR, None),
        ("204 No Content", Outcome.PROTOCOL_ERROR, None),
    ],
)
def test_each_status_is_told_apart(status: str, outcome: Outcome, refusal: Refusal | None) -> None:
    body = b"" if status[:3] in ("204", "304") else b'{"detail":\n"why"}'
    with server(says(http_answer(body, status))) as url:
        record = upload(url)
    assert (record.outcome, record.refusal, record.total_s) == (outcome, refusal, None)
    if body:
        assert not (record.error or "").startswith("neither")
        assert record.error == f"HTTP {status[:3]}: why"


def test_a_refusal_that_quotes_the_key_is_not_quoted() -> None:
    with server(says(http_answer(b'{"detail":"Invalid token s3cret"}', "401 Unauthorized"))) as url:
        record = upload(url, credentials=Credentials("s3cret"))
    assert record.refusal is Refusal.AUTH
    assert (record.error or "").startswith("HTTP 401: Invalid token ")
    assert "s3cret" not in (record.error or "")


def drop(raw: socket.socket) -> None:
    read_request(raw)


def reset(raw: socket.socket) -> None:
    raw.recv(1)  # not before the request has begun: a reset at once is a refusal to some kernels
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.mark.parametrize(
    ("behave", "outcome", "error"),
    [
        (drop, Outcome.DISCONNECTED, "connection lost"),
        (reset, Outcome.DISCONNECTED, "connection lost"),
        (says(b"SSH-2.0-OpenSSH\r\n"), Outcome.REFUSED, "no HTTP answer but 'SSH-2.0-OpenSSH'"),
        (says(b"\0\x1b[31m\r\n\r\n"), Outcome.REFUSED, r"no HTTP answer but '\x00\x1b[31m'"),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000), Outcome.PROTOCOL_ERROR, "no HTTP answer"),
        (says(GOOD[:-3]), Outcome.DISCONNECTED, "the answer was cut off"),
        (
            says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"),
            Outcome.DISCONNECTED,
            "the answer was cut off",
        ),
        (says(http_answer(b"{")), Outcome.PROTOCOL_ERROR, "neither JSON nor text"),
        (says(http_answer(b'{"text": " "}')), Outcome.NO_FINAL, "the server answered without any text"),
        (says(http_answer(b'{"code": 1, "msg": "no"}')), Outcome.SERVER_ERROR, "no"),
        (
            says(http_answer(b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n', kind="text/event-stream")),
            Outcome.DISCONNECTED,
            "the answer ended before its last event",
        ),
    ],
)
def test_each_way_to_fail_has_its_outcome(behave: Behave, outcome: Outcome, error: str) -> None:
    with server(behave) as url:
        record = upload(url)
    assert record.outcome == outcome
    assert (record.error or "").startswith(error)
    assert record.total_s is record.first_text_s is record.rtf is None


def test_an_answer_that_does_not_end_in_time_is_given_up_even_while_it_drips() -> None:
    is_over = threading.Event()

    def drip(raw: socket.socket) -> None:
        read_request(raw)
        raw.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not is_over.wait(0.01):
            raw.sendall(b" ")

    with server(drip) as url:
        record = upload(url, timeout_s=0.3)
        is_over.set()
    assert (record.outcome, record.error) == (Outcome.TIMED_OUT, "no whole answer within 0.3 s")


def test_an_answer_that_is_too_long_is_cut_off() -> None:
    def babble(raw: socket.socket) -> None:
        read_request(raw)
        raw.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000)

    with server(babble) as url:
        record = upload(url, max_answer_bytes=100_000)
    assert (record.outcome, record.error) == (Outcome.PROTOCOL_ERROR, "an answer of more than 100,000 bytes")


def test_a_server_that_answers_before_it_has_read_the_file_is_heard() -> None:
    def refuse(raw: socket.socket) -> None:
        raw.recv(10)
        raw.sendall(http_answer(b"too large", "413 Content Too Large"))
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65_536):
            pass

    with server(refuse) as url:
        record = upload(url)
    assert (record.outcome, record.refusal, record.error) == (
        Outcome.REFUSED,
        Refusal.PARAMETERS,
        "HTTP 413: too large",
    )


def test_nobody_listening_is_a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    record = upload(f"http://127.0.0.1:{port}/")
    assert (record.outcome, record.refusal) == (Outcome.REFUSED, Refusal.UNREACHABLE)
    assert record.audio_s == 0


def test_a_server_that_speaks_no_tls_is_refused_in_words() -> None:
    with server(lambda raw: raw.sendall(GOOD)) as url:
        record = upload(url.replace("http://", "https://"))
    assert record.outcome == Outcome.REFUSED
    assert "no TLS with" in (record.error or "")


class Cut(BaseException):
    """What a caller's greenlet is killed with."""


def test_what_is_cut_in_the_middle_keeps_what_was_measured_by_then() -> None:
    is_over = threading.Event()

    def begin(raw: socket.socket) -> None:
        read_request(raw)
        raw.sendall(GOOD[:-2])
        is_over.wait(DEADLINE_S)

    def cut(since_start_s: float, data: bytes) -> None:
        raise Cut

    with server(begin) as url:
        attempt = attempt_on(url, cut)
        assert attempt.state == "connecting"
        with pytest.raises(Cut):
            attempt.run()
        is_over.set()
    assert attempt.state == "waiting"
    record = record_of(*attempt.interrupt("the run ended first"))
    assert (record.outcome, record.error) == (Outcome.INTERRUPTED, "the run ended first")
    assert (record.text, record.total_s) == ("", None)
    assert record.connect_s is not None and record.duration_s is not None
    assert (record.audio_s, record.stamp) == (clip().duration_s, "kernel")


def test_what_is_cut_before_it_began_has_nothing_measured() -> None:
    record = record_of(*attempt_on("http://127.0.0.1:9/").interrupt("the run ended first"))
    assert (record.outcome, record.error) == (Outcome.INTERRUPTED, "the run ended first")
    assert record.connect_s is record.duration_s is None
    assert (record.audio_s, record.stamp) == (0.0, "read")


# the workload -------------------------------------------------------------------------------------------------------


def config(url: str, **options: Any) -> RunConfig:
    return parse_options({"dialect": "upload-openai", "stt_url": url, "timeout": f"{DEADLINE_S}s", **options})


def test_a_caller_sends_its_clip_with_the_options_and_the_key_of_the_run() -> None:
    seen: list[bytes] = []

    def note(raw: socket.socket) -> None:
        seen.append(read_request(raw))
        raw.sendall(GOOD)

    with server(note) as url:
        workload = UploadWorkload(config(url, dialect_option=["model=tiny"]), (clip(),), Credentials("s3cret"))
        caller = Caller(0, 0, 1)
        records = [record_of(*workload.new_attempt(caller, clip(), False).run()) for _ in range(2)]
    assert [record.text for record in records] == ["some words"] * 2
    assert caller.connection is None
    assert seen[0] == seen[1]
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert b"Authorization: Bearer s3cret" in head
    assert b'name="model"\r\n\r\ntiny' in body
    assert b'filename="clip.wav"' in body


def test_a_verbose_run_logs_each_answer_with_its_caller_and_clip(caplog: pytest.LogCaptureFixture) -> None:
    with server(says(GOOD)) as url:
        workload = UploadWorkload(config(url, verbose=True), (clip(),), NO_CREDENTIALS)
        workload.new_attempt(Caller(3, 7, 1), clip(), False).run()
    (line,) = caplog.messages
    assert line.startswith("worker 3 caller 7 clip ")
    assert line.endswith('s from the request\'s first byte < {"text": "some words"}')


def test_a_probe_shows_each_piece_and_gives_what_was_measured() -> None:
    shown: list[str] = []
    with server(says(GOOD)) as url:
        record = record_of(*UploadWorkload.probe(config(url), clip(), NO_CREDENTIALS, shown.append))
    assert record.text == "some words"
    assert shown[0] == "times are seconds from the first byte of the request"
    assert shown[1].endswith(' < {"text": "some words"}')
    facts = dict(UploadWorkload.probe_facts(config(url), record))
    assert facts["first text"] == "the server did not stream"
    assert facts["RTF"].endswith("times real time")
