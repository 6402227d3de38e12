"""Planted secrets: a distinct one wherever one can come in, a server that quotes all that it is shown, and a search for
them in everything that is written, printed or shown: as they are, percent-encoded and in base64.

Places that are searched: every file of the run folder (`run.json`, `stages.jsonl`, `utterances.jsonl`, `summary.json`,
`report.html`, `stages.csv`, `junit.xml` and whatever else is there), standard output and error with the log of
--verbose, the command lines of all processes of the run, each route of the web UI, what a probe prints, what
`stt-load report` prints, and the errors of bad input and of a TTS server.
"""

from __future__ import annotations

import base64
import itertools
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import psutil
import pytest
import requests
from ports import free_port
from runs import INTERACTIVE, LOCUST, STT_LOAD, Run, phases, run_folder, two_processes, wait_for
from servers.quoter import WAYS, Quoter, quoter

pytestmark = pytest.mark.locust

PLANTED = {
    name: f"Planted{number:02}-{name.title().replace(' ', '')}/+x"
    for number, name in enumerate(
        (
            "api key",
            "tts key",
            "sidecar token",
            "cluster token",
            "header",
            "user",
            "password",
            "sig",
            "amz",
            "code",
            "q",
        )
    )
}
PATH_SEGMENT = "plantedpathsegment0123456789"


@pytest.fixture
def server() -> Iterator[Quoter]:
    with quoter() as running:
        yield running


def url_of(server: Quoter, scheme: str = "ws", has_user: bool = True) -> str:
    """`has_user`: with user and password, which are sent in place of the API key."""
    said = {name: quote(secret, safe="") for name, secret in PLANTED.items()}
    user = f"{said['user']}:{said['password']}@" if has_user else ""
    return (
        f"{scheme}://{user}127.0.0.1:{server.port}/{PATH_SEGMENT}/listen?model=nova-3"
        f"&sig={said['sig']}&X-Amz-Signature={said['amz']}&code={said['code']}&anything={said['q']}#{said['sig']}"
    )


def environment(**more: str) -> dict[str, str]:
    return {
        "STT_LOAD_API_KEY": PLANTED["api key"],
        "STT_LOAD_TTS_API_KEY": PLANTED["tts key"],
        "GPU_SIDECAR_TOKEN": PLANTED["sidecar token"],
        "STT_LOAD_CLUSTER_TOKEN": PLANTED["cluster token"],
        "STT_LOAD_HEADERS": f"X-Secret=Bearer {PLANTED['header']}",
        **more,
    }


