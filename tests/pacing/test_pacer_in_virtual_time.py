"""Many callers and one loop, in virtual time: order, lateness, and what each of them must not do to the others."""

from __future__ import annotations

import gc
import json
import math
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from fakes import START_S, FakeClock, FakePoller, ScriptedTransport, clip, one_second, record_of, speak
from hypothesis import given
from hypothesis import strategies as st

from stt_load.audio.framing import choose_frame
from stt_load.dialects.base import Settings
from stt_load.dialects.events import Event, Message, Reply
from stt_load.dialects.vosk import EOF, Vosk
from stt_load.errors import ConnectionLost, Outcome, SttLoadError
from stt_load.net.transport import Need
from stt_load.pacing.in_flight import InFlight, Opening
from stt_load.pacing.inline_driver import run_with
from stt_load.pacing.pacer import Pacer
from stt_load.records import UtteranceRecord
from stt_load.session.actions import Done, SessionRules
from stt_load.session.encoded_clip import EncodedClip
from stt_load.session.session import Session
from stt_load.session.websocket_frames import ClientFrame

RATE_HZ = 16_000
LENGTHS_MS = (20, 100)
RULES = SessionRules(timeout_s=5.0)
CRASH = '{"crash": true}'
QUESTION, REPLY = '{"question": true}', '{"reply": true}'
ANSWER = '{"text": "some words"}'
A_ROUND_S = 0.005


class ScriptedVosk(Vosk):
    """A dialect with a mistake in it, which one message brings out, and with a message that wants an answer."""

    def on_message(self, message: Message) -> Sequence[Event]:
        if message == CRASH:
            raise ZeroDivisionError("a mistake of ours")
        if message == QUESTION:
            return (Reply((REPLY,)),)
        return super().on_message(message)


@dataclass(frozen=True)
class Script:
    """What one caller does, and what its server and kernel do. Times are seconds after START_S.

    `opening`: (need, when it is met) of each step. `full`: when the kernel takes nothing, or with `is_held_by_peer` the
    server. `says`: what arrives, beside the answer after the last frame. `fails`: what sending raises, by the number of
    the message; the config is 0."""

    frame_ms: int = 100
    n_frames: int = 5
    joins_at_s: float = 0.0
    leaves_at_s: float = math.inf
    crashes_at_s: float = math.inf
    full: tuple[float, float] = (0.0, 0.0)
    is_held_by_peer: bool = False
    send_takes_s: float = 0.0
    opening: tuple[tuple[Need, float], ...] = ()
    says: tuple[tuple[float, Message | SttLoadError], ...] = ()
    fails: dict[int, Exception] = field(default_factory=dict)

    @property
    def answered_at_s(self) -> float:
        """When the answer comes: after the last frame, however long the kernel was full."""
        return max(self.joins_at_s + self.n_frames * self.frame_ms / 1_000, self.full[1]) + 0.5

    def audio(self) -> EncodedClip:
        """Frames that can be told apart."""
        rule = choose_frame(self.frame_ms, RATE_HZ, 1)
        frames = [(ClientFrame(k.to_bytes(4)),) for k in range(self.n_frames)]
        return EncodedClip(clip(0.0, 0.01, 0.01), rule, frames, self.n_frames)

    def arrivals(self) -> list[tuple[float, Message | SttLoadError]]:
        closed = ConnectionLost("closed by the server with 1000", 1000)  # holds on to whoever raises it
        end: list[tuple[float, Message | SttLoadError]] = [(self.answered_at_s, ANSWER), (self.answered_at_s, closed)]
        crash = [(self.crashes_at_s, CRASH)] if self.crashes_at_s < math.inf else []
        return sorted([*self.says, *crash, *end], key=lambda arrival: arrival[0])


