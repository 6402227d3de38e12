"""Lists of clips as data sets have them: text of a list in, one `ManifestEntry` for each of its rows out.

Audio files are named as the list names them; `clips/data_set.py` finds them. A row that can't be used is one more of
`problems`, with its line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from stt_load.audio.codec import AUDIO_SUFFIXES
from stt_load.audio.containers import UNREADABLE_SUFFIXES
from stt_load.audio.manifest import FILE_KEYS, TEXT_KEYS, ManifestEntry
from stt_load.errors import ClipError
from stt_load.text.text_rows import TAB, json_rows, lines_of, separated_cells, separated_rows

# Of Kaldi: the recording, and start and end in it in seconds, of each utterance.
_Parts = dict[str, tuple[str, float | None, float | None]]
_SEPARATORS = (TAB, ",", ";")
_FLEURS_CELLS = 4  # id, file, raw text, normalised text, …
_NO_TEXT = "no text of what is spoken"
_NAMES_SHOWN = 8
_NAME_CHARS = 30


def has_named_clips(text: str) -> bool:
    """Whether the rows of a list have names, and among them a file and a text."""
    return _shape_of(text) is not None


def why_not_named(text: str) -> str:
    """What the first row of such a list would need: why `has_named_clips` is false."""
    first = _first_line(text).strip()
    if not first:
        return "it is empty"
    if first.startswith("["):
        return "it is a JSON list: write one object a line (`jq -c '.[]'` does)"
    if first.startswith("{"):
        problems: list[str] = []
        rows = [row.values for row in json_rows(first, problems)]
        if problems:
            return problems[0]
    else:
        tables = [next(separated_cells(first, separator, []), (0, ()))[1] for separator in _SEPARATORS]
        rows = [dict.fromkeys(cell.strip() for cell in max(tables, key=len))]
    lacking = [
        f"{what} ({', '.join(keys)})"
        for what, keys in (("file", FILE_KEYS), ("text", TEXT_KEYS))
        if _first(rows[0], keys) is None
    ]
    names = [str(name)[:_NAME_CHARS] for name in rows[0]][:_NAMES_SHOWN]
    return f"it begins with {', '.join(names) or 'nothing'}, and none of these names a {' or a '.join(lacking)}"


def read_named(text: str, problems: list[str]) -> list[ManifestEntry]:
    """Rows that name a file and a text: JSON lines (NeMo, `metadata.jsonl` of a Hugging Face audiofolder), or a table
    with a header (Common Voice, `metadata.csv` of an audiofolder, any CSV)."""
    shape = _shape_of(text)
    rows = separated_rows(text, shape, problems) if shape else json_rows(text, problems)
    entries = []
    for row in rows:
        try:
            entries.append(replace(entry_of(row.values), listed_at=f"line {row.line}"))
        except ClipError as error:
            problems.append(f"line {row.line}: {error}")
    return entries


def read_fleurs(text: str, problems: list[str]) -> list[ManifestEntry]:
    """Rows without a header: id, file, text as it is written, text normalised, … (google/fleurs)."""
    rows = [(line, cells) for line, cells in separated_cells(text, TAB, problems) if any(cells)]
    for line, cells in rows:
        if len(cells) < _FLEURS_CELLS:
            problems.append(
                f"line {line}: {len(cells)} cells instead of id, file, text, …: a text may hold no line break"
            )
    whole = [(line, cells) for line, cells in rows if len(cells) >= _FLEURS_CELLS]
    return _checked([(line, cells[1], cells[2] or cells[3]) for line, cells in whole], problems)


def read_ljspeech(text: str, problems: list[str]) -> list[ManifestEntry]:
    """`id|text as written|text as spoken`, without quoting; the last of them is the reference (LJSpeech-1.1)."""
    rows = [(line, row.split("|")) for line, row in enumerate(lines_of(text), 1) if row.strip()]
    return _checked([(line, cells[0], next(filter(str.strip, cells[:0:-1]), "")) for line, cells in rows], problems)


def read_transcripts(text: str, problems: list[str]) -> list[ManifestEntry]:
    """`id words spoken`, the audio has the name of the id: `*.trans.txt` of LibriSpeech."""
    return _checked([(line, name, words) for line, name, words in _pairs(text)], problems)


def read_kaldi(wav_scp: str, text: str, segments: str | None, problems: list[str]) -> list[ManifestEntry]:
    """A Kaldi data folder: `wav.scp` (recording, file), `text` (utterance, words), and maybe `segments` (utterance,
    recording, start, end in seconds). A command in `wav.scp` is refused, never run. Lines are told with their file.

    https://kaldi-asr.org/doc/data_prep.html
    """
    files: dict[str, tuple[int, str]] = {}
    for line, recording, file in _pairs(wav_scp):
        if file.startswith("|") or file.endswith("|"):
            problems.append(f"wav.scp line {line}: {recording} is made by a command, which is not run: save its output")
        elif not file or ".ark:" in file:
            problems.append(f"wav.scp line {line}: {recording} is no audio file ({file or 'nothing'}): name one")
        else:
            files[recording] = line, file
    refused = {recording for _, recording, _ in _pairs(wav_scp)} - files.keys()
    words_of = {utterance: (line, words) for line, utterance, words in _pairs(text)}
    parts: _Parts = {utterance: (utterance, None, None) for utterance in (*files, *refused)}
    if segments is not None:
        parts = _segments(segments, problems)
    entries = []
    for utterance, (recording, start_s, end_s) in parts.items():
        line, words = words_of.get(utterance, (0, ""))
        if recording in refused:
            continue  # told already
        if recording not in files:
            problems.append(f"segments: {utterance} is of {recording}, which wav.scp lacks")
        elif not words:
            problems.append(f"text{f' line {line}' if line else ''}: {_NO_TEXT} in {utterance}")
        else:
            length_s = end_s - start_s if start_s is not None and end_s is not None else None
            line, file = files[recording]
            entries.append(
                ManifestEntry(
                    utterance,
                    file,
                    words,
                    offset_s=start_s,
                    duration_s=length_s,
                    listed_at=f"wav.scp line {line}",
                )
            )
    problems += [
        f"text line {line}: {utterance} has no audio in wav.scp or segments"
        for utterance, (line, _) in words_of.items()
        if utterance not in parts
    ]
    return entries


def is_fleurs(text: str) -> bool:
    """Whether the first row is one of FLEURS: a number, a file, texts."""
    cells = text.partition("\n")[0].split(TAB)
    return len(cells) >= _FLEURS_CELLS and cells[0].strip("\ufeff").isdigit() and bool(PurePath(cells[1]).suffix)


def entry_of(row: Mapping[str, Any]) -> ManifestEntry:
    """The clip of one row of any list that names a file and a text. Raises ClipError with the reason alone.

    `offset` and `duration` are NeMo's: seconds, the part of the file that is the clip.
    """
    file_key, text_key = _first(row, FILE_KEYS), _first(row, TEXT_KEYS)
    if file_key is None or text_key is None:
        raise ClipError(f"no file and text in it: it has {', '.join(map(str, row)) or 'nothing'}")
    file, words = row[file_key], row[text_key]
    if not isinstance(file, str) or not file.strip():
        raise ClipError(f"`{file_key}` must be the name of a file")
    if not isinstance(words, str) or not words.strip():
        raise ClipError(f"{_NO_TEXT}: `{text_key}` is empty")
    offset_s = _seconds(row, "offset")
    # Elsewhere `duration` describes the file, in whatever unit.
    is_nemo = file_key == "audio_filepath" or offset_s is not None
    duration_s = _seconds(row, "duration") if is_nemo else None
    return ManifestEntry(PurePath(file).stem, file.strip(), words.strip(), offset_s=offset_s, duration_s=duration_s)


def _shape_of(text: str) -> str | None:
    """The separator of a table with a file and a text in its header, "" for JSON lines with both, else None."""
    first = _first_line(text)
    if first.lstrip().startswith("{"):
        rows: list[Mapping[str, Any]] = [row.values for row in json_rows(first, [])]
        shapes = [("", row) for row in rows]
    else:
        cells = [(separator, next(separated_cells(first, separator, []), (0, ()))[1]) for separator in _SEPARATORS]
        shapes = [(separator, dict.fromkeys(cell.strip() for cell in row)) for separator, row in cells]
    return next((shape for shape, row in shapes if _first(row, FILE_KEYS) and _first(row, TEXT_KEYS)), None)


def _first_line(text: str) -> str:
    return text.lstrip("\ufeff\r\n").partition("\n")[0]


def _first(row: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if key in row), None)


def _seconds(row: Mapping[str, Any], key: str) -> float | None:
    value = row.get(key)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise ClipError(f"`{key}` must be a number of seconds, 0 or more")
    return number


def _pairs(text: str) -> list[tuple[int, str, str]]:
    """Line, first word, and the rest of each line that isn't empty."""
    found = []
    for line, row in enumerate(lines_of(text), 1):
        name, _, rest = row.strip().replace(TAB, " ").partition(" ")
        if name:
            found.append((line, name, rest.strip()))
    return found


