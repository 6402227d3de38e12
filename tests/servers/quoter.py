"""A server that quotes what it was shown: request line and headers, in every place where a server can say something.

It speaks websocket, HTTP and what a GPU sidecar is asked, on one port, in threads of this process. Each connection is
answered in the next of `WAYS`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from urllib.parse import quote

_TEXT, _CLOSE = 1, 8
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
WAYS = ("body", "redirect", "close reason", "error message", "transcript", "close reason in base64", "unknown message")


class Quoter(socketserver.ThreadingTCPServer):
    """Listens once it is made. `heard`: the head of every request."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.heard: list[str] = []
        self.ways = itertools.cycle(WAYS)
        self.port = self.server_address[1]


class _Connection(socketserver.BaseRequestHandler):
    server: Quoter
    request: socket.socket

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.request.recv(1)
            if not byte:
                return
            head += byte
        with contextlib.suppress(OSError):
            self._answer(head.decode("latin-1"))

    def _answer(self, head: str) -> None:
        self.server.heard.append(head)
        line, *headers = head.strip().split("\r\n")
        fields = {name.lower(): value for name, _, value in (each.partition(": ") for each in headers)}
        secret = fields.get("authorization") or fields.get("x-secret", "")
        said = f"I was shown {secret} and {line}; {headers}"
        way = next(self.server.ways) if "upgrade" in fields else "no upgrade"
        if way == "no upgrade":
            self._refuse("403 no", json.dumps({"error": said}))
        elif way == "body":
            self._refuse("401 no", said)
        elif way == "redirect":
            query = f"q={quote(secret)}&{line.split()[1].partition('?')[2]}"
            self._refuse("302 there", "", f"Location: http://127.0.0.1:1/{quote(secret)}?{query}\r\n")
        else:
            self._upgrade(fields["sec-websocket-key"])
            for opcode, payload in _messages(way, secret.rpartition(" ")[2], said):
                self._send(opcode, payload)
            self.request.settimeout(5.0)
            while self.request.recv(65_536):
                pass

    def _upgrade(self, key: str) -> None:
        accept = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest()).decode()
        head = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
        self.request.sendall(f"HTTP/1.1 101 yes\r\n{head}\r\n".encode())

    def _refuse(self, status: str, body: str, more: str = "") -> None:
        data = body.encode()
        self.request.sendall(f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    def _send(self, opcode: int, payload: bytes) -> None:
        length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack("!H", len(payload))
        self.request.sendall(bytes([0x80 | opcode]) + length + payload)


def _messages(way: str, token: str, said: str) -> list[tuple[int, bytes]]:
    """What is sent after the upgrade, as opcodes and payloads. `token`: the secret; `said`: with all else around it."""
    match way:
        case "close reason":
            return [(_CLOSE, struct.pack("!H", 4401) + f"bad {token}"[:120].encode())]
        case "close reason in base64":
            return [(_CLOSE, struct.pack("!H", 1011) + base64.b64encode(token.encode())[:120])]
        case "error message":
            return [(_TEXT, json.dumps({"type": "Error", "message": said, "description": said}).encode())]
        case "unknown message":
            return [(_TEXT, json.dumps({"what": said}).encode())]
    return [(_TEXT, _result(text)) for text in (token, f"some words {said}")]


def _result(text: str) -> bytes:
    """A final text, as Deepgram sends it."""
    result = {"is_final": True, "speech_final": True, "channel": {"alternatives": [{"transcript": text}]}}
    return json.dumps({"type": "Results", **result}).encode()


@contextlib.contextmanager
def quoter() -> Iterator[Quoter]:
    with Quoter() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
