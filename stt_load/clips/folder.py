"""Reads and checks a folder of clips, and writes one, completely or not at all.

Reading takes the layouts that `layouts.py` knows. All files that can't be used are reported together, one line each;
audio that no list names is counted and named.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from stt_load.audio.clip import Clip
from stt_load.audio.codec import READABLE, Pcm, decode, encode_wav
from stt_load.audio.containers import CONVERT, UNREADABLE_SUFFIXES
from stt_load.audio.found_speech import Doubt, FoundSpeech
from stt_load.audio.manifest import MANIFEST_NAME, ManifestEntry, manifest_sha256, to_text
from stt_load.audio.resample import resample
from stt_load.audio.speech_bounds import SpeechBounds, find_sound
from stt_load.clips.bounds_cache import remembered_speech
from stt_load.clips.layouts import Listed, read_layout
from stt_load.errors import ClipError, ConfigError

# A clip with more silence than this after its speech lets a server end the utterance before the clip ends.
LONG_TAIL_S = 0.5
# The lengths that lists give are rounded, and an MP3 is decoded some frames longer or shorter.
_PART_TOLERANCE_S = 0.25
_NAMED = 5  # of many files


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips that are ready to be spoken, with their description for a report.

    `source` says to people where they come from. `manifest_sha256` is equal if the same files were spoken with the
    same references. `notes` are warnings of one line each. `layout` says how a folder was read.
    `found`: by clip id, the bounds of speech that were found where no list says when it ends.
    """

    clips: tuple[Clip, ...]
    source: str
    manifest_sha256: str
    notes: tuple[str, ...] = ()
    layout: str = ""
    found: Mapping[str, FoundSpeech] = field(default_factory=dict)

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
    listed = read_layout(path, problems)
    folder = path if path.is_dir() else path.parent
    if not listed.entries and not problems:
        raise ConfigError(_nothing_in(folder, listed))
    loaded: list[_Loaded] = []
    files = _FileReader()
    for number, entry in enumerate(listed.entries, start=1):
        with _collect_errors(problems, f"{folder / entry.file}{_part_of(entry)}: "):
            loaded.append(_load_clip(files, folder, entry, sample_rate_hz))
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
        _notes(folder, listed, loaded),
        listed.layout,
        {item.clip.clip_id: item.found for item in loaded if item.found is not None},
    )


def write_folder(path: Path, clips: Iterable[Clip], source: Mapping[str, str]) -> None:
    """Writes the clips as 16 bit WAV files with their manifest.

    Everything is written beside `path` under another name and renamed as the last step, so that whatever
    stops it in between (an error from `clips`, Ctrl-C), `path` is not there. An empty folder is replaced.
    Raises FileExistsError if the folder is not empty or another process was faster, ConfigError if the disk
    refuses.
    """
    part = path.parent / f".{path.name}.{uuid.uuid4().hex}.part"
    try:
        part.mkdir(parents=True)
        entries = [_write_clip(part, clip, source) for clip in clips]
        (part / MANIFEST_NAME).write_text(to_text(entries), encoding="utf-8")
        _rename(part, path)
    except FileExistsError:
        raise
    except OSError as error:
        raise ConfigError(
            f"can't write clips to {path}: {error.strerror or error}; choose another folder "
            "(the cache is where STT_LOAD_CACHE says)"
        ) from error
    finally:
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
    )


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A clip, its entry with every key filled in, what was wrong with its file's header, and the bounds that were found
    where the entry had no end of speech."""

    entry: ManifestEntry
    clip: Clip
    mended: str | None
    found: FoundSpeech | None


class _FileReader:
    """Decodes files; the last one is kept, since the clips of a long recording follow each other."""

    def __init__(self) -> None:
        self._last: tuple[Path, str, Pcm] | None = None

    def read(self, path: Path) -> tuple[str, Pcm]:
        """The digest of the file's bytes, and its audio. Raises ClipError with the reason alone."""
        if self._last is None or self._last[0] != path:
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                is_link = path.is_symlink()
                raise ClipError("a link to a file that is not there" if is_link else "the file is missing") from None
            except (OSError, ValueError) as error:
                raise ClipError(f"can't be read ({getattr(error, 'strerror', error)})") from None
            self._last = path, hashlib.sha256(data).hexdigest(), decode(data)
        return self._last[1], self._last[2]