@dataclass
class Caller:
    """A script that is played. `read`: (when it was read, text) of each arrival; `n_done`: how often it was told."""

    script: Script
    in_flight: InFlight
    transport: ScriptedTransport
    read: list[tuple[float, Message]] = field(default_factory=list)
    n_done: int = 0

    @property
    def is_speaking(self) -> bool:
        """Its next frame waits for its time, and for nothing else."""
        return self.in_flight.schedule is not None and not self.in_flight.is_done

    @property
    def due_s(self) -> list[float]:
        """When each frame is due, seconds after START_S."""
        frame_s = self.script.frame_ms / 1_000
        return [self.script.joins_at_s + (k + 1) * frame_s for k in range(self.script.n_frames)]

    @property
    def sent(self) -> list[tuple[float, int]]:
        """(when, number) of each frame that the kernel got."""
        return [(at_s, int.from_bytes(data)) for at_s, data in self.transport.sent if isinstance(data, bytes)]

    @property
    def ended(self) -> tuple[str, str]:
        record = record_of(*self.in_flight.session.measure(START_S))
        return record.outcome, record.text

    def expected_sent(self) -> list[tuple[float, int]]:
        """Each frame when it is due, or when the kernel takes it, if nothing else keeps it."""
        times_s: list[float] = []
        full_from_s, full_to_s = self.script.full
        for due_s in self.due_s:
            at_s = max([due_s, *times_s[-1:]])
            times_s.append(full_to_s if full_from_s <= at_s < full_to_s else at_s)
        ends_s = min(self.script.leaves_at_s, self.script.crashes_at_s)
        return [(at_s, k) for k, at_s in enumerate(times_s) if at_s < ends_s]


class WatchfulPoller(FakePoller):
    """Waits no longer than to `until_s`, when the test has something to do, and looks after each wait whether
    somebody's frame was slept through."""

    def __init__(self, clock: FakeClock, callers: list[Caller]) -> None:
        super().__init__(clock)
        self.until_s = math.inf
        self._callers = callers

    def wait(self, until_s: float | None) -> Sequence[InFlight]:
        before_s = self._clock()
        ready = super().wait(min(self.until_s, math.inf if until_s is None else until_s))
        if self._clock() > before_s:
            late = [c for c in self._callers if c.is_speaking and c.in_flight.wakes_at_s < self._clock()]
            assert not late, "the loop waited although a frame was due"
        return ready


class FrameTransport(ScriptedTransport):
    """Tells when a frame is about to be sent."""

    before_frame: Callable[[], None]

    def send_frame(self, frame: Sequence[ClientFrame]) -> bool:
        self.before_frame()
        return super().send_frame(frame)


