"""A socket server whose every byte a test decides about. Loopback only; it ends with its `with` block."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

DEADLINE_S = 20.0  # of every wait; nothing takes a tenth of it
SELF_SIGNED = Path(__file__).parent / "self_signed.pem"  # for localhost, signed by itself: trusted by nobody

TEXT, BINARY, CONT, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA


def frame(opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0) -> bytes:
    """One server frame (unmasked); `rsv` sets reserved bits."""
    n = len(payload)
    length = bytes([n]) if n < 126 else struct.pack("!BH", 126, n) if n < 65_536 else struct.pack("!BQ", 127, n)
    return bytes([fin << 7 | rsv << 4 | opcode]) + length + payload


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


class Caller:
    """One connection as the server sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.request = ""
        self._buffer = b""

    def read_request(self) -> str:
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        self.request = head.decode()
        return self.request

    def upgrade(
        self,
        *headers: str,
        accept: str | None = None,
        connection: tuple[str, ...] = ("Upgrade",),
        before: bytes = b"",
    ) -> None:
        """Read the request and answer 101, with a `Connection` header for each of `connection`, behind `before`."""
        key = next(
            line.split(": ")[1] for line in self.read_request().split("\r\n") if line.startswith("Sec-WebSocket-Key")
        )
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            *(f"Connection: {each}" for each in connection),
            f"Sec-WebSocket-Accept: {accept or base64.b64encode(digest).decode()}",
            *headers,
        ]
        self.send(before + "\r\n".join(lines).encode() + b"\r\n\r\n")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_body(self, n_bytes: int) -> None:
        """Returns when so much of a request's body has come."""
        n_bytes -= len(self._buffer)
        self._buffer = b""
        while n_bytes > 0:
            n_bytes -= len(self._read())

    def read_frame(self) -> tuple[int, bytes]:
        """(opcode, payload) of the caller's next frame."""
        first, second = self.take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.take(8))
        mask = self.take(4)
        data = self.take(length)
        return first & 0xF, bytes(byte ^ mask[k % 4] for k, byte in enumerate(data))

    def read_audio(self, n_frames: int) -> None:
        """Returns when so many binary frames have come."""
        while n_frames:
            n_frames -= self.read_frame()[0] == BINARY

    def reset(self) -> None:
        """TCP RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_for_end(self) -> None:
        """Reads until the caller has gone, so that the server is not the one who ends the connection."""
        with contextlib.suppress(OSError, EOFError):
            while True:
                self._read()

    def take(self, n: int) -> bytes:
        """Waits for the next `n` bytes."""
        while len(self._buffer) < n:
            self._buffer += self._read()
        taken, self._buffer = self._buffer[:n], self._buffer[n:]
        return taken

    def _read(self) -> bytes:
        data = self.socket.recv(65_536)
        if not data:
            raise EOFError
        return data


class RawServer:
    """`url`, and the callers so far in order of arrival."""

    def __init__(self, behave: Callable[[Caller], None], certificate: Path | None) -> None:
        self.callers: list[Caller] = []
        self.errors: list[BaseException] = []
        self._behave = behave
        self._threads: list[threading.Thread] = []
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"ws{'s' if certificate else ''}://localhost:{self.port}/ws"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(DEADLINE_S)
            assert not thread.is_alive(), "the server is still busy with a caller that should have gone"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(DEADLINE_S)
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            caller = Caller(connection)
            self.callers.append(caller)
            self._behave(caller)
        except (OSError, EOFError):
            pass  # the caller has gone: what came of it is what the test looks at
        except BaseException as error:
            self.errors.append(error)
        finally:
            connection.close()


@contextmanager
def raw_server(
    behave: Callable[[Caller], None], is_tls: bool = False, certificate: Path = SELF_SIGNED
) -> Iterator[RawServer]:
    """Every caller gets a thread that runs `behave`; the connection is closed when that returns. `certificate`: of one
    with TLS, together with its key."""
    server = RawServer(behave, certificate if is_tls else None)
    try:
        yield server
    finally:
        server.close()
    assert not server.errors, server.errors
