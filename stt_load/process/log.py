"""The program's log. Nothing that a server says reaches it as it came: each entry is made printable on its way."""

from __future__ import annotations

import logging
import sys

from stt_load.text.printable import printable

_formatter = logging.Formatter()


def _make_printable(entry: logging.LogRecord) -> bool:
    """A filter that lets every entry through: its message on one line, a traceback on as many as it has, indented, so
    that none of them looks like an entry."""
    entry.msg, entry.args = printable(entry.getMessage()), None
    if entry.exc_info:
        traceback = entry.exc_text or _formatter.formatException(entry.exc_info)
        entry.exc_text = "\n".join(f"  {printable(line)}" for line in traceback.split("\n"))
    return True


def _new_logger(name: str) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.addFilter(_make_printable)
    return logger


def tell_once_of_lost_entries() -> None:
    """A log file on a full disk costs its entries and one line, where `logging` prints a traceback for each of them."""
    told: set[logging.Handler] = set()

    def tell(handler: logging.Handler, _: logging.LogRecord) -> None:
        if handler not in told:
            told.add(handler)
            print(f"entries of the log are lost: {sys.exc_info()[1]}", file=sys.stderr)

    logging.Handler.handleError = tell  # type: ignore[assignment, method-assign]


log = _new_logger("stt_load")
messages_log = _new_logger("stt_load.messages")  # of --verbose: each message of each caller with its time


def show_messages() -> None:
    """Lets the messages of --verbose through, whatever Locust's --loglevel says of the rest."""
    messages_log.setLevel(logging.INFO)
