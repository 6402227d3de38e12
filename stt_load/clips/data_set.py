"""Reads a folder of clips as the layout of its data set has them: which lists it has, and where their audio is.

A folder is looked through in the order of `LAYOUTS`; the first that finds its list reads it. Hidden files (`._x.wav` of
macOS, `.cache`) are nobody's clips.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from stt_load.audio.codec import AUDIO_SUFFIXES
from stt_load.audio.containers import UNREADABLE_SUFFIXES
from stt_load.audio.listings import why_not_named
from stt_load.audio.manifest import ManifestEntry
from stt_load.clips.layouts import LAYOUTS, Layout
from stt_load.clips.text_files import head_of, text_of
from stt_load.clips.texts_beside import texts_beside
from stt_load.clips.wording import first_few
from stt_load.errors import ConfigError
from stt_load.text.whole_characters import with_whole_characters

BESIDE = "a text beside each audio file"
_PACKED_SUFFIXES = (".parquet", ".arrow", ".tar", ".tgz", ".gz", ".zip", ".zst")


@dataclass(frozen=True, slots=True)
class Listed:
    """The clips of a folder as its lists have them, with `file` as a path from the folder, or absolute.

    `audio_files`: those of the folder and below, listed or not. `without_audio`: texts whose audio isn't there, where
    that is no fault. `packed`: files in which audio may be packed, where no audio file is there.
    """

    layout: str
    entries: tuple[ManifestEntry, ...]
    audio_files: frozenset[Path]
    without_audio: int = 0
    packed: frozenset[Path] = frozenset()


def read_data_set(path: Path, problems: list[str]) -> Listed:
    """The clips of a folder, or of one list. Raises ConfigError where several lists could be meant, or none is."""
    folder = path if path.is_dir() else path.parent
    files = sorted(_files(folder))
    audio = frozenset(file for file in files if file.suffix.lower() in (*AUDIO_SUFFIXES, *UNREADABLE_SUFFIXES))
    layout, lists = _chosen(path, files)
    if layout is None:
        return _read_beside(folder, files, audio, problems)
    entries: list[ManifestEntry] = []
    without_audio = 0
    named = {file.stem: file.relative_to(folder).as_posix() for file in sorted(audio)} if layout.by_name else {}
    for listing in lists:
        found: list[str] = []
        where = f"{listing.parent}{os.sep}" if layout.several_files else f"{listing} "
        for entry in layout.read(listing, text_of(listing), found):
            file = named.get(entry.file) if layout.by_name else _located(folder, listing, layout, entry.file)
            if file is None:
                without_audio += 1
            else:
                entries.append(replace(entry, file=file, listed_at=f"{where}{entry.listed_at}"))
        problems += [f"{where}{problem}" for problem in found]
        if not entries and not found:
            problems.append(f"{listing}: lists no clip; delete it if there is a .txt beside each audio file")
    shown = first_few([str(listing.relative_to(folder)) for listing in lists])
    return Listed(f"{layout.name}, {shown}", _with_ids(entries), audio, without_audio)


def _read_beside(folder: Path, files: list[Path], audio: frozenset[Path], problems: list[str]) -> Listed:
    """The clips of a folder without a list that is known, and why what looks like one was not read."""
    found: list[str] = []
    texts = texts_beside(folder, audio, files, found)
    if found and not texts:
        problems += [
            f"{file}: is not read as a list: {why_not_named(head_of(file))}"
            for file in files
            if _seems_a_list(file, folder)
        ]
    problems += found
    if len(problems) > 1 and not texts:
        problems.append(f"{folder}: no audio file has a text, and there is no list that is known: see docs/clips.md")
    packed = () if audio else (file for file in files if file.suffix.lower() in _PACKED_SUFFIXES)
    return Listed(BESIDE, _with_ids(texts), audio, packed=frozenset(packed))


def _chosen(path: Path, files: list[Path]) -> tuple[Layout | None, list[Path]]:
    """The layout and its lists; None where texts stand beside the audio."""
    if not path.is_dir():
        layout = next((layout for layout in LAYOUTS if layout.is_listed_by(path, path.parent)), None)
        if layout is None:
            reason = f" ({why_not_named(head_of(path))})" if _seems_a_list(path, path.parent) else ""
            raise ConfigError(
                f"clips folder {path} is a file, not a folder, and no list of clips that is known{reason}: "
                "see docs/clips.md"
            )
        return layout, [path]
    for layout in LAYOUTS:
        lists = [file for file in files if layout.is_listed_by(file, path)]
        if len(lists) > 1 and not layout.everywhere:
            raise ConfigError(
                f"{path} holds several lists of clips ({first_few([file.name for file in lists])}): "
                f"name one of them, such as {lists[0]}, instead of the folder"
            )
        if lists:
            return layout, lists
    return None, []


def _seems_a_list(file: Path, folder: Path) -> bool:
    """Whether a file has the name of a list whose columns have names, where such a list is looked for."""
    return any(layout.has_named_columns and layout.is_looked_for(file, folder) for layout in LAYOUTS)


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
