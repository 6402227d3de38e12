"""Answers of HTTP servers, whole and in pieces, held against two other readers of HTTP."""

from __future__ import annotations

import http.client
import io
import itertools
import socket

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.errors import ConnectionLost, HandshakeFailed, ProtocolError, SttLoadError
from stt_load.session.http_answer import MAX_HEAD_BYTES, SIGNED, HttpAnswer

OK = b"HTTP/1.1 200 OK\r\n"


def read(pieces: list[bytes], ends: bool = True) -> tuple[HttpAnswer, bytes]:
    """The answer in `pieces`, behind which the connection ends."""
    answer = HttpAnswer()
    body = b"".join(answer.feed(piece) for piece in pieces)
    if ends and not answer.is_complete:
        body += answer.end()
    return answer, body


def result(pieces: list[bytes]) -> object:
    """Everything that can be seen of an answer: what it is, or its fault."""
    try:
        answer, body = read(pieces)
    except SttLoadError as fault:
        return type(fault), str(fault)
    assert answer.head is not None
    return answer.head, body, answer.is_complete, answer.rest


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


def single_bytes(data: bytes) -> list[bytes]:
    return [data[k : k + 1] for k in range(len(data))]


names = st.text("abcXYZ-", min_size=1, max_size=8).map(lambda text: f"X-{text}")
values = st.text("abc XYZ,;=/*", max_size=20).map(str.strip)
headers = st.lists(st.tuples(names, values), max_size=5)
chunks = st.lists(st.binary(min_size=1, max_size=300), max_size=5)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A good answer in one of the three ways in which a body may end, behind interim answers."""
    interim = draw(st.lists(st.sampled_from([100, 102, 103]), max_size=3))
    head = b"".join(b"HTTP/1.1 %d Wait\r\nLink: </a>\r\n\r\n" % status for status in interim)
    lines = [f"{name}: {value}\r\n" for name, value in draw(headers)]
    pieces = draw(chunks)
    match draw(st.sampled_from(["length", "chunked", "end"])):
        case "length":
            lines.append(f"Content-Length: {sum(map(len, pieces))}\r\n")
            body = b"".join(pieces)
        case "chunked":
            lines.append("Transfer-Encoding: chunked\r\n")
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX-Sum: 1\r\n\r\n"
        case _:
            body = b"".join(pieces)
    status = draw(st.sampled_from([200, 201, 400, 404, 503]))
    return head + f"HTTP/1.1 {status} Said\r\n{''.join(lines)}\r\n".encode() + body


def as_h11_reads_it(data: bytes) -> tuple[int, bytes]:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    client.receive_data(b"")
    status, body = 0, b""
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    return status, body


class _File(io.BytesIO):
    def makefile(self, mode: str) -> _File:
        return self


@given(data=answers(), places=st.lists(st.integers(0, 10_000), max_size=12))
def test_an_answer_is_the_same_in_any_pieces_and_as_other_readers_have_it(data: bytes, places: list[int]) -> None:
    answer, body = read([data])
    assert answer.head is not None and answer.is_complete
    assert (answer.head.status, body) == as_h11_reads_it(data)
    assert result(cut(data, places)) == result(single_bytes(data)) == result([data])


@given(data=answers().filter(lambda data: b" 102 " not in data and b" 103 " not in data))
def test_the_standard_library_reads_the_same_headers(data: bytes) -> None:
    answer, body = read([data])
    theirs = http.client.HTTPResponse(_File(data), method="POST")  # type: ignore[arg-type]
    theirs.begin()
    assert answer.head is not None
    assert (answer.head.status, body) == (theirs.status, theirs.read())
    for name in theirs.headers:
        assert answer.head.headers[name.lower()] == ", ".join(theirs.headers.get_all(name, []))


@given(
    data=st.one_of(answers(), st.binary(max_size=60)),
    places=st.lists(st.integers(0, 10_000), max_size=9),
    noise=st.data(),
)
def test_what_is_broken_has_the_same_fault_in_any_pieces(data: bytes, places: list[int], noise: st.DataObject) -> None:
    broken = bytearray(data)
    for _ in range(noise.draw(st.integers(0, 4))):
        if broken:
            broken[noise.draw(st.integers(0, len(broken) - 1))] = noise.draw(st.integers(0, 255))
    whole = bytes(broken[: noise.draw(st.integers(0, len(broken)))])
    assert result(cut(whole, places)) == result(single_bytes(whole)) == result([whole])


@given(data=answers(), places=st.lists(st.integers(0, 10_000), max_size=8))
def test_it_comes_over_a_real_connection_as_it_was_sent(data: bytes, places: list[int]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        answer, body = HttpAnswer(), b""
        for piece in cut(data, places):
            theirs.sendall(piece)
            body += answer.feed(ours.recv(65_536))
        theirs.close()
        while not answer.is_complete:
            piece = ours.recv(65_536)
            body += answer.feed(piece) if piece else answer.end()
    assert (answer.head, body) == result([data])[:2]  # type: ignore[index]


@pytest.mark.parametrize(
    ("data", "status", "body", "rest"),
    [
        (OK + b"Content-Length: 2\r\n\r\nokmore", 200, b"ok", b"more"),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\nmore", 200, b"ok", b"more"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n002\r\nok\r\n000\r\n", 200, b"ok", b""),
        (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, b"ok", b""),
        (OK + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", b""),
        (OK + b"Content-Length: 2, 2\r\n\r\nok", 200, b"ok", b""),
        (OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", b""),
        (b"HTTP/1.1 200\nContent-Length: 2\n\nok", 200, b"ok", b""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end", b""),
        (b"\r\n" + OK + b"Content-Length: 0\r\n\r\n", 200, b"", b""),
        (b"HTTP/1.1 204 Nothing\r\nContent-Length: 5\r\n\r\nmore", 204, b"", b"more"),
        (b"HTTP/1.1 304 Same\r\n\r\n", 304, b"", b""),
        (b"HTTP/1.1 101 Switch\r\n\r\n\x81\x02ok", 101, b"", b"\x81\x02ok"),
        (b"HTTP/1.1 103 Hint\r\n\r\n" * 100 + b"HTTP/1.1 101 Switch\r\n\r\n", 101, b"", b""),
    ],
)
def test_a_body_ends_where_it_says(data: bytes, status: int, body: bytes, rest: bytes) -> None:
    answer, read_body = read([data])
    assert answer.head is not None
    assert (answer.head.status, read_body, answer.rest, answer.is_complete) == (status, body, rest, True)


@pytest.mark.parametrize(
    ("data", "fault", "why"),
    [
        (b"", ConnectionLost, "closed by the server before its answer"),
        (b"HTT", ConnectionLost, "closed by the server before its answer"),
        (OK + b"X: 1\r\n", ConnectionLost, "closed by the server before its answer"),
        (OK + b"Content-Length: 3\r\n\r\nok", ConnectionLost, "the answer was cut off"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", ConnectionLost, "the answer was cut off"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", ConnectionLost, "closed by the server before its answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", HandshakeFailed, "no HTTP answer but 'SSH-2.0-OpenSSH_9.6'"),
        (b"+PONG", HandshakeFailed, "no HTTP answer but '+PONG'"),
        (b"\x00" * 300, HandshakeFailed, r"no HTTP answer but '\x00\x00"),
        (b"\x15\x03\x03\x00\x02\x02\x0a", HandshakeFailed, "no HTTP answer but TLS: write wss://"),
        (b"\0\0\x18\x04\0\0\0\0\0\0\x04", HandshakeFailed, "HTTP/2, as from a gRPC server: see --dialect riva-grpc"),
        (b"HTTP/2 200\r\n\r\n", HandshakeFailed, "no HTTP answer but 'HTTP/2 200'"),
        (b"HTTP/1.1 wat\r\n\r\n", HandshakeFailed, "no HTTP answer but 'HTTP/1.1 wat'"),
        (b"HTTP/1.1 099 No\r\n\r\n", HandshakeFailed, "no HTTP answer but 'HTTP/1.1 099 No'"),
        (OK + b"X: " + b"y" * MAX_HEAD_BYTES, ProtocolError, "its head has more than 65536 bytes"),
        (b"HTTP/1.1 102 Wait\r\n\r\n" * 200, ProtocolError, "more than 100 interim answers, the last one HTTP 102"),
        (OK + b"Content-Length: two\r\n\r\nok", ProtocolError, "whose length is no number: 'two'"),
        (OK + b"Content-Length: -2\r\n\r\nok", ProtocolError, "whose length is no number: '-2'"),
        (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", ProtocolError, "whose length is no number: '2, 3'"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", ProtocolError, "that nobody asked for: gzip, chunked"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nok", ProtocolError, "a chunk without its size but 'ZZ'"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nok", ProtocolError, "a chunk without its size but '-1'"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nokay\r\n", ProtocolError, "a chunk that is longer than it says"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 9_999, ProtocolError, "a line of more than 4096 bytes"),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 20_000,
            ProtocolError,
            "more than 65536 bytes behind the last chunk",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_breach_is_told_at_once(data: bytes, fault: type[SttLoadError], why: str) -> None:
    for pieces in ([data], cut(data, list(range(0, len(data), 700)))):
        with pytest.raises(fault) as caught:
            read(pieces)
        assert type(caught.value) is fault
        assert why in str(caught.value)


def test_headers_of_one_name_are_one_list_and_a_folded_line_is_one() -> None:
    data = OK + b"Connection: keep-alive\r\nCONNECTION : Upgrade\r\nX-Long: a\r\n\t b\r\nno colon\r\n\r\n"
    answer, _ = read([data])
    assert answer.head is not None
    assert answer.head.headers == {"connection": "keep-alive, Upgrade", "x-long": "a b", "no colon": ""}
    assert answer.head.lists("connection", "upgrade") and answer.head.lists("connection", "keep-alive")
    assert not answer.head.lists("connection", "up") and not answer.head.lists("upgrade", "websocket")


def test_a_signature_is_read_as_what_stands_for_it() -> None:
    answer = HttpAnswer(signature=b"of-this-answer-alone")
    answer.feed(OK + b"Signature: of-this-answer-alone\r\n\r\n")
    assert answer.head is not None
    assert answer.head.headers["signature"] == SIGNED.decode()
