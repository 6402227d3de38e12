"""The sockets between a master and its workers: Locust's, encrypted, and deaf to whoever lacks the cluster's token.

ZeroMQ does it with CURVE (https://rfc.zeromq.org/spec/26/): both key pairs are made from the token, so a handshake
succeeds only between two that have it. It happens in ZeroMQ's own thread, before a message is one: nothing that a
stranger sends reaches Locust, whose own protocol has no authentication and stops at the first byte that it can't read.
"""

from __future__ import annotations

import errno
import hashlib
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import gevent
import zmq.green as zmq
from locust.exception import RPCError
from locust.rpc import Message, zmqrpc
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from stt_load.credentials import CLUSTER_TOKEN_VARIABLE
from stt_load.locust_plugin.cluster.admission import Admission
from stt_load.locust_plugin.cluster.joining import Joining, Refused, is_answer
from stt_load.locust_plugin.exits import exit_with
from stt_load.process.log import log

# What a failed handshake means, on either side.
_OTHER_TOKEN = (
    f"has another token, or is none of stt-load: set {CLUSTER_TOKEN_VARIABLE} to the same secret on the master and on "
    "all of its workers"
)
_STRANGER_PERIOD_S = 60.0  # between two lines about strangers
_JOIN_LIMIT_S = 300.0  # as long as Locust waits for a master
_TOLD_AFTER_S = 5.0  # that there is no master yet
_ANSWER_LIMIT_MS = 1_000  # after which a worker asks again
_HANDSHAKE_LIMIT_MS = 10_000  # after which the master hangs up; each connection takes one of its file descriptors
_GREETING, _GREETING_LIMIT_S = b"\xff", 5.0  # the first byte of it, and how long a master may take
_FAILED_HANDSHAKES = 5  # a master that starts or ends may break off one or two
_HANDSHAKE_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
_HANDSHAKE_FAILED = _HANDSHAKE_REFUSED | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL  # or the other side hung up


class Keys:
    """The key pairs of a cluster, made from its token."""

    def __init__(self, token: str) -> None:
        self._master = z85.encode(hashlib.sha256(f"stt-load master {token}".encode()).digest())
        self._worker = z85.encode(hashlib.sha256(f"stt-load worker {token}".encode()).digest())

    def lock_master(self, master: Any) -> None:
        """Gives the master's socket its keys. To be called before it is bound."""
        master.setsockopt(zmq.CURVE_SERVER, 1)
        master.setsockopt(zmq.CURVE_SECRETKEY, self._master)

    def lock_worker(self, worker: Any) -> None:
        """Gives a worker's socket its keys. To be called before it connects."""
        worker.setsockopt(zmq.CURVE_SECRETKEY, self._worker)
        worker.setsockopt(zmq.CURVE_PUBLICKEY, zmq.curve_public(self._worker))
        worker.setsockopt(zmq.CURVE_SERVERKEY, zmq.curve_public(self._master))


class MasterSocket(zmqrpc.BaseSocket):
    """The master's end: takes the place of Locust's `Server`. Locust hears workers that were admitted, and nothing of
    the others.

    `listener`: a socket that listens already; the port is then taken from nobody.
    """

    def __init__(
        self, host: str, port: int, keys: Keys, admission: Admission, listener: socket.socket | None = None
    ) -> None:
        super().__init__(zmq.ROUTER, self.ipv4_only(host, port))  # type: ignore[no-untyped-call]
        self._admission = admission
        keys.lock_master(self.socket)
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_LIMIT_MS)
        gevent.spawn(_tell_of_strangers, self.socket.get_monitor_socket(_HANDSHAKE_REFUSED), port)
        if listener is not None:
            self.socket.setsockopt(zmq.USE_FD, listener.detach())
        try:
            self.socket.bind(f"tcp://{host}:{port}")
        except zmq.ZMQError as error:
            busy = error.errno == errno.EADDRINUSE
            # In these words Locust knows it, and says which port it is.
            raise RPCError(f"Socket bind failure: {'Address already in use' if busy else error}") from error
        self.port = port

    def recv_from_client(self) -> tuple[str, Message]:
        """The next message of a worker that is heard. RPCError where the socket is broken."""
        while True:
            try:
                frames = self.socket.recv_multipart()
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            received = _read(frames)
            if received is None:
                continue
            worker, message = received
            answer = self._admission.answer(worker, message.type, message.data)
            if answer is not None:
                self.send_to_client(_message(*answer, worker))
            elif self._admission.is_heard(worker):
                return worker, message


