"""The record that flows: one utterance, measured on the worker, scored at the master, kept as one JSON line.

Field meanings are those of `docs/design.md` ("What the numbers mean"). Times are seconds; `None` means
"not measured" or "does not exist", never zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta

from stt_load.credentials import NO_CREDENTIALS, Credentials
from stt_load.errors import Outcome
from stt_load.kinds import KINDS, STREAM
from stt_load.plausible import Count, Length, Milliseconds, Moment, Ratio, Seconds, SignedMilliseconds
from stt_load.text.printable import printable
from stt_load.text.whole_characters import with_whole_characters

SCHEMA_VERSION = 1

_OK = str(Outcome.OK)  # a million records are asked, and a comparison with the member takes five times as long

MAX_LAG_BUCKET_MS = 50
"""The upper edge of the last bucket of `pacing_lag_counts` that has one; what is later shares one bucket more."""

Stamp = Literal["kernel", "read"]
"""Where an arrival time comes from: the kernel's receive timestamp, or the moment at which the bytes were read."""


ScreenChange = tuple[Count, Count, str, Count]
"""A change of the text that a caller sees: milliseconds after stream_start, how many characters of the text before
stay, the text behind these, and up to where in the audio the server's times of words say it has heard, in milliseconds
(0: it doesn't say)."""

TimedWord = tuple[str, SignedMilliseconds, SignedMilliseconds | None]
"""A word as the server times it: text, start and end (null where only the start is told), in milliseconds of audio."""


def _one_of(words: Iterable[str]) -> Meta:
    return Meta(pattern=f"^({'|'.join(words)})$")


PHASES = ("ramp", "hold", "grace", "settle", "done")
PhaseName = Annotated[str, _one_of(PHASES)]
KindName = Annotated[str, _one_of(KINDS)]
OutcomeName = Annotated[str, _one_of(Outcome)]

End = Literal["server", "client"]
"""Who ended the utterance: the server (endpointing), or the client (end message)."""

CallerKey = tuple[int, int]
"""A caller of a run: the ordinal of its worker, and its own on that worker."""


class Utterance(msgspec.Struct, gc=False):
    """Who is to say or hear which clip, where and when: what is known of an utterance before it starts."""

    run_id: str
    worker: Count  # ordinal of the load worker, 0-based
    user: Count  # ordinal of the caller on its worker, 0-based
    stage: Count  # 0-based
    phase: PhaseName  # phase when the utterance started: only "hold" counts
    users: Count  # target number of callers of the stage
    clip_id: str
    reference: str
    clip_reused: bool = False  # another caller of this worker was speaking this clip at the same time
    kind: KindName = STREAM.name  # of load: a key of `kinds.KINDS`

    @property
    def caller(self) -> CallerKey:
        return self.worker, self.user


class OnScreen(msgspec.Struct, gc=False, omit_defaults=True):
    """The transcript as the caller saw it change, and what was scored of that. What does not exist has no key,
    nor have errors of a first text that has none."""

    changes: list[ScreenChange]
    server_words: list[TimedWord] = []  # of the final texts, by the audio of this utterance

    # scored at the master
    words_taken_back: Count | None = None  # or changed, over all changes of the text
    audio_age_s: Seconds | None = None  # end of a word in the clip -> it is there: the median of all new words
    audio_age_max_s: Seconds | None = None  # the largest
    first_partial_errors: Count = 0  # of the first text, against the first reference words that fit it best
    first_partial_words: Count | None = None  # how many reference words these are
    first_partial_age_s: Seconds | None = None  # end of the last word that it has -> its arrival
    first_final_errors: Count = 0  # the same three of the first text that won't change
    first_final_words: Count | None = None
    first_final_age_s: Seconds | None = None
    word_time_off_s: Seconds | None = None  # the server's start of a word minus the true one: the median, signed
    word_time_error_s: Length | None = None  # the same without its sign: the median
    word_time_error_max_s: Length | None = None
    word_time_drift_s: Seconds | None = None  # how much the signed difference grows from the first word to the last

    def texts(self) -> Iterator[str]:
        """The whole text after each change."""
        text = ""
        for _, kept, new, _ in self.changes:
            text = text[:kept] + new
            yield text

    def without(self, hide: Callable[[str], str]) -> OnScreen | None:
        """The same; None where any of its texts holds something to hide, which may come piece by piece."""
        is_open = all(hide(text) == text for text in self.texts())
        return self if is_open and all(hide(text) == text for text, _, _ in self.server_words) else None


