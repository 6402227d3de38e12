"""Loads one clip of a list: its file is decoded, held against what the list says of it, and its speech is found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from stt_load.audio.clip import Clip
from stt_load.audio.codec import Pcm, decode
from stt_load.audio.found_speech import FoundSpeech
from stt_load.audio.manifest import MANIFEST_NAME, ManifestEntry
from stt_load.audio.resample import resample
from stt_load.audio.speech_bounds import SpeechBounds, find_sound
from stt_load.clips.bounds_cache import remembered_speech
from stt_load.errors import ClipError

# The lengths that lists give are rounded, and an MP3 is decoded some frames longer or shorter.
_PART_TOLERANCE_S = 0.25
_ROUNDED_S = 1e-6  # as a manifest of ours is


@dataclass(frozen=True, slots=True)
class LoadedClip:
    """A clip, its entry with every key filled in, what was wrong with its file's header, and the bounds that were found
    where the entry had no end of speech."""

    entry: ManifestEntry
    clip: Clip
    mended: str | None
    found: FoundSpeech | None


class ClipFiles:
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


def load_clip(files: ClipFiles, folder: Path, entry: ManifestEntry, sample_rate_hz: int | None) -> LoadedClip:
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
    words = tuple(entry.words or ())
    if words and max(word.end_s for word in words) > pcm.duration_s + _ROUNDED_S:
        raise ClipError(f"`words` go on until {words[-1].end_s:.3f} s, beyond its length of {pcm.duration_s:.3f} s")
    latest_end_s = None if found is None else max(end_s, min(found.latest_end_s, len(samples) / rate_hz))
    origin = f"{sha256} {entry.offset_s or 0.0:g}"
    clip = Clip(entry.clip_id, entry.reference, samples, rate_hz, speech.start_s, end_s, latest_end_s, origin, words)
    return LoadedClip(complete, clip, pcm.mended, found)


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
    if not start_s < end_s <= pcm.duration_s + _ROUNDED_S:
        raise ClipError(
            f"speech from {start_s:.3f} to {end_s:.3f} s is not within its length of {pcm.duration_s:.3f} s"
        )
    return SpeechBounds(start_s, end_s), found
