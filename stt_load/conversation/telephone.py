"""What voice agents behind a telephone have in common: a line is open as long as the call, and carries sound alone.

- Nothing tells that an answer begins or ends: see `heard_answer.py`. The options say how long it has to be quiet.
- Many agents greet the caller before it has said anything. With `greeting=true` a caller waits for that.
- A frame goes out every 20 ms for as long as the call lasts, and silence while the caller listens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from stt_load.conversation.dialect import ConversationDialect
from stt_load.conversation.heard_answer import HeardAnswer
from stt_load.conversation.line import LineAudio
from stt_load.dialects.base import DEFAULTS, TELEPHONE_FRAME_MS, Capabilities, Settings
from stt_load.dialects.events import Event, Message, PlaybackCleared, PlaybackMark, SilentAudio, SpeechAudio
from stt_load.dialects.options import DialectOption
from stt_load.option_values import parse_milliseconds, parse_yes_or_no

GREETING = DialectOption(
    "greeting", "false", "true: the agent speaks first, and a caller waits for that", parse_yes_or_no
)
QUIET = DialectOption("quiet_ms", "2000", "of quiet, after which an answer has ended", parse_milliseconds)


class TelephoneDialect(ConversationDialect):
    """One call. `line_audio`: how the audio is made that the server sent last. `skips_silence`: as in `line.Line`."""

    is_line = True
    skips_silence: ClassVar[bool] = False
    options: ClassVar[tuple[DialectOption, ...]] = (GREETING, QUIET)
    line_audio: LineAudio

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self._answer: HeardAnswer | None = None  # of the latest turn

    def telephone_capabilities(self, **more: Any) -> Capabilities:
        return Capabilities(
            frame_ms=(TELEPHONE_FRAME_MS, TELEPHONE_FRAME_MS),
            has_ready=bool(self.option["greeting"]),
            ends=("server",),
            trailing_silence_s=0.0,
            many_utterances=True,
            **more,
        )

    def new_answer(self) -> HeardAnswer:
        quiet_s = self.option["quiet_ms"] / 1_000
        self._answer = HeardAnswer(lambda: self.line_audio, quiet_s, self.mark_played, self._answer, self.skips_silence)
        return self._answer

    def read_between(self, arrived_s: float, message: Message) -> Sequence[Event]:
        """Marks come back with the first frame of the next turn. Audio is left out: what came in a long pause is read
        at its end, so nobody knows when each piece arrived."""
        events = self.read(message)
        for event in events:
            if self._answer is not None and isinstance(event, PlaybackMark | PlaybackCleared):
                self._answer.on_event(arrived_s, event)
        return events

    def audio_event(self, data: bytes) -> SpeechAudio | SilentAudio:
        """What audio of the server means: whether it sounds."""
        return SpeechAudio(data) if self.line_audio.has_sound(data) else SilentAudio(data)

    def mark_played(self, name: str) -> Message:
        """Says that a `PlaybackMark` is reached. Only where there are any."""
        raise NotImplementedError
