"""Reads and checks a folder of clips, and writes one, completely or not at all.

Reading takes the layouts that `layouts.py` knows. All files that can't be used are reported together, one line each;
audio that no list names is counted and named.
"""

from __future__ import annotations

import glob
import hashlib
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from stt_load.audio.bounds_doubts import Doubt
from stt_load.audio.clip import Clip
from stt_load.audio.codec import Pcm, encode_wav
from stt_load.audio.found_speech import FoundSpeech
from stt_load.audio.manifest import MANIFEST_NAME, ManifestEntry, manifest_sha256, to_text
from stt_load.clips.clip_file import ClipFiles, LoadedClip, load_clip
from stt_load.clips.data_set import read_data_set
from stt_load.clips.folder_notes import folder_notes, nothing_in
from stt_load.errors import ClipError, ConfigError
from stt_load.process.atomic_file import write_error

_ABANDONED_AFTER_S = 3_600.0


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips that are ready to be spoken, with their description for a report.

    `source` says to people where they come from. `manifest_sha256` is equal if the same files were spoken with the
    same references. `notes` are warnings of one line each. `layout` says how a folder was read.
    `found`: by clip id, the bounds of speech that were found where no list says when it ends.
    `silences`: by clip id, what a caller sends in its place who never speaks; nothing where every caller speaks.
    """

    clips: tuple[Clip, ...]
    source: str
    manifest_sha256: str
    notes: tuple[str, ...] = ()
    layout: str = ""
    found: Mapping[str, FoundSpeech] = field(default_factory=dict)
    silences: Mapping[str, Clip] = field(default_factory=dict)

    @property
    def doubts(self) -> dict[str, tuple[Doubt, ...]]:
        """Why the bounds of a clip may be wrong, by clip id, for each clip with any doubt."""
        return {clip_id: found.doubts for clip_id, found in self.found.items() if found.doubts}


def load_folder(
    path: Path | str, sample_rate_hz: int | None, progress: Callable[[int, int], None] | None = None
) -> ClipSet:
    """Every clip of the folder, or of one list of clips in it, mono, at `sample_rate_hz` (None: each at its own rate).

    `progress` is called after each clip with the number read and the number in all: finding the speech in a thousand
    clips takes minutes, once. Raises ConfigError with one line for each problem.
    """
    path = Path(path)
    if not path.exists():
        raise ConfigError(f"clips folder {path} does not exist: give a folder of audio files, or a list of clips")
    problems: list[str] = []
    listed = read_data_set(path, problems)
    folder = path if path.is_dir() else path.parent
    if not listed.entries and not problems:
        raise ConfigError(nothing_in(folder, listed))
    loaded: list[LoadedClip] = []
    files = ClipFiles()
    for number, entry in enumerate(listed.entries, start=1):
        listed_at = f"{entry.listed_at}: " if entry.listed_at else ""
        with _collect_errors(problems, f"{listed_at}{folder / entry.file}{_part_of(entry)}: "):
            loaded.append(load_clip(files, folder, entry, sample_rate_hz))
        if progress is not None:
            progress(number, len(listed.entries))
    problems += [
        f"{folder}: clip id {clip_id!r} is used {n} times: rename the files or give each line its own `clip_id`"
        for clip_id, n in Counter(entry.clip_id for entry in listed.entries).items()
        if n > 1
    ]
    if problems:
        raise ConfigError(problems)
    digest = manifest_sha256(item.entry for item in loaded)
    return ClipSet(
        tuple(item.clip for item in loaded),
        str(path),
        digest,
        folder_notes(folder, listed, loaded),
        listed.layout,
        {item.clip.clip_id: item.found for item in loaded if item.found is not None},
    )


def write_folder(path: Path, clips: Iterable[Clip], source: Mapping[str, str]) -> None:
    """Writes the clips as 16 bit WAV files with their manifest.

    Everything is written beside `path` under another name and renamed as the last step, so that whatever
    stops it in between (an error from `clips`, Ctrl-C), `path` is not there. An empty folder is replaced. What a
    process that was killed has left beside it is removed by a later one.
    Raises FileExistsError if the folder is not empty or another process was faster, ConfigError if the disk
    refuses.
    """
    part = path.parent / f".{path.name}.{uuid.uuid4().hex}.part"
    try:
        part.mkdir(parents=True)
        _remove_abandoned(path, part)
        entries = [_write_clip(part, clip, source) for clip in clips]
        (part / MANIFEST_NAME).write_text(to_text(entries), encoding="utf-8")
        _rename(part, path)
    except FileExistsError:
        raise
    except OSError as error:
        line = f"can't write clips to {path}: {error.strerror or error}; choose another folder"
        raise write_error(f"{line} (the cache is where STT_LOAD_CACHE says)", error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _remove_abandoned(path: Path, new: Path) -> None:
    """Removes the halves of this folder to which, as their file system has it, nothing has been added for an hour:
    nobody takes so long to speak a clip. `new` has just been made there."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(OSError):  # another process was faster
            if new.stat().st_mtime - part.stat().st_mtime > _ABANDONED_AFTER_S:
                shutil.rmtree(part, ignore_errors=True)


def is_free(path: Path) -> bool:
    """True if a folder can be written to this path: nothing is there, or an empty folder."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def _rename(part: Path, path: Path) -> None:
    try:
        part.rename(path)
    except OSError:
        if is_free(path):
            raise
        raise FileExistsError(str(path)) from None


def _write_clip(folder: Path, clip: Clip, source: Mapping[str, str]) -> ManifestEntry:
    data = encode_wav(Pcm(clip.samples, clip.sample_rate_hz))
    file = f"{clip.clip_id}.wav"
    (folder / file).write_bytes(data)
    return ManifestEntry(
        clip_id=clip.clip_id,
        file=file,
        reference=clip.reference,
        sample_rate_hz=clip.sample_rate_hz,
        n_samples=len(clip.samples),
        speech_start_s=round(clip.speech_start_s, 6),
        speech_end_s=round(clip.speech_end_s, 6),
        sha256=hashlib.sha256(data).hexdigest(),
        source=dict(source),
        words=clip.words or None,
    )


def _part_of(entry: ManifestEntry) -> str:
    return f" from {entry.offset_s:g} s" if entry.offset_s else ""


@contextmanager
def _collect_errors(problems: list[str], where: str) -> Iterator[None]:
    """Turns a ClipError inside the block into one line of `problems`."""
    try:
        yield
    except ClipError as error:
        problems.append(f"{where}{error}")
