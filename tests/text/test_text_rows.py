from __future__ import annotations

import json

import pytest

from stt_load.text.text_rows import TAB, json_rows, lines_of, separated_rows

# What Unicode, and str.splitlines, call the end of a line, and what is part of a text here.
INSIDE_A_TEXT = "one\u2028two\x85three\x0bfour\x0cfive\x1csix\u2029seven"


def rows_of(text: str, separator: str) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    problems: list[str] = []
    rows = [(row.line, dict(row.values)) for row in separated_rows(text, separator, problems)]
    return rows, problems


def test_only_lf_and_crlf_end_a_line() -> None:
    assert lines_of(f"\ufeff{INSIDE_A_TEXT}\r\nb\n\nc") == [INSIDE_A_TEXT, "b", "", "c"]
    assert lines_of("") == [] and lines_of("a\n") == ["a"]


def test_json_lines_keep_every_letter_and_name_the_bad_lines() -> None:
    problems: list[str] = []
    text = "\n".join([json.dumps({"text": INSIDE_A_TEXT}, ensure_ascii=False), "", "{", "[1]", '{"text": "b"}'])
    rows = list(json_rows(text, problems))
    assert [(row.line, row.values["text"]) for row in rows] == [(1, INSIDE_A_TEXT), (5, "b")]
    assert [problem.split(":")[0] for problem in problems] == ["line 3", "line 4"]


def test_json_that_is_too_deep_is_a_problem_of_its_line() -> None:
    problems: list[str] = []
    assert list(json_rows("[" * 100_000, problems)) == [] and len(problems) == 1


def test_a_quotation_mark_between_tabs_is_a_letter() -> None:
    """Common Voice has sentences that begin with a mark and don't close it: read as CSV, two rows become one."""
    text = 'path\tsentence\na.mp3\t"It was dark\nb.mp3\tmiddle\nc.mp3\tends here"\n'
    rows, problems = rows_of(text, TAB)
    assert rows == [
        (2, {"path": "a.mp3", "sentence": '"It was dark'}),
        (3, {"path": "b.mp3", "sentence": "middle"}),
        (4, {"path": "c.mp3", "sentence": 'ends here"'}),
    ]
    assert problems == []


def test_a_line_break_or_a_tab_in_a_cell_between_tabs_is_refused_with_its_lines() -> None:
    rows, problems = rows_of("path\tsentence\na.mp3\tone\ntwo\nb.mp3\tthree\tfour\nc.mp3\tfive\n", TAB)
    assert [row["path"] for _, row in rows] == ["a.mp3", "c.mp3"]
    assert [problem.split(":")[0] for problem in problems] == ["line 3", "line 4"]
    assert all("no tab and no line break" in problem for problem in problems)


def test_csv_has_cells_in_quotation_marks_with_anything_in_them() -> None:
    rows, problems = rows_of('\ufefffile;text\r\na.wav;"one; ""two""\r\nthree"\r\n\r\nb.wav;four\r\n', ";")
    assert rows == [(2, {"file": "a.wav", "text": 'one; "two"\r\nthree'}), (5, {"file": "b.wav", "text": "four"})]
    assert problems == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file,text\na.wav,one, two\n", "line 2: 3 cells, the header has 2: put texts with a comma into"),
        ('file,text\na.wav,"one\n', "line 2: not CSV"),
    ],
)
def test_csv_that_does_not_fit_its_header_is_told(text: str, told: str) -> None:
    rows, (problem,) = rows_of(text, ",")
    assert rows == [] and problem.startswith(told)


def test_a_column_that_is_there_twice_is_told() -> None:
    """Which of the two is meant nobody can say; empty names, of a spreadsheet's empty columns, may come often."""
    _, (problem,) = rows_of("ref,ref,hyp,,\na,b,c,,\n", ",")
    assert problem == "line 1: the header names `ref` twice: give each column a name of its own"


def test_empty_cells_at_the_end_are_nothing() -> None:
    assert rows_of("a\tb\n1\t2\t\t\n", TAB) == ([(2, {"a": "1", "b": "2"})], [])
