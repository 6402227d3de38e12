"""The texts that clips are made from: the shipped English set, and files of the user.

A set of texts is a `dict[clip_id, text]`, in the order in which it is spoken. The shipped ones:

- `shipped_texts/english.txt`: different everyday and telephony sentences, one a line, 3-12 s of speech each, no
  digits and no unusual names, so that a language model of a few hundred words knows every one of them.
- `shipped_texts/standard.json`: the five texts of older benchmarks, by name; left out of the default set because
  "Hello there." is too short to say anything about WER.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

from stt_load.audio.manifest import TEXT_KEYS
from stt_load.errors import ConfigError
from stt_load.text.text_rows import TAB, TextRow, json_rows, lines_of, separated_rows
from stt_load.text.whole_characters import with_whole_characters

# Columns that name a text; files are called after them.
ID_KEYS = ("id", "clip_id", "name", "key")

Texts = dict[str, str]


def english_texts() -> list[str]:
    """Every text of the shipped clips, the five standard ones included, for building a language model."""
    return [*english_set().values(), *standard_set().values()]


def english_set() -> Texts:
    """The default set: ids `english-01`, `english-02`, …"""
    return texts_from_lines(_shipped("english.txt"), prefix="english")


def standard_set() -> Texts:
    """The five standard texts: ids `standard-<key>`."""
    return {f"standard-{key}": text for key, text in json.loads(_shipped("standard.json")).items()}


@dataclass(frozen=True, slots=True)
class TextFile:
    """The texts of a file. `column`: where each row of it had its text; None where a line is a text."""

    texts: Texts
    column: str | None = None


def texts_from_file(path: Path, set_names: Iterable[str] = ()) -> TextFile:
    """The texts of a file, as its ending says: `.json`, `.jsonl`, `.csv`, `.tsv`, or any other with one text a line.

    ConfigError, in the words of the option `--texts`, if it can't be read or has no texts. `set_names`: what that
    option takes instead of a file.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        *first, last = "a .txt file with one text per line", "a .json list", "a .jsonl or .csv file", *set_names
        raise ConfigError(f"--texts {path}: {why}; name {', '.join(first)} or {last}") from None
    read = _READERS.get(path.suffix.lower())
    found = TextFile(texts_from_lines(content)) if read is None else read(content, f"--texts {path}")
    if not found.texts:
        raise ConfigError(f"--texts {path} has no texts: write one per line")
    return found


def texts_from_lines(content: str, prefix: str = "text") -> Texts:
    """The texts of a file with one text a line; empty lines are skipped. Ids are the prefix and a running number."""
    lines = [line.strip() for line in lines_of(content) if line.strip()]
    return numbered(lines, prefix)


def texts_from_json(content: str, name: str) -> Texts:
    """The texts of a JSON list, or of an object of id and text. Raises ConfigError, which starts with `name`."""
    try:
        value = with_whole_characters(json.loads(content))
    except (ValueError, RecursionError) as error:
        rows = "; a file with one JSON object a line is called .jsonl" if _is_json_lines(content) else ""
        raise ConfigError(
            f"{name}: not JSON ({error}); write a list of texts, or an object of id and text{rows}"
        ) from None
    named = value if isinstance(value, dict) else None
    texts = list(value.values()) if named is not None else value
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ConfigError(f"{name}: write a JSON list of texts, or an object of id and text; no text may be empty")
    if named is None:
        return numbered([text.strip() for text in texts], "text")
    return _with_file_safe_ids(named, name)


def texts_from_rows(rows: Iterable[TextRow], name: str, problems: list[str]) -> TextFile:
    """The texts of rows with a column for the text and maybe one for the id. Raises ConfigError with every problem."""
    found = list(rows)
    column = next((key for key in TEXT_KEYS if any(key in row.values for row in found)), None)
    if found and column is None:
        known, has = ", ".join(TEXT_KEYS), ", ".join(map(str, found[0].values))
        problems.append(f"line {found[0].line}: no text in it: name its column one of {known}; it has {has}")
    texts = [(row, row.values.get(column)) for row in found if column is not None]
    problems += [
        f"line {row.line}: `{column}` must be a text that is not empty"
        for row, text in texts
        if not isinstance(text, str) or not text.strip()
    ]
    if problems:
        raise ConfigError([f"{name} {problem}" for problem in problems])
    id_key = next((key for key in ID_KEYS if found and all(_is_id(row.values.get(key)) for row in found)), None)
    spoken = [str(text).strip() for _, text in texts]
    if id_key is None:
        return TextFile(numbered(spoken, "text"), column)
    named = dict(zip((str(row.values[id_key]) for row in found), spoken, strict=True))
    if len(named) < len(found):
        raise ConfigError(f"{name}: an id in `{id_key}` is used twice: ids name the files, so each must be another")
    return TextFile(_with_file_safe_ids(named, name), column)


def numbered(texts: list[str], prefix: str) -> Texts:
    """Gives texts ids of equal width, so that files sort in the order of the texts."""
    width = max(2, len(str(len(texts))))
    return {f"{prefix}-{number:0{width}}": text for number, text in enumerate(texts, start=1)}


def _with_file_safe_ids(named: Texts, name: str) -> Texts:
    """Ids become file names, so every character other than `A-Z a-z 0-9 . _ -` is replaced by `-`."""
    safe = {re.sub(r"[^A-Za-z0-9._-]+", "-", key).strip(".-") or "text": text.strip() for key, text in named.items()}
    if len(safe) < len(named):
        raise ConfigError(f"{name}: two ids are the same once written as file names; use letters, digits and -")
    return safe


def _is_id(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and bool(str(value).strip())


def _is_json_lines(content: str) -> bool:
    return content.lstrip().startswith("{") and all(
        line.strip().startswith("{") for line in lines_of(content) if line.strip()
    )


def _read_json_lines(content: str, name: str) -> TextFile:
    problems: list[str] = []
    return texts_from_rows(json_rows(content, problems), name, problems)


def _read_table(content: str, name: str, separators: str) -> TextFile:
    """A table; its separator is the one that cuts its header into most cells."""
    separator = max(separators, key=content.partition("\n")[0].count)
    problems: list[str] = []
    return texts_from_rows(separated_rows(content, separator, problems), name, problems)


_READERS: dict[str, Callable[[str, str], TextFile]] = {
    ".json": lambda content, name: TextFile(texts_from_json(content, name)),
    ".jsonl": _read_json_lines,
    ".csv": partial(_read_table, separators=",;" + TAB),
    ".tsv": partial(_read_table, separators=TAB),
}


def _shipped(file_name: str) -> str:
    return (files("stt_load.audio") / "shipped_texts" / file_name).read_text(encoding="utf-8")
