"""Starts the test servers, each in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

from servers.script import Script
from stt_load.server.process import ServerProcess

_TESTS = Path(__file__).parents[1]


def start_test_server(module: str, *flags: str) -> ServerProcess:
    """`python -m servers.MODULE FLAGS`, with tests/ on its path."""
    path = os.pathsep.join(filter(None, (str(_TESTS), os.environ.get("PYTHONPATH"))))
    return ServerProcess(["-m", f"servers.{module}", *flags], environment={"PYTHONPATH": path})


def start_scripted_server(script: Script, truth: Path | None = None) -> ServerProcess:
    """The scripted recogniser on a free port; `truth`: the file that it logs to."""
    return start_test_server("scripted", "--script", script.to_json(), *(["--truth", str(truth)] if truth else []))


def start_stand_in(dialect: str, text: str, *flags: str, delay_s: float = 0.05) -> ServerProcess:
    """A server on a free port that speaks `dialect` and takes all speech for `text`."""
    return start_test_server("stand_in", "--dialect", dialect, "--text", text, "--delay", str(delay_s), *flags)


def start_riva_server(*flags: str) -> ServerProcess:
    """A gRPC server on a free port, which says what each caller's header `script` tells it to."""
    return start_test_server("riva_server", *flags)


def start_tts_server(*flags: str) -> ServerProcess:
    """A TTS server on a free port, as slow and as faulty as its flags say."""
    return start_test_server("slow_tts", *flags)


def start_speech_stream(*flags: str) -> ServerProcess:
    """A speech server on a free port that takes its text piece by piece, as its flags say."""
    return start_test_server("speech_stream", *flags)


def start_talker(*flags: str) -> ServerProcess:
    """A server on a free port that converses over OpenAI Realtime, as its flags say."""
    return start_test_server("talker", *flags)


def start_phone_agent(line: str, *flags: str) -> ServerProcess:
    """A voice agent on a free port that Twilio or Asterisk would call, as its flags say."""
    return start_test_server("phone_agent", "--line", line, *flags)
