from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disk import no_room_beyond

from stt_load.process.log import log, messages_log, tell_once_of_lost_entries

PLANTED = "\x1b]0;owned\x07\r\nPASS (exit code 0)"
SHOWN = r"\x1b]0;owned\x07\r\nPASS (exit code 0)"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a handler of somebody else's, at the root as Locust's are, writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("logger", [log, messages_log])
def test_an_entry_is_one_line_whatever_a_server_says(logger: logging.Logger, written: io.StringIO) -> None:
    logger.warning("the server said %s, %d times", PLANTED, 2)
    assert written.getvalue() == f"the server said {SHOWN}, 2 times\n"


def test_a_traceback_keeps_its_lines_and_what_it_quotes_is_shown_as_its_escape(written: io.StringIO) -> None:
    try:
        raise ValueError(f"no number: {PLANTED}")
    except ValueError:
        log.exception("it could not be read")
    first, *traceback = written.getvalue().splitlines()
    assert first == "it could not be read"
    assert traceback[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") for line in traceback)
    assert "\x1b" not in written.getvalue()
    assert r"ValueError: no number: \x1b]0;owned\x07" in written.getvalue()


def test_a_log_file_that_is_full_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(logging.Handler, "handleError", logging.Handler.handleError)
    tell_once_of_lost_entries()
    handler = logging.FileHandler(tmp_path / "log")
    logging.getLogger().addHandler(handler)
    with no_room_beyond(3):
        log.warning("first")
        log.warning("second")
    logging.getLogger().removeHandler(handler)
    handler.close()
    assert capsys.readouterr().err == "entries of the log are lost: [Errno 27] File too large\n"
