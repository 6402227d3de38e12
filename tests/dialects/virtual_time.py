"""A server in the same process, on a clock that only moves when somebody waits: a minute takes a moment, and every
figure is exact. The server dialect and the server's session are the real ones; the wire takes no time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
from fakes import FakeClock, FakeDriver, record_of
from servers.script import spelled

from stt_load.audio.clip import Clip
from stt_load.audio.framing import choose_frame
from stt_load.dialects.base import Connect, Dialect
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost, UpgradeRefused
from stt_load.net.transport import Arrival
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.records import UtteranceRecord
from stt_load.server.decoder_pool import Decoded
from stt_load.server.server_dialect import Close, ConnectionAction, SendMessage, ServerDialect, UpgradeRequest
from stt_load.server.server_session import ServerSession
from stt_load.server.timings import Timings
from stt_load.server.vad import WINDOW_BYTES, WINDOW_MS, speech_windows
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import EncodedClip, encode_clip
from stt_load.session.session import Session
from stt_load.session.websocket_frames import ClientFrame

TIMEOUT_S = 60.0


class Timetable:
    """Calls that fall due at moments of the clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._n = 0

    def add(self, after_s: float, what: Callable[[], None]) -> None:
        self._n += 1
        heapq.heappush(self._due, (self.clock() + after_s, self._n, what))

    def run_next(self, until_s: float) -> bool:
        """False where nothing is due until then."""
        if not self._due or self._due[0][0] > until_s:
            return False
        at_s, _, what = heapq.heappop(self._due)
        self.clock.move_to(at_s)
        what()
        return True


class Result:
    """A future of the recogniser, with the methods that a server session calls."""

    def __init__(self, decoded: Decoded) -> None:
        self._decoded = decoded
        self._is_done = False
        self._callbacks: list[Callable[[Any], None]] = []

    def done(self) -> bool:
        return self._is_done

    def result(self) -> Decoded:
        return self._decoded

    def cancel(self) -> None:
        self._callbacks.clear()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def finish(self) -> None:
        self._is_done = True
        for callback in self._callbacks:
            callback(self)


class CountingRecogniser:
    """A recogniser to which all speech is a number: each segment has its own, `delay_s` after it was cut."""

    decoders = 1
    queue_length = 0

    def __init__(self, timetable: Timetable, delay_s: float) -> None:
        self._timetable = timetable
        self._delay_s = delay_s
        self.texts: list[str] = []
        self.heard_s = 0.0  # of speech
        self.last_told_at_s = 0.0

    def submit(self, pcm: bytes) -> Any:
        self.heard_s += sum(speech_windows(pcm, len(pcm) // WINDOW_BYTES)) * WINDOW_MS / 1000
        self.texts.append(f"piece {spelled(len(self.texts) + 1)}")
        result = Result(Decoded(self.texts[-1], 0.0, 1000 * self._delay_s))
        self._timetable.add(self._delay_s, result.finish)
        self.last_told_at_s = self._timetable.clock() + self._delay_s
        return result


class VirtualSession(ServerSession):
    """A server session whose dialect ticks by the timetable."""

    timetable: Timetable

    def _schedule_tick(self) -> None:
        if self._dialect.tick_s is not None:
            self.timetable.add(self._dialect.tick_s, self._tick)


class VirtualConnection:
    """The client's transport and the server's connection in one: what either sends arrives at once."""

    def __init__(self, server: type[ServerDialect], delay_s: float) -> None:
        self.clock = FakeClock()
        self.timetable = Timetable(self.clock)
        self.recogniser = CountingRecogniser(self.timetable, delay_s)
        self._server = server
        self._coming: list[tuple[float, Message | ConnectionLost]] = []
        self._session: VirtualSession | None = None
        self.has_more = self.is_refused = self.is_held_by_peer = False

    def dial(self, target: Connect) -> None:
        headers = {name.lower(): value for name, value in target.headers.items()}
        if target.subprotocols:
            headers["sec-websocket-protocol"] = ", ".join(target.subprotocols)
        url = urlsplit(target.url)
        dialect = self._server(UpgradeRequest(url.path, dict(parse_qsl(url.query)), headers))
        refusal = dialect.refuse()
        if refusal is not None:
            raise UpgradeRefused(f"HTTP {refusal.status} at the upgrade: {refusal.body}", refusal.status)
        self._session = VirtualSession(dialect, self.recogniser, Timings(), self._transmit)
        self._session.timetable = self.timetable
        self._session.on_open()

    def advance(self) -> None:
        """It was open at once."""

    def send(self, message: Message) -> bool:
        assert self._session is not None
        self._session.on_message(message)
        return True

    def send_frame(self, frame: Sequence[ClientFrame]) -> bool:
        return [self.send(part.message) for part in frame][-1]

    def flush(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1

    def ready_at_s(self, until_s: float, wants_writable: bool) -> float:
        """Runs the server until something comes, at most until `until_s`."""
        while not self._coming and self.timetable.run_next(until_s):
            pass
        return self.clock() if self._coming else until_s

    def receive(self) -> Arrival | None:
        if not self._coming:
            return None
        at_s, what = self._coming.pop(0)
        if isinstance(what, ConnectionLost):
            raise what
        return Arrival(at_s, what, "kernel")

    def close(self) -> None:
        """The client has nothing more to say."""

    def _transmit(self, action: ConnectionAction) -> None:
        """The server's actions are what is coming to the client."""
        what: Message | ConnectionLost = ConnectionLost("connection lost")
        if isinstance(action, SendMessage):
            what = action.message
        elif isinstance(action, Close):
            what = ConnectionLost(f"closed by the server with {action.code}", action.code)
        self._coming.append((self.clock(), what))


class VirtualCaller:
    """A caller of `dialect` who sends clips to a server that is `delay_s` behind."""

    def __init__(self, dialect: Dialect, server: type[ServerDialect], delay_s: float, utterances: int = 1) -> None:
        self.connection = VirtualConnection(server, delay_s)
        self.dialect = dialect
        self.caller_connection = CallerConnection(
            dialect, self.connection, f"ws://server{server.path}", FakeDriver(self.connection.clock), utterances
        )

    def encoded(self, clip: Clip) -> EncodedClip:
        able = self.dialect.capabilities
        silence_s = 0.0 if self.dialect.settings.end == "client" else able.trailing_silence_s
        rule = choose_frame(100, able.sample_rate_hz, able.frame_multiple_bytes)
        return encode_clip(clip, rule, silence_s, self.dialect)

    def speak(self, clip: Clip) -> UtteranceRecord:
        session = Session(self.dialect, self.encoded(clip), SessionRules(TIMEOUT_S), self.connection.clock())
        self.caller_connection.run(session)
        return record_of(*session.measure(self.connection.clock()), self.caller_connection.latest_use, reference="")


def sounds(rate_hz: int, *spans_s: tuple[float, float]) -> Clip:
    """Loud where `spans_s` say so; it ends with the last of them."""
    times_s = np.arange(round(spans_s[-1][1] * rate_hz)) / rate_hz
    is_loud = np.any([(start_s <= times_s) & (times_s < end_s) for start_s, end_s in spans_s], axis=0)
    samples = np.where(is_loud, 8_000 * np.sin(2 * np.pi * 220 * times_s), 0.0)
    return Clip("sounds", "pieces", samples.astype(np.int16), rate_hz, spans_s[0][0], spans_s[-1][1])
