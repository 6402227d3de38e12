"""Sockets with a buffer and stamps, over loopback; and a kernel that takes as many bytes as it is told."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_server import BINARY, DEADLINE_S, PING, SELF_SIGNED, TEXT, frame

from stt_load.errors import ProtocolError
from stt_load.net import sockets
from stt_load.net.heartbeat import Heartbeat
from stt_load.net.sockets import MAX_MESSAGE_BYTES, NonBlockingSocket, StampedSocket, believed_s


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection over loopback: our end, and the peer's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), DEADLINE_S) as ours,
    ):
        theirs, _ = listener.accept()
        with closing(theirs):
            theirs.settimeout(DEADLINE_S)
            yield ours, theirs


def wait_readable(end: socket.socket) -> None:
    assert select.select([end], [], [], DEADLINE_S)[0], "nothing came before the deadline"


def test_a_frame_that_the_kernel_takes_in_parts_arrives_whole_and_in_order(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = connected
    ours.setblocking(False)
    outgoing = NonBlockingSocket(ours)
    first, second = bytes(range(256)) * (1 << 16), b"and the next one"
    assert not outgoing.write(first)  # 16 MiB: more than two kernels keep
    assert not outgoing.write(second)
    received = bytearray()
    while not outgoing.flush():
        received += theirs.recv(1 << 20)
    while len(received) < len(first) + len(second):
        received += theirs.recv(1 << 20)
    assert received == first + second
    assert outgoing.write(b"x")


def test_nothing_here_is_told_apart_from_the_end(connected: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = connected
    ours.setblocking(False)
    incoming = NonBlockingSocket(ours)
    assert not incoming.has_data()
    with pytest.raises(BlockingIOError):
        incoming.recv(1)
    theirs.sendall(b"abc")
    wait_readable(ours)
    assert incoming.has_data()
    assert (incoming.recv(2), incoming.recv(2)) == (b"ab", b"c")
    assert not incoming.has_data()
    theirs.close()
    wait_readable(ours)
    assert incoming.has_data()
    assert incoming.recv(1) == b""


def test_what_was_read_can_be_put_back_and_read_as_frames(connected: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = connected
    ours.setblocking(False)
    incoming = NonBlockingSocket(ours)
    frames = frame(TEXT, b"one") + frame(BINARY, b"two")
    theirs.sendall(b"head" + frames + frame(PING, b"are you there"))
    wait_readable(ours)
    assert incoming.has_data()
    incoming.unread(incoming.read_buffered()[4:])
    assert [read and read[:2] for read in (incoming.read_frame(), incoming.read_frame())] == [
        (TEXT, b"one"),
        (BINARY, b"two"),
    ]
    assert incoming.read_frame() is None  # a ping is not for the fast path, and stays
    assert incoming.read_buffered() == frame(PING, b"are you there")
    assert not incoming.has_data()


def test_an_arrival_is_as_old_as_the_kernel_says(connected: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = connected
    incoming = StampedSocket(ours)
    assert incoming.stamp == "kernel"
    sent_s = time.monotonic()
    theirs.sendall(b"x")
    wait_readable(ours)
    here_s = time.monotonic()
    while time.monotonic() < here_s + 0.3:
        pass
    incoming.deadline_s = time.monotonic() + DEADLINE_S
    assert incoming.recv(1) == b"x"
    assert sent_s - 0.1 < incoming.arrived_s < here_s + 0.1


@pytest.mark.parametrize(
    ("stamped_s", "arrived_s"),
    [
        (100.0, 100.0),
        (99.8, 99.8),
        (99.0, 99.0),
        (100.001, 100.0),  # the clocks were read one after the other
        (98.9, None),  # before anything of it was there
        (100.0 - 3_600.0, None),
        (100.1, None),  # in the future
        (100.0 + 3_600.0, None),
    ],
)
def test_a_stamp_is_believed_where_the_bytes_can_have_come_then(stamped_s: float, arrived_s: float | None) -> None:
    assert believed_s(stamped_s, since_s=99.0, now_s=100.0) == arrived_s


@pytest.mark.parametrize("step_s", [3_600.0, -3_600.0])
@pytest.mark.parametrize("has_tls", [False, True], ids=["plain", "TLS"])
def test_a_wall_clock_that_is_set_moves_no_arrival(
    connected: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, step_s: float, has_tls: bool
) -> None:
    """The bytes are stamped before the clock is set, and read a while after."""
    with secured(*connected) if has_tls else nullcontext(connected) as (ours, theirs):
        incoming = StampedSocket(ours)
        incoming.deadline_s = time.monotonic() + DEADLINE_S
        theirs.sendall(b"x")
        assert (incoming.recv(1), incoming.stamp) == (b"x", "kernel")
        sent_s = time.monotonic()
        theirs.sendall(b"y")
        wait_readable(ours)
        here_s = time.monotonic()
        let_pass(0.1)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + step_s)
        assert (incoming.recv(1), incoming.stamp) == (b"y", "read")
        assert here_s + 0.1 <= incoming.arrived_s <= time.monotonic()
        assert incoming.late_s is not None  # as the clock was before, the kernel knows
        assert sent_s - 0.01 <= incoming.arrived_s - incoming.late_s <= here_s + 0.01


def let_pass(seconds: float) -> None:
    """The bytes that were sent stay unread so long."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        pass


@contextmanager
def secured(ours: socket.socket, theirs: socket.socket) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """TLS over a connection: our end, and the peer's."""
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(SELF_SIGNED))
    serving.load_cert_chain(SELF_SIGNED)
    with ThreadPoolExecutor(1) as thread:
        accepted = thread.submit(serving.wrap_socket, theirs, server_side=True)
        mine = asking.wrap_socket(ours, server_hostname="localhost")
        with closing(mine), closing(accepted.result(DEADLINE_S)) as peer:
            yield mine, peer


