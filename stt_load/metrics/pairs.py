"""A file of references and transcripts, as text: JSON lines, or CSV with a header.

JSON lines begin with `{`. Everything else is CSV; its separator (comma, semicolon as Excel writes it, tab) is the one
with which the header has both columns. `KNOWN_KEYS` are the names that are found without being given.

Rows of our own `utterances.jsonl` count as a report counts them: started in a hold, and completed.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.errors import ConfigError, Outcome

KNOWN_KEYS = (
    ("ref", "hyp"),
    ("reference", "hypothesis"),
    ("reference", "text"),  # our own utterances.jsonl
    ("text", "pred_text"),  # manifests of NeMo
)
_SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(rf"sep=([{_SEPARATORS}])\r?\n", re.IGNORECASE)
_PROBLEMS_LISTED = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference and a transcript. `line`: the line of the file on which the pair begins, from 1."""

    line: int
    reference: str
    transcript: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs of a file. `not_counted`: rows of a run that are not completed utterances of a hold."""

    pairs: tuple[Pair, ...]
    keys: tuple[str, str]
    not_counted: int


NumberedRow = tuple[int, Mapping[str, Any]]  # line in the file, keys and values


def read_pairs(text: str, ref_key: str | None = None, hyp_key: str | None = None) -> Pairs:
    """The pairs of a file with this text. Without a key, `KNOWN_KEYS` are tried. ConfigError names lines."""
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("["):
        raise ConfigError("this is a JSON list: write one object a line (`jq -c '.[]'` does)")
    wanted = [(ref_key or ref, hyp_key or hyp) for ref, hyp in KNOWN_KEYS]
    wanted = [keys for keys in wanted if keys[0] != keys[1]]
    problems: list[str] = []
    rows = list(_json_rows(text, problems) if text.lstrip().startswith("{") else _csv_rows(text, wanted, problems))
    if not rows and not problems:
        raise ConfigError("there is no row in it")
    keys = _keys_of(rows, wanted) if rows else wanted[0]
    counted = [row for row in rows if _is_counted(row[1])]
    pairs = tuple(pair for row in counted if (pair := _pair(row, keys, problems)))
    if problems:
        raise ConfigError(_listed(problems))
    return Pairs(pairs, keys, len(rows) - len(counted))


def _json_rows(text: str, problems: list[str]) -> Iterator[NumberedRow]:
    # Not splitlines: a text may hold what Unicode calls a line separator.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            problems.append(f"line {number}: not JSON ({error}): write one object a line")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            problems.append(f'line {number}: not an object: write one like {{"ref": "said", "hyp": "heard"}}')


def _csv_rows(text: str, wanted: Sequence[tuple[str, str]], problems: list[str]) -> Iterator[NumberedRow]:
    separator, skipped = _separator(text, wanted)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    while True:
        began = lines.line_num + 1
        try:
            cells = next(lines, None)
        except csv.Error as error:
            problems.append(f"line {began}: not CSV ({error}): look for a quotation mark that isn't doubled or closed")
            return
        if cells is None:
            return
        if not any(cell.strip() for cell in cells) or began <= skipped:
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
        elif len(cells) < len(header) or any(cells[len(header) :]):
            problems.append(
                f"line {began}: {len(cells)} cells, the header has {len(header)}: "
                f"put texts with {_NAMES[separator]} into quotation marks"
            )
        else:
            yield began, dict(zip(header, cells, strict=False))


_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab"}


def _separator(text: str, wanted: Sequence[tuple[str, str]]) -> tuple[str, int]:
    """The separator, and the number of lines before the header: Excel may write a first line `sep=;`."""
    declared = _SEPARATOR_LINE.match(text)
    if declared:
        return declared[1], 1
    headers = {separator: _header(text, separator) for separator in _SEPARATORS}
    found = [separator for separator, header in headers.items() if any(set(keys) <= header for keys in wanted)]
    return (found or sorted(headers, key=lambda separator: -len(headers[separator])))[0], 0


def _header(text: str, separator: str) -> set[str]:
    try:
        return {
            cell.strip() for cell in next(csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=separator), ())
        }
    except csv.Error:
        return set()


def _keys_of(rows: Sequence[NumberedRow], wanted: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The keys of reference and transcript: the first of `wanted` that some row has both of."""
    for _, row in rows:
        for keys in wanted:
            if set(keys) <= set(row):
                return keys
    known = ", ".join(dict.fromkeys(f"`{ref}` and `{hyp}`" for ref, hyp in wanted))
    has = ", ".join(f"`{key[:30]}`" for key in list(rows[0][1])[:12])
    raise ConfigError(f"there is no {known} (there is {has or 'nothing'}): name the keys with --ref-key and --hyp-key")


def _is_counted(row: Mapping[str, Any]) -> bool:
    is_ours = {"run_id", "phase", "outcome"} <= set(row)
    return not is_ours or (row["phase"] == "hold" and row["outcome"] == Outcome.OK)


def _pair(row: NumberedRow, keys: tuple[str, str], problems: list[str]) -> Pair | None:
    line, values = row
    missing = [key for key in keys if key not in values]
    if missing:
        problems.append(f"line {line}: no `{'` and no `'.join(missing)}`")
        return None
    texts = [_text(values[key]) for key in keys]
    for key, text in zip(keys, texts, strict=True):
        if text is None:
            problems.append(f"line {line}: `{key}` must be a text")
    reference, transcript = texts
    return None if reference is None or transcript is None else Pair(line, reference, transcript)


def _text(value: Any) -> str | None:
    """The value as text: null is empty, a number its digits. None for a list, an object or a boolean."""
    if value is None:
        return ""
    if isinstance(value, (list, dict, bool)):
        return None
    return str(value).encode("utf-8", "replace").decode("utf-8")  # half of an emoji is legal JSON


def _listed(problems: Sequence[str]) -> list[str]:
    more = len(problems) - _PROBLEMS_LISTED
    return [*problems[:_PROBLEMS_LISTED], *([f"and {more} more lines like these"] if more > 0 else [])]
