"""The answer to an HTTP/1.1 request, read from bytes in whatever pieces they come (RFC 9112).

The same reader serves the upgrade to a websocket, uploads and text to speech. It has no socket and no clock: who feeds
it knows when each piece arrived.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stt_load.errors import ConnectionLost, HandshakeFailed, ProtocolError
from stt_load.session.http_status import one_line

SIGNED = os.urandom(16).hex().encode()  # stands for the signature of any answer: nobody can guess it
MAX_HEAD_BYTES = 65_536
_MAX_INTERIM_ANSWERS = 100  # 102 Processing comes every few seconds, 103 Early Hints once
_MAX_CHUNK_LINE_BYTES = 4_096
SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = (204, 304)  # RFC 9110 sections 15.3.5 and 15.4.5
_BEGINNING = b"HTTP/1."
_HEAD_END = re.compile(rb"\r?\n\r?\n")  # RFC 9112 section 2.2: a line may end without its CR
_LONGEST_HEAD_END = 4
_STATUS_LINE = re.compile(r"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: |$)")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?\r?", re.DOTALL)
_LENGTH = re.compile(r"[0-9]{1,18}")
_TLS_RECORD = b"\x15\x03"  # an alert (RFC 8446 section 5.1): what a TLS server says to a plain request
_HTTP2_SETTINGS = re.compile(rb"\0\0.\x04\0\0\0\0\0", re.DOTALL)  # what a gRPC server begins with, whatever is asked
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class AnswerHead:
    """The status of an answer, and its headers by their names in lower case. Headers of the same name are one list with
    commas (RFC 9110 section 5.3)."""

    status: int
    headers: Mapping[str, str]

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @functools.cached_property
    def is_upgrade(self) -> bool:
        """Whether its headers are those of an upgrade to a websocket (RFC 6455 section 4.1)."""
        return self.lists("upgrade", "websocket") and self.lists("connection", "upgrade")

    def lists(self, name: str, member: str) -> bool:
        """Whether `member`, in lower case, is in the list of the header `name`."""
        return member in (each.strip().lower() for each in self.headers.get(name, "").split(","))


class HttpAnswer:
    """One answer of a server: `feed` it what arrives, and `end` it where the connection ends.

    `head`: None until all of it is there; interim answers (RFC 9110 section 15.2) before it are left out.
    `is_complete`: its body has ended. `rest`: what came behind its end. `signature`: what no other answer has in its
    head; it is read as `SIGNED`, so that heads which differ in nothing else are read once. Raises HandshakeFailed for
    what is no HTTP, and ProtocolError for what HTTP doesn't allow.
    """

    def __init__(self, signature: bytes = b"") -> None:
        self.head: AnswerHead | None = None
        self._signature = signature
        self.is_complete = False
        self.rest = b""
        self._unread = b""  # the beginning of a head
        self._n_interim = 0
        self._body_left: int | None = None  # bytes of a body of known length; None: until the end
        self._chunks: Chunks | None = None

    @property
    def has_begun(self) -> bool:
        """Whether anything of it has come."""
        return bool(self.head or self._unread or self._n_interim)

    def feed(self, data: bytes) -> bytes:
        """Takes what arrived; gives what of the body is in it."""
        if self.head is None:
            data = self._read_heads(data)
            if self.head is None:
                return b""
        if self.is_complete:
            self.rest += data
            return b""
        if self._chunks is not None:
            body = b"".join(self._chunks.read(data))
            if self._chunks.is_complete:
                self.is_complete, self.rest = True, self._chunks.rest
            return body
        if self._body_left is None:
            return data
        body, self.rest = data[: self._body_left], data[self._body_left :]
        self._body_left -= len(body)
        self.is_complete = not self._body_left
        return body

    def end(self) -> bytes:
        """Takes the end of the connection, in which nothing of the body is. Raises ConnectionLost where it cuts the
        answer off."""
        if self.head is None:
            if self._unread and not self._is_http():
                raise _no_http(self._unread)
            raise ConnectionLost("connection lost: it was closed by the server before its answer")
        if not self.is_complete and (self._body_left is not None or (self._chunks and not self._chunks.is_at_end)):
            raise ConnectionLost("the answer was cut off")
        self.is_complete = True
        return b""

    def _read_heads(self, data: bytes) -> bytes:
        """Reads heads until one of them is no interim answer's; gives what is behind it."""
        while True:
            searched = max(0, len(self._unread) - _LONGEST_HEAD_END)
            self._unread = (self._unread + data).lstrip(b"\r\n")  # empty lines before it do no harm
            if not self._is_http():
                _refuse_once_shown(self._unread)
                return b""
            end = _HEAD_END.search(self._unread, searched)
            if (end.start() if end else len(self._unread)) > MAX_HEAD_BYTES:
                raise ProtocolError(f"no HTTP answer: its head has more than {MAX_HEAD_BYTES} bytes")
            if end is None:
                return b""
            lines, data = self._unread[: end.start()], self._unread[end.end() :]
            head = read_head(lines.replace(self._signature, SIGNED) if self._signature else lines)
            self._unread = b""
            if head.status >= 200 or head.status == SWITCHING_PROTOCOLS:
                self._begin_body(head)
                return data
            self._n_interim += 1
            if self._n_interim > _MAX_INTERIM_ANSWERS:
                raise ProtocolError(
                    f"more than {_MAX_INTERIM_ANSWERS} interim answers, the last one HTTP {head.status}"
                )

    def _is_http(self) -> bool:
        return _BEGINNING.startswith(self._unread[: len(_BEGINNING)])

    def _begin_body(self, head: AnswerHead) -> None:
        """RFC 9112 section 6.3: what says how long the body is."""
        self.head = head
        if head.status == SWITCHING_PROTOCOLS or head.status in _WITHOUT_BODY:
            self.is_complete = True
        elif (coding := head.headers.get("transfer-encoding", "identity").lower()) != "identity":
            if coding != "chunked":
                raise ProtocolError(f"an answer in a transfer coding that nobody asked for: {one_line(coding)}")
            self._chunks = Chunks()
        elif "content-length" in head.headers:
            self._body_left = _length_of(head.headers["content-length"])
            self.is_complete = not self._body_left


