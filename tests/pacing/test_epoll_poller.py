"""The poller over real sockets, whose descriptors the system gives out again."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from stt_load.pacing.in_flight import InFlight
from stt_load.pacing.inline_driver import EpollPoller

DEADLINE_S = 20.0


class Connection:
    """The part of an utterance and its transport that a poller knows: a descriptor that may change."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.fd = -1
        self.transport = self

    def fileno(self) -> int:
        return self.end.fileno()

    def replace_by(self, other: socket.socket) -> None:
        """Closes the socket and gives its very number to another one."""
        number = self.end.fileno()
        self.end.close()
        os.dup2(other.fileno(), number)
        other.close()
        self.end = socket.socket(fileno=number)


@pytest.fixture
def poller() -> EpollPoller:
    return EpollPoller(cast(Any, selectors.EpollSelector())._selector, time.monotonic)


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    pairs = [socket.socketpair() for _ in range(3)]
    yield pairs
    for pair in pairs:
        for end in pair:
            end.close()


def ready(poller: EpollPoller) -> list[object]:
    return list(poller.wait(time.monotonic() + DEADLINE_S))


def as_in_flight(connection: Connection) -> InFlight:
    return cast(InFlight, connection)


def test_readable_and_writable_are_told_as_asked(
    poller: EpollPoller, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    (first, first_peer), (second, _), _ = pairs
    one, two = Connection(first), Connection(second)
    poller.watch(as_in_flight(one))
    poller.watch(as_in_flight(two), wants_writable=True)
    assert ready(poller) == [two]
    poller.watch(as_in_flight(two))
    first_peer.send(b"x")
    assert ready(poller) == [one]
    poller.remove(as_in_flight(one))
    poller.remove(as_in_flight(one))
    assert poller.ready(0) == []


def test_a_connection_whose_descriptor_changed_is_told_by_its_new_one_and_forgotten_by_both(
    poller: EpollPoller, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    """It tries its second address."""
    (first, _), (second, second_peer), _ = pairs
    connection = Connection(first)
    poller.watch(as_in_flight(connection))
    first.close()
    connection.end = second
    poller.watch(as_in_flight(connection))
    second_peer.send(b"x")
    assert ready(poller) == [connection]
    poller.remove(as_in_flight(connection))
    poller._clock = lambda: pytest.fail("the poller waits although it watches nothing")
    assert poller.wait(time.monotonic() + DEADLINE_S) == ()


def test_another_socket_with_the_same_descriptor_is_watched_as_the_one_before_was(
    poller: EpollPoller, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    """Its second address got the number of the first."""
    (first, _), (second, second_peer), _ = pairs
    connection = Connection(first)
    poller.watch(as_in_flight(connection))
    connection.replace_by(second)
    poller.watch(as_in_flight(connection))
    second_peer.send(b"x")
    assert ready(poller) == [connection]
    connection.end.close()


def test_who_is_removed_late_takes_no_descriptor_from_its_next_owner(
    poller: EpollPoller, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    (first, _), (second, second_peer), _ = pairs
    before, after = Connection(first), Connection(first)
    poller.watch(as_in_flight(before))
    after.replace_by(second)
    poller.watch(as_in_flight(after))
    poller.remove(as_in_flight(before))
    second_peer.send(b"x")
    assert ready(poller) == [after]
    after.end.close()