class Stage:
    """Plays scripts on one clock and one loop."""

    def __init__(self, *scripts: Script) -> None:
        self.clock = FakeClock()
        self.callers: list[Caller] = []
        self.poller = WatchfulPoller(self.clock, self.callers)
        self.pacer = Pacer(self.poller, self.clock)
        self._timetable: list[tuple[float, Callable[[], None]]] = []
        for script in scripts:
            self._timetable.append((START_S + script.joins_at_s, lambda script=script: self._join(script)))
        self._timetable.sort(key=lambda item: item[0])

    def play(self) -> list[Caller]:
        """Until all are done. Gives them in the order in which they joined."""
        while self._timetable or not all(caller.in_flight.is_done for caller in self.callers):
            while self._timetable and self._timetable[0][0] <= self.clock():
                self._timetable.pop(0)[1]()
            if all(caller.in_flight.is_done for caller in self.callers):
                self.clock.move_to(self._timetable[0][0] if self._timetable else 0.0)
            self.poller.until_s = self._timetable[0][0] if self._timetable else math.inf
            self.pacer.run_round()
        return self.callers

    def _join(self, script: Script) -> None:
        dialect = ScriptedVosk(Settings(end="client"))
        transport = FrameTransport(self.clock, script.arrivals(), full=script.full, opening=script.opening)
        transport.send_takes_s, transport.is_held_by_peer = (script.send_takes_s,), script.is_held_by_peer
        transport.on_send = script.fails  # type: ignore[assignment]
        session = Session(dialect, script.audio(), RULES, self.clock())
        read: list[tuple[float, Message]] = []

        def watch(at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
            if direction == "<":
                read.append((self.clock() - START_S, message))

        opening = Opening(self.clock() + 1.0, dialect.connect("ws://server").first_messages)
        in_flight = InFlight(session, transport, opening, watch)
        caller = Caller(script, in_flight, transport, read)
        transport.before_frame = lambda: self._check_order(caller)
        in_flight.on_done = lambda _: setattr(caller, "n_done", caller.n_done + 1)
        self.callers.append(caller)
        self.pacer.add(in_flight)
        if script.leaves_at_s < math.inf:
            self._timetable.append((START_S + script.leaves_at_s, lambda: self.pacer.drop(in_flight)))
            self._timetable.sort(key=lambda item: item[0])

    def _check_order(self, next_one: Caller) -> None:
        """Nobody's frame is sent while another that was due earlier waits."""
        due_s = next_one.in_flight.wakes_at_s
        assert due_s <= self.clock(), "a microphone can't send the future"
        assert all(due_s <= other.in_flight.wakes_at_s for other in self.callers if other.is_speaking)


def milliseconds(least: int, most: int) -> st.SearchStrategy[float]:
    return st.integers(least, most).map(lambda ms: ms / 1_000)


def half_milliseconds(least: int, most: int) -> st.SearchStrategy[float]:
    """In seconds, between two whole milliseconds: at the same time as no frame."""
    return st.integers(least, most).map(lambda ms: (ms + 0.5) / 1_000)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    joins_at_s = draw(milliseconds(0, 600))
    full_from_s = draw(half_milliseconds(0, 1_000))
    script = Script(draw(st.sampled_from(LENGTHS_MS)), draw(st.integers(1, 12)), joins_at_s)
    asked_at_s = draw(st.none() | half_milliseconds(0, 800))
    if asked_at_s is not None:
        script = replace(script, says=((joins_at_s + asked_at_s, QUESTION),))
    match draw(st.sampled_from(["stays", "stays", "is held up", "leaves", "crashes"])):
        case "is held up":
            full = full_from_s, full_from_s + draw(milliseconds(1, 700))
            return replace(script, full=full, is_held_by_peer=draw(st.booleans()))
        case "leaves":
            return replace(script, leaves_at_s=joins_at_s + draw(half_milliseconds(1, 800)))
        case "crashes":
            return replace(script, crashes_at_s=joins_at_s + draw(half_milliseconds(1, 800)))
    return script


def on_time(sent: Sequence[tuple[float, int]]) -> list[tuple[object, int]]:
    return [(pytest.approx(at_s, abs=1e-9), k) for at_s, k in sent]


@given(st.lists(scripts(), min_size=1, max_size=12))
def test_every_frame_is_sent_when_it_is_due_or_when_its_own_kernel_takes_it(scripts: list[Script]) -> None:
    """Sending costs nothing here, so whatever is late was kept waiting by somebody else."""
    for caller in Stage(*scripts).play():
        script = caller.script
        assert caller.sent == on_time(caller.expected_sent())
        assert caller.n_done == 1
        is_cut = min(script.leaves_at_s, script.crashes_at_s) < script.answered_at_s
        assert caller.ended == ((Outcome.INTERRUPTED, "") if is_cut else (Outcome.OK, "some words"))
        is_crashed = script.crashes_at_s < min(script.leaves_at_s, script.answered_at_s)
        assert isinstance(caller.in_flight.crash, ZeroDivisionError) == is_crashed
        schedule = caller.in_flight.session.schedule
        assert schedule is not None
        lags_s = [at_s - due_s for (at_s, _), due_s in zip(caller.sent, caller.due_s, strict=False)]
        assert list(schedule.lags_s) == pytest.approx(lags_s, abs=1e-9)


@given(
    st.lists(scripts(), min_size=2, max_size=8),
    st.lists(st.sampled_from([0.0, 0.0003, 0.002, 0.004]), min_size=8, max_size=8),
)
def test_under_load_the_frame_that_was_due_first_goes_first(scripts: list[Script], costs_s: list[float]) -> None:
    """The stage checks it before every frame, and that the loop never waits while one is due."""
    scripts = [replace(script, send_takes_s=cost_s) for script, cost_s in zip(scripts, costs_s, strict=False)]
    for caller in Stage(*scripts).play():
        numbers = [k for _, k in caller.sent]
        assert numbers == list(range(len(numbers)))
        if min(caller.script.leaves_at_s, caller.script.crashes_at_s) == math.inf:
            assert len(numbers) == caller.script.n_frames
        assert caller.n_done == 1


@pytest.mark.parametrize("frame_ms", LENGTHS_MS)
def test_callers_of_one_frame_length_keep_their_order_and_only_join_by_the_timer_heap(frame_ms: int) -> None:
    """What the queue is for: frames of equal length cost no heap operation, nor do messages that arrive meanwhile. A
    caller needs three timers: for the dial, the first frame, and the deadline after the last one."""
    says = tuple((0.05 + 0.01 * k, '{"partial": ""}') for k in range(5))
    stage = Stage(*[Script(frame_ms, 10, joins_at_s=k / 1_000, says=says) for k in range(8)])
    callers = stage.play()
    assert next(stage.pacer._timer_ids) - 1 == 3 * len(callers)
    sent = sorted((at_s, number) for number, caller in enumerate(callers) for at_s, _ in caller.sent)
    assert [number for _, number in sent] == [k for _ in range(10) for k in range(8)]


def test_a_caller_with_short_frames_among_callers_with_long_ones_is_never_late() -> None:
    long_ones = [Script(100, 6, joins_at_s=0.003 * k) for k in range(5)]
    *_, short = sorted(Stage(*long_ones, Script(20, 20, 0.05)).play(), key=lambda caller: -caller.script.frame_ms)
    assert short.sent == on_time([(0.05 + 0.02 * (k + 1), k) for k in range(20)])


def test_a_caller_whose_reply_is_held_up_leaves_the_queue_without_disturbing_it() -> None:
    """Its next frame is not the first that is due when the kernel takes no more."""
    held_up = Script(100, 5, joins_at_s=0.05, full=(0.26, 0.27), says=((0.265, QUESTION),))
    others = [Script(100, 5, joins_at_s=joins_at_s) for joins_at_s in (0.0, 0.02, 0.08)]
    for caller in Stage(held_up, *others).play():
        assert caller.sent == on_time(caller.expected_sent())
        replies = [at_s for at_s, message in caller.transport.sent if message == REPLY]
        assert replies == ([pytest.approx(0.27)] if caller.script is held_up else [])


def test_a_held_up_caller_sends_what_it_owes_at_once_and_is_on_time_again() -> None:
    held_up, other = Stage(Script(20, 10, full=(0.035, 0.105)), Script(20, 10, joins_at_s=0.001)).play()
    caught_up = [(0.105, k) for k in range(1, 5)]
    assert held_up.sent == on_time([(0.02, 0), *caught_up, *((0.02 * (k + 1), k) for k in range(5, 10))])
    assert other.sent == on_time(other.expected_sent())


def test_nobody_waits_for_the_kernel_where_the_server_has_not_allowed_more() -> None:
    """The poller would tell at once, and again and again, that the kernel takes something."""
    (held_up,) = Stage(Script(20, 10, full=(0.035, 0.105), is_held_by_peer=True)).play()
    assert held_up.sent == on_time(
        [(0.02, 0), *[(0.105, k) for k in range(1, 5)], *((0.02 * k, k - 1) for k in range(6, 11))]
    )


def test_a_kernel_that_stays_full_ends_its_own_utterance_at_the_deadline() -> None:
    stuck, other = Stage(Script(n_frames=3, full=(0.15, 60.0)), Script(n_frames=3, joins_at_s=0.01)).play()
    assert [k for _, k in stuck.sent] == [0]
    assert (stuck.ended[0], stuck.in_flight.session.error) == (
        Outcome.TIMED_OUT,
        "the server stopped reading: a frame could not be handed over",
    )
    assert other.ended == (Outcome.OK, "some words")


def test_messages_are_read_while_more_frames_are_due_than_can_be_sent() -> None:
    """A round gives way after a while: forty callers at 20 ms and 1 ms a frame want twice the time there is."""
    says = tuple((0.1 * k, '{"partial": ""}') for k in range(1, 10))
    listener, *_ = Stage(
        Script(100, 10, says=says), *[Script(20, 30, send_takes_s=0.001, joins_at_s=0.0001 * k) for k in range(40)]
    ).play()
    waits_s = [read_s - at_s for (read_s, _), (at_s, _) in zip(listener.read, says, strict=False)]
    assert len(waits_s) == len(says)
    assert max(waits_s) < A_ROUND_S + 0.0025  # a frame that had begun, and the listener's own


def test_where_sending_fails_a_close_that_was_not_read_yet_says_why() -> None:
    """It arrives while the frame of another caller is sent, after which one's own finds the connection gone."""
    out_of_memory = ConnectionLost("closed by the server with 1011: out of memory", 1011)
    fails: dict[int, Exception] = {2: ConnectionLost("connection lost while sending: broken pipe")}
    other, refused = Stage(
        Script(n_frames=3, joins_at_s=0.001, send_takes_s=0.004),
        Script(n_frames=3, joins_at_s=0.002, says=((0.202, out_of_memory),), fails=fails),
    ).play()
    assert (refused.in_flight.session.error, refused.in_flight.session.close_code) == (str(out_of_memory), 1011)
    assert [k for _, k in refused.sent] == [0]
    assert other.ended == (Outcome.OK, "some words")


def test_where_sending_fails_and_nothing_is_to_be_read_the_failure_says_why() -> None:
    lost, other = Stage(Script(n_frames=3, fails={2: ConnectionLost("broken pipe")}), Script(n_frames=3)).play()
    assert (lost.ended[0], lost.in_flight.session.error) == (Outcome.DISCONNECTED, "broken pipe")
    assert other.sent == on_time(other.expected_sent())


def test_a_mistake_of_ours_while_sending_ends_that_utterance_only() -> None:
    crashed, other = Stage(Script(n_frames=3, fails={2: ZeroDivisionError()}), Script(n_frames=3)).play()
    assert isinstance(crashed.in_flight.crash, ZeroDivisionError)
    assert [k for _, k in crashed.sent] == [0]
    assert other.sent == on_time(other.expected_sent())


def test_who_is_done_is_forgotten() -> None:
    """A process plays millions of utterances: neither the queue, the timers nor the poller keeps one."""
    stage = Stage(Script(n_frames=2), Script(20, 3), Script(n_frames=9, leaves_at_s=0.25), Script(crashes_at_s=0.1))
    stage.play()
    transports = [weakref.ref(caller.transport) for caller in stage.callers]
    stage.callers.clear()
    stage.clock.move_to(START_S + 60.0)
    stage.pacer.run_round()
    gc.collect()
    assert [transport() for transport in transports] == [None] * len(transports)


def test_a_connection_is_opened_in_steps_and_the_stream_starts_when_it_is_open() -> None:
    steps = ((Need.WRITABLE, 0.2), (Need.READABLE, 0.3), (Need.WRITABLE, 0.35))
    slow, other = Stage(Script(n_frames=3, opening=steps), Script(n_frames=3)).play()
    assert slow.sent == on_time([(0.45, 0), (0.55, 1), (0.65, 2)])
    assert other.sent == on_time(other.expected_sent())


def test_a_connection_that_does_not_open_in_time_is_given_up() -> None:
    stuck, other = Stage(Script(opening=((Need.READABLE, 1.5),)), Script(n_frames=3)).play()
    assert (stuck.ended[0], stuck.in_flight.session.error) == (Outcome.TIMED_OUT, "not open in time")
    assert stuck.sent == []
    assert other.ended == (Outcome.OK, "some words")


def test_the_end_message_follows_the_last_frame_at_once() -> None:
    (caller,) = Stage(Script(n_frames=3)).play()
    assert caller.transport.sent[-1] == (pytest.approx(0.3), EOF)
    (config, *_) = caller.transport.sent
    assert config[0] == 0.0 and isinstance(config[1], str) and "config" in json.loads(config[1])
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(caller.transport.sent))


