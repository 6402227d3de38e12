"""Told to end while it imports, reads or makes clips: one line, exit 5, nothing left, whichever command it is."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from servers.script import Fault, Script
from servers.start import start_scripted_server

from stt_load.cli import COMMANDS
from stt_load.cli.interrupts import interruptible
from stt_load.process.ending_signals import ENDING

pytestmark = pytest.mark.slow

STT_LOAD = [sys.executable, "-P", "-m", "stt_load"]
SIGNALS = pytest.mark.parametrize("number", ENDING)


@dataclass
class HeldServer:
    """A TTS server that speaks two texts, and the third once it may."""

    url: str
    third: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def held() -> Iterator[HeldServer]:
    speech = io.BytesIO()
    soundfile.write(speech, 0.5 * np.sin(np.arange(16000) / 6), 16000, format="WAV")
    asked: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["content-length"])))
            if len(asked) > 2:
                server.third.set()
                server.may_go_on.wait(60)
            with suppress(ConnectionError):  # who asked has ended
                self.send_response(200)
                self.send_header("content-length", str(len(speech.getvalue())))
                self.end_headers()
                self.wfile.write(speech.getvalue())

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = HeldServer(f"http://127.0.0.1:{http.server_port}/tts")
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.may_go_on.set()
    http.shutdown()
    http.server_close()


@contextmanager
def started(words: Sequence[str], folder: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command `stt-load` with these words in that folder; it has ended when the block has."""
    child = subprocess.Popen(
        [*STT_LOAD, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def hidden(folder: Path) -> list[str]:
    return [file.name for file in folder.rglob(".*")]


@SIGNALS
@pytest.mark.parametrize("command", ["run", "probe"])
def test_a_command_that_is_told_to_end_while_its_clips_are_made_starts_nothing(
    tmp_path: Path, held: HeldServer, number: signal.Signals, command: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stt:
        stt_url = f"ws://127.0.0.1:{stt.getsockname()[1]}/ws"
        words = [command, "--stt-url", stt_url, "--tts-url", held.url]
        with started(words, tmp_path, STT_LOAD_CACHE=str(tmp_path / "cache")) as child:
            assert held.third.wait(60)
            child.send_signal(number)
            heard = ""
            if command == "run":  # it ends between two clips, so that nothing is left half done
                assert child.stderr is not None
                heard = child.stderr.readline()
                held.may_go_on.set()
            told = heard + child.communicate(timeout=60)[1]
    assert child.returncode == 5, told
    assert told.strip().splitlines()[-1].startswith("interrupted"), told
    assert "Traceback" not in told
    assert hidden(tmp_path / "cache") == [] and not list(tmp_path.glob("results/*/utterances.jsonl"))


NOT_STARTED = "interrupted before anything was started\n"


def with_endless_import(folder: Path, module: str) -> tuple[Path, dict[str, str]]:
    """A pipe that the import of this module reads to its end, and the environment in which it does."""
    os.mkfifo(folder / "pipe")
    (folder / "before" / module).mkdir(parents=True)
    (folder / "before" / module / "__init__.py").write_text(f"open({str(folder / 'pipe')!r}).read()")
    return folder / "pipe", {"PYTHONPATH": str(folder / "before")}


@SIGNALS
def test_a_run_that_is_told_to_end_while_locust_is_imported_says_so_in_one_line(
    tmp_path: Path, number: signal.Signals
) -> None:
    pipe, environment = with_endless_import(tmp_path, "flask")
    clips = tmp_path / "clips"
    clips.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as stt:
        words = ["run", "--stt-url", f"ws://127.0.0.1:{stt.getsockname()[1]}/ws", "--clips", str(clips)]
        with started(words, tmp_path, **environment) as child, pipe.open("w"):
            child.send_signal(number)
            assert child.communicate(timeout=60) == ("", NOT_STARTED)
    assert child.returncode == 5


def test_every_command_that_is_told_to_end_while_it_imports_says_so_in_one_line(tmp_path: Path) -> None:
    pipe, environment = with_endless_import(tmp_path, "click")
    for command, number in zip(COMMANDS, cycle(ENDING), strict=False):
        with started([command], tmp_path, **environment) as child, pipe.open("w"):
            child.send_signal(number)
            assert child.communicate(timeout=60) == ("", NOT_STARTED), command
        assert child.returncode == 5, command


def test_a_probe_that_waits_for_its_answer_ends_with_5_and_what_it_has_shown(tmp_path: Path) -> None:
    with start_scripted_server(Script(fault=Fault.STALL)) as server, ExitStack() as stack:
        words = ["probe", "--stt-url", server.url, "--timeout", "600"]
        probes = [stack.enter_context(started(words, tmp_path)) for _ in ENDING]
        for probe, number in zip(probes, ENDING, strict=True):
            assert probe.stdout is not None
            assert any("last frame sent" in line for line in iter(probe.stdout.readline, ""))
            probe.send_signal(number)
            assert probe.communicate(timeout=60) == ("", "\ninterrupted\n")
            assert probe.returncode == 5


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("score pipe.txt", signal.SIGINT),
        ("clips make --texts pipe.txt --out made", signal.SIGHUP),
        ("tts --texts pipe.txt", signal.SIGQUIT),
        ("serve --texts pipe.txt", signal.SIGTERM),
    ],
)
def test_a_command_that_waits_for_its_input_ends_with_5_and_one_line(
    tmp_path: Path, words: str, number: signal.Signals
) -> None:
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    with started(words.split(), tmp_path) as child, pipe.open("w"):
        child.send_signal(number)
        out, errors = child.communicate(timeout=60)
    assert (child.returncode, out, errors.strip()) == (5, "", "interrupted")
    assert list(tmp_path.iterdir()) == [pipe]


@SIGNALS
def test_a_signal_to_a_command_that_has_done_its_work_changes_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Its interpreter ends when a pipe does."""
    os.mkfifo(tmp_path / "pipe")
    waits = f"import atexit\natexit.register(lambda: open({str(tmp_path / 'pipe')!r}).read())\n"
    (tmp_path / "sitecustomize.py").write_text(waits)
    with started(["--version"], tmp_path, PYTHONPATH=str(tmp_path)) as child:
        with (tmp_path / "pipe").open("w"):
            child.send_signal(number)
        out, errors = child.communicate(timeout=60)
    assert (child.returncode, out.split()[0], errors) == (0, "stt-load,", "")


def test_what_was_done_on_sigterm_before_is_done_again_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 10)  # the handler comes before the next instruction, or ends this wait
    assert signal.getsignal(signal.SIGTERM) is before
