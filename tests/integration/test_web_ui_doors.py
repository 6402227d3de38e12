"""The web UI has no password: what pages of other origins, and forged forms can do with it."""

from __future__ import annotations

import base64
import html
import socket
from pathlib import Path

import pytest
import requests
from in_locust import run_with_locust
from runs import INTERACTIVE, StartSink, run_folder, wait_for
from sites import other_origin, web_ui

pytestmark = pytest.mark.locust

KEY, TOKEN, PASSWORD = "planted-key-1", "planted-token-2", "planted-password-3"
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()


ENVIRONMENT = {"STT_LOAD_API_KEY": KEY, "GPU_SIDECAR_TOKEN": TOKEN, "STT_LOAD_WEB_ALLOWED_HOSTS": "stt.example"}


def test_what_can_be_asked_of_the_web_ui_and_by_whom(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    start = {"user_count": "1", "spawn_rate": "1"}
    with other_origin() as (server, asked), other_origin() as (evil, seen):
        given = f"{server.replace('http://', f'ws://me:{PASSWORD}@')}/?api_key={PASSWORD}"
        with web_ui(INTERACTIVE, tmp_path, "--stt-url", given, environment=ENVIRONMENT) as (site, run):

            def swarm(headers: dict[str, str] | None = None, **form: str) -> requests.Response:
                return requests.post(f"{site}/swarm", data={**start, **form}, headers=headers, timeout=30)

            foreign = {"Origin": evil}
            for path in ("/swarm", "/stop", "/stats/reset", "/user"):
                assert requests.post(site + path, data=start, headers=foreign, timeout=30).status_code == 403, path
            for path in (
                "/",
                "/stats/requests",
                "/logs",
                "/exceptions",
                "/stats/report",
                "/stt-load/report.html",
                "/nothing",
            ):
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
