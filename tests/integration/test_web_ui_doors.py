"""The web UI has no password: what pages of other origins, forged forms and a real browser can do with it."""

from __future__ import annotations

import base64
import html
import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from browser import CHROMIUM, Browser
from in_locust import run_with_locust
from ports import free_port
from runs import INTERACTIVE, LOCUST, Run, StartSink, phases, run_folder, wait_for

pytestmark = pytest.mark.locust

KEY, TOKEN, PASSWORD = "planted-key-1", "planted-token-2", "planted-password-3"
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()


@contextmanager
def web_ui(folder: Path, *options: str) -> Iterator[tuple[str, Run]]:
    """Locust with its web UI and credentials in the environment; its address."""
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    line = [*LOCUST, "-f", str(INTERACTIVE), "--web-host", "127.0.0.1", "--web-port", str(port), *options]
    environment = {"STT_LOAD_API_KEY": KEY, "GPU_SIDECAR_TOKEN": TOKEN, "STT_LOAD_WEB_ALLOWED_HOSTS": "stt.example"}
    with Run([*line, "--results", str(folder / "results")], folder, environment) as run:
        wait_for(lambda: answers(site), "the web UI", run)
        yield site, run


def answers(site: str) -> bool:
    try:
        return requests.get(site, timeout=5).ok
    except requests.ConnectionError:
        return False


class Page(http.server.BaseHTTPRequestHandler):
    """A page on another origin, and a server that notes what it is sent."""

    seen: list[tuple[str, dict[str, str]]]
    page = ""

    def answer(self) -> None:
        self.seen.append((self.path, dict(self.headers)))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page.encode())

    do_GET = do_POST = answer  # noqa: N815 - the names that the library calls

    def log_message(self, *_: object) -> None: ...


@contextmanager
def other_origin(page: str = "") -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Serves `page`: its address, and the path and headers of each request."""
    handler = type("Served", (Page,), {"seen": [], "page": page})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, closing_later(server):
        yield f"http://localhost:{server.server_address[1]}", handler.seen


@contextmanager
def closing_later(server: http.server.ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def test_what_can_be_asked_of_the_web_ui_and_by_whom(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    start = {"user_count": "1", "spawn_rate": "1"}
    with other_origin() as (server, asked), other_origin() as (evil, seen):
        given = f"{server.replace('http://', f'ws://me:{PASSWORD}@')}/?api_key={PASSWORD}"
        with web_ui(tmp_path, "--stt-url", given) as (site, run):

            def swarm(headers: dict[str, str] | None = None, **form: str) -> requests.Response:
                return requests.post(f"{site}/swarm", data={**start, **form}, headers=headers, timeout=30)

            foreign = {"Origin": evil}
            for path in ("/swarm", "/stop", "/stats/reset", "/user"):
                assert requests.post(site + path, data=start, headers=foreign, timeout=30).status_code == 403, path
            for path in ("/", "/stats/requests", "/logs", "/exceptions", "/stats/report", "/nothing"):
                for headers in (foreign, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
                    assert requests.get(site + path, headers=headers, timeout=30).status_code == 403, (path, headers)
            assert requests.get(site, headers={"Host": socket.gethostname()}, timeout=30).ok
            assert requests.get(site, headers={"Host": "stt.example"}, timeout=30).headers["Content-Security-Policy"]

            page = html.unescape(requests.get(site, timeout=30).text)
            assert PASSWORD not in page
            for text in (KEY, TOKEN):
                assert text not in page
            shown = given.replace(f"me:{PASSWORD}@", "").replace(PASSWORD, "***")
            assert shown in page

            for field in (
                "results",
                "output",
                "clips",
                "dialect_option",
                "live",
                "stt_servers",
                "locustfile",
                "header",
            ):
                said = swarm(**{field: str(tmp_path / "made")}).json()
                assert not said["success"], field
                assert said["message"] == f"{field}: the web UI has no such field: set it when Locust is started"
            said = swarm(stt_url=evil.replace("http", "ws"), gpu_sidecar=evil).json()
            assert not said["success"]
            assert "--stt-url: STT_LOAD_API_KEY would go to" in said["message"]
            assert "--gpu-sidecar: GPU_SIDECAR_TOKEN would go to" in said["message"]
            twice = [*start.items(), ("stt_url", evil.replace("http", "ws")), ("stt_url", shown)]
            assert not requests.post(f"{site}/swarm", data=twice, timeout=30).json()["success"]
            assert "type the whole URL" in swarm(stt_url=shown + "&more=***").json()["message"]
            assert seen == []
            assert not (tmp_path / "made").exists()
            assert not results.exists()

            for settings, status in (
                ({"user_class_name": "Caller", "host": "http://stt.test", "weight": 1}, 201),
                ({"user_class_name": "Caller", "on_start": 1}, 400),
                ({"user_class_name": "Nobody"}, 400),
                ([], 400),
            ):
                assert requests.post(f"{site}/user", json=settings, timeout=30).status_code == status, settings

            # What the page was shown comes back from it, and means what was given.
            assert swarm({"Origin": site}, stt_url=shown).json()["success"]
            wait_for(lambda: bool(asked), "a caller", run)
            path, headers = asked[0]
            assert path == f"/?api_key={PASSWORD}"
            assert headers["Authorization"] == f"Basic {BASIC}"
            assert requests.post(f"{site}/stop", timeout=60).json()["success"]
            wait_for(lambda: (run_folder(results) / "summary.json").exists(), "the summary", run)
            for secret in (KEY, TOKEN, PASSWORD, BASIC):
                assert secret not in requests.get(f"{site}/logs", timeout=30).text
                assert secret not in run.output


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_in_a_real_browser_our_page_starts_a_run_and_a_page_of_another_origin_does_not(
    start_sink: StartSink, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with web_ui(tmp_path, "--stt-url", start_sink().url) as (site, run):
        page = f"""<iframe name=f></iframe><form method=post target=f action={site}/swarm>
            <input name=user_count value=1><input name=spawn_rate value=1></form>"""
        with other_origin(page) as (evil, _), Browser(tmp_path / "browser") as browser:
            browser.open(evil)
            browser.run(
                "new Promise(done => { document.querySelector('iframe').onload = done; document.forms[0].submit() })"
            )
            ask = f"fetch('{site}/swarm', {{method: 'POST', mode: 'no-cors', body: new FormData(document.forms[0])}})"
            assert browser.run(f"{ask}.then(() => 'sent')") == "sent"
            read = f"fetch('{site}/logs').then(answer => answer.text())"
            assert "a page of another origin" in browser.run(read)
            assert not results.exists()

            browser.open(site)
            browser.wait_until("document.querySelector('button[type=submit]') !== null")
            browser.run("document.querySelector('button[type=submit]').click()")
            wait_for(lambda: (0, "hold") in phases(results), "the hold", run)
    assert "Traceback" not in run.output


def test_no_route_that_is_only_read_changes_anything() -> None:
    """Whoever follows a link may read: a new version of Locust may have routes that nobody has looked at."""
    program = """
import locust
from locust.env import Environment
environment = Environment(user_classes=[])
environment.create_local_runner()
app = environment.create_web_ui("127.0.0.1", 0, delayed_start=True).app
print(*sorted(rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods))
"""
    assert run_with_locust(program).split() == [
        "/",
        "/assets/<path:path>",
        "/exceptions",
        "/exceptions/csv",
        "/login",
        "/logs",
        "/static/<path:filename>",
        "/stats/failures/csv",
        "/stats/report",
        "/stats/requests",
        "/stats/requests/csv",
        "/stats/requests_full_history/csv",
        "/tasks",
        "/worker-count",
    ]
