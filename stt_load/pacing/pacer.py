"""The loop that speaks for all callers of a process: each frame when it is due, each message when it is here.

    lane    calls in the order in which their next frames are due: who has spoken goes to the back, one frame later
    agenda  a heap of (when, ticket): whoever begins to speak, or wants its session asked again
    poll    sockets with something to read, or room for what they would not take

One round: whatever is due is done, then the poll is asked until the next thing is. Nobody is waited for: where a kernel
takes no more, what is left waits beside its call for room, and the lateness goes into the record as any other. Under
many callers a round comes late to the last of those that fell due together, and the next one starts where this one
ended: due times are absolute, so nothing drifts.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush

from stt_load.clock import Clock
from stt_load.dialects.events import Message
from stt_load.errors import DeadlineExceeded, SttLoadError
from stt_load.net.transport import Need
from stt_load.pacing.in_flight import InFlight, Opening, Poll, Unsent
from stt_load.session.actions import Done, Send, Speak, WaitUntil
from stt_load.session.schedule import Schedule

_ROUND_S = 0.005  # then a round gives way, so that messages are read and others in the process get their turn


class Pacer:
    """Hand a call to `begin` when its connection was dialled, or is open from an earlier utterance (`session.on_reuse`
    was told), and keep calling `turn`. Every fault of the connection ends up in the call's session."""

    def __init__(self, poll: Poll, clock: Clock) -> None:
        self._poll = poll
        self._clock = clock
        self._lane: deque[InFlight] = deque()
        self._agenda: list[tuple[float, int]] = []  # who leaves it leaves a ticket there, which is nobody's then
        self._places: dict[int, InFlight] = {}
        self._tickets = itertools.count(1)

    def begin(self, call: InFlight) -> None:
        """Its turn is the next one: those who speak already go first."""
        self._take_place(call, self._clock())

    def drop(self, call: InFlight) -> None:
        """It is not to be carried any further."""
        if not call.is_done:
            self._finish(call)

    def turn(self) -> None:
        """One round."""
        self._do_what_is_due()
        for call in self._poll.wait(self._next_due_s):
            try:
                if call.opening is not None:
                    self._go_on_opening(call, call.opening)
                    continue
                self._hear(call)
                if call.held is not None:
                    self._hand_over_rest(call, call.held)
            except Exception as crash:
                self._crash(call, crash)

    # opening -------------------------------------------------------------------------------------------

    def _go_on_opening(self, call: InFlight, opening: Opening) -> None:
        """Dial and upgrade, as far as that goes now."""
        if call.is_done:
            return
        try:
            need = call.transport.advance()
        except SttLoadError as error:
            self._fail(call, error)
            return
        self._poll.watch(call, need is Need.WRITABLE)
        if need is not None:
            self._take_place(call, opening.deadline_s)
            return
        call.opening = None
        now_s = self._clock()
        call.session.on_open(now_s, opening.first_messages)
        self._ask(call, now_s)
        self._hear(call)  # what came along with the upgrade lies in no kernel any more

    # speaking ------------------------------------------------------------------------------------------

    def _do_what_is_due(self) -> None:
        """The frames of a thousand callers go through here ten times a second: one send, one reading of the clock, one
        step from the front of the lane to its back."""
        lane, agenda, clock = self._lane, self._agenda, self._clock
        now_s = clock()
        ends_s = now_s + _ROUND_S
        while now_s < ends_s:
            if not lane or (agenda and agenda[0][0] < lane[0].wakes_at_s):
                if not agenda or agenda[0][0] > now_s:
                    return
                now_s = self._open_agenda(now_s)
                continue
            call = lane[0]
            if call.wakes_at_s > now_s:
                return
            if call.is_done:
                lane.popleft()
                continue
            try:
                schedule = call.schedule
                assert schedule is not None
                frame = call.frames[schedule.n_sent]
                is_out, now_s = call.send_frame(frame), clock()
                if not is_out:
                    self._hold(call, [message.message for message in frame], schedule)
                    continue
                schedule.on_sent(now_s)
                if call.watch:
                    self._tell_sent(call, now_s, [message.message for message in frame])
                if schedule.n_sent >= call.speaks_until:
                    self._leave_place(call)
                    self._wake(call, now_s)
                elif schedule.next_due_s >= lane[-1].wakes_at_s:
                    call.wakes_at_s = schedule.next_due_s
                    lane.rotate(-1)
                else:  # it was held up, or its frames are shorter than those of others
                    self._take_place(call, schedule.next_due_s)
            except SttLoadError as error:
                self._lose(call, error)
            except Exception as crash:
                self._crash(call, crash)

    def _open_agenda(self, now_s: float) -> float:
        """Does what stands first in it. Gives the time."""
        call = self._places.pop(heappop(self._agenda)[1], None)
        if call is None:
            return now_s
        call.ticket, call.is_in_lane = 0, call.schedule is not None
        if call.is_in_lane:  # its frame is the first that is due
            self._lane.appendleft(call)
            return now_s
        try:
            self._wake(call, now_s)
        except Exception as crash:
            self._crash(call, crash)
        return self._clock()

    @property
    def _next_due_s(self) -> float | None:
        """The earliest place, even of a call that has left it."""
        if self._lane and not (self._agenda and self._agenda[0][0] < self._lane[0].wakes_at_s):
            return self._lane[0].wakes_at_s
        return self._agenda[0][0] if self._agenda else None

    def _wake(self, call: InFlight, now_s: float) -> None:
        """Its time has come."""
        if call.opening is not None:
            if now_s < call.opening.deadline_s:
                self._go_on_opening(call, call.opening)
            else:
                self._fail(call, call.transport.too_late)
        elif call.held is None:
            if call.file < 0:
                self._poll.watch(call)
            self._ask(call, now_s)
        else:
            self._fail(call, DeadlineExceeded("the server stopped reading: a frame could not be handed over"))

    def _ask(self, call: InFlight, now_s: float) -> None:
        """What the session wants done now, and when it is to be asked again."""
        while not call.is_done:
            match call.session.next_action(now_s):
                case Done():
                    self._finish(call)
                case _ if call.held is not None:
                    return
                case Send(message):
                    now_s = self._send(call, message)
                case Speak(until):
                    call.schedule, call.speaks_until = call.session.schedule, until
                    assert call.schedule is not None
                    self._take_place(call, call.schedule.next_due_s)
                    return
                case WaitUntil(at_s):
                    call.schedule = None
                    self._take_place(call, at_s)
                    return

    def _send(self, call: InFlight, message: Message) -> float:
        """Gives the time."""
        try:
            is_out = call.transport.send(message)
        except SttLoadError as error:
            self._lose(call, error)
            return self._clock()
        now_s = self._clock()
        if is_out:
            call.session.on_sent(now_s)
            self._tell_sent(call, now_s, (message,))
        else:
            self._hold(call, (message,), None)
        return now_s

    def _take_place(self, call: InFlight, at_s: float) -> None:
        """In the agenda, instead of the one that it may have; where it has one at that time, it keeps that."""
        if (call.ticket or call.is_in_lane) and call.wakes_at_s == at_s:
            return
        self._leave_place(call)
        call.ticket, call.wakes_at_s = next(self._tickets), at_s
        self._places[call.ticket] = call
        heappush(self._agenda, (at_s, call.ticket))

    def _leave_place(self, call: InFlight) -> None:
        if not call.is_in_lane:
            self._places.pop(call.ticket, None)
            call.ticket = 0
            return
        call.is_in_lane = False
        if self._lane[0] is call:
            self._lane.popleft()
        else:
            self._lane.remove(call)

    # what the kernel would not take ----------------------------------------------------------------------

    def _hold(self, call: InFlight, messages: Sequence[Message], schedule: Schedule | None) -> None:
        """Room is waited for until the session's deadline."""
        call.held, call.schedule = Unsent(messages, schedule), None
        self._poll.watch(call, wants_room=True)
        self._take_place(call, call.session.deadline_s)

    def _hand_over_rest(self, call: InFlight, held: Unsent) -> None:
        try:
            if not call.transport.flush():
                return
        except SttLoadError as error:
            self._lose(call, error)
            return
        now_s, call.held = self._clock(), None
        self._poll.watch(call)
        if held.schedule is None:
            call.session.on_sent(now_s)
        else:
            held.schedule.on_sent(now_s)
        self._tell_sent(call, now_s, held.messages)
        self._ask(call, now_s)

    # hearing ---------------------------------------------------------------------------------------------

    def _hear(self, call: InFlight) -> None:
        """Everything that is here. The session is asked after each message: it may have been the last that it wants."""
        try:
            while not call.is_done and self._hear_next(call):
                self._ask(call, self._clock())
        except SttLoadError as error:
            self._fail(call, error)

    def _hear_next(self, call: InFlight) -> bool:
        """False where nothing is here."""
        arrival = call.transport.receive()
        if arrival is None:
            return False
        call.stamp = arrival.stamp
        events = call.session.on_message(arrival.at_s, arrival.message)
        if call.watch:
            call.watch(arrival.at_s, "<", arrival.message, events)
        return True

    # the end ---------------------------------------------------------------------------------------------

    def _lose(self, call: InFlight, error: SttLoadError) -> None:
        """Sending failed. What the peer said before it went (a last text, a close code) may still be unread."""
        try:
            while self._hear_next(call):
                pass
        except SttLoadError as last_word:
            error = last_word
        self._fail(call, error)

    def _fail(self, call: InFlight, error: SttLoadError) -> None:
        now_s = self._clock()
        call.session.on_fault(error, now_s)
        if call.watch:
            call.watch(now_s, "!", str(error), ())
        self._finish(call)

    def _crash(self, call: InFlight, crash: Exception) -> None:
        """A mistake of ours, or of a dialect: it ends this call, whose caller hears of it, and no other."""
        call.crash = crash
        self.drop(call)

    def _finish(self, call: InFlight) -> None:
        if not call.is_in_lane:  # which forgets who is done within a frame
            self._leave_place(call)
        self._poll.remove(call)
        call.is_done, call.held, call.schedule = True, None, None
        call.on_done()

    def _tell_sent(self, call: InFlight, at_s: float, messages: Sequence[Message]) -> None:
        if call.watch:
            for message in messages:
                call.watch(at_s, ">", message, ())
