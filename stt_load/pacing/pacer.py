"""The loop that speaks for all callers of a process: sends each frame when it is due, reads messages as they come.

    frame queue  utterances in the order in which their next frames are due: one whose frame was sent goes to the
                 back, one frame later
    timer heap   (when, timer id): a first frame, a frame out of that order, a deadline, a time to ask the session again
    poller       connections that have become readable, or writable where the kernel would not take everything

A first-in, first-out queue costs a step for each frame where a heap costs a logarithm, and frames of equal length stay
in order by themselves. A frame that doesn't fit at its back, because its caller was held up or has shorter frames than
others, takes a timer, which puts it to the queue's front when it is due.

One round: everything that is due is done, then the poller waits until the next thing is, and connections have their
turns to be read. Nobody else is waited for: where a kernel takes no more, what is left waits beside its utterance, and
the lateness goes into the record as any other. A server that says more than fits into a turn, or a round, is read on in
the next one. Under many callers a round comes late to the last of those that fell due together, and the next one starts
where this one ended: due times are absolute, so nothing drifts.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush

import msgspec

from stt_load.clock import Clock
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost, DeadlineExceeded, SttLoadError
from stt_load.net.transport import Arrival, Need
from stt_load.pacing.in_flight import InFlight, Opening, Poller, Unsent
from stt_load.session.actions import Done, Send, SendFrames, WaitUntil
from stt_load.session.http_status import REASON_TIMEOUT_S
from stt_load.session.schedule import Schedule

_ROUND_S = 0.005  # then a round gives way, so that messages are read and others in the process get their turn
_TURN_MESSAGES = 64  # of one connection: then others have theirs
_TURN_MESSAGE_BYTES = 4_096  # a message that is longer counts as several
_HELD_UP_S = 0.010  # a timer that is so late: what it waited for may have arrived in time, and is still to be read


class Pacer:
    """Plays utterances. Hand one to `add` when its connection was dialled, or is open from an earlier utterance
    (`session.on_reuse` was told), and keep calling `run_round`. Every fault of the connection ends up in its
    session."""

    def __init__(self, poller: Poller, clock: Clock) -> None:
        self._poller = poller
        self._clock = clock
        self._frame_queue: deque[InFlight] = deque()
        self._timers: list[tuple[float, int]] = []  # a heap; a timer that was cancelled stays, and is nobody's
        self._by_timer: dict[int, InFlight] = {}
        self._timer_ids = itertools.count(1)
        self._unread: dict[InFlight, None] = {}  # in their order: those that may have more to be read

    def add(self, in_flight: InFlight) -> None:
        """Begins with it in the next round, after the frames that are due by then."""
        self._set_timer(in_flight, self._clock())

    def drop(self, in_flight: InFlight) -> None:
        """Ends it where it is: nothing more is sent or read. Does nothing where it is done."""
        if not in_flight.is_done:
            self._finish(in_flight)

    def run_round(self) -> None:
        """Does what is due, waits for what comes next, and reads what has arrived."""
        self._run_due()
        unread = self._unread
        ready = self._poller.wait(self._clock() if unread else self._next_due_s)
        turns = iter(dict.fromkeys((*unread, *ready)) if unread else ready)
        self._unread = {}
        ends_s = self._clock() + _ROUND_S
        for in_flight in turns:
            self._take_turn(in_flight)
            if self._clock() >= ends_s:
                self._unread = dict.fromkeys(turns) | self._unread
                return

    def _take_turn(self, in_flight: InFlight) -> None:
        """Goes on with a connection that is ready, as far as that goes now and others don't have to wait for it."""
        try:
            if in_flight.opening is not None:
                self._advance_opening(in_flight, in_flight.opening)
                return
            self._receive(in_flight)
            if in_flight.unsent is not None:
                self._flush(in_flight, in_flight.unsent)
        except Exception as crash:
            self._crash(in_flight, crash)

    # opening -------------------------------------------------------------------------------------------

    def _advance_opening(self, in_flight: InFlight, opening: Opening) -> None:
        """Goes on with dial and upgrade as far as that goes now."""
        if in_flight.is_done:
            return
        try:
            need = in_flight.transport.advance()
        except SttLoadError as error:
            self._fail(in_flight, error)
            return
        if need is not None or in_flight.need is not Need.READABLE:  # else it is watched as an open one has to be
            self._poller.watch(in_flight, need is Need.WRITABLE)
        in_flight.need = need
        if need is not None:
            if in_flight.transport.is_refused:
                limit_s = min(opening.deadline_s, self._clock() + REASON_TIMEOUT_S)
                in_flight.opening = opening = msgspec.structs.replace(opening, deadline_s=limit_s)
            self._set_timer(in_flight, opening.deadline_s)
            return
        in_flight.opening = None
        now_s = self._clock()
        in_flight.session.on_open(now_s, opening.first_messages)
        self._do_actions(in_flight, now_s)
        self._receive(in_flight)  # what came along with the upgrade was read with it: no poller will tell of that

    # what is due ---------------------------------------------------------------------------------------

    def _run_due(self) -> None:
        """Sends the frames that are due and runs the timers that are, in the order of their times.

        The frames of a thousand callers go through here ten times a second: one send, one reading of the clock, one
        step from the front of the queue to its back."""
        queue, timers, clock = self._frame_queue, self._timers, self._clock
        now_s = clock()
        ends_s = now_s + _ROUND_S
        while now_s < ends_s:
            if not queue or (timers and timers[0][0] < queue[0].wakes_at_s):
                if not timers or timers[0][0] > now_s:
                    return
                now_s = self._run_timer(now_s)
                continue
            in_flight = queue[0]
            if in_flight.wakes_at_s > now_s:
                return
            if in_flight.is_done:
                queue.popleft()
                continue
            try:
                schedule = in_flight.schedule
                assert schedule is not None
                frame = in_flight.frames[schedule.n_sent]
                is_sent, now_s = in_flight.send_frame(frame), clock()
                if not is_sent:
                    self._keep_unsent(in_flight, [message.message for message in frame], schedule)
                    continue
                schedule.on_sent(now_s)
                if in_flight.watch:
                    self._show_sent(in_flight, now_s, [message.message for message in frame])
                if schedule.n_sent >= in_flight.until_frame:
                    self._unschedule(in_flight)
                    self._do_actions(in_flight, now_s)
                elif schedule.next_due_s >= queue[-1].wakes_at_s:
                    in_flight.wakes_at_s = schedule.next_due_s
                    queue.rotate(-1)
                else:  # it was held up, or its frames are shorter than those of others
                    self._set_timer(in_flight, schedule.next_due_s)
            except SttLoadError as error:
                self._fail_sending(in_flight, error)
            except Exception as crash:
                self._crash(in_flight, crash)

    def _run_timer(self, now_s: float) -> float:
        """Runs the first timer. Gives the time after that."""
        in_flight = self._by_timer.pop(heappop(self._timers)[1], None)
        if in_flight is None:
            return now_s
        in_flight.timer_id, in_flight.is_queued = 0, in_flight.schedule is not None
        if in_flight.is_queued:  # its frame is the first that is due
            self._frame_queue.appendleft(in_flight)
            return now_s
        try:
            if now_s - in_flight.wakes_at_s > _HELD_UP_S or in_flight in self._unread:
                self._catch_up(in_flight)
            if not (in_flight.is_done or in_flight.timer_id or in_flight.is_queued):
                self._wake(in_flight, now_s)
        except Exception as crash:
            self._crash(in_flight, crash)
        return self._clock()

    @property
    def _next_due_s(self) -> float | None:
        """When the next round has something to do, or a little earlier: utterances that are done and timers that were
        cancelled count too."""
        if self._frame_queue and not (self._timers and self._timers[0][0] < self._frame_queue[0].wakes_at_s):
            return self._frame_queue[0].wakes_at_s
        return self._timers[0][0] if self._timers else None

    def _catch_up(self, in_flight: InFlight) -> None:
        """Goes on with what arrived while this process was held up, before a deadline that passed meanwhile ends it."""
        opening = in_flight.opening
        if opening is None:
            self._unread[in_flight] = None
            while in_flight in self._unread:
                del self._unread[in_flight]
                self._receive(in_flight)
            return
        self._advance_opening(in_flight, opening)
        # It has a timer for its deadline again: where that has passed, this process would be late for it for ever.
        still = in_flight.opening
        if still is not None and not in_flight.is_done and self._clock() >= still.deadline_s:
            self._fail(in_flight, in_flight.transport.open_timeout)

    def _wake(self, in_flight: InFlight, now_s: float) -> None:
        """Does what the timer of an utterance that sends no frames was for."""
        if in_flight.opening is not None:
            if now_s < in_flight.opening.deadline_s:
                self._advance_opening(in_flight, in_flight.opening)
            else:
                self._fail(in_flight, in_flight.transport.open_timeout)
        elif in_flight.unsent is None:
            if in_flight.fd < 0:  # its connection is open from an earlier utterance
                self._poller.watch(in_flight)
            self._do_actions(in_flight, now_s)
        else:
            self._fail(in_flight, DeadlineExceeded("the server stopped reading: a frame could not be handed over"))

    def _do_actions(self, in_flight: InFlight, now_s: float) -> None:
        """Does what the session wants done now, and sets when it is to be asked again."""
        while not in_flight.is_done:
            match in_flight.session.next_action(now_s):
                case Done():
                    self._finish(in_flight)
                case _ if in_flight.unsent is not None:
                    return
                case Send(message):
                    now_s = self._send(in_flight, message)
                case SendFrames(until):
                    in_flight.schedule, in_flight.until_frame = in_flight.session.schedule, until
                    assert in_flight.schedule is not None
                    self._set_timer(in_flight, in_flight.schedule.next_due_s)
                    return
                case WaitUntil(at_s):
                    in_flight.schedule = None
                    self._set_timer(in_flight, at_s)
                    return

    def _send(self, in_flight: InFlight, message: Message) -> float:
        """Sends a message that is no audio. Gives the time after that."""
        try:
            is_sent = in_flight.transport.send(message)
        except SttLoadError as error:
            self._fail_sending(in_flight, error)
            return self._clock()
        now_s = self._clock()
        if is_sent:
            in_flight.session.on_sent(now_s)
            self._show_sent(in_flight, now_s, (message,))
        else:
            self._keep_unsent(in_flight, (message,), None)
        return now_s

    def _set_timer(self, in_flight: InFlight, at_s: float) -> None:
        """Replaces its timer, or its place in the frame queue; one for that very time it keeps."""
        if (in_flight.timer_id or in_flight.is_queued) and in_flight.wakes_at_s == at_s:
            return
        self._unschedule(in_flight)
        in_flight.timer_id, in_flight.wakes_at_s = next(self._timer_ids), at_s
        self._by_timer[in_flight.timer_id] = in_flight
        heappush(self._timers, (at_s, in_flight.timer_id))

    def _unschedule(self, in_flight: InFlight) -> None:
        """Cancels its timer, or takes it out of the frame queue."""
        if not in_flight.is_queued:
            self._by_timer.pop(in_flight.timer_id, None)
            in_flight.timer_id = 0
            return
        in_flight.is_queued = False
        if self._frame_queue[0] is in_flight:
            self._frame_queue.popleft()
        else:
            self._frame_queue.remove(in_flight)

    # what the kernel would not take ----------------------------------------------------------------------

    def _keep_unsent(self, in_flight: InFlight, messages: Sequence[Message], schedule: Schedule | None) -> None:
        """Waits for the connection to become writable, or for the server's leave to send more, until the session's
        deadline."""
        in_flight.unsent, in_flight.schedule = Unsent(messages, schedule), None
        self._poller.watch(in_flight, wants_writable=not in_flight.transport.is_held_by_peer)
        self._set_timer(in_flight, in_flight.session.deadline_s)

    def _flush(self, in_flight: InFlight, unsent: Unsent) -> None:
        """Hands the kernel what it would not take before, and goes on once it has all of it."""
        try:
            if not in_flight.transport.flush():
                self._poller.watch(in_flight, wants_writable=not in_flight.transport.is_held_by_peer)
                return
        except SttLoadError as error:
            self._fail_sending(in_flight, error)
            return
        now_s, in_flight.unsent = self._clock(), None
        self._poller.watch(in_flight)
        if unsent.schedule is None:
            in_flight.session.on_sent(now_s)
        else:
            unsent.schedule.on_held_up(now_s)
            unsent.schedule.on_sent(now_s)
        self._show_sent(in_flight, now_s, unsent.messages)
        self._do_actions(in_flight, now_s)

    # receiving -------------------------------------------------------------------------------------------

    def _receive(self, in_flight: InFlight) -> None:
        """Reads what is here, up to a turn's worth. The session is asked after each message: it may have been the last
        that it wants. It is asked as of the arrival: a deadline that passed between that and the reading is not met
        yet."""
        left = _TURN_MESSAGES
        try:
            while not in_flight.is_done and left > 0 and (arrival := self._receive_one(in_flight)) is not None:
                self._do_actions(in_flight, arrival.at_s)
                left -= 1 + len(arrival.message) // _TURN_MESSAGE_BYTES
        except SttLoadError as error:
            self._fail(in_flight, error)
        if (left <= 0 or in_flight.transport.has_more) and not in_flight.is_done:
            self._unread[in_flight] = None

    def _receive_one(self, in_flight: InFlight) -> Arrival | None:
        """Tells the session of the next message, and gives it; None where nothing is here."""
        arrival = in_flight.transport.receive()
        if arrival is None:
            return None
        in_flight.stamp = arrival.stamp
        events = in_flight.session.on_message(arrival.at_s, arrival.message, arrival.late_s)
        if in_flight.watch:
            in_flight.watch(arrival.at_s, "<", arrival.message, events)
        return arrival

    # the end ---------------------------------------------------------------------------------------------

    def _fail_sending(self, in_flight: InFlight, error: SttLoadError) -> None:
        """Ends an utterance whose connection takes no more. What the server said before it went (a last text, a close
        code) may still be unread."""
        try:
            while self._receive_one(in_flight) is not None or in_flight.transport.has_more:
                pass
        except SttLoadError as last_error:
            error = last_error
        self._fail(in_flight, error)

    def _fail(self, in_flight: InFlight, error: SttLoadError) -> None:
        """Ends an utterance with a fault of its connection."""
        now_s = self._clock()
        if isinstance(error, ConnectionLost) and error.at_s is not None:
            now_s = error.at_s  # a close frame may have waited to be read, as any message
        in_flight.session.on_fault(error, now_s)
        if in_flight.watch:
            in_flight.watch(now_s, "!", str(error), ())
        self._finish(in_flight)

    def _crash(self, in_flight: InFlight, crash: Exception) -> None:
        """Ends an utterance with a mistake of ours, or of a dialect: its driver raises it, and no other caller is
        disturbed."""
        in_flight.crash = crash
        self.drop(in_flight)

    def _finish(self, in_flight: InFlight) -> None:
        if in_flight.schedule is not None:
            in_flight.schedule.on_ended(self._clock())
        if not in_flight.is_queued:  # the queue lets go of it when its frame would have been due
            self._unschedule(in_flight)
        self._poller.remove(in_flight)
        in_flight.is_done, in_flight.unsent, in_flight.schedule = True, None, None
        in_flight.on_done(in_flight)

    def _show_sent(self, in_flight: InFlight, at_s: float, messages: Sequence[Message]) -> None:
        if in_flight.watch:
            for message in messages:
                in_flight.watch(at_s, ">", message, ())