class Figures(msgspec.Struct, frozen=True, gc=False):
    """What one part of the load generator has measured of an utterance: some fields of `UtteranceRecord`, under the
    same names and with the same meanings. A field that no part gives keeps the record's default."""


Measured = Sequence[Figures]
"""Everything that was measured of one utterance, by whatever parts it went through. No two give the same field."""


_ERROR_CHARACTERS = 2_000  # of one that is kept: a server may say a million, to every caller


class UtteranceRecord(Utterance, gc=False):
    """One clip sent once by one caller, and what came of it: the fields of `Utterance`, those that the worker measures,
    and those that are scored at the master (no WER arithmetic in the loop that paces audio) or when the report is made.

    A struct, because there may be thousands a second: to JSON and back takes 3 µs each way, and the garbage collector
    has nothing to look through (no record is ever part of a ring).
    """

    # measured by the worker
    outcome: OutcomeName = Outcome.INTERRUPTED
    started_at: Moment = 0.0  # stream_start (or the dial, if it never started), wall clock, seconds since 1970
    stream_start_s: Moment | None = None  # stream_start on the load worker's monotonic clock; null if it never started
    eos_latency_s: Seconds | None = None  # end of speech on the schedule -> last message completing the transcript
    stream_end_latency_s: Seconds | None = None  # last frame handed over -> last transcript text; signed
    settled_latency_s: Seconds | None = None  # end of speech -> the server's word that nothing more comes
    finalise_latency_s: Seconds | None = None  # end message sent -> the server's answer to it
    first_partial_s: Seconds | None = None  # start of speech on the schedule -> first non-empty text
    connect_s: Seconds | None = None  # dial -> upgrade done
    ready_s: Seconds | None = None  # upgrade done -> server ready; 0 where the protocol has no ready message
    total_s: Seconds | None = None  # upload, tts: first byte of the request handed over -> last byte of the answer
    first_text_s: Seconds | None = None  # the same start -> first text, where the server streams its answer
    first_audio_s: Seconds | None = None  # the same start -> first audio behind the header, where the server streams
    gap_max_s: Length | None = None  # longest silence between two pieces of streamed audio; 0 where there was one piece
    underruns: Count | None = None  # how often playback of streamed audio would have run dry
    stall_s: Length | None = None  # how long it would have been silent for that
    pacing_lag_p99_s: Length | None = None  # frame due -> frame handed to the kernel, over this utterance
    pacing_lag_max_s: Length | None = None
    pacing_lag_counts: dict[Count, Count] | None = None  # frames by lag: upper edge of each bucket of 1 ms -> how many
    frames_late: Count = 0  # frames handed over more than 10 ms after they were due
    audio_s: Length = 0.0  # audio sent, trailing silence included
    speech_s: Length = 0.0  # speech in it
    duration_s: Seconds | None = None  # stream_start -> end of the utterance on the client, all waits included
    frames: Count = 0
    text: str = ""  # the assembled transcript
    messages: list[tuple[Seconds, str]] = []  # [seconds after stream_start, text] per final text
    arrival_late_s: Seconds | None = None  # how long before its time the completing message may have arrived; null: not
    stamp: Stamp = "read"  # arrival times are "kernel" receive stamps, or when the bytes were "read"
    server_ms: dict[str, Milliseconds] | None = None  # what the server says of itself
    end: End = "server"
    connection_utterance: Count = 0  # how many this connection had carried before
    connection_age_s: Seconds | None = None  # upgrade done -> stream_start
    close_code: Count | None = None
    refusal: str | None = None  # why a refused caller was refused, where it is known: full, auth, …
    error: str | None = None
    is_own_fault: bool = False  # the load generator itself failed: nothing was learned of the server
    understood: bool | None = None  # the server sent a message that the dialect knows; null: no connection came about
    other_dialects: list[str] = []  # that the server seems to speak instead, by its messages or its refusal

    # scored at the master
    normaliser: str | None = None
    wer: Ratio | None = None
    cer: Ratio | None = None
    substitutions: Count | None = None
    deletions: Count | None = None
    insertions: Count | None = None
    reference_words: Count | None = None
    character_errors: Count | None = None
    reference_characters: Count | None = None
    foreign_text: Count | None = None  # messages of this utterance that are another caller's words
    late_text: Count | None = None  # messages that are this caller's own words of an earlier utterance

    # measured by the worker, of later versions
    late_runs: list[tuple[Count, Count]] | None = None  # number (from 0) and length of each run of late frames
    frames_held_up: Count = 0  # of the late frames, those that the kernel did not take sooner: the server did not read
    frames_missed: Count = 0  # frames after the last one that were late already when the utterance ended without them
    turn_ends: list[tuple[Seconds, Count]] | None = None  # [seconds after stream_start, characters of `text` that were
    # told by then, or are the answer to it] per end of a turn that the server told; null: its protocol doesn't tell
    speech_bounds: tuple[Seconds, Seconds] | None = None  # of the clip's speech, seconds after stream_start

    # scored at the master, of later versions
    endpointing_delay_s: Seconds | None = None  # end of speech -> the server's end of turn; null where the client ends
    cut_early: bool | None = None  # the server ended a turn while the speech went on
    turns: Count | None = None  # pieces with words into which the server's ends of turns cut the transcript
    words_lost_at_cut: Count | None = None  # words of the reference near an early end that no final has
    screen: OnScreen | None = None  # the text that the caller saw, as it changed; null where there was none

    # of some servers and options: where all of these are null, the row has none of their keys
    eager_turn_ends: list[Seconds] | None = None  # seconds after stream_start of each end that might be taken back
    turns_resumed: Count | None = None  # how many of them were
    text_s: Length | None = None  # tts, text fed token by token: how long the frames of text that were sent took
    after_text_s: Seconds | None = None  # tts: last token due -> first audio; signed
    words_from_nothing: Count | None = None  # words that the server told a caller who never speaks; null: this one does
    call: Count | None = None  # --arrivals: number of its call among those of the stage, 0-based; null: callers stay
    call_utterance: Count | None = None  # how many its call had before
    call_late_s: Length | None = None  # of the first utterance: how long after it was due the call began
    voice_to_voice_s: Seconds | None = None  # conversation: end of the caller's speech -> first audio of the answer
    barge_in_stop_s: Length | None = None  # the caller speaks over the answer -> the server has stopped
    answer_s: Length | None = None  # length of the answer's audio
    early_answers: Count | None = None  # answers that began before the caller had finished

    def to_json(self) -> bytes:
        """One line without its end. Raises ValueError for a number that JSON doesn't have (NaN, infinity)."""
        told_ms = sum(self.server_ms.values()) if self.server_ms else 0.0
        if not math.isfinite(sum(filter(None, _TIMES(self)), told_ms)):
            raise ValueError("a number of this record is NaN or infinite, which is not JSON")
        try:
            return without_rare_keys(_ENCODER.encode(self))
        except UnicodeEncodeError:
            return _ENCODER.encode(with_whole_characters(msgspec.to_builtins(self)))

    @classmethod
    def assemble(
        cls, utterance: Utterance, measured: Measured, ended_at: float, credentials: Credentials = NO_CREDENTIALS
    ) -> Self:
        """The record of an utterance that has ended, at `ended_at` by the wall clock, in seconds since 1970. What the
        server said is in it without `credentials`."""
        fields: dict[str, Any] = {}
        for figures in measured:
            fields.update(msgspec.structs.asdict(figures))
        if fields.get("error"):
            # Words of a server, logged and printed as they stand here.
            error = printable(credentials.hide(fields["error"]))
            fields["error"] = error if len(error) <= _ERROR_CHARACTERS else f"{error[: _ERROR_CHARACTERS - 1]}…"
        if fields.get("text"):
            hide = partial(credentials.hide_in_transcript, reference=utterance.reference)
            fields["text"] = hide(fields["text"])
            fields["messages"] = [(at_s, hide(text)) for at_s, text in fields.get("messages", ())]
        if fields.get("screen") and credentials != NO_CREDENTIALS:
            fields["screen"] = fields["screen"].without(
                partial(credentials.hide_in_transcript, reference=utterance.reference)
            )
        if fields.get("server_ms"):
            fields["server_ms"] = {credentials.hide(name): ms for name, ms in fields["server_ms"].items()}
        fields["started_at"] = ended_at - (fields.get("duration_s") or 0.0)
        return cls(*msgspec.structs.astuple(utterance), **fields)

    @classmethod
    def from_json(cls, line: bytes | str) -> Self:
        """Reads one line. Unknown keys are left out, so that a newer file still loads. Raises ValueError for whatever
        is no record."""
        return msgspec.json.decode(line, type=cls)

    @property
    def is_ok(self) -> bool:
        return self.outcome == _OK

    @property
    def word_errors(self) -> int:
        """Words that were substituted, deleted or inserted; 0 as long as it is not scored."""
        return (self.substitutions or 0) + (self.deletions or 0) + (self.insertions or 0)

    @property
    def rtf(self) -> float | None:
        """Real-time factor of an upload or of speech: its total time over the length of its audio."""
        return self.total_s / self.audio_s if self.total_s is not None and self.audio_s else None

    @property
    def headline_s(self) -> float | None:
        """The one time that this utterance's kind of load is about."""
        value: float | None = getattr(self, KINDS[self.kind].headline)
        return value

    @property
    def audio_age_s(self) -> float | None:
        return self.screen.audio_age_s if self.screen else None

    @property
    def audio_age_max_s(self) -> float | None:
        return self.screen.audio_age_max_s if self.screen else None

    @property
    def flicker_per_s(self) -> float | None:
        """Words taken back or changed on the screen, per second of speech."""
        taken_back = self.screen.words_taken_back if self.screen else None
        return taken_back / self.speech_s if taken_back is not None and self.speech_s else None

    @property
    def first_partial_age_s(self) -> float | None:
        return self.screen.first_partial_age_s if self.screen else None

    @property
    def first_final_age_s(self) -> float | None:
        return self.screen.first_final_age_s if self.screen else None

    @property
    def word_time_error_s(self) -> float | None:
        return self.screen.word_time_error_s if self.screen else None

    @property
    def word_time_error_max_s(self) -> float | None:
        return self.screen.word_time_error_max_s if self.screen else None

    @property
    def word_time_drift_s(self) -> float | None:
        """How much the server's times of words drift over the utterance, in whichever direction."""
        drift_s = self.screen.word_time_drift_s if self.screen else None
        return None if drift_s is None else abs(drift_s)

    @property
    def is_split(self) -> bool:
        """The server made several turns of it."""
        return (self.turns or 0) > 1

    @property
    def is_left_open(self) -> bool:
        """The server was to end its turn, and told no end of it after the speech, whatever became of the utterance."""
        return self.turns is not None and self.end == "server" and self.endpointing_delay_s is None

    @property
    def is_transcribed(self) -> bool:
        """Whether there are words to be scored, or should be."""
        return KINDS[self.kind].is_transcribed

    @property
    def seems_other_dialect(self) -> bool:
        """Whether the server seems to speak another dialect: what it sent is another's, or nothing that this one knows.
        A refusal alone says nothing of that."""
        if self.outcome in (Outcome.REFUSED, Outcome.INTERRUPTED):
            return bool(self.other_dialects)
        return bool(self.other_dialects) or self.understood is False

    @property
    def is_silent(self) -> bool:
        """Whether its caller never speaks: there are no words to be told."""
        return not self.reference and self.is_transcribed

    @property
    def is_counted(self) -> bool:
        """Whether it started in the hold of its stage: only such utterances make a stage's figures."""
        return self.phase == "hold"


_ENCODER = msgspec.json.Encoder()
_NUMBERS = (Seconds, Length, Moment, Ratio)
_TIMES = attrgetter(
    *(
        f.name
        for f in msgspec.structs.fields(UtteranceRecord)
        if any(f.type in (kind, kind | None) for kind in _NUMBERS)
    )
)


def without_rare_keys(rows: bytes) -> bytes:
    """Rows as JSON, whole ones, without the keys that only some servers and options fill, in each where all of them are
    null: they would be 300 of its 2,000 bytes. No text of a row can be taken for them, as its quotes are escaped."""
    return rows.replace(_NO_RARE_KEYS, b"}")


_FIELDS = UtteranceRecord.__struct_fields__
_NO_RARE_KEYS = "".join(f',"{name}":null' for name in _FIELDS[_FIELDS.index("eager_turn_ends") :]).encode() + b"}"
