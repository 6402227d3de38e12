"""docs/reliability.md is held against the tests and the code: every row is whole, and names tests that there are."""

from __future__ import annotations

import ast
import re
import signal
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from stt_load.errors import ExitCode
from stt_load.report.model import Verdict

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", PAGE, re.MULTILINE))

COLUMNS = ["fault", "what the run folder holds", "exit", "seconds", "left running", "verdict", "test"]
EXIT_CODES = {*map(int, ExitCode), *(128 + number for number in signal.Signals)}
# What a verdict begins with. "as without the fault": it is the run's. "none": no run had begun, or none is reported.
VERDICTS = ("as without the fault", "none", *Verdict)


class Row(NamedTuple):
    section: str
    fault: str
    holds: str
    exit: str
    seconds: str
    left: str
    verdict: str
    test: str


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a text: each a list of lines, each of these a list of cells."""
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [[cells_of(line) for line in block.splitlines()] for block in blocks]


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))]


def rows() -> list[Row]:
    """Every row of the page that has the right number of cells."""
    found = ((section, cells) for section, text in SECTIONS.items() for table in tables(text) for cells in table[2:])
    return [Row(section, *cells) for section, cells in found if len(cells) == len(COLUMNS)]


@cache
def names_of_tests(path: Path) -> frozenset[str]:
    """The test functions of a file; a parametrised one has one name."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def problems_of(row: Row) -> list[str]:
    found = [f"the cell of {name!r} is empty" for name, cell in zip(COLUMNS, row[1:], strict=True) if not cell]
    found += [f"{code} is no exit code" for code in re.findall(r"\d+", row.exit) if int(code) not in EXIT_CODES]
    if not row.verdict.startswith(VERDICTS):
        found += [f"{row.verdict!r} does not begin with one of: {', '.join(VERDICTS)}"]
    for name in row.test.split("<br>"):
        named = re.fullmatch(r"`([\w/]+\.py)::(test_\w+)`", name.strip())
        if named is None:
            found += [f"{name!r} is not `folder/test_file.py::test_name`"]
        elif not (path := TESTS / named[1]).is_file() or named[2] not in names_of_tests(path):
            found += [f"there is no {named[0]} below tests/"]
    return found


def test_every_row_is_whole_and_names_tests_that_there_are() -> None:
    assert [f"{row.section}: {row.fault}: {problem}" for row in rows() for problem in problems_of(row)] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_has_a_table_of_the_same_columns(section: str) -> None:
    found = tables(SECTIONS[section])
    assert found, "no table"
    for head, line, *body in found:
        assert head == COLUMNS
        assert all(re.fullmatch(r":?-+:?", cell) for cell in line), "a line of dashes comes below the head"
        assert body
        assert [cells for cells in body if len(cells) != len(COLUMNS)] == []


def test_no_fault_has_two_rows() -> None:
    faults = [row.fault for row in rows()]
    assert sorted(set(faults)) == sorted(faults)