def _load_clip(files: _FileReader, folder: Path, entry: ManifestEntry, sample_rate_hz: int | None) -> _Loaded:
    """The clip of an entry. Raises ClipError with the reason."""
    sha256, whole = files.read(folder / entry.file)
    if entry.sha256 not in (None, sha256):
        raise ClipError(f"the file is not the one that {MANIFEST_NAME} describes: its sha256 differs")
    pcm = _part(whole, entry)
    for key, said, is_so in (
        ("sample_rate_hz", entry.sample_rate_hz, pcm.sample_rate_hz),
        ("n_samples", entry.n_samples, len(pcm.samples)),
    ):
        if said not in (None, is_so):
            raise ClipError(f"{MANIFEST_NAME} says {key} {said}, the file has {is_so}")
    speech, found = _speech(entry, pcm)
    rate_hz = sample_rate_hz or pcm.sample_rate_hz
    samples = resample(pcm.samples, pcm.sample_rate_hz, rate_hz)
    # Resampling may round the length down by one sample: speech can't end after the clip does.
    end_s = min(speech.end_s, len(samples) / rate_hz)
    complete = replace(
        entry,
        sample_rate_hz=pcm.sample_rate_hz,
        n_samples=len(pcm.samples),
        speech_start_s=speech.start_s,
        speech_end_s=speech.end_s,
        sha256=sha256,
    )
    latest_end_s = None if found is None else max(end_s, min(found.latest_end_s, len(samples) / rate_hz))
    clip = Clip(entry.clip_id, entry.reference, samples, rate_hz, speech.start_s, end_s, latest_end_s)
    return _Loaded(complete, clip, pcm.mended, found)


def _part(whole: Pcm, entry: ManifestEntry) -> Pcm:
    """The part of a file that is the clip. Raises ClipError where the file is shorter than that."""
    if not entry.is_part:
        return whole
    start_s = entry.offset_s or 0.0
    end_s = whole.duration_s if entry.duration_s is None else start_s + entry.duration_s
    if start_s >= whole.duration_s or end_s > whole.duration_s + _PART_TOLERANCE_S:
        raise ClipError(
            f"the clip is from {start_s:.2f} to {end_s:.2f} s, but the file is {whole.duration_s:.2f} s long"
        )
    first, after = round(start_s * whole.sample_rate_hz), round(end_s * whole.sample_rate_hz)
    return replace(whole, samples=whole.samples[first:after])


def _part_of(entry: ManifestEntry) -> str:
    return f" from {entry.offset_s:g} s" if entry.offset_s else ""


def _speech(entry: ManifestEntry, pcm: Pcm) -> tuple[SpeechBounds, FoundSpeech | None]:
    """The bounds that the list gives, or else those found in the samples, and what was found where the list has no end
    of speech. A silent file is always refused."""
    start_s, end_s, found = entry.speech_start_s, entry.speech_end_s, None
    if start_s is None or end_s is None:
        heard = remembered_speech(pcm.samples, pcm.sample_rate_hz)
        found = heard if end_s is None else None
        start_s = heard.bounds.start_s if start_s is None else start_s
        end_s = heard.bounds.end_s if end_s is None else end_s
    else:
        find_sound(pcm.samples, pcm.sample_rate_hz)
    if not start_s < end_s <= pcm.duration_s + 1e-6:  # the manifest is rounded to the microsecond
        raise ClipError(
            f"speech from {start_s:.3f} to {end_s:.3f} s is not within its length of {pcm.duration_s:.3f} s"
        )
    return SpeechBounds(start_s, end_s), found


def _nothing_in(folder: Path, listed: Listed) -> str:
    unreadable = sorted(file.name for file in listed.audio_files)
    if unreadable:
        named = first_few(unreadable)
        return f"clips folder {folder} holds no audio that libsndfile can read ({named}): convert it ({CONVERT})"
    return f"clips folder {folder} holds no audio file ({READABLE}): fill it with `stt-load clips make`"


def _notes(folder: Path, listed: Listed, loaded: list[_Loaded]) -> tuple[str, ...]:
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
        notes.append(f"{_counted(unlisted, 'audio file')} not listed and not used: {first_few(unlisted)}")
    if unreadable:
        notes.append(
            f"{_counted(unreadable, 'audio file')} not used, since libsndfile can't read such files: "
            f"{first_few(unreadable)}; convert them ({CONVERT})"
        )
    if listed.without_audio:
        notes.append(f"{listed.without_audio:,} texts of the list have no audio here and are left out")
    if outside:
        notes.append(f"{_counted(outside, 'file')} outside {folder}: {first_few(outside)}")
    if mended:
        notes.append(
            f"{_counted(mended, 'file')} taken as long as the audio that is there, whatever the header says: "
            f"{first_few(mended)}"
        )
    if long_tails:
        notes.append(
            f"{long_tails} clips have more than {LONG_TAIL_S} s of silence after their speech: a server may answer "
            "before the clip ends, so latencies after the last frame come out low; latencies after end of speech do not"
        )
    return tuple(notes)


def _place(path: Path) -> Path:
    """Where a path leads, without following links: a link in the folder is a file of the folder."""
    return Path(os.path.normpath(path.absolute()))


def _name_in(folder: Path, file: Path) -> str:
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)


def _counted(names: list[str], what: str) -> str:
    """`1 file is`, `2 files are`."""
    return f"1 {what} is" if len(names) == 1 else f"{len(names):,} {what}s are"


def first_few(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


@contextmanager
def _collect_errors(problems: list[str], where: str) -> Iterator[None]:
    """Turns a ClipError inside the block into one line of `problems`."""
    try:
        yield
    except ClipError as error:
        problems.append(f"{where}{error}")
