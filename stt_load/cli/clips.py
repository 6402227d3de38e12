"""`stt-load clips make` and `stt-load clips show`: make a folder of clips by text to speech, and list one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from stt_load.audio.texts import Texts, english_set, standard_set, texts_from_file
from stt_load.cli.clip_bounds import bounds_lines
from stt_load.clips.cache_folder import cache_folder
from stt_load.clips.doubts import bounds_note
from stt_load.clips.folder import ClipSet, is_free, load_folder
from stt_load.clips.library import Progress as ReportProgress
from stt_load.clips.library import default_clips, make_folder
from stt_load.credentials import TTS_KEY_VARIABLE
from stt_load.errors import ConfigError, ExitCode
from stt_load.process.standard_streams import require_output
from stt_load.text.printable import printable
from stt_load.text.url_secrets import without_credentials
from stt_load.tts.engines import ENGINES, Voice, voice_of

SHIPPED: dict[str, Callable[[], Texts]] = {"english": english_set, "standard": standard_set}

DEFAULT_VOICES = ", ".join(f"{row.default_voice} ({name})" for name, row in ENGINES.items())

# A key on the command line would be seen by everybody on the machine.


@click.group("clips")
def command() -> None:
    """Make a folder of clips with a TTS engine, or list one."""


@command.command("make")
@click.option(
    "--from",
    "engine",
    default="espeak",
    show_default=True,
    metavar="ENGINE",
    help=f"The TTS engine: {', '.join(ENGINES)}.",
)
@click.option("--url", metavar="URL", help="The TTS server, as http://HOST:PORT. Not for espeak.")
@click.option("--voice", metavar="NAME", help=f"A voice of the engine. [default: {DEFAULT_VOICES}]")
@click.option("--model", metavar="NAME", help="The model, for openai only. [default: tts-1]")
@click.option(
    "--texts",
    "texts_from",
    default="english",
    show_default=True,
    metavar="NAME|FILE",
    help="The texts to speak: english or standard (these are shipped), a .txt file with one text per line, a .json "
    "file with a list of texts or an object of ids and texts, or a .jsonl, .csv or .tsv file with a column of texts.",
)
@click.option(
    "--out",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="The folder to create. It must not exist yet, or be empty.",
)
def make(engine: str, url: str | None, voice: str | None, model: str | None, texts_from: str, out: Path) -> None:
    """Speak texts into a folder of clips.

    What a TTS server has spoken is cached, so that it is asked once for each text. If the server needs a key, put
    it into the environment variable STT_LOAD_TTS_API_KEY.
    """
    checked_voice, texts = _checked(engine, url, voice, model, texts_from, out)
    done = 0

    def spoken(n: int, _total: int) -> None:
        nonlocal done
        done = n

    try:
        with _progress_bar(_who(checked_voice), spoken) as progress:
            make_folder(checked_voice, texts, out, progress, api_key=os.environ.get(TTS_KEY_VARIABLE))
    except KeyboardInterrupt:
        click.echo(_interrupted(checked_voice, done, len(texts), out), err=True)
        sys.exit(ExitCode.ABORTED)
    clips = load_folder(out, None)
    click.echo(f"{_speech_line(clips)}, in {out}")


@command.command("show")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--with-standard", is_flag=True, help="Without FOLDER: also list the five standard texts.")
@click.option("--bounds", is_flag=True, help="Draw where the speech in each clip is, and say how sure that is.")
def show(folder: Path | None, with_standard: bool, bounds: bool) -> None:
    """List the clips in FOLDER.

    Without FOLDER it lists the shipped clips, and makes them first if needed.
    """
    if folder is not None:
        with _progress_bar(str(folder), doing="reading clips") as progress:
            clips = load_folder(folder, None, progress)
    else:
        with _progress_bar("espeak") as progress:
            clips = default_clips(None, progress, include_standard=with_standard)
    if bounds:
        for line in bounds_lines(clips):
            click.echo(line)
    else:
        Console().print(_table(clips))
    if clips.layout:
        click.echo(f"read as {clips.layout}")
    click.echo(f"{_speech_line(clips)} ({printable(clips.source)})")
    for note in [*clips.notes, *filter(None, [bounds_note(clips)])]:
        click.echo(f"note: {printable(note)}")
    require_output()


def _checked(
    engine: str, url: str | None, voice: str | None, model: str | None, texts_from: str, out: Path
) -> tuple[Voice, Texts]:
    """The checked options. Raises ConfigError with every problem, before anything is spoken."""
    problems: list[str] = []
    checked_voice: Voice | None = None
    texts: Texts = {}
    try:
        checked_voice = voice_of(engine, url, voice, model)
    except ConfigError as error:
        problems += error.problems
    try:
        texts = read_texts(texts_from)
    except ConfigError as error:
        problems += error.problems
    if not is_free(out):
        problems.append(f"--out {out} is not empty: name a folder that does not exist yet")
    if problems or checked_voice is None:
        raise ConfigError(problems)
    return checked_voice, texts


def read_texts(texts_from: str) -> Texts:
    """The texts of a shipped set, by its name, or of a file; which column of it they are from is said on stderr."""
    if texts_from in SHIPPED:
        return SHIPPED[texts_from]()
    found = texts_from_file(Path(texts_from), SHIPPED)
    if found.column is not None:
        click.echo(f"{len(found.texts):,} texts, from `{found.column}` of {texts_from}", err=True)
    return found.texts


def _who(voice: Voice) -> str:
    return f"{voice.engine} {without_credentials(voice.url) or ''}".strip()


def _interrupted(voice: Voice, done: int, total: int, out: Path) -> str:
    """One line on what an interrupted `make` has done and how to go on."""
    if not is_free(out):
        return f"interrupted when all {total} texts were spoken: {out} is complete"
    if voice.url is None:
        rest = "run it again to make them all"
    else:
        rest = f"what the server has spoken is kept in {cache_folder() / 'tts'}: run it again for the rest"
    return f"interrupted: {done} of {total} texts were spoken, and {out} was not made; {rest}"


@contextmanager
def _progress_bar(
    what: str, told: ReportProgress | None = None, doing: str = "speaking clips"
) -> Iterator[ReportProgress]:
    """A progress bar on stderr, removed at the end of the block; nothing if stderr is not a terminal.

    `told` hears of each clip, too.
    """
    columns = (TextColumn(doing + ": {task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None, visible=False)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)
            if told is not None:
                told(done, total)

        yield update


def _table(clips: ClipSet) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("clip", no_wrap=True)
    for heading in ("speech s", "start s", "end s", "rate Hz"):
        table.add_column(heading, justify="right")
    table.add_column("reference", overflow="fold")
    for clip in clips.clips:
        seconds = (clip.speech_s, clip.speech_start_s, clip.speech_end_s)
        table.add_row(
            escape(printable(clip.clip_id)),
            *(f"{value:.2f}" for value in seconds),
            str(clip.sample_rate_hz),
            escape(printable(clip.reference)),
        )
    return table


def _speech_line(clips: ClipSet) -> str:
    speech_s = sorted(clip.speech_s for clip in clips.clips)
    number = "1 clip" if len(speech_s) == 1 else f"{len(speech_s)} clips"
    return (
        f"{number}, {sum(speech_s):.0f} s of speech in all, "
        f"{speech_s[0]:.1f} to {speech_s[-1]:.1f} s each, median {median(speech_s):.1f} s"
    )
