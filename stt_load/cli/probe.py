"""`stt-load probe`: one caller, one utterance, every message with its time."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

from stt_load.audio.clip import Clip
from stt_load.cli.run import with_options
from stt_load.config import RunConfig, parse_options
from stt_load.credentials import API_KEY_VARIABLE
from stt_load.dialects.events import Event, Message
from stt_load.errors import ConfigError, ExitCode, Outcome
from stt_load.load.material import choose_clips, dialect_of, frame_rule
from stt_load.load.preflight import find_problems
from stt_load.metrics.normaliser import guess_normaliser
from stt_load.metrics.wer import scored
from stt_load.records import UtteranceRecord
from stt_load.stream.actions import SessionRules
from stt_load.stream.encoded import encode_clip
from stt_load.stream.line import Line
from stt_load.stream.session import Session
from stt_load.stream.ws import WebSocketTransport

_SHOWN = 300
PROBE_OPTIONS = (
    *("stt-url", "dialect", "dialect-option", "insecure", "clips", "tts-url"),
    *("frame-ms", "trailing-silence", "end", "timeout"),
)


@click.command()
@with_options(
    (
        "stt-url",
        "dialect",
        "dialect-option",
        "insecure",
        "clips",
        "tts-url",
        "frame-ms",
        "trailing-silence",
        "end",
        "timeout",
    )
)
@click.option("--clip", "clip_id", metavar="ID", help="which clip; default: the first")
def command(clip_id: str | None, **options: Any) -> None:
    """One caller, every message with its time relative to the end of speech.

    What to run first against a new server: it shows what the server says and when, which frame size and which end
    of utterance a run would use, and the transcript against the reference. Ends with 0 when a transcript came.
    """
    config = parse_options(options)
    problems = find_problems(config)
    if problems:
        raise ConfigError(problems)
    clip = _find_clip(choose_clips(config).clips, clip_id)
    console = Console(highlight=False, soft_wrap=True)
    record = _probe(config, clip, console)
    _conclude(config, record, console)
    click.get_current_context().exit(ExitCode.FINE if record.is_ok else ExitCode.SLO_MISSED)


def _find_clip(clips: Sequence[Clip], clip_id: str | None) -> Clip:
    for clip in clips:
        if clip_id in (None, clip.clip_id):
            return clip
    raise ConfigError(f"--clip: there is no clip {clip_id}: see `stt-load clips show`")


def _probe(config: RunConfig, clip: Clip, console: Console) -> UtteranceRecord:
    dialect = dialect_of(config, os.environ.get(API_KEY_VARIABLE))
    audio = encode_clip(clip, frame_rule(config), config.trailing_silence_s, dialect)
    session = Session(dialect, audio, SessionRules(config.timeout_s), time.monotonic())
    seen = Transcript(session, console)
    record = UtteranceRecord("probe", 0, 0, 0, "probe", 1, clip.clip_id, clip.reference)
    console.print(f"clip {clip.clip_id}, speech {clip.speech_start_s:.2f} to {clip.speech_end_s:.2f} s")
    console.print("times are seconds from the end of speech")
    transport = WebSocketTransport(checks_certificate=not config.insecure)
    Line(dialect, transport, config.stt_url, time.monotonic).carry(session, record, seen.watch)
    session.measure_into(record, time.monotonic())
    return scored(record, guess_normaliser([clip.reference]).normaliser)


class Transcript:
    """Prints what goes over the wire; of the frames only the first, the last of speech and the last."""

    def __init__(self, session: Session, console: Console) -> None:
        self._session = session
        self._console = console
        self._n_sent = 0
        clip, rule = session.audio.clip, session.audio.rule
        n_frames = len(session.audio.frames)
        self._named = {
            n_frames: f"last frame sent, {n_frames} in all",
            int(clip.speech_end_s / rule.frame_s) + 1: "end of speech sent",
            1: "first frame sent",
        }

    def watch(self, at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
        if direction == ">":
            self._n_sent += 1
            if self._n_sent in self._named:
                self._show(at_s, ">", self._named[self._n_sent])
        else:
            kinds = ", ".join(type(event).__name__ for event in events)
            self._show(at_s, direction, f"{message!s:.{_SHOWN}}" + (f"   ({kinds})" if kinds else ""))

    def _show(self, at_s: float, direction: str, what: str) -> None:
        zero_s = self._session.speech_end_at_s
        when = "         " if zero_s is None else f"{at_s - zero_s:+9.3f}"
        self._console.print(f"{when} {direction} {what}", markup=False)


def _conclude(config: RunConfig, record: UtteranceRecord, console: Console) -> None:
    rule = frame_rule(config)
    lines = [
        ("outcome", str(record.outcome) + (f": {record.error}" if record.error else "")),
        ("frames", rule.note or f"{rule.frame_ms:g} ms, {rule.frame_bytes} bytes, as asked"),
        ("end of utterance", _end_rule(config)),
        ("reference", record.reference),
        ("transcript", record.text or "(none)"),
        ("WER", "no transcript" if record.wer is None or not record.text else f"{100 * record.wer:.1f} %"),
        ("EOS latency", _ms(record.eos_latency_s)),
        ("after last frame", _ms(record.stream_end_latency_s)),
        ("first text", _ms(record.first_partial_s) + " after the start of speech"),
        ("connect", _ms(record.connect_s)),
        ("our own lateness", _ms(record.pacing_lag_p99_s) + " at p99"),
        ("arrival times", "kernel receive stamps" if record.stamp == "kernel" else "when the bytes were read"),
    ]
    if record.server_ms:
        lines.append(("server says", ", ".join(f"{name} {value:.1f} ms" for name, value in record.server_ms.items())))
    console.print()
    for label, text in lines:
        console.print(f"{label:<17} {text}", markup=False)
    if record.outcome == Outcome.TIMED_OUT:
        console.print("Try more --trailing-silence: many servers end an utterance only after silence.", markup=False)


def _end_rule(config: RunConfig) -> str:
    capabilities = dialect_of(config).capabilities
    if config.end == "client":
        return "the client says so when the audio has been sent"
    counted = "as soon as every queued piece has its text" if capabilities.counts_pieces else "after a quiet period"
    return f"the server notices {config.trailing_silence_s:g} s of silence; complete {counted}"


def _ms(seconds: float | None) -> str:
    return "none" if seconds is None else f"{1_000 * seconds:.0f} ms"
