"""`stt-load dialects`: what it can speak."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import click

from stt_load.credentials import API_KEY_VARIABLE, TTS_KEY_VARIABLE
from stt_load.dialects.registry import DIALECTS, DialectRow
from stt_load.tts.apis import TTS_APIS, TtsApi
from stt_load.uploads.apis import SAMPLE_RATE_HZ, UPLOADS, UploadRow

_WIDTH = 110


@click.command()
@click.argument("name", required=False, type=click.Choice([*DIALECTS, *UPLOADS, *TTS_APIS]), metavar="[NAME]")
def command(name: str | None) -> None:
    """What stt-load can speak; with NAME, what it knows of that server and the options it takes."""
    if name is not None:
        describe, rows = next((how, rows) for rows, how in _GROUPS if name in rows)
        for line in describe(rows[name]):
            click.echo(line)
        return
    click.echo("streams, at the pace of a microphone")
    _list(DIALECTS.values())
    click.echo("\nuploads, whole files over HTTP")
    _list(UPLOADS.values())
    click.echo("\ntext to speech, for `stt-load tts`")
    _list(TTS_APIS.values())


def _list(rows: Iterable[DialectRow | UploadRow | TtsApi]) -> None:
    lines = [(f"  {row.name}", row.default_url, row.summary) for row in rows]
    widths = [max(len(text) for text in column) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def _describe_upload(row: UploadRow) -> Iterator[str]:
    facts = {
        "summary": row.summary,
        "default URL": row.default_url,
        "audio": f"a WAV file, int16 mono, {SAMPLE_RATE_HZ} Hz",
        "a connection": "carries one request",
        "API key": f"from {API_KEY_VARIABLE}" if row.key_headers else "none",
    }
    for label, fact in facts.items():
        yield from _fold(label, fact)
    yield from _describe_options(row)


def _describe_speech(row: TtsApi) -> Iterator[str]:
    facts = {
        "summary": row.summary,
        "default URL": row.default_url,
        "a connection": "carries one request",
        "API key": f"from {TTS_KEY_VARIABLE}",
    }
    for label, fact in facts.items():
        yield from _fold(label, fact)
    yield from _describe_options(row)


def _describe(row: DialectRow) -> Iterator[str]:
    able = row.capabilities
    facts = {
        "summary": row.summary,
        "default URL": row.default_url,
        "audio": f"{able.encoding} mono, {able.sample_rate_hz} Hz",
        "frames": "any size" if able.frame_multiple_bytes == 2 else f"multiples of {able.frame_multiple_bytes} bytes",
        "utterances end by": " or ".join(able.ends) + (", the first by default" if len(able.ends) > 1 else ""),
        "silence": f"{able.trailing_silence_s:g} s after the clip where the server ends the utterance, "
        f"{able.min_trailing_silence_s:g} s at the least",
        "a connection": "carries many utterances" if able.many_utterances else "carries one utterance",
        "ready message": "yes" if able.has_ready else "no",
        "API key": f"from {API_KEY_VARIABLE}" if row.kind.takes_key else "none",
    }
    if "server" not in able.ends:
        del facts["silence"]
    for label, fact in facts.items():
        yield from _fold(label, fact)
    yield from _describe_options(row)


def _describe_options(row: DialectRow | UploadRow | TtsApi) -> Iterator[str]:
    if row.options:
        yield "\noptions (--dialect-option KEY=VALUE)"
    for option in row.options:
        yield from _fold(f"  {option.key}", f"{option.help} [default: {option.default or 'none'}]")
    if row.unconfirmed:
        yield "\nread or inferred, never seen"
    for line in row.unconfirmed:
        yield from textwrap.wrap(line, _WIDTH, initial_indent="  - ", subsequent_indent="    ")


def _fold(label: str, text: str) -> list[str]:
    head = f"{label:<22} "
    return textwrap.wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))


_GROUPS: tuple[tuple[Mapping[str, Any], Callable[[Any], Iterator[str]]], ...] = (
    (DIALECTS, _describe),
    (UPLOADS, _describe_upload),
    (TTS_APIS, _describe_speech),
)