@pytest.mark.parametrize("waits", [True, False], ids=["that waits", "of the pacing loop"])
def test_over_tls_an_arrival_is_as_old_as_the_kernel_says(
    connected: tuple[socket.socket, socket.socket], waits: bool
) -> None:
    with secured(*connected) as (ours, theirs):
        ours.settimeout(DEADLINE_S if waits else 0.0)
        incoming = StampedSocket(ours) if waits else NonBlockingSocket(ours)
        incoming.deadline_s = time.monotonic() + DEADLINE_S
        theirs.sendall(b"behind the tickets")
        while isinstance(incoming, NonBlockingSocket) and not incoming.has_data():
            wait_readable(ours)  # at first for the tickets, which are no data
        assert incoming.recv(100) == b"behind the tickets"
        sent_s = time.monotonic()
        theirs.sendall(b"x")
        here_s = time.monotonic()
        let_pass(0.3)
        assert incoming.recv(1) == b"x"
        assert sent_s - 0.1 < incoming.arrived_s < here_s + 0.1
        assert (incoming.stamp, incoming.late_s) == ("kernel", None)


def test_over_tls_a_record_that_comes_in_two_parts_arrives_with_its_end(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = connected
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(SELF_SIGNED))
    serving.load_cert_chain(SELF_SIGNED)
    from_us, to_us = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = serving.wrap_bio(from_us, to_us, server_side=True)

    def shake_hands() -> None:
        is_done = False
        while not is_done:
            try:
                peer.do_handshake()
                is_done = True
            except ssl.SSLWantReadError:
                pass
            theirs.sendall(to_us.read())
            if not is_done:
                from_us.write(theirs.recv(65_536))

    with ThreadPoolExecutor(1) as thread:
        shaken = thread.submit(shake_hands)
        with closing(asking.wrap_socket(ours, server_hostname="localhost")) as mine:
            shaken.result(DEADLINE_S)
            incoming = StampedSocket(mine)
            incoming.deadline_s = time.monotonic() + DEADLINE_S
            peer.write(b"a text in two parts")
            record = to_us.read()
            theirs.sendall(record[:-4])
            reading = thread.submit(incoming.recv, 100)
            let_pass(0.2)
            sent_s = time.monotonic()
            theirs.sendall(record[-4:])
            assert reading.result(DEADLINE_S) == b"a text in two parts"
            assert sent_s - 0.05 < incoming.arrived_s
            assert incoming.stamp == "kernel"


def test_without_stamps_of_the_kernel_an_arrival_says_how_late_it_may_be(
    connected: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    heart = Heartbeat()
    monkeypatch.setattr(sockets, "kernel_stamps", lambda: False)
    monkeypatch.setattr(sockets, "heartbeat", lambda: heart)
    ours, theirs = connected
    incoming = StampedSocket(ours)
    incoming.deadline_s = time.monotonic() + DEADLINE_S
    for _ in range(3):
        heart.beat()
    theirs.sendall(b"x")
    let_pass(0.2)  # and the heart stands still, as everything else
    before_s = time.monotonic()
    assert incoming.recv(1) == b"x"
    assert before_s <= incoming.arrived_s
    assert incoming.stamp == "read"
    assert incoming.late_s is not None and incoming.late_s >= 0.2


def test_a_socket_that_waits_gives_up_at_its_deadline(connected: tuple[socket.socket, socket.socket]) -> None:
    incoming = StampedSocket(connected[0])
    incoming.deadline_s = time.monotonic() - 1.0
    with pytest.raises(TimeoutError):
        incoming.recv(1)
    with pytest.raises(TimeoutError):
        while True:
            incoming.send(bytes(1 << 20))


def test_a_message_without_end_is_refused_and_each_message_counts_for_itself(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = connected
    incoming = StampedSocket(ours)
    incoming.deadline_s = time.monotonic() + DEADLINE_S

    def read(n_bytes: int) -> None:
        theirs.sendall(bytes(n_bytes))
        while n_bytes:
            n_bytes -= len(incoming.recv(n_bytes))

    for _ in range(MAX_MESSAGE_BYTES // 65_536):
        read(65_536)
    incoming.begin_message()
    for _ in range(MAX_MESSAGE_BYTES // 65_536):
        read(65_536)
    with pytest.raises(ProtocolError, match="a message of more than 1,048,576 bytes"):
        read(1)


class Kernel:
    """Takes at each `send` as many bytes as it is told; after that everything. 0: it would block."""

    def __init__(self, takes: list[int]) -> None:
        self._takes = deque(takes)
        self.taken = b""

    def setsockopt(self, *_: int) -> None:
        raise OSError

    def send(self, data: bytes | memoryview) -> int:
        n_bytes = min(self._takes.popleft(), len(data)) if self._takes else len(data)
        if not n_bytes:
            raise BlockingIOError
        self.taken += bytes(data[:n_bytes])
        return n_bytes


@given(
    steps=st.lists(st.binary(min_size=1, max_size=20) | st.none(), max_size=20),
    takes=st.lists(st.integers(0, 15), max_size=30),
)
def test_nothing_is_lost_doubled_or_overtaken_whatever_the_kernel_takes(
    steps: list[bytes | None], takes: list[int]
) -> None:
    """`steps`: what is written, and None where it is flushed."""
    kernel, written = Kernel(takes), b""
    outgoing = NonBlockingSocket(kernel)
    for data in steps:
        written += data or b""
        is_all_sent = outgoing.flush() if data is None else outgoing.write(data)
        assert is_all_sent == (kernel.taken == written)
        assert written.startswith(kernel.taken)
    while not outgoing.flush():
        pass
    assert kernel.taken == written
