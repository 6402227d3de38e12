"""The layouts of data sets that are read as they are: how each is known, and what in it lists the clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from stt_load.audio import listings
from stt_load.audio.manifest import MANIFEST_NAME, ManifestEntry, parse_line
from stt_load.clips.text_files import head_of, text_of
from stt_load.errors import ClipError
from stt_load.text.text_rows import lines_of

Read = Callable[[Path, str, list[str]], list[ManifestEntry]]
"""Reads a list. It is given the path, the text and the problems that were found so far, to which it adds its own."""


def _by_text(read: Callable[[str, list[str]], list[ManifestEntry]]) -> Read:
    """A list that says everything itself: its path is not needed."""
    return lambda listing, text, problems: read(text, problems)


_read_named = _by_text(listings.read_named)


def _by_its_name(text: str) -> bool:
    """No other list has such a name: its text is not looked at."""
    return True


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which data sets come. `listing`, `audio`: what people see of it.

    `patterns`: names of its lists. `recognises`: whether a list is one, by its first 64 Ki characters. `read`: reads
    one. Unless they are given, it is a list whose columns or keys have names. `folders`: where its audio may be, from
    the folder of the list; `{stem}` is the name of the list without its ending. `everywhere`: the lists of all folders
    below belong together; else there must be one. `by_name`: audio has the id as its name and may be in any folder
    below; ids without any are of parts of the data set that aren't there. `several_files`: the list is several files in
    one folder, and what `read` tells begins with the name of one of them.
    """

    name: str
    listing: str
    audio: str
    patterns: tuple[str, ...]
    recognises: Callable[[str], bool] = listings.has_named_clips
    read: Read = _read_named
    folders: tuple[str, ...] = ("",)
    everywhere: bool = False
    by_name: bool = False
    several_files: bool = False

    @property
    def has_named_columns(self) -> bool:
        """Whether its lists name their columns, or keys: then it can be said which are missing."""
        return self.recognises is listings.has_named_clips

    def is_looked_for(self, path: Path, folder: Path) -> bool:
        """Whether a list of this layout may be there, by its name and place in this data set's folder."""
        return (self.everywhere or path.parent == folder) and any(path.match(pattern) for pattern in self.patterns)

    def is_listed_by(self, path: Path, folder: Path) -> bool:
        """Whether this file is a list of this layout."""
        return self.is_looked_for(path, folder) and self.recognises(head_of(path))


def _read_own(text: str, problems: list[str]) -> list[ManifestEntry]:
    entries = []
    for number, line in enumerate(lines_of(text), start=1):
        if line.strip():
            try:
                entries.append(replace(parse_line(line), listed_at=f"line {number}"))
            except ClipError as error:
                problems.append(f"line {number}: {error}")
    return entries


def _read_kaldi(listing: Path, text: str, problems: list[str]) -> list[ManifestEntry]:
    words, segments = listing.with_name("text"), listing.with_name("segments")
    if not words.is_file():
        problems.append(
            "wav.scp has no file `text` beside it: write one, with a line `ID words spoken` for each of its ids"
        )
        return []
    return listings.read_kaldi(text, text_of(words), text_of(segments) if segments.is_file() else None, problems)


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        name="stt-load",
        listing=f"`{MANIFEST_NAME}`",
        audio="as `file` says, from the folder",
        patterns=(MANIFEST_NAME,),
        recognises=_by_its_name,
        read=_by_text(_read_own),
    ),
    Layout(
        name="Hugging Face audiofolder",
        listing="`metadata.jsonl` or `metadata.csv` with `file_name` and a text, in any folder below",
        audio="as `file_name` says, from the folder of the list",
        patterns=("metadata.jsonl", "metadata.csv"),
        everywhere=True,
    ),
    Layout(
        name="LJSpeech",
        listing="`metadata.csv`: id, text as written, text as spoken, with bars between",
        audio="`wavs/`",
        patterns=("metadata.csv",),
        recognises=lambda text: "|" in text.partition("\n")[0],
        read=_by_text(listings.read_ljspeech),
        folders=("wavs", ""),
    ),
    Layout(
        name="Kaldi",
        listing="`wav.scp` and `text`, maybe `segments`; commands in `wav.scp` are refused",
        audio="as `wav.scp` says, from its folder",
        patterns=("wav.scp",),
        recognises=_by_its_name,
        read=_read_kaldi,
        several_files=True,
    ),
    Layout(
        name="NeMo",
        listing="`*.json` or `*.jsonl` of lines with `audio_filepath` and `text`, maybe `offset` and `duration`",
        audio="as `audio_filepath` says, from the folder of the list",
        patterns=("*.json", "*.jsonl"),
    ),
    Layout(
        name="Common Voice",
        listing="`*.tsv` with `path` and `sentence`; a quotation mark is a letter",
        audio="`clips/`, or beside the list",
        patterns=("*.tsv",),
        folders=("clips", ""),
    ),
    Layout(
        name="FLEURS",
        listing="`*.tsv` without a header: id, file, text, …",
        audio="`audio/NAME/` or `NAME/` for `NAME.tsv`, or beside the list",
        patterns=("*.tsv",),
        recognises=listings.is_fleurs,
        read=_by_text(listings.read_fleurs),
        folders=("audio/{stem}", "{stem}", "audio", ""),
    ),
    Layout(
        name="CSV",
        listing="`*.csv` with a header that names a file and a text",
        audio="from the folder of the list",
        patterns=("*.csv",),
    ),
    Layout(
        name="LibriSpeech",
        listing="`*.trans.txt`, in any folder below",
        audio="beside the list, with the id as its name",
        patterns=("*.trans.txt",),
        recognises=_by_its_name,
        read=_by_text(listings.read_transcripts),
        everywhere=True,
    ),
    Layout(
        name="AISHELL",
        listing="`transcript/aishell_transcript*.txt`",
        audio="in any folder, with the id as its name; texts of parts that aren't there are left out",
        patterns=("aishell_transcript*.txt",),
        recognises=_by_its_name,
        read=_by_text(listings.read_transcripts),
        everywhere=True,
        by_name=True,
    ),
)
