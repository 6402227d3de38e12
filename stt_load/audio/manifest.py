"""`clips.jsonl`: what the files of a clip folder say and where in them the speech is, one line a clip.

| key | meaning |
|---|---|
| `file` | audio file, relative to the folder |
| `reference` | the words spoken |
| `clip_id` | unique in the folder; the file name without its ending where it is left out |
| `sample_rate_hz`, `n_samples` | of the file; samples per channel |
| `speech_start_s`, `speech_end_s` | seconds from the first sample; found from the samples where left out |
| `sha256` | of the file's bytes, as `sha256sum` prints it |
| `source` | how it was made: `engine`, `voice`, `url`, … |
| `offset_s`, `duration_s` | the clip is this part of the file; to its end without `duration_s` |
| `words` | when each word of `reference` sounds: `[["the", 0.05, 0.16], …]`, seconds from the clip's first sample |

Only `file` and `reference` are required, so that a manifest can be written by hand; other lists' names for these two
(`FILE_KEYS`, `TEXT_KEYS`) will do. Whatever else is there must be true of the file. `write_folder` writes every key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import PurePath
from typing import Any

from stt_load.audio.clip import ClipWord
from stt_load.errors import ClipError
from stt_load.text.whole_characters import with_whole_characters

MANIFEST_NAME = "clips.jsonl"

_MOST_SECONDS = 1e9

# What lists of clips call the audio file and the words spoken in it. The first that a row has counts.
FILE_KEYS = ("audio_filepath", "file_name", "file", "path", "audio", "audio_path", "wav_filename", "filename", "wav")
TEXT_KEYS = ("reference", "transcription", "sentence", "text", "transcript", "raw_transcription", "normalized_text")


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One line of the manifest; None for each key that is missing.

    `listed_at`: where its list names it, such as `line 3`: for whoever has to mend it, and no part of the manifest.
    """

    clip_id: str
    file: str
    reference: str
    sample_rate_hz: int | None = None
    n_samples: int | None = None
    speech_start_s: float | None = None
    speech_end_s: float | None = None
    sha256: str | None = None
    source: Mapping[str, str] | None = None
    offset_s: float | None = None
    duration_s: float | None = None
    words: Sequence[ClipWord] | None = None
    listed_at: str | None = field(default=None, compare=False)

    @property
    def is_part(self) -> bool:
        """Whether the clip is cut out of its file."""
        return self.offset_s is not None or self.duration_s is not None

    def to_line(self) -> str:
        """The entry as one JSON object without a line end; None values are left out."""
        row = {key: value for key in _KEYS if (value := getattr(self, key)) is not None}
        if self.words is not None:
            row["words"] = [[word.text, round(word.start_s, 6), round(word.end_s, 6)] for word in self.words]
        return json.dumps(row, ensure_ascii=False, allow_nan=False)


def parse_line(line: str) -> ManifestEntry:
    """Reads one line of the manifest; unknown keys are ignored. Raises ClipError with the reason alone."""
    try:
        row = with_whole_characters(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise ClipError(f"not JSON ({error})") from None
    if not isinstance(row, dict):
        raise ClipError('not a JSON object: write {"file": "a.wav", "reference": "the words spoken"}')
    names = dict(_NEMO_PARTS) if "audio_filepath" in row else {}
    names |= {ours: _first_given(row, keys) for ours, keys in (("file", FILE_KEYS), ("reference", TEXT_KEYS))}
    names = {ours: theirs for ours, theirs in names.items() if ours not in row and row.get(theirs) is not None}
    row |= {ours: row[theirs] for ours, theirs in names.items()}
    for key, rule in _RULES.items():
        if key in row and not rule.holds(row[key]):
            raise ClipError(f"`{names.get(key, key)}` must be {rule.wanted}")
    missing = [key for key in ("file", "reference") if key not in row]
    if missing:
        raise ClipError(f"`{'` and `'.join(missing)}` missing")
    row.setdefault("clip_id", PurePath(row["file"]).stem)
    if "words" in row:
        row["words"] = tuple(ClipWord(text, float(start_s), float(end_s)) for text, start_s, end_s in row["words"])
    return ManifestEntry(**{key: row[key] for key in _KEYS if key in row})


def to_text(entries: Iterable[ManifestEntry]) -> str:
    """The text of a whole manifest file."""
    return "".join(entry.to_line() + "\n" for entry in entries)


def manifest_sha256(entries: Iterable[ManifestEntry]) -> str:
    """The digest of the manifest as `to_text` writes it. It shows in a report which clips were spoken."""
    return hashlib.sha256(to_text(entries).encode(errors="surrogateescape")).hexdigest()  # names of files are bytes


@dataclass(frozen=True, slots=True)
class _Rule:
    wanted: str
    holds: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _MOST_SECONDS


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _is_source(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _are_words(value: Any) -> bool:
    """Whether these are words with their times, in the order in which they begin."""
    if not isinstance(value, list) or not all(isinstance(word, list) and len(word) == 3 for word in value):
        return False
    if not all(_is_text(text) and _is_seconds(start_s) and _is_seconds(end_s) for text, start_s, end_s in value):
        return False
    starts_s = [start_s for _, start_s, _ in value]
    return starts_s == sorted(starts_s) and all(start_s <= end_s for _, start_s, end_s in value)


def _first_given(row: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The first of these keys that has a value; "" where none has."""
    return next((key for key in keys if row.get(key) is not None), "")


# What NeMo calls the part of a file. Elsewhere `duration` describes the file, in whatever unit.
_NEMO_PARTS = {"offset_s": "offset", "duration_s": "duration"}

_TEXT = _Rule("text that is not empty", _is_text)
_COUNT = _Rule("a whole number above 0", _is_count)
_SECONDS = _Rule("a number of seconds, 0 or more", _is_seconds)

_RULES: dict[str, _Rule] = {
    "clip_id": _TEXT,
    "file": _TEXT,
    "reference": _TEXT,
    "sample_rate_hz": _COUNT,
    "n_samples": _COUNT,
    "speech_start_s": _SECONDS,
    "speech_end_s": _SECONDS,
    "sha256": _Rule("64 characters of 0-9 and a-f", _is_sha256),
    "source": _Rule("an object with texts as values", _is_source),
    "offset_s": _SECONDS,
    "duration_s": _SECONDS,
    "words": _Rule('a list of ["text", start, end] in seconds, in the order in which they begin', _are_words),
}
_KEYS = tuple(each.name for each in fields(ManifestEntry) if each.name != "listed_at")