class WorkerSocket(zmqrpc.BaseSocket):
    """A worker's end: takes the place of Locust's `Client`. It is joined to the cluster once it is made.

    Leaves the process with 2 where the master refuses it, and raises ConnectionError where there is no master.
    """

    def __init__(self, host: str, port: int, identity: str, keys: Keys, joining: Joining) -> None:
        super().__init__(zmq.DEALER, self.ipv4_only(host, port))  # type: ignore[no-untyped-call]
        self._place, self._address = (host, port), f"{host}:{port}"
        self._identity = identity
        keys.lock_worker(self.socket)
        self.socket.setsockopt(zmq.IDENTITY, identity.encode())
        self._events = self.socket.get_monitor_socket(
            _HANDSHAKE_FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        )
        self._connections = 0  # so far
        self._is_connected = False
        self._failures = 0  # handshakes that failed
        self.socket.connect(f"tcp://{self._address}")
        try:
            self._join(joining)
        except Refused as refused:
            exit_with(refused.lines)

    @property
    def connection(self) -> int | None:
        """The number of the connection to the master, from 1; None where it is closed, as far as this side knows. One
        to a machine that falls silent stays open."""
        while self._events.poll(0):
            event = int(parse_monitor_message(self._events.recv_multipart())["event"])
            self._is_connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            self._connections += self._is_connected
            self._failures += bool(event & _HANDSHAKE_FAILED)
        return self._connections if self._is_connected else None

    def recv(self) -> Message:
        """The next message of the master. RPCError where the socket is broken."""
        while True:
            try:
                frames = self.socket.recv_multipart()
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            received = _read([self._identity.encode(), *frames])
            if received is not None and not is_answer(received[1].type):
                return received[1]

    def _join(self, joining: Joining) -> None:
        """Asks the master until it has an answer for good. Raises Refused."""
        deadline_s = time.monotonic() + _JOIN_LIMIT_S
        telling = gevent.spawn_later(_TOLD_AFTER_S, self._tell_of_no_master)
        message, is_greeted = joining.question(), False
        while time.monotonic() < deadline_s:
            is_connected = self.connection is not None
            if self._failures >= _FAILED_HANDSHAKES:
                if is_greeted:  # before these failed: a master was there already
                    raise Refused([f"the master at {self._address} {_OTHER_TOKEN}"])
                is_greeted, self._failures = _is_greeted_at(self._place), 0
            if not is_connected:
                gevent.sleep(0.05)
                continue
            telling.kill()
            self.send(_message(*message, self._identity))
            answer = self._answer()
            if answer is not None:
                deadline_s = time.monotonic() + _JOIN_LIMIT_S
                next_message = joining.on_answer(answer.type, answer.data)
                if next_message is None:
                    return
                message = next_message
        raise ConnectionError(f"nobody answered at {self._address} for {_JOIN_LIMIT_S:g} s: start the master first")

    def _tell_of_no_master(self) -> None:
        limit = f"{_JOIN_LIMIT_S:g} s"
        log.warning("no master answers at %s: start it, or correct its address; waiting for %s", self._address, limit)

    def _answer(self) -> Message | None:
        """What the master answers soon; None where it is silent."""
        if not self.socket.poll(_ANSWER_LIMIT_MS):
            return None
        received = _read([self._identity.encode(), *self.socket.recv_multipart()])
        return received and received[1]


def _is_greeted_at(place: tuple[str, int]) -> bool:
    """Whether a program that speaks ZeroMQ is there: it greets whoever connects (https://rfc.zeromq.org/spec/23/). An
    SSH tunnel or a proxy lets in and hangs up as long as there is no master behind it."""
    try:
        with socket.create_connection(place, timeout=_GREETING_LIMIT_S) as connection:
            return connection.recv(1) == _GREETING
    except OSError:
        return False


def _message(name: str, data: Any, node_id: str) -> Message:
    return Message(name, data, node_id)  # type: ignore[no-untyped-call]


def _read(frames: Sequence[bytes]) -> tuple[str, Message] | None:
    """Sender and message. None where they can't be read, or where the message names another sender: that is said."""
    try:
        sender, message = frames[0].decode(), Message.unserialize(frames[1])  # type: ignore[no-untyped-call]
        if message.node_id == sender:
            return sender, message
    except Exception as error:  # of msgpack, of Unicode, of what Locust makes of it
        log.warning("a message that can't be read is left out: %s", type(error).__name__)
        return None
    log.warning("a message of worker %s under the name %r is left out", sender, message.node_id)
    return None


def _tell_of_strangers(monitor: Any, port: int) -> None:
    """Says that somebody was turned away at the master's port: now and then, whoever tries again and again."""
    told_s = -_STRANGER_PERIOD_S
    with suppress(zmq.ZMQError):  # the socket is closed
        while parse_monitor_message(monitor.recv_multipart())["event"] & _HANDSHAKE_REFUSED:
            if time.monotonic() - told_s >= _STRANGER_PERIOD_S:
                told_s = time.monotonic()
                log.warning("somebody at port %d %s; it is not heard", port, _OTHER_TOKEN)
