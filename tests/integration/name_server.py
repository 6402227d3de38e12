"""A name server of a test's own, and processes that ask it: they see another /etc/resolv.conf."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = "stt.test"
FINE, SERVER_FAILURE = 0, 2  # RFC 1035, section 4.1.1
_ADDRESS_OF_IPV4 = 1
_ANSWER = 0x8180  # it is one, recursion was asked for and is available
_LOOK_PERIOD_S = 0.1
_IN_MOUNTS_OF_ITS_OWN = 'mount --make-rprivate / && mount --bind "$0" /etc/resolv.conf && exec "$@"'


class NameServer:
    """Answers every question for an IPv4 address with `address`, and others with none. `code`: of every answer;
    `delay_s`: before each; `is_silent`: it answers nothing. What is set holds from the next question on."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.address = "127.0.0.1"
        self.code = FINE
        self.delay_s = 0.0
        self.is_silent = False
        self.n_asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((at, 53))
        self._socket.settimeout(_LOOK_PERIOD_S)
        self._is_closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_closed = True
        self._thread.join()
        self._socket.close()

    def line_of(self, folder: Path, command: Sequence[str]) -> list[str]:
        """The command line that runs a command with this server as its only one."""
        settings = folder / "resolv.conf"
        settings.write_text(f"nameserver {self.at}\noptions timeout:5 attempts:1\n")
        return ["unshare", "--mount", "sh", "-c", _IN_MOUNTS_OF_ITS_OWN, str(settings), *command]

    def _serve(self) -> None:
        while not self._is_closed:
            with suppress(TimeoutError):
                question, asker = self._socket.recvfrom(512)
                self.n_asked += 1
                if not self.is_silent:
                    timer = threading.Timer(self.delay_s, self._answer, (question, asker))
                    timer.daemon = True
                    timer.start()

    def _answer(self, question: bytes, asker: tuple[str, int]) -> None:
        end = question.index(b"\0", 12) + 5
        (kind,) = struct.unpack("!H", question[end - 4 : end - 2])
        has_address = self.code == FINE and kind == _ADDRESS_OF_IPV4
        head = struct.pack("!HHHHH", _ANSWER | self.code, 1, int(has_address), 0, 0)
        record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, 4) + socket.inet_aton(self.address)
        answer = question[:2] + head + question[12:end] + (record if has_address else b"")
        with suppress(OSError):  # the test is over
            self._socket.sendto(answer, asker)


@contextmanager
def name_server(at: str) -> Iterator[NameServer]:
    """Takes port 53 of this address."""
    server = NameServer(at)
    try:
        yield server
    finally:
        server.close()


def why_no_name_servers() -> str | None:
    """What stands in the way of a name server, and of mounts of their own for those who ask it; None where nothing
    does."""
    try:
        subprocess.run(["unshare", "--mount", "true"], check=True, capture_output=True, timeout=60)
        with name_server("127.0.0.76"):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return str(error)
