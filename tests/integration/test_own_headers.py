"""Own headers and a password in the URL: sent with each request, and in nothing that a run writes or shows."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from runs import STT_LOAD, Run, rows, run_folder, wait_for_rows
from servers.start import start_stand_in

from stt_load import __version__

TYPED, FROM_ENVIRONMENT, PASSWORD = "typed-s3cret-1", "kept-s3cret-2", "url-s3cret-3"
HEADERS = ["--header", f"X-Tenant={TYPED}", "--header", f"Cookie=session={TYPED}; a=b"]
ENVIRONMENT = {"STT_LOAD_HEADERS": f"X-Kept={FROM_ENVIRONMENT}"}
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()


class Quoting(BaseHTTPRequestHandler):
    """Refuses every upload and every upgrade, with all headers in its reason."""

    seen: list[dict[str, str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        said = "; ".join(f"{name}: {value}" for name, value in self.headers.items() if name in QUOTED)
        body = json.dumps({"detail": f"not for {said}"}).encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


QUOTED = ("X-Tenant", "Cookie", "X-Kept", "Authorization")


@contextmanager
def quoting_server() -> Iterator[tuple[int, list[dict[str, str]]]]:
    """Its port, and the headers of each request."""
    seen: list[dict[str, str]] = []
    handler = type("Handler", (Quoting,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1], seen
        finally:
            server.shutdown()
            thread.join(20)


def assert_sent(seen: list[dict[str, str]]) -> None:
    assert seen
    for headers in seen:
        assert headers["X-Tenant"] == TYPED
        assert headers["Cookie"] == f"session={TYPED}; a=b"
        assert headers["X-Kept"] == FROM_ENVIRONMENT
        assert headers["Authorization"] == f"Basic {BASIC}"
        assert headers["User-Agent"] == f"stt-load/{__version__}"


def assert_hidden(text: str) -> None:
    for secret in (TYPED, FROM_ENVIRONMENT, PASSWORD, BASIC):
        assert secret not in text


KINDS = [
    ("vosk", "ws://me:{}@127.0.0.1:{}/"),
    ("upload-openai", "http://me:{}@127.0.0.1:{}/v1/audio/transcriptions"),
    ("tts-openai", "http://me:{}@127.0.0.1:{}/v1/audio/speech"),
]


@pytest.mark.parametrize(("dialect", "url"), KINDS)
def test_a_probe_sends_them_and_shows_none(dialect: str, url: str, short_clips: Path, tmp_path: Path) -> None:
    with quoting_server() as (port, seen):
        options = ["--dialect", dialect, "--stt-url", url.format(PASSWORD, port), "--clips", str(short_clips)]
        with Run([*STT_LOAD, "probe", *options, *HEADERS], tmp_path, ENVIRONMENT) as run:
            assert run.wait() == 3
    assert_sent(seen)
    assert_hidden(run.output)
    assert re.search(r"outcome +refused: HTTP 403.*: not for .*\*\*\*", run.output)


def test_a_probe_says_which_of_them_the_run_needs(tmp_path: Path, short_clips: Path) -> None:
    with start_stand_in("vosk", "one two three") as server:
        url = server.url.replace("ws://", f"ws://me:{PASSWORD}@")
        options = ["--dialect", "vosk", "--stt-url", url, "--clips", str(short_clips), *HEADERS]
        with Run([*STT_LOAD, "probe", *options], tmp_path) as run:
            assert run.wait() == 0, run.output
    assert "Run the load test with your X-Tenant, Cookie, the user and password of --stt-url (not shown" in run.output
    assert_hidden(run.output)


@pytest.mark.locust
@pytest.mark.parametrize(("dialect", "url"), KINDS)
def test_a_run_sends_them_and_keeps_none(dialect: str, url: str, short_clips: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    options = ["--clips", str(short_clips), "--concurrency", "1", "--hold", "0.5s", "--settle", "0s"]
    with quoting_server() as (port, seen):
        line = ["--dialect", dialect, "--stt-url", url.format(PASSWORD, port), *options, "--results", str(results)]
        with Run([*STT_LOAD, "run", *line, "--verbose", *HEADERS], tmp_path, ENVIRONMENT) as run:
            wait_for_rows(results, 1, run)
            shown = "\n".join(word for process in _family(run) for word in process.cmdline())
            assert run.wait() in (3, 4), run.output
    assert_sent(seen)
    assert_hidden(run.output)
    assert TYPED not in shown and FROM_ENVIRONMENT not in shown
    folder = run_folder(results)
    assert "***" in str(rows(folder / "utterances.jsonl")[0]["error"])
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["headers"] == ["X-Kept", "X-Tenant", "Cookie"]
    for path in folder.rglob("*"):
        if path.is_file():
            assert_hidden(path.read_bytes().decode("utf-8", "replace"))


def _family(run: Run) -> list[psutil.Process]:
    try:
        return [psutil.Process(run.process.pid), *run.children()]
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize("command", ["run", "probe", "tts", "demo"])
def test_a_header_that_can_not_be_sent_is_refused_before_any_load(command: str, tmp_path: Path) -> None:
    with Run([*STT_LOAD, command, "--header", f"Host={TYPED}", "--header", TYPED], tmp_path) as run:
        assert run.wait() == 2
    assert "error: --header, or STT_LOAD_HEADERS: Host is set by stt-load itself: leave it out" in run.output
    assert "error: --header, or STT_LOAD_HEADERS: write NAME=VALUE" in run.output
    assert TYPED not in run.output