def _segments(text: str, problems: list[str]) -> _Parts:
    """Recording, start and end of each utterance; an end of -1 is the end of the recording."""
    parts: _Parts = {}
    for line, utterance, rest in _pairs(text):
        try:
            recording, start, end, *_ = rest.split()
            start_s, end_s = float(start), float(end)
            if not (0 <= start_s < math.inf and (end_s == -1 or start_s < end_s < math.inf)):
                raise ValueError
        except ValueError:
            problems.append(f"segments line {line}: write utterance, recording, start and end in seconds")
            continue
        parts[utterance] = recording, start_s, None if end_s == -1 else end_s
    return parts


def _checked(rows: list[tuple[int, str, str]], problems: list[str]) -> list[ManifestEntry]:
    """The entries of rows of line, file and text."""
    entries = []
    for line, file, words in rows:
        if not file.strip():
            problems.append(f"line {line}: no file")
        elif not words.strip():
            problems.append(f"line {line}: {_NO_TEXT}")
        else:
            name = file.strip()
            is_file = PurePath(name).suffix.lower() in (*AUDIO_SUFFIXES, *UNREADABLE_SUFFIXES)
            clip_id = PurePath(name).stem if is_file else name
            entries.append(ManifestEntry(clip_id, name, words.strip(), listed_at=f"line {line}"))
    return entries
