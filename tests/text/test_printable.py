from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.text.printable import printable

ANY_LETTER = st.characters(codec=None, exclude_categories=())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07\x1b[2J", r"\x1b]0;owned\x07\x1b[2J"),
        ("ok\r\nPASS (exit code 0)", r"ok\r\nPASS (exit code 0)"),
        ("\x9b31mred", r"\x9b31mred"),
        ("a\u202egnp.exe\u2028b", r"a\u202egnp.exe\u2028b"),
        ("half \ud83d of it", r"half \ud83d of it"),
        ("\U000e0041", r"\U000e0041"),
    ],
    ids=["escape", "lines", "C1", "direction", "half", "tag"],
)
def test_what_would_command_a_terminal_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text", ["می\u200cخواهم", "क्\u200dया", "שלום\u200f!", "東京\u3000駅", "co\u00adop", "👩\u200d🚒", r"C:\x1b"]
)
def test_what_languages_are_written_with_stays(text: str) -> None:
    assert printable(text) == text


@given(st.text(ANY_LETTER))
def test_no_text_holds_a_control_code_or_a_line_end_and_each_can_be_written(text: str) -> None:
    shown = printable(text)
    assert not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in shown)
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == printable(shown) == shown
