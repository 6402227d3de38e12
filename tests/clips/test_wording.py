from __future__ import annotations

import pytest

from stt_load.clips.wording import counted, first_few


@pytest.mark.parametrize(
    ("names", "line"),
    [([], ""), (["a"], "a"), (list("abcde"), "a, b, c, d, e"), (list("abcdefg"), "a, b, c, d, e and 2 more")],
)
def test_of_many_names_the_first_five_are_told_and_how_many_more_there_are(names: list[str], line: str) -> None:
    assert first_few(names) == line


def test_one_is_and_several_are() -> None:
    assert counted(["a"], "file") == "1 file is"
    assert counted(["a"] * 1_000, "file") == "1,000 files are"
