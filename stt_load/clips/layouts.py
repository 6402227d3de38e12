"""The layouts of data sets that are read as they are: how each is known, and what in it lists the clips.

A folder is looked through in the order of `LAYOUTS`; the first that finds its list reads it. Hidden files (`._x.wav` of
macOS, `.cache`) are nobody's clips.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from stt_load.audio import listings
from stt_load.audio.codec import AUDIO_SUFFIXES
from stt_load.audio.containers import UNREADABLE_SUFFIXES
from stt_load.audio.manifest import MANIFEST_NAME, ManifestEntry, parse_line
from stt_load.errors import ClipError, ConfigError
from stt_load.text_rows import lines_of
from stt_load.whole_characters import with_whole_characters

_HEAD_CHARS = 64 * 1024  # of a list: enough to know it by
_SEVERAL_NAMED = 6

Problems = list[str]
# Text of a list and what goes wrong; a list that has more files than one reads them itself.
Read = Callable[[Path, str, Problems], list[ManifestEntry]]


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which data sets come. `listing`, `audio`: what people see of it.

    `patterns`: names of its lists. `recognises`: whether a list is one, by its first 64 Ki characters. `folders`: where
    its audio may be, from the folder of the list; `{stem}` is the name of the list without its ending. `everywhere`:
    the lists of all folders below belong together; else there must be one. `by_name`: audio has the id as its name and
    may be in any folder below; ids without any are of parts of the data set that aren't there.
    """

    name: str
    listing: str
    audio: str
    patterns: tuple[str, ...]
    recognises: Callable[[str], bool]
    read: Read
    folders: tuple[str, ...] = ("",)
    everywhere: bool = False
    by_name: bool = False

    def is_listed_by(self, path: Path) -> bool:
        """Whether this file is a list of this layout."""
        return any(path.match(pattern) for pattern in self.patterns) and self.recognises(_head(path))


@dataclass(frozen=True, slots=True)
class Listed:
    """The clips of a folder as its lists have them, with `file` as a path from the folder, or absolute.

    `audio_files`: those of the folder and below, listed or not. `without_audio`: texts whose audio isn't there, where
    that is no fault.
    """

    layout: str
    entries: tuple[ManifestEntry, ...]
    audio_files: frozenset[Path]
    without_audio: int = 0


def read_layout(path: Path, problems: Problems) -> Listed:
    """The clips of a folder, or of one list. Raises ConfigError where several lists could be meant, or none is."""
    folder = path if path.is_dir() else path.parent
    files = sorted(_files(folder))
    audio = frozenset(file for file in files if file.suffix.lower() in (*AUDIO_SUFFIXES, *UNREADABLE_SUFFIXES))
    layout, lists = _chosen(path, files)
    if layout is None:
        texts = _texts_beside(folder, audio, files, problems)
        if len(problems) > 1 and not texts:
            problems.append(
                f"{folder}: no audio file has a text, and there is no list that is known: see docs/clips.md"
            )
        return Listed(BESIDE, _with_ids(texts), audio)
    entries: list[ManifestEntry] = []
    named = {file.stem: file.relative_to(folder).as_posix() for file in sorted(audio)} if layout.by_name else {}
    without_audio = 0
    for listing in lists:
        found: Problems = []
        read = layout.read(listing, _text_of(listing), found)
        if layout.by_name:
            there = [replace(entry, file=named[entry.file]) for entry in read if entry.file in named]
            without_audio += len(read) - len(there)
            entries += there
        else:
            entries += (replace(entry, file=_located(folder, listing, layout, entry.file)) for entry in read)
        problems += [f"{listing} {problem}" for problem in found]
        if not entries and not found:
            problems.append(f"{listing}: lists no clip; delete it if there is a .txt beside each audio file")
    return Listed(f"{layout.name}, {', '.join(_shown(folder, lists))}", _with_ids(entries), audio, without_audio)


def _chosen(path: Path, files: list[Path]) -> tuple[Layout | None, list[Path]]:
    """The layout and its lists; None where texts stand beside the audio."""
    if not path.is_dir():
        layout = next((layout for layout in LAYOUTS if layout.is_listed_by(path)), None)
        if layout is None:
            raise ConfigError(
                f"clips folder {path} is a file, not a folder, and no list of clips that is known: see docs/clips.md"
            )
        return layout, [path]
    for layout in LAYOUTS:
        lists = [file for file in files if (layout.everywhere or file.parent == path) and layout.is_listed_by(file)]
        if len(lists) > 1 and not layout.everywhere:
            names = [file.name for file in lists]
            more = f" and {len(names) - _SEVERAL_NAMED} more" if len(names) > _SEVERAL_NAMED else ""
            raise ConfigError(
                f"{path} holds several lists of clips ({', '.join(names[:_SEVERAL_NAMED])}{more}): "
                f"name one of them, such as {lists[0]}, instead of the folder"
            )
        if lists:
            return layout, lists
    return None, []