@pytest.mark.parametrize("number", [0, 11], ids=["the config", "the end message"])
def test_a_message_without_audio_that_can_not_be_sent_ends_the_utterance_with_that_fault(number: int) -> None:
    transport = ScriptedTransport(FakeClock(), [], on_send={number: ConnectionLost("broken pipe")})
    played = speak(Vosk(Settings(end="client")), SessionRules(), transport)
    assert played.session.next_action(played.clock()) == Done(Outcome.DISCONNECTED)
    assert played.session.error == "broken pipe"


# A process that is held up ------------------------------------------------------------------------------------------


class HeldUpPoller(FakePoller):
    """A process that is stopped behind a wait: what is ready then is not told, and the clock has gone on."""

    def __init__(self, clock: FakeClock, from_s: float, until_s: float) -> None:
        super().__init__(clock)
        self._stop_s: tuple[float, float] | None = (START_S + from_s, START_S + until_s)

    def wait(self, until_s: float | None) -> Sequence[InFlight]:
        ready = super().wait(until_s)
        if self._stop_s is None or self._clock.now_s < self._stop_s[0]:
            return ready
        self._clock.move_to(self._stop_s[1])
        self._stop_s = None
        return ()


def held_up(
    *arrivals: tuple[float, Message | SttLoadError],
    from_s: float,
    until_s: float,
    opening: Sequence[tuple[Need, float]] = (),
    on_send: dict[int, SttLoadError] | None = None,
) -> UtteranceRecord:
    """One utterance: speech from 0.1 to 0.6 s after the connection is open, the last frame at 1.0 s."""
    clock = FakeClock()
    transport = ScriptedTransport(clock, arrivals, opening=opening, on_send=on_send or {})
    dialect = Vosk(Settings(end="client"))
    session = Session(dialect, one_second(dialect), RULES, clock())
    pacer = Pacer(HeldUpPoller(clock, from_s, until_s), clock)
    connect = dialect.connect("ws://server")
    transport.dial(connect)
    in_flight = InFlight(session, transport, Opening(START_S + 2.0, connect.first_messages))
    run_with(pacer, in_flight)
    return record_of(*session.measure(clock()))


