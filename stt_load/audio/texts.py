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
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from stt_load.errors import ConfigError

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


def texts_from_file(path: Path, set_names: Iterable[str] = ()) -> Texts:
    """The texts of a `.json` file (a list, or an object of id and text), or of any other with one text per line.

    ConfigError, in the words of the option `--texts`, if it can't be read or has no texts. `set_names`: what that
    option takes instead of a file.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        *first, last = "a .txt file with one text per line", "a .json list", *set_names
        raise ConfigError(f"--texts {path}: {why}; name {', '.join(first)} or {last}") from None
    texts = texts_from_json(content, str(path)) if path.suffix == ".json" else texts_from_lines(content)
    if not texts:
        raise ConfigError(f"--texts {path} has no texts: write one per line")
    return texts


def texts_from_lines(content: str, prefix: str = "text") -> Texts:
    """The texts of a file with one text a line; empty lines are skipped. Ids are the prefix and a running number."""
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    return numbered(lines, prefix)


def texts_from_json(content: str, name: str) -> Texts:
    """The texts of a JSON list, or of an object of id and text. Raises ConfigError, which starts with `name`."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise ConfigError(f"{name}: not JSON ({error}); write a list of texts, or an object of id and text") from None
    named = value if isinstance(value, dict) else None
    texts = list(value.values()) if named is not None else value
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ConfigError(f"{name}: write a JSON list of texts, or an object of id and text; no text may be empty")
    if named is None:
        return numbered([text.strip() for text in texts], "text")
    return _with_file_safe_ids(named, name)


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


def _shipped(file_name: str) -> str:
    return (files("stt_load.audio") / "shipped_texts" / file_name).read_text(encoding="utf-8")