def found_in(places: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each place with the name of the secret that is in it."""
    secrets = {**PLANTED, "path segment": PATH_SEGMENT}
    found = []
    for name, secret in secrets.items():
        encoded = [encode(secret.encode()).decode() for encode in (base64.b64encode, base64.urlsafe_b64encode)]
        pair = base64.b64encode(f"{PLANTED['user']}:{PLANTED['password']}".encode()).decode()
        forms = {
            secret,
            quote(secret, safe=""),
            quote(secret),
            quote_plus(secret),
            *(e.rstrip("=") for e in encoded),
            pair,
        }
        forms.add(secret[: 2 * len(secret) // 3])  # most of it: a text may be cut off
        found += [(place, name) for place, text in places.items() if any(form in text for form in forms)]
    return found


def command_lines(run: Run) -> dict[str, str]:
    processes = [psutil.Process(run.process.pid), *run.note_family()]
    return {
        f"command line of {process.pid}": " ".join(process.cmdline()) for process in processes if process.is_running()
    }


def files_of(folder: Path) -> dict[str, str]:
    return {
        path.name: path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*") if path.is_file()
    }


def test_no_secret_is_in_what_a_run_leaves_prints_or_is_called(
    server: Quoter, short_clips: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", url_of(server, has_user=False), "--dialect", "deepgram"]
    line += ["--concurrency", "8", "--hold", "1s", "--at-least", str(len(WAYS))]
    line += ["--header", f"X-Other={PLANTED['header']}", "--clips", str(short_clips), "--results", str(results)]
    line += ["--gpu-sidecar", f"http://127.0.0.1:{server.port}", "--timeout", "1", "--settle", "0s", "--verbose"]
    with Run([*line, *two_processes()], tmp_path, environment()) as run:
        wait_for(lambda: (0, "hold") in phases(results), "the hold", run)
        lines = command_lines(run)
        run.wait()
    assert len(lines) == 3
    heard = "".join(server.heard)  # it was shown everything, so it could quote everything
    for name in ("api key", "sidecar token", "header"):
        assert PLANTED[name] in heard, name
    folder = run_folder(results)
    again = subprocess.run([*STT_LOAD, "report", str(folder)], capture_output=True, text=True, timeout=120)
    files = files_of(folder)
    assert {"run.json", "stages.jsonl", "utterances.jsonl", "summary.json", "report.html", "junit.xml"} <= files.keys()
    assert "hidden" in files["utterances.jsonl"]  # a transcript that quotes
    assert "***" in files["utterances.jsonl"]
    assert found_in({**files, "output": run.output, "report": again.stdout + again.stderr, **lines}) == []


def test_no_secret_is_in_the_web_ui(server: Quoter, short_clips: Path, tmp_path: Path) -> None:
    results, port = tmp_path / "results", free_port()
    site = f"http://127.0.0.1:{port}"
    line = [*LOCUST, "-f", str(INTERACTIVE), "--web-host", "127.0.0.1", "--web-port", str(port), "--loglevel", "DEBUG"]
    line += ["--dialect", "deepgram", "--clips", str(short_clips), "--results", str(results), "--timeout", "1"]
    line += ["--gpu-sidecar", f"http://127.0.0.1:{server.port}", "--verbose"]
    with Run(line, tmp_path, environment(STT_LOAD_STT_URL=url_of(server))) as run:
        wait_for(lambda: is_up(site), "the web UI", run)
        assert requests.post(f"{site}/swarm", data={"user_count": 8, "spawn_rate": 10}, timeout=30).json()["success"]
        wait_for(lambda: len(server.heard) > 2 * len(WAYS), "callers", run)
        lines = command_lines(run)
        routes = ("", "stats/requests", "stats/requests/csv", "stats/failures/csv", "stats/report", "exceptions")
        routes += ("exceptions/csv", "logs", "tasks", "worker-count")
        pages = {f"/{route}": requests.get(f"{site}/{route}", timeout=30).text for route in routes}
        assert requests.post(f"{site}/stop", timeout=60).json()["success"]
        wait_for(lambda: (run_folder(results) / "summary.json").exists(), "the summary", run)
        pages["/ after the run"] = requests.get(site, timeout=30).text
    assert "nova-3" in pages["/"]
    assert found_in({**pages, **lines, **files_of(run_folder(results)), "output": run.output}) == []


def is_up(site: str) -> bool:
    try:
        return requests.get(site, timeout=5).ok
    except requests.ConnectionError:
        return False


def test_no_secret_is_in_a_probe_or_in_an_error(server: Quoter, short_clips: Path, tmp_path: Path) -> None:
    url = url_of(server)
    probe = ["probe", "--dialect", "deepgram", "--clips", str(short_clips), "--timeout", "1", "--stt-url"]
    run = ["run", "--clips", str(short_clips), "--stt-url"]
    server.ways = itertools.repeat("transcript")
    commands = {
        "probe": [*probe, url],
        "wrong scheme": [*run, url.replace("ws:", "htp:")],
        "wrong port": [*run, url.replace(f":{server.port}", ":99999")],
        "no option": ["run", url],
        "no option of a probe": ["probe", url],
        "benchmark of a TTS server": ["tts", "--url", url_of(server, "http"), "--runs", "1"],
        "TTS server": ["clips", "make", "--from", "openai", "--url", url_of(server, "http"), "--out", "made"],
    }
    said = {}
    for name, words in commands.items():
        done = subprocess.run(
            [*STT_LOAD, *words],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env={**os.environ, **environment()},
        )
        said[name] = done.stdout + done.stderr
        assert done.returncode in (2, 3), said[name]
        assert "Traceback" not in said[name], said[name]
    assert found_in({**said, **files_of(tmp_path)}) == []
