"""Many callers and one loop, over real sockets: none of them disturbs another."""

from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import pytest
from fakes import clip, record_of
from raw_server import BINARY, DEADLINE_S, PONG, TEXT, Caller, close_frame, frame, raw_server

from stt_load.audio.framing import choose_frame
from stt_load.dialects.base import Settings
from stt_load.dialects.events import Event, Message
from stt_load.dialects.vosk import Vosk
from stt_load.errors import Outcome
from stt_load.net.websocket import WebSocketTransport
from stt_load.pacing.in_flight import InFlight, Opening
from stt_load.pacing.inline_driver import EpollPoller, InlineDriver
from stt_load.pacing.pacer import Pacer
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import EncodedClip, encode_clip
from stt_load.session.session import Session
from stt_load.session.websocket_frames import ClientFrame

CLIENT = Settings(end="client")
AUDIO = encode_clip(clip(0.0, 0.3, 0.3), choose_frame(20, 16_000, 1), 0.0, Vosk(CLIENT))
KEY = b"\0\0\0\7"
RULES = SessionRules(timeout_s=DEADLINE_S)


class Crashing(Vosk):
    """A dialect with a mistake in it."""

    def on_message(self, message: Message) -> Sequence[Event]:
        raise ZeroDivisionError("a mistake of ours")


def text_frame(words: str) -> bytes:
    return frame(TEXT, json.dumps({"text": words}).encode())


def last_text(words: str) -> bytes:
    """A text and the close frame after it."""
    return text_frame(words) + close_frame(1000)


def answer(caller: Caller) -> None:
    """Reads the whole utterance and answers with the number of its frames."""
    caller.upgrade()
    n_frames = 0
    while (received := caller.read_frame()) != (TEXT, b'{"eof" : 1}'):
        n_frames += received[0] == BINARY
    caller.send(last_text(f"heard {n_frames}"))
    caller.wait_for_end()


class ShortPoller(EpollPoller):
    """Waits a few milliseconds at most, so that a test can look at the pacer between two rounds."""

    def wait(self, until_s: float | None) -> Sequence[InFlight]:
        soon_s = self._clock() + 0.02
        return super().wait(soon_s if until_s is None else min(soon_s, until_s))


