"""Reads and checks a folder of clips, and writes one, completely or not at all.

Reading takes any folder of wav, flac or ogg files with `clips.jsonl` (see `manifest.py`), or with a `.txt` of
the same name beside each audio file. All files that can't be used are reported together, one line each.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stt_load.audio.clip import Clip
from stt_load.audio.codec import AUDIO_SUFFIXES, Pcm, decode, encode_wav
from stt_load.audio.manifest import MANIFEST_NAME, ManifestEntry, manifest_sha256, parse_line, to_text
from stt_load.audio.resample import resample
from stt_load.audio.speech_bounds import SpeechBounds, find_speech
from stt_load.errors import ClipError, ConfigError

# A clip with more silence than this after its speech lets a server end the utterance before the clip ends.
LONG_TAIL_S = 0.5


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips that are ready to be spoken, with their description for a report.

    `source` says to people where they come from. `manifest_sha256` is equal if the same files were spoken with the
    same references. `notes` are warnings of one line each.
    """

    clips: tuple[Clip, ...]
    source: str
    manifest_sha256: str
    notes: tuple[str, ...] = ()


def load_folder(path: Path | str, sample_rate_hz: int | None) -> ClipSet:
    """Every clip of the folder, mono, at `sample_rate_hz` (None: each at the rate of its file).

    Raises ConfigError with one line for each problem.
    """
    folder = Path(path)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise ConfigError(f"clips folder {folder} {what}: give a folder of wav, flac or ogg files")
    problems: list[str] = []
    entries = _read_entries(folder, problems)
    if not entries and not problems:
        raise ConfigError(f"clips folder {folder} holds no wav, flac or ogg file: fill it with `stt-load clips make`")
    checked: list[tuple[ManifestEntry, Clip]] = []
    for entry in entries:
        with _collect_errors(problems, f"{folder / entry.file}: "):
            checked.append(_load_clip(folder, entry, sample_rate_hz))
    problems += [
        f"{folder}: clip id {clip_id!r} is used {n} times: rename the files or give each line its own `clip_id`"
        for clip_id, n in Counter(entry.clip_id for entry in entries).items()
        if n > 1
    ]
    if problems:
        raise ConfigError(problems)
    clips = tuple(clip for _, clip in checked)
    return ClipSet(clips, str(folder), manifest_sha256(entry for entry, _ in checked), _notes(folder, entries, clips))


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


def _read_entries(folder: Path, problems: list[str]) -> list[ManifestEntry]:
    manifest = folder / MANIFEST_NAME
    try:
        if manifest.exists():
            return _manifest_entries(manifest, problems)
        return _text_entries(folder, problems)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{manifest if manifest.exists() else folder}: can't be read ({error})") from None


def _manifest_entries(manifest: Path, problems: list[str]) -> list[ManifestEntry]:
    entries = []
    lines = manifest.read_text(encoding="utf-8-sig").splitlines()
    if not any(line.strip() for line in lines):
        problems.append(f"{manifest}: lists no clip; delete it if there is a .txt beside each audio file")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            with _collect_errors(problems, f"{manifest} line {number}: "):
                entries.append(parse_line(line))
    return entries


def _text_entries(folder: Path, problems: list[str]) -> list[ManifestEntry]:
    """An entry for each audio file, with the reference from the `.txt` of the same name."""
    entries = []
    for audio in _audio_files(folder):
        with _collect_errors(problems, f"{audio}: "):
            entries.append(ManifestEntry(clip_id=audio.stem, file=audio.name, reference=_text_beside(audio)))
    return entries


def _text_beside(audio: Path) -> str:
    text = audio.with_suffix(".txt")
    if not text.exists():
        raise ClipError(f"no reference text: write what is spoken into {text.name} beside it")
    try:
        # A text file may be wrapped; a reference is one line.
        reference = " ".join(text.read_text(encoding="utf-8-sig").split())
    except (OSError, UnicodeDecodeError) as error:
        raise ClipError(f"its text {text.name} can't be read as UTF-8 ({error})") from None
    if not reference:
        raise ClipError(f"its text {text.name} is empty: write what is spoken")
    return reference


def _audio_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file())


def _load_clip(folder: Path, entry: ManifestEntry, sample_rate_hz: int | None) -> tuple[ManifestEntry, Clip]:
    """The clip, and its entry with every key filled in. Raises ClipError with the reason."""
    try:
        data = (folder / entry.file).read_bytes()
    except FileNotFoundError:
        raise ClipError(f"the file is missing, but {MANIFEST_NAME} lists it") from None
    except OSError as error:
        raise ClipError(f"can't be read ({error.strerror})") from None
    sha256 = hashlib.sha256(data).hexdigest()
    if entry.sha256 not in (None, sha256):
        raise ClipError(f"the file is not the one that {MANIFEST_NAME} describes: its sha256 differs")
    pcm = decode(data)
    for key, said, is_so in (
        ("sample_rate_hz", entry.sample_rate_hz, pcm.sample_rate_hz),
        ("n_samples", entry.n_samples, len(pcm.samples)),
    ):
        if said not in (None, is_so):
            raise ClipError(f"{MANIFEST_NAME} says {key} {said}, the file has {is_so}")
    speech = _speech(entry, pcm)
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
    return complete, Clip(entry.clip_id, entry.reference, samples, rate_hz, speech.start_s, end_s)


def _speech(entry: ManifestEntry, pcm: Pcm) -> SpeechBounds:
    """The bounds that the manifest gives, or else those found in the samples. A silent file is always refused."""
    found = find_speech(pcm.samples, pcm.sample_rate_hz)
    start_s = found.start_s if entry.speech_start_s is None else entry.speech_start_s
    end_s = found.end_s if entry.speech_end_s is None else entry.speech_end_s
    if not start_s < end_s <= pcm.duration_s + 1e-6:  # the manifest is rounded to the microsecond
        raise ClipError(
            f"speech from {start_s:.3f} to {end_s:.3f} s is not within its length of {pcm.duration_s:.3f} s"
        )
    return SpeechBounds(start_s, end_s)


def _notes(folder: Path, entries: list[ManifestEntry], clips: tuple[Clip, ...]) -> tuple[str, ...]:
    unnamed = len({file.name for file in _audio_files(folder)} - {str(Path(entry.file)) for entry in entries})
    long_tails = sum(clip.duration_s - clip.speech_end_s > LONG_TAIL_S for clip in clips)
    notes = []
    if unnamed:
        notes.append(f"{unnamed} audio files in {folder} are not listed in {MANIFEST_NAME} and are ignored")
    if long_tails:
        notes.append(
            f"{long_tails} clips have more than {LONG_TAIL_S} s of silence after their speech: a server may answer "
            "before the clip ends, so latencies after the last frame come out low; latencies after end of speech do not"
        )
    return tuple(notes)


@contextmanager
def _collect_errors(problems: list[str], where: str) -> Iterator[None]:
    """Turns a ClipError inside the block into one line of `problems`."""
    try:
        yield
    except ClipError as error:
        problems.append(f"{where}{error}")
