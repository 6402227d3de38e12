"""A file of references and transcripts: JSON lines, or rows with a header.

JSON lines begin with `{`. Everything else has a header; its separator (comma, semicolon as Excel writes it, tab) is the
one with which the header has both columns. `KNOWN_KEYS` are the names that are found without being given.

Rows of our own `utterances.jsonl` count as a report counts them: started in a hold, and completed.
"""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TextIO

from stt_load.errors import ConfigError, Outcome
from stt_load.metrics.language_guess import SAMPLE
from stt_load.text.text_rows import TAB, TextRow, json_rows, separated_rows

KNOWN_KEYS = (
    ("ref", "hyp"),
    ("reference", "hypothesis"),
    ("reference", "text"),  # our own utterances.jsonl
    ("text", "pred_text"),  # manifests of NeMo
)
_SEPARATORS = f",;{TAB}"
_SEPARATOR_LINE = re.compile(rf"sep=([{_SEPARATORS}])\r?\n", re.IGNORECASE)
_HEAD = 65_536  # characters in which the header is looked for


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference and a transcript. `line`: the line of the file on which the pair begins, from 1."""

    line: int
    reference: str
    transcript: str


class PairFile:
    """The pairs of a file, to be gone through one after the other: no row is kept, and a million take no room.

    `keys`: those of reference and transcript. `not_counted`: rows of a run that are not completed utterances of a hold.
    `references`: a fair sample of at most `SAMPLE` of them, to guess the language from.
    """

    def __init__(self, source: TextIO, ref_key: str | None = None, hyp_key: str | None = None) -> None:
        """Reads the file once, so that all problems are known before the first pair is used. ConfigError names lines.

        `source`: can be rewound; `text_rows` says how it is opened. Without a key, `KNOWN_KEYS` are tried.
        """
        self._source = source
        head = source.read(_HEAD)
        if head.lstrip().startswith("["):
            raise ConfigError("this is a JSON list: write one object a line (`jq -c '.[]'` does)")
        wanted = [(ref_key or ref, hyp_key or hyp) for ref, hyp in KNOWN_KEYS]
        wanted = [keys for keys in wanted if keys[0] != keys[1]]
        self._is_json = head.lstrip().startswith("{")
        self._separator, self._skipped = _separator(head, wanted)
        self.keys = self._find_keys(wanted)
        self.not_counted = 0
        sample: list[str] = []
        problems: list[str] = []
        draws = random.Random(1)
        for n, pair in enumerate(self._pairs(problems)):
            place = n if n < SAMPLE else draws.randrange(n + 1)
            if n < SAMPLE:
                sample.append(pair.reference)
            elif place < SAMPLE:
                sample[place] = pair.reference
        if problems:
            raise ConfigError(problems)
        self.references = tuple(sample)

    def __iter__(self) -> Iterator[Pair]:
        return self._pairs([])

    def _rows(self, problems: list[str]) -> Iterator[TextRow]:
        self._source.seek(0)
        if self._is_json:
            return json_rows(self._source, problems)
        return separated_rows(self._source, self._separator, problems, self._skipped)

    def _find_keys(self, wanted: Sequence[tuple[str, str]]) -> tuple[str, str]:
        """The keys of reference and transcript: the first of `wanted` that some row has both of."""
        problems: list[str] = []
        rows = self._rows(problems)
        first = next(rows, None)
        if first is None:
            raise ConfigError(problems or "there is no row in it")
        for row in chain((first,), rows):
            for keys in wanted:
                if set(keys) <= set(row.values):
                    return keys
        known = ", ".join(dict.fromkeys(f"`{ref}` and `{hyp}`" for ref, hyp in wanted))
        has = ", ".join(f"`{key[:30]}`" for key in list(first.values)[:12])
        raise ConfigError(
            f"there is no {known} (there is {has or 'nothing'}): name the keys with --ref-key and --hyp-key"
        )

    def _pairs(self, problems: list[str]) -> Iterator[Pair]:
        self.not_counted = 0
        for row in self._rows(problems):
            if not _is_counted(row.values):
                self.not_counted += 1
            elif pair := _pair(row, self.keys, problems):
                yield pair


def _separator(head: str, wanted: Sequence[tuple[str, str]]) -> tuple[str, int]:
    """The separator, and the number of lines before the header: Excel may write a first line `sep=;`."""
    declared = _SEPARATOR_LINE.match(head)
    if declared:
        return declared[1], 1
    headers = {separator: _header(head, separator) for separator in _SEPARATORS}
    found = [separator for separator, header in headers.items() if any(set(keys) <= header for keys in wanted)]
    return (found or sorted(headers, key=lambda separator: -len(headers[separator])))[0], 0


def _header(head: str, separator: str) -> set[str]:
    try:
        cells = next(csv.reader(io.StringIO(head.lstrip(), newline=""), delimiter=separator), ())
    except csv.Error:
        return set()
    return {cell.strip() for cell in cells}


def _is_counted(row: Mapping[str, Any]) -> bool:
    is_ours = {"run_id", "phase", "outcome"} <= row.keys()
    return not is_ours or (row["phase"] == "hold" and row["outcome"] == Outcome.OK)


def _pair(row: TextRow, keys: tuple[str, str], problems: list[str]) -> Pair | None:
    missing = [key for key in keys if key not in row.values]
    if missing:
        problems.append(f"line {row.line}: no `{'` and no `'.join(missing)}`")
        return None
    texts = [_text(row.values[key]) for key in keys]
    for key, text in zip(keys, texts, strict=True):
        if text is None:
            problems.append(f"line {row.line}: `{key}` must be a text")
    reference, transcript = texts
    return None if reference is None or transcript is None else Pair(row.line, reference, transcript)


def _text(value: Any) -> str | None:
    """The value as text: null is empty, a number its digits. None for a list, an object or a boolean."""
    if value is None:
        return ""
    if isinstance(value, (list, dict, bool)):
        return None
    return str(value)