def closed_at(at_s: float) -> ConnectionLost:
    return ConnectionLost("closed by the server with 1000", 1000, at_s=START_S + at_s)


def test_an_answer_that_came_in_time_counts_though_the_deadline_has_passed_before_it_is_read() -> None:
    partial = '{"partial": "some"}'
    record = held_up((1.5, partial), (1.9, ANSWER), (2.0, closed_at(2.0)), from_s=1.2, until_s=60.0)
    assert (record.outcome, record.text) == (Outcome.OK, "some words")
    assert record.eos_latency_s == pytest.approx(1.3)


def test_an_answer_that_came_too_late_does_not_count_however_late_it_is_read() -> None:
    record = held_up((30.0, ANSWER), (30.1, closed_at(30.1)), from_s=1.2, until_s=60.0)
    assert record.outcome == Outcome.TIMED_OUT


def test_a_connection_that_was_open_in_time_is_not_given_up() -> None:
    record = held_up((62.0, ANSWER), (62.1, closed_at(62.1)), from_s=0.1, until_s=60.0, opening=[(Need.READABLE, 0.5)])
    assert record.outcome == Outcome.OK


def test_a_connection_that_is_not_open_is_given_up_however_late_its_deadline_is_seen() -> None:
    record = held_up(from_s=0.1, until_s=60.0, opening=[(Need.READABLE, 70.0)])
    assert (record.outcome, record.frames) == (Outcome.TIMED_OUT, 0)
    assert record.duration_s == pytest.approx(60.0)


