"""The lines about a folder of clips: what of it is not used, and what is odd about it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from stt_load.audio.codec import READABLE
from stt_load.audio.containers import CONVERT, UNREADABLE_SUFFIXES
from stt_load.clips.clip_file import LoadedClip
from stt_load.clips.data_set import Listed
from stt_load.clips.wording import counted, first_few

# A clip with more silence than this after its speech lets a server end the utterance before the clip ends.
LONG_TAIL_S = 0.5


def nothing_in(folder: Path, listed: Listed) -> str:
    """Why a folder has no clip, as one line."""
    unreadable = sorted(file.name for file in listed.audio_files)
    if unreadable:
        named = first_few(unreadable)
        return f"clips folder {folder} holds no audio that libsndfile can read ({named}): convert it ({CONVERT})"
    if listed.packed:
        named = first_few(sorted(_name_in(folder, file) for file in listed.packed))
        return (
            f"clips folder {folder} holds no audio file, but {named}: unpack or export it to audio files with a list "
            "(docs/clips.md, “Packed data sets”, has the lines for parquet)"
        )
    return f"clips folder {folder} holds no audio file ({READABLE}): fill it with `stt-load clips make`"


def folder_notes(folder: Path, listed: Listed, loaded: Sequence[LoadedClip]) -> tuple[str, ...]:
    """One line for each thing to know of a folder, none where all of it is used and nothing is odd."""
    used = {(folder / item.entry.file).resolve() for item in loaded}
    unused = sorted(file for file in listed.audio_files if file.resolve() not in used)
    unreadable = [_name_in(folder, file) for file in unused if file.suffix.lower() in UNREADABLE_SUFFIXES]
    unlisted = [_name_in(folder, file) for file in unused if file.suffix.lower() not in UNREADABLE_SUFFIXES]
    named = dict.fromkeys(_place(folder / item.entry.file) for item in loaded)
    outside = [str(file) for file in named if not file.is_relative_to(_place(folder))]
    told = [f"{_name_in(folder, folder / item.entry.file)}: {item.mended}" for item in loaded if item.mended]
    mended = list(dict.fromkeys(told))  # once for a recording of many clips
    long_tails = sum(item.clip.duration_s - item.clip.speech_end_s > LONG_TAIL_S for item in loaded)
    notes = []
    if unlisted:
        notes.append(f"{counted(unlisted, 'audio file')} not listed and not used: {first_few(unlisted)}")
    if unreadable:
        notes.append(
            f"{counted(unreadable, 'audio file')} not used, since libsndfile can't read such files: "
            f"{first_few(unreadable)}; convert them ({CONVERT})"
        )
    if listed.without_audio:
        n = listed.without_audio
        lacking = "1 text of the list has" if n == 1 else f"{n:,} texts of the list have"
        notes.append(f"left out: {lacking} no audio here")
    if outside:
        notes.append(f"{counted(outside, 'file')} outside {folder}: {first_few(outside)}")
    if mended:
        notes.append(
            f"{counted(mended, 'file')} taken as long as the audio that is there, whatever the header says: "
            f"{first_few(mended)}"
        )
    if long_tails:
        these = "1 clip has" if long_tails == 1 else f"{long_tails} clips have"
        notes.append(
            f"{these} more than {LONG_TAIL_S} s of silence after the speech: a server may answer "
            "before the clip ends, so latencies after the last frame come out low; latencies after end of speech do not"
        )
    return tuple(notes)


def _place(path: Path) -> Path:
    """Where a path leads, without following links: a link in the folder is a file of the folder."""
    return Path(os.path.normpath(path.absolute()))


def _name_in(folder: Path, file: Path) -> str:
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)
