from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gpu_sidecar.slots import ConnectionSlots

Connections = list[tuple[socket.socket, socket.socket]]


@pytest.fixture
def connections() -> Iterator[Connections]:
    """Three connections: the server's end and the client's of each."""
    with ExitStack() as opened:
        pairs = [socket.socketpair() for _ in range(3)]
        for end in (end for pair in pairs for end in pair):
            opened.enter_context(end)
            end.setblocking(False)
        yield pairs


class Clock:
    """A clock that advances by a tenth of a second, or another step, each time it is read."""

    def __init__(self, step_s: float = 0.1) -> None:
        self.now_s = 0.0
        self._step_s = step_s

    def __call__(self) -> float:
        self.now_s += self._step_s
        return self.now_s


def is_cut_off(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False


def leave_at_the_end_of_the_stream(slots: ConnectionSlots, connection: socket.socket) -> threading.Thread:
    """What the thread of a connection does."""

    def serve() -> None:
        connection.setblocking(True)
        assert connection.recv(1) == b""
        slots.release(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_a_slot_that_was_released_is_free_again(connections: Connections) -> None:
    slots = ConnectionSlots(1, now=Clock())
    (first, first_client), (second, _), _ = connections
    assert slots.take(first)
    slots.release(first)
    assert slots.take(second)
    assert not is_cut_off(first_client)


def test_a_client_that_left_before_its_request_was_whole_is_not_closed_again(connections: Connections) -> None:
    """Its socket's number may be somebody else's by then."""
    slots = ConnectionSlots(1, now=Clock())
    (first, first_client), (second, second_client), (third, _) = connections
    assert slots.take(first)
    slots.release(first)
    assert slots.take(second)
    thread = leave_at_the_end_of_the_stream(slots, second)
    assert slots.take(third)
    thread.join()
    assert [is_cut_off(client) for client in (first_client, second_client)] == [False, True]


def test_whoever_has_been_longest_without_a_whole_request_makes_room(connections: Connections) -> None:
    slots = ConnectionSlots(2, now=Clock())
    (first, first_client), (second, second_client), (third, third_client) = connections
    assert slots.take(first)
    assert slots.take(second)
    thread = leave_at_the_end_of_the_stream(slots, first)
    assert slots.take(third)
    thread.join()
    assert [is_cut_off(client) for client in (first_client, second_client, third_client)] == [True, False, False]


def test_nobody_has_to_go_who_has_only_just_come(connections: Connections) -> None:
    clock = Clock(0.03)
    slots = ConnectionSlots(1, now=clock)
    (first, first_client), (second, _), _ = connections
    assert slots.take(first)
    sat_down_s = clock.now_s
    thread = leave_at_the_end_of_the_stream(slots, first)
    assert slots.take(second)
    thread.join()
    assert is_cut_off(first_client)
    assert clock.now_s >= sat_down_s + 0.25


def test_a_client_whose_request_has_come_keeps_its_slot_until_it_is_answered(connections: Connections) -> None:
    slots = ConnectionSlots(1, now=Clock())
    (first, first_client), (second, _), _ = connections
    assert slots.take(first)
    slots.note_request(first)
    assert not slots.take(second)
    assert not is_cut_off(first_client)
    slots.release(first)
    assert slots.take(second)


def test_a_connection_that_is_closed_already_can_make_room_too(connections: Connections) -> None:
    slots = ConnectionSlots(1, now=Clock())
    (first, _), (second, _), _ = connections
    assert slots.take(first)
    first.close()
    assert not slots.take(second), "its thread has not left yet"
    slots.release(first)
    assert slots.take(second)
