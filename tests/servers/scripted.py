"""The scripted recogniser: the Parakeet shape with chosen texts, delays, losses and faults, and a log of the truth.

    python -m servers.scripted --script JSON|FILE --port 0 --truth FILE

For tests and calibration. It recognises nothing: `script.py` says what it answers, `truth.py` what it logs. GET
/healthz answers {"ready", "callers", "utterances"}.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click
from websockets.http11 import Request

from servers.connection import Connection, HttpResponse, NoResponse, OnSent, Session, text_frame
from servers.frontend import serve
from servers.script import AT_UPGRADE, MID_STREAM, Fault, Script, loud_span
from servers.truth import TruthLog, Utterance
from stt_load.dialects.events import Message
from stt_load.errors import ConfigError
from stt_load.server.listener import open_listener, run_command
from stt_load.server.vad import SAMPLE_RATE_HZ

HUGE_TEXT_BYTES = 64 << 20
_MID_CLIP_EVERY_S = 1.0
_SMALL_BUFFER_BYTES = 4_096  # so that a caller notices soon that nobody reads


class ScriptedRecogniser:
    """The server: all callers. `utterances`: how many have been answered, lost ones included."""

    path = "/ws"

    def __init__(self, script: Script, truth: TruthLog) -> None:
        self.script = script
        self.truth = truth
        self.sessions: dict[int, ScriptedSession] = {}  # the open ones by caller, the oldest first
        self.utterances = 0
        self._next_caller = 0
        self._free_s = 0.0  # when the text that was due last is made, time.monotonic

    def booked_s(self, now_s: float) -> float:
        """When a text that is due now is made, behind those that were due before it."""
        self._free_s = max(now_s, self._free_s) + self.script.takes_s
        return self._free_s

    def on_request(self, request: Request, connection: Connection) -> HttpResponse | NoResponse | Session:
        if "Upgrade" not in request.headers:
            health = {"ready": True, "callers": len(self.sessions), "utterances": self.utterances}
            return HttpResponse(200, json.dumps(health))
        if self.script.places is not None and len(self.sessions) >= self.script.places:
            return HttpResponse(self.script.status, json.dumps({"error": "every place is taken"}))
        caller, self._next_caller = self._next_caller, self._next_caller + 1
        fault = self.script.fault if self.script.is_faulty(caller) else None
        if fault is Fault.NO_UPGRADE:
            return NoResponse()
        if fault is Fault.REFUSE:
            return HttpResponse(self.script.status, json.dumps({"error": "refused by the script"}))
        session = ScriptedSession(self, caller, fault, connection)
        self.sessions[caller] = session
        return session


class ScriptedSession:
    """One caller. An utterance begins with a frame, is complete after speech and silence, and is then answered."""

    def __init__(
        self, recogniser: ScriptedRecogniser, caller: int, fault: Fault | None, connection: Connection
    ) -> None:
        assert fault not in AT_UPGRADE
        self.caller = caller
        self.connection = connection
        self._recogniser = recogniser
        self._script = recogniser.script
        self._fault = fault
        self._audio_bytes = 0
        self._has_struck = False
        self._next_utterance = 0
        self._answer: _Answer | None = None

    def on_open(self) -> None: ...

    def on_message(self, message: Message, received_s: float) -> None:
        if self._has_struck:
            return
        if isinstance(message, str) or len(message) % 2:
            self.connection.drop()
            return
        self._audio_bytes += len(message)
        answer = self._answer_for(message)
        answer.utterance.receive(message, received_s)
        if self._fault in MID_STREAM and self._audio_bytes >= 2 * SAMPLE_RATE_HZ * self._script.fault_after_s:
            self._strike()
        else:
            answer.go_on()

    def on_closed(self) -> None:
        self._end_utterance()
        del self._recogniser.sessions[self.caller]

    def on_given(self) -> None:
        """The answer is given, or was lost on purpose. What comes next is the next utterance, unless the end of
        speech was what counted: then the rest of the silence still belongs to this one."""
        self._recogniser.utterances += 1
        if self._script.delay_from == "last_frame":
            self._end_utterance()

    def booked_s(self, now_s: float) -> float:
        return self._recogniser.booked_s(now_s)

    def receiver(self) -> ScriptedSession:
        """The session that this caller's texts are sent to."""
        return next(iter(self._recogniser.sessions.values())) if self._fault is Fault.LEAK else self

    def _answer_for(self, pcm: bytes) -> _Answer:
        """The answer under way; a new one where the last was given and `pcm` holds sound."""
        if self._answer is not None and self._answer.is_given and loud_span(pcm) is not None:
            self._end_utterance()
        if self._answer is None:
            stamp = "kernel" if self.connection.has_kernel_stamps else "read"
            utterance = Utterance(self.caller, self._next_utterance, stamp, fault=self._fault)
            self._next_utterance += 1
            self._answer = _Answer(self, self._script, self._fault, utterance)
        return self._answer

    def _end_utterance(self) -> None:
        if self._answer is None:
            return
        self._answer.cancel()
        if self._answer.utterance.speech_frame_s is not None:
            self._recogniser.truth.write(self._answer.utterance)
        self._answer = None

    def _strike(self) -> None:
        self._has_struck = True
        if self._answer is not None:
            self._answer.cancel()
        connection = self.connection
        match self._fault:
            case Fault.RESET:
                connection.reset()
            case Fault.CLOSE:
                connection.close(self._script.close_code)
            case Fault.CLOSE_MID_MESSAGE:
                connection.send_raw(text_frame(b'{"text":"the first half of', fin=False))
                connection.close(self._script.close_code)
            case Fault.CUT_FRAME:
                frame = text_frame(b'{"text":"a frame that is cut in two"}')
                connection.send_raw(frame[: len(frame) // 2])
                connection.end_after_sending()
            case Fault.SLOW_READER:
                connection.stop_reading()


class _Answer:
    """The answer to one utterance: what of it was sent, and when the rest is due."""

    def __init__(self, session: ScriptedSession, script: Script, fault: Fault | None, utterance: Utterance) -> None:
        self.utterance = utterance
        self.is_given = False  # everything due was handed to the connection
        self._is_queued = False  # its text is being made, or waits for those before it: no frame changes that
        self._session = session
        self._script = script
        self._fault = fault
        self._is_silent = fault is Fault.STALL or script.is_lost(utterance.caller, utterance.utterance)
        self._texts: list[str] | None = None  # None until the first is needed
        self._n_sent = 0  # of the texts
        self._n_announced = 0
        self._timer: asyncio.TimerHandle | None = None

    def go_on(self) -> None:
        """Takes note of a frame: whatever was due is due later, or not at all."""
        if self.is_given or self._is_queued:
            return
        self.cancel()
        utterance = self.utterance
        if self._script.mid_clip and not self._is_silent:
            self._send_mid_clip()
        if utterance.silence_s < self._script.endpoint_s:
            return
        self._announce(self._script.pieces + (self._fault is Fault.EMPTY_FIRST))
        counts_last_frame = self._script.delay_from == "last_frame"
        heard_s = utterance.last_frame_s if counts_last_frame else utterance.speech_frame_s
        assert heard_s is not None  # there was silence after speech
        # The loop's clock is time.monotonic.
        self._timer = asyncio.get_running_loop().call_at(heard_s + self._script.delay_s, self._queue_up)

    def _queue_up(self) -> None:
        loop = asyncio.get_running_loop()
        self._is_queued = True
        self._timer = loop.call_at(self._session.booked_s(loop.time()), self._give)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _announce(self, n_pieces: int) -> None:
        """Sends `queued` for the first `n_pieces`, as far as they were not announced before."""
        if not self._script.queued or self._fault is Fault.STALL:
            return
        while self._n_announced < n_pieces:
            self._session.connection.send_text('{"status":"queued"}')
            self._n_announced += 1

    def _send_mid_clip(self) -> None:
        """Sends every piece but the last, one after each second of audio since the onset."""
        while self._n_sent < min(self._script.pieces - 1, int(self.utterance.speech_s / _MID_CLIP_EVERY_S)):
            self._announce(self._n_sent + 1)
            self._send_next_text()

    def _give(self) -> None:
        """Sends the rest, which is due."""
        self.is_given = True
        to = self._session.receiver().connection
        if self._is_silent:
            self._session.on_given()
        elif self._fault is Fault.WRONG_JSON:
            to.send_text('{"text": "an object without an en', self._on_last_sent)
        elif self._fault is Fault.HUGE_TEXT:
            padding = b"x" * (HUGE_TEXT_BYTES - len(b'{"text":""}'))
            to.send_raw(text_frame(b'{"text":"' + padding + b'"}'), self._on_last_sent)
        else:
            if self._fault is Fault.EMPTY_FIRST:
                to.send_text('{"text":""}')
            while self._n_sent < self._script.pieces - 1:
                self._send_next_text()
            self._send_next_text(self._on_last_sent)
            if self._fault is Fault.TWICE:
                for text in self._texts or ():
                    to.send_text(json.dumps({"text": text}))

    def _send_next_text(self, on_sent: OnSent | None = None) -> None:
        utterance = self.utterance
        if self._texts is None:
            text = self._script.text_of(utterance.caller, utterance.utterance, utterance.identify())
            self._texts = self._script.texts_of(text)
        text = self._texts[self._n_sent]
        self._n_sent += 1
        receiver = self._session.receiver()
        utterance.sent_to = receiver.caller
        utterance.text = f"{utterance.text or ''} {text}".strip()
        receiver.connection.send_text(json.dumps({"text": text}), on_sent)

    def _on_last_sent(self, begun_s: float, sent_s: float) -> None:
        self.utterance.text_begun_s = begun_s
        self.utterance.text_sent_s = sent_s
        self._session.on_given()


@click.command()
@click.option("--script", required=True, help="JSON object, or the file that holds it; see script.py.")
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--truth", type=click.Path(path_type=Path), help="File to append the truth log to.")
@click.option("--exit-with-parent", is_flag=True, help="Also end when standard input ends.")
def command(script: str, host: str, port: int, truth: Path | None, exit_with_parent: bool) -> None:
    try:
        content = script if script.lstrip().startswith("{") else Path(script).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--script {script}: {error.strerror}; give a JSON object or a file") from None
    checked = Script.from_json(content)
    recogniser = ScriptedRecogniser(checked, TruthLog(truth))
    listener = open_listener(host, port, _SMALL_BUFFER_BYTES if checked.fault is Fault.SLOW_READER else None)
    asyncio.run(serve(listener, recogniser, exit_with_parent=exit_with_parent))


if __name__ == "__main__":
    run_command(command)