def test_a_close_frame_has_the_time_at_which_it_arrived() -> None:
    record = held_up((1.9, ANSWER), (2.5, closed_at(2.5)), from_s=1.95, until_s=4.0)
    assert record.eos_latency_s == pytest.approx(1.3)
    assert record.settled_latency_s == pytest.approx(1.9)


def test_frames_that_a_process_kept_back_until_the_server_had_left_are_missed() -> None:
    """The first frame that it sends late is taken, as by a kernel that does not know yet, and no other."""
    lost: dict[int, SttLoadError] = {4: ConnectionLost("broken pipe")}
    record = held_up((0.7, closed_at(0.7)), from_s=0.25, until_s=0.955, on_send=lost)
    assert (record.outcome, record.frames, record.late_runs) == (Outcome.DISCONNECTED, 3, [(2, 1)])
    assert record.frames_missed == 6


def test_no_frame_is_missed_where_a_server_leaves_or_the_kernel_takes_no_more() -> None:
    left = held_up((0.35, closed_at(0.35)), from_s=5.0, until_s=6.0)
    assert (left.outcome, left.frames, left.frames_missed) == (Outcome.DISCONNECTED, 3, 0)
    (caller,) = Stage(Script(20, 10, full=(0.035, 99.0))).play()
    assert record_of(*caller.in_flight.session.measure(START_S)).frames_missed == 0
