from __future__ import annotations

from stt_load.errors import LISTED_IN_ALL, ConfigError


def test_ten_thousand_problems_of_a_kind_are_five_lines_and_a_count() -> None:
    texts = [f"clips/{n}.wav: no reference text: write what is spoken into {n}.txt beside it" for n in range(10_000)]
    cut = [f"clips/cut {n}.wav: the file is cut short: its header promises {n}.00 s" for n in range(3)]
    error = ConfigError([*texts[:5000], *cut, *texts[5000:]])
    assert error.lines == [*texts[:5], "… and 9,995 more like these", *cut]
    assert len(error.problems) == 10_003


def test_kinds_differ_by_their_reason_and_not_by_what_they_are_about() -> None:
    ids = [f"clips: clip id 'take {n}: one' is used {n} times: rename the files" for n in range(2, 20)]
    rows = [f"test.tsv line {n}: {n % 7} cells, the header has 9: a cell may hold no tab" for n in range(20)]
    lines = ConfigError([*ids, *rows]).lines
    assert lines == [*ids[:5], "… and 13 more like these", *rows[:5], "… and 15 more like these"]


def test_few_problems_are_all_shown_in_their_order() -> None:
    problems = ["--users: write 1,2,5", "--hold: 'x' is no time", "--hold: 'y' is no time", "no server"]
    assert ConfigError(problems).lines == problems
    assert ConfigError("one").lines == ["one"]


def test_problems_that_all_differ_end_with_a_count() -> None:
    letters = [f"{chr(97 + n % 26)}{chr(97 + n // 26)} is wrong" for n in range(300)]
    lines = ConfigError(letters).lines
    assert len(lines) == LISTED_IN_ALL + 1 and lines[-1] == "… and 250 more problems"
