"""WhisperLiveKit: int16 PCM in, the whole state out at every change, an empty frame ends it.

Server: QuentinFuxa/WhisperLiveKit at ed571b6 (2026-08-16), `whisperlivekit/basic_server.py`, `audio_processor.py`,
`diff_protocol.py`, `timed_objects.py`, docs/API.md, read, and run with its audio processor replaced; its own client is
`whisperlivekit/test_client.py`. Path /asr. (Its /v1/listen speaks Deepgram's protocol.)

What a client must know:

- `{"type":"config","useAudioWorklet":true}` comes first: int16 at 16 kHz is welcome. `false` means that it wants a
  file's container, for ffmpeg: the server has to be started with `--pcm-input`.
- An update is everything so far, up to 20 a second: `lines` grow, the buffers behind them may change, and often only
  the lag has (`remaining_time_transcription`, in seconds). Lines of speaker -2 are silence.
- An empty binary frame ends the audio; `ready_to_stop` comes when all of it is done. What the buffers hold then counts.
  Audio is ignored from there on, and the connection stays open.
- `mode=diff` sends only what changed. A line that grew comes as a new one: the rule of the documentation (drop
  `lines_pruned` in front, add `new_lines`) leaves its old self in; `n_lines` tells how many to keep.
- A text frame ends the session without a close. A wrong token is closed before the upgrade, so it is seen as HTTP 403;
  parameters that it won't take are an error message and a close with 4400.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.dialects.base import DEFAULTS, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import CumulativeTranscript, Event, Ignored, Message, Ready, ServerError
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import children, interim_text, numbers, parse_object, shown, try_object, unknown, with_query
from stt_load.errors import ProtocolError, Refusal
from stt_load.option_values import one_of, or_none

_LAG = "remaining_time_"
_SILENCE = -2
_BUFFERS = ("buffer_diarization", "buffer_transcription")


class WhisperLiveKit(Dialect):
    """One connection, one utterance."""

    takes_key = True
    options = (
        DialectOption("language", "", "as in en, or auto; nothing: the server's own", or_none()),
        DialectOption("mode", "full", "full or diff: all of it at each change, or what is new", one_of("full", "diff")),
        DialectOption("target_language", "", "to translate into, where the server does that", or_none()),
    )
    capabilities = Capabilities(
        has_ready=True,
        ends=("client", "server"),
        min_endpoint_s=0.1,
        quiet_s=5.0,
        trailing_silence_s=1.0,
    )
    unconfirmed = (
        "with --end server nothing says that an utterance is over: it is taken as complete after 5 s without new words",
        "how its pipeline settles words in a pause was read in audio_processor.py",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self._lines: list[dict[str, object]] = []
        self._texts: list[str] = []  # of the lines, as they were told last
        self._told: str | None = None

    def connect(self, url: str) -> Connect:
        asked = self.option if self.option["mode"] == "diff" else {**self.option, "mode": None}
        key = self.settings.api_key
        return Connect(with_query(url, asked), headers={"Authorization": f"Bearer {key}"} if key else {})

    def finalise(self) -> Sequence[Message]:
        return (b"",)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        match body.get("type"):
            case "config":
                return (_on_config(body),)
            case "error":
                return (ServerError(str(body.get("error")), Refusal.PARAMETERS),)
            case "ready_to_stop":
                return (CumulativeTranscript(self._told or "", is_last=True),)
            case "diff":
                self._lines = _patched(self._lines, body)
            case _ if "lines" in body:
                if not isinstance(body["lines"], list):
                    return (Ignored("an update without lines"),)
                self._lines = [line for line in body["lines"] if isinstance(line, dict)]
            case _:
                return (unknown(body),)
        return self._on_update(body)

    def _on_update(self, body: Mapping[str, object]) -> Sequence[Event]:
        """A line that comes without its text keeps the one that it had. A buffer without text is empty: its words may
        have moved to a line."""
        if body.get("error"):
            return (ServerError(str(body["error"])),)
        before = [*self._texts, *[""] * len(self._lines)]
        self._texts = [
            text.strip() if isinstance(text := line.get("text"), str) else before[place]
            for place, line in enumerate(self._lines)
        ]
        spoken = zip(self._lines, self._texts, strict=True)
        lines = [text for line, text in spoken if line.get("speaker") != _SILENCE]
        whole = self.join([*lines, *(interim_text(body, name) for name in _BUFFERS)])
        lags_ms = {name: 1_000 * lag_s for name, lag_s in numbers(body).items() if name.startswith(_LAG)}
        self._told = whole
        return (CumulativeTranscript(whole, server_ms=lags_ms),)

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        if body.get("type") in ("diff", "snapshot"):
            return body.keys() >= {"n_lines", *_BUFFERS} or body.keys() >= {"lines", *_BUFFERS}
        return "useAudioWorklet" in body or body.keys() >= {"lines", *_BUFFERS} or body == {"type": "ready_to_stop"}


def _on_config(body: Mapping[str, object]) -> Event:
    if body.get("useAudioWorklet") is False:
        return ServerError("the server wants a file's container: start it with --pcm-input", Refusal.PARAMETERS)
    return Ready()


def _patched(lines: Sequence[dict[str, object]], body: Mapping[str, object]) -> list[dict[str, object]]:
    """The lines as they are after a diff. Raises ProtocolError for a diff that doesn't fit them."""
    new, n_pruned, n_lines = children(body, "new_lines"), body.get("lines_pruned", 0), body.get("n_lines")
    if not isinstance(n_pruned, int) or not isinstance(n_lines, int):
        raise ProtocolError(f"a diff without numbers of lines: {shown(body)}")
    kept = [*lines[max(0, n_pruned) :]][: max(0, n_lines - len(new))]
    if len(kept) + len(new) != n_lines:
        raise ProtocolError(f"a diff to {n_lines} lines, of which {n_lines - len(kept) - len(new)} were never told")
    return [*kept, *new]
