"""Finds the text of each audio file where no list has the texts: in a file of the same name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from stt_load.audio.codec import AUDIO_SUFFIXES
from stt_load.audio.manifest import ManifestEntry
from stt_load.clips.text_files import decoded
from stt_load.errors import ClipError
from stt_load.text.whole_characters import with_whole_characters

_TEXT_ENDINGS = (".txt", ".TXT", ".lab", ".normalized.txt")


def texts_beside(
    folder: Path, audio: Iterable[Path], files: Iterable[Path], problems: list[str]
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
        words = decoded(text.read_bytes()).split()
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
