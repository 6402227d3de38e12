"""`stt-load probe`: one caller, one utterance, every message with its time."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console

from stt_load.audio.clip import Clip
from stt_load.cli.run import option_words, with_options
from stt_load.clips.doubts import words_of
from stt_load.config import RunConfig, parse_options, url_note
from stt_load.credentials import HEADERS_VARIABLE, header_names, read_credentials
from stt_load.errors import ConfigError, ExitCode
from stt_load.kinds import TTS
from stt_load.metrics.language_guess import LanguageChoice, choose_language
from stt_load.metrics.model_tags import has_model_tags
from stt_load.metrics.wer import scored
from stt_load.process.standard_streams import print_in_background
from stt_load.records import Utterance, UtteranceRecord
from stt_load.run.preflight import find_problems
from stt_load.session.advice import find_cause
from stt_load.text.printable import printable
from stt_load.text.url_secrets import HIDDEN, without_credentials
from stt_load.workloads.run_clips import choose_clips
from stt_load.workloads.workload import Show, Workload, as_ms

PROBE_OPTIONS = (
    *("stt-url", "dialect", "dialect-option", "header", "insecure", "clips", "strict-bounds", "language", "tts-url"),
    *("codec", "noise", "snr", "level", "join"),
    *("frame-ms", "trailing-silence", "end", "timeout", "connect-timeout", "ready-timeout"),
)


@click.command()
@with_options(PROBE_OPTIONS)
@click.option("--clip", "clip_id", metavar="ID", help="The clip to speak. [default: the first]")
def command(clip_id: str | None, **options: Any) -> None:
    """One caller, every message with its time.

    What to run first against a new server: it shows what the server says and when, which frame size and which end
    of utterance a run would use, and the transcript against the reference. The last line is the run to start next.
    Ends with 0 when the utterance came to a good end.
    """
    config = parse_options(options)
    problems = find_problems(config)
    if problems:
        raise ConfigError(problems)
    clip_set = choose_clips(config)
    clips = clip_set.clips
    clip = _find_clip(clips, clip_id, config.clips)
    workload: type[Workload] = config.kind.workload_class()
    show = partial(_show, Console(highlight=False, soft_wrap=True))
    utterance = Utterance("probe", 0, 0, 0, "probe", 1, clip.clip_id, clip.reference, kind=config.kind.name)
    show(_what_is_said(config, clip))
    if doubts := clip_set.doubts.get(clip.clip_id):
        show(f"where its speech ends is uncertain: {words_of(doubts)}")
    if note := url_note(options.get("stt_url"), config):
        show(note)
    print_in_background()
    credentials = read_credentials(os.environ, config.kind.key_variable, config.stt_url)
    measured = workload.probe(config, clip, credentials, show)
    record = UtteranceRecord.assemble(utterance, measured, time.time(), credentials)
    choice = choose_language(config.language, (clip.reference for clip in clips))
    record = scored(record, choice.normaliser)
    _print_facts(workload, config, record, choice, show)
    _print_next(workload, config, record, options, show)
    click.get_current_context().exit(ExitCode.FINE if record.is_ok else ExitCode.SLO_MISSED)


def _show(console: Console, line: str) -> None:
    console.print(printable(line), markup=False)


def _what_is_said(config: RunConfig, clip: Clip) -> str:
    """The first line: a clip with its bounds, or a text, which has none."""
    if config.kind is TTS:
        return f"text of clip {clip.clip_id}"
    return f"clip {clip.clip_id}, speech {clip.speech_start_s:.2f} to {clip.speech_end_s:.2f} s"


def _find_clip(clips: Sequence[Clip], clip_id: str | None, folder: str | None) -> Clip:
    for clip in clips:
        if clip_id in (None, clip.clip_id):
            return clip
    show = ["stt-load", "clips", "show", *([folder] if folder else [])]
    raise ConfigError(f"--clip: there is no clip {clip_id}: see `{shlex.join(show)}`")


def _print_facts(
    workload: type[Workload], config: RunConfig, record: UtteranceRecord, choice: LanguageChoice, show: Show
) -> None:
    lines = [
        ("outcome", str(record.outcome) + (f": {record.error}" if record.error else "")),
        ("reference", record.reference),
    ]
    if record.is_transcribed:
        wer = "no transcript" if record.wer is None or not record.text else f"{100 * record.wer:.1f} %"
        tags = ", without the tags of the model in it" if has_model_tags(record.text) else ""
        lines += [("transcript", record.text or "(none)"), ("WER", wer + tags)]
        lines += [("scored as", choice.told)]
    lines += [
        *workload.probe_facts(config, record),
        ("connect", as_ms(record.connect_s)),
        ("arrival times", _arrival_times(record)),
    ]
    if record.server_ms:
        lines.append(("server says", ", ".join(f"{name} {value:.1f} ms" for name, value in record.server_ms.items())))
    show("")
    for label, text in lines:
        show(f"{label:<17} {text}")


def _arrival_times(record: UtteranceRecord) -> str:
    if record.stamp == "kernel":
        return "kernel receive stamps"
    late = "" if record.arrival_late_s is None else f", up to {as_ms(record.arrival_late_s)} after they came"
    return f"when the bytes were read{late}"


def _how_to_paste(url: str) -> str:
    """What goes with the command to paste. What is secret isn't in it, and has to be given again."""
    hidden = []
    if names := header_names(os.environ):
        hidden.append(f"your {', '.join(names)}")
    if urlsplit(url).username is not None:
        hidden.append("the user and password of --stt-url")
    if HIDDEN in str(without_credentials(url)) and HIDDEN not in url:
        hidden.append(f"what is {HIDDEN} in --stt-url")
    if not hidden:
        return "with:"
    again = f"not shown: type it again, or set headers in {HEADERS_VARIABLE}"
    return f"with {', '.join(hidden)} ({again}) and with:"


def _print_next(
    workload: type[Workload], config: RunConfig, record: UtteranceRecord, options: dict[str, Any], show: Show
) -> None:
    """The command to paste next: the run, or the probe that may do better where this one failed, and why."""
    changed: Mapping[str, Any] = {}
    how = _how_to_paste(config.stt_url)
    if record.is_ok:
        show("")
        show(f"Run the load test {how}")
    else:
        cause = find_cause(record)
        if cause is not None:
            show(f"{'advice':<17} {cause.advice(record)}")
        changed = workload.retry_options(config, record)
        if not changed:
            return
        show("")
        show(f"Probe again {how}")
    # As it was typed where the dialect changes: a path that was left out is the other dialect's.
    url = without_credentials(str(options.get("stt_url") or config.stt_url) if "dialect" in changed else config.stt_url)
    words = option_words({**options, "stt_url": url, "dialect": config.dialect, **changed})
    show(f"  {shlex.join(['stt-load', 'run' if record.is_ok else 'probe', *words])}")
