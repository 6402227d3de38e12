"""Rows of a text file: JSON lines, CSV with a header, tab-separated with a header.

| what | one row | a cell may hold |
|---|---|---|
| JSON lines | an object on a line of its own | anything |
| comma, semicolon | CSV (RFC 4180): cells in quotation marks where they need it, a mark in them doubled | anything |
| tab | a line; a quotation mark is a letter like any other (Common Voice, FLEURS) | no tab, no line break |

A line ends with LF or CRLF and with nothing else: U+2028, U+0085 and form feed are part of a text
(`str.splitlines` would cut there). A tab-separated cell with a line break can't be told from a row that lacks cells:
both are refused, so that no row is lost or joined with the next one.

A source is a whole text, or the lines of a file of any size: opened as `utf-8-sig` with `newline="\\n"`.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.text.whole_characters import with_whole_characters

TAB = "\t"
_SEPARATOR_NAMES = {",": "a comma", ";": "a semicolon"}


@dataclass(frozen=True, slots=True)
class TextRow:
    """One row. `line`: the line of the file on which it begins, from 1."""

    line: int
    values: Mapping[str, Any]


def lines_of(text: str) -> list[str]:
    """The lines of a text, without their ends and without a byte order mark. Only LF and CRLF end a line."""
    lines = text.removeprefix("\ufeff").split("\n")
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def json_rows(source: str | Iterable[str], problems: list[str]) -> Iterator[TextRow]:
    """The objects of a file of JSON lines. A line that is none is one more of `problems`; empty lines are skipped."""
    for number, line in enumerate(_lines(source), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if "\\u" in line:  # only an escape can be half of a character
                row = with_whole_characters(row)
        except (ValueError, RecursionError) as error:
            reason = "nested too deep" if isinstance(error, RecursionError) else error
            problems.append(f"line {number}: not JSON ({reason}): write one object a line")
            continue
        if isinstance(row, dict):
            yield TextRow(number, row)
        else:
            problems.append(f"line {number}: not an object: write one like {{...}} a line")


def separated_rows(
    source: str | Iterable[str], separator: str, problems: list[str], skip: int = 0
) -> Iterator[TextRow]:
    """The rows of a file with a header, each as texts by column, the way the separator says (see above).

    `skip`: lines before the header. A row that doesn't fit the header is one more of `problems`.
    """
    header: list[str] | None = None
    for line, cells in separated_cells(source, separator, problems):
        if line <= skip or not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            twice = ", ".join(f"`{name}`" for name, n in Counter(filter(None, header)).items() if n > 1)
            if twice:
                problems.append(f"line {line}: the header names {twice} twice: give each column a name of its own")
        elif len(cells) < len(header) or any(cells[len(header) :]):
            problems.append(f"line {line}: {len(cells)} cells, the header has {len(header)}: {_cell_advice(separator)}")
        else:
            yield TextRow(line, dict(zip(header, cells, strict=False)))


def separated_cells(
    source: str | Iterable[str], separator: str, problems: list[str]
) -> Iterator[tuple[int, Sequence[str]]]:
    """The cells of each row with the line on which it begins, empty lines included. No header is expected."""
    if separator == TAB:
        for number, line in enumerate(_lines(source), 1):
            yield number, line.split(TAB)
        return
    lines = csv.reader(_csv_lines(source), delimiter=separator, strict=True)
    while True:
        began = lines.line_num + 1
        try:
            cells = next(lines, None)
        except csv.Error as error:
            problems.append(f"line {began}: not CSV ({error}): look for a quotation mark that isn't doubled or closed")
            return
        if cells is None:
            return
        yield began, cells


def _lines(source: str | Iterable[str]) -> Iterable[str]:
    if isinstance(source, str):
        return lines_of(source)
    return (line.removesuffix("\n").removesuffix("\r") for line in source)


def _csv_lines(source: str | Iterable[str]) -> Iterator[str]:
    """The lines with their ends, which may stand in a cell. Old spreadsheets end them with CR alone."""
    for line in [source.removeprefix("\ufeff")] if isinstance(source, str) else source:
        yield from io.StringIO(line, newline="")


def _cell_advice(separator: str) -> str:
    if separator == TAB:
        return "a cell may hold no tab and no line break (write such texts as JSON lines)"
    return f"put texts with {_SEPARATOR_NAMES[separator]} into quotation marks"