@dataclass
class Callers:
    """The callers of one pacing loop, each on a connection of its own."""

    rules: SessionRules = RULES
    all_in_flight: list[InFlight] = field(default_factory=list)

    def __post_init__(self) -> None:
        # An epoll as probe has it, with more than one connection in it.
        epoll = selectors.EpollSelector()._selector  # type: ignore[attr-defined]
        self.pacer = Pacer(ShortPoller(epoll, time.monotonic), time.monotonic)

    def join(self, url: str, audio: EncodedClip = AUDIO, dialect: Vosk | None = None) -> InFlight:
        dialect = dialect or Vosk(CLIENT)
        session = Session(dialect, audio, self.rules, time.monotonic())
        transport = WebSocketTransport()
        transport.dial(dialect.connect(url))
        in_flight = InFlight(session, transport, Opening(time.monotonic() + DEADLINE_S))
        self.all_in_flight.append(in_flight)
        self.pacer.add(in_flight)
        return in_flight

    def run_until(self, is_so: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not is_so():
            assert time.monotonic() < deadline_s, "it did not happen before the deadline"
            self.pacer.run_round()

    def close(self) -> None:
        for in_flight in self.all_in_flight:
            self.pacer.drop(in_flight)
            in_flight.transport.close()


@pytest.fixture
def callers() -> Callers:
    return Callers()


def outcome_of(in_flight: InFlight) -> tuple[str, str]:
    record = record_of(*in_flight.session.measure(time.monotonic()))
    return record.outcome, record.text


def is_speaking(in_flight: InFlight) -> bool:
    """More than one of its frames was sent."""
    schedule = in_flight.session.schedule
    return schedule is not None and schedule.n_sent > 1


def test_all_callers_are_heard_whole_whoever_speaks_at_the_same_time(callers: Callers) -> None:
    with raw_server(answer) as server:
        for _ in range(12):
            callers.join(server.url)
        callers.run_until(lambda: all(in_flight.is_done for in_flight in callers.all_in_flight))
        callers.close()
    outcomes = {outcome_of(in_flight) for in_flight in callers.all_in_flight}
    assert outcomes == {(Outcome.OK, f"heard {len(AUDIO.frames)}")}


def test_a_server_that_stops_reading_holds_up_nobody_else_and_gets_the_rest_when_it_reads_again(
    callers: Callers,
) -> None:
    """More audio than two kernels keep for a reader who doesn't come, one of whom is told to keep little."""
    go_on = threading.Event()
    huge = EncodedClip(AUDIO.clip, AUDIO.rule, [(ClientFrame(bytes(16 << 20)),)] * 3, 3)

    sent_bytes = sum(len(part.masked_by(KEY)) for parts in huge.frames for part in parts)

    def hesitate(caller: Caller) -> None:
        caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        caller.upgrade()
        go_on.wait(DEADLINE_S)
        n_bytes = 0
        while n_bytes < sent_bytes:
            n_bytes += len(caller.socket.recv(1 << 20))
        caller.send(last_text("all of it"))
        caller.wait_for_end()

    with raw_server(hesitate) as slow, raw_server(answer) as fine:
        slow_one = callers.join(slow.url, huge)
        callers.run_until(lambda: slow_one.unsent is not None)
        other = callers.join(fine.url)
        callers.run_until(lambda: other.is_done)
        assert slow_one.session.schedule is not None
        assert not slow_one.session.schedule.is_all_sent
        go_on.set()
        callers.run_until(lambda: slow_one.is_done)
        callers.close()
    assert outcome_of(other) == (Outcome.OK, f"heard {len(AUDIO.frames)}")
    assert outcome_of(slow_one) == (Outcome.OK, "all of it")
    assert max(slow_one.session.schedule.lags_s) > 0


@pytest.mark.parametrize(
    "said", [text_frame("word"), frame(PONG), frame(TEXT, b"{}")], ids=["finals", "pongs", "empty"]
)
def test_a_server_that_floods_ends_its_own_utterance_and_others_are_heard_whole(callers: Callers, said: bytes) -> None:
    def flood(caller: Caller) -> None:
        caller.upgrade()
        while True:
            caller.send(said * 10_000)  # until the caller has left

    with raw_server(flood) as bad, raw_server(answer) as fine:
        flooded = [callers.join(bad.url) for _ in range(4)]
        others = [callers.join(fine.url) for _ in range(4)]
        callers.run_until(lambda: all(in_flight.is_done for in_flight in callers.all_in_flight))
        callers.close()
    assert {outcome_of(in_flight)[0] for in_flight in flooded} == {Outcome.PROTOCOL_ERROR}
    assert {outcome_of(in_flight) for in_flight in others} == {(Outcome.OK, f"heard {len(AUDIO.frames)}")}


def test_a_mistake_in_a_dialect_ends_its_own_utterance_and_no_other(callers: Callers) -> None:
    with raw_server(answer) as server:
        bad, good = callers.join(server.url, dialect=Crashing(CLIENT)), callers.join(server.url)
        callers.run_until(lambda: good.is_done and bad.is_done)
        callers.close()
    assert isinstance(bad.crash, ZeroDivisionError)
    assert outcome_of(good) == (Outcome.OK, f"heard {len(AUDIO.frames)}")


def test_a_driver_raises_what_crashed() -> None:
    with raw_server(answer) as server:
        dialect = Crashing(CLIENT)
        transport = WebSocketTransport()
        transport.dial(dialect.connect(server.url))
        session = Session(dialect, AUDIO, RULES, time.monotonic())
        with pytest.raises(ZeroDivisionError, match="a mistake of ours"):
            InlineDriver().run(InFlight(session, transport, Opening(time.monotonic() + DEADLINE_S)))
        transport.close()


def test_an_utterance_that_was_dropped_is_done_at_once_and_sends_no_more(callers: Callers) -> None:
    with raw_server(answer) as server:
        dropped, other = callers.join(server.url), callers.join(server.url)
        done = []
        dropped.on_done = lambda _: done.append(dropped)
        callers.run_until(partial(is_speaking, dropped))
        schedule = dropped.session.schedule
        assert schedule is not None
        callers.pacer.drop(dropped)
        callers.pacer.drop(dropped)
        n_sent = schedule.n_sent
        callers.run_until(lambda: other.is_done)
        callers.close()
    assert (done, schedule.n_sent) == ([dropped], n_sent)


def test_others_are_heard_whole_when_many_leave_in_mid_speech_and_frames_have_different_lengths(
    callers: Callers,
) -> None:
    slow = encode_clip(AUDIO.clip, choose_frame(50, 16_000, 1), 0.0, Vosk(CLIENT))
    with raw_server(answer) as server:
        leaving = [callers.join(server.url, audio) for audio in (AUDIO, slow) * 3]
        staying = [callers.join(server.url, audio) for audio in (AUDIO, slow) * 3]
        for in_flight in leaving:
            callers.run_until(partial(is_speaking, in_flight))
            callers.pacer.drop(in_flight)
        callers.run_until(lambda: all(in_flight.is_done for in_flight in staying))
        callers.close()
    assert [outcome_of(in_flight)[1] for in_flight in staying] == [f"heard {len(a.frames)}" for a in (AUDIO, slow)] * 3
    assert all(outcome_of(in_flight)[0] == Outcome.INTERRUPTED for in_flight in leaving)


def test_what_came_along_with_the_upgrade_is_read(callers: Callers) -> None:
    """It was read with the head of the answer, so no socket has it any more."""

    def hurry(caller: Caller) -> None:
        send, greeting = caller.send, text_frame("before any audio")
        caller.send = lambda data: send(data + greeting)  # type: ignore[method-assign]
        caller.upgrade()
        caller.wait_for_end()

    with raw_server(hurry) as server:
        in_flight = callers.join(server.url)
        callers.run_until(lambda: in_flight.opening is None)
        callers.close()
    assert outcome_of(in_flight)[1] == "before any audio"