def _files(folder: Path) -> Iterator[Path]:
    """Every file below the folder that is not hidden, links followed. A loop of links is walked once.

    Raises ConfigError for a folder that can't be read.
    """

    def refuse(error: OSError) -> None:
        raise ConfigError(f"{error.filename}: can't be read ({error.strerror})") from error

    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not _is_hidden(name)]
        yield from (Path(place) / name for name in names if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _head(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return file.read(_HEAD_CHARS)
    except OSError:
        return ""


def _decoded(data: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 where it says so (Windows). Raises UnicodeDecodeError."""
    return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")


def _text_of(path: Path) -> str:
    try:
        return _decoded(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: can't be read as UTF-8 ({error}): convert it (iconv -t utf-8)") from None


def _shown(folder: Path, lists: list[Path]) -> list[str]:
    names = [str(file.relative_to(folder)) for file in lists[:_SEVERAL_NAMED]]
    return [*names, f"{len(lists) - _SEVERAL_NAMED} more"] if len(lists) > _SEVERAL_NAMED else names


def _located(folder: Path, listing: Path, layout: Layout, name: str) -> str:
    """The audio file that a list means, as a path from the folder where it is below it; where there is none, the place
    that was looked at first."""
    places = [
        listing.parent / place.format(stem=listing.stem) / spelling
        for place in layout.folders
        for spelling in _spellings(name)
    ]
    found = next(filter(_is_file, places), None)
    if found is None:
        found = next((file for place in places for file in _with_ending(place) if _is_file(file)), places[0])
    try:
        return found.relative_to(folder).as_posix()
    except ValueError:
        return str(found)


def _is_file(place: Path) -> bool:
    """Whether a file is there; no list can name one that the system has no name for."""
    try:
        return place.is_file()
    except (OSError, ValueError):
        return False


def _spellings(name: str) -> list[str]:
    """A file's name as it was written, with its letters composed or not, and with the slashes of Windows turned."""
    forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name), name.replace("\\", "/"))
    return list(dict.fromkeys(forms))


def _with_ending(place: Path) -> Iterable[Path]:
    """An id without an ending, such as LibriSpeech's, with each of those that audio files have."""
    if place.suffix.lower() in AUDIO_SUFFIXES:
        return ()
    return (place.with_name(place.name + suffix) for suffix in (*AUDIO_SUFFIXES, *UNREADABLE_SUFFIXES))


def _with_ids(entries: Iterable[ManifestEntry]) -> tuple[ManifestEntry, ...]:
    """The entries with ids that differ where the names of their files don't: by the part of a file, or its folder."""
    entries = list(entries)
    uses = Counter(entry.clip_id for entry in entries)
    return tuple(
        replace(entry, clip_id=_longer_id(entry))
        if uses[entry.clip_id] > 1 and entry.clip_id == with_whole_characters(PurePath(entry.file).stem)
        else entry
        for entry in entries
    )


def _longer_id(entry: ManifestEntry) -> str:
    name = with_whole_characters(PurePath(entry.file).with_suffix("").as_posix())
    return f"{name}@{entry.offset_s or 0:g}" if entry.is_part else name


def _texts_beside(
    folder: Path, audio: Iterable[Path], files: Iterable[Path], problems: Problems
) -> list[ManifestEntry]:
    """An entry for each audio file that can be read, with the reference from the text file of the same name: beside it,
    or in another folder (`wav/`, `txt/`) if the name is there once."""
    readable = [file for file in sorted(audio) if file.suffix.lower() in AUDIO_SUFFIXES]
    uses = Counter(file.stem for file in readable)
    texts = [file for file in files if file.name.endswith(_TEXT_ENDINGS)]
    names = Counter(file.name for file in texts)
    alone = {file.name: file for file in texts if names[file.name] == 1}
    entries = []
    for file in readable:
        elsewhere = alone if uses[file.stem] == 1 else {}
        try:
            reference = _reference(_text_for(file, elsewhere))
        except ClipError as error:
            problems.append(f"{file}: {error}")
        else:
            name = file.relative_to(folder).as_posix()
            entries.append(ManifestEntry(with_whole_characters(file.stem), name, reference))
    return entries


_TEXT_ENDINGS = (".txt", ".TXT", ".lab", ".normalized.txt")


def _text_for(audio: Path, elsewhere: Mapping[str, Path]) -> Path:
    names = [audio.stem + ending for ending in _TEXT_ENDINGS]
    beside = next((text for text in map(audio.with_name, names) if text.is_file()), None)
    text = beside or next((elsewhere[name] for name in names if name in elsewhere), None)
    if text is None:
        raise ClipError(f"no reference text: write what is spoken into {names[0]} beside it")
    return text


def _reference(text: Path) -> str:
    try:
        # A text file may be wrapped; a reference is one line.
        words = _decoded(text.read_bytes()).split()
    except (OSError, UnicodeDecodeError) as error:
        raise ClipError(f"its text {text.name} can't be read as UTF-8 ({error})") from None
    if _is_timit(words):
        del words[:2]
    if not words:
        raise ClipError(f"its text {text.name} is empty: write what is spoken")
    return " ".join(words)


def _is_timit(words: list[str]) -> bool:
    """Whether a text begins with its first and last sample, as those of TIMIT do ("0 46797 She had your …")."""
    return len(words) > 2 and words[0] == "0" and words[1].isdigit() and int(words[1]) > 1000


def _read_own(listing: Path, text: str, problems: Problems) -> list[ManifestEntry]:
    entries = []
    for number, line in enumerate(lines_of(text), start=1):
        if line.strip():
            try:
                entries.append(parse_line(line))
            except ClipError as error:
                problems.append(f"line {number}: {error}")
    return entries


def _read_named(listing: Path, text: str, problems: Problems) -> list[ManifestEntry]:
    return listings.read_named(text, problems)


def _read_kaldi(listing: Path, text: str, problems: Problems) -> list[ManifestEntry]:
    words, segments = listing.with_name("text"), listing.with_name("segments")
    if not words.is_file():
        problems.append("has no file `text` beside it: write one, with a line `ID words spoken` for each of its ids")
        return []
    return listings.read_kaldi(text, _text_of(words), _text_of(segments) if segments.is_file() else None, problems)


BESIDE = "a text beside each audio file"

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        name="stt-load",
        listing=f"`{MANIFEST_NAME}`",
        audio="as `file` says, from the folder",
        patterns=(MANIFEST_NAME,),
        recognises=lambda text: True,
        read=_read_own,
    ),
    Layout(
        name="Hugging Face audiofolder",
        listing="`metadata.jsonl` or `metadata.csv` with `file_name` and a text, in any folder below",
        audio="as `file_name` says, from the folder of the list",
        patterns=("metadata.jsonl", "metadata.csv"),
        recognises=listings.has_named_clips,
        read=_read_named,
        everywhere=True,
    ),
    Layout(
        name="LJSpeech",
        listing="`metadata.csv`: id, text as written, text as spoken, with bars between",
        audio="`wavs/`",
        patterns=("metadata.csv",),
        recognises=lambda text: "|" in text.partition("\n")[0],
        read=lambda listing, text, problems: listings.read_ljspeech(text, problems),
        folders=("wavs", ""),
    ),
    Layout(
        name="Kaldi",
        listing="`wav.scp` and `text`, maybe `segments`; commands in `wav.scp` are refused",
        audio="as `wav.scp` says, from its folder",
        patterns=("wav.scp",),
        recognises=lambda text: True,
        read=_read_kaldi,
    ),
    Layout(
        name="NeMo",
        listing="`*.json` or `*.jsonl` of lines with `audio_filepath` and `text`, maybe `offset` and `duration`",
        audio="as `audio_filepath` says, from the folder of the list",
        patterns=("*.json", "*.jsonl"),
        recognises=listings.has_named_clips,
        read=_read_named,
    ),
    Layout(
        name="Common Voice",
        listing="`*.tsv` with `path` and `sentence`; a quotation mark is a letter",
        audio="`clips/`, or beside the list",
        patterns=("*.tsv",),
        recognises=listings.has_named_clips,
        read=_read_named,
        folders=("clips", ""),
    ),
    Layout(
        name="FLEURS",
        listing="`*.tsv` without a header: id, file, text, …",
        audio="`audio/NAME/` or `NAME/` for `NAME.tsv`, or beside the list",
        patterns=("*.tsv",),
        recognises=listings.is_fleurs,
        read=lambda listing, text, problems: listings.read_fleurs(text, problems),
        folders=("audio/{stem}", "{stem}", "audio", ""),
    ),
    Layout(
        name="CSV",
        listing="`*.csv` with a header that names a file and a text",
        audio="from the folder of the list",
        patterns=("*.csv",),
        recognises=listings.has_named_clips,
        read=_read_named,
    ),
    Layout(
        name="LibriSpeech",
        listing="`*.trans.txt`, in any folder below",
        audio="beside the list, with the id as its name",
        patterns=("*.trans.txt",),
        recognises=lambda text: True,
        read=lambda listing, text, problems: listings.read_transcripts(text, problems),
        everywhere=True,
    ),
    Layout(
        name="AISHELL",
        listing="`transcript/aishell_transcript*.txt`",
        audio="in any folder, with the id as its name; texts of parts that aren't there are left out",
        patterns=("aishell_transcript*.txt",),
        recognises=lambda text: True,
        read=lambda listing, text, problems: listings.read_transcripts(text, problems),
        everywhere=True,
        by_name=True,
    ),
)
