"""The log of --verbose: each message of each caller with its time."""

from __future__ import annotations

import logging

messages_log = logging.getLogger("stt_load.messages")


def show_messages() -> None:
    """Lets the messages through, whatever Locust's --loglevel says of the rest."""
    messages_log.setLevel(logging.INFO)
