"""What to do about an utterance that came to no good end, by its cause: for a probe, and for the log of a run.

`CAUSES` is the table; the first that fits is the advice. None fits where nothing that the caller can change is known to
help. An `Advisor` has seen the other utterances of the run as well, which can rule a cause out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stt_load.audio.noises import is_in_noise
from stt_load.credentials import HEADERS_VARIABLE
from stt_load.errors import Outcome, Refusal
from stt_load.kinds import CONVERSATION, KINDS
from stt_load.records import UtteranceRecord
from stt_load.session.transcript import ENDS_EARLIER

REFUSAL_ADVICE = {
    Refusal.AUTH: "check the path of --stt-url, and --dialect; if the server wants a key, set {key_variable} on every "
    f"worker, or {HEADERS_VARIABLE}",
    Refusal.CAPACITY: "it says that it is full: raise its limit, or take these callers for more than it holds",
    Refusal.PARAMETERS: "it doesn't do what you asked for: check the path of --stt-url, and see --dialect-option",
    Refusal.UNREACHABLE: "nothing answers there: is the server up, and is --stt-url right?",
    Refusal.HANDSHAKE: "something answers there, but not as it should: check scheme, port and path of --stt-url",
}

_UNKNOWN_SERVER = (
    "perhaps the server speaks another dialect: see `stt-load dialects`; or it listens at another port or path than "
    "--stt-url says"
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an utterance may have failed. `fits` decides by its record; `advice` says what to do. `needs_silence`: a
    longer silence after the clip may help. `is_disproved`: not the cause if the server has heard the end of others."""

    fits: Callable[[UtteranceRecord], bool]
    advice: Callable[[UtteranceRecord], str]
    needs_silence: bool = False
    is_disproved: bool = False


def _refusal_advice(record: UtteranceRecord) -> str:
    return REFUSAL_ADVICE[Refusal(str(record.refusal))].format(key_variable=KINDS[record.kind].key_variable)


def _is_to_hear_an_end(record: UtteranceRecord) -> bool:
    """All audio was sent to a server that is to hear its end by itself, and it never told one: it may still wait for
    more silence. A caller who converses is silent until the answer comes."""
    is_waiting = record.outcome == Outcome.TIMED_OUT and record.end == "server" and record.kind != CONVERSATION.name
    return is_waiting and record.frames > 0


def _waits_for_silence(record: UtteranceRecord) -> bool:
    """The same of a server that has said something in the meantime, so it does speak the dialect."""
    return _is_to_hear_an_end(record) and bool(record.understood)


def _hears_no_end_in_noise(record: UtteranceRecord) -> bool:
    """All audio was sent to a server that is to hear its end by itself, and noise went on behind the speech."""
    is_waiting = record.outcome == Outcome.TIMED_OUT and record.end == "server" and record.frames > 0
    return is_waiting and is_in_noise(record.clip_id)


def _clip_ends_earlier(record: UtteranceRecord) -> bool:
    """The server was done before the moment where the speech of the clip is believed to end."""
    return record.outcome == Outcome.TIMED_OUT and ENDS_EARLIER in (record.error or "")


def _is_not_greeted(record: UtteranceRecord) -> bool:
    """A caller waited for an agent to speak first."""
    return record.outcome == Outcome.TIMED_OUT and "no greeting was heard" in (record.error or "")


def _is_not_configured(record: UtteranceRecord) -> bool:
    """A text waited for a server that says when it is configured, as SGLang-Omni does."""
    return record.outcome == Outcome.TIMED_OUT and "that it is configured" in (record.error or "")


def _floods(record: UtteranceRecord) -> bool:
    return record.outcome == Outcome.PROTOCOL_ERROR and "the server floods" in (record.error or "")


CAUSES: Sequence[Cause] = (
    Cause(_floods, lambda record: "no recogniser has so much to say: look in the server's log for what it repeats"),
    Cause(
        _is_not_greeted,
        lambda record: "leave greeting=true out if the agent waits for the caller to speak; else see --ready-timeout",
    ),
    Cause(
        _is_not_configured,
        lambda record: "perhaps it is vLLM-Omni, which says nothing: --api vllm-omni, or --dialect tts-vllm-omni",
    ),
    Cause(
        _clip_ends_earlier,
        lambda record: (
            f"look at clip {record.clip_id} with `stt-load clips show --bounds`, and give its `speech_end_s` "
            "in clips.jsonl"
        ),
    ),
    Cause(
        lambda record: bool(record.other_dialects),
        lambda record: f"choose --dialect {' or '.join(record.other_dialects)}",
    ),
    Cause(  # it has answered in the dialect, so the path is right
        lambda record: record.refusal == Refusal.PARAMETERS and bool(record.understood),
        lambda record: "it doesn't do what you asked for: see --dialect-option",
    ),
    Cause(
        lambda record: record.refusal is not None,
        _refusal_advice,
    ),
    Cause(
        lambda record: record.outcome == Outcome.REFUSED,
        lambda record: "check the path of --stt-url, and whether the server speaks this --dialect",
    ),
    Cause(
        _hears_no_end_in_noise,
        lambda record: (
            "perhaps the server takes the noise behind the clip for speech and hears no end: try a higher --snr, or "
            "--end client where the dialect has it (`stt-load dialects NAME`)"
        ),
        is_disproved=True,
    ),
    Cause(
        lambda record: record.understood is False and _is_to_hear_an_end(record),
        lambda record: f"{_UNKNOWN_SERVER}; or it needs more silence to hear an end: see --trailing-silence",
    ),
    Cause(lambda record: record.understood is False, lambda record: _UNKNOWN_SERVER),
    Cause(
        _waits_for_silence,
        lambda record: "many servers end an utterance only after more silence: see --trailing-silence",
        needs_silence=True,
        is_disproved=True,
    ),
    Cause(  # the silence sufficed for others
        _waits_for_silence,
        lambda record: (
            "it completed others after as much silence, so it falls behind: try fewer callers, or see --timeout; if it "
            "is always the same clips, see --trailing-silence"
        ),
    ),
)


def find_cause(record: UtteranceRecord, hears_ends: bool = False) -> Cause | None:
    """The first cause that fits a failed utterance; None where none does. `hears_ends`: the server has heard the end of
    others, under the same conditions."""
    return next((cause for cause in CAUSES if cause.fits(record) and not (hears_ends and cause.is_disproved)), None)


class Advisor:
    """What to do about the failed utterances of one run, as far as the run has been seen."""

    def __init__(self) -> None:
        self._completed: set[str] = set()  # clips of which the server has heard the end

    def note(self, record: UtteranceRecord) -> None:
        """An utterance of the run has ended."""
        if record.is_ok and record.end == "server" and not record.is_silent:
            self._completed.add(record.clip_id)

    def find_advice(self, record: UtteranceRecord) -> str | None:
        """What to do about a failed utterance; None where nothing is known to help. Noise behind the speech, which may
        hide its end, is a condition of its own; silence is as long for all of a run."""
        is_noisy = is_in_noise(record.clip_id)
        cause = find_cause(record, any(is_in_noise(clip_id) == is_noisy for clip_id in self._completed))
        return None if cause is None else cause.advice(record)
