"""`stt-load probe`: one caller, one utterance, every message with its time."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.console import Console

from stt_load.audio.clip import Clip
from stt_load.cli.run import with_options
from stt_load.config import RunConfig, parse_options
from stt_load.credentials import API_KEY_VARIABLE
from stt_load.dialects.events import Event, Message
from stt_load.errors import ConfigError, ExitCode, Outcome
from stt_load.kinds import STREAM, UPLOAD
from stt_load.metrics.normaliser import guess_normaliser
from stt_load.metrics.wer import scored
from stt_load.net.websocket import WebSocketTransport
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.records import Measured, Utterance, UtteranceRecord
from stt_load.run.preflight import find_problems
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.session import Session
from stt_load.uploads.exchange import Exchange
from stt_load.uploads.forms import clip_form
from stt_load.workloads.run_clips import choose_clips, dialect_of, frame_rule
from stt_load.workloads.upload import http_upload

_SHOWN = 300
Lines = list[tuple[str, str]]
Carry = Callable[[RunConfig, Clip, Console], Measured]
PROBE_OPTIONS = (
    *("stt-url", "dialect", "dialect-option", "insecure", "clips", "tts-url"),
    *("frame-ms", "trailing-silence", "end", "timeout"),
)


@click.command()
@with_options(PROBE_OPTIONS)
@click.option("--clip", "clip_id", metavar="ID", help="which clip; default: the first")
def command(clip_id: str | None, **options: Any) -> None:
    """One caller, every message with its time relative to the end of speech.

    What to run first against a new server: it shows what the server says and when, which frame size and which end
    of utterance a run would use, and the transcript against the reference. Ends with 0 when a transcript came.
    """
    config = parse_options(options)
    problems = find_problems(config)
    if config.kind.name not in _PROBES:
        problems.append(f"--dialect: {config.dialect} hears nothing: ask it with `stt-load tts --runs 1`")
    if problems:
        raise ConfigError(problems)
    clip = _find_clip(choose_clips(config).clips, clip_id)
    console = Console(highlight=False, soft_wrap=True)
    utterance = Utterance("probe", 0, 0, 0, "probe", 1, clip.clip_id, clip.reference, kind=config.kind.name)
    carry, tell = _PROBES[config.kind.name]
    console.print(f"clip {clip.clip_id}, speech {clip.speech_start_s:.2f} to {clip.speech_end_s:.2f} s")
    record = UtteranceRecord.assemble(utterance, carry(config, clip, console), time.time())
    record = scored(record, guess_normaliser([clip.reference]).normaliser)
    _conclude(tell(config, record), record, console)
    click.get_current_context().exit(ExitCode.FINE if record.is_ok else ExitCode.SLO_MISSED)


def _find_clip(clips: Sequence[Clip], clip_id: str | None) -> Clip:
    for clip in clips:
        if clip_id in (None, clip.clip_id):
            return clip
    raise ConfigError(f"--clip: there is no clip {clip_id}: see `stt-load clips show`")


def _stream(config: RunConfig, clip: Clip, console: Console) -> Measured:
    dialect = dialect_of(config, os.environ.get(API_KEY_VARIABLE))
    audio = encode_clip(clip, frame_rule(config), config.trailing_silence_s, dialect)
    session = Session(dialect, audio, SessionRules(config.timeout_s), time.monotonic())
    seen = Transcript(session, console)
    console.print("times are seconds from the end of speech")
    transport = WebSocketTransport(checks_certificate=not config.insecure)
    connection = CallerConnection(dialect, transport, config.stt_url, InlineDriver())
    connection.run(session, seen.watch)
    return *session.measure(time.monotonic()), connection.latest_use


class Transcript:
    """Prints what goes over the wire; of the frames only the first, the one that ends the speech, and the last."""

    def __init__(self, session: Session, console: Console) -> None:
        self._session = session
        self._console = console
        clip, rule = session.audio.clip, session.audio.rule
        n_frames = len(session.audio.frames)
        self._named = {
            n_frames: f"last frame sent, {n_frames} in all",
            math.ceil(clip.speech_end_s / rule.frame_s): "end of speech sent",
            1: "first frame sent",
        }

    def watch(self, at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
        if direction == ">":
            what = self._sent(message)
            if what is not None:
                self._show(at_s, ">", what)
        else:
            kinds = ", ".join(type(event).__name__ for event in events)
            self._show(at_s, direction, f"{message!s:.{_SHOWN}}" + (f"   ({kinds})" if kinds else ""))

    def _sent(self, message: Message) -> str | None:
        """What is said of a message that was sent; None of a frame like any other. It is counted as sent already."""
        schedule, frames = self._session.schedule, self._session.audio.frames
        if schedule is None or not schedule.n_sent:
            return f"{message!s:.{_SHOWN}}"
        latest = [part.message for part in frames[schedule.n_sent - 1]]
        if message not in latest:
            return f"{message!s:.{_SHOWN}}"
        return self._named.get(schedule.n_sent) if message == latest[-1] else None

    def _show(self, at_s: float, direction: str, what: str) -> None:
        zero_s = self._session.speech_end_at_s
        when = "         " if zero_s is None else f"{at_s - zero_s:+9.3f}"
        self._console.print(f"{when} {direction} {what}", markup=False)


def _stream_lines(config: RunConfig, record: UtteranceRecord) -> Lines:
    rule = frame_rule(config)
    advice = "Try more --trailing-silence: many servers end an utterance only after silence."
    return [
        ("frames", rule.note or f"{rule.frame_ms:g} ms, {rule.frame_bytes} bytes, as asked"),
        ("end of utterance", _end_rule(config, record)),
        ("EOS latency", _ms(record.eos_latency_s)),
        ("stream end", _ms(record.stream_end_latency_s)),
        ("first text", _ms(record.first_partial_s) + " after the start of speech"),
        ("our own lateness", _ms(record.pacing_lag_p99_s) + " at p99"),
        *([("advice", advice)] if record.outcome == Outcome.TIMED_OUT else []),
    ]


def _upload(config: RunConfig, clip: Clip, console: Console) -> Measured:
    exchange = Exchange(clip)

    def watch(at_s: float, data: bytes) -> None:
        sent_s = at_s - (exchange.begun_at_s or at_s)
        console.print(f"{sent_s:+9.3f} < {data.decode('utf-8', 'replace').strip():.{_SHOWN}}", markup=False)

    console.print("times are seconds from the first byte of the request")
    http = http_upload(config, os.environ.get(API_KEY_VARIABLE))
    http.run(exchange, clip_form(clip, config.dialect_options), watch)
    return exchange.measure(time.monotonic())


def _upload_lines(config: RunConfig, record: UtteranceRecord) -> Lines:
    streamed = "the server did not stream" if record.is_ok else "none"
    return [
        ("total", _ms(record.total_s)),
        ("first text", streamed if record.first_text_s is None else _ms(record.first_text_s)),
        ("audio", f"{record.audio_s:.2f} s"),
        ("RTF", "none" if record.rtf is None else f"{record.rtf:.3f}, {1 / record.rtf:.1f} times real time"),
    ]


_PROBES: dict[str, tuple[Carry, Callable[[RunConfig, UtteranceRecord], Lines]]] = {
    STREAM.name: (_stream, _stream_lines),
    UPLOAD.name: (_upload, _upload_lines),
}
"""How an utterance is carried, and what is told of it besides what every kind has."""


def _conclude(told: Lines, record: UtteranceRecord, console: Console) -> None:
    lines = [
        ("outcome", str(record.outcome) + (f": {record.error}" if record.error else "")),
        ("reference", record.reference),
        ("transcript", record.text or "(none)"),
        ("WER", "no transcript" if record.wer is None or not record.text else f"{100 * record.wer:.1f} %"),
        *told,
        ("connect", _ms(record.connect_s)),
        ("arrival times", "kernel receive stamps" if record.stamp == "kernel" else "when the bytes were read"),
    ]
    if record.server_ms:
        lines.append(("server says", ", ".join(f"{name} {value:.1f} ms" for name, value in record.server_ms.items())))
    console.print()
    for label, text in lines:
        console.print(f"{label:<17} {text}", markup=False)


def _end_rule(config: RunConfig, record: UtteranceRecord) -> str:
    if config.end == "client":
        who = "the client says so when the audio has been sent"
    else:
        who = f"the server notices {config.trailing_silence_s:g} s of silence"
    if record.settled_latency_s is not None:
        return f"{who}; complete when the server said so, {_ms(record.settled_latency_s)} after the end of speech"
    is_counted = dialect_of(config).capabilities.counts_segments
    return f"{who}; complete {'as soon as every queued piece has its text' if is_counted else 'after a quiet period'}"


def _ms(seconds: float | None) -> str:
    return "none" if seconds is None else f"{1_000 * seconds:.0f} ms"
