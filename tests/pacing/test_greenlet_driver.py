"""One loop and the greenlets of many callers, over real sockets. gevent is used as it is: nothing is patched."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator, Sequence

import gevent
import pytest
from fakes import clip, record_of
from raw_server import DEADLINE_S, TEXT, Caller, close_frame, frame, raw_server

from stt_load.audio.framing import choose_frame
from stt_load.dialects.base import Settings
from stt_load.dialects.events import Event, Message
from stt_load.dialects.vosk import EOF, Vosk
from stt_load.errors import Outcome
from stt_load.net.websocket import WebSocketTransport
from stt_load.pacing.greenlet_driver import GreenletDriver, GreenletPoller, plain_socket
from stt_load.pacing.in_flight import InFlight, Opening
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.session import Session

CLIENT = Settings(end="client")
AUDIO = encode_clip(clip(0.0, 0.3, 0.3), choose_frame(20, 16_000, 1), 0.0, Vosk(CLIENT))
MORE = frame(TEXT, b"{}")
ANSWER = frame(TEXT, b'{"text": "all of it"}') + close_frame(1000)


class Fatal(BaseException):
    """What no utterance is ended by, but the loop."""


class FatalVosk(Vosk):
    def on_message(self, message: Message) -> Sequence[Event]:
        raise Fatal


class CrashingVosk(Vosk):
    def on_message(self, message: Message) -> Sequence[Event]:
        raise ZeroDivisionError


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    with gevent.Timeout(DEADLINE_S):
        yield


def answer(caller: Caller) -> None:
    caller.upgrade()
    while caller.read_frame() != (TEXT, EOF.encode()):
        pass
    caller.send(ANSWER)
    caller.wait_for_end()


def answer_twice(caller: Caller) -> None:
    """Says more when its answer was taken."""
    caller.upgrade()
    while caller.read_frame() != (TEXT, EOF.encode()):
        pass
    caller.send(ANSWER)
    caller.read_frame()  # the close frame
    caller.send(MORE)
    caller.wait_for_end()


def interrupt(caller: Caller) -> None:
    """Says something after the first frame, and reads on."""
    caller.upgrade()
    caller.read_audio(1)
    caller.send(frame(TEXT, b"{}"))
    caller.wait_for_end()


def stall(caller: Caller) -> None:
    caller.upgrade()
    caller.wait_for_end()


def dialled(url: str, dialect: Vosk | None = None) -> InFlight:
    dialect = dialect or Vosk(CLIENT)
    session = Session(dialect, AUDIO, SessionRules(DEADLINE_S), time.monotonic())
    transport = WebSocketTransport(make_socket=plain_socket)
    transport.dial(dialect.connect(url))
    return InFlight(session, transport, Opening(time.monotonic() + DEADLINE_S))


def outcome_of(in_flight: InFlight) -> tuple[str, str]:
    in_flight.transport.close()
    record = record_of(*in_flight.session.measure(time.monotonic()))
    return record.outcome, record.text


def test_callers_that_come_while_the_loop_waits_are_played_at_the_same_time() -> None:
    driver = GreenletDriver()
    gevent.sleep(0)  # the loop waits for ever now
    with raw_server(answer) as server:
        all_in_flight = [dialled(server.url) for _ in range(5)]
        gevent.joinall([gevent.spawn(driver.run, in_flight) for in_flight in all_in_flight], raise_error=True)
        assert [outcome_of(in_flight) for in_flight in all_in_flight] == [(Outcome.OK, "all of it")] * 5


def test_a_caller_that_is_killed_is_dropped_and_nobody_else() -> None:
    driver = GreenletDriver()
    with raw_server(answer) as server, raw_server(stall) as stalled:
        cut, other = dialled(stalled.url), dialled(server.url)
        greenlets = [gevent.spawn(driver.run, in_flight) for in_flight in (cut, other)]
        while cut.session.schedule is None or not cut.session.schedule.n_sent:
            gevent.sleep(0.001)
        greenlets[0].kill()
        assert cut.is_done
        n_sent = cut.session.schedule.n_sent
        greenlets[1].get()
        assert cut.session.schedule.n_sent == n_sent
        assert outcome_of(other) == (Outcome.OK, "all of it")
        assert outcome_of(cut)[0] == Outcome.INTERRUPTED


def test_a_socket_that_a_fork_still_holds_disturbs_nobody_when_its_utterance_is_over() -> None:
    driver = GreenletDriver()
    with raw_server(answer_twice) as server, raw_server(stall) as stalled:
        one, other = dialled(server.url), dialled(stalled.url)
        greenlets = [gevent.spawn(driver.run, in_flight) for in_flight in (one, other)]
        while one.session.schedule is None or not one.session.schedule.n_sent:
            gevent.sleep(0.001)
        with socket.socket(fileno=os.dup(one.transport.fileno())) as held:  # what a fork does with every descriptor
            greenlets[0].get()
            one.transport.close()
            assert select.select([held], [], [], DEADLINE_S)[0], "the server says more"
            gevent.sleep(0.05)  # the loop has its turns
        assert not other.is_done
        greenlets[1].kill()
        assert [outcome_of(in_flight)[0] for in_flight in (one, other)] == [Outcome.OK, Outcome.INTERRUPTED]


def test_a_mistake_in_a_dialect_is_raised_where_the_utterance_was_asked_for() -> None:
    driver = GreenletDriver()
    with raw_server(interrupt) as server:
        in_flight = dialled(server.url, CrashingVosk(CLIENT))
        with pytest.raises(ZeroDivisionError):
            driver.run(in_flight)
        in_flight.transport.close()


def test_when_the_loop_has_died_every_caller_gets_an_error_also_one_that_comes_later() -> None:
    driver = GreenletDriver()
    with raw_server(interrupt) as server, raw_server(stall) as stalled:
        all_in_flight = [dialled(server.url, FatalVosk(CLIENT)), dialled(stalled.url)]
        greenlets = [gevent.spawn(driver.run, in_flight) for in_flight in all_in_flight]
        gevent.joinall(greenlets)
        all_in_flight.append(dialled(stalled.url))
        greenlets.append(gevent.spawn(driver.run, all_in_flight[-1]))
        gevent.joinall(greenlets)
        for in_flight in all_in_flight:
            in_flight.transport.close()
    assert [str(greenlet.exception) for greenlet in greenlets] == ["the pacing loop has died: see the lines above"] * 3
    assert all(isinstance(greenlet.exception.__cause__, Fatal) for greenlet in greenlets)


def test_a_wait_that_is_over_already_lets_others_have_their_turn() -> None:
    poller, turns = GreenletPoller(time.monotonic), []
    gevent.spawn(turns.append, 1)
    assert poller.wait(time.monotonic() - 1.0) == []
    assert turns == [1]


def test_a_wait_lasts_until_its_time_also_after_a_busy_while() -> None:
    """libev's own time stands still while nobody is in its loop."""
    poller = GreenletPoller(time.monotonic)
    gevent.sleep(0)
    busy_until_s = time.monotonic() + 0.1
    while time.monotonic() < busy_until_s:
        pass
    until_s = time.monotonic() + 0.05
    assert poller.wait(until_s) == []
    assert time.monotonic() > until_s - 0.005


def test_a_wake_ends_the_wait_it_comes_in_or_the_next_one() -> None:
    poller = GreenletPoller(time.monotonic)
    poller.wake()
    assert poller.wait(None) == []
    gevent.spawn(poller.wake)
    assert poller.wait(None) == []
