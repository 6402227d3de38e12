"""TTS servers in processes of their own, one of each manner for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.start import start_tts_server

from stt_load.server.process import ServerProcess


@pytest.fixture(scope="session")
def streaming_server() -> Iterator[ServerProcess]:
    """Serial, as Chatterbox, and quick: a second of speech takes 30 ms."""
    with start_tts_server("--rtf", "0.03") as server:
        yield server


@pytest.fixture(scope="session")
def old_server() -> Iterator[ServerProcess]:
    """It ignores `stream`."""
    with start_tts_server("--rtf", "0.03", "--ignores-stream") as server:
        yield server
