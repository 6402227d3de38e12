from __future__ import annotations

import subprocess
import sys

import pytest

from stt_load.workloads.clip_progress import tell_encoded, tell_read, tell_rendered


def test_without_a_terminal_only_the_end_of_rendering_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for done in (1, 2):
        tell_rendered(done, 2)
        tell_read(done, 2)
    assert capsys.readouterr() == ("", "rendered 2 clips\n")


def test_in_a_terminal_one_line_is_drawn_over_and_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    tell_read(1, 2)
    tell_read(2, 2)
    tell_rendered(2, 2)
    tell_encoded("Opus", 119.8, 7_200.2)
    assert capsys.readouterr().err == (
        "\rreading clips: 1 of 2\rreading clips: 2 of 2\n\rrendering clips: 2 of 2\n"
        "\rencoding seconds of Opus: 120 of 7200"
    )


@pytest.mark.parametrize("tell", ["tell_rendered", "tell_read", "tell_encoded"])
def test_once_the_process_is_to_end_the_next_clip_is_the_last(tell: str) -> None:
    """In a process of its own: it ends for good."""
    what, of_what = ("'Opus', ", "seconds of Opus") if tell == "tell_encoded" else ("", "clips")
    script = (
        f"from stt_load.workloads.clip_progress import ClipsInterrupted, stop_making_clips, {tell}\n"
        f"{tell}({what}1, 9); stop_making_clips()\n"
        f"try: {tell}({what}2, 9)\n"
        "except ClipsInterrupted as interrupted: print(interrupted)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"interrupted when 2 of 9 {of_what} were ready: no run was started\n"