class Chunks:
    """A body in chunks (RFC 9112 section 7.1). `is_complete`: its last line has come. `is_at_end`: all of the body has,
    and only trailers or the last line may be missing. `rest`: what came behind it."""

    def __init__(self) -> None:
        self.is_complete = False
        self.is_at_end = False
        self.rest = b""
        self._line = b""  # the beginning of a line
        self._left = 0  # bytes of the chunk that is being read
        self._is_chunk_over = False  # the end of a chunk's line is still to come
        self._trailer_bytes = 0

    def read(self, data: bytes) -> Iterator[bytes]:
        """What of the body is in `data`, a piece for each chunk."""
        at = 0
        while at < len(data) and not self.is_complete:
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                self._is_chunk_over = not self._left
                yield piece
                continue
            end = data.find(b"\n", at)
            self._line += data[at:] if end < 0 else data[at:end]
            if len(self._line) > _MAX_CHUNK_LINE_BYTES:
                raise ProtocolError(f"a line of more than {_MAX_CHUNK_LINE_BYTES} bytes between two chunks")
            if end < 0:
                return
            at = end + 1
            line, self._line = self._line, b""
            self._take_line(line)
        if self.is_complete:
            self.rest = data[at:]

    def _take_line(self, line: bytes) -> None:
        if self.is_at_end:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > MAX_HEAD_BYTES:
                raise ProtocolError(f"more than {MAX_HEAD_BYTES} bytes behind the last chunk")
            self.is_complete = line in (b"", b"\r")
        elif self._is_chunk_over:
            if line not in (b"", b"\r"):
                raise ProtocolError("a chunk that is longer than it says")
            self._is_chunk_over = False
        else:
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None:
                raise ProtocolError(f"a chunk without its size but {one_line(line.decode('latin-1'))!r}")
            self._left = int(size[1], 16)
            self.is_at_end = not self._left


@functools.lru_cache(maxsize=64)
def read_head(head: bytes) -> AnswerHead:
    """The head without the empty line at its end. Cached: the answers of a server differ in their date at most."""
    status_line, *lines = head.decode("latin-1").replace("\r\n", "\n").split("\n")
    status = _STATUS_LINE.match(status_line)
    if status is None:
        raise _no_http(head)
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in (" ", "\t"):  # RFC 9112 section 5.2: it goes on with the line before
            headers[name] = f"{headers.get(name, '')} {line.strip()}"
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return AnswerHead(int(status[1]), headers)


def _length_of(text: str) -> int:
    """A length that is given several times is one (RFC 9110 section 8.6)."""
    lengths = {each.strip() for each in text.split(",")}
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise ProtocolError(f"an answer whose length is no number: {one_line(text)!r}")
    return int(length)


def _refuse_once_shown(data: bytes) -> None:
    """Raises HandshakeFailed as soon as enough of what is no HTTP has come to be told: a line of it."""
    is_known = data.startswith(_TLS_RECORD) or _HTTP2_SETTINGS.match(data)
    if is_known or b"\n" in data or len(data) > _SHOWN_CHARACTERS:
        raise _no_http(data)


def _no_http(data: bytes) -> HandshakeFailed:
    if data.startswith(_TLS_RECORD):
        return HandshakeFailed("no HTTP answer but TLS: write wss:// instead of ws://, https:// instead of http://")
    if _HTTP2_SETTINGS.match(data):
        return HandshakeFailed("no HTTP/1 answer but HTTP/2, as from a gRPC server: see --dialect riva-grpc")
    line = data.decode("latin-1").strip().partition("\n")[0].rstrip()
    return HandshakeFailed(f"no HTTP answer but {line[:_SHOWN_CHARACTERS]!r}")
