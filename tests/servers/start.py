"""Starts the test servers, each in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

from servers.script import Script
from stt_load.server.process import ServerProcess

_TESTS = Path(__file__).parents[1]


def server_of_tests(module: str, *flags: str) -> ServerProcess:
    """`python -m servers.MODULE FLAGS`, with tests/ on its path."""
    path = os.pathsep.join(filter(None, (str(_TESTS), os.environ.get("PYTHONPATH"))))
    return ServerProcess(["-m", f"servers.{module}", *flags], environment={"PYTHONPATH": path})


def scripted_server(script: Script, truth: Path | None = None) -> ServerProcess:
    """The scripted recogniser on a free port; `truth`: the file that it logs to."""
    return server_of_tests("scripted", "--script", script.to_json(), *(["--truth", str(truth)] if truth else []))


def stand_in_server(dialect: str, text: str, *flags: str, delay_s: float = 0.05) -> ServerProcess:
    """A server on a free port that speaks `dialect` and takes all speech for `text`."""
    return server_of_tests("stand_in", "--dialect", dialect, "--text", text, "--delay", str(delay_s), *flags)


def tts_server(*flags: str) -> ServerProcess:
    """A TTS server on a free port, as slow and as faulty as its flags say."""
    return server_of_tests("slow_tts", *flags)
